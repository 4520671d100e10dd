//! Echo requests of routers' own: who answers, who is seen on the way, and what is not believed.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a configuration without the part that is changed fails the test"
)]

use std::net::{IpAddr, Ipv4Addr};

use base::{Duration, Instant, Label, MacAddr, PortId, RouterId, SystemId, VrfId};
use model::config::{InterfaceAddress, PortKind, RouterConfig};
use packet::icmp::{self, Echo, Message};
use packet::{ip, ndp};
use router::probes::{
    DropReason, LabelEntry, OUTSTANDING_MAX, Outcome, PAYLOAD_LEN_MAX, Probe, ProbeError, ProbeId,
    Realm, TIMEOUT, Unreachable,
};

use crate::lab::{CORE_1, CORE_2, Lab, SITE_1, SITE_2};
use crate::plan::{self, LAN, SPARE, TO_CORE, address, mac, prefix};
use crate::wire::{HOST, arp_reply, ip_frame, ip_of, ndp_frame};

const VRF: Realm = Realm::Vrf(VrfId(0));
const FIRST: usize = 0;
const MIDDLE: usize = 1;
const LAST: usize = 2;

fn echo(realm: Realm, to: &str) -> Probe {
    Probe { realm, destination: address(to), ttl: 64, label_ttl: 255, payload_len: 56 }
}

fn with_v6(mut core: RouterConfig, number: u16) -> RouterConfig {
    core.loopback.as_mut().unwrap().v6 = Some([0xfd00, 0x64, 0, 0, 0, 0, 0, number].into());
    core
}

/// A site that believes the core about what becomes of its packets.
fn site(number: u8) -> RouterConfig {
    let mut site = plan::site(number);
    site.vrfs[0].access.infrastructure = vec![prefix("10.255.0.0/24"), prefix("fd00:64::/64")];
    site
}

fn region() -> Lab {
    let cores = [with_v6(plan::core(1), 1), with_v6(plan::core(2), 2)];
    let mut lab = Lab::region_of(7, cores.into_iter().chain([site(1), site(2)]).collect());
    lab.run_for(Duration::from_secs(10));
    lab.left.clear();
    lab
}

/// Three core routers in a row, without sites.
fn row() -> Lab {
    let link = |config: &RouterConfig, far: u8| {
        let mut kind = config.ports[0].kind.clone();
        if let PortKind::CoreLink { peer, adjacency_sid, .. } = &mut kind {
            *peer = Ipv4Addr::new(10, 0, 1, far);
            *adjacency_sid = Label::masked(15_000 + u32::from(far));
        }
        kind
    };
    let own = |number| InterfaceAddress {
        address: IpAddr::V4(Ipv4Addr::new(10, 0, 1, number)),
        length: 31,
    };
    let (first, mut middle) = (with_v6(plan::core(1), 1), with_v6(plan::core(2), 2));
    let mut last = with_v6(plan::core(1), 3);
    let spare = usize::try_from(SPARE.0).unwrap();
    let mac = middle.ports[spare].mac;
    middle.ports[spare] = model::config::Port { mac, ..middle.ports[0].clone() };
    middle.ports[spare].name = "to-core-3".to_owned();
    middle.ports[spare].kind = link(&middle, 1);
    middle.ports[spare].addresses = vec![own(0)];
    last.ports[0].kind = link(&last, 0);
    last.ports[0].addresses = vec![own(1)];
    last.ports[0].mac = MacAddr([2, 0, 0, 0, 3, 0]);
    last.name = "core-3".to_owned();
    last.isis.as_mut().unwrap().system_id = SystemId([0, 0, 0, 0, 0, 3]);
    let loopback = last.loopback.as_mut().unwrap();
    (loopback.v4, loopback.v4_sid) = (Ipv4Addr::new(10, 255, 0, 3), 3);
    last.router_id = RouterId(loopback.v4);
    let mut routers = vec![first, middle, last];
    for router in &mut routers {
        router.neighbours.clear();
    }
    let mut lab = Lab::new(9, routers);
    lab.wire((FIRST, TO_CORE), (MIDDLE, TO_CORE));
    lab.wire((MIDDLE, SPARE), (LAST, TO_CORE));
    lab.run_for(Duration::from_secs(10));
    lab
}

fn start(lab: &mut Lab, router: usize, probe: Probe) -> ProbeId {
    lab.with(router, |router, now| router.start_probe(now, probe)).expect("it is sent")
}

fn taken(lab: &mut Lab, router: usize) -> Vec<(ProbeId, Outcome)> {
    lab.with(router, |router, _| router.take_probes())
}

/// What becomes of one probe.
fn outcome(lab: &mut Lab, router: usize, probe: Probe) -> Outcome {
    let id = start(lab, router, probe);
    lab.run_for(TIMEOUT);
    match taken(lab, router).pop() {
        Some((of, outcome)) if of == id => outcome,
        other => panic!("{probe:?}: {other:?}"),
    }
}

