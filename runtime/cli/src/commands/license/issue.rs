//! `saligate license issue`.

use std::path::{Path, PathBuf};

use saligate_console::{Failure, emit, outputs, secrets, shown};
use saligate_keys::{
    Grants, IssuedLicense, KeyFile, Ledger, LedgerError, LedgerWriter, License, LicenseError,
    LicensedModel, Limit, Limits, Pick, Pool, Secret, Subject, Terms, Timestamp, VendorKeys,
};
use saligate_runtime::{Model, RuntimeError, method};
use serde_json::json;

use super::ledger;
use crate::args::IssueArgs;
use crate::shared::licenses::tell_of_torn;

pub(super) fn run(args: &IssueArgs) -> Result<(), Failure> {
    terms(args, limits(args)).check()?;
    let model = Model::open(&args.model)?;
    let licensed = model.licensed().map_err(|e| Failure::from(e).in_file(&args.model))?;
    let gate = model.manifest().gate.as_ref().ok_or(RuntimeError::NoGate)?;
    known_methods(&model, limits(args).methods.value())?;
    if args.predictions_only && model.manifest().sealed.is_none() {
        return Err(Failure::from(LicenseError::OpenPredictions).in_file(&args.model));
    }
    args.out.as_deref().map_or(Ok(()), outputs::check_new)?;
    let files = secrets::keys(&args.key, args.secrets.file())?;
    let signer = Secret::from_bytes(files[0].secret().expose());
    let keys = VendorKeys::of(&signer);
    if let Some(expected) = licensed.vendor.filter(|&vendor| vendor != keys.public()) {
        let what = format!("the model takes licences of {expected}, not of {}", keys.public());
        return Err(Failure::no(what).hint("put the key file that the model was locked with first"));
    }
    let pool = Pool::of(files.into_iter().map(KeyFile::into_secret).collect(), licensed.keys)?;
    let path = ledger::of(args, keys.public())?;

    // From here on other issuers wait.
    let mut writer = LedgerWriter::open(&path, keys.public())?;
    if writer.has_begun() {
        eprintln!(
            "saligate: note: began {}; all licences of a key must be in one ledger: where there \
             are earlier ones, --ledger FILE",
            path.display()
        );
    }
    warn_of_other_models(writer.ledger(), &licensed);
    let earlier = args.renew.map(|serial| earlier(args, writer.ledger(), serial)).transpose()?;
    let pick = match earlier {
        Some(earlier) => pool.key(&earlier.claims().key, earlier.shared)?,
        None => pool.free(writer.ledger(), &licensed)?,
    };
    let terms = match earlier {
        Some(earlier) => renewed(args, &model, earlier)?,
        None => terms(args, limits(args)),
    };
    warn_of_revoked(writer.ledger(), &pick);
    let next = writer.ledger().issued().len() + 1;
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("{next}.license")));
    outputs::check_new(&out)?;
    let subject = Subject {
        model: licensed.digest,
        key: pick.secret,
        trigger: gate.trigger,
        shape: model.shape()?,
        shared: pick.shared,
        sealed: model.manifest().sealed.map(|sealed| sealed.id),
    };
    let license = writer.issue(&keys, &terms, &subject)?;
    tell_of_torn(&writer, &path);
    drop(writer);

    write(&license, &out, &path)?;
    if license.claims().expires.is_some_and(|end| end < Timestamp::now()) {
        let serial = license.claims().serial;
        eprintln!("saligate: warning: licence {serial} has expired already");
    }
    report(args, &license, &pick, &out, &path)
}

/// The trigger of a key is the same in all models that it locks.
fn warn_of_other_models(ledger: &Ledger, licensed: &LicensedModel<'_>) {
    let mut models = ledger.issued().iter().map(|issued| issued.claims().model);
    if let Some(other) = models.find(|model| !licensed.is(model)) {
        eprintln!(
            "saligate: warning: the ledger has licences for another model ({other:.8}, not \
             {:.8}); what they wrap may open this one too: use one key file per model",
            licensed.digest
        );
    }
}

/// Whoever was licensed before still has the trigger, until the key is taken out of the model.
fn warn_of_revoked(ledger: &Ledger, pick: &Pick<'_>) {
    let key = pick.secret.id();
    if let Some(revoked) = ledger.of_key(&key).find(|issued| issued.revoked.is_some()) {
        eprintln!(
            "saligate: warning: licence {} for the same key was revoked, and its holder can open \
             what this licence opens; a model with a slot for each licence parts them",
            revoked.claims().serial
        );
    }
}

