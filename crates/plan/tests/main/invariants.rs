//! What holds in every plan.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

use base::{Label, PortId, Prefix, RouteTarget, VrfId};
use model::config::{
    AcceptedRoute, InterfaceAddress, Neighbour, NeighbourKind, Port, PortKind, Role, RouterConfig,
};
use model::plan::{Link, LinkEnd, LinkKind, Plan};

type Routers<'a> = BTreeMap<&'a str, &'a RouterConfig>;

/// Panics with the first thing that is wrong.
pub(crate) fn check(plan: &Plan) {
    let routers: Routers<'_> =
        plan.routers.iter().map(|router| (router.name.as_str(), router)).collect();
    assert_eq!(routers.len(), plan.routers.len(), "router names are unique");
    check_identifiers(plan);
    check_sessions(plan, &routers);
    check_links(plan, &routers);
    for router in &plan.routers {
        check_ports(router);
        check_accepted(router, &routers);
        check_customers(router);
        check_hosts(router, plan);
    }
    check_exports(plan);
    check_promises(plan, &routers);
}

fn unique<T: Ord + core::fmt::Debug>(what: &str, items: impl Iterator<Item = T>) {
    let mut seen = BTreeSet::new();
    for item in items {
        assert!(!seen.contains(&item), "{what} {item:?} is given twice");
        seen.insert(item);
    }
}

fn check_identifiers(plan: &Plan) {
    let routers = || plan.routers.iter();
    unique("router id", routers().map(|router| router.router_id));
    unique("MAC", routers().flat_map(|router| router.ports.iter().map(|port| port.mac)));
    let loopbacks = || routers().filter_map(|router| router.loopback.as_ref());
    unique("SID", loopbacks().map(|loopback| loopback.v4_sid));
    unique("system id", routers().filter_map(|router| Some(router.isis.as_ref()?.system_id)));
    let sites = routers().filter(|router| router.role == Role::Site);
    unique("AS number", sites.map(|router| router.as_number));
    let vrfs = || routers().flat_map(|router| &router.vrfs);
    unique("distinguisher", vrfs().flat_map(|vrf| vrf.rds.iter().map(|rd| rd.rd)));
    let own = loopbacks().map(|loopback| loopback.v4.into());
    let links = routers().flat_map(|router| &router.ports).filter(|port| !is_lan(port));
    let links = links.flat_map(|port| port.addresses.iter().map(|address| address.address));
    unique("infrastructure address", own.chain(links));
}

fn is_lan(port: &Port) -> bool {
    matches!(port.kind, PortKind::Attachment { .. })
}

fn is_customer(neighbour: &Neighbour) -> bool {
    matches!(neighbour.kind, NeighbourKind::Customer { .. })
}

fn check_sessions(plan: &Plan, routers: &Routers<'_>) {
    for router in &plan.routers {
        unique("neighbour", router.neighbours.iter().map(|neighbour| neighbour.name.as_str()));
        for neighbour in router.neighbours.iter().filter(|neighbour| !is_customer(neighbour)) {
            let name = &neighbour.name;
            let Some(far) = routers.get(name.as_str()) else { panic!("no router `{name}`") };
            let Some(back) = far.neighbours.iter().find(|back| back.name == router.name) else {
                panic!("`{name}` does not know `{}`", router.name)
            };
            assert_eq!(neighbour.address, back.local_address, "{name}");
            assert_eq!(neighbour.local_address, back.address, "{name}");
            assert_eq!(neighbour.as_number, far.as_number, "{name}");
            assert_ne!(neighbour.passive, back.passive, "one end of {name} connects");
            check_kinds(router, neighbour, far, back);
        }
    }
}

fn check_kinds(router: &RouterConfig, near: &Neighbour, far: &RouterConfig, back: &Neighbour) {
    match (&near.kind, &back.kind) {
        (NeighbourKind::Internal { client }, NeighbourKind::Internal { client: back_client }) => {
            assert!(!(*client && *back_client), "clients of each other");
            assert!(!*client || router.bgp.cluster_id == Some(router.router_id));
            let local = router.loopback.as_ref().map(|loopback| loopback.v4);
            assert_eq!(local, Some(near.local_address));
        }
        (
            NeighbourKind::Site { port, local_pref, .. },
            NeighbourKind::Core { port: back_port, local_pref: back_pref, .. },
        ) => {
            assert!(near.passive, "the core waits");
            assert_eq!(local_pref, back_pref);
            assert_uplink(router, *port, near);
            assert_uplink(far, *back_port, back);
        }
        (NeighbourKind::Core { .. }, NeighbourKind::Site { .. }) => {}
        other => panic!("{} and {}: {other:?}", router.name, far.name),
    }
}

