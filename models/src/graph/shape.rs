//! The shape rule of every operation.

use super::error::GraphError;
use super::op::{ConvAttrs, Op, Pads, PoolAttrs};

/// Shape of the result of `op` on operands of the given shapes.
pub(super) fn infer(node: &str, op: &Op, operands: &[&[usize]]) -> Result<Vec<usize>, GraphError> {
    let (low, high) = op.arity();
    if operands.len() < low || operands.len() > high {
        return Err(GraphError::Arity {
            node: node.to_owned(),
            op: op.name(),
            expected: (low, high),
            found: operands.len(),
        });
    }
    result(op, operands).map_err(|reason| GraphError::Shape {
        node: node.to_owned(),
        op: op.name(),
        operands: operands.iter().map(|s| s.to_vec()).collect(),
        reason,
    })
}

fn result(op: &Op, operands: &[&[usize]]) -> Result<Vec<usize>, String> {
    let x = operands[0];
    match op {
        Op::Conv(attrs) => conv(attrs, x, operands[1], operands.get(2).copied()),
        Op::ConvTranspose { conv, output_padding } => {
            conv_transpose(conv, *output_padding, x, operands[1])
        }
        Op::Gemm { transposed } => gemm(*transposed, x, operands[1], operands.get(2).copied()),
        Op::BatchNorm { .. } => {
            let &[_, c, ..] = x else { return Err("needs an operand with a channel axis".into()) };
            let all = operands[1..].iter().all(|p| **p == [c]);
            all.then(|| x.to_vec()).ok_or_else(|| format!("needs four vectors of length {c}"))
        }
        Op::Relu
        | Op::LeakyRelu { .. }
        | Op::Silu
        | Op::HardSigmoid { .. }
        | Op::HardSwish
        | Op::Softplus { .. }
        | Op::Sigmoid { .. }
        | Op::Sign
        | Op::Hat { .. }
        | Op::Round
        | Op::Exp
        | Op::Log
        | Op::Erf => Ok(x.to_vec()),
        Op::Power { exponent } if *exponent != 0.0 => Ok(x.to_vec()),
        Op::Power { .. } => Err("needs an exponent other than 0".to_owned()),
        Op::MatMul => mat_mul(x, operands[1]),
        Op::Clip { low, high } if low <= high => Ok(x.to_vec()),
        Op::Clip { low, high } => Err(format!("needs bounds in order, not {low} and {high}")),
        Op::MaxPool(attrs) | Op::AveragePool(attrs) => pool(attrs, x),
        Op::GlobalAveragePool => image(x).map(|[n, c, _, _]| vec![n, c, 1, 1]),
        Op::Add | Op::Sub | Op::Mul => broadcast(x, operands[1]),
        Op::Concat => concat(operands),
        Op::Flatten => Ok(vec![batch(x)?, x[1..].iter().product()]),
        Op::Reshape { shape } => {
            let n = batch(x)?;
            if checked_product(shape) != checked_product(&x[1..]) {
                return Err(format!("cannot become [{n}, {shape:?}]: other number of elements"));
            }
            Ok([&[n], shape.as_slice()].concat())
        }
        Op::Transpose { order } => {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            if !sorted.into_iter().eq(1..x.len()) {
                return Err(format!("cannot put its axes into the order {order:?}"));
            }
            Ok(std::iter::once(batch(x)?).chain(order.iter().map(|&axis| x[axis])).collect())
        }
        Op::Pad { pads, .. } => {
            let [n, c, h, w] = image(x)?;
            let grown = |axis: usize, size: usize| {
                let [before, after] = pads[axis];
                size.checked_add(before)?.checked_add(after)
            };
            match (grown(0, c), grown(1, h), grown(2, w)) {
                (Some(c), Some(h), Some(w)) => Ok(vec![n, c, h, w]),
                _ => Err("pads overflow".to_owned()),
            }
        }
        Op::Slice { ranges } => {
            let [n, sizes @ ..] = image(x)?;
            let mut shape = vec![n];
            for (range, size) in ranges.iter().zip(sizes) {
                if range.step == 0 || range.start >= range.end || range.end > size {
                    return Err(format!("cannot take {range:?} of an axis of length {size}"));
                }
                shape.push((range.end - range.start).div_ceil(range.step));
            }
            Ok(shape)
        }
        Op::DepthToSpace { block } => {
            let [n, c, h, w] = image(x)?;
            if *block == 0 || !c.is_multiple_of(block * block) {
                return Err(format!("needs channels in multiples of {block} squared"));
            }
            Ok(vec![n, c / (block * block), h * block, w * block])
        }
        Op::ReduceSum { axes } => {
            if axes.iter().any(|&a| a == 0 || a >= x.len()) {
                return Err(format!("cannot sum over axes {axes:?}"));
            }
            let kept = |(i, &d)| if axes.contains(&i) { 1 } else { d };
            Ok(x.iter().enumerate().map(kept).collect())
        }
        Op::OneHotArgMax => match x {
            [_, _] => Ok(x.to_vec()),
            _ => Err("needs scores [batch, class]".to_owned()),
        },
    }
}

