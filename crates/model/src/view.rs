//! A router's state as people, checkers and programs read it.
//!
//! Reasons are given twice where both are wanted: a stable word for programs in `reason`, and
//! text for people where the word does not say enough.

use core::net::{IpAddr, Ipv4Addr};
use std::collections::BTreeMap;

use base::{Instant, Label, LabelSpace, MacAddr, PortId, Prefix, RouteDistinguisher, RouteTarget};
use serde::{Deserialize, Serialize};

/// A router at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterView {
    /// The router's name.
    pub name: String,
    /// The plan's number it runs.
    pub generation: u64,
    /// Its ports.
    pub ports: Vec<PortView>,
    /// Its IS-IS adjacencies.
    pub adjacencies: Vec<AdjacencyView>,
    /// Messages of neighbours not acted on, by protocol and reason, `is-is: wrong signature`.
    pub refusals: BTreeMap<String, u64>,
    /// Its BGP sessions.
    pub sessions: Vec<SessionView>,
    /// Entries in its tables.
    pub sizes: TableSizes,
}

/// How many entries a router's tables have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TableSizes {
    /// Routes of all VRFs.
    pub vrf_routes: usize,
    /// Routes of the region's own addresses.
    pub global_routes: usize,
    /// Labels of all spaces.
    pub labels: usize,
    /// BGP paths kept.
    pub bgp_paths: usize,
}

/// A port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortView {
    /// The port.
    pub port: PortId,
    /// Its name.
    pub name: String,
    /// Whether its link is up.
    pub up: bool,
    /// BFD's state where BFD runs: `up`, `down`, `init`, `admin_down`.
    pub bfd: Option<String>,
    /// Why it is not up.
    pub reason: Option<String>,
    /// Frames and octets received and sent.
    pub traffic: Traffic,
    /// Frames dropped, by reason.
    pub drops: BTreeMap<String, u64>,
}

/// Frames and octets, both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Traffic {
    /// Frames received.
    pub frames_in: u64,
    /// Octets received.
    pub octets_in: u64,
    /// Frames sent.
    pub frames_out: u64,
    /// Octets sent.
    pub octets_out: u64,
}

/// An IS-IS adjacency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdjacencyView {
    /// The port.
    pub port: PortId,
    /// The neighbour's name, or its system identifier while the name is not known.
    pub neighbour: String,
    /// Whether the adjacency is up.
    pub up: bool,
    /// Its state in the field's words: `up`, `initializing`, `down`.
    pub state: String,
    /// Since when.
    pub since: Instant,
    /// Why it is not up.
    pub reason: Option<String>,
}

/// A BGP session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionView {
    /// The neighbour's name.
    pub neighbour: String,
    /// The neighbour's address.
    pub address: IpAddr,
    /// Whether the session is established.
    pub up: bool,
    /// Its state in the field's words: `established`, `open_sent`, …
    pub state: String,
    /// Since when.
    pub since: Instant,
    /// Why it is not up.
    pub reason: Option<String>,
    /// Routes accepted from it.
    pub accepted: usize,
    /// Routes of a neighbour that restarts, which are used until it announces them anew.
    pub stale: usize,
    /// Until when they are used at most.
    pub stale_until: Option<Instant>,
    /// Routes sent to it.
    pub sent: usize,
    /// Routes refused, by reason, since the session came up.
    pub refused: BTreeMap<String, u64>,
}

/// An IPv4 address that is lent to a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseView {
    /// The attachment's name.
    pub port: String,
    /// The address.
    pub address: Ipv4Addr,
    /// The host's Ethernet address.
    pub mac: MacAddr,
    /// What the host calls itself, in hexadecimal.
    pub client: String,
    /// Until when it is lent.
    pub expires: Instant,
}

/// A route of a VRF, with every path that was considered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VrfRouteView {
    /// The VRF's name.
    pub vrf: String,
    /// The prefix.
    pub prefix: Prefix,
    /// Where it leads in the forwarding table: `attached lan-g81001`, `local`, `remote`.
    pub forwarding: String,
    /// The paths, best first.
    pub paths: Vec<PathView>,
}

/// One path to a prefix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathView {
    /// The distinguisher.
    pub rd: RouteDistinguisher,
    /// The next hop.
    pub next_hop: IpAddr,
    /// The service label.
    pub label: Label,
    /// The neighbour that sent it.
    pub neighbour: String,
    /// Its route targets.
    pub targets: Vec<RouteTarget>,
    /// The AS path.
    pub as_path: String,
    /// `best`, `backup`, or why it is not used.
    pub reason: String,
    /// Whether packets use it now.
    pub used: bool,
}

/// A route of the region's own addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlobalRouteView {
    /// The prefix.
    pub prefix: Prefix,
    /// The metric.
    pub metric: u32,
    /// The next hops.
    pub hops: Vec<HopView>,
}

/// A next hop of an equal-cost set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HopView {
    /// The port's name.
    pub port: String,
    /// The neighbour's address.
    pub neighbour: IpAddr,
    /// Labels pushed, outermost first.
    pub labels: Vec<Label>,
}

/// What a router does with a label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelView {
    /// Where the label has its meaning.
    pub space: LabelSpace,
    /// The label.
    pub label: Label,
    /// In words: `pop`, `vrf NAME`, `swap 24001 to 100.64.0.3`, `transit`.
    pub action: String,
    /// Where it goes on.
    pub hops: Vec<HopView>,
}
