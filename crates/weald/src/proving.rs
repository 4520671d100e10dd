//! The forwarding tables of a plan, and what is proved over them: the one place that knows where
//! tables come from.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use model::plan::Plan;
use model::tables::RouterTables;
use proof::certificate::{CapacityFigures, IsolationFigures, Judgement, SurvivalFigures, Verdicts};
use proof::{Capacity, Excess, Failure, Gone, Isolation, Lack, Repairs, Survival};

use crate::collected;

/// Where the tables come from, as certificates say it. Tables that come from elsewhere are not the
/// same octet for octet: whoever changes this makes older certificates verifiable by older versions
/// alone, and has to change the words.
pub(crate) const SOURCE: &str = "worked out from the configurations of all routers";

/// What was proved, and over what.
#[derive(Debug)]
pub(crate) struct Proved {
    pub(crate) tables: Vec<RouterTables>,
    /// Where these come from, as certificates say it.
    pub(crate) source: &'static str,
    pub(crate) isolation: Isolation,
    pub(crate) survival: Survival,
    pub(crate) repairs: Repairs,
    pub(crate) capacity: Capacity,
    pub(crate) promises: Promises,
    /// What took how long, in milliseconds.
    pub(crate) times: Vec<(&'static str, f64)>,
}

/// Whether the tables keep every promise, in the states that were examined.
#[derive(Debug, Default)]
pub(crate) struct Promises {
    pub(crate) states: usize,
    /// Of each state in which some are not kept, how it came about, and what is lacking.
    pub(crate) unkept: Vec<(Option<Failure>, Vec<Lack>)>,
}

/// Pairs of LANs are looked at one by one: in larger regions nobody would wait for it.
const LANS_MAX: usize = 2_000;

impl Promises {
    /// Looks every promise up in these tables, and where all failures are wanted, in those that
    /// routers would come to after each.
    fn new(
        plan: &Plan,
        (tables, survival): (&[RouterTables], &Survival),
        failures: &[Failure],
        progress: &mut dyn FnMut(usize),
    ) -> Self {
        let mut promises = Self::default();
        if plan.attachments.len() > LANS_MAX {
            return promises;
        }
        let standing: BTreeSet<usize> = survival.standing.sites.iter().copied().collect();
        promises.add(plan, tables, (None, &standing));
        let cuts: BTreeMap<&Failure, &[usize]> =
            survival.cuts.iter().map(|cut| (&cut.failure, &*cut.loss.sites)).collect();
        for (number, failure) in failures.iter().enumerate() {
            progress(number);
            let also = cuts.get(failure).copied().unwrap_or_default();
            let cut_off = standing.iter().chain(also).copied().collect();
            let tables = proof::converged(plan, &failure.gone(plan));
            promises.add(plan, &tables, (Some(failure.clone()), &cut_off));
        }
        promises
    }

    fn add(
        &mut self,
        plan: &Plan,
        tables: &[RouterTables],
        (failure, cut_off): (Option<Failure>, &BTreeSet<usize>),
    ) {
        self.states += 1;
        let lacks = proof::reach(plan, tables).lacks(plan, cut_off);
        if !lacks.is_empty() {
            self.unkept.push((failure, lacks));
        }
    }

