//! Hosts without settings: addresses by DHCP, router advertisements, in octets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::{Duration, Instant, MacAddr};
use model::config::{DhcpPool, HostService, NeighbourKind, PortKind, RouterConfig};
use packet::dhcp::{Kind, Message};
use packet::ndp::Message as Neighbour;
use packet::router_discovery::{ALL_NODES, ALL_ROUTERS, Advertisement, Solicitation};
use packet::{ethernet, icmp, ip, ndp, udp};
use router::Router;

use crate::lab::{Lab, SITE_1, SITE_2};
use crate::plan::{LAN, LAN_B, address, mac, site};
use crate::wire::{HOST, OTHER_HOST, arp_reply, ip_frame, ip_of, ndp_frame, ndps};

const SITE: usize = 0;
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 1, 1, 1);
/// The link-local address of site 1's first LAN, made of 02:00:00:00:0b:01.
const LINK_LOCAL: &str = "fe80::ff:fe00:b01";

fn set_hosts(config: &mut RouterConfig, port: base::PortId, service: Option<HostService>) {
    let place = usize::try_from(port.0).expect("a small number");
    let port = config.ports.get_mut(place).expect("a port");
    let PortKind::Attachment { hosts, .. } = &mut port.kind else { panic!("no attachment") };
    *hosts = service;
}

fn service(first: u8, last: u8) -> HostService {
    let end = |last| Ipv4Addr::new(10, 1, 1, last);
    HostService {
        dhcp: Some(DhcpPool { first: end(first), last: end(last), lease_s: 3600 }),
        advertise: true,
        dns: vec![address("10.9.0.53"), address("fd00:9::53")],
    }
}

/// Site 1, which serves the hosts of its first LAN.
fn serving(first: u8, last: u8) -> RouterConfig {
    let mut config = site(1);
    set_hosts(&mut config, LAN, Some(service(first, last)));
    config
}

/// That site alone, its LANs up and its first advertisements over.
fn lans(config: RouterConfig) -> Lab {
    let mut lab = Lab::new(1, vec![config]);
    lab.port(SITE, LAN, true);
    lab.port(SITE, LAN_B, true);
    lab.run_for(Duration::from_secs(60));
    lab.left.clear();
    lab
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap_or(""), 16);
    digits.chunks(2).map(|pair| octet(pair).expect("hexadecimal")).collect()
}

