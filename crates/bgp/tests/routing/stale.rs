//! Routes that outlive their session: for how long, in what they are like all others, and that
//! nothing keeps them once they are over.

use base::{Duration, RouterId};
use bgp::graceful_restart::{GracefulRestart, RESTART_TIME_MAX, STALE_TIME_MAX};
use bgp::message;
use bgp::nlri::Membership;
use bgp::notification::{CeaseSubcode, Notification};
use bgp::open::Open;
use bgp::policy::RejectReason;
use bgp::route::{Family, FamilySet};
use bgp::update::{Writer, encode_end_of_rib};
use bgp::views::PathState;
use bgp::{NeighbourKind, Source};
use core::net::Ipv4Addr;
use std::collections::BTreeSet;

use super::network::id;
use super::region::{REGION, rd, target};
use super::scripted::{
    ACCEPTED, ACCEPTED_V6, CE, CLIENT, OTHER_CE, REFLECTOR, SITE, Scripted, address, config,
    elsewhere, filter_of, heard_from, in_vrf, open, open_that_restarts, plain_update, prefix,
    reflected, reflecting,
};
use crate::wire::golden_customer::{BIRD_OPEN, FRR_OPEN};
use crate::wire::hex;

const P: &str = "203.0.113.0/24";
const Q: &str = "192.0.2.0/24";
const TIME: u16 = 60;

fn stale(scripted: &Scripted, number: usize) -> usize {
    scripted.core.neighbour(id(number)).unwrap().stale
}

/// A customer's router that restarts well has announced these, and is lost.
fn lost(prefixes: &[&str]) -> Scripted {
    let mut scripted = Scripted::new(config());
    scripted.lose(CE);
    scripted.connect(CE, &open_that_restarts(CE, TIME));
    scripted.announce(CE, prefixes);
    let next_hop = "2001:db8:2::2".parse().unwrap();
    scripted.send(CE, &plain_update(&[ACCEPTED_V6], &heard_from(CE, &[]), next_hop));
    scripted.end_of_ribs(CE);
    assert!(scripted.core.is_settled());
    scripted.lose(CE);
    assert!(!scripted.is_up(CE));
    scripted
}

fn back(scripted: &mut Scripted, open: &Open) {
    // The back-off of the passive side is short; the script must not run into the deadline.
    scripted.run(Duration::from_secs(1));
    scripted.connect_now(CE, open);
}

fn is_gone(scripted: &Scripted, texts: &[&str]) {
    texts.iter().for_each(|text| scripted.assert_forgotten(text));
    assert_eq!(scripted.core.neighbour(id(CE)).unwrap().stale_until, None);
}

#[test]
fn routes_of_a_lost_connection_stay_as_they_were_and_are_shown_as_stale() {
    let scripted = lost(&[P, Q]);
    let view = scripted.core.neighbour(id(CE)).unwrap();
    assert_eq!((view.received, view.accepted, view.stale), (3, 3, 3));
    let left = view.stale_until.unwrap().since(scripted.now);
    assert!(left <= Duration::from_secs(TIME.into()) && left > Duration::from_secs(50));
    assert_eq!(scripted.way(P).unwrap().via, Source::Neighbour(id(CE)));
    assert!(scripted.told(OTHER_CE, P).is_some());
    assert!(scripted.peer(REFLECTOR).routes.contains_key(&in_vrf(P)));
    let (_, state) = scripted.core.route(in_vrf(P)).unwrap().paths[0];
    assert_eq!((state, state.to_string()), (PathState::Stale(None), "best, stale".to_owned()));
    let vrf = scripted.core.vrf(super::scripted::VRF).unwrap();
    let route = vrf.routes.iter().find(|route| route.prefix == prefix(P)).unwrap();
    assert_eq!(route.paths[0].1, PathState::Stale(None));
    assert!(!scripted.core.is_settled());
}

#[test]
fn they_end_when_the_peer_does_not_return_in_its_time() {
    let mut scripted = lost(&[P]);
    scripted.run(Duration::from_secs(59));
    assert!(scripted.way(P).is_some());
    scripted.run(Duration::from_secs(1));
    is_gone(&scripted, &[P, ACCEPTED_V6]);
    assert!(scripted.core.is_settled());
}

