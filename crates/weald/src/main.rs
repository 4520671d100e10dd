//! The command line: one binary that checks an intent, compiles it, runs the whole network, and
//! asks a running one.
//!
//! - [`arguments`] is what can be typed; [`commands`] has a module for each command that works on
//!   a folder;
//! - [`load`] reads a folder and compiles it, [`proving`] gets the forwarding tables of a plan and
//!   proves over them, [`collected`] gets both from what runs, [`chain`] says why a packet may pass or
//!   not, [`certified`] is what a certificate says of a folder;
//! - [`network`] wraps the twin: names, faults, probes, and who is reached;
//! - [`answers`] turns questions into data and text; [`control`] carries both over a Unix socket
//!   to the process that runs the network;
//! - [`daemon`] is one router as a process of its own, [`lab`] a whole plan of such processes,
//!   [`lan`] a site's LAN for real programs;
//! - [`report`] and [`screen`] are how results look, [`html`] how a proof does on a page, [`output`] is the only place that prints.
//!
//! One thread drives the network. Others accept on the socket, hand requests over, and write a
//! router's log.

mod answers;
mod arguments;
mod certified;
mod chain;
mod collected;
mod commands;
mod control;
mod daemon;
mod day;
mod failure;
mod html;
mod lab;
mod lan;
mod load;
mod network;
mod output;
mod progress;
mod proving;
mod report;
mod screen;
mod verdict;

use std::process::ExitCode;

use clap::Parser as _;

use crate::arguments::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match commands::run(arguments) {
        Ok(outcome) => outcome.exit_code(),
        Err(failure) => {
            output::note(&failure.to_string());
            failure.exit_code()
        }
    }
}
