//! Tests of the lane as a whole, against one router with every kind of port.
//!
//! ```text
//! port 0, 1  core links, neighbours 10.0.0.1 and 10.0.1.1
//! port 2, 3  uplinks, neighbours 10.0.2.1 and 10.0.3.1, a label space each
//! port 4, 5  attachments of vrf 0 (10.1.0.0/24, fd00:1::/64; 10.1.1.0/24 on a narrow link)
//! port 6     attachment of vrf 1 (10.2.0.0/24, fd00:2::/64)
//! port 7     core link through a tunnel
//! ```
//!
//! VRF 0 and VRF 1 are joined by one rule: hosts of vrf 0 use TCP 443 of 10.2.0.0/24.

mod answers;
mod drops;
mod fuzz;
mod hosts;
mod labels;
mod paths;
mod rules;
mod services;

use base::{Instant, Label, LabelSpace, MacAddr, PortId, Prefix, VrfId};
use packet::mpls::LabelEntry;
use packet::{PacketBuf, ethernet, ip, tcp, udp};
use std::net::IpAddr;

use crate::access::{Access, Role, Rule};
use crate::tables::{
    GlobalRoute, Hop, LabelAction, Medium, Path, Port, PortKind, Tables, Transport, TransportId,
    VrfRoute,
};
use crate::{DropReason, Forwarder, Verdict};

pub(super) const CORE: PortId = PortId(0);
pub(super) const CORE_B: PortId = PortId(1);
pub(super) const UPLINK: PortId = PortId(2);
pub(super) const UPLINK_B: PortId = PortId(3);
pub(super) const LAN: PortId = PortId(4);
pub(super) const NARROW_LAN: PortId = PortId(5);
pub(super) const OTHER_LAN: PortId = PortId(6);
pub(super) const TUNNEL: PortId = PortId(7);

/// To the core by port 0 under 16002, else by port 1 under 16003 and 16002.
pub(super) const TO_CORE: TransportId = TransportId(0);
/// To the site on port 2, without labels.
pub(super) const TO_SITE: TransportId = TransportId(1);
/// Penultimate hop: to the neighbour on port 0 without labels.
pub(super) const TO_NEIGHBOUR: TransportId = TransportId(2);
/// Nowhere: without hops.
pub(super) const TO_NOWHERE: TransportId = TransportId(3);
/// Through the tunnel under 16005.
pub(super) const TO_TUNNEL: TransportId = TransportId(4);

pub(super) fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(super) fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

pub(super) fn label(value: u32) -> Label {
    Label::new(value).unwrap()
}

pub(super) fn our_mac(port: PortId) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, u8::try_from(port.0).unwrap()])
}

pub(super) fn their_mac(port: PortId) -> MacAddr {
    MacAddr([2, 0, 0, 0, 1, u8::try_from(port.0).unwrap()])
}

pub(super) fn neighbour(port: PortId) -> IpAddr {
    address(&format!("10.0.{}.1", port.0))
}

fn port(id: PortId, kind: PortKind, v4: &str, v6: &[&str]) -> Port {
    Port {
        kind,
        medium: if id == TUNNEL { Medium::Gre } else { Medium::Ethernet },
        mac: our_mac(id),
        mtu: if id == NARROW_LAN { 600 } else { 1500 },
        mpls_mtu: 1540,
        up: true,
        v4: Some(v4.parse().unwrap()),
        v6: v6.iter().map(|text| text.parse().unwrap()).collect(),
    }
}

fn hop(port: PortId, labels: &[u32]) -> Hop {
    let labels = labels.iter().copied().map(label).collect();
    Hop { port, neighbour: neighbour(port), labels }
}

fn rule(role: Role) -> Rule {
    let (consumer, provider) =
        (vec![prefix("10.1.0.0/16")], vec![prefix("10.2.0.0/24"), prefix("10.9.0.0/16")]);
    let (local, remote) = match role {
        Role::Consumer => (consumer, provider),
        Role::Provider => (provider, consumer),
    };
    let name = "records/web".to_string();
    Rule { name, remote, local, protocol: tcp::PROTOCOL, ports: 443..=443, role }
}

