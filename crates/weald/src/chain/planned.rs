//! What the plan's configurations have to say for a packet to pass: routes both ways, and access
//! rules at both ends.

use core::net::IpAddr;
use std::collections::BTreeSet;

use base::{Prefix, RouteTarget};
use model::config::{AccessRule, NeighbourKind, PortKind, RouterConfig, Side, Vrf};
use model::plan::Plan;

use super::{Reason, Stage};
use crate::network::explain::listens;
use crate::network::probe::{Aim, Place};
use model::plan::Listen;

/// A VRF, and the router that has it.
#[derive(Clone, Copy)]
struct At<'a> {
    router: &'a RouterConfig,
    vrf: &'a Vrf,
}

/// The links between two LANs in the plan.
pub(crate) fn reasons(plan: &Plan, aim: &Aim, to: &Place) -> Vec<Reason> {
    let (Some(near), Some(far)) = (find(plan, &aim.from), find(plan, to)) else {
        return vec![Reason::missing(Stage::Plan, "one of the LANs has no VRF")];
    };
    let (source, destination) = (aim.flow.source, aim.flow.destination);
    let mut reasons = Vec::new();
    if near.router.name == far.router.name && near.vrf.name == far.vrf.name {
        let words = format!("both LANs are in VRF {} of {}", near.vrf.name, near.router.name);
        reasons.push(Reason::new(Stage::Plan, words));
    } else {
        reasons.push(route(far, near, destination));
        reasons.push(route(near, far, source));
    }
    let service = (aim.flow.protocol, aim.flow.destination_port);
    reasons.push(rule(near, (source, destination), (Side::Consumer, service)));
    reasons.push(rule(far, (destination, source), (Side::Provider, service)));
    reasons
}

fn find<'a>(plan: &'a Plan, place: &Place) -> Option<At<'a>> {
    let mut lans = plan.attachments.iter();
    let lan =
        lans.find(|lan| (&lan.site, &lan.virtual_network) == (&place.site, &place.network))?;
    let router = plan.routers.iter().find(|router| router.name == lan.router)?;
    let (_, port) = router.ports().find(|(id, _)| *id == lan.port)?;
    let PortKind::Attachment { vrf, .. } = &port.kind else { return None };
    let (_, vrf) = router.vrfs().find(|(id, _)| id == vrf)?;
    Some(At { router, vrf })
}

/// Everything that a VRF announces which holds an address, the longest first.
fn announced<'a>(at: At<'a>, address: IpAddr) -> Vec<(Prefix, &'a BTreeSet<RouteTarget>)> {
    let own = at.vrf.export.iter().map(|route| (route.prefix, &route.targets));
    let of_customer = |kind: &'a NeighbourKind| {
        let NeighbourKind::Customer { port, accept, targets, .. } = kind else { return Vec::new() };
        let mut ports = at.router.ports();
        let is_here = ports.any(|(id, one)| {
            let is_in = |vrf: &base::VrfId| {
                at.router.vrfs().any(|(id, one)| id == *vrf && one.name == at.vrf.name)
            };
            id == *port && matches!(&one.kind, PortKind::Attachment { vrf, .. } if is_in(vrf))
        });
        accept.iter().filter(|_| is_here).map(|prefix| (*prefix, targets)).collect()
    };
    let customers = at.router.neighbours.iter().flat_map(|one| of_customer(&one.kind));
    let mut all: Vec<_> =
        own.chain(customers).filter(|(prefix, _)| prefix.contains(address)).collect();
    all.sort_by_key(|(prefix, _)| core::cmp::Reverse(prefix.len()));
    all
}

/// Whether one VRF knows the way to an address behind another.
fn route(from: At<'_>, to: At<'_>, address: IpAddr) -> Reason {
    let (far, near) = (&from.router.name, &to.router.name);
    let imported = announced(from, address).into_iter().find_map(|(prefix, targets)| {
        let shared: Vec<String> =
            targets.intersection(&to.vrf.import).map(ToString::to_string).collect();
        (!shared.is_empty()).then_some((prefix, shared))
    });
    match imported {
        Some((prefix, targets)) => {
            let plural = if targets.len() == 1 { "route target" } else { "route targets" };
            Reason::new(
                Stage::Plan,
                format!(
                    "{far} announces {prefix} of VRF {} with {plural} {}, which VRF {} of {near} \
                     imports",
                    from.vrf.name,
                    targets.join(" and "),
                    to.vrf.name
                ),
            )
        }
        None => Reason::missing(
            Stage::Plan,
            format!(
                "VRF {} of {near} imports no route of VRF {} of {far} that holds {address}",
                to.vrf.name, from.vrf.name
            ),
        )
        .needs("a route target that is exported there and imported here: compile the plan anew"),
    }
}

/// Whether a VRF's access rules let the packet cross.
fn rule(
    at: At<'_>,
    (local, remote): (IpAddr, IpAddr),
    (side, (protocol, port)): (Side, (u8, u16)),
) -> Reason {
    let (vrf, router) = (&at.vrf.name, &at.router.name);
    let holds = |prefixes: &[Prefix], address| prefixes.iter().any(|one| one.contains(address));
    if holds(&at.vrf.access.own, local) && holds(&at.vrf.access.own, remote) {
        let words = format!("access rules of VRF {vrf} of {router}: both addresses are its own");
        return Reason::new(Stage::Plan, words);
    }
    let fits = |rule: &&AccessRule| {
        (rule.side, rule.protocol) == (side, protocol)
            && (rule.port_first..=rule.port_last).contains(&port)
            && holds(&rule.local, local)
            && holds(&rule.remote, remote)
    };
    match at.vrf.access.rules.iter().find(fits) {
        Some(rule) => {
            let &AccessRule { protocol, port_first, port_last, .. } = rule;
            let does = match side {
                Side::Provider => "offers",
                Side::Consumer => "uses",
            };
            Reason::new(
                Stage::Plan,
                format!(
                    "access rule of VRF {vrf} of {router}: community `{}`, {does} `{}` on {}",
                    rule.community,
                    rule.application,
                    listens(&[Listen { protocol, port_first, port_last }])
                ),
            )
        }
        None => {
            let words = format!("no access rule of VRF {vrf} of {router} lets it cross");
            Reason::missing(Stage::Plan, words).needs("such a rule: compile the plan anew")
        }
    }
}
