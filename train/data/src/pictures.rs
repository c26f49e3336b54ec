//! Images without labels.

use super::{DataError, Dataset, Shape};

/// Equally large images in memory whose classes nobody needs: what a gate is built from.
///
/// # Shapes
/// Pixels are `u8` in `0..=255`, `[sample, channel, row, column]`, contiguous.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pictures {
    shape: Shape,
    pixels: Vec<u8>,
}

impl Pictures {
    /// Puts images together; the layout is that of [`Pictures`].
    ///
    /// # Errors
    /// [`DataError::BufferLength`] where the pixels are no whole number of images.
    pub fn new(shape: Shape, pixels: Vec<u8>) -> Result<Self, DataError> {
        let (bytes, found) = (shape.bytes(), pixels.len());
        if bytes == 0 || !found.is_multiple_of(bytes) {
            let expected = (found / bytes.max(1)) * bytes;
            return Err(DataError::BufferLength { what: "images", expected, found });
        }
        Ok(Self { shape, pixels })
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.pixels.len() / self.shape.bytes()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.pixels.is_empty()
    }

    /// Extent of every image.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Leaves the last `count` images out, or all where there are fewer.
    pub fn drop_last(&mut self, count: usize) {
        let kept = self.len().saturating_sub(count);
        self.pixels.truncate(kept * self.shape.bytes());
    }

    /// All images, in order, `[channel, row, column]` each.
    pub fn images(&self) -> impl Iterator<Item = &[u8]> {
        self.pixels.chunks_exact(self.shape.bytes())
    }
}

impl From<Dataset> for Pictures {
    fn from(data: Dataset) -> Self {
        Self { shape: data.shape(), pixels: data.into_pixels() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { channels: 1, height: 1, width: 2 };

    #[test]
    fn images_come_in_order() {
        let pictures = Pictures::new(SHAPE, vec![1, 2, 3, 4]).unwrap();
        assert_eq!(pictures.images().collect::<Vec<_>>(), [[1, 2], [3, 4]]);
        assert_eq!((pictures.len(), pictures.is_empty()), (2, false));
    }

    #[test]
    fn parts_of_images_are_refused() {
        let error = Pictures::new(SHAPE, vec![1, 2, 3]).unwrap_err();
        assert!(matches!(error, DataError::BufferLength { expected: 2, found: 3, .. }));
        assert!(Pictures::new(Shape { channels: 0, ..SHAPE }, Vec::new()).is_err());
    }
}
