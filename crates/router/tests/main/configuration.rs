//! From one configuration to the next: what is refused, what stays up, what is drained.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a configuration without the part that is changed fails the test"
)]

use std::collections::BTreeSet;

use base::{AsNumber, Duration, Instant, Label, LabelSpace, MacAddr, PortId, VrfId};
use model::config::{AcceptedRoute, LabelRange, NeighbourKind, PortKind, RouterConfig};
use router::Router;
use router::tables::{LabelAction, VrfRoute};

use crate::lab::{CORE_1, CORE_2, Lab, SITE_1, SITE_2};
use crate::plan::{self, LAN, LAN_B, TO_SITE, UPLINK, core, mac, prefix, rd, site, target};
use crate::wire::{HOST, arp_reply, data, datagram, ip_frame};

fn refused(config: RouterConfig) -> Vec<String> {
    match Router::new(Instant::ZERO, 1, config) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.errors.into_iter().map(|error| error.field).collect(),
    }
}

type Mistake = fn(&mut RouterConfig);

fn core_link(config: &mut RouterConfig) -> &mut PortKind {
    &mut config.ports[0].kind
}

const CORE_MISTAKES: [(&str, Mistake); 25] = [
    ("isis", |c| c.isis = None),
    ("isis.area", |c| c.isis.as_mut().unwrap().area.clear()),
    ("labels", |c| c.labels = LabelRange { first: Label::masked(15), count: 10 }),
    ("labels", |c| c.labels.count = 0),
    ("labels", |c| c.labels.count = 1 << 20),
    ("isis.srgb", |c| c.labels.first = Label::masked(16_500)),
    ("isis.srlb", |c| c.isis.as_mut().unwrap().srlb.first = Label::masked(16_999)),
    ("loopback.v4_sid", |c| c.loopback.as_mut().unwrap().v4_sid = 1000),
    ("bgp.hold_time_s", |c| c.bgp.hold_time_s = 2),
    ("bgp.connect_retry_ms", |c| c.bgp.connect_retry_ms = 0),
    ("isis.hello_interval_ms", |c| c.isis.as_mut().unwrap().hello_interval_ms = 0),
    ("isis.hello_multiplier", |c| c.isis.as_mut().unwrap().hello_multiplier = 0),
    ("ports[0].kind.bfd.multiplier", |c| {
        if let PortKind::CoreLink { bfd, .. } = core_link(c) {
            bfd.multiplier = 0;
        }
    }),
    ("ports[0].kind.bfd.interval_ms", |c| {
        if let PortKind::CoreLink { bfd, .. } = core_link(c) {
            bfd.interval_ms = 0;
        }
    }),
    ("ports[2].name", |c| c.ports[2].name = c.ports[1].name.clone()),
    ("ports[1].mtu", |c| c.ports[1].mtu = 1279),
    ("ports[1].mac", |c| c.ports[1].mac = MacAddr::BROADCAST),
    ("ports[1].addresses[0].length", |c| c.ports[1].addresses[0].length = 33),
    ("ports[0].kind.metric", |c| {
        if let PortKind::CoreLink { metric, .. } = core_link(c) {
            *metric = 0;
        }
    }),
    ("ports[0].kind.adjacency_sid", |c| {
        if let PortKind::CoreLink { adjacency_sid, .. } = core_link(c) {
            *adjacency_sid = Label::masked(16_000);
        }
    }),
    ("ports[0].kind.peer", |c| {
        if let PortKind::CoreLink { peer, .. } = core_link(c) {
            *peer = [10, 255, 0, 1].into();
        }
    }),
    ("neighbours[0].local_address", |c| c.neighbours[0].local_address = [10, 0, 0, 0].into()),
    ("neighbours[0].as_number", |c| c.neighbours[0].as_number = AsNumber(1)),
    ("neighbours[1].address", |c| c.neighbours[1].address = [100, 64, 1, 9].into()),
    ("neighbours[1].kind.port", |c| {
        if let NeighbourKind::Site { port, .. } = &mut c.neighbours[1].kind {
            *port = PortId(0);
        }
    }),
];

