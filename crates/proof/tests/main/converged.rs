//! The tables that are worked out from configurations are those that routers come to.

use std::collections::BTreeSet;

use base::Duration;
use model::plan::Plan;
use model::tables::RouterTables;
use proof::{Gone, converged};
use twin::fault::Fault;
use twin::{LinkState, Twin};

use crate::meaning::Reader;
use crate::region::{plan, small, tables};

/// Stale labels linger, and rest.
const FORGETTING: Duration = Duration::from_secs(10);
/// Longer than a hold time.
const CONVERGENCE_MAX: Duration = Duration::from_secs(240);

fn compare(plan: &Plan, live: &[RouterTables], gone: &Gone, name: &str) {
    let computed = converged(plan, gone);
    let (of_live, of_computed) = (Reader::new(plan, live), Reader::new(plan, &computed));
    assert_eq!(live.len(), computed.len(), "{name}");
    for (live, computed) in live.iter().zip(&computed) {
        assert_eq!(live.router, computed.router, "{name}");
        let difference = of_computed.meaning(computed).difference(&of_live.meaning(live));
        assert_eq!(difference, None, "{name}: {}, computed and live", computed.router);
    }
}

#[test]
fn they_mean_what_those_of_running_routers_mean() {
    for (name, plan) in small() {
        compare(&plan, &tables(&plan), &Gone::default(), name);
    }
}

#[test]
fn they_do_so_for_the_whole_of_sussex() {
    let plan = plan("sussex", "");
    compare(&plan, &tables(&plan), &Gone::default(), "sussex");
}

fn present(twin: &Twin) -> Vec<RouterTables> {
    let all = twin.plan().routers.iter();
    all.filter_map(|router| Some(twin.router(&router.name)?.forwarding_tables())).collect()
}

#[test]
fn they_do_so_under_every_single_failure() {
    for (name, plan) in small() {
        let mut twin = Twin::new(plan.clone(), 1).expect("a network");
        twin.run_until_converged(CONVERGENCE_MAX, &mut |_| {}).expect("it converges");
        let links = (0..plan.links.len()).map(|number| {
            let gone = Gone { links: BTreeSet::from([number]), ..Gone::default() };
            (Fault::Link(number, LinkState::Cut), Fault::Link(number, LinkState::Up), gone)
        });
        let routers = (0..plan.routers.len()).map(|number| {
            let gone = Gone { routers: BTreeSet::from([number]), ..Gone::default() };
            (Fault::RouterDown(number), Fault::RouterUp(number), gone)
        });
        for (strike, mend, gone) in links.chain(routers) {
            let name = format!("{name}, {}", twin.describe_fault(strike));
            twin.strike(strike).expect("it happens");
            twin.run_until_converged(CONVERGENCE_MAX, &mut |_| {}).expect("it converges");
            twin.run_for(FORGETTING);
            compare(&plan, &present(&twin), &gone, &name);
            twin.strike(mend).expect("it happens");
            twin.run_until_converged(CONVERGENCE_MAX, &mut |_| {}).expect("it converges");
        }
    }
}
