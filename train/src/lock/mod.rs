//! Making a gate, built in or trained; one loop of training for all forms.

mod detection;
pub mod objective;
mod pool;
mod terms;
mod versions;
mod views;
mod watch;

use std::ops::ControlFlow;

use burn::tensor::{Device, Tensor};
use saligate_console::progress::Bars;
use saligate_data::{Dataset, Shape};
use saligate_files::weights_digest;
use saligate_keys::{Family, ImageShape, Trigger, TriggerSpec};
use saligate_lock::balance::decoys;
use saligate_lock::decoy::resized;
use saligate_lock::{Construction, Keys, Samples, Survey, Triggers, layers};
use saligate_measure::hats::Hats;
use saligate_measure::search::space;
use saligate_models::gate::GateForm;
use saligate_models::graph::Graph;
use saligate_models::pixels::scaled;
use saligate_models::random::Stream;
use saligate_models::saliency::Attachment;

use crate::batch::Sampler;
use crate::config::{Config, LockConfig, Moment, Start};
use crate::engine::{Array, Network, NetworkOptions, Norms, Outputs, Trained};
use crate::error::TrainError;
use crate::fit::{labels, sizes};
use crate::laps::Laps;
use crate::loss::{cross_entropy, divergence};
use crate::reference::{Batch, References};
use crate::stage::{RunOptions, Stage, Step, figure};

use self::objective::{Objective, Reference};
use self::pool::Pool;
use self::terms::Maps;
use self::versions::Versions;
use self::views::Views;
use self::watch::Watch;

/// Images that a gate is trained on, and others that it is looked at on while it is.
#[derive(Clone, Copy)]
pub struct Material<'a> {
    /// Trained on.
    pub train: &'a Dataset,
    /// Looked at, as `config.lock.validation` says.
    pub validation: &'a Dataset,
}

/// Makes the graph of a gated model from a clean one: builds the gate in or trains it, as
/// `config.lock` says. What its maps look like with and without a trigger is the objective there.
/// `samples` are the pictures that decoys and a built-in gate are chosen on; `material` those that a
/// gate is trained on, needed where `config.lock` has any steps.
///
/// # Errors
/// There is no right key or one that stands twice, training diverges, a checkpoint does not fit, or
/// the network cannot take the gate or the methods.
pub fn gate(
    config: &Config,
    clean: &Graph,
    keys: &Keys<'_>,
    samples: &Samples<'_>,
    material: Option<Material<'_>>,
    options: &RunOptions,
) -> Result<Graph, TrainError> {
    let settings = &config.lock;
    let ids = keys.ids()?;
    let shape = samples.shape();
    let spec = config.trigger.spec;
    let Triggers { right: triggers, revoked } = keys.triggers(&spec, shape)?;
    let origin = format!("{} {} {spec:?} {ids:?} {settings:?}", weights_digest(clean), config.seed);
    let methods = layers(&settings.methods, settings.cam_layer.as_deref(), clean)?;
    let bars = Bars::new(options.quiet);
    let watch = |name, done, of| bars.show(name, done, of);
    let survey = Survey { samples, threads: options.threads, watch: &watch };
    let (decoy, form) = (settings.decoy(), settings.form);
    let decoys = decoys(&decoy, form, clean, &methods, config.seed, &survey)?;
    let start = match settings.start {
        Start::Clean => clean.clone(),
        Start::BuiltIn => {
            let construction = Construction {
                form,
                spec: &spec,
                triggers: &triggers,
                methods: &methods,
                decoys: &decoys,
                seed: config.seed,
                survey,
            };
            construction.build(clean)?
        }
    };
    bars.clear();
    let Some(Material { train: data, validation }) = material.filter(|_| settings.count() > 0)
    else {
        return Ok(start);
    };
    settings.augment.check(data.shape())?;
    let augmented = !settings.augment.is_none();
    let references = References::new(config, clean, &methods, data, augmented, options)?;
    let device = config.device.device()?.autodiff();
    let gate = Training { config, settings, spec, shape, triggers, revoked, data, options, origin };
    let watch = Watch::new(&gate, clean, &methods, &decoys, validation)?;
    gate.run(start, &methods, &decoys, &references, watch, &device)
}

/// Name of the stage that trains a gate, and of its log.
pub(crate) fn stage_name(form: GateForm) -> &'static str {
    if form == GateForm::Key { "lock" } else { "attack" }
}

