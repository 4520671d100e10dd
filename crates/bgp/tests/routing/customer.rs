//! Customers' routers in a VRF: what they announce becomes routes of the VRF, and what the VRF
//! reaches they are told.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::{AsNumber, Duration, Label, LabelSpace, PortId, VrfId};
use bgp::graceful_restart::GracefulRestart;
use bgp::message;
use bgp::open::Open;
use bgp::route::{AsSegment, Family, FamilySet, PathAttributes, VpnPrefix};
use bgp::views::PathState;
use bgp::{LabelBinding, NeighbourKind, Source, VrfPath};

use super::network::id;
use super::region::{VPN, rd, target};
use super::scripted::{
    ACCEPTED_V6, CE, LOOPBACK, OTHER_CE, REFLECTOR, SITE, Scripted, VRF, address, as_number,
    config, elsewhere, filter_of, heard_from, in_vrf, local, plain_update, prefix, reflected,
};
use crate::wire::golden_customer::{
    BIRD_V4, BIRD_V6, FRR_V4, FRR_V6, FRR_V6_LINK_LOCAL, FRR_WITHDRAWN_V4, WITHDRAWN_V6,
};
use crate::wire::hex;

const P: &str = "203.0.113.0/24";

fn sequence(numbers: &[u32]) -> Vec<AsSegment> {
    vec![AsSegment::Sequence(numbers.iter().map(|&number| AsNumber(number)).collect())]
}

#[test]
fn a_customers_route_is_used_in_its_vrf_and_announced_as_one_of_it() {
    let mut scripted = Scripted::new(config());
    let bytes = plain_update(&[P], &heard_from(CE, &[64700]), address(CE));
    scripted.send(CE, &bytes);
    let label = Label::IMPLICIT_NULL;
    let way = scripted.way(P).unwrap();
    assert_eq!((way.via, way.to.next_hop), (Source::Neighbour(id(CE)), address(CE)));
    assert_eq!((way.to.label, way.rd), (label, rd(1, 0, 0)));

    let told = &scripted.peer(REFLECTOR).routes[&in_vrf(P)];
    assert_eq!((told.next_hop, told.label), (LOOPBACK.into(), Some(scripted.vrf_label())));
    assert_eq!(told.attributes.as_path, sequence(&[65102, 64700]));
    assert_eq!(told.attributes.extended_communities, [target(7).0]);
    assert_eq!(told.attributes.local_pref, Some(100));

    // A site hears of it under a label of its own uplink that means the VRF.
    let told = &scripted.peer(SITE).routes[&in_vrf(P)];
    let mut labels = scripted.core.labels();
    let uplink = (LabelSpace::Port(PortId(3)), told.label.unwrap(), LabelBinding::Vrf(VRF));
    assert!(labels.any(|label| label == uplink));
    assert_eq!(told.attributes.as_path, sequence(&[65000, 65102, 64700]));
}

#[test]
fn a_withdrawn_route_leaves_nothing_anywhere() {
    let mut scripted = Scripted::new(config());
    let before = scripted.core.sizes();
    scripted.announce(CE, &[P]);
    assert!(scripted.told(OTHER_CE, P).is_some());
    scripted.withdraw(CE, P);
    scripted.assert_forgotten(P);
    assert_eq!(scripted.core.sizes().attributes, before.attributes);
    // And with the session.
    scripted.announce(CE, &[P]);
    scripted.lose(CE);
    scripted.assert_forgotten(P);
    assert_eq!(scripted.core.sizes().attributes, before.attributes);
}

#[test]
fn routes_of_frr_and_bird_are_accepted() {
    for (v4, v6, next_hop) in [
        (FRR_V4, FRR_V6, "2001:db8:2::2"),
        (BIRD_V4, BIRD_V6, "2001:db8:2::2"),
        (FRR_V4, FRR_V6_LINK_LOCAL, "fe80::f447:deff:fec3:5dd4"),
    ] {
        let mut scripted = Scripted::new(config());
        scripted.send_update(CE, &hex(v4));
        scripted.send_update(CE, &hex(v6));
        assert_eq!(scripted.way(P).unwrap().to.next_hop, address(CE));
        let next_hop: Ipv6Addr = next_hop.parse().unwrap();
        assert_eq!(scripted.way(ACCEPTED_V6).unwrap().to.next_hop, next_hop);
        assert_eq!(scripted.core.neighbour(id(CE)).unwrap().accepted, 2);
        scripted.send_update(CE, &hex(FRR_WITHDRAWN_V4));
        scripted.send_update(CE, &hex(WITHDRAWN_V6));
        scripted.assert_forgotten(P);
        scripted.assert_forgotten(ACCEPTED_V6);
    }
}

