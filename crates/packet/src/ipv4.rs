//! The IPv4 header.
//!
//! The decoder checks the version, both lengths and the checksum, and trims the payload to the
//! total length. What an ICMP error quotes is cut short and may have been changed on its way, so
//! [`Header::decode_quoted`] asks for neither. The fast path changes a header where it is:
//! [`decrement_ttl`].
//!
//! Standards: RFC 791 §3.1, RFC 2474 (differentiated services field), RFC 3168 (ECN), RFC 1624
//! (checksum update).
//! Not implemented: processing of options, which are kept and passed over.

use core::net::Ipv4Addr;

use crate::error::{number16, octet, octets, rest};
use crate::{DecodeError, checksum};

/// The length of a header without options.
pub const HEADER_LEN: usize = 20;
/// The longest options.
pub const OPTIONS_LEN_MAX: usize = 40;

/// The options of a header, padded to a multiple of four octets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Options {
    octets: [u8; OPTIONS_LEN_MAX],
    words: u8,
}

impl Options {
    /// No options.
    pub const NONE: Self = Self { octets: [0; OPTIONS_LEN_MAX], words: 0 };

    /// Options from their octets, padded with end-of-list; `None` over 40.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut octets = [0; OPTIONS_LEN_MAX];
        octets.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self { octets, words: u8::try_from(bytes.len().div_ceil(4)).ok()? })
    }

    /// The octets, a multiple of four.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.octets.get(..usize::from(self.words) * 4).unwrap_or_default()
    }

    /// Whether a source route is among them (RFC 791 §3.1: types 131 and 137), or whether they
    /// cannot be read to their end.
    #[must_use]
    pub fn source_route(&self) -> bool {
        let mut rest = self.as_slice();
        loop {
            match rest {
                [] | [0, ..] => return false,
                [1, after @ ..] => rest = after,
                [131 | 137, ..] => return true,
                [_, len, ..] if *len >= 2 => match rest.get(usize::from(*len)..) {
                    Some(after) => rest = after,
                    None => return true,
                },
                [_, ..] => return true,
            }
        }
    }
}

impl core::fmt::Debug for Options {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.as_slice().fmt(f)
    }
}

/// An IPv4 header; lengths and the checksum are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The differentiated services code point (six bits) and ECN (two).
    pub traffic_class: u8,
    /// The length of what follows the header.
    pub payload_len: u16,
    /// The identification that fragments of one packet share.
    pub identification: u16,
    /// Whether the packet must not be fragmented.
    pub dont_fragment: bool,
    /// Whether more fragments follow.
    pub more_fragments: bool,
    /// The fragment's place in units of eight octets, 13 bits.
    pub fragment_offset: u16,
    /// The time to live.
    pub ttl: u8,
    /// The protocol of the payload.
    pub protocol: u8,
    /// From whom.
    pub source: Ipv4Addr,
    /// To whom.
    pub destination: Ipv4Addr,
    /// The options.
    pub options: Options,
}

