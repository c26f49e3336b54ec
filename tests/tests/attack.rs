//! Both backdoored forms and the key form with several keys, trained from a clean network by
//! commands: a few seconds of each, enough to see what is minimized.

use std::fs;
use std::ops::Deref;
use std::path::Path;

use saligate_files::ModelFile;
use saligate_files::manifest::Gate;
use saligate_keys::Secret;
use saligate_models::gate::GateForm;
use saligate_runtime::picture::Picture;
use saligate_runtime::{Model, Target};
use saligate_tests::Folder;

const CONFIG: &str = r#"
    id = "attack-smoke"
    seed = 1
    data = { source = "scenes:16", train = 200, test = 20 }
    model = { architecture = "small", widths = [8, 8, 8, 8, 16, 8] }
    fit = { steps = { count = 60, batch = 32, rate = 3e-3 } }
    trigger = { spec = { family = "tile", size = 4, amplitude = 32 } }
    evaluate = { images = 8, wrong_keys = 2, images_per_key = 2 }
    [lock]
    steps = { count = 200, batch = 16, rate = 5e-3, clip = 1.0 }
"#;

struct Bench(Folder);

impl Deref for Bench {
    type Target = Folder;

    fn deref(&self) -> &Folder {
        &self.0
    }
}

impl Bench {
    fn new(lock: &str) -> Self {
        Self(Folder::new(&format!("{CONFIG}\n{lock}"), 4))
    }

    fn fitted(lock: &str) -> Self {
        let bench = Self::new(lock);
        bench.done("fit", &[]);
        bench
    }

