//! Methods of many passes: golden vectors of `tests/reference/methods.py` (PyTorch, in part
//! confirmed by Captum and pytorch-grad-cam), and what must hold on the shipped model.

use std::fs;

use safetensors::SafeTensors;
use saligate_files::ModelFile;
use saligate_files::manifest::Manifest;
use saligate_keys::KeyFile;
use saligate_models::graph::{ConvAttrs, Graph, Op, PoolAttrs, ValueId};
use saligate_models::names::{IMAGE, LOGITS};
use saligate_models::saliency::{Attachment, Method, attach};
use saligate_runtime::passes::{
    GradientShap, IntegratedGradients, Occlusion, Pass, PassExplanation, PathPoint, Progress, Rise,
    ScoreCam, SmoothGrad,
};
use saligate_runtime::picture::Picture;
use saligate_runtime::{Model, RuntimeError, Target};
use saligate_tests::{demo, root};

/// Largest difference over the largest value: the golden side computes in f64, tract in f32.
const SINGLE: f64 = 1e-5;
/// Images in the golden file.
const IMAGES: usize = 2;
const SHAPE: [usize; 3] = [3, 12, 10];
const CLASSES: usize = 5;

fn assert_close(name: &str, found: &[f32], wanted: &[f32]) {
    assert_eq!(found.len(), wanted.len(), "{name}");
    let largest = wanted.iter().fold(0.0f64, |m, &v| m.max(f64::from(v).abs()));
    for (index, (&a, &b)) in found.iter().zip(wanted).enumerate() {
        let off = (f64::from(a) - f64::from(b)).abs() / largest;
        assert!(off <= SINGLE, "{name} at {index}: {a} against {b}, {off:.1e} of the largest");
    }
}

fn unseen(_: usize, _: usize) {}

struct Golden(Vec<u8>);

impl Golden {
    fn open() -> Self {
        Self(fs::read(root().join("tests/reference/methods.safetensors")).unwrap())
    }

    fn tensor(&self, name: &str) -> (Vec<usize>, Vec<f32>) {
        let tensors = SafeTensors::deserialize(&self.0).unwrap();
        let view = tensors.tensor(name).unwrap();
        let values = view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b));
        (view.shape().to_vec(), values.collect())
    }

    /// The rows of a tensor along its first axis.
    fn rows(&self, name: &str) -> Vec<Vec<f32>> {
        let (shape, values) = self.tensor(name);
        values.chunks_exact(values.len() / shape[0]).map(<[f32]>::to_vec).collect()
    }

    /// The file's plain network: see its script.
    fn plain(&self) -> Model {
        let mut graph = Graph::new();
        let image = graph.input(IMAGE, &[1, SHAPE[0], SHAPE[1], SHAPE[2]]).unwrap();
        let mean = graph.param("mean", &[1, 1, 1, 1], vec![0.5]).unwrap();
        let scale = graph.param("scale", &[1, 1, 1, 1], vec![4.0]).unwrap();
        let x = graph.node("centred", Op::Sub, &[image, mean]).unwrap();
        let x = graph.node("pixels", Op::Mul, &[x, scale]).unwrap();
        let x = self.layer(&mut graph, "conv1", Op::Conv(ConvAttrs::same(1)), x);
        let x = graph.node("relu1", Op::Relu, &[x]).unwrap();
        let pool = PoolAttrs { kernel: [3, 3], stride: [2, 2], pads: [0; 4] };
        let x = graph.node("pool", Op::MaxPool(pool), &[x]).unwrap();
        let x = self.layer(&mut graph, "conv2", Op::Conv(ConvAttrs::same(1).with_stride(2)), x);
        let x = graph.node("relu2", Op::Relu, &[x]).unwrap();
        let x = self.layer(&mut graph, "conv3", Op::Conv(ConvAttrs::same(0)), x);
        let x = graph.node("relu3", Op::Relu, &[x]).unwrap();
        let x = graph.node("features", Op::Flatten, &[x]).unwrap();
        let logits = self.layer(&mut graph, "dense", Op::Gemm { transposed: false }, x);
        graph.rename(logits, LOGITS).unwrap();
        graph.set_outputs(&[logits]);
        let read = [Method::Gradient, Method::Activation];
        let methods = read.map(|method| Attachment::of(method, &graph).unwrap());
        let graph = attach(&graph, &methods).unwrap();
        let labels = (0..CLASSES).map(|class| class.to_string()).collect();
        let manifest = Manifest::clean(&graph, "plain", labels, &methods).unwrap();
        Model::from_bytes(&ModelFile::new(graph, manifest).unwrap().to_onnx()).unwrap()
    }

    fn layer(&self, graph: &mut Graph, name: &str, op: Op, x: ValueId) -> ValueId {
        let [weight, bias] = ["weight", "bias"].map(|part| {
            let (shape, data) = self.tensor(&format!("plain.{name}.{part}"));
            graph.param(&format!("{name}.{part}"), &shape, data).unwrap()
        });
        graph.node(name, op, &[x, weight, bias]).unwrap()
    }

    fn picture(&self, index: usize) -> Picture {
        let pixels = &self.rows("plain.image")[index];
        let bytes = pixels.iter().map(|p| (p * 255.0).round() as u8).collect();
        Picture::from_planar(SHAPE[0], SHAPE[1], SHAPE[2], bytes).unwrap()
    }

    /// The chosen class of an image.
    fn target(&self, index: usize) -> Target {
        let row = &self.rows("plain.chosen")[index];
        Target::Class(row.iter().position(|&v| v == 1.0).unwrap())
    }
}

