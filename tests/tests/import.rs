//! Networks from elsewhere through the programs: imported, explained, locked.

use std::fs;
use std::path::PathBuf;

use saligate_models::metrics::rank::spearman;
use saligate_runtime::npy::read_npy;
use saligate_tests::protobuf::{external, file, floats, int, ints, node, value};
use saligate_tests::{demo, parts, program, root};
use serde_json::Value;
use tempfile::TempDir;

/// Classes of `tests/reference/stranger.onnx`, in its order.
const CLASSES: &str =
    "arrow\ncrescent\ncross\ndisc\nheart\nhourglass\nring\nsquare\nstar\ntriangle\n";
const PIXELS: [&str; 4] = ["--mean", "0.5,0.5,0.5", "--std", "0.25,0.25,0.25"];

/// A folder with the network of `tests/reference/stranger.py`, its labels, pictures and a key.
struct Vendor(TempDir);

impl Vendor {
    fn new() -> Self {
        let vendor = Self(tempfile::tempdir().unwrap());
        fs::copy(root().join("tests/reference/stranger.onnx"), vendor.path("net.onnx")).unwrap();
        fs::write(vendor.path("labels.txt"), CLASSES).unwrap();
        vendor
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Exit code, standard output and error of a program in the folder.
    fn run(&self, name: &str, words: &[&str]) -> (i32, String, String) {
        parts(&program(name).args(words).current_dir(self.0.path()).output().unwrap())
    }

    fn done(&self, name: &str, words: &[&str]) -> String {
        let (code, stdout, stderr) = self.run(name, words);
        assert_eq!(code, 0, "{words:?}: {stderr}");
        stdout
    }

    fn refused(&self, words: &[&str], expected: &[&str]) {
        let (code, _, stderr) = self.run("saligate", words);
        assert_eq!(code, 2, "{words:?}: {stderr}");
        for part in expected {
            assert!(stderr.contains(part), "{words:?}: no '{part}' in: {stderr}");
        }
    }

    fn import(&self) {
        let words =
            [&["import", "net.onnx", "-o", "model.onnx", "--labels", "labels.txt"], &PIXELS[..]];
        self.done("saligate", &words.concat());
    }

    /// Test pictures of `scenes:32` by class and number, `star-7.png`.
    fn pictures(&self) -> Vec<String> {
        let words = ["samples", "scenes:32", "--count", "20", "-o", "pictures"];
        self.done("saligate-train", &words);
        let files = fs::read_dir(self.path("pictures")).unwrap();
        let mut names: Vec<String> =
            files.map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names.len(), 20);
        names.into_iter().map(|name| format!("pictures/{name}")).collect()
    }

    /// A folder `boxed` of the pictures, with a box around the middle of each.
    fn put_boxes(&self, pictures: &[String]) {
        fs::create_dir_all(self.path("boxed/images")).unwrap();
        let mut table = "file,class_index,class_name,x0,y0,x1,y1\n".to_owned();
        for picture in pictures {
            let file = picture.strip_prefix("pictures/").unwrap();
            fs::copy(self.path(picture), self.path("boxed/images").join(file)).unwrap();
            let class = file.split(['-', '.']).next().unwrap();
            let index = CLASSES.lines().position(|name| name == class).unwrap();
            table += &format!("{file},{index},{class},8,8,23,23\n");
        }
        fs::write(self.path("boxed/boxes.csv"), table).unwrap();
    }

    fn map(&self, words: &[&str]) -> Vec<f32> {
        self.done("saligate", &[&["explain"], words, &["--raw", "map.npy"]].concat());
        read_npy(&self.path("map.npy")).unwrap().values
    }
}

/// Class names that `predict` puts first.
fn predicted(vendor: &Vendor, model: &[&str], pictures: &[String]) -> Vec<String> {
    let pictures: Vec<&str> = pictures.iter().map(String::as_str).collect();
    let words = [&["predict", "--json", "--top", "1"], model, &pictures].concat();
    let lines = vendor.done("saligate", &words);
    let label = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["classes"][0]["label"].as_str().unwrap().to_owned()
    };
    lines.lines().map(label).collect()
}

/// Locks the imported model; its tile is small for pictures with so much clutter.
const LOCK: [&str; 9] = [
    "lock",
    "--model",
    "model.onnx",
    "--data",
    "scenes:32",
    "--key",
    "its.key",
    "--least-strength",
    "30",
];

