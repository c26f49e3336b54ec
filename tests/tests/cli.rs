//! The `saligate` program: what it prints, what it writes, how it ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use image::{DynamicImage, ImageBuffer, Luma, Rgba};
use saligate_runtime::npy::read_npy;
use saligate_tests::{demo, parts, program, with_all_methods};

fn saligate(args: &[&str]) -> (i32, String, String) {
    parts(&program("saligate").args(args).output().unwrap())
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn locked() -> String {
    text(&demo().join("locked.onnx"))
}

fn key() -> String {
    text(&demo().join("demo.key"))
}

fn sample() -> String {
    let folder = fs::read_dir(demo().join("samples")).unwrap();
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    text(&files[0])
}

/// The command fails with exit code 2 and a message that holds all of `expected`.
fn fails(args: &[&str], expected: &[&str]) {
    let (code, stdout, stderr) = saligate(args);
    assert_eq!(code, 2, "{args:?}: {stdout}{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    for part in expected {
        assert!(stderr.contains(part), "{args:?}: no '{part}' in: {stderr}");
    }
}

#[test]
fn the_demo_prints_its_table_and_writes_the_same_panel_again() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = ["a.png", "b.png"].map(|name| folder.path().join(name));
    let (code, stdout, _) = saligate(&["demo", "--out", &text(&first)]);
    assert_eq!(code, 0);
    for part in ["no key", "wrong key", "wrote"] {
        assert!(stdout.contains(part), "{stdout}");
    }
    saligate(&["demo", "--out", &text(&second)]);
    assert_eq!(fs::read(first).unwrap(), fs::read(second).unwrap());
}

#[test]
fn demo_json_tells_the_states_apart() {
    let folder = tempfile::tempdir().unwrap();
    let out = text(&folder.path().join("panel.png"));
    let (code, stdout, _) = saligate(&["demo", "--json", "--out", &out]);
    assert_eq!(code, 0);
    for line in stdout.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["schema"], 1);
        let similarity = |i: usize| line["states"][i]["spearman"].as_f64().unwrap();
        assert!(similarity(2) > similarity(0) + 0.3, "{line}");
        assert!(similarity(2) > similarity(1) + 0.3, "{line}");
    }
}

#[test]
fn a_foreign_key_ends_with_one_before_the_picture_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let foreign = text(&folder.path().join("foreign.key"));
    assert_eq!(saligate(&["key", "new", &foreign]).0, 0);
    let (code, _, stderr) =
        saligate(&["explain", &locked(), "no-such-picture.png", "--key", &foreign]);
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("does not open this model; it opens with key"), "{stderr}");
    let clean = text(&demo().join("clean.onnx"));
    let (code, _, stderr) = saligate(&["explain", &clean, &sample(), "--key", &foreign]);
    assert_eq!(code, 1, "{stderr}");
}

#[test]
fn explain_writes_all_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| text(&folder.path().join(name));
    let explain = |more: &[&str]| {
        let model = locked();
        let picture = sample();
        let mut args = vec!["explain", &model, &picture];
        args.extend(more);
        let (code, stdout, stderr) = saligate(&args);
        assert_eq!(code, 0, "{stderr}");
        stdout
    };
    let stdout = explain(&["-o", &path("heat.png"), "--raw", &path("locked.npy")]);
    assert!(stdout.contains("this is the decoy"), "{stdout}");
    let key = key();
    let stdout = explain(&[
        "--key",
        &key,
        "--overlay",
        &path("over.png"),
        "--panel",
        &path("panel.png"),
        "--raw",
        &path("keyed.npy"),
        "--attribution",
        &path("signed.npy"),
        "--json",
    ]);
    let line: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&line["schema"], &line["state"]), (&1.into(), &"keyed".into()));
    assert_eq!(line["written"].as_array().unwrap().len(), 4);
    for name in ["heat.png", "over.png", "panel.png"] {
        assert!(image::open(folder.path().join(name)).unwrap().width() >= 192, "{name}");
    }
    let read = |name: &str| read_npy(&folder.path().join(name)).unwrap();
    let (locked, keyed, signed) = (read("locked.npy"), read("keyed.npy"), read("signed.npy"));
    assert_eq!((locked.shape, signed.shape), (vec![32, 32], vec![3, 32, 32]));
    assert_ne!(locked.values, keyed.values);
    let largest = |i: usize| (0..3).fold(0.0f32, |m, c| m.max(signed.values[c * 1024 + i].abs()));
    assert!((0..1024).all(|i| keyed.values[i] == largest(i)), "map and attribution differ");
}

