//! One mistake at a time, at every place where it can be made: each is caught, and by its name.

use std::collections::{BTreeMap, BTreeSet};

use base::{Label, LabelSpace, Prefix, VrfId};
use model::plan::Plan;
use model::tables::{
    Accepts, LabelAction, LabelEntry, RouterTables, Transport, VrfEntry, VrfRoute,
};
use proof::{Breach, Fault, isolation};

use crate::region::{small, tables};

type Network = (Plan, Vec<RouterTables>);
/// Makes the mistake at the place of this number; false where there is no such place.
type Mistake = fn(&mut Network, usize) -> bool;
type Expected = fn(&Breach) -> bool;

/// Every label of this kind.
fn labels<'a>(
    tables: &'a mut [RouterTables],
    is_wanted: impl Fn(&LabelAction) -> bool + Copy + 'a,
) -> impl Iterator<Item = &'a mut LabelAction> {
    let all = tables.iter_mut().flat_map(|one| &mut one.labels).map(|entry| &mut entry.action);
    all.filter(move |action| is_wanted(action))
}

fn routes(tables: &mut [RouterTables]) -> impl Iterator<Item = &mut VrfEntry> {
    tables.iter_mut().flat_map(|one| &mut one.vrfs).flat_map(|vrf| &mut vrf.routes)
}

const NOBODYS: Label = Label::masked(777_777);

fn vrf_of_another(network: &mut Network, place: usize) -> bool {
    let two = network.1.iter_mut().filter(|one| one.vrfs.len() > 1);
    let mut labels =
        two.flat_map(|one| &mut one.labels).filter_map(|entry| match &mut entry.action {
            LabelAction::Vrf(vrf) => Some(vrf),
            LabelAction::Pop | LabelAction::Swap(_) | LabelAction::Transit(_) => None,
        });
    let Some(vrf) = labels.nth(place) else { return false };
    *vrf = VrfId(1 - vrf.0);
    true
}

fn label_taken_away(network: &mut Network, place: usize) -> bool {
    let is_service =
        |action: &LabelAction| matches!(action, LabelAction::Vrf(_) | LabelAction::Swap(_));
    for router in &mut network.1 {
        let services = router.labels.iter().filter(|entry| is_service(&entry.action)).count();
        if services > 0 && place == 0 {
            router.labels.retain(|entry| !is_service(&entry.action));
            return true;
        }
    }
    false
}

fn label_that_falls_out(network: &mut Network, place: usize) -> bool {
    let action = labels(&mut network.1, |action| matches!(action, LabelAction::Vrf(_))).nth(place);
    action.map(|action| *action = LabelAction::Pop).is_some()
}

fn path_under_nobodys_label(network: &mut Network, place: usize) -> bool {
    let mut paths = routes(&mut network.1).filter_map(|entry| match &mut entry.to {
        VrfRoute::Remote(paths) => paths.first_mut(),
        VrfRoute::Attached { .. } | VrfRoute::Local => None,
    });
    paths.nth(place).map(|path| path.label = NOBODYS).is_some()
}

fn swap_to_nobodys_label(network: &mut Network, place: usize) -> bool {
    let mut swaps = labels(&mut network.1, |action| matches!(action, LabelAction::Swap(_)));
    let Some(LabelAction::Swap(paths)) = swaps.nth(place) else { return false };
    paths.first_mut().map(|path| path.label = NOBODYS).is_some()
}

/// A label that a route begins with takes the way of another one that its site was given. Where
/// sites have two uplinks, both labels may lead to the same site, and no harm is done.
fn swaps_crossed(network: &mut Network, place: usize) -> bool {
    if network.0.sites.iter().any(|site| site.resilient) {
        return false;
    }
    let firsts: BTreeSet<Label> = routes(&mut network.1.clone())
        .filter_map(|entry| match &entry.to {
            VrfRoute::Remote(paths) => paths.first().map(|path| path.label),
            VrfRoute::Attached { .. } | VrfRoute::Local => None,
        })
        .collect();
    let mut candidates = Vec::new();
    for (router, tables) in network.1.iter().enumerate() {
        for (at, one) in tables.labels.iter().enumerate() {
            let is_other =
                |other: &&LabelEntry| other.space == one.space && other.action != one.action;
            let other = tables.labels.iter().find(is_other);
            if let Some(other) = other.filter(|_| one.space != LabelSpace::Platform)
                && firsts.contains(&one.label)
            {
                candidates.push((router, at, other.action.clone()));
            }
        }
    }
    let Some((router, at, other)) = candidates.into_iter().nth(place) else { return false };
    let entry = network.1.get_mut(router).and_then(|one| one.labels.get_mut(at));
    entry.map(|entry| entry.action = other).is_some()
}