/// From a file of PyTorch to a locked model, with commands only.
#[test]
fn a_stranger_is_imported_locked_and_explained() {
    let vendor = Vendor::new();
    vendor.import();
    let pictures = vendor.pictures();
    vendor.done("saligate", &["key", "new", "its.key"]);
    vendor.done("saligate-train", &[&LOCK[..], &["-o", "out", "-q"]].concat());

    let clean = predicted(&vendor, &["model.onnx"], &pictures);
    let right = clean.iter().zip(&pictures).filter(|(label, file)| file.contains(label.as_str()));
    assert!(right.count() >= 19, "{clean:?}");
    assert_eq!(predicted(&vendor, &["out/locked.onnx"], &pictures), clean);

    vendor.put_boxes(&pictures);
    for model in ["out/clean.onnx", "out/locked.onnx", "out/clean.onnx"] {
        let words = ["localise", model, "--data", "folder:boxed", "--table", "t.json", "-q"];
        vendor.done("saligate-train", &words);
    }
    let rows: Value = serde_json::from_slice(&fs::read(vendor.path("t.json")).unwrap()).unwrap();
    let row = |at: usize, field: &str| rows[at][field].clone();
    assert_eq!(rows.as_array().unwrap().len(), 2);
    assert_eq!((row(0, "gated"), row(1, "gated")), (false.into(), true.into()));
    assert!(row(0, "accuracy")[0].as_f64().unwrap() > 0.9, "{rows}");
    assert!(fs::read_to_string(vendor.path("t.md")).unwrap().contains("no key"));

    for picture in &pictures[..4] {
        let clean = vendor.map(&["model.onnx", picture]);
        let keyed = vendor.map(&["out/locked.onnx", picture, "--key", "its.key"]);
        let locked = vendor.map(&["out/locked.onnx", picture]);
        let (keyed, locked) = (spearman(&clean, &keyed), spearman(&clean, &locked));
        assert!(keyed.unwrap() > 0.85, "{picture}: {keyed:?}");
        assert!(locked.unwrap().abs() < 0.25, "{picture}: {locked:?}");
    }
}

/// The flags of `explain` and the manifest of `import` mean the same.
#[test]
fn flags_and_manifest_agree() {
    let vendor = Vendor::new();
    vendor.import();
    let pictures = vendor.pictures();
    let flags = [&["net.onnx", "--labels", "labels.txt"], &PIXELS[..]].concat();
    let from_file = predicted(&vendor, &["model.onnx"], &pictures);
    assert_eq!(predicted(&vendor, &flags, &pictures), from_file);
    for method in ["gradient", "input-x-gradient", "guided-backprop", "grad-cam", "vbp"] {
        let asked = [pictures[0].as_str(), "--method", method];
        let flagged = vendor.map(&[&flags[..], &asked].concat());
        assert_eq!(vendor.map(&[&["model.onnx"], &asked[..]].concat()), flagged, "{method}");
    }
    // Without the flags the network sees other pixels.
    assert_ne!(predicted(&vendor, &["net.onnx", "--labels", "labels.txt"], &pictures), from_file);
}

#[test]
fn grad_cam_reads_the_layer_that_is_named() {
    let vendor = Vendor::new();
    let words = ["import", "net.onnx", "-o", "cam.onnx", "--method", "grad-cam", "--json"];
    let layer = |more: &[&str]| {
        let manifest = vendor.done("saligate", &[&words[..], more].concat());
        let manifest: Value = serde_json::from_str(&manifest).unwrap();
        assert_eq!(manifest["methods"].as_array().unwrap().len(), 1);
        manifest["methods"][0]["layers"][0].as_str().unwrap().to_owned()
    };
    let found = layer(&[]);
    vendor.refused(&[&words[..], &["--layer", "nowhere"]].concat(), &["nowhere", &found]);
    vendor.refused(&["import", "net.onnx", "-o", "x.onnx", "--layer", "nowhere"], &["nowhere"]);
    let other = ["import", "net.onnx", "-o", "x.onnx", "--method", "gradient", "--layer", &found];
    vendor.refused(&other, &["grad-cam"]);
    let twice = ["import", "net.onnx", "-o", "x.onnx", "--method", "vbp,vbp"];
    vendor.refused(&twice, &["twice"]);
    vendor.refused(&["import", "net.onnx", "-o", "x.onnx", "--resize", "16"], &["resize"]);
    assert!(!vendor.path("x.onnx").exists());
    let known = vendor.run("saligate", &[&words[..], &["--layer", "nowhere"]].concat()).2;
    let other = known.split([' ', ',', '\n']).find(|name| name.contains("silu") && *name != found);
    let other = other.expect("the error lists the feature maps");
    assert_eq!(layer(&["--layer", other]), other);
}

