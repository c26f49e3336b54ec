//! The saliency methods of a run and the layers that they read.

use saligate_models::graph::{Graph, GraphError};
use saligate_models::saliency::{Explained, Method};

/// The methods at the layers of a clean classifier. A gated one is read at the same places.
///
/// # Errors
/// A method needs a layer that the classifier does not have.
pub(crate) fn found(methods: &[Method], clean: &Graph) -> Result<Vec<Explained>, GraphError> {
    methods.iter().map(|method| Explained::found(*method, clean)).collect()
}
