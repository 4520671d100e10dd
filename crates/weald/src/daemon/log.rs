//! What a router tells, line by line on the standard error: text for people, JSON for programs.

use std::time::{SystemTime, UNIX_EPOCH};

use clap::ValueEnum;
use router::Event;
use serde_json::{Map, Value, json};

use crate::day;
use crate::output;

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
    router: String,
    format: Format,
}

impl Log {
    pub(crate) const fn new(router: String, format: Format) -> Self {
        Self { router, format }
    }

    /// Something about the process that is as it should be.
    pub(crate) fn said(&self, text: &str) {
        self.line("info", "process", text, Value::Null);
    }

    /// Something about the process that somebody should look at.
    pub(crate) fn trouble(&self, text: &str) {
        self.line("error", "process", text, Value::Null);
    }

    /// Something that the router tells, after so many others like it that were left out.
    pub(crate) fn event(&self, event: &Event, left_out: u64) {
        let (level, kind, mut fields) = parts(event);
        if let Some(fields) = fields.as_object_mut().filter(|_| left_out > 0) {
            fields.insert("left_out".to_owned(), left_out.into());
        }
        self.line(level, kind, &sentence(event, left_out), fields);
    }

    fn line(&self, level: &str, kind: &str, text: &str, fields: Value) {
        match self.format {
            Format::Text => output::note(&format!("{}: {text}", self.router)),
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
                output::note(&Value::Object(line).to_string());
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
    use super::sentence;
    use router::Event;

    #[test]
    fn event_after_others_that_were_left_out_says_how_many() {
        let event = Event::PoolExhausted { port: "lan-a".to_owned() };
        assert_eq!(sentence(&event, 0), event.to_string());
        let told = format!("{event} (and 979 before it that came too fast to be told)");
        assert_eq!(sentence(&event, 979), told);
    }
}
