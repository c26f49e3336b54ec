//! Operations that move elements.

use ndarray::{ArrayD, Axis};

use super::Array;
use crate::graph::Range;

pub(super) fn concat(operands: &[&Array]) -> Array {
    let views: Vec<_> = operands.iter().map(|a| a.view()).collect();
    ndarray::concatenate(Axis(1), &views).expect("the graph has checked the other axes")
}

pub(super) fn reshape(x: &Array, rest: &[usize]) -> Array {
    let shape = [&x.shape()[..1], rest].concat();
    let data = x.iter().copied().collect();
    ArrayD::from_shape_vec(shape, data).expect("the graph has checked the number of elements")
}

pub(super) fn transpose(x: &Array, order: &[usize]) -> Array {
    let axes: Vec<usize> = std::iter::once(0).chain(order.iter().copied()).collect();
    x.view().permuted_axes(axes).as_standard_layout().into_owned()
}

pub(super) fn pad(x: &Array, pads: &[[usize; 2]; 3], value: f64) -> Array {
    let mut shape = x.shape().to_vec();
    for (size, [before, after]) in shape[1..].iter_mut().zip(pads) {
        *size += before + after;
    }
    let mut padded = ArrayD::from_elem(shape, value);
    for (index, &v) in x.indexed_iter() {
        padded[[index[0], index[1] + pads[0][0], index[2] + pads[1][0], index[3] + pads[2][0]]] = v;
    }
    padded
}

pub(super) fn slice(x: &Array, ranges: &[Range; 3]) -> Array {
    let taken = |r: &Range| (r.start..r.end).step_by(r.step).collect::<Vec<_>>();
    let mut part = x.clone();
    for (axis, range) in ranges.iter().enumerate() {
        part = part.select(Axis(axis + 1), &taken(range));
    }
    part
}

pub(super) fn depth_to_space(x: &Array, block: usize) -> Array {
    let &[n, c, h, w] = x.shape() else { unreachable!("the graph has checked the rank") };
    let channels = c / (block * block);
    ArrayD::from_shape_fn(vec![n, channels, h * block, w * block], |i| {
        let phase = (i[2] % block) * block + i[3] % block;
        x[[i[0], phase * channels + i[1], i[2] / block, i[3] / block]]
    })
}
