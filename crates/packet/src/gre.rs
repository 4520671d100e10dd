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
    use super::{HEADER_LEN, Header};
    use crate::{DecodeError, checksum, ethernet, mpls};
    use proptest::prelude::*;

    // What follows was built by Scapy 2.8: MPLS labels 16001 and 300 over `abcd`, and an echo request
    // under a header with a checksum.
    const LABELLED: [u8; 16] = [
        0x00, 0x00, 0x88, 0x47, 0x03, 0xe8, 0x1a, 0xff, 0x00, 0x12, 0xcb, 0xff, 0x61, 0x62, 0x63,
        0x64,
    ];
    const CHECKED: [u8; 39] = [
        0x80, 0x00, 0x08, 0x00, 0x77, 0xff, 0x00, 0x00, 0x45, 0x00, 0x00, 0x1f, 0x00, 0x01, 0x00,
        0x00, 0x40, 0x01, 0xf6, 0xd9, 0xc0, 0x00, 0x02, 0x01, 0xc0, 0x00, 0x02, 0x02, 0x08, 0x00,
        0x33, 0x9b, 0x00, 0x01, 0x00, 0x01, 0x61, 0x62, 0x63,
    ];

    #[test]
    fn headers_of_scapy_are_read_and_the_plain_one_written_alike() {
        let (header, payload) = Header::decode(&LABELLED).unwrap();
        assert_eq!(header, Header { protocol: ethernet::TYPE_MPLS });
        assert_eq!(header.encode(), LABELLED[..HEADER_LEN]);
        let (stack, rest) = mpls::decode_stack(payload).unwrap();
        let labels: Vec<u32> = stack.iter().map(|entry| entry.label.value()).collect();
        assert_eq!((labels, rest), (vec![16_001, 300], b"abcd".as_slice()));
        assert!(stack.iter().all(|entry| (entry.traffic_class, entry.ttl) == (5, 255)));

        let (header, payload) = Header::decode(&CHECKED).unwrap();
        assert_eq!((header.protocol, payload), (ethernet::TYPE_IPV4, &CHECKED[8..]));
    }

    #[test]
    fn every_truncation_of_the_header_is_refused() {
        for len in 0..HEADER_LEN {
            assert_eq!(Header::decode(&LABELLED[..len]), Err(DecodeError::Truncated { at: len }));
        }
        for len in HEADER_LEN..8 {
            assert_eq!(Header::decode(&CHECKED[..len]), Err(DecodeError::Truncated { at: len }));
        }
    }

    #[test]
    fn checksum_is_optional_and_checked() {
        let mut packet = vec![0x80, 0, 0x88, 0x47, 0, 0, 0, 0, 1, 2, 3];
        let sum = checksum::of(&packet);
        packet[4..6].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(Header::decode(&packet), Ok((Header { protocol: 0x8847 }, &[1, 2, 3][..])));
        packet[9] = 9;
        assert_eq!(Header::decode(&packet), Err(DecodeError::Checksum { at: 4 }));
    }

    #[test]
    fn keys_routes_and_versions_are_refused() {
        for flags in [0x4000_u16, 0x2000, 0x1000, 0x0800, 0x0400] {
            let [high, low] = flags.to_be_bytes();
            let packet = [high, low, 8, 0];
            assert_eq!(Header::decode(&packet), Err(DecodeError::Value { at: 0 }), "{flags:04x}");
        }
        assert_eq!(Header::decode(&[0, 1, 8, 0]), Err(DecodeError::Version { at: 1 }));
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
