//! IS-IS and segment routing with FRR's `isisd`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use model::config::{InterfaceAddress, RouterConfig};

use crate::capture::Capture;
use crate::daemon::{Daemon, interfaces};
use crate::frr::Frr;
use crate::net::Net;
use crate::plan;
use crate::tables::{Hop, Ways};
use crate::wait::{holds_for, wait_for};

/// How long two routers may take to agree: FRR computes paths once a second.
const CONVERGED: Duration = Duration::from_secs(15);
/// How long nothing must happen for people to believe that nothing will: three hellos.
const PATIENCE: Duration = Duration::from_secs(3);

/// Our router and FRR on one link, and a key for our end.
fn pair() -> (Net, RouterConfig) {
    let net = Net::new(&["r1", "r2"]);
    net.link(("r1", "to-r2"), ("r2", "to-r1"));
    let mut config = plan::core(1);
    config.ports.push(plan::core_link(1, 2, 10));
    (net, config)
}

fn ports() -> String {
    interfaces(&[("to-r2", "to-r2")])
}

/// A later configuration with this key; none: unsigned.
fn with_key(config: &RouterConfig, key: Option<&str>) -> RouterConfig {
    let mut config = config.clone();
    config.generation += 1;
    config.isis.as_mut().expect("a core router").authentication = key.map(plan::signed);
    config
}

fn frr_signed(hello: &str, database: &str) -> String {
    let database = format!("domain-password md5 {database} authenticate snp validate");
    plan::frr_isis(2, "", &database)
        + &plan::frr_link(2, 1, 30, &format!("isis password md5 {hello}"))
}

/// Whether FRR says that its adjacency is up; otherwise all that it says.
fn frr_is_adjacent(frr: &Frr) -> Result<(), String> {
    let said = frr.vtysh("show isis neighbor");
    if said.contains("Up ") { Ok(()) } else { Err(said) }
}

fn frr_ways(frr: &Frr) -> Ways {
    Ways::of_frr(&frr.vtysh("show isis route level-2 prefix-sid"))
}

/// The metric and the hops of a prefix, once there is a way.
fn route(what: &str, prefix: &str, ways: impl Fn() -> Ways) -> (u32, BTreeSet<Hop>) {
    wait_for(what, CONVERGED, || {
        let ways = ways();
        ways.prefixes.get(prefix).cloned().ok_or(ways)
    })
}

/// The peers agree on: hellos, link-state PDUs and sequence-numbers PDUs signed with HMAC-MD5
/// (RFC 5304), and that nothing unsigned or signed otherwise counts.
///
/// Can fail: with another key, and without one, the adjacency stays down at both ends and ours
/// says why; with the right key for hellos and another for the database it comes up and neither
/// learns a route.
#[test]
fn an_adjacency_and_a_database_need_the_same_key_at_both_ends() {
    let (net, config) = pair();
    let _capture = Capture::start(&net, "r2", "to-r1", "isis-md5");
    let config = with_key(&config, Some("another"));
    let daemon = Daemon::start(&net, "r1", &config, &ports());
    let frr = Frr::start(&net, "r2", &["isisd"], &frr_signed(plan::KEY, "another"));
    let refused = |why: &str| {
        let why = Err(Some(format!("hello refused: {why}")));
        wait_for("refusal", CONVERGED, || match daemon.adjacency("to-r2") {
            said if said == why => Ok(()),
            said => Err(said),
        });
        holds_for("refused", PATIENCE, || match daemon.adjacency("to-r2") {
            said if said == why => Ok(()),
            said => Err(said),
        });
        assert!(frr_is_adjacent(&frr).is_err(), "FRR hears a wrong key");
    };
    refused("wrong signature");
    let config = with_key(&config, None);
    daemon.reconfigure(&config);
    holds_for("refused by FRR", PATIENCE, || match frr_is_adjacent(&frr) {
        Ok(()) => Err("FRR hears a hello without a signature"),
        Err(_) => Ok(()),
    });

    let wrong = "is-is: wrong signature";
    let refusals = || daemon.view().refusals.get(wrong).copied().unwrap_or(0);
    let before = refusals();
    let config = with_key(&config, Some(plan::KEY));
    daemon.reconfigure(&config);
    wait_for("adjacency", CONVERGED, || daemon.adjacency("to-r2"));
    wait_for("adjacency at FRR", CONVERGED, || frr_is_adjacent(&frr));
    holds_for("without routes", PATIENCE, || {
        let (ours, theirs) = (Ways::of_weald(&daemon, "r1"), frr_ways(&frr));
        let empty = ours.prefixes.is_empty() && theirs.prefixes.is_empty();
        if empty { Ok(()) } else { Err((ours, theirs)) }
    });
    assert!(daemon.adjacency("to-r2").is_ok(), "the hellos' key is right");
    assert!(refusals() > before, "it says that the database's is not: {:?}", daemon.view());

    let database = format!("domain-password md5 {} authenticate snp validate", plan::KEY);
    frr.configure(&format!("router isis CORE\n {database}\n"));
    let (metric, _) = route("route to r2", "10.255.0.2/32", || Ways::of_weald(&daemon, "r1"));
    assert_eq!(metric, 20, "our link's metric and its loopback's");
    let (metric, _) = route("route to r1", "10.255.0.1/32", || frr_ways(&frr));
    assert_eq!(metric, 30, "its link's metric and our loopback's");
}

