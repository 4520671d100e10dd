//! RFC 7606 as a table: one row per rule, its section, and what becomes of the message.

use bgp::error::{AttributeFault, Verdict};
use bgp::notification::{ErrorCode, Notification, UpdateSubcode};
use bgp::update::{self, Context};

use super::{external, hex, internal};

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Accept,
    Discard(u8, AttributeFault),
    Withdraw(u8, AttributeFault),
    Reset(UpdateSubcode),
}

use AttributeFault as Fault;
use Outcome::{Accept, Discard, Reset, Withdraw};
use UpdateSubcode as Subcode;

/// MP_REACH_NLRI with one VPNv4 route.
const REACH: &str =
    "800e20 000180 0c 0000000000000000 0aff0001 00 70 003e91 0000fde800000001 c0a801";
/// MP_UNREACH_NLRI with one VPNv4 route.
const UNREACH: &str = "800f12 000180 70 800000 0000fde800000001 c0a802";
const ORIGIN: &str = "400101 00";
const PATH: &str = "400206 02 01 0000fde9";

struct Row {
    rule: &'static str,
    external: bool,
    attributes: &'static [&'static str],
    outcome: Outcome,
}

const fn from_external(
    rule: &'static str,
    attributes: &'static [&'static str],
    outcome: Outcome,
) -> Row {
    Row { rule, external: true, attributes, outcome }
}

const fn from_internal(
    rule: &'static str,
    attributes: &'static [&'static str],
    outcome: Outcome,
) -> Row {
    Row { rule, external: false, attributes, outcome }
}

fn context(row: &Row) -> Context {
    if row.external { external() } else { internal() }
}

/// An UPDATE body of these attributes, nothing in the fields for IPv4 unicast.
fn body(attributes: &[&str]) -> Vec<u8> {
    let field = hex(&attributes.concat());
    let mut body = vec![0, 0];
    body.extend_from_slice(&u16::try_from(field.len()).expect("a short field").to_be_bytes());
    body.extend_from_slice(&field);
    body
}

fn outcome(result: &Result<update::Update<'_>, Notification>) -> Outcome {
    match result {
        Ok(update) => match update.verdict {
            Verdict::Accept => Accept,
            Verdict::AttributeDiscard(error) => Discard(error.code, error.fault),
            Verdict::TreatAsWithdraw(error) => Withdraw(error.code, error.fault),
        },
        Err(Notification { error: ErrorCode::Update(subcode), .. }) => Reset(*subcode),
        Err(notification) => panic!("{notification} is not about an UPDATE message"),
    }
}

fn check(rows: &[Row]) {
    for row in rows {
        let body = body(row.attributes);
        let result = update::decode(&body, &context(row));
        assert_eq!(outcome(&result), row.outcome, "{}", row.rule);
        if let Ok(update) = result {
            let announces = !matches!(row.outcome, Withdraw(..));
            assert_eq!(update.announced().next().is_some(), announces, "{}", row.rule);
            assert_eq!(update.attributes.is_some(), announces, "{}", row.rule);
            assert_eq!(update.withdrawn().next().is_some(), !announces, "{}", row.rule);
        }
    }
}