const SITE_MISTAKES: [(&str, Mistake); 9] = [
    ("loopback", |c| c.loopback = core(1).loopback),
    ("ports[2].kind.vrf", |c| c.ports[2] = plan::lan("lan-b", mac(11, 2), 1, 2, 1)),
    ("neighbours[0].local_address", |c| c.neighbours[0].local_address = [100, 64, 1, 9].into()),
    ("neighbours[0].kind", |c| {
        c.neighbours[0].kind = plan::site_neighbour(1, UPLINK).kind;
    }),
    ("vrfs[1].name", |c| {
        let mut again = c.vrfs[0].clone();
        again.export.clear();
        again.rds[0].rd = rd(99);
        c.vrfs.push(again);
    }),
    ("vrfs[0].rds", |c| c.vrfs[0].rds.clear()),
    ("vrfs[0].rds[0].neighbour", |c| c.vrfs[0].rds[0].neighbour = 1),
    ("vrfs[1].rds[0].rd", |c| c.vrfs.push(plan::vrf("vn-b", 1, Vec::new()))),
    ("vrfs[0].export[0].port", |c| c.vrfs[0].export[0].port = UPLINK),
];

#[test]
fn every_mistake_is_refused_by_the_path_of_its_field() {
    assert_eq!(refused(core(1)), Vec::<String>::new());
    assert_eq!(refused(site(1)), Vec::<String>::new());
    let core = CORE_MISTAKES.iter().map(|one| (core(1), one));
    let site = SITE_MISTAKES.iter().map(|one| (site(1), one));
    for (mut config, (field, make)) in core.chain(site) {
        make(&mut config);
        let found = refused(config);
        assert!(found.iter().any(|one| one == field), "{field}: {found:?}");
    }
}

#[test]
fn all_mistakes_are_told_at_once_with_what_was_found_and_what_is_allowed() {
    let mut config = site(1);
    config.ports[1].mtu = 500;
    config.bgp.hold_time_s = 1;
    config.neighbours[0].as_number = config.as_number;
    let errors = Router::new(Instant::ZERO, 1, config).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "configuration of `site-1` is refused\n  \
         bgp.hold_time_s: found `1`, allowed: 0, or 3 or more (RFC 4271 §4.2)\n  \
         ports[1].mtu: found `500`, allowed: 1280 or more (RFC 8200 §5)\n  \
         neighbours[0].as_number: found `4200000001`, allowed: the own AS for an interior \
         neighbour, another one for all others"
    );
}

#[test]
fn an_older_generation_is_refused_and_the_one_in_force_stays() {
    let mut config = site(1);
    config.generation = 7;
    let mut router = Router::new(Instant::ZERO, 1, config.clone()).unwrap();
    let mut older = config.clone();
    (older.generation, older.vrfs[0].import) = (6, BTreeSet::new());
    let errors = router.set_config(Instant::ZERO, older).unwrap_err();
    assert_eq!(errors.errors[0].field, "generation");
    assert_eq!(router.config(), &config);
    assert!(router.set_config(Instant::ZERO, config).is_ok(), "the same once more");
}

/// Whether a datagram gets from a LAN of site 1 to one of site 2.
fn crosses(lab: &mut Lab) -> bool {
    lab.left.clear();
    let packet = datagram("10.1.1.9", "10.1.2.9", (4000, 7), 64, b"across");
    lab.inject(SITE_1, LAN, &ip_frame(mac(11, 1), HOST, &packet));
    lab.run_for(Duration::from_millis(20));
    lab.inject(SITE_2, LAN, &arp_reply((HOST, "10.1.2.9"), (mac(12, 1), "10.1.2.1")));
    !data(&lab.take_left(SITE_2, LAN)).is_empty()
}

fn route(lab: &Lab, router: usize, of: &str) -> Option<VrfRoute> {
    let vrf = lab.router(router).tables().vrf(VrfId(0))?;
    vrf.routes.get(prefix(of)).cloned()
}

