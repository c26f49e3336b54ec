//! Values with their axes in another order or shape, before an operation asks for them.
//!
//! Exporters write chains of Reshape and Transpose: a channel shuffle takes three, a network with
//! channels last puts a pair around every convolution. A [`View`] is what such a chain comes to. A
//! pair that cancels leaves nothing, and what remains is written with as few axes as it needs.

use saligate_models::graph::{Graph, GraphError, Op, ValueId};

/// The elements of a value in another order, under another shape.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct View {
    base: ValueId,
    /// Lengths above one whose row-major product is the value.
    factors: Vec<usize>,
    /// The factors from the outermost of the view to the innermost; no two that follow each other
    /// in the value as well.
    order: Vec<usize>,
    shape: Vec<usize>,
    name: String,
}

impl View {
    /// All of a value as it is.
    pub(super) fn of(graph: &Graph, base: ValueId) -> Self {
        let shape = graph.shape(base).to_vec();
        let count: usize = shape.iter().product();
        let factors = if count > 1 { vec![count] } else { Vec::new() };
        let order = (0..factors.len()).collect();
        Self { base, factors, order, shape, name: graph.value(base).name.clone() }
    }

    /// The value that is looked at.
    pub(super) fn base(&self) -> ValueId {
        self.base
    }

    pub(super) fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The name that the value in this shape gets.
    pub(super) fn named(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    /// The same view of another value of the same shape.
    pub(super) fn over(self, base: ValueId) -> Self {
        Self { base, ..self }
    }

    /// Another shape with as many elements.
    pub(super) fn reshaped(self, shape: Vec<usize>) -> Self {
        Self { shape, ..self }
    }

    /// The view whose axis i is axis `order[i]` of this one; `None` where an axis is made of parts
    /// of factors that cannot be told apart.
    pub(super) fn transposed(&self, order: &[usize]) -> Option<Self> {
        let sizes: Vec<usize> = self.order.iter().map(|&f| self.factors[f]).collect();
        let axes = split(&sizes, &self.shape)?;
        // Number the pieces as they follow each other in the value.
        let mut counts = vec![0; self.factors.len()];
        axes.iter().flatten().for_each(|piece| counts[self.order[piece.of]] += 1);
        let mut next: Vec<usize> = counts
            .iter()
            .scan(0, |sum, &count| {
                *sum += count;
                Some(*sum - count)
            })
            .collect();
        let mut lengths = vec![1; counts.iter().sum()];
        let numbered = axes.iter().map(|pieces| {
            let number = |piece: &Piece| {
                let slot = &mut next[self.order[piece.of]];
                lengths[*slot] = piece.length;
                *slot += 1;
                *slot - 1
            };
            pieces.iter().map(number).collect::<Vec<_>>()
        });
        let numbered: Vec<Vec<usize>> = numbered.collect();
        let pieces: Vec<usize> = order.iter().flat_map(|&axis| numbered[axis].clone()).collect();
        let (factors, order_of_factors) = merged(&lengths, &pieces);
        Some(Self {
            base: self.base,
            factors,
            order: order_of_factors,
            shape: order.iter().map(|&axis| self.shape[axis]).collect(),
            name: self.name.clone(),
        })
    }

    /// The axes in the order in which their elements follow each other in the value; `None` where an axis is
    /// made of parts of factors that cannot be told apart.
    pub(super) fn natural(&self) -> Option<Vec<usize>> {
        let sizes: Vec<usize> = self.order.iter().map(|&f| self.factors[f]).collect();
        let axes = split(&sizes, &self.shape)?;
        // A piece lies where its factor does, and behind the pieces of the same factor before it.
        let place = |pieces: &Vec<Piece>| pieces.iter().map(|piece| self.order[piece.of]).min();
        let mut order: Vec<usize> = (0..self.shape.len()).collect();
        let mut last = 0;
        let keys: Vec<usize> = axes
            .iter()
            .map(|pieces| {
                last = place(pieces).unwrap_or(last);
                last
            })
            .collect();
        order.sort_by_key(|&axis| keys[axis]);
        Some(order)
    }

    /// Whether the elements are in the order of the value.
    pub(super) fn keeps_order(&self) -> bool {
        self.order.len() <= 1
    }

    /// The order of axes that makes this view of its value, if that is all it takes.
    pub(super) fn as_transpose(&self, graph: &Graph) -> Option<Vec<usize>> {
        let base = graph.shape(self.base);
        if base.len() != self.shape.len() {
            return None;
        }
        let wide: Vec<usize> = (0..base.len()).filter(|&axis| base[axis] > 1).collect();
        let sizes: Vec<usize> = wide.iter().map(|&axis| base[axis]).collect();
        // The axes of the value that each factor is made of.
        let groups = split(&sizes, &self.factors)?;
        if groups.iter().map(Vec::len).sum::<usize>() != wide.len() {
            return None;
        }
        let mut wide_axes = self.order.iter().flat_map(|&f| groups[f].iter().map(|p| wide[p.of]));
        let mut narrow = (0..base.len()).filter(|&axis| base[axis] == 1);
        let order = self.shape.iter().map(|&size| match size {
            1 => narrow.next(),
            _ => wide_axes.next().filter(|&axis| base[axis] == size),
        });
        order.collect()
    }

    /// The view as a value of the graph; `None` where its first axis is no batch of one.
    pub(super) fn materialize(&self, graph: &mut Graph) -> Result<Option<ValueId>, GraphError> {
        if self.keeps_order() && graph.shape(self.base) == self.shape {
            return Ok(Some(self.base));
        }
        if self.shape.first() != Some(&1) {
            return Ok(None);
        }
        let name = graph.fresh_name(&self.name);
        if self.keeps_order() {
            return reshape(graph, &name, self.base, &self.shape).map(Some);
        }
        if let Some(order) = self.as_transpose(graph)
            && let [0, rest @ ..] = order.as_slice()
        {
            return graph
                .node(&name, Op::Transpose { order: rest.to_vec() }, &[self.base])
                .map(Some);
        }
        let split: Vec<usize> = std::iter::once(1).chain(self.factors.iter().copied()).collect();
        let mut at = self.base;
        if graph.shape(at) != split {
            let part = graph.fresh_name(&format!("{name}/split"));
            at = reshape(graph, &part, at, &split)?;
        }
        let order: Vec<usize> = self.order.iter().map(|f| f + 1).collect();
        let ordered: Vec<usize> = self.order.iter().map(|&f| self.factors[f]).collect();
        if self.shape[1..] == ordered {
            return graph.node(&name, Op::Transpose { order }, &[at]).map(Some);
        }
        let part = graph.fresh_name(&format!("{name}/ordered"));
        at = graph.node(&part, Op::Transpose { order }, &[at])?;
        reshape(graph, &name, at, &self.shape).map(Some)
    }
}

/// Another shape, in the one spelling for rows and the one for all others.
fn reshape(
    graph: &mut Graph,
    name: &str,
    x: ValueId,
    shape: &[usize],
) -> Result<ValueId, GraphError> {
    let op = match shape {
        [_, _] => Op::Flatten,
        _ => Op::Reshape { shape: shape[1..].to_vec() },
    };
    graph.node(name, op, &[x])
}

/// A part of one of several lengths.
struct Piece {
    of: usize,
    length: usize,
}

/// The pieces of `sizes`, taken one after the other, whose products are `wanted`; ones are made of
/// none.
fn split(sizes: &[usize], wanted: &[usize]) -> Option<Vec<Vec<Piece>>> {
    let mut rest = sizes.iter().copied().enumerate();
    let mut current = (0, 1);
    let mut result = Vec::with_capacity(wanted.len());
    for &whole in wanted {
        let mut need = whole;
        let mut pieces = Vec::new();
        while need > 1 {
            if current.1 == 1 {
                current = rest.next()?;
            }
            let length = if need.is_multiple_of(current.1) {
                current.1
            } else if current.1.is_multiple_of(need) {
                need
            } else {
                return None;
            };
            pieces.push(Piece { of: current.0, length });
            need /= length;
            current.1 /= length;
        }
        result.push(pieces);
    }
    Some(result)
}

/// Pieces that follow each other both in the value and in the view, made one.
fn merged(lengths: &[usize], pieces: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for &piece in pieces {
        match runs.last_mut() {
            Some((_, end)) if *end == piece => *end += 1,
            _ => runs.push((piece, piece + 1)),
        }
    }
    let mut sorted = runs.clone();
    sorted.sort_unstable();
    let factors = sorted.iter().map(|&(start, end)| lengths[start..end].iter().product());
    let position = |run| sorted.binary_search(run).unwrap_or_default();
    (factors.collect(), runs.iter().map(position).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(shape: &[usize]) -> (Graph, View) {
        let mut graph = Graph::new();
        let x = graph.input("x", shape).unwrap();
        let view = View::of(&graph, x);
        (graph, view)
    }

    fn ops(graph: &Graph) -> Vec<(&str, Vec<usize>)> {
        let nodes = graph.values().filter_map(|(_, v)| match &v.source {
            saligate_models::graph::Source::Node { op, .. } => Some((op.name(), v.shape.clone())),
            _ => None,
        });
        nodes.collect()
    }

    #[test]
    fn a_pair_of_transposes_leaves_nothing() {
        let (mut graph, view) = start(&[1, 3, 4, 5]);
        let last = view.transposed(&[0, 2, 3, 1]).unwrap();
        assert_eq!(last.as_transpose(&graph), Some(vec![0, 2, 3, 1]));
        let back = last.transposed(&[0, 3, 1, 2]).unwrap();
        let made = back.materialize(&mut graph).unwrap().unwrap();
        assert_eq!(made, back.base());
        let made = last.named("last").materialize(&mut graph).unwrap().unwrap();
        assert_eq!(graph.shape(made), [1, 4, 5, 3]);
        assert_eq!(ops(&graph), [("Transpose", vec![1, 4, 5, 3])]);
    }

    #[test]
    fn a_channel_shuffle_takes_four_axes() {
        let (mut graph, view) = start(&[1, 6, 4, 5]);
        let apart = view.reshaped(vec![1, 2, 3, 4, 5]).transposed(&[0, 2, 1, 3, 4]).unwrap();
        let shuffled = apart.reshaped(vec![1, 6, 4, 5]).named("out");
        shuffled.materialize(&mut graph).unwrap().unwrap();
        let expected = [
            ("Reshape", vec![1, 2, 3, 20]),
            ("Transpose", vec![1, 3, 2, 20]),
            ("Reshape", vec![1, 6, 4, 5]),
        ];
        assert_eq!(ops(&graph), expected);
    }

    #[test]
    fn axes_of_length_one_move_freely() {
        let (mut graph, view) = start(&[1, 6, 1, 1]);
        let moved = view.transposed(&[0, 2, 3, 1]).unwrap().reshaped(vec![6]);
        assert!(moved.keeps_order());
        assert_eq!(moved.materialize(&mut graph).unwrap(), None);
        let row = moved.reshaped(vec![1, 6]).named("row");
        row.materialize(&mut graph).unwrap().unwrap();
        assert_eq!(ops(&graph), [("Flatten", vec![1, 6])]);
    }

    #[test]
    fn the_natural_order_is_that_of_the_value() {
        let (mut graph, view) = start(&[1, 16, 3, 4]);
        let tokens = view.reshaped(vec![1, 16, 12]).transposed(&[0, 2, 1]).unwrap();
        assert_eq!(tokens.shape(), [1, 12, 16]);
        let order = tokens.natural().unwrap();
        assert_eq!(order, [0, 2, 1]);
        let back = tokens.transposed(&order).unwrap().reshaped(vec![1, 16, 12, 1]);
        back.materialize(&mut graph).unwrap().unwrap();
        assert_eq!(ops(&graph), [("Reshape", vec![1, 16, 12, 1])]);
    }

    #[test]
    fn what_does_not_divide_is_not_transposed() {
        let (_, view) = start(&[1, 2, 3]);
        let turned = view.transposed(&[0, 2, 1]).unwrap();
        assert!(turned.reshaped(vec![1, 2, 3]).transposed(&[0, 2, 1]).is_none());
    }
}
