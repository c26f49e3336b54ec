//! What an explanation under a licence tells of the licence: every slot has a trigger of its own, and
//! whoever has the model file has all of their tiles.

use saligate_data::{DataSource, LoadOptions};
use saligate_files::ModelFile;
use saligate_models::saliency::{Attachment, Method};
use saligate_runtime::picture::Picture;
use saligate_runtime::{Model, Target};
use saligate_tests::licensing::VendorFolder;

/// Explains pictures under slots, and returns in how many pictures a slot did not open the gate, and
/// in how many of the others an answer was not the same, bit for bit, for all slots.
fn told_apart(pictures: usize, slots: u32, methods: &[Method]) -> [usize; 2] {
    let folder = VendorFolder::new();
    let file = ModelFile::open(&folder.path("model.onnx")).unwrap();
    let methods: Vec<Attachment> =
        methods.iter().map(|&m| Attachment::of(m, file.graph()).unwrap()).collect();
    let model = Model::new(file.with_methods(&methods).unwrap()).unwrap();
    let source: DataSource = "scenes:32".parse().unwrap();
    let options = LoadOptions { seed: 7, quiet: true, ..LoadOptions::default() };
    let scenes = source.pictures(3, &options).unwrap();
    let triggers: Vec<_> = (1..=slots).map(|slot| folder.slot(slot)).collect();
    let (mut closed, mut different) = (0, 0);
    for pixels in scenes.images().take(pictures) {
        let picture = Picture::from_planar(3, 32, 32, pixels.to_vec()).unwrap();
        for method in &methods {
            let answers = triggers.iter().map(|trigger| {
                let name = method.method.name();
                model.explain_by(name, &picture, Target::Predicted, Some(trigger)).unwrap()
            });
            let answers: Vec<_> = answers.collect();
            let open: Vec<_> =
                answers.iter().filter(|a| a.prediction.key_found == Some(true)).collect();
            closed += usize::from(open.len() < answers.len());
            different += usize::from(open.iter().any(|answer| *answer != open[0]));
        }
    }
    [closed, different]
}

const METHODS: [Method; 3] = [Method::Gradient, Method::InputXGradient, Method::GuidedBackprop];

#[test]
fn explanations_do_not_name_the_licence() {
    let [closed, different] = told_apart(20, 20, &METHODS);
    assert_eq!(different, 0);
    assert!(closed < 20, "{closed}");
}

/// The figures of docs/threat-model.md, a minute or two:
/// `cargo test --release -p saligate-tests --test anonymous -- --ignored --nocapture`.
#[test]
#[ignore = "measures for docs/threat-model.md; the smaller test beside it checks the same"]
fn a_thousand_pictures_under_a_hundred_slots() {
    let [closed, different] = told_apart(1_000, 100, &METHODS[..1]);
    println!("{closed} of 1000 pictures stay closed for a slot; {different} answers differ");
    assert_eq!(different, 0);
}
