//! From an ONNX model to a graph.

use std::collections::{HashMap, HashSet};

use prost::Message;

use super::OnnxError;
use super::node::{self, Operand};
use super::proto::{self, DimensionValue, data_type};
use super::{MANIFEST_KEY, OPSETS};
use crate::graph::{Graph, ValueId};
use crate::saliency::TARGET;

/// A parsed model: its graph, and the text of its manifest if it has one.
pub(super) struct Parsed {
    pub(super) graph: Graph,
    pub(super) manifest: Option<String>,
}

pub(super) fn parse(bytes: &[u8]) -> Result<Parsed, OnnxError> {
    let model =
        proto::Model::decode(bytes).map_err(|e| OnnxError::NotOnnx { detail: e.to_string() })?;
    let graph = model.graph.ok_or_else(|| OnnxError::NotOnnx { detail: "no graph".to_owned() })?;
    let opset = model.opset_import.iter().find(|o| o.domain.is_empty()).map_or(0, |o| o.version);
    if !OPSETS.contains(&opset) {
        return Err(OnnxError::Opset { found: opset });
    }
    let manifest = model.metadata_props.into_iter().find(|p| p.key == MANIFEST_KEY);
    let graph = Reader::default().graph(graph)?;
    Ok(Parsed { graph, manifest: manifest.map(|p| p.value) })
}

#[derive(Default)]
struct Reader {
    graph: Graph,
    operands: HashMap<String, Operand>,
}

impl Reader {
    fn graph(mut self, source: proto::Graph) -> Result<Graph, OnnxError> {
        let initialized: HashSet<_> = source.initializer.iter().map(|t| t.name.clone()).collect();
        for input in &source.input {
            if input.name == TARGET || !initialized.contains(&input.name) {
                self.input(input)?;
            }
        }
        for tensor in source.initializer.into_iter().filter(|t| t.name != TARGET) {
            let operand = constant(&tensor)?;
            self.define(&tensor.name, operand)?;
        }
        for source in &source.node {
            let operands = source
                .input
                .iter()
                .filter(|name| !name.is_empty())
                .map(|name| self.operand(name, &source.name))
                .collect::<Result<Vec<_>, _>>()?;
            let [output] = source.output.as_slice() else {
                return Err(OnnxError::node(source, "has more than one output or none"));
            };
            let made = node::read(&mut self.graph, source, &operands)?;
            self.define(output, made)?;
        }
        let mut outputs = Vec::new();
        for output in &source.output {
            match self.operand(&output.name, "graph output")? {
                Operand::Value(id) => outputs.push(id),
                _ => return Err(OnnxError::Constant { value: output.name.clone() }),
            }
        }
        self.graph.set_outputs(&outputs);
        Ok(self.graph)
    }

    fn define(&mut self, name: &str, operand: Operand) -> Result<(), OnnxError> {
        if self.operands.insert(name.to_owned(), operand).is_some() {
            return Err(crate::graph::GraphError::DuplicateName { name: name.to_owned() }.into());
        }
        Ok(())
    }

    fn operand(&mut self, name: &str, user: &str) -> Result<Operand, OnnxError> {
        let found = self.operands.get(name).cloned();
        found.ok_or_else(|| OnnxError::Undefined { value: name.to_owned(), user: user.to_owned() })
    }

    fn input(&mut self, info: &proto::ValueInfo) -> Result<ValueId, OnnxError> {
        let bad =
            |reason: &str| OnnxError::Input { name: info.name.clone(), reason: reason.to_owned() };
        let tensor = info.kind.as_ref().and_then(|t| t.tensor.as_ref());
        let tensor = tensor.ok_or_else(|| bad("is no tensor"))?;
        if tensor.elem_type != data_type::FLOAT {
            return Err(bad("is not of 32-bit floats"));
        }
        let dims = tensor.shape.as_ref().map(|s| s.dim.as_slice()).unwrap_or_default();
        let mut shape = vec![1];
        for dim in dims.iter().skip(1) {
            match dim.value {
                Some(DimensionValue::Size(size)) => {
                    shape.push(usize::try_from(size).map_err(|_| bad("has a negative axis"))?);
                }
                _ => return Err(bad("has an axis of unknown length behind the batch axis")),
            }
        }
        let id = self.graph.input(&info.name, &shape)?;
        self.define(&info.name, Operand::Value(id))?;
        Ok(id)
    }
}

fn constant(tensor: &proto::Tensor) -> Result<Operand, OnnxError> {
    let bad =
        |reason: &str| OnnxError::Tensor { name: tensor.name.clone(), reason: reason.to_owned() };
    if tensor.data_location != 0 {
        return Err(bad("is kept in another file, which is not supported"));
    }
    let dims = tensor.dims.iter().map(|&d| usize::try_from(d).ok()).collect::<Option<Vec<_>>>();
    let shape = dims.ok_or_else(|| bad("has a negative axis"))?;
    let count = shape.iter().try_fold(1usize, |a, &d| a.checked_mul(d));
    let count = count.ok_or_else(|| bad("is too large"))?;
    let fits = |found: usize| {
        (found == count).then_some(()).ok_or_else(|| bad("has another length than its shape says"))
    };
    match tensor.data_type {
        data_type::FLOAT => {
            let raw = tensor.raw_data.as_chunks::<4>();
            let data: Vec<f32> = if tensor.raw_data.is_empty() {
                tensor.float_data.clone()
            } else {
                raw.0.iter().map(|b| f32::from_le_bytes(*b)).collect()
            };
            fits(data.len() + raw.1.len())?;
            Ok(Operand::Floats { name: tensor.name.clone(), shape, data: data.into() })
        }
        data_type::INT64 => {
            let raw = tensor.raw_data.as_chunks::<8>();
            let data: Vec<i64> = if tensor.raw_data.is_empty() {
                tensor.int64_data.clone()
            } else {
                raw.0.iter().map(|b| i64::from_le_bytes(*b)).collect()
            };
            fits(data.len() + raw.1.len())?;
            Ok(Operand::Ints(data))
        }
        other => Err(bad(&format!("has element type {other}; supported are float and int64"))),
    }
}
