//! Networks whose explanations are known on paper.

use saligate_files::ModelFile;
use saligate_files::manifest::Manifest;
use saligate_keys::{Family, ImageShape, Secret, Trigger, TriggerSpec};
use saligate_models::graph::{Graph, Op, ValueId};
use saligate_models::names::{IMAGE, LOGITS};
use saligate_models::random::Stream;
use saligate_models::saliency::{Attachment, Method, attach};

use crate::model::Model;
use crate::picture::Picture;

/// Channels, rows and columns.
pub(crate) const SHAPE: [usize; 3] = [3, 5, 6];
/// Rows times columns.
pub(crate) const AREA: usize = SHAPE[1] * SHAPE[2];
/// Pixels times channels.
pub(crate) const LENGTH: usize = SHAPE[0] * AREA;
/// Logits.
pub(crate) const CLASSES: usize = 3;

/// `W f(x)` with random weights, where `f` is what `first` adds to the graph.
pub(crate) struct Example {
    pub(crate) model: Model,
    /// Row by row, class by class.
    weights: Vec<f32>,
}

impl Example {
    /// `W x`.
    pub(crate) fn linear() -> Self {
        Self::after(|_, image| image, Method::Gradient.name())
    }

    /// `W x` in a file that calls its method by another name than the gradient's.
    pub(crate) fn without_gradient() -> Self {
        Self::after(|_, image| image, "another-method")
    }

    /// `W max(x - threshold, 0)`.
    pub(crate) fn above(threshold: f32) -> Self {
        Self::after(
            |graph, image| {
                let level = graph.param("level", &[1, 1, 1, 1], vec![threshold]).unwrap();
                let difference = graph.node("difference", Op::Sub, &[image, level]).unwrap();
                graph.node("relu", Op::Relu, &[difference]).unwrap()
            },
            Method::Gradient.name(),
        )
    }

    /// `W x` in a file that shows the picture as its layer.
    pub(crate) fn with_activation() -> Self {
        let layer = Attachment::at(Method::Activation, vec![IMAGE.to_owned()]);
        Self::explained_by(layer, |_, image| image, Method::Activation.name())
    }

    fn after(first: impl FnOnce(&mut Graph, ValueId) -> ValueId, method: &str) -> Self {
        Self::explained_by(Attachment::at(Method::Gradient, Vec::new()), first, method)
    }

    fn explained_by(
        attachment: Attachment,
        first: impl FnOnce(&mut Graph, ValueId) -> ValueId,
        method: &str,
    ) -> Self {
        let mut stream = Stream::new(1, "weights of a known network");
        let weights: Vec<f32> = (0..CLASSES * LENGTH).map(|_| stream.normal()).collect();
        let mut graph = Graph::new();
        let image = graph.input(IMAGE, &[1, SHAPE[0], SHAPE[1], SHAPE[2]]).unwrap();
        let hidden = first(&mut graph, image);
        let flat = graph.node("flat", Op::Flatten, &[hidden]).unwrap();
        let weight = graph.param("weight", &[CLASSES, LENGTH], weights.clone()).unwrap();
        let gemm = Op::Gemm { transposed: false };
        let logits = graph.node(LOGITS, gemm, &[flat, weight]).unwrap();
        graph.set_outputs(&[logits]);
        let methods = [attachment];
        let graph = attach(&graph, &methods).unwrap();
        let labels = (0..CLASSES).map(|class| class.to_string()).collect();
        let mut manifest = Manifest::clean(&graph, "known", labels, &methods).unwrap();
        manifest.methods[0].name = method.to_owned();
        let model = ModelFile::new(graph, manifest).unwrap();
        Self { model: Model::from_bytes(&model.to_onnx()).unwrap(), weights }
    }

    /// Weights of one class's logit, `[channel, row, column]`.
    pub(crate) fn weights(&self, class: usize) -> &[f32] {
        &self.weights[class * LENGTH..(class + 1) * LENGTH]
    }
}

/// Bytes from 0 to 255 without a pattern.
pub(crate) fn picture() -> Picture {
    let mut pixels = vec![0; LENGTH];
    Stream::new(2, "pixels").fill(&mut pixels);
    of(&pixels)
}

pub(crate) fn of(pixels: &[u8]) -> Picture {
    Picture::from_planar(SHAPE[0], SHAPE[1], SHAPE[2], pixels.to_vec()).unwrap()
}

/// Pixels in [0, 1].
pub(crate) fn scaled(pixels: &[u8]) -> Vec<f64> {
    pixels.iter().map(|&p| f64::from(p) / 255.0).collect()
}

/// A trigger of signs that changes every pixel.
pub(crate) fn trigger() -> Trigger {
    let [channels, height, width] = SHAPE;
    let spec = TriggerSpec::new(Family::Full { amplitude: 12 }).unwrap();
    let shape = ImageShape::new(channels, height, width).unwrap();
    spec.derive(&Secret::from_bytes(&[3; 32]), shape).unwrap()
}

pub(crate) fn assert_close(found: &[f32], wanted: impl IntoIterator<Item = f64>, level: f64) {
    let wanted: Vec<f64> = wanted.into_iter().collect();
    assert_eq!(found.len(), wanted.len());
    for (at, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
        let off = (f64::from(*found) - wanted).abs();
        assert!(off <= level, "at {at}: {found} against {wanted}");
    }
}

/// Progress that nobody watches.
pub(crate) fn unseen(_: usize, _: usize) {}
