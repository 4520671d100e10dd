//! What sites announce over their uplinks, and what core routers make of it.

use core::net::Ipv4Addr;
use std::collections::{BTreeMap, BTreeSet};

use base::{AsNumber, Label, LabelSpace, PortId, Prefix, RouteDistinguisher, RouteTarget, VrfId};
use model::config::{
    AcceptedRoute, LabelRange, Neighbour, NeighbourKind, PortKind, RouterConfig, Vrf,
};

use super::interior::Interior;
use super::net::{Net, peer, port};

/// A session between a site and the core router at the other end of an uplink.
#[derive(Debug)]
pub(super) struct Uplink<'a> {
    /// The site router's place in the plan, its port and address, and its position as neighbour.
    pub(super) site: usize,
    pub(super) site_port: PortId,
    pub(super) site_address: Ipv4Addr,
    site_neighbour: u32,
    /// The core router's place, number among core routers, port and address.
    pub(super) core_place: usize,
    pub(super) core: usize,
    pub(super) core_port: PortId,
    pub(super) core_address: Ipv4Addr,
    /// Preference of what comes over it, at the site.
    pub(super) local_pref: u32,
    prepend: u8,
    site_as: AsNumber,
    at_core: &'a Neighbour,
}

/// A VRF of a site, as one uplink shows it to the core: where labels lead.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) uplink: usize,
    /// The site router's label.
    pub(super) site_label: Label,
    /// The core router's label for it.
    pub(super) core_label: Label,
    pub(super) rd: RouteDistinguisher,
}

/// Prefixes of one VRF that share their targets and their ways.
#[derive(Debug)]
pub(super) struct Bundle<'a> {
    pub(super) site: usize,
    pub(super) targets: &'a BTreeSet<RouteTarget>,
    /// Each with the attachment and the router that it is behind.
    pub(super) prefixes: Vec<Exported>,
    /// By position among origins.
    pub(super) origins: Vec<usize>,
}

/// A prefix that a VRF announces.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exported {
    pub(super) prefix: Prefix,
    pub(super) port: PortId,
    pub(super) neighbour: Option<core::net::IpAddr>,
}

/// Everything that is announced.
#[derive(Debug)]
pub(super) struct Announced<'a> {
    pub(super) uplinks: Vec<Uplink<'a>>,
    pub(super) origins: Vec<Origin>,
    pub(super) bundles: Vec<Bundle<'a>>,
    /// The uplinks of each router, of either kind.
    by_router: BTreeMap<usize, Vec<usize>>,
    /// The origins at each core router.
    by_core: BTreeMap<usize, Vec<usize>>,
    /// The bundles with each target.
    by_target: BTreeMap<RouteTarget, Vec<usize>>,
    /// What each uplink's site is offered: origins with the label of the uplink's own space.
    offers: Vec<Vec<(usize, Label)>>,
}

impl<'a> Announced<'a> {
    pub(super) fn new(net: &Net<'a>, interior: &Interior) -> Self {
        let uplinks = uplinks(net, interior);
        let mut by_router: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (number, uplink) in uplinks.iter().enumerate() {
            by_router.entry(uplink.site).or_default().push(number);
            by_router.entry(uplink.core_place).or_default().push(number);
        }
        let mut all = Self {
            uplinks,
            origins: Vec::new(),
            bundles: Vec::new(),
            by_router,
            by_core: BTreeMap::new(),
            by_target: BTreeMap::new(),
            offers: Vec::new(),
        };
        for (place, config) in net.plan.routers.iter().enumerate() {
            if net.is_there(place) && interior.core(place).is_none() {
                all.announce(place, config);
            }
        }
        all.number_core_labels(net, interior);
        for (number, bundle) in all.bundles.iter().enumerate() {
            for target in bundle.targets {
                all.by_target.entry(*target).or_default().push(number);
            }
        }
        all.offers =
            (0..all.uplinks.len()).map(|uplink| all.offer(net, interior, uplink)).collect();
        all
    }

    /// The origins at the sites of a core router that others ask for.
    pub(super) fn origins_at(&self, core_place: usize) -> impl Iterator<Item = &Origin> {
        let all = self.by_core.get(&core_place).into_iter().flatten();
        all.filter_map(|number| self.origins.get(*number))
    }

    /// The uplinks of a router, with their numbers.
    pub(super) fn uplinks_of(&self, router: usize) -> impl Iterator<Item = (usize, &Uplink<'a>)> {
        let all = self.by_router.get(&router).into_iter().flatten();
        all.filter_map(|number| Some((*number, self.uplinks.get(*number)?)))
    }

