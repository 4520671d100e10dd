//! `rustbgpd-wire`, a codec written for a daemon.

use core::net::{IpAddr, Ipv4Addr};

use base::{AsNumber, Label, Prefix, RouteDistinguisher, RouterId};
use bgp::graceful_restart::GracefulRestart;
use bgp::message::HEADER_LEN;
use bgp::nlri::{Membership, VpnNlri};
use bgp::open::{self, Open};
use bgp::route::{AsSegment, Family, FamilySet, Origin, PathAttributes, VpnPrefix};
use bgp::update::{Writer, encode_end_of_rib};
use proptest::collection::vec;
use proptest::prelude::*;
use rustbgpd_wire as oracle;

use crate::wire::{
    attributes, decode, internal, memberships, update_bodies, vpn_routes, vpnv4, vpnv6,
};

const NEXT_HOP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 255, 0, 1));

/// What the oracle reads in the body of an UPDATE message.
fn oracle_attributes(body: &[u8]) -> Vec<oracle::PathAttribute> {
    let mut rest = body;
    let update = oracle::UpdateMessage::decode(&mut rest, body.len()).expect("a sound message");
    let parsed = update.parse_revised(true, true, false, &[]).expect("no reset");
    assert_eq!(parsed.malformed, [], "no fault");
    parsed.update.attributes
}

fn key_of(nlri: &oracle::VpnNlri) -> VpnPrefix {
    let (addr, len) = match nlri.prefix {
        oracle::VpnPrefix::V4 { addr, len } => (IpAddr::V4(addr), len),
        oracle::VpnPrefix::V6 { addr, len } => (IpAddr::V6(addr), len),
    };
    VpnPrefix {
        rd: RouteDistinguisher(nlri.route_distinguisher.0),
        prefix: Prefix::new(addr, len).expect("a prefix"),
    }
}

fn route_of(entry: &oracle::VpnNlriEntry) -> VpnNlri {
    let label = entry.nlri.labels.first().and_then(|label| Label::new(label.label));
    assert!(entry.nlri.labels.iter().all(|label| label.bottom_of_stack));
    VpnNlri { key: key_of(&entry.nlri), label }
}

fn entry_of(nlri: &VpnNlri) -> oracle::VpnNlriEntry {
    let prefix = match nlri.key.prefix {
        Prefix::V4(prefix) => oracle::VpnPrefix::v4(prefix.addr(), prefix.len()),
        Prefix::V6(prefix) => oracle::VpnPrefix::v6(prefix.addr(), prefix.len()),
    };
    let label = nlri.label.expect("a label").value();
    oracle::VpnNlriEntry {
        path_id: 0,
        nlri: oracle::VpnNlri {
            labels: vec![oracle::MplsLabelEntry::try_new(label, 0, true).expect("20 bits")],
            route_distinguisher: oracle::RouteDistinguisher::new(nlri.key.rd.0),
            prefix: prefix.expect("a prefix"),
        },
    }
}

fn path_of(path: &oracle::AsPath) -> Vec<AsSegment> {
    let numbers = |numbers: &[u32]| numbers.iter().copied().map(AsNumber).collect();
    path.segments
        .iter()
        .map(|segment| match segment {
            oracle::AsPathSegment::AsSet(set) => AsSegment::Set(numbers(set)),
            oracle::AsPathSegment::AsSequence(sequence) => AsSegment::Sequence(numbers(sequence)),
        })
        .collect()
}

/// The oracle's attributes in this crate's words; those that carry routes are left out.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the oracle's enum, of which a part is compared"
)]
fn attributes_of(read: &[oracle::PathAttribute]) -> PathAttributes {
    let mut out = PathAttributes::originated();
    for attribute in read {
        match attribute {
            oracle::PathAttribute::Origin(oracle::Origin::Igp) => out.origin = Origin::Igp,
            oracle::PathAttribute::Origin(oracle::Origin::Egp) => out.origin = Origin::Egp,
            oracle::PathAttribute::Origin(oracle::Origin::Incomplete) => {
                out.origin = Origin::Incomplete;
            }
            oracle::PathAttribute::AsPath(path) => out.as_path = path_of(path),
            oracle::PathAttribute::Med(med) => out.med = Some(*med),
            oracle::PathAttribute::LocalPref(preference) => out.local_pref = Some(*preference),
            oracle::PathAttribute::AtomicAggregate => out.atomic_aggregate = true,
            oracle::PathAttribute::Aggregator(aggregator) => {
                out.aggregator = Some((AsNumber(aggregator.asn), aggregator.router_id));
            }
            oracle::PathAttribute::Communities(values) => out.communities.clone_from(values),
            oracle::PathAttribute::ExtendedCommunities(values) => {
                out.extended_communities =
                    values.iter().map(|value| value.as_u64().to_be_bytes()).collect();
            }
            oracle::PathAttribute::LargeCommunities(values) => {
                out.large_communities = values
                    .iter()
                    .map(|value| [value.global_admin, value.local_data1, value.local_data2])
                    .collect();
            }
            oracle::PathAttribute::OriginatorId(id) => out.originator_id = Some(RouterId(*id)),
            oracle::PathAttribute::ClusterList(ids) => {
                out.cluster_list = ids.iter().copied().map(RouterId).collect();
            }
            oracle::PathAttribute::Unknown(raw) => {
                out.unknown.push(bgp::route::UnknownAttribute {
                    flags: raw.flags,
                    code: raw.type_code,
                    value: raw.data.to_vec(),
                });
            }
            _ => {}
        }
    }
    out
}

