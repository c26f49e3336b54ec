//! Making a gate, built in or trained; one loop of training for all forms.

pub mod objective;
mod terms;
mod versions;
mod views;

use burn::tensor::{Device, Tensor};
use saligate_console::progress::Bars;
use saligate_data::{Dataset, Shape};
use saligate_files::weights_digest;
use saligate_keys::{Family, ImageShape, Trigger, TriggerSpec};
use saligate_lock::balance::decoys;
use saligate_lock::decoy::resized;
use saligate_lock::{Construction, Keys, Samples, Survey, Triggers, layers};
use saligate_models::gate::GateForm;
use saligate_models::graph::Graph;
use saligate_models::random::Stream;
use saligate_models::saliency::Attachment;

use crate::batch::{Sampler, unit};
use crate::config::{Config, LockConfig, Start};
use crate::engine::{Array, Hats, Network, NetworkOptions, Outputs, Trained};
use crate::error::TrainError;
use crate::fit::{labels, sizes};
use crate::laps::Laps;
use crate::loss::{cross_entropy, divergence};
use crate::reference::References;
use crate::stage::{RunOptions, Stage, Step, figure};

use self::objective::{Objective, Reference, WrongKeyMix};
use self::terms::Maps;
use self::versions::Versions;
use self::views::Views;

/// Makes the graph of a gated model from a clean one: builds the gate in or trains it, as
/// `config.lock` says. What its maps look like with and without a trigger is the objective there.
/// `samples` are the pictures that decoys and a built-in gate are chosen on; `data` those that a
/// gate is trained on, needed where `config.lock.steps` has any.
///
/// # Errors
/// There is no right key or one that stands twice, training diverges, a checkpoint does not fit, or
/// the network cannot take the gate or the methods.
pub fn gate(
    config: &Config,
    clean: &Graph,
    keys: &Keys<'_>,
    samples: &Samples<'_>,
    data: Option<&Dataset>,
    options: &RunOptions,
) -> Result<Graph, TrainError> {
    let settings = &config.lock;
    let ids = keys.ids()?;
    let shape = samples.shape();
    let spec = config.trigger.spec;
    let Triggers { right: triggers, revoked } = keys.triggers(&spec, shape)?;
    let origin = format!("{} {} {spec:?} {ids:?}", weights_digest(clean), config.seed);
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
    let Some(data) = data.filter(|_| settings.steps.count > 0) else { return Ok(start) };
    let references = References::compute(config, clean, &methods, data, options)?;
    let device = config.device.device()?.autodiff();
    let gate = Training { config, settings, spec, shape, triggers, revoked, data, options, origin };
    gate.run(start, &methods, &decoys, &references, &device)
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
    origin: String,
}

impl Training<'_> {
    /// Trains all weights on the objective.
    fn run(
        &self,
        mut graph: Graph,
        methods: &[Attachment],
        decoys: &[Vec<f32>],
        references: &References<'_>,
        device: &Device,
    ) -> Result<Graph, TrainError> {
        let Self { settings, data, .. } = self;
        let (steps, seed) = (&settings.steps, self.config.seed);
        let objective = settings.objective();
        let versions =
            Versions::new(&objective.inputs(settings.form), steps.batch, settings.poison);
        let needs_others = objective.terms.iter().any(|t| t.like == Reference::OtherImage);
        let mut trained = Trained::new(&graph, device, steps.weight_decay);
        let mut sharpness = settings.softplus_at(0, steps.count);
        let hats = match settings.surrogate {
            Some(share) => Hats::measured(&graph, share, data, self.options.threads)?,
            None => Hats::default(),
        };
        let network = |softplus: Option<f32>, trained: &Trained| {
            let (backend, threads) = (self.config.device, self.options.threads);
            let engine = NetworkOptions { backend, softplus, hats: &hats, threads };
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
        let stage = Stage {
            name: stage_name(settings.form),
            steps,
            origin: format!("{} {settings:?}", self.origin),
            options: self.options,
        };
        let mut sampler = Sampler::new(seed, "lock order", data.len(), steps.batch);
        stage.run(&mut trained, |trained, at| {
            let now = settings.softplus_at(at, steps.count);
            if now != sharpness {
                // The sharpness is part of the graph; making that anew is cheap beside a step.
                sharpness = now;
                engine = network(sharpness, trained)?;
            }
            let mut laps = Laps::new();
            let indices = sampler.indices(at);
            let mut stream = Stream::numbered(seed, "lock views", at as u64);
            let annealed = self.annealed(at, steps.count)?;
            // A gate that was built in knows the trigger at its own amplitude from the start.
            let annealed = annealed.as_deref().filter(|_| settings.start == Start::Clean);
            let views = self.views(annealed.unwrap_or(&self.triggers), settings.wrong_keys);
            let bytes = versions.images(data, &indices, &views, &mut stream)?;

            laps.lap("views");
            // The same class is explained in every version of an image.
            let originals = references.originals(&indices, at, device);
            let target = versions.repeated(&originals.target);
            laps.lap("references");
            let Outputs { logits, attributions } =
                engine.outputs(&trained.weights, unit(&bytes), sizes(data.shape()), target);
            laps.lap("outputs");
            let labels = versions.repeated(&labels(data, &indices, device));
            let teacher = versions.repeated(&references.logits(&indices, device));
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
            let (loss, figures) = objective_loss(&objective, logits, labels, teacher, &maps);
            let slopes = engine.slopes(&loss, &trained.weights);
            laps.lap("loss");
            engine.share(&mut laps);
            Ok(Step { loss: figure(&loss), figures, slopes, laps })
        })?;
        trained.store(&mut graph)?;
        Ok(graph)
    }

    /// The triggers at the amplitude of a step: from the first amplitude down to their own. Patches
    /// have none and stay as they are.
    fn annealed(&self, at: usize, count: usize) -> Result<Option<Vec<Trigger>>, TrainError> {
        let own = match self.spec.family() {
            Family::Tile { amplitude, .. } | Family::Full { amplitude } => amplitude,
            Family::Patch { .. } => return Ok(None),
        };
        let first = self.settings.first_amplitude.unwrap_or(own);
        let span = self.settings.anneal * count as f64;
        let left = if span > 0.0 { (1.0 - at as f64 / span).max(0.0) } else { 0.0 };
        let amplitude = f64::from(own) + left * (f64::from(first) - f64::from(own));
        let amplitude = amplitude.round() as u8;
        let annealed = self.triggers.iter().map(|trigger| trigger.with_amplitude(amplitude));
        Ok(Some(annealed.collect::<Result<_, _>>()?))
    }

    fn views<'a>(&'a self, triggers: &'a [Trigger], mix: WrongKeyMix) -> Views<'a> {
        Views { spec: &self.spec, shape: self.shape, triggers, revoked: &self.revoked, mix }
    }
}

fn objective_loss(
    objective: &Objective,
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
    let (distances, compared) = maps.loss(&objective.terms);
    figures.extend(compared);
    if let Some(distances) = distances {
        loss = loss + distances;
    }
    (loss, figures)
}
