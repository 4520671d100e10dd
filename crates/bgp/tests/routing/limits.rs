//! One site's worst behaviour costs that site alone.

use base::Duration;
use bgp::instance::PENALTY_FIRST;
use bgp::policy::RejectReason;
use bgp::route::VpnPrefix;
use bgp::{Config, Instance};

use super::network::{Network, id};
use super::region::{Region, rd, site, vrf};
use super::rogue::{PEER, Rogue, config, filter, honest, key};

#[test]
fn too_many_routes_end_the_session_and_it_comes_back_later() {
    let mut rogue = Rogue::new(config(filter()));
    let many: Vec<VpnPrefix> = (0..21).map(key).collect();
    rogue.announce(&many[..20], &honest(), PEER, 100);
    assert!(rogue.is_up() && rogue.accepted() == 10);
    rogue.announce(&many, &honest(), PEER, 100);
    assert!(!rogue.is_up());
    assert_eq!(rogue.rejected(RejectReason::TooManyRoutes), 1);
    let cease = bgp::notification::CeaseSubcode::MaximumPrefixes;
    let heard = rogue.session.last_notification().unwrap().error;
    assert_eq!(heard, bgp::notification::ErrorCode::Cease(cease));
    assert_eq!(rogue.core.sizes().prefixes, 0);
    rogue.run(PENALTY_FIRST - Duration::from_secs(1));
    assert!(!rogue.is_up());
    rogue.run(Duration::from_secs(90));
    assert!(rogue.is_up());
}

#[test]
fn a_repeated_offence_is_kept_out_for_longer() {
    let mut rogue = Rogue::new(config(filter()));
    let many: Vec<VpnPrefix> = (0..21).map(key).collect();
    let mut waits = Vec::new();
    for _ in 0..3 {
        rogue.announce(&many, &honest(), PEER, 100);
        let until = rogue.core.neighbour(id(0)).unwrap().kept_out_until.unwrap();
        waits.push(until.since(rogue.now).as_secs() + 1);
        while !rogue.is_up() {
            rogue.run(Duration::from_secs(1));
        }
    }
    let first = PENALTY_FIRST.as_secs();
    assert_eq!(waits, [first, 2 * first, 4 * first]);
}

#[test]
fn a_storm_of_label_changes_ends_the_session_before_the_labels_run_out() {
    let mut rogue = Rogue::new(config(filter()));
    let mut rounds = 0;
    while rogue.is_up() && rounds < 10_000 {
        rounds += 1;
        rogue.announce(&[key(0)], &honest(), PEER, 100 + rounds);
    }
    assert!(rounds < 1000);
    assert_eq!(rogue.rejected(RejectReason::TooManyChanges), 1);
}

#[test]
fn a_site_over_its_limit_does_not_disturb_its_neighbours() {
    let sites = vec![
        site(&[1], vec![vrf(7, &["10.1.0.0/24"])]),
        site(&[1], vec![vrf(7, &["10.2.0.0/24"])]),
        site(&[1], vec![vrf(7, &["10.3.0.0/24"])]),
    ];
    let region = Region::new(1, 1, sites);
    let mut configs = region.configs();
    let exports: Vec<bgp::Export> = (0..200)
        .map(|n| {
            let export = &configs[2].vrfs[0].export[0];
            bgp::Export { prefix: format!("10.9.{n}.0/24").parse().unwrap(), ..export.clone() }
        })
        .collect();
    configs[2].vrfs[0].export.extend(exports);
    let mut network = Network::new(1, configs);
    network.run(Duration::from_secs(200));
    assert!(network.routers[1].bgp.neighbour(id(2)).unwrap().not_up.is_some());
    assert_eq!(network.ends(3, 0, "10.3.0.0/24").len(), 1);
    assert_eq!(network.ends(4, 0, "10.2.0.0/24").len(), 1);
    for neighbour in [3, 4] {
        assert_eq!(network.routers[1].bgp.neighbour(id(neighbour)).unwrap().session.established, 1);
    }
    // When it is mended it comes back.
    network.set_config(2, region.site_config(0));
    network.run(Duration::from_secs(2000));
    network.settle();
    assert_eq!(network.ends(3, 0, "10.1.0.0/24").len(), 1);
}

#[test]
fn labels_that_run_out_leave_routes_unsent_until_some_are_free() {
    let sites = vec![
        site(&[1], vec![vrf(7, &["10.1.0.0/24"]), vrf(8, &["10.2.0.0/24"])]),
        site(&[1], vec![vrf(7, &[]), vrf(8, &[])]),
    ];
    let mut region = Region::new(1, 1, sites);
    let mut configs = region.configs();
    let narrow = |config: &mut Config| config.labels.last = config.labels.first;
    narrow(&mut configs[1]);
    let mut network = Network::new(1, configs);
    network.run(Duration::from_secs(5));
    let core = &network.routers[1].bgp;
    assert_eq!(core.neighbour(id(3)).unwrap().sent, 1);
    assert!(core.neighbour(id(3)).unwrap().counters.rejected[&RejectReason::NoLabel] > 0);
    assert_eq!(network.routers[3].vrfs.len(), 1);

    // The site that has the label gives its network up; after quarantine the other gets it.
    let first = network.routers[3].vrfs.keys().next().unwrap().0;
    region.sites[0].vrfs[usize::try_from(first.0).unwrap()].prefixes.clear();
    let mut configs = region.configs();
    narrow(&mut configs[1]);
    for (router, config) in configs.into_iter().enumerate() {
        network.set_config(router, config);
    }
    network.run(Duration::from_secs(5));
    assert!(network.routers[3].vrfs.is_empty());
    network.run(bgp::labels::QUARANTINE + bgp::labels::LINGER);
    assert_eq!(network.routers[3].vrfs.len(), 1);
    assert_ne!(network.routers[3].vrfs.keys().next().unwrap().0, first);
}

#[test]
fn a_transmission_keeps_to_its_limit_and_goes_on_where_it_stopped() {
    let mut filter = filter();
    filter.max_routes = 10;
    let mut settings = config(filter);
    let prefixes = (0..10_000_u32).map(|n| {
        let [_, _, a, b] = n.to_be_bytes();
        bgp::Export {
            prefix: format!("10.{a}.{b}.0/24").parse().unwrap(),
            targets: [super::region::target(7)].into(),
        }
    });
    settings.vrfs = vec![bgp::Vrf {
        id: base::VrfId(0),
        name: "many".to_owned(),
        label: None,
        import: std::collections::BTreeSet::new(),
        export: prefixes.collect(),
        rds: std::collections::BTreeMap::new(),
        rd: rd(0, 0, 0),
    }];
    let rogue = Rogue::new(settings);
    let sent = |core: &Instance| core.neighbour(id(0)).unwrap().sent;
    assert_eq!(sent(&rogue.core), 10_000);
    assert!(rogue.session.counters().updates_received > 10);

    // And by hand, to see the sizes.
    let mut rogue = rogue;
    let now = rogue.now;
    rogue.session.request_refresh(bgp::route::Family::VpnIpv4);
    let mut bytes = Vec::new();
    rogue.session.take_transmit(&mut bytes);
    rogue.core.handle_bytes(now, id(0), &bytes);
    let (mut total, mut calls) = (0, 0);
    loop {
        let mut out = Vec::new();
        rogue.core.transmit(now, id(0), &mut out, 2000);
        if out.is_empty() {
            break;
        }
        assert!(out.len() < 4000, "{}", out.len());
        total += out.len();
        calls += 1;
    }
    assert!(total > 10_000 * 14 && calls > 50, "{total} in {calls}");
}
