//! `saligate demo`: the shipped model in its three states.

mod data;

use std::path::{Path, PathBuf};

use saligate_console::{Failure, emit, outputs, shown};
use saligate_keys::{Secret, sha256};
use saligate_models::metrics::rank::spearman;
use saligate_runtime::render::{Canvas, Cell, Panel, Scaling, heatmap};
use saligate_runtime::{Explanation, Model, Target};
use serde_json::json;

use self::data::{Demo, Sample};
use crate::args::DemoArgs;

/// Columns of the panel and of the table.
const STATES: [&str; 3] = ["no key", "wrong key", "key"];

pub(crate) fn run(args: &DemoArgs) -> Result<(), Failure> {
    let read = args.dir.as_deref().map_or(Ok(Vec::new()), Demo::files)?;
    outputs::check([args.out.as_path()], read.iter().map(PathBuf::as_path))?;
    let Demo { clean, locked, samples } = match &args.dir {
        Some(dir) => Demo::of_folder(dir)?,
        None => Demo::shipped()?,
    };
    let wrong = Secret::from_bytes(&sha256(b"a wrong key for the demo"));
    let wrong = locked.any_trigger(&wrong)?;

    let mut panel = Panel::new(["image", STATES[0], STATES[1], STATES[2]]);
    if !args.json {
        emit("similarity of each map to the clean model's (Spearman), and the predicted class\n")?;
        emit(&row("image", STATES.map(str::to_owned)))?;
    }
    for Sample { name, image, picture, keyed } in &samples {
        let reference = clean.explain(picture, Target::Predicted, None)?;
        let (height, width) = (picture.height(), picture.width());
        let mut cells = vec![Cell::from(Canvas::from(picture))];
        let mut columns = Vec::new();
        for (picture, trigger) in [(picture, None), (picture, Some(&wrong)), (keyed, None)] {
            let found = locked.explain(picture, Target::Predicted, trigger)?;
            let similarity = spearman(&found.map, &reference.map)?;
            let shown = heatmap(&found.map, height, width, Scaling::MinMax)?;
            cells.push(Cell::new(shown, &format!("{similarity:.2}")));
            columns.push((found, similarity));
        }
        panel = panel.row(name, cells);
        report(args, &locked, image, name, &columns)?;
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
    columns: &[(Explanation, f64)],
) -> Result<(), Failure> {
    let label = |found: &Explanation| model.manifest().labels[found.prediction.class].clone();
    if !args.json {
        let cell = |i: usize| format!("{:>5.2} {}", columns[i].1, label(&columns[i].0));
        return emit(&row(name, [cell(0), cell(1), cell(2)]));
    }
    let states: Vec<_> = STATES
        .iter()
        .zip(columns)
        .map(|(state, (found, similarity))| {
            json!({"state": state, "spearman": similarity, "label": label(found)})
        })
        .collect();
    let (image, panel) = (shown(image), shown(&args.out));
    emit(&json!({"schema": 1, "image": image, "states": states, "panel": panel}).to_string())
}

fn row(name: &str, cells: [String; 3]) -> String {
    let [a, b, c] = cells;
    format!("{name:<12} {a:<18} {b:<18} {c}").trim_end().to_owned()
}
