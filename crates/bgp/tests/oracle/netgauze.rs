//! `netgauze-bgp-pkt`, a codec written for monitoring.
//!
//! Each message goes there and back: this crate writes it, the oracle's reading is compared field by
//! field with what was meant, and what the oracle then writes from its reading is read again here.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::{AsNumber, Ipv4Prefix, Ipv6Prefix, Label, Prefix, RouteDistinguisher, RouterId};
use bgp::graceful_restart::GracefulRestart;
use bgp::message::{self, HEADER_LEN};
use bgp::nlri::{Membership, VpnNlri};
use bgp::notification::{
    CeaseSubcode, ErrorCode, FsmSubcode, HeaderSubcode, Notification, OpenSubcode, UpdateSubcode,
};
use bgp::open::{self, Open};
use bgp::route::{
    AsSegment, Family, FamilySet, Origin, PathAttributes, UnknownAttribute, VpnPrefix,
};
use bgp::update::{Writer, encode_end_of_rib};
use netgauze_bgp_pkt::BgpMessage;
use netgauze_bgp_pkt::nlri::{self as theirs, MplsLabel};
use netgauze_bgp_pkt::path_attribute::{
    Aggregator, AsPath, AsPathSegmentType, MpReach, MpUnreach, Origin as TheirOrigin,
    PathAttribute, PathAttributeValue,
};
use netgauze_bgp_pkt::update::BgpUpdateMessage;
use netgauze_bgp_pkt::wire::deserializer::BgpParsingContext;
use netgauze_parse_utils::WritablePdu as _;
use netgauze_parse_utils::reader::SliceReader;
use netgauze_parse_utils::traits::ParseFromWithOneInput as _;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::wire::{
    attributes, decode, internal, membership, memberships, vpn_routes, vpnv4, vpnv6,
};

const NEXT_HOP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 255, 0, 1));

/// The messages of a stream as the oracle reads them.
fn parse(mut stream: &[u8]) -> Vec<BgpMessage> {
    let mut messages = Vec::new();
    while let Some(message) = message::split(stream).expect("a sound header") {
        let (first, rest) = stream.split_at(message.len_on_wire());
        let mut context = BgpParsingContext::default();
        let parsed = BgpMessage::parse(&mut SliceReader::new(first), &mut context);
        messages.push(parsed.expect("a message that the oracle can read"));
        stream = rest;
    }
    messages
}

/// The body of the message that the oracle writes.
fn written(message: &BgpMessage) -> Vec<u8> {
    let mut out = Vec::new();
    message.write(&mut out).expect("a message that can be written");
    out.split_off(HEADER_LEN)
}

/// What one UPDATE message says of routes: announced, withdrawn, and the next hop.
#[derive(Debug, Default, PartialEq)]
struct Said {
    announced: Vec<VpnNlri>,
    withdrawn: Vec<VpnPrefix>,
    wanted: Vec<Membership>,
    unwanted: Vec<Membership>,
    next_hop: Option<IpAddr>,
}

/// The same as this crate reads it.
fn read_here(body: &[u8]) -> (Said, Option<PathAttributes>) {
    let update = decode(body, &internal());
    let mut said = Said::default();
    for reach in update.announced() {
        said.next_hop = Some(reach.next_hop);
        said.announced.extend(vpn_routes(reach.nlri));
        said.wanted.extend(memberships(reach.nlri));
    }
    for nlri in update.withdrawn() {
        said.withdrawn.extend(vpn_routes(nlri).iter().map(|route| route.key));
        said.unwanted.extend(memberships(nlri));
    }
    (said, update.attributes)
}

