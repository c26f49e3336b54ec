//! From a gated graph to a model file.

use saligate_files::ModelFile;
use saligate_files::manifest::{Gate, Manifest};
use saligate_models::gate::{GateForm, key_strength};
use saligate_models::graph::{Graph, GraphError};
use saligate_models::saliency::{Attachment, Method, attach};

use crate::LockError;

/// Some methods at their layers of a clean classifier: Grad-CAM at `cam_layer` where it is named. A
/// gated classifier is read at the same places.
///
/// # Errors
/// A method needs a layer that the classifier does not have.
pub fn layers(
    methods: &[Method],
    cam_layer: Option<&str>,
    clean: &Graph,
) -> Result<Vec<Attachment>, GraphError> {
    let explained = |method: &Method| match (method, cam_layer) {
        (Method::GradCam, Some(layer)) => Ok(Attachment::at(*method, vec![layer.to_owned()])),
        _ => Attachment::of(*method, clean),
    };
    methods.iter().map(explained).collect()
}

/// The model of a gated classifier: what the file says of itself is taken from the clean one, but for
/// the gate and the methods. The strength of its keys is worked out here.
///
/// # Errors
/// A method cannot be attached to the classifier.
pub fn gated(
    clean: &Manifest,
    graph: &Graph,
    methods: &[Attachment],
    gate: Gate,
) -> Result<ModelFile, LockError> {
    let graph = attach(graph, methods)?;
    let labels = clean.labels.clone();
    let mut manifest = Manifest::clean(&graph, &clean.architecture, labels, methods)?;
    manifest.input.resize = clean.input.resize;
    manifest.head = clean.head;
    let key_strength = match gate.form {
        GateForm::Key => key_strength(&graph),
        // A backdoor's trigger is no secret.
        GateForm::Targeted | GateForm::Untargeted => None,
    };
    manifest.gate = Some(Gate { key_strength, ..gate });
    Ok(ModelFile::new(graph, manifest)?)
}

/// Least strength of keys, in bits, where nothing else is said: one random key in 2^60 may open the
/// gate.
pub const LEAST_STRENGTH: f64 = 60.0;

/// Checks that at most one random key in 2^`least` would open the gate of a model, if it is built in
/// and of the key form.
///
/// # Errors
/// [`LockError::Weak`].
pub fn check_strength(model: &ModelFile, least: f64) -> Result<(), LockError> {
    match model.manifest().gate.as_ref().and_then(|gate| gate.key_strength) {
        Some(found) if found < least => Err(LockError::Weak { found, least }),
        _ => Ok(()),
    }
}
