//! BGP with FRR: VPN routes between loopbacks, over links with IS-IS and segment routing.
//!
//! FRR's kernel here forwards no MPLS, so FRR is never on the way of packets: next to us it sees the
//! route's label popped, and where packets are to arrive there is another router of ours.

#![expect(clippy::indexing_slicing, reason = "what is missing in JSON reads as null")]

use core::net::IpAddr;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use model::config::RouterConfig;
use serde_json::Value;

use crate::capture::Capture;
use crate::daemon::{Daemon, interfaces};
use crate::frr::Frr;
use crate::net::Net;
use crate::plan::{self, loopback};
use crate::vpn::{
    PATIENCE, SOON, add_vrf, beside, essence, frr_bgp, label_of, prefix, session, target,
    wait_for_session, way,
};
use crate::wait::{holds_for, wait_for};

/// Our router and its VRF.
const OURS: (&str, &str) = ("r1", "vrf-1");

/// The VRF of FRR's router 2 towards the region: labels and route targets are what differs.
fn frr_vrf(family: &str, label: u32, target: u32) -> String {
    format!(
        "router bgp 65000 vrf cust
 bgp router-id 10.255.0.2
 address-family {family} unicast
  redistribute connected
  label vpn export {label}
  rd vpn export 65000:2
  rt vpn both 65000:{target}
  export vpn
  import vpn
 exit-address-family
exit
"
    )
}

/// FRR as router 2: a provider edge with the LAN of VRF 2 in a VRF of its own.
struct Edge {
    net: Net,
    /// What it is told of BGP.
    bgp: String,
}

impl Edge {
    /// `session` and `instance` are more lines about the neighbour and the instance.
    fn new(session: &str, instance: &str) -> Self {
        let net = Net::new(&["r1", "r2", "cust"]);
        net.link(("r1", "to-r2"), ("r2", "to-r1"));
        net.link(("cust", "lan"), ("cust", "far-end"));
        for lan in ["10.2.0.1/24", "fd00:2::1/64"] {
            net.address("cust", "lan", lan);
        }
        net.address("r2", "lo", "10.255.0.2/32");
        net.address("r2", "to-r1", "10.1.2.2/24");
        let bgp = frr_bgp(2, 1, session, "")
            + &format!("router bgp 65000\n{instance}\nexit\n")
            + &frr_vrf("ipv4", 2002, 100)
            + &frr_vrf("ipv6", 2003, 100);
        Self { net, bgp }
    }

    fn start(&self) -> Frr {
        let text = plan::frr_isis(2, "", "") + &plan::frr_link(2, 1, 10, "") + &self.bgp;
        let vrfs = [("cust", "cust")];
        Frr::start_with_vrfs(&self.net, "r2", &vrfs, &["isisd", "bgpd"], &text)
    }

    fn daemon(&self, config: &RouterConfig) -> Daemon {
        Daemon::start(&self.net, "r1", config, &interfaces(&[("to-r2", "to-r2")]))
    }
}

/// Our router 1 beside router 2, with VRF 1.
fn ours() -> RouterConfig {
    let mut config = beside(1, 2);
    add_vrf(&mut config, 1, &[100], &[100]);
    config
}

/// What FRR says of a prefix in a table, `ipv4 vpn` or `vrf cust ipv4 unicast`: its best path.
pub(crate) fn best(frr: &Frr, table: &str, prefix: &str) -> Result<Value, Value> {
    let answer = frr.json(&format!("show bgp {table} {prefix} json"));
    let routes = answer.as_object().into_iter().flat_map(|object| object.values());
    let paths = [&answer].into_iter().chain(routes).filter_map(|route| route.get("paths"));
    let is_best = |path: &&Value| path["bestpath"]["overall"] == true && path["valid"] == true;
    let found = paths.filter_map(Value::as_array).flatten().find(is_best).cloned();
    found.ok_or(answer)
}