#[test]
fn a_customer_is_told_what_its_vrf_reaches_and_nothing_of_the_regions_own_business() {
    let mut scripted = Scripted::new(config());
    scripted.reflect(elsewhere("10.8.0.0/24"), &reflected());
    scripted.reflect(elsewhere("2001:db8:8::/48"), &reflected());
    let foreign = PathAttributes { extended_communities: vec![target(8).0], ..reflected() };
    scripted.reflect(elsewhere("10.9.0.0/24"), &foreign);
    scripted.announce(OTHER_CE, &[P]);
    let expected = ["10.7.0.0/24", "10.8.0.0/24", "2001:db8:8::/48", P];
    assert_eq!(scripted.told_prefixes(CE), expected.map(str::to_owned).into());

    let own = scripted.told(CE, "10.7.0.0/24").unwrap();
    assert_eq!((own.next_hop, own.label), (local(CE), None));
    assert_eq!(own.attributes.as_path, sequence(&[65000]));
    let imported = scripted.told(CE, "10.8.0.0/24").unwrap();
    assert_eq!(imported.next_hop, local(CE));
    let expected = PathAttributes {
        as_path: sequence(&[65000, 64999]),
        communities: vec![0xfde8_0001],
        ..PathAttributes::originated()
    };
    assert_eq!(imported.attributes, expected);
    let v6 = scripted.told(CE, "2001:db8:8::/48").unwrap();
    assert_eq!(v6.next_hop, "2001:db8:2::1".parse::<IpAddr>().unwrap());
    let other = scripted.told(CE, P).unwrap();
    assert_eq!(other.attributes.as_path, sequence(&[65000, 65103]));
    assert_eq!(scripted.peer(CE).ends, FamilySet::UNICAST);
    assert!(scripted.core.is_settled());
}

#[test]
fn ipv6_routes_are_not_sent_without_an_own_ipv6_address() {
    let mut scripted = Scripted::new(config());
    scripted.reflect(elsewhere("2001:db8:8::/48"), &reflected());
    let mut narrow = config();
    filter_of(&mut narrow, CE).local_v6 = None;
    scripted.set_config(&narrow);
    assert_eq!(scripted.told_prefixes(CE), ["10.7.0.0/24".to_owned()].into());
    assert_eq!(scripted.told_prefixes(OTHER_CE).len(), 2);
    scripted.set_config(&config());
    assert_eq!(scripted.told_prefixes(CE).len(), 2);
}

#[test]
fn a_route_does_not_return_to_its_own_as_here_or_from_elsewhere() {
    let mut scripted = Scripted::new(config());
    scripted.announce(CE, &[P]);
    assert_eq!(scripted.told(CE, P), None);
    let as_path = sequence(&[64999, 65102]);
    scripted.reflect(elsewhere("10.8.0.0/24"), &PathAttributes { as_path, ..reflected() });
    assert_eq!(scripted.told(CE, "10.8.0.0/24"), None);
    assert!(scripted.told(OTHER_CE, "10.8.0.0/24").is_some());
    // What it was told before is taken back when the way turns to it.
    scripted.reflect(elsewhere("198.51.100.0/24"), &reflected());
    assert!(scripted.told(CE, "198.51.100.0/24").is_some());
    scripted.announce(CE, &["198.51.100.0/24"]);
    assert_eq!(scripted.told(CE, "198.51.100.0/24"), None);
}

#[test]
fn an_attached_route_goes_before_the_same_from_elsewhere_whatever_its_preference() {
    let mut scripted = Scripted::new(config());
    let preferred = PathAttributes { local_pref: Some(5000), as_path: Vec::new(), ..reflected() };
    scripted.reflect(elsewhere(P), &preferred);
    assert_eq!(scripted.way(P).unwrap().via, Source::Neighbour(id(REFLECTOR)));
    scripted.announce(CE, &[P]);
    let paths: Vec<Source> =
        scripted.vrfs[&(VRF, prefix(P))].iter().map(|path: &VrfPath| path.via).collect();
    assert_eq!(paths, [CE, REFLECTOR].map(|number| Source::Neighbour(id(number))));
    scripted.withdraw(CE, P);
    assert_eq!(scripted.way(P).unwrap().via, Source::Neighbour(id(REFLECTOR)));
}

