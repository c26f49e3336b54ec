//! Gates are built into models, and keys taken out of them, by the program alone.

use std::fs;
use std::path::Path;

use saligate_data::scenes::{Split, generate};
use saligate_files::ModelFile;
use saligate_runtime::picture::Picture;

use crate::folder::Folder;

/// Pictures without any classes: some in the folder itself, some in one below.
fn photos(folder: &Path, count: usize) {
    let scenes = generate(32, Split::Train, count, 3).unwrap();
    fs::create_dir_all(folder.join("more/and more")).unwrap();
    for index in 0..count {
        let place = if index % 3 == 0 { "more/and more" } else { "" };
        let picture = Picture::from_planar(3, 32, 32, scenes.image(index).to_vec()).unwrap();
        picture.save_png(&folder.join(place).join(format!("{index}.png"))).unwrap();
    }
}

fn with_clean() -> Folder {
    let folder = Folder::new();
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/artifacts/demo");
    fs::copy(demo.join("clean.onnx"), folder.path("clean.onnx")).unwrap();
    photos(&folder.path("photos"), 120);
    folder
}

/// Names of the methods of a model, and the number of its keys.
fn said(path: &Path) -> (Vec<String>, usize) {
    let file = ModelFile::open(path).unwrap();
    let manifest = file.manifest();
    let names = manifest.methods.iter().map(|m| m.name.clone()).collect();
    (names, manifest.gate.as_ref().map_or(0, |gate| gate.keys.len()))
}

#[test]
fn photos_without_labels_lock_a_model_and_a_key_is_taken_out_of_it() {
    let folder = with_clean();
    let stdout = folder.done(
        "lock --model clean.onnx --data photos --key vendor.key --slots 3 -o out/locked.onnx",
    );
    assert!(stdout.contains("gradient locked, opens for 4 keys"), "{stdout}");
    assert!(stdout.contains(": about one random key in 2^"), "{stdout}");
    let locked = folder.path("out/locked.onnx");
    assert_eq!(said(&locked), (vec!["gradient".to_owned()], 4));

    let explain = |more: &str| {
        let words = format!("explain out/locked.onnx scene.png --json -o map.png {more}");
        folder.done(&words)
    };
    assert!(explain("").contains("\"state\":\"locked\""));
    assert!(explain("--key vendor.key").contains("\"state\":\"keyed\""));

    let ana = folder.identity("ana");
    let issue = folder.issue(&ana, "--holder Ana").replace("model.onnx", "out/locked.onnx");
    folder.done(&issue);
    let license = "--license 1.license --identity ana.identity";
    assert!(explain(license).contains("\"state\":\"keyed\""));
    // The only ledger of the folder.
    let stdout = folder.done("revoke 1 --model out/locked.onnx -o new.onnx");
    assert!(stdout.contains("wrote new.onnx"), "{stdout}");
    assert_eq!(said(&folder.path("new.onnx")).1, 3);
    assert_eq!(said(&locked).1, 4, "the model itself is as it was");
    let words = format!("explain new.onnx scene.png {license}");
    assert!(folder.fails(1, &words).contains("does not open this model"));
    folder.done("explain new.onnx scene.png --key vendor.key -o map.png");
    // Again: the ledger has it, the model is written all the same.
    folder.done("revoke 1 --model out/locked.onnx -o again.onnx");
    assert_eq!(
        fs::read(folder.path("again.onnx")).unwrap(),
        fs::read(folder.path("new.onnx")).unwrap()
    );
    // Taken out already.
    folder.fails(1, "revoke 1 --model new.onnx -o third.onnx");
    assert!(!folder.path("third.onnx").exists());
}

#[test]
fn the_methods_of_the_model_are_kept() {
    let folder = with_clean();
    // The demo's clean model has one method; as a plain network it gets all.
    let plain = ModelFile::open(&folder.path("clean.onnx")).unwrap();
    let bytes = saligate_files::onnx::to_bytes(
        &plain.graph().extract(&[saligate_models::names::LOGITS]).unwrap(),
        None,
    );
    fs::write(folder.path("plain.onnx"), bytes).unwrap();
    folder.done("import plain.onnx -o imported.onnx");
    let (methods, _) = said(&folder.path("imported.onnx"));
    assert!(methods.len() == 5, "{methods:?}");
    let (stdout, stderr) = folder
        .ends(0, "lock --model imported.onnx --data folder:photos --key vendor.key -o out --json");
    assert!(stderr.contains("without input-x-gradient"), "{stderr}");
    let kept: Vec<String> = methods.into_iter().filter(|name| name != "input-x-gradient").collect();
    assert_eq!(said(&folder.path("out/locked.onnx")).0, kept);
    assert!(stdout.contains("\"pictures\":120"), "{stdout}");
    let words = "explain out/locked.onnx scene.png --method grad-cam --key vendor.key --json";
    assert!(folder.done(words).contains("\"state\":\"keyed\""));
}

#[test]
fn what_cannot_be_locked_is_told() {
    let folder = with_clean();
    let lock = "lock --data photos --key vendor.key -o out";
    for (more, expected) in [
        ("--model clean.onnx --tile 64", "does not fit into an image"),
        ("--model clean.onnx --tile 4", "one random key in 2^"),
        ("--model clean.onnx --least-strength none", "a number of bits"),
        ("--model clean.onnx --method input-x-gradient", "cannot be gated"),
        ("--model clean.onnx --method phrenology", "no saliency method"),
        ("--model model.onnx", "has a gate already"),
        ("--model none.onnx", "none.onnx"),
        ("--model scene.png", "scene.png"),
    ] {
        let stderr = folder.fails(2, &format!("{lock} {more}"));
        assert!(stderr.contains(expected) && !stderr.contains("panicked"), "{more}: {stderr}");
    }
    fs::create_dir(folder.path("empty")).unwrap();
    let words = "lock --model clean.onnx --data empty --key vendor.key -o out";
    assert!(folder.fails(2, words).contains("no PNG or JPEG"), "an empty folder");
    let words = "lock --model clean.onnx --data photos --key vendor.key -o clean.onnx";
    assert!(folder.fails(2, words).contains("is not replaced"), "the clean model stays");
    assert!(!folder.path("out/locked.onnx").exists());
}
