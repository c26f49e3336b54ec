//! Triggers that are nearly right.

use saligate_keys::{Trigger, TriggerSpec};
use saligate_models::random::Stream;

use crate::MeasureError;
use crate::triggers::{applied, blend, random_trigger};

/// A way to miss the right key.
pub(super) enum Miss {
    /// Not at all.
    Right,
    /// This many signs inverted.
    Flipped(usize),
    /// This many pixels to the right.
    Shifted(usize),
    /// This share of the amplitude.
    Amplitude(f32),
    /// On this share of the rows only, from the top.
    Part(f32),
    /// This share of the right key, the rest of a random one.
    Blend(f32),
    /// Another key.
    Random,
}

impl Miss {
    /// All that are tried on a key with this many signs; the right key first.
    pub(super) fn all(cells: usize) -> Vec<Self> {
        let mut flips: Vec<usize> = vec![1, 2, 4, 8];
        flips.extend([1, 2, 3, 4, 6, 8].map(|sixteenths| cells * sixteenths / 16));
        flips.retain(|&count| count > 0);
        flips.sort_unstable();
        flips.dedup();
        let mut all = vec![Self::Right];
        all.extend(flips.into_iter().map(Self::Flipped));
        all.extend([1, 2].map(Self::Shifted));
        all.extend([0.25, 0.5, 0.75].map(Self::Amplitude));
        all.extend([0.25, 0.5, 0.75].map(Self::Part));
        all.extend([0.25, 0.5, 0.75].map(Self::Blend));
        all.push(Self::Random);
        all
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Flipped(_) => "flipped",
            Self::Shifted(_) => "shifted",
            Self::Amplitude(_) => "amplitude",
            Self::Part(_) => "part",
            Self::Blend(_) => "blend",
            Self::Random => "random",
        }
    }

    pub(super) fn strength(&self) -> f64 {
        match *self {
            Self::Right | Self::Random => 0.0,
            Self::Flipped(count) | Self::Shifted(count) => count as f64,
            Self::Amplitude(share) | Self::Part(share) | Self::Blend(share) => f64::from(share),
        }
    }

    /// An image `[channel, row, column]` with the near miss on it.
    pub(super) fn apply(
        &self,
        spec: &TriggerSpec,
        right: &Trigger,
        image: &[u8],
        stream: &mut Stream,
    ) -> Result<Vec<u8>, MeasureError> {
        let shape = right.shape();
        Ok(match *self {
            Self::Right => applied(right, image)?,
            Self::Flipped(count) => {
                let mut cells = stream.permutation(right.cells());
                cells.truncate(count);
                applied(&right.flip(&cells)?, image)?
            }
            Self::Shifted(columns) => applied(&right.shifted(0, columns as isize)?, image)?,
            Self::Amplitude(share) => blend(image, &applied(right, image)?, share),
            Self::Part(share) => {
                let rows = (share * shape.height() as f32).round() as usize;
                let (keyed, plane) = (applied(right, image)?, shape.height() * shape.width());
                let inside = |index: usize| index % plane < rows * shape.width();
                let pairs = image.iter().zip(&keyed).enumerate();
                pairs.map(|(i, (&own, &keyed))| if inside(i) { keyed } else { own }).collect()
            }
            Self::Blend(share) => {
                let other = applied(&random_trigger(spec, shape, stream)?, image)?;
                blend(&other, &applied(right, image)?, share)
            }
            Self::Random => applied(&random_trigger(spec, shape, stream)?, image)?,
        })
    }
}

/// A kind for people.
pub(super) fn describe(kind: &str) -> &str {
    match kind {
        "right" => "the right key",
        "flipped" => "signs flipped",
        "shifted" => "pixels shifted",
        "amplitude" => "share of the amplitude",
        "part" => "share of the rows",
        "blend" => "share of the right key, the rest of a random one",
        "random" => "random key",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use saligate_keys::{Family, ImageShape, Secret};

    use super::*;

    fn key() -> (TriggerSpec, Trigger) {
        let spec = TriggerSpec::new(Family::Tile { size: 8, amplitude: 8 }).unwrap();
        let shape = ImageShape::new(1, 16, 16).unwrap();
        (spec, spec.derive(&Secret::from_bytes(&[3; 32]), shape).unwrap())
    }

    fn changed(miss: &Miss) -> Vec<i32> {
        let (spec, right) = key();
        let mut stream = Stream::new(1, "near misses");
        let image = vec![128u8; 256];
        let pixels = miss.apply(&spec, &right, &image, &mut stream).unwrap();
        pixels.iter().zip(&image).map(|(a, b)| i32::from(*a) - i32::from(*b)).collect()
    }

    #[test]
    fn flips_change_that_many_signs_of_every_tile() {
        let (right, missed) = (changed(&Miss::Right), changed(&Miss::Flipped(5)));
        let different = right.iter().zip(&missed).filter(|(a, b)| a != b).count();
        assert_eq!(different, 5 * 4);
    }

    #[test]
    fn amplitude_part_and_blend_keep_their_share() {
        let right = changed(&Miss::Right);
        let weaker = changed(&Miss::Amplitude(0.5));
        assert!(right.iter().zip(&weaker).all(|(r, w)| w * 2 == *r));
        let part = changed(&Miss::Part(0.5));
        assert!(part[..128] == right[..128] && part[128..].iter().all(|&d| d == 0));
        assert!(
            changed(&Miss::Blend(0.75)).iter().zip(&right).all(|(b, r)| b.signum() == r.signum())
        );
    }

    #[test]
    fn no_strength_is_tried_twice() {
        let all = Miss::all(64);
        let mut seen: Vec<_> = all.iter().map(|m| (m.kind(), m.strength().to_bits())).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), all.len());
    }
}
