//! `saligate verify`: who signed a model file.

use saligate_console::{Failure, emit, shown};
use saligate_files::manifest::ManifestError;
use saligate_files::read_file;
use saligate_files::sealed::{SealedError, SealedFile, is_sealed};
use saligate_files::{FileError, ModelFile};
use saligate_keys::ModelSignature;
use serde_json::json;

use crate::args::VerifyArgs;
use crate::shared::signatures;

pub(crate) fn run(args: &VerifyArgs) -> Result<(), Failure> {
    let bytes = read_file(&args.model)?;
    if is_sealed(&bytes) {
        return sealed(args, bytes);
    }
    let checked = signatures::check(&args.model, &bytes, &args.vendor, args.signature.as_deref());
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

/// A sealed model has a signature of its own, which covers the sealed part and the manifest, and with
/// it the network that is shown. The signature of the whole file is checked where there is one.
fn sealed(args: &VerifyArgs, bytes: Vec<u8>) -> Result<(), Failure> {
    let path = &args.model;
    let of_file = args.signature.is_some() || signatures::beside(path).exists();
    let signature = of_file
        .then(|| signatures::check(path, &bytes, &args.vendor, args.signature.as_deref()))
        .transpose();
    let whole = whole(args, bytes);
    if args.json {
        let signed = signature.as_ref().ok().and_then(Option::as_ref);
        let line = json!({
            "schema": 1,
            "model": shown(path),
            "vendor": args.vendor,
            "valid": signature.is_ok() && whole.is_ok(),
            "signed": signed.map(ModelSignature::signed),
            "sealed": whole.is_ok(),
        });
        emit(&line.to_string())?;
    }
    let signature = signature?;
    whole?;
    if args.json {
        return Ok(());
    }
    let (path, vendor) = (path.display(), args.vendor);
    emit(&format!("{path}: the sealed part and the manifest are whole, as {vendor} signed them"))?;
    match signature {
        Some(signature) => emit(&format!("{path}: signed by {vendor} at {}", signature.signed())),
        None => Ok(()),
    }
}

/// Whether the sealed part is the vendor's, and the rest of the file is what its manifest says.
fn whole(args: &VerifyArgs, bytes: Vec<u8>) -> Result<(), Failure> {
    let checked = SealedFile::from_vec(bytes.clone())
        .and_then(|file| Ok(file.part().verify(&args.vendor)?))
        .and_then(|()| ModelFile::from_vec(bytes)?.check_digests());
    checked.map_err(|error| match error {
        FileError::Sealed(SealedError::Version { .. })
        | FileError::Manifest(ManifestError::Version { .. }) => {
            Failure::from(error).in_file(&args.model)
        }
        error => Failure::no(error.to_string()).in_file(&args.model),
    })
}