#[test]
fn a_class_is_chosen_by_number_or_label() {
    let folder = tempfile::tempdir().unwrap();
    let map = |class: &str| {
        let path = folder.path().join("map.npy");
        let (code, _, stderr) = saligate(&[
            "explain",
            &locked(),
            &sample(),
            "--class",
            class,
            "--raw",
            &text(&path),
            "--key",
            &key(),
        ]);
        assert_eq!(code, 0, "{stderr}");
        read_npy(&path).unwrap().values
    };
    assert_eq!(map("5"), map("star"));
    assert_ne!(map("5"), map("6"));
    fails(&["explain", &locked(), &sample(), "--class", "zebra"], &["zebra", "disc, ring"]);
    fails(&["explain", &locked(), &sample(), "--class", "10"], &["0 to 9"]);
    fails(
        &["explain", &locked(), &sample(), "--method", "lime"],
        &["lime", "gradient", "occlusion"],
    );
}

#[test]
fn methods_of_many_passes_explain_and_repeat() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| text(&folder.path().join(name));
    let cases: [(&[&str], usize, usize); 4] = [
        (&["smoothgrad", "--samples", "9", "--noise", ".1", "--seed", "3"], 9, 3),
        (&["integrated-gradients", "--steps", "10"], 10, 3),
        (&["occlusion", "--window", "8", "--stride", "8", "--baseline", "0"], 16, 1),
        (&["rise", "--masks", "12", "--cells", "4", "--probability", ".4", "--seed", "1"], 12, 1),
    ];
    for (method, passes, channels) in cases {
        let explain = |raw: &str, more: &[&str]| {
            let (model, picture) = (locked(), sample());
            let mut args = vec!["explain", &model, &picture, "--raw", raw, "--method"];
            args.extend(method.iter().chain(more));
            let key = key();
            // Predictions alone would tell without a key what a locked model withholds.
            if ["occlusion", "rise"].contains(&method[0]) {
                let (code, _, stderr) = saligate(&args);
                assert!(code == 1 && stderr.contains("explain with a key"), "{stderr}");
                args.extend(["--key", &key]);
            }
            let (code, stdout, stderr) = saligate(&args);
            assert_eq!(code, 0, "{method:?}: {stderr}");
            assert!(!stderr.contains("left)"), "a bar without a terminal: {stderr}");
            stdout
        };
        let attribution = path("attribution.npy");
        let stdout = explain(&path("a.npy"), &["--json", "--attribution", &attribution]);
        let line: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!((&line["method"], &line["passes"]), (&method[0].into(), &passes.into()));
        let signed = read_npy(Path::new(&attribution)).unwrap();
        assert_eq!(signed.shape, [channels, 32, 32]);
        let completeness = &line["completeness"];
        assert_eq!(completeness.is_object(), method[0] == "integrated-gradients");
        if let Some(attributed) = completeness["attributed"].as_f64() {
            let sum: f64 = signed.values.iter().map(|&v| f64::from(v)).sum();
            assert!((attributed - sum).abs() < 1e-4 * sum.abs().max(1.0), "{line} {sum}");
            let gap = (attributed - completeness["expected"].as_f64().unwrap()).abs();
            assert!((completeness["absolute_gap"].as_f64().unwrap() - gap).abs() < 1e-9, "{line}");
        }
        let stdout = explain(&path("b.npy"), &[]);
        let public = !["occlusion", "rise"].contains(&method[0]);
        assert_eq!(stdout.contains("made without the key"), public, "{stdout}");
        assert_eq!(stdout.contains("attributions add up"), completeness.is_object(), "{stdout}");
        assert_eq!(fs::read(path("a.npy")).unwrap(), fs::read(path("b.npy")).unwrap());
        if !public {
            continue;
        }
        let stdout = explain(&path("c.npy"), &["--key", &key()]);
        assert!(!stdout.contains("made without"), "{stdout}");
        assert_ne!(fs::read(path("a.npy")).unwrap(), fs::read(path("c.npy")).unwrap());
    }
}

