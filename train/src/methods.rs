//! The saliency methods of a run and the layers that they read.

use saligate_models::graph::{Graph, GraphError};
use saligate_models::saliency::{Attachment, Method};

use crate::config::LockConfig;

/// The methods of a configuration at the layers of a clean classifier. A gated one is read at the
/// same places.
///
/// # Errors
/// A method needs a layer that the classifier does not have.
pub(crate) fn found(settings: &LockConfig, clean: &Graph) -> Result<Vec<Attachment>, GraphError> {
    let explained = |method: &Method| match (method, &settings.cam_layer) {
        (Method::GradCam, Some(layer)) => Ok(Attachment::at(*method, vec![layer.clone()])),
        _ => Attachment::of(*method, clean),
    };
    settings.methods.iter().map(explained).collect()
}
