//! ARP and neighbour discovery on a site's LANs.

use base::{Duration, MacAddr};
use packet::arp::Operation;
use packet::icmp;
use packet::ndp::{self, Message};

use crate::lab::{Lab, SITE_1};
use crate::plan::{LAN, LAN_B, address, mac, site};
use crate::wire::{
    HOST, OTHER_HOST, arp_reply, arp_request, arps, data, datagram, ip_frame, ip_of, ndp_frame,
    ndps,
};

const SITE: usize = 0;
const OWN: (MacAddr, &str) = (mac(11, 2), "10.2.1.1");

/// A site router whose two LANs are up.
fn lans() -> Lab {
    let mut lab = Lab::new(1, vec![site(1)]);
    lab.port(SITE, LAN, true);
    lab.port(SITE, LAN_B, true);
    lab
}

/// Sends numbered datagrams from a host of the first LAN to one of the second.
fn send(lab: &mut Lab, ends: (&str, &str), numbers: core::ops::Range<u8>) {
    for number in numbers {
        let packet = datagram(ends.0, ends.1, (4000, 7), 64, &[number]);
        lab.inject(SITE, LAN, &ip_frame(mac(11, 1), HOST, &packet));
    }
}

fn given_up(lab: &Lab) -> u64 {
    let mut drops = lab.router(SITE).drops();
    drops.find(|(why, _)| why.contains("does not answer")).map_or(0, |(_, count)| count)
}

const V4: (&str, &str) = ("10.1.1.9", "10.2.1.9");
const V6: (&str, &str) = ("fd00:1:1::9", "fd00:2:1::9");

#[test]
fn arp_is_answered_for_the_ports_own_addresses_alone() {
    let mut lab = lans();
    for (target, answered) in [
        ("10.1.1.1", true),
        ("10.1.1.2", false),
        ("10.2.1.1", false),
        ("100.64.1.1", false),
        ("10.1.1.255", false),
    ] {
        lab.inject(SITE, LAN, &arp_request(HOST, "10.1.1.9", target));
        let replies = arps(&lab.take_left(SITE, LAN));
        assert_eq!(replies.len(), usize::from(answered), "{target}");
        for reply in replies {
            assert_eq!(reply.operation, Operation::Reply);
            assert_eq!((reply.sender_mac, reply.target_mac), (mac(11, 1), HOST));
        }
    }
}

#[test]
fn a_question_in_the_name_of_many_stations_is_not_answered_to_them() {
    let mut lab = lans();
    for sender in [MacAddr::BROADCAST, MacAddr([0; 6])] {
        let mut request = arp_request(sender, "10.1.1.9", "10.1.1.1");
        request[6..12].copy_from_slice(&HOST.0);
        lab.inject(SITE, LAN, &request);
    }
    assert_eq!(lab.left, []);
}

#[test]
fn a_hundred_thousand_forged_questions_leave_nothing_behind_and_are_answered_at_a_bounded_rate() {
    let mut lab = lans();
    send(&mut lab, ("10.2.1.9", "10.1.1.9"), 0..0);
    for number in 0..100_000_u32 {
        let [_, _, c, d] = number.to_be_bytes();
        let sender = format!("10.1.{c}.{d}");
        lab.inject(SITE, LAN, &arp_request(MacAddr([6, 1, 0, 0, c, d]), &sender, "10.1.1.1"));
    }
    assert_eq!(lab.router(SITE).tables().neighbours().count(), 0);
    let answers = lab.take_left(SITE, LAN).len();
    assert!((1..=1000).contains(&answers), "{answers}");
    // The other LAN does not feel it.
    lab.inject(SITE, LAN_B, &arp_request(HOST, "10.2.1.9", "10.2.1.1"));
    assert_eq!(lab.take_left(SITE, LAN_B).len(), 1);
}

#[test]
fn a_scan_of_a_lan_is_bounded_and_forgotten() {
    let mut config = site(1);
    config.ports[2].addresses[0].length = 16;
    let mut lab = Lab::new(1, vec![config]);
    lab.port(SITE, LAN, true);
    lab.port(SITE, LAN_B, true);
    for number in 0..10_000_u32 {
        let [_, _, c, d] = number.to_be_bytes();
        send(&mut lab, ("10.1.1.9", &format!("10.2.{c}.{d}")), 0..1);
    }
    let asked = arps(&lab.take_left(SITE, LAN_B)).len();
    assert!((2000..=2100).contains(&asked), "{asked}");
    lab.run_for(Duration::from_secs(4));
    lab.left.clear();
    lab.run_for(Duration::from_secs(60));
    assert_eq!(lab.left, []);
    assert_eq!(given_up(&lab), 10_000 - 1, "all but what was for the router itself");
}

