//! Links of one Markdown file to another: each leads to a file or folder of the checkout.

use super::Problem;

/// Links that lead nowhere; `files` are all paths of the checkout, relative to its root.
pub(super) fn problems(path: &str, text: &str, files: &[String]) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut in_code = false;
    for (line, content) in (1..).zip(text.lines()) {
        in_code ^= content.trim_start().starts_with("```");
        if in_code {
            continue;
        }
        for target in targets(content) {
            if !resolved(path, target).is_some_and(|target| exists(&target, files)) {
                let what = format!("`{target}` leads nowhere");
                found.push(Problem { path: path.to_owned(), line, what });
            }
        }
    }
    found
}

/// The targets of a line's links within the checkout, without the place in the file.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let links = line.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    let local = links.map(|(target, _)| target).filter(|target| !target.contains(':'));
    local.filter_map(|target| target.split('#').next()).filter(|target| !target.is_empty())
}

/// The target of a link in `path`, relative to the root; `None` where it leads out of the checkout.
fn resolved(path: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

fn exists(target: &str, files: &[String]) -> bool {
    let inside = |file: &String| {
        file.strip_prefix(target).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    target.is_empty() || files.iter().any(inside)
}

#[cfg(test)]
mod tests {
    use super::problems;

    fn found(path: &str, text: &str) -> Vec<String> {
        let files = ["README.md", "docs/a.md", "crates/bgp/src/lib.rs"].map(str::to_owned);
        problems(path, text, &files).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn links_to_files_folders_and_places_pass() {
        let text = "[a](a.md), [b](../README.md#map) and [c](../crates/bgp/).\n\
            [d](https://example.org/x), [e](#here), [f](mailto:a@example.org), a](b\n\
            ```sh\n[x](nowhere)\n```\n";
        assert_eq!(found("docs/a.md", text), [""; 0]);
    }

    #[test]
    fn links_that_lead_nowhere_are_found_with_their_line() {
        let text = "Fine.\n[a](a.md) [b](b.md)\n[c](../../README.md)\n[d](../crates/bg)\n";
        assert_eq!(
            found("docs/a.md", text),
            [
                "docs/a.md:2: `b.md` leads nowhere",
                "docs/a.md:3: `../../README.md` leads nowhere",
                "docs/a.md:4: `../crates/bg` leads nowhere",
            ]
        );
    }
}
