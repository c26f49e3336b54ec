//! Looks at a gate in training, on images that are not trained on.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::path::PathBuf;

use saligate_data::Dataset;
use saligate_files::atomic::write_atomic;
use saligate_keys::Trigger;
use saligate_lock::decoy;
use saligate_measure::TOP;
use saligate_measure::triggers::{applied, random_trigger};
use saligate_models::gate::GateForm;
use saligate_models::graph::Graph;
use saligate_models::metrics::distance::mse_zscored;
use saligate_models::metrics::importance::importance_kept;
use saligate_models::metrics::rank::spearman;
use saligate_models::pixels::scaled;
use saligate_models::random::Stream;
use saligate_models::saliency::{Attachment, Reduction, attach, saliency_map};
use saligate_runtime::GraphRunner;
use saligate_runtime::render::{Canvas, Cell, Colormap, Panel, heatmap};

use super::Training;
use super::objective::Input;
use crate::batch::arg_max;
use crate::checkpoint::{Label, load_weights, save_weights};
use crate::config::Validation;
use crate::engine::Trained;
use crate::error::TrainError;

/// Images of a panel.
const SHOWN: usize = 4;
/// How many points of a score a point of lost accuracy costs.
const ACCURACY: f64 = 4.0;

/// The versions of an image that are looked at.
const VERSIONS: [&str; 3] = ["plain", "keyed", "wrong"];

/// What is looked at, and what was seen so far.
pub(super) struct Watch<'a> {
    gate: &'a Training<'a>,
    settings: Validation,
    clean: Graph,
    methods: &'a [Attachment],
    /// By method, `[row, column]` of the image.
    decoys: Vec<Vec<f32>>,
    data: Dataset,
    /// Every image in all [`VERSIONS`].
    images: Vec<[Vec<u8>; 3]>,
    /// What the clean model says of the plain images.
    originals: Vec<Seen>,
    /// Steps, score and weights of the best gate so far.
    best: Option<(usize, f32, BTreeMap<String, Vec<f32>>)>,
}

/// What a network says of an image.
struct Seen {
    class: usize,
    /// By method, `[row, column]` of the image.
    maps: Vec<Vec<f32>>,
}

/// Means over images by name; `score` says how good the gate is, the higher the better.
type Figures = BTreeMap<String, f64>;

impl<'a> Watch<'a> {
    /// `None` where nothing is to be looked at.
    pub(super) fn new(
        gate: &'a Training<'a>,
        clean: &Graph,
        methods: &'a [Attachment],
        decoys: &[Vec<f32>],
        validation: &Dataset,
    ) -> Result<Option<Self>, TrainError> {
        let Some(settings) = gate.settings.validation else { return Ok(None) };
        if validation.is_empty() {
            let reason = "lock.validation needs images: see data.validation".to_owned();
            return Err(TrainError::Mismatch { reason });
        }
        let data = validation.clone().take(settings.images);
        let mut stream = Stream::new(gate.config.seed, "validation wrong keys");
        let versions = data.images().enumerate().map(|(at, image)| {
            let right: &Trigger = &gate.triggers[at % gate.triggers.len()];
            let wrong = random_trigger(&gate.spec, gate.shape, &mut stream)?;
            Ok([image.to_vec(), applied(right, image)?, applied(&wrong, image)?])
        });
        let images = versions.collect::<Result<Vec<_>, TrainError>>()?;
        let clean = clean.clone();
        let mut watch = Self {
            gate,
            settings,
            methods,
            decoys: Vec::new(),
            data,
            images,
            originals: Vec::new(),
            clean,
            best: None,
        };
        let images: Vec<&[u8]> = watch.images.iter().map(|v| v[0].as_slice()).collect();
        watch.originals = watch.seen(&watch.clean, &images)?;
        watch.decoys = watch.shown(decoys)?;
        if gate.options.resume && watch.best_path().exists() {
            let (steps, mut weights) = load_weights(&watch.best_path(), &watch.label())?;
            let score = weights.remove(SCORE).and_then(|score| score.first().copied());
            watch.best = Some((steps, score.unwrap_or(f32::NEG_INFINITY), weights));
        }
        Ok(Some(watch))
    }

