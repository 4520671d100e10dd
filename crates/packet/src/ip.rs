//! A packet of either IP version, read as deep as forwarding, access rules and answers need.
//!
//! [`Packet`] says where the upper layer begins and what it is, and which part of it a fragment
//! holds; [`Packet::ports`] reads the ports from it.
//!
//! Standards: RFC 791, RFC 8200.
//! Not implemented: reassembly.

use core::net::IpAddr;

use crate::error::octet;
use crate::{DecodeError, ipv4, ipv6, tcp, udp};

/// Which part of a packet this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fragment {
    /// All of it.
    Whole,
    /// The first fragment: it begins with the upper layer's header.
    First,
    /// A later one, which has no upper layer header.
    Later,
}

/// What an IP packet says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// From whom.
    pub source: IpAddr,
    /// To whom.
    pub destination: IpAddr,
    /// The differentiated services code point (six bits) and ECN (two).
    pub traffic_class: u8,
    /// The time to live or hop limit.
    pub ttl: u8,
    /// The protocol of the upper layer.
    pub protocol: u8,
    /// Where the upper layer begins.
    pub upper: usize,
    /// The length of the packet, headers included.
    pub len: usize,
    /// Which part of a packet this is.
    pub fragment: Fragment,
    /// Whether a router must not fragment it: always so in IPv6.
    pub dont_fragment: bool,
    /// Whether it names destinations besides the one in its header.
    pub source_route: bool,
}

const fn fragment(offset: u16, more: bool) -> Fragment {
    match (offset, more) {
        (0, false) => Fragment::Whole,
        (0, true) => Fragment::First,
        (_, _) => Fragment::Later,
    }
}

impl Packet {
    /// Reads the headers of a packet.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        match octet(bytes, 0)? >> 4 {
            4 => Ok(Self::of_v4(&ipv4::Header::decode(bytes)?.0)),
            6 => {
                let (header, payload) = ipv6::Header::decode(bytes)?;
                Self::of_v6(&header, payload)
            }
            _ => Err(DecodeError::Version { at: 0 }),
        }
    }

    /// Reads the headers of a packet that an ICMP error quotes: its end may be missing.
    pub fn decode_quoted(bytes: &[u8]) -> Result<Self, DecodeError> {
        match octet(bytes, 0)? >> 4 {
            4 => Ok(Self::of_v4(&ipv4::Header::decode_quoted(bytes)?.0)),
            6 => {
                let (header, payload) = ipv6::Header::decode_quoted(bytes)?;
                Self::of_v6(&header, payload)
            }
            _ => Err(DecodeError::Version { at: 0 }),
        }
    }

    fn of_v4(header: &ipv4::Header) -> Self {
        Self {
            source: header.source.into(),
            destination: header.destination.into(),
            traffic_class: header.traffic_class,
            ttl: header.ttl,
            protocol: header.protocol,
            upper: header.len(),
            len: header.len() + usize::from(header.payload_len),
            fragment: fragment(header.fragment_offset, header.more_fragments),
            dont_fragment: header.dont_fragment,
            source_route: header.options.source_route(),
        }
    }

    fn of_v6(header: &ipv6::Header, payload: &[u8]) -> Result<Self, DecodeError> {
        let upper = ipv6::upper_layer(header.next_header, payload)?;
        let (offset, more) = upper.fragment.unwrap_or((0, false));
        Ok(Self {
            source: header.source.into(),
            destination: header.destination.into(),
            traffic_class: header.traffic_class,
            ttl: header.hop_limit,
            protocol: upper.protocol,
            upper: ipv6::HEADER_LEN + upper.offset,
            len: ipv6::HEADER_LEN + usize::from(header.payload_len),
            fragment: fragment(offset, more),
            dont_fragment: true,
            source_route: upper.source_route,
        })
    }

    /// The upper layer's octets of the packet that was read from `bytes`.
    #[must_use]
    pub fn payload<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(self.upper..self.len.min(bytes.len())).unwrap_or_default()
    }

    /// The source and destination ports of TCP and UDP, except in a later fragment.
    #[must_use]
    pub fn ports(&self, bytes: &[u8]) -> Option<(u16, u16)> {
        if !matches!(self.protocol, tcp::PROTOCOL | udp::PROTOCOL)
            || self.fragment == Fragment::Later
        {
            return None;
        }
        let [a, b, c, d] = *self.payload(bytes).first_chunk()?;
        Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
    }
}