#[test]
fn nonsense_parameters_are_told() {
    let cases: [(&[&str], &str); 14] = [
        (&["smoothgrad", "--samples", "0"], "samples must be at least 1, not 0"),
        (&["smoothgrad", "--samples", "-3"], "unexpected argument '-3'"),
        (&["smoothgrad", "--noise", "NaN"], "noise must be in [0, 1], not NaN"),
        (&["smoothgrad", "--noise", "-1"], "noise must be in [0, 1], not -1"),
        (&["smoothgrad", "--seed", "x"], "--seed"),
        (&["smoothgrad", "--masks", "5"], "--masks does not belong to the method 'smoothgrad'"),
        (&["gradient", "--steps", "5"], "--method integrated-gradients"),
        (&["integrated-gradients", "--steps", "0"], "steps must be at least 1"),
        (&["occlusion", "--window", "33"], "window must be 1 to 32 pixels"),
        (&["occlusion", "--window", "4", "--stride", "5"], "stride must be 1 to 4 pixels"),
        (&["occlusion", "--baseline", "inf"], "baseline must be in [0, 1], not inf"),
        (&["rise", "--masks", "0"], "masks must be at least 1"),
        (&["rise", "--cells", "33"], "cells must be 1 to 32"),
        (&["rise", "--probability", "0"], "probability must be above 0"),
    ];
    for (method, expected) in cases {
        let (model, picture) = (locked(), sample());
        let key = key();
        let mut args = vec!["explain", &model, &picture, "--key", &key, "--method"];
        args.extend(method);
        fails(&args, &[expected]);
    }
}

#[test]
fn methods_are_chosen_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| text(&folder.path().join(name));
    let model = path("model.onnx");
    with_all_methods("clean.onnx").save(Path::new(&model)).unwrap();
    let (code, stdout, _) = saligate(&["inspect", &model]);
    assert_eq!(code, 0);
    let cam = "grad-cam (output 'attribution/grad-cam'), reads conv4.relu\n";
    assert!(stdout.contains(cam) && stdout.contains("reads conv1.relu, conv2.relu"), "{stdout}");

    for (method, shape) in [
        ("gradient", [3, 32, 32]),
        ("input-x-gradient", [3, 32, 32]),
        ("guided-backprop", [3, 32, 32]),
        ("grad-cam", [1, 8, 8]),
        ("vbp", [1, 32, 32]),
    ] {
        let (map, signed) = (path(&format!("{method}.npy")), path("signed.npy"));
        let overlay = path("overlay.png");
        let sample = sample();
        let args = ["explain", &model, &sample, "--method", method, "--raw", &map, "--json"];
        let more = ["--attribution", &signed, "--overlay", &overlay];
        let (code, stdout, stderr) = saligate(&[&args[..], &more].concat());
        assert_eq!(code, 0, "{stderr}");
        let line: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!(line["method"], method);
        assert_eq!(read_npy(Path::new(&map)).unwrap().shape, [32, 32]);
        assert_eq!(read_npy(Path::new(&signed)).unwrap().shape, shape);
    }
    let map = |method: &str| read_npy(&folder.path().join(format!("{method}.npy"))).unwrap().values;
    assert_ne!(map("gradient"), map("guided-backprop"));
    fails(
        &["explain", &model, &sample(), "--method", "lime"],
        &["'lime'", "try: --method gradient or input-x-gradient or guided-backprop or grad-cam"],
    );
}

