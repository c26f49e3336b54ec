//! A configuration, its images, and the stages of a run.

use std::num::NonZero;
use std::path::{Path, PathBuf};

use saligate_data::{Dataset, LoadOptions, Pictures, Shape, Splits};
use saligate_files::ModelFile;
use saligate_files::atomic::write_atomic;
use saligate_files::manifest::Manifest;
use saligate_keys::{ImageShape, KeyFile, Secret};
use saligate_lock::balance::fixed_ramp;
use saligate_lock::{Keys, LockError, Samples};
use saligate_measure::results::Run;
use saligate_measure::{Evaluation, accuracy};
use saligate_models::gate::GateForm;
use saligate_models::graph::Graph;
use saligate_models::names::LOGITS;
use saligate_models::saliency::Method;
use saligate_train::config::{Config, LockConfig};
use saligate_train::fit::fit;
use saligate_train::lock::{self, Material};
use saligate_train::steady::steady;
use saligate_train::{RunOptions, TrainError, export};

use crate::args::{HowArgs, RunArgs};

/// A configuration, and how it is run.
pub(crate) struct Session {
    config: Config,
    options: RunOptions,
}

/// The images of a run, with their classes.
pub(crate) struct Images {
    /// What is trained on.
    pub(crate) train: Dataset,
    /// Held out of it, to choose settings by.
    pub(crate) validation: Dataset,
    /// For the final figures.
    pub(crate) test: Dataset,
}

impl Images {
    /// What a gate is trained on.
    pub(crate) fn material(&self) -> Material<'_> {
        Material { train: &self.train, validation: &self.validation }
    }
}

impl Session {
    /// Reads a configuration.
    pub(crate) fn open(args: &RunArgs) -> Result<Self, TrainError> {
        Self::new(Config::read(&args.config)?.with(&args.how.set)?, &args.how)
    }

    /// A configuration with what the command line decides.
    pub(crate) fn new(mut config: Config, args: &HowArgs) -> Result<Self, TrainError> {
        config.device = args.device.unwrap_or(config.device);
        limit_threads(args.threads);
        make_folder(&args.out)?;
        let options = RunOptions {
            out: args.out.clone(),
            resume: args.resume,
            checkpoint_every: args.checkpoint_every,
            quiet: args.quiet,
            threads: args.threads,
        };
        Ok(Self { config, options })
    }

    /// Reads the images of the configuration, with their classes.
    pub(crate) fn images(&self) -> Result<Images, TrainError> {
        let splits = self.config.source()?.load(&self.load_options())?;
        let Splits { train, test } = match &self.config.data.labels {
            Some(names) => Splits {
                train: for_labels(splits.train, names)?,
                test: for_labels(splits.test, names)?,
            },
            None => splits,
        };
        let (train, validation) = train.split_tail(self.config.data.validation);
        Ok(Images { train, validation, test })
    }

    /// Reads the training images without asking for classes, which a gate that is built in does not
    /// need.
    pub(crate) fn pictures(&self, channels: usize) -> Result<Pictures, TrainError> {
        let mut pictures = self.config.source()?.pictures(channels, &self.load_options())?;
        pictures.drop_last(self.config.data.validation);
        Ok(pictures)
    }

    fn load_options(&self) -> LoadOptions {
        LoadOptions { quiet: self.options.quiet, ..self.config.load_options() }
    }

