//! The link-state PDUs that a neighbour is still to get, and when: a circuit's SRM flags.
//!
//! There may be as many as the database has, and whoever floods us has them looked at for every
//! PDU, so that the next one is found without looking at the others.

use std::collections::{BTreeMap, BTreeSet};

use base::Instant;

use crate::snp::LspId;

#[derive(Debug, Clone, Copy)]
struct One {
    at: Instant,
    sent: bool,
}

/// What is pending on one circuit.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pending {
    all: BTreeMap<LspId, One>,
    /// The same by time.
    times: BTreeSet<(Instant, LspId)>,
}

impl Pending {
    pub(crate) const fn new() -> Self {
        Self { all: BTreeMap::new(), times: BTreeSet::new() }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::new();
    }

    /// Has a PDU sent at this time; `sent` where it was before and was not acknowledged.
    pub(crate) fn set(&mut self, id: LspId, at: Instant, sent: bool) {
        self.remove(id);
        self.all.insert(id, One { at, sent });
        self.times.insert((at, id));
    }

    /// The same, unless it is pending already.
    pub(crate) fn set_if_absent(&mut self, id: LspId, at: Instant) {
        if !self.all.contains_key(&id) {
            self.set(id, at, false);
        }
    }

    pub(crate) fn remove(&mut self, id: LspId) {
        if let Some(one) = self.all.remove(&id) {
            self.times.remove(&(one.at, id));
        }
    }

    /// When the next is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.times.first().map(|(at, _)| *at)
    }

    /// Takes out those that are due, in the order of their identifiers, and says whether each was
    /// sent before.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<(LspId, bool)> {
        let mut due = Vec::new();
        while let Some((_, id)) = self.times.first().copied().filter(|(at, _)| *at <= now) {
            self.times.pop_first();
            due.extend(self.all.remove(&id).map(|one| (id, one.sent)));
        }
        due.sort_unstable_by_key(|(id, _)| *id);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::Pending;
    use crate::snp::LspId;
    use base::{Duration, Instant, SystemId};

    fn id(number: u8) -> LspId {
        LspId { system_id: SystemId([0, 0, 0, 0, 0, number]), pseudonode: 0, fragment: 0 }
    }

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    #[test]
    fn what_is_due_is_taken_once_in_the_order_of_identifiers() {
        let mut pending = Pending::new();
        for (number, millis) in [(3, 1), (1, 2), (2, 9)] {
            pending.set(id(number), at(millis), false);
        }
        assert_eq!(pending.next(), Some(at(1)));
        assert_eq!(pending.take_due(at(2)), [(id(1), false), (id(3), false)]);
        assert_eq!(pending.next(), Some(at(9)));
        assert!(pending.take_due(at(8)).is_empty());
        assert_eq!(pending.take_due(at(9)), [(id(2), false)]);
        assert_eq!(pending.next(), None);
    }

    #[test]
    fn pdu_is_pending_once_whatever_is_said_of_it() {
        let mut pending = Pending::new();
        pending.set(id(1), at(5), true);
        pending.set_if_absent(id(1), at(1));
        assert_eq!(pending.next(), Some(at(5)));
        pending.set(id(1), at(7), false);
        assert_eq!((pending.next(), pending.take_due(at(6)).len()), (Some(at(7)), 0));
        pending.remove(id(1));
        assert_eq!((pending.next(), pending.take_due(at(9)).len()), (None, 0));
    }
}
