//! What site routers do for hosts.

use intent::{Intent, Lock};
use model::config::{DhcpPool, HostService, PortKind};
use model::plan::Plan;

use crate::invariants;
use crate::support::{application, compile, example, router};

fn hosts<'a>(plan: &'a Plan, site: &str, lan: &str) -> &'a HostService {
    let port = router(plan, site).ports.iter().find(|port| port.name == lan);
    match port.map(|port| &port.kind) {
        Some(PortKind::Attachment { hosts: Some(hosts), .. }) => hosts,
        other => panic!("{other:?}"),
    }
}

fn pool(first: &str, last: &str) -> Option<DhcpPool> {
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    Some(DhcpPool { first, last, lease_s: 86_400 })
}

/// An application of the hospitals at H1 with that address.
fn with(intent: &mut Intent, address: &str) {
    let mut new = application("portal", "hospitals", "H1");
    new.address = address.parse().ok();
    intent.applications.push(new);
}

#[test]
fn every_lan_lends_the_upper_half_and_advertises_its_64() {
    let plan = compile(&example("six-sites"), &mut Lock::default());
    let found = hosts(&plan, "site-h1", "lan-h1");
    assert_eq!(found.dhcp, pool("10.1.0.128", "10.1.0.254"));
    assert!(found.advertise && found.dns.is_empty());
    let found = hosts(&plan, "site-g2", "lan-g2");
    assert_eq!(found.dhcp, pool("10.2.1.128", "10.2.1.254"));
}

#[test]
fn application_in_the_upper_half_is_not_lent() {
    let mut intent = example("six-sites");
    with(&mut intent, "10.1.0.200");
    let plan = compile(&intent, &mut Lock::default());
    invariants::check(&plan);
    assert_eq!(hosts(&plan, "site-h1", "lan-h1").dhcp, pool("10.1.0.128", "10.1.0.199"));
    assert_eq!(hosts(&plan, "site-h2", "lan-h2").dhcp, pool("10.1.1.128", "10.1.1.254"));
}

#[test]
fn network_without_dhcp_still_advertises_and_tells_its_resolvers() {
    let mut intent = example("six-sites");
    intent.virtual_networks[0].dhcp = false;
    intent.virtual_networks[0].dns = vec!["10.1.0.53".parse().unwrap()];
    let plan = compile(&intent, &mut Lock::default());
    invariants::check(&plan);
    let dns = vec!["10.1.0.53".parse().unwrap()];
    let expected = HostService { dhcp: None, advertise: true, dns };
    assert_eq!(*hosts(&plan, "site-h1", "lan-h1"), expected);
    assert!(hosts(&plan, "site-g1", "lan-g1").dhcp.is_some());
}

#[test]
fn small_and_large_lans_lend_what_they_have_and_no_more_than_a_thousand() {
    for (length, expected) in [
        (29, pool("10.1.0.4", "10.1.0.6")),
        (26, pool("10.1.0.32", "10.1.0.62")),
        (20, pool("10.1.8.0", "10.1.11.231")),
    ] {
        let mut intent = example("six-sites");
        intent.virtual_networks[0].lan_length = length;
        intent.applications.clear();
        for community in &mut intent.communities {
            community.applications.clear();
        }
        let plan = compile(&intent, &mut Lock::default());
        invariants::check(&plan);
        assert_eq!(hosts(&plan, "site-h1", "lan-h1").dhcp, expected, "/{length}");
    }
}
