//! `saligate explain`.

mod files;
mod found;

use std::path::Path;

use saligate_keys::{IdentityKind, Timestamp, Trigger, VendorKind};
use saligate_runtime::picture::Picture;
use saligate_runtime::{Access, Model, Target, Use, device_name};

use crate::args::ExplainArgs;
use crate::error::CliError;
use crate::foreign::{self, Wanted};
use crate::jobs::in_order;
use crate::passes::Pass;
use crate::{license, predict, secrets};

use self::files::Files;
pub(crate) use self::found::Found;

pub(crate) fn run(args: &ExplainArgs) -> Result<(), CliError> {
    let pictures: Vec<Files> = args.images.iter().map(|image| Files::of(args, image)).collect();
    files::check(args, &pictures)?;
    let wanted =
        Wanted::Explanation { method: args.method.as_deref(), layer: args.layer.as_deref() };
    let model = foreign::open(&args.model, args.vendor, &args.foreign, &wanted, &args.running)?;
    let model = match args.passes.batch {
        Some(images) => model.with_batch(usize::from(images)),
        None => model,
    };
    let method = args.method.as_deref().unwrap_or(&model.manifest().method().name);
    let pass = Pass::named(method, &args.passes)?;
    if pass.is_none() {
        check_method(&model, method)?;
    }
    let target = args.class.as_deref().map_or(Ok(Target::Predicted), |c| class(&model, c))?;
    let access = access(args, &model, method)?;
    let alone = pictures.len() == 1;
    in_order(
        &pictures,
        args.jobs,
        |files| {
            let picture = predict::open(&model, files.image)?;
            let now = Timestamp::now();
            let trigger = access.as_ref().map(|access| access.trigger(&model, method, now));
            let trigger = trigger.transpose()?;
            let found = match &pass {
                Some(pass) => pass.run(&model, &picture, target, trigger, alone)?,
                None => Found::from(model.explain_by(method, &picture, target, trigger)?),
            };
            files.write(&picture, &found.explanation)?;
            if let (Some(path), Some(trigger)) = (&files.triggered, trigger) {
                save_triggered(&picture, trigger, path)?;
            }
            Ok(found)
        },
        |files, found| found.report(args, &model, method, access.is_some(), files),
    )
}

/// What the key or licence opens, if one is given.
fn access(args: &ExplainArgs, model: &Model, method: &str) -> Result<Option<Access>, CliError> {
    if let Some(path) = &args.key {
        // Nobody should type a passphrase for a key that opens something else.
        let stored = secrets::stored::<VendorKind>(path)?;
        model.check_key(stored.about().public)?;
        let key = secrets::opened(stored, path, &args.secrets)?;
        return Ok(Some(Access::of_key(model, key.secret())?));
    }
    let (Some(license), Some(identity)) = (&args.license, &args.identity) else {
        return match &args.triggered {
            None => Ok(None),
            Some(_) => Err(CliError::new("there is no trigger to put on the picture")
                .hint("--key FILE, or --license FILE --identity FILE")),
        };
    };
    let found = license::read(license)?;
    let stored = secrets::stored::<IdentityKind>(identity)?;
    let device = args.device.clone().or_else(device_name);
    let usage =
        Use { now: Timestamp::now(), device: device.as_deref(), vendor: args.vendor, method };
    model
        .check_license(&found, stored.about().public, &usage)
        .map_err(|error| CliError::from(error).in_file(license))?;
    let identity = secrets::opened(stored, identity, &args.secrets)?.into_identity();
    Ok(Some(Access::of_license(model, found, &identity, &usage)?))
}

/// Writes what the network saw, for those who asked for it.
fn save_triggered(picture: &Picture, trigger: &Trigger, path: &Path) -> Result<(), CliError> {
    let mut pixels = picture.pixels().to_vec();
    trigger.apply(&mut pixels)?;
    let seen = Picture::from_planar(picture.channels(), picture.height(), picture.width(), pixels)?;
    seen.save_private_png(path)?;
    Ok(())
}

fn check_method(model: &Model, asked: &str) -> Result<(), CliError> {
    if model.method(asked).is_ok() {
        return Ok(());
    }
    let own = model.manifest().methods.iter().map(|m| m.name.as_str());
    let known: Vec<_> = own.chain(Pass::NAMES.iter().copied()).collect();
    Err(CliError::new(format!("this model cannot explain by '{asked}'"))
        .hint(format!("--method {}", known.join(" or "))))
}

/// The first names of a long list.
pub(crate) fn listed(names: &[String]) -> String {
    const SHOWN: usize = 20;
    let more = if names.len() > SHOWN { ", ..." } else { "" };
    names[..names.len().min(SHOWN)].join(", ") + more
}

fn class(model: &Model, text: &str) -> Result<Target, CliError> {
    let labels = &model.manifest().labels;
    let number = text.parse().ok().filter(|&class: &usize| class < labels.len());
    let found = labels.iter().position(|label| label == text).or(number);
    found.map(Target::Class).ok_or_else(|| {
        CliError::new(format!("there is no class '{text}'")).hint(format!(
            "0 to {}, or one of: {}",
            labels.len() - 1,
            listed(labels)
        ))
    })
}
