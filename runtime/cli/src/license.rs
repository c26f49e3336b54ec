//! `saligate license`: issue, show, verify, export.

mod issue;
mod ledger;

use std::path::Path;

use saligate_keys::{Circumstances, Error, IdentityKind, Ledger, License, Timestamp};
use saligate_runtime::{Model, Use};
use serde_json::json;

use crate::args::{CheckArgs, LicenseCommand};
use crate::error::{CliError, Outcome};
use crate::{device, emit, secrets, shown};

pub(crate) fn run(command: &LicenseCommand) -> Result<(), CliError> {
    match command {
        LicenseCommand::Issue(args) => issue::run(args),
        LicenseCommand::Show { license, json } => show(license, *json),
        LicenseCommand::Verify(args) => verify(args),
        LicenseCommand::Export { serial, ledger, out } => {
            let entries = Ledger::read(ledger)?;
            let issued = entries.get(*serial).ok_or(Error::Serial { serial: *serial })?;
            issued.verify().map_err(|error| CliError::from(error).in_file(ledger))?;
            issued.license.write_new(out)?;
            emit(&format!("wrote {}", out.display()))
        }
    }
}

/// Reads a licence. One that was changed is no error of the program: the answer is no.
pub(crate) fn read(path: &Path) -> Result<License, CliError> {
    License::read(path).map_err(|error| {
        let changed = matches!(
            &error,
            Error::File { error, .. } if matches!(**error, Error::Malformed { .. } | Error::Signature)
        );
        if changed { CliError::no(error.to_string()) } else { error.into() }
    })
}

fn show(path: &Path, as_json: bool) -> Result<(), CliError> {
    let license = read(path)?;
    let claims = license.claims();
    if as_json {
        let line = json!({
            "schema": 1,
            "license": shown(path),
            "vendor": license.vendor(),
            "claims": claims,
        });
        return emit(&line.to_string());
    }
    let line = |name: &str, value: String| emit(&format!("{name:<10} {value}"));
    let time = |time: Option<Timestamp>, none: &str| {
        time.map_or_else(|| none.to_owned(), |time| time.to_string())
    };
    line("licence", claims.serial.to_string())?;
    line("holder", claims.holder.clone())?;
    line("issued", claims.issued.to_string())?;
    line("valid from", time(claims.not_before, "its issue"))?;
    line("expires", time(claims.expires, "never"))?;
    let methods = claims.methods.as_ref().map(|methods| methods.join(", "));
    line("methods", methods.unwrap_or_else(|| "all".to_owned()))?;
    line("device", claims.device.clone().unwrap_or_else(|| "any".to_owned()))?;
    line("model", claims.model.to_string())?;
    line("key id", claims.key.to_string())?;
    line("recipient", claims.recipient.to_string())?;
    line("vendor", license.vendor().to_string())
}

fn verify(args: &CheckArgs) -> Result<(), CliError> {
    let checked = checked(args);
    if args.json {
        let reason = match &checked {
            Ok(_) => None,
            Err(error) if error.outcome == Outcome::No => Some(error.to_string()),
            Err(_) => return checked.map(drop),
        };
        let line = json!({
            "schema": 1,
            "license": shown(&args.license),
            "valid": reason.is_none(),
            "reason": reason,
        });
        emit(&line.to_string())?;
        return checked.map(drop);
    }
    let license = checked?;
    let claims = license.claims();
    emit(&format!(
        "{}: good, licence {} for {}",
        args.license.display(),
        claims.serial,
        claims.holder
    ))?;
    if args.vendor.is_none() && args.model.is_none() {
        emit(&format!("signed by {}, who was not compared (--vendor, --model)", license.vendor()))?;
    }
    Ok(())
}

fn checked(args: &CheckArgs) -> Result<License, CliError> {
    let license = read(&args.license)?;
    let model = args.model.as_deref().map(Model::open).transpose()?;
    let stored = args.identity.as_deref().map(secrets::stored::<IdentityKind>).transpose()?;
    let device = args.device.clone().or_else(device::name);
    let now = args.at.unwrap_or_else(Timestamp::now);
    license.check(&Circumstances {
        now,
        vendor: args.vendor,
        model: model.as_ref().map(Model::licensed).transpose()?,
        recipient: stored.as_ref().map(|stored| stored.about().public),
        device: device.as_deref(),
        method: args.method.as_deref(),
    })?;
    if let (Some(model), Some(stored), Some(path)) = (&model, stored, &args.identity) {
        let identity = secrets::opened(stored, path, &args.secrets)?.into_identity();
        let allowed = license.claims().methods.as_ref().and_then(|methods| methods.first());
        let method = args.method.as_ref().or(allowed);
        let method = method.map_or(model.manifest().method().name.as_str(), String::as_str);
        let usage = Use { now, device: device.as_deref(), vendor: args.vendor, method };
        model.licensed_trigger(&license, &identity, &usage)?;
    }
    Ok(license)
}
