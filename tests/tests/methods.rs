//! The saliency methods against PyTorch and Captum: golden vectors of `tests/reference/methods.py`,
//! and what must hold for every method on every engine.

use std::fs;

use ndarray::{ArrayD, Axis};
use safetensors::SafeTensors;
use saligate_files::ModelFile;
use saligate_files::import::{self, Preprocessing};
use saligate_files::manifest::Manifest;
use saligate_files::onnx::Foreign;
use saligate_models::graph::{ConvAttrs, Graph, Op, PoolAttrs, Range, ValueId};
use saligate_models::names::{IMAGE, LOGITS};
use saligate_models::reference::{Array, run};
use saligate_models::saliency::{Attachment, Method, attach, saliency_map};
use saligate_runtime::Target;
use saligate_runtime::picture::Picture;
use saligate_tests::{all_methods, demo, root};
use saligate_train::{Backend, run_graph};

/// Largest difference over the largest value. Both sides compute in f64; weights and results are
/// stored as f32.
const GOLDEN: f64 = 2e-7;
/// The same for engines that compute in f32.
const SINGLE: f64 = 1e-5;

const CLASSES: usize = 5;
const SIZE: [usize; 2] = [12, 10];

struct Golden(Vec<u8>);

impl Golden {
    fn open() -> Self {
        Self(fs::read(root().join("tests/reference/methods.safetensors")).unwrap())
    }

    fn array(&self, name: &str) -> Array {
        let tensors = SafeTensors::deserialize(&self.0).unwrap();
        let view = tensors.tensor(name).unwrap();
        let values = view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b).into());
        ArrayD::from_shape_vec(view.shape(), values.collect()).unwrap()
    }
}

/// A network of the golden file under construction.
struct Net<'a> {
    graph: Graph,
    golden: &'a Golden,
    name: &'a str,
}

impl<'a> Net<'a> {
    fn new(golden: &'a Golden, name: &'a str) -> (Self, ValueId) {
        let mut graph = Graph::new();
        let image = graph.input(IMAGE, &[1, 3, SIZE[0], SIZE[1]]).unwrap();
        let mean = graph.param("mean", &[1, 1, 1, 1], vec![0.5]).unwrap();
        let scale = graph.param("scale", &[1, 1, 1, 1], vec![4.0]).unwrap();
        let centred = graph.node("centred", Op::Sub, &[image, mean]).unwrap();
        let pixels = graph.node("pixels", Op::Mul, &[centred, scale]).unwrap();
        (Self { graph, golden, name }, pixels)
    }

    fn weights(&mut self, layer: &str) -> [ValueId; 2] {
        ["weight", "bias"].map(|part| {
            let array = self.golden.array(&format!("{}.{layer}.{part}", self.name));
            let data: Vec<f32> = array.iter().map(|&v| v as f32).collect();
            self.graph.param(&format!("{layer}.{part}"), array.shape(), data).unwrap()
        })
    }

    fn node(&mut self, name: &str, op: Op, operands: &[ValueId]) -> ValueId {
        self.graph.node(name, op, operands).unwrap()
    }

    fn conv(&mut self, layer: &str, x: ValueId, attrs: ConvAttrs) -> ValueId {
        let [weight, bias] = self.weights(layer);
        self.node(layer, Op::Conv(attrs), &[x, weight, bias])
    }

    fn relu(&mut self, name: &str, x: ValueId) -> ValueId {
        self.node(name, Op::Relu, &[x])
    }

    fn logits(mut self, x: ValueId) -> Graph {
        let features = self.node("features", Op::Flatten, &[x]);
        let [weight, bias] = self.weights("dense");
        let dense = Op::Gemm { transposed: false };
        let logits = self.node(LOGITS, dense, &[features, weight, bias]);
        self.graph.set_outputs(&[logits]);
        self.graph
    }

    fn block(&mut self, block: &str, x: ValueId, stride: usize) -> ValueId {
        let part = |p: &str| format!("{block}.{p}");
        let y = self.conv(&part("conv1"), x, ConvAttrs::same(1).with_stride(stride));
        let y = self.relu(&part("relu1"), y);
        let y = self.conv(&part("conv2"), y, ConvAttrs::same(1));
        let short = if stride == 1 { x } else { self.shortcut(&part("shortcut"), x, stride) };
        let sum = self.node(&part("sum"), Op::Add, &[y, short]);
        self.relu(&part("relu2"), sum)
    }

