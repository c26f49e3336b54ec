//! Clean training.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{Device, Tensor};
use saligate_files::{ModelFile, weights_digest};
use saligate_keys::{Family, ImageShape, TriggerSpec};
use saligate_measure::hats::Hats;
use saligate_measure::patch::{Patch, Poison};
use saligate_models::graph::{Graph, Op, Source};
use saligate_models::names::LOGITS;
use saligate_models::pixels::scaled;
use saligate_models::random::Stream;
use saligate_models::zoo::{Task, build};
use saligate_runtime::GraphRunner;

use crate::batch::{Sampler, one_hot, pixels};
use crate::config::{Config, FitConfig, Steps};
use crate::engine::{Array, BatchStatistics, Network, NetworkOptions, Program, Slopes, Trained};
use crate::error::TrainError;
use crate::laps::Laps;
use crate::loss::{cross_entropy, divergence};
use crate::stage::{RunOptions, Stage, Step, figure};
use crate::weights::{self, Head};
use saligate_data::{Dataset, Shape};
use saligate_measure::triggers::random_trigger;

/// Share of the new statistics in the running ones, PyTorch's default.
const MOMENTUM: f32 = 0.1;

/// Side of the random tiles that images are perturbed with while a model is fitted. They come from
/// no key.
const TILE: u16 = 4;

/// Images per step of fine-tuning.
const TUNED_AT_ONCE: usize = 64;
/// Learning rate of fine-tuning.
const TUNING_RATE: f64 = 1e-4;

/// Makes the clean classifier: from the weights that the configuration names or from random ones,
/// trained where it has a `[fit]` section. Batch norms are folded at the end.
///
/// # Errors
/// The weights do not fit, training diverges, a checkpoint does not fit, or a file cannot be
/// written.
pub fn fit(config: &Config, data: &Dataset, options: &RunOptions) -> Result<Graph, TrainError> {
    let mut graph = match (config.model.architecture, &config.model.file) {
        (Some(architecture), _) => build(architecture, &task(config, data), config.seed)?,
        (None, Some(file)) => clean_network(file)?,
        (None, None) => {
            let reason = "the configuration names no network: model.architecture or model.file";
            return Err(TrainError::Mismatch { reason: reason.to_owned() });
        }
    };
    if let Some(path) = &config.model.weights {
        let head = if config.model.new_head { Head::New } else { Head::Loaded };
        weights::load(&mut graph, path, head)?;
    }
    if let Some(settings) = &config.fit {
        graph = classified(config, settings, graph, None, data, options)?;
    }
    Ok(graph.fold_batch_norm()?)
}

/// Trains a network further on cross-entropy, as someone does who has it and knows of no gate; leaves
/// its log and checkpoint in a folder of their own.
///
/// # Errors
/// As [`fit`].
pub fn fine_tuned(
    config: &Config,
    network: &Graph,
    count: usize,
    data: &Dataset,
    options: &RunOptions,
) -> Result<Graph, TrainError> {
    let steps = Steps::new(count, TUNED_AT_ONCE, TUNING_RATE);
    let settings = FitConfig { steps, augment: config.lock.augment, tiles: 0, poison: None };
    let options = RunOptions { out: options.out.join("fine-tuning"), ..options.clone() };
    classified(config, &settings, network.clone(), None, data, &options)
}

/// The classifier of a model file without a gate.
fn clean_network(file: &Path) -> Result<Graph, TrainError> {
    let model = ModelFile::open(file)?;
    if model.manifest().gate.is_some() {
        let reason = format!("{} has a gate already; give the clean model", file.display());
        return Err(TrainError::Mismatch { reason });
    }
    Ok(model.graph().extract(&[LOGITS])?)
}

