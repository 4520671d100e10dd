//! What the proofs say of a network with a fault in it, and where they say nothing, the twin or the
//! oracle.

use std::collections::BTreeSet;

use base::Duration;
use model::plan::Plan;
use model::tables::RouterTables;
use proof::{Breach, Failure, Fault, Gone, converged, isolation, reach, repairs, survival};
use twin::fault::Fault as Strike;
use twin::survey::Extent;
use twin::{LinkState, Twin};

use super::oracle::{self, Deliveries};
use super::{Kind, Plant};

/// Longer than any of these networks takes to come up or to find its way around a failure.
const CONVERGENCE_MAX: Duration = Duration::from_secs(60);

/// What is to be said of a fault.
#[derive(Debug)]
pub(crate) enum Judgement {
    /// Proofs refuse it, and call it so.
    Refused(BTreeSet<String>),
    Harmless,
    /// It is not refused, and changes what packets do.
    Survives(String),
}

pub(crate) struct Judge<'a> {
    plan: &'a Plan,
    live: &'a [RouterTables],
    /// What the live tables deliver.
    deliveries: Deliveries,
    failures: bool,
    /// Cut off anyway in the plan without a fault.
    standing: BTreeSet<usize>,
    /// Ways over core links without a repair in the live tables.
    unprotected: usize,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(plan: &'a Plan, live: &'a [RouterTables], failures: bool) -> Self {
        let deliveries = oracle::deliveries(plan, live);
        let standing = survival(plan).standing.sites.into_iter().collect();
        let unprotected = repairs(plan, live).unprotected;
        Self { plan, live, deliveries, failures, standing, unprotected }
    }

    /// What becomes of a fault of this kind at a place.
    pub(crate) fn judge(&self, kind: &Kind, place: usize) -> Judgement {
        match kind.plant {
            Plant::Plan(plant) => {
                let mut plan = self.plan.clone();
                match plant(&mut plan, place) {
                    Ok(()) => self.judge_plan(&plan, kind),
                    Err(count) => Judgement::Survives(format!("no such place of {count}")),
                }
            }
            Plant::Tables(plant) => {
                let mut tables = self.live.to_vec();
                match plant(self.plan, &mut tables, place) {
                    Ok(()) => self.judge_tables(&tables),
                    Err(count) => Judgement::Survives(format!("no such place of {count}")),
                }
            }
        }
    }

    fn judge_plan(&self, plan: &Plan, kind: &Kind) -> Judgement {
        let tables = converged(plan, &Gone::default());
        let mut names = refusals(plan, &tables);
        let survival = survival(plan);
        if !survival.not_resilient.is_empty() {
            names.insert("not resilient".to_owned());
        }
        if survival.standing.sites.iter().any(|site| !self.standing.contains(site)) {
            names.insert("cut off".to_owned());
        }
        if names.is_empty() && self.failures {
            names = refusals_in_failures(plan);
        }
        if names.is_empty() { self.rehearse(plan, kind) } else { Judgement::Refused(names) }
    }

    /// Runs a plan that no proof refuses.
    fn rehearse(&self, plan: &Plan, kind: &Kind) -> Judgement {
        let Ok(mut twin) = Twin::new(plan.clone(), 1) else {
            return Judgement::Refused(["configuration".to_owned()].into());
        };
        if let Err(why) = twin.run_until_converged(CONVERGENCE_MAX, &mut |_| {}) {
            return Judgement::Survives(why.to_string());
        }
        if let Some(how) = surveyed(&mut twin) {
            return Judgement::Survives(how);
        }
        if !(self.failures && kind.in_failures) {
            return Judgement::Harmless;
        }
        for failure in Failure::all(plan) {
            if let Err(how) = fail_and_mend(&mut twin, &failure.gone(plan)) {
                return Judgement::Survives(format!("{}: {how}", failure.name(plan)));
            }
        }
        Judgement::Harmless
    }

    fn judge_tables(&self, tables: &[RouterTables]) -> Judgement {
        let mut names = refusals(self.plan, tables);
        let repairs = repairs(self.plan, tables);
        if repairs.unprotected > self.unprotected {
            names.insert("unprotected".to_owned());
        }
        if repairs.faulty > 0 {
            names.insert("faulty repair".to_owned());
        }
        if !names.is_empty() {
            return Judgement::Refused(names);
        }
        let found = oracle::deliveries(self.plan, tables);
        match oracle::difference(&self.deliveries, &found) {
            None => Judgement::Harmless,
            Some(how) => Judgement::Survives(how),
        }
    }
}

