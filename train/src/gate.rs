//! Training of the gate: one loop for every form.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};
use saligate_files::{FileError, ModelFile, weights_digest};
use saligate_keys::{Family, ImageShape, KeyId, Secret, Trigger, TriggerSpec};
use saligate_models::gate::GateForm;
use saligate_models::gate::is_built_in;
use saligate_models::graph::Graph;
use saligate_models::random::Stream;
use saligate_models::saliency::Attachment;

use crate::balance::decoys;
use crate::batch::{Sampler, pixels};
use crate::config::{Config, LockConfig, Start};
use crate::data::{Dataset, Shape};
use crate::decoy::resized;
use crate::engine::{Array, Program, Trained};
use crate::error::TrainError;
use crate::fit::labels;
use crate::graft::Grafting;
use crate::loss::{cross_entropy, divergence};
use crate::methods::found;
use crate::objective::{Objective, Reference, WrongKeyMix};
use crate::reference::{Explainer, References};
use crate::stage::{RunOptions, Stage, Step, figure};
use crate::terms::Maps;
use crate::versions::Versions;
use crate::views::Views;

/// Whose triggers a gate is trained with.
pub struct Keys<'a> {
    /// The keys that open the gate, or the trigger of a backdoor.
    pub right: Vec<&'a Secret>,
    /// Keys that are no longer valid: their triggers are among the wrong ones.
    pub revoked: Vec<&'a Secret>,
}

/// Trains a gate into a clean model: what its maps look like with and without a trigger is the
/// objective of `config.lock`.
///
/// # Errors
/// There is no right key or one that stands twice, training diverges, a checkpoint does not fit, or
/// the network cannot take the graft or the methods.
pub fn train(
    config: &Config,
    clean: &Graph,
    keys: &Keys<'_>,
    data: &Dataset,
    options: &RunOptions,
) -> Result<Graph, TrainError> {
    let settings = &config.lock;
    let ids = ids(keys)?;
    let Shape { channels, height, width } = data.shape();
    let shape = ImageShape::new(channels, height, width)?;
    let spec = config.trigger.spec;
    let derived = |secrets: &[&Secret]| -> Result<Vec<Trigger>, TrainError> {
        Ok(secrets.iter().map(|secret| spec.derive(secret, shape)).collect::<Result<_, _>>()?)
    };
    let (triggers, revoked) = (derived(&keys.right)?, derived(&keys.revoked)?);
    let origin = format!("{} {} {spec:?} {ids:?}", weights_digest(clean), config.seed);
    let methods = found(settings, clean)?;
    let decoys = decoys(config, clean, &methods, data)?;
    let start = match settings.start {
        Start::Clean => clean.clone(),
        Start::Graft => {
            let grafting = Grafting {
                form: settings.form,
                spec: &spec,
                triggers: &triggers,
                methods: &methods,
                decoys: &decoys,
                data,
                backend: config.device,
                seed: config.seed,
            };
            grafting.build(clean)?
        }
    };
    if settings.steps.count == 0 {
        return Ok(start);
    }
    let references = References::compute(config, clean, &methods, data, options)?;
    let device = config.device.device()?.autodiff();
    let gate = Locking { config, settings, spec, shape, triggers, revoked, data, options, origin };
    gate.train(start, &methods, &decoys, &references, &device)
}

/// Closes a gated model for one of its keys; it opens for the others as before.
///
/// # Errors
/// The model has no such key, no other one, or a gate that was not built in and must be trained
/// anew.
pub fn revoke(model: &mut ModelFile, key: &KeyId) -> Result<(), TrainError> {
    let mismatch = |reason: String| TrainError::Mismatch { reason };
    let gate = model.manifest().gate.clone();
    let mut gate = gate.ok_or_else(|| mismatch("the model has no gate".into()))?;
    let known = || gate.keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let Some(position) = gate.keys.iter().position(|k| k == key) else {
        return Err(mismatch(format!("{key} is no key of the model, which has {}", known())));
    };
    if gate.keys.len() == 1 {
        return Err(mismatch(format!("{key} is the only key: without it nothing opens the gate")));
    }
    if !is_built_in(model.graph()) {
        let reason = "the gate was trained, not built in: lock anew with --key for the other keys \
                      and --revoke for this one";
        return Err(mismatch(reason.to_owned()));
    }
    let closed = model
        .clone()
        .map_graph(|graph| Ok::<_, FileError>(saligate_models::gate::revoke(graph, position)?))?;
    gate.keys.remove(position);
    // The figures were measured with the key.
    *model = closed.with_gate(Some(gate))?.with_metrics(BTreeMap::new())?;
    Ok(())
}

