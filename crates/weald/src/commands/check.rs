//! `weald check`: everything that is wrong with an intent, or how big it is.

use intent::{Problem, Severity};
use serde_json::json;

use crate::arguments::Check;
use crate::day;
use crate::failure::{Failure, Outcome};
use crate::load::{Loaded, load};
use crate::output;
use crate::report::Region;
use crate::screen::count;

/// The number of a plan that nobody gets to see.
const GENERATION: u64 = 1;

pub(crate) fn run(arguments: &Check, json: bool) -> Result<Outcome, Failure> {
    let as_of = arguments.date.or_else(day::today);
    let loaded = match load(&arguments.folder, GENERATION, as_of) {
        Ok(loaded) => loaded,
        Err(failure) => {
            if json && !failure.problems.is_empty() {
                output::json(&json!({ "problems": failure.problems }));
                return Err(Failure { problems: Vec::new(), ..failure });
            }
            return Err(failure);
        }
    };
    let region = Region::of(&loaded.plan);
    if json {
        output::json(&json!({
            "problems": loaded.remarks,
            "summary": region,
            "numbers_to_allot": loaded.allotted().len(),
        }));
    } else {
        loaded.tell_remarks();
        output::data(&text(&loaded, &region));
    }
    Ok(Outcome::Good)
}

fn text(loaded: &Loaded, region: &Region) -> String {
    let of = |severity: Severity| {
        let is_it = |problem: &&Problem| problem.severity == severity;
        loaded.remarks.0.iter().filter(is_it).count()
    };
    let warnings = count(of(Severity::Warning), "warning", "warnings");
    let notes = count(of(Severity::Note), "note", "notes");
    let description = &loaded.intent.region.description;
    let mut text = format!("{}: {description}\n{}", region.region, region.text());
    let allotted = loaded.allotted().len();
    if allotted > 0 {
        let numbers = count(allotted, "number is", "numbers are");
        text.push_str(&format!("{numbers} to be allotted by `weald compile` or `weald up`\n"));
    }
    text.push_str(&format!("no error, {warnings}, {notes}\n"));
    text
}
