//! Who has which address on a link: ARP for IPv4, neighbour discovery for IPv6.
//!
//! The far end of a point-to-point link is asked for as soon as the port is up and confirmed from
//! time to time; hosts of a LAN are asked for when the first packet for them comes, which waits
//! with a few others. Answers are given for the port's own addresses only. What a LAN can make the
//! router remember is bounded per port, so that a flood costs its own port alone.
//!
//! Standards: RFC 826, RFC 4861 §7.2 (solicitation, advertisement, and word to whoever sent what
//! nobody takes), RFC 5227 §2.1 (probes are answered).
//! Not implemented: RFC 4861 §7.3 (unreachability detection by other protocols' hints), RFC 4862
//! (duplicate address detection of our own addresses), proxy ARP.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::{BTreeMap, BTreeSet};

use base::{Deadline, Duration, Instant, MacAddr, PortId, VrfId};
use forwarding::LinkProtocol;
use packet::{PacketBuf, arp, ethernet, icmp, ip, ndp};

/// Packets that wait for one neighbour (RFC 4861 §7.2.2 asks for at least one).
const WAITING_MAX: usize = 8;
/// Neighbours remembered per port: a large LAN and a margin.
const NEIGHBOURS_PER_PORT_MAX: usize = 2048;
/// Between questions for the same neighbour (RFC 4861 §10: RETRANS_TIMER).
const RETRY: Duration = Duration::from_secs(1);
/// Questions for a host before its packets are given up (RFC 4861 §10: MAX_MULTICAST_SOLICIT).
const TRIES_MAX: u8 = 3;
/// How long an answer is believed; then it is asked for again, and forgotten without another.
const LIFETIME: Duration = Duration::from_secs(600);

/// A port's own addresses and how it appears on its link.
#[derive(Debug, Clone)]
pub(crate) struct Interface {
    pub(crate) mac: MacAddr,
    pub(crate) addresses: Vec<IpAddr>,
    /// The far end of a point-to-point link: always asked for.
    pub(crate) peer: Option<IpAddr>,
    pub(crate) up: bool,
}

/// A packet that waits for its neighbour.
#[derive(Debug)]
pub(crate) struct Unresolved {
    pub(crate) port: PortId,
    pub(crate) address: IpAddr,
    pub(crate) protocol: LinkProtocol,
    pub(crate) packet: PacketBuf,
    /// Where its sender is to be told if nobody answers.
    pub(crate) sender: Option<(PortId, VrfId)>,
}

/// What the resolver wants done.
#[derive(Debug)]
pub(crate) enum Action {
    /// Send this frame.
    Send(PortId, Vec<u8>),
    /// Note, or forget, a neighbour's Ethernet address.
    Set(PortId, IpAddr, Option<MacAddr>),
    /// Send what waited.
    Release(Unresolved),
    /// Nobody answered: what waited is not delivered.
    GiveUp(Unresolved),
}

#[derive(Debug)]
struct Entry {
    mac: Option<MacAddr>,
    tries: u8,
    wake: Instant,
    waiting: Vec<Unresolved>,
}

impl Entry {
    /// Takes over an Ethernet address, and lets go of what waits for it.
    fn note(&mut self, neighbour: (PortId, IpAddr), mac: MacAddr, actions: &mut Vec<Action>) {
        if self.mac != Some(mac) {
            self.mac = Some(mac);
            actions.push(Action::Set(neighbour.0, neighbour.1, Some(mac)));
        }
        actions.extend(self.waiting.drain(..).map(Action::Release));
    }
}

/// The neighbours of all ports.
#[derive(Debug, Default)]
pub(crate) struct Resolver {
    interfaces: BTreeMap<PortId, Interface>,
    entries: BTreeMap<(PortId, IpAddr), Entry>,
    wakes: BTreeSet<(Instant, PortId, IpAddr)>,
    counts: BTreeMap<PortId, usize>,
    given_up: u64,
}

impl Resolver {
    /// Sets how a port appears on its link; only Ethernet ports have a resolver.
    pub(crate) fn set_interface(&mut self, port: PortId, interface: Interface) {
        self.interfaces.insert(port, interface);
    }

    /// Forgets a port; it is down already.
    pub(crate) fn remove_interface(&mut self, port: PortId) {
        self.interfaces.remove(&port);
    }

    /// Packets given up because nobody answered or too many waited.
    pub(crate) const fn given_up(&self) -> u64 {
        self.given_up
    }

    /// A port came up or went down.
    pub(crate) fn handle_port(
        &mut self,
        now: Instant,
        port: PortId,
        up: bool,
        actions: &mut Vec<Action>,
    ) {
        let Some(interface) = self.interfaces.get_mut(&port) else { return };
        interface.up = up;
        let peer = interface.peer;
        if up {
            if let Some(peer) = peer {
                self.ask(now, port, peer, actions);
            }
            return;
        }
        let gone: Vec<IpAddr> = self
            .entries
            .range((port, IpAddr::V4(Ipv4Addr::UNSPECIFIED))..)
            .take_while(|((of, _), _)| *of == port)
            .map(|((_, address), _)| *address)
            .collect();
        for address in gone {
            // What waits is lost with the link, without a word.
            drop(self.forget(port, address, actions));
        }
    }

