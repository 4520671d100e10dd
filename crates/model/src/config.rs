//! One router's complete configuration.
//!
//! Ports are numbered from 0 in the order of [`RouterConfig::ports`], VRFs in the order of
//! [`RouterConfig::vrfs`], neighbours in the order of [`RouterConfig::neighbours`]: an identifier
//! is a position. Secrets are in [`Authentication`] only, which never prints them.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use std::collections::BTreeSet;

use base::{
    AsNumber, Label, MacAddr, PortId, Prefix, RouteDistinguisher, RouteTarget, RouterId, SystemId,
    VrfId,
};
use serde::{Deserialize, Serialize};

/// Everything one router needs to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouterConfig {
    /// The router's name, unique in the region: `lewes-1`, `site-g81001`.
    pub name: String,
    /// The plan's number; a router refuses an older one.
    pub generation: u64,
    /// Inside or outside the trust boundary.
    pub role: Role,
    /// Identifier in BGP and IS-IS.
    pub router_id: RouterId,
    /// The region's AS number on a core router, the site's own on a site router.
    pub as_number: AsNumber,
    /// The loopback addresses; only core routers have them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loopback: Option<Loopback>,
    /// The ports, by [`PortId`].
    pub ports: Vec<Port>,
    /// The interior gateway protocol; only core routers run it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isis: Option<Isis>,
    /// Dynamic labels: for VRFs and for routes passed on.
    pub labels: LabelRange,
    /// BGP parameters that all neighbours share.
    pub bgp: Bgp,
    /// The BGP neighbours, by position.
    pub neighbours: Vec<Neighbour>,
    /// The VRFs, by [`VrfId`].
    pub vrfs: Vec<Vrf>,
}

/// Which side of the trust boundary a router is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Runs IS-IS and interior BGP.
    Core,
    /// At a customer's premises: one eBGP session per uplink and nothing else.
    Site,
}

/// A core router's own addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loopback {
    /// The IPv4 loopback: BGP next hop and session address.
    pub v4: Ipv4Addr,
    /// Index of its prefix-SID in the region's global block (RFC 8402 §3.1).
    pub v4_sid: u32,
    /// The IPv6 loopback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub v6: Option<Ipv6Addr>,
}

/// A block of labels: `first` to `first + count - 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelRange {
    /// The first label.
    pub first: Label,
    /// How many.
    pub count: u32,
}

/// A port: where a link or an attachment ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// The port's name, unique in the router: `to-brighton-1`, `uplink-1`, `lan-g81001`.
    pub name: String,
    /// How frames look.
    pub medium: Medium,
    /// The port's Ethernet address; unused on a secure link.
    pub mac: MacAddr,
    /// The largest IP packet in octets.
    pub mtu: u16,
    /// The port's addresses with the length of the prefix on the link.
    pub addresses: Vec<InterfaceAddress>,
    /// What the port is for.
    pub kind: PortKind,
}

/// An address of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InterfaceAddress {
    /// The address.
    pub address: IpAddr,
    /// The length of the prefix that is on the link.
    pub length: u8,
}

/// How frames look on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Medium {
    /// Ethernet frames: MPLS, IP, ARP and ISO as the standards put them on the wire.
    Ethernet,
    /// GRE (RFC 2784) inside a secure tunnel: MPLS, IP and ISO by protocol type.
    Secure,
}

/// What a port is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum PortKind {
    /// A link between core routers: IS-IS, MPLS in the platform's label space, IP.
    CoreLink {
        /// The far end's address on the link.
        peer: Ipv4Addr,
        /// IS-IS metric, 1 to 2^24-2 (RFC 5305 §3).
        metric: u32,
        /// The adjacency-SID (RFC 8667 §2.2.1).
        adjacency_sid: Label,
        /// BFD on the link.
        bfd: Bfd,
        /// Shared-risk groups that the link is in.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        shared_risks: Vec<String>,
    },
    /// An uplink, seen from either end: one eBGP session, labels of its own space.
    Uplink {
        /// The far end's address on the link.
        peer: Ipv4Addr,
        /// BFD on the link.
        bfd: Bfd,
    },
    /// An interface that belongs to a VRF.
    Attachment {
        /// The VRF.
        vrf: VrfId,
        /// Sources that may enter here; anything else is spoofed.
        sources: Vec<Prefix>,
        /// What hosts on it are told and given; none where only routers are attached.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hosts: Option<HostService>,
    },
    /// Nothing any more: the number stays taken, so that the others keep theirs.
    Unused,
}

