//! The checkout: its root, its files, its crates, and the programs that are run in it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use serde::Deserialize;

/// The checkout that this program was built from.
pub(crate) struct Workspace {
    root: PathBuf,
}

/// What `cargo metadata` says, as far as it is used.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) target_directory: PathBuf,
}

#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: Option<String>,
    /// The registry it came from; none for the workspace's own.
    pub(crate) source: Option<String>,
    pub(crate) dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// None for a production dependency; `dev` or `build` otherwise.
    pub(crate) kind: Option<String>,
    /// Set for the workspace's own.
    pub(crate) path: Option<PathBuf>,
}

/// A text file of the checkout.
pub(crate) struct SourceFile {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Workspace {
    pub(crate) fn new() -> Self {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.ancestors().nth(2).unwrap_or(manifest);
        Self { root: root.to_owned() }
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// `program`, to be run in the root.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }

    pub(crate) fn cargo(&self) -> Command {
        self.command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
    }

    /// Whether `cargo SUBCOMMAND` is there: whether it can be started at all.
    pub(crate) fn has_cargo(&self, subcommand: &str) -> bool {
        let mut command = self.command(format!("cargo-{subcommand}"));
        command.args([subcommand, "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok()
    }

    pub(crate) fn metadata(&self, with_dependencies: bool) -> anyhow::Result<Metadata> {
        let mut command = self.cargo();
        command.args(["metadata", "--format-version", "1"]);
        if !with_dependencies {
            command.arg("--no-deps");
        }
        let text = stdout(command)?;
        serde_json::from_str(&text).context("cannot read what `cargo metadata` says")
    }

    /// Every file of the checkout but build results and version control's own, in order.
    pub(crate) fn files(&self) -> anyhow::Result<Vec<String>> {
        let mut files = Vec::new();
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                if entry.file_type()?.is_file() {
                    let path = entry.path();
                    let relative = path.strip_prefix(&self.root)?;
                    files.push(relative.to_string_lossy().replace('\\', "/"));
                } else if entry.file_type()?.is_dir() && !is_foreign(&entry.file_name()) {
                    folders.push(entry.path());
                }
            }
        }
        files.sort();
        Ok(files)
    }

    pub(crate) fn read(&self, relative: &str) -> anyhow::Result<String> {
        fs::read_to_string(self.path(relative)).with_context(|| format!("cannot read `{relative}`"))
    }

    pub(crate) fn write(&self, relative: &str, text: &str) -> anyhow::Result<()> {
        let path = self.path(relative);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, text).with_context(|| format!("cannot write `{relative}`"))
    }

    pub(crate) fn size(&self, relative: &str) -> anyhow::Result<u64> {
        let path = self.path(relative);
        Ok(fs::metadata(path).with_context(|| format!("cannot read `{relative}`"))?.len())
    }

    /// The files whose path satisfies `wanted`, with their text.
    pub(crate) fn sources(&self, wanted: impl Fn(&str) -> bool) -> anyhow::Result<Vec<SourceFile>> {
        let paths = self.files()?.into_iter().filter(|path| wanted(path));
        paths.map(|path| Ok(SourceFile { text: self.read(&path)?, path })).collect()
    }
}

/// Folders that hold nothing of the project's own: build results, version control.
fn is_foreign(name: &OsStr) -> bool {
    name == "target" || name == ".git"
}

/// Runs `command` with its output shown; fails where it fails.
pub(crate) fn run(mut command: Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("cannot run {}", shown(&command)))?;
    if !status.success() {
        bail!("{} failed: {status}", shown(&command));
    }
    Ok(())
}

/// Runs `command` and returns what it wrote to stdout; fails where it fails.
pub(crate) fn stdout(mut command: Command) -> anyhow::Result<String> {
    command.stderr(Stdio::inherit());
    let output = command.output().with_context(|| format!("cannot run {}", shown(&command)))?;
    if !output.status.success() {
        bail!("{} failed: {}", shown(&command), output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("{} wrote no text", shown(&command)))
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut words = vec![program.file_name().unwrap_or(program.as_os_str()).to_string_lossy()];
    words.extend(command.get_args().map(OsStr::to_string_lossy));
    format!("`{}`", words.join(" "))
}

/// The crate that a path belongs to: the folder below `crates/`.
pub(crate) fn crate_of(path: &str) -> Option<&str> {
    path.strip_prefix("crates/")?.split('/').next()
}
