//! Keys and licences, and what they open.

use saligate_console::{Failure, secrets};
use saligate_files::archive::Precision;
use saligate_keys::{
    Identity, IdentityKind, KeyId, License, Recipient, Refusal, Timestamp, Vendor, VendorKind,
};
use saligate_runtime::{Access, Model, RuntimeError, SealedModel, Use, device_name};

use crate::args::{AccessArgs, RunArgs};
use crate::shared::licenses;

/// What an access is for.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// The methods to explain by; none where only predictions are wanted.
    pub(crate) methods: &'a [&'a str],
    /// The vendor who must have signed a licence, beside that of the model.
    pub(crate) vendor: Option<Vendor>,
}

/// What a key or licence opens of a model in which nothing is sealed.
pub(crate) fn open(
    args: &AccessArgs,
    model: &Model,
    wanted: Wanted<'_>,
) -> Result<Option<Access>, Failure> {
    if let Some(key) = key(args, |id| model.check_key(id))? {
        return Ok(Some(Access::of_key(model, key.secret())?));
    }
    licensed(args, wanted, |found, recipient, usage| model.check_license(found, recipient, usage))?
        .map(|(license, identity, device)| {
            let usage = usages(&device, wanted).remove(0);
            Ok(Access::of_license(model, license, &identity, &usage)?)
        })
        .transpose()
}

/// The true network of a sealed model, and the access to it.
pub(crate) fn unseal(
    args: &AccessArgs,
    running: &RunArgs,
    sealed: SealedModel,
    wanted: Wanted<'_>,
) -> Result<(Model, Access), Failure> {
    if running.precision != Precision::F32 {
        return Err(Failure::new(
            "the weights of a sealed network are as exact as it was sealed with",
        )
        .hint("leave out --precision; saligate compile --precision --key seals rounded ones"));
    }
    let engine = running.engine.into();
    let (model, access) = if let Some(key) = key(args, |id| sealed.check_key(id))? {
        sealed.open_with_key(key.secret(), engine)?
    } else {
        let check = |found: &License, recipient, usage: &Use<'_>| {
            sealed.check_license(found, recipient, usage)
        };
        let Some((license, identity, device)) = licensed(args, wanted, check)? else {
            return Err(RuntimeError::Sealed.into());
        };
        let usage = usages(&device, wanted).remove(0);
        sealed.open_with_license(license, &identity, &usage, engine)?
    };
    Ok((model.with_threads(running.threads)?, access))
}

/// The key that is given, if it opens the model.
fn key(
    args: &AccessArgs,
    check: impl FnOnce(KeyId) -> Result<(), RuntimeError>,
) -> Result<Option<saligate_keys::KeyFile>, Failure> {
    let Some(path) = &args.key else { return Ok(None) };
    // Nobody should type a passphrase for a key that opens something else.
    let stored = secrets::stored::<VendorKind>(path)?;
    check(stored.about().public)?;
    secrets::opened(stored, path, args.secrets.file()).map(Some)
}

/// The licence that is given, if it is good, with its identity and the name of this device.
fn licensed(
    args: &AccessArgs,
    wanted: Wanted<'_>,
    check: impl Fn(&License, Recipient, &Use<'_>) -> Result<(), RuntimeError>,
) -> Result<Option<(License, Identity, Option<String>)>, Failure> {
    let (Some(license), Some(identity)) = (&args.license, &args.identity) else {
        return Ok(None);
    };
    let found = licenses::read(license)?;
    let stored = secrets::stored::<IdentityKind>(identity)?;
    let device = args.device.clone().or_else(device_name);
    for usage in usages(&device, wanted) {
        check(&found, stored.about().public, &usage)
            .map_err(|error| refused(error).in_file(license))?;
    }
    let identity = secrets::opened(stored, identity, args.secrets.file())?.into_identity();
    Ok(Some((found, identity, device)))
}

/// What is asked of a licence: one question for each method, at least one.
fn usages<'a>(device: &'a Option<String>, wanted: Wanted<'a>) -> Vec<Use<'a>> {
    let Wanted { methods, vendor } = wanted;
    let usage = |method| Use { now: Timestamp::now(), device: device.as_deref(), vendor, method };
    match methods {
        [] => vec![usage(None)],
        methods => methods.iter().map(|&method| usage(Some(method))).collect(),
    }
}

/// Why a licence does not open the model. One that was issued before `compile` rounded the weights
/// is for another model.
fn refused(error: RuntimeError) -> Failure {
    let is_model = matches!(error, RuntimeError::License(Refusal::Model { .. }));
    let failure = Failure::from(error);
    match is_model {
        true => failure.hint(
            "a licence for this very file: rounded weights (compile --precision, explain \
             --precision) make another model, and `license issue --model` takes the compiled file",
        ),
        false => failure,
    }
}