    /// The label under which a site may send towards an origin over one of its uplinks.
    pub(super) fn offered(&self, uplink: usize, origin: usize) -> Option<Label> {
        let offers = self.offers.get(uplink)?;
        let at = offers.binary_search_by_key(&origin, |(other, _)| *other).ok()?;
        offers.get(at).map(|(_, label)| *label)
    }

    pub(super) fn offers(&self, uplink: usize) -> impl Iterator<Item = (&Origin, Label)> {
        let offers = self.offers.get(uplink).into_iter().flatten();
        offers.filter_map(|(origin, label)| Some((self.origins.get(*origin)?, *label)))
    }

    /// Bundles that carry one of these targets, each once, in order.
    pub(super) fn with(
        &self,
        targets: &BTreeSet<RouteTarget>,
    ) -> impl Iterator<Item = &Bundle<'a>> {
        let all = targets.iter().flat_map(|one| self.by_target.get(one)).flatten().copied();
        let mut numbers: Vec<usize> = all.collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.into_iter().filter_map(|number| self.bundles.get(number))
    }

    /// Notes what one site announces.
    fn announce(&mut self, place: usize, config: &'a RouterConfig) {
        let uplinks: Vec<usize> = self.uplinks_of(place).map(|(number, _)| number).collect();
        let mut filters: Vec<Filter<'a>> = uplinks
            .iter()
            .filter_map(|number| self.uplinks.get(*number))
            .map(Filter::new)
            .collect();
        let exports: Vec<_> =
            config.vrfs().map(|(id, vrf)| (id, vrf, exports(config, id, vrf))).collect();
        for (uplink, filter) in uplinks.iter().zip(&mut filters) {
            let Some(uplink) = self.uplinks.get(*uplink) else { continue };
            let announced = exports.iter().filter(|(_, vrf, _)| uplink.rd(vrf).is_some());
            filter.is_open = announced.map(|(_, _, all)| all.len()).sum::<usize>() <= filter.most;
        }
        for (id, vrf, exported) in exports {
            let mut bundles: BTreeMap<(&BTreeSet<RouteTarget>, Vec<bool>), Vec<Exported>> =
                BTreeMap::new();
            for (one, targets) in exported {
                let taken = uplinks.iter().zip(&filters).map(|(uplink, filter)| {
                    let rd = self.uplinks.get(*uplink).and_then(|uplink| uplink.rd(vrf));
                    rd.is_some_and(|rd| filter.takes(rd, one.prefix, targets))
                });
                bundles.entry((targets, taken.collect())).or_default().push(one);
            }
            let used = |at: usize| bundles.keys().any(|(_, taken)| taken.get(at) == Some(&true));
            let label = label_in(config.labels, mixed(place, 0), id.0);
            let mut origins: Vec<Option<usize>> = Vec::new();
            for (at, uplink) in uplinks.iter().enumerate() {
                let rd = self.uplinks.get(*uplink).and_then(|uplink| uplink.rd(vrf));
                let (Some(rd), Some(site_label), true) = (rd, label, used(at)) else {
                    origins.push(None);
                    continue;
                };
                origins.push(Some(self.origins.len()));
                let core_label = site_label;
                self.origins.push(Origin { uplink: *uplink, site_label, core_label, rd });
            }
            for ((targets, taken), prefixes) in bundles {
                let origins = origins.iter().zip(&taken).filter(|(_, taken)| **taken);
                let origins = origins.filter_map(|(origin, _)| *origin).collect();
                let bundle = Bundle { site: place, targets, prefixes, origins };
                self.bundles.push(bundle);
            }
        }
    }

    /// Gives every origin that another core router asks for a label of its core router's platform.
    fn number_core_labels(&mut self, net: &Net<'_>, interior: &Interior) {
        let mut asks: BTreeMap<RouteTarget, BTreeSet<usize>> = BTreeMap::new();
        // What a core router may send on it asks for, whether the session is up or not.
        for (core, place) in interior.places.iter().enumerate() {
            let neighbours = net.config(*place).map_or(&[][..], |config| &config.neighbours);
            for target in neighbours.iter().flat_map(sent) {
                asks.entry(*target).or_default().insert(core);
            }
        }
        let mut is_asked_for = vec![false; self.origins.len()];
        for bundle in &self.bundles {
            let all: Vec<&BTreeSet<usize>> =
                bundle.targets.iter().filter_map(|target| asks.get(target)).collect();
            for origin in &bundle.origins {
                let from = self.origins.get(*origin).and_then(|one| self.uplinks.get(one.uplink));
                let (Some(from), Some(slot)) = (from, is_asked_for.get_mut(*origin)) else {
                    continue;
                };
                let mut askers = all.iter().copied().flatten();
                *slot = *slot || askers.any(|at| interior.asks(*at, from.core));
            }
        }
        let asked = self.origins.iter_mut().zip(is_asked_for).enumerate();
        for (position, (origin, _)) in asked.filter(|(_, (_, is_asked_for))| *is_asked_for) {
            let Some(uplink) = self.uplinks.get(origin.uplink) else { continue };
            let Some(config) = net.config(uplink.core_place) else { continue };
            let known = self.by_core.entry(uplink.core_place).or_default();
            let number = u32::try_from(known.len()).unwrap_or(u32::MAX);
            if let Some(label) = label_in(config.labels, mixed(uplink.core_place, 0), number) {
                origin.core_label = label;
            }
            known.push(position);
        }
    }

    /// The origins that the site of an uplink is offered.
    fn offer(&self, net: &Net<'_>, interior: &Interior, number: usize) -> Vec<(usize, Label)> {
        let Some(uplink) = self.uplinks.get(number) else { return Vec::new() };
        let Some(config) = net.config(uplink.core_place) else { return Vec::new() };
        let mut wanted: Vec<usize> = Vec::new();
        for bundle in self.with(uplink.sent()) {
            wanted.extend(bundle.origins.iter().copied().filter(|origin| {
                let from = self.origins.get(*origin).and_then(|one| self.uplinks.get(one.uplink));
                from.is_some_and(|from| {
                    from.site_as != uplink.site_as && interior.hears(uplink.core, from.core)
                })
            }));
        }
        wanted.sort_unstable();
        wanted.dedup();
        let offset = mixed(uplink.core_place, uplink.core_port.0.wrapping_add(1));
        let labels = (0..).map_while(|number| label_in(config.labels, offset, number));
        wanted.into_iter().zip(labels).collect()
    }

    /// Whether a bundle is sent over an uplink to its site.
    pub(super) fn sends(&self, uplink: usize, bundle: &Bundle<'_>) -> bool {
        let mut sent = self.uplinks.get(uplink).into_iter().flat_map(Uplink::sent);
        sent.any(|target| bundle.targets.contains(target))
    }
}

