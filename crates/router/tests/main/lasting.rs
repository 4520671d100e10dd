//! What stays as it is while its place in the configuration changes: sessions of neighbours, and
//! VRFs with their labels, routes and hosts.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a configuration without the part that is changed fails the test"
)]

use std::collections::BTreeSet;

use base::{Duration, Instant, Label, PortId, VrfId};
use model::config::{HostService, PortKind, RouterConfig};
use model::tables;
use packet::tcp::Flags;
use router::probes::{Probe, ProbeError, Realm};
use router::tables::{LabelAction, VrfRoute};

use crate::lab::{CORE_1, CORE_2, Lab, SITE_1};
use crate::plan::{self, LAN, LAN_B, TO_SITE, UPLINK, address, core, mac, prefix, site, target};
use crate::wire::{HOST, arp_reply, segments};

const SITE_3: usize = 4;
const SITE_4: usize = 5;

/// Core router 1 with these neighbours in this order: 0 is the other core router, the others are
/// sites.
fn core_of(order: &[u8]) -> RouterConfig {
    let mut config = core(1);
    let other = config.neighbours[0].clone();
    config.ports.push(plan::uplink("to-site-3", mac(1, 3), 3, 0));
    config.ports.push(plan::uplink("to-site-4", mac(1, 4), 4, 0));
    let port = |site: u8| PortId(site.into());
    config.neighbours.clear();
    for number in order {
        config.neighbours.push(match number {
            0 => other.clone(),
            site => plan::site_neighbour(*site, port(*site)),
        });
    }
    for gone in [1, 3, 4].into_iter().filter(|site| !order.contains(site)) {
        let port = &mut config.ports[usize::from(gone)];
        port.kind = PortKind::Unused;
        port.addresses.clear();
    }
    config
}

/// Sites 1, 3 and 4 on core router 1, and site 2 on the other.
fn region(seed: u64) -> Lab {
    let third_and_fourth = [3, 4].map(|number| {
        let mut config = site(number);
        config.neighbours[0].name = "core-1".to_owned();
        config
    });
    let mut configs = vec![core_of(&[0, 1, 3, 4]), core(2), site(1), site(2)];
    configs.extend(third_and_fourth);
    let mut lab = Lab::region_of(seed, configs);
    for (site, port) in [(SITE_3, PortId(3)), (SITE_4, PortId(4))] {
        lab.wire((CORE_1, port), (site, UPLINK));
        lab.port(site, LAN, true);
        lab.port(site, LAN_B, true);
    }
    let all_up = |lab: &Lab| (0..4).all(|place| lab.session(CORE_1, place));
    lab.run_until(Duration::from_secs(20), all_up);
    lab.run_for(Duration::from_secs(2));
    lab.told.clear();
    lab
}

/// When the session with each neighbour last came up or went down, and how many routes it was sent.
fn sessions(lab: &Lab) -> Vec<(String, Instant, bool, usize)> {
    let sessions = lab.router(CORE_1).view().sessions;
    sessions.into_iter().map(|one| (one.neighbour, one.since, one.up, one.sent)).collect()
}

fn remote(lab: &Lab, site: usize) -> Option<VrfRoute> {
    let vrf = lab.router(site).tables().vrf(VrfId(0))?;
    vrf.routes.get(prefix("10.1.2.0/24")).cloned()
}

/// Whether anybody but site 1 was called or calls.
fn anybody_calls(lab: &Lab) -> bool {
    let others = lab
        .recorded
        .iter()
        .filter(|((router, port), _)| *router != SITE_1 && (*router, *port) != (CORE_1, TO_SITE));
    let frames: Vec<Vec<u8>> = others.map(|(_, bytes)| bytes.clone()).collect();
    assert!(segments(&frames).len() > 2, "sessions have something to say");
    segments(&frames).iter().any(|(_, tcp)| tcp.flags.intersects(Flags::SYN))
}

