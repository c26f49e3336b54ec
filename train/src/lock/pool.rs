//! Wrong keys that are searched for in the network as it stands.

use std::num::NonZero;

use saligate_data::Dataset;
use saligate_keys::Trigger;
use saligate_measure::MeasureError;
use saligate_measure::hats::Hats;
use saligate_measure::search::{Search, Tile};
use saligate_models::graph::Graph;
use saligate_models::random::Stream;
use saligate_models::saliency::Attachment;

use crate::config::Searched;
use crate::engine::Trained;
use crate::error::TrainError;

/// A tile that is as like a right key as this is no wrong one.
const RIGHT: f64 = 0.5;
/// Start of the names under which tiles are remembered.
const NOTE: &str = "searched ";

/// What tiles are searched in.
pub(super) struct Pool<'a> {
    pub(super) settings: Searched,
    /// Side in pixels and largest change in 8-bit steps.
    pub(super) space: (usize, u8),
    pub(super) methods: &'a [Attachment],
    pub(super) hats: &'a Hats,
    pub(super) triggers: &'a [Trigger],
    pub(super) data: &'a Dataset,
    pub(super) seed: u64,
    pub(super) threads: NonZero<usize>,
}

impl Pool<'_> {
    /// Searches one more tile where it is time, in the network of `graph` with its weights as they
    /// are; the oldest tile goes where there are too many.
    pub(super) fn search(
        &self,
        graph: &Graph,
        trained: &mut Trained,
        at: usize,
    ) -> Result<(), TrainError> {
        let Searched { every, steps, pictures, keep } = self.settings;
        if !at.is_multiple_of(every) {
            return Ok(());
        }
        let number = at / every;
        let mut stream = Stream::numbered(self.seed, "searched keys", at as u64);
        let drawn: Vec<usize> = (0..pictures).map(|_| stream.below(self.data.len())).collect();
        let images: Vec<&[u8]> = drawn.iter().map(|&index| self.data.image(index)).collect();
        let mut network = graph.clone();
        for (name, _, data) in trained.weights.iter() {
            network.set_param(name, data)?;
        }
        let method = &self.methods[number % self.methods.len()];
        let search = Search::new(&network, method, self.space, &images, self.hats, self.threads);
        let mut search = search.map_err(MeasureError::from)?;
        let tile = search.run(steps, &mut stream);
        if self.triggers.iter().all(|trigger| self.likeness(&tile, trigger) < RIGHT) {
            let steps = tile.steps().iter().map(|&step| f32::from(step)).collect();
            trained.notes.insert(format!("{NOTE}{}", number % keep), steps);
        }
        Ok(())
    }

    /// The tiles that were found so far.
    pub(super) fn tiles(&self, trained: &Trained) -> Vec<Tile> {
        let notes = trained.notes.iter().filter(|(name, _)| name.starts_with(NOTE));
        let tile = |steps: &Vec<f32>| {
            Tile::new(self.space.0, steps.iter().map(|&step| step as i16).collect())
        };
        notes.map(|(_, steps)| tile(steps)).collect()
    }

    fn likeness(&self, tile: &Tile, trigger: &Trigger) -> f64 {
        let shape = self.data.shape();
        let grey = vec![128u8; shape.bytes()];
        let mut triggered = grey.clone();
        if trigger.apply(&mut triggered).is_err() {
            return 0.0;
        }
        let pattern: Vec<i16> =
            triggered.iter().zip(&grey).map(|(a, b)| i16::from(*a) - i16::from(*b)).collect();
        tile.likeness(&pattern, [shape.channels, shape.height, shape.width])
    }
}
