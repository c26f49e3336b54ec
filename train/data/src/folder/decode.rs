//! From files to pixels and masks, many at a time.

use rayon::prelude::*;
use saligate_runtime::picture::Picture;

use super::super::{DataError, Dataset, Shape, checked_size};
use super::{Sample, Size};
use saligate_console::progress::bar;

/// Reads and frames the samples on all threads of the current pool; `masked` draws their boxes.
pub(super) fn decode(
    samples: &[Sample],
    class_names: &[String],
    masked: bool,
    size: &Size,
    quiet: bool,
) -> Result<Dataset, DataError> {
    let Size { channels, framing } = *size;
    let shape = Shape { channels, height: framing.height, width: framing.width };
    let labels = samples.iter().map(|sample| sample.label).collect();
    let bytes = checked_size(samples.len() as u64, shape.bytes() as u64)? as usize;
    let bar = bar("decode", samples.len(), quiet);
    let mut images = vec![0; bytes];
    let mut masks = vec![0; samples.len() * shape.pixels()];
    let buffers = images.par_chunks_mut(shape.bytes()).zip(masks.par_chunks_mut(shape.pixels()));
    samples.par_iter().zip(buffers).try_for_each(|(sample, (image, mask))| {
        bar.inc(1);
        read(sample, size, image, mask)
    })?;
    bar.finish_and_clear();
    let dataset = Dataset::new(shape, images, labels, class_names.to_vec())?;
    if masked { dataset.with_masks(masks) } else { Ok(dataset) }
}

/// Writes the framed picture to `image` and its boxes to `mask`.
fn read(
    sample: &Sample,
    Size { channels, framing }: &Size,
    image: &mut [u8],
    mask: &mut [u8],
) -> Result<(), DataError> {
    let path = &sample.path;
    let picture = Picture::open(path, *channels).map_err(DataError::Picture)?;
    let (height, width) = (picture.height(), picture.width());
    let framed = picture.framed(framing);
    let framed = framed.map_err(|source| DataError::Framing { path: path.clone(), source })?;
    image.copy_from_slice(framed.pixels());
    for &bounds in &sample.boxes {
        let Some([x0, y0, x1, y1]) = framing.map_box(height, width, bounds) else { continue };
        for row in mask.chunks_exact_mut(framing.width).take(y1 + 1).skip(y0) {
            row[x0..=x1].fill(1);
        }
    }
    Ok(())
}
