use std::path::Path;

use saligate_models::names::is_of_gate;

use super::*;
use crate::hash::counter;

fn demo() -> ModelFile {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../artifacts/demo");
    ModelFile::open(&folder.join("locked.onnx")).unwrap()
}

#[test]
fn an_archive_is_the_model() {
    let model = demo();
    let bytes = to_bytes(&model, Precision::F32).unwrap();
    assert!(is_archive(&bytes));
    assert_eq!(ModelFile::from_bytes(&bytes).unwrap(), model);
}

#[test]
fn fewer_bits_make_a_smaller_file_of_the_same_gate() {
    let model = demo();
    let whole = to_bytes(&model, Precision::F32).unwrap().len();
    for precision in [Precision::F16, Precision::Int8] {
        let bytes = to_bytes(&model, precision).unwrap();
        assert!(bytes.len() < whole);
        let read = ModelFile::from_bytes(&bytes).unwrap();
        assert_eq!(read, rounded(&model, precision).unwrap());
        for (id, value) in model.graph().values() {
            if let (Source::Param(data), true) = (&value.source, is_of_gate(&value.name)) {
                assert_eq!(read.graph().value(id).source, Source::Param(data.clone()));
            }
        }
    }
}

#[test]
fn no_damage_goes_unnoticed() {
    let bytes = to_bytes(&demo(), Precision::Int8).unwrap();
    for length in (0..bytes.len()).step_by(997).chain([bytes.len() - 1]) {
        assert!(ModelFile::from_bytes(&bytes[..length]).is_err(), "cut to {length}");
    }
    for at in (0..bytes.len()).step_by(991).chain([8, 12, 16, bytes.len() - 1]) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(ModelFile::from_bytes(&changed).is_err(), "byte {at}");
    }
    let longer = [bytes.as_slice(), &[0; 4]].concat();
    assert!(ModelFile::from_bytes(&longer).is_err());
}

/// With the digest put right, so that what lies behind it is reached.
fn with_outline(change: impl Fn(&str) -> String) -> Result<ModelFile, FileError> {
    let bytes = to_bytes(&demo(), Precision::F32).unwrap();
    let (outline, rest) = parts(&bytes).unwrap();
    let mut json = change(std::str::from_utf8(&outline.to_json()).unwrap()).into_bytes();
    json.resize(json.len().next_multiple_of(4), b' ');
    let mut made = [MAGIC.as_slice(), &OPEN.to_le_bytes()].concat();
    made.extend((json.len() as u32).to_le_bytes());
    made.extend(json);
    made.extend(rest);
    let digest = sha256(&made);
    made.extend(digest);
    ModelFile::from_bytes(&made)
}

#[test]
fn outlines_that_say_something_else_are_refused() {
    assert!(with_outline(str::to_owned).is_ok());
    for (from, to) in [
        ("\"operands\":[0", "\"operands\":[99999"),
        ("\"stored\":\"f32\"", "\"stored\":\"f64\""),
        ("\"outputs\":[", "\"outputs\":[0,"),
        ("\"manifest\":{", "\"more\":1,\"manifest\":{"),
        ("\"height\":32", "\"height\":64"),
        ("\"version\":", "\"version\":9"),
    ] {
        assert!(with_outline(|text| text.replacen(from, to, 1)).is_err(), "{from} to {to}");
    }
}

#[test]
fn a_newer_version_is_named() {
    let mut bytes = to_bytes(&demo(), Precision::F32).unwrap();
    bytes[8] = 3;
    let error = ModelFile::from_bytes(&bytes).unwrap_err().to_string();
    assert!(error.contains("version 3") && error.contains("newer"), "{error}");
}

/// The digest of the whole file covers the weights.
#[test]
fn an_archive_is_hashed_once_when_it_is_opened() {
    let bytes = to_bytes(&demo(), Precision::F32).unwrap();
    let (model, hashed) = counter::during(|| ModelFile::from_bytes(&bytes).unwrap());
    assert_eq!(hashed, bytes.len() - DIGEST_BYTES);
    let (_, hashed) = counter::during(|| model.manifest().weights_sha256.clone());
    assert_eq!(hashed, 0);
}

/// An archive may say anything of its weights, since only its own digest is checked; what is written
/// from it does not.
#[test]
fn what_is_written_again_says_the_digest_of_its_weights() {
    let model = demo();
    let digest = &model.manifest().weights_sha256;
    let other = with_outline(|text| text.replacen(digest.as_str(), &"0".repeat(64), 1)).unwrap();
    let again = ModelFile::from_bytes(&to_bytes(&other, Precision::F32).unwrap()).unwrap();
    assert_eq!(again, model);
    assert_eq!(ModelFile::from_vec(other.to_onnx()).unwrap(), model);
}
