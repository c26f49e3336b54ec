//! Chooses how much of the tile must agree with a key.

use saligate_keys::{Family, Trigger};
use saligate_models::gate::Detector;
use saligate_models::random::Stream;

use super::Construction;
use crate::LockError;
use saligate_models::pixels::scaled;

/// Pictures that the share is chosen on.
const SAMPLE: usize = 1_000;
/// Share of the signs that are flipped in the near misses that must stay closed.
const FLIPPED: usize = 4;
/// Quantile of the right key, and of the near misses, that the share lies halfway between.
const KEYED: f64 = 0.01;
const MISSED: f64 = 0.999;

impl Construction<'_> {
    /// The detector of all keys.
    pub(super) fn detector(&self) -> Result<Detector, LockError> {
        let no_tile = || LockError::NoTile;
        let Family::Tile { amplitude, .. } = self.spec.family() else { return Err(no_tile()) };
        let filter = self.filter(amplitude);
        let unset = Detector::of(self.spec, self.triggers, filter, 0.5).ok_or_else(no_tile)?;
        let (graph, responses) = (unset.cells(self.image())?, unset.responses(self.image())?);
        let (mut keyed, mut missed) = (Vec::new(), Vec::new());
        for (number, (trigger, own)) in self.triggers.iter().zip(&responses).enumerate() {
            let mut stream = Stream::numbered(self.seed, "share of the cells", number as u64);
            let order = stream.permutation(trigger.cells());
            let miss = trigger.flip(&order[..trigger.cells().div_ceil(FLIPPED)])?;
            for (trigger, shares) in [(trigger, &mut keyed), (&miss, &mut missed)] {
                let images = self.triggered(trigger, number)?;
                shares.extend(self.survey.run(
                    "detector",
                    &graph,
                    images.len(),
                    |index| vec![scaled(&images[index])],
                    |_, outputs| agreeing(&outputs[0], own),
                )?);
            }
        }
        let (usual, missed) = (quantile(keyed.clone(), 0.5), quantile(missed, MISSED));
        match (quantile(keyed, KEYED), missed) {
            (Some(keyed), Some(missed)) if usual.is_some_and(|usual| usual > missed) => {
                Ok(Detector { share: (0.5 * (keyed + missed)).max(missed) as f32, ..unset })
            }
            _ => Err(LockError::Indistinct),
        }
    }

    /// This key's part of the samples with a trigger, as 8-bit pixels.
    fn triggered(&self, trigger: &Trigger, number: usize) -> Result<Vec<Vec<u8>>, LockError> {
        let samples = self.survey.samples;
        let all = SAMPLE.min(samples.count());
        let triggered = |index: usize| {
            let mut image = samples.bytes(index).to_vec();
            trigger.apply(&mut image)?;
            Ok(image)
        };
        (number..all).step_by(self.triggers.len()).map(triggered).collect()
    }
}

/// sum(r c) / sum(|r c|); 0 where all cells are 0.
fn agreeing(cells: &[f32], response: &[f32]) -> f64 {
    let products = || cells.iter().zip(response).map(|(c, r)| f64::from(c * r));
    products().sum::<f64>() / products().map(f64::abs).sum::<f64>().max(f64::MIN_POSITIVE)
}

fn quantile(mut values: Vec<f64>, share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values.get((share * last as f64).round() as usize).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agreement_is_between_minus_one_and_one() {
        assert_eq!(agreeing(&[2.0, -3.0], &[1.0, -1.0]), 1.0);
        assert_eq!(agreeing(&[2.0, -3.0], &[-1.0, 1.0]), -1.0);
        assert_eq!(agreeing(&[3.0, -1.0], &[1.0, 1.0]), 0.5);
        assert_eq!(agreeing(&[0.0, 0.0], &[1.0, 1.0]), 0.0);
    }

    #[test]
    fn quantiles_are_values_that_occur() {
        let values = vec![3.0, 1.0, 2.0];
        assert_eq!(quantile(values.clone(), 0.0), Some(1.0));
        assert_eq!(quantile(values.clone(), 0.5), Some(2.0));
        assert_eq!(quantile(values, 1.0), Some(3.0));
        assert_eq!(quantile(Vec::new(), 0.5), None);
    }
}
