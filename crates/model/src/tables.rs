//! A router's forwarding tables as they stand, in full.
//!
//! [`crate::view`] says things in words, for people; this says them exactly, for whoever walks
//! through the tables of many routers: what is not here does not move a packet. Transports are
//! numbered by their place in [`RouterTables::transports`]; many routes and labels share one.

use core::net::IpAddr;

use base::{Label, LabelSpace, PortId, Prefix, VrfId};
use serde::{Deserialize, Serialize};

use crate::config::Side;

/// Everything that the forwarding of one router reads, apart from the Ethernet addresses of
/// neighbours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouterTables {
    /// The router's name.
    pub router: String,
    /// The plan's number that it runs.
    pub generation: u64,
    /// The ports in use, by number.
    pub ports: Vec<Port>,
    /// The VRFs, by number.
    pub vrfs: Vec<Vrf>,
    /// What is done under each label, by space and label.
    pub labels: Vec<LabelEntry>,
    /// Routes of the region's own addresses, by prefix.
    pub global: Vec<GlobalEntry>,
    /// Ways to other routers; one without hops and backups leads nowhere.
    pub transports: Vec<Transport>,
}

/// A port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// The port.
    pub id: PortId,
    /// Its name.
    pub name: String,
    /// Whether routes may use it.
    pub up: bool,
    /// What is believed of what arrives.
    pub accepts: Accepts,
}

/// What a port takes in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Accepts {
    /// A core link: labels of the platform's space.
    Core,
    /// An uplink: one label of its own space.
    Uplink {
        /// The label space.
        space: LabelSpace,
        /// Sources that labelled packets may come from; none: any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sources: Option<Vec<Prefix>>,
    },
    /// An attachment: packets without labels, into this VRF.
    Attachment {
        /// The VRF.
        vrf: VrfId,
        /// Sources that they may come from.
        sources: Vec<Prefix>,
    },
}

/// A VRF.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vrf {
    /// The VRF.
    pub id: VrfId,
    /// Its name.
    pub name: String,
    /// The virtual network's own addresses: traffic among them passes.
    pub own: Vec<Prefix>,
    /// The region's routers: what they report about that traffic passes too.
    pub infrastructure: Vec<Prefix>,
    /// What passes besides.
    pub rules: Vec<Rule>,
    /// The routes, by prefix.
    pub routes: Vec<VrfEntry>,
}

/// An access rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Community and application, for people.
    pub name: String,
    /// Which side this VRF is.
    pub side: Side,
    /// Addresses on this side.
    pub local: Vec<Prefix>,
    /// Addresses on the other side.
    pub remote: Vec<Prefix>,
    /// IP protocol number.
    pub protocol: u8,
    /// The first port of the application.
    pub port_first: u16,
    /// The last port of the application.
    pub port_last: u16,
}

/// A route of a VRF.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VrfEntry {
    /// The prefix.
    pub prefix: Prefix,
    /// Where it leads.
    pub to: VrfRoute,
}

/// Where a route of a VRF leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VrfRoute {
    /// Out of an attachment of this router.
    Attached {
        /// The attachment.
        port: PortId,
        /// The router behind which it is; none: it is on the link.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        neighbour: Option<IpAddr>,
    },
    /// To this router itself.
    Local,
    /// To another router: the first path that is usable is used.
    Remote(Vec<Path>),
}

/// A label to push, and the way to the router that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Path {
    /// The service label.
    pub label: Label,
    /// The transport's number.
    pub via: u32,
}

/// What is done under one label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelEntry {
    /// Where the label has its meaning.
    pub space: LabelSpace,
    /// The label.
    pub label: Label,
    /// What is done.
    pub action: LabelAction,
}

/// What is done with a packet under a label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelAction {
    /// Take it off and look at what is beneath.
    Pop,
    /// Take it off and look the packet up in this VRF.
    Vrf(VrfId),
    /// Put another router's label in its place, by the first path that is usable.
    Swap(Vec<Path>),
    /// Take it off and go on by this transport, under the labels of its hop.
    Transit(u32),
}

/// A route of one of the region's own addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GlobalEntry {
    /// The prefix.
    pub prefix: Prefix,
    /// The transport; none: an address of this router.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<u32>,
}

/// A way to another router.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transport {
    /// The hops among which flows are spread.
    pub hops: Vec<Hop>,
    /// The hops that are used while none of those is usable.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backups: Vec<Hop>,
}

/// One hop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hop {
    /// The port.
    pub port: PortId,
    /// The neighbour on it.
    pub neighbour: IpAddr,
    /// Labels pushed, outermost first.
    pub labels: Vec<Label>,
}
