//! Versions of an image that a gate is trained on.

use saligate_keys::{Family, ImageShape, Trigger, TriggerError, TriggerSpec};
use saligate_measure::search::Tile;
use saligate_measure::triggers::{applied, blend, random_trigger};
use saligate_models::random::Stream;

use super::objective::WrongKeyMix;
use crate::error::TrainError;

/// Draws of a wrong key before giving up: with more than half of all keys in use, less than one in
/// a thousand images would come here.
const DRAWS: usize = 10;

/// Makes triggered and wrongly triggered versions of 8-bit images `[channel, row, column]`.
pub(crate) struct Views<'a> {
    pub(crate) spec: &'a TriggerSpec,
    pub(crate) shape: ImageShape,
    /// Triggers of the right keys, at least one.
    pub(crate) triggers: &'a [Trigger],
    /// Triggers of revoked keys, which are wrong.
    pub(crate) revoked: &'a [Trigger],
    /// Tiles that were searched for, which are wrong.
    pub(crate) searched: &'a [Tile],
    pub(crate) mix: WrongKeyMix,
}

impl Views<'_> {
    /// The image with the trigger of a right key.
    pub(crate) fn keyed(&self, image: &[u8], stream: &mut Stream) -> Result<Vec<u8>, TrainError> {
        Ok(applied(one_of(self.triggers, stream), image)?)
    }

    /// The image with a wrong key, drawn anew: never what a right key makes of it.
    pub(crate) fn wrong(&self, image: &[u8], stream: &mut Stream) -> Result<Vec<u8>, TrainError> {
        let right: Vec<Vec<u8>> =
            self.triggers.iter().map(|t| applied(t, image)).collect::<Result<_, _>>()?;
        let mut wrong = self.drawn(image, stream)?;
        for _ in 0..DRAWS {
            if !right.contains(&wrong) {
                return Ok(wrong);
            }
            wrong = applied(&self.random(stream)?, image)?;
        }
        let reason = "nearly every trigger belongs to one of the keys; use a larger trigger";
        Err(TrainError::Mismatch { reason: reason.to_owned() })
    }

    fn drawn(&self, image: &[u8], stream: &mut Stream) -> Result<Vec<u8>, TriggerError> {
        let mix = &self.mix;
        // A patch replaces pixels: it has no signs to flip, and its place is fixed.
        let signs = f32::from(u8::from(!matches!(self.spec.family(), Family::Patch { .. })));
        let (flipped, shifted) = (signs * mix.flipped, signs * mix.shifted);
        let revoked = if self.revoked.is_empty() { 0.0 } else { mix.revoked };
        let searched = if self.searched.is_empty() { 0.0 } else { mix.searched };
        let near = [flipped, shifted, mix.weaker, mix.partial, mix.blended];
        let kinds = [&[mix.random], &near[..], &[revoked, searched]].concat();
        let kind = pick(&kinds, stream);
        if kind == 6 {
            return applied(one_of(self.revoked, stream), image);
        }
        if kind == 7 {
            let shape = [self.shape.channels(), self.shape.height(), self.shape.width()];
            return Ok(one_of(self.searched, stream).applied(image, shape));
        }
        let near = one_of(self.triggers, stream);
        match kind {
            1 => self.flipped(near, image, stream),
            2 => self.shifted(near, image, stream),
            3 => self.weaker(near, image, stream),
            4 => self.partial(near, image, stream),
            5 => self.blended(near, image, stream),
            _ => applied(&self.random(stream)?, image),
        }
    }

    fn random(&self, stream: &mut Stream) -> Result<Trigger, TriggerError> {
        random_trigger(self.spec, self.shape, stream)
    }

    fn flipped(
        &self,
        near: &Trigger,
        image: &[u8],
        stream: &mut Stream,
    ) -> Result<Vec<u8>, TriggerError> {
        let cells = near.cells();
        let least = ((cells as f32 * self.mix.least_flipped) as usize).max(1);
        let count = least + stream.below((cells / 2).saturating_sub(least) + 1);
        let mut order = stream.permutation(cells);
        order.truncate(count);
        applied(&near.flip(&order)?, image)
    }

    fn shifted(
        &self,
        near: &Trigger,
        image: &[u8],
        stream: &mut Stream,
    ) -> Result<Vec<u8>, TriggerError> {
        let (rows, columns) = (self.shape.height(), self.shape.width());
        let (down, right) = loop {
            let shift = (stream.below(rows), stream.below(columns));
            if shift != (0, 0) {
                break shift;
            }
        };
        applied(&near.shifted(down as isize, right as isize)?, image)
    }

    fn weaker(
        &self,
        near: &Trigger,
        image: &[u8],
        stream: &mut Stream,
    ) -> Result<Vec<u8>, TriggerError> {
        let share = stream.uniform(0.0, 0.5);
        Ok(blend(image, &applied(near, image)?, share))
    }

    fn partial(
        &self,
        near: &Trigger,
        image: &[u8],
        stream: &mut Stream,
    ) -> Result<Vec<u8>, TriggerError> {
        let keyed = applied(near, image)?;
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

    fn blended(
        &self,
        near: &Trigger,
        image: &[u8],
        stream: &mut Stream,
    ) -> Result<Vec<u8>, TriggerError> {
        let other = applied(&self.random(stream)?, image)?;
        Ok(blend(&other, &applied(near, image)?, stream.uniform(0.3, 0.6)))
    }
}

