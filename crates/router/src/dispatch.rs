//! What comes in, to the part concerned; what the parts say, to its effect.
//!
//! [`Router::dispatch_all`] drains every part until none has anything left to say. One place per
//! part translates: [`Router::isis_says`], [`Router::bgp_says`], [`Router::bfd_says`],
//! [`Router::connection_says`].

use core::net::{IpAddr, Ipv4Addr};

use base::{Instant, MacAddr, PortId};
use bgp::NeighbourId;
use forwarding::{LinkProtocol, PuntKind, Verdict};
use packet::{PacketBuf, ip, tcp, udp};

use crate::connection::Change;
use crate::resolver::{Action, Unresolved};
use crate::timers::Timer;
use crate::{Event, Output, Router, translate};

/// The port that single-hop BFD is sent to (RFC 5881 §4).
const BFD_PORT: u16 = 3784;
/// The port that it is sent from: one of 49152 to 65535 (RFC 5881 §4).
const BFD_SOURCE_PORT: u16 = 49_152;
/// The traffic class of routing: CS6 (RFC 4594 §3.2).
const ROUTING_CLASS: u8 = 48 << 2;
/// The time to live that shows that a packet comes from the next router (RFC 5082 §3).
const TTL_ADJACENT: u8 = 255;

fn neighbour_id(index: usize) -> NeighbourId {
    NeighbourId(u32::try_from(index).unwrap_or(u32::MAX))
}

