//! Neighbour discovery: who has this IPv6 address, and at which Ethernet address?
//!
//! Solicitation and advertisement between neighbours are here, those of routers in
//! [`crate::router_discovery`]. Whoever reads one has checked that the packet's hop limit is 255,
//! which shows that it was sent on the link (RFC 4861 §7.1).
//!
//! Standards: RFC 4861 §4.3, §4.4, §4.6.1 (messages and link-layer options), §7.1 (validation).
//! Not implemented: redirect; SEND (RFC 3971).

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
pub(crate) const OPTION_SOURCE_LINK_LAYER: u8 = 1;
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
        rest(bytes, FIXED_LEN)?;
        let kind = octet(bytes, 0)?;
        check(source, destination, bytes, kind)?;
        let target = Ipv6Addr::from(octets::<16>(bytes, 8)?);
        if target.is_multicast() {
            return Err(DecodeError::Value { at: 8 });
        }
        match kind {
            SOLICITATION => {
                let link_layer = link_layer_option(bytes, OPTION_SOURCE_LINK_LAYER)?;
                let to_group = destination == solicited_node(target);
                // RFC 4861 §7.1.1: a check for one's own address asks its holders, from nobody.
                if source.is_unspecified() && (link_layer.is_some() || !to_group) {
                    return Err(DecodeError::Value { at: FIXED_LEN });
                }
                Ok(Self::Solicitation { target, link_layer })
            }
            ADVERTISEMENT => {
                let flags = octet(bytes, 4)?;
                Ok(Self::Advertisement {
                    router: flags & 0x80 != 0,
                    solicited: flags & 0x40 != 0,
                    override_known: flags & 0x20 != 0,
                    target,
                    link_layer: link_layer_option(bytes, OPTION_TARGET_LINK_LAYER)?,
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
        fill_checksum(source, destination, &mut bytes);
        bytes
    }
}

/// Checks what all messages have in common: type, code and checksum.
pub(crate) fn check(
    source: Ipv6Addr,
    destination: Ipv6Addr,
    bytes: &[u8],
    kind: u8,
) -> Result<(), DecodeError> {
    let mut checksum =
        Checksum::pseudo(source.into(), destination.into(), icmp::PROTOCOL_V6, bytes.len());
    checksum.add(bytes);
    if checksum.value() != 0 {
        return Err(DecodeError::Checksum { at: 2 });
    }
    for (at, expected) in [(0, kind), (1, 0)] {
        if octet(bytes, at)? != expected {
            return Err(DecodeError::Value { at });
        }
    }
    Ok(())
}

/// Puts the checksum into a message whose checksum is zero.
pub(crate) fn fill_checksum(source: Ipv6Addr, destination: Ipv6Addr, bytes: &mut [u8]) {
    let mut checksum =
        Checksum::pseudo(source.into(), destination.into(), icmp::PROTOCOL_V6, bytes.len());
    checksum.add(bytes);
    if let Some(field) = bytes.get_mut(2..4) {
        field.copy_from_slice(&checksum.value().to_be_bytes());
    }
}

/// An option of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NdOption<'a> {
    /// Where it begins in its message.
    pub(crate) at: usize,
    pub(crate) kind: u8,
    /// All of it, its type and length included.
    pub(crate) bytes: &'a [u8],
}

impl NdOption<'_> {
    /// The Ethernet address of the sender, where the option tells it.
    pub(crate) fn source_link_layer(&self) -> Option<MacAddr> {
        self.link_layer(OPTION_SOURCE_LINK_LAYER)
    }

    fn link_layer(&self, wanted: u8) -> Option<MacAddr> {
        let is_one = self.kind == wanted && self.bytes.len() == 8;
        octets(self.bytes, 2).ok().filter(|_| is_one).map(MacAddr)
    }
}

/// The options of a message behind its first `at` octets; all must have a length (RFC 4861 §7.1).
pub(crate) fn options(
    bytes: &[u8],
    mut at: usize,
) -> impl Iterator<Item = Result<NdOption<'_>, DecodeError>> {
    core::iter::from_fn(move || {
        if at >= bytes.len() {
            return None;
        }
        let begin = at;
        // After an error there is nothing more to read.
        at = bytes.len();
        Some(octets(bytes, begin).and_then(|[kind, units]| {
            let end = begin + usize::from(units) * 8;
            let option = bytes.get(begin..end).filter(|option| !option.is_empty());
            let option = option.ok_or(DecodeError::Length { at: begin + 1 })?;
            at = end;
            Ok(NdOption { at: begin, kind, bytes: option })
        }))
    })
}

/// The first link-layer option of this type.
fn link_layer_option(bytes: &[u8], wanted: u8) -> Result<Option<MacAddr>, DecodeError> {
    let mut found = None;
    for option in options(bytes, FIXED_LEN) {
        found = found.or(option?.link_layer(wanted));
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
        let found = |options: &[u8]| super::link_layer_option(&[&[0; 24], options].concat(), 1);
        assert_eq!(found(&[1, 0]), Err(DecodeError::Length { at: 25 }));
        assert_eq!(found(&[1, 2, 0]), Err(DecodeError::Length { at: 25 }));
        assert_eq!(found(&[1]), Err(DecodeError::Truncated { at: 25 }));
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
            let (source, destination) = (pair.0.saturating_add(1).into(), pair.1.into());
            let octets = message.encode(source, destination);
            prop_assert_eq!(Message::decode(source, destination, &octets), Ok(message));
        }
    }
}
