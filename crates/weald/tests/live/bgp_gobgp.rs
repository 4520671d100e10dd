//! BGP with GoBGP, beside an IS-IS of FRR that leads to it.
//!
//! GoBGP forwards nothing, and announces the routes of its VRFs under label 0: routes that packets
//! could take are given to it one by one.

#![expect(clippy::indexing_slicing, reason = "what is missing in JSON reads as null")]

use core::net::IpAddr;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use model::config::RouterConfig;
use serde_json::Value;

use crate::bgp_frr::put_in_force;
use crate::capture::Capture;
use crate::daemon::{Daemon, interfaces};
use crate::frr::Frr;
use crate::gobgp::Gobgp;
use crate::net::Net;
use crate::plan::{self, loopback};
use crate::vpn::{
    SOON, add_vrf, beside, essence, label_of, prefix, routes, session, target, wait_for_session,
    way,
};
use crate::wait::{holds_for, wait_for};

const VPN: [&str; 2] = ["l3vpn-ipv4-unicast", "l3vpn-ipv6-unicast"];
const WITH_MEMBERSHIPS: [&str; 3] = ["l3vpn-ipv4-unicast", "l3vpn-ipv6-unicast", "rtc"];
/// Our router and its first VRF.
const OURS: (&str, &str) = ("r1", "vrf-1");

/// What GoBGP, which is router 2, is told: its neighbour, router 1, and the families it speaks.
fn settings(families: &[&str], restarts: bool) -> String {
    let (own, other) = (loopback(2), loopback(1));
    let mut text = format!(
        "[global.config]
  as = 65000
  router-id = \"{own}\"
[[neighbors]]
  [neighbors.config]
    neighbor-address = \"{other}\"
    peer-as = 65000
  [neighbors.transport.config]
    local-address = \"{own}\"
  [neighbors.timers.config]
    connect-retry = 1
  [neighbors.graceful-restart.config]
    enabled = {restarts}
    restart-time = 20
"
    );
    for family in families {
        text += &format!(
            "  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = \"{family}\"
    [neighbors.afi-safis.mp-graceful-restart.config]
      enabled = {restarts}
"
        );
    }
    text
}

/// GoBGP on router 2, and the way to it.
struct Edge {
    net: Net,
    _capture: Option<Capture>,
    _frr: Frr,
    gobgp: Gobgp,
}

impl Edge {
    /// It has these VRFs, N with the distinguisher 65000:N and the LANs 10.N.0.0/24 and
    /// fd00:N::/64, which import and export one target.
    fn start(name: &str, settings: &str, vrfs: &[(u8, u32)]) -> Self {
        let net = Net::new(&["r1", "r2"]);
        net.link(("r1", "to-r2"), ("r2", "to-r1"));
        net.address("r2", "lo", "10.255.0.2/32");
        net.address("r2", "to-r1", "10.1.2.2/24");
        let capture = Capture::start(&net, "r2", "to-r1", name);
        let text = plan::frr_isis(2, "", "") + &plan::frr_link(2, 1, 10, "");
        let frr = Frr::start(&net, "r2", &["isisd"], &text);
        let gobgp = Gobgp::start(&net, "r2", settings);
        let edge = Self { net, _capture: capture, _frr: frr, gobgp };
        for &(number, target) in vrfs {
            edge.add_vrf(number, target);
            edge.gobgp.tell(&format!("vrf vrf-{number} rib add 10.{number}.0.0/24"));
            edge.gobgp.tell(&format!("vrf vrf-{number} rib add -a ipv6 fd00:{number}::/64"));
        }
        edge
    }

    fn add_vrf(&self, number: u8, target: u32) {
        self.gobgp.tell(&format!("vrf add vrf-{number} rd 65000:{number} rt both 65000:{target}"));
    }

    fn daemon(&self, config: &RouterConfig) -> Daemon {
        Daemon::start(&self.net, "r1", config, &interfaces(&[("to-r2", "to-r2")]))
    }

    /// The routes of a table, `vrf vrf-2 rib`, as GoBGP names them.
    fn names(&self, table: &str) -> BTreeSet<String> {
        let answer = self.gobgp.json(table);
        answer.as_object().into_iter().flat_map(|routes| routes.keys().cloned()).collect()
    }

