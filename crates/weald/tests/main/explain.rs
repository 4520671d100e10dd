//! `weald explain`: the whole chain where somebody can, and the missing link where nobody can.

use serde_json::{Value, json};

use crate::scene::{Folder, Run, Running, weald};

const DAY: &str = "2026-06-01";

fn explain(folder: &Folder, words: &[&str]) -> Run {
    weald(&[&["explain", folder.name(), "--date", DAY], words].concat())
}

/// What was printed, without its line breaks.
fn unbroken(run: &Run) -> String {
    run.out.replace("\n    ", " ").replace("\n      ", " ")
}

#[test]
fn somebody_who_can_is_shown_every_link_of_the_chain() {
    let folder = Folder::of_example("six-sites", "explain-can");
    let run = explain(&folder, &["G1", "records"]);
    assert_eq!(run.code, 0, "{run:?}");
    let services = folder.path("services.toml").display().to_string();
    let lines = folder.read("services.toml");
    let line = |text: &str| {
        let place = lines.lines().position(|line| line.contains(text)).unwrap();
        format!("{services}:{}: ", place + 1)
    };
    let text = unbroken(&run);
    for words in [
        format!("{}virtual network `lewes-practices`", line("name = \"lewes-practices\"")),
        format!("{}application `records` at H1", line("name = \"records\"")),
        format!("{}community `shared-records`", line("name = \"shared-records\"")),
        format!("{}its members: lewes-practices", line("members = ")),
        format!("{}Brighton Hospitals agreed on 2026-01-12", line("\"Brighton Hospitals\" = ")),
        format!("{}Lewes Practices agreed on 2026-01-15", line("\"Lewes Practices\" = ")),
        format!("{}it is in force until 2031-03-31", line("expires = ")),
        "which VRF lewes-practices of site-g1 imports".to_owned(),
        "access rule of VRF hospitals of site-h1: community `shared-records`, offers".to_owned(),
        "\nthere\n  site-g1: ".to_owned(),
        "\nback\n  site-h1: ".to_owned(),
        "yes: G1 can reach `records`\n".to_owned(),
    ] {
        let words = words.replace("  ", " ");
        assert!(text.replace("  ", " ").contains(&words), "{words}: {}", run.out);
    }
    let data = explain(&folder, &["site-g1", "records", "--v6", "--json"]).json();
    assert_eq!((&data["can"], &data["missing"]), (&json!(true), &Value::Null), "{data:#}");
    let routers: Vec<&str> = data["there"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["router"].as_str().unwrap())
        .collect();
    assert_eq!((routers.first(), routers.last()), (Some(&"site-g1"), Some(&"site-h1")));
    assert_eq!(data["there"][0]["leaves"]["labels"], data["there"][1]["under"]);
    assert_eq!(explain(&folder, &["G1", "G2"]).code, 0);
    assert!(!folder.files().contains(&"weald.lock".to_owned()));
}

#[test]
fn somebody_who_can_not_is_told_the_first_missing_link_and_what_it_takes() {
    let folder = Folder::of_example("six-sites", "explain-cannot");
    let cases = [
        (
            &["P1", "records"][..],
            "no community joins `crawley-practices` and `hospitals`",
            "the consent of Brighton Hospitals and of Crawley Practices",
        ),
        (
            &["G1", "records", "--port", "tcp/22"],
            "offers tcp/443, tcp/33962-33964 of `records` only",
            "it takes the port among what `records` listens on",
        ),
        (
            &["G1", "H1", "--port", "tcp/443"],
            "a community lets `lewes-practices` reach `imaging`, `records`",
            "it takes an application at 10.1.0.",
        ),
        (&["H1", "G1"], "no community joins `hospitals` and `lewes-practices`", "it takes"),
        (
            &["P1", "G2"],
            "no community joins `crawley-practices` and `lewes-practices`",
            "comes out at P2 in `crawley-practices`, which has that address too",
        ),
        (&["G1", "192.0.2.1"], "192.0.2.1 is none of them", "dropped at site-g1"),
    ];
    for (words, missing, needs) in cases {
        let run = explain(&folder, words);
        assert_eq!(run.code, 1, "{run:?}");
        let text = unbroken(&run);
        assert!(text.contains(missing) && text.contains(needs), "{words:?}: {}", run.out);
        assert!(text.contains("\nno: "), "{}", run.out);
        let data = explain(&folder, &[words, &["--json"]].concat()).json();
        assert_eq!((&data["can"], &data["agreed"]), (&json!(false), &json!(false)), "{data:#}");
        assert!(data["missing"]["words"].as_str().unwrap().contains(missing), "{data:#}");
    }
    let expired = weald(&["explain", folder.name(), "G1", "records", "--date", "2031-04-01"]);
    assert_eq!(expired.code, 1, "{expired:?}");
    let text = unbroken(&expired);
    assert!(text.contains("community `shared-records` expired after 2031-03-31"), "{text}");
    assert!(text.contains("it takes a later day"), "{text}");
}

#[test]
fn names_that_nobody_has_are_unusable_input() {
    let folder = Folder::of_example("two-pops", "explain-names");
    for (words, reason) in [
        (&["X", "records"][..], "no site `X`"),
        (&["G1", "nonesuch"], "no site, application or address `nonesuch`"),
        (&["G1", "records", "--network", "hospitals"], "is not in the virtual network"),
        (&["G1", "G1"], "same LAN"),
        (&["G1", "records", "--port", "443"], "not a protocol and a port"),
        (&["G1", "records", "--socket", "s"], "--live"),
    ] {
        let run = explain(&folder, words);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{run:?}");
        assert!(run.err.contains(reason), "{reason}: {}", run.err);
    }
    assert_eq!(weald(&["explain", "no/such/folder", "a", "b"]).code, 2);
}

#[test]
fn what_runs_is_followed_as_it_is_and_not_as_it_should_be() {
    let network = Running::start("two-pops", "explain-live");
    let socket = network.socket();
    let ask = |to: &str| explain(network.folder(), &["G1", to, "--live", "--socket", &socket]);
    let run = ask("records");
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.err.contains("are collected from running routers"), "{}", run.err);
    assert_eq!(network.ask(&["cut", "pop:lewes"]).code, 0);
    let run = ask("records");
    assert_eq!(run.code, 1, "{run:?}");
    assert!(unbroken(&run).contains("the packet is dropped at site-g1: "), "{}", run.out);
    assert!(run.err.contains("nobody gives the tables of lewes-1"), "{}", run.err);
}
