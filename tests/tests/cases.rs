//! Small networks and pictures from public reports, with what PyTorch and ONNX Runtime make of them:
//! `../shared/cases`, a folder a case.

use std::fs;
use std::path::PathBuf;

use saligate_runtime::npy::read_npy;
use saligate_tests::{parts, program, root};
use serde_json::Value;

fn path(case: &str, file: &str) -> String {
    root().join("../shared/cases").join(case).join(file).display().to_string()
}

fn expected(case: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(path(case, "expected.json")).unwrap()).unwrap()
}

/// Exit code, standard output and error of `saligate`.
fn saligate(args: &[&str]) -> (i32, String, String) {
    parts(&program("saligate").args(args).output().unwrap())
}

/// One of the numbers of every class, in the order of the classes.
fn predicted(model: &str, picture: &str, number: &str, more: &[&str]) -> Vec<f64> {
    let args = [&["predict", model, picture, "--json", "--top", "99"], more].concat();
    let (code, stdout, stderr) = saligate(&args);
    assert_eq!(code, 0, "{model}: {stderr}");
    let line: Value = serde_json::from_str(&stdout).unwrap();
    let mut classes: Vec<_> = line["classes"].as_array().unwrap().iter().collect();
    classes.sort_by_key(|class| class["class"].as_u64());
    classes.iter().map(|class| class[number].as_f64().unwrap()).collect()
}

/// All numbers of a value, row by row.
fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        value => vec![value.as_f64().unwrap()],
    }
}

/// The numbers of an `.npy` file of floats of 16 bits, which is none that the program reads.
fn halves(path: &str) -> Vec<f64> {
    let bytes = fs::read(path).unwrap();
    let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert!(String::from_utf8_lossy(&bytes[..header]).contains("'<f2'"), "{path}");
    let numbers = bytes[header..].chunks_exact(2);
    numbers.map(|pair| half::f16::from_le_bytes([pair[0], pair[1]]).to_f64()).collect()
}

/// What `explain` writes: `--raw` or `--attribution`.
fn explained(model: &str, picture: &str, kind: &str, more: &[&str]) -> (Vec<f64>, Value) {
    let folder = tempfile::tempdir().unwrap();
    let out: PathBuf = folder.path().join("out.npy");
    let out = out.display().to_string();
    let args = [&["explain", model, picture, "--json", kind, &out], more].concat();
    let (code, stdout, stderr) = saligate(&args);
    assert_eq!(code, 0, "{model}: {stderr}");
    let found = read_npy(out.as_ref()).unwrap();
    (found.values.iter().map(|&v| f64::from(v)).collect(), serde_json::from_str(&stdout).unwrap())
}

fn assert_close(found: &[f64], wanted: &[f64], level: f64, what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    let largest = wanted.iter().fold(1e-12f64, |m, v| m.max(v.abs()));
    for (at, (a, b)) in found.iter().zip(wanted).enumerate() {
        assert!((a - b).abs() <= level * largest, "{what} at {at}: {a}, not {b}");
    }
}

#[test]
#[cfg_attr(not(shared_cases), ignore = "skipped: ../shared/cases is not there")]
fn scores_are_those_of_onnx_runtime() {
    for (case, more) in [
        ("batch-norm-of-weights", &[][..]),
        ("global-max-pool-not-square", &[]),
        ("gradcam-gelu-tanh", &[]),
        ("gradcam-hardswish-written-out", &[]),
        ("gradcam-mish", &[]),
        ("gradcam-tanh", &[]),
        ("open-channels", &["--crop", "32"]),
        ("range-minus-one", &["--range", "-1,1"]),
        ("squeeze-takes-the-batch", &[]),
        ("zero-grad-cam", &[]),
    ] {
        let found = predicted(&path(case, "model.onnx"), &path(case, "in.png"), "logit", more);
        assert_close(&found, &numbers(&expected(case)["scores"]), 1e-5, case);
    }
    for (case, files) in [
        ("opset-7-to-12", &["opset9", "opset11", "opset12"][..]),
        ("quantized-qdq", &["float"]),
        (
            "attention-blocks-in-cnns",
            &[
                "cbam", "eca", "sk", "gem", "group", "instance", "elu", "bilinear", "reflect",
                "maximum", "quotient", "lrn", "mish18",
            ],
        ),
        ("uint8-input", &["first", "last"]),
    ] {
        for file in files {
            let model = path(case, &format!("{file}.onnx"));
            let found = predicted(&model, &path(case, "in.png"), "logit", &[]);
            assert_close(&found, &numbers(&expected(case)[file]), 1e-5, &model);
        }
    }
    for file in ["convnext-script", "convnext-dynamo", "vit-script", "vit-dynamo"] {
        let (case, file) = ("convnext-and-vit", format!("{file}.onnx"));
        let found = predicted(&path(case, &file), &path(case, "in.png"), "logit", &[]);
        assert_close(&found, &numbers(&expected(case)[&file]), 1e-5, &file);
    }
    // Computed in floats, where ONNX Runtime rounds.
    for file in ["qdq", "qoperator"] {
        let case = "quantized-qdq";
        let model = path(case, &format!("{file}.onnx"));
        let found = predicted(&model, &path(case, "in.png"), "logit", &[]);
        assert_close(&found, &numbers(&expected(case)[file]), 1e-2, &model);
        let (_, _, stderr) = saligate(&["predict", &model, &path(case, "in.png")]);
        assert!(stderr.contains("quantized numbers, which are floats here"), "{stderr}");
    }
    let found =
        predicted(&path("grey-luma", "model.onnx"), &path("grey-luma", "red.png"), "logit", &[]);
    assert_close(&found, &numbers(&expected("grey-luma")["scores"]), 1e-5, "grey");
}

