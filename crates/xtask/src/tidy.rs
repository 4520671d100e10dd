//! What lints cannot see: the edges between crates, the length of files, essays, forbidden words,
//! links that lead nowhere.
//!
//! Each check is a pure function from text to [`Problem`]s, in a module of its own:
//! [`edges`] holds the architecture as a table, [`text`] looks at one file at a time, [`links`]
//! follows Markdown from file to file, and [`functions`] measures how long functions are.

mod edges;
mod functions;
mod links;
mod text;

use std::fmt;

use anyhow::bail;

use crate::workspace::Workspace;

/// Something that is not as it should be, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    path: String,
    /// The line, from 1 on; 0 where the file as a whole is meant.
    line: usize,
    what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}: {}", self.path, self.what),
        }
    }
}

/// Makes every check; prints each problem on a line of its own.
pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let mut problems = edges::problems(&workspace.metadata(false)?.packages);
    let mut lengths = Vec::new();
    let files = workspace.files()?;
    for path in &files {
        problems.extend(text::size(path, workspace.size(path)?));
        if !text::is_checked(path) {
            continue;
        }
        let content = workspace.read(path)?;
        problems.extend(text::problems(path, &content));
        if path.ends_with(".md") {
            problems.extend(links::problems(path, &content, &files));
        }
        if path.ends_with(".rs") {
            lengths.extend(functions::lengths(&content));
        }
    }
    for problem in &problems {
        println!("{problem}");
    }
    eprintln!("{}", functions::share(&lengths));
    match problems.len() {
        0 => Ok(()),
        1 => bail!("1 problem"),
        count => bail!("{count} problems"),
    }
}
