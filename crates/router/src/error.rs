//! What is wrong with a configuration: all of it at once, each with the path of the field.

use core::fmt;
use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

use base::{Label, PortId, Prefix};
use model::config::{
    DhcpPool, HostService, InterfaceAddress, LabelRange, Medium, Neighbour, NeighbourKind, Port,
    PortKind, Role, RouterConfig,
};

use crate::dhcp::ADDRESSES_MAX;
use crate::translate;

/// The shortest time that an address is lent for: hosts ask again after half of it.
const LEASE_MIN_S: u32 = 60;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Where: `neighbours[3].kind.port`.
    pub field: String,
    /// What was found.
    pub found: String,
    /// What is allowed.
    pub allowed: String,
}

/// Everything that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    /// The router's name.
    pub router: String,
    /// What is wrong, in order of the fields.
    pub errors: Vec<ConfigError>,
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "configuration of `{}` is refused", self.router)?;
        for error in &self.errors {
            write!(f, "\n  {}: found {}, allowed: {}", error.field, error.found, error.allowed)?;
        }
        Ok(())
    }
}

impl core::error::Error for ConfigErrors {}

#[derive(Default)]
struct Findings(Vec<ConfigError>);

impl Findings {
    fn add(&mut self, field: impl Into<String>, found: impl fmt::Display, allowed: &str) {
        let (field, allowed) = (field.into(), allowed.to_owned());
        self.0.push(ConfigError { field, found: format!("`{found}`"), allowed });
    }
}

/// Checks what the parts of a router take for granted.
pub(crate) fn check(config: &RouterConfig, running: Option<u64>) -> Result<(), ConfigErrors> {
    let mut findings = Findings::default();
    if let Some(running) = running
        && config.generation < running
    {
        let allowed = format!("{running} or newer");
        findings.add("generation", config.generation, &allowed);
    }
    check_role(config, &mut findings);
    check_labels(config, &mut findings);
    check_timers(config, &mut findings);
    check_ports(config, &mut findings);
    check_links(config, &mut findings);
    check_neighbours(config, &mut findings);
    check_vrfs(config, &mut findings);
    if findings.0.is_empty() {
        return Ok(());
    }
    Err(ConfigErrors { router: config.name.clone(), errors: findings.0 })
}

fn check_role(config: &RouterConfig, findings: &mut Findings) {
    let core = config.role == Role::Core;
    if core != config.isis.is_some() {
        findings.add("isis", config.isis.is_some(), "on core routers, only there");
    }
    if core != config.loopback.is_some() {
        findings.add("loopback", config.loopback.is_some(), "on core routers, only there");
    }
    if let Some(isis) = &config.isis
        && !(1..=13).contains(&isis.area.len())
    {
        let found = format!("{} octets", isis.area.len());
        findings.add("isis.area", found, "1 to 13 octets (ISO 10589 §7.1.1)");
    }
}

/// The first label of a block and the one after its last.
fn block(range: LabelRange) -> core::ops::Range<u32> {
    range.first.value()..range.first.value().saturating_add(range.count)
}

/// A label means one thing: the blocks that platform labels come from must not meet.
fn check_labels(config: &RouterConfig, findings: &mut Findings) {
    let mut blocks = vec![("labels", block(config.labels))];
    if let Some(isis) = &config.isis {
        blocks.extend([("isis.srgb", block(isis.srgb)), ("isis.srlb", block(isis.srlb))]);
    }
    let mut before: Vec<core::ops::Range<u32>> = Vec::new();
    for (field, labels) in blocks {
        let found = format!("{} to {}", labels.start, labels.end.saturating_sub(1));
        if labels.is_empty()
            || labels.start < Label::FIRST_FREE.value()
            || labels.end > Label::MAX.value() + 1
        {
            findings.add(field, &found, "a block within 16 to 1048575");
        }
        if before.iter().any(|other| other.start < labels.end && labels.start < other.end) {
            findings.add(field, &found, "labels that no other block has");
        }
        before.push(labels);
    }
    if let (Some(isis), Some(loopback)) = (&config.isis, &config.loopback)
        && loopback.v4_sid >= isis.srgb.count
    {
        findings.add("loopback.v4_sid", loopback.v4_sid, "an index within `isis.srgb`");
    }
}

