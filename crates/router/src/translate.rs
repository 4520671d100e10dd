//! From the configuration of a router to the configuration of each of its parts.
//!
//! The protocol crates do not know [`model`]; this is the one place that knows both.

use core::net::{IpAddr, Ipv6Addr};
use std::collections::{BTreeMap, BTreeSet};

use base::{Duration, Ipv4Prefix, Label, MacAddr, Prefix};
use bgp::config::{Accept, CustomerFilter, Export, LabelBlock, NeighbourId, SiteFilter};
use bgp::route::{Family, VpnPrefix};
use model::config::{
    Authentication, AuthenticationAlgorithm, Bfd, HostService, Isis, LabelRange, Medium, Neighbour,
    NeighbourKind, NeighbourRd, Port, PortKind, RouterConfig, Vrf,
};

use crate::connection::{Ends, Reach};
use crate::numbers::Numbers;

/// How long a link-state PDU lives, and how long before it is made anew (ISO 10589 §7.3.21 allows
/// up to 65,535 s; a long life keeps a quiet network quiet).
const LSP_LIFETIME: Duration = Duration::from_secs(65_535);
const LSP_REFRESH: Duration = Duration::from_secs(65_000);
/// Path computation: soon after the first change, then held back so that a burst costs one run.
const SPF_DELAY: Duration = Duration::from_millis(20);
const SPF_HOLD: Duration = Duration::from_millis(200);

/// What an 802.3 frame holds, LLC header included, whatever longer packets of other protocols the
/// link may carry.
const LLC_FRAME_LEN_MAX: u16 = 1500;

/// The port of this number.
pub(crate) fn port(config: &RouterConfig, id: base::PortId) -> Option<&Port> {
    config.ports.get(usize::try_from(id.0).ok()?)
}

/// The name of the VRF at this place.
pub(crate) fn vrf_name(config: &RouterConfig, place: base::VrfId) -> Option<&str> {
    Some(config.vrfs.get(usize::try_from(place.0).ok()?)?.name.as_str())
}

pub(crate) fn bfd(port: base::PortId, bfd: Bfd) -> ::bfd::Config {
    ::bfd::Config {
        discriminator: port.0 + 1,
        desired_min_tx: bfd.interval(),
        required_min_rx: bfd.interval(),
        detect_multiplier: bfd.multiplier,
    }
}

/// The BFD parameters of a port, where it runs BFD.
pub(crate) const fn port_bfd(port: &Port) -> Option<Bfd> {
    match port.kind {
        PortKind::CoreLink { bfd, .. } | PortKind::Uplink { bfd, .. } => Some(bfd),
        PortKind::Attachment { .. } | PortKind::Unused => None,
    }
}

/// The far end of a link, where there is exactly one.
pub(crate) const fn port_peer(port: &Port) -> Option<core::net::Ipv4Addr> {
    match port.kind {
        PortKind::CoreLink { peer, .. } | PortKind::Uplink { peer, .. } => Some(peer),
        PortKind::Attachment { .. } | PortKind::Unused => None,
    }
}

/// The port's first IPv4 address.
pub(crate) fn port_v4(port: &Port) -> Option<core::net::Ipv4Addr> {
    port.addresses.iter().find_map(|address| match address.address {
        IpAddr::V4(v4) => Some(v4),
        IpAddr::V6(_) => None,
    })
}

/// The same with the prefix on the link.
pub(crate) fn port_v4_prefix(port: &Port) -> Option<(core::net::Ipv4Addr, Ipv4Prefix)> {
    port.addresses.iter().find_map(|own| match own.address {
        IpAddr::V4(v4) => Some((v4, Ipv4Prefix::new(v4, own.length)?)),
        IpAddr::V6(_) => None,
    })
}

/// A port's first IPv6 address that has a meaning beyond the link.
pub(crate) fn port_v6(port: &Port) -> Option<Ipv6Addr> {
    port.addresses.iter().find_map(|address| match address.address {
        IpAddr::V6(v6) if !v6.is_unicast_link_local() => Some(v6),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    })
}

const fn label_range(range: LabelRange) -> isis::LabelRange {
    isis::LabelRange { first: range.first, count: range.count }
}

fn authentication(authentication: &Authentication) -> isis::Authentication {
    isis::Authentication {
        algorithm: match authentication.algorithm {
            AuthenticationAlgorithm::HmacMd5 => isis::Algorithm::HmacMd5,
            AuthenticationAlgorithm::HmacSha256 => isis::Algorithm::HmacSha256,
        },
        key_id: authentication.key_id,
        key: authentication.key.clone().into_bytes(),
    }
}

fn circuits(config: &RouterConfig, isis: &Isis) -> Vec<isis::Circuit> {
    config
        .ports()
        .filter_map(|(id, port)| {
            let PortKind::CoreLink { metric, adjacency_sid, .. } = port.kind else { return None };
            let v6_link_local = port.addresses.iter().find_map(|address| match address.address {
                IpAddr::V6(v6) if v6.is_unicast_link_local() => Some(v6),
                IpAddr::V4(_) | IpAddr::V6(_) => None,
            });
            Some(isis::Circuit {
                port: id,
                v4: port_v4(port),
                v6_link_local,
                metric,
                mtu: port.mtu.min(LLC_FRAME_LEN_MAX),
                hello_interval: Duration::from_millis(isis.hello_interval_ms.into()),
                hello_multiplier: isis.hello_multiplier,
                adjacency_sid: Some(adjacency_sid),
            })
        })
        .collect()
}

