//! Layers with their weights, added one by one.

use super::Task;
use crate::graph::{ConvAttrs, Graph, GraphError, Op, ValueId};
use crate::random::Stream;
use crate::saliency::{IMAGE, LOGITS};

/// PyTorch's default, which published checkpoints were trained with.
const BATCH_NORM_EPSILON: f32 = 1e-5;

/// A graph under construction; parameters are named as PyTorch names them (`layer.weight`).
pub(super) struct Layers {
    pub(super) graph: Graph,
    seed: u64,
    /// The standardized pixels.
    pub(super) pixels: ValueId,
}

impl Layers {
    pub(super) fn new(task: &Task, seed: u64) -> Result<Self, GraphError> {
        let mut graph = Graph::new();
        let [channels, rows, columns] = task.image;
        let image = graph.input(IMAGE, &[1, channels, rows, columns])?;
        let mean = graph.param("pixels.mean", &[1, channels, 1, 1], task.mean.as_slice())?;
        let scale: Vec<f32> = task.std.iter().map(|s| s.recip()).collect();
        let scale = graph.param("pixels.scale", &[1, channels, 1, 1], scale)?;
        let centred = graph.node("pixels.centred", Op::Sub, &[image, mean])?;
        let pixels = graph.node("pixels", Op::Mul, &[centred, scale])?;
        Ok(Self { graph, seed, pixels })
    }

    pub(super) fn finish(mut self, logits: ValueId) -> Result<Graph, GraphError> {
        self.graph.rename(logits, LOGITS)?;
        self.graph.set_outputs(&[logits]);
        Ok(self.graph)
    }

    pub(super) fn conv(
        &mut self,
        name: &str,
        x: ValueId,
        out: usize,
        kernel: usize,
        attrs: ConvAttrs,
    ) -> Result<ValueId, GraphError> {
        let weight = self.conv_weight(name, x, out, kernel)?;
        let bias = self.graph.param(&format!("{name}.bias"), &[out], vec![0.0; out])?;
        self.graph.node(name, Op::Conv(attrs), &[x, weight, bias])
    }

    /// A convolution without bias and the batch norm behind it.
    pub(super) fn conv_norm(
        &mut self,
        [conv, norm]: [&str; 2],
        x: ValueId,
        out: usize,
        kernel: usize,
        attrs: ConvAttrs,
    ) -> Result<ValueId, GraphError> {
        let weight = self.conv_weight(conv, x, out, kernel)?;
        let y = self.graph.node(conv, Op::Conv(attrs), &[x, weight])?;
        let mut operands = vec![y];
        for (part, value) in
            [("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)]
        {
            operands.push(self.graph.param(&format!("{norm}.{part}"), &[out], vec![value; out])?);
        }
        self.graph.node(norm, Op::BatchNorm { epsilon: BATCH_NORM_EPSILON }, &operands)
    }

    pub(super) fn relu(&mut self, name: &str, x: ValueId) -> Result<ValueId, GraphError> {
        self.graph.node(name, Op::Relu, &[x])
    }

    pub(super) fn dense(
        &mut self,
        name: &str,
        x: ValueId,
        out: usize,
        last: bool,
    ) -> Result<ValueId, GraphError> {
        let features = self.graph.shape(x).get(1).copied().unwrap_or(0);
        let gain = if last { 1.0 } else { 6.0 };
        let weight = self.weight(name, &[out, features], features, gain)?;
        let bias = self.graph.param(&format!("{name}.bias"), &[out], vec![0.0; out])?;
        self.graph.node(name, Op::Gemm { transposed: false }, &[x, weight, bias])
    }

    fn conv_weight(
        &mut self,
        name: &str,
        x: ValueId,
        out: usize,
        kernel: usize,
    ) -> Result<ValueId, GraphError> {
        let channels = self.graph.shape(x)[1];
        let fan_in = channels * kernel * kernel;
        self.weight(name, &[out, channels, kernel, kernel], fan_in, 6.0)
    }

    fn weight(
        &mut self,
        layer: &str,
        shape: &[usize],
        fan_in: usize,
        gain: f32,
    ) -> Result<ValueId, GraphError> {
        let name = format!("{layer}.weight");
        let mut stream = Stream::new(self.seed, &format!("initial {name}"));
        let bound = (gain / fan_in as f32).sqrt();
        let count = shape.iter().product();
        let data: Vec<f32> = (0..count).map(|_| stream.uniform(-bound, bound)).collect();
        self.graph.param(&name, shape, data)
    }
}