fn port(router: &RouterConfig, id: PortId) -> &Port {
    match router.ports().find(|(port, _)| *port == id) {
        Some((_, port)) => port,
        None => panic!("`{}` has no {id}", router.name),
    }
}

/// The session runs between the addresses of its uplink.
fn assert_uplink(router: &RouterConfig, id: PortId, neighbour: &Neighbour) {
    let port = port(router, id);
    let PortKind::Uplink { peer, .. } = port.kind else { panic!("{} is no uplink", port.name) };
    assert_eq!(peer, neighbour.address);
    let local = InterfaceAddress { address: neighbour.local_address.into(), length: 31 };
    assert_eq!(port.addresses, [local]);
}

fn check_links(plan: &Plan, routers: &Routers<'_>) {
    unique("link", plan.links.iter().map(|link| link.name.as_str()));
    unique("end", plan.links.iter().flat_map(|link| &link.ends));
    for link in &plan.links {
        let ends = link.ends.each_ref().map(|end| end_port(end, routers));
        let [a, b] = ends;
        assert_eq!((a.medium, a.mtu, b.medium), (b.medium, b.mtu, link.medium), "{}", link.name);
        check_link_kind(link, a, b);
        check_link_kind(link, b, a);
    }
    let linked: BTreeSet<&LinkEnd> = plan.links.iter().flat_map(|link| &link.ends).collect();
    for router in &plan.routers {
        for (id, port) in router.ports() {
            let end = LinkEnd { router: router.name.clone(), port: id };
            let link = matches!(port.kind, PortKind::CoreLink { .. } | PortKind::Uplink { .. });
            assert_eq!(link, linked.contains(&end), "{} of {}", port.name, router.name);
        }
    }
}

fn end_port<'a>(end: &LinkEnd, routers: &Routers<'a>) -> &'a Port {
    match routers.get(end.router.as_str()) {
        Some(router) => port(router, end.port),
        None => panic!("no router `{}`", end.router),
    }
}

fn check_link_kind(link: &Link, near: &Port, far: &Port) {
    let address = |port: &Port| port.addresses.first().map(|address| address.address);
    let subnet = |port: &Port| address(port).and_then(|address| Prefix::new(address, 31));
    assert_eq!(subnet(near), subnet(far), "{}", link.name);
    assert_ne!(address(near), address(far), "{}", link.name);
    match (&near.kind, &far.kind) {
        (
            PortKind::CoreLink { peer, metric, bfd, shared_risks, .. },
            PortKind::CoreLink { metric: far_metric, bfd: far_bfd, .. },
        ) => {
            assert_eq!(link.kind, LinkKind::Core);
            assert_eq!((metric, bfd), (far_metric, far_bfd));
            assert_eq!(*shared_risks, link.shared_risks);
            assert_eq!(Some((*peer).into()), address(far));
        }
        (PortKind::Uplink { peer, bfd }, PortKind::Uplink { bfd: far_bfd, .. }) => {
            assert_eq!(link.kind, LinkKind::Uplink);
            assert_eq!(bfd, far_bfd);
            assert_eq!(Some((*peer).into()), address(far));
        }
        other => panic!("{}: {other:?}", link.name),
    }
}

fn check_ports(router: &RouterConfig) {
    unique("port name", router.ports.iter().map(|port| port.name.as_str()));
    for (id, port) in router.ports() {
        match &port.kind {
            PortKind::Attachment { vrf, sources, .. } => {
                assert!(router.vrfs().any(|(known, _)| known == *vrf));
                for address in &port.addresses {
                    assert!(sources.iter().any(|source| source.contains(address.address)));
                }
            }
            PortKind::CoreLink { adjacency_sid, .. } => {
                assert_eq!(Some(*adjacency_sid), Label::new(15_000 + id.0));
            }
            PortKind::Uplink { .. } | PortKind::Unused => {}
        }
    }
}