#[test]
fn packets_wait_for_their_host_and_are_released_in_order() {
    let mut lab = lans();
    send(&mut lab, V4, 0..3);
    let left = lab.take_left(SITE, LAN_B);
    let questions = arps(&left);
    assert_eq!((left.len(), questions.len()), (1, 1), "one question, and no packet yet");
    assert_eq!(questions[0].target.to_string(), V4.1);
    assert_eq!((questions[0].sender_mac, questions[0].sender.to_string().as_str()), OWN);
    lab.inject(SITE, LAN_B, &arp_reply((HOST, V4.1), OWN));
    assert_eq!(data(&lab.take_left(SITE, LAN_B)), [[0], [1], [2]]);
    send(&mut lab, V4, 3..4);
    assert_eq!(data(&lab.take_left(SITE, LAN_B)), [[3]]);
    assert_eq!(given_up(&lab), 0);
}

#[test]
fn a_host_that_does_not_answer_is_given_up_after_three_questions() {
    let mut lab = lans();
    send(&mut lab, V4, 0..12);
    assert_eq!(given_up(&lab), 4, "eight wait");
    lab.run_for(Duration::from_secs(10));
    assert_eq!(arps(&lab.take_left(SITE, LAN_B)).len(), 3);
    assert_eq!(given_up(&lab), 12);
    lab.inject(SITE, LAN, &arp_reply((HOST, V4.0), (mac(11, 1), "10.1.1.1")));
    lab.left.clear();
    lab.inject(SITE, LAN_B, &arp_reply((HOST, V4.1), OWN));
    assert_eq!(lab.left, [], "an answer that comes too late is nobody's");
    assert_eq!(lab.router(SITE).tables().neighbours().count(), 1);
}

#[test]
fn whoever_sends_to_a_host_that_does_not_answer_is_told_so() {
    for (ends, host_protocol) in [(V4, icmp::PROTOCOL_V4), (V6, icmp::PROTOCOL_V6)] {
        let mut lab = lans();
        send(&mut lab, ends, 0..3);
        lab.run_for(Duration::from_millis(2900));
        let told = |lab: &mut Lab| {
            let left = lab.take_left(SITE, LAN);
            let errors = left.iter().filter_map(|frame| {
                let (ip, bytes) = ip_of(frame)?;
                let is_told = ip.protocol == host_protocol && ip.destination == address(ends.0);
                is_told.then(|| ip.payload(bytes)[..2].to_vec())
            });
            errors.collect::<Vec<_>>()
        };
        assert_eq!(told(&mut lab), Vec::<Vec<u8>>::new(), "not yet");
        // The sender itself is asked for before it can be told.
        let message = Message::Advertisement {
            router: false,
            solicited: true,
            override_known: true,
            target: "fd00:1:1::9".parse().unwrap(),
            link_layer: Some(HOST),
        };
        lab.run_for(Duration::from_millis(200));
        lab.left.clear();
        lab.inject(SITE, LAN, &arp_reply((HOST, V4.0), (mac(11, 1), "10.1.1.1")));
        lab.inject(SITE, LAN, &ndp_frame(mac(11, 1), HOST, (V6.0, "fd00:1:1::1"), &message));
        let unreachable = if ends == V4 { [3, 1] } else { [1, 3] };
        assert_eq!(told(&mut lab), [unreachable; 3], "{ends:?}");
    }
}

#[test]
fn a_sender_at_another_site_is_told_so_too() {
    let mut lab = Lab::converged(4);
    let packet = datagram("10.1.1.9", "10.1.2.77", (4000, 7), 64, b"anybody");
    lab.inject(SITE_1, LAN, &ip_frame(mac(11, 1), HOST, &packet));
    lab.run_for(Duration::from_millis(3100));
    lab.inject(SITE_1, LAN, &arp_reply((HOST, V4.0), (mac(11, 1), "10.1.1.1")));
    let left = lab.take_left(SITE_1, LAN);
    let told: Vec<_> = left.iter().filter_map(|frame| ip_of(frame)).collect();
    assert_eq!(told.len(), 1);
    let (ip, bytes) = told[0];
    assert_eq!((ip.source, ip.destination), (address("10.1.2.1"), address(V4.0)));
    assert_eq!(ip.payload(bytes)[..2], [3, 1]);
}

#[test]
fn a_check_for_ones_own_address_teaches_nothing() {
    let mut lab = lans();
    send(&mut lab, V6, 0..1);
    lab.left.clear();
    let target = "fd00:2:1::9".parse().unwrap();
    for link_layer in [None, Some(OTHER_HOST)] {
        let message = Message::Solicitation { target, link_layer };
        let ends = ("::", "ff02::1:ff00:9");
        let to = ndp::multicast_mac(ndp::solicited_node(target));
        lab.inject(SITE, LAN_B, &ndp_frame(to, OTHER_HOST, ends, &message));
    }
    assert_eq!(lab.left, []);
    assert_eq!(lab.router(SITE).tables().neighbours().count(), 0);
}