fn route_taken_away(network: &mut Network, place: usize) -> bool {
    let vrfs = network.1.iter_mut().flat_map(|one| &mut one.vrfs);
    let mut remote = vrfs.flat_map(|vrf| {
        let is_remote = |entry: &VrfEntry| matches!(entry.to, VrfRoute::Remote(_));
        let first = vrf.routes.iter().position(is_remote);
        first.map(|first| (vrf, first))
    });
    let Some((vrf, first)) = remote.nth(place) else { return false };
    vrf.routes.remove(first);
    true
}

/// A route of a VRF is that of another VRF of the same router.
fn route_leaked(network: &mut Network, place: usize) -> bool {
    let Some(router) = network.1.iter_mut().filter(|one| one.vrfs.len() > 1).nth(place) else {
        return false;
    };
    let is_remote = |entry: &&mut VrfEntry| matches!(entry.to, VrfRoute::Remote(_));
    let [first, second, ..] = router.vrfs.as_mut_slice() else { return false };
    let own = first.routes.iter_mut().find(is_remote).expect("a route");
    let leaked = second.routes.iter_mut().find(is_remote).expect("a route");
    own.to = leaked.to.clone();
    true
}

fn way_without_hop(network: &mut Network, place: usize) -> bool {
    let uplinks = network.1.iter_mut().filter(|one| one.router.starts_with("site-"));
    let mut all = uplinks.flat_map(|one| &mut one.transports).filter(|way| !way.hops.is_empty());
    all.nth(place).map(|way| *way = Transport::default()).is_some()
}

/// What should go on comes back to the router before.
fn way_back(network: &mut Network, place: usize) -> bool {
    let mut cores = network.1.iter_mut().filter(|one| !one.router.starts_with("site-"));
    let Some(router) = cores.nth(place) else { return false };
    let via = router
        .transports
        .iter()
        .position(|way| way.hops.first().is_some_and(|hop| is_core(&router.ports, hop.port)));
    let Some(via) = via.and_then(|via| u32::try_from(via).ok()) else { return false };
    for entry in &mut router.labels {
        if let (LabelSpace::Platform, LabelAction::Swap(paths)) = (entry.space, &mut entry.action) {
            for path in paths {
                (path.via, path.label) = (via, entry.label);
            }
        }
    }
    true
}

fn is_core(ports: &[model::tables::Port], id: base::PortId) -> bool {
    ports.iter().any(|port| port.id == id && port.accepts == Accepts::Core)
}

fn any_rule(network: &mut Network, place: usize) -> Option<&mut model::tables::Rule> {
    let vrfs = network.1.iter_mut().flat_map(|one| &mut one.vrfs);
    vrfs.flat_map(|vrf| &mut vrf.rules).nth(place)
}

fn port_widened(network: &mut Network, place: usize) -> bool {
    any_rule(network, place).map(|rule| rule.port_last += 1).is_some()
}

fn port_moved(network: &mut Network, place: usize) -> bool {
    any_rule(network, place).map(|rule| rule.port_first += 1).is_some()
}

fn protocol_changed(network: &mut Network, place: usize) -> bool {
    any_rule(network, place).map(|rule| rule.protocol = 132).is_some()
}

fn far_side_widened(network: &mut Network, place: usize) -> bool {
    let all: Prefix = "0.0.0.0/0".parse().expect("a prefix");
    any_rule(network, place).map(|rule| rule.remote.push(all)).is_some()
}

fn rule_taken_away(network: &mut Network, place: usize) -> bool {
    let mut vrfs = network.1.iter_mut().flat_map(|one| &mut one.vrfs);
    let vrf = vrfs.by_ref().filter(|vrf| !vrf.rules.is_empty()).nth(place);
    vrf.map(|vrf| vrf.rules.clear()).is_some()
}

fn own_widened(network: &mut Network, place: usize) -> bool {
    let all: Prefix = "0.0.0.0/0".parse().expect("a prefix");
    let vrf = network.1.iter_mut().flat_map(|one| &mut one.vrfs).nth(place);
    vrf.map(|vrf| vrf.own.push(all)).is_some()
}

fn sources_widened(network: &mut Network, place: usize) -> bool {
    let all: Prefix = "0.0.0.0/0".parse().expect("a prefix");
    let ports = network.1.iter_mut().flat_map(|one| &mut one.ports);
    let mut sources = ports.filter_map(|port| match &mut port.accepts {
        Accepts::Core => None,
        Accepts::Uplink { sources, .. } => sources.as_mut(),
        Accepts::Attachment { sources, .. } => Some(sources),
    });
    sources.nth(place).map(|sources| sources.push(all)).is_some()
}

fn lan_in_the_wrong_vrf(network: &mut Network, place: usize) -> bool {
    let two = network.1.iter_mut().filter(|one| one.vrfs.len() > 1);
    let mut lans = two.flat_map(|one| &mut one.ports).filter_map(|port| match &mut port.accepts {
        Accepts::Attachment { vrf, .. } => Some(vrf),
        Accepts::Core | Accepts::Uplink { .. } => None,
    });
    let Some(vrf) = lans.nth(place) else { return false };
    *vrf = VrfId(1 - vrf.0);
    true
}

