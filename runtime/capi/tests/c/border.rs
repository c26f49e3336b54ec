//! A program in C whose every mistake, and those of the system, libsaligate must answer by a status:
//! `tests/capi/border.c`, with the library of this profile and that of the edge profile.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use saligate_files::ModelFile;
use saligate_files::archive::{Precision, to_bytes};
use saligate_keys::{
    Grants, Identity, IdentityFile, KeyFile, LedgerWriter, License, ModelSignature, Secret,
    Subject, Terms, Timestamp, VendorKeys, sha256,
};
use saligate_runtime::Model;
use saligate_runtime::picture::Picture;

use crate::{cc, check, edge, own, shipped};

/// Runs the program with a library.
fn run(library: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let program = here.join("border");
    for name in ["libsaligate.so", concat!("libsaligate.so.", env!("CARGO_PKG_VERSION_MAJOR"))] {
        symlink(library, here.join(name)).unwrap();
    }
    let compiled = cc()
        .args(["-rdynamic", "-pthread"])
        .arg(shipped("tests/capi/border.c"))
        .arg("-o")
        .arg(&program)
        .arg("-L")
        .arg(here)
        .arg(format!("-Wl,-rpath,{}", here.display()))
        .args(["-lsaligate", "-ldl"])
        .output();
    check(&compiled.unwrap());
    fill(here);
    // Cargo's own paths would come before ours.
    let ended = Command::new(program).env_remove("LD_LIBRARY_PATH").arg(here).output().unwrap();
    let [stdout, stderr] = [ended.stdout, ended.stderr].map(|s| String::from_utf8(s).unwrap());
    assert!(ended.status.success(), "{}: {}\n{stdout}{stderr}", library.display(), ended.status);
    assert_eq!(stdout, concat!("all held, version ", env!("CARGO_PKG_VERSION"), "\n"));
}

/// Writes what the program reads.
fn fill(folder: &Path) {
    let path = |name: &str| folder.join(name);
    let demo = shipped("models/artifacts/demo");
    let locked = ModelFile::open(&demo.join("locked.onnx")).unwrap();
    // So that it is for the program to say whose licences are good.
    let mut gate = locked.manifest().gate.clone().unwrap();
    gate.vendor = None;
    let locked = locked.with_gate(Some(gate)).unwrap();
    let bytes = to_bytes(&locked, Precision::F32).unwrap();
    fs::write(path("model.edge"), &bytes).unwrap();
    fs::write(path("unsigned.edge"), &bytes).unwrap();

    let key = KeyFile::read(demo.join("demo.key")).unwrap().into_secret();
    KeyFile::new(Secret::from_bytes(key.expose())).write_new(path("vendor.key")).unwrap();
    let stranger = Secret::from_bytes(&[7; Secret::LEN]);
    KeyFile::new(Secret::from_bytes(stranger.expose())).write_new(path("wrong.key")).unwrap();
    let (vendor, other) = (VendorKeys::of(&key), VendorKeys::of(&stranger));
    fs::write(path("vendors"), format!("{}\n{}\n", vendor.public(), other.public())).unwrap();

    let now = Timestamp::now();
    let sign = |keys: &VendorKeys<'_>, file: &[u8]| {
        ModelSignature::sign(keys, sha256(file), now).text().to_owned()
    };
    let signature = sign(&vendor, &bytes);
    let date = format!("signed: {now}");
    fs::write(path("changed.sig"), signature.replace(&date, "signed: 2001-02-03T04:05:06Z"))
        .unwrap();
    fs::write(path("model.edge.sig"), signature).unwrap();
    fs::write(path("another.sig"), sign(&other, &bytes)).unwrap();
    fs::write(path("older.sig"), sign(&vendor, b"an older model")).unwrap();

    let identity = Identity::generate().unwrap();
    let terms = Terms {
        holder: "Ana".to_owned(),
        recipient: identity.recipient(),
        not_before: None,
        expires: None,
        methods: None,
        device: None,
        grants: Grants::All,
    };
    IdentityFile::new(identity).write_new(path("ana.identity")).unwrap();
    let model = Model::from_bytes(&bytes).unwrap();
    let subject = Subject {
        model: model.licensed().unwrap().digest,
        key: &key,
        trigger: model.manifest().gate.as_ref().unwrap().trigger,
        shape: model.shape().unwrap(),
        shared: false,
        sealed: None,
    };
    let issue = |keys: &VendorKeys<'_>, name: &str| {
        let ledger = path(name).with_extension("ledger");
        let mut writer = LedgerWriter::open(&ledger, keys.public()).unwrap();
        let license: License = writer.issue(keys, &terms, &subject).unwrap();
        license.write_new(path(name)).unwrap();
    };
    issue(&vendor, "good.license");
    issue(&other, "other.license");

    let picture = Picture::open(&demo.join("samples/ring.png"), 3).unwrap();
    let (pixels, area) = (picture.pixels(), picture.height() * picture.width());
    let interleaved: Vec<u8> =
        (0..area).flat_map(|i| [0, 1, 2].map(|c| pixels[c * area + i])).collect();
    fs::write(path("ring.raw"), interleaved).unwrap();
}

#[test]
fn nothing_ends_the_program() {
    run(&own());
}

#[test]
fn nothing_ends_the_program_on_a_device() {
    if let Some(library) = edge() {
        run(&library);
    }
}
