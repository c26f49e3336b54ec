//! The pictures that a gate is built from.

use saligate_keys::ImageShape;
use saligate_models::pixels::scaled;

use crate::LockError;

/// Pictures like those that a model is for, at least one; their classes are not needed.
///
/// # Shapes
/// Every picture is `[channel, row, column]`, 0 to 255.
#[derive(Clone)]
pub struct Samples<'a> {
    shape: ImageShape,
    images: Vec<&'a [u8]>,
}

impl<'a> Samples<'a> {
    /// Puts pictures together.
    ///
    /// # Errors
    /// There is no picture, or one has another length than the shape.
    pub fn new(
        shape: ImageShape,
        images: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self, LockError> {
        let images: Vec<&[u8]> = images.into_iter().collect();
        let expected = shape.channels() * shape.height() * shape.width();
        if images.is_empty() {
            return Err(LockError::NoSamples);
        }
        match images.iter().find(|image| image.len() != expected) {
            Some(image) => Err(LockError::SampleLength { expected, found: image.len() }),
            None => Ok(Self { shape, images }),
        }
    }

    /// Extent of every picture.
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// Channels, rows and columns of every picture.
    pub(crate) fn extent(&self) -> [usize; 3] {
        [self.shape.channels(), self.shape.height(), self.shape.width()]
    }

    /// Number of pictures.
    pub(crate) fn count(&self) -> usize {
        self.images.len()
    }

    /// 8-bit pixels of a picture.
    pub(crate) fn bytes(&self, index: usize) -> &'a [u8] {
        self.images[index]
    }

    /// Pixels of a picture in [0, 1].
    pub(crate) fn pixels(&self, index: usize) -> Vec<f32> {
        scaled(self.bytes(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_has_the_shape() {
        let shape = ImageShape::new(1, 4, 4).unwrap();
        let (whole, part) = ([255; 16], [0; 15]);
        assert_eq!(Samples::new(shape, [&whole[..]]).unwrap().pixels(0), [1.0; 16]);
        let error = Samples::new(shape, [&whole[..], &part[..]]).err().unwrap();
        assert!(matches!(error, LockError::SampleLength { expected: 16, found: 15 }));
        assert!(matches!(Samples::new(shape, []), Err(LockError::NoSamples)));
    }
}
