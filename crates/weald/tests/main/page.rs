//! The page that `weald prove --html` writes: well-formed, on its own, and saying who is cut off.

use std::collections::BTreeSet;

use crate::scene::{Folder, Run, weald};

const DAY: &str = "2026-06-01";

fn prove(folder: &Folder) -> (Run, String) {
    let page = folder.path("page.html");
    let page = page.to_str().expect("a path of ours is text");
    let run = weald(&["prove", folder.name(), "--date", DAY, "--html", page]);
    let text = std::fs::read_to_string(page).unwrap_or_default();
    (run, text)
}

/// An element's name and attributes.
type Element = (String, Vec<(String, String)>);

/// Names and attributes of all elements, if they are well nested.
fn elements(page: &str) -> Result<Vec<Element>, String> {
    let mut rest = page.strip_prefix("<!DOCTYPE html>\n").ok_or("no document type")?;
    let (mut open, mut all) = (Vec::new(), Vec::new());
    while let Some((text, tail)) = rest.split_once('<') {
        references(text)?;
        let (tag, tail) = tail.split_once('>').ok_or("a tag without an end")?;
        rest = tail;
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name.to_owned()) {
                return Err(format!("`{name}` is closed and not open"));
            }
            continue;
        }
        let (tag, is_empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, mut left) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut attributes = Vec::new();
        while !left.is_empty() {
            let (key, value) = left.split_once("=\"").ok_or(format!("in `{tag}`"))?;
            let (value, after) = value.split_once('"').ok_or(format!("in `{tag}`"))?;
            references(value)?;
            attributes.push((key.trim().to_owned(), value.to_owned()));
            left = after;
        }
        all.push((name.to_owned(), attributes));
        if !is_empty {
            open.push(name.to_owned());
        }
    }
    if open.is_empty() { Ok(all) } else { Err(format!("not closed: {open:?}")) }
}

/// That `&` begins one of XML's own references.
fn references(text: &str) -> Result<(), String> {
    let known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
    let good = |after: &str| known.iter().any(|name| after.starts_with(name));
    let bad = text.split('&').skip(1).find(|after| !good(after));
    bad.map_or(Ok(()), |after| Err(format!("&{after}")))
}

/// What holds of every page.
fn check(page: &str) {
    let all = elements(page).unwrap_or_else(|wrong| panic!("{wrong}"));
    let values = |wanted: &str| -> Vec<&str> {
        let attributes = all.iter().flat_map(|(_, attributes)| attributes);
        attributes.filter(|(key, _)| key == wanted).map(|(_, value)| value.as_str()).collect()
    };
    let ids = values("id");
    let unique: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(unique.len(), ids.len(), "an id is used twice");
    let targets = values("href").into_iter().map(|target| target.strip_prefix('#').unwrap_or("?"));
    for target in targets.chain(values("aria-labelledby")) {
        assert!(unique.contains(target), "nothing has id {target}");
    }
    let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
    for (at, _) in names.iter().enumerate().filter(|(_, name)| **name == "table") {
        assert_eq!(names.get(at + 1), Some(&"caption"));
    }
    let scoped = |(name, attributes): &&Element| {
        name == "th" && !attributes.iter().any(|(key, _)| key == "scope")
    };
    assert_eq!(all.iter().find(scoped), None);
    let headings = names.iter().filter_map(|name| name.strip_prefix('h')?.parse::<u8>().ok());
    let mut last = 0;
    for level in headings {
        assert!(level <= last + 1, "heading {level} after {last}");
        last = level;
    }
    for landmark in ["header", "nav", "main", "footer"] {
        assert_eq!(names.iter().filter(|name| **name == landmark).count(), 1, "{landmark}");
    }
    assert!(page.contains("<html lang=\"en-GB\">"));
    for foreign in ["http", "url(", "@import", "<script", "src="] {
        assert!(!page.contains(foreign), "{foreign}");
    }
}

/// The part of a page between an element with this id and the next part.
fn after<'a>(page: &'a str, id: &str) -> &'a str {
    let (_, tail) = page.split_once(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("no {id}"));
    tail.split("<h3").next().unwrap_or(tail)
}

#[test]
fn the_page_of_a_sound_plan_is_well_formed_and_complete() {
    let folder = Folder::of_example("six-sites", "page");
    let (run, page) = prove(&folder);
    assert_eq!(run.code, 0, "{run:?}");
    check(&page);
    for words in [
        "Proof of plan 1 of six-sites",
        "Compiled for</dt>\n<dd>2026-06-01",
        "By community shared-records, on ",
        "Brighton Hospitals",
        "No packet leaves its virtual network",
        "Every site promised as resilient is.",
        "Links join the ports that the plan says they join",
        "None was made with this page",
    ] {
        assert!(
            page.contains(words) || page.replace("</dt><dd>", "</dt>\n<dd>").contains(words),
            "{words}"
        );
    }
    assert!(after(&page, "map").contains("6 sites"));
    assert!(run.err.contains("the page is in `"), "{}", run.err);
    // A page of ours may be overwritten, and nothing else.
    assert_eq!(prove(&folder).0.code, 0);
    folder.write("page.html", "my notes");
    let (run, page) = prove(&folder);
    assert_eq!((run.code, page.as_str()), (2, "my notes"), "{run:?}");
}

