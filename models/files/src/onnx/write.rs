//! From a graph to an ONNX model.

use std::collections::HashSet;

use prost::Message;
use saligate_models::graph::{ConvAttrs, Graph, Op, PoolAttrs, Range, Source, Value};
use saligate_models::names::TARGET;

use super::proto::{self, attribute_type, data_type};
use super::{IR_VERSION, OPSET};
use crate::manifest::{MANIFEST_KEY, Manifest};

/// The ONNX file of a graph, with the manifest in its metadata.
///
/// The batch axis is symbolic (`batch`). The input `target` has an initializer of zeros, so that
/// engines treat it as optional: without it the predicted class is explained.
pub fn to_bytes(graph: &Graph, manifest: Option<&Manifest>) -> Vec<u8> {
    let mut writer =
        Writer { names: graph, graph: proto::Graph::default(), constants: HashSet::new() };
    for (_, value) in graph.values() {
        match &value.source {
            Source::Input => writer.input(value),
            Source::Param(data) => writer.floats(&value.name, &value.shape, data),
            Source::Node { op, operands } => {
                let names: Vec<&str> =
                    operands.iter().map(|o| graph.value(*o).name.as_str()).collect();
                writer.operation(value, op, &names);
            }
        }
    }
    writer.graph.output =
        graph.outputs().iter().map(|o| value_info(graph.value(*o), "batch")).collect();
    writer.graph.name = "saligate".to_owned();
    let metadata =
        manifest.map(|m| proto::StringEntry { key: MANIFEST_KEY.to_owned(), value: m.to_json() });
    let model = proto::ModelProto {
        ir_version: IR_VERSION,
        opset_import: vec![proto::OperatorSet { domain: String::new(), version: OPSET }],
        producer_name: "saligate".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(writer.graph),
        metadata_props: metadata.into_iter().collect(),
    };
    model.encode_to_vec()
}

struct Writer<'a> {
    /// What is written: its names are taken.
    names: &'a Graph,
    graph: proto::Graph,
    constants: HashSet<String>,
}

