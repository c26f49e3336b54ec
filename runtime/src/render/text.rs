//! Lines of text on a canvas.

use std::mem;

use super::Canvas;
use super::canvas::Rgb;
use super::font::{GLYPH_ROWS, Glyph};
use super::smooth::{Coverage, SCALE};

/// Font columns between two glyphs.
const SPACING: usize = 1;
/// Font columns of a space, spacing excluded.
const SPACE: usize = 2;

/// From one line to the next, in canvas pixels.
pub(super) const LINE_HEIGHT: usize = (GLYPH_ROWS + 1) * SCALE;

/// Width of a line, in canvas pixels.
pub(super) fn width(line: &str) -> usize {
    let columns: usize = line.chars().map(|character| advance(glyph(character)) * SCALE).sum();
    columns.saturating_sub(SPACING * SCALE)
}

/// Draws a line whose capitals start at `top`; what lies outside the canvas is left out.
pub(super) fn draw(canvas: &mut Canvas, top: usize, left: usize, line: &str, colour: Rgb) {
    let mut left = left;
    for character in line.chars() {
        let glyph = glyph(character);
        let coverage = Coverage::of(&glyph);
        for row in 0..GLYPH_ROWS * SCALE {
            for column in 0..glyph.width * SCALE {
                canvas.blend(top + row, left + column, colour, coverage.at(row, column));
            }
        }
        left += advance(glyph) * SCALE;
    }
}

/// Breaks a text into lines of at most `limit` canvas pixels, between words where it can and within
/// a word where the word alone is too long; the lines are of about equal width. A line feed breaks
/// too. There is at least one line, and a line holds at least one character however narrow the
/// limit.
pub(super) fn wrap(text: &str, limit: usize) -> Vec<String> {
    text.split('\n').flat_map(|line| wrap_evenly(line, limit)).collect()
}

/// The narrowest limit that needs no more lines than `limit` itself spreads the words evenly. It
/// does not go below the longest word, which would be broken then.
fn wrap_evenly(text: &str, limit: usize) -> Vec<String> {
    let fewest = wrap_greedily(text, limit).len();
    let longest_word = text.split_whitespace().map(width).max().unwrap_or(0);
    let (mut narrowest, mut enough) = (longest_word.min(limit), limit);
    while narrowest < enough {
        let middle = (narrowest + enough) / 2;
        if wrap_greedily(text, middle).len() > fewest {
            narrowest = middle + 1;
        } else {
            enough = middle;
        }
    }
    wrap_greedily(text, enough)
}

fn wrap_greedily(text: &str, limit: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let gap = if line.is_empty() { "" } else { " " };
        if width(&format!("{line}{gap}{word}")) <= limit {
            line = line + gap + word;
            continue;
        }
        if !line.is_empty() {
            lines.push(mem::take(&mut line));
        }
        for character in word.chars() {
            if !line.is_empty() && width(&format!("{line}{character}")) > limit {
                lines.push(mem::take(&mut line));
            }
            line.push(character);
        }
    }
    lines.push(line);
    lines
}

fn glyph(character: char) -> Glyph {
    Glyph::of(character).unwrap_or(Glyph::unknown())
}

/// Font columns from the start of a glyph to that of the next.
fn advance(glyph: Glyph) -> usize {
    SPACING + if glyph.width == 0 { SPACE } else { glyph.width }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_add_up() {
        assert_eq!(width(""), 0);
        assert_eq!(width("i"), SCALE);
        assert_eq!(width("ii"), 3 * SCALE);
        assert_eq!(width("H H"), (5 + 1 + 3 + 5) * SCALE);
        assert_eq!(width("\u{3bb}"), 5 * SCALE);
    }

    #[test]
    fn ink_stays_within_the_measured_width() {
        let line = "Qgj, 100 %";
        let mut canvas = Canvas::filled(LINE_HEIGHT, width(line) + 10, [255; 3]).unwrap();
        draw(&mut canvas, 0, 0, line, [0; 3]);
        let stride = 3 * canvas.width();
        let inked = |column: usize| {
            canvas.rgb().iter().skip(3 * column).step_by(stride).any(|&value| value < 255)
        };
        assert!(inked(width(line) - 1));
        assert!((width(line)..canvas.width()).all(|column| !inked(column)));
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("wrong key", width("wrong")), ["wrong", "key"]);
        assert_eq!(wrap("wrong key", width("wrong key")), ["wrong key"]);
        assert_eq!(wrap("one\ntwo", 1000), ["one", "two"]);
        assert_eq!(wrap("", 100), [""]);
    }

    #[test]
    fn lines_are_of_about_equal_width() {
        assert_eq!(
            wrap("wrong key, mean of 8", width("wrong key, mean of")),
            ["wrong key,", "mean of 8"]
        );
        assert_eq!(wrap("HHHHHHHH ii", width("HHHHHHHH")), ["HHHHHHHH", "ii"]);
    }

    #[test]
    fn a_word_that_is_too_long_breaks_within() {
        assert_eq!(wrap("a HHHH", width("HH")), ["a", "HH", "HH"]);
        assert_eq!(wrap("HI", 0), ["H", "I"]);
    }
}
