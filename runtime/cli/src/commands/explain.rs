//! `saligate explain`.

mod files;
mod report;

use saligate_console::{Failure, progress};
use saligate_keys::{Timestamp, Trigger};
use saligate_runtime::method::{Explainer, MethodExplanation};
use saligate_runtime::picture::Picture;
use saligate_runtime::{Model, Target};

use crate::args::ExplainArgs;
use crate::shared::access::{self, Wanted};
use crate::shared::jobs::in_order;
use crate::shared::names::listed;
use crate::shared::opening::{Opening, Purpose};
use crate::shared::pictures;

use self::files::Files;

pub(crate) fn run(args: &ExplainArgs) -> Result<(), Failure> {
    let paths = pictures::listed(&args.images)?;
    let images: Vec<Files> = paths.iter().map(|image| Files::of(args, image)).collect();
    files::check(args, &images)?;
    let purpose =
        Purpose::Explanation { method: args.method.as_deref(), layer: args.layer.as_deref() };
    if args.triggered.is_some() && args.access.key.is_none() {
        return Err(match &args.access.license {
            None => Failure::new("there is no trigger to put on the picture"),
            Some(_) => Failure::no("a licence explains, and does not give its trigger away"),
        }
        .hint("the vendor's --key FILE"));
    }
    let opening = Opening { path: &args.model, vendor: args.vendor, access: &args.access };
    let (model, unsealed) = opening.open(&args.foreign, &purpose, &args.running)?;
    let method = args.method.as_deref().unwrap_or(&model.manifest().method().name);
    let explainer = Explainer::named(method, &args.passes.0)?;
    explainer.check(&model)?;
    let target = args.class.as_deref().map_or(Ok(Target::Predicted), |c| class(&model, c))?;
    let wanted = Wanted { method: Some(method), vendor: args.vendor };
    let access = match unsealed {
        Some(access) => Some(access),
        None => access::open(&args.access, &model, wanted)?,
    };
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
