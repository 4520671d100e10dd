//! A running network in step with the wall clock, and joined to what is outside of it.
//!
//! Virtual time follows the wall clock: whatever is due is run, and then the thread sleeps until
//! the next event, the next frame from outside, or the next request. A machine that is too slow for
//! the network lags behind; beyond a second the lag is forgiven and virtual time is slower than
//! real time.
//!
//! Where nothing is outside, a request may run ahead (a ping waits for its answer in virtual time,
//! at once in real time), and the network then stands until the wall clock has caught up. Where
//! something is, it is as slow as the world.

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::thread;
use std::time::{Duration, Instant as WallInstant};

use base::Instant;
use host::device::Device;
use twin::Outside;
use twin::probe::Flow;
use twin::trace::Trace;

use crate::lan::Host;
use crate::network::Network;
use crate::output;

/// The shortest sleep where nothing is outside: a large region has an event every few
/// microseconds, and nobody who looks at it needs them apart.
const NAP_MIN: Duration = Duration::from_millis(5);
/// The longest sleep, so that events which appear meanwhile are not late by more.
const NAP_MAX: Duration = Duration::from_secs(1);
/// The most virtual time that is run before anybody else is looked at again.
const SLICE: Duration = Duration::from_millis(100);
/// The lag beyond which the clock is set anew.
const LAG_MAX: Duration = Duration::from_secs(1);
/// Frames that one port may bring before the next has its turn.
const BATCH: usize = 64;
/// How often carrier is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// How often a thread is looked at that does something meanwhile.
const GLANCE: Duration = Duration::from_millis(1);

/// Ties virtual time to the wall clock.
#[derive(Debug)]
struct Pace {
    wall: WallInstant,
    at: Instant,
}

impl Pace {
    fn from_now(at: Instant) -> Self {
        Self { wall: WallInstant::now(), at }
    }

    /// What virtual time should be now.
    fn now(&self) -> Instant {
        self.at + self.wall.elapsed()
    }
}

/// Where the network leads outside.
struct Port {
    device: Box<dyn Device>,
    carrier: bool,
    /// Frames wait.
    ready: bool,
    /// Frames were queued.
    dirty: bool,
    /// The real host on a LAN.
    host: Option<Host>,
}

/// What ties a network to the world.
#[derive(Default)]
pub(crate) struct World {
    pace: Option<Pace>,
    ports: BTreeMap<Outside, Port>,
    looked: Option<WallInstant>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("ports", &self.ports.len()).finish_non_exhaustive()
    }
}

impl Network {
    /// Joins a way outside to a device.
    pub(crate) fn join(&mut self, outside: Outside, device: Box<dyn Device>, host: Option<Host>) {
        let carrier = matches!(outside, Outside::Lan(_));
        let port = Port { device, carrier, ready: true, dirty: false, host };
        self.world.ports.insert(outside, port);
    }

    /// The real host on a LAN, where there is one.
    pub(crate) fn host(&self, lan: usize) -> Option<&Host> {
        self.world.ports.get(&Outside::Lan(lan))?.host.as_ref()
    }

    /// Whether real programs or routers take part.
    pub(crate) fn has_outside(&self) -> bool {
        !self.world.ports.is_empty()
    }

