//! A region's plan: every router's configuration, the links between them, and what people were
//! promised.
//!
//! The promises ([`VirtualNetwork`], [`Attachment`], [`Application`], [`Community`]) come from the intent by a short
//! way, not through the compiler of configurations: checkers compare the running network with
//! them, and would find a mistake of the compiler.

use core::net::IpAddr;

use base::{PortId, Prefix};
use serde::{Deserialize, Serialize};

use crate::config::{Medium, RouterConfig};

/// Everything that is needed to build a region, or to rehearse it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The region's name.
    pub region: String,
    /// The plan's number.
    pub generation: u64,
    /// Every point of presence, by name.
    pub pops: Vec<Pop>,
    /// Every router, core routers first, then by name.
    pub routers: Vec<RouterConfig>,
    /// Every link, by name.
    pub links: Vec<Link>,
    /// Every site.
    pub sites: Vec<Site>,
    /// Every virtual network.
    pub virtual_networks: Vec<VirtualNetwork>,
    /// Every LAN of every site in every virtual network.
    pub attachments: Vec<Attachment>,
    /// Every published application.
    pub applications: Vec<Application>,
    /// Every community in force.
    pub communities: Vec<Community>,
    /// The classes of service, in the order of the intent.
    #[serde(default)]
    pub classes: Vec<Class>,
    /// Traffic that is expected. Demands add up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub demands: Vec<Demand>,
}

/// A point on the globe (WGS 84), in millionths of a degree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// Millionths of a degree north of the equator.
    pub latitude_e6: i32,
    /// Millionths of a degree east of Greenwich.
    pub longitude_e6: i32,
}

/// A place with one or more core routers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pop {
    /// The name, unique in the region: `lewes`.
    pub name: String,
    /// Names of its routers.
    pub routers: Vec<String>,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// Shared-risk groups: what its routers fail with. Links may be in the same ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_risks: Vec<String>,
}

/// A link between two ports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The link's name, unique in the region: `lewes-1--brighton-1`.
    pub name: String,
    /// Core link or uplink.
    pub kind: LinkKind,
    /// The two ends.
    pub ends: [LinkEnd; 2],
    /// How frames look.
    pub medium: Medium,
    /// One-way delay in microseconds.
    pub delay_us: u32,
    /// Committed rate in kilobits per second, from the first end to the second.
    pub rate_kbps: u32,
    /// Committed rate in kilobits per second, from the second end to the first.
    pub rate_back_kbps: u32,
    /// Shared-risk groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_risks: Vec<String>,
}

/// What a link joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkKind {
    /// Two core routers.
    Core,
    /// A core router and a site router, in this order.
    Uplink,
}

/// One end of a link.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkEnd {
    /// The router's name.
    pub router: String,
    /// Its port.
    pub port: PortId,
}

/// A site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// The site's code, unique in the region.
    pub code: String,
    /// The site's name.
    pub name: String,
    /// The kind of premises.
    pub kind: String,
    /// The organisation it belongs to.
    pub organisation: String,
    /// The site router that serves it.
    pub router: String,
    /// Whether it has two uplinks to different PoPs.
    pub resilient: bool,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
}

/// A virtual network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VirtualNetwork {
    /// The virtual network's name, unique in the region.
    pub name: String,
    /// The organisation that owns it.
    pub organisation: String,
    /// Its addresses: its LANs are within. Another one's may overlap.
    pub addresses: Vec<Prefix>,
}

/// A LAN of one site in one virtual network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    /// The site's code.
    pub site: String,
    /// The virtual network.
    pub virtual_network: String,
    /// The site router.
    pub router: String,
    /// Its port.
    pub port: PortId,
    /// The prefixes of the LAN.
    pub prefixes: Vec<Prefix>,
    /// The gateway's addresses, one per prefix.
    pub gateways: Vec<IpAddr>,
}

/// A published application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    /// The application's name, unique in the region.
    pub name: String,
    /// The virtual network that offers it.
    pub virtual_network: String,
    /// The site that it is at.
    pub site: String,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// What it listens on.
    pub listens: Vec<Listen>,
}

/// A protocol and a range of ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// IP protocol number: 6 TCP, 17 UDP.
    pub protocol: u8,
    /// The first port.
    pub port_first: u16,
    /// The last port.
    pub port_last: u16,
}

/// A community in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Community {
    /// The community's name, unique in the region.
    pub name: String,
    /// What it is for.
    pub purpose: String,
    /// Names of the applications that its members reach.
    pub applications: Vec<String>,
    /// Names of the member virtual networks.
    pub members: Vec<String>,
    /// The last day it is in force, `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

/// A class of service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// The name: `EF`.
    pub name: String,
    /// Guaranteed share of a link's committed rate, in per cent.
    pub share_percent: u8,
}

/// Traffic that is expected in the busy hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Demand {
    /// The name of its class.
    pub class: String,
    /// Whether it is assumed rather than measured; to be shown wherever it is.
    #[serde(default)]
    pub assumed: bool,
    /// From where to where, and how much.
    pub traffic: Traffic,
}

/// From where to where traffic goes, and how much of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Traffic {
    /// Between an application and each site that may reach it.
    Towards {
        /// The application's name.
        application: String,
        /// Only sites of this kind.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<String>,
        /// Kilobits per second towards each site.
        down_kbps: u32,
        /// Kilobits per second from each site.
        up_kbps: u32,
    },
    /// Between the sites of a virtual network.
    Within {
        /// The virtual network's name.
        virtual_network: String,
        /// Kilobits per second that each site sends, spread evenly over the others.
        kbps: u32,
    },
}
