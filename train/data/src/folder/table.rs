//! Comma-separated values with a line of column names.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::DataError;

/// The lines of a CSV file. Fields may stand in double quotes, with a quote doubled inside, but not go over the end of a line.
pub(super) struct Table {
    path: PathBuf,
    columns: Vec<String>,
    rows: Vec<Row>,
}

/// One line, with as many fields as there are columns.
pub(super) struct Row {
    /// Counted from 1.
    line: usize,
    fields: Vec<String>,
}

/// Position of a column.
#[derive(Clone, Copy)]
pub(super) struct Column(usize);

impl Table {
    /// Reads a file; blank lines are skipped.
    pub(super) fn read(path: &Path) -> Result<Self, DataError> {
        let text = fs::read_to_string(path).map_err(DataError::io(path))?;
        let mut table = Self { path: path.to_owned(), columns: Vec::new(), rows: Vec::new() };
        for (at, text) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            if text.trim().is_empty() {
                continue;
            }
            let line = at + 1;
            let fields = fields(text)
                .ok_or_else(|| table.error(line, "a quoted field does not end where it should"))?;
            if table.columns.is_empty() {
                table.columns = fields;
            } else if fields.len() == table.columns.len() {
                table.rows.push(Row { line, fields });
            } else {
                let (found, wanted) = (fields.len(), table.columns.len());
                return Err(table.error(line, format!("{found} fields under {wanted} columns")));
            }
        }
        Ok(table)
    }

    /// The column of this name, if there is one.
    pub(super) fn find(&self, name: &str) -> Option<Column> {
        self.columns.iter().position(|column| column == name).map(Column)
    }

    /// The column of this name.
    pub(super) fn column(&self, name: &str) -> Result<Column, DataError> {
        let columns = self.columns.join(", ");
        self.find(name).ok_or_else(|| {
            self.error(1, format!("there is no column {name:?}; the columns are {columns}"))
        })
    }

    /// All lines but the first.
    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The number in a field.
    pub(super) fn number(&self, row: &Row, column: Column) -> Result<usize, DataError> {
        let (name, text) = (&self.columns[column.0], row.text(column));
        text.parse().map_err(|_| {
            self.error(row.line, format!("{name} is {text:?} instead of a whole number"))
        })
    }

    /// What is wrong with a row.
    pub(super) fn refuse(&self, row: &Row, reason: impl Into<String>) -> DataError {
        self.error(row.line, reason)
    }

    fn error(&self, line: usize, reason: impl Into<String>) -> DataError {
        DataError::Table { path: self.path.clone(), line, reason: reason.into() }
    }
}

impl Row {
    /// The text in a field, without spaces around it.
    pub(super) fn text(&self, column: Column) -> &str {
        &self.fields[column.0]
    }
}

fn fields(line: &str) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let (field, after) = match rest.trim_start().strip_prefix('"') {
            Some(quoted) => quoted_field(quoted)?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (rest[..end].trim().to_owned(), &rest[end..])
            }
        };
        fields.push(field);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => return after.is_empty().then_some(fields),
        }
    }
}

/// The content of a field behind its opening quote, and what comes after the closing one.
fn quoted_field(text: &str) -> Option<(String, &str)> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('"')?;
        field.push_str(before);
        match after.strip_prefix('"') {
            Some(next) => {
                field.push('"');
                rest = next;
            }
            None => return Some((field, after.trim_start())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Table, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        fs::write(&path, text).unwrap();
        Table::read(&path)
    }

    #[test]
    fn fields_are_found_by_the_name_of_their_column() {
        let table = read("\u{feff}b, a\r\n1,\"x, \"\"y\"\"\"\r\n\r\n 2 ,\n").unwrap();
        let [a, b] = ["a", "b"].map(|name| table.column(name).unwrap());
        let texts: Vec<_> = table.rows().iter().map(|row| (row.text(a), row.text(b))).collect();
        assert_eq!(texts, [("x, \"y\"", "1"), ("", "2")]);
        assert_eq!(table.number(&table.rows()[1], b).unwrap(), 2);
        assert!(table.find("c").is_none());
    }

    #[test]
    fn errors_name_the_line() {
        for (text, line, part) in [
            ("a,b\n1,2\n\n1", 4, "1 fields under 2 columns"),
            ("a,b\n1,2,3", 2, "3 fields under 2 columns"),
            ("a,b\n1,\"2", 2, "quoted"),
            ("a,b\n\"1\"2,3", 2, "quoted"),
        ] {
            let Err(DataError::Table { line: found, reason, .. }) = read(text) else {
                panic!("{text:?} was read")
            };
            assert!(found == line && reason.contains(part), "{text:?}: {found} {reason}");
        }
        let table = read("a\n1\n-1").unwrap();
        let number = table.number(&table.rows()[1], table.column("a").unwrap());
        assert!(matches!(number, Err(DataError::Table { line: 3, .. })));
        let message = table.column("file").map(drop).unwrap_err().to_string();
        assert!(message.contains("\"file\"") && message.contains("columns are a"), "{message}");
    }

    #[test]
    fn an_empty_file_has_no_column() {
        assert!(read("").unwrap().column("file").is_err());
    }
}
