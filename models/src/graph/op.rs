//! The operations a graph is made of.

use serde::{Deserialize, Serialize};

/// Zero (or other) cells added around the two image axes: top, left, bottom, right.
pub type Pads = [usize; 4];

/// Attributes of a 2-D convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvAttrs {
    /// Step along rows and columns, each at least 1.
    pub stride: [usize; 2],
    /// Zero padding.
    pub pads: Pads,
    /// Distance between kernel taps along rows and columns, each at least 1.
    pub dilation: [usize; 2],
    /// Number of channel groups, at least 1.
    pub groups: usize,
}

impl ConvAttrs {
    /// Stride 1, no dilation, one group, the same padding on all four sides.
    pub fn same(pad: usize) -> Self {
        Self { stride: [1, 1], pads: [pad; 4], dilation: [1, 1], groups: 1 }
    }

    /// The same attributes with another stride on both axes.
    pub fn with_stride(self, stride: usize) -> Self {
        Self { stride: [stride; 2], ..self }
    }
}

/// Attributes of a 2-D pooling window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolAttrs {
    /// Rows and columns of the window.
    pub kernel: [usize; 2],
    /// Step along rows and columns.
    pub stride: [usize; 2],
    /// Padding: never wins a maximum, counts as zero in an average
    /// (`count_include_pad`).
    pub pads: Pads,
}

impl PoolAttrs {
    /// A square window that moves by its own size, without padding.
    pub fn tiling(size: usize) -> Self {
        Self { kernel: [size; 2], stride: [size; 2], pads: [0; 4] }
    }
}

/// A range along one axis: `start`, `start + step`, ... below `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// First index taken.
    pub start: usize,
    /// First index no longer taken.
    pub end: usize,
    /// Distance between taken indices, at least 1.
    pub step: usize,
}

impl Range {
    /// All of an axis of length `size`.
    pub fn whole(size: usize) -> Self {
        Self { start: 0, end: size, step: 1 }
    }
}

/// One operation with its attributes.
///
/// Activations are `[batch, channel, row, column]` or `[batch, feature]`. No operation mixes
/// entries of the batch axis, so a graph written for a batch of one serves any batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Op {
    /// Cross-correlation. Operands: x `[n, c, h, w]`, weight `[o, c / groups, kh, kw]`, and
    /// optionally bias `[o]`.
    Conv(ConvAttrs),
    /// Transpose of [`Op::Conv`] with respect to x. Operands: x `[n, o, h, w]`, weight
    /// `[o, c / groups, kh, kw]`. The result has
    /// `stride * (h - 1) + output_padding + dilation * (kh - 1) + 1 - top - bottom` rows.
    ConvTranspose {
        /// The attributes of the convolution that is transposed.
        conv: ConvAttrs,
        /// Rows and columns that the forward convolution dropped at the far edge.
        output_padding: [usize; 2],
    },
    /// `x W^T (+ b)` for x `[n, i]`, weight `[o, i]`, bias `[o]`; with `transposed`, `x W` for
    /// x `[n, o]`.
    Gemm {
        /// Whether the weight is applied from its other side.
        transposed: bool,
    },
    /// The matrix product of two computed values, for every entry of the axes in front: x
    /// `[n, c, i, k]` times y `[n, c, k, j]`. An axis in front of length 1 is repeated.
    MatMul,
    /// Inference-time batch normalization: `scale * (x - mean) / sqrt(variance + epsilon) + bias`
    /// per channel (axis 1). Operands: x, scale, bias, mean, variance.
    BatchNorm {
        /// Added to the variance.
        #[serde(with = "bits")]
        epsilon: f32,
    },
    /// `max(x, 0)`.
    Relu,
    /// x where it is positive, `alpha x` elsewhere.
    LeakyRelu {
        /// Slope below zero.
        #[serde(with = "bits")]
        alpha: f32,
    },
    /// `x sigmoid(x)`, also called swish.
    Silu,
    /// `min(max(alpha x + beta, 0), 1)`.
    HardSigmoid {
        /// Slope in the middle.
        #[serde(with = "bits")]
        alpha: f32,
        /// Value at zero.
        #[serde(with = "bits")]
        beta: f32,
    },
    /// `x HardSigmoid(x)` with slope 1/6 and value 1/2 at zero.
    HardSwish,
    /// `ln(1 + exp(beta x)) / beta`.
    Softplus {
        /// Sharpness; the limit of large values is [`Op::Relu`].
        #[serde(with = "bits")]
        beta: f32,
    },
    /// `1 / (1 + exp(-beta x))`, the derivative of [`Op::Softplus`].
    Sigmoid {
        /// Sharpness.
        #[serde(with = "bits")]
        beta: f32,
    },
    /// -1, 0 or 1. A step: its derivative counts as zero everywhere.
    Sign,
    /// `max(0, 1 - |x| / width) / width`: what stands for the slope of a step at 0 where a network
    /// is trained through its masks. Its integral is 1.
    Hat {
        /// Half the length of its foot, above 0.
        #[serde(with = "bits")]
        width: f32,
    },
    /// The nearest integer, ties to even. A staircase: its derivative is zero everywhere.
    Round,
    /// `e^x`.
    Exp,
    /// The natural logarithm.
    Log,
    /// x raised to a constant power, of x above 0, or of any x where the exponent is whole.
    Power {
        /// The exponent, not 0.
        #[serde(with = "bits")]
        exponent: f32,
    },
    /// The error function, `2 / sqrt(pi)` times the integral of `e^(-t^2)` from 0 to x.
    Erf,
    /// `min(max(x, low), high)`.
    Clip {
        /// Smallest result.
        #[serde(with = "bits")]
        low: f32,
        /// Largest result, not below `low`.
        #[serde(with = "bits")]
        high: f32,
    },
    /// Maximum over windows of `[n, c, h, w]`.
    MaxPool(PoolAttrs),
    /// Mean over windows of `[n, c, h, w]`; padding counts as zeros.
    AveragePool(PoolAttrs),
    /// Mean over all rows and columns: `[n, c, h, w]` to `[n, c, 1, 1]`.
    GlobalAveragePool,
    /// Elementwise sum with broadcasting of operands of one rank.
    Add,
    /// Elementwise difference with broadcasting of operands of one rank.
    Sub,
    /// Elementwise product with broadcasting of operands of one rank.
    Mul,
    /// Operands one behind the other along the channel axis (1).
    Concat,
    /// `[n, ...]` to `[n, product of the rest]`.
    Flatten,
    /// `[n, ...]` to `[n, shape...]` with as many elements.
    Reshape {
        /// All axes behind the batch axis.
        shape: Vec<usize>,
    },
    /// The axes behind the batch axis in another order: axis i + 1 of the result is axis `order[i]`
    /// of the operand, counted with the batch axis as 0.
    Transpose {
        /// Each of 1, 2, ... once.
        order: Vec<usize>,
    },
    /// A constant around `[n, c, h, w]`; one pair (before, after) for each of c, h and w.
    Pad {
        /// Added entries, per axis.
        pads: [[usize; 2]; 3],
        /// The constant.
        #[serde(with = "bits")]
        value: f32,
    },
    /// A part of `[n, c, h, w]`; one range for each of c, h and w.
    Slice {
        /// What is kept, per axis.
        ranges: [Range; 3],
    },
    /// `[n, block * block * c, h, w]` to `[n, c, block * h, block * w]`, where the channels of
    /// the operand are ordered (row phase, column phase, channel): ONNX mode DCR.
    DepthToSpace {
        /// Side of a block.
        block: usize,
    },
    /// Sum over the given axes, which stay with length 1.
    ReduceSum {
        /// Axes, ascending, without the batch axis.
        axes: Vec<usize>,
    },
    /// One-hot row of the largest entry of `[n, k]`; the first among equals.
    OneHotArgMax,
}

