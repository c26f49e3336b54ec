//! Values that are computed twice.

use std::collections::HashMap;

use super::{Graph, Source, ValueId};

impl Graph {
    /// For every value the first one that is the same operation of the same operands, or the value
    /// itself: methods that are attached to one graph repeat parts of each other.
    pub fn first_of_equals(&self) -> Vec<ValueId> {
        let mut by_operands: HashMap<Vec<ValueId>, Vec<ValueId>> = HashMap::new();
        let mut first: Vec<ValueId> = Vec::new();
        for (id, value) in self.values() {
            let Source::Node { op, operands } = &value.source else {
                first.push(id);
                continue;
            };
            let operands: Vec<ValueId> = operands.iter().map(|o| first[o.index()]).collect();
            let known = by_operands.entry(operands).or_default();
            let is_same = |other: &&ValueId| matches!(&self.value(**other).source, Source::Node { op: twin, .. } if twin == op);
            let same = known.iter().find(is_same).copied();
            if same.is_none() {
                known.push(id);
            }
            first.push(same.unwrap_or(id));
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{GraphError, Op};

    #[test]
    fn equals_of_equals_are_found() -> Result<(), GraphError> {
        let mut g = Graph::new();
        let x = g.input("x", &[1, 2])?;
        let a = g.node("a", Op::Relu, &[x])?;
        let b = g.node("b", Op::Relu, &[x])?;
        let c = g.node("c", Op::Sign, &[a])?;
        let d = g.node("d", Op::Sign, &[b])?;
        let e = g.node("e", Op::Round, &[b])?;
        assert_eq!(g.first_of_equals(), [x, a, a, c, c, e]);
        assert_ne!(c, d);
        Ok(())
    }
}
