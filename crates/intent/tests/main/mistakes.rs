//! One mistake at a time in a good intent, each with the line and the words that name it; then many
//! at once.

use intent::{Files, Problems};

use crate::examples::example;

/// Which file is changed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum In {
    Network,
    Sites,
    Services,
}

/// File, text to replace, replacement, and what must be said.
type Mistake = (In, &'static str, &'static str, &'static [&'static str]);

fn change(files: &mut Files, file: In, from: &str, to: &str) {
    let text = match file {
        In::Network => &mut files.network.text,
        In::Sites => &mut files.sites.text,
        In::Services => &mut files.services.text,
    };
    assert!(text.contains(from), "{from}");
    *text = text.replacen(from, to, 1);
}

pub(crate) fn problems_of(base: &str, changes: &[(In, &str, &str)]) -> Problems {
    let mut files = example(base);
    for (file, from, to) in changes {
        change(&mut files, *file, from, to);
    }
    let Err(problems) = intent::parse(&files) else { return Problems::default() };
    problems
}

fn check_table(base: &str, table: &[Mistake]) {
    let mut wrong = String::new();
    for (file, from, to, expected) in table {
        let problems = problems_of(base, &[(*file, from, to)]).to_string();
        for line in expected.iter().filter(|line| !problems.contains(*line)) {
            wrong += &format!("{from} -> {to}\nexpected: {line}\n{problems}\n\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

const OF_SHAPE: &[Mistake] = &[
    (
        In::Network,
        "as_number = 65000",
        "as_number = \"x\"",
        &["network.toml:6: `region.as_number` is a string\n  allowed: an integer, 64512 to 65534"],
    ),
    (
        In::Network,
        "as_number = 65000",
        "as_number = 8426",
        &[
            "network.toml:6: `region.as_number` is out of range\n  allowed: an integer, 64512 to 65534",
        ],
    ),
    (
        In::Network,
        "as_number = 65000\n",
        "",
        &["network.toml:3: missing key `as_number` in `region`"],
    ),
    (
        In::Network,
        "town = \"Lewes\"",
        "twon = \"Lewes\"",
        &["network.toml:30: unknown key in `pop` `twon`", "hint: did you mean `town`?"],
    ),
    (
        In::Network,
        "[pools]",
        "[pool]",
        &["network.toml:9: unknown key `pool`", "hint: did you mean `pools`?"],
    ),
    (In::Network, "[region]", "[region", &["network.toml:3: "]),
    (In::Network, "\"two-pops\"", "\"two-pops", &["network.toml:4: "]),
    (
        In::Network,
        "medium = \"secure\"",
        "medium = \"securre\"",
        &[
            "network.toml:47: unknown `access.broadband.medium` `securre`\n  allowed: ethernet, secure\n  hint: did you mean `secure`?",
        ],
    ),
    (
        In::Network,
        "latitude = 50.8290",
        "latitude = 90.5",
        &["network.toml:24: `pop.latitude` is out of range\n  allowed: a number, -90 to 90"],
    ),
    (
        In::Network,
        "latitude = 50.8290",
        "latitude = nan",
        &["network.toml:24: `pop.latitude` is out of range"],
    ),
    (
        In::Network,
        "[\"brighton\", \"lewes\"]",
        "[\"brighton\"]",
        &["network.toml:35: `link.between` has 1 entry"],
    ),
    (
        In::Network,
        "\"Brighton\"",
        "\"Brigh\\u001bton\"",
        &["network.toml:23: `pop.town` has a control character in it: `Brigh\\u{1b}ton`"],
    ),
];

#[test]
fn mistakes_of_shape_are_named_with_what_is_allowed() {
    check_table("two-pops", OF_SHAPE);
}

const IN_THE_NETWORK: &[Mistake] = &[
    (
        In::Network,
        "name = \"two-pops\"",
        "name = \"Two PoPs\"",
        &["network.toml:4: `Two PoPs` cannot name a region"],
    ),
    (
        In::Network,
        "name = \"lewes\"",
        "name = \"brighton\"",
        &["network.toml:29: duplicate PoP `brighton`, first in line 22"],
    ),
    (
        In::Network,
        "name = \"lewes\"",
        "name = \"brighton-1\"",
        &["network.toml:29: PoP `brighton-1` has the name of a core router of `brighton`"],
    ),
    (
        In::Network,
        "[\"brighton\", \"lewes\"]",
        "[\"brighton\", \"lews\"]",
        &["network.toml:35: unknown PoP or core router `lews`", "hint: did you mean `lewes`?"],
    ),
    (
        In::Network,
        "[\"brighton\", \"lewes\"]",
        "[\"brighton\", \"lewes-2\"]",
        &["network.toml:35: unknown PoP or core router `lewes-2`"],
    ),
    (
        In::Network,
        "[\"brighton\", \"lewes\"]",
        "[\"brighton\", \"brighton-1\"]",
        &["network.toml:34: link from `brighton-1` to itself"],
    ),
    (
        In::Network,
        "[access.fibre]",
        "[[link]]\nbetween = [\"lewes-1\", \"brighton\"]\nrate_mbps = 1\n\n[access.fibre]",
        &["network.toml:38: duplicate link `brighton-1--lewes-1`, first in line 34"],
    ),
    (
        In::Network,
        "[[link]]\nbetween = [\"brighton\", \"lewes\"]\nrate_mbps = 1000\n",
        "",
        &[
            "network.toml: core routers that no link joins to `brighton-1`\n  allowed: a path; there is none to lewes-1",
        ],
    ),
    (In::Network, "reflector = true", "", &["network.toml: no route reflector"]),
    (
        In::Network,
        "resilient = false",
        "resilient = true",
        &[
            "network.toml: only one route reflector in a resilient region",
            "network.toml:34: without link `brighton-1--lewes-1` these are cut off: lewes-1",
        ],
    ),
    (
        In::Network,
        "\"100.64.16.0/24\"",
        "\"100.64.0.128/25\"",
        &["network.toml:12: pool `core_links` overlaps pool `loopbacks`"],
    ),
    (
        In::Network,
        "\"fd00:100::/32\"",
        "\"fd00:64::/32\"",
        &["network.toml:14: pool `virtual_networks_v6` overlaps pool `loopbacks_v6`"],
    ),
    (
        In::Network,
        "\"100.64.16.0/24\"",
        "\"100.64.16.1/24\"",
        &["network.toml:12: `100.64.16.1/24` is not a prefix"],
    ),
    (
        In::Network,
        "\"100.64.0.0/24\"",
        "\"100.64.0.0/31\"",
        &[
            "network.toml:10: pool `loopbacks` (100.64.0.0/31) is enough for 0 core routers\n  allowed: a pool for 2",
        ],
    ),
    (
        In::Network,
        "\"100.64.32.0/24\"",
        "\"100.64.32.0/30\"",
        &[
            "network.toml:13: pool `uplinks` (100.64.32.0/30) is enough for 2 uplinks\n  allowed: a pool for 4",
        ],
    ),
    (
        In::Network,
        "\"fd00:100::/32\"",
        "\"fd00:100::/48\"",
        &[
            "network.toml:14: pool `virtual_networks_v6` (fd00:100::/48) is enough for 1 virtual networks",
        ],
    ),
    (
        In::Network,
        "area = \"49.0001\"",
        "area = \"49.001\"",
        &["network.toml:17: `49.001` is not an area address"],
    ),
    (
        In::Network,
        "key = \"example-key-do-not-use\"",
        "key_file = \"../secret\"",
        &["network.toml:19: no key in file `../secret`"],
    ),
    (In::Network, "key = \"example-key-do-not-use\"", "key_id = 2", &["network.toml:19: "]),
    (
        In::Network,
        "share_percent = 25",
        "share_percent = 26",
        &[
            "network.toml:91: the classes' guaranteed shares add up to 101 per cent\n  allowed: 100 at most",
        ],
    ),
    (
        In::Network,
        "name = \"AF1\"",
        "name = \"AF2\"",
        &["network.toml:85: duplicate class `AF2`, first in line 79"],
    ),
    (
        In::Network,
        "dscp = 18",
        "dscp = 26",
        &["network.toml:79: DSCP 26 is already that of class `AF3`"],
    ),
    (
        In::Network,
        "access = \"broadband\"",
        "access = \"broadbnad\"",
        &[
            "network.toml:59: unknown access type `broadbnad`\n  allowed: broadband, fibre\n  hint: did you mean `broadband`?",
        ],
    ),
];

#[test]
fn a_misspelt_key_is_reported_once() {
    let change = (In::Network, "as_number = ", "as_numbr = ");
    let problems = problems_of("two-pops", &[change]).to_string();
    assert!(problems.contains("hint: did you mean `as_number`?"), "{problems}");
    assert!(!problems.contains("missing key"), "{problems}");
}

#[test]
fn mistakes_in_the_network_are_named() {
    check_table("two-pops", IN_THE_NETWORK);
}

const IN_ROWS_OF_SITES: &[Mistake] = &[
    (
        In::Sites,
        "G1,Station Surgery,gp_practice",
        "G1,Station Surgery,gp_practise",
        &[
            "sites.csv:5: unknown kind `gp_practise`\n  allowed: gp_practice, hospital\n  hint: did you mean `gp_practice`?",
        ],
    ),
    (In::Sites, "G2,", "G1,", &["sites.csv:6: duplicate site `G1`, first in line 5"]),
    (
        In::Sites,
        "G2,",
        "g1,",
        &["sites.csv:6: sites `G1` and `g1` would both have router `site-g1`"],
    ),
    (In::Sites, "G2,", "G 2,", &["sites.csv:6: `G 2` cannot be a site's code"]),
    (
        In::Sites,
        "50.82116",
        "150.82116",
        &[
            "sites.csv:6: column `lat` is `150.82116`\n  allowed: degrees as a decimal number, -90 to 90",
        ],
    ),
    (
        In::Sites,
        "-0.13560",
        "west",
        &[
            "sites.csv:6: column `lon` is `west`\n  allowed: degrees as a decimal number, -180 to 180",
        ],
    ),
    (In::Sites, "Seaside Surgery", "\"Seaside Surgery", &["sites.csv:6: unclosed quote"]),
    (
        In::Sites,
        "Seaside Surgery",
        "Seaside, Surgery",
        &[
            "sites.csv:6: row of 8 columns\n  allowed: 7, as the header has\n  hint: a name with a comma in it needs quotes",
        ],
    ),
    (
        In::Sites,
        "Seaside Surgery",
        "Sea\u{202e}side",
        &["sites.csv:6: a control character in column `name`: `Sea\\u{202e}side`"],
    ),
    (In::Sites, "Seaside Surgery", "", &["sites.csv:6: column `name` is empty"]),
    (
        In::Sites,
        "lat,lon\n",
        "lat,lon,shared_risk\n",
        &["sites.csv:2: unknown column `shared_risk`", "hint: did you mean `shared_risks`?"],
    ),
    (
        In::Sites,
        "organisation,postcode",
        "organization,postcode",
        &[
            "sites.csv:2: unknown column `organization`",
            "hint: did you mean `organisation`?",
            "sites.csv:2: missing column `organisation`",
        ],
    ),
    (
        In::Sites,
        "lat,lon",
        "lat,lat",
        &["sites.csv:2: duplicate column `lat`", "sites.csv:2: missing column `lon`"],
    ),
];

#[test]
fn mistakes_in_rows_of_sites_are_named() {
    check_table("two-pops", IN_ROWS_OF_SITES);
    let mut files = example("two-pops");
    files.sites.text.clear();
    let problems = intent::parse(&files).unwrap_err().to_string();
    assert!(problems.contains("sites.csv: no header"), "{problems}");
}

const IN_UPLINKS_OF_SITES: &[Mistake] = &[
    (In::Sites, "brighton;lewes", "brighton;lews", &["sites.csv:3: unknown PoP `lews`"]),
    (
        In::Sites,
        "brighton;lewes",
        "brighton;lewes;crawley",
        &["sites.csv:3: 3 PoPs for 2 uplinks\n  allowed: at most one PoP per uplink"],
    ),
    (
        In::Sites,
        "brighton;lewes",
        "brighton;brighton",
        &["sites.csv:3: both uplinks go to PoP `brighton`"],
    ),
    (In::Network, "backup = \"fibre\"\n", "", &["sites.csv:3: 2 PoPs for 1 uplink"]),
];

#[test]
fn mistakes_in_uplinks_of_sites_are_named() {
    check_table("six-sites", IN_UPLINKS_OF_SITES);
    let with = |row: &str| {
        let header = "lon,pops";
        let rows = format!("\nG9,Guest,gp_practice,Lewes Practices,{row}");
        problems_of(
            "six-sites",
            &[
                (In::Sites, header, "lon,pops,router,access,backup"),
                (In::Sites, "brighton;lewes\n", "brighton;lewes,,,\n"),
                (In::Sites, "crawley;lewes\n", "crawley;lewes,,,\n"),
                (In::Sites, "lewes;brighton\n", "lewes;brighton,,,\n"),
                (In::Sites, "worthing;crawley\n", "worthing;crawley,,,\n"),
                (In::Sites, "crawley;worthing\n", "crawley;worthing,,,\n"),
                (In::Sites, "worthing;brighton\n", &format!("worthing;brighton,,,{rows}\n")),
            ],
        )
        .to_string()
    };
    for (row, expected) in [
        ("BN7 2XW,50.8,0.1,,G1,,", ""),
        ("BN7 2XW,50.8,0.1,,,fibre,none", ""),
        (
            "BN7 2XX,50.8,0.1,,G1,,",
            "sites.csv:9: shares the router of site `G1` at another postcode: `BN7 2XX` and `BN7 2XW`",
        ),
        ("BN7 2XW,50.8,0.1,,G7,,", "sites.csv:9: unknown site in column `router`: `G7`"),
        ("BN7 2XW,50.8,0.1,,G9,,", "sites.csv:9: column `router` names the site itself"),
        (
            "BN7 2XW,50.8,0.1,,G1,fibre,",
            "sites.csv:9: column `access` of a site that shares the router of `G1`",
        ),
        ("BN7 2XW,50.8,0.1,,,fiber,", "sites.csv:9: unknown access type `fiber`"),
        ("BN7 2XW,50.8,0.1,lewes;brighton,,,none", "sites.csv:9: 2 PoPs for 1 uplink"),
    ] {
        let problems = with(row);
        assert_eq!(expected.is_empty(), problems.is_empty(), "{row}\n{problems}");
        assert!(problems.contains(expected), "{row}\n{problems}");
    }
}

const IN_SERVICES: &[Mistake] = &[
    (
        In::Services,
        "organisation = \"Brighton Hospitals\"",
        "organisation = \"Brighton Hospital\"",
        &[
            "services.toml:5: unknown organisation `Brighton Hospital`\n  allowed: Brighton Hospitals, Lewes Practices\n  hint: did you mean `Brighton Hospitals`?",
        ],
    ),
    (
        In::Services,
        "name = \"practices\"",
        "name = \"hospitals\"",
        &["services.toml:10: duplicate virtual network `hospitals`, first in line 4"],
    ),
    (
        In::Services,
        "\"10.1.0.0/16\"",
        "\"10.1.0.0/25\"",
        &["services.toml:6: addresses for 0 LANs of length /24, and 2 sites"],
    ),
    (
        In::Services,
        "\"10.1.0.0/16\"",
        "\"10.1.0.0/16\", \"10.1.2.0/24\"",
        &["services.toml:6: `10.1.2.0/24` overlaps `10.1.0.0/16` of the same virtual network"],
    ),
    (
        In::Services,
        "\"10.1.0.0/16\"",
        "\"127.0.0.0/16\"",
        &["services.toml:6: `127.0.0.0/16` has loopback addresses in it"],
    ),
    (
        In::Services,
        "\"10.1.0.0/16\"",
        "\"10.1.0.0\"",
        &["services.toml:6: `10.1.0.0` is not a prefix"],
    ),
    (
        In::Services,
        "sites = \"all\"",
        "sites = \"some\"",
        &["services.toml:7: unknown `virtual_network.sites` `some`\n  allowed: all"],
    ),
    (
        In::Services,
        "sites = \"all\"",
        "sites = 5",
        &["services.toml:7: `virtual_network.sites` is an integer"],
    ),
    (
        In::Services,
        "sites = \"all\"",
        "sites = [\"H1\", \"H3\"]",
        &["services.toml:7: unknown site `H3`"],
    ),
    (
        In::Services,
        "sites = \"all\"",
        "sites = [\"H1\", \"H1\"]",
        &["services.toml:7: site `H1` is listed twice"],
    ),
    (
        In::Services,
        "sites = \"all\"",
        "sites = [\"H1\", \"G1\"]",
        &["services.toml:7: site `G1` belongs to `Lewes Practices`"],
    ),
    (
        In::Services,
        "sites = \"all\"",
        "sites = \"all\"\ndhcp = \"no\"",
        &["services.toml:8: `virtual_network.dhcp` is a string\n  allowed: a boolean"],
    ),
    (
        In::Services,
        "sites = \"all\"",
        "sites = \"all\"\ndns = [\"10.1.0\", \"127.0.0.1\", \"ff02::1\"]",
        &[
            "services.toml:8: `10.1.0` cannot be a resolver's address\n  allowed: an IPv4 or IPv6 address of one host",
            "services.toml:8: `127.0.0.1` cannot be a resolver's address",
            "services.toml:8: `ff02::1` cannot be a resolver's address",
        ],
    ),
    (
        In::Services,
        "sites = \"all\"",
        "sites = \"all\"\ndns = [\"10.1.0.53\", \"10.1.0.53\"]",
        &["services.toml:8: resolver `10.1.0.53` is listed twice"],
    ),
    (
        In::Services,
        "[\"gp_practice\"]",
        "[\"gp_practise\"]",
        &["services.toml:13: unknown kind `gp_practise`"],
    ),
    (
        In::Services,
        "[\"gp_practice\"]",
        "[\"hospital\"]",
        &["services.toml:13: `Lewes Practices` has no site of these kinds"],
    ),
    (
        In::Services,
        "{ kinds",
        "{ kind",
        &["services.toml:13: unknown key in `virtual_network.sites` `kind`"],
    ),
    (
        In::Services,
        "virtual_network = \"hospitals\"",
        "virtual_network = \"hospital\"",
        &["services.toml:17: unknown virtual network `hospital`"],
    ),
    (
        In::Services,
        "site = \"H1\"",
        "site = \"G1\"",
        &["services.toml:18: site `G1` is not in virtual network `hospitals`"],
    ),
    (
        In::Services,
        "class = \"AF2\"",
        "class = \"AF5\"",
        &["services.toml:19: unknown `application.class` `AF5`"],
    ),
    (
        In::Services,
        "class = \"AF2\"",
        "class = \"AF2\"\naddress = \"10.2.0.1\"",
        &["services.toml:20: `10.2.0.1` is outside the virtual network\n  allowed: 10.1.0.0/16"],
    ),
    (
        In::Services,
        "tcp/33962-33964",
        "tcp/33964-33962",
        &["services.toml:20: `tcp/33964-33962` is not something to listen on"],
    ),
    (
        In::Services,
        "\"tcp/443\"",
        "\"tcp/0\"",
        &["services.toml:20: `tcp/0` is not something to listen on"],
    ),
    (
        In::Services,
        "applications = [\"records\"]",
        "applications = [\"record\"]",
        &["services.toml:25: unknown application `record`", "hint: did you mean `records`?"],
    ),
    (
        In::Services,
        "members = [\"practices\"]",
        "members = [\"practises\"]",
        &["services.toml:26: unknown virtual network `practises`"],
    ),
    (
        In::Services,
        "members = [\"practices\"]",
        "members = [\"practices\", \"hospitals\"]",
        &["services.toml:25: member `hospitals` is the network of application `records`"],
    ),
    (
        In::Services,
        "members = [\"practices\"]",
        "members = [\"practices\", \"practices\"]",
        &["services.toml:26: member `practices` is listed twice"],
    ),
    (
        In::Services,
        "2031-03-31",
        "\"2031-02-31\"",
        &[
            "services.toml:27: `2031-02-31` is not a date\n  allowed: a day of the calendar as `YYYY-MM-DD`",
        ],
    ),
    (
        In::Services,
        "2031-03-31",
        "2031-03-31T10:00:00",
        &["services.toml:27: `2031-03-31T10:00:00` is not a date"],
    ),
    (
        In::Services,
        "\"Lewes Practices\" = 2026-01-15",
        "",
        &[
            "services.toml:23: community `shared-records` has no consent of `Lewes Practices`, owner of member `practices`",
        ],
    ),
    (
        In::Services,
        "\"Brighton Hospitals\" = 2026-01-12",
        "",
        &["has no consent of `Brighton Hospitals`, owner of application `records`"],
    ),
    (
        In::Services,
        "\"Lewes Practices\" = ",
        "\"Lewes Practises\" = ",
        &["services.toml:31: unknown organisation `Lewes Practises`"],
    ),
    (
        In::Services,
        "10.2.0.0/16",
        "10.1.128.0/17",
        &[
            "services.toml:23: members with overlapping addresses: `10.1.128.0/17` of `practices`, `10.1.0.0/16` of `hospitals`",
        ],
    ),
];

#[test]
fn mistakes_in_services_are_named() {
    check_table("two-pops", IN_SERVICES);
}

#[test]
fn members_that_meet_in_a_provider_may_not_overlap() {
    let both = [
        (
            In::Services,
            "members = [\"lewes-practices\"]",
            "members = [\"lewes-practices\", \"crawley-practices\"]",
        ),
        (
            In::Services,
            "[community.consents]",
            "[community.consents]\n\"Crawley Practices\" = 2026-01-12",
        ),
    ];
    let problems = problems_of("six-sites", &both).to_string();
    let expected = "services.toml:37: members with overlapping addresses: `10.2.0.0/16` of `crawley-practices`, `10.2.0.0/16` of `lewes-practices`\n  hint: both would be in the routing table of `hospitals`; one must be renumbered";
    assert!(problems.contains(expected), "{problems}");
    assert_eq!(problems.matches("overlapping").count(), 1, "{problems}");

    let second = "[[community]]\nname = \"images\"\npurpose = \"images\"\napplications = [\"imaging\"]\nmembers = [\"crawley-practices\"]\nconsents = { \"Crawley Practices\" = 2026-01-12, \"Brighton Hospitals\" = 2026-01-12 }\n\n[[community]]";
    let problems = problems_of("six-sites", &[(In::Services, "[[community]]", second)]).to_string();
    assert_eq!(problems.matches("overlapping").count(), 1, "{problems}");
}

#[test]
fn lans_of_one_network_have_one_size() {
    let problems = problems_of(
        "two-pops",
        &[
            (In::Network, "access = \"fibre\"", "access = \"fibre\"\nlan_length = 22"),
            (In::Sites, "Lewes Practices", "Brighton Hospitals"),
        ],
    );
    let expected = "services.toml:7: sites whose kinds have LANs of different sizes: `hospital` /22, `gp_practice` /24";
    assert!(problems.to_string().contains(expected), "{problems}");
}

#[test]
fn single_points_of_failure_of_a_resilient_region_are_named() {
    let problems = problems_of(
        "six-sites",
        &[(In::Network, "[[link]]\nbetween = [\"lewes\", \"crawley\"]\nrate_mbps = 1000\n", "")],
    )
    .to_string();
    for expected in [
        "network.toml:28: without core router `brighton-1` these are cut off: lewes-1",
        "network.toml:53: without link `brighton-1--lewes-1` these are cut off: lewes-1",
        "network.toml:58: without link `crawley-1--worthing-1` these are cut off: crawley-1",
    ] {
        assert!(problems.contains(expected), "{expected}\n{problems}");
    }
}

#[test]
fn shared_risk_that_cuts_the_region_is_a_warning() {
    let mut files = example("six-sites");
    let ring = files
        .network
        .text
        .replace("rate_mbps = 1000\n", "rate_mbps = 1000\nshared_risks = [\"duct\"]\n");
    files.network.text = ring;
    let checked = intent::check(&files, None);
    assert!(checked.intent.is_some());
    let text = checked.problems.to_string();
    assert!(text.contains("warning: without everything that shares risk `duct`"), "{text}");
}

#[test]
fn every_mistake_is_said_at_once_in_the_order_of_the_files() {
    let problems = problems_of(
        "two-pops",
        &[
            (In::Network, "as_number = 65000", "as_number = 1"),
            (In::Network, "town = \"Lewes\"", "twon = \"Lewes\""),
            (In::Network, "share_percent = 25", "share_percent = 99"),
            (In::Sites, "G1,Station Surgery,gp_practice", "G1,Station Surgery,gp"),
            (In::Sites, "50.82116", "north"),
            (In::Services, "site = \"H1\"", "site = \"H7\""),
            (In::Services, "\"tcp/443\"", "\"443\""),
            (In::Services, "\"Lewes Practices\" = 2026-01-15", ""),
        ],
    );
    let found: Vec<_> = problems
        .0
        .iter()
        .map(|problem| (problem.file.as_str(), problem.line.unwrap_or(0)))
        .collect();
    assert_eq!(
        found,
        [
            ("network.toml", 6),
            ("network.toml", 30),
            ("network.toml", 91),
            ("services.toml", 18),
            ("services.toml", 20),
            ("services.toml", 23),
            ("sites.csv", 5),
            ("sites.csv", 6),
        ],
        "{problems}"
    );
    let json = serde_json::to_string(&problems).unwrap();
    assert_eq!(serde_json::from_str::<Problems>(&json).unwrap(), problems);
    assert!(json.contains(r#"{"file":"network.toml","line":6,"severity":"error","#), "{json}");
}

#[test]
fn row_that_is_lost_is_not_missed_a_second_time_elsewhere() {
    let mut files = example("two-pops");
    files.sites.text = files.sites.text.replace("Surgery,gp", "Surgery,,gp");
    let problems = intent::parse(&files).unwrap_err().to_string();
    assert!(problems.contains("sites.csv:5: row of 8 columns"), "{problems}");
    assert!(problems.contains("sites.csv:6: row of 8 columns"), "{problems}");
    assert!(!problems.contains("services.toml"), "{problems}");
    files.sites.text = files.sites.text.replace("ods_code", "\"ods_code");
    let problems = intent::parse(&files).unwrap_err().to_string();
    assert!(problems.contains("sites.csv:2: unclosed quote"), "{problems}");
    assert_eq!(problems.matches("sites.csv").count(), 1, "{problems}");
}

#[test]
fn spreadsheet_marks_blank_rows_and_line_ends_do_no_harm() {
    let mut files = example("two-pops");
    files.sites.text = format!("\u{feff}{}\n,,,,,,\n\n", files.sites.text).replace('\n', "\r\n");
    assert_eq!(intent::parse(&files), intent::parse(&example("two-pops")));
}

/// What is said of a second surgery whose row ends with this, in columns for shared risks.
fn problems_of_risks(ends: &str) -> String {
    let mut files = example("two-pops");
    let mut rows = String::new();
    for line in files.sites.text.lines() {
        let more = match line {
            header if header.starts_with("ods_code") => {
                ",backup,router,shared_risks,backup_shared_risks"
            }
            row if row.starts_with("G2,") => ends,
            row if row.starts_with('#') => "",
            _ => ",,,,",
        };
        rows += &format!("{line}{more}\n");
    }
    files.sites.text = rows;
    intent::parse(&files).map_or_else(|problems| problems.to_string(), |_| String::new())
}

#[test]
fn shared_risks_of_uplinks_are_checked_like_other_names() {
    assert_eq!(problems_of_risks(",fibre,,high-street;a23,a23"), "");
    let cases = [
        (",fibre,,high street,", "sites.csv:6: `high street` cannot name a shared risk"),
        (",fibre,,a23;a23,", "sites.csv:6: column `shared_risks` names `a23` twice"),
        (",fibre,,,\u{202e}a23", "sites.csv:6: `\\u{202e}a23` cannot name a shared risk"),
        (
            ",none,,,a23",
            "sites.csv:6: column `backup_shared_risks` of a site without a backup uplink",
        ),
        (
            ",,G1,a23,",
            "sites.csv:6: column `shared_risks` of a site that shares the router of `G1`",
        ),
    ];
    for (ends, wanted) in cases {
        let problems = problems_of_risks(ends);
        assert!(problems.contains(wanted), "{ends}: {problems}");
    }
}