/// The configuration of IS-IS; none on a site router.
pub(crate) fn isis(config: &RouterConfig) -> Option<isis::Config> {
    let isis = config.isis.as_ref()?;
    let mut loopbacks = Vec::new();
    if let Some(loopback) = &config.loopback {
        loopbacks.push(isis::Loopback {
            prefix: Prefix::host(loopback.v4.into()),
            sid_index: Some(loopback.v4_sid),
        });
        loopbacks.extend(
            loopback
                .v6
                .map(|v6| isis::Loopback { prefix: Prefix::host(v6.into()), sid_index: None }),
        );
    }
    Some(isis::Config {
        system_id: isis.system_id,
        area: isis.area.clone(),
        hostname: config.name.clone(),
        router_id: config.router_id,
        loopbacks,
        srgb: label_range(isis.srgb),
        srlb: label_range(isis.srlb),
        authentication: isis.authentication.as_ref().map(authentication),
        overload: isis.overload,
        lsp_lifetime: LSP_LIFETIME,
        lsp_refresh: LSP_REFRESH,
        spf_delay: SPF_DELAY,
        spf_hold: SPF_HOLD,
        circuits: circuits(config, isis),
    })
}

fn families(kind: &NeighbourKind) -> Vec<Family> {
    match kind {
        NeighbourKind::Internal { .. } => {
            vec![Family::VpnIpv4, Family::VpnIpv6, Family::RouteTargetConstrain]
        }
        NeighbourKind::Site { .. } | NeighbourKind::Core { .. } => {
            vec![Family::VpnIpv4, Family::VpnIpv6]
        }
        NeighbourKind::Customer { .. } => vec![Family::Ipv4Unicast, Family::Ipv6Unicast],
    }
}

/// The prefixes on a port's link.
fn on_link(port: &Port) -> Vec<Prefix> {
    port.addresses.iter().filter_map(|own| Prefix::new(own.address, own.length)).collect()
}

fn neighbour_kind(
    config: &RouterConfig,
    numbers: &Numbers,
    kind: &NeighbourKind,
) -> bgp::config::NeighbourKind {
    match kind {
        NeighbourKind::Internal { client } => {
            bgp::config::NeighbourKind::Internal { client: *client }
        }
        NeighbourKind::Site { port, local_pref, accept, max_routes, send } => {
            let accept = accept
                .iter()
                .map(|route| Accept {
                    key: VpnPrefix { rd: route.rd, prefix: route.prefix },
                    targets: route.targets.iter().copied().collect(),
                })
                .collect();
            bgp::config::NeighbourKind::Site(SiteFilter {
                port: *port,
                local_pref: *local_pref,
                accept,
                max_routes: usize::try_from(*max_routes).unwrap_or(usize::MAX),
                send: send.clone(),
            })
        }
        NeighbourKind::Core { local_pref, prepend, .. } => {
            bgp::config::NeighbourKind::Core { local_pref: *local_pref, prepend: *prepend }
        }
        NeighbourKind::Customer { port: id, accept, targets, max_routes } => {
            let attachment = port(config, *id);
            let vrf = attachment.and_then(port_vrf).and_then(|place| numbers.vrf_at(place));
            let vrf = vrf.unwrap_or(base::VrfId(u32::MAX));
            bgp::config::NeighbourKind::Customer(CustomerFilter {
                vrf,
                accept: accept.clone(),
                targets: targets.clone(),
                max_routes: usize::try_from(*max_routes).unwrap_or(usize::MAX),
                local_v6: attachment.and_then(port_v6),
                on_link: attachment.map(on_link).unwrap_or_default(),
            })
        }
    }
}

fn neighbour(
    config: &RouterConfig,
    numbers: &Numbers,
    (id, neighbour): (NeighbourId, &Neighbour),
) -> bgp::config::Neighbour {
    bgp::config::Neighbour {
        id,
        name: neighbour.name.clone(),
        address: neighbour.address.into(),
        local_address: neighbour.local_address.into(),
        as_number: neighbour.as_number,
        families: families(&neighbour.kind),
        passive: neighbour.passive,
        kind: neighbour_kind(config, numbers, &neighbour.kind),
    }
}

fn vrf(numbers: &Numbers, (id, vrf): (base::VrfId, &Vrf)) -> Option<bgp::config::Vrf> {
    let towards = |rd: &NeighbourRd| Some((numbers.neighbour_at(rd.neighbour)?, rd.rd));
    let rds: BTreeMap<NeighbourId, _> = vrf.rds.iter().filter_map(towards).collect();
    let rd = vrf.rds.first()?.rd;
    let export = vrf
        .export
        .iter()
        .map(|route| Export { prefix: route.prefix, targets: route.targets.clone() })
        .collect();
    let (name, import) = (vrf.name.clone(), vrf.import.clone());
    Some(bgp::config::Vrf { id, name, label: None, import, export, rds, rd })
}

