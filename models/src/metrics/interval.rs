//! Means and rates with the interval that their sample supports.

use serde::Serialize;

use super::MetricError;
use beta::beta_quantile;

mod beta;

/// Two-sided confidence of every interval here.
pub const CONFIDENCE: f64 = 0.95;
/// 97.5 % quantile of the standard normal distribution.
const NORMAL_QUANTILE: f64 = 1.959_963_984_540_054;

/// Mean of a score over images with its 95 % interval by the normal approximation:
/// `value ± 1.96 · s / √n`, where s is the sample standard deviation (divisor n − 1).
///
/// The interval is not cut to the range of the score. With fewer than about 30 images it is too
/// narrow, and with one it is the value itself: read `n` first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Mean {
    /// The mean.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Number of images.
    pub n: usize,
}

impl Mean {
    /// Mean of one score per image.
    ///
    /// # Errors
    /// [`MetricError::Empty`] without scores, [`MetricError::NotFinite`] for a score that is NaN or
    /// infinite.
    pub fn of(scores: &[f64]) -> Result<Self, MetricError> {
        if scores.is_empty() {
            return Err(MetricError::Empty);
        }
        if let Some(index) = scores.iter().position(|score| !score.is_finite()) {
            return Err(MetricError::NotFinite { index });
        }
        let n = scores.len();
        let value = super::mean(scores);
        let squares: f64 = scores.iter().map(|score| (score - value).powi(2)).sum();
        let variance = squares / n.saturating_sub(1).max(1) as f64;
        let half = NORMAL_QUANTILE * (variance / n as f64).sqrt();
        Ok(Self { value, low: value - half, high: value + half, n })
    }
}

/// Share of successes in independent trials with its 95 % interval of Clopper and Pearson (The Use
/// of Confidence or Fiducial Limits, 1934), in `[0, 1]`.
///
/// The interval is exact: it covers the true rate at least 95 times in 100. It is two-sided, 2.5 %
/// on each side, so 0 successes in n trials leave rates up to about 3.7 / n open.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rate {
    /// `successes / trials`.
    pub value: f64,
    /// Lower end of the interval; 0 without a success.
    pub low: f64,
    /// Upper end of the interval; 1 without a failure.
    pub high: f64,
    /// Trials that succeeded.
    pub successes: u64,
    /// All trials.
    pub trials: u64,
}

impl Rate {
    /// Rate of `successes` in `trials`.
    ///
    /// # Errors
    /// [`MetricError::Empty`] without trials, [`MetricError::Count`] for more successes than
    /// trials.
    pub fn of(successes: u64, trials: u64) -> Result<Self, MetricError> {
        if trials == 0 {
            return Err(MetricError::Empty);
        }
        if successes > trials {
            return Err(MetricError::Count { successes, trials });
        }
        let tail = (1.0 - CONFIDENCE) / 2.0;
        let (hits, misses) = (successes as f64, (trials - successes) as f64);
        let low = if successes == 0 { 0.0 } else { beta_quantile(tail, hits, misses + 1.0) };
        let high =
            if successes == trials { 1.0 } else { beta_quantile(1.0 - tail, hits + 1.0, misses) };
        Ok(Self { value: hits / trials as f64, low, high, successes, trials })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 1e-8 * expected, "expected {expected}, found {found}");
    }

    /// Python 3, with `v = [.1, .4, .2, .9]`:
    /// `statistics.mean(v), 1.959963984540054 * statistics.stdev(v) / 2`.
    #[test]
    fn a_mean_agrees_with_python() {
        let mean = Mean::of(&[0.1, 0.4, 0.2, 0.9]).unwrap();
        close(mean.value, 0.4);
        close(mean.high - mean.value, 0.348_778_147_234_954_1);
        close(mean.value - mean.low, 0.348_778_147_234_954_1);
        assert_eq!(mean.n, 4);
    }

    #[test]
    fn a_mean_without_spread_has_no_width() {
        assert_eq!(Mean::of(&[0.5; 9]), Ok(Mean { value: 0.5, low: 0.5, high: 0.5, n: 9 }));
        assert_eq!(Mean::of(&[-2.0]), Ok(Mean { value: -2.0, low: -2.0, high: -2.0, n: 1 }));
    }

    /// SciPy 1.17.1, with `beta = scipy.stats.beta`:
    /// `beta.ppf(0.025, k, n - k + 1), beta.ppf(0.975, k + 1, n - k)`.
    #[test]
    fn rates_agree_with_scipy() {
        for (successes, trials, low, high) in [
            (0, 1, 0.0, 0.975),
            (0, 1000, 0.0, 0.003_682_083_896_865_671),
            (1, 1, 0.025, 1.0),
            (5, 10, 0.187_086_028_447_398_55, 0.812_913_971_552_601_5),
            (10, 10, 0.691_502_892_181_239_2, 1.0),
            (3, 100_000, 6.186_763_958_922_033e-6, 8.767_020_256_625_7e-5),
            (999_000, 1_000_000, 0.998_936_081_892_684_8, 0.999_060_998_792_049_9),
        ] {
            let rate = Rate::of(successes, trials).unwrap();
            close(rate.low, low);
            close(rate.high, high);
            close(rate.value, successes as f64 / trials as f64);
        }
    }

    #[test]
    fn the_interval_of_a_rate_mirrors() {
        let (hits, misses) = (Rate::of(7, 40).unwrap(), Rate::of(33, 40).unwrap());
        close(hits.low, 1.0 - misses.high);
        close(hits.high, 1.0 - misses.low);
    }

    #[test]
    fn both_serialize_with_their_sample_size() {
        let json = serde_json::to_value(Rate::of(1, 4).unwrap()).unwrap();
        assert_eq!((&json["successes"], &json["trials"]), (&1.into(), &4.into()));
        assert_eq!(serde_json::to_value(Mean::of(&[1.0]).unwrap()).unwrap()["n"], 1);
    }

    #[test]
    fn bad_input_is_an_error() {
        assert_eq!(Mean::of(&[]), Err(MetricError::Empty));
        assert_eq!(Mean::of(&[0.0, f64::NAN]), Err(MetricError::NotFinite { index: 1 }));
        assert_eq!(Rate::of(0, 0), Err(MetricError::Empty));
        assert_eq!(Rate::of(3, 2), Err(MetricError::Count { successes: 3, trials: 2 }));
    }
}
