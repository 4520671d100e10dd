//! Repairs by hand: a ring of four core routers, with tables as they would make them.

use core::net::{IpAddr, Ipv4Addr};

use base::{Label, LabelSpace, PortId};
use model::plan::Plan;
use model::tables::{Hop, LabelAction, LabelEntry, RouterTables, Transport};
use proof::{RepairFault, Repairs, repairs};

use crate::region::{small, tables};
use crate::sketch::{Core, Sketch};

/// `c0` to `c3` in a ring; every router has its port 0 towards the next one but the last.
fn ring(metrics: [u32; 4]) -> Plan {
    let ends = [[0, 1], [1, 2], [2, 3], [3, 0]];
    let links = ends.into_iter().zip(metrics).map(|(ends, metric)| Core {
        ends,
        metric,
        rate_kbps: 1000,
        risks: Vec::new(),
    });
    Sketch { cores: 4, links: links.collect(), ..Sketch::default() }.plan()
}

/// The label of a router.
fn label(router: u32) -> Label {
    Label::masked(16_000 + router)
}

fn hop(port: u32, labels: &[Label]) -> Hop {
    let neighbour = IpAddr::V4(Ipv4Addr::LOCALHOST);
    Hop { port: PortId(port), neighbour, labels: labels.to_vec() }
}

/// The tables of a router that reaches each other one by these hops and backups.
fn router(number: u32, ways: Vec<(u32, Vec<Hop>, Vec<Hop>)>) -> RouterTables {
    let entry =
        |router, action| LabelEntry { space: LabelSpace::Platform, label: label(router), action };
    let mut labels = vec![entry(number, LabelAction::Pop)];
    let mut transports = Vec::new();
    for (via, (to, hops, backups)) in (0..).zip(ways) {
        labels.push(entry(to, LabelAction::Transit(via)));
        transports.push(Transport { hops, backups });
    }
    labels.sort_by_key(|entry| entry.label);
    RouterTables {
        router: format!("c{number}"),
        generation: 1,
        ports: Vec::new(),
        vrfs: Vec::new(),
        labels,
        global: Vec::new(),
        transports,
    }
}

/// Ports: `c0` has 0 to `c1` and 1 to `c3`; every other one 0 back and 1 on.
fn shortest() -> Vec<RouterTables> {
    let to = |port, to| (to, vec![hop(port, &[label(to)])], vec![]);
    let both = |to, a, b| (to, vec![hop(a, &[label(to)]), hop(b, &[label(to)])], vec![]);
    vec![
        router(0, vec![to(0, 1), both(2, 0, 1), to(1, 3)]),
        router(1, vec![to(0, 0), to(1, 2), both(3, 0, 1)]),
        router(2, vec![both(0, 0, 1), to(0, 1), to(1, 3)]),
        router(3, vec![to(1, 0), both(1, 0, 1), to(0, 2)]),
    ]
}

fn counts(found: &Repairs) -> [usize; 5] {
    let Repairs { protected, unprotected, no_alternative, faulty, unclear, .. } = found;
    [*protected, *unprotected, *no_alternative, *faulty, *unclear]
}

#[test]
fn equal_hops_protect_each_other_and_single_ones_are_not_protected() {
    let found = repairs(&ring([1; 4]), &shortest());
    assert_eq!(counts(&found), [8, 8, 0, 0, 0], "{found:?}");
}

#[test]
fn backup_that_reaches_the_destination_protects() {
    let (plan, mut tables) = (ring([1; 4]), shortest());
    // To c1 over c3, from where c2 comes first.
    tables[0].transports[0].backups = vec![hop(1, &[label(2), label(1)])];
    let found = repairs(&plan, &tables);
    assert_eq!(counts(&found), [9, 7, 0, 0, 0], "{found:?}");
}

#[test]
fn backup_by_a_router_that_sends_it_back_is_a_loop() {
    let (plan, mut tables) = (ring([1; 4]), shortest());
    // c3 has two equal ways to c1, and one leads back through c0.
    tables[0].transports[0].backups = vec![hop(1, &[label(1)])];
    let found = repairs(&plan, &tables);
    assert_eq!(counts(&found), [8, 7, 0, 1, 0]);
    let [fault] = found.faults.as_slice() else { panic!("one fault") };
    assert_eq!((fault.router, fault.destination, fault.link), (0, 1, 0));
    assert_eq!(fault.fault, RepairFault::Loop(0));
    assert_eq!(
        fault.in_words(&plan),
        "c0 cannot repair its way to c1 without link c0--c1: it comes to c0 again"
    );
}

#[test]
fn repair_that_depends_on_a_far_router_which_sends_it_back_is_a_loop() {
    let (plan, mut tables) = (ring([1; 4]), shortest());
    // c2 is made to reach c3 the long way round, through c0.
    tables[0].transports[2].backups = vec![hop(0, &[label(2), label(3)])];
    tables[2].transports[2].hops = vec![hop(0, &[label(3)])];
    tables[1].transports[2].hops = vec![hop(0, &[label(3)])];
    let found = repairs(&plan, &tables);
    let fault = found.faults.iter().find(|one| one.router == 0 && one.destination == 3);
    assert_eq!(fault.map(|one| one.fault), Some(RepairFault::Loop(0)));
}

#[test]
fn repair_over_the_failed_link_from_its_other_end_is_told() {
    // The far end of the link has not noticed either.
    let (plan, mut tables) = (ring([1; 4]), shortest());
    tables[0].transports[0].backups = vec![hop(1, &[label(2), label(1), label(0), label(1)])];
    let found = repairs(&plan, &tables);
    let [fault] = found.faults.as_slice() else { panic!("one fault") };
    assert_eq!(fault.fault, RepairFault::Crosses(1));
}

#[test]
fn label_that_nobody_knows_and_wrong_router_at_the_end_are_told() {
    for (labels, wanted) in [
        (vec![Label::masked(99)], RepairFault::Dead { at: 3, label: Label::masked(99) }),
        (vec![label(3)], RepairFault::Astray(3)),
        (vec![], RepairFault::Astray(3)),
    ] {
        let (plan, mut tables) = (ring([1; 4]), shortest());
        tables[0].transports[0].backups = vec![hop(1, &labels)];
        let found = repairs(&plan, &tables);
        assert_eq!(found.faults.iter().map(|one| one.fault).collect::<Vec<_>>(), [wanted]);
    }
}

#[test]
fn way_over_a_bridge_has_no_alternative() {
    let link = |ends| Core { ends, metric: 1, rate_kbps: 1, risks: Vec::new() };
    let plan = Sketch { cores: 2, links: vec![link([0, 1])], ..Sketch::default() }.plan();
    let to = |to| (to, vec![hop(0, &[label(to)])], vec![]);
    let found = repairs(&plan, &[router(0, vec![to(1)]), router(1, vec![to(0)])]);
    assert_eq!(counts(&found), [0, 0, 2, 0, 0]);
}

#[test]
fn networks_that_have_come_up_have_no_faulty_repair() {
    for (example, plan) in small() {
        let found = repairs(&plan, &tables(&plan));
        assert_eq!((found.faulty, found.unclear), (0, 0), "{example}: {found:?}");
        assert!(found.repairable() + found.no_alternative > 0, "{example}");
    }
}
