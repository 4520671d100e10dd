//! Faults in what running routers forward by.

use core::net::{IpAddr, Ipv4Addr};

use base::{Label, LabelSpace, PortId, Prefix, VrfId};
use model::config::Side;
use model::plan::Plan;
use model::tables::{
    Accepts, Hop, LabelAction, LabelEntry, Path, Port, RouterTables, Rule, Transport, VrfEntry,
    VrfRoute,
};

use super::{Kind, Plant, choose};

type Planted = Result<(), usize>;
type Tables = Vec<RouterTables>;

const fn kind(
    name: &'static str,
    plant: fn(&Plan, &mut Tables, usize) -> Planted,
    called: &'static [&'static str],
) -> Kind {
    Kind { name, plant: Plant::Tables(plant), called, in_failures: false }
}

/// What is called where a label leads elsewhere than it did.
const ASTRAY: &[&str] =
    &["leak", "not delivered", "dead label", "falls out", "service on top", "loop", "lacking"];

pub(super) const KINDS: &[Kind] = &[
    kind("tables: labels swapped", labels_swapped, ASTRAY),
    kind("tables: stale label in a route", stale_label, &["dead label"]),
    kind("tables: stale label in a swap", stale_swap, &["dead label"]),
    kind("tables: label forgotten", label_forgotten, &["dead label"]),
    kind(
        "tables: label in another space",
        another_space,
        &["dead label", "leak", "not delivered", "twice"],
    ),
    kind("tables: label that falls out of its VRF", falls_out, &["falls out"]),
    kind("tables: label of a VRF of another network", vrf_of_another, &["leak", "not delivered"]),
    kind("tables: label of another route", label_of_another, ASTRAY),
    kind("tables: label twice", label_twice, &["twice"]),
    kind("tables: route leaked", route_leaked, &["leak", "not delivered", "lacking"]),
    kind("tables: route forgotten", route_forgotten, &["missing", "not delivered", "lacking"]),
    kind("tables: route at home", route_at_home, &["lacking", "leak", "not delivered"]),
    kind("tables: prefix widened", prefix_widened, &["not delivered", "twice", "missing", "leak"]),
    kind("tables: prefix narrowed", prefix_narrowed, &["missing", "lacking", "not delivered"]),
    kind("tables: port of a rule widened", port_widened, &["wider"]),
    kind("tables: port of a rule moved", port_moved, &["narrower", "wider"]),
    kind("tables: protocol of a rule changed", protocol_changed, &["wider"]),
    kind("tables: side of a rule changed", side_changed, &["wider"]),
    kind("tables: rule towards everybody", remote_widened, &["wider"]),
    kind("tables: rule forgotten", rule_forgotten, &["narrower"]),
    kind("tables: own addresses widened", own_widened, &["wider"]),
    kind("tables: any source believed", sources_widened, &["foreign source"]),
    kind("tables: no source believed", sources_forgotten, &["lacking"]),
    kind("tables: LAN in another VRF", lan_in_another_vrf, &["mixed", "leak", "missing"]),
    kind("tables: LAN unplugged", lan_unplugged, &["no LAN"]),
    kind("tables: link port down", link_down, &["lacking", "no hop"]),
    kind(
        "tables: hop to another port",
        hop_misled,
        &["no link", "leak", "dead label", "loop", "not delivered", "lacking", "service on top"],
    ),
    kind("tables: hops forgotten", hops_forgotten, &["no hop"]),
    kind("tables: repair forgotten", repair_forgotten, &["unprotected"]),
    kind(
        "tables: label of a hop changed",
        hop_mislabelled,
        &["dead label", "not delivered", "leak", "service on top", "loop", "falls out"],
    ),
    kind("tables: way back", way_back, &["loop", "dead label", "not delivered", "leak"]),
    kind("tables: VRF forgotten", vrf_forgotten, &["no LAN", "stranger"]),
    kind("tables: older generation", older, &["generation"]),
    kind("tables: router missing", missing, &["no tables"]),
    kind("tables: router twice", twice, &["twice"]),
    kind("tables: router of another network", stranger, &["stranger"]),
];

const NOBODYS: Label = Label::masked(777_777);

fn labels(tables: &mut Tables) -> impl Iterator<Item = &mut LabelEntry> {
    tables.iter_mut().flat_map(|one| &mut one.labels)
}

const fn is_service(action: &LabelAction) -> bool {
    matches!(action, LabelAction::Vrf(_) | LabelAction::Swap(_))
}

fn routes(tables: &mut Tables) -> impl Iterator<Item = &mut VrfEntry> {
    tables.iter_mut().flat_map(|one| &mut one.vrfs).flat_map(|vrf| &mut vrf.routes)
}