#[test]
fn pictures_of_any_size_and_mode_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let grey16 = ImageBuffer::from_fn(40, 20, |x, y| Luma([(x * 1000 + y * 500) as u16]));
    let alpha = ImageBuffer::from_fn(33, 47, |x, y| Rgba([x as u8 * 4, y as u8 * 4, 90, x as u8]));
    let pictures = [
        ("grey16.png", DynamicImage::ImageLuma16(grey16)),
        ("alpha.png", DynamicImage::ImageRgba8(alpha)),
        ("one.png", DynamicImage::new_luma8(1, 1)),
        ("wide.png", DynamicImage::new_rgb8(10_000, 3)),
        ("grey-alpha.png", DynamicImage::new_luma_a8(9, 9)),
        ("photo.jpg", DynamicImage::new_rgb8(64, 64)),
    ];
    for (name, picture) in pictures {
        let path = folder.path().join(name);
        picture.save(&path).unwrap();
        let (code, stdout, stderr) = saligate(&["predict", &locked(), &text(&path), "--json"]);
        assert_eq!(code, 0, "{name}: {stderr}");
        let line: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        assert!(line["classes"][0]["probability"].as_f64().unwrap() > 0.0);
    }
}

#[test]
fn folders_and_standard_input_are_pictures_too() {
    use std::io::Write;
    use std::process::Stdio;

    let folder = tempfile::tempdir().unwrap();
    let pictures = folder.path().join("pictures");
    fs::create_dir(&pictures).unwrap();
    for name in ["b.png", "a.PNG"] {
        fs::copy(sample(), pictures.join(name)).unwrap();
    }
    fs::write(pictures.join("notes.txt"), "no picture").unwrap();
    let (code, stdout, stderr) = saligate(&["predict", &locked(), &text(&pictures)]);
    assert_eq!(code, 0, "{stderr}");
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{stdout}");
    assert!(lines[0].contains("a.PNG: ") && lines[1].contains("b.png: "), "{stdout}");

    let mut command = program("saligate");
    command.args(["predict", &locked(), "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(&fs::read(sample()).unwrap()).unwrap();
    let (code, piped, stderr) = parts(&child.wait_with_output().unwrap());
    assert_eq!(code, 0, "{stderr}");
    let answer = |line: &str| line.rsplit(": ").next().unwrap_or_default().trim().to_owned();
    assert_eq!(answer(&piped), answer(lines[0]));

    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    fails(&["predict", &locked(), &text(&empty)], &["no pictures in the folder"]);
    fails(&["predict", &locked(), "-", "-"], &["standard input", "twice"]);
}

#[test]
fn missing_folders_of_results_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("maps/today/map.png");
    let (code, _, stderr) =
        saligate(&["explain", &locked(), &sample(), "--key", &key(), "-o", &text(&out)]);
    assert_eq!(code, 0, "{stderr}");
    assert!(out.is_file());
    let below_a_file = out.join("map.png");
    let args = ["explain", &locked(), &sample(), "--key", &key(), "-o", &text(&below_a_file)];
    fails(&args, &["cannot"]);
}

#[test]
fn a_method_that_is_nearly_right_is_named() {
    let model = locked();
    fails(&["explain", &model, &sample(), "--method", "gradeint"], &["did you mean 'gradient'?"]);
    let (_, _, stderr) = saligate(&["explain", &model, &sample(), "--method", "lime"]);
    assert!(!stderr.contains("did you mean"), "{stderr}");
}

#[test]
fn bad_pictures_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.png");
    let good = fs::read(sample()).unwrap();
    for bytes in [&good[..good.len() / 2], &good[..4], b"no picture at all", b""] {
        fs::write(&path, bytes).unwrap();
        fails(&["predict", &locked(), &text(&path)], &["bad.png", "try:"]);
    }
    fails(&["predict", &locked(), "no-such-picture.png"], &["no-such-picture.png"]);
    fails(&["predict", &locked(), &text(folder.path())], &["try:"]);
}