/// The next hop, label and route targets that FRR says a VPN route of ours has.
pub(crate) fn seen(path: &Value) -> (IpAddr, u32, String) {
    let hop = path["nexthops"][0]["ip"].as_str().and_then(|hop| hop.parse::<IpAddr>().ok());
    let label = path["remoteLabel"].as_u64().and_then(|label| u32::try_from(label).ok());
    let targets = path["extendedCommunity"]["string"].as_str().unwrap_or_default();
    (hop.expect("a next hop").to_canonical(), label.expect("a label"), targets.to_owned())
}

/// A number that FRR has about its neighbour, our router 1.
pub(crate) fn about_us(frr: &Frr, pointer: &str) -> Value {
    let answer = frr.json("show bgp neighbors 10.255.0.1 json");
    answer["10.255.0.1"].pointer(pointer).cloned().unwrap_or_default()
}

/// Waits until our VRF's way to a prefix is under this label.
fn wait_for_label(daemon: &Daemon, to: &str, label: u32) {
    wait_for(&format!("{to} under {label}"), SOON, || match way(daemon, OURS, prefix(to)) {
        Ok(way) if way.label.value() == label => Ok(()),
        other => Err(other),
    });
}

fn wait_for_loss(daemon: &Daemon, to: &str) {
    wait_for(&format!("end of {to}"), SOON, || match way(daemon, OURS, prefix(to)) {
        Ok(way) => Err(way),
        Err(_) => Ok(()),
    });
}

/// Waits until FRR's VRF uses our route to a prefix; how the VPN route looks there.
fn wait_until_used(frr: &Frr, family: &str, to: &str) -> (IpAddr, u32, String) {
    wait_for(&format!("{to} at FRR"), SOON, || {
        best(frr, &format!("vrf cust {family} unicast"), to)?;
        best(frr, &format!("{family} vpn"), to).map(|path| seen(&path))
    })
}

fn wait_until_unknown(frr: &Frr, family: &str, to: &str) {
    for table in [format!("vrf cust {family} unicast"), format!("{family} vpn")] {
        wait_for(&format!("end of {to} at FRR"), SOON, || match best(frr, &table, to) {
            Ok(path) => Err(path),
            Err(_) => Ok(()),
        });
    }
}

/// Agreed: routes of both families pass both ways with next hop, label and route target as the other
/// side means them, and are imported by their target; withdrawals, other targets and other labels
/// alone follow.
///
/// Able to fail: another target takes the routes away and the former one brings them back, every
/// comparison sees two values in turn. With `add_vrf(…, &[101])` for the VRF's export the test ends
/// with "no 10.1.0.0/24 at FRR", the answer being `{}`.
#[test]
fn vpn_routes_of_both_families_pass_both_ways_and_follow_every_change() {
    let edge = Edge::new("", "");
    let _capture = Capture::start(&edge.net, "r2", "to-r1", "bgp-frr-routes");
    let frr = edge.start();
    let mut config = ours();
    let daemon = edge.daemon(&config);
    wait_for_session(&daemon, "r2");
    let since = session(&daemon, "r2").since;
    let label = label_of(&daemon, "r1", "vrf-1");
    let as_meant = |label| (IpAddr::from(loopback(1)), label, "RT:65000:100".to_owned());
    assert_eq!(wait_until_used(&frr, "ipv4", "10.1.0.0/24"), as_meant(label));
    assert_eq!(wait_until_used(&frr, "ipv6", "fd00:1::/64"), as_meant(label));
    for (to, label) in [("10.2.0.0/24", 2002), ("fd00:2::/64", 2003)] {
        wait_for_label(&daemon, to, label);
        let way = way(&daemon, OURS, prefix(to)).expect("it is there");
        assert_eq!(way.rd.to_string(), "0:65000:2");
        let expected = (loopback(2).into(), label, BTreeSet::from([target(100)]));
        assert_eq!(essence(&way), expected, "{way:?}");
    }

    // Other labels and targets of theirs, and the end of a route.
    frr.configure(&frr_vrf("ipv4", 2009, 100));
    wait_for_label(&daemon, "10.2.0.0/24", 2009);
    frr.configure(&frr_vrf("ipv4", 2009, 101));
    wait_for_loss(&daemon, "10.2.0.0/24");
    frr.configure(&frr_vrf("ipv4", 2009, 100));
    wait_for_label(&daemon, "10.2.0.0/24", 2009);
    let vrf = "router bgp 65000 vrf cust\n address-family ipv4 unicast\n";
    frr.configure(&format!("{vrf}  no redistribute connected\nexit\n"));
    wait_for_loss(&daemon, "10.2.0.0/24");
    wait_for_label(&daemon, "fd00:2::/64", 2003);

    // Another label of ours, because a VRF by another name is another VRF, and the end of a route.
    config.vrfs[0].name = "renamed".to_owned();
    put_in_force(&daemon, &mut config);
    let renamed = label_of(&daemon, "r1", "renamed");
    assert_ne!(renamed, label);
    for table in ["vrf cust ipv4 unicast", "ipv4 vpn"] {
        wait_for("the new label at FRR", SOON, || {
            let path = best(&frr, table, "10.1.0.0/24")?;
            if seen(&path) == as_meant(renamed) { Ok(()) } else { Err(path) }
        });
    }
    config.vrfs[0].export.remove(0);
    put_in_force(&daemon, &mut config);
    wait_until_unknown(&frr, "ipv4", "10.1.0.0/24");
    assert_eq!(wait_until_used(&frr, "ipv6", "fd00:1::/64"), as_meant(renamed));
    assert_eq!(session(&daemon, "r2").since, since, "all over one session");
}

