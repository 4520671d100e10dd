//! Router discovery: which routers are on this IPv6 link, and what is to be known about it?
//!
//! A host that comes up sends a solicitation; routers advertise themselves, the prefixes from which
//! hosts make their addresses, the link's MTU and resolvers of names. Whoever reads a message has
//! checked that the packet's hop limit is 255, which shows that it was sent on the link.
//!
//! Standards: RFC 4861 §4.1, §4.2, §4.6.1, §4.6.2, §4.6.4 (messages and options), §6.1 (validation),
//! RFC 8106 §5.1 (resolvers).
//! Not implemented: search lists (RFC 8106 §5.2), more specific routes and preferences (RFC 4191),
//! redirects.

use core::net::Ipv6Addr;

use base::{Ipv6Prefix, MacAddr};

use crate::DecodeError;
use crate::error::{number16, number32, octet, octets, rest};
use crate::ndp::{self, options};

/// The ICMPv6 type of a solicitation.
pub const SOLICITATION: u8 = 133;
/// The ICMPv6 type of an advertisement.
pub const ADVERTISEMENT: u8 = 134;
/// All nodes of a link.
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// All routers of a link.
pub const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

const SOLICITATION_LEN: usize = 8;
const ADVERTISEMENT_LEN: usize = 16;
const OPTION_PREFIX: u8 = 3;
const OPTION_MTU: u8 = 5;
const OPTION_RDNSS: u8 = 25;
/// Resolvers that one option holds: its length is counted in units of eight octets, 255 at most.
const RESOLVERS_MAX: usize = 127;

/// A host asks for routers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Solicitation {
    /// The asker's Ethernet address; absent where it has no address yet.
    pub link_layer: Option<MacAddr>,
}

/// A prefix of the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrefixInformation {
    /// The prefix.
    pub prefix: Ipv6Prefix,
    /// Whether its addresses are on the link.
    pub on_link: bool,
    /// Whether hosts may make their addresses from it (RFC 4862 §5.5.3).
    pub autonomous: bool,
    /// Seconds that it is valid.
    pub valid: u32,
    /// Seconds that addresses from it are preferred.
    pub preferred: u32,
}

/// A router tells of itself and of the link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advertisement {
    /// The hop limit that hosts are to use; 0: not said.
    pub hop_limit: u8,
    /// Whether addresses are to be had by DHCPv6.
    pub managed: bool,
    /// Whether other settings are to be had by DHCPv6.
    pub other: bool,
    /// Seconds that it is a default router; 0: it is none.
    pub router_lifetime: u16,
    /// Milliseconds that a neighbour counts as reachable; 0: not said.
    pub reachable_time: u32,
    /// Milliseconds between solicitations; 0: not said.
    pub retransmit_time: u32,
    /// The prefixes.
    pub prefixes: Vec<PrefixInformation>,
    /// Resolvers of names; at most 127 are written.
    pub resolvers: Vec<Ipv6Addr>,
    /// Seconds that they may be used.
    pub resolvers_lifetime: u32,
    /// The largest packet on the link.
    pub mtu: Option<u32>,
    /// The router's Ethernet address.
    pub link_layer: Option<MacAddr>,
}

impl Solicitation {
    /// Reads the ICMPv6 message of a packet between these addresses.
    pub fn decode(
        source: Ipv6Addr,
        destination: Ipv6Addr,
        bytes: &[u8],
    ) -> Result<Self, DecodeError> {
        ndp::check(source, destination, bytes, SOLICITATION)?;
        rest(bytes, SOLICITATION_LEN)?;
        let mut link_layer = None;
        for option in options(bytes, SOLICITATION_LEN) {
            let option = option?;
            link_layer = link_layer.or(option.source_link_layer());
        }
        // RFC 4861 §6.1.1: whoever has no address yet cannot be remembered.
        if link_layer.is_some() && source.is_unspecified() {
            return Err(DecodeError::Value { at: SOLICITATION_LEN });
        }
        Ok(Self { link_layer })
    }

    /// The octets of the message with its checksum.
    #[must_use]
    pub fn encode(&self, source: Ipv6Addr, destination: Ipv6Addr) -> Vec<u8> {
        let mut bytes = vec![SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
        put_link_layer(&mut bytes, self.link_layer);
        ndp::fill_checksum(source, destination, &mut bytes);
        bytes
    }
}

impl Advertisement {
    /// Reads the ICMPv6 message of a packet between these addresses.
    pub fn decode(
        source: Ipv6Addr,
        destination: Ipv6Addr,
        bytes: &[u8],
    ) -> Result<Self, DecodeError> {
        ndp::check(source, destination, bytes, ADVERTISEMENT)?;
        rest(bytes, ADVERTISEMENT_LEN)?;
        let flags = octet(bytes, 5)?;
        let mut read = Self {
            hop_limit: octet(bytes, 4)?,
            managed: flags & 0x80 != 0,
            other: flags & 0x40 != 0,
            router_lifetime: number16(bytes, 6)?,
            reachable_time: number32(bytes, 8)?,
            retransmit_time: number32(bytes, 12)?,
            prefixes: Vec::new(),
            resolvers: Vec::new(),
            resolvers_lifetime: 0,
            mtu: None,
            link_layer: None,
        };
        for option in options(bytes, ADVERTISEMENT_LEN) {
            read.take(option?)?;
        }
        Ok(read)
    }

