//! What random keys open.

use rayon::prelude::*;
use saligate_models::metrics::interval::{Mean, Rate};
use saligate_models::metrics::rank::spearman;
use saligate_models::random::Stream;

use saligate_console::progress::bar;
use saligate_runtime::RuntimeError;

use super::{Bench, Counts, Evaluation, Metrics};
use crate::MeasureError;
use crate::triggers::random_trigger;

/// Explains images with random keys, whose triggers are of the model's own kind. A key unlocks when
/// its mean similarity is above `threshold`; key k is tried on as many images as the counts say,
/// from the k-th on.
pub(super) fn measure(
    evaluation: &Evaluation<'_>,
    counts: &Counts,
    bench: &Bench<'_>,
    maps: &[&[f32]],
    threshold: f64,
) -> Result<Metrics, MeasureError> {
    let images = counts.images_per_key.min(maps.len());
    let gate = bench.gated.manifest().gate.as_ref().ok_or(RuntimeError::NoGate)?;
    let (spec, shape) = (gate.trigger, bench.gated.shape()?);
    let bar = bar("wrong keys", counts.wrong_keys, evaluation.quiet);
    let keys: Vec<Mean> = (0..counts.wrong_keys)
        .into_par_iter()
        .map(|number| {
            let mut stream =
                Stream::numbered(evaluation.seed, "evaluation wrong keys", number as u64);
            let trigger = random_trigger(&spec, shape, &mut stream)?;
            let similarity = |step: usize| {
                let index = (number + step) % maps.len();
                let found = bench.answer(&bench.picture(index)?, Some(&trigger))?;
                Ok(spearman(&found.map, maps[index])?)
            };
            let all = (0..images).map(similarity).collect::<Result<Vec<_>, MeasureError>>()?;
            bar.inc(1);
            Ok(Mean::of(&all)?)
        })
        .collect::<Result<_, MeasureError>>()?;
    bar.finish_and_clear();

    let mut metrics = Metrics::new();
    let means: Vec<f64> = keys.iter().map(|key| key.value).collect();
    let (Ok(mean), Some(worst)) =
        (Mean::of(&means), keys.iter().max_by(|a, b| a.value.total_cmp(&b.value)))
    else {
        return Ok(metrics);
    };
    let count = keys.len() as f64;
    let opened = means.iter().filter(|&&value| value > threshold).count();
    metrics.insert("spearman_wrong_mean".to_owned(), (mean.value, [mean.low, mean.high]));
    metrics.insert("spearman_wrong_max".to_owned(), (worst.value, [worst.low, worst.high]));
    metrics.insert("wrong_keys".to_owned(), (count, [count; 2]));
    if let Ok(rate) = Rate::of(opened as u64, keys.len() as u64) {
        metrics.insert("unlocked".to_owned(), (opened as f64, [opened as f64; 2]));
        metrics.insert("unlocked_share".to_owned(), (rate.value, [rate.low, rate.high]));
    }
    Ok(metrics)
}
