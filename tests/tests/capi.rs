//! A program in C that is linked with libsaligate.
#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::process::Command;

use saligate_keys::KeyFile;
use saligate_runtime::picture::Picture;
use saligate_runtime::{Model, Target};
use saligate_tests::{demo, parts, root};

/// The folder of libsaligate, a dependency of this package: cargo builds it beside the running test.
fn library() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().unwrap();
    assert!(folder.join("libsaligate.so").exists(), "no libsaligate.so in {}", folder.display());
    folder.to_owned()
}

fn compiled(folder: &Path) -> PathBuf {
    let (program, library) = (folder.join("explain"), library());
    let output = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-O1"])
        .arg(root().join("tests/capi/explain.c"))
        .arg("-I")
        .arg(root().join("runtime/capi/include"))
        .arg("-o")
        .arg(&program)
        .arg("-L")
        .arg(&library)
        .arg(format!("-Wl,-rpath,{}", library.display()))
        .arg("-lsaligate")
        .output()
        .unwrap();
    let (code, _, stderr) = parts(&output);
    assert_eq!(code, 0, "{stderr}");
    program
}

#[test]
fn c_sees_what_rust_sees() {
    let folder = tempfile::tempdir().unwrap();
    let program = compiled(folder.path());
    let picture = Picture::open(&demo().join("samples/ring.png"), 3).unwrap();
    let area = picture.height() * picture.width();
    let pixels = picture.pixels();
    let interleaved: Vec<u8> =
        (0..area).flat_map(|i| [0, 1, 2].map(|c| pixels[c * area + i])).collect();
    let raw = folder.path().join("ring.raw");
    std::fs::write(&raw, interleaved).unwrap();

    // Cargo's own paths would come before ours, and lead to whatever was built last.
    let output = Command::new(program)
        .env_remove("LD_LIBRARY_PATH")
        .arg(demo().join("locked.onnx"))
        .arg(demo().join("demo.key"))
        .arg(raw)
        .output()
        .unwrap();
    let (code, stdout, stderr) = parts(&output);
    assert_eq!(code, 0, "{stdout}{stderr}");

    let model = Model::open(demo().join("locked.onnx")).unwrap();
    let key = KeyFile::read(demo().join("demo.key")).unwrap();
    let trigger = model.trigger(key.secret()).unwrap();
    let lines: Vec<&str> = stdout.lines().collect();
    let class = model.predict(&picture).unwrap().class;
    assert_eq!(lines[0], format!("class {class} {}", model.manifest().labels[class]));
    for (line, trigger) in [(lines[1], None), (lines[2], Some(&trigger))] {
        let found = model.explain(&picture, Target::Predicted, trigger).unwrap();
        let shown: Vec<f32> = line.split(' ').skip(1).map(|v| v.parse().unwrap()).collect();
        let wanted: Vec<f32> = found.map.iter().copied().step_by(area / 8).collect();
        assert_eq!(shown, wanted, "{line}");
    }
    assert!(lines[3].starts_with("no method:") && lines[3].contains("lime"), "{}", lines[3]);
    assert!(lines[4].contains("1000"), "{}", lines[4]);
    assert!(lines[5].contains("room for 3"), "{}", lines[5]);
    assert!(lines[6].contains("nowhere.onnx"), "{}", lines[6]);
}