fn set_ports(tables: &mut Tables) {
    let attachment = |vrf, sources: &[&str]| PortKind::Attachment {
        vrf: VrfId(vrf),
        sources: sources.iter().copied().map(prefix).collect(),
    };
    let uplink = |id| PortKind::Uplink { space: LabelSpace::Port(id), sources: None };
    tables.set_port(CORE, port(CORE, PortKind::Core, "10.0.0.0", &["fe80::1"]));
    tables.set_port(CORE_B, port(CORE_B, PortKind::Core, "10.0.1.0", &[]));
    tables.set_port(UPLINK, port(UPLINK, uplink(UPLINK), "10.0.2.0", &["fe80::1"]));
    tables.set_port(UPLINK_B, port(UPLINK_B, uplink(UPLINK_B), "10.0.3.0", &[]));
    let lan = attachment(0, &["10.1.0.0/24", "fd00:1::/64"]);
    tables.set_port(LAN, port(LAN, lan, "10.1.0.1", &["fe80::1", "fd00:1::1"]));
    let lan = attachment(0, &["10.1.1.0/24"]);
    tables.set_port(NARROW_LAN, port(NARROW_LAN, lan, "10.1.1.1", &[]));
    let lan = attachment(1, &["10.2.0.0/24", "fd00:2::/64"]);
    tables.set_port(OTHER_LAN, port(OTHER_LAN, lan, "10.2.0.1", &[]));
    tables.set_port(TUNNEL, port(TUNNEL, PortKind::Core, "10.0.7.0", &[]));
    for id in [CORE, CORE_B, UPLINK, UPLINK_B] {
        tables.set_neighbour(id, neighbour(id), Some(their_mac(id)));
    }
    for host in ["10.1.0.2", "fd00:1::2"] {
        tables.set_neighbour(LAN, address(host), Some(their_mac(LAN)));
    }
    tables.set_neighbour(NARROW_LAN, address("10.1.1.2"), Some(their_mac(NARROW_LAN)));
    tables.set_neighbour(OTHER_LAN, address("10.2.0.2"), Some(their_mac(OTHER_LAN)));
}

fn set_transports(tables: &mut Tables) {
    let transports = [
        (TO_CORE, vec![hop(CORE, &[16_002])], vec![hop(CORE_B, &[16_003, 16_002])]),
        (TO_SITE, vec![hop(UPLINK, &[3])], vec![]),
        (TO_NEIGHBOUR, vec![hop(CORE, &[])], vec![]),
        (TO_NOWHERE, vec![], vec![]),
        (TO_TUNNEL, vec![hop(TUNNEL, &[16_005])], vec![]),
    ];
    for (id, hops, backups) in transports {
        assert_eq!(tables.add_transport(), id);
        tables.set_transport(id, Transport { hops, backups });
    }
}

fn set_vrfs(tables: &mut Tables) {
    let remote = |labels: &[(u32, TransportId)]| VrfRoute::Remote {
        paths: labels.iter().map(|(value, via)| Path { label: label(*value), via: *via }).collect(),
    };
    let attached = |port| VrfRoute::Attached { port, neighbour: None };
    let access = |own: &[&str], role| Access {
        own: own.iter().copied().map(prefix).collect(),
        infrastructure: vec![prefix("10.0.0.0/16"), prefix("10.255.0.0/16")],
        rules: vec![rule(role)],
    };
    let (own, other) = (["10.1.0.0/16", "fd00:1::/48"], ["10.2.0.0/16", "fd00:2::/48"]);
    let gateway = |text: &str| Some(text.parse().unwrap());
    let gateway_v6 = Some("fd00:1::1".parse().unwrap());
    tables.set_vrf(VrfId(0), gateway("10.1.0.1"), gateway_v6, access(&own, Role::Consumer));
    tables.set_vrf(VrfId(1), gateway("10.2.0.1"), None, access(&other, Role::Provider));
    let routes = [
        (0, "10.1.0.0/24", attached(LAN)),
        (0, "10.1.0.1/32", VrfRoute::Local),
        (0, "fd00:1::/64", attached(LAN)),
        (0, "fd00:1::1/128", VrfRoute::Local),
        (0, "10.1.1.0/24", attached(NARROW_LAN)),
        (0, "10.1.2.0/24", remote(&[(24_001, TO_CORE)])),
        (0, "fd00:1:0:2::/64", remote(&[(24_001, TO_CORE)])),
        (0, "10.1.3.0/24", remote(&[(24_003, TO_NOWHERE)])),
        (0, "10.1.4.0/24", remote(&[(24_004, TO_SITE), (24_005, TO_CORE)])),
        (0, "10.1.5.0/24", remote(&[(0, TO_SITE)])),
        (0, "10.1.7.0/24", remote(&[(24_007, TO_TUNNEL)])),
        (0, "10.2.0.0/24", attached(OTHER_LAN)),
        (0, "10.9.0.0/16", remote(&[(24_009, TO_CORE)])),
        (1, "10.2.0.0/24", attached(OTHER_LAN)),
        (1, "10.2.0.1/32", VrfRoute::Local),
        (1, "10.1.0.0/24", attached(LAN)),
    ];
    for (vrf, text, route) in routes {
        tables.set_vrf_route(VrfId(vrf), prefix(text), route);
    }
}