/// FRR's end of the link with IPv6, and with what stands behind its prefix-SID.
fn frr_dual(prefix_sid: &str) -> String {
    plan::frr_isis(2, prefix_sid, "")
        + &plan::frr_link(2, 1, 30, " ipv6 router isis CORE")
        + "interface lo\n ipv6 address fd00::2/128\n ipv6 router isis CORE\nexit\n"
}

/// Our end of the link with IPv6.
fn dual(config: &mut RouterConfig) {
    let link_local = InterfaceAddress { address: "fe80::1".parse().expect("v6"), length: 64 };
    config.loopback.as_mut().expect("a core router").v6 = Some("fd00::1".parse().expect("v6"));
    config.ports.iter_mut().for_each(|port| port.addresses.push(link_local));
}

/// The peers agree on: every TLV of our link-state PDU, as FRR reads it; and we on what FRR's
/// says of its prefixes, of both families.
///
/// Can fail: an octet of a TLV that is written otherwise changes a line of FRR's.
#[test]
fn each_reads_the_others_link_state_pdu() {
    let (net, mut config) = pair();
    dual(&mut config);
    let _capture = Capture::start(&net, "r2", "to-r1", "isis-dual");
    let daemon = Daemon::start(&net, "r1", &config, &ports());
    let frr = Frr::start(&net, "r2", &["isisd"], &frr_dual(""));
    let read = wait_for("our link-state PDU", CONVERGED, || {
        let said = frr.vtysh("show isis database detail r1.00-00");
        if said.contains("Adjacency-SID") { Ok(said) } else { Err(said) }
    });
    let lines: Vec<&str> = read.lines().map(str::trim).collect();
    let contents = lines.iter().skip_while(|line| !line.starts_with("Protocols")).copied();
    let contents: Vec<&str> = contents.take_while(|line| !line.is_empty()).collect();
    assert_eq!(contents, OUR_LSP, "{read}");

    let (metric, hops) = route("route to r2", "10.255.0.2/32", || Ways::of_weald(&daemon, "r1"));
    let hop = ("to-r2".to_owned(), plan::on_link(2, 1).into(), None);
    assert_eq!((metric, hops), (20, BTreeSet::from([hop])));
    let (metric, _) = route("its IPv6", "fd00::2/128", || Ways::of_weald(&daemon, "r1"));
    assert_eq!(metric, 20);
    wait_for("our IPv6 at FRR", CONVERGED, || {
        let said = frr.vtysh("show ipv6 route isis");
        let found = said.contains("fd00::1/128 [115/30] via fe80::1, to-r1");
        if found { Ok(()) } else { Err(said) }
    });
}

/// What FRR shows of our link-state PDU.
const OUR_LSP: [&str; 19] = [
    "Protocols Supported: IPv4, IPv6",
    "Area Address: 49.0001",
    "Hostname: r1",
    "TE Router ID: 10.255.0.1",
    "Router Capability: 10.255.0.1 , D:0, S:0",
    "Segment Routing: I:1 V:1, Global Block Base: 16000 Range: 8000",
    "SR Local Block Base: 15000 Range: 1000",
    "SR Algorithm:",
    "0: SPF",
    "Extended Reachability: 0000.0000.0002.00 (Metric: 10)",
    "Local Interface IP Address(es): 10.1.2.1",
    "Remote Interface IP Address(es): 10.1.2.2",
    "Adjacency-SID: 15002, Weight: 0, Flags: F:0 B:0, V:1, L:1, S:0, P:0",
    "IPv4 Interface Address: 10.255.0.1",
    "IPv6 Interface Address: fd00::1",
    "Extended IP Reachability: 10.255.0.1/32 (Metric: 0)",
    "Subtlvs:",
    "SR Prefix-SID Index: 1, Algorithm: 0, Flags: NODE PHP",
    "IPv6 Reachability: fd00::1/128 (Metric: 0)",
];

