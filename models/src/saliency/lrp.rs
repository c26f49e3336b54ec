//! Layer-wise relevance propagation.

use super::{Method, Places, node};
use crate::calculus::{self, At, Rules, Tape};
use crate::graph::{Graph, GraphError, Op, Source, ValueId};
use crate::names::METHOD;

/// Keeps denominators away from 0, with their own sign: zennit's default.
const EPSILON: f32 = 1e-6;

/// Which rule a weighted layer follows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Composite {
    /// The epsilon rule everywhere.
    Epsilon,
    /// Flat in the first layer, z-plus in the other convolutions, epsilon in dense layers: what
    /// zennit calls EpsilonPlusFlat.
    EpsilonPlusFlat,
}

/// Relevance of the pixels: the explained logit, handed back layer by layer to what it was made of,
/// in proportion to the parts.
///
/// - epsilon: `R_i = x_i sum_j w_ij R_j / (z_j + e sign z_j)`, where z is the layer's result with its bias
/// - z-plus: the same of positive products and a positive bias only
/// - flat: in equal shares
///
/// Activations and what is done to the pixels before the first layer hand on what they get, a max pool
/// to its winner; means and sums of values follow epsilon.
///
/// S. Bach et al., "On Pixel-Wise Explanations for Non-Linear Classifier Decisions by Layer-Wise
/// Relevance Propagation", PLOS ONE 10(7), 2015, equations 56 and 58; which rule where: G. Montavon,
/// A. Binder, S. Lapuschkin, W. Samek, K.-R. Mueller, "Layer-Wise Relevance Propagation: An Overview",
/// 2019, section 10.3; the flat rule: S. Lapuschkin et al., Nature Communications 10, 2019.
///
/// # Shapes
/// The result is `[n, channel, row, column]` as the image; relevances are in logits.
pub(super) fn attribution(
    graph: &mut Graph,
    at: &Places,
    composite: Composite,
) -> Result<ValueId, GraphError> {
    let method = match composite {
        Composite::Epsilon => Method::LrpEpsilon,
        Composite::EpsilonPlusFlat => Method::LrpComposite,
    };
    let relevance = node(graph, method, "relevance", Op::Mul, &[at.logits, at.seed])?;
    let network = Network::new(graph, at, method);
    let positive = match composite {
        Composite::Epsilon => Vec::new(),
        Composite::EpsilonPlusFlat => positive_weights(graph, &network)?,
    };
    let mut shares: Vec<Option<Shares>> = vec![None; graph.values().len()];
    calculus::propagate(Rules::Exact, graph, [at.logits, relevance, at.image], |tape, place, r| {
        let share = &mut shares[place.result.index()];
        let part = Part { network: &network, positive: &positive, composite };
        part.hand_on(tape, place, r, share).map(Some)
    })
}

/// What is known of the network before anything is appended.
struct Network {
    method: Method,
    /// Which values depend on the pixels.
    depends: Vec<bool>,
    /// Which values were made by at least one weighted layer of the pixels.
    weighted: Vec<bool>,
    /// Which values are never negative.
    positive: Vec<bool>,
}

impl Network {
    fn new(graph: &Graph, at: &Places, method: Method) -> Self {
        let depends = calculus::dependents(graph, at.image, at.logits);
        let mut weighted: Vec<bool> = Vec::with_capacity(depends.len());
        let mut positive: Vec<bool> = Vec::with_capacity(depends.len());
        for (id, value) in graph.values().take(depends.len()) {
            let (made, never_negative) = match &value.source {
                Source::Node { op, operands } => {
                    let before = operands.iter().any(|o| weighted[o.index()]);
                    let all = operands.iter().all(|o| positive[o.index()]);
                    let moved = keeps_signs(op) && all;
                    (before || is_weighted(op) && depends[id.index()], makes_positive(op) || moved)
                }
                Source::Param(data) => (false, data.iter().all(|&v| v >= 0.0)),
                // Pixels are 0 to 1.
                Source::Input => (false, id == at.image),
            };
            weighted.push(made);
            positive.push(never_negative);
        }
        Self { method, depends, weighted, positive }
    }

    /// Whether nothing weighted lies before a layer.
    fn is_first(&self, operand: ValueId) -> bool {
        !self.weighted[operand.index()]
    }

    fn refused(&self, tape: &Tape<'_>, what: &str) -> GraphError {
        GraphError::Layers {
            method: self.method.name(),
            reason: format!(
                "reads networks of convolutions, dense layers, pools, sums and activations; '{}' is {what}",
                tape.node()
            ),
        }
    }
}

fn is_weighted(op: &Op) -> bool {
    matches!(op, Op::Conv(_) | Op::ConvTranspose { .. } | Op::Gemm { .. })
}

fn makes_positive(op: &Op) -> bool {
    match op {
        Op::Relu | Op::Sigmoid { .. } | Op::HardSigmoid { .. } | Op::Softplus { .. } => true,
        Op::Clip { low, .. } => *low >= 0.0,
        _ => false,
    }
}

