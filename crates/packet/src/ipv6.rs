//! The IPv6 header and the chain of extension headers behind it.
//!
//! [`upper_layer`] walks the chain to the protocol that carries ports and notes the fragment and
//! routing headers that it passes: access rules need to know of both.
//!
//! Standards: RFC 8200 §3 (header), §4 (extension headers), RFC 2474, RFC 3168.
//! Not implemented: processing of extension headers, which are passed over; jumbograms
//! (RFC 2675).

use core::net::Ipv6Addr;

use crate::DecodeError;
use crate::error::{number16, number32, octet, octets, rest};

/// The length of the header.
pub const HEADER_LEN: usize = 40;
/// The longest chain that is walked: each kind may come once, destination options twice
/// (RFC 8200 §4.1), and one more does no harm.
pub const EXTENSIONS_MAX: usize = 8;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;

/// An IPv6 header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The differentiated services code point (six bits) and ECN (two).
    pub traffic_class: u8,
    /// The flow label, 20 bits.
    pub flow_label: u32,
    /// The length of what follows the header.
    pub payload_len: u16,
    /// The protocol of the payload or of the first extension header.
    pub next_header: u8,
    /// The time to live.
    pub hop_limit: u8,
    /// From whom.
    pub source: Ipv6Addr,
    /// To whom.
    pub destination: Ipv6Addr,
}

impl Header {
    /// Reads the header and returns the payload, trimmed to its length.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let (header, after) = Self::decode_quoted(bytes)?;
        let payload = after.get(..usize::from(header.payload_len));
        Ok((header, payload.ok_or(DecodeError::Length { at: 4 })?))
    }

    /// Reads a header that an ICMP error quotes: the payload may be cut short.
    pub fn decode_quoted(bytes: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let word = number32(bytes, 0)?;
        if word >> 28 != 6 {
            return Err(DecodeError::Version { at: 0 });
        }
        let [_, class, ..] = (word << 4 >> 8).to_be_bytes();
        let header = Self {
            traffic_class: class,
            flow_label: word & 0xf_ffff,
            payload_len: number16(bytes, 4)?,
            next_header: octet(bytes, 6)?,
            hop_limit: octet(bytes, 7)?,
            source: Ipv6Addr::from(octets::<16>(bytes, 8)?),
            destination: Ipv6Addr::from(octets::<16>(bytes, 24)?),
        };
        Ok((header, rest(bytes, HEADER_LEN)?))
    }

    /// Appends the octets of the header.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let class = u32::from(self.traffic_class) << 20;
        out.extend((6 << 28 | class | (self.flow_label & 0xf_ffff)).to_be_bytes());
        out.extend(self.payload_len.to_be_bytes());
        out.extend([self.next_header, self.hop_limit]);
        out.extend(self.source.octets());
        out.extend(self.destination.octets());
    }
}

/// Takes one off the hop limit where it is not zero.
pub fn decrement_hop_limit(packet: &mut [u8]) {
    if let Some(hop_limit) = packet.get_mut(7) {
        *hop_limit = hop_limit.saturating_sub(1);
    }
}

/// What lies behind the extension headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpperLayer {
    /// Its protocol; of a later fragment, the protocol of the whole packet.
    pub protocol: u8,
    /// Its offset behind the IPv6 header.
    pub offset: usize,
    /// The fragment's place in units of eight octets and whether more follow, where there is a
    /// fragment header.
    pub fragment: Option<(u16, bool)>,
    /// Whether a routing header names a further destination.
    pub source_route: bool,
}

/// Walks the extension headers in `payload`, the first of which is of type `next_header`.
pub fn upper_layer(next_header: u8, payload: &[u8]) -> Result<UpperLayer, DecodeError> {
    let mut found =
        UpperLayer { protocol: next_header, offset: 0, fragment: None, source_route: false };
    for _ in 0..EXTENSIONS_MAX {
        let at = found.offset;
        let len = match found.protocol {
            HOP_BY_HOP | DESTINATION_OPTIONS | ROUTING => {
                8 + usize::from(octet(payload, at + 1)?) * 8
            }
            AUTHENTICATION => 8 + usize::from(octet(payload, at + 1)?) * 4,
            FRAGMENT => 8,
            _ => return Ok(found),
        };
        if found.protocol == ROUTING {
            found.source_route |= octet(payload, at + 3)? != 0;
        }
        let is_fragment = found.protocol == FRAGMENT;
        if is_fragment {
            let field = number16(payload, at + 2)?;
            found.fragment = Some((field >> 3, field & 1 != 0));
        }
        found.protocol = octet(payload, at)?;
        rest(payload, at + len)?;
        found.offset = at + len;
        if is_fragment && found.fragment.is_some_and(|(offset, _)| offset != 0) {
            return Ok(found);
        }
    }
    Err(DecodeError::TooDeep { at: found.offset })
}