/// The frame in which BusyBox 1.35 (udhcpc) looked for a server, as it was on the wire.
fn discover_of_busybox() -> Vec<u8> {
    let mut frame = hex("ffffffffffff 060000000d01 0800
        4500014800000000401179a600000000ffffffff 0044004301347f1a
        0101060076e2c1180000000000000000000000000000000000000000060000000d01");
    frame.resize(42 + 236, 0);
    frame.extend(hex("63825363 350101 39020240 37080103060c0f1a1c2a
        3c0c756468637020312e33352e30 3d0701060000000d01 ff"));
    frame.resize(42 + 300, 0);
    frame
}

/// A client's message in a frame to everybody.
fn broadcast(message: &Message) -> Vec<u8> {
    let ends = (IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::BROADCAST));
    let datagram = udp::encode((ends.0, 68), (ends.1, 67), &message.encode());
    let packet = ip::encode(ends, udp::PROTOCOL, (0, 64), &datagram).expect("one family");
    ip_frame(MacAddr::BROADCAST, message.hardware, &packet)
}

/// A client's message from its own address to the router's.
fn unicast(message: &Message) -> Vec<u8> {
    let ends = (IpAddr::V4(message.client_address), IpAddr::V4(GATEWAY));
    let datagram = udp::encode((ends.0, 68), (ends.1, 67), &message.encode());
    let packet = ip::encode(ends, udp::PROTOCOL, (0, 64), &datagram).expect("one family");
    ip_frame(mac(11, 1), message.hardware, &packet)
}

fn message(kind: Kind, hardware: MacAddr) -> Message {
    Message {
        kind,
        transaction: 77,
        seconds: 0,
        broadcast: false,
        client_address: Ipv4Addr::UNSPECIFIED,
        your_address: Ipv4Addr::UNSPECIFIED,
        boot_server: Ipv4Addr::UNSPECIFIED,
        relay: Ipv4Addr::UNSPECIFIED,
        hardware,
        options: packet::dhcp::Options::default(),
    }
}

/// A request to keep an address, without a server's name.
fn reboot(hardware: MacAddr, address: Ipv4Addr) -> Message {
    let mut request = message(Kind::Request, hardware);
    request.options.requested = Some(address);
    request
}

/// What is answered on the first LAN: to which station and address, and what.
fn answers(lab: &mut Lab) -> Vec<(MacAddr, IpAddr, Message)> {
    let left = lab.take_left(SITE, LAN);
    let read = |frame: &Vec<u8>| {
        let (ethernet, _) = ethernet::Header::decode(frame).ok()?;
        let (ip, bytes) = ip_of(frame)?;
        let datagram = ip.payload(bytes);
        let (udp, payload) = udp::Header::decode(datagram).ok()?;
        assert!(udp::checksum_is_right(ip.source, ip.destination, datagram));
        assert_eq!((udp.source_port, udp.destination_port), (67, 68));
        assert_eq!((ip.source, ethernet.source), (IpAddr::V4(GATEWAY), mac(11, 1)));
        Some((ethernet.destination, ip.destination, Message::decode(payload).ok()?))
    };
    left.iter().filter_map(read).collect()
}

/// The one answer to a frame.
fn answer(lab: &mut Lab, frame: &[u8]) -> (MacAddr, IpAddr, Message) {
    lab.inject(SITE, LAN, frame);
    let mut all = answers(lab);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

#[test]
fn a_real_client_gets_its_address_and_sends_from_it() {
    let mut lab = lans(serving(10, 99));
    let client: MacAddr = "06:00:00:00:0d:01".parse().unwrap();
    let (station, to, offer) = answer(&mut lab, &discover_of_busybox());
    assert_eq!((offer.kind, offer.transaction), (Kind::Offer, 0x76e2_c118));
    let given = offer.your_address;
    assert_eq!((station, to), (client, IpAddr::V4(given)));
    assert_eq!(offer.options.client, hex("01 060000000d01"));
    let mut request = message(Kind::Request, client);
    request.options.requested = Some(given);
    request.options.server = offer.options.server;
    request.options.client = hex("01 060000000d01");
    let (.., ack) = answer(&mut lab, &broadcast(&request));
    assert_eq!((ack.kind, ack.your_address), (Kind::Ack, given));
    assert_eq!((ack.options.mtu, ack.options.lease), (Some(1500), Some(3600)));
    assert_eq!(ack.options.routers, [GATEWAY]);
    assert_eq!(ack.options.dns, [Ipv4Addr::new(10, 9, 0, 53)]);
    let leases = lab.router(SITE).leases();
    assert_eq!(leases.len(), 1);
    assert_eq!((leases[0].port.as_str(), leases[0].address, leases[0].mac), ("lan", given, client));
    assert_eq!(leases[0].client, "01060000000d01");
    assert_eq!(leases[0].expires - lab.now, Duration::from_secs(3600));
    // It renews from its own address, and answers go there.
    let mut renewal = message(Kind::Request, client);
    renewal.client_address = given;
    let (station, to, ack) = answer(&mut lab, &unicast(&renewal));
    assert_eq!((station, to, ack.kind), (client, IpAddr::V4(given), Kind::Ack));
    let mut release = renewal;
    release.kind = Kind::Release;
    release.options.server = Some(GATEWAY);
    release.options.client = hex("01 060000000d01");
    lab.inject(SITE, LAN, &unicast(&release));
    assert_eq!(lab.router(SITE).leases(), []);
}

#[test]
fn a_host_keeps_its_address_when_the_router_restarts_and_is_refused_anothers() {
    let mut lab = lans(serving(10, 99));
    let wanted = Ipv4Addr::new(10, 1, 1, 77);
    let (.., ack) = answer(&mut lab, &broadcast(&reboot(HOST, wanted)));
    assert_eq!(ack.kind, Kind::Ack);
    lab.restart(SITE);
    lab.port(SITE, LAN, true);
    lab.left.clear();
    assert_eq!(lab.router(SITE).leases(), []);
    let (.., ack) = answer(&mut lab, &broadcast(&reboot(HOST, wanted)));
    assert_eq!((ack.kind, ack.your_address), (Kind::Ack, wanted));
    let (station, to, nak) = answer(&mut lab, &broadcast(&reboot(OTHER_HOST, wanted)));
    assert_eq!(nak.kind, Kind::Nak);
    assert_eq!((station, to), (MacAddr::BROADCAST, IpAddr::V4(Ipv4Addr::BROADCAST)));
}

#[test]
fn an_address_that_a_silent_host_answers_for_is_not_given_away() {
    let mut lab = lans(serving(10, 10));
    let packet = crate::wire::datagram("10.2.1.9", "10.1.1.10", (1, 2), 64, b"x");
    lab.inject(SITE, LAN_B, &ip_frame(mac(11, 2), HOST, &packet));
    lab.inject(SITE, LAN, &arp_reply((OTHER_HOST, "10.1.1.10"), (mac(11, 1), "10.1.1.1")));
    lab.left.clear();
    lab.inject(SITE, LAN, &broadcast(&message(Kind::Discover, HOST)));
    assert_eq!(answers(&mut lab), []);
    let (.., offer) = answer(&mut lab, &broadcast(&message(Kind::Discover, OTHER_HOST)));
    assert_eq!(offer.your_address, Ipv4Addr::new(10, 1, 1, 10));
}

#[test]
fn an_empty_pool_is_told_once_and_a_flood_reaches_nobody_elses() {
    let mut lab = lans(serving(10, 12));
    for number in 0..3 {
        let host = MacAddr([6, 0, 0, 0, 1, number]);
        let address = Ipv4Addr::new(10, 1, 1, 10 + number);
        let (.., ack) = answer(&mut lab, &broadcast(&reboot(host, address)));
        assert_eq!(ack.kind, Kind::Ack);
    }
    lab.told.clear();
    for number in 0..100 {
        let host = MacAddr([6, 0, 0, 0, 2, number]);
        lab.inject(SITE, LAN, &broadcast(&message(Kind::Discover, host)));
    }
    assert_eq!(answers(&mut lab), []);
    assert_eq!(lab.told_by(SITE), ["a host on lan found no free address"]);
    assert_eq!(lab.router(SITE).leases().len(), 3);
}

#[test]
fn a_lan_without_hosts_to_serve_is_silent_and_says_so_in_its_counters() {
    let mut lab = lans(serving(10, 99));
    lab.inject(SITE, LAN_B, &discover_of_busybox());
    assert_eq!(lab.left, []);
    let drops: Vec<_> = lab.router(SITE).drops().collect();
    assert!(drops.iter().any(|(why, count)| why.contains("nobody") && *count == 1), "{drops:?}");
}

/// The advertisements among what left the first LAN, their frames and packets checked.
fn advertisements(lab: &mut Lab) -> Vec<Advertisement> {
    let left = lab.take_left(SITE, LAN);
    let read = |frame: &Vec<u8>| {
        let (ip, bytes) = ip_of(frame)?;
        let source: Ipv6Addr = LINK_LOCAL.parse().ok()?;
        let upper = ip.payload(bytes);
        let found = Advertisement::decode(source, ALL_NODES, upper).ok()?;
        assert_eq!((ip.source, ip.ttl), (IpAddr::V6(source), 255));
        assert_eq!(ip.destination, IpAddr::V6(ALL_NODES));
        assert!(frame.starts_with(&hex("333300000001 020000000b01")));
        Some(found)
    };
    left.iter().filter_map(read).collect()
}

fn solicit(lab: &mut Lab, source: &str, link_layer: Option<MacAddr>, ttl: u8) {
    let source: Ipv6Addr = source.parse().expect("an address");
    let upper = Solicitation { link_layer }.encode(source, ALL_ROUTERS);
    let ends = (IpAddr::V6(source), IpAddr::V6(ALL_ROUTERS));
    let packet = ip::encode(ends, icmp::PROTOCOL_V6, (0, ttl), &upper).expect("one family");
    lab.inject(SITE, LAN, &ip_frame(ndp::multicast_mac(ALL_ROUTERS), HOST, &packet));
}

#[test]
fn a_host_that_asks_for_routers_hears_of_ours_in_these_octets() {
    let mut lab = lans(serving(10, 99));
    solicit(&mut lab, "fe80::400:ff:fe00:d01", Some(HOST), 255);
    lab.run_for(Duration::from_secs(1));
    let left = lab.take_left(SITE, LAN);
    assert_eq!(left.len(), 1);
    // Ethernet, IPv6, and an advertisement of: hop limit 64, 1800 s; fd00:1:1::/64, on the link and
    // for addresses; resolver fd00:9::53; 1500 octets; the station.
    let expected = hex("333300000001 020000000b01 86dd
        60000000 0058 3a ff fe8000000000000000 00 00fffe000b01 ff020000000000000000000000000001
        8600 0000 40 00 0708 00000000 00000000
        0304 40c0 00015180 00003840 00000000 fd000001000100000000000000000000
        1903 0000 00000708 fd000009000000000000000000000053
        0501 0000 000005dc 0101 020000000b01");
    let without_checksum = |frame: &[u8]| [&frame[..56], &[0, 0], &frame[58..]].concat();
    assert_eq!(without_checksum(&left[0]), without_checksum(&expected));
}

#[test]
fn advertisements_come_thrice_soon_and_then_every_few_minutes() {
    let mut lab = Lab::new(1, vec![serving(10, 99)]);
    lab.port(SITE, LAN, true);
    lab.run_for(Duration::from_secs(33));
    assert_eq!(advertisements(&mut lab).len(), 3);
    lab.run_for(Duration::from_secs(3600));
    let hour = advertisements(&mut lab).len();
    assert!((6..=18).contains(&hour), "{hour}");
    lab.port(SITE, LAN, false);
    lab.run_for(Duration::from_secs(3600));
    assert_eq!(advertisements(&mut lab).len(), 0);
}

#[test]
fn a_crowd_that_asks_is_answered_once_and_what_comes_from_beyond_the_link_is_not() {
    let mut lab = lans(serving(10, 99));
    solicit(&mut lab, "fe80::1", Some(HOST), 254);
    solicit(&mut lab, "::", Some(HOST), 255);
    lab.run_for(Duration::from_secs(4));
    assert_eq!(advertisements(&mut lab).len(), 0);
    for _ in 0..100 {
        solicit(&mut lab, "fe80::1", Some(HOST), 255);
        solicit(&mut lab, "::", None, 255);
    }
    lab.run_for(Duration::from_secs(2));
    assert_eq!(advertisements(&mut lab).len(), 1);
    solicit(&mut lab, "::", None, 255);
    lab.run_for(Duration::from_secs(4));
    assert_eq!(advertisements(&mut lab).len(), 1);
}

#[test]
fn hosts_are_told_when_it_is_over() {
    let mut lab = lans(serving(10, 99));
    let mut silent = serving(10, 99);
    set_hosts(&mut silent, LAN, None);
    lab.set_config(SITE, silent);
    let last = advertisements(&mut lab);
    assert_eq!(last.len(), 1);
    assert_eq!((last[0].router_lifetime, last[0].resolvers_lifetime), (0, 0));
    assert_eq!((last[0].prefixes[0].valid, last[0].prefixes[0].preferred), (0, 0));
    lab.run_for(Duration::from_secs(3600));
    assert_eq!(lab.left, []);
    // The same where the port becomes another one.
    let mut lab = lans(serving(10, 99));
    let mut moved = serving(10, 99);
    moved.ports[1].addresses[1].address = address("fd00:1:7::1");
    lab.set_config(SITE, moved);
    lab.run_for(Duration::from_secs(60));
    let all = advertisements(&mut lab);
    let lifetimes: Vec<u16> = all.iter().map(|one| one.router_lifetime).collect();
    assert_eq!(lifetimes, [0, 1800, 1800, 1800]);
    assert_eq!(all[1].prefixes[0].prefix, "fd00:1:7::/64".parse().unwrap());
}

#[test]
fn the_link_local_address_is_resolved_and_answers_echoes() {
    let mut lab = lans(serving(10, 99));
    let target: Ipv6Addr = LINK_LOCAL.parse().unwrap();
    let message = Neighbour::Solicitation { target, link_layer: Some(HOST) };
    let group = ndp::solicited_node(target);
    let ends = ("fe80::9", group.to_string());
    let frame = ndp_frame(ndp::multicast_mac(group), HOST, (ends.0, &ends.1), &message);
    lab.inject(SITE, LAN, &frame);
    let answers = ndps(&lab.take_left(SITE, LAN));
    let told = Neighbour::Advertisement {
        router: true,
        solicited: true,
        override_known: true,
        target,
        link_layer: Some(mac(11, 1)),
    };
    assert_eq!(answers, [(HOST, told)]);
    let (source, own) = ("fe80::9".parse().unwrap(), IpAddr::V6(target));
    let echo = icmp::Echo { identifier: 1, sequence: 2, data: b"there".to_vec() };
    let request = icmp::Message::EchoRequest(echo).encode(source, own);
    let packet = ip::encode((source, own), icmp::PROTOCOL_V6, (0, 64), &request).unwrap();
    lab.inject(SITE, LAN, &ip_frame(mac(11, 1), HOST, &packet));
    assert_eq!(ndps(&lab.take_left(SITE, LAN)).len(), 1, "the asker is resolved");
    let known = Neighbour::Advertisement {
        router: false,
        solicited: true,
        override_known: true,
        target: "fe80::9".parse().unwrap(),
        link_layer: Some(HOST),
    };
    lab.inject(SITE, LAN, &ndp_frame(mac(11, 1), HOST, ("fe80::9", LINK_LOCAL), &known));
    assert_eq!(lab.take_left(SITE, LAN).len(), 1);
}

#[test]
fn leases_outlive_a_new_configuration_and_even_a_new_identity() {
    let mut lab = lans(serving(10, 99));
    let wanted = Ipv4Addr::new(10, 1, 1, 50);
    answer(&mut lab, &broadcast(&reboot(HOST, wanted)));
    let mut next = serving(40, 60);
    next.labels.count = 900;
    lab.set_config(SITE, next);
    assert_eq!(lab.router(SITE).leases().len(), 1);
    lab.set_config(SITE, serving(51, 60));
    assert_eq!(lab.router(SITE).leases(), []);
}

#[test]
fn what_hosts_send_is_survived_at_every_length_and_with_any_octet_changed() {
    let mut lab = lans(serving(10, 12));
    let source: Ipv6Addr = "fe80::9".parse().unwrap();
    let upper = Solicitation { link_layer: Some(HOST) }.encode(source, ALL_ROUTERS);
    let ends = (IpAddr::V6(source), IpAddr::V6(ALL_ROUTERS));
    let packet = ip::encode(ends, icmp::PROTOCOL_V6, (0, 255), &upper).unwrap();
    let solicitation = ip_frame(ndp::multicast_mac(ALL_ROUTERS), HOST, &packet);
    let renewal =
        Message { client_address: Ipv4Addr::new(10, 1, 1, 10), ..message(Kind::Request, HOST) };
    for frame in [discover_of_busybox(), unicast(&renewal), solicitation] {
        for at in 0..frame.len() {
            lab.inject(SITE, LAN, &frame[..at]);
            let mut bent = frame.clone();
            bent[at] = !bent[at];
            lab.inject(SITE, LAN, &bent);
            lab.run_for(Duration::from_millis(5));
        }
    }
    lab.left.clear();
    let (.., offer) = answer(&mut lab, &discover_of_busybox());
    assert_eq!(offer.kind, Kind::Offer);
}

type Mistake = fn(&mut HostService);

const MISTAKES: [(&str, Mistake); 6] = [
    ("dhcp.first", |one| one.dhcp = Some(block([10, 1, 0, 10], [10, 1, 1, 99], 3600))),
    ("dhcp.last", |one| one.dhcp = Some(block([10, 1, 1, 10], [10, 1, 2, 1], 3600))),
    ("dhcp.last", |one| one.dhcp = Some(block([10, 1, 1, 10], [10, 1, 1, 9], 3600))),
    ("dhcp.last", |one| one.dhcp = Some(block([0, 0, 0, 0], [255, 0, 0, 0], 3600))),
    ("dhcp.lease_s", |one| one.dhcp = Some(block([10, 1, 1, 10], [10, 1, 1, 99], 59))),
    ("advertise", |_| {}),
];

fn block(first: [u8; 4], last: [u8; 4], lease_s: u32) -> DhcpPool {
    DhcpPool { first: first.into(), last: last.into(), lease_s }
}

#[test]
fn what_cannot_be_done_for_hosts_is_refused_by_the_path_of_its_field() {
    for (field, make) in MISTAKES {
        let (mut config, mut wrong) = (site(1), service(10, 99));
        make(&mut wrong);
        set_hosts(&mut config, LAN, Some(wrong));
        if field == "advertise" {
            config.ports[1].addresses.truncate(1);
        }
        let errors = Router::new(Instant::ZERO, 1, config).unwrap_err().errors;
        let expected = format!("ports[1].kind.hosts.{field}");
        assert!(errors.iter().any(|one| one.field == expected), "{field}: {errors:?}");
    }
}

#[test]
fn routers_on_the_lan_are_no_hosts() {
    let mut config = serving(1, 3);
    let mut customer = config.neighbours[0].clone();
    customer.name = "ce".to_owned();
    (customer.local_address, customer.address) = (GATEWAY, Ipv4Addr::new(10, 1, 1, 2));
    customer.as_number = base::AsNumber(65_001);
    customer.kind = NeighbourKind::Customer {
        port: LAN,
        accept: std::collections::BTreeSet::new(),
        targets: std::collections::BTreeSet::new(),
        max_routes: 1,
    };
    config.neighbours.push(customer);
    let mut lab = lans(config);
    let (.., offer) = answer(&mut lab, &broadcast(&message(Kind::Discover, HOST)));
    assert_eq!(offer.your_address, Ipv4Addr::new(10, 1, 1, 3));
}

#[test]
fn whoever_serves_no_hosts_behaves_as_if_that_did_not_exist() {
    let trace = |serve: bool| {
        let mut lab = Lab::region(7);
        if serve {
            let mut config = serving(10, 99);
            config.generation = 2;
            lab.set_config(SITE_1, config);
        }
        lab.record_frames = true;
        lab.run_for(Duration::from_secs(3));
        let of = |end: &((usize, base::PortId), Vec<u8>)| end.0.0 == SITE_2;
        lab.recorded.into_iter().filter(of).collect::<Vec<_>>()
    };
    assert_eq!(trace(false), trace(true), "site 2 sees no difference");
}
