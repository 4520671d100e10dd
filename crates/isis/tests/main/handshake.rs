//! Adjacencies: how they come up, why they go down.

use base::{Duration, Instant, PortId, SystemId};
use isis::{AdjacencyState, Hello, NotUpReason, Pdu, RejectReason, ThreeWay, Tlv};

use crate::network::{DELAY, Network, PAIR, port, system_id};

fn view(network: &Network, router: usize) -> isis::AdjacencyView {
    let router = network.routers.get(router).expect("a router of the network");
    router.adjacencies().next().expect("a circuit")
}

fn pair() -> Network {
    let mut network = Network::new(2, &PAIR, |_, _| {});
    network.seconds(10);
    network
}

#[test]
fn two_routers_find_each_other_within_one_exchange() {
    let mut network = Network::new(2, &PAIR, |_, _| {});
    network.millis(3);
    let up: Vec<_> =
        network.changes.iter().map(|(at, router, _, up, _)| (*at, *router, *up)).collect();
    let at = Instant::ZERO + DELAY * 2;
    assert_eq!(up, [(at, 0, true), (at, 1, true)]);
    network.seconds(1);
    let view = view(&network, 0);
    assert_eq!((view.state, view.not_up), (AdjacencyState::Up, None));
    assert_eq!((view.neighbour, view.hostname.as_deref()), (Some(system_id(1)), Some("r2")));
    assert_eq!(view.v4.unwrap().to_string(), "10.0.1.2");
    assert_eq!(view.v6.unwrap().to_string(), "fe80::1:2");
}

#[test]
fn hellos_are_padded_until_the_adjacency_is_up() {
    let mut network = Network::new(2, &PAIR, |_, _| {});
    let (padded, plain) =
        (std::rc::Rc::new(std::cell::Cell::new(0)), std::rc::Rc::new(std::cell::Cell::new(0)));
    let (count_padded, count_plain) = (padded.clone(), plain.clone());
    network.loss = Some(Box::new(move |_, _, pdu| {
        if let Pdu::Hello(hello) = pdu {
            let full = hello.encode(None).len() == 1497;
            let counter = if full { &count_padded } else { &count_plain };
            counter.set(counter.get() + 1);
            assert!(full || hello.encode(None).len() < 100);
        }
        false
    }));
    network.seconds(30);
    // The first two were sent before anybody watched.
    assert_eq!(padded.get(), 2);
    assert!((20..=32).contains(&plain.get()), "{}", plain.get());
}

#[test]
fn a_neighbour_that_falls_silent_is_given_up_after_its_holding_time() {
    let mut network = pair();
    network.changes.clear();
    let start = network.now;
    network.link(0).carries = false;
    network.seconds(10);
    for (at, _, _, up, reason) in &network.changes {
        assert_eq!((*up, *reason), (false, Some(NotUpReason::HoldingTimeExpired)));
        assert!(*at > start + Duration::from_secs(5) && *at <= start + Duration::from_secs(9));
    }
    assert_eq!(network.changes.len(), 2);
    assert_eq!(view(&network, 0).not_up, Some(NotUpReason::HoldingTimeExpired));
}

#[test]
fn a_link_that_carries_one_way_never_comes_up() {
    let mut network = Network::new(2, &PAIR, |_, _| {});
    network.loss = Some(Box::new(|from, _, _| from == 1));
    network.millis(20);
    network.seconds(1);
    network.cut(0);
    network.changes.clear();
    network.mend(0);
    network.seconds(20);
    assert_eq!(network.changes, []);
    assert_eq!(view(&network, 0).not_up, Some(NotUpReason::NoHello));
    let deaf = view(&network, 1);
    assert_eq!(
        (deaf.state, deaf.not_up),
        (AdjacencyState::Initializing, Some(NotUpReason::OneWay))
    );
}

#[test]
fn a_port_that_goes_down_takes_the_adjacency_with_it_at_once() {
    let mut network = pair();
    network.changes.clear();
    network.cut(0);
    let down = |router| (network.now, router, port(0), false, Some(NotUpReason::PortDown));
    assert_eq!(network.changes, [down(0), down(1)]);
    network.mend(0);
    network.millis(10);
    assert_eq!(view(&network, 0).state, AdjacencyState::Up);
}

#[test]
fn a_restarted_neighbour_is_taken_up_again_at_once() {
    let mut network = pair();
    network.changes.clear();
    network.restart(1);
    network.millis(10);
    let of_first: Vec<_> = network
        .changes
        .iter()
        .filter(|change| change.1 == 0)
        .map(|change| (change.3, change.4))
        .collect();
    assert_eq!(of_first, [(false, Some(NotUpReason::NeighbourRestarted)), (true, None)]);
    assert_eq!(view(&network, 1).state, AdjacencyState::Up);
}

#[test]
fn a_restarted_neighbour_whose_first_hello_is_lost_still_begins_anew() {
    let mut network = pair();
    let mut first = true;
    network.loss = Some(Box::new(move |from, _, _| from == 1 && core::mem::take(&mut first)));
    network.restart(1);
    network.seconds(4);
    assert_eq!(view(&network, 0).state, AdjacencyState::Up);
    assert_eq!(view(&network, 1).state, AdjacencyState::Up);
}

#[test]
fn bfd_down_ends_the_adjacency_at_once_and_holds_it_back_until_bfd_is_up() {
    let mut network = pair();
    network.bfd(0, 0, true);
    network.bfd(1, 0, true);
    network.changes.clear();
    network.bfd(0, 0, false);
    network.bfd(1, 0, false);
    let down = |router| (network.now, router, port(0), false, Some(NotUpReason::BfdDown));
    assert_eq!(network.changes, [down(0), down(1)]);
    network.seconds(8);
    assert_eq!(view(&network, 0).not_up, Some(NotUpReason::HelloRejected(RejectReason::BfdDown)));
    assert!(network.routers[0].counters().rejected(RejectReason::BfdDown) > 0);
    network.bfd(0, 0, true);
    network.millis(10);
    network.bfd(1, 0, true);
    network.millis(10);
    assert_eq!(view(&network, 0).state, AdjacencyState::Up);
}

