//! Separable linear filters on planes.

use burn::tensor::{Device, Tensor, TensorData};

/// A filter along rows and columns, each as a matrix `[pixel before, pixel after]`.
pub(super) struct Filter {
    along_column: Tensor<2>,
    along_row: Tensor<2>,
}

impl Filter {
    /// Gaussian blur of planes `[height, width]`, `sigma` in pixels. At the border the weights of
    /// the pixels that are there add up to 1.
    pub(super) fn blur(sigma: f32, [height, width]: [usize; 2], device: &Device) -> Self {
        let matrix = |side: usize| {
            let weight = |from: usize, to: usize| gaussian(from as f64 - to as f64, sigma.into());
            columns_of_sum_one(side, side, weight, device)
        };
        Self { along_column: matrix(height), along_row: matrix(width) }
    }

    /// Gaussian windows of `taps` pixels at every position where they lie wholly inside the plane;
    /// a side shorter than that takes the largest odd number that fits.
    pub(super) fn windows(
        sigma: f64,
        taps: usize,
        [height, width]: [usize; 2],
        device: &Device,
    ) -> Self {
        let matrix = |side: usize| {
            let largest_odd = side - (side + 1) % 2;
            let taps = taps.min(largest_odd);
            let radius = taps / 2;
            let weight = |from: usize, to: usize| {
                let offset = from as f64 - (to + radius) as f64;
                if offset.abs() > radius as f64 { 0.0 } else { gaussian(offset, sigma) }
            };
            columns_of_sum_one(side, side + 1 - taps, weight, device)
        };
        Self { along_column: matrix(height), along_row: matrix(width) }
    }

    /// Planes `[batch, channel, row, column]`, filtered one by one.
    pub(super) fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, channels, height, width] = x.dims();
        let planes = batch * channels;
        let [_, columns] = self.along_row.dims();
        let [_, rows] = self.along_column.dims();
        let x = x.reshape([planes * height, width]).matmul(self.along_row.clone());
        let x: Tensor<3> = x.reshape([planes, height, columns]).swap_dims(1, 2);
        let x = x.reshape([planes * columns, height]).matmul(self.along_column.clone());
        let x: Tensor<3> = x.reshape([planes, columns, rows]).swap_dims(1, 2);
        x.reshape([batch, channels, rows, columns])
    }
}

fn gaussian(offset: f64, sigma: f64) -> f64 {
    (-offset * offset / (2.0 * sigma * sigma)).exp()
}

fn columns_of_sum_one(
    from: usize,
    to: usize,
    weight: impl Fn(usize, usize) -> f64,
    device: &Device,
) -> Tensor<2> {
    let mut matrix = vec![0.0f32; from * to];
    for column in 0..to {
        let total: f64 = (0..from).map(|row| weight(row, column)).sum();
        for row in 0..from {
            matrix[row * to + column] = (weight(row, column) / total) as f32;
        }
    }
    Tensor::from_data(TensorData::new(matrix, vec![from, to]), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device() -> Device {
        crate::Backend::Flex.device().unwrap()
    }

    fn plane(values: Vec<f32>, height: usize, width: usize) -> Tensor<4> {
        Tensor::from_data(TensorData::new(values, vec![1, 1, height, width]), &device())
    }

    fn found(x: Tensor<4>) -> Vec<f32> {
        x.into_data().try_into_vec().unwrap()
    }

    #[test]
    fn a_blur_keeps_flat_planes_and_the_shape() {
        let filter = Filter::blur(1.5, [3, 5], &device());
        let flat = filter.apply(plane(vec![2.0; 15], 3, 5));
        assert_eq!(flat.dims(), [1, 1, 3, 5]);
        assert!(found(flat).iter().all(|v| (v - 2.0).abs() < 1e-5));
    }

    #[test]
    fn a_blurred_point_is_a_gaussian() {
        let mut values = vec![0.0; 21 * 21];
        values[10 * 21 + 10] = 1.0;
        let blurred = found(Filter::blur(1.0, [21, 21], &device()).apply(plane(values, 21, 21)));
        let at = |row: usize, column: usize| blurred[row * 21 + column] / blurred[10 * 21 + 10];
        assert!((at(10, 11) - (-0.5f32).exp()).abs() < 1e-4);
        assert!((at(12, 10) - (-2.0f32).exp()).abs() < 1e-4);
        assert!((at(11, 9) - (-1.0f32).exp()).abs() < 1e-4);
    }

    #[test]
    fn windows_lie_inside_and_rows_and_columns_are_told_apart() {
        let filter = Filter::windows(1.5, 3, [3, 4], &device());
        let ramp = (0..12).map(|i| (i % 4) as f32 + 10.0 * (i / 4) as f32).collect();
        let y = filter.apply(plane(ramp, 3, 4));
        assert_eq!(y.dims(), [1, 1, 1, 2]);
        let y = found(y);
        assert!((y[0] - 11.0).abs() < 1e-5 && (y[1] - 12.0).abs() < 1e-5, "{y:?}");
    }
}
