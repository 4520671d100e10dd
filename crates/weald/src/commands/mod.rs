//! The commands, one module for each that works on a folder.

mod check;
pub(crate) mod compile;
mod explain;
mod key;
mod lab;
mod plan;
mod prove;
mod rehearse;
mod router;
mod search;
mod shell;
mod sweep;
mod up;
mod verify;

use clap::CommandFactory as _;

use crate::arguments::{Arguments, Ask, Command, SchemaFile};
use crate::control::client;
use crate::failure::{Failure, Outcome};
use crate::output;

/// Does what was typed.
pub(crate) fn run(arguments: Arguments) -> Result<Outcome, Failure> {
    let Arguments { json, command } = arguments;
    match command {
        Command::Check(arguments) => check::run(&arguments, json),
        Command::Compile(arguments) => compile::run(&arguments, json),
        Command::Up(arguments) => up::run(&arguments, json),
        Command::Ask(Ask { request, socket }) => {
            let answer = client::ask(socket.path, &request)?;
            output::either(json, &answer.data, &answer.text);
            Ok(Outcome::from(answer.good))
        }
        Command::Lab(arguments) => lab::run(&arguments, json),
        Command::Shell(arguments) => shell::run(arguments),
        Command::Router(arguments) => router::run(&arguments, json),
        Command::Search(arguments) => search::run(&arguments, json),
        Command::Sweep(arguments) => sweep::run(&arguments, json),
        Command::Prove(arguments) => prove::run(&arguments, json),
        Command::Explain(arguments) => explain::run(&arguments, json),
        Command::Plan(arguments) => plan::run(&arguments, json),
        Command::Verify(arguments) => verify::run(&arguments, json),
        Command::Key { file } => key::run(&file, json),
        Command::Rehearse(arguments) => rehearse::run(&arguments, json),
        Command::Schema { file } => {
            output::json(&match file {
                SchemaFile::Network => intent::schema_network(),
                SchemaFile::Services => intent::schema_services(),
            });
            Ok(Outcome::Good)
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "weald", &mut script);
            output::data(&String::from_utf8_lossy(&script));
            Ok(Outcome::Good)
        }
    }
}
