//! Lines for people: labels and names.

/// One line of 1 to `limit` bytes, without blanks at its ends.
pub(crate) fn is_line(text: &str, limit: usize) -> bool {
    let fits = (1..=limit).contains(&text.len());
    fits && text.trim() == text && !text.contains(char::is_control)
}

/// Whether characters of the line are shown in another order than they stand in (Unicode Standard
/// Annex 9), so that a name can look like another one.
///
/// Such lines are not written. What was written before this rule is read.
pub(crate) fn reorders(text: &str) -> bool {
    text.contains(|c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_controls_of_direction_reorder() {
        let controls = ('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}');
        for control in controls {
            assert!(reorders(&format!("Ana{control}eve")), "{control:?}");
        }
        for text in ["Ana", "\u{5d0}\u{5e0}\u{5d4}", "\u{2029}\u{202f}\u{2065}\u{206a}"] {
            assert!(!reorders(text), "{text:?}");
        }
    }
}
