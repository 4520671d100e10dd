//! The lane itself: what it keeps, what it answers, and where each frame turns.
//!
//! A frame turns by its protocol and the kind of its port: IS-IS is heard on core links alone,
//! labels never on attachments, and an IP packet is the region's, a site's or a customer's by
//! where it came in, never by what it says.
//!
//! One kind of broadcast is heard: a host on an attachment that asks for an address.
//!
//! Standards: RFC 1122 §3.3.6 (link-layer broadcast), RFC 4861 §6.1.1 and §7.1 (hop limit of router
//! and neighbour discovery), RFC 2131 §4.1 (requests of hosts without an address), RFC 1812 §4.3.2.8 and RFC 4443 §2.4 (f) (rate of errors), RFC 5082 (the time to
//! live is handed on).
//! Not implemented: queueing by class, which is the egress port's.

use std::collections::BTreeMap;

use base::{Instant, LabelSpace, MacAddr, PortId, Prefix, VrfId};
use core::net::{IpAddr, Ipv4Addr};
use packet::icmp::Unreachable;
use packet::ip::Fragment;
use packet::mpls::{LabelEntry, STACK_DEPTH_MAX};
use packet::{PacketBuf, dhcp, ip, udp};

use crate::DropReason;
use crate::counters::Counters;
use crate::link::{self, LinkProtocol};
use crate::rate::{Bucket, Rate};
use crate::send::FRESH_TTL;
use crate::tables::{Port, PortKind, Tables};

/// What a packet that is handed to the control lane is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PuntKind {
    /// An ISO protocol data unit, from its first octet (0x83) on.
    Iso,
    /// An ARP packet.
    Arp,
    /// An IPv6 packet of neighbour or router discovery, its hop limit checked to be 255.
    Ndp,
    /// An IPv4 packet to everybody on an attachment that is for a DHCP server.
    Dhcp,
    /// An IP packet to the router itself, as it arrived: its time to live tells how far it came
    /// (RFC 5082).
    Local,
}

/// What became of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It leaves.
    Transmit {
        /// Through this port.
        port: PortId,
        /// As this frame.
        frame: PacketBuf,
    },
    /// It is for the control lane.
    Punt {
        /// The port on which it arrived.
        port: PortId,
        /// The VRF in which it is for the router; `None` in the region's own table.
        vrf: Option<VrfId>,
        /// What it is.
        kind: PuntKind,
        /// Who sent the frame; `None` in a tunnel.
        source_mac: Option<MacAddr>,
        /// The packet without its link header and labels.
        packet: PacketBuf,
    },
    /// It would leave, but the neighbour's Ethernet address is not known: resolve it and hand
    /// the packet to [`Forwarder::resend`].
    Resolve {
        /// The port through which it leaves.
        port: PortId,
        /// The neighbour.
        address: IpAddr,
        /// What the packet is.
        protocol: LinkProtocol,
        /// The packet with its labels, without a link header.
        packet: PacketBuf,
        /// Where its sender is to be told if nobody answers: the port on which it came, and the VRF
        /// whose routes lead back. `None` where nobody is told.
        sender: Option<(PortId, VrfId)>,
    },
    /// It is gone.
    Drop {
        /// The port on which it arrived; `None` where the router itself sent it.
        port: Option<PortId>,
        /// Why.
        reason: DropReason,
    },
}

