//! A rate limit that is given its time: the generic cell rate algorithm.
//!
//! It is a token bucket written as one moment: when the bucket would be full again.

use base::{Duration, Instant};

/// A rate and how much may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) per_second: u32,
    pub(crate) burst: u32,
}

/// The state of one rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Bucket {
    full_at: Instant,
}

impl Bucket {
    /// Takes one token where there is one.
    pub(crate) fn take(&mut self, now: Instant, rate: Rate) -> bool {
        let interval = Duration::from_secs(1) / rate.per_second.max(1);
        let full_at = self.full_at.max(now) + interval;
        if full_at - now > interval * rate.burst {
            return false;
        }
        self.full_at = full_at;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{Bucket, Rate};
    use base::{Duration, Instant};

    #[test]
    fn burst_passes_and_then_the_rate() {
        let rate = Rate { per_second: 10, burst: 3 };
        let mut bucket = Bucket::default();
        let passed = |bucket: &mut Bucket, now| (0..9).filter(|_| bucket.take(now, rate)).count();
        assert_eq!(passed(&mut bucket, Instant::ZERO), 3);
        let later = Instant::ZERO + Duration::from_millis(100);
        assert_eq!(passed(&mut bucket, later), 1);
        let much_later = Instant::ZERO + Duration::from_secs(60);
        assert_eq!(passed(&mut bucket, much_later), 3);
    }
}
