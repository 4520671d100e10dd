//! A database's clients while links fail.
//!
//! A client inserts numbers one by one, each a transaction of its own, and keeps those that the
//! server acknowledged. Meanwhile the link that carries its packets, found by counting, is cut and
//! mended.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, Ipv4Addr};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::scene::{Lab, number, text};
use crate::servers::Database;

const SERVER: &str = "H1";
const SERVER_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 0, 20));
const CLIENT: &str = "H2";
const CORE: [&str; 4] = ["brighton-1", "crawley-1", "lewes-1", "worthing-1"];
/// How long each part of a run takes: as it is, cut, mended.
const PART: Duration = Duration::from_secs(3);
/// How often an echo is asked for, to see how long nothing passes.
const ECHO: Duration = Duration::from_millis(4);
/// The longest time without an acknowledgement that is let pass. TCP sends a lost segment again
/// after 0.2, 0.6, 1.4 and 3 s; and a database that has to wait for a busy machine's processor has
/// been seen to do so for 2.7 s while echoes passed in 2 ms.
const GAP_MAX: Duration = Duration::from_secs(5);
/// The longest time without an echo.
const OUTAGE_MAX: Duration = Duration::from_secs(1);

/// One connection to the database, and what was acknowledged on it.
struct Client {
    psql: Child,
    statements: ChildStdin,
    answers: BufReader<ChildStdout>,
    acknowledged: Vec<u64>,
    next: u64,
}

impl Client {
    fn connect(lab: &Lab, database: &Database) -> Self {
        let target = database.target();
        let mut command = lab.command(CLIENT, &["psql", "-XAtq", target.as_str()]);
        let mut psql =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let statements = psql.stdin.take().expect("it is piped");
        let answers = BufReader::new(psql.stdout.take().expect("it is piped"));
        Self { psql, statements, answers, acknowledged: Vec::new(), next: 1 }
    }

    /// Sends a statement, and waits for its one line of answer.
    fn ask(&mut self, sql: &str) -> String {
        writeln!(self.statements, "{sql};").expect("the connection is there");
        let mut line = String::new();
        let read = self.answers.read_line(&mut line).expect("text");
        assert!(read > 0, "the connection is lost after {}", self.acknowledged.len());
        line.trim_end().to_owned()
    }

    /// Which process of the server serves it.
    fn process(&mut self) -> String {
        self.ask("select pg_backend_pid()")
    }

    /// Inserts numbers for a while, and says for how long it waited for one at most.
    fn insert(&mut self, time: Duration) -> Duration {
        let start = Instant::now();
        let mut longest = Duration::ZERO;
        while start.elapsed() < time {
            let (sent, number) = (Instant::now(), self.next);
            let answer = self.ask(&format!("insert into numbers values ({number}) returning n"));
            assert_eq!(answer, number.to_string());
            self.acknowledged.push(number);
            self.next += 1;
            longest = longest.max(sent.elapsed());
        }
        longest
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.psql.kill();
        let _ = self.psql.wait();
    }
}

/// Frames sent so far on a router's ports, by the port's name.
fn sent(lab: &Lab, routers: &[&str]) -> BTreeMap<(String, String), u64> {
    let mut all = BTreeMap::new();
    for router in routers {
        let status = lab.router(router);
        let ports = status.pointer("/says/ports").and_then(Value::as_array).expect("ports");
        for port in ports {
            let name = ((*router).to_owned(), text(port, "name").to_owned());
            all.insert(name, number(port, "/traffic/frames_out"));
        }
    }
    all
}

/// The port that sent most while something ran, and how many frames.
fn busiest(
    lab: &Lab,
    routers: &[&str],
    is_meant: impl Fn(&str) -> bool,
    run: impl FnOnce(),
) -> ((String, String), u64) {
    let before = sent(lab, routers);
    run();
    let after = sent(lab, routers);
    let rise = |(name, frames): (&(String, String), &u64)| {
        (name.clone(), frames - before.get(name).copied().unwrap_or(0))
    };
    let meant = after.iter().filter(|((_, port), _)| is_meant(port)).map(rise);
    meant.max_by_key(|(_, frames)| *frames).expect("a port")
}

/// The name of a link between two routers.
fn link(near: &str, far: &str) -> String {
    if near < far { format!("{near}--{far}") } else { format!("{far}--{near}") }
}

/// What a stream of echoes says of the network alone.
#[derive(Default)]
struct Echoes {
    /// Those that did not come back, and the time that they stand for.
    lost: u32,
    outage: Duration,
    /// Of those that came back, in milliseconds.
    slowest: String,
}

