//! What comes in, to the part concerned; what the parts say, to its effect.
//!
//! [`Router::dispatch_all`] drains every part until none has anything left to say. One place per
//! part translates: [`Router::isis_says`], [`Router::bgp_says`], [`Router::bfd_says`],
//! [`Router::connection_says`].

use core::net::IpAddr;

use base::{Instant, MacAddr, PortId, VrfId};
use bgp::NeighbourId;
use forwarding::{LinkProtocol, PuntKind, Verdict};
use model::config::PortKind;
use packet::dhcp::SERVER_PORT;
use packet::ip::Fragment;
use packet::{PacketBuf, ip, tcp, udp};

use crate::connection::{Change, ROUTING_CLASS, Reach, TTL_ADJACENT};
use crate::resolver::{Action, Unresolved};
use crate::timers::Timer;
use crate::{Event, Output, Router, translate};

/// The port that single-hop BFD is sent to (RFC 5881 §4).
const BFD_PORT: u16 = 3784;
/// The port that it is sent from: one of 49152 to 65535 (RFC 5881 §4).
const BFD_SOURCE_PORT: u16 = 49_152;

/// Where a packet for the router itself came from.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    port: PortId,
    /// The VRF of an attachment; `None` where the packet is the region's.
    vrf: Option<VrfId>,
    station: Option<MacAddr>,
}

/// Something optional for people; nothing where it is not there.
fn in_words(something: Option<impl core::fmt::Display>) -> String {
    something.map(|something| something.to_string()).unwrap_or_default()
}

impl Router {
    pub(crate) fn handle_frame(&mut self, now: Instant, port: PortId, bytes: &[u8]) {
        self.batch.push((port, PacketBuf::from_slice(bytes)));
        self.lane.forward(now, &self.install.tables, &mut self.batch, &mut self.verdicts);
        self.batch.clear();
        self.act_on_verdicts(now);
    }

    pub(crate) fn handle_port(&mut self, now: Instant, port: PortId, up: bool) {
        self.carrier.insert(port, up);
        let mut actions = Vec::new();
        self.resolver.handle_port(now, port, up, &mut actions);
        self.act_on_resolver(now, actions);
        self.advertiser.handle_port(now, port, up);
        self.arm(Timer::Advertiser);
        if let Some(session) = self.bfd.get_mut(&port) {
            session.handle_port(now, up);
        }
        if let Some(isis) = &mut self.isis {
            self.touched.isis = true;
            isis.handle_port(now, port, up);
        }
        self.refresh_port(now, port);
        self.bfd_says(now, port);
    }

