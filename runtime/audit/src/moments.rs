//! Means and deviations of values of a network, over images.

use std::num::NonZero;

use saligate_models::graph::{Graph, ValueId};
use saligate_models::pixels::scaled;
use saligate_runtime::{EngineError, GraphRunner};

/// Images that moments are taken from.
const IMAGES: usize = 64;

/// Mean and standard deviation of one channel or feature.
#[derive(Clone, Copy, Debug)]
pub struct Moments {
    /// The mean.
    pub mean: f64,
    /// The standard deviation, not negative.
    pub deviation: f64,
    /// Values that they are of.
    count: f64,
}

impl Moments {
    /// `[number, sum, sum of squares]`
    fn of([count, sum, squares]: [f64; 3]) -> Self {
        let mean = sum / count;
        let deviation = (squares / count - mean * mean).max(0.0).sqrt();
        Self { mean, deviation, count }
    }

    /// Those of several channels together.
    pub fn joined(channels: &[Self]) -> Self {
        let sums = channels.iter().fold([0.0; 3], |all, channel| {
            let Self { mean, deviation, count } = *channel;
            let squares = count * (deviation * deviation + mean * mean);
            [all[0] + count, all[1] + count * mean, all[2] + squares]
        });
        Self::of(sums)
    }
}

/// The moments of every channel or feature of some values of a classifier, over pixels and the
/// first pictures `[channel, row, column]`, 0 to 255.
///
/// # Errors
/// The engine cannot run the classifier.
pub fn moments<'a>(
    classifier: &Graph,
    values: &[ValueId],
    pictures: impl Iterator<Item = &'a [u8]>,
    threads: NonZero<usize>,
) -> Result<Vec<Vec<Moments>>, EngineError> {
    let pictures: Vec<&[u8]> = pictures.take(IMAGES).collect();
    let channels: Vec<usize> = values.iter().map(|&id| classifier.shape(id)[1]).collect();
    let mut graph = classifier.clone();
    graph.set_outputs(values);
    let runner = GraphRunner::new(&graph, threads)?;
    let read = |_, outputs: Vec<Vec<f32>>| -> Vec<Vec<[f64; 3]>> {
        let of = |(values, &channels): (Vec<f32>, &usize)| {
            let planes = values.chunks_exact((values.len() / channels).max(1));
            planes.map(sums).collect()
        };
        outputs.into_iter().zip(&channels).map(of).collect()
    };
    let found = runner.map(pictures.len(), |at| vec![scaled(pictures[at])], read, &|_| ());
    let of = |(value, &channels): (usize, &usize)| {
        let all = |channel: usize| {
            found.iter().fold([0.0; 3], |all, image| {
                std::array::from_fn(|i| all[i] + image[value][channel][i])
            })
        };
        (0..channels).map(|channel| Moments::of(all(channel))).collect()
    };
    Ok(channels.iter().enumerate().map(of).collect())
}

/// `[number, sum, sum of squares]`
fn sums(values: &[f32]) -> [f64; 3] {
    values.iter().fold([0.0; 3], |[count, sum, squares], &value| {
        let value = f64::from(value);
        [count + 1.0, sum + value, squares + value * value]
    })
}
