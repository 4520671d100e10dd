//! `weald plan`: nothing to do, safe, and what it refuses.

use crate::scene::{Folder, weald};

const DAY: &str = "2026-06-01";

/// A folder with a lock, and the plan of it in a file.
fn compiled(name: &str) -> (Folder, String) {
    let folder = Folder::of_example("six-sites", name);
    let plan = folder.path("plan.json").to_str().expect("a path of ours is text").to_owned();
    let run = weald(&["compile", folder.name(), "--out", &plan, "--date", DAY]);
    assert_eq!(run.code, 0, "{run:?}");
    (folder, plan)
}

#[test]
fn the_same_intent_is_nothing_to_do() {
    let (folder, plan) = compiled("plan-same");
    for from in [plan.as_str(), folder.name()] {
        let run = weald(&["plan", folder.name(), "--from", from, "--date", DAY]);
        assert_eq!(run.code, 0, "{run:?}");
        assert!(run.out.starts_with("six-sites: plan 1\n"), "{}", run.out);
        assert!(run.out.ends_with("\nnothing to do\n"), "{}", run.out);
    }
}

#[test]
fn a_new_site_is_told_in_words_and_nothing_is_written() {
    let (folder, plan) = compiled("plan-site");
    let row = "G3,Park Surgery,gp_practice,Lewes Practices,BN2 1RE,50.8,-0.14,brighton;lewes\n";
    folder.append("sites.csv", row);
    let (lock, files) = (folder.read("weald.lock"), folder.files());
    let run = weald(&["plan", folder.name(), "--from", &plan, "--date", DAY]);
    assert_eq!(run.code, 3, "{run:?}");
    let unbroken = run.out.replace("\n    ", " ");
    for words in [
        "six-sites: plan 1 becomes 2\n",
        "Park Surgery (G3) gains imaging on TCP 104, 443 and 11112 and records on TCP 443 and",
        "by community shared-records",
        "  nobody else gains anything; nobody loses anything; no address or label moves\n",
        "Park Surgery (G3) joins virtual network lewes-practices, with its 2 other sites\n",
        "  lan/lewes-practices: G3 = 2\n",
        "  + site-g3: 3 ports; 2 neighbours; 1 VRF; 5 access rules\n",
        "  isolation: proved",
        "\nsafe: no proof refuses it\n",
    ] {
        assert!(unbroken.contains(words), "{words}: {}", run.out);
    }
    assert!(run.out.lines().all(|line| line.chars().count() <= 100), "{}", run.out);
    assert_eq!((folder.read("weald.lock"), folder.files()), (lock, files));
    let data = weald(&["--json", "plan", folder.name(), "--from", &plan, "--date", DAY]).json();
    assert_eq!(data["result"], "safe");
    assert_eq!(data["moved"], serde_json::json!([]));
    assert_eq!(data["rights"][0]["consumers"][0]["site"], "G3");
    assert_eq!(data["proofs"]["good"], true);
}

#[test]
fn a_first_plan_is_compared_with_nothing() {
    let folder = Folder::of_example("two-pops", "plan-first");
    let run = weald(&["plan", folder.name(), "--date", DAY]);
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.out.contains("compared with nothing"), "{}", run.out);
    assert!(!folder.files().contains(&"weald.lock".to_owned()));
}

#[test]
fn a_plan_file_that_was_edited_by_hand_is_refused() {
    let (folder, plan) = compiled("plan-edited");
    let text = folder.read("plan.json");
    for (from, to, reason) in [
        ("\"generation\": 1", "\"generation\": 2", "is of plan 1, not 2"),
        (
            "\"name\": \"site-g1\",\n      \"gen",
            "\"name\": \"site-g2\",\n      \"gen",
            "router site-g2 is there twice",
        ),
        ("\"region\"", "\"county\"", "is no plan"),
        ("\"region\": \"six-sites\"", "\"region\": \"sussex\"", "region sussex cannot become"),
    ] {
        let edited = text.replacen(from, to, 1);
        assert_ne!(edited, text, "{from}");
        folder.write("plan.json", &edited);
        let run = weald(&["plan", folder.name(), "--from", &plan, "--date", DAY]);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{run:?}");
        assert!(run.err.contains(reason), "{reason}: {}", run.err);
    }
    std::fs::remove_file(&plan).unwrap();
    let run = weald(&["plan", folder.name(), "--from", &plan]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("no file `"), "{}", run.err);
}

#[test]
fn an_intent_that_would_leak_is_no_plan() {
    let (folder, plan) = compiled("plan-leak");
    let services = folder.read("services.toml");
    let leak = services.replace(
        "members = [\"lewes-practices\"]",
        "members = [\"lewes-practices\", \"crawley-practices\"]",
    );
    folder.write("services.toml", &leak);
    let run = weald(&["plan", folder.name(), "--from", &plan, "--date", DAY]);
    assert_eq!((run.code, run.out.as_str()), (2, ""), "{run:?}");
    assert!(run.err.contains("consent"), "{}", run.err);
}
