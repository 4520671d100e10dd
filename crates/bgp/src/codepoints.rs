//! The numbers of the wire: message types, attribute codes and flags, capabilities, families.
//!
//! Only what this speaker reads or writes is named; a number without a name here is unknown to it.
//! Error codes are in [`crate::notification`], which gives each a type.
//!
//! Standards: RFC 4271 §4, RFC 4760 §3, RFC 5492, RFC 6793, RFC 2918, RFC 4684, RFC 4724, the IANA
//! registries "BGP Parameters" and "Address Family Numbers".
//! Not implemented: every code point that is not named here.

use crate::route::Family;

/// The protocol version (RFC 4271 §4.2).
pub const VERSION: u8 = 4;

/// Stands for a four-octet AS number where only two octets fit (RFC 6793 §9).
pub const AS_TRANS: u16 = 23456;

/// Message types (RFC 4271 §4.1, RFC 2918 §3).
pub mod message_type {
    /// OPEN.
    pub const OPEN: u8 = 1;
    /// UPDATE.
    pub const UPDATE: u8 = 2;
    /// NOTIFICATION.
    pub const NOTIFICATION: u8 = 3;
    /// KEEPALIVE.
    pub const KEEPALIVE: u8 = 4;
    /// ROUTE-REFRESH.
    pub const ROUTE_REFRESH: u8 = 5;
}

/// Attribute flags (RFC 4271 §4.3).
pub mod flag {
    /// The attribute is not well-known.
    pub const OPTIONAL: u8 = 0x80;
    /// A speaker that does not know the attribute passes it on.
    pub const TRANSITIVE: u8 = 0x40;
    /// A speaker on the way did not know the attribute.
    pub const PARTIAL: u8 = 0x20;
    /// The length takes two octets.
    pub const EXTENDED_LENGTH: u8 = 0x10;
}

/// Path attribute type codes.
pub mod attribute {
    /// ORIGIN (RFC 4271 §5.1.1).
    pub const ORIGIN: u8 = 1;
    /// AS_PATH (RFC 4271 §5.1.2).
    pub const AS_PATH: u8 = 2;
    /// NEXT_HOP (RFC 4271 §5.1.3).
    pub const NEXT_HOP: u8 = 3;
    /// MULTI_EXIT_DISC (RFC 4271 §5.1.4).
    pub const MULTI_EXIT_DISC: u8 = 4;
    /// LOCAL_PREF (RFC 4271 §5.1.5).
    pub const LOCAL_PREF: u8 = 5;
    /// ATOMIC_AGGREGATE (RFC 4271 §5.1.6).
    pub const ATOMIC_AGGREGATE: u8 = 6;
    /// AGGREGATOR (RFC 4271 §5.1.7).
    pub const AGGREGATOR: u8 = 7;
    /// COMMUNITIES (RFC 1997).
    pub const COMMUNITIES: u8 = 8;
    /// ORIGINATOR_ID (RFC 4456 §8).
    pub const ORIGINATOR_ID: u8 = 9;
    /// CLUSTER_LIST (RFC 4456 §8).
    pub const CLUSTER_LIST: u8 = 10;
    /// MP_REACH_NLRI (RFC 4760 §3).
    pub const MP_REACH_NLRI: u8 = 14;
    /// MP_UNREACH_NLRI (RFC 4760 §4).
    pub const MP_UNREACH_NLRI: u8 = 15;
    /// EXTENDED COMMUNITIES (RFC 4360 §2).
    pub const EXTENDED_COMMUNITIES: u8 = 16;
    /// AS4_PATH (RFC 6793 §3).
    pub const AS4_PATH: u8 = 17;
    /// AS4_AGGREGATOR (RFC 6793 §3).
    pub const AS4_AGGREGATOR: u8 = 18;
    /// PMSI_TUNNEL (RFC 6514 §5): never read, kept out of where it does not belong.
    pub const PMSI_TUNNEL: u8 = 22;
    /// Tunnel Encapsulation (RFC 9012 §2): likewise.
    pub const TUNNEL_ENCAPSULATION: u8 = 23;
    /// LARGE_COMMUNITY (RFC 8092 §3).
    pub const LARGE_COMMUNITY: u8 = 32;
    /// BGP Prefix-SID (RFC 8669 §3): never read, kept out of where it does not belong.
    pub const PREFIX_SID: u8 = 40;
    /// ATTR_SET (RFC 6368 §4): likewise.
    pub const ATTR_SET: u8 = 128;
}

/// AS_PATH segment types (RFC 4271 §4.3 b).
pub mod segment {
    /// AS_SET.
    pub const SET: u8 = 1;
    /// AS_SEQUENCE.
    pub const SEQUENCE: u8 = 2;
}

/// Capability codes (RFC 5492).
pub mod capability {
    /// Multiprotocol extensions (RFC 4760 §8).
    pub const MULTIPROTOCOL: u8 = 1;
    /// Route refresh (RFC 2918 §2).
    pub const ROUTE_REFRESH: u8 = 2;
    /// Graceful restart (RFC 4724 §3).
    pub const GRACEFUL_RESTART: u8 = 64;
    /// Four-octet AS numbers (RFC 6793 §3).
    pub const FOUR_OCTET_AS: u8 = 65;
}

/// Optional parameter types of OPEN.
pub mod parameter {
    /// Capabilities (RFC 5492 §4).
    pub const CAPABILITIES: u8 = 2;
    /// The parameters have lengths of two octets (RFC 9072 §2).
    pub const EXTENDED_LENGTH: u8 = 255;
}

/// The address family identifier and subsequent identifier of a family (RFC 4760 §3).
#[must_use]
pub const fn afi_safi(family: Family) -> (u16, u8) {
    match family {
        Family::Ipv4Unicast => (1, 1),
        Family::Ipv6Unicast => (2, 1),
        Family::VpnIpv4 => (1, 128),
        Family::VpnIpv6 => (2, 128),
        Family::RouteTargetConstrain => (1, 132),
    }
}

/// The family of these identifiers; `None` where the speaker does not know it.
#[must_use]
pub fn family(afi: u16, safi: u8) -> Option<Family> {
    Family::ALL.into_iter().find(|&family| afi_safi(family) == (afi, safi))
}

#[cfg(test)]
mod tests {
    use super::{afi_safi, family};
    use crate::route::{Family, FamilySet};

    #[test]
    fn every_family_has_identifiers_of_its_own() {
        for known in Family::ALL {
            let (afi, safi) = afi_safi(known);
            assert_eq!(family(afi, safi), Some(known));
        }
        assert_eq!(family(25, 65), None);
        assert_eq!(family(1, 2), None);
    }

    #[test]
    fn set_of_families_holds_what_was_put_in() {
        for known in Family::ALL {
            let set = FamilySet::EMPTY.with(known);
            assert_eq!(set.iter().collect::<Vec<_>>(), [known]);
        }
        let all: FamilySet = Family::ALL.into_iter().collect();
        assert_eq!(all.iter().collect::<Vec<_>>(), Family::ALL);
        assert!(!all.is_empty() && FamilySet::EMPTY.is_empty());
        assert_eq!(all, FamilySet::ALL);
        let rest = FamilySet::ALL.difference(FamilySet::UNICAST);
        let rest: Vec<Family> = rest.iter().collect();
        assert_eq!(rest, [Family::VpnIpv4, Family::VpnIpv6, Family::RouteTargetConstrain]);
    }
}
