//! Audits, scores of maps, model cards and pages, by commands.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use saligate_tests::{demo, parts, program, root};
use serde_json::Value;

fn saligate(args: &[&str]) -> (i32, String, String) {
    parts(&program("saligate").args(args).output().unwrap())
}

fn model(name: &str) -> String {
    demo().join(name).display().to_string()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// The findings of an audit of a shipped model, and its exit code.
fn audited(name: &str, more: &[&str]) -> (i32, Value) {
    let path = model(name);
    let args = [&["audit", &path, "--json", "-"], more].concat();
    let (code, stdout, stderr) = saligate(&args);
    assert!(!stderr.contains("panicked"), "{stderr}");
    (code, serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stdout}{stderr}")))
}

/// The checks that have a verdict, with their methods.
fn with_verdict(report: &Value, verdict: &str) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    let own = findings.filter(|finding| finding["verdict"] == verdict);
    own.map(|finding| {
        let method = finding["method"].as_str().map_or_else(String::new, |m| format!("/{m}"));
        format!("{}{method}", finding["check"].as_str().unwrap())
    })
    .collect()
}

#[test]
fn a_clean_model_has_no_findings_and_a_manipulated_one_has() {
    let (code, clean) = audited("clean.onnx", &[]);
    assert_eq!((code, with_verdict(&clean, "found")), (0, vec![]));
    assert_eq!(clean["verdict"], "not found");

    let (code, locked) = audited("locked.onnx", &[]);
    assert_eq!(code, 1);
    let found = with_verdict(&locked, "found");
    for check in ["flat-operations", "silent-values", "same-maps/gradient"] {
        assert!(found.iter().any(|own| own == check), "no {check} in {found:?}");
    }

    let (code, trained) = audited("trained.onnx", &[]);
    assert_eq!(code, 1);
    let found = with_verdict(&trained, "found");
    assert!(found.iter().any(|own| own == "trigger-search/grad-cam"), "{found:?}");
    assert!(found.iter().all(|own| !own.starts_with("flat")), "{found:?}");
}

#[test]
fn an_audit_is_the_same_again_and_says_how_to_repeat_it() {
    let checks = ["--check", "same-maps,noise", "--pictures", "12", "--seed", "5"];
    let [first, second] = [1, 2].map(|threads: u8| {
        let threads = threads.to_string();
        audited("trained.onnx", &[&checks[..], &["--threads", &threads]].concat()).1
    });
    assert_eq!(first["findings"], second["findings"]);
    let command = first["command"].as_str().unwrap();
    assert!(command.contains("same-maps,noise") && command.contains("--seed 5"), "{command}");
    assert!(first["not_made"].as_array().unwrap().contains(&"trigger-search".into()));
    assert_eq!(first["model"]["sha256"].as_str().unwrap().len(), 64);
}

#[test]
fn an_audit_ends_within_its_budget() {
    let begin = Instant::now();
    let (code, report) = audited("locked.onnx", &["--budget", "1"]);
    // Starting and writing take their time on a busy machine; checks would take longer.
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    assert!(code == 0 || code == 1);
    assert!(!with_verdict(&report, "unknown").is_empty());
    let checks: Vec<&str> =
        report["findings"].as_array().unwrap().iter().filter_map(|f| f["check"].as_str()).collect();
    assert!(checks.contains(&"neural-cleanse"), "a check without time has no verdict: {checks:?}");
}

#[test]
fn hostile_files_end_with_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let whole = fs::read(demo().join("locked.onnx")).unwrap();
    let half = whole[..whole.len() / 2].to_vec();
    // Every weight not a number: the bytes of the largest tensor.
    let mut broken = whole.clone();
    let middle = whole.len() / 2;
    broken[middle..middle + 4000].iter_mut().for_each(|byte| *byte = 0xff);
    for (name, bytes) in
        [("half", half), ("empty", vec![]), ("text", b"no model".to_vec()), ("nan", broken)]
    {
        let path = folder.path().join(format!("{name}.onnx"));
        fs::write(&path, bytes).unwrap();
        let begin = Instant::now();
        let (code, stdout, stderr) = saligate(&["audit", &text(&path), "--budget", "5"]);
        assert_eq!(code, 2, "{name}: {stdout}{stderr}");
        assert!(!stderr.contains("panicked") && stderr.contains("saligate:"), "{stderr}");
        assert!(begin.elapsed() < Duration::from_secs(10));
    }
    let missing = text(&folder.path().join("missing.onnx"));
    assert_eq!(saligate(&["audit", &missing]).0, 2);
    let few = folder.path().join("few");
    fs::create_dir(&few).unwrap();
    let (code, _, stderr) = saligate(&["audit", &model("clean.onnx"), "--data", &text(&few)]);
    assert_eq!(code, 2, "{stderr}");
}

