//! The pictures that an audit is made with.

use saligate_runtime::picture::Picture;

use crate::AuditError;

/// Fewest pictures.
const LEAST: usize = 4;

/// Pictures of one size, at least four; their classes are not needed.
///
/// # Shapes
/// Each is `[channel, row, column]`, 0 to 255.
#[derive(Clone, Debug)]
pub struct Pictures {
    shape: [usize; 3],
    all: Vec<Vec<u8>>,
    origin: String,
}

impl Pictures {
    /// Puts pictures together; `origin` says where they are from.
    ///
    /// # Errors
    /// They are fewer than four, or differ in size.
    pub fn new(pictures: Vec<Picture>, origin: impl Into<String>) -> Result<Self, AuditError> {
        let shape = match &pictures[..] {
            few if few.len() < LEAST => {
                return Err(AuditError::TooFewPictures { found: few.len(), least: LEAST });
            }
            [first, ..] => [first.channels(), first.height(), first.width()],
            [] => [0; 3],
        };
        // All are framed as the model reads them.
        let sized = pictures.into_iter().filter(|p| [p.channels(), p.height(), p.width()] == shape);
        let all: Vec<Vec<u8>> = sized.map(Picture::into_pixels).collect();
        match all.len() {
            found if found < LEAST => Err(AuditError::TooFewPictures { found, least: LEAST }),
            _ => Ok(Self { shape, all, origin: origin.into() }),
        }
    }

    /// Channels, rows and columns.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// Where they are from.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// One of them.
    pub(crate) fn bytes(&self, index: usize) -> &[u8] {
        &self.all[index]
    }

    /// The first so many of them.
    pub(crate) fn first(&self, count: usize) -> Vec<&[u8]> {
        self.all.iter().take(count).map(Vec::as_slice).collect()
    }
}
