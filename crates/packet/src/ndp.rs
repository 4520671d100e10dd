//! Neighbour discovery: who has this IPv6 address, and at which Ethernet address?
//!
//! Only solicitation and advertisement are needed between routers and their neighbours. Whoever
//! reads one has checked that the packet's hop limit is 255, which shows that it was sent on the
//! link (RFC 4861 §7.1).
//!
//! Standards: RFC 4861 §4.3, §4.4, §4.6.1 (messages and link-layer options), §7.1 (validation).
//! Not implemented: router solicitation and advertisement, redirect; SEND (RFC 3971).

use core::net::Ipv6Addr;

use base::MacAddr;

use crate::checksum::Checksum;
use crate::error::{octet, octets, rest};
use crate::{DecodeError, icmp};

/// The ICMPv6 types of neighbour discovery, from router solicitation to redirect.
pub const TYPES: core::ops::RangeInclusive<u8> = 133..=137;
/// The hop limit that every message must have.
pub const HOP_LIMIT: u8 = 255;

const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const FIXED_LEN: usize = 24;
const OPTION_SOURCE_LINK_LAYER: u8 = 1;
const OPTION_TARGET_LINK_LAYER: u8 = 2;

/// A message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// Asks for the target's Ethernet address.
    Solicitation {
        /// Whose address is asked for.
        target: Ipv6Addr,
        /// The asker's Ethernet address, absent while it checks its own address.
        link_layer: Option<MacAddr>,
    },
    /// Tells it.
    Advertisement {
        /// Whether the sender is a router.
        router: bool,
        /// Whether it was asked for.
        solicited: bool,
        /// Whether it replaces what is known.
        override_known: bool,
        /// Whose address is told.
        target: Ipv6Addr,
        /// The target's Ethernet address.
        link_layer: Option<MacAddr>,
    },
}

impl Message {
    /// Reads the ICMPv6 message of a packet between these addresses.
    pub fn decode(
        source: Ipv6Addr,
        destination: Ipv6Addr,
        bytes: &[u8],
    ) -> Result<Self, DecodeError> {
        let options = rest(bytes, FIXED_LEN)?;
        let mut checksum =
            Checksum::pseudo(source.into(), destination.into(), icmp::PROTOCOL_V6, bytes.len());
        checksum.add(bytes);
        if checksum.value() != 0 {
            return Err(DecodeError::Checksum { at: 2 });
        }
        if octet(bytes, 1)? != 0 {
            return Err(DecodeError::Value { at: 1 });
        }
        let target = Ipv6Addr::from(octets::<16>(bytes, 8)?);
        if target.is_multicast() {
            return Err(DecodeError::Value { at: 8 });
        }
        match octet(bytes, 0)? {
            SOLICITATION => {
                let link_layer = link_layer_option(options, OPTION_SOURCE_LINK_LAYER)?;
                Ok(Self::Solicitation { target, link_layer })
            }
            ADVERTISEMENT => {
                let flags = octet(bytes, 4)?;
                Ok(Self::Advertisement {
                    router: flags & 0x80 != 0,
                    solicited: flags & 0x40 != 0,
                    override_known: flags & 0x20 != 0,
                    target,
                    link_layer: link_layer_option(options, OPTION_TARGET_LINK_LAYER)?,
                })
            }
            _ => Err(DecodeError::Value { at: 0 }),
        }
    }

    /// The octets of the message with its checksum.
    #[must_use]
    pub fn encode(&self, source: Ipv6Addr, destination: Ipv6Addr) -> Vec<u8> {
        let (kind, flags, target, option, link_layer) = match *self {
            Self::Solicitation { target, link_layer } => {
                (SOLICITATION, 0, target, OPTION_SOURCE_LINK_LAYER, link_layer)
            }
            Self::Advertisement { router, solicited, override_known, target, link_layer } => {
                let flags = u8::from(router) << 7
                    | u8::from(solicited) << 6
                    | u8::from(override_known) << 5;
                (ADVERTISEMENT, flags, target, OPTION_TARGET_LINK_LAYER, link_layer)
            }
        };
        let mut bytes = vec![kind, 0, 0, 0, flags, 0, 0, 0];
        bytes.extend(target.octets());
        if let Some(mac) = link_layer {
            bytes.extend([option, 1]);
            bytes.extend(mac.0);
        }
        let mut checksum =
            Checksum::pseudo(source.into(), destination.into(), icmp::PROTOCOL_V6, bytes.len());
        checksum.add(&bytes);
        if let Some(field) = bytes.get_mut(2..4) {
            field.copy_from_slice(&checksum.value().to_be_bytes());
        }
        bytes
    }
}