/// Errors that one router sends about what one port brings: what a troubleshooter needs, far below
/// what would amplify an attack (RFC 1812 §4.3.2.8, RFC 4443 §2.4 (f)).
const ERRORS: Rate = Rate { per_second: 100, burst: 50 };
/// Echoes that one router answers on one port, apart from everything that keeps links and sessions
/// alive.
const ECHOES: Rate = Rate { per_second: 1000, burst: 200 };
/// ICMP that comes from afar for a VRF's own addresses, on one port: what the router's own probes
/// bring back, apart from everything that keeps links and sessions alive.
const ANSWERS: Rate = Rate { per_second: 200, burst: 100 };
/// Packets for the router itself from a customer's port: a routing session and some pings.
const PUNTS_ATTACHMENT: Rate = Rate { per_second: 1000, burst: 500 };
/// From a site's access: a full set of routes in one burst, and BFD.
const PUNTS_UPLINK: Rate = Rate { per_second: 5000, burst: 5000 };
/// From a core router: floods of link-state PDUs and the reflector's whole table.
const PUNTS_CORE: Rate = Rate { per_second: 50_000, burst: 50_000 };

/// The forwarding lane.
#[derive(Debug, Clone)]
pub struct Forwarder {
    pub(crate) seed: u64,
    pub(crate) counters: Counters,
    errors: BTreeMap<PortId, Bucket>,
    echoes: BTreeMap<PortId, Bucket>,
    answers: BTreeMap<PortId, Bucket>,
    punts: BTreeMap<PortId, Bucket>,
}

impl Forwarder {
    /// A lane that spreads flows by this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            counters: Counters::default(),
            errors: BTreeMap::new(),
            echoes: BTreeMap::new(),
            answers: BTreeMap::new(),
            punts: BTreeMap::new(),
        }
    }

    /// What was counted so far.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Forwards a batch of frames, in order; the batch is empty afterwards and keeps its memory.
    pub fn forward(
        &mut self,
        now: Instant,
        tables: &Tables,
        batch: &mut Vec<(PortId, PacketBuf)>,
        out: &mut Vec<Verdict>,
    ) {
        let mut lane = Lane { now, tables, state: self, out };
        for (port, frame) in batch.drain(..) {
            lane.frame(port, frame);
        }
    }

    /// Sends an IP packet of the router's own through the region's own table, under the labels
    /// of its way.
    pub fn originate_global(
        &mut self,
        now: Instant,
        tables: &Tables,
        packet: PacketBuf,
        out: &mut Vec<Verdict>,
    ) {
        let mut lane = Lane { now, tables, state: self, out };
        lane.send_global(Origin::own(Realm::Silent), packet);
    }

    /// Sends an IP packet of the router's own in a VRF. Access rules are not asked: they are for
    /// what customers send.
    pub fn originate_vrf(
        &mut self,
        now: Instant,
        tables: &Tables,
        vrf: VrfId,
        packet: PacketBuf,
        out: &mut Vec<Verdict>,
    ) {
        let mut lane = Lane { now, tables, state: self, out };
        lane.send_vrf(Origin::own(Realm::Silent), vrf, packet);
    }

    /// Sends an IP packet of the router's own, in a VRF or through the region's own table, under
    /// labels with a time to live of their own: where that ends on the way, a router answers that
    /// does not show itself to customers' packets (RFC 3443 §3.1, for this packet alone).
    pub fn originate_probe(
        &mut self,
        now: Instant,
        tables: &Tables,
        (vrf, label_ttl): (Option<VrfId>, u8),
        packet: PacketBuf,
        out: &mut Vec<Verdict>,
    ) {
        let mut lane = Lane { now, tables, state: self, out };
        let origin = Origin { label_ttl, ..Origin::own(Realm::Silent) };
        match vrf {
            Some(vrf) => lane.send_vrf(origin, vrf, packet),
            None => lane.send_global(origin, packet),
        }
    }

    /// Sends an IP packet of the router's own to a neighbour on a port, whether routes may use
    /// the port or not. A multicast `neighbour` needs no resolution.
    pub fn originate_port(
        &mut self,
        now: Instant,
        tables: &Tables,
        (port, neighbour): (PortId, IpAddr),
        packet: PacketBuf,
        out: &mut Vec<Verdict>,
    ) {
        let mut lane = Lane { now, tables, state: self, out };
        lane.send_port(Origin::own(Realm::Silent), port, neighbour, packet);
    }

    /// Sends a payload of any protocol to a station on a port: ISO protocol data units, ARP and
    /// neighbour discovery. In a tunnel the station is the other end, and ARP is not sent.
    pub fn originate_link(
        &mut self,
        tables: &Tables,
        (port, station): (PortId, MacAddr),
        protocol: LinkProtocol,
        packet: PacketBuf,
        out: &mut Vec<Verdict>,
    ) {
        let mut lane = Lane { now: Instant::ZERO, tables, state: self, out };
        lane.transmit(Origin::own(Realm::Silent), port, station, protocol, packet);
    }

    /// Sends what [`Verdict::Resolve`] held back; it is held back again where the neighbour is
    /// still not known.
    pub fn resend(
        &mut self,
        tables: &Tables,
        (port, address): (PortId, IpAddr),
        protocol: LinkProtocol,
        packet: PacketBuf,
        out: &mut Vec<Verdict>,
    ) {
        let mut lane = Lane { now: Instant::ZERO, tables, state: self, out };
        lane.deliver(Origin::own(Realm::Silent), (port, address), protocol, packet);
    }

    /// Tells the sender of a packet that [`Verdict::Resolve`] held back that nobody answers
    /// (RFC 4861 §7.2.2, RFC 1812 §5.2.7.1), and drops it.
    pub fn undeliverable(
        &mut self,
        now: Instant,
        tables: &Tables,
        (port, vrf): (PortId, VrfId),
        packet: &PacketBuf,
        out: &mut Vec<Verdict>,
    ) {
        let Ok(ip) = ip::Packet::decode(packet.bytes()) else { return };
        let mut lane = Lane { now, tables, state: self, out };
        let origin = Origin { port: Some(port), ..Origin::own(Realm::Vrf(vrf)) };
        lane.unreachable(origin, Unreachable::Host, &ip, packet.bytes());
    }
}

