//! From a customer's router through the region to a customer's router at the other end, all of
//! them whole speakers.
//!
//! A speaker with one VRF and one neighbour that is a customer of that VRF is a customer's router
//! itself: both ends of an attachment speak alike.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::{AsNumber, Duration, Label, Prefix, RouterId, VrfId};
use bgp::route::Family;
use bgp::{Config, CustomerFilter, Export, Neighbour, NeighbourKind, Source, Vrf};

use super::network::{Network, id};
use super::region::{REGION, Region, loopback, rd, target, vrf};
use super::scripted::prefix;

/// Router numbers: a reflector, two core routers, and the customers' routers: two at the first core
/// router in different networks, two at the second likewise.
const NEAR: usize = 1;
const FAR: usize = 2;
const NEAR_7: usize = 3;
const NEAR_8: usize = 4;
const FAR_7: usize = 5;
const FAR_8: usize = 6;

/// Which core router and VRF a customer's router is attached to, and what it announces there.
/// Customers of different networks have the same addresses and prefixes.
const CUSTOMERS: [(usize, usize, u32, [&str; 2]); 4] = [
    (NEAR_7, NEAR, 0, ["192.0.2.0/24", "2001:db8:1::/48"]),
    (NEAR_8, NEAR, 1, ["192.0.2.0/24", "2001:db8:1::/48"]),
    (FAR_7, FAR, 0, ["198.51.100.0/24", "2001:db8:2::/48"]),
    (FAR_8, FAR, 1, ["198.51.100.0/24", "2001:db8:2::/48"]),
];

/// The addresses of an attachment, alike in every network: the core router's and the customer's.
fn attachment(core: usize) -> [(IpAddr, Ipv6Addr); 2] {
    let core = u8::try_from(core).unwrap();
    [1, 2].map(|last| {
        let v4 = IpAddr::V4(Ipv4Addr::new(172, 16, core, last));
        (v4, Ipv6Addr::new(0xfd00, 0, 0, core.into(), 0, 0, 0, last.into()))
    })
}

fn customer_as(router: usize) -> AsNumber {
    AsNumber(64_900 + u32::try_from(router).unwrap())
}

fn everything() -> impl Iterator<Item = &'static str> {
    CUSTOMERS.iter().flat_map(|(.., announced)| *announced).chain(["10.70.0.0/24"])
}

fn neighbour(other: usize, as_number: AsNumber, own: usize, core: usize) -> Neighbour {
    let ends = attachment(core);
    let (here, there) = if own == core { (ends[0], ends[1]) } else { (ends[1], ends[0]) };
    Neighbour {
        id: id(other),
        name: format!("router {other}"),
        address: there.0,
        local_address: here.0,
        as_number,
        families: vec![Family::Ipv4Unicast, Family::Ipv6Unicast],
        passive: own == core,
        kind: NeighbourKind::Customer(CustomerFilter {
            vrf: VrfId(0),
            accept: everything().map(prefix).collect(),
            targets: [target(1)].into(),
            max_routes: 10,
            local_v6: Some(here.1),
            on_link: vec![
                Prefix::new(here.0, 24).expect("a length"),
                Prefix::new(here.1.into(), 64).expect("a length"),
            ],
        }),
    }
}

fn customer_config(router: usize, core: usize, announced: &[&str]) -> Config {
    let export = |text: &&str| Export { prefix: prefix(text), targets: [target(1)].into() };
    Config {
        as_number: customer_as(router),
        router_id: RouterId(loopback(router)),
        cluster_id: None,
        hold_time: 90,
        connect_retry: Duration::from_secs(5),
        local_address: None,
        labels: bgp::LabelBlock { first: Label::FIRST_FREE, last: Label::MAX },
        neighbours: vec![neighbour(core, REGION, router, core)],
        vrfs: vec![Vrf {
            id: VrfId(0),
            name: "customer".to_owned(),
            label: None,
            import: [target(1)].into(),
            export: announced.iter().map(export).collect(),
            rds: BTreeMap::new(),
            rd: rd(router, 0, 0),
        }],
    }
}

