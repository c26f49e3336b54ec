//! A sealed model that a second implementation wrote: `tests/sealed/make.py`.

use std::path::Path;

use saligate_files::ModelFile;
use saligate_files::sealed::{SealedFile, is_sealed};
use saligate_keys::{ModelKey, Secret};
use saligate_models::graph::Source;

fn bytes() -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sealed");
    std::fs::read(folder.join("tiny.edge")).unwrap()
}

fn weights(model: &ModelFile) -> Vec<f32> {
    let graph = model.graph();
    let Source::Param(data) = &graph.value(graph.find("w").unwrap()).source else { panic!("w") };
    data.to_vec()
}

#[test]
fn what_another_program_sealed_is_read_and_opened() {
    assert!(is_sealed(&bytes()));
    let shown = ModelFile::from_vec(bytes()).unwrap();
    assert_eq!(weights(&shown)[..3], [0.0, 1.0, 2.0]);
    let file = SealedFile::from_vec(bytes()).unwrap();
    file.verify().unwrap();
    assert_eq!(file.licensing_digest(), shown.licensing_digest());
    let secret = Secret::from_bytes(&[1; Secret::LEN]);
    let key = ModelKey::of(&secret, &file.sealed().id);
    let truth = file.open(&key, secret.id()).unwrap();
    assert_eq!(weights(&truth)[..3], [0.0, 0.5, 1.0]);
}

#[test]
fn it_is_written_alike() {
    let shown = ModelFile::from_vec(bytes()).unwrap();
    let again = saligate_files::archive::to_bytes(&shown, Default::default()).unwrap();
    assert_eq!(again, bytes());
}