#[test]
fn a_neighbour_that_gave_up_bfd_is_not_held_back_for_ever() {
    let mut network = pair();
    network.bfd(0, 0, true);
    network.bfd(0, 0, false);
    network.seconds(35);
    assert_eq!(view(&network, 0).state, AdjacencyState::Up);
}

#[test]
fn bfd_that_was_never_up_does_not_hold_an_adjacency_back() {
    let mut network = Network::new(2, &PAIR, |_, _| {});
    network.bfd(0, 0, false);
    network.millis(10);
    assert_eq!(view(&network, 0).state, AdjacencyState::Up);
}

#[test]
fn another_router_at_the_far_end_replaces_the_first() {
    let mut network = pair();
    network.changes.clear();
    let hello = Hello {
        circuit_type: 2,
        source: SystemId([9; 6]),
        holding_time: 9,
        circuit_id: 1,
        tlvs: vec![
            Tlv::Protocols(vec![0xcc]),
            Tlv::ThreeWay(ThreeWay {
                state: AdjacencyState::Down,
                circuit: Some(1),
                neighbour: None,
                neighbour_circuit: None,
            }),
        ],
    };
    network.inject(0, 0, &hello.encode(None));
    let down = (network.now, 0, port(0), false, Some(NotUpReason::NeighbourChanged));
    assert_eq!(network.changes, [down]);
    let now = view(&network, 0);
    assert_eq!((now.neighbour, now.state), (Some(hello.source), AdjacencyState::Initializing));
}

#[test]
fn hellos_are_refused_each_for_its_reason() {
    let good = Hello {
        circuit_type: 3,
        source: SystemId([9; 6]),
        holding_time: 9,
        circuit_id: 1,
        tlvs: vec![
            Tlv::Protocols(vec![0x81, 0xcc]),
            Tlv::ThreeWay(ThreeWay {
                state: AdjacencyState::Initializing,
                circuit: Some(4),
                neighbour: Some(system_id(0)),
                neighbour_circuit: Some(1),
            }),
        ],
    };
    let three_way = |neighbour, neighbour_circuit| {
        let Tlv::ThreeWay(seen) = &good.tlvs[1] else { panic!("the other way round") };
        let seen = Tlv::ThreeWay(ThreeWay { neighbour, neighbour_circuit, ..*seen });
        Hello { tlvs: vec![good.tlvs[0].clone(), seen], ..good.clone() }
    };
    let cases = [
        (Hello { source: system_id(0), ..good.clone() }, RejectReason::OwnSystemId),
        (Hello { circuit_type: 1, ..good.clone() }, RejectReason::WrongLevel),
        (Hello { holding_time: 0, ..good.clone() }, RejectReason::HoldingTimeZero),
        (Hello { tlvs: good.tlvs[1..].to_vec(), ..good.clone() }, RejectReason::NoCommonProtocol),
        (Hello { tlvs: good.tlvs[..1].to_vec(), ..good.clone() }, RejectReason::ThreeWayMissing),
        (three_way(Some(SystemId([8; 6])), Some(1)), RejectReason::OtherNeighbour),
        (three_way(Some(system_id(0)), Some(2)), RejectReason::OtherCircuit),
    ];
    for (hello, reason) in cases {
        let mut network = Network::new(2, &PAIR, |_, _| {});
        network.inject(0, 0, &hello.encode(None));
        assert_eq!(network.routers[0].counters().rejected(reason), 1, "{reason}");
        assert_eq!(view(&network, 0).not_up, Some(NotUpReason::HelloRejected(reason)));
    }
    let mut network = Network::new(2, &PAIR, |_, _| {});
    network.inject(0, 0, &good.encode(None));
    assert_eq!(view(&network, 0).state, AdjacencyState::Up);
}

#[test]
fn pdus_over_unknown_ports_and_ports_that_are_down_are_counted() {
    let mut network = pair();
    let now = network.now;
    network.router(0).handle_pdu(now, PortId(99), &[0x83]);
    network.cut(0);
    network.router(0).handle_pdu(now, port(0), &[0x83]);
    let counters = network.routers[0].counters();
    assert_eq!(counters.rejected(RejectReason::UnknownCircuit), 1);
    assert_eq!(counters.rejected(RejectReason::PortDown), 1);
}

#[test]
fn circuits_are_added_removed_and_changed_without_touching_others() {
    let links = [(0, 1, 10), (0, 2, 10)];
    let mut network = Network::new(3, &links, |_, _| {});
    network.seconds(5);
    network.changes.clear();
    network.configure(0, |config| config.circuits[1].metric = 77);
    network.seconds(5);
    assert_eq!(network.changes, []);
    assert_eq!(network.route(0, crate::network::loopback(2)).unwrap().metric, 77);
    network.configure(0, |config| config.circuits.reverse());
    assert_eq!(network.changes, []);
    let removed = network.configs[0].circuits[1].clone();
    network.configure(0, |config| config.circuits.truncate(1));
    assert_eq!(network.changes.len(), 1);
    assert_eq!(network.changes[0].4, Some(NotUpReason::ConfigChanged));
    network.seconds(1);
    assert_eq!(network.ports(0, 1), []);
    // Its port is still known to be up.
    network.configure(0, |config| config.circuits.push(removed));
    network.seconds(1);
    assert_eq!(network.ports(0, 1), [0]);
}
