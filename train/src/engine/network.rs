//! What a training step computes: logits and maps of some images, and the slopes of a loss by the
//! weights.
//!
//! On the project's own engine a step leaves Burn's tape: the outputs are leaves of the tape of the
//! loss, whose gradients go to the [`Learner`]. On a backend of Burn the tape holds the network as
//! well.

use std::num::NonZero;
use std::sync::Arc;

use burn::tensor::{Device, Gradients, Tensor};
use saligate_measure::hats::Hats;
use saligate_models::graph::{Graph, GraphError, Op};
use saligate_models::names::LOGITS;
use saligate_models::saliency::{Attachment, attach};
use saligate_runtime::{Isa, Learner};

use super::{Array, Backend, Program, Slopes, Trained, Weights};
use crate::laps::Laps;

/// Bytes that the values of a step's images may take; beyond that, outputs are computed twice.
const MEMORY: usize = 4 << 30;

/// A classifier with its saliency graph, ready for training.
pub(crate) struct Network {
    way: Way,
    device: Device,
    has_layer: bool,
}

enum Way {
    Own(Box<Own>),
    Taped(Box<Taped>),
}

/// A backend of Burn.
struct Taped {
    maps: Program,
    classifier: Option<Program>,
}

/// What decides how a network is computed.
pub(crate) struct NetworkOptions<'a> {
    pub(crate) backend: Backend,
    /// With this sharpness every ReLU is exchanged for a Softplus where maps are computed; logits
    /// stay those of the network.
    pub(crate) softplus: Option<f32>,
    /// Surrogate slopes of masks.
    pub(crate) hats: &'a Hats,
    /// The feature map whose means over pixels are read as well.
    pub(crate) layer: Option<&'a str>,
    pub(crate) threads: NonZero<usize>,
}

/// What a network says of some images, on the tape of a loss.
pub(crate) struct Outputs {
    /// `[image, class]`
    pub(crate) logits: Tensor<2>,
    /// By method, `[image, channel, row, column]` each.
    pub(crate) attributions: Vec<Tensor<4>>,
    /// Means of the layer that is read as well, `[image, channel]`.
    pub(crate) features: Option<Tensor<2>>,
}

impl Outputs {
    /// Outputs of a graph with methods behind the logits, and behind them the layer's means.
    fn of(mut outputs: Vec<Array>, has_layer: bool) -> Self {
        let features = if has_layer { outputs.pop().map(Array::image) } else { None };
        let mut outputs = outputs.into_iter();
        let logits = outputs.next().expect("a graph has logits").matrix();
        let attributions = outputs.map(Array::image).collect();
        Self { logits, attributions, features: features.map(|x| x.flatten(1, 3)) }
    }
}

/// The graph with the means of a feature map over its pixels as a further output.
fn with_means(mut graph: Graph, layer: &str) -> Result<Graph, GraphError> {
    let map = graph.find(layer)?;
    let name = graph.fresh_name(&format!("{layer}/means"));
    let means = graph.node(&name, Op::GlobalAveragePool, &[map])?;
    let outputs = [graph.outputs(), &[means]].concat();
    graph.set_outputs(&outputs);
    Ok(graph)
}

impl Network {
    /// Attaches the methods to a classifier, whose trained parameters are those of `weights`.
    pub(crate) fn new(
        classifier: &Graph,
        methods: &[Attachment],
        weights: &Weights,
        device: &Device,
        options: &NetworkOptions<'_>,
    ) -> Result<Self, GraphError> {
        let smooth = options.softplus.map(|beta| {
            let exchange = |op: &Op| (*op == Op::Relu).then_some(Op::Softplus { beta });
            classifier.with_ops(exchange)
        });
        let mut graph = attach(smooth.as_ref().unwrap_or(classifier), methods)?;
        if let Some(layer) = options.layer {
            graph = with_means(graph, layer)?;
        }
        let plain = match smooth {
            Some(_) => Some(classifier.extract(&[LOGITS])?),
            None => None,
        };
        let plain = plain.as_ref();
        let own = match options.backend {
            Backend::Native => Own::new(&graph, plain, options),
            _ => None,
        };
        let way = match own {
            Some(own) => Way::Own(Box::new(own)),
            None => Way::Taped(Box::new(Taped {
                maps: Program::with_hats(graph, weights, device, options.hats),
                classifier: plain.map(|graph| Program::new(graph.clone(), weights, device)),
            })),
        };
        Ok(Self { way, device: device.clone(), has_layer: options.layer.is_some() })
    }

    /// Logits and attributions of images `[image, channel, row, column]`, for rows of class weights.
    pub(crate) fn outputs(
        &mut self,
        weights: &Weights,
        images: Vec<f32>,
        shape: [usize; 3],
        target: Tensor<2>,
    ) -> Outputs {
        let outputs = match &mut self.way {
            Way::Own(own) => own.outputs(weights, images, target, &self.device),
            Way::Taped(taped) => {
                let Taped { maps, classifier } = &**taped;
                let count = images.len() / shape.iter().product::<usize>();
                let shape = [count, shape[0], shape[1], shape[2]];
                let images = Array::new(images, &shape, &self.device);
                let inputs = vec![images.clone(), Array::Matrix(target)];
                let mut outputs = maps.run(weights, inputs);
                if let Some(classifier) = classifier {
                    outputs[0] = classifier.run(weights, vec![images]).remove(0);
                }
                outputs
            }
        };
        Outputs::of(outputs, self.has_layer)
    }

