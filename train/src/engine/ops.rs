//! Every operation of a graph as Burn tensor operations.

use burn::tensor::ops::{ConvOptions, ConvTransposeOptions, MaxPoolOptions, PadMode};
use burn::tensor::{Int, Slice, Tensor, activation, module};
use saligate_models::graph::{ConvAttrs, Op, PoolAttrs, Range};

use super::array::{Array, each_rank};

/// Applies `op`; the operands have the shapes that the graph has checked.
pub(super) fn apply(op: &Op, mut operands: Vec<Array>) -> Array {
    let others = operands.split_off(1);
    let x = operands.pop().expect("every operation has an operand");
    let mut others = others.into_iter();
    let mut next = || others.next().expect("the graph has checked the number of operands");
    match op {
        Op::Conv(attrs) => {
            let weight = next().image();
            let bias = others.next().map(Array::vector);
            Array::Image(conv(attrs, x.image(), weight, bias))
        }
        Op::ConvTranspose { conv, output_padding } => {
            Array::Image(conv_transpose(conv, *output_padding, x.image(), next().image()))
        }
        Op::Gemm { transposed } => {
            let weight = next().matrix();
            let bias = others.next().map(Array::vector);
            let weight = if *transposed { weight } else { weight.transpose() };
            let y = x.matrix().matmul(weight);
            Array::Matrix(bias.map_or(y.clone(), |b| y + b.unsqueeze::<2>()))
        }
        Op::BatchNorm { epsilon } => {
            let [scale, shift, mean, variance] = [(); 4].map(|()| channels(next().vector()));
            let x = (x.image() - mean) / (variance + *epsilon).sqrt();
            Array::Image(x * scale + shift)
        }
        Op::Relu => each_rank!(x, x => activation::relu(x)),
        Op::LeakyRelu { alpha } => {
            each_rank!(x, x => {
                let below = activation::relu(x.clone().neg()).mul_scalar(*alpha);
                activation::relu(x) - below
            })
        }
        Op::Silu => each_rank!(x, x => x.clone() * activation::sigmoid(x)),
        Op::HardSigmoid { alpha, beta } => {
            each_rank!(x, x => hard_sigmoid(x, *alpha, *beta))
        }
        Op::HardSwish => each_rank!(x, x => x.clone() * hard_sigmoid(x, 1.0 / 6.0, 0.5)),
        Op::Softplus { beta } => each_rank!(x, x => softplus(x, *beta)),
        Op::Sigmoid { beta } => each_rank!(x, x => activation::sigmoid(x * *beta)),
        // A step has no slope: keep it out of the autodiff graph.
        Op::Sign => each_rank!(x, x => x.detach().sign()),
        Op::Hat { width } => each_rank!(x, x => {
            activation::relu(1.0 - x.abs() * (1.0 / width)) * (1.0 / width)
        }),
        Op::Round => each_rank!(x, x => x.detach().round()),
        Op::Exp => each_rank!(x, x => x.exp()),
        Op::Log => each_rank!(x, x => x.log()),
        Op::Power { exponent } => each_rank!(x, x => power(x, *exponent)),
        Op::Erf => each_rank!(x, x => x.erf()),
        Op::MatMul => {
            let (x, y) = (x.image(), next().image());
            let front = [0, 1].map(|axis| x.dims()[axis].max(y.dims()[axis]));
            let wide = |x: Tensor<4>| {
                let [_, _, rows, columns] = x.dims();
                x.expand([front[0], front[1], rows, columns])
            };
            Array::Image(wide(x).matmul(wide(y)))
        }
        Op::Clip { low, high } => each_rank!(x, x => x.clamp(*low, *high)),
        Op::MaxPool(attrs) => {
            let x = framed(x.image(), attrs, f32::NEG_INFINITY);
            let options = MaxPoolOptions::new(attrs.kernel).with_stride(attrs.stride);
            Array::Image(module::max_pool2d(x, options))
        }
        Op::AveragePool(attrs) => {
            let x = framed(x.image(), attrs, 0.0);
            let options =
                burn::tensor::ops::AvgPoolOptions::new(attrs.kernel).with_stride(attrs.stride);
            Array::Image(module::avg_pool2d(x, options))
        }
        Op::GlobalAveragePool => Array::Image(x.image().mean_dim(2).mean_dim(3)),
        Op::Add => binary(x, next(), |a, b| a + b, |a, b| a + b),
        Op::Sub => binary(x, next(), |a, b| a - b, |a, b| a - b),
        Op::Mul => binary(x, next(), |a, b| a * b, |a, b| a * b),
        Op::Concat => match x {
            Array::Image(x) => {
                let all = std::iter::once(x).chain(others.map(Array::image)).collect();
                Array::Image(Tensor::cat(all, 1))
            }
            x => {
                let all = std::iter::once(x).chain(others).map(Array::matrix).collect();
                Array::Matrix(Tensor::cat(all, 1))
            }
        },
        Op::Flatten => {
            let features = x.shape()[1..].iter().product();
            reshape(x, &[features])
        }
        Op::Reshape { shape } => reshape(x, shape),
        Op::Transpose { order } => match order[..] {
            [a, b, c] => Array::Image(x.image().permute([0, a, b, c].map(|axis| axis as isize))),
            _ => x,
        },
        Op::Pad { pads, value } => {
            let pairs = pads.map(|[before, after]| (before, after));
            Array::Image(x.image().pad(pairs, PadMode::Constant(*value)))
        }
        Op::Slice { ranges } => Array::Image(slice(x.image(), ranges)),
        Op::DepthToSpace { block } => Array::Image(depth_to_space(x.image(), *block)),
        Op::ReduceSum { axes } => {
            each_rank!(x, x => axes.iter().fold(x, |x, &axis| x.sum_dim(axis)))
        }
        Op::OneHotArgMax => Array::Matrix(one_hot_arg_max(x.matrix())),
    }
}

