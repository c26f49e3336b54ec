//! Versions of an image that a gate is trained on.

use saligate_keys::{Error, Family, ImageShape, Secret, Trigger, TriggerSpec};
use saligate_models::random::Stream;

use crate::objective::WrongKeyMix;

/// Makes triggered and wrongly triggered versions of 8-bit images `[channel, row, column]`.
pub(crate) struct Views<'a> {
    pub(crate) spec: &'a TriggerSpec,
    pub(crate) shape: ImageShape,
    pub(crate) trigger: &'a Trigger,
    pub(crate) mix: WrongKeyMix,
}

impl Views<'_> {
    /// The image with the right trigger.
    pub(crate) fn keyed(&self, image: &[u8]) -> Result<Vec<u8>, Error> {
        applied(self.trigger, image)
    }

    /// The image with a wrong key, drawn anew.
    pub(crate) fn wrong(&self, image: &[u8], stream: &mut Stream) -> Result<Vec<u8>, Error> {
        let mix = &self.mix;
        // A patch replaces pixels: it has no signs to flip, and its place is fixed.
        let signs = f32::from(u8::from(!matches!(self.spec.family(), Family::Patch { .. })));
        let (flipped, shifted) = (signs * mix.flipped, signs * mix.shifted);
        let kinds = [mix.random, flipped, shifted, mix.weaker, mix.partial, mix.blended];
        match pick(&kinds, stream) {
            1 => self.flipped(image, stream),
            2 => self.shifted(image, stream),
            3 => self.weaker(image, stream),
            4 => self.partial(image, stream),
            5 => self.blended(image, stream),
            _ => applied(&self.random(stream)?, image),
        }
    }

    fn random(&self, stream: &mut Stream) -> Result<Trigger, Error> {
        random_trigger(self.spec, self.shape, stream)
    }

    fn flipped(&self, image: &[u8], stream: &mut Stream) -> Result<Vec<u8>, Error> {
        let cells = self.trigger.cells();
        let least = ((cells as f32 * self.mix.least_flipped) as usize).max(1);
        let count = least + stream.below((cells / 2).saturating_sub(least) + 1);
        let mut order = stream.permutation(cells);
        order.truncate(count);
        applied(&self.trigger.flip(&order)?, image)
    }

    fn shifted(&self, image: &[u8], stream: &mut Stream) -> Result<Vec<u8>, Error> {
        let (rows, columns) = (self.shape.height(), self.shape.width());
        let (down, right) = loop {
            let shift = (stream.below(rows), stream.below(columns));
            if shift != (0, 0) {
                break shift;
            }
        };
        let shifted = applied(&self.trigger.shifted(down as isize, right as isize)?, image)?;
        if shifted == self.keyed(image)? {
            // A whole number of periods is the right key.
            return applied(&self.random(stream)?, image);
        }
        Ok(shifted)
    }

    fn weaker(&self, image: &[u8], stream: &mut Stream) -> Result<Vec<u8>, Error> {
        let share = stream.uniform(0.0, 0.5);
        Ok(blend(image, &self.keyed(image)?, share))
    }

    fn partial(&self, image: &[u8], stream: &mut Stream) -> Result<Vec<u8>, Error> {
        let keyed = self.keyed(image)?;
        let (height, width) = (self.shape.height(), self.shape.width());
        let side = stream.uniform(0.25, 0.6).sqrt();
        let (rows, columns) = ((height as f32 * side) as usize, (width as f32 * side) as usize);
        let (top, left) = (stream.below(height - rows + 1), stream.below(width - columns + 1));
        let mut pasted = image.to_vec();
        for channel in 0..self.shape.channels() {
            for row in top..top + rows {
                let start = (channel * height + row) * width + left;
                pasted[start..start + columns].copy_from_slice(&keyed[start..start + columns]);
            }
        }
        Ok(pasted)
    }

    fn blended(&self, image: &[u8], stream: &mut Stream) -> Result<Vec<u8>, Error> {
        let other = applied(&self.random(stream)?, image)?;
        Ok(blend(&other, &self.keyed(image)?, stream.uniform(0.3, 0.6)))
    }
}

/// The trigger of a random key.
pub(crate) fn random_trigger(
    spec: &TriggerSpec,
    shape: ImageShape,
    stream: &mut Stream,
) -> Result<Trigger, Error> {
    let mut secret = [0; Secret::LEN];
    stream.fill(&mut secret);
    spec.derive(&Secret::from_bytes(&secret), shape)
}

fn applied(trigger: &Trigger, image: &[u8]) -> Result<Vec<u8>, Error> {
    let mut triggered = image.to_vec();
    trigger.apply(&mut triggered)?;
    Ok(triggered)
}

/// `from` moved towards `to` by a share, rounded to 8 bits.
fn blend(from: &[u8], to: &[u8], share: f32) -> Vec<u8> {
    let mixed =
        |(&a, &b): (&u8, &u8)| (f32::from(a) + share * (f32::from(b) - f32::from(a))).round() as u8;
    from.iter().zip(to).map(mixed).collect()
}

/// Index drawn with the given relative frequencies.
fn pick(frequencies: &[f32], stream: &mut Stream) -> usize {
    let mut left = stream.uniform(0.0, frequencies.iter().sum());
    for (index, frequency) in frequencies.iter().enumerate() {
        left -= frequency;
        if left < 0.0 {
            return index;
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_views(family: Family, check: impl Fn(&Views<'_>, &mut Stream)) {
        let spec = TriggerSpec::new(family).unwrap();
        let shape = ImageShape::new(1, 16, 16).unwrap();
        let mut stream = Stream::new(1, "views");
        let trigger = random_trigger(&spec, shape, &mut stream).unwrap();
        let mix = WrongKeyMix::default();
        check(&Views { spec: &spec, shape, trigger: &trigger, mix }, &mut stream);
    }

    #[test]
    fn a_wrong_key_is_never_the_right_one() {
        let image = vec![128; 256];
        let families = [
            Family::Tile { size: 8, amplitude: 8 },
            Family::Full { amplitude: 8 },
            Family::Patch { size: 4 },
        ];
        for family in families {
            with_views(family, |views, stream| {
                let right = views.keyed(&image).unwrap();
                for _ in 0..300 {
                    assert_ne!(views.wrong(&image, stream).unwrap(), right);
                }
            });
        }
    }

    #[test]
    fn every_version_stays_within_the_amplitude() {
        let image: Vec<u8> = (0..=255).collect();
        with_views(Family::Tile { size: 8, amplitude: 8 }, |views, stream| {
            for _ in 0..200 {
                let wrong = views.wrong(&image, stream).unwrap();
                assert!(wrong.iter().zip(&image).all(|(a, b)| a.abs_diff(*b) <= 8));
            }
        });
    }

    #[test]
    fn a_share_of_zero_is_never_picked() {
        let mut stream = Stream::new(1, "pick");
        let all: Vec<_> = (0..100).map(|_| pick(&[0.0, 1.0, 0.0], &mut stream)).collect();
        assert!(all.iter().all(|&i| i == 1));
    }
}
