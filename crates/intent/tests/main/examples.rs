//! The examples are good, and so are the schemas that are published with them.

use std::fs;
use std::path::{Path, PathBuf};

use intent::{Date, Files, Intent, Severity};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub(crate) fn example(name: &str) -> Files {
    let mut files = intent::files::read(&root().join("examples").join(name)).expect("readable");
    files.network.name = "network.toml".to_owned();
    files.sites.name = "sites.csv".to_owned();
    files.services.name = "services.toml".to_owned();
    files
}

fn load(name: &str) -> Intent {
    intent::load(&root().join("examples").join(name))
        .unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn sussex_has_390_sites_of_48_organisations_on_379_routers() {
    let sussex = load("sussex");
    assert_eq!(sussex.sites.len(), 390);
    assert_eq!(sussex.virtual_networks.len(), 48);
    assert_eq!(sussex.pops.len(), 16);
    assert_eq!(sussex.pops.iter().map(|pop| pop.router_names().count()).sum::<usize>(), 24);
    assert_eq!(sussex.links.len(), 38);
    let routers: Vec<_> = sussex.sites.iter().filter(|site| site.router_of.is_none()).collect();
    assert_eq!(routers.len(), 379);
    let uplinks: usize = routers.iter().map(|site| 1 + usize::from(site.backup.is_some())).sum();
    assert_eq!(uplinks, 660);
    assert!(sussex.access.iter().all(|access| access.assumed));
    let covered: usize = sussex.virtual_networks.iter().map(|vn| vn.sites.len()).sum();
    assert_eq!(covered, 390);
}

#[test]
fn sussex_keeps_out_of_the_ranges_that_the_policy_reserves() {
    let reserved =
        ["10.14.0.0/15", "10.20.0.0/14", "10.46.0.0/15", "10.104.0.0/13", "10.120.0.0/13"];
    let reserved: Vec<base::Ipv4Prefix> = reserved.map(|text| text.parse().unwrap()).to_vec();
    for network in &load("sussex").virtual_networks {
        for pool in &network.addresses {
            assert!(!reserved.iter().any(|range| range.overlaps(*pool)), "{}", network.name);
        }
    }
}

#[test]
fn sussex_has_two_networks_with_the_same_addresses_and_no_problem_with_them() {
    let sussex = load("sussex");
    let same: Vec<_> = sussex
        .virtual_networks
        .iter()
        .filter(|network| network.addresses == ["10.0.0.0/22".parse().unwrap()])
        .map(|network| network.name.as_str())
        .collect();
    assert_eq!(same, ["care-abbeyfield-bognor-regis", "care-abbeyfield-ferring"]);
}

#[test]
fn only_the_smallest_example_warns() {
    for (name, warnings) in [("two-pops", 1), ("six-sites", 0), ("sussex", 0)] {
        let checked = intent::check(&example(name), Date::new(2026, 2, 1));
        assert_eq!(checked.problems.0.len(), warnings, "{}", checked.problems);
        assert!(checked.intent.is_some());
    }
}

#[test]
fn expired_community_is_noted_and_no_error() {
    let checked = intent::check(&example("two-pops"), Date::new(2031, 4, 1));
    assert!(checked.intent.is_some());
    let note = checked.problems.0.iter().find(|problem| problem.severity == Severity::Note);
    assert_eq!(
        note.unwrap().to_string(),
        "services.toml:27: note: community `shared-records` expired on 2031-03-31 and is not in force"
    );
    let last_day = intent::check(&example("two-pops"), Date::new(2031, 3, 31));
    assert!(last_day.problems.0.iter().all(|problem| problem.severity != Severity::Note));
}

#[test]
fn the_line_of_everything_with_a_name_is_known() {
    use intent::Source;
    let files = example("two-pops");
    let sources = intent::check(&files, None).sources;
    let (community, name) = ("shared-records".to_owned(), |name: &str| name.to_owned());
    let member = || Source::Member { community: community.clone(), member: name("practices") };
    let organisation = name("Brighton Hospitals");
    let consent = Source::Consent { community: community.clone(), organisation };
    for (source, file, words) in [
        (Source::Site(name("G1")), &files.sites, "G1,"),
        (Source::VirtualNetwork(name("practices")), &files.services, "name = \"practices\""),
        (Source::Application(name("records")), &files.services, "name = \"records\""),
        (Source::Community(community.clone()), &files.services, "name = \"shared-records\""),
        (member(), &files.services, "members = [\"practices\"]"),
        (consent, &files.services, "\"Brighton Hospitals\" = "),
        (Source::Expiry(community.clone()), &files.services, "expires = "),
    ] {
        let line = sources.line(&source).unwrap();
        assert_eq!(line.file, file.name);
        let number = usize::try_from(line.number).unwrap();
        let text = file.text.lines().nth(number - 1).unwrap();
        assert!(text.starts_with(words), "{line}: {text}");
        assert_eq!(line.to_string(), format!("{}:{number}", file.name));
    }
    assert_eq!(sources.line(&Source::Site(name("nobody"))), None);
}

#[test]
fn names_are_resolved_to_routers_kinds_and_sites() {
    let small = load("two-pops");
    assert_eq!(small.links[0].ends, ["brighton-1", "lewes-1"]);
    assert_eq!((small.links[0].metric, small.links[0].delay_us), (17, 97));
    assert_eq!(small.isis.area, [0x49, 0, 1]);
    assert_eq!(small.isis.authentication.as_ref().unwrap().key, "example-key-do-not-use");
    assert_eq!(small.virtual_networks[1].sites, ["G1", "G2"]);
    assert_eq!(small.sites[2].access, "broadband");
    assert_eq!(small.sites[2].router_name(), "site-g1");
    let records = &small.applications[0];
    assert_eq!((records.listens[1].port_first, records.listens[1].port_last), (33962, 33964));
    assert_eq!(small.communities[0].expires.unwrap().to_string(), "2031-03-31");
    assert_eq!(small.communities[0].consents["Lewes Practices"].to_string(), "2026-01-15");
}

#[test]
fn hosts_are_lent_addresses_unless_a_network_wants_none() {
    let mut files = example("two-pops");
    let good = intent::parse(&files).unwrap();
    assert!(good.virtual_networks.iter().all(|network| network.dhcp && network.dns.is_empty()));
    let with = "sites = \"all\"\ndhcp = false\ndns = [\"10.1.0.53\", \"fd00:100::35\"]";
    files.services.text = files.services.text.replacen("sites = \"all\"", with, 1);
    let network = &intent::parse(&files).unwrap().virtual_networks[0];
    assert!(!network.dhcp);
    let dns: Vec<_> = network.dns.iter().map(ToString::to_string).collect();
    assert_eq!(dns, ["10.1.0.53", "fd00:100::35"]);
}

#[test]
fn sites_in_one_building_have_one_router() {
    let sussex = load("sussex");
    let guest = sussex.sites.iter().find(|site| site.code == "RDRFD").unwrap();
    assert_eq!(guest.router_of.as_deref(), Some("G81689"));
    assert_eq!(guest.router_name(), "site-g81689");
    assert_eq!(guest.access, "fttc");
}

#[test]
fn published_schemas_are_those_that_files_are_held_to() {
    for (name, schema) in
        [("network", intent::schema_network()), ("services", intent::schema_services())]
    {
        let path = root().join(format!("docs/schema/{name}.json"));
        let expected = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == expected,
            "docs/schema/{name}.json is not up to date; `weald schema {name}` prints it:\n{expected}"
        );
    }
}

