//! Link headers: taken off what arrives, put on what leaves.
//!
//! On Ethernet a frame must be for this station or a group, and what leaves needs the
//! neighbour's address. In a tunnel a frame is a GRE header and the packet; there is only the
//! other end, and nothing to resolve.
//!
//! Standards: RFC 894, RFC 2464, RFC 3032 §5, ISO 10589 §8.4.8 (ISO over LLC), RFC 2784 and
//! RFC 4023 (tunnels), RFC 1112 §6.4 and RFC 2464 §7 (multicast addresses).
//! Not implemented: 802.1Q tags.

use core::net::IpAddr;

use base::{MacAddr, PortId};
use packet::ethernet::{self, Kind, TYPE_ARP, TYPE_IPV4, TYPE_IPV6, TYPE_MPLS};
use packet::{PacketBuf, gre, llc, ndp};

use crate::DropReason;
use crate::lane::{Lane, Origin, Verdict};
use crate::tables::{Medium, Port};

/// What is behind a link header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkProtocol {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
    /// A label stack.
    Mpls,
    /// ARP; never in a tunnel.
    Arp,
    /// An ISO protocol data unit.
    Iso,
}

/// What a link header said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opened {
    pub(crate) protocol: LinkProtocol,
    pub(crate) source_mac: Option<MacAddr>,
    /// Whether the frame was for a group of stations.
    pub(crate) group: bool,
}

/// Takes the link header off a frame.
pub(crate) fn open(port: &Port, frame: &mut PacketBuf) -> Result<Opened, DropReason> {
    match port.medium {
        Medium::Ethernet => open_ethernet(port, frame),
        Medium::Gre => open_gre(frame),
    }
}

fn open_ethernet(port: &Port, frame: &mut PacketBuf) -> Result<Opened, DropReason> {
    let (header, payload) =
        ethernet::Header::decode(frame.bytes()).map_err(|_| DropReason::MalformedFrame)?;
    let group = header.destination.is_multicast();
    if !group && header.destination != port.mac {
        return Err(DropReason::NotAddressedToUs);
    }
    if header.source.is_multicast() {
        return Err(DropReason::MalformedFrame);
    }
    let (protocol, skip) = match header.kind {
        Kind::Type(TYPE_IPV4) => (LinkProtocol::Ipv4, 0),
        Kind::Type(TYPE_IPV6) => (LinkProtocol::Ipv6, 0),
        Kind::Type(TYPE_MPLS) => (LinkProtocol::Mpls, 0),
        Kind::Type(TYPE_ARP) => (LinkProtocol::Arp, 0),
        Kind::Type(_) => return Err(DropReason::UnknownProtocol),
        Kind::Length(_) => {
            llc::decode(payload).map_err(|_| DropReason::UnknownProtocol)?;
            (LinkProtocol::Iso, llc::ISO.len())
        }
    };
    let len = payload.len();
    frame.pull_front(ethernet::HEADER_LEN);
    frame.truncate(len);
    frame.pull_front(skip);
    Ok(Opened { protocol, source_mac: Some(header.source), group })
}

fn open_gre(frame: &mut PacketBuf) -> Result<Opened, DropReason> {
    let (header, payload) =
        gre::Header::decode(frame.bytes()).map_err(|_| DropReason::MalformedFrame)?;
    let protocol = match header.protocol {
        TYPE_IPV4 => LinkProtocol::Ipv4,
        TYPE_IPV6 => LinkProtocol::Ipv6,
        TYPE_MPLS => LinkProtocol::Mpls,
        gre::TYPE_ISO => LinkProtocol::Iso,
        _ => return Err(DropReason::UnknownProtocol),
    };
    let header_len = frame.len() - payload.len();
    frame.pull_front(header_len);
    Ok(Opened { protocol, source_mac: None, group: false })
}

impl Lane<'_> {
    /// Sends a packet to a neighbour, or holds it back where the neighbour is not known.
    pub(crate) fn deliver(
        &mut self,
        origin: Origin,
        (id, neighbour): (PortId, IpAddr),
        protocol: LinkProtocol,
        packet: PacketBuf,
    ) {
        let medium = self.tables.port(id).map(|port| port.medium);
        let station = match medium {
            None => return self.drop(origin, DropReason::UnknownPort),
            Some(Medium::Gre) => Some(MacAddr::BROADCAST),
            Some(Medium::Ethernet) => {
                multicast_station(neighbour).or_else(|| self.tables.neighbour(id, neighbour))
            }
        };
        match station {
            Some(station) => self.transmit(origin, id, station, protocol, packet),
            None => {
                let sender = origin.sender();
                let address = neighbour;
                self.out.push(Verdict::Resolve { port: id, address, protocol, packet, sender });
            }
        }
    }

    /// The one place where a frame leaves.
    pub(crate) fn transmit(
        &mut self,
        origin: Origin,
        id: PortId,
        station: MacAddr,
        protocol: LinkProtocol,
        mut packet: PacketBuf,
    ) {
        let Some(port) = self.tables.port(id) else {
            return self.drop(origin, DropReason::UnknownPort);
        };
        let pushed = match port.medium {
            Medium::Ethernet => push_ethernet(port.mac, station, protocol, &mut packet),
            Medium::Gre => push_gre(protocol, &mut packet),
        };
        if let Err(reason) = pushed {
            return self.drop(origin, reason);
        }
        self.state.counters.port_mut(id).sent.add(packet.len());
        self.out.push(Verdict::Transmit { port: id, frame: packet });
    }
}

fn push_ethernet(
    source: MacAddr,
    destination: MacAddr,
    protocol: LinkProtocol,
    packet: &mut PacketBuf,
) -> Result<(), DropReason> {
    let kind = match protocol {
        LinkProtocol::Ipv4 => Kind::Type(TYPE_IPV4),
        LinkProtocol::Ipv6 => Kind::Type(TYPE_IPV6),
        LinkProtocol::Mpls => Kind::Type(TYPE_MPLS),
        LinkProtocol::Arp => Kind::Type(TYPE_ARP),
        LinkProtocol::Iso => {
            packet.push(&llc::ISO);
            let len = u16::try_from(packet.len()).ok().filter(|len| *len <= ethernet::LENGTH_MAX);
            Kind::Length(len.ok_or(DropReason::MtuExceeded)?)
        }
    };
    packet.push(&ethernet::Header { destination, source, kind }.encode());
    Ok(())
}

fn push_gre(protocol: LinkProtocol, packet: &mut PacketBuf) -> Result<(), DropReason> {
    let protocol = match protocol {
        LinkProtocol::Ipv4 => TYPE_IPV4,
        LinkProtocol::Ipv6 => TYPE_IPV6,
        LinkProtocol::Mpls => TYPE_MPLS,
        LinkProtocol::Iso => gre::TYPE_ISO,
        LinkProtocol::Arp => return Err(DropReason::UnknownProtocol),
    };
    packet.push(&gre::Header { protocol }.encode());
    Ok(())
}

/// The station address of a multicast group, which needs no resolution.
fn multicast_station(group: IpAddr) -> Option<MacAddr> {
    match group {
        IpAddr::V4(group) if group.is_multicast() => {
            let [_, b, c, d] = group.octets();
            Some(MacAddr([0x01, 0x00, 0x5e, b & 0x7f, c, d]))
        }
        IpAddr::V6(group) if group.is_multicast() => Some(ndp::multicast_mac(group)),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}