const GENERAL: &[Row] = &[
    from_external("a sound message", &[REACH, ORIGIN, PATH], Accept),
    from_external("routes last: §5.1 order is for senders", &[ORIGIN, PATH, REACH], Accept),
    from_external("§3 c: ORIGIN optional", &[REACH, "c00101 00", PATH], Withdraw(1, Fault::Flags)),
    from_external(
        "§3 c: MED transitive",
        &[REACH, ORIGIN, PATH, "c00404 00000001"],
        Withdraw(4, Fault::Flags),
    ),
    from_external("§3 c: the Partial flag is not looked at", &[REACH, "600101 00", PATH], Accept),
    from_external(
        "§3 c: MP_REACH_NLRI transitive, its routes are known",
        &[
            "c00e20 000180 0c 0000000000000000 0aff0001 00 70 003e91 0000fde800000001 c0a801",
            ORIGIN,
            PATH,
        ],
        Withdraw(14, Fault::Flags),
    ),
    from_external("§3 d: no ORIGIN", &[REACH, PATH], Withdraw(1, Fault::Missing)),
    from_external("§3 d: no AS_PATH", &[REACH, ORIGIN], Withdraw(2, Fault::Missing)),
    from_external(
        "§3 g: MP_REACH_NLRI twice",
        &[REACH, ORIGIN, PATH, REACH],
        Reset(Subcode::MalformedAttributeList),
    ),
    from_external(
        "§3 g: MP_UNREACH_NLRI twice",
        &[UNREACH, UNREACH],
        Reset(Subcode::MalformedAttributeList),
    ),
    from_external(
        "§3 g: another attribute twice, the first counts",
        &[REACH, ORIGIN, PATH, "400101 02"],
        Discard(1, Fault::Duplicate),
    ),
    from_external(
        "§3 g: an unknown attribute twice",
        &[REACH, ORIGIN, PATH, "c0c800", "c0c800"],
        Discard(200, Fault::Duplicate),
    ),
    from_external(
        "§3 h: the stronger fault wins",
        &[REACH, ORIGIN, PATH, "400501 00", "c00803 000000"],
        Withdraw(8, Fault::Length),
    ),
    from_external(
        "§3 h: of equal faults the first is told",
        &[REACH, "400101 09", PATH, "c00803 000000"],
        Withdraw(1, Fault::Value),
    ),
    from_external(
        "§4: an attribute overruns the field",
        &[REACH, ORIGIN, PATH, "800408 00000001"],
        Withdraw(4, Fault::Overrun),
    ),
    from_external(
        "§4: a stray octet after the last attribute",
        &[REACH, ORIGIN, PATH, "40"],
        Withdraw(0, Fault::Overrun),
    ),
    from_external(
        "§4: half an extended length",
        &[REACH, ORIGIN, PATH, "d00800"],
        Withdraw(8, Fault::Overrun),
    ),
    from_external(
        "§5.2: a fault, and no routes to withdraw",
        &["400101 09", PATH],
        Reset(Subcode::InvalidOrigin),
    ),
    from_external(
        "§5.2: the routes may be beyond the overrun",
        &[ORIGIN, PATH, "900e ffff 0001"],
        Reset(Subcode::MalformedAttributeList),
    ),
    from_external(
        "RFC 4271 §6.3: well-known and not known",
        &[REACH, ORIGIN, PATH, "40c800"],
        Reset(Subcode::UnrecognizedWellKnownAttribute),
    ),
    from_external(
        "RFC 4271 §5: optional and not known",
        &[REACH, ORIGIN, PATH, "80c801 00"],
        Accept,
    ),
];

#[test]
fn general_rules_hold() {
    check(GENERAL);
}

