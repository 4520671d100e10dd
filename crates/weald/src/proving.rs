//! The forwarding tables of a plan, and what is proved over them: the one place that knows where
//! tables come from.

use std::collections::BTreeSet;
use std::time::Instant;

use model::plan::Plan;
use model::tables::RouterTables;
use proof::certificate::{CapacityFigures, IsolationFigures, Judgement, SurvivalFigures, Verdicts};
use proof::{Capacity, Excess, Gone, Isolation, Repairs, Survival};

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
    /// What took how long, in milliseconds.
    pub(crate) times: Vec<(&'static str, f64)>,
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

/// The same of isolation and survival alone.
pub(crate) fn prove_quickly(plan: &Plan) -> Proved {
    let mut times = Vec::new();
    let tables = timed(&mut times, "tables", || proof::converged(plan, &Gone::default()));
    let isolation = timed(&mut times, "isolation", || proof::isolation(plan, &tables));
    let survival = timed(&mut times, "survival", || proof::survival(plan));
    let (repairs, capacity) = (Repairs::default(), Capacity::default());
    Proved { tables, source: SOURCE, isolation, survival, repairs, capacity, times }
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
    Proved { tables, source: SOURCE, isolation, survival, repairs, capacity, times }
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
    let Proved { survival, repairs, .. } = proved;
    SurvivalFigures {
        failures: survival.examined.total(),
        cutting: survival.cuts.len(),
        not_resilient: survival.not_resilient.len(),
        faulty_repairs: repairs.faulty,
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
