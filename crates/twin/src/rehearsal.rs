//! A change rehearsed: one plan gives way to another, router by router, under traffic.
//!
//! [`Rehearsal::run`] lets the network of the old plan come up, starts steady probes between all
//! pairs that matter (`streams`), and then hands out the rings of the change in their order. What
//! the change adds is plugged in and switched on at its moment, what it removes goes away at its
//! own (`union`). After every ring it waits for convergence; after the last one of a stage, it
//! follows every label. In the end the probes are judged (`report`):
//! - what both plans promise must arrive throughout: every packet lost counts, with the time from
//!   the first one lost to the next one that arrived;
//! - what only the new plan promises must arrive in the end, what only the old one promises must be
//!   refused in the end;
//! - what neither promises must never arrive. Every packet that comes out anywhere is held against
//!   that, whether it was sent to there or not.
//!
//! Three times are told apart for the last rule. Until the first ring, only the old plan's promises
//! count. From the first ring until the network has converged after the last one, a packet may
//! arrive where either plan lets it: a right in transition is open or closed at two ends that
//! change at two moments. From then on only the new plan's promises count, for packets on their way
//! too: the wait is far longer than any packet travels.
//!
//! All of a ring's routers get their configurations at one instant, which is the worst case of what
//! a roll-out may do. A rehearsal depends on both plans, the rings and the seed alone.

mod report;
mod streams;
mod union;

use core::fmt;
use std::collections::BTreeSet;

use base::{Duration, Instant, Rng};
use model::config::RouterConfig;
use model::plan::Plan;
use router::ConfigErrors;

use self::streams::Stream;
use self::union::Union;
use crate::checker::labels;
use crate::promises::Promises;
use crate::sweep::CONVERGENCE_MAX;
use crate::{NotConverged, Progress, Twin};

pub use self::report::{Breach, Interruption, Network, Promised, Report, RingReport};

/// Probes of one second just after a ring, when most happens, of all streams together: one in five
/// milliseconds of every stream of a small region, one in a sixth of a second in a region of 400
/// sites.
const BUSY_RATE: u32 = 20_000;
/// The same otherwise: enough to see what lasts.
const CALM_RATE: u32 = 5_000;
/// The shortest time between two probes of one stream.
const PERIOD_MIN: Duration = Duration::from_millis(5);
/// How long after a ring it is busy: several times what a session takes to come up.
const BUSY: Duration = Duration::from_millis(250);
/// How long a probe and its answer may take: longer than any way there and back, short enough that
/// the end does not wait long.
const PATIENCE: Duration = Duration::from_secs(1);
/// The traffic before the first ring.
const BEFORE: Duration = Duration::from_millis(500);
/// How long it is looked at what comes of a ring, if it converges sooner.
const RING_MIN: Duration = Duration::from_millis(800);
/// Probes of each stream that decide what holds in the end.
const LAST: Duration = Duration::from_secs(1);
/// How often convergence is looked for.
const LOOK: Duration = Duration::from_millis(50);

/// Routers that change at the same instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ring {
    /// What the ring is for, in a word.
    pub stage: String,
    /// Routers by name, each with the configuration that it gets; none: it is switched off.
    pub steps: Vec<(String, Option<RouterConfig>)>,
}

/// How far a rehearsal has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The old plan's network comes up.
    Start,
    /// After the ring of this number, counted from 0.
    Ring(usize),
    /// It is tested what holds in the end.
    End,
}

/// Why there was nothing to judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Impossible {
    /// A router refuses a configuration.
    Refused {
        /// The router's name; none: one of the old plan.
        router: Option<String>,
        /// What is wrong with it.
        errors: ConfigErrors,
    },
    /// The network of the old plan does not come up.
    OldPlan(NotConverged),
}

impl fmt::Display for Impossible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { router: Some(router), errors } => {
                write!(f, "{router} refuses its new configuration: {errors}")
            }
            Self::Refused { router: None, errors } => {
                write!(f, "a configuration of the old plan is refused: {errors}")
            }
            Self::OldPlan(why) => write!(f, "the network of the old plan does not come up: {why}"),
        }
    }
}

