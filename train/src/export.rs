//! From a trained graph to a model file.

use saligate_keys::{Secret, VendorKeys};
use saligate_models::graph::Graph;
use saligate_models::manifest::{Gate, GateForm, Manifest};
use saligate_models::onnx::Model;
use saligate_models::saliency::{Explained, attach};

use crate::config::{Config, Start};
use crate::error::TrainError;
use crate::methods::found;

/// The model of a clean classifier, with the methods of the configuration attached.
///
/// # Errors
/// A method cannot be attached to the classifier.
pub fn clean(config: &Config, graph: &Graph, labels: &[String]) -> Result<Model, TrainError> {
    model(config, graph, &found(&config.lock, graph)?, labels)
}

/// The model of a gated classifier, of the form that the configuration names. Methods read it at
/// the layers that they have in the clean classifier. The vendor who signs its licences is the one
/// of the first key.
///
/// # Errors
/// As [`clean`].
pub fn gated(
    config: &Config,
    clean: &Graph,
    graph: &Graph,
    labels: &[String],
    keys: &[&Secret],
) -> Result<Model, TrainError> {
    let mut model = model(config, graph, &found(&config.lock, clean)?, labels)?;
    let form = config.lock.form;
    let decoy = match (form, config.lock.start) {
        // Its objective names no picture.
        (GateForm::Untargeted, Start::Clean) => String::new(),
        _ => config.lock.decoy().to_owned(),
    };
    let vendor = keys.first().map(|secret| VendorKeys::of(secret).public());
    let keys = keys.iter().map(|secret| secret.id()).collect();
    model.manifest.gate = Some(Gate { form, trigger: config.trigger.spec, keys, decoy, vendor });
    Ok(model)
}

fn model(
    config: &Config,
    graph: &Graph,
    methods: &[Explained],
    labels: &[String],
) -> Result<Model, TrainError> {
    let graph = attach(graph, methods)?;
    let architecture = config.model.name();
    let mut manifest = Manifest::clean(&graph, &architecture, labels.to_vec(), methods)?;
    manifest.input.resize = config.data.resize;
    Ok(Model { graph, manifest })
}