/// What a router does for the hosts of an attachment, so that they need no settings of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostService {
    /// IPv4 addresses that DHCP hands out; none: no DHCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dhcp: Option<DhcpPool>,
    /// Advertise the router and the attachment's IPv6 prefixes (RFC 4861 §6.2).
    pub advertise: bool,
    /// Resolvers of names that hosts are told of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dns: Vec<IpAddr>,
}

/// A block of IPv4 addresses for hosts: `first` to `last`, both handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DhcpPool {
    /// The first address.
    pub first: Ipv4Addr,
    /// The last address.
    pub last: Ipv4Addr,
    /// Seconds that an address is lent for.
    pub lease_s: u32,
}

/// BFD intervals and multiplier (RFC 5880 §6.8.1), the same in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bfd {
    /// Milliseconds between packets.
    pub interval_ms: u32,
    /// How many may be missed.
    pub multiplier: u8,
}

/// IS-IS on a core router.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Isis {
    /// The system identifier.
    pub system_id: SystemId,
    /// The area address, as octets: `[0x49, 0, 1]`.
    pub area: Vec<u8>,
    /// The global block (RFC 8402 §2): the same on every router of the region.
    pub srgb: LabelRange,
    /// The local block, from which adjacency-SIDs are (RFC 8402 §2).
    pub srlb: LabelRange,
    /// How link-state PDUs and hellos are authenticated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
    /// No transit traffic through this router (ISO 10589 §7.2.8.1).
    #[serde(default)]
    pub overload: bool,
    /// Milliseconds between hellos.
    pub hello_interval_ms: u32,
    /// How many hellos may be missed.
    pub hello_multiplier: u16,
}

/// Cryptographic authentication (RFC 5304, RFC 5310). Printing it does not show the key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authentication {
    /// The algorithm.
    pub algorithm: AuthenticationAlgorithm,
    /// The key's number on the wire (RFC 5310 §3.1); unused by HMAC-MD5.
    pub key_id: u16,
    /// The key.
    pub key: String,
}

impl fmt::Debug for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authentication")
            .field("algorithm", &self.algorithm)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

/// An authentication algorithm of IS-IS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthenticationAlgorithm {
    /// RFC 5304.
    HmacMd5,
    /// RFC 5310.
    HmacSha256,
}

/// BGP parameters that all neighbours of a router share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bgp {
    /// Seconds without a message until a session is given up (RFC 4271 §4.2).
    pub hold_time_s: u16,
    /// Milliseconds between attempts to connect.
    pub connect_retry_ms: u32,
    /// The cluster this router reflects for (RFC 4456 §7); none: it does not reflect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<RouterId>,
}

/// A BGP neighbour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Neighbour {
    /// The far end's router name.
    pub name: String,
    /// The far end's address.
    pub address: Ipv4Addr,
    /// Our address of the session.
    pub local_address: Ipv4Addr,
    /// The far end's AS.
    pub as_number: AsNumber,
    /// Wait for the far end to connect.
    pub passive: bool,
    /// What the neighbour is.
    pub kind: NeighbourKind,
}