#[test]
fn neighbours_that_change_places_keep_their_sessions() {
    let mut lab = region(1);
    let routes = [SITE_3, SITE_4].map(|site| remote(&lab, site));
    assert!(routes.iter().all(Option::is_some));
    let orders: [&[u8]; 5] = [&[0, 3, 4], &[4, 0, 3], &[4, 1, 3, 0], &[0, 4, 3], &[1, 0, 3, 4]];
    for order in orders {
        let before: Vec<_> = sessions(&lab).into_iter().filter(|one| one.0 != "site-1").collect();
        lab.recorded.clear();
        lab.record_frames = true;
        lab.set_config(CORE_1, core_of(order));
        assert_eq!([SITE_3, SITE_4].map(|site| remote(&lab, site)), routes);
        lab.run_for(Duration::from_secs(60));
        assert!(!anybody_calls(&lab), "{order:?}");
        let mut after = sessions(&lab);
        let names: Vec<String> = after.iter().map(|one| one.0.clone()).collect();
        let wanted = order.iter().map(|site| match site {
            0 => "core-2".to_owned(),
            site => format!("site-{site}"),
        });
        assert_eq!(names, wanted.collect::<Vec<_>>(), "in the order of their places");
        after.retain(|one| one.0 != "site-1");
        let unchanged = |one: &(String, Instant, bool, usize)| {
            before.iter().any(|had| (&had.0, had.1) == (&one.0, one.1)) && one.2
        };
        assert!(after.iter().all(unchanged), "{before:?} {after:?}");
        for router in [CORE_2, SITE_3, SITE_4] {
            assert_eq!(lab.told_by(router), Vec::<String>::new(), "{order:?}");
        }
        let about_others = lab.told_by(CORE_1);
        let mut about_others = about_others.iter().filter(|told| !told.contains("site-1"));
        assert_eq!(about_others.next(), None, "{order:?}");
        assert_eq!([SITE_3, SITE_4].map(|site| remote(&lab, site)), routes);
        let place = order.iter().position(|site| *site == 1);
        let is_up = place.is_some_and(|place| lab.session(CORE_1, u32::try_from(place).unwrap()));
        assert_eq!(is_up, place.is_some(), "site 1 comes and goes");
        lab.told.clear();
    }
}

#[test]
fn a_neighbour_that_goes_with_its_link_is_told_so() {
    let mut lab = region(2);
    lab.set_config(CORE_1, core_of(&[0, 3, 4]));
    // The link itself is not heard of again: only what was said before.
    lab.mute((CORE_1, TO_SITE), true);
    lab.run_for(Duration::from_millis(5));
    let goodbye = "session with core-1 is down: ended by the peer: cease: peer de-configured";
    assert_eq!(lab.told_by(SITE_1), [goodbye]);
    let told = lab.told_by(CORE_1);
    assert!(told.iter().any(|one| one.starts_with("session with site-1 is down")), "{told:?}");
}

/// Site 1 with a virtual network for each of these letters, in this order: `a` on its first LAN,
/// `b`, which has hosts, on the second, and `c` and `d` nowhere.
fn site_of(order: &str) -> RouterConfig {
    let mut config = site(1);
    let place = |of: char| order.find(of).map(|place| u32::try_from(place).unwrap());
    let lans = [("lan", LAN, 'a', 1), ("lan-b", LAN_B, 'b', 2)];
    for (name, port, letter, network) in lans {
        let number = usize::try_from(port.0).unwrap();
        let mut lan = plan::lan(name, mac(11, network), place(letter).unwrap_or(0), network, 1);
        if place(letter).is_none() {
            lan.kind = PortKind::Unused;
            lan.addresses.clear();
        }
        if let PortKind::Attachment { hosts, .. } = &mut lan.kind
            && letter == 'b'
        {
            *hosts = Some(HostService { dhcp: None, advertise: true, dns: Vec::new() });
        }
        config.ports[number] = lan;
    }
    let vrf = |letter: char| {
        let b = plan::exports(&[(LAN_B, 2, 1)], target(1));
        let (number, export) = match letter {
            'a' => (91, Vec::new()),
            'b' => (1, b),
            'c' => (93, Vec::new()),
            _ => (94, Vec::new()),
        };
        plan::vrf(&format!("vn-{letter}"), number, export)
    };
    config.vrfs = order.chars().map(vrf).collect();
    config
}

