//! Hosts without settings of their own: DHCP, router advertisements.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::scene::{Lab, Running, number, text};
use crate::wait::{Package, need, wait_for};

const PACKAGES: [Package; 2] = [
    Package { name: "udhcpc", programs: &["udhcpc"] },
    Package { name: "ndisc6", programs: &["rdisc6"] },
];
/// How long anything of this may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What `udhcpc` has this host do: as Debian's own script, and it writes down what it was told.
const SCRIPT: &str = "#!/bin/sh
case $1 in
deconfig) ip -4 addr flush dev $interface ;;
bound|renew)
  ip addr replace $ip/$mask dev $interface
  ip link set $interface mtu $mtu
  ip route replace default via $router dev $interface ;;
esac
echo \"$1 $ip $mask $router $mtu $lease $serverid\" >> RECORD
";

/// A site's attachment as its router has it.
fn attachment(lab: &Lab, router: &str) -> Value {
    let config = lab.config(router);
    let ports = config.get("ports").and_then(Value::as_array).expect("ports");
    let found = ports.iter().find(|port| port.pointer("/kind/hosts").is_some());
    found.cloned().unwrap_or_else(|| panic!("no attachment with hosts: {config:#}"))
}

/// What the script wrote down last, once it has for this reason.
fn told(record: &Path, reason: &str) -> Vec<String> {
    wait_for(&format!("`{reason}`"), PATIENCE, || {
        let text = fs::read_to_string(record).unwrap_or_default();
        let line = text.lines().rfind(|line| line.starts_with(reason));
        let words = line.map(|line| line.split(' ').skip(1).map(str::to_owned).collect());
        words.ok_or(text)
    })
}

#[test]
fn hosts_are_given_addresses_and_keep_them() {
    need(&PACKAGES);
    let lab = Lab::start("two-pops");
    let port = attachment(&lab, "site-g1");
    let (record, script) = (lab.folder().join("record"), lab.folder().join("udhcpc.sh"));
    fs::write(&script, SCRIPT.replace("RECORD", record.to_str().expect("text"))).expect("a file");
    let script = script.to_str().expect("text");
    lab.succeed("G1", &["chmod", "+x", script]);
    lab.succeed("G1", &["ip", "-4", "addr", "flush", "dev", "lan0"]);
    let words = ["udhcpc", "-i", "lan0", "-n", "-f", "-s", script, "-O", "mtu"];
    let client = Running::start(&lab, "udhcpc", &mut lab.program("G1", &[], &words));
    let bound = told(&record, "bound");
    let [address, mask, router, mtu, lease, server] = bound.as_slice() else { panic!("{bound:?}") };
    let pool = ["/kind/hosts/dhcp/first", "/kind/hosts/dhcp/last"].map(|end| {
        let text = port.pointer(end).and_then(Value::as_str).expect("an end of the pool");
        text.parse::<Ipv4Addr>().expect("an address")
    });
    let parsed: Ipv4Addr = address.parse().expect("an address");
    assert!((pool[0]..=pool[1]).contains(&parsed), "{address} is not of {pool:?}");
    assert_eq!([mask, router, server], ["24", "10.2.0.1", "10.2.0.1"]);
    assert_eq!(*mtu, number(&port, "/mtu").to_string());
    assert_eq!(*lease, number(&port, "/kind/hosts/dhcp/lease_s").to_string());
    lab.succeed("G1", &["ping", "-n", "-c", "1", "-W", "2", "10.2.1.20"]);
    client.signal("USR1");
    assert_eq!(told(&record, "renew"), bound, "renewed");
    drop(client);
    fs::remove_file(&record).expect("a file");
    let again = [&words[..], &["-q"]].concat();
    lab.succeed("G1", &again);
    assert_eq!(told(&record, "bound"), bound, "asked for anew");
}

#[test]
fn hosts_make_themselves_addresses_of_the_advertised_prefix() {
    need(&PACKAGES);
    let lab = Lab::start("two-pops");
    let said = lab.succeed("G1", &["rdisc6", "-1", "-w", "5000", "lan0"]);
    let line = |name: &str| {
        let found = said.lines().find(|line| line.trim_start().starts_with(name));
        found.and_then(|line| line.split_once(':')).map_or("", |(_, value)| value.trim())
    };
    assert_eq!(line("Prefix "), "fd00:100:1::/64", "{said}");
    assert!(line("Autonomous address").starts_with("Yes"), "{said}");
    assert!(line("MTU ").starts_with("1388 bytes"), "{said}");
    assert!(!line("Router lifetime").starts_with('0'), "{said}");
    lab.succeed("G1", &["ip", "-6", "addr", "flush", "dev", "lan0", "scope", "global"]);
    lab.succeed("G1", &["ip", "-6", "route", "flush", "default"]);
    lab.succeed("G1", &["rdisc6", "-1", "-q", "-w", "5000", "lan0"]);
    let address = wait_for("address by SLAAC", PATIENCE, || {
        let said = lab.succeed("G1", &["ip", "-j", "-6", "addr", "show", "dev", "lan0"]);
        let said: Value = serde_json::from_str(&said).expect("JSON of ip");
        let all = said.pointer("/0/addr_info").and_then(Value::as_array).cloned();
        let found = all.into_iter().flatten().find(|one| one.get("dynamic").is_some());
        found.ok_or(said)
    });
    assert!(text(&address, "local").starts_with("fd00:100:1:0:"), "{address}");
    lab.succeed("G1", &["ping", "-n", "-c", "2", "-i", "0.3", "-W", "2", "fd00:100:1:1::14"]);
}