/// `[channel]` as `[1, channel, 1, 1]`.
pub(super) fn channels(x: Tensor<1>) -> Tensor<4> {
    let [count] = x.dims();
    x.reshape([1, count, 1, 1])
}

fn binary(
    a: Array,
    b: Array,
    matrices: impl Fn(Tensor<2>, Tensor<2>) -> Tensor<2>,
    images: impl Fn(Tensor<4>, Tensor<4>) -> Tensor<4>,
) -> Array {
    match a {
        Array::Image(a) => Array::Image(images(a, b.image())),
        a => Array::Matrix(matrices(a.matrix(), b.matrix())),
    }
}

fn conv(attrs: &ConvAttrs, x: Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>) -> Tensor<4> {
    let ConvAttrs { stride, pads: [top, left, bottom, right], dilation, groups } = *attrs;
    let padding = [(top, bottom), (left, right)];
    let options = ConvOptions::new_with_padding(stride, padding, dilation, groups);
    module::conv2d(x, weight, bias, options)
}

fn conv_transpose(
    attrs: &ConvAttrs,
    output_padding: [usize; 2],
    x: Tensor<4>,
    weight: Tensor<4>,
) -> Tensor<4> {
    let ConvAttrs { stride, pads: [top, left, bottom, right], dilation, groups } = *attrs;
    let even = top == bottom && left == right;
    let padding = if even { [top, left] } else { [0, 0] };
    let options = ConvTransposeOptions::new(stride, padding, output_padding, dilation, groups);
    let y = module::conv_transpose2d(x, weight, None, options);
    if even {
        return y;
    }
    let [n, c, h, w] = y.dims();
    y.slice([0..n, 0..c, top..h - bottom, left..w - right])
}

