//! Routers of others on sites' LANs.

use std::collections::BTreeSet;

use base::{AsNumber, Prefix};
use intent::{AttachedRouter, Intent, Lock, Routing};
use model::config::{DhcpPool, HostService, NeighbourKind, PortKind, RouterConfig};
use model::plan::Plan;
use plan::difference;

use crate::invariants;
use crate::support::{add_site_like, compile, example, messages, router};

const BGP: Routing = Routing::Bgp { as_number: AsNumber(64_999), max_routes: 12 };

/// A router of a council on the LAN of G1.
fn council(address: &str, prefixes: &[&str], routing: Routing) -> AttachedRouter {
    let Ok(address) = address.parse() else { panic!("{address}") };
    AttachedRouter {
        name: "council-edge".to_owned(),
        virtual_network: "lewes-practices".to_owned(),
        site: "G1".to_owned(),
        address,
        prefixes: prefixes.iter().map(|text| prefix(text)).collect(),
        routing,
    }
}

fn prefix(text: &str) -> Prefix {
    let v4 = text.parse().map(Prefix::V4);
    match v4.or_else(|_| text.parse().map(Prefix::V6)) {
        Ok(prefix) => prefix,
        Err(error) => panic!("{text}: {error}"),
    }
}

/// The /48 of the practices of Lewes is fd00:100:1::/48.
const BEHIND: [&str; 2] = ["10.2.64.0/18", "fd00:100:1:ff00::/56"];

fn with(routing: Routing) -> Intent {
    let mut intent = example("six-sites");
    intent.attached_routers.push(council("10.2.0.2", &BEHIND, routing));
    intent
}

fn statically() -> Routing {
    Routing::Static { address_v6: "fd00:100:1::2".parse().ok() }
}

/// What the core router of that name accepts from a site, without targets.
fn accepted(plan: &Plan, core: &str, site: &str) -> (BTreeSet<Prefix>, u32) {
    let neighbours = &router(plan, core).neighbours;
    match neighbours.iter().find(|neighbour| neighbour.name == site).map(|n| &n.kind) {
        Some(NeighbourKind::Site { accept, max_routes, .. }) => {
            (accept.iter().map(|route| route.prefix).collect(), *max_routes)
        }
        other => panic!("{other:?}"),
    }
}