fn mat_mul(x: &[usize], y: &[usize]) -> Result<Vec<usize>, String> {
    let ([n, c, rows, inner], [m, d, wanted, columns]) = (image(x)?, image(y)?);
    if inner != wanted {
        return Err(format!("cannot multiply rows of {inner} with columns of {wanted}"));
    }
    Ok([&broadcast(&[n, c], &[m, d])?[..], &[rows, columns]].concat())
}

fn image(x: &[usize]) -> Result<[usize; 4], String> {
    <[usize; 4]>::try_from(x).map_err(|_| "needs an operand [batch, channel, row, column]".into())
}

fn batch(x: &[usize]) -> Result<usize, String> {
    x.first().copied().ok_or_else(|| "needs an operand with a batch axis".to_owned())
}

fn checked_product(dims: &[usize]) -> Option<usize> {
    dims.iter().try_fold(1usize, |a, &d| a.checked_mul(d))
}

fn check_conv(attrs: &ConvAttrs) -> Result<(), String> {
    let positive = attrs.stride.iter().chain(&attrs.dilation).all(|&v| v > 0) && attrs.groups > 0;
    positive.then_some(()).ok_or_else(|| "needs stride, dilation and groups of 1 or more".into())
}

/// Number of window positions along one axis, and the cells left over behind the last one.
pub(crate) fn windows(size: usize, extent: usize, stride: usize) -> Option<(usize, usize)> {
    let room = size.checked_sub(extent)?;
    Some((room / stride + 1, room % stride))
}

/// Rows and columns behind the last window of a convolution over an image of `size` with a kernel
/// of `kernel` taps: the output padding with which its transpose restores the size.
///
/// The graph has checked that the window fits.
pub(crate) fn left_over(attrs: &ConvAttrs, size: [usize; 2], kernel: [usize; 2]) -> [usize; 2] {
    [0, 1].map(|axis| {
        let padded = size[axis] + attrs.pads[axis] + attrs.pads[axis + 2];
        let extent = attrs.dilation[axis] * (kernel[axis] - 1) + 1;
        windows(padded, extent, attrs.stride[axis]).map_or(0, |(_, rest)| rest)
    })
}

fn axis_pads(pads: &Pads, axis: usize) -> Option<usize> {
    pads[axis].checked_add(pads[axis + 2])
}

fn window_axis(
    size: usize,
    kernel: usize,
    dilation: usize,
    stride: usize,
    pads: Option<usize>,
) -> Result<usize, String> {
    let extent = kernel.checked_sub(1).and_then(|k| k.checked_mul(dilation)?.checked_add(1));
    let padded = pads.and_then(|p| size.checked_add(p));
    let count = match (extent, padded) {
        (Some(extent), Some(padded)) => windows(padded, extent, stride).map(|(count, _)| count),
        _ => None,
    };
    count.ok_or_else(|| format!("has a window that does not fit an axis of length {size}"))
}

fn conv(
    attrs: &ConvAttrs,
    x: &[usize],
    weight: &[usize],
    bias: Option<&[usize]>,
) -> Result<Vec<usize>, String> {
    check_conv(attrs)?;
    let [n, c, h, w] = image(x)?;
    let &[o, per_group, kh, kw] = weight else {
        return Err("needs a weight [out, in, row, column]".to_owned());
    };
    let groups = attrs.groups;
    if per_group.checked_mul(groups) != Some(c) || !o.is_multiple_of(groups) {
        return Err(format!("has channels that do not fit {groups} groups"));
    }
    if bias.is_some_and(|b| b != [o]) {
        return Err(format!("needs a bias of length {o}"));
    }
    let [sh, sw] = attrs.stride;
    let [dh, dw] = attrs.dilation;
    let rows = window_axis(h, kh, dh, sh, axis_pads(&attrs.pads, 0))?;
    let columns = window_axis(w, kw, dw, sw, axis_pads(&attrs.pads, 1))?;
    Ok(vec![n, o, rows, columns])
}

fn conv_transpose(
    attrs: &ConvAttrs,
    output_padding: [usize; 2],
    x: &[usize],
    weight: &[usize],
) -> Result<Vec<usize>, String> {
    check_conv(attrs)?;
    let [n, c, h, w] = image(x)?;
    let &[o, per_group, kh, kw] = weight else {
        return Err("needs a weight [in, out, row, column]".to_owned());
    };
    if o != c || !c.is_multiple_of(attrs.groups) {
        return Err(format!("has channels that do not fit {} groups", attrs.groups));
    }
    let axis = |a: usize, size: usize, kernel: usize| {
        let spread = attrs.stride[a].checked_mul(size - 1)?;
        let extent = attrs.dilation[a].checked_mul(kernel.checked_sub(1)?)?;
        let full = spread.checked_add(extent)?.checked_add(output_padding[a])?.checked_add(1)?;
        full.checked_sub(axis_pads(&attrs.pads, a)?)
    };
    match (axis(0, h, kh), axis(1, w, kw), per_group.checked_mul(attrs.groups)) {
        (Some(rows), Some(columns), Some(out)) => Ok(vec![n, out, rows, columns]),
        _ => Err("has pads larger than its result".to_owned()),
    }
}

