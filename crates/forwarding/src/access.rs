//! Access rules: which packets may cross the boundary of a virtual network, and why.
//!
//! Inside a virtual network everything may talk: a packet between two of its own addresses
//! passes. Everything else needs a [`Rule`], made from a community that both owners consented to:
//! it names one application (prefixes, protocol, ports) and which side offers it. A consumer
//! opens connections, a provider answers them: without memory of flows, an answer is told by its
//! source port and, in TCP, by the bit that every segment but a connection's first carries.
//!
//! [`check`] is asked on both ends: when a packet comes from an attachment
//! ([`Direction::Outbound`]) and before it leaves to one ([`Direction::Inbound`]).
//!
//! ICMP between the two sides of a rule: echo only where the rule's protocol is ICMP; an error
//! passes where the packet that it quotes was allowed to go the other way by a rule. An error
//! about traffic inside the virtual network passes from its own addresses and from the region's
//! routers, never from a community's other members, who cannot have seen that traffic.
//!
//! Protocols without ports pass in both directions where a rule names them. Later fragments,
//! which carry no ports, and source routes, which hide the real destination, never cross.
//!
//! Standards: RFC 4443 §2.4 and RFC 792 (what an error quotes), RFC 9293 §3.1 (ACK and RST),
//! RFC 1858 (why later fragments are refused).
//! Not implemented: flow state. From an offered port a provider's host can therefore send to a
//! consumer that never asked: TCP segments with ACK set, which open no connection, and UDP.

use core::net::IpAddr;
use core::ops::RangeInclusive;

use base::Prefix;
use packet::icmp;
use packet::ip::{Fragment, Packet};
use packet::{tcp, udp};

/// Who may talk with whom in one VRF.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// The virtual network's own prefixes, among which any traffic passes.
    pub own: Vec<Prefix>,
    /// The region's routers: their ICMP errors about traffic among `own` are let in. No
    /// attachment may send from here.
    pub infrastructure: Vec<Prefix>,
    /// What passes besides.
    pub rules: Vec<Rule>,
}

/// One application of one community, seen from one virtual network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Community and application, for people.
    pub name: String,
    /// The other side's prefixes.
    pub remote: Vec<Prefix>,
    /// This side's prefixes.
    pub local: Vec<Prefix>,
    /// The protocol; 1 stands for ICMP in both IP versions.
    pub protocol: u8,
    /// The application's ports; without meaning where the protocol has none.
    pub ports: RangeInclusive<u16>,
    /// Which side offers the application.
    pub role: Role,
}

/// Which side of a rule this virtual network is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `local` offers the application to `remote`.
    Provider,
    /// `local` uses the application of `remote`.
    Consumer,
}

/// Which way a packet crosses the boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From an attachment of this virtual network.
    Outbound,
    /// Towards an attachment of this virtual network.
    Inbound,
}

impl Direction {
    const fn reverse(self) -> Self {
        match self {
            Self::Outbound => Self::Inbound,
            Self::Inbound => Self::Outbound,
        }
    }
}

/// Why a packet may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// Both addresses are the virtual network's own.
    Own,
    /// The rule of this number allows it.
    Rule(usize),
    /// It is an ICMP error about a packet that may pass the other way: by the rule of this
    /// number or, without one, because both its addresses are the virtual network's own.
    Related(Option<usize>),
}

/// Why a packet may not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No rule joins its addresses.
    NoRule,
    /// Rules join its addresses, the first of this number, but none allows its protocol and
    /// ports in this direction.
    NotPermitted(usize),
    /// It is a later fragment.
    Fragment,
    /// Its ports cannot be read.
    Unreadable,
    /// It has a source route.
    SourceRoute,
}

/// Whether an address is in one of the prefixes.
pub(crate) fn covered(prefixes: &[Prefix], address: IpAddr) -> bool {
    prefixes.iter().any(|prefix| prefix.contains(address))
}

/// What a rule looks at beyond the addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Upper {
    /// Source port, destination port, and whether the packet can be an answer.
    Ports(u16, u16, bool),
    /// An echo request.
    EchoRequest,
    /// An echo reply.
    EchoReply,
    /// ICMP of another kind.
    OtherIcmp,
    /// A protocol without ports.
    Portless,
}

/// Whether the packet, read from `bytes`, may cross.
pub fn check(
    access: &Access,
    direction: Direction,
    packet: &Packet,
    bytes: &[u8],
) -> Result<Grant, Refusal> {
    if is_icmp_error(packet, bytes)
        && let Some(quoted) = packet.payload(bytes).get(icmp::HEADER_LEN..)
        && let Ok(about) = Packet::decode_quoted(quoted)
        && about.source == packet.destination
    {
        // An error goes back to whoever sent the packet it quotes.
        let trusted =
            direction == Direction::Inbound && covered(&access.infrastructure, packet.source);
        return match judge(access, direction.reverse(), &about, quoted, true) {
            _ if is_own(access, packet) => Ok(Grant::Own),
            Ok(Grant::Rule(rule)) => Ok(Grant::Related(Some(rule))),
            Ok(Grant::Own | Grant::Related(_)) if trusted => Ok(Grant::Related(None)),
            Ok(Grant::Own | Grant::Related(_)) => Err(Refusal::NoRule),
            Err(refusal) => Err(refusal),
        };
    }
    judge(access, direction, packet, bytes, false)
}