/// Operations that give nothing negative of what is not.
fn keeps_signs(op: &Op) -> bool {
    match op {
        Op::Pad { value, .. } => *value >= 0.0,
        Op::MaxPool(_)
        | Op::AveragePool(_)
        | Op::GlobalAveragePool
        | Op::Add
        | Op::Mul
        | Op::Concat
        | Op::Flatten
        | Op::Reshape { .. }
        | Op::Transpose { .. }
        | Op::Slice { .. }
        | Op::DepthToSpace { .. }
        | Op::ReduceSum { .. } => true,
        _ => false,
    }
}

/// The part of a layer's weights and bias that the z-plus rule reads, as parameters of the method.
#[derive(Clone, Copy)]
struct Positive {
    weight: ValueId,
    bias: Option<ValueId>,
    /// The weights below zero, where the layer reads values below zero.
    negative: Option<ValueId>,
}

/// For every convolution behind the first layer, by its result.
fn positive_weights(
    graph: &mut Graph,
    network: &Network,
) -> Result<Vec<Option<Positive>>, GraphError> {
    let count = network.depends.len();
    let convolutions: Vec<(usize, Vec<ValueId>)> = graph
        .values()
        .take(count)
        .filter_map(|(id, value)| match &value.source {
            Source::Node { op: Op::Conv(_) | Op::ConvTranspose { .. }, operands } => {
                let own = network.depends[id.index()] && !network.is_first(operands[0]);
                own.then(|| (id.index(), operands.clone()))
            }
            _ => None,
        })
        .collect();
    let mut found = vec![None; count];
    for (index, operands) in convolutions {
        let mut part = |id: ValueId, name: &str, keep: fn(f32) -> f32| {
            let Source::Param(data) = graph.value(id).source.clone() else {
                return Err(GraphError::Layers {
                    method: network.method.name(),
                    reason: format!("needs constant weights, not '{}'", graph.value(id).name),
                });
            };
            let stem = format!("{METHOD}{}/{name}/{}", network.method, graph.value(id).name);
            let shape = graph.shape(id).to_vec();
            if let Ok(known) = graph.find(&stem) {
                return Ok(known);
            }
            graph.param(&stem, &shape, data.iter().map(|&v| keep(v)).collect::<Vec<f32>>())
        };
        let weight = part(operands[1], "positive", |v| v.max(0.0))?;
        let bias = operands.get(2).map(|&b| part(b, "positive", |v| v.max(0.0))).transpose()?;
        let below = !network.positive[operands[0].index()];
        let negative = below.then(|| part(operands[1], "negative", |v| v.min(0.0))).transpose()?;
        found[index] = Some(Positive { weight, bias, negative });
    }
    Ok(found)
}

/// Relevance over a layer's result, once for all operands of the layer.
#[derive(Clone, Copy)]
struct Shares(ValueId);

struct Part<'a> {
    network: &'a Network,
    positive: &'a [Option<Positive>],
    composite: Composite,
}

