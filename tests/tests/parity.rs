//! One definition, five engines: reference (f64), Burn on flex and ndarray, tract plain and
//! optimized, and ONNX Runtime agree on the logits and on the attributions of all methods.

use std::process::Command;

use ndarray::ArrayD;
use saligate_data::{DataSource, Dataset, LoadOptions};
use saligate_files::ModelFile;
use saligate_files::manifest::Manifest;
use saligate_keys::{KeyFile, Trigger};
use saligate_models::graph::Graph;
use saligate_models::names::LOGITS;
use saligate_models::reference;
use saligate_models::saliency::{Attachment, Method, attach};
use saligate_models::zoo::{Architecture, Task, build};
use saligate_runtime::npy::{read_npy, write_npy};
use saligate_runtime::picture::Picture;
use saligate_runtime::{Isa, Target};
use saligate_tests::{all_methods, demo, root, shared, with_all_methods};
use saligate_train::weights::{Head, load};
use saligate_train::{Backend, run_graph};

/// Images per network.
const COUNT: usize = 4;

/// Largest difference from the f64 reference, over the largest reference value of that output:
/// single precision with a few hundred thousand additions per output.
const SMALL: f64 = 2e-5;
/// The same for twenty layers with residual sums.
const DEEP: f64 = 1e-4;
/// Relevance is divided by results, and DeepLIFT by differences, that may be next to nothing: this makes more
/// of their rounding.
const DIVIDED: f64 = 10.0;

/// The outputs in their order, each image by image.
struct Answers(Vec<Vec<Vec<f64>>>);

impl Answers {
    fn of_batch(outputs: &[Vec<f32>]) -> Self {
        let rows = |values: &Vec<f32>| {
            let size = values.len() / COUNT;
            values.chunks_exact(size).map(wide).collect()
        };
        Self(outputs.iter().map(rows).collect())
    }

