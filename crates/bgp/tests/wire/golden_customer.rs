//! Messages of other people's routers on the far side of an attachment, byte for byte.
//!
//! Origin: FRR 8.4.4 and BIRD 2.0.12 as customers' routers (AS 65102, 172.16.2.2, an IPv4 session
//! for both families, `graceful restart on`), taken on the wire.

use core::net::{IpAddr, Ipv4Addr};

use base::{AsNumber, Prefix};
use bgp::error::Verdict;
use bgp::graceful_restart::GracefulRestart;
use bgp::nlri::{Nlri, Routes};
use bgp::open;
use bgp::route::{AsSegment, Family, FamilySet, PathAttributes};
use bgp::update::{Context, Writer};

use super::{decode, external, framed, hex};

pub(crate) const FRR_OPEN: &str =
    "04fe4e00b4ac1002025c0206010400010001020601040002000102028000020202000202460002
    0641040000fe4e02020600020a450800010101000201010206490402766d00020c400ac0780001010000
    0201000210470e0001018000000000020180000000";
pub(crate) const BIRD_OPEN: &str =
    "04fe4e005aac1002022602240104000100010104000200010200400a00780001010000020100
    41040000fe4e46004700";
pub(crate) const FRR_V4: &str =
    "0000001c400101005002000602010000fe4e400304ac1002028004040000000018cb0071";
pub(crate) const BIRD_V4: &str = "000000144001010040020602010000fe4e400304ac10020218cb0071";
/// The next hop is a global address and a link-local one.
pub(crate) const FRR_V6: &str =
    "00000045900e002c0002012020010db8000200000000000000000002fe80000000000000807eadfffee84036
    003020010db80077400101005002000602010000fe4e80040400000000";
pub(crate) const BIRD_V6: &str =
    "0000003d900e002c0002012020010db8000200000000000000000002fe80000000000000807eadfffee84036
    003020010db800774001010040020602010000fe4e";
/// From an attachment without a global address: the link-local one twice.
pub(crate) const FRR_V6_LINK_LOCAL: &str =
    "00000045900e002c00020120fe80000000000000f447defffec35dd4fe80000000000000f447defffec35dd4
    003020010db80077400101005002000602010000fe4e80040400000000";
pub(crate) const FRR_WITHDRAWN_V4: &str = "000418cb00710000";
pub(crate) const WITHDRAWN_V6: &str = "0000000e900f000a0002013020010db80077";

fn customer() -> Context {
    Context { peer_as: AsNumber(65102), ..external() }
}

fn prefixes(nlri: Nlri<'_>) -> Vec<String> {
    match nlri.routes() {
        Routes::Unicast(routes) => {
            routes.map(|route| route.expect("sound route").to_string()).collect()
        }
        Routes::Vpn(_) | Routes::Membership(_) => Vec::new(),
    }
}

fn attributes(med: Option<u32>) -> PathAttributes {
    let as_path = vec![AsSegment::Sequence(vec![AsNumber(65102)])];
    PathAttributes { as_path, med, ..PathAttributes::originated() }
}

#[test]
fn restarts_in_the_open_messages_of_frr_and_bird_are_read() {
    let plain = FamilySet::UNICAST;
    for (text, restarting, others) in
        [(FRR_OPEN, true, vec![128, 70, 6, 69, 73, 71]), (BIRD_OPEN, false, vec![70, 71])]
    {
        let open = open::decode(&hex(text)).unwrap();
        // Neither has been through a restart yet, so neither sets a Forwarding State bit.
        let expected =
            GracefulRestart { restarting, time: 120, families: plain, preserved: FamilySet::EMPTY };
        assert_eq!(open.graceful_restart, Some(expected));
        assert_eq!((open.families, open.other_capabilities), (plain, others));
    }
}