/// And as the oracle reads it.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the oracle's enums, of which a part is compared"
)]
fn read_there(update: &BgpUpdateMessage) -> Said {
    let mut said = Said::default();
    for attribute in update.path_attributes() {
        match attribute.value() {
            PathAttributeValue::MpReach(MpReach::Ipv4MplsVpnUnicast { next_hop, nlri }) => {
                said.next_hop = Some(next_hop.next_hop().to_canonical());
                said.announced.extend(nlri.iter().map(|route| labelled(&ipv4(route))));
            }
            PathAttributeValue::MpReach(MpReach::Ipv6MplsVpnUnicast { next_hop, nlri }) => {
                said.next_hop = Some(next_hop.next_hop().to_canonical());
                said.announced.extend(nlri.iter().map(|route| labelled(&ipv6(route))));
            }
            PathAttributeValue::MpReach(MpReach::RouteTargetMembership { next_hop, nlri }) => {
                said.next_hop = Some(*next_hop);
                said.wanted.extend(nlri.iter().map(membership_of));
            }
            PathAttributeValue::MpUnreach(MpUnreach::Ipv4MplsVpnUnicast { nlri }) => {
                said.withdrawn.extend(nlri.iter().map(|route| ipv4(route).0));
            }
            PathAttributeValue::MpUnreach(MpUnreach::Ipv6MplsVpnUnicast { nlri }) => {
                said.withdrawn.extend(nlri.iter().map(|route| ipv6(route).0));
            }
            PathAttributeValue::MpUnreach(MpUnreach::RouteTargetMembership { nlri }) => {
                said.unwanted.extend(nlri.iter().map(membership_of));
            }
            _ => {}
        }
    }
    said
}

fn ipv4(route: &theirs::Ipv4MplsVpnUnicastAddress) -> (VpnPrefix, &[MplsLabel]) {
    let prefix = route.network().address().to_string().parse().expect("a prefix");
    (VpnPrefix { rd: rd_of(route.rd()), prefix: Prefix::V4(prefix) }, route.label_stack())
}

fn ipv6(route: &theirs::Ipv6MplsVpnUnicastAddress) -> (VpnPrefix, &[MplsLabel]) {
    let prefix = route.network().address().to_string().parse().expect("a prefix");
    (VpnPrefix { rd: rd_of(route.rd()), prefix: Prefix::V6(prefix) }, route.label_stack())
}

fn labelled((key, labels): &(VpnPrefix, &[MplsLabel])) -> VpnNlri {
    let [label] = labels else { panic!("{} labels", labels.len()) };
    assert!(label.is_bottom(), "not the bottom of a stack");
    let [a, b, c] = *label.value();
    VpnNlri { key: *key, label: Label::new(u32::from_be_bytes([0, a, b, c]) >> 4) }
}

fn rd_of(rd: theirs::RouteDistinguisher) -> RouteDistinguisher {
    let text = match rd {
        theirs::RouteDistinguisher::As2Administrator { asn2, number } => {
            format!("0:{asn2}:{number}")
        }
        theirs::RouteDistinguisher::Ipv4Administrator { ip, number } => format!("1:{ip}:{number}"),
        theirs::RouteDistinguisher::As4Administrator { asn4, number } => {
            format!("2:{asn4}:{number}")
        }
        theirs::RouteDistinguisher::LeafAdRoutes => panic!("a type that is not used"),
    };
    text.parse().expect("a route distinguisher")
}

fn membership_of(route: &theirs::RouteTargetMembershipAddress) -> Membership {
    let Some(membership) = route.membership() else { return Membership::DEFAULT };
    let octets = membership.route_target();
    let mut target = [0; 8];
    target.get_mut(..octets.len()).expect("eight octets at most").copy_from_slice(octets);
    let len = 32 + 8 * u8::try_from(octets.len()).expect("eight octets at most");
    let origin_as = AsNumber(membership.origin_as());
    Membership::with_prefix(origin_as, target, len).expect("whole octets")
}

