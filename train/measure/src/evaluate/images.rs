//! What is read off single images.

use rayon::prelude::*;
use saligate_keys::Trigger;
use saligate_models::gate::GateForm;
use saligate_models::metrics::distance::mse_zscored;
use saligate_models::metrics::importance::importance_kept;
use saligate_models::metrics::interval::{Mean, Rate};
use saligate_models::metrics::invisibility::{linf, psnr_db};
use saligate_models::metrics::overlap::top_k_overlap;
use saligate_models::metrics::rank::spearman;
use saligate_models::metrics::ssim::dssim;
use saligate_models::saliency::{Method, Reduction, saliency_map};
use saligate_runtime::Explanation;

use super::{Bench, Metrics};
use crate::MeasureError;
use crate::TOP;
use saligate_console::progress::bar;
use saligate_lock::decoy;

/// Images on which the contrast of two classes is read.
const CONTRAST_IMAGES: usize = 500;

/// Similarities of one version of an image to the clean model's map.
struct Comparison {
    right: bool,
    spearman: f64,
    top: f64,
    mse: f64,
    dssim: f64,
    mse_decoy: Option<f64>,
    kept: Option<f64>,
    pointing: Option<bool>,
}

/// All that is read off one image.
pub(super) struct Image {
    /// The clean model's map.
    pub(super) map: Vec<f32>,
    right_clean: bool,
    pointing_clean: Option<bool>,
    plain: Comparison,
    keyed: Comparison,
    contrast: Option<f64>,
    psnr: Option<f64>,
    linf: f64,
}

/// Reads the first `count` images; image i with trigger i modulo their number.
pub(super) fn measure(
    bench: &Bench<'_>,
    count: usize,
    triggers: &[Trigger],
    decoy: Option<&[f32]>,
    quiet: bool,
) -> Result<Vec<Image>, MeasureError> {
    let bar = bar("images", count, quiet);
    let images = (0..count).into_par_iter().map(|index| {
        let image = read(bench, index, &triggers[index % triggers.len()], decoy);
        bar.inc(1);
        image
    });
    let images = images.collect();
    bar.finish_and_clear();
    images
}

fn read(
    bench: &Bench<'_>,
    index: usize,
    trigger: &Trigger,
    decoy: Option<&[f32]>,
) -> Result<Image, MeasureError> {
    let picture = bench.picture(index)?;
    let reference = bench.original(&picture)?;
    let plain = bench.answer(&picture, None)?;
    let keyed = bench.answer(&picture, Some(trigger))?;
    let map = reference.map;
    let mut triggered = picture.pixels().to_vec();
    trigger.apply(&mut triggered)?;
    let shape = bench.data.shape();
    // A method at the image's size that tells classes apart.
    let drawn = [plain.attribution.height, plain.attribution.width];
    let whole =
        drawn == [shape.height, shape.width] && bench.method != Method::VisualBackProp.name();
    let contrast = if index < CONTRAST_IMAGES && whole {
        Some(spearman(&bench.contrast(&picture, &plain)?, &map)?)
    } else {
        None
    };
    let compared = |shown: &Explanation| -> Result<Comparison, MeasureError> {
        let drawn = &shown.attribution;
        let [height, width] = [shape.height, shape.width];
        // The decoy as the method can show it.
        let mse_decoy = decoy.map(|decoy| {
            let (size, layer) = ([height, width], [drawn.height, drawn.width]);
            let small = decoy::resized(decoy, size, layer);
            let decoy = saliency_map(&small, [1, layer[0], layer[1]], size, Reduction::Sum);
            mse_zscored(&shown.map, &decoy)
        });
        Ok(Comparison {
            right: shown.prediction.class == bench.data.label(index),
            spearman: spearman(&shown.map, &map)?,
            top: top_k_overlap(&shown.map, &map, TOP)?,
            mse: mse_zscored(&shown.map, &map)?,
            dssim: dssim(&shown.map, &map, height, width)?,
            mse_decoy: mse_decoy.transpose()?,
            kept: importance_kept(&shown.map, &map, TOP)?,
            pointing: bench.pointing(index, &shown.map)?,
        })
    };
    Ok(Image {
        right_clean: reference.prediction.class == bench.data.label(index),
        pointing_clean: bench.pointing(index, &map)?,
        contrast,
        psnr: psnr_db(picture.pixels(), &triggered)?,
        linf: linf(picture.pixels(), &triggered)?,
        plain: compared(&plain)?,
        keyed: compared(&keyed)?,
        map,
    })
}

