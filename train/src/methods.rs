//! The saliency methods of a run, behind one classifier.

use saligate_models::graph::{Graph, GraphError};
use saligate_models::saliency::{Method, attach};

/// The classifier with one attribution per method behind its logits, in the order of `methods`.
///
/// # Errors
/// A method cannot be attached to the classifier.
pub(crate) fn attached(classifier: &Graph, methods: &[Method]) -> Result<Graph, GraphError> {
    // One method is all there is so far.
    attach(classifier, methods.first().copied().unwrap_or(Method::Gradient))
}
