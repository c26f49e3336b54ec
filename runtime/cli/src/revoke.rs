//! `saligate revoke`: mark a licence, and say how its key is taken out of the model.

use std::path::Path;

use saligate_keys::{Error, KeyId, Ledger, LedgerError, LedgerWriter};
use saligate_models::onnx::Model;
use serde_json::json;

use crate::args::RevokeArgs;
use crate::error::CliError;
use crate::{emit, license};

pub(crate) fn run(args: &RevokeArgs) -> Result<(), CliError> {
    // Before anything is entered.
    let model = args.model.as_deref().map(|path| Ok::<_, CliError>((path, keys(path)?)));
    let model = model.transpose()?;
    let mut writer = LedgerWriter::open_existing(&args.ledger)?;
    let serial = args.serial;
    let issued = writer.ledger().get(serial).ok_or(LedgerError::Serial { serial })?;
    issued.verify().map_err(|error| CliError::from(error).in_file(&args.ledger))?;
    let key = issued.claims().key;
    match writer.revoke(serial) {
        Ok(_) => {
            license::tell_of_torn(&writer, &args.ledger);
            report(args, model, writer.ledger(), key, true)
        }
        // Whoever asks again may have lost the command.
        Err(error @ Error::Ledger(LedgerError::AlreadyRevoked { .. })) => {
            report(args, model, writer.ledger(), key, false)?;
            Err(error.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// The keys that open a model.
fn keys(path: &Path) -> Result<Vec<KeyId>, CliError> {
    let model = Model::open(path)?;
    let gate = model.manifest.gate.ok_or_else(|| {
        CliError::no("this model has no gate, and so no key to take out").in_file(path)
    })?;
    Ok(gate.keys)
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> Result<String, CliError> {
    let text = path.to_string_lossy();
    let quoted = shlex::try_quote(&text);
    quoted.map(Into::into).map_err(|error| CliError::new(error.to_string()).in_file(path))
}

fn report(
    args: &RevokeArgs,
    model: Option<(&Path, Vec<KeyId>)>,
    ledger: &Ledger,
    key: KeyId,
    is_new: bool,
) -> Result<(), CliError> {
    let others = ledger.of_key(&key).filter(|issued| issued.revoked.is_none());
    let others: Vec<u32> = others.map(|issued| issued.claims().serial).collect();
    let opens = model.as_ref().map(|(_, keys)| keys.contains(&key));
    let is_only = model.as_ref().is_some_and(|(_, keys)| keys[..] == [key]);
    let name = model.as_ref().map_or(Ok("MODEL".to_owned()), |(path, _)| quoted(path))?;
    let command = format!("saligate-train lock --model {name} --revoke {key} -o DIR");
    let command = (opens != Some(false) && !is_only).then_some(command);
    if args.json {
        let line = json!({
            "schema": 1,
            "serial": args.serial,
            "key": key,
            "opens": opens,
            "shared_with": others,
            "command": command,
        });
        return emit(&line.to_string());
    }
    if is_new {
        emit(&format!("licence {} is revoked, from now on in the ledger", args.serial))?;
    }
    match command {
        Some(command) => {
            emit(&format!("its key {key} opens the model until it is taken out:"))?;
            emit(&format!("  {command}"))?;
            emit("then sign and compile the new model again, and ship it")?;
        }
        None if is_only => emit(&format!(
            "its key {key} is the only one of the model: lock the clean model anew with another key \
             file and --slots, and issue new licences"
        ))?,
        None => emit(&format!("its key {key} does not open {name}, which stays as it is"))?,
    }
    if others.is_empty() {
        return Ok(());
    }
    let others: Vec<_> = others.iter().map(u32::to_string).collect();
    let shared = ledger.of_key(&key).any(|issued| issued.shared);
    let why = if shared { "the key is shared" } else { "renewals have the same key" };
    emit(&format!("{why}: this also ends licence {}", others.join(", ")))?;
    match model {
        None if shared => emit(
            "where it is the model's only key, lock the clean model anew instead, with --slots, and \
             issue new licences",
        ),
        _ => Ok(()),
    }
}
