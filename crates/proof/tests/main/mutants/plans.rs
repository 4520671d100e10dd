//! Faults in what routers are told: one configuration, or both ends of one thing.

use core::net::{IpAddr, Ipv4Addr};
use std::collections::BTreeSet;

use base::{AsNumber, PortId, Prefix, RouteDistinguisher, RouteTarget, VrfId};
use model::config::{
    AcceptedRoute, AccessRule, ExportedRoute, NeighbourKind, PortKind, Role, RouterConfig, Side,
    Vrf,
};
use model::plan::Plan;

use super::{Kind, Plant, choose};

type Planted = Result<(), usize>;

const fn kind(
    name: &'static str,
    plant: fn(&mut Plan, usize) -> Planted,
    called: &'static [&'static str],
) -> Kind {
    Kind { name, plant: Plant::Plan(plant), called, in_failures: false }
}

const fn in_failures(kind: Kind) -> Kind {
    Kind { in_failures: true, ..kind }
}

/// What is called where something promised has no way.
const LOST: &[&str] = &["missing", "lacking", "not delivered", "dead label", "no hop"];
/// The same where it may have one as long as nothing fails.
const LOST_OR_LATER: &[&str] = &["missing", "lacking", "not delivered", "lacking in a failure"];

pub(super) const KINDS: &[Kind] = &[
    kind("plan: rogue target imported", target_imported, &["leak"]),
    kind("plan: target not imported", target_not_imported, LOST),
    kind("plan: rogue target exported", target_exported, &["leak", "missing", "lacking"]),
    kind("plan: target not exported", target_not_exported, LOST),
    kind("plan: rogue target accepted", target_accepted, &["leak"]),
    in_failures(kind("plan: target not accepted", target_not_accepted, LOST_OR_LATER)),
    kind("plan: rogue target sent", target_sent, &["leak"]),
    in_failures(kind("plan: target not sent", target_not_sent, LOST_OR_LATER)),
    kind("plan: rogue target exported and accepted", target_leaked, &["leak"]),
    kind("plan: foreign prefix exported", prefix_exported, &["leak", "missing", "lacking"]),
    kind("plan: foreign prefix accepted", prefix_accepted, &["foreign source"]),
    kind(
        "plan: foreign prefix exported and accepted",
        prefix_leaked,
        &["leak", "lacking", "foreign source"],
    ),
    in_failures(kind("plan: route not accepted", route_not_accepted, LOST_OR_LATER)),
    kind("plan: route not exported", route_not_exported, LOST),
    kind("plan: port of a rule widened", port_widened, &["wider"]),
    kind("plan: port of a rule moved", port_moved, &["wider", "narrower"]),
    kind("plan: protocol of a rule changed", protocol_changed, &["wider"]),
    kind("plan: rule of the wrong side", side_changed, &["wider"]),
    kind("plan: rule towards everybody", remote_widened, &["wider"]),
    kind("plan: rule for everybody", local_widened, &["wider"]),
    kind("plan: rule left out", rule_left_out, &["narrower"]),
    kind("plan: own addresses widened", own_widened, &["wider"]),
    kind("plan: own addresses forgotten", own_forgotten, &["narrower"]),
    in_failures(kind("plan: wrong distinguisher", wrong_rd, LOST_OR_LATER)),
    kind("plan: LANs of two VRFs swapped", lans_swapped, &["mixed", "leak", "missing"]),
    kind("plan: LAN in another VRF", lan_in_another_vrf, &["mixed", "leak", "missing"]),
    kind("plan: any source believed", sources_widened, &["foreign source"]),
    kind("plan: no source believed", sources_forgotten, &["lacking"]),
    in_failures(kind("plan: wrong AS of a neighbour", wrong_as, LOST_OR_LATER)),
    in_failures(kind("plan: neighbour left out", neighbour_left_out, LOST_OR_LATER)),
    in_failures(kind(
        "plan: uplinks cabled crosswise",
        uplinks_crossed,
        &["missing", "lacking", "lacking in a failure", "foreign source", "leak", "not resilient"],
    )),
    in_failures(kind("plan: uplink wired into another port", uplink_miswired, LOST_OR_LATER)),
    in_failures(kind("plan: wrong address of an uplink's far end", wrong_peer, LOST_OR_LATER)),
    in_failures(kind("plan: no more routes than one", few_routes, LOST_OR_LATER)),
    in_failures(kind(
        "plan: segment of another router",
        segment_twice,
        &["twice", "not delivered", "dead label", "leak", "missing", "loop", "lacking"],
    )),
    in_failures(kind("plan: another segment", another_segment, &["dead label", "missing"])),
    in_failures(kind(
        "plan: overload set",
        overload,
        &["missing", "lacking", "lacking in a failure"],
    )),
    in_failures(kind("plan: metric changed", metric_changed, &["lacking in a failure"])),
    in_failures(kind("plan: preference of uplinks equal", preference_equal, LOST_OR_LATER)),
    in_failures(kind("plan: core link configured at one end", half_link, LOST_OR_LATER)),
];

