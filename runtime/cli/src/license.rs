//! `saligate license`: issue, show, verify, export.

use std::path::{Path, PathBuf};

use saligate_keys::{
    Circumstances, Error, KeyFile, Ledger, LedgerWriter, License, Pool, Subject, Terms, Timestamp,
    VendorKeys,
};
use saligate_runtime::{Model, Use};
use serde_json::json;

use crate::args::{CheckArgs, IssueArgs, LicenseCommand};
use crate::error::{CliError, Outcome};
use crate::{device, emit, secrets};

pub(crate) fn run(command: &LicenseCommand) -> Result<(), CliError> {
    match command {
        LicenseCommand::Issue(args) => issue(args),
        LicenseCommand::Show { license, json } => show(license, *json),
        LicenseCommand::Verify(args) => verify(args),
        LicenseCommand::Export { serial, ledger, out } => {
            let ledger = Ledger::read(ledger)?;
            let issued = ledger.get(*serial).ok_or(Error::Serial { serial: *serial })?;
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

fn issue(args: &IssueArgs) -> Result<(), CliError> {
    let model = Model::open(&args.model)?;
    let licensed = model.licensed().map_err(|e| CliError::from(e).in_file(&args.model))?;
    if let Some(asked) = &args.methods {
        asked.iter().try_for_each(|method| known_method(&model, method))?;
    }
    let mut files = secrets::keys(&args.key, &args.secrets)?;
    let path = args.ledger.clone().unwrap_or_else(|| ledger_of(&args.key[0]));
    let signer = saligate_keys::Secret::from_bytes(files[0].secret().expose());
    let keys = VendorKeys::of(&signer);
    if let Some(expected) = licensed.vendor.filter(|&vendor| vendor != keys.public()) {
        let what = format!("the model takes licences of {expected}, not of {}", keys.public());
        return Err(
            CliError::no(what).hint("put the key file that the model was locked with first")
        );
    }
    let pool = Pool::of(files.drain(..).map(KeyFile::into_secret).collect(), licensed.keys)?;
    let out = args.out.as_deref();
    out.map_or(Ok(()), refuse_existing)?;
    let terms = Terms {
        holder: args.holder.clone(),
        recipient: args.to,
        not_before: args.not_before,
        expires: args.expires,
        methods: args.methods.clone(),
        device: args.device.clone(),
    };

    // From here on other issuers wait.
    let mut writer = LedgerWriter::open(&path, keys.public())?;
    let pick = match args.renew {
        None => pool.free(writer.ledger())?,
        Some(serial) => {
            let earlier = writer.ledger().get(serial).ok_or(Error::Serial { serial })?;
            if let Some(at) = earlier.revoked {
                return Err(Error::AlreadyRevoked { serial, at }.into());
            }
            pool.key(&earlier.license.claims().key)?
        }
    };
    let trigger = model.trigger(pick.secret)?;
    let subject = Subject { model: licensed.digest, key: pick.secret.id(), trigger: &trigger };
    let license = writer.issue(&keys, &terms, &subject)?;
    drop(writer);

    let serial = license.claims().serial;
    let out = out.map_or_else(|| PathBuf::from(format!("{serial}.license")), Path::to_owned);
    license.write_new(&out).map_err(|error| {
        let export = format!("saligate license export {serial} --ledger {}", path.display());
        CliError::new(format!("licence {serial} is issued, but not written: {error}"))
            .hint(format!("{export} -o FILE"))
    })?;
    if license.claims().expires.is_some_and(|end| end < Timestamp::now()) {
        eprintln!("saligate: warning: licence {serial} has expired already");
    }
    if args.json {
        let line = json!({
            "schema": 1,
            "serial": serial,
            "key": pick.secret.id(),
            "shared": pick.shared,
            "license": out,
            "ledger": path,
        });
        return emit(&line.to_string());
    }
    emit(&format!("wrote {}: licence {serial} for {}", out.display(), args.holder))?;
    emit(&format!("entered in {}", path.display()))?;
    let whose = if pick.shared { "shared by all licences of this model" } else { "of its own" };
    emit(&format!("key id {}, {whose}", pick.secret.id()))
}

fn known_method(model: &Model, method: &str) -> Result<(), CliError> {
    let own = model.manifest().methods.iter().map(|m| m.name.as_str());
    let known: Vec<_> = own.chain(crate::passes::Pass::NAMES.iter().copied()).collect();
    if known.contains(&method) {
        return Ok(());
    }
    Err(CliError::new(format!("this model cannot explain by '{method}'"))
        .hint(format!("--methods {}", known.join(","))))
}

/// `KEY.ledger`.
fn ledger_of(key: &Path) -> PathBuf {
    let mut name = key.as_os_str().to_owned();
    name.push(".ledger");
    name.into()
}

/// Refused before a licence is issued, so that no serial number is used up for nothing.
fn refuse_existing(path: &Path) -> Result<(), CliError> {
    if path.symlink_metadata().is_ok() {
        return Err(CliError::from(Error::Exists).in_file(path));
    }
    Ok(())
}

fn show(path: &Path, as_json: bool) -> Result<(), CliError> {
    let license = read(path)?;
    let claims = license.claims();
    if as_json {
        let line = json!({
            "schema": 1,
            "license": path,
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
            "license": args.license,
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
    let identity = args.identity.as_deref().map(|path| secrets::identity(path, &args.secrets));
    let identity = identity.transpose()?;
    let device = args.device.clone().or_else(device::name);
    let now = args.at.unwrap_or_else(Timestamp::now);
    let licensed = model.as_ref().map(Model::licensed).transpose()?;
    license.check(&Circumstances {
        now,
        vendor: args.vendor,
        model: licensed,
        recipient: identity.as_ref().map(saligate_keys::Identity::recipient),
        device: device.as_deref(),
        method: args.method.as_deref(),
    })?;
    if let (Some(model), Some(identity)) = (&model, &identity) {
        let allowed = license.claims().methods.as_ref().and_then(|methods| methods.first());
        let method = args.method.as_ref().or(allowed);
        let method = method.map_or(model.manifest().method().name.as_str(), String::as_str);
        let usage = Use { now, device: device.as_deref(), vendor: args.vendor, method };
        model.licensed_trigger(&license, identity, &usage)?;
    }
    Ok(license)
}
