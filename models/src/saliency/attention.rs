//! What is paid attention to: the maps of a transformer, from its last block back to its tokens.

use super::{Method, Places, node};
use crate::calculus;
use crate::graph::{Graph, GraphError, Op, Range, Source, ValueId};

/// Most tokens that stand for no patch: of the class, of a teacher, registers.
const MOST_EXTRA: usize = 8;

/// How a block's attention counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Weighing {
    /// As it is, the same for all classes.
    Rollout,
    /// By its gradient.
    Gradient,
}

/// How much of each patch arrives at the class token, or at all tokens where there is none.
///
/// - rollout: the row of that token in `(A_L + I)/2 ... (A_1 + I)/2`, where `A_l` is the mean of the
///   heads of block l (S. Abnar, W. Zuidema, "Quantifying Attention Flow in Transformers", ACL 2020,
///   section 3)
/// - by gradients: its row in `(I + B_L) ... (I + B_1)`, where `B_l` is the mean over the heads of
///   `ReLU(A_l d (seed . logits) / d A_l)` (H. Chefer, S. Gur, L. Wolf, "Generic Attention-model
///   Explainability for Interpreting Bi-Modal and Encoder-Decoder Transformers", ICCV 2021, equations
///   5 and 6)
///
/// # Shapes
/// The result is `[n, 1, row, column]`, a value for each patch.
pub(super) fn attribution(
    graph: &mut Graph,
    at: &Places,
    weighing: Weighing,
) -> Result<ValueId, GraphError> {
    let method = match weighing {
        Weighing::Rollout => Method::AttentionRollout,
        Weighing::Gradient => Method::GradientAttention,
    };
    let network = Network::read(graph, at, method)?;
    let slopes = match weighing {
        Weighing::Rollout => vec![None; network.maps.len()],
        Weighing::Gradient => {
            let maps: Vec<ValueId> = network.maps.iter().map(|map| map.shares).collect();
            let slopes = calculus::gradients(graph, at.logits, at.seed, &maps)?;
            slopes.into_iter().map(Some).collect()
        }
    };
    let mut pen = Pen { graph, method };
    let mut row: Option<ValueId> = None;
    for (map, slope) in network.maps.iter().zip(slopes).rev() {
        let mean = pen.mean_of_heads(map, slope)?;
        let own = |pen: &mut Pen<'_>, flow: ValueId| match weighing {
            Weighing::Rollout => pen.times(flow, 0.5),
            Weighing::Gradient => Ok(flow),
        };
        row = Some(match row {
            // The row of the token itself: a mean over all where there is none of its own.
            None => {
                let flow = pen.first_row(mean, &network)?;
                let flow = own(&mut pen, flow)?;
                let start = pen.start(&network)?;
                let start = own(&mut pen, start)?;
                pen.add("row", Op::Add, &[flow, start])?
            }
            Some(row) => {
                let flow = pen.add("flow", Op::MatMul, &[row, mean])?;
                let flow = own(&mut pen, flow)?;
                let kept = own(&mut pen, row)?;
                pen.add("row", Op::Add, &[flow, kept])?
            }
        });
    }
    let row = row.ok_or_else(|| none(method))?;
    let Network { tokens, extra, grid, .. } = network;
    let along = Range { start: extra, end: tokens, step: 1 };
    let ranges = [Range::whole(1), Range::whole(1), along];
    let patches = pen.add("patches", Op::Slice { ranges }, &[row])?;
    pen.add("map", Op::Reshape { shape: vec![1, grid[0], grid[1]] }, &[patches])
}

fn none(method: Method) -> GraphError {
    let reason = "finds no attention of all tokens to all others; it is for vision transformers";
    GraphError::Layers { method: method.name(), reason: reason.to_owned() }
}

/// The attention of one block.
struct Map {
    /// `[n, head, query, key]`, or `[n, head, key, query]`.
    shares: ValueId,
    /// Whether the axes are those of the second.
    exchanged: bool,
}

struct Network {
    /// From the image to the logits.
    maps: Vec<Map>,
    tokens: usize,
    /// Tokens in front of those of the patches.
    extra: usize,
    /// Rows and columns of patches.
    grid: [usize; 2],
}