impl Uplink<'_> {
    /// The distinguisher of a VRF's routes over it.
    fn rd(&self, vrf: &Vrf) -> Option<RouteDistinguisher> {
        vrf.rds.iter().find(|rd| rd.neighbour == self.site_neighbour).map(|rd| rd.rd)
    }

    /// The targets of what its site is sent.
    const fn sent(&self) -> &BTreeSet<RouteTarget> {
        sent(self.at_core)
    }

    /// The length of the AS path of what it announces, as other sites see it.
    pub(super) fn as_path_length(&self) -> u32 {
        2 + u32::from(self.prepend)
    }
}

/// The targets of what a site is sent.
const fn sent(at_core: &Neighbour) -> &BTreeSet<RouteTarget> {
    static NOTHING: BTreeSet<RouteTarget> = BTreeSet::new();
    match &at_core.kind {
        NeighbourKind::Site { send, .. } => send,
        NeighbourKind::Internal { .. }
        | NeighbourKind::Core { .. }
        | NeighbourKind::Customer { .. } => &NOTHING,
    }
}

/// What a core router takes from a site.
#[derive(Debug)]
struct Filter<'a> {
    /// By distinguisher and prefix.
    accept: Vec<&'a AcceptedRoute>,
    most: usize,
    is_open: bool,
}

impl<'a> Filter<'a> {
    fn new(uplink: &Uplink<'a>) -> Self {
        let (accept, most) = match &uplink.at_core.kind {
            NeighbourKind::Site { accept, max_routes, .. } => (accept.as_slice(), *max_routes),
            NeighbourKind::Internal { .. }
            | NeighbourKind::Core { .. }
            | NeighbourKind::Customer { .. } => (&[][..], 0),
        };
        let mut accept: Vec<&AcceptedRoute> = accept.iter().collect();
        accept.sort_by_key(|route| (route.rd, route.prefix));
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Self { accept, most, is_open: true }
    }

    fn takes(
        &self,
        rd: RouteDistinguisher,
        prefix: Prefix,
        targets: &BTreeSet<RouteTarget>,
    ) -> bool {
        let key = |route: &&AcceptedRoute| (route.rd, route.prefix);
        let allowed = self.accept.binary_search_by_key(&(rd, prefix), key).ok();
        let allowed = allowed.and_then(|at| self.accept.get(at));
        let takes = |allowed: &&AcceptedRoute| targets.is_subset(&allowed.targets);
        self.is_open && !targets.is_empty() && allowed.is_some_and(takes)
    }
}

