//! `saligate license issue`.

use std::path::{Path, PathBuf};

use saligate_console::{Failure, emit, outputs, secrets, shown};
use saligate_keys::{
    Error, KeyFile, Ledger, LedgerWriter, License, ModelDigest, Pick, Pool, Secret, Subject, Terms,
    Timestamp, VendorKeys,
};
use saligate_runtime::{Model, RuntimeError, method};
use serde_json::json;

use super::ledger;
use crate::args::IssueArgs;
use crate::shared::licenses::tell_of_torn;

pub(super) fn run(args: &IssueArgs) -> Result<(), Failure> {
    let terms = terms(args);
    terms.check()?;
    let model = Model::open(&args.model)?;
    let licensed = model.licensed().map_err(|e| Failure::from(e).in_file(&args.model))?;
    let gate = model.manifest().gate.as_ref().ok_or(RuntimeError::NoGate)?;
    if let Some(asked) = &args.methods {
        asked.iter().try_for_each(|method| known_method(&model, method))?;
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
    warn_of_other_models(writer.ledger(), &licensed.digest);
    let pick = pick(args, writer.ledger(), &pool, &licensed.digest)?;
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
fn warn_of_other_models(ledger: &Ledger, digest: &ModelDigest) {
    let mut models = ledger.issued().iter().map(|issued| issued.claims().model);
    if let Some(other) = models.find(|model| model != digest) {
        eprintln!(
            "saligate: warning: the ledger has licences for another model ({other:.8}, not \
             {digest:.8}); what they wrap may open this one too: use one key file per model"
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

fn terms(args: &IssueArgs) -> Terms {
    Terms {
        holder: args.holder.clone(),
        recipient: args.to,
        not_before: args.not_before,
        expires: args.expires,
        methods: args.methods.clone(),
        device: args.device.clone(),
    }
}

/// The key to be licensed: a free one, or that of the licence to be renewed.
fn pick<'a>(
    args: &IssueArgs,
    ledger: &Ledger,
    pool: &'a Pool,
    model: &ModelDigest,
) -> Result<Pick<'a>, Failure> {
    let Some(serial) = args.renew else { return Ok(pool.free(ledger, model)?) };
    let earlier = ledger.get(serial).ok_or(Error::Serial { serial })?;
    if let Some(at) = earlier.revoked {
        return Err(Failure::from(Error::AlreadyRevoked { serial, at })
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
    Ok(pool.key(&earlier.claims().key, earlier.shared)?)
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

fn known_method(model: &Model, asked: &str) -> Result<(), Failure> {
    let known = method::names(model);
    if known.contains(&asked) {
        return Ok(());
    }
    Err(Failure::new(format!("this model cannot explain by '{asked}'"))
        .hint(format!("--methods {}", known.join(","))))
}
