//! Networks from the example folders, and their tables.

use std::path::Path;

use base::Duration;
use model::plan::Plan;
use model::tables::RouterTables;
use twin::Twin;

/// A second virtual network at two sites of the smallest example, with the addresses of the first.
const VISITORS: &str = r#"
[[virtual_network]]
name = "visitors"
organisation = "Brighton Hospitals"
addresses = ["10.1.0.0/16"]
sites = ["H1", "H2"]
"#;

/// The plans of small networks, by name.
pub(crate) fn small() -> [(&'static str, Plan); 3] {
    [
        ("two-pops", plan("two-pops", "")),
        ("with visitors", plan("two-pops", VISITORS)),
        ("six-sites", plan("six-sites", "")),
    ]
}

/// The plan of an example whose services have something added to them, with a fresh lock.
pub(crate) fn plan(example: &str, services: &str) -> Plan {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(example);
    let mut texts = intent::files::read(&folder).expect("an example");
    texts.services.text.push_str(services);
    let checked = intent::check(&texts, None);
    let intent = checked.intent.expect("an example without mistakes");
    let mut lock = intent::Lock::default();
    plan::compile(&intent, &mut lock, 1, None).expect("a plan")
}

/// The tables of every router once the network has converged.
pub(crate) fn tables(plan: &Plan) -> Vec<RouterTables> {
    let mut twin = Twin::new(plan.clone(), 1).expect("a network");
    twin.run_until_converged(Duration::from_secs(60), &mut |_| {}).expect("it converges");
    let table = |name: &str| twin.router(name).expect("it runs").forwarding_tables();
    plan.routers.iter().map(|router| table(&router.name)).collect()
}