fn reach_of(read: &[oracle::PathAttribute]) -> Option<&oracle::MpReachNlri> {
    read.iter().find_map(|attribute| {
        if let oracle::PathAttribute::MpReachNlri(reach) = attribute {
            Some(&**reach)
        } else {
            None
        }
    })
}

fn unreach_of(read: &[oracle::PathAttribute]) -> Option<&oracle::MpUnreachNlri> {
    read.iter().find_map(|attribute| {
        if let oracle::PathAttribute::MpUnreachNlri(unreach) = attribute {
            Some(&**unreach)
        } else {
            None
        }
    })
}

/// Attributes without AS_SET, which the oracle refuses as RFC 9774 asks.
fn without_sets() -> impl Strategy<Value = PathAttributes> {
    attributes().prop_map(|mut attributes| {
        attributes.as_path.retain(|segment| matches!(segment, AsSegment::Sequence(_)));
        attributes
    })
}

fn oracle_reads_what_is_written(
    family: Family,
    attributes: &PathAttributes,
    routes: &[VpnNlri],
) -> Result<(), TestCaseError> {
    let mut stream = Vec::new();
    let mut writer = Writer::announce(family, attributes, NEXT_HOP, true, &mut stream)
        .expect("room for a route");
    routes.iter().for_each(|route| writer.push_vpn(route));
    writer.finish();
    let mut announced = Vec::new();
    for body in update_bodies(&stream) {
        let read = oracle_attributes(body);
        prop_assert_eq!(&attributes_of(&read), attributes);
        let reach = reach_of(&read).expect("routes");
        prop_assert_eq!(reach.next_hop.to_canonical(), NEXT_HOP);
        announced.extend(reach.vpn_announced.iter().map(route_of));
    }
    prop_assert_eq!(announced, routes);

    stream.clear();
    let mut writer = Writer::withdraw(family, &mut stream);
    routes.iter().for_each(|route| writer.push_vpn(route));
    writer.finish();
    let mut withdrawn = Vec::new();
    for body in update_bodies(&stream) {
        let read = oracle_attributes(body);
        let unreach = unreach_of(&read).expect("routes");
        withdrawn.extend(unreach.vpn_withdrawn.iter().map(|entry| key_of(&entry.nlri)));
    }
    let keys: Vec<_> = routes.iter().map(|route| route.key).collect();
    prop_assert_eq!(withdrawn, keys);
    Ok(())
}

fn writing_of_the_oracle_is_read(family: Family, routes: &[VpnNlri]) -> Result<(), TestCaseError> {
    let (afi, next_hop) = if family == Family::VpnIpv6 {
        (oracle::Afi::Ipv6, IpAddr::V6(Ipv4Addr::new(10, 255, 0, 1).to_ipv6_mapped()))
    } else {
        (oracle::Afi::Ipv4, NEXT_HOP)
    };
    let reach = oracle::MpReachNlri {
        afi,
        safi: oracle::Safi::MplsVpn,
        next_hop,
        link_local_next_hop: None,
        announced: Vec::new(),
        flowspec_announced: Vec::new(),
        evpn_announced: Vec::new(),
        bgpls_announced: Vec::new(),
        vpn_announced: routes.iter().map(entry_of).collect(),
        labeled_announced: Vec::new(),
        rtc_announced: Vec::new(),
    };
    let unreach = oracle::MpUnreachNlri {
        afi,
        safi: oracle::Safi::MplsVpn,
        withdrawn: Vec::new(),
        flowspec_withdrawn: Vec::new(),
        evpn_withdrawn: Vec::new(),
        bgpls_withdrawn: Vec::new(),
        vpn_withdrawn: routes.iter().map(entry_of).collect(),
        labeled_withdrawn: Vec::new(),
        rtc_withdrawn: Vec::new(),
    };
    let written = [
        oracle::PathAttribute::Origin(oracle::Origin::Incomplete),
        oracle::PathAttribute::AsPath(oracle::AsPath {
            segments: vec![oracle::AsPathSegment::AsSequence(vec![65001, 4_200_000_001])],
        }),
        oracle::PathAttribute::LocalPref(100),
        oracle::PathAttribute::MpReachNlri(Box::new(reach)),
        oracle::PathAttribute::MpUnreachNlri(Box::new(unreach)),
    ];
    let mode = oracle::Ipv4UnicastMode::MpReach;
    let message = oracle::UpdateMessage::build(&[], &[], &written, true, false, mode);
    let mut stream = Vec::new();
    message.encode_with_limit(&mut stream, u16::MAX).expect("room");
    let update = decode(stream.get(HEADER_LEN..).unwrap_or_default(), &internal());
    prop_assert_eq!(update.attributes.as_ref(), Some(&attributes_of(&written)));
    let reach = update.announced().next().expect("routes");
    prop_assert_eq!((reach.next_hop, reach.nlri.family), (NEXT_HOP, family));
    prop_assert_eq!(&vpn_routes(reach.nlri), routes);
    let keys: Vec<_> = routes.iter().map(|route| route.key).collect();
    let withdrawn = vpn_routes(update.withdrawn().next().expect("routes"));
    prop_assert_eq!(withdrawn.iter().map(|route| route.key).collect::<Vec<_>>(), keys);
    Ok(())
}

