//! `saligate-train metrics`.

use std::num::NonZero;
use std::path::Path;

use saligate_console::emit;
use saligate_data::DataSource;
use saligate_measure::maps;
use saligate_runtime::Model;
use saligate_train::TrainError;

use super::localise::test_images;
use crate::session::limit_threads;

/// Scores the methods of a model, on images framed as the model asks.
pub(crate) fn run(
    file: &Path,
    source: &DataSource,
    methods: &[String],
    table: &Path,
    images: usize,
    threads: NonZero<usize>,
    quiet: bool,
) -> Result<(), TrainError> {
    limit_threads(threads);
    let data = test_images(&Model::open(file)?, source, quiet)?;
    let of = (file, source.to_string());
    let report = maps::measure((of.0, &of.1), methods, &data, images, threads, quiet)?;
    emit(report.text().trim_end())?;
    maps::put(table, report)?;
    Ok(emit(&table.display().to_string())?)
}
