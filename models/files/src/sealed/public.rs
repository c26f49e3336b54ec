//! Networks to show in front of a sealed one.

use std::sync::Arc;

use saligate_models::graph::{ConvAttrs, Graph, Op, Source};
use saligate_models::names::{IMAGE, LOGITS, TARGET};
use saligate_models::saliency::{Attachment, Method, attach};

use super::SealedError;
use crate::error::FileError;
use crate::manifest::Manifest;
use crate::model::ModelFile;

/// The classifier of a model, with the methods of the true network: what is shown in front of it.
///
/// # Errors
/// The classifier has other classes or takes other pictures than the true network, or does not allow
/// one of its methods.
pub fn public_network(public: &ModelFile, truth: &ModelFile) -> Result<ModelFile, FileError> {
    let (own, wanted) = (public.manifest(), truth.manifest());
    let unfit = |reason| Err(FileError::from(SealedError::Unfit { reason }));
    let sizes = |m: &Manifest| [m.input.channels, m.input.height, m.input.width];
    if sizes(own) != sizes(wanted) {
        return unfit(
            "the public network takes pictures of another size than the one to be sealed",
        );
    }
    if own.labels != wanted.labels {
        return unfit(
            "the public network has other classes than the one to be sealed, or in another order; \
             `saligate import --labels` names them",
        );
    }
    if own.head != wanted.head {
        return unfit(
            "the public network makes probabilities in another way than the one to be sealed",
        );
    }
    if shares_weights(public.graph(), truth.graph()) {
        return unfit(
            "the public network has weights of the one to be sealed, which everybody could read; give \
             another one, or none",
        );
    }
    let classifier = public.graph().extract(&[LOGITS])?;
    let methods = methods(wanted).map(|method| own.attachment(method, &classifier));
    let methods = methods.collect::<Result<Vec<_>, _>>()?;
    shown(&classifier, &own.architecture, &methods, wanted)
}

/// A network that predicts nothing: every class has the same score, and maps are zero.
///
/// # Errors
/// None but those of a graph that cannot be made.
pub fn blank(truth: &ModelFile) -> Result<ModelFile, FileError> {
    let manifest = truth.manifest();
    let (input, classes) = (&manifest.input, manifest.labels.len());
    let mut graph = Graph::new();
    let image = graph.input(IMAGE, &[1, input.channels, input.height, input.width])?;
    let weight =
        graph.param("blank.weight", &[1, input.channels, 1, 1], vec![0.0; input.channels])?;
    let nothing = graph.node("blank", Op::Conv(ConvAttrs::same(0)), &[image, weight])?;
    let nothing = graph.node("blank.relu", Op::Relu, &[nothing])?;
    let mean = graph.node("mean", Op::GlobalAveragePool, &[nothing])?;
    let flat = graph.node("flat", Op::Flatten, &[mean])?;
    let scores = graph.param("scores.weight", &[classes, 1], vec![0.0; classes])?;
    let logits = graph.node(LOGITS, Op::Gemm { transposed: false }, &[flat, scores])?;
    graph.set_outputs(&[logits]);
    let layer = |method: Method| {
        let reads = *method.layers().start();
        Attachment::at(method, vec!["blank.relu".to_owned(); reads])
    };
    let methods: Vec<_> = methods(manifest).map(layer).collect();
    shown(&graph, "blank", &methods, manifest)
}

/// Whether a trained parameter of more than a few elements is the same in both.
fn shares_weights(public: &Graph, truth: &Graph) -> bool {
    /// Fewer may be alike by chance, as zeros are.
    const FEW: usize = 16;
    let weights = |graph: &Graph| -> Vec<Arc<[f32]>> {
        let trained = graph.trainable();
        let values = trained.iter().filter_map(|name| {
            let value = graph.value(graph.find(name).ok()?);
            match &value.source {
                Source::Param(data) if data.len() > FEW => Some(Arc::clone(data)),
                _ => None,
            }
        });
        values.filter(|data| data.iter().any(|v| *v != data[0])).collect()
    };
    let theirs = weights(truth);
    weights(public).iter().any(|own| theirs.contains(own))
}

fn methods(manifest: &Manifest) -> impl Iterator<Item = Method> {
    manifest.methods.iter().filter_map(|spec| spec.name.parse().ok())
}

fn shown(
    classifier: &Graph,
    architecture: &str,
    methods: &[Attachment],
    wanted: &Manifest,
) -> Result<ModelFile, FileError> {
    debug_assert!(classifier.find(TARGET).is_err(), "a classifier takes an image alone");
    let graph = attach(classifier, methods)?;
    let mut manifest = Manifest::clean(&graph, architecture, wanted.labels.clone(), methods)?;
    manifest.input = wanted.input.clone();
    manifest.head = wanted.head;
    ModelFile::new(graph, manifest)
}
