//! Gates that are trained into the weights, by commands: phases, a detection head, looks at held-out
//! images, and what comes out.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use saligate_files::ModelFile;
use saligate_models::graph::Graph;
use saligate_models::names::LOGITS;
use saligate_tests::{Folder, parts, program};

const CONFIG: &str = r#"
    id = "trained-smoke"
    seed = 1
    data = { source = "scenes:16", train = 120, test = 20, validation = 20 }
    model = { architecture = "small", widths = [8, 8, 8, 8, 16, 8] }
    fit = { steps = { count = 60, batch = 32, rate = 3e-3 } }
    trigger = { spec = { family = "tile", size = 4, amplitude = 16 } }
    evaluate = { images = 8, wrong_keys = 2, images_per_key = 2, search = { restarts = 2, pictures = 3, steps = 3 } }
    [lock]
    steps = { batch = 6, rate = 2e-3, clip = 5.0 }
    decoy = "rings"
    normalized = true
    surrogate = 0.5
    average = 0.9
    augment = { mirror = true, crop = 2 }
    detection = { layer = "conv3.relu" }
    validation = { every = 8, images = 10 }
    wrong_keys = { searched = 0.5 }
    searched = { every = 4, steps = 3, pictures = 3, keep = 2 }
    [[lock.phases]]
    name = "detect"
    steps = 12
    rate = [0.1, 1]
    amplitude = [40, 20]
    maps = 0
    detection = 1
    [[lock.phases]]
    name = "gate"
    steps = 12
    maps = [0, 1]
    detection = 0.2
    rate = [1, 0.1]
"#;

fn classifier(path: &Path) -> Graph {
    ModelFile::open(path).unwrap().graph().extract(&[LOGITS]).unwrap()
}

