//! The order in which a change is rolled out: rings of routers, one ring after the other.
//!
//! A ring is what may change at the same time. Whoever rolls out gives every router of a ring the
//! configuration that stands there, waits until the network has converged and its probes are
//! content, and goes on with the next. Five stages follow each other:
//!
//! 1. *Widen*: core routers. New ones start; one that is there gets an interim configuration that
//!    has everything of the old plan and of the new one: it accepts from a site, and sends to it,
//!    what either plan says. A core router refuses a whole route for one route target too many, so
//!    it must know a site's new routes before the site announces them, and may forget the old ones
//!    only when the site has stopped. Core links that are to go stay, as the last choice, and core
//!    routers that are to go carry no transit traffic any more.
//! 2. *Withdraw*: site routers whose routes must be gone before others come in their place. Where
//!    one member of a community gives way to another with the same addresses, an answer to the one
//!    must not find its way to the other.
//! 3. *Sites*: all other site routers, new and changed. Both ends of a community check every
//!    packet, so it opens with the later of the two and closes with the earlier, whichever that is:
//!    beyond the stage before, no order among sites leaks.
//! 4. *Narrow*: core routers get exactly what the new plan says.
//! 5. *Remove*: routers that are gone from the plan are switched off; nothing relies on them.
//!
//! Whatever one stage leaves nothing to do for is skipped. In a ring there are never
//! - two core routers that uplinks of one site go to, before or after;
//! - two core routers of one point of presence;
//! - two reflectors;
//! - more than a quarter of any virtual network's sites, unless that is less than one.
//!
//! The first ring, and the first ring of sites, is one router: a mistake that only shows on a real
//! router shows there.

use std::collections::{BTreeMap, BTreeSet};

use base::{PortId, Prefix, PrefixMap, RouteTarget};
use model::config::{AcceptedRoute, Neighbour, NeighbourKind, Port, PortKind, Role, RouterConfig};
use model::plan::{LinkKind, Plan};

use crate::difference::difference;

/// The largest metric that a link in use may have (RFC 5305 §3.1): every other way is preferred.
const METRIC_LAST: u32 = (1 << 24) - 2;
/// Site routers of one ring: as many as one look at a screen can follow.
const SITES_MAX: usize = 100;
/// One in so many sites of a virtual network may be in one ring.
const SHARE: usize = 4;

/// What a ring is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Core routers learn what is to come, and forget nothing.
    Widen,
    /// Site routers stop announcing what others will announce in their place.
    Withdraw,
    /// Site routers change.
    Sites,
    /// Core routers forget what is no more.
    Narrow,
    /// Routers are taken away.
    Remove,
}

/// What one router gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The router's name.
    pub router: String,
    /// Its configuration; none: it is switched off.
    pub config: Option<RouterConfig>,
}

/// Routers that change at the same time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ring {
    /// What it is for.
    pub stage: Stage,
    /// The routers, by name.
    pub steps: Vec<Step>,
}

impl Stage {
    /// The stage as one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Widen => "widen",
            Self::Withdraw => "withdraw",
            Self::Sites => "sites",
            Self::Narrow => "narrow",
            Self::Remove => "remove",
        }
    }
}

/// The rings that lead from the plan `old` to the plan `new`, in their order; none where no router
/// needs a new configuration.
#[must_use]
pub fn rings(old: &Plan, new: &Plan) -> Vec<Ring> {
    let change = Change::new(old, new);
    let mut rings = Vec::new();
    let conflicts = change.conflicts();
    let [mut widen, mut withdraw, mut sites, mut narrow, mut remove] = [const { Vec::new() }; 5];
    for name in &change.touched {
        let (before, after) = (change.old.get(name).copied(), change.new.get(name).copied());
        let role = before.or(after).map_or(Role::Core, |config| config.role);
        let step = |config| Step { router: (*name).to_owned(), config };
        if role == Role::Site {
            let withdrawn = withdrawn(before, after, &conflicts, new.generation);
            let done = withdrawn.is_some() && withdrawn.as_ref() == after;
            withdraw.extend(withdrawn.map(|config| step(Some(config))));
            match after {
                Some(_) if done => {}
                Some(config) => sites.push(step(Some(config.clone()))),
                None => remove.push(step(None)),
            }
            continue;
        }
        let interim = interim(before, after, new.generation);
        let done = interim.as_ref() == after;
        widen.extend(interim.map(|config| step(Some(config))));
        match after {
            Some(_) if done => {}
            Some(config) => narrow.push(step(Some(config.clone()))),
            None => remove.push(step(None)),
        }
    }
    let (sites_gone, core_gone): (Vec<_>, Vec<_>) =
        remove.into_iter().partition(|step| change.role(&step.router) == Role::Site);
    change.of_core(Stage::Widen, widen, &mut rings);
    change.of_sites(Stage::Withdraw, withdraw, &mut rings);
    change.of_sites(Stage::Sites, sites, &mut rings);
    change.of_core(Stage::Narrow, narrow, &mut rings);
    change.of_sites(Stage::Remove, sites_gone, &mut rings);
    change.of_core(Stage::Remove, core_gone, &mut rings);
    rings
}