#[test]
fn the_time_that_a_peer_may_ask_for_is_bounded() {
    let mut scripted = Scripted::new(config());
    scripted.lose(CE);
    scripted.connect(CE, &open_that_restarts(CE, 4000));
    scripted.announce(CE, &[P]);
    scripted.lose(CE);
    scripted.run(RESTART_TIME_MAX - Duration::from_secs(1));
    assert!(scripted.way(P).is_some());
    scripted.run(Duration::from_secs(1));
    is_gone(&scripted, &[P]);
    // And one that asks for no time gets none.
    scripted.connect(CE, &open_that_restarts(CE, 0));
    scripted.announce(CE, &[P]);
    scripted.lose(CE);
    is_gone(&scripted, &[P]);
}

#[test]
fn what_is_announced_again_is_fresh_and_end_of_rib_ends_the_rest_of_its_family() {
    let mut scripted = lost(&[P, Q]);
    let announcements = scripted.peer(REFLECTOR).announcements;
    back(&mut scripted, &open_that_restarts(CE, TIME));
    assert_eq!(stale(&scripted, CE), 3);
    scripted.announce(CE, &[P]);
    assert_eq!(stale(&scripted, CE), 2);
    assert_eq!(scripted.core.route(in_vrf(P)).unwrap().paths[0].1, PathState::Best);
    let mut bytes = Vec::new();
    encode_end_of_rib(Family::Ipv4Unicast, &mut bytes);
    scripted.send(CE, &bytes);
    scripted.assert_forgotten(Q);
    assert!(scripted.way(ACCEPTED_V6).is_some() && stale(&scripted, CE) == 1);
    bytes.clear();
    encode_end_of_rib(Family::Ipv6Unicast, &mut bytes);
    scripted.send(CE, &bytes);
    is_gone(&scripted, &[Q, ACCEPTED_V6]);
    assert!(scripted.way(P).is_some() && scripted.core.is_settled());
    // Nobody heard anything of what stayed.
    assert_eq!(scripted.peer(REFLECTOR).announcements, announcements);
}

#[test]
fn families_that_were_not_preserved_or_not_offered_again_end_when_the_session_is_back() {
    let v4 = FamilySet::EMPTY.with(Family::Ipv4Unicast);
    let with = |restart: Option<GracefulRestart>| Open { graceful_restart: restart, ..open(CE) };
    let both = GracefulRestart {
        restarting: true,
        time: TIME,
        families: FamilySet::UNICAST,
        preserved: FamilySet::UNICAST,
    };
    let cases = [
        (with(Some(both)), 2),
        (with(Some(GracefulRestart { preserved: v4, ..both })), 1),
        (with(Some(GracefulRestart { families: v4, preserved: v4, ..both })), 1),
        (with(Some(GracefulRestart::HELPER)), 0),
        (with(None), 0),
        (Open { families: v4, ..with(Some(both)) }, 1),
    ];
    for (open, left) in cases {
        let mut scripted = lost(&[P]);
        back(&mut scripted, &open);
        assert_eq!(stale(&scripted, CE), left, "{open:?}");
        assert_eq!(scripted.way(P).is_some(), left > 0);
        assert_eq!(scripted.way(ACCEPTED_V6).is_some(), left > 1);
    }
}

#[test]
fn another_router_in_the_peers_place_does_not_inherit_its_routes() {
    let mut scripted = lost(&[P]);
    let router_id = RouterId(Ipv4Addr::new(172, 16, 2, 99));
    back(&mut scripted, &Open { router_id, ..open_that_restarts(CE, TIME) });
    is_gone(&scripted, &[P, ACCEPTED_V6]);
}

#[test]
fn an_end_of_rib_that_never_comes_is_not_awaited_for_ever() {
    let mut scripted = lost(&[P]);
    back(&mut scripted, &open_that_restarts(CE, TIME));
    scripted.run(STALE_TIME_MAX - Duration::from_secs(1));
    assert!(scripted.way(P).is_some() && !scripted.core.is_settled());
    scripted.run(Duration::from_secs(1));
    is_gone(&scripted, &[P, ACCEPTED_V6]);
    assert!(scripted.is_up(CE));
}

