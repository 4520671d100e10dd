//! Our router: `weald router` in a namespace.

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use model::config::RouterConfig;
use model::view::{GlobalRouteView, LabelView, RouterView};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tempfile::TempDir;

use crate::net::Net;
use crate::wait::{last_words, succeed, wait_for};

/// How long it may take to open its ports.
const START: Duration = Duration::from_secs(10);

/// Who it becomes.
const USER: &str = "nobody";

/// A line of its log, and when it came.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) at: Instant,
    pub(crate) fields: Value,
}

impl Line {
    /// Whether it is an event of this kind with these fields.
    pub(crate) fn is(&self, event: &str, fields: &[(&str, &str)]) -> bool {
        let is = |name: &str, value: &str| match self.fields.get(name) {
            Some(Value::String(text)) => text == value,
            Some(other) => serde_json::from_str(value).is_ok_and(|value: Value| value == *other),
            None => false,
        };
        is("event", event) && fields.iter().all(|(name, value)| is(name, value))
    }
}

/// A router that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct Daemon {
    folder: TempDir,
    child: Child,
    log: Arc<Mutex<Vec<Line>>>,
}

/// The file of ports for ports that are Ethernet interfaces.
pub(crate) fn interfaces(ports: &[(&str, &str)]) -> String {
    ports.iter().map(|(port, on)| format!("[port.{port}]\ninterface = \"{on}\"\n")).collect()
}

impl Daemon {
    /// Starts a router in a namespace, and waits until its ports are open. `ports` is the file of
    /// ports, which may name files in [`Self::folder`] only.
    pub(crate) fn start(net: &Net, space: &str, config: &RouterConfig, ports: &str) -> Self {
        Self::start_with(net, space, config, ports, &[])
    }

    /// The same with files beside the file of ports: keys, say.
    pub(crate) fn start_with(
        net: &Net,
        space: &str,
        config: &RouterConfig,
        ports: &str,
        files: &[(&str, &str)],
    ) -> Self {
        let command = net.command(space, env!("CARGO_BIN_EXE_weald"));
        Self::start_by(command, &["--user", USER], config, ports, files)
    }

