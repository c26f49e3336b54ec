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

/// The error function: its power series near 0, and the continued fraction of its complement beyond
/// (M. Abramowitz and I. Stegun, "Handbook of Mathematical Functions", 7.1.5 and 7.1.14).
pub(super) fn erf(x: f64) -> f64 {
    let size = x.abs();
    if size < 3.0 {
        let (mut term, mut sum) = (size, size);
        for n in 1..120 {
            term *= -size * size / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        return (sum * std::f64::consts::FRAC_2_SQRT_PI).copysign(x);
    }
    let fraction = (1..=60).rev().fold(size, |below, k| size + 0.5 * f64::from(k) / below);
    let complement = (-size * size).exp() / (fraction * std::f64::consts::PI.sqrt());
    (1.0 - complement).copysign(x)
}

/// `max(0, 1 - |x| / width) / width`.
pub(super) fn hat(x: f64, width: f64) -> f64 {
    (1.0 - x.abs() / width).max(0.0) / width
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_function_is_that_of_the_tables() {
        // Abramowitz and Stegun, table 7.1, and erfc(4) from table 7.3.
        for (x, wanted) in [
            (0.0, 0.0),
            (0.5, 0.520_499_877_8),
            (1.0, 0.842_700_792_9),
            (2.0, 0.995_322_265_0),
            (2.999, 0.999_977_8),
            (3.001, 0.999_978_1),
            (4.0, 0.999_999_984_58),
        ] {
            let close = if (x - 3.0f64).abs() < 0.01 { 1e-6 } else { 1e-10 };
            assert!((erf(x) - wanted).abs() < close, "erf({x}) is {}", erf(x));
            assert_eq!(erf(-x), -erf(x));
        }
    }
}
