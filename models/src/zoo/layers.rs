//! Layers with their weights, added one by one.

use super::Task;
use super::initial::{Draw, Scheme};
use crate::graph::{ConvAttrs, Graph, GraphError, Op, PoolAttrs, Range, ValueId};
use crate::random::Stream;
use crate::saliency::{IMAGE, LOGITS};

/// PyTorch's default, which published checkpoints were trained with.
const BATCH_NORM_EPSILON: f32 = 1e-5;

/// A graph under construction; parameters are named as PyTorch names them (`layer.weight`).
pub(super) struct Layers {
    pub(super) graph: Graph,
    seed: u64,
    /// How the weights of further layers start.
    pub(super) scheme: Scheme,
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
        let pixels = if task.bgr { reversed(&mut graph, pixels)? } else { pixels };
        Ok(Self { graph, seed, scheme: Scheme::HE_UNIFORM, pixels })
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

    /// Maxima of square windows; a window that lies in the image only in part counts, if it starts
    /// in it (`ceil_mode`).
    pub(super) fn max_pool_ceil(
        &mut self,
        name: &str,
        x: ValueId,
        kernel: usize,
        stride: usize,
    ) -> Result<ValueId, GraphError> {
        let &[_, _, rows, columns] = self.graph.shape(x) else { unreachable!("x is an image") };
        let [bottom, right] = [rows, columns].map(|size| {
            let wanted = match size.checked_sub(kernel) {
                Some(room) => room.div_ceil(stride) * stride + kernel,
                None if size + stride > kernel => kernel,
                None => size,
            };
            wanted - size
        });
        let pads = [0, 0, bottom, right];
        let pool = PoolAttrs { kernel: [kernel; 2], stride: [stride; 2], pads };
        self.graph.node(name, Op::MaxPool(pool), &[x])
    }

    pub(super) fn dense(
        &mut self,
        name: &str,
        x: ValueId,
        out: usize,
    ) -> Result<ValueId, GraphError> {
        let features = self.graph.shape(x).get(1).copied().unwrap_or(0);
        let weight = self.weight(name, &[out, features], self.scheme.dense)?;
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
        self.weight(name, &[out, channels, kernel, kernel], self.scheme.conv)
    }

    fn weight(&mut self, layer: &str, shape: &[usize], draw: Draw) -> Result<ValueId, GraphError> {
        let name = format!("{layer}.weight");
        let mut stream = Stream::new(self.seed, &format!("initial {name}"));
        let fan_in = shape[1..].iter().product();
        let data = draw.take(&mut stream, shape.iter().product(), fan_in);
        self.graph.param(&name, shape, data)
    }
}

/// The channels in reverse order.
fn reversed(graph: &mut Graph, pixels: ValueId) -> Result<ValueId, GraphError> {
    let &[_, channels, rows, columns] = graph.shape(pixels) else { unreachable!("an image") };
    let along = |start, end| Range { start, end, step: 1 };
    let single = (0..channels).rev().map(|channel| {
        let ranges = [along(channel, channel + 1), along(0, rows), along(0, columns)];
        graph.node(&format!("pixels.{channel}"), Op::Slice { ranges }, &[pixels])
    });
    let single = single.collect::<Result<Vec<_>, _>>()?;
    graph.node("pixels.reversed", Op::Concat, &single)
}