fn is_own(access: &Access, packet: &Packet) -> bool {
    covered(&access.own, packet.source) && covered(&access.own, packet.destination)
}

fn judge(
    access: &Access,
    direction: Direction,
    packet: &Packet,
    bytes: &[u8],
    quoted: bool,
) -> Result<Grant, Refusal> {
    if is_own(access, packet) {
        return Ok(Grant::Own);
    }
    let (local, remote) = match direction {
        Direction::Outbound => (packet.source, packet.destination),
        Direction::Inbound => (packet.destination, packet.source),
    };
    let joins = |rule: &Rule| covered(&rule.local, local) && covered(&rule.remote, remote);
    let mut joining = access.rules.iter().enumerate().filter(|(_, rule)| joins(rule)).peekable();
    let Some(&(first, _)) = joining.peek() else { return Err(Refusal::NoRule) };
    if packet.source_route {
        return Err(Refusal::SourceRoute);
    }
    if packet.fragment == Fragment::Later {
        return Err(Refusal::Fragment);
    }
    let upper = upper(packet, bytes, quoted).ok_or(Refusal::Unreadable)?;
    let protocol = if is_icmp(packet) { icmp::PROTOCOL_V4 } else { packet.protocol };
    let found = joining.find(|(_, rule)| {
        let rule_protocol = match rule.protocol {
            icmp::PROTOCOL_V6 => icmp::PROTOCOL_V4,
            other => other,
        };
        rule_protocol == protocol && permits(rule, direction, upper)
    });
    match found {
        Some((index, _)) => Ok(Grant::Rule(index)),
        None => Err(Refusal::NotPermitted(first)),
    }
}

/// Whether a rule that joins the addresses and names the protocol allows the packet.
fn permits(rule: &Rule, direction: Direction, upper: Upper) -> bool {
    // The consumer's side asks, the provider's side answers.
    let asks = match (rule.role, direction) {
        (Role::Provider, Direction::Inbound) | (Role::Consumer, Direction::Outbound) => true,
        (Role::Provider, Direction::Outbound) | (Role::Consumer, Direction::Inbound) => false,
    };
    match upper {
        Upper::Ports(_, destination, _) if asks => rule.ports.contains(&destination),
        Upper::Ports(source, _, answer) => answer && rule.ports.contains(&source),
        Upper::EchoRequest => asks,
        Upper::EchoReply => !asks,
        Upper::OtherIcmp => false,
        Upper::Portless => true,
    }
}

const fn is_icmp(packet: &Packet) -> bool {
    match packet.source {
        IpAddr::V4(_) => packet.protocol == icmp::PROTOCOL_V4,
        IpAddr::V6(_) => packet.protocol == icmp::PROTOCOL_V6,
    }
}

/// Whether a packet is an ICMP error, as far as its first octet says.
#[must_use]
pub fn is_icmp_error(packet: &Packet, bytes: &[u8]) -> bool {
    is_icmp(packet)
        && packet.fragment != Fragment::Later
        && packet
            .payload(bytes)
            .first()
            .is_some_and(|kind| icmp::is_error(packet.source.is_ipv6(), *kind))
}

/// The upper layer as rules see it; `None` where it is cut off before its ports. Of a quoted TCP
/// segment only the ports need be there (RFC 792 quotes 64 bits).
fn upper(packet: &Packet, bytes: &[u8], quoted: bool) -> Option<Upper> {
    let payload = packet.payload(bytes);
    if is_icmp(packet) {
        return match (packet.source.is_ipv6(), *payload.first()?) {
            (false, 8) | (true, 128) => Some(Upper::EchoRequest),
            (false, 0) | (true, 129) => Some(Upper::EchoReply),
            (_, _) => Some(Upper::OtherIcmp),
        };
    }
    match packet.protocol {
        udp::PROTOCOL => {
            let (source, destination) = packet.ports(bytes)?;
            Some(Upper::Ports(source, destination, true))
        }
        tcp::PROTOCOL => {
            let (source, destination) = packet.ports(bytes)?;
            let answer = match payload.get(13) {
                Some(flags) => {
                    tcp::Flags(*flags).intersects(tcp::Flags(tcp::Flags::ACK.0 | tcp::Flags::RST.0))
                }
                None => quoted.then_some(true)?,
            };
            Some(Upper::Ports(source, destination, answer))
        }
        _ => Some(Upper::Portless),
    }
}
