//! A LAN behind a site router: every address of its prefixes is a host.
//!
//! Hosts answer ARP and neighbour solicitations for themselves, echo requests, and connections and
//! datagrams to what the applications at that address listen on; other connections are refused
//! as a host refuses them. They take note of everything that arrives.

use core::net::IpAddr;

use base::{Duration, MacAddr, PortId, Prefix};
use model::plan::{Attachment, Listen, Plan};
use packet::{arp, ethernet, icmp, ip, ndp};

use crate::probe::{self, Flow, Turn};

/// How long a frame takes across a LAN.
pub(crate) const DELAY: Duration = Duration::from_micros(10);

/// Where the numbering of ordinary hosts begins: gateways and applications have lower numbers.
const FIRST_HOST: u64 = 100;

/// Something that arrived at a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) flow: Flow,
    pub(crate) turn: Turn,
    /// The probe it belongs to.
    pub(crate) probe: Option<u64>,
}

/// A LAN.
#[derive(Debug)]
pub(crate) struct Lan {
    pub(crate) router: usize,
    pub(crate) port: PortId,
    pub(crate) site: String,
    pub(crate) network: String,
    prefixes: Vec<Prefix>,
    gateways: Vec<IpAddr>,
    gateway_mac: MacAddr,
    listens: Vec<(IpAddr, Listen)>,
}

/// The Ethernet address of a host.
fn mac(address: IpAddr) -> MacAddr {
    let [a, b, c, d] = match address {
        IpAddr::V4(v4) => v4.octets(),
        IpAddr::V6(v6) => {
            let [.., a, b, c, d] = v6.octets();
            [a, b, c, d]
        }
    };
    MacAddr([0x0a, u8::from(address.is_ipv6()), a, b, c, d])
}

impl Lan {
    pub(crate) fn new(plan: &Plan, attachment: &Attachment, router: usize) -> Self {
        let listens = plan
            .applications
            .iter()
            .filter(|application| {
                application.site == attachment.site
                    && application.virtual_network == attachment.virtual_network
            })
            .flat_map(|application| {
                application
                    .addresses
                    .iter()
                    .flat_map(|&address| application.listens.iter().map(move |&l| (address, l)))
            })
            .collect();
        let port = usize::try_from(attachment.port.0).unwrap_or(usize::MAX);
        let gateway_mac = plan
            .routers
            .get(router)
            .and_then(|config| config.ports.get(port))
            .map_or(MacAddr::BROADCAST, |port| port.mac);
        Self {
            router,
            port: attachment.port,
            site: attachment.site.clone(),
            network: attachment.virtual_network.clone(),
            prefixes: attachment.prefixes.clone(),
            gateways: attachment.gateways.clone(),
            gateway_mac,
            listens,
        }
    }

    /// A host of the LAN: the n-th ordinary one of the first prefix of a family.
    pub(crate) fn host(&self, v6: bool, n: u64) -> Option<IpAddr> {
        let prefix = self.prefixes.iter().find(|prefix| prefix.addr().is_ipv6() == v6)?;
        prefix.nth(FIRST_HOST + n).or_else(|| prefix.nth(2))
    }

    pub(crate) fn has(&self, address: IpAddr) -> bool {
        self.prefixes.iter().any(|prefix| prefix.contains(address))
    }

    pub(crate) fn is_host(&self, address: IpAddr) -> bool {
        self.has(address) && !self.gateways.contains(&address)
    }

    /// The frame in which a host sends an IP packet to its gateway.
    pub(crate) fn frame(&self, source: IpAddr, packet: &[u8]) -> Vec<u8> {
        let kind = match source {
            IpAddr::V4(_) => ethernet::TYPE_IPV4,
            IpAddr::V6(_) => ethernet::TYPE_IPV6,
        };
        self.framed(source, kind, packet)
    }

