//! Where the rows and columns of the picture are in each value of a network.
//!
//! Transformers make one axis of both, with tokens of no place in front, and put features last; what
//! reads a feature map must find its rows and columns again.

use std::collections::HashMap;

use super::{Method, node};
use crate::graph::{Graph, GraphError, Op, Range, Source, ValueId};

/// What the entries of an axis stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Axis {
    /// Features, heads, or nothing that is known.
    Other,
    Row,
    Column,
    /// Rows and columns of this many, behind some entries of no place.
    Both {
        grid: [usize; 2],
        extra: usize,
    },
}

/// The axes of all values up to the logits, the batch axis first.
pub(super) struct Sight(Vec<Vec<Axis>>);

/// How the features of a value become a map `[channel, row, column]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Arrangement {
    /// The axis of features, and those of rows and columns or of both.
    channels: usize,
    rows: usize,
    columns: usize,
    grid: [usize; 2],
    extra: Option<usize>,
}

impl Sight {
    /// Of what is computed from the image.
    pub(super) fn of(graph: &Graph, image: ValueId) -> Self {
        let mut axes: Vec<Vec<Axis>> = Vec::new();
        for (id, value) in graph.values() {
            let known = match &value.source {
                _ if id == image => vec![Axis::Other, Axis::Other, Axis::Row, Axis::Column],
                Source::Node { op, operands } => {
                    let operands: Vec<(&[Axis], &[usize])> = operands
                        .iter()
                        .map(|o| (axes[o.index()].as_slice(), graph.shape(*o)))
                        .collect();
                    result(op, &operands, &value.shape)
                }
                _ => vec![Axis::Other; value.shape.len()],
            };
            axes.push(known);
        }
        Self(axes)
    }

    /// The map that a value is, or holds; none where its rows and columns are lost.
    pub(super) fn arrangement(&self, graph: &Graph, id: ValueId) -> Option<Arrangement> {
        let (axes, shape) = (&self.0[id.index()], graph.shape(id));
        let position = |wanted: fn(&Axis) -> bool| axes.iter().position(wanted);
        let place = (
            position(|axis| *axis == Axis::Row),
            position(|axis| *axis == Axis::Column),
            position(|axis| matches!(axis, Axis::Both { .. })),
        );
        let (rows, columns, grid, extra) = match place {
            (Some(row), Some(column), None) => (row, column, [shape[row], shape[column]], None),
            (None, None, Some(both)) => {
                let Axis::Both { grid, extra } = axes[both] else { return None };
                (both, both, grid, Some(extra))
            }
            _ => return None,
        };
        let others = (1..shape.len()).filter(|axis| *axis != rows && *axis != columns);
        let mut wide = others.clone().filter(|&axis| shape[axis] > 1);
        let channels = wide.next().or_else(|| others.clone().next())?;
        let is_map = wide.next().is_none() && grid[0] * grid[1] > 1;
        is_map.then_some(Arrangement { channels, rows, columns, grid, extra })
    }
}

impl Arrangement {
    /// Tokens in front of those of the picture.
    pub(super) fn extra(&self) -> usize {
        self.extra.unwrap_or(0)
    }

    /// A value as a map: the value itself where it is one.
    ///
    /// # Shapes
    /// The result is `[n, channel, row, column]`.
    pub(super) fn map(
        &self,
        graph: &mut Graph,
        method: Method,
        value: ValueId,
    ) -> Result<ValueId, GraphError> {
        let shape = graph.shape(value).to_vec();
        if shape.len() == 4 && (self.channels, self.rows, self.columns) == (1, 2, 3) {
            return Ok(value);
        }
        let mut add = |part, op, operands: &[ValueId]| node(graph, method, part, op, operands);
        let channels = shape[self.channels];
        let mut order = vec![self.channels];
        order.extend(
            (1..shape.len())
                .filter(|axis| ![self.channels, self.rows, self.columns].contains(axis)),
        );
        order.push(self.rows);
        let Some(extra) = self.extra else {
            order.push(self.columns);
            let turned = add("arranged", Op::Transpose { order }, &[value])?;
            let shape = vec![channels, self.grid[0], self.grid[1]];
            return add("arranged", Op::Reshape { shape }, &[turned]);
        };
        let tokens = shape[self.rows];
        let turned = add("arranged", Op::Transpose { order }, &[value])?;
        let line = Op::Reshape { shape: vec![channels, 1, tokens] };
        let mut line = add("arranged", line, &[turned])?;
        if extra > 0 {
            let along = Range { start: extra, end: tokens, step: 1 };
            let ranges = [Range::whole(channels), Range::whole(1), along];
            line = add("arranged", Op::Slice { ranges }, &[line])?;
        }
        let shape = vec![channels, self.grid[0], self.grid[1]];
        add("arranged", Op::Reshape { shape }, &[line])
    }
}

