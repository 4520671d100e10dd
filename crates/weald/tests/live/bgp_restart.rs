//! Graceful restart of FRR beside us, who have the helper's part.
//!
//! FRR is the route reflector of two routers of ours, which also have a link of their own: packets
//! between them need what FRR has said, and not FRR.

#![expect(clippy::indexing_slicing, reason = "there is one neighbour")]

use std::time::{Duration, Instant};

use base::Prefix;
use model::view::PathView;

use crate::bgp_frr::{add_host, answers, triangle};
use crate::capture::Capture;
use crate::daemon::{Daemon, interfaces};
use crate::frr::Frr;
use crate::net::Net;
use crate::plan;
use crate::vpn::{
    PATIENCE, SOON, add_vrf, beside, frr_bgp, lan, prefix, session, wait_for_session, way,
};
use crate::wait::{holds_for, wait_for};

/// How long FRR asks for.
const RESTART_TIME: Duration = Duration::from_secs(6);

/// FRR's BGP: it reflects for routers 1 and 3 and has routes of its own, under these labels.
fn reflector(own: &[(&str, u32)]) -> String {
    let family = |name: &str, own: &str| {
        format!(
            " address-family {name} vpn
  neighbor 10.255.0.1 route-reflector-client
  neighbor 10.255.0.3 route-reflector-client
{own} exit-address-family
"
        )
    };
    let route = |(to, label): &(&str, u32)| {
        format!("  network {to} rd 65000:2 label {label} route-map TARGET\n")
    };
    let own: String = own.iter().map(route).collect();
    let time = RESTART_TIME.as_secs();
    format!(
        "route-map TARGET permit 10
 set extcommunity rt 65000:100
exit
router bgp 65000
 bgp graceful-restart
 bgp graceful-restart preserve-fw-state
 bgp graceful-restart restart-time {time}
 bgp graceful-restart select-defer-time 0
exit
{}{}router bgp 65000
{}{}exit
",
        frr_bgp(2, 1, "", ""),
        frr_bgp(2, 3, "", ""),
        family("ipv4", &own),
        family("ipv6", ""),
    )
}

fn daemon(net: &Net, number: u8, other: u8) -> Daemon {
    let mut config = beside(number, 2);
    // FRR calls every second; whoever is called need not know when it is ready.
    config.neighbours[0].passive = true;
    config.ports.push(plan::core_link(number, other, 10));
    add_vrf(&mut config, number, &[100], &[100]);
    let ports = ["to-r2", &format!("to-r{other}"), &format!("lan-{number}")];
    let ports = ports.map(|port| (port, port));
    Daemon::start(net, &format!("r{number}"), &config, &interfaces(&ports))
}

/// The way that router 1 has to a prefix.
fn found(one: &Daemon, to: Prefix) -> Result<PathView, String> {
    way(one, ("r1", "vrf-1"), to).map_err(|routes| format!("{to}: {routes:#?}"))
}

/// Agreed: when FRR dies that speaks of restarts, packets go on as it said, for as long as it asked
/// for; back again, what it says anew counts, and what it does not say any more ends with its
/// End-of-RIB. Not back in time, all of it ends.
///
/// Able to fail: without `preserve-fw-state` what was kept ends as soon as FRR is back, and the test
/// with "it is kept", there being no 10.3.0.0/24.
#[test]
fn routes_outlive_a_restart_of_frr_and_not_a_death() {
    let net = triangle();
    let host = add_host(&net, "r1", 1);
    add_host(&net, "r3", 3);
    let _capture = Capture::start(&net, "r2", "to-r1", "bgp-frr-restarts");
    let text = plan::frr_isis(2, "", "")
        + &plan::frr_link(2, 1, 10, "")
        + &plan::frr_link(2, 3, 10, "")
        + &reflector(&[("10.2.0.0/24", 1002), ("10.22.0.0/24", 1022)]);
    let mut frr = Frr::start(&net, "r2", &["isisd", "bgpd"], &text);
    let (one, three) = (daemon(&net, 1, 3), daemon(&net, 3, 1));
    for daemon in [&one, &three] {
        wait_for_session(daemon, "r2");
    }
    let [far, far_v6] = lan(3);
    let (stays, goes) = (prefix("10.2.0.0/24"), prefix("10.22.0.0/24"));
    let all = [far, far_v6, stays, goes];
    for to in all {
        wait_for(&format!("{to}"), SOON, || found(&one, to));
    }
    wait_for("packets", SOON, || if answers(&net, &host, "10.3.0.9") { Ok(()) } else { Err(()) });
    let kill = |frr: &mut Frr| {
        let start = Instant::now();
        frr.kill("bgpd");
        let fields = [("neighbour", "r2"), ("reason", "connection lost")];
        one.event(start, Duration::from_secs(1), "session", &fields);
        start
    };
    let keeps = |kept: &[Prefix]| kept.iter().try_for_each(|&to| found(&one, to).map(drop));

    kill(&mut frr);
    holds_for("kept without a session", Duration::from_secs(1), || {
        keeps(&all).and_then(|()| if session(&one, "r2").up { Err("up".into()) } else { Ok(()) })
    });
    assert!(answers(&net, &host, "10.3.0.9") && answers(&net, &host, "fd00:3::9"));
    frr.run_again("bgpd", &reflector(&[("10.2.0.0/24", 2002)]));
    let kept = [far, far_v6, stays];
    wait_for("end of what is not announced again", PATIENCE, || {
        keeps(&kept).expect("it is kept");
        if found(&one, goes).is_err() { Ok(()) } else { Err(session(&one, "r2")) }
    });
    assert!(session(&one, "r2").up);
    assert_eq!(found(&one, stays).expect("it is there").label.value(), 2002);
    holds_for("kept", Duration::from_secs(1), || keeps(&kept));
    assert!(answers(&net, &host, "10.3.0.9") && answers(&net, &host, "fd00:3::9"));

    let start = kill(&mut frr);
    wait_for("end of everything", RESTART_TIME + SOON, || {
        let left: Vec<_> = kept.iter().filter_map(|&to| found(&one, to).ok()).collect();
        if left.is_empty() { Ok(()) } else { Err(left) }
    });
    let time = start.elapsed();
    assert!(time > RESTART_TIME - Duration::from_millis(200), "{time:?}");
    println!("routes of a reflector that does not return ended after {time:?}");
    assert!(!answers(&net, &host, "10.3.0.9"));
}