fn paths(route: &mut VrfRoute) -> &mut [Path] {
    match route {
        VrfRoute::Remote(paths) => paths,
        VrfRoute::Attached { .. } | VrfRoute::Local => &mut [],
    }
}

/// Places of labels that mean a service, two and two of one space with different actions.
fn pairs(tables: &Tables) -> Vec<(usize, usize, usize)> {
    let of_router = |(router, one): (usize, &RouterTables)| {
        let all: Vec<(usize, &LabelEntry)> =
            one.labels.iter().enumerate().filter(|(_, entry)| is_service(&entry.action)).collect();
        let pair = |two: &[(usize, &LabelEntry)]| match two {
            [(a, one), (b, other)] if one.space == other.space && one.action != other.action => {
                Some((router, *a, *b))
            }
            _ => None,
        };
        all.windows(2).filter_map(pair).collect::<Vec<_>>()
    };
    tables.iter().enumerate().flat_map(of_router).collect()
}

fn labels_swapped(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    let (router, a, b) = choose(pairs(tables), place)?;
    let labels = tables.get_mut(router).map(|one| one.labels.get_disjoint_mut([a, b]));
    if let Some(Ok([a, b])) = labels {
        core::mem::swap(&mut a.action, &mut b.action);
    }
    Ok(())
}

fn label_of_another(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    let (router, a, b) = choose(pairs(tables), place)?;
    let labels = tables.get_mut(router).map(|one| one.labels.get_disjoint_mut([a, b]));
    if let Some(Ok([a, b])) = labels {
        a.action.clone_from(&b.action);
    }
    Ok(())
}

fn stale_label(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    let all = routes(tables).flat_map(|entry| paths(&mut entry.to));
    choose(all.collect(), place)?.label = NOBODYS;
    Ok(())
}

fn stale_swap(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    let all = labels(tables).filter_map(|entry| match &mut entry.action {
        LabelAction::Swap(paths) => paths.first_mut(),
        LabelAction::Pop | LabelAction::Vrf(_) | LabelAction::Transit(_) => None,
    });
    choose(all.collect(), place)?.label = NOBODYS;
    Ok(())
}

/// Places of labels.
fn places(tables: &Tables, is_wanted: fn(&LabelAction) -> bool) -> Vec<(usize, usize)> {
    let all = tables.iter().enumerate().flat_map(|(router, one)| {
        let all = one.labels.iter().enumerate().filter(move |(_, entry)| is_wanted(&entry.action));
        all.map(move |(at, _)| (router, at))
    });
    all.collect()
}

fn label_forgotten(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    let (router, at) = choose(places(tables, |_| true), place)?;
    tables.get_mut(router).into_iter().for_each(|one| {
        one.labels.remove(at);
    });
    Ok(())
}

fn another_space(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    let (router, at) = choose(places(tables, is_service), place)?;
    let Some(one) = tables.get_mut(router) else { return Ok(()) };
    let spaces: Vec<LabelSpace> = one.labels.iter().map(|entry| entry.space).collect();
    if let Some(entry) = one.labels.get_mut(at) {
        let other = spaces.into_iter().find(|space| *space != entry.space);
        entry.space = other.unwrap_or(LabelSpace::Port(PortId(77)));
    }
    Ok(())
}

fn falls_out(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    let all = labels(tables).filter(|entry| is_service(&entry.action));
    choose(all.collect(), place)?.action = LabelAction::Pop;
    Ok(())
}

fn vrf_of_another(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    let two = tables.iter_mut().filter(|one| one.vrfs.len() > 1);
    let all = two.flat_map(|one| &mut one.labels).filter_map(|entry| match &mut entry.action {
        LabelAction::Vrf(vrf) => Some(vrf),
        LabelAction::Pop | LabelAction::Swap(_) | LabelAction::Transit(_) => None,
    });
    let vrf = choose(all.collect(), place)?;
    *vrf = VrfId(1 - vrf.0.min(1));
    Ok(())
}

fn label_twice(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    let (router, at) = choose(places(tables, is_service), place)?;
    let Some(one) = tables.get_mut(router) else { return Ok(()) };
    let copy =
        one.labels.get(at).map(|entry| LabelEntry { action: LabelAction::Pop, ..entry.clone() });
    one.labels.extend(copy);
    Ok(())
}

/// A route of a VRF gets the way of one of another VRF of the same router.
fn route_leaked(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    let mut all = Vec::new();
    for (router, one) in tables.iter().enumerate() {
        for (vrf, own) in one.vrfs.iter().enumerate() {
            let others = one.vrfs.iter().enumerate().filter(|(other, _)| *other != vrf);
            let is_remote = |entry: &&VrfEntry| matches!(entry.to, VrfRoute::Remote(_));
            let foreign =
                others.filter_map(|(_, other)| other.routes.iter().find(is_remote)).next();
            let Some(foreign) = foreign else { continue };
            let remote = own.routes.iter().enumerate().filter(|(_, entry)| is_remote(entry));
            all.extend(remote.map(|(at, _)| (router, vrf, at, foreign.to.clone())));
        }
    }
    let (router, vrf, at, to) = choose(all, place)?;
    let vrf = tables.get_mut(router).and_then(|one| one.vrfs.get_mut(vrf));
    vrf.and_then(|vrf| vrf.routes.get_mut(at)).into_iter().for_each(|entry| entry.to = to.clone());
    Ok(())
}

