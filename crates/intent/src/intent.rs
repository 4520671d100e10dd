//! What was asked for, with every name resolved.
//!
//! Everything is in the order of its file. Names that appear here exist: a link's ends are core
//! routers, a site's kind is a kind, a community's members are virtual networks. Only [`crate::check`]
//! makes an intent.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::ops::RangeInclusive;
use std::collections::BTreeMap;

use base::{AsNumber, Ipv4Prefix, Ipv6Prefix, Prefix};
use model::config::{Authentication, Bfd, Medium};
use model::plan::Listen;
use serde::{Deserialize, Serialize};

use crate::{Date, Position};

/// AS numbers of site routers: of the private ones of four octets (RFC 6996 §5), as many as there
/// can be site routers.
pub const SITE_AS_NUMBERS: RangeInclusive<u32> = 4_200_000_000..=4_216_777_215;

/// One region, as its operator and its organisations want it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Intent {
    /// The region.
    pub region: Region,
    /// Where addresses come from.
    pub pools: Pools,
    /// How fast failures are seen.
    pub timers: Timers,
    /// The interior gateway protocol.
    pub isis: Isis,
    /// Points of presence.
    pub pops: Vec<Pop>,
    /// Core links.
    pub links: Vec<Link>,
    /// Access types.
    pub access: Vec<Access>,
    /// Kinds of premises.
    pub kinds: Vec<Kind>,
    /// Classes of service.
    pub classes: Vec<Class>,
    /// Sites.
    pub sites: Vec<Site>,
    /// Virtual networks.
    pub virtual_networks: Vec<VirtualNetwork>,
    /// Published applications.
    pub applications: Vec<Application>,
    /// Routers of others on sites' LANs.
    pub attached_routers: Vec<AttachedRouter>,
    /// Communities, expired ones included.
    pub communities: Vec<Community>,
    /// Traffic that is expected.
    pub demands: Vec<Demand>,
}

/// The region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Region {
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// The core's AS number: private, two octets, so that a route distinguisher of type 0 holds it.
    pub as_number: AsNumber,
    /// Whether one failure may cut off no PoP, and there are two reflectors.
    pub resilient: bool,
}

/// Where addresses come from. Numbers of the [`crate::Lock`] are positions in these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pools {
    /// One address per core router.
    pub loopbacks: Ipv4Prefix,
    /// One address per core router.
    pub loopbacks_v6: Ipv6Prefix,
    /// A /31 per core link.
    pub core_links: Ipv4Prefix,
    /// A /31 per uplink.
    pub uplinks: Ipv4Prefix,
    /// A /48 per virtual network.
    pub virtual_networks_v6: Ipv6Prefix,
}

/// How fast failures are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Timers {
    /// BFD on core links.
    pub core_bfd: Bfd,
    /// BFD on uplinks.
    pub uplink_bfd: Bfd,
    /// Seconds without a message until a BGP session is given up.
    pub bgp_hold_s: u16,
    /// Milliseconds between attempts to connect a BGP session.
    pub bgp_connect_retry_ms: u32,
    /// Milliseconds between IS-IS hellos.
    pub isis_hello_ms: u32,
    /// How many IS-IS hellos may be missed.
    pub isis_hello_multiplier: u16,
}

/// The interior gateway protocol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Isis {
    /// The area address, as octets: `49.0001` is `[0x49, 0, 1]`.
    pub area: Vec<u8>,
    /// How link-state PDUs and hellos are authenticated, the key already read from its file; not
    /// written out with the rest.
    #[serde(skip_serializing)]
    pub authentication: Option<Authentication>,
}

/// A point of presence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pop {
    /// A slug, from which its routers are named.
    pub name: String,
    /// The town it is in.
    pub town: String,
    /// Where it is.
    pub position: Position,
    /// How many core routers it has: 1 or 2.
    pub routers: u8,
    /// Whether its first router is a route reflector.
    pub reflector: bool,
    /// What it can fail with: a building, a power feed.
    pub shared_risks: Vec<String>,
}

/// A core link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// The names of its two core routers, as the file has them.
    pub ends: [String; 2],
    /// Committed rate in both directions, in megabits per second.
    pub rate_mbps: u32,
    /// IS-IS metric: as stated, or one per kilometre of fibre.
    pub metric: u32,
    /// One-way delay in microseconds, from the distance between its PoPs.
    pub delay_us: u32,
    /// Shared-risk groups: what it can fail with.
    pub shared_risks: Vec<String>,
}

