//! A proof that is renewed by what changed says what a proof from the beginning says.

use std::collections::BTreeSet;

use base::{Label, LabelSpace, PortId, Prefix, Rng, VrfId};
use model::plan::Plan;
use model::tables::{Accepts, LabelAction, Path, RouterTables, Transport, VrfEntry, VrfRoute};
use proof::{Gone, Incremental, converged, isolation};

use crate::region::{plan, small};

type Network = (Plan, Vec<RouterTables>);

fn below(rng: &mut Rng, len: usize) -> usize {
    usize::try_from(rng.below(u64::try_from(len.max(1)).expect("a length"))).expect("an index")
}

fn pick<'a, T>(rng: &mut Rng, all: &'a mut [T]) -> Option<&'a mut T> {
    let at = below(rng, all.len());
    all.get_mut(at)
}

fn label(rng: &mut Rng, tables: &[RouterTables]) -> Label {
    let router = tables.get(below(rng, tables.len())).expect("a router");
    let entry = router.labels.get(below(rng, router.labels.len()));
    entry.map_or(Label::masked(777_777), |entry| entry.label)
}

fn prefix(rng: &mut Rng, plan: &Plan) -> Prefix {
    let lan = plan.attachments.get(below(rng, plan.attachments.len())).expect("a LAN");
    *lan.prefixes.get(below(rng, lan.prefixes.len())).expect("a prefix")
}

/// Something small becomes something else, in one router's tables.
fn edit_tables(rng: &mut Rng, (plan, tables): &mut Network) {
    let (any, other) = (label(rng, tables), prefix(rng, plan));
    let Some(router) = pick(rng, tables) else { return };
    let number = u32::try_from(below(rng, router.transports.len())).expect("a number");
    match rng.below(12) {
        0 => drop(pick(rng, &mut router.labels).map(|entry| entry.action = LabelAction::Pop)),
        1 => drop(pick(rng, &mut router.labels).map(|entry| entry.label = any)),
        2 => {
            let action = LabelAction::Swap(vec![Path { label: any, via: number }]);
            drop(pick(rng, &mut router.labels).map(|entry| entry.action = action));
        }
        3 if !router.labels.is_empty() => {
            router.labels.remove(below(rng, router.labels.len()));
        }
        4 => drop(pick(rng, &mut router.transports).map(|way| *way = Transport::default())),
        5 => {
            let way = pick(rng, &mut router.transports);
            let hop = way.and_then(|way| way.hops.first_mut());
            drop(hop.map(|hop| hop.port = PortId(u32::try_from(rng.below(4)).expect("a port"))));
        }
        6 => {
            let port = pick(rng, &mut router.ports);
            if let Some(Accepts::Attachment { sources, .. }) = port.map(|port| &mut port.accepts) {
                sources.push(other);
            }
        }
        7 => {
            let to = VrfRoute::Remote(vec![Path { label: any, via: number }]);
            let vrf = pick(rng, &mut router.vrfs);
            drop(vrf.map(|vrf| vrf.routes.push(VrfEntry { prefix: other, to })));
        }
        8 => {
            let vrf = pick(rng, &mut router.vrfs);
            drop(vrf.and_then(|vrf| vrf.routes.pop()));
        }
        9 => {
            let rule = pick(rng, &mut router.vrfs).and_then(|vrf| vrf.rules.last_mut());
            drop(rule.map(|rule| rule.port_last = rule.port_last.saturating_add(1)));
        }
        10 => {
            let vrf = pick(rng, &mut router.vrfs);
            drop(vrf.map(|vrf| vrf.id = VrfId(1 - vrf.id.0.min(1))));
        }
        _ => {
            let space = LabelSpace::Port(PortId(2));
            drop(pick(rng, &mut router.labels).map(|entry| entry.space = space));
        }
    }
}

/// Somebody is promised something else.
fn edit_promises(rng: &mut Rng, (plan, tables): &mut Network) {
    let other = prefix(rng, plan);
    let names: Vec<String> = plan.virtual_networks.iter().map(|one| one.name.clone()).collect();
    let name = names.get(below(rng, names.len())).expect("a network").clone();
    match rng.below(9) {
        0 => drop(pick(rng, &mut plan.communities).map(|one| one.members.push(name))),
        1 => drop(pick(rng, &mut plan.communities).map(|one| one.members.pop())),
        2 => drop(pick(rng, &mut plan.applications).map(|one| one.listens.pop())),
        3 => drop(pick(rng, &mut plan.applications).map(|one| one.virtual_network = name)),
        4 => drop(pick(rng, &mut plan.virtual_networks).map(|one| one.addresses.push(other))),
        5 => drop(pick(rng, &mut plan.attachments).map(|one| one.virtual_network = name)),
        6 => drop(pick(rng, &mut plan.attachments).map(|one| one.prefixes.push(other))),
        7 if plan.links.len() > 1 => {
            plan.links.remove(below(rng, plan.links.len()));
        }
        _ if plan.virtual_networks.len() > 1 => {
            plan.virtual_networks.remove(below(rng, plan.virtual_networks.len()));
            tables.rotate_left(1);
        }
        _ => {}
    }
}

#[test]
fn it_says_the_same_after_thousands_of_edits() {
    const EDITS: u64 = 1_500;
    let mut different = BTreeSet::new();
    for (name, plan) in small() {
        let good = (plan.clone(), converged(&plan, &Gone::default()));
        let mut rng = Rng::new(7);
        let mut network = good.clone();
        let mut proof = Incremental::new(network.0.clone(), network.1.clone());
        for edit in 0..EDITS {
            // One that is all broken has nothing left to break.
            if edit % 12 == 0 {
                network = good.clone();
            } else if rng.below(3) == 0 {
                edit_promises(&mut rng, &mut network);
            } else {
                edit_tables(&mut rng, &mut network);
            }
            let renewed = proof.update(network.0.clone(), network.1.clone());
            let anew = isolation(&network.0, &network.1);
            different.insert(anew.violations_total);
            assert_eq!(*renewed, anew, "{name}, edit {edit}");
        }
    }
    assert!(different.contains(&0) && different.len() > 20, "{different:?}");
}

#[test]
fn a_small_change_touches_little() {
    let old = plan("sussex", "");
    let tables = converged(&old, &Gone::default());
    let mut proof = Incremental::new(old.clone(), tables);
    let (_, all) = proof.renewed();
    let mut new = old;
    let community = new.communities.first_mut().expect("a community");
    community.members.pop();
    let tables = converged(&new, &Gone::default());
    proof.update(new.clone(), tables.clone());
    assert_eq!(*proof.isolation(), isolation(&new, &tables));
    let (renewed, _) = proof.renewed();
    assert!(renewed > 0 && renewed < all / 4, "{renewed} of {all}");
}