/// What a neighbour is, and so what may pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum NeighbourKind {
    /// Interior BGP between loopbacks.
    Internal {
        /// Whether we reflect for it (RFC 4456 §6).
        client: bool,
    },
    /// The core router's side of an uplink (RFC 4364 §10 b, filtered and relabelled).
    Site {
        /// The uplink.
        port: PortId,
        /// LOCAL_PREF of what it sends.
        local_pref: u32,
        /// Everything that it may send.
        accept: Vec<AcceptedRoute>,
        /// How many routes it may send before the session is closed.
        max_routes: u32,
        /// Route targets of what it is sent.
        send: BTreeSet<RouteTarget>,
    },
    /// The site router's side of an uplink.
    Core {
        /// The uplink.
        port: PortId,
        /// Preference of what comes over it: the higher is used while it is up.
        local_pref: u32,
        /// How often the own AS is prepended, so that a backup uplink is used last.
        prepend: u8,
    },
    /// A third party's router on an attachment, speaking IPv4 and IPv6 unicast into its VRF
    /// (RFC 4364 §10 a).
    Customer {
        /// The attachment.
        port: PortId,
        /// Everything that it may announce, exactly.
        accept: BTreeSet<Prefix>,
        /// Route targets of what it announces.
        targets: BTreeSet<RouteTarget>,
        /// How many routes it may send before the session is closed.
        max_routes: u32,
    },
}

/// One route that a site may announce.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcceptedRoute {
    /// The distinguisher.
    pub rd: RouteDistinguisher,
    /// The prefix.
    pub prefix: Prefix,
    /// The route targets that it may carry.
    pub targets: BTreeSet<RouteTarget>,
}

/// A VRF.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vrf {
    /// The VRF's name, unique in the router.
    pub name: String,
    /// The virtual network that it is a part of.
    pub virtual_network: String,
    /// One distinguisher per neighbour that it is announced to, so that both paths of a dual-homed
    /// site propagate; by position in [`RouterConfig::neighbours`].
    pub rds: Vec<NeighbourRd>,
    /// Routes with one of these targets are imported.
    pub import: BTreeSet<RouteTarget>,
    /// What is announced.
    pub export: Vec<ExportedRoute>,
    /// Who may talk with whom.
    pub access: Access,
}

/// The distinguisher of a VRF towards one neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NeighbourRd {
    /// Position in [`RouterConfig::neighbours`].
    pub neighbour: u32,
    /// The distinguisher.
    pub rd: RouteDistinguisher,
}

/// One prefix that a VRF announces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedRoute {
    /// The prefix.
    pub prefix: Prefix,
    /// The attachment that it is behind.
    pub port: PortId,
    /// The third party's router on that attachment that leads there; none: it is on the link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_hop: Option<IpAddr>,
    /// The route targets that it carries.
    pub targets: BTreeSet<RouteTarget>,
}

/// The access rules of a VRF: what is neither among `own` nor in a rule is dropped.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// The virtual network's own addresses: traffic among them passes.
    pub own: Vec<Prefix>,
    /// The region's routers: what they report about that traffic passes too.
    pub infrastructure: Vec<Prefix>,
    /// What communities add.
    pub rules: Vec<AccessRule>,
}

/// One application of one community, seen from one member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessRule {
    /// The community that gives the right.
    pub community: String,
    /// The application.
    pub application: String,
    /// Which side this VRF is.
    pub side: Side,
    /// Addresses on this side.
    pub local: Vec<Prefix>,
    /// Addresses on the other side.
    pub remote: Vec<Prefix>,
    /// IP protocol number: 6 TCP, 17 UDP.
    pub protocol: u8,
    /// The first port of the application.
    pub port_first: u16,
    /// The last port of the application.
    pub port_last: u16,
}

/// Which side of an application a VRF is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// It offers the application.
    Provider,
    /// It uses the application.
    Consumer,
}

impl RouterConfig {
    /// The ports with their identifiers.
    pub fn ports(&self) -> impl Iterator<Item = (PortId, &Port)> {
        (0..).map(PortId).zip(&self.ports)
    }

    /// The VRFs with their identifiers.
    pub fn vrfs(&self) -> impl Iterator<Item = (VrfId, &Vrf)> {
        (0..).map(VrfId).zip(&self.vrfs)
    }
}

impl Bfd {
    /// The interval between packets.
    #[must_use]
    pub fn interval(self) -> Duration {
        Duration::from_millis(self.interval_ms.into())
    }
}
