//! A self-contained page for a browser: no script, nothing from the network, light and dark, and fit
//! for paper.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use saligate_runtime::render::{Canvas, RenderError, png_bytes};

const STYLE: &str = include_str!("page.css");

/// A page under construction.
#[derive(Clone, Debug, Default)]
pub struct Page {
    title: String,
    body: String,
}

/// How a line is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Something is wrong.
    Bad,
    /// It is not known.
    Open,
    /// Nothing is wrong.
    Good,
}

impl Mark {
    fn class(self) -> &'static str {
        match self {
            Self::Bad => "bad",
            Self::Open => "open",
            Self::Good => "good",
        }
    }
}

impl Page {
    /// An empty page.
    pub fn new(title: &str) -> Self {
        let mut page = Self { title: title.to_owned(), body: String::new() };
        page.put(&format!("<h1>{}</h1>\n", escaped(title)));
        page
    }

    /// A heading of a level, 2 or below.
    pub fn heading(&mut self, level: u8, text: &str) {
        self.put(&format!("<h{level}>{}</h{level}>\n", escaped(text)));
    }

    /// A paragraph.
    pub fn paragraph(&mut self, text: &str) {
        self.put(&format!("<p>{}</p>\n", escaped(text)));
    }

    /// A paragraph whose first word is marked.
    pub fn marked(&mut self, mark: Mark, word: &str, text: &str) {
        let (class, word, text) = (mark.class(), escaped(word), escaped(text));
        self.put(&format!("<p><span class=\"mark {class}\">{word}</span> {text}</p>\n"));
    }

    /// A list of lines.
    pub fn list<T: AsRef<str>>(&mut self, lines: &[T]) {
        let lines: String =
            lines.iter().map(|line| format!("<li>{}</li>\n", escaped(line.as_ref()))).collect();
        self.put(&format!("<ul>\n{lines}</ul>\n"));
    }

    /// A line that a program prints or is called by.
    pub fn code(&mut self, text: &str) {
        self.put(&format!("<pre><code>{}</code></pre>\n", escaped(text)));
    }

    /// A table; all rows are as long as the head.
    pub fn table<T: AsRef<str>>(&mut self, head: &[&str], rows: &[Vec<T>]) {
        let cells = |tag: &str, row: &mut dyn Iterator<Item = &str>| -> String {
            row.fold(String::new(), |mut all, text| {
                let _ = write!(all, "<{tag}>{}</{tag}>", escaped(text));
                all
            })
        };
        let head = cells("th", &mut head.iter().copied());
        let mut table =
            format!("<div class=\"wide\"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n");
        for row in rows {
            let row = cells("td", &mut row.iter().map(AsRef::as_ref));
            let _ = writeln!(table, "<tr>{row}</tr>");
        }
        table.push_str("</tbody>\n</table></div>\n");
        self.put(&table);
    }

    /// A table whose second column is marked.
    pub fn verdicts(&mut self, head: [&str; 3], rows: &[(String, Mark, String, String)]) {
        let mut table = format!(
            "<div class=\"wide\"><table class=\"verdicts\">\n<thead><tr><th>{}</th><th>{}</th><th>{}</th></tr></thead>\n<tbody>\n",
            escaped(head[0]),
            escaped(head[1]),
            escaped(head[2])
        );
        for (name, mark, word, says) in rows {
            let _ = writeln!(
                table,
                "<tr><td>{}</td><td><span class=\"mark {}\">{}</span></td><td>{}</td></tr>",
                escaped(name),
                mark.class(),
                escaped(word),
                escaped(says)
            );
        }
        table.push_str("</tbody>\n</table></div>\n");
        self.put(&table);
    }

    /// A drawing with a caption.
    ///
    /// # Errors
    /// It cannot be encoded.
    pub fn figure(&mut self, canvas: &Canvas, caption: &str) -> Result<(), RenderError> {
        let png = STANDARD.encode(png_bytes(canvas)?);
        let caption = escaped(caption);
        let (width, height) = (canvas.width(), canvas.height());
        self.put(&format!(
            "<figure><img alt=\"{caption}\" width=\"{width}\" height=\"{height}\" src=\"data:image/png;base64,{png}\">\
             <figcaption>{caption}</figcaption></figure>\n"
        ));
        Ok(())
    }

    /// A curve over [0, 1], or several in one drawing: names and values at equal distances.
    pub fn curves(&mut self, caption: &str, curves: &[(&str, &[f64])]) {
        let drawing = super::curves::svg(curves);
        self.put(&format!(
            "<figure>{drawing}<figcaption>{}</figcaption></figure>\n",
            escaped(caption)
        ));
    }

    /// The text of the file.
    pub fn finished(self) -> String {
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n\
             <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{}</main>\n</body>\n</html>\n",
            escaped(&self.title),
            self.body
        )
    }

    fn put(&mut self, html: &str) {
        self.body.push_str(html);
    }
}

/// Text as it stands in HTML. Names come out of files of strangers.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // Marks that turn the direction of text around could make it say something else.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => escaped.push('\u{fffd}'),
            c if c.is_control() && c != '\n' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_strangers_are_text() {
        let mut page = Page::new("<script>alert(1)</script>");
        page.paragraph("a & b \u{202e}\u{7}");
        page.table(&["<b>"], &[vec!["\" onload='x'"]]);
        let html = page.finished();
        assert!(!html.contains("<script") && !html.contains("<b>") && !html.contains("onload='"));
        assert!(html.contains("a &amp; b \u{fffd}\u{fffd}"));
    }

    #[test]
    fn nothing_is_fetched() {
        let mut page = Page::new("title");
        let canvas = Canvas::from_rgb(1, 1, vec![1, 2, 3]).unwrap();
        page.figure(&canvas, "a pixel").unwrap();
        page.curves("two", &[("a", &[0.0, 0.5, 1.0]), ("b", &[1.0, 0.0])]);
        let html = page.finished();
        assert!(!html.contains("http://") && !html.contains("https://") && !html.contains("<link"));
        assert!(html.contains("data:image/png;base64,iVBOR"));
    }
}
