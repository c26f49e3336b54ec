use std::path::Path;

use saligate_keys::{KeyFile, Secret, VendorKeys};
use saligate_models::graph::Source;

use super::*;
use crate::archive::{self, Precision};
use crate::error::FileError;
use crate::manifest::Public;
use crate::model::ModelFile;

fn demo(name: &str) -> ModelFile {
    ModelFile::open(&artifact(name)).unwrap()
}

fn artifact(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../artifacts/demo").join(name)
}

fn secret() -> Secret {
    KeyFile::read(artifact("demo.key")).unwrap().into_secret()
}

/// The demo's locked network, with the network of its trained gate in front of it.
fn sealed(precision: Precision) -> ModelFile {
    let (truth, secret) = (demo("locked.onnx"), secret());
    let keys = [&secret];
    let public = public_network(&demo("trained.onnx"), &truth).unwrap();
    let sealing = Sealing { truth: &truth, precision, keys: &keys, id: None };
    seal(public, Public::Network, &sealing).unwrap()
}

fn files(model: &ModelFile) -> [Vec<u8>; 2] {
    [model.to_onnx(), archive::to_bytes(model, Precision::F32).unwrap()]
}

fn open(bytes: Vec<u8>) -> Result<ModelFile, FileError> {
    let file = SealedFile::from_vec(bytes)?;
    let secret = secret();
    let key = saligate_keys::ModelKey::of(&secret, &file.sealed().id);
    file.open(&key, secret.id())
}

#[test]
fn the_true_network_comes_back_from_both_forms_of_a_file() {
    let (truth, model) = (demo("locked.onnx"), sealed(Precision::F32));
    for bytes in files(&model) {
        assert!(is_sealed(&bytes));
        let read = ModelFile::from_bytes(&bytes).unwrap();
        assert_eq!(read.manifest(), model.manifest());
        assert_eq!(read.sealed_part(), model.sealed_part());
        let file = SealedFile::from_vec(bytes.clone()).unwrap();
        file.verify().unwrap();
        assert_eq!(file.licensing_digest(), model.licensing_digest());
        let opened = open(bytes).unwrap();
        assert!(opened == truth);
        assert_eq!(opened.licensing_digest(), model.licensing_digest());
        assert_ne!(opened.licensing_digest(), truth.licensing_digest());
    }
    let half = open(sealed(Precision::F16).to_onnx()).unwrap();
    assert!(half == archive::rounded(&truth, Precision::F16).unwrap());
}

#[test]
fn a_file_is_read_in_parts_alike() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    let read = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        SealedFile::open_path(&path)
    };
    let model = sealed(Precision::F16);
    for bytes in files(&model) {
        let file = read(&bytes).unwrap().unwrap();
        assert_eq!(file.manifest(), model.manifest());
        assert_eq!(Some(file.part()), model.sealed_part());
        for length in (0..bytes.len()).step_by(7919).chain([bytes.len() - 1]) {
            assert!(!matches!(read(&bytes[..length]), Ok(Some(_))), "{length} bytes");
        }
    }
    assert!(read(&demo("locked.onnx").to_onnx()).unwrap().is_none());
    assert!(SealedFile::open_path(&folder.path().join("nothing")).is_err());
}

#[test]
fn what_is_shown_is_the_public_network() {
    let (model, public) = (sealed(Precision::F32), demo("trained.onnx"));
    let logits = |model: &ModelFile| model.graph().extract(&["logits"]).unwrap();
    assert!(logits(&model) == logits(&public));
    let alone = model.shown().unwrap();
    assert!(alone.manifest().gate.is_none() && !is_sealed(&alone.to_onnx()));
    assert!(!is_sealed(&demo("locked.onnx").to_onnx()));
}

#[test]
fn nothing_of_the_true_network_stands_in_the_file() {
    let truth = demo("locked.onnx");
    for bytes in files(&sealed(Precision::F32)) {
        let mut looked_for = 0;
        for (_, value) in truth.graph().values() {
            let Source::Param(data) = &value.source else { continue };
            // A few values that differ stand nowhere by chance.
            let differ = |piece: &&[f32]| piece.windows(2).all(|pair| pair[0] != pair[1]);
            let Some(piece) = data.windows(4).find(differ) else { continue };
            let needle: Vec<u8> = piece.iter().flat_map(|v| v.to_le_bytes()).collect();
            let found = bytes.windows(needle.len()).any(|window| window == needle);
            assert!(!found, "{}", value.name);
            looked_for += 1;
        }
        assert!(looked_for > 10);
    }
}

