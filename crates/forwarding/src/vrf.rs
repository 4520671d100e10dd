//! Forwarding in a VRF: from an attachment into the core, and from the core to an attachment.
//!
//! What comes from an attachment must have a source that belongs to it, and must be allowed out
//! by the access rules of its VRF; what leaves to an attachment must be allowed in by the rules
//! of that attachment's VRF, which is not always the one whose routes led there. A packet that
//! came by label is not sent back into the core: with a backup path on both routers of a site
//! two of them could toss it to and fro. ICMP errors of the region's own routers are excepted,
//! because a core router in transit hands its errors to the far end of the path to be sent back
//! (RFC 3032 §2.3.2); they are never answered with another error, their time to live ends a loop,
//! and no uplink lets a site use those addresses for anything else.
//!
//! Standards: RFC 4364 §5 (forwarding), RFC 3704 (ingress filtering), RFC 2644 (no directed
//! broadcast), RFC 1812 §5.3.1 (time to live).
//! Not implemented: redirects; multicast VPN (RFC 6513).

use core::net::IpAddr;

use base::{PortId, Prefix, VrfId};
use packet::icmp::Unreachable;
use packet::ip::Packet;
use packet::{PacketBuf, ipv4, ipv6};

use crate::access::{self, Direction, Refusal};
use crate::global::is_link_local;
use crate::lane::{Lane, Origin, Realm};
use crate::send::{Marking, ip_protocol};
use crate::tables::{Path, Port, PortKind, VrfRoute};
use crate::{DropReason, classes};

/// How a packet came to be looked up in a VRF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    Attachment,
    Core,
    Own,
}

const fn reason(refusal: Refusal) -> DropReason {
    match refusal {
        Refusal::NoRule => DropReason::AccessNoRule,
        Refusal::NotPermitted(_) => DropReason::AccessNotPermitted,
        Refusal::Fragment => DropReason::AccessFragment,
        Refusal::Unreadable => DropReason::AccessUnreadable,
        Refusal::SourceRoute => DropReason::AccessSourceRoute,
    }
}

