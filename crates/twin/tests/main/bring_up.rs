//! A network comes up, keeps its promises, and does so alike every time.

use crate::region::{converged, plan, plan_with};
use twin::Twin;
use twin::survey::{Extent, Survey};

fn keeps_every_promise(example: &str) -> Survey {
    let mut twin = converged(plan(example), 1);
    let survey = twin.survey(Extent::Full);
    assert!(survey.kept(), "{survey:#?}");
    assert!(survey.same_network.tested > 0 && survey.community.tested > 0);
    assert!(survey.community.wrong_port_tested > 0);
    assert!(twin.breaches().is_empty());
    assert_eq!(twin::checker::labels::check(&twin), Vec::<String>::new());
    survey
}

#[test]
fn two_pops_come_up_and_keep_every_promise() {
    keeps_every_promise("two-pops");
}

#[test]
fn six_sites_with_overlapping_addresses_keep_every_promise() {
    let survey = keeps_every_promise("six-sites");
    assert!(survey.separate.tested > 0);
}

#[test]
fn a_third_partys_router_that_does_not_run_breaks_no_promise() {
    const ATTACHED: &str = r#"
[[attached_router]]
name = "edge"
site = "G1"
virtual_network = "practices"
address = "10.2.0.2"
as_number = 64999
prefixes = ["10.2.64.0/24"]
"#;
    let mut twin = converged(plan_with("two-pops", ATTACHED), 1);
    twin.run_for(base::Duration::from_secs(30));
    assert!(twin.survey(Extent::Full).kept());
    assert_eq!(twin.breaches(), &[]);
}

fn trace(seed: u64) -> (u64, u64) {
    let mut twin = converged(plan("six-sites"), seed);
    twin.survey(Extent::Full);
    (twin.trace_hash(), twin.events())
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_seed_another_one() {
    assert_eq!(trace(7), trace(7));
    assert_ne!(trace(7).0, trace(8).0);
}

#[test]
fn a_packet_is_followed_there_and_back_under_its_labels() {
    let mut twin = converged(plan("two-pops"), 1);
    let network = twin.plan().attachments[0].virtual_network.clone();
    let lans: Vec<usize> = (0..twin.plan().attachments.len())
        .filter(|&lan| twin.plan().attachments[lan].virtual_network == network)
        .collect();
    let (from, to) = (lans[0], lans[1]);
    let flow = twin::probe::Flow {
        source: twin.host(from, false).unwrap(),
        destination: twin.host(to, false).unwrap(),
        protocol: 1,
        source_port: 0,
        destination_port: 0,
    };
    let trace = twin.trace(from, flow);
    assert!(trace.delivered && !trace.refused && trace.round_trip_us.is_some(), "{trace:#?}");
    let routers: Vec<&str> = trace.there.iter().map(|hop| hop.router.as_str()).collect();
    let back: Vec<&str> = trace.back.iter().map(|hop| hop.router.as_str()).rev().collect();
    assert_eq!(routers, back, "{trace:#?}");
    let (last, first) = (trace.there.last().unwrap(), trace.there.first().unwrap());
    assert!(last.labels.is_empty() && first.labels.len() == 1, "{trace:#?}");
    assert!(Twin::breaches(&twin).is_empty());
}
