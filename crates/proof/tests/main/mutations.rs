//! One fault at a time: each is refused by its name, or harmless.

use crate::mutants::{Most, Score, kinds};
use crate::region::{small, tables};

#[test]
fn every_fault_is_refused_by_its_name_or_harmless() {
    const MOST: Most = Most { plans: 4, tables: 16, failures: true };
    let mut score = Score::default();
    for (name, plan) in small() {
        score.add(name, &plan, &tables(&plan), MOST);
    }
    assert!(score.survivors.is_empty(), "{score}");
    let never: Vec<&str> =
        kinds().map(|kind| kind.name).filter(|name| !score.kinds.contains_key(name)).collect();
    // No way in these small networks has a repair.
    assert_eq!(never, ["tables: repair forgotten"]);
    assert!(score.kinds.len() > 90 && score.planted() > 1_000, "{score}");
}
