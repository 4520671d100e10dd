//! Work that is asked for again and again and done seldom: soon after the first request, and not
//! more often than every so often.

use base::{Duration, Instant};

/// When some work is next due.
#[derive(Debug, Clone, Default)]
pub(crate) struct Throttle {
    due: Option<Instant>,
    last: Option<Instant>,
}

impl Throttle {
    /// Asks for the work: `delay` from now, `hold` after the last time, whichever is later.
    pub(crate) fn request(&mut self, now: Instant, delay: Duration, hold: Duration) {
        if self.due.is_none() {
            let soonest = self.last.map_or(Instant::ZERO, |last| last + hold);
            self.due = Some(soonest.max(now + delay));
        }
    }

    pub(crate) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether the work is to be done now; if so, it counts as done.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let is_due = self.due.is_some_and(|due| due <= now);
        if is_due {
            *self = Self { due: None, last: Some(now) };
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::Throttle;
    use base::{Duration, Instant};

    #[test]
    fn the_first_request_waits_the_delay_and_the_next_the_hold() {
        let (delay, hold) = (Duration::from_millis(20), Duration::from_millis(200));
        let start = Instant::ZERO + Duration::from_secs(1);
        let mut throttle = Throttle::default();
        throttle.request(start, delay, hold);
        assert_eq!(throttle.due(), Some(start + delay));
        assert!(!throttle.take(start));
        let first = start + delay;
        assert!(throttle.take(first));
        assert!(!throttle.take(first));
        throttle.request(first, delay, hold);
        throttle.request(first + delay, delay, hold);
        assert_eq!(throttle.due(), Some(first + hold));
        assert!(throttle.take(first + hold));
        let late = first + hold + Duration::from_secs(5);
        throttle.request(late, delay, hold);
        assert_eq!(throttle.due(), Some(late + delay));
    }
}
