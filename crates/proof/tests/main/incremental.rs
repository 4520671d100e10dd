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

/// Does something to one of them, where there is one.
fn change<T>(rng: &mut Rng, all: &mut [T], how: impl FnOnce(&mut T)) {
    let at = below(rng, all.len());
    if let Some(one) = all.get_mut(at) {
        how(one);
    }
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
    let at = below(rng, tables.len());
    let Some(router) = tables.get_mut(at) else { return };
    let number = u32::try_from(below(rng, router.transports.len())).expect("a number");
    let path = Path { label: any, via: number };
    match rng.below(12) {
        0 => change(rng, &mut router.labels, |entry| entry.action = LabelAction::Pop),
        1 => change(rng, &mut router.labels, |entry| entry.label = any),
        2 => change(rng, &mut router.labels, |entry| entry.action = LabelAction::Swap(vec![path])),
        3 if !router.labels.is_empty() => {
            router.labels.remove(below(rng, router.labels.len()));
        }
        4 => change(rng, &mut router.transports, |way| *way = Transport::default()),
        5 => {
            let port = PortId(u32::try_from(rng.below(4)).expect("a port"));
            change(rng, &mut router.transports, |way| {
                way.hops.first_mut().into_iter().for_each(|hop| hop.port = port);
            });
        }
        6 => change(rng, &mut router.ports, |port| {
            if let Accepts::Attachment { sources, .. } = &mut port.accepts {
                sources.push(other);
            }
        }),
        7 => change(rng, &mut router.vrfs, |vrf| {
            vrf.routes.push(VrfEntry { prefix: other, to: VrfRoute::Remote(vec![path]) });
        }),
        8 => change(rng, &mut router.vrfs, |vrf| vrf.routes.truncate(1)),
        9 => change(rng, &mut router.vrfs, |vrf| {
            vrf.rules.last_mut().into_iter().for_each(|rule| rule.port_last |= 1);
        }),
        10 => change(rng, &mut router.vrfs, |vrf| vrf.id = VrfId(1 - vrf.id.0.min(1))),
        _ => change(rng, &mut router.labels, |entry| entry.space = LabelSpace::Port(PortId(2))),
    }
}

/// Somebody is promised something else.
fn edit_promises(rng: &mut Rng, (plan, tables): &mut Network) {
    let other = prefix(rng, plan);
    let at = below(rng, plan.virtual_networks.len());
    let Some(name) = plan.virtual_networks.get(at).map(|one| one.name.clone()) else { return };
    match rng.below(9) {
        0 => change(rng, &mut plan.communities, |one| one.members.push(name)),
        1 => change(rng, &mut plan.communities, |one| one.members.truncate(0)),
        2 => change(rng, &mut plan.applications, |one| one.listens.truncate(1)),
        3 => change(rng, &mut plan.applications, |one| one.virtual_network = name),
        4 => change(rng, &mut plan.virtual_networks, |one| one.addresses.push(other)),
        5 => change(rng, &mut plan.attachments, |one| one.virtual_network = name),
        6 => change(rng, &mut plan.attachments, |one| one.prefixes.push(other)),
        7 if plan.links.len() > 1 => {
            plan.links.remove(below(rng, plan.links.len()));
        }
        _ => {
            plan.virtual_networks.remove(at);
            tables.rotate_left(1);
        }
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