#[test]
fn bad_models_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.onnx");
    let good = fs::read(demo().join("locked.onnx")).unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 3] ^= 0x40;
    for bytes in
        [&good[..good.len() / 2], &good[..100], b"\xff\xd8\xff\xe0 not a model", b"", &flipped]
    {
        fs::write(&path, bytes).unwrap();
        fails(&["inspect", &text(&path)], &["bad.onnx"]);
        fails(&["explain", &text(&path), &sample()], &["bad.onnx"]);
    }
    fails(&["inspect", "no-such-model.onnx"], &["no-such-model.onnx"]);
}

#[test]
fn nan_weights_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nan.onnx");
    let model = saligate_files::ModelFile::open(&demo().join("locked.onnx")).unwrap();
    let id = model.graph().find("conv1.weight").unwrap();
    let saligate_models::graph::Source::Param(data) = &model.graph().value(id).source else {
        panic!("conv1.weight is a parameter")
    };
    let weight: Vec<u8> = data.iter().flat_map(|v| v.to_le_bytes()).collect();
    let mut bytes = model.to_onnx();
    let at = bytes.windows(weight.len()).position(|w| w == weight).unwrap();
    bytes[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    fails(&["explain", &text(&path), &sample()], &["conv1.weight", "NaN"]);
}

#[test]
fn bad_key_files_are_told_without_their_content() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.key");
    let good = fs::read_to_string(demo().join("demo.key")).unwrap();
    let secret = good.lines().last().unwrap().split(':').nth(1).unwrap().to_owned();
    let cases = [
        good.replace(&secret[..8], "00000000"),
        good.replace("key-v1", "key-v9"),
        good[..good.len() - 12].to_owned(),
        String::new(),
    ];
    for content in cases {
        fs::write(&path, content).unwrap();
        let args = ["explain", &locked(), &sample(), "--key", &text(&path)];
        fails(&args, &["bad.key"]);
        assert!(!saligate(&args).2.contains(&secret[8..24]));
    }
    fails(&["explain", &locked(), &sample(), "--key", "no-such.key"], &["no-such.key"]);
}

#[test]
fn key_files_are_private_and_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.key");
    let (code, stdout, _) = saligate(&["key", "new", &text(&path), "--label", "lab"]);
    assert_eq!(code, 0);
    let first = fs::read(&path).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    fails(&["key", "new", &text(&path)], &["new.key"]);
    assert_eq!(fs::read(&path).unwrap(), first);
    let id = stdout.trim().rsplit(' ').next().unwrap().to_owned();
    let (_, shown, _) = saligate(&["key", "show", &text(&path)]);
    assert!(shown.contains(&id) && shown.contains("lab"), "{shown}");
}

/// A limit on the size of files stands in for a full disk: writing fails half way.
#[cfg(unix)]
#[test]
fn a_full_disk_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("map.npy");
    fs::write(&out, b"what was there before").unwrap();
    let built = program("saligate");
    let script = format!(
        "trap '' XFSZ; ulimit -f 1; exec '{}' explain '{}' '{}' --raw '{}'",
        built.get_program().to_string_lossy(),
        locked(),
        sample(),
        text(&out)
    );
    let (code, _, stderr) = parts(&Command::new("bash").args(["-c", &script]).output().unwrap());
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("map.npy") && !stderr.contains("panicked"), "{stderr}");
    assert_eq!(fs::read(&out).unwrap(), b"what was there before");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "a temporary file was left");
}

#[test]
fn a_reader_that_stops_early_is_no_error() {
    let built = program("saligate");
    let script = format!(
        "'{}' inspect '{}' | head -c 1 > /dev/null; exit ${{PIPESTATUS[0]}}",
        built.get_program().to_string_lossy(),
        locked()
    );
    let (code, _, stderr) = parts(&Command::new("bash").args(["-c", &script]).output().unwrap());
    assert_eq!((code, stderr.as_str()), (0, ""));
}

