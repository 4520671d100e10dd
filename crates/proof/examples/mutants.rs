//! The whole of the mutation run, and random regions on which proof and twin have to agree: prints
//! the score. `cargo xtask mutants` runs it.
//!
//! Exit codes: 0 where every fault is refused by its name or harmless, and proof and twin agree; 1
//! otherwise.

#![expect(clippy::print_stdout, reason = "a program: the score goes to stdout")]
#![expect(clippy::print_stderr, reason = "a program: progress goes to stderr")]

#[path = "../tests/main/agreement.rs"]
mod agreement;
#[path = "../tests/main/mutants/mod.rs"]
mod mutants;
#[path = "../tests/main/region.rs"]
mod region;

use std::process::ExitCode;

use crate::agreement::{Compared, agree, draw};
use crate::mutants::{Most, Score, kinds};

/// In a small network: nearly every place.
const SMALL: Most = Most { plans: 16, tables: 100, failures: true };
/// In a county, where a proof and a run take longer.
const COUNTY: Most = Most { plans: 1, tables: 2, failures: false };
/// Random regions.
const SEEDS: u64 = 100;

fn main() -> ExitCode {
    let mut score = Score::default();
    for (name, plan) in region::small() {
        eprintln!("{name}");
        score.add(name, &plan, &region::tables(&plan), SMALL);
    }
    print!("{score}");
    let (mut all, mut disagreements) = (Compared::default(), 0);
    for seed in 0..SEEDS {
        eprintln!("region {seed}");
        match draw(seed).and_then(|plan| agree(&plan, seed)) {
            Ok(one) => {
                all.states += one.states;
                all.packets += one.packets;
                all.answered += one.answered;
            }
            Err(why) => {
                disagreements += 1;
                println!("region {seed}: {why}");
            }
        }
    }
    let Compared { states, packets, answered } = all;
    println!(
        "{SEEDS} random regions in {states} states: {packets} packets, {answered} answered, \
         {disagreements} regions in which proof and twin disagree"
    );
    eprintln!("sussex");
    let plan = region::plan("sussex", "");
    score.add("sussex", &plan, &region::tables(&plan), COUNTY);
    print!("with Sussex\n{score}");
    println!("{} faults of {} of {} kinds", score.planted(), score.kinds.len(), kinds().count());
    if score.survivors.is_empty() && disagreements == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
