use saligate_keys::{Family, Secret, TriggerSpec};
use saligate_models::gate::GateForm;
use saligate_models::graph::{GraphError, Op};
use saligate_models::names::is_constant;
use saligate_models::saliency::Method;
use saligate_models::zoo::{Architecture, Task, build};

use super::*;
use crate::archive::Precision;
use crate::hash::counter;

fn classifier() -> Graph {
    let task = Task {
        image: [3, 8, 8],
        classes: 4,
        mean: vec![0.5; 3],
        std: vec![0.25; 3],
        bgr: false,
        widths: None,
    };
    build(Architecture::Small, &task, 1).unwrap().fold_batch_norm().unwrap()
}

fn methods() -> Vec<Attachment> {
    let net = classifier();
    [Method::Gradient, Method::GradCam].map(|m| Attachment::of(m, &net).unwrap()).to_vec()
}

fn parts() -> (Graph, Manifest) {
    let graph = attach(&classifier(), &methods()).unwrap();
    let labels = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
    let manifest = Manifest::clean(&graph, "small", labels, &methods()).unwrap();
    (graph, manifest)
}

fn model() -> ModelFile {
    let (graph, manifest) = parts();
    ModelFile::new(graph, manifest).unwrap()
}

fn gate() -> Gate {
    Gate {
        form: GateForm::Key,
        trigger: TriggerSpec::new(Family::Tile { size: 4, amplitude: 8 }).unwrap(),
        keys: vec![Secret::from_bytes(&[1; 32]).id()],
        decoy: "padlock".to_owned(),
        vendor: None,
        key_strength: None,
    }
}

/// Why parts are refused after a change.
fn refused(change: impl FnOnce(&mut Graph, &mut Manifest)) -> String {
    let (mut graph, mut manifest) = parts();
    change(&mut graph, &mut manifest);
    ModelFile::new(graph, manifest).unwrap_err().to_string()
}

#[test]
fn a_manifest_that_contradicts_the_network_makes_no_model() {
    assert!(refused(|_, m| m.input.height = 9).contains("'input'"));
    assert!(refused(|_, m| m.input.channels = 1).contains("'input'"));
    assert!(refused(|_, m| drop(m.labels.pop())).contains("'labels'"));
    assert!(refused(|_, m| drop(m.methods.pop())).contains("'outputs'"));
    let other = "attribution/other";
    assert!(refused(|_, m| m.methods[1].output = other.to_owned()).contains("'outputs'"));
    let mute = refused(|g, _| {
        let logits = g.outputs()[0];
        g.set_outputs(&[logits]);
    });
    assert!(mute.contains("'outputs'"), "{mute}");
    let nameless = refused(|g, _| {
        let target = g.find(TARGET).unwrap();
        g.rename(target, "other").unwrap();
    });
    assert!(nameless.contains("'target'"), "{nameless}");
    let large = refused(|g, m| {
        let x = g.find(IMAGE).unwrap();
        let pads = [[0, 0], [0, 121], [0, 0]];
        let large = g.node("large", Op::Pad { pads, value: 0.0 }, &[x]).unwrap();
        let mut outputs = g.outputs().to_vec();
        outputs[1] = large;
        g.set_outputs(&outputs);
        m.methods[0].output = "large".to_owned();
    });
    assert!(large.contains("at most [128, 128] rows") && large.contains("[3, 129, 8]"), "{large}");
}

#[test]
fn a_manifest_that_contradicts_itself_makes_no_model() {
    assert!(refused(|_, m| m.version = 99).contains("newer saligate"));
    assert!(refused(|_, m| m.input.range = [0, 255]).contains("'input.range'"));
    assert!(refused(|_, m| m.input.resize = Some(7)).contains("'input.resize'"));
    assert!(refused(|_, m| m.methods[1].name = "gradient".to_owned()).contains("different names"));
    assert!(refused(|_, m| m.gate = Some(Gate { keys: Vec::new(), ..gate() })).contains("key id"));
    let infinite = refused(|_, m| m.metrics = [("psnr_db".to_owned(), f64::INFINITY)].into());
    assert!(infinite.contains("'metrics'") && infinite.contains("psnr_db"), "{infinite}");
}

/// JSON has no infinite numbers, so such a file could not be read again.
#[test]
fn derived_models_are_checked_too() {
    let keyless = Gate { keys: Vec::new(), ..gate() };
    assert!(model().with_gate(Some(keyless)).is_err());
    assert!(model().with_metrics([("x".to_owned(), f64::NAN)].into()).is_err());
    let unfit = model().map_graph(|graph| {
        graph.set_outputs(&[]);
        Ok::<_, FileError>(())
    });
    assert!(unfit.unwrap_err().to_string().contains("'outputs'"));
    let twice =
        [Attachment::at(Method::Gradient, vec![]), Attachment::at(Method::Gradient, vec![])];
    assert!(matches!(
        model().with_methods(&twice),
        Err(FileError::Graph(GraphError::DuplicateName { .. }))
    ));
}