#[test]
#[cfg_attr(not(shared_cases), ignore = "skipped: ../shared/cases is not there")]
fn heads_mean_what_they_mean() {
    let of = |case: &str, model: &str, number: &str| {
        predicted(&path(case, model), &path(case, "in.png"), number, &[])
    };
    let case = "sigmoid-multilabel";
    let wanted = expected(case);
    assert_close(
        &of(case, "model.onnx", "probability"),
        &numbers(&wanted["probabilities"]),
        1e-5,
        case,
    );
    assert_close(&of(case, "model.onnx", "logit"), &numbers(&wanted["logits"]), 1e-5, case);
    let case = "sigmoid-saturated";
    let wanted = numbers(&expected(case)["logits"]);
    for model in ["model.onnx", "logits.onnx"] {
        assert_close(&of(case, model, "logit"), &wanted, 1e-5, model);
    }
    for model in ["flatten", "unsqueeze"] {
        let case = "softmax-then-reshape";
        let found = of(case, &format!("{model}.onnx"), "probability");
        assert_close(&found, &numbers(&expected(case)[model]), 1e-5, model);
    }
    let case = "sigmoid-one-output";
    let logit = numbers(&expected(case)["logit"])[0];
    for model in ["model.onnx", "logit.onnx"] {
        assert_close(&of(case, model, "logit"), &[-logit, logit], 1e-5, model);
        let wanted = ["probability_of_negative", "probability_of_positive"];
        let wanted = wanted.map(|name| numbers(&expected(case)[name])[0]);
        assert_close(&of(case, model, "probability"), &wanted, 1e-5, model);
        let wanted = read_npy(path(case, "gradient_of_logit.npy").as_ref()).unwrap().values;
        for (class, sign) in [("0", -1.0), ("1", 1.0)] {
            let wanted: Vec<f64> = wanted.iter().map(|&v| sign * f64::from(v)).collect();
            let (model, picture) = (path(case, model), path(case, "in.png"));
            let (found, _) = explained(&model, &picture, "--attribution", &["--class", class]);
            assert_close(&found, &wanted, 1e-4, &model);
        }
    }
}

#[test]
#[cfg_attr(not(shared_cases), ignore = "skipped: ../shared/cases is not there")]
fn gradients_are_those_of_autograd() {
    for (case, model, wanted) in [
        ("batch-norm-of-weights", "model.onnx", "gradient_0.npy"),
        ("convnext-and-vit", "convnext-script.onnx", "convnext_gradient_0.npy"),
        ("convnext-and-vit", "convnext-dynamo.onnx", "convnext_gradient_0.npy"),
        ("convnext-and-vit", "vit-script.onnx", "vit_gradient_0.npy"),
        ("convnext-and-vit", "vit-dynamo.onnx", "vit_gradient_0.npy"),
        ("global-max-pool-not-square", "model.onnx", "gradient_0.npy"),
        ("squeeze-takes-the-batch", "model.onnx", "gradient_0.npy"),
        ("uint8-input", "first.onnx", "first_gradient_0.npy"),
        ("uint8-input", "last.onnx", "last_gradient_0.npy"),
        ("sigmoid-saturated", "model.onnx", "gradient_of_logit_0.npy"),
    ] {
        let (model, picture) = (path(case, model), path(case, "in.png"));
        let (found, _) = explained(&model, &picture, "--attribution", &["--class", "0"]);
        let wanted = read_npy(path(case, wanted).as_ref()).unwrap().values;
        let wanted: Vec<f64> = wanted.iter().map(|&v| f64::from(v)).collect();
        assert_close(&found, &wanted, 1e-4, &model);
    }
}

