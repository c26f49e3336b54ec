//! `saligate explain`.

use std::path::{Path, PathBuf};

use saligate_keys::{IdentityKind, Timestamp, Trigger, VendorKind};
use saligate_models::manifest::GateForm;
use saligate_runtime::npy::write_npy;
use saligate_runtime::passes::Completeness;
use saligate_runtime::picture::Picture;
use saligate_runtime::render::{Canvas, Panel, Scaling, heatmap, overlay};
use saligate_runtime::{Attribution, Explanation, Model, Target, Use};
use serde_json::json;

use crate::args::ExplainArgs;
use crate::error::CliError;
use crate::foreign::{self, Wanted};
use crate::passes::Pass;
use crate::{device, emit, license, outputs, predict, secrets, shown};

/// Side, in pixels, that small drawings are enlarged to.
const SHOWN_SIDE: usize = 224;

pub(crate) fn run(args: &ExplainArgs) -> Result<(), CliError> {
    let files = Files::of(args);
    outputs::refuse_record(files.all())?;
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
    let trigger = trigger(args, &model, method)?;
    let picture = predict::open(&model, &args.image)?;
    let found = match &pass {
        Some(pass) => pass.run(&model, &picture, target, trigger.as_ref())?,
        None => Found::from(model.explain_by(method, &picture, target, trigger.as_ref())?),
    };
    files.write(&picture, &found.explanation)?;
    if let (Some(path), Some(trigger)) = (&args.triggered, &trigger) {
        save_triggered(&picture, trigger, path)?;
    }
    let keyed = trigger.is_some();
    // Wiped before anything is printed.
    drop(trigger);
    report(args, &model, method, &found, keyed, &files.all())
}

/// The trigger of the key or licence, if one is given.
fn trigger(args: &ExplainArgs, model: &Model, method: &str) -> Result<Option<Trigger>, CliError> {
    if let Some(path) = &args.key {
        // Nobody should type a passphrase for a key that opens something else.
        let stored = secrets::stored::<VendorKind>(path)?;
        model.check_key(stored.about().public)?;
        let key = secrets::opened(stored, path, &args.secrets)?;
        return Ok(Some(model.trigger(key.secret())?));
    }
    let (Some(license), Some(identity)) = (&args.license, &args.identity) else {
        return match &args.triggered {
            None => Ok(None),
            Some(_) => Err(CliError::new("there is no trigger to put on the picture")
                .hint("--key FILE, or --license FILE --identity FILE")),
        };
    };
    let license = license::read(license)?;
    let stored = secrets::stored::<IdentityKind>(identity)?;
    let device = args.device.clone().or_else(device::name);
    let usage =
        Use { now: Timestamp::now(), device: device.as_deref(), vendor: args.vendor, method };
    model.check_license(&license, stored.about().public, &usage)?;
    let identity = secrets::opened(stored, identity, &args.secrets)?.into_identity();
    Ok(Some(model.licensed_trigger(&license, &identity, &usage)?))
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
    pub(crate) explanation: Explanation,
    /// For methods that run the model many times: how often.
    pub(crate) passes: Option<usize>,
    pub(crate) completeness: Option<Completeness>,
}

impl From<Explanation> for Found {
    fn from(explanation: Explanation) -> Self {
        Self { explanation, passes: None, completeness: None }
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

/// Where the results go.
struct Files<'a> {
    args: &'a ExplainArgs,
    panel: Option<PathBuf>,
}

impl<'a> Files<'a> {
    fn of(args: &'a ExplainArgs) -> Self {
        let asked =
            [&args.out, &args.overlay, &args.panel, &args.raw, &args.attribution, &args.triggered];
        let none = asked.iter().all(|path| path.is_none());
        let panel = if none { Some(beside(&args.image)) } else { args.panel.clone() };
        Self { args, panel }
    }

    /// In the order in which they are written.
    fn all(&self) -> Vec<&Path> {
        let ExplainArgs { out, overlay, raw, attribution, triggered, .. } = self.args;
        let all = [out, overlay, &self.panel, raw, attribution, triggered];
        all.into_iter().flatten().map(PathBuf::as_path).collect()
    }

    fn write(&self, picture: &Picture, explanation: &Explanation) -> Result<(), CliError> {
        let (height, width) = (picture.height(), picture.width());
        let map = &explanation.map;
        if let Some(path) = &self.args.out {
            let drawn = heatmap(map, height, width, Scaling::MinMax)?;
            drawn.enlarged(SHOWN_SIDE)?.save_png(path)?;
        }
        if let Some(path) = &self.args.overlay {
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
        if let Some(path) = &self.args.raw {
            write_npy(path, &[height, width], map)?;
        }
        if let Some(path) = &self.args.attribution {
            let Attribution { values, channels, height, width } = &explanation.attribution;
            write_npy(path, &[*channels, *height, *width], values)?;
        }
        Ok(())
    }
}

/// `NAME.explained.png` in the working folder.
fn beside(image: &Path) -> PathBuf {
    let stem = image.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    PathBuf::from(format!("{stem}.explained.png"))
}

fn report(
    args: &ExplainArgs,
    model: &Model,
    method: &str,
    found: &Found,
    keyed: bool,
    written: &[&Path],
) -> Result<(), CliError> {
    let manifest = model.manifest();
    let explanation = &found.explanation;
    let label = &manifest.labels[explanation.class];
    let gate_form = manifest.gate.as_ref().map(|gate| gate.form);
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
            "image": shown(&args.image),
            "method": method,
            "state": state,
            "class": explanation.class,
            "label": label,
            "predicted": predict::ranked(model, prediction, 1)[0],
            "written": written.iter().map(|path| shown(path)).collect::<Vec<_>>(),
        });
        if let Some(passes) = found.passes {
            line["passes"] = passes.into();
        }
        if let Some(completeness) = &found.completeness {
            line["completeness"] = json!({
                "attributed": completeness.attributed,
                "expected": completeness.expected,
                "absolute_gap": completeness.absolute_gap(),
                "relative_gap": completeness.relative_gap(),
            });
        }
        return emit(&line.to_string());
    }
    emit(&format!("{}: {label}, {method} ({state})", args.image.display()))?;
    if let Some(completeness) = &found.completeness {
        emit(&sum(completeness))?;
    }
    match (state, found.passes) {
        ("locked", None) => {
            emit("this is the decoy; the right map needs the key (--key FILE) or a licence")?
        }
        ("locked", Some(_)) => {
            emit("made without the key; the licensed explanation needs it (--key, --license)")?;
        }
        _ => {}
    }
    written.iter().try_for_each(|path| emit(&format!("wrote {}", path.display())))
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