    fn shortcut(&mut self, name: &str, x: ValueId, stride: usize) -> ValueId {
        let shape = self.graph.shape(x).to_vec();
        let range = |end, step| Range { start: 0, end, step };
        let ranges = [range(shape[1], 1), range(shape[2], stride), range(shape[3], stride)];
        let some = self.node(&format!("{name}.some"), Op::Slice { ranges }, &[x]);
        let pads = [[2, 2], [0, 0], [0, 0]];
        self.node(name, Op::Pad { pads, value: 0.0 }, &[some])
    }
}

fn plain(golden: &Golden) -> Graph {
    let (mut net, x) = Net::new(golden, "plain");
    let x = net.conv("conv1", x, ConvAttrs::same(1));
    let x = net.relu("relu1", x);
    let pool = PoolAttrs { kernel: [3, 3], stride: [2, 2], pads: [0; 4] };
    let x = net.node("pool", Op::MaxPool(pool), &[x]);
    let x = net.conv("conv2", x, ConvAttrs::same(1).with_stride(2));
    let x = net.relu("relu2", x);
    let x = net.conv("conv3", x, ConvAttrs::same(0));
    let x = net.relu("relu3", x);
    net.logits(x)
}

fn resnet(golden: &Golden) -> Graph {
    let (mut net, x) = Net::new(golden, "resnet");
    let x = net.conv("conv1", x, ConvAttrs::same(1));
    let x = net.relu("relu1", x);
    let x = net.block("block1", x, 1);
    let x = net.block("block2", x, 2);
    let x = net.node("mean_pool", Op::GlobalAveragePool, &[x]);
    net.logits(x)
}

fn nets(golden: &Golden) -> [(&'static str, Graph); 2] {
    [("plain", plain(golden)), ("resnet", resnet(golden))]
}

/// Those of [`all_methods`], in their order.
fn methods() -> impl Iterator<Item = Method> {
    let all = Method::ALL.iter().copied();
    all.filter(|method| !Method::OF_ATTENTION.contains(method))
}

fn narrow(array: &Array) -> Vec<f32> {
    array.iter().map(|&v| v as f32).collect()
}

/// Asserts that `found` is `wanted` up to `level` times its largest value.
fn assert_close(what: &str, found: &[f64], wanted: &Array, level: f64) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    let largest = wanted.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    let mut worst = 0.0f64;
    for (index, (a, b)) in found.iter().zip(wanted).enumerate() {
        let off = (a - b).abs() / largest;
        worst = worst.max(off);
        assert!(
            off <= level,
            "{what} at {index}: {a} against {b}, {off:.2e} of the largest value, level {level:.0e}"
        );
    }
    println!("{what}: within {worst:.1e}");
}

#[test]
fn every_method_gives_what_pytorch_gives() {
    let golden = Golden::open();
    for (name, net) in nets(&golden) {
        let graph = attach(&net, &all_methods(&net)).unwrap();
        let image = golden.array(&format!("{name}.image"));
        let chosen = golden.array(&format!("{name}.chosen"));
        for (class, target) in [("predicted", ArrayD::zeros(vec![2, CLASSES])), ("chosen", chosen)]
        {
            let found = run(&graph, &[image.clone(), target]).unwrap();
            let close = |what: &str, found: &Array| {
                let found: Vec<f64> = found.iter().copied().collect();
                assert_close(what, &found, &golden.array(what), GOLDEN);
            };
            close(&format!("{name}.logits"), &found[0]);
            for (method, attribution) in methods().zip(&found[1..]) {
                close(&format!("{name}.{class}.{method}"), attribution);
            }
        }
    }
}

#[test]
fn maps_are_reduced_and_resized_as_pytorch_does() {
    let golden = Golden::open();
    for name in ["plain", "resnet"] {
        for method in methods() {
            let attribution = golden.array(&format!("{name}.predicted.{method}"));
            let shape = [1, 2, 3].map(|axis| attribution.shape()[axis]);
            let expected = golden.array(&format!("{name}.map.{method}"));
            for (image, expected) in attribution.outer_iter().zip(expected.outer_iter()) {
                let values: Vec<f32> = image.iter().map(|&v| v as f32).collect();
                let map = saliency_map(&values, shape, SIZE, method.reduction());
                let map: Vec<f64> = map.into_iter().map(f64::from).collect();
                assert_close(&format!("{name} {method} map"), &map, &expected.to_owned(), GOLDEN);
            }
        }
    }
}

