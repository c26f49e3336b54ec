//! From images to a locked model, by commands: reproducible, resumable, measured.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use saligate_files::ModelFile;
use saligate_models::graph::{Graph, Source as From};
use saligate_tests::{demo, parts, program, root};
use saligate_train::config::Config;
use saligate_train::fit::fit;
use saligate_train::{Backend, RunOptions};

fn config() -> PathBuf {
    root().join("train/configs/smoke.toml")
}

fn train(command: &str, out: &Path, more: &[&str]) {
    let mut program = program("saligate-train");
    program.arg(command).arg(config()).arg("--out").arg(out).args(more);
    let (code, _, stderr) = parts(&program.output().unwrap());
    assert_eq!(code, 0, "{command}: {stderr}");
}

fn key() -> String {
    demo().join("demo.key").display().to_string()
}

#[test]
fn a_run_ends_with_models_logs_and_a_row() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let results = folder.path().join("results.json");
    let file = results.display().to_string();
    train("run", &out, &["--key", &key(), "--results", &file, "--commit", "abc"]);

    let locked = ModelFile::open(&out.join("locked.onnx")).unwrap();
    assert_eq!(locked.manifest().gate.as_ref().map(|g| g.keys.len()), Some(1));
    for (stage, steps) in [("fit", 20), ("steady", 5), ("lock", 5)] {
        let log = fs::read_to_string(out.join(format!("{stage}.jsonl"))).unwrap();
        assert_eq!(log.lines().count(), steps, "{stage}");
        for line in log.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(line["loss"].is_f64() && line["step"].is_u64());
        }
    }

    let rows: serde_json::Value = serde_json::from_slice(&fs::read(&results).unwrap()).unwrap();
    let row = &rows[0];
    assert_eq!(row["id"], "key-gradient-small-scenes-smoke");
    assert_eq!(row["commit"], "abc");
    for name in [
        "accuracy_locked",
        "spearman_keyed",
        "spearman_wrong_max",
        "unlocked_share",
        "pointing_keyed",
    ] {
        assert!(row["metrics"][name].is_number(), "{name}");
        assert!(row["metrics"][format!("{name}_ci")].is_array(), "{name}");
    }
    let unlocked = row["metrics"]["unlocked"].as_f64().unwrap();
    assert!(unlocked.fract() == 0.0 && row["metrics"]["unlocked_ci"].is_null(), "a count");

    let output = program("saligate-train").arg("results").arg(&results).output().unwrap();
    assert!(output.status.success());
    let table = fs::read_to_string(results.with_extension("md")).unwrap();
    assert!(table.contains("| spearman_keyed |"), "{table}");
}

#[test]
fn one_seed_gives_the_same_bytes_and_a_killed_run_catches_up() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    train("fit", &whole, &[]);
    let wanted = fs::read(whole.join("clean.onnx")).unwrap();

    let killed = folder.path().join("killed");
    let mut program = program("saligate-train");
    program.arg("fit").arg(config()).arg("--out").arg(&killed).args(["--checkpoint-every", "1"]);
    let mut child = program.stderr(std::process::Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while !killed.join("fit.checkpoint").exists() && start.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    train("fit", &killed, &["--resume"]);
    assert!(fs::read(killed.join("clean.onnx")).unwrap() == wanted, "other weights after a kill");
}

#[test]
fn a_checkpoint_of_another_configuration_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    train("fit", folder.path(), &[]);
    let text = fs::read_to_string(config()).unwrap().replace("seed = 1", "seed = 2");
    let other = folder.path().join("other.toml");
    fs::write(&other, text).unwrap();
    let mut program = program("saligate-train");
    program.arg("fit").arg(&other).arg("--out").arg(folder.path()).arg("--resume");
    let (code, _, stderr) = parts(&program.output().unwrap());
    assert_eq!(code, 2);
    assert!(stderr.contains("belongs to another stage, configuration"), "{stderr}");
}

#[test]
fn a_damaged_checkpoint_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    train("fit", folder.path(), &[]);
    let path = folder.path().join("fit.checkpoint");
    let bytes = fs::read(&path).unwrap();
    for damaged in [&bytes[..bytes.len() / 2], &bytes[..5], &[]] {
        fs::write(&path, damaged).unwrap();
        let mut program = program("saligate-train");
        program.arg("fit").arg(config()).arg("--out").arg(folder.path()).arg("--resume");
        let (code, _, stderr) = parts(&program.output().unwrap());
        assert_eq!(code, 2);
        assert!(stderr.contains("damaged") && !stderr.contains("panicked"), "{stderr}");
    }
}

