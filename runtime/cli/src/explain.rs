//! `saligate explain`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use saligate_keys::{IdentityKind, Timestamp, Trigger, VendorKind};
use saligate_models::manifest::GateForm;
use saligate_runtime::npy::write_npy;
use saligate_runtime::passes::{Completeness, PassExplanation};
use saligate_runtime::picture::Picture;
use saligate_runtime::render::{Canvas, Panel, Scaling, heatmap, overlay};
use saligate_runtime::{Access, Attribution, Explanation, Model, Target, Use, device_name};
use serde_json::json;

use crate::args::ExplainArgs;
use crate::error::CliError;
use crate::foreign::{self, Wanted};
use crate::jobs::in_order;
use crate::passes::Pass;
use crate::{emit, license, outputs, predict, secrets, shown};

/// Side, in pixels, that small drawings are enlarged to.
const SHOWN_SIDE: usize = 224;

pub(crate) fn run(args: &ExplainArgs) -> Result<(), CliError> {
    let pictures: Vec<Files> = args.images.iter().map(|image| Files::of(args, image)).collect();
    check_files(args, &pictures)?;
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
        |files, found| report(args, &model, method, &found, access.is_some(), files),
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
    let path = license;
    let license = license::read(path)?;
    let stored = secrets::stored::<IdentityKind>(identity)?;
    let device = args.device.clone().or_else(device_name);
    let usage =
        Use { now: Timestamp::now(), device: device.as_deref(), vendor: args.vendor, method };
    model
        .check_license(&license, stored.about().public, &usage)
        .map_err(|error| CliError::from(error).in_file(path))?;
    let identity = secrets::opened(stored, identity, &args.secrets)?.into_identity();
    Ok(Some(Access::of_license(model, license, &identity, &usage)?))
}

/// Writes what the network saw, for those who asked for it.
fn save_triggered(picture: &Picture, trigger: &Trigger, path: &Path) -> Result<(), CliError> {
    let mut pixels = picture.pixels().to_vec();
    trigger.apply(&mut pixels)?;
    let seen = Picture::from_planar(picture.channels(), picture.height(), picture.width(), pixels)?;
    seen.save_private_png(path)?;
    Ok(())
}

/// An explanation, and what is told of it.
pub(crate) struct Found {
    explanation: Explanation,
    /// For methods that run the model many times.
    passes: Option<Passes>,
}

struct Passes {
    all: usize,
    key_found: Option<usize>,
    completeness: Option<Completeness>,
}

impl From<Explanation> for Found {
    fn from(explanation: Explanation) -> Self {
        Self { explanation, passes: None }
    }
}

impl From<PassExplanation> for Found {
    fn from(found: PassExplanation) -> Self {
        let PassExplanation { explanation, passes: all, key_found, completeness } = found;
        Self { explanation, passes: Some(Passes { all, key_found, completeness }) }
    }
}

impl Found {
    fn completeness(&self) -> Option<&Completeness> {
        self.passes.as_ref()?.completeness.as_ref()
    }

    /// Whether the gate found a key in the picture itself. Where the model does not tell, a key that
    /// was given is taken for found.
    fn is_keyed(&self, given: bool) -> bool {
        self.explanation.prediction.key_found.unwrap_or(given)
    }
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

/// Where the results for one picture go.
struct Files<'a> {
    image: &'a Path,
    out: Option<PathBuf>,
    overlay: Option<PathBuf>,
    panel: Option<PathBuf>,
    raw: Option<PathBuf>,
    attribution: Option<PathBuf>,
    triggered: Option<PathBuf>,
}

impl<'a> Files<'a> {
    fn of(args: &ExplainArgs, image: &'a Path) -> Self {
        let named = |path: &Option<PathBuf>| path.as_ref().map(|path| named_after(path, image));
        let asked =
            [&args.out, &args.overlay, &args.panel, &args.raw, &args.attribution, &args.triggered];
        let none = asked.iter().all(|path| path.is_none());
        // In the working folder.
        let panel = if none { Some("{}.explained.png".into()) } else { args.panel.clone() };
        Self {
            image,
            out: named(&args.out),
            overlay: named(&args.overlay),
            panel: named(&panel),
            raw: named(&args.raw),
            attribution: named(&args.attribution),
            triggered: named(&args.triggered),
        }
    }

    /// In the order in which they are written.
    fn all(&self) -> impl Iterator<Item = &Path> {
        let Self { out, overlay, panel, raw, attribution, triggered, .. } = self;
        let all = [out, overlay, panel, raw, attribution, triggered];
        all.into_iter().flatten().map(PathBuf::as_path)
    }

