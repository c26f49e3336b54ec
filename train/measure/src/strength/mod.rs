//! What somebody who has the file of a locked or sealed model gets of the right maps, and at what cost.

use std::time::Instant;

use rayon::prelude::*;
use saligate_console::progress::bar;
use saligate_data::Dataset;
use saligate_files::ModelFile;
use saligate_keys::Trigger;
use saligate_models::graph::Graph;
use saligate_models::metrics::interval::Rate;
use saligate_models::metrics::rank::spearman;
use saligate_models::names::LOGITS;
use saligate_models::saliency::Method;
use saligate_runtime::method::{Explainer, Settings, Value};
use saligate_runtime::picture::Picture;
use saligate_runtime::{Model, Target};
use serde::{Deserialize, Serialize};

use crate::evaluate::Metrics;
use crate::{MeasureError, rows};

mod gate;
mod queries;
mod table;
mod values;

pub use table::put;

/// Methods that a network which was stolen, trained or bought is read with.
const READ: [Method; 3] = [Method::Gradient, Method::GradCam, Method::VisualBackProp];

/// The attacks on one file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Strength {
    /// Id of the run.
    pub id: String,
    /// Seed of the run.
    pub seed: u64,
    /// Digest of the network that the file shows.
    pub model: String,
    /// One per attack and method.
    pub attacks: Vec<Attack>,
}

/// One way round a gate or seal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Attack {
    /// Kind of attack: those of one kind are measured together.
    pub kind: String,
    /// What is done.
    pub name: String,
    /// The method that the result is compared by.
    pub method: String,
    /// Rank correlation with the clean model's map of the same picture: mean and 95 % interval.
    pub rho: [f64; 3],
    /// Pictures that it was measured on.
    pub pictures: usize,
    /// Runs of a network per picture.
    pub queries: usize,
    /// Training steps before.
    pub steps: usize,
    /// Seconds of training, or of all pictures, on the threads of the run.
    pub seconds: f64,
    /// Share of test images that a trained network classifies correctly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
}

/// A clean model, and what an attacker has instead of it.
pub struct Attacked<'a> {
    truth: Model,
    file: ModelFile,
    model: Model,
    data: &'a Dataset,
    quiet: bool,
}

/// How a network was made that is compared with the clean one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Made {
    /// Training steps.
    pub steps: usize,
    /// Seconds that they took.
    pub seconds: f64,
    /// Share of test images that it classifies correctly.
    pub accuracy: Option<f64>,
}

impl<'a> Attacked<'a> {
    /// Reads the clean model, and what a file shows, with the methods of the table.
    ///
    /// # Errors
    /// A method cannot be attached.
    pub fn new(
        clean: &ModelFile,
        shown: &ModelFile,
        data: &'a Dataset,
        quiet: bool,
    ) -> Result<Self, MeasureError> {
        let classifier = clean.graph().extract(&[LOGITS])?;
        let truth = readable(clean, &classifier)?;
        // A gate that is built in has side branches, which leave no trunk to find layers on.
        let own = shown.graph().extract(&[LOGITS])?;
        let file = readable(shown, &own).or_else(|_| readable(shown, &classifier))?;
        Ok(Self { truth: Model::new(truth)?, model: Model::new(file.clone())?, file, data, quiet })
    }

    /// Explanations of what the file shows, by methods that read gradients or features.
    ///
    /// # Errors
    /// A model cannot be run.
    pub fn maps(&self, images: usize) -> Result<Vec<Attack>, MeasureError> {
        let mut attacks = Vec::new();
        for method in READ {
            attacks.push(self.read(method.name(), &Settings::default(), images, None)?);
        }
        for (name, count, passes) in
            [("smoothgrad", "samples", 25), ("integrated-gradients", "steps", 32)]
        {
            let settings = Settings::default().with(count, Value::Whole(passes));
            attacks.push(self.read(name, &settings, images, None)?);
        }
        Ok(attacks)
    }

    /// What the file shows by a method of the runtime, compared with the same of the clean model, or
    /// with another method's map of it.
    fn read(
        &self,
        name: &'static str,
        settings: &Settings,
        images: usize,
        against: Option<Method>,
    ) -> Result<Attack, MeasureError> {
        let explainer = Explainer::named(name, settings)?;
        let wanted = match against {
            Some(method) => Explainer::named(method.name(), &Settings::default())?,
            None => Explainer::named(name, settings)?,
        };
        let method = against.map_or(name, |method| method.name());
        self.compare(name, method, images, |picture| {
            let run = |explainer: &Explainer, model: &Model| {
                explainer.run(model, picture, Target::Predicted, None, &mut |_, _| ())
            };
            let found = run(&explainer, &self.model)?;
            let runs = found.passes.map_or(1, |passes| passes.count);
            let map = run(&wanted, &self.truth)?.explanation.map;
            Ok((spearman(&found.explanation.map, &map)?, runs))
        })
    }

