//! The IP packet between the tunnel and GRE.
//!
//! WireGuard carries IP packets and nothing else, so a GRE header and its payload travel under an
//! IP header between two addresses that only the two ends of the link use: what Linux makes of a
//! GRE interface over a WireGuard interface.
//!
//! The class of what is inside is not known here, so the class field is zero: the underlay treats
//! all packets of the link alike and keeps their order.
//!
//! Standards: RFC 2784 §3 (IP protocol 47), RFC 7676 §3.1 (GRE over IPv6), RFC 6864 §4 (a new
//! identification for each packet that may be fragmented).
//! Not implemented: reassembly; the class of the payload in the outer header (RFC 2983).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use packet::{ip, ipv4, ipv6};

use super::refused::RefusedReason;

const PROTOCOL_GRE: u8 = 47;
/// No router lies between the ends that could count it down.
const TTL: u8 = 255;

/// The pair of addresses of one family.
#[derive(Debug, Clone, Copy)]
enum Ends {
    V4 { local: Ipv4Addr, remote: Ipv4Addr },
    V6 { local: Ipv6Addr, remote: Ipv6Addr },
}

/// Puts GRE into IP packets between two addresses, and takes it out.
#[derive(Debug)]
pub(super) struct Encapsulation {
    ends: Ends,
    identification: u16,
}

impl Encapsulation {
    /// `None` where the addresses are of two families.
    pub(super) const fn new(local: IpAddr, remote: IpAddr) -> Option<Self> {
        let ends = match (local, remote) {
            (IpAddr::V4(local), IpAddr::V4(remote)) => Ends::V4 { local, remote },
            (IpAddr::V6(local), IpAddr::V6(remote)) => Ends::V6 { local, remote },
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return None,
        };
        Some(Self { ends, identification: 0 })
    }

    /// Writes the packet that carries `gre`, which is shorter than what a packet holds.
    pub(super) fn wrap(&mut self, gre: &[u8], packet: &mut Vec<u8>) {
        packet.clear();
        let payload_len = u16::try_from(gre.len()).unwrap_or(u16::MAX);
        match self.ends {
            Ends::V4 { local, remote } => {
                self.identification = self.identification.wrapping_add(1);
                let header = ipv4::Header {
                    traffic_class: 0,
                    payload_len,
                    identification: self.identification,
                    dont_fragment: false,
                    more_fragments: false,
                    fragment_offset: 0,
                    ttl: TTL,
                    protocol: PROTOCOL_GRE,
                    source: local,
                    destination: remote,
                    options: ipv4::Options::NONE,
                };
                header.encode(packet);
            }
            Ends::V6 { local, remote } => {
                let header = ipv6::Header {
                    traffic_class: 0,
                    flow_label: 0,
                    payload_len,
                    next_header: PROTOCOL_GRE,
                    hop_limit: TTL,
                    source: local,
                    destination: remote,
                };
                header.encode(packet);
            }
        }
        packet.extend_from_slice(gre);
    }