/// Places of VRFs: router and VRF.
fn vrfs(plan: &Plan) -> impl Iterator<Item = ((usize, usize), &Vrf)> {
    plan.routers.iter().enumerate().flat_map(|(router, config)| {
        config.vrfs.iter().enumerate().map(move |(vrf, one)| ((router, vrf), one))
    })
}

fn at_vrf(plan: &mut Plan, (router, vrf): (usize, usize), edit: impl FnOnce(&mut Vrf)) -> Planted {
    if let Some(vrf) = plan.routers.get_mut(router).and_then(|one| one.vrfs.get_mut(vrf)) {
        edit(vrf);
    }
    Ok(())
}

/// Every target that a VRF imports.
fn all_targets(plan: &Plan) -> BTreeSet<RouteTarget> {
    vrfs(plan).flat_map(|(_, vrf)| vrf.import.iter().copied()).collect()
}

/// Every VRF with every target that it has nothing to do with.
fn rogue(plan: &Plan) -> Vec<((usize, usize), RouteTarget)> {
    let all = all_targets(plan);
    let of_vrf = |(at, vrf): ((usize, usize), &Vrf)| {
        let own: BTreeSet<_> = vrf
            .export
            .iter()
            .flat_map(|route| &route.targets)
            .chain(&vrf.import)
            .copied()
            .collect();
        all.difference(&own).map(|target| (at, *target)).collect::<Vec<_>>()
    };
    vrfs(plan).flat_map(of_vrf).collect()
}

fn target_imported(plan: &mut Plan, place: usize) -> Planted {
    let (at, target) = choose(rogue(plan), place)?;
    at_vrf(plan, at, |vrf| {
        vrf.import.insert(target);
    })
}

fn target_not_imported(plan: &mut Plan, place: usize) -> Planted {
    let all = vrfs(plan).flat_map(|(at, vrf)| vrf.import.iter().map(move |one| (at, *one)));
    let (at, target) = choose(all.collect(), place)?;
    at_vrf(plan, at, |vrf| {
        vrf.import.remove(&target);
    })
}

fn target_exported(plan: &mut Plan, place: usize) -> Planted {
    let (at, target) = choose(rogue(plan), place)?;
    at_vrf(plan, at, |vrf| {
        vrf.export.iter_mut().for_each(|one| {
            one.targets.insert(target);
        })
    })
}

fn target_not_exported(plan: &mut Plan, place: usize) -> Planted {
    let of_vrf = |(at, vrf): ((usize, usize), &Vrf)| {
        let routes = vrf.export.iter().enumerate();
        let all = routes.flat_map(|(route, one)| one.targets.iter().map(move |t| (at, route, *t)));
        all.collect::<Vec<_>>()
    };
    let (at, route, target) = choose(vrfs(plan).flat_map(of_vrf).collect(), place)?;
    at_vrf(plan, at, |vrf| {
        vrf.export.get_mut(route).into_iter().for_each(|one| {
            one.targets.remove(&target);
        });
    })
}

