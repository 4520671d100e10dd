//! Configurations of core routers, and what FRR is told to be one of them.
//!
//! Router N has the loopback `10.255.0.N`, the SID index N and the system identifier
//! `0000.0000.000N`; the link between A and B is `10.A.B.0/24`, A before B, with the routers'
//! numbers at its end.

use core::net::Ipv4Addr;
use std::fs;
use std::process::Command;

use base::{AsNumber, Label, MacAddr, RouterId, SystemId};
use model::config::{
    Authentication, AuthenticationAlgorithm, Bfd, Bgp, InterfaceAddress, Isis, LabelRange,
    Loopback, Medium, Neighbour, NeighbourKind, Port, PortKind, Role, RouterConfig,
};
use model::plan::Plan;
use tempfile::TempDir;

use crate::wait::succeed;

/// The region's AS.
pub(crate) const AS: AsNumber = AsNumber(65_000);
/// The region's key.
pub(crate) const KEY: &str = "regionkey";

const fn labels(first: u32, count: u32) -> LabelRange {
    LabelRange { first: Label::masked(first), count }
}

/// The loopback of a router.
pub(crate) const fn loopback(router: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 255, 0, router)
}

/// The address of a router on its link with another.
pub(crate) fn on_link(router: u8, other: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, router.min(other), router.max(other), router)
}

/// A core router without ports or neighbours, whose IS-IS is not signed: `r1`.
pub(crate) fn core(router: u8) -> RouterConfig {
    RouterConfig {
        name: format!("r{router}"),
        generation: 1,
        role: Role::Core,
        router_id: RouterId(loopback(router)),
        as_number: AS,
        loopback: Some(Loopback { v4: loopback(router), v4_sid: router.into(), v6: None }),
        ports: Vec::new(),
        isis: Some(Isis {
            system_id: SystemId([0, 0, 0, 0, 0, router]),
            area: vec![0x49, 0, 1],
            srgb: labels(16_000, 8_000),
            srlb: labels(15_000, 1_000),
            authentication: None,
            overload: false,
            hello_interval_ms: 1_000,
            hello_multiplier: 3,
        }),
        labels: labels(100_000, 10_000),
        bgp: Bgp { hold_time_s: 9, connect_retry_ms: 500, cluster_id: None },
        neighbours: Vec::new(),
        vrfs: Vec::new(),
    }
}

/// A core router's link with another: port `to-r2`, adjacency-SID 15,002.
pub(crate) fn core_link(router: u8, other: u8, metric: u32) -> Port {
    let address = on_link(router, other).into();
    Port {
        name: format!("to-r{other}"),
        medium: Medium::Ethernet,
        mac: MacAddr([2, 0, 0, 0, router, other]),
        mtu: 1_500,
        addresses: vec![InterfaceAddress { address, length: 24 }],
        kind: PortKind::CoreLink {
            peer: on_link(other, router),
            metric,
            adjacency_sid: Label::masked(15_000 + u32::from(other)),
            bfd: Bfd { interval_ms: 100, multiplier: 3 },
            shared_risks: Vec::new(),
        },
    }
}

/// An interior BGP neighbour, from loopback to loopback.
pub(crate) fn internal(router: u8, other: u8) -> Neighbour {
    Neighbour {
        name: format!("r{other}"),
        address: loopback(other),
        local_address: loopback(router),
        as_number: AS,
        passive: false,
        kind: NeighbourKind::Internal { client: false },
    }
}

/// HMAC-MD5 with a key.
pub(crate) fn signed(key: &str) -> Authentication {
    let algorithm = AuthenticationAlgorithm::HmacMd5;
    Authentication { algorithm, key_id: 0, key: key.to_owned() }
}

/// What FRR is told to be router N with IS-IS and segment routing. `prefix_sid` stands behind the
/// index of its loopback (`no-php-flag`), `instance` are more lines of the instance.
pub(crate) fn frr_isis(router: u8, prefix_sid: &str, instance: &str) -> String {
    let loopback = loopback(router);
    format!(
        "hostname r{router}
interface lo
 ip address {loopback}/32
 ip router isis CORE
 isis passive
exit
router isis CORE
 net 49.0001.0000.0000.{router:04}.00
 is-type level-2-only
 metric-style wide
 lsp-gen-interval 1
 spf-interval 1
 mpls-te on
 mpls-te router-address {loopback}
 segment-routing on
 segment-routing node-msd 10
 segment-routing global-block 16000 23999 local-block 15000 15999
 segment-routing prefix {loopback}/32 index {router} {prefix_sid}
 {instance}
exit
"
    )
}

/// What FRR is told of its link with another router, on interface `to-r2`. `more` are more lines
/// of the interface.
pub(crate) fn frr_link(router: u8, other: u8, metric: u32, more: &str) -> String {
    let address = on_link(router, other);
    format!(
        "interface to-r{other}
 ip address {address}/24
 ip router isis CORE
 isis network point-to-point
 isis hello-interval 1
 isis hello-multiplier 3
 isis metric {metric}
 {more}
exit
"
    )
}

/// The six classes with their code points and shares.
const CLASSES: [(&str, u8, u8); 6] = [
    ("EF", 46, 10),
    ("AF4", 34, 15),
    ("AF3", 26, 20),
    ("AF2", 18, 25),
    ("AF1", 10, 20),
    ("DE", 0, 10),
];

/// The plan that `weald compile` makes of these files; the network's is without its classes.
pub(crate) fn compile(network: &str, sites: &str, services: &str) -> Plan {
    let folder = TempDir::with_prefix("weald-").expect("a folder");
    let class = |(name, dscp, share): &(&str, u8, u8)| {
        format!("[[class]]\nname = \"{name}\"\ndscp = {dscp}\nshare_percent = {share}\n")
    };
    let classes: String = CLASSES.iter().map(class).collect();
    let network = format!("{network}\n{classes}");
    let texts =
        [("network.toml", network.as_str()), ("sites.csv", sites), ("services.toml", services)];
    for (name, text) in texts {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    let plan = folder.path().join("plan.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_weald"));
    succeed(command.arg("compile").arg(folder.path()).arg("--out").arg(&plan));
    serde_json::from_slice(&fs::read(plan).expect("a plan")).expect("a plan")
}
