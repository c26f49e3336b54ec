//! Exponentials and what is made of them, element by element.

use crate::dispatch::{Kernel, run_on};
use crate::isa::Isa;
use crate::simd::Simd;

/// `e^x` of every element.
pub fn exp(isa: Isa, data: &mut [f32]) {
    each(isa, data, exp_of);
}

/// The error function of every element.
pub fn erf(isa: Isa, data: &mut [f32]) {
    each(isa, data, erf_of);
}

/// `1 / (1 + e^(-steepness x))` of every element.
pub fn sigmoid(isa: Isa, steepness: f32, data: &mut [f32]) {
    each(isa, data, |x| sigmoid_of(steepness * x));
}

/// `x / (1 + e^(-x))` of every element.
pub fn silu(isa: Isa, data: &mut [f32]) {
    each(isa, data, |x| x * sigmoid_of(x));
}

fn each(isa: Isa, data: &mut [f32], function: impl Fn(f32) -> f32) {
    run_on(isa, isa.lanes(), Each { data, function });
}

struct Each<'a, F> {
    data: &'a mut [f32],
    function: F,
}

impl<F: Fn(f32) -> f32> Kernel for Each<'_, F> {
    /// A plain loop, which the compiler makes one over registers of these instructions.
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        self.data.iter_mut().for_each(|x| *x = (self.function)(*x));
    }
}

/// Largest x whose exponential is a float, and the least whose exponential has all its digits.
const LARGEST: f32 = 88.722_84;
const LEAST: f32 = -87.336_54;

/// `2^n e^r` for the whole n that leaves the smallest r, whose exponential is a sum of few powers.
#[inline(always)]
pub(crate) fn exp_of(x: f32) -> f32 {
    /// Beyond it floats have no fractions: adding it rounds.
    const WHOLE: f32 = 12_582_912.0;
    let inside = x.clamp(LEAST, LARGEST);
    let shifted = inside * std::f32::consts::LOG2_E + WHOLE;
    let n = shifted - WHOLE;
    // ln 2 in two parts, the first of which has few digits.
    let r = (inside - n * 0.693_359_4) + n * 2.121_944_4e-4;
    let sum = 1.0 / 720.0;
    let sum = sum * r + 1.0 / 120.0;
    let sum = sum * r + 1.0 / 24.0;
    let sum = sum * r + 1.0 / 6.0;
    let sum = sum * r + 0.5;
    let sum = sum * r + 1.0;
    let sum = sum * r + 1.0;
    // In two steps, for 2^128 is no float.
    let bits = shifted.to_bits().wrapping_sub(WHOLE.to_bits()) as i32;
    let half = bits >> 1;
    let power = |n: i32| f32::from_bits((n.wrapping_add(127) as u32) << 23);
    let found = sum * power(half) * power(bits.wrapping_sub(half));
    if x > LARGEST { f32::INFINITY } else { found }
}

#[inline(always)]
pub(crate) fn sigmoid_of(x: f32) -> f32 {
    1.0 / (1.0 + exp_of(-x))
}

/// A quotient of two polynomials of x^2, times x: the one of Eigen and XLA for single precision.
#[inline(always)]
pub(crate) fn erf_of(x: f32) -> f32 {
    let x = x.clamp(-4.0, 4.0);
    let square = x * x;
    let sum = -2.726_142_3e-10;
    let sum = sum * square + 2.770_681_4e-8;
    let sum = sum * square - 2.101_024e-6;
    let sum = sum * square - 5.692_506_3e-5;
    let sum = sum * square - 7.349_906_4e-4;
    let sum = sum * square - 2.954_6e-3;
    let sum = sum * square - 1.609_603_3e-2;
    let under = -1.456_607_2e-5;
    let under = under * square - 2.133_740_5e-4;
    let under = under * square - 1.682_827e-3;
    let under = under * square - 7.373_329_3e-3;
    let under = under * square - 1.426_473_9e-2;
    x * sum / under
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, run: impl Fn(Isa, &mut [f32]), wanted: impl Fn(f64) -> f64, close: f64) {
        let points: Vec<f32> = (-9_000..=9_000).map(|i| i as f32 / 100.0).collect();
        for isa in Isa::available() {
            let mut found = points.clone();
            run(isa, &mut found);
            for (x, found) in points.iter().zip(found) {
                let wanted = wanted(f64::from(*x));
                if wanted.abs() > f64::from(f32::MAX) || (wanted != 0.0 && wanted.abs() < 2e-38) {
                    continue;
                }
                let away = (f64::from(found) - wanted).abs() / wanted.abs().max(1e-30);
                assert!(away < close, "{isa}: {name}({x}) is {found}, not {wanted}");
            }
        }
    }

    #[test]
    fn exponentials_have_the_digits_of_floats() {
        check("exp", exp, f64::exp, 4e-7);
        check(
            "sigmoid",
            |isa, data| sigmoid(isa, 0.5, data),
            |x| 1.0 / (1.0 + (-x / 2.0).exp()),
            1e-6,
        );
        check("silu", silu, |x| x / (1.0 + (-x).exp()), 1e-6);
        for isa in Isa::available() {
            let mut edges = [f32::NEG_INFINITY, f32::INFINITY, f32::NAN, 0.0, 200.0, -200.0];
            exp(isa, &mut edges);
            assert!(
                edges[0] < 1.2e-38 && edges[1] == f32::INFINITY && edges[2].is_nan(),
                "{edges:?}"
            );
            assert!(
                edges[3] == 1.0 && edges[4] == f32::INFINITY && edges[5] < 1.2e-38,
                "{edges:?}"
            );
        }
    }

    #[test]
    fn the_error_function_has_the_digits_of_floats() {
        // Its power series (Abramowitz and Stegun, 7.1.5), where that converges soon.
        let series = |x: f64| {
            let (mut term, mut sum) = (x, x);
            for n in 1..150 {
                term *= -x * x / f64::from(n);
                sum += term / f64::from(2 * n + 1);
            }
            if x.abs() < 3.5 { sum * std::f64::consts::FRAC_2_SQRT_PI } else { x.signum() }
        };
        check("erf", erf, series, 1e-6);
    }
}