    /// Forgets a neighbour; returns what waited for it.
    fn forget(
        &mut self,
        port: PortId,
        address: IpAddr,
        actions: &mut Vec<Action>,
    ) -> Vec<Unresolved> {
        let Some(entry) = self.entries.remove(&(port, address)) else { return Vec::new() };
        self.wakes.remove(&(entry.wake, port, address));
        if let Some(count) = self.counts.get_mut(&port) {
            *count = count.saturating_sub(1);
        }
        self.given_up += entry.waiting.len() as u64;
        if entry.mac.is_some() {
            actions.push(Action::Set(port, address, None));
        }
        entry.waiting
    }

    /// A packet needs a neighbour that is not known.
    pub(crate) fn want(&mut self, now: Instant, packet: Unresolved, actions: &mut Vec<Action>) {
        let (port, address) = (packet.port, packet.address);
        self.ask(now, port, address, actions);
        match self.entries.get_mut(&(port, address)) {
            Some(entry) if entry.waiting.len() < WAITING_MAX => entry.waiting.push(packet),
            Some(_) | None => self.given_up += 1,
        }
    }

    /// Makes an entry and asks for the first time.
    fn ask(&mut self, now: Instant, port: PortId, address: IpAddr, actions: &mut Vec<Action>) {
        if self.entries.contains_key(&(port, address)) {
            return;
        }
        let Some(interface) = self.interfaces.get(&port) else { return };
        let count = self.counts.entry(port).or_insert(0);
        let permanent = interface.peer == Some(address);
        if !interface.up || (*count >= NEIGHBOURS_PER_PORT_MAX && !permanent) {
            return;
        }
        *count += 1;
        let wake = now + RETRY;
        self.entries
            .insert((port, address), Entry { mac: None, tries: 1, wake, waiting: Vec::new() });
        self.wakes.insert((wake, port, address));
        actions.extend(question(interface, address).map(|frame| Action::Send(port, frame)));
    }

