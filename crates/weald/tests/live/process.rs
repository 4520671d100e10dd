//! The process of a router: who it is, whom it believes, and which configurations its ports fit.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use model::config::Medium;
use tempfile::TempDir;

use crate::daemon::{Daemon, interfaces};
use crate::net::Net;
use crate::plan;
use crate::wait::wait_for;

/// How long anything of this may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The number of `nobody`.
const NOBODY: u32 = 65_534;

#[test]
fn router_that_is_started_as_root_without_another_user_is_refused() {
    let folder = TempDir::with_prefix("weald-").expect("a folder");
    let (config, ports) = (folder.path().join("config.json"), folder.path().join("ports.toml"));
    let text = serde_json::to_string(&plan::core(1)).expect("JSON");
    fs::write(&config, text).expect("a file");
    fs::write(&ports, "[port]\n").expect("a file");
    for words in [&[][..], &["--user", "root"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weald"));
        command.arg("router").arg(&config).arg("--ports").arg(&ports).args(words);
        let output = command.arg("--socket").arg(folder.path().join("control")).output();
        let output = output.expect("the binary runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("hint: name one with `--user weald`"), "{said}");
    }
}

#[test]
fn router_is_nobody_once_its_ports_are_open() {
    let net = Net::new(&["r1", "r2"]);
    net.link(("r1", "to-r2"), ("r2", "to-r1"));
    let mut config = plan::core(1);
    config.ports.push(plan::core_link(1, 2, 10));
    let daemon = Daemon::start(&net, "r1", &config, &interfaces(&[("to-r2", "to-r2")]));
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.number())).expect("it runs");
    let words = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let nobody = NOBODY.to_string();
    assert!(words("Uid:").iter().all(|number| *number == nobody), "{status}");
    assert_eq!(words("Groups:"), [""; 0], "{status}");
    for sets in ["CapPrm:", "CapEff:", "CapInh:"] {
        assert_eq!(words(sets), ["0000000000000000"], "{status}");
    }
}

#[test]
fn configuration_that_the_open_ports_do_not_fit_is_refused() {
    let net = Net::new(&["r1", "r2"]);
    net.link(("r1", "to-r2"), ("r2", "to-r1"));
    let mut config = plan::core(1);
    config.ports.push(plan::core_link(1, 2, 10));
    let daemon = Daemon::start(&net, "r1", &config, &interfaces(&[("to-r2", "to-r2")]));

    let mut other = config.clone();
    other.generation = 2;
    let port = other.ports.first_mut().expect("a port");
    (port.medium, port.mtu) = (Medium::Secure, 1_400);
    let refused = |why: &str| {
        format!(
            "configuration of plan 2 is refused: it does not fit the ports that are open: {why}; \
             restart the router for it"
        )
    };
    let at = daemon.offer(&other);
    let text = refused("`to-r2` is Ethernet and would be secure");
    daemon.event(at, PATIENCE, "process", &[("level", "error"), ("text", &text)]);

    let port = other.ports.first_mut().expect("a port");
    (port.medium, port.mtu) = (Medium::Ethernet, 9_000);
    let at = daemon.offer(&other);
    let text = refused("`to-r2` has room for packets of 1500 octets, not 9000");
    daemon.event(at, PATIENCE, "process", &[("level", "error"), ("text", &text)]);
    assert_eq!(daemon.view().generation, 1, "the old one is in force");

    config.generation = 3;
    config.ports.push(plan::core_link(1, 3, 10));
    let at = daemon.offer(&config);
    let text = "port `to-r3` is new and nothing is behind it: restart the router for it";
    daemon.event(at, PATIENCE, "process", &[("level", "warning"), ("text", text)]);
    assert_eq!(daemon.view().generation, 3);
}

/// What is said of a socket by somebody who asks at it.
fn asked_at(socket: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weald"));
    let output = command.arg("status").arg("--socket").arg(socket).output();
    String::from_utf8_lossy(&output.expect("the binary runs").stderr).into_owned()
}

#[test]
fn socket_of_another_user_is_not_asked() {
    let folder = TempDir::with_prefix("weald-").expect("a folder");
    let root = fs::metadata("/proc/self").expect("it is there").uid();
    assert_eq!(root, 0, "live tests run as root");
    let socket = folder.path().join("control");
    let listener = UnixListener::bind(&socket).expect("a socket");
    chown(&socket, Some(NOBODY), Some(NOBODY)).expect("root may");
    let said = asked_at(&socket);
    assert!(said.contains("cannot be used: it is of the user with the number 65534"), "{said}");
    listener.set_nonblocking(true).expect("a socket");
    assert!(listener.accept().is_err(), "nobody has connected");

    // One that has a folder of its own, as a router of systemd's has.
    chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("root may");
    drop(listener);
    fs::remove_file(&socket).expect("it is there");
    let listener = UnixListener::bind(&socket).expect("a socket");
    chown(&socket, Some(NOBODY), Some(NOBODY)).expect("root may");
    listener.set_nonblocking(true).expect("a socket");
    let asks = thread::spawn(move || asked_at(&socket));
    wait_for("connection", PATIENCE, || listener.accept().map(drop));
    assert!(!asks.join().expect("it ends").contains("user with the number"));
}