/// Where answers about a packet go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Realm {
    /// Nowhere: the packet is the router's own, or an answer itself.
    Silent,
    /// By the region's own table.
    Global,
    /// By the routes of a VRF.
    Vrf(VrfId),
    /// On along the packet's own label-switched path, to the router at its end, which knows the
    /// way back (RFC 3032 §2.3.2).
    Onward(LabelSpace),
}

/// The labels with which a packet arrived, outermost first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stack {
    entries: [LabelEntry; STACK_DEPTH_MAX],
    depth: usize,
}

impl Stack {
    const EMPTY: Self = Self { entries: [LabelEntry::from_word(0); STACK_DEPTH_MAX], depth: 0 };

    pub(crate) fn read(bytes: &[u8]) -> Result<Self, DropReason> {
        let (mut stack, mut rest) = (Self::EMPTY, bytes);
        for slot in &mut stack.entries {
            let (entry, after) =
                LabelEntry::decode(rest).map_err(|_| DropReason::MalformedStack)?;
            *slot = entry;
            stack.depth += 1;
            rest = after;
            if entry.bottom {
                return Ok(stack);
            }
        }
        Err(DropReason::StackTooDeep)
    }

    pub(crate) fn entries(&self) -> &[LabelEntry] {
        self.entries.get(..self.depth).unwrap_or_default()
    }
}

/// Where a packet comes from, and so who is told of what becomes of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    pub(crate) port: Option<PortId>,
    pub(crate) source_mac: Option<MacAddr>,
    pub(crate) realm: Realm,
    pub(crate) stack: Stack,
    /// The time to live of the labels that an IP packet is given.
    pub(crate) label_ttl: u8,
}

impl Origin {
    pub(crate) const fn own(realm: Realm) -> Self {
        Self { port: None, source_mac: None, realm, stack: Stack::EMPTY, label_ttl: FRESH_TTL }
    }