#[test]
fn a_blank_network_predicts_nothing() {
    let (truth, secret) = (demo("locked.onnx"), secret());
    let keys = [&secret];
    let sealing = Sealing { truth: &truth, precision: Precision::F32, keys: &keys, id: None };
    let model = seal(blank(&truth).unwrap(), Public::None, &sealing).unwrap();
    for bytes in files(&model) {
        assert!(open(bytes).unwrap() == truth);
    }
    let weights = ["blank.weight", "scores.weight"].map(|name| {
        let value = model.graph().value(model.graph().find(name).unwrap());
        let Source::Param(data) = &value.source else { panic!("{name}") };
        data.iter().all(|v| *v == 0.0)
    });
    assert_eq!(weights, [true, true]);
}

#[test]
fn networks_are_rounded_whatever_their_sizes() {
    let model = blank(&demo("locked.onnx")).unwrap();
    for precision in [Precision::F16, Precision::Int8] {
        assert!(archive::rounded(&model, precision).unwrap() == model, "zeros stay zeros");
    }
    let half = archive::rounded(&demo("clean.onnx"), Precision::F16).unwrap();
    assert!(archive::rounded(&half, Precision::F16).unwrap() == half);
}

/// The SHA-256 of an archive has no key, so the digests of its manifest are what a signature covers.
#[test]
fn another_public_network_is_told() {
    let model = sealed(Precision::F32);
    let bytes = archive::to_bytes(&model, Precision::F32).unwrap();
    ModelFile::from_bytes(&bytes).unwrap().check_digests().unwrap();
    let end = bytes.len() - 32;
    // Another operation of the same length, and other weights.
    let at = |needle: &[u8]| bytes.windows(needle.len()).position(|w| w == needle).unwrap();
    let operation = at(b"\"op\":\"relu\"") + 6;
    let weights = model.sealed_part().unwrap().as_bytes();
    for (place, other) in [(operation, &b"sign"[..]), (at(weights) - 5, &[0x3f][..])] {
        let mut changed = bytes.clone();
        changed[place..place + other.len()].copy_from_slice(other);
        let digest = crate::hash::sha256(&changed[..end]);
        changed[end..].copy_from_slice(&digest);
        let read = ModelFile::from_bytes(&changed);
        assert!(read.is_err() || read.unwrap().check_digests().is_err(), "byte {place}");
        // Whoever has a key does not read it.
        assert!(open(changed).is_ok());
    }
}

/// The bytes of a sealed part in a file, and where they begin.
fn part(model: &ModelFile, bytes: &[u8]) -> (Vec<u8>, usize) {
    let part = model.sealed_part().unwrap().as_bytes().to_vec();
    let at = bytes.windows(part.len()).position(|window| window == part).unwrap();
    (part, at)
}

/// A file with another sealed part; the SHA-256 of an archive is put right.
fn exchanged(model: &ModelFile, other: &[u8]) -> [Vec<u8>; 2] {
    files(model).map(|bytes| {
        let (part, at) = part(model, &bytes);
        let mut made = [&bytes[..at], other, &bytes[at + part.len()..]].concat();
        if archive::is_archive(&made) {
            let end = made.len() - 32;
            let digest = crate::hash::sha256(&made[..end]);
            made[end..].copy_from_slice(&digest);
        }
        made
    })
}

#[test]
fn no_byte_of_the_sealed_part_can_be_changed() {
    let model = sealed(Precision::F16);
    let part = model.sealed_part().unwrap().as_bytes().to_vec();
    let head = 0..part::HEAD_LEN + 56;
    let signature = part.len() - 64..part.len();
    for at in head.chain((200..part.len()).step_by(1013)).chain(signature.clone()) {
        let mut other = part.clone();
        other[at] ^= 1;
        for bytes in exchanged(&model, &other) {
            let file = SealedFile::from_vec(bytes.clone());
            assert!(file.and_then(|file| Ok(file.verify()?)).is_err(), "byte {at}: signature");
            // The signature is for those without a key.
            assert!(open(bytes).is_err() || signature.contains(&at), "byte {at}: key");
        }
    }
}

#[test]
fn chunks_stay_in_their_order_and_in_their_file() {
    let (model, other) = (sealed(Precision::F32), sealed(Precision::F32));
    let part = model.sealed_part().unwrap();
    assert!(part.chunks() > 2);
    let (start, full) = (part::HEAD_LEN + 56, CHUNK + 16);
    let bytes = part.as_bytes();
    let mut swapped = bytes.to_vec();
    swapped[start..start + full].copy_from_slice(&bytes[start + full..start + 2 * full]);
    swapped[start + full..start + 2 * full].copy_from_slice(&bytes[start..start + full]);
    let theirs = other.sealed_part().unwrap().as_bytes();
    let mut mixed = bytes.to_vec();
    mixed[start..start + full].copy_from_slice(&theirs[start..start + full]);
    let mut keys = bytes.to_vec();
    keys[part::HEAD_LEN..start].copy_from_slice(&theirs[part::HEAD_LEN..start]);
    for other in [swapped, mixed, keys] {
        for bytes in exchanged(&model, &other) {
            assert!(SealedFile::from_vec(bytes.clone()).unwrap().verify().is_err());
            assert!(open(bytes).is_err());
        }
    }
    // A sealed part of the same model is that of another file: its salt and keys are its own.
    let bytes = exchanged(&model, theirs);
    assert!(
        bytes.into_iter().all(|bytes| open(bytes).is_ok()),
        "the same manifest is the same file"
    );
}

