//! The forwarding lane on a router with two virtual networks whose addresses overlap.
//!
//! Whatever arrives at one of them, nothing of it leaves towards the other: not the packet, not
//! an answer to it, not a question for a neighbour's address.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::{Instant, Label, LabelSpace, MacAddr, PortId, Prefix, VrfId};
use forwarding::access::{Access, Role, Rule};
use forwarding::{
    Forwarder, GlobalRoute, Hop, LabelAction, Medium, Path, Port, PortKind, Tables, Transport,
    Verdict, VrfRoute,
};
use packet::PacketBuf;

const CORE: PortId = PortId(0);
const TUNNEL: PortId = PortId(1);
const UPLINK: PortId = PortId(2);
const RED: PortId = PortId(3);
const BLUE: PortId = PortId(4);
const RED_TOO: PortId = PortId(5);

/// The Ethernet address of every port: what the seeds are addressed to.
const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
const NEIGHBOUR_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const NEIGHBOUR: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

/// Forwards a frame: the first octet says where it arrives (its low bits) and whether the core
/// link is down (its high bit), the rest is the frame.
pub(crate) fn frame(data: &[u8]) {
    let Some((first, frame)) = data.split_first() else { return };
    let port = PortId(u32::from(first & 0x7f) % 6);
    let mut tables = tables();
    tables.set_port_up(CORE, first & 0x80 == 0);
    let mut forwarder = Forwarder::new(1);
    let mut out = Vec::new();
    let mut batch = vec![(port, PacketBuf::from_slice(frame))];
    forwarder.forward(Instant::ZERO, &tables, &mut batch, &mut out);
    assert!(!out.is_empty(), "a frame vanished without a verdict");
    for verdict in &out {
        let left = match verdict {
            Verdict::Transmit { port, .. } | Verdict::Resolve { port, .. } => *port,
            Verdict::Punt { .. } | Verdict::Drop { .. } => continue,
        };
        assert!(!separate(port, left), "from {port:?} to {left:?}: {verdict:?}");
    }
}

/// Whether the two ports belong to different virtual networks. The uplink's labels are all red's.
fn separate(from: PortId, to: PortId) -> bool {
    let is_red = |port| matches!(port, RED | RED_TOO | UPLINK);
    is_red(from) && to == BLUE || from == BLUE && is_red(to)
}

fn prefix(text: &str) -> Prefix {
    text.parse().expect("a prefix")
}

fn port(number: u8, kind: PortKind, medium: Medium) -> Port {
    let v6 = Ipv6Addr::from([0xfe80, 0, 0, 0, 0, 0, 0, u16::from(number)]);
    let v4 = match kind {
        PortKind::Attachment { .. } => Ipv4Addr::new(10, 0, u8::from(number == 5), 1),
        PortKind::Core | PortKind::Uplink { .. } => Ipv4Addr::new(192, 0, 2, 128 + number),
    };
    Port { kind, medium, mac: MAC, mtu: 1500, mpls_mtu: 1600, up: true, v4: Some(v4), v6: vec![v6] }
}

fn attachment(vrf: u32, sources: &[&str]) -> PortKind {
    let sources = sources.iter().map(|text| prefix(text)).collect();
    PortKind::Attachment { vrf: VrfId(vrf), sources }
}

fn tables() -> Tables {
    let mut tables = Tables::new();
    let space = LabelSpace::Port(UPLINK);
    let kinds = [
        (CORE, PortKind::Core, Medium::Ethernet),
        (TUNNEL, PortKind::Core, Medium::Gre),
        (UPLINK, PortKind::Uplink { space, sources: None }, Medium::Ethernet),
        (RED, attachment(0, &["10.0.0.0/24", "fd00::/64"]), Medium::Ethernet),
        (BLUE, attachment(1, &["10.0.0.0/24", "fd00::/64"]), Medium::Ethernet),
        (RED_TOO, attachment(0, &["10.0.1.0/24"]), Medium::Ethernet),
    ];
    for (number, (id, kind, medium)) in (0..).zip(kinds) {
        tables.set_port(id, port(number, kind, medium));
    }
    tables.set_neighbour(CORE, NEIGHBOUR, Some(NEIGHBOUR_MAC));
    tables.set_neighbour(RED, Ipv4Addr::new(10, 0, 0, 2).into(), Some(NEIGHBOUR_MAC));
    tables.set_neighbour(BLUE, Ipv4Addr::new(10, 0, 0, 2).into(), Some(NEIGHBOUR_MAC));
    tables.set_loopback(Some(Ipv4Addr::new(192, 0, 2, 1)), None);
    routes(&mut tables);
    tables
}

fn routes(tables: &mut Tables) {
    let way = tables.add_transport();
    let hop = |port, label| Hop { port, neighbour: NEIGHBOUR, labels: vec![Label::masked(label)] };
    let transport = Transport { hops: vec![hop(CORE, 16_002)], backups: vec![hop(TUNNEL, 3)] };
    tables.set_transport(way, transport);
    let paths = |label| vec![Path { label: Label::masked(label), via: way }];

    tables.set_global(prefix("192.0.2.1/32"), GlobalRoute::Local);
    tables.set_global(prefix("192.0.2.9/32"), GlobalRoute::Via(way));
    for (vrf, lan) in [(VrfId(0), RED), (VrfId(1), BLUE)] {
        let gateway = (Some(Ipv4Addr::new(10, 0, 0, 1)), None);
        tables.set_vrf(vrf, gateway.0, gateway.1, access());
        let attached = VrfRoute::Attached { port: lan, neighbour: None };
        tables.set_vrf_route(vrf, prefix("10.0.0.0/24"), attached.clone());
        tables.set_vrf_route(vrf, prefix("fd00::/64"), attached);
        let remote = VrfRoute::Remote { paths: paths(300 + vrf.0) };
        tables.set_vrf_route(vrf, prefix("10.0.2.0/24"), remote);
        tables.set_vrf_route(vrf, prefix("10.0.0.1/32"), VrfRoute::Local);
        tables.set_label(LabelSpace::Platform, Label::masked(100 + vrf.0), LabelAction::Vrf(vrf));
    }
    let behind = Some(Ipv4Addr::new(10, 0, 1, 2).into());
    let attached = VrfRoute::Attached { port: RED_TOO, neighbour: behind };
    tables.set_vrf_route(VrfId(0), prefix("10.0.1.0/24"), attached);

    let platform = LabelSpace::Platform;
    tables.set_label(platform, Label::masked(16_001), LabelAction::Pop);
    tables.set_label(platform, Label::masked(16_002), LabelAction::Transit(way));
    for space in [platform, LabelSpace::Port(UPLINK)] {
        tables.set_label(space, Label::masked(102), LabelAction::Swap { paths: paths(400) });
    }
    tables.set_label(LabelSpace::Port(UPLINK), Label::masked(100), LabelAction::Vrf(VrfId(0)));
}

fn access() -> Access {
    Access {
        own: vec![prefix("10.0.0.0/16"), prefix("fd00::/48")],
        infrastructure: vec![prefix("192.0.2.0/24")],
        rules: vec![Rule {
            name: "records".to_owned(),
            remote: vec![prefix("172.16.0.0/24")],
            local: vec![prefix("10.0.0.0/24")],
            protocol: 6,
            ports: 443..=443,
            role: Role::Provider,
        }],
    }
}
