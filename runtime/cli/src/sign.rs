//! `saligate sign` and `saligate verify`: the vendor's signature over a model file.

use std::path::{Path, PathBuf};

use saligate_files::atomic::write_atomic;
use saligate_files::read_file;
use saligate_keys::{ModelSignature, Timestamp, Vendor, VendorKeys, sha256};
use serde_json::json;

use crate::args::{SignArgs, VerifyArgs};
use crate::error::CliError;
use crate::{emit, secrets, shown};

pub(crate) fn sign(args: &SignArgs) -> Result<(), CliError> {
    let bytes = read_file(&args.model)?;
    let path = args.out.clone().unwrap_or_else(|| beside(&args.model));
    refuse_other(&path)?;
    let key = secrets::key(&args.key, &args.secrets)?;
    let keys = VendorKeys::of(key.secret());
    let signature = ModelSignature::sign(&keys, sha256(&bytes), Timestamp::now());
    write_atomic(&path, signature.text().as_bytes())
        .map_err(|error| CliError::new(format!("{}: {error}", path.display())))?;
    emit(&format!("wrote {}, signed by {}", path.display(), keys.public()))
}

/// Only a signature is replaced: anything else may be the key, or the model.
fn refuse_other(path: &Path) -> Result<(), CliError> {
    if path.symlink_metadata().is_err() || ModelSignature::read(path).is_ok() {
        return Ok(());
    }
    Err(CliError::new("the file exists, is no signature, and is not replaced")
        .in_file(path)
        .hint("another name, or remove the file first"))
}

pub(crate) fn verify(args: &VerifyArgs) -> Result<(), CliError> {
    let bytes = read_file(&args.model)?;
    let checked = check(&args.model, &bytes, &args.vendor, args.signature.as_deref());
    if args.json {
        let line = json!({
            "schema": 1,
            "model": shown(&args.model),
            "vendor": args.vendor,
            "valid": checked.is_ok(),
            "signed": checked.as_ref().ok().map(ModelSignature::signed),
        });
        emit(&line.to_string())?;
    }
    let signature = checked?;
    if args.json {
        return Ok(());
    }
    emit(&format!("{}: signed by {} at {}", args.model.display(), args.vendor, signature.signed()))
}

/// Checks that the vendor signed the bytes of a model file.
pub(crate) fn check(
    model: &Path,
    bytes: &[u8],
    vendor: &Vendor,
    signature: Option<&Path>,
) -> Result<ModelSignature, CliError> {
    let path = signature.map_or_else(|| beside(model), Path::to_owned);
    let signature = match ModelSignature::read(&path) {
        Err(_) if !path.exists() => {
            let what = format!("{}: not signed: there is no {}", model.display(), path.display());
            return Err(CliError::no(what).hint("ask the vendor for the signature"));
        }
        Err(error) if error.is_refusal() => return Err(CliError::no(error.to_string())),
        Err(error) => return Err(error.into()),
        Ok(signature) => signature,
    };
    let checked = signature.verify(vendor, sha256(bytes));
    checked.map_err(|error| CliError::from(error).in_file(model))?;
    Ok(signature)
}

/// `MODEL.sig`.
fn beside(model: &Path) -> PathBuf {
    let mut name = model.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}
