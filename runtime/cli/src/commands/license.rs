//! `saligate license`: issue, show, verify, list, export.

mod issue;
mod ledger;
mod list;

use std::path::Path;

use saligate_console::{Failure, Outcome, emit, secrets, shown};
use saligate_files::read_file;
use saligate_keys::{
    Circumstances, Claims, Grants, IdentityKind, Ledger, LedgerError, License, Timestamp,
};
use saligate_runtime::{LockedModel, Use, device_name};
use serde_json::json;

use crate::args::{CheckArgs, LicenseCommand};
use crate::shared::licenses::read;

pub(crate) fn run(command: &LicenseCommand) -> Result<(), Failure> {
    match command {
        LicenseCommand::Issue(args) => issue::run(args),
        LicenseCommand::Show { license, json } => show(license, *json),
        LicenseCommand::List { ledger, json } => list::run(ledger, *json),
        LicenseCommand::Verify(args) => verify(args),
        LicenseCommand::Export { serial, ledger, out } => {
            let entries = Ledger::read(ledger)?;
            let issued = entries.get(*serial).ok_or(LedgerError::Serial { serial: *serial })?;
            let license = issued.verify().map_err(|error| Failure::from(error).in_file(ledger))?;
            license.write_new(out)?;
            emit(&format!("wrote {}", out.display()))
        }
    }
}

fn show(path: &Path, as_json: bool) -> Result<(), Failure> {
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
    line(
        "methods",
        match claims.grants {
            Grants::All => methods.unwrap_or_else(|| "all".to_owned()),
            Grants::Predictions => "none: predictions alone".to_owned(),
        },
    )?;
    line("device", claims.device.clone().unwrap_or_else(|| "any".to_owned()))?;
    line("model", claims.model.to_string())?;
    line("key id", claims.key.to_string())?;
    line("recipient", claims.recipient.to_string())?;
    line("vendor", license.vendor().to_string())
}

fn verify(args: &CheckArgs) -> Result<(), Failure> {
    let license = answered(read(&args.license))?;
    let model = args.model.as_deref().map(locked).transpose()?;
    let named = model.as_ref().and_then(|model| model.manifest().gate.as_ref()?.vendor);
    let vendor_checked = args.vendor.is_some() || named.is_some();
    let checked = match &license {
        Ok(license) => answered(check(args, license, model))?,
        Err(_) => Ok(()),
    };
    if args.json {
        let license = license.as_ref();
        let reason = license.err().or(checked.as_ref().err());
        let claims = license.ok().map(License::claims);
        let line = json!({
            "schema": 1,
            "license": shown(&args.license),
            "valid": reason.is_none(),
            "reason": reason.map(ToString::to_string),
            "vendor": license.ok().map(License::vendor),
            "vendor_checked": vendor_checked,
            "serial": claims.map(|claims| claims.serial),
            "holder": claims.map(|claims| &claims.holder),
        });
        emit(&line.to_string())?;
    }
    let license = license?;
    checked?;
    if args.json {
        return Ok(());
    }
    let Claims { serial, holder, .. } = license.claims();
    emit(&format!("{}: good, licence {serial} for {holder}", args.license.display()))?;
    if !vendor_checked {
        emit(&format!("signed by {}, who was not compared (--vendor, --model)", license.vendor()))?;
    }
    Ok(())
}

/// Parts an answer, which may be no, from an error that leaves the question open.
fn answered<T>(result: Result<T, Failure>) -> Result<Result<T, Failure>, Failure> {
    match result {
        Err(error) if error.outcome() != Outcome::No => Err(error),
        answer => Ok(answer),
    }
}

/// A model that a licence is compared with.
fn locked(path: &Path) -> Result<LockedModel, Failure> {
    let opened = LockedModel::from_vec(read_file(path)?);
    opened.map_err(|error| Failure::from(error).in_file(path))
}

fn check(args: &CheckArgs, license: &License, model: Option<LockedModel>) -> Result<(), Failure> {
    let stored = args.identity.as_deref().map(secrets::stored::<IdentityKind>).transpose()?;
    if let Some(path) = &args.ledger {
        check_entry(license, path)?;
    }
    let device = args.device.clone().or_else(device_name);
    let now = args.at.unwrap_or_else(Timestamp::now);
    let checked = license.check(&Circumstances {
        now,
        vendor: args.vendor,
        model: model.as_ref().map(LockedModel::licensed).transpose()?,
        recipient: stored.as_ref().map(|stored| stored.about().public),
        device: device.as_deref(),
        method: args.method.as_deref(),
    });
    checked.map_err(|refusal| Failure::from(refusal).in_file(&args.license))?;
    if let (Some(model), Some(stored), Some(path)) = (model, stored, &args.identity) {
        let identity = secrets::opened(stored, path, args.secrets.file())?.into_identity();
        let allowed = license.claims().methods.as_ref().and_then(|methods| methods.first());
        let method = args.method.as_ref().or(allowed);
        let default = model.manifest().method().name.clone();
        let method = match license.claims().grants {
            Grants::All => Some(method.unwrap_or(&default).as_str()),
            Grants::Predictions => None,
        };
        let usage = Use { now, device: device.as_deref(), vendor: args.vendor, method };
        model.open_with_license(license.clone(), &identity, &usage)?;
    }
    Ok(())
}

/// Whether the ledger has the licence, and it was not revoked: what only the vendor can tell.
fn check_entry(license: &License, path: &Path) -> Result<(), Failure> {
    let serial = license.claims().serial;
    let ledger = Ledger::read(path)?;
    let no = |what: String| Err(Failure::no(what).in_file(path));
    let Some(issued) = ledger.get(serial) else {
        return no(format!("there is no licence {serial} in this ledger"));
    };
    if issued.verify()?.text() != license.text() {
        return no(format!("licence {serial} of this ledger is another one"));
    }
    match issued.revoked {
        Some(at) => no(format!("licence {serial} was revoked at {at}")),
        None => Ok(()),
    }
}
