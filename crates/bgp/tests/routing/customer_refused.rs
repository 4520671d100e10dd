//! What a customer's router may not say is refused, with its reason, and costs nobody else.

use std::net::{IpAddr, Ipv4Addr};

use bgp::instance::PENALTY_FIRST;
use bgp::notification::{CeaseSubcode, ErrorCode};
use bgp::policy::RejectReason;
use bgp::route::{AsSegment, Family, PathAttributes, UnknownAttribute, VpnPrefix};
use bgp::update::Writer;
use bgp::{Output, Source};

use base::{AsNumber, Duration, Label};
use bgp::nlri::VpnNlri;

use super::network::id;
use super::region::{REGION, target};
use super::scripted::{
    ACCEPTED, ACCEPTED_V6, CE, OTHER_CE, REFLECTOR, SITE, Scripted, address, config, elsewhere,
    filter_of, heard_from, in_vrf, local, plain_update, prefix, reflected,
};

const P: &str = "203.0.113.0/24";

/// Announces an honest route and then this in its place: the honest one must be gone.
fn refused(text: &str, attributes: &PathAttributes, next_hop: IpAddr, reason: RejectReason) {
    let mut scripted = Scripted::new(config());
    let honest = if prefix(text).addr().is_ipv4() { address(CE) } else { v6("2001:db8:2::2") };
    scripted.send(CE, &plain_update(&[text], &heard_from(CE, &[]), honest));
    scripted.send(CE, &plain_update(&[text], attributes, next_hop));
    // An honest announcement of a foreign prefix is none.
    let times = 1 + u64::from(reason == RejectReason::PrefixNotOfCustomer);
    assert_eq!(scripted.rejected(CE, reason), times, "{reason}");
    assert!(scripted.way(text).is_none() && scripted.told(OTHER_CE, text).is_none(), "{reason}");
    assert!(!scripted.peer(REFLECTOR).routes.contains_key(&in_vrf(text)));
    assert!(scripted.is_up(CE));
    let told = scripted.outputs.iter().any(|output| {
        matches!(output, Output::Rejected { reason: told, key, .. }
            if *told == reason && (key.is_none() || *key == Some(VpnPrefix::plain(prefix(text)))))
    });
    // Echoes are ordinary: nobody is told.
    assert_eq!(told, reason != RejectReason::AsLoop, "{reason}");
}

