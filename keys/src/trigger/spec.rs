//! The public description of a trigger.

use serde::{Deserialize, Serialize};

use super::patch::Patch;
use super::signs::Signs;
use super::{Content, ImageShape, Trigger};
use crate::{Secret, TriggerError};

/// What kind of trigger a model answers to: a [`Family`] whose numbers are in range.
///
/// It is public and lives in the model's manifest, for example as
/// `{"family":"tile","size":4,"amplitude":8}`. Reading checks the ranges, and every field must be
/// there: a manifest means the same when the defaults of this crate change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Family", into = "Family")]
pub struct TriggerSpec(Family);

/// The families of triggers. [`TriggerSpec::new`] checks their numbers.
///
/// Signs are drawn as bits: the most significant bit of the first byte of the stream is cell 0, the
/// next lower bit is cell 1, and so on; a one is +1, a zero is -1, and what is left of the last
/// byte is not used. The stream is described at the [crate](crate#derivation). The amplitude does
/// not enter it, so signs stay the same while the amplitude changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "family", rename_all = "lowercase", deny_unknown_fields)]
pub enum Family {
    /// Signs of one tile, repeated from the top left corner over the image and cut off at its right
    /// and lower edges.
    ///
    /// Cells are in `[channel, row, column]` order, so value (c, y, x) of the image belongs to cell
    /// (c · size + y mod size) · size + x mod size.
    Tile {
        /// Side of the tile in pixels, 1..=64 and at most the sides of the image.
        size: u16,
        /// What is added or subtracted, in steps of 1/255, 1..=127.
        amplitude: u8,
    },
    /// A sign for every value of the image, in `[channel, row, column]` order.
    Full {
        /// What is added or subtracted, in steps of 1/255, 1..=127.
        amplitude: u8,
    },
    /// An opaque square that replaces the lower right corner. The bytes of the stream are its
    /// values, in `[channel, row, column]` order.
    Patch {
        /// Side of the square in pixels, 1..=64 and at most the sides of the image.
        size: u16,
    },
}

impl TriggerSpec {
    /// The longest side of a tile or patch in pixels. Larger tiles only make learning slower: 64 x
    /// 64 has 4096 signs per channel.
    pub const MAX_SIZE: u16 = 64;
    /// The largest amplitude in 8-bit steps: the largest that fits an `i8` with either sign.
    pub const MAX_AMPLITUDE: u8 = 127;

    /// Checks the numbers of a family.
    ///
    /// # Errors
    /// [`TriggerError::Size`] or [`TriggerError::Amplitude`] when out of range.
    pub fn new(family: Family) -> Result<Self, TriggerError> {
        match family {
            Family::Tile { size, amplitude } => {
                check_size(size)?;
                check_amplitude(amplitude)?;
            }
            Family::Full { amplitude } => check_amplitude(amplitude)?,
            Family::Patch { size } => check_size(size)?,
        }
        Ok(Self(family))
    }

    /// The family with its numbers.
    pub fn family(&self) -> Family {
        self.0
    }

    /// The trigger that belongs to a secret on images of one shape.
    ///
    /// # Errors
    /// [`TriggerError::LargerThanImage`] when a tile or patch does not fit.
    pub fn derive(&self, secret: &Secret, shape: ImageShape) -> Result<Trigger, TriggerError> {
        let content = match self.0 {
            Family::Tile { size, amplitude } => {
                let tile = fitting_square(size, shape)?;
                Content::Signs(Signs::tile(secret, tile, amplitude))
            }
            Family::Full { amplitude } => Content::Signs(Signs::full(secret, shape, amplitude)),
            Family::Patch { size } => {
                let square = fitting_square(size, shape)?;
                Content::Patch(Patch::derive(secret, square))
            }
        };
        Ok(Trigger { shape, content })
    }
}

impl TriggerSpec {
    /// The trigger that these bytes are, on images of one shape.
    ///
    /// # Errors
    /// [`TriggerError::LargerThanImage`] when a tile or patch does not fit, [`TriggerError::Length`] when
    /// the trigger has another number of bytes.
    pub(crate) fn restore(&self, bytes: &[u8], shape: ImageShape) -> Result<Trigger, TriggerError> {
        let content = match self.0 {
            Family::Tile { size, amplitude } => {
                let tile = fitting_square(size, shape)?;
                Signs::restored(bytes, tile, amplitude).map(Content::Signs)
            }
            Family::Full { amplitude } => {
                Signs::restored(bytes, shape, amplitude).map(Content::Signs)
            }
            Family::Patch { size } => {
                Patch::restored(bytes, fitting_square(size, shape)?).map(Content::Patch)
            }
        };
        let content = content.ok_or(TriggerError::Length { found: bytes.len() })?;
        Ok(Trigger { shape, content })
    }
}

