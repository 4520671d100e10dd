//! Messages of other people's routers, byte for byte.
//!
//! Origin: captures of FRR 8.4.4 (two provider edge routers, VPNv4 and VPNv6) and of GoBGP 3.10 (a
//! reflector and a client with RT-constrain and VPNv4), taken on the wire.

use core::net::{IpAddr, Ipv4Addr};

use base::{AsNumber, Label, RouteTarget, RouterId};
use bgp::error::Verdict;
use bgp::graceful_restart::GracefulRestart;
use bgp::message;
use bgp::nlri::{Membership, VpnNlri};
use bgp::open::{self, Open};
use bgp::route::{Family, FamilySet, Origin, PathAttributes, VpnPrefix};
use bgp::update::{Writer, encode_end_of_rib};

use super::{decode, framed, hex, internal, memberships, update_bodies, vpn_routes};

const FRR_OPEN: &str =
    "04fde800090aff00025402060104000100800206010400020080020280000202020002024600
    020641040000fde802020600020a450800018001000280010206490402766d0002044002c078
    0210470e0001808000000000028080000000";
const GOBGP_OPEN: &str =
    "04fde8005a0aff00032a02280200490402766d0001040001008001040001008441040000fde8
    050c000100800002000100840002";
const FRR_VPNV4: &str = "00000045900e00200001800c00000000000000000aff00010070003e910000fde800000001
    c0a80140010100500200008004040000000040050400000064c010080002fde800000064";
const FRR_VPNV6: &str = "00000054900e002f00028018000000000000000000000000000000000000ffff0aff0001
    0088003ea10000fde80000000120010db8000140010100500200008004040000000040050400000064
    c010080002fde800000064";
const FRR_END_VPNV4: &str = "00000006800f03000180";
const FRR_END_VPNV6: &str = "00000006800f03000280";
const GOBGP_MEMBERSHIP: &str = "000000274001010040020040050400000064800e16000184040a000d0300
    600000fde80002fde800000064";
const GOBGP_REFLECTED: &str = "0000004a40010102400200400504000000648009040aff0001800a040aff0001
    800e200001800c00000000000000000a000d010070001f510000fde8000000010a0100
    c010080002fde800000064";

fn vpn_key(text: &str) -> VpnPrefix {
    let (rd, prefix) = text.split_once(' ').expect("a route distinguisher and a prefix");
    let rd = rd.parse().expect("a route distinguisher");
    let prefix = if prefix.contains(':') {
        base::Prefix::V6(prefix.parse().expect("a prefix"))
    } else {
        base::Prefix::V4(prefix.parse().expect("a prefix"))
    };
    VpnPrefix { rd, prefix }
}

fn labelled(text: &str, label: u32) -> VpnNlri {
    VpnNlri { key: vpn_key(text), label: Label::new(label) }
}

fn frr_attributes() -> PathAttributes {
    PathAttributes {
        med: Some(0),
        local_pref: Some(100),
        extended_communities: vec![RouteTarget::with_as(65000, 100).0],
        ..PathAttributes::originated()
    }
}

#[test]
fn open_of_frr_is_read() {
    let open = open::decode(&hex(FRR_OPEN)).unwrap();
    assert_eq!(
        open,
        Open {
            local_as: AsNumber(65000),
            hold_time: 9,
            router_id: RouterId(Ipv4Addr::new(10, 255, 0, 2)),
            families: FamilySet::EMPTY.with(Family::VpnIpv4).with(Family::VpnIpv6),
            route_refresh: true,
            four_octet_as: true,
            graceful_restart: Some(GracefulRestart {
                restarting: true,
                time: 120,
                ..GracefulRestart::HELPER
            }),
            other_capabilities: vec![128, 70, 6, 69, 73, 71],
        }
    );
}

#[test]
fn open_of_gobgp_is_read() {
    let open = open::decode(&hex(GOBGP_OPEN)).unwrap();
    let families = FamilySet::EMPTY.with(Family::VpnIpv4).with(Family::RouteTargetConstrain);
    assert_eq!((open.hold_time, open.families), (90, families));
    assert_eq!(open.other_capabilities, [73, 5]);
}

