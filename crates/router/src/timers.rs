//! The deadlines of a router's parts, ordered, so that only what is due is woken.

use std::collections::{BTreeMap, BTreeSet};

use base::{Deadline, Instant, PortId};
use bgp::NeighbourId;

/// A part of the router that wants to be woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A BFD session.
    Bfd(PortId),
    /// The IS-IS instance.
    Isis,
    /// The BGP instance.
    Bgp,
    /// The TCP connection of a neighbour.
    Connection(NeighbourId),
    /// Address resolution.
    Resolver,
    /// Router advertisements.
    Advertiser,
    /// The router's own probes.
    Probes,
}

/// One optional deadline per part.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    deadlines: BTreeMap<Timer, Deadline>,
    order: BTreeSet<(Instant, Timer)>,
}

impl Timers {
    /// Sets, moves or clears a part's deadline.
    pub(crate) fn arm(&mut self, timer: Timer, deadline: Option<Deadline>) {
        let old = match deadline {
            Some(deadline) => self.deadlines.insert(timer, deadline),
            None => self.deadlines.remove(&timer),
        };
        if let Some(old) = old {
            if deadline.is_some_and(|new| new.at == old.at) {
                return;
            }
            self.order.remove(&(old.at, timer));
        }
        if let Some(deadline) = deadline {
            self.order.insert((deadline.at, timer));
        }
    }

    /// Takes the first part that is due at `now`.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        let &(at, timer) = self.order.first().filter(|(at, _)| *at <= now)?;
        self.order.remove(&(at, timer));
        self.deadlines.remove(&timer);
        Some(timer)
    }

    /// The earliest deadline.
    pub(crate) fn first(&self) -> Option<Deadline> {
        let (_, timer) = self.order.first()?;
        self.deadlines.get(timer).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::{Timer, Timers};
    use base::{Deadline, Instant, PortId};

    fn at(nanos: u64) -> Option<Deadline> {
        Some(Deadline { at: Instant::from_nanos(nanos), why: "test" })
    }

    #[test]
    fn due_parts_come_in_order_of_time_and_once() {
        let mut timers = Timers::default();
        timers.arm(Timer::Isis, at(30));
        timers.arm(Timer::Bgp, at(10));
        timers.arm(Timer::Bfd(PortId(1)), at(20));
        timers.arm(Timer::Isis, at(5));
        timers.arm(Timer::Bfd(PortId(1)), None);
        assert_eq!(timers.first(), at(5));
        let now = Instant::from_nanos(10);
        assert_eq!(timers.pop_due(now), Some(Timer::Isis));
        assert_eq!(timers.pop_due(now), Some(Timer::Bgp));
        assert_eq!(timers.pop_due(now), None);
        assert_eq!(timers.first(), None);
    }
}
