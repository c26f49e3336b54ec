//! How visible a trigger is: an image against the same image with the trigger added.

use super::MetricError;
use super::error::{check_lengths, check_shape};
use super::mean;
use super::ssim::plane_ssim;

/// Largest value of an 8-bit pixel.
const PIXEL_MAX: f64 = 255.0;

/// Largest absolute pixel difference, as a share of the pixel range: in `[0, 1]`; lower is less
/// visible.
///
/// # Errors
/// [`MetricError`] for empty images and images of two lengths.
pub fn linf(image: &[u8], triggered: &[u8]) -> Result<f64, MetricError> {
    check_lengths(image.len(), triggered.len())?;
    let largest = image.iter().zip(triggered).map(|(a, b)| a.abs_diff(*b)).fold(0, u8::max);
    Ok(f64::from(largest) / PIXEL_MAX)
}

/// Peak signal-to-noise ratio in dB, at least 0; higher is less visible. `None` for identical
/// images, whose ratio is infinite.
///
/// `10 log₁₀(255² / MSE)` over all pixels and channels.
///
/// # Errors
/// [`MetricError`] for empty images and images of two lengths.
pub fn psnr_db(image: &[u8], triggered: &[u8]) -> Result<Option<f64>, MetricError> {
    check_lengths(image.len(), triggered.len())?;
    let squares: Vec<f64> =
        image.iter().zip(triggered).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).collect();
    let error = mean(&squares);
    Ok((error > 0.0).then(|| 10.0 * (PIXEL_MAX * PIXEL_MAX / error).log10()))
}

/// Mean over the channels of the structural similarity of the pixels as shares of 255, in `[-1,
/// 1]`; higher is less visible. Window and constants are those of [`ssim`](super::ssim::ssim); the
/// pixels are not stretched first.
///
/// # Shapes
/// `image` and `triggered`: `[channels, height, width]`, planar.
///
/// # Errors
/// [`MetricError`] for empty images and lengths other than `channels · height · width`.
pub fn ssim(
    image: &[u8],
    triggered: &[u8],
    channels: usize,
    height: usize,
    width: usize,
) -> Result<f64, MetricError> {
    for pixels in [image, triggered] {
        check_shape(&[channels, height, width], pixels.len())?;
    }
    let plane = |pixels: &[u8]| -> Vec<f64> {
        pixels.iter().map(|&pixel| f64::from(pixel) / PIXEL_MAX).collect()
    };
    let area = height * width;
    let scores: Vec<f64> = image
        .chunks_exact(area)
        .zip(triggered.chunks_exact(area))
        .map(|(a, b)| plane_ssim(&plane(a), &plane(b), height, width))
        .collect();
    Ok(mean(&scores))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identical_images_are_indistinguishable() {
        let image: Vec<u8> = (0..3 * 12 * 12).map(|i| (i * 37 % 256) as u8).collect();
        assert_eq!(linf(&image, &image), Ok(0.0));
        assert_eq!(psnr_db(&image, &image), Ok(None));
        assert_eq!(ssim(&image, &image, 3, 12, 12), Ok(1.0));
    }

    #[test]
    fn black_against_white_is_the_worst_case() {
        let (black, white) = ([0; 121], [255; 121]);
        assert_eq!(linf(&black, &white), Ok(1.0));
        assert_eq!(psnr_db(&black, &white), Ok(Some(0.0)));
        assert!(ssim(&black, &white, 1, 11, 11).unwrap() < 1e-3);
    }

    #[test]
    fn a_step_of_one_everywhere_by_hand() {
        assert_eq!(linf(&[10, 20], &[11, 19]), Ok(1.0 / 255.0));
        let ratio = psnr_db(&[10, 20], &[11, 19]).unwrap().unwrap();
        assert!((ratio - 20.0 * 255f64.log10()).abs() < 1e-12, "{ratio}");
    }

    #[test]
    fn channels_are_averaged() {
        let image = [0; 2 * 121];
        let mut triggered = [0; 2 * 121];
        triggered[121..].fill(255);
        let first_differs_not = ssim(&image, &triggered, 2, 11, 11).unwrap();
        assert!((first_differs_not - 0.5).abs() < 1e-3, "{first_differs_not}");
    }

    #[test]
    fn bad_input_is_an_error() {
        assert_eq!(linf(&[], &[]), Err(MetricError::Empty));
        assert_eq!(psnr_db(&[1], &[1, 2]), Err(MetricError::Length { expected: 1, found: 2 }));
        assert_eq!(
            ssim(&[0; 4], &[0; 4], 3, 2, 2),
            Err(MetricError::Length { expected: 12, found: 4 })
        );
        assert_eq!(ssim(&[], &[], 0, 2, 2), Err(MetricError::Empty));
    }
}
