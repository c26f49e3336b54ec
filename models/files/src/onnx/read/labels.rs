//! Class names in the metadata of a file.

use super::super::proto;
use crate::labels::parse;

/// Metadata keys under which exporters keep them.
const KEYS: [&str; 6] = ["labels", "names", "classes", "class_names", "label_names", "id2label"];

/// Longest list that is read, in bytes.
const MAX_BYTES: usize = 1 << 20;

/// The class names, in the order of the scores, if the file has one for each class.
///
/// They are written as [`parse`] reads them.
pub(super) fn of(metadata: &[proto::StringEntry], classes: usize) -> Option<Vec<String>> {
    let entries = KEYS.iter().filter_map(|key| metadata.iter().find(|e| e.key == *key));
    let short = entries.filter(|entry| entry.value.len() <= MAX_BYTES);
    short.map(|entry| parse(&entry.value)).find(|names| names.len() == classes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(key: &str, value: &str, classes: usize) -> Option<Vec<String>> {
        let entry = proto::StringEntry { key: key.to_owned(), value: value.to_owned() };
        of(&[entry], classes)
    }

    #[test]
    fn lists_objects_and_lines_are_read() {
        let expected = Some(vec!["cat".to_owned(), "dog".to_owned()]);
        assert_eq!(names("labels", r#"["cat", "dog"]"#, 2), expected);
        assert_eq!(names("names", r#"{"0": "cat", "1": "dog"}"#, 2), expected);
        assert_eq!(names("classes", "cat\r\ndog\n", 2), expected);
        assert_eq!(names("classes", "cat\ndog\n", 3), None);
        assert_eq!(names("names", r#"{"0": "cat", "2": "dog"}"#, 2), None);
        assert_eq!(names("author", "cat\ndog\n", 2), None);
    }
}
