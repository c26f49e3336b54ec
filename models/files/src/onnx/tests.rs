use std::fs;

use prost::Message;
use saligate_models::graph::{ConvAttrs, Graph, Op, PoolAttrs, Range, Source, Value};
use saligate_models::random::Stream;
use saligate_models::saliency::{Attachment, Method, attach};
use saligate_models::zoo::{Architecture, Task, build};

use super::*;
use crate::digest::network_digest;
use crate::hash::counter;
use crate::manifest::NETWORK_DIGEST_SINCE;
use crate::weights_digest;

fn methods(net: &Graph) -> Vec<Attachment> {
    let convolutional = Method::ALL.iter().filter(|m| !Method::OF_ATTENTION.contains(m));
    convolutional.map(|m| Attachment::of(*m, net).unwrap()).collect()
}

fn classifier(architecture: Architecture) -> Graph {
    let task = Task {
        image: [3, 8, 8],
        classes: 4,
        mean: vec![0.5; 3],
        std: vec![0.25; 3],
        bgr: false,
        widths: None,
    };
    build(architecture, &task, 1).unwrap().fold_batch_norm().unwrap()
}

fn net(architecture: Architecture) -> Graph {
    let net = classifier(architecture);
    attach(&net, &methods(&net)).unwrap()
}

fn parts() -> (Graph, Manifest) {
    let graph = net(Architecture::Small);
    let manifest = Manifest::clean(
        &graph,
        "small",
        vec!["a".into(), "b".into(), "c".into(), "d".into()],
        &methods(&classifier(Architecture::Small)),
    );
    (graph, manifest.unwrap())
}

fn model() -> ModelFile {
    let (graph, manifest) = parts();
    ModelFile::new(graph, manifest).unwrap()
}

/// What reading says of a file of these parts, whatever they say of each other.
fn reread_parts((graph, mut manifest): (Graph, Manifest)) -> Result<ModelFile, FileError> {
    manifest.weights_sha256 = weights_digest(&graph);
    if manifest.version >= NETWORK_DIGEST_SINCE {
        manifest.network_sha256 = network_digest(&graph, &manifest);
    }
    ModelFile::from_vec(to_bytes(&graph, Some(&manifest)))
}

fn reread(graph: &Graph) -> Graph {
    read::model(to_bytes(graph, None).into()).unwrap().graph
}

#[test]
fn what_is_written_is_read_back() {
    for architecture in &[Architecture::Small, Architecture::ResNet20] {
        let graph = net(*architecture);
        let once = reread(&graph);
        assert_eq!(to_bytes(&once, None).len(), to_bytes(&graph, None).len());
        assert_eq!(weights_digest(&once), weights_digest(&graph));
        let again = reread(&once);
        assert_eq!(again, once, "{architecture}");
    }
}

