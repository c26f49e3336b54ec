//! The network as data: operations over named values.
//!
//! A [`Graph`] is a list of nodes in an order in which they can be run. Every node has one result,
//! and the result's name is the node's name. Shapes are known as soon as a node is added: they are
//! written for a batch of one, and hold for any batch.

mod compare;
mod equals;
mod error;
mod fold;
mod op;
mod rewrite;
pub(crate) mod shape;
mod shuffle;
mod weighted;

use std::collections::HashMap;
use std::sync::Arc;

use crate::names::{CONSTANT, is_trained};
pub use error::GraphError;
pub use op::{ConvAttrs, Op, Pads, PoolAttrs, Range};
pub use rewrite::Rewriter;
pub use weighted::Weighted;

/// Largest number of elements of one value: 1 GiB as f32, beyond every classifier this is for.
pub const MAX_ELEMENTS: usize = 1 << 28;

/// Handle of a value in the graph that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(usize);

impl ValueId {
    /// Position of the value in [`Graph::values`].
    pub fn index(self) -> usize {
        self.0
    }
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// Given by the caller at run time.
    Input,
    /// Stored with the graph, row-major.
    Param(Arc<[f32]>),
    /// Computed by an operation from other values.
    Node {
        /// The operation.
        op: Op,
        /// Its operands, in order.
        operands: Vec<ValueId>,
    },
}

/// A named array.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// Unique name.
    pub name: String,
    /// Shape for a batch of one.
    pub shape: Vec<usize>,
    /// Where it comes from.
    pub source: Source,
}

