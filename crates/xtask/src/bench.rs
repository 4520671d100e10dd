//! Measurements: a name, a command, the figures it reports, and the median of several runs.
//!
//! The section of `docs/performance.md` that belongs to a measurement stands between two comments
//! and is written anew each time, with the machine and the date, so that a figure is never without
//! them.

mod chain;
mod proof;

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::smoke;
use crate::workspace::{Workspace, run as run_command, stdout};

const DOCUMENT: &str = "docs/performance.md";

/// What is run, and how it is told of.
#[derive(Clone, Copy)]
enum Run {
    /// The program, with these arguments: it prints its report as JSON.
    Program(&'static [&'static str]),
    /// One of our own, with the program's path.
    Own(fn(&Workspace, &Path) -> anyhow::Result<Value>),
}

/// A measurement: what is run and which numbers of its JSON report are kept.
struct Bench {
    name: &'static str,
    what: &'static str,
    run: Run,
    /// How often it is repeated: odd, so that the median is one of the runs.
    runs: usize,
    figures: &'static [(&'static str, &'static str)],
}

const BENCHES: [Bench; 3] = [
    Bench {
        name: "sussex",
        what: "The reference network from cold start until every pair has been tried",
        run: Run::Program(&smoke::UP),
        runs: 5,
        figures: &[("wall_time_s", "s"), ("peak_memory_mib", "MiB")],
    },
    Bench {
        name: "chain",
        what: "Four router processes between two hosts, against four kernels, and over secure links \
               against `wireguard-go`, with no offloads (as root)",
        run: Run::Own(chain::run),
        runs: 5,
        figures: &[
            ("tcp_mbps", "Mbit/s"),
            ("kernel_tcp_mbps", "Mbit/s"),
            ("tcp_to_kernel", ""),
            ("datagrams_per_s", "1/s"),
            ("kernel_datagrams_per_s", "1/s"),
            ("datagrams_to_kernel", ""),
            ("secure_tcp_mbps", "Mbit/s"),
            ("wireguard_go_tcp_mbps", "Mbit/s"),
            ("secure_to_wireguard_go", ""),
        ],
    },
    Bench {
        name: "proof",
        what: "Isolation over every entry and the survey of single failures, after compilation, as a \
               region grows; `of_limit` is the time over 100 ms, 1 s and 10 s",
        run: Run::Own(proof::run),
        runs: 3,
        figures: &proof::FIGURES,
    },
];

/// One figure over all runs, in ascending order.
struct Figure {
    key: &'static str,
    unit: &'static str,
    values: Vec<f64>,
}

/// Runs the measurement called `name`, or lists the names.
pub(crate) fn run(workspace: &Workspace, name: Option<&str>, write: bool) -> anyhow::Result<()> {
    let Some(name) = name else {
        for bench in &BENCHES {
            println!("{:10} {}", bench.name, bench.what);
        }
        return Ok(());
    };
    let Some(bench) = BENCHES.iter().find(|bench| bench.name == name) else {
        bail!("no measurement `{name}`\nhint: `cargo xtask bench` lists them");
    };
    let section = section(bench, &measure(workspace, bench)?, &machine(workspace)?);
    print!("{section}");
    if write {
        let old = workspace.read(DOCUMENT).unwrap_or_else(|_| "# Performance\n".to_owned());
        workspace.write(DOCUMENT, &with_section(&old, bench.name, &section))?;
    }
    Ok(())
}

