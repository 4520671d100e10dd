//! Address prefixes, with no host bits set: two prefixes are equal exactly when they cover the
//! same addresses.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::serde_as_text;

/// Why a text is not a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParsePrefixError;

impl fmt::Display for ParsePrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not `address/length` with all host bits zero")
    }
}

impl core::error::Error for ParsePrefixError {}

macro_rules! prefix_type {
    ($name:ident, $addr:ty, $bits:ty, $width:literal, $doc:literal) => {
        #[doc = $doc]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            addr: $addr,
            len: u8,
        }

        impl $name {
            /// The number of bits in an address.
            pub const WIDTH: u8 = $width;

            /// The prefix of `len` bits that covers `addr`, host bits cleared; `None` where `len`
            /// is more than an address has.
            #[must_use]
            pub const fn new(addr: $addr, len: u8) -> Option<Self> {
                if len > $width {
                    return None;
                }
                let addr = <$addr>::from_bits(addr.to_bits() & Self::mask(len));
                Some(Self { addr, len })
            }

            /// The prefix that covers one address.
            #[must_use]
            pub const fn host(addr: $addr) -> Self {
                Self { addr, len: $width }
            }

            const fn mask(len: u8) -> $bits {
                if len == 0 { 0 } else { <$bits>::MAX << ($width - len) }
            }

            /// The first address.
            #[must_use]
            pub const fn addr(self) -> $addr {
                self.addr
            }

            /// The number of leading bits that are fixed.
            #[must_use]
            #[expect(clippy::len_without_is_empty, reason = "a prefix length, not a count")]
            pub const fn len(self) -> u8 {
                self.len
            }

            /// Whether the address is covered.
            #[must_use]
            pub const fn contains(self, addr: $addr) -> bool {
                addr.to_bits() & Self::mask(self.len) == self.addr.to_bits()
            }

            /// Whether every address of `other` is covered.
            #[must_use]
            pub const fn covers(self, other: Self) -> bool {
                self.len <= other.len && self.contains(other.addr)
            }

            /// Whether some address is in both.
            #[must_use]
            pub const fn overlaps(self, other: Self) -> bool {
                self.covers(other) || other.covers(self)
            }

            /// The address `offset` after the first; `None` outside the prefix.
            #[must_use]
            pub fn nth(self, offset: u64) -> Option<$addr> {
                let bits = self.addr.to_bits().checked_add(<$bits>::try_from(offset).ok()?)?;
                let addr = <$addr>::from_bits(bits);
                self.contains(addr).then_some(addr)
            }

            /// The sub-prefix of `len` bits numbered `index` from the first; `None` outside.
            #[must_use]
            pub fn subnet(self, len: u8, index: u64) -> Option<Self> {
                if len < self.len || len > $width {
                    return None;
                }
                let step = <$bits>::try_from(index).ok()?.checked_shl(u32::from($width - len));
                let step = if len == 0 { (index == 0).then_some(0)? } else { step? };
                if u32::from(len) < <$bits>::BITS - <$bits>::try_from(index).ok()?.leading_zeros() {
                    return None;
                }
                let addr = <$addr>::from_bits(self.addr.to_bits().checked_add(step)?);
                self.contains(addr).then_some(Self { addr, len })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}/{}", self.addr, self.len)
            }
        }

        impl FromStr for $name {
            type Err = ParsePrefixError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let (addr, len) = text.split_once('/').ok_or(ParsePrefixError)?;
                let addr: $addr = addr.parse().map_err(|_| ParsePrefixError)?;
                let len = len.parse().map_err(|_| ParsePrefixError)?;
                let prefix = Self::new(addr, len).ok_or(ParsePrefixError)?;
                if prefix.addr == addr { Ok(prefix) } else { Err(ParsePrefixError) }
            }
        }

        serde_as_text!($name);
    };
}

prefix_type!(Ipv4Prefix, Ipv4Addr, u32, 32, "An IPv4 prefix.");
prefix_type!(Ipv6Prefix, Ipv6Addr, u128, 128, "An IPv6 prefix.");

/// A prefix of either family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Prefix {
    /// IPv4.
    V4(Ipv4Prefix),
    /// IPv6.
    V6(Ipv6Prefix),
}

impl Prefix {
    /// The prefix of `len` bits that covers `addr`; `None` where `len` is too long.
    #[must_use]
    pub fn new(addr: IpAddr, len: u8) -> Option<Self> {
        match addr {
            IpAddr::V4(addr) => Ipv4Prefix::new(addr, len).map(Self::V4),
            IpAddr::V6(addr) => Ipv6Prefix::new(addr, len).map(Self::V6),
        }
    }

    /// The prefix that covers one address.
    #[must_use]
    pub const fn host(addr: IpAddr) -> Self {
        match addr {
            IpAddr::V4(addr) => Self::V4(Ipv4Prefix::host(addr)),
            IpAddr::V6(addr) => Self::V6(Ipv6Prefix::host(addr)),
        }
    }

