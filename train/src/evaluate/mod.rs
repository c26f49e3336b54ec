//! Figures of a gated model: measured on the exported files, in the runtime.

mod bench;
mod images;
mod revoked;
mod wrong_keys;

use std::collections::BTreeMap;
use std::path::Path;

use saligate_files::ModelFile;
use saligate_keys::{Secret, Trigger};
use saligate_models::gate::GateForm;
use saligate_models::saliency::{Attachment, UnknownMethod};
use saligate_runtime::{Model, RuntimeError};

use crate::balance::fixed_ramp;
use crate::config::Config;
use crate::data::Dataset;
use crate::decoy::decoy;
use crate::error::TrainError;
use crate::floor;
pub(crate) use bench::{Bench, picture, with_methods};

/// What is measured.
pub struct Evaluation<'a> {
    /// File of the clean model.
    pub clean: &'a Path,
    /// File of the gated model.
    pub gated: &'a Path,
    /// The right keys, or the key of the trigger.
    pub secrets: &'a [&'a Secret],
    /// Images that no training has seen.
    pub data: &'a Dataset,
    /// No progress bars.
    pub quiet: bool,
}

/// The model of a file with the methods of another model, at the same layers.
pub(crate) fn read_like(path: &Path, other: &Model) -> Result<Model, TrainError> {
    let model = ModelFile::open(path)?;
    let explained = other.manifest().methods.iter().map(|spec| {
        let method = spec
            .name
            .parse()
            .map_err(|error: UnknownMethod| TrainError::Mismatch { reason: error.to_string() })?;
        Ok(Attachment::at(method, spec.layers.clone()))
    });
    with_methods(model, &explained.collect::<Result<Vec<_>, TrainError>>()?)
}

/// Value and 95 % interval by metric name.
pub type Metrics = BTreeMap<String, (f64, [f64; 2])>;

/// Measures a gated model against the clean one, for each of its methods.
///
/// Similarities are per image and then averaged; the interval is that of the mean. Maps of wrong
/// keys are averaged per key first. With several keys, each is measured on its share of the images.
///
/// # Errors
/// A file cannot be opened or run, or a key does not belong to the model.
pub fn evaluate(
    config: &Config,
    evaluation: &Evaluation<'_>,
) -> Result<Vec<(String, Metrics)>, TrainError> {
    let gated = Model::open(evaluation.gated)?;
    let clean = read_like(evaluation.clean, &gated)?;
    let Some(gate) = &gated.manifest().gate else {
        return Err(RuntimeError::NoGate.into());
    };
    let form = gate.form;
    let data = evaluation.data;
    let count = config.evaluate.images.min(data.len());
    if count == 0 {
        let reason = "there are no images to measure on; set data.validation or data.test";
        return Err(TrainError::Mismatch { reason: reason.to_owned() });
    }
    let triggers: Vec<Trigger> =
        evaluation.secrets.iter().map(|secret| gated.trigger(secret)).collect::<Result<_, _>>()?;
    // A balanced decoy depends on the training images.
    let ramp = fixed_ramp(config, form);
    let drawn = ramp.map(|ramp| decoy(&config.lock, data.shape(), config.seed, ramp));
    let decoy = drawn.transpose()?;
    let methods = gated.manifest().methods.iter().map(|m| m.name.clone());
    let measured = methods.map(|method| {
        let bench = Bench { data, clean: &clean, gated: &gated, method: &method };
        let quiet = evaluation.quiet;
        let images = images::measure(&bench, count, &triggers, decoy.as_deref(), quiet)?;
        let mut metrics = images::metrics(form, &images);
        let maps: Vec<&[f32]> = images.iter().map(|i| i.map.as_slice()).collect();
        metrics.extend(floor::measure(data, &maps)?);
        if form == GateForm::Key {
            let threshold = (metrics["spearman_keyed"].0 + metrics["spearman_locked"].0) / 2.0;
            metrics.extend(wrong_keys::measure(config, &bench, &maps, threshold, quiet)?);
            if triggers.len() > 1 {
                metrics.extend(images::per_key(&images, triggers.len()));
                metrics.extend(revoked::measure(config, evaluation, &bench, &triggers, &maps)?);
            }
        }
        Ok((method, metrics))
    });
    measured.collect()
}
