//! Routers on wires, one clock, nothing lost unless a test says so.

use std::collections::{BTreeMap, BTreeSet};

use base::{Duration, Instant, PortId, Rng, TraceHash};
use model::config::RouterConfig;
use router::{Event, Input, Output, Router};

use crate::{plan, wire};

pub(crate) const CORE_1: usize = 0;
pub(crate) const CORE_2: usize = 1;
pub(crate) const SITE_1: usize = 2;
pub(crate) const SITE_2: usize = 3;

/// How long a frame is on its way.
const DELAY: Duration = Duration::from_millis(1);

/// An end of a wire.
pub(crate) type End = (usize, PortId);

/// Something that a router told people.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) router: usize,
    pub(crate) event: Event,
}

/// Routers on wires.
#[derive(Debug)]
pub(crate) struct Lab {
    pub(crate) now: Instant,
    routers: Vec<Router>,
    wires: BTreeMap<End, End>,
    /// Nothing that is sent from here arrives.
    mute: BTreeSet<End>,
    flying: BTreeMap<(Instant, u64), (End, Vec<u8>)>,
    sent: u64,
    rng: Rng,
    /// How many frames of a million are lost.
    pub(crate) loss_per_million: u32,
    /// Whether BFD packets are lost.
    pub(crate) deaf_to_bfd: bool,
    pub(crate) record_frames: bool,
    /// What came in, while it is recorded.
    pub(crate) recorded: Vec<(End, Vec<u8>)>,
    /// Frames that left where no wire is.
    pub(crate) left: Vec<(usize, PortId, Vec<u8>)>,
    pub(crate) told: Vec<Told>,
    pub(crate) trace: TraceHash,
}

impl Lab {
    /// Routers without wires, all ports up.
    pub(crate) fn new(seed: u64, configs: Vec<RouterConfig>) -> Self {
        let mut rng = Rng::new(seed);
        let routers = configs
            .into_iter()
            .map(|config| {
                Router::new(Instant::ZERO, rng.next_u64(), config).expect("a good configuration")
            })
            .collect();
        Self {
            now: Instant::ZERO,
            routers,
            wires: BTreeMap::new(),
            mute: BTreeSet::new(),
            flying: BTreeMap::new(),
            sent: 0,
            rng,
            loss_per_million: 0,
            deaf_to_bfd: false,
            record_frames: false,
            recorded: Vec::new(),
            left: Vec::new(),
            told: Vec::new(),
            trace: TraceHash::new(),
        }
    }

    /// The two core routers alone, wired and up.
    pub(crate) fn pair(seed: u64) -> Self {
        let mut lab = Self::new(seed, vec![plan::core(1), plan::core(2)]);
        lab.wire((CORE_1, plan::TO_CORE), (CORE_2, plan::TO_CORE));
        lab
    }

    /// Both core routers and both sites, wired and up, LANs included.
    pub(crate) fn region(seed: u64) -> Self {
        let configs = vec![plan::core(1), plan::core(2), plan::site(1), plan::site(2)];
        Self::region_of(seed, configs)
    }

    /// The same of other configurations; routers after the fourth have no wires.
    pub(crate) fn region_of(seed: u64, configs: Vec<RouterConfig>) -> Self {
        let mut lab = Self::new(seed, configs);
        lab.wire((CORE_1, plan::TO_CORE), (CORE_2, plan::TO_CORE));
        for (core, site) in [(CORE_1, SITE_1), (CORE_2, SITE_2)] {
            lab.wire((core, plan::TO_SITE), (site, plan::UPLINK));
            lab.port(site, plan::LAN, true);
            lab.port(site, plan::LAN_B, true);
        }
        lab
    }

    /// A region that has converged.
    pub(crate) fn converged(seed: u64) -> Self {
        let mut lab = Self::region(seed);
        lab.run_until(Duration::from_secs(10), Self::is_converged);
        lab.run_for(Duration::from_millis(500));
        assert!(lab.is_converged(), "converged: {:#?}", lab.told);
        lab.told.clear();
        lab.left.clear();
        lab
    }

    fn is_converged(&self) -> bool {
        self.routers.iter().all(|router| {
            router.sessions_up() == router.config().neighbours.len() && router.is_settled()
        })
    }

    pub(crate) fn router(&self, number: usize) -> &Router {
        self.routers.get(number).expect("a router of the lab")
    }

    fn router_mut(&mut self, number: usize) -> &mut Router {
        self.routers.get_mut(number).expect("a router of the lab")
    }

    /// Joins two ports and brings both up.
    pub(crate) fn wire(&mut self, a: End, b: End) {
        self.wires.extend([(a, b), (b, a)]);
        self.port(a.0, a.1, true);
        self.port(b.0, b.1, true);
    }

    /// A port's carrier comes or goes.
    pub(crate) fn port(&mut self, router: usize, port: PortId, up: bool) {
        let now = self.now;
        self.router_mut(router).handle_input(now, Input::Port { port, up });
        self.drain(router);
    }

    /// From now on nothing that is sent from this port arrives.
    pub(crate) fn mute(&mut self, end: End, mute: bool) {
        if mute {
            self.mute.insert(end);
        } else {
            self.mute.remove(&end);
        }
    }

    /// A frame comes in.
    pub(crate) fn inject(&mut self, router: usize, port: PortId, bytes: &[u8]) {
        let now = self.now;
        if self.record_frames {
            self.recorded.push(((router, port), bytes.to_vec()));
        }
        self.router_mut(router).handle_input(now, Input::Frame { port, bytes });
        self.drain(router);
    }