#[cfg(test)]
mod tests {
    use super::{Header, UpperLayer, decrement_hop_limit, upper_layer};
    use crate::DecodeError;
    use proptest::prelude::*;

    // An echo request as Linux sends it from fd00:9::1 to fd00:9::2, header only.
    const ECHO: [u8; 40] = [
        0x60, 0x04, 0x22, 0x34, 0x00, 0x10, 0x3a, 0x40, 0xfd, 0x00, 0x00, 0x09, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0xfd, 0x00, 0x00, 0x09, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02,
    ];

    #[test]
    fn header_of_linux_is_read_and_written_alike() {
        let mut packet = ECHO.to_vec();
        packet.resize(40 + 16 + 3, 0);
        let (header, payload) = Header::decode(&packet).unwrap();
        assert_eq!((header.next_header, header.hop_limit), (58, 64));
        assert_eq!(header.flow_label, 0x4_2234);
        assert_eq!(header.destination.to_string(), "fd00:9::2");
        assert_eq!(payload.len(), 16);
        let mut octets = Vec::new();
        header.encode(&mut octets);
        assert_eq!(octets, ECHO);
        decrement_hop_limit(&mut octets);
        assert_eq!(Header::decode_quoted(&octets).unwrap().0.hop_limit, 63);
    }

    #[test]
    fn every_truncation_and_another_version_are_refused() {
        for len in 0..40 {
            assert_eq!(Header::decode(&ECHO[..len]), Err(DecodeError::Truncated { at: len }));
        }
        assert_eq!(Header::decode(&ECHO), Err(DecodeError::Length { at: 4 }));
        let mut packet = ECHO;
        packet[0] = 0x45;
        assert_eq!(Header::decode(&packet), Err(DecodeError::Version { at: 0 }));
    }

    #[test]
    fn extension_headers_are_walked_to_the_transport() {
        let plain =
            |protocol, offset| UpperLayer { protocol, offset, fragment: None, source_route: false };
        assert_eq!(upper_layer(6, &[]), Ok(plain(6, 0)));
        let hop_by_hop = [17, 0, 1, 4, 0, 0, 0, 0, 9];
        assert_eq!(upper_layer(0, &hop_by_hop), Ok(plain(17, 8)));
        let authenticated =
            [6, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(upper_layer(51, &authenticated), Ok(plain(6, 24)));
        let routed = [6, 0, 0, 1, 0, 0, 0, 0];
        assert!(upper_layer(43, &routed).unwrap().source_route);
        for len in 0..8 {
            assert!(upper_layer(43, &routed[..len]).is_err());
        }
    }

    #[test]
    fn later_fragments_end_the_walk_and_first_ones_do_not() {
        let first = [60, 0, 0, 1, 0, 0, 0, 7, 17, 0, 0, 0, 0, 0, 0, 0];
        let found = upper_layer(44, &first).unwrap();
        assert_eq!((found.protocol, found.offset, found.fragment), (17, 16, Some((0, true))));
        let later = [60, 0, 0, 8, 0, 0, 0, 7];
        let found = upper_layer(44, &later).unwrap();
        assert_eq!((found.protocol, found.offset, found.fragment), (60, 8, Some((1, false))));
    }

    #[test]
    fn endless_chains_are_refused() {
        assert_eq!(upper_layer(60, &[60; 9000]), Err(DecodeError::TooDeep { at: 8 * 488 }));
    }

    proptest! {
        #[test]
        fn round_trip(
            (traffic_class, flow_label, payload_len) in (any::<u8>(), 0_u32..0x10_0000, 0_u16..99),
            (next_header, hop_limit) in any::<(u8, u8)>(),
            (source, destination) in any::<(u128, u128)>(),
        ) {
            let header = Header {
                traffic_class, flow_label, payload_len, next_header, hop_limit,
                source: source.into(), destination: destination.into(),
            };
            let mut packet = Vec::new();
            header.encode(&mut packet);
            packet.resize(40 + usize::from(payload_len), 1);
            prop_assert_eq!(Header::decode(&packet).unwrap().0, header);
        }

        #[test]
        fn any_octets_are_walked_or_refused(next_header: u8, bytes: Vec<u8>) {
            if let Ok(found) = upper_layer(next_header, &bytes) {
                prop_assert!(found.offset <= bytes.len());
            }
        }
    }
}
