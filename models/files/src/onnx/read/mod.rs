//! From an ONNX model to a graph.

mod builder;
mod image;
mod known;
mod labels;
mod ops;
mod order;
mod output;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use prost::Message;
use prost::bytes::Bytes;
use saligate_models::graph::{Graph, GraphError};
use saligate_models::names::TARGET;

use self::builder::{Builder, Mode};
use self::order::Order;
use super::constant::{Budget, Constant, Storage, decode, evaluate, is_foldable};
use super::node::{Node, Operand};
use super::proto;
use super::{Foreign, OPSETS, OnnxError, Options, limits};
use crate::manifest::MANIFEST_KEY;

pub(super) use ops::SUPPORTED;

/// Largest number of elements of all values of a network together: 4 GiB as f32.
const MAX_TOTAL: usize = 1 << 30;

/// What a model's file holds: its graph, and the text of its manifest if it has one.
pub(super) struct Contents {
    pub(super) graph: Graph,
    pub(super) manifest: Option<String>,
}

/// Reads what this library wrote, node by node.
pub(super) fn model(bytes: Bytes) -> Result<Contents, OnnxError> {
    let (model, source, _) = decoded(bytes)?;
    let manifest = model.metadata_props.into_iter().find(|p| p.key == MANIFEST_KEY);
    let mut storage = Storage::new(None);
    let inputs: Vec<proto::ValueInfo> = source.input.clone();
    let outputs: Vec<String> = source.output.iter().map(|o| o.name.clone()).collect();
    let initialized: HashSet<String> = source.initializer.iter().map(|t| t.name.clone()).collect();
    let order = Order::of(&source.node, &outputs, false)?;
    let mut reader = Reader::new(source, order, &mut storage, Mode::AsWritten)?;
    for input in inputs {
        if input.name == TARGET || !initialized.contains(&input.name) {
            let shape = image::fixed(&input)?;
            let id = reader.builder.graph.input(&input.name, &shape)?;
            reader.operands.insert(input.name, Operand::Value(id));
        }
    }
    reader.nodes(&mut storage)?;
    let values =
        outputs.into_iter().map(|output| match reader.operand(&output, "graph output")? {
            Operand::Value(id) => Ok(id),
            _ => Err(OnnxError::Constant { value: output }),
        });
    let values = values.collect::<Result<Vec<_>, _>>()?;
    let mut graph = reader.builder.graph;
    graph.set_outputs(&values);
    Ok(Contents { graph, manifest: manifest.map(|p| p.value) })
}

/// Reads the classifier in a file, whoever wrote it.
pub(super) fn foreign(
    bytes: Bytes,
    folder: Option<&Path>,
    options: &Options,
) -> Result<Foreign, OnnxError> {
    let (model, source, opset) = decoded(bytes)?;
    let chosen = output::chosen(&source.output, options.output.as_deref())?;
    let wanted = std::slice::from_ref(&chosen);
    let order = Order::of(&source.node, wanted, true)?;
    let input = image::needed(&source, &order, wanted)?;
    let weighted = image::channels_by_weight(&source, &input.name);
    let shape = image::shape(&input, options.image_size, weighted)?;
    let bytes = image::is_bytes(&input);
    let quantized = source.node.iter().any(ops::quantized::is_quantizing);
    let mut storage = Storage::new(folder);
    let wanted_layer = options.layer.as_deref().map(|name| made_by(&source.node, name));
    let mut reader = Reader::new(source, order, &mut storage, Mode::Simplified)?;
    (reader.builder.batch, reader.builder.opset) = (shape.batch, opset);
    let image = image::place(&mut reader.builder, &input, &shape)?;
    reader.operands.insert(input.name, image);
    reader.nodes(&mut storage)?;
    let scores = reader.operand(&chosen, "graph output")?;
    let output::Scores { value, left_out } = output::scores(&mut reader.builder, &chosen, scores)?;
    let layer = wanted_layer.map(|name| reader.name_of(name));
    let mut graph = reader.builder.graph;
    graph.set_outputs(&[value]);
    let logits = graph.value(value).name.clone();
    let graph = graph.fold_batch_norm_but(layer.as_deref())?.extract(&[&logits])?;
    let mut inputs = graph.inputs();
    let (Some((_, image)), None) = (inputs.next(), inputs.next()) else {
        return Err(OnnxError::Inputs { found: Vec::new() });
    };
    let image = image.name.clone();
    drop(inputs);
    let total = graph.values().map(|(_, v)| v.shape.iter().product::<usize>());
    if total.fold(0usize, usize::saturating_add) > MAX_TOTAL {
        return Err(OnnxError::Limit { what: "elements of activations" });
    }
    let classes = graph.shape(graph.find(&logits)?)[1];
    Ok(Foreign {
        labels: labels::of(&model.metadata_props, classes),
        graph,
        image,
        logits,
        opset,
        producer: producer(&model),
        left_out,
        layer,
        channels_last: shape.channels_last,
        bytes,
        quantized,
    })
}