/// The oracle's attributes in this crate's words; those that carry routes are left out.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the oracle's enum, of which a part is compared"
)]
fn attributes_of(read: &[PathAttribute]) -> PathAttributes {
    let mut out = PathAttributes::originated();
    for attribute in read {
        match attribute.value() {
            PathAttributeValue::Origin(origin) => out.origin = origin_of(*origin),
            PathAttributeValue::AsPath(path) => out.as_path = path_of(path),
            PathAttributeValue::MultiExitDiscriminator(med) => out.med = Some(med.metric()),
            PathAttributeValue::LocalPreference(it) => out.local_pref = Some(it.metric()),
            PathAttributeValue::AtomicAggregate(_) => out.atomic_aggregate = true,
            PathAttributeValue::Aggregator(Aggregator::As4Aggregator(it)) => {
                out.aggregator = Some((AsNumber(*it.asn()), it.origin()));
            }
            PathAttributeValue::Communities(list) => {
                out.communities = list.communities().iter().map(|it| it.value()).collect();
            }
            PathAttributeValue::ExtendedCommunities(list) => {
                out.extended_communities = list.communities().iter().map(octets_of).collect();
            }
            PathAttributeValue::LargeCommunities(list) => {
                let list = list.communities().iter();
                out.large_communities = list
                    .map(|it| [it.global_admin(), it.local_data1(), it.local_data2()])
                    .collect();
            }
            PathAttributeValue::Originator(it) => out.originator_id = Some(RouterId(it.id())),
            PathAttributeValue::ClusterList(list) => {
                out.cluster_list = list.cluster_list().iter().map(|it| RouterId(it.id())).collect();
            }
            PathAttributeValue::UnknownAttribute(it) => out.unknown.push(UnknownAttribute {
                flags: flags_of(attribute),
                code: it.code(),
                value: it.value().to_vec(),
            }),
            _ => {}
        }
    }
    out
}

const fn origin_of(origin: TheirOrigin) -> Origin {
    match origin {
        TheirOrigin::IGP => Origin::Igp,
        TheirOrigin::EGP => Origin::Egp,
        TheirOrigin::Incomplete => Origin::Incomplete,
    }
}

fn path_of(path: &AsPath) -> Vec<AsSegment> {
    let AsPath::As4PathSegments(segments) = path else { panic!("two-octet AS numbers") };
    let segment = |segment: &netgauze_bgp_pkt::path_attribute::As4PathSegment| {
        let numbers = segment.as_numbers().iter().copied().map(AsNumber).collect();
        match segment.segment_type() {
            AsPathSegmentType::AsSet => AsSegment::Set(numbers),
            AsPathSegmentType::AsSequence => AsSegment::Sequence(numbers),
        }
    };
    segments.iter().map(segment).collect()
}

fn octets_of(community: &netgauze_bgp_pkt::community::ExtendedCommunity) -> [u8; 8] {
    let mut out = Vec::new();
    community.write(&mut out).expect("room");
    out.try_into().expect("eight octets")
}

fn flags_of(attribute: &PathAttribute) -> u8 {
    u8::from(attribute.optional()) << 7
        | u8::from(attribute.transitive()) << 6
        | u8::from(attribute.partial()) << 5
        | u8::from(attribute.extended_length()) << 4
}

/// A route that the oracle takes for one: a route distinguisher of a known type, and no multicast.
fn plain(mut route: VpnNlri) -> VpnNlri {
    let [_, kind, body @ ..] = route.key.rd.0;
    let [a, b, c, d, e, f] = body;
    route.key.rd = RouteDistinguisher([0, kind % 3, a, b, c, d, e, f]);
    let len = route.key.prefix.len();
    let plain = match route.key.prefix {
        Prefix::V4(prefix) => {
            let addr = Ipv4Addr::from_bits(prefix.addr().to_bits() & (u32::MAX >> 1));
            Ipv4Prefix::new(addr, len).map(Prefix::V4)
        }
        Prefix::V6(prefix) => {
            let addr = Ipv6Addr::from_bits(prefix.addr().to_bits() & (u128::MAX >> 1));
            Ipv6Prefix::new(addr, len).map(Prefix::V6)
        }
    };
    route.key.prefix = plain.expect("the length that it had");
    route
}

