//! Finds gradient rules in a graph that they were written into.
//!
//! An engine may have one operation for what a rule writes as twenty: the routing of a max pool,
//! say. To find it, the rule itself is run again, but follows the nodes that are there instead of
//! appending new ones. So there is no second description of what a rule looks like.

use std::collections::HashMap;

use super::{At, Pen, Rules, Tape, pool, rule};
use crate::graph::{Graph, GraphError, Op, Source, ValueId};

/// Where a rule is written out in a graph: the gradient of one operand of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleSite {
    /// The node that is differentiated.
    pub node: ValueId,
    /// Position of the operand it is differentiated by.
    pub position: usize,
    /// The incoming gradient, of the node's shape.
    pub incoming: ValueId,
    /// The outgoing gradient, of the operand's shape.
    pub outgoing: ValueId,
}

/// All places where the exact gradient of a node that `accepts` names is written out, in the order
/// of the nodes; of values that are computed twice, the first are named
/// ([`Graph::first_of_equals`]).
pub fn find_rules(graph: &Graph, accepts: impl Fn(&Op) -> bool) -> Vec<RuleSite> {
    find(graph, accepts, rule, |at| at.result)
}

/// All places where the transpose of a max pool's gradient is written out, as [`backward`] does:
/// from a slope of the operand's shape, `incoming`, to one of the node's, `outgoing`.
///
/// [`backward`]: super::backward()
pub fn find_adjoints(graph: &Graph) -> Vec<RuleSite> {
    let follow = |tape: &mut Tape<'_>, at: &At<'_>, incoming| match at.op {
        Op::MaxPool(attrs) => pool::max_adjoint(tape, at, attrs, incoming).map(Some),
        _ => Ok(None),
    };
    find(graph, |op| matches!(op, Op::MaxPool(_)), follow, |at| at.operand)
}

/// All places where `follow` leads from a value of the shape of `like` to another one.
fn find(
    graph: &Graph,
    accepts: impl Fn(&Op) -> bool,
    follow: impl Fn(&mut Tape<'_>, &At<'_>, ValueId) -> Result<Option<ValueId>, GraphError>,
    like: impl Fn(&At<'_>) -> ValueId,
) -> Vec<RuleSite> {
    let index = Index::new(graph);
    let mut sites = Vec::new();
    for (node, value) in graph.values() {
        let Source::Node { op, operands } = &value.source else { continue };
        if !accepts(op) || index.first[node.index()] != node {
            continue;
        }
        let operands: Vec<ValueId> = operands.iter().map(|o| index.first[o.index()]).collect();
        for (incoming, other) in graph.values().skip(node.index() + 1) {
            if index.first[incoming.index()] != incoming {
                continue;
            }
            for (position, &operand) in operands.iter().enumerate() {
                let at = At { op, operands: &operands, result: node, position, operand };
                if other.shape != graph.shape(like(&at)) {
                    continue;
                }
                let pen = Pen::Follow(&index);
                let mut tape = Tape { rules: Rules::Exact, pen, node: String::new() };
                if let Ok(Some(outgoing)) = follow(&mut tape, &at, incoming)
                    && outgoing != incoming
                {
                    sites.push(RuleSite { node, position, incoming, outgoing });
                }
            }
        }
    }
    sites
}

/// The nodes of a graph by their operands, and its constants by what they hold.
pub(super) struct Index<'a> {
    pub(super) graph: &'a Graph,
    nodes: HashMap<Vec<ValueId>, Vec<(ValueId, &'a Op)>>,
    first: Vec<ValueId>,
    constants: Vec<(ValueId, f32)>,
}

impl<'a> Index<'a> {
    fn new(graph: &'a Graph) -> Self {
        let first = graph.first_of_equals();
        let mut nodes: HashMap<Vec<ValueId>, Vec<(ValueId, &Op)>> = HashMap::new();
        let mut constants = Vec::new();
        for (id, value) in graph.values() {
            match &value.source {
                Source::Node { op, operands } if first[id.index()] == id => {
                    let operands = operands.iter().map(|o| first[o.index()]).collect();
                    nodes.entry(operands).or_default().push((id, op));
                }
                Source::Param(data) if data.iter().all(|v| *v == data[0]) => {
                    constants.push((id, data[0]));
                }
                _ => {}
            }
        }
        Self { graph, nodes, first, constants }
    }

    /// The node with this operation and these operands, each the first of its equals.
    pub(super) fn node(&self, op: &Op, operands: &[ValueId]) -> Option<ValueId> {
        let same = self.nodes.get(operands)?;
        same.iter().find(|(_, other)| *other == op).map(|(id, _)| *id)
    }

    /// The first parameter of this shape that repeats one value.
    pub(super) fn constant(&self, shape: &[usize], value: f32) -> Option<ValueId> {
        let fits = |id: ValueId, held: f32| held == value && self.graph.shape(id) == shape;
        self.constants.iter().find(|(id, held)| fits(*id, *held)).map(|(id, _)| *id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calculus::gradient;
    use crate::graph::{GraphError, PoolAttrs};

    fn written(op: Op, shape: &[usize]) -> (Graph, RuleSite) {
        let mut graph = Graph::new();
        let x = graph.input("x", shape).unwrap();
        let y = graph.node("y", op, &[x]).unwrap();
        let shape = graph.shape(y).to_vec();
        let seed = graph.input("seed", &shape).unwrap();
        let dx = gradient(&mut graph, y, seed, x).unwrap();
        (graph, RuleSite { node: y, position: 0, incoming: seed, outgoing: dx })
    }

    #[test]
    fn rules_of_many_nodes_are_found() {
        for op in [
            Op::MaxPool(PoolAttrs { kernel: [3, 3], stride: [2, 2], pads: [1, 1, 1, 1] }),
            Op::AveragePool(PoolAttrs::tiling(2)),
            Op::GlobalAveragePool,
            Op::Clip { low: 0.0, high: 6.0 },
            Op::HardSwish,
            Op::Silu,
        ] {
            let (graph, site) = written(op.clone(), &[1, 2, 8, 8]);
            assert_eq!(find_rules(&graph, |other| *other == op), [site], "{op:?}");
        }
    }

    #[test]
    fn the_parts_of_a_concatenation_are_told_apart() -> Result<(), GraphError> {
        let mut graph = Graph::new();
        let x = graph.input("x", &[1, 2, 4, 4])?;
        let a = graph.node("a", Op::Relu, &[x])?;
        let b = graph.node("b", Op::Sigmoid { beta: 1.0 }, &[x])?;
        let y = graph.node("y", Op::Concat, &[a, b])?;
        let seed = graph.input("seed", &[1, 4, 4, 4])?;
        gradient(&mut graph, y, seed, x)?;
        let sites = find_rules(&graph, |op| *op == Op::Concat);
        let parts: Vec<_> = sites.iter().map(|s| (s.position, s.incoming)).collect();
        assert_eq!(parts, [(0, seed), (1, seed)]);
        Ok(())
    }

    #[test]
    fn what_differs_in_one_node_is_not_found() {
        let op = Op::MaxPool(PoolAttrs::tiling(2));
        let (graph, _) = written(op.clone(), &[1, 2, 8, 8]);
        let changed = graph.with_ops(|other| (*other == Op::Sign).then_some(Op::Relu));
        assert_eq!(find_rules(&changed, |other| *other == op), []);
    }
}
