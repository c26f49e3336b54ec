//! From an ONNX node to an operation.

use std::sync::Arc;

use super::OnnxError;
use super::proto;
use crate::graph::{ConvAttrs, Graph, Op, PoolAttrs, Range, ValueId};

/// What an ONNX name stands for while a graph is read.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    /// A value of the graph.
    Value(ValueId),
    /// A float constant that no operation has used as a parameter yet.
    Floats {
        /// Its name.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Its elements.
        data: Arc<[f32]>,
    },
    /// An integer constant: sizes, pads, axes.
    Ints(Vec<i64>),
    /// The largest class of these scores, before it becomes a one-hot row.
    ArgMax(ValueId),
}

/// The operations that are read, by ONNX name.
pub(super) const SUPPORTED: &[&str] = &[
    "Add",
    "ArgMax+OneHot",
    "AveragePool",
    "BatchNormalization",
    "Clip",
    "Concat",
    "Conv",
    "ConvTranspose",
    "DepthToSpace",
    "Flatten",
    "Gemm",
    "GlobalAveragePool",
    "MaxPool",
    "Mul",
    "Pad",
    "ReduceSum",
    "Relu",
    "Reshape",
    "Round",
    "Sigmoid",
    "Sign",
    "Slice",
    "Softplus",
    "Sub",
];

/// Appends the operation of an ONNX node.
pub(super) fn read(
    graph: &mut Graph,
    source: &proto::Node,
    operands: &[Operand],
) -> Result<Operand, OnnxError> {
    let node = Node { source, operands };
    let op = match source.op_type.as_str() {
        "Conv" => Op::Conv(node.conv()?),
        "ConvTranspose" => Op::ConvTranspose {
            conv: node.conv()?,
            output_padding: node.sizes("output_padding", [0, 0])?,
        },
        "Gemm" => {
            let plain = node.float("alpha", 1.0) == 1.0
                && node.float("beta", 1.0) == 1.0
                && node.int("transA", 0) == 0;
            if !plain {
                return Err(node.error("has alpha, beta or transA, which are not supported"));
            }
            Op::Gemm { transposed: node.int("transB", 0) == 0 }
        }
        "BatchNormalization" => Op::BatchNorm { epsilon: node.float("epsilon", 1e-5) },
        "Relu" => Op::Relu,
        "Softplus" => Op::Softplus { beta: 1.0 },
        "Sigmoid" => Op::Sigmoid { beta: 1.0 },
        "Sign" => Op::Sign,
        "Round" => Op::Round,
        "Clip" => Op::Clip { low: node.scalar(1)?, high: node.scalar(2)? },
        "MaxPool" => Op::MaxPool(node.pool()?),
        "AveragePool" => {
            let pool = node.pool()?;
            if pool.pads != [0; 4] && node.int("count_include_pad", 0) == 0 {
                return Err(
                    node.error("leaves its padding out of the mean, which is not supported")
                );
            }
            Op::AveragePool(pool)
        }
        "GlobalAveragePool" => Op::GlobalAveragePool,
        "Add" => Op::Add,
        "Sub" => Op::Sub,
        "Mul" => Op::Mul,
        "Concat" => node.only_axis_one(Op::Concat, 1)?,
        "Flatten" => node.only_axis_one(Op::Flatten, 1)?,
        "Reshape" => node.reshape()?,
        "Pad" => node.pad()?,
        "Slice" => node.slice(graph)?,
        "DepthToSpace" => {
            if node.text("mode").is_some_and(|m| m != b"DCR") {
                return Err(node.error("has a mode other than DCR"));
            }
            Op::DepthToSpace { block: node.size("blocksize", node.int("blocksize", 0))? }
        }
        "ReduceSum" => {
            let axes = node.ints_operand(1)?.iter().map(|&a| node.size("axes", a));
            let axes = axes.collect::<Result<Vec<_>, _>>()?;
            if node.int("keepdims", 1) == 0 {
                return Err(node.error("drops the summed axes, which is not supported"));
            }
            Op::ReduceSum { axes }
        }
        "ArgMax" => {
            if node.int("axis", 0) != 1 || node.int("keepdims", 1) != 0 {
                return Err(node.error("is supported along classes only, without keepdims"));
            }
            return Ok(Operand::ArgMax(node.value(graph, 0)?));
        }
        "OneHot" => {
            let Some(Operand::ArgMax(scores)) = operands.first() else {
                return Err(node.error("is supported behind ArgMax only"));
            };
            let made = graph.node(node.output(), Op::OneHotArgMax, &[*scores])?;
            return Ok(Operand::Value(made));
        }
        _ => {
            return Err(OnnxError::Unsupported {
                node: source.name.clone(),
                op: source.op_type.clone(),
            });
        }
    };
    let values = match op {
        // Their other operands have become attributes.
        Op::Reshape { .. }
        | Op::Pad { .. }
        | Op::Slice { .. }
        | Op::ReduceSum { .. }
        | Op::Clip { .. } => 1,
        _ => operands.len(),
    };
    let values = (0..values).map(|i| node.value(graph, i)).collect::<Result<Vec<_>, _>>()?;
    Ok(Operand::Value(graph.node(node.output(), op, &values)?))
}

struct Node<'a> {
    source: &'a proto::Node,
    operands: &'a [Operand],
}

