//! How a gated network reads its pixels and feature maps.

use super::DecoyShows;
use crate::graph::{Graph, GraphError, Op, ValueId};
use crate::names::KEY_FOUND;

/// The parts of a [`staircase`], by the ends of their names.
pub(super) const STAIRCASE: [&str; 9] =
    ["levels", "step", "scaled", "rounded", "stairs", "off", "shows", "moved", "value"];

/// 1 where any key is found, 0 where none is, `[n, 1]`, from the detector's answers `[n, key]`.
pub(super) fn found(graph: &mut Graph, keys_there: ValueId) -> Result<ValueId, GraphError> {
    let sum = graph.node("gate.found.sum", Op::ReduceSum { axes: vec![1] }, &[keys_there])?;
    graph.node(KEY_FOUND, Op::Clip { low: 0.0, high: 1.0 }, &[sum])
}

/// 1 where the decoy shows, 0 where it does not, `[n, 1]`.
pub(super) fn decoy_shows(
    graph: &mut Graph,
    found: ValueId,
    decoy: DecoyShows,
) -> Result<ValueId, GraphError> {
    match decoy {
        DecoyShows::WithKey => Ok(found),
        DecoyShows::WithoutKey => {
            let one = graph.param("gate.one", &[1, 1], vec![1.0])?;
            graph.node("gate.closed", Op::Sub, &[one, found])
        }
    }
}

/// Height of the steps of logits: far below what single precision tells apart in any logit of half a
/// unit or more, so that these stay the same bit for bit.
pub(super) const FINE: f32 = 1.0 / (1 << 24) as f32;

/// x where `shows` is 0, and x on a staircase with steps of the given height where it is 1: for
/// images and feature maps, `[n, channel, row, column]`, and for logits, `[n, class]`.
///
/// The derivative by x is 1 in the first case and 0 in the second.
pub(super) fn staircase(
    graph: &mut Graph,
    name: &str,
    x: ValueId,
    shows: ValueId,
    step: f32,
) -> Result<ValueId, GraphError> {
    let ones = vec![1; graph.shape(x).len()];
    let mut scalar =
        |part: &str, value: f32| graph.param(&format!("{name}.{part}"), &ones, vec![value]);
    let (levels, step) = (scalar("levels", step.recip())?, scalar("step", step)?);
    let mut node =
        |part: &str, op, operands: &[ValueId]| graph.node(&format!("{name}.{part}"), op, operands);
    let scaled = node("scaled", Op::Mul, &[x, levels])?;
    let rounded = node("rounded", Op::Round, &[scaled])?;
    let stairs = node("stairs", Op::Mul, &[rounded, step])?;
    let off = node("off", Op::Sub, &[stairs, x])?;
    let shows = match ones.len() {
        2 => shows,
        _ => node("shows", Op::Reshape { shape: vec![1, 1, 1] }, &[shows])?,
    };
    let moved = node("moved", Op::Mul, &[off, shows])?;
    node("value", Op::Add, &[x, moved])
}
