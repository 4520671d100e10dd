//! What is wrong with an intent, or worth saying about it: every finding has a file and, where there
//! is one, a line; says what was found and what is allowed; and may have a hint.

use core::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

use crate::names::is_invisible;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// There is no intent.
    Error,
    /// There is one, and it breaks a rule that it asked not to be held to.
    Warning,
    /// Worth knowing.
    Note,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// The file, with its folder as it was given.
    pub file: String,
    /// The line, from 1; none where it is about the file as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// How bad it is.
    pub severity: Severity,
    /// What was found.
    pub message: String,
    /// What is allowed instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<String>,
    /// What might help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Findings. As an error it holds at least one of [`Severity::Error`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Problems(pub Vec<Problem>);

/// Findings of one file beyond this many are not kept: a file of garbage must not fill the memory,
/// and nobody reads more.
const PROBLEMS_MAX: usize = 1000;

/// Names shown in a list of what is allowed; more would hide the message.
const ALLOWED_MAX: usize = 12;

impl Problem {
    /// An error in a file, at a line where there is one.
    #[must_use]
    pub fn error(file: &str, line: Option<u32>, message: String) -> Self {
        let file = file.to_owned();
        Self { file, line, severity: Severity::Error, message, allowed: None, hint: None }
    }
}

impl Problems {
    /// Whether one of them is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// By file, line and severity.
    pub(crate) fn sort(&mut self) {
        self.0.sort();
        self.0.dedup();
    }
}

/// Where in a file something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// The file as a whole.
    File,
    /// A line, from 1.
    Line(u32),
    /// Octets from the file's start.
    Offset(usize),
}

/// Collects what is wrong with one file.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    file: &'a str,
    /// Offsets of line ends.
    line_ends: Vec<usize>,
    problems: Vec<Problem>,
    /// The last finding beyond the limit, and the worst severity of all of them.
    beyond: Option<(Problem, Severity)>,
}

impl<'a> Report<'a> {
    /// Of a file with that name and text.
    pub(crate) fn new(file: &'a str, text: &str) -> Self {
        let line_ends = text.match_indices('\n').map(|(offset, _)| offset).collect();
        Self { file, line_ends, problems: Vec::new(), beyond: None }
    }

    /// The line of a place.
    pub(crate) fn line(&self, place: Place) -> Option<u32> {
        match place {
            Place::File => None,
            Place::Line(line) => Some(line),
            Place::Offset(offset) => {
                let before = self.line_ends.partition_point(|end| *end < offset);
                u32::try_from(before + 1).ok()
            }
        }
    }

    /// Takes in a finding; returns it, so that the caller can say more.
    pub(crate) fn add(
        &mut self,
        severity: Severity,
        place: Place,
        message: String,
    ) -> &mut Problem {
        let line = self.line(place);
        let problem = Problem { severity, ..Problem::error(self.file, line, message) };
        if self.problems.len() >= PROBLEMS_MAX {
            let worst = self.beyond.as_ref().map_or(severity, |(_, worst)| severity.min(*worst));
            return &mut self.beyond.insert((problem, worst)).0;
        }
        self.problems.push(problem);
        #[expect(clippy::expect_used, reason = "the line above has pushed it")]
        self.problems.last_mut().expect("one was pushed")
    }

    /// Takes in an error.
    pub(crate) fn error(&mut self, place: Place, message: impl Into<String>) -> &mut Problem {
        self.add(Severity::Error, place, message.into())
    }

    /// Takes in a name that is not among those that exist.
    pub(crate) fn unknown<'n>(
        &mut self,
        place: Place,
        what: &str,
        found: &str,
        names: impl Iterator<Item = &'n str> + Clone,
    ) {
        let allowed = list(names.clone());
        let hint = nearest(found, names).map(|name| format!("did you mean `{name}`?"));
        let problem = self.error(place, format!("unknown {what} `{found}`"));
        problem.allowed = Some(allowed);
        problem.hint = hint;
    }

    /// How many findings there are.
    pub(crate) fn count(&self) -> usize {
        self.problems.len()
    }

    /// The findings.
    pub(crate) fn finish(mut self) -> Vec<Problem> {
        if let Some((_, severity)) = self.beyond {
            let message =
                format!("more than {PROBLEMS_MAX} problems, of which these are the first");
            self.problems.push(Problem { severity, ..Problem::error(self.file, None, message) });
        }
        self.problems
    }
}