    pub(crate) fn unkept(&self) -> usize {
        self.unkept.iter().map(|(_, lacks)| lacks.len()).sum()
    }
}

/// Times what is done.
fn timed<T>(
    times: &mut Vec<(&'static str, f64)>,
    what: &'static str,
    work: impl FnOnce() -> T,
) -> T {
    let start = Instant::now();
    let done = work();
    times.push((what, start.elapsed().as_secs_f64() * 1e3));
    done
}

/// Works out the tables of a plan and proves over them.
pub(crate) fn prove(plan: &Plan) -> Proved {
    let mut times = Vec::new();
    let tables = timed(&mut times, "tables", || proof::converged(plan, &Gone::default()));
    prove_over(plan, tables, times)
}

/// The same, and looks every promise up in the tables of every single failure.
pub(crate) fn prove_deeply(plan: &Plan, progress: &mut dyn FnMut(usize, usize)) -> Proved {
    let mut proved = prove(plan);
    let failures = Failure::all(plan);
    let start = Instant::now();
    let over = (&*proved.tables, &proved.survival);
    proved.promises =
        Promises::new(plan, over, &failures, &mut |done| progress(done, failures.len()));
    proved.times.retain(|(what, _)| *what != "promises");
    proved.times.push(("promises", start.elapsed().as_secs_f64() * 1e3));
    proved
}

/// The same of isolation and survival alone.
pub(crate) fn prove_quickly(plan: &Plan) -> Proved {
    let mut times = Vec::new();
    let tables = timed(&mut times, "tables", || proof::converged(plan, &Gone::default()));
    let isolation = timed(&mut times, "isolation", || proof::isolation(plan, &tables));
    let survival = timed(&mut times, "survival", || proof::survival(plan));
    Proved {
        tables,
        source: SOURCE,
        isolation,
        survival,
        repairs: Repairs::default(),
        capacity: Capacity::default(),
        promises: Promises::default(),
        times,
    }
}

/// Proves over tables that were collected from running routers.
pub(crate) fn prove_collected(plan: &Plan, tables: Vec<RouterTables>) -> Proved {
    Proved { source: collected::SOURCE, ..prove_over(plan, tables, Vec::new()) }
}

/// Proves over these tables.
pub(crate) fn prove_over(
    plan: &Plan,
    tables: Vec<RouterTables>,
    mut times: Vec<(&'static str, f64)>,
) -> Proved {
    let isolation = timed(&mut times, "isolation", || proof::isolation(plan, &tables));
    let survival = timed(&mut times, "survival", || proof::survival(plan));
    let repairs = timed(&mut times, "repairs", || proof::repairs(plan, &tables));
    let capacity = timed(&mut times, "capacity", || proof::capacity(plan));
    let over = (&*tables, &survival);
    let promises = timed(&mut times, "promises", || Promises::new(plan, over, &[], &mut |_| {}));
    Proved { tables, source: SOURCE, isolation, survival, repairs, capacity, promises, times }
}

impl Proved {
    pub(crate) fn verdicts(&self) -> Verdicts {
        let Self { isolation, capacity, .. } = self;
        Verdicts {
            isolation: IsolationFigures::of(isolation),
            survival: Some(survival_figures(self)),
            capacity: Some(capacity_figures(capacity)),
        }
    }

    /// Whether a part was proved.
    pub(crate) fn has(&self, part: &str) -> bool {
        self.times.iter().any(|(name, _)| *name == part)
    }

    pub(crate) fn is_good(&self) -> bool {
        self.verdicts().judgement() == Judgement::Holds
    }
}

pub(crate) fn survival_figures(proved: &Proved) -> SurvivalFigures {
    let Proved { survival, repairs, promises, .. } = proved;
    SurvivalFigures {
        failures: survival.examined.total(),
        cutting: survival.cuts.len(),
        not_resilient: survival.not_resilient.len(),
        cut_off_already: survival.standing.sites.len(),
        faulty_repairs: repairs.faulty,
        states: promises.states,
        unkept: promises.unkept(),
    }
}

pub(crate) fn capacity_figures(capacity: &Capacity) -> CapacityFigures {
    let over = |is_wanted: fn(&Excess) -> bool| {
        let overloads = capacity.overloads.iter().filter(|overload| is_wanted(&overload.excess));
        overloads.map(|overload| (overload.link, overload.from)).collect::<BTreeSet<_>>().len()
    };
    CapacityFigures {
        failures: capacity.failures.len(),
        above_75: over(|excess| matches!(excess, Excess::High | Excess::Rate)),
        above_100: over(|excess| matches!(excess, Excess::Rate)),
    }
}
