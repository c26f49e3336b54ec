//! `saligate key`: make and read key files.

use std::path::Path;

use saligate_keys::{KeyFile, Secret, VendorKeys, VendorKind};
use serde_json::json;

use crate::args::{KeyCommand, PassphraseArgs, SealArgs};
use crate::error::CliError;
use crate::{emit, secrets};

pub(crate) fn run(command: &KeyCommand) -> Result<(), CliError> {
    match command {
        KeyCommand::New { file, label, seal } => new(file, label.as_deref(), seal),
        KeyCommand::Show { file, json, secrets } => show(file, *json, secrets),
        KeyCommand::Protect { file, new, passphrase_file } => {
            let key = KeyFile::read(file)?;
            key.write_new_sealed(new, &secrets::new_or_from(passphrase_file.as_deref())?)?;
            emit(&format!(
                "wrote {}, sealed; {} is as it was: remove it once the new one works",
                new.display(),
                file.display()
            ))
        }
    }
}

fn new(file: &Path, label: Option<&str>, seal: &SealArgs) -> Result<(), CliError> {
    let mut key = KeyFile::new(Secret::generate()?);
    if let Some(label) = label {
        key = key.with_label(label)?;
    }
    secrets::write_new(&key, file, seal)?;
    emit(&format!("wrote {}, key id {}", file.display(), key.secret().id()))?;
    emit(&format!("vendor {}", VendorKeys::of(key.secret()).public()))
}

fn show(file: &Path, as_json: bool, args: &PassphraseArgs) -> Result<(), CliError> {
    let stored = secrets::stored::<VendorKind>(file)?;
    let (about, sealed) = (stored.about().clone(), stored.is_sealed());
    let key = secrets::opened(stored, file, args)?;
    let vendor = VendorKeys::of(key.secret()).public();
    if as_json {
        let line = json!({
            "schema": 1,
            "id": about.public,
            "vendor": vendor,
            "label": about.label,
            "created": about.created,
            "sealed": sealed,
        });
        return emit(&line.to_string());
    }
    emit(&format!("key id {}", about.public))?;
    emit(&format!("vendor {vendor}"))?;
    about.label.map_or(Ok(()), |label| emit(&format!("label  {label}")))
}
