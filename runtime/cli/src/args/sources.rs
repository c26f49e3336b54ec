//! Sources of pictures on the command line.

use std::path::PathBuf;

use saligate_data::DataSource;

/// A data source, or a folder by its mere path.
pub(super) fn source(text: &str) -> Result<DataSource, String> {
    let folder = PathBuf::from(text);
    match text.parse() {
        Err(_) if folder.is_dir() => Ok(DataSource::Folder(folder)),
        source => source.map_err(|error: saligate_data::DataError| error.to_string()),
    }
}
