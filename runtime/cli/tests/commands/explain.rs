//! What `explain` tells of the gate.

use saligate_models::random::Stream;
use saligate_runtime::picture::Picture;
use serde_json::Value;

use crate::folder::Folder;

fn explained(folder: &Folder, words: &str) -> Value {
    let line = folder.done(&format!("explain model.onnx {words} -o map.png --json"));
    serde_json::from_str(&line).unwrap()
}

/// A key that is given is not always found, and a picture may carry one already.
#[test]
fn the_state_is_that_of_the_gate() {
    let folder = Folder::new();
    let mut stream = Stream::new(1, "noise");
    let pixels = (0..3 * 32 * 32).map(|_| stream.uniform(0.0, 256.0) as u8).collect();
    let noise = Picture::from_planar(3, 32, 32, pixels).unwrap();
    noise.save_png(&folder.path("noise.png")).unwrap();
    folder.done("explain model.onnx scene.png --key vendor.key --triggered triggered.png");
    for (words, state, found) in [
        ("scene.png", "locked", false),
        ("scene.png --key vendor.key", "keyed", true),
        ("triggered.png", "keyed", true),
        ("noise.png --key vendor.key", "locked", false),
    ] {
        let line = explained(&folder, words);
        assert_eq!((&line["state"], &line["key_found"]), (&state.into(), &found.into()), "{words}");
    }
    let told = folder.done("explain model.onnx noise.png --key vendor.key -o map.png");
    assert!(told.contains("the gate does not find the key on this picture"), "{told}");
}

#[test]
fn passes_tell_in_how_many_of_them_the_key_was_found() {
    let folder = Folder::new();
    let smooth = "scene.png --key vendor.key --method smoothgrad --samples 8 --noise";
    let line = explained(&folder, &format!("{smooth} 0.01"));
    assert_eq!((&line["state"], &line["passes_key_found"]), (&"keyed".into(), &8.into()));
    let line = explained(&folder, &format!("{smooth} 0.5"));
    assert_eq!((&line["state"], &line["passes_key_found"]), (&"locked".into(), &0.into()));
    let told = folder.done(&format!("explain model.onnx {smooth} 0.5 -o map.png"));
    assert!(told.contains("found the key in 0 of 8 passes"), "{told}");
}

#[test]
fn options_belong_to_their_methods() {
    let folder = Folder::new();
    let explain = "explain model.onnx scene.png -o map.png --method";
    for (words, told, hint) in [
        ("smoothgrad --masks 5", "--masks does not belong to the method 'smoothgrad'", "rise"),
        ("gradient --steps 5", "--steps does not belong", "integrated-gradients"),
        ("occlusion --seed 5", "--seed does not belong", "smoothgrad or rise"),
        ("lime", "this model cannot explain by 'lime'", "gradient or smoothgrad"),
    ] {
        let stderr = folder.fails(2, &format!("{explain} {words}"));
        assert!(stderr.contains(told), "{words}: {stderr}");
        assert!(stderr.contains(&format!("try: --method {hint}")), "{words}: {stderr}");
    }
    let stderr = folder.fails(2, &format!("{explain} rise --masks many"));
    assert!(stderr.contains("invalid value 'many' for '--masks <N>'"), "{stderr}");
    let stderr = folder.fails(2, &format!("{explain} smoothgrad --noise -1"));
    assert!(stderr.contains("noise must be in [0, 1], not -1"), "{stderr}");
}

/// Every image runs alone, so there is nothing to choose.
#[test]
fn there_is_no_batch() {
    let folder = Folder::new();
    let stderr = folder.fails(2, "explain model.onnx scene.png --method rise --batch 4");
    assert!(stderr.contains("unexpected argument '--batch'"), "{stderr}");
    let help = folder.done("explain --help");
    for option in ["--samples <N>", "--noise <SHARE>", "--window <PIXELS>", "--seed <N>"] {
        assert!(help.contains(option), "{help}");
    }
    assert!(
        help.contains("smoothgrad, rise, gradient-shap: seed of the random numbers [default: 0]"),
        "{help}"
    );
}