/// Places of neighbours of a kind.
fn neighbours(plan: &Plan, is_wanted: fn(&NeighbourKind) -> bool) -> Vec<(usize, usize)> {
    let all = plan.routers.iter().enumerate().flat_map(|(router, config)| {
        let wanted = config.neighbours.iter().enumerate();
        wanted.filter(move |(_, one)| is_wanted(&one.kind)).map(move |(at, _)| (router, at))
    });
    all.collect()
}

const fn is_site(kind: &NeighbourKind) -> bool {
    matches!(kind, NeighbourKind::Site { .. })
}

const fn is_any(_: &NeighbourKind) -> bool {
    true
}

/// What core routers accept of sites, and the targets of what they send them.
fn with_site<T>(
    plan: &mut Plan,
    (router, at): (usize, usize),
    edit: impl FnOnce(&mut Vec<AcceptedRoute>, &mut BTreeSet<RouteTarget>, &mut u32) -> T,
) -> Option<T> {
    match &mut plan.routers.get_mut(router)?.neighbours.get_mut(at)?.kind {
        NeighbourKind::Site { accept, send, max_routes, .. } => {
            Some(edit(accept, send, max_routes))
        }
        NeighbourKind::Internal { .. }
        | NeighbourKind::Core { .. }
        | NeighbourKind::Customer { .. } => None,
    }
}

/// What is accepted, by the place of the neighbour and the number of the route.
fn accepted(plan: &Plan) -> Vec<((usize, usize), usize, AcceptedRoute)> {
    let mut copy = plan.clone();
    let mut all = Vec::new();
    for at in neighbours(plan, is_site) {
        let routes = with_site(&mut copy, at, |accept, _, _| accept.clone()).unwrap_or_default();
        all.extend(routes.into_iter().enumerate().map(|(number, route)| (at, number, route)));
    }
    all
}

fn target_accepted(plan: &mut Plan, place: usize) -> Planted {
    let targets = all_targets(plan);
    let all = accepted(plan).into_iter().flat_map(|(at, number, route)| {
        let rogue: Vec<_> = targets.difference(&route.targets).copied().collect();
        rogue.into_iter().map(move |target| (at, number, target))
    });
    let (at, number, target) = choose(all.collect(), place)?;
    with_site(plan, at, |accept, _, _| {
        accept.get_mut(number).into_iter().for_each(|one| {
            one.targets.insert(target);
        });
    });
    Ok(())
}

fn target_not_accepted(plan: &mut Plan, place: usize) -> Planted {
    let all = accepted(plan).into_iter().flat_map(|(at, number, route)| {
        route.targets.into_iter().map(move |target| (at, number, target))
    });
    let (at, number, target) = choose(all.collect(), place)?;
    with_site(plan, at, |accept, _, _| {
        accept.get_mut(number).into_iter().for_each(|one| {
            one.targets.remove(&target);
        });
    });
    Ok(())
}

/// What is sent, by the place of the neighbour.
fn sent(plan: &Plan) -> Vec<((usize, usize), BTreeSet<RouteTarget>)> {
    let mut copy = plan.clone();
    let all = neighbours(plan, is_site).into_iter();
    all.filter_map(|at| Some((at, with_site(&mut copy, at, |_, send, _| send.clone())?))).collect()
}

fn target_sent(plan: &mut Plan, place: usize) -> Planted {
    let targets = all_targets(plan);
    let all = sent(plan).into_iter().flat_map(|(at, send)| {
        let rogue: Vec<_> = targets.difference(&send).copied().collect();
        rogue.into_iter().map(move |target| (at, target))
    });
    let (at, target) = choose(all.collect(), place)?;
    with_site(plan, at, |_, send, _| send.insert(target));
    Ok(())
}