fn configs() -> Vec<Config> {
    let mut region = Region::new(1, 2, Vec::new());
    region.attached.insert(NEAR, vec![vrf(7, &["10.70.0.0/24"]), vrf(8, &[])]);
    region.attached.insert(FAR, vec![vrf(7, &[]), vrf(8, &[])]);
    let mut configs = region.configs();
    for (router, core, number, announced) in CUSTOMERS {
        let mut there = neighbour(router, customer_as(router), core, core);
        let NeighbourKind::Customer(filter) = &mut there.kind else { panic!("a customer") };
        filter.vrf = VrfId(number);
        filter.accept = announced.map(prefix).into();
        filter.targets = [target(7 + number)].into();
        configs[core].neighbours.push(there);
        configs.push(customer_config(router, core, &announced));
    }
    configs
}

/// What a customer's router has learnt.
fn learnt(network: &Network, router: usize) -> Vec<String> {
    network.routers[router].vrfs.keys().map(|(_, prefix)| prefix.to_string()).collect()
}

fn settled() -> Network {
    let mut network = Network::new(1, configs());
    network.settle();
    network
}

#[test]
fn each_customer_hears_of_its_own_network_alone_though_addresses_are_the_same() {
    let network = settled();
    assert_eq!(learnt(&network, NEAR_7), ["10.70.0.0/24", "198.51.100.0/24", "2001:db8:2::/48"]);
    assert_eq!(learnt(&network, FAR_7), ["10.70.0.0/24", "192.0.2.0/24", "2001:db8:1::/48"]);
    assert_eq!(learnt(&network, FAR_8), ["192.0.2.0/24", "2001:db8:1::/48"]);
    for (router, core, number, announced) in CUSTOMERS {
        for text in announced {
            let ways = &network.routers[core].vrfs[&(VrfId(number), prefix(text))];
            let [way] = ways.as_slice() else { panic!("one way to {text}") };
            assert_eq!(
                (way.via, way.to.label),
                (Source::Neighbour(id(router)), Label::IMPLICIT_NULL)
            );
            // The other core router's labels lead into the same VRF, where that way is.
            let other = NEAR + FAR - core;
            assert_eq!(network.ends(other, number, text), [(core, VrfId(number))]);
        }
    }
    // The region is one hop of the path.
    let route = network.routers[FAR_7].bgp.routes();
    let paths: Vec<_> = route
        .filter(|route| route.key.prefix == prefix("192.0.2.0/24"))
        .flat_map(|route| {
            route.paths.iter().map(|(path, _)| path.attributes.clone()).collect::<Vec<_>>()
        })
        .collect();
    let path = [REGION, customer_as(NEAR_7)].to_vec();
    assert_eq!(paths[0].as_path, [bgp::route::AsSegment::Sequence(path)]);
}

#[test]
fn a_customer_that_goes_is_forgotten_at_the_other_end_and_comes_back() {
    let mut network = settled();
    network.set_link(NEAR, NEAR_7, false);
    network.run(Duration::from_millis(50));
    assert_eq!(learnt(&network, FAR_7), ["10.70.0.0/24"]);
    assert_eq!(learnt(&network, FAR_8), ["192.0.2.0/24", "2001:db8:1::/48"]);
    assert!(learnt(&network, NEAR_7).is_empty());
    network.set_link(NEAR, NEAR_7, true);
    network.run(Duration::from_secs(5));
    network.settle();
    assert_eq!(learnt(&network, FAR_7).len(), 3);
    assert_eq!(learnt(&network, NEAR_7).len(), 3);
}

#[test]
fn a_session_between_core_routers_that_goes_takes_what_came_over_it() {
    let mut network = settled();
    network.set_link(0, NEAR, false);
    network.run(Duration::from_millis(50));
    assert!(learnt(&network, FAR_7).is_empty() && learnt(&network, NEAR_8).is_empty());
    network.set_link(0, NEAR, true);
    network.settle();
    assert_eq!(learnt(&network, FAR_7).len(), 3);
}

