//! Layers with their weights, added one by one.

use super::Task;
use super::initial::Scheme;
use crate::graph::{ConvAttrs, Graph, GraphError, Op, PoolAttrs, ValueId};
use crate::names::{IMAGE, LOGITS, PIXELS};
use crate::pixels::reversed_channels;
use crate::random::Stream;

/// PyTorch's default, which most published checkpoints were trained with.
const BATCH_NORM_EPSILON: f32 = 1e-5;

/// A graph under construction; parameters are named as PyTorch names them (`layer.weight`).
pub(super) struct Layers {
    pub(super) graph: Graph,
    seed: u64,
    /// How the weights of further layers start.
    pub(super) scheme: Scheme,
    /// What further batch norms add to the variance.
    pub(super) epsilon: f32,
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
        let pixels = graph.node(PIXELS, Op::Mul, &[centred, scale])?;
        let pixels = if task.bgr { reversed_channels(&mut graph, pixels)? } else { pixels };
        let (scheme, epsilon) = (Scheme::HE_UNIFORM, BATCH_NORM_EPSILON);
        Ok(Self { graph, seed, scheme, epsilon, pixels })
    }

    pub(super) fn finish(mut self, logits: ValueId) -> Result<Graph, GraphError> {
        self.graph.rename(logits, LOGITS)?;
        self.graph.set_outputs(&[logits]);
        Ok(self.graph)
    }

    /// Number of channels or features of a value.
    pub(super) fn channels(&self, x: ValueId) -> usize {
        self.graph.shape(x)[1]
    }

    /// Rows and columns of a value.
    pub(super) fn size(&self, x: ValueId) -> [usize; 2] {
        let &[_, _, rows, columns] = self.graph.shape(x) else { unreachable!("x is an image") };
        [rows, columns]
    }

    pub(super) fn conv(
        &mut self,
        name: &str,
        x: ValueId,
        out: usize,
        kernel: usize,
        attrs: ConvAttrs,
    ) -> Result<ValueId, GraphError> {
        let shape = self.filters(x, out, kernel, attrs);
        let weight = self.weight(name, &shape)?;
        let bias = self.bias(name, &shape)?;
        self.graph.node(name, Op::Conv(attrs), &[x, weight, bias])
    }

    /// A convolution without bias.
    pub(super) fn conv_alone(
        &mut self,
        name: &str,
        x: ValueId,
        out: usize,
        kernel: usize,
        attrs: ConvAttrs,
    ) -> Result<ValueId, GraphError> {
        let shape = self.filters(x, out, kernel, attrs);
        let weight = self.weight(name, &shape)?;
        self.graph.node(name, Op::Conv(attrs), &[x, weight])
    }

    /// A batch norm that changes nothing yet.
    pub(super) fn norm(&mut self, name: &str, x: ValueId) -> Result<ValueId, GraphError> {
        let channels = self.channels(x);
        let mut operands = vec![x];
        for (part, value) in
            [("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)]
        {
            let data = vec![value; channels];
            operands.push(self.graph.param(&format!("{name}.{part}"), &[channels], data)?);
        }
        self.graph.node(name, Op::BatchNorm { epsilon: self.epsilon }, &operands)
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
        let y = self.conv_alone(conv, x, out, kernel, attrs)?;
        self.norm(norm, y)
    }

    pub(super) fn relu(&mut self, name: &str, x: ValueId) -> Result<ValueId, GraphError> {
        self.graph.node(name, Op::Relu, &[x])
    }

    /// Maxima of square windows.
    pub(super) fn max_pool(
        &mut self,
        name: &str,
        x: ValueId,
        [kernel, stride, pad]: [usize; 3],
    ) -> Result<ValueId, GraphError> {
        let pool = PoolAttrs { kernel: [kernel; 2], stride: [stride; 2], pads: [pad; 4] };
        self.graph.node(name, Op::MaxPool(pool), &[x])
    }

    /// Maxima of square windows; a window that lies in the image only in part counts, if it starts
    /// in it (`ceil_mode`).
    pub(super) fn max_pool_ceil(
        &mut self,
        name: &str,
        x: ValueId,
        [kernel, stride]: [usize; 2],
    ) -> Result<ValueId, GraphError> {
        let [bottom, right] = self.size(x).map(|size| {
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

    /// Means of `target` windows along rows and columns (`AdaptiveAvgPool2d`); an axis that is not
    /// longer stays as it is.
    ///
    /// # Errors
    /// An axis is longer than the target and no multiple of it: PyTorch's windows overlap then.
    pub(super) fn adaptive_average_pool(
        &mut self,
        name: &str,
        x: ValueId,
        target: usize,
    ) -> Result<ValueId, GraphError> {
        let size = self.size(x);
        if size.iter().any(|&s| s > target && !s.is_multiple_of(target)) {
            return Err(GraphError::Shape {
                node: name.to_owned(),
                op: "AveragePool",
                operands: vec![self.graph.shape(x).to_vec()],
                reason: format!(
                    "needs at most {target} rows and columns or a multiple: take a larger or \
                     smaller image"
                ),
            });
        }
        if size.iter().all(|&s| s <= target) {
            return Ok(x);
        }
        let kernel = size.map(|s| if s > target { s / target } else { 1 });
        let pool = PoolAttrs { kernel, stride: kernel, pads: [0; 4] };
        self.graph.node(name, Op::AveragePool(pool), &[x])
    }

    /// Means over rows and columns, one feature per channel.
    pub(super) fn global_average(&mut self, x: ValueId) -> Result<ValueId, GraphError> {
        let pooled = self.graph.node("pool", Op::GlobalAveragePool, &[x])?;
        self.graph.node("features", Op::Flatten, &[pooled])
    }

    pub(super) fn dense(
        &mut self,
        name: &str,
        x: ValueId,
        out: usize,
    ) -> Result<ValueId, GraphError> {
        let shape = [out, self.channels(x)];
        let data = self.scheme.dense.weights(&mut self.stream(name, "weight"), &shape);
        let weight = self.graph.param(&format!("{name}.weight"), &shape, data)?;
        let bias = self.bias(name, &shape)?;
        self.graph.node(name, Op::Gemm { transposed: false }, &[x, weight, bias])
    }

    fn filters(&self, x: ValueId, out: usize, kernel: usize, attrs: ConvAttrs) -> [usize; 4] {
        [out, self.channels(x) / attrs.groups, kernel, kernel]
    }

    /// Weights of a convolution.
    fn weight(&mut self, layer: &str, shape: &[usize]) -> Result<ValueId, GraphError> {
        let data = self.scheme.conv.weights(&mut self.stream(layer, "weight"), shape);
        self.graph.param(&format!("{layer}.weight"), shape, data)
    }

    fn bias(&mut self, layer: &str, shape: &[usize]) -> Result<ValueId, GraphError> {
        let data = self.scheme.biases.values(&mut self.stream(layer, "bias"), shape);
        self.graph.param(&format!("{layer}.bias"), &shape[..1], data)
    }

    fn stream(&self, layer: &str, part: &str) -> Stream {
        Stream::new(self.seed, &format!("initial {layer}.{part}"))
    }
}
