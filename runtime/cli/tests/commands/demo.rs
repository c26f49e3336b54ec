//! `demo`, wherever it is run.

use std::fs;

use saligate_runtime::picture::Picture;
use serde_json::Value;

use crate::folder::Folder;

/// Similarities to the correct map by sample and state.
fn shown(folder: &Folder, more: &str) -> Vec<(String, Vec<f64>)> {
    let stdout = folder.done(&format!("demo --json -o panel.png {more}"));
    let row = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let image = line["image"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        let states = line["states"].as_array().unwrap();
        (image, states.iter().map(|state| state["spearman"].as_f64().unwrap()).collect())
    };
    stdout.lines().map(row).collect()
}

#[test]
fn the_demo_ships_in_the_program() {
    let folder = Folder::new();
    let shipped = shown(&folder, "");
    assert!(folder.path("panel.png").exists());
    let demo = Folder::demo("");
    let from_files = shown(&folder, &format!("--dir {}", demo.display()));
    assert_eq!(shipped.len(), 4);
    for ((name, shipped), (other, from_files)) in shipped.iter().zip(&from_files) {
        assert_eq!(name, other);
        // Weights of 16 bits hardly change a map.
        for (a, b) in shipped.iter().zip(from_files) {
            assert!((a - b).abs() < 0.05, "{name}: {shipped:?} against {from_files:?}");
        }
        assert!(shipped[2] > 0.99, "{name}: {shipped:?}");
        let &[.., without, with] = &shipped[..] else { panic!("two states of the trained model") };
        assert!(with > 0.6 && without < with - 0.3, "{name}: {shipped:?}");
    }
}

/// Made anew, they are the same.
#[test]
fn what_ships_is_made_of_the_files_beside_it() {
    let folder = Folder::new();
    for name in ["clean", "locked", "trained"] {
        let model = Folder::demo(&format!("{name}.onnx"));
        folder.done(&format!("compile {} -o made.edge --precision f16", model.display()));
        let shipped = fs::read(Folder::demo(&format!("{name}.edge"))).unwrap();
        assert!(fs::read(folder.path("made.edge")).unwrap() == shipped, "{name}");
    }
    for name in ["disc", "ring", "square", "triangle"] {
        let sample = Folder::demo(&format!("samples/{name}.png"));
        let explain = format!("explain model.onnx {} --key vendor.key", sample.display());
        folder.done(&format!("{explain} --triggered keyed.png"));
        let [made, shipped] =
            [folder.path("keyed.png"), Folder::demo(&format!("keyed/{name}.png"))]
                .map(|path| Picture::open(&path, 3).unwrap());
        assert!(made == shipped, "{name}");
    }
}

#[test]
fn a_folder_without_the_demo_is_told() {
    let folder = Folder::new();
    let stderr = folder.fails(2, "demo --dir nowhere");
    assert!(stderr.contains("cannot read the demo in nowhere"), "{stderr}");
    assert!(stderr.contains("try: leave out --dir"), "{stderr}");
}