impl Header {
    /// Reads the header and returns the payload, trimmed to the total length.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let (header, after) = Self::decode_quoted(bytes)?;
        let covered = bytes.get(..header.len()).unwrap_or_default();
        if checksum::of(covered) != 0 {
            return Err(DecodeError::Checksum { at: 10 });
        }
        let payload = after.get(..usize::from(header.payload_len));
        Ok((header, payload.ok_or(DecodeError::Length { at: 2 })?))
    }

    /// Reads a header that an ICMP error quotes: the payload may be cut short, and the checksum
    /// is not looked at.
    pub fn decode_quoted(bytes: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let first = octet(bytes, 0)?;
        if first >> 4 != 4 {
            return Err(DecodeError::Version { at: 0 });
        }
        let header_len = usize::from(first & 0xf) * 4;
        if header_len < HEADER_LEN {
            return Err(DecodeError::Length { at: 0 });
        }
        let after = rest(bytes, header_len)?;
        let total_len = number16(bytes, 2)?;
        let payload_len = u16::try_from(header_len).ok().and_then(|len| total_len.checked_sub(len));
        let fragment = number16(bytes, 6)?;
        let options = bytes.get(HEADER_LEN..header_len).and_then(Options::new);
        let header = Self {
            traffic_class: octet(bytes, 1)?,
            payload_len: payload_len.ok_or(DecodeError::Length { at: 2 })?,
            identification: number16(bytes, 4)?,
            dont_fragment: fragment & 0x4000 != 0,
            more_fragments: fragment & 0x2000 != 0,
            fragment_offset: fragment & 0x1fff,
            ttl: octet(bytes, 8)?,
            protocol: octet(bytes, 9)?,
            source: Ipv4Addr::from(octets(bytes, 12)?),
            destination: Ipv4Addr::from(octets(bytes, 16)?),
            options: options.unwrap_or(Options::NONE),
        };
        Ok((header, after))
    }

    /// The length of the header with its options.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a header is never empty")]
    pub fn len(&self) -> usize {
        HEADER_LEN + self.options.as_slice().len()
    }

    /// Appends the octets of the header; a total over 65,535 is written as 65,535.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let words = u8::try_from(self.len() / 4).unwrap_or(15);
        let total = usize::from(self.payload_len) + self.len();
        let total = u16::try_from(total).unwrap_or(u16::MAX);
        let fragment = u16::from(self.dont_fragment) << 14
            | u16::from(self.more_fragments) << 13
            | (self.fragment_offset & 0x1fff);
        let mut octets = Vec::with_capacity(self.len());
        octets.extend([0x40 | words, self.traffic_class]);
        octets.extend(total.to_be_bytes());
        octets.extend(self.identification.to_be_bytes());
        octets.extend(fragment.to_be_bytes());
        octets.extend([self.ttl, self.protocol, 0, 0]);
        octets.extend(self.source.octets());
        octets.extend(self.destination.octets());
        octets.extend(self.options.as_slice());
        refresh_checksum(&mut octets);
        out.append(&mut octets);
    }
}

/// Writes the checksum of the header at the start of `packet`.
pub fn refresh_checksum(packet: &mut [u8]) {
    let Some(header_len) = packet.first().map(|first| usize::from(first & 0xf) * 4) else { return };
    let Some(header) = packet.get_mut(..header_len) else { return };
    if let Some(field) = header.get_mut(10..12) {
        field.fill(0);
    }
    let checksum = checksum::of(header);
    if let Some(field) = header.get_mut(10..12) {
        field.copy_from_slice(&checksum.to_be_bytes());
    }
}

