//! A run without a configuration file: a model, images, and a gate to build in or to train.

use std::path::Path;

use saligate_files::manifest::Manifest;
use saligate_keys::{Family, TriggerSpec};
use saligate_models::gate::GateForm;
use saligate_models::graph::{Graph, Op, Source};
use saligate_models::saliency::Method;

use super::{
    Augmentation, Border, Config, ConfigError, DataConfig, Detection, LockConfig, ModelConfig,
    Phase, Ramp, Start, SteadyConfig, Steps, TriggerConfig, Validation,
};
use crate::lock::objective::{Distance, Input, Objective, Reference, Term, WrongKeyMix};
use saligate_data::DataSource;
use saligate_lock::can_be_built_in;
use saligate_measure::{Counts, SearchConfig};

/// Images that a gate in training is looked at on.
const VALIDATION: usize = 200;

/// Learning rate of such a gate, that of the ResNet-20 in the results.
const RATE: f64 = 4e-4;

/// Learning rate of a public network.
const PUBLIC_RATE: f64 = 5e-4;

/// Images, random wrong keys and images per wrong key that such a gate is measured on.
const MEASURED: [usize; 3] = [1000, 1000, 4];

impl Config {
    /// The configuration that builds a gate into the network of a model file, with everything else
    /// at its default: images of the model's size, its class names, no training.
    ///
    /// # Errors
    /// The values make no sense.
    pub fn for_model(
        file: &Path,
        model: &Manifest,
        source: &DataSource,
        trigger: TriggerSpec,
    ) -> Result<Self, ConfigError> {
        let input = &model.input;
        let [images, wrong_keys, images_per_key] = MEASURED;
        let size = source.takes_size().then_some([input.height, input.width]);
        let config = Self {
            id: format!("key-{}", model.architecture),
            seed: 1,
            device: crate::engine::Backend::default(),
            data: DataConfig {
                source: source.to_string(),
                size,
                resize: size.and(input.resize),
                train: None,
                test: None,
                validation: 0,
                labels: Some(model.labels.clone()),
                mean: None,
                std: None,
            },
            model: ModelConfig {
                architecture: None,
                file: Some(file.to_owned()),
                widths: None,
                weights: None,
                new_head: false,
                bgr: false,
            },
            fit: None,
            steady: None,
            trigger: TriggerConfig { spec: trigger, ..TriggerConfig::default() },
            lock: LockConfig { methods: gateable(model), ..LockConfig::built_in() },
            evaluate: Counts {
                images,
                wrong_keys,
                images_per_key,
                search: SearchConfig::default(),
            },
        };
        config.check()?;
        Ok(config)
    }

    /// The same with a gate that is trained in about so many steps: in phases in which the network
    /// first learns to see the key, then to gate its maps, then settles. Maps that small changes of
    /// the pixels move much, those of all methods but VisualBackProp, are steadied before.
    ///
    /// # Errors
    /// The network has no feature map, or there are too few steps.
    pub fn with_training(mut self, network: &Graph, steps: usize) -> Result<Self, ConfigError> {
        let expected = "of a network with a ReLU behind a convolution";
        let layer = detection_layer(network)
            .ok_or(ConfigError::Value { field: "lock.detection", expected })?;
        let own = match self.trigger.spec.family() {
            Family::Tile { amplitude, .. } | Family::Full { amplitude } => f64::from(amplitude),
            Family::Patch { .. } => {
                let expected = "a tile for a gate that is trained";
                return Err(ConfigError::Value { field: "trigger.spec", expected });
            }
        };
        let share = |of: f64| ((steps as f64 * of).round() as usize).max(1);
        let times = |factor: f64| (own * factor).min(127.0);
        let phase = |name: &str, of, from: f64, to: f64| Phase {
            name: name.to_owned(),
            steps: share(of),
            rate: Ramp::Level(1.0),
            amplitude: Some(Ramp::Between([times(from), times(to)])),
            maps: Ramp::Level(1.0),
            hide: Ramp::Level(1.0),
            detection: Ramp::Level(0.2),
        };
        let mut phases = vec![
            Phase {
                rate: Ramp::Between([0.5, 2.5]),
                hide: Ramp::Level(0.0),
                detection: Ramp::Level(1.0),
                ..phase("detect", 0.06, 3.0, 1.5)
            },
            Phase {
                rate: Ramp::Between([2.5, 1.0]),
                hide: Ramp::Between([0.0, 1.0]),
                detection: Ramp::Between([1.0, 0.2]),
                ..phase("open", 0.03, 1.5, 1.5)
            },
            phase("gate", 0.36, 1.5, 1.0),
        ];
        let before: usize = phases.iter().map(|phase| phase.steps).sum();
        let settle = Phase {
            rate: Ramp::Between([1.0, 0.02]),
            steps: steps.saturating_sub(before).max(1),
            ..phase("settle", 0.0, 1.0, 1.0)
        };
        phases.push(settle);
        let augment = Augmentation { mirror: true, crop: 3, border: Border::Reflect };
        let methods = self.lock.methods.clone();
        let terms = methods.iter().flat_map(|&method| terms(self.lock.form, method)).collect();
        self.lock = LockConfig {
            start: Start::Clean,
            decoy: Some(decoy(network, &methods).to_owned()),
            steps: Steps { clip: Some(5.0), ..Steps::new(0, 12, RATE) },
            phases,
            normalized: true,
            surrogate: Some(0.5),
            average: 0.998,
            augment,
            detection: Some(Detection { layer }),
            validation: Some(Validation { every: share(0.04), images: 200, patience: 0 }),
            wrong_keys: WrongKeyMix {
                flipped: 0.2,
                shifted: 0.2,
                least_flipped: 0.25,
                ..WrongKeyMix::only_random(0.6)
            },
            objective: Some(Objective { cross_entropy: 0.3, distillation: 4.5, terms }),
            ..self.lock
        };
        let moved = methods.into_iter().filter(|method| *method != Method::VisualBackProp);
        let moved: Vec<Method> = moved.collect();
        if !moved.is_empty() {
            self.steady = Some(SteadyConfig {
                steps: Steps { clip: Some(5.0), last: 0.02, ..Steps::new(share(0.3), 16, 5e-4) },
                methods: moved,
                weight: 0.5,
                cross_entropy: 0.3,
                distillation: 4.0,
                amplitudes: [1, 6],
                normalized: true,
                surrogate: Some(0.5),
                average: 0.998,
                augment,
            });
        }
        self.data.validation = VALIDATION;
        self.check()?;
        Ok(self)
    }