#[test]
fn files_cut_off_anywhere_are_refused_or_read_and_never_panic() {
    let good = example("sussex");
    for file in ["network", "sites", "services"] {
        let length = match file {
            "network" => good.network.text.len(),
            "sites" => good.sites.text.len(),
            _ => good.services.text.len(),
        };
        for cut in (0..40).map(|step| length * step / 40 + step % 7) {
            let mut files = good.clone();
            let text = match file {
                "network" => &mut files.network.text,
                "sites" => &mut files.sites.text,
                _ => &mut files.services.text,
            };
            let cut = (0..=cut).rev().find(|cut| text.is_char_boundary(*cut)).unwrap_or(0);
            text.truncate(cut);
            let checked = intent::check(&files, None);
            assert_eq!(checked.intent.is_none(), checked.problems.has_errors());
        }
    }
}

#[test]
fn small_files_cut_off_at_every_length_never_panic() {
    let good = example("two-pops");
    for cut in 0..good.network.text.len() {
        let mut files = good.clone();
        files.network.text.truncate(cut);
        files.sites.text.truncate(cut);
        files.services.text.truncate(cut);
        let checked = intent::check(&files, None);
        assert_eq!(checked.intent.is_none(), checked.problems.has_errors());
    }
}

#[test]
fn missing_files_and_folders_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let problems = intent::load(dir.path()).unwrap_err().to_string();
    for name in ["network.toml", "sites.csv", "services.toml"] {
        let line = format!("{}: file is missing", dir.path().join(name).display());
        assert!(problems.contains(&line), "{problems}");
    }
    assert!(intent::load(&dir.path().join("nowhere")).is_err());
}

#[test]
fn text_in_another_encoding_is_refused_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let files = example("two-pops");
    fs::write(dir.path().join("network.toml"), &files.network.text).unwrap();
    fs::write(dir.path().join("services.toml"), &files.services.text).unwrap();
    fs::write(dir.path().join("sites.csv"), b"ods_code,name\nH1,Caf\xe9\n").unwrap();
    let problems = intent::load(dir.path()).unwrap_err().to_string();
    assert!(problems.contains("sites.csv:2: not UTF-8 text"), "{problems}");
}

#[test]
fn key_is_read_from_the_file_beside_the_intent() {
    let dir = tempfile::tempdir().unwrap();
    let files = example("two-pops");
    let text =
        files.network.text.replace("key = \"example-key-do-not-use\"", "key_file = \"isis.key\"");
    fs::write(dir.path().join("network.toml"), text).unwrap();
    fs::write(dir.path().join("services.toml"), &files.services.text).unwrap();
    fs::write(dir.path().join("sites.csv"), &files.sites.text).unwrap();
    let problems = intent::load(dir.path()).unwrap_err().to_string();
    assert!(problems.contains("network.toml:19: no key in file `isis.key`"), "{problems}");
    fs::write(dir.path().join("isis.key"), "a key of our own\n").unwrap();
    let intent = intent::load(dir.path()).unwrap();
    assert_eq!(intent.isis.authentication.unwrap().key, "a key of our own");
}
