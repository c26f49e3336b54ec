//! A program in C that is linked with libsaligate.
#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use saligate_keys::{KeyFile, Timestamp};
use saligate_runtime::picture::Picture;
use saligate_runtime::{EngineKind, Model, SealedModel, Target, device_name};
use saligate_tests::licensing::VendorFolder;
use saligate_tests::{demo, parts, program, root};

/// Puts libsaligate into a folder, under the name that it is linked by and the one that it is loaded
/// by. It is a dependency of this package: cargo builds it beside the running test.
fn install(folder: &Path) {
    let library = std::env::current_exe().unwrap().with_file_name("libsaligate.so");
    assert!(library.exists(), "no {}", library.display());
    for name in ["libsaligate.so", "libsaligate.so.0"] {
        symlink(&library, folder.join(name)).unwrap();
    }
}

fn compiled(folder: &Path, name: &str) -> PathBuf {
    install(folder);
    let program = folder.join(name);
    let output = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-O1"])
        .arg(root().join("tests/capi").join(name).with_extension("c"))
        .arg("-I")
        .arg(root().join("runtime/capi/include"))
        .arg("-o")
        .arg(&program)
        .arg("-L")
        .arg(folder)
        .arg(format!("-Wl,-rpath,{}", folder.display()))
        .arg("-lsaligate")
        .output()
        .unwrap();
    let (code, _, stderr) = parts(&output);
    assert_eq!(code, 0, "{stderr}");
    program
}

#[test]
fn c_sees_what_rust_sees() {
    // A model with two methods, and a licence for one of them.
    let folder = VendorFolder::new();
    let mut lock = program("saligate-train");
    lock.args(["lock", "--data", "scenes:32", "--method", "gradient,grad-cam", "-q"]);
    lock.args(["--least-strength", "40", "--model"]);
    lock.arg(demo().join("clean.onnx")).arg("--key").arg(folder.path("vendor.key"));
    let (code, _, stderr) = parts(&lock.arg("-o").arg(folder.path("two")).output().unwrap());
    assert_eq!(code, 0, "{stderr}");
    fs::rename(folder.path("two/locked.onnx"), folder.path("model.onnx")).unwrap();
    let ana = folder.identity("ana");
    folder.done(&folder.issue(&ana, "--methods grad-cam -o good.license"));
    let text = fs::read_to_string(folder.path("good.license")).unwrap();
    fs::write(folder.path("tampered.license"), text.replace("grad-cam", "gradient")).unwrap();

    let explain = compiled(&folder.path(""), "explain");
    let picture = Picture::open(&demo().join("samples/ring.png"), 3).unwrap();
    let area = picture.height() * picture.width();
    let pixels = picture.pixels();
    let interleaved: Vec<u8> =
        (0..area).flat_map(|i| [0, 1, 2].map(|c| pixels[c * area + i])).collect();
    fs::write(folder.path("ring.raw"), interleaved).unwrap();

    // Cargo's own paths would come before ours, and lead to whatever was built last.
    let files = ["model.onnx", "vendor.key", "ring.raw"];
    let licensing = ["good.license", "tampered.license", "ana.identity"];
    let output = Command::new(explain)
        .env_remove("LD_LIBRARY_PATH")
        .args(files.iter().chain(&licensing).map(|name| folder.path(name)))
        .output()
        .unwrap();
    let (code, stdout, stderr) = parts(&output);
    assert_eq!(code, 0, "{stdout}{stderr}");

    let model = Model::open(folder.path("model.onnx")).unwrap();
    let key = KeyFile::read(folder.path("vendor.key")).unwrap();
    let trigger = model.trigger(key.secret()).unwrap();
    let lines: Vec<&str> = stdout.lines().collect();
    let class = model.predict(&picture).unwrap().class;
    assert_eq!(lines[0], format!("class {class} {}", model.manifest().labels[class]));
    for (line, method, trigger) in [
        (lines[1], "gradient", None),
        (lines[2], "gradient", Some(&trigger)),
        (lines[3], "grad-cam", Some(&trigger)),
    ] {
        let found = model.explain_by(method, &picture, Target::Predicted, trigger).unwrap();
        let shown: Vec<f32> = line.split(' ').skip(1).map(|v| v.parse().unwrap()).collect();
        let wanted: Vec<f32> = found.map.iter().copied().step_by(area / 8).collect();
        assert_eq!(shown, wanted, "{line}");
    }
    let device = format!("device {}", device_name().unwrap_or_default());
    for (line, start, expected) in [
        (lines[4], "not licensed:", "does not allow the method gradient, only grad-cam"),
        (lines[5], "not licensed:", "does not allow the method gradient, only grad-cam"),
        (lines[6], "tampered:", "changed after it was signed"),
        (lines[7], "device", &device),
        (lines[8], "no method:", "lime"),
        (lines[9], "no class:", "1000"),
        (lines[10], "no room:", "room for 3"),
        (lines[11], "no file:", "nowhere.onnx"),
    ] {
        assert!(line.starts_with(start) && line.contains(expected), "{line}");
    }
    assert_eq!(lines.len(), 12);
}

