//! What `explain` tells of an explanation.

use saligate_models::gate::GateForm;
use saligate_runtime::passes::{Completeness, PassExplanation};
use saligate_runtime::{Explanation, Model};
use serde_json::json;

use super::files::Files;
use crate::args::ExplainArgs;
use crate::error::CliError;
use crate::{emit, predict, shown};

/// An explanation, and what is told of it.
pub(crate) struct Found {
    pub(super) explanation: Explanation,
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

    /// Whether the gate found a key, in one of the passes at least where there are many. Where the
    /// model does not tell, a key that was given is taken for found.
    fn is_keyed(&self, given: bool) -> bool {
        match &self.passes {
            Some(Passes { key_found: Some(found), .. }) => *found > 0,
            _ => self.explanation.prediction.key_found.unwrap_or(given),
        }
    }

    /// Prints what was found and written; `given` says whether a key or licence was.
    pub(super) fn report(
        &self,
        args: &ExplainArgs,
        model: &Model,
        method: &str,
        given: bool,
        files: &Files<'_>,
    ) -> Result<(), CliError> {
        let manifest = model.manifest();
        let explanation = &self.explanation;
        let label = &manifest.labels[explanation.class];
        let gate_form = manifest.gate.as_ref().map(|gate| gate.form);
        let keyed = self.is_keyed(given);
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
            if let Some(Passes { all, key_found, .. }) = &self.passes {
                line["passes"] = (*all).into();
                line["passes_key_found"] = (*key_found).into();
            }
            if let Some(completeness) = self.completeness() {
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
        if let Some(completeness) = self.completeness() {
            emit(&sum(completeness))?;
        }
        match (state, &self.passes) {
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
            (_, Some(Passes { all, key_found: Some(found), .. })) if given && found < all => {
                emit(&format!(
                    "the gate found the key in {found} of {all} passes, the others are what \
                     everybody sees: another method, or less noise (--noise) with smoothgrad"
                ))?;
            }
            _ => {}
        }
        files.all().try_for_each(|path| emit(&format!("wrote {}", path.display())))
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