fn set_labels(tables: &mut Tables) {
    let swap = |paths: &[(u32, TransportId)]| LabelAction::Swap {
        paths: paths.iter().map(|(value, via)| Path { label: label(*value), via: *via }).collect(),
    };
    let labels = [
        (LabelSpace::Platform, 16_001, LabelAction::Pop),
        (LabelSpace::Platform, 16_002, LabelAction::Transit(TO_CORE)),
        (LabelSpace::Platform, 16_004, LabelAction::Transit(TO_NEIGHBOUR)),
        (LabelSpace::Platform, 16_005, LabelAction::Transit(TO_TUNNEL)),
        (LabelSpace::Platform, 24_100, LabelAction::Vrf(VrfId(0))),
        (LabelSpace::Platform, 24_101, LabelAction::Vrf(VrfId(1))),
        (LabelSpace::Platform, 24_199, LabelAction::Vrf(VrfId(9))),
        (LabelSpace::Platform, 24_200, swap(&[(30_000, TO_SITE), (24_300, TO_CORE)])),
        (LabelSpace::Port(UPLINK), 24_500, swap(&[(24_600, TO_CORE)])),
        (LabelSpace::Port(UPLINK), 24_501, LabelAction::Vrf(VrfId(0))),
        (LabelSpace::Port(UPLINK_B), 24_502, swap(&[(24_600, TO_CORE)])),
    ];
    for (space, value, action) in labels {
        tables.set_label(space, label(value), action);
    }
}

/// The router's tables.
pub(super) fn tables() -> Tables {
    let mut tables = Tables::new();
    let loopback_v6 = Some("fd00:ff::1".parse().unwrap());
    tables.set_loopback(Some("10.255.0.1".parse().unwrap()), loopback_v6);
    set_ports(&mut tables);
    set_transports(&mut tables);
    set_vrfs(&mut tables);
    set_labels(&mut tables);
    let global = [
        ("10.255.0.1/32", GlobalRoute::Local),
        ("fd00:ff::1/128", GlobalRoute::Local),
        ("10.255.0.0/24", GlobalRoute::Via(TO_CORE)),
        ("fd00:ff::/64", GlobalRoute::Via(TO_CORE)),
        ("10.255.3.0/24", GlobalRoute::Via(TO_NOWHERE)),
        ("10.255.4.0/24", GlobalRoute::Via(TO_NEIGHBOUR)),
    ];
    for (text, route) in global {
        tables.set_global(prefix(text), route);
    }
    tables
}

/// The router.
pub(super) struct Bench {
    pub(super) tables: Tables,
    pub(super) lane: Forwarder,
    pub(super) now: Instant,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self { tables: tables(), lane: Forwarder::new(1), now: Instant::ZERO }
    }

    /// What becomes of a raw frame.
    pub(super) fn raw(&mut self, port: PortId, frame: &[u8]) -> Vec<Verdict> {
        let (mut batch, mut out) = (vec![(port, PacketBuf::from_slice(frame))], Vec::new());
        self.lane.forward(self.now, &self.tables, &mut batch, &mut out);
        assert!(batch.is_empty());
        out
    }

    /// What becomes of a packet that arrives in a right Ethernet frame.
    pub(super) fn receive(&mut self, port: PortId, bytes: &[u8]) -> Vec<Verdict> {
        self.raw(port, &frame(port, bytes))
    }

    /// What becomes of a labelled packet that arrives in a right Ethernet frame.
    pub(super) fn receive_labelled(
        &mut self,
        port: PortId,
        labels: &[(u32, u8)],
        bytes: &[u8],
    ) -> Vec<Verdict> {
        let packet = labelled(labels, bytes);
        self.raw(port, &frame_of(port, ethernet::TYPE_MPLS, &packet))
    }
}