fn target_not_sent(plan: &mut Plan, place: usize) -> Planted {
    let all = sent(plan).into_iter().flat_map(|(at, send)| send.into_iter().map(move |t| (at, t)));
    let (at, target) = choose(all.collect(), place)?;
    with_site(plan, at, |_, send, _| send.remove(&target));
    Ok(())
}

/// What all core routers accept of a site under a distinguisher of one of its VRFs is changed.
fn at_accepted(
    plan: &mut Plan,
    at: (usize, usize),
    mut edit: impl FnMut(&mut Vec<AcceptedRoute>, RouteDistinguisher),
) {
    let vrf = plan.routers.get(at.0).and_then(|one| one.vrfs.get(at.1));
    let rds: BTreeSet<_> = vrf.into_iter().flat_map(|vrf| &vrf.rds).map(|one| one.rd).collect();
    for neighbour in neighbours(plan, is_site) {
        with_site(plan, neighbour, |accept, _, _| {
            let own = accept.iter().find(|route| rds.contains(&route.rd)).map(|route| route.rd);
            own.into_iter().for_each(|rd| edit(accept, rd));
        });
    }
}

fn target_leaked(plan: &mut Plan, place: usize) -> Planted {
    let (at, target) = choose(rogue(plan), place)?;
    at_vrf(plan, at, |vrf| {
        vrf.export.iter_mut().for_each(|one| {
            one.targets.insert(target);
        })
    })?;
    at_accepted(plan, at, |accept, rd| {
        let own = accept.iter_mut().filter(|route| route.rd == rd);
        own.for_each(|route| {
            route.targets.insert(target);
        });
    });
    Ok(())
}

/// Every VRF with every prefix of a LAN elsewhere, of its own virtual network or of another one.
fn foreign(plan: &Plan) -> Vec<((usize, usize), Prefix)> {
    let of_vrf = |(at, vrf): ((usize, usize), &Vrf)| {
        let own: BTreeSet<Prefix> = vrf.export.iter().map(|route| route.prefix).collect();
        let others = plan.attachments.iter().flat_map(|lan| lan.prefixes.iter().copied());
        let others: BTreeSet<Prefix> = others.filter(|prefix| !own.contains(prefix)).collect();
        others.into_iter().map(|prefix| (at, prefix)).collect::<Vec<_>>()
    };
    vrfs(plan).flat_map(of_vrf).collect()
}

/// The first route of a VRF, to another prefix.
fn export(vrf: &mut Vrf, prefix: Prefix) {
    if let Some(first) = vrf.export.first().cloned() {
        vrf.export.push(ExportedRoute { prefix, ..first });
    }
}

fn accept_too(accept: &mut Vec<AcceptedRoute>, rd: RouteDistinguisher, prefix: Prefix) {
    if let Some(like) = accept.iter().find(|route| route.rd == rd).cloned() {
        accept.push(AcceptedRoute { prefix, ..like });
    }
}

fn prefix_exported(plan: &mut Plan, place: usize) -> Planted {
    let (at, prefix) = choose(foreign(plan), place)?;
    at_vrf(plan, at, |vrf| export(vrf, prefix))
}

fn prefix_accepted(plan: &mut Plan, place: usize) -> Planted {
    let (at, prefix) = choose(foreign(plan), place)?;
    at_accepted(plan, at, |accept, rd| accept_too(accept, rd, prefix));
    Ok(())
}

fn prefix_leaked(plan: &mut Plan, place: usize) -> Planted {
    let (at, prefix) = choose(foreign(plan), place)?;
    at_vrf(plan, at, |vrf| export(vrf, prefix))?;
    at_accepted(plan, at, |accept, rd| accept_too(accept, rd, prefix));
    Ok(())
}