/// The first link-layer option of this type; all options must have a length (RFC 4861 §7.1).
fn link_layer_option(options: &[u8], wanted: u8) -> Result<Option<MacAddr>, DecodeError> {
    let (mut found, mut at) = (None, 0);
    while at < options.len() {
        let [kind, units] = octets(options, at)
            .map_err(|_| DecodeError::Truncated { at: FIXED_LEN + options.len() })?;
        let len = usize::from(units) * 8;
        if len == 0 || at + len > options.len() {
            return Err(DecodeError::Length { at: FIXED_LEN + at + 1 });
        }
        if kind == wanted && len == 8 && found.is_none() {
            found = Some(MacAddr(octets(options, at + 2)?));
        }
        at += len;
    }
    Ok(found)
}

/// The multicast address at which the holder of `target` is asked (RFC 4291 §2.7.1).
#[must_use]
pub fn solicited_node(target: Ipv6Addr) -> Ipv6Addr {
    Ipv6Addr::from_bits(0xff02 << 112 | 1 << 32 | 0xff << 24 | (target.to_bits() & 0xff_ffff))
}

/// The Ethernet address of an IPv6 multicast address (RFC 2464 §7).
#[must_use]
pub const fn multicast_mac(group: Ipv6Addr) -> MacAddr {
    let [.., a, b, c, d] = group.octets();
    MacAddr([0x33, 0x33, a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::{Message, multicast_mac, solicited_node};
    use crate::DecodeError;
    use base::MacAddr;
    use proptest::prelude::*;
    use std::net::Ipv6Addr;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
        digits.chunks(2).map(|pair| octet(pair).unwrap()).collect()
    }

    fn address(text: &str) -> Ipv6Addr {
        text.parse().unwrap()
    }

    // What follows went between two Linux 6.18 hosts, fd00:9::1 and fd00:9::2.
    const SOLICITATION: &str =
        "8700 c9b4 00000000 fd000009000000000000000000000002 0101 f6d81282ac76";
    const ADVERTISEMENT: &str =
        "8800 1f27 60000000 fd000009000000000000000000000002 0201 be4936490ac7";

    #[test]
    fn messages_of_linux_are_read_and_written_alike() {
        let (a, b) = (address("fd00:9::1"), address("fd00:9::2"));
        let solicitation = Message::Solicitation {
            target: b,
            link_layer: Some("f6:d8:12:82:ac:76".parse().unwrap()),
        };
        let group = address("ff02::1:ff00:2");
        assert_eq!(solicited_node(b), group);
        assert_eq!(multicast_mac(group).to_string(), "33:33:ff:00:00:02");
        assert_eq!(Message::decode(a, group, &hex(SOLICITATION)), Ok(solicitation));
        assert_eq!(solicitation.encode(a, group), hex(SOLICITATION));
        let advertisement = Message::Advertisement {
            router: false,
            solicited: true,
            override_known: true,
            target: b,
            link_layer: Some("be:49:36:49:0a:c7".parse().unwrap()),
        };
        assert_eq!(Message::decode(b, a, &hex(ADVERTISEMENT)), Ok(advertisement));
        assert_eq!(advertisement.encode(b, a), hex(ADVERTISEMENT));
    }

    #[test]
    fn probe_with_a_nonce_and_no_link_layer_address_is_read() {
        // A duplicate address check of Linux 6.18: the option of type 14 is passed over.
        let probe = "8700 ded7 00000000 fe80000000000000f4d812fffe82ac76 0e01 81a19580185a";
        let found =
            Message::decode(Ipv6Addr::UNSPECIFIED, address("ff02::1:ff82:ac76"), &hex(probe));
        let target = address("fe80::f4d8:12ff:fe82:ac76");
        assert_eq!(found, Ok(Message::Solicitation { target, link_layer: None }));
    }

    #[test]
    fn every_truncation_and_empty_options_are_refused() {
        let (a, group) = (address("fd00:9::1"), address("ff02::1:ff00:2"));
        let octets = hex(SOLICITATION);
        for len in 0..octets.len() {
            assert!(Message::decode(a, group, &octets[..len]).is_err(), "{len} octets");
        }
        assert_eq!(super::link_layer_option(&[1, 0], 1), Err(DecodeError::Length { at: 25 }));
        assert_eq!(super::link_layer_option(&[1, 2, 0], 1), Err(DecodeError::Length { at: 25 }));
        assert_eq!(super::link_layer_option(&[1], 1), Err(DecodeError::Truncated { at: 25 }));
    }

    proptest! {
        #[test]
        fn round_trip(
            solicit: bool, flags: (bool, bool, bool), target in 0_u128..(0xff << 120),
            mac: Option<[u8; 6]>, pair: (u128, u128),
        ) {
            let (target, link_layer) = (Ipv6Addr::from(target), mac.map(MacAddr));
            let (router, solicited, override_known) = flags;
            let message = if solicit {
                Message::Solicitation { target, link_layer }
            } else {
                Message::Advertisement { router, solicited, override_known, target, link_layer }
            };
            let (source, destination) = (pair.0.into(), pair.1.into());
            let octets = message.encode(source, destination);
            prop_assert_eq!(Message::decode(source, destination, &octets), Ok(message));
        }
    }
}
