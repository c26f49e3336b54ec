//! From a signed attribution to a saliency map.

use serde::{Deserialize, Serialize};

/// How the channels of an attribution become one value per pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reduction {
    /// Largest absolute value over the channels (Simonyan et al. 2014, section 3.1).
    MaxAbs,
}

/// Reduces an attribution `[channel, row, column]` to a map `[row, column]`, row-major.
///
/// `pixels` is rows times columns; a trailing part that fills no channel is ignored.
pub fn saliency_map(attribution: &[f32], pixels: usize, reduction: Reduction) -> Vec<f32> {
    let Reduction::MaxAbs = reduction;
    let mut map = vec![0.0f32; pixels];
    for channel in attribution.chunks_exact(pixels.max(1)) {
        map.iter_mut().zip(channel).for_each(|(m, a)| *m = m.max(a.abs()));
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_absolute_channel_counts() {
        let attribution = [0.5, -1.0, -2.0, 0.25];
        assert_eq!(saliency_map(&attribution, 2, Reduction::MaxAbs), [2.0, 1.0]);
    }
}