fn quiet(lab: &mut Lab) {
    lab.run_for(Duration::from_secs(1));
    assert_eq!(lab.told.iter().map(|told| told.event.to_string()).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn access_rules_change_at_once_and_without_a_session_noticing() {
    let mut lab = Lab::converged(1);
    assert!(crosses(&mut lab));
    let mut closed = site(1);
    closed.vrfs[0].access.own.clear();
    lab.set_config(SITE_1, closed);
    assert!(!crosses(&mut lab));
    lab.set_config(SITE_1, site(1));
    assert!(crosses(&mut lab));
    quiet(&mut lab);
}

#[test]
fn what_a_site_may_no_longer_receive_is_drained_at_both_ends_and_its_label_at_once() {
    let mut lab = Lab::converged(2);
    let space = LabelSpace::Port(TO_SITE);
    let labels = |lab: &Lab| {
        let labels = lab.router(CORE_1).tables().labels();
        labels.filter(|(of, ..)| *of == space).count()
    };
    assert_eq!(labels(&lab), 1);
    let mut closed = core(1);
    if let NeighbourKind::Site { send, .. } = &mut closed.neighbours[1].kind {
        send.clear();
    }
    lab.set_config(CORE_1, closed);
    assert_eq!(labels(&lab), 0, "not a moment longer");
    lab.run_for(Duration::from_secs(1));
    assert_eq!(route(&lab, SITE_1, "10.1.2.0/24"), None);
    assert!(!crosses(&mut lab));
    lab.set_config(CORE_1, core(1));
    lab.run_for(Duration::from_secs(1));
    assert!(crosses(&mut lab));
    quiet(&mut lab);
}

#[test]
fn what_a_site_may_no_longer_announce_is_drained_everywhere() {
    let mut lab = Lab::converged(3);
    let mut closed = core(1);
    if let NeighbourKind::Site { accept, .. } = &mut closed.neighbours[1].kind {
        accept.retain(|route| route.prefix != prefix("10.1.1.0/24"));
    }
    assert!(route(&lab, SITE_2, "10.1.1.0/24").is_some());
    lab.set_config(CORE_1, closed);
    lab.run_for(Duration::from_secs(1));
    assert_eq!(route(&lab, SITE_2, "10.1.1.0/24"), None);
    assert!(route(&lab, SITE_2, "10.2.1.0/24").is_some());
    lab.set_config(CORE_1, core(1));
    lab.run_for(Duration::from_secs(1));
    assert!(route(&lab, SITE_2, "10.1.1.0/24").is_some());
    assert!((CORE_1..=SITE_2).all(|one| lab.router(one).sessions_up() > 0));
    assert!(!lab.told.iter().any(|told| told.event.to_string().contains("session")));
}

/// Core router 1 with site 3 on a fourth port.
fn core_with_site_3() -> RouterConfig {
    let mut config = core(1);
    config.ports.push(plan::uplink("to-site-3", mac(1, 3), 3, 0));
    config.neighbours.push(plan::site_neighbour(3, PortId(3)));
    config
}

#[test]
fn a_new_site_costs_the_others_nothing_and_neither_does_one_that_goes() {
    let mut configs = vec![core(1), core(2), site(1), site(2)];
    let mut third = site(3);
    third.neighbours[0].name = "core-1".to_owned();
    configs.push(third);
    let mut lab = Lab::region_of(4, configs);
    let site_3 = 4;
    lab.wire((CORE_1, PortId(3)), (site_3, UPLINK));
    lab.run_for(Duration::from_secs(5));
    lab.told.clear();
    lab.set_config(CORE_1, core_with_site_3());
    lab.run_until(Duration::from_secs(10), |lab| lab.session(CORE_1, 2));
    lab.run_for(Duration::from_secs(1));
    assert!(route(&lab, site_3, "10.1.2.0/24").is_some());
    assert!(lab.told_by(CORE_2).is_empty() && lab.told_by(SITE_1).is_empty(), "{:#?}", lab.told);
    assert!(crosses(&mut lab));

    let mut without = core_with_site_3();
    without.ports[1].kind = PortKind::Unused;
    without.ports[1].addresses.clear();
    without.neighbours.remove(1);
    lab.told.clear();
    lab.set_config(CORE_1, without);
    assert!(lab.session(CORE_1, 1) && lab.session(site_3, 0));
    lab.run_for(Duration::from_secs(5));
    assert!(lab.told_by(CORE_2).is_empty() && lab.told_by(site_3).is_empty(), "{:#?}", lab.told);
    assert!(!lab.session(SITE_1, 0));
    assert!(route(&lab, site_3, "10.1.2.0/24").is_some());
    assert_eq!(route(&lab, site_3, "10.1.1.0/24"), None);
    let router = lab.router(CORE_1);
    assert!(router.tables().port(TO_SITE).is_none());
    let gone = LabelSpace::Port(TO_SITE);
    assert_eq!(router.tables().labels().filter(|(of, ..)| *of == gone).count(), 0);
}

#[test]
fn a_router_that_is_stopped_says_goodbye_to_every_neighbour_at_once() {
    let mut lab = Lab::converged(5);
    lab.with(CORE_1, |router, now| router.stop(now));
    // Nothing but what it said by then: the process is gone.
    lab.mute((CORE_1, TO_SITE), true);
    lab.mute((CORE_1, plan::TO_CORE), true);
    lab.run_for(Duration::from_millis(50));
    for neighbour in [CORE_2, SITE_1] {
        let told = lab.told_by(neighbour);
        let goodbye =
            "session with core-1 is down: ended by the peer: cease: administrative shutdown";
        assert!(told.iter().any(|one| one == goodbye), "{told:?}");
    }
}

#[test]
fn a_router_that_becomes_another_says_goodbye_and_starts_anew() {
    let mut lab = Lab::converged(5);
    let mut other = core(1);
    other.generation = 2;
    other.labels = LabelRange { first: Label::masked(30_000), count: 1000 };
    lab.set_config(CORE_1, other);
    lab.run_until(Duration::from_secs(1), |lab| !lab.session(CORE_2, 0) && !lab.session(SITE_1, 0));
    for router in [CORE_2, SITE_1] {
        let told = lab.told_by(router);
        let goodbye = told.iter().any(|one| one.contains("ended by the peer"));
        assert!(goodbye, "{told:?}");
    }
    lab.run_until(Duration::from_secs(10), |lab| {
        (CORE_1..=SITE_2).all(|one| lab.router(one).is_settled())
            && lab.session(CORE_1, 0)
            && lab.session(CORE_1, 1)
    });
    lab.run_for(Duration::from_secs(1));
    assert!(crosses(&mut lab));
    let dynamic = lab.router(CORE_1).tables().labels();
    let stale = dynamic.filter(|(_, label, _)| (24_000..25_000).contains(&label.value()));
    assert_eq!(stale.count(), 0);
}

/// Site 1 with its second LAN in a VRF of another virtual network.
fn split() -> RouterConfig {
    let mut config = site(1);
    config.ports[2] = plan::lan("lan-b", mac(11, 2), 1, 2, 1);
    config.vrfs[0].export = plan::exports(&[(LAN, 1, 1)], target(1));
    let mut other = plan::vrf("vn-b", 9, plan::exports(&[(LAN_B, 2, 1)], target(2)));
    other.import = BTreeSet::from([target(2)]);
    config.vrfs.push(other);
    config
}

#[test]
fn an_attachment_that_moves_to_another_vrf_takes_nothing_with_it() {
    let mut lab = Lab::converged(6);
    let to_b = |number| datagram("10.1.1.9", "10.2.1.9", (4000, 7), 64, &[number]);
    lab.inject(SITE_1, LAN, &ip_frame(mac(11, 1), HOST, &to_b(1)));
    lab.left.clear();
    lab.set_config(SITE_1, split());
    // The packet that waited for its host belongs to the other network.
    lab.inject(SITE_1, LAN_B, &arp_reply((HOST, "10.2.1.9"), (mac(11, 2), "10.2.1.1")));
    lab.inject(SITE_1, LAN, &ip_frame(mac(11, 1), HOST, &to_b(2)));
    let back = datagram("10.2.1.9", "10.1.1.9", (7, 4000), 64, &[3]);
    lab.inject(SITE_1, LAN_B, &ip_frame(mac(11, 2), HOST, &back));
    lab.run_for(Duration::from_secs(2));
    assert_eq!(data(&lab.take_left(SITE_1, LAN_B)), [[0; 0]; 0]);
    assert_eq!(data(&lab.take_left(SITE_1, LAN)), [[0; 0]; 0]);
    assert_eq!(route(&lab, SITE_2, "10.2.1.0/24"), None);
    assert!(lab.session(SITE_1, 0), "the uplink does not notice");
    assert!(crosses(&mut lab));
}

#[test]
fn a_vrf_at_the_place_of_another_gets_neither_its_label_nor_its_routes() {
    let mut lab = Lab::converged(7);
    let number = |lab: &Lab, name| lab.router(SITE_1).vrf_number(name).unwrap();
    let label = |lab: &Lab, name| {
        let of = LabelAction::Vrf(number(lab, name));
        let labels = lab.router(SITE_1).tables().labels();
        let of_vrf = labels.filter(|(.., action)| **action == of);
        of_vrf.map(|(_, label, _)| label).collect::<Vec<_>>()
    };
    let route = |lab: &Lab, name, of| {
        let vrf = lab.router(SITE_1).tables().vrf(number(lab, name))?;
        vrf.routes.get(prefix(of)).cloned()
    };
    let before = label(&lab, "vn-a");
    assert_eq!(before.len(), 1);
    let mut other = split();
    other.ports[1] = plan::lan("lan", mac(11, 1), 1, 1, 1);
    other.ports[2] = plan::lan("lan-b", mac(11, 2), 0, 2, 1);
    other.vrfs.swap(0, 1);
    lab.set_config(SITE_1, other);
    let after = label(&lab, "vn-b");
    assert_eq!(after.len(), 1);
    assert_ne!(before, after);
    assert_eq!(route(&lab, "vn-b", "10.1.2.0/24"), None, "what `vn-a` imported");
    assert_eq!(route(&lab, "vn-b", "10.1.1.0/24"), None, "and what it had itself");
    assert!(route(&lab, "vn-a", "10.1.2.0/24").is_some(), "and still does at its new place");
    assert_eq!(label(&lab, "vn-a"), before);
    let action = lab.router(SITE_1).tables().label(LabelSpace::Platform, before[0]);
    assert_eq!(action, Some(&LabelAction::Vrf(number(&lab, "vn-a"))));
    lab.run_for(Duration::from_secs(1));
    assert!(crosses(&mut lab));
}

#[test]
fn an_imported_route_that_waited_behind_an_attachment_comes_forth_when_that_goes() {
    let mut second = site(2);
    let double = plan::exports(&[(LAN_B, 2, 1)], target(1));
    second.vrfs[0].export.extend(double.clone());
    let mut second_core = core(2);
    if let NeighbourKind::Site { accept, .. } = &mut second_core.neighbours[1].kind {
        accept.extend(double.into_iter().map(|route| AcceptedRoute {
            rd: rd(2),
            prefix: route.prefix,
            targets: route.targets,
        }));
    }
    let mut lab = Lab::region_of(8, vec![core(1), second_core, site(1), second]);
    lab.run_for(Duration::from_secs(5));
    let at_site_1 = |lab: &Lab| route(lab, SITE_1, "10.2.1.0/24");
    assert!(matches!(at_site_1(&lab), Some(VrfRoute::Attached { port: LAN_B, .. })));
    let mut without = site(1);
    without.ports[2].kind = PortKind::Unused;
    without.ports[2].addresses.clear();
    without.vrfs[0].export = plan::exports(&[(LAN, 1, 1)], target(1));
    lab.set_config(SITE_1, without);
    assert!(matches!(at_site_1(&lab), Some(VrfRoute::Remote { .. })), "{:?}", at_site_1(&lab));
    lab.set_config(SITE_1, site(1));
    assert!(matches!(at_site_1(&lab), Some(VrfRoute::Attached { port: LAN_B, .. })));
}

#[test]
fn new_bfd_intervals_are_in_force_at_once_and_the_session_stays_up() {
    let paced = |interval_ms| {
        let mut config = core(1);
        if let PortKind::Uplink { bfd, .. } = &mut config.ports[1].kind {
            bfd.interval_ms = interval_ms;
        }
        let mut site = site(1);
        if let PortKind::Uplink { bfd, .. } = &mut site.ports[0].kind {
            bfd.interval_ms = interval_ms;
        }
        [(CORE_1, config), (SITE_1, site)]
    };
    let mut lab = Lab::converged(9);
    for (interval_ms, pause_ms) in [(2000, 9000), (20, 100)] {
        for (router, config) in paced(interval_ms) {
            lab.set_config(router, config);
        }
        lab.run_for(Duration::from_millis(pause_ms));
    }
    assert_eq!(lab.told_by(CORE_1), Vec::<String>::new());
    lab.mute((SITE_1, UPLINK), true);
    let took = lab.run_until(Duration::from_secs(1), |lab| !lab.session(CORE_1, 1));
    assert!(took <= Duration::from_millis(61), "{took:?}");
}

#[test]
fn a_link_that_gets_another_adjacency_segment_keeps_no_label_of_the_old_one() {
    let mut lab = Lab::converged(10);
    let mut config = core(1);
    if let PortKind::CoreLink { adjacency_sid, .. } = core_link(&mut config) {
        *adjacency_sid = Label::masked(15_007);
    }
    lab.set_config(CORE_1, config);
    let tables = lab.router(CORE_1).tables();
    assert_eq!(tables.label(LabelSpace::Platform, Label::masked(15_000)), None);
    assert!(tables.label(LabelSpace::Platform, Label::masked(15_007)).is_some());
    lab.run_until(Duration::from_secs(10), |lab| lab.router(CORE_1).adjacencies_up() == 1);
    lab.run_for(Duration::from_secs(1));
    assert!(crosses(&mut lab));
}

#[test]
fn last_words_are_gone_even_where_the_far_end_has_stopped_to_read() {
    let many = |config: &mut RouterConfig| {
        let prefixes = (0..2000_u16).map(u16::to_be_bytes);
        let prefixes = prefixes.map(|[a, b]| prefix(&format!("10.{}.{b}.0/24", 100 + a)));
        let routes = prefixes.map(|prefix| plan::export(LAN, prefix, target(1)));
        config.vrfs[0].export.extend(routes);
    };
    let mut big = site(1);
    many(&mut big);
    let mut generous = core(1);
    if let NeighbourKind::Site { accept, max_routes, .. } = &mut generous.neighbours[1].kind {
        let routes = big.vrfs[0].export.iter().cloned();
        accept.extend(routes.map(|route| AcceptedRoute {
            rd: rd(1),
            prefix: route.prefix,
            targets: route.targets,
        }));
        *max_routes = 4000;
    }
    let mut lab = Lab::region_of(11, vec![generous.clone(), core(2), big, site(2)]);
    lab.run_until(Duration::from_secs(5), |lab| lab.session(CORE_1, 0));
    lab.mute((CORE_2, plan::TO_CORE), true);
    lab.run_for(Duration::from_millis(100));
    assert!(lab.session(CORE_1, 0) && !lab.router(CORE_1).is_settled());
    generous.bgp.hold_time_s = 60;
    lab.set_config(CORE_1, generous);
    assert!(!lab.session(CORE_1, 0));
    lab.run_for(Duration::from_secs(2));
    assert!(lab.router(CORE_1).is_settled(), "nothing is owed to sessions that are gone");
}