/// Takes one off the time to live, where it is not zero, and brings the checksum up to date.
pub fn decrement_ttl(packet: &mut [u8]) {
    if let Some([ttl, protocol, high, low]) = packet.get_mut(8..12)
        && *ttl > 0
    {
        let before = u16::from_be_bytes([*ttl, *protocol]);
        *ttl -= 1;
        let after = u16::from_be_bytes([*ttl, *protocol]);
        let checksum = checksum::updated(u16::from_be_bytes([*high, *low]), before, after);
        [*high, *low] = checksum.to_be_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::{HEADER_LEN, Header, Options, decrement_ttl};
    use crate::DecodeError;
    use proptest::prelude::*;

    // The IPv4 header of frame 11 of an FRR 8.4.4 capture: a BFD packet.
    const BFD: [u8; 20] = [
        0x45, 0xc0, 0x00, 0x34, 0x42, 0x31, 0x40, 0x00, 0xff, 0x11, 0x0c, 0xc5, 0x0a, 0x00, 0x0c,
        0x01, 0x0a, 0x00, 0x0c, 0x02,
    ];

    fn bfd() -> Vec<u8> {
        let mut packet = BFD.to_vec();
        packet.resize(0x34 + 6, 0);
        packet
    }

    #[test]
    fn header_of_frr_is_read_and_written_alike() {
        let packet = bfd();
        let (header, payload) = Header::decode(&packet).unwrap();
        assert_eq!((header.ttl, header.protocol, header.traffic_class), (255, 17, 0xc0));
        assert_eq!((header.source.to_string(), header.payload_len), ("10.0.12.1".into(), 32));
        assert!(header.dont_fragment && !header.more_fragments);
        assert_eq!(payload.len(), 32, "padding is trimmed");
        let mut octets = Vec::new();
        header.encode(&mut octets);
        assert_eq!(octets, BFD);
    }

    #[test]
    fn every_truncation_and_each_wrong_field_is_refused() {
        let packet = bfd();
        for len in 0..HEADER_LEN {
            assert!(
                matches!(Header::decode(&packet[..len]), Err(DecodeError::Truncated { at }) if at == len)
            );
        }
        for len in HEADER_LEN..0x34 {
            assert_eq!(Header::decode(&packet[..len]), Err(DecodeError::Length { at: 2 }));
        }
        let cases = [
            (0, 0x65, DecodeError::Version { at: 0 }),
            (0, 0x44, DecodeError::Length { at: 0 }),
            (3, 0x10, DecodeError::Length { at: 2 }),
            (8, 0xfe, DecodeError::Checksum { at: 10 }),
        ];
        for (at, value, error) in cases {
            let mut packet = bfd();
            packet[at] = value;
            assert_eq!(Header::decode(&packet), Err(error));
        }
    }

    #[test]
    fn source_routes_and_unreadable_options_are_found() {
        let cases: [(&[u8], bool); 7] = [
            (&[], false),
            (&[1, 1, 0, 131], false),
            (&[131, 3, 4, 0], true),
            (&[1, 137, 7, 4, 10, 0, 0, 1], true),
            (&[148, 4, 0, 0], false),
            (&[7, 1, 0, 0], true),
            (&[7, 9, 0, 0], true),
        ];
        for (octets, expected) in cases {
            assert_eq!(Options::new(octets).unwrap().source_route(), expected, "{octets:?}");
        }
        assert_eq!(Options::new(&[1; 41]), None);
    }

    fn header() -> impl Strategy<Value = Header> {
        let first = (any::<u8>(), 0_u16..60_000, any::<u16>(), any::<bool>(), any::<bool>());
        let second = (0_u16..0x2000, any::<u8>(), any::<u8>(), any::<[u8; 4]>(), any::<[u8; 4]>());
        (first, second, prop::collection::vec(any::<u8>(), 0..=40)).prop_map(
            |((traffic_class, payload_len, identification, df, mf), second, options)| {
                let (fragment_offset, ttl, protocol, source, destination) = second;
                Header {
                    traffic_class,
                    payload_len,
                    identification,
                    dont_fragment: df,
                    more_fragments: mf,
                    fragment_offset,
                    ttl,
                    protocol,
                    source: source.into(),
                    destination: destination.into(),
                    options: Options::new(&options).unwrap(),
                }
            },
        )
    }

    proptest! {
        #[test]
        fn round_trip(header in header()) {
            let mut packet = Vec::new();
            header.encode(&mut packet);
            packet.resize(packet.len() + usize::from(header.payload_len), 7);
            prop_assert_eq!(Header::decode(&packet).unwrap().0, header);
        }

        #[test]
        fn decremented_headers_still_have_a_right_checksum(header in header()) {
            let mut packet = Vec::new();
            header.encode(&mut packet);
            decrement_ttl(&mut packet);
            packet.resize(packet.len() + usize::from(header.payload_len), 7);
            prop_assert_eq!(Header::decode(&packet).unwrap().0.ttl, header.ttl.saturating_sub(1));
        }

        #[test]
        fn any_octets_are_read_or_refused(bytes: Vec<u8>) {
            let _ = Header::decode(&bytes);
            let _ = Header::decode_quoted(&bytes);
        }
    }
}
