//! What one speaker is told: who it is, whom it speaks to under which policy, and its VRFs.
//!
//! A configuration is complete; the speaker makes no choice that is not written here. Four kinds
//! of neighbour exist, and the kind *is* the policy: there is no route-map language.
//!
//! - [`NeighbourKind::Internal`]: another core router. Everything is accepted that is not a loop;
//!   what is sent follows route reflection and what the neighbour's memberships ask for.
//! - [`NeighbourKind::Site`]: the core router's end of an uplink, outside the trust boundary. Only
//!   what [`SiteFilter`] names is accepted, and only what it names is sent.
//! - [`NeighbourKind::Core`]: the site router's end of an uplink. The implied policy is: announce
//!   what the own VRFs export and nothing else (a site is never transit), accept what came
//!   straight from that neighbour.
//! - [`NeighbourKind::Customer`]: a third party's router inside a VRF, outside the trust boundary.
//!   It speaks of plain prefixes; only what [`CustomerFilter`] names is accepted, and it is told
//!   what its VRF reaches.
//!
//! RFC 8212 asks that no eBGP session works without a policy: here every eBGP neighbour is of a
//! kind that carries one, and a `Site` with empty `accept` and `send` exchanges nothing.
//!
//! Standards: RFC 8212 (policy is part of the neighbour's kind), RFC 4364 §4 (VRFs, route
//! distinguishers and targets) and §10 options A (the `Customer` kind) and B (the `Site` kind).
//! Not implemented: route-map languages, confederations (RFC 5065).

use std::collections::{BTreeMap, BTreeSet};

use base::{
    AsNumber, Duration, Label, PortId, Prefix, RouteDistinguisher, RouteTarget, RouterId, VrfId,
};
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::route::{Family, VpnPrefix};

/// A neighbour of one speaker; given by the driver and kept for as long as it is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NeighbourId(pub u32);

impl fmt::Display for NeighbourId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "neighbour {}", self.0)
    }
}

/// The labels that a speaker may hand out, in its own space and in each port's alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelBlock {
    /// The first label of the block.
    pub first: Label,
    /// The last label of the block.
    pub last: Label,
}

/// One whole speaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The own AS.
    pub as_number: AsNumber,
    /// The BGP identifier.
    pub router_id: RouterId,
    /// The cluster that this reflector serves; the router id where not given (RFC 4456 §7).
    pub cluster_id: Option<RouterId>,
    /// Seconds proposed as hold time; 0 for none.
    pub hold_time: u16,
    /// How long after a lost connection the next is tried.
    pub connect_retry: Duration,
    /// The loopback: the own next hop towards internal neighbours.
    pub local_address: Option<Ipv4Addr>,
    /// Labels that may be allotted; fixed VRF labels and segment identifiers lie outside.
    pub labels: LabelBlock,
    /// Every neighbour, each with an id of its own.
    pub neighbours: Vec<Neighbour>,
    /// Every VRF, each with an id and a name of its own.
    pub vrfs: Vec<Vrf>,
}

impl Config {
    /// The cluster that this reflector serves.
    #[must_use]
    pub fn cluster(&self) -> RouterId {
        self.cluster_id.unwrap_or(self.router_id)
    }
}

/// One neighbour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// Its id.
    pub id: NeighbourId,
    /// Its name, for people.
    pub name: String,
    /// Its address.
    pub address: IpAddr,
    /// The own address on this session.
    pub local_address: IpAddr,
    /// Its AS.
    pub as_number: AsNumber,
    /// The families to offer; to a router inside a VRF, the plain ones among them.
    pub families: Vec<Family>,
    /// Wait for its connection instead of opening one.
    pub passive: bool,
    /// What it is to us, and with that the policy.
    pub kind: NeighbourKind,
}

/// What a neighbour is to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NeighbourKind {
    /// A router of the own AS; `client`: we reflect for it (RFC 4456 §6).
    Internal {
        /// Whether it is a client of this reflector.
        client: bool,
    },
    /// A site router, seen from the core router (RFC 4364 §10 option B).
    Site(SiteFilter),
    /// A core router, seen from the site router.
    Core {
        /// The preference of routes from here: how a site chooses its primary uplink.
        local_pref: u32,
        /// How many more times than once the own AS is put in front: how the region is told.
        prepend: u8,
    },
    /// A third party's router in a VRF (RFC 4364 §10 option A).
    Customer(CustomerFilter),
}

impl NeighbourKind {
    /// Whether both ends are in one AS.
    #[must_use]
    pub const fn is_internal(&self) -> bool {
        matches!(self, Self::Internal { .. })
    }
}

/// What a site may announce and what it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteFilter {
    /// The uplink's port: labels advertised to the site are valid there only.
    pub port: PortId,
    /// The preference that its routes get inside the AS.
    pub local_pref: u32,
    /// What it may announce.
    pub accept: Vec<Accept>,
    /// How many routes it may announce before the session is ended, acceptable or not.
    pub max_routes: usize,
    /// A route is sent to the site if it carries one of these targets.
    pub send: BTreeSet<RouteTarget>,
}

/// What a third party's router may announce into its VRF, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerFilter {
    /// The VRF that it is attached to.
    pub vrf: VrfId,
    /// What it may announce, exactly.
    pub accept: BTreeSet<Prefix>,
    /// The route targets that its routes carry on their way through the region.
    pub targets: BTreeSet<RouteTarget>,
    /// How many routes it may announce before the session is ended, acceptable or not.
    pub max_routes: usize,
    /// The own IPv6 address on the attachment: the next hop of IPv6 routes that it is sent.
    pub local_v6: Option<Ipv6Addr>,
    /// The prefixes on the attachment: where its next hops are.
    pub on_link: Vec<Prefix>,
}

impl CustomerFilter {
    /// Whether an address can be a station's of the attachment.
    #[must_use]
    pub fn is_on_link(&self, address: IpAddr) -> bool {
        matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
            || self.on_link.iter().any(|prefix| prefix.contains(address))
    }
}

/// One route that a site may announce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accept {
    /// Exactly this prefix with this route distinguisher.
    pub key: VpnPrefix,
    /// The route targets that it may carry.
    pub targets: Vec<RouteTarget>,
}

/// One VRF (RFC 4364 §3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vrf {
    /// Its id.
    pub id: VrfId,
    /// Its name; a VRF that keeps its name keeps its label when ids move.
    pub name: String,
    /// Its label; allotted from the block where not given.
    pub label: Option<Label>,
    /// A route is imported if it carries one of these.
    pub import: BTreeSet<RouteTarget>,
    /// What it announces.
    pub export: Vec<Export>,
    /// The route distinguisher towards particular neighbours: one per uplink of a site.
    pub rds: BTreeMap<NeighbourId, RouteDistinguisher>,
    /// The route distinguisher towards all others.
    pub rd: RouteDistinguisher,
}

impl Vrf {
    /// The route distinguisher under which this neighbour hears of the VRF's routes.
    #[must_use]
    pub fn rd_towards(&self, neighbour: NeighbourId) -> RouteDistinguisher {
        self.rds.get(&neighbour).copied().unwrap_or(self.rd)
    }
}

/// One prefix that a VRF announces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// The prefix.
    pub prefix: Prefix,
    /// The route targets it carries.
    pub targets: BTreeSet<RouteTarget>,
}
