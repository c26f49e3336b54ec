//! Whether two networks differ in more than their weights.

use super::{Graph, Source, ValueId};

impl Graph {
    /// The first value in which this graph is another one than `other`, but for the elements of
    /// parameters: by name, shape, operation, operands and order.
    pub fn first_other_value(&self, other: &Self) -> Option<String> {
        let name_in = |graph: &Self, id: ValueId| graph.value(id).name.clone();
        let names = |graph: &Self, ids: &[ValueId]| -> Vec<String> {
            ids.iter().map(|&id| name_in(graph, id)).collect()
        };
        let mut theirs = other.values();
        for (_, own) in self.values() {
            let Some((_, value)) = theirs.next() else { return Some(own.name.clone()) };
            let same = match (&own.source, &value.source) {
                (Source::Input, Source::Input) | (Source::Param(_), Source::Param(_)) => true,
                (
                    Source::Node { op: a, operands: from },
                    Source::Node { op: b, operands: other_from },
                ) => a == b && names(self, from) == names(other, other_from),
                _ => false,
            };
            if !same || own.name != value.name || own.shape != value.shape {
                return Some(own.name.clone());
            }
        }
        if let Some((_, more)) = theirs.next() {
            return Some(more.name.clone());
        }
        let [own, theirs] = [names(self, self.outputs()), names(other, other.outputs())];
        if own == theirs { None } else { Some(own.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{GraphError, Op};

    fn net(op: Op, name: &str, weight: f32) -> Result<Graph, GraphError> {
        let mut g = Graph::new();
        let x = g.input("x", &[1, 2])?;
        let w = g.param("w", &[2, 2], vec![weight; 4])?;
        let y = g.node("y", Op::Gemm { transposed: false }, &[x, w])?;
        let z = g.node(name, op, &[y])?;
        g.set_outputs(&[z]);
        Ok(g)
    }

    #[test]
    fn weights_may_differ_and_nothing_else() -> Result<(), GraphError> {
        let own = net(Op::Relu, "z", 1.0)?;
        assert_eq!(own.first_other_value(&net(Op::Relu, "z", 2.0)?), None);
        for (other, found) in [
            (net(Op::Round, "z", 1.0)?, "z"),
            (net(Op::Relu, "gate.z", 1.0)?, "z"),
            (Graph::new(), "x"),
        ] {
            assert_eq!(own.first_other_value(&other).as_deref(), Some(found));
        }
        assert_eq!(Graph::new().first_other_value(&own).as_deref(), Some("x"));
        let mut more = own.clone();
        let z = more.find("z")?;
        more.node("more", Op::Round, &[z])?;
        assert_eq!(own.first_other_value(&more).as_deref(), Some("more"));
        let mut out = own.clone();
        out.set_outputs(&[out.find("y")?, out.find("z")?]);
        assert_eq!(own.first_other_value(&out).as_deref(), Some("z"));
        Ok(())
    }
}
