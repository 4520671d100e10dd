//! A router's ports in the order of their numbers.
//!
//! A port's number is allotted once, under the name of what ends there, and never given to anything
//! else. So the ports of what has gone are holes, which stay in the configuration as unused ports:
//! everything after them keeps its place.

use base::{MacAddr, PortId};
use intent::Lock;
use model::config::{Medium, Port, PortKind, Role};

/// The kind of number that the ports of a router have in the lock.
pub(crate) fn kind(router: &str) -> String {
    format!("port/{router}")
}

/// The Ethernet address of a port: individual, locally administered (IEEE 802c: low digit 2 of the
/// first octet), from the router's number and the port's. The first octet tells core routers from
/// site routers.
pub(crate) fn mac(role: Role, router: u32, port: PortId) -> MacAddr {
    let [_, a, b, c] = router.to_be_bytes();
    let [_, _, d, e] = port.0.to_be_bytes();
    let first = match role {
        Role::Core => 0x02,
        Role::Site => 0x12,
    };
    MacAddr([first, a, b, c, d, e])
}

/// The ports in use, by number, together with the holes between and after them.
pub(crate) fn with_holes(
    router: &str,
    mac_of: impl Fn(PortId) -> MacAddr,
    mut in_use: Vec<(PortId, Port)>,
    lock: &Lock,
) -> Vec<Port> {
    let allotted = lock.numbers(&kind(router)).into_iter().flat_map(|numbers| numbers.iter());
    let count = allotted.map(|(_, number)| number + 1).max().unwrap_or(0);
    in_use.sort_by_key(|(id, _)| *id);
    let mut used = in_use.into_iter().peekable();
    let mut ports = Vec::new();
    for id in (0..count).map(PortId) {
        match used.next_if(|(number, _)| *number == id) {
            Some((_, port)) => ports.push(port),
            None => ports.push(unused(id, mac_of(id))),
        }
    }
    ports
}

fn unused(id: PortId, mac: MacAddr) -> Port {
    Port {
        name: format!("unused-{}", id.0),
        medium: Medium::Ethernet,
        mac,
        mtu: 1500,
        addresses: Vec::new(),
        kind: PortKind::Unused,
    }
}