impl Echoes {
    fn of(ping: Child) -> Self {
        let output = ping.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stdout);
        let figure = |what: &str| -> u32 {
            let before = said.split(what).next().and_then(|text| text.split_whitespace().last());
            before.and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("{said}"))
        };
        let lost = figure(" packets transmitted").saturating_sub(figure(" received"));
        let times = said.lines().find_map(|line| line.strip_prefix("rtt min/avg/max/mdev = "));
        let slowest = times.and_then(|times| times.split('/').nth(2));
        let slowest = slowest.unwrap_or_else(|| panic!("{said}")).to_owned();
        Self { lost, outage: ECHO * lost, slowest }
    }
}

impl fmt::Display for Echoes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lost, outage, slowest } = self;
        write!(f, "{lost} echoes lost of one every {ECHO:?}, {outage:?}; slowest {slowest} ms")
    }
}

/// Runs the workload while a link is cut and mended, and compares what is there with what was
/// acknowledged: of the ports of these routers that are meant, that of the busiest, which `of` names.
fn survives(
    lab: &Lab,
    routers: &[&str],
    is_meant: impl Fn(&str) -> bool + Copy,
    of: impl Fn(&str, &str) -> String,
) {
    let database = Database::start(lab, SERVER, SERVER_ADDRESS);
    database.query(lab, CLIENT, "create table numbers (n bigint)");
    let mut client = Client::connect(lab, &database);
    let process = client.process();
    let mut before = Duration::ZERO;
    let ((router, port), frames) = busiest(lab, routers, is_meant, || before = client.insert(PART));
    let half = u64::try_from(client.acknowledged.len()).unwrap_or(u64::MAX) / 2;
    assert!(frames > half, "{router} {port} carries {frames} frames, not the workload");
    let link = of(&router, &port);
    let mut during = |word: &str| {
        let order = format!("{word} {link}");
        let every = ECHO.as_secs_f64().to_string();
        let until = PART.as_secs().to_string();
        let to = SERVER_ADDRESS.to_string();
        let words = ["ping", "-n", "-q", "-i", &every, "-w", &until, &to];
        let ping = lab.command(CLIENT, &words).stdout(Stdio::piped()).spawn().expect("it starts");
        let longest = thread::scope(|scope| {
            scope.spawn(|| {
                thread::park_timeout(PART / 4);
                lab.tell(&order);
            });
            client.insert(PART)
        });
        (longest, Echoes::of(ping))
    };
    let mut cut = (Duration::ZERO, Echoes::default());
    let ((other, way), _) = busiest(lab, routers, is_meant, || cut = during("cut"));
    let ((cut, cut_echoes), (mended, mended_echoes)) = (cut, during("mend"));
    let rows = client.acknowledged.len();
    println!("{link}, then {other} {way}: {rows} rows, longest wait {before:?} as it was");
    println!("{link} cut: {cut:?}; {cut_echoes}");
    println!("{link} mended: {mended:?}; {mended_echoes}");
    assert_eq!(client.process(), process, "the connection is another");
    let mut there: BTreeMap<u64, u32> = BTreeMap::new();
    for row in database.query(lab, SERVER, "select n from numbers").lines() {
        *there.entry(row.parse().expect("a number")).or_default() += 1;
    }
    let lost: Vec<_> = client.acknowledged.iter().filter(|n| !there.contains_key(n)).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    assert!(there.values().all(|times| *times == 1), "there more than once: {there:?}");
    assert_eq!(there.len(), client.acknowledged.len(), "there, but not acknowledged");
    for (what, gap, echoes) in [("cut", cut, cut_echoes), ("mended", mended, mended_echoes)] {
        assert!(echoes.outage < OUTAGE_MAX, "{echoes} when {link} was {what}");
        assert!(gap < GAP_MAX, "{gap:?} without an answer when {link} was {what}");
    }
}

#[test]
fn no_committed_transaction_is_lost_when_a_core_link_fails() {
    let lab = Lab::start("six-sites");
    let is_core = |port: &str| port.strip_prefix("to-").is_some_and(|name| CORE.contains(&name));
    survives(&lab, &CORE, is_core, |router, port| {
        link(router, port.strip_prefix("to-").unwrap_or_default())
    });
}

#[test]
fn no_committed_transaction_is_lost_when_an_uplink_fails() {
    let lab = Lab::start("six-sites");
    let config = lab.config("site-h1");
    let neighbours = config.get("neighbours").and_then(Value::as_array).expect("neighbours");
    let cores: Vec<&str> = neighbours.iter().map(|neighbour| text(neighbour, "name")).collect();
    assert_eq!(cores, ["brighton-1", "lewes-1"], "it has two uplinks");
    let is_uplink = |port: &str| port.starts_with("uplink-");
    survives(&lab, &["site-h1"], is_uplink, |router, port| {
        let place = port.strip_prefix("uplink-").and_then(|place| place.parse().ok());
        let place: usize = place.expect("a number");
        link(cores.get(place - 1).expect("an uplink"), router)
    });
}