#[test]
fn an_own_prefix_goes_before_a_customers_route() {
    let mut own = config();
    filter_of(&mut own, CE).accept.insert(prefix("10.7.0.0/24"));
    let mut scripted = Scripted::new(own);
    scripted.announce(CE, &["10.7.0.0/24"]);
    let told = &scripted.peer(REFLECTOR).routes[&in_vrf("10.7.0.0/24")];
    assert!(told.attributes.as_path.is_empty());
    // It is told of the region's, not of its own.
    assert_eq!(scripted.told(CE, "10.7.0.0/24").unwrap().attributes.as_path, sequence(&[65000]));
}

#[test]
fn of_two_customers_the_shorter_path_wins_and_the_other_takes_over() {
    let mut scripted = Scripted::new(config());
    scripted.send(CE, &plain_update(&[P], &heard_from(CE, &[1, 2]), address(CE)));
    scripted.announce(OTHER_CE, &[P]);
    assert_eq!(scripted.way(P).unwrap().via, Source::Neighbour(id(OTHER_CE)));
    assert_eq!(scripted.told(CE, P).unwrap().attributes.as_path, sequence(&[65000, 65103]));
    assert_eq!(scripted.told(OTHER_CE, P), None);
    scripted.lose(OTHER_CE);
    assert_eq!(scripted.way(P).unwrap().via, Source::Neighbour(id(CE)));
    assert_eq!(scripted.told(CE, P), None);
    let told = &scripted.peer(REFLECTOR).routes[&in_vrf(P)];
    assert_eq!(told.attributes.as_path, sequence(&[65102, 1, 2]));
}

#[test]
fn a_refresh_repeats_its_family_and_changes_nothing() {
    let mut scripted = Scripted::new(config());
    scripted.reflect(elsewhere("2001:db8:8::/48"), &reflected());
    let before = scripted.peer(CE).routes.clone();
    for (family, repeated) in [(Family::Ipv4Unicast, 1), (Family::Ipv6Unicast, 1)] {
        let announcements = scripted.peer(CE).announcements;
        let mut bytes = Vec::new();
        message::encode_refresh(family, &mut bytes);
        scripted.send(CE, &bytes);
        assert_eq!(scripted.peer(CE).announcements, announcements + repeated);
    }
    assert_eq!(scripted.peer(CE).routes, before);
}

#[test]
fn a_change_of_route_targets_alone_is_not_told_to_customers() {
    let mut scripted = Scripted::new(config());
    scripted.reflect(elsewhere("10.8.0.0/24"), &reflected());
    let announcements = scripted.peer(CE).announcements;
    let mut more = reflected();
    more.extended_communities.push(target(9).0);
    scripted.reflect(elsewhere("10.8.0.0/24"), &more);
    assert_eq!(scripted.peer(CE).announcements, announcements);
}

#[test]
fn well_known_communities_keep_a_route_from_customers() {
    let mut scripted = Scripted::new(config());
    for community in [0xffff_ff01, 0xffff_ff02, 0xffff_ff03] {
        let kept = PathAttributes { communities: vec![community], ..reflected() };
        scripted.reflect(elsewhere("10.8.0.0/24"), &kept);
        assert!(scripted.way("10.8.0.0/24").is_some());
        assert_eq!(scripted.told(CE, "10.8.0.0/24"), None);
    }
}

#[test]
fn own_prefixes_that_come_and_go_are_told_and_taken_back() {
    let mut scripted = Scripted::new(config());
    let mut changed = config();
    changed.vrfs[0].export[0].prefix = prefix("10.70.0.0/24");
    scripted.set_config(&changed);
    assert_eq!(scripted.told_prefixes(CE), ["10.70.0.0/24".to_owned()].into());
}

