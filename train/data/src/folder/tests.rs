//! Small folders of every layout, and broken ones.

use std::collections::BTreeSet;
use std::fs;

use image::{GrayImage, ImageFormat, Luma, Rgb, RgbImage};
use tempfile::TempDir;

use super::*;
use crate::Dataset;

const SIZE: Framing = Framing { height: 4, width: 6, resize: None };

/// A folder of these files; pictures are 6 columns by 4 rows of one shade, their number in the list.
fn folder(pictures: &[&str], texts: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (shade, name) in pictures.iter().enumerate() {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let picture = RgbImage::from_pixel(6, 4, Rgb([shade as u8, 100, 200]));
        picture.save_with_format(path, ImageFormat::Png).unwrap();
    }
    for (name, text) in texts {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn read(folder: &TempDir, seed: u64) -> Result<Splits, DataError> {
    load(folder.path(), &SIZE, &LoadOptions { seed, ..LoadOptions::default() })
}

fn message(pictures: &[&str], texts: &[(&str, &str)]) -> String {
    let folder = folder(pictures, texts);
    let message = read(&folder, 1).unwrap_err().to_string();
    message.replace(&folder.path().display().to_string(), "DIR")
}

/// Shade and label of every image, in order.
fn shades(set: &Dataset) -> Vec<(u8, usize)> {
    (0..set.len()).map(|i| (set.image(i)[0], set.label(i))).collect()
}

fn sorted<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort_unstable();
    list
}

/// Ten images of each of two classes.
fn twenty(below: &str) -> Vec<String> {
    (0..20).map(|i| format!("{below}{}/{i:02}.png", ["ant", "bee"][i / 10])).collect()
}

#[test]
fn train_and_val_are_read_by_their_classes() {
    let pictures = ["train/b/1.PNG", "train/a/x.jpeg", "val/a/1.Jpg", "val/b/2.png"];
    let unread = [("train/a/readme.txt", ""), ("train/a/._x.png", ""), ("train/.git/x", "")];
    let splits = read(&folder(&pictures, &unread), 1).unwrap();
    assert_eq!(splits.train.class_names(), ["a", "b"]);
    assert_eq!(splits.test.class_names(), ["a", "b"]);
    assert_eq!(sorted(shades(&splits.train)), [(0, 1), (1, 0)]);
    assert_eq!(sorted(shades(&splits.test)), [(2, 0), (3, 1)]);
    assert_eq!(splits.train.mask(0), None);
    let image = splits.test.image(0);
    assert!(image[24..48].iter().all(|&v| v == 100) && image[48..].iter().all(|&v| v == 200));
}

#[test]
fn test_stands_in_for_val() {
    let splits = read(&folder(&["train/a/1.png", "test/a/1.png"], &[]), 1).unwrap();
    assert_eq!((splits.train.len(), splits.test.len()), (1, 1));
    let splits = read(&folder(&["train/a/1.png", "test/a/1.png", "val/a/1.png"], &[]), 1).unwrap();
    assert_eq!(shades(&splits.test), [(2, 0)]);
    // A class of that name, such as of locomotives.
    let splits = read(&folder(&["train/1.png", "train/2.png"], &[]), 1).unwrap();
    assert_eq!(splits.train.class_names(), ["train"]);
}

#[test]
fn training_images_are_shuffled_by_the_seed() {
    let (train, test) = (twenty("train/"), twenty("val/"));
    let names: Vec<&str> = train.iter().chain(&test).map(String::as_str).collect();
    let folder = folder(&names, &[]);
    let first = read(&folder, 1).unwrap();
    assert_eq!(first, read(&folder, 1).unwrap());
    let other = read(&folder, 2).unwrap();
    assert_ne!(shades(&first.train), shades(&other.train));
    assert_ne!(shades(&first.test), shades(&other.test));
    assert_eq!(sorted(shades(&first.train)), sorted(shades(&other.train)));
    let labels: BTreeSet<_> = shades(&first.train)[..8].iter().map(|(_, label)| *label).collect();
    assert_eq!(labels.len(), 2);

    let options = LoadOptions {
        train_count: Some(8),
        test_count: Some(3),
        seed: 1,
        ..LoadOptions::default()
    };
    let few = load(folder.path(), &SIZE, &options).unwrap();
    assert_eq!(few, Splits { train: first.train.take(8), test: first.test.take(3) });
}

#[test]
fn one_in_five_of_each_class_is_held_out() {
    let names = twenty("");
    let names: Vec<&str> =
        names.iter().map(String::as_str).chain(["cow/1.png", "cow/2.png"]).collect();
    let folder = folder(&names, &[]);
    let splits = read(&folder, 1).unwrap();
    let per_class = |set: &Dataset| {
        let labels: Vec<_> = shades(set).iter().map(|(_, label)| *label).collect();
        [0, 1, 2].map(|class| labels.iter().filter(|&&label| label == class).count())
    };
    assert_eq!((per_class(&splits.train), per_class(&splits.test)), ([8, 8, 1], [2, 2, 1]));
    let all = [shades(&splits.train), shades(&splits.test)].concat();
    assert_eq!(
        sorted(all).iter().map(|(shade, _)| *shade).collect::<Vec<_>>(),
        (0..22).collect::<Vec<u8>>()
    );
    assert_eq!(splits, read(&folder, 1).unwrap());
    let held_out = |splits: Splits| sorted(shades(&splits.test));
    assert_ne!(held_out(splits), held_out(read(&folder, 2).unwrap()));
}

#[test]
fn boxes_become_masks_in_the_framed_picture() {
    let csv = "x1,x0,label,y0,y1,file,split\n\
               1,1,9,0,3,a/1.png,train\n5,4,9,3,3,a/1.png,train\n5,0,9,0,0,a/1.png,val\n\
               0,0,9,0,0,a/gone.png,val\n";
    let folder = folder(&["train/a/1.png", "train/a/2.png", "val/a/1.png"], &[("boxes.csv", csv)]);
    let wide = Framing { height: 4, width: 12, resize: None };
    let splits = load(folder.path(), &wide, &LoadOptions::default()).unwrap();
    let of = |shade| shades(&splits.train).iter().position(|&(found, _)| found == shade).unwrap();
    let row = |text: &str| text.bytes().map(|b| u8::from(b == b'#')).collect::<Vec<_>>();
    let expected = row("..##..........##..........##..........##....####");
    assert_eq!(splits.train.mask(of(0)).unwrap(), expected);
    assert_eq!(splits.test.mask(0).unwrap(), row(&["############", &".".repeat(36)].concat()));
    assert_eq!(splits.train.object(of(1)), None);
    assert_eq!(splits.train.mask(of(1)).unwrap(), [0; 48]);
}

#[test]
fn boxes_outside_the_cut_leave_an_empty_mask() {
    let csv = "file,x0,y0,x1,y1\na/1.png,0,0,0,3\na/2.png,0,0,0,3\n";
    let folder = folder(&["a/1.png", "a/2.png"], &[("boxes.csv", csv)]);
    let cut = Framing { height: 4, width: 4, resize: Some(4) };
    let splits = load(folder.path(), &cut, &LoadOptions::default()).unwrap();
    assert_eq!((splits.train.object(0), splits.test.object(0)), (None, None));
}

#[test]
fn annotated_images_are_all_for_testing() {
    let csv = "file,class_index,class_name,x0,y0,x1,y1\n\
               b.png,3,\"dog, big\",0,0,5,1\na.png,1,cat,0,0,0,0\nb.png,3,\"dog, big\",0,3,5,3\n";
    let (pictures, table) = (["images/b.png", "images/a.png"], ("boxes.csv", csv));
    let splits = read(&folder(&pictures, &[table]), 1).unwrap();
    assert!(splits.train.is_empty());
    assert_eq!(splits.test.class_names(), ["0", "cat", "2", "dog, big"]);
    assert_eq!(shades(&splits.test), [(1, 1), (0, 3)]);
    assert_eq!(splits.test.mask(1).unwrap().iter().filter(|&&v| v == 1).count(), 18);

    let names = "n1 crane\nn2 cat, true cat\nn3 crane\nn4 dog\nn5 elk\n";
    let names = ("LOC_synset_mapping.txt", names);
    let splits = read(&folder(&pictures, &[table, names]), 1).unwrap();
    assert_eq!(splits.test.class_names(), ["crane (n1)", "cat", "crane (n3)", "dog", "elk"]);
}

#[test]
fn grey_and_jpeg_files_become_rgb() {
    let folder = folder(&["a/1.png"], &[]);
    // Content decides, not the name.
    let grey = GrayImage::from_pixel(40, 30, Luma([150]));
    grey.save_with_format(folder.path().join("a/2.png"), ImageFormat::Jpeg).unwrap();
    let splits = read(&folder, 1).unwrap();
    let grey = [splits.train, splits.test].into_iter().find(|set| set.image(0)[0] == 150).unwrap();
    assert_eq!(grey.image(0), [150; 72]);
}

#[test]
fn broken_folders_say_what_is_wrong() {
    let texts: &[(&str, &str)] = &[];
    for (pictures, texts, parts) in [
        (&[][..], texts, &["DIR;", "each class"][..]),
        (&["1.png"], texts, &["DIR;", "each class"]),
        (&["a/1.png", "a/2.png"], &[("b/1.txt", "")], &["DIR/b;", "no PNG or JPEG"]),
        (&["a/1.png", "a/2.png", "b/1.png"], texts, &["DIR/b;", "two are needed"]),
        (&["train/a/1.png"], texts, &["DIR;", "val/CLASS"]),
        (&["train/a/1.png", "val/a/1.png", "val/b/1.png"], texts, &["\"b\"", "not in DIR/train"]),
        (&["train/a/1.png", "train/b/1.png", "val/a/1.png"], texts, &["\"b\"", "not in DIR/val"]),
        (&["a/1.png"], &[("a/2.png", "no picture")], &["DIR/a/2.png", "neither a PNG"]),
        (&[], &[("images/x", ""), ("boxes.csv", "file,class_index,x0,y0,x1,y1")], &["DIR/images;"]),
    ] {
        let message = message(pictures, texts);
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    }
    let missing = load(Path::new("no/such"), &SIZE, &LoadOptions::default()).unwrap_err();
    assert!(missing.to_string().contains("no/such"), "{missing}");
}

#[test]
fn broken_tables_name_the_line() {
    let two = ["a/1.png", "a/2.png"];
    for (csv, part) in [
        ("file,x0,y0,x1\n", "line 1: there is no column \"y1\""),
        ("file,x0,y0,x1,y1\na/1.png,0,0,1\n", "line 2: 4 fields"),
        ("file,x0,y0,x1,y1\n\na/1.png,0,0,1.5,1\n", "line 3: x1 is \"1.5\""),
        ("file,x0,y0,x1,y1\na/1.png,2,0,1,1\n", "line 2: the box [2, 0, 1, 1] ends"),
        ("file,x0,y0,x1,y1\nb/1.png,0,0,1,1\n", "line 2: neither \"b/1.png\""),
    ] {
        let message = message(&two, &[("boxes.csv", csv)]);
        assert!(message.contains(part) && message.contains("DIR/boxes.csv"), "{message}");
    }
    for (csv, names, part) in [
        ("a.png,x,0,0,1,1", "n1 cat\n", "line 2: class_index is \"x\""),
        ("a.png,1,0,0,1,1", "n1 cat\n", "line 2: class_index is 1, but there are 1 classes"),
        ("a.png,0,0,0,1,1\na.png,1,0,0,1,1", "n1 cat\nn2 dog\n", "line 3: a.png is of class 1"),
        ("a.png,0,0,0,1,1", "n1 cat\nn2\n", "LOC_synset_mapping.txt, line 2"),
        ("b.png,0,0,0,1,1", "n1 cat\n", "DIR/images/a.png has no line"),
    ] {
        let csv = format!("file,class_index,x0,y0,x1,y1\n{csv}\n");
        let message =
            message(&["images/a.png"], &[("boxes.csv", &csv), ("LOC_synset_mapping.txt", names)]);
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn pictures_that_cannot_be_framed_are_named() {
    let folder = folder(&["a/1.png", "a/2.png"], &[]);
    let of = |framing| load(folder.path(), &framing, &LoadOptions::default()).unwrap_err();
    let small = of(Framing { height: 9, width: 9, resize: Some(8) }).to_string();
    assert!(small.contains(".png: a picture resized to 12 x 8 pixels"), "{small}");
    assert!(matches!(of(Framing { height: 0, ..SIZE }), DataError::Side { height: 0, .. }));
    let many = of(Framing { height: 65_535, width: 65_535, resize: None });
    assert!(matches!(many, DataError::SizeLimit { .. }), "{many}");
}

fn first_values(folder: &TempDir) -> Result<BTreeSet<u8>, DataError> {
    let pictures = pictures(folder.path(), 3, &SIZE, &LoadOptions::default())?;
    assert_eq!(pictures.shape().channels, 3);
    Ok(pictures.images().map(|image| image[0]).collect())
}

#[test]
fn pictures_need_no_classes() {
    let flat = folder(&["a.png", "b.png"], &[]);
    assert_eq!(first_values(&flat).unwrap(), BTreeSet::from([0, 1]));
    let lone = folder(&["x/a.png", "y/b.png", "y/z/c.png"], &[]);
    assert_eq!(
        first_values(&lone).unwrap(),
        BTreeSet::from([0, 1, 2]),
        "a picture a folder, at any depth"
    );
    let apart = folder(&["train/x/a.png", "train/x/b.png", "val/x/c.png"], &[]);
    assert_eq!(first_values(&apart).unwrap(), BTreeSet::from([0, 1]), "test pictures stay unseen");
    let mixed = folder(&["a.png", "b.png", "best/c.png", "best/d.png"], &[]);
    assert_eq!(first_values(&mixed).unwrap().len(), 4, "beside a folder that could be a class");
    let faulty = folder(&["x/a.png", "x/b.png"], &[("boxes.csv", "file,x0\n")]);
    assert!(matches!(first_values(&faulty), Err(DataError::Table { .. })));
    let none = folder(&[], &[("notes.txt", "no picture")]);
    assert!(matches!(first_values(&none), Err(DataError::NoImages { .. })));
}

#[test]
fn pictures_come_with_the_channels_asked_for() {
    let flat = folder(&["a.png"], &[]);
    let grey = pictures(flat.path(), 1, &SIZE, &LoadOptions::default()).unwrap();
    assert_eq!((grey.shape().channels, grey.len()), (1, 1));
}
