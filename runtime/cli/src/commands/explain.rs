//! `saligate explain`.

mod files;
#[cfg(feature = "audit")]
mod page;
mod report;

use saligate_console::{Failure, progress};
use saligate_keys::{Timestamp, Trigger};
use saligate_runtime::method::{Explainer, MethodExplanation};
use saligate_runtime::picture::Picture;
use saligate_runtime::{Access, Model, Target};

use crate::args::ExplainArgs;
use crate::shared::access::{self, Wanted};
use crate::shared::explainers::explainers;
use crate::shared::jobs::in_order;
use crate::shared::names::listed;
use crate::shared::opening::{Opening, Purpose};
use crate::shared::pictures;

use self::files::Files;
use self::report::Told;

/// A class to explain, and what it is called in the names of files.
pub(super) struct Class {
    target: Target,
    name: String,
}

/// One of the explanations of a picture: the position of its method, and what was found.
pub(super) struct Found {
    method: usize,
    found: MethodExplanation,
}

pub(crate) fn run(args: &ExplainArgs) -> Result<(), Failure> {
    let paths = pictures::listed(&args.images)?;
    if args.triggered.is_some() && args.access.key.is_none() {
        return Err(match &args.access.license {
            None => Failure::new("there is no trigger to put on the picture"),
            Some(_) => Failure::no("a licence explains, and does not give its trigger away"),
        }
        .hint("the vendor's --key FILE"));
    }
    if let Some(twice) = repeated(&args.method) {
        return Err(Failure::new(format!("--method names {twice} twice")));
    }
    let purpose = Purpose::Explanation { methods: &args.method, layer: args.layer.as_deref() };
    let opening = Opening { path: &args.model, vendor: args.vendor, access: &args.access };
    // What needs no model is checked before one is read.
    let named_before = args.class.is_empty() && !args.method.is_empty();
    let predicted = [Class { target: Target::Predicted, name: "predicted".to_owned() }];
    if named_before {
        let methods: Vec<&str> = args.method.iter().map(String::as_str).collect();
        files_of(args, &paths, &methods, &predicted)?;
    }
    let (model, unsealed) = opening.open(&args.foreign, &purpose, &args.running)?;
    let methods: Vec<&str> = match &args.method[..] {
        [] => vec![&model.manifest().method().name],
        methods => methods.iter().map(String::as_str).collect(),
    };
    let explainers = explainers(&args.passes.0, &model, &methods)?;
    let classes = match &args.class[..] {
        [] => predicted.into(),
        texts => classes(&model, texts)?,
    };
    let images = files_of(args, &paths, &methods, &classes)?;
    let wanted = Wanted { methods: &methods, vendor: args.vendor };
    let access = match unsealed {
        Some(access) => Some(access),
        None => access::open(&args.access, &model, wanted)?,
    };
    if access.is_none() {
        explainers.iter().try_for_each(|explainer| explainer.check_without_key(&model))?;
    }
    let told = Told { args, model: &model, methods: &methods, given: access.is_some() };
    let alone = images.len() == 1;
    #[cfg(feature = "audit")]
    let page = args.html.as_deref().map(|path| page::Sheet::new(path, &told));
    in_order(
        &images,
        args.jobs,
        |files| {
            let read = pictures::read(&model, files.image)?;
            let original = args.overlay.is_some().then(|| read.clone());
            let picture = pictures::framed(&model, read)?;
            let mut all = Vec::new();
            for (class, Class { target, .. }) in classes.iter().enumerate() {
                for (method, explainer) in explainers.iter().enumerate() {
                    let trigger = trigger(access.as_ref(), &model, explainer.name())?;
                    let found = explained(explainer, &model, &picture, *target, trigger, alone)?;
                    files.maps[class * methods.len() + method].write(
                        args,
                        &model,
                        original.as_ref(),
                        &found.explanation,
                    )?;
                    all.push(Found { method, found });
                }
            }
            if let Some(path) = &files.panel {
                files::panel(&told, &picture, &all)?.save_png(path)?;
            }
            #[cfg(feature = "audit")]
            if let Some(page) = &page {
                page.put(files.image, files::panel(&told, &picture, &all)?);
            }
            let trigger = trigger(access.as_ref(), &model, methods[0])?;
            if let (Some(path), Some(trigger)) = (&files.triggered, trigger) {
                // What the network saw, for those who asked for it.
                pictures::with_trigger(&picture, trigger)?.save_private_png(path)?;
            }
            Ok(all)
        },
        |files, all| told.report(files, &all),
    )?;
    #[cfg(feature = "audit")]
    page.map_or(Ok(()), page::Sheet::finish)?;
    Ok(())
}

/// Where everything goes, if nothing is written twice.
fn files_of<'a>(
    args: &ExplainArgs,
    paths: &'a [std::path::PathBuf],
    methods: &[&str],
    classes: &[Class],
) -> Result<Vec<Files<'a>>, Failure> {
    let images: Vec<Files<'a>> =
        paths.iter().map(|image| Files::of(args, image, methods, classes)).collect();
    files::check(args, &images)?;
    Ok(images)
}

fn repeated(names: &[String]) -> Option<&String> {
    names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)).map(|(_, name)| name)
}

fn trigger<'a>(
    access: Option<&'a Access>,
    model: &Model,
    method: &str,
) -> Result<Option<&'a Trigger>, Failure> {
    let now = Timestamp::now();
    Ok(access.map(|access| access.trigger(model, method, now)).transpose()?)
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

/// The classes that are asked for. A name may have commas of its own, as ImageNet's have.
fn classes(model: &Model, texts: &[String]) -> Result<Vec<Class>, Failure> {
    let mut numbers: Vec<usize> = Vec::new();
    for text in texts {
        let parts = match class(model, text) {
            Some(_) => vec![text.as_str()],
            None => text.split(',').map(str::trim).collect(),
        };
        for part in parts {
            let number = class(model, part).ok_or_else(|| unknown(model, part))?;
            if numbers.contains(&number) {
                return Err(Failure::new(format!("--class names {part} twice")));
            }
            numbers.push(number);
        }
    }
    let found = numbers.into_iter();
    Ok(found.map(|n| Class { target: Target::Class(n), name: n.to_string() }).collect())
}

fn class(model: &Model, text: &str) -> Option<usize> {
    let labels = &model.manifest().labels;
    let number = text.parse().ok().filter(|&class: &usize| class < labels.len());
    labels.iter().position(|label| label == text).or(number)
}

fn unknown(model: &Model, text: &str) -> Failure {
    let labels = &model.manifest().labels;
    Failure::new(format!("there is no class '{text}'")).hint(format!(
        "0 to {}, or one of: {}",
        labels.len() - 1,
        listed(labels)
    ))
}
