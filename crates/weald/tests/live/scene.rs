//! A lab, and programs on its sites' LANs.
//!
//! Every lab has a folder of its own for its socket, its keys and its logs. Programs run by `weald
//! shell`, as an operator would run them, and end with the thread that started them, however that
//! ends.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use host::namespace::Namespace;
use serde_json::Value;
use tempfile::TempDir;

use crate::wait::{Package, last_words, need, succeed, wait_for};

const PACKAGES: [Package; 3] = [
    Package { name: "iproute2", programs: &["ip"] },
    Package { name: "iputils-ping", programs: &["ping"] },
    Package { name: "util-linux", programs: &["setpriv"] },
];
/// How long a lab may take to stop.
const STOP: Duration = Duration::from_secs(10);
/// How long a program that a test waits for may run, in seconds, as `timeout` reads it.
const RUN_S: &str = "40";

/// A lab that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct Lab {
    folder: TempDir,
    child: Child,
    /// What it said when it was up.
    pub(crate) up: Value,
    /// From the start of its process until it said so.
    pub(crate) took: Duration,
    /// What it says to people, kept open.
    _said: BufReader<std::process::ChildStdout>,
}

/// The folder of an example.
fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name)
}

impl Lab {
    /// Starts the lab of an example, and waits until it is up: every router must be well.
    pub(crate) fn start(name: &str) -> Self {
        need(&PACKAGES);
        let folder = TempDir::with_prefix("weald-").expect("a folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_weald"));
        Self::start_in(folder, name, &mut command)
    }

    /// The same in a network namespace.
    pub(crate) fn start_within(space: &Namespace, name: &str) -> Self {
        need(&PACKAGES);
        let folder = TempDir::with_prefix("weald-").expect("a folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_weald"));
        space.hold(&mut command);
        Self::start_in(folder, name, &mut command)
    }

    /// The same with the socket in a folder that another may have left.
    pub(crate) fn start_in(folder: TempDir, name: &str, command: &mut Command) -> Self {
        let start = Instant::now();
        command.arg("--json").arg("lab").arg(example(name));
        command.arg("--socket").arg(folder.path().join("lab.sock"));
        command.args(["--date", "2026-06-01"]).stdin(Stdio::null()).stdout(Stdio::piped());
        let notes = fs::File::create(folder.path().join("notes")).expect("a file");
        let mut child = command.stderr(notes).spawn().expect("the binary starts");
        let mut said = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut text = String::new();
        let mut read = 1;
        while read > 0 && !text.ends_with("}\n") {
            read = said.read_line(&mut text).expect("data is text");
        }
        let took = start.elapsed();
        let up = serde_json::from_str(&text).unwrap_or(Value::Null);
        let lab = Self { folder, child, up, took, _said: said };
        let unwell = lab.up.get("not_well").and_then(Value::as_array);
        assert!(unwell.is_some_and(Vec::is_empty), "{text}{}", lab.file("notes"));
        lab
    }

    /// The number of its process.
    pub(crate) fn number(&self) -> u32 {
        self.child.id()
    }

    /// The folder that everything of it is in.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.folder().join(name)).unwrap_or_default()
    }

    /// The log of a router, line by line.
    pub(crate) fn log(&self, router: &str) -> Vec<Value> {
        let text = self.file(&format!("lab.lab/{router}.log"));
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The configuration of a router.
    pub(crate) fn config(&self, router: &str) -> Value {
        let text = self.file(&format!("lab.lab/{router}.json"));
        serde_json::from_str(&text).expect("JSON")
    }

    fn weald(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weald"));
        let (first, rest) = words.split_first().expect("a command");
        command.arg(first).arg("--socket").arg(self.folder().join("lab.sock")).args(rest);
        command.stdin(Stdio::null());
        command
    }

    /// Tells it something, which must be possible: `cut brighton-1--lewes-1`.
    pub(crate) fn tell(&self, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        succeed(&mut self.weald(&words))
    }

    /// The lab at a glance, whether it is well or not.
    pub(crate) fn status(&self) -> Value {
        let output = self.weald(&["status", "--json"]).output().expect("the binary runs");
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
    }

    /// What it says of a router.
    pub(crate) fn router(&self, name: &str) -> Value {
        let status = self.status();
        let routers = status.get("routers").and_then(Value::as_array).into_iter().flatten();
        let found = routers.into_iter().find(|router| text(router, "router") == name);
        found.cloned().unwrap_or_else(|| panic!("no router `{name}`: {status:#}"))
    }

    /// The namespace of a site's LAN.
    pub(crate) fn lan(&self, site: &str) -> Namespace {
        let said = succeed(&mut self.weald(&["lan", site, "--json"]));
        let said: Value = serde_json::from_str(&said).expect("JSON");
        Namespace::open(text(&said, "namespace")).expect("a namespace")
    }

    /// A program on a site's LAN, which ends with the thread that starts it. `rights` are more
    /// arguments of `setpriv`.
    pub(crate) fn program(&self, site: &str, rights: &[&str], words: &[&str]) -> Command {
        let setpriv = ["shell", site, "--", "setpriv", "--pdeathsig", "KILL"];
        self.weald(&[&setpriv, rights, words].concat())
    }

    /// A program that is to end by itself before long.
    pub(crate) fn command(&self, site: &str, words: &[impl AsRef<OsStr>]) -> Command {
        let mut command = self.program(site, &[], &["timeout", "--kill-after=1", RUN_S]);
        command.args(words);
        command
    }

    /// Runs a program on a site's LAN to its end, whatever that is.
    pub(crate) fn run(&self, site: &str, words: &[impl AsRef<OsStr>]) -> Output {
        self.command(site, words).output().expect("the binary runs")
    }

    /// Runs a program on a site's LAN to its end, which must be a good one.
    pub(crate) fn succeed(&self, site: &str, words: &[impl AsRef<OsStr>]) -> String {
        succeed(&mut self.command(site, words))
    }

    /// Waits until a site reaches an address, by `ping`, and returns how long that took.
    pub(crate) fn wait_for_path(&self, site: &str, to: IpAddr) -> Duration {
        const PATIENCE: Duration = Duration::from_secs(15);
        let (start, to) = (Instant::now(), to.to_string());
        wait_for(&format!("way from {site} to {to}"), PATIENCE, || {
            let output = self.run(site, &["ping", "-n", "-c", "1", "-W", "0.3", &to]);
            if output.status.success() { Ok(start.elapsed()) } else { Err(self.status()) }
        })
    }

    /// Waits until its process has ended, and says how.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        let status = wait_for("end of the lab", STOP, || match self.child.try_wait() {
            Ok(Some(status)) => Ok(status),
            other => Err(other),
        });
        status.code()
    }

    /// Ends its process as a fault does, and leaves its folder.
    pub(crate) fn kill(mut self) -> TempDir {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it can be waited for");
        let fresh = TempDir::new().expect("a folder");
        std::mem::replace(&mut self.folder, fresh)
    }
}

