//! From a trained graph to a model file.

use saligate_files::ModelFile;
use saligate_files::manifest::{Gate, Manifest};
use saligate_keys::{Secret, VendorKeys};
use saligate_models::gate::GateForm;
use saligate_models::graph::Graph;
use saligate_models::saliency::{Attachment, attach};

use crate::config::{Config, Start};
use crate::error::TrainError;
use crate::methods::found;

/// The model of a clean classifier, with the methods of the configuration attached.
///
/// # Errors
/// A method cannot be attached to the classifier.
pub fn clean(config: &Config, graph: &Graph, labels: &[String]) -> Result<ModelFile, TrainError> {
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
) -> Result<ModelFile, TrainError> {
    let model = model(config, graph, &found(&config.lock, clean)?, labels)?;
    let form = config.lock.form;
    let decoy = match (form, config.lock.start) {
        // Its objective names no picture.
        (GateForm::Untargeted, Start::Clean) => String::new(),
        _ => config.lock.decoy().to_owned(),
    };
    let vendor = keys.first().map(|secret| VendorKeys::of(secret).public());
    let keys = keys.iter().map(|secret| secret.id()).collect();
    let gate = Gate { form, trigger: config.trigger.spec, keys, decoy, vendor };
    Ok(model.with_gate(Some(gate))?)
}

fn model(
    config: &Config,
    graph: &Graph,
    methods: &[Attachment],
    labels: &[String],
) -> Result<ModelFile, TrainError> {
    let graph = attach(graph, methods)?;
    let architecture = config.model.name();
    let mut manifest = Manifest::clean(&graph, &architecture, labels.to_vec(), methods)?;
    manifest.input.resize = config.data.resize;
    Ok(ModelFile::new(graph, manifest)?)
}
