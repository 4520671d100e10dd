//! How long functions are: the share of long ones is printed, clippy refuses the too long ones.
//!
//! The sources are formatted, so a function ends at the first line that is nothing but its closing
//! brace at its own depth; no parser is needed.

/// From which length on a function counts as long.
const LONG: usize = 60;

/// The lengths in lines of all functions with a body, from signature to closing brace.
pub(super) fn lengths(text: &str) -> Vec<usize> {
    let lines: Vec<&str> = text.lines().collect();
    (0..lines.len()).filter_map(|start| length(lines.get(start..)?)).collect()
}

fn length(lines: &[&str]) -> Option<usize> {
    let first = lines.first()?;
    let depth = first.len() - first.trim_start().len();
    if !is_function(first.trim_start()) {
        return None;
    }
    let mut in_body = false;
    for (offset, line) in lines.iter().enumerate() {
        let here = line.len() - line.trim_start().len();
        if line.trim().is_empty() || here != depth {
            continue;
        }
        if in_body && line.trim_start() == "}" {
            return Some(offset + 1);
        }
        if !in_body && line.ends_with(';') {
            return None;
        }
        if !in_body && line.ends_with('}') {
            return Some(offset + 1);
        }
        in_body |= line.ends_with('{');
    }
    None
}

fn is_function(line: &str) -> bool {
    let mut words = line.split_whitespace().skip_while(|word| {
        word.starts_with("pub")
            || matches!(*word, "const" | "async" | "unsafe" | "extern" | "\"C\"")
            || word.ends_with(')') && line.starts_with("pub(")
    });
    words.next() == Some("fn")
}

/// How many of the functions are long, for people.
pub(super) fn share(lengths: &[usize]) -> String {
    let long = lengths.iter().filter(|length| **length > LONG).count();
    let longest = lengths.iter().max().copied().unwrap_or(0);
    let per_mille = (long * 1_000).checked_div(lengths.len()).unwrap_or(0);
    format!(
        "{} functions, {long} over {LONG} lines ({}.{} %), the longest has {longest}",
        lengths.len(),
        per_mille / 10,
        per_mille % 10,
    )
}

#[cfg(test)]
mod tests {
    use super::{lengths, share};

    #[test]
    fn lengths_run_from_signature_to_closing_brace() {
        let text = "\
fn one() {}

pub(crate) const fn three() {
    nothing();
}

impl Thing {
    fn declared_only(
        self,
    );

    pub fn with_where<T>(
        self,
    ) -> T
    where
        T: Sized,
    {
        if true {
        }
    }
}

/// fn in a comment() {
let fnord = 1;
";
        assert_eq!(lengths(text), [1, 3, 9]);
    }

    #[test]
    fn the_share_counts_the_long_ones() {
        let text = share(&[1, 60, 61, 70]);
        assert_eq!(text, "4 functions, 2 over 60 lines (50.0 %), the longest has 70");
        assert_eq!(share(&[]), "0 functions, 0 over 60 lines (0.0 %), the longest has 0");
    }
}
