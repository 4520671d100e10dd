//! What is implemented and what is not: collected from the essays into `docs/standards.md`.
//!
//! A file's essay ends with a line that starts with `Standards:` and one that starts with
//! `Not implemented:`; each may run on over the following lines. A comment that starts with
//! `Deviation from` and names a standard is collected too, up to the end of that comment.
//!
//! The document has a table per crate, one of deviations, and an index by standard, so that both
//! "what does this file do" and "what of this standard is there" have an answer.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::bail;

use crate::workspace::{SourceFile, Workspace, crate_of};

const DOCUMENT: &str = "docs/standards.md";

/// How a comment begins that owns up to a deviation.
const DEVIATION: &str = "Deviation from ";

/// Who publishes the standards that are indexed, in the order of the index.
const PUBLISHERS: [&str; 3] = ["ISO", "IEEE", "RFC"];

/// What a file's essay says of the standards.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Claims {
    pub(crate) standards: Option<String>,
    pub(crate) not_implemented: Option<String>,
}

/// Writes the document, or compares it with the sources.
pub(crate) fn run(workspace: &Workspace, check: bool) -> anyhow::Result<()> {
    let files = workspace
        .sources(|path| path.ends_with(".rs") && crate_of(path).is_some_and(is_collected))?;
    let new = document(&files);
    if !check {
        return workspace.write(DOCUMENT, &new);
    }
    if workspace.read(DOCUMENT).unwrap_or_default() != new {
        bail!("`{DOCUMENT}` is not what the sources say\nhint: `cargo xtask standards` writes it");
    }
    Ok(())
}

/// Whether the crate's files are collected from: all but this one's, which only talks about them.
pub(crate) fn is_collected(name: &str) -> bool {
    name != "xtask"
}

/// The claims of a file's essay.
pub(crate) fn claims(text: &str) -> Claims {
    let essay = text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim);
    let mut claims = Claims { standards: None, not_implemented: None };
    let mut open: Option<&mut Option<String>> = None;
    for line in essay {
        if let Some(start) = line.strip_prefix("Standards:") {
            claims.standards = Some(start.trim().to_owned());
            open = Some(&mut claims.standards);
        } else if let Some(start) = line.strip_prefix("Not implemented:") {
            claims.not_implemented = Some(start.trim().to_owned());
            open = Some(&mut claims.not_implemented);
        } else if line.is_empty() || line.starts_with(DEVIATION) {
            open = None;
        } else if let Some(Some(claim)) = &mut open {
            claim.push(' ');
            claim.push_str(line);
        }
    }
    claims
}

/// The deviations that a file's comments own up to.
pub(crate) fn deviations(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        let comment =
            line.trim().strip_prefix("//").map(|rest| rest.trim_start_matches(['/', '!']));
        match comment.map(str::trim) {
            Some(start) if start.starts_with(DEVIATION) => {
                found.push(start.to_owned());
                open = true;
            }
            Some(more) if open && !more.is_empty() => {
                if let Some(last) = found.last_mut() {
                    last.push(' ');
                    last.push_str(more);
                }
            }
            Some(_) | None => open = false,
        }
    }
    found
}

/// A standard as the index sorts it: publisher, and number in parts (`802.3`).
type Standard = (usize, Vec<u32>);

/// The standards that a claim names.
fn named(claim: &str) -> BTreeSet<Standard> {
    let mut found = BTreeSet::new();
    for (publisher, name) in PUBLISHERS.iter().enumerate() {
        for (at, _) in claim.match_indices(&format!("{name} ")) {
            let rest = claim.get(at + name.len() + 1..).unwrap_or_default();
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let number = rest.get(..end).unwrap_or_default().split('.');
            let number: Vec<u32> = number.map_while(|part| part.parse().ok()).collect();
            if !number.is_empty() {
                found.insert((publisher, number));
            }
        }
    }
    found
}

fn shown((publisher, number): &Standard) -> String {
    let publisher = PUBLISHERS.get(*publisher).copied().unwrap_or_default();
    let number: Vec<String> = number.iter().map(u32::to_string).collect();
    format!("{publisher} {}", number.join("."))
}

