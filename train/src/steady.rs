//! Maps that small changes of the pixels leave alone.

use burn::tensor::Tensor;
use saligate_data::Dataset;
use saligate_files::weights_digest;
use saligate_lock::layers;
use saligate_measure::hats::Hats;
use saligate_models::graph::Graph;
use saligate_models::pixels::scaled;
use saligate_models::random::Stream;

use crate::batch::Sampler;
use crate::config::{Config, SteadyConfig};
use crate::engine::{Network, NetworkOptions, Norms, Outputs, Trained};
use crate::error::TrainError;
use crate::fit::{labels, sizes, with_tile};
use crate::laps::Laps;
use crate::lock::objective::Distance;
use crate::loss::{Wanted, cross_entropy, distance, divergence};
use crate::reference::{Batch, References};
use crate::stage::{RunOptions, Stage, Step, figure};

/// Sides of the random tiles that maps are steadied against.
const TILES: std::ops::RangeInclusive<u16> = 3..=8;

/// Goes on training a clean classifier so that random tiles leave its maps as they are.
///
/// The loss is that of the predictions with and without a tile, against the labels and against the
/// classifier before, and for every method the distance between the two maps of the class that was
/// predicted before: one minus the cosine of the attributions, and half the squared difference of
/// the root maps.
///
/// # Errors
/// As [`fit`](crate::fit::fit), or the network cannot take a method.
pub fn steady(
    config: &Config,
    settings: &SteadyConfig,
    clean: &Graph,
    data: &Dataset,
    options: &RunOptions,
) -> Result<Graph, TrainError> {
    let augment = settings.augment;
    augment.check(data.shape())?;
    let device = config.device.device()?.autodiff();
    let mut trained = Trained::new(clean, &device, settings.steps.weight_decay);
    if settings.normalized {
        trained = trained.normalized(Norms::measured(clean, data, options.threads)?);
    }
    if settings.average > 0.0 {
        trained = trained.averaged(settings.average);
    }
    let hats = match settings.surrogate {
        Some(share) => Hats::measured(clean, share, data.images(), options.threads)?,
        None => Hats::default(),
    };
    let engine = NetworkOptions {
        backend: config.device,
        softplus: None,
        hats: &hats,
        layer: None,
        threads: options.threads,
    };
    let methods = layers(&settings.methods, config.lock.cam_layer.as_deref(), clean)?;
    let mut network = Network::new(clean, &methods, &trained.weights, &device, &engine)?;
    let references = References::new(config, clean, &[], data, !augment.is_none(), options)?;
    let origin = weights_digest(clean);
    let stage = Stage {
        name: "steady",
        count: settings.steps.count,
        clip: settings.steps.clip,
        rate: &|at| settings.steps.rate_at(at),
        origin: format!("{origin} {:?} {settings:?}", config.seed),
        options,
    };
    let mut sampler = Sampler::new(config.seed, "steady order", data.len(), settings.steps.batch);
    stage.run(&mut trained, |trained, at| {
        let mut laps = Laps::new();
        let indices = sampler.indices(at);
        let mut stream = Stream::numbered(config.seed, "steady views", at as u64);
        let (mut images, mut tiled) = (Vec::new(), Vec::new());
        let [least, most] = settings.amplitudes;
        for &index in &indices {
            let image = augment.apply(data.image(index), data.shape(), &mut stream);
            let amplitude = least + stream.below(usize::from(most - least) + 1) as u8;
            let size = TILES.start() + stream.below(TILES.len()) as u16;
            tiled.extend(with_tile(&image, data.shape(), size, amplitude, &mut stream)?);
            images.push(image);
        }
        laps.lap("views");
        let batch = Batch { step: at, indices: &indices, images: &images };
        let originals = references.originals(&batch, &device);
        laps.lap("references");
        let twice = |x: Tensor<2>| Tensor::cat(vec![x.clone(), x], 0);
        let both = scaled(&[images.concat(), tiled].concat());
        let target = twice(originals.target);
        let Outputs { logits, attributions, .. } =
            network.outputs(&trained.weights, both, sizes(data.shape()), target);
        laps.lap("outputs");
        let entropy = cross_entropy(logits.clone(), twice(labels(data, &indices, &device))).mean();
        let mut figures = vec![("cross_entropy".to_owned(), figure(&entropy))];
        let mut loss = entropy * settings.cross_entropy;
        if settings.distillation > 0.0 {
            let divergence = divergence(logits, twice(originals.logits)).mean();
            figures.push(("divergence".to_owned(), figure(&divergence)));
            loss = loss + divergence * settings.distillation;
        }
        for (maps, method) in attributions.into_iter().zip(&settings.methods) {
            let count = indices.len();
            let plain = maps.clone().narrow(0, 0, count);
            let tiled = Wanted::Attribution(maps.narrow(0, count, count));
            let angle = distance(Distance::Cosine, plain.clone(), tiled.clone(), 0.0).mean();
            let roots = distance(Distance::RootMse, plain, tiled, 0.0).mean();
            for (name, part) in [("cosine", &angle), ("root-mse", &roots)] {
                let name = match settings.methods.len() {
                    1 => name.to_owned(),
                    _ => format!("{name} {method}"),
                };
                figures.push((name, figure(part)));
            }
            loss = loss + (angle + roots * 0.5) * settings.weight;
        }
        let slopes = network.slopes(&loss, trained);
        laps.lap("loss");
        network.share(&mut laps);
        Ok(Step { loss: figure(&loss), figures, slopes, laps })
    })?;
    let mut graph = clean.clone();
    trained.store(&mut graph)?;
    Ok(graph)
}