#[test]
fn a_net_with_batch_norms_is_fitted_folded_and_locked_from_where_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("resnet.toml");
    let text = r#"
        id = "key-gradient-resnet20-scenes-smoke"
        seed = 1
        data = { source = "scenes:16", train = 40, test = 8 }
        model = { architecture = "resnet20" }
        fit = { steps = { count = 4, batch = 10, rate = 1e-3 } }
        trigger = { spec = { family = "full", amplitude = 8 } }
        evaluate = { images = 8, wrong_keys = 2, images_per_key = 2 }
        [lock]
        steps = { count = 2, batch = 4, rate = 1e-4, clip = 1.0 }
        softplus = 8.0
    "#;
    fs::write(&path, text).unwrap();
    let out = folder.path().join("out");
    let mut program = program("saligate-train");
    program.arg("run").arg(&path).arg("--out").arg(&out).args(["--key", &key(), "--json"]);
    let (code, stdout, stderr) = parts(&program.output().unwrap());
    assert_eq!(code, 0, "{stderr}");
    let row: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert!(row["metrics"]["spearman_keyed"].is_number(), "{stdout}");

    let open = |name: &str| ModelFile::open(&out.join(name)).unwrap();
    let (clean, locked) = (open("clean.onnx"), open("locked.onnx"));
    assert!(clean.graph().find("bn1.running_mean").is_err(), "a batch norm was not folded");
    assert_ne!(clean.manifest().weights_sha256, locked.manifest().weights_sha256);
    assert!(!locked.manifest().metrics.is_empty());
}

#[test]
fn both_cpu_backends_train_alike() {
    let folder = tempfile::tempdir().unwrap();
    let fitted = |backend: Backend| -> Graph {
        let mut config = Config::read(&config()).unwrap();
        config.device = backend;
        config.data.train = Some(64);
        let steps = &mut config.fit.as_mut().unwrap().steps;
        (steps.count, steps.batch) = (3, 8);
        let data = config.source().unwrap().load(&config.load_options()).unwrap().train;
        let out = folder.path().join(backend.name());
        let threads = std::num::NonZero::<usize>::MIN;
        let options =
            RunOptions { out, resume: false, checkpoint_every: 100, quiet: true, threads };
        fit(&config, &data, &options).unwrap()
    };
    let (flex, ndarray) = (fitted(Backend::Flex), fitted(Backend::NdArray));
    for ((_, a), (_, b)) in flex.values().zip(ndarray.values()) {
        let (From::Param(x), From::Param(y)) = (&a.source, &b.source) else { continue };
        for (x, y) in x.iter().zip(y.iter()) {
            // Three Adam steps of 2e-3 turn rounding of tiny gradients into visible differences.
            assert!((x - y).abs() < 1e-3, "{}: {x} against {y}", a.name);
        }
    }
}

#[test]
fn a_model_of_other_data_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.toml");
    let text = fs::read_to_string(config()).unwrap().replace("scenes:32", "scenes:16");
    fs::write(&path, text).unwrap();
    let mut program = program("saligate-train");
    program.arg("lock").arg(&path).arg("--out").arg(folder.path().join("out"));
    program.arg("--model").arg(demo().join("clean.onnx")).args(["--key", &key()]);
    let (code, _, stderr) = parts(&program.output().unwrap());
    assert_eq!(code, 2);
    assert!(stderr.contains("[3, 32, 32, 10], the data are [3, 16, 16, 10]"), "{stderr}");
}

