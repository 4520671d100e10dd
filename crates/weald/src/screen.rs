//! How text looks: aligned tables of at most a hundred columns, numbers and times for people.

use base::{Duration, Instant};

/// The most columns of a line.
pub(crate) const WIDTH: usize = 100;

/// Between two columns of a table.
const GAP: &str = "  ";

/// Which way a column is aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows under headings.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(columns: &[(&'static str, Align)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// A table of words.
    pub(crate) fn of_words(columns: &[&'static str]) -> Self {
        Self {
            columns: columns.iter().map(|name| (*name, Align::Left)).collect(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.to_vec());
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as text, without trailing blanks; where it is too wide, the widest columns give.
    pub(crate) fn text(&self) -> String {
        let widths = self.widths();
        let headings = self.columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        let mut text = String::new();
        for row in core::iter::once(&headings).chain(&self.rows) {
            let mut line = String::new();
            for ((cell, width), (_, align)) in row.iter().zip(&widths).zip(&self.columns) {
                let cell = shortened(cell, *width);
                let cell = match align {
                    Align::Left => format!("{cell:<width$}"),
                    Align::Right => format!("{cell:>width$}"),
                };
                line.push_str(&cell);
                line.push_str(GAP);
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    fn widths(&self) -> Vec<usize> {
        let cell_width = |row: &Vec<String>, column: usize| {
            row.get(column).map_or(0, |cell| cell.chars().count())
        };
        let mut widths: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(column, (name, _))| {
                let widest = self.rows.iter().map(|row| cell_width(row, column)).max();
                widest.unwrap_or(0).max(name.chars().count())
            })
            .collect();
        let gaps = GAP.len() * widths.len().saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > WIDTH {
            let Some(widest) = widths.iter_mut().max().filter(|width| **width > 1) else { break };
            *widest -= 1;
        }
        widths
    }
}

/// A text of at most `width` characters.
fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// A number with its thousands apart: `1,234,567`.
pub(crate) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// So many of a thing: `1 site`, `12 sites`.
pub(crate) fn count(value: usize, singular: &str, plural: &str) -> String {
    let word = if value == 1 { singular } else { plural };
    format!("{} {word}", number(value as u64))
}

/// A moment in seconds of virtual time: `12.345 s`.
pub(crate) fn moment(at: Instant) -> String {
    seconds(at.since(Instant::ZERO))
}

/// A duration in seconds: `12.345 s`.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.3} s", duration.as_secs_f64())
}

/// Microseconds as milliseconds: `21.340 ms`.
pub(crate) fn milliseconds(micros: u64) -> String {
    format!("{}.{:03} ms", micros / 1_000, micros % 1_000)
}

/// The text with lines that are too long broken between words; what goes on is indented. A word
/// that is longer than a line stays whole.
pub(crate) fn wrapped(text: &str) -> String {
    const INDENT: &str = "    ";
    let mut wrapped = String::new();
    for line in text.lines() {
        if line.chars().count() <= WIDTH {
            wrapped.push_str(line);
            wrapped.push('\n');
            continue;
        }
        let indent: String = line.chars().take_while(|letter| *letter == ' ').collect();
        let mut column = indent.len();
        wrapped.push_str(&indent);
        let mut gap = "";
        for word in line.split_whitespace() {
            let length = word.chars().count();
            if !gap.is_empty() && column + gap.len() + length > WIDTH {
                wrapped.push('\n');
                wrapped.push_str(INDENT);
                column = INDENT.len();
                gap = "";
            }
            wrapped.push_str(gap);
            wrapped.push_str(word);
            column += gap.len() + length;
            gap = " ";
        }
        wrapped.push('\n');
    }
    wrapped
}

/// Names as a list, the first few where there are many.
pub(crate) fn list<T: AsRef<str>>(names: &[T]) -> String {
    const SHOWN: usize = 12;
    let mut text = names.iter().take(SHOWN).map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(", … ({} in all)", names.len()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Align, Table, WIDTH, count, list, milliseconds, number, wrapped};

    #[test]
    fn columns_are_aligned_and_lines_have_no_trailing_blanks() {
        let mut table = Table::new(&[("name", Align::Left), ("n", Align::Right)]);
        table.row(["lewes-1".to_owned(), "7".to_owned()]);
        table.row(["a".to_owned(), "1234".to_owned()]);
        assert_eq!(table.text(), "name        n\nlewes-1     7\na        1234\n");
    }

    #[test]
    fn a_table_is_never_too_wide() {
        let mut table = Table::of_words(&["a", "b", "c"]);
        table.row(["x".repeat(90), "y".repeat(70), "z".to_owned()]);
        for line in table.text().lines() {
            assert!(line.chars().count() <= WIDTH);
        }
        assert!(table.text().contains('…'));
        assert!(table.text().trim_end().ends_with('z'));
    }

    #[test]
    fn long_lines_are_broken_between_words() {
        let line = "word ".repeat(50);
        let text = wrapped(&line);
        assert!(text.lines().count() == 3 && text.lines().all(|l| l.chars().count() <= WIDTH));
        assert_eq!(text.split_whitespace().count(), 50);
        assert!(text.lines().skip(1).all(|line| line.starts_with("    word")));
        let exact = format!("{} b", "a".repeat(WIDTH));
        assert_eq!(wrapped(&exact), format!("{}\n    b\n", "a".repeat(WIDTH)));
        let long = format!("  {} end é", "é".repeat(150));
        assert_eq!(wrapped(&long), format!("  {}\n    end é\n", "é".repeat(150)));
        assert_eq!(wrapped("  short\n\n  too"), "  short\n\n  too\n");
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let cases = [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
        assert_eq!(count(1, "site", "sites"), "1 site");
        assert_eq!(count(0, "site", "sites"), "0 sites");
        assert_eq!(milliseconds(21_034), "21.034 ms");
    }

    #[test]
    fn long_lists_say_how_many_there_are() {
        assert_eq!(list(&["a", "b"]), "a, b");
        assert!(list(&["a"; 20]).ends_with(", … (20 in all)"));
    }
}
