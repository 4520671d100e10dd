//! How full links become, normally and in every single failure.
//!
//! The plan's demands are routed as routers route them: a site sends by the uplink that it prefers
//! and is reached by the one that core routers prefer, the core's metrics decide between, and equal
//! ways share evenly. Then everything is tried that can fail in the core, and every uplink of a site
//! with an application. The loss of another site's uplink is taken account of on its own uplinks
//! alone: in the core it moves one site's traffic by one PoP.
//!
//! Only what a failure concerns is routed again: flows towards core routers that used what is gone,
//! and those that come or go elsewhere since. Whoever is cut off from the main part of the core
//! (see [`crate::survival`]) sends nothing; what an island still carries among its own is left out.
//!
//! Left out: what a class that has too much takes from others; packet headers; traffic that
//! no demand names.
#![expect(clippy::indexing_slicing, reason = "numbers of links, site routers and classes")]

use core::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use base::PortId;
use model::config::NeighbourKind;
use model::plan::Plan;

use crate::demand::{Demands, Home, Matrix, Tallies};
use crate::failure::{Failure, Gone, Groups};
use crate::routing::{Dead, Flows, Load, Routing};
use crate::topology::{After, LinkIs, RouterIs, Topology, Uplink, WeakPoints};

/// A link is highly loaded above this much of its committed rate, in per cent: its queues grow.
pub const HIGH_PERCENT: u64 = 75;
/// The class whose traffic above its share is dropped, however empty the link is.
const POLICED: &str = "EF";

/// How full links become.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Capacity {
    /// The names of the classes.
    pub classes: Vec<String>,
    /// Both directions of every link, in the order of [`Plan::links`].
    pub links: Vec<LinkLoad>,
    /// What is too full, in the same order.
    pub overloads: Vec<Overload>,
    /// Every failure, as [`Failure::all`] has them: others speak of them by place.
    pub failures: Vec<Failure>,
    /// How many of them were routed in full.
    pub examined: usize,
    /// Whether a demand is assumed rather than measured.
    pub assumed: bool,
    /// Demands that name what the plan does not have.
    pub unplaced: usize,
}

/// What one direction of a link carries, in bits per second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkLoad {
    /// The link's place in [`Plan::links`].
    pub link: usize,
    /// The end that sends: 0 or 1.
    pub from: usize,
    /// The committed rate.
    pub rate_kbps: u32,
    /// Normally, by class.
    pub normal: Vec<u64>,
    /// The most of each class, and when.
    pub peaks: Vec<Peak>,
    /// The most of all classes together, and when.
    pub peak: Peak,
}

/// The most that a link carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Peak {
    /// In bits per second.
    pub bps: u64,
    /// The first failure in which it is so much, by place in [`Capacity::failures`]; none: normally.
    pub failure: Option<usize>,
}

/// A direction of a link that is too full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overload {
    /// The link's place in [`Plan::links`].
    pub link: usize,
    /// The end that sends: 0 or 1.
    pub from: usize,
    /// What is exceeded.
    pub excess: Excess,
    /// What it carries then.
    pub bps: u64,
    /// Of what is exceeded, in per cent, rounded up.
    pub percent: u64,
    /// The failure in which it is worst, by place in [`Capacity::failures`]; none: normally.
    pub failure: Option<usize>,
}

/// What a link's load exceeds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Excess {
    /// [`HIGH_PERCENT`] of the committed rate.
    High,
    /// The committed rate.
    Rate,
    /// The guaranteed share of a class that gets no more than this.
    Share(String),
}

impl LinkLoad {
    /// All classes together, normally.
    #[must_use]
    pub fn normal_total(&self) -> u64 {
        total(&self.normal)
    }
}

impl Overload {
    /// The overload in words.
    #[must_use]
    pub fn in_words(&self, plan: &Plan, capacity: &Capacity) -> String {
        let Self { link, from, excess, percent, failure, .. } = self;
        let link = plan.links.get(*link);
        let name = link.map_or("", |link| &link.name);
        let sender = link.and_then(|link| link.ends.get(*from)).map_or("", |end| &end.router);
        let failure = failure.and_then(|place| capacity.failures.get(place));
        let when = failure
            .map_or_else(|| "normally".to_owned(), |one| format!("without {}", one.name(plan)));
        let of = match excess {
            Excess::High | Excess::Rate => "its rate".to_owned(),
            Excess::Share(class) => format!("the share of {class}"),
        };
        format!("link {name} from {sender} carries {percent} % of {of} {when}")
    }
}

