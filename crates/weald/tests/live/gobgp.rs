//! GoBGP in a namespace, told by `gobgp`.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::net::Net;
use crate::wait::{Package, last_words, need, succeed, wait_for};

const PACKAGES: [Package; 1] = [Package { name: "gobgpd", programs: &["gobgpd", "gobgp"] }];
/// How long it may take to be ready.
const START: Duration = Duration::from_secs(10);

/// A speaker that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct Gobgp {
    name: String,
    folder: TempDir,
    child: Child,
}

impl Gobgp {
    /// Starts it in a namespace, and waits until it can be told something.
    pub(crate) fn start(net: &Net, space: &str, config: &str) -> Self {
        need(&PACKAGES);
        let folder = TempDir::with_prefix("gobgp-").expect("a folder");
        fs::write(folder.path().join("gobgp.toml"), config).expect("a file");
        let log = fs::File::create(folder.path().join("log")).expect("a file");
        let mut command = net.command(space, "gobgpd");
        command.args(["-t", "toml", "-f"]).arg(folder.path().join("gobgp.toml"));
        command.args(["--pprof-disable", "--api-hosts"]);
        let socket = format!("unix://{}", folder.path().join("api").display());
        command.arg(&socket).stdin(Stdio::null()).stdout(log).stderr(Stdio::null());
        let child = command.spawn().expect("it starts");
        let gobgp = Self { name: space.to_owned(), folder, child };
        wait_for("gobgpd", START, || {
            let said = gobgp.command("global").output().expect("it runs");
            if said.status.success() { Ok(()) } else { Err(gobgp.log()) }
        });
        gobgp
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn command(&self, line: &str) -> Command {
        let socket = PathBuf::from(self.folder.path()).join("api");
        let mut command = Command::new("gobgp");
        command.arg("--target").arg(format!("unix://{}", socket.display()));
        command.args(line.split_whitespace());
        command
    }

    /// Tells it something: `vrf add a rd 65000:3 rt both 65000:100`.
    pub(crate) fn tell(&self, line: &str) {
        succeed(&mut self.command(line));
    }

    /// What it answers, as JSON.
    pub(crate) fn json(&self, line: &str) -> Value {
        let said = succeed(self.command(line).arg("--json"));
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{line}: {error}: {said}"))
    }
}

impl Drop for Gobgp {
    fn drop(&mut self) {
        last_words(|| format!("gobgpd in {}\n{}", self.name, self.log()));
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