fn sources(router: &RouterConfig, lan: &str) -> (Vec<Prefix>, HostService) {
    let port = router.ports.iter().find(|port| port.name == lan);
    match port.map(|port| &port.kind) {
        Some(PortKind::Attachment { sources, hosts: Some(hosts), .. }) => {
            (sources.clone(), hosts.clone())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn router_with_an_as_number_is_a_neighbour_of_the_site_router() {
    let plan = compile(&with(BGP), &mut Lock::default());
    invariants::check(&plan);
    let site = router(&plan, "site-g1");
    let names: Vec<_> = site.neighbours.iter().map(|other| other.name.as_str()).collect();
    assert_eq!(names, ["lewes-1", "brighton-1", "council-edge"]);
    let customer = &site.neighbours[2];
    assert_eq!(customer.address.to_string(), "10.2.0.2");
    assert_eq!(customer.local_address.to_string(), "10.2.0.1");
    assert_eq!(customer.as_number, AsNumber(64_999));
    let NeighbourKind::Customer { accept, targets, max_routes, .. } = &customer.kind else {
        panic!("{:?}", customer.kind)
    };
    assert_eq!(*accept, BEHIND.iter().map(|text| prefix(text)).collect());
    assert_eq!(*max_routes, 12);
    let lan = site.vrfs[0].export.iter().find(|route| route.prefix == prefix("10.2.0.0/24"));
    assert_eq!(*targets, lan.unwrap().targets);
    assert_eq!(site.vrfs[0].export.len(), 2, "the LAN's alone");
    assert!(site.vrfs[0].rds.iter().all(|rd| rd.neighbour < 2), "uplinks keep their positions");
}

#[test]
fn router_without_one_is_where_static_routes_lead() {
    let plan = compile(&with(statically()), &mut Lock::default());
    invariants::check(&plan);
    let site = router(&plan, "site-g1");
    assert_eq!(site.neighbours.len(), 2);
    let hops: Vec<_> = site.vrfs[0]
        .export
        .iter()
        .map(|route| (route.prefix.to_string(), route.next_hop.map(|hop| hop.to_string())))
        .collect();
    let leads = |prefix: &str, hop: Option<&str>| (prefix.to_owned(), hop.map(str::to_owned));
    assert_eq!(
        hops,
        [
            leads("10.2.0.0/24", None),
            leads("10.2.64.0/18", Some("10.2.0.2")),
            leads("fd00:100:1::/64", None),
            leads("fd00:100:1:ff00::/56", Some("fd00:100:1::2")),
        ]
    );
    let targets: BTreeSet<_> = site.vrfs[0].export.iter().map(|route| &route.targets).collect();
    assert_eq!(targets.len(), 1, "all as the LAN's");
}

#[test]
fn both_core_routers_accept_what_is_behind_it_and_the_lan_lets_it_in() {
    let before = compile(&example("six-sites"), &mut Lock::default());
    for routing in [BGP, statically()] {
        let plan = compile(&with(routing), &mut Lock::default());
        for core in ["lewes-1", "brighton-1"] {
            let (old, few) = accepted(&before, core, "site-g1");
            let (new, more) = accepted(&plan, core, "site-g1");
            let added: BTreeSet<_> = new.difference(&old).copied().collect();
            assert_eq!(added, BEHIND.iter().map(|text| prefix(text)).collect());
            assert_eq!(more, few + 4);
        }
        let (sources, hosts) = sources(router(&plan, "site-g1"), "lan-g1");
        let expected = ["10.2.0.0/24", "fd00:100:1::/64", BEHIND[0], BEHIND[1]].map(prefix);
        assert_eq!(sources, expected);
        assert!(hosts.dhcp.is_some(), "there are hosts beside it");
    }
}

#[test]
fn only_the_site_and_its_core_routers_change_and_the_lock_does_not() {
    for routing in [BGP, statically()] {
        let mut lock = Lock::default();
        let before = compile(&example("six-sites"), &mut lock);
        let numbers = lock.clone();
        let after = compile(&with(routing), &mut lock);
        let difference = difference(&before, &after);
        assert_eq!(difference.changed, ["brighton-1", "lewes-1", "site-g1"]);
        assert!(difference.added.is_empty() && difference.removed.is_empty());
        assert_eq!(lock, numbers);
    }
}

#[test]
fn order_of_attached_routers_does_not_matter() {
    let mut intent = with(BGP);
    let mut second = council("10.2.0.3", &["10.2.32.0/24"], BGP);
    second.name = "another-edge".to_owned();
    intent.attached_routers.push(second);
    let mut lock = Lock::default();
    let plan = compile(&intent, &mut lock);
    invariants::check(&plan);
    let names: Vec<_> =
        router(&plan, "site-g1").neighbours.iter().map(|other| other.name.as_str()).collect();
    assert_eq!(names, ["lewes-1", "brighton-1", "another-edge", "council-edge"]);
    intent.attached_routers.reverse();
    assert_eq!(compile(&intent, &mut lock), plan);
}

#[test]
fn no_site_gets_a_lan_of_what_is_behind_it() {
    for (behind, expected) in [
        ("10.2.2.0/23", "10.2.4.0/24"),
        ("10.2.2.128/25", "10.2.3.0/24"),
        ("fd00:100:1:2::/63", "10.2.4.0/24"),
    ] {
        let mut intent = example("six-sites");
        intent.attached_routers.push(council("10.2.0.2", &[behind], BGP));
        let mut lock = Lock::default();
        compile(&intent, &mut lock);
        add_site_like(&mut intent, "G1", "G3");
        let plan = compile(&intent, &mut lock);
        invariants::check(&plan);
        let lan = plan.attachments.iter().find(|lan| lan.site == "G3").unwrap();
        assert_eq!(lan.prefixes[0], prefix(expected), "{behind}");
    }
}

#[test]
fn site_gets_the_lan_that_the_address_is_on() {
    let mut intent = example("six-sites");
    intent.attached_routers.push(council("10.2.9.2", &["10.2.10.0/23"], BGP));
    let plan = compile(&intent, &mut Lock::default());
    invariants::check(&plan);
    let lan = plan.attachments.iter().find(|lan| lan.site == "G1").unwrap();
    assert_eq!(lan.prefixes[0], prefix("10.2.9.0/24"));
}

#[test]
fn router_in_the_upper_half_is_not_lent_as_an_address() {
    let mut intent = example("six-sites");
    intent.attached_routers.push(council("10.2.0.254", &["10.2.64.0/18"], BGP));
    let plan = compile(&intent, &mut Lock::default());
    let (_, hosts) = sources(router(&plan, "site-g1"), "lan-g1");
    let (first, last) = ("10.2.0.128".parse().unwrap(), "10.2.0.253".parse().unwrap());
    assert_eq!(hosts.dhcp, Some(DhcpPool { first, last, lease_s: 86_400 }));
}

#[test]
fn what_numbers_forbid_is_reported() {
    let v6 = |address: &str| Routing::Static { address_v6: address.parse().ok() };
    for (router, expected) in [
        (
            council("10.2.1.2", &["10.2.64.0/18"], BGP),
            "attached router `council-edge` has 10.2.1.2, which site `G2` of `lewes-practices` has",
        ),
        (
            council("10.2.7.2", &["10.2.64.0/18"], BGP),
            "attached router `council-edge` has 10.2.7.2, which is no host of the LAN of site `G1` in `lewes-practices`: 10.2.0.0/24, fd00:100:1::/64",
        ),
        (
            council("10.2.0.2", &["10.2.0.0/23"], BGP),
            "attached router `council-edge` has 10.2.0.0/23 behind it, of which site `G1` of `lewes-practices` has a LAN",
        ),
        (
            council("10.2.0.2", &["fd00:100:1:1::/64"], BGP),
            "attached router `council-edge` has fd00:100:1:1::/64 behind it, of which site `G2` of `lewes-practices` has a LAN",
        ),
        (
            council("10.2.0.2", &["fd00:100:2:ff00::/56"], BGP),
            "attached router `council-edge` has fd00:100:2:ff00::/56 behind it, and `lewes-practices` has 10.2.0.0/16, fd00:100:1::/48",
        ),
        (
            council("10.2.0.2", &BEHIND, v6("fd00:100:1:9::2")),
            "attached router `council-edge` has fd00:100:1:9::2, which is no host of the LAN",
        ),
        (
            council("10.2.0.2", &BEHIND, v6("fd00:100:1::1")),
            "attached router `council-edge` has fd00:100:1::1, which is no host of the LAN",
        ),
    ] {
        let mut intent = example("six-sites");
        let mut lock = Lock::default();
        compile(&intent, &mut lock);
        intent.attached_routers.push(router);
        let found = messages(&intent, &mut lock);
        assert!(found.iter().any(|message| message.contains(expected)), "{expected}\n{found:?}");
    }
}

#[test]
fn application_that_was_allotted_the_address_is_named() {
    let mut intent = example("six-sites");
    let mut lock = Lock::default();
    compile(&intent, &mut lock);
    let mut edge = council("10.1.0.10", &["10.1.64.0/18"], BGP);
    edge.virtual_network = "hospitals".to_owned();
    edge.site = "H1".to_owned();
    intent.attached_routers.push(edge);
    let found = messages(&intent, &mut lock);
    let expected = "attached router `council-edge` has 10.1.0.10, which application `records` has";
    assert!(found.iter().any(|message| message.contains(expected)), "{found:?}");
    let plan = compile(&intent, &mut Lock::default());
    invariants::check(&plan);
    let records = plan.applications.iter().find(|other| other.name == "records").unwrap();
    assert_eq!(records.addresses[0].to_string(), "10.1.0.11", "a new one keeps out of its way");
}

#[test]
fn members_hosts_behind_a_router_reach_applications_as_those_on_the_lan_do() {
    let plan = compile(&with(BGP), &mut Lock::default());
    let customer = &router(&plan, "site-g1").neighbours[2];
    let NeighbourKind::Customer { targets, accept, .. } = &customer.kind else { panic!("none") };
    let provider = &router(&plan, "site-h1").vrfs[0];
    assert!(!targets.is_disjoint(&provider.import), "the provider has the way back");
    for rule in &provider.access.rules {
        for prefix in accept {
            assert!(rule.remote.iter().any(|remote| remote.covers(*prefix)), "{prefix}");
        }
    }
    let outside = &router(&plan, "site-p1").vrfs[0];
    assert!(targets.is_disjoint(&outside.import));
}