    /// Who is told by way of a VRF, where anybody is.
    pub(crate) fn sender(&self) -> Option<(PortId, VrfId)> {
        match self.realm {
            Realm::Vrf(vrf) => Some((self.port?, vrf)),
            Realm::Silent | Realm::Global | Realm::Onward(_) => None,
        }
    }

    /// The same packet, further on: its sender is told by the routes of `realm` from now on,
    /// where anybody is told at all.
    pub(crate) fn moved(self, realm: Realm) -> Self {
        let realm = if self.realm == Realm::Silent { Realm::Silent } else { realm };
        Self { realm, ..self }
    }
}

/// One call's context.
#[derive(Debug)]
pub(crate) struct Lane<'a> {
    pub(crate) now: Instant,
    pub(crate) tables: &'a Tables,
    pub(crate) state: &'a mut Forwarder,
    pub(crate) out: &'a mut Vec<Verdict>,
}

impl<'a> Lane<'a> {
    /// The one place where a packet is dropped.
    pub(crate) fn drop(&mut self, origin: Origin, reason: DropReason) {
        self.state.counters.drop(origin.port, reason);
        self.out.push(Verdict::Drop { port: origin.port, reason });
    }

    /// Hands a packet to the control lane, within the port's rate.
    pub(crate) fn punt(
        &mut self,
        origin: Origin,
        vrf: Option<VrfId>,
        kind: PuntKind,
        packet: PacketBuf,
    ) {
        let Some(port) = origin.port else {
            return self.drop(origin, DropReason::OwnDestination);
        };
        if !self.may_punt(port) {
            return self.drop(origin, DropReason::PuntLimited);
        }
        self.hand_over(origin, (port, vrf), kind, packet);
    }

    /// The one place where a packet is handed to the control lane.
    pub(crate) fn hand_over(
        &mut self,
        origin: Origin,
        (port, vrf): (PortId, Option<VrfId>),
        kind: PuntKind,
        packet: PacketBuf,
    ) {
        let source_mac = origin.source_mac;
        self.out.push(Verdict::Punt { port, vrf, kind, source_mac, packet });
    }

    /// Whether the port is within its rate of packets for the router itself; counts this one.
    pub(crate) fn may_punt(&mut self, port: PortId) -> bool {
        let rate = match self.tables.port(port).map(|port| &port.kind) {
            Some(PortKind::Core) => PUNTS_CORE,
            Some(PortKind::Uplink { .. }) => PUNTS_UPLINK,
            Some(PortKind::Attachment { .. }) | None => PUNTS_ATTACHMENT,
        };
        self.state.punts.entry(port).or_default().take(self.now, rate)
    }

    /// Whether one more echo may be answered on the port; counts it.
    pub(crate) fn may_echo(&mut self, port: PortId) -> bool {
        self.state.echoes.entry(port).or_default().take(self.now, ECHOES)
    }

    /// Whether one more answer from afar may be handed over from the port; counts it.
    pub(crate) fn may_take_answer(&mut self, port: PortId) -> bool {
        self.state.answers.entry(port).or_default().take(self.now, ANSWERS)
    }

    /// Whether one more error may be sent about what the port brings; counts it.
    pub(crate) fn may_report(&mut self, port: PortId) -> bool {
        self.state.errors.entry(port).or_default().take(self.now, ERRORS)
    }

    fn frame(&mut self, id: PortId, mut frame: PacketBuf) {
        self.state.counters.port_mut(id).received.add(frame.len());
        let mut origin = Origin { port: Some(id), ..Origin::own(Realm::Global) };
        let tables: &'a Tables = self.tables;
        let Some(port) = tables.port(id) else {
            return self.drop(origin, DropReason::UnknownPort);
        };
        match link::open(port, &mut frame) {
            Ok(opened) => {
                origin.source_mac = opened.source_mac;
                self.packet(origin, (id, port), opened, frame);
            }
            Err(reason) => self.drop(origin, reason),
        }
    }

