//! How long a timer that is due waits for frames that are not read yet.
//!
//! After the process has had to wait for its processor, frames wait that came before timers were
//! due: what a neighbour said in time is read before it is taken for silent. But timers also say
//! that we are there ourselves, so that they wait only so long: a port that always has another
//! frame delays them by that and no more.

use std::time::Duration;

use base::Instant;

/// How long timers wait at most: half of the shortest interval between two signs of life, of which
/// a neighbour misses three before it takes us for silent. At a microsecond a frame it suffices
/// for nine rings that were full.
const GRACE_MAX: Duration = Duration::from_millis(5);

/// Since when timers wait, where they do.
#[derive(Debug, Default)]
pub(crate) struct Grace {
    since: Option<Instant>,
}

impl Grace {
    /// Whether timers have their turn: one is due, and there is nothing left to read or it has
    /// waited long enough.
    pub(crate) fn is_over(&mut self, now: Instant, due: bool, unread: bool) -> bool {
        if !due {
            self.since = None;
            return false;
        }
        let since = *self.since.get_or_insert(now);
        let over = !unread || now.since(since) >= GRACE_MAX;
        if over {
            self.since = None;
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::{GRACE_MAX, Grace};
    use base::Instant;
    use std::time::Duration;

    fn at(micros: u64) -> Instant {
        Instant::ZERO + Duration::from_micros(micros)
    }

    #[test]
    fn due_timer_has_its_turn_at_once_where_nothing_waits_to_be_read() {
        let mut grace = Grace::default();
        assert!(!grace.is_over(at(0), false, false));
        assert!(grace.is_over(at(1), true, false));
    }

    #[test]
    fn due_timer_waits_until_everything_is_read() {
        let mut grace = Grace::default();
        assert!(!grace.is_over(at(0), true, true));
        assert!(!grace.is_over(at(300), true, true));
        assert!(grace.is_over(at(600), true, false));
    }

    #[test]
    fn frames_without_end_delay_every_timer_by_no_more_than_the_grace() {
        let mut grace = Grace::default();
        let mut turns = Vec::new();
        // A timer is due again as soon as it had its turn; a round takes 300 µs.
        for round in 0..60 {
            if grace.is_over(at(round * 300), true, true) {
                turns.push(at(round * 300));
            }
        }
        assert_eq!(turns, [at(5_100), at(10_500), at(15_900)]);
        let longest = GRACE_MAX + Duration::from_micros(600);
        assert!(turns.windows(2).all(|pair| pair[1].since(pair[0]) <= longest));
    }

    #[test]
    fn timer_that_a_frame_has_put_off_leaves_nothing_of_its_waiting_to_the_next() {
        let mut grace = Grace::default();
        assert!(!grace.is_over(at(0), true, true));
        assert!(!grace.is_over(at(4_000), false, true));
        assert!(!grace.is_over(at(6_000), true, true), "its own wait begins here");
        assert!(grace.is_over(at(11_000), true, true));
    }
}