    /// The first address.
    #[must_use]
    pub const fn addr(self) -> IpAddr {
        match self {
            Self::V4(prefix) => IpAddr::V4(prefix.addr()),
            Self::V6(prefix) => IpAddr::V6(prefix.addr()),
        }
    }

    /// The number of leading bits that are fixed.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a prefix length, not a count")]
    pub const fn len(self) -> u8 {
        match self {
            Self::V4(prefix) => prefix.len(),
            Self::V6(prefix) => prefix.len(),
        }
    }

    /// Whether the address is covered; never across families.
    #[must_use]
    pub const fn contains(self, addr: IpAddr) -> bool {
        match (self, addr) {
            (Self::V4(prefix), IpAddr::V4(addr)) => prefix.contains(addr),
            (Self::V6(prefix), IpAddr::V6(addr)) => prefix.contains(addr),
            (Self::V4(_), IpAddr::V6(_)) | (Self::V6(_), IpAddr::V4(_)) => false,
        }
    }

    /// Whether every address of `other` is covered; never across families.
    #[must_use]
    pub const fn covers(self, other: Self) -> bool {
        self.len() <= other.len() && self.contains(other.addr())
    }

    /// Whether some address is in both.
    #[must_use]
    pub const fn overlaps(self, other: Self) -> bool {
        self.covers(other) || other.covers(self)
    }

    /// The address `offset` after the first; `None` outside the prefix.
    #[must_use]
    pub fn nth(self, offset: u64) -> Option<IpAddr> {
        match self {
            Self::V4(prefix) => prefix.nth(offset).map(IpAddr::V4),
            Self::V6(prefix) => prefix.nth(offset).map(IpAddr::V6),
        }
    }
}

impl From<Ipv4Prefix> for Prefix {
    fn from(prefix: Ipv4Prefix) -> Self {
        Self::V4(prefix)
    }
}

impl From<Ipv6Prefix> for Prefix {
    fn from(prefix: Ipv6Prefix) -> Self {
        Self::V6(prefix)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(prefix) => prefix.fmt(f),
            Self::V6(prefix) => prefix.fmt(f),
        }
    }
}

impl FromStr for Prefix {
    type Err = ParsePrefixError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains(':') { text.parse().map(Self::V6) } else { text.parse().map(Self::V4) }
    }
}

serde_as_text!(Prefix);

#[cfg(test)]
mod tests {
    use super::{Ipv4Prefix, Ipv6Prefix, Prefix};

    fn v4(text: &str) -> Ipv4Prefix {
        text.parse().unwrap()
    }

    #[test]
    fn text_round_trips_and_host_bits_are_refused() {
        for text in ["0.0.0.0/0", "10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32", "::/0"] {
            assert_eq!(text.parse::<Prefix>().unwrap().to_string(), text);
        }
        for text in ["10.0.0.1/8", "10.0.0.0/33", "10.0.0.0", "2001:db8::1/64", "x/8", "1/1"] {
            assert!(text.parse::<Prefix>().is_err(), "{text}");
        }
    }

    #[test]
    fn covering_and_overlap() {
        assert!(v4("10.0.0.0/8").covers(v4("10.1.0.0/16")));
        assert!(!v4("10.1.0.0/16").covers(v4("10.0.0.0/8")));
        assert!(v4("10.1.0.0/16").overlaps(v4("10.0.0.0/8")));
        assert!(!v4("10.1.0.0/16").overlaps(v4("10.2.0.0/16")));
        let other: Prefix = "::/0".parse().unwrap();
        assert!(!other.overlaps(v4("0.0.0.0/0").into()));
    }

    #[test]
    fn subnets_and_addresses_stay_inside() {
        assert_eq!(v4("10.0.0.0/8").subnet(24, 1), Some(v4("10.0.1.0/24")));
        assert_eq!(v4("10.0.0.0/8").subnet(24, 65_535), Some(v4("10.255.255.0/24")));
        assert_eq!(v4("10.0.0.0/8").subnet(24, 65_536), None);
        assert_eq!(v4("10.0.0.0/8").subnet(4, 0), None);
        assert_eq!(v4("0.0.0.0/0").subnet(0, 0), Some(v4("0.0.0.0/0")));
        assert_eq!(v4("0.0.0.0/0").subnet(0, 1), None);
        assert_eq!(v4("0.0.0.0/0").subnet(32, u64::from(u32::MAX)), Some(v4("255.255.255.255/32")));
        assert_eq!(v4("0.0.0.0/0").subnet(8, 1 << 24), None);
        assert_eq!(v4("192.0.2.0/30").nth(3).unwrap().to_string(), "192.0.2.3");
        assert_eq!(v4("192.0.2.0/30").nth(4), None);
        let v6: Ipv6Prefix = "fd00::/48".parse().unwrap();
        assert_eq!(v6.subnet(64, 0x1_0000), None);
        assert_eq!(v6.subnet(64, 0xffff).unwrap().to_string(), "fd00:0:0:ffff::/64");
    }
}
