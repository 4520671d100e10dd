//! What a router tells, line by line on the standard error: text for people, JSON for programs.
//!
//! Whoever reads it may stand still, and the router may not. So a thread of its own writes what
//! waits in a queue; lines that find no room in it are left out and counted, and the count is told
//! once there is room.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::ValueEnum;
use router::Event;
use serde_json::{Map, Value, json};

use crate::day;
use crate::failure::Failure;
use crate::output;

/// Lines that wait to be written: a network that comes and goes at once, a few times over.
const WAITING_MAX: usize = 1_024;
/// How long the last lines may take to be written.
const GOODBYE: Duration = Duration::from_secs(2);

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A sentence, without the time: the journal has it
    Text,
    /// One JSON object a line
    Json,
}

/// A router's log.
#[derive(Debug)]
pub(crate) struct Log {
    style: Style,
    waiting: SyncSender<String>,
    /// Hears that everything is written.
    written: Receiver<()>,
    /// Lines that found no room since this was told last.
    left_out: Arc<AtomicU64>,
}

/// How lines are made.
#[derive(Debug, Clone)]
struct Style {
    router: String,
    format: Format,
}

impl Log {
    /// A log on the standard error.
    pub(crate) fn new(router: String, format: Format) -> Result<Self, Failure> {
        Self::to(Style { router, format }, |line| output::note(&line))
            .map_err(|error| Failure::network(format!("no thread can be started: {error}")))
    }

    fn to(style: Style, write: impl Fn(String) + Send + 'static) -> io::Result<Self> {
        let (waiting, lines) = mpsc::sync_channel(WAITING_MAX);
        let (done, written) = mpsc::channel();
        let left_out = Arc::new(AtomicU64::new(0));
        let (style_there, left_out_there) = (style.clone(), Arc::clone(&left_out));
        let work = move || {
            lines.into_iter().for_each(&write);
            let count = left_out_there.load(Ordering::Relaxed);
            if count > 0 {
                write(style_there.missing(count));
            }
            // Who waited for it may have lost patience.
            let _ = done.send(());
        };
        thread::Builder::new().name("log".to_owned()).spawn(work)?;
        Ok(Self { style, waiting, written, left_out })
    }

    /// Tells how many lines were left out, once there is room; to be called now and then.
    pub(crate) fn catch_up(&self) {
        let count = self.left_out.load(Ordering::Relaxed);
        if count > 0 && self.waiting.try_send(self.style.missing(count)).is_ok() {
            self.left_out.store(0, Ordering::Relaxed);
        }
    }

    /// Waits until everything is written, but not for ever.
    pub(crate) fn finish(self) {
        let Self { waiting, written, .. } = self;
        drop(waiting);
        // What is not written by then is lost with whoever should have read it.
        let _ = written.recv_timeout(GOODBYE);
    }

    /// Something about the process that is as it should be.
    pub(crate) fn said(&self, text: &str) {
        self.tell("info", "process", text, Value::Null);
    }

    /// Something about the process that somebody may want to change.
    pub(crate) fn warned(&self, text: &str) {
        self.tell("warning", "process", text, Value::Null);
    }

    /// Something about the process that somebody should look at.
    pub(crate) fn trouble(&self, text: &str) {
        self.tell("error", "process", text, Value::Null);
    }

    /// Something that the router tells, after so many others like it that were left out.
    pub(crate) fn event(&self, event: &Event, left_out: u64) {
        let (level, kind, mut fields) = parts(event);
        if let Some(fields) = fields.as_object_mut().filter(|_| left_out > 0) {
            fields.insert("left_out".to_owned(), left_out.into());
        }
        self.tell(level, kind, &sentence(event, left_out), fields);
    }