impl core::error::Error for Impossible {}

/// A change, ready to be rehearsed.
#[derive(Debug)]
pub struct Rehearsal {
    twin: Twin,
    union: Union,
    rings: Vec<Ring>,
    /// Routers that have got something.
    served: BTreeSet<usize>,
    /// Routers that will get something.
    touched: BTreeSet<usize>,
    streams: Vec<Stream>,
    /// Between two probes of a stream, just after a ring and otherwise.
    periods: [Duration; 2],
    /// Until when it is busy.
    busy_until: Instant,
    is_busy: bool,
    told: Vec<RingReport>,
    labels: Vec<String>,
}

impl Rehearsal {
    /// Starts the routers of the plan `old`, from which `rings` lead to the plan `new`.
    ///
    /// # Errors
    /// A router of the old plan refuses its configuration.
    pub fn new(old: Plan, new: &Plan, rings: Vec<Ring>, seed: u64) -> Result<Self, Impossible> {
        let union = Union::new(&old, new);
        let twin =
            Twin::new(old, seed).map_err(|errors| Impossible::Refused { router: None, errors })?;
        let names = rings.iter().flat_map(|ring| &ring.steps).map(|(name, _)| name);
        let touched = names.filter_map(|name| union.router(name)).collect();
        Ok(Self {
            twin,
            union,
            rings,
            served: BTreeSet::new(),
            touched,
            streams: Vec::new(),
            periods: [PERIOD_MIN; 2],
            busy_until: Instant::ZERO,
            is_busy: false,
            told: Vec::new(),
            labels: Vec::new(),
        })
    }

    /// Rehearses the change, and says how it went; `progress` is told now and then how far it is.
    ///
    /// # Errors
    /// The old network does not come up, or a router refuses what a ring has for it.
    pub fn run(
        mut self,
        progress: &mut dyn FnMut(Moment, &Progress),
    ) -> Result<Report, Impossible> {
        let mut start = |now: &Progress| progress(Moment::Start, now);
        self.twin.run_until_converged(CONVERGENCE_MAX, &mut start).map_err(Impossible::OldPlan)?;
        self.union.join(&mut self.twin);
        let mut rng = Rng::new(self.twin.seed() ^ 0x7265_6865_6172_7365);
        self.streams = streams::select(&self.twin, &self.union, &mut rng);
        let least = streams::period_min(&self.twin, &self.streams).max(PERIOD_MIN);
        let count = u32::try_from(self.streams.len()).unwrap_or(u32::MAX);
        self.periods = [BUSY_RATE, CALM_RATE]
            .map(|rate| (Duration::from_secs(1).saturating_mul(count) / rate).max(least));
        self.carry_on(BEFORE);
        self.twin.promises = vec![self.union.promises(0), self.union.promises(1)];
        for number in 0..self.rings.len() {
            self.roll_out(number, progress)?;
        }
        self.union.arrive(&mut self.twin);
        self.twin.promises = vec![self.union.promises(1)];
        progress(Moment::End, &self.twin.progress());
        let end = self.twin.now();
        self.carry_on(LAST.max(self.periods[1] * 2));
        self.twin.run_for(PATIENCE);
        self.note(&labels::check(&self.twin), "in the end");
        for stream in &mut self.streams {
            stream.settle(&self.twin, Instant::MAX);
        }
        Ok(report::report(&self, end))
    }

    fn note(&mut self, problems: &[String], when: &str) {
        self.labels.extend(problems.iter().map(|problem| format!("{when}: {problem}")));
    }