    pub(crate) fn set_config(&mut self, router: usize, config: RouterConfig) {
        let now = self.now;
        self.router_mut(router).set_config(now, config).expect("a good configuration");
        self.drain(router);
    }

    /// Does something with a router.
    pub(crate) fn with<T>(
        &mut self,
        router: usize,
        work: impl FnOnce(&mut Router, Instant) -> T,
    ) -> T {
        let now = self.now;
        let result = work(self.router_mut(router), now);
        self.drain(router);
        result
    }

    /// Calls for the timeout of a router, due or not.
    pub(crate) fn wake(&mut self, router: usize) {
        let now = self.now;
        self.router_mut(router).handle_timeout(now);
        self.drain(router);
    }

    /// A router loses its memory and starts again, so quickly that no link goes down.
    pub(crate) fn restart(&mut self, router: usize) {
        let (now, seed) = (self.now, self.rng.next_u64());
        let config = self.router(router).config().clone();
        let wired = |port: &PortId| self.wires.contains_key(&(router, *port));
        let ports: Vec<PortId> = config.ports().map(|(id, _)| id).filter(wired).collect();
        *self.router_mut(router) = Router::new(now, seed, config).expect("the same configuration");
        for port in ports {
            self.port(router, port, true);
        }
    }

    /// Carries away everything that a router says; it must have an end.
    fn drain(&mut self, number: usize) {
        const OUTPUTS_MAX: usize = 100_000;
        for _ in 0..OUTPUTS_MAX {
            match self.router_mut(number).poll_output() {
                Some(Output::Frame { port, bytes }) => self.carry((number, port), bytes.into_vec()),
                Some(Output::Event(event)) => {
                    self.trace.bytes(event.to_string().as_bytes());
                    self.told.push(Told { router: number, event });
                }
                None => return,
            }
        }
        panic!("router {number} does not stop talking");
    }

    fn carry(&mut self, from: End, bytes: Vec<u8>) {
        self.trace.number(self.now.nanos());
        self.trace.bytes(&bytes);
        self.sent += 1;
        let Some(&to) = self.wires.get(&from) else {
            self.left.push((from.0, from.1, bytes));
            return;
        };
        let lost = self.loss_per_million > 0 && self.rng.chance(self.loss_per_million)
            || self.deaf_to_bfd && is_bfd(&bytes);
        if !lost && !self.mute.contains(&from) {
            self.flying.insert((self.now + DELAY, self.sent), (to, bytes));
        }
    }

    /// When anything happens next.
    fn next_at(&self) -> Option<Instant> {
        let flying = self.flying.first_key_value().map(|((at, _), _)| *at);
        let wakes = self.routers.iter().filter_map(Router::poll_timeout).map(|wake| wake.at);
        flying.into_iter().chain(wakes).min()
    }

    /// Moves to the next thing that happens; false where there is none until then.
    pub(crate) fn step(&mut self, until: Instant) -> bool {
        let Some(at) = self.next_at().filter(|at| *at <= until) else {
            self.now = self.now.max(until);
            return false;
        };
        self.now = self.now.max(at);
        let landing = self.flying.first_entry().filter(|first| first.key().0 <= self.now);
        if let Some(((router, port), bytes)) = landing.map(|first| first.remove()) {
            self.inject(router, port, &bytes);
            return true;
        }
        for number in 0..self.routers.len() {
            let due = self.router(number).poll_timeout().is_some_and(|wake| wake.at <= self.now);
            if due {
                self.wake(number);
                let next = self.router(number).poll_timeout();
                assert!(
                    next.is_none_or(|wake| wake.at > self.now),
                    "{} at {} wants to be woken at once again: {next:?}",
                    self.router(number).config().name,
                    self.now
                );
            }
        }
        true
    }

    pub(crate) fn run_for(&mut self, duration: Duration) {
        let until = self.now + duration;
        while self.step(until) {}
    }

    /// Runs until something holds; how long that took.
    pub(crate) fn run_until(
        &mut self,
        within: Duration,
        holds: impl Fn(&Self) -> bool,
    ) -> Duration {
        let (began, until) = (self.now, self.now + within);
        while !holds(self) {
            assert!(self.step(until), "not within {within:?}: {:#?}", self.told);
        }
        self.now - began
    }

    /// Whether the session with the neighbour at that place is up.
    pub(crate) fn session(&self, router: usize, neighbour: u32) -> bool {
        self.router(router).session_is_up(neighbour)
    }

    /// What a router told since this was last asked.
    pub(crate) fn told_by(&self, router: usize) -> Vec<String> {
        let told = self.told.iter().filter(|told| told.router == router);
        told.map(|told| told.event.to_string()).collect()
    }

    /// The frames that left through a port without a wire since this was last asked.
    pub(crate) fn take_left(&mut self, router: usize, port: PortId) -> Vec<Vec<u8>> {
        let all = core::mem::take(&mut self.left);
        let here = |one: &(usize, PortId, Vec<u8>)| (one.0, one.1) == (router, port);
        all.into_iter().filter(here).map(|(_, _, bytes)| bytes).collect()
    }
}

fn is_bfd(frame: &[u8]) -> bool {
    let ports = wire::ip_of(frame).and_then(|(ip, bytes)| ip.ports(bytes));
    ports.is_some_and(|(_, destination)| destination == 3784)
}
