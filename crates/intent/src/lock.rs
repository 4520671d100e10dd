//! What has been allotted.
//!
//! Like `Cargo.lock`: numbers that were given out once stay with whatever they were given to, so
//! that adding, removing or renaming one thing never renumbers another. A kind of number
//! (`loopback`, `uplink`, `rd`, `lan/NAME`, `port/ROUTER`, …) is a space of its own, counted from 0.
//! Removing a site keeps its numbers: it gets them back when it returns, and nobody else gets a
//! number that some router may still know. Only [`Lock::release`] gives a number back, for an
//! operator who knows that no router uses it any more.
//!
//! The text form is sorted TOML with a checksum over everything below the checksum's line. A file
//! that was damaged or half written is refused and never built anew: a new one would renumber the
//! whole region.

use core::fmt::Write as _;
use std::collections::BTreeMap;

use base::TraceHash;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::Intent;
use crate::names::shown;
use crate::problem::{Place, Problems, Report, list};
use crate::shape::one_line;

/// The version of the text form that is written and read.
const VERSION: &str = "1";

/// The line's beginning after which the checksum's body starts.
const CHECKSUM: &str = "checksum = ";

const HEADER: &str = "\
# What has been allotted in this region: numbers stay with their owners for ever.
# Written by weald and kept with the intent. Do not edit it: a changed number renumbers a router.
";

/// What to do about a damaged lock.
const RESTORE: &str = "take it back from where the intent is kept; \
    a lock that is made anew renumbers the whole region";

/// The numbers of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Numbers {
    by_key: BTreeMap<String, u32>,
    by_number: BTreeMap<u32, String>,
}

/// What has been allotted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lock {
    numbers: BTreeMap<String, Numbers>,
    /// The core routers that each site router's uplinks go to, the preferred one first.
    pub homing: BTreeMap<String, Vec<String>>,
}

impl Numbers {
    /// The number of a key.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<u32> {
        self.by_key.get(key).copied()
    }

    /// The key that has a number.
    #[must_use]
    pub fn key(&self, number: u32) -> Option<&str> {
        self.by_number.get(&number).map(String::as_str)
    }

    /// Every key with its number, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        self.by_key.iter().map(|(key, number)| (key.as_str(), *number))
    }

    /// How many are allotted.
    #[must_use]
    pub fn count(&self) -> usize {
        self.by_key.len()
    }
}

impl Lock {
    /// The number that `key` has among those of `kind`; the smallest free one is allotted where it
    /// has none.
    pub fn allot(&mut self, kind: &str, key: &str) -> u32 {
        self.allot_from(kind, key, 0)
    }

    /// The number that `key` has among those of `kind`; the smallest free one that is not below
    /// `least` is allotted where it has none.
    pub fn allot_from(&mut self, kind: &str, key: &str, least: u32) -> u32 {
        let numbers = self.numbers.entry(kind.to_owned()).or_default();
        if let Some(number) = numbers.number(key) {
            return number;
        }
        let number = smallest_free(&numbers.by_number, least);
        numbers.by_key.insert(key.to_owned(), number);
        numbers.by_number.insert(number, key.to_owned());
        number
    }

    /// Gives a number back, so that it may be allotted again: only for what no router uses any more.
    pub fn release(&mut self, kind: &str, key: &str) -> Option<u32> {
        let numbers = self.numbers.get_mut(kind)?;
        let number = numbers.by_key.remove(key)?;
        numbers.by_number.remove(&number);
        Some(number)
    }

    /// The number that `key` has among those of `kind`.
    #[must_use]
    pub fn number(&self, kind: &str, key: &str) -> Option<u32> {
        self.numbers.get(kind)?.number(key)
    }

    /// The numbers of a kind.
    #[must_use]
    pub fn numbers(&self, kind: &str) -> Option<&Numbers> {
        self.numbers.get(kind)
    }

