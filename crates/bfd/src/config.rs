//! What an operator decides about a session.
//!
//! A configuration has been validated before it gets here; what would still break the protocol (a
//! zero multiplier, an interval that would flood the link) is brought to the nearest legal value.
//!
//! Standards: RFC 5880 §6.8.1 (legal values), §6.8.3 (the slow rate), RFC 7419 (intervals).
//! Not implemented: none.

use base::Duration;

/// The shortest interval that a session sends or receives at: the smallest of the common intervals
/// of RFC 7419, and what keeps one session under some three hundred packets a second.
pub const INTERVAL_MIN: Duration = Duration::from_micros(3_300);

/// The shortest interval between packets while a session is not up (RFC 5880 §6.8.3), so that a
/// link without a neighbour costs next to nothing.
pub const SLOW_INTERVAL: Duration = Duration::from_secs(1);

/// The configuration of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// This system's name for the session: not zero, and unique in the router. A session whose
    /// discriminator changes starts again.
    pub discriminator: u32,
    /// The shortest interval that this system wants to send at. At least [`INTERVAL_MIN`].
    pub desired_min_tx: Duration,
    /// The shortest interval that this system can receive at. At least [`INTERVAL_MIN`].
    pub required_min_rx: Duration,
    /// How many intervals of ours may pass in silence before the neighbour declares us lost. At
    /// least one.
    pub detect_multiplier: u8,
}

impl Config {
    pub(crate) fn normalized(self) -> Self {
        Self {
            discriminator: self.discriminator.max(1),
            desired_min_tx: interval(micros(self.desired_min_tx)).max(INTERVAL_MIN),
            required_min_rx: interval(micros(self.required_min_rx)).max(INTERVAL_MIN),
            detect_multiplier: self.detect_multiplier.max(1),
        }
    }
}

/// An interval as the wire has it.
pub(crate) fn micros(interval: Duration) -> u32 {
    u32::try_from(interval.as_micros()).unwrap_or(u32::MAX)
}

/// An interval as the wire had it.
pub(crate) fn interval(micros: u32) -> Duration {
    Duration::from_micros(u64::from(micros))
}

#[cfg(test)]
mod tests {
    use super::{Config, INTERVAL_MIN};
    use base::Duration;

    #[test]
    fn values_that_would_break_the_protocol_become_the_nearest_legal_ones() {
        let config = Config {
            discriminator: 0,
            desired_min_tx: Duration::ZERO,
            required_min_rx: Duration::from_secs(1 << 40),
            detect_multiplier: 0,
        };
        let legal = Config {
            discriminator: 1,
            desired_min_tx: INTERVAL_MIN,
            required_min_rx: Duration::from_micros(u64::from(u32::MAX)),
            detect_multiplier: 1,
        };
        assert_eq!(config.normalized(), legal);
    }
}
