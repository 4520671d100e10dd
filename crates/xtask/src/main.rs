//! The project's own tools: `cargo xtask ci` is what continuous integration runs.
//!
//! Each subcommand is a module. What a module decides is a pure function over text with a test that
//! shows it can fail; what it reads and runs goes through [`workspace::Workspace`].
//!
//! Exit codes: 0 where everything is as it should be, 1 where something is not, 2 where the
//! command was not understood.
//!
//! This crate depends on no other crate of the workspace, so that it builds in seconds and still
//! runs where they do not compile.

#![expect(clippy::print_stdout, reason = "a command line tool: data goes to stdout")]
#![expect(clippy::print_stderr, reason = "a command line tool: progress goes to stderr")]

mod bench;
mod ci;
mod fuzz;
mod grow;
mod licences;
mod live;
mod mutants;
mod search;
mod smoke;
mod standards;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own tools")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run every check that continuous integration runs
    Ci {
        /// Run the steps after a failed one too
        #[arg(long)]
        keep_going: bool,
    },
    /// Check what lints cannot: crate edges, file lengths, essays, forbidden words
    Tidy,
    /// Collect what is implemented and what is not into `docs/standards.md`
    Standards {
        /// Compare with the file instead of writing it
        #[arg(long)]
        check: bool,
    },
    /// Check the licence and the source of every dependency
    Licences,
    /// Run the live tests, as root: routers on real interfaces with other people's programs
    Live,
    /// Search for failures with a range of seeds
    Search {
        /// How many seeds to try
        #[arg(long)]
        seeds: u64,
        /// The first seed
        #[arg(long, default_value_t = 0)]
        from: u64,
    },
    /// Measure, and print the median of several runs
    Bench {
        /// Which measurement; without it, the names of all
        name: Option<String>,
        /// Put the figures into `docs/performance.md`
        #[arg(long)]
        write: bool,
    },
    /// Write the intent of a region with this many sites, for measurements
    Grow {
        /// How many sites
        sites: usize,
        /// Where to
        folder: std::path::PathBuf,
    },
    /// Plant faults in plans and tables, and print how many the proofs catch
    Mutants,
    /// Run every fuzz target
    Fuzz {
        /// For how long each
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    let workspace = Workspace::new();
    match command {
        Command::Ci { keep_going } => ci::run(&workspace, keep_going),
        Command::Tidy => tidy::run(&workspace),
        Command::Standards { check } => standards::run(&workspace, check),
        Command::Licences => licences::run(&workspace),
        Command::Live => live::run(&workspace),
        Command::Search { seeds, from } => search::run(&workspace, seeds, from),
        Command::Bench { name, write } => bench::run(&workspace, name.as_deref(), write),
        Command::Grow { sites, folder } => grow::run(&workspace, sites, &folder),
        Command::Mutants => mutants::run(&workspace),
        Command::Fuzz { seconds } => fuzz::run(&workspace, seconds),
    }
}
