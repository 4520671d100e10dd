//! Label switching: from the label on top to what is done with the packet.
//!
//! Labels are looked up in the space of the port on which they came. On an uplink that space
//! holds only what was advertised there, a packet has exactly one label, and the null labels,
//! which would lead out of every VRF, are not understood at all: a site can reach no VRF that it
//! was not told of. What is beneath must come from the site's own addresses, because the access
//! rules at the far end judge by them; or it is an error of a core router about a packet for the
//! site, which was handed on to the site to be sent back. About other packets a site cannot send
//! errors in a core router's name.
//!
//! The time to live of a label is taken down by one at each swap. A label whose time is up is
//! not taken off to let the packet go on (RFC 3032 §2.4.2), but one that ends at this router may
//! still deliver to it.
//!
//! Standards: RFC 3031, RFC 3032 §2.1 (null labels), §2.3.2 (errors of packets in transit), §2.4
//! (time to live), RFC 3443 (short pipe model), RFC 4182 (null labels anywhere), RFC 8660 (node
//! segments).
//! Not implemented: router alert, entropy labels (RFC 6790), the extension label (RFC 7274),
//! GAL (RFC 5586); packets with these on top are dropped with a reason.

use base::{Label, LabelSpace, Prefix, VrfId};
use packet::PacketBuf;
use packet::icmp::{self, Cause};
use packet::ip::Packet;
use packet::mpls::{ENTRY_LEN, LabelEntry};

use crate::DropReason;
use crate::access::{covered, is_icmp_error};
use crate::lane::{Lane, Origin, Realm, Stack};
use crate::send::{Marking, ip_protocol};
use crate::tables::{LabelAction, Path, PortKind};

const ROUTER_ALERT: Label = Label::masked(1);

/// What the label on top asks for.
enum Step<'a> {
    Pop,
    Vrf(VrfId),
    Swap(&'a [Path]),
    Transit(crate::tables::TransportId),
}

impl<'a> Lane<'a> {
    /// Handles a labelled packet that came with labels of this space.
    pub(crate) fn labelled(&mut self, origin: Origin, space: LabelSpace, packet: PacketBuf) {
        match Stack::read(packet.bytes()) {
            Ok(stack) => self.switch(Origin { stack, ..origin }, space, &stack, packet),
            Err(reason) => self.drop(origin, reason),
        }
    }

    /// Works down the stack of a packet until the packet has left. `stack` is the packet's own;
    /// the origin's is what it is quoted with.
    pub(crate) fn switch(
        &mut self,
        origin: Origin,
        space: LabelSpace,
        stack: &Stack,
        mut packet: PacketBuf,
    ) {
        let mut expired = false;
        let depth = stack.entries().len();
        for (index, entry) in stack.entries().iter().enumerate() {
            let step = match self.step(origin, space, *entry, depth) {
                Ok(step) => step,
                Err(reason) => return self.drop(origin, reason),
            };
            if index == 0 && !self.source_belongs(origin, depth, &packet) {
                return self.drop(origin, DropReason::SpoofedSource);
            }
            expired |= entry.ttl <= 1;
            packet.pull_front(ENTRY_LEN);
            let left = depth - index - 1;
            match step {
                Step::Pop if entry.bottom => return self.beneath(origin, expired, packet),
                Step::Pop => {}
                Step::Vrf(vrf) => {
                    return self.service(origin, (vrf, expired), packet);
                }
                Step::Swap(paths) => {
                    return self.swap(origin, (space, expired), paths, *entry, packet);
                }
                Step::Transit(via) => {
                    let origin = origin.moved(Realm::Onward(space));
                    if expired {
                        return self.expire(origin, left * ENTRY_LEN, &packet);
                    }
                    let marking =
                        Marking { traffic_class: entry.traffic_class, ttl: entry.ttl - 1 };
                    return self.send_by(origin, (via, None), marking, left, packet);
                }
            }
        }
    }

    /// Whether the packet under a stack of this depth comes from where its uplink lets it.
    fn source_belongs(&self, origin: Origin, depth: usize, packet: &PacketBuf) -> bool {
        let port = origin.port.and_then(|id| self.tables.port(id));
        let Some(PortKind::Uplink { sources: Some(sources), .. }) = port.map(|port| &port.kind)
        else {
            return true;
        };
        let beneath = packet.bytes().get(depth * ENTRY_LEN..).unwrap_or_default();
        Packet::decode(beneath)
            .is_ok_and(|ip| covered(sources, ip.source) || self.is_sent_back(sources, &ip, beneath))
    }