    pub(crate) fn options(&self) -> &RunOptions {
        &self.options
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn clean_path(&self) -> PathBuf {
        self.options.out.join("clean.onnx")
    }

    pub(crate) fn gated_path(&self) -> PathBuf {
        let key = self.config.lock.form == GateForm::Key;
        self.options.out.join(if key { "locked.onnx" } else { "attacked.onnx" })
    }

    /// The clean and the gated model.
    pub(crate) fn paths(&self, gated: Option<PathBuf>) -> [PathBuf; 2] {
        [self.clean_path(), gated.unwrap_or_else(|| self.gated_path())]
    }

    /// Extent of images that triggers are put on; tells before anything is trained where the trigger
    /// of a key does not fit on them.
    pub(crate) fn trigger_shape(
        &self,
        shape: Shape,
        keys: &[KeyFile],
    ) -> Result<ImageShape, TrainError> {
        let shape = ImageShape::new(shape.channels, shape.height, shape.width)?;
        Keys::new(refs(keys)).triggers(&self.config.trigger.spec, shape)?;
        Ok(shape)
    }

    /// Makes the clean model.
    pub(crate) fn fit(&self, images: &Images) -> Result<ModelFile, TrainError> {
        let config = &self.config;
        let Images { train, test, .. } = images;
        // Weights that are only loaded need no images.
        let known = config.data.mean.is_some() && config.data.std.is_some();
        let loaded = config.model.file.is_some() || known;
        if !(config.fit.is_none() && config.steady.is_none() && loaded) {
            some(train.len())?;
        }
        let mut graph = fit(config, train, &self.options)?;
        if let Some(settings) = &config.steady {
            graph = steady(config, settings, &graph, train, &self.options)?;
        }
        let mut model = export::clean(config, &graph, train.class_names())?;
        model.save(&self.clean_path())?;
        if config.fit.is_none() {
            // The weights come from elsewhere: do they still fit these pixels and classes?
            let rate = accuracy(&self.clean_path(), test, self.options.quiet)?;
            eprintln!("accuracy {:.4} on {} test images", rate.value, rate.trials);
            let mut metrics = model.manifest().metrics.clone();
            metrics.insert("accuracy_clean".to_owned(), rate.value);
            model = model.with_metrics(metrics)?;
            model.save(&self.clean_path())?;
        }
        eprintln!("wrote {}", self.clean_path().display());
        Ok(model)
    }

    /// A clean model that was made elsewhere, after the steadying of the configuration, if there is
    /// one.
    pub(crate) fn steadied(&self, clean: ModelFile) -> Result<ModelFile, TrainError> {
        let config = &self.config;
        let Some(settings) = &config.steady else { return Ok(clean) };
        let images = self.images()?;
        some(images.train.len())?;
        let graph = clean.graph().extract(&[LOGITS])?;
        let graph = steady(config, settings, &graph, &images.train, &self.options)?;
        let model = export::clean(config, &graph, &clean.manifest().labels)?;
        Ok(model)
    }

    /// Makes the gated model; the first key signs its licences. `material` are the images to train
    /// on, for a gate that is trained.
    pub(crate) fn gate(
        &self,
        clean: &ModelFile,
        keys: &Keys<'_>,
        samples: &Samples<'_>,
        material: Option<Material<'_>>,
    ) -> Result<(), TrainError> {
        let data = material.map(|material| material.train);
        self.check_fits(clean.manifest(), samples.shape(), data)?;
        let classifier: Graph = clean.graph().extract(&[LOGITS])?;
        let graph = lock::gate(&self.config, &classifier, keys, samples, material, &self.options)?;
        let (config, described) = (&self.config, clean.manifest());
        let model = export::locked(config, &classifier, &graph, described, &keys.right)?;
        model.save(&self.gated_path())?;
        eprintln!("wrote {}", self.gated_path().display());
        Ok(())
    }

    /// A model with a gate that is built in, whatever the configuration says of training.
    pub(crate) fn built_in(
        &self,
        clean: &ModelFile,
        keys: &Keys<'_>,
        samples: &Samples<'_>,
    ) -> Result<ModelFile, TrainError> {
        let lock = &self.config.lock;
        let mut config = self.config.clone();
        // It shows the pixels and cannot be gated; a public network may be trained on it all the same.
        let gateable = lock.methods.iter().filter(|method| **method != Method::InputXGradient);
        config.lock = LockConfig {
            methods: gateable.copied().collect(),
            cam_layer: lock.cam_layer.clone(),
            decoy: lock.decoy.clone(),
            frame: lock.frame,
            ..LockConfig::built_in()
        };
        self.check_fits(clean.manifest(), samples.shape(), None)?;
        let classifier: Graph = clean.graph().extract(&[LOGITS])?;
        let graph = lock::gate(&config, &classifier, keys, samples, None, &self.options)?;
        export::locked(&config, &classifier, &graph, clean.manifest(), &keys.right)
    }

    /// The public network that the configuration trains, to be shown in front of a sealed one.
    pub(crate) fn public(
        &self,
        clean: &ModelFile,
        keys: &Keys<'_>,
        samples: &Samples<'_>,
        material: Option<Material<'_>>,
    ) -> Result<ModelFile, TrainError> {
        let config = &self.config;
        let data = material.map(|material| material.train);
        self.check_fits(clean.manifest(), samples.shape(), data)?;
        let classifier: Graph = clean.graph().extract(&[LOGITS])?;
        let graph = lock::gate(config, &classifier, keys, samples, material, &self.options)?;
        let model = export::clean(config, &graph, &clean.manifest().labels)?;
        let path = self.options.out.join("public.onnx");
        model.save(&path)?;
        eprintln!("wrote {}", path.display());
        Ok(model)
    }

    /// What is measured on some images.
    pub(crate) fn evaluation<'a>(
        &self,
        [clean, gated]: &'a [PathBuf; 2],
        secrets: &'a [&'a Secret],
        data: &'a Dataset,
    ) -> Evaluation<'a> {
        let seed = self.config.seed;
        Evaluation { clean, gated, secrets, data, seed, quiet: self.options.quiet }
    }

    /// The decoy of a model of this form, where it does not depend on the training images.
    pub(crate) fn known_decoy(
        &self,
        form: GateForm,
        shape: Shape,
    ) -> Result<Option<Vec<f32>>, TrainError> {
        let decoy = self.config.lock.decoy();
        let ramp = fixed_ramp(&decoy, form);
        let draw = |ramp| decoy.draw([shape.height, shape.width], self.config.seed, ramp);
        Ok(ramp.map(draw).transpose().map_err(LockError::from)?)
    }

    /// What rows say of the run.
    pub(crate) fn described<'a>(&'a self, commit: &'a str) -> Run<'a> {
        let config = &self.config;
        Run {
            id: &config.id,
            config: serde_json::to_value(config).unwrap_or_default(),
            seed: config.seed,
            data: &config.data.source,
            commit,
        }
    }

    /// Writes the configuration to OUT/config.toml.
    pub(crate) fn write_config(&self) -> Result<(), TrainError> {
        let path = self.options.out.join("config.toml");
        write_atomic(&path, self.config.to_toml().as_bytes())
            .map_err(|source| TrainError::Io { path, source })
    }

    /// A model of other images or classes is told here, not by a shape deep in training.
    fn check_fits(
        &self,
        model: &Manifest,
        shape: ImageShape,
        data: Option<&Dataset>,
    ) -> Result<(), TrainError> {
        let input = &model.input;
        let classes = data.map_or(model.labels.len(), |data| data.class_names().len());
        let model = [input.channels, input.height, input.width, model.labels.len()];
        let data = [shape.channels(), shape.height(), shape.width(), classes];
        if model == data {
            return Ok(());
        }
        let reason = format!(
            "the model is for [channels, rows, columns, classes] {model:?}, the data are {data:?}; \
             give the configuration that the model was made with"
        );
        Err(TrainError::Mismatch { reason })
    }
}