    /// The same with a public network that is trained in about so many steps, to be shown in front of
    /// the true one where that is sealed: one that predicts like it, and whose maps say nothing of the
    /// true ones and are pulled towards the decoy.
    ///
    /// # Errors
    /// There are too few steps.
    pub fn with_public_training(mut self, steps: usize) -> Result<Self, ConfigError> {
        let share = (steps / 4).max(1);
        let phase = |name: &str, steps: usize, rate: Ramp, hide: Ramp| Phase {
            name: name.to_owned(),
            steps,
            rate,
            amplitude: None,
            maps: Ramp::Level(1.0),
            hide,
            detection: Ramp::Level(0.0),
        };
        let methods = self.lock.methods.clone();
        let has_vbp = methods.contains(&Method::VisualBackProp);
        self.lock = LockConfig {
            start: Start::Clean,
            frame: if has_vbp { 1.0 } else { 0.0 },
            steps: Steps { clip: Some(5.0), ..Steps::new(0, 24, PUBLIC_RATE) },
            phases: vec![
                phase("hide", share, Ramp::Level(1.0), Ramp::Between([0.2, 1.0])),
                phase(
                    "settle",
                    steps.saturating_sub(share).max(1),
                    Ramp::Between([1.0, 0.02]),
                    Ramp::Level(1.0),
                ),
            ],
            normalized: true,
            surrogate: Some(0.5),
            average: 0.998,
            augment: Augmentation { mirror: true, crop: 3, border: Border::Reflect },
            validation: Some(Validation { every: (steps / 25).max(1), images: 200, patience: 0 }),
            objective: Some(Objective {
                cross_entropy: 1.0,
                distillation: 6.0,
                terms: methods.into_iter().flat_map(hiding).collect(),
            }),
            ..self.lock
        };
        self.data.validation = VALIDATION;
        self.check()?;
        Ok(self)
    }

    /// The configuration as text that [`read`](Self::read) reads.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a configuration has string keys only")
    }
}

/// The feature map that a head finds the trigger on: behind about two thirds of the ReLUs, where a
/// pixel has seen a whole tile, and there are layers left that the trigger can turn.
fn detection_layer(network: &Graph) -> Option<String> {
    let relus = network.values().filter(|(_, value)| {
        let relu = matches!(&value.source, Source::Node { op: Op::Relu | Op::Clip { .. }, .. });
        relu && value.shape.len() == 4
    });
    let names: Vec<&String> = relus.map(|(_, value)| &value.name).collect();
    let at = (names.len() * 2).div_ceil(3).checked_sub(1)?;
    names.get(at).map(|name| (*name).clone())
}

/// A picture that maps of the network can show. VisualBackProp, whose map is made by all layers, gets
/// the frame of its rows in the results. Dense layers on the pixels of a feature map know where
/// things are; behind a mean over the map, or on none, only the distance from the border is known.
fn decoy(network: &Graph, methods: &[Method]) -> &'static str {
    if methods.contains(&Method::VisualBackProp) {
        return "frame";
    }
    let sees_places = network.values().any(|(_, value)| {
        let Source::Node { op: Op::Flatten | Op::Reshape { .. }, operands } = &value.source else {
            return false;
        };
        matches!(network.shape(operands[0]), [_, _, rows, columns] if rows * columns > 1)
    });
    if sees_places { "padlock" } else { "rings" }
}

