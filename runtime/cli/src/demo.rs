//! `saligate demo`: the shipped model in its three states.

use std::fs;
use std::path::{Path, PathBuf};

use saligate_keys::{Secret, sha256};
use saligate_models::metrics::rank::spearman;
use saligate_runtime::render::{Canvas, Cell, Panel, Scaling, heatmap};
use saligate_runtime::{Explanation, Model, Target};
use serde_json::json;

use crate::args::DemoArgs;
use crate::error::CliError;
use crate::{emit, outputs, predict, shown};

/// Columns of the panel and of the table.
const STATES: [&str; 3] = ["no key", "wrong key", "key"];

pub(crate) fn run(args: &DemoArgs) -> Result<(), CliError> {
    let models = ["clean.onnx", "locked.onnx"].map(|name| args.dir.join(name));
    outputs::check([args.out.as_path()], models.iter().map(PathBuf::as_path))?;
    let pictures = pictures(&args.dir.join("samples")).map_err(|error| missing(args, &error))?;
    outputs::check([args.out.as_path()], pictures.iter().map(PathBuf::as_path))?;
    let [clean, locked] = &models;
    let (clean, locked) = (Model::open(clean)?, Model::open(locked)?);
    // The demo key is public: no warning about who can read it.
    let right = saligate_keys::KeyFile::read(args.dir.join("demo.key"))?;
    let right = locked.trigger(right.secret())?;
    let wrong = Secret::from_bytes(&sha256(b"a wrong key for the demo"));
    let wrong = locked.any_trigger(&wrong)?;

    let mut panel = Panel::new(["image", STATES[0], STATES[1], STATES[2]]);
    if !args.json {
        emit("similarity of each map to the clean model's (Spearman), and the predicted class\n")?;
        emit(&row("image", STATES.map(str::to_owned)))?;
    }
    for path in &pictures {
        let picture = predict::open(&locked, path)?;
        let reference = clean.explain(&picture, Target::Predicted, None)?;
        let (height, width) = (picture.height(), picture.width());
        let mut cells = vec![Cell::from(Canvas::from(&picture))];
        let mut seen = Vec::new();
        for trigger in [None, Some(&wrong), Some(&right)] {
            let found = locked.explain(&picture, Target::Predicted, trigger)?;
            let similarity = spearman(&found.map, &reference.map)?;
            let shown = heatmap(&found.map, height, width, Scaling::MinMax)?;
            cells.push(Cell::new(shown, &format!("{similarity:.2}")));
            seen.push((found, similarity));
        }
        let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        panel = panel.row(&name, cells);
        report(args, &locked, path, &name, &seen)?;
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
    path: &Path,
    name: &str,
    seen: &[(Explanation, f64)],
) -> Result<(), CliError> {
    let label = |found: &Explanation| model.manifest().labels[found.prediction.class].clone();
    if !args.json {
        let cell = |i: usize| format!("{:>5.2} {}", seen[i].1, label(&seen[i].0));
        return emit(&row(name, [cell(0), cell(1), cell(2)]));
    }
    let states: Vec<_> = STATES
        .iter()
        .zip(seen)
        .map(|(state, (found, similarity))| {
            json!({"state": state, "spearman": similarity, "label": label(found)})
        })
        .collect();
    let (image, panel) = (shown(path), shown(&args.out));
    emit(&json!({"schema": 1, "image": image, "states": states, "panel": panel}).to_string())
}

fn row(name: &str, cells: [String; 3]) -> String {
    let [a, b, c] = cells;
    format!("{name:<12} {a:<18} {b:<18} {c}").trim_end().to_owned()
}

/// The PNG files of a folder by name.
fn pictures(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "png") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn missing(args: &DemoArgs, error: &std::io::Error) -> CliError {
    CliError::new(format!("cannot read the demo in {}: {error}", args.dir.display()))
        .hint("run from the top folder of the repository, or give --dir")
}