impl Network {
    fn read(graph: &Graph, at: &Places, method: Method) -> Result<Self, GraphError> {
        let needed = calculus::dependents(graph, at.image, at.logits);
        let maps: Vec<Map> = graph
            .values()
            .take(needed.len())
            .filter(|(id, _)| needed[id.index()])
            .filter_map(|(id, _)| attention(graph, id))
            .collect();
        let shape = maps.first().map(|map| graph.shape(map.shares)).ok_or_else(|| none(method))?;
        // Windows of an image are told by how many there are in a block.
        if maps.iter().any(|map| graph.shape(map.shares) != shape) {
            return Err(GraphError::Layers {
                method: method.name(),
                reason: "needs blocks that all pay attention to the same tokens, without windows \
                         and without stages"
                    .to_owned(),
            });
        }
        let tokens = shape[3];
        let fits = |shape: &[usize]| match *shape {
            [_, _, rows, columns] if rows > 1 && columns > 1 => {
                let extra = tokens.checked_sub(rows * columns)?;
                (extra <= MOST_EXTRA).then_some((extra, [rows, columns]))
            }
            _ => None,
        };
        let first = maps[0].shares;
        let before = graph.values().take(first.index());
        let made = before.filter(|(id, _)| needed[id.index()] && *id != at.image);
        let (extra, grid) =
            made.filter_map(|(_, value)| fits(&value.shape)).min().ok_or_else(|| none(method))?;
        Ok(Self { maps, tokens, extra, grid })
    }
}

/// A softmax over one of two axes of the same length, behind heads: `p / sum p` for `p = e^x`.
fn attention(graph: &Graph, id: ValueId) -> Option<Map> {
    let node = |id: ValueId| match &graph.value(id).source {
        Source::Node { op, operands } => Some((op, operands.as_slice())),
        _ => None,
    };
    let (Op::Mul, &[powers, share]) = node(id)? else { return None };
    let (Op::Exp, _) = node(powers)? else { return None };
    let (Op::Power { exponent: -1.0 }, &[sum]) = node(share)? else { return None };
    let (Op::ReduceSum { axes }, &[summed]) = node(sum)? else { return None };
    let &[_, _, rows, columns] = graph.shape(id) else { return None };
    let exchanged = match axes[..] {
        [3] => false,
        [2] => true,
        _ => return None,
    };
    (summed == powers && rows == columns && rows > 1).then_some(Map { shares: id, exchanged })
}

struct Pen<'a> {
    graph: &'a mut Graph,
    method: Method,
}

impl Pen<'_> {
    fn add(&mut self, part: &str, op: Op, operands: &[ValueId]) -> Result<ValueId, GraphError> {
        node(self.graph, self.method, part, op, operands)
    }

    fn times(&mut self, value: ValueId, factor: f32) -> Result<ValueId, GraphError> {
        let factor = self.graph.constant(&[1; 4], factor)?;
        self.add("share", Op::Mul, &[value, factor])
    }

    /// `[n, 1, query, key]`
    fn mean_of_heads(&mut self, map: &Map, slope: Option<ValueId>) -> Result<ValueId, GraphError> {
        let heads = self.graph.shape(map.shares)[1];
        let counted = match slope {
            Some(slope) => {
                let weighted = self.add("weighted", Op::Mul, &[map.shares, slope])?;
                self.add("positive", Op::Relu, &[weighted])?
            }
            None => map.shares,
        };
        let sum = self.add("sum", Op::ReduceSum { axes: vec![1] }, &[counted])?;
        let mean = self.times(sum, 1.0 / heads as f32)?;
        match map.exchanged {
            true => self.add("exchanged", Op::Transpose { order: vec![1, 3, 2] }, &[mean]),
            false => Ok(mean),
        }
    }

    /// What flows to the token that is asked for: its row, or the mean of all rows.
    fn first_row(&mut self, mean: ValueId, network: &Network) -> Result<ValueId, GraphError> {
        if network.extra == 0 {
            let sum = self.add("all", Op::ReduceSum { axes: vec![2] }, &[mean])?;
            return self.times(sum, 1.0 / network.tokens as f32);
        }
        let first = Range { start: 0, end: 1, step: 1 };
        let ranges = [Range::whole(1), first, Range::whole(network.tokens)];
        self.add("first", Op::Slice { ranges }, &[mean])
    }

    /// The token that is asked for: `[1, 1, 1, token]`.
    fn start(&mut self, network: &Network) -> Result<ValueId, GraphError> {
        let tokens = network.tokens;
        if network.extra == 0 {
            return self.graph.constant(&[1, 1, 1, tokens], 1.0 / tokens as f32);
        }
        let mut row = vec![0.0; tokens];
        row[0] = 1.0;
        let name = format!("{}{}/token", crate::names::METHOD, self.method);
        self.graph.param(&name, &[1, 1, 1, tokens], row)
    }
}
