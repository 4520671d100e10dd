//! Mistakes planted in a plan's configurations: every one that changes what arrives is seen.
//!
//! The promises of the plan stay as they were, so what is tested here is the checkers.

use std::collections::BTreeSet;

use crate::region::{converged, plan};
use base::Prefix;
use model::config::{NeighbourKind, RouterConfig};
use model::plan::Plan;
use twin::Twin;
use twin::survey::{Extent, Survey};

fn surveyed(plan: Plan) -> (Twin, Survey) {
    let mut twin = converged(plan, 1);
    let survey = twin.survey(Extent::Full);
    (twin, survey)
}

/// Everything that both ends of every uplink filter by is opened for two virtual networks.
fn leak_everything(plan: &mut Plan) {
    let all: BTreeSet<_> =
        plan.routers.iter().flat_map(|r| &r.vrfs).flat_map(|v| v.import.iter().copied()).collect();
    let everywhere: Vec<Prefix> =
        ["0.0.0.0/0", "::/0"].iter().map(|text| text.parse().expect("a prefix")).collect();
    for router in &mut plan.routers {
        for vrf in &mut router.vrfs {
            vrf.import.clone_from(&all);
            vrf.access.own.clone_from(&everywhere);
        }
        for neighbour in &mut router.neighbours {
            if let NeighbourKind::Site { send, .. } = &mut neighbour.kind {
                send.clone_from(&all);
            }
        }
    }
}

#[test]
fn virtual_networks_that_import_each_other_are_seen_by_packets_and_by_labels() {
    let mut plan = plan("six-sites");
    leak_everything(&mut plan);
    let (twin, survey) = surveyed(plan);
    assert!(survey.separate.delivered > 0, "{survey:#?}");
    assert!(survey.community.wrong_port_delivered > 0, "{survey:#?}");
    assert!(!survey.kept());
    assert!(!twin.breaches().is_empty());
    let problems = twin::checker::labels::check(&twin);
    assert!(problems.iter().any(|problem| problem.contains("leads from")), "{problems:#?}");
}

fn each_rule(plan: &mut Plan, change: impl Fn(&mut model::config::AccessRule)) {
    for router in &mut plan.routers {
        router.vrfs.iter_mut().flat_map(|vrf| &mut vrf.access.rules).for_each(&change);
    }
}

#[test]
fn a_widened_port_is_seen() {
    let mut plan = plan("six-sites");
    each_rule(&mut plan, |rule| rule.port_last = rule.port_last.saturating_add(1));
    let (twin, survey) = surveyed(plan);
    assert!(survey.community.wrong_port_delivered > 0, "{survey:#?}");
    assert!(!twin.breaches().is_empty());
}

#[test]
fn a_narrowed_port_is_seen() {
    let mut plan = plan("six-sites");
    each_rule(&mut plan, |rule| {
        rule.port_first = 1;
        rule.port_last = 1;
    });
    let (_, survey) = surveyed(plan);
    assert!(survey.community.delivered < survey.community.tested, "{survey:#?}");
}

/// The first router that exports something.
fn first_site(plan: &mut Plan) -> &mut RouterConfig {
    let mut routers = plan.routers.iter_mut();
    routers.find(|router| !router.vrfs.is_empty()).expect("a region has sites")
}

#[test]
fn a_prefix_that_is_not_announced_is_seen() {
    let mut plan = plan("six-sites");
    for vrf in &mut first_site(&mut plan).vrfs {
        vrf.export.clear();
    }
    let (_, survey) = surveyed(plan);
    assert!(survey.same_network.delivered < survey.same_network.tested, "{survey:#?}");
}

#[test]
fn a_network_that_cannot_come_up_is_not_taken_for_converged() {
    let mut plan = plan("two-pops");
    let site = first_site(&mut plan);
    let neighbour = site.neighbours.first_mut().expect("a site has an uplink");
    neighbour.as_number.0 += 1;
    let mut twin = Twin::new(plan, 1).expect("each configuration is right by itself");
    let within = base::Duration::from_secs(20);
    let error = twin.run_until_converged(within, &mut |_| {}).expect_err("a session is missing");
    assert_eq!(error.progress.sessions.0 + 2, error.progress.sessions.1, "{error}");
}