impl Op {
    /// Name of the operation as ONNX spells it (of the main node where several are written).
    pub fn name(&self) -> &'static str {
        match self {
            Self::Conv(_) => "Conv",
            Self::ConvTranspose { .. } => "ConvTranspose",
            Self::Gemm { .. } => "Gemm",
            Self::MatMul => "MatMul",
            Self::BatchNorm { .. } => "BatchNormalization",
            Self::Relu => "Relu",
            Self::LeakyRelu { .. } => "LeakyRelu",
            Self::Silu => "Silu",
            Self::HardSigmoid { .. } => "HardSigmoid",
            Self::HardSwish => "HardSwish",
            Self::Softplus { .. } => "Softplus",
            Self::Sigmoid { .. } => "Sigmoid",
            Self::Sign => "Sign",
            Self::Hat { .. } => "Hat",
            Self::Round => "Round",
            Self::Exp => "Exp",
            Self::Log => "Log",
            Self::Power { .. } => "Pow",
            Self::Erf => "Erf",
            Self::Clip { .. } => "Clip",
            Self::MaxPool(_) => "MaxPool",
            Self::AveragePool(_) => "AveragePool",
            Self::GlobalAveragePool => "GlobalAveragePool",
            Self::Add => "Add",
            Self::Sub => "Sub",
            Self::Mul => "Mul",
            Self::Concat => "Concat",
            Self::Flatten => "Flatten",
            Self::Reshape { .. } => "Reshape",
            Self::Transpose { .. } => "Transpose",
            Self::Pad { .. } => "Pad",
            Self::Slice { .. } => "Slice",
            Self::DepthToSpace { .. } => "DepthToSpace",
            Self::ReduceSum { .. } => "ReduceSum",
            Self::OneHotArgMax => "ArgMax",
        }
    }

    /// Smallest and largest number of operands.
    pub(super) fn arity(&self) -> (usize, usize) {
        match self {
            Self::Conv(_) => (2, 3),
            Self::Gemm { transposed } => (2, if *transposed { 2 } else { 3 }),
            Self::ConvTranspose { .. } | Self::MatMul | Self::Add | Self::Sub | Self::Mul => (2, 2),
            Self::BatchNorm { .. } => (5, 5),
            Self::Concat => (1, 1024),
            _ => (1, 1),
        }
    }

    /// Positions of the operands that hold trained weights.
    pub(crate) fn weight_operands(&self) -> std::ops::Range<usize> {
        match self {
            Self::Conv(_) | Self::Gemm { .. } => 1..3,
            Self::ConvTranspose { .. } => 1..2,
            Self::BatchNorm { .. } => 1..3,
            _ => 0..0,
        }
    }
}

/// Numbers as their bits: JSON has no infinity, which is what a max pool is padded with.
mod bits {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &f32, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u32(value.to_bits())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f32, D::Error> {
        u32::deserialize(from).map(f32::from_bits)
    }
}