impl Node<'_> {
    fn output(&self) -> &str {
        &self.source.output[0]
    }

    fn error(&self, reason: &str) -> OnnxError {
        OnnxError::node(self.source, reason)
    }

    fn value(&self, graph: &mut Graph, position: usize) -> Result<ValueId, OnnxError> {
        match self.operands.get(position) {
            Some(Operand::Value(id)) => Ok(*id),
            Some(Operand::Floats { name, shape, data }) => match graph.find(name) {
                Ok(id) => Ok(id),
                Err(_) => Ok(graph.param(name, shape, Arc::clone(data))?),
            },
            Some(_) => Err(self.error("has an integer operand where a float one is expected")),
            None => Err(self.error("has too few operands")),
        }
    }

    fn ints_operand(&self, position: usize) -> Result<&[i64], OnnxError> {
        match self.operands.get(position) {
            Some(Operand::Ints(values)) => Ok(values),
            _ => Err(self.error("needs constant integers for its sizes or axes")),
        }
    }

    fn scalar(&self, position: usize) -> Result<f32, OnnxError> {
        match self.operands.get(position) {
            Some(Operand::Floats { data, .. }) if data.len() == 1 => Ok(data[0]),
            _ => Err(self.error(&format!("needs one constant float as operand {position}"))),
        }
    }

    fn attribute(&self, name: &str) -> Option<&proto::Attribute> {
        self.source.attribute.iter().find(|a| a.name == name)
    }

    fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |a| a.i)
    }

    fn float(&self, name: &str, default: f32) -> f32 {
        self.attribute(name).map_or(default, |a| a.f)
    }

    fn text(&self, name: &str) -> Option<&[u8]> {
        self.attribute(name).map(|a| a.s.as_slice())
    }

    fn size(&self, what: &str, value: i64) -> Result<usize, OnnxError> {
        let size = usize::try_from(value);
        size.map_err(|_| self.error(&format!("has a negative entry in {what}: {value}")))
    }

    fn sizes<const N: usize>(
        &self,
        name: &str,
        default: [usize; N],
    ) -> Result<[usize; N], OnnxError> {
        let Some(attribute) = self.attribute(name) else { return Ok(default) };
        let sizes = attribute.ints.iter().map(|&v| self.size(name, v));
        let sizes = sizes.collect::<Result<Vec<_>, _>>()?;
        sizes.try_into().map_err(|_| self.error(&format!("needs {N} entries in {name}")))
    }

    fn conv(&self) -> Result<ConvAttrs, OnnxError> {
        self.explicit_pads()?;
        Ok(ConvAttrs {
            stride: self.sizes("strides", [1, 1])?,
            pads: self.sizes("pads", [0; 4])?,
            dilation: self.sizes("dilations", [1, 1])?,
            groups: self.size("group", self.int("group", 1))?,
        })
    }

    fn pool(&self) -> Result<PoolAttrs, OnnxError> {
        self.explicit_pads()?;
        if self.int("ceil_mode", 0) != 0 || self.sizes("dilations", [1, 1])? != [1, 1] {
            return Err(self.error("has ceil_mode or dilations, which are not supported"));
        }
        Ok(PoolAttrs {
            kernel: self.sizes("kernel_shape", [0, 0])?,
            stride: self.sizes("strides", [1, 1])?,
            pads: self.sizes("pads", [0; 4])?,
        })
    }

    fn explicit_pads(&self) -> Result<(), OnnxError> {
        match self.text("auto_pad") {
            None | Some(b"NOTSET") => Ok(()),
            Some(_) => Err(self.error("has auto_pad, which is not supported")),
        }
    }

    fn only_axis_one(&self, op: Op, default: i64) -> Result<Op, OnnxError> {
        let fits = self.int("axis", default) == 1;
        fits.then_some(op).ok_or_else(|| self.error("is supported along axis 1 only"))
    }

    fn reshape(&self) -> Result<Op, OnnxError> {
        let [-1..=1, rest @ ..] = self.ints_operand(1)? else {
            return Err(self.error("does not keep the batch axis"));
        };
        let shape = rest.iter().map(|&d| self.size("shape", d)).collect::<Result<_, _>>()?;
        Ok(Op::Reshape { shape })
    }

    fn pad(&self) -> Result<Op, OnnxError> {
        if self.text("mode").is_some_and(|m| m != b"constant") {
            return Err(self.error("has a mode other than constant"));
        }
        let &[0, a, b, c, 0, d, e, f] = self.ints_operand(1)? else {
            return Err(self.error("needs eight pads that leave the batch axis alone"));
        };
        let size = |v| self.size("pads", v);
        let pads = [[size(a)?, size(d)?], [size(b)?, size(e)?], [size(c)?, size(f)?]];
        let value = if self.operands.len() > 2 { self.scalar(2)? } else { 0.0 };
        Ok(Op::Pad { pads, value })
    }

    fn slice(&self, graph: &mut Graph) -> Result<Op, OnnxError> {
        let x = self.value(graph, 0)?;
        let &[_, c, h, w] = graph.shape(x) else {
            return Err(self.error("needs an operand [batch, channel, row, column]"));
        };
        let mut ranges = [c, h, w].map(|end| Range { start: 0, end, step: 1 });
        let (starts, ends) = (self.ints_operand(1)?, self.ints_operand(2)?);
        let axes = self.ints_operand(3)?;
        let ones = vec![1; axes.len()];
        let steps = if self.operands.len() > 4 { self.ints_operand(4)? } else { &ones };
        if [starts.len(), ends.len(), steps.len()] != [axes.len(); 3] {
            return Err(self.error("has lists of different lengths"));
        }
        for (i, &axis) in axes.iter().enumerate() {
            let Some(range) =
                axis.checked_sub(1).and_then(|a| ranges.get_mut(usize::try_from(a).ok()?))
            else {
                return Err(self.error("is supported along channels, rows and columns only"));
            };
            let end = self.size("ends", ends[i])?.min(range.end);
            let start = self.size("starts", starts[i])?;
            *range = Range { start, end, step: self.size("steps", steps[i])? };
        }
        Ok(Op::Slice { ranges })
    }
}
