//! The plain gradient.

use super::Places;
use crate::calculus;
use crate::graph::{Graph, GraphError, ValueId};

/// `d (seed . logits) / d image`: one backward pass, no baseline.
///
/// K. Simonyan, A. Vedaldi, A. Zisserman, "Deep Inside Convolutional Networks: Visualising Image
/// Classification Models and Saliency Maps", ICLR workshop 2014, section 3.
///
/// # Shapes
/// The result is `[n, channel, row, column]` as the image.
pub(super) fn attribution(graph: &mut Graph, at: &Places) -> Result<ValueId, GraphError> {
    calculus::gradient(graph, at.logits, at.seed, at.image)
}
