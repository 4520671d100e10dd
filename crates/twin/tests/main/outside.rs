//! LANs with real hosts in the place of simulated ones.

#![expect(
    clippy::indexing_slicing,
    reason = "a plan without routers or attachments fails the test"
)]

use std::net::{IpAddr, Ipv4Addr};

use crate::region::{converged, plan};
use base::{Duration, Instant, MacAddr};
use model::plan::Plan;
use packet::{arp, ethernet, icmp, ip, ndp, tcp};
use twin::probe::Flow;
use twin::survey::Extent;
use twin::{Outside, Twin};

/// How often a driver looks.
pub(crate) const STEP: Duration = Duration::from_micros(500);
const BROADCAST: MacAddr = MacAddr::BROADCAST;

/// The number of a site's LAN in a virtual network.
pub(crate) fn lan(plan: &Plan, site: &str, network: &str) -> usize {
    let mut lans = plan.attachments.iter();
    let found = lans.position(|lan| lan.site == site && lan.virtual_network == network);
    found.expect("the LAN is in the plan")
}

/// A host on an attached LAN, as a kernel would be.
pub(crate) struct RealHost {
    lan: usize,
    mac: MacAddr,
    pub(crate) address: Ipv4Addr,
    gateway: Ipv4Addr,
    gateway_mac: MacAddr,
    /// IP packets for this host.
    pub(crate) heard: Vec<Vec<u8>>,
    /// Every other frame.
    others: Vec<Vec<u8>>,
}

impl RealHost {
    /// Takes the place of the simulated hosts, at an address that one of them had.
    pub(crate) fn plug(twin: &mut Twin, lan: usize) -> Self {
        let Some(IpAddr::V4(address)) = twin.host(lan, false) else { panic!("no address") };
        twin.attach_lan(lan);
        let attachment = &twin.plan().attachments[lan];
        let gateway = attachment.gateways.iter().find_map(|gateway| match gateway {
            IpAddr::V4(v4) => Some(*v4),
            IpAddr::V6(_) => None,
        });
        let mut host = Self {
            lan,
            mac: MacAddr([0x3a, 0, 0, 0, 0, 7]),
            address,
            gateway: gateway.expect("a gateway"),
            gateway_mac: BROADCAST,
            heard: Vec::new(),
            others: Vec::new(),
        };
        host.find_gateway(twin);
        host
    }

    fn send(&self, twin: &mut Twin, to: MacAddr, kind: u16, payload: &[u8]) {
        let kind = ethernet::Kind::Type(kind);
        let header = ethernet::Header { destination: to, source: self.mac, kind };
        let frame = [&header.encode()[..], payload].concat();
        twin.handle_outside(twin.now(), Outside::Lan(self.lan), &frame);
    }

    pub(crate) fn send_ip(&self, twin: &mut Twin, packet: &[u8]) {
        self.send(twin, self.gateway_mac, ethernet::TYPE_IPV4, packet);
    }

    /// Asks for the gateway, which answers before anything else happens.
    fn find_gateway(&mut self, twin: &mut Twin) {
        let request = arp::Packet {
            operation: arp::Operation::Request,
            sender_mac: self.mac,
            sender: self.address,
            target_mac: MacAddr([0; 6]),
            target: self.gateway,
        };
        self.send(twin, BROADCAST, ethernet::TYPE_ARP, &request.encode());
        for (outside, frame) in twin.take_outside() {
            assert_eq!(outside, Outside::Lan(self.lan));
            let Ok((header, payload)) = ethernet::Header::decode(&frame) else { continue };
            if header.kind != ethernet::Kind::Type(ethernet::TYPE_ARP) {
                continue;
            }
            let reply = arp::Packet::decode(payload).expect("an ARP packet");
            assert_eq!(reply.operation, arp::Operation::Reply);
            assert_eq!((reply.sender, reply.target), (self.gateway, self.address));
            assert_eq!(header.destination, self.mac);
            self.gateway_mac = reply.sender_mac;
        }
    }

