//! `saligate key`: make and read key files.

use std::path::Path;

use saligate_keys::{KeyFile, Secret};

use crate::emit;
use crate::error::CliError;

pub(crate) fn new(file: &Path, label: Option<&str>) -> Result<(), CliError> {
    let mut key = KeyFile::new(Secret::generate()?);
    if let Some(label) = label {
        key = key.with_label(label)?;
    }
    key.write_new(file)?;
    emit(&format!("wrote {}, key id {}", file.display(), key.secret().id()))
}

pub(crate) fn show(file: &Path) -> Result<(), CliError> {
    let key = read(file)?;
    emit(&format!("key id {}", key.secret().id()))?;
    key.label().map_or(Ok(()), |label| emit(&format!("label  {label}")))
}

/// Reads a key file, with a warning where others can read it too.
pub(crate) fn read(file: &Path) -> Result<KeyFile, CliError> {
    let key = KeyFile::read(file)?;
    if key.permissions_too_open() {
        eprintln!("saligate: warning: others can read {}; try: chmod 600", file.display());
    }
    Ok(key)
}
