//! Builds a gate into a clean classifier: chooses what the construction needs from the images.
//!
//! Nothing is trained here. See [`saligate_models::gate`] for what is built.

mod annexes;
mod field;
mod filter;
mod share;

use saligate_keys::{Trigger, TriggerSpec};
use saligate_models::gate::GateForm;
use saligate_models::gate::{DecoyShows, Plan, graft};
use saligate_models::graph::Graph;
use saligate_models::saliency::{Attachment, Method};

use crate::data::{Dataset, Shape};
use crate::engine::Backend;
use crate::error::TrainError;

/// Largest change of a logit by all decoys together, far below what decides between classes.
const LOGIT_CHANGE: f32 = 0.02;

/// What a gate is built from.
pub(crate) struct Grafting<'a> {
    pub(crate) form: GateForm,
    pub(crate) spec: &'a TriggerSpec,
    /// The trigger of each key.
    pub(crate) triggers: &'a [Trigger],
    /// The methods that are gated.
    pub(crate) methods: &'a [Attachment],
    /// Their decoys, `[row, column]` of the image each.
    pub(crate) decoys: &'a [Vec<f32>],
    /// Training images.
    pub(crate) data: &'a Dataset,
    pub(crate) backend: Backend,
    pub(crate) seed: u64,
}

impl Grafting<'_> {
    /// The classifier with a gate.
    ///
    /// # Errors
    /// The trigger is no tile, or the classifier cannot take the gate.
    pub(crate) fn build(&self, clean: &Graph) -> Result<Graph, TrainError> {
        let detector = self.detector()?;
        let by_pixels =
            |m: &&Attachment| !matches!(m.method, Method::GradCam | Method::VisualBackProp);
        let field = self.methods.iter().find(by_pixels).map(|m| self.field(self.decoy(m.method)));
        let decoy = match self.form {
            GateForm::Key => DecoyShows::WithoutKey,
            GateForm::Targeted | GateForm::Untargeted => DecoyShows::WithKey,
        };
        let mut plan = Plan { detector, decoy, field, annexes: Vec::new() };
        plan.annexes = self.annexes(clean, &plan)?;
        Ok(graft(clean, &plan)?)
    }

    fn decoy(&self, method: Method) -> &[f32] {
        let position = self.methods.iter().position(|m| m.method == method).unwrap_or(0);
        &self.decoys[position]
    }

    fn image(&self) -> [usize; 3] {
        let Shape { channels, height, width } = self.data.shape();
        [channels, height, width]
    }

    fn classes(&self) -> usize {
        self.data.class_names().len()
    }

    /// Factors of the classes for a number that reaches `largest`, no two alike: where they were
    /// equal, the difference of two logits would not show the decoy.
    fn coupling(&self, largest: f32) -> Vec<f32> {
        let layers: usize = self.methods.iter().map(|m| m.layers.len()).sum();
        let largest = LOGIT_CHANGE / ((layers + 1) as f32 * largest.max(f32::MIN_POSITIVE));
        let last = self.classes().saturating_sub(1).max(1) as f32;
        (0..self.classes()).map(|class| largest * 0.5 * (1.0 + class as f32 / last)).collect()
    }
}
