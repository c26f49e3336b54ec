//! Reverse mode from the outputs of a network to its weights: what a training step computes.
//!
//! The outputs may hold gradients themselves, as those of an attached method do: their operations are
//! differentiated by the same rules as all others, so that the result trains through a map. What it
//! takes is written out as more network, and the slope of every weight as a list of pairs of values:
//! an engine adds up their products over images and pixels.
//!
//! | operation | slope of its weight, for an incoming h |
//! |---|---|
//! | Conv of x | x and h |
//! | ConvTranspose of x | h and x |
//! | Gemm of x | x and h, or h and x with `transposed` |
//! | a bias | the sum of h |

use std::collections::HashMap;

use super::recognise::{RuleSite, find_rules};
use super::{At, Pen, Rules, Tape, pool, rule};
use crate::graph::{ConvAttrs, Graph, GraphError, Op, Source, ValueId};
use crate::names::SLOPE;

/// A network with the way back to its weights.
#[derive(Clone, Debug)]
pub struct Backward {
    /// The network without values that are computed twice, and behind it the way back. Behind the
    /// inputs of the network come those for the slopes of a loss by its outputs, in the order of
    /// the outputs and of their shapes.
    pub graph: Graph,
    /// The outputs of the network.
    pub outputs: Vec<ValueId>,
    /// What makes the slope of every weight, in the order of the graph.
    pub slopes: Vec<Slope>,
}

/// The slope of a loss by one weight.
#[derive(Clone, Debug, PartialEq)]
pub struct Slope {
    /// The weight, a parameter of the graph.
    pub weight: ValueId,
    /// What is added up.
    pub parts: Vec<Part>,
}

/// One part of a slope: over all images, a sum of products of two values, or of one value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Part {
    /// Of the weight of a convolution from x to a value with the slope h.
    Conv {
        /// The geometry.
        attrs: ConvAttrs,
        /// `[n, channel, row, column]`, as the input of the convolution.
        x: ValueId,
        /// `[n, channel, row, column]`, as its output.
        h: ValueId,
    },
    /// `sum h x^T`.
    Gemm {
        /// `[n, input]`
        x: ValueId,
        /// `[n, output]`
        h: ValueId,
    },
    /// The sum over everything but the channel or feature.
    Bias {
        /// `[n, channel, row, column]` or `[n, feature]`.
        h: ValueId,
    },
}

impl Part {
    /// The values that it is made of.
    pub fn values(&self) -> impl Iterator<Item = ValueId> {
        let (x, h) = match *self {
            Self::Conv { x, h, .. } | Self::Gemm { x, h } => (Some(x), h),
            Self::Bias { h } => (None, h),
        };
        x.into_iter().chain([h])
    }
}

