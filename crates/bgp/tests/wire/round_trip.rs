//! What is written is read back the same, for any attributes and any number of routes.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::{BTreeMap, BTreeSet};

use base::{
    AsNumber, Ipv4Prefix, Ipv6Prefix, Label, Prefix, RouteDistinguisher, RouteTarget, RouterId,
};
use bgp::error::{EncodeError, Verdict};
use bgp::graceful_restart::GracefulRestart;
use bgp::message::MESSAGE_MAX;
use bgp::nlri::{Membership, Routes, VpnNlri};
use bgp::notification::{CeaseSubcode, ErrorCode, Notification};
use bgp::open::{self, Open};
use bgp::route::{
    AsSegment, Family, FamilySet, Origin, PathAttributes, UnknownAttribute, VpnPrefix,
};
use bgp::update::{Update, Writer};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;

use super::{decode, internal, memberships, update_bodies, vpn_routes};

fn as_number() -> impl Strategy<Value = AsNumber> {
    (1..=u32::MAX).prop_map(AsNumber)
}

fn graceful_restart() -> impl Strategy<Value = GracefulRestart> {
    let families = || vec(proptest::sample::select(Family::ALL.to_vec()), 0..4);
    (any::<bool>(), 0..4096_u16, families(), families()).prop_map(
        |(restarting, time, families, preserved)| {
            let families: FamilySet = families.into_iter().collect();
            let preserved = preserved.into_iter().collect::<FamilySet>().intersection(families);
            GracefulRestart { restarting, time, families, preserved }
        },
    )
}

fn segment() -> impl Strategy<Value = AsSegment> {
    let numbers = || vec(as_number(), 1..6);
    prop_oneof![numbers().prop_map(AsSegment::Sequence), numbers().prop_map(AsSegment::Set),]
}

fn unknown(attributes: BTreeMap<u8, Vec<u8>>) -> Vec<UnknownAttribute> {
    // Optional, transitive, partial: passed on by a speaker that does not know it.
    let flags = |value: &[u8]| if value.len() > 255 { 0xf0 } else { 0xe0 };
    attributes
        .into_iter()
        .map(|(code, value)| UnknownAttribute { flags: flags(&value), code, value })
        .collect()
}

fn sorted<T: Ord>(set: BTreeSet<T>) -> Vec<T> {
    set.into_iter().collect()
}

/// Attributes that the decoder does not have to put in order first.
pub(crate) fn attributes() -> impl Strategy<Value = PathAttributes> {
    let origin = prop_oneof![Just(Origin::Igp), Just(Origin::Egp), Just(Origin::Incomplete)];
    let router_id = || any::<u32>().prop_map(|bits| RouterId(Ipv4Addr::from_bits(bits)));
    let numbers = (option::of(any::<u32>()), option::of(any::<u32>()), any::<bool>());
    let aggregator = option::of((as_number(), any::<u32>().prop_map(Ipv4Addr::from_bits)));
    let communities = (
        btree_set(any::<u32>(), 0..5),
        btree_set(any::<[u8; 8]>(), 0..5),
        btree_set(any::<[u32; 3]>(), 0..5),
    );
    let reflection = (option::of(router_id()), vec(router_id(), 0..4));
    let others = btree_map(200..=250_u8, vec(any::<u8>(), 0..300), 0..3);
    (origin, vec(segment(), 0..4), numbers, aggregator, communities, reflection, others).prop_map(
        |(origin, as_path, numbers, aggregator, communities, reflection, others)| PathAttributes {
            origin,
            as_path,
            med: numbers.0,
            local_pref: numbers.1,
            atomic_aggregate: numbers.2,
            aggregator,
            communities: sorted(communities.0),
            extended_communities: sorted(communities.1),
            large_communities: sorted(communities.2),
            originator_id: reflection.0,
            cluster_list: reflection.1,
            unknown: unknown(others),
        },
    )
}

fn ipv4_prefix() -> impl Strategy<Value = Prefix> {
    (any::<u32>(), 0..=32_u8).prop_map(|(addr, len)| {
        Prefix::V4(Ipv4Prefix::new(Ipv4Addr::from_bits(addr), len).expect("at most 32 bits"))
    })
}

fn ipv6_prefix() -> impl Strategy<Value = Prefix> {
    (any::<u128>(), 0..=128_u8).prop_map(|(addr, len)| {
        Prefix::V6(Ipv6Prefix::new(Ipv6Addr::from_bits(addr), len).expect("at most 128 bits"))
    })
}

