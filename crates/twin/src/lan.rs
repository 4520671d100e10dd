//! A LAN behind a site router: every address of its prefixes is a host.
//!
//! Hosts answer ARP and neighbour solicitations for themselves, echo requests, and connections and
//! datagrams to what the applications at that address listen on; other connections are refused
//! as a host refuses them. They take note of everything that arrives, except of what a router says
//! to its own link (router advertisements, DHCP, BGP), which they need not.
//!
//! Where a LAN is attached, real hosts are in their place: the simulated ones neither send nor
//! answer, and only probes are noted as they pass.

use core::net::IpAddr;

use base::{Duration, MacAddr, PortId, Prefix};
use model::plan::{Attachment, Listen, Plan};
use packet::{arp, ethernet, icmp, ip, ndp};

use crate::host;
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

/// Whose hosts a LAN has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hosts {
    /// Simulated ones.
    Simulated,
    /// Real ones, outside.
    Outside {
        /// Whether they are plugged in.
        carrier: bool,
    },
}

/// The port of BGP (RFC 4271 §8.2.1).
const BGP: u16 = 179;
/// The port that DHCP servers send from (RFC 2131 §4.1).
const DHCP_SERVER: u16 = 67;

/// A LAN.
#[derive(Debug)]
pub(crate) struct Lan {
    pub(crate) hosts: Hosts,
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
            hosts: Hosts::Simulated,
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

    pub(crate) const fn is_simulated(&self) -> bool {
        matches!(self.hosts, Hosts::Simulated)
    }

    /// Simulated hosts are always plugged in.
    pub(crate) const fn has_carrier(&self) -> bool {
        matches!(self.hosts, Hosts::Simulated | Hosts::Outside { carrier: true })
    }

