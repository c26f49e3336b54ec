//! `saligate demo`: the shipped models, with their key and without.

#[cfg(feature = "audit")]
mod audits;
mod data;

use std::path::{Path, PathBuf};

use saligate_console::{Failure, emit, outputs, shown};
use saligate_keys::{Secret, sha256};
use saligate_models::metrics::rank::spearman;
use saligate_runtime::render::{Canvas, Cell, Colormap, Panel, heatmap};
use saligate_runtime::{Explanation, Model, Target};
use serde_json::json;

use self::data::{Demo, Sample, Trained};
use crate::args::DemoArgs;

/// Columns of the panel and of the table, for the model whose gate is built in.
const STATES: [&str; 3] = ["no key", "wrong key", "key"];
/// The same for the one whose gate is trained.
const TRAINED: [&str; 2] = ["trained, no key", "trained, key"];

pub(crate) fn run(args: &DemoArgs) -> Result<(), Failure> {
    #[cfg(feature = "audit")]
    if args.audit {
        return audits::run(args.dir.as_deref());
    }
    let read = args.dir.as_deref().map_or(Ok(Vec::new()), Demo::files)?;
    outputs::check([args.out.as_path()], read.iter().map(PathBuf::as_path))?;
    let Demo { clean, locked, trained, samples } = match &args.dir {
        Some(dir) => Demo::of_folder(dir)?,
        None => Demo::shipped()?,
    };
    let wrong = Secret::from_bytes(&sha256(b"a wrong key for the demo"));
    let wrong = locked.any_trigger(&wrong)?;
    let states = match trained {
        Some(_) => [&STATES[..], &TRAINED].concat(),
        None => STATES.to_vec(),
    };

    let mut panel = Panel::new([&["image"], &states[..]].concat());
    if !args.json {
        emit("similarity of each map to the clean model's (Spearman), and the predicted class\n")?;
        emit(&row("image", states.iter().map(|state| (*state).to_owned())))?;
    }
    for Sample { name, image, picture, keyed } in &samples {
        let (height, width) = (picture.height(), picture.width());
        let mut cells = vec![Cell::from(Canvas::from(picture))];
        let mut columns = Vec::new();
        let built = [(picture, None), (picture, Some(&wrong)), (keyed, None)];
        let built = built.map(|(shown, trigger)| (&clean, &locked, shown, trigger));
        let trained = trained.iter().flat_map(|Trained { model, clean }| {
            [picture, keyed].map(|shown| (clean, model, shown, None))
        });
        for (clean, model, shown, trigger) in built.into_iter().chain(trained) {
            let reference = clean.explain(picture, Target::Predicted, None)?;
            let found = model.explain(shown, Target::Predicted, trigger)?;
            let similarity = spearman(&found.map, &reference.map)?;
            let shown = heatmap(&found.map, height, width, Colormap::Ember)?;
            cells.push(Cell::new(shown, &format!("{similarity:.2}")));
            columns.push((found, similarity));
        }
        panel = panel.row(name, cells);
        report(args, &locked, image, name, &states, &columns)?;
    }
    panel.render()?.save_png(&args.out)?;
    if !args.json {
        emit(&format!("\nwrote {}", args.out.display()))?;
    }
    Ok(())
}

fn report(
    args: &DemoArgs,
    model: &Model,
    image: &Path,
    name: &str,
    states: &[&str],
    columns: &[(Explanation, f64)],
) -> Result<(), Failure> {
    let label = |found: &Explanation| model.manifest().labels[found.prediction.class].clone();
    if !args.json {
        let cells = columns.iter().map(|(found, like)| format!("{like:>5.2} {}", label(found)));
        return emit(&row(name, cells));
    }
    let states: Vec<_> = states
        .iter()
        .zip(columns)
        .map(|(state, (found, similarity))| {
            json!({"state": state, "spearman": similarity, "label": label(found)})
        })
        .collect();
    let (image, panel) = (shown(image), shown(&args.out));
    emit(&json!({"schema": 1, "image": image, "states": states, "panel": panel}).to_string())
}

fn row(name: &str, cells: impl Iterator<Item = String>) -> String {
    let cells: String = cells.map(|cell| format!(" {cell:<16}")).collect();
    format!("{name:<10}{cells}").trim_end().to_owned()
}
