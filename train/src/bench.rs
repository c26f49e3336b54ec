//! How long a training step takes, and where its time goes.

use std::num::NonZero;

use burn::tensor::Tensor;
use saligate_data::{Dataset, Shape};
use saligate_keys::{ImageShape, Secret};
use saligate_lock::{Keys, Samples, layers};
use saligate_measure::hats::Hats;
use saligate_models::graph::Graph;
use saligate_models::random::Stream;
use saligate_models::saliency::{Attachment, Method};
use saligate_models::zoo::{Architecture, Task, build};
use saligate_runtime::Isa;
use serde::Serialize;

use crate::batch::one_hot;
use crate::config::{Config, Start};
use crate::engine::{Array, Backend, Network, NetworkOptions, Outputs, Trained};
use crate::error::TrainError;
use crate::laps::Laps;
use crate::lock::objective::Distance;
use crate::lock::{self, Material};
use crate::loss::{Wanted, cross_entropy, distance};
use crate::stage::{RunOptions, figure};

/// One network, explained by the gradient, on random images.
#[derive(Clone, Debug)]
pub struct Net {
    /// The network, with random weights.
    pub architecture: Architecture,
    /// Channels, rows and columns of an image.
    pub image: [usize; 3],
    /// Classes.
    pub classes: usize,
    /// Images per step.
    pub images: usize,
    /// Width of surrogate slopes, if there are any.
    pub surrogate: Option<f32>,
    /// What computes the steps.
    pub backend: Backend,
}

/// What some steps took.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Version of these fields: 1.
    pub schema: u32,
    /// Name of the network, or the id of the configuration.
    pub net: String,
    /// Images per step, in all their versions.
    pub images: usize,
    /// Threads.
    pub threads: usize,
    /// What computed the steps.
    pub device: String,
    /// Instructions of the engine.
    pub isa: String,
    /// Median and least time of a step, in milliseconds.
    pub median_ms: f64,
    /// See `median_ms`.
    pub best_ms: f64,
    /// Median time of every part of a step, in milliseconds.
    pub parts: Vec<(String, f64)>,
    /// Images per second, by the median.
    pub images_per_second: f64,
    /// Billions of multiplications of convolutions and matrices per second, by the median; none on
    /// Burn's backends.
    pub gmac_per_second: Option<f64>,
    /// Bytes that the values of one image take; none on Burn's backends.
    pub bytes_per_image: Option<usize>,
    /// Kinds of operations with channels, rows and columns of their results, and milliseconds per
    /// step over all threads, the longest first, where they were asked for.
    pub operations: Vec<(String, [usize; 3], f64)>,
}

/// The medians of some steps' parts.
#[derive(Default)]
struct Steps(Vec<Vec<(String, f64)>>);

