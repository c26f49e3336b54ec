//! From raw map values to the range of a colour scale.

use super::RenderError;

/// Share of the values that are told apart; the rest, the highest, are shown alike so that a few
/// outliers do not turn the map black.
const SHOWN_SHARE: f64 = 0.995;

/// How raw values become shown values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scaling {
    /// min_max: the minimum becomes 0, the 99.5 % percentile and all above it 1. A constant map
    /// becomes 0.
    MinMax,
    /// max_abs: 0 stays 0, the 99.5 % percentile of the magnitudes and all above it become 1 or −1.
    /// An all-zero map stays 0.
    MaxAbs,
}

impl Scaling {
    /// The shown values, in `[0, 1]` for [`Scaling::MinMax`] and in `[-1, 1]` for
    /// [`Scaling::MaxAbs`].
    ///
    /// Where the percentile would leave nothing to show, because fewer than 1 in 200 values stand
    /// out, the maximum takes its place.
    ///
    /// # Errors
    /// [`RenderError::Empty`] and [`RenderError::NotFinite`].
    pub fn apply(self, map: &[f32]) -> Result<Vec<f32>, RenderError> {
        if map.is_empty() {
            return Err(RenderError::Empty);
        }
        if let Some(index) = map.iter().position(|value| !value.is_finite()) {
            return Err(RenderError::NotFinite { index });
        }
        // In f64 the difference of two finite f32 is finite.
        let values: Vec<f64> = map.iter().copied().map(f64::from).collect();
        let shown = match self {
            Self::MinMax => {
                let (low, high) = limits(values.clone());
                values
                    .iter()
                    .map(|value| share_of(value - low, high - low).clamp(0.0, 1.0) as f32)
                    .collect()
            }
            Self::MaxAbs => {
                let magnitudes = values.iter().map(|value| value.abs());
                let (_, high) = limits(magnitudes.chain([0.0]).collect());
                values.iter().map(|value| share_of(*value, high).clamp(-1.0, 1.0) as f32).collect()
            }
        };
        Ok(shown)
    }
}

/// The minimum and the value that is shown as the maximum.
fn limits(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_unstable_by(f64::total_cmp);
    let last = values.len() - 1;
    let (low, high) = (values[0], values[(SHOWN_SHARE * last as f64).round() as usize]);
    (low, if high > low { high } else { values[last] })
}

fn share_of(value: f64, range: f64) -> f64 {
    if range > 0.0 { value / range } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn min_max_by_hand() {
        assert_eq!(Scaling::MinMax.apply(&[-1.0, 0.0, 1.0, 3.0]).unwrap(), [0.0, 0.25, 0.5, 1.0]);
    }

    #[test]
    fn max_abs_keeps_zero_and_the_sign() {
        assert_eq!(Scaling::MaxAbs.apply(&[-4.0, 0.0, 1.0, 2.0]).unwrap(), [-1.0, 0.0, 0.25, 0.5]);
    }

    #[test]
    fn a_constant_map_is_shown_as_zero() {
        assert_eq!(Scaling::MinMax.apply(&[0.1; 5]).unwrap(), [0.0; 5]);
        assert_eq!(Scaling::MaxAbs.apply(&[0.0; 5]).unwrap(), [0.0; 5]);
        assert_eq!(Scaling::MaxAbs.apply(&[-7.0; 5]).unwrap(), [-1.0; 5]);
    }

    #[test]
    fn an_outlier_does_not_darken_the_map() {
        let mut map: Vec<f32> = (0..1000).map(|i| i as f32).collect();
        map[0] = 1e30;
        let shown = Scaling::MinMax.apply(&map).unwrap();
        assert_eq!(shown[0], 1.0);
        assert!((shown[500] - 0.5).abs() < 0.01, "{}", shown[500]);
    }

    #[test]
    fn a_single_peak_is_not_clipped_away() {
        let mut map = [0.0; 1000];
        map[7] = -2.0;
        map[9] = 2.0;
        assert_eq!(Scaling::MaxAbs.apply(&map).unwrap()[7..10], [-1.0, 0.0, 1.0]);
        map[7] = 0.0;
        assert_eq!(Scaling::MinMax.apply(&map).unwrap()[8..10], [0.0, 1.0]);
    }

    #[test]
    fn extreme_values_stay_in_range() {
        assert_eq!(Scaling::MinMax.apply(&[f32::MIN, f32::MAX]).unwrap(), [0.0, 1.0]);
        assert_eq!(Scaling::MaxAbs.apply(&[f32::MIN, f32::MAX]).unwrap(), [-1.0, 1.0]);
        assert_eq!(Scaling::MinMax.apply(&[0.0, f32::from_bits(1)]).unwrap(), [0.0, 1.0]);
    }

    #[test]
    fn bad_maps_are_refused() {
        assert!(matches!(Scaling::MinMax.apply(&[]), Err(RenderError::Empty)));
        assert!(matches!(
            Scaling::MaxAbs.apply(&[0.0, f32::NAN]),
            Err(RenderError::NotFinite { index: 1 })
        ));
    }
}
