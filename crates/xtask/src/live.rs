//! The live tests: routers on real interfaces with other people's routers and programs.

use std::fs;

use anyhow::bail;

use crate::workspace::{Workspace, run as run_command};

/// Tests at a time: each has several processes, and some measure.
const AT_A_TIME: &str = "2";

/// Whether this process may make network namespaces.
fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    line.and_then(|line| line.split_whitespace().nth(1)) == Some("0")
}

/// Runs them in a release build: what they measure is what operators get.
pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    if !is_root() {
        bail!("live tests make network namespaces: run them as root");
    }
    let mut command = workspace.cargo();
    command.args(["test", "--release", "--package", "weald", "--test", "live", "--"]);
    command.args(["--test-threads", AT_A_TIME, "--nocapture"]);
    run_command(command)
}
