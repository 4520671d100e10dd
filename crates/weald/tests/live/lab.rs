//! The lab itself: how fast it is there, what it leaves behind, what it takes.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use host::namespace::Namespace;
use serde_json::Value;

use crate::scene::{Lab, number, text};
use crate::wait::{succeed, wait_for};

/// From the command to the network.
const UP_WITHIN: Duration = Duration::from_secs(10);
/// What a site's router may have in memory.
const SITE_KIB_MAX: u64 = 32 * 1024;
/// From the start of a router's process to its first neighbour.
const FIRST_NEIGHBOUR_WITHIN_MS: u64 = 1_000;

const ROUTERS: [&str; 6] = ["brighton-1", "lewes-1", "site-g1", "site-g2", "site-h1", "site-h2"];
const SITES: [&str; 4] = ["site-g1", "site-g2", "site-h1", "site-h2"];

const fn address(network: u8, site: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, network, site, 20))
}

/// Whether a site reaches an address at the first attempt.
fn pings(lab: &Lab, site: &str, to: IpAddr) -> bool {
    lab.run(site, &["ping", "-n", "-c", "1", "-W", "1", &to.to_string()]).status.success()
}

#[test]
fn lab_is_up_within_ten_seconds_and_carries_packets_at_once() {
    let lab = Lab::start("two-pops");
    for (site, to) in
        [("H1", address(1, 1)), ("H2", address(1, 0)), ("G1", address(2, 1)), ("G2", address(2, 0))]
    {
        assert!(pings(&lab, site, to), "{site} does not reach {to}");
    }
    let said = lab.up.get("wall_time_s").and_then(Value::as_f64).expect("a time");
    println!("up after {said:.2} s by its own clock, {:?} by the test's", lab.took);
    assert!(Duration::from_secs_f64(said) < UP_WITHIN && lab.took < UP_WITHIN);
    let status = lab.status();
    let routers = status.get("routers").and_then(Value::as_array).expect("routers");
    let well = |router: &&Value| router.get("well") == Some(&Value::Bool(true));
    let names: Vec<&str> = routers.iter().filter(well).map(|one| text(one, "router")).collect();
    assert_eq!(names, ROUTERS);
}