#[test]
fn neighbours_in_a_batch_do_not_matter_in_burn() {
    let golden = Golden::open();
    for (name, net) in nets(&golden) {
        let graph = attach(&net, &all_methods(&net)).unwrap();
        let image = golden.array(&format!("{name}.image"));
        let chosen = golden.array(&format!("{name}.chosen"));
        let answers = |image: &Array, target: &Array, backend| {
            let inputs = [image, target].map(|a| (narrow(a), a.shape().to_vec()));
            run_graph(&graph, backend, &inputs).unwrap()
        };
        for backend in [Backend::Flex, Backend::NdArray] {
            let batch = answers(&image, &chosen, backend);
            for index in 0..2 {
                let own = |a: &Array| a.index_axis(Axis(0), index).insert_axis(Axis(0)).to_owned();
                let alone = answers(&own(&image), &own(&chosen), backend);
                for (position, (alone, batch)) in alone.iter().zip(&batch).enumerate() {
                    let alone = ArrayD::from_shape_vec(vec![alone.len()], alone.clone()).unwrap();
                    let part = &batch[index * alone.len()..(index + 1) * alone.len()];
                    let part: Vec<f64> = part.iter().map(|&v| v.into()).collect();
                    let what = format!("{name}, {}, output {position}", backend.name());
                    assert_close(&what, &part, &alone.mapv(f64::from), SINGLE);
                }
            }
        }
    }
}

/// A model file of a golden network, default method first.
fn model(net: &Graph) -> ModelFile {
    let methods = all_methods(net);
    let graph = attach(net, &methods).unwrap();
    let labels = (0..CLASSES).map(|c| c.to_string()).collect();
    let manifest = Manifest::clean(&graph, "golden", labels, &methods).unwrap();
    ModelFile::new(graph, manifest).unwrap()
}

#[test]
fn the_runtime_gives_the_maps_of_pytorch_from_the_file() {
    let golden = Golden::open();
    for (name, net) in nets(&golden) {
        let model = model(&net);
        let runtime = saligate_runtime::Model::from_bytes(&model.to_onnx()).unwrap();
        let images = golden.array(&format!("{name}.image"));
        for (index, image) in images.outer_iter().enumerate() {
            let bytes = image.iter().map(|v| (v * 255.0).round() as u8).collect();
            let picture = Picture::from_planar(3, SIZE[0], SIZE[1], bytes).unwrap();
            for spec in &model.manifest().methods {
                let method = &spec.name;
                let found = runtime.explain_by(method, &picture, Target::Predicted, None).unwrap();
                let map: Vec<f64> = found.map.iter().map(|&v| v.into()).collect();
                let expected = golden.array(&format!("{name}.map.{method}"));
                let expected = expected.index_axis(Axis(0), index).to_owned();
                assert_close(&format!("{name} {method} in tract"), &map, &expected, SINGLE);
                let shape = golden.array(&format!("{name}.predicted.{method}"));
                let own = &found.attribution;
                assert_eq!([own.channels, own.height, own.width], shape.shape()[1..]);
            }
        }
    }
}

#[test]
fn a_network_of_zeros_has_maps_of_zeros_on_every_engine() {
    let golden = Golden::open();
    for (name, mut net) in nets(&golden) {
        for layer in net.trainable() {
            let length = net.shape(net.find(&layer).unwrap()).iter().product();
            net.set_param(&layer, vec![0.0; length]).unwrap();
        }
        let model = model(&net);
        let image = golden.array(&format!("{name}.image"));
        let inputs =
            [(narrow(&image), image.shape().to_vec()), (vec![0.0; 2 * CLASSES], vec![2, CLASSES])];
        for backend in [Backend::Flex, Backend::NdArray] {
            let outputs = run_graph(model.graph(), backend, &inputs).unwrap();
            assert!(outputs.iter().flatten().all(|&v| v == 0.0), "{name} {}", backend.name());
        }
        let runtime = saligate_runtime::Model::from_bytes(&model.to_onnx()).unwrap();
        let picture = Picture::from_planar(3, SIZE[0], SIZE[1], vec![90; 360]).unwrap();
        for method in methods() {
            let found = runtime.explain_by(method.name(), &picture, Target::Class(2), None);
            assert!(found.unwrap().map.iter().all(|&v| v == 0.0), "{name} {method}");
        }
    }
}

