//! VRFs of a core router of ours, and what it knows of their routes.
//!
//! VRF N has the distinguisher 0:65000:N and a LAN on the port `lan-N`, whose prefixes are
//! 10.N.0.0/24 and fd00:N::/64. Nothing need be at that port: what a VRF announces does not depend
//! on it.

use core::net::IpAddr;
use std::collections::BTreeSet;
use std::time::Duration;

use base::{MacAddr, PortId, Prefix, RouteDistinguisher, RouteTarget, VrfId};
use model::config::{
    Access, ExportedRoute, InterfaceAddress, Medium, NeighbourRd, Port, PortKind, RouterConfig, Vrf,
};
use model::view::{PathView, SessionView, VrfRouteView};

use crate::daemon::Daemon;
use crate::plan::{self, loopback};
use crate::wait::wait_for;

/// How long a session may take to come up, IS-IS before it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);
/// How long a route may take from one router to the next.
pub(crate) const SOON: Duration = Duration::from_secs(5);

/// A route target of the region.
pub(crate) const fn target(number: u32) -> RouteTarget {
    RouteTarget::with_as(65_000, number)
}

/// A prefix.
pub(crate) fn prefix(text: &str) -> Prefix {
    text.parse().expect("a prefix")
}

/// The two prefixes of a VRF's LAN.
pub(crate) fn lan(number: u8) -> [Prefix; 2] {
    [prefix(&format!("10.{number}.0.0/24")), prefix(&format!("fd00:{number}::/64"))]
}

/// Gives a router a VRF, `vrf-N`, that imports routes with any of these targets and announces its
/// LAN with others. The router has its neighbours by then.
pub(crate) fn add_vrf(config: &mut RouterConfig, number: u8, import: &[u32], export: &[u32]) {
    let place = |len: usize| u32::try_from(len).expect("a few of them");
    let port = PortId(place(config.ports.len()));
    let vrf = VrfId(place(config.vrfs.len()));
    let targets = |numbers: &[u32]| numbers.iter().map(|&number| target(number)).collect();
    let address = |prefix: Prefix| InterfaceAddress {
        address: prefix.nth(1).expect("it has two addresses"),
        length: prefix.len(),
    };
    config.ports.push(Port {
        name: format!("lan-{number}"),
        medium: Medium::Ethernet,
        mac: MacAddr([2, 0, 0, 1, 0, number]),
        mtu: 1_500,
        addresses: lan(number).map(address).to_vec(),
        kind: PortKind::Attachment { vrf, sources: lan(number).to_vec(), hosts: None },
    });
    let rd = RouteDistinguisher::with_as(65_000, number.into());
    let announced =
        |prefix| ExportedRoute { prefix, port, next_hop: None, targets: targets(export) };
    config.vrfs.push(Vrf {
        name: format!("vrf-{number}"),
        virtual_network: format!("network-{number}"),
        rds: (0..place(config.neighbours.len()))
            .map(|neighbour| NeighbourRd { neighbour, rd })
            .collect(),
        import: targets(import),
        export: lan(number).map(announced).to_vec(),
        access: Access {
            own: vec![prefix("10.0.0.0/8"), prefix("fd00::/16")],
            ..Access::default()
        },
    });
}

/// A core router beside router `other`, with a session between their loopbacks.
pub(crate) fn beside(router: u8, other: u8) -> RouterConfig {
    let mut config = plan::core(router);
    config.ports.push(plan::core_link(router, other, 10));
    config.neighbours.push(plan::internal(router, other));
    config
}

/// What FRR is told to have a VPN session with another router, between the loopbacks. `session` are
/// more lines about the neighbour, `family` more lines in both families.
pub(crate) fn frr_bgp(router: u8, other: u8, session: &str, family: &str) -> String {
    let (own, other) = (loopback(router), loopback(other));
    let lines = |prefix: &str, lines: &str| -> String {
        lines.lines().map(|line| format!(" {prefix} {}\n", line.trim())).collect()
    };
    let neighbour = format!("neighbor {other}");
    format!(
        "router bgp 65000
 bgp router-id {own}
 no bgp default ipv4-unicast
 no bgp suppress-duplicates
 {neighbour} remote-as 65000
 {neighbour} update-source {own}
 {neighbour} timers connect 1
{session} address-family ipv4 vpn
  {neighbour} activate
{family} exit-address-family
 address-family ipv6 vpn
  {neighbour} activate
{family} exit-address-family
exit
",
        session = lines(&neighbour, session),
        family = lines(&neighbour, family),
    )
}

/// The session with a neighbour.
pub(crate) fn session(daemon: &Daemon, neighbour: &str) -> SessionView {
    let sessions = daemon.view().sessions;
    sessions.into_iter().find(|one| one.neighbour == neighbour).expect("a neighbour")
}

/// Waits until the session with a neighbour is up.
pub(crate) fn wait_for_session(daemon: &Daemon, neighbour: &str) {
    wait_for(&format!("session with {neighbour}"), PATIENCE, || {
        let session = session(daemon, neighbour);
        if session.up { Ok(()) } else { Err(session) }
    });
}

/// The routes of a router's VRFs. The name is the configuration's.
pub(crate) fn routes(daemon: &Daemon, name: &str) -> Vec<VrfRouteView> {
    serde_json::from_value(daemon.ask(&format!("show routes {name}"))).expect("routes of VRFs")
}

/// The way that a VRF has to a prefix; else every way that its router knows of.
pub(crate) fn way(
    daemon: &Daemon,
    (router, vrf): (&str, &str),
    to: Prefix,
) -> Result<PathView, Vec<VrfRouteView>> {
    let routes = routes(daemon, router);
    let route = routes.iter().find(|route| route.vrf == vrf && route.prefix == to);
    let used = route.and_then(|route| route.paths.iter().find(|path| path.used));
    used.cloned().ok_or(routes)
}

/// The label that stands for a VRF.
pub(crate) fn label_of(daemon: &Daemon, router: &str, vrf: &str) -> u32 {
    let labels = daemon.labels(router);
    let action = format!("vrf {vrf}");
    let label = labels.iter().find(|label| label.action == action);
    label.unwrap_or_else(|| panic!("{vrf}: {labels:?}")).label.value()
}

/// Next hop, label, and route targets of a way, for comparison.
pub(crate) fn essence(way: &PathView) -> (IpAddr, u32, BTreeSet<RouteTarget>) {
    (way.next_hop, way.label.value(), way.targets.iter().copied().collect())
}
