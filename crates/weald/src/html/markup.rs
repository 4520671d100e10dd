//! Well-formed markup. An element that is opened is closed, because what is inside it is written by a
//! closure; and no text gets in but escaped.
//!
//! Names in an intent are other people's words. Beside what markup needs escaped, characters that
//! would not be seen, or would turn round the order in which the rest of a line is read, are shown as
//! escapes (Unicode TR 36 §2.10).

use core::fmt::Write as _;

/// Attributes of an element.
pub(crate) type Attributes<'a> = &'a [(&'static str, &'a str)];

/// Markup so far.
#[derive(Debug, Default)]
pub(crate) struct Markup {
    text: String,
}

impl Markup {
    pub(crate) fn element(
        &mut self,
        name: &'static str,
        attributes: Attributes<'_>,
        inside: impl FnOnce(&mut Self),
    ) {
        self.tag(name, attributes);
        self.text.push('>');
        inside(self);
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
        if is_block(name) {
            self.text.push('\n');
        }
    }

    /// An element with nothing in it.
    pub(crate) fn empty(&mut self, name: &'static str, attributes: Attributes<'_>) {
        self.tag(name, attributes);
        self.text.push_str("/>");
    }

    /// An element with a text in it.
    pub(crate) fn leaf(&mut self, name: &'static str, attributes: Attributes<'_>, text: &str) {
        self.element(name, attributes, |markup| markup.text(text));
    }

    pub(crate) fn paragraph(&mut self, text: &str) {
        self.leaf("p", &[], text);
    }

    pub(crate) fn text(&mut self, text: &str) {
        escape(&mut self.text, text);
    }

    /// A text of ours that is markup, or a style, as it is.
    pub(crate) fn own(&mut self, text: &'static str) {
        self.text.push_str(text);
    }

    pub(crate) fn finish(self) -> String {
        self.text
    }

    fn tag(&mut self, name: &'static str, attributes: Attributes<'_>) {
        self.text.push('<');
        self.text.push_str(name);
        for (name, value) in attributes {
            self.text.push(' ');
            self.text.push_str(name);
            self.text.push_str("=\"");
            escape(&mut self.text, value);
            self.text.push('"');
        }
    }
}

/// Whether a line ends after an element, so that people can read the source.
fn is_block(name: &str) -> bool {
    matches!(
        name,
        "p" | "h1"
            | "h2"
            | "h3"
            | "tr"
            | "section"
            | "table"
            | "thead"
            | "tbody"
            | "caption"
            | "details"
            | "figure"
            | "div"
            | "dl"
            | "ul"
            | "ol"
            | "g"
            | "svg"
            | "symbol"
            | "head"
    )
}

/// Whether a character is unseen, or changes how the rest of a line is seen, or is none of XML's.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
                | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e007f}'
        )
}

fn escape(into: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => into.push_str("&amp;"),
            '<' => into.push_str("&lt;"),
            '>' => into.push_str("&gt;"),
            '"' => into.push_str("&quot;"),
            '\'' => into.push_str("&#39;"),
            c if is_unseen(c) => {
                let _ = write!(into, "[U+{:04X}]", u32::from(c));
            }
            c => into.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Markup;

    #[test]
    fn hostile_names_stay_text() {
        let mut markup = Markup::default();
        let name = "<script>alert('1')</script> & \"x\"";
        markup.leaf("td", &[("title", name)], name);
        let escaped = "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;x&quot;";
        assert_eq!(markup.finish(), format!("<td title=\"{escaped}\">{escaped}</td>"));
    }

    #[test]
    fn what_turns_round_a_line_or_is_unseen_is_shown() {
        let mut markup = Markup::default();
        markup.text("a\u{202e}b\u{2066}c\u{0}d\u{feff}e\n\u{200b}\u{ffff}");
        let shown = "a[U+202E]b[U+2066]c[U+0000]d[U+FEFF]e[U+000A][U+200B][U+FFFF]";
        assert_eq!(markup.finish(), shown);
    }

    #[test]
    fn elements_are_closed_in_their_order() {
        let mut markup = Markup::default();
        markup.element("ul", &[], |list| {
            list.element("li", &[], |item| item.empty("br", &[]));
        });
        assert_eq!(markup.finish(), "<ul><li><br/></li></ul>\n");
    }
}