/// Places of routes.
fn entries(tables: &Tables) -> Vec<(usize, usize, usize)> {
    let all = tables.iter().enumerate().flat_map(|(router, one)| {
        one.vrfs
            .iter()
            .enumerate()
            .flat_map(move |(vrf, table)| (0..table.routes.len()).map(move |at| (router, vrf, at)))
    });
    all.collect()
}

fn route_forgotten(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    let (router, vrf, at) = choose(entries(tables), place)?;
    let vrf = tables.get_mut(router).and_then(|one| one.vrfs.get_mut(vrf));
    vrf.into_iter().for_each(|vrf| {
        vrf.routes.remove(at);
    });
    Ok(())
}

/// A route elsewhere is thought to be on a LAN of the router.
fn route_at_home(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    let mut all = Vec::new();
    for (router, one) in tables.iter().enumerate() {
        for (vrf, table) in one.vrfs.iter().enumerate() {
            let home =
                table.routes.iter().find(|entry| matches!(entry.to, VrfRoute::Attached { .. }));
            let Some(home) = home else { continue };
            let remote = table.routes.iter().enumerate();
            let remote = remote.filter(|(_, entry)| matches!(entry.to, VrfRoute::Remote(_)));
            all.extend(remote.map(|(at, _)| (router, vrf, at, home.to.clone())));
        }
    }
    let (router, vrf, at, to) = choose(all, place)?;
    let vrf = tables.get_mut(router).and_then(|one| one.vrfs.get_mut(vrf));
    vrf.and_then(|vrf| vrf.routes.get_mut(at)).into_iter().for_each(|entry| entry.to = to.clone());
    Ok(())
}

fn prefix_widened(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    let entry = choose(routes(tables).collect(), place)?;
    entry.prefix = Prefix::new(entry.prefix.addr(), entry.prefix.len() - 1).expect("a prefix");
    Ok(())
}

fn prefix_narrowed(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    let all = routes(tables).filter_map(|entry| {
        let narrower = Prefix::new(entry.prefix.addr(), entry.prefix.len() + 1)?;
        Some((entry, narrower))
    });
    let (entry, narrower) = choose(all.collect(), place)?;
    entry.prefix = narrower;
    Ok(())
}

fn at_rule(tables: &mut Tables, place: usize, edit: impl FnOnce(&mut Rule)) -> Planted {
    let vrfs = tables.iter_mut().flat_map(|one| &mut one.vrfs);
    edit(choose(vrfs.flat_map(|vrf| &mut vrf.rules).collect(), place)?);
    Ok(())
}

fn everything() -> Prefix {
    Prefix::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0).expect("a prefix")
}

fn port_widened(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    at_rule(tables, place, |rule| rule.port_last += 1)
}

fn port_moved(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    at_rule(tables, place, |rule| rule.port_first += 1)
}

fn protocol_changed(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    at_rule(tables, place, |rule| rule.protocol = 132)
}

fn side_changed(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    at_rule(tables, place, |rule| {
        rule.side = match rule.side {
            Side::Provider => Side::Consumer,
            Side::Consumer => Side::Provider,
        };
    })
}

fn remote_widened(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    at_rule(tables, place, |rule| rule.remote.push(everything()))
}

fn rule_forgotten(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    let vrfs = tables.iter_mut().flat_map(|one| &mut one.vrfs);
    let vrf = choose(vrfs.filter(|vrf| !vrf.rules.is_empty()).collect(), place)?;
    vrf.rules.remove(0);
    Ok(())
}

fn own_widened(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    let vrfs = tables.iter_mut().flat_map(|one| &mut one.vrfs);
    choose(vrfs.collect(), place)?.own.push(everything());
    Ok(())
}

fn all_sources(tables: &mut Tables) -> Vec<&mut Vec<Prefix>> {
    let ports = tables.iter_mut().flat_map(|one| &mut one.ports);
    let all = ports.filter_map(|port| match &mut port.accepts {
        Accepts::Core => None,
        Accepts::Uplink { sources, .. } => sources.as_mut(),
        Accepts::Attachment { sources, .. } => Some(sources),
    });
    all.collect()
}

fn sources_widened(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    choose(all_sources(tables), place)?.push(everything());
    Ok(())
}