/// Processes whose arguments name something in a folder.
fn processes_of(folder: &Path) -> BTreeSet<u32> {
    let folder = folder.to_string_lossy().into_owned();
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let names_it = |number: &u32| {
        let line = fs::read(format!("/proc/{number}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&folder)
    };
    numbers.filter(names_it).collect()
}

/// The network namespaces that a process has or is in.
fn namespaces_of(process: &Path) -> BTreeSet<PathBuf> {
    let descriptors = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    let paths = descriptors.map(|entry| entry.path()).chain([process.join("ns/net")]);
    let targets = paths.filter_map(|path| fs::read_link(path).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("net:[")).collect()
}

/// The processes that have or are in one of these network namespaces, but for this one.
fn holders(namespaces: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
    let own = PathBuf::from(format!("/proc/{}", std::process::id()));
    let holds = |process: &PathBuf| !namespaces_of(process).is_disjoint(namespaces);
    all.filter(|process| *process != own && holds(process)).collect()
}

/// What a lab is made of, outside of its folder.
#[derive(Debug)]
struct Parts {
    processes: BTreeSet<u32>,
    namespaces: BTreeSet<PathBuf>,
    /// Who has them: the kernel gives a namespace's number to another one when it is gone, and that
    /// may be another test's.
    holders: BTreeSet<PathBuf>,
}

impl Parts {
    /// Those of a lab that runs in the namespace `around`.
    fn of(lab: &Lab) -> Self {
        let around = namespaces_of(Path::new("/proc/self"));
        let own = namespaces_of(&PathBuf::from(format!("/proc/{}", lab.number())));
        let namespaces = own.difference(&around).cloned().collect();
        let holders = holders(&namespaces);
        Self { processes: processes_of(lab.folder()), namespaces, holders }
    }

    /// What is left of them.
    fn left(&self, folder: &Path) -> Result<(), Self> {
        let processes = processes_of(folder);
        let holders: BTreeSet<_> =
            holders(&self.namespaces).intersection(&self.holders).cloned().collect();
        if processes.is_empty() && holders.is_empty() {
            return Ok(());
        }
        let namespaces = holders.iter().flat_map(|process| namespaces_of(process)).collect();
        Err(Self { processes, namespaces, holders })
    }
}

/// The files of a folder, but for what the test itself keeps there.
fn files(folder: &Path) -> BTreeSet<String> {
    let all = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = all.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name != "notes").collect()
}

#[test]
fn lab_that_is_stopped_leaves_nothing() {
    let around = Namespace::new().expect("a namespace");
    let interfaces = || {
        let mut command = Command::new("ip");
        around.hold(command.args(["-o", "link"]));
        succeed(&mut command)
    };
    let named = || succeed(Command::new("ip").arg("netns"));
    let (before, named_before) = (interfaces(), named());
    let mut lab = Lab::start_within(&around, "two-pops");
    let parts = Parts::of(&lab);
    assert_eq!(parts.processes.len(), 7, "the lab and its routers: {parts:?}");
    assert!(parts.namespaces.len() >= 10, "one for each router and each LAN: {parts:?}");
    assert!(parts.holders.len() >= 7, "the lab and its routers: {parts:?}");
    assert_eq!(files(lab.folder()), BTreeSet::from(["lab.sock".into(), "lab.lab".into()]));
    lab.tell("down");
    assert_eq!(lab.wait(), Some(0));
    parts.left(lab.folder()).unwrap_or_else(|left| panic!("{left:?}"));
    assert_eq!(files(lab.folder()), BTreeSet::new());
    assert_eq!((interfaces(), named()), (before, named_before));
}

#[test]
fn lab_that_is_killed_leaves_a_folder_that_the_next_one_takes_away() {
    let lab = Lab::start("two-pops");
    let parts = Parts::of(&lab);
    assert_eq!(parts.processes.len(), 7, "{parts:?}");
    let folder = lab.kill();
    let start = std::time::Instant::now();
    wait_for("end of everything", Duration::from_secs(2), || parts.left(folder.path()));
    println!("everything of a killed lab is gone after {:?}", start.elapsed());
    assert_eq!(files(folder.path()), BTreeSet::from(["lab.sock".into(), "lab.lab".into()]));
    let stale = folder.path().join("lab.lab/stale");
    fs::write(&stale, "").expect("a file");
    let mut lab = Lab::start_in(folder, "two-pops", &mut Command::new(env!("CARGO_BIN_EXE_weald")));
    assert!(!stale.exists());
    assert!(pings(&lab, "H1", address(1, 1)));
    lab.tell("down");
    assert_eq!(lab.wait(), Some(0));
    assert_eq!(files(lab.folder()), BTreeSet::new());
}

#[test]
fn router_that_dies_costs_its_site_alone_and_is_mended() {
    let lab = Lab::start("two-pops");
    let process = number(&lab.router("site-h1"), "/process");
    succeed(Command::new("kill").args(["-s", "KILL", &process.to_string()]));
    wait_for("missing router", Duration::from_secs(5), || {
        let router = lab.router("site-h1");
        if router.get("process") == Some(&Value::Null) { Ok(()) } else { Err(router) }
    });
    assert!(!pings(&lab, "H2", address(1, 0)), "there is no router");
    for (site, to) in [("G1", address(2, 1)), ("G2", address(2, 0)), ("H2", address(1, 1))] {
        assert!(pings(&lab, site, to), "{site} to {to}");
    }
    lab.tell("mend site-h1");
    println!(
        "H2 reaches H1 {:?} after its router was mended",
        lab.wait_for_path("H2", address(1, 0))
    );
    assert_ne!(number(&lab.router("site-h1"), "/process"), process);
    wait_for("well lab", Duration::from_secs(10), || {
        let status = lab.status();
        let routers = status.get("routers").and_then(Value::as_array);
        let is_well = |router: &Value| router.get("well") == Some(&Value::Bool(true));
        if routers.is_some_and(|all| all.iter().all(is_well)) { Ok(()) } else { Err(status) }
    });
}

#[test]
fn router_that_has_just_died_is_mended_too() {
    let lab = Lab::start("two-pops");
    let process = number(&lab.router("site-h1"), "/process");
    succeed(Command::new("kill").args(["-s", "KILL", &process.to_string()]));
    lab.tell("mend site-h1");
    lab.wait_for_path("H2", address(1, 0));
    assert_ne!(number(&lab.router("site-h1"), "/process"), process);
}

/// What `/proc` says of a process's memory.
fn resident_kib(process: u64) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("a process");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a figure");
    line.split_whitespace().nth(1).and_then(|figure| figure.parse().ok()).expect("a number")
}

