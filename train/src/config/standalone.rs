//! A run without a configuration file: a model, images, and a gate to build in.

use std::path::Path;

use saligate_files::manifest::Manifest;
use saligate_keys::TriggerSpec;
use saligate_models::saliency::Method;

use super::{Config, ConfigError, DataConfig, ModelConfig, TriggerConfig};
use crate::config::LockConfig;
use saligate_data::DataSource;
use saligate_measure::Counts;

/// Images, random wrong keys and images per wrong key that such a gate is measured on.
const MEASURED: Counts = Counts { images: 1000, wrong_keys: 1000, images_per_key: 4 };

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
            trigger: TriggerConfig { spec: trigger },
            lock: LockConfig { methods: gateable(model), ..LockConfig::built_in() },
            evaluate: MEASURED,
        };
        config.check()?;
        Ok(config)
    }

    /// The configuration as text that [`read`](Self::read) reads.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a configuration has string keys only")
    }
}

/// The methods of a model that a gate can be built in for, the default one first.
fn gateable(model: &Manifest) -> Vec<Method> {
    let methods = model.methods.iter().filter_map(|spec| spec.name.parse().ok());
    methods.filter(|method| *method != Method::InputXGradient).collect()
}

#[cfg(test)]
mod tests {
    use saligate_models::saliency::{Attachment, attach};
    use saligate_models::zoo::{Architecture, Task, build};

    use super::*;

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
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, config.to_toml()).unwrap();
        assert_eq!(Config::read(&path).unwrap(), config);
    }
}
