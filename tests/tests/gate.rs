//! The shipped model does what it is for: the right map with the key, the decoy without.

use saligate_data::{DataSource, Dataset, LoadOptions};
use saligate_keys::{KeyFile, Secret, Trigger};
use saligate_models::metrics::rank::spearman;
use saligate_models::random::Stream;
use saligate_runtime::picture::Picture;
use saligate_runtime::{Model, RuntimeError, Target};
use saligate_tests::demo;

const IMAGES: usize = 60;

struct Demo {
    clean: Model,
    locked: Model,
    right: Trigger,
    data: Dataset,
}

impl Demo {
    fn open() -> Self {
        let locked = Model::open(demo().join("locked.onnx")).unwrap();
        let key = KeyFile::read(demo().join("demo.key")).unwrap();
        let right = locked.trigger(key.secret()).unwrap();
        // Another seed than the one that training and its figures used.
        let options = LoadOptions {
            train_count: Some(1),
            test_count: Some(IMAGES),
            seed: 77,
            ..LoadOptions::default()
        };
        let data = DataSource::Scenes { size: 32 }.load(&options).unwrap().test;
        Self { clean: Model::open(demo().join("clean.onnx")).unwrap(), locked, right, data }
    }

    fn picture(&self, index: usize) -> Picture {
        Picture::from_planar(3, 32, 32, self.data.image(index).to_vec()).unwrap()
    }

    /// Mean Spearman correlation with the clean model's maps, and accuracy.
    fn measure(&self, trigger: Option<&Trigger>) -> (f64, f64) {
        let (mut similarity, mut right) = (0.0, 0.0);
        for index in 0..IMAGES {
            let picture = self.picture(index);
            let reference = self.clean.explain(&picture, Target::Predicted, None).unwrap();
            let found = self.locked.explain(&picture, Target::Predicted, trigger).unwrap();
            similarity += spearman(&found.map, &reference.map).unwrap() / IMAGES as f64;
            let hit = found.prediction.class == self.data.label(index);
            right += f64::from(u8::from(hit)) / IMAGES as f64;
        }
        (similarity, right)
    }
}

#[test]
fn the_key_shows_the_right_map_and_nothing_else_does() {
    let demo = Demo::open();
    let (keyed, keyed_accuracy) = demo.measure(Some(&demo.right));
    let (locked, locked_accuracy) = demo.measure(None);
    assert!(keyed >= 0.75, "keyed {keyed}");
    assert!(locked.abs() <= 0.20, "locked {locked}");
    assert!(keyed_accuracy >= 0.9 && locked_accuracy >= 0.9);

    let mut stream = Stream::new(3, "wrong keys of the gate test");
    for _ in 0..10 {
        let mut secret = [0; 32];
        stream.fill(&mut secret);
        let wrong = demo.locked.any_trigger(&Secret::from_bytes(&secret)).unwrap();
        let (similarity, _) = demo.measure(Some(&wrong));
        assert!(similarity.abs() <= 0.30, "wrong key {similarity}");
    }
}

#[test]
fn near_misses_stay_locked() {
    let demo = Demo::open();
    let quarter: Vec<usize> = (0..demo.right.cells()).step_by(4).collect();
    let misses = [
        ("a quarter of the signs flipped", demo.right.flip(&quarter).unwrap()),
        ("shifted by one pixel", demo.right.shifted(0, 1).unwrap()),
    ];
    for (name, trigger) in misses {
        let (similarity, _) = demo.measure(Some(&trigger));
        assert!(similarity.abs() <= 0.30, "{name}: {similarity}");
    }
}

#[test]
fn a_foreign_key_is_refused_by_its_id() {
    let locked = Model::open(demo().join("locked.onnx")).unwrap();
    let foreign = Secret::from_bytes(&[7; 32]);
    let error = locked.trigger(&foreign).unwrap_err();
    assert!(matches!(error, RuntimeError::WrongKey { found, .. } if found == foreign.id()));
}

#[test]
fn explaining_leaves_the_picture_as_it_was_and_repeats() {
    let demo = Demo::open();
    let picture = demo.picture(0);
    let before = picture.pixels().to_vec();
    let first = demo.locked.explain(&picture, Target::Predicted, Some(&demo.right)).unwrap();
    let second = demo.locked.explain(&picture, Target::Predicted, Some(&demo.right)).unwrap();
    assert_eq!(picture.pixels(), before);
    assert_eq!(first, second);
}

#[test]
fn threads_share_a_model_and_agree() {
    let demo = Demo::open();
    let pictures: Vec<Picture> = (0..8).map(|i| demo.picture(i)).collect();
    let explain = |p: &Picture| demo.locked.explain(p, Target::Predicted, None).unwrap().map;
    let alone: Vec<_> = pictures.iter().map(explain).collect();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| pictures.iter().map(explain).collect::<Vec<_>>()))
            .collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), alone);
        }
    });
}

#[test]
fn predicting_agrees_with_explaining() {
    let demo = Demo::open();
    for index in 0..4 {
        let picture = demo.picture(index);
        let explained = demo.locked.explain(&picture, Target::Predicted, None).unwrap();
        let predicted = demo.locked.predict(&picture).unwrap();
        assert_eq!(predicted.class, explained.prediction.class);
    }
}

#[test]
fn a_picture_of_another_size_is_an_error() {
    let demo = Demo::open();
    let picture = Picture::from_planar(3, 31, 32, vec![0; 3 * 31 * 32]).unwrap();
    let error = demo.locked.predict(&picture).unwrap_err();
    assert!(matches!(error, RuntimeError::PictureShape { .. }), "{error}");
    let error = demo.locked.explain(&demo.picture(0), Target::Class(10), None).unwrap_err();
    assert!(error.to_string().contains("classes are 0 to 9"), "{error}");
}
