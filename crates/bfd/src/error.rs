//! Why octets are not a control packet.
//!
//! Standards: RFC 5880 §6.8.6 (the reasons for which a packet is discarded).
//! Not implemented: none.

use core::fmt;

/// Why octets are not a control packet that this system can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DecodeError {
    /// Fewer octets than the mandatory section has.
    Truncated,
    /// A protocol version other than 1.
    Version,
    /// The length field is smaller than the mandatory section.
    LengthTooSmall,
    /// The length field promises more octets than came.
    LengthTooLarge,
    /// The detection multiplier is zero.
    ZeroMultiplier,
    /// The multipoint bit is set.
    Multipoint,
    /// The sender's discriminator is zero.
    ZeroDiscriminator,
    /// The packet is authenticated, and no session of this system is.
    Authenticated,
}

impl DecodeError {
    /// The octet at which the fault was found.
    #[must_use]
    pub const fn offset(self) -> usize {
        match self {
            Self::Truncated | Self::Version => 0,
            Self::Multipoint | Self::Authenticated => 1,
            Self::ZeroMultiplier => 2,
            Self::LengthTooSmall | Self::LengthTooLarge => 3,
            Self::ZeroDiscriminator => 4,
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "shorter than a control packet",
            Self::Version => "protocol version is not 1",
            Self::LengthTooSmall => "length field is smaller than a control packet",
            Self::LengthTooLarge => "length field is larger than the payload",
            Self::ZeroMultiplier => "detection multiplier is zero",
            Self::Multipoint => "multipoint bit is set",
            Self::ZeroDiscriminator => "sender's discriminator is zero",
            Self::Authenticated => "authenticated, and the session is not",
        })
    }
}

impl core::error::Error for DecodeError {}
