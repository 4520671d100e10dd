//! The whole network in one process: routers, links, LANs, faults, and checkers that watch.
//!
//! [`Twin`] builds a plan's network out of the very routers that run on real hardware, joins them
//! by links with delay and rate, puts hosts on every LAN, and moves everything from event to
//! event under one clock and one seed. In virtual time it jumps; in real time its driver paces it.
//! Every packet that leaves an attachment is held against the plan's promises, at every instant.
//!
//! - `engine`, `queue`, `link`, `lan`, `host`: the machinery;
//! - [`Outside`]: real networks in the place of a LAN, routers of the plan that run elsewhere;
//! - [`probe`], `promises`, `topology`: what is sent, what is promised, what can work;
//! - [`survey`]: every pair, community and separation of a plan, tested with packets;
//! - [`fault`], [`search`], [`sweep`]: cuts, random faults, every single failure;
//! - [`rehearsal`]: one plan gives way to another, router by router, under traffic;
//! - [`trace`]: a packet's way, router by router and label by label;
//! - [`checker`]: what must hold at every instant or after convergence, one file each.

pub mod checker;
mod engine;
pub mod fault;
mod host;
mod lan;
mod link;
mod outside;
pub mod probe;
mod promises;
mod queue;
pub mod rehearsal;
pub mod search;
pub mod survey;
pub mod sweep;
mod topology;
pub mod trace;

use core::fmt;
use core::net::IpAddr;
use std::collections::BTreeSet;

use base::{Duration, Instant, Rng};
use model::plan::Plan;
use model::view::TableSizes;
use router::{ConfigErrors, Router};

use crate::checker::isolation::{Breach, Isolation};
use crate::engine::Engine;
use crate::probe::{Flow, Turn};
use crate::promises::Promises;

pub use crate::engine::{RouterState, Told};
pub use crate::link::{Impairment, LinkState};
pub use crate::outside::Outside;

/// How long nothing may have changed before the network counts as converged: several times the
/// longest way across the region and back.
const QUIET: Duration = Duration::from_millis(500);
/// How often convergence is looked for.
const LOOK: Duration = Duration::from_millis(50);
/// Probes kept; the oldest are forgotten first.
const PROBES_MAX: usize = 4_000_000;

/// What became of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeState {
    /// Number of the LAN it was sent from.
    pub from: usize,
    /// Addresses, protocol and ports.
    pub flow: Flow,
    /// When it was sent.
    pub sent: Instant,
    /// The LAN it came out at, and when.
    pub arrived: Option<(usize, Instant)>,
    /// When the answer of the host came back, and whether it was a refusal.
    pub answered: Option<(bool, Instant)>,
}

/// How far the network has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Virtual time.
    pub now: Instant,
    /// Routers that run, and all that belong to this twin.
    pub routers: (usize, usize),
    /// IS-IS adjacencies up, and expected; counted at both ends, as far as they are here.
    pub adjacencies: (usize, usize),
    /// BGP sessions up, and expected; counted at both ends, as far as they are here.
    pub sessions: (usize, usize),
    /// Table entries of all routers.
    pub sizes: TableSizes,
    /// Routers whose BGP has nothing left to say or to wait for.
    pub settled: usize,
    /// Time since a table last changed.
    pub quiet: Duration,
}

impl Progress {
    /// Whether everything that should be up is, and nothing moves.
    #[must_use]
    pub fn converged(&self) -> bool {
        self.adjacencies.0 == self.adjacencies.1
            && self.sessions.0 == self.sessions.1
            && self.settled == self.routers.0
            && self.quiet >= QUIET
    }
}

/// The network did not converge in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotConverged {
    /// How far it came.
    pub progress: Box<Progress>,
    /// How long it had.
    pub within: Duration,
}

impl fmt::Display for NotConverged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Progress { routers, adjacencies, sessions, settled, quiet, .. } = *self.progress;
        write!(
            f,
            "not converged within {:?}: adjacencies {} of {}, sessions {} of {}, \
             settled routers {settled} of {}, quiet for {quiet:?}",
            self.within, adjacencies.0, adjacencies.1, sessions.0, sessions.1, routers.0,
        )
    }
}

impl core::error::Error for NotConverged {}

/// A plan's network, running.
#[derive(Debug)]
pub struct Twin {
    plan: Plan,
    seed: u64,
    engine: Engine,
    /// A packet may arrive where one of these lets it: of both plans while one gives way to the
    /// other.
    promises: Vec<Promises>,
    isolation: Isolation,
    probes: Vec<ProbeState>,
    /// The number of the first probe that is kept.
    first_probe: u64,
    rng: Rng,
    patrol: bool,
}

