//! What `explain` tells of explanations.

use std::path::Path;

use saligate_console::{Failure, emit, shown};
use saligate_models::gate::GateForm;
use saligate_runtime::Model;
use saligate_runtime::method::{self, MethodExplanation, Passes};
use saligate_runtime::passes::Completeness;
use serde_json::json;

use super::Found;
use super::files::Files;
use crate::args::ExplainArgs;
use crate::shared::ranking;

/// What all explanations of a call have in common.
pub(super) struct Told<'a> {
    pub(super) args: &'a ExplainArgs,
    pub(super) model: &'a Model,
    pub(super) methods: &'a [&'a str],
    /// Whether a key or licence was given.
    pub(super) given: bool,
}

impl Told<'_> {
    /// Prints what was found and written for a picture.
    pub(super) fn report(&self, files: &Files<'_>, all: &[Found]) -> Result<(), Failure> {
        let several = all.len() > 1;
        for (position, found) in all.iter().enumerate() {
            let own = &files.maps[position];
            // A file of all maps is named with the first, and where it is a line of its own, last.
            let first = position == 0 || self.args.json;
            let common = files.common().filter(|_| !several || first && self.args.json);
            let written: Vec<&Path> = own.all().chain(common).collect();
            if self.args.json {
                self.line(files, found, &written)?;
            } else {
                self.words(files, found)?;
                written.iter().try_for_each(|path| emit(&format!("wrote {}", path.display())))?;
            }
        }
        if several && !self.args.json {
            files.common().try_for_each(|path| emit(&format!("wrote {}", path.display())))?;
        }
        Ok(())
    }

    fn state(&self, found: &MethodExplanation) -> &'static str {
        let manifest = self.model.manifest();
        let gate_form = manifest.gate.as_ref().map(|gate| gate.form);
        match (gate_form, is_keyed(found, self.given)) {
            (None, _) => "open",
            (Some(_), _) if manifest.sealed.is_some() => "public",
            (Some(GateForm::Key), true) => "keyed",
            (Some(GateForm::Key), false) => "locked",
            (Some(_), true) => "triggered",
            (Some(_), false) => "untriggered",
        }
    }

    fn layers(&self, method: usize) -> &[String] {
        let methods = &self.model.manifest().methods;
        let own = |name: &str| methods.iter().find(|spec| spec.name == name);
        let name = self.methods[method];
        // Of a method of many passes the one that it builds on.
        let base = || method::reads(name)?.of_file().and_then(|base| own(base.name()));
        own(name).or_else(base).map_or(&[], |spec| &spec.layers)
    }

    /// What stands below a picture in a panel.
    pub(super) fn class_caption(&self, found: &Found) -> String {
        let explanation = &found.found.explanation;
        let label = &self.model.manifest().labels[explanation.class];
        let probability = explanation.prediction.probabilities()[explanation.class];
        format!("{label} {:.1} %", 100.0 * probability)
    }

    /// What stands below a map in a panel.
    pub(super) fn method_caption(&self, found: &Found) -> String {
        format!("{} ({})", self.methods[found.method], self.state(&found.found))
    }

    fn line(&self, files: &Files<'_>, found: &Found, written: &[&Path]) -> Result<(), Failure> {
        let Found { method, found, .. } = found;
        let explanation = &found.explanation;
        let prediction = &explanation.prediction;
        let class = explanation.class;
        let mut line = json!({
            "schema": 1,
            "image": shown(files.image),
            "method": self.methods[*method],
            "state": self.state(found),
            "key_found": prediction.key_found,
            "class": class,
            "label": self.model.manifest().labels[class],
            "probability": prediction.probabilities()[class],
            "predicted": ranking::ranked(self.model, prediction, 1)[0],
            "written": written.iter().map(|path| shown(path)).collect::<Vec<_>>(),
        });
        let layers = self.layers(*method);
        if !layers.is_empty() {
            line["layers"] = layers.into();
        }
        if is_constant(&explanation.map) {
            line["constant"] = true.into();
        }
        if let Some(Passes { count, key_found, .. }) = &found.passes {
            line["passes"] = (*count).into();
            line["passes_key_found"] = (*key_found).into();
        }
        if let Some(completeness) = completeness(found) {
            line["completeness"] = json!({
                "attributed": completeness.attributed,
                "expected": completeness.expected,
                "absolute_gap": completeness.absolute_gap(),
                "relative_gap": completeness.relative_gap(),
            });
        }
        emit(&line.to_string())
    }

    fn words(&self, files: &Files<'_>, found: &Found) -> Result<(), Failure> {
        let Found { method, found, .. } = found;
        let explanation = &found.explanation;
        let label = &self.model.manifest().labels[explanation.class];
        let of = match self.layers(*method) {
            [] => String::new(),
            [layer] => format!(" of {layer}"),
            layers => format!(" of {} layers", layers.len()),
        };
        let (method, state) = (self.methods[*method], self.state(found));
        emit(&format!("{}: {label}, {method}{of} ({state})", files.image.display()))?;
        if is_constant(&explanation.map) {
            let value = explanation.map.first().copied().unwrap_or_default();
            emit(&format!("the map is {value} everywhere: it shows nothing of this class"))?;
        }
        if let Some(completeness) = completeness(found) {
            emit(&sum(completeness))?;
        }
        match (state, &found.passes) {
            ("public", _) => emit(
                "this is a map of the network that the file shows; that of the sealed one needs the \
                 key (--key FILE) or a licence",
            ),
            ("locked", None) if self.given => emit(
                "this is the decoy: the gate does not find the key on this picture, whose noise or \
                 black and white pixels hide it",
            ),
            ("locked", None) => {
                emit("this is the decoy; the right map needs the key (--key FILE) or a licence")
            }
            ("locked", Some(_)) if !self.given => {
                emit("made without the key; the licensed explanation needs it (--key, --license)")
            }
            (_, Some(Passes { count, key_found: Some(keyed), .. }))
                if self.given && keyed < count =>
            {
                emit(&format!(
                    "the gate found the key in {keyed} of {count} passes, the others are what \
                     everybody sees: another method, or less noise (--noise) with smoothgrad"
                ))
            }
            _ => Ok(()),
        }
    }
}

fn is_constant(map: &[f32]) -> bool {
    map.windows(2).all(|pair| pair[0] == pair[1])
}

fn completeness(found: &MethodExplanation) -> Option<&Completeness> {
    found.passes.as_ref()?.completeness.as_ref()
}

/// Whether the gate found a key, in one of the passes at least where there are many. Where the model
/// does not tell, a key that was given is taken for found.
fn is_keyed(found: &MethodExplanation, given: bool) -> bool {
    match &found.passes {
        Some(Passes { key_found: Some(keyed), .. }) => *keyed > 0,
        _ => found.explanation.prediction.key_found.unwrap_or(given),
    }
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
