//! Tables that a screen reader can read: each has a caption, its columns and rows have headings, and
//! where it is wider than the window it is scrolled alone, by keyboard too.

use super::markup::Markup;
use crate::screen::number;

/// Names that are shown without being unfolded.
const NAMES_SHOWN: usize = 3;

/// What a cell holds.
#[derive(Debug)]
pub(crate) enum Cell {
    Text(String),
    Number(String),
    /// Hexadecimal digits.
    Digest(String),
    /// Names, which are folded where they are many: `16 sites`.
    Names(String, Vec<String>),
    /// A verdict: in words and with a shape, whatever its colour.
    Verdict(bool, String),
}

/// Rows under one heading of their own.
#[derive(Debug)]
struct Group {
    heading: Option<String>,
    rows: Vec<Vec<Cell>>,
}

/// A table. The first cell of each row is the row's heading.
#[derive(Debug)]
pub(crate) struct Table {
    id: String,
    caption: String,
    columns: Vec<&'static str>,
    groups: Vec<Group>,
}

impl Cell {
    pub(crate) fn count(value: usize) -> Self {
        Self::Number(number(value as u64))
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl Table {
    /// The id is unique on the page.
    pub(crate) fn new(id: &str, caption: impl Into<String>, columns: &[&'static str]) -> Self {
        let columns = columns.to_vec();
        Self { id: id.to_owned(), caption: caption.into(), columns, groups: Vec::new() }
    }

    /// Rows from here on are under a heading of their own.
    pub(crate) fn group(&mut self, heading: String) {
        self.groups.push(Group { heading: Some(heading), rows: Vec::new() });
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        let cells = Vec::from(cells);
        match self.groups.last_mut() {
            Some(group) => group.rows.push(cells),
            None => self.groups.push(Group { heading: None, rows: vec![cells] }),
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    pub(crate) fn write(&self, markup: &mut Markup) {
        let caption = format!("{}-caption", self.id);
        let around = [
            ("class", "scroll"),
            ("role", "group"),
            ("aria-labelledby", caption.as_str()),
            ("tabindex", "0"),
        ];
        markup.element("div", &around, |markup| {
            markup.element("table", &[("id", &self.id)], |markup| {
                markup.leaf("caption", &[("id", &caption)], &self.caption);
                self.head(markup);
                self.groups.iter().for_each(|group| self.body(markup, group));
            });
        });
    }

    fn head(&self, markup: &mut Markup) {
        markup.element("thead", &[], |markup| {
            markup.element("tr", &[], |markup| {
                for (place, column) in self.columns.iter().enumerate() {
                    let class = self.class(place);
                    markup.leaf("th", &[("scope", "col"), ("class", class)], column);
                }
            });
        });
    }

    /// How a column's heading is aligned.
    fn class(&self, column: usize) -> &'static str {
        let mut rows = self.groups.iter().flat_map(|group| &group.rows);
        let is_number = rows.any(|row| matches!(row.get(column), Some(Cell::Number(_))));
        if is_number { "number" } else { "words" }
    }

    fn body(&self, markup: &mut Markup, group: &Group) {
        let width = self.columns.len().to_string();
        markup.element("tbody", &[], |markup| {
            if let Some(heading) = &group.heading {
                markup.element("tr", &[("class", "group")], |markup| {
                    markup.leaf("th", &[("scope", "rowgroup"), ("colspan", &width)], heading);
                });
            }
            for row in &group.rows {
                markup.element("tr", &[], |markup| cells(markup, row));
            }
        });
    }
}

fn cells(markup: &mut Markup, row: &[Cell]) {
    for (place, cell) in row.iter().enumerate() {
        let name = if place == 0 { "th" } else { "td" };
        let mut attributes = Vec::new();
        if place == 0 {
            attributes.push(("scope", "row"));
        }
        match cell {
            Cell::Number(_) => attributes.push(("class", "number")),
            Cell::Digest(_) => attributes.push(("class", "digest")),
            Cell::Text(_) | Cell::Names(..) | Cell::Verdict(..) => {}
        }
        markup.element(name, &attributes, |markup| content(markup, cell));
    }
}

fn content(markup: &mut Markup, cell: &Cell) {
    match cell {
        Cell::Text(text) | Cell::Number(text) | Cell::Digest(text) => markup.text(text),
        Cell::Names(_, names) if names.is_empty() => markup.text("none"),
        Cell::Names(_, names) if names.len() <= NAMES_SHOWN => list(markup, names),
        Cell::Names(lead, names) => folded(markup, lead, names),
        Cell::Verdict(is_good, words) => verdict(markup, *is_good, words),
    }
}

/// A verdict in words, with a shape.
pub(crate) fn verdict(markup: &mut Markup, is_good: bool, words: &str) {
    let (class, shape) = if is_good { ("good", "✔") } else { ("bad", "✘") };
    markup.element("strong", &[("class", class)], |markup| {
        markup.leaf("span", &[("aria-hidden", "true")], shape);
        markup.text(" ");
        markup.text(words);
    });
}

/// Names that are unfolded by whoever wants them, and on paper.
pub(crate) fn folded(markup: &mut Markup, lead: &str, names: &[String]) {
    markup.element("details", &[], |markup| {
        markup.leaf("summary", &[], lead);
        list(markup, names);
    });
}

pub(crate) fn list(markup: &mut Markup, names: &[String]) {
    markup.element("ul", &[("class", "names")], |markup| {
        for name in names {
            markup.leaf("li", &[], name);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::{Cell, Table};
    use crate::html::markup::Markup;

    #[test]
    fn every_heading_says_of_what_it_is_one() {
        let mut table = Table::new("t", "Things", &["name", "sites"]);
        assert!(table.is_empty());
        table.group("some".to_owned());
        let names = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
        table.row(["x".into(), Cell::Names("4 sites".to_owned(), names)]);
        table.row(["y".into(), Cell::Names(String::new(), Vec::new())]);
        table.row(["z".into(), Cell::count(1234)]);
        let mut markup = Markup::default();
        table.write(&mut markup);
        let text = markup.finish().replace('\n', "");
        for part in [
            "<table id=\"t\"><caption id=\"t-caption\">Things</caption>",
            "<th scope=\"col\" class=\"words\">name</th>",
            "<th scope=\"rowgroup\" colspan=\"2\">some</th>",
            "<th scope=\"row\">x</th><td><details><summary>4 sites</summary><ul class=\"names\">",
            "<td>none</td>",
            "<td class=\"number\">1,234</td>",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
