//! Commands that work on a folder.

use std::os::unix::fs::PermissionsExt as _;

use crate::scene::{Folder, weald};

#[test]
fn check_sums_up_an_example_and_writes_nothing() {
    for (example, sites, routers) in [("two-pops", 4, 6), ("six-sites", 6, 10)] {
        let folder = Folder::of_example(example, &format!("check-{example}"));
        let before = folder.files();
        let run = weald(&["check", folder.name(), "--json", "--date", "2026-06-01"]);
        assert_eq!(run.code, 0, "{run:?}");
        let summary = &run.json()["summary"];
        assert_eq!(summary["sites"], sites);
        assert_eq!(summary["routers"], routers);
        assert_eq!(summary["communities"], 1);
        assert_eq!(folder.files(), before);
        let run = weald(&["check", folder.name()]);
        assert!(run.out.lines().count() < 24 && run.out.contains("no error"), "{}", run.out);
    }
}

#[test]
fn the_reference_network_has_no_errors() {
    let folder = Folder::of_example("sussex", "check-sussex");
    let run = weald(&["check", folder.name(), "--json", "--date", "2026-06-01"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(run.json()["summary"]["sites"], 390);
}

#[test]
fn bad_intent_prints_all_errors_and_writes_nothing() {
    let folder = Folder::of_example("two-pops", "bad-intent");
    folder.append("sites.csv", "G3,No Kind,gp_practise,Lewes Practices,BN2 1RE,50.8,-0.1\n");
    folder.append("services.toml", "\n[[virtual_network]]\nname = \"practices\"\n");
    folder
        .append("network.toml", "\n[[link]]\nbetween = [\"brighton\", \"paris\"]\nrate_mbps = 1\n");
    let before = folder.files();
    for arguments in [
        &["check", folder.name()][..],
        &["compile", folder.name()],
        &["up", folder.name(), "--once"],
    ] {
        let run = weald(arguments);
        assert_eq!(run.code, 2, "{run:?}");
        assert_eq!(run.out, "");
        for word in ["sites.csv:7:", "gp_practise", "services.toml:", "network.toml:", "paris"] {
            assert!(run.err.contains(word), "{word}: {}", run.err);
        }
        assert!(run.err.contains("did you mean `gp_practice`?"), "{}", run.err);
    }
    assert_eq!(folder.files(), before);
    let run = weald(&["check", folder.name(), "--json"]);
    assert_eq!(run.code, 2);
    assert!(run.json()["problems"].as_array().unwrap().len() >= 3);
}

#[test]
fn a_missing_folder_is_said_so_once() {
    let run = weald(&["check", "no/such/folder"]);
    assert_eq!(run.code, 2);
    assert!(run.err.starts_with("error: no folder `no/such/folder`\nhint: "), "{}", run.err);
}

#[test]
fn a_damaged_lock_is_refused_and_left_alone() {
    let folder = Folder::of_example("two-pops", "damaged-lock");
    assert_eq!(weald(&["compile", folder.name()]).code, 0);
    let damaged = folder.read("weald.lock").replacen(" = 0", " = 9", 1);
    folder.write("weald.lock", &damaged);
    for arguments in [
        &["check", folder.name()][..],
        &["compile", folder.name()],
        &["up", folder.name(), "--once"],
    ] {
        let run = weald(arguments);
        assert_eq!(run.code, 2, "{run:?}");
        assert!(run.err.contains("checksum"), "{}", run.err);
        assert_eq!(folder.read("weald.lock"), damaged);
    }
}

#[test]
fn a_lock_with_broken_syntax_is_reported_once() {
    let folder = Folder::of_example("two-pops", "broken-lock");
    assert_eq!(weald(&["compile", folder.name()]).code, 0);
    folder.write("weald.lock", &folder.read("weald.lock").replace('=', ":"));
    let run = weald(&["check", folder.name()]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("weald.lock:3: ") && run.err.contains("1 error in"), "{}", run.err);
    assert_eq!(run.err.matches("hint: ").count(), 1, "{}", run.err);
}

#[test]
fn compiling_again_changes_nothing() {
    let folder = Folder::of_example("two-pops", "compile-again");
    let first = weald(&["compile", folder.name(), "--date", "2026-06-01"]);
    assert_eq!(first.code, 0, "{}", first.err);
    assert!(first.err.contains("newly allotted"), "{}", first.err);
    let lock = folder.read("weald.lock");
    let second = weald(&["compile", folder.name(), "--date", "2026-06-01"]);
    assert!(second.err.contains("lock is unchanged"), "{}", second.err);
    assert_eq!(second.out, first.out);
    assert_eq!(folder.read("weald.lock"), lock);
    assert_eq!(first.json()["region"], "two-pops");
}

#[test]
fn a_new_site_gets_the_next_plan_and_touches_its_own_routers_only() {
    let folder = Folder::of_example("two-pops", "new-site");
    let plan = folder.path("plan.json");
    let plan = plan.to_str().unwrap();
    let compile = || weald(&["compile", folder.name(), "--out", plan, "--json"]);
    assert_eq!(compile().json()["generation"], 1);
    let mode = std::fs::metadata(plan).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(compile().json()["generation"], 1);
    let row = "G3,Harbour Surgery,gp_practice,Lewes Practices,BN2 1RE,50.8,-0.14\n";
    folder.append("sites.csv", row);
    let next = compile().json();
    assert_eq!(next["generation"], 2);
    assert_eq!(next["added"], serde_json::json!(["site-g3"]));
    let changed = next["changed"].as_array().unwrap();
    assert!(changed.iter().all(|name| !name.as_str().unwrap().starts_with("site-")), "{next}");
    let text = std::fs::read_to_string(plan).unwrap();
    let plan: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(plan["generation"], 2);
    assert!(plan["routers"].as_array().unwrap().iter().all(|one| one["generation"] == 2));
}

#[test]
fn a_file_that_is_no_plan_is_not_overwritten() {
    let folder = Folder::of_example("two-pops", "no-plan");
    folder.write("notes.txt", "not a plan");
    let notes = folder.path("notes.txt");
    let run = weald(&["compile", folder.name(), "--out", notes.to_str().unwrap()]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("is no plan"), "{}", run.err);
    assert_eq!(folder.read("notes.txt"), "not a plan");
}

#[test]
fn a_community_ends_on_its_day() {
    let folder = Folder::of_example("two-pops", "expired");
    for (date, communities) in [("2031-03-31", 1), ("2031-04-01", 0)] {
        let run = weald(&["check", folder.name(), "--json", "--date", date]);
        assert_eq!(run.json()["summary"]["communities"], communities, "{date}");
    }
    let run = weald(&["check", folder.name(), "--date", "2031-04-31"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("not a day of the calendar"), "{}", run.err);
}

#[test]
fn what_is_typed_wrong_exits_with_2() {
    for arguments in [&[][..], &["frobnicate"], &["up"], &["mend"], &["show", "routes"]] {
        let run = weald(arguments);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{run:?}");
    }
}

#[test]
fn schemas_are_those_of_the_files() {
    let network = weald(&["schema", "network"]).json();
    assert_eq!(network, intent::schema_network());
    assert_eq!(weald(&["schema", "services"]).json(), intent::schema_services());
}

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = weald(&["completions", shell]);
        assert_eq!(run.code, 0, "{run:?}");
        for command in ["check", "compile", "status", "trace", "mend"] {
            assert!(run.out.contains(command), "{shell}: {command}");
        }
    }
}

#[test]
fn the_version_is_printed() {
    let run = weald(&["--version"]);
    assert_eq!(run.out, concat!("weald ", env!("CARGO_PKG_VERSION"), "\n"));
}