const WELL_KNOWN: &[Row] = &[
    from_external(
        "§7.1: ORIGIN of two octets",
        &[REACH, "400102 0000", PATH],
        Withdraw(1, Fault::Length),
    ),
    from_external("§7.1: ORIGIN undefined", &[REACH, "400101 03", PATH], Withdraw(1, Fault::Value)),
    from_external(
        "§7.2: a segment of unknown type",
        &[REACH, ORIGIN, "40020c 02 01 0000fde9 05 01 0000fde9"],
        Withdraw(2, Fault::SegmentType),
    ),
    from_external(
        "RFC 5065 §5: a confederation segment",
        &[REACH, ORIGIN, "400206 03 01 0000fde9"],
        Withdraw(2, Fault::SegmentType),
    ),
    from_external(
        "§7.2: a segment overruns the path",
        &[REACH, ORIGIN, "400206 02 02 0000fde9"],
        Withdraw(2, Fault::SegmentLength),
    ),
    from_external(
        "§7.2: one octet after the last segment",
        &[REACH, ORIGIN, "400207 02 01 0000fde9 02"],
        Withdraw(2, Fault::SegmentLength),
    ),
    from_external(
        "§7.2: an empty segment",
        &[REACH, ORIGIN, "400208 02 01 0000fde9 02 00"],
        Withdraw(2, Fault::SegmentLength),
    ),
    from_external(
        "§7.2: the peer's AS does not come first",
        &[REACH, ORIGIN, "400206 02 01 0000fdea"],
        Withdraw(2, Fault::FirstAs),
    ),
    from_external(
        "§7.2: an external path is not empty",
        &[REACH, ORIGIN, "400200"],
        Withdraw(2, Fault::FirstAs),
    ),
    from_external(
        "§7.2: a set does not come first",
        &[REACH, ORIGIN, "400206 01 01 0000fde9"],
        Withdraw(2, Fault::FirstAs),
    ),
    from_internal("§4: an internal path may be empty", &[REACH, ORIGIN, "400200"], Accept),
    from_external(
        "RFC 7607 §2: AS 0 in the path",
        &[REACH, ORIGIN, "40020a 02 02 0000fde9 00000000"],
        Withdraw(2, Fault::AsZero),
    ),
    from_external(
        "§7.3: NEXT_HOP of five octets",
        &[REACH, ORIGIN, PATH, "400305 0a00000100"],
        Withdraw(3, Fault::Length),
    ),
    from_external(
        "§7.3: NEXT_HOP is multicast",
        &[REACH, ORIGIN, PATH, "400304 e0000001"],
        Withdraw(3, Fault::NextHop),
    ),
    from_external(
        "§7.4: MED of three octets",
        &[REACH, ORIGIN, PATH, "800403 000001"],
        Withdraw(4, Fault::Length),
    ),
    from_external(
        "§7.5: LOCAL_PREF from outside",
        &[REACH, ORIGIN, PATH, "400504 00000064"],
        Discard(5, Fault::FromExternal),
    ),
    from_external(
        "§7.5: and malformed",
        &[REACH, ORIGIN, PATH, "400501 64"],
        Discard(5, Fault::FromExternal),
    ),
    from_internal(
        "§7.5: LOCAL_PREF of three octets",
        &[REACH, ORIGIN, PATH, "400503 000064"],
        Withdraw(5, Fault::Length),
    ),
    from_external(
        "§7.6: ATOMIC_AGGREGATE with a value",
        &[REACH, ORIGIN, PATH, "400601 00"],
        Discard(6, Fault::Length),
    ),
    from_external(
        "§3 f: ATOMIC_AGGREGATE optional",
        &[REACH, ORIGIN, PATH, "c00600"],
        Discard(6, Fault::Flags),
    ),
];

#[test]
fn rules_of_well_known_attributes_hold() {
    check(WELL_KNOWN);
}

const OPTIONAL: &[Row] = &[
    from_external(
        "§7.7: AGGREGATOR of six octets",
        &[REACH, ORIGIN, PATH, "c00706 fde9 0a000001"],
        Discard(7, Fault::Length),
    ),
    from_external(
        "RFC 7607 §2: AS 0 in AGGREGATOR",
        &[REACH, ORIGIN, PATH, "c00708 00000000 0a000001"],
        Discard(7, Fault::AsZero),
    ),
    from_external(
        "§3 f: AGGREGATOR well-known",
        &[REACH, ORIGIN, PATH, "400708 0000fde9 0a000001"],
        Discard(7, Fault::Flags),
    ),
    from_external(
        "§7.8: COMMUNITIES of six octets",
        &[REACH, ORIGIN, PATH, "c00806 000000000000"],
        Withdraw(8, Fault::Length),
    ),
    from_external(
        "§7.8: COMMUNITIES empty",
        &[REACH, ORIGIN, PATH, "c00800"],
        Withdraw(8, Fault::Length),
    ),
    from_external(
        "§7.9: ORIGINATOR_ID from outside",
        &[REACH, ORIGIN, PATH, "800904 0aff0001"],
        Discard(9, Fault::FromExternal),
    ),
    from_internal(
        "§7.9: ORIGINATOR_ID of five octets",
        &[REACH, ORIGIN, PATH, "800905 0aff000100"],
        Withdraw(9, Fault::Length),
    ),
    from_external(
        "§7.10: CLUSTER_LIST from outside",
        &[REACH, ORIGIN, PATH, "800a04 0aff0001"],
        Discard(10, Fault::FromExternal),
    ),
    from_internal(
        "§7.10: CLUSTER_LIST empty",
        &[REACH, ORIGIN, PATH, "800a00"],
        Withdraw(10, Fault::Length),
    ),
    from_internal(
        "§7.10: CLUSTER_LIST of six octets",
        &[REACH, ORIGIN, PATH, "800a06 0aff00010000"],
        Withdraw(10, Fault::Length),
    ),
    from_external(
        "§7.14: EXTENDED COMMUNITIES of nine octets",
        &[REACH, ORIGIN, PATH, "c01009 0002fde80000006400"],
        Withdraw(16, Fault::Length),
    ),
    from_external(
        "§7.14: EXTENDED COMMUNITIES empty",
        &[REACH, ORIGIN, PATH, "c01000"],
        Withdraw(16, Fault::Length),
    ),
    from_external(
        "RFC 8092 §6: LARGE_COMMUNITY of eight octets",
        &[REACH, ORIGIN, PATH, "c02008 0000000000000000"],
        Withdraw(32, Fault::Length),
    ),
    from_external(
        "RFC 6793 §6: AS4_PATH from a new speaker",
        &[REACH, ORIGIN, PATH, "c01106 02 01 0000fde9"],
        Discard(17, Fault::FromNewSpeaker),
    ),
    from_external(
        "RFC 6793 §6: AS4_AGGREGATOR from a new speaker",
        &[REACH, ORIGIN, PATH, "c01208 0000fde9 0a000001"],
        Discard(18, Fault::FromNewSpeaker),
    ),
];