impl Twin {
    /// Builds the network and starts every router at time zero.
    ///
    /// # Errors
    /// A configuration that a router refuses, with everything that is wrong with it.
    pub fn new(plan: Plan, seed: u64) -> Result<Self, ConfigErrors> {
        Self::build(plan, seed, &BTreeSet::new())
    }

    fn build(plan: Plan, seed: u64, absent: &BTreeSet<String>) -> Result<Self, ConfigErrors> {
        let engine = Engine::new(&plan, seed, absent)?;
        let promises = vec![Promises::new(&plan)];
        Ok(Self {
            plan,
            seed,
            engine,
            promises,
            isolation: Isolation::default(),
            probes: Vec::new(),
            first_probe: 0,
            rng: Rng::new(seed ^ 0x70_726f_6265),
            patrol: false,
        })
    }

    /// The plan that was built.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The seed of the run.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Virtual time.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.engine.now()
    }

    /// The hash of everything that happened so far: equal for equal seeds, on any machine. Since
    /// something leads outside, of the length of each frame only.
    #[must_use]
    pub const fn trace_hash(&self) -> u64 {
        self.engine.trace()
    }

    /// How many events happened so far.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.engine.events()
    }

    /// How many events wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.engine.waiting()
    }

    /// When the next event is.
    #[must_use]
    pub fn next_at(&self) -> Option<Instant> {
        self.engine.next_at()
    }

    /// How many packets came out where no promise lets them.
    #[must_use]
    pub const fn breach_count(&self) -> u64 {
        self.isolation.count()
    }

    /// The first packets that came out where no promise lets them.
    #[must_use]
    pub fn breaches(&self) -> &[Breach] {
        self.isolation.breaches()
    }

    /// What routers told people since this was last called.
    pub fn take_told(&mut self) -> Vec<Told> {
        core::mem::take(&mut self.engine.told)
    }

    /// A running router by its name.
    #[must_use]
    pub fn router(&self, name: &str) -> Option<&Router> {
        self.engine.router(self.router_number(name)?)
    }

    /// The number of a router.
    #[must_use]
    pub fn router_number(&self, name: &str) -> Option<usize> {
        self.plan.routers.iter().position(|router| router.name == name)
    }

    /// The number of a link.
    #[must_use]
    pub fn link_number(&self, name: &str) -> Option<usize> {
        self.plan.links.iter().position(|link| link.name == name)
    }

    /// Whether a router runs.
    #[must_use]
    pub fn router_state(&self, number: usize) -> RouterState {
        self.engine.router_state(number)
    }

    /// Whether a link carries frames.
    #[must_use]
    pub fn link_state(&self, number: usize) -> LinkState {
        self.engine.link_state(number)
    }

    /// Runs until virtual time `until`.
    pub fn run_until(&mut self, until: Instant) {
        while self.engine.step(until) {
            if !self.engine.arrivals.is_empty() {
                self.note_arrivals();
            }
        }
        self.note_arrivals();
    }

    /// Runs for a duration of virtual time.
    pub fn run_for(&mut self, duration: Duration) {
        self.run_until(self.now() + duration);
    }

    /// Runs until everything that the topology allows is up and nothing moves any more.
    ///
    /// # Errors
    /// How far the network came, where `within` was not enough.
    pub fn run_until_converged(
        &mut self,
        within: Duration,
        report: &mut dyn FnMut(&Progress),
    ) -> Result<Progress, NotConverged> {
        let limit = self.now() + within;
        loop {
            self.run_for(LOOK);
            if self.patrol {
                self.patrol_once();
            }
            let progress = self.progress();
            report(&progress);
            if progress.converged() {
                return Ok(progress);
            }
            if self.now() >= limit {
                return Err(NotConverged { progress: Box::new(progress), within });
            }
        }
    }

    /// How far the network has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let expected = self.engine.expected();
        let mut progress = Progress {
            now: self.now(),
            routers: (0, self.engine.present()),
            adjacencies: (0, expected.adjacencies),
            sessions: (0, expected.sessions),
            quiet: self.now().since(self.engine.changed_at()),
            ..Progress::default()
        };
        for (_, router) in self.engine.routers() {
            progress.routers.0 += 1;
            progress.adjacencies.0 += router.adjacencies_up();
            progress.sessions.0 += router.sessions_up();
            progress.settled += usize::from(router.is_settled());
            let sizes = router.sizes();
            progress.sizes.vrf_routes += sizes.vrf_routes;
            progress.sizes.global_routes += sizes.global_routes;
            progress.sizes.labels += sizes.labels;
            progress.sizes.bgp_paths += sizes.bgp_paths;
        }
        progress
    }

    /// The number of the LAN of a site, in a virtual network where one is named.
    #[must_use]
    pub fn lan(&self, site: &str, network: Option<&str>) -> Option<usize> {
        self.engine.lans.iter().position(|lan| {
            lan.site.eq_ignore_ascii_case(site) && network.is_none_or(|n| lan.network == n)
        })
    }

    /// An ordinary simulated host's address in a LAN; none where real hosts are.
    #[must_use]
    pub fn host(&self, lan: usize, v6: bool) -> Option<IpAddr> {
        self.engine.lans.get(lan)?.host(v6, 0)
    }

    /// Sends a probe from a simulated host of a LAN at `at`, and returns its number.
    pub fn send_probe(&mut self, from: usize, flow: Flow, at: Instant) -> u64 {
        let number = self.first_probe + self.probes.len() as u64;
        let (sent, arrived, answered) = (at.max(self.now()), None, None);
        self.probes.push(ProbeState { from, flow, sent, arrived, answered });
        if let Some(packet) = probe::packet(&flow, Turn::Ask, number)
            && let Some(lan) = self.engine.lans.get(from)
        {
            let frame = lan.frame(flow.source, &packet);
            self.engine.inject_from_lan(from, sent, &frame);
        }
        if self.probes.len() > PROBES_MAX {
            self.probes.drain(..PROBES_MAX / 2);
            self.first_probe += PROBES_MAX as u64 / 2;
        }
        number
    }

    /// What became of a probe.
    #[must_use]
    pub fn probe(&self, number: u64) -> Option<&ProbeState> {
        let index = usize::try_from(number.checked_sub(self.first_probe)?).ok()?;
        self.probes.get(index)
    }

    fn note_arrivals(&mut self) {
        let now = self.now();
        for (lan, arrival) in core::mem::take(&mut self.engine.arrivals) {
            // An ICMP error quotes the packet it is about, and belongs to whoever sent that.
            let error = arrival.turn == Turn::Refuse
                && arrival.flow.protocol == probe::icmp_protocol(arrival.flow.source);
            let Some(number) = arrival.probe else {
                // Real hosts send what they like, and where organisations use the same addresses
                // nobody can tell from a packet without a number whose it is.
                if self.engine.is_open() {
                    continue;
                }
                // Hosts send probes and answers to them, routers send errors, nobody else anything.
                if !error || self.engine.lans.iter().any(|lan| lan.is_host(arrival.flow.source)) {
                    self.isolation.unknown(now, lan, &arrival.flow);
                }
                continue;
            };
            let index = number.checked_sub(self.first_probe);
            let Some(state) = index
                .and_then(|index| usize::try_from(index).ok())
                .and_then(|index| self.probes.get_mut(index))
            else {
                continue;
            };
            let is_answer = lan == state.from && arrival.flow == state.flow.reversed();
            if is_answer {
                state.answered.get_or_insert((arrival.turn == Turn::Refuse, now));
                continue;
            }
            if error && (lan == state.from || state.arrived.is_some_and(|(at, _)| at == lan)) {
                continue;
            }
            // A probe of another twin has its number from there.
            let is_ours = [state.flow, state.flow.reversed()].contains(&arrival.flow);
            if self.engine.is_open() && !is_ours {
                continue;
            }
            if arrival.flow == state.flow {
                state.arrived.get_or_insert((lan, now));
            }
            self.isolation.check(&self.promises, now, state.from, lan, &arrival.flow);
        }
    }

    /// From now on, probes between random hosts accompany every wait for convergence, so that the
    /// checkers see the moments in between too.
    pub const fn set_patrol(&mut self, patrol: bool) {
        self.patrol = patrol;
    }

    /// Sends a handful of probes between random hosts of random LANs, most of which must not
    /// arrive.
    fn patrol_once(&mut self) {
        const PROBES: usize = 16;
        for _ in 0..PROBES {
            let lans = self.engine.lans.len() as u64;
            let pick = |rng: &mut Rng| usize::try_from(rng.below(lans)).unwrap_or(0);
            let (from, to) = (pick(&mut self.rng), pick(&mut self.rng));
            let v6 = self.rng.chance(500_000);
            let Some((source, destination)) = self.host(from, v6).zip(self.host(to, v6)) else {
                continue;
            };
            let flow = Flow {
                source,
                destination,
                protocol: packet::udp::PROTOCOL,
                source_port: 40_000,
                destination_port: 7,
            };
            self.send_probe(from, flow, self.now());
        }
    }
}
