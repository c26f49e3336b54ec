//! Which images a step takes, and how they become tensors.

use burn::tensor::{Device, Tensor, TensorData};
use saligate_models::random::Stream;

use saligate_data::Shape;
use saligate_models::pixels::scaled;

/// Deals out sample indices epoch by epoch, in an order that only depends on the seed.
pub(crate) struct Sampler {
    seed: u64,
    purpose: &'static str,
    len: usize,
    batch: usize,
    epoch: Option<(usize, Vec<usize>)>,
}

impl Sampler {
    pub(crate) fn new(seed: u64, purpose: &'static str, len: usize, batch: usize) -> Self {
        Self { seed, purpose, len, batch, epoch: None }
    }

    /// The samples of a step.
    pub(crate) fn indices(&mut self, step: usize) -> Vec<usize> {
        let first = step * self.batch;
        (first..first + self.batch)
            .map(|position| {
                let epoch = position / self.len;
                if self.epoch.as_ref().is_none_or(|(current, _)| *current != epoch) {
                    let mut stream = Stream::numbered(self.seed, self.purpose, epoch as u64);
                    self.epoch = Some((epoch, stream.permutation(self.len)));
                }
                self.epoch.as_ref().map_or(0, |(_, order)| order[position % self.len])
            })
            .collect()
    }
}

/// 8-bit images one behind the other as pixels in [0, 1], `[batch, channel, row, column]`.
pub(crate) fn pixels(bytes: &[u8], shape: Shape, device: &Device) -> Tensor<4> {
    images(scaled(bytes), shape, device)
}

/// Row-major values as `[batch, channel, row, column]`.
pub(crate) fn images(data: Vec<f32>, shape: Shape, device: &Device) -> Tensor<4> {
    let batch = data.len() / shape.bytes();
    let dims = vec![batch, shape.channels, shape.height, shape.width];
    Tensor::from_data(TensorData::new(data, dims), device)
}

/// One-hot rows `[batch, class]`.
pub(crate) fn one_hot(labels: &[usize], classes: usize, device: &Device) -> Tensor<2> {
    let mut data = vec![0.0f32; labels.len() * classes];
    for (row, &label) in data.chunks_exact_mut(classes).zip(labels) {
        row[label] = 1.0;
    }
    Tensor::from_data(TensorData::new(data, vec![labels.len(), classes]), device)
}

/// Position of the largest score; the first among equals.
pub(crate) fn arg_max(scores: &[f32]) -> usize {
    (0..scores.len()).fold(0, |best, c| if scores[c] > scores[best] { c } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_deals_each_sample_once() {
        let mut sampler = Sampler::new(1, "test", 10, 4);
        let mut dealt: Vec<usize> = (0..5).flat_map(|step| sampler.indices(step)).collect();
        let second = dealt.split_off(10);
        for epoch in [&mut dealt, &mut second.clone()] {
            epoch.sort_unstable();
            assert_eq!(*epoch, (0..10).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_step_can_be_repeated_out_of_order() {
        let mut sampler = Sampler::new(1, "test", 10, 4);
        let later = sampler.indices(7);
        sampler.indices(0);
        assert_eq!(sampler.indices(7), later);
    }
}