/// The configuration of BGP.
pub(crate) fn bgp(config: &RouterConfig, numbers: &Numbers) -> bgp::config::Config {
    let last = config.labels.first.value().saturating_add(config.labels.count.saturating_sub(1));
    bgp::config::Config {
        as_number: config.as_number,
        router_id: config.router_id,
        cluster_id: config.bgp.cluster_id,
        hold_time: config.bgp.hold_time_s,
        connect_retry: Duration::from_millis(config.bgp.connect_retry_ms.into()),
        local_address: config.loopback.as_ref().map(|loopback| loopback.v4),
        labels: LabelBlock {
            first: config.labels.first,
            last: Label::new(last).unwrap_or(Label::MAX),
        },
        neighbours: numbers.neighbours(config).map(|one| neighbour(config, numbers, one)).collect(),
        vrfs: numbers.vrfs(config).filter_map(|one| vrf(numbers, one)).collect(),
    }
}

/// The TCP ends of a neighbour's session.
pub(crate) const fn ends(neighbour: &Neighbour) -> Ends {
    Ends {
        local: neighbour.local_address,
        remote: neighbour.address,
        passive: neighbour.passive,
        reach: match neighbour.kind {
            NeighbourKind::Internal { .. } => Reach::Core,
            NeighbourKind::Site { .. } | NeighbourKind::Core { .. } => Reach::Link,
            NeighbourKind::Customer { .. } => Reach::Lan,
        },
    }
}

/// The place of a port's VRF; none where it is the region's.
pub(crate) const fn port_vrf(port: &Port) -> Option<base::VrfId> {
    match port.kind {
        PortKind::Attachment { vrf, .. } => Some(vrf),
        PortKind::CoreLink { .. } | PortKind::Uplink { .. } | PortKind::Unused => None,
    }
}

/// What a port does for its hosts.
pub(crate) const fn port_hosts(port: &Port) -> Option<&HostService> {
    match &port.kind {
        PortKind::Attachment { hosts, .. } => hosts.as_ref(),
        PortKind::CoreLink { .. } | PortKind::Uplink { .. } | PortKind::Unused => None,
    }
}

/// The address that an attachment with IPv6 has on its link alone (RFC 4291 §2.1, §2.5.6): the one
/// that is configured, or the one made of its Ethernet address (appendix A).
pub(crate) fn port_link_local(port: &Port) -> Option<core::net::Ipv6Addr> {
    let mut own = port.addresses.iter().filter_map(|own| match own.address {
        IpAddr::V6(v6) => Some(v6),
        IpAddr::V4(_) => None,
    });
    let first = own.next().filter(|_| port_vrf(port).is_some())?;
    let configured = core::iter::once(first).chain(own).find(Ipv6Addr::is_unicast_link_local);
    let MacAddr([a, b, c, d, e, f]) = port.mac;
    let made = || {
        let [w, x, y, z] = [[a ^ 0x02, b], [c, 0xff], [0xfe, d], [e, f]].map(u16::from_be_bytes);
        Ipv6Addr::new(0xfe80, 0, 0, 0, w, x, y, z)
    };
    let made = (port.medium == Medium::Ethernet).then(made);
    configured.or(made)
}

/// A port's addresses, the one that is made of its Ethernet address included.
pub(crate) fn port_addresses(port: &Port) -> Vec<IpAddr> {
    let mut addresses: Vec<IpAddr> = port.addresses.iter().map(|own| own.address).collect();
    if let Some(link_local) = port_link_local(port).map(IpAddr::V6)
        && !addresses.contains(&link_local)
    {
        addresses.push(link_local);
    }
    addresses
}

/// Where a neighbour's session is: the place of its attachment's VRF, or the region's own table.
pub(crate) fn neighbour_realm(config: &RouterConfig, neighbour: &Neighbour) -> Option<base::VrfId> {
    port_vrf(port(config, neighbour_port(neighbour)?)?)
}

/// The port that a neighbour is on; none for interior neighbours.
pub(crate) const fn neighbour_port(neighbour: &Neighbour) -> Option<base::PortId> {
    match neighbour.kind {
        NeighbourKind::Site { port, .. }
        | NeighbourKind::Core { port, .. }
        | NeighbourKind::Customer { port, .. } => Some(port),
        NeighbourKind::Internal { .. } => None,
    }
}

/// Every address of a router's own, for what is global to the region.
pub(crate) fn own_addresses(config: &RouterConfig) -> BTreeSet<IpAddr> {
    let mut own: BTreeSet<IpAddr> = config
        .ports
        .iter()
        .filter(|port| matches!(port.kind, PortKind::CoreLink { .. } | PortKind::Uplink { .. }))
        .flat_map(|port| port.addresses.iter().map(|address| address.address))
        .collect();
    if let Some(loopback) = &config.loopback {
        own.insert(loopback.v4.into());
        own.extend(loopback.v6.map(IpAddr::V6));
    }
    own
}