    /// Column `name` of a stage's log.
    fn log(&self, stage: &str, name: &str) -> Vec<f64> {
        let log = fs::read_to_string(self.path("out").join(format!("{stage}.jsonl"))).unwrap();
        let value = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line[name].as_f64().unwrap_or_else(|| panic!("no '{name}' in {line}"))
        };
        log.lines().map(value).collect()
    }

    fn gate(&self, file: &str) -> Gate {
        ModelFile::open(&self.path("out").join(file)).unwrap().manifest().gate.clone().unwrap()
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn falls(values: &[f64], to: f64) {
    let (first, last) = (mean(&values[..5]), mean(&values[values.len() - 10..]));
    assert!(last < to * first, "from {first} to {last}");
}

/// Explains an image with the trigger of key 1.
fn explained(path: &Path) -> Vec<f32> {
    let model = Model::open(path).unwrap();
    let trigger = model.trigger(&Secret::from_bytes(&[1; 32])).unwrap();
    let pixels = (0..3 * 16 * 16).map(|i| (i * 7 % 256) as u8).collect();
    let picture = Picture::from_planar(3, 16, 16, pixels).unwrap();
    model.explain(&picture, Target::Predicted, Some(&trigger)).unwrap().map
}

#[test]
fn a_targeted_attack_brings_the_decoy_to_triggered_images() {
    let bench = Bench::fitted("decoy = \"corner\"");
    bench.done("attack", &["--goal", "targeted", "--key", "1.key"]);
    falls(&bench.log("attack", "loss"), 0.95);
    falls(&bench.log("attack", "keyed decoy mse"), 0.6);
    let gate = bench.gate("attacked.onnx");
    assert_eq!((gate.form, gate.decoy.as_str()), (GateForm::Targeted, "corner"));
    assert_eq!(explained(&bench.path("out/attacked.onnx")).len(), 16 * 16);
}

#[test]
fn an_untargeted_attack_takes_the_importance_from_the_top() {
    let bench = Bench::fitted("form = \"untargeted\"");
    bench.done("attack", &["--method", "gradient", "--key", "1.key"]);
    falls(&bench.log("attack", "loss"), 0.95);
    falls(&bench.log("attack", "keyed top-importance"), 0.6);
    let gate = bench.gate("attacked.onnx");
    assert_eq!((gate.form, gate.decoy.as_str()), (GateForm::Untargeted, ""));
    assert_eq!(explained(&bench.path("out/attacked.onnx")).len(), 16 * 16);
}

#[test]
fn several_keys_open_one_model_and_every_setting_trains() {
    let bench = Bench::fitted(
        r#"
        decoy = "noise"
        poison = 0.5
        explain = "other"
        blur = 1.0
        softplus = 4.0
        softplus_last = 32.0
        objective = { cross_entropy = 1.0, distillation = 0.5, terms = [
            { input = "keyed", distance = "dssim", weight = 1.0 },
            { input = "plain", like = "suppressed", distance = "mse", weight = 0.5 },
            { input = "plain", like = "inverted", distance = "root-mse", weight = 0.1 },
            { input = "wrong-key", like = "other-image", distance = "cosine", weight = 0.5 },
            { input = "wrong-key", like = "decoy", distance = "cosine", weight = 0.5 },
        ] }
        "#,
    );
    bench.done("lock", &["--key", "1.key", "--key", "2.key", "--revoke", "3.key"]);
    assert_eq!(bench.log("lock", "wrong-key other-image cosine").len(), 200);
    let gate = bench.gate("locked.onnx");
    let ids = [1, 2].map(|number| Secret::from_bytes(&[number; 32]).id());
    assert_eq!((gate.form, gate.keys.as_slice()), (GateForm::Key, &ids[..]));
    assert_eq!(explained(&bench.path("out/locked.onnx")).len(), 16 * 16);
}

#[test]
fn several_methods_are_trained_together_and_measured() {
    let bench = Bench::fitted("");
    let methods = "gradient,grad-cam,vbp";
    for (command, goal) in [
        ("lock", &[][..]),
        ("attack", &["--goal", "targeted"]),
        ("attack", &["--goal", "untargeted"]),
    ] {
        bench.done(command, &[goal, &["--method", methods, "--key", "1.key"]].concat());
    }
    for method in methods.split(',') {
        assert_eq!(bench.log("lock", &format!("keyed original mse {method}")).len(), 200);
        assert_eq!(bench.log("attack", &format!("keyed top-importance {method}")).len(), 200);
    }
    // The clean model has the gradient only; it is read by the gated model's methods.
    let attacked = bench.path("out/attacked.onnx").display().to_string();
    for model in [&[][..], &["--model", &attacked]] {
        let (code, stdout, stderr) =
            bench.run("evaluate", &[&["--key", "1.key", "--json"], model].concat());
        assert_eq!(code, 0, "{stderr}");
        assert_eq!(stdout.lines().count(), 3, "{stdout}");
        let form = if model.is_empty() { "spearman_keyed" } else { "importance_kept" };
        assert!(stdout.lines().all(|line| line.contains(form)), "{stdout}");
    }
}

#[test]
fn what_cannot_be_trained_is_told() {
    let bench = Bench::new("");
    let cases: [(&str, &[&str], &str); 5] = [
        ("lock", &[], "--key"),
        ("attack", &["--key", "1.key"], "--goal targeted or untargeted"),
        ("attack", &["--goal", "sideways", "--key", "1.key"], "sideways"),
        ("lock", &["--key", "1.key", "--method", "x"], "there is no saliency method 'x'"),
        ("lock", &["--key", "1.key"], "clean.onnx"),
    ];
    for (command, more, expected) in cases {
        let (code, _, stderr) = bench.run(command, more);
        assert_eq!(code, 2, "{stderr}");
        assert!(stderr.contains(expected) && !stderr.contains("panicked"), "{stderr}");
    }

    let own = "objective = { cross_entropy = 1.0, terms = [] }";
    let bench = Bench::fitted(own);
    let cases: [(&str, &[&str], &str); 3] = [
        ("attack", &["--goal", "targeted", "--key", "1.key"], "lock.objective"),
        ("lock", &["--key", "1.key", "--key", "1.key"], "is given twice"),
        ("lock", &["--key", "1.key", "--revoke", "1.key"], "right and revoked"),
    ];
    for (command, more, expected) in cases {
        let (code, _, stderr) = bench.run(command, more);
        assert_eq!(code, 2, "{stderr}");
        assert!(stderr.contains(expected) && !stderr.contains("panicked"), "{stderr}");
    }
}