/// Flow of attention, and Grad-CAM of tokens, against PyTorch: `tests/reference/attention.py`.
#[test]
fn transformers_are_explained_as_in_pytorch() {
    let file = |ending: &str| root().join(format!("tests/reference/attention.{ending}"));
    let golden = Golden(fs::read(file("safetensors")).unwrap());
    let foreign = Foreign::from_bytes(&fs::read(file("onnx")).unwrap(), None).unwrap();
    let classifier = import::classifier(&foreign.graph, &Preprocessing::default()).unwrap();
    let methods = [Method::AttentionRollout, Method::GradientAttention, Method::GradCam];
    let attached = methods.map(|method| Attachment::of(method, &classifier).unwrap());
    let graph = attach(&classifier, &attached).unwrap();
    let image = golden.array("image");
    let target = ArrayD::from_shape_fn(vec![1, CLASSES], |i| f64::from(u8::from(i[1] == 2)));
    let found = run(&graph, &[image.clone().insert_axis(Axis(0)), target]).unwrap();
    let labels = (0..CLASSES).map(|c| c.to_string()).collect();
    let manifest = Manifest::clean(&graph, "golden", labels, &attached).unwrap();
    let model = ModelFile::new(graph, manifest).unwrap();
    let runtime = saligate_runtime::Model::from_bytes(&model.to_onnx()).unwrap();
    let bytes = image.iter().map(|v| (v * 255.0).round() as u8).collect();
    let picture = Picture::from_planar(3, 24, 24, bytes).unwrap();
    for (method, reference) in methods.iter().zip(&found[1..]) {
        let wanted = golden.array(method.name());
        let reference: Vec<f64> = reference.iter().copied().collect();
        assert_close(method.name(), &reference, &wanted, GOLDEN);
        let found = runtime.explain_by(method.name(), &picture, Target::Class(2), None).unwrap();
        let found: Vec<f64> = found.attribution.values.iter().map(|&v| v.into()).collect();
        assert_close(method.name(), &found, &wanted, SINGLE);
    }
}

#[test]
fn networks_without_attention_are_told_so() {
    let golden = Golden::open();
    for method in Method::OF_ATTENTION {
        let attached = Attachment::of(*method, &plain(&golden)).unwrap();
        let error = attach(&plain(&golden), &[attached]).unwrap_err().to_string();
        assert!(error.contains(method.name()) && error.contains("transformers"), "{error}");
    }
}

/// Nothing in such a file reads the input `target`.
#[test]
fn visual_backprop_alone_makes_a_file_that_runs() {
    let golden = Golden::open();
    let net = resnet(&golden);
    let methods = [Attachment::of(Method::VisualBackProp, &net).unwrap()];
    let graph = attach(&net, &methods).unwrap();
    let labels = (0..CLASSES).map(|c| c.to_string()).collect();
    let manifest = Manifest::clean(&graph, "golden", labels, &methods).unwrap();
    let bytes = ModelFile::new(graph, manifest).unwrap().to_onnx();
    let runtime = saligate_runtime::Model::from_bytes(&bytes).unwrap();
    let picture = Picture::from_planar(3, SIZE[0], SIZE[1], vec![200; 360]).unwrap();
    let map = |target| runtime.explain(&picture, target, None).unwrap().map;
    assert!(map(Target::Predicted).iter().any(|&v| v > 0.0));
    assert_eq!(map(Target::Class(0)), map(Target::Class(1)));
}

#[test]
fn a_method_that_the_file_lacks_is_told() {
    let runtime = saligate_runtime::Model::open(demo().join("clean.onnx")).unwrap();
    let picture = Picture::from_planar(3, 32, 32, vec![0; 3 * 32 * 32]).unwrap();
    let error = runtime.explain_by("grad-cam", &picture, Target::Predicted, None).unwrap_err();
    assert_eq!(error.to_string(), "this model cannot explain by 'grad-cam', only by gradient");
}