#[test]
fn rules_of_optional_attributes_hold() {
    check(OPTIONAL);
}

const MALFORMED: Outcome = Reset(Subcode::OptionalAttributeError);

const ROUTES: &[Row] = &[
    from_external(
        "§5.3: MP_REACH_NLRI of four octets",
        &["800e04 00018000", ORIGIN, PATH],
        MALFORMED,
    ),
    from_external(
        "§7.11: a next hop of five octets",
        &["800e0a 000180 05 0aff000100 00", ORIGIN, PATH],
        MALFORMED,
    ),
    from_external(
        "§7.11: a next hop past the end",
        &["800e09 000180 0c 00000000 00", ORIGIN, PATH],
        MALFORMED,
    ),
    from_external(
        "§7.11: no reserved octet",
        &["800e10 000180 0c 0000000000000000 0aff0001", ORIGIN, PATH],
        MALFORMED,
    ),
    from_external(
        "§7.11: a VPNv6 next hop of twelve octets",
        &["800e11 000280 0c 0000000000000000 0aff0001 00", ORIGIN, PATH],
        MALFORMED,
    ),
    from_external(
        "§5.3: a route runs past the end",
        &["800e14 000180 0c 0000000000000000 0aff0001 00 70 003e", ORIGIN, PATH],
        MALFORMED,
    ),
    from_external(
        "§5.3: an IPv4 prefix of 33 bits",
        &[
            "800e22 000180 0c 0000000000000000 0aff0001 00 79 003e91 0000fde800000001 c0a8010101",
            ORIGIN,
            PATH,
        ],
        MALFORMED,
    ),
    from_external(
        "§5.3: a VPN route too short for its distinguisher",
        &["800e1c 000180 0c 0000000000000000 0aff0001 00 50 003e91 0000fde8000000", ORIGIN, PATH],
        MALFORMED,
    ),
    from_external(
        "RFC 8277 §2.1: a label stack that was not negotiated",
        &[
            "800e24 000180 0c 0000000000000000 0aff0001 00 78 003e90 07d011 0000fde800000001 0a 00",
            ORIGIN,
            PATH,
        ],
        MALFORMED,
    ),
    from_external(
        "RFC 4684 §4: a membership of 31 bits",
        &["800e0e 000184 04 0aff0001 00 1f 0000fde8", ORIGIN, PATH],
        MALFORMED,
    ),
    from_external(
        "RFC 4684 §4: a membership of 97 bits",
        &["800e17 000184 04 0aff0001 00 61 0000fde80002fde80000006400", ORIGIN, PATH],
        MALFORMED,
    ),
    from_external("§5.3: MP_UNREACH_NLRI of two octets", &["800f02 0001"], MALFORMED),
    from_external("§5.3: a withdrawn route runs past the end", &["800f05 000180 70 80"], MALFORMED),
    from_external(
        "RFC 4271 §6.3: a next hop that is no host",
        &[
            "800e20 000180 0c 0000000000000000 7f000001 00 70 003e91 0000fde800000001 c0a801",
            ORIGIN,
            PATH,
        ],
        Withdraw(14, Fault::NextHop),
    ),
];