fn sources_forgotten(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    choose(all_sources(tables), place)?.clear();
    Ok(())
}

fn lan_in_another_vrf(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    let two = tables.iter_mut().filter(|one| one.vrfs.len() > 1);
    let all = two.flat_map(|one| &mut one.ports).filter_map(|port| match &mut port.accepts {
        Accepts::Attachment { vrf, .. } => Some(vrf),
        Accepts::Core | Accepts::Uplink { .. } => None,
    });
    let vrf = choose(all.collect(), place)?;
    *vrf = VrfId(1 - vrf.0.min(1));
    Ok(())
}

fn lan_unplugged(plan: &Plan, tables: &mut Tables, place: usize) -> Planted {
    let lan = choose(plan.attachments.iter().collect(), place)?;
    let router = tables.iter_mut().find(|one| one.router == lan.router);
    router.into_iter().for_each(|one| one.ports.retain(|port| port.id != lan.port));
    Ok(())
}

fn link_down(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    let is_link = |port: &&mut Port| !matches!(port.accepts, Accepts::Attachment { .. });
    let all = tables.iter_mut().flat_map(|one| &mut one.ports).filter(is_link);
    choose(all.collect(), place)?.up = false;
    Ok(())
}

fn hops(tables: &mut Tables) -> impl Iterator<Item = &mut Hop> {
    tables.iter_mut().flat_map(|one| &mut one.transports).flat_map(|way| &mut way.hops)
}

fn hop_misled(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    let all = tables.iter_mut().flat_map(|one| {
        let ports: Vec<PortId> = one.ports.iter().map(|port| port.id).collect();
        let hops = one.transports.iter_mut().flat_map(|way| &mut way.hops);
        hops.map(move |hop| (ports.clone(), hop))
    });
    let (ports, hop) = choose(all.collect(), place)?;
    let other = ports.into_iter().find(|port| *port != hop.port);
    hop.port = other.unwrap_or(PortId(hop.port.0 + 1));
    Ok(())
}

fn hops_forgotten(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    let all = tables.iter_mut().flat_map(|one| &mut one.transports);
    *choose(all.filter(|way| !way.hops.is_empty()).collect(), place)? = Transport::default();
    Ok(())
}

/// Another hop that is as good, or a backup: nothing is lost until something fails.
fn repair_forgotten(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    let all = tables.iter_mut().flat_map(|one| &mut one.transports);
    let has_repair = |way: &&mut Transport| way.hops.len() + way.backups.len() > 1;
    let way = choose(all.filter(has_repair).collect(), place)?;
    way.hops.truncate(1);
    way.backups.clear();
    Ok(())
}

fn hop_mislabelled(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    let all = hops(tables).filter_map(|hop| hop.labels.first_mut());
    let label = choose(all.collect(), place)?;
    *label = Label::masked(label.value() + 1);
    Ok(())
}

/// What should go on comes back to the router before.
fn way_back(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    let mut all = Vec::new();
    for (router, one) in tables.iter().enumerate() {
        let is_core = |hop: &Hop| {
            one.ports.iter().any(|port| port.id == hop.port && port.accepts == Accepts::Core)
        };
        let on = one.transports.iter().position(|way| way.hops.first().is_some_and(is_core));
        let Some(via) = on.and_then(|via| u32::try_from(via).ok()) else { continue };
        for (at, entry) in one.labels.iter().enumerate() {
            if matches!(entry.action, LabelAction::Swap(_)) {
                all.push((router, at, Path { label: entry.label, via }));
            }
        }
    }
    let (router, at, path) = choose(all, place)?;
    let entry = tables.get_mut(router).and_then(|one| one.labels.get_mut(at));
    entry.into_iter().for_each(|entry| entry.action = LabelAction::Swap(vec![path]));
    Ok(())
}

fn vrf_forgotten(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    let all = tables
        .iter()
        .enumerate()
        .flat_map(|(router, one)| (0..one.vrfs.len()).map(move |vrf| (router, vrf)));
    let (router, vrf) = choose(all.collect(), place)?;
    tables.get_mut(router).into_iter().for_each(|one| {
        one.vrfs.remove(vrf);
    });
    Ok(())
}

fn older(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    choose(tables.iter_mut().collect(), place)?.generation -= 1;
    Ok(())
}

fn missing(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    let at = choose((0..tables.len()).collect(), place)?;
    tables.remove(at);
    Ok(())
}

fn twice(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    let copy = choose(tables.iter().collect(), place)?.clone();
    tables.push(copy);
    Ok(())
}

fn stranger(_: &Plan, tables: &mut Tables, place: usize) -> Planted {
    let copy = choose(tables.iter().collect(), place)?.clone();
    tables.push(RouterTables { router: "stranger".to_owned(), ..copy });
    Ok(())
}
