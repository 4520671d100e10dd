//! The machine that a router runs on, and somebody on a LAN who would reach it past the router.
//!
//! ```text
//!   lan e0 ── p0, a port; machine; m0 ── e0 office, the way to everything else
//! ```
//!
//! Every test shows first that the machine, left to itself, can be reached at what becomes a port.

use std::fs;
use std::net::Ipv6Addr;
use std::path::Path;
use std::time::Duration;

use base::MacAddr;
use host::device::Device as _;
use host::ethernet::Ethernet;

use crate::daemon::{Daemon, Line, interfaces};
use crate::frames::{IPV4, IPV6, Wire, advertisement, ethernet};
use crate::net::Net;
use crate::plan;
use crate::wait::wait_for;

/// How our router is run on a machine.
const UNIT: &str = include_str!("../../../../packaging/weald-router@.service");
const PATIENCE: Duration = Duration::from_secs(10);
/// The machine's own Ethernet address at the port, and the IPv6 address that it makes of that.
const OWN_MAC: &str = "02:00:00:00:99:01";
const OWN_LINK_LOCAL: &str = "fe80::ff:fe00:9901%e0";
/// Where people reach the machine.
const MANAGEMENT: &str = "192.0.2.1";
/// The router, at the port.
const ROUTER: &str = "10.1.2.1";
/// Who pretends to be a router.
const FORGER: (MacAddr, Ipv6Addr) =
    (MacAddr([2, 0, 0, 0, 0x66, 1]), Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x66));
const EVERYBODY: MacAddr = MacAddr([0x33, 0x33, 0, 0, 0, 1]);

/// What a machine does that nobody has settled.
const UNSETTLED: [(&str, &str); 6] = [
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/p0/rp_filter", "0"),
    ("ipv4/conf/p0/arp_ignore", "0"),
    ("ipv4/conf/p0/forwarding", "1"),
    ("ipv6/conf/p0/disable_ipv6", "0"),
    ("ipv6/conf/p0/accept_ra", "1"),
];

/// A machine, and somebody on the LAN.
struct Scene {
    net: Net,
    forger: Wire,
}

impl Scene {
    /// The machine is reached.
    fn new() -> Self {
        let net = Net::new(&["machine", "lan", "office"]);
        net.link(("machine", "m0"), ("office", "e0"));
        net.address("machine", "m0", &format!("{MANAGEMENT}/24"));
        net.run("machine", "ip route add default via 192.0.2.254");
        net.link(("machine", "p0"), ("lan", "e0"));
        net.run("machine", "ip link set p0 down");
        net.run("machine", &format!("ip link set p0 address {OWN_MAC}"));
        net.address("lan", "e0", "10.1.2.2/24");
        net.run("lan", &format!("ip route add {MANAGEMENT}/32 dev e0"));
        let forger = Wire::open(&net, "lan", "e0");
        let mut scene = Self { net, forger };
        scene.unsettle();
        // Somebody who runs the machine may know a way to the LAN.
        scene.net.run("machine", "ip link set p0 up");
        scene.net.run("machine", "ip route add 10.1.2.0/24 dev p0");
        wait_for("answers of the machine", PATIENCE, || {
            if scene.is_reached() { Ok(()) } else { Err("none") }
        });
        wait_for("a route of the forger's", PATIENCE, || {
            scene.forge();
            if scene.default_route().contains("fe80::66") { Ok(()) } else { Err("none") }
        });
        assert!(scene.heard() > 0);
        scene.net.run("machine", "ip route del 10.1.2.0/24 dev p0");
        scene
    }

    fn unsettle(&self) {
        let write = || {
            UNSETTLED.iter().try_for_each(|(name, value)| {
                fs::write(Path::new("/proc/sys/net").join(name), value)
            })
        };
        self.net.space("machine").run(write).expect("`/proc/sys` can be written");
    }

    fn answers(&self, to: &str) -> bool {
        let mut command = self.net.command("lan", "ping");
        command.args(["-n", "-c", "1", "-W", "1", to]);
        command.output().expect("`ping` runs").status.success()
    }

    /// Whether the machine answers at any of its addresses, be its Ethernet address known or not.
    fn is_reached(&self) -> bool {
        self.net.run("lan", "ip neigh flush dev e0");
        let by_itself = self.answers(MANAGEMENT);
        let known = format!("ip neigh replace {MANAGEMENT} lladdr {OWN_MAC} dev e0 nud permanent");
        self.net.run("lan", &known);
        let told = self.answers(MANAGEMENT);
        self.net.run("lan", &format!("ip neigh del {MANAGEMENT} dev e0"));
        let by_link_local = self.answers(OWN_LINK_LOCAL);
        by_itself || told || by_link_local
    }

    fn forge(&mut self) {
        self.forger.send(&ethernet(EVERYBODY, FORGER.0, IPV6, &advertisement(FORGER)));
        self.forger.flush();
    }

    fn default_route(&self) -> String {
        self.net.run("machine", "ip -6 route show default")
    }

    /// Packets of IPv4 and IPv6 that the machine's own network stack has taken for itself.
    fn heard(&self) -> u64 {
        let read = || {
            let of = |name: &str| fs::read_to_string(Path::new("/proc/thread-self/net").join(name));
            Ok((of("snmp")?, of("snmp6")?))
        };
        let (v4, v6) = self.net.space("machine").run(read).expect("counters");
        let mut rows = v4.lines().filter(|line| line.starts_with("Ip: "));
        let (names, figures) = (rows.next().unwrap_or(""), rows.next().unwrap_or(""));
        let mut cells = names.split(' ').zip(figures.split(' '));
        let v4 = cells.find(|(name, _)| *name == "InDelivers").map(|(_, figure)| figure);
        let v6 = v6.lines().find_map(|line| line.strip_prefix("Ip6InDelivers"));
        let number = |text: Option<&str>| text.and_then(|text| text.trim().parse::<u64>().ok());
        number(v4).expect("a count") + number(v6).expect("a count")
    }