fn route_not_accepted(plan: &mut Plan, place: usize) -> Planted {
    let (at, number, _) = choose(accepted(plan), place)?;
    with_site(plan, at, |accept, _, _| accept.remove(number));
    Ok(())
}

fn route_not_exported(plan: &mut Plan, place: usize) -> Planted {
    let all = vrfs(plan).flat_map(|(at, vrf)| (0..vrf.export.len()).map(move |one| (at, one)));
    let (at, route) = choose(all.collect(), place)?;
    at_vrf(plan, at, |vrf| {
        vrf.export.remove(route);
    })
}

fn at_rule(plan: &mut Plan, place: usize, edit: impl FnOnce(&mut AccessRule)) -> Planted {
    let vrfs = plan.routers.iter_mut().flat_map(|router| &mut router.vrfs);
    let rule = choose(vrfs.flat_map(|vrf| &mut vrf.access.rules).collect(), place)?;
    edit(rule);
    Ok(())
}

fn everything() -> Prefix {
    Prefix::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0).expect("a prefix")
}

fn port_widened(plan: &mut Plan, place: usize) -> Planted {
    at_rule(plan, place, |rule| rule.port_last += 1)
}

fn port_moved(plan: &mut Plan, place: usize) -> Planted {
    at_rule(plan, place, |rule| {
        rule.port_first += 1;
        rule.port_last += 1;
    })
}

fn protocol_changed(plan: &mut Plan, place: usize) -> Planted {
    at_rule(plan, place, |rule| rule.protocol = 132)
}

fn side_changed(plan: &mut Plan, place: usize) -> Planted {
    at_rule(plan, place, |rule| {
        rule.side = match rule.side {
            Side::Provider => Side::Consumer,
            Side::Consumer => Side::Provider,
        };
    })
}

fn remote_widened(plan: &mut Plan, place: usize) -> Planted {
    at_rule(plan, place, |rule| rule.remote.push(everything()))
}

fn local_widened(plan: &mut Plan, place: usize) -> Planted {
    at_rule(plan, place, |rule| rule.local.push(everything()))
}

fn rule_left_out(plan: &mut Plan, place: usize) -> Planted {
    let all = vrfs(plan).flat_map(|(at, vrf)| (0..vrf.access.rules.len()).map(move |r| (at, r)));
    let (at, rule) = choose(all.collect(), place)?;
    at_vrf(plan, at, |vrf| {
        vrf.access.rules.remove(rule);
    })
}

fn own_widened(plan: &mut Plan, place: usize) -> Planted {
    let (at, ()) = choose(vrfs(plan).map(|(at, _)| (at, ())).collect(), place)?;
    at_vrf(plan, at, |vrf| vrf.access.own.push(everything()))
}

fn own_forgotten(plan: &mut Plan, place: usize) -> Planted {
    let all = vrfs(plan).flat_map(|(at, vrf)| (0..vrf.access.own.len()).map(move |own| (at, own)));
    let (at, own) = choose(all.collect(), place)?;
    at_vrf(plan, at, |vrf| {
        vrf.access.own.remove(own);
    })
}

fn wrong_rd(plan: &mut Plan, place: usize) -> Planted {
    let all = vrfs(plan).flat_map(|(at, vrf)| (0..vrf.rds.len()).map(move |one| (at, one)));
    let (at, one) = choose(all.collect(), place)?;
    let other = RouteDistinguisher([0, 1, 9, 9, 9, 9, 0, 9]);
    at_vrf(plan, at, |vrf| vrf.rds.get_mut(one).into_iter().for_each(|own| own.rd = other))
}

/// Every attachment of a router with more than one VRF.
fn attachments(plan: &mut Plan) -> Vec<(usize, &mut VrfId)> {
    let routers = plan.routers.iter_mut().filter(|router| router.vrfs.len() > 1);
    let all = routers.flat_map(|router| {
        let count = router.vrfs.len();
        router.ports.iter_mut().filter_map(move |port| match &mut port.kind {
            PortKind::Attachment { vrf, .. } => Some((count, vrf)),
            PortKind::CoreLink { .. } | PortKind::Uplink { .. } | PortKind::Unused => None,
        })
    });
    all.collect()
}