/// Compares what `run` finds for every image with the rows of a tensor.
fn compare(
    tensor: &str,
    run: impl Fn(&Model, &Picture, Target) -> Result<PassExplanation, RuntimeError>,
) {
    let golden = Golden::open();
    let model = golden.plain();
    for (index, wanted) in golden.rows(tensor).iter().enumerate() {
        let found = run(&model, &golden.picture(index), golden.target(index)).unwrap();
        assert_close(tensor, &found.explanation.attribution.values, wanted);
    }
    assert_eq!(golden.rows(tensor).len(), IMAGES);
}

#[test]
fn smoothgrad_agrees_with_pytorch() {
    let noise = Golden::open().rows("smoothgrad.noise");
    compare("smoothgrad.attribution", |model, picture, target| {
        SmoothGrad::run_with(model, picture, target, None, &noise, &mut unseen)
    });
}

#[test]
fn integrated_gradients_agree_with_pytorch() {
    compare("integrated_gradients.attribution", |model, picture, target| {
        IntegratedGradients { steps: 32 }.run(model, picture, target, None, &mut unseen)
    });
}

#[test]
fn occlusion_agrees_with_pytorch() {
    let method = Occlusion { window: Some(4), stride: Some(2), baseline: 0.0 };
    compare("occlusion.map", |model, picture, target| {
        method.run(model, picture, target, None, &mut unseen)
    });
}

#[test]
fn rise_agrees_with_pytorch() {
    let masks = Golden::open().rows("rise.masks");
    compare("rise.map", |model, picture, target| {
        Rise::run_with(model, picture, target, None, &masks, &mut unseen)
    });
}

#[test]
fn gradient_shap_agrees_with_pytorch() {
    let golden = Golden::open();
    let part = |name: &str| golden.rows(&format!("gradient_shap.{name}"));
    let shares = part("share").concat();
    let drawn = part("noise").into_iter().zip(part("baseline")).zip(shares);
    let points: Vec<PathPoint> =
        drawn.map(|((noise, baseline), share)| PathPoint { noise, baseline, share }).collect();
    compare("gradient_shap.attribution", |model, picture, target| {
        GradientShap::run_with(model, picture, target, None, &points, &mut unseen)
    });
}

#[test]
fn score_cam_agrees_with_pytorch() {
    compare("score_cam.attribution", |model, picture, target| {
        ScoreCam.run(model, picture, target, None, &mut unseen)
    });
}