#[test]
fn a_second_loss_ends_what_was_stale_and_keeps_what_was_announced_since() {
    let mut scripted = lost(&[P, Q]);
    back(&mut scripted, &open_that_restarts(CE, TIME));
    scripted.announce(CE, &[P]);
    scripted.lose(CE);
    is_gone_all_but(&scripted, P);
    assert_eq!(stale(&scripted, CE), 1);
    scripted.run(Duration::from_secs(TIME.into()));
    is_gone(&scripted, &[P, Q, ACCEPTED_V6]);
}

fn is_gone_all_but(scripted: &Scripted, kept: &str) {
    for text in ACCEPTED.iter().chain([&ACCEPTED_V6]).filter(|text| **text != kept) {
        scripted.assert_forgotten(text);
    }
    assert!(scripted.way(kept).is_some());
}

#[test]
fn a_session_that_ends_with_a_word_leaves_nothing() {
    // The peer's word.
    let mut scripted = lost(&[P]);
    back(&mut scripted, &open_that_restarts(CE, TIME));
    scripted.announce(CE, &[Q]);
    let mut bytes = Vec::new();
    Notification::cease(CeaseSubcode::AdministrativeReset).encode(&mut bytes);
    scripted.send(CE, &bytes);
    is_gone(&scripted, &[P, Q, ACCEPTED_V6]);
    // Our own, about a message that cannot be read.
    let mut scripted = lost(&[P]);
    back(&mut scripted, &open_that_restarts(CE, TIME));
    scripted.send(CE, &[0; 19]);
    is_gone(&scripted, &[P, ACCEPTED_V6]);
}

#[test]
fn a_neighbour_that_may_not_be_spoken_to_leaves_nothing_whenever_that_is_said() {
    let mut scripted = lost(&[P]);
    let now = scripted.now;
    scripted.core.set_allowed(now, id(CE), false);
    scripted.run(Duration::from_millis(20));
    is_gone(&scripted, &[P, ACCEPTED_V6]);

    let mut scripted = lost(&[P]);
    back(&mut scripted, &open_that_restarts(CE, TIME));
    scripted.announce(CE, &[P]);
    let now = scripted.now;
    scripted.core.set_allowed(now, id(CE), false);
    scripted.run(Duration::from_millis(20));
    scripted.core.handle_closed(now, id(CE));
    scripted.run(Duration::from_millis(20));
    is_gone(&scripted, &[P, ACCEPTED_V6]);
}

#[test]
fn a_changed_configuration_acts_on_stale_routes_as_on_all_others() {
    type Change = fn(&mut bgp::Config);
    let ends: [Change; 5] = [
        |config| drop(config.neighbours.remove(CE)),
        |config| config.neighbours[CE].passive = false,
        |config| config.vrfs.clear(),
        |config| filter_of(config, CE).accept.clear(),
        |config| filter_of(config, CE).max_routes = 1,
    ];
    for change in ends {
        let mut scripted = lost(&[P]);
        let mut other = config();
        change(&mut other);
        scripted.set_config(&other);
        let used = scripted.vrfs.keys().any(|(_, used)| *used == prefix(P));
        assert!(!used && scripted.told(OTHER_CE, P).is_none());
        assert!(!scripted.peer(REFLECTOR).routes.contains_key(&in_vrf(P)));
        scripted.run(Duration::from_secs(TIME.into()));
        scripted.assert_forgotten(P);
    }
}

#[test]
fn stale_routes_follow_their_vrf_and_their_targets() {
    let mut scripted = lost(&[P]);
    let mut other = config();
    filter_of(&mut other, CE).targets = [target(9)].into();
    other.vrfs[0].rd = rd(1, 5, 0);
    scripted.set_config(&other);
    let key = bgp::route::VpnPrefix { rd: rd(1, 5, 0), prefix: prefix(P) };
    let told = &scripted.peer(REFLECTOR).routes[&key];
    assert_eq!(told.attributes.extended_communities, [target(9).0]);
    assert!(!scripted.peer(SITE).routes.contains_key(&key));
    assert_eq!(stale(&scripted, CE), 2);
    scripted.run(Duration::from_secs(TIME.into()));
    is_gone(&scripted, &[P, ACCEPTED_V6]);
}

