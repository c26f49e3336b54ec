//! `saligate revoke`: mark a licence, and say how its key is taken out of the model.

use std::path::Path;

use saligate_keys::{Error, KeyId, Ledger, LedgerWriter};
use serde_json::json;

use crate::args::RevokeArgs;
use crate::emit;
use crate::error::CliError;

pub(crate) fn run(args: &RevokeArgs) -> Result<(), CliError> {
    let mut writer = LedgerWriter::open_existing(&args.ledger)?;
    let serial = args.serial;
    let issued = writer.ledger().get(serial).ok_or(Error::Serial { serial })?;
    issued.verify().map_err(|error| CliError::from(error).in_file(&args.ledger))?;
    let key = issued.claims().key;
    match writer.revoke(serial) {
        Ok(_) => report(args, writer.ledger(), key, true),
        // Whoever asks again may have lost the command.
        Err(error @ Error::AlreadyRevoked { .. }) => {
            report(args, writer.ledger(), key, false)?;
            Err(error.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> Result<String, CliError> {
    let text = path.to_string_lossy();
    let quoted = shlex::try_quote(&text);
    quoted.map(Into::into).map_err(|error| CliError::new(error.to_string()).in_file(path))
}

fn report(args: &RevokeArgs, ledger: &Ledger, key: KeyId, is_new: bool) -> Result<(), CliError> {
    let others = ledger.of_key(&key).filter(|issued| issued.revoked.is_none());
    let others: Vec<u32> = others.map(|issued| issued.claims().serial).collect();
    let model = args.model.as_ref().map_or(Ok("MODEL".to_owned()), |path| quoted(path))?;
    let command = format!("saligate-train lock --model {model} --revoke {key} -o DIR");
    if args.json {
        let line = json!({
            "schema": 1,
            "serial": args.serial,
            "key": key,
            "shared_with": others,
            "command": command,
        });
        return emit(&line.to_string());
    }
    if is_new {
        emit(&format!("licence {} is revoked, from now on in the ledger", args.serial))?;
    }
    emit(&format!("its key {key} opens the model until it is taken out:"))?;
    emit(&format!("  {command}"))?;
    if others.is_empty() {
        return Ok(());
    }
    let others: Vec<_> = others.iter().map(u32::to_string).collect();
    emit(&format!(
        "the key is shared: this also ends licence {}; where it is the model's only key, lock the \
         clean model anew instead, with --slots, and issue new licences",
        others.join(", ")
    ))
}
