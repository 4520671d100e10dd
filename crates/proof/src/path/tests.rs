//! What a packet does in tables is what it does on the twin.

use std::collections::BTreeSet;
use std::path::Path as Folder;

use base::{Duration, Label, Prefix};
use model::config::NeighbourKind;
use model::plan::Plan;
use model::tables::{LabelAction, RouterTables};
use twin::Twin;
use twin::probe::Flow;
use twin::trace::Trace;

use super::{End, Packet, Path, Refusal, path};
use crate::{Breach, isolation};

fn plan(example: &str) -> Plan {
    let folder = Folder::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(example);
    let texts = intent::files::read(&folder).unwrap();
    let intent = intent::check(&texts, None).intent.unwrap();
    plan::compile(&intent, &mut intent::Lock::default(), 1, None).unwrap()
}

fn converged(plan: &Plan) -> (Twin, Vec<RouterTables>) {
    let mut twin = Twin::new(plan.clone(), 1).unwrap();
    twin.run_until_converged(Duration::from_secs(60), &mut |_| {}).unwrap();
    let table = |name: &str| twin.router(name).unwrap().forwarding_tables();
    let tables = plan.routers.iter().map(|router| table(&router.name)).collect();
    (twin, tables)
}

/// The packet that a twin sends for a flow.
fn packet(plan: &Plan, lan: usize, flow: Flow) -> Packet {
    Packet {
        site: plan.attachments[lan].site.clone(),
        virtual_network: plan.attachments[lan].virtual_network.clone(),
        source: flow.source,
        destination: flow.destination,
        protocol: flow.protocol,
        source_port: flow.source_port,
        destination_port: flow.destination_port,
        is_answer: false,
    }
}

/// That a packet comes out where it is followed to, by the same routers under the same labels
/// wherever there is no choice.
fn agrees(followed: &Path, traced: &Trace) {
    let site = followed.lan().map(|lan| lan.site.as_str());
    assert_eq!(site, traced.site.as_deref(), "{followed:#?}\n{traced:#?}");
    let has_choice = |path: &Path| {
        path.steps.iter().filter_map(|s| s.leaves.as_ref()).any(|l| !l.equal.is_empty())
    };
    if has_choice(followed) {
        return;
    }
    let left = followed.steps.iter().filter_map(|step| Some((step, step.leaves.as_ref()?)));
    let left: Vec<_> =
        left.map(|(step, out)| (step.router.as_str(), out.port.as_str(), &out.labels)).collect();
    let seen: Vec<_> = traced
        .there
        .iter()
        .map(|hop| (hop.router.as_str(), hop.port.as_str(), &hop.labels))
        .collect();
    assert_eq!(left, seen);
}

fn trace(plan: &Plan, twin: &mut Twin, tables: &[RouterTables], lan: usize, flow: Flow) -> Path {
    let followed = path(plan, tables, &packet(plan, lan, flow));
    agrees(&followed, &twin.trace(lan, flow));
    followed
}

#[test]
fn packets_between_all_lans_take_the_way_that_they_take_on_the_twin() {
    let plan = plan("six-sites");
    let (mut twin, tables) = converged(&plan);
    let lans = 0..plan.attachments.len();
    let (mut delivered, mut refused) = (0, 0);
    for from in lans.clone() {
        for to in lans.clone().filter(|to| *to != from) {
            for v6 in [false, true] {
                let (Some(source), Some(destination)) = (twin.host(from, v6), twin.host(to, v6))
                else {
                    continue;
                };
                let (source_port, destination_port) = (49_152, 443);
                let flow = Flow { source, destination, protocol: 6, source_port, destination_port };
                match trace(&plan, &mut twin, &tables, from, flow).end {
                    End::Delivered { .. } => delivered += 1,
                    End::Refused { .. } | End::Router(_) => refused += 1,
                }
            }
        }
    }
    assert!(delivered > 0 && refused > 0, "{delivered} {refused}");
}

#[test]
fn an_application_is_reached_on_its_ports_alone_and_answers() {
    let plan = plan("two-pops");
    let (mut twin, tables) = converged(&plan);
    let lan = twin.lan("G1", None).unwrap();
    let source = twin.host(lan, false).unwrap();
    let records = plan.applications.iter().find(|one| one.name == "records").unwrap();
    let destination = records.addresses[0];
    for (protocol, port, is_reached) in [(6, 443, true), (6, 22, false), (1, 0, false)] {
        let source_port = if port == 0 { 0 } else { 49_152 };
        let flow = Flow { source, destination, protocol, source_port, destination_port: port };
        let there = trace(&plan, &mut twin, &tables, lan, flow);
        let End::Delivered { lan: Some(at), .. } = &there.end else {
            let why = format!("{:?}", there.end);
            assert!(
                !is_reached && why.contains("site-g1") && why.contains("NotPermitted"),
                "{why}"
            );
            continue;
        };
        assert!(is_reached);
        let asked = packet(&plan, lan, flow);
        let back = path(&plan, &tables, &asked.answered_from(at));
        assert_eq!(back.lan().map(|lan| lan.site.as_str()), Some("G1"), "{back:#?}");
        let opened = Packet { is_answer: false, ..asked.answered_from(at) };
        let end = path(&plan, &tables, &opened).end;
        assert!(matches!(end, End::Refused { why: Refusal::NotPermitted(_), .. }), "{end:?}");
    }
}

