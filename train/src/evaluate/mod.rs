//! Figures of a locked model: measured on the exported files, in the runtime.

use std::collections::BTreeMap;
use std::path::Path;

use rayon::prelude::*;
use saligate_keys::{ImageShape, Secret, Trigger, TriggerSpec};
use saligate_models::metrics::distance::mse_zscored;
use saligate_models::metrics::interval::{Mean, Rate};
use saligate_models::metrics::invisibility::{linf, psnr_db};
use saligate_models::metrics::localisation::pointing_game;
use saligate_models::metrics::overlap::top_k_overlap;
use saligate_models::metrics::rank::spearman;
use saligate_models::metrics::ssim::dssim;
use saligate_models::random::Stream;
use saligate_runtime::picture::Picture;
use saligate_runtime::{Explanation, Model, Target};

use crate::config::Config;
use crate::data::{Dataset, Shape};
use crate::decoy::decoy;
use crate::error::TrainError;
use crate::floor;
use crate::stage::progress;
use crate::views::random_trigger;

/// Share of the pixels that count as the top of a map.
const TOP: f64 = 0.10;

/// Images on which the contrast of two classes is read.
const CONTRAST_IMAGES: usize = 500;

/// What is measured.
pub struct Evaluation<'a> {
    /// File of the clean model.
    pub clean: &'a Path,
    /// File of the locked model.
    pub locked: &'a Path,
    /// The right key.
    pub secret: &'a Secret,
    /// Images that no training has seen.
    pub data: &'a Dataset,
    /// No progress bars.
    pub quiet: bool,
}

/// Value and 95 % interval by metric name.
pub type Metrics = BTreeMap<String, (f64, [f64; 2])>;

/// Measures a locked model against the clean one.
///
/// Similarities are per image and then averaged; the interval is that of the mean. Maps of wrong
/// keys are averaged per key first.
///
/// # Errors
/// A file cannot be opened or run, or the key does not belong to the model.
pub fn evaluate(config: &Config, evaluation: &Evaluation<'_>) -> Result<Metrics, TrainError> {
    let clean = Model::open(evaluation.clean)?;
    let locked = Model::open(evaluation.locked)?;
    let trigger = locked.trigger(evaluation.secret)?;
    let data = evaluation.data;
    let settings = &config.evaluate;
    let bench = Bench { data, shape: data.shape(), clean: &clean, locked: &locked };
    let decoy = decoy(&config.lock, data.shape(), config.seed)?;

    let count = settings.images.min(data.len());
    if count == 0 {
        let reason = "there are no images to measure on; set data.validation or data.test";
        return Err(TrainError::Mismatch { reason: reason.to_owned() });
    }
    let bar = progress("images", count, evaluation.quiet);
    let images: Vec<Image> = (0..count)
        .into_par_iter()
        .map(|index| {
            let image = bench.image(index, &trigger, &decoy);
            bar.inc(1);
            image
        })
        .collect::<Result<_, _>>()?;
    bar.finish_and_clear();

    let mut metrics = Metrics::new();
    let mut mean = |name: &str, value: fn(&Image) -> Option<f64>| {
        let values: Vec<f64> = images.iter().filter_map(value).collect();
        if let Ok(Mean { value, low, high, .. }) = Mean::of(&values) {
            metrics.insert(name.to_owned(), (value, [low, high]));
        }
    };
    mean("spearman_keyed", |i| Some(i.keyed.spearman));
    mean("spearman_locked", |i| Some(i.plain.spearman));
    mean("spearman_locked_abs", |i| Some(i.plain.spearman.abs()));
    mean("spearman_contrast_locked", |i| i.contrast);
    mean("top10_keyed", |i| Some(i.keyed.top));
    mean("top10_locked", |i| Some(i.plain.top));
    mean("mse_keyed", |i| Some(i.mse_keyed));
    mean("dssim_keyed", |i| Some(i.dssim_keyed));
    mean("mse_decoy", |i| Some(i.mse_decoy));
    mean("psnr_db", |i| i.psnr);
    let mut rate = |name: &str, value: fn(&Image) -> Option<bool>| {
        let values: Vec<bool> = images.iter().filter_map(value).collect();
        let hits = values.iter().filter(|&&hit| hit).count();
        if let Ok(Rate { value, low, high, .. }) = Rate::of(hits as u64, values.len() as u64) {
            metrics.insert(name.to_owned(), (value, [low, high]));
        }
    };
    rate("accuracy_clean", |i| Some(i.right_clean));
    rate("accuracy_locked", |i| Some(i.plain.right));
    rate("accuracy_keyed", |i| Some(i.keyed.right));
    rate("pointing_clean", |i| i.pointing_clean);
    rate("pointing_keyed", |i| i.keyed.pointing);
    rate("pointing_locked", |i| i.plain.pointing);
    let largest = images.iter().map(|i| i.linf).fold(0.0, f64::max);
    metrics.insert("linf".to_owned(), (largest, [largest; 2]));
    let maps: Vec<&[f32]> = images.iter().map(|i| i.map.as_slice()).collect();
    metrics.extend(floor::measure(data, &maps)?);

    let threshold = (metrics["spearman_keyed"].0 + metrics["spearman_locked"].0) / 2.0;
    let spec = config.trigger.spec;
    let keys = WrongKeys { config, spec, maps: &maps, threshold, quiet: evaluation.quiet };
    metrics.extend(keys.measure(&bench)?);
    Ok(metrics)
}

/// Similarities of one version of an image to the clean model's map.
struct Seen {
    right: bool,
    spearman: f64,
    top: f64,
    pointing: Option<bool>,
}