pub(super) fn frame_of(port: PortId, kind: u16, bytes: &[u8]) -> Vec<u8> {
    let (destination, source) = (our_mac(port), their_mac(port));
    let kind = ethernet::Kind::Type(kind);
    let mut frame = ethernet::Header { destination, source, kind }.encode().to_vec();
    frame.extend(bytes);
    frame
}

pub(super) fn frame(port: PortId, bytes: &[u8]) -> Vec<u8> {
    let v6 = bytes.first().is_some_and(|first| first >> 4 == 6);
    frame_of(port, if v6 { ethernet::TYPE_IPV6 } else { ethernet::TYPE_IPV4 }, bytes)
}

/// A packet under labels, outermost first, each with its time to live.
pub(super) fn labelled(labels: &[(u32, u8)], bytes: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    for (index, (value, ttl)) in labels.iter().enumerate() {
        let bottom = index + 1 == labels.len();
        let entry = LabelEntry { label: label(*value), traffic_class: 3, bottom, ttl: *ttl };
        packet.extend(entry.encode());
    }
    packet.extend(bytes);
    packet
}

/// A UDP packet with this many octets of data, between ports 1000 and 2000.
pub(super) fn datagram(source: &str, destination: &str, ttl: u8, len: usize) -> Vec<u8> {
    let (source, destination) = (address(source), address(destination));
    let upper = udp::encode((source, 1000), (destination, 2000), &vec![0x55; len]);
    ip::encode((source, destination), udp::PROTOCOL, (0, ttl), &upper).unwrap()
}

/// A TCP segment with this many octets of data.
pub(super) fn segment(
    (source, source_port): (&str, u16),
    (destination, destination_port): (&str, u16),
    flags: tcp::Flags,
) -> Vec<u8> {
    let header = tcp::Header {
        source_port,
        destination_port,
        sequence: 1,
        acknowledgement: 0,
        flags,
        window: 100,
        checksum: 0,
        urgent: 0,
    };
    let pair = (address(source), address(destination));
    ip::encode(pair, tcp::PROTOCOL, (0, 64), &header.encode()).unwrap()
}

/// The same IPv4 packet without the wish not to be fragmented.
pub(super) fn fragmentable(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes[6] &= !0x40;
    packet::ipv4::refresh_checksum(&mut bytes);
    bytes
}

/// The one frame that was transmitted: its port, link type, labels and what is beneath them.
pub(super) fn sent(verdicts: &[Verdict]) -> (PortId, u16, Vec<LabelEntry>, Vec<u8>) {
    let [Verdict::Transmit { port, frame }] = verdicts else { panic!("{verdicts:?}") };
    let (kind, payload) = unframed(*port, frame);
    if kind != ethernet::TYPE_MPLS {
        return (*port, kind, Vec::new(), payload);
    }
    let (stack, beneath) = packet::mpls::decode_stack(&payload).unwrap();
    (*port, kind, stack, beneath.to_vec())
}

/// The link type and payload of a transmitted frame, its addresses checked.
pub(super) fn unframed(port: PortId, frame: &PacketBuf) -> (u16, Vec<u8>) {
    if port == TUNNEL {
        let (header, payload) = packet::gre::Header::decode(frame.bytes()).unwrap();
        return (header.protocol, payload.to_vec());
    }
    let (header, payload) = ethernet::Header::decode(frame.bytes()).unwrap();
    assert_eq!((header.source, header.destination), (our_mac(port), their_mac(port)));
    let ethernet::Kind::Type(kind) = header.kind else { panic!("{header:?}") };
    (kind, payload.to_vec())
}

/// The one reason for which a packet was dropped, whatever became of an error about it.
pub(super) fn reason(verdicts: &[Verdict]) -> DropReason {
    let drops = |arrived| {
        let matching = verdicts.iter().filter_map(move |verdict| match verdict {
            Verdict::Drop { port, reason } => (port.is_some() == arrived).then_some(*reason),
            Verdict::Transmit { .. } | Verdict::Punt { .. } | Verdict::Resolve { .. } => None,
        });
        matching.collect::<Vec<_>>()
    };
    match (&drops(true)[..], &drops(false)[..]) {
        ([reason], _) | ([], [reason]) => *reason,
        _ => panic!("{verdicts:?}"),
    }
}

/// Labels and times to live of a stack.
pub(super) fn values(stack: &[LabelEntry]) -> Vec<(u32, u8)> {
    stack.iter().map(|entry| (entry.label.value(), entry.ttl)).collect()
}
