//! Where dependencies come from and under which licence: what cargo-deny checks, without cargo-deny.
//!
//! The licences that are allowed are those of `deny.toml`, so that both say the same.

use std::collections::BTreeSet;

use anyhow::{Context as _, bail};

use crate::workspace::{Package, Workspace};

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Checks every dependency that the lock file names.
pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let deny = workspace.read("deny.toml")?;
    let allowed = allowed(&deny).context("no list of allowed licences in `deny.toml`")?;
    let packages = workspace.metadata(true)?.packages;
    let problems: Vec<String> =
        packages.iter().filter_map(|package| problem(package, &allowed)).collect();
    for problem in &problems {
        println!("{problem}");
    }
    if !problems.is_empty() {
        bail!("{} dependencies are not allowed", problems.len());
    }
    Ok(())
}

/// The strings of the list `allow` in the section `[licenses]`.
fn allowed(deny: &str) -> Option<BTreeSet<&str>> {
    let (_, section) = deny.split_once("[licenses]")?;
    let (_, list) = section.split_once("allow = [")?;
    let (list, _) = list.split_once(']')?;
    Some(list.split('"').skip(1).step_by(2).collect())
}

fn problem(package: &Package, allowed: &BTreeSet<&str>) -> Option<String> {
    let Package { name, version, license, source, .. } = package;
    if source.as_deref().is_some_and(|source| source != CRATES_IO) {
        return Some(format!("`{name}` {version} does not come from crates.io"));
    }
    match license.as_deref() {
        None => Some(format!("`{name}` {version} states no licence")),
        Some(license) if is_allowed(license, allowed) => None,
        Some(license) => Some(format!("`{name}` {version} has the licence `{license}`")),
    }
}

/// Whether a licence expression (SPDX, or the older `A/B`) can be met with the allowed licences.
fn is_allowed(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    matches!(any_of(&words, allowed), Some((true, [])))
}

/// One part's value and the words after it; `None` where the expression is malformed.
type Parsed<'w, 'a> = Option<(bool, &'w [&'a str])>;

fn any_of<'w, 'a>(words: &'w [&'a str], allowed: &BTreeSet<&str>) -> Parsed<'w, 'a> {
    let (mut value, mut rest) = all_of(words, allowed)?;
    while let ["OR", after @ ..] = rest {
        let (right, after) = all_of(after, allowed)?;
        value |= right;
        rest = after;
    }
    Some((value, rest))
}

fn all_of<'w, 'a>(words: &'w [&'a str], allowed: &BTreeSet<&str>) -> Parsed<'w, 'a> {
    let (mut value, mut rest) = one(words, allowed)?;
    while let ["AND", after @ ..] = rest {
        let (right, after) = one(after, allowed)?;
        value &= right;
        rest = after;
    }
    Some((value, rest))
}

fn one<'w, 'a>(words: &'w [&'a str], allowed: &BTreeSet<&str>) -> Parsed<'w, 'a> {
    match words {
        ["(", inner @ ..] => match any_of(inner, allowed)? {
            (value, [")", rest @ ..]) => Some((value, rest)),
            (_, _) => None,
        },
        [licence, "WITH", exception, rest @ ..] => {
            let both = format!("{licence} WITH {exception}");
            Some((allowed.contains(both.as_str()), rest))
        }
        ["OR" | "AND" | "WITH" | ")", ..] | [] => None,
        [licence, rest @ ..] => Some((allowed.contains(licence), rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::{CRATES_IO, allowed, is_allowed, problem};
    use crate::workspace::Package;

    const DENY: &str = r#"
        [bans]
        allow = ["not this"]
        [licenses]
        allow = [
            "MIT",
            "Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception",
        ]
    "#;

    #[test]
    fn the_list_is_read_from_its_section() {
        let list = allowed(DENY).unwrap();
        assert_eq!(list.len(), 3);
        assert!(list.contains("MIT") && !list.contains("not this"));
        assert_eq!(allowed("[licenses]"), None);
    }

    #[test]
    fn expressions_are_met_or_not() {
        let list = allowed(DENY).unwrap();
        let cases = [
            ("MIT", true),
            ("MPL-2.0", false),
            ("MIT OR MPL-2.0", true),
            ("MPL-2.0/MIT", true),
            ("MIT AND MPL-2.0", false),
            ("(MIT OR MPL-2.0) AND Unicode-3.0", true),
            ("MIT OR MPL-2.0 AND GPL-3.0", true),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("Apache-2.0", false),
            ("(MIT", false),
            ("MIT MIT", false),
            ("", false),
        ];
        for (expression, expected) in cases {
            assert_eq!(is_allowed(expression, &list), expected, "{expression}");
        }
    }

    #[test]
    fn a_foreign_source_or_no_licence_is_a_problem() {
        let list = allowed(DENY).unwrap();
        let package = |license: Option<&str>, source: Option<&str>| Package {
            name: "some".to_owned(),
            version: "1.0.0".to_owned(),
            license: license.map(str::to_owned),
            source: source.map(str::to_owned),
            dependencies: Vec::new(),
        };
        assert_eq!(problem(&package(Some("MIT"), Some(CRATES_IO)), &list), None);
        assert_eq!(problem(&package(Some("MIT"), None), &list), None);
        assert!(problem(&package(None, Some(CRATES_IO)), &list).is_some());
        assert!(problem(&package(Some("GPL-3.0"), Some(CRATES_IO)), &list).is_some());
        assert!(problem(&package(Some("MIT"), Some("git+https://example.org/a")), &list).is_some());
    }
}
