//! `saligate predict`.

use std::path::Path;

use saligate_console::{Failure, emit, shown};
use saligate_keys::Timestamp;
use saligate_models::head::Head;
use saligate_runtime::{Access, Model, Prediction};
use serde_json::json;

use crate::args::PredictArgs;
use crate::shared::jobs::in_order;
use crate::shared::opening::{Opening, Purpose};
use crate::shared::{pictures, ranking};

pub(crate) fn run(args: &PredictArgs) -> Result<(), Failure> {
    let images = pictures::listed(&args.images)?;
    let purpose = Purpose::Prediction;
    let opening = Opening { path: &args.model, vendor: args.vendor, access: &args.access };
    let (model, access) = opening.open(&args.foreign, &purpose, &args.running)?;
    if args.access.any() && access.is_none() {
        return Err(Failure::new("everybody gets the predictions of this model")
            .in_file(&args.model)
            .hint("leave out --key, --license, --identity"));
    }
    in_order(
        &images,
        args.jobs,
        |path| answer(&model, access.as_ref(), path),
        |path, prediction| report(args, &model, path, &prediction),
    )
}

fn answer(model: &Model, access: Option<&Access>, path: &Path) -> Result<Prediction, Failure> {
    access.map_or(Ok(()), |access| access.check(model, Timestamp::now()))?;
    Ok(model.predict(&pictures::open(model, path)?)?)
}

fn report(
    args: &PredictArgs,
    model: &Model,
    path: &Path,
    prediction: &Prediction,
) -> Result<(), Failure> {
    let count = args.top.unwrap_or_else(|| match prediction.head {
        Head::Softmax => 1,
        Head::Sigmoid => prediction.logits.iter().filter(|&&logit| logit > 0.0).count(),
    });
    let ranked = ranking::ranked(model, prediction, count.max(1));
    if args.json {
        let head = prediction.head.name();
        let line = json!({"schema": 1, "image": shown(path), "head": head, "classes": ranked});
        return emit(&line.to_string());
    }
    let classes = ranked.iter().map(|c| {
        let probability = c["probability"].as_f64().unwrap_or_default();
        format!("{} {probability:.3}", c["label"].as_str().unwrap_or_default())
    });
    let classes: Vec<String> = classes.collect();
    emit(&format!("{}: {}", path.display(), classes.join(", ")))
}
