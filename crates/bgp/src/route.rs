//! A route as the speaker keeps it: a VPN prefix, its path attributes, its label and next hop.
//!
//! Plain values without behaviour of their own: [`crate::attributes`] and [`crate::nlri`] turn
//! octets into them, [`crate::decision`] compares them, [`crate::policy`] changes them on the way.
//! What a route is known by is its [`VpnPrefix`]; everything else is said about it and may change.
//!
//! Standards: RFC 4271 §4.3 and §5.1 (attributes), §9.1.2 (AS loop) and §9.1.2.2 a (path length),
//! RFC 4760 (families), RFC 4364 §4.3.4, RFC 4659 §3.2 and RFC 8277 §2 (the key of a VPN route),
//! RFC 4684 §4, RFC 1997, RFC 4360 and RFC 8092 (communities), RFC 4456 §8, RFC 6793.
//! Not implemented: families and attributes that have no name here; such an attribute is kept as
//! octets.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr};

use base::{AsNumber, Label, Prefix, RouteDistinguisher, RouteTarget, RouterId};

/// An address family that a session can carry (RFC 4760: AFI and SAFI).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// AFI 1, SAFI 1.
    Ipv4Unicast,
    /// AFI 2, SAFI 1.
    Ipv6Unicast,
    /// AFI 1, SAFI 128 (RFC 4364 §4.3.4).
    VpnIpv4,
    /// AFI 2, SAFI 128 (RFC 4659 §3.2).
    VpnIpv6,
    /// AFI 1, SAFI 132 (RFC 4684 §4).
    RouteTargetConstrain,
}

impl Family {
    /// Every family, in order.
    pub const ALL: [Self; 5] = [
        Self::Ipv4Unicast,
        Self::Ipv6Unicast,
        Self::VpnIpv4,
        Self::VpnIpv6,
        Self::RouteTargetConstrain,
    ];

    /// The family of VPN routes that carries the prefix.
    #[must_use]
    pub const fn vpn(prefix: Prefix) -> Self {
        match prefix {
            Prefix::V4(_) => Self::VpnIpv4,
            Prefix::V6(_) => Self::VpnIpv6,
        }
    }

    /// The family of plain routes that carries the prefix.
    #[must_use]
    pub const fn unicast(prefix: Prefix) -> Self {
        match prefix {
            Prefix::V4(_) => Self::Ipv4Unicast,
            Prefix::V6(_) => Self::Ipv6Unicast,
        }
    }
}

/// A set of address families.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FamilySet(u8);

impl FamilySet {
    /// No family.
    pub const EMPTY: Self = Self(0);

    /// Every family.
    pub const ALL: Self = Self(31);

    /// The families that a router inside a VRF may speak: the ones without route distinguishers.
    pub const UNICAST: Self = Self::EMPTY.with(Family::Ipv4Unicast).with(Family::Ipv6Unicast);

    const fn bit(family: Family) -> u8 {
        match family {
            Family::Ipv4Unicast => 1,
            Family::Ipv6Unicast => 2,
            Family::VpnIpv4 => 4,
            Family::VpnIpv6 => 8,
            Family::RouteTargetConstrain => 16,
        }
    }

    /// This set and one family more.
    #[must_use]
    pub const fn with(self, family: Family) -> Self {
        Self(self.0 | Self::bit(family))
    }

    /// Whether the family is in the set.
    #[must_use]
    pub const fn contains(self, family: Family) -> bool {
        self.0 & Self::bit(family) != 0
    }

    /// The families in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The families of this set that are not in the other.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether there is no family in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The families of the set, in order.
    pub fn iter(self) -> impl Iterator<Item = Family> {
        Family::ALL.into_iter().filter(move |&family| self.contains(family))
    }
}

impl FromIterator<Family> for FamilySet {
    fn from_iter<I: IntoIterator<Item = Family>>(families: I) -> Self {
        families.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4Unicast => "ipv4-unicast",
            Self::Ipv6Unicast => "ipv6-unicast",
            Self::VpnIpv4 => "vpnv4",
            Self::VpnIpv6 => "vpnv6",
            Self::RouteTargetConstrain => "rt-constrain",
        })
    }
}

/// The key of a VPN route: prefix and route distinguisher, never the label (RFC 8277 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct VpnPrefix {
    /// What makes equal prefixes of different virtual networks different.
    pub rd: RouteDistinguisher,
    /// The prefix inside the virtual network.
    pub prefix: Prefix,
}

