//! `saligate-train detection`.

use std::path::Path;

use saligate_console::emit;
use saligate_measure::detection::{How, List, measure};
use saligate_train::TrainError;

use crate::session::limit_threads;

pub(crate) fn run(
    list: &Path,
    models: &Path,
    table: &Path,
    how: &How,
    quiet: bool,
) -> Result<(), TrainError> {
    limit_threads(how.threads);
    let mismatch = |reason: String| TrainError::Mismatch { reason };
    let text = std::fs::read_to_string(list)
        .map_err(|error| mismatch(format!("{}: {error}", list.display())))?;
    let read: List = toml::from_str(&text)
        .map_err(|error| mismatch(format!("{} is no list of networks: {error}", list.display())))?;
    measure(&read, models, how, table, quiet)?;
    Ok(emit(&table.display().to_string())?)
}
