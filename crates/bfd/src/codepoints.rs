//! The numbers of the standard: session states and diagnostic codes.
//!
//! Standards: RFC 5880 §4.1 (state and diagnostic fields), §8.1 (diagnostic registry).
//! Not implemented: none.

use core::fmt;

/// The state of a session, as a system sees it or as its neighbour reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Held down by its administrator; says nothing about the path.
    AdminDown,
    /// Not established.
    Down,
    /// The neighbour is heard, and does not yet hear us.
    Init,
    /// Each hears the other.
    Up,
}

impl State {
    /// Every state, in the order of its number.
    pub const ALL: [Self; 4] = [Self::AdminDown, Self::Down, Self::Init, Self::Up];

    pub(crate) const fn from_bits(bits: u8) -> Self {
        match bits & 0b11 {
            0 => Self::AdminDown,
            1 => Self::Down,
            2 => Self::Init,
            _ => Self::Up,
        }
    }

    pub(crate) const fn bits(self) -> u8 {
        match self {
            Self::AdminDown => 0,
            Self::Down => 1,
            Self::Init => 2,
            Self::Up => 3,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AdminDown => "admin down",
            Self::Down => "down",
            Self::Init => "init",
            Self::Up => "up",
        })
    }
}

/// Why a system last changed its session's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Diagnostic {
    /// Nothing went wrong.
    None,
    /// No packet came for the detection time.
    DetectionTimeExpired,
    /// The echo function failed.
    EchoFailed,
    /// The neighbour says that its session is down.
    NeighborSignaledDown,
    /// The forwarding plane was reset.
    ForwardingPlaneReset,
    /// Something outside of BFD says that the path is down.
    PathDown,
    /// A path that this one is joined to is down.
    ConcatenatedPathDown,
    /// An administrator holds the session down.
    AdministrativelyDown,
    /// A path that this one is joined to is down, in the reverse direction.
    ReverseConcatenatedPathDown,
    /// A number that RFC 5880 reserves: 9 to 31.
    Reserved(u8),
}

impl Diagnostic {
    pub(crate) const fn from_bits(bits: u8) -> Self {
        match bits & 0b1_1111 {
            0 => Self::None,
            1 => Self::DetectionTimeExpired,
            2 => Self::EchoFailed,
            3 => Self::NeighborSignaledDown,
            4 => Self::ForwardingPlaneReset,
            5 => Self::PathDown,
            6 => Self::ConcatenatedPathDown,
            7 => Self::AdministrativelyDown,
            8 => Self::ReverseConcatenatedPathDown,
            reserved => Self::Reserved(reserved),
        }
    }

    pub(crate) const fn bits(self) -> u8 {
        match self {
            Self::None => 0,
            Self::DetectionTimeExpired => 1,
            Self::EchoFailed => 2,
            Self::NeighborSignaledDown => 3,
            Self::ForwardingPlaneReset => 4,
            Self::PathDown => 5,
            Self::ConcatenatedPathDown => 6,
            Self::AdministrativelyDown => 7,
            Self::ReverseConcatenatedPathDown => 8,
            Self::Reserved(bits) => bits & 0b1_1111,
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no diagnostic",
            Self::DetectionTimeExpired => "control detection time expired",
            Self::EchoFailed => "echo function failed",
            Self::NeighborSignaledDown => "neighbor signaled session down",
            Self::ForwardingPlaneReset => "forwarding plane reset",
            Self::PathDown => "path down",
            Self::ConcatenatedPathDown => "concatenated path down",
            Self::AdministrativelyDown => "administratively down",
            Self::ReverseConcatenatedPathDown => "reverse concatenated path down",
            Self::Reserved(code) => return write!(f, "reserved diagnostic {code}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Diagnostic, State};

    #[test]
    fn every_number_survives_the_round_trip() {
        for bits in 0..4 {
            assert_eq!(State::from_bits(bits).bits(), bits);
        }
        for bits in 0..32 {
            assert_eq!(Diagnostic::from_bits(bits).bits(), bits);
        }
    }
}
