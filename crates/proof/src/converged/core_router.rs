//! The tables of a core router: labels, and the ways that they lead.

use core::net::IpAddr;
use std::collections::BTreeMap;

use base::{LabelSpace, Prefix};
use model::config::{PortKind, RouterConfig};
use model::tables::{GlobalEntry, Hop, LabelAction, LabelEntry, Path, RouterTables, Transport};

use super::announced::{Announced, space};
use super::interior::{Interior, segment};
use super::net::{Net, peer};

/// Transports as they are made, and their numbers.
#[derive(Debug, Default)]
pub(super) struct Transports {
    all: Vec<Transport>,
}

impl Transports {
    pub(super) fn add(&mut self, transport: Transport) -> u32 {
        let number = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(transport);
        number
    }

    pub(super) fn finish(self) -> Vec<Transport> {
        self.all
    }
}

/// A way over one link.
pub(super) fn over(port: base::PortId, neighbour: IpAddr) -> Transport {
    let hops = vec![Hop { port, neighbour, labels: Vec::new() }];
    Transport { hops, backups: Vec::new() }
}

pub(super) fn tables(
    net: &Net<'_>,
    interior: &Interior,
    announced: &Announced<'_>,
    (place, core): (usize, usize),
) -> RouterTables {
    let mut transports = Transports::default();
    let mut labels = Vec::new();
    let mut global = own_addresses(net.config(place));
    if let Some(config) = net.config(place) {
        adjacencies(config, &mut transports, &mut labels);
    }
    let to_core = ways(net, interior, core, &mut transports, &mut global);
    let to_core = |core: usize| to_core.get(core).copied().flatten();
    for far in 0..interior.places.len() {
        let sid = interior.sid(net, far);
        let label = sid.and_then(|sid| segment(net.config(place)?, sid));
        let action = match to_core(far) {
            Some(via) => LabelAction::Transit(via),
            None if far == core => LabelAction::Pop,
            None => continue,
        };
        let space = LabelSpace::Platform;
        labels.extend(label.map(|label| LabelEntry { space, label, action }));
    }
    let own: Vec<_> = announced.uplinks_of(place).collect();
    let mut to_site = BTreeMap::new();
    for (number, uplink) in &own {
        to_site.insert(*number, transports.add(over(uplink.core_port, uplink.site_address.into())));
    }
    let path = |origin: &super::announced::Origin| -> Option<Path> {
        if let Some(via) = to_site.get(&origin.uplink) {
            return Some(Path { label: origin.site_label, via: *via });
        }
        let at = announced.uplinks.get(origin.uplink)?.core;
        Some(Path { label: origin.core_label, via: to_core(at)? })
    };
    for origin in announced.origins_at(place) {
        let Some(path) = path(origin) else { continue };
        let action = LabelAction::Swap(vec![path]);
        labels.push(LabelEntry { space: LabelSpace::Platform, label: origin.core_label, action });
    }
    for (number, uplink) in &own {
        for (origin, label) in announced.offers(*number) {
            let Some(path) = path(origin) else { continue };
            let action = LabelAction::Swap(vec![path]);
            labels.push(LabelEntry { space: space(uplink), label, action });
        }
    }
    // Both consist of a few parts that are in order, which this sort makes use of.
    labels.sort_by_key(|entry| (entry.space, entry.label));
    global.sort_by_key(|entry| entry.prefix);
    let config = net.config(place);
    RouterTables {
        router: config.map_or_else(String::new, |config| config.name.clone()),
        generation: config.map_or(0, |config| config.generation),
        ports: net.ports(place),
        vrfs: Vec::new(),
        labels,
        global,
        transports: transports.finish(),
    }
}

/// The router's own addresses in the region's table.
pub(super) fn own_addresses(config: Option<&RouterConfig>) -> Vec<GlobalEntry> {
    let Some(config) = config else { return Vec::new() };
    let local = |address: IpAddr| GlobalEntry { prefix: Prefix::host(address), via: None };
    let loopbacks = config.loopback.iter().flat_map(|loopback| {
        [Some(IpAddr::V4(loopback.v4)), loopback.v6.map(IpAddr::V6)].into_iter().flatten()
    });
    let of_links = config
        .ports
        .iter()
        .filter(|port| matches!(port.kind, PortKind::CoreLink { .. } | PortKind::Uplink { .. }));
    let of_links = of_links.flat_map(|port| port.addresses.iter().map(|own| own.address));
    let mut all: Vec<_> = loopbacks
        .chain(
            of_links
                .filter(|address| !matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())),
        )
        .map(local)
        .collect();
    all.sort_unstable_by_key(|entry| entry.prefix);
    all.dedup();
    all
}

/// Labels of the router's own links.
fn adjacencies(config: &RouterConfig, transports: &mut Transports, labels: &mut Vec<LabelEntry>) {
    for (id, port) in config.ports() {
        let PortKind::CoreLink { adjacency_sid, .. } = port.kind else { continue };
        let Some(peer) = peer(config, id) else { continue };
        let action = LabelAction::Transit(transports.add(over(id, peer.into())));
        labels.push(LabelEntry { space: LabelSpace::Platform, label: adjacency_sid, action });
    }
}

/// The ways to the other core routers, by their numbers, with the routes to their loopbacks.
fn ways(
    net: &Net<'_>,
    interior: &Interior,
    core: usize,
    transports: &mut Transports,
    global: &mut Vec<GlobalEntry>,
) -> Vec<Option<u32>> {
    let mut to = vec![None; interior.places.len()];
    let mut to_v6 = Vec::new();
    // Without labels, whoever is behind the same hops is reached by the same way.
    let mut plain: BTreeMap<usize, u32> = BTreeMap::new();
    for (v4, far) in interior.by_address() {
        let Some(set) = interior.first_hops(core, far) else { continue };
        let via = transports.add(interior.transport(net, (core, far), true));
        global.push(GlobalEntry { prefix: Prefix::host(v4.into()), via: Some(via) });
        let loopback = interior.config(net, far).and_then(|config| config.loopback.as_ref());
        if let Some(v6) = loopback.and_then(|loopback| loopback.v6) {
            let add = || transports.add(interior.transport(net, (core, far), false));
            let via = Some(*plain.entry(set).or_insert_with(add));
            to_v6.push(GlobalEntry { prefix: Prefix::host(v6.into()), via });
        }
        to.get_mut(far).into_iter().for_each(|slot| *slot = Some(via));
    }
    global.extend(to_v6);
    to
}
