//! Why octets are not the header they were taken for, and the readers that find out.

use core::fmt;

/// Why octets cannot be read; `at` is the offset of the first octet that is missing or wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// The octets end before the header does.
    Truncated {
        /// Where the octets end.
        at: usize,
    },
    /// A length field contradicts another or the octets at hand.
    Length {
        /// Where the length field is.
        at: usize,
    },
    /// Not the version that this decoder reads.
    Version {
        /// Where the version field is.
        at: usize,
    },
    /// The checksum does not match.
    Checksum {
        /// Where the checksum field is.
        at: usize,
    },
    /// A field holds a value that is not allowed or not read here.
    Value {
        /// Where the field is.
        at: usize,
    },
    /// More headers in a chain than the limit.
    TooDeep {
        /// Where the first one too many begins.
        at: usize,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { at } => write!(f, "ends at octet {at}, before the header does"),
            Self::Length { at } => write!(f, "wrong length at octet {at}"),
            Self::Version { at } => write!(f, "unknown version at octet {at}"),
            Self::Checksum { at } => write!(f, "wrong checksum at octet {at}"),
            Self::Value { at } => write!(f, "value not allowed at octet {at}"),
            Self::TooDeep { at } => write!(f, "too many headers at octet {at}"),
        }
    }
}

impl core::error::Error for DecodeError {}

pub(crate) fn octets<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], DecodeError> {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.first_chunk().copied().ok_or(DecodeError::Truncated { at: bytes.len() })
}

pub(crate) fn octet(bytes: &[u8], at: usize) -> Result<u8, DecodeError> {
    bytes.get(at).copied().ok_or(DecodeError::Truncated { at: bytes.len() })
}

pub(crate) fn number16(bytes: &[u8], at: usize) -> Result<u16, DecodeError> {
    octets(bytes, at).map(u16::from_be_bytes)
}

pub(crate) fn number32(bytes: &[u8], at: usize) -> Result<u32, DecodeError> {
    octets(bytes, at).map(u32::from_be_bytes)
}

/// What follows the first `at` octets.
pub(crate) fn rest(bytes: &[u8], at: usize) -> Result<&[u8], DecodeError> {
    bytes.get(at..).ok_or(DecodeError::Truncated { at: bytes.len() })
}