/// Gives a router a changed configuration.
pub(crate) fn put_in_force(daemon: &Daemon, config: &mut RouterConfig) {
    config.generation += 1;
    daemon.reconfigure(config);
}

/// A host on the LAN of a VRF of a router's.
pub(crate) fn add_host(net: &Net, router: &str, number: u8) -> String {
    let host = format!("host-{number}");
    net.link((router, &format!("lan-{number}")), (&host, "eth0"));
    for (own, all, gateway) in [
        (format!("10.{number}.0.9/24"), "0.0.0.0/0", format!("10.{number}.0.1")),
        (format!("fd00:{number}::9/64 nodad"), "::/0", format!("fd00:{number}::1")),
    ] {
        net.run(&host, &format!("ip addr add {own} dev eth0"));
        net.run(&host, &format!("ip route add {all} via {gateway}"));
    }
    host
}

/// Whether an answer comes to one of three pings.
pub(crate) fn answers(net: &Net, from: &str, to: &str) -> bool {
    let mut command = net.command(from, "ping");
    let output = command.args(["-c", "3", "-i", "0.2", "-W", "1", "-w", "2", to]).output();
    output.expect("ping runs").status.success()
}

/// Three routers, each with a link to the others; FRR is to be the second.
pub(crate) fn triangle() -> Net {
    let net = Net::new(&["r1", "r2", "r3", "host-1", "host-3"]);
    for (a, b) in [(1, 2), (2, 3), (1, 3)] {
        net.link((&format!("r{a}"), &format!("to-r{b}")), (&format!("r{b}"), &format!("to-r{a}")));
    }
    for (interface, address) in
        [("lo", "10.255.0.2/32"), ("to-r1", "10.1.2.2/24"), ("to-r3", "10.2.3.2/24")]
    {
        net.address("r2", interface, address);
    }
    net
}