    /// The slopes by the weights of a loss, `[1]`, of the last [`outputs`](Self::outputs), and by
    /// parameters that belong to no network.
    pub(crate) fn slopes(&mut self, loss: &Tensor<1>, trained: &Trained) -> Slopes {
        let gradients = loss.backward();
        let mut slopes = match &mut self.way {
            Way::Own(own) => own.slopes(&gradients),
            Way::Taped(_) => trained.weights.slopes(&gradients),
        };
        slopes.add(trained.aside().slopes(&gradients));
        slopes
    }

    /// On the project's own engine: that of the maps.
    pub(crate) fn learner(&mut self) -> Option<&mut Learner> {
        match &mut self.way {
            Way::Own(own) => Some(&mut own.maps.learner),
            Way::Taped(_) => None,
        }
    }

    /// Tells the parts of a step on the project's own engine apart: of `outputs` what it takes to
    /// pack weights, and of `loss` the way back and the sums of slopes.
    pub(crate) fn share(&mut self, laps: &mut Laps) {
        let Way::Own(own) = &mut self.way else { return };
        for part in [Some(&mut own.maps), own.classifier.as_mut()].into_iter().flatten() {
            let times = part.learner.take_times();
            laps.shift("outputs", "packing", times.packing);
            laps.shift("loss", "back", times.back);
            laps.shift("loss", "slopes", times.slopes);
        }
    }
}

/// The project's own engine.
struct Own {
    maps: Part,
    classifier: Option<Part>,
    images: Vec<f32>,
    target: Vec<f32>,
}

/// One network, and its outputs as leaves of a tape.
struct Part {
    learner: Learner,
    /// Shapes of the outputs behind the batch axis.
    shapes: Vec<Vec<usize>>,
    leaves: Vec<Array>,
    count: usize,
}

impl Own {
    /// `None` where the engine has no way back through the network.
    fn new(maps: &Graph, classifier: Option<&Graph>, options: &NetworkOptions<'_>) -> Option<Self> {
        let part = |graph: &Graph| {
            let hat = |name: &str| options.hats.width(name);
            let learner = Learner::new(graph, hat, Isa::best(), options.threads, MEMORY).ok()?;
            let shapes = graph.outputs().iter().map(|&o| graph.shape(o)[1..].to_vec()).collect();
            Some(Part { learner, shapes, leaves: Vec::new(), count: 0 })
        };
        let classifier = match classifier {
            Some(graph) => Some(part(graph)?),
            None => None,
        };
        Some(Self { maps: part(maps)?, classifier, images: Vec::new(), target: Vec::new() })
    }

    fn outputs(
        &mut self,
        weights: &Weights,
        images: Vec<f32>,
        target: Tensor<2>,
        device: &Device,
    ) -> Vec<Array> {
        let [count, _] = target.dims();
        self.images = images;
        self.target = Array::Matrix(target).to_vec();
        self.maps.run(weights, count, &[&self.images, &self.target], device);
        if let Some(classifier) = &mut self.classifier {
            classifier.run(weights, count, &[&self.images], device);
        }
        let mut outputs = self.maps.leaves.clone();
        if let Some(classifier) = &self.classifier {
            outputs[0] = classifier.leaves[0].clone();
        }
        outputs
    }

    fn slopes(&mut self, gradients: &Gradients) -> Slopes {
        let mut slopes = self.maps.slopes(gradients, &[&self.images, &self.target]);
        if let Some(classifier) = &mut self.classifier {
            slopes.add(classifier.slopes(gradients, &[&self.images]));
        }
        slopes
    }
}

impl Part {
    fn run(&mut self, weights: &Weights, count: usize, inputs: &[&[f32]], device: &Device) {
        let data: Vec<Arc<[f32]>> = self
            .learner
            .weights()
            .map(|(name, _)| {
                let array = weights.get(name).expect("the graph's trained weights are all there");
                array.to_vec().into()
            })
            .collect();
        self.learner.set_weights(data);
        self.count = count;
        let outputs = self.learner.outputs(count, inputs);
        let leaves = outputs.into_iter().zip(&self.shapes).map(|(values, shape)| {
            Array::new(values, &[&[count], shape.as_slice()].concat(), device).tracked()
        });
        self.leaves = leaves.collect();
    }

    fn slopes(&mut self, gradients: &Gradients, inputs: &[&[f32]]) -> Slopes {
        let seeds: Vec<Vec<f32>> = self
            .leaves
            .iter()
            .map(|leaf| {
                let size = leaf.shape().iter().product();
                leaf.gradient(gradients).map_or_else(|| vec![0.0; size], |g| g.to_vec())
            })
            .collect();
        let inputs: Vec<&[f32]> =
            inputs.iter().copied().chain(seeds.iter().map(Vec::as_slice)).collect();
        let slopes = self.learner.slopes(self.count, &inputs);
        let named = self.learner.weights().zip(slopes);
        Slopes::new(named.map(|((name, shape), data)| (name.to_owned(), shape.to_vec(), data)))
    }
}
