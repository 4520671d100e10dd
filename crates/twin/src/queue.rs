//! The event queue: what happens next, and never two things at once.
//!
//! Events at the same moment happen in the order in which they were scheduled, so that a run is
//! one sequence and the same seed gives the same one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use base::Instant;

/// Events in order of time, then of scheduling.
#[derive(Debug)]
pub(crate) struct Queue<E> {
    order: BinaryHeap<Reverse<(Instant, u64, usize)>>,
    events: Vec<Option<E>>,
    free: Vec<usize>,
    sequence: u64,
}

impl<E> Queue<E> {
    pub(crate) const fn new() -> Self {
        Self { order: BinaryHeap::new(), events: Vec::new(), free: Vec::new(), sequence: 0 }
    }

    /// Schedules an event.
    pub(crate) fn push(&mut self, at: Instant, event: E) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.events.push(None);
            self.events.len() - 1
        });
        if let Some(place) = self.events.get_mut(slot) {
            *place = Some(event);
        }
        self.order.push(Reverse((at, self.sequence, slot)));
        self.sequence += 1;
    }

    /// When the next event is.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.order.peek().map(|Reverse((at, ..))| *at)
    }

    /// Takes the next event.
    pub(crate) fn pop(&mut self) -> Option<(Instant, E)> {
        let Reverse((at, _, slot)) = self.order.pop()?;
        self.free.push(slot);
        let event = self.events.get_mut(slot)?.take()?;
        Some((at, event))
    }

    /// How many events wait.
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }
}

#[cfg(test)]
mod tests {
    use super::Queue;
    use base::Instant;

    #[test]
    fn events_come_by_time_then_by_scheduling() {
        let mut queue = Queue::new();
        for (at, name) in [(2, "c"), (1, "a"), (1, "b"), (3, "d")] {
            queue.push(Instant::from_nanos(at), name);
        }
        assert_eq!(queue.len(), 4);
        assert_eq!(queue.next_at(), Some(Instant::from_nanos(1)));
        let order: Vec<&str> = std::iter::from_fn(|| queue.pop()).map(|(_, name)| name).collect();
        assert_eq!(order, ["a", "b", "c", "d"]);
    }
}
