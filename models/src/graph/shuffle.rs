//! The same network with other weights: what is left of a map then does not rest on them.

use super::{Graph, GraphError, Source};
use crate::random::Stream;

/// Fewest elements of weights that are shuffled; biases of small layers have fewer.
const LEAST: usize = 64;

impl Graph {
    /// Puts the elements of every large weight into another order.
    ///
    /// Model parameter randomisation of Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018,
    /// section 3.1, by permutation: the values of a layer are what they were, and say nothing.
    ///
    /// # Errors
    /// None for a graph that is sound.
    pub fn shuffle_weights(&mut self, stream: &mut Stream) -> Result<(), GraphError> {
        for name in self.trainable() {
            let Source::Param(data) = &self.value(self.find(&name)?).source else { continue };
            if data.len() >= LEAST {
                let order = stream.permutation(data.len());
                let other: Vec<f32> = order.iter().map(|&at| data[at]).collect();
                self.set_param(&name, other)?;
            }
        }
        Ok(())
    }
}