/// The first result of the node of this name; the name itself where no node has it.
fn made_by(nodes: &[proto::Node], name: &str) -> String {
    let is_result = nodes.iter().any(|node| node.output.iter().any(|o| o == name));
    let node = nodes.iter().find(|node| !is_result && node.name == name);
    node.and_then(|node| node.output.first()).map_or(name, String::as_str).to_owned()
}

fn producer(model: &proto::ModelProto) -> String {
    let both = [model.producer_name.trim(), model.producer_version.trim()];
    both.join(" ").trim().chars().filter(|c| !c.is_control()).take(100).collect()
}

/// The messages of a file, with the version of its operations. Stored tensors stay parts of it.
fn decoded(bytes: Bytes) -> Result<(proto::ModelProto, proto::Graph, i64), OnnxError> {
    limits::check(&bytes)?;
    let mut model = proto::ModelProto::decode(bytes)
        .map_err(|e| OnnxError::NotOnnx { detail: e.to_string() })?;
    let graph = model.graph.take();
    let graph = graph.ok_or_else(|| OnnxError::NotOnnx { detail: "no graph".to_owned() })?;
    let standard = model.opset_import.iter().find(|o| is_standard(&o.domain));
    let opset = standard.map_or(0, |o| o.version);
    if !OPSETS.contains(&opset) {
        return Err(OnnxError::Opset { found: opset });
    }
    Ok((model, graph, opset))
}

fn is_standard(domain: &str) -> bool {
    ["", "ai.onnx"].contains(&domain)
}

/// What is known by name while nodes are read.
struct Reader {
    builder: Builder,
    nodes: Vec<proto::Node>,
    order: Order,
    operands: HashMap<String, Operand>,
}

impl Reader {
    /// Takes the nodes of a graph, and the constants that they use.
    fn new(
        source: proto::Graph,
        order: Order,
        storage: &mut Storage<'_>,
        mode: Mode,
    ) -> Result<Self, OnnxError> {
        let mut operands = HashMap::new();
        let mut ranges = HashMap::new();
        for tensor in source.initializer {
            let name = tensor.name.clone();
            let replaced = name == TARGET && mode == Mode::AsWritten;
            if replaced || !(order.is_used(&name) || mode == Mode::AsWritten) {
                continue;
            }
            if let Some(range) = ops::quantized::range(tensor.data_type) {
                ranges.insert(name.clone(), range);
            }
            let constant = decode(tensor, storage)?;
            let operand = Operand::Constant { name: name.clone(), constant };
            if operands.insert(name.clone(), operand).is_some() {
                return Err(GraphError::DuplicateName { name }.into());
            }
        }
        let mut builder = Builder::new(mode, Budget::new(storage.read()));
        builder.ranges = ranges;
        Ok(Self { builder, nodes: source.node, order, operands })
    }