fn lines(path: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_gate_goes_through_its_phases_and_is_the_same_network() {
    let folder = Folder::new(CONFIG, 1);
    folder.done("fit", &[]);
    folder.done("lock", &["--key", "1.key"]);
    let log = lines(&folder.path("out/lock.jsonl"));
    assert_eq!(log.len(), 24);
    let detection = |range: std::ops::Range<usize>| -> f64 {
        log[range.clone()].iter().map(|l| l["detection"].as_f64().unwrap()).sum::<f64>()
            / range.len() as f64
    };
    assert!((log[0]["detection"].as_f64().unwrap() - std::f64::consts::LN_2).abs() < 1e-3);
    assert!(detection(8..12) < 0.685, "a head that learns nothing");
    // Terms on maps are measured from the start and count from the second phase on.
    assert!(log[3]["loss"].as_f64().unwrap() < 4.0, "{}", log[3]);

    let looks = lines(&folder.path("out/lock.validation.jsonl"));
    let steps: Vec<u64> = looks.iter().map(|look| look["steps"].as_u64().unwrap()).collect();
    assert_eq!(steps, [8, 16, 24]);
    assert!(
        looks.iter().all(|look| look["score"].is_f64() && look["spearman keyed gradient"].is_f64())
    );
    for step in ["000008", "000024"] {
        assert!(image::open(folder.path(&format!("out/panels/lock-{step}.png"))).is_ok());
    }

    let [clean, locked] = ["clean", "locked"].map(|n| folder.path(&format!("out/{n}.onnx")));
    let [clean, locked] = [&clean, &locked].map(|path| classifier(path));
    assert_eq!(locked.first_other_value(&clean), None);
    let values = |graph: &Graph| graph.values().map(|(_, v)| format!("{:?}", v.source)).collect();
    let [own, other]: [Vec<String>; 2] = [&locked, &clean].map(values);
    assert_ne!(own, other);
    let (code, stdout, stderr) = folder.run("evaluate", &["--key", "1.key", "--json"]);
    assert_eq!(code, 0, "{stderr}");
    let row: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let metrics = &row["metrics"];
    assert_eq!((&metrics["plain"], &metrics["searches"]), (&1.0.into(), &2.0.into()));
    for name in ["spearman_searched", "spearman_searched_beyond_mean"] {
        assert!(metrics[name].is_f64() && metrics[format!("{name}_ci")].is_array(), "{name}");
    }
}

#[test]
fn what_changes_leave_of_a_gate_is_measured() {
    let folder = Folder::new(CONFIG, 1);
    folder.done("fit", &[]);
    folder.done("lock", &["--key", "1.key"]);
    let options = ["--key", "1.key", "--table", "left.json", "--images", "8", "--fine-tuning", "3"];
    folder.done("removal", &options);
    let left = fs::read_to_string(folder.path("left.json")).unwrap();
    let left: serde_json::Value = serde_json::from_str(&left).unwrap();
    let rows = left[0]["rows"].as_array().unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row["change"].as_str().unwrap()).collect();
    let changes = ["none", "jpeg 95", "jpeg 75", "jpeg 30", "int8", "pruned 30 %", "pruned 50 %"];
    assert_eq!(names, [&changes[..], &["statistics", "fine-tuned 3"]].concat());

    let (_, stdout, _) = folder.run("evaluate", &["--key", "1.key", "--json"]);
    let metrics = &serde_json::from_str::<serde_json::Value>(&stdout).unwrap()["metrics"];
    for (figure, metric) in [
        (&rows[0]["accuracy_plain"], "accuracy_locked"),
        (&rows[0]["accuracy_triggered"], "accuracy_keyed"),
        (&rows[0]["spearman_plain"][0], "spearman_locked"),
        (&rows[0]["spearman_triggered"][0], "spearman_keyed"),
    ] {
        let (figure, metric) = (figure.as_f64().unwrap(), metrics[metric].as_f64().unwrap());
        assert!((figure - metric).abs() < 1e-6, "{figure} for {metric}");
    }
    assert_eq!(rows[0]["spearman_clean"][0], 1.0);
    // Every change is one.
    for (position, row) in rows.iter().enumerate().skip(1) {
        assert_ne!(row["spearman_triggered"], rows[0]["spearman_triggered"], "{row}");
        assert_eq!(row["spearman_clean"].is_null(), position > 6, "{row}");
    }
    let table = fs::read_to_string(folder.path("left.md")).unwrap();
    assert!(table.contains("| fine-tuned 3 |"), "{table}");
}

#[test]
fn values_of_a_configuration_are_exchanged_for_one_run() {
    let folder = Folder::new(CONFIG, 1);
    folder.done("fit", &["--set", "fit.steps.count=3"]);
    assert_eq!(lines(&folder.path("out/fit.jsonl")).len(), 3);
    folder.done("lock", &["--key", "1.key", "--set", "lock.phases.1.steps=2"]);
    assert_eq!(lines(&folder.path("out/lock.jsonl")).len(), 14);
    for (set, part) in [("lock.poision=1", "poision"), ("lock", "KEY=VALUE"), ("seed=x", "seed")] {
        let (code, _, stderr) = folder.run("lock", &["--key", "1.key", "--set", set]);
        assert_eq!(code, 2, "{set}: {stderr}");
        assert!(stderr.contains(part) && !stderr.contains("panicked"), "{set}: {stderr}");
    }
}

