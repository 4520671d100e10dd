//! Regions from the example folders.

use std::path::Path;

use base::Duration;
use model::plan::Plan;
use twin::Twin;

/// The plan of an example, with a fresh lock.
pub(crate) fn plan(example: &str) -> Plan {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(example);
    let intent = match intent::files::load(&folder) {
        Ok(intent) => intent,
        Err(problems) => panic!("{problems}"),
    };
    let mut lock = intent::Lock::default();
    match plan::compile(&intent, &mut lock, 1, None) {
        Ok(plan) => plan,
        Err(problems) => panic!("{problems:?}"),
    }
}

/// The network of a plan, converged.
pub(crate) fn converged(plan: Plan, seed: u64) -> Twin {
    let mut twin = match Twin::new(plan, seed) {
        Ok(twin) => twin,
        Err(errors) => panic!("{errors}"),
    };
    if let Err(error) = twin.run_until_converged(Duration::from_secs(60), &mut |_| {}) {
        let told: Vec<String> =
            twin.take_told().iter().map(|t| format!("{} {} {}", t.at, t.router, t.event)).collect();
        panic!("{error}\n{}", told.join("\n"));
    }
    twin
}