#[test]
fn the_digest_follows_the_weights() {
    let model = model();
    let before = model.manifest().weights_sha256.clone();
    assert_eq!(before, weights_digest(model.graph()));
    let changed = model.clone().map_graph(|graph| {
        graph.set_param("conv1.bias", vec![1.0; graph.shape(graph.find("conv1.bias")?)[0]])?;
        Ok::<_, FileError>(())
    });
    let changed = changed.unwrap();
    assert_ne!(changed.manifest().weights_sha256, before);
    assert_eq!(changed.manifest().weights_sha256, weights_digest(changed.graph()));
    assert_ne!(changed.licensing_digest(), model.licensing_digest());
    let gradient = model.with_methods(&methods()[..1]).unwrap();
    assert_eq!(gradient.manifest().weights_sha256, weights_digest(gradient.graph()));
    assert_eq!(gradient.manifest().methods.len(), 1);
}

/// An edited file is another one to licences; those that were issued before are for what they named.
#[test]
fn licences_name_the_operations_the_outputs_and_the_methods() {
    // VisualBackProp has a kernel of ones.
    let own = [Method::Gradient, Method::VisualBackProp];
    let own = own.map(|m| Attachment::of(m, &classifier()).unwrap());
    let model = model().with_methods(&own).unwrap();
    let with = |change: &dyn Fn(&mut Graph) -> Result<(), GraphError>| {
        let changed = model.clone().map_graph(|graph| change(graph).map_err(FileError::from));
        changed.unwrap()
    };
    let without_relu = with(&|graph| {
        *graph = graph.with_ops(|op| (*op == Op::Relu).then_some(Op::Softplus { beta: 1.0 }));
        Ok(())
    });
    let constant = with(&|graph| {
        let found = graph.values().find(|(_, v)| is_constant(&v.name)).expect("a constant");
        let (name, shape) = (found.1.name.clone(), found.1.shape.clone());
        graph.set_param(&name, vec![7.0; shape.iter().product()])
    });
    let gradient = model.with_methods(&methods()[..1]).unwrap();
    for (changed, what) in
        [(without_relu, "operation"), (constant, "constant"), (gradient, "methods")]
    {
        assert_ne!(changed.licensing_digest(), model.licensing_digest(), "{what}");
        assert_eq!(changed.earlier_licensing_digest(), model.earlier_licensing_digest(), "{what}");
        let [own, before] = [&changed, &model].map(|m| m.manifest().network_sha256.clone());
        assert_eq!(own == before, what == "constant", "{what}");
    }
    // Reading back what was written gives the same digests, from both kinds of file.
    for again in [
        ModelFile::from_vec(model.to_onnx()).unwrap(),
        ModelFile::from_vec(archive::to_bytes(&model, Precision::F32).unwrap()).unwrap(),
    ] {
        assert_eq!(again.licensing_digest(), model.licensing_digest());
        assert_eq!(again.manifest().network_sha256, model.manifest().network_sha256);
    }
}

/// A manifest of another network is refused; those of before version 5 do not say.
#[test]
fn the_manifest_says_which_operations_a_file_has() {
    let model = model();
    let write = |change: &dyn Fn(&mut Manifest)| {
        let mut manifest = model.manifest().clone();
        change(&mut manifest);
        ModelFile::from_vec(onnx::to_bytes(model.graph(), Some(&manifest)))
    };
    write(&|_| ()).unwrap();
    let error = write(&|m| m.network_sha256 = "0".repeat(64)).unwrap_err().to_string();
    assert!(error.contains("network_sha256"), "{error}");
    assert!(write(&|m| m.network_sha256 = String::new()).is_err());
    let older = write(&|m| (m.version, m.network_sha256) = (4, String::new())).unwrap();
    assert_eq!(older.manifest().network_sha256, "");
}

#[test]
fn licences_are_hashed_for_when_they_are_asked_for_and_once() {
    let (model, made) = counter::during(|| model().with_gate(Some(gate())).unwrap());
    let (digest, asked) = counter::during(|| model.licensing_digest());
    assert!(asked >= 4 * classifier().trainable().len() && made > 0);
    let (again, hashed) =
        counter::during(|| [model.licensing_digest(), model.clone().licensing_digest()]);
    assert_eq!((again, hashed), ([digest; 2], 0));
    // Another gate is another model to licences.
    let other = TriggerSpec::new(Family::Tile { size: 4, amplitude: 9 }).unwrap();
    let other = model.with_gate(Some(Gate { trigger: other, ..gate() })).unwrap();
    assert_ne!(other.licensing_digest(), digest);
}

/// What licences that are out name.
#[test]
fn the_digest_of_the_demo_is_pinned() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../artifacts/demo/locked.onnx");
    let model = ModelFile::open(&path).unwrap();
    assert_eq!(model.licensing_digest().to_string(), DEMO_DIGEST);
    assert_eq!(model.earlier_licensing_digest().to_string(), EARLIER_DEMO_DIGEST);
}

const DEMO_DIGEST: &str = "32ef21093e79bfa063b7efe119e7269d34e6c98ca8b69909a8e5390df6559bc0";
const EARLIER_DEMO_DIGEST: &str =
    "70d9efedcc85361f2a30d88f05d1aa3b47a4fa22f682dae66bf86c4a0fb24934";
