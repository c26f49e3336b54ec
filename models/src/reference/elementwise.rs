//! Operations on single elements and rows.

use ndarray::{ArrayD, IxDyn};

use super::Array;

pub(super) fn softplus(x: f64, beta: f64) -> f64 {
    let scaled = beta * x;
    (scaled.max(0.0) + (-scaled.abs()).exp().ln_1p()) / beta
}

pub(super) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Zero at zero, where `f64::signum` is one.
pub(super) fn sign(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x.signum() }
}

pub(super) fn binary(a: &Array, b: &Array, f: impl Fn(f64, f64) -> f64) -> Array {
    let shape: Vec<usize> = a.shape().iter().zip(b.shape()).map(|(&x, &y)| x.max(y)).collect();
    let broadcast = |v: &Array| {
        let view = v.broadcast(IxDyn(&shape));
        view.expect("the graph has checked that its operands broadcast").to_owned()
    };
    let (a, b) = (broadcast(a), broadcast(b));
    let data = a.iter().zip(b.iter()).map(|(&x, &y)| f(x, y)).collect();
    ArrayD::from_shape_vec(shape, data).expect("one result per element of the shape")
}

pub(super) fn one_hot_arg_max(x: &Array) -> Array {
    let mut hot = ArrayD::zeros(x.raw_dim());
    for (scores, mut row) in x.outer_iter().zip(hot.outer_iter_mut()) {
        let mut best = 0;
        for (i, &score) in scores.iter().enumerate() {
            if score > scores[best] {
                best = i;
            }
        }
        row[best] = 1.0;
    }
    hot
}

/// `max(0, 1 - |x| / width) / width`.
pub(super) fn hat(x: f64, width: f64) -> f64 {
    (1.0 - x.abs() / width).max(0.0) / width
}