impl VpnPrefix {
    /// The prefix as a router inside the VRF knows it: there is no route distinguisher yet, or no
    /// more; its place is held by zeros.
    #[must_use]
    pub const fn plain(prefix: Prefix) -> Self {
        Self { rd: RouteDistinguisher([0; 8]), prefix }
    }
}

impl fmt::Display for VpnPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::plain(self.prefix) {
            return self.prefix.fmt(f);
        }
        write!(f, "{} {}", self.rd, self.prefix)
    }
}

/// How the originator learned a route (RFC 4271 §5.1.1); lower is preferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Interior to the originating AS.
    Igp,
    /// Learned by EGP.
    Egp,
    /// Learned by other means.
    Incomplete,
}

/// One segment of an AS path (RFC 4271 §4.3 b).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum AsSegment {
    /// An unordered set: counts as one hop.
    Set(Vec<AsNumber>),
    /// An ordered sequence.
    Sequence(Vec<AsNumber>),
}

/// An attribute that the speaker does not know and passes on where it is transitive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnknownAttribute {
    /// Attribute flags as received (RFC 4271 §4.3).
    pub flags: u8,
    /// Attribute type code.
    pub code: u8,
    /// The value, uninterpreted.
    pub value: Vec<u8>,
}

/// The path attributes of a route, except reachability, next hop and label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PathAttributes {
    /// ORIGIN.
    pub origin: Origin,
    /// AS_PATH, four-octet (RFC 6793).
    pub as_path: Vec<AsSegment>,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// LOCAL_PREF; only inside the AS.
    pub local_pref: Option<u32>,
    /// ATOMIC_AGGREGATE.
    pub atomic_aggregate: bool,
    /// AGGREGATOR.
    pub aggregator: Option<(AsNumber, Ipv4Addr)>,
    /// COMMUNITIES (RFC 1997).
    pub communities: Vec<u32>,
    /// EXTENDED COMMUNITIES (RFC 4360), sorted, without duplicates; route targets among them.
    pub extended_communities: Vec<[u8; 8]>,
    /// LARGE_COMMUNITY (RFC 8092).
    pub large_communities: Vec<[u32; 3]>,
    /// ORIGINATOR_ID (RFC 4456 §8).
    pub originator_id: Option<RouterId>,
    /// CLUSTER_LIST (RFC 4456 §8).
    pub cluster_list: Vec<RouterId>,
    /// Transitive attributes that the speaker does not know.
    pub unknown: Vec<UnknownAttribute>,
}

impl PathAttributes {
    /// The attributes of a route that this speaker originates.
    #[must_use]
    pub const fn originated() -> Self {
        Self {
            origin: Origin::Igp,
            as_path: Vec::new(),
            med: None,
            local_pref: None,
            atomic_aggregate: false,
            aggregator: None,
            communities: Vec::new(),
            extended_communities: Vec::new(),
            large_communities: Vec::new(),
            originator_id: None,
            cluster_list: Vec::new(),
            unknown: Vec::new(),
        }
    }

    /// The route targets among the extended communities.
    pub fn route_targets(&self) -> impl Iterator<Item = RouteTarget> {
        self.extended_communities.iter().copied().filter_map(RouteTarget::from_community)
    }

    /// The number of hops for the decision process: a set counts as one (RFC 4271 §9.1.2.2 a).
    #[must_use]
    pub fn as_path_length(&self) -> usize {
        self.as_path
            .iter()
            .map(|segment| match segment {
                AsSegment::Set(_) => 1,
                AsSegment::Sequence(numbers) => numbers.len(),
            })
            .sum()
    }

    /// Whether this AS is in the path: a loop (RFC 4271 §9.1.2).
    #[must_use]
    pub fn as_path_contains(&self, number: AsNumber) -> bool {
        self.as_path.iter().any(|segment| match segment {
            AsSegment::Set(numbers) | AsSegment::Sequence(numbers) => numbers.contains(&number),
        })
    }
}

/// Where a VPN route leads: the next hop and the label that it expects there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LabelledNextHop {
    /// The next hop; an IPv4 next hop of a VPNv6 route is kept as IPv4 (RFC 4659 §3.2.1.2).
    pub next_hop: IpAddr,
    /// The label at that next hop.
    pub label: Label,
}
