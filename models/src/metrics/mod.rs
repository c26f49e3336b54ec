//! Scores of saliency maps, triggers and gates, each with its direction and range.
//!
//! # Shapes
//! A map is a row-major `[height, width]` slice of `f32`: one score per pixel, after a named
//! channel reduction. A picture is a planar `[channels, height, width]` slice of `u8`. A mask is a
//! `[height, width]` slice of `bool`. All arithmetic is in `f64`.
//!
//! # Defined everywhere
//! Every function answers with a finite number for every finite input of matching length, constant
//! and all-zero maps included; what the answer is then stands with the function. Values that are
//! not finite, lengths that do not match and empty maps are a [`MetricError`]: a score over a
//! broken map would hide the break.
//!
//! | family | question | module |
//! |---|---|---|
//! | similarity | do two maps say the same? | [`rank`], [`overlap`], [`distance`], [`ssim`] |
//! | localisation | does the map point at the object? | [`localisation`] |
//! | faithfulness | does the model depend on what the map shows? | [`faithfulness`], [`infidelity`] |
//! | robustness | does the map stay, and change, where it should? | [`robustness`] |
//! | concentration | is it a few pixels, or all of them? | [`concentration`] |
//! | invisibility | can the trigger be seen? | [`invisibility`] |
//! | intervals | how sure is a mean or a rate? | [`interval`] |

pub mod concentration;
pub mod distance;
mod error;
pub mod faithfulness;
pub mod importance;
pub mod infidelity;
pub mod interval;
pub mod invisibility;
pub mod localisation;
mod of_maps;
pub mod overlap;
pub mod rank;
mod registry;
pub mod robustness;
pub mod ssim;

pub use error::MetricError;
pub use of_maps::{MAP_METRICS, MapMetric, map_metric};
pub use registry::{Direction, METRICS, MetricInfo, info};

use error::{check_finite, check_lengths};

/// Refuses two maps that cannot be compared pixel by pixel.
fn check_pair(a: &[f32], b: &[f32]) -> Result<(), MetricError> {
    check_lengths(a.len(), b.len())?;
    check_finite(a)?;
    check_finite(b)
}

/// Whether all values are equal, so that the map ranks no pixel above another.
fn is_constant(map: &[f32]) -> bool {
    map.windows(2).all(|pair| pair[0] == pair[1])
}

/// Mean of finite values; callers have refused the empty slice.
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Pixels from the highest value to the lowest, equal values by index.
fn highest_first(map: &[f32]) -> Vec<usize> {
    // Adding zero turns -0 into +0, which the total order would put below it.
    let value = |pixel: usize| map[pixel] + 0.0;
    let mut order: Vec<usize> = (0..map.len()).collect();
    order.sort_by(|&i, &j| value(j).total_cmp(&value(i)));
    order
}
