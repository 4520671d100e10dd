//! What a secure link does not take, and why.

use std::collections::BTreeMap;
use std::fmt;

use boringtun::noise::errors::WireGuardError;

/// Why a datagram, or the packet in it, was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefusedReason {
    /// Not a WireGuard message: another type, or a length that the type does not have.
    Malformed,
    /// A handshake message from somebody who does not know our public key.
    WrongMac,
    /// A handshake message under a key that is not the peer's.
    NotThePeer,
    /// Its seal does not fit: changed on the way, forged, or under another preshared key.
    NotAuthentic,
    /// It belongs to no session or handshake that we know of, or know of any longer.
    NoSession,
    /// It was here before, or is too old to tell.
    Replayed,
    /// More handshakes than we care to work out: the sender was asked to show that it is where it
    /// says it is.
    UnderLoad,
    /// The peer sealed something that is not a whole IP packet.
    NotIp,
    /// The peer sealed a packet with other addresses than the two of this link.
    WrongAddress,
    /// The peer sealed part of a packet.
    Fragment,
    /// The peer sealed a packet that does not carry GRE.
    NotGre,
}

impl RefusedReason {
    /// What the library's refusal of a message means; `sealed` where the message is one of data.
    pub(super) const fn of(error: &WireGuardError, sealed: bool) -> Self {
        match error {
            WireGuardError::InvalidMac => Self::WrongMac,
            WireGuardError::WrongKey => Self::NotThePeer,
            WireGuardError::InvalidAeadTag => Self::NotAuthentic,
            WireGuardError::WrongIndex
            | WireGuardError::UnexpectedPacket
            | WireGuardError::ConnectionExpired
            | WireGuardError::NoCurrentSession => Self::NoSession,
            WireGuardError::InvalidCounter
            | WireGuardError::DuplicateCounter
            | WireGuardError::InvalidTai64nTimestamp
            | WireGuardError::WrongTai64nTimestamp => Self::Replayed,
            WireGuardError::UnderLoad => Self::UnderLoad,
            // A message of data has been found well-formed before it is opened.
            WireGuardError::InvalidPacket if sealed => Self::NotIp,
            WireGuardError::InvalidPacket
            | WireGuardError::DestinationBufferTooSmall
            | WireGuardError::IncorrectPacketLength
            | WireGuardError::WrongPacketType
            | WireGuardError::LockFailed => Self::Malformed,
        }
    }
}

impl fmt::Display for RefusedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a WireGuard message",
            Self::WrongMac => "a handshake not meant for our public key",
            Self::NotThePeer => "a handshake under a key that is not the peer's",
            Self::NotAuthentic => "forged, or changed on the way",
            Self::NoSession => "of no session that we know",
            Self::Replayed => "sent before",
            Self::UnderLoad => "too many handshakes",
            Self::NotIp => "not an IP packet under the seal",
            Self::WrongAddress => "not between the addresses of this link",
            Self::Fragment => "part of a packet under the seal",
            Self::NotGre => "not GRE under the seal",
        })
    }
}

/// How often what was refused.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusals(BTreeMap<RefusedReason, u64>);

impl Refusals {
    pub(super) fn count(&mut self, reason: RefusedReason) {
        *self.0.entry(reason).or_default() += 1;
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (RefusedReason, u64)> {
        self.0.iter().map(|(reason, count)| (*reason, *count))
    }

    pub(super) fn total(&self) -> u64 {
        self.0.values().sum()
    }
}