    /// Runs our router with these rights.
    fn run(&self, rights: &str) -> Daemon {
        let mut config = plan::core(1);
        config.ports.push(plan::core_link(1, 2, 10));
        let ports = interfaces(&[("to-r2", "p0")]);
        Daemon::start_as_nobody(&self.net, "machine", rights, &config, &ports)
    }

    /// The machine is not reached any more, does not even listen, and the router answers.
    fn is_hidden(&mut self) {
        wait_for("answers of the router", PATIENCE, || {
            if self.answers(ROUTER) { Ok(()) } else { Err("none") }
        });
        let before = self.heard();
        assert!(!self.is_reached());
        self.forge();
        assert!(self.answers(ROUTER), "after everything else");
        assert_eq!(self.default_route(), "");
        assert_eq!(self.heard(), before);
    }
}

/// The rights that the unit gives a router, as `setpriv` reads them.
fn rights_of_the_unit() -> String {
    let line = UNIT.lines().find_map(|line| line.strip_prefix("AmbientCapabilities="));
    let rights = line.expect("a line").split(' ').map(|right| right.replace("CAP_", "+"));
    rights.collect::<Vec<_>>().join(",").to_lowercase()
}

/// Able to fail: without the filter the machine answers pings once the settings are changed back;
/// without the settings it keeps the route that the forger had given it before.
#[test]
fn machine_is_not_reached_at_a_port_whatever_its_settings_are() {
    let mut scene = Scene::new();
    let router = scene.run(&rights_of_the_unit());
    scene.is_hidden();
    // Something else on the machine settles its interfaces.
    scene.unsettle();
    scene.net.run("machine", "ip route add 10.1.2.0/24 dev p0");
    scene.is_hidden();
    drop(router);
}

/// Able to fail: without the settings the machine answers pings, and believes the forger.
#[test]
fn machine_without_a_filter_is_not_reached_at_a_port_by_its_settings() {
    let mut scene = Scene::new();
    let router = scene.run("+net_raw,+net_admin");
    let is_told = |line: &Line| line.fields.to_string().contains("hears broadcasts on `p0`");
    wait_for("word that there is no filter", PATIENCE, || {
        if router.lines().iter().any(is_told) { Ok(()) } else { Err(router.lines()) }
    });
    scene.is_hidden();
    drop(router);
    assert!(!scene.is_reached(), "nor until the router is started again");
}

#[test]
fn interface_with_an_address_is_refused_and_left_alone() {
    let net = Net::new(&["machine", "lan"]);
    net.link(("machine", "p0"), ("lan", "e0"));
    net.address("lan", "e0", "10.9.0.2/24");
    for (address, shown) in [("10.9.0.1/24", "10.9.0.1"), ("fd00:9::1/64 nodad", "fd00:9::1")] {
        net.run("machine", &format!("ip addr add {address} dev p0"));
        let error = net.space("machine").run(|| Ethernet::open("p0", 1_500)).expect_err(shown);
        let text = error.to_string();
        assert!(text.contains(shown) && text.contains("`ip addr flush dev p0`"), "{text}");
        let said = net.run("machine", "ip addr show dev p0");
        assert!(said.contains(shown) && said.contains("fe80::"), "{said}");
        net.run("machine", &format!("ip addr del {} dev p0", address.replace(" nodad", "")));
    }
    net.space("machine").run(|| Ethernet::open("p0", 1_500)).expect("it has no address any more");
}

/// Able to fail: while tags were not looked at, the frames of VLAN 42 were handed over as if they
/// had none.
#[test]
fn frames_of_a_vlan_are_refused_and_those_with_a_priority_are_not() {
    const STATION: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
    const OUTER: u16 = 0x88a8;
    const TAG: u16 = 0x8100;
    let net = Net::new(&["machine", "lan"]);
    net.link(("machine", "p0"), ("lan", "e0"));
    let mut port = net.space("machine").run(|| Ethernet::open("p0", 1_500)).expect("a port");
    let mut wire = Wire::open(&net, "lan", "e0");
    let packet = |number: u8| [&IPV4.to_be_bytes()[..], &[0x45, number], &[0; 60]].concat();
    let inner = |number: u8| [&TAG.to_be_bytes()[..], &[0, 42], &packet(number)].concat();
    let frames = [
        (TAG, [0, 42], packet(1)),
        (OUTER, [0, 42], packet(2)),
        (TAG, [0xe0, 42], packet(3)),
        (TAG, [0, 42], inner(4)),
        (TAG, [0xe0, 0], packet(5)),
        (TAG, [0, 0], inner(6)),
    ];
    for (kind, tag, rest) in frames {
        let payload = [&tag[..], &rest].concat();
        wire.send(&ethernet(STATION, FORGER.0, kind, &payload));
    }
    wire.send(&[&STATION.0[..], &FORGER.0.0, &packet(7)].concat());
    wire.flush();
    let mut got = Vec::new();
    wait_for("the last frame", PATIENCE, || {
        let mut take = |frame: &[u8]| {
            if let Some(rest) = frame.strip_prefix(&STATION.0) {
                got.push(rest.get(6..).unwrap_or_default().to_vec());
            }
        };
        port.receive(64, &mut take).expect("it is there");
        if got.last() == Some(&packet(7)) { Ok(()) } else { Err(got.clone()) }
    });
    assert_eq!(got, [packet(5), inner(6), packet(7)], "what is left of a second tag is no packet");
    assert_eq!(port.counters().refused, 4);
}