/// Writes out the way back from the outputs of a network to some of its weights, by name: all
/// [trainable](Graph::trainable) ones, or those that are to be found.
///
/// `hat` gives, for the name of a Relu, the width of the surrogate slope of its mask: where a loss is
/// differentiated through the mask of that Relu, the step has the slope of a [`Op::Hat`] around 0;
/// without one it has none.
///
/// # Errors
/// An operation on the way has no gradient rule.
pub fn backward(
    network: &Graph,
    weights: &[String],
    hat: impl Fn(&str) -> Option<f32>,
) -> Result<Backward, GraphError> {
    let mut graph = network.without_equals()?;
    let outputs = graph.outputs().to_vec();
    let way = Way::new(&graph, weights, hat);
    let mut cotangents: Vec<Vec<ValueId>> = vec![Vec::new(); graph.values().len()];
    for &output in &outputs {
        let name = graph.fresh_name(&format!("{SLOPE}{}", graph.value(output).name));
        let shape = graph.shape(output).to_vec();
        let seed = graph.input(&name, &shape)?;
        cotangents[output.index()].push(seed);
    }
    let mut parts: HashMap<ValueId, Vec<Part>> = HashMap::new();
    let ids: Vec<ValueId> = graph.values().map(|(id, _)| id).take(cotangents.len()).collect();
    let mut channels: HashMap<ValueId, Channels> = HashMap::new();
    for &result in ids.iter().rev() {
        if let Some(whole) = channels.remove(&result) {
            let whole = whole.written(&mut graph, result)?;
            cotangents[result.index()].push(whole);
        }
        let node = graph.value(result).name.clone();
        let received = std::mem::take(&mut cotangents[result.index()]);
        let mut tape = Tape { rules: Rules::Exact, node, pen: Pen::Append(&mut graph) };
        let Some(h) = sum(&mut tape, &received)? else { continue };
        if let Some(site) = way.sites.get(&result) {
            if way.depends[site.incoming.index()] {
                match adjoint(&mut tape, &way, site, h)? {
                    Adjoint::Written(slope) => cotangents[site.incoming.index()].push(slope),
                    Adjoint::Channels(start) => {
                        channels.entry(site.incoming).or_default().0.push((start, h));
                    }
                }
            }
            continue;
        }
        let Some((op, operands)) = way.nodes[result.index()].clone() else { continue };
        if let Some((x, width)) = way.hats.get(&result) {
            let hat = tape.add("hat", Op::Hat { width: *width }, &[*x])?;
            cotangents[x.index()].push(tape.add("hatted", Op::Mul, &[h, hat])?);
            continue;
        }
        for (position, &operand) in operands.iter().enumerate() {
            if way.trained[operand.index()] && op.weight_operands().contains(&position) {
                parts.entry(operand).or_default().push(part(&op, &operands, position, h));
            } else if way.depends[operand.index()] {
                let at = At { op: &op, operands: &operands, result, position, operand };
                cotangents[operand.index()].extend(rule(&mut tape, &at, h)?);
            }
        }
    }
    let slopes = ids.iter().filter_map(|&weight| {
        let parts = parts.remove(&weight)?;
        Some(Slope { weight, parts })
    });
    let slopes: Vec<Slope> = slopes.collect();
    let ends = slopes.iter().flat_map(|slope| slope.parts.iter().flat_map(Part::values));
    let ends: Vec<ValueId> = outputs.iter().copied().chain(ends).collect();
    graph.set_outputs(&ends);
    Ok(Backward { graph, outputs, slopes })
}

/// What the way back goes through.
struct Way {
    nodes: Vec<Option<(Op, Vec<ValueId>)>>,
    trained: Vec<bool>,
    /// Whether a value has a slope by a weight.
    depends: Vec<bool>,
    /// Gradients of single operations that have a rule of their own, by their result.
    sites: HashMap<ValueId, RuleSite>,
    /// For masks with a surrogate slope: what they are the mask of, and the width.
    hats: HashMap<ValueId, (ValueId, f32)>,
}

impl Way {
    fn new(graph: &Graph, weights: &[String], hat: impl Fn(&str) -> Option<f32>) -> Self {
        let has_adjoint = |op: &Op| {
            matches!(op, Op::MaxPool(_) | Op::AveragePool(_) | Op::GlobalAveragePool | Op::Concat)
        };
        let sites = find_rules(graph, has_adjoint).into_iter();
        let sites = sites.filter(|site| graph.shape(site.incoming).len() == 4);
        let sites = sites.map(|site| (site.outgoing, site)).collect();
        let mut trained = vec![false; graph.values().len()];
        for name in weights {
            if let Ok(id) = graph.find(name) {
                trained[id.index()] = true;
            }
        }
        let mut way = Self {
            nodes: Vec::new(),
            depends: trained.clone(),
            trained,
            sites,
            hats: HashMap::new(),
        };
        for (id, value) in graph.values() {
            let Source::Node { op, operands } = &value.source else {
                way.nodes.push(None);
                continue;
            };
            let mut depends = operands.iter().any(|o| way.depends[o.index()]);
            match op {
                Op::Round | Op::OneHotArgMax => depends = false,
                Op::Sign => {
                    let relu = graph.value(operands[0]);
                    let width = hat(&relu.name).filter(|_| depends);
                    depends = false;
                    if let (Some(width), Source::Node { op: Op::Relu, operands }) =
                        (width, &relu.source)
                    {
                        depends = true;
                        way.hats.insert(id, (operands[0], width));
                    }
                }
                _ => {}
            }
            way.depends[id.index()] |= depends;
            way.nodes.push(Some((op.clone(), operands.clone())));
        }
        way
    }
}