    /// Asserts that no value is further from the reference than `level` allows.
    fn assert_close(&self, engine: &str, reference: &Self, level: f64) {
        assert_eq!(self.0.len(), reference.0.len(), "{engine}");
        for (position, (found, wanted)) in self.0.iter().zip(&reference.0).enumerate() {
            let name = position.checked_sub(1).map_or("logits", |p| Method::ALL[p].name());
            let divides = name.starts_with("lrp") || name == "deeplift";
            let level = if divides { DIVIDED * level } else { level };
            let mut worst = 0.0f64;
            for (image, (found, wanted)) in found.iter().zip(wanted).enumerate() {
                assert_eq!(found.len(), wanted.len(), "{engine} {name}");
                let largest = wanted.iter().fold(0.0f64, |m, v| m.max(v.abs()));
                for (index, (a, b)) in found.iter().zip(wanted).enumerate() {
                    // A closed gate gives zeros to some methods.
                    let off = if a == b { 0.0 } else { (a - b).abs() / largest };
                    worst = worst.max(off);
                    assert!(
                        off <= level,
                        "{engine}, {name} of image {image} at {index}: {a} against {b}, \
                         {off:.2e} of the largest value, level {level:.0e}"
                    );
                }
            }
            println!("{engine}, {name}: within {worst:.1e}");
        }
    }
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

fn scenes() -> Dataset {
    let options = LoadOptions {
        train_count: Some(1),
        test_count: Some(COUNT),
        seed: 5,
        ..LoadOptions::default()
    };
    DataSource::Scenes { size: 32 }.load(&options).unwrap().test
}

/// The test images as 8-bit pixels; all but the second with a trigger, where there is one.
fn pictures(trigger: Option<&Trigger>) -> Vec<Vec<u8>> {
    let data = scenes();
    let picture = |index| {
        let mut pixels = data.image(index).to_vec();
        if let (Some(trigger), true) = (trigger, index != 1) {
            trigger.apply(&mut pixels).unwrap();
        }
        pixels
    };
    (0..COUNT).map(picture).collect()
}

/// A model file's answers in the runtime.
fn runtime(
    model: &ModelFile,
    pictures: &[Vec<u8>],
    backend: saligate_runtime::EngineKind,
) -> Answers {
    let model_read = ModelFile::from_bytes(&model.to_onnx()).unwrap();
    let runtime = saligate_runtime::Model::new_on(model_read, backend).unwrap();
    let methods = &model.manifest().methods;
    let mut answers = vec![Vec::new(); 1 + methods.len()];
    for pixels in pictures {
        let picture = Picture::from_planar(3, 32, 32, pixels.clone()).unwrap();
        for (position, method) in methods.iter().enumerate() {
            let found =
                runtime.explain_by(&method.name, &picture, Target::Predicted, None).unwrap();
            assert_eq!(found.map.len(), 32 * 32, "{}", method.name);
            answers[1 + position].push(wide(&found.attribution.values));
            if position == 0 {
                answers[0].push(wide(&found.prediction.logits));
            }
        }
    }
    Answers(answers)
}

/// A model file's answers in ONNX Runtime, or `None` with a printed reason.
fn onnxruntime(model: &ModelFile, images: &[f32], target: Option<&[f32]>) -> Option<Answers> {
    let default = root().join("target/reference-venv/bin/python");
    let python = std::env::var_os("SALIGATE_PYTHON").map_or(default, Into::into);
    if !python.exists() {
        assert!(std::env::var_os("CI").is_none(), "no {}", python.display());
        eprintln!(
            "skipped ONNX Runtime: no {}; make it with: python3 -m venv target/reference-venv && \
             target/reference-venv/bin/pip install -r tests/reference/requirements.txt",
            python.display()
        );
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    model.save(&path("model.onnx")).unwrap();
    write_npy(&path("images.npy"), &[COUNT, 3, 32, 32], images).unwrap();
    if let Some(rows) = target {
        write_npy(&path("target.npy"), &[COUNT, rows.len() / COUNT], rows).unwrap();
    }
    let output = Command::new(python)
        .arg(root().join("tests/reference/onnxruntime_run.py"))
        .args([path("model.onnx"), path("images.npy")])
        .arg(target.map_or("-".into(), |_| path("target.npy")))
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let outputs = 0..1 + model.manifest().methods.len();
    let read = |position| read_npy(&path(&format!("{position}.npy"))).unwrap().values;
    Some(Answers::of_batch(&outputs.map(read).collect::<Vec<_>>()))
}

fn reference_answers(graph: &Graph, images: &[f32], target: &[f32]) -> Answers {
    let array =
        |values: &[f32], shape: Vec<usize>| ArrayD::from_shape_vec(shape, wide(values)).unwrap();
    let inputs =
        [array(images, vec![COUNT, 3, 32, 32]), array(target, vec![COUNT, target.len() / COUNT])];
    let outputs = reference::run(graph, &inputs).unwrap();
    let rows = |a: &ArrayD<f64>| a.outer_iter().map(|r| r.iter().copied().collect()).collect();
    Answers(outputs.iter().map(rows).collect())
}

fn check(model: &ModelFile, pictures: &[Vec<u8>], level: f64) {
    let images: Vec<f32> = pictures.iter().flatten().map(|&b| f32::from(b) / 255.0).collect();
    let classes = model.manifest().labels.len();
    let predicted = vec![0.0; COUNT * classes];
    let expected = reference_answers(model.graph(), &images, &predicted);

    let inputs = |target: &[f32]| {
        [(images.clone(), vec![COUNT, 3, 32, 32]), (target.to_vec(), vec![COUNT, classes])]
    };
    for backend in [Backend::Flex, Backend::NdArray] {
        let outputs = run_graph(model.graph(), backend, &inputs(&predicted)).unwrap();
        let answers = Answers::of_batch(&outputs);
        answers.assert_close(backend.name(), &expected, level);
    }
    let native = Isa::available().into_iter().map(saligate_runtime::EngineKind::NativeOn);
    let tract = [saligate_tract::PLAIN, saligate_tract::OPTIMIZED];
    for backend in native.chain(tract) {
        let answers = runtime(model, pictures, backend);
        answers.assert_close(&format!("{backend:?}"), &expected, level);
    }
    if let Some(answers) = onnxruntime(model, &images, None) {
        answers.assert_close("ONNX Runtime", &expected, level);
    }

    // A chosen class: the last one for every image.
    let mut chosen = predicted;
    chosen.chunks_exact_mut(classes).for_each(|row| row[classes - 1] = 1.0);
    let expected = reference_answers(model.graph(), &images, &chosen);
    let outputs = run_graph(model.graph(), Backend::Flex, &inputs(&chosen)).unwrap();
    Answers::of_batch(&outputs).assert_close("flex, class", &expected, level);
    if let Some(answers) = onnxruntime(model, &images, Some(&chosen)) {
        answers.assert_close("ONNX Runtime, class", &expected, level);
    }

    for (position, output) in expected.0.iter().enumerate() {
        for pair in output.windows(2) {
            assert_ne!(pair[0], pair[1], "output {position} does not change with the image");
        }
    }
}

#[test]
fn engines_agree_on_the_trained_small_cnn() {
    check(&with_all_methods("clean.onnx"), &pictures(None), SMALL);
}

#[test]
fn engines_agree_on_the_locked_small_cnn() {
    // Open and closed side by side.
    let locked = saligate_runtime::Model::open(demo().join("locked.onnx")).unwrap();
    let key = KeyFile::read(demo().join("demo.key")).unwrap();
    let trigger = locked.trigger(key.secret()).unwrap();
    check(&with_all_methods("locked.onnx"), &pictures(Some(&trigger)), SMALL);
}

#[test]
fn engines_agree_on_a_vision_transformer() {
    let task = Task {
        image: [3, 32, 32],
        classes: 4,
        mean: vec![0.5; 3],
        std: vec![0.25; 3],
        bgr: false,
        widths: None,
    };
    let classifier = build(Architecture::Vit, &task, 1).unwrap();
    let methods: Vec<Attachment> = Method::GATED
        .iter()
        .filter(|method| **method != Method::VisualBackProp)
        .map(|method| Attachment::of(*method, &classifier).unwrap())
        .collect();
    let graph = attach(&classifier, &methods).unwrap();
    let labels = (0..4).map(|c| c.to_string()).collect();
    let manifest = Manifest::clean(&graph, "vit", labels, &methods).unwrap();
    check(&ModelFile::new(graph, manifest).unwrap(), &pictures(None), DEEP);
}

#[test]
#[cfg_attr(not(shared_data), ignore = "skipped: ../shared/data is not there")]
fn engines_agree_on_a_trained_resnet20() {
    let folder = shared("weights");
    let task = Task {
        image: [3, 32, 32],
        classes: 10,
        mean: vec![0.485, 0.456, 0.406],
        std: vec![0.229, 0.224, 0.225],
        bgr: false,
        widths: None,
    };
    let mut graph = build(Architecture::ResNet20, &task, 0).unwrap();
    load(&mut graph, &folder.join("cifar10-resnet20.safetensors"), Head::Loaded).unwrap();
    let classifier = graph.fold_batch_norm().unwrap();
    let methods = all_methods(&classifier);
    let graph = attach(&classifier, &methods).unwrap();
    let labels = (0..10).map(|c| c.to_string()).collect();
    let manifest = Manifest::clean(&graph, "resnet20", labels, &methods).unwrap();
    check(&ModelFile::new(graph, manifest).unwrap(), &pictures(None), DEEP);
}

#[test]
fn attaching_again_changes_nothing() {
    let model = ModelFile::open(&demo().join("locked.onnx")).unwrap();
    let classifier = model.graph().extract(&[LOGITS]).unwrap();
    let gradient = Attachment::at(Method::Gradient, vec![]);
    let again = attach(&classifier, &[gradient]).unwrap();
    let images = pictures(None).concat();
    let images: Vec<f32> = images.iter().map(|&b| f32::from(b) / 255.0).collect();
    let target = vec![0.0; COUNT * model.manifest().labels.len()];
    let before = reference_answers(model.graph(), &images, &target);
    reference_answers(&again, &images, &target).assert_close("again", &before, 0.0);
}
