//! One folder of images whose classes stand in the file of boxes, as in ImageNet's validation set.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use super::super::DataError;
use super::boxes::{self, BoxColumns};
use super::listing::images;
use super::table::Table;
use super::{Listing, MAX_CLASSES, Sample};

/// ImageNet's list of class names: a line for each index, of an id and synonyms.
const NAMES: &str = "LOC_synset_mapping.txt";

/// What the table says of one file.
struct Entry {
    class: usize,
    boxes: Vec<[usize; 4]>,
}

/// Lists the folder; all images are for testing.
pub(super) fn list(folder: &Path) -> Result<Listing, DataError> {
    let listed = class_names(&folder.join(NAMES))?;
    let table = Table::read(&folder.join(boxes::FILE))?;
    let (file, class) = (table.column("file")?, table.column("class_index")?);
    let (name, columns) = (table.find("class_name"), BoxColumns::of(&table)?);
    let classes = listed.as_ref().map_or(MAX_CLASSES, Vec::len);
    let mut names = BTreeMap::new();
    let mut entries: HashMap<&str, Entry> = HashMap::new();
    for row in table.rows() {
        let found = table.number(row, class)?;
        if found >= classes {
            let reason = format!("class_index is {found}, but there are {classes} classes");
            return Err(table.refuse(row, reason));
        }
        if let Some(name) = name {
            names.insert(found, row.text(name).to_owned());
        }
        let file = row.text(file);
        let entry = entries.entry(file).or_insert(Entry { class: found, boxes: Vec::new() });
        if entry.class != found {
            let reason = format!("{file} is of class {found} here and of {} above", entry.class);
            return Err(table.refuse(row, reason));
        }
        entry.boxes.push(columns.read(&table, row)?);
    }

    let files = images(&folder.join("images"))?;
    if files.is_empty() {
        return Err(DataError::NoImages { folder: folder.join("images") });
    }
    let mut test = Vec::new();
    for path in files {
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(Entry { class, boxes }) = name.and_then(|name| entries.remove(name)) else {
            return Err(DataError::NoClass { path, table: folder.join(boxes::FILE) });
        };
        test.push(Sample { path, label: class as u16, boxes });
    }
    let largest = test.iter().map(|sample| usize::from(sample.label)).max().unwrap_or(0);
    let from_table = || (0..=largest).map(|i| names.remove(&i).unwrap_or(i.to_string())).collect();
    let class_names = listed.unwrap_or_else(from_table);
    Ok(Listing { class_names, train: Vec::new(), test, has_boxes: true })
}

/// The first name of every line; those that come twice are told apart by their ids. `None` where
/// there is no such file.
fn class_names(path: &Path) -> Result<Option<Vec<String>>, DataError> {
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(path).map_err(DataError::io(path))?;
    let mut classes = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let named = line.trim().split_once(' ').map(|(id, names)| {
            let name = names.split(',').next().unwrap_or_default();
            (id, name.trim())
        });
        classes.push(named.ok_or_else(|| DataError::Table {
            path: path.to_owned(),
            line: at + 1,
            reason: "an id and a name belong here".to_owned(),
        })?);
    }
    if classes.len() > MAX_CLASSES {
        return Err(DataError::TooManyClasses { found: classes.len(), limit: MAX_CLASSES });
    }
    let mut uses: HashMap<&str, usize> = HashMap::new();
    for (_, name) in &classes {
        *uses.entry(name).or_default() += 1;
    }
    let unique = classes.iter().map(|&(id, name)| match uses[name] {
        1 => name.to_owned(),
        _ => format!("{name} ({id})"),
    });
    Ok(Some(unique.collect()))
}
