//! Routes reach those who want them, with labels that lead where they say.

use base::{Duration, LabelSpace, PortId, VrfId};
use bgp::labels::LINGER;
use bgp::route::{AsSegment, VpnPrefix};
use bgp::views::PathState;
use bgp::{Config, LabelBinding, NeighbourId, Source};

use super::network::{Network, id};
use super::region::{REGION, Region, loopback, rd, site, site_as, target, uplink, vrf};

const LAN_A: &str = "10.1.0.0/24";
const LAN_B: &str = "10.2.0.0/24";
const LAN_A6: &str = "fd00:1::/64";

/// Reflector 0, core routers 1 and 2, sites 3 (behind 1) and 4 (behind 2).
fn chain() -> Region {
    let sites =
        vec![site(&[1], vec![vrf(7, &[LAN_A, LAN_A6])]), site(&[2], vec![vrf(7, &[LAN_B])])];
    Region::new(1, 2, sites)
}

fn settled(region: &Region) -> Network {
    let mut network = Network::new(1, region.configs());
    network.settle();
    network
}

fn key(router: usize, number: usize, prefix: &str) -> VpnPrefix {
    VpnPrefix { rd: rd(router, 0, number), prefix: prefix.parse().unwrap() }
}

#[test]
fn both_families_cross_site_core_reflector_core_site_and_labels_lead_back() {
    let network = settled(&chain());
    for prefix in [LAN_A, LAN_A6] {
        assert_eq!(network.ends(4, 0, prefix), [(3, VrfId(0))]);
    }
    assert_eq!(network.ends(3, 0, LAN_B), [(4, VrfId(0))]);

    // Each step's next hop: the uplink, the core router's loopback unchanged by the reflector, the
    // other core router's end of the other uplink.
    let hop_at = |router: usize| {
        let view = network.routers[router].bgp.route(key(3, 0, LAN_A)).unwrap();
        view.paths[0].0.to.next_hop
    };
    assert_eq!(hop_at(1), uplink(1, 3).1);
    assert_eq!(hop_at(0), loopback(1));
    assert_eq!(hop_at(2), loopback(1));
    assert_eq!(hop_at(4), uplink(2, 4).0);
}

#[test]
fn attributes_change_at_each_border_as_the_standard_says() {
    let network = settled(&chain());
    let attributes = |router: usize| {
        let view = network.routers[router].bgp.route(key(3, 0, LAN_A)).unwrap();
        view.paths[0].0.attributes.as_ref().clone()
    };
    let path = |numbers: &[u32]| {
        vec![AsSegment::Sequence(numbers.iter().map(|&n| base::AsNumber(n)).collect())]
    };
    let (at_core, reflected, at_site) = (attributes(1), attributes(2), attributes(4));
    assert_eq!((at_core.local_pref, at_core.as_path), (None, path(&[site_as(3).0])));
    assert_eq!(reflected.local_pref, Some(200));
    assert_eq!(reflected.originator_id.unwrap().0, loopback(1));
    assert_eq!(reflected.cluster_list, [base::RouterId(loopback(0))]);
    assert_eq!((at_site.local_pref, at_site.originator_id), (None, None));
    assert!(at_site.cluster_list.is_empty());
    assert_eq!(at_site.as_path, path(&[REGION.0, site_as(3).0]));
    assert_eq!(at_site.route_targets().collect::<Vec<_>>(), [target(7)]);
}

#[test]
fn labels_are_one_per_vrf_and_next_hop_in_each_space() {
    let mut region = chain();
    region.sites[0].vrfs.push(vrf(8, &["10.8.0.0/24", "10.8.1.0/24"]));
    region.sites[1].vrfs.push(vrf(8, &["10.9.0.0/24"]));
    let network = settled(&region);
    let swaps = |router: usize, space: LabelSpace| {
        let labels = network.routers[router].labels.iter();
        labels
            .filter(|((other, _), binding)| {
                *other == space && matches!(binding, LabelBinding::Swap(_))
            })
            .count()
    };
    // Core router 1 has two VRFs of site 3 below it and hears of two VRFs behind core router 2.
    assert_eq!(swaps(1, LabelSpace::Platform), 2);
    assert_eq!(swaps(1, LabelSpace::Port(PortId(3))), 2);
    assert_eq!(network.ends(4, 1, "10.8.1.0/24"), [(3, VrfId(1))]);
}