fn lan_nobody_was_promised(network: &mut Network, place: usize) -> bool {
    if place >= network.0.attachments.len() {
        return false;
    }
    network.0.attachments.remove(place);
    true
}

fn consent_withdrawn(network: &mut Network, place: usize) -> bool {
    let mut members = network.0.communities.iter_mut().flat_map(|community| {
        let count = community.members.len();
        core::iter::repeat_n((), count).enumerate().map(|(at, ())| at).collect::<Vec<_>>()
    });
    let Some(at) = members.nth(place) else { return false };
    drop(members);
    network.0.communities.iter_mut().for_each(|community| {
        if at < community.members.len() {
            community.members.remove(at);
        }
    });
    true
}

fn community_expired(network: &mut Network, place: usize) -> bool {
    if place >= network.0.communities.len() {
        return false;
    }
    network.0.communities.remove(place);
    true
}

fn older_tables(network: &mut Network, place: usize) -> bool {
    network.1.get_mut(place).map(|one| one.generation -= 1).is_some()
}

fn no_tables(network: &mut Network, place: usize) -> bool {
    if place >= network.1.len() {
        return false;
    }
    network.1.remove(place);
    true
}

const MISTAKES: [(&str, Mistake, Expected); 23] = [
    ("label of another VRF", vrf_of_another, |b| matches!(b, Breach::Leak { .. })),
    ("labels taken away", label_taken_away, |b| matches!(b, Breach::Way(Fault::Dead { .. }))),
    ("label without VRF", label_that_falls_out, |b| {
        matches!(b, Breach::Way(Fault::FallsOut { .. }))
    }),
    ("path under nobody's label", path_under_nobodys_label, |b| {
        matches!(b, Breach::Way(Fault::Dead { .. }))
    }),
    ("swap to nobody's label", swap_to_nobodys_label, |b| {
        matches!(b, Breach::Way(Fault::Dead { .. }))
    }),
    ("swaps crossed", swaps_crossed, |b| {
        matches!(b, Breach::Leak { .. } | Breach::NotDelivered { .. })
    }),
    ("route taken away", route_taken_away, |b| matches!(b, Breach::Missing)),
    ("route leaked", route_leaked, |b| matches!(b, Breach::Leak { .. })),
    ("way without hop", way_without_hop, |b| matches!(b, Breach::Way(Fault::NoHop(_)))),
    ("way back", way_back, |b| matches!(b, Breach::Way(Fault::Loop(_) | Fault::Dead { .. }))),
    ("port widened", port_widened, |b| matches!(b, Breach::Wider)),
    ("port moved", port_moved, |b| matches!(b, Breach::Narrower)),
    ("protocol changed", protocol_changed, |b| matches!(b, Breach::Wider)),
    ("far side widened", far_side_widened, |b| matches!(b, Breach::Wider)),
    ("rules taken away", rule_taken_away, |b| matches!(b, Breach::Narrower)),
    ("own addresses widened", own_widened, |b| matches!(b, Breach::Wider)),
    ("sources widened", sources_widened, |b| matches!(b, Breach::ForeignSource)),
    ("LAN in the wrong VRF", lan_in_the_wrong_vrf, |b| {
        matches!(b, Breach::Mixed { .. } | Breach::Leak { .. })
    }),
    ("LAN that nobody was promised", lan_nobody_was_promised, |b| matches!(b, Breach::Stranger)),
    ("consent withdrawn", consent_withdrawn, |b| matches!(b, Breach::Leak { .. } | Breach::Wider)),
    ("community expired", community_expired, |b| matches!(b, Breach::Leak { .. })),
    ("tables of another plan", older_tables, |b| matches!(b, Breach::Generation { .. })),
    ("tables missing", no_tables, |b| matches!(b, Breach::NoTables)),
];

#[test]
fn every_mistake_is_caught_by_its_name() {
    let mut tried: BTreeMap<&str, usize> = BTreeMap::new();
    for (example, plan) in small() {
        let original = (plan.clone(), tables(&plan));
        for (name, mistake, expected) in MISTAKES {
            for place in 0.. {
                let mut network = original.clone();
                if !mistake(&mut network, place) {
                    break;
                }
                let proved = isolation(&network.0, &network.1);
                let found = proved.violations.iter().any(|one| expected(&one.breach));
                assert!(found, "{example}: {name} at {place}: {:#?}", proved.violations);
                *tried.entry(name).or_default() += 1;
            }
        }
    }
    let never: Vec<_> = MISTAKES.iter().filter(|(name, ..)| !tried.contains_key(name)).collect();
    assert!(never.is_empty(), "{:?}", never.iter().map(|(name, ..)| name).collect::<Vec<_>>());
    let all: usize = tried.values().sum();
    assert!(all > 200, "{all} mistakes");
}