#[test]
fn a_customer_of_two_core_routers_is_reached_here_first_and_never_told_of_itself() {
    // One AS at both ends of network 7, which announces the same prefix at both.
    let mut configs = configs();
    let both = AsNumber(64_999);
    for (router, core) in [(NEAR_7, NEAR), (FAR_7, FAR)] {
        configs[router].as_number = both;
        configs[router].vrfs[0].export[0].prefix = prefix("192.0.2.0/24");
        for neighbour in configs[core].neighbours.iter_mut().filter(|one| one.id == id(router)) {
            neighbour.as_number = both;
            let NeighbourKind::Customer(filter) = &mut neighbour.kind else { panic!("a customer") };
            filter.accept.insert(prefix("192.0.2.0/24"));
        }
    }
    let mut network = Network::new(1, configs);
    network.settle();
    for (router, core) in [(NEAR_7, NEAR), (FAR_7, FAR)] {
        let ways = &network.routers[core].vrfs[&(VrfId(0), prefix("192.0.2.0/24"))];
        let via: Vec<Source> = ways.iter().map(|path| path.via).collect();
        assert_eq!(via, [router, 0].map(|number| Source::Neighbour(id(number))));
    }
    // Their IPv6 prefixes differ; but what came from an AS does not go back into it.
    for router in [NEAR_7, FAR_7] {
        assert_eq!(learnt(&network, router), ["10.70.0.0/24"]);
    }
    // When one attachment fails, the way in reserve becomes the way.
    network.set_link(FAR, FAR_7, false);
    network.run(Duration::from_millis(50));
    assert_eq!(network.ends(FAR, 0, "192.0.2.0/24"), [(NEAR, VrfId(0))]);
}

#[test]
fn a_community_between_networks_reaches_their_customers_and_ends_there() {
    let mut network = settled();
    let mut joined = configs();
    for core in [NEAR, FAR] {
        let mut config = joined[core].clone();
        for neighbour in &mut config.neighbours {
            if let NeighbourKind::Customer(filter) = &mut neighbour.kind
                && neighbour.id == id(NEAR_7)
            {
                filter.targets.insert(target(88));
            }
        }
        config.vrfs[1].import.insert(target(88));
        joined[core] = config;
    }
    // Network 8 has the same prefix itself at the near end; take that away first.
    joined[NEAR_8].vrfs[0].export.clear();
    for router in [NEAR, FAR, NEAR_8] {
        network.set_config(router, joined[router].clone());
    }
    network.settle();
    assert_eq!(network.ends(FAR, 1, "192.0.2.0/24"), [(NEAR, VrfId(0))]);
    let near = &network.routers[NEAR].vrfs[&(VrfId(1), prefix("192.0.2.0/24"))];
    assert_eq!(near[0].via, Source::Neighbour(id(NEAR_7)));
    assert!(learnt(&network, FAR_8).contains(&"192.0.2.0/24".to_owned()));
    assert!(learnt(&network, NEAR_8).contains(&"192.0.2.0/24".to_owned()));
    for router in [NEAR, FAR] {
        network.set_config(router, configs()[router].clone());
    }
    network.run(Duration::from_millis(50));
    assert!(learnt(&network, FAR_8).is_empty());
    assert_eq!(learnt(&network, NEAR_8), ["198.51.100.0/24", "2001:db8:2::/48"]);
}

#[test]
fn after_faults_the_tables_are_those_of_a_new_network() {
    let mut network = settled();
    let links = [(NEAR, NEAR_7), (NEAR, NEAR_8), (FAR, FAR_7), (FAR, FAR_8), (0, NEAR), (0, FAR)];
    for round in 0..60_usize {
        let (a, b) = links[round * 7 % links.len()];
        match round % 3 {
            0 => network.reset_connection(a, b),
            1 => network.set_link(a, b, false),
            _ => {
                network.set_config(NEAR, {
                    let mut config = configs()[NEAR].clone();
                    config.vrfs.truncate(round % 2 + 1);
                    config
                });
            }
        }
        network.run(Duration::from_millis([1, 30, 700][round / 3 % 3]));
        for (a, b) in links {
            network.set_link(a, b, true);
        }
    }
    for (router, config) in configs().into_iter().enumerate() {
        network.set_config(router, config);
    }
    network.run(Duration::from_secs(150));
    network.settle();
    let fresh = settled();
    for (one, other) in network.routers.iter().zip(&fresh.routers) {
        let ways = |router: &super::network::Router| {
            let ways = router.vrfs.iter().map(|(&key, paths)| {
                (
                    key,
                    paths
                        .iter()
                        .map(|path| (path.via, path.to.next_hop, path.rd))
                        .collect::<Vec<_>>(),
                )
            });
            ways.collect::<BTreeMap<_, _>>()
        };
        assert_eq!(ways(one), ways(other));
        assert_eq!(one.bgp.sizes().prefixes, other.bgp.sizes().prefixes);
        assert_eq!(one.bgp.sizes().attributes, other.bgp.sizes().attributes);
    }
}
