//! What somebody who has the file of a locked or sealed model gets of the right maps, and at what cost.

use std::fmt::Write as _;
use std::path::Path;
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
use saligate_models::saliency::{Method, Reduction, saliency_map};
use saligate_runtime::method::{Explainer, Settings, Value};
use saligate_runtime::picture::Picture;
use saligate_runtime::{Model, Target};
use serde::{Deserialize, Serialize};

use crate::evaluate::Metrics;
use crate::{MeasureError, rows};

mod values;

/// Methods that a network which was stolen, trained or bought is read with.
const READ: [Method; 3] = [Method::Gradient, Method::GradCam, Method::VisualBackProp];

/// The attacks on one file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Strength {
    /// Id of the run.
    pub id: String,
    /// Seed of the run.
    pub seed: u64,
    /// One per attack and method.
    pub attacks: Vec<Attack>,
}

/// One way round a gate or seal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Attack {
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
            attacks.push(self.read(method.name(), &Settings::default(), 1, images, None)?);
        }
        for (name, count, passes) in
            [("smoothgrad", "samples", 25), ("integrated-gradients", "steps", 32)]
        {
            let settings = Settings::default().with(count, Value::Whole(passes));
            attacks.push(self.read(name, &settings, passes as usize, images, None)?);
        }
        Ok(attacks)
    }

    /// Occlusion of single pixels, compared with the gradient, which it approaches.
    ///
    /// # Errors
    /// A model cannot be run.
    pub fn occlusion(&self, images: usize) -> Result<Attack, MeasureError> {
        let settings =
            Settings::default().with("window", Value::Whole(1)).with("stride", Value::Whole(1));
        let passes = self.data.shape().pixels();
        self.read("occlusion", &settings, passes, images, Some(Method::Gradient))
    }

    fn read(
        &self,
        name: &'static str,
        settings: &Settings,
        queries: usize,
        images: usize,
        against: Option<Method>,
    ) -> Result<Attack, MeasureError> {
        let explainer = Explainer::named(name, settings)?;
        let wanted = match against {
            Some(method) => Explainer::named(method.name(), &Settings::default())?,
            None => Explainer::named(name, settings)?,
        };
        let (rho, seconds, pictures) = self.compare(name, images, |picture| {
            let map = |explainer: &Explainer, model: &Model| {
                let found =
                    explainer.run(model, picture, Target::Predicted, None, &mut |_, _| ())?;
                Ok::<_, MeasureError>(found.explanation.map)
            };
            Ok(spearman(&map(&explainer, &self.model)?, &map(&wanted, &self.truth)?)?)
        })?;
        let method = against.map_or(name, |method| method.name()).to_owned();
        let name = name.to_owned();
        Ok(Attack { name, method, rho, pictures, queries, steps: 0, seconds, accuracy: None })
    }

    /// Differences of scores over whole grey levels, which take predictions alone.
    ///
    /// # Errors
    /// A model cannot be run.
    pub fn finite_differences(&self, images: usize) -> Result<Attack, MeasureError> {
        let name = "finite-differences";
        let (rho, seconds, pictures) = self.compare(name, images, |picture| {
            let found = differences(&self.model, picture)?;
            let truth =
                self.truth.explain_by(Method::Gradient.name(), picture, Target::Predicted, None)?;
            Ok(spearman(&found, &truth.map)?)
        })?;
        let queries = 2 * self.data.shape().bytes();
        let method = Method::Gradient.name().to_owned();
        let name = name.to_owned();
        Ok(Attack { name, method, rho, pictures, queries, steps: 0, seconds, accuracy: None })
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
        let mut attacks = Vec::new();
        for method in READ {
            let (rho, _, pictures) = self.compare(name, images, |picture| {
                let map = |model: &Model| {
                    model.explain_by(method.name(), picture, Target::Predicted, None)
                };
                Ok(spearman(&map(&own)?.map, &map(&self.truth)?.map)?)
            })?;
            attacks.push(Attack {
                name: name.to_owned(),
                method: method.name().to_owned(),
                rho,
                pictures,
                queries: 1,
                steps: made.steps,
                seconds: made.seconds,
                accuracy: made.accuracy,
            });
        }
        Ok(attacks)
    }

    /// A figure of some pictures, with its interval, the seconds that they took and their number.
    fn compare(
        &self,
        name: &'static str,
        images: usize,
        one: impl Fn(&Picture) -> Result<f64, MeasureError> + Sync,
    ) -> Result<([f64; 3], f64, usize), MeasureError> {
        let images = images.min(self.data.len());
        let bar = bar(name, images, self.quiet);
        let start = Instant::now();
        let found = (0..images).into_par_iter().map(|index| {
            let found = one(&picture(self.data, index)?);
            bar.inc(1);
            found
        });
        let found = found.collect::<Result<Vec<f64>, MeasureError>>()?;
        bar.finish_and_clear();
        Ok((rows::mean(&found)?, start.elapsed().as_secs_f64(), images))
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

/// The largest difference per channel of the predicted class's score between one grey level more and
/// one less, `[row, column]`.
fn differences(model: &Model, picture: &Picture) -> Result<Vec<f32>, MeasureError> {
    let class = model.predict(picture)?.class;
    let [channels, height, width] = [picture.channels(), picture.height(), picture.width()];
    let score = |at: usize, value: u8| {
        let mut pixels = picture.pixels().to_vec();
        pixels[at] = value;
        let changed = Picture::from_planar(channels, height, width, pixels)?;
        Ok::<_, MeasureError>(model.predict(&changed)?.logits[class])
    };
    let slope = |at: usize| {
        let value = picture.pixels()[at];
        let (low, high) = (value.saturating_sub(1), value.saturating_add(1));
        Ok(255.0 * (score(at, high)? - score(at, low)?) / f32::from(high - low))
    };
    let count = channels * height * width;
    let slopes =
        (0..count).into_par_iter().map(slope).collect::<Result<Vec<f32>, MeasureError>>()?;
    Ok(saliency_map(&slopes, [channels, height, width], [height, width], Reduction::MaxAbs))
}

impl Strength {
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

/// Puts the attacks on a file into a table, in the place of those with its id if there are some, and
/// writes the Markdown beside it.
///
/// # Errors
/// The file holds something else, or cannot be written.
pub fn put(strength: &Strength, path: &Path) -> Result<(), MeasureError> {
    rows::tabulate(path, strength.clone(), |a, b| a.id == b.id, table)
}

fn table(all: &[Strength]) -> String {
    let mut text = String::from(
        "# What the file of a locked or sealed model gives away\n\n\
         Made by `saligate-train strength`. Each figure is the rank correlation of what an attacker \
         gets with the clean\nmodel's map of the same picture: the mean over test images, with a 95 % \
         interval. Whoever attacks has the file, the\ntraining images where steps are named, and no key. \
         Seconds are of one run on the machine that made the table, for all\npictures or for the \
         training. What each attack does is told in [threat-model.md](threat-model.md#sealed-models).\n",
    );
    for Strength { id, seed, attacks } in all {
        let _ = write!(
            text,
            "\n## {id}\n\nSeed {seed}.\n\n\
             | attack | compared by | rho | pictures | runs per picture | training steps | seconds | accuracy |\n\
             |---|---|---|---|---|---|---|---|\n"
        );
        for attack in attacks {
            let accuracy = attack.accuracy.map_or_else(String::new, |a| format!("{a:.3}"));
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} | {:.1} | {accuracy} |",
                attack.name,
                attack.method,
                rows::cell(attack.rho),
                attack.pictures,
                attack.queries,
                attack.steps,
                attack.seconds,
            );
        }
    }
    text
}