fn check_timers(config: &RouterConfig, findings: &mut Findings) {
    if matches!(config.bgp.hold_time_s, 1 | 2) {
        let allowed = "0, or 3 or more (RFC 4271 §4.2)";
        findings.add("bgp.hold_time_s", config.bgp.hold_time_s, allowed);
    }
    if config.bgp.connect_retry_ms == 0 {
        findings.add("bgp.connect_retry_ms", 0, "1 or more");
    }
    if let Some(isis) = &config.isis {
        if isis.hello_interval_ms == 0 {
            findings.add("isis.hello_interval_ms", 0, "1 or more");
        }
        if isis.hello_multiplier == 0 {
            findings.add("isis.hello_multiplier", 0, "1 or more");
        }
    }
    for (id, port) in config.ports() {
        let Some(bfd) = translate::port_bfd(port) else { continue };
        if bfd.interval_ms == 0 {
            findings.add(format!("ports[{}].kind.bfd.interval_ms", id.0), 0, "1 or more");
        }
        if bfd.multiplier == 0 {
            findings.add(format!("ports[{}].kind.bfd.multiplier", id.0), 0, "1 or more");
        }
    }
}

fn check_ports(config: &RouterConfig, findings: &mut Findings) {
    let mut names = BTreeSet::new();
    for (id, port) in config.ports() {
        let field = format!("ports[{}]", id.0);
        if matches!(port.kind, PortKind::Unused) {
            continue;
        }
        if !names.insert(port.name.as_str()) {
            findings.add(format!("{field}.name"), &port.name, "a name that no other port has");
        }
        if port.mtu < 1280 {
            findings.add(format!("{field}.mtu"), port.mtu, "1280 or more (RFC 8200 §5)");
        }
        if port.medium == Medium::Ethernet && port.mac.is_multicast() {
            findings.add(format!("{field}.mac"), port.mac, "the address of one station");
        }
        for (position, own) in port.addresses.iter().enumerate() {
            if Prefix::new(own.address, own.length).is_none() {
                let field = format!("{field}.addresses[{position}].length");
                findings.add(field, own.length, "no more bits than the address has");
            }
        }
        if let PortKind::Attachment { vrf, .. } = &port.kind
            && translate::vrf_name(config, *vrf).is_none()
        {
            findings.add(format!("{field}.kind.vrf"), vrf, "the number of a VRF");
        }
        check_hosts(port, &field, findings);
    }
}

/// What is done for hosts must be possible with the port's own addresses.
fn check_hosts(port: &Port, field: &str, findings: &mut Findings) {
    let Some(HostService { dhcp, advertise, .. }) = translate::port_hosts(port) else { return };
    if port.medium != Medium::Ethernet {
        findings.add(format!("{field}.kind.hosts"), "on a tunnel", "on Ethernet");
    }
    if *advertise && translate::port_v6(port).is_none() {
        let allowed = "where the attachment has an IPv6 address";
        findings.add(format!("{field}.kind.hosts.advertise"), advertise, allowed);
    }
    let Some(DhcpPool { first, last, lease_s }) = *dhcp else { return };
    let field = format!("{field}.kind.hosts.dhcp");
    let prefix = translate::port_v4_prefix(port).map(|(_, prefix)| prefix);
    for (end, address) in [("first", first), ("last", last)] {
        if !prefix.is_some_and(|prefix| prefix.contains(address)) {
            let allowed = "within the prefix of the attachment's first IPv4 address";
            findings.add(format!("{field}.{end}"), address, allowed);
        }
    }
    if last < first || last.to_bits() - first.to_bits() >= ADDRESSES_MAX {
        let allowed = format!("`first` or up to {} above", ADDRESSES_MAX - 1);
        findings.add(format!("{field}.last"), last, &allowed);
    }
    if lease_s < LEASE_MIN_S {
        findings.add(format!("{field}.lease_s"), lease_s, &format!("{LEASE_MIN_S} or more"));
    }
}

