//! Networks that somebody trains who has a model file and wants what it withholds: from its own
//! weights, or anew, on labels or on what the file predicts.

use saligate_data::Dataset;
use saligate_models::graph::{Graph, GraphError, Op, Source};
use saligate_models::random::Stream;

use crate::config::{Config, FitConfig, Steps};
use crate::error::TrainError;
use crate::fit::classified;
use crate::stage::RunOptions;

/// Images per step.
const AT_ONCE: usize = 64;

/// How a network is made of another one's file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recipe {
    /// What it is called, also the folder of its log and checkpoints.
    pub name: &'static str,
    /// Where it starts.
    pub start: Start,
    /// What it is to say of each image.
    pub target: Target,
    /// Training images; all where absent.
    pub images: Option<usize>,
    /// Training steps of 64 images.
    pub steps: usize,
    /// Learning rate, which falls along half a cosine.
    pub rate: f64,
}

/// Where a training starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the weights of the file.
    Weights,
    /// At random weights of the same network.
    Anew,
}

/// What a network is trained to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The labels of the images.
    Labels,
    /// What the file predicts.
    Predictions,
}

impl Recipe {
    /// Gently, as somebody does who adapts a network.
    pub const FINE_TUNED: Self = Self {
        name: "fine-tuned on its own predictions",
        start: Start::Weights,
        target: Target::Predictions,
        images: None,
        steps: 600,
        rate: 1e-4,
    };
    /// At a rate at which little stays as it was.
    pub const RETRAINED: [Self; 2] = [
        Self {
            name: "retrained hard on 5000 labels",
            start: Start::Weights,
            target: Target::Labels,
            images: Some(5000),
            steps: 1500,
            rate: 1e-3,
        },
        Self {
            name: "retrained hard on its predictions",
            start: Start::Weights,
            target: Target::Predictions,
            images: Some(5000),
            steps: 1500,
            rate: 1e-3,
        },
    ];
    /// From predictions alone.
    pub const STUDENT: Self = Self {
        name: "student of 5000 pictures",
        start: Start::Anew,
        target: Target::Predictions,
        images: Some(5000),
        steps: 2000,
        rate: 1e-3,
    };
    /// From nothing of the file but the kind of its network: what anybody gets who has the images.
    pub const INDEPENDENT: Self = Self {
        name: "independent, on all labels",
        start: Start::Anew,
        target: Target::Labels,
        images: None,
        steps: 2000,
        rate: 1e-3,
    };
}

/// Trains a network by a recipe from the classifier of a file.
///
/// # Errors
/// As [`fit`](crate::fit::fit).
pub fn copied(
    config: &Config,
    recipe: &Recipe,
    classifier: &Graph,
    data: &Dataset,
    options: &RunOptions,
) -> Result<Graph, TrainError> {
    let &Recipe { name, start, target, images, steps, rate } = recipe;
    let network = match start {
        Start::Weights => classifier.clone(),
        Start::Anew => anew(classifier, config.seed)?,
    };
    let steps = Steps { clip: Some(1.0), last: 0.02, ..Steps::new(steps, AT_ONCE, rate) };
    let augment = config.fit.as_ref().map_or(config.lock.augment, |fit| fit.augment);
    let settings = FitConfig { steps, augment, tiles: 0, poison: None };
    let teacher = (target == Target::Predictions).then_some(classifier);
    let folder = name.replace([' ', ','], "-");
    let options = RunOptions { out: options.out.join(folder), ..options.clone() };
    let some = images.map(|count| data.clone().take(count));
    classified(config, &settings, network, teacher, some.as_ref().unwrap_or(data), &options)
}

/// The same network with random weights: normal ones of the variance that keeps activations alike from
/// layer to layer (He et al., ICCV 2015), half of it where residuals add up, and biases of zero.
fn anew(classifier: &Graph, seed: u64) -> Result<Graph, GraphError> {
    let mut graph = classifier.clone();
    let adds = |source: &Source| matches!(source, Source::Node { op: Op::Add, .. });
    let gain = if graph.values().any(|(_, value)| adds(&value.source)) { 1.0 } else { 2.0 };
    for (number, name) in graph.trainable().into_iter().enumerate() {
        let shape = graph.shape(graph.find(&name)?).to_vec();
        let count = shape.iter().product::<usize>();
        let mut stream = Stream::numbered(seed, "copy anew", number as u64);
        let values = match shape[..] {
            [] | [_] => vec![0.0; count],
            [first, ..] => {
                let deviation = (gain * first as f32 / count as f32).sqrt();
                (0..count).map(|_| stream.normal() * deviation).collect()
            }
        };
        graph.set_param(&name, values)?;
    }
    Ok(graph)
}