/// Who answers, and whether that is the echo.
fn answer(lab: &mut Lab, router: usize, probe: Probe) -> (String, bool, Vec<(u32, u8)>) {
    let values = |stack: Vec<LabelEntry>| {
        stack.iter().map(|entry| (entry.label.value(), entry.ttl)).collect()
    };
    match outcome(lab, router, probe) {
        Outcome::Reply(heard) => (heard.from.to_string(), true, Vec::new()),
        Outcome::Expired(heard, stack) => (heard.from.to_string(), false, values(stack)),
        other @ (Outcome::Unreachable(..)
        | Outcome::TooBig(..)
        | Outcome::TimedOut
        | Outcome::NotSent(_)) => panic!("{probe:?}: {other:?}"),
    }
}

/// Everybody who is seen as the time to live of the labels grows.
fn seen(lab: &mut Lab, router: usize, probe: Probe) -> Vec<String> {
    let mut seen = Vec::new();
    for label_ttl in 1..=10 {
        let (from, is_echo, stack) = answer(lab, router, Probe { label_ttl, ..probe });
        assert!(is_echo || stack.iter().any(|(_, ttl)| *ttl == 1), "{from}: {stack:?}");
        seen.push(from);
        if is_echo {
            break;
        }
    }
    seen
}

#[test]
fn a_gateway_hears_the_gateway_of_a_site_far_away() {
    let mut lab = region();
    for (to, from) in [("10.1.2.1", "10.1.1.1"), ("fd00:1:2::1", "fd00:1:1::1")] {
        let asked = lab.now;
        let probe = echo(VRF, to);
        let own = lab.router(SITE_1).probe_address(VRF, probe.destination);
        assert_eq!(own, Ok(address(from)));
        let Outcome::Reply(heard) = outcome(&mut lab, SITE_1, probe) else { panic!("{to}") };
        assert_eq!((heard.from, heard.at), (address(to), asked + heard.rtt));
        assert_eq!(heard.rtt, Duration::from_millis(6), "three wires there and back");
    }
    let uninvited = |lab: &Lab| lab.router(SITE_1).drops().any(|(why, _)| why.contains("nobody"));
    assert!(!uninvited(&lab));
}

#[test]
fn core_routers_show_themselves_to_a_sites_probes_and_not_to_its_packets() {
    let mut lab = region();
    for (to, cores) in
        [("10.1.2.1", ["10.255.0.1", "10.255.0.2"]), ("fd00:1:2::1", ["fd00:64::1", "fd00:64::2"])]
    {
        // The far gateway shows itself where the last label ends, and as the destination.
        let expected = [cores[0], cores[1], to, to];
        assert_eq!(seen(&mut lab, SITE_1, echo(VRF, to)), expected);
        let far = Probe { ttl: 1, ..echo(VRF, to) };
        assert_eq!(answer(&mut lab, SITE_1, far).0, to);
    }
    let host = Probe { ttl: 1, ..echo(VRF, "10.1.2.9") };
    let (from, is_echo, stack) = answer(&mut lab, SITE_1, host);
    assert_eq!((from.as_str(), is_echo), ("10.1.2.1", false));
    assert_eq!(stack.len(), 1, "the label that the far site gave: {stack:?}");
}

/// A host at site 2 takes what is for it and answers.
fn host_answers(lab: &mut Lab) -> usize {
    let mut answered = 0;
    for frame in lab.take_left(SITE_2, LAN) {
        let Some((header, bytes)) = ip_of(&frame) else { continue };
        let ends = (header.destination, header.source);
        let asked = Message::decode(header.source, header.destination, header.payload(bytes));
        let Ok(Message::EchoRequest(echo)) = asked else { continue };
        let reply = Message::EchoReply(echo).encode(ends.0, ends.1);
        let packet = ip::encode(ends, header.protocol, (0, 64), &reply).unwrap();
        lab.inject(SITE_2, LAN, &ip_frame(mac(12, 1), HOST, &packet));
        answered += 1;
    }
    answered
}

#[test]
fn a_gateway_hears_a_host_far_away() {
    let mut lab = region();
    let gateway = mac(12, 1);
    let advertised = ndp::Message::Advertisement {
        target: "fd00:1:2::9".parse().unwrap(),
        link_layer: Some(HOST),
        router: false,
        solicited: true,
        override_known: true,
    };
    let v6 = ("fd00:1:2::9", "fd00:1:2::1");
    for (to, here_i_am) in [
        ("10.1.2.9", arp_reply((HOST, "10.1.2.9"), (gateway, "10.1.2.1"))),
        (v6.0, ndp_frame(gateway, HOST, v6, &advertised)),
    ] {
        start(&mut lab, SITE_1, echo(VRF, to));
        lab.run_for(Duration::from_millis(5));
        lab.inject(SITE_2, LAN, &here_i_am);
        assert_eq!(host_answers(&mut lab), 1, "{to}");
        lab.run_for(Duration::from_millis(5));
        let all = taken(&mut lab, SITE_1);
        let [(_, Outcome::Reply(heard))] = &all[..] else { panic!("{all:?}") };
        assert_eq!(heard.from, address(to));
    }
}

