//! Repairs that are there before anything fails.
//!
//! When a core link fails, the router at its end sends on over another equal hop or over a backup,
//! at once and alone: nobody else has noticed yet. So for every way of every core router and every
//! core link that it begins with, this asks three things of the tables as they are: whether the
//! rest of the core has another way at all; whether a repair is installed; and whether a packet on
//! it, by the other routers' unchanged label tables, reaches the same router without crossing the
//! failed link and without coming back.
//!
//! Labelled packets end where their last label is taken off; packets of the region's own addresses
//! go on by the global tables. The way under an adjacency's label is left out: that label means this
//! link and no other.
//!
//! Standards: RFC 9855 (a repair reaches its destination whatever others still believe), RFC 8402
//! §3.4 (adjacency segments).
//! Not implemented: whether repairs also avoid the failed link's far router or its shared risks.
#![expect(clippy::indexing_slicing, reason = "nodes and links are places in the topology")]

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use base::{Label, LabelSpace, PortId, Prefix};
use model::plan::Plan;
use model::tables::{Hop, LabelAction, Path, RouterTables, Transport, VrfRoute};

use crate::failure::Failure;
use crate::topology::{After, Topology, WeakPoints};

/// How many faulty repairs are named: more would not be read.
pub const FAULTY_NAMED_MAX: usize = 1000;
/// Routers on one way: no packet lives longer.
const HOPS_MAX: usize = 255;

/// How far traffic is protected against the failure of a core link, counted by way and link.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Repairs {
    /// A repair is installed and leads to the destination.
    pub protected: usize,
    /// None is installed although there is another way.
    pub unprotected: usize,
    /// There is no other way.
    pub no_alternative: usize,
    /// A repair is installed and does not lead to the destination.
    pub faulty: usize,
    /// The way does not lead to one router even while nothing fails.
    pub unclear: usize,
    /// The faulty ones, the first [`FAULTY_NAMED_MAX`].
    pub faults: Vec<FaultyRepair>,
}

/// A repair that does not lead to the destination.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FaultyRepair {
    /// The router that repairs: its place in [`Plan::routers`].
    pub router: usize,
    /// The router that is to be reached.
    pub destination: usize,
    /// The link that failed: its place in [`Plan::links`].
    pub link: usize,
    /// What is wrong.
    pub fault: RepairFault,
}

/// What is wrong with a repair; routers are places in [`Plan::routers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RepairFault {
    /// This router sends it over the failed link.
    Crosses(usize),
    /// It comes to this router again, or never ends.
    Loop(usize),
    /// This router does not know its label.
    Dead {
        /// The router.
        at: usize,
        /// The label.
        label: Label,
    },
    /// It ends at this router, for want of a hop, a link or a route.
    Ends(usize),
    /// It is set down at this router, which is another one.
    Astray(usize),
}

impl Repairs {
    /// How many pairs of a way and a link have an alternative.
    #[must_use]
    pub const fn repairable(&self) -> usize {
        self.protected + self.unprotected + self.faulty
    }
}

impl FaultyRepair {
    /// The fault in words.
    #[must_use]
    pub fn in_words(&self, plan: &Plan) -> String {
        let name = |place: usize| plan.routers.get(place).map_or("", |router| &router.name);
        let fault: &dyn fmt::Display = match self.fault {
            RepairFault::Crosses(at) => &format!("{} sends it over that link", name(at)),
            RepairFault::Loop(at) => &format!("it comes to {} again", name(at)),
            RepairFault::Dead { at, label } => {
                &format!("label {label} means nothing at {}", name(at))
            }
            RepairFault::Ends(at) => &format!("it ends at {}", name(at)),
            RepairFault::Astray(at) => &format!("it leads to {}", name(at)),
        };
        let link = Failure::Link(self.link).name(plan);
        let (router, destination) = (name(self.router), name(self.destination));
        format!("{router} cannot repair its way to {destination} without {link}: {fault}")
    }
}

/// Looks at every way of every core router, with each core link it begins with gone.
#[must_use]
pub fn repairs(plan: &Plan, tables: &[RouterTables]) -> Repairs {
    let topology = Topology::new(plan);
    let mut by_place: Vec<Option<&RouterTables>> = vec![None; plan.routers.len()];
    for one in tables {
        if let Some(place) = topology.places.get(one.router.as_str()) {
            by_place[*place] = Some(one);
        }
    }
    let mut core = Core { plan, tables: by_place, far: BTreeMap::new() };
    for link in &topology.core_links {
        let [a, b] = &plan.links[link.place].ends;
        let [at_a, at_b] = link.ends.map(|node| topology.nodes[node]);
        core.far.insert((at_a, a.port), (link.place, at_b));
        core.far.insert((at_b, b.port), (link.place, at_a));
    }
    let intact = topology.intact();
    let survey = Survey { weak: topology.weak_points(), topology, intact, core };
    let mut found = Repairs::default();
    for node in 0..survey.topology.nodes.len() {
        survey.examine(survey.topology.nodes[node], &mut found);
    }
    found
}

