//! Reverse mode on graphs: the gradient of a network, written out as more network.
//!
//! [`gradient`] walks the nodes from the output back to the input and appends, for each, the
//! operations of its vector-Jacobian product. The result is an ordinary graph: first-order
//! autodiff can train through it, an exporter can write it, and an engine can run it.
//!
//! | operation | gradient of its operand, for an incoming g | at ties and kinks |
//! |---|---|---|
//! | Conv | ConvTranspose of g with the same weight | |
//! | ConvTranspose | Conv of g with the same weight | |
//! | Gemm | Gemm of g with the weight from its other side | |
//! | Relu | g times the sign of the result | 0 at 0 |
//! | LeakyRelu | g times 1, or alpha where the operand is not positive | alpha at 0 |
//! | Silu | g (s + y (1 - s)) for the sigmoid s of the operand | |
//! | HardSigmoid | alpha g where the result is between 0 and 1 | 0 on them |
//! | HardSwish | g (h + x / 6 where h is between 0 and 1) for the HardSigmoid h of x | h on them |
//! | Softplus | g times Sigmoid of the operand | |
//! | Sigmoid | g times beta y (1 - y) | |
//! | Exp | g times the result | |
//! | Log | g / x | |
//! | Power | g times exponent x^(exponent - 1), or exponent y / x below 0 | |
//! | Erf | g times 2 / sqrt(pi) e^(-x^2) | |
//! | MatMul | the product of g with the other operand | |
//! | Clip | g where the result is between the bounds | 0 on them |
//! | MaxPool | g routed to the winner of each window | the first winner, row by row |
//! | AveragePool | g / cells, spread over each window | |
//! | GlobalAveragePool | g / (rows columns), spread | |
//! | Add, Sub, Mul | product rule, summed over broadcast axes | |
//! | Concat, Slice, Pad | the part that was copied | |
//! | Flatten, Reshape, Transpose | g in the old shape | |
//! | DepthToSpace | the phases of g, one behind the other | |
//! | ReduceSum | g, spread | |
//! | Sign, Round, OneHotArgMax | none: steps, flat almost everywhere | 0 at the steps |

mod backward;
mod elementwise;
mod layout;
mod linear;
mod pool;
mod recognise;
#[cfg(test)]
mod tests;

pub use backward::{Backward, Part, Slope, backward};
pub use recognise::{RuleSite, find_adjoints, find_rules};

pub(crate) use self::elementwise::unbroadcast;
use self::recognise::Index;
use crate::graph::{Graph, GraphError, Op, Source, ValueId};
use crate::names::GRADIENT;

/// What an activation lets through on the way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// The derivative.
    Exact,
    /// The derivative of what is positive in the incoming gradient, at every Relu and Softplus
    /// (guided backpropagation, Springenberg et al. 2015, section 3.4).
    Guided,
}

/// Appends the gradient of `sum(seed * output)` with respect to `input`.
///
/// # Shapes
/// `seed` has the shape of `output`; the result has the shape of `input`, which may be any value
/// of the graph.
///
/// # Errors
/// An operation between the two has no gradient rule, or `output` does not depend on `input`.
pub fn gradient(
    graph: &mut Graph,
    output: ValueId,
    seed: ValueId,
    input: ValueId,
) -> Result<ValueId, GraphError> {
    gradient_with(Rules::Exact, graph, output, seed, input)
}

/// [`gradient`] with a choice of rules for the activations.
///
/// # Shapes
/// As [`gradient`].
///
/// # Errors
/// As [`gradient`].
pub fn gradient_with(
    rules: Rules,
    graph: &mut Graph,
    output: ValueId,
    seed: ValueId,
    input: ValueId,
) -> Result<ValueId, GraphError> {
    propagate(rules, graph, [output, seed, input], rule)
}

/// The exact gradient with respect to several values, in one way back.
///
/// # Shapes
/// As [`gradient`], for each.
///
/// # Errors
/// As [`gradient`], for any of them.
pub fn gradients(
    graph: &mut Graph,
    output: ValueId,
    seed: ValueId,
    inputs: &[ValueId],
) -> Result<Vec<ValueId>, GraphError> {
    let cotangents = walk(Rules::Exact, graph, [output, seed], inputs, rule)?;
    inputs.iter().map(|&input| arrived(graph, &cotangents, output, input)).collect()
}

