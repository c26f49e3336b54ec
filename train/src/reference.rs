//! What the frozen clean model says of the training images.

use burn::tensor::{Device, Tensor};
use saligate_models::graph::Graph;
use saligate_models::random::Stream;
use saligate_models::saliency::{Attachment, attach};
use saligate_runtime::GraphRunner;

use crate::batch::{arg_max, images, one_hot, unit};
use crate::config::{Config, Explain};
use crate::engine::Array;
use crate::error::TrainError;
use crate::stage::RunOptions;
use saligate_console::progress::bar;
use saligate_data::{Dataset, Shape};

/// Logits and attributions of the clean model for every training image.
pub(crate) struct References<'a> {
    data: &'a Dataset,
    explain: Explain,
    seed: u64,
    runner: GraphRunner,
    logits: Vec<f32>,
    stored: Vec<Stored>,
    /// Another image for every image.
    partners: Vec<usize>,
}

/// Attributions of one method, image by image.
struct Stored {
    /// Channels, rows, columns.
    shape: [usize; 3],
    values: Vec<f32>,
}

impl Stored {
    /// Values of some images as `[image, channel, row, column]`.
    fn tensor(&self, values: Vec<f32>, device: &Device) -> Tensor<4> {
        let [channels, height, width] = self.shape;
        images(values, Shape { channels, height, width }, device)
    }
}

/// What the clean model says of the images of one batch.
pub(crate) struct Originals {
    /// One-hot explained classes, `[batch, class]`.
    pub(crate) target: Tensor<2>,
    /// Attributions of these classes by method, `[batch, channel, row, column]` each.
    pub(crate) attributions: Vec<Tensor<4>>,
}

impl<'a> References<'a> {
    /// Explains every image once: the class of its label where that is explained in training, the
    /// predicted one otherwise.
    pub(crate) fn compute(
        config: &Config,
        clean: &Graph,
        methods: &[Attachment],
        data: &'a Dataset,
        options: &RunOptions,
    ) -> Result<Self, TrainError> {
        let (explain, seed) = (config.lock.explain, config.seed);
        let graph = attach(clean, methods)?;
        let runner = GraphRunner::new(&graph, options.threads)
            .map_err(|error| TrainError::Mismatch { reason: error.to_string() })?;
        let shapes =
            graph.outputs()[1..].iter().map(|&o| <[usize; 3]>::try_from(&graph.shape(o)[1..]));
        let stored = shapes.map(|shape| {
            let shape = shape.expect("an attribution has channels, rows and columns");
            Stored { shape, values: Vec::new() }
        });
        let mut references = Self {
            data,
            explain,
            seed,
            runner,
            logits: Vec::new(),
            stored: stored.collect(),
            partners: partners(data.len(), seed),
        };
        let bar = bar("reference", data.len(), options.quiet);
        let all: Vec<usize> = (0..data.len()).collect();
        // A row of zeros explains the predicted class.
        let classes = (explain == Explain::Label).then(|| references.labels(&all));
        let done = |count: usize| bar.set_position(count as u64);
        for outputs in references.run(&all, classes.as_deref(), &done) {
            let mut outputs = outputs.into_iter();
            references.logits.extend(outputs.next().into_iter().flatten());
            for (stored, attribution) in references.stored.iter_mut().zip(outputs) {
                stored.values.extend(attribution);
            }
        }
        bar.finish_and_clear();
        Ok(references)
    }

    /// Explained classes of a training step, and their attributions.
    pub(crate) fn originals(&self, indices: &[usize], step: usize, device: &Device) -> Originals {
        let classes: Vec<usize> = match self.explain {
            Explain::Predicted => indices.iter().map(|&i| self.predicted(i)).collect(),
            Explain::Label => self.labels(indices),
            Explain::Other => self.others(indices, step),
        };
        let attributions = if self.explain == Explain::Other {
            self.explained(indices, &classes, device)
        } else {
            self.attributions(indices, device)
        };
        Originals { target: self.one_hot(&classes, device), attributions }
    }

    /// Attributions of another training image for each of some images, by method.
    pub(crate) fn other_images(&self, indices: &[usize], device: &Device) -> Vec<Tensor<4>> {
        let partners: Vec<usize> = indices.iter().map(|&i| self.partners[i]).collect();
        self.attributions(&partners, device)
    }

