//! Figures of a gated model: measured on the exported files, in the runtime.

mod bench;
mod images;
mod revoked;
mod searched;
mod wrong_keys;

use std::collections::BTreeMap;
use std::path::Path;

use saligate_files::ModelFile;
use saligate_keys::{Secret, Trigger};
use saligate_models::gate::GateForm;
use saligate_models::graph::Graph;
use saligate_models::names::LOGITS;
use saligate_models::saliency::Attachment;
use saligate_runtime::{Model, RuntimeError};

use saligate_data::Dataset;
use serde::{Deserialize, Serialize};

use crate::{MeasureError, floor};
pub(crate) use bench::{Bench, picture, with_methods};
pub use searched::SearchConfig;
pub(crate) use searched::WIDTH;

/// How much is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Test images whose maps are compared.
    pub images: usize,
    /// Number of random wrong keys.
    pub wrong_keys: usize,
    /// Test images per wrong key.
    pub images_per_key: usize,
    /// How hard a key is searched for by someone who has the file.
    #[serde(default)]
    pub search: SearchConfig,
}

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
    /// Of the wrong keys.
    pub seed: u64,
    /// No progress bars.
    pub quiet: bool,
}

/// The model of a file with the methods of another model, at the same layers.
pub(crate) fn read_like(path: &Path, other: &Model) -> Result<Model, MeasureError> {
    let model = ModelFile::open(path)?;
    let methods = &other.manifest().methods;
    let explained =
        methods.iter().map(|spec| Ok(Attachment::at(spec.name.parse()?, spec.layers.clone())));
    with_methods(model, &explained.collect::<Result<Vec<_>, MeasureError>>()?)
}

/// Value and 95 % interval by metric name.
pub type Metrics = BTreeMap<String, (f64, [f64; 2])>;

/// Measures a gated model against the clean one, for each of its methods.
///
/// Similarities are per image and then averaged; the interval is that of the mean. Maps of wrong
/// keys are averaged per key first. With several keys, each is measured on its share of the images.
/// `decoy`, `[row, column]` of the image, is what the maps should show instead, where it is known.
///
/// # Errors
/// A file cannot be opened or run, or a key does not belong to the model.
pub fn evaluate(
    evaluation: &Evaluation<'_>,
    counts: &Counts,
    decoy: Option<&[f32]>,
) -> Result<Vec<(String, Metrics)>, MeasureError> {
    let gated = Model::open(evaluation.gated)?;
    let clean = read_like(evaluation.clean, &gated)?;
    let Some(gate) = &gated.manifest().gate else {
        return Err(RuntimeError::NoGate.into());
    };
    let form = gate.form;
    let data = evaluation.data;
    let count = counts.images.min(data.len());
    if count == 0 {
        return Err(MeasureError::NoImages);
    }
    let triggers: Vec<Trigger> =
        evaluation.secrets.iter().map(|secret| gated.trigger(secret)).collect::<Result<_, _>>()?;
    if triggers.is_empty() {
        return Err(MeasureError::NoKey);
    }
    // Is the gate in the weights alone?
    let classifier = |path| -> Result<Graph, MeasureError> {
        Ok(ModelFile::open(path)?.graph().extract(&[LOGITS])?)
    };
    let [own, other] = [classifier(evaluation.gated)?, classifier(evaluation.clean)?];
    let plain = f64::from(u8::from(own.first_other_value(&other).is_none()));
    let methods = gated.manifest().methods.iter().map(|m| m.name.clone());
    let measured = methods.map(|method| {
        let bench = Bench { data, clean: &clean, gated: &gated, method: &method };
        let quiet = evaluation.quiet;
        let images = images::measure(&bench, count, &triggers, decoy, quiet)?;
        let mut metrics = images::metrics(form, &images);
        metrics.insert("plain".to_owned(), (plain, [plain; 2]));
        let maps: Vec<&[f32]> = images.iter().map(|i| i.map.as_slice()).collect();
        metrics.extend(floor::measure(data, &maps)?);
        if form == GateForm::Key {
            let threshold = (metrics["spearman_keyed"].0 + metrics["spearman_locked"].0) / 2.0;
            metrics.extend(wrong_keys::measure(evaluation, counts, &bench, &maps, threshold)?);
            metrics.extend(searched::measure(evaluation, &counts.search, &bench, &maps)?);
            if triggers.len() > 1 {
                metrics.extend(images::per_key(&images, triggers.len()));
                metrics.extend(revoked::measure(evaluation, counts, &bench, &triggers, &maps)?);
            }
        }
        Ok((method, metrics))
    });
    measured.collect()
}
