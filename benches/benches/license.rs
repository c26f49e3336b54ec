//! What a licence costs: reading and checking it, taking the trigger out, and the start of an
//! explanation with and without it.

use std::path::{Path, PathBuf};

use divan::Bencher;
use saligate_keys::{
    Identity, KeyFile, LedgerWriter, License, Subject, Terms, Timestamp, VendorKeys,
};
use saligate_runtime::picture::Picture;
use saligate_runtime::{Model, Target, Use};

fn main() {
    divan::main();
}

fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/artifacts/demo")
}

fn model() -> Model {
    Model::open(demo().join("locked.onnx")).expect("the demo model is shipped")
}

fn key() -> KeyFile {
    KeyFile::read(demo().join("demo.key")).expect("the demo key is shipped")
}

fn picture() -> Picture {
    let pixels = (0..3 * 32 * 32).map(|i| (i * 7 % 256) as u8).collect();
    Picture::from_planar(3, 32, 32, pixels).expect("the length fits the shape")
}

/// An identity, and the text of a licence for it.
fn license() -> (Identity, String) {
    let (model, key) = (model(), key());
    let identity = Identity::generate().expect("the system has random bytes");
    let trigger = model.trigger(key.secret()).expect("the demo key opens the demo model");
    let licensed = model.licensed().expect("the demo model has a gate");
    let subject = Subject { model: licensed.digest, key: key.secret().id(), trigger: &trigger };
    let terms = Terms {
        holder: "bench".to_owned(),
        recipient: identity.recipient(),
        not_before: None,
        expires: None,
        methods: None,
        device: None,
    };
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let keys = VendorKeys::of(key.secret());
    let writer = LedgerWriter::open(folder.path().join("ledger"), keys.public());
    let mut writer = writer.expect("the ledger is new");
    let license = writer.issue(&keys, &terms, &subject).expect("the terms are good");
    (identity, license.text().to_owned())
}

fn usage() -> Use<'static> {
    Use { now: Timestamp::now(), device: None, vendor: None, method: "gradient" }
}

/// Reading the text, and the signature.
#[divan::bench]
fn verify(bencher: Bencher<'_, '_>) {
    let (_, text) = license();
    bencher.bench(|| License::parse(text.as_bytes()));
}

/// All of it: reading, signature, claims, unwrapping.
#[divan::bench]
fn verify_and_open(bencher: Bencher<'_, '_>) {
    let (model, (identity, text)) = (model(), license());
    bencher.bench(|| {
        let license = License::parse(text.as_bytes()).expect("a good licence");
        model.licensed_trigger(&license, &identity, &usage())
    });
}

/// From the file to the first map.
#[divan::bench]
fn start_with_key(bencher: Bencher<'_, '_>) {
    let (key, picture) = (key(), picture());
    bencher.bench(|| {
        let model = model();
        let trigger = model.trigger(key.secret()).expect("the demo key opens the demo model");
        model.explain(&picture, Target::Predicted, Some(&trigger))
    });
}

/// The same with a licence.
#[divan::bench]
fn start_with_license(bencher: Bencher<'_, '_>) {
    let (picture, (identity, text)) = (picture(), license());
    bencher.bench(|| {
        let model = model();
        let license = License::parse(text.as_bytes()).expect("a good licence");
        let trigger = model.licensed_trigger(&license, &identity, &usage()).expect("it is good");
        model.explain(&picture, Target::Predicted, Some(&trigger))
    });
}
