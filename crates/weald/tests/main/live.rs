//! `weald prove --live` and `weald plan` over what runs.

use serde_json::{Value, json};

use crate::scene::{Folder, Run, Running, weald, weald_in};

const DAY: &str = "2026-06-01";

fn prove(folder: &Folder, words: &[&str]) -> Run {
    weald(&[&["prove", folder.name(), "--date", DAY, "--live"], words].concat())
}

#[test]
fn what_runs_is_proved_over_its_own_promises_and_over_those_of_a_folder() {
    let network = Running::start("six-sites", "live-prove");
    let socket = network.socket();
    let alone = weald(&["prove", "--live", "--socket", &socket, "--json"]);
    assert_eq!(alone.code, 0, "{alone:?}");
    assert!(alone.err.contains("the tables of 10 routers are collected"), "{}", alone.err);
    let data = alone.json();
    assert_eq!(data["tables"], "collected from running routers");
    assert_eq!((&data["good"], &data["isolation"]["routers"]), (&json!(true), &json!(10)));
    let same = prove(network.folder(), &["--socket", &socket, "--json"]);
    assert_eq!(same.code, 0, "{same:?}");
    assert_eq!(same.json()["isolation"], data["isolation"]);
    let services = network.folder().read("services.toml");
    let narrower = services.replace("\"tcp/33962-33964\"", "\"tcp/33962-33963\"");
    network.folder().write("services.toml", &narrower);
    let run = prove(network.folder(), &["--socket", &socket]);
    assert_eq!(run.code, 1, "{run:?}");
    let text = run.out.replace("\n    ", " ");
    assert!(text.contains("its tables are of plan 1, not 2"), "{text}");
    assert!(text.contains("isolation: REFUSED"), "{text}");
    let other = Folder::of_example("two-pops", "live-other");
    let run = prove(&other, &["--socket", &socket]);
    assert_eq!((run.code, run.out.as_str()), (2, ""), "{run:?}");
    assert!(run.err.contains("what runs is region six-sites"), "{}", run.err);
}

#[test]
fn a_router_that_gives_no_tables_is_a_violation() {
    let network = Running::start("two-pops", "live-dark");
    assert_eq!(network.ask(&["cut", "site-g2"]).code, 0);
    let run = prove(network.folder(), &["--socket", &network.socket()]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.out.contains("site-g2, the router: its tables are missing"), "{}", run.out);
    assert!(run.err.contains("nobody gives the tables of site-g2"), "{}", run.err);
}

#[test]
fn the_plan_that_runs_is_shown_without_its_keys() {
    let network = Running::start("two-pops", "live-keys");
    let run = network.ask(&["show", "plan", "--json"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(!run.out.contains("example-key"), "{}", run.out);
    assert_eq!(run.json()["region"], "two-pops");
    let tables = network.ask_json(&["show", "tables"]);
    let names = |all: &Value, member: &str| -> Vec<Value> {
        all.as_array().unwrap().iter().map(|one| one[member].clone()).collect()
    };
    assert_eq!(names(&tables, "router"), names(&run.json()["routers"], "name"));
    assert_eq!(network.ask_json(&["show", "tables", "H1"])["router"], "site-h1");
    for table in ["plan", "tables"] {
        let run = network.ask(&["show", table]);
        assert!(run.code == 0 && run.out.contains("hint: `--json`"), "{run:?}");
    }
}

#[test]
fn a_plan_is_compared_with_what_runs() {
    let network = Running::start("six-sites", "live-plan");
    let (folder, socket) = (network.folder(), network.socket());
    let plan = |words: &[&str]| weald(&[&["plan", folder.name(), "--date", DAY], words].concat());
    let run = plan(&["--socket", &socket]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.starts_with("six-sites: plan 1, compared with what runs\n"), "{}", run.out);
    let row = "G3,Park Surgery,gp_practice,Lewes Practices,BN2 1RE,50.8,-0.14,brighton;lewes\n";
    folder.append("sites.csv", row);
    let run = plan(&["--socket", &socket, "--json"]);
    assert_eq!((run.code, &run.json()["compared_with"]), (3, &json!("running")), "{run:?}");
    assert_eq!(run.json()["old_generation"], 1);
    let text = plan(&["--socket", &socket]).out;
    assert!(text.starts_with("six-sites: plan 1 becomes 2, compared with what runs\n"), "{text}");
    let other = Folder::of_example("two-pops", "live-plan-other");
    let run = weald(&["plan", other.name(), "--date", DAY, "--socket", &socket]);
    assert_eq!((run.code, run.out.as_str()), (2, ""), "{run:?}");
    assert!(run.err.contains("region six-sites cannot become region two-pops"), "{}", run.err);
    let nobody = weald(&["plan", other.name(), "--date", DAY, "--socket", "/no/such/socket"]);
    assert_eq!(nobody.code, 1, "{nobody:?}");
    let both = weald(&["plan", other.name(), "--socket", &socket, "--from", other.name()]);
    assert_eq!(both.code, 2, "{both:?}");
    let default = weald_in(&other, &["plan", other.name(), "--date", DAY]);
    assert_eq!(default.code, 3, "{default:?}");
    assert!(default.out.starts_with("two-pops: plan 1, compared with nothing\n"), "{default:?}");
}

#[test]
fn a_certificate_of_what_runs_says_so_and_is_checked_as_far_as_can_be() {
    let network = Running::start("two-pops", "live-signed");
    let (folder, socket) = (network.folder(), network.socket());
    let beside = Folder::new("live-signed-beside");
    let at = |file| beside.path(file).to_str().expect("a path of ours is text").to_owned();
    let key = weald(&["key", &at("key")]);
    assert_eq!(key.code, 0, "{key:?}");
    let (certificate, key) = (at("certificate"), at("key"));
    let signing = ["--certificate", &certificate, "--key", &key];
    let run = prove(folder, &[&["--socket", &socket], &signing[..]].concat());
    assert_eq!(run.code, 0, "{run:?}");
    assert!(beside.read("certificate").contains("collected from running routers"));
    let verify =
        |words: &[&str]| weald(&[&["verify", &certificate, folder.name()], words].concat());
    let run = verify(&[]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.contains("in tables that cannot be had again"), "{}", run.out);
    assert!(run.err.contains("rests on the signature"), "{}", run.err);
    assert_eq!(verify(&["--json"]).json()["tables_proved_anew"], false);
    folder.append("services.toml", "# looked at\n");
    let run = verify(&[]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.out.contains("`services.toml` is not the certified one"), "{}", run.out);
}

#[test]
fn what_can_not_be_proved_live_is_refused() {
    let folder = Folder::of_example("two-pops", "live-refused");
    for (words, reason) in [
        (&["prove"][..], "<DIR>"),
        (&["prove", folder.name(), "--socket", "s"], "--live"),
        (&["prove", "--live", "--plan", "p"], "<DIR>"),
        (&["prove", "--live", "--certificate", "c", "--key", "k"], "<DIR>"),
    ] {
        let run = weald(words);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{run:?}");
        assert!(run.err.contains(reason), "{reason}: {}", run.err);
    }
    let run = weald_in(&folder, &["prove", "--live"]);
    assert_eq!((run.code, run.out.as_str()), (1, ""), "{run:?}");
    assert!(run.err.contains("no running network found"), "{}", run.err);
}
