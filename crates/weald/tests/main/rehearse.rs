//! A change rehearsed from two folders.

use serde_json::Value;

use crate::scene::{Folder, Run, weald};

/// The old folder and a copy of it.
fn folders(name: &str) -> (Folder, Folder) {
    let folder = |which: &str| Folder::of_example("six-sites", &format!("rehearse-{name}-{which}"));
    (folder("old"), folder("new"))
}

fn rehearse(old: &Folder, new: &Folder) -> Run {
    let before = (old.files(), new.files());
    let run = weald(&["rehearse", old.name(), new.name(), "--json"]);
    assert_eq!((old.files(), new.files()), before, "nothing is written");
    run
}

fn network<'a>(report: &'a Value, name: &str) -> &'a Value {
    let networks = report["virtual_networks"].as_array().expect("a list");
    let mut networks = networks.iter().filter(|network| network["virtual_network"] == name);
    networks.next().expect("it has traffic")
}

const G3: &str =
    "G3,Harbour Surgery,gp_practice,Lewes Practices,BN7 2XW,50.873,0.014,lewes;brighton\n";

#[test]
fn a_new_site_is_good_and_concerns_its_network_only() {
    let (old, new) = folders("site");
    new.append("sites.csv", G3);
    let run = rehearse(&old, &new);
    assert_eq!(run.code, 0, "{run:?}");
    let report = run.json();
    assert_eq!(report["good"], true);
    assert_eq!((&report["lost"], &report["breaches_total"]), (&0.into(), &0.into()));
    assert_eq!(report["gained"]["tested"], report["gained"]["held"]);
    assert!(report["gained"]["tested"].as_u64().is_some_and(|tested| tested > 0));
    assert_eq!(network(&report, "lewes-practices")["concerned"], true);
    assert_eq!(network(&report, "hospitals")["concerned"], false);
    assert_eq!(report["rings"][2]["routers"], serde_json::json!(["site-g3"]));
    let again = rehearse(&old, &new).json();
    assert_eq!(report["trace_hash"], again["trace_hash"]);
    let seed = weald(&["rehearse", old.name(), new.name(), "--json", "--seed", "2"]).json();
    assert_ne!(report["trace_hash"], seed["trace_hash"]);
}

#[test]
fn the_text_names_rings_networks_and_the_verdict() {
    let (old, new) = folders("text");
    new.append("sites.csv", G3);
    let run = weald(&["rehearse", old.name(), new.name()]);
    assert_eq!(run.code, 0, "{run:?}");
    for words in ["widen", "site-g3", "lewes-practices", "concerns it", "is not about it"] {
        assert!(run.out.contains(words), "{words}: {}", run.out);
    }
    let last = run.out.lines().last().unwrap();
    assert_eq!(last, "good: none lost that was promised all along, none out of place");
    assert!(run.out.lines().all(|line| line.chars().count() <= 100), "{}", run.out);
    assert!(run.err.contains("3 rings"), "{}", run.err);
}

#[test]
fn who_loses_packets_is_named_and_the_exit_code_says_so() {
    let (old, new) = folders("lost");
    let sites = new.read("sites.csv");
    assert!(sites.contains("0.01429,lewes;brighton"));
    new.write("sites.csv", &sites.replace("0.01429,lewes;brighton", "0.01429,brighton;lewes"));
    let run = rehearse(&old, &new);
    assert_eq!(run.code, 1, "{run:?}");
    let report = run.json();
    assert_eq!((&report["good"], &report["breaches_total"]), (&false.into(), &0.into()));
    assert!(network(&report, "lewes-practices")["lost"].as_u64().is_some_and(|lost| lost > 0));
    assert_eq!(network(&report, "hospitals")["lost"], 0);
    assert_eq!(network(&report, "crawley-practices")["lost"], 0);
    let worst = &report["interruptions"][0];
    let ends = [&worst["from"]["site"], &worst["to"]["site"]];
    assert!(ends.iter().any(|site| **site == "G1"), "{worst}");
    let text = weald(&["rehearse", old.name(), new.name()]);
    assert_eq!(text.code, 1);
    assert!(text.out.contains("interrupted, the longest first:\n  ring "), "{}", text.out);
    let last = text.out.lines().last().unwrap();
    assert!(last.starts_with("NOT good: ") && last.contains(" lost"), "{last}");
}

#[test]
fn nothing_to_change_is_good() {
    let (old, new) = folders("same");
    let run = rehearse(&old, &new);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(run.json()["rings"], serde_json::json!([]));
    let run = weald(&["rehearse", old.name(), new.name()]);
    assert!(run.out.starts_with("no router needs a new configuration\n"), "{}", run.out);
}

#[test]
fn a_lock_that_does_not_go_on_from_the_old_one_is_refused() {
    let (old, new) = folders("lock");
    new.append("sites.csv", G3);
    assert_eq!(weald(&["compile", old.name()]).code, 0);
    // Without a lock it goes on from the old one.
    assert_eq!(rehearse(&old, &new).code, 0);
    // With a copy of the old one as well.
    new.write("weald.lock", &old.read("weald.lock"));
    assert_eq!(rehearse(&old, &new).code, 0);
    // One of its own, in which other numbers were given out first.
    let (_, fresh) = folders("lock-fresh");
    let sites = fresh.read("sites.csv").replace("H1,Brighton General", "A1,Brighton General");
    fresh.write("sites.csv", &sites);
    let services = fresh.read("services.toml").replace("\"H1\"", "\"A1\"");
    fresh.write("services.toml", &services);
    assert_eq!(weald(&["compile", fresh.name()]).code, 0);
    let run = rehearse(&old, &fresh);
    assert_eq!((run.code, run.out.as_str()), (2, ""), "{run:?}");
    assert!(run.err.contains("does not go on from"), "{}", run.err);
    assert!(run.err.contains("hint: copy "), "{}", run.err);
    // And the other way round: nobody knows the numbers of the network that runs.
    let (without, _) = folders("lock-without");
    let run = rehearse(&without, &fresh);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("has no lock") && run.err.contains("hint: compile "), "{}", run.err);
}

#[test]
fn two_regions_and_mistakes_are_refused() {
    let (old, new) = folders("input");
    let other = Folder::of_example("two-pops", "rehearse-other");
    let run = rehearse(&old, &other);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("two regions: `six-sites` and `two-pops`"), "{}", run.err);
    new.append("services.toml", "\n[[virtual_network]]\nname = \"practices\"\n");
    let run = rehearse(&old, &new);
    assert_eq!((run.code, run.out.as_str()), (2, ""), "{run:?}");
    assert!(run.err.contains("services.toml:"), "{}", run.err);
    let run = weald(&["rehearse", old.name(), "no/such/folder"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("no folder `no/such/folder`"), "{}", run.err);
}