/// Products and reciprocals where the exponent allows, whose slopes of any order are defined.
fn power<const D: usize>(x: Tensor<D>, exponent: f32) -> Tensor<D> {
    match exponent {
        1.0 => x,
        2.0 => x.clone() * x,
        0.5 => x.sqrt(),
        -0.5 => x.sqrt().recip(),
        -1.0 => x.recip(),
        _ => x.powf_scalar(exponent),
    }
}

fn hard_sigmoid<const D: usize>(x: Tensor<D>, alpha: f32, beta: f32) -> Tensor<D> {
    (x * alpha + beta).clamp(0.0, 1.0)
}

/// A mask that a loss is differentiated through as if it rose around x = 0 with the slope of a hat:
/// what is added is zero, and has that slope.
pub(super) fn with_hat(mask: Array, x: Array, width: f32) -> Array {
    fn rise<const D: usize>(x: Tensor<D>, width: f32) -> Tensor<D> {
        let t = (x * (1.0 / width)).clamp(-1.0, 1.0);
        let rise = t.clone() - t.clone() * t.abs() * 0.5;
        rise.clone() - rise.detach()
    }
    match (mask, x) {
        (Array::Vector(mask), Array::Vector(x)) => Array::Vector(mask + rise(x, width)),
        (Array::Matrix(mask), Array::Matrix(x)) => Array::Matrix(mask + rise(x, width)),
        (Array::Image(mask), Array::Image(x)) => Array::Image(mask + rise(x, width)),
        _ => unreachable!("a mask has the rank of what it is the mask of"),
    }
}

/// `max(x, 0) + ln(1 + exp(-beta |x|)) / beta`, which cannot overflow.
fn softplus<const D: usize>(x: Tensor<D>, beta: f32) -> Tensor<D> {
    let tail = x.clone().abs().mul_scalar(-beta).exp().log1p().div_scalar(beta);
    activation::relu(x) + tail
}

/// x with the padding of its pooling windows written out.
fn framed(x: Tensor<4>, attrs: &PoolAttrs, value: f32) -> Tensor<4> {
    let [top, left, bottom, right] = attrs.pads;
    if attrs.pads == [0; 4] {
        return x;
    }
    x.pad([(top, bottom), (left, right)], PadMode::Constant(value))
}

fn reshape(x: Array, rest: &[usize]) -> Array {
    let n = x.shape()[0];
    match *rest {
        [features] => Array::Matrix(match x {
            Array::Image(x) => x.reshape([n, features]),
            x => x.matrix().reshape([n, features]),
        }),
        [c, h, w] => Array::Image(match x {
            Array::Image(x) => x.reshape([n, c, h, w]),
            x => x.matrix().reshape([n, c, h, w]),
        }),
        _ => panic!("the training engine has values of rank 2 and 4, not [batch, {rest:?}]"),
    }
}

fn slice(x: Tensor<4>, ranges: &[Range; 3]) -> Tensor<4> {
    let along = |r: &Range| Slice::new(r.start as isize, Some(r.end as isize), r.step as isize);
    let [n, ..] = x.dims();
    let batch = Slice::new(0, Some(n as isize), 1);
    x.slice([batch, along(&ranges[0]), along(&ranges[1]), along(&ranges[2])])
}

fn depth_to_space(x: Tensor<4>, block: usize) -> Tensor<4> {
    let [n, c, h, w] = x.dims();
    let c = c / (block * block);
    let phases: Tensor<6> = x.reshape([n, block, block, c, h, w]);
    phases.permute([0, 3, 4, 1, 5, 2]).reshape([n, c, h * block, w * block])
}

fn one_hot_arg_max(x: Tensor<2>) -> Tensor<2> {
    let [n, k] = x.dims();
    let best = x.clone().detach().argmax(1).expand([n, k]);
    let classes: Tensor<1, Int> = Tensor::arange(0..k as i64, &x.device());
    best.equal(classes.unsqueeze::<2>().expand([n, k])).float()
}
