//! `saligate predict`.

use std::path::Path;

use saligate_files::manifest::InputSpec;
use saligate_runtime::picture::{Framing, Picture};
use saligate_runtime::{Model, Prediction};
use serde_json::{Value, json};

use crate::args::PredictArgs;
use crate::error::CliError;
use crate::foreign::{self, Wanted};
use crate::jobs::in_order;
use crate::{emit, shown};

pub(crate) fn run(args: &PredictArgs) -> Result<(), CliError> {
    let wanted = Wanted::Predictions;
    let model = foreign::open(&args.model, args.vendor, &args.foreign, &wanted, &args.running)?;
    in_order(
        &args.images,
        args.jobs,
        |path| answer(&model, path),
        |path, prediction| report(args, &model, path, &prediction),
    )
}

fn answer(model: &Model, path: &Path) -> Result<Prediction, CliError> {
    Ok(model.predict(&open(model, path)?)?)
}

fn report(
    args: &PredictArgs,
    model: &Model,
    path: &Path,
    prediction: &Prediction,
) -> Result<(), CliError> {
    let ranked = ranked(model, prediction, args.top.max(1));
    if args.json {
        let line = json!({"schema": 1, "image": shown(path), "classes": ranked});
        return emit(&line.to_string());
    }
    let classes = ranked.iter().map(|c| {
        let probability = c["probability"].as_f64().unwrap_or_default();
        format!("{} {probability:.3}", c["label"].as_str().unwrap_or_default())
    });
    let classes: Vec<String> = classes.collect();
    emit(&format!("{}: {}", path.display(), classes.join(", ")))
}

/// Opens a picture in the model's size and channels.
pub(crate) fn open(model: &Model, path: &Path) -> Result<Picture, CliError> {
    let &InputSpec { channels, height, width, resize, .. } = &model.manifest().input;
    Ok(Picture::open(path, channels)?.framed(&Framing { height, width, resize })?)
}

/// The likeliest classes with number, label, logit and probability.
pub(crate) fn ranked(model: &Model, prediction: &Prediction, count: usize) -> Vec<Value> {
    let probabilities = prediction.probabilities();
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|&a, &b| prediction.logits[b].total_cmp(&prediction.logits[a]));
    let labels = &model.manifest().labels;
    let row = |class: usize| {
        json!({
            "class": class,
            "label": labels[class],
            "logit": prediction.logits[class],
            "probability": probabilities[class],
        })
    };
    order.into_iter().take(count).map(row).collect()
}
