//! What survives and how full links get in the county of the example.

use std::path::Path;

use model::plan::Plan;
use proof::{Failure, capacity, survival};

fn sussex() -> Plan {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/sussex");
    let texts = intent::files::read(&folder).expect("the example");
    let intent = intent::check(&texts, None).intent.expect("an example without mistakes");
    let mut lock = intent::Lock::default();
    plan::compile(&intent, &mut lock, 1, None).expect("a plan")
}

#[test]
fn every_site_that_was_promised_two_uplinks_survives_every_single_failure() {
    let plan = sussex();
    let found = survival(&plan);
    assert!(found.standing.sites.is_empty());
    assert_eq!(found.not_resilient, Vec::new());
    assert_eq!(found.examined.total(), Failure::all(&plan).len());
    // Nothing splits the core: what a failure cuts off has one uplink.
    assert!(found.cuts.iter().all(|cut| cut.loss.islands.is_empty()));
    let of_core = found.cuts.iter().filter(|cut| matches!(cut.failure, Failure::Pop(_)));
    assert!(of_core.flat_map(|cut| &cut.loss.sites).all(|site| !plan.sites[*site].resilient));
}

#[test]
fn every_demand_is_placed_and_core_links_are_wide_enough() {
    let plan = sussex();
    let found = capacity(&plan);
    assert_eq!(found.unplaced, 0);
    assert!(found.assumed);
    let is_core = |link: usize| plan.links[link].kind == model::plan::LinkKind::Core;
    let of_core = || found.overloads.iter().filter(|one| is_core(one.link));
    assert_eq!(of_core().count(), 0);
    assert!(found.links.iter().any(|load| is_core(load.link) && load.peak.failure.is_some()));
}
