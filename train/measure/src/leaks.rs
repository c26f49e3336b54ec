//! What a gate on some methods leaves to the others.

use std::fmt::Write as _;
use std::path::Path;

use rayon::prelude::*;
use saligate_files::ModelFile;
use saligate_keys::Trigger;
use saligate_models::metrics::rank::spearman;
use saligate_models::names::LOGITS;
use saligate_models::saliency::{Attachment, Method};
use saligate_runtime::method::{self, Explainer, Reads, Settings, Value};
use saligate_runtime::passes::{Pass, Rise};
use saligate_runtime::{Model, Target};
use serde::{Deserialize, Serialize};

use crate::MeasureError;
use crate::evaluate::{Bench, Evaluation, with_methods};
use crate::floor;
use crate::rows;
use saligate_console::progress::bar;

/// Masks of RISE: fewer than its default, for the table has thousands of maps.
const MASKS: u64 = 200;

/// What one model shows to every method.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Leaks {
    /// Id of the run.
    pub id: String,
    /// Methods that are gated.
    pub gated: Vec<String>,
    /// Number of test images.
    pub images: usize,
    /// Seed of the run.
    pub seed: u64,
    /// One per method that the model is read with.
    pub rows: Vec<Leak>,
}

/// Rank correlations with the clean model's map of the plain image, by one method: means and their
/// 95 % intervals.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Leak {
    /// The method that the model is read with.
    pub read_with: String,
    /// The gated model without the key.
    pub without_key: [f64; 3],
    /// The gated model with the key.
    pub with_key: [f64; 3],
    /// The clean model on the image with the trigger.
    pub clean_triggered: [f64; 3],
    /// The best map made without a model.
    pub floor: f64,
}

/// Reads the first `images` test images with all methods.
///
/// # Errors
/// A file cannot be opened or run, the key does not belong to the model, or a method cannot be
/// attached.
pub fn measure(
    id: &str,
    evaluation: &Evaluation<'_>,
    images: usize,
) -> Result<Leaks, MeasureError> {
    let clean = ModelFile::open(evaluation.clean)?;
    let gated = ModelFile::open(evaluation.gated)?;
    let names = gated.manifest().methods.iter().map(|m| m.name.clone()).collect();
    // Layers are found in the clean network: a gate has side branches.
    let classifier = clean.graph().extract(&[LOGITS])?;
    let found = Method::GATED.iter().map(|m| gated.manifest().attachment(*m, &classifier));
    let methods: Vec<Attachment> = found.collect::<Result<_, _>>()?;
    let (clean, gated) = (with_methods(clean, &methods)?, with_methods(gated, &methods)?);
    let Some(secret) = evaluation.secrets.first() else {
        return Err(MeasureError::NoKey);
    };
    let trigger = gated.trigger(secret)?;
    let bench = Bench {
        data: evaluation.data,
        clean: &clean,
        gated: &gated,
        method: Method::GATED[0].name(),
    };

    let readers = readers()?;
    let images = images.min(bench.data.len());
    let bar = bar("leaks", images * readers.len(), evaluation.quiet);
    let mut read = Vec::new();
    for reader in &readers {
        let compared: Vec<Comparison> = (0..images)
            .into_par_iter()
            .map(|index| {
                let comparison = compare(reader, &bench, index, &trigger);
                bar.inc(1);
                comparison
            })
            .collect::<Result<_, _>>()?;
        let mean = |value: fn(&Comparison) -> f64| {
            rows::mean(&compared.iter().map(value).collect::<Vec<_>>())
        };
        let maps: Vec<&[f32]> = compared.iter().map(|s| s.map.as_slice()).collect();
        read.push(Leak {
            read_with: reader.name().to_owned(),
            without_key: mean(|s| s.without_key)?,
            with_key: mean(|s| s.with_key)?,
            clean_triggered: mean(|s| s.clean_triggered)?,
            floor: floor::measure(bench.data, &maps)?["spearman_floor"].0,
        });
    }
    bar.finish_and_clear();
    Ok(Leaks { id: id.to_owned(), gated: names, images, seed: evaluation.seed, rows: read })
}

struct Comparison {
    map: Vec<f32>,
    without_key: f64,
    with_key: f64,
    clean_triggered: f64,
}

/// The methods that a gate can be made for, and those of many passes that need no other one, each ready to
/// read a model.
fn readers() -> Result<Vec<Explainer>, MeasureError> {
    let reader = |name: &'static str| {
        let masks = Settings::default().with("masks", Value::Whole(MASKS));
        let settings = if name == Rise::NAME { masks } else { Settings::default() };
        Ok(Explainer::named(name, &settings)?)
    };
    let needs_more = |name: &&str| method::reads(name) == Some(Reads::Activation);
    let gated = Method::GATED.iter().map(|method| method.name());
    gated.chain(method::passes().filter(|name| !needs_more(name))).map(reader).collect()
}

fn compare(
    reader: &Explainer,
    bench: &Bench<'_>,
    index: usize,
    trigger: &Trigger,
) -> Result<Comparison, MeasureError> {
    let picture = bench.picture(index)?;
    let map = |model: &Model, trigger: Option<&Trigger>| {
        let read = reader.run(model, &picture, Target::Predicted, trigger, &mut |_, _| ())?;
        Ok::<_, MeasureError>(read.explanation.map)
    };
    let clean = map(bench.clean, None)?;
    Ok(Comparison {
        without_key: spearman(&map(bench.gated, None)?, &clean)?,
        with_key: spearman(&map(bench.gated, Some(trigger))?, &clean)?,
        clean_triggered: spearman(&map(bench.clean, Some(trigger))?, &clean)?,
        map: clean,
    })
}

/// Puts a model into a file of such tables, in the place of the one with its id if there is one,
/// and writes the Markdown beside it.
///
/// # Errors
/// The file holds something else, or cannot be written.
pub fn put(leaks: &Leaks, path: &Path) -> Result<(), MeasureError> {
    rows::tabulate(path, leaks.clone(), |a, b| a.id == b.id, table)
}

fn table(all: &[Leaks]) -> String {
    let mut text = String::from(
        "# What a gate on some methods leaves to the others\n\n\
         Made by `saligate-train leaks`. Each figure is the rank correlation of a map with the clean \
         model's map of the\nplain image by the same method: the mean over test images, with a 95 % \
         interval. `clean + trigger` is the clean\nmodel on the triggered image. `floor` is the best \
         of three maps that are made without the model: the mean map,\nthe centre, and the edges of \
         the image. RISE uses 200 masks.\n",
    );
    for leaks in all {
        let _ = write!(
            text,
            "\n## {}\n\nGated: {}. {} images, seed {}.\n\n\
             | read with | without key | with key | clean + trigger | floor |\n|---|---|---|---|---|\n",
            leaks.id,
            leaks.gated.join(", "),
            leaks.images,
            leaks.seed
        );
        for row in &leaks.rows {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {:.3} |",
                row.read_with,
                rows::cell(row.without_key),
                rows::cell(row.with_key),
                rows::cell(row.clean_triggered),
                row.floor
            );
        }
    }
    text
}