#[test]
fn virtual_networks_without_a_common_target_stay_apart() {
    let mut region = chain();
    region.sites[1].vrfs = vec![vrf(8, &[LAN_A, LAN_B])];
    let network = settled(&region);
    assert!(network.routers[3].vrfs.is_empty());
    assert!(network.routers[4].vrfs.is_empty());
    assert_eq!(network.labels_of_port(1, 3) + network.labels_of_port(2, 4), 0);
}

#[test]
fn withdrawal_drains_everything() {
    let mut region = chain();
    let mut network = settled(&region);
    for site in &mut region.sites {
        site.vrfs.clear();
    }
    for (router, config) in region.configs().into_iter().enumerate() {
        network.set_config(router, config);
    }
    network.settle();
    network.run(LINGER * 2);
    for router in &network.routers {
        let sizes = router.bgp.sizes();
        assert_eq!((sizes.prefixes, sizes.attributes, sizes.labels), (0, 0, 0));
        assert!(router.vrfs.is_empty() && router.labels.is_empty());
        assert_eq!(router.bgp.memberships().count(), 0);
    }
}

#[test]
fn a_changed_label_alone_is_passed_on() {
    let region = chain();
    let mut network = settled(&region);
    let before = network.routers[4].vrfs.clone();
    let mut config = region.site_config(0);
    config.vrfs[0].label = base::Label::new(500);
    network.set_config(3, config);
    network.settle();
    assert_ne!(network.routers[4].vrfs, before);
    assert_eq!(network.ends(4, 0, LAN_A), [(3, VrfId(0))]);
    network.run(LINGER * 2);
    assert_eq!(network.routers[1].bgp.labels().count(), 2);
}

#[test]
fn a_site_on_two_uplinks_is_known_twice_and_one_loss_leaves_the_other() {
    let mut region = chain();
    region.sites[0].uplinks = vec![1, 2];
    region.cores = 3;
    region.sites[1].uplinks = vec![3];
    let region = region;
    let mut network = settled(&region);
    let (site, far) = (region.site_router(0), region.site_router(1));
    assert!(network.routers[far].bgp.route(key(site, 0, LAN_A)).is_some());
    assert!(network.routers[far].bgp.route(key(site, 1, LAN_A)).is_some());
    // One uplink at the far end: the way in reserve differs in its label alone.
    let ways = &network.routers[far].vrfs[&(VrfId(0), LAN_A.parse().unwrap())];
    assert_eq!(ways[0].to.next_hop, ways[1].to.next_hop);
    assert_ne!(ways[0].to.label, ways[1].to.label);

    // A core router with the VRF has both, and they lead to different routers.
    let mut region = region;
    region.attached.insert(3, vec![vrf(7, &["10.3.0.0/24"])]);
    network.set_config(3, region.core_config(3));
    network.settle();
    assert_eq!(network.ends(3, 0, LAN_A), [(site, VrfId(0)); 2]);
    let hops = |network: &Network| -> Vec<std::net::IpAddr> {
        let paths = network.routers[3].vrfs[&(VrfId(0), LAN_A.parse().unwrap())].clone();
        paths.iter().map(|path| path.to.next_hop).collect()
    };
    assert_eq!(hops(&network), [loopback(1), loopback(2)]);

    network.set_link(1, site, false);
    network.run(Duration::from_millis(50));
    assert_eq!(hops(&network), [loopback(2)]);
    assert_eq!(network.ends(far, 0, LAN_A), [(site, VrfId(0))]);
    network.set_link(1, site, true);
    network.settle();
    assert_eq!(hops(&network), [loopback(1), loopback(2)]);
}

#[test]
fn a_site_with_two_uplinks_has_a_way_in_reserve_and_prefers_the_first() {
    let mut region = chain();
    region.sites[0].uplinks = vec![1, 2];
    let mut network = settled(&region);
    let via = |network: &Network| -> Vec<Source> {
        let paths = &network.routers[3].vrfs[&(VrfId(0), LAN_B.parse().unwrap())];
        paths.iter().map(|path| path.via).collect()
    };
    let (first, second) = (Source::Neighbour(NeighbourId(1)), Source::Neighbour(NeighbourId(2)));
    assert_eq!(via(&network), [first, second]);
    assert_eq!(network.ends(3, 0, LAN_B), [(4, VrfId(0)); 2]);
    network.reset_connection(1, 3);
    assert_eq!(via(&network), [second]);
    network.settle();
    assert_eq!(via(&network), [first, second]);
    // Its own routes do not come back to it over the other uplink.
    assert_eq!(network.routers[3].bgp.routes().count(), 2 * 2 + 1);
}

