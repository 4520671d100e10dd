//! Configurations by hand: two core routers, and a site behind each.
//!
//! ```text
//!   site-1 ── core-1 ── core-2 ── site-2
//! ```

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use base::{
    AsNumber, Label, MacAddr, PortId, Prefix, RouteDistinguisher, RouteTarget, RouterId, SystemId,
    VrfId,
};
use model::config::{
    AcceptedRoute, Access, Bfd, Bgp, ExportedRoute, InterfaceAddress, Isis, LabelRange, Loopback,
    Medium, Neighbour, NeighbourKind, NeighbourRd, Port, PortKind, Role, RouterConfig, Vrf,
};

pub(crate) const TO_CORE: PortId = PortId(0);
pub(crate) const TO_SITE: PortId = PortId(1);
/// A second uplink of a core router, with nobody at its end.
pub(crate) const SPARE: PortId = PortId(2);
pub(crate) const UPLINK: PortId = PortId(0);
pub(crate) const LAN: PortId = PortId(1);
pub(crate) const LAN_B: PortId = PortId(2);

pub(crate) const REGION_AS: AsNumber = AsNumber(64_512);
const BFD: Bfd = Bfd { interval_ms: 50, multiplier: 3 };

pub(crate) fn prefix(text: &str) -> Prefix {
    text.parse().expect("a prefix")
}

pub(crate) fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn v4(text: &str) -> Ipv4Addr {
    text.parse().expect("an IPv4 address")
}

/// The Ethernet address of a port: core routers are 1 and 2, site routers 11 and 12.
pub(crate) const fn mac(router: u8, port: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, router, port])
}

pub(crate) const fn target(number: u32) -> RouteTarget {
    RouteTarget::with_as(64_512, number)
}

pub(crate) const fn rd(number: u32) -> RouteDistinguisher {
    RouteDistinguisher::with_as(64_512, number)
}

const fn labels(first: u32, count: u32) -> LabelRange {
    LabelRange { first: Label::masked(first), count }
}

fn port(name: &str, mac: MacAddr, addresses: &[(&str, u8)], kind: PortKind) -> Port {
    let own =
        |(text, length): &(&str, u8)| InterfaceAddress { address: address(text), length: *length };
    Port {
        name: name.to_owned(),
        medium: Medium::Ethernet,
        mac,
        mtu: 1512,
        addresses: addresses.iter().map(own).collect(),
        kind,
    }
}

/// An uplink of the /31 of that number, seen from the core (`near` 0) or from the site (1).
pub(crate) fn uplink(name: &str, mac: MacAddr, number: u8, near: u8) -> Port {
    let own = format!("100.64.{number}.{near}");
    let peer = Ipv4Addr::new(100, 64, number, 1 - near);
    port(name, mac, &[(&own, 31)], PortKind::Uplink { peer, bfd: BFD })
}

/// A LAN of a VRF, `10.{network}.{site}.0/24` and `fd00:{network}:{site}::/64`.
pub(crate) fn lan(name: &str, mac: MacAddr, vrf: u32, network: u8, site: u8) -> Port {
    let own = [format!("10.{network}.{site}.1"), format!("fd00:{network}:{site}::1")];
    let kind = PortKind::Attachment {
        vrf: VrfId(vrf),
        sources: lan_prefixes(network, site).to_vec(),
        hosts: None,
    };
    port(name, mac, &[(&own[0], 24), (&own[1], 64)], kind)
}

pub(crate) fn lan_prefixes(network: u8, site: u8) -> [Prefix; 2] {
    [prefix(&format!("10.{network}.{site}.0/24")), prefix(&format!("fd00:{network}:{site}::/64"))]
}

pub(crate) fn export(port: PortId, prefix: Prefix, to: RouteTarget) -> ExportedRoute {
    ExportedRoute { prefix, port, next_hop: None, targets: BTreeSet::from([to]) }
}

/// What is behind these LANs, announced with a route target.
pub(crate) fn exports(lans: &[(PortId, u8, u8)], to: RouteTarget) -> Vec<ExportedRoute> {
    let routes = lans.iter().flat_map(|&(port, network, site)| {
        lan_prefixes(network, site).map(|prefix| (port, prefix))
    });
    routes.map(|(port, prefix)| export(port, prefix, to)).collect()
}

