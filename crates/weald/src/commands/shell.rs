//! `weald shell`: a program on a site's LAN.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use host::namespace::Namespace;
use serde_json::Value;

use crate::arguments::Shell;
use crate::control::client;
use crate::control::request::Request;
use crate::failure::{Failure, Outcome};
use crate::output;

pub(crate) fn run(arguments: Shell) -> Result<Outcome, Failure> {
    let Shell { lan, socket, program } = arguments;
    let answer = client::ask(socket.path, &Request::Lan(lan))?;
    let text = |name: &str| answer.data.get(name).and_then(Value::as_str).unwrap_or_default();
    let namespace = Namespace::open(text("namespace")).map_err(|error| {
        Failure::network(format!("the LAN cannot be entered: {error}"))
            .hint("only root may: run it with sudo")
    })?;
    let is_shell = program.is_empty();
    let mut words = program.into_iter();
    let default = || env::var_os("SHELL").unwrap_or_else(|| OsString::from("/bin/sh"));
    let program = words.next().unwrap_or_else(default);
    if is_shell {
        output::note(answer.text.trim_end());
        output::note("hint: leave it with `exit`");
    }
    let mut command = Command::new(&program);
    command.args(words).env("WEALD_SITE", text("site"));
    command.env("WEALD_VIRTUAL_NETWORK", text("virtual_network"));
    namespace.lend(&mut command);
    // It takes the place of this process, and its exit code is ours.
    let error = command.exec();
    let shown = program.to_string_lossy().into_owned();
    Err(Failure::input(format!("`{shown}` cannot be run: {error}")))
}
