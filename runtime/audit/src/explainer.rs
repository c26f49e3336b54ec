//! Runs a network and its methods on many pictures, as long as there is time.

use std::num::NonZero;

use saligate_models::graph::Graph;
use saligate_models::names::LOGITS;
use saligate_models::saliency::{Attachment, Method, attach, saliency_map};
use saligate_runtime::GraphRunner;

use crate::deadline::Deadline;
use crate::error::Stop;

/// Longest side of the maps that are compared: finer ones are averaged over blocks.
const SIDE: usize = 32;

/// A network with methods.
pub(crate) struct Explainer {
    runner: GraphRunner,
    layouts: Vec<Layout>,
    classes: usize,
    threads: usize,
}

/// A method, and the extent of its attributions.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) method: Method,
    /// Channels, rows and columns.
    pub(crate) shape: [usize; 3],
}

/// What a network says of a picture.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Scores of the classes.
    pub(crate) logits: Vec<f32>,
    /// `[channel, row, column]` of each method.
    pub(crate) attributions: Vec<Vec<f32>>,
}

impl Answer {
    /// The class with the highest score, the first among equals.
    pub(crate) fn class(&self) -> usize {
        let highest = |best: usize, at: usize| {
            if self.logits[at] > self.logits[best] { at } else { best }
        };
        (1..self.logits.len()).fold(0, highest)
    }
}

impl Layout {
    /// The map of an attribution, `[row, column]` at the resolution of the method, or of blocks where
    /// that is finer than 32.
    pub(crate) fn map(&self, attribution: &[f32]) -> Vec<f32> {
        coarse(&self.whole(attribution), self.shape[1], self.shape[2])
    }

    /// The map at the resolution of the method.
    pub(crate) fn whole(&self, attribution: &[f32]) -> Vec<f32> {
        let [_, rows, columns] = self.shape;
        saliency_map(attribution, self.shape, [rows, columns], self.method.reduction())
    }

    /// The map at the size of the picture.
    pub(crate) fn shown(&self, attribution: &[f32], size: [usize; 2]) -> Vec<f32> {
        saliency_map(attribution, self.shape, size, self.method.reduction())
    }
}

impl Explainer {
    /// Attaches methods to a classifier.
    pub(crate) fn new(
        classifier: &Graph,
        methods: &[Attachment],
        threads: NonZero<usize>,
    ) -> Result<Self, Stop> {
        let graph = match methods {
            [] => classifier.extract(&[LOGITS])?,
            methods => attach(classifier, methods)?,
        };
        let shapes = graph.outputs().iter().map(|&id| graph.shape(id));
        let layouts = methods.iter().zip(shapes.skip(1)).map(|(attachment, shape)| {
            let shape = std::array::from_fn(|axis| shape.get(axis + 1).copied().unwrap_or(1));
            Layout { method: attachment.method, shape }
        });
        let layouts = layouts.collect();
        let classes = graph.shape(graph.outputs()[0]).iter().product();
        Ok(Self {
            runner: GraphRunner::new(&graph, threads)?,
            layouts,
            classes,
            threads: threads.get(),
        })
    }

    /// The methods, in the order of the attributions.
    pub(crate) fn layouts(&self) -> &[Layout] {
        &self.layouts
    }

    /// Answers for pictures in [0, 1]; the explained class of each, the predicted one where none is given.
    pub(crate) fn answers(
        &self,
        count: usize,
        picture: impl Fn(usize) -> Vec<f32> + Sync,
        class: impl Fn(usize) -> Option<usize> + Sync,
        deadline: Deadline,
    ) -> Result<Vec<Answer>, Stop> {
        let target = |at: usize| {
            let mut row = vec![0.0; self.classes];
            if let Some(class) = class(at) {
                row[class] = 1.0;
            }
            row
        };
        self.weighted(count, picture, target, deadline)
    }

    /// The same for rows of class weights, as the input `target` takes them.
    pub(crate) fn weighted(
        &self,
        count: usize,
        picture: impl Fn(usize) -> Vec<f32> + Sync,
        weights: impl Fn(usize) -> Vec<f32> + Sync,
        deadline: Deadline,
    ) -> Result<Vec<Answer>, Stop> {
        let mut all = Vec::with_capacity(count);
        while all.len() < count {
            deadline.check()?;
            let first = all.len();
            let some = (count - first).min(2 * self.threads);
            let inputs = |at: usize| match self.layouts[..] {
                [] => vec![picture(first + at)],
                _ => vec![picture(first + at), weights(first + at)],
            };
            let read = |_, mut outputs: Vec<Vec<f32>>| {
                let attributions = outputs.split_off(1);
                Answer { logits: outputs.swap_remove(0), attributions }
            };
            all.extend(self.runner.map(some, inputs, read, &|_| ()));
        }
        Ok(all)
    }
}

/// A map whose sides are at most 32, each value the mean of a block.
pub(crate) fn coarse(map: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let [short, narrow] = [rows, columns].map(|side| side.min(SIDE));
    if [short, narrow] == [rows, columns] {
        return map.to_vec();
    }
    let (mut sums, mut counts) = (vec![0.0f32; short * narrow], vec![0.0f32; short * narrow]);
    for (at, value) in map.iter().enumerate() {
        let place = (at / columns * short / rows) * narrow + at % columns * narrow / columns;
        sums[place] += value;
        counts[place] += 1.0;
    }
    sums.iter().zip(&counts).map(|(sum, count)| sum / count.max(1.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_averaged_and_small_maps_kept() {
        assert_eq!(coarse(&[1.0, 2.0, 3.0, 4.0], 2, 2), [1.0, 2.0, 3.0, 4.0]);
        let map: Vec<f32> = (0..64 * 64).map(|at| (at % 64) as f32).collect();
        let found = coarse(&map, 64, 64);
        assert_eq!(found.len(), 32 * 32);
        assert_eq!(found[..3], [0.5, 2.5, 4.5]);
    }
}
