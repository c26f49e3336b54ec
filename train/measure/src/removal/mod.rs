//! What is left of a gate after its file or the pictures are changed.

mod change;
pub mod defences;

use std::fmt::Write as _;
use std::path::Path;

use rayon::prelude::*;
use saligate_console::progress::bar;
use saligate_files::ModelFile;
use saligate_models::metrics::interval::Rate;
use saligate_models::metrics::rank::spearman;
use saligate_runtime::picture::Picture;
use saligate_runtime::{Model, Target};
use serde::{Deserialize, Serialize};

use crate::MeasureError;
use crate::evaluate::{Evaluation, picture};
use crate::rows;

pub use change::Change;

/// What changes leave of one gate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Removal {
    /// Id of the run.
    pub id: String,
    /// The method whose maps are compared.
    pub method: String,
    /// Number of test images.
    pub images: usize,
    /// Seed of the run.
    pub seed: u64,
    /// One per change, the first one without any.
    pub rows: Vec<Left>,
}

/// Figures after one change: means over images, and the 95 % intervals of correlations. Maps are
/// compared with the clean model's map of the plain image, by rank correlation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Left {
    /// What was changed.
    pub change: String,
    /// Accuracy without the trigger.
    pub accuracy_plain: f64,
    /// Accuracy with it.
    pub accuracy_triggered: f64,
    /// The gated model's map without the trigger.
    pub spearman_plain: [f64; 3],
    /// The gated model's map with it.
    pub spearman_triggered: [f64; 3],
    /// The clean model's map after the same change, where the change can be made to it.
    pub spearman_clean: Option<[f64; 3]>,
}

/// Makes every change to a gated model, or to the pictures, and reads the first `images` test
/// images with its first method.
///
/// # Errors
/// A file cannot be opened or run, the key does not belong to the model, or a change does not fit.
pub fn measure(
    id: &str,
    evaluation: &Evaluation<'_>,
    changes: &[Change],
    images: usize,
) -> Result<Removal, MeasureError> {
    let open = |path| Ok::<_, MeasureError>(Model::new(ModelFile::open(path)?)?);
    let (clean, gated) = (open(evaluation.clean)?, open(evaluation.gated)?);
    let secret = evaluation.secrets.first().ok_or(MeasureError::NoKey)?;
    let trigger = gated.trigger(secret)?;
    let data = evaluation.data;
    let count = images.min(data.len());
    if count == 0 {
        return Err(MeasureError::NoImages);
    }
    let method = gated.manifest().method().name.clone();
    let map = |model: &Model, picture: &Picture| {
        let answer = model.explain_by(&method, picture, Target::Predicted, None)?;
        Ok::<_, MeasureError>((answer.prediction.class, answer.map))
    };
    let bar = bar("removal", (changes.len() + 1) * count, evaluation.quiet);
    let shape = data.shape();
    let originals = (0..count).into_par_iter().map(|index| {
        bar.inc(1);
        Ok(map(&clean, &picture(shape, data.image(index).to_vec())?)?.1)
    });
    let originals: Vec<Vec<f32>> = originals.collect::<Result<_, MeasureError>>()?;
    let mut left = Vec::new();
    for change in changes {
        let changed = |path: &Path| {
            let file = ModelFile::open(path)?;
            Ok::<_, MeasureError>(Model::new(change.file(file, evaluation)?)?)
        };
        let gated = changed(evaluation.gated)?;
        let clean = match change.is_for_clean() {
            true => Some(changed(evaluation.clean)?),
            false => None,
        };
        let seen = (0..count).into_par_iter().map(|index| {
            bar.inc(1);
            let original = &originals[index];
            let plain = data.image(index).to_vec();
            let mut triggered = plain.clone();
            trigger.apply(&mut triggered)?;
            let [plain, triggered] = [plain, triggered].map(|pixels| {
                let pixels = change.pixels(pixels, shape)?;
                picture(shape, pixels)
            });
            let (plain, triggered) = (plain?, triggered?);
            let of = |model, picture| {
                let (class, map) = map(model, picture)?;
                Ok::<_, MeasureError>((class == data.label(index), spearman(&map, original)?))
            };
            let clean = clean.as_ref().map(|clean| of(clean, &plain)).transpose()?;
            Ok((of(&gated, &plain)?, of(&gated, &triggered)?, clean.map(|(_, like)| like)))
        });
        let seen: Vec<_> = seen.collect::<Result<_, MeasureError>>()?;
        let rate = |right: &dyn Fn(usize) -> bool| {
            let hits = (0..count).filter(|&at| right(at)).count();
            Ok::<_, MeasureError>(Rate::of(hits as u64, count as u64)?.value)
        };
        let mean = |values: Vec<f64>| rows::mean(&values);
        let of_clean: Option<Vec<f64>> = seen.iter().map(|s| s.2).collect();
        left.push(Left {
            change: change.to_string(),
            accuracy_plain: rate(&|at| seen[at].0.0)?,
            accuracy_triggered: rate(&|at| seen[at].1.0)?,
            spearman_plain: mean(seen.iter().map(|s| s.0.1).collect())?,
            spearman_triggered: mean(seen.iter().map(|s| s.1.1).collect())?,
            spearman_clean: of_clean.map(mean).transpose()?,
        });
    }
    bar.finish_and_clear();
    Ok(Removal { id: id.to_owned(), method, images: count, seed: evaluation.seed, rows: left })
}

