//! What is done to a result before it is stored.

use crate::map::Map;
use crate::shared::Shared;
use crate::simd::Simd;

/// Another value that a result is combined with, pixel by pixel.
#[derive(Clone, Copy)]
pub struct Operand<'a> {
    /// Its elements.
    pub values: &'a [f32],
    /// Its geometry: the result's, with any halo.
    pub map: Map,
}

/// One bit for every element of a map: `[block, row, column]`, the lanes of a block in one word,
/// whose bits are stored as those of a float. A sixteenth or an eighth of the map's size.
#[derive(Clone, Copy, Debug)]
pub struct Bits;

impl Bits {
    /// The map of the words for the elements of a map.
    pub fn map_of(map: &Map) -> Map {
        Map { channels: map.blocks(), lanes: 1, halo: 0, ..*map }
    }
}

/// Where bits go that tell which elements of a result are strictly between two bounds.
pub struct Kept<'a> {
    words: Shared<'a>,
    bounds: [f32; 2],
}

impl<'a> Kept<'a> {
    /// Into words as many as [`Bits::map_of`] the result has.
    pub fn new(words: &'a mut [f32], bounds: [f32; 2]) -> Self {
        Self { words: Shared::new(words), bounds }
    }
}

/// What is done to every element of a result, in this order: something is added, the sum is
/// brought into bounds, cleared where a bit is not set, and looked at.
#[derive(Clone, Copy)]
pub struct After<'a> {
    /// What is added.
    pub residual: Option<Operand<'a>>,
    /// Smallest and largest result.
    pub bounds: [f32; 2],
    /// The bits of what is not cleared, as [`Kept`] has them from a value of the same size.
    pub mask: Option<&'a [f32]>,
    /// What is remembered of the result.
    pub kept: Option<&'a Kept<'a>>,
}

impl After<'_> {
    /// Leaves a result as it is.
    pub const NOTHING: After<'static> = After {
        residual: None,
        bounds: [f32::NEG_INFINITY, f32::INFINITY],
        mask: None,
        kept: None,
    };

    /// Panics where an operand is of another size than the result.
    pub(crate) fn check(&self, result: &Map) {
        if let Some(operand) = &self.residual {
            assert!(operand.map.matches(result), "an operand of another size");
            assert_eq!(operand.values.len(), operand.map.elements(), "an operand is cut off");
        }
        let words = Bits::map_of(result).elements();
        assert!(self.mask.is_none_or(|mask| mask.len() == words), "bits of another size");
        assert!(self.kept.is_none_or(|k| k.words.length() == words), "room for other bits");
    }
}

/// Where a tile of an operand lies: null where there is none.
#[derive(Clone, Copy)]
struct Side {
    at: *const f32,
    pixel: usize,
    row: usize,
    plane: usize,
}

impl Side {
    const NONE: Self = Self { at: std::ptr::null(), pixel: 0, row: 0, plane: 0 };

    /// From pixel (row, column) of a block on, every `step`th column.
    fn of(values: &[f32], map: &Map, block: usize, at: [usize; 2], step: usize) -> Self {
        let at = block * map.plane() + map.origin() + at[0] * map.row() + at[1] * map.lanes;
        let at = values[at..].as_ptr();
        Self { at, pixel: step * map.lanes, row: map.row(), plane: map.plane() }
    }

    /// Some rows and pixels on; null stays null.
    #[inline(always)]
    fn on(self, [rows, pixels]: [usize; 2]) -> Self {
        Self { at: self.at.wrapping_add(rows * self.row + pixels * self.pixel), ..self }
    }

    fn place(&self, pixel: usize, block: usize) -> *const f32 {
        self.at.wrapping_add(pixel * self.pixel + block * self.plane)
    }
}

/// The same for one tile: pointers and bounds.
#[derive(Clone, Copy)]
pub(crate) struct Finish {
    residual: Side,
    low: f32,
    high: f32,
    mask: Side,
    kept: Side,
    kept_low: f32,
    kept_high: f32,
}

impl Finish {
    pub(crate) const NOTHING: Self = Self {
        residual: Side::NONE,
        low: f32::NEG_INFINITY,
        high: f32::INFINITY,
        mask: Side::NONE,
        kept: Side::NONE,
        kept_low: 0.0,
        kept_high: 0.0,
    };

    /// For pixels of `result` from this one on, every `step`th column, whose operands
    /// [`After::check`] has checked.
    pub(crate) fn of(
        after: &After<'_>,
        result: &Map,
        block: usize,
        at: [usize; 2],
        step: usize,
    ) -> Self {
        let mut finish = Self { low: after.bounds[0], high: after.bounds[1], ..Self::NOTHING };
        if let Some(operand) = &after.residual {
            finish.residual = Side::of(operand.values, &operand.map, block, at, step);
        }
        if let Some(mask) = after.mask {
            finish.mask = Side::of(mask, &Bits::map_of(result), block, at, step);
        }
        if let Some(kept) = after.kept {
            let map = Bits::map_of(result);
            let start = block * map.plane() + at[0] * map.row() + at[1];
            let at = kept.words.part(start, 1);
            finish.kept = Side { at, pixel: step, row: map.row(), plane: map.plane() };
            [finish.kept_low, finish.kept_high] = kept.bounds;
        }
        finish
    }

    /// The same some rows and pixels on.
    #[inline(always)]
    pub(crate) fn on(&self, by: [usize; 2]) -> Self {
        let Self { residual, mask, kept, .. } = *self;
        Self { residual: residual.on(by), mask: mask.on(by), kept: kept.on(by), ..*self }
    }

    /// # Safety
    /// As for [`Simd`]; the result has this pixel and block, and they are this thread's.
    #[inline(always)]
    pub(crate) unsafe fn apply<S: Simd>(&self, value: S, pixel: usize, block: usize) -> S {
        // SAFETY: what the caller promises.
        unsafe {
            let mut value = value;
            if !self.residual.at.is_null() {
                value = value.add(S::load(self.residual.place(pixel, block)));
            }
            value = S::at_most(S::splat(self.high), S::at_least(S::splat(self.low), value));
            if !self.mask.at.is_null() {
                value = value.only(self.mask.place(pixel, block).cast::<u32>().read());
            }
            if !self.kept.at.is_null() {
                let bits = value.inside(S::splat(self.kept_low), S::splat(self.kept_high));
                self.kept.place(pixel, block).cast_mut().cast::<u32>().write(bits);
            }
            value
        }
    }
}
