//! The way of a label through the tables of the routers on it.
//!
//! Every hop is followed, of equal ways and of backups alike: which one a packet takes is chance or
//! a failure, and none may lead astray. A way has an answer of its own that does not depend on who
//! asks, so each is walked once, however many entries lead there.

use std::collections::BTreeMap;
use std::rc::Rc;

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

/// What was walked; a walk that is under way has no outcome yet.
type Memory<K, T> = BTreeMap<K, Option<Rc<Outcome<T>>>>;

/// Walks, and remembers.
#[derive(Debug)]
pub(crate) struct Walker<'r, 'a> {
    region: &'r Region<'a>,
    paths: Memory<(RouterId, Label, u32), End>,
    transports: Memory<(RouterId, u32), Arrival>,
    labels: Memory<(RouterId, LabelSpace, Label), Arrival>,
    services: Memory<(RouterId, LabelSpace, Label), End>,
}

impl<'r, 'a> Walker<'r, 'a> {
    pub(crate) fn new(region: &'r Region<'a>) -> Self {
        Self {
            region,
            paths: BTreeMap::new(),
            transports: BTreeMap::new(),
            labels: BTreeMap::new(),
            services: BTreeMap::new(),
        }
    }

    /// How many ways were walked.
    pub(crate) fn walked(&self) -> usize {
        self.paths.len() + self.transports.len() + self.labels.len() + self.services.len()
    }

    fn at(&self, router: RouterId) -> String {
        self.region.router_name(router).to_owned()
    }

    fn looped<T: Ord + Copy>(&self, router: RouterId) -> Rc<Outcome<T>> {
        Rc::new(Outcome::fault(Fault::Loop(self.at(router))))
    }

    /// The ends of a path from a router.
    pub(crate) fn path(&mut self, router: RouterId, path: Path) -> Rc<Outcome<End>> {
        let key = (router, path.label, path.via);
        if let Some(known) = self.paths.get(&key) {
            return known.clone().unwrap_or_else(|| self.looped(router));
        }
        self.paths.insert(key, None);
        let way = self.transport(router, path.via);
        let mut outcome = Outcome { ends: Vec::new(), faults: way.faults.clone() };
        for &(far, space) in &way.ends {
            outcome.merge(&self.service(far, space, path.label));
        }
        let outcome = Rc::new(outcome);
        self.paths.insert(key, Some(Rc::clone(&outcome)));
        outcome
    }

    /// Where a transport sets down what is beneath its labels.
    fn transport(&mut self, router: RouterId, number: u32) -> Rc<Outcome<Arrival>> {
        if let Some(known) = self.transports.get(&(router, number)) {
            return known.clone().unwrap_or_else(|| self.looped(router));
        }
        self.transports.insert((router, number), None);
        let transport = self.region.router(router).and_then(|one| one.transport(number));
        let mut outcome = Outcome::new();
        match transport {
            Some(transport) if !transport.hops.is_empty() => {
                for hop in transport.hops.iter().chain(&transport.backups) {
                    outcome.merge(&self.hop(router, hop));
                }
            }
            Some(_) | None => outcome.faults.push(Fault::NoHop(self.at(router))),
        }
        let outcome = Rc::new(outcome);
        self.transports.insert((router, number), Some(Rc::clone(&outcome)));
        outcome
    }

    fn hop(&mut self, router: RouterId, hop: &Hop) -> Outcome<Arrival> {
        let Some(first) = self.next(router, hop) else {
            return Outcome::fault(Fault::NoLink { at: self.at(router), port: hop.port });
        };
        let mut outcome = Outcome::end(first);
        for label in &hop.labels {
            let mut next = Outcome { ends: Vec::new(), faults: outcome.faults };
            for (at, space) in outcome.ends {
                next.merge(&self.label(at, space, *label));
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
    fn label(&mut self, router: RouterId, space: LabelSpace, label: Label) -> Rc<Outcome<Arrival>> {
        let key = (router, space, label);
        if let Some(known) = self.labels.get(&key) {
            return known.clone().unwrap_or_else(|| self.looped(router));
        }
        self.labels.insert(key, None);
        let action = self.region.router(router).and_then(|one| one.label(space, label));
        let outcome = match action {
            Some(LabelAction::Pop) => Rc::new(Outcome::end((router, space))),
            Some(LabelAction::Transit(via)) => self.transport(router, *via),
            Some(LabelAction::Vrf(_) | LabelAction::Swap(_)) => {
                Rc::new(Outcome::fault(Fault::ServiceOnTop { at: self.at(router), label }))
            }
            None => Rc::new(Outcome::fault(Fault::Dead { at: self.at(router), label })),
        };
        self.labels.insert(key, Some(Rc::clone(&outcome)));
        outcome
    }

    /// Where a packet under a service label ends.
    pub(crate) fn service(
        &mut self,
        router: RouterId,
        space: LabelSpace,
        label: Label,
    ) -> Rc<Outcome<End>> {
        let key = (router, space, label);
        if let Some(known) = self.services.get(&key) {
            return known.clone().unwrap_or_else(|| self.looped(router));
        }
        self.services.insert(key, None);
        let action = self.region.router(router).and_then(|one| one.label(space, label));
        let outcome = match action {
            Some(LabelAction::Vrf(vrf)) => Outcome::end((router, *vrf)),
            Some(LabelAction::Swap(paths)) if paths.is_empty() => {
                Outcome::fault(Fault::NoHop(self.at(router)))
            }
            Some(LabelAction::Swap(paths)) => {
                let mut outcome = Outcome::new();
                for path in paths {
                    outcome.merge(&self.path(router, *path));
                }
                outcome
            }
            Some(LabelAction::Pop | LabelAction::Transit(_)) => {
                Outcome::fault(Fault::FallsOut { at: self.at(router), label })
            }
            None => Outcome::fault(Fault::Dead { at: self.at(router), label }),
        };
        let outcome = Rc::new(outcome);
        self.services.insert(key, Some(Rc::clone(&outcome)));
        outcome
    }
}