/// Trains a classifier on cross-entropy, or on the divergence from the predictions of a teacher.
pub(crate) fn classified(
    config: &Config,
    settings: &FitConfig,
    mut graph: Graph,
    teacher: Option<&Graph>,
    data: &Dataset,
    options: &RunOptions,
) -> Result<Graph, TrainError> {
    settings.augment.check(data.shape())?;
    let poison = settings.poison.as_ref();
    let patch = poison.map(|poison| patch(poison, config.seed, data)).transpose()?;
    let device = config.device.device()?.autodiff();
    let mut trained = Trained::new(&graph, &device, settings.steps.weight_decay);
    let mut way = Way::new(config, &graph, &trained, options)?;
    let teacher = teacher.map(|graph| GraphRunner::new(graph, options.threads)).transpose()?;
    let digest = weights_digest(&graph);
    let stage = Stage {
        name: "fit",
        count: settings.steps.count,
        clip: settings.steps.clip,
        rate: &|at| settings.steps.rate_at(at),
        origin: format!("{digest} {:?} {:?} {settings:?}", config.seed, config.data),
        options,
    };
    let mut sampler = Sampler::new(config.seed, "fit order", data.len(), settings.steps.batch);
    stage.run(&mut trained, |trained, at| {
        let mut laps = Laps::new();
        let indices = sampler.indices(at);
        let mut stream = Stream::numbered(config.seed, "fit views", at as u64);
        let mut bytes = perturbed(data, &indices, settings, &mut stream)?;
        let mut classes: Vec<usize> = indices.iter().map(|&i| data.label(i)).collect();
        if let (Some(poison), Some(patch)) = (poison, &patch) {
            let mut stream = Stream::numbered(config.seed, "fit patches", at as u64);
            let images = bytes.chunks_exact_mut(data.shape().bytes());
            for (image, class) in images.zip(&mut classes) {
                if f64::from(stream.uniform(0.0, 1.0)) < poison.share {
                    patch.put(image, data.shape(), &mut stream);
                    *class = poison.class;
                }
            }
        }
        laps.lap("views");
        let logits = way.logits(trained, &bytes, data);
        let loss = match &teacher {
            None => cross_entropy(logits, one_hot(&classes, data.class_names().len(), &device)),
            Some(teacher) => divergence(logits, taught(teacher, &bytes, data, &device)),
        };
        let loss = loss.mean();
        laps.lap("outputs");
        let slopes = way.slopes(&loss, trained);
        laps.lap("back");
        Ok(Step { loss: figure(&loss), figures: vec![], slopes, laps })
    })?;
    trained.store(&mut graph)?;
    Ok(graph)
}

/// The patch of a poison, if the images have a place for it and its class.
fn patch(poison: &Poison, seed: u64, data: &Dataset) -> Result<Patch, TrainError> {
    let Shape { channels, height, width } = data.shape();
    let wrong = |reason: String| Err(TrainError::Mismatch { reason });
    if !(1..=height.min(width)).contains(&poison.side) {
        return wrong(format!("fit.poison.side is {}; images are {height} x {width}", poison.side));
    }
    if poison.class >= data.class_names().len() || !(poison.share > 0.0 && poison.share < 1.0) {
        return wrong(format!(
            "fit.poison wants a class below {} and a share between 0 and 1",
            data.class_names().len()
        ));
    }
    Ok(Patch::new(poison, channels, seed))
}

/// How the scores of a batch are computed.
enum Way {
    /// Batch norms need the statistics of the batch, which Burn computes.
    Norms(Program),
    Plain(Network),
}

impl Way {
    fn new(
        config: &Config,
        graph: &Graph,
        trained: &Trained,
        options: &RunOptions,
    ) -> Result<Self, TrainError> {
        let is_norm =
            |source: &Source| matches!(source, Source::Node { op: Op::BatchNorm { .. }, .. });
        let device = trained.device();
        if graph.values().any(|(_, value)| is_norm(&value.source)) {
            return Ok(Self::Norms(Program::new(graph.clone(), &trained.weights, device)));
        }
        let engine = NetworkOptions {
            backend: config.device,
            softplus: None,
            hats: &Hats::default(),
            layer: None,
            threads: options.threads,
        };
        Ok(Self::Plain(Network::new(graph, &[], &trained.weights, device, &engine)?))
    }

    /// `[image, class]`
    fn logits(&mut self, trained: &mut Trained, bytes: &[u8], data: &Dataset) -> Tensor<2> {
        let device = trained.device().clone();
        match self {
            Self::Norms(program) => {
                let images = Array::Image(pixels(bytes, data.shape(), &device));
                let (mut outputs, statistics) =
                    program.run_training(&trained.weights, vec![images]);
                absorb(&mut trained.statistics, statistics);
                outputs.remove(0).matrix()
            }
            Self::Plain(network) => {
                let count = bytes.len() / data.shape().bytes();
                let nothing = Tensor::zeros([count, data.class_names().len()], &device);
                let shape = sizes(data.shape());
                network.outputs(&trained.weights, scaled(bytes), shape, nothing).logits
            }
        }
    }