    pub(crate) fn handle_timer(&mut self, now: Instant, timer: Timer) {
        match timer {
            Timer::Bfd(port) => {
                if let Some(session) = self.bfd.get_mut(&port) {
                    session.handle_timeout(now);
                }
                self.bfd_says(now, port);
            }
            Timer::Isis => {
                self.touched.isis = true;
                if let Some(isis) = &mut self.isis {
                    isis.handle_timeout(now);
                }
            }
            Timer::Bgp => {
                self.touched.bgp = true;
                self.bgp.handle_timeout(now);
            }
            Timer::Connection(id) => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.handle_timeout(now);
                }
                self.connection_says(now, id);
            }
            Timer::Resolver => {
                let mut actions = Vec::new();
                self.resolver.handle_timeout(now, &mut actions);
                self.act_on_resolver(now, actions);
            }
            Timer::Advertiser => self.advertise(now),
            Timer::Probes => {
                self.probes.handle_timeout(now);
                self.arm(Timer::Probes);
            }
        }
    }

    /// Drains IS-IS and BGP until neither has anything left to say, and arms their timers.
    pub(crate) fn dispatch_all(&mut self, now: Instant) {
        loop {
            let isis = self.isis_says(now);
            let bgp = self.bgp_says(now);
            if !isis && !bgp {
                break;
            }
        }
        let touched = core::mem::take(&mut self.touched);
        if touched.isis {
            self.arm(Timer::Isis);
        }
        if touched.bgp {
            self.arm(Timer::Bgp);
        }
    }

    pub(crate) fn act_on_verdicts(&mut self, now: Instant) {
        while !self.verdicts.is_empty() {
            let mut verdicts = core::mem::take(&mut self.verdicts);
            for verdict in verdicts.drain(..) {
                self.act_on_verdict(now, verdict);
            }
            if self.verdicts.is_empty() {
                // The next frame uses its memory again.
                self.verdicts = verdicts;
            }
        }
    }

    fn act_on_verdict(&mut self, now: Instant, verdict: Verdict) {
        match verdict {
            Verdict::Transmit { port, frame } => {
                self.outputs.push_back(Output::Frame { port, bytes: frame });
            }
            Verdict::Punt { port, vrf, kind, source_mac: station, packet } => {
                self.handle_punt(now, Arrival { port, vrf, station }, kind, packet);
            }
            Verdict::Resolve { port, address, protocol, packet, sender } => {
                let mut actions = Vec::new();
                let waiting = Unresolved { port, address, protocol, packet, sender };
                self.resolver.want(now, waiting, &mut actions);
                self.act_on_resolver(now, actions);
            }
            Verdict::Drop { .. } => {}
        }
    }

    fn act_on_resolver(&mut self, now: Instant, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Send(port, frame) => {
                    let bytes = PacketBuf::with_headroom(0, &frame);
                    self.outputs.push_back(Output::Frame { port, bytes });
                }
                Action::Set(port, address, mac) => self.install.set_neighbour(port, address, mac),
                Action::Release(Unresolved { port, address, protocol, packet, .. }) => {
                    let tables = &self.install.tables;
                    let to = (port, address);
                    self.lane.resend(tables, to, protocol, packet, &mut self.verdicts);
                }
                Action::GiveUp(Unresolved { packet, sender, .. }) => {
                    let tables = &self.install.tables;
                    if let Some(sender) = sender {
                        let out = &mut self.verdicts;
                        self.lane.undeliverable(now, tables, sender, &packet, out);
                    }
                }
            }
        }
        self.arm(Timer::Resolver);
    }

    fn handle_punt(&mut self, now: Instant, arrival: Arrival, kind: PuntKind, packet: PacketBuf) {
        let Arrival { port, station, .. } = arrival;
        let mut actions = Vec::new();
        let bytes = packet.bytes();
        match kind {
            PuntKind::Local => return self.handle_local(now, arrival, packet),
            PuntKind::Dhcp => {
                let heard = self.handle_dhcp(now, port, bytes);
                self.uninvited += u64::from(!heard);
                return;
            }
            PuntKind::Ndp if self.handle_router_discovery(now, port, bytes) => return,
            PuntKind::Arp => self.resolver.handle_arp(now, port, bytes, &mut actions),
            PuntKind::Ndp => {
                self.resolver.handle_ndp(now, (port, station), bytes, &mut actions);
            }
            PuntKind::Iso => {
                if let Some(mac) = station {
                    self.resolver.overhear_peer(port, mac, &mut actions);
                }
                self.touched.isis = true;
                if let Some(isis) = &mut self.isis {
                    isis.handle_pdu(now, port, bytes);
                }
            }
        }
        self.act_on_resolver(now, actions);
    }

    /// An IP packet for the router itself: BFD or BGP of a neighbour, DHCP of a host, or the answer to
    /// a probe; anything else is uninvited.
    fn handle_local(&mut self, now: Instant, arrival: Arrival, packet: PacketBuf) {
        let Arrival { port, vrf, .. } = arrival;
        let Ok(header) = ip::Packet::decode(packet.bytes()) else { return };
        let heard = match header.ports(packet.bytes()) {
            Some((_, BFD_PORT)) if header.protocol == udp::PROTOCOL && vrf.is_none() => {
                self.handle_bfd(now, port, &header, packet.bytes())
            }
            Some((_, SERVER_PORT)) if header.protocol == udp::PROTOCOL && vrf.is_some() => {
                self.handle_dhcp(now, port, packet.bytes())
            }
            Some(ports) if header.protocol == tcp::PROTOCOL => {
                self.handle_segment(now, arrival, &header, ports, packet)
            }
            Some(_) | None => self.handle_probe_answer(now, vrf, &header, packet.bytes()),
        };
        self.uninvited += u64::from(!heard);
    }

    /// Hands a BFD packet to the session of its port; false where it is not the far end's.
    fn handle_bfd(
        &mut self,
        now: Instant,
        port: PortId,
        header: &ip::Packet,
        packet: &[u8],
    ) -> bool {
        let peer = translate::port(&self.config, port).and_then(translate::port_peer);
        let datagram = header.payload(packet);
        // RFC 5881 §5: a lower time to live comes from further away.
        let believed = header.ttl == TTL_ADJACENT
            && header.fragment == Fragment::Whole
            && peer.map(IpAddr::V4) == Some(header.source)
            && udp::checksum_is_right(header.source, header.destination, datagram);
        match (udp::Header::decode(datagram), self.bfd.get_mut(&port)) {
            (Ok((_, payload)), Some(session)) if believed => {
                session.handle_packet(now, payload);
                self.bfd_says(now, port);
                true
            }
            _ => false,
        }
    }

    /// Hands a TCP segment to the session of its two addresses; false where it cannot be the
    /// neighbour's.
    fn handle_segment(
        &mut self,
        now: Instant,
        Arrival { port, vrf, .. }: Arrival,
        header: &ip::Packet,
        ports: (u16, u16),
        packet: PacketBuf,
    ) -> bool {
        let (IpAddr::V4(source), IpAddr::V4(destination)) = (header.source, header.destination)
        else {
            return false;
        };
        let Some(&id) = self.sessions.get(&(vrf, destination, source)) else { return false };
        let Some(neighbour) = self.numbers.neighbour(&self.config, id) else { return false };
        let on_its_port = translate::neighbour_port(neighbour) == Some(port);
        let may_reach = match translate::ends(neighbour).reach {
            Reach::Core => self.is_core_link(port),
            // RFC 5082 §3: from the next router, over the very link of the session.
            Reach::Link => on_its_port && header.ttl == TTL_ADJACENT,
            Reach::Lan => on_its_port,
        };
        match self.connections.get_mut(&id) {
            Some(connection) if may_reach && connection.is_between(ports) => {
                connection.deliver(now, packet.into_vec());
                self.connection_says(now, id);
                true
            }
            Some(_) | None => false,
        }
    }

    fn is_core_link(&self, port: PortId) -> bool {
        let port = translate::port(&self.config, port);
        port.is_some_and(|port| matches!(port.kind, PortKind::CoreLink { .. }))
    }

    pub(crate) fn port_name(&self, port: PortId) -> String {
        let found = translate::port(&self.config, port);
        found.map_or_else(|| port.to_string(), |port| port.name.clone())
    }

    /// Whether packets and sessions may use a port follows from its carrier and from BFD; where
    /// IS-IS has an adjacency in spite of BFD, routes lead there and the port carries them.
    fn refresh_port(&mut self, now: Instant, port: PortId) {
        let usable = self.port_is_usable(port);
        self.install.set_port_up(port, usable);
        for (id, neighbour) in self.numbers.neighbours(&self.config) {
            if translate::neighbour_port(neighbour) == Some(port) {
                self.touched.bgp = true;
                self.bgp.set_allowed(now, id, usable);
            }
        }
    }

    pub(crate) fn port_is_usable(&self, port: PortId) -> bool {
        let carrier = self.carrier.get(&port).copied().unwrap_or(false);
        let failed = self.bfd.get(&port).is_some_and(|s| s.hint() == bfd::Hint::Failed);
        carrier && (!failed || self.adjacency_is_up(port))
    }

    fn adjacency_is_up(&self, port: PortId) -> bool {
        let mut adjacencies = self.isis.iter().flat_map(isis::Instance::adjacencies);
        adjacencies.any(|one| one.port == port && one.state == isis::AdjacencyState::Up)
    }

    pub(crate) fn bfd_says(&mut self, now: Instant, port: PortId) {
        while let Some(output) = self.bfd.get_mut(&port).and_then(bfd::Session::poll_output) {
            match output {
                bfd::Output::Packet(bytes) => self.send_bfd(now, port, &bytes),
                bfd::Output::State { state, diagnostic } => {
                    self.tell_isis_about_bfd(now, port);
                    self.refresh_port(now, port);
                    self.outputs.push_back(Output::Event(Event::Bfd {
                        port: self.port_name(port),
                        state: state.to_string(),
                        reason: diagnostic.to_string(),
                    }));
                }
            }
        }
        self.arm(Timer::Bfd(port));
    }

    fn tell_isis_about_bfd(&mut self, now: Instant, port: PortId) {
        let hint = self.bfd.get(&port).map(bfd::Session::hint);
        let Some(isis) = &mut self.isis else { return };
        self.touched.isis = true;
        match hint {
            Some(bfd::Hint::Alive) => isis.handle_bfd(now, port, true),
            Some(bfd::Hint::Failed) => isis.handle_bfd(now, port, false),
            Some(bfd::Hint::NoOpinion) | None => {}
        }
    }

    fn send_bfd(&mut self, now: Instant, port: PortId, bytes: &[u8; 24]) {
        let Some(planned) = translate::port(&self.config, port) else { return };
        let (Some(local), Some(peer)) =
            (translate::port_v4(planned), translate::port_peer(planned))
        else {
            return;
        };
        let ends = (IpAddr::V4(local), IpAddr::V4(peer));
        let datagram = udp::encode((ends.0, BFD_SOURCE_PORT), (ends.1, BFD_PORT), bytes);
        let class = (ROUTING_CLASS, TTL_ADJACENT);
        if let Some(packet) = ip::encode(ends, udp::PROTOCOL, class, &datagram) {
            self.send_on(now, port, ends.1, &packet);
        }
    }

    /// Sends an IP packet to the neighbour on a port.
    pub(crate) fn send_on(&mut self, now: Instant, port: PortId, neighbour: IpAddr, packet: &[u8]) {
        let packet = PacketBuf::from_slice(packet);
        let tables = &self.install.tables;
        let to = (port, neighbour);
        self.lane.originate_port(now, tables, to, packet, &mut self.verdicts);
        self.act_on_verdicts(now);
    }

    fn isis_says(&mut self, now: Instant) -> bool {
        let mut said = false;
        while let Some(output) = self.isis.as_mut().and_then(isis::Instance::poll_output) {
            said = true;
            match output {
                isis::Output::Pdu { port, bytes } => {
                    let packet = PacketBuf::from_slice(&bytes);
                    let tables = &self.install.tables;
                    let to = (port, MacAddr::ALL_IS);
                    let iso = LinkProtocol::Iso;
                    self.lane.originate_link(tables, to, iso, packet, &mut self.verdicts);
                    self.act_on_verdicts(now);
                }
                isis::Output::Adjacency { port, neighbour, up, reason } => {
                    self.count_adjacencies();
                    self.refresh_port(now, port);
                    self.outputs.push_back(Output::Event(Event::Adjacency {
                        port: self.port_name(port),
                        neighbour: neighbour.to_string(),
                        up,
                        reason: in_words(reason),
                    }));
                }
                isis::Output::RoutesChanged => {
                    let routes = self.isis.as_ref().map(isis::Instance::routes).unwrap_or_default();
                    let metrics = self.install.set_interior(routes);
                    self.touched.bgp = true;
                    self.bgp.handle_next_hops(now, metrics);
                }
            }
        }
        said
    }

    fn count_adjacencies(&mut self) {
        let adjacencies = self.isis.iter().flat_map(isis::Instance::adjacencies);
        self.adjacencies_up =
            adjacencies.filter(|one| one.state == isis::AdjacencyState::Up).count();
    }

    fn bgp_says(&mut self, now: Instant) -> bool {
        let mut said = false;
        while let Some(output) = self.bgp.poll_output() {
            said = true;
            match output {
                bgp::Output::Connect(neighbour) => {
                    if let Some(connection) = self.connections.get_mut(&neighbour) {
                        connection.connect(now);
                    }
                    self.connection_says(now, neighbour);
                }
                bgp::Output::Close(neighbour) => {
                    self.feed_last(now, neighbour);
                    if let Some(connection) = self.connections.get_mut(&neighbour) {
                        connection.close(now);
                    }
                    self.connection_says(now, neighbour);
                }
                bgp::Output::Transmit(neighbour) => {
                    self.feed(now, neighbour);
                    self.connection_says(now, neighbour);
                }
                bgp::Output::Vrf { vrf, prefix, paths } => {
                    self.install.set_vrf_route(vrf, prefix, &paths);
                }
                bgp::Output::Label { space, label, binding } => {
                    self.install.set_label(space, label, binding);
                }
                bgp::Output::Session { neighbour, up, reason } => {
                    if up {
                        self.sessions_up.insert(neighbour);
                    } else {
                        self.sessions_up.remove(&neighbour);
                    }
                    let neighbour = self.neighbour_name(neighbour);
                    let event = Event::Session { neighbour, up, reason: in_words(reason) };
                    self.outputs.push_back(Output::Event(event));
                }
                bgp::Output::Rejected { neighbour, key, reason } => {
                    let neighbour = self.neighbour_name(neighbour);
                    let (route, reason) = (in_words(key), reason.to_string());
                    let event = Event::RouteRefused { neighbour, route, reason };
                    self.outputs.push_back(Output::Event(event));
                }
            }
        }
        said
    }

    pub(crate) fn neighbour_name(&self, neighbour: NeighbourId) -> String {
        let found = self.numbers.neighbour(&self.config, neighbour);
        found.map_or_else(|| neighbour.to_string(), |one| one.name.clone())
    }

    /// Gives a connection as many bytes as it has room for.
    fn feed(&mut self, now: Instant, id: NeighbourId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        while connection.room() >= bgp::message::MESSAGE_MAX {
            let mut bytes = Vec::new();
            self.touched.bgp = true;
            self.bgp.transmit(now, id, &mut bytes, connection.room());
            if bytes.is_empty() {
                return;
            }
            connection.send(now, bytes);
        }
    }

    /// Gives a connection that is to be closed the last words, whether it has room or not.
    fn feed_last(&mut self, now: Instant, id: NeighbourId) {
        let mut bytes = Vec::new();
        self.touched.bgp = true;
        self.bgp.transmit(now, id, &mut bytes, 0);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.send(now, bytes);
        }
    }

    /// Carries away what a connection received, sends, and became.
    fn connection_says(&mut self, now: Instant, id: NeighbourId) {
        let mut received = Vec::new();
        while let Some(connection) = self.connections.get_mut(&id) {
            // First the change: bytes may come with the segment that opens the connection.
            match connection.poll_change(now) {
                Some(Change::Opened) => self.bgp.handle_connected(now, id),
                Some(Change::Closed) => self.bgp.handle_closed(now, id),
                None if connection.receive(&mut received) => {
                    self.bgp.handle_bytes(now, id, &received);
                    received.clear();
                }
                None => break,
            }
            self.touched.bgp = true;
        }
        self.feed(now, id);
        self.send_segments(now, id);
        self.arm(Timer::Connection(id));
    }

    fn send_segments(&mut self, now: Instant, id: NeighbourId) {
        let neighbour = self.numbers.neighbour(&self.config, id);
        let port = neighbour.and_then(translate::neighbour_port);
        while let Some(connection) = self.connections.get_mut(&id)
            && let Some(packet) = connection.take_packet()
        {
            let remote = connection.ends().remote;
            if let Some(port) = port {
                self.send_on(now, port, remote.into(), &packet);
                continue;
            }
            let packet = PacketBuf::from_slice(&packet);
            let tables = &self.install.tables;
            self.lane.originate_global(now, tables, packet, &mut self.verdicts);
            self.act_on_verdicts(now);
        }
    }
}
