//! `weald sweep`: every single failure of the core, one after the other.

use serde_json::json;
use twin::Twin;
use twin::sweep::{CONVERGENCE_MAX, Outcome as Swept};

use crate::arguments::Sweep;
use crate::failure::{Failure, Outcome};
use crate::load::load;
use crate::network;
use crate::output;
use crate::screen::{Align, Table, count, number};

const GENERATION: u64 = 1;

/// How many pairs of one virtual network there are for each that is tested.
const SHARE: u64 = 20;

pub(crate) fn run(arguments: &Sweep, json: bool) -> Result<Outcome, Failure> {
    let plan = load(&arguments.folder, GENERATION, None)?.plan;
    let extent = network::extent(&plan, (!arguments.full).then_some(SHARE));
    let refused = |errors: &dyn core::fmt::Display| Failure::network(errors.to_string());
    let mut twin = Twin::new(plan, arguments.seed).map_err(|errors| refused(&errors))?;
    twin.run_until_converged(CONVERGENCE_MAX, &mut |_| {}).map_err(|error| refused(&error))?;
    let failures = twin.single_failures();
    let all = failures.len();
    let mut outcomes = Vec::new();
    for (position, failure) in (1..).zip(failures) {
        let outcome = twin.fail_and_mend(&failure, extent).map_err(|errors| refused(&errors))?;
        let verdict = if outcome.good() { "good" } else { "BAD" };
        output::note(&format!("{position}/{all} {}: {verdict}", outcome.failure));
        outcomes.push(outcome);
    }
    let good = outcomes.iter().all(Swept::good);
    let value = json!({
        "outcomes": outcomes.iter().map(|outcome| json!({
            "failure": outcome.failure,
            "good": outcome.good(),
            "converged_ms": outcome.converged_ms,
            "survey": outcome.survey,
            "breaches": outcome.breaches,
        })).collect::<Vec<_>>(),
        "good": good,
        "trace_hash": format!("{:016x}", twin.trace_hash()),
    });
    output::either(json, &value, &text(&outcomes));
    Ok(Outcome::from(good))
}

fn text(outcomes: &[Swept]) -> String {
    let columns = [
        ("failure", Align::Left),
        ("converged", Align::Right),
        ("same network", Align::Right),
        ("community", Align::Right),
        ("impossible", Align::Right),
        ("result", Align::Left),
    ];
    let mut table = Table::new(&columns);
    for outcome in outcomes {
        let survey = &outcome.survey;
        let of = |delivered: u64, tested: u64| format!("{}/{}", number(delivered), number(tested));
        table.row([
            outcome.failure.clone(),
            outcome.converged_ms.map_or_else(|| "never".to_owned(), |ms| format!("{ms} ms")),
            of(survey.same_network.delivered, survey.same_network.tested),
            of(survey.community.delivered, survey.community.tested),
            number(survey.impossible),
            if outcome.good() { "good" } else { "BAD" }.to_owned(),
        ]);
    }
    let mut text = table.text();
    for outcome in outcomes.iter().filter(|outcome| !outcome.good()) {
        for failure in &outcome.survey.failures {
            text.push_str(&format!("{}: {failure}\n", outcome.failure));
        }
        if outcome.breaches > 0 {
            text.push_str(&format!("{}: {} breaches\n", outcome.failure, outcome.breaches));
        }
    }
    let bad = outcomes.iter().filter(|outcome| !outcome.good()).count();
    let tried = count(outcomes.len(), "failure", "failures");
    text.push_str(&format!("{tried} tried, {bad} with problems\n"));
    text
}
