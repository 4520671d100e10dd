//! Virtual networks, applications and communities, as far as site routers see them.

use std::collections::BTreeSet;

use intent::{Date, Intent, Lock};
use model::config::{Side, Vrf};
use model::plan::Plan;

use crate::invariants;
use crate::support::{application, compile, compile_as_of, example, router};

fn vrf<'a>(plan: &'a Plan, site: &str, network: &str) -> &'a Vrf {
    match router(plan, site).vrfs.iter().find(|vrf| vrf.virtual_network == network) {
        Some(vrf) => vrf,
        None => panic!("`{site}` has no VRF of `{network}`"),
    }
}

/// Prefixes that one VRF imports from another.
fn seen(by: &Vrf, from: &Vrf) -> Vec<String> {
    let routes = from.export.iter().filter(|route| !route.targets.is_disjoint(&by.import));
    routes.map(|route| route.prefix.to_string()).collect()
}

/// Two groups of practices with addresses of their own, both members.
fn two_members() -> Intent {
    let mut intent = example("six-sites");
    let crawley = intent.virtual_networks.iter_mut().find(|vn| vn.name == "crawley-practices");
    if let Some(crawley) = crawley {
        crawley.addresses = "10.3.0.0/16".parse().into_iter().collect();
    }
    for community in &mut intent.communities {
        community.members.push("crawley-practices".to_owned());
    }
    intent
}

#[test]
fn member_sees_the_application_and_nothing_else_of_the_provider() {
    let plan = compile(&two_members(), &mut Lock::default());
    invariants::check(&plan);
    let member = vrf(&plan, "site-g1", "lewes-practices");
    let provider = vrf(&plan, "site-h1", "hospitals");
    assert_eq!(seen(member, provider), ["10.1.0.10/32", "fd00:100::a/128"]);
    assert_eq!(seen(provider, member), ["10.2.0.0/24", "fd00:100:1::/64"]);
}

#[test]
fn members_never_see_each_other_through_a_community() {
    let plan = compile(&two_members(), &mut Lock::default());
    let lewes = vrf(&plan, "site-g1", "lewes-practices");
    let crawley = vrf(&plan, "site-p1", "crawley-practices");
    assert_eq!(seen(lewes, crawley), Vec::<String>::new());
    assert_eq!(seen(crawley, lewes), Vec::<String>::new());
}

#[test]
fn network_outside_a_community_sees_nothing_though_its_addresses_overlap() {
    let plan = compile(&example("six-sites"), &mut Lock::default());
    let outside = vrf(&plan, "site-p1", "crawley-practices");
    for (site, network) in
        [("site-g1", "lewes-practices"), ("site-h1", "hospitals"), ("site-h2", "hospitals")]
    {
        let other = vrf(&plan, site, network);
        assert!(seen(outside, other).is_empty() && seen(other, outside).is_empty());
    }
    assert_eq!(outside.access.rules, []);
}

#[test]
fn only_sites_with_an_application_have_the_way_back_to_members() {
    let mut intent = two_members();
    intent.communities[0].applications = vec!["records".to_owned()];
    let plan = compile(&intent, &mut Lock::default());
    let member = vrf(&plan, "site-g1", "lewes-practices");
    assert!(!seen(vrf(&plan, "site-h1", "hospitals"), member).is_empty());
    assert!(seen(vrf(&plan, "site-h2", "hospitals"), member).is_empty());
    assert_eq!(vrf(&plan, "site-h2", "hospitals").access.rules, []);
}

#[test]
fn rules_of_both_sides_are_mirror_images() {
    let plan = compile(&example("six-sites"), &mut Lock::default());
    let consumer = &vrf(&plan, "site-g1", "lewes-practices").access.rules;
    let provider = &vrf(&plan, "site-h1", "hospitals").access.rules;
    let records: Vec<_> =
        consumer.iter().filter(|rule| rule.application == "records").cloned().collect();
    assert_eq!(records.len(), 2);
    assert_eq!((records[0].protocol, records[0].port_first, records[0].port_last), (6, 443, 443));
    assert_eq!((records[1].port_first, records[1].port_last), (33_962, 33_964));
    let mirrored: Vec<_> = provider
        .iter()
        .cloned()
        .map(|mut rule| {
            assert_eq!(rule.side, Side::Provider);
            std::mem::swap(&mut rule.local, &mut rule.remote);
            rule.side = Side::Consumer;
            rule
        })
        .collect();
    assert_eq!(mirrored, records, "the other application is at another site");
}

#[test]
fn expired_community_is_in_force_on_its_last_day_and_gone_on_the_next() {
    let intent = example("six-sites");
    let as_of = |day| compile_as_of(&intent, &mut Lock::default(), Date::new(2031, 3, day));
    let last = as_of(31);
    assert_eq!(last.communities.len(), 1);
    assert!(!vrf(&last, "site-g1", "lewes-practices").access.rules.is_empty());
    let next = compile_as_of(&intent, &mut Lock::default(), Date::new(2031, 4, 1));
    assert!(next.communities.is_empty());
    let member = vrf(&next, "site-g1", "lewes-practices");
    assert!(member.access.rules.is_empty());
    assert!(seen(member, vrf(&next, "site-h1", "hospitals")).is_empty());
    assert!(seen(vrf(&next, "site-h1", "hospitals"), member).is_empty());
    assert_eq!(compile(&intent, &mut Lock::default()), last, "without a date all are in force");
}

#[test]
fn network_that_offers_and_is_a_member_has_no_rule_for_its_own_application() {
    let mut intent = two_members();
    intent.applications.push(application("letters", "lewes-practices", "G1"));
    intent.communities[0].applications.push("letters".to_owned());
    let plan = compile(&intent, &mut Lock::default());
    invariants::check(&plan);
    let rules = &vrf(&plan, "site-g1", "lewes-practices").access.rules;
    let own = rules.iter().filter(|rule| rule.application == "letters");
    let sides: BTreeSet<Side> = own.clone().map(|rule| rule.side).collect();
    assert_eq!(sides, BTreeSet::from([Side::Provider]));
    let pool = "10.2.0.0/16".parse().unwrap();
    assert!(own.flat_map(|rule| &rule.remote).all(|remote| *remote != pool));
}

#[test]
fn sites_behind_one_router_share_the_vrf_of_their_network() {
    let mut intent = example("six-sites");
    let mut second = intent.sites[2].clone();
    second.code = "CQC:1-101".to_owned();
    second.router_of = Some("G1".to_owned());
    intent.sites.push(second);
    let networks = intent.virtual_networks.iter_mut().filter(|vn| vn.name != "crawley-practices");
    for network in networks {
        network.sites.push("CQC:1-101".to_owned());
    }
    let plan = compile(&intent, &mut Lock::default());
    invariants::check(&plan);
    let host = router(&plan, "site-g1");
    assert!(plan.routers.iter().all(|router| router.name != "site-cqc-1-101"));
    let names: Vec<_> = host.ports.iter().map(|port| port.name.as_str()).collect();
    assert!(names.contains(&"lan-g1") && names.contains(&"lan-cqc-1-101"), "{names:?}");
    assert_eq!(host.vrfs.len(), 2);
    let lans = plan.attachments.iter().filter(|attachment| attachment.router == "site-g1");
    assert_eq!(lans.count(), 3);
    assert_eq!(host.ports.iter().filter(|port| port.name.starts_with("lan-cqc")).count(), 2);
}