    /// Whether a packet is an error of one of the region's routers about a packet that was for these
    /// addresses: the router in transit did not know the way back (RFC 3032 §2.3.2).
    fn is_sent_back(&self, sources: &[Prefix], ip: &Packet, bytes: &[u8]) -> bool {
        let quoted = ip.payload(bytes).get(icmp::HEADER_LEN..).unwrap_or_default();
        is_icmp_error(ip, bytes)
            && self.tables.global().longest_match(ip.source).is_some()
            && Packet::decode_quoted(quoted).is_ok_and(|about| {
                about.source == ip.destination && covered(sources, about.destination)
            })
    }

    fn step(
        &self,
        origin: Origin,
        space: LabelSpace,
        entry: LabelEntry,
        depth: usize,
    ) -> Result<Step<'a>, DropReason> {
        let tables = self.tables;
        let step = match tables.label(space, entry.label) {
            Some(LabelAction::Pop) => Step::Pop,
            Some(LabelAction::Vrf(vrf)) => Step::Vrf(*vrf),
            Some(LabelAction::Swap { paths }) => Step::Swap(paths),
            Some(LabelAction::Transit(via)) => Step::Transit(*via),
            None if space != LabelSpace::Platform => return Err(DropReason::LabelNotAdvertised),
            None => match entry.label {
                Label::EXPLICIT_NULL_V4 | Label::EXPLICIT_NULL_V6 => Step::Pop,
                ROUTER_ALERT => return Err(DropReason::RouterAlertLabel),
                label if label < Label::FIRST_FREE => return Err(DropReason::ReservedLabel),
                _ => return Err(DropReason::LabelNotAdvertised),
            },
        };
        let on_uplink = origin
            .port
            .and_then(|id| tables.port(id))
            .is_some_and(|port| matches!(port.kind, PortKind::Uplink { .. }));
        let service = matches!(step, Step::Vrf(_) | Step::Swap(_));
        if (on_uplink && depth > 1) || (service && !entry.bottom) {
            return Err(DropReason::LabelBeneathService);
        }
        Ok(step)
    }

    fn swap(
        &mut self,
        origin: Origin,
        (space, expired): (LabelSpace, bool),
        paths: &[Path],
        entry: LabelEntry,
        packet: PacketBuf,
    ) {
        let origin = origin.moved(Realm::Onward(space));
        if expired {
            return self.expire(origin, 0, &packet);
        }
        let Some(path) = self.tables.usable_path(paths) else {
            return self.drop(origin, DropReason::NoUsablePath);
        };
        let marking = Marking { traffic_class: entry.traffic_class, ttl: entry.ttl - 1 };
        self.send_by(origin, (path.via, Some(path.label)), marking, 0, packet);
    }

    /// An IP packet under one of our service labels.
    fn service(&mut self, origin: Origin, (vrf, expired): (VrfId, bool), mut packet: PacketBuf) {
        let origin = origin.moved(Realm::Vrf(vrf));
        let Some(protocol) = ip_protocol(packet.bytes()) else {
            return self.drop(origin, DropReason::MalformedPacket);
        };
        match self.read_ip(&mut packet, protocol) {
            Ok(_) if expired => self.expire(origin, 0, &packet),
            Ok(ip) => self.delivered(origin, vrf, &ip, packet),
            Err(reason) => self.drop(origin, reason),
        }
    }

    /// An IP packet under labels that all ended here.
    fn beneath(&mut self, origin: Origin, expired: bool, mut packet: PacketBuf) {
        let Some(protocol) = ip_protocol(packet.bytes()) else {
            return self.drop(origin, DropReason::MalformedPacket);
        };
        let ip = match self.read_ip(&mut packet, protocol) {
            Ok(ip) => ip,
            Err(reason) => return self.drop(origin, reason),
        };
        let Some(port) = origin.port.and_then(|id| self.tables.port(id)) else {
            return self.drop(origin, DropReason::UnknownPort);
        };
        match port.kind {
            PortKind::Core if expired && !self.is_local(port, ip.destination) => {
                self.expire(origin, 0, &packet);
            }
            PortKind::Core => self.global(origin, port, &ip, packet),
            PortKind::Uplink { .. } => self.uplink(origin, port, &ip, packet),
            PortKind::Attachment { .. } => self.drop(origin, DropReason::MplsNotAllowed),
        }
    }

    /// Drops a packet whose time is up and tells its sender, whose packet is at this offset.
    pub(crate) fn expire(&mut self, origin: Origin, offset: usize, packet: &PacketBuf) {
        let inner = packet.bytes().get(offset..).unwrap_or_default();
        if let Ok(ip) = Packet::decode(inner) {
            self.report(origin, Cause::TimeExceeded { code: 0 }, &ip, inner);
        }
        self.drop(origin, DropReason::TtlExpired);
    }
}
