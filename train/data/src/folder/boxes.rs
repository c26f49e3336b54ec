//! Boxes around objects, by file.

use std::collections::HashMap;
use std::path::Path;

use super::super::DataError;
use super::Sample;
use super::table::{Column, Row, Table};

/// Name of the file of boxes.
pub(super) const FILE: &str = "boxes.csv";

/// The columns of a box.
pub(super) struct BoxColumns([Column; 4]);

impl BoxColumns {
    pub(super) fn of(table: &Table) -> Result<Self, DataError> {
        let [x0, y0, x1, y1] = ["x0", "y0", "x1", "y1"].map(|name| table.column(name));
        Ok(Self([x0?, y0?, x1?, y1?]))
    }

    /// The box of a row.
    pub(super) fn read(&self, table: &Table, row: &Row) -> Result<[usize; 4], DataError> {
        let [x0, y0, x1, y1] = self.0.map(|column| table.number(row, column));
        let found = [x0?, y0?, x1?, y1?];
        if found[0] > found[2] || found[1] > found[3] {
            return Err(table.refuse(row, format!("the box {found:?} ends before it begins")));
        }
        Ok(found)
    }
}

/// Gives the samples under `folder` their boxes; says whether there is a file of boxes.
pub(super) fn give(folder: &Path, samples: &mut [Sample]) -> Result<bool, DataError> {
    let path = folder.join(FILE);
    if !path.exists() {
        return Ok(false);
    }
    let table = Table::read(&path)?;
    let (file, split) = (table.column("file")?, table.find("split"));
    let columns = BoxColumns::of(&table)?;
    let mut boxes: HashMap<_, Vec<[usize; 4]>> = HashMap::new();
    for row in table.rows() {
        let below = split.map_or(folder.to_owned(), |split| folder.join(row.text(split)));
        boxes.entry(below.join(row.text(file))).or_default().push(columns.read(&table, row)?);
    }
    for sample in &mut *samples {
        sample.boxes = boxes.remove(&sample.path).unwrap_or_default();
    }
    match table.rows().first() {
        Some(first) if samples.iter().all(|sample| sample.boxes.is_empty()) => {
            let file = first.text(file);
            let reason =
                format!("neither {file:?} nor the file of any other line is an image here");
            Err(table.refuse(first, reason))
        }
        _ => Ok(true),
    }
}