    /// The map of another network, or of other pictures, by each method, compared with the clean model's
    /// map of the picture as it is.
    fn shown_by(
        &self,
        name: &str,
        images: usize,
        show: impl Fn(Method, &Picture) -> Result<Vec<f32>, MeasureError> + Sync,
    ) -> Result<Vec<Attack>, MeasureError> {
        let by = |method: Method| {
            self.compare(name, method.name(), images, |picture| {
                let wanted =
                    self.truth.explain_by(method.name(), picture, Target::Predicted, None)?;
                Ok((spearman(&show(method, picture)?, &wanted.map)?, 1))
            })
        };
        READ.into_iter().map(by).collect()
    }

    /// The value inside the file's network that is most like the right map: what whoever makes every
    /// value an output, or cuts the graph at any place, can find.
    ///
    /// # Errors
    /// The graph cannot be run.
    pub fn inner_values(&self, images: usize) -> Result<Attack, MeasureError> {
        let start = Instant::now();
        let (best, count, pictures) = values::best(&self.file, &self.truth, self.data, images)?;
        Ok(Attack {
            kind: String::new(),
            name: format!("inner value '{}' of {count}", best.name),
            method: Method::Gradient.name().to_owned(),
            rho: rows::mean(&best.similarity)?,
            pictures,
            queries: 1,
            steps: 0,
            seconds: start.elapsed().as_secs_f64(),
            accuracy: None,
        })
    }

    /// A network that an attacker made, read with each method.
    ///
    /// # Errors
    /// A method cannot be attached, or the network cannot be run.
    pub fn network(
        &self,
        name: &'static str,
        network: &ModelFile,
        made: Made,
        images: usize,
    ) -> Result<Vec<Attack>, MeasureError> {
        let classifier = network.graph().extract(&[LOGITS])?;
        let own = Model::new(readable(network, &classifier)?)?;
        let found = self.shown_by(name, images, |method, picture| {
            Ok(own.explain_by(method.name(), picture, Target::Predicted, None)?.map)
        })?;
        let Made { steps, seconds, accuracy } = made;
        Ok(found.into_iter().map(|attack| Attack { steps, seconds, accuracy, ..attack }).collect())
    }

    /// What is read off the first pictures: `one` gives the likeness with the right map, and the runs
    /// of a network that it took.
    fn compare(
        &self,
        name: &str,
        method: &str,
        images: usize,
        one: impl Fn(&Picture) -> Result<(f64, usize), MeasureError> + Sync,
    ) -> Result<Attack, MeasureError> {
        let images = images.min(self.data.len());
        let bar = bar(name.to_owned(), images, self.quiet);
        let start = Instant::now();
        let found = (0..images).into_par_iter().map(|index| {
            let found = one(&picture(self.data, index)?);
            bar.inc(1);
            found
        });
        let found = found.collect::<Result<Vec<_>, MeasureError>>()?;
        bar.finish_and_clear();
        let (rho, runs): (Vec<f64>, Vec<usize>) = found.into_iter().unzip();
        Ok(Attack {
            kind: String::new(),
            name: name.to_owned(),
            method: method.to_owned(),
            rho: rows::mean(&rho)?,
            pictures: images,
            queries: runs.into_iter().max().unwrap_or(0),
            steps: 0,
            seconds: start.elapsed().as_secs_f64(),
            accuracy: None,
        })
    }