fn v6(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn a_prefix_that_is_not_exactly_the_customers_is_refused() {
    for text in ["203.0.113.0/25", "203.0.112.0/23", "0.0.0.0/0", "10.7.1.0/24", "2001:db8::/32"] {
        let v4 = prefix(text).addr().is_ipv4();
        let next_hop = if v4 { address(CE) } else { v6("2001:db8:2::2") };
        refused(text, &heard_from(CE, &[]), next_hop, RejectReason::PrefixNotOfCustomer);
    }
}

#[test]
fn a_next_hop_that_is_not_on_the_attachment_is_refused() {
    let honest = heard_from(CE, &[]);
    let other = IpAddr::V4(Ipv4Addr::new(172, 16, 2, 9));
    refused(P, &honest, other, RejectReason::NextHopNotPeer);
    refused(P, &honest, local(CE), RejectReason::NextHopSelf);
    refused(ACCEPTED_V6, &honest, v6("2001:db8:2::1"), RejectReason::NextHopSelf);
    refused(ACCEPTED_V6, &honest, v6("2001:db8:3::2"), RejectReason::NextHopOffLink);
    // A router without an IPv6 address sends its IPv4 address, mapped.
    refused(ACCEPTED_V6, &honest, address(CE), RejectReason::NextHopFamily);
}

#[test]
fn a_path_with_the_own_as_or_without_the_customers_in_front_is_refused() {
    let own = heard_from(CE, &[REGION.0]);
    refused(P, &own, address(CE), RejectReason::AsLoop);
    let first = vec![AsSegment::Sequence(vec![AsNumber(1), AsNumber(65102)])];
    let first = PathAttributes { as_path: first, ..heard_from(CE, &[]) };
    refused(P, &first, address(CE), RejectReason::FirstAs);
}

#[test]
fn a_malformed_update_withdraws_its_routes_and_keeps_the_session() {
    let mut scripted = Scripted::new(config());
    scripted.announce(CE, &ACCEPTED);
    let mut bytes = plain_update(&[P], &heard_from(CE, &[]), address(CE));
    let origin = bytes.windows(3).position(|window| window == [0x40, 1, 1]).unwrap();
    bytes[origin + 3] = 9;
    scripted.send(CE, &bytes);
    assert_eq!(scripted.rejected(CE, RejectReason::Malformed), 1);
    scripted.assert_forgotten(P);
    assert!(scripted.is_up(CE) && scripted.way(ACCEPTED[1]).is_some());
}

#[test]
fn a_customer_cannot_choose_targets_or_speak_to_the_regions_routers() {
    let mut scripted = Scripted::new(config());
    let unknown = |code| UnknownAttribute { flags: 0xc0, code, value: vec![1, 2, 3] };
    let site_of_origin = [0, 3, 0xfd, 0xe8, 0, 0, 0, 1];
    let attributes = PathAttributes {
        extended_communities: vec![target(8).0, target(9).0, site_of_origin],
        communities: vec![7],
        unknown: [22, 23, 40, 99, 128].map(unknown).to_vec(),
        ..heard_from(CE, &[])
    };
    scripted.send(CE, &plain_update(&[P], &attributes, address(CE)));
    let carried = &scripted.peer(REFLECTOR).routes[&in_vrf(P)].attributes;
    assert_eq!(carried.extended_communities, [target(7).0]);
    let codes = |attributes: &PathAttributes| {
        attributes.unknown.iter().map(|one| one.code).collect::<Vec<_>>()
    };
    assert_eq!((codes(carried), carried.communities.as_slice()), (vec![99], &[7][..]));
    let told = &scripted.told(OTHER_CE, P).unwrap().attributes;
    assert_eq!((codes(told), told.extended_communities.len()), (vec![99], 0));
    // Nor does a target in the path of another decide about the customer's routes.
    let view = scripted.core.route(in_vrf(P)).unwrap();
    let targets: Vec<_> = view.paths[0].0.attributes.route_targets().collect();
    assert_eq!(targets, [target(7)]);
}

#[test]
fn vpn_routes_of_a_customer_are_not_even_read() {
    let mut scripted = Scripted::new(config());
    let mut bytes = Vec::new();
    let attributes =
        PathAttributes { extended_communities: vec![target(7).0], ..heard_from(CE, &[]) };
    let family = Family::VpnIpv4;
    let mut writer = Writer::announce(family, &attributes, address(CE), true, &mut bytes).unwrap();
    writer.push_vpn(&VpnNlri { key: elsewhere(P), label: Label::new(500) });
    writer.finish();
    scripted.send(CE, &bytes);
    scripted.assert_forgotten(P);
    assert!(scripted.is_up(CE));
    // And plain routes of anybody else are not either.
    for number in [REFLECTOR, SITE] {
        let bytes = plain_update(&[P], &heard_from(number, &[]), address(number));
        scripted.send(number, &bytes);
        scripted.assert_forgotten(P);
    }
}

#[test]
fn too_many_routes_end_the_session_and_nothing_of_it_stays() {
    let mut few = config();
    filter_of(&mut few, CE).max_routes = 2;
    let mut scripted = Scripted::new(few);
    scripted.announce(CE, &ACCEPTED[..2]);
    assert!(scripted.is_up(CE));
    // Refused ones count as well.
    scripted.announce(CE, &["10.99.0.0/24"]);
    assert!(!scripted.is_up(CE));
    let cease = ErrorCode::Cease(CeaseSubcode::MaximumPrefixes);
    assert_eq!(scripted.peer(CE).last_word, Some(cease));
    assert_eq!(scripted.rejected(CE, RejectReason::TooManyRoutes), 1);
    for text in &ACCEPTED[..2] {
        scripted.assert_forgotten(text);
    }
    assert!(scripted.is_up(OTHER_CE) && scripted.is_up(SITE));
    let until = scripted.core.neighbour(id(CE)).unwrap().kept_out_until.unwrap();
    assert!(until.since(scripted.now) > PENALTY_FIRST - Duration::from_secs(1));
}

#[test]
fn echoes_of_what_it_was_told_count_against_no_limit_and_end_what_was_there() {
    let mut few = config();
    filter_of(&mut few, CE).max_routes = 2;
    let mut scripted = Scripted::new(few);
    scripted.announce(CE, &ACCEPTED[..2]);
    let echo = heard_from(CE, &[REGION.0]);
    for number in 0..200 {
        let text = format!("10.99.{number}.0/24");
        scripted.send(CE, &plain_update(&[&text], &echo, address(CE)));
    }
    assert!(scripted.is_up(CE));
    assert_eq!(scripted.rejected(CE, RejectReason::AsLoop), 200);
    assert!(scripted.way(ACCEPTED[1]).is_some());
    scripted.send(CE, &plain_update(&[ACCEPTED[1]], &echo, address(CE)));
    scripted.assert_forgotten(ACCEPTED[1]);
    scripted.announce(CE, &ACCEPTED[1..2]);
    assert!(scripted.is_up(CE) && scripted.way(ACCEPTED[1]).is_some());
}

#[test]
fn a_storm_of_changes_ends_the_session() {
    let mut scripted = Scripted::new(config());
    let mut rounds = 0;
    while scripted.is_up(CE) && rounds < 1000 {
        rounds += 1;
        scripted.send(CE, &plain_update(&[P], &heard_from(CE, &[rounds]), address(CE)));
    }
    assert!(rounds < 1000);
    assert_eq!(scripted.rejected(CE, RejectReason::TooManyChanges), 1);
}

#[test]
fn a_wider_and_a_narrower_filter_act_on_what_was_announced_before() {
    let mut scripted = Scripted::new(config());
    scripted.announce(CE, &["10.99.0.0/24", P]);
    assert_eq!(scripted.core.neighbour(id(CE)).unwrap().accepted, 1);
    let mut other = config();
    filter_of(&mut other, CE).accept = [prefix("10.99.0.0/24")].into();
    scripted.set_config(&other);
    assert_eq!(scripted.way("10.99.0.0/24").unwrap().via, Source::Neighbour(id(CE)));
    assert!(scripted.told(OTHER_CE, "10.99.0.0/24").is_some());
    assert!(scripted.way(P).is_none() && scripted.told(OTHER_CE, P).is_none());
    assert_eq!(scripted.rejected(CE, RejectReason::PrefixNotOfCustomer), 2);
    filter_of(&mut other, CE).max_routes = 1;
    scripted.set_config(&other);
    assert!(!scripted.is_up(CE));
    scripted.assert_forgotten("10.99.0.0/24");
}

#[test]
fn a_customer_whose_vrf_is_not_there_is_heard_and_not_used() {
    let mut lost = config();
    filter_of(&mut lost, CE).vrf = base::VrfId(9);
    let mut scripted = Scripted::new(lost.clone());
    scripted.announce(CE, &[P]);
    scripted.set_config(&lost);
    scripted.assert_forgotten(P);
    assert_eq!(scripted.rejected(CE, RejectReason::NoVrf), 1);
    assert!(scripted.told_prefixes(CE).is_empty());
    let view = scripted.core.neighbour(id(CE)).unwrap();
    assert_eq!((view.received, view.accepted), (1, 0));
    scripted.reflect(elsewhere("10.8.0.0/24"), &reflected());
    assert!(scripted.told_prefixes(CE).is_empty());
    scripted.set_config(&config());
    assert!(scripted.way(P).is_some() && scripted.told(CE, "10.8.0.0/24").is_some());
}
