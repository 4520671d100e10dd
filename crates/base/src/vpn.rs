//! Route distinguishers and route targets: eight octets each, with one text form.
//!
//! Text: `0:65000:17` (two-octet AS), `1:192.0.2.1:17` (IPv4 address), `2:4200000001:17`
//! (four-octet AS) for a route distinguisher; a route target is written without its type where the
//! administrator tells it: `65000:17`, `192.0.2.1:17`, `4200000001:17`.

use core::fmt;
use core::net::Ipv4Addr;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::serde_as_text;

/// A route distinguisher (RFC 4364 §4.2): type in two octets, then administrator and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteDistinguisher(pub [u8; 8]);

/// A route target (RFC 4360 §4): an extended community with sub-type 2, eight octets on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteTarget(pub [u8; 8]);

/// Why a text is not a route distinguisher or route target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseVpnIdError;

impl fmt::Display for ParseVpnIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not `administrator:number` with an AS number or IPv4 address in front")
    }
}

impl core::error::Error for ParseVpnIdError {}

/// The six octets after the type, for each of the three layouts.
fn body(layout: u8, administrator: &str, number: &str) -> Option<[u8; 6]> {
    let mut octets = [0; 6];
    if layout == 0 {
        let (admin, number) = (administrator.parse::<u16>().ok()?, number.parse::<u32>().ok()?);
        octets[..2].copy_from_slice(&admin.to_be_bytes());
        octets[2..].copy_from_slice(&number.to_be_bytes());
        return Some(octets);
    }
    let admin = if layout == 1 {
        administrator.parse::<Ipv4Addr>().ok()?.octets()
    } else {
        administrator.parse::<u32>().ok()?.to_be_bytes()
    };
    octets[..4].copy_from_slice(&admin);
    octets[4..].copy_from_slice(&number.parse::<u16>().ok()?.to_be_bytes());
    Some(octets)
}

fn write_body(f: &mut fmt::Formatter<'_>, layout: u8, body: [u8; 6]) -> fmt::Result {
    let [a, b, c, d, e, g] = body;
    match layout {
        0 => {
            write!(f, "{}:{}", u16::from_be_bytes([a, b]), u32::from_be_bytes([c, d, e, g]))
        }
        1 => write!(f, "{}:{}", Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([e, g])),
        _ => write!(f, "{}:{}", u32::from_be_bytes([a, b, c, d]), u16::from_be_bytes([e, g])),
    }
}

impl RouteDistinguisher {
    /// Type 0: `0:asn:number`.
    #[must_use]
    pub const fn with_as(asn: u16, number: u32) -> Self {
        let [a, b] = asn.to_be_bytes();
        let [c, d, e, f] = number.to_be_bytes();
        Self([0, 0, a, b, c, d, e, f])
    }
}

impl fmt::Display for RouteDistinguisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [high, low, body @ ..] = self.0;
        write!(f, "{}:", u16::from_be_bytes([high, low]))?;
        write_body(f, if high == 0 { low } else { 2 }, body)
    }
}

impl FromStr for RouteDistinguisher {
    type Err = ParseVpnIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (layout, rest) = text.split_once(':').ok_or(ParseVpnIdError)?;
        let (administrator, number) = rest.split_once(':').ok_or(ParseVpnIdError)?;
        let layout = layout.parse::<u8>().ok().filter(|&l| l <= 2).ok_or(ParseVpnIdError)?;
        let [a, b, c, d, e, f] = body(layout, administrator, number).ok_or(ParseVpnIdError)?;
        Ok(Self([0, layout, a, b, c, d, e, f]))
    }
}

impl RouteTarget {
    /// The sub-type that makes an extended community a route target (RFC 4360 §4).
    pub const SUB_TYPE: u8 = 2;

    /// A route target of a two-octet AS (RFC 4360 §3.1).
    #[must_use]
    pub const fn with_as(asn: u16, number: u32) -> Self {
        let [a, b] = asn.to_be_bytes();
        let [c, d, e, f] = number.to_be_bytes();
        Self([0, Self::SUB_TYPE, a, b, c, d, e, f])
    }

    /// The route target in this extended community; `None` where it is of another kind.
    #[must_use]
    pub const fn from_community(octets: [u8; 8]) -> Option<Self> {
        if octets[0] <= 2 && octets[1] == Self::SUB_TYPE { Some(Self(octets)) } else { None }
    }
}

impl fmt::Display for RouteTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [layout, _, body @ ..] = self.0;
        write_body(f, layout, body)
    }
}

impl FromStr for RouteTarget {
    type Err = ParseVpnIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (administrator, number) = text.split_once(':').ok_or(ParseVpnIdError)?;
        let layout = if administrator.contains('.') {
            1
        } else {
            u8::from(administrator.parse::<u16>().is_err()) * 2
        };
        let [a, b, c, d, e, f] = body(layout, administrator, number).ok_or(ParseVpnIdError)?;
        Ok(Self([layout, Self::SUB_TYPE, a, b, c, d, e, f]))
    }
}

serde_as_text!(RouteDistinguisher, RouteTarget);

#[cfg(test)]
mod tests {
    use super::{RouteDistinguisher, RouteTarget};

    #[test]
    fn text_and_octets_agree() {
        let rd: RouteDistinguisher = "0:65000:17".parse().unwrap();
        assert_eq!(rd, RouteDistinguisher::with_as(65000, 17));
        assert_eq!(rd.0, [0, 0, 0xfd, 0xe8, 0, 0, 0, 17]);
        for text in ["1:192.0.2.1:17", "2:4200000001:9", "0:1:4294967295"] {
            assert_eq!(text.parse::<RouteDistinguisher>().unwrap().to_string(), text);
        }
        for text in ["65000:17", "192.0.2.1:17", "4200000001:9"] {
            assert_eq!(text.parse::<RouteTarget>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn malformed_text_is_refused() {
        for text in ["", "1", "3:1:1", "0:65536:1", "1:1.2.3:4", "2:1:65536", "0:1:"] {
            assert!(text.parse::<RouteDistinguisher>().is_err(), "{text}");
        }
        for text in ["1", "70000:70000", "1.2.3.4:70000", ":"] {
            assert!(text.parse::<RouteTarget>().is_err(), "{text}");
        }
    }

    #[test]
    fn other_communities_are_not_route_targets() {
        assert_eq!(RouteTarget::from_community([0, 3, 0, 1, 0, 0, 0, 1]), None);
        assert_eq!(RouteTarget::from_community([3, 2, 0, 1, 0, 0, 0, 1]), None);
        assert!(RouteTarget::from_community([2, 2, 0, 1, 0, 0, 0, 1]).is_some());
    }
}
