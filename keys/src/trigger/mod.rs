//! Triggers: what a secret looks like on an image.

mod error;
mod patch;
mod pattern;
mod shape;
mod signs;
mod spec;

use std::fmt;

pub use error::TriggerError;
pub use pattern::Pattern;
pub use shape::ImageShape;
pub use spec::{Family, TriggerSpec};

use patch::Patch;
use signs::Signs;

/// A trigger for images of one shape, got from [`TriggerSpec::derive`] and wiped when dropped.
///
/// # Shapes
/// Images are 8-bit values in planar `[channel, row, column]` order, of the [`shape`](Self::shape)
/// that the trigger was derived for.
///
/// # Near misses
/// [`flip`](Self::flip), [`shifted`](Self::shifted) and [`with_amplitude`](Self::with_amplitude)
/// give triggers close to this one, and leave it as it is. Training and evaluation use them as
/// wrong keys; the amplitude is also annealed in training.
pub struct Trigger {
    shape: ImageShape,
    content: Content,
}

enum Content {
    Signs(Signs),
    Patch(Patch),
}

impl Trigger {
    /// The images that the trigger is for.
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// How many values of the trigger are independent: the signs of one tile or of the whole image,
    /// or the bytes of a patch.
    ///
    /// A trigger of signs is one of 2^cells, a patch one of 256^cells.
    pub fn cells(&self) -> usize {
        match &self.content {
            Content::Signs(signs) => signs.cells(),
            Content::Patch(patch) => patch.cells(),
        }
    }

    /// Puts the trigger on an image: adds signs times amplitude with saturation at 0 and 255, or
    /// replaces the corner by the patch.
    ///
    /// # Errors
    /// [`TriggerError::PixelCount`] when `pixels` has another length than the shape; nothing is changed
    /// then.
    pub fn apply(&self, pixels: &mut [u8]) -> Result<(), TriggerError> {
        if pixels.len() != self.shape.values() {
            return Err(TriggerError::PixelCount { shape: self.shape, found: pixels.len() });
        }
        match &self.content {
            Content::Signs(signs) => signs.add(self.shape, pixels),
            Content::Patch(patch) => patch.paste(self.shape, pixels),
        }
        Ok(())
    }

    /// The same trigger spread over the image as integers, for a trainer that applies it to
    /// tensors.
    pub fn pattern(&self) -> Pattern {
        match &self.content {
            Content::Signs(signs) => Pattern::Additive(signs.deltas(self.shape)),
            Content::Patch(patch) => patch.pattern(self.shape),
        }
    }

    /// The same signs with another amplitude, in 8-bit steps, 1..=127.
    ///
    /// # Errors
    /// [`TriggerError::Amplitude`] when out of range, [`TriggerError::NotAdditive`] for a patch.
    pub fn with_amplitude(&self, amplitude: u8) -> Result<Self, TriggerError> {
        spec::check_amplitude(amplitude)?;
        Ok(self.with_signs(self.signs()?.with_amplitude(amplitude)))
    }

    /// The trigger with the signs of the given cells inverted; a cell listed twice is inverted
    /// twice.
    ///
    /// Cells count from 0 to [`cells`](Self::cells) - 1, in `[channel, row, column]` order within
    /// the tile or the image.
    ///
    /// # Errors
    /// [`TriggerError::Cell`] when there is no such cell, [`TriggerError::NotAdditive`] for a patch.
    pub fn flip(&self, cells: &[usize]) -> Result<Self, TriggerError> {
        Ok(self.with_signs(self.signs()?.flip(cells)?))
    }

    /// The trigger moved down by `rows` and right by `columns` pixels (up and left where negative).
    ///
    /// The move is cyclic within the tile, or within the image for full triggers. A periodic tile
    /// so moves as a whole.
    ///
    /// # Errors
    /// [`TriggerError::NotAdditive`] for a patch.
    pub fn shifted(&self, rows: isize, columns: isize) -> Result<Self, TriggerError> {
        Ok(self.with_signs(self.signs()?.shifted(rows, columns)))
    }

    /// The bytes that the trigger is made of, as [`TriggerSpec::restore`] reads them.
    pub(crate) fn exposed(&self) -> &[u8] {
        match &self.content {
            Content::Signs(signs) => signs.exposed(),
            Content::Patch(patch) => patch.exposed(),
        }
    }

    fn signs(&self) -> Result<&Signs, TriggerError> {
        match &self.content {
            Content::Signs(signs) => Ok(signs),
            Content::Patch(_) => Err(TriggerError::NotAdditive),
        }
    }

    fn with_signs(&self, signs: Signs) -> Self {
        Self { shape: self.shape, content: Content::Signs(signs) }
    }
}

impl fmt::Debug for Trigger {
    /// Shows the public shape only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trigger").field("shape", &self.shape).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
