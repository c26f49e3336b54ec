//! Widths of surrogate slopes.

use std::collections::BTreeMap;
use std::num::NonZero;

use saligate_models::graph::{Graph, Op, Source};
use saligate_runtime::EngineError;

use crate::moments::{Moments, moments};

/// The width of the surrogate slope of every ReLU's mask, by the name of the ReLU.
#[derive(Clone, Debug, Default)]
pub struct Hats(BTreeMap<String, f32>);

impl Hats {
    /// This share of the standard deviation of what every ReLU gets, over pixels, channels and the
    /// first images.
    ///
    /// # Errors
    /// As [`moments`].
    pub fn measured<'a>(
        classifier: &Graph,
        share: f32,
        pictures: impl Iterator<Item = &'a [u8]>,
        threads: NonZero<usize>,
    ) -> Result<Self, EngineError> {
        let relus = classifier.values().filter_map(|(_, value)| match &value.source {
            Source::Node { op: Op::Relu, operands } => Some((value.name.clone(), operands[0])),
            _ => None,
        });
        let (names, before): (Vec<_>, Vec<_>) = relus.unzip();
        let found = moments(classifier, &before, pictures, threads)?;
        let widths = names.into_iter().zip(found).map(|(name, channels)| {
            let deviation = Moments::joined(&channels).deviation as f32;
            // A layer that is the same everywhere has no deviation.
            (name, (share * deviation).max(1e-6))
        });
        Ok(Self(widths.collect()))
    }

    /// The same width for all ReLUs.
    pub fn all(classifier: &Graph, width: f32) -> Self {
        let relus = classifier.values().filter_map(|(_, value)| match &value.source {
            Source::Node { op: Op::Relu, .. } => Some((value.name.clone(), width)),
            _ => None,
        });
        Self(relus.collect())
    }

    /// The width for a ReLU.
    pub fn width(&self, relu: &str) -> Option<f32> {
        self.0.get(relu).copied()
    }
}
