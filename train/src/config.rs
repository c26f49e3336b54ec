//! One TOML file per run.

mod lock;
pub(crate) mod names;
mod phases;
mod setting;
mod standalone;
mod steps;

use std::fmt;
use std::path::{Path, PathBuf};

use saligate_keys::{Family, TriggerSpec};
use saligate_lock::LEAST_STRENGTH;
use saligate_models::saliency::Method;
use saligate_models::zoo::{Architecture, Widths};
use saligate_runtime::picture::Framing;
use serde::{Deserialize, Serialize};

pub use crate::augment::{Augmentation, Border};
use crate::engine::Backend;
use saligate_data::{DataSource, LoadOptions};
use saligate_measure::Counts;
use saligate_measure::patch::Poison;

pub use lock::{Detection, Explain, LockConfig, Searched, Start, Validation};
pub(crate) use phases::Moment;
pub use phases::{Phase, Ramp};
pub use setting::Setting;
pub use steps::Steps;

/// Everything that decides the outcome of a run, but for the data themselves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Id of the run in the results: form-method-net-data.
    pub id: String,
    /// All randomness of the run is derived from this number.
    pub seed: u64,
    /// Backend; the command line may choose another.
    #[serde(default)]
    pub device: Backend,
    /// Images.
    pub data: DataConfig,
    /// Network.
    pub model: ModelConfig,
    /// Clean training; may be left out where the model's weights are given.
    #[serde(default)]
    pub fit: Option<FitConfig>,
    /// Steadying of the clean model's maps, after `fit`; left out where absent.
    #[serde(default)]
    pub steady: Option<SteadyConfig>,
    /// The trigger.
    #[serde(default)]
    pub trigger: TriggerConfig,
    /// Training of the gate.
    pub lock: LockConfig,
    /// What is measured at the end, on the test images.
    pub evaluate: Counts,
}

/// Where images come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// `scenes:SIDE`, `idx:DIR`, `cifar10:DIR` or `folder:DIR`; a relative DIR counts from the
    /// working folder.
    pub source: String,
    /// Rows and columns that the images of `folder:DIR` are to have; absent for other sources.
    #[serde(default)]
    pub size: Option<[usize; 2]>,
    /// With `size`: resize the shorter side to so many pixels and cut out the middle, instead of
    /// stretching the whole picture.
    #[serde(default)]
    pub resize: Option<usize>,
    /// Number of training images; all (or 20,000 scenes) where absent.
    #[serde(default)]
    pub train: Option<usize>,
    /// Number of test images; all (or 2,000 scenes) where absent.
    #[serde(default)]
    pub test: Option<usize>,
    /// Training images held out to choose settings by, from the end.
    #[serde(default)]
    pub validation: usize,
    /// Class names, where the source has none; its own ones in another order say which class is which
    /// score.
    #[serde(default)]
    pub labels: Option<Vec<String>>,
    /// Mean per channel that standardization subtracts, in [0, 1]; that of the training images
    /// where absent.
    #[serde(default)]
    pub mean: Option<Vec<f32>>,
    /// Standard deviation per channel that it divides by, positive; that of the training images
    /// where absent.
    #[serde(default)]
    pub std: Option<Vec<f32>>,
}

impl DataConfig {
    /// How pictures of any size get the size of the images, where the source is a folder of them.
    pub fn framing(&self) -> Option<Framing> {
        let [height, width] = self.size?;
        Some(Framing { height, width, resize: self.resize })
    }
}

/// Which network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Name of a zoo architecture; absent where there is a `file`.
    #[serde(default)]
    pub architecture: Option<Architecture>,
    /// Model file of the network to start from, such as `saligate import` writes; a relative path
    /// counts from the working folder.
    #[serde(default)]
    pub file: Option<PathBuf>,
    /// Widths of the small CNN.
    #[serde(default)]
    pub widths: Option<Widths>,
    /// Safetensors file of trained weights to start from; a relative path counts from the working
    /// folder.
    #[serde(default)]
    pub weights: Option<PathBuf>,
    /// Leave the last layer random, and take only the others from the file of weights, whose classes
    /// may be others.
    #[serde(default)]
    pub new_head: bool,
    /// The network takes the channels of the images in reverse order (B, G, R), as those trained in
    /// Caffe do.
    #[serde(default)]
    pub bgr: bool,
}

