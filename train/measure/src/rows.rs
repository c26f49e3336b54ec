//! JSON files of rows, each in the place of the one that it replaces.

use std::path::Path;

use saligate_files::atomic::write_atomic;
use saligate_models::metrics::interval::{Mean, Rate};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::MeasureError;

/// The rows of a file.
///
/// # Errors
/// The file cannot be read or holds something else.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, MeasureError> {
    let text = std::fs::read_to_string(path).map_err(|source| io(path, source))?;
    serde_json::from_str(&text)
        .map_err(|source| MeasureError::Table { path: path.to_owned(), source })
}

/// Puts a row into a file, in the place of the one that is the `same`, and returns all rows.
///
/// # Errors
/// The file holds something else, or cannot be written.
pub(crate) fn put<T: Serialize + DeserializeOwned>(
    path: &Path,
    row: T,
    same: impl Fn(&T, &T) -> bool,
) -> Result<Vec<T>, MeasureError> {
    let mut rows: Vec<T> = if path.exists() { read(path)? } else { Vec::new() };
    match rows.iter_mut().find(|old| same(old, &row)) {
        Some(old) => *old = row,
        None => rows.push(row),
    }
    let text = serde_json::to_string_pretty(&rows).unwrap_or_default();
    write(path, &format!("{text}\n"))?;
    Ok(rows)
}

/// Puts a row into a file as [`put`] does, and writes the Markdown of all rows beside it.
///
/// # Errors
/// The file holds something else, or cannot be written.
pub(crate) fn tabulate<T: Serialize + DeserializeOwned>(
    path: &Path,
    row: T,
    same: impl Fn(&T, &T) -> bool,
    table: impl FnOnce(&[T]) -> String,
) -> Result<(), MeasureError> {
    let rows = put(path, row, same)?;
    write(&path.with_extension("md"), &table(&rows))
}

/// A mean with its 95 % interval.
///
/// # Errors
/// There are no values.
pub(crate) fn mean(values: &[f64]) -> Result<[f64; 3], MeasureError> {
    let mean = Mean::of(values)?;
    Ok([mean.value, mean.low, mean.high])
}

/// A share of hits with its 95 % interval.
///
/// # Errors
/// There are none to count.
pub(crate) fn rate(hits: &[bool]) -> Result<[f64; 3], MeasureError> {
    let hit = hits.iter().filter(|&&hit| hit).count();
    let Rate { value, low, high, .. } = Rate::of(hit as u64, hits.len() as u64)?;
    Ok([value, low, high])
}

/// A mean with its interval, as a cell of a table.
pub(crate) fn cell([value, low, high]: [f64; 3]) -> String {
    format!("{value:.3} ({low:.3} to {high:.3})")
}

/// Writes a text file, replacing an old one once the new one is complete.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), MeasureError> {
    write_atomic(path, text.as_bytes()).map_err(|source| io(path, source))
}

fn io(path: &Path, source: std::io::Error) -> MeasureError {
    MeasureError::Io { path: path.to_owned(), source }
}
