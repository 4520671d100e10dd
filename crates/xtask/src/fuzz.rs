//! Fuzzing: every target of `fuzz/Cargo.toml`, each for a while.
//!
//! What is found on the way goes to the build folder; only inputs worth keeping are copied into
//! `fuzz/corpus`, by hand, where `cargo test --manifest-path fuzz/Cargo.toml` replays them.

use std::fs;

use anyhow::bail;

use crate::workspace::{Workspace, run as run_command};

/// Runs every target for `seconds`.
pub(crate) fn run(workspace: &Workspace, seconds: u64) -> anyhow::Result<()> {
    let manifest = workspace.read("fuzz/Cargo.toml")?;
    let targets = targets(&manifest);
    if targets.is_empty() {
        bail!("no targets in `fuzz/Cargo.toml`");
    }
    if !workspace.has_cargo("fuzz") {
        bail!(
            "cargo-fuzz is not installed\nhint: `cargo install --locked cargo-fuzz`, and a C++ compiler"
        );
    }
    for target in targets {
        eprintln!("== {target}");
        let found = format!("fuzz/target/corpus/{target}");
        fs::create_dir_all(workspace.path(&found))?;
        let mut command = workspace.cargo();
        // Without a sanitizer it runs on a stable compiler; there is no unsafe code to find.
        command.args(["fuzz", "run", "--sanitizer", "none", "--features", "libfuzzer", target]);
        command.args([found, format!("fuzz/corpus/{target}")]);
        command.args(["--", &format!("-max_total_time={seconds}")]);
        run_command(command)?;
    }
    Ok(())
}

/// The names of the binaries of a manifest.
fn targets(manifest: &str) -> Vec<&str> {
    let sections = manifest.split("[[bin]]").skip(1);
    sections
        .filter_map(|section| {
            let line = section.lines().find_map(|line| line.strip_prefix("name = \""))?;
            line.strip_suffix('"')
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::targets;

    #[test]
    fn targets_are_the_binaries_of_the_manifest() {
        let manifest = "[package]\nname = \"fuzz\"\n\n[[bin]]\nname = \"a\"\npath = \"x.rs\"\n\n[[bin]]\nname = \"b\"\n";
        assert_eq!(targets(manifest), ["a", "b"]);
    }
}
