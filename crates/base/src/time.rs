//! The region's own clock: nanoseconds since the driver's epoch.
//!
//! The pure tier never asks what time it is; whoever drives it says so. In the twin the epoch is
//! the start of the run, so that traces of two runs are equal byte for byte.

use core::fmt;
use core::ops::{Add, Sub};
use core::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment: nanoseconds since the driver's epoch.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Instant(u64);

impl Instant {
    /// The driver's epoch.
    pub const ZERO: Self = Self(0);
    /// Later than every other moment.
    pub const MAX: Self = Self(u64::MAX);

    /// The moment `nanos` nanoseconds after the epoch.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the epoch.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Time passed since `earlier`; zero where `earlier` is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

/// Seconds with as many decimals as it takes: `12.5s`.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, mut fraction) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        if fraction == 0 {
            return write!(f, "{seconds}s");
        }
        let mut width = 9;
        while fraction.is_multiple_of(10) {
            fraction /= 10;
            width -= 1;
        }
        write!(f, "{seconds}.{fraction:0width$}s")
    }
}

/// When something wants to be woken, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    /// The moment at or after which the owner wants its timeout handled.
    pub at: Instant,
    /// What will be done then, for people and traces.
    pub why: &'static str,
}

impl Deadline {
    /// The earlier of two optional deadlines.
    #[must_use]
    pub fn earlier(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        match (a, b) {
            (Some(a), Some(b)) => Some(if b.at < a.at { b } else { a }),
            (one, other) => one.or(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Deadline, Instant};
    use core::time::Duration;

    #[test]
    fn moments_print_as_seconds_without_trailing_zeros() {
        let cases = [
            (0, "0s"),
            (12_500_000_000, "12.5s"),
            (1, "0.000000001s"),
            (3_000_000_000, "3s"),
            (1_050_000_000, "1.05s"),
        ];
        for (nanos, text) in cases {
            assert_eq!(Instant::from_nanos(nanos).to_string(), text);
        }
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Instant::MAX + Duration::from_secs(1), Instant::MAX);
        assert_eq!(Instant::ZERO - Instant::MAX, Duration::ZERO);
    }

    #[test]
    fn the_earlier_deadline_wins_and_the_first_on_a_tie() {
        let a = Deadline { at: Instant::from_nanos(1), why: "a" };
        let b = Deadline { at: Instant::from_nanos(1), why: "b" };
        assert_eq!(Deadline::earlier(Some(a), Some(b)), Some(a));
        assert_eq!(Deadline::earlier(None, Some(b)), Some(b));
        assert_eq!(Deadline::earlier(None, None), None);
    }
}