#[test]
#[cfg_attr(not(shared_cases), ignore = "skipped: ../shared/cases is not there")]
fn gradients_of_attention_blocks_are_those_of_autograd() {
    let case = "attention-blocks-in-cnns";
    for block in [
        "cbam", "eca", "sk", "gem", "group", "instance", "elu", "bilinear", "reflect", "maximum",
        "quotient",
    ] {
        let (model, picture) = (path(case, &format!("{block}.onnx")), path(case, "in.png"));
        let (found, _) = explained(&model, &picture, "--attribution", &["--class", "0"]);
        let wanted = halves(&path(case, &format!("{block}_gradient_0.npy")));
        assert_close(&found, &wanted, 2e-3, block);
    }
}

#[test]
#[cfg_attr(not(shared_cases), ignore = "skipped: ../shared/cases is not there")]
fn grad_cam_reads_the_last_feature_map() {
    for (case, model) in [
        ("gradcam-gelu-tanh", "model.onnx"),
        ("gradcam-hardswish-written-out", "model.onnx"),
        ("gradcam-mish", "model.onnx"),
        ("gradcam-tanh", "model.onnx"),
        ("map-larger-than-picture", "upsampled.onnx"),
    ] {
        let wanted = read_npy(path(case, "grad_cam.npy").as_ref()).unwrap();
        let maps = wanted.values.chunks_exact(32 * 32).enumerate().take(4);
        for (class, wanted) in maps {
            let class = class.to_string();
            let more = ["--method", "grad-cam", "--class", &class];
            let (found, line) =
                explained(&path(case, model), &path(case, "in.png"), "--raw", &more);
            let wanted: Vec<f64> = wanted.iter().map(|&v| f64::from(v)).collect();
            assert_close(&found, &wanted, 1e-3, &format!("{case}, class {class}"));
            if case == "gradcam-tanh" {
                assert_eq!(line["layers"][0], expected(case)["layer"]);
            }
        }
    }
    let case = "zero-grad-cam";
    let more = ["--method", "grad-cam", "--class", "2"];
    let (found, line) = explained(&path(case, "model.onnx"), &path(case, "in.png"), "--raw", &more);
    assert!(found.iter().all(|&v| v == 0.0) && line["constant"] == true, "{line}");
}

#[test]
#[cfg_attr(not(shared_cases), ignore = "skipped: ../shared/cases is not there")]
fn files_of_people_are_read_or_told() {
    let model = |case: &str| path(case, "model.onnx");
    let (code, stdout, _) = saligate(&[
        "predict",
        &model("names-as-python"),
        &path("names-as-python", "in.png"),
        "--json",
        "--top",
        "3",
    ]);
    let names = expected("names-as-python");
    for name in names["labels"].as_array().unwrap() {
        assert!(code == 0 && stdout.contains(&name.to_string()), "{stdout}");
    }
    let case = "labels-byte-order-mark";
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("map.png").display().to_string();
    let labels = path(case, "labels.txt");
    let (code, stdout, stderr) = saligate(&[
        "explain",
        &model(case),
        &path(case, "in.png"),
        "--labels",
        &labels,
        "--class",
        "cat",
        "-o",
        &out,
        "--json",
    ]);
    assert!(code == 0 && stdout.contains("\"class\":0"), "{stdout}{stderr}");
    let case = "lfs-pointer";
    let (code, _, stderr) = saligate(&["predict", &model(case), &path(case, "in.png")]);
    assert!(code == 2 && stderr.contains("git lfs pull"), "{stderr}");
    let case = "one-bad-picture-of-three";
    let pictures = ["1.png", "2.png", "3.png"].map(|name| path(case, name));
    let (code, stdout, stderr) =
        saligate(&["predict", &model(case), &pictures[0], &pictures[1], &pictures[2]]);
    assert_eq!((code, stdout.lines().count()), (2, 2), "{stdout}{stderr}");
    assert!(stderr.contains("2.png") && !stderr.contains("1.png"), "{stderr}");
    let case = "mean-in-bytes";
    let (code, _, stderr) = saligate(&[
        "predict",
        &model(case),
        &path(case, "in.png"),
        "--mean",
        "123.675,116.28,103.53",
        "--std",
        "58.395,57.12,57.375",
    ]);
    assert!(code == 0 && stderr.contains("--range 0,255"), "{stderr}");
    let case = "licence-with-windows-line-ends";
    let read = |name: &str| {
        let (code, stdout, stderr) = saligate(&["license", "show", &path(case, name), "--json"]);
        assert_eq!(code, 0, "{name}: {stderr}");
        let line: Value = serde_json::from_str(&stdout).unwrap();
        line["claims"].clone()
    };
    let plain = read("ok.license");
    for name in ["bom.license", "crlf.license", "emptyline.license"] {
        assert_eq!(read(name), plain, "{name}");
    }
}
