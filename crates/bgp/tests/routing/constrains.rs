//! Memberships on the wire: who must wait, who may ask, and what asking cannot change.

use std::collections::{BTreeMap, BTreeSet};

use base::{AsNumber, Duration, VrfId};
use bgp::membership::END_OF_RIB_WAIT;
use bgp::nlri::Membership;
use bgp::route::Family;
use bgp::{Config, Export, NeighbourKind, Vrf};

use super::network::id;
use super::region::{REGION, rd, target};
use super::rogue::{Rogue, SITE_AS, config, filter};

const RTC: Family = Family::RouteTargetConstrain;

/// A core router that exports one prefix in each of the networks 7 and 8.
fn exporting(kind: NeighbourKind, peer_as: AsNumber) -> Config {
    let mut config = config(filter());
    config.neighbours[0].kind = kind;
    config.neighbours[0].as_number = peer_as;
    config.neighbours[0].families.push(RTC);
    for (number, network) in [(0, 7), (1, 8)] {
        config.vrfs.push(Vrf {
            id: VrfId(number),
            name: format!("network {network}"),
            label: None,
            import: [target(network + 100)].into(),
            export: vec![Export {
                prefix: format!("10.{network}.0.0/16").parse().unwrap(),
                targets: [target(network)].into(),
            }],
            rds: BTreeMap::new(),
            rd: rd(0, usize::try_from(number).unwrap(), 0),
        });
    }
    config
}

/// An internal neighbour, which speaks of restarts or does not.
fn internal(restarts: bool) -> Rogue {
    let config = exporting(NeighbourKind::Internal { client: true }, REGION);
    Rogue::that_restarts(restarts, REGION, config)
}

#[test]
fn routes_wait_until_the_neighbour_has_said_what_it_wants() {
    let mut rogue = internal(true);
    rogue.ask(Membership::new(REGION, target(7)), REGION);
    rogue.run(Duration::from_secs(10));
    assert_eq!(rogue.sent(), 0);
    rogue.end_of_rib(RTC);
    assert_eq!(rogue.sent(), 1);
}

#[test]
fn a_neighbour_that_never_ends_its_memberships_is_served_after_a_bounded_wait() {
    let mut rogue = internal(true);
    rogue.ask(Membership::new(REGION, target(7)), REGION);
    rogue.run(END_OF_RIB_WAIT);
    assert_eq!(rogue.sent(), 1);
}

#[test]
fn a_neighbour_that_does_not_speak_of_restarts_gets_what_it_asks_for_as_it_asks() {
    let mut rogue = internal(false);
    rogue.run(Duration::from_secs(10));
    assert_eq!(rogue.sent(), 0);
    for (network, sent) in [(7, 1), (8, 2)] {
        rogue.ask(Membership::new(REGION, target(network)), REGION);
        assert_eq!(rogue.sent(), sent);
    }
}

#[test]
fn prefixes_of_targets_and_the_default_are_understood() {
    let mut rogue = internal(true);
    rogue.end_of_rib(RTC);
    assert_eq!(rogue.sent(), 0);
    // All but the last four bits of 65000:7 and 65000:8 are equal.
    let wide = Membership::with_prefix(REGION, target(7).0, 92).unwrap();
    rogue.ask(wide, REGION);
    assert_eq!(rogue.sent(), 2);
    let mut rogue = internal(true);
    rogue.end_of_rib(RTC);
    rogue.ask(Membership::DEFAULT, REGION);
    assert_eq!(rogue.sent(), 2);
}

#[test]
fn a_site_is_sent_what_the_plan_lets_it_import_and_it_asked_for() {
    let mut plan = filter();
    plan.send = [target(7)].into();
    let mut rogue = Rogue::of_as(SITE_AS, exporting(NeighbourKind::Site(plan), SITE_AS));
    rogue.end_of_rib(RTC);
    assert_eq!(rogue.sent(), 0);
    rogue.ask(Membership::new(SITE_AS, target(8)), SITE_AS);
    assert_eq!(rogue.sent(), 0);
    rogue.ask(Membership::new(SITE_AS, target(7)), SITE_AS);
    assert_eq!(rogue.sent(), 1);
    rogue.ask(Membership::DEFAULT, SITE_AS);
    let told: BTreeSet<String> =
        rogue.core.sent(id(0)).map(|(key, _)| key.prefix.to_string()).collect();
    assert_eq!(told, ["10.7.0.0/16".to_owned()].into());
}
