//! Why something on the wire was refused: small, typed, countable.
//!
//! A fault in a path attribute is an [`AttributeError`] and leads to a [`Verdict`] on the whole
//! UPDATE message, by the ladder of RFC 7606: keep it without the attribute, treat its routes as
//! withdrawn, or reset the session. The last is not a verdict but the NOTIFICATION message to send.
//!
//! Standards: RFC 7606 §2 and §3.
//! Not implemented: the AFI/SAFI disable approach of RFC 7606 §2; the session is reset instead,
//! which the RFC permits wherever it names both.

use core::fmt;

/// What is wrong with a path attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttributeFault {
    /// The Optional or Transitive flag contradicts the attribute's definition (RFC 7606 §3 c).
    Flags,
    /// The length is not one that the attribute can have (RFC 7606 §4 and §7).
    Length,
    /// The attribute does not fit in the attributes field, or a stray octet follows the last one
    /// (RFC 7606 §4).
    Overrun,
    /// An attribute that must be present is not (RFC 7606 §3 d).
    Missing,
    /// The attribute appears a second time (RFC 7606 §3 g).
    Duplicate,
    /// A value that is not defined (RFC 7606 §7.1).
    Value,
    /// An AS path segment of a type other than set or sequence (RFC 7606 §7.2).
    SegmentType,
    /// An AS path segment that is empty or does not fit (RFC 7606 §7.2).
    SegmentLength,
    /// AS number 0 (RFC 7607 §2).
    AsZero,
    /// The leftmost AS of an external peer's path is not the peer's (RFC 7606 §7.2).
    FirstAs,
    /// Not an address that a packet can be sent to (RFC 7606 §7.3).
    NextHop,
    /// Meaningful inside an AS only, but sent by an external peer (RFC 7606 §7.5, §7.9, §7.10).
    FromExternal,
    /// Between speakers of four-octet AS numbers the attribute must not be sent (RFC 6793 §6).
    FromNewSpeaker,
    /// Routes of a family that the session did not negotiate (RFC 4760 §8).
    Family,
    /// A well-known attribute that this speaker does not know (RFC 4271 §6.3).
    UnknownWellKnown,
    /// The routes in the attribute cannot be told apart (RFC 7606 §5.3).
    Nlri(NlriError),
}

impl fmt::Display for AttributeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flags => "wrong flags",
            Self::Length => "wrong length",
            Self::Overrun => "does not fit in the attributes field",
            Self::Missing => "missing",
            Self::Duplicate => "appears twice",
            Self::Value => "undefined value",
            Self::SegmentType => "undefined path segment type",
            Self::SegmentLength => "malformed path segment",
            Self::AsZero => "contains AS 0",
            Self::FirstAs => "does not begin with the peer's AS",
            Self::NextHop => "is not a usable address",
            Self::FromExternal => "not accepted from an external peer",
            Self::FromNewSpeaker => "not accepted from a four-octet AS speaker",
            Self::Family => "of a family that was not negotiated",
            Self::UnknownWellKnown => "well-known but not recognised",
            Self::Nlri(error) => return error.fmt(f),
        })
    }
}

/// A fault in a path attribute, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttributeError {
    /// The attribute's type code; 0 where it cannot be told.
    pub code: u8,
    /// Offset of the attribute in the attributes field.
    pub offset: u16,
    /// What is wrong with it.
    pub fault: AttributeFault,
}

impl fmt::Display for AttributeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "attribute {} at offset {}: {}", self.code, self.offset, self.fault)
    }
}

impl core::error::Error for AttributeError {}

/// What becomes of an UPDATE message that does not reset the session (RFC 7606 §2); a later one is
/// stronger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing is wrong with it.
    Accept,
    /// It counts without the faulty attributes; the first fault is given.
    AttributeDiscard(AttributeError),
    /// All its routes are withdrawn; the first such fault is given.
    TreatAsWithdraw(AttributeError),
}

/// Why a route in a message cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NlriError {
    /// The route's length points past the end of the field.
    Truncated,
    /// The length is not one that the family can have.
    Length(u8),
    /// More labels than one, which was not negotiated (RFC 8277 §2.1).
    LabelStack,
}

impl fmt::Display for NlriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("route runs past the end of the field"),
            Self::Length(bits) => write!(f, "route length of {bits} bits does not fit the family"),
            Self::LabelStack => f.write_str("route with more than one label"),
        }
    }
}

impl core::error::Error for NlriError {}

/// Why an UPDATE message cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EncodeError {
    /// The attributes leave no room for a route in 4,096 octets (RFC 4271 §9.2).
    AttributesTooLong,
    /// A next hop that the family cannot carry without RFC 8950.
    NextHopFamily,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AttributesTooLong => "path attributes leave no room for a route",
            Self::NextHopFamily => "next hop of the wrong address family",
        })
    }
}

impl core::error::Error for EncodeError {}