#[test]
fn what_was_announced_before_a_restart_does_not_count_against_what_comes_after() {
    let mut few = config();
    filter_of(&mut few, CE).max_routes = 3;
    let mut scripted = Scripted::new(few);
    scripted.lose(CE);
    scripted.connect(CE, &open_that_restarts(CE, TIME));
    scripted.announce(CE, &ACCEPTED);
    scripted.lose(CE);
    back(&mut scripted, &open_that_restarts(CE, TIME));
    scripted.announce(CE, &["10.91.0.0/24", "10.92.0.0/24", "10.93.0.0/24"]);
    assert!(scripted.is_up(CE));
    scripted.announce(CE, &[P]);
    assert!(!scripted.is_up(CE));
    assert_eq!(scripted.rejected(CE, RejectReason::TooManyRoutes), 1);
    is_gone(&scripted, &ACCEPTED);
}

#[test]
fn frr_and_bird_as_they_introduce_themselves_are_waited_for() {
    for text in [FRR_OPEN, BIRD_OPEN] {
        let mut scripted = Scripted::new(config());
        scripted.lose(CE);
        let open = bgp::open::decode(&hex(text)).unwrap();
        scripted.connect(CE, &open);
        scripted.announce(CE, &[P]);
        scripted.lose(CE);
        assert_eq!(stale(&scripted, CE), 1);
        // They have kept nothing when they come back without the bits that say so.
        back(&mut scripted, &open);
        is_gone(&scripted, &[P]);
    }
}

#[test]
fn vpn_routes_of_a_reflector_stay_with_what_follows_from_them() {
    let mut scripted = Scripted::new(config());
    scripted.lose(REFLECTOR);
    let restarts = open_that_restarts(REFLECTOR, TIME);
    scripted.connect(REFLECTOR, &restarts);
    scripted.end_of_ribs(REFLECTOR);
    scripted.reflect(elsewhere("10.8.0.0/24"), &reflected());
    scripted.reflect(elsewhere("10.9.0.0/24"), &reflected());
    let told = scripted.peer(SITE).routes.clone();
    scripted.lose(REFLECTOR);
    assert_eq!(stale(&scripted, REFLECTOR), 2);
    assert!(scripted.way("10.8.0.0/24").is_some() && scripted.told(CE, "10.8.0.0/24").is_some());
    assert_eq!(scripted.core.memberships().count(), 1);
    scripted.run(Duration::from_secs(1));
    scripted.connect_now(REFLECTOR, &restarts);
    // It still wants what it wanted, though it has not said so yet.
    scripted.reflect(elsewhere("10.8.0.0/24"), &reflected());
    scripted.end_of_ribs(REFLECTOR);
    assert_eq!((stale(&scripted, REFLECTOR), scripted.core.memberships().count()), (0, 1));
    scripted.assert_forgotten("10.9.0.0/24");
    assert!(scripted.peer(REFLECTOR).routes.contains_key(&in_vrf("10.7.0.0/24")));
    assert_eq!(
        scripted.peer(SITE).routes[&elsewhere("10.8.0.0/24")],
        told[&elsewhere("10.8.0.0/24")]
    );
    assert!(scripted.core.is_settled());
}

#[test]
fn memberships_that_are_not_asked_for_again_end_with_end_of_rib() {
    let mut scripted = Scripted::new(config());
    scripted.lose(REFLECTOR);
    let restarts = open_that_restarts(REFLECTOR, TIME);
    scripted.connect(REFLECTOR, &restarts);
    scripted.end_of_ribs(REFLECTOR);
    scripted.ask(REFLECTOR, target(7));
    assert_eq!(scripted.core.memberships().count(), 2);
    scripted.lose(REFLECTOR);
    assert_eq!(scripted.core.memberships().count(), 2);
    scripted.run(Duration::from_secs(1));
    scripted.connect_now(REFLECTOR, &restarts);
    scripted.end_of_ribs(REFLECTOR);
    let memberships: Vec<_> = scripted.core.memberships().map(|(_, one)| one).collect();
    assert_eq!(memberships, [Membership::DEFAULT]);
    scripted.lose(REFLECTOR);
    scripted.run(Duration::from_secs(TIME.into()));
    assert_eq!(scripted.core.memberships().count(), 0);
    assert!(scripted.core.is_settled());
}