/// The peers agree on: which label means which prefix at whom (RFC 8667 §2.1.1). The hop's label
/// follows the flags, the index and the global block that FRR announces, one after another.
///
/// Can fail: every step has another label than the one before.
#[test]
fn labels_follow_the_neighbours_flags_index_and_global_block() {
    let (net, config) = pair();
    let _capture = Capture::start(&net, "r2", "to-r1", "isis-flags");
    let daemon = Daemon::start(&net, "r1", &config, &ports());
    let frr = plan::frr_isis(2, "", "") + &plan::frr_link(2, 1, 30, "");
    let frr = Frr::start(&net, "r2", &["isisd"], &frr);
    let hop = |label| BTreeSet::from([("to-r2".to_owned(), plan::on_link(2, 1).into(), label)]);
    let leads = |incoming: u32, outgoing: Option<u32>| {
        let wanted = BTreeMap::from([(incoming, hop(outgoing))]);
        wait_for(&format!("label {incoming}"), CONVERGED, || {
            let ways = Ways::of_weald(&daemon, "r1");
            let way = ways.prefixes.get("10.255.0.2/32").map(|(_, hops)| hops);
            let right = ways.labels == wanted && way == Some(&hop(outgoing));
            if right { Ok(()) } else { Err(ways) }
        });
    };
    let change =
        |line: &str| frr.configure(&format!("router isis CORE\n segment-routing {line}\n"));
    leads(16_002, None);
    change("prefix 10.255.0.2/32 index 2 no-php-flag");
    leads(16_002, Some(16_002));
    change("prefix 10.255.0.2/32 index 2 explicit-null");
    leads(16_002, Some(0));
    change("prefix 10.255.0.2/32 index 77 no-php-flag");
    leads(16_077, Some(16_077));
    change("global-block 20000 27999 local-block 15000 15999");
    leads(16_077, Some(20_077));
}

/// Routers, and the metric of each link between two of them: three ways of one length to r5, one
/// neighbour, r6, that is nearer over another, and a link that nobody uses.
///
/// No neighbour has equal ways over others too: there FRR 8.4.4 gives every hop the label of the
/// last one, so that it says explicit null to routers that are not last but one.
const LINKS: [(u8, u8, u32); 9] = [
    (1, 2, 10),
    (1, 3, 15),
    (1, 4, 18),
    (1, 6, 40),
    (2, 3, 50),
    (2, 5, 20),
    (3, 5, 15),
    (4, 5, 12),
    (4, 6, 5),
];

/// A network of these links; FRR at every router but the first.
struct Region {
    net: Net,
    others: Vec<Frr>,
}

impl Region {
    fn new() -> Self {
        let net = Net::new(&["r1", "r2", "r3", "r4", "r5", "r6"]);
        for (a, b, _) in LINKS {
            let [a_to_b, b_to_a] = [format!("to-r{b}"), format!("to-r{a}")];
            net.link((&format!("r{a}"), &a_to_b), (&format!("r{b}"), &b_to_a));
        }
        let others = (2..=6).map(|router| frr_of_region(&net, router)).collect();
        Self { net, others }
    }

    /// The ways to all loopbacks of FRR's routers, once they know all six and stay as they are.
    fn settled(&self, first: Option<&Frr>) -> Vec<Ways> {
        let mut before = Vec::new();
        let mut since = Instant::now();
        wait_for("calm", CONVERGED, || {
            let ways: Vec<Ways> = first.into_iter().chain(&self.others).map(frr_ways).collect();
            if ways != before {
                since = Instant::now();
                before.clone_from(&ways);
            }
            let whole = ways.iter().all(|one| one.labels.len() == 5);
            if whole && since.elapsed() > CALM { Ok(ways) } else { Err(ways) }
        })
    }
}

/// Longer than FRR waits between two computations.
const CALM: Duration = Duration::from_secs(2);

/// FRR as one of the routers: r3 wants no penultimate-hop popping and has a block of its own, r4
/// wants explicit null.
fn frr_of_region(net: &Net, router: u8) -> Frr {
    let (prefix_sid, instance) = match router {
        3 => ("no-php-flag", "segment-routing global-block 20000 27999 local-block 15000 15999"),
        4 => ("explicit-null", ""),
        _ => ("", ""),
    };
    let mut config = plan::frr_isis(router, prefix_sid, instance);
    // As ours has it.
    config.push_str("interface lo\n isis metric 0\nexit\n");
    for (a, b, metric) in LINKS {
        for (own, other) in [(a, b), (b, a)] {
            if own == router {
                config.push_str(&plan::frr_link(own, other, metric, ""));
            }
        }
    }
    Frr::start(net, &format!("r{router}"), &["isisd"], &config)
}