/// Routes the plan's demands, normally and in every single failure.
#[must_use]
pub fn capacity(plan: &Plan) -> Capacity {
    let mut classes: Vec<String> = plan.classes.iter().map(|class| class.name.clone()).collect();
    for demand in &plan.demands {
        if !classes.contains(&demand.class) {
            classes.push(demand.class.clone());
        }
    }
    let topology = Topology::new(plan);
    let demands = Demands::new(plan, &topology, &classes);
    let network = Network::new(plan, topology, demands, classes);
    let mut survey = Survey::new(&network);
    survey.uplinks_alone();
    let groups = Groups::new(plan, &network.topology.places);
    let hubs = network.demands.hubs();
    let failures = Failure::all(plan);
    let mut examined = 0;
    for (place, failure) in failures.iter().enumerate() {
        if network.is_examined(failure, &hubs) {
            survey.examine(place, &groups.gone(failure));
            examined += 1;
        }
    }
    let Survey { links, .. } = survey;
    let overloads = links.iter().flat_map(|load| network.overloads(load)).collect();
    Capacity {
        links,
        overloads,
        failures,
        examined,
        assumed: plan.demands.iter().any(|demand| demand.assumed),
        unplaced: network.demands.unplaced,
        classes: network.classes,
    }
}

/// What does not change with failures.
struct Network<'a> {
    plan: &'a Plan,
    topology: Topology<'a>,
    demands: Demands,
    classes: Vec<String>,
    routing: Routing,
    weak: WeakPoints,
    intact: After,
    /// How much the site and the core prefer each uplink.
    preferences: Vec<[u32; 2]>,
}

/// The uplinks that a site router sends by and is reached by.
type Chosen = Option<[usize; 2]>;

impl<'a> Network<'a> {
    fn new(plan: &'a Plan, topology: Topology<'a>, demands: Demands, classes: Vec<String>) -> Self {
        let mut stated: BTreeMap<(usize, PortId), u32> = BTreeMap::new();
        for (place, router) in plan.routers.iter().enumerate() {
            for neighbour in &router.neighbours {
                match &neighbour.kind {
                    NeighbourKind::Site { port, local_pref, .. }
                    | NeighbourKind::Core { port, local_pref, .. } => {
                        stated.insert((place, *port), *local_pref);
                    }
                    NeighbourKind::Internal { .. } | NeighbourKind::Customer { .. } => {}
                }
            }
        }
        let preferences = topology.uplinks.iter().map(|uplink| {
            let at = site_end(plan, &topology, uplink);
            let ends = &plan.links[uplink.place].ends;
            let (site, core) =
                (topology.site_routers[uplink.site_router].place, topology.nodes[uplink.node]);
            [(site, ends[at].port), (core, ends[1 - at].port)]
                .map(|end| stated.get(&end).copied().unwrap_or(0))
        });
        let preferences = preferences.collect();
        let routing = Routing::new(plan, &topology, classes.len());
        let (weak, intact) = (topology.weak_points(), topology.intact());
        Self { plan, topology, demands, classes, routing, weak, intact, preferences }
    }

    /// The preferred ones of a site router's uplinks into the main part.
    fn chosen(&self, site_router: usize, gone: &Gone, after: &After) -> Chosen {
        let best = |side: usize| {
            let leading = self.topology.leading(site_router, gone, after);
            leading.max_by_key(|number| (self.preferences[*number][side], Reverse(*number)))
        };
        Some([best(0)?, best(1)?])
    }

    fn home(&self, chosen: Chosen) -> Home {
        chosen.map(|uplinks| uplinks.map(|uplink| self.topology.uplinks[uplink].node))
    }

    /// Whether a failure is routed in full.
    fn is_examined(&self, failure: &Failure, hubs: &BTreeSet<usize>) -> bool {
        match failure {
            Failure::Link(place) => match self.topology.links[*place] {
                LinkIs::Core(_) => true,
                LinkIs::Uplink(uplink) => hubs.contains(&self.topology.uplinks[uplink].site_router),
                LinkIs::Nothing => false,
            },
            Failure::Router(place) => matches!(self.topology.routers[*place], RouterIs::Node(_)),
            Failure::Pop(_) | Failure::SharedRisk(_) => true,
        }
    }