impl Part<'_> {
    /// The relevance of an operand, of the relevance r of its node.
    fn hand_on(
        &self,
        tape: &mut Tape<'_>,
        at: &At<'_>,
        r: ValueId,
        shares: &mut Option<Shares>,
    ) -> Result<ValueId, GraphError> {
        let others = at.operands.iter().enumerate().filter(|(other, _)| *other != at.position);
        let alone = others.clone().all(|(_, o)| !self.network.depends[o.index()]);
        match at.op {
            Op::Relu
            | Op::LeakyRelu { .. }
            | Op::Clip { .. }
            | Op::Softplus { .. }
            | Op::Silu
            | Op::HardSwish => Ok(r),
            Op::BatchNorm { .. } if at.position == 0 => Ok(r),
            Op::Add | Op::Sub | Op::Mul if alone => self.through(tape, at, r),
            Op::MaxPool(_)
            | Op::Concat
            | Op::Flatten
            | Op::Reshape { .. }
            | Op::Transpose { .. }
            | Op::Pad { .. }
            | Op::Slice { .. }
            | Op::DepthToSpace { .. } => self.copied(tape, at, r),
            Op::Conv(_) | Op::ConvTranspose { .. } | Op::Gemm { .. } if alone => {
                match self.composite {
                    Composite::EpsilonPlusFlat if self.network.is_first(at.operand) => {
                        self.flat(tape, at, r)
                    }
                    Composite::EpsilonPlusFlat => match self.positive[at.result.index()] {
                        Some(weights) => self.z_plus(tape, at, r, weights),
                        None => self.epsilon(tape, at, r, shares),
                    },
                    Composite::Epsilon => self.epsilon(tape, at, r, shares),
                }
            }
            Op::AveragePool(_)
            | Op::GlobalAveragePool
            | Op::ReduceSum { .. }
            | Op::Add
            | Op::Sub => self.epsilon(tape, at, r, shares),
            Op::Mul | Op::MatMul => {
                Err(self.network.refused(tape, "a product of two computed values"))
            }
            op => Err(self.network.refused(tape, &format!("none of these ({})", op.name()))),
        }
    }

    /// The relevance itself, where a constant is added to or multiplied with the operand.
    fn through(&self, tape: &mut Tape<'_>, at: &At<'_>, r: ValueId) -> Result<ValueId, GraphError> {
        if tape.shape(at.operand) == tape.shape(r) {
            return Ok(r);
        }
        calculus::unbroadcast(tape, at, r)
    }

    fn copied(&self, tape: &mut Tape<'_>, at: &At<'_>, r: ValueId) -> Result<ValueId, GraphError> {
        match calculus::rule(tape, at, r)? {
            Some(moved) => Ok(moved),
            None => Err(self.network.refused(tape, "a step")),
        }
    }

    fn epsilon(
        &self,
        tape: &mut Tape<'_>,
        at: &At<'_>,
        r: ValueId,
        shares: &mut Option<Shares>,
    ) -> Result<ValueId, GraphError> {
        let share = match *shares {
            Some(Shares(share)) => share,
            None => {
                let share = over(tape, r, at.result)?;
                shares.insert(Shares(share)).0
            }
        };
        let back = self.copied(tape, at, share)?;
        tape.add("relevance", Op::Mul, &[at.operand, back])
    }

    fn z_plus(
        &self,
        tape: &mut Tape<'_>,
        at: &At<'_>,
        r: ValueId,
        weights: Positive,
    ) -> Result<ValueId, GraphError> {
        let Positive { weight, bias, negative } = weights;
        let again = |tape: &mut Tape<'_>, x: ValueId, weight: ValueId, bias: Option<ValueId>| {
            let operands: Vec<ValueId> = [x, weight].into_iter().chain(bias).collect();
            tape.add("positive", at.op.clone(), &operands)
        };
        let back = |tape: &mut Tape<'_>, x: ValueId, weight: ValueId, share: ValueId| {
            let operands = [x, weight];
            let at = At { op: at.op, operands: &operands, operand: x, ..*at };
            let back = self.copied(tape, &at, share)?;
            tape.add("relevance", Op::Mul, &[x, back])
        };
        let Some(negative) = negative else {
            let z = again(tape, at.operand, weight, bias)?;
            let share = over(tape, r, z)?;
            return back(tape, at.operand, weight, share);
        };
        let above = tape.add("above", Op::Relu, &[at.operand])?;
        let below = tape.add("below", Op::Sub, &[at.operand, above])?;
        let z = again(tape, above, weight, bias)?;
        let more = again(tape, below, negative, None)?;
        let z = tape.add("positive", Op::Add, &[z, more])?;
        let share = over(tape, r, z)?;
        let above = back(tape, above, weight, share)?;
        let below = back(tape, below, negative, share)?;
        tape.add("relevance", Op::Add, &[above, below])
    }

    /// Each result's relevance in equal shares to all values that it reads.
    fn flat(&self, tape: &mut Tape<'_>, at: &At<'_>, r: ValueId) -> Result<ValueId, GraphError> {
        let shape = tape.shape(at.operands[1]).to_vec();
        let ones = tape.constant(&shape, 1.0)?;
        let one = tape.constant(&vec![1; tape.shape(at.operand).len()], 1.0)?;
        let nothing = tape.constant(&vec![1; tape.shape(at.operand).len()], 0.0)?;
        let zeros = tape.add("zeros", Op::Mul, &[at.operand, nothing])?;
        let all = tape.add("ones", Op::Add, &[zeros, one])?;
        let operands = [all, ones];
        let count = tape.add("count", at.op.clone(), &operands)?;
        let share = over(tape, r, count)?;
        let at = At { op: at.op, operands: &operands, operand: all, ..*at };
        self.copied(tape, &at, share)
    }
}

/// `r / (z + e sign z)`, where the sign of 0 is 1.
fn over(tape: &mut Tape<'_>, r: ValueId, z: ValueId) -> Result<ValueId, GraphError> {
    let scalar = vec![1; tape.shape(z).len()];
    let half = tape.constant(&scalar, 0.5)?;
    let epsilon = tape.constant(&scalar, EPSILON)?;
    let sign = tape.add("sign", Op::Sign, &[z])?;
    let sign = tape.add("sign", Op::Add, &[sign, half])?;
    let sign = tape.add("sign", Op::Sign, &[sign])?;
    let small = tape.add("small", Op::Mul, &[sign, epsilon])?;
    let below = tape.add("below", Op::Add, &[z, small])?;
    let inverse = tape.add("inverse", Op::Power { exponent: -1.0 }, &[below])?;
    tape.add("share", Op::Mul, &[r, inverse])
}