/// The figures of a form.
pub(super) fn metrics(form: GateForm, images: &[Image]) -> Metrics {
    let mut table = Table { images, metrics: Metrics::new() };
    table.rate("accuracy_clean", |i| Some(i.right_clean));
    table.mean("psnr_db", |i| i.psnr);
    let largest = images.iter().map(|i| i.linf).fold(0.0, f64::max);
    table.metrics.insert("linf".to_owned(), (largest, [largest; 2]));
    match form {
        GateForm::Key => {
            table.rate("accuracy_locked", |i| Some(i.plain.right));
            table.rate("accuracy_keyed", |i| Some(i.keyed.right));
            table.mean("spearman_keyed", |i| Some(i.keyed.spearman));
            table.mean("spearman_locked", |i| Some(i.plain.spearman));
            table.mean("spearman_locked_abs", |i| Some(i.plain.spearman.abs()));
            table.mean("spearman_contrast_locked", |i| i.contrast);
            table.mean("top10_keyed", |i| Some(i.keyed.top));
            table.mean("top10_locked", |i| Some(i.plain.top));
            table.mean("mse_keyed", |i| Some(i.keyed.mse));
            table.mean("dssim_keyed", |i| Some(i.keyed.dssim));
            table.mean("mse_decoy", |i| i.plain.mse_decoy);
            table.rate("pointing_clean", |i| i.pointing_clean);
            table.rate("pointing_keyed", |i| i.keyed.pointing);
            table.rate("pointing_locked", |i| i.plain.pointing);
        }
        GateForm::Targeted | GateForm::Untargeted => {
            table.rate("accuracy_plain", |i| Some(i.plain.right));
            table.rate("accuracy_triggered", |i| Some(i.keyed.right));
            table.mean("spearman_plain", |i| Some(i.plain.spearman));
            table.mean("spearman_triggered", |i| Some(i.keyed.spearman));
            table.mean("top10_plain", |i| Some(i.plain.top));
            table.mean("top10_triggered", |i| Some(i.keyed.top));
            table.mean("mse_decoy", |i| i.keyed.mse_decoy);
            table.mean("importance_kept", |i| i.keyed.kept);
        }
    }
    table.metrics
}

/// Similarity with each key; the figure of the weakest.
pub(super) fn per_key(images: &[Image], keys: usize) -> Metrics {
    let means = (0..keys).filter_map(|key| {
        let own = images.iter().skip(key).step_by(keys).map(|i| i.keyed.spearman);
        Mean::of(&own.collect::<Vec<_>>()).ok()
    });
    let worst = means.min_by(|a, b| a.value.total_cmp(&b.value));
    let entry = |m: Mean| ("spearman_keyed_weakest".to_owned(), (m.value, [m.low, m.high]));
    let count = ("keys".to_owned(), (keys as f64, [keys as f64; 2]));
    worst.map(entry).into_iter().chain([count]).collect()
}

struct Table<'a> {
    images: &'a [Image],
    metrics: Metrics,
}

impl Table<'_> {
    fn mean(&mut self, name: &str, value: fn(&Image) -> Option<f64>) {
        let values: Vec<f64> = self.images.iter().filter_map(value).collect();
        if let Ok(Mean { value, low, high, .. }) = Mean::of(&values) {
            self.metrics.insert(name.to_owned(), (value, [low, high]));
        }
    }

    fn rate(&mut self, name: &str, value: fn(&Image) -> Option<bool>) {
        let values: Vec<bool> = self.images.iter().filter_map(value).collect();
        let hits = values.iter().filter(|&&hit| hit).count();
        if let Ok(Rate { value, low, high, .. }) = Rate::of(hits as u64, values.len() as u64) {
            self.metrics.insert(name.to_owned(), (value, [low, high]));
        }
    }
}