    /// Waits until a table has a route, or has it no longer.
    fn wait_until(&self, table: &str, route: &str, is_there: bool) {
        wait_for(&format!("{route} in {table}: {is_there}"), SOON, || {
            let names = self.names(table);
            if names.contains(route) == is_there { Ok(()) } else { Err(names) }
        });
    }

    /// Next hop, label and route targets of a VPN route of ours.
    fn seen(&self, family: &str, route: &str) -> Option<(IpAddr, u64, Vec<Value>)> {
        let answer = self.gobgp.json(&format!("global rib -a {family}"));
        let path = answer.get(route)?.get(0)?;
        let attributes = path["attrs"].as_array()?;
        let attribute = |code: u64| attributes.iter().find(|one| one["type"] == code);
        let hop: IpAddr = attribute(14)?["nexthop"].as_str()?.parse().ok()?;
        let targets = attribute(16)?["value"].as_array()?;
        let targets = targets.iter().map(|target| target["value"].clone()).collect();
        Some((hop.to_canonical(), path["nlri"]["labels"][0].as_u64()?, targets))
    }
}

/// Our router 1 beside router 2, with VRFs that import and export one target each.
fn ours(vrfs: &[(u8, u32)]) -> RouterConfig {
    let mut config = beside(1, 2);
    for &(number, target) in vrfs {
        add_vrf(&mut config, number, &[target], &[target]);
    }
    config
}

/// Waits until our VRF has a way to a prefix, or has it no longer.
fn wait_for_way(daemon: &Daemon, vrf: &str, to: &str, is_there: bool) {
    wait_for(&format!("{to} in {vrf}: {is_there}"), SOON, || {
        let found = way(daemon, ("r1", vrf), prefix(to));
        if found.is_ok() == is_there { Ok(()) } else { Err(found) }
    });
}

/// Agreed: routes of both families pass both ways with distinguisher, next hop, label and route
/// target as the other side means them; VRFs import them by their target, and our packets would go
/// under their label. Withdrawals and other targets follow.
///
/// Able to fail: with another target for our VRF, `ours(&[(1, 101)])`, the test ends with "no
/// 65000:1:10.1.0.0/24 in vrf vrf-2 rib", which has its own 65000:2:10.2.0.0/24 alone.
#[test]
fn vrfs_of_gobgp_and_ours_import_each_others_routes_and_lose_them_again() {
    let edge = Edge::start("gobgp-routes", &settings(&VPN, false), &[(2, 100)]);
    let mut config = ours(&[(1, 100)]);
    let daemon = edge.daemon(&config);
    wait_for_session(&daemon, "r2");
    let since = session(&daemon, "r2").since;
    let label = u64::from(label_of(&daemon, "r1", "vrf-1"));
    let as_meant = |target: &str| (IpAddr::from(loopback(1)), label, vec![Value::from(target)]);
    let (v4, v6) = ("65000:1:10.1.0.0/24", "65000:1:fd00:1::/64");
    for (family, table, route) in
        [("vpnv4", "vrf vrf-2 rib", v4), ("vpnv6", "vrf vrf-2 rib -a ipv6", v6)]
    {
        edge.wait_until(table, route, true);
        assert_eq!(edge.seen(family, route), Some(as_meant("65000:100")));
    }
    // What it exports from its VRF says label 0; what it is given says what that says.
    let given = "10.22.0.0/24 label 1022 rd 65000:22 rt 65000:100";
    edge.gobgp.tell(&format!("global rib add -a vpnv4 {given}"));
    for (to, label, rd) in
        [("10.2.0.0/24", 0, 2), ("fd00:2::/64", 0, 2), ("10.22.0.0/24", 1022, 22)]
    {
        wait_for_way(&daemon, "vrf-1", to, true);
        let way = way(&daemon, OURS, prefix(to)).expect("it is there");
        assert_eq!(way.rd.to_string(), format!("0:65000:{rd}"));
        let expected = (loopback(2).into(), label, BTreeSet::from([target(100)]));
        assert_eq!(essence(&way), expected, "{way:?}");
    }
    wait_for("a way for packets", SOON, || {
        let routes = routes(&daemon, "r1");
        let route = routes.iter().find(|route| route.prefix == prefix("10.22.0.0/24"));
        let is_way = route.is_some_and(|route| route.forwarding == "label 1022 via to-r2");
        if is_way { Ok(()) } else { Err(routes) }
    });

    edge.gobgp.tell("vrf vrf-2 rib del 10.2.0.0/24");
    edge.gobgp.tell(&format!("global rib del -a vpnv4 {given}"));
    for to in ["10.2.0.0/24", "10.22.0.0/24"] {
        wait_for_way(&daemon, "vrf-1", to, false);
    }
    wait_for_way(&daemon, "vrf-1", "fd00:2::/64", true);
    config.vrfs[0].export[0].targets = [target(101)].into();
    put_in_force(&daemon, &mut config);
    edge.wait_until("vrf vrf-2 rib", v4, false);
    assert_eq!(edge.seen("vpnv4", v4), Some(as_meant("65000:101")));
    config.vrfs[0].export.remove(0);
    put_in_force(&daemon, &mut config);
    edge.wait_until("global rib -a vpnv4", v4, false);
    assert_eq!(edge.seen("vpnv6", v6), Some(as_meant("65000:100")));
    assert_eq!(session(&daemon, "r2").since, since, "all over one session");
}

