//! Networks that have come up are what was promised.

use proof::isolation;

use crate::region::{small, tables};

#[test]
fn examples_are_isolated_and_keep_every_promise() {
    for (example, plan) in small() {
        let tables = tables(&plan);
        let proved = isolation(&plan, &tables);
        let told: Vec<String> = proved.violations.iter().map(ToString::to_string).collect();
        assert!(told.is_empty(), "{example}: {told:#?}");
        let routes = tables.iter().flat_map(|one| &one.vrfs).map(|vrf| vrf.routes.len()).sum();
        assert_eq!((proved.routers, proved.entries), (plan.routers.len(), routes), "{example}");
        assert!(proved.promises > 0);
    }
}