/// The sessions whose two ends fit.
fn uplinks<'a>(net: &Net<'a>, interior: &Interior) -> Vec<Uplink<'a>> {
    let mut all = Vec::new();
    // A core router's neighbours by the port that they are on.
    let at_core: Vec<BTreeMap<PortId, &Neighbour>> = interior
        .places
        .iter()
        .map(|place| {
            let neighbours = net.config(*place).map_or(&[][..], |config| &config.neighbours);
            let on_port = |one: &'a Neighbour| match one.kind {
                NeighbourKind::Site { port, .. } => Some((port, one)),
                NeighbourKind::Internal { .. }
                | NeighbourKind::Core { .. }
                | NeighbourKind::Customer { .. } => None,
            };
            neighbours.iter().filter_map(on_port).collect()
        })
        .collect();
    for (place, config) in net.plan.routers.iter().enumerate() {
        if !net.is_there(place) || interior.core(place).is_some() {
            continue;
        }
        for (position, neighbour) in (0..).zip(&config.neighbours) {
            let NeighbourKind::Core { port: site_port, local_pref, prepend } = neighbour.kind
            else {
                continue;
            };
            let Some((core_place, core_port)) = net.far(place, site_port) else { continue };
            let Some(core) = interior.core(core_place) else { continue };
            let Some(at_core) = at_core.get(core).and_then(|all| all.get(&core_port)) else {
                continue;
            };
            let Some(core_config) = net.config(core_place) else { continue };
            let ends = [(config, site_port), (core_config, core_port)];
            if !is_uplink(ends) || !fits((config, neighbour), (core_config, at_core)) {
                continue;
            }
            all.push(Uplink {
                site: place,
                site_port,
                site_address: neighbour.local_address,
                site_neighbour: position,
                core_place,
                core,
                core_port,
                core_address: neighbour.address,
                local_pref,
                prepend,
                site_as: config.as_number,
                at_core,
            });
        }
    }
    all
}

fn is_uplink(ends: [(&RouterConfig, PortId); 2]) -> bool {
    ends.iter().all(|(config, id)| {
        port(config, *id).is_some_and(|port| matches!(port.kind, PortKind::Uplink { .. }))
            && peer(config, *id).is_some()
    })
}

/// Whether two ends of a session mean each other.
fn fits(a: (&RouterConfig, &Neighbour), b: (&RouterConfig, &Neighbour)) -> bool {
    let means = |(own, session): (&RouterConfig, &Neighbour),
                 (far, back): (&RouterConfig, &Neighbour)| {
        session.address == back.local_address
            && session.as_number == far.as_number
            && own.as_number != far.as_number
    };
    means(a, b) && means(b, a)
}

/// What a VRF announces, each prefix once: its own exports, and what third parties announce to it.
pub(super) fn exports<'a>(
    config: &'a RouterConfig,
    id: VrfId,
    vrf: &'a Vrf,
) -> Vec<(Exported, &'a BTreeSet<RouteTarget>)> {
    let mut all = BTreeMap::new();
    for route in &vrf.export {
        let one = Exported { prefix: route.prefix, port: route.port, neighbour: route.next_hop };
        all.entry(route.prefix).or_insert((one, &route.targets));
    }
    for neighbour in &config.neighbours {
        let NeighbourKind::Customer { port: on, accept, targets, .. } = &neighbour.kind else {
            continue;
        };
        let is_here = port(config, *on)
            .is_some_and(|port| matches!(port.kind, PortKind::Attachment { vrf, .. } if vrf == id));
        for prefix in accept.iter().filter(|_| is_here) {
            let via = Some(core::net::IpAddr::V4(neighbour.address));
            let one = Exported { prefix: *prefix, port: *on, neighbour: via };
            all.entry(*prefix).or_insert((one, targets));
        }
    }
    all.into_values().collect()
}

/// Where in its block the labels of a router's space begin: somewhere else for each.
fn mixed(place: usize, space: u32) -> u32 {
    let place = u32::try_from(place).unwrap_or(u32::MAX);
    place.wrapping_mul(0x9e37_79b9) ^ space.wrapping_mul(0x85eb_ca6b)
}

/// The label of a number in a block that begins somewhere; none where the block is used up.
pub(super) fn label_in(block: LabelRange, offset: u32, number: u32) -> Option<Label> {
    if number >= block.count {
        return None;
    }
    let at = (u64::from(offset) + u64::from(number)) % u64::from(block.count);
    Label::new(block.first.value().checked_add(u32::try_from(at).ok()?)?)
}

/// The label of a VRF of a site router.
pub(super) fn vrf_label(config: &RouterConfig, place: usize, vrf: VrfId) -> Option<Label> {
    label_in(config.labels, mixed(place, 0), vrf.0)
}

/// The space of the labels that a core router gives to the site of an uplink.
pub(super) const fn space(uplink: &Uplink<'_>) -> LabelSpace {
    LabelSpace::Port(uplink.core_port)
}
