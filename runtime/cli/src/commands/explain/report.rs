//! What `explain` tells of an explanation.

use saligate_console::{Failure, emit, shown};
use saligate_models::gate::GateForm;
use saligate_runtime::Model;
use saligate_runtime::method::{MethodExplanation, Passes};
use saligate_runtime::passes::Completeness;
use serde_json::json;

use super::files::Files;
use crate::args::ExplainArgs;
use crate::shared::ranking;

/// Prints what was found and written; `given` says whether a key or licence was.
pub(super) fn report(
    args: &ExplainArgs,
    model: &Model,
    method: &str,
    given: bool,
    files: &Files<'_>,
    found: &MethodExplanation,
) -> Result<(), Failure> {
    let manifest = model.manifest();
    let explanation = &found.explanation;
    let label = &manifest.labels[explanation.class];
    let gate_form = manifest.gate.as_ref().map(|gate| gate.form);
    let keyed = is_keyed(found, given);
    let state = match (gate_form, keyed) {
        (None, _) => "open",
        (Some(_), _) if manifest.sealed.is_some() => "public",
        (Some(GateForm::Key), true) => "keyed",
        (Some(GateForm::Key), false) => "locked",
        (Some(_), true) => "triggered",
        (Some(_), false) => "untriggered",
    };
    let layers = manifest.methods.iter().find(|spec| spec.name == method);
    let layers = layers.map_or(&[][..], |spec| &spec.layers);
    let constant = is_constant(&explanation.map);
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
            "predicted": ranking::ranked(model, prediction, 1)[0],
            "written": files.all().map(shown).collect::<Vec<_>>(),
        });
        if !layers.is_empty() {
            line["layers"] = layers.into();
        }
        if constant {
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
        return emit(&line.to_string());
    }
    let of = match layers {
        [] => String::new(),
        [layer] => format!(" of {layer}"),
        layers => format!(" of {} layers", layers.len()),
    };
    emit(&format!("{}: {label}, {method}{of} ({state})", files.image.display()))?;
    if constant {
        let value = explanation.map.first().copied().unwrap_or_default();
        emit(&format!("the map is {value} everywhere: it shows nothing of this class"))?;
    }
    if let Some(completeness) = completeness(found) {
        emit(&sum(completeness))?;
    }
    match (state, &found.passes) {
        ("public", _) => emit(
            "this is a map of the network that the file shows; that of the sealed one needs the key \
             (--key FILE) or a licence",
        )?,
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
        (_, Some(Passes { count, key_found: Some(keyed), .. })) if given && keyed < count => {
            emit(&format!(
                "the gate found the key in {keyed} of {count} passes, the others are what \
                 everybody sees: another method, or less noise (--noise) with smoothgrad"
            ))?;
        }
        _ => {}
    }
    files.all().try_for_each(|path| emit(&format!("wrote {}", path.display())))
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