impl Writer<'_> {
    /// A name for what the graph has no value of.
    fn own(&self, mut name: String) -> String {
        while self.names.has(&name) {
            name.push('_');
        }
        name
    }

    fn input(&mut self, value: &Value) {
        let batch = if value.name == TARGET { "target_batch" } else { "batch" };
        self.graph.input.push(value_info(value, batch));
        if value.name == TARGET {
            let zeros = vec![0.0; value.shape.iter().product()];
            self.floats(&value.name, &value.shape, &zeros);
        }
    }

    fn floats(&mut self, name: &str, shape: &[usize], data: &[f32]) {
        self.graph.initializer.push(proto::Tensor {
            name: name.to_owned(),
            dims: ints(shape),
            data_type: data_type::FLOAT,
            raw_data: data.iter().flat_map(|v| v.to_le_bytes()).collect(),
            ..Default::default()
        });
    }

    /// Name of an i64 constant, stored once.
    fn int_constant(&mut self, values: &[i64], scalar: bool) -> String {
        let text: Vec<String> = values.iter().map(i64::to_string).collect();
        let kind = if scalar { "scalar" } else { "ints" };
        let name = self.own(format!("{kind}/{}", text.join(",")));
        if self.constants.insert(name.clone()) {
            self.graph.initializer.push(proto::Tensor {
                name: name.clone(),
                dims: if scalar { vec![] } else { vec![values.len() as i64] },
                data_type: data_type::INT64,
                raw_data: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
                ..Default::default()
            });
        }
        name
    }

    /// Name of an f32 constant, stored once.
    fn float_constant(&mut self, values: &[f32], shape: &[usize]) -> String {
        let text: Vec<String> = values.iter().map(f32::to_string).collect();
        let name = self.own(format!("floats/{}/{}", shape.len(), text.join(",")));
        if self.constants.insert(name.clone()) {
            self.floats(&name, shape, values);
        }
        name
    }

    fn node(&mut self, kind: &str, inputs: &[&str], out: &str, attribute: Vec<proto::Attribute>) {
        self.graph.node.push(proto::Node {
            input: inputs.iter().map(|&i| i.to_owned()).collect(),
            output: vec![out.to_owned()],
            name: out.to_owned(),
            op_type: kind.to_owned(),
            domain: String::new(),
            attribute,
        });
    }

    fn operation(&mut self, value: &Value, op: &Op, x: &[&str]) {
        let out = value.name.as_str();
        let kind = op.name();
        match op {
            Op::Conv(attrs) => self.node(kind, x, out, conv(attrs)),
            Op::ConvTranspose { conv: attrs, output_padding } => {
                let mut all = conv(attrs);
                all.push(int_list("output_padding", output_padding));
                self.node(kind, x, out, all);
            }
            Op::Gemm { transposed } => {
                self.node(kind, x, out, vec![int("transB", i64::from(!transposed))]);
            }
            Op::BatchNorm { epsilon } => self.node(kind, x, out, vec![float("epsilon", *epsilon)]),
            Op::Relu
            | Op::HardSwish
            | Op::Sign
            | Op::Round
            | Op::Exp
            | Op::Log
            | Op::Erf
            | Op::MatMul
            | Op::GlobalAveragePool
            | Op::Add
            | Op::Sub
            | Op::Mul => self.node(kind, x, out, vec![]),
            Op::Power { exponent } => {
                let exponent = self.float_constant(&[*exponent], &vec![1; value.shape.len()]);
                self.node(kind, &[x[0], &exponent], out, vec![]);
            }
            Op::Clip { low, high } => {
                let bounds = [*low, *high].map(|bound| self.float_constant(&[bound], &[]));
                self.node(kind, &[x[0], &bounds[0], &bounds[1]], out, vec![]);
            }
            Op::LeakyRelu { alpha } => self.node(kind, x, out, vec![float("alpha", *alpha)]),
            Op::HardSigmoid { alpha, beta } => {
                let all = vec![float("alpha", *alpha), float("beta", *beta)];
                self.node(kind, x, out, all);
            }
            Op::Silu => {
                let sigmoid = self.own(format!("{out}/sigmoid"));
                self.node("Sigmoid", x, &sigmoid, vec![]);
                self.node("Mul", &[x[0], &sigmoid], out, vec![]);
            }
            Op::Hat { width } => {
                let parts = ["away", "share", "below", "above"];
                let [away, share, below, above] = parts.map(|p| self.own(format!("{out}/{p}")));
                let single = vec![1; value.shape.len()];
                let [steep, one] =
                    [1.0 / width, 1.0].map(|number| self.float_constant(&[number], &single));
                self.node("Abs", x, &away, vec![]);
                self.node("Mul", &[&away, &steep], &share, vec![]);
                self.node("Sub", &[&one, &share], &below, vec![]);
                self.node("Relu", &[&below], &above, vec![]);
                self.node("Mul", &[&above, &steep], out, vec![]);
            }
            Op::Transpose { order } => {
                let order = std::iter::once(0).chain(order.iter().copied());
                self.node(kind, x, out, vec![int_list("perm", &order.collect::<Vec<_>>())]);
            }
            Op::Softplus { beta } if *beta == 1.0 => self.node(kind, x, out, vec![]),
            Op::Softplus { beta } => {
                let scaled = self.scaled(x[0], *beta, value);
                let soft = self.own(format!("{out}/soft"));
                self.node(kind, &[&scaled], &soft, vec![]);
                let back = self.float_constant(&[beta.recip()], &vec![1; value.shape.len()]);
                self.node("Mul", &[&soft, &back], out, vec![]);
            }
            Op::Sigmoid { beta } => {
                let scaled = self.scaled(x[0], *beta, value);
                self.node(kind, &[&scaled], out, vec![]);
            }
            Op::MaxPool(attrs) => self.node(kind, x, out, pool(attrs)),
            Op::AveragePool(attrs) => {
                let mut all = pool(attrs);
                all.push(int("count_include_pad", 1));
                self.node(kind, x, out, all);
            }
            Op::Concat | Op::Flatten => self.node(kind, x, out, vec![int("axis", 1)]),
            Op::Reshape { shape } => {
                // 0 copies the batch axis.
                let shape = self.int_constant(&[&[0], ints(shape).as_slice()].concat(), false);
                self.node(kind, &[x[0], &shape], out, vec![]);
            }
            Op::Pad { pads, value } => {
                let side = |end: usize| pads.map(|p| p[end] as i64);
                let all = [&[0], side(0).as_slice(), &[0], side(1).as_slice()].concat();
                let pads = self.int_constant(&all, false);
                let fill = self.float_constant(&[*value], &[]);
                self.node(kind, &[x[0], &pads, &fill], out, vec![]);
            }
            Op::Slice { ranges } => self.slice(x[0], ranges, out),
            Op::DepthToSpace { block } => {
                let all = vec![int("blocksize", *block as i64), text("mode", "DCR")];
                self.node(kind, x, out, all);
            }
            Op::ReduceSum { axes } => {
                let axes = self.int_constant(&ints(axes), false);
                self.node(kind, &[x[0], &axes], out, vec![int("keepdims", 1)]);
            }
            Op::OneHotArgMax => {
                let index = self.own(format!("{out}/index"));
                self.node(kind, x, &index, vec![int("axis", 1), int("keepdims", 0)]);
                let depth = self.int_constant(&[value.shape[1] as i64], true);
                let off_on = self.float_constant(&[0.0, 1.0], &[2]);
                self.node("OneHot", &[&index, &depth, &off_on], out, vec![int("axis", 1)]);
            }
        }
    }

    /// Name of `beta` times x; x itself where beta is 1.
    fn scaled(&mut self, x: &str, beta: f32, like: &Value) -> String {
        if beta == 1.0 {
            return x.to_owned();
        }
        let out = self.own(format!("{}/scaled", like.name));
        let beta = self.float_constant(&[beta], &vec![1; like.shape.len()]);
        self.node("Mul", &[x, &beta], &out, vec![]);
        out
    }

    fn slice(&mut self, x: &str, ranges: &[Range; 3], out: &str) {
        let column =
            |f: fn(&Range) -> usize| ranges.iter().map(|r| f(r) as i64).collect::<Vec<_>>();
        let starts = self.int_constant(&column(|r| r.start), false);
        let ends = self.int_constant(&column(|r| r.end), false);
        let axes = self.int_constant(&[1, 2, 3], false);
        let steps = self.int_constant(&column(|r| r.step), false);
        self.node("Slice", &[x, &starts, &ends, &axes, &steps], out, vec![]);
    }
}