    /// How often the file predicts right, how often the open model does, how often both agree, and how
    /// like the open model's maps are to the clean one's.
    ///
    /// # Errors
    /// A model cannot be run.
    pub fn open(&self, open: &Model, trigger: &Trigger) -> Result<Metrics, MeasureError> {
        struct Seen {
            public: bool,
            keyed: bool,
            same: bool,
            spearman: f64,
        }
        let name = open.manifest().method().name.clone();
        let bar = bar("predictions", self.data.len(), self.quiet);
        let seen = (0..self.data.len()).into_par_iter().map(|index| {
            let picture = picture(self.data, index)?;
            let public = self.model.predict(&picture)?.class;
            let found = open.explain_by(&name, &picture, Target::Predicted, Some(trigger))?;
            let truth = self.truth.explain_by(&name, &picture, Target::Predicted, None)?;
            bar.inc(1);
            let label = self.data.label(index);
            let class = found.prediction.class;
            Ok(Seen {
                public: public == label,
                keyed: class == label,
                same: class == public,
                spearman: spearman(&found.map, &truth.map)?,
            })
        });
        let seen = seen.collect::<Result<Vec<_>, MeasureError>>()?;
        bar.finish_and_clear();
        let rate = |of: fn(&Seen) -> bool| -> Result<(f64, [f64; 2]), MeasureError> {
            let hits = seen.iter().filter(|seen| of(seen)).count();
            let Rate { value, low, high, .. } = Rate::of(hits as u64, seen.len() as u64)?;
            Ok((value, [low, high]))
        };
        let values: Vec<f64> = seen.iter().map(|seen| seen.spearman).collect();
        let [value, low, high] = rows::mean(&values)?;
        Ok([
            ("accuracy_public".to_owned(), rate(|seen| seen.public)?),
            ("accuracy_keyed".to_owned(), rate(|seen| seen.keyed)?),
            ("agreement".to_owned(), rate(|seen| seen.same)?),
            ("spearman_keyed".to_owned(), (value, [low, high])),
        ]
        .into())
    }
}

/// A test image.
fn picture(data: &Dataset, index: usize) -> Result<Picture, MeasureError> {
    crate::evaluate::picture(data.shape(), data.image(index).to_vec())
}

/// A model without a gate in its manifest, with the methods of the table.
fn readable(model: &ModelFile, classifier: &Graph) -> Result<ModelFile, MeasureError> {
    let methods = READ.iter().map(|method| model.manifest().attachment(*method, classifier));
    let methods = methods.collect::<Result<Vec<_>, _>>()?;
    Ok(model.shown()?.with_methods(&methods)?)
}

impl Strength {
    /// Puts what was measured of the same file before in front, but for kinds that are among these.
    fn add_earlier(&mut self, earlier: &Self) {
        if self.model != earlier.model {
            return;
        }
        let new = std::mem::take(&mut self.attacks);
        let left = earlier.attacks.iter().filter(|old| new.iter().all(|one| one.kind != old.kind));
        self.attacks = left.chain(&new).cloned().collect();
    }

    /// The figures of results: the strongest attack of each kind.
    pub fn metrics(&self) -> Metrics {
        let figure = |name: &str, method: &str| {
            let found =
                self.attacks.iter().filter(|a| a.name.starts_with(name) && a.method == method);
            found.map(|attack| attack.rho).max_by(|a, b| a[0].total_cmp(&b[0]))
        };
        let gradient = Method::Gradient.name();
        let mut metrics = Metrics::new();
        let mut put = |metric: String, rho: Option<[f64; 3]>| {
            if let Some([value, low, high]) = rho {
                metrics.insert(metric, (value, [low, high]));
            }
        };
        for (metric, name, method) in [
            ("rho_gradient", "gradient", gradient),
            ("rho_finite_differences", "finite-differences", gradient),
            ("rho_smoothgrad", "smoothgrad", "smoothgrad"),
            ("rho_integrated_gradients", "integrated-gradients", "integrated-gradients"),
            ("rho_grad_cam", "grad-cam", Method::GradCam.name()),
            ("rho_vbp", "vbp", Method::VisualBackProp.name()),
            ("rho_occlusion", "occlusion", gradient),
            ("rho_occlusion_itself", "occlusion", "occlusion"),
            ("rho_rise", "rise", "rise"),
            ("rho_blocks", "differences of", gradient),
            ("rho_staircase", "autograd behind", gradient),
            ("rho_tile", "tile of the file", gradient),
            ("rho_pair", "one pair", gradient),
            ("rho_searched", "searched tile", gradient),
            ("rho_inner_values", "inner value", gradient),
        ] {
            put(metric.to_owned(), figure(name, method));
        }
        for (metric, name) in [
            ("rho_fine_tuned", "fine-tuned"),
            ("rho_retrained", "retrained"),
            ("rho_student", "student"),
            ("rho_independent", "independent"),
        ] {
            put(metric.to_owned(), figure(name, gradient));
            put(format!("{metric}_grad_cam"), figure(name, Method::GradCam.name()));
            put(format!("{metric}_vbp"), figure(name, Method::VisualBackProp.name()));
        }
        metrics
    }
}