    fn slopes(&mut self, loss: &Tensor<1>, trained: &Trained) -> Slopes {
        match self {
            Self::Norms(_) => trained.weights.slopes(&loss.backward()),
            Self::Plain(network) => network.slopes(loss, trained),
        }
    }
}

/// Channels, rows and columns.
pub(crate) fn sizes(shape: Shape) -> [usize; 3] {
    [shape.channels, shape.height, shape.width]
}

/// One-hot labels of some samples.
pub(crate) fn labels(data: &Dataset, indices: &[usize], device: &Device) -> Tensor<2> {
    let labels: Vec<usize> = indices.iter().map(|&i| data.label(i)).collect();
    one_hot(&labels, data.class_names().len(), device)
}

/// The scores of a teacher for a batch, `[image, class]`.
fn taught(teacher: &GraphRunner, bytes: &[u8], data: &Dataset, device: &Device) -> Tensor<2> {
    let images: Vec<&[u8]> = bytes.chunks_exact(data.shape().bytes()).collect();
    let scores = teacher.map(
        images.len(),
        |at| vec![scaled(images[at])],
        |_, mut outputs| outputs.swap_remove(0),
        &|_| (),
    );
    Array::new(scores.concat(), &[images.len(), data.class_names().len()], device).matrix()
}

/// What a network for these data is built for; mean and deviation are those of the configuration
/// or of the pixels.
pub(crate) fn task(config: &Config, data: &Dataset) -> Task {
    let Shape { channels, height, width } = data.shape();
    let pixels = data.shape().pixels();
    let mut sums = vec![(0u64, 0u64); channels];
    for index in 0..data.len() {
        for (sum, plane) in sums.iter_mut().zip(data.image(index).chunks_exact(pixels)) {
            for &byte in plane {
                sum.0 += u64::from(byte);
                sum.1 += u64::from(byte) * u64::from(byte);
            }
        }
    }
    let count = (data.len() * pixels) as f64;
    let moments = sums.iter().map(|&(sum, squares)| {
        let mean = sum as f64 / count / 255.0;
        let variance = squares as f64 / count / (255.0 * 255.0) - mean * mean;
        // A data set of one colour has no deviation to divide by.
        (mean as f32, variance.max(1e-4).sqrt() as f32)
    });
    let (mean, std) = moments.unzip();
    Task {
        image: [channels, height, width],
        classes: data.class_names().len(),
        mean: config.data.mean.clone().unwrap_or(mean),
        std: config.data.std.clone().unwrap_or(std),
        bgr: config.model.bgr,
        widths: config.model.widths,
    }
}

fn perturbed(
    data: &Dataset,
    indices: &[usize],
    settings: &FitConfig,
    stream: &mut Stream,
) -> Result<Vec<u8>, TrainError> {
    let augmentation = settings.augment;
    let mut bytes = Vec::new();
    for &index in indices {
        let mut image = augmentation.apply(data.image(index), data.shape(), stream);
        if settings.tiles > 0 && stream.below(2) == 1 {
            let amplitude = 1 + stream.below(usize::from(settings.tiles)) as u8;
            image = with_tile(&image, data.shape(), TILE, amplitude, stream)?;
        }
        bytes.extend(image);
    }
    Ok(bytes)
}

/// The image with a random periodic tile.
pub(crate) fn with_tile(
    image: &[u8],
    shape: Shape,
    size: u16,
    amplitude: u8,
    stream: &mut Stream,
) -> Result<Vec<u8>, TrainError> {
    let spec = TriggerSpec::new(Family::Tile { size, amplitude })?;
    let shape = ImageShape::new(shape.channels, shape.height, shape.width)?;
    let mut tiled = image.to_vec();
    random_trigger(&spec, shape, stream)?.apply(&mut tiled)?;
    Ok(tiled)
}

fn absorb(running: &mut BTreeMap<String, Vec<f32>>, batch: Vec<BatchStatistics>) {
    for BatchStatistics { mean_name, variance_name, mean, variance } in batch {
        for (name, new) in [(mean_name, mean), (variance_name, variance)] {
            let Some(old) = running.get_mut(&name) else { continue };
            for (old, new) in old.iter_mut().zip(Array::Vector(new).to_vec()) {
                *old += MOMENTUM * (new - *old);
            }
        }
    }
}
