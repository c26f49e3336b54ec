//! Scores of saliency methods on pictures.
//!
//! [`MAP_METRICS`] says what each is, which way is better and where it is from; the formulas are in
//! [`saligate_models::metrics`], checked there against Quantus. What is changed on pictures is done in
//! whole grey levels, so that models that take bytes, and gates that look at them, see what they would
//! from a camera. The explained class is the predicted one. Beside the methods stands a control: maps
//! that are random, which a score of faithfulness has to tell from them.

mod measured;
mod pictures;
mod report;

use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use saligate_models::metrics::MetricError;
use saligate_models::random::Stream;
use saligate_runtime::picture::{Picture, PictureError};
use saligate_runtime::{Attribution, Explanation, Model, RuntimeError, Target};
use thiserror::Error;

use self::measured::{Figures, measured};
use self::pictures::Changed;

pub use self::report::{MapReport, MethodScores, Score};
pub use saligate_models::metrics::MAP_METRICS;

/// What the control is called.
pub const RANDOM: &str = "random";
/// Networks with shuffled weights that maps are compared with.
const SHUFFLED: u64 = 2;

/// Why there are no scores.
#[derive(Debug, Error)]
pub enum MetricsError {
    /// The model does not explain a picture.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// A changed picture has no shape.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// A map cannot be scored.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// There are no pictures.
    #[error("there are no pictures")]
    NoPictures,
}

/// A picture of the model's size, and where its object is.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The picture.
    pub picture: Picture,
    /// `[row, column]`, where it is known.
    pub object: Option<Vec<bool>>,
}

/// Explains a picture by a method, for a class.
pub type Explain<'a> =
    dyn Fn(&Model, &Picture, Target) -> Result<Explanation, RuntimeError> + Sync + 'a;

/// A method and its name.
pub struct Studied<'a> {
    /// Name in the report.
    pub name: String,
    /// What explains.
    pub explain: Box<Explain<'a>>,
}

/// How scores are measured.
#[derive(Clone, Debug)]
pub struct MapSettings {
    /// Where random numbers start.
    pub seed: u64,
    /// Threads, each with a picture of its own.
    pub threads: NonZero<usize>,
    /// Points of the curves of insertion, deletion and pixel flipping, less one.
    pub steps: usize,
    /// Parts along a side that are covered one after the other for infidelity.
    pub parts: usize,
    /// Pictures with noise, for max-sensitivity.
    pub noisy: usize,
    /// Grey levels that noise changes a pixel by, at most.
    pub levels: u8,
}

impl Default for MapSettings {
    fn default() -> Self {
        Self { seed: 1, threads: NonZero::<usize>::MIN, steps: 32, parts: 8, noisy: 8, levels: 4 }
    }
}

/// Scores methods, and the control, on pictures.
///
/// Randomisation is left out of a model that was sealed, whose weights are not copied.
/// `told` is called for every picture and method that is done, `pictures * (methods + 1)` times.
///
/// # Errors
/// There is no picture, the model does not explain one, or a map is not finite.
pub fn measure(
    model: &Model,
    methods: &[Studied<'_>],
    samples: &[Sample],
    settings: &MapSettings,
    told: &(dyn Fn() + Sync),
) -> Result<MapReport, MetricsError> {
    if samples.is_empty() {
        return Err(MetricsError::NoPictures);
    }
    let mut shuffled = Vec::new();
    for number in 0..SHUFFLED {
        shuffled.extend(model.shuffled(settings.seed + number)?);
    }
    let all = in_parallel(samples.len(), settings.threads, |at| {
        let changed = Changed::new(model, &samples[at], settings, at)?;
        let mut figures = Vec::with_capacity(methods.len() + 1);
        for method in methods {
            let explain = |model: &Model, picture: &Picture, target: Target| {
                (method.explain)(model, picture, target)
            };
            figures.push(measured(model, &shuffled, &changed, settings, &explain)?);
            told();
        }
        figures.push(measured(model, &shuffled, &changed, settings, &random_maps(settings, at))?);
        told();
        Ok(figures)
    });
    let all = all.into_iter().collect::<Result<Vec<Vec<Figures>>, MetricsError>>()?;
    let names = methods.iter().map(|method| method.name.as_str()).chain([RANDOM]);
    MapReport::new(names, &all, settings)
}

/// Maps that are random, another one each time.
fn random_maps(
    settings: &MapSettings,
    picture: usize,
) -> impl Fn(&Model, &Picture, Target) -> Result<Explanation, RuntimeError> + Sync + use<> {
    let stream = Mutex::new(Stream::numbered(settings.seed, "random maps", picture as u64));
    move |model, picture, target| {
        let prediction = model.predict(picture)?;
        let class = match target {
            Target::Class(class) => class,
            Target::Predicted => prediction.class,
        };
        let (height, width) = (picture.height(), picture.width());
        let mut stream = stream.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let map: Vec<f32> = (0..height * width).map(|_| stream.uniform(0.0, 1.0)).collect();
        let attribution = Attribution { values: map.clone(), channels: 1, height, width };
        Ok(Explanation { prediction, class, attribution, map })
    }
}

/// Results in the order of their numbers, each made on one of some threads.
fn in_parallel<T: Send>(
    count: usize,
    threads: NonZero<usize>,
    work: impl Fn(usize) -> T + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(count));
    std::thread::scope(|scope| {
        for _ in 0..threads.get().min(count) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= count {
                        break;
                    }
                    let result = work(at);
                    let mut done = done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    done.push((at, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}