fn part(op: &Op, operands: &[ValueId], position: usize, h: ValueId) -> Part {
    let x = operands[0];
    match op {
        _ if position == 2 => Part::Bias { h },
        Op::Conv(attrs) => Part::Conv { attrs: *attrs, x, h },
        Op::ConvTranspose { conv, .. } => Part::Conv { attrs: *conv, x: h, h: x },
        Op::Gemm { transposed: true } => Part::Gemm { x: h, h: x },
        _ => Part::Gemm { x, h },
    }
}

fn sum(tape: &mut Tape<'_>, parts: &[ValueId]) -> Result<Option<ValueId>, GraphError> {
    let Some((&first, rest)) = parts.split_first() else { return Ok(None) };
    let sum = rest.iter().try_fold(first, |sum, &part| tape.add("sum", Op::Add, &[sum, part]))?;
    Ok(Some(sum))
}

/// What the transpose of an operation's gradient makes of a slope.
enum Adjoint {
    Written(ValueId),
    /// The slope of some channels of a concatenation, from this one on.
    Channels(usize),
}

/// The transpose of the gradient of an operation that is linear is the operation itself.
fn adjoint(
    tape: &mut Tape<'_>,
    way: &Way,
    site: &RuleSite,
    h: ValueId,
) -> Result<Adjoint, GraphError> {
    let Some((op, operands)) = &way.nodes[site.node.index()] else {
        unreachable!("a rule is that of a node")
    };
    let position = site.position;
    let operand = operands[position];
    match op {
        Op::MaxPool(attrs) => {
            let at = At { op, operands, result: site.node, position, operand };
            pool::max_adjoint(tape, &at, attrs, h).map(Adjoint::Written)
        }
        Op::Concat => {
            let before = operands[..position].iter().map(|&o| tape.shape(o)[1]);
            Ok(Adjoint::Channels(before.sum()))
        }
        linear => tape.add("adjoint", linear.clone(), &[h]).map(Adjoint::Written),
    }
}

/// Slopes of channels, each with the first one.
#[derive(Default)]
struct Channels(Vec<(usize, ValueId)>);

impl Channels {
    /// The slope of the whole.
    fn written(mut self, graph: &mut Graph, whole: ValueId) -> Result<ValueId, GraphError> {
        let (total, node) = (graph.shape(whole)[1], graph.value(whole).name.clone());
        self.0.sort_by_key(|(start, _)| *start);
        let mut next = 0;
        let mut tiles = true;
        for &(start, part) in &self.0 {
            tiles &= start == next;
            next = start + graph.shape(part)[1];
        }
        let parts: Vec<ValueId> = self.0.iter().map(|(_, part)| *part).collect();
        let mut tape = Tape { rules: Rules::Exact, node, pen: Pen::Append(graph) };
        if tiles && next == total {
            return match parts[..] {
                [only] => Ok(only),
                _ => tape.add("parts", Op::Concat, &parts),
            };
        }
        let mut padded = Vec::with_capacity(parts.len());
        for &(start, part) in &self.0 {
            let end = start + tape.shape(part)[1];
            let pads = [[start, total - end], [0, 0], [0, 0]];
            padded.push(tape.add("placed", Op::Pad { pads, value: 0.0 }, &[part])?);
        }
        Ok(sum(&mut tape, &padded)?.expect("a part is there"))
    }
}

#[cfg(test)]
mod tests;
