//! Networks of network namespaces.
//!
//! The namespaces are nameless: descriptors of this process, which nobody else sees and which go
//! with it. Names in tests are for tests.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use host::namespace::Namespace;

use crate::wait::{Package, last_words, need, succeed};

/// What every network is made with.
const PACKAGES: [Package; 1] = [Package { name: "iproute2", programs: &["ip"] }];

/// Network namespaces, and links between them.
#[derive(Debug)]
pub(crate) struct Net {
    spaces: BTreeMap<String, Namespace>,
    /// How often the kernel had no room for a neighbour before.
    table_full: u64,
}

impl Net {
    /// Makes a namespace for each name, empty but for `lo`.
    pub(crate) fn new(names: &[&str]) -> Self {
        need(&PACKAGES);
        let make = |name: &&str| ((*name).to_owned(), Namespace::new().expect("a namespace"));
        Self { spaces: names.iter().map(make).collect(), table_full: table_full() }
    }

    /// A namespace.
    pub(crate) fn space(&self, name: &str) -> &Namespace {
        self.spaces.get(name).unwrap_or_else(|| panic!("no namespace `{name}`"))
    }

    /// A program that will run in a namespace, and end with the test.
    pub(crate) fn command(&self, space: &str, program: &str) -> Command {
        let mut command = Command::new(program);
        self.space(space).hold(&mut command);
        command
    }

    /// Runs a program in a namespace to its end, which must be a good one: `ip link set e0 down`.
    pub(crate) fn run(&self, space: &str, line: &str) -> String {
        let mut words = line.split_whitespace();
        let mut command = self.command(space, words.next().expect("a program"));
        succeed(command.args(words))
    }

    /// Joins two namespaces by a virtual cable between two interfaces, both up. Packets have up
    /// to 1,500 octets.
    pub(crate) fn link(&self, (a, at_a): (&str, &str), (b, at_b): (&str, &str)) {
        let far = self.space(b).path();
        let far = far.display();
        self.run(a, &format!("ip link add {at_a} type veth peer name {at_b} netns {far}"));
        self.run(a, &format!("ip link set {at_a} up"));
        self.run(b, &format!("ip link set {at_b} up"));
    }

    /// Gives an interface an address, `10.0.0.1/24`.
    pub(crate) fn address(&self, space: &str, interface: &str, address: &str) {
        self.run(space, &format!("ip addr add {address} dev {interface}"));
    }
}

/// How often the kernel had no room for another neighbour: there is one table for all namespaces
/// of the machine, and when others fill it, nobody here finds anybody.
fn table_full() -> u64 {
    let text = fs::read_to_string("/proc/net/stat/arp_cache").unwrap_or_default();
    let rows = text.lines().skip(1);
    let last = rows.filter_map(|row| row.split_whitespace().next_back());
    last.filter_map(|count| u64::from_str_radix(count, 16).ok()).sum()
}

impl Drop for Net {
    fn drop(&mut self) {
        let meanwhile = table_full().saturating_sub(self.table_full);
        if meanwhile > 0 {
            last_words(|| {
                format!(
                    "the machine's table of neighbours was full {meanwhile} times meanwhile\n\
                     hint: sysctl net.ipv4.neigh.default.gc_thresh3=16384"
                )
            });
        }
    }
}