/// What is gone goes, and comes again.
fn fail_and_mend(twin: &mut Twin, gone: &Gone) -> Result<(), String> {
    let links = gone.links.iter();
    let links =
        links.map(|one| [LinkState::Cut, LinkState::Up].map(|state| Strike::Link(*one, state)));
    let routers = gone.routers.iter();
    let routers = routers.map(|one| [Strike::RouterDown(*one), Strike::RouterUp(*one)]);
    let both: Vec<[Strike; 2]> = links.chain(routers).collect();
    for [strike, _] in &both {
        twin.strike(*strike).map_err(|why| why.to_string())?;
    }
    twin.run_until_converged(CONVERGENCE_MAX, &mut |_| {}).map_err(|why| why.to_string())?;
    if let Some(how) = surveyed(twin) {
        return Err(how);
    }
    for [_, mend] in &both {
        twin.strike(*mend).map_err(|why| why.to_string())?;
    }
    let mended = twin.run_until_converged(CONVERGENCE_MAX, &mut |_| {});
    mended.map(drop).map_err(|why| format!("mended: {why}"))
}

/// What a survey finds to be wrong.
fn surveyed(twin: &mut Twin) -> Option<String> {
    let survey = twin.survey(Extent::Full);
    if twin.breach_count() > 0 {
        return twin.breaches().first().map(ToString::to_string);
    }
    (!survey.kept()).then(|| survey.failures.join("; "))
}

/// By what names these tables are refused.
fn refusals(plan: &Plan, tables: &[RouterTables]) -> BTreeSet<String> {
    let violations = isolation(plan, tables).violations;
    let mut names: BTreeSet<String> =
        violations.iter().map(|one| name(&one.breach).to_owned()).collect();
    if names.is_empty() {
        let lacks = reach(plan, tables).lacks(plan, &BTreeSet::new());
        names.extend(lacks.first().map(|_| "lacking".to_owned()));
    }
    names
}

/// By what names the tables are refused that a plan comes to when something fails: whoever is not
/// cut off has everything that was promised.
fn refusals_in_failures(plan: &Plan) -> BTreeSet<String> {
    let survival = survival(plan);
    let nobody = BTreeSet::new();
    let mut names = BTreeSet::new();
    for failure in Failure::all(plan) {
        let cut = survival.cuts.iter().find(|cut| cut.failure == failure);
        let lost = cut.map(|cut| cut.loss.sites.iter().copied().collect());
        let tables = converged(plan, &failure.gone(plan));
        let lacks = reach(plan, &tables).lacks(plan, lost.as_ref().unwrap_or(&nobody));
        names.extend(lacks.first().map(|_| "lacking in a failure".to_owned()));
    }
    names
}

const fn name(breach: &Breach) -> &'static str {
    match breach {
        Breach::NoTables => "no tables",
        Breach::Generation { .. } => "generation",
        Breach::Twice => "twice",
        Breach::NoLan => "no LAN",
        Breach::Mixed { .. } => "mixed",
        Breach::Stranger => "stranger",
        Breach::Leak { .. } => "leak",
        Breach::Way(Fault::Dead { .. }) => "dead label",
        Breach::Way(Fault::FallsOut { .. }) => "falls out",
        Breach::Way(Fault::ServiceOnTop { .. }) => "service on top",
        Breach::Way(Fault::NoLink { .. }) => "no link",
        Breach::Way(Fault::NoHop(_)) => "no hop",
        Breach::Way(Fault::Loop(_)) => "loop",
        Breach::NotDelivered { .. } => "not delivered",
        Breach::Missing => "missing",
        Breach::Wider => "wider",
        Breach::Narrower => "narrower",
        Breach::ForeignSource => "foreign source",
    }
}
