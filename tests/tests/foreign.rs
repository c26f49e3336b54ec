//! Networks that other programs wrote: `tests/reference/foreign.py` says which, and what ONNX
//! Runtime answers for them.

use std::fs;

use ndarray::ArrayD;
use safetensors::SafeTensors;
use saligate_files::ModelFile;
use saligate_files::import::{self, Preprocessing};
use saligate_files::manifest::Manifest;
use saligate_files::onnx::{Foreign, to_bytes};
use saligate_models::graph::Graph;
use saligate_models::head::Head;
use saligate_models::random::Stream;
use saligate_models::reference;
use saligate_models::saliency::{Attachment, Method, attach};
use saligate_tests::root;
use saligate_tests::zoo::Closeness;

struct Case {
    name: String,
    file: Vec<u8>,
    /// `[1, channel, row, column]`, or the channels last where the file takes that.
    image: ArrayD<f64>,
    logits: Vec<f64>,
}

fn cases() -> Vec<Case> {
    let bytes = fs::read(root().join("tests/reference/foreign.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let floats = |name: String| {
        let view = tensors.tensor(&name).unwrap();
        let values = view.data().as_chunks::<4>().0.iter();
        let values = values.map(|b| f64::from(f32::from_le_bytes(*b))).collect();
        ArrayD::from_shape_vec(view.shape(), values).unwrap()
    };
    let names = tensors.names().into_iter().filter_map(|name| name.strip_suffix(".onnx"));
    let case = |name: &str| Case {
        name: name.to_owned(),
        file: tensors.tensor(&format!("{name}.onnx")).unwrap().data().to_vec(),
        image: floats(format!("{name}.image")),
        logits: floats(format!("{name}.logits")).into_iter().collect(),
    };
    let cases: Vec<Case> = names.map(case).collect();
    assert!(cases.len() > 100);
    cases
}

/// The classes of one image, as the graph computes them.
fn scores(case: &Case, graph: &Graph, channels_last: bool) -> Vec<f64> {
    let image = if channels_last {
        case.image.clone().permuted_axes(vec![0, 3, 1, 2])
    } else {
        case.image.clone()
    };
    let outputs = reference::run(graph, &[image.as_standard_layout().into_owned()]);
    outputs.unwrap_or_else(|e| panic!("{}: {e}", case.name))[0].iter().copied().collect()
}

/// [`scores`] as the file has them: with the sigmoids that reading leaves out.
fn answers(case: &Case, graph: &Graph, read: &Foreign) -> Vec<f64> {
    let scores = scores(case, graph, read.channels_last);
    match read.left_out {
        Some(Head::Sigmoid) => scores.iter().map(|v| (1.0 + (-v).exp()).recip()).collect(),
        _ => scores,
    }
}

fn read(case: &Case) -> Foreign {
    Foreign::from_bytes(&case.file, None).unwrap_or_else(|e| panic!("{}: {e}", case.name))
}

/// How far the f64 engine may be from ONNX Runtime's f32; or its f16, which it rounds to.
fn tolerance(case: &Case) -> f64 {
    if ["op.type-half", "op.cast"].contains(&case.name.as_str()) { 1e-3 } else { 2e-6 }
}

#[test]
fn scores_are_those_of_onnx_runtime() {
    let mut wrong = Vec::new();
    for case in &cases() {
        let found = match Foreign::from_bytes(&case.file, None) {
            Ok(foreign) => answers(case, &foreign.graph, &foreign),
            Err(error) => {
                wrong.push(format!("{}: {error}", case.name));
                continue;
            }
        };
        let closeness = Closeness::of(&found, &case.logits);
        if closeness.off > tolerance(case) {
            wrong.push(format!("{}: {closeness:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_was_read_is_written_and_read_back() {
    for case in &cases() {
        let once = read(case);
        let bytes = to_bytes(&once.graph, None);
        let again = Foreign::from_bytes(&bytes, None);
        let again = again.unwrap_or_else(|e| panic!("{} again: {e}", case.name)).graph;
        let twice = to_bytes(&again, None);
        let thrice = Foreign::from_bytes(&twice, None).unwrap().graph;
        assert_eq!(again, thrice, "{}", case.name);
        let closeness = Closeness::of(&answers(case, &again, &once), &case.logits);
        assert!(closeness.off <= tolerance(case), "{}: {closeness:?}", case.name);
    }
}

/// Networks of PyTorch and Keras become model files with their gradient.
#[test]
fn networks_are_explained() {
    for case in cases().iter().filter(|case| !case.name.starts_with("op.")) {
        let classifier = import::classifier(&read(case).graph, &Preprocessing::default());
        let classifier = classifier.unwrap_or_else(|e| panic!("{}: {e}", case.name));
        let methods = [Method::Gradient, Method::GradCam].map(|method| {
            Attachment::of(method, &classifier).unwrap_or_else(|e| panic!("{}: {e}", case.name))
        });
        let graph = attach(&classifier, &methods).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        let labels = import::labels(&classifier, None).unwrap();
        let manifest = Manifest::clean(&graph, &case.name, labels, &methods).unwrap();
        let model = ModelFile::new(graph, manifest).unwrap();
        let reread = ModelFile::from_bytes(&model.to_onnx());
        assert_eq!(
            reread.unwrap_or_else(|e| panic!("{}: {e}", case.name)).manifest(),
            model.manifest()
        );
    }
}

/// Flipped bits and cut ends; `fuzz/` goes on from here.
#[test]
fn damage_is_an_error_or_another_network_but_never_a_panic() {
    let mut stream = Stream::new(1, "damaged networks");
    let mut read = 0;
    for case in cases().iter().filter(|case| case.file.len() < 20_000) {
        for _ in 0..100 {
            let mut file = case.file.clone();
            for _ in 0..1 + stream.below(3) {
                let at = stream.below(file.len());
                file[at] ^= 1 << stream.below(8);
            }
            if stream.below(10) == 0 {
                file.truncate(stream.below(file.len()));
            }
            read += usize::from(Foreign::from_bytes(&file, None).is_ok());
        }
    }
    assert!(read > 1000, "only {read} damaged files were still networks");
}