/// Both plans, as far as the order of things depends on them.
struct Change<'a> {
    old: BTreeMap<&'a str, &'a RouterConfig>,
    new: BTreeMap<&'a str, &'a RouterConfig>,
    touched: BTreeSet<&'a str>,
    /// The points of presence of each core router.
    pops: BTreeMap<&'a str, BTreeSet<&'a str>>,
    /// The site routers below each core router.
    below: BTreeMap<&'a str, BTreeSet<&'a str>>,
    /// The sites of each site router, with the virtual network of each.
    lans: BTreeMap<&'a str, BTreeSet<(&'a str, &'a str)>>,
    /// How many sites each virtual network has.
    sites: BTreeMap<&'a str, usize>,
}

impl<'a> Change<'a> {
    fn new(old: &'a Plan, new: &'a Plan) -> Self {
        let by_name = |plan: &'a Plan| {
            plan.routers.iter().map(|config| (config.name.as_str(), config)).collect()
        };
        let mut change = Self {
            old: by_name(old),
            new: by_name(new),
            touched: BTreeSet::new(),
            pops: BTreeMap::new(),
            below: BTreeMap::new(),
            lans: BTreeMap::new(),
            sites: BTreeMap::new(),
        };
        let names = difference(old, new);
        let names: BTreeSet<String> =
            [names.added, names.changed, names.removed].into_iter().flatten().collect();
        let all = change.old.keys().chain(change.new.keys()).copied();
        change.touched = all.filter(|name| names.contains(*name)).collect();
        let mut sites: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for plan in [old, new] {
            for pop in &plan.pops {
                for router in &pop.routers {
                    change.pops.entry(router).or_default().insert(&pop.name);
                }
            }
            for link in plan.links.iter().filter(|link| link.kind == LinkKind::Uplink) {
                let [core, site] = &link.ends;
                change.below.entry(&core.router).or_default().insert(&site.router);
            }
            for lan in &plan.attachments {
                let lans = change.lans.entry(&lan.router).or_default();
                lans.insert((&lan.virtual_network, &lan.site));
                sites.entry(&lan.virtual_network).or_default().insert(&lan.site);
            }
        }
        change.sites = sites.into_iter().map(|(network, sites)| (network, sites.len())).collect();
        change
    }

    /// The targets under which some site stops announcing what overlaps with what another one
    /// begins to announce.
    fn conflicts(&self) -> BTreeSet<RouteTarget> {
        let mut lost: BTreeMap<RouteTarget, PrefixMap<()>> = BTreeMap::new();
        let mut gained: BTreeMap<RouteTarget, PrefixMap<()>> = BTreeMap::new();
        for name in &self.touched {
            let of = |plan: &BTreeMap<&str, &RouterConfig>| {
                plan.get(name).map(|config| announced(config)).unwrap_or_default()
            };
            let (before, after) = (of(&self.old), of(&self.new));
            for &(target, prefix) in before.difference(&after) {
                lost.entry(target).or_default().insert(prefix, ());
            }
            for &(target, prefix) in after.difference(&before) {
                gained.entry(target).or_default().insert(prefix, ());
            }
        }
        let within = |some: &PrefixMap<()>, others: &PrefixMap<()>| {
            let mut some = some.iter();
            some.any(|(prefix, ())| {
                let found = others.longest_match(prefix.addr());
                found.is_some_and(|(other, ())| other.covers(prefix) || prefix.covers(other))
            })
        };
        let both =
            lost.iter().filter_map(|(target, lost)| Some((target, lost, gained.get(target)?)));
        both.filter(|(_, lost, gained)| within(lost, gained) || within(gained, lost))
            .map(|(target, ..)| *target)
            .collect()
    }

    fn role(&self, name: &str) -> Role {
        let config = self.old.get(name).or_else(|| self.new.get(name));
        config.map_or(Role::Core, |config| config.role)
    }

    fn reflects(&self, name: &str) -> bool {
        let configs = [self.old.get(name), self.new.get(name)];
        configs.into_iter().flatten().any(|config| config.bgp.cluster_id.is_some())
    }

    /// Whether two core routers must not change at the same time.
    fn apart(&self, a: &str, b: &str) -> bool {
        let shared = |of: &BTreeMap<&str, BTreeSet<&str>>| {
            of.get(a).zip(of.get(b)).is_some_and(|(a, b)| !a.is_disjoint(b))
        };
        shared(&self.pops) || shared(&self.below) || self.reflects(a) && self.reflects(b)
    }

    /// Rings of core routers: those that least depends on first, the very first alone.
    fn of_core(&self, stage: Stage, mut steps: Vec<Step>, rings: &mut Vec<Ring>) {
        let weight = |step: &Step| {
            let sites = self.below.get(step.router.as_str()).map_or(0, BTreeSet::len);
            (self.reflects(&step.router), sites)
        };
        steps.sort_by(|a, b| weight(a).cmp(&weight(b)).then_with(|| a.router.cmp(&b.router)));
        let mut first = rings.len();
        for step in steps {
            let fits = |ring: &&mut Ring| {
                ring.steps.iter().all(|other| !self.apart(&other.router, &step.router))
            };
            match rings.iter_mut().skip(first).find(fits) {
                Some(ring) => ring.steps.push(step),
                None => {
                    first += usize::from(rings.is_empty());
                    rings.push(Ring { stage, steps: vec![step] });
                }
            }
        }
        sort(rings);
    }

    /// Rings of site routers: those with the fewest LANs first, the very first alone.
    fn of_sites(&self, stage: Stage, mut steps: Vec<Step>, rings: &mut Vec<Ring>) {
        let lans = |step: &Step| self.lans.get(step.router.as_str()).map_or(0, BTreeSet::len);
        steps.sort_by(|a, b| lans(a).cmp(&lans(b)).then_with(|| a.router.cmp(&b.router)));
        let mut open: Vec<(Ring, BTreeMap<&str, usize>)> = Vec::new();
        let has_canary = rings.iter().any(|ring| ring.stage == Stage::Withdraw);
        let wants_canary = stage != Stage::Remove && !has_canary;
        // The canary is full.
        let mut first = 0;
        for step in steps {
            let mut wanted: BTreeMap<&str, usize> = BTreeMap::new();
            for (network, _) in self.lans.get(step.router.as_str()).into_iter().flatten() {
                *wanted.entry(network).or_default() += 1;
            }
            let fits = |(ring, taken): &&mut (Ring, BTreeMap<&str, usize>)| {
                let share_fits = |(network, count): (&&str, &usize)| {
                    let most = self.sites.get(network).map_or(1, |all| (all / SHARE).max(1));
                    taken.get(network).is_none_or(|taken| taken + count <= most)
                };
                ring.steps.len() < SITES_MAX && wanted.iter().all(share_fits)
            };
            if let Some((ring, taken)) = open.iter_mut().skip(first).find(fits) {
                ring.steps.push(step);
                for (network, count) in wanted {
                    *taken.entry(network).or_default() += count;
                }
            } else {
                first += usize::from(open.is_empty() && wants_canary);
                open.push((Ring { stage, steps: vec![step] }, wanted));
            }
        }
        rings.extend(open.into_iter().map(|(ring, _)| ring));
        sort(rings);
    }
}