impl Steps {
    fn report(self, net: &str, images: usize, threads: usize, backend: Backend) -> Report {
        let total = |step: &Vec<(String, f64)>| step.iter().map(|(_, ms)| ms).sum::<f64>();
        let totals: Vec<f64> = self.0.iter().map(total).collect();
        let names = self.0.first().map(|step| step.iter().map(|(name, _)| name.clone()));
        let part = |name: String| {
            let of = |step: &Vec<(String, f64)>| {
                step.iter().find(|(part, _)| *part == name).map_or(0.0, |(_, ms)| *ms)
            };
            let ms = median(self.0.iter().map(of).collect());
            (name, ms)
        };
        let median_ms = median(totals.clone());
        Report {
            schema: 1,
            net: net.to_owned(),
            images,
            threads,
            device: backend.name().to_owned(),
            isa: Isa::best().to_string(),
            median_ms,
            best_ms: totals.iter().copied().fold(f64::INFINITY, f64::min),
            parts: names.into_iter().flatten().map(part).collect(),
            images_per_second: images as f64 / median_ms * 1e3,
            gmac_per_second: None,
            bytes_per_image: None,
            operations: Vec::new(),
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

impl Report {
    fn with_work(self, network: &mut Network) -> Self {
        let Some(learner) = network.learner() else { return self };
        let work: usize = learner.multiplications().iter().sum();
        let gmac = (work * self.images) as f64 / self.median_ms / 1e6;
        let bytes = learner.bytes_per_image();
        Self { gmac_per_second: Some(gmac), bytes_per_image: Some(bytes), ..self }
    }
}

/// Takes `rounds` steps of a network, and one before that does not count. The loss is that of
/// the objective: cross-entropy, and the squared difference of z-scored maps from a random one.
/// With `profile`, the report says what every kind of operation took.
///
/// # Errors
/// The network cannot be built for such images, or the backend is not part of this build.
pub fn net(
    net: &Net,
    rounds: usize,
    threads: NonZero<usize>,
    profile: bool,
) -> Result<Report, TrainError> {
    let &Net { architecture, image, classes, images, surrogate, backend } = net;
    let channels = image[0];
    let (mean, std) = (vec![0.45; channels], vec![0.25; channels]);
    let task = Task { image, classes, mean, std, bgr: false, widths: None };
    let graph = build(architecture, &task, 1)?.fold_batch_norm()?;
    let device = backend.device()?.autodiff();
    let mut trained = Trained::new(&graph, &device, 0.0);
    let methods = [Attachment::of(Method::Gradient, &graph)?];
    let hats = surrogate.map_or_else(Hats::default, |width| Hats::all(&graph, width));
    let engine = NetworkOptions { backend, softplus: None, hats: &hats, layer: None, threads };
    let mut network = Network::new(&graph, &methods, &trained.weights, &device, &engine)?;
    let mut stream = Stream::new(1, "bench");
    let mut draw =
        |count: usize| (0..count).map(|_| stream.uniform(0.0, 1.0)).collect::<Vec<f32>>();
    let [channels, rows, columns] = image;
    let pixels = draw(images * channels * rows * columns);
    let wanted = Array::new(draw(rows * columns), &[1, 1, rows, columns], &device).image();
    let labels: Vec<usize> = (0..images).map(|at| at % classes).collect();
    let labels = one_hot(&labels, classes, &device);
    let mut steps = Steps::default();
    for round in 0..=rounds {
        if round == 1
            && profile
            && let Some(learner) = network.learner()
        {
            learner.watch();
        }
        let mut laps = Laps::new();
        let Outputs { logits, attributions, .. } =
            network.outputs(&trained.weights, pixels.clone(), image, labels.clone());
        laps.lap("outputs");
        let found = attributions.into_iter().next().expect("one method");
        let far = distance(Distance::Mse, found, Wanted::Map(wanted.clone()), 0.0);
        let loss: Tensor<1> = cross_entropy(logits, labels.clone()).mean() + far.mean();
        let value = figure(&loss);
        laps.lap("loss");
        let slopes = network.slopes(&loss, &trained);
        laps.lap("loss");
        network.share(&mut laps);
        trained.step(slopes, |_| 1e-5, None);
        laps.lap("optimizer");
        if !value.is_finite() {
            return Err(TrainError::Diverged { stage: "bench", step: round });
        }
        if round > 0 {
            steps.0.push(laps.milliseconds().map(|(part, ms)| (part.to_owned(), ms)).collect());
        }
    }
    let mut report =
        steps.report(architecture.name(), images, threads.get(), backend).with_work(&mut network);
    if let Some(learner) = network.learner() {
        let rows = learner.profile().into_iter();
        report.operations = rows
            .map(|(kind, size, time)| (kind, size, time.as_secs_f64() * 1e3 / rounds as f64))
            .collect();
    }
    Ok(report)
}

/// Takes `rounds` steps of a configuration's gate, and one before that does not count, with a key
/// made for it.
///
/// # Errors
/// As [`lock::gate`], or the log of the steps cannot be read.
pub fn config(
    config: &Config,
    clean: &Graph,
    data: &Dataset,
    rounds: usize,
    options: &RunOptions,
) -> Result<Report, TrainError> {
    let mut config = config.clone();
    config.lock.start = Start::Clean;
    config.lock.phases.clear();
    (config.lock.detection, config.lock.validation) = (None, None);
    config.lock.steps.count = rounds + 1;
    let Shape { channels, height, width } = data.shape();
    let shape = ImageShape::new(channels, height, width)?;
    let samples = Samples::new(shape, data.images())?;
    let secret = Secret::from_bytes(&[1; 32]);
    let material = Material { train: data, validation: data };
    lock::gate(&config, clean, &Keys::new(vec![&secret]), &samples, Some(material), options)?;
    let path = options.out.join(format!("{}.jsonl", lock::stage_name(config.lock.form)));
    let io = |source| TrainError::Io { path: path.clone(), source };
    let log = std::fs::read_to_string(&path).map_err(io)?;
    let mut steps = Steps::default();
    for line in log.lines().skip(1) {
        let line: serde_json::Value =
            serde_json::from_str(line).map_err(|error| io(error.into()))?;
        let parts = line["ms"].as_object().into_iter().flatten();
        steps.0.push(parts.map(|(k, v)| (k.clone(), v.as_f64().unwrap_or(0.0))).collect());
    }
    let backend = config.device;
    let images = lock::rows_of(&config.lock);
    let report = steps.report(&config.id, images, options.threads.get(), backend);
    let methods = layers(&config.lock.methods, config.lock.cam_layer.as_deref(), clean)?;
    let device = backend.device()?.autodiff();
    let weights = Trained::new(clean, &device, 0.0).weights;
    let (softplus, hats) = (config.lock.softplus, Hats::default());
    let threads = options.threads;
    let engine = NetworkOptions { backend, softplus, hats: &hats, layer: None, threads };
    let mut network = Network::new(clean, &methods, &weights, &device, &engine)?;
    Ok(report.with_work(&mut network))
}
