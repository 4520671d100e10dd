//! One router as a process of its own, without any device: what it says, whom it answers, and how
//! it ends.

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::scene::{Folder, Run, command, weald};

/// How long anything may take that takes no time.
const PATIENCE: Duration = Duration::from_secs(10);

/// A router that runs until the test ends.
#[derive(Debug)]
struct Router {
    folder: Folder,
    child: Child,
    said: BufReader<ChildStderr>,
}

/// The configurations of an example's routers.
fn configs(name: &str) -> Folder {
    let folder = Folder::of_example("two-pops", name);
    let [plan, routers] = ["plan.json", "routers"].map(|file| folder.path(file));
    let [plan, routers] = [&plan, &routers].map(|path| path.to_str().expect("text"));
    let words = ["compile", folder.name(), "--out", plan, "--routers", routers];
    let run = weald(&[&words[..], &["--date", "2026-06-01"]].concat());
    assert_eq!(run.code, 0, "{run:?}");
    folder
}

impl Router {
    /// Starts `site-h1`, and waits until it answers.
    fn start(name: &str, words: &[&str]) -> Self {
        let folder = configs(name);
        folder.write("ports.toml", "[port]\n");
        let config = folder.path("routers/site-h1.json");
        fs::set_permissions(&config, Permissions::from_mode(0o644)).expect("it is ours");
        let mut command = command(&["router"]);
        command.arg(config).arg("--ports").arg(folder.path("ports.toml")).args(words);
        command.arg("--socket").arg(folder.socket());
        // Root has to become somebody else.
        if fs::metadata("/proc/self").expect("it is there").uid() == 0 {
            command.args(["--user", "nobody"]);
        }
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let said = BufReader::new(child.stderr.take().expect("its messages are piped"));
        let mut router = Self { folder, child, said };
        router.wait_for_line("runs plan 1 and listens at");
        router
    }

    /// The next line that has this in it.
    fn wait_for_line(&mut self, what: &str) -> String {
        let mut said = String::new();
        loop {
            let mut line = String::new();
            let read = self.said.read_line(&mut line).expect("messages are text");
            assert!(read > 0, "it has ended without `{what}`: {said}");
            if line.contains(what) {
                return line;
            }
            said.push_str(&line);
        }
    }

    /// Asks it, which takes no time.
    fn ask(&self, words: &[&str]) -> Run {
        let start = Instant::now();
        let run = weald(&[words, &["--socket", &self.folder.socket()]].concat());
        assert!(start.elapsed() < PATIENCE, "{words:?} took {:?}", start.elapsed());
        run
    }

    /// Has it ask to be stopped, and waits until it has.
    fn stop(mut self) {
        let run = self.ask(&["down"]);
        assert_eq!((run.code, run.out.trim()), (0, "stopped"), "{run:?}");
        self.wait_for_line("stopped");
        assert_eq!(self.child.wait().expect("it can be waited for").code(), Some(0));
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // As somebody else it may not have been able to.
        let _ = fs::remove_file(self.folder.socket());
    }
}

/// Has a router say thousands of lines that nobody reads.
fn storm(router: &Router) {
    const STORM: &str = "while kill -s HUP $0; do :; done";
    router.folder.write("routers/site-h1.json", "nonsense");
    let number = router.child.id().to_string();
    let storm = Command::new("timeout").args(["3", "sh", "-c", STORM, &number]).status();
    assert_eq!(storm.expect("it runs").code(), Some(124), "the router has ended");
}

#[test]
fn log_that_nobody_reads_stops_nothing_and_says_what_is_missing() {
    let mut router = Router::start("silent", &[]);
    storm(&router);
    assert!(router.ask(&["status"]).out.starts_with("site-h1, plan 1"));
    let told = router.wait_for_line(" lines left out: whoever reads this stood still");
    let count = told.split(' ').find_map(|word| word.parse::<u64>().ok());
    assert!(count.is_some_and(|count| count > 0), "{told}");
    assert!(router.ask(&["status"]).out.starts_with("site-h1, plan 1"));
    router.stop();
}

#[test]
fn log_that_nobody_reads_keeps_the_router_from_ending_for_a_moment_only() {
    let mut router = Router::start("mute", &[]);
    storm(&router);
    let start = Instant::now();
    assert_eq!(router.ask(&["down"]).code, 0);
    assert_eq!(router.child.wait().expect("it can be waited for").code(), Some(0));
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
}