#[test]
fn the_sealed_part_of_another_model_is_refused() {
    let (truth, secret) = (demo("locked.onnx"), secret());
    let keys = [&secret];
    let sealing = Sealing { truth: &truth, precision: Precision::F32, keys: &keys, id: None };
    let other = seal(blank(&truth).unwrap(), Public::None, &sealing).unwrap();
    let theirs = other.sealed_part().unwrap().as_bytes();
    for bytes in exchanged(&sealed(Precision::F32), theirs) {
        assert!(ModelFile::from_bytes(&bytes).is_err() && SealedFile::from_vec(bytes).is_err());
    }
}

#[test]
fn what_is_cut_off_or_appended_is_told() {
    let model = sealed(Precision::F16);
    let part = model.sealed_part().unwrap().as_bytes();
    for length in (0..200).chain((200..part.len()).step_by(4999)).chain([part.len() - 1]) {
        let error = SealedPart::parse(part[..length].to_vec()).unwrap_err();
        let expected = if length < 8 { "no sealed part" } else { "truncated" };
        assert!(error.to_string().contains(expected), "{length}: {error}");
    }
    assert!(SealedPart::parse([part, &[0]].concat()).is_err());
    for bytes in files(&model) {
        for length in [bytes.len() - 1, bytes.len() - 100, bytes.len() / 2] {
            assert!(SealedFile::from_vec(bytes[..length].to_vec()).is_err());
            assert!(ModelFile::from_bytes(&bytes[..length]).is_err());
        }
    }
    let mut newer = part.to_vec();
    newer[8] = 2;
    let error = SealedPart::parse(newer).unwrap_err().to_string();
    assert!(error.contains("version 2") && error.contains("newer"), "{error}");
}

#[test]
fn no_other_manifest_is_read_with_a_sealed_part() {
    let model = sealed(Precision::F32);
    let bytes = model.to_onnx();
    let json = model.manifest().to_json();
    let at = bytes.windows(json.len()).position(|window| window == json.as_bytes()).unwrap();
    for offset in (0..json.len()).step_by(3) {
        let mut other = bytes.clone();
        other[at + offset] ^= 1;
        assert!(SealedFile::from_vec(other.clone()).is_err(), "byte {offset}");
        assert!(ModelFile::from_vec(other).is_err(), "byte {offset}");
    }
}

#[test]
fn a_sealed_model_is_not_changed_under_its_signature() {
    let model = sealed(Precision::F32);
    let bound = |result: Result<ModelFile, FileError>| {
        assert!(matches!(result, Err(FileError::Sealed(SealedError::Bound))));
    };
    bound(model.clone().with_gate(None));
    bound(model.clone().with_metrics([("x".to_owned(), 1.0)].into()));
    bound(model.clone().map_graph(|_| Ok(())));
    bound(ModelFile::new(model.graph().clone(), model.manifest().clone()));
    assert!(matches!(
        archive::to_bytes(&model, Precision::F16),
        Err(FileError::Sealed(SealedError::Bound))
    ));
}

#[test]
fn only_what_belongs_together_is_sealed() {
    let (truth, own, other) = (demo("locked.onnx"), secret(), Secret::generate().unwrap());
    let public = || public_network(&demo("trained.onnx"), &truth).unwrap();
    let error = public_network(&demo("clean.onnx"), &truth).unwrap_err().to_string();
    assert!(error.contains("weights of the one to be sealed"), "{error}");
    let refused = |truth: &ModelFile, keys: &[&Secret], expected: &str| {
        let sealing = Sealing { truth, precision: Precision::F32, keys, id: None };
        let error = seal(public(), Public::Network, &sealing).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    refused(&demo("clean.onnx"), &[&own], "with a gate");
    refused(&truth, &[&other], "locked with first");
    refused(&truth, &[], "locked with first");
    let mut gate = truth.manifest().gate.clone().unwrap();
    gate.keys.push(other.id());
    refused(&truth.clone().with_gate(Some(gate)).unwrap(), &[&own], "every key");
    assert_eq!(
        VendorKeys::of(&own).public(),
        truth.manifest().gate.as_ref().unwrap().vendor.unwrap()
    );
}

/// One chunk in plain, and no SHA-256 over what the tags cover.
#[test]
fn a_sealed_network_is_not_hashed_again() {
    let bytes = sealed(Precision::F32).to_onnx();
    let (_, hashed) = crate::hash::counter::during(|| open(bytes).unwrap());
    assert!(hashed < 1 << 14, "{hashed} bytes");
}
