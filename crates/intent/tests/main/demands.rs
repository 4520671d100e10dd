//! Demands: how they are read, and the mistakes in them.

use intent::{ClassName, Problems, Traffic};

use crate::examples::example;
use crate::mistakes::{In, problems_of};

#[test]
fn demand_has_the_class_of_its_application_or_its_own() {
    let intent = intent::parse(&example("six-sites")).unwrap();
    let [records, imaging, voice] = intent.demands.as_slice() else { panic!("three") };
    let towards = |name: &str, kind: Option<&str>, down_kbps, up_kbps| Traffic::Towards {
        application: name.to_owned(),
        kind: kind.map(str::to_owned),
        down_kbps,
        up_kbps,
    };
    assert_eq!(records.traffic, towards("records", Some("gp_practice"), 400, 100));
    assert_eq!(imaging.traffic, towards("imaging", None, 3000, 1500));
    let within = Traffic::Within { virtual_network: "hospitals".to_owned(), kbps: 2000 };
    assert_eq!(voice.traffic, within);
    let classes: Vec<_> = intent.demands.iter().map(|demand| demand.class).collect();
    assert_eq!(classes, [ClassName::Af2, ClassName::Af1, ClassName::Ef]);
    assert!(intent.demands.iter().all(|demand| demand.assumed));
}

#[test]
fn demands_are_optional_and_not_assumed_unless_they_say_so() {
    let mut files = example("two-pops");
    assert!(intent::parse(&files).unwrap().demands.is_empty());
    files.services.text += "\n[[demand]]\napplication = \"records\"\ndown_kbps = 5\nup_kbps = 0\n";
    assert!(!intent::parse(&files).unwrap().demands[0].assumed);
}

/// Two demands of `two-pops` before its community, with one thing changed: the first is in line 22.
fn demands(from: &str, to: &str) -> String {
    let good = "[[demand]]\napplication = \"records\"\nkind = \"gp_practice\"\n\
        down_kbps = 400\nup_kbps = 100\n\n\
        [[demand]]\nvirtual_network = \"hospitals\"\nclass = \"EF\"\nkbps = 100\n\n";
    assert!(good.contains(from), "{from}");
    format!("{}[[community]]", good.replacen(from, to, 1))
}

/// What to replace, the replacement, and what must be said.
const IN_DEMANDS: &[(&str, &str, &str)] = &[
    (
        "application = \"records\"",
        "application = \"record\"",
        "services.toml:23: unknown application `record`",
    ),
    ("\"gp_practice\"", "\"gp_practise\"", "services.toml:24: unknown kind `gp_practise`"),
    (
        "virtual_network = \"hospitals\"",
        "virtual_network = \"hospital\"",
        "services.toml:29: unknown virtual network `hospital`",
    ),
    ("\"EF\"", "\"EG\"", "services.toml:30: unknown `demand.class` `EG`"),
    (
        "application = \"records\"\n",
        "",
        "services.toml:22: a demand without `application` or `virtual_network`\n  allowed: one of the two",
    ),
    (
        "application = \"records\"",
        "application = \"records\"\nvirtual_network = \"hospitals\"",
        "services.toml:22: a demand towards an application and within a virtual network\n  allowed: `application` or `virtual_network`",
    ),
    (
        "down_kbps = 400\n",
        "",
        "services.toml:22: a demand towards an application without `down_kbps`",
    ),
    ("up_kbps = 100\n", "", "services.toml:22: a demand towards an application without `up_kbps`"),
    ("class = \"EF\"\n", "", "services.toml:28: a demand within a virtual network without `class`"),
    ("\nkbps = 100\n", "\n", "services.toml:28: a demand within a virtual network without `kbps`"),
    (
        "up_kbps = 100",
        "up_kbps = 100\nclass = \"EF\"",
        "services.toml:27: `class` in a demand towards an application\n  allowed: `application`, `down_kbps`, `up_kbps`, `kind`",
    ),
    (
        "\nkbps = 100",
        "\nkbps = 100\nkind = \"hospital\"",
        "services.toml:32: `kind` in a demand within a virtual network\n  allowed: `virtual_network`, `class`, `kbps`",
    ),
    ("\nkbps = 100", "\nkbps = 0", "services.toml:31: `demand.kbps` is out of range"),
    ("down_kbps = 400", "down_kbps = -1", "services.toml:25: `demand.down_kbps` is out of range"),
    ("down_kbps", "down_mbps", "services.toml:25: unknown key in `demand` `down_mbps`"),
    (
        "[[demand]]\nvirtual",
        "[[demand]]\napplication = \"records\"\nkind = \"gp_practice\"\ndown_kbps = 1\nup_kbps = 1\n\n[[demand]]\nvirtual",
        "services.toml:28: the same demand twice, first in line 22\n  hint: add them up",
    ),
];

#[test]
fn mistakes_in_demands_are_named() {
    let mut wrong = String::new();
    for (from, to, expected) in IN_DEMANDS {
        let text = demands(from, to);
        let problems = problems_of("two-pops", &[(In::Services, "[[community]]", &text)]);
        if !problems.to_string().contains(expected) {
            wrong += &format!("{from} -> {to}\nexpected: {expected}\n{problems}\n\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn all_mistakes_in_a_demand_are_said_at_once() {
    let text =
        "[[demand]]\napplication = \"record\"\nkind = \"x\"\nclass = \"EF\"\n\n[[community]]";
    let Problems(problems) = problems_of("two-pops", &[(In::Services, "[[community]]", text)]);
    let here = problems.iter().filter(|problem| problem.file.ends_with("services.toml"));
    assert_eq!(here.count(), 5, "{problems:#?}");
}

#[test]
fn demand_that_counts_for_no_site_is_a_warning() {
    let warnings = |demand: &str| {
        let mut files = example("two-pops");
        files.services.text += demand;
        let checked = intent::check(&files, None);
        assert!(checked.intent.is_some(), "{}", checked.problems);
        checked.problems.to_string()
    };
    let towards = |kind: &str| {
        let rest = "down_kbps = 1\nup_kbps = 1\n";
        format!("\n[[demand]]\napplication = \"records\"\nkind = \"{kind}\"\n{rest}")
    };
    assert!(!warnings(&towards("gp_practice")).contains("services.toml"));
    let mut files = example("two-pops");
    files.services.text = files.services.text.split("[[community]]").next().unwrap().to_owned();
    files.services.text += &towards("gp_practice");
    let told = intent::check(&files, None).problems.to_string();
    assert!(told.contains("warning: no such site may reach application `records`"), "{told}");
}
