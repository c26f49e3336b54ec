//! Saliency methods of many passes: the network is run on perturbed copies of the picture.
//!
//! | method | reads | passes | attribution | unit |
//! |---|---|---|---|---|
//! | [`SmoothGrad`] | gradients | samples | `[channel, row, column]` | logits per pixel range |
//! | [`IntegratedGradients`] | gradients | steps | `[channel, row, column]` | logits |
//! | [`Occlusion`] | logits | windows | `[1, row, column]` | logits |
//! | [`Rise`] | logits | masks | `[1, row, column]` | probability |
//! | [`GradientShap`] | gradients | samples | `[channel, row, column]` | logits |
//! | [`ScoreCam`] | a layer, logits | channels of the layer | `[1, row, column]` of the layer | that of the layer |
//!
//! # What the network sees
//! The explained class is decided once, on the picture itself (with its trigger), and stays the
//! same in every pass. Without a trigger, perturbed pixels enter the network as floats, neither
//! rounded nor cut off. With a trigger, the network must see that trigger in every pass: perturbed
//! pixels are cut off at 0 and 1, rounded to 8 bits, the trigger is put on them with saturation, as
//! on any picture, and the result is scaled to [0, 1].
//!
//! # Repeatable
//! The same model, picture, parameters and seed give the same bytes, on any number of threads: each
//! pass has a random stream of its own and runs alone, and sums run in the order of the passes in
//! f64.

mod gradient_shap;
mod integrated_gradients;
mod occlusion;
mod rise;
mod score_cam;
mod smoothgrad;
mod subject;
#[cfg(test)]
pub(crate) mod testing;

pub use gradient_shap::{GradientShap, PathPoint};
pub use integrated_gradients::{Completeness, IntegratedGradients};
pub use occlusion::Occlusion;
pub use rise::Rise;
pub use score_cam::ScoreCam;
pub use smoothgrad::SmoothGrad;

use saligate_keys::Trigger;

use crate::error::RuntimeError;
use crate::explanation::{Explanation, Target};
use crate::method::{Parameter, Reads, Settings};
use crate::model::Model;
use crate::picture::Picture;

/// A method of many passes: what the [registry](crate::method) knows of it.
pub trait Pass: Sized + Send + Sync + 'static {
    /// The name on command lines and in licences.
    const NAME: &'static str;
    /// What it reads of the network in every pass.
    const READS: Reads;
    /// What can be set.
    const PARAMETERS: &'static [Parameter];

    /// The method with these settings. What is not set is as by default.
    fn with(settings: &Settings) -> Self;

    /// Explains a picture, with a trigger on it or without one.
    ///
    /// # Errors
    /// A parameter is out of range, the picture has another shape than the model's input, there is
    /// no such class, or the method reads gradients and the file has none.
    fn run(
        &self,
        model: &Model,
        picture: &Picture,
        target: Target,
        trigger: Option<&Trigger>,
        progress: Progress<'_>,
    ) -> Result<PassExplanation, RuntimeError>;
}

/// Told the number of passes done and the number of all passes: once before the first, and whenever
/// every thread has finished one more.
pub type Progress<'a> = &'a mut dyn FnMut(usize, usize);

/// An explanation and how it came about.
#[derive(Clone, Debug, PartialEq)]
pub struct PassExplanation {
    /// The prediction for the picture that was explained, the class, the attribution and its map:
    /// the largest absolute value over the channels for methods that read gradients, the signed
    /// attribution itself for those with one channel.
    pub explanation: Explanation,
    /// Perturbed pictures that the network was run on.
    pub passes: usize,
    /// In how many of them the gate found a key, where it tells: strong noise hides one.
    pub key_found: Option<usize>,
    /// For integrated gradients: whether they add up.
    pub completeness: Option<Completeness>,
}

/// What methods that draw at random have in common.
const SEED: Parameter = Parameter::whole("seed", "N", "seed of the random numbers [default: 0]");

/// What methods that put noise on the picture have in common.
const NOISE: Parameter = Parameter::number(
    "noise",
    "SHARE",
    "standard deviation of the noise as a share of the pixel range, 0 to 1 [default: 0.15]",
);

fn at_least_one(name: &'static str, found: usize) -> Result<(), RuntimeError> {
    if found > 0 { Ok(()) } else { Err(parameter(name, "at least 1", found)) }
}

fn in_unit_range(name: &'static str, found: f32) -> Result<(), RuntimeError> {
    if (0.0..=1.0).contains(&found) { Ok(()) } else { Err(parameter(name, "in [0, 1]", found)) }
}

fn parameter(
    name: &'static str,
    expected: impl Into<String>,
    found: impl ToString,
) -> RuntimeError {
    RuntimeError::Parameter { name, expected: expected.into(), found: found.to_string() }
}

/// Whether there is at least one item, and every item has this many finite values.
fn same_length(
    name: &'static str,
    items: &[Vec<f32>],
    expected: usize,
) -> Result<(), RuntimeError> {
    at_least_one(name, items.len())?;
    match items.iter().find(|item| item.len() != expected || item.iter().any(|v| !v.is_finite())) {
        Some(item) => {
            let expected = format!("lists of {expected} finite values");
            Err(parameter(name, expected, format!("one of {}", item.len())))
        }
        None => Ok(()),
    }
}
