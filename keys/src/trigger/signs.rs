//! Triggers that add signs: a periodic tile, or a full-image pattern, which is a tile that does not
//! repeat.

use zeroize::Zeroizing;

use super::ImageShape;
use crate::derive::{self, Purpose};
use crate::{Secret, TriggerError};

/// The signs of one tile and the amplitude they are multiplied with.
pub(super) struct Signs {
    tile: ImageShape,
    bits: Bits,
    /// In 8-bit steps, 1..=127.
    amplitude: u8,
}

/// A bit for each cell, the most significant of a byte first.
type Bits = Zeroizing<Vec<u8>>;

impl Signs {
    /// Signs that repeat with the sides of `tile`, which is a square.
    pub(super) fn tile(secret: &Secret, tile: ImageShape, amplitude: u8) -> Self {
        let bits = derive::stream(secret, Purpose::Tile, &tile.to_square_info(), len(tile));
        Self { tile, bits, amplitude }
    }

    /// A sign for each value of an image.
    pub(super) fn full(secret: &Secret, image: ImageShape, amplitude: u8) -> Self {
        let bits = derive::stream(secret, Purpose::Full, &image.to_info(), len(image));
        Self { tile: image, bits, amplitude }
    }

    /// Signs whose bits are known; `None` where they are too few or too many.
    pub(super) fn restored(bits: &[u8], tile: ImageShape, amplitude: u8) -> Option<Self> {
        let bits = Zeroizing::new(bits.to_vec());
        (bits.len() == len(tile)).then_some(Self { tile, bits, amplitude })
    }

    pub(super) fn exposed(&self) -> &[u8] {
        &self.bits
    }

    pub(super) fn cells(&self) -> usize {
        self.tile.values()
    }

    /// Adds the signs to an image, with saturation.
    pub(super) fn add(&self, image: ImageShape, pixels: &mut [u8]) {
        self.visit(image, pixels, |pixel, delta| {
            *pixel = pixel.saturating_add_signed(delta);
        });
    }

    /// What [`add`](Self::add) adds to each value of an image, before saturation.
    pub(super) fn deltas(&self, image: ImageShape) -> Vec<i8> {
        let mut deltas = vec![0; image.values()];
        self.visit(image, &mut deltas, |value, delta| *value = delta);
        deltas
    }

    pub(super) fn with_amplitude(&self, amplitude: u8) -> Self {
        self.with_bits(self.bits.clone(), amplitude)
    }

    pub(super) fn flip(&self, cells: &[usize]) -> Result<Self, TriggerError> {
        let mut bits = self.bits.clone();
        for &cell in cells {
            if cell >= self.cells() {
                return Err(TriggerError::Cell { cell, cells: self.cells() });
            }
            bits[cell / 8] ^= bit(cell);
        }
        Ok(self.with_bits(bits, self.amplitude))
    }

    pub(super) fn shifted(&self, rows: isize, columns: isize) -> Self {
        let (height, width) = (self.tile.height(), self.tile.width());
        // Where cell (0, 0) is taken from. Sides are at most 16384, so the casts lose nothing.
        let top = height - rows.rem_euclid(height as isize) as usize;
        let left = width - columns.rem_euclid(width as isize) as usize;
        let mut bits = Zeroizing::new(vec![0; self.bits.len()]);
        for cell in 0..self.cells() {
            let (channel, row, column) =
                (cell / (height * width), cell / width % height, cell % width);
            let source = self.cell(channel, top + row, left + column);
            if self.is_plus(source) {
                bits[cell / 8] |= bit(cell);
            }
        }
        self.with_bits(bits, self.amplitude)
    }

    fn with_bits(&self, bits: Bits, amplitude: u8) -> Self {
        Self { tile: self.tile, bits, amplitude }
    }

    /// Meets each value of an image with its sign times the amplitude.
    fn visit<T>(&self, image: ImageShape, values: &mut [T], each: impl Fn(&mut T, i8)) {
        for (index, row) in values.chunks_exact_mut(image.width()).enumerate() {
            let first = self.cell(index / image.height(), index % image.height(), 0);
            for tile in row.chunks_mut(self.tile.width()) {
                // Byte by byte, where the row begins with one.
                let bytes = if first.is_multiple_of(8) { tile.len() / 8 } else { 0 };
                let (whole, rest) = tile.split_at_mut(8 * bytes);
                for (values, &byte) in whole.chunks_exact_mut(8).zip(&self.bits[first / 8..]) {
                    for (place, value) in values.iter_mut().enumerate() {
                        each(value, self.times_sign(byte & 0x80 >> place));
                    }
                }
                for (value, cell) in rest.iter_mut().zip(first + 8 * bytes..) {
                    each(value, self.times_sign(self.bits[cell / 8] & bit(cell)));
                }
            }
        }
    }

    /// The amplitude with a sign: plus where the bit is set.
    fn times_sign(&self, bit: u8) -> i8 {
        // Lossless: the amplitude is at most 127. Without a branch, which would be foreseen wrongly
        // every other time.
        self.amplitude as i8 * (2 * i8::from(bit != 0) - 1)
    }

    fn is_plus(&self, cell: usize) -> bool {
        self.bits[cell / 8] & bit(cell) != 0
    }

    /// The cell of the tile that shows at a place of the image.
    fn cell(&self, channel: usize, row: usize, column: usize) -> usize {
        let (height, width) = (self.tile.height(), self.tile.width());
        (channel * height + row % height) * width + column % width
    }
}

/// Bytes for the signs of a tile.
fn len(tile: ImageShape) -> usize {
    tile.values().div_ceil(8)
}

/// The place of a cell within its byte.
fn bit(cell: usize) -> u8 {
    0x80 >> (cell % 8)
}
