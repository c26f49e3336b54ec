//! Does the model depend on the pixels that the map ranks high?
//!
//! Insertion shows the pixels on a blank image, most salient first, and records the probability of
//! the explained class after each step; deletion starts from the whole image and hides them. The
//! caller runs the model; this module orders the pixels ([`PixelSteps`]) and integrates the
//! recorded curve ([`auc`]). Petsiuk, Das and Saenko, RISE, 2018, section 4.1.

use super::error::{check_finite, check_lengths};
use super::{MetricError, highest_first};

/// Area under a curve whose points stand at equal distances from 0 to 1: with probabilities in `[0,
/// 1]`. For insertion higher is better, for deletion lower.
///
/// Trapezoidal rule; a constant curve has its value as area, and so has a curve of one point.
///
/// # Errors
/// [`MetricError::Empty`] without points, [`MetricError::NotFinite`] for a point that is NaN or
/// infinite.
pub fn auc(curve: &[f64]) -> Result<f64, MetricError> {
    if let Some(index) = curve.iter().position(|point| !point.is_finite()) {
        return Err(MetricError::NotFinite { index });
    }
    match curve {
        [] => Err(MetricError::Empty),
        [only] => Ok(*only),
        _ => {
            let area: f64 = curve.windows(2).map(|pair| (pair[0] + pair[1]) / 2.0).sum();
            Ok(area / (curve.len() - 1) as f64)
        }
    }
}

/// The pixels of a map in the order of insertion and deletion, cut into steps of near-equal size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PixelSteps {
    order: Vec<usize>,
    steps: usize,
}

impl PixelSteps {
    /// Orders the pixels of `map` from high to low, equal values by index, for `steps` steps. More
    /// steps than pixels become one step a pixel, and no step becomes one.
    ///
    /// # Errors
    /// [`MetricError`] for an empty map and for values that are not finite.
    pub fn new(map: &[f32], steps: usize) -> Result<Self, MetricError> {
        check_lengths(map.len(), map.len())?;
        check_finite(map)?;
        Ok(Self { order: highest_first(map), steps: steps.clamp(1, map.len()) })
    }

    /// Indices of the pixels that insertion shows, or deletion hides, at each point of the curve:
    /// none first, then growing, all of them last. There is one item more than there are steps.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[usize]> {
        let pixels = self.order.len() as u128;
        (0..self.steps + 1).map(move |step| {
            let changed = step as u128 * pixels / self.steps as u128;
            &self.order[..changed as usize]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_by_hand() {
        assert_eq!(auc(&[0.0, 1.0]), Ok(0.5));
        assert_eq!(auc(&[0.0, 1.0, 1.0]), Ok(0.75));
        assert_eq!(auc(&[0.4, 0.4, 0.4, 0.4]).map(|area| (area * 1e9).round()), Ok(4e8));
        assert_eq!(auc(&[0.25]), Ok(0.25));
    }

    #[test]
    fn a_faithful_map_has_more_insertion_than_deletion_area() {
        let insertion = auc(&[0.1, 0.9, 0.95, 1.0]).unwrap();
        let deletion = auc(&[1.0, 0.2, 0.1, 0.1]).unwrap();
        assert!(insertion > deletion + 0.5, "{insertion} against {deletion}");
    }

    #[test]
    fn steps_start_with_no_pixel_and_end_with_all() {
        let steps = PixelSteps::new(&[0.1, 0.9, -3.0, 0.5], 2).unwrap();
        let shown: Vec<&[usize]> = steps.iter().collect();
        assert_eq!(shown, [&[][..], &[1, 3], &[1, 3, 0, 2]]);
    }

    #[test]
    fn every_step_adds_about_as_many_pixels() {
        let steps = PixelSteps::new(&[0.0; 10], 4).unwrap();
        let sizes: Vec<usize> = steps.iter().map(<[usize]>::len).collect();
        assert_eq!(sizes, [0, 2, 5, 7, 10]);
    }

    #[test]
    fn equal_values_keep_their_order() {
        let steps = PixelSteps::new(&[-0.0, 0.0, 1.0], 1).unwrap();
        assert_eq!(steps.iter().last(), Some(&[2, 0, 1][..]));
    }

    #[test]
    fn the_number_of_steps_is_bounded() {
        assert_eq!(PixelSteps::new(&[1.0, 2.0], 9).unwrap().iter().len(), 3);
        assert_eq!(PixelSteps::new(&[1.0, 2.0], 0).unwrap().iter().len(), 2);
    }

    #[test]
    fn bad_input_is_an_error() {
        assert_eq!(auc(&[]), Err(MetricError::Empty));
        assert_eq!(auc(&[0.0, f64::NAN]), Err(MetricError::NotFinite { index: 1 }));
        assert_eq!(PixelSteps::new(&[], 3), Err(MetricError::Empty));
        assert_eq!(PixelSteps::new(&[f32::NAN], 3), Err(MetricError::NotFinite { index: 0 }));
    }
}
