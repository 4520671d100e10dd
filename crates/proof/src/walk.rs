//! The way of a label through the tables of the routers on it.
//!
//! Every hop is followed, of equal ways and of backups alike: which one a packet takes is chance or
//! a failure, and none may lead astray. A way has an answer of its own that does not depend on who
//! asks, so each is walked once, however many entries lead there; and where it only leads on to
//! another way, their answers are one.

use base::{Label, LabelSpace, VrfId};
use model::tables::{Accepts, Hop, LabelAction, Path};

use crate::region::{Region, RouterId};
use crate::violation::Fault;

/// Where labels end: a router, and the space in which it looks up what is beneath them.
pub(crate) type Arrival = (RouterId, LabelSpace);
/// Where a service label ends.
pub(crate) type End = (RouterId, VrfId);

/// What a way comes to.
#[derive(Debug, Clone)]
pub(crate) struct Outcome<T> {
    pub(crate) ends: Vec<T>,
    pub(crate) faults: Vec<Fault>,
}

impl<T: Ord + Copy> Outcome<T> {
    const fn new() -> Self {
        Self { ends: Vec::new(), faults: Vec::new() }
    }

    fn end(end: T) -> Self {
        Self { ends: vec![end], faults: Vec::new() }
    }

    fn fault(fault: Fault) -> Self {
        Self { ends: Vec::new(), faults: vec![fault] }
    }

    fn merge(&mut self, other: &Self) {
        self.ends.extend(&other.ends);
        self.faults.extend(other.faults.iter().cloned());
        self.ends.sort_unstable();
        self.ends.dedup();
        self.faults.sort_unstable();
        self.faults.dedup();
    }
}

/// Outcomes by number, and which way has which.
#[derive(Debug)]
struct Memory<T> {
    outcomes: Vec<Outcome<T>>,
    known: Vec<Known>,
}

/// How far a way is walked.
#[derive(Debug, Clone, Copy)]
enum Known {
    Nothing,
    UnderWay,
    Outcome(u32),
}

impl<T: Ord + Copy> Memory<T> {
    fn new(ways: usize) -> Self {
        Self { outcomes: Vec::new(), known: vec![Known::Nothing; ways] }
    }

    fn known(&self, way: usize) -> Known {
        self.known.get(way).copied().unwrap_or(Known::Nothing)
    }

    fn set(&mut self, way: usize, known: Known) {
        if let Some(slot) = self.known.get_mut(way) {
            *slot = known;
        }
    }

    fn add(&mut self, outcome: Outcome<T>) -> u32 {
        let number = u32::try_from(self.outcomes.len()).unwrap_or(u32::MAX);
        self.outcomes.push(outcome);
        number
    }

    fn outcome(&self, number: u32) -> &Outcome<T> {
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        self.outcomes.get(number).unwrap_or(const { &Outcome::<T>::NONE })
    }

    /// The one end of a way on which nothing goes wrong.
    fn only(&self, number: u32) -> Option<T> {
        match self.outcome(number) {
            Outcome { ends, faults } if faults.is_empty() => match ends.as_slice() {
                [end] => Some(*end),
                [] | [_, _, ..] => None,
            },
            Outcome { .. } => None,
        }
    }
}

impl<T> Outcome<T> {
    const NONE: Self = Self { ends: Vec::new(), faults: Vec::new() };
}

/// Walks, and remembers.
#[derive(Debug)]
pub(crate) struct Walker<'r, 'a> {
    region: &'r Region<'a>,
    /// By place among the transports of all routers.
    transports: Memory<Arrival>,
    /// By place among the labels of all routers: as labels of the core, and as service labels.
    labels: Memory<Arrival>,
    services: Memory<End>,
    /// Only what packets take now is followed: hops that are up, and the first path that is usable.
    only_usable: bool,
}

impl<'r, 'a> Walker<'r, 'a> {
    pub(crate) fn new(region: &'r Region<'a>) -> Self {
        Self {
            region,
            transports: Memory::new(region.transports),
            labels: Memory::new(region.labels),
            services: Memory::new(region.labels),
            only_usable: false,
        }
    }

    /// One that follows what packets take now, and nothing that is kept for later.
    pub(crate) fn of_packets(region: &'r Region<'a>) -> Self {
        Self { only_usable: true, ..Self::new(region) }
    }

