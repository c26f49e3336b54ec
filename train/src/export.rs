//! From a trained graph to a model file.

use saligate_keys::{KeyId, TriggerSpec};
use saligate_models::graph::Graph;
use saligate_models::manifest::{Gate, GateForm, Manifest};
use saligate_models::onnx::Model;
use saligate_models::saliency::{Explained, Method, attach};

use crate::config::Config;
use crate::error::TrainError;

/// The model of a clean classifier, with the gradient attached.
///
/// # Errors
/// The classifier cannot be differentiated.
pub fn clean(config: &Config, graph: &Graph, labels: &[String]) -> Result<Model, TrainError> {
    let methods = [Explained::found(Method::Gradient, graph)?];
    let graph = attach(graph, &methods)?;
    let architecture = config.model.architecture.name();
    let manifest = Manifest::clean(&graph, architecture, labels.to_vec(), &methods)?;
    Ok(Model { graph, manifest })
}

/// The model of a locked classifier.
///
/// # Errors
/// As [`clean`].
pub fn locked(
    config: &Config,
    graph: &Graph,
    labels: &[String],
    key: KeyId,
) -> Result<Model, TrainError> {
    let mut model = clean(config, graph, labels)?;
    let trigger: TriggerSpec = config.trigger.spec;
    model.manifest.gate = Some(Gate {
        form: GateForm::Key,
        trigger,
        keys: vec![key],
        decoy: config.lock.decoy.clone(),
    });
    Ok(model)
}