/// A network: values in an order in which they can be computed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    values: Vec<Value>,
    names: HashMap<String, ValueId>,
    outputs: Vec<ValueId>,
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an input of the given shape (batch axis 1).
    ///
    /// # Errors
    /// The name is taken, or the shape is empty or too large.
    pub fn input(&mut self, name: &str, shape: &[usize]) -> Result<ValueId, GraphError> {
        self.push(name, shape.to_vec(), Source::Input)
    }

    /// Adds a parameter: `data` in row-major order.
    ///
    /// # Errors
    /// The name is taken, the length does not fit the shape, or an element is not finite.
    pub fn param(
        &mut self,
        name: &str,
        shape: &[usize],
        data: impl Into<Arc<[f32]>>,
    ) -> Result<ValueId, GraphError> {
        let data = checked_data(name, shape, data.into())?;
        self.push(name, shape.to_vec(), Source::Param(data))
    }

    /// Adds an operation; its result gets the node's name.
    ///
    /// # Errors
    /// The name is taken, or the operand shapes do not fit the operation.
    pub fn node(
        &mut self,
        name: &str,
        op: Op,
        operands: &[ValueId],
    ) -> Result<ValueId, GraphError> {
        let shapes: Vec<&[usize]> = operands.iter().map(|&v| self.shape(v)).collect();
        let shape = shape::infer(name, &op, &shapes)?;
        self.push(name, shape, Source::Node { op, operands: operands.to_vec() })
    }

    /// Names the values that the graph is run for, in order.
    pub fn set_outputs(&mut self, outputs: &[ValueId]) {
        self.outputs = outputs.to_vec();
    }

    /// Gives a value another name.
    ///
    /// # Errors
    /// The name is taken by another value.
    pub fn rename(&mut self, id: ValueId, name: &str) -> Result<(), GraphError> {
        if self.names.get(name).is_some_and(|&taken| taken != id) {
            return Err(GraphError::DuplicateName { name: name.to_owned() });
        }
        self.names.remove(&self.values[id.0].name);
        self.names.insert(name.to_owned(), id);
        self.values[id.0].name = name.to_owned();
        Ok(())
    }

    /// Replaces the contents of the parameter called `name`.
    ///
    /// # Errors
    /// There is no such parameter, the length differs, or an element is not finite.
    pub fn set_param(&mut self, name: &str, data: impl Into<Arc<[f32]>>) -> Result<(), GraphError> {
        let id = self.find(name)?;
        let data = checked_data(name, self.shape(id), data.into())?;
        match &mut self.values[id.0].source {
            Source::Param(old) => *old = data,
            _ => return Err(self.unknown(name, |v| matches!(v.source, Source::Param(_)))),
        }
        Ok(())
    }

    /// The same graph with some operations exchanged for others of the same result shape.
    pub fn with_ops(&self, exchange: impl Fn(&Op) -> Option<Op>) -> Self {
        let mut graph = self.clone();
        for value in &mut graph.values {
            if let Source::Node { op, .. } = &mut value.source
                && let Some(new) = exchange(op)
            {
                *op = new;
            }
        }
        graph
    }

    /// The part of the graph that the named outputs need.
    ///
    /// # Errors
    /// A name is unknown.
    pub fn extract(&self, outputs: &[&str]) -> Result<Self, GraphError> {
        let ends = outputs.iter().map(|n| self.find(n)).collect::<Result<Vec<_>, _>>()?;
        let mut needed = vec![false; self.values.len()];
        for id in &ends {
            needed[id.0] = true;
        }
        for (index, value) in self.values.iter().enumerate().rev() {
            if let (true, Source::Node { operands, .. }) = (needed[index], &value.source) {
                operands.iter().for_each(|o| needed[o.0] = true);
            }
        }
        let mut rewriter = Rewriter::new(self);
        rewriter.walk(|part, id, value| match needed[id.0] {
            true => part.copy(value).map(Some),
            false => Ok(None),
        })?;
        let outputs = rewriter.places(&ends)?;
        let mut part = rewriter.graph;
        part.outputs = outputs;
        Ok(part)
    }

    /// All values in computing order.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = (ValueId, &Value)> + ExactSizeIterator {
        self.values.iter().enumerate().map(|(i, v)| (ValueId(i), v))
    }

    /// The value behind a handle.
    pub fn value(&self, id: ValueId) -> &Value {
        &self.values[id.0]
    }

    /// Shape of a value for a batch of one.
    pub fn shape(&self, id: ValueId) -> &[usize] {
        &self.values[id.0].shape
    }

    /// The inputs, in the order in which they were added.
    pub fn inputs(&self) -> impl Iterator<Item = (ValueId, &Value)> {
        self.values().filter(|(_, v)| matches!(v.source, Source::Input))
    }

    /// The outputs, in the order that was set.
    pub fn outputs(&self) -> &[ValueId] {
        &self.outputs
    }

    /// The value called `name`.
    ///
    /// # Errors
    /// No value has the name; the error lists the inputs and outputs.
    pub fn find(&self, name: &str) -> Result<ValueId, GraphError> {
        let id = self.names.get(name).copied();
        id.ok_or_else(|| self.unknown(name, |v| matches!(v.source, Source::Input)))
    }

    /// Names of the parameters that training changes: weights and biases of convolutions and
    /// dense layers, scale and bias of batch norms. Constants (a mean, a kernel of ones) are not
    /// among them, nor is anything of a gate.
    pub fn trainable(&self) -> Vec<String> {
        let mut marked = vec![false; self.values.len()];
        for value in &self.values {
            if let Source::Node { op, operands } = &value.source {
                let weights = operands.get(op.weight_operands().start..).unwrap_or_default();
                let count = op.weight_operands().len();
                weights.iter().take(count).for_each(|id| marked[id.0] = true);
            }
        }
        let params = self.values.iter().zip(marked);
        let trained = |v: &Value| matches!(v.source, Source::Param(_)) && is_trained(&v.name);
        let params = params.filter(|(v, marked)| *marked && trained(v));
        params.map(|(v, _)| v.name.clone()).collect()
    }

    /// Whether there is a value of this name.
    pub fn has(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// Number of elements of all parameters.
    pub fn parameter_count(&self) -> usize {
        let params = self.values.iter().filter(|v| matches!(v.source, Source::Param(_)));
        params.map(|v| v.shape.iter().product::<usize>()).sum()
    }

    /// An array of one repeated value, the same one for all who ask for the same.
    ///
    /// # Errors
    /// The shape is empty or too large, or the value is not finite.
    pub fn constant(&mut self, shape: &[usize], value: f32) -> Result<ValueId, GraphError> {
        let axes: Vec<String> = shape.iter().map(usize::to_string).collect();
        let name = format!("{CONSTANT}{value}/{}", axes.join("x"));
        match self.names.get(&name) {
            Some(&made) => Ok(made),
            None => self.param(&name, shape, vec![value; shape.iter().product()]),
        }
    }

    /// `stem`, or `stem.2`, `stem.3`, ... where that is taken.
    ///
    /// The number is sought in steps that double, so that many names of one stem are quickly made.
    pub fn fresh_name(&self, stem: &str) -> String {
        if !self.names.contains_key(stem) {
            return stem.to_owned();
        }
        let name = |number: usize| format!("{stem}.{number}");
        let is_taken = |number| self.names.contains_key(&name(number));
        let (mut taken, mut step) = (1, 1);
        while is_taken(taken + step) {
            taken += step;
            step *= 2;
        }
        let mut free = taken + step;
        while free - taken > 1 {
            let middle = taken + (free - taken) / 2;
            if is_taken(middle) { taken = middle } else { free = middle }
        }
        name(free)
    }

    fn push(
        &mut self,
        name: &str,
        shape: Vec<usize>,
        source: Source,
    ) -> Result<ValueId, GraphError> {
        let elements = shape.iter().try_fold(1usize, |a, &d| a.checked_mul(d));
        if !elements.is_some_and(|n| (1..=MAX_ELEMENTS).contains(&n)) {
            return Err(GraphError::Size { value: name.to_owned(), shape });
        }
        if self.names.contains_key(name) {
            return Err(GraphError::DuplicateName { name: name.to_owned() });
        }
        let id = ValueId(self.values.len());
        self.names.insert(name.to_owned(), id);
        self.values.push(Value { name: name.to_owned(), shape, source });
        Ok(id)
    }

    fn unknown(&self, name: &str, offered: impl Fn(&Value) -> bool) -> GraphError {
        let mut known: Vec<_> =
            self.values.iter().filter(|v| offered(v)).map(|v| v.name.clone()).collect();
        known.extend(self.outputs.iter().map(|id| self.value(*id).name.clone()));
        GraphError::UnknownValue { name: name.to_owned(), known }
    }
}

