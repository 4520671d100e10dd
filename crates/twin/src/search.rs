//! A search for bugs: random faults, several at once, from a seed.
//!
//! A round strikes a few random faults at random moments, lets some of them end by themselves,
//! then ends all of them, waits for convergence and checks everything. The same plan and seed
//! repeat a failure exactly.

use base::{Duration, Rng};
use model::config::Role;
use model::plan::{LinkKind, Plan};
use serde::Serialize;

use crate::Twin;
use crate::checker::labels;
use crate::fault::Fault;
use crate::link::{Impairment, LinkState};
use crate::survey::Extent;
use crate::sweep::CONVERGENCE_MAX;

/// The most faults of one round.
const FAULTS_MAX: u64 = 8;
/// The longest time between two faults.
const GAP_MAX: Duration = Duration::from_secs(4);

/// What a seed found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// The seed.
    pub seed: u64,
    /// The faults, in order, with the moment each struck.
    pub faults: Vec<String>,
    /// What was wrong; empty where nothing was.
    pub problems: Vec<String>,
    /// The hash of everything that happened.
    pub trace_hash: String,
    /// Virtual seconds.
    pub virtual_time_s: f64,
}

/// Runs one seed.
#[must_use]
pub fn run(plan: &Plan, seed: u64, extent: Extent) -> Finding {
    let mut finding = Finding {
        seed,
        faults: Vec::new(),
        problems: Vec::new(),
        trace_hash: String::new(),
        virtual_time_s: 0.0,
    };
    match Twin::new(plan.clone(), seed) {
        Ok(mut twin) => {
            round(&mut twin, seed, extent, &mut finding);
            finding.trace_hash = format!("{:016x}", twin.trace_hash());
            finding.virtual_time_s = twin.now().since(base::Instant::ZERO).as_secs_f64();
        }
        Err(errors) => finding.problems.push(errors.to_string()),
    }
    finding
}

fn round(twin: &mut Twin, seed: u64, extent: Extent, finding: &mut Finding) {
    let mut rng = Rng::new(seed ^ 0x7365_6172_6368);
    twin.set_patrol(true);
    // Some seeds strike while the network is still coming up.
    if rng.chance(700_000)
        && let Err(error) = twin.run_until_converged(CONVERGENCE_MAX, &mut |_| {})
    {
        finding.problems.push(format!("at the start: {error}"));
        return;
    }
    for _ in 0..=rng.below(FAULTS_MAX) {
        twin.run_for(rng.jitter(GAP_MAX, 100));
        let fault = random_fault(twin, &mut rng);
        finding.faults.push(format!("{} {}", twin.now(), twin.describe_fault(fault)));
        if let Err(errors) = twin.strike(fault) {
            finding.problems.push(errors.to_string());
        }
    }
    twin.run_for(rng.jitter(GAP_MAX, 100));
    if let Err(errors) = twin.mend_everything() {
        finding.problems.push(errors.to_string());
    }
    if let Err(error) = twin.run_until_converged(CONVERGENCE_MAX, &mut |_| {}) {
        finding.problems.push(format!("after the faults: {error}"));
    }
    twin.set_patrol(false);
    let survey = twin.survey(extent);
    if !survey.kept() {
        finding.problems.extend(survey.failures.iter().cloned());
        finding.problems.push(format!("survey after the faults: {survey:?}"));
    }
    finding.problems.extend(twin.breaches().iter().map(ToString::to_string));
    finding.problems.extend(labels::check(twin));
}

fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> Option<T> {
    let index = usize::try_from(rng.below(from.len() as u64)).ok()?;
    from.get(index).copied()
}

fn random_fault(twin: &Twin, rng: &mut Rng) -> Fault {
    let plan = twin.plan();
    let links: Vec<usize> = (0..plan.links.len()).collect();
    let core_links: Vec<usize> = links
        .iter()
        .copied()
        .filter(|&l| plan.links.get(l).is_some_and(|link| link.kind == LinkKind::Core))
        .collect();
    let core: Vec<usize> = (0..plan.routers.len())
        .filter(|&r| plan.routers.get(r).is_some_and(|router| router.role == Role::Core))
        .collect();
    let any_link = if rng.chance(700_000) { &core_links } else { &links };
    let link = pick(rng, any_link).unwrap_or(0);
    let router = if rng.chance(800_000) {
        pick(rng, &core).unwrap_or(0)
    } else {
        usize::try_from(rng.below(plan.routers.len() as u64)).unwrap_or(0)
    };
    match rng.below(6) {
        0 => Fault::Link(link, LinkState::Cut),
        1 => Fault::Link(link, LinkState::Silent),
        2 => Fault::Link(link, LinkState::Up),
        3 => Fault::RouterDown(router),
        4 => Fault::RouterUp(router),
        _ => Fault::Impair(
            link,
            Impairment {
                loss: u32::try_from(rng.below(200_000)).unwrap_or(0),
                duplicate: u32::try_from(rng.below(50_000)).unwrap_or(0),
                reorder: u32::try_from(rng.below(100_000)).unwrap_or(0),
                jitter: Duration::from_micros(rng.below(20_000)),
            },
        ),
    }
}