    /// Every kind that something was allotted of.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.numbers.keys().map(String::as_str)
    }

    /// Reads the text form; `name` is the file's, for messages.
    ///
    /// # Errors
    ///
    /// What is damaged.
    pub fn parse(name: &str, text: &str) -> Result<Self, Problems> {
        let mut report = Report::new(name, text);
        let mut lock = Self::default();
        let (document, errors) = DeTable::parse_recoverable(text);
        // One is enough: what follows the first damage is mostly its consequence.
        let place_of = |error: &toml::de::Error| {
            error.span().map_or(Place::File, |span| Place::Offset(span.start))
        };
        if let Some(error) = errors.iter().min_by_key(|error| place_of(error)) {
            report.error(place_of(error), one_line(error.message())).help(RESTORE);
        } else {
            check_checksum(&mut report, text);
            lock.read(&mut report, document.get_ref());
        }
        let mut problems = Problems(report.finish());
        problems.sort();
        if problems.has_errors() { Err(problems) } else { Ok(lock) }
    }

    fn read(&mut self, report: &mut Report<'_>, document: &DeTable<'_>) {
        const KEYS: [&str; 4] = ["version", "checksum", "homing", "number"];
        for (key, value) in document {
            let place = Place::Offset(value.span().start);
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("version", DeValue::Integer(number)) if number.as_str() == VERSION => {}
                ("version", _) => {
                    report
                        .error(place, "lock of another version")
                        .allow(VERSION)
                        .help("it was written by a newer weald: use that one");
                }
                ("checksum", _) => {}
                ("homing", DeValue::Table(table)) => self.read_homing(report, table),
                ("number", DeValue::Table(table)) => self.read_numbers(report, table),
                (other, _) => {
                    let place = Place::Offset(key.span().start);
                    report.unknown(place, "key", &shown(other), KEYS.into_iter());
                }
            }
        }
        if !document.iter().any(|(key, _)| key.get_ref() == "version") {
            report.error(Place::File, "no version").allow(VERSION).help(RESTORE);
        }
    }

    fn read_homing(&mut self, report: &mut Report<'_>, table: &DeTable<'_>) {
        for (router, value) in table {
            let texts = value.get_ref().as_array().map(|values| {
                let texts = values.iter().map(|value| value.get_ref().as_str().map(str::to_owned));
                texts.collect::<Option<Vec<_>>>()
            });
            if let Some(Some(cores)) = texts {
                self.homing.insert(router.get_ref().to_string(), cores);
            } else {
                let message =
                    format!("homing of `{}` is no list of names", shown(router.get_ref()));
                report.error(Place::Offset(value.span().start), message).help(RESTORE);
            }
        }
    }

    fn read_numbers(&mut self, report: &mut Report<'_>, table: &DeTable<'_>) {
        for (kind, value) in table {
            let kind = kind.get_ref();
            let Some(entries) = value.get_ref().as_table() else {
                let message = format!("`{}` is no table of numbers", shown(kind));
                report.error(Place::Offset(value.span().start), message).help(RESTORE);
                continue;
            };
            let numbers = self.numbers.entry(kind.to_string()).or_default();
            for (key, value) in entries {
                numbers.read(report, kind, key.get_ref(), value);
            }
        }
    }

    /// The text form.
    #[must_use]
    pub fn to_text(&self) -> String {
        let body = self.body();
        let sum = checksum(&body);
        format!("{HEADER}version = {VERSION}\n{CHECKSUM}\"{sum}\"\n{body}")
    }

    fn body(&self) -> String {
        let mut body = String::new();
        if !self.homing.is_empty() {
            body.push_str("\n[homing]\n");
        }
        for (router, cores) in &self.homing {
            let cores: Vec<_> = cores.iter().map(|core| quoted(core)).collect();
            let _ = writeln!(body, "{} = [{}]", quoted(router), cores.join(", "));
        }
        for (kind, numbers) in self.numbers.iter().filter(|(_, numbers)| numbers.count() > 0) {
            let _ = writeln!(body, "\n[number.{}]", quoted(kind));
            for (key, number) in numbers.iter() {
                let _ = writeln!(body, "{} = {number}", quoted(key));
            }
        }
        body
    }

    /// Whether every number is within the pool that the intent has for its kind
    /// ([`Intent::capacity`]), after pools were made smaller; `name` is the lock's file.
    ///
    /// # Errors
    ///
    /// The numbers that are not.
    pub fn check(&self, name: &str, intent: &Intent) -> Result<(), Problems> {
        let mut report = Report::new(name, "");
        for (kind, numbers) in &self.numbers {
            let Some(capacity) = intent.capacity(kind) else { continue };
            for (number, key) in numbers.by_number.range(capacity..) {
                let (kind, key) = (shown(kind), shown(key));
                let message = format!("number {number} of `{key}` is outside the pool of `{kind}`");
                report
                    .error(Place::File, message)
                    .allow(format!("0 to {}", i64::from(capacity) - 1))
                    .help("make the pool as large as it was; numbers stay where they are");
            }
        }
        let problems = Problems(report.finish());
        if problems.has_errors() { Err(problems) } else { Ok(()) }
    }
}

impl Numbers {
    fn read(
        &mut self,
        report: &mut Report<'_>,
        kind: &str,
        key: &str,
        value: &Spanned<DeValue<'_>>,
    ) {
        let place = Place::Offset(value.span().start);
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|number| u32::from_str_radix(number.as_str(), number.radix()).ok());
        let Some(number) = number else {
            let message = format!("`{}` has no number of {}", shown(key), shown(kind));
            report
                .error(place, message)
                .allow(format!("an integer, 0 to {}", u32::MAX))
                .help(RESTORE);
            return;
        };
        if let Some(other) = self.key(number) {
            let (key, other, kind) = (shown(key), shown(other), shown(kind));
            let message =
                format!("number {number} of `{kind}` is both of `{other}` and of `{key}`");
            report.error(place, message).help(RESTORE);
            return;
        }
        self.by_key.insert(key.to_owned(), number);
        self.by_number.insert(number, key.to_owned());
    }
}

fn check_checksum(report: &mut Report<'_>, text: &str) {
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        offset += line.len();
        let Some(found) = line.strip_prefix(CHECKSUM) else { continue };
        let expected = text.get(offset..).map(checksum).unwrap_or_default();
        if found.trim() != format!("\"{expected}\"") {
            report
                .error(Place::Offset(offset - line.len()), "checksum mismatch")
                .allow("a file as weald wrote it, whole and unchanged")
                .help(RESTORE);
        }
        return;
    }
    report
        .error(Place::File, "no checksum")
        .allow(list([CHECKSUM.trim()].into_iter()))
        .help(RESTORE);
}

/// Against accidents, not against forgery: who can write the lock can write the intent.
fn checksum(body: &str) -> String {
    let mut hash = TraceHash::new();
    hash.bytes(body.as_bytes());
    format!("{:016x}", hash.value())
}

/// A TOML basic string, on one line: it may be a key.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// The smallest number from `least` on that is not taken. Mostly there is no gap, and the count says
/// it at once.
fn smallest_free(taken: &BTreeMap<u32, String>, least: u32) -> u32 {
    let dense = u32::try_from(taken.len()).ok();
    let last = taken.last_key_value().map(|(number, _)| *number);
    if let Some(count) = dense
        && last.is_none_or(|last| last < count)
    {
        return count.max(least);
    }
    let mut free = least;
    for (number, _) in taken.range(least..) {
        if *number != free {
            break;
        }
        free = free.saturating_add(1);
    }
    free
}