fn check_links(config: &RouterConfig, findings: &mut Findings) {
    let own = translate::own_addresses(config);
    let (mut peers, mut sids) = (BTreeSet::new(), BTreeSet::new());
    for (id, port) in config.ports() {
        let field = format!("ports[{}]", id.0);
        let Some(peer) = translate::port_peer(port) else { continue };
        if !peers.insert(peer) || own.contains(&IpAddr::V4(peer)) {
            let allowed = "an address that nothing else has";
            findings.add(format!("{field}.kind.peer"), peer, allowed);
        }
        if translate::port_v4(port).is_none() {
            findings.add(format!("{field}.addresses"), "no IPv4 address", "one on every link");
        }
        let PortKind::CoreLink { metric, adjacency_sid, .. } = port.kind else { continue };
        if config.role == Role::Site {
            findings.add(format!("{field}.kind"), "core_link", "on core routers only");
        }
        if !(1..0xff_ffff).contains(&metric) {
            findings.add(format!("{field}.kind.metric"), metric, "1 to 16777214");
        }
        let srlb = config.isis.as_ref().map(|isis| block(isis.srlb)).unwrap_or_default();
        if !srlb.contains(&adjacency_sid.value()) || !sids.insert(adjacency_sid) {
            let allowed = "a label of `isis.srlb` that no other port has";
            findings.add(format!("{field}.kind.adjacency_sid"), adjacency_sid, allowed);
        }
    }
}

fn check_neighbours(config: &RouterConfig, findings: &mut Findings) {
    let mut addresses = BTreeSet::new();
    for (index, neighbour) in config.neighbours.iter().enumerate() {
        let field = format!("neighbours[{index}]");
        // VRFs may have the same addresses.
        let realm = translate::neighbour_realm(config, neighbour);
        if !addresses.insert((realm, neighbour.local_address, neighbour.address)) {
            let allowed = "an address that no other neighbour has";
            findings.add(format!("{field}.address"), neighbour.address, allowed);
        }
        check_ends(config, neighbour, &field, findings);
        let (kind, role) = match neighbour.kind {
            NeighbourKind::Internal { .. } => ("internal", Role::Core),
            NeighbourKind::Site { .. } => ("site", Role::Core),
            NeighbourKind::Core { .. } => ("core", Role::Site),
            // A third party's router may be attached to either.
            NeighbourKind::Customer { .. } => ("customer", config.role),
        };
        if role != config.role {
            let allowed = "`internal` or `site` on a core router, `core` on a site router, `customer` on both";
            findings.add(format!("{field}.kind"), kind, allowed);
        }
        let internal = matches!(neighbour.kind, NeighbourKind::Internal { .. });
        if internal != (neighbour.as_number == config.as_number) {
            let allowed = "the own AS for an interior neighbour, another one for all others";
            findings.add(format!("{field}.as_number"), neighbour.as_number, allowed);
        }
    }
}

/// A third party's router is on the link of its attachment.
fn check_customer(
    config: &RouterConfig,
    neighbour: &Neighbour,
    (id, field): (PortId, &str),
    findings: &mut Findings,
) {
    let port = translate::port(config, id);
    let Some(port) = port.filter(|port| translate::port_vrf(port).is_some()) else {
        findings.add(format!("{field}.kind.port"), id, "the number of an attachment");
        return;
    };
    let local = IpAddr::V4(neighbour.local_address);
    let own = port.addresses.iter().find(|own| own.address == local);
    if own.is_none() {
        let allowed = "an address of the attachment";
        findings.add(format!("{field}.local_address"), neighbour.local_address, allowed);
    }
    let address = IpAddr::V4(neighbour.address);
    let is_own = port.addresses.iter().any(|own| own.address == address);
    let prefix = own.and_then(|own| Prefix::new(own.address, own.length));
    if is_own || prefix.is_some_and(|prefix| !prefix.contains(address)) {
        let allowed = "another's address, within the prefix of `local_address`";
        findings.add(format!("{field}.address"), neighbour.address, allowed);
    }
}