#[test]
fn an_unreachable_next_hop_moves_traffic_at_once_and_back() {
    let mut region = chain();
    region.sites[0].uplinks = vec![1, 2];
    region.cores = 3;
    region.sites[1].uplinks = vec![3];
    region.attached.insert(3, vec![vrf(7, &["10.3.0.0/24"])]);
    let mut network = settled(&region);
    let hops = |network: &Network| -> Vec<std::net::IpAddr> {
        let paths = network.routers[3].vrfs[&(VrfId(0), LAN_A.parse().unwrap())].clone();
        paths.iter().map(|path| path.to.next_hop).collect()
    };
    let all = network.routers[3].reachable.clone();
    let mut without = all.clone();
    without.remove(&loopback(1).into());
    network.set_reachable(3, without);
    assert_eq!(hops(&network), [loopback(2)]);
    let view = network.routers[3].bgp.route(key(region.site_router(0), 0, LAN_A)).unwrap();
    let unreachable = bgp::policy::RejectReason::NextHopUnreachable;
    assert_eq!(view.paths[0].1, PathState::Refused(unreachable));
    network.set_reachable(3, all);
    assert_eq!(hops(&network), [loopback(1), loopback(2)]);
}

#[test]
fn a_vrf_of_a_core_router_reaches_sites_and_is_reached() {
    let mut region = chain();
    region.attached.insert(2, vec![vrf(7, &["10.50.0.0/24"])]);
    let network = settled(&region);
    assert_eq!(network.ends(3, 0, "10.50.0.0/24"), [(2, VrfId(0))]);
    assert_eq!(network.ends(4, 0, "10.50.0.0/24"), [(2, VrfId(0))]);
    assert_eq!(network.ends(2, 0, LAN_A), [(3, VrfId(0))]);
    assert_eq!(network.ends(2, 0, LAN_B), [(4, VrfId(0))]);
    // On the uplink the VRF has a label of the uplink's own space.
    let bindings: Vec<LabelBinding> = network.routers[2]
        .labels
        .iter()
        .filter(|((space, _), _)| *space == LabelSpace::Port(PortId(4)))
        .map(|(_, binding)| *binding)
        .collect();
    assert!(bindings.contains(&LabelBinding::Vrf(VrfId(0))));
}

#[test]
fn vrfs_of_one_router_exchange_routes_by_target() {
    let mut region = chain();
    let mut second = vrf(8, &["10.8.0.0/24"]);
    second.imports = vec![7];
    region.sites[0].vrfs.push(second);
    let network = settled(&region);
    let prefix = LAN_A.parse().unwrap();
    let paths = &network.routers[3].vrfs[&(VrfId(1), prefix)];
    assert_eq!(paths[0].via, Source::Vrf(VrfId(0)));
    assert_eq!(network.ends(3, 1, LAN_A), [(3, VrfId(0))]);
    assert!(!network.routers[3].vrfs.contains_key(&(VrfId(0), "10.8.0.0/24".parse().unwrap())));
}

fn sent(network: &Network, from: usize, to: usize) -> usize {
    network.routers[from].bgp.neighbour(id(to)).unwrap().sent
}

#[test]
fn constrained_distribution_keeps_unwanted_routes_away_and_a_new_membership_brings_them() {
    let mut region = chain();
    region.sites[1].vrfs = vec![vrf(8, &[LAN_B])];
    let mut network = settled(&region);
    // The reflector needs neither site's routes: nobody else asked for them.
    assert_eq!((sent(&network, 1, 0), sent(&network, 0, 2)), (0, 0));

    region.sites[1].vrfs.push(vrf(7, &[]));
    let configs = region.configs();
    for (router, config) in configs.iter().enumerate().skip(2) {
        network.set_config(router, config.clone());
    }
    network.run(Duration::from_millis(100));
    assert_eq!((sent(&network, 1, 0), sent(&network, 0, 2)), (2, 2));
    assert_eq!(network.ends(4, 1, LAN_A), [(3, VrfId(0))]);

    region.sites[1].vrfs.pop();
    for (router, config) in region.configs().into_iter().enumerate().skip(2) {
        network.set_config(router, config);
    }
    network.settle();
    assert_eq!((sent(&network, 1, 0), sent(&network, 0, 2)), (0, 0));
    assert!(network.routers[4].vrfs.is_empty());
}

