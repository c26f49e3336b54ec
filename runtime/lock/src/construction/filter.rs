//! The filter that separates a tile from the picture it is on.

use saligate_models::gate::FILTER_SIDE;

use super::Construction;

/// Pictures that the filter is fitted to.
const SAMPLE: usize = 300;

impl Construction<'_> {
    /// Prediction-error filter `[channel, channel, row, column]`: every pixel less its best linear
    /// prediction, in the least-squares sense over the samples, from its neighbours and from the
    /// other channels.
    ///
    /// The tile's own variance is added to that of every pixel, as if each had a sign of its own, so
    /// that the prediction does not lean on what a tile would change.
    pub(super) fn filter(&self, amplitude: u8) -> Vec<f32> {
        let [channels, height, width] = self.image();
        let samples = self.survey.samples;
        let count = SAMPLE.min(samples.count());
        let taps = channels * FILTER_SIDE * FILTER_SIDE;
        let mut moments = Moments::new(taps);
        let mut window = vec![0.0f64; taps];
        for index in 0..count {
            (self.survey.watch)("filter", index, count);
            let image = samples.pixels(index);
            for row in 0..(height + 1).saturating_sub(FILTER_SIDE) {
                for column in 0..(width + 1).saturating_sub(FILTER_SIDE) {
                    for (tap, value) in window.iter_mut().enumerate() {
                        let channel = tap / (FILTER_SIDE * FILTER_SIDE);
                        let y = row + tap / FILTER_SIDE % FILTER_SIDE;
                        let x = column + tap % FILTER_SIDE;
                        *value = f64::from(image[(channel * height + y) * width + x]);
                    }
                    moments.add(&window);
                }
            }
        }
        let strength = f64::from(amplitude) / 255.0;
        let covariance = moments.covariance(strength * strength);
        let middle = FILTER_SIDE * FILTER_SIDE / 2;
        let rows = (0..channels).map(|c| c * FILTER_SIDE * FILTER_SIDE + middle);
        rows.flat_map(|target| prediction_error(&covariance, target)).collect()
    }
}

/// Sums over windows.
struct Moments {
    count: f64,
    sums: Vec<f64>,
    products: Vec<f64>,
}

impl Moments {
    fn new(taps: usize) -> Self {
        Self { count: 0.0, sums: vec![0.0; taps], products: vec![0.0; taps * taps] }
    }

    fn add(&mut self, window: &[f64]) {
        self.count += 1.0;
        let taps = window.len();
        for (i, &a) in window.iter().enumerate() {
            self.sums[i] += a;
            let products = &mut self.products[i * taps..=i * taps + i];
            products.iter_mut().zip(window).for_each(|(sum, &b)| *sum += a * b);
        }
    }

    /// Covariance matrix, with `ridge` added to the diagonal.
    fn covariance(&self, ridge: f64) -> Vec<Vec<f64>> {
        let taps = self.sums.len();
        let mean = |i: usize| self.sums[i] / self.count;
        let entry = |i: usize, j: usize| {
            let (low, high) = (i.min(j), i.max(j));
            let own = if i == j { ridge } else { 0.0 };
            self.products[high * taps + low] / self.count - mean(i) * mean(j) + own
        };
        (0..taps).map(|i| (0..taps).map(|j| entry(i, j)).collect()).collect()
    }
}

/// 1 at `target`, and minus the weights of the best linear prediction of it elsewhere.
fn prediction_error(covariance: &[Vec<f64>], target: usize) -> Vec<f32> {
    let others: Vec<usize> = (0..covariance.len()).filter(|&i| i != target).collect();
    let mut rows: Vec<Vec<f64>> = others
        .iter()
        .map(|&i| others.iter().chain([&target]).map(|&j| covariance[i][j]).collect())
        .collect();
    let weights = solve(&mut rows);
    let mut filter = vec![0.0f32; covariance.len()];
    filter[target] = 1.0;
    others.iter().zip(weights).for_each(|(&i, weight)| filter[i] = -weight as f32);
    filter
}

/// Solves a positive definite system, given as rows with the right side as their last entry, by
/// Gaussian elimination; without pivots, which such systems do not need.
fn solve(rows: &mut [Vec<f64>]) -> Vec<f64> {
    let size = rows.len();
    for pivot in 0..size {
        let (above, below) = rows.split_at_mut(pivot + 1);
        let top = &above[pivot];
        for row in below {
            let factor = row[pivot] / top[pivot];
            row.iter_mut().zip(top).skip(pivot).for_each(|(v, t)| *v -= factor * t);
        }
    }
    let mut solution = vec![0.0; size];
    for at in (0..size).rev() {
        let known: f64 = (at + 1..size).map(|j| rows[at][j] * solution[j]).sum();
        solution[at] = (rows[at][size] - known) / rows[at][at];
    }
    solution
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_solved() {
        let mut rows = vec![vec![4.0, 1.0, 9.0], vec![1.0, 3.0, 5.0]];
        let solution = solve(&mut rows);
        assert!((solution[0] - 2.0).abs() < 1e-12 && (solution[1] - 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_is_a_sum_of_others_is_predicted_away() {
        // Third value = first + 2 * second, all of them pseudo-random.
        let mut moments = Moments::new(3);
        for i in 0..200u32 {
            let (a, b) = (f64::from(i * 37 % 101), f64::from(i * 53 % 97));
            moments.add(&[a, b, a + 2.0 * b]);
        }
        let filter = prediction_error(&moments.covariance(1e-6), 2);
        for (found, expected) in filter.iter().zip([-1.0, -2.0, 1.0]) {
            assert!((found - expected).abs() < 1e-4, "{filter:?}");
        }
    }
}
