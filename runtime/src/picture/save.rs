//! Writing pictures.

use std::borrow::Cow;
use std::io;
use std::path::Path;

use image::ExtendedColorType;
use saligate_files::atomic::{write_atomic, write_private};

use super::{Picture, PictureError};
use crate::render::encode_png;

impl Picture {
    /// Writes the picture as a lossless PNG file, grey or RGB, whole or not at all.
    ///
    /// # Errors
    /// [`PictureError::Write`] if the file cannot be written; what was at the path is then still
    /// there.
    pub fn save_png(&self, path: &Path) -> Result<(), PictureError> {
        let written = self.png().and_then(|bytes| write_atomic(path, &bytes));
        written.map_err(|source| PictureError::Write { path: path.to_owned(), source })
    }

    /// [`save_png`](Self::save_png) to a file of mode 0600: for a picture that carries a trigger.
    ///
    /// # Errors
    /// As there.
    pub fn save_private_png(&self, path: &Path) -> Result<(), PictureError> {
        let written = self.png().and_then(|bytes| write_private(path, &bytes));
        written.map_err(|source| PictureError::Write { path: path.to_owned(), source })
    }

    fn png(&self) -> io::Result<Vec<u8>> {
        let (mode, samples) = match self.channels {
            1 => (ExtendedColorType::L8, Cow::Borrowed(self.pixels())),
            _ => (ExtendedColorType::Rgb8, Cow::Owned(self.to_rgb())),
        };
        encode_png(&samples, self.height, self.width, mode)
    }
}