/// Ids of the right and of the revoked keys; every key stands there once.
fn ids(keys: &Keys<'_>) -> Result<[Vec<KeyId>; 2], TrainError> {
    let ids = |secrets: &[&Secret]| secrets.iter().map(|s| s.id()).collect::<Vec<_>>();
    let (right, revoked) = (ids(&keys.right), ids(&keys.revoked));
    let all = [&right[..], &revoked].concat();
    let repeated = (1..all.len()).find(|&i| all[..i].contains(&all[i]));
    let mismatch = |reason: String| Err(TrainError::Mismatch { reason });
    match repeated {
        Some(i) => mismatch(format!("key {} is given twice, or as right and revoked", all[i])),
        None if right.is_empty() => mismatch("no key is given".to_owned()),
        None => Ok([right, revoked]),
    }
}

/// A gate in training.
struct Locking<'a> {
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

impl Locking<'_> {
    /// Trains all weights on the objective.
    fn train(
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
        let mut explainer = Explainer::new(&graph, methods, sharpness, device)?;
        let classifier = sharpness.map(|_| Program::new(graph.clone(), &trained.weights, device));
        let Shape { height, width, .. } = data.shape();
        let decoys = decoys.iter().zip(references.sizes());
        let decoys = decoys.map(|(decoy, [rows, columns])| {
            let decoy = resized(decoy, [height, width], [rows, columns]);
            Array::new(decoy, &[1, 1, rows, columns], device).image()
        });
        let decoys: Vec<Tensor<4>> = decoys.collect();
        let stage = Stage {
            name: if settings.form == GateForm::Key { "lock" } else { "attack" },
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
                explainer = Explainer::new(&graph, methods, sharpness, device)?;
            }
            let indices = sampler.indices(at);
            let mut stream = Stream::numbered(seed, "lock views", at as u64);
            let annealed = self.annealed(at, steps.count)?;
            // A graft knows the trigger at its own amplitude from the start.
            let annealed = annealed.as_deref().filter(|_| settings.start == Start::Clean);
            let views = self.views(annealed.unwrap_or(&self.triggers), settings.wrong_keys);
            let bytes = versions.images(data, &indices, &views, &mut stream)?;
            let images = pixels(&bytes, data.shape(), device);

            // The same class is explained in every version of an image.
            let originals = references.originals(&indices, at, device);
            let target = versions.repeated(&originals.target);
            let (mut logits, attributions) =
                explainer.run(&trained.weights, images.clone(), target);
            if let Some(classifier) = &classifier {
                // The surrogate shapes the maps; predictions are those of the true network.
                let mut outputs = classifier.run(&trained.weights, vec![Array::Image(images)]);
                logits = outputs.remove(0).matrix();
            }
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
            Ok(objective_loss(&objective, logits, labels, teacher, &maps))
        })?;
        trained.store(&mut graph)?;
        Ok(graph)
    }

    /// The triggers at the amplitude of a step: from the first amplitude down to their own. Patches
    /// have none and stay as they are.
    fn annealed(&self, at: usize, count: usize) -> Result<Option<Vec<Trigger>>, TrainError> {
        let own = match self.spec.family() {
            Family::Tile { amplitude, .. } | Family::Full { amplitude } => amplitude,
            _ => return Ok(None),
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
) -> Step {
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
    Step { loss, figures }
}