pub(crate) fn vrf(name: &str, number: u32, export: Vec<ExportedRoute>) -> Vrf {
    Vrf {
        name: name.to_owned(),
        virtual_network: name.to_owned(),
        rds: vec![NeighbourRd { neighbour: 0, rd: rd(number) }],
        import: BTreeSet::from([target(1)]),
        export,
        access: Access {
            own: vec![prefix("10.0.0.0/8"), prefix("fd00::/16")],
            infrastructure: Vec::new(),
            rules: Vec::new(),
        },
    }
}

/// A site router as its core router sees it.
pub(crate) fn site_neighbour(site: u8, port: PortId) -> Neighbour {
    let routes = exports(&[(LAN, 1, site), (LAN_B, 2, site)], target(1));
    let accept = routes.into_iter().map(|route| AcceptedRoute {
        rd: rd(site.into()),
        prefix: route.prefix,
        targets: route.targets,
    });
    let mut accept: Vec<AcceptedRoute> = accept.collect();
    accept.sort();
    Neighbour {
        name: format!("site-{site}"),
        address: Ipv4Addr::new(100, 64, site, 1),
        local_address: Ipv4Addr::new(100, 64, site, 0),
        as_number: AsNumber(4_200_000_000 + u32::from(site)),
        passive: true,
        kind: NeighbourKind::Site {
            port,
            local_pref: 200,
            accept,
            max_routes: 16,
            send: BTreeSet::from([target(1)]),
        },
    }
}

/// Core router 1 or 2.
pub(crate) fn core(number: u8) -> RouterConfig {
    let other = 3 - number;
    let loopback = |router| Ipv4Addr::new(10, 255, 0, router);
    let own = format!("10.0.0.{}", number - 1);
    let link = PortKind::CoreLink {
        peer: Ipv4Addr::new(10, 0, 0, other - 1),
        metric: 10,
        adjacency_sid: Label::masked(15_000),
        bfd: BFD,
        shared_risks: Vec::new(),
    };
    RouterConfig {
        name: format!("core-{number}"),
        generation: 1,
        role: Role::Core,
        router_id: RouterId(loopback(number)),
        as_number: REGION_AS,
        loopback: Some(Loopback { v4: loopback(number), v4_sid: number.into(), v6: None }),
        ports: vec![
            port(&format!("to-core-{other}"), mac(number, 0), &[(&own, 31)], link),
            uplink(&format!("to-site-{number}"), mac(number, 1), number, 0),
            uplink("spare", mac(number, 2), 100 + number, 0),
        ],
        isis: Some(Isis {
            system_id: SystemId([0, 0, 0, 0, 0, number]),
            area: vec![0x49, 0, 1],
            srgb: labels(16_000, 1000),
            srlb: labels(15_000, 100),
            authentication: None,
            overload: false,
            hello_interval_ms: 1000,
            hello_multiplier: 3,
        }),
        labels: labels(24_000, 1000),
        bgp: Bgp { hold_time_s: 90, connect_retry_ms: 5000, cluster_id: None },
        neighbours: vec![
            Neighbour {
                name: format!("core-{other}"),
                address: loopback(other),
                local_address: loopback(number),
                as_number: REGION_AS,
                passive: number < other,
                kind: NeighbourKind::Internal { client: false },
            },
            site_neighbour(number, TO_SITE),
        ],
        vrfs: Vec::new(),
    }
}

/// Site router 1 or 2, with two LANs in one VRF.
pub(crate) fn site(number: u8) -> RouterConfig {
    let local_address = Ipv4Addr::new(100, 64, number, 1);
    let core = number.min(2);
    RouterConfig {
        name: format!("site-{number}"),
        generation: 1,
        role: Role::Site,
        router_id: RouterId(local_address),
        as_number: AsNumber(4_200_000_000 + u32::from(number)),
        loopback: None,
        ports: vec![
            uplink("uplink-1", mac(10 + number, 0), number, 1),
            lan("lan", mac(10 + number, 1), 0, 1, number),
            lan("lan-b", mac(10 + number, 2), 0, 2, number),
        ],
        isis: None,
        labels: labels(24_000, 1000),
        bgp: Bgp { hold_time_s: 90, connect_retry_ms: 5000, cluster_id: None },
        neighbours: vec![Neighbour {
            name: format!("core-{core}"),
            address: v4(&format!("100.64.{number}.0")),
            local_address,
            as_number: REGION_AS,
            passive: false,
            kind: NeighbourKind::Core { port: UPLINK, local_pref: 200, prepend: 0 },
        }],
        vrfs: vec![vrf(
            "vn-a",
            number.into(),
            exports(&[(LAN, 1, number), (LAN_B, 2, number)], target(1)),
        )],
    }
}