    /// Lives for a while: answers who asks for its address, and keeps what it hears.
    fn live(&mut self, twin: &mut Twin, duration: Duration) {
        let end = twin.now() + duration;
        while twin.now() < end {
            twin.run_for(STEP);
            for (outside, frame) in twin.take_outside() {
                assert_eq!(outside, Outside::Lan(self.lan));
                self.hear(twin, frame);
            }
        }
    }

    pub(crate) fn hear(&mut self, twin: &mut Twin, frame: Vec<u8>) {
        let (header, payload) = ethernet::Header::decode(&frame).expect("a frame");
        match header.kind {
            ethernet::Kind::Type(ethernet::TYPE_ARP) => {
                let asked = arp::Packet::decode(payload).expect("an ARP packet");
                if asked.operation == arp::Operation::Request && asked.target == self.address {
                    let reply = arp::Packet {
                        operation: arp::Operation::Reply,
                        sender_mac: self.mac,
                        sender: self.address,
                        target_mac: asked.sender_mac,
                        target: asked.sender,
                    };
                    self.send(twin, asked.sender_mac, ethernet::TYPE_ARP, &reply.encode());
                }
                self.others.push(frame);
            }
            ethernet::Kind::Type(ethernet::TYPE_IPV4) if header.destination == self.mac => {
                self.heard.push(payload.to_vec());
            }
            ethernet::Kind::Type(_) | ethernet::Kind::Length(_) => self.others.push(frame),
        }
    }

    fn echo_request(&self, to: IpAddr, sequence: u16) -> Vec<u8> {
        let ends = (self.address.into(), to);
        let echo = icmp::Echo { identifier: 4711, sequence, data: vec![0xa5; 56] };
        let message = icmp::Message::EchoRequest(echo).encode(ends.0, ends.1);
        ip::encode(ends, icmp::PROTOCOL_V4, (0, 64), &message).expect("one family")
    }

    fn opening(&self, to: IpAddr, port: u16) -> Vec<u8> {
        let ends = (self.address.into(), to);
        let header = tcp::Header {
            source_port: 50_000,
            destination_port: port,
            sequence: 1,
            acknowledgement: 0,
            flags: tcp::Flags::SYN,
            window: 1024,
            checksum: 0,
            urgent: 0,
        };
        ip::encode(ends, tcp::PROTOCOL, (0, 64), &header.encode()).expect("one family")
    }

    /// The flags of the TCP segments heard, by the port that they came from.
    fn segments(&self) -> Vec<(u16, u8)> {
        let heard = self.heard.iter().filter_map(|packet| {
            let header = ip::Packet::decode(packet).ok()?;
            let segment = (header.protocol == tcp::PROTOCOL).then(|| header.payload(packet))?;
            let (segment, _) = tcp::Header::decode(segment).ok()?;
            Some((segment.source_port, segment.flags.0))
        });
        heard.collect()
    }
}

#[test]
fn a_gateway_answers_a_real_host_that_asks_for_it_in_both_families() {
    let mut twin = converged(plan("two-pops"), 1);
    let lan = lan(twin.plan(), "G1", "practices");
    let host = RealHost::plug(&mut twin, lan);
    let attachment = twin.plan().attachments[lan].clone();
    let router = twin.router_number(&attachment.router).unwrap();
    let port = usize::try_from(attachment.port.0).unwrap();
    assert_eq!(host.gateway_mac, twin.plan().routers[router].ports[port].mac);

    let gateway = attachment.gateways.iter().find_map(|one| match one {
        IpAddr::V4(_) => None,
        IpAddr::V6(v6) => Some(*v6),
    });
    let target = gateway.unwrap();
    let (own, group) = ("fe80::7".parse().unwrap(), ndp::solicited_node(target));
    let question = ndp::Message::Solicitation { target, link_layer: Some(host.mac) };
    let ends = (IpAddr::V6(own), IpAddr::V6(group));
    let question =
        ip::encode(ends, icmp::PROTOCOL_V6, (0, 255), &question.encode(own, group)).unwrap();
    host.send(&mut twin, ndp::multicast_mac(group), ethernet::TYPE_IPV6, &question);
    let answered = twin.take_outside().into_iter().any(|(_, frame)| {
        let (header, packet) = ethernet::Header::decode(&frame).unwrap();
        let Ok(outer) = ip::Packet::decode(packet) else { return false };
        let answer = ndp::Message::decode(target, own, outer.payload(packet));
        header.destination == host.mac
            && matches!(answer, Ok(ndp::Message::Advertisement { target: told, .. }) if told == target)
    });
    assert!(answered);
}

