//! Routes: shortest paths, labels, what happens after failures.

use base::Duration;
use isis::{HopLabel, LabelRange, Loopback};

use crate::network::{Network, PAIR, RING, label, loopback, loopback_v6};

#[test]
fn a_ring_reroutes_around_a_cut_and_back() {
    let mut network = Network::new(4, &RING, |_, _| {});
    network.seconds(5);
    assert!(network.in_step());
    assert_eq!(network.ports(0, 1), [0]);
    assert_eq!(network.ports(0, 2), [0, 3]);
    let before = network.route_changes;
    network.cut(0);
    network.millis(100);
    assert_eq!(network.ports(0, 1), [3]);
    assert_eq!(network.ports(0, 2), [3]);
    assert_eq!(network.route(0, loopback(1)).unwrap().metric, 30);
    assert!(network.in_step());
    assert!(network.route_changes > before);
    network.mend(0);
    network.seconds(2);
    assert_eq!(network.ports(0, 1), [0]);
    assert_eq!(network.ports(0, 2), [0, 3]);
}

#[test]
fn routes_change_only_when_they_differ() {
    let mut network = Network::new(4, &RING, |_, config| {
        config.lsp_lifetime = Duration::from_secs(60);
        config.lsp_refresh = Duration::from_secs(40);
    });
    network.seconds(5);
    let changes = network.route_changes;
    network.seconds(300);
    assert_eq!(network.route_changes, changes);
    assert!(network.in_step());
}