    fn take(&mut self, option: ndp::NdOption<'_>) -> Result<(), DecodeError> {
        let bytes = option.bytes;
        match (option.kind, bytes.len()) {
            (OPTION_PREFIX, 32) => self.prefixes.push(prefix(&option)?),
            (OPTION_MTU, 8) => self.mtu = self.mtu.or(Some(number32(bytes, 4)?)),
            (OPTION_RDNSS, 24..) => {
                let (addresses, odd) = rest(bytes, 8)?.as_chunks::<16>();
                if !odd.is_empty() {
                    return Err(DecodeError::Length { at: option.at + 1 });
                }
                self.resolvers_lifetime = number32(bytes, 4)?;
                self.resolvers.extend(addresses.iter().copied().map(Ipv6Addr::from));
            }
            (OPTION_PREFIX | OPTION_MTU | OPTION_RDNSS, _) => {
                return Err(DecodeError::Length { at: option.at + 1 });
            }
            _ => self.link_layer = self.link_layer.or(option.source_link_layer()),
        }
        Ok(())
    }

    /// The octets of the message with its checksum.
    #[must_use]
    pub fn encode(&self, source: Ipv6Addr, destination: Ipv6Addr) -> Vec<u8> {
        let flags = u8::from(self.managed) << 7 | u8::from(self.other) << 6;
        let mut bytes = vec![ADVERTISEMENT, 0, 0, 0, self.hop_limit, flags];
        bytes.extend(self.router_lifetime.to_be_bytes());
        bytes.extend(self.reachable_time.to_be_bytes());
        bytes.extend(self.retransmit_time.to_be_bytes());
        for one in &self.prefixes {
            let flags = u8::from(one.on_link) << 7 | u8::from(one.autonomous) << 6;
            bytes.extend([OPTION_PREFIX, 4, one.prefix.len(), flags]);
            bytes.extend(one.valid.to_be_bytes());
            bytes.extend(one.preferred.to_be_bytes());
            bytes.extend([0; 4]);
            bytes.extend(one.prefix.addr().octets());
        }
        let resolvers = self.resolvers.get(..RESOLVERS_MAX).unwrap_or(&self.resolvers);
        if !resolvers.is_empty() {
            let units = u8::try_from(1 + 2 * resolvers.len()).unwrap_or(u8::MAX);
            bytes.extend([OPTION_RDNSS, units, 0, 0]);
            bytes.extend(self.resolvers_lifetime.to_be_bytes());
            bytes.extend(resolvers.iter().flat_map(Ipv6Addr::octets));
        }
        if let Some(mtu) = self.mtu {
            bytes.extend([OPTION_MTU, 1, 0, 0]);
            bytes.extend(mtu.to_be_bytes());
        }
        put_link_layer(&mut bytes, self.link_layer);
        ndp::fill_checksum(source, destination, &mut bytes);
        bytes
    }
}

fn put_link_layer(bytes: &mut Vec<u8>, link_layer: Option<MacAddr>) {
    if let Some(mac) = link_layer {
        bytes.extend([ndp::OPTION_SOURCE_LINK_LAYER, 1]);
        bytes.extend(mac.0);
    }
}

fn prefix(option: &ndp::NdOption<'_>) -> Result<PrefixInformation, DecodeError> {
    let bytes = option.bytes;
    let (length, flags) = (octet(bytes, 2)?, octet(bytes, 3)?);
    let address = Ipv6Addr::from(octets::<16>(bytes, 16)?);
    Ok(PrefixInformation {
        prefix: Ipv6Prefix::new(address, length).ok_or(DecodeError::Value { at: option.at + 2 })?,
        on_link: flags & 0x80 != 0,
        autonomous: flags & 0x40 != 0,
        valid: number32(bytes, 4)?,
        preferred: number32(bytes, 8)?,
    })
}

#[cfg(test)]
mod tests {
    use super::{ALL_NODES, ALL_ROUTERS, Advertisement, PrefixInformation, Solicitation};
    use crate::DecodeError;
    use base::{Ipv6Prefix, MacAddr};
    use proptest::prelude::*;
    use std::net::Ipv6Addr;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
        digits.chunks(2).map(|pair| octet(pair).unwrap()).collect()
    }

