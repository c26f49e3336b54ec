//! The plain gradient.

use crate::calculus;
use crate::graph::{Graph, GraphError, ValueId};

/// `d (seed . logits) / d image`: one backward pass, no baseline.
///
/// K. Simonyan, A. Vedaldi, A. Zisserman, "Deep Inside Convolutional Networks: Visualising Image
/// Classification Models and Saliency Maps", ICLR workshop 2014, section 3.
pub(super) fn attribution(
    graph: &mut Graph,
    image: ValueId,
    logits: ValueId,
    seed: ValueId,
) -> Result<ValueId, GraphError> {
    calculus::gradient(graph, logits, seed, image)
}