#[test]
fn pings_under_way_keep_nobody_else_waiting() {
    let router = Router::start("busy", &[]);
    let socket = router.folder.socket();
    let words = ["ping", "site-h1", "10.1.0.77", "--socket", &socket];
    let ping = |_| {
        let mut command = command(&[&words[..], &["--count", "100"]].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts")
    };
    let mut pings: Vec<Child> = (0..5).map(ping).collect();
    let said = |ping: Child| {
        let output = ping.wait_with_output().expect("it ends");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    // One is too many, and so the others are under way.
    let start = Instant::now();
    let has_ended = |ping: &mut Child| ping.try_wait().expect("it can be asked for").is_some();
    let refused = loop {
        if let Some(place) = pings.iter_mut().position(has_ended) {
            break said(pings.remove(place));
        }
        assert!(start.elapsed() < PATIENCE, "none is refused");
        thread::park_timeout(Duration::from_millis(10));
    };
    let busy = "error: too many pings and traces are under way\nhint: ask again in a moment\n";
    assert_eq!(refused, (Some(1), busy.to_owned()));
    assert!(router.ask(&["status"]).out.starts_with("site-h1, plan 1"));
    router.stop();
    for ping in pings {
        assert_eq!(said(ping), (Some(1), "error: the network is stopping\n".to_owned()));
    }
}

/// What a web server says.
fn get(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).expect("somebody listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time");
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n").expect("it can be sent");
    let mut said = String::new();
    stream.read_to_string(&mut said).expect("an answer");
    said
}

#[test]
fn figures_are_there_for_others_while_somebody_dawdles() {
    let mut router = Router::start("figures", &["--metrics", "127.0.0.1:0"]);
    let line = router.wait_for_line("offers figures at ");
    let (_, address) = line.trim().rsplit_once(' ').expect("an address");
    let address: SocketAddr = address.parse().expect("an address");
    let mut slow = TcpStream::connect(address).expect("somebody listens");
    slow.write_all(b"G").expect("it can be sent");
    let dawdles = thread::spawn(move || {
        while slow.write_all(b"x").is_ok() {
            thread::park_timeout(Duration::from_millis(100));
        }
    });
    let said = get(address);
    assert!(said.starts_with("HTTP/1.1 200 OK\r\n"), "{said}");
    assert!(said.contains("weald_router_info{router=\"site-h1\",plan=\"1\"} 1\n"), "{said}");
    dawdles.join().expect("it is cut off");
    router.stop();
}

#[test]
fn wire_behind_two_ports_is_found_with_its_line() {
    let folder = configs("twice-behind");
    let config = folder.path("routers/lewes-1.json");
    let text = fs::read_to_string(&config).expect("a file");
    let value: Value = serde_json::from_str(&text).expect("JSON");
    let ports = value["ports"].as_array().expect("ports");
    let names = |medium: &str| {
        let fitting = ports.iter().filter(|port| port["medium"] == medium);
        fitting.map(|port| port["name"].as_str().expect("a name")).collect::<Vec<_>>()
    };
    let [one, other, ..] = names("ethernet")[..] else { panic!("{ports:#?}") };
    let text = format!("[port.{other}]\ninterface = \"eth0\"\n[port.{one}]\ntap = \"eth0\"\n");
    folder.write("ports.toml", &text);
    let [config, ports] = [config, folder.path("ports.toml")];
    let [config, ports] = [&config, &ports].map(|path| path.to_str().expect("text"));
    let run = weald(&["router", config, "--ports", ports, "--check"]);
    let what = format!("interface `eth0` stands behind `{other}` already, not behind `{one}`");
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.starts_with(&format!("{ports}:3: {what}\n")), "{}", run.err);
}

#[test]
fn a_router_alone_gives_its_own_tables_and_knows_no_promises() {
    let router = Router::start("own-tables", &[]);
    let socket = router.folder.socket();
    let plan = router.ask(&["show", "plan"]);
    assert_eq!(plan.code, 1, "{plan:?}");
    assert!(plan.out.contains("nothing of the plan but its own configuration"), "{}", plan.out);
    let alone = weald(&["prove", "--live", "--socket", &socket]);
    assert_eq!(alone.code, 2, "{alone:?}");
    assert!(alone.err.contains("hint: name the folder of the intent"), "{}", alone.err);
    let folder = router.folder.name();
    let words = ["prove", folder, "--date", "2026-06-01", "--live", "--json"];
    let run = weald(&[&words[..], &["--socket", &socket, "--socket", &socket]].concat());
    assert_eq!(run.code, 1, "{run:?}");
    let told = run.json()["isolation"]["violations"].to_string();
    assert!(told.contains("tables say two things of it"), "{told}");
    assert!(told.contains("its tables are missing"), "{told}");
    assert!(!told.contains("its tables are of plan"), "{told}");
    router.stop();
}