/// What is known of `vn-b`: its label, its routes, and where its host is.
fn of_b(lab: &Lab) -> (Option<Label>, Vec<String>, bool) {
    let router = lab.router(SITE_1);
    let tables = router.tables();
    let number = router.vrf_number("vn-b").unwrap();
    assert_eq!(router.vrf_of(number).unwrap().name, "vn-b");
    let is_b = |action: &LabelAction| *action == LabelAction::Vrf(number);
    let label = tables.labels().find(|(.., action)| is_b(action)).map(|(_, label, _)| label);
    let routes = tables.vrf(number).unwrap().routes.iter();
    let routes = routes.map(|(prefix, route)| format!("{prefix} {route:?}")).collect();
    (label, routes, tables.neighbour(LAN_B, address("10.2.1.9")) == Some(HOST))
}

/// The region with that site, after everything came up and a host of `vn-b` was heard.
fn with_host(seed: u64, order: &str) -> Lab {
    let configs = vec![core(1), core(2), site_of(order), site(2)];
    let mut lab = Lab::region_of(seed, configs);
    lab.run_until(Duration::from_secs(20), |lab| lab.session(SITE_1, 0));
    // Everything that is said of itself is said by then.
    lab.run_for(Duration::from_secs(60));
    let place = u32::try_from(order.find('b').unwrap()).unwrap();
    let (realm, destination) = (Realm::Vrf(VrfId(place)), address("10.2.1.9"));
    let probe = Probe { realm, destination, ttl: 64, label_ttl: 255, payload_len: 8 };
    lab.with(SITE_1, |router, now| router.start_probe(now, probe)).unwrap();
    lab.inject(SITE_1, LAN_B, &arp_reply((HOST, "10.2.1.9"), (mac(11, 2), "10.2.1.1")));
    lab.left.clear();
    lab.told.clear();
    lab
}

#[test]
fn a_vrf_whose_place_changes_keeps_its_label_its_routes_and_its_hosts() {
    let mut lab = with_host(3, "abc");
    let before = of_b(&lab);
    assert!(before.0.is_some() && before.1.len() > 4 && before.2, "{before:?}");
    for order in ["bc", "b", "cdb", "dbc", "bcd", "dcba"] {
        lab.set_config(SITE_1, site_of(order));
        assert_eq!(of_b(&lab), before, "{order}");
        lab.run_for(Duration::from_secs(1));
        assert_eq!(of_b(&lab), before, "{order}");
        assert!(lab.take_left(SITE_1, LAN_B).is_empty(), "{order}: hosts are told nothing");
        assert_eq!((lab.told_by(SITE_1), lab.told_by(CORE_1)), (Vec::new(), Vec::new()));
    }
}

#[test]
fn people_see_vrfs_by_their_places_whatever_came_before() {
    let mut lab = with_host(4, "abc");
    for order in ["bc", "dcb", "cb"] {
        lab.set_config(SITE_1, site_of(order));
        let router = lab.router(SITE_1);
        let told = router.forwarding_tables();
        let vrfs: Vec<_> = told.vrfs.iter().map(|vrf| (vrf.id.0, vrf.name.clone())).collect();
        let wanted = (0..).zip(order.chars()).map(|(place, of)| (place, format!("vn-{of}")));
        assert_eq!(vrfs, wanted.collect::<Vec<_>>());
        let place = VrfId(u32::try_from(order.find('b').unwrap()).unwrap());
        let lan = told.ports.iter().find(|port| port.id == LAN_B).unwrap();
        let tables::Accepts::Attachment { vrf, .. } = &lan.accepts else { panic!("{lan:?}") };
        assert_eq!(*vrf, place);
        let labels: BTreeSet<VrfId> = told.labels.iter().filter_map(vrf_of).collect();
        assert_eq!(labels.len(), order.len(), "{:?}", told.labels);
        assert!(labels.contains(&place));
        let probe = |place| router.probe_address(Realm::Vrf(place), address("10.1.2.1"));
        assert_eq!(probe(place), Ok(address("10.2.1.1")));
        let behind = VrfId(u32::try_from(order.len()).unwrap());
        assert_eq!(probe(behind), Err(ProbeError::UnknownVrf));
        let names: BTreeSet<String> = router.vrf_routes(None).into_iter().map(|r| r.vrf).collect();
        assert!(names.contains("vn-b") && !names.contains("vn-a"), "{names:?}");
    }
}

const fn vrf_of(entry: &tables::LabelEntry) -> Option<VrfId> {
    match entry.action {
        tables::LabelAction::Vrf(vrf) => Some(vrf),
        tables::LabelAction::Pop
        | tables::LabelAction::Transit(_)
        | tables::LabelAction::Swap(_) => None,
    }
}