#[test]
fn every_operation_survives_a_round_trip() {
    let mut g = Graph::new();
    let x = g.input("image", &[1, 4, 6, 6]).unwrap();
    let along = |start, end, step| Range { start, end, step };
    let unary = [
        Op::Relu,
        Op::Sign,
        Op::Softplus { beta: 1.0 },
        Op::Sigmoid { beta: 1.0 },
        Op::MaxPool(PoolAttrs { kernel: [3, 2], stride: [2, 2], pads: [1, 0, 1, 1] }),
        Op::AveragePool(PoolAttrs { kernel: [3, 2], stride: [2, 2], pads: [1, 0, 1, 1] }),
        Op::GlobalAveragePool,
        Op::Flatten,
        Op::Reshape { shape: vec![12, 12] },
        Op::Pad { pads: [[1, 0], [2, 3], [0, 1]], value: f32::NEG_INFINITY },
        Op::Slice { ranges: [along(1, 3, 1), along(0, 6, 2), along(1, 5, 3)] },
        Op::DepthToSpace { block: 2 },
        Op::ReduceSum { axes: vec![1, 3] },
        Op::Concat,
        Op::Round,
        Op::Clip { low: -0.5, high: 0.5 },
        Op::LeakyRelu { alpha: 0.25 },
        Op::Silu,
        Op::HardSigmoid { alpha: 0.25, beta: 0.75 },
        Op::HardSwish,
        Op::Transpose { order: vec![3, 1, 2] },
        Op::Exp,
        Op::Log,
        Op::Erf,
        Op::Power { exponent: -0.5 },
    ];
    let mut outputs = Vec::new();
    for (i, op) in unary.iter().enumerate() {
        outputs.push(g.node(&format!("n{i}"), op.clone(), &[x]).unwrap());
    }
    let w = g.param("w", &[6, 2, 3, 3], vec![0.5; 108]).unwrap();
    let attrs = ConvAttrs { stride: [2, 1], pads: [1, 0, 1, 2], dilation: [1, 2], groups: 2 };
    let y = g.node("conv", Op::Conv(attrs), &[x, w]).unwrap();
    let back = Op::ConvTranspose { conv: attrs, output_padding: [1, 0] };
    outputs.push(g.node("back", back, &[y, w]).unwrap());
    let stats = ["s", "b", "m", "v"].map(|n| g.param(n, &[6], vec![1.0; 6]).unwrap());
    let operands = [&[y], stats.as_slice()].concat();
    outputs.push(g.node("norm", Op::BatchNorm { epsilon: 1e-3 }, &operands).unwrap());
    let flat = g.find("n7").unwrap();
    let dense = g.param("dense", &[3, 144], vec![0.5; 432]).unwrap();
    let scores = g.node("scores", Op::Gemm { transposed: false }, &[flat, dense]).unwrap();
    outputs.push(g.node("wide", Op::Gemm { transposed: true }, &[scores, dense]).unwrap());
    outputs.push(g.node("product", Op::MatMul, &[x, x]).unwrap());
    outputs.push(g.node("hot", Op::OneHotArgMax, &[scores]).unwrap());
    g.set_outputs(&outputs);

    let again = reread(&g);
    for (_, value) in g.values() {
        let twin = again.value(again.find(&value.name).unwrap());
        let op = |v: &Value| match &v.source {
            Source::Node { op, .. } => Some(op.clone()),
            _ => None,
        };
        assert_eq!((op(twin), &twin.shape), (op(value), &value.shape), "{}", value.name);
    }
}

#[test]
fn a_truncated_file_is_an_error_at_every_length() {
    let bytes = model().to_onnx();
    for length in (0..bytes.len()).step_by(97) {
        assert!(ModelFile::from_bytes(&bytes[..length]).is_err(), "{length} of {}", bytes.len());
    }
}

#[test]
fn flipped_weights_are_noticed() {
    let model = model();
    let file = proto::ModelProto::decode(model.to_onnx().as_slice()).unwrap();
    for (_, value) in model.graph().values() {
        let Source::Param(data) = &value.source else { continue };
        for at in [0, 2 * data.len(), 4 * data.len() - 1] {
            let mut damaged = file.clone();
            let tensors = &mut damaged.graph.as_mut().unwrap().initializer;
            let tensor = tensors.iter_mut().find(|t| t.name == value.name).unwrap();
            let mut raw = tensor.raw_data.to_vec();
            raw[at] ^= 1;
            tensor.raw_data = raw.into();
            let read = ModelFile::from_vec(damaged.encode_to_vec());
            assert!(read.is_err(), "byte {at} of {}", value.name);
        }
    }
}

#[test]
fn random_damage_is_an_error_or_harmless_and_never_a_panic() {
    let model = model();
    let bytes = model.to_onnx();
    let mut stream = Stream::new(1, "random damage");
    for _ in 0..2_000 {
        let mut damaged = bytes.clone();
        for _ in 0..1 + stream.below(3) {
            let at = stream.below(damaged.len());
            damaged[at] ^= 1 << stream.below(8);
        }
        if let Ok(read) = ModelFile::from_bytes(&damaged) {
            // What is read must be what its digest says: names and notes may differ, not weights.
            assert_eq!(weights_digest(read.graph()), read.manifest().weights_sha256);
        }
    }
}

