//! A new configuration takes effect on the routes that are already there, and on nothing else.

use base::{Duration, Label, LabelSpace, PortId, VrfId};
use bgp::{LabelBinding, NeighbourKind};

use super::network::{Network, id};
use super::region::{Region, VrfPlan, site, target, vrf};
use super::rogue::{PEER, Rogue, config, filter, honest, key};

fn region() -> Region {
    let sites = vec![
        site(&[1], vec![vrf(7, &["10.1.0.0/24"])]),
        site(&[1], vec![vrf(8, &["10.2.0.0/24"])]),
    ];
    Region::new(1, 1, sites)
}

fn settled(region: &Region) -> Network {
    let mut network = Network::new(1, region.configs());
    network.settle();
    network
}

fn apply(network: &mut Network, region: &Region) {
    for (router, config) in region.configs().into_iter().enumerate() {
        network.set_config(router, config);
    }
}

fn established(network: &Network) -> Vec<u64> {
    let counts = network.routers.iter().flat_map(|router| {
        router.bgp.neighbours().map(|view| view.session.established).collect::<Vec<_>>()
    });
    counts.collect()
}

#[test]
fn the_same_configuration_again_does_nothing() {
    let region = region();
    let mut network = settled(&region);
    let outputs: Vec<usize> = network.routers.iter().map(|router| router.outputs.len()).collect();
    apply(&mut network, &region);
    for (router, count) in network.routers.iter().zip(outputs) {
        assert_eq!(router.outputs.len(), count);
    }
}

#[test]
fn a_wider_and_a_narrower_filter_act_on_routes_that_were_announced_before() {
    let mut rogue = Rogue::new(config(filter()));
    rogue.announce(&[key(0), key(12)], &honest(), PEER, 100);
    assert_eq!(rogue.accepted(), 1);
    let mut wide = filter();
    wide.accept.push(bgp::Accept { key: key(12), targets: vec![target(7)] });
    let now = rogue.now;
    rogue.core.set_config(now, config(wide));
    assert_eq!(rogue.accepted(), 2);
    let mut narrow = filter();
    narrow.accept.clear();
    rogue.core.set_config(now, config(narrow));
    assert_eq!(rogue.accepted(), 0);
    let mut few = filter();
    few.max_routes = 1;
    rogue.core.set_config(now, config(few));
    rogue.run(Duration::from_millis(10));
    assert!(!rogue.is_up());
}

#[test]
fn a_community_is_live_in_a_moment_and_ends_in_a_moment_without_a_session_lost() {
    let mut region = region();
    let mut network = settled(&region);
    let sessions = established(&network);
    let join = |vrf: &mut VrfPlan, other: u32| vrf.imports = vec![other];
    join(&mut region.sites[0].vrfs[0], 8);
    join(&mut region.sites[1].vrfs[0], 7);
    apply(&mut network, &region);
    network.run(Duration::from_millis(50));
    assert_eq!(network.ends(2, 0, "10.2.0.0/24"), [(3, VrfId(0))]);
    assert_eq!(network.ends(3, 0, "10.1.0.0/24"), [(2, VrfId(0))]);
    apply(&mut network, &self::region());
    network.run(Duration::from_millis(50));
    assert!(network.routers[2].vrfs.is_empty() && network.routers[3].vrfs.is_empty());
    assert_eq!(network.labels_of_port(1, 2) + network.labels_of_port(1, 3), 0);
    assert_eq!(established(&network), sessions);
}

#[test]
fn a_site_that_stops_reading_loses_its_labels_at_once_all_the_same() {
    let mut joined = region();
    joined.sites[0].vrfs[0].imports = vec![8];
    let mut network = settled(&joined);
    assert_eq!(network.labels_of_port(1, 2), 1);
    network.deaf.insert((1, 2));
    network.set_config(1, region().core_config(1));
    assert_eq!(network.labels_of_port(1, 2), 0);
    // And when the route itself goes.
    let mut network = settled(&joined);
    network.deaf.insert((1, 2));
    network.set_link(1, 3, false);
    assert_eq!(network.labels_of_port(1, 2), 0);
    network.deaf.clear();
    network.transmit(1, 2);
    network.settle();
    assert!(network.routers[2].vrfs.is_empty());
}

