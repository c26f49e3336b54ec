//! Operations with weights.

use ndarray::{ArrayD, Axis};

use super::Array;
use crate::graph::{ConvAttrs, shape::windows};

fn dims(x: &Array) -> [usize; 4] {
    <[usize; 4]>::try_from(x.shape()).expect("the graph has checked the rank")
}

/// Calls `visit(n, o, c, [row, column] of x, [row, column] of y, weight index)` for every product
/// of a convolution from x to y; positions in the padding are left out.
fn taps(
    attrs: &ConvAttrs,
    x: [usize; 4],
    y: [usize; 4],
    weight: [usize; 4],
    mut visit: impl FnMut([usize; 4], [usize; 4], [usize; 4]),
) {
    let [outs, per_group, kh, kw] = weight;
    let outs_per_group = outs / attrs.groups;
    let place = |axis: usize, at: usize, tap: usize, size: usize| {
        let padded = at * attrs.stride[axis] + tap * attrs.dilation[axis];
        padded.checked_sub(attrs.pads[axis]).filter(|&p| p < size)
    };
    for n in 0..y[0] {
        for o in 0..outs {
            for i in 0..per_group {
                let c = (o / outs_per_group) * per_group + i;
                for (row, column) in (0..y[2]).flat_map(|r| (0..y[3]).map(move |c| (r, c))) {
                    for (a, b) in (0..kh).flat_map(|a| (0..kw).map(move |b| (a, b))) {
                        let (Some(h), Some(w)) =
                            (place(0, row, a, x[2]), place(1, column, b, x[3]))
                        else {
                            continue;
                        };
                        visit([n, c, h, w], [n, o, row, column], [o, i, a, b]);
                    }
                }
            }
        }
    }
}

pub(super) fn conv(attrs: &ConvAttrs, x: &Array, weight: &Array, bias: Option<&Array>) -> Array {
    let ([n, _, h, w], [o, _, kh, kw]) = (dims(x), dims(weight));
    let axis = |a: usize, size: usize, kernel: usize| {
        let padded = size + attrs.pads[a] + attrs.pads[a + 2];
        let extent = attrs.dilation[a] * (kernel - 1) + 1;
        windows(padded, extent, attrs.stride[a]).expect("the graph has checked the window").0
    };
    let shape = [n, o, axis(0, h, kh), axis(1, w, kw)];
    let mut y = ArrayD::from_shape_fn(shape.to_vec(), |i| bias.map_or(0.0, |b| b[i[1]]));
    taps(attrs, dims(x), shape, dims(weight), |at_x, at_y, at_w| {
        y[at_y] += x[at_x] * weight[at_w];
    });
    y
}

pub(super) fn conv_transpose(
    attrs: &ConvAttrs,
    output_padding: [usize; 2],
    x: &Array,
    weight: &Array,
) -> Array {
    let ([n, _, h, w], [_, per_group, kh, kw]) = (dims(x), dims(weight));
    let axis = |a: usize, size: usize, kernel: usize| {
        attrs.stride[a] * (size - 1) + attrs.dilation[a] * (kernel - 1) + 1 + output_padding[a]
            - attrs.pads[a]
            - attrs.pads[a + 2]
    };
    let shape = [n, per_group * attrs.groups, axis(0, h, kh), axis(1, w, kw)];
    let mut y = ArrayD::zeros(shape.to_vec());
    taps(attrs, shape, dims(x), dims(weight), |at_y, at_x, at_w| {
        y[at_y] += x[at_x] * weight[at_w];
    });
    y
}

pub(super) fn gemm(transposed: bool, x: &Array, weight: &Array, bias: Option<&Array>) -> Array {
    let rank = "the graph has checked the rank";
    let x = x.view().into_dimensionality::<ndarray::Ix2>().expect(rank);
    let weight = weight.view().into_dimensionality::<ndarray::Ix2>().expect(rank);
    let mut y = if transposed { x.dot(&weight) } else { x.dot(&weight.t()) };
    if let Some(bias) = bias {
        let bias = bias.view().into_dimensionality::<ndarray::Ix1>().expect(rank);
        y.rows_mut().into_iter().for_each(|mut row| row += &bias);
    }
    y.into_dyn()
}

pub(super) fn batch_norm(epsilon: f64, operands: &[&Array]) -> Array {
    let [x, scale, shift, mean, variance] = operands else {
        unreachable!("the graph has checked the number of operands")
    };
    let mut y = (*x).clone();
    for c in 0..scale.len() {
        let a = scale[c] / (variance[c] + epsilon).sqrt();
        y.index_axis_mut(Axis(1), c).mapv_inplace(|v| a * (v - mean[c]) + shift[c]);
    }
    y
}

/// Adds the slope of a convolution's weight: its input times the slope of a loss by its output.
pub(super) fn add_slope(attrs: &ConvAttrs, x: &Array, h: &Array, sum: &mut Array) {
    let weight = dims(sum);
    taps(attrs, dims(x), dims(h), weight, |at_x, at_h, at_w| sum[at_w] += x[at_x] * h[at_h]);
}

pub(super) fn mat_mul(x: &Array, y: &Array) -> Array {
    let front = [0, 1].map(|axis| x.shape()[axis].max(y.shape()[axis]));
    let (rows, inner, columns) = (x.shape()[2], x.shape()[3], y.shape()[3]);
    let at = |v: &Array, n: usize, c: usize, i: usize, j: usize| {
        v[[n.min(v.shape()[0] - 1), c.min(v.shape()[1] - 1), i, j]]
    };
    ArrayD::from_shape_fn(vec![front[0], front[1], rows, columns], |place| {
        let (n, c) = (place[0], place[1]);
        (0..inner).map(|k| at(x, n, c, place[2], k) * at(y, n, c, k, place[3])).sum()
    })
}