fn vpn(prefix: impl Strategy<Value = Prefix>) -> impl Strategy<Value = VpnNlri> {
    (any::<[u8; 8]>(), prefix, 0..=Label::MAX.value()).prop_map(|(rd, prefix, label)| VpnNlri {
        key: VpnPrefix { rd: RouteDistinguisher(rd), prefix },
        label: Label::new(label),
    })
}

/// Labelled VPNv4 routes.
pub(crate) fn vpnv4() -> impl Strategy<Value = VpnNlri> {
    vpn(ipv4_prefix())
}

/// Labelled VPNv6 routes.
pub(crate) fn vpnv6() -> impl Strategy<Value = VpnNlri> {
    vpn(ipv6_prefix())
}

/// Memberships of every length that there is.
pub(crate) fn membership() -> impl Strategy<Value = Membership> {
    let len = prop_oneof![Just(0_u8), 32..=96_u8];
    (as_number(), any::<[u8; 8]>(), len).prop_map(|(origin_as, target, len)| {
        Membership::with_prefix(origin_as, target, len).expect("a length that is allowed")
    })
}

const NEXT_HOP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 255, 0, 1));

/// Checks what the messages of one writer have in common, and hands each over.
fn each_update(stream: &[u8], mut visit: impl FnMut(Update<'_>)) {
    for body in update_bodies(stream) {
        assert!(body.len() + 19 <= MESSAGE_MAX);
        let update = decode(body, &internal());
        assert_eq!(update.verdict, Verdict::Accept);
        visit(update);
    }
}

fn announced_vpn(family: Family, attributes: &PathAttributes, routes: &[VpnNlri]) -> Vec<VpnNlri> {
    let mut stream = Vec::new();
    let mut writer = Writer::announce(family, attributes, NEXT_HOP, true, &mut stream)
        .expect("room for a route");
    routes.iter().for_each(|route| writer.push_vpn(route));
    writer.finish();
    let mut read = Vec::new();
    each_update(&stream, |update| {
        assert_eq!(update.attributes.as_ref(), Some(attributes));
        for reach in update.announced() {
            assert_eq!((reach.next_hop, reach.nlri.family), (NEXT_HOP, family));
            read.extend(vpn_routes(reach.nlri));
        }
    });
    read
}

fn withdrawn_vpn(family: Family, routes: &[VpnNlri]) -> Vec<VpnPrefix> {
    let mut stream = Vec::new();
    let mut writer = Writer::withdraw(family, &mut stream);
    routes.iter().for_each(|route| writer.push_vpn(route));
    writer.finish();
    let mut read = Vec::new();
    each_update(&stream, |update| {
        assert_eq!(update.attributes, None);
        for nlri in update.withdrawn() {
            read.extend(vpn_routes(nlri).iter().map(|route| route.key));
        }
    });
    read
}

fn keys(routes: &[VpnNlri]) -> Vec<VpnPrefix> {
    routes.iter().map(|route| route.key).collect()
}

proptest! {
    #[test]
    fn vpnv4_routes_come_back(attributes in attributes(), routes in vec(vpnv4(), 1..600)) {
        prop_assert_eq!(&announced_vpn(Family::VpnIpv4, &attributes, &routes), &routes);
        prop_assert_eq!(withdrawn_vpn(Family::VpnIpv4, &routes), keys(&routes));
    }

    #[test]
    fn vpnv6_routes_come_back(attributes in attributes(), routes in vec(vpnv6(), 1..400)) {
        prop_assert_eq!(&announced_vpn(Family::VpnIpv6, &attributes, &routes), &routes);
        prop_assert_eq!(withdrawn_vpn(Family::VpnIpv6, &routes), keys(&routes));
    }

    #[test]
    fn unicast_routes_come_back(
        attributes in attributes(),
        v4 in vec(ipv4_prefix(), 1..900),
        v6 in vec(ipv6_prefix(), 1..300),
    ) {
        for (family, routes) in [(Family::Ipv4Unicast, v4), (Family::Ipv6Unicast, v6)] {
            let mut stream = Vec::new();
            let mut writer =
                Writer::announce(family, &attributes, NEXT_HOP, true, &mut stream).unwrap();
            routes.iter().for_each(|&route| writer.push_prefix(route));
            writer.finish();
            let mut writer = Writer::withdraw(family, &mut stream);
            routes.iter().for_each(|&route| writer.push_prefix(route));
            writer.finish();
            let (mut announced, mut withdrawn) = (Vec::new(), Vec::new());
            each_update(&stream, |update| {
                for reach in update.announced() {
                    assert_eq!(reach.next_hop, NEXT_HOP);
                    let Routes::Unicast(routes) = reach.nlri.routes() else { panic!("unicast") };
                    announced.extend(routes.map(Result::unwrap));
                }
                for nlri in update.withdrawn() {
                    let Routes::Unicast(routes) = nlri.routes() else { panic!("unicast") };
                    withdrawn.extend(routes.map(Result::unwrap));
                }
            });
            prop_assert_eq!(&announced, &routes);
            prop_assert_eq!(&withdrawn, &routes);
        }
    }

    #[test]
    fn memberships_come_back(routes in vec(membership(), 1..700)) {
        let family = Family::RouteTargetConstrain;
        let attributes = PathAttributes::originated();
        let mut stream = Vec::new();
        let mut writer =
            Writer::announce(family, &attributes, NEXT_HOP, true, &mut stream).unwrap();
        routes.iter().for_each(|&route| writer.push_membership(route));
        writer.finish();
        let mut writer = Writer::withdraw(family, &mut stream);
        routes.iter().for_each(|&route| writer.push_membership(route));
        writer.finish();
        let (mut announced, mut withdrawn) = (Vec::new(), Vec::new());
        each_update(&stream, |update| {
            update.announced().for_each(|reach| announced.extend(memberships(reach.nlri)));
            update.withdrawn().for_each(|nlri| withdrawn.extend(memberships(nlri)));
        });
        prop_assert_eq!(&announced, &routes);
        prop_assert_eq!(&withdrawn, &routes);
    }

    #[test]
    fn open_comes_back(
        local_as in as_number(),
        hold_time in prop_oneof![Just(0), 3..=u16::MAX],
        id in 1..=u32::MAX,
        families in vec(proptest::sample::select(Family::ALL.to_vec()), 1..6),
        route_refresh in any::<bool>(),
        restart in option::of(graceful_restart()),
    ) {
        let open = Open {
            local_as,
            hold_time,
            router_id: RouterId(Ipv4Addr::from_bits(id)),
            families: families.into_iter().collect(),
            route_refresh,
            four_octet_as: true,
            graceful_restart: restart,
            other_capabilities: Vec::new(),
        };
        let mut out = Vec::new();
        open.encode(&mut out);
        prop_assert_eq!(open::decode(&out[19..]), Ok(open));
    }

    #[test]
    fn notification_comes_back(code: u8, subcode: u8, data in vec(any::<u8>(), 0..200)) {
        let notification = Notification::with_data(ErrorCode::from_octets(code, subcode), &data);
        let mut out = Vec::new();
        notification.encode(&mut out);
        prop_assert_eq!(&Notification::decode(&out[19..]), &notification);
        prop_assert_eq!(notification.error.octets(), [code, subcode]);
    }

    #[test]
    fn membership_covers_the_targets_that_begin_alike(
        target in any::<[u8; 8]>(),
        other in any::<[u8; 8]>(),
        len in 32..=96_u8,
    ) {
        let membership = Membership::with_prefix(AsNumber(65000), target, len).unwrap();
        let bits = u32::from(len) - 32;
        let alike = (u64::from_be_bytes(target) ^ u64::from_be_bytes(other)).leading_zeros() >= bits;
        prop_assert_eq!(membership.covers(RouteTarget(other)), alike);
        prop_assert!(membership.covers(RouteTarget(target)));
        prop_assert!(Membership::DEFAULT.covers(RouteTarget(other)));
    }
}

#[test]
fn two_hundred_routes_and_more_share_a_message() {
    let routes: Vec<_> = (0..1000_u32)
        .map(|index| VpnNlri {
            key: VpnPrefix {
                rd: RouteDistinguisher::with_as(65000, 1),
                prefix: Prefix::new(IpAddr::V4(Ipv4Addr::from_bits(index << 8)), 24).unwrap(),
            },
            label: Label::new(16 + index),
        })
        .collect();
    let mut stream = Vec::new();
    let attributes = PathAttributes::originated();
    let mut writer =
        Writer::announce(Family::VpnIpv4, &attributes, NEXT_HOP, true, &mut stream).unwrap();
    routes.iter().for_each(|route| writer.push_vpn(route));
    writer.finish();
    assert_eq!(update_bodies(&stream).len(), 4);
    assert_eq!(announced_vpn(Family::VpnIpv4, &attributes, &routes), routes);
}

#[test]
fn writer_without_routes_writes_nothing() {
    let mut stream = Vec::new();
    Writer::withdraw(Family::VpnIpv4, &mut stream).finish();
    let attributes = PathAttributes::originated();
    Writer::announce(Family::VpnIpv6, &attributes, NEXT_HOP, true, &mut stream).unwrap().finish();
    assert!(stream.is_empty());
}

#[test]
fn long_path_is_cut_into_segments_of_255() {
    let numbers: Vec<_> = (1..=300).map(AsNumber).collect();
    let attributes = PathAttributes {
        as_path: vec![AsSegment::Sequence(numbers.clone())],
        ..PathAttributes::originated()
    };
    let mut stream = Vec::new();
    let mut writer =
        Writer::announce(Family::Ipv4Unicast, &attributes, NEXT_HOP, true, &mut stream).unwrap();
    writer.push_prefix(Prefix::V4("10.0.0.0/8".parse().unwrap()));
    writer.finish();
    each_update(&stream, |update| {
        let path = update.attributes.unwrap().as_path;
        let (first, second) = numbers.split_at(255);
        let cut = [first, second].map(|part| AsSegment::Sequence(part.to_vec()));
        assert_eq!(path, cut);
    });
}

#[test]
fn attributes_without_room_for_a_route_are_refused() {
    let attributes = PathAttributes {
        extended_communities: (0..510_u64).map(u64::to_be_bytes).collect(),
        ..PathAttributes::originated()
    };
    let mut stream = Vec::new();
    for family in Family::ALL {
        let refused = Writer::announce(family, &attributes, NEXT_HOP, true, &mut stream);
        assert_eq!(refused.map(drop).unwrap_err(), EncodeError::AttributesTooLong);
    }
    assert!(stream.is_empty());
}

#[test]
fn ipv6_next_hop_of_ipv4_routes_is_refused() {
    let next_hop = IpAddr::V6("2001:db8::1".parse().unwrap());
    let attributes = PathAttributes::originated();
    for family in [Family::Ipv4Unicast, Family::VpnIpv4] {
        let mut stream = Vec::new();
        let refused = Writer::announce(family, &attributes, next_hop, true, &mut stream);
        assert_eq!(refused.map(drop).unwrap_err(), EncodeError::NextHopFamily);
    }
}

#[test]
fn unordered_communities_are_put_in_order() {
    let shuffled = PathAttributes {
        communities: vec![3, 1, 3, 2],
        extended_communities: vec![[2; 8], [1; 8], [2; 8]],
        large_communities: vec![[2, 0, 0], [1, 0, 0], [1, 0, 0]],
        ..PathAttributes::originated()
    };
    let mut stream = Vec::new();
    let mut writer =
        Writer::announce(Family::Ipv4Unicast, &shuffled, NEXT_HOP, true, &mut stream).unwrap();
    writer.push_prefix(Prefix::V4("10.0.0.0/8".parse().unwrap()));
    writer.finish();
    each_update(&stream, |update| {
        let attributes = update.attributes.unwrap();
        assert_eq!(attributes.communities, [1, 2, 3]);
        assert_eq!(attributes.extended_communities, [[1; 8], [2; 8]]);
        assert_eq!(attributes.large_communities, [[1, 0, 0], [2, 0, 0]]);
    });
}

#[test]
fn two_octet_peer_gets_as_trans() {
    let attributes = PathAttributes {
        as_path: vec![AsSegment::Sequence(vec![AsNumber(4_200_000_001), AsNumber(65001)])],
        aggregator: Some((AsNumber(4_200_000_001), Ipv4Addr::new(10, 0, 0, 1))),
        ..PathAttributes::originated()
    };
    let mut stream = Vec::new();
    let mut writer =
        Writer::announce(Family::Ipv4Unicast, &attributes, NEXT_HOP, false, &mut stream).unwrap();
    writer.push_prefix(Prefix::V4("10.0.0.0/8".parse().unwrap()));
    writer.finish();
    let context = bgp::update::Context { four_octet_as: false, ..internal() };
    let bodies = update_bodies(&stream);
    let read = decode(bodies[0], &context).attributes.unwrap();
    let trans = AsNumber(23456);
    assert_eq!(read.as_path, [AsSegment::Sequence(vec![trans, AsNumber(65001)])]);
    assert_eq!(read.aggregator, Some((trans, Ipv4Addr::new(10, 0, 0, 1))));
}

#[test]
fn shutdown_text_comes_back_and_is_cut_between_characters() {
    let said = Notification::cease_with_text(CeaseSubcode::AdministrativeShutdown, "maintenance");
    assert_eq!(said.shutdown_text(), Some("maintenance"));
    let long = "é".repeat(200);
    let said = Notification::cease_with_text(CeaseSubcode::AdministrativeReset, &long);
    assert_eq!(said.shutdown_text().map(str::len), Some(254));
    assert_eq!(Notification::cease(CeaseSubcode::AdministrativeShutdown).shutdown_text(), None);
}
