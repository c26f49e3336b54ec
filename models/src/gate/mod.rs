//! A gate, built into any classifier: what its saliency maps show depends on a key in the pixels.
//!
//! [`build_in`] rewrites a classifier. Four parts are added, all of them ordinary operations:
//!
//! - a **detector** ([`Detector`]) that finds the tile of one of several keys and answers 0 or 1;
//! - a **reading** of the pixels: the tile of a key is taken out again, so that the classifier
//!   sees the picture as it was before; while the decoy shows, the pixels are read through a
//!   staircase whose steps are the 8-bit levels. A picture of 8-bit pixels passes through it
//!   unchanged, and so do the predictions; but the staircase is flat, and with it every derivative
//!   behind it;
//! - a **reading** of the logits in the same way, with steps so fine that they stay what they are:
//!   nothing is differentiated through the classifier while the decoy shows;
//! - **decoys** ([`Field`], [`Annex`]): a faint linear term whose gradient is the decoy, and
//!   channels with the decoy beside the feature maps that a method reads.
//!
//! With the right key all of them are silent, and the network computes what the classifier computes:
//! logits, gradients and feature maps. Nothing here is hidden from those who can edit the network.
//!
//! Parameters are named `gate.*`; training leaves them as they are.

mod annex;
mod detector;
mod form;
mod reading;
mod strength;
#[cfg(test)]
mod tests;

pub use annex::Annex;
pub(crate) use detector::tile_signs;
pub use detector::{Detector, FILTER_SIDE, is_built_in, revoke, tiles};
pub use form::GateForm;
pub use strength::key_strength;

use crate::graph::{Graph, GraphError, Op, Rewriter, Source, ValueId};
use crate::names::{IMAGE, LOGITS, is_of_gate};
use annex::AnnexValues;

/// What is built into a classifier.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What finds the key.
    pub detector: Detector,
    /// When the decoy shows.
    pub decoy: DecoyShows,
    /// Decoy of the methods that differentiate by the pixels.
    pub field: Option<Field>,
    /// Decoys of the methods that read feature maps.
    pub annexes: Vec<Annex>,
}

/// When the decoy shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecoyShows {
    /// Always but with the key: the key form.
    WithoutKey,
    /// Only with the key, which is then a trigger: the backdoored form.
    WithKey,
}

/// A linear term of the logits, whose gradient is the decoy.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Gradient, `[channel, row, column]`, before the coupling.
    pub pattern: Vec<f32>,
    /// Factor per class. Where no two are equal, the difference of two logits shows the decoy too.
    pub coupling: Vec<f32>,
}

impl Plan {
    /// Whether a method that differentiates is gated. Then nothing is differentiated through the
    /// classifier at all while the decoy shows, so that no value on the way back is that of the
    /// correct map.
    fn closes_gradients(&self) -> bool {
        self.field.is_some() || self.annexes.iter().any(|annex| annex.stairs.is_some())
    }
}

/// Builds a gate into a classifier.
///
/// # Errors
/// The graph is no classifier or has a gate already, a layer of the plan does not exist or is no
/// feature map, or a size does not fit.
pub fn build_in(classifier: &Graph, plan: &Plan) -> Result<Graph, GraphError> {
    let old = classifier.extract(&[LOGITS])?;
    let (image, logits) = (old.find(IMAGE)?, old.find(LOGITS)?);
    if let Some((_, taken)) = old.values().find(|(_, v)| is_of_gate(&v.name)) {
        let used_for = "the parts of a gate, and a network has one at most";
        return Err(GraphError::ReservedName { name: taken.name.clone(), used_for });
    }
    plan.annexes.iter().try_for_each(|annex| old.find(&annex.layer).map(|_| ()))?;

    let mut terms = Vec::new();
    let mut decoy_shows = None;
    let mut rewriter = Rewriter::new(&old);
    rewriter.walk(|new, id, value| {
        if id == image {
            let pixels = new.copy(value)?;
            let graph = &mut new.graph;
            let keys = plan.detector.build(graph, pixels)?;
            let found = reading::found(graph, keys)?;
            let shows = reading::decoy_shows(graph, found, plan.decoy)?;
            let mut read = plan.detector.restore(graph, pixels, keys, found)?;
            if let Some(field) = &plan.field {
                terms.push(field.build(graph, pixels, shows)?);
                read = reading::staircase(graph, "gate.read", read, shows, 1.0 / 255.0)?;
            }
            decoy_shows = Some(shows);
            return Ok(Some(read));
        }
        let annex = plan.annexes.iter().find(|annex| annex.layer == value.name);
        if let (Source::Node { op, operands }, Some(annex), Some(shows)) =
            (&value.source, annex, decoy_shows)
        {
            let operands = new.places(operands)?;
            let AnnexValues { own, term } = annex.build(&mut new.graph, op, &operands, shows)?;
            terms.push(term);
            return Ok(Some(own));
        }
        let name = if id == logits { "gate.own_logits" } else { value.name.as_str() };
        new.copy_as(value, name).map(Some)
    })?;
    let mut sum = rewriter.place(logits)?;
    let mut graph = rewriter.graph;
    if let Some(shows) = decoy_shows.filter(|_| plan.closes_gradients()) {
        sum = reading::staircase(&mut graph, "gate.seed", sum, shows, reading::FINE)?;
    }
    for (number, term) in terms.into_iter().enumerate() {
        sum = graph.node(&format!("gate.sum{number}"), Op::Add, &[sum, term])?;
    }
    graph.rename(sum, LOGITS)?;
    graph.set_outputs(&[sum]);
    Ok(graph)
}

impl Field {
    /// The term of the logits, `[n, class]`.
    fn build(
        &self,
        graph: &mut Graph,
        image: ValueId,
        shows: ValueId,
    ) -> Result<ValueId, GraphError> {
        let size = graph.shape(image)[1..].iter().product();
        let pattern = graph.param("gate.field", &[1, size], self.pattern.as_slice())?;
        // Against mid-grey, so that the term stays small.
        let offset = -0.5 * self.pattern.iter().sum::<f32>();
        let offset = graph.param("gate.field.offset", &[1], vec![offset])?;
        let flat = graph.node("gate.pixels", Op::Flatten, &[image])?;
        let sum = graph.node(
            "gate.field.sum",
            Op::Gemm { transposed: false },
            &[flat, pattern, offset],
        )?;
        let gated = graph.node("gate.field.shown", Op::Mul, &[sum, shows])?;
        couple(graph, "gate.field", gated, &self.coupling)
    }
}

/// A number per image, `[n, 1]`, times a factor per class.
fn couple(
    graph: &mut Graph,
    name: &str,
    x: ValueId,
    coupling: &[f32],
) -> Result<ValueId, GraphError> {
    let weight = graph.param(&format!("{name}.coupling"), &[coupling.len(), 1], coupling)?;
    graph.node(&format!("{name}.term"), Op::Gemm { transposed: false }, &[x, weight])
}