/// A link to a file, shown with its crate or, under the crate's own heading, without.
fn link(path: &str, with_crate: bool) -> String {
    let (name, file) = path
        .strip_prefix("crates/")
        .and_then(|path| path.split_once("/src/"))
        .unwrap_or(("", path));
    if with_crate { format!("[{name}/{file}](../{path})") } else { format!("[{file}](../{path})") }
}

/// Where a standard is implemented, and where something of it is left out: links.
#[derive(Default)]
struct Mentions {
    implemented: Vec<String>,
    left_out: Vec<String>,
}

/// What is collected from all files.
#[derive(Default)]
struct Collection {
    /// By crate, the rows of its table; the crate's own file first.
    tables: BTreeMap<String, Vec<String>>,
    deviations: Vec<String>,
    index: BTreeMap<Standard, Mentions>,
}

impl Collection {
    fn add(&mut self, SourceFile { path, text }: &SourceFile) {
        for deviation in deviations(text) {
            let said = deviation.strip_prefix(DEVIATION).unwrap_or(&deviation);
            let (standard, what) = said.split_once(": ").unwrap_or((said, ""));
            let file = link(path, true);
            self.deviations.push(format!("| {} | {file} | {} |", cell(standard), cell(what)));
        }
        let Claims { standards, not_implemented } = claims(text);
        let (standards, missing) =
            (standards.unwrap_or_default(), not_implemented.unwrap_or_default());
        for standard in named(&standards) {
            self.index.entry(standard).or_default().implemented.push(link(path, true));
        }
        for standard in named(&missing) {
            self.index.entry(standard).or_default().left_out.push(link(path, true));
        }
        let nothing = |claim: &str| claim.is_empty() || claim.starts_with("none");
        if nothing(&standards) && nothing(&missing) {
            return;
        }
        let row = format!("| {} | {} | {} |", link(path, false), cell(&standards), cell(&missing));
        let rows = self.tables.entry(crate_of(path).unwrap_or_default().to_owned()).or_default();
        let at = if path.ends_with("/src/lib.rs") { 0 } else { rows.len() };
        rows.insert(at, row);
    }
}

fn document(files: &[SourceFile]) -> String {
    let mut collection = Collection::default();
    files.iter().for_each(|file| collection.add(file));
    let Collection { tables, deviations, index } = collection;
    let mut document = String::from(
        "# Standards\n\n\
         What each file implements and what it leaves out, in the words of the file itself.\n\
         The first row of a crate is its summary; [deviations](#deviations) and an \
         [index by standard](#index) follow the crates.\n\
         `cargo xtask standards` collects this from the sources; edit them, not this.\n",
    );
    for (name, rows) in tables {
        let _ = write!(document, "\n## {name}\n\n");
        table(&mut document, "| file | standards | not implemented |\n|---|---|---|", rows);
    }
    document.push_str("\n## Deviations\n\n");
    if deviations.is_empty() {
        document.push_str("None.\n");
    } else {
        table(&mut document, "| from | file | what is done, and why |\n|---|---|---|", deviations);
    }
    document.push_str(
        "\n## Index\n\n\
         Where each standard is implemented, wholly or in part, and where something of it is left \
         out: the row of the file says which part.\n\n",
    );
    let rows = index.iter().map(|(standard, Mentions { implemented, left_out })| {
        let (implemented, left_out) = (implemented.join(", "), left_out.join(", "));
        format!("| {} | {implemented} | {left_out} |", shown(standard))
    });
    table(&mut document, "| standard | implemented in | left out in |\n|---|---|---|", rows);
    document
}

fn table(document: &mut String, head: &str, rows: impl IntoIterator<Item = String>) {
    let _ = writeln!(document, "{head}");
    for row in rows {
        let _ = writeln!(document, "{row}");
    }
}

/// A claim as the cell of a table: no bars, no links that only the documentation can follow.
fn cell(claim: &str) -> String {
    let claim = claim.trim_end_matches('.').replace('|', "\\|");
    claim.replace("[`", "`").replace("`]", "`").replace("`crate::", "`")
}

