//! Operations on planar values, for all that has no kernel of its own: gates, and what surrounds
//! the convolutions.

use std::borrow::Cow;

use saligate_kernels::{Isa, elementary};
use saligate_models::graph::{ConvAttrs, Op};

/// Values and their shape.
type Value<'a> = (&'a [f32], &'a [usize]);

/// Computes one operation.
///
/// Shapes are those of the graph, which has checked that they fit.
pub(super) fn run(isa: Isa, op: &Op, operands: &[Value<'_>], (out, shape): (&mut [f32], &[usize])) {
    let (x, from) = operands[0];
    match op {
        Op::Add => broadcast(operands[0], operands[1], (out, shape), |a, b| a + b),
        Op::Sub => broadcast(operands[0], operands[1], (out, shape), |a, b| a - b),
        Op::Mul => broadcast(operands[0], operands[1], (out, shape), |a, b| a * b),
        Op::Flatten | Op::Reshape { .. } => out.copy_from_slice(x),
        Op::Transpose { order } => transpose(x, from, order, (out, shape)),
        Op::Pad { pads, value } => pad(operands[0], pads, *value, (out, shape)),
        Op::DepthToSpace { block } => depth_to_space(operands[0], *block, (out, shape)),
        Op::ReduceSum { axes } => reduce_sum(operands[0], axes, out),
        Op::OneHotArgMax => one_hot_arg_max(x, out),
        Op::Concat => concat(operands, out, shape),
        Op::Conv(attrs) => {
            conv(attrs, operands, (out, shape));
        }
        Op::ConvTranspose { conv, .. } => conv_transpose(conv, operands, (out, shape)),
        Op::Gemm { transposed } => gemm(*transposed, operands, out),
        Op::BatchNorm { epsilon } => batch_norm(*epsilon, operands, out),
        other => {
            out.copy_from_slice(x);
            each(isa, other, out);
        }
    }
}

fn all(data: &mut [f32], f: impl Fn(f32) -> f32) {
    data.iter_mut().for_each(|v| *v = f(*v));
}

/// An operation on single elements, in place.
pub(super) fn each(isa: Isa, op: &Op, data: &mut [f32]) {
    match *op {
        Op::Relu => all(data, |v| if 0.0 > v { 0.0 } else { v }),
        Op::Clip { low, high } => all(data, |v| {
            if v < low {
                low
            } else if v > high {
                high
            } else {
                v
            }
        }),
        Op::LeakyRelu { alpha } => all(data, |v| if v > 0.0 { v } else { alpha * v }),
        Op::Silu => elementary::silu(isa, data),
        Op::HardSigmoid { alpha, beta } => all(data, |v| (alpha * v + beta).clamp(0.0, 1.0)),
        Op::HardSwish => all(data, |v| v * (v / 6.0 + 0.5).clamp(0.0, 1.0)),
        Op::Hat { width } => {
            let steep = 1.0 / width;
            all(data, |v| (1.0 - v.abs() * steep).max(0.0) * steep);
        }
        Op::Softplus { beta } => all(data, |v| {
            let scaled = beta * v;
            (scaled.max(0.0) + (-scaled.abs()).exp().ln_1p()) / beta
        }),
        Op::Sigmoid { beta } => elementary::sigmoid(isa, beta, data),
        Op::Sign => all(data, |v| if v == 0.0 { 0.0 } else { v.signum() }),
        Op::Round => all(data, round),
        Op::Exp => elementary::exp(isa, data),
        Op::Log => all(data, f32::ln),
        Op::Erf => elementary::erf(isa, data),
        Op::Power { exponent } => power(exponent, data),
        ref other => unreachable!("{} is no operation on single elements", other.name()),
    }
}

/// Roots and reciprocals without a call for each element.
fn power(exponent: f32, data: &mut [f32]) {
    match exponent {
        2.0 => all(data, |v| v * v),
        0.5 => all(data, f32::sqrt),
        -0.5 => all(data, |v| v.sqrt().recip()),
        -1.0 => all(data, f32::recip),
        _ => all(data, |v| v.powf(exponent)),
    }
}

/// The nearest integer, ties to even, without a call for each element: numbers as large as this one
/// have no fractions.
fn round(v: f32) -> f32 {
    const LARGE: f32 = (1 << 23) as f32;
    let rounded = (v.abs() + LARGE) - LARGE;
    if v.abs() < LARGE { rounded.copysign(v) } else { v }
}

/// Elements from one index of an axis to the next; 0 along axes that are repeated.
fn strides(shape: &[usize], repeated_to: &[usize]) -> Vec<usize> {
    let mut step = 1;
    let mut strides: Vec<usize> = shape
        .iter()
        .zip(repeated_to)
        .rev()
        .map(|(&size, &wanted)| {
            let own = if size == wanted { step } else { 0 };
            step *= size;
            own
        })
        .collect();
    strides.reverse();
    strides
}

fn broadcast(
    a: Value<'_>,
    b: Value<'_>,
    (out, shape): (&mut [f32], &[usize]),
    f: impl Fn(f32, f32) -> f32,
) {
    // The innermost axes along which each operand is whole, or one element, make one long axis.
    let whole = |v: Value<'_>, from: usize| v.1[from..] == shape[from..];
    let single = |v: Value<'_>, from: usize| v.1[from..].iter().all(|&d| d == 1);
    let simple = |from: usize| [a, b].iter().all(|&v| whole(v, from) || single(v, from));
    let from = (0..=shape.len()).find(|&from| simple(from)).unwrap_or(shape.len());
    let run: usize = shape[from..].iter().product();
    let outer = &shape[..from];
    let steps = [a, b].map(|v| {
        let inner: usize = v.1[from..].iter().product();
        strides(&v.1[..from], outer).into_iter().map(|s| s * inner).collect::<Vec<_>>()
    });
    let lengths = [a, b].map(|v| v.1[from..].iter().product::<usize>());
    for (number, out) in out.chunks_exact_mut(run).enumerate() {
        let mut rest = number;
        let mut starts = [0; 2];
        for axis in (0..from).rev() {
            let at = rest % outer[axis];
            rest /= outer[axis];
            starts[0] += at * steps[0][axis];
            starts[1] += at * steps[1][axis];
        }
        let a = &a.0[starts[0]..][..lengths[0]];
        let b = &b.0[starts[1]..][..lengths[1]];
        match (a, b) {
            (&[a], &[b]) => out.fill(f(a, b)),
            (&[a], b) => out.iter_mut().zip(b).for_each(|(o, &b)| *o = f(a, b)),
            (a, &[b]) => out.iter_mut().zip(a).for_each(|(o, &a)| *o = f(a, b)),
            (a, b) => out.iter_mut().zip(a.iter().zip(b)).for_each(|(o, (&a, &b))| *o = f(a, b)),
        }
    }
}

/// Calls `visit` with the place in x of every element of the result, in order.
fn gather(shape: &[usize], steps: &[usize], start: usize, mut visit: impl FnMut(usize)) {
    let Some((&inner, outer)) = shape.split_last() else { return };
    let (&step, steps) = steps.split_last().expect("as many steps as axes");
    for number in 0..outer.iter().product() {
        let (mut rest, mut place): (usize, usize) = (number, start);
        for axis in (0..outer.len()).rev() {
            place += rest % outer[axis] * steps[axis];
            rest /= outer[axis];
        }
        (0..inner).for_each(|i| visit(place + i * step));
    }
}

fn transpose(x: &[f32], from: &[usize], order: &[usize], (out, shape): (&mut [f32], &[usize])) {
    if let Some([outer, rows, columns]) = exchanged(from, order) {
        let size = rows * columns;
        for (x, out) in x.chunks_exact(size).zip(out.chunks_exact_mut(size)).take(outer) {
            turn(x, [rows, columns], out);
        }
        return;
    }
    let own = strides(from, from);
    let steps: Vec<usize> = std::iter::once(0).chain(order.iter().map(|&axis| own[axis])).collect();
    let mut out = out.iter_mut();
    gather(shape, &steps, 0, |place| {
        if let Some(o) = out.next() {
            *o = x[place];
        }
    });
}

/// The sizes of a transpose that exchanges two groups of axes, which follow each other, behind some that
/// stay: of these, and of the two groups in the operand.
fn exchanged(from: &[usize], order: &[usize]) -> Option<[usize; 3]> {
    // Axes of one element may stand anywhere.
    let moved: Vec<usize> = order.iter().copied().filter(|&axis| from[axis] > 1).collect();
    let mut sorted = moved.clone();
    sorted.sort_unstable();
    let stay = moved.iter().zip(&sorted).take_while(|(a, b)| a == b).count();
    let (moved, sorted) = (&moved[stay..], &sorted[stay..]);
    let turn = moved.iter().position(|axis| sorted.first() == Some(axis))?;
    let turned = moved[turn..].iter().chain(&moved[..turn]);
    if !turned.eq(sorted) {
        return None;
    }
    let size = |axes: &[usize]| axes.iter().map(|&axis| from[axis]).product::<usize>();
    let all: usize = from.iter().product();
    let [columns, rows] = [size(&moved[..turn]), size(&moved[turn..])];
    Some([all / (rows * columns), rows, columns])
}

/// A matrix with its rows and columns exchanged, by squares that the cache holds.
fn turn(x: &[f32], [rows, columns]: [usize; 2], out: &mut [f32]) {
    const SIDE: usize = 16;
    for row in (0..rows).step_by(SIDE) {
        let last_row = rows.min(row + SIDE);
        for column in (0..columns).step_by(SIDE) {
            for at in column..columns.min(column + SIDE) {
                let to = &mut out[at * rows + row..at * rows + last_row];
                let source = x[row * columns + at..].iter().step_by(columns);
                to.iter_mut().zip(source).for_each(|(o, v)| *o = *v);
            }
        }
    }
}

fn pad(
    (x, from): Value<'_>,
    pads: &[[usize; 2]; 3],
    value: f32,
    (out, shape): (&mut [f32], &[usize]),
) {
    out.fill(value);
    let (rows, columns) = (from[2], from[3]);
    for (line, row) in x.chunks_exact(columns).enumerate() {
        let (channel, y) = (line / rows, line % rows);
        let place = (channel + pads[0][0]) * shape[2] + y + pads[1][0];
        out[place * shape[3] + pads[2][0]..][..columns].copy_from_slice(row);
    }
}

fn depth_to_space((x, from): Value<'_>, block: usize, (out, shape): (&mut [f32], &[usize])) {
    let (channels, rows, columns) = (shape[1], from[2], from[3]);
    for (plane, cells) in x.chunks_exact(rows * columns).enumerate() {
        let (phase, channel) = (plane / channels, plane % channels);
        let [i, j] = [phase / block, phase % block];
        for (y, row) in cells.chunks_exact(columns).enumerate() {
            let start = (channel * shape[2] + y * block + i) * shape[3] + j;
            out[start..].iter_mut().step_by(block).zip(row).for_each(|(o, v)| *o = *v);
        }
    }
}

fn reduce_sum((x, from): Value<'_>, axes: &[usize], out: &mut [f32]) {
    // Axes that follow each other are one.
    let mut groups: Vec<[usize; 2]> = Vec::new();
    for &axis in axes {
        match groups.last_mut() {
            Some(group) if group[1] + 1 == axis => group[1] = axis,
            _ => groups.push([axis, axis]),
        }
    }
    let Some((last, before)) = groups.split_last() else { return out.copy_from_slice(x) };
    let (mut values, mut shape) = (Cow::Borrowed(x), from.to_vec());
    for group in before {
        let [count, inner] = extents(&shape, *group);
        let mut sums = vec![0.0; values.len() / count];
        sum_groups(&values, [count, inner], &mut sums);
        values = Cow::Owned(sums);
        shape[group[0]..=group[1]].fill(1);
    }
    sum_groups(&values, extents(&shape, *last), out);
}

/// Elements of some axes that follow each other, and of those behind them.
fn extents(shape: &[usize], [first, last]: [usize; 2]) -> [usize; 2] {
    [shape[first..=last].iter().product(), shape[last + 1..].iter().product()]
}

/// Sums of groups of `count` runs of `inner` elements.
fn sum_groups(x: &[f32], [count, inner]: [usize; 2], out: &mut [f32]) {
    if inner == 1 {
        out.iter_mut().zip(x.chunks_exact(count)).for_each(|(sum, part)| *sum = sum_of(part));
        return;
    }
    for (sums, whole) in out.chunks_exact_mut(inner).zip(x.chunks_exact(count * inner)) {
        sums.copy_from_slice(&whole[..inner]);
        for part in whole[inner..].chunks_exact(inner) {
            sums.iter_mut().zip(part).for_each(|(sum, v)| *sum += v);
        }
    }
}

/// The sum of a run, as that of a few sums side by side.
fn sum_of(x: &[f32]) -> f32 {
    const SIDE: usize = 16;
    let (whole, rest) = x.as_chunks::<SIDE>();
    let mut sums = [0.0; SIDE];
    for part in whole {
        sums.iter_mut().zip(part).for_each(|(sum, v)| *sum += v);
    }
    rest.iter().zip(&mut sums).for_each(|(v, sum)| *sum += v);
    let mut width = SIDE / 2;
    while width > 0 {
        (0..width).for_each(|i| sums[i] += sums[i + width]);
        width /= 2;
    }
    sums[0]
}

fn one_hot_arg_max(x: &[f32], out: &mut [f32]) {
    out.fill(0.0);
    let mut best = 0;
    for (i, score) in x.iter().enumerate() {
        if *score > x[best] {
            best = i;
        }
    }
    out[best] = 1.0;
}

fn concat(operands: &[Value<'_>], out: &mut [f32], _: &[usize]) {
    let mut start = 0;
    for (part, _) in operands {
        out[start..start + part.len()].copy_from_slice(part);
        start += part.len();
    }
}

/// The output pixels of a row for which a tap reads a pixel of the input: first, end, and the
/// input pixel of the first.
fn reached(
    count: usize,
    size: usize,
    stride: usize,
    tap: usize,
    before: usize,
) -> Option<(usize, usize, usize)> {
    let first = before.saturating_sub(tap).div_ceil(stride);
    let end = (size + before).checked_sub(tap + 1).map(|last| last / stride + 1)?.min(count);
    (first < end).then(|| (first, end, first * stride + tap - before))
}

/// Visits every pair of rows of a convolution that a tap joins: (output channel, input channel,
/// output row, input row, place of the weight, columns as in [`reached`]).
fn row_pairs(
    attrs: &ConvAttrs,
    [x, y]: [&[usize]; 2],
    w: &[usize],
    mut visit: impl FnMut(usize, usize, usize, (usize, usize, usize)),
) {
    let (outs, per_group) = (w[0] / attrs.groups, w[1]);
    let [top, left, ..] = attrs.pads;
    for number in 0..w.iter().product() {
        let (column, rest) = (number % w[3], number / w[3]);
        let (row, rest) = (rest % w[2], rest / w[2]);
        let (i, o) = (rest % per_group, rest / per_group);
        let channel = o / outs * per_group + i;
        let [down, across] = [row * attrs.dilation[0], column * attrs.dilation[1]];
        let Some((first, end, at)) = reached(y[2], x[2], attrs.stride[0], down, top) else {
            continue;
        };
        let Some(columns) = reached(y[3], x[3], attrs.stride[1], across, left) else { continue };
        for line in first..end {
            let from = at + (line - first) * attrs.stride[0];
            visit((o * y[2] + line) * y[3], (channel * x[2] + from) * x[3], number, columns);
        }
    }
}

fn conv(attrs: &ConvAttrs, operands: &[Value<'_>], (out, shape): (&mut [f32], &[usize])) {
    let (x, from) = operands[0];
    let plane = shape[2] * shape[3];
    match operands.get(2) {
        Some((bias, _)) => out.chunks_exact_mut(plane).zip(*bias).for_each(|(o, b)| o.fill(*b)),
        None => out.fill(0.0),
    }
    let (weight, w) = operands[1];
    row_pairs(attrs, [from, shape], w, |to, at, number, (first, end, column)| {
        let factor = weight[number];
        let source = x[at + column..].iter().step_by(attrs.stride[1]);
        out[to + first..to + end].iter_mut().zip(source).for_each(|(o, v)| *o += factor * v);
    });
}

fn conv_transpose(attrs: &ConvAttrs, operands: &[Value<'_>], (out, shape): (&mut [f32], &[usize])) {
    let (x, from) = operands[0];
    out.fill(0.0);
    let (weight, w) = operands[1];
    row_pairs(attrs, [shape, from], w, |at, to, number, (first, end, column)| {
        let factor = weight[number];
        let target = out[to + column..].iter_mut().step_by(attrs.stride[1]);
        target.zip(&x[at + first..at + end]).for_each(|(o, v)| *o += factor * v);
    });
}

/// The slope of the weight of a convolution, `out`, for one image: its input x times the slope h of a
/// loss by its output.
pub(super) fn conv_slope(
    attrs: &ConvAttrs,
    (x, from): Value<'_>,
    (h, to): Value<'_>,
    (out, w): (&mut [f32], &[usize]),
) {
    out.fill(0.0);
    row_pairs(attrs, [from, to], w, |to, at, number, (first, end, column)| {
        let source = x[at + column..].iter().step_by(attrs.stride[1]);
        out[number] += h[to + first..to + end].iter().zip(source).map(|(h, x)| h * x).sum::<f32>();
    });
}

fn gemm(transposed: bool, operands: &[Value<'_>], out: &mut [f32]) {
    let ((x, _), (weight, w)) = (operands[0], operands[1]);
    out.fill(0.0);
    for (o, row) in weight.chunks_exact(w[1]).enumerate() {
        if transposed {
            out.iter_mut().zip(row).for_each(|(to, v)| *to += v * x[o]);
        } else {
            out[o] = row.iter().zip(x).map(|(a, b)| a * b).sum();
        }
    }
    if let Some((bias, _)) = operands.get(2) {
        out.iter_mut().zip(*bias).for_each(|(to, b)| *to += b);
    }
}

fn batch_norm(epsilon: f32, operands: &[Value<'_>], out: &mut [f32]) {
    let [(x, from), scale, shift, mean, variance] = operands else {
        unreachable!("the graph has checked the number of operands")
    };
    let plane: usize = from[2..].iter().product();
    for (channel, (to, x)) in out.chunks_exact_mut(plane).zip(x.chunks_exact(plane)).enumerate() {
        let factor = scale.0[channel] / (variance.0[channel] + epsilon).sqrt();
        let of = |v: &f32| factor * (v - mean.0[channel]) + shift.0[channel];
        to.iter_mut().zip(x).for_each(|(to, v)| *to = of(v));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_their_axes() {
        let shape = [1, 2, 3, 37];
        let x: Vec<f32> = (0..222).map(|i| ((i * 7) % 23) as f32).collect();
        for axes in [vec![1], vec![2], vec![3], vec![1, 2], vec![2, 3], vec![1, 3], vec![1, 2, 3]] {
            let size = |axis: usize| if axes.contains(&axis) { 1 } else { shape[axis] };
            let kept = [size(1), size(2), size(3)];
            let mut wanted = vec![0.0; kept.iter().product()];
            for (at, v) in x.iter().enumerate() {
                let own = [at / 111, at / 37 % 3, at % 37];
                let [c, h, w] = [0, 1, 2].map(|axis| own[axis] % kept[axis]);
                wanted[(c * kept[1] + h) * kept[2] + w] += v;
            }
            let mut found = vec![f32::NAN; wanted.len()];
            reduce_sum((&x, &shape), &axes, &mut found);
            assert_eq!(found, wanted, "{axes:?}");
        }
    }

    #[test]
    fn transposes_put_every_element_in_its_place() {
        let from = [1, 3, 18, 35];
        let x: Vec<f32> = (0..1890).map(|i| i as f32).collect();
        for order in [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]] {
            let shape = [1, from[order[0]], from[order[1]], from[order[2]]];
            let mut found = vec![f32::NAN; 1890];
            transpose(&x, &from, &order, (&mut found, &shape));
            for (to, v) in found.iter().enumerate() {
                let place = [to / (shape[2] * shape[3]), to / shape[3] % shape[2], to % shape[3]];
                let mut own = [0; 4];
                order.iter().zip(place).for_each(|(&axis, at)| own[axis] = at);
                assert_eq!(*v, ((own[1] * 18 + own[2]) * 35 + own[3]) as f32, "{order:?} {to}");
            }
        }
        assert_eq!(exchanged(&[1, 5, 1, 7], &[3, 2, 1]), Some([1, 5, 7]));
        assert_eq!(exchanged(&[1, 5, 2, 7], &[3, 2, 1]), None);
    }

    #[test]
    fn rounding_is_that_of_the_standard_library() {
        let halves = (-41..=41).map(|i| i as f32 / 4.0);
        let edges = [0.0, -0.0, 0.499_999_97, 8_388_607.5, -8_388_608.0, 1e30, f32::INFINITY];
        for v in halves.chain(edges).chain(edges.map(|v| -v)) {
            assert_eq!(round(v).to_bits(), v.round_ties_even().to_bits(), "{v}");
        }
        assert!(round(f32::NAN).is_nan());
    }
}
