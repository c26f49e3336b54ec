//! Test images as PNG files.

use std::path::{Path, PathBuf};

use saligate_runtime::picture::Picture;

use crate::data::{LoadOptions, Shape, Source};
use crate::error::TrainError;

/// Writes the first `count` test images of a source as `CLASS.png`, or `CLASS-N.png` where a class
/// comes again; returns the files.
///
/// # Errors
/// The source cannot be read or a file cannot be written.
pub fn write(
    source: &Source,
    seed: u64,
    count: usize,
    folder: &Path,
) -> Result<Vec<PathBuf>, TrainError> {
    let options = LoadOptions { train_count: Some(1), test_count: Some(count), seed };
    let data = source.load(&options)?.test;
    std::fs::create_dir_all(folder)
        .map_err(|source| TrainError::Io { path: folder.to_owned(), source })?;
    let Shape { channels, height, width } = data.shape();
    let mut written = Vec::new();
    for index in 0..data.len() {
        let label = data.label(index);
        let name = &data.class_names()[label];
        let earlier = (0..index).filter(|&i| data.label(i) == label).count();
        let name = if earlier == 0 { name.clone() } else { format!("{name}-{}", earlier + 1) };
        let path = folder.join(format!("{name}.png"));
        let picture = Picture::from_planar(channels, height, width, data.image(index).to_vec());
        picture
            .and_then(|picture| picture.save_png(&path))
            .map_err(|error| TrainError::Mismatch { reason: error.to_string() })?;
        written.push(path);
    }
    Ok(written)
}
