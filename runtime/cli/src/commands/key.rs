//! `saligate key`: make and read key files.

use std::path::Path;

use saligate_console::secrets::Seal;
use saligate_console::{Failure, emit, secrets};
use saligate_keys::{About, KeyFile, Secret, Vendor, VendorKeys, VendorKind};
use serde_json::json;

use crate::args::{KeyCommand, PassphraseArgs};

pub(crate) fn run(command: &KeyCommand) -> Result<(), Failure> {
    match command {
        KeyCommand::New { file, label, json, seal } => {
            new(file, label.as_deref(), *json, &seal.seal())
        }
        KeyCommand::Show { file, json, secrets } => show(file, *json, secrets),
        KeyCommand::Protect(args) => secrets::protect::<VendorKind>(&args.resealing()),
    }
}

fn new(file: &Path, label: Option<&str>, as_json: bool, seal: &Seal) -> Result<(), Failure> {
    let mut key = KeyFile::new(Secret::generate()?);
    if let Some(label) = label {
        key = key.with_label(label)?;
    }
    secrets::write_new(&key, file, seal)?;
    let vendor = VendorKeys::of(key.secret()).public();
    if as_json {
        let line = json(key.about(), &vendor, *seal != Seal::No);
        return emit(&line.to_string());
    }
    emit(&format!("wrote {}, key id {}", file.display(), key.secret().id()))?;
    emit(&format!("vendor {vendor}"))
}

fn json(about: &About<VendorKind>, vendor: &Vendor, sealed: bool) -> serde_json::Value {
    json!({
        "schema": 1,
        "id": about.public,
        "vendor": vendor,
        "label": about.label,
        "created": about.created,
        "sealed": sealed,
    })
}

fn show(file: &Path, as_json: bool, args: &PassphraseArgs) -> Result<(), Failure> {
    let stored = secrets::stored::<VendorKind>(file)?;
    let (about, sealed) = (stored.about().clone(), stored.is_sealed());
    let key = secrets::opened(stored, file, args.file())?;
    let vendor = VendorKeys::of(key.secret()).public();
    if as_json {
        return emit(&json(&about, &vendor, sealed).to_string());
    }
    emit(&format!("key id {}", about.public))?;
    emit(&format!("vendor {vendor}"))?;
    about.label.map_or(Ok(()), |label| emit(&format!("label  {label}")))
}
