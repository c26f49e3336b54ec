//! How often an exported classifier is right.

use std::path::Path;

use rayon::prelude::*;
use saligate_models::metrics::interval::Rate;
use saligate_runtime::Model;

use crate::MeasureError;
use crate::evaluate::picture;
use saligate_console::progress::bar;
use saligate_data::Dataset;

/// Share of the images that a model file classifies correctly in the runtime, with its 95 %
/// interval.
///
/// # Errors
/// The file cannot be opened or run on such images, or there are no images.
pub fn accuracy(model: &Path, data: &Dataset, quiet: bool) -> Result<Rate, MeasureError> {
    let model = Model::open(model)?;
    let bar = bar("accuracy", data.len(), quiet);
    let right = |index: usize| -> Result<bool, MeasureError> {
        let picture = picture(data.shape(), data.image(index).to_vec())?;
        let right = model.predict(&picture)?.class == data.label(index);
        bar.inc(1);
        Ok(right)
    };
    let hits: Vec<bool> =
        (0..data.len()).into_par_iter().map(right).collect::<Result<_, MeasureError>>()?;
    bar.finish_and_clear();
    let hit = hits.iter().filter(|&&hit| hit).count();
    Ok(Rate::of(hit as u64, hits.len() as u64)?)
}
