//! The live tests: routers on real interfaces with other people's routers and programs.

use std::process::{Command, Stdio};

use anyhow::bail;

use crate::workspace::{Workspace, run as run_command};

/// Tests at a time: each has several processes, and some measure.
const AT_A_TIME: &str = "2";

/// Whether this process may make network namespaces.
pub(crate) fn is_possible() -> bool {
    let tried = Command::new("unshare").args(["--net", "true"]).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}

/// Runs them in a release build: what they measure is what operators get.
pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    if !is_possible() {
        bail!("live tests make network namespaces: run them as root");
    }
    let mut command = workspace.cargo();
    command.args(["test", "--release", "--package", "weald", "--test", "live", "--"]);
    command.args(["--test-threads", AT_A_TIME, "--nocapture"]);
    run_command(command)
}
