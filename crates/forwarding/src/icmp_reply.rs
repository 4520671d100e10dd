//! What the lane answers itself: echoes, and errors about packets that it cannot forward.
//!
//! An echo to one of the router's addresses is answered at once, so that `ping` measures the
//! network and not the control lane. An error quotes as much of its packet as fits, names the
//! labels with which the packet came, and leaves by the routes of wherever the packet was: its
//! VRF, the region's own table, or, in transit, onward along the packet's own path.
//!
//! Errors are never sent about ICMP errors, later fragments or group addresses, and at a bounded
//! rate.
//!
//! Standards: RFC 792, RFC 4443 §2.4, RFC 1812 §4.3.2, RFC 1122 §3.2.2 (when none is sent),
//! RFC 3032 §2.3 (labelled packets), RFC 4884, RFC 4950.
//! Not implemented: parameter problem, source quench, redirect.

use core::net::IpAddr;

use base::VrfId;
use packet::PacketBuf;
use packet::icmp::{self, Cause, Extension, HEADER_LEN, Message, Report, Unreachable};
use packet::ip::{self, Fragment, Packet};
use packet::mpls::LabelEntry;
use packet::{ipv4, ipv6};

use crate::DropReason;
use crate::access::is_icmp_error;
use crate::global::is_link_local;
use crate::lane::{Lane, Origin, PuntKind, Realm, Stack};
use crate::send::FRESH_TTL;
use crate::tables::{GlobalRoute, PortKind};

/// The time to live of what the lane sends, as RFC 1700 recommends.
const OWN_TTL: u8 = 64;
/// RFC 1812 §4.3.2.3: an ICMP error is at most this long.
const ERROR_LEN_MAX_V4: usize = 576;
/// RFC 4443 §2.4 (c): an ICMPv6 error is at most this long.
const ERROR_LEN_MAX_V6: usize = 1280;
/// The extension structure's header and one object's.
const EXTENSION_HEADERS_LEN: usize = 8;

const fn icmp_protocol(v6: bool) -> u8 {
    if v6 { icmp::PROTOCOL_V6 } else { icmp::PROTOCOL_V4 }
}