proptest! {
    #[test]
    fn vpnv4_is_understood_both_ways(
        attributes in without_sets(),
        routes in vec(vpnv4(), 1..120),
    ) {
        oracle_reads_what_is_written(Family::VpnIpv4, &attributes, &routes)?;
        writing_of_the_oracle_is_read(Family::VpnIpv4, &routes)?;
    }

    #[test]
    fn vpnv6_is_understood_both_ways(
        attributes in without_sets(),
        routes in vec(vpnv6(), 1..100),
    ) {
        oracle_reads_what_is_written(Family::VpnIpv6, &attributes, &routes)?;
        writing_of_the_oracle_is_read(Family::VpnIpv6, &routes)?;
    }

    #[test]
    fn memberships_are_understood_both_ways(
        origin_as in 1..=u32::MAX,
        target in any::<[u8; 8]>(),
        len in 32..=96_u8,
    ) {
        let ours = Membership::with_prefix(AsNumber(origin_as), target, len).unwrap();
        let theirs =
            oracle::RtcNlri::new(origin_as, u64::from_be_bytes(target), len).unwrap();
        let mut stream = Vec::new();
        let family = Family::RouteTargetConstrain;
        let attributes = PathAttributes::originated();
        let mut writer =
            Writer::announce(family, &attributes, NEXT_HOP, true, &mut stream).unwrap();
        writer.push_membership(ours);
        writer.push_membership(Membership::DEFAULT);
        writer.finish();
        let bodies = update_bodies(&stream);
        let read = oracle_attributes(bodies[0]);
        let reach = reach_of(&read).unwrap();
        prop_assert_eq!(&reach.rtc_announced, &[theirs, oracle::RtcNlri::DEFAULT]);
        let update = decode(bodies[0], &internal());
        let own = memberships(update.announced().next().unwrap().nlri);
        prop_assert_eq!(own, [ours, Membership::DEFAULT]);
    }
}

#[test]
fn open_is_understood_both_ways() {
    let open = Open {
        local_as: AsNumber(4_200_000_001),
        hold_time: 90,
        router_id: RouterId(Ipv4Addr::new(10, 0, 0, 1)),
        families: Family::ALL.into_iter().collect(),
        route_refresh: true,
        four_octet_as: true,
        graceful_restart: Some(GracefulRestart {
            restarting: true,
            time: 120,
            families: Family::ALL.into_iter().collect(),
            preserved: FamilySet::EMPTY.with(Family::VpnIpv6),
        }),
        other_capabilities: Vec::new(),
    };
    let mut stream = Vec::new();
    open.encode(&mut stream);
    let mut body = &stream[HEADER_LEN..];
    let len = body.len();
    let theirs = oracle::OpenMessage::decode(&mut body, len).unwrap();
    assert_eq!((theirs.my_as, theirs.hold_time), (23456, 90));
    assert_eq!(theirs.bgp_identifier, open.router_id.0);
    assert!(theirs.capabilities.contains(&oracle::Capability::FourOctetAs { asn: 4_200_000_001 }));
    assert_eq!(theirs.capabilities.len(), 8);
    let mut back = Vec::new();
    theirs.encode(&mut back).unwrap();
    assert_eq!(open::decode(&back[HEADER_LEN..]), Ok(open));
}

#[test]
fn end_of_rib_is_understood() {
    for family in Family::ALL {
        let mut stream = Vec::new();
        encode_end_of_rib(family, &mut stream);
        let bodies = update_bodies(&stream);
        let read = oracle_attributes(bodies[0]);
        assert_eq!(unreach_of(&read).is_some(), family != Family::Ipv4Unicast);
        assert_eq!(decode(bodies[0], &internal()).end_of_rib(), Some(family));
    }
}
