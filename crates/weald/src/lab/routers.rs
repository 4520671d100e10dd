//! The processes of a lab: one `weald router` each.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use host::namespace::Namespace;
use model::config::RouterConfig;

use crate::control::client;
use crate::control::request::{Request, Status};
use crate::control::response::Answer;
use crate::failure::Failure;
use crate::lab::Folder;
use crate::lab::wiring::PortsAndKeys;

/// Who a router becomes: it needs nothing of anybody's.
const USER: &str = "nobody";
/// How long a router may take to stop before it is killed.
const PATIENCE: Duration = Duration::from_secs(2);

/// A router's process.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    socket: PathBuf,
    child: Option<Child>,
}

impl Process {
    /// Starts a router in its namespace.
    pub(crate) fn start(
        folder: &Folder,
        config: &RouterConfig,
        ports: &PortsAndKeys,
        namespace: &Namespace,
    ) -> Result<Self, Failure> {
        let name = config.name.clone();
        let refuse = |error: &dyn core::fmt::Display| {
            Failure::network(format!("router {name} cannot be started: {error}"))
        };
        let text = serde_json::to_string_pretty(config).map_err(|error| refuse(&error))?;
        let config_path = folder.write(&format!("{name}.json"), &text)?;
        let text = toml::to_string(&ports.ports).map_err(|error| refuse(&error))?;
        ports.write_keys(folder)?;
        let ports_path = folder.write(&format!("{name}.toml"), &text)?;
        let socket = folder.file(&format!("{name}.sock"));
        let log_path = folder.write(&format!("{name}.log"), "")?;
        let log = File::create(&log_path).map_err(|error| refuse(&error))?;
        let program = std::env::current_exe().map_err(|error| refuse(&error))?;
        let mut command = Command::new(program);
        command.arg("router").arg(&config_path).arg("--ports").arg(&ports_path);
        command.arg("--socket").arg(&socket).args(["--log", "json", "--user", USER]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        namespace.hold(&mut command);
        let child = command.spawn().map_err(|error| refuse(&error))?;
        Ok(Self { name, socket, child: Some(child) })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The number of the process, while it runs.
    pub(crate) fn number(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// How it has ended, if it has since this was last asked.
    pub(crate) fn has_ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.as_mut()?.try_wait().ok()??;
        self.child = None;
        Some(status)
    }

    /// Asks it something.
    pub(crate) fn ask(&self, request: &Request) -> Result<Answer, Failure> {
        if self.child.is_none() {
            return Err(Failure::network(format!("`{}` has no power", self.name))
                .hint(format!("weald mend {}", self.name)));
        }
        client::ask(Some(self.socket.clone()), request)
    }

    /// Whether it has ended. One that was killed this moment may still be there for another, but
    /// answers nobody.
    pub(crate) fn is_gone(&mut self) -> bool {
        const MOMENT: Duration = Duration::from_millis(500);
        if self.has_ended().is_none()
            && self.ask(&Request::Status(Status { name: None })).is_err()
            && let Some(child) = &mut self.child
            && host::wait_for_end(child, MOMENT).unwrap_or(false)
        {
            self.child = None;
        }
        self.child.is_none()
    }

    /// Whether it runs and finds everything as it should be.
    pub(crate) fn is_well(&self) -> bool {
        let status = Request::Status(Status { name: None });
        self.ask(&status).is_ok_and(|answer| answer.good)
    }

    /// Takes its power.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ask(&Request::Down).is_ok()
            && let Some(child) = &mut self.child
        {
            // One that does not stop in time is killed.
            let _ = host::wait_for_end(child, PATIENCE);
        }
        self.kill();
    }
}
