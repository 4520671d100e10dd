//! Continuous integration: a list of steps, run in order, each with its time.
//!
//! The cheap steps come first, so that a mistake is told early. A step that needs a program that is
//! not part of Rust's own distribution says what is done without it.

use std::time::{Duration, Instant};

use anyhow::bail;

use crate::workspace::{Workspace, run as run_command};
use crate::{licences, live, search, smoke, standards, tidy};

/// How many seeds are a smoke share: enough to see that the search works, not a search.
const SEARCH_SEEDS: u64 = 3;

/// What a step does.
#[derive(Clone, Copy)]
enum Action {
    Cargo(&'static [&'static str]),
    /// A subcommand that may be missing, and what is run without it.
    Optional {
        subcommand: &'static str,
        with: &'static [&'static str],
        without: Option<&'static [&'static str]>,
    },
    Own(fn(&Workspace) -> anyhow::Result<()>),
    /// One of our own that makes network namespaces, which only root can.
    Network(fn(&Workspace) -> anyhow::Result<()>),
}

struct Step {
    name: &'static str,
    action: Action,
    environment: &'static [(&'static str, &'static str)],
}

const fn step(name: &'static str, action: Action) -> Step {
    Step { name, action, environment: &[] }
}

const STEPS: [Step; 15] = [
    step("format", Action::Cargo(&["fmt", "--all", "--check"])),
    step("fuzz format", Action::Cargo(&["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"])),
    step("tidy", Action::Own(tidy::run)),
    step("standards", Action::Own(|workspace| standards::run(workspace, true))),
    step("licences", Action::Own(licences::run)),
    step(
        "deny",
        Action::Optional {
            subcommand: "deny",
            with: &["deny", "--offline", "check", "licenses", "bans", "sources"],
            without: None,
        },
    ),
    step(
        "fuzz deny",
        Action::Optional {
            subcommand: "deny",
            with: &[
                "deny",
                "--offline",
                "--manifest-path",
                "fuzz/Cargo.toml",
                "--config",
                "deny.toml",
                "check",
                "licenses",
                "bans",
                "sources",
            ],
            without: None,
        },
    ),
    step(
        "clippy",
        Action::Cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    ),
    // A target that is run only by name is not one of all targets.
    step(
        "clippy live",
        Action::Cargo(&["clippy", "--package", "weald", "--test", "live", "--", "-D", "warnings"]),
    ),
    step(
        "tests",
        Action::Optional {
            subcommand: "nextest",
            with: &["nextest", "run", "--workspace"],
            without: Some(&["test", "--workspace"]),
        },
    ),
    Step {
        name: "documentation",
        action: Action::Cargo(&["doc", "--workspace", "--no-deps"]),
        environment: &[("RUSTDOCFLAGS", "-D warnings")],
    },
    Step {
        name: "fuzz corpus",
        action: Action::Cargo(&[
            "test",
            "--quiet",
            "--locked",
            "--manifest-path",
            "fuzz/Cargo.toml",
        ]),
        environment: &[("RUSTFLAGS", "-D warnings")],
    },
    step("network", Action::Own(smoke::run)),
    step("search", Action::Own(|workspace| search::run(workspace, SEARCH_SEEDS, 0))),
    step("live", Action::Network(live::run)),
];

/// How a step ended.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Passed,
    Skipped,
    Failed(String),
}

/// Runs every step; stops at the first that fails unless told to keep going.
pub(crate) fn run(workspace: &Workspace, keep_going: bool) -> anyhow::Result<()> {
    let mut results = Vec::new();
    for step in &STEPS {
        eprintln!("== {}", step.name);
        let start = Instant::now();
        let verdict = match perform(workspace, step) {
            Ok(true) => Verdict::Passed,
            Ok(false) => Verdict::Skipped,
            Err(error) => Verdict::Failed(format!("{error:#}")),
        };
        let failed = matches!(verdict, Verdict::Failed(_));
        results.push((step.name, start.elapsed(), verdict));
        if failed && !keep_going {
            break;
        }
    }
    eprint!("\n{}", summary(&results));
    let failures = results.iter().filter(|(_, _, verdict)| matches!(verdict, Verdict::Failed(_)));
    match failures.count() {
        0 => Ok(()),
        1 => bail!("1 step failed"),
        count => bail!("{count} steps failed"),
    }
}

/// Whether the step was run, as against skipped.
fn perform(workspace: &Workspace, step: &Step) -> anyhow::Result<bool> {
    let arguments = match step.action {
        Action::Own(function) => return function(workspace).map(|()| true),
        Action::Network(function) => {
            return if live::is_possible() {
                function(workspace).map(|()| true)
            } else {
                Ok(false)
            };
        }
        Action::Cargo(arguments) => arguments,
        Action::Optional { subcommand, with, without } => {
            match (workspace.has_cargo(subcommand), without) {
                (true, _) => with,
                (false, Some(without)) => without,
                (false, None) => return Ok(false),
            }
        }
    };
    let mut command = workspace.cargo();
    command.args(arguments).envs(step.environment.iter().copied());
    run_command(command)?;
    Ok(true)
}

fn summary(results: &[(&str, Duration, Verdict)]) -> String {
    let mut text = String::new();
    for (name, taken, verdict) in results {
        let outcome = match verdict {
            Verdict::Passed => "passed",
            Verdict::Skipped => "skipped: not installed, or not root",
            Verdict::Failed(why) => &format!("FAILED: {why}"),
        };
        text.push_str(&format!("{name:14} {:7.1} s  {outcome}\n", taken.as_secs_f64()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{STEPS, Verdict, summary};
    use std::collections::BTreeSet;
    use std::time::Duration;

    #[test]
    fn step_names_are_unique() {
        let names: BTreeSet<_> = STEPS.iter().map(|step| step.name).collect();
        assert_eq!(names.len(), STEPS.len());
    }

    #[test]
    fn summary_shows_time_and_verdict_of_each_step() {
        let results = [
            ("format", Duration::from_millis(1_250), Verdict::Passed),
            ("deny", Duration::ZERO, Verdict::Skipped),
            ("tidy", Duration::from_secs(2), Verdict::Failed("3 problems".to_owned())),
        ];
        let text = "\
format             1.2 s  passed
deny               0.0 s  skipped: not installed, or not root
tidy               2.0 s  FAILED: 3 problems
";
        assert_eq!(summary(&results), text);
    }
}