    /// The GRE header and payload in a packet from the far end.
    pub(super) fn unwrap<'a>(&self, packet: &'a [u8]) -> Result<&'a [u8], RefusedReason> {
        let header = ip::Packet::decode(packet).map_err(|_| RefusedReason::NotIp)?;
        let ends: (IpAddr, IpAddr) = match self.ends {
            Ends::V4 { local, remote } => (remote.into(), local.into()),
            Ends::V6 { local, remote } => (remote.into(), local.into()),
        };
        if (header.source, header.destination) != ends {
            return Err(RefusedReason::WrongAddress);
        }
        if header.fragment != ip::Fragment::Whole {
            return Err(RefusedReason::Fragment);
        }
        if header.protocol != PROTOCOL_GRE {
            return Err(RefusedReason::NotGre);
        }
        Ok(header.payload(packet))
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use packet::ipv4;

    use super::Encapsulation;
    use crate::secure::RefusedReason;

    // An MPLS label over four octets.
    const GRE: [u8; 12] = *b"\x00\x00\x88\x47\x03\xe8\x11\xff\xde\xad\xbe\xef";

    fn ends(local: &str, remote: &str) -> Encapsulation {
        Encapsulation::new(local.parse().unwrap(), remote.parse().unwrap()).unwrap()
    }

    #[test]
    fn what_one_end_wraps_the_other_unwraps_in_both_families() {
        for (one, other) in [("10.255.0.1", "10.255.0.2"), ("fd00::1", "fd00::2")] {
            let (mut here, there) = (ends(one, other), ends(other, one));
            let mut packet = Vec::new();
            here.wrap(&GRE, &mut packet);
            assert_eq!(there.unwrap(&packet), Ok(GRE.as_slice()));
            assert_eq!(here.unwrap(&packet), Err(RefusedReason::WrongAddress));
            packet.extend([0; 12]);
            assert_eq!(there.unwrap(&packet), Ok(GRE.as_slice()), "padding is dropped");
        }
    }

    #[test]
    fn header_is_that_of_a_fragmentable_tunnel_packet() {
        let mut here = ends("10.255.0.1", "10.255.0.2");
        let mut packet = Vec::new();
        let mut identifications = Vec::new();
        for _ in 0..2 {
            here.wrap(&GRE, &mut packet);
            let (header, payload) = ipv4::Header::decode(&packet).unwrap();
            assert_eq!((header.ttl, header.protocol, header.traffic_class), (255, 47, 0));
            assert!(!header.dont_fragment);
            assert_eq!(payload, GRE);
            identifications.push(header.identification);
        }
        assert_ne!(identifications[0], identifications[1]);
    }

    fn packet(change: impl FnOnce(&mut ipv4::Header)) -> Vec<u8> {
        let mut header = ipv4::Header {
            traffic_class: 0,
            payload_len: 12,
            identification: 7,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
            ttl: 64,
            protocol: 47,
            source: "10.255.0.2".parse().unwrap(),
            destination: "10.255.0.1".parse().unwrap(),
            options: ipv4::Options::NONE,
        };
        change(&mut header);
        let mut packet = Vec::new();
        header.encode(&mut packet);
        packet.extend(GRE);
        packet
    }

    #[test]
    fn packets_of_any_other_kind_are_refused_by_reason() {
        let here = ends("10.255.0.1", "10.255.0.2");
        let options = ipv4::Options::new(&[148, 4, 0, 0]).unwrap();
        assert_eq!(here.unwrap(&packet(|header| header.options = options)), Ok(GRE.as_slice()));
        let elsewhere = "10.255.0.3".parse().unwrap();
        let cases = [
            (packet(|header| header.source = elsewhere), RefusedReason::WrongAddress),
            (packet(|header| header.destination = elsewhere), RefusedReason::WrongAddress),
            (packet(|header| header.more_fragments = true), RefusedReason::Fragment),
            (packet(|header| header.fragment_offset = 3), RefusedReason::Fragment),
            (packet(|header| header.protocol = 1), RefusedReason::NotGre),
            (packet(|header| header.payload_len = 13), RefusedReason::NotIp),
        ];
        for (packet, reason) in cases {
            assert_eq!(here.unwrap(&packet), Err(reason));
        }
        let whole = packet(|_| ());
        for len in 0..whole.len() {
            assert_eq!(here.unwrap(&whole[..len]), Err(RefusedReason::NotIp));
        }
        let mut changed = whole;
        changed[8] ^= 1;
        assert_eq!(here.unwrap(&changed), Err(RefusedReason::NotIp), "checksum");
    }

    #[test]
    fn addresses_of_two_families_make_no_link() {
        let (v4, v6): (IpAddr, IpAddr) = ("10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap());
        assert!(Encapsulation::new(v4, v6).is_none());
        assert!(Encapsulation::new(v6, v4).is_none());
    }
}