/// The limits that the command line names.
fn limits(args: &IssueArgs) -> Limits {
    let methods = match args.methods.as_deref() {
        None => Limit::Default,
        Some([all]) if all == IssueArgs::ALL_METHODS => Limit::Unlimited,
        Some(methods) => Limit::To(methods.to_vec()),
    };
    let device = match args.device.as_deref() {
        None => Limit::Default,
        Some(IssueArgs::ANY_DEVICE) => Limit::Unlimited,
        Some(device) => Limit::To(device.to_owned()),
    };
    Limits { expires: args.expires.clone().unwrap_or_default(), methods, device }
}

fn terms(args: &IssueArgs, limits: Limits) -> Terms {
    Terms {
        holder: args.holder.clone(),
        recipient: args.to,
        not_before: args.not_before,
        expires: limits.expires.value(),
        methods: limits.methods.value(),
        device: limits.device.value(),
        grants: if args.predictions_only { Grants::Predictions } else { Grants::All },
    }
}

/// The terms of a renewal, which keep the limits of the earlier licence but for those that the
/// command line names.
fn renewed(args: &IssueArgs, model: &Model, earlier: &IssuedLicense) -> Result<Terms, Failure> {
    let claims = earlier.claims();
    let asked = limits(args);
    let mut kept = Vec::new();
    if let (Limit::Default, Some(at)) = (&asked.expires, claims.expires) {
        kept.push(format!("expires {at} (--expires)"));
    }
    if let (Limit::Default, Some(methods)) = (&asked.methods, &claims.methods) {
        kept.push(format!("methods {} (--methods)", methods.join(",")));
    }
    if let (Limit::Default, Some(device)) = (&asked.device, &claims.device) {
        kept.push(format!("device {device} (--device)"));
    }
    let mut terms = terms(args, asked.renewing(claims, Timestamp::now())?);
    // The methods of a licence are those that it explains by: none, for this one.
    if claims.grants == Grants::Predictions && args.methods.is_none() {
        terms.grants = Grants::Predictions;
        kept.push("predictions only (--methods)".to_owned());
    }
    // The earlier one may be for another model.
    known_methods(model, terms.methods.clone())?;
    if !kept.is_empty() {
        eprintln!("saligate: note: as in licence {}: {}", claims.serial, kept.join("; "));
    }
    Ok(terms)
}

/// The licence to be renewed.
fn earlier<'a>(
    args: &IssueArgs,
    ledger: &'a Ledger,
    serial: u32,
) -> Result<&'a IssuedLicense, Failure> {
    let earlier = ledger.get(serial).ok_or(LedgerError::Serial { serial })?;
    if let Some(at) = earlier.revoked {
        return Err(Failure::from(LedgerError::AlreadyRevoked { serial, at })
            .hint("leave out --renew, to license another key"));
    }
    let revoked = ledger.of_key(&earlier.claims().key).find(|other| other.revoked.is_some());
    if let Some(other) = revoked.filter(|_| !earlier.shared) {
        let what = format!(
            "licence {} for the same key as licence {serial} was revoked, so the key is to be taken \
             out of the model",
            other.claims().serial
        );
        return Err(Failure::no(what).hint("leave out --renew, to license another key"));
    }
    earlier.verify()?;
    let holder = &earlier.claims().holder;
    if *holder != args.holder {
        let what = format!("licence {serial} was issued to {holder}, not to {}", args.holder);
        return Err(Failure::no(what)
            .hint("the same --holder, or leave out --renew to give somebody else another key"));
    }
    Ok(earlier)
}

fn write(license: &License, out: &Path, ledger: &Path) -> Result<(), Failure> {
    let serial = license.claims().serial;
    license.write_new(out).map_err(|error| {
        let export = format!("saligate license export {serial} --ledger {}", ledger.display());
        Failure::new(format!("licence {serial} is issued, but not written: {error}"))
            .hint(format!("{export} -o FILE"))
    })
}

fn report(
    args: &IssueArgs,
    license: &License,
    pick: &Pick<'_>,
    out: &Path,
    ledger: &Path,
) -> Result<(), Failure> {
    let serial = license.claims().serial;
    if args.json {
        let line = json!({
            "schema": 1,
            "serial": serial,
            "key": pick.secret.id(),
            "shared": pick.shared,
            "license": shown(out),
            "ledger": shown(ledger),
        });
        return emit(&line.to_string());
    }
    emit(&format!("wrote {}: licence {serial} for {}", out.display(), args.holder))?;
    emit(&format!("entered in {}", ledger.display()))?;
    let whose = if pick.shared { "shared by all licences of this model" } else { "of its own" };
    emit(&format!("key id {}, {whose}", pick.secret.id()))
}

fn known_methods(model: &Model, methods: Option<Vec<String>>) -> Result<(), Failure> {
    let known = method::names(model);
    match methods.iter().flatten().find(|method| !known.contains(&method.as_str())) {
        None => Ok(()),
        Some(method) => Err(Failure::new(format!("this model cannot explain by '{method}'"))
            .hint(format!("--methods {}", known.join(",")))),
    }
}