    /// Turns by protocol and kind of port.
    fn packet(
        &mut self,
        origin: Origin,
        (id, port): (PortId, &'a Port),
        opened: link::Opened,
        packet: PacketBuf,
    ) {
        match (opened.protocol, &port.kind) {
            (LinkProtocol::Iso, PortKind::Core) => self.punt(origin, None, PuntKind::Iso, packet),
            (LinkProtocol::Iso, PortKind::Uplink { .. } | PortKind::Attachment { .. }) => {
                self.drop(origin, DropReason::IsoNotAllowed);
            }
            (LinkProtocol::Arp, kind) => {
                self.punt(origin, attached_vrf(kind), PuntKind::Arp, packet);
            }
            (LinkProtocol::Mpls, PortKind::Attachment { .. }) => {
                self.drop(origin, DropReason::MplsNotAllowed);
            }
            (LinkProtocol::Mpls, _) if opened.group => self.drop(origin, DropReason::Multicast),
            (LinkProtocol::Mpls, PortKind::Core) => {
                self.labelled(origin, LabelSpace::Platform, packet);
            }
            (LinkProtocol::Mpls, PortKind::Uplink { space, .. }) => {
                self.labelled(origin, *space, packet);
            }
            (LinkProtocol::Ipv4 | LinkProtocol::Ipv6, _) => {
                self.ip(origin, (id, port), opened, packet);
            }
        }
    }

    fn ip(
        &mut self,
        origin: Origin,
        (_, port): (PortId, &'a Port),
        opened: link::Opened,
        mut packet: PacketBuf,
    ) {
        if opened.group
            && let PortKind::Attachment { vrf, sources } = &port.kind
            && let Some(len) = dhcp_request(sources, packet.bytes())
        {
            packet.truncate(len);
            return self.punt(origin, Some(*vrf), PuntKind::Dhcp, packet);
        }
        let ip = match self.read_ip(&mut packet, opened.protocol) {
            Ok(ip) => ip,
            Err(reason) => return self.drop(origin, reason),
        };
        if crate::global::is_neighbour_discovery(&ip, packet.bytes()) {
            if ip.ttl != packet::ndp::HOP_LIMIT {
                return self.drop(origin, DropReason::NotOnLink);
            }
            return self.punt(origin, attached_vrf(&port.kind), PuntKind::Ndp, packet);
        }
        // RFC 1122 §3.3.6: what came in a broadcast frame is for nobody else.
        if opened.group {
            return self.drop(origin, DropReason::Multicast);
        }
        match &port.kind {
            PortKind::Core => self.global(origin, port, &ip, packet),
            PortKind::Uplink { .. } => self.uplink(origin, port, &ip, packet),
            PortKind::Attachment { vrf, sources } => {
                self.attachment(origin, port, (*vrf, sources), &ip, packet);
            }
        }
    }
}

/// The length of a packet to the DHCP servers of an attachment: to everybody, from a host without an
/// address or with one that belongs there.
fn dhcp_request(sources: &[Prefix], bytes: &[u8]) -> Option<usize> {
    let ip = ip::Packet::decode(bytes).ok()?;
    let belongs = ip.source == IpAddr::V4(Ipv4Addr::UNSPECIFIED)
        || sources.iter().any(|prefix| prefix.contains(ip.source));
    let asks = ip.destination == IpAddr::V4(Ipv4Addr::BROADCAST)
        && ip.protocol == udp::PROTOCOL
        && ip.fragment == Fragment::Whole
        && ip.ports(bytes).is_some_and(|(_, to)| to == dhcp::SERVER_PORT);
    (belongs && asks).then_some(ip.len)
}

const fn attached_vrf(kind: &PortKind) -> Option<VrfId> {
    match kind {
        PortKind::Attachment { vrf, .. } => Some(*vrf),
        PortKind::Core | PortKind::Uplink { .. } => None,
    }
}