fn sort(rings: &mut [Ring]) {
    for ring in rings {
        ring.steps.sort_by(|a, b| a.router.cmp(&b.router));
    }
}

/// What a router announces, by target.
fn announced(config: &RouterConfig) -> BTreeSet<(RouteTarget, Prefix)> {
    let own = config.vrfs.iter().flat_map(|vrf| &vrf.export);
    let own = own.flat_map(|route| route.targets.iter().map(|target| (*target, route.prefix)));
    let customers = config.neighbours.iter().flat_map(|neighbour| match &neighbour.kind {
        NeighbourKind::Customer { accept, targets, .. } => {
            accept.iter().flat_map(|p| targets.iter().map(|t| (*t, *p))).collect::<Vec<_>>()
        }
        NeighbourKind::Internal { .. }
        | NeighbourKind::Site { .. }
        | NeighbourKind::Core { .. } => Vec::new(),
    });
    own.chain(customers).collect()
}

/// What a site router gets before others announce in its place what it announces: the new
/// configuration, or the old one where it is to go, without what the other plan does not announce
/// under the targets in conflict. None where it announces nothing like that.
fn withdrawn(
    old: Option<&RouterConfig>,
    new: Option<&RouterConfig>,
    conflicts: &BTreeSet<RouteTarget>,
    generation: u64,
) -> Option<RouterConfig> {
    let old = old?;
    let before = announced(old);
    let after = new.map(announced).unwrap_or_default();
    if !before.difference(&after).any(|(target, _)| conflicts.contains(target)) {
        return None;
    }
    let stays = |target: &RouteTarget, prefix: Prefix| {
        let key = (*target, prefix);
        !conflicts.contains(target) || before.contains(&key) && after.contains(&key)
    };
    let mut config = RouterConfig { generation, ..new.unwrap_or(old).clone() };
    for route in config.vrfs.iter_mut().flat_map(|vrf| &mut vrf.export) {
        route.targets.retain(|target| stays(target, route.prefix));
    }
    for neighbour in &mut config.neighbours {
        if let NeighbourKind::Customer { accept, targets, .. } = &mut neighbour.kind {
            targets.retain(|target| accept.iter().all(|prefix| stays(target, *prefix)));
        }
    }
    Some(config)
}

