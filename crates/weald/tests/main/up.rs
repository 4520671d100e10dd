//! Networks that come up, are tested, and end.

use serde_json::Value;

use crate::scene::{Folder, Run, weald, weald_in};

fn up(folder: &Folder, seed: &str) -> Run {
    weald(&["up", folder.name(), "--once", "--json", "--seed", seed, "--date", "2026-06-01"])
}

/// Whether everything that is allowed arrived, and nothing else.
fn all_delivered(report: &Value) -> bool {
    let count = |path: &str| report.pointer(&format!("/pairs/{path}")).and_then(Value::as_u64);
    let all = |delivered: &str, tested: &str| {
        count(tested) == count(delivered) && count(tested).is_some_and(|tested| tested > 0)
    };
    all("same_network/delivered", "same_network/tested")
        && all("community/delivered", "community/tested")
        && count("community/wrong_port_tested").is_some_and(|tested| tested > 0)
        && count("community/wrong_port_delivered") == Some(0)
        && count("separate/delivered") == Some(0)
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_seed_another() {
    let folder = Folder::of_example("two-pops", "seeds");
    let [one, again, other] = ["7", "7", "8"].map(|seed| up(&folder, seed));
    for run in [&one, &again, &other] {
        assert_eq!(run.code, 0, "{run:?}");
        let report = run.json();
        assert!(all_delivered(&report), "{report:#}");
        assert_eq!(report["kept"], true);
        assert_eq!(report["breaches"], 0);
        assert_eq!(report["failures"], serde_json::json!([]));
    }
    let [one, again, other] = [one, again, other].map(|run| run.json());
    let hash = one["trace_hash"].as_str().unwrap();
    assert_eq!(hash.len(), 16);
    assert_eq!(again["trace_hash"], hash);
    assert_eq!(again["events"], one["events"]);
    assert_ne!(other["trace_hash"], hash);
}

#[test]
fn the_report_has_every_figure() {
    let folder = Folder::of_example("six-sites", "figures");
    let report = up(&folder, "1").json();
    let expected = [
        ("sites", 6),
        ("routers", 10),
        ("core_routers", 4),
        ("links", 16),
        ("virtual_networks", 3),
        ("communities", 1),
        ("seed", 1),
    ];
    for (figure, value) in expected {
        assert_eq!(report[figure], value, "{figure}");
    }
    assert_eq!(report["adjacencies"], serde_json::json!({ "expected": 4, "up": 4 }));
    assert_eq!(report["sessions"]["expected"], report["sessions"]["up"]);
    for figure in [
        "converged_at_s",
        "virtual_time_s",
        "wall_time_s",
        "compile_time_s",
        "peak_memory_mib",
        "events",
        "packets",
    ] {
        assert!(report[figure].as_f64().unwrap() > 0.0, "{figure}");
    }
    assert!(report["how_tested"].as_str().unwrap().contains("IPv6"));
    assert!(report["pairs"]["separate"]["tested"].as_u64().unwrap() > 0);
}

#[test]
fn up_keeps_the_numbers_that_it_allots() {
    let folder = Folder::of_example("two-pops", "keeps-numbers");
    let run = weald(&["up", folder.name(), "--once"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.contains("every promise is kept"), "{}", run.out);
    assert!(run.out.lines().count() <= 24 && run.out.lines().all(|l| l.chars().count() <= 100));
    let lock = folder.read("weald.lock");
    assert_eq!(weald(&["up", folder.name(), "--once", "--quick"]).code, 0);
    assert_eq!(folder.read("weald.lock"), lock);
}

#[test]
fn a_seed_of_the_search_is_found_again() {
    let folder = Folder::of_example("six-sites", "search");
    let search =
        |from: &str| weald(&["search", folder.name(), "--seeds", "1", "--from", from, "--json"]);
    let run = search("3");
    assert_eq!(run.code, 0, "{run:?}");
    let finding = &run.json()["findings"][0];
    assert_eq!(finding["seed"], 3);
    assert_eq!(finding["problems"], serde_json::json!([]));
    assert_eq!(&search("3").json()["findings"][0], finding);
    assert_ne!(search("4").json()["findings"][0]["trace_hash"], finding["trace_hash"]);
}

#[test]
fn every_single_failure_of_the_core_is_survived() {
    let folder = Folder::of_example("six-sites", "sweep");
    let run = weald(&["sweep", folder.name(), "--json"]);
    assert_eq!(run.code, 0, "{run:?}");
    let outcomes = run.json()["outcomes"].as_array().unwrap().clone();
    assert_eq!(outcomes.len(), 8);
    for outcome in outcomes {
        assert_eq!(outcome["good"], true, "{outcome:#}");
        assert!(outcome["survey"]["same_network"]["tested"].as_u64().unwrap() > 0);
        assert_eq!(outcome["survey"]["impossible"], 0);
    }
}

#[test]
fn without_a_running_network_nothing_can_be_asked() {
    let folder = Folder::new("nobody");
    for arguments in [&["status"][..], &["ping", "a", "b"], &["mend", "--all"], &["down"]] {
        let run = weald_in(&folder, arguments);
        assert_eq!((run.code, run.out.as_str()), (1, ""));
        let expected = "error: no running network found\n\
            hint: start one with `weald up DIR`, as `weald up examples/sussex`\n";
        assert_eq!(run.err, expected);
    }
}
