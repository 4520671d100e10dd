//! Who may reach a router's sessions, and who is not even answered.

use base::{Duration, PortId};
use packet::tcp::Flags;
use router::tables::GlobalRoute;

use crate::lab::Lab;
use crate::plan::{LAN, SPARE, TO_CORE, TO_SITE, address, core, mac, site};
use crate::wire::{HOST, arp_reply, ip_frame, segment, segments};

const SYN: u8 = 0x02;
const ACK: u8 = 0x10;
const BGP: u16 = 179;
const CORE: usize = 0;
const SITE: usize = 1;

/// Core router 1 and site router 1, apart, with ports that are up and know their far ends.
fn alone() -> Lab {
    let mut lab = Lab::new(1, vec![core(1), site(1)]);
    for (router, port, peer, own) in [
        (CORE, TO_CORE, "10.0.0.1", (mac(1, 0), "10.0.0.0")),
        (CORE, TO_SITE, "100.64.1.1", (mac(1, 1), "100.64.1.0")),
        (CORE, SPARE, "100.64.101.1", (mac(1, 2), "100.64.101.0")),
        (SITE, PortId(0), "100.64.1.0", (mac(11, 0), "100.64.1.1")),
        (SITE, LAN, "10.1.1.9", (mac(11, 1), "10.1.1.1")),
    ] {
        lab.port(router, port, true);
        lab.inject(router, port, &arp_reply((HOST, peer), own));
    }
    lab.run_for(Duration::from_millis(1));
    lab.left.clear();
    lab
}

/// What core router 1 answers to a segment from the site's address, with its times to live.
fn answers(lab: &mut Lab, port: PortId, ports: (u16, u16), ttl: u8, flags: u8) -> Vec<(u8, Flags)> {
    let to = mac(1, u8::try_from(port.0).unwrap_or(0));
    let packet = segment("100.64.1.1", "100.64.1.0", ports, ttl, flags);
    lab.inject(CORE, port, &ip_frame(to, HOST, &packet));
    let left = lab.take_left(CORE, TO_SITE);
    segments(&left).into_iter().map(|(ttl, header)| (ttl, header.flags)).collect()
}

#[test]
fn a_site_reaches_bgp_on_its_own_uplink_with_an_untouched_time_to_live_only() {
    let mut lab = alone();
    let bgp = (50_000, BGP);
    assert_eq!(answers(&mut lab, TO_SITE, bgp, 254, SYN), []);
    assert_eq!(answers(&mut lab, SPARE, bgp, 255, SYN), []);
    assert_eq!(answers(&mut lab, TO_CORE, bgp, 255, SYN), []);
    assert_eq!(answers(&mut lab, TO_SITE, (50_000, 22), 255, SYN), []);
    assert_eq!(answers(&mut lab, TO_SITE, (BGP, 50_000), 255, SYN), []);
    let open = Flags(SYN | ACK);
    assert_eq!(answers(&mut lab, TO_SITE, bgp, 255, SYN), [(255, open)]);
}

#[test]
fn even_a_reset_is_sent_with_a_time_to_live_that_the_far_end_believes() {
    let mut lab = alone();
    let answers = answers(&mut lab, TO_SITE, (50_000, BGP), 255, ACK);
    assert_eq!(answers.len(), 1);
    assert!(answers[0].1.intersects(Flags::RST) && answers[0].0 == 255, "{answers:?}");
}

#[test]
fn routing_is_sent_in_the_class_of_routing() {
    let mut lab = alone();
    let packet = segment("100.64.1.1", "100.64.1.0", (50_000, BGP), 255, SYN);
    lab.inject(CORE, TO_SITE, &ip_frame(mac(1, 1), HOST, &packet));
    let left = lab.take_left(CORE, TO_SITE);
    let classes: Vec<u8> =
        left.iter().filter_map(|frame| Some(crate::wire::ip_of(frame)?.0.traffic_class)).collect();
    assert_eq!(classes, [48 << 2]);
}

#[test]
fn an_interior_session_is_out_of_reach_from_an_uplink() {
    let mut lab = alone();
    // Core router 1 waits for core router 2: their session is the one that could be faked.
    let packet = segment("10.255.0.2", "10.255.0.1", (50_000, BGP), 255, SYN);
    for (port, to) in [(TO_SITE, mac(1, 1)), (SPARE, mac(1, 2))] {
        lab.inject(CORE, port, &ip_frame(to, HOST, &packet));
    }
    assert_eq!(lab.left, []);
    let view = lab.router(CORE).view();
    assert_eq!(view.sessions[0].state, "active");
}

#[test]
fn nothing_but_the_session_is_answered_at_a_sites_uplink_and_on_its_lan() {
    let mut lab = alone();
    for port in [22, 80, BGP, 3784, 50_000] {
        let packet = segment("100.64.1.0", "100.64.1.1", (50_000, port), 255, SYN);
        lab.inject(SITE, PortId(0), &ip_frame(mac(11, 0), HOST, &packet));
        let packet = segment("10.1.1.9", "10.1.1.1", (50_000, port), 255, SYN);
        lab.inject(SITE, LAN, &ip_frame(mac(11, 1), HOST, &packet));
    }
    assert_eq!(segments(&lab.left.iter().map(|one| one.2.clone()).collect::<Vec<_>>()), []);
    let drops: Vec<_> = lab.router(SITE).drops().collect();
    assert!(drops.iter().any(|(why, count)| why.contains("nobody") && *count == 10), "{drops:?}");
}

#[test]
fn a_handshake_that_is_never_finished_leaves_the_port_open_for_the_next() {
    let mut lab = alone();
    let open = [(255, Flags(SYN | ACK))];
    assert_eq!(answers(&mut lab, TO_SITE, (50_000, BGP), 255, SYN), open);
    // At once, as a neighbour does that lost its memory in between …
    let again = answers(&mut lab, TO_SITE, (50_001, BGP), 255, SYN);
    assert_eq!(again.last(), open.last(), "{again:?}");
    // … and after the socket's patience has ended.
    lab.run_for(Duration::from_secs(60));
    lab.left.clear();
    assert_eq!(answers(&mut lab, TO_SITE, (50_002, BGP), 255, SYN), open);
}

#[test]
fn an_own_address_and_a_sites_are_not_given_away_to_a_router_that_announces_them() {
    for taken in ["100.64.1.0", "100.64.1.1"] {
        let mut thief = core(2);
        thief.loopback.as_mut().unwrap().v4 = taken.parse().unwrap();
        thief.neighbours.remove(0);
        let mut lab = Lab::new(2, vec![core(1), thief]);
        lab.wire((CORE, TO_CORE), (1, TO_CORE));
        lab.port(CORE, TO_SITE, true);
        lab.run_for(Duration::from_secs(5));
        assert_eq!(lab.router(CORE).adjacencies_up(), 1);
        let announced = lab.router(CORE).global_routes();
        assert!(announced.iter().any(|route| route.prefix.addr() == address(taken)), "{taken}");
        let global = lab.router(CORE).tables().global();
        let route = global.longest_match(address(taken)).map(|(_, route)| *route);
        let own = (taken != "100.64.1.1").then_some(GlobalRoute::Local);
        assert_eq!(route, own, "{taken}");
    }
}
