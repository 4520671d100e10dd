//! Regions from the example folders.

use std::path::Path;

use base::Duration;
use model::plan::Plan;
use twin::Twin;

/// The plan of an example, with a fresh lock.
pub(crate) fn plan(example: &str) -> Plan {
    plan_with(example, "")
}

/// The plan of an example whose services have something added to them.
pub(crate) fn plan_with(example: &str, services: &str) -> Plan {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(example);
    let mut texts = match intent::files::read(&folder) {
        Ok(texts) => texts,
        Err(problems) => panic!("{problems}"),
    };
    texts.services.text.push_str(services);
    let checked = intent::check(&texts, None);
    let Some(intent) = checked.intent else { panic!("{}", checked.problems) };
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
