//! Many samples at a glance.

use image::{Rgb, RgbImage};

use super::Dataset;

/// Most samples along either side of a sheet.
const MAX_CELLS: usize = 100;
/// Pixels between samples.
const GAP: usize = 2;
const PAPER: Rgb<u8> = Rgb([96, 96, 96]);

/// Lays the first samples out in rows, each beside its object mask where there is one, at one picture pixel per data pixel.
///
/// `columns` and `rows` count samples and are brought into `1..=100`. Rows end with the samples, and places beyond the last
/// one stay grey. Images of three channels are shown in colour, others by their first channel.
pub fn contact_sheet(dataset: &Dataset, columns: usize, rows: usize) -> RgbImage {
    let columns = columns.clamp(1, MAX_CELLS);
    let rows = rows.min(MAX_CELLS).min(dataset.len().div_ceil(columns)).max(1);
    let shape = dataset.shape();
    let has_masks = !dataset.is_empty() && dataset.mask(0).is_some();
    let cell_width = if has_masks { 2 * shape.width } else { shape.width };
    let side = |cells: usize, extent: usize| (cells * (extent + GAP) + GAP) as u32;
    let mut sheet =
        RgbImage::from_pixel(side(columns, cell_width), side(rows, shape.height), PAPER);

    for index in 0..dataset.len().min(columns * rows) {
        let top = GAP + index / columns * (shape.height + GAP);
        let left = GAP + index % columns * (cell_width + GAP);
        for pixel in 0..shape.pixels() {
            let (x, y) = (left + pixel % shape.width, top + pixel / shape.width);
            sheet.put_pixel(x as u32, y as u32, colour(dataset, index, pixel));
            if let Some(mask) = dataset.mask(index) {
                let shade = if mask[pixel] == 0 { 0 } else { 255 };
                sheet.put_pixel((x + shape.width) as u32, y as u32, Rgb([shade; 3]));
            }
        }
    }
    sheet
}

fn colour(dataset: &Dataset, index: usize, pixel: usize) -> Rgb<u8> {
    let (image, plane) = (dataset.image(index), dataset.shape().pixels());
    match dataset.shape().channels {
        3 => Rgb([0, 1, 2].map(|channel| image[channel * plane + pixel])),
        _ => Rgb([image[pixel]; 3]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Shape;
    use super::*;

    fn two_pixels() -> Dataset {
        let shape = Shape { channels: 3, height: 1, width: 1 };
        Dataset::new(shape, vec![1, 2, 3, 4, 5, 6], vec![0, 0], vec!["a".to_owned()]).unwrap()
    }

    #[test]
    fn places_colour_and_mask_side_by_side() {
        let sheet = contact_sheet(&two_pixels().with_masks(vec![0, 1]).unwrap(), 2, 1);
        assert_eq!(sheet.dimensions(), (10, 5));
        assert_eq!(sheet.get_pixel(2, 2), &Rgb([1, 2, 3]));
        assert_eq!(sheet.get_pixel(3, 2), &Rgb([0; 3]));
        assert_eq!(sheet.get_pixel(6, 2), &Rgb([4, 5, 6]));
        assert_eq!(sheet.get_pixel(7, 2), &Rgb([255; 3]));
    }

    #[test]
    fn any_counts_give_a_sheet() {
        assert_eq!(contact_sheet(&two_pixels(), 0, 0).dimensions(), (5, 5));
        assert_eq!(contact_sheet(&two_pixels().take(0), usize::MAX, 1).dimensions(), (302, 5));
    }
}
