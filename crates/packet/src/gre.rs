//! Generic routing encapsulation: four octets that name the protocol of what follows.
//!
//! Secure links carry GRE in a tunnel, so a frame on one is this header and the packet. The
//! header is sent without the optional checksum, and received with or without.
//!
//! Standards: RFC 2784, RFC 4023 §4 (MPLS in GRE).
//! Not implemented: the key and sequence number of RFC 2890, whose flags are refused.

use crate::error::{number16, rest};
use crate::{DecodeError, checksum};

/// The length of the header that is sent.
pub const HEADER_LEN: usize = 4;
/// The protocol type of ISO network layer packets.
pub const TYPE_ISO: u16 = 0x00fe;

const CHECKSUM_PRESENT: u16 = 0x8000;
/// RFC 2784 §2.3: with any of these set the packet is discarded by a receiver without RFC 1701.
const MUST_BE_ZERO: u16 = 0x7c00;
const VERSION: u16 = 0x0007;

/// A GRE header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The protocol of the payload: an Ethernet type.
    pub protocol: u16,
}

impl Header {
    /// Reads the header, checks its checksum where it has one, and returns the payload.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let flags = number16(bytes, 0)?;
        let header = Self { protocol: number16(bytes, 2)? };
        if flags & MUST_BE_ZERO != 0 {
            return Err(DecodeError::Value { at: 0 });
        }
        if flags & VERSION != 0 {
            return Err(DecodeError::Version { at: 1 });
        }
        if flags & CHECKSUM_PRESENT == 0 {
            return Ok((header, rest(bytes, HEADER_LEN)?));
        }
        let payload = rest(bytes, 8)?;
        if checksum::of(bytes) != 0 {
            return Err(DecodeError::Checksum { at: 4 });
        }
        Ok((header, payload))
    }

    /// The octets of the header.
    #[must_use]
    pub const fn encode(&self) -> [u8; HEADER_LEN] {
        let [high, low] = self.protocol.to_be_bytes();
        [0, 0, high, low]
    }
}

#[cfg(test)]
mod tests {
    use super::Header;
    use crate::{DecodeError, checksum};
    use proptest::prelude::*;

    #[test]
    fn checksum_is_optional_and_checked() {
        let mut packet = vec![0x80, 0, 0x88, 0x47, 0, 0, 0, 0, 1, 2, 3];
        let sum = checksum::of(&packet);
        packet[4..6].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(Header::decode(&packet), Ok((Header { protocol: 0x8847 }, &[1, 2, 3][..])));
        packet[9] = 9;
        assert_eq!(Header::decode(&packet), Err(DecodeError::Checksum { at: 4 }));
        assert_eq!(Header::decode(&packet[..7]), Err(DecodeError::Truncated { at: 7 }));
    }

    #[test]
    fn keys_routes_versions_and_truncation_are_refused() {
        for flags in [0x4000_u16, 0x2000, 0x1000, 0x0800, 0x0400] {
            let [high, low] = flags.to_be_bytes();
            let packet = [high, low, 8, 0];
            assert_eq!(Header::decode(&packet), Err(DecodeError::Value { at: 0 }), "{flags:04x}");
        }
        assert_eq!(Header::decode(&[0, 1, 8, 0]), Err(DecodeError::Version { at: 1 }));
        for len in 0..4 {
            let packet = [0, 0, 8, 0];
            assert_eq!(Header::decode(&packet[..len]), Err(DecodeError::Truncated { at: len }));
        }
    }

    proptest! {
        #[test]
        fn round_trip(protocol: u16) {
            let header = Header { protocol };
            let octets = header.encode();
            prop_assert_eq!(Header::decode(&octets), Ok((header, &[][..])));
        }
    }
}