fn conv(attrs: &ConvAttrs) -> Vec<proto::Attribute> {
    vec![
        int_list("strides", &attrs.stride),
        int_list("pads", &attrs.pads),
        int_list("dilations", &attrs.dilation),
        int("group", attrs.groups as i64),
    ]
}

fn pool(attrs: &PoolAttrs) -> Vec<proto::Attribute> {
    vec![
        int_list("kernel_shape", &attrs.kernel),
        int_list("strides", &attrs.stride),
        int_list("pads", &attrs.pads),
    ]
}

fn value_info(value: &Value, batch: &str) -> proto::ValueInfo {
    let dimension = |value| proto::Dimension { value: Some(value) };
    let mut dim = vec![dimension(proto::DimensionValue::Symbol(batch.to_owned()))];
    let rest = value.shape[1..].iter();
    dim.extend(rest.map(|&d| dimension(proto::DimensionValue::Size(d as i64))));
    let tensor =
        proto::TensorType { elem_type: data_type::FLOAT, shape: Some(proto::Shape { dim }) };
    proto::ValueInfo { name: value.name.clone(), kind: Some(proto::Type { tensor: Some(tensor) }) }
}

fn ints(values: &[usize]) -> Vec<i64> {
    values.iter().map(|&v| v as i64).collect()
}

fn attribute(name: &str, kind: i32) -> proto::Attribute {
    proto::Attribute { name: name.to_owned(), kind, ..Default::default() }
}

fn int(name: &str, i: i64) -> proto::Attribute {
    proto::Attribute { i, ..attribute(name, attribute_type::INT) }
}

fn float(name: &str, f: f32) -> proto::Attribute {
    proto::Attribute { f, ..attribute(name, attribute_type::FLOAT) }
}

fn text(name: &str, value: &str) -> proto::Attribute {
    proto::Attribute { s: value.into(), ..attribute(name, attribute_type::STRING) }
}

fn int_list(name: &str, values: &[usize]) -> proto::Attribute {
    proto::Attribute { ints: ints(values), ..attribute(name, attribute_type::INTS) }
}
