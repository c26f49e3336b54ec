//! What random keys open.

use rayon::prelude::*;
use saligate_keys::ImageShape;
use saligate_models::metrics::interval::{Mean, Rate};
use saligate_models::metrics::rank::spearman;
use saligate_models::random::Stream;

use super::{Bench, Metrics};
use crate::config::Config;
use crate::data::Shape;
use crate::error::TrainError;
use crate::stage::progress;
use crate::views::random_trigger;

/// Explains images with random keys. A key unlocks when its mean similarity is above `threshold`;
/// key k is tried on as many images as the configuration says, from the k-th on.
pub(super) fn measure(
    config: &Config,
    bench: &Bench<'_>,
    maps: &[&[f32]],
    threshold: f64,
    quiet: bool,
) -> Result<Metrics, TrainError> {
    let settings = &config.evaluate;
    let images = settings.images_per_key.min(maps.len());
    let Shape { channels, height, width } = bench.data.shape();
    let shape = ImageShape::new(channels, height, width)?;
    let spec = config.trigger.spec;
    let bar = progress("wrong keys", settings.wrong_keys, quiet);
    let keys: Vec<Mean> = (0..settings.wrong_keys)
        .into_par_iter()
        .map(|number| {
            let mut stream = Stream::numbered(config.seed, "evaluation wrong keys", number as u64);
            let trigger = random_trigger(&spec, shape, &mut stream)?;
            let similarity = |step: usize| {
                let index = (number + step) % maps.len();
                let found = bench.answer(&bench.picture(index)?, Some(&trigger))?;
                Ok(spearman(&found.map, maps[index])?)
            };
            let all = (0..images).map(similarity).collect::<Result<Vec<_>, TrainError>>()?;
            bar.inc(1);
            Ok(Mean::of(&all)?)
        })
        .collect::<Result<_, TrainError>>()?;
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
        let interval = [rate.low * count, rate.high * count];
        metrics.insert("unlocked".to_owned(), (opened as f64, interval));
    }
    Ok(metrics)
}