/// The peers agree on: shortest paths, equal ones among them, and the labels of each hop. FRR
/// stands in our place first; then we take over from it, identity, sequence numbers and all. Every
/// prefix and label must lead as it did for FRR, and through us as through it for the others.
///
/// Can fail: with one metric of ours changed the tables differ.
#[test]
fn our_paths_are_those_that_frr_computes_in_our_place() {
    let region = Region::new();
    let predecessor = frr_of_region(&region.net, 1);
    let mut theirs = region.settled(Some(&predecessor));
    let wanted = theirs.remove(0);
    let hop = |other: u8, label| (format!("to-r{other}"), plan::on_link(other, 1).into(), label);
    for (prefix, metric, hops) in [
        ("10.255.0.2/32", 10, &[hop(2, None)][..]),
        ("10.255.0.3/32", 15, &[hop(3, Some(20_003))]),
        ("10.255.0.4/32", 18, &[hop(4, Some(0))]),
        ("10.255.0.5/32", 30, &[hop(2, Some(16_005)), hop(3, Some(20_005)), hop(4, Some(16_005))]),
        ("10.255.0.6/32", 23, &[hop(4, Some(16_006))]),
    ] {
        let way = (metric, hops.iter().cloned().collect());
        assert_eq!(wanted.prefixes.get(prefix), Some(&way), "FRR is not what is thought");
    }
    drop(predecessor);

    let mut config = plan::core(1);
    let links = LINKS.iter().filter(|(first, _, _)| *first == 1);
    config.ports = links.map(|(_, other, metric)| plan::core_link(1, *other, *metric)).collect();
    let ports = ["to-r2", "to-r3", "to-r4", "to-r6"];
    for port in ports {
        region.net.run("r1", &format!("ip addr flush dev {port}"));
    }
    let ports = ports.map(|name| (name, name));
    let daemon = Daemon::start(&region.net, "r1", &config, &interfaces(&ports));
    let equals = |wanted: &Ways| {
        let ways = Ways::of_weald(&daemon, "r1");
        if ways == *wanted { Ok(()) } else { Err((ways, wanted.clone())) }
    };
    wait_for("the same ways as FRR", CONVERGED, || equals(&wanted));
    assert_eq!(without_our_links(region.settled(None)), without_our_links(theirs));

    config.generation += 1;
    config.ports.remove(0);
    config.ports.insert(0, plan::core_link(1, 2, 11));
    daemon.reconfigure(&config);
    wait_for("other ways", CONVERGED, || equals(&wanted).err().ok_or("still the same"));
}

/// FRR announces the networks of its links, we do not: nobody but their ends needs them.
fn without_our_links(mut ways: Vec<Ways>) -> Vec<Ways> {
    let ours = ["10.1.2.0/24", "10.1.3.0/24", "10.1.4.0/24", "10.1.6.0/24"];
    for one in &mut ways {
        one.prefixes.retain(|prefix, _| !ours.contains(&prefix.as_str()));
    }
    ways
}

/// The peers agree on: how long silence may last (ISO 10589 §8.2.6), and what a neighbour that
/// starts anew does to an adjacency.
///
/// Can fail: it does, at both ends, when either end is killed, and comes back when that starts.
#[test]
fn silence_ends_an_adjacency_and_a_new_start_makes_one() {
    const SILENCE: Duration = Duration::from_secs(5);
    let (net, config) = pair();
    let mut daemon = Daemon::start(&net, "r1", &config, &ports());
    let config_of_frr = plan::frr_isis(2, "", "") + &plan::frr_link(2, 1, 30, "");
    let mut frr = Frr::start(&net, "r2", &["isisd"], &config_of_frr);
    wait_for("adjacency at FRR", CONVERGED, || frr_is_adjacent(&frr));
    wait_for("adjacency", CONVERGED, || daemon.adjacency("to-r2"));

    let killed = Instant::now();
    frr.kill("isisd");
    let down = daemon.event(killed, SILENCE, "adjacency", &[("up", "false")]);
    assert!(down.is("adjacency", &[("reason", "holding time expired")]), "{down:?}");
    assert!(down.at - killed > Duration::from_millis(1_900), "three hellos were missed: {down:?}");
    frr.run("isisd", "");
    frr.configure(&config_of_frr);
    wait_for("adjacency", CONVERGED, || daemon.adjacency("to-r2"));
    wait_for("adjacency at FRR", CONVERGED, || frr_is_adjacent(&frr));

    daemon.kill();
    wait_for("silence at FRR", SILENCE, || frr_is_adjacent(&frr).err().ok_or("still adjacent"));
    let mut daemon = Daemon::start(&net, "r1", &config, &ports());
    route("route to r2", "10.255.0.2/32", || Ways::of_weald(&daemon, "r1"));
    route("route to r1", "10.255.0.1/32", || frr_ways(&frr));
    assert!(daemon.stop().success(), "an operator may end it");
}
