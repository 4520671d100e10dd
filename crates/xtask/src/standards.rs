//! What is implemented and what is not: collected from the essays into `docs/standards.md`.
//!
//! A file's essay ends with a line that starts with `Standards:` and one that starts with
//! `Not implemented:`; each may run on over the following lines. A comment that starts with
//! `Deviation from` and names a standard is collected too, up to the end of that comment.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::bail;

use crate::workspace::{SourceFile, Workspace, crate_of};

const DOCUMENT: &str = "docs/standards.md";

/// What a file's essay says of the standards.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Claims {
    pub(crate) standards: Option<String>,
    pub(crate) not_implemented: Option<String>,
}

/// Writes the document, or compares it with the sources.
pub(crate) fn run(workspace: &Workspace, check: bool) -> anyhow::Result<()> {
    let files = workspace.sources(|path| {
        path.ends_with(".rs") && crate_of(path).is_some_and(|name| name != "xtask")
    })?;
    let new = document(&files);
    if !check {
        return workspace.write(DOCUMENT, &new);
    }
    if workspace.read(DOCUMENT).unwrap_or_default() != new {
        bail!("`{DOCUMENT}` is not what the sources say\nhint: `cargo xtask standards` writes it");
    }
    Ok(())
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
        } else if line.is_empty() {
            open = None;
        } else if let Some(Some(claim)) = &mut open {
            claim.push(' ');
            claim.push_str(line);
        }
    }
    claims
}

/// The deviations that a file's comments own up to.
fn deviations(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        let comment =
            line.trim().strip_prefix("//").map(|rest| rest.trim_start_matches(['/', '!']));
        match comment.map(str::trim) {
            Some(start) if start.starts_with("Deviation from ") => {
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

fn document(files: &[SourceFile]) -> String {
    let mut tables: BTreeMap<&str, String> = BTreeMap::new();
    let mut departures = String::new();
    for SourceFile { path, text } in files {
        let Some(name) = crate_of(path) else { continue };
        let short = path.strip_prefix("crates/").unwrap_or(path);
        let claims = claims(text);
        if claims.standards.is_some() || claims.not_implemented.is_some() {
            let table = tables.entry(name).or_default();
            let standards = cell(claims.standards.as_deref());
            let missing = cell(claims.not_implemented.as_deref());
            let _ = writeln!(table, "| `{short}` | {standards} | {missing} |");
        }
        for deviation in deviations(text) {
            let _ = writeln!(departures, "| `{short}` | {} |", cell(Some(&deviation)));
        }
    }
    let mut document = String::from(
        "# Standards\n\n\
         What each file implements and what it leaves out, in the words of the file itself.\n\
         `cargo xtask standards` collects this from the sources; edit them, not this.\n",
    );
    for (name, table) in tables {
        let _ = write!(document, "\n## {name}\n\n");
        document.push_str("| file | standards | not implemented |\n|---|---|---|\n");
        document.push_str(&table);
    }
    document.push_str("\n## Deviations\n\n");
    if departures.is_empty() {
        document.push_str("None.\n");
    } else {
        document.push_str("| file | deviation |\n|---|---|\n");
        document.push_str(&departures);
    }
    document
}

/// A claim as the cell of a table: no bars, no links that only the documentation can follow.
fn cell(claim: Option<&str>) -> String {
    let claim = claim.unwrap_or_default().trim_end_matches('.');
    claim.replace('|', "\\|").replace("[`", "`").replace("`]", "`")
}

#[cfg(test)]
mod tests {
    use super::{Claims, claims, deviations, document};
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
    fn the_document_has_a_table_per_crate_and_one_of_deviations() {
        let file = |path: &str| SourceFile { path: path.to_owned(), text: FILE.to_owned() };
        let text = document(&[file("crates/bgp/src/open.rs"), file("crates/isis/src/lib.rs")]);
        assert!(text.contains("\n## bgp\n"));
        assert!(text.contains(
            "| `isis/src/lib.rs` | RFC 1 (all), RFC 2 §3, as `Thing` | RFC 2 §4 \\| §5 |\n"
        ));
        assert!(text.contains("| `bgp/src/open.rs` | Deviation from RFC 1 §2: this is done"));
        assert!(document(&[]).ends_with("## Deviations\n\nNone.\n"));
    }
}
