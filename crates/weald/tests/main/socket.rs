//! The socket: who may use it, what goes over it, and how it comes and goes.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::{Value, json};

use crate::scene::{Folder, Running, weald};

/// Sends a line as it is and reads the answer.
fn exchange(socket: &str, line: &[u8]) -> Value {
    let mut stream = UnixStream::connect(socket).expect("somebody listens");
    stream.write_all(line).expect("the line can be sent");
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).expect("there is an answer");
    serde_json::from_str(&answer).unwrap_or(Value::Null)
}

#[test]
fn only_its_owner_may_use_the_socket() {
    let network = Running::start("two-pops", "mode");
    let mode = fs::metadata(network.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let name = network.socket();
    let name = Path::new(&name).file_name().unwrap().to_str().unwrap().to_owned();
    let entries = fs::read_dir(std::env::temp_dir()).unwrap().flatten();
    let left: Vec<_> = entries
        .map(|entry| entry.file_name().into_string().unwrap_or_default())
        .filter(|other| other.starts_with(&name) && *other != name)
        .collect();
    assert_eq!(left, [""; 0]);
}

#[test]
fn malformed_requests_are_answered_and_do_no_harm() {
    let network = Running::start("two-pops", "malformed");
    let socket = network.socket();
    for line in [
        &b"\n"[..],
        b"{}\n",
        b"nonsense\n",
        b"{\"do\":\"dance\"}\n",
        b"{\"do\":\"status\",\"nam\":1}\n",
        b"{\"do\":\"ping\",\"from\":\"G1\"}\n",
        b"[[[[[[[[[[[[[[[[\n",
    ] {
        let answer = exchange(&socket, line);
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.starts_with("request cannot be read: "), "{message}");
        assert_eq!(answer["error"]["code"], 2);
    }
    let long = format!("{{\"do\":\"status\",\"name\":\"{}\"}}\n", "x".repeat(100_000));
    let mut stream = UnixStream::connect(&socket).unwrap();
    let _ = stream.write_all(long.as_bytes());
    drop(stream);
    drop(UnixStream::connect(&socket).unwrap());
    let mut half = UnixStream::connect(&socket).unwrap();
    half.write_all(b"{\"do\":").unwrap();
    drop(half);
    let count = b"{\"do\":\"ping\",\"from\":\"G1\",\"to\":\"records\",\"count\":4000000000}\n";
    assert_eq!(exchange(&socket, count)["error"]["code"], 2);
    assert_eq!(exchange(&socket, b"{\"do\":\"mend\"}\n")["error"]["code"], 2);
    let status = exchange(&socket, b"{\"do\":\"status\"}\n");
    assert_eq!(status["answer"]["data"]["region"], "two-pops");
    assert_eq!(status["answer"]["good"], true);
}

#[test]
fn one_socket_has_one_network() {
    let network = Running::start("two-pops", "twice");
    let run = weald(&["up", network.folder().name(), "--socket", &network.socket()]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.err.contains("a network is already running at"), "{}", run.err);
    assert_eq!(network.ask(&["status"]).code, 0);
}

#[test]
fn down_stops_the_network_and_removes_the_socket() {
    let mut network = Running::start("two-pops", "down");
    assert_eq!(network.ask_json(&["down"]), json!({ "stopped": true }));
    assert_eq!(network.wait(), 0);
    assert!(!Path::new(&network.socket()).exists());
    let run = network.ask(&["status"]);
    assert_eq!(run.code, 1);
    assert!(run.err.contains("no running network found at"), "{}", run.err);
    assert!(run.err.contains("hint: start one with `weald up DIR`"), "{}", run.err);
}

#[test]
fn a_socket_that_a_killed_network_left_behind_is_replaced() {
    let network = Running::start("two-pops", "stale");
    let socket = network.socket();
    network.kill();
    assert!(Path::new(&socket).exists());
    let network = Running::start("two-pops", "stale");
    assert_eq!(network.socket(), socket);
    assert_eq!(network.ask(&["status"]).code, 0);
    assert_eq!(network.ask(&["down"]).code, 0);
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let folder = Folder::of_example("two-pops", "no-socket");
    folder.write("notes.txt", "mine");
    let notes = folder.path("notes.txt");
    let run = weald(&["up", folder.name(), "--socket", notes.to_str().unwrap()]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("is no socket"), "{}", run.err);
    assert_eq!(folder.read("notes.txt"), "mine");
}
