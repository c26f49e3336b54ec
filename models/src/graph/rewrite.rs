//! One graph made from another, value by value.

use super::{Graph, GraphError, Op, Source, Value, ValueId};

/// A graph on its way to another one.
///
/// [`walk`](Self::walk) goes through the values of the old graph in computing order and asks what
/// stands for each in the new one; [`place`](Self::place) leads from an old value to the new one. What is put
/// before, between and behind the old values is up to the caller, who appends it to
/// [`graph`](Self::graph).
pub struct Rewriter<'a> {
    old: &'a Graph,
    /// The new graph. Its outputs are the caller's to set.
    pub graph: Graph,
    places: Vec<Option<ValueId>>,
}

impl<'a> Rewriter<'a> {
    /// Begins with an empty new graph.
    pub fn new(old: &'a Graph) -> Self {
        Self { old, graph: Graph::new(), places: vec![None; old.values.len()] }
    }

    /// Asks `rule` for what stands for each value of the old graph, in computing order; `None` is
    /// for values that are left out, or parameters that are copied where they are first used.
    ///
    /// # Errors
    /// The first one of the rule.
    pub fn walk<E>(
        &mut self,
        mut rule: impl FnMut(&mut Self, ValueId, &'a Value) -> Result<Option<ValueId>, E>,
    ) -> Result<(), E> {
        let old = self.old;
        for (id, value) in old.values() {
            if let Some(new) = rule(self, id, value)? {
                self.put(id, new);
            }
        }
        Ok(())
    }

    /// Lets a value of the new graph stand for one of the old.
    pub fn put(&mut self, old: ValueId, new: ValueId) {
        self.places[old.0] = Some(new);
    }

    /// What stands for a value of the old graph; a parameter that nothing stands for yet is copied.
    ///
    /// # Errors
    /// The value was left out, or the name of the parameter is taken.
    pub fn place(&mut self, id: ValueId) -> Result<ValueId, GraphError> {
        if let Some(new) = self.places[id.0] {
            return Ok(new);
        }
        let value = self.old.value(id);
        let Source::Param(_) = &value.source else {
            return Err(GraphError::UnknownValue { name: value.name.clone(), known: Vec::new() });
        };
        let new = self.copy(value)?;
        self.put(id, new);
        Ok(new)
    }

    /// [`place`](Self::place) of each of some values.
    ///
    /// # Errors
    /// As there.
    pub fn places(&mut self, ids: &[ValueId]) -> Result<Vec<ValueId>, GraphError> {
        ids.iter().map(|&id| self.place(id)).collect()
    }

    /// Appends a value of the old graph as it is, on what stands for its operands.
    ///
    /// # Errors
    /// The name is taken, or an operand was left out.
    pub fn copy(&mut self, value: &Value) -> Result<ValueId, GraphError> {
        self.copy_as(value, &value.name)
    }

    /// [`copy`](Self::copy) under another name.
    ///
    /// # Errors
    /// As there.
    pub fn copy_as(&mut self, value: &Value, name: &str) -> Result<ValueId, GraphError> {
        match &value.source {
            Source::Input => self.graph.input(name, &value.shape),
            // The old graph has checked the elements, which may be many.
            Source::Param(_) => self.graph.push(name, value.shape.clone(), value.source.clone()),
            Source::Node { op, operands } => self.node(name, op.clone(), operands),
        }
    }

    /// Appends an operation on what stands for some values of the old graph.
    ///
    /// # Errors
    /// The name is taken, an operand was left out, or the shapes do not fit the operation.
    pub fn node(
        &mut self,
        name: &str,
        op: Op,
        operands: &[ValueId],
    ) -> Result<ValueId, GraphError> {
        let operands = self.places(operands)?;
        self.graph.node(name, op, &operands)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain() -> Graph {
        let mut g = Graph::new();
        let x = g.input("x", &[1, 2]).unwrap();
        let unused = g.param("unused", &[1, 2], vec![1.0; 2]).unwrap();
        let w = g.param("w", &[1, 2], vec![0.5; 2]).unwrap();
        let y = g.node("y", Op::Mul, &[x, w]).unwrap();
        let z = g.node("z", Op::Relu, &[y]).unwrap();
        assert_ne!(unused, w);
        g.set_outputs(&[z]);
        g
    }

    fn names(graph: &Graph) -> Vec<&str> {
        graph.values().map(|(_, value)| value.name.as_str()).collect()
    }

    #[test]
    fn a_copy_is_the_graph() {
        let old = chain();
        let mut rewriter = Rewriter::new(&old);
        rewriter.walk(|new, _, value| new.copy(value).map(Some)).unwrap();
        let outputs = rewriter.places(old.outputs()).unwrap();
        let mut graph = rewriter.graph;
        graph.set_outputs(&outputs);
        assert_eq!(graph, old);
    }

    #[test]
    fn parameters_that_are_left_out_come_where_they_are_used() {
        let old = chain();
        let mut rewriter = Rewriter::new(&old);
        let walked = rewriter.walk(|new, _, value| match &value.source {
            Source::Param(_) => Ok(None),
            _ => new.copy(value).map(Some),
        });
        walked.unwrap();
        assert_eq!(names(&rewriter.graph), ["x", "w", "y", "z"]);
    }

    #[test]
    fn an_operand_that_is_left_out_is_named() {
        let old = chain();
        let mut rewriter = Rewriter::new(&old);
        let walked = rewriter.walk(|new, _, value| match value.name.as_str() {
            "y" => Ok(None),
            _ => new.copy(value).map(Some),
        });
        assert!(walked.unwrap_err().to_string().contains("'y'"));
    }
}
