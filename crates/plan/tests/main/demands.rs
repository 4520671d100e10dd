//! Demands are told, and change nothing.

use intent::Lock;
use model::plan::{Class, Demand, Plan, Traffic};

use crate::support::{EXAMPLES, compile, example, json};

#[test]
fn demands_and_classes_are_those_of_the_intent() {
    let plan = compile(&example("six-sites"), &mut Lock::default());
    let shares: Vec<_> = plan
        .classes
        .iter()
        .map(|Class { name, share_percent }| (name.as_str(), *share_percent))
        .collect();
    let all = [("EF", 10), ("AF4", 15), ("AF3", 20), ("AF2", 25), ("AF1", 20), ("DE", 10)];
    assert_eq!(shares, all);
    let within = Traffic::Within { virtual_network: "hospitals".to_owned(), kbps: 2000 };
    let voice = Demand { class: "EF".to_owned(), assumed: true, traffic: within };
    assert_eq!(plan.demands.last(), Some(&voice));
    // A demand towards an application has the application's class.
    let classes: Vec<_> = plan.demands.iter().map(|demand| demand.class.as_str()).collect();
    assert_eq!(classes, ["AF2", "AF1", "EF"]);
}

#[test]
fn demands_change_no_configuration_and_no_number() {
    for name in EXAMPLES {
        let mut intent = example(name);
        let (mut with, mut without) = (Lock::default(), Lock::default());
        let demanding = compile(&intent, &mut with);
        intent.demands.clear();
        let plan = compile(&intent, &mut without);
        assert_eq!(with, without, "{name}");
        assert_eq!(Plan { demands: Vec::new(), ..demanding }, plan, "{name}");
    }
}

#[test]
fn plan_without_demands_and_classes_is_still_read() {
    let mut intent = example("six-sites");
    intent.demands.clear();
    intent.classes.clear();
    let plan = compile(&intent, &mut Lock::default());
    let text = json(&plan).replace(",\"classes\":[]", "");
    assert!(!text.contains("classes") && !text.contains("demands"));
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
}