/// An access type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Access {
    /// A slug.
    pub name: String,
    /// How frames look.
    pub medium: Medium,
    /// Megabits per second towards the site.
    pub down_mbps: u32,
    /// Megabits per second from the site.
    pub up_mbps: u32,
    /// One-way delay in milliseconds.
    pub delay_ms: u32,
    /// The largest IP packet in octets.
    pub mtu: u16,
    /// Whether it is assumed rather than known; to be shown wherever it is.
    pub assumed: bool,
    /// What it is.
    pub description: String,
}

/// A kind of premises: what a site has where its row does not say otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kind {
    /// The name that `sites.csv` uses.
    pub name: String,
    /// The access type of the uplink.
    pub access: String,
    /// The access type of a second uplink to another PoP.
    pub backup: Option<String>,
    /// The length of a LAN's IPv4 prefix.
    pub lan_length: u8,
}

/// A class of service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Class {
    /// Which of the six.
    pub name: ClassName,
    /// The code point, 0 to 63.
    pub dscp: u8,
    /// Guaranteed share of a link's committed rate, in per cent.
    pub share_percent: u8,
    /// What it is for.
    pub description: String,
}

/// The names of the six classes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
pub enum ClassName {
    /// Voice.
    #[serde(rename = "EF")]
    Ef,
    /// Video.
    #[serde(rename = "AF4")]
    Af4,
    /// National applications.
    #[serde(rename = "AF3")]
    Af3,
    /// Community applications.
    #[serde(rename = "AF2")]
    Af2,
    /// Bulk.
    #[serde(rename = "AF1")]
    Af1,
    /// Everything else.
    #[serde(rename = "DE")]
    De,
}

/// A site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Site {
    /// The site's code, unique in the region.
    pub code: String,
    /// The site's name.
    pub name: String,
    /// The kind of premises: the name of a [`Kind`].
    pub kind: String,
    /// The organisation it belongs to.
    pub organisation: String,
    /// The postcode.
    pub postcode: String,
    /// Where it is.
    pub position: Position,
    /// The access type of its uplink; that of the router's site where `router_of` says so.
    pub access: String,
    /// The access type of its second uplink, to another PoP.
    pub backup: Option<String>,
    /// The code of the site whose router serves this one too; such a site has no router of its own.
    pub router_of: Option<String>,
    /// Names of the PoPs that its uplinks go to, as far as its row says: none, one or two.
    pub pops: Vec<String>,
    /// What its first uplink can fail with: a duct, a pole.
    pub shared_risks: Vec<String>,
    /// What its second uplink can fail with; none where it has no second uplink.
    pub backup_shared_risks: Vec<String>,
}

/// A virtual network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VirtualNetwork {
    /// A slug.
    pub name: String,
    /// The organisation that owns it.
    pub organisation: String,
    /// Where its LANs' addresses come from; those of another virtual network may overlap.
    pub addresses: Vec<Ipv4Prefix>,
    /// The length of its LANs' IPv4 prefixes, the same at every site: that of the sites' kinds.
    pub lan_length: u8,
    /// Codes of its sites, in the order of `sites.csv`.
    pub sites: Vec<String>,
    /// Whether site routers lend addresses to hosts.
    pub dhcp: bool,
    /// Resolvers of names that hosts are told of.
    pub dns: Vec<IpAddr>,
}

/// A published application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Application {
    /// A slug.
    pub name: String,
    /// The virtual network that offers it.
    pub virtual_network: String,
    /// The code of the site that it is at.
    pub site: String,
    /// Its class.
    pub class: ClassName,
    /// Its address, where that matters; it is within the virtual network's addresses.
    pub address: Option<Ipv4Addr>,
    /// What it listens on.
    pub listens: Vec<Listen>,
}

/// A router of somebody else on a site's LAN. What is behind it is part of the virtual network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttachedRouter {
    /// A slug; no core or site router has it.
    pub name: String,
    /// The virtual network.
    pub virtual_network: String,
    /// The code of the site whose LAN it is on.
    pub site: String,
    /// Its address on that LAN.
    pub address: Ipv4Addr,
    /// What is behind it: within the virtual network's addresses, and nobody else's.
    pub prefixes: Vec<Prefix>,
    /// How the site router knows about these.
    pub routing: Routing,
}

/// How a site router knows what is behind an attached router.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Routing {
    /// From the plan.
    Static {
        /// The attached router's IPv6 address on the LAN; there is one where an IPv6 prefix is
        /// behind it.
        address_v6: Option<Ipv6Addr>,
    },
    /// From the attached router, which announces it (RFC 4364 §10 a).
    Bgp {
        /// Its AS number.
        as_number: AsNumber,
        /// How many routes it may announce before the session is closed.
        max_routes: u32,
    },
}

