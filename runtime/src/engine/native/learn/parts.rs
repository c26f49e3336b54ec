//! Where in a network the parts of slopes are made.

use std::collections::HashMap;

use saligate_models::calculus::{Backward, Part};

use super::super::node::{Id, Kind, Node};
use super::super::operation::window;
use super::super::rewrite::{push, rewrite};
use super::super::slope::{SlopeKind, SlopePart};

/// A part of a slope, the values that it is made of, and the shape of what one image has of it.
type Waiting = (SlopePart, Vec<Id>, Vec<usize>);

/// Puts a node for every part of a slope right behind the values that it is made of.
pub(super) fn with_parts(
    nodes: Vec<Node>,
    outputs: Vec<Id>,
    way: &Backward,
    values: &[Id],
) -> (Vec<Node>, Vec<Id>) {
    let mut values = values.iter().copied();
    let mut waiting: HashMap<Id, Vec<Waiting>> = HashMap::new();
    for (weight, slope) in way.slopes.iter().enumerate() {
        for part in &slope.parts {
            let inputs: Vec<Id> = values.by_ref().take(part.values().count()).collect();
            let shape = way.graph.shape(slope.weight);
            let kind = kind_of(part, shape, way);
            let length = match kind {
                SlopeKind::Bias | SlopeKind::Grouped(..) => shape.iter().product(),
                _ => 1,
            };
            let last = inputs.iter().copied().max().expect("a part is made of values");
            let part = SlopePart { kind, weight };
            waiting.entry(last).or_default().push((part, inputs, vec![1, length]));
        }
    }
    let mut places: Vec<Id> = Vec::new();
    rewrite(nodes, outputs, |made, old, node| {
        let own = push(made, node);
        places.push(own);
        for (part, inputs, shape) in waiting.remove(&old).into_iter().flatten() {
            let inputs = inputs.into_iter().map(|id| places[id]).collect();
            push(made, Node::new(Kind::Slope(part), inputs, shape));
        }
        Some(own)
    })
}

fn kind_of(part: &Part, shape: &[usize], way: &Backward) -> SlopeKind {
    let (attrs, x) = match part {
        Part::Bias { .. } => return SlopeKind::Bias,
        Part::Gemm { .. } => return SlopeKind::Dense,
        Part::Conv { attrs, x, .. } => (attrs, way.graph.shape(*x)[1]),
    };
    let &[outputs, per_group, rows, columns] = shape else {
        unreachable!("the weight of a convolution has four axes")
    };
    let window = window(attrs, [rows, columns]);
    if attrs.groups == 1 {
        SlopeKind::Conv(window)
    } else if attrs.groups == outputs && per_group == 1 && x == outputs {
        SlopeKind::Depthwise(window, outputs)
    } else {
        SlopeKind::Grouped(*attrs, [outputs, per_group, rows, columns])
    }
}