/// Attributes whose extended communities are route targets and route origins: of others the oracle
/// drops reserved octets, or writes another kind than it read.
fn of_vpns() -> impl Strategy<Value = PathAttributes> {
    attributes().prop_map(|mut attributes| {
        let communities = &mut attributes.extended_communities;
        for [kind, sub_type, ..] in communities.iter_mut() {
            (*kind, *sub_type) = (*kind % 3, 2 + *sub_type % 2);
        }
        communities.sort_unstable();
        communities.dedup();
        attributes
    })
}

/// Sends the stream there and back; returns what all its messages say together.
fn there_and_back(
    stream: &[u8],
    attributes: Option<&PathAttributes>,
) -> Result<Said, TestCaseError> {
    let mut all = Said::default();
    for message in parse(stream) {
        let BgpMessage::Update(update) = &message else { panic!("an UPDATE message") };
        let said = read_there(update);
        if let Some(attributes) = attributes {
            prop_assert_eq!(&attributes_of(update.path_attributes()), attributes);
        }
        let (again, back) = read_here(&written(&message));
        prop_assert_eq!(&again, &said);
        prop_assert_eq!(back.as_ref(), attributes);
        all.announced.extend(said.announced);
        all.withdrawn.extend(said.withdrawn);
        all.wanted.extend(said.wanted);
        all.unwanted.extend(said.unwanted);
        all.next_hop = said.next_hop;
    }
    Ok(all)
}

fn vpn_is_understood(
    family: Family,
    attributes: &PathAttributes,
    routes: &[VpnNlri],
) -> Result<(), TestCaseError> {
    let mut stream = Vec::new();
    let mut writer = Writer::announce(family, attributes, NEXT_HOP, true, &mut stream)
        .expect("room for a route");
    routes.iter().for_each(|route| writer.push_vpn(route));
    writer.finish();
    let said = there_and_back(&stream, Some(attributes))?;
    let announced = routes.to_vec();
    prop_assert_eq!(said, Said { announced, next_hop: Some(NEXT_HOP), ..Said::default() });

    stream.clear();
    let mut writer = Writer::withdraw(family, &mut stream);
    routes.iter().for_each(|route| writer.push_vpn(route));
    writer.finish();
    let said = there_and_back(&stream, None)?;
    let withdrawn = routes.iter().map(|route| route.key).collect();
    prop_assert_eq!(said, Said { withdrawn, ..Said::default() });
    Ok(())
}