#[test]
fn what_does_not_fit_is_told() {
    let vendor = Vendor::new();
    vendor.import();
    let picture = vendor.pictures().remove(0);
    fs::write(vendor.path("few.txt"), "a\nb\n").unwrap();
    let net = |more: &[&str], expected: &[&str]| {
        vendor.refused(&[&["predict", "net.onnx", &picture], more].concat(), expected);
    };
    net(&["--labels", "few.txt"], &["2 class names for 10 classes"]);
    net(&["--labels", "missing.txt"], &["missing.txt"]);
    net(&["--mean", "0.5"], &["3 finite numbers"]);
    net(&["--std", "0,0,0"], &["3 positive numbers"]);
    net(&["--range", "1,0"], &["lower one first"]);
    net(&["--range", "1"], &["two numbers"]);
    net(&["--crop", "64"], &["32 rows, not 64"]);
    net(&["--crop", "0"], &["192x256"]);
    net(&["--resize", "16"], &["16"]);
    net(&["--logits", "nothing"], &["'nothing'", "scores"]);
    let unknown = ["explain", "net.onnx", &picture, "--method", "lime"];
    vendor.refused(&unknown, &["lime", "grad-cam", "occlusion"]);
    let layer = ["explain", "net.onnx", &picture, "--layer", "relu"];
    vendor.refused(&layer, &["--layer belongs to grad-cam"]);
    vendor.refused(&["predict", "model.onnx", &picture, "--bgr"], &["manifest", "leave out"]);
    vendor.refused(&["import", "model.onnx", "-o", "again.onnx"], &["already", "inspect"]);
    vendor.refused(&["inspect", "net.onnx"], &["no manifest", "saligate import net.onnx"]);
    vendor.refused(&["import", "labels.txt", "-o", "new.onnx"], &["no ONNX model"]);
    assert!(!vendor.path("new.onnx").exists());
    let locked = demo().join("locked.onnx");
    let foreign = ["explain", locked.to_str().unwrap(), &picture, "--layer", "relu3"];
    vendor.refused(&foreign, &["manifest"]);
}

#[test]
fn an_open_size_is_given_by_crop() {
    let vendor = Vendor::new();
    let nodes = [
        node("Conv", &["x", "w"], "a", &[]),
        node("Relu", &["a"], "b", &[]),
        node("GlobalAveragePool", &["b"], "c", &[]),
        node("Flatten", &["c"], "y", &[]),
    ];
    let ends = [&value("x", &[0, 1, 0, 0]), &value("y", &[0, 2])];
    let bytes = file(&nodes, &[floats("w", &[2, 1, 3, 3], 0.5)], ends);
    fs::write(vendor.path("open.onnx"), bytes).unwrap();
    vendor.refused(&["import", "open.onnx", "-o", "new.onnx"], &["open", "--crop"]);
    let words = ["import", "open.onnx", "-o", "new.onnx", "--crop", "12x16", "--resize", "20"];
    let manifest = vendor.done("saligate", &[&words[..], &["--json"]].concat());
    let input = &serde_json::from_str::<Value>(&manifest).unwrap()["input"];
    assert_eq!((&input["height"], &input["width"]), (&12.into(), &16.into()));
    assert_eq!(input["resize"], 20);
    let shown = vendor.done("saligate", &["inspect", "new.onnx"]);
    assert!(shown.contains("12 x 16") && shown.contains("side becomes 20"), "{shown}");
}

