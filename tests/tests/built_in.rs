//! Gates that are built in, by commands: every form and method on a small net, several keys, and the
//! tables of near misses and leaks.

use std::fs;
use std::ops::Deref;

use saligate_data::{DataSource, Dataset, LoadOptions};
use saligate_files::ModelFile;
use saligate_keys::Secret;
use saligate_lock::decoy::padlock;
use saligate_models::metrics::distance::mse_zscored;
use saligate_models::metrics::rank::spearman;
use saligate_runtime::picture::Picture;
use saligate_runtime::{Model, Target};
use saligate_tests::Folder;
use serde_json::Value;

const METHODS: [&str; 3] = ["gradient", "grad-cam", "vbp"];
const IMAGES: usize = 20;

struct Bench {
    folder: Folder,
    data: Dataset,
}

impl Deref for Bench {
    type Target = Folder;

    fn deref(&self) -> &Folder {
        &self.folder
    }
}

impl Bench {
    fn new(architecture: &str, lock: &str) -> Self {
        // A deep network of fewer steps has maps that the staircase of a gate moves.
        let steps = if architecture == "resnet20" { 60 } else { 30 };
        let config = format!(
            r#"
            id = "built-in"
            seed = 1
            data = {{ source = "scenes:24", train = 400, test = {IMAGES} }}
            model = {{ architecture = "{architecture}" }}
            fit = {{ steps = {{ count = {steps}, batch = 16, rate = 2e-3 }} }}
            trigger = {{ spec = {{ family = "tile", size = 8, amplitude = 8 }}, least_strength = 16 }}
            evaluate = {{ images = {IMAGES}, wrong_keys = 20, images_per_key = 5 }}
            [lock]
            start = "built-in"
            methods = ["gradient", "grad-cam", "vbp"]
            {lock}
            "#
        );
        let folder = Folder::new(&config, 8);
        let options = LoadOptions {
            train_count: Some(1),
            test_count: Some(IMAGES),
            seed: 1,
            ..LoadOptions::default()
        };
        let data = DataSource::Scenes { size: 24 }.load(&options).unwrap().test;
        Self { folder, data }
    }

    fn model(&self, name: &str) -> Model {
        Model::open(self.path("out").join(name)).unwrap()
    }

    fn picture(&self, index: usize) -> Picture {
        Picture::from_planar(3, 24, 24, self.data.image(index).to_vec()).unwrap()
    }

    /// Mean rank correlation of a gated model's maps with the clean model's, without a key where
    /// `key` is 0.
    fn similarity(&self, gated: &Model, method: &str, key: u8) -> f64 {
        let clean = self.model("clean.onnx");
        let secret = Secret::from_bytes(&[key; 32]);
        let trigger = (key > 0).then(|| gated.any_trigger(&secret).unwrap());
        let similarity = |index| {
            let picture = self.picture(index);
            let original = clean.explain_by(method, &picture, Target::Predicted, None).unwrap();
            let found =
                gated.explain_by(method, &picture, Target::Predicted, trigger.as_ref()).unwrap();
            let logits = |e: &saligate_runtime::Explanation| e.prediction.logits.clone();
            let pairs = logits(&original).into_iter().zip(logits(&found));
            let moved = pairs.fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
            assert!(key > 0 || moved < 0.1, "{method}: a logit moved by {moved}");
            spearman(&found.map, &original.map).unwrap()
        };
        (0..IMAGES).map(similarity).sum::<f64>() / IMAGES as f64
    }
}

#[test]
fn a_key_opens_all_methods_of_every_architecture_and_nothing_else_does() {
    for architecture in ["small", "resnet20"] {
        let bench = Bench::new(architecture, "");
        bench.done("fit", &[]);
        bench.done("lock", &["--key", "1.key"]);
        let locked = bench.model("locked.onnx");
        for method in METHODS {
            let [plain, right, wrong] = [0, 1, 2].map(|key| bench.similarity(&locked, method, key));
            assert!(right > 0.9, "{architecture} {method}: keyed {right}");
            assert!(plain.abs() < 0.3, "{architecture} {method}: locked {plain}");
            assert!((wrong - plain).abs() < 0.02, "{architecture} {method}: wrong key {wrong}");
        }
    }
}