/// The network that is sealed, with the key and with a licence, beside what Rust opens.
#[test]
fn c_opens_what_is_sealed() {
    let folder = VendorFolder::new();
    for name in ["clean.onnx", "trained.onnx", "demo.key"] {
        fs::copy(demo().join(name), folder.path(name)).unwrap();
    }
    folder.done(
        "lock --model clean.onnx --data scenes:32 --key vendor.key --tile 8 --least-strength 40 \
         --sealed --public trained.onnx -o sealed.onnx -q",
    );
    let ana = folder.identity("ana");
    folder.done(&format!(
        "license issue --key vendor.key --model sealed.onnx --to {ana} --holder Ana -o 1.license"
    ));
    let picture = Picture::open(&demo().join("samples/ring.png"), 3).unwrap();
    fs::write(folder.path("ring.raw"), picture.pixels()).unwrap();
    let program = compiled(&folder.path(""), "sealed");
    let files = ["sealed.onnx", "vendor.key", "1.license", "ana.identity", "ring.raw", "demo.key"];
    let output = Command::new(program)
        .env_remove("LD_LIBRARY_PATH")
        .args(files.map(|name| folder.path(name)))
        .output()
        .unwrap();
    let (code, stdout, stderr) = parts(&output);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let lines: Vec<&str> = stdout.lines().collect();

    let key = KeyFile::read(folder.path("vendor.key")).unwrap();
    let sealed = SealedModel::from_vec(fs::read(folder.path("sealed.onnx")).unwrap()).unwrap();
    let (truth, access) = sealed.open_with_key(key.secret(), EngineKind::Native).unwrap();
    let trigger = access.trigger(&truth, "gradient", Timestamp::now()).unwrap();
    let public = Model::open(folder.path("sealed.onnx")).unwrap();
    let area = picture.height() * picture.width();
    for (line, name, model, trigger) in [
        (lines[0], "public", &public, None),
        (lines[2], "key", &truth, Some(trigger)),
        // The only key of the model, which the licence shares.
        (lines[3], "licence", &truth, Some(trigger)),
    ] {
        let found = model.explain(&picture, Target::Predicted, trigger).unwrap();
        let shown: Vec<f32> = line.split(' ').skip(2).map(|v| v.parse().unwrap()).collect();
        let wanted: Vec<f32> = found.map.iter().copied().step_by(area / 8).collect();
        assert_eq!(shown, wanted, "{line}");
        assert!(line.starts_with(&format!("{name} {}", found.prediction.class)), "{line}");
    }
    assert!(lines[1].starts_with("1 ") && lines[1].contains("sealed in the file"), "{}", lines[1]);
    assert!(lines[4].starts_with("1 ") && lines[4].contains("does not open"), "{}", lines[4]);
}