/// What is below the labels of a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Beneath {
    /// A service: where labels end, there it is.
    Service,
    /// A packet for one of the region's own addresses.
    Address(Prefix),
}

/// What a router is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Question {
    Label(Label),
    Address(Prefix),
}

/// The core's tables and links.
struct Core<'a> {
    plan: &'a Plan,
    /// By place in the plan.
    tables: Vec<Option<&'a RouterTables>>,
    /// The link at a router's port and the router at its other end.
    far: BTreeMap<(usize, PortId), (usize, usize)>,
}

struct Survey<'a> {
    topology: Topology<'a>,
    weak: WeakPoints,
    intact: After,
    core: Core<'a>,
}

impl Survey<'_> {
    fn examine(&self, router: usize, found: &mut Repairs) {
        let Some(tables) = self.core.tables[router] else { return };
        let mut with_all = Walk::new(&self.core, router, None);
        let mut without: BTreeMap<usize, Walk<'_, '_>> = BTreeMap::new();
        for (transport, beneath) in self.core.ways(router, tables) {
            let first = |hop: &Hop| Some(self.core.far.get(&(router, hop.port))?.0);
            let links: BTreeSet<usize> = transport.hops.iter().filter_map(first).collect();
            if links.is_empty() {
                continue;
            }
            let normal = with_all.transport(router, transport, beneath, 0);
            let mut ends = normal.ends.iter();
            let (Some(destination), None, true) = (ends.next(), ends.next(), normal.is_sound())
            else {
                found.unclear += links.len();
                continue;
            };
            for link in links {
                let walk = without
                    .entry(link)
                    .or_insert_with(|| Walk::new(&self.core, router, Some(link)));
                let is_left = |hop: &&Hop| first(hop) != Some(link);
                let mut repair: Vec<&Hop> = transport.hops.iter().filter(is_left).collect();
                if repair.is_empty() {
                    repair.extend(transport.backups.iter().filter(is_left));
                }
                if repair.is_empty() && self.joins(router, *destination, link) {
                    found.unprotected += 1;
                } else if repair.is_empty() {
                    found.no_alternative += 1;
                } else {
                    let fault = walk.fault(router, &repair, beneath, *destination);
                    found.add(router, *destination, link, fault);
                }
            }
        }
    }

    /// Whether two routers have a way without a link.
    fn joins(&self, a: usize, b: usize, link: usize) -> bool {
        let (Some(a), Some(b)) = (self.topology.node(a), self.topology.node(b)) else {
            return false;
        };
        let core_link = self.topology.core_link(link);
        if core_link.is_some_and(|link| !self.weak.bridges[link]) {
            return self.intact.joins(a, b);
        }
        let gone = Failure::Link(link).gone(self.core.plan);
        self.topology.after(&gone, &self.intact, &self.weak).joins(a, b)
    }
}

impl Repairs {
    fn add(&mut self, router: usize, destination: usize, link: usize, fault: Option<RepairFault>) {
        let Some(fault) = fault else {
            self.protected += 1;
            return;
        };
        self.faulty += 1;
        if self.faults.len() < FAULTY_NAMED_MAX {
            self.faults.push(FaultyRepair { router, destination, link, fault });
        }
    }
}

impl<'a> Core<'a> {
    /// Every way of a router with what it carries, but those under an adjacency's label.
    fn ways(&self, router: usize, tables: &'a RouterTables) -> Vec<(&'a Transport, Beneath)> {
        let local = self.plan.routers[router].isis.as_ref().map(|isis| isis.srlb);
        let is_adjacency = |label: Label| {
            let offset = |first: Label| label.value().checked_sub(first.value());
            local.and_then(|block| Some(offset(block.first)? < block.count)) == Some(true)
        };
        let mut uses: BTreeSet<(u32, Beneath)> = BTreeSet::new();
        let services = |paths: &[Path]| -> Vec<(u32, Beneath)> {
            paths.iter().map(|path| (path.via, Beneath::Service)).collect()
        };
        let remote = tables.vrfs.iter().flat_map(|vrf| &vrf.routes);
        for route in remote {
            if let VrfRoute::Remote(paths) = &route.to {
                uses.extend(services(paths));
            }
        }
        for entry in &tables.labels {
            match &entry.action {
                LabelAction::Swap(paths) => uses.extend(services(paths)),
                LabelAction::Transit(via) if !is_adjacency(entry.label) => {
                    uses.insert((*via, Beneath::Service));
                }
                LabelAction::Transit(_) | LabelAction::Pop | LabelAction::Vrf(_) => {}
            }
        }
        let addresses = tables.global.iter();
        uses.extend(addresses.filter_map(|one| Some((one.via?, Beneath::Address(one.prefix)))));
        let all = uses.into_iter();
        all.filter_map(|(via, beneath)| Some((transport(tables, via)?, beneath))).collect()
    }
}

fn transport(tables: &RouterTables, number: u32) -> Option<&Transport> {
    tables.transports.get(usize::try_from(number).ok()?)
}

/// Where a way leads.
#[derive(Debug, Clone, Default)]
struct Outcome {
    ends: BTreeSet<usize>,
    faults: BTreeSet<RepairFault>,
}

