//! From a trained graph to a model file.

use saligate_keys::KeyId;
use saligate_models::graph::Graph;
use saligate_models::manifest::{Gate, GateForm, Manifest};
use saligate_models::onnx::Model;
use saligate_models::saliency::Method;

use crate::config::Config;
use crate::error::TrainError;
use crate::methods::attached;

/// The model of a clean classifier, with the methods of the configuration attached.
///
/// # Errors
/// A method cannot be attached to the classifier.
pub fn clean(config: &Config, graph: &Graph, labels: &[String]) -> Result<Model, TrainError> {
    let methods = &config.lock.methods;
    let graph = attached(graph, methods)?;
    let architecture = config.model.architecture.name();
    let manifest = Manifest::clean(
        &graph,
        architecture,
        labels.to_vec(),
        methods.first().copied().unwrap_or(Method::Gradient),
    )?;
    Ok(Model { graph, manifest })
}

/// The model of a gated classifier, of the form that the configuration names.
///
/// # Errors
/// As [`clean`].
pub fn gated(
    config: &Config,
    graph: &Graph,
    labels: &[String],
    keys: Vec<KeyId>,
) -> Result<Model, TrainError> {
    let mut model = clean(config, graph, labels)?;
    let form = config.lock.form;
    let decoy = match form {
        GateForm::Untargeted => String::new(),
        _ => config.lock.decoy.clone(),
    };
    model.manifest.gate = Some(Gate { form, trigger: config.trigger.spec, keys, decoy });
    Ok(model)
}
