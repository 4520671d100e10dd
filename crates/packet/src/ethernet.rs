//! The Ethernet header in its two forms: with a protocol type, or with a length and LLC behind.
//!
//! A type of 1536 or more is a protocol; 1500 or less is the length of an 802.3 payload, which
//! is trimmed to it (frames are padded to 60 octets on the wire). What lies between is refused.
//!
//! Standards: IEEE 802.3 §3.2.6 (length and type), RFC 894, RFC 2464, RFC 3032 §5 (MPLS).
//! Not implemented: 802.1Q tags (they come with tagged attachments), jumbo LLC frames.

use base::MacAddr;

use crate::DecodeError;
use crate::error::{number16, octets, rest};

/// The length of the header.
pub const HEADER_LEN: usize = 14;
/// The shortest frame without its check sequence; senders pad to it.
pub const FRAME_LEN_MIN: usize = 60;

/// The type of IPv4.
pub const TYPE_IPV4: u16 = 0x0800;
/// The type of ARP.
pub const TYPE_ARP: u16 = 0x0806;
/// The type of IPv6.
pub const TYPE_IPV6: u16 = 0x86dd;
/// The type of MPLS, downstream-assigned labels.
pub const TYPE_MPLS: u16 = 0x8847;

/// The longest payload of a frame that states its length.
pub const LENGTH_MAX: u16 = 1500;
const TYPE_FIRST: u16 = 0x0600;

/// What the two octets after the addresses say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The protocol of the payload.
    Type(u16),
    /// The length of the payload, which begins with LLC.
    Length(u16),
}

/// An Ethernet header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// To whom.
    pub destination: MacAddr,
    /// From whom.
    pub source: MacAddr,
    /// The type or the length.
    pub kind: Kind,
}

impl Header {
    /// Reads the header and returns what follows it, padding removed where the length is known.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let destination = MacAddr(octets(bytes, 0)?);
        let source = MacAddr(octets(bytes, 6)?);
        let kind = number16(bytes, 12)?;
        let payload = rest(bytes, HEADER_LEN)?;
        if kind >= TYPE_FIRST {
            return Ok((Self { destination, source, kind: Kind::Type(kind) }, payload));
        }
        if kind > LENGTH_MAX {
            return Err(DecodeError::Value { at: 12 });
        }
        let payload = payload.get(..usize::from(kind)).ok_or(DecodeError::Length { at: 12 })?;
        Ok((Self { destination, source, kind: Kind::Length(kind) }, payload))
    }

    /// The octets of the header.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let [a, b, c, d, e, f] = self.destination.0;
        let [g, h, i, j, k, l] = self.source.0;
        let (Kind::Type(kind) | Kind::Length(kind)) = self.kind;
        let [m, n] = kind.to_be_bytes();
        [a, b, c, d, e, f, g, h, i, j, k, l, m, n]
    }
}

#[cfg(test)]
mod tests {
    use super::{Header, Kind};
    use crate::DecodeError;
    use base::MacAddr;
    use proptest::prelude::*;

    // The first 20 octets of frame 1 of an FRR 8.4.4 IS-IS capture: a padded hello.
    const HELLO: [u8; 20] = [
        0x09, 0x00, 0x2b, 0x00, 0x00, 0x05, 0x0a, 0x96, 0xa4, 0xd2, 0x15, 0x4c, 0x05, 0xdc, 0xfe,
        0xfe, 0x03, 0x83, 0x14, 0x01,
    ];

    #[test]
    fn hello_of_frr_is_a_length_frame() {
        let mut frame = HELLO.to_vec();
        frame.resize(1514, 0);
        let (header, payload) = Header::decode(&frame).unwrap();
        assert_eq!(header.destination, MacAddr::ALL_IS);
        assert_eq!(header.source.to_string(), "0a:96:a4:d2:15:4c");
        assert_eq!(header.kind, Kind::Length(1500));
        assert_eq!(payload.len(), 1500);
        assert_eq!(header.encode(), HELLO[..14]);
        assert_eq!(Header::decode(&frame[..1513]), Err(DecodeError::Length { at: 12 }));
    }

    #[test]
    fn padding_behind_a_length_frame_is_removed() {
        let mut frame = HELLO.to_vec();
        frame[12..14].copy_from_slice(&[0, 3]);
        frame.resize(60, 0);
        assert_eq!(Header::decode(&frame).unwrap().1, [0xfe, 0xfe, 0x03]);
    }

    #[test]
    fn truncation_and_the_gap_between_length_and_type_are_refused() {
        for len in 0..14 {
            assert_eq!(Header::decode(&HELLO[..len]), Err(DecodeError::Truncated { at: len }));
        }
        let mut frame = HELLO;
        frame[12..14].copy_from_slice(&[0x05, 0xdd]);
        assert_eq!(Header::decode(&frame), Err(DecodeError::Value { at: 12 }));
    }

    proptest! {
        #[test]
        fn round_trip(destination: [u8; 6], source: [u8; 6], kind in 0x600_u16..) {
            let (destination, source) = (MacAddr(destination), MacAddr(source));
            let header = Header { destination, source, kind: Kind::Type(kind) };
            let octets = header.encode();
            prop_assert_eq!(Header::decode(&octets), Ok((header, &[][..])));
        }
    }
}
