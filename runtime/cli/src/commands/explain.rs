//! `saligate explain`.

mod files;
mod report;

use saligate_console::{Failure, progress, secrets};
use saligate_keys::{IdentityKind, Refusal, Timestamp, Trigger, VendorKind};
use saligate_runtime::method::{Explainer, MethodExplanation};
use saligate_runtime::picture::Picture;
use saligate_runtime::{Access, Model, RuntimeError, Target, Use, device_name};

use crate::args::ExplainArgs;
use crate::shared::jobs::in_order;
use crate::shared::names::listed;
use crate::shared::opening::{self, Purpose};
use crate::shared::{licenses, pictures};

use self::files::Files;

pub(crate) fn run(args: &ExplainArgs) -> Result<(), Failure> {
    let images: Vec<Files> = args.images.iter().map(|image| Files::of(args, image)).collect();
    files::check(args, &images)?;
    let purpose =
        Purpose::Explanation { method: args.method.as_deref(), layer: args.layer.as_deref() };
    let model = opening::open(&args.model, args.vendor, &args.foreign, &purpose, &args.running)?;
    let method = args.method.as_deref().unwrap_or(&model.manifest().method().name);
    let explainer = Explainer::named(method, &args.passes.0)?;
    explainer.check(&model)?;
    let target = args.class.as_deref().map_or(Ok(Target::Predicted), |c| class(&model, c))?;
    let access = access(args, &model, method)?;
    if access.is_none() {
        explainer.check_without_key(&model)?;
    }
    let alone = images.len() == 1;
    in_order(
        &images,
        args.jobs,
        |files| {
            let picture = pictures::open(&model, files.image)?;
            let now = Timestamp::now();
            let trigger = access.as_ref().map(|access| access.trigger(&model, method, now));
            let trigger = trigger.transpose()?;
            let found = explained(&explainer, &model, &picture, target, trigger, alone)?;
            files.write(&picture, &found.explanation)?;
            if let (Some(path), Some(trigger)) = (&files.triggered, trigger) {
                // What the network saw, for those who asked for it.
                pictures::with_trigger(&picture, trigger)?.save_private_png(path)?;
            }
            Ok(found)
        },
        |files, found| report::report(args, &model, method, access.is_some(), files, &found),
    )
}

/// Explains; with a progress bar for passes if the picture is alone.
fn explained(
    explainer: &Explainer,
    model: &Model,
    picture: &Picture,
    target: Target,
    trigger: Option<&Trigger>,
    alone: bool,
) -> Result<MethodExplanation, Failure> {
    let bar = progress::bar("passes", 0, !alone || explainer.reads().is_none());
    let found = explainer.run(model, picture, target, trigger, &mut |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    Ok(found?)
}

/// What the key or licence opens, if one is given.
fn access(args: &ExplainArgs, model: &Model, method: &str) -> Result<Option<Access>, Failure> {
    if let Some(path) = &args.key {
        // Nobody should type a passphrase for a key that opens something else.
        let stored = secrets::stored::<VendorKind>(path)?;
        model.check_key(stored.about().public)?;
        let key = secrets::opened(stored, path, args.secrets.file())?;
        return Ok(Some(Access::of_key(model, key.secret())?));
    }
    if args.triggered.is_some() {
        return Err(match &args.license {
            None => Failure::new("there is no trigger to put on the picture"),
            Some(_) => Failure::no("a licence explains, and does not give its trigger away"),
        }
        .hint("the vendor's --key FILE"));
    }
    let (Some(license), Some(identity)) = (&args.license, &args.identity) else {
        return Ok(None);
    };
    let found = licenses::read(license)?;
    let stored = secrets::stored::<IdentityKind>(identity)?;
    let device = args.device.clone().or_else(device_name);
    let usage =
        Use { now: Timestamp::now(), device: device.as_deref(), vendor: args.vendor, method };
    model
        .check_license(&found, stored.about().public, &usage)
        .map_err(|error| refused(error).in_file(license))?;
    let identity = secrets::opened(stored, identity, args.secrets.file())?.into_identity();
    Ok(Some(Access::of_license(model, found, &identity, &usage)?))
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

fn class(model: &Model, text: &str) -> Result<Target, Failure> {
    let labels = &model.manifest().labels;
    let number = text.parse().ok().filter(|&class: &usize| class < labels.len());
    let found = labels.iter().position(|label| label == text).or(number);
    found.map(Target::Class).ok_or_else(|| {
        Failure::new(format!("there is no class '{text}'")).hint(format!(
            "0 to {}, or one of: {}",
            labels.len() - 1,
            listed(labels)
        ))
    })
}
