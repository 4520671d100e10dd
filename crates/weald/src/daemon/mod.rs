//! `weald router`: one router of a plan as a process of its own, on real ports.
//!
//! [`ports`] says what stands behind each port, and [`opened`] which configurations that fits; the
//! host's loop drives the router; [`Daemon`] is
//! who that loop asks: it answers requests on the control socket ([`answer`]), those that take a
//! while when they have ([`probing`]), writes what happens to the log ([`log`]), and gives figures to
//! whoever collects them ([`metrics`]).

pub(crate) mod answer;
pub(crate) mod log;
pub(crate) mod metrics;
pub(crate) mod opened;
pub(crate) mod ports;
pub(crate) mod probed;
mod probing;

use std::collections::VecDeque;
use std::fs;
use std::io::{self, PipeReader, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::{Path, PathBuf};

use base::{Instant, PortId};
use host::{Driver, Master, Next, Signal, Signals};
use model::config::RouterConfig;

use crate::control::listener::Listener;
use crate::control::request::Request;
use crate::control::response::{Answer, Response};
use crate::daemon::log::Log;
use crate::daemon::opened::Opened;
use crate::daemon::probing::Probing;
use crate::failure::Failure;
use crate::network::Event;

/// Events that are kept for people; the oldest are forgotten first.
const EVENTS_MAX: usize = 1_000;
/// Requests that are answered before frames have their turn again.
const REQUESTS_MAX: usize = 16;

/// Reads a router's configuration.
pub(crate) fn read_config(path: &Path) -> Result<RouterConfig, Failure> {
    let shown = path.display();
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::input(format!("`{shown}` cannot be read: {error}")))?;
    serde_json::from_str(&text).map_err(|error| {
        Failure::input(format!("`{shown}` is no configuration of a router: {error}"))
            .hint("`weald compile DIR --routers FOLDER` writes one for each router")
    })
}

/// Who the loop of a router asks.
pub(crate) struct Daemon {
    path: PathBuf,
    opened: Opened,
    listener: Listener,
    /// Rings when there is a request.
    bell: PipeReader,
    signals: Signals,
    log: Log,
    name: String,
    events: VecDeque<Event>,
    probing: Probing,
}

impl Daemon {
    pub(crate) fn new(
        path: PathBuf,
        (name, opened): (String, Opened),
        (listener, bell): (Listener, PipeReader),
        signals: Signals,
        log: Log,
    ) -> Self {
        Self {
            path,
            opened,
            listener,
            bell,
            signals,
            log,
            name,
            events: VecDeque::new(),
            probing: Probing::default(),
        }
    }

    pub(crate) fn events(&self) -> &VecDeque<Event> {
        &self.events
    }

    /// Answers what is to be answered, and says how it ended.
    pub(crate) fn finish(self, ended: &io::Result<()>) {
        let Self { listener, log, probing, .. } = self;
        // Who waits for these is told that there will be no answer.
        drop(probing);
        match ended {
            Ok(()) => log.said("stopped"),
            Err(error) => log.trouble(&format!("stopped: the kernel refuses waiting: {error}")),
        }
        listener.finish();
        log.finish();
    }

    /// Answers, and says whether that was the last request.
    fn serve(&mut self, driver: &mut Driver) -> Next {
        let mut rung = [0; REQUESTS_MAX];
        let requests = self.bell.read(&mut rung).unwrap_or(0);
        for _ in 0..requests {
            let Ok(asked) = self.listener.asked.try_recv() else { break };
            if matches!(asked.request, Request::Ping(_) | Request::Trace(_)) {
                self.probing.begin(driver.router(), asked);
                continue;
            }
            let is_last = asked.request == Request::Down;
            let response: Response = if is_last {
                Answer::new(&serde_json::json!({ "stopped": true }), "stopped").into()
            } else {
                answer::answer(self, driver, &asked.request).into()
            };
            // Who asked may have gone away.
            let _ = asked.reply.send(response);
            if is_last {
                return Next::End;
            }
        }
        Next::GoOn
    }

    /// Takes the configuration from its file again.
    fn reload(&self, driver: &mut Driver) {
        let config = match read_config(&self.path) {
            Ok(config) => config,
            Err(failure) => return self.log.trouble(&failure.message),
        };
        let generation = config.generation;
        let misfits = self.opened.misfits(&config);
        if !misfits.is_empty() {
            let misfits = misfits.join(", ");
            return self.log.trouble(&format!(
                "configuration of plan {generation} is refused: it does not fit the ports that are \
                 open: {misfits}; restart the router for it"
            ));
        }
        let unopened = self.opened.unopened(driver.router().config(), &config);
        match driver.with(|router, now| router.set_config(now, config)) {
            Ok(()) => {
                self.log.said(&format!("configuration of plan {generation} is in force"));
                for name in unopened {
                    self.log.warned(&format!(
                        "port `{name}` is new and nothing is behind it: restart the router for it"
                    ));
                }
            }
            Err(errors) => {
                self.log
                    .trouble(&format!("configuration of plan {generation} is refused: {errors}"));
            }
        }
    }
}

impl Master for Daemon {
    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        vec![self.bell.as_fd(), self.signals.as_fd()]
    }

    fn attend(&mut self, driver: &mut Driver, ready: &[bool]) -> Next {
        let [requests, signals] = ready else { return Next::GoOn };
        if *signals {
            match self.signals.take() {
                Some(Signal::End) => return Next::End,
                Some(Signal::Reload) => self.reload(driver),
                None => {}
            }
        }
        if *requests { self.serve(driver) } else { Next::GoOn }
    }

    fn round(&mut self, driver: &mut Driver) -> Option<Instant> {
        self.log.catch_up();
        self.probing.round(driver)
    }

    fn told(&mut self, now: Instant, event: &router::Event, left_out: u64) {
        self.log.event(event, left_out);
        if self.events.len() >= EVENTS_MAX {
            self.events.pop_front();
        }
        let (router, text) = (self.name.clone(), log::sentence(event, left_out));
        self.events.push_back(Event { at: now, router, text });
    }

    fn failed(&mut self, port: PortId, error: &io::Error) {
        self.log.trouble(&format!("device of {port} has failed and is used no more: {error}"));
    }
}

/// A router of the smallest example.
#[cfg(test)]
fn config(name: &str) -> RouterConfig {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/two-pops");
    let plan = crate::load::load(&folder, 1, None).expect("an example").plan;
    plan.routers.into_iter().find(|router| router.name == name).expect("a router of it")
}