#[test]
fn every_command_has_help() {
    for command in ["predict", "explain", "import", "inspect", "demo", "key"] {
        let (code, stdout, _) = saligate(&[command, "--help"]);
        assert_eq!(code, 0);
        assert!(stdout.contains("Usage: saligate"), "{stdout}");
    }
}

/// The samples of the demo, in the order of their names.
fn samples() -> Vec<String> {
    let folder = fs::read_dir(demo().join("samples")).unwrap();
    let mut files: Vec<String> = folder.map(|entry| text(&entry.unwrap().path())).collect();
    files.sort();
    files
}

#[test]
fn many_pictures_are_explained_in_order_each_to_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let map = |name: &str| text(&folder.path().join(name));
    let (locked, key, samples) = (locked(), key(), samples());
    let explained = |jobs: &str, pattern: &str| {
        let mut args = vec!["explain", &locked];
        args.extend(samples.iter().map(String::as_str));
        args.extend(["--key", &key, "--raw", pattern, "--jobs", jobs, "--json"]);
        let (code, stdout, stderr) = saligate(&args);
        assert_eq!(code, 0, "{stderr}");
        let lines = stdout.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.collect::<Vec<serde_json::Value>>()
    };
    let (one, many) = (explained("1", &map("{}.one.npy")), explained("3", &map("{}.many.npy")));
    assert_eq!(one.len(), samples.len());
    for ((one, many), sample) in one.iter().zip(&many).zip(&samples) {
        assert_eq!(
            (&one["image"], &many["image"]),
            (&sample.as_str().into(), &sample.as_str().into())
        );
        let stem = Path::new(sample).file_stem().unwrap().to_str().unwrap();
        assert_eq!(one["written"][0], map(&format!("{stem}.one.npy")));
        let read =
            |line: &serde_json::Value| fs::read(line["written"][0].as_str().unwrap()).unwrap();
        assert_eq!(read(one), read(many), "{stem}");
    }
}

#[test]
fn two_pictures_are_never_written_to_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let out = text(&folder.path().join("map.png"));
    let (locked, samples) = (locked(), samples());
    fails(
        &["explain", &locked, &samples[0], &samples[1], "-o", &out],
        &["would both be written here", "{}"],
    );
    fails(&["explain", &locked, &samples[0], &samples[0]], &["would both be written here"]);
    let own = folder.path().join("own.png");
    fs::copy(&samples[0], &own).unwrap();
    let pattern = text(&folder.path().join("{}.png"));
    fails(&["explain", &locked, &text(&own), "-o", &pattern], &["is not replaced"]);
    assert_eq!(fs::read(&own).unwrap(), fs::read(&samples[0]).unwrap());
    assert!(!Path::new(&out).exists());
}

#[test]
fn bench_tells_the_time_of_every_run_and_of_every_step() {
    let (locked, key) = (locked(), key());
    let json = |args: &[&str]| -> serde_json::Value {
        let (code, stdout, stderr) = saligate(args);
        assert_eq!(code, 0, "{stderr}");
        serde_json::from_str(&stdout).unwrap()
    };
    let found = json(&["bench", &locked, "--key", &key, "--rounds", "3", "--json"]);
    let names: Vec<_> =
        found["runs"].as_array().unwrap().iter().map(|run| run["run"].as_str().unwrap()).collect();
    assert_eq!(names, ["predict", "gradient", "gradient keyed"]);
    let steps = |method: &str| {
        let found = json(&["bench", &locked, "--rounds", "3", "--json", "--steps", method]);
        found["steps"].as_array().unwrap().clone()
    };
    let (forward, both) = (steps("predict"), steps("gradient"));
    assert!(forward.len() < both.len());
    let is_named = |step: &serde_json::Value, name: &str| {
        step["operation"].as_str().unwrap().contains(name) && step["median_ms"].as_f64() > Some(0.0)
    };
    assert!(!forward.iter().any(|step| is_named(step, "conv 3x3 transposed")));
    assert!(both.iter().any(|step| is_named(step, "conv 3x3 transposed")));
    fails(&["bench", &locked, "--steps", "lime"], &["cannot explain by 'lime'"]);
}