#[test]
fn sites_with_one_uplink_are_named_with_what_cuts_them_off() {
    let folder = Folder::of_example("six-sites", "page-cut");
    let sites = folder.read("sites.csv").replace("lewes;brighton", "lewes");
    folder.write("sites.csv", &sites.replace("lat,lon,pops", "lat,lon,pops,backup"));
    let rows: String = folder
        .read("sites.csv")
        .lines()
        .map(|line| match line {
            line if line.starts_with('#') || line.starts_with("ods_code") => format!("{line}\n"),
            line if line.starts_with("G1,") => format!("{line},none\n"),
            line => format!("{line},\n"),
        })
        .collect();
    folder.write("sites.csv", &rows);
    let (run, page) = prove(&folder);
    assert_eq!(run.code, 0, "{run:?}");
    check(&page);
    let cut = after(&page, "cut-off");
    assert!(cut.contains("core router lewes-1, or PoP lewes"), "{cut}");
    assert!(cut.contains("<li>Station Surgery (G1)</li>"), "{cut}");
    assert!(
        after(&page, "maps")
            .contains("1. Without core router lewes-1, or PoP lewes: 1 site cut off")
    );
    assert!(after(&page, "own").contains("1 site hangs on one uplink"));
}

#[test]
fn two_uplinks_in_one_duct_are_refused_with_the_site() {
    let folder = Folder::of_example("six-sites", "page-duct");
    let rows: String = folder
        .read("sites.csv")
        .lines()
        .map(|line| match line {
            line if line.starts_with('#') => format!("{line}\n"),
            line if line.starts_with("ods_code") => {
                format!("{line},shared_risks,backup_shared_risks\n")
            }
            line if line.starts_with("G1,") => format!("{line},high-street;a27,high-street\n"),
            line => format!("{line},,\n"),
        })
        .collect();
    folder.write("sites.csv", &rows);
    let (run, page) = prove(&folder);
    assert_eq!(run.code, 1, "{run:?}");
    let told = "G1 is NOT resilient: everything that shares risk high-street";
    assert!(run.out.contains(told), "{}", run.out);
    check(&page);
    assert!(page.contains("This plan is not to ship: 1 site promised as resilient that a single"));
    let refused = after(&page, "not-resilient");
    assert!(refused.contains("Station Surgery (G1)"), "{refused}");
    assert!(refused.contains("everything that shares risk high-street"), "{refused}");
    let run = weald(&["plan", folder.name(), "--date", DAY]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.out.contains("G1") && run.out.contains("high-street"), "{}", run.out);
}

#[test]
fn a_risk_of_two_points_of_presence_is_proved_from_the_intent() {
    let folder = Folder::of_example("six-sites", "page-flood");
    let mut network = folder.read("network.toml");
    for pop in ["lewes", "brighton"] {
        let name = format!("name = \"{pop}\"\n");
        network = network.replace(&name, &format!("{name}shared_risks = [\"ouse\"]\n"));
    }
    folder.write("network.toml", &network);
    let (run, page) = prove(&folder);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(
        run.out.contains("G1 is NOT resilient: everything that shares risk ouse"),
        "{}",
        run.out
    );
    check(&page);
}

#[test]
fn hostile_names_are_text_on_the_page() {
    let folder = Folder::of_example("six-sites", "page-hostile");
    let name = "<script>alert(1)</script> & 'x'";
    folder.write("sites.csv", &folder.read("sites.csv").replace("Station Surgery", name));
    let (run, page) = prove(&folder);
    assert_eq!(run.code, 0, "{run:?}");
    check(&page);
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &#39;x&#39; (G1)"));
}

#[test]
fn the_page_of_the_reference_network_is_small_and_has_its_maps() {
    let folder = Folder::of_example("sussex", "page-sussex");
    let (run, page) = prove(&folder);
    assert_eq!(run.code, 0, "{run:?}");
    check(&page);
    assert!(page.len() < 400_000, "{}", page.len());
    assert_eq!(page.matches("<figure class=\"small\">").count(), 12);
    assert!(after(&page, "cut-off").contains("PoP hastings"));
}

#[test]
fn a_certificate_is_on_the_page_with_its_signer() {
    let folder = Folder::of_example("two-pops", "page-certificate");
    assert_eq!(weald(&["compile", folder.name(), "--date", DAY]).code, 0);
    let at = |file: &str| folder.path(file).to_str().expect("text").to_owned();
    let key = weald(&["key", &at("key")]);
    let arguments = ["prove", folder.name(), "--date", DAY, "--html", &at("page.html")];
    let signing = ["--certificate", &at("certificate"), "--key", &at("key"), "--json"];
    let run = weald(&[&arguments[..], &signing[..]].concat());
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(run.json()["html"], at("page.html"));
    let page = folder.read("page.html");
    check(&page);
    assert!(page.contains(key.out.trim()));
    let certificate: serde_json::Value =
        serde_json::from_str(&folder.read("certificate")).expect("a certificate is JSON");
    for digest in ["lock", "compiled"] {
        let digest = certificate["statement"][digest].as_str().expect("a digest");
        assert!(page.contains(digest), "{digest}");
    }
}
