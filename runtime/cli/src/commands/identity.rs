//! `saligate identity`: make and read identities.

use std::path::Path;

use saligate_console::{Failure, emit, secrets, shown};
use saligate_keys::{About, Identity, IdentityFile, IdentityKind};
use serde_json::json;

use crate::args::IdentityCommand;

pub(crate) fn run(command: &IdentityCommand) -> Result<(), Failure> {
    match command {
        IdentityCommand::New { file, label, json, seal } => {
            let mut identity = IdentityFile::new(Identity::generate()?);
            if let Some(label) = label {
                identity = identity.with_label(label)?;
            }
            secrets::write_new(&identity, file, &seal.seal())?;
            eprintln!("saligate: wrote {}; the line below is public", file.display());
            report(identity.about(), file, *json)
        }
        IdentityCommand::Protect(args) => secrets::protect::<IdentityKind>(&args.resealing()),
        // The public half stands in the file, sealed or not.
        IdentityCommand::Show { file, json } => {
            report(secrets::stored::<IdentityKind>(file)?.about(), file, *json)
        }
    }
}

fn report(about: &About<IdentityKind>, file: &Path, as_json: bool) -> Result<(), Failure> {
    if as_json {
        let line = json!({
            "schema": 1,
            "identity": shown(file),
            "recipient": about.public,
            "label": about.label,
            "created": about.created,
        });
        return emit(&line.to_string());
    }
    emit(&about.public.to_string())
}