/// Agreed: FRR reflects our routes to our other router as they are, and packets go straight there;
/// labels that change pass the reflector.
///
/// Able to fail: while FRR is not told to reflect, both routes and both pings' answers are missing.
#[test]
fn routes_that_frr_reflects_lead_packets_from_one_of_our_routers_to_the_other() {
    let net = triangle();
    let host = add_host(&net, "r1", 1);
    add_host(&net, "r3", 3);
    let _capture = Capture::start(&net, "r1", "to-r3", "bgp-frr-reflected");
    let reflecting = |yes: &str| {
        let client = format!("{yes}neighbor 10.255.0.1 route-reflector-client");
        let other = client.replace("0.1", "0.3");
        let family = |name: &str| {
            format!(" address-family {name} vpn\n  {client}\n  {other}\n exit-address-family\n")
        };
        format!("router bgp 65000\n{}{}exit\n", family("ipv4"), family("ipv6"))
    };
    let text = plan::frr_isis(2, "", "")
        + &plan::frr_link(2, 1, 10, "")
        + &plan::frr_link(2, 3, 10, "")
        + &frr_bgp(2, 1, "", "")
        + &frr_bgp(2, 3, "", "");
    let frr = Frr::start(&net, "r2", &["isisd", "bgpd"], &text);
    let run = |number: u8, other: u8| {
        let mut config = beside(number, 2);
        config.ports.push(plan::core_link(number, other, 10));
        add_vrf(&mut config, number, &[100], &[100]);
        let ports = [format!("to-r{other}"), format!("lan-{number}")];
        let ports = [("to-r2", "to-r2"), (&*ports[0], &*ports[0]), (&*ports[1], &*ports[1])];
        (Daemon::start(&net, &format!("r{number}"), &config, &interfaces(&ports)), config)
    };
    let ((one, _), (three, mut config)) = (run(1, 3), run(3, 1));
    for daemon in [&one, &three] {
        wait_for_session(daemon, "r2");
    }
    let lost = |to: &str| match way(&one, OURS, prefix(to)) {
        Ok(way) => Err(way),
        Err(_) => Ok(()),
    };
    let found = |to: &str, vrf: &str| {
        let label = label_of(&three, "r3", vrf);
        let expected = (loopback(3).into(), label, BTreeSet::from([target(100)]));
        wait_for(&format!("{to} of r3"), SOON, || match way(&one, OURS, prefix(to)) {
            Ok(way) if essence(&way) == expected && way.neighbour == "r2" => Ok(()),
            other => Err(other),
        });
    };
    let far = ["10.3.0.0/24", "fd00:3::/64"];
    let hosts = ["10.3.0.9", "fd00:3::9"];
    for _ in 0..2 {
        for to in far {
            wait_for(&format!("end of {to}"), SOON, || lost(to));
        }
        for to in hosts {
            assert!(!answers(&net, &host, to), "{to} answers");
        }
        frr.configure(&reflecting(""));
        far.iter().for_each(|to| found(to, "vrf-3"));
        for to in hosts {
            assert!(answers(&net, &host, to), "{to} does not answer");
        }
        frr.configure(&reflecting("no "));
    }
    frr.configure(&reflecting(""));
    far.iter().for_each(|to| found(to, "vrf-3"));
    config.vrfs[0].name = "renamed".to_owned();
    put_in_force(&three, &mut config);
    far.iter().for_each(|to| found(to, "renamed"));
    assert!(answers(&net, &host, "10.3.0.9"), "packets go under the new label");
}

/// Agreed: when FRR asks for our routes again it gets them.
///
/// Able to fail: FRR has thrown them away by then, because a route-map denied them, and keeps no
/// copy of what is denied; without an answer to its request they would stay away.
#[test]
fn routes_are_sent_again_when_frr_asks_for_them() {
    let edge = Edge::new("", "");
    let frr = edge.start();
    let daemon = edge.daemon(&ours());
    wait_for_session(&daemon, "r2");
    let since = session(&daemon, "r2").since;
    for (family, to) in [("ipv4", "10.1.0.0/24"), ("ipv6", "fd00:1::/64")] {
        let first = wait_until_used(&frr, family, to);
        let filter = |no: &str| {
            format!(
                "route-map NOTHING deny 10
exit
router bgp 65000
 address-family {family} vpn
  {no}neighbor 10.255.0.1 route-map NOTHING in
 exit-address-family
exit
"
            )
        };
        frr.configure(&filter(""));
        wait_until_unknown(&frr, family, to);
        // FRR asks by itself when it is told to look at routes otherwise.
        frr.configure(&filter("no "));
        assert_eq!(wait_until_used(&frr, family, to), first);
        let count = |what: &str| about_us(&frr, &format!("/messageStats/{what}")).as_u64();
        let (asked, heard) = (count("routeRefreshSent"), count("updatesRecv"));
        frr.vtysh(&format!("clear bgp {family} vpn * soft in"));
        wait_for("an answer", SOON, || {
            let now = (count("routeRefreshSent"), count("updatesRecv"));
            if now.0 > asked && now.1 > heard { Ok(()) } else { Err(now) }
        });
        assert_eq!(wait_until_used(&frr, family, to), first);
    }
    assert_eq!(session(&daemon, "r2").since, since, "all over one session");
}

