//! Test images as PNG files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use saligate_runtime::picture::Picture;

use super::{DataError, DataSource, LoadOptions, Shape};

/// Writes the test images of a source as `CLASS.png`, or `CLASS-N.png` where a class
/// comes again; returns the files.
///
/// # Errors
/// The source cannot be read or a file cannot be written.
pub fn write(
    source: &DataSource,
    options: &LoadOptions,
    folder: &Path,
) -> Result<Vec<PathBuf>, DataError> {
    let data = source.load(options)?.test;
    std::fs::create_dir_all(folder).map_err(DataError::io(folder))?;
    let Shape { channels, height, width } = data.shape();
    let mut written = Vec::new();
    let mut numbers = BTreeMap::new();
    for index in 0..data.len() {
        // A name may hold what would lead out of the folder.
        let name = data.class_names()[data.label(index)].replace(['/', '\\'], "-");
        let number: &mut usize = numbers.entry(name.clone()).or_default();
        *number += 1;
        let name = if *number == 1 { name } else { format!("{name}-{number}") };
        let path = folder.join(format!("{name}.png"));
        let picture = Picture::from_planar(channels, height, width, data.image(index).to_vec());
        picture.and_then(|picture| picture.save_png(&path)).map_err(DataError::Picture)?;
        written.push(path);
    }
    Ok(written)
}