proptest! {
    #[test]
    fn vpnv4_is_understood_both_ways(
        attributes in of_vpns(),
        routes in vec(vpnv4().prop_map(plain), 1..300),
    ) {
        vpn_is_understood(Family::VpnIpv4, &attributes, &routes)?;
    }

    #[test]
    fn vpnv6_is_understood_both_ways(
        attributes in of_vpns(),
        routes in vec(vpnv6().prop_map(plain), 1..300),
    ) {
        vpn_is_understood(Family::VpnIpv6, &attributes, &routes)?;
    }

    #[test]
    fn memberships_are_understood_both_ways(routes in vec(membership(), 1..100)) {
        // The oracle keeps whole octets of a route target.
        let routes: Vec<_> = routes.into_iter().filter(|it| it.len().is_multiple_of(8)).collect();
        let family = Family::RouteTargetConstrain;
        let attributes = PathAttributes::originated();
        let mut stream = Vec::new();
        let mut writer =
            Writer::announce(family, &attributes, NEXT_HOP, true, &mut stream).unwrap();
        routes.iter().for_each(|&route| writer.push_membership(route));
        writer.push_membership(Membership::DEFAULT);
        writer.finish();
        let said = there_and_back(&stream, Some(&attributes))?;
        prop_assert_eq!(said.wanted, [routes.as_slice(), &[Membership::DEFAULT]].concat());
        prop_assert_eq!(said.next_hop, Some(NEXT_HOP));

        stream.clear();
        let mut writer = Writer::withdraw(family, &mut stream);
        routes.iter().for_each(|&route| writer.push_membership(route));
        writer.finish();
        prop_assert_eq!(there_and_back(&stream, None)?.unwanted, routes);
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
    let messages = parse(&stream);
    let BgpMessage::Open(theirs) = &messages[0] else { panic!("an OPEN message") };
    assert_eq!((theirs.my_as(), theirs.my_asn4()), (23456, open.local_as.0));
    assert_eq!((theirs.hold_time(), theirs.bgp_id()), (90, open.router_id.0));
    assert_eq!(theirs.capabilities().len(), Family::ALL.len() + 3);
    assert_eq!(open::decode(&written(&messages[0])), Ok(open));
}

#[test]
fn end_of_rib_is_understood_both_ways() {
    let expected = [
        "Ipv4Unicast",
        "Ipv6Unicast",
        "Ipv4MplsLabeledVpn",
        "Ipv6MplsLabeledVpn",
        "RouteTargetConstrains",
    ];
    for (family, expected) in Family::ALL.into_iter().zip(expected) {
        let mut stream = Vec::new();
        encode_end_of_rib(family, &mut stream);
        let messages = parse(&stream);
        let BgpMessage::Update(theirs) = &messages[0] else { panic!("an UPDATE message") };
        let read = theirs.end_of_rib().map(|it| format!("{it:?}"));
        assert_eq!(read.as_deref(), Some(expected));
        assert_eq!(decode(&written(&messages[0]), &internal()).end_of_rib(), Some(family));
    }
}

#[test]
fn route_refresh_and_keepalive_are_understood_both_ways() {
    for family in Family::ALL {
        let mut stream = Vec::new();
        message::encode_refresh(family, &mut stream);
        message::encode_keepalive(&mut stream);
        let messages = parse(&stream);
        assert_eq!(message::decode_refresh(&written(&messages[0])), Some(family));
        assert_eq!(messages[1], BgpMessage::KeepAlive);
    }
}

#[test]
fn notifications_are_understood_both_ways() {
    let cases = [
        (ErrorCode::Header(HeaderSubcode::BadMessageLength), "BadMessageLength"),
        (ErrorCode::Open(OpenSubcode::UnsupportedVersion), "UnsupportedVersionNumber"),
        (ErrorCode::Open(OpenSubcode::UnacceptableHoldTime), "UnacceptableHoldTime"),
        (ErrorCode::Update(UpdateSubcode::InvalidOrigin), "InvalidOriginAttribute"),
        (ErrorCode::Update(UpdateSubcode::MalformedAsPath), "MalformedAsPath"),
        (ErrorCode::HoldTimerExpired, "HoldTimerExpiredError"),
        (ErrorCode::Fsm(FsmSubcode::OpenConfirm), "ReceiveUnexpectedMessageInOpenConfirmState"),
        (ErrorCode::Cease(CeaseSubcode::MaximumPrefixes), "MaximumNumberOfPrefixesReached"),
        (ErrorCode::Cease(CeaseSubcode::AdministrativeReset), "AdministrativeReset"),
        (ErrorCode::Cease(CeaseSubcode::CollisionResolution), "ConnectionCollisionResolution"),
        (ErrorCode::Cease(CeaseSubcode::BfdDown), "BfdDown"),
    ];
    for (error, expected) in cases {
        let ours = Notification::with_data(error, b"why");
        let mut stream = Vec::new();
        ours.encode(&mut stream);
        let messages = parse(&stream);
        let read = format!("{:?}", messages[0]);
        assert!(read.contains(expected), "{read}");
        assert_eq!(Notification::decode(&written(&messages[0])), ours);
    }
}
