//! Figures for whoever collects them, in the text format of Prometheus.
//!
//! They are offered over HTTP at one address, by a thread that asks the router as anybody else
//! does. A request is read up to its end or its limit; whatever it asks for, these figures are the
//! answer.

use core::fmt::Write as _;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use host::Driver;
use host::device::Counters;

use crate::control::listener::Asker;
use crate::control::request::Request;
use crate::control::response::Response;
use crate::failure::Failure;

/// How long whoever asks may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Octets of a request that are read.
const REQUEST_OCTETS_MAX: u64 = 8 * 1024;

/// Memory of this process, in kibibytes.
pub(crate) fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a text cannot fail, here and below.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        let quote =
            |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let labels: Vec<_> =
            labels.iter().map(|(key, value)| format!("{key}=\"{}\"", quote(value))).collect();
        let _ = if labels.is_empty() {
            writeln!(self.0, "{name} {value}")
        } else {
            writeln!(self.0, "{name}{{{}}} {value}", labels.join(","))
        };
    }
}

/// Everything there is to count.
pub(crate) fn text(driver: &mut Driver) -> String {
    let devices: Vec<_> = driver.counters().collect();
    let router = driver.router();
    let view = router.view();
    let mut text = Text(String::new());
    text.family("weald_router_info", "gauge", "The router and the number of its plan.");
    let generation = view.generation.to_string();
    text.sample("weald_router_info", &[("router", &view.name), ("plan", &generation)], 1);
    text.family("weald_port_up", "gauge", "Whether packets may use a port.");
    for port in &view.ports {
        text.sample("weald_port_up", &[("port", &port.name)], port.up.into());
    }
    frames(&mut text, &view, &devices);
    text.family("weald_adjacency_up", "gauge", "Whether an IS-IS adjacency is up.");
    for one in &view.adjacencies {
        text.sample("weald_adjacency_up", &[("neighbour", &one.neighbour)], one.up.into());
    }
    text.family("weald_session_up", "gauge", "Whether a BGP session is established.");
    for one in &view.sessions {
        text.sample("weald_session_up", &[("neighbour", &one.neighbour)], one.up.into());
    }
    text.family("weald_session_routes", "gauge", "Routes of and for a neighbour.");
    for one in &view.sessions {
        let routes = |text: &mut Text, state, count: usize| {
            let labels = [("neighbour", one.neighbour.as_str()), ("state", state)];
            text.sample("weald_session_routes", &labels, count as u64);
        };
        routes(&mut text, "accepted", one.accepted);
        routes(&mut text, "stale", one.stale);
        routes(&mut text, "sent", one.sent);
    }
    refusals(&mut text, router, &view);
    text.family("weald_table_entries", "gauge", "Entries of the router's tables.");
    let sizes = view.sizes;
    for (table, size) in [
        ("vrf_routes", sizes.vrf_routes),
        ("global_routes", sizes.global_routes),
        ("labels", sizes.labels),
        ("bgp_paths", sizes.bgp_paths),
    ] {
        text.sample("weald_table_entries", &[("table", table)], size as u64);
    }
    text.family("weald_packets_dropped_total", "counter", "Packets dropped, by reason.");
    for (reason, count) in router.drops() {
        text.sample("weald_packets_dropped_total", &[("reason", &reason)], count);
    }
    text.family("process_resident_memory_bytes", "gauge", "Memory of the process.");
    text.sample("process_resident_memory_bytes", &[], resident_kib() * 1024);
    text.0
}

fn refusals(text: &mut Text, router: &router::Router, view: &model::view::RouterView) {
    let name = "weald_messages_refused_total";
    text.family(name, "counter", "Messages of neighbours not acted on, by reason.");
    for ((protocol, reason), count) in router.refusals() {
        text.sample(name, &[("protocol", protocol), ("reason", &reason)], count);
    }
    let name = "weald_session_refused_total";
    text.family(name, "counter", "Routes that a neighbour announced and may not, by reason.");
    for session in &view.sessions {
        for (reason, count) in &session.refused {
            text.sample(name, &[("neighbour", &session.neighbour), ("reason", reason)], *count);
        }
    }
}

fn frames(text: &mut Text, view: &model::view::RouterView, devices: &[(base::PortId, Counters)]) {
    let name = "weald_device_frames_total";
    text.family(name, "counter", "Frames of a port's device, by what became of them.");
    for (id, counters) in devices {
        let Some(port) = view.ports.iter().find(|port| port.port == *id) else { continue };
        for (fate, count) in [
            ("received", counters.received),
            ("sent", counters.sent),
            ("lost_in", counters.lost_in),
            ("lost_out", counters.lost_out),
            ("refused", counters.refused),
        ] {
            text.sample(name, &[("port", &port.name), ("fate", fate)], count);
        }
    }
}

/// Takes the address at which the figures will be offered.
pub(crate) fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address)
        .map_err(|error| Failure::input(format!("metrics cannot be at `{address}`: {error}")))
}

/// Offers the figures, on a thread of its own.
pub(crate) fn offer(listener: TcpListener, asker: Asker) -> Result<(), Failure> {
    let serve = move || {
        for stream in listener.incoming().flatten() {
            // Whoever went away has no need of an answer.
            let _ = answer(&stream, &asker);
        }
    };
    let thread = thread::Builder::new().name("metrics".to_owned()).spawn(serve);
    thread.map_err(|error| Failure::network(format!("no thread can be started: {error}")))?;
    Ok(())
}

fn answer(mut stream: &TcpStream, asker: &Asker) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut lines = BufReader::new(stream.take(REQUEST_OCTETS_MAX));
    let mut line = String::new();
    while lines.read_line(&mut line)? > "\r\n".len() {
        line.clear();
    }
    let (state, text) = match asker.ask(Request::Metrics) {
        Some(Response::Answer(answer)) => ("200 OK", answer.text),
        Some(Response::Error(refusal)) => ("503 Service Unavailable", refusal.message),
        None => ("503 Service Unavailable", "stopping".to_owned()),
    };
    write!(
        stream,
        "HTTP/1.1 {state}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    )
}