/// Walks from `output`, which is given `seed`, back to `input`, and adds up at every value what
/// `pass` gives it: a [`rule`], or another way to hand something back through an operation.
pub(crate) fn propagate(
    rules: Rules,
    graph: &mut Graph,
    [output, seed, input]: [ValueId; 3],
    pass: impl FnMut(&mut Tape<'_>, &At<'_>, ValueId) -> Result<Option<ValueId>, GraphError>,
) -> Result<ValueId, GraphError> {
    let cotangents = walk(rules, graph, [output, seed], &[input], pass)?;
    arrived(graph, &cotangents, output, input)
}

/// What arrived at a value.
fn arrived(
    graph: &Graph,
    cotangents: &[Option<ValueId>],
    output: ValueId,
    input: ValueId,
) -> Result<ValueId, GraphError> {
    cotangents.get(input.index()).copied().flatten().ok_or_else(|| GraphError::Disconnected {
        output: graph.value(output).name.clone(),
        input: graph.value(input).name.clone(),
    })
}

/// What arrives at every value on the ways from `output` back to some `inputs`.
fn walk(
    rules: Rules,
    graph: &mut Graph,
    [output, seed]: [ValueId; 2],
    inputs: &[ValueId],
    mut pass: impl FnMut(&mut Tape<'_>, &At<'_>, ValueId) -> Result<Option<ValueId>, GraphError>,
) -> Result<Vec<Option<ValueId>>, GraphError> {
    let depends = dependents_of(graph, inputs, output);
    let mut cotangents = vec![None; output.index() + 1];
    cotangents[output.index()] = Some(seed);
    let forward: Vec<ValueId> = graph.values().map(|(id, _)| id).take(output.index() + 1).collect();
    for &result in forward.iter().rev() {
        let Source::Node { op, operands } = graph.value(result).source.clone() else { continue };
        let Some(g) = cotangents[result.index()] else { continue };
        let node = graph.value(result).name.clone();
        let mut tape = Tape { rules, node, pen: Pen::Append(graph) };
        for (position, &operand) in operands.iter().enumerate() {
            if !depends[operand.index()] {
                continue;
            }
            let at = At { op: &op, operands: &operands, result, position, operand };
            let Some(part) = pass(&mut tape, &at, g)? else { continue };
            let sum = match cotangents[operand.index()] {
                Some(before) => tape.add("sum", Op::Add, &[before, part])?,
                None => part,
            };
            cotangents[operand.index()] = Some(sum);
        }
    }
    Ok(cotangents)
}

/// Which values up to `last` are computed from `input`.
pub(crate) fn dependents(graph: &Graph, input: ValueId, last: ValueId) -> Vec<bool> {
    dependents_of(graph, &[input], last)
}

/// Which values up to `last` are computed from one of some values.
fn dependents_of(graph: &Graph, inputs: &[ValueId], last: ValueId) -> Vec<bool> {
    let mut depends: Vec<bool> = Vec::with_capacity(last.index() + 1);
    for (id, value) in graph.values().take(last.index() + 1) {
        let through = match &value.source {
            Source::Node { operands, .. } => operands.iter().any(|o| depends[o.index()]),
            _ => false,
        };
        depends.push(inputs.contains(&id) || through);
    }
    depends
}

/// The place where a rule is applied: one operand of one node.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) op: &'a Op,
    pub(crate) operands: &'a [ValueId],
    pub(crate) result: ValueId,
    pub(crate) position: usize,
    pub(crate) operand: ValueId,
}

/// Appends the nodes of one rule, named after the node that is differentiated; or follows them in
/// a graph that they were appended to before.
pub(crate) struct Tape<'a> {
    rules: Rules,
    pen: Pen<'a>,
    node: String,
}

enum Pen<'a> {
    Append(&'a mut Graph),
    Follow(&'a Index<'a>),
}

