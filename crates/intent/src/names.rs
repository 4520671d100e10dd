//! Things with names: what a name may be made of, and tables in which a name is defined once.

use std::collections::BTreeMap;

use crate::problem::{Place, Report};
use crate::shape::article;

/// Octets of a slug: it becomes part of names of routers, ports and files.
const SLUG_MAX: usize = 40;

/// Octets of a site's code: it becomes part of its router's name.
const CODE_MAX: usize = 32;

/// Things of one kind, by name, in the order of their file.
#[derive(Debug)]
pub(crate) struct Named<T> {
    /// What they are, for messages: `PoP`.
    pub(crate) what: &'static str,
    /// The things, with where each is.
    pub(crate) items: Vec<(Place, T)>,
    positions: BTreeMap<String, usize>,
    /// Whether all of them could be read; a name that is missing here is no error otherwise.
    pub(crate) complete: bool,
}

impl<T> Named<T> {
    /// None yet.
    pub(crate) fn new(what: &'static str, complete: bool) -> Self {
        Self { what, items: Vec::new(), positions: BTreeMap::new(), complete }
    }

    /// Takes one in, unless its name is taken.
    pub(crate) fn add(&mut self, report: &mut Report<'_>, place: Place, name: &str, item: T) {
        if let Some((first, _)) = self.positions.get(name).and_then(|at| self.items.get(*at)) {
            let line = report.line(*first).unwrap_or(0);
            let message = format!("duplicate {} `{name}`, first in line {line}", self.what);
            report.error(place, message);
            return;
        }
        self.positions.insert(name.to_owned(), self.items.len());
        self.items.push((place, item));
    }

    /// The one with that name.
    pub(crate) fn find(&self, name: &str) -> Option<&T> {
        self.positions.get(name).and_then(|at| self.items.get(*at)).map(|(_, item)| item)
    }

    /// The one with that name; where there is none, that is an error.
    pub(crate) fn resolve(&self, report: &mut Report<'_>, place: Place, name: &str) -> Option<&T> {
        let found = self.find(name);
        if found.is_none() && self.complete {
            report.unknown(place, self.what, name, self.positions.keys().map(String::as_str));
        }
        found
    }

    /// The things alone.
    pub(crate) fn into_items(self) -> Vec<T> {
        self.items.into_iter().map(|(_, item)| item).collect()
    }
}

/// Whether a text is a slug; says so where it is not.
pub(crate) fn check_slug(report: &mut Report<'_>, place: Place, what: &str, name: &str) -> bool {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    let good = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= SLUG_MAX
        && name.bytes().all(letter);
    if !good {
        report.error(place, format!("`{}` cannot name {}", shown(name), article(what))).allow(format!(
            "a lower-case letter, then lower-case letters, digits, `-` and `_`, {SLUG_MAX} at most"
        ));
    }
    good
}

/// Whether a text is a site's code; says so where it is not.
pub(crate) fn check_code(report: &mut Report<'_>, place: Place, code: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphanumeric() || b":-._".contains(&b);
    let good = code.starts_with(|c: char| c.is_ascii_alphanumeric())
        && code.len() <= CODE_MAX
        && code.bytes().all(letter);
    if !good {
        report.error(place, format!("`{}` cannot be a site's code", shown(code))).allow(format!(
            "a letter or digit, then letters, digits, `:`, `-`, `.` and `_`, {CODE_MAX} at most"
        ));
    }
    good
}

/// Whether a character would not be seen, or would change how the rest of a line is seen.
pub(crate) fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text as it can be shown: what is invisible in it as escapes, and not too long.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars().take(SLUG_MAX * 2) {
        if is_invisible(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    if text.chars().count() > SLUG_MAX * 2 {
        shown.push('…');
    }
    shown
}
