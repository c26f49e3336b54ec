//! `saligate-train localise`.

use std::num::NonZero;
use std::path::Path;

use saligate_console::emit;
use saligate_data::{DataSource, Dataset, LoadOptions};
use saligate_files::manifest::InputSpec;
use saligate_measure::localise;
use saligate_runtime::Model;
use saligate_runtime::picture::Framing;
use saligate_train::TrainError;

use crate::session::{for_labels, limit_threads};

/// Measures where the maps of a model point, on images framed as the model asks.
pub(crate) fn run(
    file: &Path,
    source: &DataSource,
    table: &Path,
    threads: NonZero<usize>,
    quiet: bool,
) -> Result<(), TrainError> {
    limit_threads(threads);
    let model = Model::open(file)?;
    let data = test_images(&model, source, quiet)?;
    localise::put(table, localise::measure(&model, &source.to_string(), &data, quiet)?)?;
    Ok(emit(&table.display().to_string())?)
}

/// The test images of a source in the size that a model asks for, with its classes.
pub(super) fn test_images(
    model: &Model,
    source: &DataSource,
    quiet: bool,
) -> Result<Dataset, TrainError> {
    let InputSpec { height, width, resize, .. } = model.manifest().input;
    let framing = source.takes_size().then_some(Framing { height, width, resize });
    let options = LoadOptions { framing, quiet, seed: 1, ..LoadOptions::default() };
    for_labels(source.load(&options)?.test, &model.manifest().labels)
}