    /// When the next question is due.
    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        self.wakes.first().map(|(at, ..)| Deadline { at: *at, why: "neighbour resolution" })
    }

    /// Asks again, gives up, or forgets what has grown old.
    pub(crate) fn handle_timeout(&mut self, now: Instant, actions: &mut Vec<Action>) {
        while let Some(&(at, port, address)) = self.wakes.first()
            && at <= now
        {
            self.wakes.remove(&(at, port, address));
            let Some(interface) = self.interfaces.get(&port) else { continue };
            let permanent = interface.peer == Some(address);
            let Some(entry) = self.entries.get_mut(&(port, address)) else { continue };
            if entry.tries >= TRIES_MAX && !permanent {
                let waiting = self.forget(port, address, actions);
                actions.extend(waiting.into_iter().map(Action::GiveUp));
                continue;
            }
            entry.tries = entry.tries.saturating_add(1);
            entry.wake = now + RETRY;
            self.wakes.insert((entry.wake, port, address));
            actions.extend(question(interface, address).map(|frame| Action::Send(port, frame)));
        }
    }

    /// A neighbour told its Ethernet address.
    fn learn(
        &mut self,
        now: Instant,
        port: PortId,
        address: IpAddr,
        mac: MacAddr,
        actions: &mut Vec<Action>,
    ) {
        if !is_station(mac) {
            return;
        }
        let Some(entry) = self.entries.get_mut(&(port, address)) else { return };
        self.wakes.remove(&(entry.wake, port, address));
        entry.tries = 0;
        entry.wake = now + LIFETIME;
        self.wakes.insert((entry.wake, port, address));
        entry.note((port, address), mac, actions);
    }

    /// The far end of a point-to-point link said something: as soon as IS-IS hears it again,
    /// routes may lead there, and must not wait for the next question to be answered. The question
    /// stays open all the same: whoever spoke may have been another station.
    pub(crate) fn overhear_peer(&mut self, port: PortId, mac: MacAddr, actions: &mut Vec<Action>) {
        let Some(peer) = self.interfaces.get(&port).and_then(|interface| interface.peer) else {
            return;
        };
        match self.entries.get_mut(&(port, peer)) {
            Some(entry) if entry.mac.is_none() && is_station(mac) => {
                entry.note((port, peer), mac, actions);
            }
            Some(_) | None => {}
        }
    }

    /// An ARP packet came in.
    pub(crate) fn handle_arp(
        &mut self,
        now: Instant,
        port: PortId,
        bytes: &[u8],
        actions: &mut Vec<Action>,
    ) {
        let Ok(packet) = arp::Packet::decode(bytes) else { return };
        self.learn(now, port, packet.sender.into(), packet.sender_mac, actions);
        let Some(interface) = self.interfaces.get(&port) else { return };
        let asked = interface.addresses.contains(&packet.target.into());
        let answered = is_station(packet.sender_mac) && asked;
        if packet.operation != arp::Operation::Request || !answered {
            return;
        }
        let reply = arp::Packet {
            operation: arp::Operation::Reply,
            sender_mac: interface.mac,
            sender: packet.target,
            target_mac: packet.sender_mac,
            target: packet.sender,
        };
        let frame = framed(interface.mac, packet.sender_mac, ethernet::TYPE_ARP, &reply.encode());
        actions.push(Action::Send(port, frame));
    }

    /// A neighbour discovery packet came in from this station, from its IPv6 header on.
    pub(crate) fn handle_ndp(
        &mut self,
        now: Instant,
        (port, station): (PortId, Option<MacAddr>),
        bytes: &[u8],
        actions: &mut Vec<Action>,
    ) {
        let Ok(header) = ip::Packet::decode(bytes) else { return };
        let (IpAddr::V6(source), IpAddr::V6(destination)) = (header.source, header.destination)
        else {
            return;
        };
        // RFC 4861 §7.1: a hop limit of 255 shows that the packet comes from this link.
        if header.ttl != ndp::HOP_LIMIT {
            return;
        }
        let upper = header.payload(bytes);
        match ndp::Message::decode(source, destination, upper) {
            Ok(ndp::Message::Advertisement {
                target,
                link_layer: Some(mac),
                override_known,
                ..
            }) => {
                // RFC 4861 §7.2.5: what does not override is believed where nothing is known.
                let known = self.entries.get(&(port, target.into())).and_then(|entry| entry.mac);
                if override_known || known.is_none_or(|known| known == mac) {
                    self.learn(now, port, target.into(), mac, actions);
                }
            }
            Ok(ndp::Message::Solicitation { target, link_layer }) => {
                if let Some(mac) = link_layer {
                    self.learn(now, port, source.into(), mac, actions);
                }
                actions.extend(self.advertise(port, target, source, link_layer.or(station)));
            }
            Ok(ndp::Message::Advertisement { link_layer: None, .. }) | Err(_) => {}
        }
    }

    fn advertise(
        &self,
        port: PortId,
        target: Ipv6Addr,
        asker: Ipv6Addr,
        asker_mac: Option<MacAddr>,
    ) -> Option<Action> {
        let interface = self.interfaces.get(&port)?;
        if !interface.addresses.contains(&target.into()) {
            return None;
        }
        // RFC 4861 §7.2.4: an asker without an address of its own is answered to all nodes.
        let (to, to_mac, solicited) = match asker_mac {
            Some(mac) if !asker.is_unspecified() && is_station(mac) => (asker, mac, true),
            Some(_) | None => (ALL_NODES, ndp::multicast_mac(ALL_NODES), false),
        };
        let message = ndp::Message::Advertisement {
            router: true,
            solicited,
            override_known: true,
            target,
            link_layer: Some(interface.mac),
        };
        let frame = ndp_frame(interface.mac, to_mac, (target, to), &message)?;
        Some(Action::Send(port, frame))
    }
}

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// Whether an Ethernet address can be one station's: an answer to another one would go to many.
fn is_station(mac: MacAddr) -> bool {
    !mac.is_multicast() && mac != MacAddr([0; 6])
}

fn framed(source: MacAddr, destination: MacAddr, kind: u16, payload: &[u8]) -> Vec<u8> {
    let kind = ethernet::Kind::Type(kind);
    let mut frame = ethernet::Header { destination, source, kind }.encode().to_vec();
    frame.extend_from_slice(payload);
    frame
}

fn ndp_frame(
    source_mac: MacAddr,
    destination_mac: MacAddr,
    (source, destination): (Ipv6Addr, Ipv6Addr),
    message: &ndp::Message,
) -> Option<Vec<u8>> {
    let upper = message.encode(source, destination);
    let ends = (source.into(), destination.into());
    let packet = ip::encode(ends, icmp::PROTOCOL_V6, (0, ndp::HOP_LIMIT), &upper)?;
    Some(framed(source_mac, destination_mac, ethernet::TYPE_IPV6, &packet))
}

/// The frame that asks for an address.
fn question(interface: &Interface, address: IpAddr) -> Option<Vec<u8>> {
    match address {
        IpAddr::V4(target) => {
            let sender = interface.addresses.iter().find_map(|own| match own {
                IpAddr::V4(v4) => Some(*v4),
                IpAddr::V6(_) => None,
            })?;
            let request = arp::Packet {
                operation: arp::Operation::Request,
                sender_mac: interface.mac,
                sender,
                target_mac: MacAddr([0; 6]),
                target,
            };
            let payload = request.encode();
            Some(framed(interface.mac, MacAddr::BROADCAST, ethernet::TYPE_ARP, &payload))
        }
        IpAddr::V6(target) => {
            let source = interface.addresses.iter().find_map(|own| match own {
                IpAddr::V6(v6) => Some(*v6),
                IpAddr::V4(_) => None,
            })?;
            let group = ndp::solicited_node(target);
            let link_layer = Some(interface.mac);
            let message = ndp::Message::Solicitation { target, link_layer };
            ndp_frame(interface.mac, ndp::multicast_mac(group), (source, group), &message)
        }
    }
}