fn measure(workspace: &Workspace, bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let mut build = workspace.cargo();
    build.args(["build", "--quiet", "--release", "--package", "weald"]);
    run_command(build)?;
    let program = workspace.metadata(false)?.target_directory.join("release/weald");
    let mut figures: Vec<Figure> =
        bench.figures.iter().map(|&(key, unit)| Figure { key, unit, values: Vec::new() }).collect();
    for run in 1..=bench.runs {
        eprintln!("run {run} of {}", bench.runs);
        let report = match bench.run {
            Run::Own(function) => function(workspace, &program)?,
            Run::Program(arguments) => {
                let mut command = workspace.command(&program);
                command.args(arguments);
                let report = stdout(command)?;
                serde_json::from_str(&report).context("the report is not JSON")?
            }
        };
        for figure in &mut figures {
            let value = smoke::number(&report, None, figure.key)
                .with_context(|| format!("`{}` is missing from the report", figure.key))?;
            figure.values.push(value);
        }
    }
    for figure in &mut figures {
        figure.values.sort_by(f64::total_cmp);
    }
    Ok(figures)
}

fn median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The machine, the system, the compiler and the date, as the system tells them.
fn machine(workspace: &Workspace) -> anyhow::Result<String> {
    let line = |program: &str, arguments: &[&str]| -> anyhow::Result<String> {
        let mut command = workspace.command(program);
        command.args(arguments);
        Ok(stdout(command)?.trim().to_owned())
    };
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown processor", |(_, model)| model.trim());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let system = line("uname", &["-s", "-r", "-m"])?;
    let compiler = line("rustc", &["--version"])?;
    let date = line("date", &["-u", "+%Y-%m-%d"])?;
    Ok(format!("{date}, {model}, {cores} cores, {system}, {compiler}"))
}

fn section(bench: &Bench, figures: &[Figure], machine: &str) -> String {
    let mut text = format!("## {}\n\n{}.\n", bench.name, bench.what);
    let what = match bench.run {
        Run::Program(arguments) => format!("weald {}", arguments.join(" ")),
        Run::Own(_) => format!("cargo xtask bench {}", bench.name),
    };
    let _ = write!(text, "Median of {} runs of `{what}`; ", bench.runs);
    let _ = writeln!(text, "{machine}.\n");
    text.push_str("| figure | median | least | most |\n|---|---|---|---|\n");
    for Figure { key, unit, values } in figures {
        let (least, most) = (values.first(), values.last());
        let _ = writeln!(
            text,
            "| `{key}` | {} | {:.2} | {:.2} |",
            format!("{:.2} {unit}", median(values)).trim_end(),
            least.copied().unwrap_or(f64::NAN),
            most.copied().unwrap_or(f64::NAN),
        );
    }
    text
}

/// The document with the section called `name` replaced, or appended where it had none.
fn with_section(document: &str, name: &str, section: &str) -> String {
    let (begin, end) = (format!("<!-- bench: {name} -->"), format!("<!-- end: {name} -->"));
    let block = format!("{begin}\n{section}{end}");
    let parts = document.split_once(&begin).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(&end)?;
        Some((before, after))
    });
    match parts {
        Some((before, after)) => format!("{before}{block}{after}"),
        None => format!("{}\n\n{block}\n", document.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::{BENCHES, Figure, median, section, with_section};

    #[test]
    fn the_median_is_the_middle_run() {
        assert_eq!(median(&[1.0, 2.0, 40.0]), 2.0);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_section_is_appended_once_and_then_replaced() {
        let once = with_section("# Performance\n", "a", "one\n");
        let twice = with_section(&once, "b", "two\n");
        let again = with_section(&twice, "a", "three\n");
        let expected = "# Performance\n\n<!-- bench: a -->\nthree\n<!-- end: a -->\n\n\
            <!-- bench: b -->\ntwo\n<!-- end: b -->\n";
        assert_eq!(again, expected);
    }

    #[test]
    fn a_section_names_the_machine_and_every_figure() {
        let figures = [Figure { key: "wall_time_s", unit: "s", values: vec![1.0, 2.0, 4.0] }];
        let text = section(&BENCHES[0], &figures, "some machine");
        assert!(text.contains("some machine"));
        assert!(text.contains("| `wall_time_s` | 2.00 s | 1.00 | 4.00 |"));
    }
}
