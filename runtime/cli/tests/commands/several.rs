//! Several methods and classes in one call, and how maps are drawn.

use std::fs;
use std::path::Path;

use saligate_runtime::npy::read_npy;
use saligate_runtime::picture::Picture;
use serde_json::Value;

use crate::folder::Folder;

/// A folder with a network from elsewhere, five classes of which one has commas in its name.
fn folder() -> Folder {
    let folder = Folder::new();
    let net = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/reference/attention.onnx");
    fs::copy(net, folder.path("vit.onnx")).unwrap();
    fs::write(folder.path("names.txt"), "cat\ndog\ntench, Tinca tinca\nbee\nowl\n").unwrap();
    let pixels = (0..3 * 40 * 60).map(|i| (i * 7 % 256) as u8).collect();
    let picture = Picture::from_planar(3, 40, 60, pixels).unwrap();
    picture.save_png(&folder.path("wide.png")).unwrap();
    folder
}

fn lines(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_class_is_explained_by_every_method() {
    let folder = folder();
    let explain = "explain vit.onnx wide.png --labels names.txt --json --class 3,owl \
                   --method gradient,grad-cam,attention-rollout --raw {}-{method}-{class}.npy";
    let found = lines(&folder.done(explain));
    let told = found.iter().map(|line| (line["label"].clone(), line["method"].clone()));
    let methods = ["gradient", "grad-cam", "attention-rollout"];
    let wanted = ["bee", "owl"].into_iter().flat_map(|l| methods.map(|m| (l.into(), m.into())));
    assert_eq!(told.collect::<Vec<(Value, Value)>>(), wanted.collect::<Vec<_>>());
    let map = |name: &str| read_npy(&folder.path(name)).unwrap();
    assert_eq!(map("wide-gradient-3.npy").shape, [24, 24]);
    assert_ne!(map("wide-gradient-3.npy").values, map("wide-gradient-4.npy").values);
    // Together as alone.
    folder.done("explain vit.onnx wide.png --class 3 --method grad-cam --raw alone.npy");
    assert_eq!(map("alone.npy").values, map("wide-grad-cam-3.npy").values);
    let probability = |line: &Value| line["probability"].as_f64().unwrap();
    assert!(found.iter().all(|line| (0.0..=1.0).contains(&probability(line))));
}

#[test]
fn a_class_may_have_commas_in_its_name() {
    let folder = folder();
    let mut command = folder.command("explain vit.onnx wide.png --labels names.txt --json");
    command.args(["--class", "tench, Tinca tinca", "--class", "cat"]);
    let output = command.output().unwrap();
    let classes: Vec<Value> = lines(&String::from_utf8(output.stdout).unwrap())
        .iter()
        .map(|l| l["class"].clone())
        .collect();
    assert_eq!(classes, [Value::from(2), Value::from(0)]);
    let stderr = folder.fails(2, "explain vit.onnx wide.png --labels names.txt --class cat,cow");
    assert!(stderr.contains("there is no class 'cow'"), "{stderr}");
    let stderr = folder.fails(2, "explain vit.onnx wide.png --class 1,1");
    assert!(stderr.contains("--class names 1 twice"), "{stderr}");
}

#[test]
fn no_map_is_written_over_another() {
    let folder = folder();
    let explain = "explain vit.onnx wide.png --method gradient,grad-cam";
    let stderr = folder.fails(2, &format!("{explain} -o map.png"));
    assert!(stderr.contains("several maps would be written here"), "{stderr}");
    assert!(stderr.contains("{method} and {class} in the name"), "{stderr}");
    assert!(!folder.path("map.png").exists());
    let stdout = folder.done(&format!("{explain} -o {{method}}.png --panel all.png"));
    let written = ["gradient.png", "grad-cam.png", "all.png"];
    assert!(written.iter().all(|name| stdout.contains(&format!("wrote {name}"))), "{stdout}");
    assert!(written.iter().all(|name| folder.path(name).exists()));
    let stderr = folder.fails(2, "explain vit.onnx wide.png --method gradient,gradient");
    assert!(stderr.contains("--method names gradient twice"), "{stderr}");
}

#[test]
fn settings_go_to_the_methods_that_have_them() {
    let folder = folder();
    let explain = "explain vit.onnx wide.png --json --raw {method}.npy";
    let found = lines(&folder.done(&format!("{explain} --method smoothgrad,gradient --samples 3")));
    assert_eq!(found[0]["passes"], 3);
    assert!(found[1]["passes"].is_null());
    let stderr = folder.fails(2, &format!("{explain} --method rise,gradient --samples 3"));
    assert!(stderr.contains("--samples belongs to none of rise, gradient"), "{stderr}");
    let found = lines(&folder.done(&format!("{explain} --method score-cam")));
    assert!(found[0]["layers"][0].is_string(), "{found:?}");
}

#[test]
fn overlays_have_the_size_of_the_picture() {
    let folder = folder();
    let pixels = vec![99; 3 * 250 * 300];
    let picture = Picture::from_planar(3, 250, 300, pixels).unwrap();
    picture.save_png(&folder.path("large.png")).unwrap();
    folder.done("explain vit.onnx large.png --overlay over.png -o map.png");
    let size = |name: &str| {
        let picture = Picture::open(&folder.path(name), 3).unwrap();
        [picture.height(), picture.width()]
    };
    assert_eq!(size("over.png"), [250, 300]);
    // 24 rows, enlarged by a whole number.
    assert_eq!(size("map.png"), [216, 216]);
}

#[test]
fn colours_are_chosen_by_name() {
    let folder = folder();
    let mut seen: Vec<Vec<u8>> = Vec::new();
    for name in ["ember", "poles", "viridis", "jet", "grey"] {
        folder.done(&format!("explain vit.onnx wide.png --colormap {name} -o map.png"));
        seen.push(Picture::open(&folder.path("map.png"), 3).unwrap().into_pixels());
    }
    let differ = (0..5).all(|i| (0..i).all(|j| seen[i] != seen[j]));
    assert!(differ, "two colour scales draw alike");
    let area = seen[4].len() / 3;
    assert_eq!(seen[4][..area], seen[4][area..2 * area], "grey has no colour");
    let stderr = folder.fails(2, "explain vit.onnx wide.png --colormap rainbow");
    assert!(stderr.contains("viridis"), "{stderr}");
}