    /// Gives every router of a ring what stands there, and waits for convergence.
    fn roll_out(
        &mut self,
        number: usize,
        progress: &mut dyn FnMut(Moment, &Progress),
    ) -> Result<(), Impossible> {
        let Some(ring) = self.rings.get(number).cloned() else { return Ok(()) };
        let at = self.twin.now();
        let mut gone = Vec::new();
        for (name, config) in &ring.steps {
            let Some(router) = self.union.router(name) else { continue };
            self.served.insert(router);
            match config {
                Some(config) => self
                    .twin
                    .set_config(router, config.clone())
                    .map_err(|errors| Impossible::Refused { router: Some(name.clone()), errors })?,
                None => gone.push(router),
            }
        }
        self.union.rewire(&mut self.twin, &self.served, &self.touched, &gone);
        for (name, config) in &ring.steps {
            let Some(router) = self.union.router(name) else { continue };
            match config {
                Some(_) => self
                    .twin
                    .engine
                    .start(router)
                    .map_err(|errors| Impossible::Refused { router: Some(name.clone()), errors })?,
                None => self.twin.engine.stop(router),
            }
        }
        self.twin.engine.set_topology(&self.twin.plan.links);
        self.busy_until = at + BUSY;
        let converged = self.wait(at, &mut |now| progress(Moment::Ring(number), now));
        if converged.is_none() {
            let reached = self.twin.progress();
            let why = NotConverged { progress: Box::new(reached), within: CONVERGENCE_MAX };
            self.labels.push(format!("after ring {}: {why}", number + 1));
        }
        // Where a stage ends: to follow every label of a large region takes longer than a ring.
        if self.rings.get(number + 1).is_none_or(|next| next.stage != ring.stage) {
            let problems = labels::check(&self.twin);
            self.note(&problems, &format!("after ring {}", number + 1));
        }
        let routers = ring.steps.into_iter().map(|(name, _)| name).collect();
        self.told.push(RingReport { stage: ring.stage, routers, at, converged });
        Ok(())
    }

    /// Waits until everything that should be up is and nothing moves; how long that took, without
    /// the time in which nothing moved any more.
    fn wait(&mut self, since: Instant, report: &mut dyn FnMut(&Progress)) -> Option<Duration> {
        loop {
            self.carry_on(LOOK);
            let progress = self.twin.progress();
            report(&progress);
            let waited = self.twin.now() - since;
            if is_at_rest(&progress) && waited >= RING_MIN {
                return Some(waited.saturating_sub(progress.quiet));
            }
            if waited >= CONVERGENCE_MAX {
                return None;
            }
        }
    }

    /// Lets time pass under traffic.
    fn carry_on(&mut self, duration: Duration) {
        let until = self.twin.now() + duration;
        let count = u32::try_from(self.streams.len()).unwrap_or(u32::MAX).max(1);
        let was_busy = core::mem::replace(&mut self.is_busy, self.twin.now() < self.busy_until);
        let [busy, calm] = self.periods;
        let period = if self.is_busy { busy } else { calm };
        for (number, stream) in (0_u32..).zip(&mut self.streams) {
            // Streams take turns, so that probes are spread over the period.
            let offset = period * number / count;
            if was_busy != self.is_busy {
                stream.begin_at(self.twin.now() + offset);
            }
            stream.send(&mut self.twin, &self.union, (offset, period), until);
        }
        self.twin.run_until(until);
        let settled = Instant::from_nanos(
            until.nanos().saturating_sub(u64::try_from(PATIENCE.as_nanos()).unwrap_or(u64::MAX)),
        );
        for stream in &mut self.streams {
            stream.settle(&self.twin, settled);
        }
    }
}

/// Whether everything that should be up is, and nothing moves. A router that is about to be taken
/// away may go on believing in sessions that its neighbours have forgotten.
fn is_at_rest(progress: &Progress) -> bool {
    let mut progress = *progress;
    progress.sessions.0 = progress.sessions.0.min(progress.sessions.1);
    progress.converged()
}

/// The promises of one of the two plans, by the numbers of the union.
fn promises(plan: &Plan, networks: Vec<Option<String>>) -> Promises {
    Promises::with_lans(plan, networks)
}
