//! The beta distribution, as far as intervals of rates need it.

/// Value below which a beta variable with parameters `a` and `b`, both at least 1, lies with
/// `probability`.
///
/// Bisection of [`regularized_beta`], which rises from 0 to 1, until the bracket is one step of
/// `f64` wide.
pub(super) fn beta_quantile(probability: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    loop {
        let middle = (low + high) / 2.0;
        if middle <= low || middle >= high {
            return middle;
        }
        if regularized_beta(middle, a, b) < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
}

/// Regularized incomplete beta function Iₓ(a, b) for `0 < x < 1`, `a > 0`, `b > 0`.
///
/// Continued fraction of DLMF 8.17.22, used on the side of the mean where it converges fast, and
/// the symmetry Iₓ(a, b) = 1 − I₁₋ₓ(b, a) on the other.
fn regularized_beta(x: f64, a: f64, b: f64) -> f64 {
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - regularized_beta_below(1.0 - x, b, a);
    }
    regularized_beta_below(x, a, b)
}

fn regularized_beta_below(x: f64, a: f64, b: f64) -> f64 {
    let ln_beta = ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b);
    (a * x.ln() + b * (-x).ln_1p() - ln_beta).exp() / a * continued_fraction(x, a, b)
}

/// 1 / (1 + d₁ / (1 + d₂ / (1 + …))), its denominator by Lentz's method (Thompson and Barnett,
/// 1986).
fn continued_fraction(x: f64, a: f64, b: f64) -> f64 {
    // Below the mean it takes about √max(a, b) terms; the bound only stops what rounding would keep
    // alive.
    const MOST_TERMS: u32 = 100_000;
    let nonzero =
        |value: f64| if value.abs() < f64::MIN_POSITIVE { f64::MIN_POSITIVE } else { value };

    let (mut whole, mut above, mut below) = (1.0, 1.0, 0.0);
    for term in 1..MOST_TERMS {
        let m = f64::from(term / 2);
        let coefficient = if term % 2 == 0 {
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
        } else {
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
        };
        below = nonzero(1.0 + coefficient * below).recip();
        above = nonzero(1.0 + coefficient / above);
        whole *= above * below;
        if (above * below - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    f64::recip(whole)
}

/// ln Γ(x) for `x > 0`: Stirling's series (DLMF 5.11.1), after the recurrence has moved x to where
/// five terms give full precision.
fn ln_gamma(x: f64) -> f64 {
    const SERIES_FROM: f64 = 12.0;
    const COEFFICIENTS: [f64; 5] =
        [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0];

    let mut x = x;
    let mut passed = 1.0;
    while x < SERIES_FROM {
        passed *= x;
        x += 1.0;
    }
    let inverse_square = (x * x).recip();
    let series =
        COEFFICIENTS.iter().rev().fold(0.0, |sum, coefficient| sum * inverse_square + coefficient)
            / x;
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series - f64::ln(passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() <= 1e-11 * expected.abs(),
            "expected {expected}, found {found}"
        );
    }

    /// `scipy.special.gammaln`, SciPy 1.17.1.
    #[test]
    fn ln_gamma_agrees_with_scipy() {
        close(ln_gamma(0.5), 0.572_364_942_924_7);
        close(ln_gamma(4.25), 2.114_456_927_450_371_7);
        close(ln_gamma(1e6), 12_815_504.569_147_611);
        assert!(ln_gamma(1.0).abs() < 1e-14 && ln_gamma(2.0).abs() < 1e-14);
    }

    /// `scipy.special.betainc(a, b, x)`, SciPy 1.17.1.
    #[test]
    fn regularized_beta_agrees_with_scipy() {
        close(regularized_beta(0.3, 2.5, 0.5), 0.018_927_124_071_945_658);
        close(regularized_beta(0.31, 300.0, 700.0), 0.756_418_682_731_544_3);
    }

    #[test]
    fn simple_cases_by_hand() {
        close(regularized_beta(0.25, 1.0, 1.0), 0.25);
        close(regularized_beta(0.5, 2.0, 1.0), 0.25);
        close(regularized_beta(0.5, 40.0, 40.0), 0.5);
    }

    #[test]
    fn the_quantile_inverts_the_distribution() {
        for (a, b) in [(1.0, 1.0), (1.0, 1e6), (400.0, 3.0), (12.5, 80.0)] {
            for probability in [0.025, 0.5, 0.975] {
                let x = beta_quantile(probability, a, b);
                assert!(
                    (regularized_beta(x, a, b) - probability).abs() < 1e-9,
                    "({a}, {b}) at {probability}"
                );
            }
        }
    }
}
