//! The mutation run: thousands of single faults, each refused by a proof or shown to be harmless,
//! and random regions on which proof and twin agree.

use crate::workspace::{Workspace, run as run_command};

/// Runs it and prints the score; it fails where a fault survives.
pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let mut command = workspace.cargo();
    command.args(["run", "--quiet", "--release", "--package", "proof", "--example", "mutants"]);
    run_command(command)
}