#[test]
fn vpnv4_route_of_frr_is_read_and_written_back() {
    let body = hex(FRR_VPNV4);
    let update = decode(&body, &internal());
    assert_eq!(update.verdict, Verdict::Accept);
    assert_eq!(update.attributes, Some(frr_attributes()));
    let reach: Vec<_> = update.announced().collect();
    assert_eq!(reach[0].next_hop, IpAddr::V4(Ipv4Addr::new(10, 255, 0, 1)));
    let routes = vpn_routes(reach[0].nlri);
    assert_eq!(routes, [labelled("0:65000:1 192.168.1.0/24", 1001)]);

    let mut out = Vec::new();
    let mut writer =
        Writer::announce(Family::VpnIpv4, &frr_attributes(), reach[0].next_hop, true, &mut out)
            .unwrap();
    writer.push_vpn(&routes[0]);
    writer.finish();
    // FRR writes the empty AS_PATH with a length of two octets; nothing else differs.
    let shorter = FRR_VPNV4.replace("50020000", "400200").replacen("00000045", "00000044", 1);
    assert_eq!(out, framed(2, &hex(&shorter)));
}

#[test]
fn mapped_next_hop_of_a_vpnv6_route_of_frr_is_read_as_ipv4() {
    let body = hex(FRR_VPNV6);
    let update = decode(&body, &internal());
    assert_eq!(update.attributes, Some(frr_attributes()));
    let reach = update.announced().next().unwrap();
    assert_eq!(reach.next_hop, IpAddr::V4(Ipv4Addr::new(10, 255, 0, 1)));
    assert_eq!(reach.nlri.family, Family::VpnIpv6);
    let routes = vpn_routes(reach.nlri);
    assert_eq!(routes, [labelled("0:65000:1 2001:db8:1::/48", 1002)]);

    let mut out = Vec::new();
    let mut writer =
        Writer::announce(Family::VpnIpv6, &frr_attributes(), reach.next_hop, true, &mut out)
            .unwrap();
    writer.push_vpn(&routes[0]);
    writer.finish();
    let shorter = FRR_VPNV6.replace("50020000", "400200").replacen("00000054", "00000053", 1);
    assert_eq!(out, framed(2, &hex(&shorter)));
}

#[test]
fn end_of_rib_of_frr_is_read_and_written_alike() {
    for (text, family) in [(FRR_END_VPNV4, Family::VpnIpv4), (FRR_END_VPNV6, Family::VpnIpv6)] {
        let body = hex(text);
        let update = decode(&body, &internal());
        assert_eq!(update.end_of_rib(), Some(family));
        assert_eq!(update.attributes, None);
        let mut out = Vec::new();
        encode_end_of_rib(family, &mut out);
        assert_eq!(out, framed(2, &body));
    }
}

#[test]
fn membership_of_gobgp_is_read() {
    let body = hex(GOBGP_MEMBERSHIP);
    let update = decode(&body, &internal());
    let reach = update.announced().next().unwrap();
    assert_eq!(reach.next_hop, IpAddr::V4(Ipv4Addr::new(10, 0, 13, 3)));
    let wanted = Membership::new(AsNumber(65000), RouteTarget::with_as(65000, 100));
    assert_eq!(memberships(reach.nlri), [wanted]);

    let attributes = update.attributes.unwrap();
    let mut out = Vec::new();
    let mut writer =
        Writer::announce(Family::RouteTargetConstrain, &attributes, reach.next_hop, true, &mut out)
            .unwrap();
    writer.push_membership(wanted);
    writer.finish();
    let bodies = update_bodies(&out);
    let again = decode(bodies[0], &internal());
    assert_eq!(memberships(again.announced().next().unwrap().nlri), [wanted]);
}

