//! Putting a packet on its way through the core: the hop, the labels, the fit.
//!
//! A packet that does not fit the hop's link is fragmented beneath its labels where it is IPv4
//! and may be; otherwise its sender is told how much would have fitted (RFC 3032 §3.4, §3.5).
//!
//! Standards: RFC 3032 §2.1 (order of the stack), §3.1 to §3.5 (packets too long), RFC 3443 §3.1 and
//! §3.2 (a label that is uncovered keeps its time to live, unless it began with a lower one).
//! Not implemented: none.

use core::net::IpAddr;

use base::{Label, PortId};
use packet::PacketBuf;
use packet::icmp::Cause;
use packet::ip::Packet;
use packet::mpls::{ENTRY_LEN, LabelEntry, STACK_DEPTH_MAX};

use crate::fragment::fragments;
use crate::lane::{Lane, Origin};
use crate::link::LinkProtocol;
use crate::tables::{Hop, TransportId};
use crate::{DropReason, ecmp};

/// The time to live of a fresh label (RFC 3443 §3.2: nothing of the packet's own shows), unless the
/// router probes its way.
pub(crate) const FRESH_TTL: u8 = 255;
/// The lowest that a label has which began with [`FRESH_TTL`]: no way has half as many routers.
/// Lower ones are of probes, and of routers that take over their packets' (RFC 3443 §3.1).
const PIPE_TTL_MIN: u8 = 128;

/// What the new labels of a packet carry besides their values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marking {
    pub(crate) traffic_class: u8,
    pub(crate) ttl: u8,
}

impl Lane<'_> {
    /// Sends a packet, which has `depth` labels on, by a transport: pushes `service`, if any, and
    /// then the labels of the hop that its flow takes.
    pub(crate) fn send_by(
        &mut self,
        origin: Origin,
        (via, service): (TransportId, Option<Label>),
        marking: Marking,
        depth: usize,
        packet: PacketBuf,
    ) {
        let tables = self.tables;
        let Some(hop) = ecmp::choose(tables, via, self.state.seed, packet.bytes(), depth > 0)
        else {
            return self.drop(origin, DropReason::NoUsablePath);
        };
        let wanted = hop.labels.iter().filter(|label| **label != Label::IMPLICIT_NULL);
        let labels = wanted.count() + usize::from(service.is_some());
        if depth + labels > STACK_DEPTH_MAX {
            return self.drop(origin, DropReason::StackTooDeep);
        }
        let Some(port) = tables.port(hop.port) else {
            return self.drop(origin, DropReason::NoUsablePath);
        };
        let limit = usize::from(if depth + labels > 0 { port.mpls_mtu } else { port.mtu });
        if packet.len() + labels * ENTRY_LEN <= limit {
            return self.push_and_deliver(origin, hop, service, marking, depth, packet);
        }
        let beneath = depth * ENTRY_LEN;
        let room = limit.saturating_sub(beneath + labels * ENTRY_LEN);
        for mut piece in self.fit(origin, beneath, room, &packet) {
            piece.push(packet.bytes().get(..beneath).unwrap_or_default());
            self.push_and_deliver(origin, hop, service, marking, depth, piece);
        }
    }

    fn push_and_deliver(
        &mut self,
        origin: Origin,
        hop: &Hop,
        service: Option<Label>,
        marking: Marking,
        depth: usize,
        mut packet: PacketBuf,
    ) {
        let Marking { traffic_class, ttl } = marking;
        let (mut bottom, mut uncovers) = (depth == 0, depth > 0);
        let pushed = hop.labels.iter().copied().filter(|label| *label != Label::IMPLICIT_NULL);
        for label in service.into_iter().chain(pushed.rev()) {
            packet.push(&LabelEntry { label, traffic_class, bottom, ttl }.encode());
            (bottom, uncovers) = (false, false);
        }
        if uncovers
            && let Some(left) = packet.bytes_mut().get_mut(ENTRY_LEN - 1)
            && *left < PIPE_TTL_MIN
        {
            *left = ttl.min(*left);
        }
        let protocol = if bottom { ip_protocol(packet.bytes()) } else { Some(LinkProtocol::Mpls) };
        match protocol {
            Some(protocol) => {
                self.deliver(origin, (hop.port, hop.neighbour), protocol, packet);
            }
            None => self.drop(origin, DropReason::MalformedPacket),
        }
    }

    /// Sends an unlabelled IP packet to a neighbour on a port, in fragments where it must be.
    pub(crate) fn send_port(
        &mut self,
        origin: Origin,
        id: PortId,
        neighbour: IpAddr,
        packet: PacketBuf,
    ) {
        let Some(port) = self.tables.port(id) else {
            return self.drop(origin, DropReason::UnknownPort);
        };
        let Some(protocol) = ip_protocol(packet.bytes()) else {
            return self.drop(origin, DropReason::MalformedPacket);
        };
        let mtu = usize::from(port.mtu);
        if packet.len() <= mtu {
            return self.deliver(origin, (id, neighbour), protocol, packet);
        }
        for piece in self.fit(origin, 0, mtu, &packet) {
            self.deliver(origin, (id, neighbour), protocol, piece);
        }
    }

    /// The fragments, of at most `room` octets, of the IP packet at offset `beneath`. Where it
    /// must not be fragmented its sender is told, the packet is dropped and there are none.
    fn fit(
        &mut self,
        origin: Origin,
        beneath: usize,
        room: usize,
        packet: &PacketBuf,
    ) -> Vec<PacketBuf> {
        let inner = packet.bytes().get(beneath..).unwrap_or_default();
        if let Some(fragments) = fragments(inner, room) {
            return fragments;
        }
        if let Ok(ip) = Packet::decode(inner) {
            let mtu = u32::try_from(room).unwrap_or(u32::MAX);
            self.report(origin, Cause::PacketTooBig { mtu }, &ip, inner);
        }
        self.drop(origin, DropReason::MtuExceeded);
        Vec::new()
    }
}

/// Which IP version the packet says it is.
pub(crate) fn ip_protocol(bytes: &[u8]) -> Option<LinkProtocol> {
    match bytes.first()? >> 4 {
        4 => Some(LinkProtocol::Ipv4),
        6 => Some(LinkProtocol::Ipv6),
        _ => None,
    }
}
