//! What a running network is asked.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::scene::{Run, Running};

fn codes(sites: &Value) -> Vec<&str> {
    let sites = sites.as_array().map_or(&[][..], Vec::as_slice);
    sites.iter().filter_map(|site| site["code"].as_str()).collect()
}

fn assert_failed(run: &Run, code: i32, words: &[&str]) {
    assert_eq!((run.code, run.out.as_str()), (code, ""), "{run:?}");
    for word in words {
        assert!(run.err.contains(word), "{word}: {}", run.err);
    }
}

#[test]
fn status_shows_the_network_and_each_of_its_parts() {
    let network = Running::start("six-sites", "status");
    let status = network.ask_json(&["status"]);
    assert_eq!(status["region"], "six-sites");
    assert_eq!(status["routers_up"], json!({ "expected": 10, "up": 10 }));
    assert_eq!(status["cut_off"], json!([]));
    let router = network.ask_json(&["status", "lewes-1"]);
    assert_eq!(router["role"], "core");
    assert_eq!(router["view"]["adjacencies"].as_array().unwrap().len(), 2);
    let site = network.ask_json(&["status", "g1"]);
    assert_eq!(site["site"]["code"], "G1");
    assert_eq!(site["standing"], "whole");
    assert_eq!(site["uplinks"].as_array().unwrap().len(), 2);
    let link = network.ask_json(&["status", "lewes-1--brighton-1"]);
    assert_eq!(link["link"]["name"], "brighton-1--lewes-1");
    assert_eq!(link["if_it_fails_cut_off"], json!([]));
    let hospitals = network.ask_json(&["status", "hospitals"]);
    assert_eq!(hospitals["lans"].as_array().unwrap().len(), 2);
    assert_eq!(network.ask_json(&["status", "pop:lewes"])["pop"], "lewes");
    for name in ["", "lewes-1", "G1", "brighton-1--lewes-1", "hospitals", "pop:lewes"] {
        let arguments = if name.is_empty() { vec!["status"] } else { vec!["status", name] };
        let run = network.ask(&arguments);
        assert_eq!(run.code, 0, "{run:?}");
        assert!(run.out.lines().all(|line| line.chars().count() <= 100), "{}", run.out);
    }
}

#[test]
fn ping_reaches_what_it_may_and_says_why_not_otherwise() {
    let network = Running::start("six-sites", "ping");
    for to in [
        &["records"][..],
        &["imaging", "--v6"],
        &["G2"],
        &["G2", "--v6"],
        &["10.1.0.10", "--port", "tcp/443"],
    ] {
        let ping = network.ask_json(&[&["ping", "G1", "--count", "2"], to].concat());
        assert_eq!((&ping["sent"], &ping["answered"]), (&json!(2), &json!(2)), "{ping:#}");
        assert!(ping["packets"][0]["round_trip_us"].as_u64().unwrap() > 0);
        assert_eq!(ping["refusal"], Value::Null);
    }
    let cases = [
        (&["G1", "records", "--port", "tcp/22"][..], "offers tcp/443, tcp/33962-33964"),
        (&["G1", "H2"], "a community lets `lewes-practices` reach"),
        (&["P1", "records"], "no community joins `crawley-practices` and `hospitals`"),
    ];
    for (arguments, why) in cases {
        let run = network.ask(&[&["ping", "--count", "1"], arguments].concat());
        assert_eq!(run.code, 1, "{run:?}");
        assert!(run.out.contains("dropped at `site-") && run.out.contains(why), "{}", run.out);
        assert!(run.out.ends_with('\n') && !run.out.ends_with("\n\n"), "{}", run.out);
    }
}