#[test]
fn rules_of_attributes_that_carry_routes_hold() {
    check(ROUTES);
}

#[test]
fn routes_of_a_family_that_was_not_negotiated_are_discarded() {
    let context = Context { families: bgp::route::FamilySet::EMPTY, ..external() };
    let body = body(&[REACH, ORIGIN, PATH]);
    let result = update::decode(&body, &context);
    assert_eq!(outcome(&result), Discard(14, Fault::Family));
    let update = result.unwrap();
    assert!(update.announced().next().is_none() && update.withdrawn().next().is_none());

    let body = hex("0004 180a0000 0000");
    let result = update::decode(&body, &context);
    assert_eq!(outcome(&result), Discard(0, Fault::Family));
    assert!(result.unwrap().withdrawn().next().is_none());
}

#[test]
fn lengths_that_contradict_the_message_reset_the_session() {
    for text in
        ["", "00", "0000", "000000", "0005 180a0000 0000", "0000 0005 40010100", "ffff 0000"]
    {
        let result = update::decode(&hex(text), &external()).map(drop);
        let expected = Notification::new(ErrorCode::Update(Subcode::MalformedAttributeList));
        assert_eq!(result, Err(expected), "{text}");
    }
}

#[test]
fn syntax_of_ipv4_unicast_fields_resets_the_session() {
    for text in [
        "0005 210a000000 0000",
        "0002 180a 0000",
        "0000 000d 40010100 4002060201 0000fde9 21 0a00000000",
    ] {
        let result = update::decode(&hex(text), &external()).map(drop);
        let subcode = match result {
            Err(Notification { error: ErrorCode::Update(subcode), .. }) => subcode,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(subcode, Subcode::InvalidNetworkField, "{text}");
    }
}

#[test]
fn ipv4_unicast_routes_need_next_hop() {
    let without = hex("0000 000d 40010100 4002060201 0000fde9 18c0a801");
    let update = super::decode(&without, &external());
    assert_eq!(outcome(&Ok(update.clone())), Withdraw(3, Fault::Missing));
    assert_eq!(update.withdrawn().count(), 1);
    let with = hex("0000 0014 40010100 4002060201 0000fde9 4003040a000001 18c0a801");
    let update = super::decode(&with, &external());
    assert_eq!(outcome(&Ok(update.clone())), Accept);
    assert_eq!(update.announced().next().unwrap().next_hop.to_string(), "10.0.0.1");
}

#[test]
fn faulty_attribute_goes_into_the_notification() {
    let body = body(&[REACH, ORIGIN, PATH, "40c801 07"]);
    let notification = update::decode(&body, &external()).unwrap_err();
    assert_eq!(notification.data, hex("40c801 07"));
}

#[test]
fn end_of_rib_with_anything_else_is_no_end_of_rib() {
    let end = "800f03 000180";
    let alone = body(&[end]);
    assert!(super::decode(&alone, &external()).end_of_rib().is_some());
    for attributes in [&[end, REACH, ORIGIN, PATH][..], &[UNREACH]] {
        let body = body(attributes);
        assert_eq!(super::decode(&body, &external()).end_of_rib(), None);
    }
    let empty = hex("0000 0000");
    let family = super::decode(&empty, &external()).end_of_rib();
    assert_eq!(family, Some(bgp::route::Family::Ipv4Unicast));
}

#[test]
fn two_octet_peer_is_read_with_as_trans() {
    let context =
        Context { peer_as: base::AsNumber(4_200_000_001), four_octet_as: false, ..external() };
    let body = body(&[REACH, ORIGIN, "400206 02 02 5ba0 fde9", "c0110a 02 02 fa56ea01 0000fde9"]);
    let update = super::decode(&body, &context);
    assert_eq!(update.verdict, Verdict::Accept);
    let attributes = update.attributes.unwrap();
    assert!(attributes.as_path_contains(base::AsNumber(23456)));
    assert!(attributes.unknown.is_empty(), "AS4_PATH is not passed on by a new speaker");
}
