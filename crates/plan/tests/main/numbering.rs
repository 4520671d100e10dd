//! Pools that run out, addresses given by name, and where uplinks go.

use base::Label;
use intent::Lock;
use model::config::PortKind;

use crate::invariants;
use crate::support::{
    add_pop, add_site_like, application, compile, example, grown, messages, router,
};

#[test]
fn first_core_router_has_the_customary_identifiers() {
    let plan = compile(&example("six-sites"), &mut Lock::default());
    let first = router(&plan, "brighton-1");
    let loopback = first.loopback.as_ref().unwrap();
    let isis = first.isis.as_ref().unwrap();
    assert_eq!(loopback.v4.to_string(), "100.64.0.1");
    assert_eq!(loopback.v6.unwrap().to_string(), "fd00:64::1");
    assert_eq!(loopback.v4_sid, 1);
    assert_eq!(isis.system_id.to_string(), "1000.6400.0001");
    assert_eq!((isis.srgb.first, isis.srgb.count), (Label::new(16_000).unwrap(), 8000));
    assert_eq!((isis.srlb.first, isis.srlb.count), (Label::new(15_000).unwrap(), 1000));
    let site = router(&plan, "site-h1");
    assert_eq!(site.as_number.0, 4_200_000_000);
    assert_eq!(site.vrfs[0].rds[0].rd.to_string(), "0:65001:1");
}

#[test]
fn exhausted_pools_are_reported_all_at_once_and_the_lock_stays() {
    let mut intent = example("six-sites");
    intent.pools.uplinks = "100.64.32.0/29".parse().unwrap();
    intent.pools.core_links = "100.64.16.0/30".parse().unwrap();
    let mut lock = Lock::default();
    let found = messages(&intent, &mut lock);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("`core_link` is exhausted: 2 more wanted"), "{}", found[0]);
    assert!(found[1].contains("`uplink` is exhausted: 8 more wanted"), "{}", found[1]);
    assert_eq!(lock, Lock::default());
}

#[test]
fn full_local_block_of_adjacency_labels_is_reported() {
    let mut intent = grown(1100);
    for site in &mut intent.sites {
        (site.pops, site.backup) = (vec!["brighton".to_owned()], None);
    }
    let mut lock = Lock::default();
    compile(&intent, &mut lock);
    let position = intent.pops[0].position;
    add_pop(&mut intent, "hove", position, 1);
    let found = messages(&intent, &mut lock);
    assert!(found[0].contains("`port/brighton-1` is exhausted"), "{found:?}");
}

#[test]
fn site_with_nowhere_to_go_is_reported() {
    let mut intent = example("two-pops");
    intent.sites[0].backup = Some("fibre".to_owned());
    intent.sites[0].pops = vec!["lewes".to_owned(), "lewes".to_owned()];
    let found = messages(&intent, &mut Lock::default());
    assert_eq!(found, ["sites.csv: site `H1` has no PoP for its uplink 2"]);
}

#[test]
fn site_goes_to_the_nearest_pop_and_stays_when_a_nearer_one_comes() {
    let mut intent = example("six-sites");
    for site in &mut intent.sites {
        site.pops.clear();
    }
    let mut lock = Lock::default();
    let before = compile(&intent, &mut lock);
    assert_eq!(lock.homing["site-g1"], ["lewes-1", "brighton-1"]);
    assert_eq!(lock.homing["site-p1"], ["crawley-1", "lewes-1"]);
    let position = intent.sites[2].position;
    add_pop(&mut intent, "malling", position, 1);
    let after = compile(&intent, &mut lock);
    assert_eq!(router(&before, "site-g1"), router(&after, "site-g1"));
    add_site_like(&mut intent, "G1", "G9");
    compile(&intent, &mut lock);
    assert_eq!(lock.homing["site-g9"], ["malling-1", "lewes-1"]);
}

#[test]
fn stated_pops_move_only_the_uplink_that_they_name() {
    let mut intent = example("six-sites");
    let mut lock = Lock::default();
    compile(&intent, &mut lock);
    assert_eq!(lock.homing["site-g1"], ["lewes-1", "brighton-1"]);
    intent.sites[2].pops = vec!["worthing".to_owned()];
    let plan = compile(&intent, &mut lock);
    assert_eq!(lock.homing["site-g1"], ["worthing-1", "brighton-1"]);
    invariants::check(&plan);
}