#[test]
fn overlapping_addresses_are_not_mistaken_for_each_other() {
    let network = Running::start("six-sites", "overlap");
    let run = network.ask(&["ping", "P1", "G2", "--count", "1"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.out.contains("came out at P2"), "{}", run.out);
    assert!(run.out.contains("`crawley-practices` has that address itself"), "{}", run.out);
    let trace = network.ask_json(&["trace", "P1", "G2"]);
    assert_eq!(trace["astray"], "P2");
}

#[test]
fn trace_names_routers_and_labels_both_ways() {
    let network = Running::start("six-sites", "trace");
    let trace = network.ask_json(&["trace", "G1", "records"]);
    let routers = |way: &Value| -> Vec<String> {
        let hops = way.as_array().unwrap();
        hops.iter().map(|hop| hop["router"].as_str().unwrap().to_owned()).collect()
    };
    let there = routers(&trace["there"]);
    assert_eq!(there.first().unwrap(), "site-g1");
    assert_eq!(there.last().unwrap(), "site-h1");
    assert_eq!(routers(&trace["back"]).last().unwrap(), "site-g1");
    assert!(!trace["there"][0]["labels"].as_array().unwrap().is_empty());
    assert_eq!(trace["site"], "H1");
}

#[test]
fn tables_say_why_each_path_is_used_or_not() {
    let network = Running::start("six-sites", "tables");
    let routes = network.ask_json(&["show", "routes", "H1", "--prefix", "10.2.0.7"]);
    let routes = routes.as_array().unwrap();
    assert_eq!(routes.len(), 1, "{routes:#?}");
    let paths = routes[0]["paths"].as_array().unwrap();
    assert!(paths.len() >= 2);
    assert_eq!(paths.iter().filter(|path| path["used"] == true).count(), 1);
    assert!(paths.iter().all(|path| path["reason"] != ""));
    let global = network.ask_json(&["show", "global", "lewes-1"]);
    assert!(global.as_array().unwrap().len() >= 4);
    let labels = network.ask_json(&["show", "labels", "lewes-1"]);
    assert!(labels.as_array().unwrap().iter().any(|label| label["action"] == "pop"));
    let neighbours = network.ask_json(&["show", "neighbours", "lewes-1"]);
    assert!(neighbours["sessions"].as_array().unwrap().iter().all(|one| one["up"] == true));
    let events = network.ask_json(&["show", "events"]);
    let of_router = |event: &&Value| event["router"] == "lewes-1";
    let expected: Vec<_> = events.as_array().unwrap().iter().filter(of_router).collect();
    assert!(!expected.is_empty());
    assert_eq!(network.ask_json(&["show", "events", "lewes-1"]), json!(expected));
    assert_eq!(network.ask(&["show", "events", "H1"]).code, 0);
    for table in ["routes", "global", "labels", "neighbours"] {
        for router in ["lewes-1", "H1"] {
            let run = network.ask(&["show", table, router]);
            assert_eq!(run.code, 0, "{run:?}");
        }
    }
}

#[test]
fn a_cut_link_is_gone_around_and_mended() {
    let network = Running::start("six-sites", "cut-link");
    let cut = network.ask_json(&["cut", "brighton-1--lewes-1"]);
    assert_eq!(cut["cut_off"], json!([]));
    assert!(cut["converged_after_s"].as_f64().unwrap() < 5.0, "{cut:#}");
    let there = network.ask_json(&["trace", "G1", "records"]);
    let routers = there["there"].as_array().unwrap();
    assert!(routers.iter().any(|hop| hop["router"] == "crawley-1"), "{there:#}");
    assert_eq!(network.ask_json(&["status"])["faults"].as_array().unwrap().len(), 1);
    assert_eq!(network.ask(&["status", "brighton-1--lewes-1"]).code, 1);
    assert!(network.ask(&["cut", "brighton-1--lewes-1"]).out.starts_with("already cut"));
    let mended = network.ask_json(&["mend", "brighton-1--lewes-1"]);
    assert_eq!(mended["in_force"], json!([]));
    let silent = network.ask_json(&["cut", "brighton-1--lewes-1", "--silent"]);
    assert_eq!(silent["in_force"][0]["fault"], "cut silently");
    assert_eq!(network.ask_json(&["mend", "--all"])["in_force"], json!([]));
    assert!(network.ask(&["mend", "--all"]).out.starts_with("nothing to mend"));
}

#[test]
fn a_point_of_presence_without_power_names_the_sites_that_it_cuts_off() {
    let network = Running::start("two-pops", "cut-pop");
    let forecast = network.ask_json(&["status", "pop:lewes"]);
    let cut = network.ask_json(&["cut", "pop:lewes"]);
    let cut_off = codes(&cut["cut_off"]);
    assert_eq!(cut_off, ["G1", "H2"]);
    assert_eq!(codes(&forecast["if_it_fails_cut_off"]), cut_off);
    let run = network.ask(&["status"]);
    assert_eq!(run.code, 1);
    assert!(run.out.contains("Lewes Victoria"), "{}", run.out);
    assert_eq!(network.ask(&["ping", "G2", "records", "--count", "1"]).code, 0);
    let run = network.ask(&["ping", "G1", "records", "--count", "1"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.out.ends_with("\nrouter of G1 has no live uplink\n"), "{}", run.out);
    assert_failed(&network.ask(&["show", "labels", "lewes-1"]), 1, &["no power", "hint: "]);
    assert_eq!(network.ask_json(&["mend", "pop:lewes"])["cut_off"], json!([]));
    assert_eq!(network.ask(&["ping", "G1", "records", "--count", "1"]).code, 0);
}

#[test]
fn a_site_without_power_is_named_as_the_reason_at_either_end() {
    let network = Running::start("two-pops", "no-power");
    assert_eq!(network.ask(&["cut", "G1"]).code, 0);
    for (command, from, to) in [("ping", "G1", "G2"), ("ping", "G2", "G1"), ("trace", "G1", "G2")] {
        let run = network.ask(&[command, from, to]);
        assert_eq!(run.code, 1, "{run:?}");
        assert!(run.out.contains("\nrouter of G1 has no power\n"), "{}", run.out);
        let data = network.ask_json(&[command, from, to]);
        assert_eq!(data["disconnected"], json!(["router of G1 has no power"]));
    }
}

#[test]
fn what_does_not_exist_is_refused_with_the_nearest_name() {
    let network = Running::start("two-pops", "names");
    let cases = [
        (&["status", "lewis-1"][..], "did you mean `lewes-1`?"),
        (&["status", "pop:brigton"], "did you mean `pop:brighton`?"),
        (&["ping", "G1", "record"], "did you mean `records`?"),
        (&["ping", "X99", "records"], "no site `X99`"),
        (&["ping", "X99", "records"], "hint: there is `"),
        (&["ping", "G1", "nonesuch"], "hint: there is `"),
        (
            &["cut", "nope"],
            "hint: codes of sites are in `sites.csv`, routers in `weald status pop:",
        ),
        (&["show", "events", "nonesuch"], "no router or site `nonesuch`"),
        (&["show", "labels", "site-h"], "did you mean `site-h1`?"),
        (&["show", "routes", "H1", "--vrf", "practices"], "no vrf of `site-h1` `practices`"),
        (&["cut", "brighton-1--lewes-2"], "did you mean `brighton-1--lewes-1`?"),
        (&["ping", "G1", "records", "--network", "hospitals"], "hint: it is in `practices`"),
    ];
    for (arguments, hint) in cases {
        assert_failed(&network.ask(arguments), 1, &["error: ", hint]);
    }
    let cases = [
        (&["cut", "hospitals"][..], "virtual network"),
        (&["cut", "lewes-1", "--silent"], "no link"),
        (&["ping", "G1", "G1"], "same LAN"),
        (&["ping", "G1", "records", "--port", "443"], "not a protocol and a port"),
        (&["ping", "G1", "records", "--count", "0"], "1..=100"),
        (&["show", "routes", "H1", "--prefix", "10.2.0.7/16"], "without host bits"),
    ];
    for (arguments, words) in cases {
        assert_failed(&network.ask(arguments), 2, &["error: ", words]);
    }
}

#[test]
fn virtual_time_follows_the_wall_clock() {
    const VIRTUAL_S: f64 = 0.5;
    let network = Running::start("two-pops", "clock");
    let time = || network.ask_json(&["status"])["virtual_time_s"].as_f64().unwrap();
    let (wall, start) = (Instant::now(), time());
    while time() < start + VIRTUAL_S {
        assert!(wall.elapsed() < Duration::from_secs(60), "virtual time stands still");
    }
    assert!(wall.elapsed().as_secs_f64() > VIRTUAL_S / 2.0, "virtual time runs ahead");
}
