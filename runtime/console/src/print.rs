//! Lines of standard output.

use std::io::Write;
use std::path::Path;

use crate::Failure;

/// Writes one line to standard output.
///
/// # Errors
/// Standard output cannot be written to, or nobody reads it any more.
pub fn emit(line: &str) -> Result<(), Failure> {
    Ok(writeln!(std::io::stdout(), "{}", printable(line))?)
}

/// A path as it stands in JSON, which has no place for bytes that are not UTF-8.
pub fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// The text without control characters, those of the direction of text among them, which names in a
/// file may hold.
pub fn printable(text: &str) -> String {
    let control = |c: char| match c {
        '\n' | '\t' => false,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        _ => c.is_control(),
    };
    text.chars().map(|c| if control(c) { '\u{fffd}' } else { c }).collect()
}