    /// What is too full on a link: normally, and where it is worse then, in the worst failure.
    fn overloads(&self, load: &LinkLoad) -> Vec<Overload> {
        let rate = u64::from(load.rate_kbps) * 1000;
        let normal = Peak { bps: load.normal_total(), failure: None };
        let both = |normal: Peak, worst: Peak| {
            let worse = worst.failure.map(|_| worst);
            [Some(normal), worse].into_iter().flatten()
        };
        let overload = |peak: Peak, excess: Excess, limit: u64| Overload {
            link: load.link,
            from: load.from,
            excess,
            bps: peak.bps,
            percent: percent(peak.bps, limit),
            failure: peak.failure,
        };
        let mut found = Vec::new();
        for peak in both(normal, load.peak) {
            if peak.bps > rate {
                found.push(overload(peak, Excess::Rate, rate));
            } else if exceeds(peak.bps, rate, HIGH_PERCENT) {
                found.push(overload(peak, Excess::High, rate));
            }
        }
        let policed = self.plan.classes.iter().enumerate().filter(|(_, one)| one.name == POLICED);
        for (class, one) in policed {
            let share = u64::from(one.share_percent);
            let normal = Peak { bps: load.normal[class], failure: None };
            for peak in both(normal, load.peaks[class]) {
                if exceeds(peak.bps, rate, share) {
                    let excess = Excess::Share(one.name.clone());
                    found.push(overload(peak, excess, rate * share / 100));
                }
            }
        }
        found
    }
}

/// Which end of an uplink is at the site.
fn site_end(plan: &Plan, topology: &Topology<'_>, uplink: &Uplink) -> usize {
    let router = &plan.routers[topology.site_routers[uplink.site_router].place].name;
    usize::from(plan.links[uplink.place].ends[0].router != *router)
}

/// Whether a load is above so many per cent of a rate.
fn exceeds(bps: u64, rate: u64, percent: u64) -> bool {
    u128::from(bps) * 100 > u128::from(rate) * u128::from(percent)
}

fn percent(bps: u64, limit: u64) -> u64 {
    let all = (u128::from(bps) * 100).div_ceil(u128::from(limit).max(1));
    u64::try_from(all).unwrap_or(u64::MAX)
}

/// What is found on the way through the failures.
struct Survey<'n, 'a> {
    network: &'n Network<'a>,
    chosen: Vec<Chosen>,
    tallies: Tallies,
    matrix: Matrix,
    /// What flows towards each node load, normally.
    flows: BTreeMap<usize, Vec<Load>>,
    /// All of them together, by [`Routing::place`].
    loads: Vec<u64>,
    /// The nodes towards which something flows over each core link, normally.
    over: Vec<BTreeSet<usize>>,
    /// What each site router sends and is sent, by class.
    totals: Vec<Vec<[u64; 2]>>,
    links: Vec<LinkLoad>,
}

impl<'n, 'a> Survey<'n, 'a> {
    fn new(network: &'n Network<'a>) -> Self {
        let Network { plan, topology, demands, routing, .. } = network;
        let nothing = Gone::default();
        let all = 0..topology.site_routers.len();
        let chosen: Vec<Chosen> =
            all.map(|number| network.chosen(number, &nothing, &network.intact)).collect();
        let homes: Vec<Home> = chosen.iter().map(|chosen| network.home(*chosen)).collect();
        let tallies = demands.tallies(&homes);
        let matrix = demands.matrix(&tallies, |number| homes[number]);
        let classes = network.classes.len();
        let dead = Dead::new(topology, &nothing);
        let mut loads = vec![0_u64; topology.core_links.len() * 2 * classes];
        let mut over = vec![BTreeSet::new(); topology.core_links.len()];
        let mut flows = BTreeMap::new();
        for (to, sent) in &matrix {
            let routed = routing.route(topology, *to, sent, &dead);
            for (place, amount) in &routed {
                loads[*place] = loads[*place].saturating_add(*amount);
                over[place / classes / 2].insert(*to);
            }
            flows.insert(*to, routed);
        }
        let totals = demands.totals(&homes, classes);
        let mut links = Vec::with_capacity(plan.links.len() * 2);
        for (link, planned) in plan.links.iter().enumerate() {
            let rates = [planned.rate_kbps, planned.rate_back_kbps];
            links.extend(rates.into_iter().enumerate().map(|(from, rate_kbps)| LinkLoad {
                link,
                from,
                rate_kbps,
                normal: vec![0; classes],
                peaks: vec![Peak::default(); classes],
                peak: Peak::default(),
            }));
        }
        let mut survey =
            Self { network, chosen, tallies, matrix, flows, loads, over, totals, links };
        survey.note_core(&survey.loads.clone(), None);
        for number in 0..survey.chosen.len() {
            survey.note_uplinks(number, survey.chosen[number], None);
        }
        for load in &mut survey.links {
            load.normal = load.peaks.iter().map(|peak| peak.bps).collect();
        }
        survey
    }