impl Lane<'_> {
    /// A packet from an attachment.
    pub(crate) fn attachment(
        &mut self,
        origin: Origin,
        port: &Port,
        (vrf, sources): (VrfId, &[Prefix]),
        ip: &Packet,
        packet: PacketBuf,
    ) {
        let origin = origin.moved(Realm::Vrf(vrf));
        if ip.destination.is_multicast() {
            return self.drop(origin, DropReason::Multicast);
        }
        let belongs = sources.iter().any(|prefix| prefix.contains(ip.source));
        // To this end of the link itself: rules are about what lies beyond.
        if port.owns(ip.destination) && (belongs || is_link_local(ip.source)) {
            return self.local(origin, Some(vrf), ip, packet);
        }
        if is_link_local(ip.source) || is_link_local(ip.destination) {
            return self.drop(origin, DropReason::LinkLocal);
        }
        if !belongs {
            return self.drop(origin, DropReason::SpoofedSource);
        }
        let Some(access) = self.tables.vrf(vrf).map(|vrf| &vrf.access) else {
            return self.drop(origin, DropReason::UnknownVrf);
        };
        match access::check(access, Direction::Outbound, ip, packet.bytes()) {
            Ok(_) => self.route(origin, Entry::Attachment, vrf, ip, packet),
            Err(refusal) => self.drop(origin, reason(refusal)),
        }
    }

    /// A packet that came under a service label of this VRF.
    pub(crate) fn delivered(&mut self, origin: Origin, vrf: VrfId, ip: &Packet, packet: PacketBuf) {
        if ip.destination.is_multicast() {
            return self.drop(origin, DropReason::Multicast);
        }
        if is_link_local(ip.source) || is_link_local(ip.destination) {
            return self.drop(origin, DropReason::LinkLocal);
        }
        self.route(origin, Entry::Core, vrf, ip, packet);
    }

    /// A packet of the router's own.
    pub(crate) fn send_vrf(&mut self, origin: Origin, vrf: VrfId, mut packet: PacketBuf) {
        let Some(protocol) = ip_protocol(packet.bytes()) else {
            return self.drop(origin, DropReason::MalformedPacket);
        };
        match self.read_ip(&mut packet, protocol) {
            Ok(ip) => self.route(origin, Entry::Own, vrf, &ip, packet),
            Err(reason) => self.drop(origin, reason),
        }
    }

    fn route(&mut self, origin: Origin, entry: Entry, id: VrfId, ip: &Packet, packet: PacketBuf) {
        let tables = self.tables;
        let Some(vrf) = tables.vrf(id) else {
            return self.drop(origin, DropReason::UnknownVrf);
        };
        match vrf.routes.longest_match(ip.destination).map(|(_, route)| route) {
            None => {
                self.unreachable(origin, Unreachable::NoRoute, ip, packet.bytes());
                self.drop(origin, DropReason::NoRoute);
            }
            Some(VrfRoute::Local) if entry == Entry::Core => {
                match access::check(&vrf.access, Direction::Inbound, ip, packet.bytes()) {
                    Ok(_) => self.local(origin, Some(id), ip, packet),
                    Err(refusal) => self.drop(origin, reason(refusal)),
                }
            }
            Some(VrfRoute::Local) => self.local(origin, Some(id), ip, packet),
            Some(VrfRoute::Attached { port, neighbour }) => {
                let neighbour = neighbour.unwrap_or(ip.destination);
                self.leave(origin, entry, (*port, neighbour), ip, packet);
            }
            Some(VrfRoute::Remote { paths }) => {
                let returned = access::is_icmp_error(ip, packet.bytes())
                    && vrf.access.infrastructure.iter().any(|prefix| prefix.contains(ip.source));
                if entry == Entry::Core && !returned {
                    return self.drop(origin, DropReason::Hairpin);
                }
                self.remote(origin, entry, paths, ip, packet);
            }
        }
    }

    fn remote(
        &mut self,
        origin: Origin,
        entry: Entry,
        paths: &[Path],
        ip: &Packet,
        mut packet: PacketBuf,
    ) {
        let Some(path) = self.tables.usable_path(paths) else {
            self.unreachable(origin, Unreachable::Host, ip, packet.bytes());
            return self.drop(origin, DropReason::NoUsablePath);
        };
        if entry != Entry::Own && !self.age(origin, ip, &mut packet) {
            return;
        }
        let traffic_class = classes::traffic_class(ip.traffic_class);
        let marking = Marking { traffic_class, ttl: origin.label_ttl };
        self.send_by(origin, (path.via, Some(path.label)), marking, 0, packet);
    }

    fn leave(
        &mut self,
        origin: Origin,
        entry: Entry,
        (id, neighbour): (PortId, IpAddr),
        ip: &Packet,
        mut packet: PacketBuf,
    ) {
        let tables = self.tables;
        let Some(port) = tables.port(id) else {
            return self.drop(origin, DropReason::PortDown);
        };
        let PortKind::Attachment { vrf, .. } = &port.kind else {
            return self.drop(origin, DropReason::NoRoute);
        };
        if entry != Entry::Own {
            let Some(access) = tables.vrf(*vrf).map(|vrf| &vrf.access) else {
                return self.drop(origin, DropReason::UnknownVrf);
            };
            let checked = access::check(access, Direction::Inbound, ip, packet.bytes());
            if let Err(refusal) = checked {
                return self.drop(origin, reason(refusal));
            }
        }
        if !port.up {
            self.unreachable(origin, Unreachable::Host, ip, packet.bytes());
            return self.drop(origin, DropReason::PortDown);
        }
        if entry != Entry::Own && !self.age(origin, ip, &mut packet) {
            return;
        }
        self.send_port(origin, id, neighbour, packet);
    }

    /// Takes one off the packet's time to live; drops it and returns false where none is left.
    pub(crate) fn age(&mut self, origin: Origin, ip: &Packet, packet: &mut PacketBuf) -> bool {
        if ip.ttl <= 1 {
            self.expire(origin, 0, packet);
            return false;
        }
        match ip.destination {
            IpAddr::V4(_) => ipv4::decrement_ttl(packet.bytes_mut()),
            IpAddr::V6(_) => ipv6::decrement_hop_limit(packet.bytes_mut()),
        }
        true
    }
}