#[test]
fn a_vrf_keeps_its_label_when_its_id_moves_and_no_label_means_another_vrf() {
    let mut region = region();
    region.attached.insert(1, vec![vrf(7, &["10.70.0.0/24"]), vrf(8, &["10.80.0.0/24"])]);
    let mut network = settled(&region);
    let label_of = |network: &Network, name: &str| {
        let mut vrfs = network.routers[1].bgp.vrfs();
        vrfs.find(|vrf| vrf.config.name == name).and_then(|vrf| vrf.label).unwrap()
    };
    let (seven, eight) = (label_of(&network, "network 7"), label_of(&network, "network 8"));
    let port = LabelSpace::Port(PortId(3));
    let stale: Vec<Label> =
        network.routers[1].labels.keys().filter(|(s, _)| *s == port).map(|(_, l)| *l).collect();
    assert_eq!(stale.len(), 1);

    region.attached.insert(1, vec![vrf(8, &["10.80.0.0/24"])]);
    network.set_config(1, region.core_config(1));
    let labels = &network.routers[1].labels;
    assert_eq!(labels.get(&(LabelSpace::Platform, seven)), None);
    let moved = labels.get(&(LabelSpace::Platform, eight));
    assert_eq!(moved, Some(&LabelBinding::Vrf(VrfId(0))));
    assert_eq!(labels.get(&(port, stale[0])), None);
    network.settle();
    assert_eq!(network.ends(3, 0, "10.80.0.0/24"), [(1, VrfId(0))]);
    assert_eq!(network.ends(1, 0, "10.2.0.0/24"), [(3, VrfId(0))]);
    assert!(network.routers[2].vrfs.is_empty());
}

#[test]
fn two_vrfs_that_swap_ids_swap_nothing_else() {
    let mut region = region();
    region.attached.insert(1, vec![vrf(7, &["10.70.0.0/24"]), vrf(8, &["10.80.0.0/24"])]);
    let mut network = settled(&region);
    region.attached.get_mut(&1).unwrap().reverse();
    network.set_config(1, region.core_config(1));
    network.settle();
    assert_eq!(network.ends(2, 0, "10.70.0.0/24"), [(1, VrfId(1))]);
    assert_eq!(network.ends(3, 0, "10.80.0.0/24"), [(1, VrfId(0))]);
    assert_eq!(network.ends(1, 1, "10.1.0.0/24"), [(2, VrfId(0))]);
}

#[test]
fn a_neighbour_that_is_no_longer_configured_hears_why_and_leaves_nothing() {
    let region = region();
    let mut network = settled(&region);
    let mut config = region.core_config(1);
    config.neighbours.retain(|neighbour| neighbour.id != id(2));
    network.set_config(1, config);
    network.run(Duration::from_millis(50));
    assert!(network.routers[1].bgp.neighbour(id(2)).is_none());
    let view = network.routers[2].bgp.neighbour(id(1)).unwrap();
    assert_eq!(view.session.notifications_received, 1);
    assert!(
        network.routers[1].bgp.routes().all(|route| route.key.prefix.to_string() != "10.1.0.0/24")
    );
    network.set_config(1, region.core_config(1));
    network.run(Duration::from_secs(60));
    network.settle();
}

#[test]
fn another_port_moves_the_labels_and_another_address_the_session() {
    let mut joined = region();
    joined.sites[0].vrfs[0].imports = vec![8];
    let mut network = settled(&joined);
    let sessions = established(&network);
    let mut config = joined.core_config(1);
    for neighbour in &mut config.neighbours {
        if let NeighbourKind::Site(filter) = &mut neighbour.kind
            && neighbour.id == id(2)
        {
            filter.port = PortId(77);
        }
    }
    network.set_config(1, config.clone());
    network.settle();
    assert_eq!((network.labels_of_port(1, 2), network.labels_of_port(1, 77)), (0, 1));
    assert_eq!(network.ends(2, 0, "10.2.0.0/24"), [(3, VrfId(0))]);
    assert_eq!(established(&network), sessions);

    config.hold_time = 30;
    network.set_config(1, config);
    network.run(Duration::from_secs(10));
    network.settle();
    assert!(established(&network).iter().sum::<u64>() > sessions.iter().sum::<u64>());
    assert_eq!(network.ends(2, 0, "10.2.0.0/24"), [(3, VrfId(0))]);
}