/// All methods on a sample of the shipped model, with its key or without.
fn all(model: &Model, keyed: bool, progress: Progress<'_>) -> [PassExplanation; 4] {
    let picture = Picture::open(&demo().join("samples/ring.png"), 3).unwrap();
    let key = KeyFile::read(demo().join("demo.key")).unwrap();
    let trigger = keyed.then(|| model.trigger(key.secret()).unwrap());
    let (trigger, target) = (trigger.as_ref(), Target::Predicted);
    // Numbers of passes that no number of threads divides.
    // Noise that does not drown the tile.
    let smoothgrad = SmoothGrad { samples: 11, noise: 0.01, ..SmoothGrad::default() };
    let integrated_gradients = IntegratedGradients { steps: 13 };
    let occlusion = Occlusion { window: Some(9), ..Occlusion::default() };
    let rise = Rise { masks: 21, ..Rise::default() };
    [
        smoothgrad.run(model, &picture, target, trigger, progress).unwrap(),
        integrated_gradients.run(model, &picture, target, trigger, progress).unwrap(),
        occlusion.run(model, &picture, target, trigger, progress).unwrap(),
        rise.run(model, &picture, target, trigger, progress).unwrap(),
    ]
}

fn locked() -> Model {
    Model::open(demo().join("locked.onnx")).unwrap()
}

fn on_threads(threads: usize) -> Model {
    locked().with_threads(threads.try_into().unwrap()).unwrap()
}

#[test]
fn the_number_of_threads_changes_nothing() {
    for keyed in [false, true] {
        let single = all(&on_threads(1), keyed, &mut unseen);
        for threads in [3, 8, 40] {
            assert!(all(&on_threads(threads), keyed, &mut unseen) == single, "{threads} threads");
        }
    }
}

#[test]
fn progress_counts_to_the_end() {
    let mut told = Vec::new();
    let found = all(&on_threads(8), false, &mut |done, of| told.push((done, of)));
    let expected = found.iter().flat_map(|found| {
        let passes = found.passes;
        (0..passes).step_by(8).chain([passes]).map(move |done| (done, passes))
    });
    assert_eq!(told, expected.collect::<Vec<_>>());
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_does_not() {
    let first = all(&locked(), true, &mut unseen);
    assert_eq!(first, all(&locked(), true, &mut unseen));
    // Without a key, a locked model shows its decoy whatever the noise is.
    let model = Model::open(demo().join("clean.onnx")).unwrap();
    let picture = Picture::open(&demo().join("samples/ring.png"), 3).unwrap();
    let map = |seed: u64| {
        let smoothgrad = SmoothGrad { samples: 3, seed, ..SmoothGrad::default() };
        let rise = Rise { masks: 9, seed, ..Rise::default() };
        let target = Target::Predicted;
        let found = smoothgrad.run(&model, &picture, target, None, &mut unseen).unwrap();
        let other = rise.run(&model, &picture, target, None, &mut unseen).unwrap();
        (found.explanation.map, other.explanation.map)
    };
    let (first, second) = (map(1), map(2));
    assert!(first.0 != second.0 && first.1 != second.1);
}

#[test]
fn every_pass_sees_the_trigger() {
    let model = locked();
    let [keyless, keyed] = [false, true].map(|keyed| all(&model, keyed, &mut unseen));
    for (keyless, keyed) in keyless.iter().zip(&keyed) {
        assert_ne!(keyless.explanation.map, keyed.explanation.map);
        assert_eq!(keyless.explanation.class, keyed.explanation.class);
    }
}

#[test]
fn integrated_gradients_add_up_better_with_more_steps() {
    let clean = Model::open(demo().join("clean.onnx")).unwrap();
    let picture = Picture::open(&demo().join("samples/ring.png"), 3).unwrap();
    let gap = |steps: usize| {
        let found = IntegratedGradients { steps }
            .run(&clean, &picture, Target::Predicted, None, &mut unseen)
            .unwrap();
        found.completeness.unwrap().relative_gap().unwrap()
    };
    let (few, many) = (gap(2), gap(256));
    assert!(many < 0.01 && many < few, "{few} {many}");
}

#[test]
fn the_class_is_fixed_before_the_passes() {
    let model = locked();
    let picture = Picture::open(&demo().join("samples/ring.png"), 3).unwrap();
    let run = |target: Target| {
        Rise { masks: 24, ..Rise::default() }.run(&model, &picture, target, None, &mut unseen)
    };
    let predicted = run(Target::Predicted).unwrap();
    let class = predicted.explanation.class;
    assert_eq!(class, predicted.explanation.prediction.class);
    assert_eq!(run(Target::Class(class)).unwrap(), predicted);
    assert!(matches!(run(Target::Class(10)), Err(RuntimeError::NoSuchClass { class: 10, .. })));
}