/// Who may reach a session follows from its ends: they must be those of the uplink or the attachment,
/// or loopbacks.
fn check_ends(config: &RouterConfig, neighbour: &Neighbour, field: &str, findings: &mut Findings) {
    let Some(id) = translate::neighbour_port(neighbour) else {
        let loopback = config.loopback.as_ref().map(|loopback| loopback.v4);
        if loopback != Some(neighbour.local_address) {
            let allowed = "the own loopback";
            findings.add(format!("{field}.local_address"), neighbour.local_address, allowed);
        }
        return;
    };
    if matches!(neighbour.kind, NeighbourKind::Customer { .. }) {
        return check_customer(config, neighbour, (id, field), findings);
    }
    let port = translate::port(config, id);
    let Some(port) = port.filter(|port| matches!(port.kind, PortKind::Uplink { .. })) else {
        findings.add(format!("{field}.kind.port"), id, "the number of an uplink port");
        return;
    };
    if translate::port_v4(port) != Some(neighbour.local_address) {
        let allowed = "the uplink's first IPv4 address";
        findings.add(format!("{field}.local_address"), neighbour.local_address, allowed);
    }
    if translate::port_peer(port) != Some(neighbour.address) {
        let allowed = "the address of the uplink's far end";
        findings.add(format!("{field}.address"), neighbour.address, allowed);
    }
}

fn check_vrfs(config: &RouterConfig, findings: &mut Findings) {
    let (mut names, mut rds) = (BTreeSet::new(), BTreeMap::new());
    for (id, vrf) in config.vrfs() {
        let field = format!("vrfs[{}]", id.0);
        if !names.insert(vrf.name.as_str()) {
            findings.add(format!("{field}.name"), &vrf.name, "a name that no other VRF has");
        }
        if vrf.rds.is_empty() {
            findings.add(format!("{field}.rds"), "nothing", "a distinguisher per neighbour");
        }
        for (position, rd) in vrf.rds.iter().enumerate() {
            let field = format!("{field}.rds[{position}]");
            let known = usize::try_from(rd.neighbour).is_ok_and(|n| n < config.neighbours.len());
            if !known {
                let allowed = "the number of a neighbour";
                findings.add(format!("{field}.neighbour"), rd.neighbour, allowed);
            }
            if *rds.entry(rd.rd).or_insert(id) != id {
                findings.add(format!("{field}.rd"), rd.rd, "one that no other VRF has");
            }
        }
        for (position, route) in vrf.export.iter().enumerate() {
            let attached = translate::port(config, route.port).is_some_and(
                |port| matches!(port.kind, PortKind::Attachment { vrf, .. } if vrf == id),
            );
            if !attached {
                let field = format!("{field}.export[{position}].port");
                findings.add(field, route.port, "an attachment of this VRF");
                continue;
            }
            let Some(next_hop) = route.next_hop else { continue };
            let own = translate::port(config, route.port).map_or(&[][..], |port| &port.addresses);
            let near = |own: &InterfaceAddress| {
                Prefix::new(own.address, own.length).is_some_and(|p| p.contains(next_hop))
            };
            let same_family = next_hop.is_ipv4() == route.prefix.addr().is_ipv4();
            let is_own = own.iter().any(|own| own.address == next_hop);
            if is_own || !same_family || !own.iter().any(near) {
                let field = format!("{field}.export[{position}].next_hop");
                let allowed = "another's address on the attachment, of the prefix's family";
                findings.add(field, next_hop, allowed);
            }
        }
    }
}