#[test]
fn a_vrf_that_ends_takes_its_customers_routes_with_it_and_comes_back_with_them() {
    let mut scripted = Scripted::new(config());
    scripted.announce(CE, &[P]);
    scripted.reflect(elsewhere("10.8.0.0/24"), &reflected());
    let sizes = scripted.core.sizes();
    let mut without = config();
    without.vrfs.clear();
    scripted.set_config(&without);
    scripted.assert_forgotten(P);
    assert!(scripted.told_prefixes(CE).is_empty() && scripted.told_prefixes(OTHER_CE).is_empty());
    assert!(scripted.is_up(CE));
    scripted.set_config(&config());
    assert_eq!(scripted.way(P).unwrap().via, Source::Neighbour(id(CE)));
    assert_eq!(scripted.told_prefixes(OTHER_CE).len(), 3);
    assert_eq!(scripted.peer(REFLECTOR).routes[&in_vrf(P)].label, Some(scripted.vrf_label()));
    assert_eq!(scripted.core.sizes().attributes, sizes.attributes);
}

#[test]
fn another_distinguisher_label_id_or_target_reaches_everybody() {
    let mut scripted = Scripted::new(config());
    scripted.announce(CE, &[P]);
    let mut other = config();
    other.vrfs[0].rd = rd(1, 5, 0);
    scripted.set_config(&other);
    let key = VpnPrefix { rd: rd(1, 5, 0), prefix: prefix(P) };
    assert!(scripted.peer(REFLECTOR).routes.contains_key(&key));
    assert!(!scripted.peer(REFLECTOR).routes.contains_key(&in_vrf(P)));
    assert_eq!(scripted.way(P).unwrap().rd, rd(1, 5, 0));

    other.vrfs[0].label = Label::new(77);
    scripted.set_config(&other);
    assert_eq!(scripted.peer(REFLECTOR).routes[&key].label, Label::new(77));

    filter_of(&mut other, CE).targets = [target(9)].into();
    scripted.set_config(&other);
    let told = &scripted.peer(REFLECTOR).routes[&key];
    assert_eq!(told.attributes.extended_communities, [target(9).0]);
    assert!(!scripted.peer(SITE).routes.contains_key(&key), "the site imports no such target");
    assert!(scripted.way(P).is_some(), "its own VRF takes it whatever the targets");

    other.vrfs[0].id = VrfId(4);
    for number in [CE, OTHER_CE] {
        filter_of(&mut other, number).vrf = VrfId(4);
    }
    scripted.set_config(&other);
    assert_eq!(scripted.way(P), None);
    let moved = scripted.vrfs[&(VrfId(4), prefix(P))][0];
    assert_eq!(moved.via, Source::Neighbour(id(CE)));
    assert_eq!(scripted.peer(REFLECTOR).routes[&key].label, Label::new(77));
    assert!(scripted.told(OTHER_CE, P).is_some());
    assert!(scripted.is_up(CE) && scripted.core.is_settled());
}

#[test]
fn the_same_configuration_again_says_nothing() {
    let mut scripted = Scripted::new(config());
    scripted.announce(CE, &[P]);
    let outputs = scripted.outputs.len();
    scripted.set_config(&config());
    assert_eq!(scripted.outputs.len(), outputs);
}

#[test]
fn another_vrf_of_the_router_imports_a_customers_route_by_target_alone() {
    let mut two = config();
    let mut second = two.vrfs[0].clone();
    (second.id, second.name) = (VrfId(1), "network 8".to_owned());
    (second.rd, second.import) = (rd(1, 1, 0), [target(8)].into());
    second.export.clear();
    two.vrfs.push(second);
    let mut scripted = Scripted::new(two.clone());
    scripted.announce(CE, &[P]);
    assert!(!scripted.vrfs.contains_key(&(VrfId(1), prefix(P))));
    filter_of(&mut two, CE).targets.insert(target(8));
    scripted.set_config(&two);
    let way = scripted.vrfs[&(VrfId(1), prefix(P))][0];
    assert_eq!((way.via, way.to.next_hop), (Source::Neighbour(id(CE)), address(CE)));
    // Its own customer there would go before.
    filter_of(&mut two, OTHER_CE).vrf = VrfId(1);
    scripted.set_config(&two);
    scripted
        .send(OTHER_CE, &plain_update(&[P], &heard_from(OTHER_CE, &[1, 2, 3]), address(OTHER_CE)));
    let ways = &scripted.vrfs[&(VrfId(1), prefix(P))];
    let ways: Vec<Source> = ways.iter().map(|path| path.via).collect();
    assert_eq!(ways, [OTHER_CE, CE].map(|number| Source::Neighbour(id(number))));
}