#[test]
fn a_diamond_shares_over_both_ways_and_takes_eight_at_most() {
    let diamond = [(0, 1, 10), (0, 2, 10), (1, 3, 10), (2, 3, 10)];
    let mut network = Network::new(4, &diamond, |_, _| {});
    network.seconds(5);
    assert_eq!(network.ports(0, 3), [0, 1]);
    assert_eq!(network.route(0, loopback(3)).unwrap().metric, 20);
    let parallel = [(0, 1, 10); 10];
    let mut network = Network::new(2, &parallel, |_, _| {});
    network.seconds(5);
    assert_eq!(network.ports(0, 1), [0, 1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn both_families_are_reached_over_the_same_hops() {
    let mut network = Network::new(4, &RING, |_, _| {});
    network.seconds(5);
    let (v4, v6) = (network.hops(0, loopback(1)), network.hops(0, loopback_v6(1)));
    assert_eq!(v4, v6);
    assert_eq!(v4[0].label, HopLabel::Implicit);
    let v6 = network.hops(0, loopback_v6(2));
    assert_eq!(v6[0].label, HopLabel::Label(label(16_103)));
    assert!(v6[0].v6.is_some());
}

#[test]
fn our_own_prefixes_are_local() {
    let mut network = Network::new(2, &PAIR, |_, _| {});
    network.millis(30);
    let route = network.route(0, loopback(0)).unwrap();
    assert!(route.local && route.hops.is_empty());
    assert_eq!((route.metric, route.local_label), (0, Some(label(16_001))));
}

#[test]
fn labels_are_those_of_the_next_hop() {
    // Every router has label ranges of its own, and the third has none.
    let line = [(0, 1, 10), (1, 2, 10), (2, 3, 10)];
    let mut network = Network::new(4, &line, |router, config| {
        config.srgb.first = label([16_000, 20_000, 30_000, 40_000][router]);
        if router == 2 {
            config.srgb = LabelRange { first: label(30_000), count: 4 };
        }
    });
    network.seconds(5);
    let route = network.route(0, loopback(3)).unwrap().clone();
    assert_eq!(route.local_label, Some(label(16_004)));
    assert_eq!(route.hops[0].label, HopLabel::Label(label(20_004)));
    // Index 4 is outside the third router's range.
    assert_eq!(network.hops(1, loopback(3))[0].label, HopLabel::Unlabelled);
    assert_eq!(network.hops(1, loopback(2))[0].label, HopLabel::Implicit);
    assert_eq!(network.hops(3, loopback(0))[0].label, HopLabel::Label(label(30_001)));
}

#[test]
fn a_prefix_without_sid_is_reached_without_label() {
    let mut network = Network::new(2, &PAIR, |_, config| {
        for loopback in &mut config.loopbacks {
            loopback.sid_index = None;
        }
    });
    network.seconds(5);
    let route = network.route(0, loopback(1)).unwrap();
    assert_eq!((route.local_label, route.hops[0].label), (None, HopLabel::Unlabelled));
}

#[test]
fn of_two_prefixes_with_one_index_only_the_first_keeps_the_label() {
    let mut network = Network::new(4, &RING, |router, config| {
        if router == 3 {
            config.loopbacks[0].sid_index = Some(2);
        }
    });
    network.seconds(5);
    let of = |to| network.route(0, loopback(to)).unwrap().local_label;
    assert_eq!((of(1), of(3)), (Some(label(16_002)), None));
    assert_eq!(network.routers[0].counters().sid_conflicts, 1);
}

#[test]
fn a_prefix_that_several_announce_belongs_to_the_nearest() {
    let shared = Loopback { prefix: "10.9.9.9/32".parse().unwrap(), sid_index: Some(200) };
    let line = [(0, 1, 10), (1, 2, 10), (2, 3, 10), (3, 0, 50)];
    let mut network = Network::new(4, &line, |router, config| {
        if router == 1 || router == 3 {
            config.loopbacks.push(shared);
        }
    });
    network.seconds(5);
    let route = network.route(0, shared.prefix).unwrap();
    assert_eq!((route.metric, route.hops.len(), route.hops[0].port.0), (10, 1, 0));
    // The third has two neighbours that announce it at one distance.
    let route = network.route(2, shared.prefix).unwrap();
    assert_eq!(route.hops.iter().map(|hop| hop.port.0).collect::<Vec<_>>(), [1, 2]);
    assert!(route.hops.iter().all(|hop| hop.label == HopLabel::Implicit));
}

#[test]
fn an_overloaded_router_carries_no_transit_and_is_still_reached() {
    let mut network = Network::new(4, &RING, |_, _| {});
    network.seconds(5);
    assert_eq!(network.ports(0, 2), [0, 3]);
    network.configure(1, |config| config.overload = true);
    network.seconds(1);
    assert_eq!(network.ports(0, 2), [3]);
    assert_eq!(network.ports(0, 1), [0]);
    let overloaded: Vec<_> =
        network.routers[0].database(network.now).filter(|lsp| lsp.overload).collect();
    assert_eq!(overloaded.len(), 1);
    assert_eq!(overloaded[0].hostname.as_deref(), Some("r2"));
    network.configure(1, |config| config.overload = false);
    network.seconds(1);
    assert_eq!(network.ports(0, 2), [0, 3]);
}

#[test]
fn adjacency_sids_and_addresses_are_seen_by_all() {
    let mut network = Network::new(4, &RING, |_, _| {});
    network.seconds(5);
    let node = &network.routers[0].nodes()[&crate::network::system_id(1)];
    assert_eq!(node.hostname.as_deref(), Some("r2"));
    assert_eq!(node.srgb, [LabelRange { first: label(16_000), count: 8000 }]);
    let link = node.links.iter().find(|link| link.neighbour == crate::network::system_id(2));
    let link = link.unwrap();
    assert_eq!(link.adjacency_sid, Some(label(15_002)));
    assert_eq!(link.v4.unwrap().to_string(), "10.0.2.1");
    assert_eq!(link.neighbour_v4.unwrap().to_string(), "10.0.2.2");
}

#[test]
fn same_seed_same_octets() {
    let run = |seed| {
        let mut network = Network::with_seed(4, &RING, seed, |_, _| {});
        network.seconds(10);
        network.cut(1);
        network.seconds(50);
        network.trace.value()
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}