/// The axes of a result.
fn result(op: &Op, operands: &[(&[Axis], &[usize])], shape: &[usize]) -> Vec<Axis> {
    let (first, from) = operands[0];
    let lost = || vec![Axis::Other; shape.len()];
    match op {
        Op::Reshape { .. } | Op::Flatten => reshaped(first, from, shape),
        Op::Transpose { order } => {
            std::iter::once(Axis::Other).chain(order.iter().map(|&axis| first[axis])).collect()
        }
        Op::Concat => {
            let longest = operands.iter().max_by_key(|(_, shape)| shape[1]);
            let (axes, own) = *longest.unwrap_or(&operands[0]);
            let mut axes = axes.to_vec();
            if let Axis::Both { grid, extra } = axes[1] {
                // What stands in front has no place; behind, nothing is known to stand.
                let is_last = operands.last().is_some_and(|(_, shape)| *shape == own);
                let more = shape[1] - own[1];
                axes[1] = match is_last {
                    true => Axis::Both { grid, extra: extra + more },
                    false => Axis::Other,
                };
            } else if axes[1] != Axis::Other {
                axes[1] = Axis::Other;
            }
            axes
        }
        Op::Slice { ranges } => {
            let along = |axis: usize| {
                let range = ranges[axis];
                let whole = (range.start, range.end, range.step) == (0, from[axis + 1], 1);
                match first[axis + 1] {
                    kept if whole => kept,
                    Axis::Both { grid, extra }
                        if range.step == 1
                            && range.start <= extra
                            && range.end == from[axis + 1] =>
                    {
                        Axis::Both { grid, extra: extra - range.start }
                    }
                    Axis::Row => Axis::Row,
                    Axis::Column => Axis::Column,
                    _ => Axis::Other,
                }
            };
            std::iter::once(Axis::Other).chain((0..3).map(along)).collect()
        }
        Op::Conv(_)
        | Op::ConvTranspose { .. }
        | Op::MaxPool(_)
        | Op::AveragePool(_)
        | Op::DepthToSpace { .. }
        | Op::Pad { .. } => {
            let along = |axis: usize| match first.get(axis) {
                Some(Axis::Both { .. }) if from[axis] != shape[axis] => Axis::Other,
                Some(&known) if axis > 1 => known,
                _ => Axis::Other,
            };
            (0..shape.len()).map(along).collect()
        }
        Op::MatMul => {
            let (second, _) = operands[1];
            vec![Axis::Other, first[1], first[2], second[3]]
        }
        Op::Gemm { .. } | Op::OneHotArgMax => lost(),
        Op::GlobalAveragePool | Op::ReduceSum { .. } => {
            let along = |(axis, known): (usize, &Axis)| match from[axis] == shape[axis] {
                true => *known,
                false => Axis::Other,
            };
            first.iter().enumerate().map(along).collect()
        }
        // Element by element, of one value or of two.
        _ => {
            let known = |axis: usize| {
                let own = operands.iter().filter(|(_, from)| from.get(axis) == shape.get(axis));
                own.filter_map(|(axes, _)| axes.get(axis).copied())
                    .find(|known| *known != Axis::Other)
                    .unwrap_or(Axis::Other)
            };
            (0..shape.len()).map(known).collect()
        }
    }
}