fn lan_in_another_vrf(plan: &mut Plan, place: usize) -> Planted {
    let (count, vrf) = choose(attachments(plan), place)?;
    let count = u32::try_from(count).expect("few VRFs");
    vrf.0 = (vrf.0 + 1) % count;
    Ok(())
}

fn lans_swapped(plan: &mut Plan, place: usize) -> Planted {
    let several = plan.routers.iter_mut().filter(|router| router.vrfs.len() > 1);
    let router = choose(several.collect(), place)?;
    for port in &mut router.ports {
        match &mut port.kind {
            PortKind::Attachment { vrf, .. } if vrf.0 < 2 => vrf.0 = 1 - vrf.0,
            PortKind::Attachment { .. }
            | PortKind::CoreLink { .. }
            | PortKind::Uplink { .. }
            | PortKind::Unused => {}
        }
    }
    Ok(())
}

fn at_sources(plan: &mut Plan, place: usize, edit: impl FnOnce(&mut Vec<Prefix>)) -> Planted {
    let ports = plan.routers.iter_mut().flat_map(|router| &mut router.ports);
    let all = ports.filter_map(|port| match &mut port.kind {
        PortKind::Attachment { sources, .. } => Some(sources),
        PortKind::CoreLink { .. } | PortKind::Uplink { .. } | PortKind::Unused => None,
    });
    edit(choose(all.collect(), place)?);
    Ok(())
}

fn sources_widened(plan: &mut Plan, place: usize) -> Planted {
    at_sources(plan, place, |sources| sources.push(everything()))
}

fn sources_forgotten(plan: &mut Plan, place: usize) -> Planted {
    at_sources(plan, place, Vec::clear)
}

fn wrong_as(plan: &mut Plan, place: usize) -> Planted {
    let exterior = |kind: &NeighbourKind| !matches!(kind, NeighbourKind::Internal { .. });
    let (router, at) = choose(neighbours(plan, exterior), place)?;
    let one = plan.routers.get_mut(router).and_then(|one| one.neighbours.get_mut(at));
    one.into_iter().for_each(|one| one.as_number = AsNumber(4_200_009_999));
    Ok(())
}

/// What is by position among neighbours stays where it is.
fn neighbour_left_out(plan: &mut Plan, place: usize) -> Planted {
    let (router, at) = choose(neighbours(plan, is_any), place)?;
    if let Some(one) = plan.routers.get_mut(router) {
        one.neighbours.remove(at);
        for vrf in &mut one.vrfs {
            vrf.rds.retain(|rd| usize::try_from(rd.neighbour) != Ok(at));
            for rd in &mut vrf.rds {
                rd.neighbour -= u32::from(usize::try_from(rd.neighbour).is_ok_and(|n| n > at));
            }
        }
    }
    Ok(())
}

/// Places of links of uplinks.
fn uplinks(plan: &Plan) -> Vec<usize> {
    let is_uplink = |link: &model::plan::Link| link.kind == model::plan::LinkKind::Uplink;
    let all = plan.links.iter().enumerate().filter(|(_, link)| is_uplink(link));
    all.map(|(place, _)| place).collect()
}

/// The ends at the sites of two uplinks are swapped: the cables, not the configurations.
fn uplinks_crossed(plan: &mut Plan, place: usize) -> Planted {
    let all = uplinks(plan);
    let pairs = all.iter().flat_map(|a| all.iter().filter(move |b| a < *b).map(move |b| (*a, *b)));
    let (a, b) = choose(pairs.collect(), place)?;
    if let Ok([a, b]) = plan.links.get_disjoint_mut([a, b]) {
        core::mem::swap(&mut a.ends[1], &mut b.ends[1]);
    }
    Ok(())
}

