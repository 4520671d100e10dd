//! The way of a label through the tables of the routers on it.
//!
//! Every hop is followed, of equal ways and of backups alike: which one a packet takes is chance or
//! a failure, and none may lead astray. A way has an answer of its own that does not depend on who
//! asks, so each is walked once, however many entries lead there.

use std::collections::BTreeMap;

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

/// A key of a walk that is done, or under way where there is no outcome yet.
type Memory<K, T> = BTreeMap<K, Option<Outcome<T>>>;

/// Walks, and remembers.
#[derive(Debug)]
pub(crate) struct Walker<'r, 'a> {
    region: &'r Region<'a>,
    transports: Memory<(RouterId, u32), Arrival>,
    labels: Memory<(RouterId, LabelSpace, Label), Arrival>,
    services: Memory<(RouterId, LabelSpace, Label), End>,
}

impl<'r, 'a> Walker<'r, 'a> {
    pub(crate) fn new(region: &'r Region<'a>) -> Self {
        let (transports, labels, services) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { region, transports, labels, services }
    }

    /// How many ways were walked.
    pub(crate) fn walked(&self) -> usize {
        self.transports.len() + self.labels.len() + self.services.len()
    }

    fn at(&self, router: RouterId) -> String {
        self.region.router_name(router).to_owned()
    }

    /// The ends of a path from a router.
    pub(crate) fn path(&mut self, router: RouterId, path: Path) -> Outcome<End> {
        let way = self.transport(router, path.via);
        let mut outcome = Outcome { ends: Vec::new(), faults: way.faults };
        for (far, space) in way.ends {
            outcome.merge(&self.service(far, space, path.label));
        }
        outcome
    }

    /// Where a transport sets down what is beneath its labels.
    fn transport(&mut self, router: RouterId, number: u32) -> Outcome<Arrival> {
        if let Some(known) = self.transports.get(&(router, number)) {
            return known.clone().unwrap_or_else(|| Outcome::fault(Fault::Loop(self.at(router))));
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
        self.transports.insert((router, number), Some(outcome.clone()));
        outcome
    }

    fn hop(&mut self, router: RouterId, hop: &Hop) -> Outcome<Arrival> {
        let region = self.region;
        let far = region.router(router).and_then(|one| one.far(hop.port));
        let accepts = far.and_then(|(far, port)| Some((far, region.router(far)?.port(port)?)));
        let (far, space) = match accepts {
            Some((far, port)) => match &port.accepts {
                Accepts::Core => (far, LabelSpace::Platform),
                Accepts::Uplink { space, .. } => (far, *space),
                Accepts::Attachment { .. } => {
                    return Outcome::fault(Fault::NoLink { at: self.at(router), port: hop.port });
                }
            },
            None => return Outcome::fault(Fault::NoLink { at: self.at(router), port: hop.port }),
        };
        let mut outcome = Outcome { ends: vec![(far, space)], faults: Vec::new() };
        for label in &hop.labels {
            let mut next = Outcome { ends: Vec::new(), faults: outcome.faults };
            for (at, space) in outcome.ends {
                next.merge(&self.label(at, space, *label));
            }
            outcome = next;
        }
        outcome
    }

    /// Where a transport label sets down what is beneath it.
    fn label(&mut self, router: RouterId, space: LabelSpace, label: Label) -> Outcome<Arrival> {
        let key = (router, space, label);
        if let Some(known) = self.labels.get(&key) {
            return known.clone().unwrap_or_else(|| Outcome::fault(Fault::Loop(self.at(router))));
        }
        self.labels.insert(key, None);
        let action = self.region.router(router).and_then(|one| one.label(space, label));
        let outcome = match action {
            Some(LabelAction::Pop) => Outcome { ends: vec![(router, space)], faults: Vec::new() },
            Some(LabelAction::Transit(via)) => self.transport(router, *via),
            Some(LabelAction::Vrf(_) | LabelAction::Swap(_)) => {
                Outcome::fault(Fault::ServiceOnTop { at: self.at(router), label })
            }
            None => Outcome::fault(Fault::Dead { at: self.at(router), label }),
        };
        self.labels.insert(key, Some(outcome.clone()));
        outcome
    }

    /// Where a packet under a service label ends.
    pub(crate) fn service(
        &mut self,
        router: RouterId,
        space: LabelSpace,
        label: Label,
    ) -> Outcome<End> {
        let key = (router, space, label);
        if let Some(known) = self.services.get(&key) {
            return known.clone().unwrap_or_else(|| Outcome::fault(Fault::Loop(self.at(router))));
        }
        self.services.insert(key, None);
        let action = self.region.router(router).and_then(|one| one.label(space, label));
        let outcome = match action {
            Some(LabelAction::Vrf(vrf)) => {
                Outcome { ends: vec![(router, *vrf)], faults: Vec::new() }
            }
            Some(LabelAction::Swap(paths)) => {
                let mut outcome = Outcome::new();
                if paths.is_empty() {
                    outcome.faults.push(Fault::NoHop(self.at(router)));
                }
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
        self.services.insert(key, Some(outcome.clone()));
        outcome
    }
}
