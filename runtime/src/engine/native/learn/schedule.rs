//! In which order the steps of both phases are taken.

use std::ops::Range;

use super::super::layout::Layout;
use super::super::node::{Id, Kind, Node};
use super::super::schedule::{Schedule, is_held};
use super::super::slope::SlopeKind;

/// Weights of a matrix that is read once for all images rather than once for each.
const LARGE: usize = 1 << 16;

/// Steps of a phase.
pub(super) enum Segment {
    /// Steps that every image takes on its own.
    Own(Range<usize>),
    /// A step that all images take together.
    Joint(Id),
}

/// Which nodes read more than the value that they make.
pub(super) fn heavy(layout: &Layout) -> Vec<bool> {
    let of = |(id, node): (usize, &Node)| match &node.kind {
        Kind::Conv(linear) => {
            let [rows, columns] = match linear.side {
                Some(side) => [side + 2; 2],
                None => linear.window.kernel,
            };
            let ends = [node.inputs[0], id].map(|id| layout.maps[id]);
            let weights = rows * columns * ends[0].channels() * ends[1].channels();
            weights > ends[0].elements() + ends[1].elements()
        }
        Kind::Dense { .. } => true,
        _ => false,
    };
    layout.nodes.iter().enumerate().map(of).collect()
}

/// The order of all steps, those of the outputs first.
pub(super) fn scheduled(layout: &Layout) -> (Schedule, [Vec<Segment>; 2]) {
    let close = |mut needed: Vec<bool>| {
        for id in (0..needed.len()).rev() {
            if needed[id] {
                layout.nodes[id].operands().for_each(|o| needed[o] = true);
            }
        }
        needed
    };
    let mut needed = vec![false; layout.nodes.len()];
    layout.outputs.iter().for_each(|&o| needed[o] = true);
    let first = close(needed.clone());
    for (id, node) in layout.nodes.iter().enumerate() {
        needed[id] |= matches!(node.kind, Kind::Slope(_));
    }
    let needed = close(needed);
    let of = |wanted: &dyn Fn(Id) -> bool| -> Vec<Id> {
        let ids = 0..layout.nodes.len();
        ids.filter(|&id| needed[id] && wanted(id) && is_held(layout, id)).collect()
    };
    let own = of(&|id| first[id]);
    let back = of(&|id| !first[id]);
    let mut phases = [Vec::new(), Vec::new()];
    for (phase, ids, before) in [(0, &own, 0), (1, &back, own.len())] {
        let segments = &mut phases[phase];
        let mut start = 0;
        for (at, &id) in ids.iter().enumerate() {
            let (joins, is_ready) = match &layout.nodes[id].kind {
                Kind::Slope(part) => {
                    (true, matches!(part.kind, SlopeKind::Bias | SlopeKind::Grouped(..)))
                }
                Kind::Dense { weight, .. } => (weight.len() >= LARGE, false),
                _ => (false, false),
            };
            if joins {
                let end = at + usize::from(is_ready);
                if start < end {
                    segments.push(Segment::Own(before + start..before + end));
                }
                segments.push(Segment::Joint(id));
                start = at + 1;
            }
        }
        if start < ids.len() {
            segments.push(Segment::Own(before + start..before + ids.len()));
        }
    }
    let steps = own.into_iter().chain(back).collect();
    (Schedule::in_order(layout, layout.outputs.clone(), &needed, steps), phases)
}
