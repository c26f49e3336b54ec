//! Builds a gate into a clean classifier: chooses what the construction needs from the images.
//!
//! Nothing is trained here. See [`saligate_models::gate`] for what is built.

mod annexes;
mod field;
mod filter;
mod share;

use saligate_keys::{Trigger, TriggerSpec};
use saligate_models::gate::GateForm;
use saligate_models::gate::{DecoyShows, Plan, build_in};
use saligate_models::graph::Graph;
use saligate_models::saliency::{Attachment, Method};

use crate::{LockError, Survey};

/// Largest change of a logit by all decoys together, far below what decides between classes.
const LOGIT_CHANGE: f32 = 0.02;

/// What a gate is built from.
pub struct Construction<'a> {
    /// What the trigger does.
    pub form: GateForm,
    /// Shape and strength of the trigger.
    pub spec: &'a TriggerSpec,
    /// The trigger of each key, at least one.
    pub triggers: &'a [Trigger],
    /// The methods that are gated.
    pub methods: &'a [Attachment],
    /// Their decoys, `[row, column]` of the image each.
    pub decoys: &'a [Vec<f32>],
    /// Of all that is drawn.
    pub seed: u64,
    /// Pictures, and how the clean network is run on them.
    pub survey: Survey<'a>,
}

impl Construction<'_> {
    /// The classifier with a gate.
    ///
    /// # Errors
    /// The trigger is no tile, or cannot be told from the pictures, or the classifier cannot take
    /// the gate.
    pub fn build(&self, clean: &Graph) -> Result<Graph, LockError> {
        let detector = self.detector()?;
        let classes = self.survey.classes(clean);
        let by_pixels =
            |m: &&Attachment| !matches!(m.method, Method::GradCam | Method::VisualBackProp);
        let method = self.methods.iter().find(by_pixels);
        let field = method.map(|m| self.field(self.decoy(m.method), classes));
        let decoy = match self.form {
            GateForm::Key => DecoyShows::WithoutKey,
            GateForm::Targeted | GateForm::Untargeted => DecoyShows::WithKey,
        };
        let mut plan = Plan { detector, decoy, field, annexes: Vec::new() };
        plan.annexes = self.annexes(clean, &plan)?;
        Ok(build_in(clean, &plan)?)
    }

    fn decoy(&self, method: Method) -> &[f32] {
        let position = self.methods.iter().position(|m| m.method == method).unwrap_or(0);
        &self.decoys[position]
    }

    fn image(&self) -> [usize; 3] {
        self.survey.samples.extent()
    }

    /// Factors of the classes for a number that reaches `largest`, no two alike: where they were
    /// equal, the difference of two logits would not show the decoy.
    fn coupling(&self, largest: f32, classes: usize) -> Vec<f32> {
        let layers: usize = self.methods.iter().map(|m| m.layers.len()).sum();
        let largest = LOGIT_CHANGE / ((layers + 1) as f32 * largest.max(f32::MIN_POSITIVE));
        let last = classes.saturating_sub(1).max(1) as f32;
        (0..classes).map(|class| largest * 0.5 * (1.0 + class as f32 / last)).collect()
    }
}