#[test]
fn nan_weights_are_named() {
    let mut graph = proto::ModelProto::decode(model().to_onnx().as_slice()).unwrap();
    let tensors = &mut graph.graph.as_mut().unwrap().initializer;
    let tensor = tensors.iter_mut().find(|t| t.name == "conv1.weight").unwrap();
    tensor.raw_data = [&f32::NAN.to_le_bytes(), &tensor.raw_data[4..]].concat().into();
    let error = ModelFile::from_bytes(&graph.encode_to_vec()).unwrap_err();
    assert!(error.to_string().contains("'conv1.weight' holds a NaN"), "{error}");
}

#[test]
fn an_unsupported_operation_is_named_with_its_node() {
    let mut graph = proto::ModelProto::decode(model().to_onnx().as_slice()).unwrap();
    graph.graph.as_mut().unwrap().node[1].op_type = "NonZero".to_owned();
    let error = ModelFile::from_bytes(&graph.encode_to_vec()).unwrap_err().to_string();
    assert!(error.contains("NonZero") && error.contains("supported are Abs, Add"), "{error}");
}

#[test]
fn a_model_without_a_manifest_says_so() {
    let error = ModelFile::from_bytes(&to_bytes(&net(Architecture::Small), None)).unwrap_err();
    assert!(matches!(error, FileError::Manifest(ManifestError::Missing)));
}

#[test]
fn a_newer_manifest_is_not_guessed_at() {
    let (graph, mut newer) = parts();
    newer.version = 99;
    let error = reread_parts((graph, newer)).unwrap_err().to_string();
    assert!(error.contains("newer saligate"), "{error}");
}

/// The same check, whether a model is made or read.
#[test]
fn a_file_that_contradicts_itself_is_refused() {
    let (graph, mut wrong) = parts();
    wrong.labels.pop();
    let error = reread_parts((graph, wrong)).unwrap_err().to_string();
    assert!(error.contains("'labels'"), "{error}");
}

#[test]
fn a_method_that_is_not_known_here_is_kept() {
    let (graph, mut other) = parts();
    other.methods[0].name = "a method of tomorrow".to_owned();
    let read = reread_parts((graph, other)).unwrap();
    assert_eq!(read.manifest().method().name, "a method of tomorrow");
}

#[test]
fn a_manifest_of_version_one_has_no_layers() {
    let (graph, mut old) = parts();
    old.version = 1;
    old.methods.iter_mut().for_each(|m| m.layers.clear());
    assert!(!old.to_json().contains("layers"));
    let read = reread_parts((graph, old)).unwrap();
    assert!(read.manifest().methods.iter().all(|m| m.layers.is_empty()));
}

#[test]
fn a_file_is_hashed_once_when_it_is_opened() {
    let model = model();
    let bytes = model.to_onnx();
    let (_, once) = counter::during(|| {
        (weights_digest(model.graph()), network_digest(model.graph(), model.manifest()))
    });
    assert!(once >= 4 * model.graph().parameter_count());
    let (read, hashed) = counter::during(|| ModelFile::from_vec(bytes).unwrap());
    assert_eq!(hashed, once);
    let (_, hashed) = counter::during(|| read.to_onnx());
    assert_eq!(hashed, 0, "what was checked needs no digest when it is written");
}

#[test]
fn cycles_and_missing_values_are_errors() {
    let read = |operand: &str| {
        let mut graph = proto::ModelProto::decode(model().to_onnx().as_slice()).unwrap();
        graph.graph.as_mut().unwrap().node[0].input[0] = operand.to_owned();
        ModelFile::from_bytes(&graph.encode_to_vec()).unwrap_err()
    };
    assert!(matches!(read("logits"), FileError::Onnx(OnnxError::Cycle { .. })));
    assert!(matches!(read("nothing"), FileError::Onnx(OnnxError::Undefined { .. })));
}

#[test]
fn saving_replaces_the_file_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    fs::write(&path, b"old").unwrap();
    let model = model();
    model.save(&path).unwrap();
    assert_eq!(ModelFile::open(&path).unwrap(), ModelFile::from_bytes(&model.to_onnx()).unwrap());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