#[test]
fn reflected_route_of_gobgp_is_read() {
    let body = hex(GOBGP_REFLECTED);
    let update = decode(&body, &internal());
    let reach = update.announced().next().unwrap();
    assert_eq!(vpn_routes(reach.nlri), [labelled("0:65000:1 10.1.0.0/24", 501)]);
    let attributes = update.attributes.unwrap();
    let reflector = RouterId(Ipv4Addr::new(10, 255, 0, 1));
    assert_eq!(attributes.origin, Origin::Incomplete);
    assert_eq!(attributes.originator_id, Some(reflector));
    assert_eq!(attributes.cluster_list, [reflector]);
    assert_eq!(attributes.route_targets().collect::<Vec<_>>(), [RouteTarget::with_as(65000, 100)]);
}

#[test]
fn own_open_is_these_octets() {
    let open = Open {
        local_as: AsNumber(4_200_000_001),
        hold_time: 90,
        router_id: RouterId(Ipv4Addr::new(10, 0, 0, 1)),
        families: FamilySet::EMPTY.with(Family::VpnIpv4),
        route_refresh: true,
        four_octet_as: true,
        graceful_restart: None,
        other_capabilities: Vec::new(),
    };
    let mut out = Vec::new();
    open.encode(&mut out);
    let body = hex("04 5ba0 005a 0a000001 10 020e 0104 00010080 0200 4104 fa56ea01");
    assert_eq!(out, framed(1, &body));
    assert_eq!(open::decode(&body), Ok(open));
}

#[test]
fn keepalive_and_refresh_are_these_octets() {
    let mut out = Vec::new();
    message::encode_keepalive(&mut out);
    message::encode_refresh(Family::VpnIpv6, &mut out);
    assert_eq!(out, [framed(4, &[]), framed(5, &hex("0002 00 80"))].concat());
    assert_eq!(message::decode_refresh(&hex("0002 ff 80")), Some(Family::VpnIpv6));
    assert_eq!(message::decode_refresh(&hex("0019 00 46")), None);
}

/// Label fields as other speakers write them into withdrawals: RFC 8277, FRR 8.4.4, BIRD 2.0.12,
/// GoBGP 3.10 (the last label), and a stack repeated whole.
#[test]
fn label_field_of_a_withdrawal_says_nothing() {
    let cases = [
        ("70 800000 0000fde800000001 c0a801", "0:65000:1 192.168.1.0/24"),
        ("70 000000 0000fde800000001 c0a801", "0:65000:1 192.168.1.0/24"),
        ("70 000001 0000fde800000001 c0a801", "0:65000:1 192.168.1.0/24"),
        ("70 003e91 0000fde800000001 c0a801", "0:65000:1 192.168.1.0/24"),
        ("70 003e90 0000fde800000001 c0a801", "0:65000:1 192.168.1.0/24"),
        ("88 003e90 07d011 0000fde800000001 c0a801", "0:65000:1 192.168.1.0/24"),
        ("78 003e90 07d011 0000fde800000001 0a", "0:65000:1 10.0.0.0/8"),
        ("58 800000 0000fde800000001", "0:65000:1 0.0.0.0/0"),
    ];
    for (route, key) in cases {
        let bytes = hex(route);
        let nlri = bgp::nlri::Nlri { family: Family::VpnIpv4, bytes: &bytes, withdrawn: true };
        assert_eq!(vpn_routes(nlri), [VpnNlri { key: vpn_key(key), label: None }], "{route}");
    }
}

/// FRR 8.4.4 as reflector sends label 100 as 0x000643; labels 0 and 3 are labels.
#[test]
fn traffic_class_and_host_bits_are_masked() {
    let cases = [
        ("70 000643 0000fde800000001 c0a801", 100, "0:65000:1 192.168.1.0/24"),
        ("70 000001 0000fde800000001 c0a801", 0, "0:65000:1 192.168.1.0/24"),
        ("70 000031 0000fde800000001 c0a801", 3, "0:65000:1 192.168.1.0/24"),
        ("6c 000640 0000fde800000001 c0a8ff", 100, "0:65000:1 192.168.240.0/20"),
    ];
    for (route, label, key) in cases {
        let bytes = hex(route);
        let nlri = bgp::nlri::Nlri { family: Family::VpnIpv4, bytes: &bytes, withdrawn: false };
        assert_eq!(vpn_routes(nlri), [labelled(key, label)], "{route}");
    }
}