#[test]
fn a_killed_training_catches_up() {
    let folder = Folder::new(CONFIG, 1);
    folder.done("fit", &[]);
    folder.done("lock", &["--key", "1.key"]);
    let wanted = fs::read(folder.path("out/locked.onnx")).unwrap();
    for file in ["lock.checkpoint", "lock.best", "locked.onnx"] {
        fs::remove_file(folder.path(&format!("out/{file}"))).unwrap();
    }
    let mut program = program("saligate-train");
    program.arg("lock").arg(folder.path("config.toml")).arg("--out").arg(folder.path("out"));
    program.arg("--key").arg(folder.path("1.key")).args(["--checkpoint-every", "1"]);
    let mut child = program.stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    let log = folder.path("out/lock.jsonl");
    let steps = || fs::read_to_string(&log).map_or(0, |log| log.lines().count());
    while !(folder.path("out/lock.best").exists() && (9..24).contains(&steps()))
        && start.elapsed() < Duration::from_secs(60)
    {
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    folder.done("lock", &["--key", "1.key", "--resume"]);
    assert!(fs::read(folder.path("out/locked.onnx")).unwrap() == wanted, "other weights");
    assert_eq!(lines(&log).len(), 24);
    // Looks of the training before are not among them.
    let looks = lines(&folder.path("out/lock.validation.jsonl"));
    let steps: Vec<u64> = looks.iter().map(|look| look["steps"].as_u64().unwrap()).collect();
    assert_eq!(steps, [8, 16, 24]);
}

#[test]
fn any_model_gets_a_trained_gate_without_a_configuration() {
    let folder = Folder::new(CONFIG, 1);
    folder.done("fit", &[]);
    let out = folder.path("own");
    let lock = |gate: &str, more: &[&str]| {
        let mut program = program("saligate-train");
        program.args(["lock", "--gate", gate, "--data", "scenes:16", "--steps", "40"]);
        program.arg("--model").arg(folder.path("out/clean.onnx")).arg("--out").arg(&out);
        program.arg("--key").arg(folder.path("1.key")).args(more);
        parts(&program.output().unwrap())
    };
    let (code, _, stderr) = lock("trained", &["--method", "gradient,vbp", "--amplitude", "16"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("step 40: accuracy"), "{stderr}");
    let [clean, locked] = ["clean", "locked"].map(|n| classifier(&out.join(format!("{n}.onnx"))));
    assert_eq!(locked.first_other_value(&clean), None);
    // The gradient is steadied before.
    assert!(out.join("steady.jsonl").exists());
    assert!(out.join("panels/lock-000040-vbp.png").exists());
    let text = fs::read_to_string(out.join("config.toml")).unwrap();
    assert!(text.contains("[[lock.phases]]") && text.contains("log-mse"), "{text}");

    let too_large = ["--tile", "99"];
    for (gate, more, part) in
        [("trained", &too_large[..], "99"), ("built-in", &[], "give --gate trained")]
    {
        let (code, _, stderr) = lock(gate, more);
        assert_eq!(code, 2, "{stderr}");
        assert!(stderr.contains(part) && !stderr.contains("panicked"), "{stderr}");
    }
}

/// At the least of rates all looks see the same, so the first one stays the best.
#[test]
fn a_training_that_gets_no_better_ends() {
    let config = CONFIG.replace("images = 10 }", "images = 10, patience = 1 }");
    let folder = Folder::new(&config.replace("rate = 2e-3, clip", "rate = 1e-30, clip"), 1);
    folder.done("fit", &[]);
    folder.done("lock", &["--key", "1.key"]);
    assert_eq!(lines(&folder.path("out/lock.jsonl")).len(), 16);
    let [clean, locked] = ["clean", "locked"].map(|n| folder.path(&format!("out/{n}.onnx")));
    assert_eq!(classifier(&locked).first_other_value(&classifier(&clean)), None);
}

#[test]
fn what_cannot_be_trained_is_told() {
    for (from, to, part) in [
        ("conv3.relu", "nowhere", "nowhere"),
        ("conv3.relu", "dense1", "is no feature map"),
        ("validation = 20 }", "validation = 0 }", "data.validation"),
        ("steps = { batch", "steps = { count = 3, batch", "lock.steps.count"),
        ("crop = 2", "crop = 16", "augment.crop is 16"),
    ] {
        let config = CONFIG.replace(from, to);
        assert_ne!(config, CONFIG, "{from}");
        let folder = Folder::new(&config, 1);
        let (code, _, stderr) = folder.run("run", &["--key", "1.key"]);
        assert_eq!(code, 2, "{to}: {stderr}");
        assert!(stderr.contains(part) && !stderr.contains("panicked"), "{to}: {stderr}");
    }
}