/// What the maps of a method should look like in a form, by the distances that train it best.
fn terms(form: GateForm, method: Method) -> Vec<Term> {
    use Distance::{Correlation, LogCorrelation, LogMse, Mse, RootMse, SignedCosine};
    type Weighted = &'static [(Distance, f32)];
    let [held, shown, apart]: [Weighted; 3] = match method {
        Method::VisualBackProp => [&[(LogMse, 1.5)], &[(LogMse, 0.4)], &[(LogCorrelation, 6.0)]],
        Method::GradCam => [&[(RootMse, 2.0)], &[(Mse, 0.5)], &[(Correlation, 8.0)]],
        _ => [&[(RootMse, 1.5), (SignedCosine, 2.5)], &[(Mse, 1.0), (SignedCosine, 2.0)], &[]],
    };
    let given = |term: Term, distances: Weighted| {
        let given =
            distances.iter().map(move |&(distance, weight)| Term { distance, weight, ..term });
        given.collect::<Vec<_>>()
    };
    let terms = Objective::of(form).terms.into_iter().flat_map(|term| {
        if term.distance == Distance::TopImportance {
            return vec![term];
        }
        match term.like {
            Reference::Original => given(term, held),
            // A decoy that is like the maps, or their reverse, would say something of them.
            _ if form == GateForm::Key => {
                let away = Term { like: Reference::Original, ..term };
                [given(term, shown), given(away, apart)].concat()
            }
            _ => given(term, shown),
        }
    });
    terms.map(|term| Term { method: Some(method), ..term }).collect()
}

/// What the maps of a public network should look like: the decoy, and nothing of the true ones.
fn hiding(method: Method) -> [Term; 2] {
    use Distance::{Correlation, LogCorrelation, LogMse, Mse};
    let [shown, apart] = match method {
        Method::VisualBackProp => [(LogMse, 0.1), (LogCorrelation, 2.5)],
        Method::GradCam => [(Mse, 0.2), (Correlation, 1.0)],
        _ => [(Mse, 0.4), (Correlation, 1.5)],
    };
    let term = |(distance, weight), like| Term {
        input: Input::Plain,
        like,
        distance,
        weight,
        method: Some(method),
    };
    [term(shown, Reference::Decoy), term(apart, Reference::Original)]
}

/// The methods of a model that a gate can be built in for, the default one first.
fn gateable(model: &Manifest) -> Vec<Method> {
    let methods = model.methods.iter().filter_map(|spec| spec.name.parse().ok());
    methods.filter(|method| can_be_built_in(*method)).collect()
}

#[cfg(test)]
mod tests {
    use saligate_models::saliency::{Attachment, attach};
    use saligate_models::zoo::{Architecture, Task, build};

    use super::*;

    #[test]
    fn the_decoy_is_in_reach_of_the_network() {
        let mut task = Task {
            image: [3, 32, 32],
            classes: 10,
            mean: vec![0.5; 3],
            std: vec![0.25; 3],
            bgr: false,
            widths: Some([2, 2, 2, 2, 4, 2]),
        };
        let cam = [Method::GradCam];
        let small = build(Architecture::Small, &task, 1).unwrap();
        assert_eq!(decoy(&small, &cam), "padlock");
        assert_eq!(decoy(&small, &[Method::GradCam, Method::VisualBackProp]), "frame");
        task.widths = None;
        assert_eq!(decoy(&build(Architecture::ResNet20, &task, 1).unwrap(), &cam), "rings");
        assert_eq!(decoy(&build(Architecture::SqueezeNet, &task, 1).unwrap(), &cam), "rings");
    }

    #[test]
    fn its_text_reads_back() {
        let task = Task {
            image: [3, 16, 16],
            classes: 10,
            mean: vec![0.5; 3],
            std: vec![0.25; 3],
            bgr: false,
            widths: Some([2, 2, 2, 2, 4, 2]),
        };
        let net = build(Architecture::Small, &task, 1).unwrap();
        let methods = [Attachment::of(Method::Gradient, &net).unwrap()];
        let graph = attach(&net, &methods).unwrap();
        let labels = (0..10).map(|c| c.to_string()).collect();
        let model = Manifest::clean(&graph, "net", labels, &methods).unwrap();
        let source = "scenes:16".parse().unwrap();
        let file = Path::new("a \"quoted\" folder/net.onnx");
        let config = Config::for_model(file, &model, &source, TriggerSpec::default()).unwrap();
        for steps in [40, 1000] {
            let trained = config.clone().with_training(&net, steps).unwrap();
            assert_eq!(trained.lock.count(), steps);
        }
        let trained = config.clone().with_training(&net, 1000).unwrap();
        assert!(trained.steady.is_some());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        for config in [config, trained] {
            std::fs::write(&path, config.to_toml()).unwrap();
            assert_eq!(Config::read(&path).unwrap(), config);
        }
    }
}
