//! What a licence costs: reading and checking it, taking the trigger out, and the start of an
//! explanation with and without it.

use std::path::{Path, PathBuf};

use divan::Bencher;
use saligate_keys::{
    Grants, Identity, IdentityFile, KeyFile, LedgerWriter, License, Subject, Terms, Timestamp,
    VendorKeys,
};
use saligate_runtime::picture::Picture;
use saligate_runtime::{Access, Model, Target, Use};

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

fn read(identity: &str) -> Identity {
    let file = IdentityFile::read_from(identity.as_bytes()).expect("it was written before");
    file.into_identity()
}

fn picture() -> Picture {
    let pixels = (0..3 * 32 * 32).map(|i| (i * 7 % 256) as u8).collect();
    Picture::from_planar(3, 32, 32, pixels).expect("the length fits the shape")
}

/// The text of an identity file, and that of a licence for it.
fn license() -> (String, String) {
    let (model, key) = (model(), key());
    let identity = Identity::generate().expect("the system has random bytes");
    let licensed = model.licensed().expect("the demo model has a gate");
    let gate = model.manifest().gate.as_ref().expect("the same");
    let subject = Subject {
        model: licensed.digest,
        key: key.secret(),
        trigger: gate.trigger,
        shape: model.shape().expect("the demo model takes pictures"),
        shared: true,
        sealed: None,
    };
    let terms = Terms {
        holder: "bench".to_owned(),
        recipient: identity.recipient(),
        not_before: None,
        expires: None,
        methods: None,
        device: None,
        grants: Grants::All,
    };
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let keys = VendorKeys::of(key.secret());
    let writer = LedgerWriter::open(folder.path().join("ledger"), keys.public());
    let mut writer = writer.expect("the ledger is new");
    let license = writer.issue(&keys, &terms, &subject).expect("the terms are good");
    let mut file = Vec::new();
    IdentityFile::new(identity).write_to(&mut file).expect("memory takes all");
    (String::from_utf8(file).expect("records are text"), license.text().to_owned())
}

fn usage() -> Use<'static> {
    Use { now: Timestamp::now(), device: None, vendor: None, method: Some("gradient") }
}

/// Reading the text, and the signature.
#[divan::bench]
fn verify(bencher: Bencher<'_, '_>) {
    let (_, text) = license();
    bencher.bench(|| License::parse(text.as_bytes()));
}

/// All of it: identity, licence, signature, claims, unwrapping.
#[divan::bench]
fn verify_and_open(bencher: Bencher<'_, '_>) {
    let (model, (identity, text)) = (model(), license());
    bencher.bench(|| {
        let license = License::parse(text.as_bytes()).expect("a good licence");
        Access::of_license(&model, license, &read(&identity), &usage())
    });
}

/// From the files to the first map.
#[divan::bench]
fn start_with_key(bencher: Bencher<'_, '_>) {
    let picture = picture();
    bencher.bench(|| {
        let (model, key) = (model(), key());
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
        let access = Access::of_license(&model, license, &read(&identity), &usage());
        let access = access.expect("it is good");
        let trigger = access.trigger(&model, "gradient", Timestamp::now()).expect("it still is");
        model.explain(&picture, Target::Predicted, Some(trigger))
    });
}