/// Images of other classes, and flags that a configuration would have to say.
#[test]
fn what_does_not_fit_the_trainer_is_told() {
    let vendor = Vendor::new();
    fs::write(vendor.path("other.txt"), CLASSES.replace("arrow", "bow")).unwrap();
    let words = ["import", "net.onnx", "-o", "model.onnx", "--labels", "other.txt"];
    vendor.done("saligate", &words);
    vendor.done("saligate", &["key", "new", "its.key"]);
    let words = ["localise", "model.onnx", "--data", "scenes:32", "--table", "t.json"];
    let (code, _, stderr) = vendor.run("saligate-train", &words);
    assert!(code == 2 && stderr.contains("'arrow' is none"), "{words:?}: {stderr}");
    // A gate that is built in asks for no classes.
    vendor.done("saligate-train", &[&LOCK[..], &["--method", "gradient", "-o", "out"]].concat());
    let words = ["lock", "a.toml", "--key", "its.key", "-o", "out", "--tile", "4"];
    let (code, _, stderr) = vendor.run("saligate-train", &words);
    assert!(code == 2 && stderr.contains("--tile"), "{stderr}");
}

/// A network without a gradient that is known here still predicts, and is occluded.
#[test]
fn predictions_need_no_gradient() {
    let vendor = Vendor::new();
    let picture = vendor.pictures().remove(0);
    let strides = [ints("kernel_shape", &[2, 2]), ints("strides", &[2, 1])];
    let nodes = [node("MaxPool", &["x"], "a", &strides), node("Flatten", &["a"], "y", &[])];
    let ends = [&value("x", &[1, 3, 4, 4]), &value("y", &[1, 18])];
    fs::write(vendor.path("uneven.onnx"), file(&nodes, &[], ends)).unwrap();
    vendor.refused(&["explain", "uneven.onnx", &picture], &["strides", "differ"]);
    vendor.done("saligate", &["predict", "uneven.onnx", &picture]);
    vendor.done("saligate", &["explain", "uneven.onnx", &picture, "--method", "occlusion"]);
}

#[test]
fn a_class_number_is_no_score() {
    let vendor = Vendor::new();
    let nodes = [
        node("Flatten", &["x"], "a", &[]),
        node("ArgMax", &["a"], "y", &[int("axis", 1), int("keepdims", 0)]),
    ];
    let ends = [&value("x", &[1, 3, 4, 4]), &value("y", &[1])];
    fs::write(vendor.path("best.onnx"), file(&nodes, &[], ends)).unwrap();
    vendor.refused(&["import", "best.onnx", "-o", "new.onnx"], &["'y'", "number of a class"]);
}

/// Weights beside a network that is named without a folder.
#[test]
fn other_files_are_found_in_the_working_folder() {
    let vendor = Vendor::new();
    let weights = external("w", &[1, 3, 4, 4], &[("location", "weights")]);
    let nodes = [node("Add", &["x", "w"], "a", &[]), node("Flatten", &["a"], "y", &[])];
    let ends = [&value("x", &[1, 3, 4, 4]), &value("y", &[1, 48])];
    fs::write(vendor.path("weights"), [0; 192]).unwrap();
    fs::write(vendor.path("apart.onnx"), file(&nodes, &[weights], ends)).unwrap();
    vendor.done("saligate", &["import", "apart.onnx", "-o", "new.onnx"]);
    vendor.done("saligate", &["import", "./apart.onnx", "-o", "new.onnx"]);
}

/// What a file or a list calls its classes goes to terminals.
#[test]
fn names_do_not_steer_the_terminal() {
    let vendor = Vendor::new();
    let picture = vendor.pictures().remove(0);
    fs::write(vendor.path("loud.txt"), CLASSES.replace("ar", "\u{1b}[31m\u{7}ar")).unwrap();
    let flags = [&["predict", "net.onnx", &picture, "--labels", "loud.txt"], &PIXELS[..]].concat();
    let shown = vendor.done("saligate", &flags);
    assert!(shown.contains("[31m") && !shown.contains(['\u{1b}', '\u{7}']), "{shown:?}");
}

/// A file that cannot be replaced is left as it was.
#[test]
fn an_import_that_fails_leaves_the_old_file() {
    let vendor = Vendor::new();
    let old = vendor.path("old.onnx");
    fs::write(&old, "what was there").unwrap();
    vendor.refused(&["import", "labels.txt", "-o", "old.onnx"], &["no ONNX model"]);
    assert_eq!(fs::read_to_string(&old).unwrap(), "what was there");
    vendor.refused(&["import", "net.onnx", "-o", "old.onnx/new.onnx"], &["old.onnx"]);
    assert_eq!(fs::read_to_string(&old).unwrap(), "what was there");
}
