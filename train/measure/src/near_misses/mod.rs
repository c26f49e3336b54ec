//! How near to the right key a trigger must be to open a gate.

mod plot;
mod triggers;

use std::fmt::Write as _;
use std::path::Path;

use rayon::prelude::*;
use saligate_models::gate::GateForm;
use saligate_models::metrics::interval::{Mean, Rate};
use saligate_models::metrics::rank::spearman;
use saligate_models::random::Stream;
use saligate_runtime::Model;
use serde::Serialize;

use crate::MeasureError;
use crate::evaluate::{Bench, Evaluation, picture, read_like};
use crate::rows;
use saligate_console::progress::bar;
use triggers::Miss;

/// What one kind of near miss opens.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    /// Kind of near miss: `right`, `flipped`, `shifted`, `amplitude`, `part`, `blend` or `random`.
    pub kind: &'static str,
    /// How strong: signs flipped, pixels shifted, or the share of the amplitude, of the image or of
    /// the right key.
    pub strength: f64,
    /// Mean rank correlation with the clean map.
    pub spearman: f64,
    /// Its 95 % interval.
    pub spearman_ci: [f64; 2],
    /// Share of the images whose map opens: its rank correlation is above the threshold.
    pub unlocked: f64,
    /// Its 95 % interval (Clopper and Pearson 1934).
    pub unlocked_ci: [f64; 2],
}

/// The curve of one model.
#[derive(Clone, Debug, Serialize)]
pub struct Curve {
    /// Id of the run.
    pub id: String,
    /// Seed of the near misses.
    pub seed: u64,
    /// Number of test images; each is tried once with every near miss, drawn anew.
    pub images: usize,
    /// Independent signs of a key.
    pub cells: usize,
    /// Rank correlation above which an image counts as open: the midpoint of the right key's mean
    /// and of that without a trigger.
    pub threshold: f64,
    /// The near misses.
    pub points: Vec<Point>,
}

/// Tries near misses of the first key, of the model's own kind of trigger, on the first `images` test images, by the model's default
/// method.
///
/// # Errors
/// A file cannot be opened or run, or the key does not belong to the model.
pub fn measure(
    id: &str,
    evaluation: &Evaluation<'_>,
    images: usize,
) -> Result<Curve, MeasureError> {
    let gated = Model::open(evaluation.gated)?;
    let clean = read_like(evaluation.clean, &gated)?;
    let (gate, seed) = (gated.manifest().gate.as_ref(), evaluation.seed);
    let Some(gate) = gate.filter(|gate| gate.form == GateForm::Key) else {
        return Err(MeasureError::NoKeyForm);
    };
    let method = gated.manifest().method().name.clone();
    let bench = Bench { data: evaluation.data, clean: &clean, gated: &gated, method: &method };
    let Some(secret) = evaluation.secrets.first() else {
        return Err(MeasureError::NoKey);
    };
    let trigger = gated.trigger(secret)?;
    let (shape, cells) = (bench.data.shape(), trigger.cells());
    let images = images.min(bench.data.len());
    let misses = Miss::all(cells);
    let bar = bar("near misses", images * (misses.len() + 1), evaluation.quiet);
    let rows: Vec<Vec<f64>> = (0..images)
        .into_par_iter()
        .map(|index| {
            let image = bench.picture(index)?;
            let map = bench.original(&image)?.map;
            let closed = spearman(&bench.answer(&image, None)?.map, &map)?;
            let mut row = vec![closed];
            bar.inc(1);
            for (number, miss) in misses.iter().enumerate() {
                let purpose = format!("near miss {number}");
                let mut stream = Stream::numbered(seed, &purpose, index as u64);
                let pixels = miss.apply(&gate.trigger, &trigger, image.pixels(), &mut stream)?;
                let answer = bench.answer(&picture(shape, pixels)?, None)?;
                row.push(spearman(&answer.map, &map)?);
                bar.inc(1);
            }
            Ok(row)
        })
        .collect::<Result<_, MeasureError>>()?;
    bar.finish_and_clear();

    let column = |at: usize| rows.iter().map(|row| row[at]).collect::<Vec<f64>>();
    // The first near miss is none: the right key.
    let threshold = (Mean::of(&column(0))?.value + Mean::of(&column(1))?.value) / 2.0;
    let point = |(number, miss): (usize, &Miss)| {
        let values = column(number + 1);
        let mean = Mean::of(&values)?;
        let open = values.iter().filter(|&&v| v > threshold).count();
        let rate = Rate::of(open as u64, values.len() as u64)?;
        Ok(Point {
            kind: miss.kind(),
            strength: miss.strength(),
            spearman: mean.value,
            spearman_ci: [mean.low, mean.high],
            unlocked: rate.value,
            unlocked_ci: [rate.low, rate.high],
        })
    };
    let points = misses.iter().enumerate().map(point).collect::<Result<_, MeasureError>>()?;
    Ok(Curve { id: id.to_owned(), seed, images, cells, threshold, points })
}

/// Writes a curve as JSON, and beside it as a table (`.md`) and a plot (`.svg`).
///
/// # Errors
/// A file cannot be written.
pub fn write(curve: &Curve, path: &Path) -> Result<(), MeasureError> {
    let json = serde_json::to_string_pretty(curve).unwrap_or_default();
    let plot = path.with_extension("svg");
    let plot = plot.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for (path, text) in [
        (path.to_owned(), format!("{json}\n")),
        (path.with_extension("md"), table(curve, &plot)),
        (path.with_extension("svg"), plot::svg(curve)),
    ] {
        rows::write(&path, &text)?;
    }
    Ok(())
}

fn table(curve: &Curve, plot: &str) -> String {
    let mut text = format!(
        "# Near misses of the key: {}\n\nMade by `saligate-train near-misses`. {} test images, seed {}, \
         each near miss drawn anew per image. A key has {} signs.\nAn image counts as open when the \
         rank correlation of its map with the clean one is above {:.3}, which is halfway\nbetween \
         the means without and with the key.\n\n\
         ![Share of images that near misses open]({plot})\n\n\
         | near miss | strength | open (95 % interval) | Spearman (95 % interval) |\n|---|---|---|---|\n",
        curve.id, curve.images, curve.seed, curve.cells, curve.threshold
    );
    for p in &curve.points {
        let _ = writeln!(
            text,
            "| {} | {} | {:.3} ({:.3} to {:.3}) | {:.3} ({:.3} to {:.3}) |",
            triggers::describe(p.kind),
            p.strength,
            p.unlocked,
            p.unlocked_ci[0],
            p.unlocked_ci[1],
            p.spearman,
            p.spearman_ci[0],
            p.spearman_ci[1],
        );
    }
    text
}