fn uplink_miswired(plan: &mut Plan, place: usize) -> Planted {
    let link = choose(uplinks(plan), place)?;
    if let Some(link) = plan.links.get_mut(link) {
        link.ends[1].port = PortId(link.ends[1].port.0 + 1);
    }
    Ok(())
}

/// The port and the neighbour say the same.
fn wrong_peer(plan: &mut Plan, place: usize) -> Planted {
    let exterior = |kind: &NeighbourKind| {
        matches!(kind, NeighbourKind::Site { .. } | NeighbourKind::Core { .. })
    };
    let (router, at) = choose(neighbours(plan, exterior), place)?;
    let Some(config) = plan.routers.get_mut(router) else { return Ok(()) };
    let Some(one) = config.neighbours.get_mut(at) else { return Ok(()) };
    let wrong = Ipv4Addr::new(100, 64, 63, 254);
    let right = core::mem::replace(&mut one.address, wrong);
    for port in &mut config.ports {
        match &mut port.kind {
            PortKind::Uplink { peer, .. } if *peer == right => *peer = wrong,
            PortKind::Uplink { .. }
            | PortKind::CoreLink { .. }
            | PortKind::Attachment { .. }
            | PortKind::Unused => {}
        }
    }
    Ok(())
}

fn few_routes(plan: &mut Plan, place: usize) -> Planted {
    let at = choose(neighbours(plan, is_site), place)?;
    with_site(plan, at, |_, _, max_routes| *max_routes = 1);
    Ok(())
}

fn cores(plan: &mut Plan) -> Vec<&mut RouterConfig> {
    plan.routers.iter_mut().filter(|router| router.role == Role::Core).collect()
}

fn segment_twice(plan: &mut Plan, place: usize) -> Planted {
    let sids: Vec<u32> =
        cores(plan).iter().filter_map(|one| one.loopback.as_ref()).map(|one| one.v4_sid).collect();
    let router = choose(cores(plan), place)?;
    if let Some(own) = &mut router.loopback {
        let other = sids.into_iter().find(|sid| *sid != own.v4_sid);
        own.v4_sid = other.unwrap_or(own.v4_sid);
    }
    Ok(())
}

/// One that nobody else has: as good as the one before.
fn another_segment(plan: &mut Plan, place: usize) -> Planted {
    let router = choose(cores(plan), place)?;
    router.loopback.iter_mut().for_each(|own| own.v4_sid += 500);
    Ok(())
}

fn overload(plan: &mut Plan, place: usize) -> Planted {
    let router = choose(cores(plan), place)?;
    router.isis.iter_mut().for_each(|isis| isis.overload = true);
    Ok(())
}

fn core_ports(plan: &mut Plan) -> Vec<&mut PortKind> {
    let ports = plan.routers.iter_mut().flat_map(|router| &mut router.ports);
    ports
        .map(|port| &mut port.kind)
        .filter(|kind| matches!(kind, PortKind::CoreLink { .. }))
        .collect()
}

fn metric_changed(plan: &mut Plan, place: usize) -> Planted {
    let kind = choose(core_ports(plan), place)?;
    if let PortKind::CoreLink { metric, .. } = kind {
        *metric = *metric * 3 + 1;
    }
    Ok(())
}

fn half_link(plan: &mut Plan, place: usize) -> Planted {
    let kind = choose(core_ports(plan), place)?;
    *kind = PortKind::Unused;
    Ok(())
}

fn preference_equal(plan: &mut Plan, place: usize) -> Planted {
    let (router, at) = choose(neighbours(plan, is_site), place)?;
    let one = plan.routers.get_mut(router).and_then(|one| one.neighbours.get_mut(at));
    if let Some(NeighbourKind::Site { local_pref, .. }) = one.map(|one| &mut one.kind) {
        *local_pref = 150;
    }
    Ok(())
}
