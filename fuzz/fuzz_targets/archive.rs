//! Any bytes as a compiled model, with a digest that fits: it is read or refused, and what is read
//! can be run.
#![no_main]

use libfuzzer_sys::fuzz_target;
use saligate_files::ModelFile;
use saligate_files::archive::{Precision, to_bytes};
use saligate_keys::sha256;
use saligate_runtime::Target;
use saligate_runtime::picture::Picture;

/// Elements of a network that is small enough to be run thousands of times.
const SMALL: usize = 1 << 18;

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes.to_vec();
    if let Some(end) = bytes.len().checked_sub(32) {
        let digest = sha256(&bytes[..end]);
        bytes[end..].copy_from_slice(&digest);
    }
    let Ok(model) = ModelFile::from_bytes(&bytes) else { return };
    let again = to_bytes(&model, Precision::F32).expect("what was read can be written");
    let again = ModelFile::from_bytes(&again).expect("and read again");
    assert_eq!(again.graph(), model.graph());
    // A file that was made up may say anything of its weights, one that is written does not.
    if model.sealed_part().is_none() {
        assert_eq!(again.manifest().weights_sha256, saligate_files::weights_digest(model.graph()));
    }
    let elements = model.graph().values().map(|(_, v)| v.shape.iter().product::<usize>());
    if elements.fold(0, usize::saturating_add) > SMALL {
        return;
    }
    let input = model.manifest().input.clone();
    let pixels = vec![127; input.channels * input.height * input.width];
    let picture = Picture::from_planar(input.channels, input.height, input.width, pixels);
    let picture = picture.expect("a picture of the model's size");
    let methods: Vec<String> = model.manifest().methods.iter().map(|m| m.name.clone()).collect();
    let Ok(model) = saligate_runtime::Model::new(model) else { return };
    for method in methods {
        let _ = model.explain_by(&method, &picture, Target::Predicted, None);
    }
});