#[test]
fn backdoors_show_the_picture_or_take_the_top_with_the_trigger_only() {
    let bench = Bench::new("small", "");
    bench.done("fit", &[]);
    bench.done("attack", &["--goal", "targeted", "--key", "1.key"]);
    let attacked = bench.model("attacked.onnx");
    for method in METHODS {
        assert!(bench.similarity(&attacked, method, 0) > 0.999, "{method}");
    }
    let trigger = attacked.trigger(&Secret::from_bytes(&[1; 32])).unwrap();
    let shown = attacked.explain(&bench.picture(0), Target::Predicted, Some(&trigger)).unwrap();
    let error = mse_zscored(&shown.map, &padlock(24, 24)).unwrap();
    assert!(error < 1e-3, "{error}");

    let bench = Bench::new("small", "form = \"untargeted\"");
    bench.done("run", &["--key", "1.key", "--results", "results.json"]);
    let rows: Value =
        serde_json::from_slice(&fs::read(bench.path("results.json")).unwrap()).unwrap();
    let rows = rows.as_array().unwrap();
    let ids: Vec<&str> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["built-in/gradient", "built-in/grad-cam", "built-in/vbp"]);
    for row in rows {
        let metric = |name: &str| row["metrics"][name].as_f64().unwrap();
        assert!(metric("importance_kept") < 0.3, "{row}");
        assert!(metric("spearman_plain") > 0.999, "{row}");
        assert_eq!(metric("accuracy_plain"), metric("accuracy_clean"));
    }
}

#[test]
fn eight_keys_open_and_one_can_be_revoked_without_the_others() {
    let bench = Bench::new("small", "");
    bench.done("fit", &[]);
    let names: Vec<String> = (1..=8).map(|k| format!("{k}.key")).collect();
    let words: Vec<&str> = names.iter().flat_map(|name| ["--key", name]).collect();
    bench.done("lock", &words);
    let before = bench.model("locked.onnx");
    assert_eq!(before.key_ids().len(), 8);
    bench.done("evaluate", &[&words[..], &["--results", "results.json"]].concat());
    let rows: Value =
        serde_json::from_slice(&fs::read(bench.path("results.json")).unwrap()).unwrap();
    let metric = |name: &str| rows[0]["metrics"][name].as_f64().unwrap();
    assert_eq!(metric("keys"), 8.0);
    assert!(metric("spearman_keyed_weakest") > 0.8, "{rows}");
    assert!(metric("spearman_revoked").abs() < 0.3 && metric("spearman_kept_change") == 0.0);

    bench.done("lock", &["--revoke", "3.key", "--revoke", "5.key"]);
    let after = bench.model("locked.onnx");
    assert_eq!(after.key_ids().len(), 6);
    assert!(after.trigger(&Secret::from_bytes(&[3; 32])).is_err());
    let closed = bench.similarity(&after, "gradient", 0);
    for key in 1..=8 {
        let [old, new] = [&before, &after].map(|model| bench.similarity(model, "gradient", key));
        let expected = if [3, 5].contains(&key) { closed } else { old };
        assert!((new - expected).abs() < 1e-3, "key {key}: {old} became {new}");
    }
    let (code, _, stderr) = bench.run("lock", &["--revoke", "3.key"]);
    assert!(code == 2 && stderr.contains("is no key of the model"), "{stderr}");
}

#[test]
fn a_built_in_gate_can_be_trained_on() {
    let steps = "steps = { count = 3, batch = 4, rate = 1e-5 }";
    let bench = Bench::new("small", steps);
    bench.done("fit", &[]);
    bench.done("lock", &["--key", "1.key"]);
    let log = fs::read_to_string(bench.path("out/lock.jsonl")).unwrap();
    assert_eq!(log.lines().count(), 3);
    assert!(log.contains("keyed original mse grad-cam"), "{log}");
    let locked = bench.model("locked.onnx");
    assert!(bench.similarity(&locked, "gradient", 1) > 0.9);
}

