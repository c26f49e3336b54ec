//! Pooling.

use ndarray::ArrayD;

use super::Array;
use crate::graph::{PoolAttrs, shape::windows};

/// Folds every window of x with `f`, from `start`; padding is left out.
fn fold(attrs: &PoolAttrs, x: &Array, start: f64, f: impl Fn(f64, f64) -> f64) -> Array {
    let &[n, c, h, w] = x.shape() else { unreachable!("the graph has checked the rank") };
    let axis = |a: usize, size: usize| {
        let padded = size + attrs.pads[a] + attrs.pads[a + 2];
        windows(padded, attrs.kernel[a], attrs.stride[a])
            .expect("the graph has checked the window")
            .0
    };
    let cells = |a: usize, at: usize, size: usize| {
        let first = at * attrs.stride[a];
        let padded = first..first + attrs.kernel[a];
        padded.filter_map(move |p| p.checked_sub(attrs.pads[a]).filter(|&p| p < size))
    };
    ArrayD::from_shape_fn(vec![n, c, axis(0, h), axis(1, w)], |i| {
        let mut folded = start;
        for row in cells(0, i[2], h) {
            for column in cells(1, i[3], w) {
                folded = f(folded, x[[i[0], i[1], row, column]]);
            }
        }
        folded
    })
}

pub(super) fn max(attrs: &PoolAttrs, x: &Array) -> Array {
    fold(attrs, x, f64::NEG_INFINITY, f64::max)
}

pub(super) fn average(attrs: &PoolAttrs, x: &Array) -> Array {
    let cells = (attrs.kernel[0] * attrs.kernel[1]) as f64;
    fold(attrs, x, 0.0, |a, b| a + b).mapv(|v| v / cells)
}

pub(super) fn global_average(x: &Array) -> Array {
    let whole = PoolAttrs { kernel: [x.shape()[2], x.shape()[3]], stride: [1, 1], pads: [0; 4] };
    average(&whole, x)
}
