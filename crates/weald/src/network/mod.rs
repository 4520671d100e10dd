//! A running network: the twin, under the names that people use.
//!
//! This is the only module that knows the twin's own interface. [`names`] finds what a name means,
//! [`probe`] chooses where packets are sent from and to, [`faults`] cuts and mends, [`reach`] says
//! whom a fault cuts off, [`explain`] puts into words why a packet may not pass.

pub(crate) mod explain;
pub(crate) mod faults;
pub(crate) mod names;
pub(crate) mod outside;
pub(crate) mod probe;
pub(crate) mod reach;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use base::{Duration, Instant};
use model::config::RouterConfig;
use model::plan::{Plan, Site};
use router::Router;
use serde::Serialize;
use twin::checker::isolation::Breach;
use twin::survey::{Extent, Survey};
use twin::sweep::CONVERGENCE_MAX;
use twin::{LinkState, Progress, RouterState, Twin};

use crate::answers::show::Inspect;
use crate::failure::Failure;
use crate::network::outside::World;

/// Events that are kept for people; the oldest are forgotten first.
const EVENTS_MAX: usize = 1_000;

/// Something that a router told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Event {
    /// Nanoseconds since the start.
    pub(crate) at: Instant,
    pub(crate) router: String,
    pub(crate) text: String,
}

/// A network that runs.
#[derive(Debug)]
pub(crate) struct Network {
    twin: Twin,
    events: VecDeque<Event>,
    world: World,
}

impl Network {
    /// Starts every router of a plan.
    pub(crate) fn start(plan: Plan, seed: u64) -> Result<Self, Failure> {
        Self::of(Twin::new(plan, seed))
    }

    /// Starts the routers of a plan that are not `absent`: those run elsewhere.
    pub(crate) fn start_part(
        plan: Plan,
        seed: u64,
        absent: &BTreeSet<String>,
    ) -> Result<Self, Failure> {
        Self::of(Twin::partial(plan, seed, absent))
    }

    fn of(twin: Result<Twin, router::ConfigErrors>) -> Result<Self, Failure> {
        let twin = twin.map_err(|errors| Failure::network(errors.to_string()).hint(PLAN_BUG))?;
        Ok(Self { twin, events: VecDeque::new(), world: World::default() })
    }

    /// Gives a LAN to the world.
    pub(crate) fn attach_lan(&mut self, lan: usize) {
        self.twin.attach_lan(lan);
    }

    pub(crate) fn outside_links(&self) -> impl Iterator<Item = usize> {
        self.twin.outside_links()
    }

    pub(crate) const fn plan(&self) -> &Plan {
        self.twin.plan()
    }

    pub(crate) const fn seed(&self) -> u64 {
        self.twin.seed()
    }

    pub(crate) const fn now(&self) -> Instant {
        self.twin.now()
    }

    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.twin.next_at()
    }

    /// How many events happened.
    pub(crate) const fn happened(&self) -> u64 {
        self.twin.events()
    }

    /// The hash of everything that happened, in hexadecimal.
    pub(crate) fn trace_hash(&self) -> String {
        format!("{:016x}", self.twin.trace_hash())
    }

    pub(crate) fn breaches(&self) -> &[Breach] {
        self.twin.breaches()
    }

    pub(crate) fn progress(&self) -> Progress {
        self.twin.progress()
    }

    pub(crate) fn run_until(&mut self, until: Instant) {
        self.twin.run_until(until);
    }

    pub(crate) fn run_for(&mut self, duration: Duration) {
        self.twin.run_for(duration);
    }

    /// Runs until everything that can be up is up and nothing moves; says why it never comes to
    /// that.
    pub(crate) fn converge(
        &mut self,
        report: &mut dyn FnMut(&Progress),
    ) -> Result<Progress, String> {
        let converged = self.twin.run_until_converged(CONVERGENCE_MAX, report);
        converged.map_err(|error| error.to_string())
    }

    /// Tests every promise with packets.
    pub(crate) fn survey(&mut self, extent: Extent) -> Survey {
        self.twin.survey(extent)
    }

    pub(crate) fn router_runs(&self, number: usize) -> bool {
        self.twin.router_state(number) == RouterState::Running
    }

    pub(crate) fn link_state(&self, number: usize) -> LinkState {
        self.twin.link_state(number)
    }

    /// Keeps what routers told since this was last called.
    pub(crate) fn take_events(&mut self) {
        for told in self.twin.take_told() {
            let router = self.plan().routers.get(told.router);
            let router = router.map_or_else(String::new, |router| router.name.clone());
            if self.events.len() >= EVENTS_MAX {
                self.events.pop_front();
            }
            self.events.push_back(Event { at: told.at, router, text: told.event.to_string() });
        }
    }

    /// What routers told lately, the oldest first.
    pub(crate) fn events(&self) -> impl DoubleEndedIterator<Item = &Event> {
        self.events.iter()
    }

    /// The sites that a router serves.
    pub(crate) fn sites_of<'a>(&'a self, router: &'a str) -> impl Iterator<Item = &'a Site> {
        self.plan().sites.iter().filter(move |site| site.router == router)
    }
}

impl Inspect for Network {
    fn find<'a>(&'a self, name: &str) -> Result<&'a str, Failure> {
        names::find_router(self.plan(), name)
    }

    fn names(&self) -> Vec<&str> {
        self.plan().routers.iter().map(|router| router.name.as_str()).collect()
    }

    fn plan(&self) -> Option<&Plan> {
        Some(self.twin.plan())
    }

    fn config(&self, router: &str) -> Option<&RouterConfig> {
        self.plan().routers.iter().find(|config| config.name == router)
    }

    fn router(&self, name: &str) -> Option<&Router> {
        self.twin.router(name)
    }

    fn happened(&self) -> Vec<&Event> {
        self.events().collect()
    }
}

/// Pairs of one virtual network that are tested at least, as far as there are so many: a test of
/// none cannot fail.
const PAIRS_MIN: u64 = 100;

/// About one of `share` pairs of one virtual network, and not too few.
pub(crate) fn extent(plan: &Plan, share: Option<u64>) -> Extent {
    let mut lans: BTreeMap<&str, u64> = BTreeMap::new();
    for lan in &plan.attachments {
        *lans.entry(&lan.virtual_network).or_default() += 1;
    }
    let pairs: u64 = lans.values().map(|lans| lans * lans.saturating_sub(1)).sum();
    match share.map(|share| share.min(pairs / PAIRS_MIN)) {
        None | Some(0 | 1) => Extent::Full,
        Some(share) => Extent::OneIn(share),
    }
}

/// What to do where a plan that was just compiled is refused.
const PLAN_BUG: &str = "the plan should never have been made: please report it";
