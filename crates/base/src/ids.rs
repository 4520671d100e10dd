//! Identifiers: one newtype per kind of number, so that none is taken for another.

use core::fmt;
use core::net::Ipv4Addr;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// A port of one router, numbered from 0 without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PortId(pub u32);

/// A VRF of one router, numbered from 0 without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VrfId(pub u32);

/// An autonomous system number of four octets (RFC 6793).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AsNumber(pub u32);

/// A router's identifier in BGP and in IS-IS (RFC 6286, RFC 7981): four octets, not an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RouterId(pub Ipv4Addr);

impl fmt::Display for PortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "port {}", self.0)
    }
}

impl fmt::Display for VrfId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vrf {}", self.0)
    }
}

impl fmt::Display for AsNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for RouterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An MPLS label value: 20 bits (RFC 3032 §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Label(u32);

impl Label {
    /// IPv4 explicit null (RFC 3032 §2.1).
    pub const EXPLICIT_NULL_V4: Self = Self(0);
    /// IPv6 explicit null (RFC 3032 §2.1).
    pub const EXPLICIT_NULL_V6: Self = Self(2);
    /// Implicit null: never on the wire, asks for penultimate-hop popping (RFC 3032 §2.1).
    pub const IMPLICIT_NULL: Self = Self(3);
    /// The first label that is not reserved (RFC 7274).
    pub const FIRST_FREE: Self = Self(16);
    /// The largest label.
    pub const MAX: Self = Self(0xf_ffff);

    /// The label of this value; `None` over 20 bits.
    #[must_use]
    pub const fn new(value: u32) -> Option<Self> {
        if value <= Self::MAX.0 { Some(Self(value)) } else { None }
    }

    /// The lower 20 bits of `value` as a label.
    #[must_use]
    pub const fn masked(value: u32) -> Self {
        Self(value & Self::MAX.0)
    }

    /// The value, at most 20 bits.
    #[must_use]
    pub const fn value(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a label has its meaning (RFC 3031 §3.14, RFC 5331).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelSpace {
    /// The router's own space, met on every core link.
    Platform,
    /// The space of one uplink: only what was advertised there is accepted there.
    Port(PortId),
}

/// An Ethernet address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// All stations.
    pub const BROADCAST: Self = Self([0xff; 6]);
    /// All intermediate systems on a point-to-point link (ISO 10589 §8.4.8, RFC 5309).
    pub const ALL_IS: Self = Self([0x09, 0x00, 0x2b, 0x00, 0x00, 0x05]);

    /// Whether it addresses a group of stations.
    #[must_use]
    pub const fn is_multicast(self) -> bool {
        self.0[0] & 1 != 0
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// An IS-IS system identifier of six octets, written `0100.6400.0001`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SystemId(pub [u8; 6]);

impl fmt::Display for SystemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}{b:02x}.{c:02x}{d:02x}.{e:02x}{g:02x}")
    }
}

/// Why a text is not an address of six octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseOctetsError;

impl fmt::Display for ParseOctetsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not six octets in hexadecimal")
    }
}

impl core::error::Error for ParseOctetsError {}

fn six_octets(text: &str, separator: char, octets_per_group: usize) -> Option<[u8; 6]> {
    let mut octets = [0; 6];
    let mut slots = octets.iter_mut();
    for group in text.split(separator) {
        let hexadecimal = group.bytes().all(|byte| byte.is_ascii_hexdigit());
        if group.len() != 2 * octets_per_group || !hexadecimal {
            return None;
        }
        for start in (0..group.len()).step_by(2) {
            let octet = u8::from_str_radix(group.get(start..start + 2)?, 16).ok()?;
            *slots.next()? = octet;
        }
    }
    slots.next().is_none().then_some(octets)
}

impl FromStr for MacAddr {
    type Err = ParseOctetsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        six_octets(text, ':', 1).map(Self).ok_or(ParseOctetsError)
    }
}

impl FromStr for SystemId {
    type Err = ParseOctetsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        six_octets(text, '.', 2).map(Self).ok_or(ParseOctetsError)
    }
}

macro_rules! serde_as_text {
    ($($name:ty),+) => {$(
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}
pub(crate) use serde_as_text;

serde_as_text!(MacAddr, SystemId);

#[cfg(test)]
mod tests {
    use super::{Label, MacAddr, SystemId};

    #[test]
    fn labels_are_twenty_bits() {
        assert_eq!(Label::new(0x10_0000), None);
        assert_eq!(Label::new(0xf_ffff), Some(Label::MAX));
        assert_eq!(Label::masked(0x80_0000).value(), 0);
    }

    #[test]
    fn addresses_read_back_what_they_print() {
        let mac = MacAddr([2, 0, 0x5e, 0xff, 0, 1]);
        assert_eq!(mac.to_string().parse(), Ok(mac));
        let system = SystemId([1, 0, 0x64, 0, 0, 1]);
        assert_eq!(system.to_string(), "0100.6400.0001");
        assert_eq!(system.to_string().parse(), Ok(system));
    }

    #[test]
    fn malformed_addresses_are_refused() {
        for text in ["", "02:00", "02:00:00:00:00:00:00", "0g:00:00:00:00:00", "+1:00:00:00:00:00"]
        {
            assert!(text.parse::<MacAddr>().is_err(), "{text}");
        }
        assert!("0100.64000.001".parse::<SystemId>().is_err());
    }
}