    // What follows went between Linux 6.18 and radvd 2.19, which said goodbye.
    const SOLICITATION: &str = "8500 592c 00000000 0101 060000000d01";
    const ADVERTISEMENT: &str = "8600 2f0d 40000000 00000000 00000000
        0304 40c0 00015180 00003840 00000000 fd000001000100000000000000000000
        1905 0000 00000000 fd000001000000000000000000000053 fd000001000000000000000000000054
        0501 0000 0000058c 0101 060000000d02";

    fn source() -> Ipv6Addr {
        "fe80::400:ff:fe00:d02".parse().unwrap()
    }

    #[test]
    fn solicitation_of_linux_is_read_and_written_alike() {
        let host = "fe80::400:ff:fe00:d01".parse().unwrap();
        let solicitation = Solicitation { link_layer: Some("06:00:00:00:0d:01".parse().unwrap()) };
        assert_eq!(Solicitation::decode(host, ALL_ROUTERS, &hex(SOLICITATION)), Ok(solicitation));
        assert_eq!(solicitation.encode(host, ALL_ROUTERS), hex(SOLICITATION));
    }

    #[test]
    fn advertisement_of_radvd_is_read_and_written_alike() {
        let advertisement = Advertisement {
            hop_limit: 64,
            managed: false,
            other: false,
            router_lifetime: 0,
            reachable_time: 0,
            retransmit_time: 0,
            prefixes: vec![PrefixInformation {
                prefix: "fd00:1:1::/64".parse().unwrap(),
                on_link: true,
                autonomous: true,
                valid: 86_400,
                preferred: 14_400,
            }],
            resolvers: vec!["fd00:1::53".parse().unwrap(), "fd00:1::54".parse().unwrap()],
            resolvers_lifetime: 0,
            mtu: Some(1420),
            link_layer: Some("06:00:00:00:0d:02".parse().unwrap()),
        };
        let octets = hex(ADVERTISEMENT);
        let found = Advertisement::decode(source(), ALL_NODES, &octets);
        assert_eq!(found.as_ref(), Ok(&advertisement));
        assert_eq!(advertisement.encode(source(), ALL_NODES), octets);
    }

    #[test]
    fn a_solicitation_from_nobody_that_names_a_station_is_refused() {
        let named = Solicitation { link_layer: Some(MacAddr([6, 0, 0, 0, 0, 1])) };
        let nobody = Ipv6Addr::UNSPECIFIED;
        let found = Solicitation::decode(nobody, ALL_ROUTERS, &named.encode(nobody, ALL_ROUTERS));
        assert_eq!(found, Err(DecodeError::Value { at: 8 }));
        let plain = Solicitation { link_layer: None };
        let octets = plain.encode(nobody, ALL_ROUTERS);
        assert_eq!(Solicitation::decode(nobody, ALL_ROUTERS, &octets), Ok(plain));
    }

    #[test]
    fn every_truncation_and_every_changed_octet_are_refused() {
        let octets = hex(ADVERTISEMENT);
        for len in 0..octets.len() {
            let found = Advertisement::decode(source(), ALL_NODES, &octets[..len]);
            assert!(found.is_err(), "{len} octets");
        }
        for at in 0..octets.len() {
            let mut changed = octets.clone();
            changed[at] ^= 0x10;
            assert!(Advertisement::decode(source(), ALL_NODES, &changed).is_err(), "octet {at}");
        }
        let octets = hex(SOLICITATION);
        for len in 0..octets.len() {
            let found = Solicitation::decode(source(), ALL_ROUTERS, &octets[..len]);
            assert!(found.is_err(), "{len} octets");
        }
    }

    proptest! {
        #[test]
        fn round_trip(
            flags: [bool; 4], numbers: (u8, u16, u32, u32, u32), prefixes in
                proptest::collection::vec((any::<u128>(), 0_u8..=128, any::<[u32; 2]>()), 0..4),
            resolvers in proptest::collection::vec(any::<u128>(), 0..4), mtu: Option<u32>,
            mac: Option<[u8; 6]>,
        ) {
            let prefixes = prefixes.into_iter().map(|(address, length, [valid, preferred])| {
                let prefix = Ipv6Prefix::new(address.into(), length).unwrap();
                let [_, _, on_link, autonomous] = flags;
                PrefixInformation { prefix, on_link, autonomous, valid, preferred }
            });
            let resolvers: Vec<Ipv6Addr> = resolvers.into_iter().map(Ipv6Addr::from).collect();
            let advertisement = Advertisement {
                hop_limit: numbers.0,
                managed: flags[0],
                other: flags[1],
                router_lifetime: numbers.1,
                reachable_time: numbers.2,
                retransmit_time: numbers.3,
                prefixes: prefixes.collect(),
                resolvers_lifetime: if resolvers.is_empty() { 0 } else { numbers.4 },
                resolvers,
                mtu,
                link_layer: mac.map(MacAddr),
            };
            let octets = advertisement.encode(source(), ALL_NODES);
            let found = Advertisement::decode(source(), ALL_NODES, &octets);
            prop_assert_eq!(found, Ok(advertisement));
        }
    }
}