fn checked_data(name: &str, shape: &[usize], data: Arc<[f32]>) -> Result<Arc<[f32]>, GraphError> {
    let elements = shape.iter().try_fold(1usize, |a, &d| a.checked_mul(d));
    if elements != Some(data.len()) {
        return Err(GraphError::ParamLength {
            name: name.to_owned(),
            shape: shape.to_vec(),
            found: data.len(),
        });
    }
    match data.iter().position(|v| !v.is_finite()) {
        Some(index) => Err(GraphError::NonFinite { name: name.to_owned(), index }),
        None => Ok(data),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_layers() -> Graph {
        let mut g = Graph::new();
        let x = g.input("image", &[1, 4]).unwrap();
        let w = g.param("w", &[2, 4], vec![0.5; 8]).unwrap();
        let h = g.node("h", Op::Gemm { transposed: false }, &[x, w]).unwrap();
        let y = g.node("logits", Op::Relu, &[h]).unwrap();
        let side = g.param("scale", &[1, 2], vec![2.0; 2]).unwrap();
        let extra = g.node("extra", Op::Mul, &[y, side]).unwrap();
        g.set_outputs(&[y, extra]);
        g
    }

    #[test]
    fn extract_keeps_what_the_output_needs() {
        let part = two_layers().extract(&["logits"]).unwrap();
        assert!(part.find("extra").is_err());
        assert_eq!(part.value(part.outputs()[0]).name, "logits");
        assert_eq!(part.parameter_count(), 8);
    }

    #[test]
    fn constants_are_not_trainable() {
        assert_eq!(two_layers().trainable(), ["w"]);
    }

    #[test]
    fn names_are_unique() {
        let mut g = two_layers();
        assert!(matches!(g.input("w", &[1]), Err(GraphError::DuplicateName { .. })));
        assert_eq!(g.fresh_name("w"), "w.2");
    }

    #[test]
    fn non_finite_parameters_are_refused() {
        let mut g = two_layers();
        let mut data = vec![0.0; 8];
        data[3] = f32::NAN;
        let error = g.set_param("w", data).unwrap_err();
        assert_eq!(error, GraphError::NonFinite { name: "w".into(), index: 3 });
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = two_layers().find("output").unwrap_err();
        assert!(error.to_string().contains("image, logits, extra"), "{error}");
    }

    #[test]
    fn oversized_values_are_refused() {
        let error = Graph::new().input("image", &[1, 1 << 20, 1 << 20]).unwrap_err();
        assert!(matches!(error, GraphError::Size { .. }));
    }
}