    /// Starts a router without other rights than these, as an ordinary user: `+net_raw,+bpf`.
    pub(crate) fn start_as_nobody(
        net: &Net,
        space: &str,
        rights: &str,
        config: &RouterConfig,
        ports: &str,
    ) -> Self {
        let mut command = net.command(space, "setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
        for set in ["--inh-caps", "--ambient-caps", "--bounding-set"] {
            command.arg(set).arg(format!("-all,{rights}"));
        }
        command.arg(env!("CARGO_BIN_EXE_weald"));
        // It is somebody already.
        Self::start_by(command, &[], config, ports, &[])
    }

    fn start_by(
        mut command: Command,
        user: &[&str],
        config: &RouterConfig,
        ports: &str,
        files: &[(&str, &str)],
    ) -> Self {
        let folder = TempDir::with_prefix("weald-").expect("a folder");
        // It reads its configuration again as the user that it has become.
        let all = Permissions::from_mode(0o755);
        fs::set_permissions(folder.path(), all).expect("it is ours");
        for (name, text) in files.iter().chain(&[("ports.toml", ports)]) {
            fs::write(folder.path().join(name), text).expect("a file");
        }
        write_config(&folder, config);
        // Whoever it runs as makes its socket there.
        std::os::unix::fs::chown(folder.path(), Some(65_534), None).expect("a folder");
        command.arg("router").arg(folder.path().join("config.json"));
        command.arg("--ports").arg(folder.path().join("ports.toml"));
        command.arg("--socket").arg(folder.path().join("control")).args(["--log", "json"]);
        command.args(user);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let log = Arc::default();
        follow(&mut child, &log);
        let daemon = Self { folder, child, log };
        wait_for("start", START, || match daemon.lines().first() {
            Some(line) if line.is("process", &[("level", "info")]) => Ok(()),
            line => Err(line.cloned()),
        });
        daemon
    }

    /// The number of its process.
    pub(crate) fn number(&self) -> u32 {
        self.child.id()
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("control")
    }

    /// Everything it has logged so far.
    pub(crate) fn lines(&self) -> Vec<Line> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The first event of this kind with these fields after a moment, once it has come.
    pub(crate) fn event(
        &self,
        since: Instant,
        limit: Duration,
        event: &str,
        fields: &[(&str, &str)],
    ) -> Line {
        wait_for(&format!("{event} {fields:?}"), limit, || {
            let mut lines = self.lines();
            lines.retain(|line| line.at >= since);
            let found = lines.iter().find(|line| line.is(event, fields)).cloned();
            found.ok_or(lines)
        })
    }

    /// Asks it: `status`, `show routes`. What it answers must be JSON, and may be bad news.
    pub(crate) fn ask(&self, request: &str) -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weald"));
        command.arg("--json").args(request.split_whitespace()).arg("--socket").arg(self.socket());
        let output = command.output().expect("the binary runs");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!("{request}: {error}: {}", String::from_utf8_lossy(&output.stderr))
        })
    }

    fn ask_for<T: DeserializeOwned>(&self, request: &str) -> T {
        let answer = self.ask(request);
        T::deserialize(&answer).unwrap_or_else(|error| panic!("{request}: {error}: {answer:#}"))
    }

    /// The router at a glance.
    pub(crate) fn view(&self) -> RouterView {
        self.ask_for("status")
    }

    /// Its routes of the region. The name is the configuration's.
    pub(crate) fn global_routes(&self, name: &str) -> Vec<GlobalRouteView> {
        self.ask_for(&format!("show global {name}"))
    }

    /// Its labels.
    pub(crate) fn labels(&self, name: &str) -> Vec<LabelView> {
        self.ask_for(&format!("show labels {name}"))
    }

    /// Why the adjacency on a port is not up; `Ok` with the neighbour's name where it is.
    pub(crate) fn adjacency(&self, port: &str) -> Result<String, Option<String>> {
        let view = self.view();
        let port = view.ports.iter().find(|one| one.name == port).expect("a port").port;
        let adjacency = view.adjacencies.into_iter().find(|one| one.port == port);
        let adjacency = adjacency.expect("a core link");
        if adjacency.up { Ok(adjacency.neighbour) } else { Err(adjacency.reason) }
    }

    /// The state of BFD on a port, and why it is not up.
    pub(crate) fn bfd(&self, port: &str) -> (String, Option<String>) {
        let view = self.view();
        let port = view.ports.into_iter().find(|one| one.name == port).expect("a port");
        (port.bfd.unwrap_or_default(), port.reason)
    }

    /// Gives it another configuration, and waits until that is in force.
    pub(crate) fn reconfigure(&self, config: &RouterConfig) {
        let text = format!("configuration of plan {} is in force", config.generation);
        let now = self.offer(config);
        self.event(now, START, "process", &[("text", &text)]);
    }

    /// Gives it another configuration, whether it takes it or not; says when.
    pub(crate) fn offer(&self, config: &RouterConfig) -> Instant {
        let now = Instant::now();
        write_config(&self.folder, config);
        self.signal("HUP");
        now
    }

    /// Ends it as an operator does.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.child.wait().expect("it can be waited for")
    }

    /// Ends it as a fault does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it can be waited for");
    }

    fn signal(&self, signal: &str) {
        succeed(Command::new("kill").args(["-s", signal, &self.child.id().to_string()]));
    }
}

fn write_config(folder: &TempDir, config: &RouterConfig) {
    let text = serde_json::to_string_pretty(config).expect("JSON");
    fs::write(folder.path().join("config.json"), text).expect("a file");
}

/// Collects what it says, line by line, on a thread that ends with it.
fn follow(child: &mut Child, log: &Arc<Mutex<Vec<Line>>>) {
    let said = BufReader::new(child.stderr.take().expect("its messages are piped"));
    let log = Arc::clone(log);
    thread::spawn(move || {
        for line in said.lines().map_while(Result::ok) {
            let fields = serde_json::from_str(&line).unwrap_or(Value::String(line));
            let line = Line { at: Instant::now(), fields };
            log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    });
}

impl Drop for Daemon {
    fn drop(&mut self) {
        last_words(|| {
            let lines: Vec<_> = self.lines().iter().map(|line| line.fields.to_string()).collect();
            let mut command = Command::new(env!("CARGO_BIN_EXE_weald"));
            let output = command.arg("status").arg("--socket").arg(self.socket()).output();
            let status = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
            let (folder, lines) = (self.folder.path().display(), lines.join("\n"));
            format!("router in {folder}\n{lines}\n{}", status.unwrap_or_default())
        });
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
