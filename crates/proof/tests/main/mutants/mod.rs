//! Single faults, planted one at a time: each is refused by a proof, and by a name that it may have,
//! or it is harmless.
//!
//! `plans` and `promises` plant faults in plans, `tables` in the tables of routers that run. Of a
//! mutated plan the tables are worked out ([`proof::converged`]); what no proof refuses is run in
//! the twin, and its survey decides (`judge`). Of mutated tables, what no proof refuses has to
//! deliver the same packets to the same LANs, by a walker that knows nothing of the prover's
//! (`oracle`).
//!
//! A planter counts the places where its fault can be made, and makes it at one of them.

mod judge;
mod oracle;
mod plans;
mod promises;
mod tables;

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

use model::plan::Plan;
use model::tables::RouterTables;

use self::judge::{Judge, Judgement};

/// Makes a fault at the place of this number; where there is no such place, says how many there are.
pub(crate) enum Plant {
    /// In a plan.
    Plan(fn(&mut Plan, usize) -> Result<(), usize>),
    /// In the tables of running routers.
    Tables(fn(&Plan, &mut Vec<RouterTables>, usize) -> Result<(), usize>),
}

/// A kind of fault.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) plant: Plant,
    /// What it may be called by.
    pub(crate) called: &'static [&'static str],
    /// Whether it is about what happens when something fails.
    pub(crate) in_failures: bool,
}

/// The element of this number, or how many there are.
pub(crate) fn choose<T>(all: Vec<T>, place: usize) -> Result<T, usize> {
    let count = all.len();
    all.into_iter().nth(place).ok_or(count)
}

/// Every kind of fault.
pub(crate) fn kinds() -> impl Iterator<Item = &'static Kind> {
    plans::KINDS.iter().chain(promises::KINDS).chain(tables::KINDS)
}

/// How many faults of each kind are planted in a network, in plans and in tables.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Most {
    pub(crate) plans: usize,
    pub(crate) tables: usize,
    /// Whether failures are tried, in the proofs and in the twin. Where they are not, faults that may
    /// show in a failure only are not planted.
    pub(crate) failures: bool,
}

/// What became of the faults of one kind.
#[derive(Debug, Clone, Default)]
pub(crate) struct Count {
    pub(crate) planted: usize,
    pub(crate) refused: usize,
    pub(crate) harmless: usize,
    names: BTreeSet<String>,
}

/// What became of all faults.
#[derive(Debug, Default)]
pub(crate) struct Score {
    pub(crate) kinds: BTreeMap<&'static str, Count>,
    /// Faults that are neither refused nor harmless, or refused by no name that they may have.
    pub(crate) survivors: Vec<String>,
}

impl Score {
    pub(crate) fn planted(&self) -> usize {
        self.kinds.values().map(|count| count.planted).sum()
    }

    /// Plants faults of every kind in a network.
    pub(crate) fn add(&mut self, network: &str, plan: &Plan, live: &[RouterTables], most: Most) {
        let judge = Judge::new(plan, live, most.failures);
        for kind in kinds().filter(|kind| most.failures || !kind.in_failures) {
            let (places, most) = match kind.plant {
                Plant::Plan(plant) => (plant(&mut plan.clone(), usize::MAX), most.plans),
                Plant::Tables(plant) => (plant(plan, &mut live.to_vec(), usize::MAX), most.tables),
            };
            let places = places.err().unwrap_or(usize::MAX);
            let planted = places.min(most);
            for number in 0..planted {
                // Evenly over all places.
                let place = number * places / planted;
                let judgement = judge.judge(kind, place);
                self.count(kind, &format!("{network}: {} at {place}", kind.name), judgement);
            }
        }
    }

    fn count(&mut self, kind: &Kind, what: &str, judgement: Judgement) {
        let count = self.kinds.entry(kind.name).or_default();
        count.planted += 1;
        match judgement {
            Judgement::Refused(names) => {
                count.refused += 1;
                if !names.iter().any(|name| kind.called.contains(&name.as_str())) {
                    self.survivors.push(format!("{what}: called {names:?}"));
                }
                count.names.extend(names);
            }
            Judgement::Harmless => count.harmless += 1,
            Judgement::Survives(how) => self.survivors.push(format!("{what}: {how}")),
        }
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:44} planted refused harmless survivors  called", "kind")?;
        let mut all = Count::default();
        for (name, count) in &self.kinds {
            let Count { planted, refused, harmless, names } = count;
            let survive = planted - refused - harmless;
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let names = names.join(", ");
            writeln!(f, "{name:44} {planted:7} {refused:7} {harmless:8} {survive:9}  {names}")?;
            all.planted += planted;
            all.refused += refused;
            all.harmless += harmless;
        }
        let Count { planted, refused, harmless, .. } = all;
        let survive = planted - refused - harmless;
        let title = format!("{} kinds", self.kinds.len());
        writeln!(f, "{title:44} {planted:7} {refused:7} {harmless:8} {survive:9}")?;
        for survivor in &self.survivors {
            writeln!(f, "{survivor}")?;
        }
        Ok(())
    }
}