    /// What a value of the file is called in the graph.
    fn name_of(&self, name: String) -> String {
        let id = match self.operands.get(&name) {
            Some(Operand::Value(id)) => *id,
            Some(Operand::View(view)) => view.base(),
            _ => return name,
        };
        self.builder.graph.value(id).name.clone()
    }

    fn nodes(&mut self, storage: &mut Storage<'_>) -> Result<(), OnnxError> {
        for index in std::mem::take(&mut self.order.nodes) {
            let source = std::mem::take(&mut self.nodes[index]);
            if !is_standard(&source.domain) && !ops::is_quantized(&source) {
                return Err(OnnxError::Unsupported {
                    op: format!("{}.{}", source.domain, source.op_type),
                    node: source.label().to_owned(),
                });
            }
            let is_factor = self.order.factors.contains(&index);
            for (name, made) in self.node(&source, is_factor, storage)? {
                if self.operands.contains_key(&name) {
                    return Err(GraphError::DuplicateName { name }.into());
                }
                self.operands.insert(name, made);
            }
        }
        Ok(())
    }

    fn node(
        &mut self,
        source: &proto::Node,
        is_factor: bool,
        storage: &mut Storage<'_>,
    ) -> Result<Vec<(String, Operand)>, OnnxError> {
        let operands = source.input.iter().map(|name| match name.as_str() {
            "" => Ok(None),
            name => self.operand(name, source.label()).map(Some),
        });
        let operands = operands.collect::<Result<Vec<_>, _>>()?;
        let node = Node { source, is_factor, operands };
        let constant = |constant| Operand::Constant { name: node.output().to_owned(), constant };
        let known = node.operands.iter().flatten().all(|o| matches!(o, Operand::Constant { .. }));
        let results = if node.op() == "Constant" {
            let stored = node.tensor("value").and_then(|t| ops::quantized::range(t.data_type));
            if let Some(range) = stored {
                self.builder.ranges.insert(node.output().to_owned(), range);
            }
            vec![constant(value(&node, storage)?)]
        } else if known && self.builder.mode == Mode::Simplified && is_foldable(node.op()) {
            vec![constant(evaluate(&node, &mut self.builder.budget)?)]
        } else if known
            && !node.operands.is_empty()
            && self.builder.mode == Mode::Simplified
            && let Some(found) = known::evaluated(&node, self.builder.opset)?
        {
            self.builder.budget.charge(&found.shape)?;
            vec![constant(found)]
        } else {
            ops::read(&mut self.builder, &node)?
        };
        let named = source.output.iter().cloned().zip(results);
        Ok(named.filter(|(name, _)| !name.is_empty()).collect())
    }

    fn operand(&self, name: &str, user: &str) -> Result<Operand, OnnxError> {
        let operand = self.operands.get(name).cloned();
        operand
            .ok_or_else(|| OnnxError::Undefined { value: name.to_owned(), user: user.to_owned() })
    }
}

/// The value of a Constant node.
fn value(node: &Node<'_>, storage: &mut Storage<'_>) -> Result<Constant, OnnxError> {
    if let Some(tensor) = node.tensor("value") {
        let name = node.output().to_owned();
        return decode(proto::Tensor { name, ..tensor.clone() }, storage);
    }
    if let Some(floats) = node.floats("value_floats") {
        return Ok(Constant::floats(vec![floats.len()], floats));
    }
    if let Some(ints) = node.ints("value_ints") {
        return Ok(Constant::ints(vec![ints.len()], ints));
    }
    if node.has("value_float") {
        return Ok(Constant::floats(vec![], [node.float("value_float", 0.0)]));
    }
    if node.has("value_int") {
        return Ok(Constant::ints(vec![], [node.int("value_int", 0)]));
    }
    Err(node.error("holds no tensor of numbers"))
}