#[test]
fn loopbacks_hear_each_other_and_what_is_between_them() {
    let mut lab = row();
    for (to, middle) in [("10.255.0.3", "10.255.0.2"), ("fd00:64::3", "fd00:64::2")] {
        let own = lab.router(FIRST).probe_address(Realm::Global, address(to)).unwrap();
        assert_eq!(own, if own.is_ipv4() { address("10.255.0.1") } else { address("fd00:64::1") });
        let probe = echo(Realm::Global, to);
        // Segments are of IPv4 loopbacks alone: IPv6 goes from router to router without labels.
        let short =
            if own.is_ipv4() { Probe { label_ttl: 1, ..probe } } else { Probe { ttl: 1, ..probe } };
        let (from, is_echo, stack) = answer(&mut lab, FIRST, short);
        assert_eq!((from.as_str(), is_echo), (middle, false));
        assert_eq!(stack, if own.is_ipv4() { vec![(16_003, 1)] } else { vec![] });
        assert_eq!(answer(&mut lab, FIRST, probe), (to.to_owned(), true, vec![]));
    }
}

#[test]
fn both_ends_of_an_uplink_hear_each_other() {
    let mut lab = region();
    for (router, to, own) in
        [(SITE_1, "100.64.1.0", "100.64.1.1"), (CORE_1, "100.64.1.1", "100.64.1.0")]
    {
        let probe = echo(Realm::Global, to);
        let from = lab.router(router).probe_address(Realm::Global, probe.destination);
        assert_eq!(from, Ok(address(own)));
        assert_eq!(answer(&mut lab, router, probe).0, to);
    }
    let beyond = outcome(&mut lab, SITE_1, echo(Realm::Global, "10.255.0.2"));
    assert_eq!(beyond, Outcome::NotSent(DropReason::NoRoute));
}

#[test]
fn what_cannot_be_sent_or_delivered_is_said() {
    let mut lab = region();
    let nowhere = outcome(&mut lab, SITE_1, echo(VRF, "192.0.2.1"));
    assert_eq!(nowhere, Outcome::NotSent(DropReason::NoRoute));
    let own = outcome(&mut lab, SITE_1, echo(VRF, "10.1.1.1"));
    assert_eq!(own, Outcome::NotSent(DropReason::OwnDestination));
    let long = Probe { payload_len: 3000, ..echo(VRF, "10.1.2.1") };
    assert_eq!(outcome(&mut lab, SITE_1, long), Outcome::NotSent(DropReason::MtuExceeded));
    lab.port(SITE_2, LAN, false);
    let host = outcome(&mut lab, SITE_1, echo(VRF, "10.1.2.9"));
    let Outcome::Unreachable(heard, Unreachable::Host) = host else { panic!("{host:?}") };
    assert_ne!(heard.from, address("10.1.2.9"));
}

#[test]
fn a_probe_that_nobody_can_answer_is_refused() {
    let mut lab = region();
    let good = echo(VRF, "10.1.2.1");
    for (probe, error) in [
        (Probe { realm: Realm::Vrf(VrfId(9)), ..good }, ProbeError::UnknownVrf),
        (Probe { destination: address("224.0.0.1"), ..good }, ProbeError::NotOneHost),
        (Probe { destination: address("ff02::1"), ..good }, ProbeError::NotOneHost),
        (Probe { destination: address("::"), ..good }, ProbeError::NotOneHost),
        (Probe { destination: address("255.255.255.255"), ..good }, ProbeError::NotOneHost),
        (Probe { ttl: 0, ..good }, ProbeError::NoTimeToLive),
        (Probe { label_ttl: 0, ..good }, ProbeError::NoTimeToLive),
        (Probe { payload_len: PAYLOAD_LEN_MAX + 1, ..good }, ProbeError::TooLong),
        (echo(Realm::Global, "fd00:64::1"), ProbeError::NoAddress),
    ] {
        let refused = lab.with(SITE_1, |router, now| router.start_probe(now, probe));
        assert_eq!(refused, Err(error));
    }
}

