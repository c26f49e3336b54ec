//! `saligate-train defend`.

use std::path::Path;

use saligate_console::emit;
use saligate_files::ModelFile;
use saligate_measure::removal::{self, Change, defences};
use saligate_measure::{Evaluation, MeasureError};
use saligate_models::graph::Graph;
use saligate_models::names::LOGITS;
use saligate_train::copy::{Recipe, copied};
use saligate_train::fit::fine_tuned;
use saligate_train::{TrainError, export};

use super::tables::{Opened, tabulate};
use crate::args::{RunArgs, TableArgs};
use crate::session::some;

/// Largest fall of the accuracy on held-out images by pruning.
const FALL: f64 = 0.02;
/// Held-out training images that pruning looks at, where the configuration holds out none.
const HELD_OUT: usize = 500;

pub(crate) fn run(
    run: &RunArgs,
    table: &TableArgs,
    images: usize,
    steps: usize,
    save: Option<&str>,
) -> Result<(), TrainError> {
    let mismatch = |reason: String| TrainError::Mismatch { reason };
    let save = save.map(|text| {
        text.split_once('=').ok_or_else(|| mismatch(format!("--save {text}: give NAME=FILE")))
    });
    let save = save.transpose()?;
    let opened = Opened::new(run, table)?;
    some(opened.images.train.len())?;
    let changes = changes(&opened, steps)?;
    if let Some((name, path)) = save {
        let known: Vec<String> = changes.iter().map(ToString::to_string).collect();
        let Some(Change::Network(_, file)) =
            changes.iter().find(|change| change.to_string() == name)
        else {
            return Err(mismatch(format!(
                "there is no defence '{name}' with a network; there are {}",
                known.join(", ")
            )));
        };
        file.save(Path::new(path))?;
        emit(&format!("wrote {path}"))?;
    }
    let measure = |id: &str, what: &Evaluation<'_>| -> Result<_, MeasureError> {
        removal::measure(id, what, &changes, images)
    };
    tabulate(&opened, measure, removal::put_defences)
}

/// Every defence, as a model.
fn changes(opened: &Opened<'_>, steps: usize) -> Result<Vec<Change>, TrainError> {
    let Opened { session, images, paths, .. } = opened;
    let (config, options) = (session.config(), session.options());
    let gated = ModelFile::open(&paths[1])?;
    let network: Graph = gated.graph().extract(&[LOGITS])?;
    let labels = &gated.manifest().labels;
    let model = |name: &str, graph: &Graph| -> Result<Change, TrainError> {
        let file = export::clean(config, graph, labels)?;
        Ok(Change::Network(name.to_owned(), Box::new(file)))
    };
    let held_out = match images.validation.len() {
        0 => images.train.clone().take(HELD_OUT),
        _ => images.validation.clone(),
    };
    let tuned = |graph: &Graph| fine_tuned(config, graph, steps, &images.train, options);
    let mut changes = vec![Change::Nothing, model("fine-tuning", &tuned(&network)?)?];
    let (pruned, cut) = defences::pruned(&network, &held_out, FALL)?;
    changes.push(model(&format!("pruning of {cut} channels"), &pruned)?);
    changes.push(model("fine-pruning", &tuned(&pruned)?)?);
    changes.push(Change::Statistics);
    for (name, recipe, times) in
        [("hard retraining", Recipe::RETRAINED[0], 3), ("distillation", Recipe::STUDENT, 4)]
    {
        let recipe = Recipe { steps: times * steps, ..recipe };
        changes.push(model(name, &copied(config, &recipe, &network, &images.train, options)?)?);
    }
    for (name, thrown) in [("straightened", false), ("straightened, thrown", true)] {
        if let Some(graph) = defences::straightened(&network, &images.train, thrown)? {
            changes.push(model(name, &graph)?);
        }
    }
    Ok(changes)
}
