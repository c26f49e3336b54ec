//! What the frozen clean model says of the training images.

use burn::tensor::{Device, Tensor};
use saligate_models::graph::{Graph, Op};
use saligate_models::saliency::{Explained, Method, attach};

use crate::batch::{images, pixels, predicted};
use crate::data::{Dataset, Shape};
use crate::engine::{Array, Program, Weights};
use crate::error::TrainError;
use crate::stage::{RunOptions, progress};

/// Images per evaluation; only a matter of memory.
const CHUNK: usize = 250;

/// Logits and attributions of the clean model for every training image.
pub(crate) struct References {
    shape: Shape,
    classes: usize,
    logits: Vec<f32>,
    attributions: Vec<f32>,
}

impl References {
    /// Explains every image once.
    pub(crate) fn compute(
        clean: &Graph,
        data: &Dataset,
        device: &Device,
        options: &RunOptions,
    ) -> Result<Self, TrainError> {
        let explainer = Explainer::new(clean, None, device)?;
        let weights = Weights::of(clean, device);
        let shape = data.shape();
        let classes = data.class_names().len();
        let mut references = Self { shape, classes, logits: Vec::new(), attributions: Vec::new() };
        let bar = progress("reference", data.len(), options.quiet);
        let all: Vec<usize> = (0..data.len()).collect();
        for chunk in all.chunks(CHUNK) {
            let bytes: Vec<u8> = chunk.iter().flat_map(|&i| data.image(i)).copied().collect();
            let nothing = Tensor::zeros([chunk.len(), classes], device);
            let (logits, attribution) =
                explainer.run(&weights, pixels(&bytes, shape, device), nothing);
            references.logits.extend(Array::Matrix(logits).to_vec());
            references.attributions.extend(Array::Image(attribution).to_vec());
            bar.inc(chunk.len() as u64);
        }
        bar.finish_and_clear();
        Ok(references)
    }

    /// Logits `[batch, class]` of some images.
    pub(crate) fn logits(&self, indices: &[usize], device: &Device) -> Tensor<2> {
        let rows = indices.iter().flat_map(|&i| self.row(i)).copied().collect();
        Array::new(rows, &[indices.len(), self.classes], device).matrix()
    }

    /// One-hot predicted classes `[batch, class]` of some images.
    pub(crate) fn predicted(&self, indices: &[usize], device: &Device) -> Tensor<2> {
        let scores: Vec<f32> = indices.iter().flat_map(|&i| self.row(i)).copied().collect();
        predicted(&scores, self.classes, device)
    }

    /// Attributions `[batch, channel, row, column]` of some images.
    pub(crate) fn attributions(&self, indices: &[usize], device: &Device) -> Tensor<4> {
        let size = self.shape.bytes();
        let rows = indices.iter().flat_map(|&i| &self.attributions[i * size..(i + 1) * size]);
        images(rows.copied().collect(), self.shape, device)
    }

    /// Mean absolute attribution per pixel, over the largest channel.
    pub(crate) fn mean_strength(&self) -> f32 {
        let pixels = self.shape.pixels();
        let mut sum = 0.0f64;
        for image in self.attributions.chunks_exact(self.shape.bytes()) {
            for pixel in 0..pixels {
                let channels = (0..self.shape.channels).map(|c| image[c * pixels + pixel].abs());
                sum += f64::from(channels.fold(0.0, f32::max));
            }
        }
        (sum / (self.logits.len() / self.classes * pixels) as f64) as f32
    }

    fn row(&self, index: usize) -> &[f32] {
        &self.logits[index * self.classes..(index + 1) * self.classes]
    }
}

/// A classifier with its saliency graph, ready for training.
pub(crate) struct Explainer(Program);

impl Explainer {
    /// Attaches the gradient; with `softplus`, every ReLU is first exchanged for a Softplus of
    /// that sharpness.
    pub(crate) fn new(
        classifier: &Graph,
        softplus: Option<f32>,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let smooth = softplus.map(|beta| {
            let exchange = |op: &Op| (*op == Op::Relu).then_some(Op::Softplus { beta });
            classifier.with_ops(exchange)
        });
        let methods = [Explained::found(Method::Gradient, classifier)?];
        let graph = attach(smooth.as_ref().unwrap_or(classifier), &methods)?;
        Ok(Self(Program::new(graph, &Weights::of(classifier, device), device)))
    }

    /// Logits and attribution of images, for class weights `[batch, class]`.
    pub(crate) fn run(
        &self,
        weights: &Weights,
        images: Tensor<4>,
        target: Tensor<2>,
    ) -> (Tensor<2>, Tensor<4>) {
        let inputs = vec![Array::Image(images), Array::Matrix(target)];
        let [logits, attribution] = <[Array; 2]>::try_from(self.0.run(weights, inputs))
            .expect("a saliency graph has two outputs");
        (logits.matrix(), attribution.image())
    }
}