#[test]
fn a_real_host_pings_a_simulated_host_of_another_site() {
    let mut twin = converged(plan("two-pops"), 1);
    let (near, far) = (lan(twin.plan(), "G1", "practices"), lan(twin.plan(), "G2", "practices"));
    let mut host = RealHost::plug(&mut twin, near);
    let to = twin.host(far, false).unwrap();
    for sequence in 0..3 {
        let request = host.echo_request(to, sequence);
        host.send_ip(&mut twin, &request);
    }
    host.live(&mut twin, Duration::from_millis(200));
    let ends = (to, host.address.into());
    let replies: Vec<icmp::Message> = host
        .heard
        .iter()
        .map(|packet| {
            let header = ip::Packet::decode(packet).unwrap();
            assert_eq!((header.source, header.destination), ends);
            icmp::Message::decode(ends.0, ends.1, header.payload(packet)).unwrap()
        })
        .collect();
    let expected = |sequence| {
        let data = vec![0xa5; 56];
        icmp::Message::EchoReply(icmp::Echo { identifier: 4711, sequence, data })
    };
    assert_eq!(replies, (0..3).map(expected).collect::<Vec<_>>());
    assert_eq!(twin.breach_count(), 0);
}

#[test]
fn a_real_host_reaches_an_application_of_its_community_and_nothing_else_there() {
    let mut twin = converged(plan("two-pops"), 1);
    let near = lan(twin.plan(), "G1", "practices");
    let records = twin.plan().applications.iter().find(|one| one.name == "records").unwrap();
    let server = *records.addresses.iter().find(|address| address.is_ipv4()).unwrap();
    let mut host = RealHost::plug(&mut twin, near);
    for port in [443, 444] {
        let opening = host.opening(server, port);
        host.send_ip(&mut twin, &opening);
    }
    let request = host.echo_request(server, 0);
    host.send_ip(&mut twin, &request);
    host.live(&mut twin, Duration::from_secs(1));
    assert_eq!(host.segments(), [(443, tcp::Flags::SYN.0 | tcp::Flags::ACK.0)]);
    let from_server = host
        .heard
        .iter()
        .filter(|packet| ip::Packet::decode(packet).is_ok_and(|header| header.source == server));
    assert_eq!(from_server.count(), 1);
    assert_eq!(twin.breach_count(), 0);
}