impl Lab {
    /// What its routers told last, one behind the other.
    fn ends_of_logs(&self) -> String {
        const LINES: usize = 40;
        let files = fs::read_dir(self.folder().join("lab.lab")).into_iter().flatten().flatten();
        let files = files.map(|file| file.file_name().to_string_lossy().into_owned());
        let end = |name: String| {
            let text = self.file(&format!("lab.lab/{name}"));
            let lines: Vec<&str> = text.lines().collect();
            let last = lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default();
            format!("== {name}\n{}\n", last.join("\n"))
        };
        files.filter(|name| name.ends_with(".log")).map(end).collect()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        last_words(|| {
            let output = self.weald(&["status"]).output();
            let status = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
            let status = status.unwrap_or_default();
            format!("notes\n{}\n{}== status\n{status}", self.file("notes"), self.ends_of_logs())
        });
        stop(&mut self.child, "TERM");
    }
}

/// Has a process end, and ends it where it does not.
pub(crate) fn stop(child: &mut Child, signal: &str) {
    let number = child.id().to_string();
    let start = Instant::now();
    if matches!(child.try_wait(), Ok(None)) {
        let _ = Command::new("kill").args(["-s", signal, &number]).status();
    }
    while matches!(child.try_wait(), Ok(None)) && start.elapsed() < STOP {
        thread::park_timeout(Duration::from_millis(10));
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// A text of an object, which must be there.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    let text = value.get(name).and_then(Value::as_str);
    text.unwrap_or_else(|| panic!("no text `{name}`: {value:#}"))
}

/// A number of an object, which must be there.
pub(crate) fn number(value: &Value, pointer: &str) -> u64 {
    let number = value.pointer(pointer).and_then(Value::as_u64);
    number.unwrap_or_else(|| panic!("no number `{pointer}`: {value:#}"))
}

/// A program on a site's LAN that goes on until this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    name: String,
    /// Where what it says is kept.
    said: PathBuf,
}

impl Running {
    /// Starts a program, which is ended by SIGINT.
    pub(crate) fn start(lab: &Lab, name: &str, command: &mut Command) -> Self {
        let said = lab.folder().join(format!("{name}.said"));
        let out = fs::File::create(&said).expect("a file");
        let err = out.try_clone().expect("a file");
        let child = command.stdout(out).stderr(err).spawn().expect("the binary runs");
        Self { child, name: name.to_owned(), said }
    }

    /// What it has said so far.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.said).unwrap_or_default()
    }

    /// Waits until it has said something.
    pub(crate) fn wait_for(&self, what: &str) {
        const PATIENCE: Duration = Duration::from_secs(10);
        wait_for(&format!("`{what}` of {}", self.name), PATIENCE, || {
            let said = self.said();
            if said.contains(what) { Ok(()) } else { Err(said) }
        });
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: &str) {
        succeed(Command::new("kill").args(["-s", signal, &self.child.id().to_string()]));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        stop(&mut self.child, "INT");
        last_words(|| format!("{}\n{}", self.name, self.said()));
    }
}

/// Sees every packet of a LAN that fits a filter.
#[derive(Debug)]
pub(crate) struct Witness(Running);

impl Witness {
    /// Looks at a site's LAN from now on, until this is dropped.
    pub(crate) fn on(lab: &Lab, site: &str, filter: &str) -> Self {
        need(&[Package { name: "tcpdump", programs: &["tcpdump"] }]);
        let words = ["tcpdump", "-i", "lan0", "-nn", "-l", "-v", "--immediate-mode", "-Z", "root"];
        let mut command = lab.program(site, &[], &[&words[..], &[filter]].concat());
        let running = Running::start(lab, &format!("witness-{site}"), &mut command);
        running.wait_for("listening on");
        Self(running)
    }

    /// The packets seen, once one has been that has this in it: those before it are all there.
    pub(crate) fn seen_until(&self, what: &str) -> String {
        self.0.wait_for(what);
        self.0.said()
    }
}
