//! The region's own traffic: IP between routers, outside every VRF.
//!
//! From a core router it is for this router or goes on by the region's own table; from an uplink
//! it is for this end of the uplink or it is dropped, so that a site can speak with its own core
//! router and with nothing behind it.
//!
//! Standards: RFC 791, RFC 8200, RFC 1812 §5.3.7 (addresses that are never forwarded), RFC 4291
//! §2.5.6 (link-local), RFC 4861 §7.1 and RFC 6980 (neighbour discovery is not fragmented).
//! Not implemented: forwarding of unlabelled multicast.

use core::net::{IpAddr, Ipv4Addr};

use packet::icmp::{self, Unreachable};
use packet::ip::{Fragment, Packet};
use packet::{PacketBuf, ndp};

use crate::lane::{Lane, Origin};
use crate::link::LinkProtocol;
use crate::send::{Marking, ip_protocol};
use crate::tables::{GlobalRoute, Port};
use crate::{DropReason, classes};

/// Whether a packet is a whole message of neighbour discovery.
pub(crate) fn is_neighbour_discovery(ip: &Packet, bytes: &[u8]) -> bool {
    ip.source.is_ipv6()
        && ip.protocol == icmp::PROTOCOL_V6
        && ip.fragment == Fragment::Whole
        && ip.payload(bytes).first().is_some_and(|kind| ndp::TYPES.contains(kind))
}

/// Whether an address has its meaning on one link only.
pub(crate) const fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// Whether an address can be nobody's: it begins with zero, is a loopback or an IPv4 address
/// inside an IPv6 one (RFC 1122 §3.2.1.3, RFC 4291 §2.5).
const fn is_nobodys(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => matches!(address.octets(), [0 | 127, ..]),
        IpAddr::V6(address) => {
            address.is_unspecified() || address.is_loopback() || address.to_ipv4_mapped().is_some()
        }
    }
}

const fn is_group(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_multicast() || address.is_broadcast(),
        IpAddr::V6(address) => address.is_multicast(),
    }
}

impl Lane<'_> {
    /// Reads an IP packet and trims it to its length; its addresses can be somebody's.
    pub(crate) fn read_ip(
        &self,
        packet: &mut PacketBuf,
        protocol: LinkProtocol,
    ) -> Result<Packet, DropReason> {
        if ip_protocol(packet.bytes()) != Some(protocol) {
            return Err(DropReason::MalformedPacket);
        }
        let ip = Packet::decode(packet.bytes()).map_err(|_| DropReason::MalformedPacket)?;
        packet.truncate(ip.len);
        // RFC 4862 §5.4: only a check for one's own address is sent from nobody.
        let checks_address =
            ip.source.is_unspecified() && is_neighbour_discovery(&ip, packet.bytes());
        if is_group(ip.source) || (is_nobodys(ip.source) && !checks_address) {
            return Err(DropReason::InvalidAddress);
        }
        if is_nobodys(ip.destination) {
            return Err(DropReason::InvalidAddress);
        }
        if ip.destination == IpAddr::V4(Ipv4Addr::BROADCAST) {
            return Err(DropReason::Multicast);
        }
        Ok(ip)
    }

    /// Whether an address is this router's, as seen from a port.
    pub(crate) fn is_local(&self, port: &Port, address: IpAddr) -> bool {
        let route = self.tables.global().longest_match(address).map(|(_, route)| *route);
        port.owns(address) || route == Some(GlobalRoute::Local)
    }

    /// An IP packet from a core router, with labels or without.
    pub(crate) fn global(&mut self, origin: Origin, port: &Port, ip: &Packet, packet: PacketBuf) {
        if self.is_local(port, ip.destination) {
            return self.local(origin, None, ip, packet);
        }
        if ip.destination.is_multicast() {
            return self.drop(origin, DropReason::Multicast);
        }
        if is_link_local(ip.source) || is_link_local(ip.destination) {
            return self.drop(origin, DropReason::LinkLocal);
        }
        self.route_global(origin, true, ip, packet);
    }

    /// An IP packet from an uplink, with a label or without.
    pub(crate) fn uplink(&mut self, origin: Origin, port: &Port, ip: &Packet, packet: PacketBuf) {
        if port.owns(ip.destination) {
            self.local(origin, None, ip, packet);
        } else if ip.destination.is_multicast() {
            self.drop(origin, DropReason::Multicast);
        } else {
            self.drop(origin, DropReason::UplinkTransit);
        }
    }

    /// A packet of the router's own.
    pub(crate) fn send_global(&mut self, origin: Origin, mut packet: PacketBuf) {
        let Some(protocol) = ip_protocol(packet.bytes()) else {
            return self.drop(origin, DropReason::MalformedPacket);
        };
        match self.read_ip(&mut packet, protocol) {
            Ok(ip) => self.route_global(origin, false, &ip, packet),
            Err(reason) => self.drop(origin, reason),
        }
    }

    fn route_global(&mut self, origin: Origin, ages: bool, ip: &Packet, mut packet: PacketBuf) {
        let route = self.tables.global().longest_match(ip.destination).map(|(_, route)| *route);
        match route {
            None => {
                self.unreachable(origin, Unreachable::NoRoute, ip, packet.bytes());
                self.drop(origin, DropReason::NoRoute);
            }
            Some(GlobalRoute::Local) => self.drop(origin, DropReason::OwnDestination),
            Some(GlobalRoute::Via(via)) => {
                if ages && !self.age(origin, ip, &mut packet) {
                    return;
                }
                let traffic_class = classes::traffic_class(ip.traffic_class);
                let marking = Marking { traffic_class, ttl: origin.label_ttl };
                self.send_by(origin, (via, None), marking, 0, packet);
            }
        }
    }
}