/// All that is read off one image.
struct Image {
    map: Vec<f32>,
    right_clean: bool,
    pointing_clean: Option<bool>,
    plain: Seen,
    keyed: Seen,
    contrast: Option<f64>,
    mse_keyed: f64,
    dssim_keyed: f64,
    mse_decoy: f64,
    psnr: Option<f64>,
    linf: f64,
}

struct Bench<'a> {
    data: &'a Dataset,
    shape: Shape,
    clean: &'a Model,
    locked: &'a Model,
}

impl Bench<'_> {
    fn image(&self, index: usize, trigger: &Trigger, decoy: &[f32]) -> Result<Image, TrainError> {
        let picture = self.picture(index)?;
        let reference = self.clean.explain(&picture, Target::Predicted, None)?;
        let plain = self.locked.explain(&picture, Target::Predicted, None)?;
        let keyed = self.locked.explain(&picture, Target::Predicted, Some(trigger))?;
        let map = reference.map;
        let mut triggered = picture.pixels().to_vec();
        trigger.apply(&mut triggered)?;
        let contrast = if index < CONTRAST_IMAGES {
            Some(spearman(&self.contrast(&picture, &plain)?, &map)?)
        } else {
            None
        };
        Ok(Image {
            right_clean: reference.prediction.class == self.data.label(index),
            pointing_clean: self.pointing(index, &map)?,
            contrast,
            mse_keyed: mse_zscored(&keyed.map, &map)?,
            dssim_keyed: dssim(&keyed.map, &map, self.shape.height, self.shape.width)?,
            mse_decoy: mse_zscored(&plain.map, decoy)?,
            psnr: psnr_db(picture.pixels(), &triggered)?,
            linf: linf(picture.pixels(), &triggered)?,
            plain: self.seen(index, &plain, &map)?,
            keyed: self.seen(index, &keyed, &map)?,
            map,
        })
    }

    fn picture(&self, index: usize) -> Result<Picture, TrainError> {
        let Shape { channels, height, width } = self.shape;
        let pixels = self.data.image(index).to_vec();
        let picture = Picture::from_planar(channels, height, width, pixels);
        picture.map_err(|error| TrainError::Mismatch { reason: error.to_string() })
    }

    fn seen(&self, index: usize, found: &Explanation, map: &[f32]) -> Result<Seen, TrainError> {
        Ok(Seen {
            right: found.prediction.class == self.data.label(index),
            spearman: spearman(&found.map, map)?,
            top: top_k_overlap(&found.map, map, TOP)?,
            pointing: self.pointing(index, &found.map)?,
        })
    }

    fn pointing(&self, index: usize, map: &[f32]) -> Result<Option<bool>, TrainError> {
        let object = self.data.object(index);
        Ok(object.map(|object| pointing_game(map, &object)).transpose()?)
    }

    /// Map of the difference between the attributions of the two likeliest classes: what is left
    /// of a decoy that is the same for all classes.
    fn contrast(&self, picture: &Picture, plain: &Explanation) -> Result<Vec<f32>, TrainError> {
        let logits = &plain.prediction.logits;
        let best = plain.prediction.class;
        let others = (0..logits.len()).filter(|&class| class != best);
        let second = others.max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap_or(best);
        let other = self.locked.explain(picture, Target::Class(second), None)?;
        let pixels = self.shape.pixels();
        let mut map = vec![0.0f32; pixels];
        let pairs = plain.attribution.values.iter().zip(&other.attribution.values);
        for (i, (a, b)) in pairs.enumerate() {
            map[i % pixels] = map[i % pixels].max((a - b).abs());
        }
        Ok(map)
    }
}

struct WrongKeys<'a> {
    config: &'a Config,
    spec: TriggerSpec,
    maps: &'a [&'a [f32]],
    /// A key unlocks when its mean similarity is above this.
    threshold: f64,
    quiet: bool,
}

impl WrongKeys<'_> {
    fn measure(&self, bench: &Bench<'_>) -> Result<Metrics, TrainError> {
        let settings = &self.config.evaluate;
        let images = settings.images_per_key.min(self.maps.len());
        let Shape { channels, height, width } = bench.shape;
        let shape = ImageShape::new(channels, height, width)?;
        let bar = progress("wrong keys", settings.wrong_keys, self.quiet);
        let keys: Vec<Mean> = (0..settings.wrong_keys)
            .into_par_iter()
            .map(|number| {
                let mut stream =
                    Stream::numbered(self.config.seed, "evaluation wrong keys", number as u64);
                let trigger = random_trigger(&self.spec, shape, &mut stream)?;
                let similarity = |index: usize| {
                    let picture = bench.picture(index)?;
                    let found =
                        bench.locked.explain(&picture, Target::Predicted, Some(&trigger))?;
                    Ok(spearman(&found.map, self.maps[index])?)
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
            (Mean::of(&means), keys.iter().max_by(|a, b| a.value.abs().total_cmp(&b.value.abs())))
        else {
            return Ok(metrics);
        };
        let count = keys.len() as f64;
        let opened = means.iter().filter(|&&value| value > self.threshold).count();
        metrics.insert("spearman_wrong_mean".to_owned(), (mean.value, [mean.low, mean.high]));
        metrics.insert("spearman_wrong_max".to_owned(), (worst.value, [worst.low, worst.high]));
        metrics.insert("wrong_keys".to_owned(), (count, [count; 2]));
        if let Ok(rate) = Rate::of(opened as u64, keys.len() as u64) {
            let interval = [rate.low * count, rate.high * count];
            metrics.insert("unlocked".to_owned(), (opened as f64, interval));
        }
        Ok(metrics)
    }
}
