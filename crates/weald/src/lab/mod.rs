//! `weald lab`: a plan on this machine with real interfaces, one process for each router.
//!
//! Every core router and every chosen site's is a `weald router` of its own in a network namespace
//! of its own, every LAN of such a site is a namespace with one host in it, and links are pairs of
//! virtual Ethernet interfaces; secure links are WireGuard over such a pair. The rest of the region
//! runs inside this process, and real links lead there. Any program can be run on a LAN:
//! `weald shell`.
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

use std::collections::{BTreeMap, BTreeSet};
use std::io::{PipeReader, Read as _};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use host::{Signals, rights};
use model::config::Role;
use model::plan::Plan;
use twin::Outside;

use crate::control::listener::{Asked, Listener};
use crate::control::request::Request;
use crate::control::response::{Answer, Response};
use crate::failure::Failure;
use crate::output;

pub(crate) use crate::lab::folder::Folder;
use crate::lab::routers::Process;
use crate::lab::wiring::Wiring;
use crate::network::Network;

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
    /// By the routers' places in the plan.
    processes: BTreeMap<usize, Process>,
    /// Every other router.
    rest: Network,
    /// Links that were cut, by their places in the plan.
    cut: Vec<usize>,
}

impl Lab {
    /// Builds the network and starts every router: those of the core and of `sites` each in a
    /// process of its own, all others in this one.
    pub(crate) fn start(
        plan: Plan,
        folder: Folder,
        sites: &BTreeSet<String>,
    ) -> Result<Self, Failure> {
        let chosen: BTreeSet<&str> = plan
            .sites
            .iter()
            .filter(|site| sites.contains(&site.code))
            .map(|site| site.router.as_str())
            .collect();
        let real: BTreeSet<String> = plan
            .routers
            .iter()
            .filter(|router| router.role == Role::Core || chosen.contains(router.name.as_str()))
            .map(|router| router.name.clone())
            .collect();
        let is_real =
            |n: usize| plan.routers.get(n).is_some_and(|router| real.contains(&router.name));
        let wiring = Wiring::build(&plan, &is_real)?;
        let seed = rights::random()
            .map_err(|error| Failure::network(format!("the kernel has no randomness: {error}")))?;
        let mut rest = Network::start_part(plan.clone(), seed, &real)?;
        for link in rest.outside_links().collect::<Vec<_>>() {
            rest.join(Outside::Link(link), wiring.device(&plan, link)?, None);
        }
        let numbers: Vec<usize> = (0..plan.routers.len()).filter(|n| is_real(*n)).collect();
        let (processes, cut) = (BTreeMap::new(), Vec::new());
        let mut lab = Self { plan, folder, wiring, processes, rest, cut };
        for number in numbers {
            let process = lab.start_router(number)?;
            lab.processes.insert(number, process);
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
            self.rest.live(LOOK);
            let processes = &self.processes;
            let mut unwell: Vec<String> = self.rest.meanwhile(|| {
                let unwell = processes.values().filter(|process| !process.is_well());
                unwell.map(|process| process.name().to_owned()).collect()
            });
            let progress = self.rest.progress();
            if progress.sessions.0 < progress.sessions.1 {
                let (up, all) = progress.sessions;
                unwell.push(format!("{} sessions of the rest", all - up));
            }
            if unwell.is_empty() || Instant::now() >= until {
                return unwell;
            }
        }
    }

    /// Answers requests until it is told to stop.
    pub(crate) fn serve(&mut self, listener: &Listener, mut bell: PipeReader, signals: &Signals) {
        let mut looked = Instant::now();
        loop {
            self.rest.keep_pace();
            let ready = self.rest.wait(&[bell.as_fd(), signals.as_fd()], ROUND);
            if ready.get(1) == Some(&true) && signals.take().is_some() {
                return;
            }
            if ready.first() == Some(&true) {
                let mut rung = [0; 1];
                let _ = bell.read(&mut rung);
                if let Ok(asked) = listener.asked.try_recv()
                    && self.reply(asked)
                {
                    return;
                }
            }
            if looked.elapsed() < ROUND {
                continue;
            }
            looked = Instant::now();
            for process in self.processes.values_mut() {
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