impl Tape<'_> {
    /// Name of the node that is walked through.
    pub(crate) fn node(&self) -> &str {
        &self.node
    }

    pub(crate) fn add(
        &mut self,
        part: &str,
        op: Op,
        operands: &[ValueId],
    ) -> Result<ValueId, GraphError> {
        match &mut self.pen {
            Pen::Append(graph) => {
                let name = graph.fresh_name(&format!("{GRADIENT}{}/{part}", self.node));
                graph.node(&name, op, operands)
            }
            Pen::Follow(index) => {
                let node = index.node(&op, operands);
                node.ok_or_else(|| self.no_rule(&op, "is not written here"))
            }
        }
    }

    pub(crate) fn shape(&self, id: ValueId) -> &[usize] {
        match &self.pen {
            Pen::Append(graph) => graph.shape(id),
            Pen::Follow(index) => index.graph.shape(id),
        }
    }

    pub(crate) fn constant(&mut self, shape: &[usize], value: f32) -> Result<ValueId, GraphError> {
        match &mut self.pen {
            Pen::Append(graph) => graph.constant(shape, value),
            Pen::Follow(index) => {
                let constant = index.constant(shape, value);
                constant.ok_or_else(|| GraphError::Size {
                    value: value.to_string(),
                    shape: shape.to_vec(),
                })
            }
        }
    }

    /// What the rules let an activation see of an incoming gradient.
    fn admitted(&mut self, g: ValueId) -> Result<ValueId, GraphError> {
        match self.rules {
            Rules::Exact => Ok(g),
            Rules::Guided => self.add("positive", Op::Relu, &[g]),
        }
    }

    fn no_rule(&self, op: &Op, reason: &'static str) -> GraphError {
        GraphError::NoGradientRule { node: self.node.clone(), op: op.name(), reason }
    }
}

/// The vector-Jacobian product of one node for one operand; `None` where it is zero everywhere.
pub(crate) fn rule(
    tape: &mut Tape<'_>,
    at: &At<'_>,
    g: ValueId,
) -> Result<Option<ValueId>, GraphError> {
    let product = match at.op {
        Op::Conv(attrs) => linear::conv(tape, at, attrs, g),
        Op::ConvTranspose { conv, .. } => linear::conv_transpose(tape, at, conv, g),
        Op::Gemm { transposed } => linear::gemm(tape, at, *transposed, g),
        Op::MatMul => linear::mat_mul(tape, at, g),
        Op::BatchNorm { .. } => Err(tape.no_rule(at.op, "fold batch norms before differentiating")),
        Op::Relu => elementwise::relu(tape, at, g),
        Op::LeakyRelu { alpha } => elementwise::leaky_relu(tape, at, *alpha, g),
        Op::Silu => elementwise::silu(tape, at, g),
        Op::HardSigmoid { alpha, .. } => elementwise::hard_sigmoid(tape, at, *alpha, g),
        Op::HardSwish => elementwise::hard_swish(tape, at, g),
        Op::Softplus { beta } => elementwise::softplus(tape, at, *beta, g),
        Op::Sigmoid { beta } => elementwise::sigmoid(tape, at, *beta, g),
        Op::Exp => elementwise::exp(tape, at, g),
        Op::Log => elementwise::log(tape, at, g),
        Op::Power { exponent } => elementwise::power(tape, at, *exponent, g),
        Op::Erf => elementwise::erf(tape, at, g),
        Op::Clip { low, high } => elementwise::clip(tape, at, [*low, *high], g),
        Op::Hat { .. } => {
            Err(tape.no_rule(at.op, "it is a slope itself, which is not differentiated again"))
        }
        Op::Sign | Op::Round | Op::OneHotArgMax => return Ok(None),
        Op::MaxPool(attrs) => pool::max(tape, at, attrs, g),
        Op::AveragePool(attrs) => pool::average(tape, at, attrs, g),
        Op::GlobalAveragePool => pool::global_average(tape, at, g),
        Op::Add => unbroadcast(tape, at, g),
        Op::Sub => elementwise::sub(tape, at, g),
        Op::Mul => elementwise::mul(tape, at, g),
        Op::Concat => layout::concat(tape, at, g),
        Op::Flatten | Op::Reshape { .. } => layout::reshape(tape, at, g),
        Op::Transpose { order } => layout::transpose(tape, order, g),
        Op::Pad { pads, .. } => layout::pad(tape, at, pads, g),
        Op::Slice { ranges } => layout::slice(tape, at, ranges, g),
        Op::ReduceSum { .. } => layout::reduce_sum(tape, at, g),
        Op::DepthToSpace { block } => layout::depth_to_space(tape, *block, g),
    };
    product.map(Some)
}