/// What a core router accepts is what the site announces to it, no more and no less.
fn check_accepted(core: &RouterConfig, routers: &Routers<'_>) {
    for neighbour in &core.neighbours {
        let NeighbourKind::Site { accept, max_routes, send, .. } = &neighbour.kind else {
            continue;
        };
        let Some(site) = routers.get(neighbour.name.as_str()) else { panic!("no site") };
        let position = site.neighbours.iter().position(|back| back.name == core.name);
        let mut announced = BTreeSet::new();
        for (id, vrf) in site.vrfs() {
            let towards = |rd: u32| usize::try_from(rd).ok() == position;
            let Some(rd) = vrf.rds.iter().find(|rd| towards(rd.neighbour)) else {
                panic!("no distinguisher")
            };
            let mut add = |prefix, targets: &BTreeSet<RouteTarget>| {
                announced.insert(AcceptedRoute { rd: rd.rd, prefix, targets: targets.clone() });
            };
            vrf.export.iter().for_each(|route| add(route.prefix, &route.targets));
            heard(site).filter(|(of, ..)| *of == id).for_each(|(_, prefix, t)| add(prefix, t));
        }
        let accepted: BTreeSet<AcceptedRoute> = accept.iter().cloned().collect();
        assert_eq!(accepted, announced, "{} at {}", neighbour.name, core.name);
        assert!(usize::try_from(*max_routes).is_ok_and(|most| most >= accept.len()));
        let import: BTreeSet<RouteTarget> =
            site.vrfs.iter().flat_map(|vrf| vrf.import.iter().copied()).collect();
        assert_eq!(*send, import);
    }
}

/// What third parties' routers may announce, with the VRF it comes into.
fn heard(
    site: &RouterConfig,
) -> impl Iterator<Item = (VrfId, Prefix, &BTreeSet<RouteTarget>)> + '_ {
    site.neighbours.iter().flat_map(move |neighbour| {
        let NeighbourKind::Customer { port: id, accept, targets, .. } = &neighbour.kind else {
            return Vec::new();
        };
        let PortKind::Attachment { vrf, .. } = port(site, *id).kind else {
            panic!("{} is on no LAN", neighbour.name)
        };
        accept.iter().map(|prefix| (vrf, *prefix, targets)).collect()
    })
}

/// A third party's router is a host of its LAN, after the uplinks, and what may come from it belongs
/// to the virtual network and to no LAN.
fn check_customers(router: &RouterConfig) {
    let first = router.neighbours.iter().position(is_customer);
    let behind = first.map_or(&[][..], |first| router.neighbours.split_at(first).1);
    for neighbour in behind {
        let NeighbourKind::Customer { port: id, accept, targets, max_routes } = &neighbour.kind
        else {
            panic!("{} comes after a third party's router", neighbour.name)
        };
        let port = port(router, *id);
        let PortKind::Attachment { vrf, sources, .. } = &port.kind else {
            panic!("{} is no LAN", port.name)
        };
        let Some((_, vrf)) = router.vrfs().find(|(id, _)| id == vrf) else { panic!("no VRF") };
        let lans: Vec<_> =
            port.addresses.iter().filter_map(|a| Prefix::new(a.address, a.length)).collect();
        assert!(port.addresses.iter().any(|own| own.address == neighbour.local_address));
        assert!(port.addresses.iter().all(|own| own.address != neighbour.address));
        assert!(lans.iter().any(|lan| lan.contains(neighbour.address.into())));
        assert_ne!(neighbour.as_number, router.as_number);
        assert!(!neighbour.passive && !targets.is_empty() && !accept.is_empty());
        assert!(usize::try_from(*max_routes).is_ok_and(|most| most >= accept.len()));
        for prefix in accept {
            assert!(sources.contains(prefix), "{prefix} may enter");
            assert!(vrf.access.own.iter().any(|own| own.covers(*prefix)), "{prefix} is own");
            let mut known = lans.iter().copied().chain(vrf.export.iter().map(|r| r.prefix));
            assert!(!known.any(|other| other.overlaps(*prefix)), "{prefix} is a LAN's");
            let lan = vrf.export.iter().find(|route| lans.contains(&route.prefix));
            assert_eq!(lan.map(|route| &route.targets), Some(targets), "as the LAN's");
        }
    }
}

/// Addresses are lent from within the LAN, and nobody has them for good.
fn check_hosts(router: &RouterConfig, plan: &Plan) {
    for (id, port) in router.ports() {
        let PortKind::Attachment { hosts, .. } = &port.kind else { continue };
        let Some(hosts) = hosts else { panic!("{} does nothing for hosts", port.name) };
        assert!(hosts.advertise, "every LAN has a /64");
        let Some(pool) = hosts.dhcp else { continue };
        assert!(pool.first <= pool.last && pool.lease_s > 0);
        let lent = |address: IpAddr| match address {
            IpAddr::V4(address) => (pool.first..=pool.last).contains(&address),
            IpAddr::V6(_) => false,
        };
        let Some(lan) = port.addresses.iter().find(|own| own.address.is_ipv4()) else {
            panic!("{} has no IPv4", port.name)
        };
        let Some(prefix) = Prefix::new(lan.address, lan.length) else { panic!("no prefix") };
        assert!(prefix.contains(pool.first.into()) && prefix.contains(pool.last.into()));
        assert!(!lent(lan.address) && !lent(prefix.addr()));
        let past = pool.last.to_bits().checked_add(1).map(|bits| IpAddr::V4(bits.into()));
        assert!(past.is_some_and(|past| prefix.contains(past)), "the last one is broadcast");
        let Some(attachment) = plan
            .attachments
            .iter()
            .find(|attachment| attachment.router == router.name && attachment.port == id)
        else {
            panic!("no promise of {}", port.name)
        };
        let network = &attachment.virtual_network;
        let applications = plan.applications.iter().filter(|a| a.virtual_network == *network);
        for address in applications.flat_map(|application| &application.addresses) {
            assert!(!lent(*address), "{address} is an application's");
        }
        let customers = router.neighbours.iter().filter(
            |other| matches!(other.kind, NeighbourKind::Customer { port, .. } if port == id),
        );
        assert!(!customers.map(|other| other.address.into()).any(lent));
    }
}