impl Problem {
    /// States what is allowed instead.
    pub(crate) fn allow(&mut self, allowed: impl Into<String>) -> &mut Self {
        self.allowed = Some(allowed.into());
        self
    }

    /// States what might help.
    pub(crate) fn help(&mut self, hint: impl Into<String>) -> &mut Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Names as a list, the first few where there are many.
pub(crate) fn list<'n>(names: impl Iterator<Item = &'n str> + Clone) -> String {
    let count = names.clone().count();
    let mut text = names.take(ALLOWED_MAX).collect::<Vec<_>>().join(", ");
    if count == 0 {
        text.push_str("none is defined");
    }
    if count > ALLOWED_MAX {
        text.push_str(&format!(", … ({count} in all)"));
    }
    text
}

/// The name that `found` was probably meant to be: at most half of its letters differ, and four.
pub(crate) fn nearest<'n>(found: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let limit = (found.chars().count() / 2).clamp(1, 4);
    names
        .map(|name| (edits(found, name), name))
        .filter(|(edits, _)| *edits <= limit)
        .min()
        .map(|(_, name)| name)
}

/// How many letters must be put in, taken out or changed to make `b` of `a` (Levenshtein).
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().flat_map(char::to_lowercase).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (line, letter) in a.chars().flat_map(char::to_lowercase).enumerate() {
        let mut next = vec![line + 1];
        let mut left = line + 1;
        for (other, (above_left, above)) in b.iter().zip(row.iter().zip(row.iter().skip(1))) {
            let change = above_left + usize::from(letter != *other);
            left = change.min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

/// A text of which everything can be seen: it may have come from a file as it is, and must not play
/// tricks on a terminal.
struct Visible<'a>(&'a str);

impl fmt::Display for Visible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if is_invisible(c) { write!(f, "{}", c.escape_unicode())? } else { f.write_char(c)? }
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", Visible(&self.file))?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        match self.severity {
            Severity::Error => {}
            Severity::Warning => f.write_str(" warning:")?,
            Severity::Note => f.write_str(" note:")?,
        }
        write!(f, " {}", Visible(&self.message))?;
        if let Some(allowed) = &self.allowed {
            write!(f, "\n  allowed: {}", Visible(allowed))?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {}", Visible(hint))?;
        }
        Ok(())
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl core::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::{PROBLEMS_MAX, Place, Problem, Report, Severity, edits, list, nearest};

    #[test]
    fn offsets_are_found_in_their_lines() {
        let report = Report::new("f", "ab\ncd\n");
        let lines = (0..=6).map(|offset| report.line(Place::Offset(offset)).unwrap());
        assert_eq!(lines.collect::<Vec<_>>(), [1, 1, 1, 2, 2, 2, 3]);
    }

    #[test]
    fn nearest_name_is_offered_only_when_it_is_near() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "abc"), 3);
        let names = ["gp_practice", "gp_branch", "hospital"];
        assert_eq!(nearest("gp_practise", names.into_iter()), Some("gp_practice"));
        assert_eq!(nearest("Hospitl", names.into_iter()), Some("hospital"));
        assert_eq!(nearest("prison", names.into_iter()), None);
    }

    #[test]
    fn problems_beyond_the_limit_are_not_kept_and_not_forgotten() {
        let mut report = Report::new("f", "");
        for number in 0..=PROBLEMS_MAX {
            report.add(Severity::Note, Place::Line(1), format!("note {number}"));
        }
        report.error(Place::Line(2), "the only error");
        report.add(Severity::Note, Place::Line(3), "another note".to_owned());
        let problems = report.finish();
        assert_eq!(problems.len(), PROBLEMS_MAX + 1);
        assert_eq!(problems[PROBLEMS_MAX].severity, Severity::Error);
    }

    #[test]
    fn what_cannot_be_seen_is_printed_as_escapes() {
        let problem = Problem::error("f", Some(1), "a\u{1b}[31mb\nc".to_owned());
        assert_eq!(problem.to_string(), "f:1: a\\u{1b}[31mb\\u{a}c");
    }

    #[test]
    fn long_lists_are_cut() {
        let names = ["a"; 14];
        assert!(list(names.into_iter()).ends_with(", … (14 in all)"));
        assert_eq!(list([].into_iter()), "none is defined");
    }
}