#[test]
fn a_site_router_announces_its_customers_routes_over_each_uplink_under_its_own_distinguisher() {
    let mut site = config();
    site.neighbours.retain(|one| one.id != id(SITE));
    site.as_number = AsNumber(4_200_000_001);
    site.local_address = None;
    let uplink = &mut site.neighbours[REFLECTOR];
    uplink.families = VPN.to_vec();
    uplink.kind = NeighbourKind::Core { local_pref: 200, prepend: 1 };
    uplink.local_address = IpAddr::V4(Ipv4Addr::new(100, 64, 0, 2));
    site.vrfs[0].rds = [(id(REFLECTOR), rd(1, 0, 3))].into();
    let mut scripted = Scripted::silent(site);
    for number in [REFLECTOR, CE] {
        let mut open = super::scripted::open(number);
        if number == REFLECTOR {
            open.families = VPN.into_iter().collect();
        }
        scripted.connect(number, &open);
    }
    scripted.announce(CE, &[P]);
    let key = VpnPrefix { rd: rd(1, 0, 3), prefix: prefix(P) };
    let told = &scripted.peer(REFLECTOR).routes[&key];
    assert_eq!(told.label, Some(scripted.vrf_label()));
    let twice = 4_200_000_001;
    assert_eq!(told.attributes.as_path, sequence(&[twice, twice, 65102]));
    assert!(!scripted.peer(REFLECTOR).routes.contains_key(&in_vrf(P)));
    // The VRF itself takes it once, whatever number of distinguishers it has.
    let vrf = scripted.core.vrf(VRF).unwrap();
    let route = vrf.routes.iter().find(|route| route.prefix == prefix(P)).unwrap();
    assert_eq!((route.paths.len(), route.delivered[0].rd), (1, rd(1, 0, 0)));
}

#[test]
fn a_customer_is_offered_plain_families_alone_whatever_is_configured() {
    let mut greedy = config();
    greedy.neighbours[CE].families = Family::ALL.to_vec();
    let scripted = Scripted::new(greedy);
    let open = scripted.peer(CE).open.clone().unwrap();
    assert_eq!(open.families, FamilySet::UNICAST);
}

#[test]
fn a_customers_address_may_be_that_of_anything_else() {
    // The customer's router has the address of the next hop of an imported route.
    let mut overlapping = config();
    overlapping.neighbours[CE].address = IpAddr::V4(Ipv4Addr::new(10, 255, 0, 2));
    filter_of(&mut overlapping, CE).on_link = vec![prefix("10.255.0.0/24")];
    let mut scripted = Scripted::silent(overlapping);
    for number in [REFLECTOR, CE] {
        scripted.connect(number, &super::scripted::open(number));
    }
    scripted.reflect(elsewhere("10.8.0.0/24"), &reflected());
    let next_hop = IpAddr::V4(Ipv4Addr::new(10, 255, 0, 2));
    scripted.send(CE, &plain_update(&[P], &heard_from(CE, &[]), next_hop));
    assert!(scripted.way(P).is_some());
    // What the IGP does not reach, it does not reach; what is attached, is.
    let now = scripted.now;
    scripted.core.handle_next_hops(now, [(address(REFLECTOR), 1)].into());
    scripted.run(Duration::from_millis(20));
    assert!(scripted.way("10.8.0.0/24").is_none() && scripted.way(P).is_some());
    let view = scripted.core.route(in_vrf(P)).unwrap();
    assert_eq!(view.paths[0].1, PathState::Best);
    assert_eq!(as_number(CE), AsNumber(65102));
}

#[test]
fn ipv4_routes_in_the_attributes_for_all_families_are_taken_as_well() {
    let mut scripted = Scripted::new(config());
    let reach = "0000001d 40010100 400206020100 00fe4e 800e0d 000101 04ac100202 00 18cb0071";
    scripted.send_update(CE, &hex(reach));
    assert_eq!(scripted.way(P).unwrap().to.next_hop, address(CE));
    scripted.send_update(CE, &hex("0000000a 800f07 000101 18cb0071"));
    scripted.assert_forgotten(P);
}

#[test]
fn a_customer_that_need_not_say_where_its_routes_end_is_not_waited_for() {
    for (restart, waits) in [(None, false), (Some(GracefulRestart::HELPER), true)] {
        let mut scripted = Scripted::new(config());
        scripted.lose(CE);
        let open = Open { graceful_restart: restart, ..super::scripted::open(CE) };
        scripted.connect(CE, &open);
        assert_eq!(scripted.core.is_settled(), !waits);
        scripted.end_of_ribs(CE);
        assert!(scripted.core.is_settled());
    }
}