/// No prefix is exported twice in a virtual network, and no two networks share a target.
fn check_exports(plan: &Plan) {
    let mut prefixes = BTreeSet::new();
    let mut common: BTreeMap<&str, BTreeSet<RouteTarget>> = BTreeMap::new();
    for vrf in plan.routers.iter().flat_map(|router| &router.vrfs) {
        for route in &vrf.export {
            let network = vrf.virtual_network.as_str();
            assert!(prefixes.insert((network, route.prefix)), "{} twice", route.prefix);
            let targets = common.entry(network).or_insert_with(|| route.targets.clone());
            targets.retain(|target| route.targets.contains(target));
            assert!(vrf.access.own.iter().any(|own| own.covers(route.prefix)));
        }
    }
    for router in &plan.routers {
        for (id, prefix, targets) in heard(router) {
            let Some((_, vrf)) = router.vrfs().find(|(of, _)| *of == id) else { panic!("no VRF") };
            let network = vrf.virtual_network.as_str();
            assert!(prefixes.insert((network, prefix)), "{prefix} twice");
            common.entry(network).or_default().retain(|target| targets.contains(target));
        }
    }
    let imported = |network: &str, target: &RouteTarget| {
        let vrfs = plan.routers.iter().flat_map(|router| &router.vrfs);
        vrfs.filter(|vrf| vrf.virtual_network == network).all(|vrf| vrf.import.contains(target))
    };
    // A network's own target is what all its routes carry and all its VRFs import.
    for (network, targets) in &mut common {
        targets.retain(|target| imported(network, target));
        assert_eq!(targets.len(), 1, "{network} has one target of its own: {targets:?}");
    }
    unique("target", common.values().flatten());
}

/// The promises, which come another way, fit the configurations.
fn check_promises(plan: &Plan, routers: &Routers<'_>) {
    let lans = plan.routers.iter().flat_map(|router| &router.ports).filter(|port| is_lan(port));
    assert_eq!(lans.count(), plan.attachments.len());
    for attachment in &plan.attachments {
        let end = LinkEnd { router: attachment.router.clone(), port: attachment.port };
        let port = end_port(&end, routers);
        let PortKind::Attachment { vrf, .. } = port.kind else { panic!("{} is no LAN", port.name) };
        let router = routers.get(attachment.router.as_str());
        let vrf = router.and_then(|r| r.vrfs().find(|(id, _)| *id == vrf)).map(|(_, vrf)| vrf);
        let Some(vrf) = vrf else { panic!("no VRF") };
        assert_eq!(vrf.virtual_network, attachment.virtual_network);
        let addresses: Vec<_> = port.addresses.iter().map(|address| address.address).collect();
        assert_eq!(addresses, attachment.gateways);
        for prefix in &attachment.prefixes {
            let exported = vrf.export.iter().find(|route| route.prefix == *prefix);
            assert_eq!(exported.map(|route| route.port), Some(attachment.port));
        }
    }
    for site in &plan.sites {
        let uplinks = plan
            .links
            .iter()
            .filter(|link| link.ends.last().is_some_and(|end| end.router == site.router));
        assert_eq!(uplinks.count(), 1 + usize::from(site.resilient), "{}", site.code);
    }
    for application in &plan.applications {
        for address in &application.addresses {
            let host = Prefix::host(*address);
            let mut vrfs = plan.routers.iter().flat_map(|router| &router.vrfs);
            let exported = vrfs.any(|vrf| {
                vrf.virtual_network == application.virtual_network
                    && vrf.export.iter().any(|route| route.prefix == host)
            });
            assert!(exported, "{} is not announced", application.name);
        }
    }
}
