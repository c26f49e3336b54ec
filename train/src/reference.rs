//! What the frozen clean model says of training images.

use burn::tensor::{Device, Tensor};
use saligate_models::graph::Graph;
use saligate_models::pixels::scaled;
use saligate_models::random::Stream;
use saligate_models::saliency::{Attachment, attach};
use saligate_runtime::GraphRunner;

use crate::batch::{arg_max, images, one_hot};
use crate::config::{Config, Explain};
use crate::engine::Array;
use crate::error::TrainError;
use crate::stage::RunOptions;
use saligate_console::progress::bar;
use saligate_data::{Dataset, Shape};

/// Logits and attributions of the clean model for the images of a batch.
pub(crate) struct References<'a> {
    data: &'a Dataset,
    explain: Explain,
    seed: u64,
    runner: GraphRunner,
    /// Channels, rows and columns of the attributions, by method.
    shapes: Vec<[usize; 3]>,
    /// What it says of every image as it is, where batches show them so.
    stored: Option<Vec<Outputs>>,
    /// Another image for every image.
    partners: Vec<usize>,
}

/// Logits, and attributions by method.
type Outputs = Vec<Vec<f32>>;

/// Training images, as they are shown in one step.
pub(crate) struct Batch<'a> {
    pub(crate) step: usize,
    pub(crate) indices: &'a [usize],
    /// `[channel, row, column]` each.
    pub(crate) images: &'a [Vec<u8>],
}

/// What the clean model says of the images of one batch.
pub(crate) struct Originals {
    /// One-hot explained classes, `[image, class]`.
    pub(crate) target: Tensor<2>,
    /// `[image, class]`
    pub(crate) logits: Tensor<2>,
    /// Attributions of these classes by method, `[image, channel, row, column]` each.
    pub(crate) attributions: Vec<Tensor<4>>,
}

impl<'a> References<'a> {
    /// Where the images of batches are the training images as they are, every one is explained once
    /// and for all: the class of its label where that is explained in training, the predicted one
    /// otherwise.
    pub(crate) fn new(
        config: &Config,
        clean: &Graph,
        methods: &[Attachment],
        data: &'a Dataset,
        augmented: bool,
        options: &RunOptions,
    ) -> Result<Self, TrainError> {
        let (explain, seed) = (config.lock.explain, config.seed);
        let graph = attach(clean, methods)?;
        let runner = GraphRunner::new(&graph, options.threads)?;
        let shapes = graph.outputs()[1..].iter().map(|&o| {
            <[usize; 3]>::try_from(&graph.shape(o)[1..])
                .expect("an attribution has channels, rows and columns")
        });
        let shapes = shapes.collect();
        let partners = partners(data.len(), seed);
        let mut references = Self { data, explain, seed, runner, shapes, stored: None, partners };
        if !augmented && explain != Explain::Other {
            references.store(options.quiet);
        }
        Ok(references)
    }

    fn store(&mut self, quiet: bool) {
        let bar = bar("reference", self.data.len(), quiet);
        let all: Vec<usize> = (0..self.data.len()).collect();
        // A row of zeros explains the predicted class.
        let classes = (self.explain == Explain::Label).then(|| self.labels(&all));
        let done = |count: usize| bar.set_position(count as u64);
        let image = |at: usize| self.data.image(at);
        self.stored = Some(self.run(all.len(), image, classes.as_deref(), &done));
        bar.finish_and_clear();
    }

    /// Explained classes of a training step, and what is said of its images.
    pub(crate) fn originals(&self, batch: &Batch<'_>, device: &Device) -> Originals {
        let Batch { step, indices, images } = *batch;
        let run = |classes: Option<&[usize]>| {
            self.run(images.len(), |at| images[at].as_slice(), classes, &|_| ())
        };
        let known = self.stored.as_ref();
        let known = known.map(|stored| indices.iter().map(|&i| stored[i].clone()).collect());
        let (classes, outputs): (Vec<usize>, Vec<Outputs>) = match self.explain {
            Explain::Predicted => {
                let outputs = known.unwrap_or_else(|| run(None));
                (predicted(&outputs), outputs)
            }
            Explain::Label => {
                let classes = self.labels(indices);
                let outputs = known.unwrap_or_else(|| run(Some(&classes)));
                (classes, outputs)
            }
            Explain::Other => {
                let classes = self.others(&predicted(&run(None)), step);
                let outputs = run(Some(&classes));
                (classes, outputs)
            }
        };
        let logits = outputs.iter().flat_map(|outputs| &outputs[0]).copied().collect();
        Originals {
            target: one_hot(&classes, self.classes(), device),
            logits: Array::new(logits, &[indices.len(), self.classes()], device).matrix(),
            attributions: self.attributions(&outputs, device),
        }
    }

