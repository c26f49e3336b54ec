//! Which model a licence is for.

use saligate_keys::{ModelDigest, Sha256};

use crate::gate::OF_KEYS;
use crate::graph::CONSTANT_PREFIX;
use crate::onnx::{Model, hash_parameters};

/// SHA-256 of what makes a model the one that licences are issued for: its parameters, its input
/// and the trigger of its gate, but neither which keys open it nor how many.
///
/// So a licence outlives the revocation of others, and goes on in the same model with more slots. It
/// also outlives what is not hashed: the operations between the parameters, the saliency methods in
/// the file, and labels and figures. The digest names the model that a vendor made; it does not show
/// that the file is still that one, for which there is
/// [`ModelSignature`](saligate_keys::ModelSignature).
///
/// Hashed are `saligate/v1/licensed-model`; the parameters as
/// [`weights_digest`](crate::onnx::weights_digest) tells, without those whose names begin with
/// `gate.keys.` or `const/` (numbers that belong to an operation); channels, height and width as
/// little-endian u64; and the form and trigger of the gate as they stand in the manifest.
pub fn digest(model: &Model) -> ModelDigest {
    let mut hash = Sha256::new();
    hash.update(b"saligate/v1/licensed-model");
    let wanted = |name: &str| ![OF_KEYS, CONSTANT_PREFIX].iter().any(|s| name.starts_with(s));
    hash_parameters(&model.graph, wanted, &mut hash);
    let input = &model.manifest.input;
    for size in [input.channels, input.height, input.width] {
        hash.update(&(size as u64).to_le_bytes());
    }
    if let Some(gate) = &model.manifest.gate {
        let said = serde_json::to_string(&(gate.form, gate.trigger));
        hash.update(said.expect("names and numbers are JSON").as_bytes());
    }
    hash.finish().into()
}
