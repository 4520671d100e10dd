//! Routers of others on sites' LANs: how they are read, and the mistakes in them.

use intent::{Problems, Routing};

use crate::examples::example;
use crate::mistakes::{In, problems_of};

#[test]
fn attached_router_has_bgp_where_it_has_an_as_number_and_static_routes_where_not() {
    let mut files = example("two-pops");
    files.services.text += "
[[attached_router]]
name = \"council-edge\"
site = \"H1\"
virtual_network = \"hospitals\"
address = \"10.1.0.2\"
as_number = 64999
prefixes = [\"10.1.64.0/18\", \"fd00:100:0:ff00::/56\"]

[[attached_router]]
name = \"laboratory\"
site = \"H2\"
virtual_network = \"hospitals\"
address = \"10.1.1.2\"
address_v6 = \"fd00:100:0:1::2\"
prefixes = [\"10.1.128.0/24\", \"fd00:100:0:fe00::/56\"]
";
    let intent = intent::parse(&files).unwrap();
    let [council, laboratory] = intent.attached_routers.as_slice() else { panic!("two") };
    assert_eq!(council.routing, Routing::Bgp { as_number: base::AsNumber(64999), max_routes: 12 });
    let prefixes: Vec<_> = council.prefixes.iter().map(ToString::to_string).collect();
    assert_eq!(prefixes, ["10.1.64.0/18", "fd00:100:0:ff00::/56"]);
    let address_v6 = "fd00:100:0:1::2".parse().ok();
    assert_eq!(laboratory.routing, Routing::Static { address_v6 });
}

/// An attached router of `two-pops`, with one line of it changed.
fn attached(from: &str, to: &str) -> String {
    let good = "[[attached_router]]\nname = \"council-edge\"\nsite = \"H1\"\n\
        virtual_network = \"hospitals\"\naddress = \"10.1.0.2\"\nas_number = 64999\n\
        prefixes = [\"10.1.64.0/18\", \"fd00:100:0:ff00::/56\"]\n\n";
    assert!(good.contains(from), "{from}");
    format!("{}[[community]]", good.replacen(from, to, 1))
}

/// What to replace in it, the replacement, and what must be said.
const IN_ATTACHED_ROUTERS: &[(&str, &str, &str)] = &[
    ("council-edge", "Council", "services.toml:23: `Council` cannot name an attached router"),
    (
        "council-edge",
        "brighton-1",
        "services.toml:23: attached router `brighton-1` has the name of another router",
    ),
    (
        "council-edge",
        "site-g1",
        "services.toml:23: attached router `site-g1` has the name of another router",
    ),
    (
        "\"H1\"",
        "\"G1\"",
        "services.toml:24: site `G1` is not in virtual network `hospitals`\n  allowed: H1, H2",
    ),
    ("\"H1\"", "\"H7\"", "services.toml:24: unknown site `H7`"),
    ("\"hospitals\"", "\"hospital\"", "services.toml:25: unknown virtual network `hospital`"),
    ("\"10.1.0.2\"", "\"10.1.0\"", "services.toml:26: `10.1.0` is not an IPv4 address"),
    (
        "\"10.1.0.2\"",
        "\"10.2.0.2\"",
        "services.toml:26: `10.2.0.2` is outside the virtual network\n  allowed: 10.1.0.0/16",
    ),
    (
        "\"10.1.0.2\"",
        "\"10.1.3.0\"",
        "services.toml:26: `10.1.3.0` is the network address on LAN 10.1.3.0/24",
    ),
    (
        "\"10.1.0.2\"",
        "\"10.1.3.1\"",
        "services.toml:26: `10.1.3.1` is the site router's own on LAN 10.1.3.0/24",
    ),
    (
        "\"10.1.0.2\"",
        "\"10.1.3.255\"",
        "services.toml:26: `10.1.3.255` is the broadcast address on LAN 10.1.3.0/24",
    ),
    (
        "\"10.1.0.2\"",
        "\"10.1.64.2\"",
        "services.toml:23: attached router `council-edge` has 10.1.64.2, which is behind attached router `council-edge`\n  allowed: a LAN's address, outside 10.1.64.0/18",
    ),
    (
        "64999",
        "65000",
        "services.toml:27: AS number 65000 is the region's own\n  allowed: the owner's AS number, or a private one outside 4200000000 to 4216777215",
    ),
    ("64999", "4200000007", "services.toml:27: AS number 4200000007 is one of the site routers'"),
    ("64999", "23456", "services.toml:27: AS number 23456 is reserved"),
    ("64999", "65535", "services.toml:27: AS number 65535 is reserved"),
    ("64999", "0", "services.toml:27: `attached_router.as_number` is out of range"),
    ("64999", "4294967295", "services.toml:27: `attached_router.as_number` is out of range"),
    ("\"10.1.64.0/18\"", "\"10.1.64.1/18\"", "services.toml:28: `10.1.64.1/18` is not a prefix"),
    (
        "\"10.1.64.0/18\"",
        "\"10.9.0.0/18\"",
        "services.toml:28: `10.9.0.0/18` is outside the virtual network\n  allowed: 10.1.0.0/16",
    ),
    (
        "\"10.1.64.0/18\"",
        "\"10.0.0.0/8\"",
        "services.toml:28: `10.0.0.0/8` is outside the virtual network",
    ),
    (
        "fd00:100:0:ff00::/56",
        "fd01::/56",
        "services.toml:28: `fd01::/56` is outside the virtual network\n  allowed: fd00:100::/32",
    ),
    (
        "\"fd00:100:0:ff00::/56\"",
        "\"10.1.65.0/24\"",
        "services.toml:28: `10.1.65.0/24` overlaps `10.1.64.0/18` of the same router",
    ),
    (
        "prefixes = [\"10.1.64.0/18\", \"fd00:100:0:ff00::/56\"]",
        "prefixes = []",
        "services.toml:28: `attached_router.prefixes` has 0 entries",
    ),
    (
        "as_number = 64999",
        "as_number = 64999\nmax_routes = 1",
        "services.toml:28: `max_routes` is 1, and there are 2 prefixes\n  allowed: 2 or more",
    ),
    (
        "as_number = 64999",
        "max_routes = 5",
        "services.toml:27: `max_routes` of a router without an `as_number`",
    ),
    (
        "as_number = 64999\n",
        "",
        "services.toml:23: no `address_v6`, and `fd00:100:0:ff00::/56` is behind the router",
    ),
    (
        "as_number = 64999",
        "address_v6 = \"10.1.0.2\"",
        "services.toml:27: `10.1.0.2` is not an IPv6 address",
    ),
    (
        "as_number = 64999",
        "as_number = 64999\naddress_v6 = \"fd00:100::2\"",
        "services.toml:28: `address_v6` of a router that announces its routes",
    ),
    (
        "as_number = 64999\nprefixes = [\"10.1.64.0/18\", \"fd00:100:0:ff00::/56\"]",
        "address_v6 = \"fd00:100::2\"\nprefixes = [\"10.1.64.0/18\"]",
        "services.toml:27: `address_v6` of a router with no IPv6 prefix behind it",
    ),
];

#[test]
fn mistakes_in_attached_routers_are_named() {
    let problems =
        |text: &str| problems_of("two-pops", &[(In::Services, "[[community]]", text)]).to_string();
    assert_eq!(problems(&attached("council-edge", "council-edge")), "");
    let mut wrong = String::new();
    for (from, to, expected) in IN_ATTACHED_ROUTERS {
        let found = problems(&attached(from, to));
        if !found.contains(expected) {
            wrong += &format!("{from} -> {to}\nexpected: {expected}\n{found}\n\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn what_is_behind_a_router_and_its_address_are_nobody_else_s() {
    let first = attached("council-edge", "council-edge");
    for (second, expected) in [
        (
            attached("council-edge", "council-edge"),
            "services.toml:31: duplicate attached router `council-edge`, first in line 23",
        ),
        (
            attached("council-edge", "other-edge"),
            "services.toml:36: `10.1.64.0/18` overlaps `10.1.64.0/18` of attached router `council-edge`",
        ),
        (
            attached("council-edge", "other-edge").replace("10.1.64.0/18", "10.1.0.0/17"),
            "services.toml:36: `10.1.0.0/17` overlaps `10.1.64.0/18` of attached router `council-edge`",
        ),
        (
            attached("council-edge", "other-edge").replace("ff00::/56", "ff0f::/64"),
            "services.toml:36: `fd00:100:0:ff0f::/64` overlaps `fd00:100:0:ff00::/56` of attached router `council-edge`",
        ),
        (
            attached("council-edge", "other-edge"),
            "services.toml:31: attached router `other-edge` has 10.1.0.2, which attached router `council-edge` has",
        ),
    ] {
        let both = first.replace("[[community]]", &second);
        let problems = problems_of("two-pops", &[(In::Services, "[[community]]", &both)]);
        assert!(problems.to_string().contains(expected), "{expected}\n{problems}");
    }
    for (address, expected) in [
        (
            "10.1.0.2",
            "attached router `council-edge` has 10.1.0.2, which application `records` has",
        ),
        (
            "10.1.65.9",
            "services.toml:16: application `records` has 10.1.65.9, which is behind attached router `council-edge`",
        ),
    ] {
        let class = format!("class = \"AF2\"\naddress = \"{address}\"");
        let changes = [
            (In::Services, "class = \"AF2\"", class.as_str()),
            (In::Services, "[[community]]", first.as_str()),
        ];
        let problems = problems_of("two-pops", &changes).to_string();
        assert!(problems.contains(expected), "{expected}\n{problems}");
    }
}

#[test]
fn networks_with_the_same_addresses_have_the_same_behind_their_routers() {
    let router = |name: &str, network: &str, site: &str| {
        format!(
            "[[attached_router]]\nname = \"{name}\"\nsite = \"{site}\"\n\
             virtual_network = \"{network}\"\naddress = \"10.2.0.2\"\n\
             prefixes = [\"10.2.64.0/18\"]\n\n"
        )
    };
    let both = router("a", "lewes-practices", "G1") + &router("b", "crawley-practices", "P1");
    let text = both + "[[community]]";
    let problems = problems_of("six-sites", &[(In::Services, "[[community]]", &text)]);
    assert_eq!(problems, Problems::default(), "{problems}");
}