/// A packet without options or extension headers around an upper layer's octets; `None` where
/// the addresses are of two families or the octets are more than a packet holds.
#[must_use]
pub fn encode(
    (source, destination): (IpAddr, IpAddr),
    protocol: u8,
    (traffic_class, ttl): (u8, u8),
    upper: &[u8],
) -> Option<Vec<u8>> {
    let mut packet = Vec::with_capacity(ipv6::HEADER_LEN + upper.len());
    let payload_len = u16::try_from(upper.len()).ok()?;
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let header = ipv4::Header {
                traffic_class,
                payload_len,
                identification: 0,
                dont_fragment: true,
                more_fragments: false,
                fragment_offset: 0,
                ttl,
                protocol,
                source,
                destination,
                options: ipv4::Options::NONE,
            };
            if upper.len() + header.len() > usize::from(u16::MAX) {
                return None;
            }
            header.encode(&mut packet);
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => ipv6::Header {
            traffic_class,
            flow_label: 0,
            payload_len,
            next_header: protocol,
            hop_limit: ttl,
            source,
            destination,
        }
        .encode(&mut packet),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return None,
    }
    packet.extend(upper);
    Some(packet)
}

#[cfg(test)]
mod tests {
    use super::{Fragment, Packet, encode};
    use crate::udp;
    use proptest::prelude::*;
    use std::net::IpAddr;

    // A datagram `abc` from 10.9.0.1 port 35769 to 10.9.0.2 port 9999 as Linux 6.18 sends it.
    const DATAGRAM: [u8; 31] = [
        0x45, 0x00, 0x00, 0x1f, 0x04, 0x37, 0x40, 0x00, 0x40, 0x11, 0x22, 0x83, 0x0a, 0x09, 0x00,
        0x01, 0x0a, 0x09, 0x00, 0x02, 0x8b, 0xb9, 0x27, 0x0f, 0x00, 0x0b, 0x14, 0x31, 0x61, 0x62,
        0x63,
    ];

    #[test]
    fn datagram_of_linux_is_read_to_its_ports() {
        let packet = Packet::decode(&DATAGRAM).unwrap();
        assert_eq!(packet.ports(&DATAGRAM), Some((35_769, 9999)));
        assert_eq!((packet.upper, packet.len, packet.ttl), (20, 31, 64));
        assert_eq!((packet.fragment, packet.dont_fragment), (Fragment::Whole, true));
        assert_eq!(packet.payload(&DATAGRAM).len(), 11);
    }

    #[test]
    fn quoted_packets_may_end_after_the_ports() {
        assert!(Packet::decode(&DATAGRAM[..28]).is_err());
        let quoted = Packet::decode_quoted(&DATAGRAM[..24]).unwrap();
        assert_eq!(quoted.ports(&DATAGRAM[..24]), Some((35_769, 9999)));
        assert_eq!(quoted.ports(&DATAGRAM[..23]), None);
        for len in 0..20 {
            assert!(Packet::decode_quoted(&DATAGRAM[..len]).is_err());
        }
    }

    proptest! {
        #[test]
        fn packets_of_both_versions_round_trip(
            v6: bool, pair: (u128, u128), ports: (u16, u16), class: u8, ttl: u8, data: Vec<u8>,
        ) {
            let address = |bits: u128| -> IpAddr {
                if v6 {
                    return std::net::Ipv6Addr::from(bits).into();
                }
                std::net::Ipv4Addr::from(u32::try_from(bits >> 96).unwrap()).into()
            };
            let (source, destination) = (address(pair.0), address(pair.1));
            let upper = udp::encode((source, ports.0), (destination, ports.1), &data);
            let bytes = encode((source, destination), 17, (class, ttl), &upper).unwrap();
            let packet = Packet::decode(&bytes).unwrap();
            prop_assert_eq!((packet.source, packet.destination), (source, destination));
            prop_assert_eq!((packet.traffic_class, packet.ttl, packet.protocol), (class, ttl, 17));
            prop_assert_eq!(packet.ports(&bytes), Some(ports));
            prop_assert_eq!(packet.payload(&bytes), upper);
        }

        #[test]
        fn any_octets_are_read_or_refused(first in 0x40_u8..0x70, bytes: Vec<u8>) {
            let mut bytes = bytes;
            bytes.insert(0, first);
            for packet in [Packet::decode(&bytes), Packet::decode_quoted(&bytes)].into_iter().flatten()
            {
                let _ = packet.ports(&bytes);
                prop_assert!(packet.payload(&bytes).len() <= bytes.len());
            }
        }
    }
}