    /// Looks after some steps, where it is time; stops the training that has not become better for
    /// long.
    pub(super) fn look(
        &mut self,
        trained: &Trained,
        done: usize,
        count: usize,
    ) -> Result<ControlFlow<Option<String>, Option<String>>, TrainError> {
        let Validation { every, patience, .. } = self.settings;
        if !done.is_multiple_of(every) && done != count {
            return Ok(ControlFlow::Continue(None));
        }
        let mut graph = self.clean.clone();
        trained.store(&mut graph)?;
        let mut seen = Vec::new();
        for version in 0..VERSIONS.len() {
            let images: Vec<&[u8]> = self.images.iter().map(|v| v[version].as_slice()).collect();
            seen.push(self.seen(&graph, &images)?);
        }
        let figures = self.figures(&seen)?;
        self.log(done, &figures)?;
        self.panel(done, &seen)?;
        let score = figures["score"] as f32;
        if self.best.as_ref().is_none_or(|(_, best, _)| score > *best) {
            let mut weights = graph.weights();
            weights.insert(SCORE.to_owned(), vec![score]);
            save_weights(&self.best_path(), &self.label(), done, &weights)?;
            weights.remove(SCORE);
            self.best = Some((done, score, weights));
        }
        let said = Some(self.line(done, &figures));
        // Looks since the best one.
        let since = self.best.as_ref().map_or(0, |(best, ..)| done.saturating_sub(*best) / every);
        Ok(match patience > 0 && since >= patience {
            true => ControlFlow::Break(said),
            false => ControlFlow::Continue(said),
        })
    }

    /// Writes the weights of the best gate into a graph.
    pub(super) fn store_best(&self, graph: &mut Graph) -> Result<(), TrainError> {
        for (name, data) in self.best.iter().flat_map(|(_, _, weights)| weights) {
            graph.set_param(name, data.as_slice())?;
        }
        Ok(())
    }

    fn best_path(&self) -> PathBuf {
        self.gate.options.out.join(format!("{}.best", self.gate.name()))
    }