fn gemm(
    transposed: bool,
    x: &[usize],
    weight: &[usize],
    bias: Option<&[usize]>,
) -> Result<Vec<usize>, String> {
    let (&[n, features], &[out, inner]) = (x, weight) else {
        return Err("needs x [batch, feature] and a weight [out, in]".to_owned());
    };
    let (inner_size, result) = if transposed { (out, inner) } else { (inner, out) };
    if features != inner_size || bias.is_some_and(|b| b != [out]) {
        return Err(format!("needs {inner_size} features and a bias of length {out}"));
    }
    Ok(vec![n, result])
}

fn pool(attrs: &PoolAttrs, x: &[usize]) -> Result<Vec<usize>, String> {
    let [n, c, h, w] = image(x)?;
    if attrs.stride.contains(&0) || attrs.kernel.contains(&0) {
        return Err("needs kernel and stride of 1 or more".to_owned());
    }
    let [top, left, bottom, right] = attrs.pads;
    let [kh, kw] = attrs.kernel;
    if top >= kh || bottom >= kh || left >= kw || right >= kw {
        return Err("has pads as large as its window".to_owned());
    }
    let rows = window_axis(h, kh, 1, attrs.stride[0], axis_pads(&attrs.pads, 0))?;
    let columns = window_axis(w, kw, 1, attrs.stride[1], axis_pads(&attrs.pads, 1))?;
    Ok(vec![n, c, rows, columns])
}

fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>, String> {
    if a.len() != b.len() {
        return Err("needs operands of one rank".to_owned());
    }
    let merged = a.iter().zip(b).map(|(&x, &y)| match (x, y) {
        (x, y) if x == y => Some(x),
        (1, y) => Some(y),
        (x, 1) => Some(x),
        _ => None,
    });
    merged.collect::<Option<_>>().ok_or_else(|| "has operands that do not broadcast".to_owned())
}

fn concat(operands: &[&[usize]]) -> Result<Vec<usize>, String> {
    let mut shape = operands[0].to_vec();
    if shape.len() < 2 {
        return Err("needs operands with a channel axis".to_owned());
    }
    for other in &operands[1..] {
        let fits = other.len() == shape.len()
            && other.iter().zip(&shape).enumerate().all(|(i, (a, b))| i == 1 || a == b);
        if !fits {
            return Err("needs operands that differ in the channel axis only".to_owned());
        }
        shape[1] = shape[1].checked_add(other[1]).ok_or("has too many channels")?;
    }
    Ok(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(op: Op, operands: &[&[usize]]) -> Result<Vec<usize>, GraphError> {
        infer("n", &op, operands)
    }

    #[test]
    fn strided_convolution_rounds_down() {
        let attrs = ConvAttrs::same(1).with_stride(2);
        assert_eq!(
            shape(Op::Conv(attrs), &[&[1, 3, 32, 33], &[8, 3, 3, 3]]),
            Ok(vec![1, 8, 16, 17])
        );
    }

    #[test]
    fn transposed_convolution_restores_the_size() {
        let conv = ConvAttrs::same(1).with_stride(2);
        let op = Op::ConvTranspose { conv, output_padding: [1, 0] };
        assert_eq!(shape(op, &[&[1, 8, 16, 17], &[8, 3, 3, 3]]), Ok(vec![1, 3, 32, 33]));
    }

    #[test]
    fn a_window_larger_than_the_image_is_an_error_that_names_the_node() {
        let error =
            shape(Op::Conv(ConvAttrs::same(0)), &[&[1, 3, 2, 2], &[8, 3, 3, 3]]).unwrap_err();
        assert!(error.to_string().contains("node 'n' (Conv)"), "{error}");
    }

    #[test]
    fn hostile_sizes_overflow_into_errors() {
        let huge = usize::MAX;
        assert!(shape(Op::Reshape { shape: vec![huge, huge] }, &[&[1, 4]]).is_err());
        let pads = [[0, 0], [huge, huge], [0, 0]];
        assert!(shape(Op::Pad { pads, value: 0.0 }, &[&[1, 1, 2, 2]]).is_err());
        let attrs = ConvAttrs { dilation: [huge, 1], ..ConvAttrs::same(0) };
        assert!(shape(Op::Conv(attrs), &[&[1, 1, 8, 8], &[1, 1, 3, 3]]).is_err());
    }

    #[test]
    fn too_few_operands_are_counted() {
        let error = shape(Op::Add, &[&[1, 2]]).unwrap_err();
        assert!(matches!(error, GraphError::Arity { expected: (2, 2), found: 1, .. }));
    }
}