#[test]
fn simulated_hosts_of_an_attached_lan_are_gone_and_its_probes_are_answered_by_real_ones() {
    let mut twin = converged(plan("two-pops"), 1);
    let (near, far) = (lan(twin.plan(), "G1", "practices"), lan(twin.plan(), "G2", "practices"));
    let mut host = RealHost::plug(&mut twin, near);
    assert!(twin.is_attached(near) && !twin.is_attached(far));
    assert_eq!((twin.host(near, false), twin.host(near, true)), (None, None));
    let flow = |destination: IpAddr| Flow {
        source: twin.host(far, false).unwrap(),
        destination,
        protocol: 1,
        source_port: 0,
        destination_port: 0,
    };
    let (there, nobody) = (flow(host.address.into()), flow([10, 2, 0, 99].into()));
    assert!(twin.plan().attachments[near].prefixes.iter().any(|p| p.contains(nobody.destination)));
    let (there, nobody) =
        (twin.send_probe(far, there, twin.now()), twin.send_probe(far, nobody, twin.now()));
    host.live(&mut twin, Duration::from_millis(100));
    // What a kernel does with an echo request.
    let [request] = &host.heard[..] else { panic!("{:?}", host.heard) };
    let outer = ip::Packet::decode(request).unwrap();
    let message = icmp::Message::decode(outer.source, outer.destination, outer.payload(request));
    let Ok(icmp::Message::EchoRequest(echo)) = message else { panic!("{message:?}") };
    let ends = (outer.destination, outer.source);
    let reply = icmp::Message::EchoReply(echo).encode(ends.0, ends.1);
    host.send_ip(&mut twin, &ip::encode(ends, 1, (0, 64), &reply).unwrap());
    host.live(&mut twin, Duration::from_secs(4));
    let (there, nobody) = (twin.probe(there).unwrap(), twin.probe(nobody).unwrap());
    assert!(there.arrived.is_some_and(|(lan, _)| lan == near) && there.answered.is_some());
    // A router says that nobody has the address; no simulated host does.
    assert!(nobody.arrived.is_none() && nobody.answered.is_none_or(|(refused, _)| refused));
    assert_eq!(twin.breach_count(), 0);
    let survey = twin.survey(Extent::Full);
    assert!(survey.kept() && survey.same_network.tested > 0, "{survey:#?}");
}

#[test]
fn frames_pass_only_while_there_is_carrier() {
    let mut twin = converged(plan("two-pops"), 1);
    let lan = lan(twin.plan(), "G1", "practices");
    let mut host = RealHost::plug(&mut twin, lan);
    let answers = |host: &mut RealHost, twin: &mut Twin| {
        host.gateway_mac = BROADCAST;
        host.find_gateway(twin);
        host.gateway_mac != BROADCAST
    };
    twin.set_outside_carrier(Outside::Lan(lan), false);
    assert!(!answers(&mut host, &mut twin));
    twin.set_outside_carrier(Outside::Lan(lan), true);
    assert!(answers(&mut host, &mut twin));
    // Nothing is attached elsewhere, and nobody falls over what does not exist.
    for outside in [
        Outside::Lan(lan + 1),
        Outside::Lan(usize::MAX),
        Outside::Link(0),
        Outside::Link(usize::MAX),
    ] {
        twin.set_outside_carrier(outside, true);
        twin.handle_outside(twin.now(), outside, &[0xff; 60]);
    }
    twin.attach_lan(usize::MAX);
    assert_eq!(twin.take_outside(), Vec::new());
    assert_eq!(twin.outside_lost(), 0);
}

#[test]
fn a_frame_moves_the_clock_to_its_moment_and_a_late_one_never_back() {
    let mut twin = converged(plan("two-pops"), 1);
    let lan = lan(twin.plan(), "G1", "practices");
    twin.attach_lan(lan);
    let (before, events) = (twin.now(), twin.events());
    let later = before + Duration::from_millis(300);
    twin.handle_outside(later, Outside::Lan(lan), &[0xff; 60]);
    assert_eq!(twin.now(), later);
    assert!(twin.events() > events + 10, "what was due before happens first");
    assert!(twin.next_at().is_some_and(|at| at > later));
    twin.handle_outside(before, Outside::Lan(lan), &[0xff; 60]);
    assert_eq!(twin.now(), later);
}

#[test]
fn small_steps_and_large_ones_give_the_same_trace() {
    let hash = |step: Duration| {
        let mut twin = Twin::new(plan("two-pops"), 5).unwrap();
        while twin.now() < Instant::ZERO + Duration::from_secs(6) {
            twin.run_for(step);
        }
        (twin.trace_hash(), twin.events(), twin.next_at())
    };
    assert_eq!(hash(Duration::from_micros(300)), hash(Duration::from_secs(2)));
}