fn neighbour_index(neighbour: NeighbourId) -> usize {
    usize::try_from(neighbour.0).unwrap_or(usize::MAX)
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
        self.act_on_resolver(actions);
        if let Some(session) = self.bfd.get_mut(&port) {
            session.handle_port(now, up);
        }
        if let Some(isis) = &mut self.isis {
            self.touched.isis = true;
            isis.handle_port(now, port, up);
        }
        self.refresh_port(now, port);
        self.bfd_says(now, port);
        self.arm(Timer::Resolver);
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
            Timer::Connection(index) => {
                if let Some(connection) = self.connections.get_mut(index) {
                    connection.handle_timeout(now);
                }
                self.connection_says(now, index);
            }
            Timer::Resolver => {
                let mut actions = Vec::new();
                self.resolver.handle_timeout(now, &mut actions);
                self.act_on_resolver(actions);
                self.arm(Timer::Resolver);
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

    fn act_on_verdicts(&mut self, now: Instant) {
        while !self.verdicts.is_empty() {
            for verdict in core::mem::take(&mut self.verdicts) {
                self.act_on_verdict(now, verdict);
            }
        }
    }

    fn act_on_verdict(&mut self, now: Instant, verdict: Verdict) {
        match verdict {
            Verdict::Transmit { port, frame } => {
                self.outputs.push_back(Output::Frame { port, bytes: frame });
            }
            Verdict::Punt { port, vrf, kind, source_mac, packet } => {
                if let (PuntKind::Iso, Some(mac)) = (kind, source_mac) {
                    let mut actions = Vec::new();
                    self.resolver.overhear_peer(now, port, mac, &mut actions);
                    self.act_on_resolver(actions);
                }
                if vrf.is_none() || matches!(kind, PuntKind::Arp | PuntKind::Ndp) {
                    self.handle_punt(now, port, kind, packet);
                }
            }
            Verdict::Resolve { port, address, protocol, packet } => {
                let mut actions = Vec::new();
                let waiting = Unresolved { port, address, protocol, packet };
                self.resolver.want(now, waiting, &mut actions);
                self.act_on_resolver(actions);
                self.arm(Timer::Resolver);
            }
            Verdict::Drop { .. } => {}
        }
    }

    fn act_on_resolver(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Send(port, frame) => {
                    let bytes = PacketBuf::with_headroom(0, &frame);
                    self.outputs.push_back(Output::Frame { port, bytes });
                }
                Action::Set(port, address, mac) => self.install.set_neighbour(port, address, mac),
                Action::Release(Unresolved { port, address, protocol, packet }) => {
                    let tables = &self.install.tables;
                    let to = (port, address);
                    self.lane.resend(tables, to, protocol, packet, &mut self.verdicts);
                }
            }
        }
    }

    fn handle_punt(&mut self, now: Instant, port: PortId, kind: PuntKind, packet: PacketBuf) {
        match kind {
            PuntKind::Iso => {
                self.touched.isis = true;
                if let Some(isis) = &mut self.isis {
                    isis.handle_pdu(now, port, packet.bytes());
                }
            }
            PuntKind::Arp | PuntKind::Ndp => {
                let mut actions = Vec::new();
                if kind == PuntKind::Arp {
                    self.resolver.handle_arp(now, port, packet.bytes(), &mut actions);
                } else {
                    self.resolver.handle_ndp(now, port, packet.bytes(), &mut actions);
                }
                self.act_on_resolver(actions);
                self.arm(Timer::Resolver);
            }
            PuntKind::Local => self.handle_local(now, port, packet),
        }
    }

    /// An IP packet for the router itself: BFD or BGP; anything else is nobody's.
    fn handle_local(&mut self, now: Instant, port: PortId, packet: PacketBuf) {
        let Ok(header) = ip::Packet::decode(packet.bytes()) else { return };
        let (IpAddr::V4(remote), IpAddr::V4(local)) = (header.source, header.destination) else {
            return;
        };
        let ports = header.ports(packet.bytes());
        match (header.protocol, ports) {
            (udp::PROTOCOL, Some((_, BFD_PORT))) => {
                // RFC 5881 §5: a lower time to live comes from further away.
                if header.ttl != TTL_ADJACENT || self.peer(port) != Some(remote) {
                    return;
                }
                let datagram = header.payload(packet.bytes());
                if let (Ok((_, payload)), Some(session)) =
                    (udp::Header::decode(datagram), self.bfd.get_mut(&port))
                {
                    session.handle_packet(now, payload);
                    self.bfd_says(now, port);
                }
            }
            (tcp::PROTOCOL, Some(_)) => {
                let Some(&index) = self.sessions.get(&(local, remote)) else { return };
                let Some(connection) = self.connections.get_mut(index) else { return };
                let expected =
                    self.config.neighbours.get(index).and_then(translate::neighbour_port);
                if expected.is_some_and(|at| at != port || header.ttl != TTL_ADJACENT) {
                    return;
                }
                connection.deliver(now, packet.into_vec());
                self.connection_says(now, index);
            }
            _ => {}
        }
    }

    fn peer(&self, port: PortId) -> Option<Ipv4Addr> {
        let port = self.config.ports.get(usize::try_from(port.0).ok()?)?;
        translate::port_peer(port)
    }

    pub(crate) fn port_name(&self, port: PortId) -> String {
        let found = usize::try_from(port.0).ok().and_then(|index| self.config.ports.get(index));
        found.map_or_else(|| port.to_string(), |port| port.name.clone())
    }

    /// Whether packets and sessions may use a port follows from its carrier and from BFD; where
    /// IS-IS has an adjacency in spite of BFD, routes lead there and the port carries them.
    fn refresh_port(&mut self, now: Instant, port: PortId) {
        let carrier = self.carrier.get(&port).copied().unwrap_or(false);
        let failed = self.bfd.get(&port).is_some_and(|s| s.hint() == bfd::Hint::Failed)
            && !self.adjacency_is_up(port);
        self.install.set_port_up(port, carrier && !failed);
        for (index, neighbour) in self.config.neighbours.iter().enumerate() {
            if translate::neighbour_port(neighbour) == Some(port) {
                self.touched.bgp = true;
                self.bgp.set_allowed(now, neighbour_id(index), carrier && !failed);
            }
        }
    }

    fn adjacency_is_up(&self, port: PortId) -> bool {
        let mut adjacencies = self.isis.iter().flat_map(isis::Instance::adjacencies);
        adjacencies.any(|one| one.port == port && one.state == isis::AdjacencyState::Up)
    }

    fn bfd_says(&mut self, now: Instant, port: PortId) {
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
        let Some(planned) = self.config.ports.get(usize::try_from(port.0).unwrap_or(usize::MAX))
        else {
            return;
        };
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
    fn send_on(&mut self, now: Instant, port: PortId, neighbour: IpAddr, packet: &[u8]) {
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
                    let index = neighbour_index(neighbour);
                    if let Some(connection) = self.connections.get_mut(index) {
                        connection.connect(now);
                    }
                    self.connection_says(now, index);
                }
                bgp::Output::Close(neighbour) => {
                    let index = neighbour_index(neighbour);
                    self.feed(now, index);
                    if let Some(connection) = self.connections.get_mut(index) {
                        connection.close(now);
                    }
                    self.connection_says(now, index);
                }
                bgp::Output::Transmit(neighbour) => {
                    let index = neighbour_index(neighbour);
                    self.feed(now, index);
                    self.connection_says(now, index);
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
        let found = self.config.neighbours.get(neighbour_index(neighbour));
        found.map_or_else(|| neighbour.to_string(), |one| one.name.clone())
    }

    /// Gives a connection as many bytes as it has room for.
    fn feed(&mut self, now: Instant, index: usize) {
        let Some(connection) = self.connections.get_mut(index) else { return };
        while connection.room() >= bgp::message::MESSAGE_MAX {
            let mut bytes = Vec::new();
            self.touched.bgp = true;
            self.bgp.transmit(now, neighbour_id(index), &mut bytes, connection.room());
            if bytes.is_empty() {
                return;
            }
            connection.send(now, bytes);
        }
    }

    /// Carries away what a connection received, sends, and became.
    fn connection_says(&mut self, now: Instant, index: usize) {
        let id = neighbour_id(index);
        let mut received = Vec::new();
        while let Some(connection) = self.connections.get_mut(index) {
            let mut moved = false;
            if connection.receive(&mut received) {
                self.touched.bgp = true;
                self.bgp.handle_bytes(now, id, &received);
                received.clear();
                moved = true;
            }
            match connection.poll_change(now) {
                Some(change) => {
                    self.touched.bgp = true;
                    match change {
                        Change::Opened => self.bgp.handle_connected(now, id),
                        Change::Closed => self.bgp.handle_closed(now, id),
                    }
                }
                None if !moved => break,
                None => {}
            }
        }
        self.feed(now, index);
        self.send_segments(now, index);
        self.arm(Timer::Connection(index));
    }

    fn send_segments(&mut self, now: Instant, index: usize) {
        let port = self.config.neighbours.get(index).and_then(translate::neighbour_port);
        while let Some(connection) = self.connections.get_mut(index)
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
