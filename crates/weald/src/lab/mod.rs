//! `weald lab`: a plan on this machine with real interfaces, one process for each router.
//!
//! Every router is a `weald router` of its own in a network namespace of its own, every LAN of a
//! site is a namespace with one host in it, and links are pairs of virtual Ethernet interfaces;
//! secure links are WireGuard over such a pair. Any program can be run on a LAN: `weald shell`.
//!
//! - [`folder`]: where configurations, keys, logs and sockets are;
//! - [`wiring`]: namespaces, interfaces, addresses;
//! - [`routers`]: the processes;
//! - [`answer`]: requests, answered here or passed on to the router concerned.
//!
//! Namespaces have no names and the processes end with this one, so that nothing is left of a lab
//! that was killed but its folder, which the next one takes away.

mod answer;
mod folder;
mod routers;
mod wiring;

use std::io::{PipeReader, Read as _};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use host::Signals;
use model::plan::Plan;

use crate::control::listener::{Asked, Listener};
use crate::control::request::Request;
use crate::control::response::{Answer, Response};
use crate::failure::Failure;
use crate::output;

pub(crate) use crate::lab::folder::Folder;
use crate::lab::routers::Process;
use crate::lab::wiring::Wiring;

/// How long routers may take to find each other.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often they are asked whether they have.
const LOOK: Duration = Duration::from_millis(100);
/// How often the processes are looked after.
const ROUND: Duration = Duration::from_secs(1);

/// A running lab.
pub(crate) struct Lab {
    plan: Plan,
    folder: Folder,
    wiring: Wiring,
    processes: Vec<Process>,
    /// Links that were cut, by their place in the plan.
    cut: Vec<usize>,
}

impl Lab {
    /// Builds the network and starts every router.
    pub(crate) fn start(plan: Plan, folder: Folder) -> Result<Self, Failure> {
        let wiring = Wiring::build(&plan)?;
        let mut lab = Self { plan, folder, wiring, processes: Vec::new(), cut: Vec::new() };
        for number in 0..lab.plan.routers.len() {
            let process = lab.start_router(number)?;
            lab.processes.push(process);
        }
        Ok(lab)
    }

    fn start_router(&self, number: usize) -> Result<Process, Failure> {
        let (Some(config), Some(namespace)) =
            (self.plan.routers.get(number), self.wiring.router(number))
        else {
            return Err(Failure::network("there is no such router"));
        };
        Process::start(&self.folder, config, &self.wiring.ports(&self.plan, number), namespace)
    }

    pub(crate) const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Waits until every router finds itself well; says which do not.
    pub(crate) fn wait_until_up(&mut self) -> Vec<String> {
        let until = Instant::now() + PATIENCE;
        loop {
            let unwell: Vec<String> = self
                .processes
                .iter_mut()
                .filter_map(|process| (!process.is_well()).then(|| process.name().to_owned()))
                .collect();
            if unwell.is_empty() || Instant::now() >= until {
                return unwell;
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Answers requests until it is told to stop.
    pub(crate) fn serve(
        &mut self,
        listener: &Listener,
        mut bell: PipeReader,
        signals: &Signals,
    ) -> Result<(), Failure> {
        loop {
            let ready = host::wait_for(&[bell.as_fd(), signals.as_fd()], ROUND)
                .map_err(|error| Failure::network(format!("the kernel refuses: {error}")))?;
            if ready.get(1) == Some(&true) && signals.take().is_some() {
                return Ok(());
            }
            if ready.first() == Some(&true) {
                let mut rung = [0; 1];
                let _ = bell.read(&mut rung);
                if let Ok(asked) = listener.asked.try_recv()
                    && self.reply(asked)
                {
                    return Ok(());
                }
            }
            for process in &mut self.processes {
                if let Some(how) = process.has_ended() {
                    output::note(&format!("router {} has ended: {how}", process.name()));
                }
            }
        }
    }

    /// Answers, and says whether that was the last request.
    fn reply(&mut self, asked: Asked) -> bool {
        let is_last = asked.request == Request::Down;
        let response: Response = if is_last {
            Answer::new(&serde_json::json!({ "stopped": true }), "stopped").into()
        } else {
            answer::answer(self, &asked.request).into()
        };
        // Who asked may have gone away.
        let _ = asked.reply.send(response);
        is_last
    }
}