    /// A simulated host of the LAN: the n-th ordinary one of the first prefix of a family.
    pub(crate) fn host(&self, v6: bool, n: u64) -> Option<IpAddr> {
        if !self.is_simulated() {
            return None;
        }
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

    /// A frame from the router: what arrived, and the frame that a host sends back at once. Only
    /// where real hosts are about, packets that are no probes are answered too.
    pub(crate) fn receive(&self, frame: &[u8], real: bool) -> (Option<Arrival>, Option<Vec<u8>>) {
        let Ok((header, payload)) = ethernet::Header::decode(frame) else { return (None, None) };
        match header.kind {
            ethernet::Kind::Type(ethernet::TYPE_ARP) => (None, self.answer_arp(payload)),
            ethernet::Kind::Type(ethernet::TYPE_IPV4 | ethernet::TYPE_IPV6) => {
                if let Some(answer) = self.answer_solicitation(payload) {
                    return (None, Some(answer));
                }
                self.receive_packet(payload, real)
            }
            ethernet::Kind::Type(_) | ethernet::Kind::Length(_) => (None, None),
        }
    }

    /// The probe in a frame on its way to real hosts.
    pub(crate) fn overhear(&self, frame: &[u8]) -> Option<Arrival> {
        let (_, packet) = ethernet::Header::decode(frame).ok()?;
        let probe = Some(probe::number(packet)?);
        let (flow, turn) = probe::read(packet)?;
        Some(Arrival { flow, turn, probe })
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

    fn receive_packet(&self, packet: &[u8], real: bool) -> (Option<Arrival>, Option<Vec<u8>>) {
        let Some((flow, turn)) = probe::read(packet) else { return (None, None) };
        let number = probe::number(packet);
        if number.is_none() && self.is_of_the_link(&flow) {
            return (None, None);
        }
        let arrival = Arrival { flow, turn, probe: number };
        if !self.is_host(flow.destination) {
            return (Some(arrival), None);
        }
        let answer = match number {
            Some(number) if turn == Turn::Ask => self
                .answer_turn(&flow)
                .and_then(|turn| probe::packet(&flow.reversed(), turn, number)),
            None if real => host::answer(packet, self.listens(&flow)),
            Some(_) | None => None,
        };
        (Some(arrival), answer.map(|packet| self.frame(flow.destination, &packet)))
    }

    /// Whether a router says this to its own link alone, so that no boundary is crossed: router
    /// advertisements and all that has an address of the link, DHCP, and BGP with a third party's
    /// router on it.
    fn is_of_the_link(&self, flow: &Flow) -> bool {
        let of_link = |address: IpAddr| match address {
            IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast() || v4.is_multicast(),
            IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.is_multicast(),
        };
        let by_gateway = self.gateways.contains(&flow.source);
        let lends = flow.protocol == packet::udp::PROTOCOL && flow.source_port == DHCP_SERVER;
        let calls = flow.protocol == packet::tcp::PROTOCOL
            && [flow.source_port, flow.destination_port].contains(&BGP)
            && self.has(flow.destination);
        by_gateway && (lends || calls) || of_link(flow.source) || of_link(flow.destination)
    }

    fn listens(&self, flow: &Flow) -> bool {
        self.listens.iter().any(|(address, listen)| {
            *address == flow.destination
                && listen.protocol == flow.protocol
                && (listen.port_first..=listen.port_last).contains(&flow.destination_port)
        })
    }

    /// What a host says to someone who asks.
    fn answer_turn(&self, flow: &Flow) -> Option<Turn> {
        if flow.protocol == probe::icmp_protocol(flow.destination) {
            return Some(Turn::Accept);
        }
        match (flow.protocol, self.listens(flow)) {
            (packet::tcp::PROTOCOL | packet::udp::PROTOCOL, true) => Some(Turn::Accept),
            (packet::tcp::PROTOCOL, false) => Some(Turn::Refuse),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Arrival, Hosts, Lan, Listen};
    use crate::probe::{self, Flow, Turn};
    use base::{MacAddr, PortId};
    use packet::{arp, ethernet, icmp, ip, udp};
    use std::net::IpAddr;

    const GATEWAY_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn lan() -> Lan {
        Lan {
            hosts: Hosts::Simulated,
            router: 0,
            port: PortId(0),
            site: "G1".to_owned(),
            network: "practices".to_owned(),
            prefixes: vec!["10.2.0.0/24".parse().unwrap(), "fd00:2::/64".parse().unwrap()],
            gateways: vec![address("10.2.0.1"), address("fd00:2::1")],
            gateway_mac: GATEWAY_MAC,
            listens: vec![(
                address("10.2.0.100"),
                Listen { protocol: 6, port_first: 443, port_last: 443 },
            )],
        }
    }

    fn framed(destination: MacAddr, packet: &[u8]) -> Vec<u8> {
        let kind = ethernet::Kind::Type(match packet[0] >> 4 {
            4 => ethernet::TYPE_IPV4,
            _ => ethernet::TYPE_IPV6,
        });
        let header = ethernet::Header { destination, source: GATEWAY_MAC, kind };
        [&header.encode()[..], packet].concat()
    }

    /// RFC 4861 §4.2 and §4.6.2, by hand: hop limit 64, a lifetime of 1800 s, one prefix to make
    /// addresses of.
    fn router_advertisement() -> Vec<u8> {
        let (router, all_nodes) = (address("fe80::1"), address("ff02::1"));
        let mut message = vec![134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0];
        message.extend([3, 4, 64, 0xc0, 0, 1, 0x51, 0x80, 0, 0, 0x38, 0x40, 0, 0, 0, 0]);
        message.extend([0xfd, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let mut checksum = packet::checksum::Checksum::pseudo(router, all_nodes, 58, message.len());
        checksum.add(&message);
        message[2..4].copy_from_slice(&checksum.value().to_be_bytes());
        let packet = ip::encode((router, all_nodes), 58, (0, 255), &message).unwrap();
        framed(MacAddr([0x33, 0x33, 0, 0, 0, 1]), &packet)
    }

    fn dhcp_offer(to: &str) -> Vec<u8> {
        let ends = (address("10.2.0.1"), address(to));
        let datagram = udp::encode((ends.0, 67), (ends.1, 68), &[0; 240]);
        let packet = ip::encode(ends, udp::PROTOCOL, (0, 64), &datagram).unwrap();
        framed(MacAddr::BROADCAST, &packet)
    }

    #[test]
    fn what_a_router_says_to_its_own_link_is_not_an_arrival() {
        for frame in
            [router_advertisement(), dhcp_offer("255.255.255.255"), dhcp_offer("10.2.0.100")]
        {
            for real in [false, true] {
                assert_eq!(lan().receive(&frame, real), (None, None));
            }
            assert_eq!(lan().overhear(&frame), None);
        }
        // From anywhere else the same datagram is an arrival.
        let ends = (address("10.9.0.1"), address("10.2.0.100"));
        let datagram = udp::encode((ends.0, 67), (ends.1, 68), &[0; 240]);
        let packet = ip::encode(ends, udp::PROTOCOL, (0, 64), &datagram).unwrap();
        let (arrival, answer) = lan().receive(&framed(GATEWAY_MAC, &packet), false);
        assert!(arrival.is_some_and(|arrival| arrival.probe.is_none()) && answer.is_none());
    }

    #[test]
    fn packets_that_are_no_probes_are_answered_only_where_real_hosts_are_about() {
        let ends = (address("10.9.0.7"), address("10.2.0.100"));
        let echo = icmp::Echo { identifier: 1, sequence: 2, data: b"hello".to_vec() };
        let request = icmp::Message::EchoRequest(echo.clone()).encode(ends.0, ends.1);
        let frame = framed(GATEWAY_MAC, &ip::encode(ends, 1, (0, 60), &request).unwrap());
        assert_eq!(lan().receive(&frame, false).1, None);
        let answer = lan().receive(&frame, true).1.unwrap();
        let (header, packet) = ethernet::Header::decode(&answer).unwrap();
        assert_eq!(header.destination, GATEWAY_MAC);
        let reply = ip::Packet::decode(packet).unwrap().payload(packet);
        let reply = icmp::Message::decode(ends.1, ends.0, reply);
        assert_eq!(reply, Ok(icmp::Message::EchoReply(echo)));
    }

    #[test]
    fn of_an_attached_lan_only_probes_are_noted() {
        let mut lan = lan();
        lan.hosts = Hosts::Outside { carrier: true };
        assert_eq!(lan.host(false, 0), None);
        let flow = Flow {
            source: address("10.9.0.7"),
            destination: address("10.2.0.5"),
            protocol: 1,
            source_port: 0,
            destination_port: 0,
        };
        let probe = framed(GATEWAY_MAC, &probe::packet(&flow, Turn::Ask, 9).unwrap());
        let noted = Arrival { flow, turn: Turn::Ask, probe: Some(9) };
        assert_eq!(lan.overhear(&probe), Some(noted));
        for len in 0..probe.len() {
            assert_eq!(lan.overhear(&probe[..len]), None, "{len} octets");
        }
        let question = arp::Packet {
            operation: arp::Operation::Request,
            sender_mac: GATEWAY_MAC,
            sender: "10.2.0.1".parse().unwrap(),
            target_mac: MacAddr([0; 6]),
            target: "10.2.0.5".parse().unwrap(),
        };
        let kind = ethernet::Kind::Type(ethernet::TYPE_ARP);
        let destination = MacAddr::BROADCAST;
        let header = ethernet::Header { destination, source: GATEWAY_MAC, kind };
        let frame = [&header.encode()[..], &question.encode()].concat();
        assert_eq!(lan.overhear(&frame), None);
    }
}