impl Outcome {
    fn end(at: usize) -> Self {
        Self { ends: BTreeSet::from([at]), ..Self::default() }
    }

    fn fault(fault: RepairFault) -> Self {
        Self { faults: BTreeSet::from([fault]), ..Self::default() }
    }

    fn merge(&mut self, other: &Self) {
        self.ends.extend(&other.ends);
        self.faults.extend(&other.faults);
    }

    fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Walks from one router with one link gone, and remembers what each other router made of it.
struct Walk<'c, 'a> {
    core: &'c Core<'a>,
    start: usize,
    failed: Option<usize>,
    /// None while it is under way.
    known: BTreeMap<(usize, Question), Option<Rc<Outcome>>>,
}

impl<'c, 'a> Walk<'c, 'a> {
    const fn new(core: &'c Core<'a>, start: usize, failed: Option<usize>) -> Self {
        Self { core, start, failed, known: BTreeMap::new() }
    }

    /// What is wrong with a repair by these hops; nothing if all lead to the destination.
    fn fault(
        &mut self,
        router: usize,
        repair: &[&Hop],
        beneath: Beneath,
        destination: usize,
    ) -> Option<RepairFault> {
        let mut outcome = Outcome::default();
        for hop in repair {
            outcome.merge(&self.hop(router, hop, beneath, 0));
        }
        let astray = outcome.ends.iter().find(|end| **end != destination);
        outcome.faults.first().copied().or(astray.map(|end| RepairFault::Astray(*end)))
    }

    /// By the hops that the router uses while it knows of no failure.
    fn transport(
        &mut self,
        router: usize,
        transport: &Transport,
        beneath: Beneath,
        depth: usize,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        for hop in &transport.hops {
            outcome.merge(&self.hop(router, hop, beneath, depth));
        }
        if transport.hops.is_empty() {
            outcome.faults.insert(RepairFault::Ends(router));
        }
        outcome
    }

    fn hop(&mut self, router: usize, hop: &Hop, beneath: Beneath, depth: usize) -> Outcome {
        let Some(&(link, next)) = self.core.far.get(&(router, hop.port)) else {
            return Outcome::fault(RepairFault::Ends(router));
        };
        if self.failed == Some(link) {
            return Outcome::fault(RepairFault::Crosses(router));
        }
        let beneath = match beneath {
            Beneath::Service => None,
            Beneath::Address(prefix) => Some(Question::Address(prefix)),
        };
        let mut outcome = Outcome::end(next);
        for question in hop.labels.iter().copied().map(Question::Label).chain(beneath) {
            let ends = core::mem::take(&mut outcome.ends);
            for at in ends {
                outcome.merge(&self.ask(at, question, depth + 1));
            }
        }
        outcome
    }

    /// Where a router sends a packet on to.
    fn ask(&mut self, router: usize, question: Question, depth: usize) -> Rc<Outcome> {
        let looped = || Rc::new(Outcome::fault(RepairFault::Loop(router)));
        if depth > HOPS_MAX || (router == self.start && self.failed.is_some()) {
            return looped();
        }
        if let Some(known) = self.known.get(&(router, question)) {
            return known.clone().unwrap_or_else(looped);
        }
        self.known.insert((router, question), None);
        let outcome = Rc::new(match question {
            Question::Label(label) => self.label(router, label, depth),
            Question::Address(prefix) => self.address(router, prefix, depth),
        });
        self.known.insert((router, question), Some(Rc::clone(&outcome)));
        outcome
    }

    fn label(&mut self, router: usize, label: Label, depth: usize) -> Outcome {
        let tables = self.core.tables.get(router).copied().flatten();
        let found = tables.and_then(|tables| {
            let labels = &tables.labels;
            let key = (LabelSpace::Platform, label);
            let at = labels.binary_search_by_key(&key, |one| (one.space, one.label)).ok()?;
            Some((tables, &labels.get(at)?.action))
        });
        let via = match found {
            Some((_, LabelAction::Pop)) => return Outcome::end(router),
            Some((tables, LabelAction::Transit(via))) => transport(tables, *via),
            Some((_, LabelAction::Vrf(_) | LabelAction::Swap(_))) | None => None,
        };
        match via {
            Some(transport) => self.transport(router, transport, Beneath::Service, depth),
            None => Outcome::fault(RepairFault::Dead { at: router, label }),
        }
    }

    fn address(&mut self, router: usize, prefix: Prefix, depth: usize) -> Outcome {
        let tables = self.core.tables.get(router).copied().flatten();
        let found = tables.and_then(|tables| {
            let at = tables.global.binary_search_by_key(&prefix, |one| one.prefix).ok()?;
            Some((tables, tables.global.get(at)?.via))
        });
        match found {
            Some((_, None)) => Outcome::end(router),
            Some((tables, Some(via))) => match transport(tables, via) {
                Some(transport) => {
                    self.transport(router, transport, Beneath::Address(prefix), depth)
                }
                None => Outcome::fault(RepairFault::Ends(router)),
            },
            None => Outcome::fault(RepairFault::Ends(router)),
        }
    }
}