    /// The hops that packets take now.
    pub(crate) fn usable_hops(&self, router: RouterId, via: u32) -> Vec<&'r Hop> {
        let Some(table) = self.region.router(router) else { return Vec::new() };
        let Some(transport) = table.transport(via) else { return Vec::new() };
        let is_up = |hop: &&Hop| table.port(hop.port).is_some_and(|port| port.up);
        let hops: Vec<&Hop> = transport.hops.iter().filter(is_up).collect();
        if hops.is_empty() { transport.backups.iter().filter(is_up).collect() } else { hops }
    }

    /// The path that packets take now.
    pub(crate) fn usable_path(&self, router: RouterId, paths: &[Path]) -> Option<Path> {
        let usable = |path: &&Path| {
            path.label >= Label::FIRST_FREE && !self.usable_hops(router, path.via).is_empty()
        };
        paths.iter().find(usable).copied()
    }

    fn at(&self, router: RouterId) -> String {
        self.region.router_name(router).to_owned()
    }

    /// What a way of a service comes to, by its number.
    pub(crate) fn outcome(&self, number: u32) -> &Outcome<End> {
        self.services.outcome(number)
    }

    /// The number of what a path from a router comes to.
    pub(crate) fn path(&mut self, router: RouterId, path: Path) -> u32 {
        let way = self.transport(router, path.via);
        if let Some((far, space)) = self.transports.only(way) {
            return self.service(far, space, path.label);
        }
        let Outcome { ends, faults } = self.transports.outcome(way).clone();
        let mut outcome = Outcome { ends: Vec::new(), faults };
        for (far, space) in ends {
            let next = self.service(far, space, path.label);
            outcome.merge(self.services.outcome(next));
        }
        self.services.add(outcome)
    }

    /// Where a transport sets down what is beneath its labels.
    fn transport(&mut self, router: RouterId, number: u32) -> u32 {
        let from = self.region.router(router).map_or(0, |one| one.transports_from);
        let transport = self.region.router(router).and_then(|one| one.transport(number));
        let (Some(transport), Ok(place)) = (transport, usize::try_from(number)) else {
            let fault = Fault::NoHop(self.at(router));
            return self.transports.add(Outcome::fault(fault));
        };
        let way = from + place;
        match self.transports.known(way) {
            Known::Outcome(number) => return number,
            Known::UnderWay => {
                let fault = Fault::Loop(self.at(router));
                return self.transports.add(Outcome::fault(fault));
            }
            Known::Nothing => self.transports.set(way, Known::UnderWay),
        }
        let mut outcome = Outcome::new();
        let hops = if self.only_usable {
            self.usable_hops(router, number)
        } else if transport.hops.is_empty() {
            Vec::new()
        } else {
            transport.hops.iter().chain(&transport.backups).collect()
        };
        if hops.is_empty() {
            outcome.faults.push(Fault::NoHop(self.at(router)));
        }
        for hop in hops {
            let of_hop = self.hop(router, hop);
            outcome.merge(&of_hop);
        }
        let number = self.transports.add(outcome);
        self.transports.set(way, Known::Outcome(number));
        number
    }

    fn hop(&mut self, router: RouterId, hop: &Hop) -> Outcome<Arrival> {
        let Some(first) = self.next(router, hop) else {
            return Outcome::fault(Fault::NoLink { at: self.at(router), port: hop.port });
        };
        let mut outcome = Outcome::end(first);
        for label in &hop.labels {
            let mut next = Outcome { ends: Vec::new(), faults: outcome.faults };
            for (at, space) in outcome.ends {
                let of_label = self.label(at, space, *label);
                next.merge(&of_label);
            }
            outcome = next;
        }
        outcome
    }

    /// The router behind a hop's port, and the space in which it looks labels up.
    fn next(&self, router: RouterId, hop: &Hop) -> Option<Arrival> {
        let (far, port) = self.region.router(router)?.far(hop.port)?;
        match &self.region.router(far)?.port(port)?.accepts {
            Accepts::Core => Some((far, LabelSpace::Platform)),
            Accepts::Uplink { space, .. } => Some((far, *space)),
            Accepts::Attachment { .. } => None,
        }
    }

    /// Where a transport label sets down what is beneath it.
    fn label(&mut self, router: RouterId, space: LabelSpace, label: Label) -> Outcome<Arrival> {
        let Some((way, action)) = self.find(router, space, label) else {
            return Outcome::fault(Fault::Dead { at: self.at(router), label });
        };
        match self.labels.known(way) {
            Known::Outcome(number) => return self.labels.outcome(number).clone(),
            Known::UnderWay => return Outcome::fault(Fault::Loop(self.at(router))),
            Known::Nothing => self.labels.set(way, Known::UnderWay),
        }
        let outcome = match action {
            LabelAction::Pop => Outcome::end((router, space)),
            LabelAction::Transit(via) => {
                let number = self.transport(router, *via);
                self.transports.outcome(number).clone()
            }
            LabelAction::Vrf(_) | LabelAction::Swap(_) => {
                Outcome::fault(Fault::ServiceOnTop { at: self.at(router), label })
            }
        };
        let number = self.labels.add(outcome.clone());
        self.labels.set(way, Known::Outcome(number));
        outcome
    }

    /// The place of a label among those of all routers, and what is done under it.
    fn find(
        &self,
        router: RouterId,
        space: LabelSpace,
        label: Label,
    ) -> Option<(usize, &'r LabelAction)> {
        let table = self.region.router(router)?;
        let place = table.label(space, label)?;
        Some((table.labels_from + place, table.action(place)?))
    }

    /// The number of what a packet under a service label comes to.
    pub(crate) fn service(&mut self, router: RouterId, space: LabelSpace, label: Label) -> u32 {
        let Some((way, action)) = self.find(router, space, label) else {
            return self.services.add(Outcome::fault(Fault::Dead { at: self.at(router), label }));
        };
        match self.services.known(way) {
            Known::Outcome(number) => return number,
            Known::UnderWay => {
                let fault = Fault::Loop(self.at(router));
                return self.services.add(Outcome::fault(fault));
            }
            Known::Nothing => self.services.set(way, Known::UnderWay),
        }
        let number = match action {
            LabelAction::Vrf(vrf) => self.services.add(Outcome::end((router, *vrf))),
            LabelAction::Swap(paths) if self.only_usable => match self.usable_path(router, paths) {
                Some(path) => self.path(router, path),
                None => self.services.add(Outcome::fault(Fault::NoHop(self.at(router)))),
            },
            LabelAction::Swap(paths) => match paths.as_slice() {
                [] => self.services.add(Outcome::fault(Fault::NoHop(self.at(router)))),
                [path] => self.path(router, *path),
                [_, _, ..] => {
                    let mut outcome = Outcome::new();
                    for path in paths {
                        let next = self.path(router, *path);
                        outcome.merge(self.services.outcome(next));
                    }
                    self.services.add(outcome)
                }
            },
            LabelAction::Pop | LabelAction::Transit(_) => {
                self.services.add(Outcome::fault(Fault::FallsOut { at: self.at(router), label }))
            }
        };
        self.services.set(way, Known::Outcome(number));
        number
    }
}