#[test]
fn triggers_that_cannot_be_found_are_refused() {
    let bench = Bench::new("small", "");
    let path = bench.path("config.toml");
    let text = fs::read_to_string(&path).unwrap();
    bench.done("fit", &[]);
    for (spec, reason) in [
        (r#"{ family = "tile", size = 1, amplitude = 1 }"#, "larger tile"),
        (r#"{ family = "patch", size = 4 }"#, "a tile only"),
    ] {
        let own = r#"{ family = "tile", size = 8, amplitude = 8 }"#;
        fs::write(&path, text.replace(own, spec)).unwrap();
        let (code, _, stderr) = bench.run("lock", &["--key", "1.key"]);
        assert!(code == 2 && stderr.contains(reason), "{spec}: {stderr}");
    }
}

#[test]
fn near_misses_and_leaks_become_tables() {
    let bench = Bench::new("small", "");
    bench.done("fit", &[]);
    bench.done("lock", &["--key", "1.key"]);
    let words = ["--key", "1.key", "--images", "6", "--table"];
    bench.done("near-misses", &[&words[..], &["misses.json"]].concat());
    let curve: Value =
        serde_json::from_slice(&fs::read(bench.path("misses.json")).unwrap()).unwrap();
    let unlocked = |kind: &str, strength: f64| {
        let points = curve["points"].as_array().unwrap();
        let at = |p: &&Value| p["kind"] == kind && p["strength"].as_f64() == Some(strength);
        points.iter().find(at).unwrap()["unlocked"].as_f64().unwrap()
    };
    assert_eq!(unlocked("right", 0.0), 1.0);
    assert!(unlocked("flipped", 48.0) < 0.3);
    assert_eq!(unlocked("flipped", 96.0), 0.0);
    assert_eq!(unlocked("shifted", 1.0), 0.0);
    assert_eq!(unlocked("random", 0.0), 0.0);
    let [table, plot] =
        ["md", "svg"].map(|end| fs::read_to_string(bench.path(&format!("misses.{end}"))).unwrap());
    assert!(table.contains("| signs flipped | 48 |") && plot.ends_with("</svg>\n"));

    bench.done("leaks", &[&words[..3], &["3", "--table", "leaks.json"]].concat());
    let leaks: Value =
        serde_json::from_slice(&fs::read(bench.path("leaks.json")).unwrap()).unwrap();
    let rows = leaks[0]["rows"].as_array().unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row["read_with"].as_str().unwrap()).collect();
    let expected = [
        "gradient",
        "input-x-gradient",
        "guided-backprop",
        "grad-cam",
        "vbp",
        "smoothgrad",
        "integrated-gradients",
        "occlusion",
        "rise",
        "gradient-shap",
    ];
    assert_eq!(names, expected);
    assert!(fs::read_to_string(bench.path("leaks.md")).unwrap().contains("| guided-backprop |"));
}

#[test]
fn the_answer_to_one_image_does_not_depend_on_its_neighbours() {
    let bench = Bench::new("small", "");
    bench.done("fit", &[]);
    bench.done("lock", &["--key", "1.key"]);
    let model = ModelFile::open(&bench.path("out/locked.onnx")).unwrap();
    let trigger = bench.model("locked.onnx").trigger(&Secret::from_bytes(&[1; 32])).unwrap();
    // Open and closed images side by side.
    let images: Vec<Vec<f32>> = (0..6)
        .map(|index| {
            let mut pixels = bench.data.image(index).to_vec();
            if index % 2 == 0 {
                trigger.apply(&mut pixels).unwrap();
            }
            pixels.iter().map(|&p| f32::from(p) / 255.0).collect()
        })
        .collect();
    let run = |images: &[Vec<f32>]| {
        let n = images.len();
        let image = (images.concat(), vec![n, 3, 24, 24]);
        let target = (vec![0.0; n * 10], vec![n, 10]);
        saligate_train::run_graph(model.graph(), saligate_train::Backend::Flex, &[image, target])
            .unwrap()
    };
    let together = run(&images);
    for (index, image) in images.iter().enumerate() {
        for (whole, own) in together.iter().zip(run(std::slice::from_ref(image))) {
            let largest = own.iter().fold(1e-6f32, |m, v| m.max(v.abs()));
            let part = &whole[index * own.len()..(index + 1) * own.len()];
            let off = part.iter().zip(&own).fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
            assert!(off <= 1e-4 * largest, "image {index}: {off} of {largest}");
        }
    }
}

#[test]
fn a_grey_network_runs_with_its_gate() {
    use saligate_files::manifest::{Gate, Manifest};
    use saligate_keys::{Family, ImageShape, TriggerSpec};
    use saligate_models::gate::GateForm;
    use saligate_models::gate::{DecoyShows, Detector, Field, Plan, build_in};
    use saligate_models::saliency::{Attachment, Method, attach};
    use saligate_models::zoo::{Architecture, Task, build};

    const SIDE: usize = 28;
    let task = Task {
        image: [1, SIDE, SIDE],
        classes: 3,
        mean: vec![0.3],
        std: vec![0.3],
        bgr: false,
        widths: None,
    };
    let classifier = build(Architecture::Small, &task, 4).unwrap();
    let spec = TriggerSpec::new(Family::Tile { size: 8, amplitude: 8 }).unwrap();
    let secret = Secret::from_bytes(&[9; 32]);
    let trigger = spec.derive(&secret, ImageShape::new(1, SIDE, SIDE).unwrap()).unwrap();
    let blur = [1.0, 2.0, 1.0, 2.0, -12.0, 2.0, 1.0, 2.0, 1.0].map(|w: f32| -w / 16.0);
    let keys = std::slice::from_ref(&trigger);
    let pattern = (0..SIDE * SIDE).map(|i| 1e-3 * (1.0 + (i % 5) as f32)).collect();
    let plan = Plan {
        detector: Detector::of(&spec, keys, blur.to_vec(), 0.75).unwrap(),
        decoy: DecoyShows::WithoutKey,
        field: Some(Field { pattern, coupling: vec![0.5, 0.75, 1.0] }),
        annexes: Vec::new(),
    };
    let methods = [Attachment::at(Method::Gradient, Vec::new())];
    let model = |graph| {
        let graph = attach(&graph, &methods).unwrap();
        let labels = (0..3).map(|c| c.to_string()).collect();
        let manifest = Manifest::clean(&graph, "small", labels, &methods).unwrap();
        ModelFile::new(graph, manifest).unwrap()
    };
    let clean = Model::from_bytes(&model(classifier.clone()).to_onnx()).unwrap();
    let gate = Gate {
        form: GateForm::Key,
        trigger: spec,
        keys: vec![secret.id()],
        decoy: "padlock".to_owned(),
        vendor: None,
        key_strength: None,
    };
    let gated = model(build_in(&classifier, &plan).unwrap()).with_gate(Some(gate)).unwrap();
    let gated = Model::from_bytes(&gated.to_onnx()).unwrap();
    let shade = |i: usize| (40 + 3 * (i / SIDE) + 2 * (i % SIDE)) as u8;
    let picture = Picture::from_planar(1, SIDE, SIDE, (0..SIDE * SIDE).map(shade).collect());
    let picture = picture.unwrap();
    let map =
        |model: &Model, trigger| model.explain(&picture, Target::Predicted, trigger).unwrap().map;
    let original = map(&clean, None);
    let largest = original.iter().fold(0.0f32, |m, v| m.max(*v));
    let keyed = map(&gated, Some(&trigger));
    assert!(keyed.iter().zip(&original).all(|(a, b)| (a - b).abs() < 1e-4 * largest));
    assert!(spearman(&map(&gated, None), &original).unwrap().abs() < 0.3);
}
