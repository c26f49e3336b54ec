//! One method on one picture.

use std::collections::BTreeMap;

use saligate_models::metrics::concentration::{complexity, sparseness};
use saligate_models::metrics::faithfulness::{PixelSteps, auc};
use saligate_models::metrics::infidelity::{infidelity, promised, scaled_infidelity};
use saligate_models::metrics::localisation::{pointing_game, relevance_inside};
use saligate_models::metrics::robustness::{max_sensitivity, randomisation};
use saligate_models::pixels::scaled;
use saligate_runtime::{Explanation, Model, Target};

use super::pictures::{Changed, with_pixels};
use super::{Explain, MapSettings, MetricsError};

/// What is measured of a method on a picture.
pub(super) struct Figures {
    /// By name; those that do not apply are absent.
    pub(super) scores: BTreeMap<&'static str, f64>,
    pub(super) insertion: Vec<f64>,
    pub(super) deletion: Vec<f64>,
}

pub(super) fn measured(
    model: &Model,
    shuffled: &[Model],
    changed: &Changed<'_>,
    settings: &MapSettings,
    explain: &Explain<'_>,
) -> Result<Figures, MetricsError> {
    let picture = &changed.sample.picture;
    let target = Target::Class(changed.class);
    let found = explain(model, picture, target)?;
    let map = &found.map;
    let steps = PixelSteps::new(map, settings.steps)?;
    let curve = |from: &[u8], to: &dyn Fn(usize) -> u8| curve(model, changed, &steps, from, to);
    let insertion = curve(&changed.blurred, &|at| picture.pixels()[at])?;
    let deletion = curve(picture.pixels(), &|at| changed.flat[at])?;
    let flipping = curve(picture.pixels(), &|_| 0)?;
    let mut scores = BTreeMap::from([
        ("insertion", auc(&insertion)?),
        ("deletion", auc(&deletion)?),
        ("pixel_flipping", auc(&flipping[1..])?),
        ("sparseness", sparseness(map)?),
        ("complexity", complexity(map)?),
    ]);

    let values = per_pixel(&found, picture.channels());
    let whole = scaled(picture.pixels());
    let promises =
        changed.covered.iter().map(|(pixels, _)| promised(&values, &whole, &scaled(pixels)));
    let promises = promises.collect::<Result<Vec<f64>, _>>()?;
    let falls: Vec<f64> = changed.covered.iter().map(|(_, fall)| *fall).collect();
    scores.insert("infidelity", infidelity(&promises, &falls)?);
    scores.insert("infidelity_scaled", scaled_infidelity(&promises, &falls)?);

    let noisy =
        changed.noisy.iter().map(|noisy| Ok(explain(model, noisy, target)?.attribution.values));
    let noisy = noisy.collect::<Result<Vec<_>, MetricsError>>()?;
    if !noisy.is_empty() {
        scores.insert("max_sensitivity", max_sensitivity(&found.attribution.values, &noisy)?);
    }
    let others = shuffled.iter().map(|other| Ok(explain(other, picture, target)?.map));
    let others = others.collect::<Result<Vec<_>, MetricsError>>()?;
    if !others.is_empty() {
        scores.insert("randomisation", randomisation(map, &others)?);
    }
    if let Some(object) = &changed.sample.object {
        scores.insert("pointing_game", f64::from(u8::from(pointing_game(map, object)?)));
        scores.insert("inside_mass", relevance_inside(map, object)?);
    }
    Ok(Figures { scores, insertion, deletion })
}

/// The probability of the class as pixels change, those that the map ranks highest first.
fn curve(
    model: &Model,
    changed: &Changed<'_>,
    steps: &PixelSteps,
    from: &[u8],
    to: &dyn Fn(usize) -> u8,
) -> Result<Vec<f64>, MetricsError> {
    let picture = &changed.sample.picture;
    let plane = picture.height() * picture.width();
    let probability = |pixels: &[usize]| {
        let mut bytes = from.to_vec();
        for &pixel in pixels {
            for at in (pixel..bytes.len()).step_by(plane) {
                bytes[at] = to(at);
            }
        }
        let prediction = model.predict(&with_pixels(picture, bytes)?)?;
        Ok(f64::from(prediction.probabilities()[changed.class]))
    };
    steps.iter().map(probability).collect()
}

/// The attribution of every pixel and channel; the map in all channels where it is coarser, or has one.
fn per_pixel(found: &Explanation, channels: usize) -> Vec<f32> {
    match found.attribution.values.len() == channels * found.map.len() {
        true => found.attribution.values.clone(),
        false => found.map.repeat(channels),
    }
}
