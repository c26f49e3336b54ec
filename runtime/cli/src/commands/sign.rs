//! `saligate sign`: the vendor's signature over a model file.

use std::path::Path;

use saligate_console::{Failure, emit, secrets};
use saligate_files::atomic::write_atomic;
use saligate_files::read_file;
use saligate_keys::{ModelSignature, Timestamp, VendorKeys, sha256};

use crate::args::SignArgs;
use crate::shared::signatures::beside;

pub(crate) fn run(args: &SignArgs) -> Result<(), Failure> {
    let bytes = read_file(&args.model)?;
    let path = args.out.clone().unwrap_or_else(|| beside(&args.model));
    refuse_other(&path)?;
    let key = secrets::key(&args.key, args.secrets.file())?;
    let keys = VendorKeys::of(key.secret());
    let signature = ModelSignature::sign(&keys, sha256(&bytes), Timestamp::now());
    write_atomic(&path, signature.text().as_bytes())
        .map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
    emit(&format!("wrote {}, signed by {}", path.display(), keys.public()))
}

/// Only a signature is replaced: anything else may be the key, or the model.
fn refuse_other(path: &Path) -> Result<(), Failure> {
    if path.symlink_metadata().is_err() || ModelSignature::read(path).is_ok() {
        return Ok(());
    }
    Err(Failure::new("the file exists, is no signature, and is not replaced")
        .in_file(path)
        .hint("another name, or remove the file first"))
}