/// Agreed: the shorter hold time of both counts, up to the longest there is, and 0 for none.
///
/// Able to fail: four pairs lead to four different results.
#[test]
fn shorter_hold_time_of_both_sides_counts() {
    let edge = Edge::new("", "");
    let frr = edge.start();
    let mut config = ours();
    let daemon = edge.daemon(&config);
    for (own, theirs, agreed) in
        [(9, "60 180", 9), (65_535, "60 180", 180), (65_535, "21845 65535", 65_535), (0, "1 3", 0)]
    {
        config.bgp.hold_time_s = own;
        put_in_force(&daemon, &mut config);
        frr.configure(&format!("router bgp 65000\n neighbor 10.255.0.1 timers {theirs}\nexit\n"));
        frr.vtysh("clear bgp *");
        wait_for(&format!("{own} and {theirs}: {agreed} s"), PATIENCE, || {
            let state = about_us(&frr, "/bgpState");
            let time = about_us(&frr, "/bgpTimerHoldTimeMsecs");
            let is_so = state == "Established" && time == 1000 * agreed;
            if is_so && session(&daemon, "r2").up { Ok(()) } else { Err((state, time)) }
        });
    }
}

/// Agreed: whoever ends the session says why, and the other side understands it: FRR that is shut
/// down, we when FRR is silent for as long as the hold time, and we when we are stopped.
///
/// Able to fail: a router of ours that is killed says nothing, and FRR keeps the session and what it
/// last heard. Before a router said goodbye when it is stopped, the test ended with "no word from a
/// router that is stopped", FRR's session being `Established`.
#[test]
fn who_ends_a_session_says_why_and_is_understood() {
    let edge = Edge::new("", "");
    let _capture = Capture::start(&edge.net, "r2", "to-r1", "bgp-frr-ends");
    let frr = edge.start();
    let mut config = ours();
    config.bgp.hold_time_s = 3;
    let mut daemon = edge.daemon(&config);
    wait_for_session(&daemon, "r2");

    let start = Instant::now();
    let neighbour = "router bgp 65000\n";
    frr.configure(&format!("{neighbour} neighbor 10.255.0.1 shutdown message for a day\nexit\n"));
    let reason = "ended by the peer: cease: administrative shutdown";
    daemon.event(start, SOON, "session", &[("neighbour", "r2"), ("reason", reason)]);
    wait_for_loss(&daemon, "10.2.0.0/24");
    holds_for("the reason shown", Duration::from_secs(2), || {
        let shown = session(&daemon, "r2").reason;
        if shown.as_deref() == Some(reason) { Ok(()) } else { Err(shown) }
    });
    frr.configure(&format!("{neighbour} no neighbor 10.255.0.1 shutdown\nexit\n"));
    wait_for_session(&daemon, "r2");

    let told = || {
        ["/bgpState", "/lastNotificationReason"]
            .map(|what| about_us(&frr, what).as_str().map(str::to_owned).unwrap_or_default())
    };
    let start = Instant::now();
    edge.net.run("r2", "ip rule add pref 1 to 10.255.0.1 ipproto tcp prohibit");
    let reason = "ended here: hold timer expired";
    daemon.event(start, SOON, "session", &[("neighbour", "r2"), ("reason", reason)]);
    wait_for("FRR to hear of it", SOON, || match told() {
        [_, word] if word == "Hold Timer Expired" => Ok(()),
        other => Err(other),
    });
    edge.net.run("r2", "ip rule del pref 1");
    wait_for_session(&daemon, "r2");

    assert!(daemon.stop().success());
    wait_for("word from a router that is stopped", Duration::from_secs(1), || match told() {
        [state, word] if state != "Established" && word == "Cease/Administrative Shutdown" => {
            Ok(())
        }
        other => Err(other),
    });
    let mut daemon = edge.daemon(&config);
    wait_for_session(&daemon, "r2");
    daemon.kill();
    holds_for("silence", Duration::from_secs(1), || match told() {
        [state, _] if state == "Established" => Ok(()),
        other => Err(other),
    });
}
