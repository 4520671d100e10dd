//! What a site may not say is refused, with its reason, and takes the place of what it said before.

use std::net::{IpAddr, Ipv4Addr};

use base::Duration;
use bgp::Output;
use bgp::policy::RejectReason;
use bgp::route::{AsSegment, PathAttributes, VpnPrefix};
use bgp::views::PathState;

use super::network::id;
use super::region::{REGION, rd, target};
use super::rogue::{PEER, Rogue, SITE_AS, config, filter, honest, key};

/// Announces an honest route and then this in its place: the honest one must be gone.
fn refused(key: VpnPrefix, attributes: &PathAttributes, next_hop: IpAddr, reason: RejectReason) {
    let mut rogue = Rogue::new(config(filter()));
    rogue.announce(&[super::rogue::key(0)], &honest(), PEER, 100);
    assert_eq!(rogue.accepted(), 1);
    rogue.announce(&[key], attributes, next_hop, 100);
    assert_eq!(rogue.rejected(reason), 1, "{reason}");
    let expected = usize::from(key != super::rogue::key(0));
    assert_eq!(rogue.accepted(), expected, "{reason}");
    assert!(rogue.is_up());
    let told = rogue
        .outputs
        .iter()
        .any(|output| matches!(output, Output::Rejected { reason: told, .. } if *told == reason));
    assert!(told);
}

#[test]
fn a_foreign_prefix_and_a_foreign_route_distinguisher_are_refused() {
    let reason = RejectReason::PrefixNotOfSite;
    refused(key(10), &honest(), PEER, reason);
    refused(VpnPrefix { rd: rd(1, 0, 1), ..key(0) }, &honest(), PEER, reason);
    let longer = VpnPrefix { prefix: "10.0.0.0/25".parse().unwrap(), ..key(0) };
    refused(longer, &honest(), PEER, reason);
}

#[test]
fn a_foreign_target_is_refused_even_beside_an_allowed_one() {
    let mut attributes = honest();
    attributes.extended_communities = vec![target(7).0, target(8).0];
    refused(key(0), &attributes, PEER, RejectReason::TargetNotAllowed);
    attributes.extended_communities.clear();
    refused(key(0), &attributes, PEER, RejectReason::NoTarget);
}

#[test]
fn a_forged_next_hop_is_refused() {
    let other = IpAddr::V4(Ipv4Addr::new(10, 255, 0, 9));
    refused(key(0), &honest(), other, RejectReason::NextHopNotPeer);
    let own = IpAddr::V4(Ipv4Addr::new(10, 255, 0, 1));
    refused(key(0), &honest(), own, RejectReason::NextHopSelf);
}

#[test]
fn a_path_with_the_own_as_or_without_the_sites_is_refused() {
    let mut attributes = honest();
    attributes.as_path = vec![AsSegment::Sequence(vec![SITE_AS, REGION])];
    refused(key(0), &attributes, PEER, RejectReason::AsLoop);
    attributes.as_path = vec![AsSegment::Sequence(vec![base::AsNumber(1), SITE_AS])];
    refused(key(0), &attributes, PEER, RejectReason::FirstAs);
}

#[test]
fn a_reserved_label_is_refused_and_explicit_null_is_not() {
    let mut rogue = Rogue::new(config(filter()));
    rogue.announce(&[key(0)], &honest(), PEER, 0);
    rogue.announce(&[key(1)], &honest(), PEER, 1);
    assert_eq!(rogue.accepted(), 1);
    assert_eq!(rogue.rejected(RejectReason::ReservedLabel), 1);
}

#[test]
fn a_refused_route_is_shown_with_its_reason_and_never_used() {
    let mut rogue = Rogue::new(config(filter()));
    rogue.announce(&[key(10)], &honest(), PEER, 100);
    let view = rogue.core.route(key(10)).unwrap();
    assert_eq!(view.paths[0].1, PathState::Refused(RejectReason::PrefixNotOfSite));
    assert_eq!(rogue.core.labels().count(), 0);
}

#[test]
fn people_are_told_of_a_reason_once_in_a_while_and_it_is_counted_every_time() {
    let mut rogue = Rogue::new(config(filter()));
    for _ in 0..3 {
        rogue.announce(&[key(10)], &honest(), PEER, 100);
        rogue.announce(&[key(11)], &honest(), PEER, 100);
    }
    let told =
        rogue.outputs.iter().filter(|output| matches!(output, Output::Rejected { .. })).count();
    assert_eq!((told, rogue.rejected(RejectReason::PrefixNotOfSite)), (1, 6));
}

#[test]
fn a_malformed_update_withdraws_its_routes_and_keeps_the_session() {
    let mut rogue = Rogue::new(config(filter()));
    rogue.announce(&[key(0)], &honest(), PEER, 100);
    let mut bytes = Vec::new();
    let mut writer = bgp::update::Writer::announce(
        bgp::route::Family::VpnIpv4,
        &honest(),
        PEER,
        true,
        &mut bytes,
    )
    .unwrap();
    writer.push_vpn(&bgp::nlri::VpnNlri { key: key(0), label: base::Label::new(100) });
    writer.finish();
    // ORIGIN (flags 0x40, code 1, length 1) with a value that does not exist.
    let origin = bytes.windows(3).position(|window| window == [0x40, 1, 1]).unwrap();
    bytes[origin + 3] = 9;
    let now = rogue.now;
    rogue.core.handle_bytes(now, id(0), &bytes);
    rogue.run(Duration::from_millis(10));
    assert_eq!((rogue.accepted(), rogue.rejected(RejectReason::Malformed)), (0, 1));
    assert!(rogue.is_up());
}