/// One virtual network imports what another one exports, and nothing else stands against it.
fn import_of_another(plan: &mut Plan, from: &str, into: &str) {
    let vrfs = || plan.routers.iter().flat_map(|router| &router.vrfs);
    let exported = vrfs().filter(|vrf| vrf.virtual_network == from).flat_map(|vrf| &vrf.export);
    let stolen: BTreeSet<_> = exported.flat_map(|route| route.targets.iter().copied()).collect();
    let everywhere: Prefix = "0.0.0.0/0".parse().unwrap();
    for router in &mut plan.routers {
        for vrf in &mut router.vrfs {
            if vrf.virtual_network == into {
                vrf.import.extend(&stolen);
            }
            vrf.access.own.push(everywhere);
        }
        for neighbour in &mut router.neighbours {
            if let NeighbourKind::Site { send, .. } = &mut neighbour.kind {
                send.extend(&stolen);
            }
        }
    }
}

#[test]
fn the_witness_of_a_leak_arrives_on_the_twin_where_the_proof_says() {
    let mut plan = plan("six-sites");
    import_of_another(&mut plan, "hospitals", "crawley-practices");
    let (mut twin, tables) = converged(&plan);
    let proved = isolation(&plan, &tables);
    let mut replayed = 0;
    for violation in &proved.violations {
        let Breach::Leak { at, into: Some(into) } = &violation.breach else { continue };
        let Some(witness) = &violation.witness else { continue };
        if witness.destination.is_ipv6() {
            continue;
        }
        let packet = Packet::of(witness, false);
        let followed = path(&plan, &tables, &packet);
        let End::Delivered { router, lan: Some(lan) } = &followed.end else {
            panic!("{violation}: {:?}", followed.end);
        };
        assert_eq!((router, &lan.virtual_network), (at, into), "{violation}");
        assert_eq!(followed.steps.first().map(|step| &step.router), Some(&violation.router));
        let from = twin.lan(&witness.site, Some(&witness.virtual_network)).unwrap();
        let flow = Flow {
            source: packet.source,
            destination: packet.destination,
            protocol: packet.protocol,
            source_port: packet.source_port,
            destination_port: packet.destination_port,
        };
        agrees(&followed, &twin.trace(from, flow));
        replayed += 1;
    }
    assert!(replayed > 0, "{:#?}", proved.violations);
    assert!(!twin.breaches().is_empty());
}

#[test]
fn every_way_to_be_lost_has_its_reason() {
    let plan = plan("two-pops");
    let (twin, tables) = converged(&plan);
    let lan = twin.lan("G1", None).unwrap();
    let flow = Flow {
        source: twin.host(lan, false).unwrap(),
        destination: twin.host(twin.lan("G2", None).unwrap(), false).unwrap(),
        protocol: 17,
        source_port: 1,
        destination_port: 2,
    };
    let sent = packet(&plan, lan, flow);
    let why = |tables: &[RouterTables], packet: &Packet| match path(&plan, tables, packet).end {
        End::Refused { at, why } => (at, why),
        end @ (End::Delivered { .. } | End::Router(_)) => panic!("{end:?}"),
    };
    assert!(path(&plan, &tables, &sent).lan().is_some());
    let nowhere = Packet { site: "X".to_owned(), ..sent.clone() };
    assert_eq!(why(&tables, &nowhere), ("X".to_owned(), Refusal::NoLan));
    let foreign = Packet { source: "192.0.2.1".parse().unwrap(), ..sent.clone() };
    assert_eq!(why(&tables, &foreign).1, Refusal::ForeignSource);
    assert_eq!(why(&[], &sent), ("site-g1".to_owned(), Refusal::NoTables));
    let with = |change: &dyn Fn(&mut RouterTables)| {
        let mut tables = tables.clone();
        tables.iter_mut().for_each(change);
        why(&tables, &sent).1
    };
    let no_routes = with(&|one| one.vrfs.iter_mut().for_each(|vrf| vrf.routes.clear()));
    assert!(matches!(no_routes, Refusal::NoRoute(_)));
    assert_eq!(with(&|one| one.transports.clear()), Refusal::NoWay);
    let no_labels = with(&|one| one.labels.clear());
    assert!(matches!(no_labels, Refusal::DeadLabel(_)));
    let popped = with(&|one| one.labels.iter_mut().for_each(|e| e.action = LabelAction::Pop));
    assert_eq!(popped, Refusal::FallsOut);
    let deep = with(&|one| {
        for hop in one.transports.iter_mut().flat_map(|way| &mut way.hops) {
            hop.labels = vec![Label::FIRST_FREE; 12];
        }
    });
    assert!(matches!(deep, Refusal::Stack(_)));
    let strangers = Plan { links: Vec::new(), ..plan.clone() };
    let end = path(&strangers, &tables, &sent).end;
    assert!(matches!(end, End::Refused { why: Refusal::NoLink(_), .. }));
    let said: BTreeSet<String> =
        [no_routes, no_labels, popped, deep].iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 4);
}
