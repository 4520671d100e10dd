//! What a session has counted since it began, and why packets were discarded.
//!
//! Standards: RFC 5880 §6.8.6 (the reasons for which a packet is discarded).
//! Not implemented: none.

use core::fmt;

use crate::DecodeError;

/// Why a received packet had no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiscardReason {
    /// It is not a control packet.
    Malformed(DecodeError),
    /// It names a session that is not this one.
    WrongDiscriminator,
    /// It names no session although its sender claims to hear us.
    MissingDiscriminator,
    /// It came through a port that is down.
    PortDown,
    /// This session is held down by its administrator.
    AdminDown,
}

impl DiscardReason {
    /// Every reason, in the order in which they are shown.
    pub const ALL: [Self; 12] = [
        Self::Malformed(DecodeError::Truncated),
        Self::Malformed(DecodeError::Version),
        Self::Malformed(DecodeError::LengthTooSmall),
        Self::Malformed(DecodeError::LengthTooLarge),
        Self::Malformed(DecodeError::ZeroMultiplier),
        Self::Malformed(DecodeError::Multipoint),
        Self::Malformed(DecodeError::ZeroDiscriminator),
        Self::Malformed(DecodeError::Authenticated),
        Self::WrongDiscriminator,
        Self::MissingDiscriminator,
        Self::PortDown,
        Self::AdminDown,
    ];
}

impl fmt::Display for DiscardReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => write!(f, "malformed: {error}"),
            Self::WrongDiscriminator => f.write_str("names another session"),
            Self::MissingDiscriminator => f.write_str("names no session"),
            Self::PortDown => f.write_str("port is down"),
            Self::AdminDown => f.write_str("session is administratively down"),
        }
    }
}

/// What a session has counted since it began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counters {
    /// Packets handed to the session, good and bad.
    pub received: u64,
    /// Packets that the session has sent.
    pub sent: u64,
    /// Packets of a neighbour that asked for demand mode; they were used, the wish was not granted.
    pub demand_ignored: u64,
    /// Times that the session went up.
    pub went_up: u64,
    /// Times that the session left `Up`.
    pub went_down: u64,
    /// Poll sequences that the neighbour answered.
    pub polls_answered: u64,
    discarded: [(DiscardReason, u64); DiscardReason::ALL.len()],
}

impl Counters {
    pub(crate) fn new() -> Self {
        Self {
            received: 0,
            sent: 0,
            demand_ignored: 0,
            went_up: 0,
            went_down: 0,
            polls_answered: 0,
            discarded: DiscardReason::ALL.map(|reason| (reason, 0)),
        }
    }

    pub(crate) fn discard(&mut self, reason: DiscardReason) {
        for (known, count) in &mut self.discarded {
            if *known == reason {
                *count += 1;
            }
        }
    }

    /// How many packets were discarded for each reason.
    pub fn discards(&self) -> impl Iterator<Item = (DiscardReason, u64)> + '_ {
        self.discarded.iter().copied()
    }

    /// How many packets were discarded for `reason`.
    #[must_use]
    pub fn discarded(&self, reason: DiscardReason) -> u64 {
        self.discards().find_map(|(known, count)| (known == reason).then_some(count)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Counters, DiscardReason};

    #[test]
    fn each_reason_is_counted_by_itself() {
        let mut counters = Counters::new();
        for reason in DiscardReason::ALL {
            counters.discard(reason);
        }
        assert!(counters.discards().all(|(_, count)| count == 1));
        counters.discard(DiscardReason::PortDown);
        assert_eq!(counters.discarded(DiscardReason::PortDown), 2);
        assert_eq!(counters.discarded(DiscardReason::AdminDown), 1);
    }
}