    fn label(&self) -> Label<'_> {
        Label { stage: "best", origin: &self.gate.origin }
    }

    /// Runs a network on some images, explaining what the clean one predicts for the plain ones.
    fn seen(&self, graph: &Graph, images: &[&[u8]]) -> Result<Vec<Seen>, TrainError> {
        let graph = attach(graph, self.methods)?;
        let runner = GraphRunner::new(&graph, self.threads())?;
        let shape = self.data.shape();
        let size = [shape.height, shape.width];
        let shapes: Vec<Vec<usize>> =
            graph.outputs()[1..].iter().map(|&o| graph.shape(o)[1..].to_vec()).collect();
        let classes = self.data.class_names().len();
        let inputs = |at: usize| {
            let mut target = vec![0.0; classes];
            if let Some(original) = self.originals.get(at) {
                target[original.class] = 1.0;
            }
            vec![scaled(images[at]), target]
        };
        let read = |_, outputs: Vec<Vec<f32>>| {
            let maps = outputs[1..].iter().zip(&shapes).zip(self.methods);
            let maps = maps.map(|((values, s), method)| {
                saliency_map(values, [s[0], s[1], s[2]], size, method.method.reduction())
            });
            Seen { class: arg_max(&outputs[0]), maps: maps.collect() }
        };
        Ok(runner.map(images.len(), inputs, read, &|_| ()))
    }

    /// Decoys as the methods can show them.
    fn shown(&self, decoys: &[Vec<f32>]) -> Result<Vec<Vec<f32>>, TrainError> {
        let graph = attach(&self.clean, self.methods)?;
        let shape = self.data.shape();
        let size = [shape.height, shape.width];
        let shown = graph.outputs()[1..].iter().zip(decoys).map(|(&output, decoy)| {
            let layer = [graph.shape(output)[2], graph.shape(output)[3]];
            let small = decoy::resized(decoy, size, layer);
            saliency_map(&small, [1, layer[0], layer[1]], size, Reduction::Sum)
        });
        Ok(shown.collect())
    }

    fn threads(&self) -> NonZero<usize> {
        self.gate.options.threads
    }

    fn figures(&self, seen: &[Vec<Seen>]) -> Result<Figures, TrainError> {
        let count = self.images.len() as f64;
        let mut figures = Figures::new();
        let right = |seen: &[Seen]| {
            let hits = seen.iter().enumerate().filter(|(at, s)| s.class == self.data.label(*at));
            hits.count() as f64 / count
        };
        let clean = right(&self.originals);
        figures.insert("accuracy clean".to_owned(), clean);
        let mut lost = 0.0f64;
        for (version, seen) in VERSIONS.iter().zip(seen) {
            let rate = right(seen);
            figures.insert(format!("accuracy {version}"), rate);
            lost = lost.max(clean - rate);
        }
        let objective = self.gate.settings.objective();
        let opens = objective.terms.iter().any(|term| term.input == Input::Keyed);
        let mut score = -ACCURACY * lost;
        for (method, attachment) in self.methods.iter().enumerate() {
            let mut means = BTreeMap::new();
            for (version, seen) in VERSIONS.iter().zip(seen) {
                let mut sums = [0.0; 3];
                for (seen, original) in seen.iter().zip(&self.originals) {
                    let (map, wanted) = (&seen.maps[method], &original.maps[method]);
                    sums[0] += spearman(map, wanted)? / count;
                    sums[1] += mse_zscored(map, &self.decoys[method])? / count;
                    sums[2] += importance_kept(map, wanted, TOP)?.unwrap_or(0.0) / count;
                }
                means.insert(*version, sums);
                figures.insert(format!("spearman {version} {}", attachment.method), sums[0]);
            }
            let [plain, keyed, wrong] = VERSIONS.map(|version| means[version]);
            let quality = match self.gate.settings.form {
                // A public network in front of a sealed one, which no key opens.
                GateForm::Key if !opens => -plain[0].abs(),
                GateForm::Key => keyed[0] - plain[0].abs().max(wrong[0].abs()),
                GateForm::Targeted => plain[0] - keyed[1],
                GateForm::Untargeted => plain[0] - keyed[2],
            };
            if self.gate.settings.form != GateForm::Key {
                figures.insert(format!("mse to picture {}", attachment.method), keyed[1]);
                figures.insert(format!("importance kept {}", attachment.method), keyed[2]);
            }
            score += quality / self.methods.len() as f64;
        }
        figures.insert("score".to_owned(), score);
        Ok(figures)
    }

    /// Puts a line behind those of fewer steps: others are of a training that was begun anew.
    fn log(&self, done: usize, figures: &Figures) -> Result<(), TrainError> {
        let path = self.gate.options.out.join(format!("{}.validation.jsonl", self.gate.name()));
        let mut line = serde_json::json!({ "steps": done });
        for (name, value) in figures {
            line[name] = (*value).into();
        }
        let before = if path.exists() { std::fs::read_to_string(&path) } else { Ok(String::new()) };
        let steps = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            line["steps"].as_u64()
        };
        let write = |before: String| {
            let kept = before.lines().filter(|l| steps(l).is_some_and(|s| s < done as u64));
            let lines: String =
                kept.chain([line.to_string().as_str()]).map(|l| format!("{l}\n")).collect();
            write_atomic(&path, lines.as_bytes())
        };
        before.and_then(write).map_err(|source| TrainError::Io { path: path.clone(), source })
    }

    fn line(&self, done: usize, figures: &Figures) -> String {
        let of = |name: &str| figures.get(name).copied().unwrap_or_default();
        let accuracy = VERSIONS.map(|version| format!("{:.3}", of(&format!("accuracy {version}"))));
        let mut line = format!("step {done}: accuracy {}", accuracy.join("/"));
        for Attachment { method, .. } in self.methods {
            let maps = VERSIONS.map(|v| format!("{:.2}", of(&format!("spearman {v} {method}"))));
            line.push_str(&format!("; {method} {}", maps.join("/")));
            if self.gate.settings.form != GateForm::Key {
                let (mse, kept) = ("mse to picture", "importance kept");
                let [mse, kept] = [mse, kept].map(|name| of(&format!("{name} {method}")));
                line.push_str(&format!(" (to picture {mse:.2}, kept {kept:.2})"));
            }
        }
        format!("{line}; score {:.3}", of("score"))
    }

    /// Draws the first images and their maps into a file of its own.
    fn panel(&self, done: usize, seen: &[Vec<Seen>]) -> Result<(), TrainError> {
        let folder = self.gate.options.out.join("panels");
        std::fs::create_dir_all(&folder)
            .map_err(|source| TrainError::Io { path: folder.clone(), source })?;
        let several = self.methods.len() > 1;
        for (method, Attachment { method: name, .. }) in self.methods.iter().enumerate() {
            let titles = match self.gate.settings.form {
                GateForm::Key => ["clean model", "without key", "with the key", "wrong key"],
                _ => ["clean model", "without trigger", "with the trigger", "another trigger"],
            };
            let mut panel = Panel::new([&["picture"], &titles[..]].concat());
            for at in 0..SHOWN.min(self.images.len()) {
                let shape = self.data.shape();
                let original = &self.originals[at].maps[method];
                let drawn = |map: &[f32]| heatmap(map, shape.height, shape.width, Colormap::Ember);
                let mut cells = vec![Cell::from(self.drawing(at)?), Cell::from(drawn(original)?)];
                for version in seen {
                    let map = &version[at].maps[method];
                    let likeness = format!("rank corr. {:.2}", spearman(map, original)?);
                    cells.push(Cell::new(drawn(map)?, &likeness));
                }
                panel = panel.row("", cells);
            }
            let method = if several { format!("-{name}") } else { String::new() };
            let file = format!("{}-{done:06}{method}.png", self.gate.name());
            panel.render()?.save_png(&folder.join(file))?;
        }
        Ok(())
    }

    fn drawing(&self, at: usize) -> Result<Canvas, TrainError> {
        let shape = self.data.shape();
        let plane = shape.pixels();
        let image = self.data.image(at);
        let channel = |pixel: usize, c: usize| image[c.min(shape.channels - 1) * plane + pixel];
        let rgb = (0..plane).flat_map(|pixel| [0, 1, 2].map(|c| channel(pixel, c)));
        Ok(Canvas::from_rgb(shape.height, shape.width, rgb.collect())?)
    }
}

/// Name of the score beside the weights.
const SCORE: &str = "score";