    /// Notes what core links carry.
    fn note_core(&mut self, loads: &[u64], failure: Option<usize>) {
        let classes = self.network.classes.len();
        if classes == 0 {
            return;
        }
        let directions = loads.chunks_exact(classes).enumerate();
        for (direction, loads) in directions {
            let link = &self.network.topology.core_links[direction / 2];
            note(&mut self.links[link.place * 2 + direction % 2], loads, failure);
        }
    }

    /// Notes what a site router's uplinks carry.
    fn note_uplinks(&mut self, number: usize, chosen: Chosen, failure: Option<usize>) {
        let Some(uplinks) = chosen else { return };
        let Network { plan, topology, .. } = self.network;
        for (side, uplink) in uplinks.into_iter().enumerate() {
            let uplink = &topology.uplinks[uplink];
            let at_site = site_end(plan, topology, uplink);
            let from = if side == 0 { at_site } else { 1 - at_site };
            let loads: Vec<u64> = self.totals[number].iter().map(|both| both[side]).collect();
            note(&mut self.links[uplink.place * 2 + from], &loads, failure);
        }
    }

    /// The loss of each site router's preferred uplinks, one at a time, on its other ones.
    fn uplinks_alone(&mut self) {
        let network = self.network;
        for number in 0..self.chosen.len() {
            let Some(uplinks) = self.chosen[number] else { continue };
            for uplink in BTreeSet::from(uplinks) {
                let place = network.topology.uplinks[uplink].place;
                let gone = Gone { links: BTreeSet::from([place]), ..Gone::default() };
                let chosen = network.chosen(number, &gone, &network.intact);
                // Links are the first of all failures.
                self.note_uplinks(number, chosen, Some(place));
            }
        }
    }

    fn examine(&mut self, failure: usize, gone: &Gone) {
        let Network { topology, demands, routing, intact, weak, .. } = self.network;
        let after = topology.after(gone, intact, weak);
        let choose = |number: &usize| (*number, self.network.chosen(*number, gone, &after));
        let moved: BTreeMap<usize, Chosen> = after
            .touched
            .iter()
            .map(choose)
            .filter(|(number, chosen)| self.chosen[*number] != *chosen)
            .collect();
        let matrix = (!moved.is_empty()).then(|| {
            let mut tallies = self.tallies.clone();
            for (number, chosen) in &moved {
                demands.remove(&mut tallies, *number, self.network.home(self.chosen[*number]));
                demands.add(&mut tallies, *number, self.network.home(*chosen));
            }
            let chosen = |number| *moved.get(&number).unwrap_or(&self.chosen[number]);
            demands.matrix(&tallies, |number| self.network.home(chosen(number)))
        });
        let dead = Dead::new(topology, gone);
        let cut = dead.links.iter().enumerate().filter(|(_, dead)| **dead);
        let mut affected: BTreeSet<usize> =
            cut.flat_map(|(link, _)| &self.over[link]).copied().collect();
        if let Some(matrix) = &matrix {
            let all = self.matrix.keys().chain(matrix.keys()).copied();
            affected.extend(all.filter(|to| self.matrix.get(to) != matrix.get(to)));
        }
        let mut loads = self.loads.clone();
        let nobody = Flows::new();
        for to in affected {
            for (place, amount) in self.flows.get(&to).into_iter().flatten() {
                loads[*place] = loads[*place].saturating_sub(*amount);
            }
            let sent = matrix.as_ref().unwrap_or(&self.matrix).get(&to).unwrap_or(&nobody);
            for (place, amount) in routing.route(topology, to, sent, &dead) {
                loads[place] = loads[place].saturating_add(amount);
            }
        }
        self.note_core(&loads, Some(failure));
        for (number, chosen) in moved {
            self.note_uplinks(number, chosen, Some(failure));
        }
    }
}

/// All classes together.
fn total(loads: &[u64]) -> u64 {
    loads.iter().fold(0, |all, one| all.saturating_add(*one))
}

/// Notes what one direction of a link carries, where it is more than ever.
fn note(link: &mut LinkLoad, loads: &[u64], failure: Option<usize>) {
    let all = total(loads);
    for (peak, bps) in link.peaks.iter_mut().chain([&mut link.peak]).zip(loads.iter().chain([&all]))
    {
        if *bps > peak.bps {
            *peak = Peak { bps: *bps, failure };
        }
    }
}