#[test]
fn without_constrained_distribution_everything_is_everywhere_in_the_core() {
    let mut region = chain();
    region.constrain = false;
    region.sites[1].vrfs = vec![vrf(8, &[LAN_B])];
    let network = settled(&region);
    assert_eq!((sent(&network, 0, 1), sent(&network, 0, 2)), (1, 2));
    assert!(network.routers[4].vrfs.is_empty());
}

#[test]
fn a_client_that_cannot_ask_gets_everything() {
    let region = chain();
    let mut configs = region.configs();
    let strip = |config: &mut Config, of: usize| {
        let neighbour = config.neighbours.iter_mut().find(|neighbour| neighbour.id == id(of));
        neighbour.unwrap().families.retain(|family| super::region::VPN.contains(family));
    };
    strip(&mut configs[2], 0);
    strip(&mut configs[0], 2);
    configs[2].neighbours.retain(|neighbour| neighbour.id == id(0));
    configs.remove(4);
    let mut network = Network::new(1, configs);
    network.settle();
    assert_eq!(sent(&network, 0, 2), 2);
}

#[test]
fn two_reflectors_in_one_cluster_or_in_two_carry_the_same() {
    for shared in [false, true] {
        let mut region = chain();
        region.reflectors = 2;
        region.sites[0].uplinks = vec![2];
        region.sites[1].uplinks = vec![3];
        let mut configs = region.configs();
        if shared {
            for config in configs.iter_mut().take(2) {
                config.cluster_id = Some(base::RouterId(std::net::Ipv4Addr::new(10, 254, 0, 1)));
            }
        }
        let mut network = Network::new(1, configs);
        network.settle();
        assert_eq!(network.ends(5, 0, LAN_A), [(4, VrfId(0))]);
        network.set_link(0, 3, false);
        network.settle();
        assert_eq!(network.ends(5, 0, LAN_A), [(4, VrfId(0))]);
        network.set_link(1, 3, false);
        network.settle();
        assert!(network.ends(5, 0, LAN_A).is_empty());
        network.set_link(1, 3, true);
        network.settle();
        assert_eq!(network.ends(5, 0, LAN_A), [(4, VrfId(0))]);
    }
}

#[test]
fn a_session_that_flaps_is_resynchronised_and_keeps_its_platform_labels() {
    let region = chain();
    let mut network = settled(&region);
    let before = network.routers[4].vrfs.clone();
    let labels = network.routers[1].labels.clone();
    for (a, b) in [(0, 1), (0, 2)] {
        network.reset_connection(a, b);
        network.run(Duration::from_millis(20));
        assert!(network.routers[4].vrfs.is_empty());
        network.run(Duration::from_secs(3));
        network.settle();
        assert_eq!(network.ends(4, 0, LAN_A), [(3, VrfId(0))]);
    }
    assert_eq!(network.routers[4].vrfs.keys().count(), before.keys().count());
    let platform =
        |labels: &std::collections::BTreeMap<(LabelSpace, base::Label), LabelBinding>| {
            let mut labels = labels.clone();
            labels.retain(|(space, _), _| *space == LabelSpace::Platform);
            labels
        };
    assert_eq!(platform(&network.routers[1].labels), platform(&labels));
}

#[test]
fn a_session_comes_back_though_the_last_words_of_the_former_were_never_taken() {
    let mut network = settled(&chain());
    network.deaf.extend([(1, 3), (3, 1)]);
    network.set_link(1, 3, false);
    network.deaf.clear();
    network.set_link(1, 3, true);
    network.run(Duration::from_secs(5));
    network.settle();
    assert_eq!(network.ends(4, 0, LAN_A), [(3, VrfId(0))]);
}

#[test]
fn a_refresh_repeats_routes_and_changes_nothing() {
    let mut network = settled(&chain());
    let before = network.routers[2].bgp.neighbour(id(0)).unwrap().counters.announcements_received;
    let now = network.now;
    let family = bgp::route::Family::VpnIpv4;
    network.routers[2].bgp.request_refresh(now, id(0), family);
    network.settle();
    let after = network.routers[2].bgp.neighbour(id(0)).unwrap().counters.announcements_received;
    assert_eq!(after, before + 1);
    assert_eq!(network.ends(4, 0, LAN_A), [(3, VrfId(0))]);
}

#[test]
fn same_seed_same_outputs() {
    let run = || {
        let mut network = settled(&chain());
        network.reset_connection(1, 3);
        network.settle();
        network.routers.into_iter().map(|router| router.outputs).collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}