#[test]
fn sites_are_balanced_over_the_routers_of_a_pop() {
    let mut intent = grown(60);
    for pop in &mut intent.pops {
        pop.routers = 2;
    }
    for site in &mut intent.sites {
        site.pops = vec!["lewes".to_owned(), "brighton".to_owned()];
        site.backup = Some("fibre".to_owned());
    }
    let mut lock = Lock::default();
    invariants::check(&compile(&intent, &mut lock));
    for name in ["lewes-1", "lewes-2", "brighton-1", "brighton-2"] {
        let homed = lock.homing.values().filter(|cores| cores.iter().any(|core| core == name));
        assert_eq!(homed.count(), 30, "{name}");
    }
}

#[test]
fn applications_get_hosts_of_their_lan_in_both_families() {
    let plan = compile(&example("six-sites"), &mut Lock::default());
    let addresses = |name: &str| {
        let application = plan.applications.iter().find(|other| other.name == name).unwrap();
        application.addresses.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(addresses("records"), ["10.1.0.10", "fd00:100::a"]);
    assert_eq!(addresses("imaging"), ["10.1.1.10", "fd00:100:0:1::a"]);
}

#[test]
fn site_of_a_given_address_gets_its_lan_and_nobody_else_does() {
    let mut intent = example("six-sites");
    let records = intent.applications.iter_mut().find(|other| other.name == "imaging").unwrap();
    records.address = Some("10.1.0.10".parse().unwrap());
    let plan = compile(&intent, &mut Lock::default());
    invariants::check(&plan);
    let lan = |site: &str| {
        plan.attachments.iter().find(|other| other.site == site).unwrap().prefixes[0].to_string()
    };
    assert_eq!(lan("H2"), "10.1.0.0/24");
    assert_eq!(lan("H1"), "10.1.1.0/24");
    let imaging = plan.applications.iter().find(|other| other.name == "imaging").unwrap();
    assert_eq!(imaging.addresses[1].to_string(), "fd00:100::a", "the same host in both families");
}

#[test]
fn given_address_on_another_lan_is_reported_and_the_gateway_s_too() {
    let mut intent = example("six-sites");
    let mut lock = Lock::default();
    compile(&intent, &mut lock);
    let address = |intent: &mut intent::Intent, text: &str| {
        intent.applications[1].address = Some(text.parse().unwrap());
    };
    address(&mut intent, "10.1.0.77");
    let found = messages(&intent, &mut lock);
    assert!(found[0].contains("`imaging` has 10.1.0.77, which site `H1`"), "{found:?}");
    address(&mut intent, "10.1.1.1");
    let found = messages(&intent, &mut lock);
    assert!(found[0].contains("address of the network itself"), "{found:?}");
}

#[test]
fn given_address_outside_every_lan_is_routed_and_may_be_a_source() {
    let mut intent = example("six-sites");
    intent.applications[1].address = Some("10.1.200.5".parse().unwrap());
    let mut lock = Lock::default();
    compile(&example("six-sites"), &mut lock);
    let plan = compile(&intent, &mut lock);
    invariants::check(&plan);
    let host = "10.1.200.5/32".parse().unwrap();
    let site = router(&plan, "site-h2");
    let lan = site.ports.iter().find(|port| port.name == "lan-h2").unwrap();
    let PortKind::Attachment { sources, .. } = &lan.kind else { panic!("no LAN") };
    assert!(sources.contains(&host));
    let route = site.vrfs[0].export.iter().find(|route| route.prefix == host).unwrap();
    assert_eq!(site.ports[usize::try_from(route.port.0).unwrap()].name, "lan-h2");
}

#[test]
fn allotted_host_is_never_a_given_one() {
    let mut intent = example("six-sites");
    let mut given = application("portal", "hospitals", "H1");
    given.address = Some("10.1.0.10".parse().unwrap());
    intent.applications.push(given);
    let plan = compile(&intent, &mut Lock::default());
    invariants::check(&plan);
    let records = plan.applications.iter().find(|other| other.name == "records").unwrap();
    assert_eq!(records.addresses[0].to_string(), "10.1.0.11");
    assert_eq!(records.addresses[1].to_string(), "fd00:100::b");
}

#[test]
fn small_lan_runs_out_of_hosts() {
    let mut intent = example("six-sites");
    intent.virtual_networks[0].lan_length = 28;
    for number in 0..5 {
        intent.applications.push(application(&format!("app-{number}"), "hospitals", "H1"));
    }
    let found = messages(&intent, &mut Lock::default());
    assert!(found[0].contains("`host/hospitals/H1` is exhausted: 1 more wanted"), "{found:?}");
}
