//! Image folders: shared data as they are, and small ones through the commands.

use std::path::{Path, PathBuf};

use saligate_data::{DataSource, Dataset, LoadOptions};
use saligate_files::ModelFile;
use saligate_runtime::picture::{Framing, Picture};
use saligate_tests::{Folder, parts, program, shared};

fn load(folder: PathBuf, framing: Framing) -> [Dataset; 2] {
    let options = LoadOptions { framing: Some(framing), ..LoadOptions::default() };
    let splits = DataSource::Folder(folder).load(&options).unwrap();
    [splits.train, splits.test]
}

/// Images of each class.
fn counts(data: &Dataset) -> Vec<usize> {
    let mut counts = vec![0; data.class_names().len()];
    (0..data.len()).for_each(|index| counts[data.label(index)] += 1);
    counts
}

#[test]
#[cfg_attr(not(shared_data), ignore = "skipped: ../shared/data is not there")]
fn tiny_imagenet_is_read_with_its_boxes() {
    let folder = shared("tinyimagenet20");
    let [train, test] = load(folder.clone(), Framing { height: 64, width: 64, resize: None });
    assert_eq!((counts(&train), counts(&test)), (vec![500; 20], vec![50; 20]));
    assert_eq!(train.class_names()[0], "n01443537_goldfish");
    for data in [&train, &test] {
        assert!((0..data.len()).all(|index| data.object(index).is_some()));
    }
    // The first line of the table: columns 0 to 63, rows 10 to 58.
    let path = folder.join("train/n01443537_goldfish/n01443537_0.JPEG");
    let picture = Picture::open(&path, 3).unwrap();
    let index = (0..train.len()).find(|&index| train.image(index) == picture.pixels()).unwrap();
    let expected: Vec<bool> = (0..64 * 64).map(|at| (10..=58).contains(&(at / 64))).collect();
    assert_eq!((train.label(index), train.object(index)), (0, Some(expected)));
}

#[test]
#[cfg_attr(not(shared_data), ignore = "skipped: ../shared/data is not there")]
fn images_of_imagenet_are_read_by_their_table() {
    let [train, test] =
        load(shared("imagenet-val-100"), Framing { height: 224, width: 224, resize: Some(256) });
    assert!(train.is_empty());
    assert_eq!((test.len(), test.class_names().len()), (100, 1000));
    assert_eq!(test.class_names()[test.label(0)], "sea snake");
    // 500 x 375 pixels become 341 x 256, of which the columns from 58 and the rows from 16 are
    // left; the box from (111, 108) to (441, 193) is then from (17, 57) to (223, 116).
    let object = test.object(0).unwrap();
    let inside = |at: usize| (17..=223).contains(&(at % 224)) && (57..=116).contains(&(at / 224));
    assert!(object.iter().enumerate().all(|(at, &marked)| marked == inside(at)));
}

/// Bright and dark pictures of two sizes, 15 of each, with a box in every other one.
fn write_pictures(folder: &Path) {
    let mut csv = "file,x0,y0,x1,y1\n".to_owned();
    for (class, shade) in [("bright", 200), ("dark", 20)] {
        std::fs::create_dir_all(folder.join(class)).unwrap();
        for i in 0..15 {
            let (height, width) = [(20, 30), (32, 24)][i % 2];
            let pixels = (0..height * width * 3).map(|at| shade + (at * (i + 1) % 40) as u8);
            let picture = Picture::from_planar(3, height, width, pixels.collect()).unwrap();
            let file = format!("{class}/{i}.png");
            picture.save_png(&folder.join(&file)).unwrap();
            if i % 2 == 0 {
                csv += &format!("{file},3,4,20,16\n");
            }
        }
    }
    std::fs::write(folder.join("boxes.csv"), csv).unwrap();
}

const CONFIG: &str = r#"
id = "key-gradient-small-folder"
seed = 1
[data]
source = "folder:DIR"
size = [16, 24]
resize = 26
validation = 4
[model]
architecture = "small"
widths = [8, 8, 8, 8, 16, 8]
[fit]
steps = { count = 12, batch = 8, rate = 2e-3 }
augment = { mirror = true, crop = 2, border = "black" }
[steady]
steps = { count = 3, batch = 8, rate = 5e-4, clip = 2.0 }
weight = 0.4
augment = { crop = 1, border = "black" }
[lock]
start = "built-in"
[evaluate]
images = 6
wrong_keys = 2
images_per_key = 2
"#;

