//! A graph under construction, as the operations of a file ask for it.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::constant::{Budget, Constant, Data, elements, padded_shape};
use super::super::node::{Node, Operand};
use super::super::view::View;
use super::super::{OPSET, OnnxError};
use super::ops;
use saligate_models::graph::{Graph, GraphError, Op, ValueId};
use saligate_models::names::{OWN, is_constant};

/// Longest name that is kept, in bytes.
const MAX_NAME: usize = 256;

/// How a file becomes a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Mode {
    /// Node by node, under the names of the file: for what this library wrote.
    AsWritten,
    /// As the network means it: constants computed, layouts settled, weights turned the usual way.
    Simplified,
}

/// What a parameter is made of: the place of stored elements, what was done to them, and the shape.
/// Names do not tell parameters apart, since those of a file may look like derived ones.
type ParamKey = (*const f32, String, Vec<usize>);

/// A graph under construction.
pub(in super::super) struct Builder {
    pub(super) graph: Graph,
    pub(super) mode: Mode,
    pub(super) budget: Budget,
    /// The batch that the file fixes, which becomes one.
    pub(super) batch: usize,
    /// Version of the operations.
    pub(super) opset: i64,
    /// What the types of stored integers hold, by name: of zero points it bounds the values.
    pub(super) ranges: HashMap<String, [f32; 2]>,
    params: HashMap<ParamKey, ValueId>,
    /// The elements behind the keys of `params`, whose places in memory must not be used again.
    sources: Vec<Arc<[f32]>>,
    views: HashMap<View, ValueId>,
}

impl Builder {
    pub(super) fn new(mode: Mode, budget: Budget) -> Self {
        Self {
            graph: Graph::new(),
            mode,
            budget,
            batch: 1,
            opset: OPSET,
            ranges: HashMap::new(),
            params: HashMap::new(),
            sources: Vec::new(),
            views: HashMap::new(),
        }
    }

    /// A free name, the wanted one if it can be kept.
    pub(super) fn name(&self, wanted: &str, kind: &str) -> String {
        if self.mode == Mode::AsWritten {
            return wanted.to_owned();
        }
        if wanted.is_empty() || wanted.len() > MAX_NAME || wanted.contains(char::is_control) {
            return self.graph.fresh_name(&format!("{}_1", kind.to_ascii_lowercase()));
        }
        if is_constant(wanted) {
            return self.graph.fresh_name(&format!("{OWN}{wanted}"));
        }
        self.graph.fresh_name(wanted)
    }

    /// Appends the operation that gives a node's result.
    pub(super) fn add(
        &mut self,
        node: &Node<'_>,
        op: Op,
        operands: &[ValueId],
    ) -> Result<ValueId, OnnxError> {
        self.add_part(node, "", op, operands)
    }

    /// Appends an operation on the way to a node's result.
    pub(super) fn add_part(
        &mut self,
        node: &Node<'_>,
        part: &str,
        op: Op,
        operands: &[ValueId],
    ) -> Result<ValueId, OnnxError> {
        let name = match part {
            "" => self.name(node.output(), node.op()),
            part => self.name(&format!("{}/{part}", node.output()), node.op()),
        };
        Ok(self.graph.node(&name, op, operands)?)
    }

    /// An array of one repeated value.
    pub(super) fn repeated(&mut self, shape: &[usize], value: f32) -> Result<ValueId, OnnxError> {
        self.budget.charge(shape)?;
        Ok(self.graph.constant(shape, value)?)
    }

    /// The value of an operand as it is.
    pub(super) fn value(&mut self, node: &Node<'_>, position: usize) -> Result<ValueId, OnnxError> {
        let operand = node.operand(position)?.clone();
        self.value_of(node, &operand)
    }

    /// The value of something with a name.
    pub(super) fn value_of(
        &mut self,
        node: &Node<'_>,
        operand: &Operand,
    ) -> Result<ValueId, OnnxError> {
        match operand {
            Operand::Value(id) => Ok(*id),
            Operand::View(view) => self.settled(view).map_err(|e| match e {
                Some(error) => error.into(),
                None => node.error(format!(
                    "has an operand {:?} whose first axis is no batch",
                    view.shape()
                )),
            }),
            Operand::Constant { name, constant } => match &constant.data {
                Data::Floats(data) => self.param(name, &constant.shape, data),
                Data::Ints(_) => Err(node.error("has integers where floats are expected")),
            },
            Operand::Factor { .. } | Operand::ArgMax(_) => {
                Err(node.error("has an operand that is supported elsewhere only"))
            }
            Operand::Softmax(scores) => {
                // Along all axes: it is one row.
                let axes: Vec<usize> = (1..self.graph.shape(*scores).len()).collect();
                ops::softmax::of(self, node, *scores, &axes)
            }
        }
    }

    fn settled(&mut self, view: &View) -> Result<ValueId, Option<GraphError>> {
        if let Some(&made) = self.views.get(view) {
            return Ok(made);
        }
        let named = view.clone().named(&self.name(view.name(), "view"));
        let made = named.materialize(&mut self.graph).map_err(Some)?.ok_or(None)?;
        self.views.insert(view.clone(), made);
        Ok(made)
    }

    /// A parameter that is a stored constant in a certain shape, made once.
    pub(super) fn param(
        &mut self,
        name: &str,
        shape: &[usize],
        data: &Arc<[f32]>,
    ) -> Result<ValueId, OnnxError> {
        self.param_once(name, (data, ""), shape, || Arc::clone(data))
    }

