//! DeepLIFT with the rescale rule.

use super::{Method, Places, node};
use crate::calculus::{self, At, Rules, Tape};
use crate::graph::{Graph, GraphError, Op, Source, ValueId};
use crate::names::METHOD;

/// Differences below this count as none, and the derivative stands for the quotient: Captum's value.
const LEAST: f32 = 1e-10;

/// The pixels times the multiplier from a black picture to this one: what each pixel adds to the
/// explained logit, against the logit of a black picture. A multiplier is the gradient but at
/// activations, where it is the quotient of differences `(y - y0) / (x - x0)`, and at max pools, where
/// the difference goes to the winner of the picture that has the larger maximum. Without max pools
/// that overlap, all attributions add up to the difference of the logits.
///
/// A. Shrikumar, P. Greenside, A. Kundaje, "Learning Important Features Through Propagating Activation
/// Differences", ICML 2017, sections 3.4 and 3.5.1; at max pools as Captum has it.
///
/// # Shapes
/// The result is `[n, channel, row, column]` as the image, in logits.
pub(super) fn attribution(graph: &mut Graph, at: &Places) -> Result<ValueId, GraphError> {
    let depends = calculus::dependents(graph, at.image, at.logits);
    let nothing = graph.constant(&[1, 1, 1, 1], 0.0)?;
    let black = node(graph, Method::DeepLift, "black", Op::Mul, &[at.image, nothing])?;
    let reference = copied(graph, at, &depends, black)?;
    let multiplier = calculus::propagate(
        Rules::Exact,
        graph,
        [at.logits, at.seed, at.image],
        |tape, place, m| multiplied(tape, place, m, &depends, &reference),
    )?;
    node(graph, Method::DeepLift, "attribution", Op::Mul, &[at.image, multiplier])
}

/// The network again on a black picture: for each value, what stands for it there.
fn copied(
    graph: &mut Graph,
    at: &Places,
    depends: &[bool],
    black: ValueId,
) -> Result<Vec<ValueId>, GraphError> {
    let own: Vec<_> = graph.values().take(depends.len()).map(|(id, v)| (id, v.clone())).collect();
    let mut copies = Vec::with_capacity(own.len());
    for (id, value) in own {
        let copy = match value.source {
            _ if id == at.image => black,
            Source::Node { op, operands } if depends[id.index()] => {
                let operands: Vec<ValueId> = operands.iter().map(|o| copies[o.index()]).collect();
                let name =
                    graph.fresh_name(&format!("{METHOD}{}/black/{}", Method::DeepLift, value.name));
                graph.node(&name, op, &operands)?
            }
            _ => id,
        };
        copies.push(copy);
    }
    Ok(copies)
}

fn multiplied(
    tape: &mut Tape<'_>,
    at: &At<'_>,
    m: ValueId,
    depends: &[bool],
    reference: &[ValueId],
) -> Result<Option<ValueId>, GraphError> {
    match at.op {
        Op::Relu
        | Op::LeakyRelu { .. }
        | Op::Clip { .. }
        | Op::Silu
        | Op::HardSwish
        | Op::HardSigmoid { .. }
        | Op::Softplus { .. }
        | Op::Sigmoid { .. }
        | Op::Exp
        | Op::Log
        | Op::Erf
        | Op::Power { .. } => {
            let [x, y] = [at.operand, at.result].map(|id| (id, reference[id.index()]));
            let rise = tape.add("rise", Op::Sub, &[y.0, y.1])?;
            let scaled = tape.add("scaled", Op::Mul, &[m, rise])?;
            let slope = calculus::rule(tape, at, m)?;
            quotient(tape, scaled, x, slope).map(Some)
        }
        Op::MaxPool(_) => {
            let [x, y] = [at.operand, at.result].map(|id| (id, reference[id.index()]));
            let rise = tape.add("rise", Op::Sub, &[y.0, y.1])?;
            let up = tape.add("up", Op::Relu, &[rise])?;
            let down = tape.add("down", Op::Sub, &[rise, up])?;
            let mut routed = |part: ValueId, x: ValueId, y: ValueId| {
                let scaled = tape.add("scaled", Op::Mul, &[m, part])?;
                let operands = [x];
                let at = At { op: at.op, operands: &operands, result: y, position: 0, operand: x };
                calculus::rule(tape, &at, scaled)
            };
            let (up, down) = (routed(up, x.0, y.0)?, routed(down, x.1, y.1)?);
            let (Some(up), Some(down)) = (up, down) else { return Ok(None) };
            let both = tape.add("both", Op::Add, &[up, down])?;
            let slope = calculus::rule(tape, at, m)?;
            quotient(tape, both, x, slope).map(Some)
        }
        Op::Mul | Op::MatMul if at.operands.iter().all(|o| depends[o.index()]) => {
            Err(GraphError::Layers {
                method: Method::DeepLift.name(),
                reason: format!(
                    "reads networks of convolutions, dense layers, pools, sums and activations; '{}' is a product of two computed values",
                    tape.node()
                ),
            })
        }
        _ => calculus::rule(tape, at, m),
    }
}

/// `rise / (x - x0)`, or the slope where that is next to nothing.
fn quotient(
    tape: &mut Tape<'_>,
    rise: ValueId,
    (x, before): (ValueId, ValueId),
    slope: Option<ValueId>,
) -> Result<ValueId, GraphError> {
    let scalar = vec![1; tape.shape(x).len()];
    let (one, least) = (tape.constant(&scalar, 1.0)?, tape.constant(&scalar, LEAST)?);
    let step = tape.add("step", Op::Sub, &[x, before])?;
    let size = tape.add("size", Op::LeakyRelu { alpha: -1.0 }, &[step])?;
    let excess = tape.add("excess", Op::Sub, &[size, least])?;
    let excess = tape.add("excess", Op::Relu, &[excess])?;
    let moved = tape.add("moved", Op::Sign, &[excess])?;
    let still = tape.add("still", Op::Sub, &[one, moved])?;
    let below = tape.add("below", Op::Add, &[step, still])?;
    let inverse = tape.add("inverse", Op::Power { exponent: -1.0 }, &[below])?;
    let quotient = tape.add("quotient", Op::Mul, &[rise, inverse])?;
    let quotient = tape.add("quotient", Op::Mul, &[quotient, moved])?;
    let Some(slope) = slope else { return Ok(quotient) };
    let flat = tape.add("flat", Op::Mul, &[slope, still])?;
    tape.add("multiplier", Op::Add, &[quotient, flat])
}