    fn write(&self, picture: &Picture, explanation: &Explanation) -> Result<(), CliError> {
        let (height, width) = (picture.height(), picture.width());
        let map = &explanation.map;
        if let Some(path) = &self.out {
            let drawn = heatmap(map, height, width, Scaling::MinMax)?;
            drawn.enlarged(SHOWN_SIDE)?.save_png(path)?;
        }
        if let Some(path) = &self.overlay {
            let drawn = overlay(picture, map, Scaling::MinMax)?;
            drawn.enlarged(SHOWN_SIDE)?.save_png(path)?;
        }
        if let Some(path) = &self.panel {
            let cells = [
                Canvas::from(picture),
                heatmap(map, height, width, Scaling::MinMax)?,
                overlay(picture, map, Scaling::MinMax)?,
            ];
            let panel = Panel::new(["picture", "saliency map", "overlay"]).row("", cells);
            panel.render()?.save_png(path)?;
        }
        if let Some(path) = &self.raw {
            write_npy(path, &[height, width], map)?;
        }
        if let Some(path) = &self.attribution {
            let Attribution { values, channels, height, width } = &explanation.attribution;
            write_npy(path, &[*channels, *height, *width], values)?;
        }
        Ok(())
    }
}

/// A path with the name of the picture, without its ending, in place of `{}`.
fn named_after(path: &Path, image: &Path) -> PathBuf {
    let Some(text) = path.to_str().filter(|text| text.contains("{}")) else {
        return path.to_owned();
    };
    let stem = image.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    PathBuf::from(text.replace("{}", &stem))
}

/// Refuses files that must not be replaced, or that two pictures would be written to, before
/// anything is computed.
fn check_files(args: &ExplainArgs, pictures: &[Files<'_>]) -> Result<(), CliError> {
    let secrets = [&args.key, &args.license, &args.identity, &args.secrets.passphrase_file];
    let others = secrets.into_iter().flatten().chain([&args.model]).map(PathBuf::as_path);
    let read = others.chain(pictures.iter().map(|files| files.image));
    outputs::check(pictures.iter().flat_map(Files::all), read)?;
    let mut known: HashMap<&Path, &Path> = HashMap::new();
    for files in pictures {
        for path in files.all() {
            if let Some(other) = known.insert(path, files.image) {
                let (one, two) = (other.display(), files.image.display());
                return Err(CliError::new(format!("{one} and {two} would both be written here"))
                    .in_file(path)
                    .hint(
                        "{} in the name, for the name of each picture; pictures of one name apart",
                    ));
            }
        }
    }
    Ok(())
}

fn report(
    args: &ExplainArgs,
    model: &Model,
    method: &str,
    found: &Found,
    given: bool,
    files: &Files<'_>,
) -> Result<(), CliError> {
    let manifest = model.manifest();
    let explanation = &found.explanation;
    let label = &manifest.labels[explanation.class];
    let gate_form = manifest.gate.as_ref().map(|gate| gate.form);
    let keyed = found.is_keyed(given);
    let state = match (gate_form, keyed) {
        (None, _) => "open",
        (Some(GateForm::Key), true) => "keyed",
        (Some(GateForm::Key), false) => "locked",
        (Some(_), true) => "triggered",
        (Some(_), false) => "untriggered",
    };
    if args.json {
        let prediction = &explanation.prediction;
        let mut line = json!({
            "schema": 1,
            "image": shown(files.image),
            "method": method,
            "state": state,
            "key_found": explanation.prediction.key_found,
            "class": explanation.class,
            "label": label,
            "predicted": predict::ranked(model, prediction, 1)[0],
            "written": files.all().map(shown).collect::<Vec<_>>(),
        });
        if let Some(Passes { all, key_found, .. }) = &found.passes {
            line["passes"] = (*all).into();
            line["passes_key_found"] = (*key_found).into();
        }
        if let Some(completeness) = found.completeness() {
            line["completeness"] = json!({
                "attributed": completeness.attributed,
                "expected": completeness.expected,
                "absolute_gap": completeness.absolute_gap(),
                "relative_gap": completeness.relative_gap(),
            });
        }
        return emit(&line.to_string());
    }
    emit(&format!("{}: {label}, {method} ({state})", files.image.display()))?;
    if let Some(completeness) = found.completeness() {
        emit(&sum(completeness))?;
    }
    match (state, &found.passes) {
        ("locked", None) if given => emit(
            "this is the decoy: the gate does not find the key on this picture, whose noise or \
             black and white pixels hide it",
        )?,
        ("locked", None) => {
            emit("this is the decoy; the right map needs the key (--key FILE) or a licence")?
        }
        ("locked", Some(_)) if !given => {
            emit("made without the key; the licensed explanation needs it (--key, --license)")?;
        }
        (_, Some(Passes { all, key_found: Some(found), .. })) if given && 2 * found <= *all => {
            emit(&format!(
                "the gate found the key in {found} of {all} passes, the others are what everybody \
                 sees: another method, or less noise (--noise) with smoothgrad"
            ))?;
        }
        _ => {}
    }
    files.all().try_for_each(|path| emit(&format!("wrote {}", path.display())))
}

/// Whether the attributions add up to what they explain.
fn sum(completeness: &Completeness) -> String {
    let Completeness { attributed, expected } = completeness;
    let share = completeness.relative_gap().map(|gap| format!(", {:.2} %", 100.0 * gap));
    format!(
        "attributions add up to {attributed:.4}, the logit rose by {expected:.4}: gap {:.4}{}",
        completeness.absolute_gap(),
        share.unwrap_or_default()
    )
}
