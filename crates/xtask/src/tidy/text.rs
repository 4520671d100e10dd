//! Checks of one file at a time: size, length, essay, forbidden words.
//!
//! Words that are forbidden everywhere are put together from two halves here, so that this file
//! does not trip over itself.

use super::Problem;
use crate::standards;
use crate::workspace::crate_of;

/// The most lines a source file may have.
const LINES_MAX: usize = 1_000;

/// The most octets a file may have: a checkout stays small, data that is larger is made by a
/// command.
const SIZE_MAX: u64 = 600_000;

/// Crates that implement standards: their files say which.
const PROTOCOLS: [&str; 5] = ["packet", "isis", "bgp", "bfd", "forwarding"];

/// Crates without a clock, threads, I/O or variants, besides the protocols.
const PURE: [&str; 7] = ["base", "model", "router", "intent", "plan", "proof", "twin"];

/// What the code of a pure crate does not say, and why.
const IMPURE_WORDS: [(&str, &str); 7] = [
    ("std::time::Instant", "time comes in"),
    ("SystemTime", "time comes in"),
    ("std::thread", "there are no threads"),
    ("async fn", "there is nothing to wait for"),
    ("tokio", "there is nothing to wait for"),
    ("#[cfg(feature", "there is one variant"),
    ("cfg(not(test))", "what is tested is what runs"),
];

/// What the code of a pure crate does not say outside its tests, and why.
const IO_WORDS: [(&str, &str); 4] = [
    ("std::fs", "there is no I/O"),
    ("std::io", "there is no I/O"),
    ("std::env", "what counts is in the configuration"),
    ("std::process", "there is no other process"),
];

/// The one module of the pure crates that reads and writes files, for the others to be pure.
const READS_FILES: &str = "crates/intent/src/files.rs";

/// What the code of no crate says, and why.
const BAD_WORDS: [(&str, &str); 3] = [
    (concat!("#[", "ignore"), "a test that does not run is no test"),
    (concat!("#[", "should_panic"), "assert on a value instead"),
    (concat!("thread::", "sleep"), "wait for the event instead"),
];

/// What no text says: unfinished work belongs in the issue tracker.
const UNFINISHED: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// Whether a file is text that the checks below apply to.
pub(super) fn is_checked(path: &str) -> bool {
    [".rs", ".toml", ".md", ".sh", ".yml", ".yaml"].iter().any(|ending| path.ends_with(ending))
}

/// Every check that applies to the file.
pub(super) fn problems(path: &str, text: &str) -> Vec<Problem> {
    let mut found = unfinished(path, text);
    if path.ends_with(".rs") {
        found.extend(length(path, text));
        found.extend(words(path, text, &BAD_WORDS));
        found.extend(essay(path, text));
        if crate_of(path).is_some_and(standards::is_collected) {
            found.extend(deviations(path, text));
        }
        if crate_of(path).is_some_and(is_pure) {
            found.extend(words(path, text, &IMPURE_WORDS));
            if path.contains("/src/") && path != READS_FILES {
                found.extend(words(path, text, &IO_WORDS));
            }
        }
    }
    found
}

fn is_pure(name: &str) -> bool {
    PROTOCOLS.contains(&name) || PURE.contains(&name)
}

fn whole(path: &str, what: String) -> Problem {
    Problem { path: path.to_owned(), line: 0, what }
}

/// A file that is too large for the checkout.
pub(super) fn size(path: &str, octets: u64) -> Option<Problem> {
    (octets > SIZE_MAX).then(|| whole(path, format!("{octets} octets, {SIZE_MAX} are allowed")))
}

fn length(path: &str, text: &str) -> Option<Problem> {
    let lines = text.lines().count();
    (lines > LINES_MAX).then(|| whole(path, format!("{lines} lines, {LINES_MAX} are allowed")))
}

/// Every source file opens with an essay; where a protocol's file cites a standard, the essay says
/// which are implemented and which are not.
fn essay(path: &str, text: &str) -> Vec<Problem> {
    let Some(name) = crate_of(path) else {
        return Vec::new();
    };
    if !text.starts_with("//! ") {
        return vec![whole(path, "does not open with a `//!` essay".to_owned())];
    }
    let is_test = path.ends_with("/tests.rs") || path.contains("/tests/");
    if !PROTOCOLS.contains(&name) || is_test || !cites_a_standard(text) {
        return Vec::new();
    }
    let claims = standards::claims(text);
    let lines = [("Standards:", claims.standards), ("Not implemented:", claims.not_implemented)];
    lines
        .into_iter()
        .filter(|(_, claim)| claim.as_ref().is_none_or(String::is_empty))
        .map(|(line, _)| whole(path, format!("cites a standard, has no `{line}` line")))
        .collect()
}

/// What is done otherwise than a standard asks is collected, so it is written in one way and has
/// a reason.
fn deviations(path: &str, text: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        let Some((code, comment)) = content.split_once("//") else { continue };
        let comment = comment.trim_start_matches(['/', '!', ' ']);
        let meant = ["Deviation from", "Deviations from"].iter().any(|it| comment.contains(it));
        if meant && !(code.trim().is_empty() && comment.starts_with("Deviation from ")) {
            let what =
                "a deviation is not collected: start a line with `Deviation from `".to_owned();
            found.push(Problem { path: path.to_owned(), line, what });
        }
    }
    let complete = |text: &String| text.contains(": ") && text.contains("because");
    let incomplete = standards::deviations(text).into_iter().filter(|text| !complete(text));
    found.extend(incomplete.map(|text| whole(path, format!("`{text}` does not say `because`"))));
    found
}