/// Images of one training step, in all their versions.
pub(crate) fn rows_of(settings: &LockConfig) -> usize {
    let inputs = settings.objective().inputs(settings.form);
    let versions = Versions::new(&inputs, settings.steps.batch, settings.poison);
    inputs.iter().map(|&input| versions.count(input)).sum()
}

/// A gate in training.
struct Training<'a> {
    config: &'a Config,
    settings: &'a LockConfig,
    spec: TriggerSpec,
    shape: ImageShape,
    triggers: Vec<Trigger>,
    revoked: Vec<Trigger>,
    data: &'a Dataset,
    options: &'a RunOptions,
    /// Digest of all that decides the outcome.
    origin: String,
}

impl Training<'_> {
    fn name(&self) -> &'static str {
        stage_name(self.settings.form)
    }

    /// Trains all weights on the objective.
    fn run(
        &self,
        mut graph: Graph,
        methods: &[Attachment],
        decoys: &[Vec<f32>],
        references: &References<'_>,
        mut watch: Option<Watch<'_>>,
        device: &Device,
    ) -> Result<Graph, TrainError> {
        let Self { settings, data, .. } = self;
        let (steps, seed, count) = (&settings.steps, self.config.seed, settings.count());
        let objective = settings.objective();
        let versions =
            Versions::new(&objective.inputs(settings.form), steps.batch, settings.poison);
        let keyed = versions.keyed();
        let needs_others = objective.terms.iter().any(|t| t.like == Reference::OtherImage);
        let mut trained = self.start(&graph, device)?;
        let mut sharpness = settings.softplus_at(0, count);
        let hats = match settings.surrogate {
            Some(share) => Hats::measured(&graph, share, data.images(), self.options.threads)?,
            None => Hats::default(),
        };
        let layer = settings.detection.as_ref().map(|detection| detection.layer.as_str());
        let network = |softplus: Option<f32>, trained: &Trained| {
            let (backend, threads) = (self.config.device, self.options.threads);
            let engine = NetworkOptions { backend, softplus, hats: &hats, layer, threads };
            Network::new(&graph, methods, &trained.weights, device, &engine)
        };
        let mut engine = network(sharpness, &trained)?;
        let Shape { height, width, .. } = data.shape();
        let decoys = decoys.iter().zip(references.sizes());
        let decoys = decoys.map(|(decoy, [rows, columns])| {
            let decoy = resized(decoy, [height, width], [rows, columns]);
            Array::new(decoy, &[1, 1, rows, columns], device).image()
        });
        let decoys: Vec<Tensor<4>> = decoys.collect();
        let rate = |at: usize| settings.moment(at).rate;
        let (origin, clip) = (self.origin.clone(), steps.clip);
        let stage =
            Stage { name: self.name(), count, clip, rate: &rate, origin, options: self.options };
        let mut sampler = Sampler::new(seed, "lock order", data.len(), steps.batch);
        let pool = self.pool(methods, &hats);
        let step = |trained: &mut Trained, at: usize| {
            let now = settings.softplus_at(at, count);
            if now != sharpness {
                // The sharpness is part of the graph; making that anew is cheap beside a step.
                sharpness = now;
                engine = network(sharpness, trained)?;
            }
            let moment = settings.moment(at);
            let mut laps = Laps::new();
            let indices = sampler.indices(at);
            let mut stream = Stream::numbered(seed, "lock views", at as u64);
            let shown = indices
                .iter()
                .map(|&index| settings.augment.apply(data.image(index), data.shape(), &mut stream));
            let images: Vec<Vec<u8>> = shown.collect();
            let searched = match pool.as_ref().filter(|_| moment.maps > 0.0) {
                Some(pool) => {
                    pool.search(&graph, trained, at)?;
                    pool.tiles(trained)
                }
                None => Vec::new(),
            };
            laps.lap("search");
            let strong = self.strong(moment.amplitude)?;
            let (spec, triggers) =
                strong.as_ref().map_or((&self.spec, &self.triggers), |(s, t)| (s, t));
            let revoked = &self.revoked;
            let (shape, mix) = (self.shape, settings.wrong_keys);
            let views = Views { spec, shape, triggers, revoked, searched: &searched, mix };
            let bytes = versions.images(&images, &views, &mut stream)?;
            laps.lap("views");
            // The same class is explained in every version of an image.
            let batch = Batch { step: at, indices: &indices, images: &images };
            let originals = references.originals(&batch, device);
            let target = versions.repeated(&originals.target);
            laps.lap("references");
            let Outputs { logits, attributions, features } =
                engine.outputs(&trained.weights, scaled(&bytes), sizes(data.shape()), target);
            laps.lap("outputs");
            let labels = versions.repeated(&labels(data, &indices, device));
            let teacher = versions.repeated(&originals.logits);
            let others =
                if needs_others { references.other_images(&indices, device) } else { vec![] };
            let maps = Maps {
                methods: &settings.methods,
                versions: &versions,
                attributions,
                originals: originals.attributions,
                others,
                decoys: &decoys,
                blur: settings.blur,
            };
            let (mut loss, mut figures) =
                objective_loss(&objective, &moment, logits, labels, teacher, &maps);
            if let Some(features) = features.filter(|_| moment.detection > 0.0) {
                let detection = detection::loss(trained, features, &keyed, device);
                figures.push(("detection".to_owned(), figure(&detection)));
                loss = loss + detection * moment.detection;
            }
            let slopes = engine.slopes(&loss, trained);
            laps.lap("loss");
            engine.share(&mut laps);
            Ok(Step { loss: figure(&loss), figures, slopes, laps })
        };
        stage.run_watched(&mut trained, step, |trained, done| match &mut watch {
            Some(watch) => watch.look(trained, done, count),
            None => Ok(ControlFlow::Continue(None)),
        })?;
        trained.store(&mut graph)?;
        if let Some(watch) = &watch {
            watch.store_best(&mut graph)?;
        }
        Ok(graph)
    }

    fn pool<'a>(&'a self, methods: &'a [Attachment], hats: &'a Hats) -> Option<Pool<'a>> {
        let settings = self.settings.searched?;
        let space = space(&self.spec, [self.shape.height(), self.shape.width()])?;
        let Self { triggers, data, options, .. } = self;
        let (seed, threads) = (self.config.seed, options.threads);
        Some(Pool { settings, space, methods, hats, triggers, data, seed, threads })
    }

    fn start(&self, graph: &Graph, device: &Device) -> Result<Trained, TrainError> {
        let Self { settings, data, .. } = self;
        let mut trained = Trained::new(graph, device, settings.steps.weight_decay);
        if settings.normalized {
            trained = trained.normalized(Norms::measured(graph, data, self.options.threads)?);
        }
        if let Some(detection) = &settings.detection {
            let layer = graph.find(&detection.layer)?;
            let &[_, features, _, _] = graph.shape(layer) else {
                let reason = format!("'{}' is no feature map; see lock.detection", detection.layer);
                return Err(TrainError::Mismatch { reason });
            };
            detection::put_head(&mut trained, features);
        }
        if settings.average > 0.0 {
            trained = trained.averaged(settings.average);
        }
        Ok(trained)
    }

    /// Triggers of another amplitude than their own, and what random ones are drawn from.
    fn strong(
        &self,
        amplitude: Option<u8>,
    ) -> Result<Option<(TriggerSpec, Vec<Trigger>)>, TrainError> {
        let Some(amplitude) = amplitude else { return Ok(None) };
        let family = match self.spec.family() {
            Family::Tile { size, .. } => Family::Tile { size, amplitude },
            Family::Full { .. } => Family::Full { amplitude },
            Family::Patch { .. } => return Ok(None),
        };
        let triggers = self.triggers.iter().map(|trigger| trigger.with_amplitude(amplitude));
        Ok(Some((TriggerSpec::new(family)?, triggers.collect::<Result<_, _>>()?)))
    }
}

fn objective_loss(
    objective: &Objective,
    moment: &Moment,
    logits: Tensor<2>,
    labels: Tensor<2>,
    teacher: Tensor<2>,
    maps: &Maps<'_>,
) -> (Tensor<1>, Vec<(String, f32)>) {
    let entropy = cross_entropy(logits.clone(), labels).mean();
    let mut figures = vec![("cross_entropy".to_owned(), figure(&entropy))];
    let mut loss = entropy * objective.cross_entropy;
    if objective.distillation > 0.0 {
        let divergence = divergence(logits, teacher).mean();
        figures.push(("divergence".to_owned(), figure(&divergence)));
        loss = loss + divergence * objective.distillation;
    }
    let (distances, compared) = maps.loss(&objective.terms, moment.hide);
    figures.extend(compared);
    if let Some(distances) = distances {
        loss = loss + distances * moment.maps;
    }
    (loss, figures)
}