#[test]
fn scores_tell_a_right_map_from_a_random_one_and_go_into_files() {
    let folder = tempfile::tempdir().unwrap();
    let [json, plot, html] = ["m.json", "m.svg", "m.html"].map(|name| folder.path().join(name));
    let (code, stdout, stderr) = saligate(&[
        "metrics",
        &model("clean.onnx"),
        "--pictures",
        "12",
        "--json",
        &text(&json),
        "--plot",
        &text(&plot),
        "--html",
        &text(&html),
    ]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("higher is better") && stdout.contains("random"), "{stdout}");
    let report: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    let methods = report["methods"].as_array().unwrap();
    assert_eq!(methods.len(), 2);
    let [gradient, random] = [&methods[0]["scores"], &methods[1]["scores"]];
    for name in [
        "insertion",
        "deletion",
        "pixel_flipping",
        "infidelity",
        "infidelity_scaled",
        "max_sensitivity",
        "sparseness",
        "complexity",
        "randomisation",
        "pointing_game",
        "inside_mass",
    ] {
        assert!(gradient[name]["value"].is_f64() && random[name]["value"].is_f64(), "{name}");
    }
    let value = |of: &Value, name: &str| of[name]["value"].as_f64().unwrap();
    assert!(value(gradient, "insertion") > value(random, "insertion"));
    assert!(value(gradient, "deletion") < value(random, "deletion"));
    assert!(methods[0]["beyond_random"]["deletion"]["interval"][0].as_f64().unwrap() > 0.0);
    assert_eq!(methods[0]["insertion_curve"].as_array().unwrap().len(), 33);
    assert!(fs::read_to_string(&plot).unwrap().starts_with("<svg xmlns"));
    assert!(fs::read_to_string(&html).unwrap().contains("told"));
}

#[test]
fn scores_of_a_locked_model_need_a_key_where_predictions_would_give_it_away() {
    let args = ["metrics", &model("locked.onnx"), "--method", "occlusion", "--pictures", "4"];
    let (code, _, stderr) = saligate(&args);
    assert_eq!(code, 1, "{stderr}");
    let (locked, key) = (model("locked.onnx"), model("demo.key"));
    let keyed = ["metrics", &locked, "--pictures", "8", "--json", "-", "--key", &key];
    let (code, stdout, stderr) = saligate(&keyed);
    assert_eq!(code, 0, "{stderr}");
    let report: Value = serde_json::from_str(&stdout).unwrap();
    let value = |name: &str| report["methods"][0]["scores"][name]["value"].as_f64().unwrap();
    // Of the decoy it would be 1.
    assert!(value("randomisation").abs() < 0.9, "{}", value("randomisation"));
}

#[test]
fn a_card_says_what_a_file_is_and_what_was_found() {
    let folder = tempfile::tempdir().unwrap();
    let [audit, card] = ["a.json", "card.md"].map(|name| folder.path().join(name));
    let args =
        ["audit", &model("locked.onnx"), "--check", "flat-operations", "--json", &text(&audit)];
    assert_eq!(saligate(&args).0, 1);
    let args = ["card", &model("locked.onnx"), "--audit", &text(&audit), "-o", &text(&card)];
    let (code, _, stderr) = saligate(&args);
    assert_eq!(code, 0, "{stderr}");
    let written = fs::read_to_string(&card).unwrap();
    for part in ["# locked.onnx", "Key form", "2^72", "| found | flat-operations |", "## Limits"] {
        assert!(written.contains(part), "no '{part}' in {written}");
    }
    let args = ["card", &model("locked.onnx"), "--metrics", &text(&audit)];
    let (code, _, stderr) = saligate(&args);
    assert!(code == 2 && stderr.contains("saligate metrics"), "{stderr}");
}

/// A page of every kind.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let [audit, metrics, explain, bench] =
        ["audit", "metrics", "explain", "bench"].map(|name| folder.join(format!("{name}.html")));
    let samples = text(&demo().join("samples"));
    let calls: [(&[&str], i32); 4] = [
        (&["audit", &model("locked.onnx"), "--html", &text(&audit), "--budget", "20"], 1),
        (&["metrics", &model("clean.onnx"), "--pictures", "4", "--html", &text(&metrics)], 0),
        (&["explain", &model("clean.onnx"), &samples, "--html", &text(&explain)], 0),
        (&["bench", &model("clean.onnx"), "--rounds", "2", "--html", &text(&bench)], 0),
    ];
    for (args, wanted) in calls {
        let (code, stdout, stderr) = saligate(args);
        assert_eq!(code, wanted, "{args:?}: {stdout}{stderr}");
    }
    vec![audit, metrics, explain, bench]
}