impl Lane<'_> {
    /// A packet for the router itself: answered where it asks for an echo, and else handed to the
    /// control lane.
    pub(crate) fn local(
        &mut self,
        origin: Origin,
        vrf: Option<VrfId>,
        ip: &Packet,
        packet: PacketBuf,
    ) {
        let v6 = ip.source.is_ipv6();
        let request = if v6 { 128 } else { 8 };
        let bytes = ip.payload(packet.bytes());
        let asks = ip.protocol == icmp_protocol(v6)
            && ip.fragment == Fragment::Whole
            && bytes.first() == Some(&request);
        if !asks {
            let attached = matches!(
                origin.port.and_then(|id| self.tables.port(id)).map(|port| &port.kind),
                Some(PortKind::Attachment { .. })
            );
            // From afar nothing but echoes, and what comes back of the router's own, is for a VRF's
            // own addresses.
            if vrf.is_some() && !attached {
                return self.answer_from_afar(origin, vrf, ip, packet);
            }
            return self.punt(origin, vrf, PuntKind::Local, packet);
        }
        let Some(port) = origin.port else {
            return self.drop(origin, DropReason::OwnDestination);
        };
        let Ok(Message::EchoRequest(echo)) = Message::decode(ip.source, ip.destination, bytes)
        else {
            return self.drop(origin, DropReason::MalformedPacket);
        };
        if !self.may_echo(port) {
            return self.drop(origin, DropReason::EchoLimited);
        }
        let reply = Message::EchoReply(echo).encode(ip.destination, ip.source);
        let pair = (ip.destination, ip.source);
        let reply = ip::encode(pair, icmp_protocol(v6), (ip.traffic_class, OWN_TTL), &reply);
        if let Some(reply) = reply {
            self.send_echo(origin, vrf, ip.source, PacketBuf::from_slice(&reply));
        }
    }

    /// A packet that came by label to one of the router's addresses in a VRF: echo replies and ICMP
    /// errors are handed to the control lane, at a rate of their own, so that nobody in the VRF can
    /// crowd out the sessions of the port.
    fn answer_from_afar(
        &mut self,
        origin: Origin,
        vrf: Option<VrfId>,
        ip: &Packet,
        packet: PacketBuf,
    ) {
        let v6 = ip.source.is_ipv6();
        let reply = if v6 { 129 } else { 0 };
        let replies =
            ip.protocol == icmp_protocol(v6) && ip.payload(packet.bytes()).first() == Some(&reply);
        let answers = replies || is_icmp_error(ip, packet.bytes());
        let Some(port) = origin.port.filter(|_| answers && ip.fragment == Fragment::Whole) else {
            return self.drop(origin, DropReason::NoListener);
        };
        if !self.may_take_answer(port) {
            return self.drop(origin, DropReason::PuntLimited);
        }
        self.hand_over(origin, (port, vrf), PuntKind::Local, packet);
    }

    /// An echo goes back by the routes of where it was asked for; to a neighbour whose address
    /// is on the link alone, through the port on which it was asked for.
    fn send_echo(&mut self, origin: Origin, vrf: Option<VrfId>, to: IpAddr, reply: PacketBuf) {
        let own = Origin::own(Realm::Silent);
        let kind = origin.port.and_then(|id| self.tables.port(id)).map(|port| &port.kind);
        let on_uplink = matches!(kind, Some(PortKind::Uplink { .. }));
        let route = self.tables.global().longest_match(to).map(|(_, route)| *route);
        let routed = matches!(route, Some(GlobalRoute::Via(_))) && !on_uplink;
        match (vrf, origin.port) {
            (_, Some(port)) if is_link_local(to) => self.send_port(own, port, to, reply),
            (Some(vrf), _) => self.send_vrf(own, vrf, reply),
            (None, Some(port)) if !routed => self.send_port(own, port, to, reply),
            (None, _) => self.send_global(own, reply),
        }
    }

    /// Tells the sender that its packet cannot be delivered.
    pub(crate) fn unreachable(
        &mut self,
        origin: Origin,
        why: Unreachable,
        ip: &Packet,
        bytes: &[u8],
    ) {
        self.report(origin, Cause::Unreachable(why), ip, bytes);
    }

    /// Tells the sender of the IP packet `bytes` what became of it, where that is allowed.
    pub(crate) fn report(&mut self, origin: Origin, cause: Cause, ip: &Packet, bytes: &[u8]) {
        let unanswered = origin.realm == Realm::Silent
            || ip.fragment == Fragment::Later
            || is_icmp_error(ip, bytes)
            || ip.destination.is_multicast()
            || ip.source.is_multicast()
            || ip.source.is_unspecified()
            || is_link_local(ip.source);
        if unanswered {
            return;
        }
        let Some(source) = self.own_address(origin, ip.source.is_ipv6()) else { return };
        if !origin.port.is_some_and(|port| self.may_report(port)) {
            return;
        }
        let v6 = source.is_ipv6();
        let report = report(origin.stack.entries(), cause, v6, bytes);
        let message = Message::Error(report).encode(source, ip.source);
        let Some(error) =
            ip::encode((source, ip.source), icmp_protocol(v6), (0, OWN_TTL), &message)
        else {
            return;
        };
        let error = PacketBuf::from_slice(&error);
        let own = Origin::own(Realm::Silent);
        match origin.realm {
            Realm::Silent => {}
            Realm::Global => self.send_global(own, error),
            Realm::Vrf(vrf) => self.send_vrf(own, vrf, error),
            Realm::Onward(space) => {
                let mut packet = error;
                for entry in origin.stack.entries().iter().rev() {
                    packet.push(&LabelEntry { ttl: FRESH_TTL, ..*entry }.encode());
                }
                if let Ok(stack) = Stack::read(packet.bytes()) {
                    self.switch(own, space, &stack, packet);
                }
            }
        }
    }

    /// The address from which the router speaks about a packet: of the VRF or the router, and
    /// else of the port on which it came.
    fn own_address(&self, origin: Origin, v6: bool) -> Option<IpAddr> {
        let speaks = match origin.realm {
            Realm::Silent => None,
            Realm::Global | Realm::Onward(_) => self.tables.loopback(v6),
            Realm::Vrf(vrf) => self.tables.vrf(vrf).and_then(|vrf| vrf.gateway(v6)),
        };
        speaks.or_else(|| {
            let port = self.tables.port(origin.port?)?;
            let routed = |address: &&core::net::Ipv6Addr| !address.is_unicast_link_local();
            if v6 {
                port.v6.iter().find(routed).copied().map(IpAddr::V6)
            } else {
                port.v4.map(IpAddr::V4)
            }
        })
    }
}

/// The error about the packet `bytes` that came with these labels, cut to the length allowed.
fn report(stack: &[LabelEntry], cause: Cause, v6: bool, bytes: &[u8]) -> Report {
    let (len_max, ip_header, unit) = if v6 {
        (ERROR_LEN_MAX_V6, ipv6::HEADER_LEN, 8)
    } else {
        (ERROR_LEN_MAX_V4, ipv4::HEADER_LEN, 4)
    };
    let extensions_len = match stack {
        [] => 0,
        stack => EXTENSION_HEADERS_LEN + stack.len() * packet::mpls::ENTRY_LEN,
    };
    let room = (len_max - ip_header - HEADER_LEN - extensions_len) / unit * unit;
    let quoted = bytes.get(..room).unwrap_or(bytes).to_vec();
    let extensions = match stack {
        [] => Vec::new(),
        stack => vec![Extension::LabelStack(stack.to_vec())],
    };
    Report { cause, quoted, extensions }
}
