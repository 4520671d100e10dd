//! People's programs between two sites of one virtual network.
//!
//! Both virtual networks of the example have one site at each point of presence, so that every
//! packet crosses both: that of the hospitals over Ethernet, that of the practices over secure
//! links.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};

use serde_json::Value;
use tempfile::TempDir;

use crate::scene::{Lab, Running};
use crate::servers::{Database, Web};
use crate::wait::{Package, need};

/// One virtual network's two sites: the one that serves, its host's address, the one that asks.
struct Pair {
    server: &'static str,
    address: IpAddr,
    client: &'static str,
}

const HOSPITALS: Pair =
    Pair { server: "H1", address: IpAddr::V4(Ipv4Addr::new(10, 1, 0, 20)), client: "H2" };
const PRACTICES: Pair =
    Pair { server: "G2", address: IpAddr::V4(Ipv4Addr::new(10, 2, 1, 20)), client: "G1" };

#[test]
fn databases_serve_clients_over_ethernet() {
    a_database_serves_a_client(&HOSPITALS);
}

#[test]
fn databases_serve_clients_over_secure_links() {
    a_database_serves_a_client(&PRACTICES);
}

fn a_database_serves_a_client(pair: &Pair) {
    let lab = Lab::start("two-pops");
    let database = Database::start(&lab, pair.server, pair.address);
    let query = |sql: &str| database.query(&lab, pair.client, sql);
    query("create table letters (number int primary key, text text)");
    query("insert into letters select n, repeat(md5(n::text), 30) from generate_series(1, 5000) n");
    let digest = "select md5(string_agg(text, '' order by number)) from letters";
    let there = database.query(&lab, pair.server, digest);
    assert_eq!(query(digest), there);
    let all = query("select text from letters order by number");
    assert_eq!((all.lines().count(), all.len()), (5000, 5000 * 961 - 1));
    let pgbench = |words: &[&str]| {
        let target = database.target();
        lab.succeed(pair.client, &[&["pgbench"], words, &[target.as_str()]].concat())
    };
    pgbench(&["--initialize", "--scale=1", "--quiet"]);
    let said = pgbench(&["--client=4", "--time=3", "--no-vacuum"]);
    let figure = |what: &str| said.lines().find(|line| line.contains(what)).unwrap_or_default();
    println!("{} -> {}: {}, {}", pair.client, pair.server, figure("tps"), figure("latency"));
    assert!(figure("failed transactions").contains(": 0 "), "{said}");
    let (accounts, history) = ("sum(abalance) from pgbench_accounts", "sum(delta)");
    let sums = query(&format!("select (select {accounts}) = {history} from pgbench_history"));
    assert_eq!(sums, "t", "every transaction is there whole");
}

/// Octets without a pattern that a lost or doubled packet could hide in.
fn octets(len: usize) -> Vec<u8> {
    let mut random = base::Rng::new(7);
    (0..len.div_ceil(8)).flat_map(|_| random.next_u64().to_le_bytes()).take(len).collect()
}

#[test]
fn downloads_are_whole_over_ethernet() {
    a_download_is_whole(&HOSPITALS);
}

#[test]
fn downloads_are_whole_over_secure_links() {
    a_download_is_whole(&PRACTICES);
}

fn a_download_is_whole(pair: &Pair) {
    let lab = Lab::start("two-pops");
    let image = octets(20_000_000);
    let at = (pair.address, 443);
    let web = Web::start(&lab, pair.server, at, &[("image", &image), ("note.txt", b"hello")]);
    let folder = TempDir::with_prefix("weald-").expect("a folder");
    let path = folder.path().join("image").display().to_string();
    let figures = ["-o", &path, "-w", "%{speed_download} %{ssl_verify_result}"];
    let said = lab.succeed(pair.client, &web.curl("image", &figures));
    let (speed, verified) = said.split_once(' ').expect("two figures");
    assert_eq!(verified, "0");
    assert!(fs::read(&path).expect("a file") == image, "what came is not what was sent");
    println!("{} -> {}: {speed} octets a second by HTTPS", pair.server, pair.client);
    let said = lab.succeed(pair.client, &web.curl("note.txt", &["--http1.1"]));
    assert_eq!(said, "hello");
    let distrusting = ["curl", "-sS", "--max-time", "5", &web.url("note.txt")];
    let output = lab.run(pair.client, &distrusting);
    assert!(!output.status.success(), "nobody else knows this certificate");
}

#[test]
fn bulk_flows_both_ways_over_ethernet() {
    bulk_flows_both_ways(&HOSPITALS);
}

#[test]
fn bulk_flows_both_ways_over_secure_links() {
    bulk_flows_both_ways(&PRACTICES);
}

fn bulk_flows_both_ways(pair: &Pair) {
    /// Far below what the worst machine does, and far above what a path without buffers does.
    const FLOOR_BITS_PER_SECOND: f64 = 10e6;
    need(&[Package { name: "iperf3", programs: &["iperf3"] }]);
    let lab = Lab::start("two-pops");
    let address = pair.address.to_string();
    let words = ["iperf3", "--server", "--bind", &address, "--forceflush"];
    let server = Running::start(&lab, "iperf3", &mut lab.program(pair.server, &[], &words));
    server.wait_for("Server listening");
    for direction in [&[][..], &["--reverse"]] {
        let words = ["iperf3", "--client", &address, "--time", "3", "--omit", "1", "--json"];
        let said = lab.succeed(pair.client, &[&words[..], direction].concat());
        let said: Value = serde_json::from_str(&said).expect("JSON of iperf3");
        let rate = said.pointer("/end/sum_received/bits_per_second").and_then(Value::as_f64);
        let rate = rate.unwrap_or_else(|| panic!("no figure: {said:#}"));
        let (client, server) = (pair.client, pair.server);
        println!("{client} {direction:?} {server}: {:.3} Gbit/s", rate / 1e9);
        assert!(rate > FLOOR_BITS_PER_SECOND, "{direction:?}: {rate} bit/s");
    }
}

#[test]
fn browsers_show_pages_of_other_sites_over_ethernet() {
    a_browser_shows_a_page(&HOSPITALS);
}

#[test]
fn browsers_show_pages_of_other_sites_over_secure_links() {
    a_browser_shows_a_page(&PRACTICES);
}

fn a_browser_shows_a_page(pair: &Pair) {
    const PAGE: &[u8] = b"<!doctype html><title>Letters</title><p id=said>nothing yet</p>
<script>
fetch('letter.txt').then(answer => answer.text()).then(text => {
  document.getElementById('said').textContent = 'the letter says: ' + text;
});
</script>";
    need(&[Package { name: "chromium", programs: &["chromium"] }]);
    let lab = Lab::start("two-pops");
    let files: [(&str, &[u8]); 2] = [("page.html", PAGE), ("letter.txt", b"discharged on Monday")];
    let web = Web::start(&lab, pair.server, (pair.address, 443), &files);
    let profile = TempDir::with_prefix("chromium-").expect("a folder");
    let profile = format!("--user-data-dir={}", profile.path().display());
    let trust = format!("--ignore-certificate-errors-spki-list={}", web.key_hash());
    let words = [
        "chromium",
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-dev-shm-usage",
        "--no-first-run",
        &profile,
        &trust,
        "--timeout=20000",
        "--virtual-time-budget=5000",
        "--dump-dom",
        &web.url("page.html"),
    ];
    let dom = lab.succeed(pair.client, &words);
    assert!(dom.contains("the letter says: discharged on Monday"), "{dom}");
    assert!(web.asked().contains("asked for /letter.txt"), "{}", web.asked());
}