/// Axes under another shape: groups of them with as many elements stay what they are together.
fn reshaped(axes: &[Axis], from: &[usize], to: &[usize]) -> Vec<Axis> {
    let wide = |shape: &[usize]| -> Vec<usize> {
        (1..shape.len()).filter(|&axis| shape[axis] > 1).collect()
    };
    let (old, new) = (wide(from), wide(to));
    let mut found: HashMap<usize, Axis> = HashMap::new();
    let (mut i, mut j) = (0, 0);
    while i < old.len() && j < new.len() {
        let (start, first) = (i, j);
        let (mut left, mut right) = (from[old[i]], to[new[j]]);
        (i, j) = (i + 1, j + 1);
        while left != right {
            if left < right && i < old.len() {
                left *= from[old[i]];
                i += 1;
            } else if left > right && j < new.len() {
                right *= to[new[j]];
                j += 1;
            } else {
                return vec![Axis::Other; to.len()];
            }
        }
        let group: Vec<Axis> = old[start..i].iter().map(|&axis| axes[axis]).collect();
        let sizes: Vec<usize> = old[start..i].iter().map(|&axis| from[axis]).collect();
        let made: Vec<usize> = new[first..j].iter().map(|&axis| to[axis]).collect();
        let kept = match (&group[..], &made[..]) {
            ([known], [_]) => vec![*known],
            ([Axis::Row, Axis::Column], [_]) => {
                vec![Axis::Both { grid: [sizes[0], sizes[1]], extra: 0 }]
            }
            ([Axis::Both { grid, extra: 0 }], made) if *made == grid[..] => {
                vec![Axis::Row, Axis::Column]
            }
            _ => continue,
        };
        new[first..j].iter().zip(kept).for_each(|(&axis, known)| {
            found.insert(axis, known);
        });
    }
    (0..to.len()).map(|axis| found.get(&axis).copied().unwrap_or(Axis::Other)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: [usize; 4] = [1, 8, 3, 5];

    fn grid(extra: usize) -> Axis {
        Axis::Both { grid: [3, 5], extra }
    }

    #[test]
    fn rows_and_columns_are_found_again_behind_other_shapes() {
        use Axis::{Column, Other, Row};
        let map = [Other, Other, Row, Column];
        let tokens = reshaped(&map, &ROWS, &[1, 8, 15]);
        assert_eq!(tokens, [Other, Other, grid(0)]);
        assert_eq!(reshaped(&tokens, &[1, 8, 15], &[1, 1, 8, 15]), [Other, Other, Other, grid(0)]);
        assert_eq!(reshaped(&tokens, &[1, 8, 15], &ROWS), map);
        // Features may be divided into heads, but not mixed with places.
        assert_eq!(reshaped(&map, &ROWS, &[1, 2, 4, 15]), [Other, Other, Other, grid(0)]);
        assert_eq!(reshaped(&map, &ROWS, &[1, 24, 5]), [Other, Other, Column]);
        assert_eq!(reshaped(&map, &ROWS, &[1, 120]), [Other, Other]);
        // Not a grid of others.
        assert_eq!(reshaped(&tokens, &[1, 8, 15], &[1, 8, 5, 3]), [Other; 4]);
    }

    #[test]
    fn a_token_in_front_has_no_place() {
        let tokens = [Axis::Other, grid(0), Axis::Other];
        let class = [Axis::Other; 3];
        let operands: [(&[Axis], &[usize]); 2] = [(&class, &[1, 1, 8]), (&tokens, &[1, 15, 8])];
        let all = result(&Op::Concat, &operands, &[1, 16, 8]);
        assert_eq!(all, [Axis::Other, grid(1), Axis::Other]);
        let turned = [operands[1], operands[0]];
        assert_eq!(result(&Op::Concat, &turned, &[1, 16, 8]), [Axis::Other; 3]);
        let ranges = [Range { start: 1, end: 16, step: 1 }, Range::whole(1), Range::whole(8)];
        let four = [Axis::Other, grid(1), Axis::Other, Axis::Other];
        let cut = result(&Op::Slice { ranges }, &[(&four, &[1, 16, 1, 8])], &[1, 15, 1, 8]);
        assert_eq!(cut[1], grid(0));
    }

    #[test]
    fn features_of_tokens_become_maps() {
        let mut graph = Graph::new();
        let image = graph.input("image", &[1, 2, 3, 5]).unwrap();
        let shape = vec![2, 15];
        let flat = graph.node("flat", Op::Reshape { shape }, &[image]).unwrap();
        let order = vec![2, 1];
        let tokens = graph.node("tokens", Op::Transpose { order }, &[flat]).unwrap();
        let sight = Sight::of(&graph, image);
        let found = sight.arrangement(&graph, tokens).unwrap();
        assert_eq!((found.channels, found.extra), (2, Some(0)));
        let map = found.map(&mut graph, Method::Activation, tokens).unwrap();
        assert_eq!(graph.shape(map), [1, 2, 3, 5]);
        graph.set_outputs(&[map]);
        let pixels = ndarray::ArrayD::from_shape_fn(vec![1, 2, 3, 5], |i| {
            (i[1] * 15 + i[2] * 5 + i[3]) as f64
        });
        assert_eq!(
            crate::reference::run(&graph, std::slice::from_ref(&pixels)).unwrap()[0],
            pixels
        );
    }
}