    /// Waits until there is something to do: an event is due, frames come from outside, one of
    /// `others` can be read, or `most` is over. Says which of `others` can be.
    pub(crate) fn wait(&mut self, others: &[BorrowedFd<'_>], most: Duration) -> Vec<bool> {
        let nap = self.nap().min(most);
        let ports = self.world.ports.values().map(|port| port.device.descriptor());
        let all: Vec<_> = others.iter().copied().chain(ports).collect();
        // Where waiting fails, the next round is only sooner.
        let mut ready = host::wait_for(&all, nap).unwrap_or_default().into_iter();
        let of_others = ready.by_ref().take(others.len()).collect();
        for (port, ready) in self.world.ports.values_mut().zip(ready) {
            // What was left of a full batch waits still, whatever the kernel says.
            port.ready |= ready;
        }
        of_others
    }

    /// Runs what is due by the wall clock, and exchanges frames with the world.
    pub(crate) fn keep_pace(&mut self) {
        let at = self.now();
        let due = self.world.pace.get_or_insert_with(|| Pace::from_now(at)).now();
        self.look_after_carrier();
        self.take_frames(due);
        self.run_until(due.min(at + SLICE));
        self.give_frames();
        self.take_events();
        if due.since(self.now()) > LAG_MAX {
            self.world.pace = Some(Pace::from_now(self.now()));
        }
    }

    /// How long nothing is to be done.
    fn nap(&self) -> Duration {
        let Some(pace) = &self.world.pace else { return Duration::ZERO };
        let now = pace.now();
        if now > self.now() + SLICE || self.world.ports.values().any(|port| port.ready) {
            return Duration::ZERO;
        }
        let next = self.next_at().map_or(Instant::MAX, |at| at.max(self.now()));
        let least = if self.has_outside() { Duration::ZERO } else { NAP_MIN };
        let most = if self.has_outside() { LOOK } else { NAP_MAX };
        next.since(now).clamp(least, most)
    }

    /// Runs for a duration: of virtual time, or of real time where the world takes part.
    pub(crate) fn pass(&mut self, duration: Duration) {
        if self.has_outside() {
            self.live(duration);
        } else {
            self.run_for(duration);
        }
    }

    /// Sends one packet and follows it and its answer.
    pub(crate) fn trace(&mut self, from: usize, flow: Flow) -> Trace {
        if !self.has_outside() {
            return self.twin.trace(from, flow);
        }
        let tracing = self.twin.start_trace(from, flow);
        while !self.twin.is_traced(&tracing) {
            self.live(GLANCE);
        }
        self.twin.finish_trace(&tracing)
    }

    /// Does something that takes a while on another thread, and keeps pace meanwhile.
    pub(crate) fn meanwhile<T: Send>(&mut self, work: impl FnOnce() -> T + Send) -> T {
        if !self.has_outside() {
            return work();
        }
        thread::scope(|scope| {
            let thread = scope.spawn(work);
            while !thread.is_finished() {
                self.keep_pace();
                self.wait(&[], GLANCE);
            }
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Lets real time pass.
    pub(crate) fn live(&mut self, duration: Duration) {
        let until = WallInstant::now() + duration;
        loop {
            self.keep_pace();
            let left = until.saturating_duration_since(WallInstant::now());
            if left.is_zero() {
                return;
            }
            self.wait(&[], left);
        }
    }

    fn take_frames(&mut self, due: Instant) {
        let Self { twin, world, .. } = self;
        world.ports.retain(|outside, port| {
            if !port.ready {
                return true;
            }
            let mut take = |frame: &[u8]| twin.handle_outside(due, *outside, frame);
            match port.device.receive(BATCH, &mut take) {
                Ok(taken) => {
                    port.ready = taken == BATCH;
                    // What answers itself, a handshake for one, is sent by this too.
                    port.dirty = true;
                    true
                }
                Err(error) => {
                    output::note(&format!("warning: a device has failed: {error}"));
                    twin.set_outside_carrier(*outside, false);
                    false
                }
            }
        });
    }

    fn give_frames(&mut self) {
        for (outside, frame) in self.twin.take_outside() {
            if let Some(port) = self.world.ports.get_mut(&outside) {
                port.device.send(&frame);
                port.dirty = true;
            }
        }
        for port in self.world.ports.values_mut().filter(|port| port.dirty) {
            port.dirty = false;
            port.device.flush();
        }
    }

    fn look_after_carrier(&mut self) {
        let clock = WallInstant::now();
        for device in self.world.ports.values_mut().map(|port| &mut port.device) {
            if device.deadline().is_some_and(|at| at <= clock) {
                device.handle_timeout(clock);
            }
        }
        if self.world.looked.is_some_and(|at| at.elapsed() < LOOK) {
            return;
        }
        self.world.looked = Some(clock);
        for (outside, port) in &mut self.world.ports {
            let carrier = port.device.carrier();
            if port.carrier != carrier {
                port.carrier = carrier;
                self.twin.set_outside_carrier(*outside, carrier);
            }
        }
    }
}