fn cites_a_standard(text: &str) -> bool {
    ["RFC ", "ISO "].iter().any(|series| {
        text.match_indices(series).any(|(at, _)| {
            let number = text.get(at + series.len()..).unwrap_or_default();
            number.starts_with(|c: char| c.is_ascii_digit())
        })
    })
}

/// Words that code must not say; comments may.
fn words(path: &str, text: &str, forbidden: &[(&str, &str)]) -> Vec<Problem> {
    let mut found = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        let code = content.split("//").next().unwrap_or_default();
        for (word, why) in forbidden {
            if code.contains(word) {
                let what = format!("`{word}`: {why}");
                found.push(Problem { path: path.to_owned(), line, what });
            }
        }
    }
    found
}

/// Marks of unfinished work, as words of their own.
fn unfinished(path: &str, text: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        let mut parts = content.split(|c: char| !c.is_alphanumeric() && c != '_');
        if let Some(mark) = parts.find(|word| UNFINISHED.contains(word)) {
            let what = format!("`{mark}`: finish it, or open an issue");
            found.push(Problem { path: path.to_owned(), line, what });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{
        BAD_WORDS, IMPURE_WORDS, IO_WORDS, LINES_MAX, READS_FILES, SIZE_MAX, UNFINISHED,
        is_checked, problems, size,
    };

    const PURE_FILE: &str = "crates/router/src/lib.rs";
    const PROTOCOL_FILE: &str = "crates/bgp/src/open.rs";

    fn found(path: &str, text: &str) -> Vec<String> {
        problems(path, text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_tidy_file_has_no_problems() {
        let text = "//! An essay, RFC 1.\n//!\n//! Standards: RFC 1.\n//! Not implemented: none.\n";
        assert_eq!(found(PROTOCOL_FILE, text), [""; 0]);
    }

    #[test]
    fn a_large_file_is_found() {
        assert!(size("data.bin", SIZE_MAX + 1).is_some());
        assert!(size("data.bin", SIZE_MAX).is_none());
    }

    #[test]
    fn a_long_file_is_found() {
        let text = format!("//! Essay.\n{}", "\n".repeat(LINES_MAX - 1));
        assert_eq!(found(PURE_FILE, &text), [""; 0]);
        assert_eq!(found(PURE_FILE, &format!("{text}\n")).len(), 1);
    }

    #[test]
    fn a_file_without_essay_is_found() {
        assert_eq!(
            found(PURE_FILE, "use base::Rng;\n"),
            ["crates/router/src/lib.rs: does not open with a `//!` essay"]
        );
    }

    #[test]
    fn a_protocol_file_that_cites_a_standard_without_claims_is_found() {
        let text = "//! An essay.\n\n// RFC 4271 §4.2: the rule.\n";
        assert_eq!(found(PROTOCOL_FILE, text).len(), 2);
        assert_eq!(found(PURE_FILE, text), [""; 0]);
        assert_eq!(found("crates/bgp/src/tests.rs", text), [""; 0]);
        let half = "//! An essay.\n//! Standards: ISO 10589.\n";
        assert_eq!(found(PROTOCOL_FILE, half).len(), 1);
    }

    #[test]
    fn a_deviation_that_is_not_collected_or_has_no_reason_is_found() {
        let fine = "//! Essay.\n\n// Deviation from RFC 1 §2: so,\n// because.\n";
        assert_eq!(found(PURE_FILE, fine), [""; 0]);
        let broken = [
            "//! Essay.\n// Deviations from RFC 1: this and that, because.\n",
            "//! Essay.\n// A reader knows. Deviation from RFC 1: so, because.\n",
            "//! Essay.\n// Deviation from RFC 1: so.\n",
            "//! Essay.\n// Deviation from RFC 1 because.\n",
        ];
        for text in broken {
            assert_eq!(found(PURE_FILE, text).len(), 1, "{text}");
        }
    }

    #[test]
    fn every_forbidden_word_is_found_in_code_and_not_in_comments() {
        for (word, _) in IMPURE_WORDS.iter().chain(&IO_WORDS).chain(&BAD_WORDS) {
            let code = format!("//! Essay.\n{word}\n");
            let problems = found(PURE_FILE, &code);
            assert_eq!(problems.len(), 1, "{word}");
            assert!(problems[0].starts_with("crates/router/src/lib.rs:2: "), "{word}");
            let comment = format!("//! Essay.\n// {word}\n");
            assert_eq!(found(PURE_FILE, &comment), [""; 0]);
        }
        let clock = format!("//! Essay.\n{}\n", IMPURE_WORDS[0].0);
        assert_eq!(found("crates/host/src/lib.rs", &clock), [""; 0]);
        let file = format!("//! Essay.\n{}\n", IO_WORDS[0].0);
        for path in [READS_FILES, "crates/router/tests/main/a.rs"] {
            assert_eq!(found(path, &file), [""; 0]);
        }
    }

    #[test]
    fn marks_of_unfinished_work_are_found_as_whole_words() {
        for mark in UNFINISHED {
            assert_eq!(found("README.md", &format!("A line.\n{mark}: more\n")).len(), 1);
            assert_eq!(found("README.md", &format!("{mark}X\n")), [""; 0]);
        }
    }

    #[test]
    fn data_is_not_checked_as_text() {
        assert!(is_checked("docs/standards.md") && is_checked("a/b.rs"));
        assert!(!is_checked("data/sites.csv") && !is_checked("Cargo.lock"));
    }
}