/// A community.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Community {
    /// A slug.
    pub name: String,
    /// What it is for.
    pub purpose: String,
    /// Names of the applications that its members reach.
    pub applications: Vec<String>,
    /// Names of the member virtual networks.
    pub members: Vec<String>,
    /// The last day it is in force.
    pub expires: Option<Date>,
    /// The organisations that agreed, and when: every owner of a member and of an application.
    pub consents: BTreeMap<String, Date>,
}

/// Traffic that is expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Demand {
    /// From where to where, and how much.
    pub traffic: Traffic,
    /// Its class.
    pub class: ClassName,
    /// Whether it is assumed rather than measured; to be shown wherever it is.
    pub assumed: bool,
}

/// From where to where traffic goes, and how much in the busy hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Traffic {
    /// Between an application and each site that may reach it.
    Towards {
        /// The application.
        application: String,
        /// Only sites of this kind.
        kind: Option<String>,
        /// Kilobits per second towards each site.
        down_kbps: u32,
        /// Kilobits per second from each site.
        up_kbps: u32,
    },
    /// Between the sites of a virtual network.
    Within {
        /// The virtual network.
        virtual_network: String,
        /// Kilobits per second that each site sends, spread evenly over the others.
        kbps: u32,
    },
}

impl ClassName {
    /// All six, the most urgent first.
    pub const ALL: [Self; 6] = [Self::Ef, Self::Af4, Self::Af3, Self::Af2, Self::Af1, Self::De];
}

impl fmt::Display for ClassName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ef => "EF",
            Self::Af4 => "AF4",
            Self::Af3 => "AF3",
            Self::Af2 => "AF2",
            Self::Af1 => "AF1",
            Self::De => "DE",
        })
    }
}

impl Pop {
    /// The names of its core routers: `lewes-1`, and `lewes-2` where there are two.
    pub fn router_names(&self) -> impl Iterator<Item = String> + '_ {
        (1..=self.routers).map(|number| format!("{}-{number}", self.name))
    }
}

impl Site {
    /// The name of the site router that serves it.
    #[must_use]
    pub fn router_name(&self) -> String {
        router_name(self.router_of.as_deref().unwrap_or(&self.code))
    }
}

/// The name of the site router at the site of that code: `G81001` gives `site-g81001`, and
/// `CQC:1-101` gives `site-cqc-1-101`.
#[must_use]
pub fn router_name(code: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    format!("site-{}", code.chars().map(letter).collect::<String>())
}

impl VirtualNetwork {
    /// How many LANs its addresses hold.
    #[must_use]
    pub fn lans(&self) -> u32 {
        let lans = self.addresses.iter().map(|pool| subnets(*pool, self.lan_length)).sum::<u64>();
        u32::try_from(lans).unwrap_or(u32::MAX)
    }

    /// The LAN of that number, counted through the pools in order; `None` outside.
    #[must_use]
    pub fn lan(&self, number: u32) -> Option<Ipv4Prefix> {
        let mut number = u64::from(number);
        for pool in &self.addresses {
            let held = subnets(*pool, self.lan_length);
            if number < held {
                return pool.subnet(self.lan_length, number);
            }
            number -= held;
        }
        None
    }
}

impl Intent {
    /// How many numbers a kind of the [`crate::Lock`] has to give: `loopback` (the pool without its
    /// first and last address), `core_link`, `uplink`, `vn_v6`, `lan/NAME`; `None` for a kind that
    /// no pool limits.
    #[must_use]
    pub fn capacity(&self, kind: &str) -> Option<u32> {
        let count = match kind {
            "loopback" => subnets(self.pools.loopbacks, 32).saturating_sub(2),
            "core_link" => subnets(self.pools.core_links, 31),
            "uplink" => subnets(self.pools.uplinks, 31),
            "vn_v6" => subnets_v6(self.pools.virtual_networks_v6, 48),
            other => {
                let name = other.strip_prefix("lan/")?;
                self.virtual_networks.iter().find(|vn| vn.name == name)?.lans().into()
            }
        };
        Some(u32::try_from(count).unwrap_or(u32::MAX))
    }
}

/// How many prefixes of a length a pool holds.
pub(crate) fn subnets(pool: Ipv4Prefix, length: u8) -> u64 {
    length.checked_sub(pool.len()).map_or(0, |bits| 1_u64.checked_shl(bits.into()).unwrap_or(0))
}

/// How many prefixes of a length a pool holds, at most 2^63.
pub(crate) fn subnets_v6(pool: Ipv6Prefix, length: u8) -> u64 {
    length.checked_sub(pool.len()).map_or(0, |bits| 1_u64 << bits.min(63))
}
