//! The tables of a site router: the routes of its VRFs.

use core::cmp::Reverse;
use core::net::Ipv4Addr;
use std::collections::BTreeMap;

use base::{LabelSpace, Prefix, RouteDistinguisher, RouterId, VrfId};
use model::config::{self, PortKind, RouterConfig};
use model::tables::{self, LabelAction, LabelEntry, Path, RouterTables, VrfEntry, VrfRoute};

use super::announced::{Announced, Bundle, Uplink, exports, vrf_label};
use super::core_router::{Transports, over, own_addresses};
use super::net::Net;

/// What a way is chosen by: the first is the best.
type Rank = (Reverse<u32>, u32, RouterId, Ipv4Addr, RouteDistinguisher);

/// A way to what a bundle announces.
#[derive(Debug, Clone, Copy)]
struct Way {
    rank: Rank,
    path: Path,
}

/// An uplink of the site: its number, itself, its transport, and who is at the other end.
type Own<'u, 'a> = (usize, &'u Uplink<'a>, u32, RouterId);

pub(super) fn tables(
    net: &Net<'_>,
    announced: &Announced<'_>,
    (place, config): (usize, &RouterConfig),
) -> RouterTables {
    let mut transports = Transports::default();
    let mut own = Vec::new();
    for (number, uplink) in announced.uplinks_of(place) {
        let via = transports.add(over(uplink.site_port, uplink.core_address.into()));
        let Some(core) = net.config(uplink.core_place) else { continue };
        own.push((number, uplink, via, core.router_id));
    }
    let label = |(id, _): (VrfId, &config::Vrf)| {
        let (space, action) = (LabelSpace::Platform, LabelAction::Vrf(id));
        Some(LabelEntry { space, label: vrf_label(config, place, id)?, action })
    };
    let mut labels: Vec<_> = config.vrfs().filter_map(label).collect();
    labels.sort_unstable_by_key(|entry| (entry.space, entry.label));
    let vrf = |(id, vrf): (VrfId, &config::Vrf)| tables::Vrf {
        id,
        name: vrf.name.clone(),
        own: vrf.access.own.clone(),
        infrastructure: vrf.access.infrastructure.clone(),
        rules: vrf.access.rules.iter().map(rule).collect(),
        routes: routes(announced, (place, config), (id, vrf), &own),
    };
    RouterTables {
        router: config.name.clone(),
        generation: config.generation,
        ports: net.ports(place),
        vrfs: config.vrfs().map(vrf).collect(),
        labels,
        global: own_addresses(Some(config)),
        transports: transports.finish(),
    }
}

fn rule(rule: &config::AccessRule) -> tables::Rule {
    tables::Rule {
        name: format!("{}/{}", rule.community, rule.application),
        side: rule.side,
        local: rule.local.clone(),
        remote: rule.remote.clone(),
        protocol: rule.protocol,
        port_first: rule.port_first,
        port_last: rule.port_last,
    }
}

/// What is attached to a VRF, or heard from routers in it: it goes before what comes from afar.
fn attached(config: &RouterConfig, id: VrfId, vrf: &config::Vrf) -> BTreeMap<Prefix, VrfRoute> {
    let mut all = BTreeMap::new();
    for (port, own) in config.ports() {
        if !matches!(own.kind, PortKind::Attachment { vrf, .. } if vrf == id) {
            continue;
        }
        for address in own.addresses.iter().filter(|own| !is_link_local(own.address)) {
            let route = VrfRoute::Attached { port, neighbour: None };
            all.extend(Prefix::new(address.address, address.length).map(|prefix| (prefix, route)));
            all.insert(Prefix::host(address.address), VrfRoute::Local);
        }
    }
    for (one, _) in exports(config, id, vrf) {
        let route = VrfRoute::Attached { port: one.port, neighbour: one.neighbour };
        all.entry(one.prefix).or_insert(route);
    }
    all
}

const fn is_link_local(address: core::net::IpAddr) -> bool {
    match address {
        core::net::IpAddr::V4(v4) => v4.is_link_local(),
        core::net::IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

fn routes(
    announced: &Announced<'_>,
    (place, config): (usize, &RouterConfig),
    (id, vrf): (VrfId, &config::Vrf),
    own: &[Own<'_, '_>],
) -> Vec<VrfEntry> {
    let attached = attached(config, id, vrf);
    let bundles: Vec<&Bundle<'_>> = announced.with(&vrf.import).collect();
    let mut found: Vec<(Prefix, VrfRoute)> = Vec::new();
    let mut heard: Vec<(Prefix, usize)> = Vec::new();
    let mut ways: Vec<Vec<Way>> = Vec::with_capacity(bundles.len());
    for (number, bundle) in bundles.iter().enumerate() {
        let is_here = bundle.site == place;
        ways.push(if is_here { Vec::new() } else { ways_to(announced, bundle, own) });
        for one in &bundle.prefixes {
            if attached.contains_key(&one.prefix) {
                continue;
            }
            if is_here {
                let to = VrfRoute::Attached { port: one.port, neighbour: one.neighbour };
                found.push((one.prefix, to));
            } else {
                heard.push((one.prefix, number));
            }
        }
    }
    heard.sort_unstable();
    let of_bundle: Vec<Vec<Path>> = ways.iter().map(|ways| choose(ways)).collect();
    for same in heard.chunk_by(|a, b| a.0 == b.0) {
        let Some((prefix, first)) = same.first() else { continue };
        let paths = if same.len() == 1 {
            of_bundle.get(*first).cloned().unwrap_or_default()
        } else {
            let all = same.iter().filter_map(|(_, number)| ways.get(*number));
            let mut all: Vec<Way> = all.flatten().copied().collect();
            all.sort_unstable_by_key(|way| way.rank);
            choose(&all)
        };
        if !paths.is_empty() {
            found.push((*prefix, VrfRoute::Remote(paths)));
        }
    }
    // What is here goes before what was heard: it stands in front, and the sort is stable.
    found.splice(0..0, attached);
    found.sort_by_key(|(prefix, _)| *prefix);
    found.dedup_by_key(|(prefix, _)| *prefix);
    found.into_iter().map(|(prefix, to)| VrfEntry { prefix, to }).collect()
}

/// Every way to what a bundle announces, the best first.
fn ways_to(announced: &Announced<'_>, bundle: &Bundle<'_>, own: &[Own<'_, '_>]) -> Vec<Way> {
    let mut ways = Vec::with_capacity(own.len() * bundle.origins.len());
    for (number, uplink, via, router_id) in own {
        if !announced.sends(*number, bundle) {
            continue;
        }
        for origin in &bundle.origins {
            let from = announced.origins.get(*origin);
            let far = from.and_then(|from| announced.uplinks.get(from.uplink));
            let label = announced.offered(*number, *origin);
            let (Some(from), Some(far), Some(label)) = (from, far, label) else { continue };
            let pref = Reverse(uplink.local_pref);
            let rank = (pref, far.as_path_length(), *router_id, uplink.core_address, from.rd);
            ways.push(Way { rank, path: Path { label, via: *via } });
        }
    }
    ways.sort_unstable_by_key(|way| way.rank);
    ways
}

/// The way to use and the one in reserve, which leads over another uplink where one does.
fn choose(ways: &[Way]) -> Vec<Path> {
    let Some(first) = ways.first() else { return Vec::new() };
    let others = || ways.iter().filter(|way| way.path != first.path);
    let apart = others().find(|way| way.path.via != first.path.via);
    let reserve = apart.or_else(|| others().next());
    core::iter::once(first).chain(reserve).map(|way| way.path).collect()
}