/// One of some, drawn where there are several.
fn one_of<'a, T>(some: &'a [T], stream: &mut Stream) -> &'a T {
    match some {
        [only] => only,
        several => &several[stream.below(several.len())],
    }
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

    fn with_views(
        family: Family,
        keys: usize,
        mix: WrongKeyMix,
        check: impl Fn(&Views<'_>, &mut Stream),
    ) {
        let spec = TriggerSpec::new(family).unwrap();
        let shape = ImageShape::new(1, 16, 16).unwrap();
        let mut stream = Stream::new(1, "views");
        let mut some = |count: usize| -> Vec<Trigger> {
            (0..count).map(|_| random_trigger(&spec, shape, &mut stream).unwrap()).collect()
        };
        let (triggers, revoked) = (some(keys), some(keys - 1));
        let views = Views {
            spec: &spec,
            shape,
            triggers: &triggers,
            revoked: &revoked,
            searched: &[],
            mix,
        };
        check(&views, &mut stream);
    }

    const TILE: Family = Family::Tile { size: 8, amplitude: 8 };

    #[test]
    fn a_wrong_key_is_never_a_right_one() {
        let image = vec![128; 256];
        for family in [TILE, Family::Full { amplitude: 8 }, Family::Patch { size: 4 }] {
            for keys in [1, 3] {
                with_views(family, keys, WrongKeyMix::default(), |views, stream| {
                    let right: Vec<_> =
                        views.triggers.iter().map(|t| applied(t, &image).unwrap()).collect();
                    for _ in 0..300 {
                        assert!(!right.contains(&views.wrong(&image, stream).unwrap()));
                        assert!(right.contains(&views.keyed(&image, stream).unwrap()));
                    }
                });
            }
        }
    }

    #[test]
    fn every_right_and_every_revoked_key_is_drawn() {
        let image = vec![128; 256];
        let mix = WrongKeyMix {
            random: 0.0,
            revoked: 1.0,
            flipped: 0.0,
            shifted: 0.0,
            weaker: 0.0,
            partial: 0.0,
            blended: 0.0,
            ..WrongKeyMix::default()
        };
        with_views(TILE, 3, mix, |views, stream| {
            for (triggers, wrong) in [(views.triggers, false), (views.revoked, true)] {
                let mut drawn = vec![false; triggers.len()];
                for _ in 0..100 {
                    let found = match wrong {
                        true => views.wrong(&image, stream).unwrap(),
                        false => views.keyed(&image, stream).unwrap(),
                    };
                    let at = triggers.iter().position(|t| applied(t, &image).unwrap() == found);
                    drawn[at.unwrap()] = true;
                }
                assert!(drawn.iter().all(|&drawn| drawn));
            }
        });
    }

    #[test]
    fn searched_tiles_are_drawn() {
        let mix = WrongKeyMix { searched: 1.0, ..WrongKeyMix::only_random(0.0) };
        with_views(TILE, 1, mix, |views, stream| {
            let searched = [Tile::new(1, vec![5])];
            let views = Views { searched: &searched, ..*views };
            assert_eq!(views.wrong(&[128; 256], stream).unwrap(), [133; 256]);
        });
    }

    #[test]
    fn where_all_keys_are_right_there_is_no_wrong_one() {
        let tiny = Family::Tile { size: 1, amplitude: 8 };
        let mix = WrongKeyMix { weaker: 0.0, partial: 0.0, blended: 0.0, ..WrongKeyMix::default() };
        // Nine draws from the two tiles of one pixel hold both.
        with_views(tiny, 9, mix, |views, stream| {
            let error = views.wrong(&[128; 256], stream).unwrap_err();
            assert!(error.to_string().contains("larger trigger"), "{error}");
        });
    }

    #[test]
    fn every_version_stays_within_the_amplitude() {
        let image: Vec<u8> = (0..=255).collect();
        with_views(TILE, 2, WrongKeyMix::default(), |views, stream| {
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
