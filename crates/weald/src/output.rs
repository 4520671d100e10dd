//! The only place that prints: data to the standard output, everything else to the standard error.
//!
//! A reader that goes away (`weald show labels lewes-1 | head`) is no failure of ours: what cannot
//! be written any more is not written.

use std::io::{self, Write as _};

use serde_json::Value;

/// Prints data.
pub(crate) fn data(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    if !text.ends_with('\n') {
        let _ = out.write_all(b"\n");
    }
    let _ = out.flush();
}

/// Prints data as JSON.
pub(crate) fn json(value: &Value) {
    data(&format!("{value:#}"));
}

/// Prints data as JSON or as text.
pub(crate) fn either(json_wanted: bool, value: &Value, text: &str) {
    if json_wanted {
        json(value);
    } else {
        data(text);
    }
}

/// Tells a person something.
pub(crate) fn note(text: &str) {
    let mut out = io::stderr().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.write_all(b"\n");
}