#[test]
fn a_missing_data_folder_and_a_wrong_config_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(config()).unwrap();
    let cases = [
        (text.replace("scenes:32", "idx:nowhere"), "nowhere"),
        (text.replace("scenes:32", "photos:32"), "data.source"),
        (text.replace("seed = 1", "sede = 1"), "sede"),
        (text.replace("rate = 2e-3", "rate = -1.0"), "fit.steps"),
        (
            text.replace("[fit]\nsteps = { count = 20, batch = 32, rate = 2e-3 }", ""),
            "model.weights",
        ),
        (text.replace("train = 400", "std = [0.0, 1.0, 1.0]"), "data.std"),
        (text.replace("train = 400", "mean = [0.5]"), "mean"),
        (text.replace("widths", "weights = \"nowhere\"\nwidths"), "nowhere"),
        (String::from("\u{0}"), "case.toml"),
    ];
    for (text, expected) in cases {
        let path = folder.path().join("case.toml");
        fs::write(&path, text).unwrap();
        let mut program = program("saligate-train");
        program.arg("fit").arg(&path).arg("--out").arg(folder.path().join("out"));
        let (code, _, stderr) = parts(&program.output().unwrap());
        assert_eq!(code, 2, "{stderr}");
        assert!(stderr.contains(expected) && !stderr.contains("panicked"), "{stderr}");
    }
}

/// The configuration with a tile that is larger than the images.
fn with_large_tile() -> String {
    let spec = "[trigger]\nspec = { family = \"tile\", size = 64, amplitude = 8 }\n";
    fs::read_to_string(config()).unwrap().replace("[trigger]\n", spec)
}

/// A model that was signed is still the same after it was measured, and wrong keys are of its own kind
/// of trigger, whatever the configuration says.
#[test]
fn measuring_leaves_the_model_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for name in ["clean.onnx", "locked.onnx", "demo.key"] {
        fs::copy(demo().join(name), path(name)).unwrap();
    }
    let run = |name: &str, words: &str| {
        let mut program = program(name);
        parts(&program.current_dir(folder.path()).args(words.split(' ')).output().unwrap())
    };
    let (code, _, stderr) = run("saligate", "sign locked.onnx --key demo.key");
    assert_eq!(code, 0, "{stderr}");
    let (_, shown, _) = run("saligate", "key show demo.key");
    let vendor = shown.split_whitespace().find(|word| word.starts_with("sgvendor1")).unwrap();
    let before = fs::read(path("locked.onnx")).unwrap();

    // A tile that is larger than the images would stop the measuring if wrong keys had it.
    fs::write(path("config.toml"), with_large_tile()).unwrap();
    let words = "evaluate config.toml --key demo.key -o . --record measured.onnx --quiet";
    let (code, _, stderr) = run("saligate-train", words);
    assert_eq!(code, 0, "{stderr}");
    assert!(fs::read(path("locked.onnx")).unwrap() == before, "the model was written");
    let (code, _, stderr) = run("saligate", &format!("verify locked.onnx --vendor {vendor}"));
    assert_eq!(code, 0, "{stderr}");
    let measured = ModelFile::open(&path("measured.onnx")).unwrap();
    assert!(measured.manifest().metrics.contains_key("spearman_keyed"));
    let locked = ModelFile::open(&path("locked.onnx")).unwrap();
    assert_eq!(measured.graph(), locked.graph());
}

#[test]
fn a_trigger_that_does_not_fit_is_told_before_anything_is_trained() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    fs::write(&file, with_large_tile()).unwrap();
    let out = folder.path().join("out");
    let mut program = program("saligate-train");
    program.arg("run").arg(&file).arg("--out").arg(&out).args(["--key", &key()]);
    let (code, _, stderr) = parts(&program.output().unwrap());
    assert!(code == 2 && stderr.contains("does not fit into an image"), "{stderr}");
    assert!(!out.join("fit.jsonl").exists(), "the fit was begun");
}

/// The passphrase stands on standard input, where it is read once only.
#[test]
fn a_run_asks_for_a_passphrase_once() {
    use std::io::Write;

    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("words"), "correct horse battery").unwrap();
    let sealed = program("saligate")
        .args(["key", "new", &path("sealed.key"), "--passphrase-file", &path("words")])
        .output()
        .unwrap();
    assert!(sealed.status.success(), "{}", parts(&sealed).2);
    let mut program = program("saligate-train");
    program.arg("run").arg(config()).args(["--out", &path("out"), "--key", &path("sealed.key")]);
    program.args(["--passphrase-file", "-"]);
    let piped = std::process::Stdio::piped;
    let mut child = program.stdin(piped()).stdout(piped()).stderr(piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"correct horse battery").unwrap();
    let (code, _, stderr) = parts(&child.wait_with_output().unwrap());
    assert_eq!(code, 0, "{stderr}");
}