#[test]
fn a_model_is_made_from_a_folder() {
    let pictures = tempfile::tempdir().unwrap();
    write_pictures(pictures.path());
    let config = CONFIG.replace("DIR", &pictures.path().display().to_string());
    let folder = Folder::new(&config, 1);
    folder.done("run", &["--key", "1.key", "--results", "results.json"]);
    let manifest = ModelFile::open(&folder.path("out/locked.onnx")).unwrap().manifest().clone();
    assert_eq!((manifest.input.height, manifest.input.width), (16, 24));
    assert_eq!(manifest.labels, ["bright", "dark"]);
    let results = std::fs::read(folder.path("results.json")).unwrap();
    let rows: serde_json::Value = serde_json::from_slice(&results).unwrap();
    assert!(rows[0]["metrics"]["pointing_clean"].is_number(), "{rows}");
}

#[test]
fn sizes_that_make_no_sense_are_told() {
    for (from, to, part) in [
        ("size = [16, 24]\nresize = 26\n", "", "data.size must be [rows, columns]"),
        ("folder:DIR", "scenes:32", "data.size must be"),
        ("size = [16, 24]", "size = [0, 24]", "data.size and data.resize must be positive"),
        ("resize = 26", "resize = 15", "is smaller than the 24 x 16 that are cut out"),
        ("crop = 2", "crop = 16", "augment.crop is 16"),
    ] {
        let pictures = tempfile::tempdir().unwrap();
        write_pictures(pictures.path());
        let config = CONFIG.replace(from, to);
        assert_ne!(config, CONFIG);
        let config = config.replace("DIR", &pictures.path().display().to_string());
        let (code, _, stderr) = Folder::new(&config, 0).run("fit", &[]);
        assert!(code == 2 && stderr.contains(part), "{code}: {stderr}");
    }
}

#[test]
fn previews_and_samples_take_a_size() {
    let folder = tempfile::tempdir().unwrap();
    let pictures = folder.path().join("pictures");
    write_pictures(&pictures);
    let source = format!("folder:{}", pictures.display());
    let run = |command: &str, out: &str, more: &[&str]| {
        let mut program = program("saligate-train");
        program.arg(command).arg(&source).arg("-o").arg(folder.path().join(out)).args(more);
        parts(&program.output().unwrap())
    };

    let (code, _, stderr) = run("preview", "sheet.png", &["--size", "16x24", "--resize", "24"]);
    assert_eq!(code, 0, "{stderr}");
    // Four rows of five of the 24 training images and their masks, two pixels around each, and a
    // row of four.
    let sheet = Picture::open(&folder.path().join("sheet.png"), 3).unwrap();
    assert_eq!((sheet.height(), sheet.width()), (5 * 18 + 2, 5 * 50 + 2));

    let (code, stdout, stderr) = run("samples", "out", &["--size", "8x8", "--count", "6"]);
    assert_eq!((code, stdout.lines().count()), (0, 6), "{stderr}");
    for name in ["bright.png", "bright-2.png", "bright-3.png", "dark.png", "dark-2.png"] {
        let sample = Picture::open(&folder.path().join("out").join(name), 3).unwrap();
        assert_eq!((sample.height(), sample.width()), (8, 8));
    }

    for (more, part) in [
        (&[][..], "say which size"),
        (&["--size", "8"], "rows x columns"),
        (&["--resize", "8"], "--size"),
    ] {
        let (code, _, stderr) = run("preview", "sheet.png", more);
        assert!(code == 2 && stderr.contains(part), "{code}: {stderr}");
    }
}

#[test]
fn a_model_is_measured_on_annotated_images() {
    let pictures = tempfile::tempdir().unwrap();
    write_pictures(pictures.path());
    let config = CONFIG.replace("DIR", &pictures.path().display().to_string());
    let folder = Folder::new(&config, 1);
    folder.done("fit", &[]);
    folder.done("lock", &["--key", "1.key"]);

    let images = pictures.path().join("images");
    std::fs::create_dir(&images).unwrap();
    let mut csv = "file,class_index,class_name,x0,y0,x1,y1\n".to_owned();
    for (index, class) in ["bright", "dark"].into_iter().enumerate() {
        let name = format!("{class}.png");
        std::fs::rename(pictures.path().join(class).join("0.png"), images.join(&name)).unwrap();
        csv += &format!("{name},{index},{class},3,4,20,16\n");
    }
    std::fs::write(pictures.path().join("boxes.csv"), csv).unwrap();
    folder.done("evaluate", &["--key", "1.key", "--results", "results.json"]);
    let (code, _, stderr) = folder.run("fit", &[]);
    assert!(code == 2 && stderr.contains("no training images"), "{stderr}");
}