#[test]
fn ipv4_routes_of_customers_are_read_and_written_back() {
    for (text, med) in [(FRR_V4, Some(0)), (BIRD_V4, None)] {
        let body = hex(text);
        let update = decode(&body, &customer());
        assert_eq!(update.verdict, Verdict::Accept);
        assert_eq!(update.attributes, Some(attributes(med)));
        let reach: Vec<_> = update.announced().collect();
        assert_eq!(reach[0].next_hop, IpAddr::V4(Ipv4Addr::new(172, 16, 2, 2)));
        assert_eq!(prefixes(reach[0].nlri), ["203.0.113.0/24"]);

        let mut out = Vec::new();
        let (family, next_hop) = (Family::Ipv4Unicast, reach[0].next_hop);
        let mut writer =
            Writer::announce(family, &attributes(med), next_hop, true, &mut out).unwrap();
        writer.push_prefix("203.0.113.0/24".parse::<Prefix>().unwrap());
        writer.finish();
        // FRR writes AS_PATH with a length of two octets; nothing else differs.
        let shorter = text.replace("50020006", "400206").replacen("0000001c", "0000001b", 1);
        assert_eq!(out, framed(2, &hex(&shorter)));
    }
}

#[test]
fn next_hops_of_ipv6_routes_are_the_global_address_or_where_there_is_none_the_other() {
    let global = "2001:db8:2::2";
    let local = "fe80::f447:deff:fec3:5dd4";
    let left_out = FRR_V6_LINK_LOCAL.replacen(
        "fe80000000000000f447defffec35dd4",
        "00000000000000000000000000000000",
        1,
    );
    let cases = [
        (FRR_V6, global, Some(0)),
        (BIRD_V6, global, None),
        (FRR_V6_LINK_LOCAL, local, Some(0)),
        (left_out.as_str(), local, Some(0)),
    ];
    for (text, next_hop, med) in cases {
        let body = hex(text);
        let update = decode(&body, &customer());
        assert_eq!(
            (update.verdict, update.attributes.clone()),
            (Verdict::Accept, Some(attributes(med)))
        );
        let reach = update.announced().next().unwrap();
        assert_eq!(reach.next_hop.to_string(), next_hop);
        assert_eq!(prefixes(reach.nlri), ["2001:db8:77::/48"]);
    }
}

#[test]
fn withdrawals_of_customers_are_read_and_written_alike() {
    for (text, family, prefix) in [
        (FRR_WITHDRAWN_V4, Family::Ipv4Unicast, "203.0.113.0/24"),
        (WITHDRAWN_V6, Family::Ipv6Unicast, "2001:db8:77::/48"),
    ] {
        let body = hex(text);
        let update = decode(&body, &customer());
        let withdrawn: Vec<_> = update.withdrawn().flat_map(prefixes).collect();
        assert_eq!((withdrawn, update.announced().count()), (vec![prefix.to_owned()], 0));
        let mut out = Vec::new();
        let mut writer = Writer::withdraw(family, &mut out);
        writer.push_prefix(prefix.parse::<Prefix>().unwrap());
        writer.finish();
        // FRR and this speaker alike write the length of MP_UNREACH_NLRI in two octets.
        assert_eq!(out, framed(2, &body));
    }
}

#[test]
fn the_end_of_ipv4_routes_is_an_empty_update() {
    let body = hex("00000000");
    assert_eq!(decode(&body, &customer()).end_of_rib(), Some(Family::Ipv4Unicast));
}

#[test]
fn customers_updates_cut_anywhere_are_refused_or_withdraw() {
    for text in [FRR_V4, BIRD_V4, FRR_V6, BIRD_V6, FRR_WITHDRAWN_V4, WITHDRAWN_V6] {
        let body = hex(text);
        for len in 0..body.len() {
            match bgp::update::decode(&body[..len], &customer()) {
                Err(_) => {}
                // Four octets of zero or the whole of the withdrawn field are messages themselves.
                Ok(update) => assert_eq!(update.announced().count(), 0, "{text} cut to {len}"),
            }
        }
    }
}