/// Tells where there are no images to train on, or to build a gate from.
pub(crate) fn some(count: usize) -> Result<(), TrainError> {
    if count > 0 {
        return Ok(());
    }
    let reason = "there are no training images left; see data.train, data.validation and what \
                  data.source holds";
    Err(TrainError::Mismatch { reason: reason.to_owned() })
}

/// The secrets of some keys.
pub(crate) fn refs(keys: &[KeyFile]) -> Vec<&Secret> {
    keys.iter().map(KeyFile::secret).collect()
}

/// Makes a folder where it is missing.
pub(crate) fn make_folder(path: &Path) -> Result<(), TrainError> {
    std::fs::create_dir_all(path).map_err(|source| TrainError::Io { path: path.to_owned(), source })
}

/// Limits what runs in parallel without saying on how many threads.
pub(crate) fn limit_threads(threads: NonZero<usize>) {
    // Fails where a pool exists already, which is as good.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(threads.get()).build_global();
}

/// The data with the classes of a model.
pub(crate) fn for_labels(data: Dataset, labels: &[String]) -> Result<Dataset, TrainError> {
    data.for_labels(labels).map_err(|class| TrainError::Mismatch {
        reason: format!(
            "the data's class '{class}' is none of the model's {} labels",
            labels.len()
        ),
    })
}