    fn framed(&self, source: IpAddr, kind: u16, payload: &[u8]) -> Vec<u8> {
        let header = ethernet::Header {
            destination: self.gateway_mac,
            source: mac(source),
            kind: ethernet::Kind::Type(kind),
        };
        let mut frame = header.encode().to_vec();
        frame.extend_from_slice(payload);
        frame
    }

    /// A frame from the router: what arrived, and the frame that a host sends back at once.
    pub(crate) fn receive(&self, frame: &[u8]) -> (Option<Arrival>, Option<Vec<u8>>) {
        let Ok((header, payload)) = ethernet::Header::decode(frame) else { return (None, None) };
        match header.kind {
            ethernet::Kind::Type(ethernet::TYPE_ARP) => (None, self.answer_arp(payload)),
            ethernet::Kind::Type(ethernet::TYPE_IPV4 | ethernet::TYPE_IPV6) => {
                if let Some(answer) = self.answer_solicitation(payload) {
                    return (None, Some(answer));
                }
                self.receive_packet(payload)
            }
            ethernet::Kind::Type(_) | ethernet::Kind::Length(_) => (None, None),
        }
    }

    fn answer_arp(&self, payload: &[u8]) -> Option<Vec<u8>> {
        let request = arp::Packet::decode(payload).ok()?;
        let wanted = IpAddr::V4(request.target);
        if request.operation != arp::Operation::Request || !self.is_host(wanted) {
            return None;
        }
        let reply = arp::Packet {
            operation: arp::Operation::Reply,
            sender_mac: mac(wanted),
            sender: request.target,
            target_mac: request.sender_mac,
            target: request.sender,
        };
        Some(self.framed(wanted, ethernet::TYPE_ARP, &reply.encode()))
    }

    fn answer_solicitation(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let header = ip::Packet::decode(bytes).ok()?;
        let (IpAddr::V6(asker), IpAddr::V6(group)) = (header.source, header.destination) else {
            return None;
        };
        if header.protocol != icmp::PROTOCOL_V6 {
            return None;
        }
        let message = ndp::Message::decode(asker, group, header.payload(bytes)).ok()?;
        let ndp::Message::Solicitation { target, .. } = message else { return None };
        if !self.is_host(target.into()) {
            return None;
        }
        let answer = ndp::Message::Advertisement {
            router: false,
            solicited: true,
            override_known: true,
            target,
            link_layer: Some(mac(target.into())),
        };
        let upper = answer.encode(target, asker);
        let ends = (target.into(), asker.into());
        let packet = ip::encode(ends, icmp::PROTOCOL_V6, (0, ndp::HOP_LIMIT), &upper)?;
        Some(self.framed(target.into(), ethernet::TYPE_IPV6, &packet))
    }

    fn receive_packet(&self, packet: &[u8]) -> (Option<Arrival>, Option<Vec<u8>>) {
        let Some((flow, turn)) = probe::read(packet) else { return (None, None) };
        let number = probe::number(packet);
        let arrival = Arrival { flow, turn, probe: number };
        if turn != Turn::Ask || !self.is_host(flow.destination) {
            return (Some(arrival), None);
        }
        let answer = self
            .answer_turn(&flow)
            .zip(number)
            .and_then(|(turn, number)| probe::packet(&flow.reversed(), turn, number))
            .map(|packet| self.frame(flow.destination, &packet));
        (Some(arrival), answer)
    }

    /// What a host says to someone who asks.
    fn answer_turn(&self, flow: &Flow) -> Option<Turn> {
        if flow.protocol == probe::icmp_protocol(flow.destination) {
            return Some(Turn::Accept);
        }
        let listens = self.listens.iter().any(|(address, listen)| {
            *address == flow.destination
                && listen.protocol == flow.protocol
                && (listen.port_first..=listen.port_last).contains(&flow.destination_port)
        });
        match (flow.protocol, listens) {
            (packet::tcp::PROTOCOL | packet::udp::PROTOCOL, true) => Some(Turn::Accept),
            (packet::tcp::PROTOCOL, false) => Some(Turn::Refuse),
            _ => None,
        }
    }
}