/// What both sides send is what the other one asks for at that moment.
fn memberships_decide(name: &str, restarts: bool) {
    let settings = settings(&WITH_MEMBERSHIPS, restarts);
    let edge = Edge::start(name, &settings, &[(2, 100), (4, 200)]);
    let mut config = ours(&[(1, 100), (3, 300)]);
    let daemon = edge.daemon(&config);
    wait_for_session(&daemon, "r2");
    let start = Instant::now();
    let since = session(&daemon, "r2").since;
    let heard = "neighbor 10.255.0.1 adj-in -a vpnv4";
    let (one, three) = ("65000:1:10.1.0.0/24", "65000:3:10.3.0.0/24");
    edge.wait_until(heard, one, true);
    println!("{name}: routes were there {:?} after the session", start.elapsed());
    wait_for_way(&daemon, "vrf-1", "10.2.0.0/24", true);
    wait_for_way(&daemon, "vrf-1", "fd00:2::/64", true);
    holds_for("only what was asked for", Duration::from_secs(1), || {
        let (names, accepted) = (edge.names(heard), session(&daemon, "r2").accepted);
        let is_so = names == BTreeSet::from([one.to_owned()]) && accepted == 2;
        if is_so { Ok(()) } else { Err((names, accepted)) }
    });

    edge.add_vrf(6, 300);
    edge.wait_until("vrf vrf-6 rib", three, true);
    edge.gobgp.tell("vrf del vrf-6");
    edge.wait_until(heard, three, false);
    assert!(edge.names(heard).contains(one));

    let before = config.clone();
    add_vrf(&mut config, 5, &[200], &[500]);
    put_in_force(&daemon, &mut config);
    wait_for_way(&daemon, "vrf-5", "10.4.0.0/24", true);
    wait_for_way(&daemon, "vrf-5", "fd00:4::/64", true);
    let mut config = RouterConfig { generation: config.generation, ..before };
    put_in_force(&daemon, &mut config);
    wait_for("end of what nobody asks for", SOON, || {
        let session = session(&daemon, "r2");
        if session.accepted == 2 { Ok(()) } else { Err(session) }
    });
    assert!(way(&daemon, OURS, prefix("10.2.0.0/24")).is_ok());
    assert_eq!(session(&daemon, "r2").since, since, "all over one session");
}

/// Agreed: as it is when its user does not think of restarts, GoBGP never says that it has asked
/// for all it wants, and gets it all the same: what it asks for, when it asks, and nothing else. We
/// get what we ask for and nothing else.
///
/// Able to fail: without `rtc` among the families each side has all of the other's routes, and the
/// test ends with "not only what was asked for". While we waited for the mark of an end all the same,
/// it ended with "no 65000:1:10.1.0.0/24 in neighbor 10.255.0.1 adj-in", which was empty.
#[test]
fn gobgp_and_we_send_each_other_what_was_asked_for_and_nothing_else() {
    memberships_decide("gobgp-memberships", false);
}

/// Agreed: the same where GoBGP speaks of restarts, and then says when it has asked for everything.
///
/// Able to fail: as without restarts; and the first routes would be a minute late if it did not say
/// so.
#[test]
fn gobgp_that_restarts_gracefully_says_when_it_has_asked_for_everything() {
    memberships_decide("gobgp-restarts", true);
}