    fn tell(&self, level: &str, kind: &str, text: &str, fields: Value) {
        self.catch_up();
        if self.waiting.try_send(self.style.line(level, kind, text, fields)).is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Style {
    fn missing(&self, count: u64) -> String {
        let lines = if count == 1 { "line" } else { "lines" };
        let text = format!("{count} {lines} left out: whoever reads this stood still");
        self.line("warning", "process", &text, Value::Null)
    }

    fn line(&self, level: &str, kind: &str, text: &str, fields: Value) -> String {
        match self.format {
            Format::Text => format!("{}: {text}", self.router),
            Format::Json => {
                let mut line = Map::new();
                line.insert("time".to_owned(), now().into());
                line.insert("level".to_owned(), level.into());
                line.insert("router".to_owned(), self.router.as_str().into());
                line.insert("event".to_owned(), kind.into());
                line.insert("text".to_owned(), text.into());
                if let Value::Object(fields) = fields {
                    line.extend(fields);
                }
                Value::Object(line).to_string()
            }
        }
    }
}

/// An event as people read it.
pub(crate) fn sentence(event: &Event, left_out: u64) -> String {
    match left_out {
        0 => event.to_string(),
        1 => format!("{event} (and one before it that came too fast to be told)"),
        _ => format!("{event} (and {left_out} before it that came too fast to be told)"),
    }
}

/// The time of day in Greenwich (RFC 3339).
fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    day::timestamp(since)
}

/// How grave an event is, its kind, and its parts.
fn parts(event: &Event) -> (&'static str, &'static str, Value) {
    let by_state = |up: bool| if up { "info" } else { "warning" };
    match event {
        Event::Adjacency { port, neighbour, up, reason } => (
            by_state(*up),
            "adjacency",
            json!({ "port": port, "neighbour": neighbour, "up": up, "reason": reason }),
        ),
        Event::Session { neighbour, up, reason } => (
            by_state(*up),
            "session",
            json!({ "neighbour": neighbour, "up": up, "reason": reason }),
        ),
        Event::Bfd { port, state, reason } => (
            by_state(state != "down"),
            "bfd",
            json!({ "port": port, "state": state, "reason": reason }),
        ),
        Event::RouteRefused { neighbour, route, reason } => (
            "warning",
            "route_refused",
            json!({ "neighbour": neighbour, "route": route, "reason": reason }),
        ),
        Event::PoolExhausted { port } => ("warning", "pool_exhausted", json!({ "port": port })),
    }
}

#[cfg(test)]
mod tests {
    use super::{Format, Log, Style, WAITING_MAX, sentence};
    use router::Event;
    use std::sync::mpsc;

    #[test]
    fn event_after_others_that_were_left_out_says_how_many() {
        let event = Event::PoolExhausted { port: "lan-a".to_owned() };
        assert_eq!(sentence(&event, 0), event.to_string());
        let told = format!("{event} (and 979 before it that came too fast to be told)");
        assert_eq!(sentence(&event, 979), told);
    }

    #[test]
    fn reader_that_stands_still_keeps_nobody_waiting_and_is_told_what_it_missed() {
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let (takes, taken) = mpsc::channel();
        let (write, written) = mpsc::channel();
        let style = Style { router: "r1".to_owned(), format: Format::Text };
        let log = Log::to(style, move |line| {
            takes.send(()).unwrap();
            // Until it may go on it stands still; afterwards it never does again.
            let _ = may_go_on.recv();
            write.send(line).unwrap();
        });
        let log = log.unwrap();
        log.said("0");
        taken.recv().unwrap();
        let (count, kept) = (5 * WAITING_MAX, 1 + WAITING_MAX);
        (1..count).for_each(|number| log.said(&number.to_string()));
        drop(go_on);
        log.finish();
        let lines: Vec<String> = written.into_iter().collect();
        assert_eq!(lines.len(), kept + 1);
        assert!(lines.iter().take(kept).enumerate().all(|(n, line)| *line == format!("r1: {n}")));
        let told = format!("r1: {} lines left out: whoever reads this stood still", count - kept);
        assert_eq!(lines.last(), Some(&told));
    }
}
