//! `saligate verify`: who signed a model file.

use saligate_console::{Failure, emit, shown};
use saligate_files::read_file;
use saligate_keys::ModelSignature;
use serde_json::json;

use crate::args::VerifyArgs;
use crate::shared::signatures;

pub(crate) fn run(args: &VerifyArgs) -> Result<(), Failure> {
    let bytes = read_file(&args.model)?;
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