impl ModelConfig {
    /// What the architecture is called in files.
    pub fn name(&self) -> String {
        let stem = self.file.as_deref().and_then(Path::file_stem);
        let file = || stem.map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        self.architecture.map_or_else(file, |a| a.name().to_owned())
    }
}

/// Clean training on cross-entropy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitConfig {
    /// Steps.
    pub steps: Steps,
    /// Random changes of the images.
    #[serde(default)]
    pub augment: Augmentation,
    /// Largest amplitude, in 8-bit steps, of random tiles added to half of the images.
    #[serde(default)]
    pub tiles: u8,
    /// Images that get a patch and another label; none where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poison: Option<Poison>,
}

/// Makes the maps of the clean model steady against random tiles, without knowing any key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SteadyConfig {
    /// Steps.
    pub steps: Steps,
    /// The saliency methods whose maps are steadied.
    #[serde(default = "lock::gradient", with = "names::method_names")]
    pub methods: Vec<Method>,
    /// Weight of the map terms.
    pub weight: f32,
    /// Weight of the cross-entropy with the labels.
    #[serde(default = "one")]
    pub cross_entropy: f32,
    /// Weight of the divergence from the probabilities before.
    #[serde(default)]
    pub distillation: f32,
    /// Least and largest amplitude of the tiles, in 8-bit steps.
    #[serde(default = "strong")]
    pub amplitudes: [u8; 2],
    /// See [`LockConfig::normalized`].
    #[serde(default)]
    pub normalized: bool,
    /// See [`LockConfig::surrogate`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surrogate: Option<f32>,
    /// See [`LockConfig::average`].
    #[serde(default)]
    pub average: f32,
    /// Random changes of the images.
    #[serde(default)]
    pub augment: Augmentation,
}

fn one() -> f32 {
    1.0
}

fn strong() -> [u8; 2] {
    [8, 16]
}

impl SteadyConfig {
    fn check(&self) -> Result<(), ConfigError> {
        let value = |field, expected| Err(ConfigError::Value { field, expected });
        let weights = [self.weight, self.cross_entropy, self.distillation];
        if weights.iter().any(|w| !(*w >= 0.0 && w.is_finite())) || weights == [0.0; 3] {
            return value("weights of steady", "0 or more, with something to minimize");
        }
        let [least, most] = self.amplitudes;
        if least == 0 || least > most || most > 127 {
            return value("steady.amplitudes", "two numbers from 1 to 127, the smaller one first");
        }
        if self.surrogate.is_some_and(|width| !(width > 0.0 && width <= 8.0)) {
            return value("steady.surrogate", "above 0 and at most 8 standard deviations");
        }
        if !(0.0..1.0).contains(&self.average) {
            return value("steady.average", "at least 0 and less than 1");
        }
        if self.methods.is_empty() {
            return value("steady.methods", "one method or more");
        }
        Ok(())
    }
}

/// The trigger that opens the gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriggerConfig {
    /// Family, size and amplitude; the default tile where absent.
    #[serde(default)]
    pub spec: TriggerSpec,
    /// Least strength of the keys of a built-in gate, in bits: at most one random key in so many
    /// powers of two may open it.
    #[serde(default = "least_strength")]
    pub least_strength: f64,
}

impl Default for TriggerConfig {
    fn default() -> Self {
        Self { spec: TriggerSpec::default(), least_strength: LEAST_STRENGTH }
    }
}

fn least_strength() -> f64 {
    LEAST_STRENGTH
}

