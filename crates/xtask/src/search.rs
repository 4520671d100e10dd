//! The search for failures: the network under random faults, one run per seed.

use crate::workspace::{Workspace, run as run_command};

/// Runs `weald search` for `seeds` seeds from `from` on; it fails at a seed that breaks a promise.
pub(crate) fn run(workspace: &Workspace, seeds: u64, from: u64) -> anyhow::Result<()> {
    let mut command = workspace.cargo();
    command.args(["run", "--quiet", "--release", "--package", "weald", "--", "search"]);
    command.args(["--seeds", &seeds.to_string(), "--from", &from.to_string()]);
    run_command(command)
}
