//! The TCP header, as far as access rules and traces look into it.
//!
//! Standards: RFC 9293 §3.1 (header).
//! Not implemented: options, which are passed over; the checksum, which ends check.

use crate::DecodeError;
use crate::error::{number16, number32, octet, rest};

/// The length of a header without options.
pub const HEADER_LEN: usize = 20;
/// The protocol number in IP.
pub const PROTOCOL: u8 = 6;

/// The control bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    /// The sender has no more data.
    pub const FIN: Self = Self(0x01);
    /// Opens a connection.
    pub const SYN: Self = Self(0x02);
    /// Resets a connection.
    pub const RST: Self = Self(0x04);
    /// The acknowledgement number counts: set in every segment but the first.
    pub const ACK: Self = Self(0x10);

    /// Whether one of `other`'s bits is set.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// A TCP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The sender's port.
    pub source_port: u16,
    /// The receiver's port.
    pub destination_port: u16,
    /// The sequence number.
    pub sequence: u32,
    /// The acknowledgement number.
    pub acknowledgement: u32,
    /// The control bits.
    pub flags: Flags,
    /// The window.
    pub window: u16,
    /// The checksum.
    pub checksum: u16,
    /// The urgent pointer.
    pub urgent: u16,
}

impl Header {
    /// Reads the header and returns what follows its options.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let header = Self {
            source_port: number16(bytes, 0)?,
            destination_port: number16(bytes, 2)?,
            sequence: number32(bytes, 4)?,
            acknowledgement: number32(bytes, 8)?,
            flags: Flags(octet(bytes, 13)?),
            window: number16(bytes, 14)?,
            checksum: number16(bytes, 16)?,
            urgent: number16(bytes, 18)?,
        };
        let header_len = usize::from(octet(bytes, 12)? >> 4) * 4;
        if header_len < HEADER_LEN {
            return Err(DecodeError::Length { at: 12 });
        }
        Ok((header, rest(bytes, header_len)?))
    }

    /// The octets of a header without options.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let [a, b] = self.source_port.to_be_bytes();
        let [c, d] = self.destination_port.to_be_bytes();
        let [e, f, g, h] = self.sequence.to_be_bytes();
        let [i, j, k, l] = self.acknowledgement.to_be_bytes();
        let [m, n] = self.window.to_be_bytes();
        let [o, p] = self.checksum.to_be_bytes();
        let [q, r] = self.urgent.to_be_bytes();
        [a, b, c, d, e, f, g, h, i, j, k, l, 0x50, self.flags.0, m, n, o, p, q, r]
    }
}

#[cfg(test)]
mod tests {
    use super::{Flags, Header};
    use crate::DecodeError;
    use proptest::prelude::*;

    // The TCP header of frame 22 of an FRR 8.4.4 capture: BGP's first segment, with options.
    const SYN: [u8; 40] = [
        0xa1, 0x9b, 0x00, 0xb3, 0x56, 0xd9, 0x4c, 0x07, 0x00, 0x00, 0x00, 0x00, 0xa0, 0x02, 0xfa,
        0xf0, 0x16, 0x2f, 0x00, 0x00, 0x02, 0x04, 0x05, 0xb4, 0x04, 0x02, 0x08, 0x0a, 0xda, 0x69,
        0xb8, 0xa5, 0x00, 0x00, 0x00, 0x00, 0x01, 0x03, 0x03, 0x0a,
    ];

    #[test]
    fn first_segment_of_a_bgp_session_is_read() {
        let (header, payload) = Header::decode(&SYN).unwrap();
        assert_eq!((header.source_port, header.destination_port), (41_371, 179));
        assert_eq!((header.sequence, header.acknowledgement), (0x56d9_4c07, 0));
        assert!(header.flags.intersects(Flags::SYN) && !header.flags.intersects(Flags::ACK));
        assert!(payload.is_empty());
    }

    #[test]
    fn every_truncation_and_a_short_offset_are_refused() {
        for len in 0..SYN.len() {
            assert_eq!(Header::decode(&SYN[..len]), Err(DecodeError::Truncated { at: len }));
        }
        let mut segment = SYN;
        segment[12] = 0x40;
        assert_eq!(Header::decode(&segment), Err(DecodeError::Length { at: 12 }));
    }

    proptest! {
        #[test]
        fn round_trip(
            (source_port, destination_port, sequence, acknowledgement) in any::<(u16, u16, u32, u32)>(),
            (flags, window, checksum, urgent) in any::<(u8, u16, u16, u16)>(),
        ) {
            let flags = Flags(flags);
            let header = Header {
                source_port, destination_port, sequence, acknowledgement,
                flags, window, checksum, urgent,
            };
            let octets = header.encode();
            prop_assert_eq!(Header::decode(&octets), Ok((header, &[][..])));
        }
    }
}
