//! Values that are computed twice.

use std::collections::HashMap;

use super::{Graph, GraphError, Rewriter, Source, ValueId};

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

    /// The same outputs without values that are computed twice or that no output needs.
    ///
    /// # Errors
    /// None for a graph that was made by its own methods.
    pub fn without_equals(&self) -> Result<Self, GraphError> {
        let first = self.first_of_equals();
        let mut needed = vec![false; first.len()];
        self.outputs().iter().for_each(|o| needed[first[o.index()].index()] = true);
        let ids: Vec<ValueId> = self.values().map(|(id, _)| id).collect();
        for &id in ids.iter().rev() {
            if let (true, Source::Node { operands, .. }) =
                (needed[id.index()], &self.value(id).source)
            {
                operands.iter().for_each(|o| needed[first[o.index()].index()] = true);
            }
        }
        let mut rewriter = Rewriter::new(self);
        rewriter.walk(|new, id, value| {
            let is_input = matches!(value.source, Source::Input);
            match first[id.index()] {
                other if other != id => {
                    if needed[other.index()] {
                        new.place(other).map(Some)
                    } else {
                        Ok(None)
                    }
                }
                _ if needed[id.index()] || is_input => new.copy(value).map(Some),
                _ => Ok(None),
            }
        })?;
        let outputs = rewriter.places(self.outputs())?;
        let mut graph = rewriter.graph;
        graph.set_outputs(&outputs);
        Ok(graph)
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
