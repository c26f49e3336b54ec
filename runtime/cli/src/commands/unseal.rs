//! `saligate unseal`: the true network of a sealed model, for its vendor.

use std::path::PathBuf;

use saligate_console::{Failure, emit, outputs, shown};
use saligate_files::ModelFile;
use saligate_files::atomic::write_private;
use serde_json::json;

use crate::args::UnsealArgs;
use crate::shared::sealing::Unsealed;

pub(crate) fn run(args: &UnsealArgs) -> Result<(), Failure> {
    let read = args.secrets.passphrase_file.iter().chain([&args.model, &args.key]);
    outputs::check([args.out.as_path()], read.map(PathBuf::as_path))?;
    let model = ModelFile::open(&args.model).map_err(|e| Failure::from(e).in_file(&args.model))?;
    let keys = std::slice::from_ref(&args.key);
    let unsealed = Unsealed::open(&model, &args.model, keys, args.secrets.file())?;
    let unsealed = unsealed
        .ok_or_else(|| Failure::no("nothing is sealed in this model").in_file(&args.model))?;
    write_private(&args.out, &unsealed.truth.to_onnx())
        .map_err(|error| Failure::new(format!("{}: {error}", args.out.display())))?;
    if args.json {
        let line = json!({"schema": 1, "model": shown(&args.model), "out": shown(&args.out)});
        return emit(&line.to_string());
    }
    emit(&format!(
        "wrote {}, the locked network that is sealed in {}: keep it to yourself",
        args.out.display(),
        args.model.display()
    ))
}