    /// A parameter computed from a stored constant, made once for each `how`, which also becomes
    /// part of its name if `shown`.
    pub(super) fn derived(
        &mut self,
        name: &str,
        source: &Arc<[f32]>,
        (how, shown): (&str, bool),
        shape: &[usize],
        data: impl FnOnce() -> Vec<f32>,
    ) -> Result<ValueId, OnnxError> {
        let name = if shown { format!("{name}.{how}") } else { name.to_owned() };
        self.budget.charge(shape)?;
        self.param_once(&name, (source, how), shape, || data().into())
    }

    fn param_once(
        &mut self,
        name: &str,
        (source, how): (&Arc<[f32]>, &str),
        shape: &[usize],
        data: impl FnOnce() -> Arc<[f32]>,
    ) -> Result<ValueId, OnnxError> {
        let key = (source.as_ptr(), how.to_owned(), shape.to_vec());
        if let Some(&made) = self.params.get(&key) {
            return Ok(made);
        }
        let made = self.new_param(name, shape, data())?;
        self.sources.push(Arc::clone(source));
        self.params.insert(key, made);
        Ok(made)
    }

    /// A parameter that is used once.
    pub(super) fn new_param(
        &mut self,
        name: &str,
        shape: &[usize],
        data: Arc<[f32]>,
    ) -> Result<ValueId, OnnxError> {
        let uniform = |data: &[f32]| data.iter().all(|v| v.to_bits() == data[0].to_bits());
        let is_repeated = is_constant(name) && uniform(&data);
        if is_repeated && self.mode == Mode::Simplified && !data.is_empty() {
            return Ok(self.graph.constant(shape, data[0])?);
        }
        Ok(self.graph.param(&self.name(name, "constant"), shape, data)?)
    }

    /// The operand with axes of length one in front.
    pub(super) fn widened(
        &mut self,
        node: &Node<'_>,
        operand: &Operand,
        rank: usize,
    ) -> Result<Operand, OnnxError> {
        let shape = self.shape(node, operand)?;
        if shape.len() == rank {
            return Ok(operand.clone());
        }
        self.reshaped(node, operand, padded_shape(&shape, rank))
    }

    /// Shape of an operand.
    pub(super) fn shape(
        &self,
        node: &Node<'_>,
        operand: &Operand,
    ) -> Result<Vec<usize>, OnnxError> {
        match operand {
            Operand::Value(id) => Ok(self.graph.shape(*id).to_vec()),
            Operand::View(view) => Ok(view.shape().to_vec()),
            Operand::Constant { constant, .. } => Ok(constant.shape.clone()),
            Operand::Softmax(scores) => Ok(self.graph.shape(*scores).to_vec()),
            _ => Err(node.error("has an operand that is supported elsewhere only")),
        }
    }

    /// A computed operand as a view.
    pub(super) fn view(&mut self, node: &Node<'_>, operand: &Operand) -> Result<View, OnnxError> {
        match operand {
            Operand::View(view) => Ok(view.clone()),
            other => {
                let value = self.value_of(node, other)?;
                Ok(View::of(&self.graph, value))
            }
        }
    }

    /// The operand with its axes in another order.
    pub(super) fn transposed(
        &mut self,
        node: &Node<'_>,
        operand: &Operand,
        order: &[usize],
    ) -> Result<Operand, OnnxError> {
        if let Operand::Constant { name, constant } = operand {
            self.budget.charge(&constant.shape)?;
            let turned = constant.transposed(order);
            let axes: Vec<String> = order.iter().map(usize::to_string).collect();
            let name = format!("{name}.{}", axes.join(""));
            return Ok(Operand::Constant { name, constant: turned });
        }
        let view = self.view(node, operand)?;
        if let Some(turned) = view.transposed(order) {
            return Ok(Operand::View(turned));
        }
        let value = self.value_of(node, &Operand::View(view))?;
        let turned = View::of(&self.graph, value).transposed(order);
        turned.map(Operand::View).ok_or_else(|| node.error("cannot be read in this order"))
    }

    /// The operand in another shape of the same size.
    pub(super) fn reshaped(
        &mut self,
        node: &Node<'_>,
        operand: &Operand,
        shape: Vec<usize>,
    ) -> Result<Operand, OnnxError> {
        if let Operand::Constant { name, constant } = operand {
            if constant.shape == shape {
                return Ok(operand.clone());
            }
            let axes: Vec<String> = shape.iter().map(usize::to_string).collect();
            let name = format!("{name}.{}", axes.join("x"));
            return Ok(Operand::Constant { name, constant: constant.reshaped(shape) });
        }
        let view = self.view(node, operand)?;
        if elements(&shape) != elements(view.shape()) {
            return Err(node.error(format!("cannot reshape {:?} into {shape:?}", view.shape())));
        }
        Ok(Operand::View(view.reshaped(shape)))
    }

    /// An operand of the file, with its floats, where only a constant will do.
    pub(super) fn constant<'a>(
        &self,
        node: &'a Node<'_>,
        position: usize,
    ) -> Option<(&'a str, &'a Constant, &'a Arc<[f32]>)> {
        match node.operands.get(position) {
            Some(Some(Operand::Constant { name, constant })) => match &constant.data {
                Data::Floats(data) => Some((name, constant, data)),
                Data::Ints(_) => None,
            },
            _ => None,
        }
    }
}
