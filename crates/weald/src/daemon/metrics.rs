//! Figures for whoever collects them, in the text format of Prometheus.
//!
//! They are offered over HTTP at one address, by a thread that asks the router as anybody else
//! does. A request is read up to its end or its limit; whatever it asks for, these figures are the
//! answer. They are made at most once a second, however often they are asked for.

use core::fmt::Write as _;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use host::Driver;
use host::device::Counters;

use crate::control::listener::{self, Asker};
use crate::control::request::Request;
use crate::control::response::Response;
use crate::failure::Failure;

/// How long whoever asks may take, from the first octet to the last.
const PATIENCE: Duration = Duration::from_secs(2);
/// How old figures may be: making them takes time that frames could have.
const AGE_MAX: Duration = Duration::from_secs(1);
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

/// Offers the figures, on a thread of its own; says where.
pub(crate) fn offer(listener: TcpListener, asker: Asker) -> Result<SocketAddr, Failure> {
    let refuse = |error| Failure::network(format!("metrics cannot be offered: {error}"));
    let address = listener.local_addr().map_err(refuse)?;
    let serve = move || {
        let mut figures = Figures::default();
        for stream in listener.incoming() {
            match stream {
                // Whoever went away has no need of an answer.
                Ok(stream) => drop(answer(&stream, &asker, &mut figures)),
                Err(_) => listener::pause(),
            }
        }
    };
    thread::Builder::new().name("metrics".to_owned()).spawn(serve).map_err(refuse)?;
    Ok(address)
}

/// The figures, or why there are none.
fn made(asker: &Asker) -> Result<String, String> {
    match asker.ask(Request::Metrics) {
        Some(Response::Answer(answer)) => Ok(answer.text),
        Some(Response::Error(refusal)) => Err(refusal.message),
        None => Err("stopping".to_owned()),
    }
}

/// The figures, and when they were made.
#[derive(Debug, Default)]
struct Figures(Option<(Instant, String)>);

impl Figures {
    /// The figures, made anew where they are too old.
    fn text(
        &mut self,
        now: Instant,
        make: impl FnOnce() -> Result<String, String>,
    ) -> Result<&str, String> {
        let is_new = |(at, _): &(Instant, String)| now.duration_since(*at) < AGE_MAX;
        if !self.0.as_ref().is_some_and(is_new) {
            self.0 = None;
            self.0 = Some((now, make()?));
        }
        Ok(self.0.as_ref().map_or("", |(_, text)| text))
    }
}

/// A connection that ends at a certain time, however slowly its octets come and go.
struct Hurried<'a> {
    stream: &'a TcpStream,
    until: Instant,
}

impl Hurried<'_> {
    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }
}

impl io::Read for Hurried<'_> {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(octets)
    }
}

impl io::Write for Hurried<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

fn answer(stream: &TcpStream, asker: &Asker, figures: &mut Figures) -> io::Result<()> {
    let mut stream = Hurried { stream, until: Instant::now() + PATIENCE };
    let mut lines = BufReader::new((&mut stream).take(REQUEST_OCTETS_MAX));
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > "\r\n".len() {
        line.clear();
    }
    let text = figures.text(Instant::now(), || made(asker));
    let (state, text) = match &text {
        Ok(text) => ("200 OK", *text),
        Err(why) => ("503 Service Unavailable", why.as_str()),
    };
    let head = format!(
        "HTTP/1.1 {state}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        text.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::{AGE_MAX, Figures, Hurried, PATIENCE};
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::thread;
    use std::time::{Duration, Instant};

    #[test]
    fn one_that_says_an_octet_at_a_time_is_cut_off_in_time() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut slow = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        let start = Instant::now();
        let limit = PATIENCE / 4;
        let says = thread::spawn(move || {
            while slow.write_all(b"x").is_ok() {
                thread::park_timeout(limit / 10);
            }
        });
        let mut stream = Hurried { stream: &stream, until: start + limit };
        let error = stream.read_to_end(&mut Vec::new()).unwrap_err();
        assert!(start.elapsed() < limit + Duration::from_secs(1), "{:?}: {error}", start.elapsed());
        drop(listener);
        stream.stream.shutdown(std::net::Shutdown::Both).unwrap();
        says.join().unwrap();
    }

    #[test]
    fn figures_are_made_at_most_once_a_second() {
        let start = Instant::now();
        let mut figures = Figures::default();
        let made = |text: &str| Ok(text.to_owned());
        assert_eq!(figures.text(start, || Err("starting".to_owned())), Err("starting".to_owned()));
        assert_eq!(figures.text(start, || made("first")), Ok("first"));
        let soon = start + AGE_MAX - Duration::from_millis(1);
        assert_eq!(figures.text(soon, || made("second")), Ok("first"));
        assert_eq!(figures.text(start + AGE_MAX, || made("third")), Ok("third"));
        let later = start + 2 * AGE_MAX;
        assert!(figures.text(later, || Err("stopping".to_owned())).is_err());
        assert_eq!(figures.text(later, || made("fourth")), Ok("fourth"), "old ones are not kept");
    }
}