#[test]
fn a_host_that_falls_silent_is_asked_again_in_time_and_forgotten() {
    let mut lab = lans();
    send(&mut lab, V4, 0..1);
    lab.inject(SITE, LAN_B, &arp_reply((HOST, V4.1), OWN));
    lab.run_for(Duration::from_secs(599));
    lab.left.clear();
    assert_eq!(lab.router(SITE).tables().neighbours().count(), 1);
    lab.run_for(Duration::from_secs(5));
    assert_eq!(arps(&lab.take_left(SITE, LAN_B)).len(), 3);
    assert_eq!(lab.router(SITE).tables().neighbours().count(), 0);
}

#[test]
fn neighbour_discovery_resolves_and_releases_alike() {
    let mut lab = lans();
    send(&mut lab, V6, 0..2);
    let left = lab.take_left(SITE, LAN_B);
    let target = match address(V6.1) {
        std::net::IpAddr::V6(v6) => v6,
        std::net::IpAddr::V4(_) => unreachable!(),
    };
    let asked = (
        ndp::multicast_mac(ndp::solicited_node(target)),
        Message::Solicitation { target, link_layer: Some(mac(11, 2)) },
    );
    assert_eq!(ndps(&left), [asked]);
    let tell = |from: MacAddr, override_known| {
        let message = Message::Advertisement {
            router: false,
            solicited: true,
            override_known,
            target,
            link_layer: Some(from),
        };
        ndp_frame(mac(11, 2), from, (V6.1, "fd00:2:1::1"), &message)
    };
    lab.inject(SITE, LAN_B, &tell(HOST, false));
    assert_eq!(data(&lab.take_left(SITE, LAN_B)), [[0], [1]]);
    let known = |lab: &Lab| lab.router(SITE).tables().neighbour(LAN_B, target.into());
    lab.inject(SITE, LAN_B, &tell(OTHER_HOST, false));
    assert_eq!(known(&lab), Some(HOST), "what does not override changes nothing");
    lab.inject(SITE, LAN_B, &tell(OTHER_HOST, true));
    assert_eq!(known(&lab), Some(OTHER_HOST));
}

#[test]
fn a_solicitation_is_answered_to_whoever_asked() {
    let mut lab = lans();
    let target = "fd00:1:1::1".parse().unwrap();
    for (source, destination, link_layer, to) in [
        ("fd00:1:1::9", "fd00:1:1::1", Some(HOST), HOST),
        ("fd00:1:1::9", "fd00:1:1::1", None, HOST),
        ("::", "ff02::1:ff00:1", None, ndp::multicast_mac("ff02::1".parse().unwrap())),
    ] {
        let message = Message::Solicitation { target, link_layer };
        lab.inject(SITE, LAN, &ndp_frame(mac(11, 1), HOST, (source, destination), &message));
        let answers = ndps(&lab.take_left(SITE, LAN));
        assert_eq!(answers.len(), 1, "{source} {link_layer:?}");
        let Message::Advertisement { solicited, link_layer, .. } = answers[0].1 else {
            panic!("{answers:?}");
        };
        assert_eq!((answers[0].0, solicited), (to, source != "::"));
        assert_eq!(link_layer, Some(mac(11, 1)));
    }
    let message =
        Message::Solicitation { target: "fd00:2:1::1".parse().unwrap(), link_layer: Some(HOST) };
    lab.inject(SITE, LAN, &ndp_frame(mac(11, 1), HOST, ("fd00:1:1::9", "ff02::1"), &message));
    assert_eq!(lab.left, [], "another port's address");
}

#[test]
fn a_port_that_goes_down_forgets_its_neighbours_and_what_waits_for_them() {
    let mut lab = lans();
    send(&mut lab, V4, 0..1);
    lab.inject(SITE, LAN_B, &arp_reply((HOST, V4.1), OWN));
    send(&mut lab, ("10.1.1.9", "10.2.1.10"), 0..2);
    lab.port(SITE, LAN_B, false);
    assert_eq!(lab.router(SITE).tables().neighbours().count(), 0);
    assert_eq!(given_up(&lab), 2);
    lab.port(SITE, LAN_B, true);
    lab.left.clear();
    send(&mut lab, V4, 1..2);
    assert_eq!(arps(&lab.take_left(SITE, LAN_B)).len(), 1);
}

#[test]
fn the_far_end_of_an_uplink_is_asked_for_until_it_answers() {
    let mut lab = Lab::new(1, vec![site(1)]);
    lab.port(SITE, crate::plan::UPLINK, true);
    lab.run_for(Duration::from_millis(9500));
    let questions = arps(&lab.take_left(SITE, crate::plan::UPLINK));
    assert_eq!(questions.len(), 10);
    assert!(questions.iter().all(|one| one.target.to_string() == "100.64.1.0"));
}