/// What a core router gets first, so that both plans work with it; none where it has that already,
/// or where it becomes another router, which leaves nothing in common.
fn interim(
    old: Option<&RouterConfig>,
    new: Option<&RouterConfig>,
    generation: u64,
) -> Option<RouterConfig> {
    let old = match (old, new) {
        (Some(old), Some(_)) => old,
        (Some(old), None) => {
            let mut drained = RouterConfig { generation, ..old.clone() };
            if let Some(isis) = &mut drained.isis {
                isis.overload = true;
            }
            return Some(drained);
        }
        (None, added) => return added.cloned(),
    };
    let new = new?;
    let identity = |config: &RouterConfig| {
        let blocks = config.isis.as_ref().map(|isis| (isis.srgb, isis.srlb));
        let RouterConfig { role, router_id, as_number, loopback, labels, .. } = config;
        (*role, *router_id, *as_number, loopback.clone(), *labels, blocks)
    };
    if identity(old) != identity(new) {
        return None;
    }
    let ports = ports(old, new);
    let neighbours = neighbours(old, new, &ports);
    let interim = RouterConfig { generation, ports, neighbours, ..new.clone() };
    (!same_but_order(&interim, old)).then_some(interim)
}

/// Whether two configurations differ at most in their generation and in the order of neighbours.
fn same_but_order(a: &RouterConfig, b: &RouterConfig) -> bool {
    let ordered = |config: &RouterConfig| {
        let mut config = RouterConfig { generation: 0, ..config.clone() };
        config.neighbours.sort_by_key(|one| (one.address, one.local_address));
        config
    };
    ordered(a) == ordered(b)
}