    /// Attributions of another training image, as it is, for each of some images, by method.
    pub(crate) fn other_images(&self, indices: &[usize], device: &Device) -> Vec<Tensor<4>> {
        let partners: Vec<usize> = indices.iter().map(|&i| self.partners[i]).collect();
        let outputs: Vec<Outputs> = match &self.stored {
            Some(stored) => partners.iter().map(|&i| stored[i].clone()).collect(),
            None => {
                let classes = (self.explain == Explain::Label).then(|| self.labels(&partners));
                let image = |at: usize| self.data.image(partners[at]);
                self.run(partners.len(), image, classes.as_deref(), &|_| ())
            }
        };
        self.attributions(&outputs, device)
    }

    /// Rows and columns of the attributions, by method.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = [usize; 2]> {
        self.shapes.iter().map(|&[_, rows, columns]| [rows, columns])
    }

    /// The clean model's outputs for some images: of these classes, or the predicted ones.
    fn run<'b>(
        &self,
        count: usize,
        image: impl Fn(usize) -> &'b [u8] + Sync,
        classes: Option<&[usize]>,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Vec<Outputs> {
        let inputs = |at: usize| {
            let mut target = vec![0.0; self.classes()];
            if let Some(classes) = classes {
                target[classes[at]] = 1.0;
            }
            vec![scaled(image(at)), target]
        };
        self.runner.map(count, inputs, |_, outputs| outputs, progress)
    }

    /// By method, `[image, channel, row, column]` each.
    fn attributions(&self, outputs: &[Outputs], device: &Device) -> Vec<Tensor<4>> {
        let of = |(method, &[channels, height, width]): (usize, &[usize; 3])| {
            let values = outputs.iter().flat_map(|outputs| &outputs[method + 1]).copied();
            images(values.collect(), Shape { channels, height, width }, device)
        };
        self.shapes.iter().enumerate().map(of).collect()
    }

    fn labels(&self, indices: &[usize]) -> Vec<usize> {
        indices.iter().map(|&i| self.data.label(i)).collect()
    }

    /// A random class for every image but the predicted one; with a single class, that one.
    fn others(&self, predicted: &[usize], step: usize) -> Vec<usize> {
        let mut stream = Stream::numbered(self.seed, "explained classes", step as u64);
        let others = self.classes().saturating_sub(1).max(1);
        let drawn = predicted.iter().map(|&class| class + 1 + stream.below(others));
        drawn.map(|class| class % self.classes()).collect()
    }

    fn classes(&self) -> usize {
        self.data.class_names().len()
    }
}

fn predicted(outputs: &[Outputs]) -> Vec<usize> {
    outputs.iter().map(|outputs| arg_max(&outputs[0])).collect()
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
        let images: Vec<Vec<u8>> = indices.iter().map(|&i| data.image(i).to_vec()).collect();
        for explain in ["predicted", "label", "other"] {
            let config = config(explain);
            let clean = fit(&config, &data, &options).unwrap();
            let (lock, layer) = (&config.lock, config.lock.cam_layer.as_deref());
            let methods = layers(&lock.methods, layer, &clean).unwrap();
            let device = Device::flex();
            let references = |augmented: bool| {
                References::new(&config, &clean, &methods, &data, augmented, &options).unwrap()
            };
            let [stored, live] = [false, true].map(references);
            let values = |x: &Tensor<4>| Array::Image(x.clone()).to_vec();
            let classes = |target: &Tensor<2>| -> Vec<usize> {
                let rows = Array::Matrix(target.clone()).to_vec();
                let rows = rows.chunks_exact(data.class_names().len());
                rows.map(|row| row.iter().position(|&v| v == 1.0).unwrap()).collect()
            };
            let at = |references: &References<'_>, step| {
                let batch = Batch { step, indices: &indices, images: &images };
                references.originals(&batch, &device)
            };
            let found = at(&stored, 5);
            let likely = predicted(&stored.run(3, |at| &images[at], None, &|_| ()));
            for ((&index, class), likely) in indices.iter().zip(classes(&found.target)).zip(likely)
            {
                match explain {
                    "predicted" => assert_eq!(class, likely),
                    "label" => assert_eq!(class, data.label(index)),
                    _ => assert_ne!(class, likely),
                }
            }
            let again = at(&live, 5);
            assert_eq!(classes(&again.target), classes(&found.target));
            for [one, other] in [
                [&found, &again].map(|o| values(&o.attributions[0])),
                [&found, &again].map(|o| Array::Matrix(o.logits.clone()).to_vec()),
            ] {
                assert!(one == other, "{explain}: stored and computed anew differ");
            }
            assert!(
                values(&stored.other_images(&indices, &device)[0])
                    == values(&live.other_images(&indices, &device)[0])
            );
            let redrawn =
                (6..20).any(|step| classes(&at(&stored, step).target) != classes(&found.target));
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