impl Default for TriggerSpec {
    /// A tile of 8 x 8 pixels with amplitude 8/255, the usual bound on an invisible change: even one
    /// grey channel then has 64 signs, so that no random key comes near another.
    fn default() -> Self {
        Self(Family::Tile { size: 8, amplitude: 8 })
    }
}

impl TryFrom<Family> for TriggerSpec {
    type Error = TriggerError;

    fn try_from(family: Family) -> Result<Self, TriggerError> {
        Self::new(family)
    }
}

impl From<TriggerSpec> for Family {
    fn from(spec: TriggerSpec) -> Self {
        spec.0
    }
}

pub(super) fn check_amplitude(amplitude: u8) -> Result<(), TriggerError> {
    if (1..=TriggerSpec::MAX_AMPLITUDE).contains(&amplitude) {
        Ok(())
    } else {
        Err(TriggerError::Amplitude { found: amplitude })
    }
}

fn check_size(size: u16) -> Result<(), TriggerError> {
    if (1..=TriggerSpec::MAX_SIZE).contains(&size) {
        Ok(())
    } else {
        Err(TriggerError::Size { found: size })
    }
}

/// A tile, too, must fit: signs that no pixel shows would count as cells and protect nothing.
fn fitting_square(size: u16, shape: ImageShape) -> Result<ImageShape, TriggerError> {
    if usize::from(size) <= shape.height().min(shape.width()) {
        Ok(shape.square(size))
    } else {
        Err(TriggerError::LargerThanImage { size, shape })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<TriggerSpec, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn each_family_has_its_written_form() {
        for (family, json) in [
            (Family::Tile { size: 4, amplitude: 8 }, r#"{"family":"tile","size":4,"amplitude":8}"#),
            (Family::Full { amplitude: 127 }, r#"{"family":"full","amplitude":127}"#),
            (Family::Patch { size: 64 }, r#"{"family":"patch","size":64}"#),
        ] {
            let spec = TriggerSpec::new(family).unwrap();
            assert_eq!(serde_json::to_string(&spec).unwrap(), json);
            assert_eq!(read(json), Ok(spec));
        }
    }

    #[test]
    fn the_default_is_in_range() {
        let spec = TriggerSpec::default();
        assert_eq!(TriggerSpec::new(spec.family()).unwrap(), spec);
    }

    #[test]
    fn out_of_range_is_refused_on_reading_too() {
        for (json, reason) in [
            (r#"{"family":"tile","size":0,"amplitude":8}"#, "size 0"),
            (r#"{"family":"tile","size":65,"amplitude":8}"#, "size 65"),
            (r#"{"family":"tile","size":4,"amplitude":0}"#, "amplitude 0"),
            (r#"{"family":"full","amplitude":128}"#, "amplitude 128"),
            (r#"{"family":"patch","size":0}"#, "size 0"),
        ] {
            let error = read(json).unwrap_err();
            assert!(error.contains(reason), "{json}: {error}");
        }
    }

    #[test]
    fn unknown_and_missing_fields_are_refused() {
        for json in [
            r#"{"family":"patch","size":4,"amplitude":8}"#,
            r#"{"family":"full","amplitude":8,"size":4}"#,
            r#"{"family":"tile","size":4,"amplitude":8,"seed":1}"#,
            r#"{"family":"tile","size":4}"#,
            r#"{"family":"wave","size":4,"amplitude":8}"#,
            r#"{"size":4,"amplitude":8}"#,
        ] {
            assert!(read(json).is_err(), "{json}");
        }
    }

    #[test]
    fn tile_and_patch_must_fit() {
        let secret = Secret::from_bytes(&[1; Secret::LEN]);
        for family in [Family::Tile { size: 5, amplitude: 8 }, Family::Patch { size: 5 }] {
            let spec = TriggerSpec::new(family).unwrap();
            for (height, width, fits) in [(5, 5, true), (4, 9, false), (9, 4, false)] {
                let shape = ImageShape::new(1, height, width).unwrap();
                assert_eq!(spec.derive(&secret, shape).is_ok(), fits, "{shape}");
            }
        }
    }
}
