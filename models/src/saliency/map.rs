//! From a signed attribution to a saliency map.

use serde::{Deserialize, Serialize};

use super::resize::bilinear;

/// How the channels of an attribution become one value per pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reduction {
    /// Largest absolute value over the channels (Simonyan et al. 2014, section 3.1).
    MaxAbs,
    /// Sum over the channels.
    Sum,
}

/// Reduces an attribution to a map `[row, column]` of the image's `size`, row-major.
///
/// An attribution of another size is resized after the reduction, bilinearly, pixels standing for
/// the centres of their cells, with the edge repeated (PyTorch's
/// `interpolate(mode="bilinear", align_corners=False)`).
///
/// # Shapes
/// `attribution` is `[channel, row, column]`, row-major, of the given `shape`; `size` is the
/// image's rows and columns.
///
/// # Panics
/// The attribution has another length than its shape says, or a shape of no pixels.
pub fn saliency_map(
    attribution: &[f32],
    shape: [usize; 3],
    size: [usize; 2],
    reduction: Reduction,
) -> Vec<f32> {
    let [channels, rows, columns] = shape;
    let pixels = rows * columns;
    assert_eq!(attribution.len(), channels * pixels, "an attribution of shape {shape:?}");
    let mut map = vec![0.0f32; pixels];
    for channel in attribution.chunks_exact(pixels) {
        let pairs = map.iter_mut().zip(channel);
        match reduction {
            Reduction::MaxAbs => pairs.for_each(|(m, a)| *m = m.max(a.abs())),
            Reduction::Sum => pairs.for_each(|(m, a)| *m += a),
        }
    }
    if [rows, columns] == size { map } else { bilinear(&map, [rows, columns], size) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_absolute_channel_counts() {
        let attribution = [0.5, -1.0, -2.0, 0.25];
        let map = saliency_map(&attribution, [2, 1, 2], [1, 2], Reduction::MaxAbs);
        assert_eq!(map, [2.0, 1.0]);
    }

    #[test]
    fn channels_add_up() {
        let attribution = [0.5, -1.0, -2.0, 0.25];
        let map = saliency_map(&attribution, [2, 2, 1], [2, 1], Reduction::Sum);
        assert_eq!(map, [-1.5, -0.75]);
    }

    #[test]
    fn a_small_map_is_resized_after_the_reduction() {
        let attribution = [0.0, 4.0, -8.0, 0.0];
        let map = saliency_map(&attribution, [2, 1, 2], [1, 4], Reduction::MaxAbs);
        assert_eq!(map, [8.0, 7.0, 5.0, 4.0]);
    }

    #[test]
    fn zeros_stay_zeros() {
        for reduction in [Reduction::MaxAbs, Reduction::Sum] {
            assert_eq!(saliency_map(&[0.0; 8], [2, 2, 2], [5, 7], reduction), [0.0; 35]);
        }
    }
}
