//! Guided backpropagation.

use super::Places;
use crate::calculus::{Rules, gradient_with};
use crate::graph::{Graph, GraphError, ValueId};

/// The gradient of `seed . logits` by the image where every ReLU with input x and result y turns an
/// incoming g into `max(g, 0) * [y > 0]`, in place of the derivative `g * [y > 0]`.
///
/// J. T. Springenberg, A. Dosovitskiy, T. Brox, M. Riedmiller, "Striving for Simplicity: The All
/// Convolutional Net", ICLR workshop 2015, section 3.4.
///
/// # Shapes
/// The result is `[n, channel, row, column]` as the image.
pub(super) fn attribution(graph: &mut Graph, at: &Places) -> Result<ValueId, GraphError> {
    gradient_with(Rules::Guided, graph, at.logits, at.seed, at.image)
}