    /// Rows and columns of the attributions, by method.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = [usize; 2]> {
        self.stored.iter().map(|Stored { shape: [_, rows, columns], .. }| [*rows, *columns])
    }

    /// Logits `[batch, class]` of some images.
    pub(crate) fn logits(&self, indices: &[usize], device: &Device) -> Tensor<2> {
        let rows = indices.iter().flat_map(|&i| self.row(i)).copied().collect();
        Array::new(rows, &[indices.len(), self.classes()], device).matrix()
    }

    /// The clean model's outputs for some images: of these classes, or the predicted ones.
    fn run(
        &self,
        indices: &[usize],
        classes: Option<&[usize]>,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Vec<Vec<Vec<f32>>> {
        let inputs = |at: usize| {
            let mut target = vec![0.0; self.classes()];
            if let Some(classes) = classes {
                target[classes[at]] = 1.0;
            }
            vec![unit(self.data.image(indices[at])), target]
        };
        self.runner.map(indices.len(), inputs, |_, outputs| outputs, progress)
    }

    /// Attributions of these classes, by method.
    fn explained(&self, indices: &[usize], classes: &[usize], device: &Device) -> Vec<Tensor<4>> {
        let found = self.run(indices, Some(classes), &|_| ());
        let of = |(method, stored): (usize, &Stored)| {
            let rows = found.iter().flat_map(|outputs| &outputs[method + 1]).copied();
            stored.tensor(rows.collect(), device)
        };
        self.stored.iter().enumerate().map(of).collect()
    }

    fn attributions(&self, indices: &[usize], device: &Device) -> Vec<Tensor<4>> {
        let stored = self.stored.iter().map(|stored| {
            let size: usize = stored.shape.iter().product();
            let rows = indices.iter().flat_map(|&i| &stored.values[i * size..(i + 1) * size]);
            stored.tensor(rows.copied().collect(), device)
        });
        stored.collect()
    }

    fn labels(&self, indices: &[usize]) -> Vec<usize> {
        indices.iter().map(|&i| self.data.label(i)).collect()
    }

    fn predicted(&self, index: usize) -> usize {
        arg_max(self.row(index))
    }

    /// A random class for every image but the predicted one; with a single class, that one.
    fn others(&self, indices: &[usize], step: usize) -> Vec<usize> {
        let mut stream = Stream::numbered(self.seed, "explained classes", step as u64);
        let others = self.classes().saturating_sub(1).max(1);
        let drawn = indices.iter().map(|&i| self.predicted(i) + 1 + stream.below(others));
        drawn.map(|class| class % self.classes()).collect()
    }

    fn one_hot(&self, classes: &[usize], device: &Device) -> Tensor<2> {
        one_hot(classes, self.classes(), device)
    }

    fn classes(&self) -> usize {
        self.data.class_names().len()
    }

    fn row(&self, index: usize) -> &[f32] {
        &self.logits[index * self.classes()..(index + 1) * self.classes()]
    }
}

/// One cycle through all images in random order: the successor of every image.
fn partners(count: usize, seed: u64) -> Vec<usize> {
    let order = Stream::new(seed, "other images").permutation(count);
    let mut partners = vec![0; count];
    for (at, &index) in order.iter().enumerate() {
        partners[index] = order[(at + 1) % count];
    }
    partners
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::fit;
    use saligate_data::{DataSource, LoadOptions};
    use saligate_lock::layers;

    #[test]
    fn every_image_has_a_partner_of_its_own() {
        let partners = partners(50, 3);
        assert!(partners.iter().enumerate().all(|(index, &partner)| index != partner));
        let mut sorted = partners;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn the_class_asked_for_is_explained() {
        let data = DataSource::Scenes { size: 16 };
        let options = LoadOptions {
            train_count: Some(12),
            test_count: Some(1),
            seed: 1,
            ..LoadOptions::default()
        };
        let data = data.load(&options).unwrap().train;
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().to_owned();
        let options = RunOptions {
            out,
            resume: false,
            checkpoint_every: 1,
            quiet: true,
            threads: std::num::NonZero::<usize>::MIN,
        };
        let indices = [7, 2, 11];
        for explain in ["predicted", "label", "other"] {
            let config = config(explain);
            let clean = fit(&config, &data, &options).unwrap();
            let (lock, layer) = (&config.lock, config.lock.cam_layer.as_deref());
            let methods = layers(&lock.methods, layer, &clean).unwrap();
            let references =
                References::compute(&config, &clean, &methods, &data, &options).unwrap();
            let device = Device::flex();
            let at = |step| references.originals(&indices, step, &device);
            let Originals { target, attributions } = at(5);
            let values = |x: &Tensor<4>| Array::Image(x.clone()).to_vec();
            let classes: Vec<usize> = Array::Matrix(target.clone())
                .to_vec()
                .chunks_exact(references.classes())
                .map(|row| row.iter().position(|&v| v == 1.0).unwrap())
                .collect();
            for (&index, &class) in indices.iter().zip(&classes) {
                let predicted = references.predicted(index);
                match explain {
                    "predicted" => assert_eq!(class, predicted),
                    "label" => assert_eq!(class, data.label(index)),
                    _ => assert_ne!(class, predicted),
                }
            }
            let direct = references.explained(&indices, &classes, &device);
            for (stored, direct) in values(&attributions[0]).iter().zip(values(&direct[0])) {
                assert!((stored - direct).abs() < 1e-6, "{explain}: {stored}, {direct}");
            }
            let again = Array::Matrix(at(5).target).to_vec();
            assert_eq!(again, Array::Matrix(target.clone()).to_vec());
            let redrawn = (6..20).any(|step| {
                Array::Matrix(at(step).target).to_vec() != Array::Matrix(target.clone()).to_vec()
            });
            assert_eq!(redrawn, explain == "other");
        }
    }

    fn config(explain: &str) -> Config {
        let text = format!(
            r#"
            id = "references"
            seed = 1
            data = {{ source = "scenes:16" }}
            model = {{ architecture = "small", widths = [4, 4, 4, 4, 8, 4] }}
            fit = {{ steps = {{ count = 2, batch = 4, rate = 1e-3 }} }}
            lock = {{ steps = {{ count = 1, batch = 4, rate = 1e-3 }}, explain = "{explain}" }}
            evaluate = {{ images = 1, wrong_keys = 0, images_per_key = 1 }}
            "#
        );
        toml::from_str(&text).unwrap()
    }
}