#[test]
fn idle_site_router_has_less_than_32_mib() {
    let lab = Lab::start("two-pops");
    for name in ROUTERS {
        let router = lab.router(name);
        let (kernel, own) =
            (resident_kib(number(&router, "/process")), number(&router, "/says/resident_kib"));
        println!("{name}: {kernel} KiB, {own} KiB by its own account");
        assert!(kernel.abs_diff(own) < 1024, "{name}: {kernel} KiB is not {own} KiB");
        assert!(!SITES.contains(&name) || kernel < SITE_KIB_MAX, "{name}: {kernel} KiB");
    }
}

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

/// When a line was logged, in milliseconds of its day.
fn logged_ms(line: &Value) -> u64 {
    let time = text(line, "time").split_once('T').map_or("", |(_, time)| time);
    let part = |at: core::ops::Range<usize>| -> u64 {
        time.get(at).and_then(|part| part.parse().ok()).unwrap_or_else(|| panic!("{line}"))
    };
    ((part(0..2) * 60 + part(3..5)) * 60 + part(6..8)) * 1000 + part(9..12)
}

/// When a process was started, in milliseconds of its day, to a hundredth of a second.
fn started_ms(process: u64) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("a process");
    let (_, fields) = stat.rsplit_once(") ").expect("a name");
    let ticks: u64 =
        fields.split(' ').nth(19).and_then(|ticks| ticks.parse().ok()).expect("a number");
    let uptime = fs::read_to_string("/proc/uptime").expect("a file");
    let uptime: f64 =
        uptime.split(' ').next().and_then(|uptime| uptime.parse().ok()).expect("a number");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    let ago = Duration::from_secs_f64(uptime).saturating_sub(Duration::from_millis(ticks * 10));
    u64::try_from((now - ago).as_millis()).unwrap_or_default() % DAY_MS
}

#[test]
fn routers_have_a_neighbour_within_a_second_of_their_start() {
    let lab = Lab::start("two-pops");
    for name in ROUTERS {
        let started = started_ms(number(&lab.router(name), "/process"));
        let log = lab.log(name);
        let after = |line: &Value| (logged_ms(line) + DAY_MS - started) % DAY_MS;
        let is_up = |line: &&Value| line.get("up") == Some(&Value::Bool(true));
        let first = |event: &str| {
            log.iter().filter(is_up).find(|line| text(line, "event") == event).map(after)
        };
        let runs = log.first().map(after);
        let (adjacency, session) = (first("adjacency"), first("session"));
        println!("{name}: runs after {runs:?} ms, adjacency {adjacency:?}, session {session:?}");
        let neighbour = adjacency.into_iter().chain(session).min().expect("a neighbour");
        assert!(neighbour < FIRST_NEIGHBOUR_WITHIN_MS, "{name}: {neighbour} ms");
    }
}