/// Why a configuration cannot be used.
#[derive(Debug)]
pub enum ConfigError {
    /// The file cannot be read.
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file is not a configuration.
    Malformed {
        /// The file.
        path: PathBuf,
        /// What the parser says, with line and column.
        source: toml::de::Error,
    },
    /// A value of the command line fits nowhere.
    Setting {
        /// The path of its key.
        setting: String,
        /// Why it does not fit, where there is a place for it.
        source: Option<toml::de::Error>,
    },
    /// A value makes no sense.
    Value {
        /// Name of the field.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Malformed { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Setting { setting, source: None } => {
                write!(f, "configuration: there is nothing of the name {setting}")
            }
            Self::Setting { setting, source: Some(source) } => {
                write!(f, "configuration: {setting}: {}", source.message())
            }
            Self::Value { field, expected } => {
                write!(f, "configuration: {field} must be {expected}")
            }
        }
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// The file cannot be read, has unknown or missing fields, or values that make no sense.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Io { path: path.to_owned(), source })?;
        let config: Self = toml::from_str(&text)
            .map_err(|source| ConfigError::Malformed { path: path.to_owned(), source })?;
        config.check()?;
        Ok(config)
    }

    /// How the data source is to be loaded.
    pub fn load_options(&self) -> LoadOptions {
        LoadOptions {
            train_count: self.data.train,
            test_count: self.data.test,
            seed: self.seed,
            framing: self.data.framing(),
            quiet: false,
        }
    }

    /// The data source.
    ///
    /// # Errors
    /// The text is no data source.
    pub fn source(&self) -> Result<DataSource, ConfigError> {
        let expected = "scenes:SIDE, idx:DIR, cifar10:DIR or folder:DIR";
        self.data.source.parse().map_err(|_| ConfigError::Value { field: "data.source", expected })
    }

    /// Checks the values, as [`read`](Self::read) does.
    ///
    /// # Errors
    /// A value makes no sense.
    pub fn check(&self) -> Result<(), ConfigError> {
        let value = |field, expected| Err(ConfigError::Value { field, expected });
        let takes_size = self.source()?.takes_size();
        if takes_size != self.data.size.is_some() {
            return value("data.size", "[rows, columns] for folder:DIR, and absent for others");
        }
        if self.data.resize.is_some() && !takes_size {
            return value("data.resize", "absent but for folder:DIR");
        }
        if self.data.size.is_some_and(|size| size.contains(&0)) || self.data.resize == Some(0) {
            return value("data.size and data.resize", "positive");
        }
        let bits = self.trigger.least_strength;
        if !(bits.is_finite() && bits >= 0.0) {
            return value("trigger.least_strength", "a number of bits, 0 or more");
        }
        let ModelConfig { architecture, file, widths, weights, bgr, .. } = &self.model;
        if architecture.is_some() == file.is_some() {
            return value("model", "a zoo architecture or a file, not both");
        }
        if file.is_some() && (widths.is_some() || weights.is_some() || *bgr) {
            return value(
                "model",
                "a file without widths, weights and bgr, which it brings itself",
            );
        }
        if self.model.new_head && self.model.weights.is_none() {
            return value("model.new_head", "absent where there are no model.weights");
        }
        let trained = file.is_some() || (weights.is_some() && !self.model.new_head);
        if self.fit.is_none() && !trained {
            return value(
                "fit",
                "given where there are no model.weights, or model.new_head is set",
            );
        }
        let finite = |values: &Option<Vec<f32>>| values.iter().flatten().all(|v| v.is_finite());
        if !finite(&self.data.mean) {
            return value("data.mean", "one finite number per channel");
        }
        if !finite(&self.data.std) || self.data.std.iter().flatten().any(|&v| v <= 0.0) {
            return value("data.std", "one positive number per channel");
        }
        let lock = &self.lock;
        let steps = [
            ("fit.steps", self.fit.as_ref().map(|f| &f.steps)),
            ("lock.steps", Some(&lock.steps)),
            ("steady.steps", self.steady.as_ref().map(|s| &s.steps)),
        ];
        for (field, steps) in steps {
            let Some(steps) = steps else { continue };
            if steps.batch == 0 || !(steps.rate > 0.0 && steps.rate.is_finite()) {
                return value(field, "a positive batch and learning rate");
            }
            if !(0.0..=1.0).contains(&steps.warm_up) || !(0.0..=1.0).contains(&steps.last) {
                return value(field, "of warm_up and last between 0 and 1");
            }
        }
        lock.check()?;
        self.steady.as_ref().map_or(Ok(()), SteadyConfig::check)?;
        if matches!(self.trigger.spec.family(), Family::Patch { .. })
            && lock.phases.iter().any(|phase| phase.amplitude.is_some())
        {
            return value("amplitude of lock.phases", "absent for a patch, which has none");
        }
        if lock.searched.is_some() && matches!(self.trigger.spec.family(), Family::Patch { .. }) {
            return value("lock.searched", "absent for a patch");
        }
        if self.evaluate.images == 0 || self.evaluate.images_per_key == 0 {
            return value("evaluate.images and images_per_key", "positive");
        }
        Ok(())
    }
}