#[test]
fn pages_hold_everything_and_load_in_a_browser() {
    let folder = tempfile::tempdir().unwrap();
    let browser = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|name| Command::new(name).arg("--version").output().is_ok());
    for page in pages(folder.path()) {
        let html = fs::read_to_string(&page).unwrap();
        assert!(!html.contains("http://") && !html.contains("https://"), "{}", page.display());
        assert!(!html.contains("<script") && html.contains("default-src 'none'"));
        assert!(html.contains("prefers-color-scheme: dark") && html.contains("@media print"));
        let Some(browser) = browser else {
            eprintln!("not loaded in a browser: there is no chromium");
            continue;
        };
        for width in ["390", "1280"] {
            let picture = page.with_extension(format!("{width}.png"));
            let profile = tempfile::tempdir().unwrap();
            let output = Command::new(browser)
                .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"])
                .args(["--no-first-run", "--disable-background-networking", "--disable-sync"])
                .args(["--disable-component-update", "--virtual-time-budget=2000"])
                .arg(format!("--user-data-dir={}", profile.path().display()))
                .arg(format!("--window-size={width},1000"))
                .arg(format!("--screenshot={}", picture.display()))
                .arg(format!("file://{}", page.display()))
                .output()
                .unwrap();
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{told}");
            assert!(!told.contains("Refused to load"), "{told}");
            let shown = image::open(&picture).unwrap().into_rgb8();
            let first = *shown.get_pixel(0, 0);
            let inked = shown.pixels().filter(|pixel| **pixel != first).count();
            assert!(inked > 2000, "{} shows nothing", page.display());
        }
    }
}

#[test]
fn a_patch_is_found_by_methods_and_defences_leave_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("patch.toml");
    let smoke = fs::read_to_string(root().join("train/configs/smoke.toml")).unwrap();
    let poison = "rate = 2e-3 }\npoison = { class = 3, share = 0.3, side = 8, anywhere = true }";
    let poisoned = smoke.replacen("rate = 2e-3 }", poison, 1).replace("count = 20", "count = 120");
    fs::write(&config, poisoned).unwrap();
    let train = |args: &[&str]| {
        let (code, _, stderr) = parts(&program("saligate-train").args(args).output().unwrap());
        assert_eq!(code, 0, "{args:?}: {stderr}");
    };
    let table = folder.path().join("truth.json");
    let out = text(&folder.path().join("patch"));
    train(&[
        "ground-truth",
        &text(&config),
        "-o",
        &out,
        "--table",
        &text(&table),
        "--images",
        "12",
        "-q",
    ]);
    let rows: Value = serde_json::from_slice(&fs::read(&table).unwrap()).unwrap();
    let methods = rows[0]["methods"].as_array().unwrap();
    assert!(methods.len() > 8, "{rows}");
    assert_eq!(rows[0]["chance"].as_f64(), Some(64.0 / 1024.0));
    assert!(fs::read_to_string(table.with_extension("md")).unwrap().contains("| gradient |"));

    let smoke = text(&root().join("train/configs/smoke.toml"));
    let out = text(&folder.path().join("smoke"));
    let key = model("demo.key");
    train(&["fit", &smoke, "-o", &out, "-q"]);
    train(&["lock", &smoke, "-o", &out, "--key", &key, "-q"]);
    let table = folder.path().join("defences.json");
    let shared = ["--set", "data.validation=20", "-q"];
    train(
        &[
            &["defend", &smoke, "-o", &out, "--key", &key, "--table", &text(&table)][..],
            &["--images", "10", "--steps", "2"],
            &shared,
        ]
        .concat(),
    );
    let rows: Value = serde_json::from_slice(&fs::read(&table).unwrap()).unwrap();
    let changes: Vec<&str> =
        rows[0]["rows"].as_array().unwrap().iter().filter_map(|r| r["change"].as_str()).collect();
    for change in ["none", "fine-tuning", "fine-pruning", "distillation", "straightened, thrown"] {
        assert!(changes.contains(&change), "no {change} in {changes:?}");
    }
}

#[test]
fn a_list_of_networks_becomes_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list.toml");
    let entry = |name: &str, kind: &str| {
        format!(
            "[[model]]\nname = \"{name}\"\nkind = \"{kind}\"\nfile = \"{name}.onnx\"\ndata = \"scenes:32\"\n"
        )
    };
    fs::write(&list, entry("clean", "clean") + &entry("locked", "built")).unwrap();
    let table = folder.path().join("new/table.json");
    let output = program("saligate-train")
        .args(["detection", &text(&list), "--models", &text(&demo()), "--table", &text(&table)])
        .args(["--pictures", "24", "--threads", "2", "-q"])
        .output()
        .unwrap();
    let (code, _, stderr) = parts(&output);
    assert_eq!(code, 0, "{stderr}");
    let rows: Value = serde_json::from_slice(&fs::read(&table).unwrap()).unwrap();
    assert!(rows[0]["found"].as_array().unwrap().is_empty(), "{rows}");
    let found = rows[1]["found"].as_array().unwrap();
    assert!(found.contains(&"flat-operations".into()), "{rows}");
    let written = fs::read_to_string(table.with_extension("md")).unwrap();
    assert!(written.contains("| built | 1 | 1.00 |"), "{written}");
}