#[cfg(test)]
mod tests {
    use super::{Claims, claims, deviations, document, named, shown};
    use crate::workspace::SourceFile;

    const FILE: &str = "\
//! An essay about [`Thing`].
//!
//! Standards: RFC 1 (all), RFC 2
//! §3, as [`Thing`].
//! Not implemented: RFC 2 §4 | §5.

fn thing() {
    // Deviation from RFC 1 §2: this is done
    // otherwise, because.
    let a = 1;
    // Another comment.
}
";

    #[test]
    fn claims_run_on_over_lines_and_end_with_the_essay() {
        let expected = Claims {
            standards: Some("RFC 1 (all), RFC 2 §3, as [`Thing`].".to_owned()),
            not_implemented: Some("RFC 2 §4 | §5.".to_owned()),
        };
        assert_eq!(claims(FILE), expected);
        let none = Claims { standards: None, not_implemented: None };
        assert_eq!(claims("//! An essay.\n\n//! Standards: too late\n"), none);
    }

    #[test]
    fn deviations_end_with_their_comment() {
        assert_eq!(deviations(FILE), ["Deviation from RFC 1 §2: this is done otherwise, because."]);
        assert_eq!(deviations("// No deviation.\n"), [""; 0]);
    }

    #[test]
    fn a_deviation_beneath_a_claim_is_no_part_of_it() {
        let text = "//! Not implemented: RFC 2.\n//! Deviation from RFC 1 §2: so, because.\n";
        assert_eq!(claims(text).not_implemented.as_deref(), Some("RFC 2."));
        assert_eq!(deviations(text), ["Deviation from RFC 1 §2: so, because."]);
    }

    #[test]
    fn standards_are_found_by_publisher_and_number() {
        let found = named("RFC 20, IEEE 802.3 §3.2.6, RFC 3. ISO 10589 (all), RFC 3 §1, an RFC.");
        let shown: Vec<String> = found.iter().map(shown).collect();
        assert_eq!(shown, ["ISO 10589", "IEEE 802.3", "RFC 3", "RFC 20"]);
    }

    #[test]
    fn the_document_has_a_table_per_crate_one_of_deviations_and_an_index() {
        let file = |path: &str| SourceFile { path: path.to_owned(), text: FILE.to_owned() };
        let text = document(&[
            file("crates/bgp/src/codepoints.rs"),
            file("crates/bgp/src/lib.rs"),
            file("crates/isis/src/tlv.rs"),
        ]);
        let lines: Vec<&str> = text.lines().collect();
        let row = |file: &str, path: &str| {
            format!("| [{file}](../{path}) | RFC 1 (all), RFC 2 §3, as `Thing` | RFC 2 §4 \\| §5 |")
        };
        let heading = lines.iter().position(|line| *line == "## bgp").unwrap();
        assert_eq!(lines[heading + 4], row("lib.rs", "crates/bgp/src/lib.rs"));
        assert_eq!(lines[heading + 5], row("codepoints.rs", "crates/bgp/src/codepoints.rs"));
        assert!(lines.contains(&row("tlv.rs", "crates/isis/src/tlv.rs").as_str()));
        assert!(lines.contains(
            &"| RFC 1 §2 | [isis/tlv.rs](../crates/isis/src/tlv.rs) | this is done otherwise, because |"
        ));
        let index = lines.iter().find(|line| line.starts_with("| RFC 2 |")).unwrap();
        assert_eq!(index.matches("[bgp/lib.rs](../crates/bgp/src/lib.rs)").count(), 2);
        assert!(document(&[]).contains("## Deviations\n\nNone.\n"));
    }

    #[test]
    fn a_file_that_claims_nothing_has_no_row() {
        let text =
            "//! An essay.\n//!\n//! Standards: none of its own.\n//! Not implemented: none.\n";
        let file = SourceFile { path: "crates/bgp/src/a.rs".to_owned(), text: text.to_owned() };
        assert_eq!(document(&[file]), document(&[]));
    }
}
