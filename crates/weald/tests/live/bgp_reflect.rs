//! Our router as the route reflector of two that are FRR.

#![expect(clippy::indexing_slicing, reason = "what is missing in JSON reads as null")]

use base::RouterId;
use model::config::NeighbourKind;
use serde_json::Value;

use crate::bgp_frr::{best, put_in_force, seen};
use crate::daemon::{Daemon, interfaces};
use crate::frr::Frr;
use crate::net::Net;
use crate::plan::{self, loopback};
use crate::vpn::{SOON, beside, frr_bgp, wait_for_session};
use crate::wait::wait_for;

const FAMILIES: [&str; 2] = ["ipv4", "ipv6"];

/// What router N is told to announce, or with `no ` not to announce any more: 10.N.0.0/24 and
/// fd00:N::/64 under a label.
fn routes(no: &str, router: u8, label: u32) -> String {
    let line = |prefix: String| {
        let map = if no.is_empty() { "route-map TARGET" } else { "" };
        format!("  {no}network {prefix} rd 65000:{router} label {label} {map}\n")
    };
    format!(
        "route-map TARGET permit 10
 set extcommunity rt 65000:100
exit
router bgp 65000
 address-family ipv4 vpn
{} exit-address-family
 address-family ipv6 vpn
{} exit-address-family
exit
",
        line(format!("10.{router}.0.0/24")),
        line(format!("fd00:{router}::/64")),
    )
}

/// The best path that FRR has to what router N announces.
fn path_to(frr: &Frr, family: &str, router: u8) -> Result<Value, Value> {
    let (v4, v6) = (format!("10.{router}.0.0/24"), format!("fd00:{router}::/64"));
    best(frr, &format!("{family} vpn"), if family == "ipv4" { &v4 } else { &v6 })
}

/// Waits until FRR has the routes of router N, under this label and as they were.
fn wait_for_routes(frr: &Frr, router: u8, label: u32) {
    let expected = (loopback(router).into(), label, "RT:65000:100".to_owned());
    for family in FAMILIES {
        let path = wait_for(&format!("{family} of r{router} under {label}"), SOON, || {
            let path = path_to(frr, family, router)?;
            if seen(&path) == expected { Ok(path) } else { Err(path) }
        });
        assert_eq!(path["originatorId"], loopback(router).to_string());
        assert_eq!(path["clusterList"]["list"], serde_json::json!(["10.255.0.100"]));
    }
}

fn wait_for_loss(frr: &Frr, router: u8) {
    for family in FAMILIES {
        wait_for(&format!("end of {family} of r{router}"), SOON, || {
            match path_to(frr, family, router) {
                Ok(path) => Err(path),
                Err(_) => Ok(()),
            }
        });
    }
}

/// Agreed: between two clients, both FRR, we pass routes with next hop, label and targets as they
/// are, and say who originated them and which cluster they passed; ends of routes and other labels
/// pass us.
///
/// Able to fail: as soon as neither is a client any more, the routes are gone; where neither ever is,
/// the test ends with "no ipv4 of r3 under 1003".
#[test]
fn we_reflect_routes_between_two_clients_that_are_frr() {
    let names = ["r1", "r2", "r3"];
    let net = Net::new(&names);
    let loopbacks =
        [("r2", "10.255.0.2/32", "10.1.2.2/24"), ("r3", "10.255.0.3/32", "10.1.3.3/24")];
    for (name, own, on_link) in loopbacks {
        net.link(("r1", &format!("to-{name}")), (name, "to-r1"));
        net.address(name, "lo", own);
        net.address(name, "to-r1", on_link);
    }
    let start = |router: u8| {
        let text = plan::frr_isis(router, "", "")
            + &plan::frr_link(router, 1, 10, "")
            + &frr_bgp(router, 1, "", "")
            + &routes("", router, 1000 + u32::from(router));
        Frr::start(&net, &format!("r{router}"), &["isisd", "bgpd"], &text)
    };
    let (two, three) = (start(2), start(3));
    let mut config = beside(1, 2);
    config.ports.push(plan::core_link(1, 3, 10));
    config.neighbours.push(plan::internal(1, 3));
    config.bgp.cluster_id = Some(RouterId([10, 255, 0, 100].into()));
    for neighbour in &mut config.neighbours {
        neighbour.kind = NeighbourKind::Internal { client: true };
    }
    let ports = interfaces(&[("to-r2", "to-r2"), ("to-r3", "to-r3")]);
    let daemon = Daemon::start(&net, "r1", &config, &ports);
    for name in ["r2", "r3"] {
        wait_for_session(&daemon, name);
    }
    wait_for_routes(&two, 3, 1003);
    wait_for_routes(&three, 2, 1002);
    // FRR takes no other label for a route that it has.
    two.configure(&routes("no ", 2, 1002));
    wait_for_loss(&three, 2);
    two.configure(&routes("", 2, 2002));
    wait_for_routes(&three, 2, 2002);
    for neighbour in &mut config.neighbours {
        neighbour.kind = NeighbourKind::Internal { client: false };
    }
    put_in_force(&daemon, &mut config);
    wait_for_loss(&two, 3);
    wait_for_loss(&three, 2);
}