/// The ports of both. What is a port in both plans, and not the same one, stays the old one.
fn ports(old: &RouterConfig, new: &RouterConfig) -> Vec<Port> {
    let count = old.ports.len().max(new.ports.len());
    let merged = |index: usize| match (old.ports.get(index), new.ports.get(index)) {
        (Some(old), Some(new)) if old.kind == PortKind::Unused || same_shape(old, new) => {
            Some(new.clone())
        }
        (Some(old), Some(Port { kind: PortKind::Unused, .. }) | None) => Some(drained(old)),
        (Some(old), Some(_)) => Some(old.clone()),
        (None, new) => new.cloned(),
    };
    let mut ports: Vec<Port> = (0..count).filter_map(merged).collect();
    // Names are unique, and an uplink that becomes another one has two ports for a while.
    let stays = |port: &&Port| port.kind != PortKind::Unused;
    let names: BTreeSet<&str> =
        new.ports.iter().filter(stays).map(|port| port.name.as_str()).collect();
    for (index, port) in ports.iter_mut().enumerate() {
        let leaves = new.ports.get(index).is_none_or(|port| port.kind == PortKind::Unused);
        if leaves && names.contains(port.name.as_str()) {
            port.name.push_str("-leaving");
        }
    }
    ports
}

fn same_shape(a: &Port, b: &Port) -> bool {
    let peer = |port: &Port| match port.kind {
        PortKind::CoreLink { peer, .. } | PortKind::Uplink { peer, .. } => Some(peer),
        PortKind::Attachment { .. } | PortKind::Unused => None,
    };
    let shape = |port: &Port| (port.medium, port.mac, port.mtu, peer(port));
    shape(a) == shape(b)
        && a.addresses == b.addresses
        && core::mem::discriminant(&a.kind) == core::mem::discriminant(&b.kind)
}

/// A port that is to go: still there, and a core link no longer on anybody's way.
fn drained(port: &Port) -> Port {
    let mut port = port.clone();
    if let PortKind::CoreLink { metric, .. } = &mut port.kind {
        *metric = METRIC_LAST;
    }
    port
}

/// The neighbours of both, in the order of the new plan, with those that are to go behind them.
fn neighbours(old: &RouterConfig, new: &RouterConfig, ports: &[Port]) -> Vec<Neighbour> {
    let same = |a: &Neighbour, b: &Neighbour| {
        (a.address, a.local_address, a.as_number, a.passive)
            == (b.address, b.local_address, b.as_number, b.passive)
            && core::mem::discriminant(&a.kind) == core::mem::discriminant(&b.kind)
    };
    // A neighbour needs its port as its plan has it.
    let fits = |neighbour: &Neighbour, of: &RouterConfig| match neighbour.kind {
        NeighbourKind::Site { port, .. } => at(ports, port)
            .zip(at(&of.ports, port))
            .is_some_and(|(is, wanted)| same_shape(is, wanted)),
        NeighbourKind::Internal { .. }
        | NeighbourKind::Core { .. }
        | NeighbourKind::Customer { .. } => true,
    };
    let mut merged = Vec::new();
    for after in &new.neighbours {
        match old.neighbours.iter().find(|before| same(before, after)) {
            Some(before) if fits(after, new) => merged.push(both(before, after)),
            Some(before) => merged.push(before.clone()),
            None if fits(after, new) => merged.push(after.clone()),
            None => {}
        }
    }
    let gone = |before: &&Neighbour| !new.neighbours.iter().any(|after| same(before, after));
    let gone = old.neighbours.iter().filter(gone).filter(|before| fits(before, old));
    merged.extend(gone.cloned());
    merged
}

fn at(ports: &[Port], id: PortId) -> Option<&Port> {
    ports.get(usize::try_from(id.0).ok()?)
}

/// A neighbour that may do what either plan says.
fn both(before: &Neighbour, after: &Neighbour) -> Neighbour {
    let mut merged = after.clone();
    if let (
        NeighbourKind::Site { accept: old, max_routes: old_max, send: old_send, .. },
        NeighbourKind::Site { accept, max_routes, send, .. },
    ) = (&before.kind, &mut merged.kind)
    {
        let mut routes: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for route in old.iter().chain(accept.iter()) {
            routes.entry((route.rd, route.prefix)).or_default().extend(&route.targets);
        }
        let routes = routes.into_iter();
        *accept =
            routes.map(|((rd, prefix), targets)| AcceptedRoute { rd, prefix, targets }).collect();
        *max_routes = (*max_routes).max(*old_max);
        send.extend(old_send);
    }
    merged
}
