//! `weald search`: a region under random faults, one run per seed.
//!
//! Communities are all taken to be in force, so that a seed finds the same on any day.

use serde_json::json;
use twin::search::{self, Finding};

use crate::arguments::Search;
use crate::failure::{Failure, Outcome};
use crate::load::load;
use crate::network;
use crate::output;
use crate::screen::count;

const GENERATION: u64 = 1;

pub(crate) fn run(arguments: &Search, json: bool) -> Result<Outcome, Failure> {
    let plan = load(&arguments.folder, GENERATION, None)?.plan;
    let extent = network::extent(&plan, arguments.share);
    let mut findings = Vec::new();
    let last = arguments.from.saturating_add(arguments.seeds);
    for seed in arguments.from..last {
        let finding = search::run(&plan, seed, extent);
        if json {
            output::note(&line(&finding));
        } else {
            output::data(&text(arguments, &finding));
        }
        findings.push(finding);
    }
    let bad: Vec<_> = findings.iter().filter(|finding| !finding.problems.is_empty()).collect();
    let good = bad.is_empty();
    if json {
        let repeat: Vec<_> = bad.iter().map(|finding| repeat(arguments, finding.seed)).collect();
        output::json(&json!({ "findings": findings, "repeat": repeat }));
    }
    let (tried, found) = (count(findings.len(), "seed", "seeds"), bad.len());
    output::note(&format!("{tried} tried, {found} with problems"));
    Ok(Outcome::from(good))
}

fn line(finding: &Finding) -> String {
    let verdict = if finding.problems.is_empty() { "good" } else { "BAD" };
    format!(
        "seed {}: {verdict}, {}, {:.3} s of virtual time, trace {}",
        finding.seed,
        count(finding.faults.len(), "fault", "faults"),
        finding.virtual_time_s,
        finding.trace_hash,
    )
}

/// The line of a seed; where something is wrong, also what happened and how to repeat it.
fn text(arguments: &Search, finding: &Finding) -> String {
    let mut text = line(finding);
    if finding.problems.is_empty() {
        return text;
    }
    for fault in &finding.faults {
        text.push_str(&format!("\n  fault: {fault}"));
    }
    for problem in &finding.problems {
        text.push_str(&format!("\n  problem: {problem}"));
    }
    text.push_str(&format!("\n  repeat with: {}", repeat(arguments, finding.seed)));
    text
}

/// The command that repeats a seed.
fn repeat(arguments: &Search, seed: u64) -> String {
    let share = arguments.share.map_or_else(String::new, |share| format!(" --share {share}"));
    format!("weald search {} --seeds 1 --from {seed}{share}", arguments.folder.display())
}