#[test]
fn an_answer_that_does_not_come_is_not_waited_for_longer_than_two_seconds() {
    let mut lab = region();
    lab.mute((SITE_2, plan::UPLINK), true);
    start(&mut lab, SITE_1, echo(VRF, "10.1.2.1"));
    lab.run_for(TIMEOUT - Duration::from_millis(1));
    assert_eq!(taken(&mut lab, SITE_1), []);
    lab.run_for(Duration::from_millis(1));
    assert!(matches!(taken(&mut lab, SITE_1)[..], [(_, Outcome::TimedOut)]));
}

#[test]
fn no_more_probes_are_under_way_than_are_allowed() {
    let mut lab = region();
    lab.mute((SITE_2, plan::UPLINK), true);
    let probe = echo(VRF, "10.1.2.1");
    for _ in 0..OUTSTANDING_MAX {
        start(&mut lab, SITE_1, probe);
    }
    let refused =
        |lab: &mut Lab| lab.with(SITE_1, |router, now| router.start_probe(now, probe)).is_err();
    assert!(refused(&mut lab));
    lab.run_for(TIMEOUT);
    assert!(refused(&mut lab), "what became of them waits to be taken");
    assert_eq!(taken(&mut lab, SITE_1).len(), OUTSTANDING_MAX);
    assert!(!refused(&mut lab));
}

#[test]
fn a_probe_ends_though_its_router_becomes_another_one() {
    let mut lab = region();
    let id = start(&mut lab, SITE_1, echo(VRF, "10.1.2.1"));
    let mut config = site(1);
    (config.generation, config.labels.count) = (2, 500);
    lab.set_config(SITE_1, config);
    lab.run_for(TIMEOUT);
    assert_eq!(taken(&mut lab, SITE_1), [(id, Outcome::TimedOut)]);
}

#[test]
fn only_the_answer_to_a_probe_is_taken_for_one() {
    let mut lab = region();
    lab.mute((SITE_1, plan::UPLINK), true);
    start(&mut lab, SITE_1, echo(VRF, "10.1.1.9"));
    let gateway = mac(11, 1);
    lab.inject(SITE_1, LAN, &arp_reply((HOST, "10.1.1.9"), (gateway, "10.1.1.1")));
    let sent = lab.take_left(SITE_1, LAN);
    let (header, bytes) = sent.iter().find_map(|frame| ip_of(frame)).unwrap();
    let asked = Message::decode(header.source, header.destination, header.payload(bytes));
    let Ok(Message::EchoRequest(Echo { identifier, sequence, data })) = asked else {
        panic!("{asked:?}")
    };
    let reply = |identifier, sequence| Echo { identifier, sequence, data: data.clone() };
    let right = reply(identifier, sequence);
    let mut hear = |port: PortId, from: &str, to: &str, message: Message| {
        let ends = (address(from), address(to));
        let message = message.encode(ends.0, ends.1);
        let packet = ip::encode(ends, icmp::PROTOCOL_V4, (0, 64), &message).unwrap();
        lab.inject(SITE_1, port, &ip_frame(mac(11, u8::try_from(port.0).unwrap()), HOST, &packet));
        taken(&mut lab, SITE_1).len()
    };
    let (host, own) = ("10.1.1.9", "10.1.1.1");
    let other = reply(identifier.wrapping_add(1), sequence);
    assert_eq!(hear(LAN, host, own, Message::EchoReply(other)), 0);
    let other = reply(identifier, sequence.wrapping_add(1));
    assert_eq!(hear(LAN, host, own, Message::EchoReply(other)), 0);
    assert_eq!(hear(LAN, "10.1.1.8", own, Message::EchoReply(right.clone())), 0);
    let uplink = ("100.64.1.0", "100.64.1.1");
    assert_eq!(hear(plan::UPLINK, uplink.0, uplink.1, Message::EchoReply(right.clone())), 0);
    assert_eq!(hear(LAN, host, own, Message::EchoRequest(right.clone())), 0);
    assert_eq!(hear(LAN, host, own, Message::EchoReply(right.clone())), 1);
    assert_eq!(hear(LAN, host, own, Message::EchoReply(right)), 0, "once");
    let uninvited = lab.router(SITE_1).drops().find(|(why, _)| why.contains("nobody"));
    assert_eq!(uninvited.map(|(_, count)| count), Some(5));
}

#[test]
fn a_probe_is_nothing_that_the_rest_of_the_router_notices() {
    let said = |probe: bool| {
        let mut lab = region();
        lab.told.clear();
        if probe {
            start(&mut lab, CORE_1, echo(Realm::Global, "10.255.0.2"));
        }
        lab.run_for(Duration::from_secs(5));
        let timeout =
            |number| lab.router(number).poll_timeout().map(|wake: base::Deadline| wake.at);
        let wakes: Vec<Option<Instant>> = [CORE_1, CORE_2, SITE_1].map(timeout).to_vec();
        (wakes, lab.told.len(), lab.router(CORE_1).drops().collect::<Vec<_>>())
    };
    assert_eq!(said(true), said(false));
}