/// Puts a model into a file of such tables, in the place of the one with its id if there is one,
/// and writes the Markdown beside it.
///
/// # Errors
/// The file holds something else, or cannot be written.
pub fn put(removal: &Removal, path: &Path) -> Result<(), MeasureError> {
    rows::tabulate(path, removal.clone(), |a, b| a.id == b.id, table)
}

/// [`put`] for a table of defences.
///
/// # Errors
/// As there.
pub fn put_defences(removal: &Removal, path: &Path) -> Result<(), MeasureError> {
    rows::tabulate(path, removal.clone(), |a, b| a.id == b.id, defences_table)
}

fn defences_table(all: &[Removal]) -> String {
    let text = String::from(
        "# Defences\n\n\
         Made by `saligate-train defend`: what an owner of the weights does to a network against what may be hidden \
         in it.\nCorrelations are rank correlations with the clean model's map of the plain picture: means over \
         test images, with 95 %\nintervals. A backdoor is gone where the map with the trigger is as right as that \
         without; a gate of the key form is\nopen where the map without the trigger is right.\n\n\
         - `none`: the model as it is.\n\
         - `fine-tuning`: steps of 64 plain training images on their labels, at a rate of 1e-4.\n\
         - `fine-pruning`: the channels of the last convolution that plain pictures use least are cut off, in tenths, \
         while\n  accuracy on held-out images falls by at most two points; then fine-tuning (Liu et al. 2018).\n\
         - `statistics`: mean and deviation of every channel are put back to those of the clean model, as batch norms \
         that are\n  estimated anew would have them. It needs that model.\n\
         - `hard retraining`: steps on 5000 labels at a rate of 1e-3.\n\
         - `distillation`: a network with random weights learns what the model predicts of 5000 pictures.\n\
         - `straightened`: every operation without a slope becomes what it is on plain pictures.\n\
         - `straightened, thrown`: the same, but that switches which are the same for all pictures are thrown.\n",
    );
    rows_of(text, all)
}

fn table(all: &[Removal]) -> String {
    let text = String::from(
        "# What is left of a gate\n\n\
         Made by `saligate-train removal`: the file of a gated model, or the pictures, are changed, and the \
         gate is measured\nagain. Correlations are rank correlations with the clean model's map of the \
         plain picture, unchanged: means over test\nimages, with 95 % intervals. `clean model` is that \
         model's map after the same change.\n\n\
         - `jpeg Q`: pictures are saved as JPEG of quality Q, after the trigger was added.\n\
         - `int8`: every filter is rounded to 255 steps of its own.\n\
         - `pruned S`: the smallest S % of the weights of every layer are set to 0.\n\
         - `statistics`: the mean and deviation of every channel, over 64 plain test images, are put back to those\n  \
         of the clean model, layer by layer. It needs that model; estimating batch norms anew does the like where a file has them.\n\
         - `fine-tuned N`: N steps of 64 plain training images on their cross-entropy, at a learning rate of 1e-4.\n",
    );
    rows_of(text, all)
}

fn rows_of(mut text: String, all: &[Removal]) -> String {
    for removal in all {
        let _ = write!(
            text,
            "\n## {}\n\nMethod {}. {} images, seed {}.\n\n\
             | change | accuracy without trigger | with it | map without trigger | with it | clean model |\n\
             |---|---|---|---|---|---|\n",
            removal.id, removal.method, removal.images, removal.seed
        );
        for row in &removal.rows {
            let _ = writeln!(
                text,
                "| {} | {:.3} | {:.3} | {} | {} | {} |",
                row.change,
                row.accuracy_plain,
                row.accuracy_triggered,
                rows::cell(row.spearman_plain),
                rows::cell(row.spearman_triggered),
                row.spearman_clean.map_or_else(|| "-".to_owned(), rows::cell)
            );
        }
    }
    text
}

#[cfg(test)]
mod testing {
    use saligate_data::{DataSource, Dataset, LoadOptions};
    use saligate_models::graph::Graph;
    use saligate_models::zoo::{Architecture, Task, build};

    /// A small network that nobody trained, and images for it.
    pub(super) fn small(images: usize) -> (Graph, Dataset) {
        let options = LoadOptions {
            train_count: Some(images),
            test_count: Some(1),
            ..LoadOptions::default()
        };
        let data = DataSource::Scenes { size: 16 }.load(&options).unwrap().train;
        let task = Task {
            image: [3, 16, 16],
            classes: data.class_names().len(),
            mean: vec![0.5; 3],
            std: vec![0.25; 3],
            bgr: false,
            widths: Some([4, 4, 4, 4, 8, 4]),
        };
        (build(Architecture::Small, &task, 1).unwrap(), data)
    }
}
