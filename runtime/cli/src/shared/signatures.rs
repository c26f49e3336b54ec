//! Signatures of model files.

use std::path::{Path, PathBuf};

use saligate_console::Failure;
use saligate_keys::{ModelSignature, Vendor, sha256};

/// Checks that the vendor signed the bytes of a model file.
pub(crate) fn check(
    model: &Path,
    bytes: &[u8],
    vendor: &Vendor,
    signature: Option<&Path>,
) -> Result<ModelSignature, Failure> {
    let path = signature.map_or_else(|| beside(model), Path::to_owned);
    let signature = match ModelSignature::read(&path) {
        Err(_) if !path.exists() => {
            let what = format!("{}: not signed: there is no {}", model.display(), path.display());
            return Err(Failure::no(what).hint("ask the vendor for the signature"));
        }
        Err(error) if error.is_refusal() => return Err(Failure::no(error.to_string())),
        Err(error) => return Err(error.into()),
        Ok(signature) => signature,
    };
    let checked = signature.verify(vendor, sha256(bytes));
    checked.map_err(|error| Failure::from(error).in_file(model))?;
    Ok(signature)
}

/// `MODEL.sig`.
pub(crate) fn beside(model: &Path) -> PathBuf {
    let mut name = model.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}