#[test]
fn what_a_client_wants_is_asked_for_while_it_restarts_and_no_longer() {
    let mut scripted = Scripted::new(reflecting());
    scripted.connect(CLIENT, &open_that_restarts(CLIENT, TIME));
    scripted.ask(CLIENT, target(9));
    scripted.end_of_ribs(CLIENT);
    let wanted = |numbers: &[u32]| -> BTreeSet<Membership> {
        numbers.iter().map(|&number| Membership::new(REGION, target(number))).collect()
    };
    assert_eq!(scripted.peer(REFLECTOR).memberships, wanted(&[7, 9]));
    scripted.lose(CLIENT);
    assert_eq!(scripted.peer(REFLECTOR).memberships, wanted(&[7, 9]));
    scripted.run(Duration::from_secs(TIME.into()));
    assert_eq!(scripted.peer(REFLECTOR).memberships, wanted(&[7]));
    assert!(scripted.core.is_settled());
}

#[test]
fn a_stale_route_falls_with_its_next_hop() {
    let mut scripted = Scripted::new(config());
    scripted.lose(REFLECTOR);
    scripted.connect(REFLECTOR, &open_that_restarts(REFLECTOR, TIME));
    scripted.end_of_ribs(REFLECTOR);
    scripted.reflect(elsewhere("10.8.0.0/24"), &reflected());
    scripted.lose(REFLECTOR);
    let now = scripted.now;
    scripted.core.handle_next_hops(now, std::collections::BTreeMap::new());
    scripted.run(Duration::from_millis(20));
    assert_eq!((scripted.way("10.8.0.0/24"), scripted.told(CE, "10.8.0.0/24")), (None, None));
}

#[test]
fn uplinks_are_offered_no_restart_and_keep_nothing() {
    let mut scripted = Scripted::new(config());
    let offers = |number: usize| scripted.peer(number).open.clone().unwrap().graceful_restart;
    for number in [REFLECTOR, CE, OTHER_CE] {
        assert_eq!(offers(number), Some(GracefulRestart::HELPER));
    }
    assert_eq!(offers(SITE), None);
    let mut honest = config();
    let NeighbourKind::Site(filter) = &mut honest.neighbours[SITE].kind else { panic!("a site") };
    let key = elsewhere("10.5.0.0/24");
    filter.accept.push(bgp::Accept { key, targets: vec![target(7)] });
    scripted.set_config(&honest);
    scripted.lose(SITE);
    scripted.connect(SITE, &open_that_restarts(SITE, TIME));
    let mut attributes = heard_from(SITE, &[]);
    attributes.extended_communities = vec![target(7).0];
    let mut bytes = Vec::new();
    let family = Family::VpnIpv4;
    let mut writer =
        Writer::announce(family, &attributes, address(SITE), true, &mut bytes).unwrap();
    writer.push_vpn(&bgp::nlri::VpnNlri { key, label: base::Label::new(500) });
    writer.finish();
    scripted.send(SITE, &bytes);
    assert!(scripted.way("10.5.0.0/24").is_some());
    scripted.lose(SITE);
    scripted.assert_forgotten("10.5.0.0/24");
}

#[test]
fn a_refresh_after_the_return_is_answered_in_full() {
    let mut scripted = lost(&[P]);
    back(&mut scripted, &open_that_restarts(CE, TIME));
    assert_eq!(scripted.told_prefixes(CE), ["10.7.0.0/24".to_owned()].into());
    assert_eq!(scripted.peer(CE).ends, FamilySet::UNICAST);
    let mut bytes = Vec::new();
    message::encode_refresh(Family::Ipv4Unicast, &mut bytes);
    scripted.send(CE, &bytes);
    assert_eq!(scripted.peer(CE).announcements, 2);
}
