//! What is done to a result before it is stored.
//!
//! An [`Epilogue`] is what a caller asks for. Checked against the map of the result it is a
//! [`MapEpilogue`], which all threads of a step share; each tile takes a [`TileEpilogue`] from it.

use crate::disjoint::DisjointSlice;
use crate::map::Map;
use crate::simd::Simd;

/// Another value that a result is combined with, pixel by pixel.
#[derive(Clone, Copy)]
pub struct Operand<'a> {
    /// Its elements.
    pub values: &'a [f32],
    /// Its geometry: the result's, with any halo.
    pub map: Map,
}

/// Where bits go that tell which elements of a result are strictly between two bounds.
///
/// The bits are borrowed exclusively, so no two runs can write them at once:
///
/// ```compile_fail
/// # use saligate_kernels::{Epilogue, MaskRecord};
/// let mut words = [0.0; 4];
/// let record = MaskRecord::new(&mut words, [0.0, 1.0]);
/// let first = Epilogue { record: Some(record), ..Epilogue::NOTHING };
/// let second = Epilogue { record: Some(record), ..Epilogue::NOTHING };
/// ```
pub struct MaskRecord<'a> {
    words: &'a mut [f32],
    bounds: [f32; 2],
}

impl<'a> MaskRecord<'a> {
    /// Into words as many as [`Map::mask`] of the result has.
    pub fn new(words: &'a mut [f32], bounds: [f32; 2]) -> Self {
        Self { words, bounds }
    }
}

/// What is done to every element of a result, in this order: something is added, the sum is
/// brought into bounds, cleared where a bit is not set, and looked at.
pub struct Epilogue<'a> {
    /// What is added.
    pub residual: Option<Operand<'a>>,
    /// Smallest and largest result.
    pub bounds: [f32; 2],
    /// The bits of what is not cleared, as a [`MaskRecord`] has them from a value of the same size.
    pub mask: Option<&'a [f32]>,
    /// What is remembered of the result.
    pub record: Option<MaskRecord<'a>>,
}

impl<'a> Epilogue<'a> {
    /// Leaves a result as it is.
    pub const NOTHING: Epilogue<'static> = Epilogue {
        residual: None,
        bounds: [f32::NEG_INFINITY, f32::INFINITY],
        mask: None,
        record: None,
    };

    /// Whether it reads nothing but a planar map without halo, and keeps nothing.
    pub(crate) fn is_flat(&self) -> bool {
        let flat = |operand: &Operand<'_>| operand.map.lanes() == 1 && operand.map.halo() == 0;
        self.residual.as_ref().is_none_or(flat) && self.mask.is_none() && self.record.is_none()
    }

    /// For a result of this geometry.
    ///
    /// Panics where an operand is of another size than the result.
    pub(crate) fn of(self, result: &Map) -> MapEpilogue<'a> {
        let Self { residual, bounds, mask, record } = self;
        if let Some(operand) = &residual {
            assert!(operand.map.matches(result), "an operand of another size");
            assert_eq!(operand.values.len(), operand.map.elements(), "an operand is cut off");
        }
        let words = result.mask().elements();
        assert!(mask.is_none_or(|mask| mask.len() == words), "bits of another size");
        let record = record.map(|MaskRecord { words: room, bounds }| {
            assert_eq!(room.len(), words, "room for other bits");
            (DisjointSlice::new(room), bounds)
        });
        MapEpilogue { result: *result, residual, bounds, mask, record }
    }
}

/// The epilogue of a result of one geometry; all operands are as large as that.
pub(crate) struct MapEpilogue<'a> {
    result: Map,
    residual: Option<Operand<'a>>,
    bounds: [f32; 2],
    mask: Option<&'a [f32]>,
    record: Option<(DisjointSlice<'a>, [f32; 2])>,
}

impl MapEpilogue<'_> {
    /// What is added, and the bounds: all of it, where [`Epilogue::is_flat`] says so.
    pub(crate) fn flat(&self) -> (Option<&[f32]>, [f32; 2]) {
        (self.residual.as_ref().map(|operand| operand.values), self.bounds)
    }

    /// Whether results are stored as they are.
    pub(crate) fn is_nothing(&self) -> bool {
        let Self { residual, bounds, mask, record, .. } = self;
        let free = *bounds == Epilogue::NOTHING.bounds;
        residual.is_none() && free && mask.is_none() && record.is_none()
    }

    /// Whether the rows of all operands follow each other without a gap.
    pub(crate) fn is_flat(&self) -> bool {
        self.residual.is_none_or(|residual| residual.map.halo() == 0)
    }

    /// For pixels of the result from this row and column of a block on, every `step`th column.
    ///
    /// # Panics
    /// The result has no such pixel.
    pub(crate) fn tile(&self, block: usize, at: [usize; 2], step: usize) -> TileEpilogue {
        let mut tile =
            TileEpilogue { low: self.bounds[0], high: self.bounds[1], ..TileEpilogue::NOTHING };
        if let Some(operand) = &self.residual {
            tile.residual = Side::of(operand.values, &operand.map, block, at, step);
        }
        if let Some(mask) = self.mask {
            tile.mask = Side::of(mask, &self.result.mask(), block, at, step);
        }
        if let Some((words, bounds)) = &self.record {
            let map = self.result.mask();
            let start = block * map.plane() + at[0] * map.row() + at[1];
            let at = words.part(start, 1);
            tile.record = Side { at, pixel: step, row: map.row(), plane: map.plane() };
            tile.recorded = *bounds;
        }
        tile
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
        let at = block * map.plane() + map.origin() + at[0] * map.row() + at[1] * map.lanes();
        let at = values[at..].as_ptr();
        Self { at, pixel: step * map.lanes(), row: map.row(), plane: map.plane() }
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

/// The epilogue of one tile: pointers and bounds.
#[derive(Clone, Copy)]
pub(crate) struct TileEpilogue {
    residual: Side,
    low: f32,
    high: f32,
    mask: Side,
    record: Side,
    recorded: [f32; 2],
}

impl TileEpilogue {
    pub(crate) const NOTHING: Self = Self {
        residual: Side::NONE,
        low: f32::NEG_INFINITY,
        high: f32::INFINITY,
        mask: Side::NONE,
        record: Side::NONE,
        recorded: [0.0; 2],
    };

    /// The same some rows and pixels on.
    #[inline(always)]
    pub(crate) fn on(&self, by: [usize; 2]) -> Self {
        let Self { residual, mask, record, .. } = *self;
        Self { residual: residual.on(by), mask: mask.on(by), record: record.on(by), ..*self }
    }

    /// # Safety
    /// The processor has the instructions of `S`, which has the lanes of the result; the result has
    /// this pixel and block, and no other thread has them.
    #[inline(always)]
    pub(crate) unsafe fn apply<S: Simd>(&self, value: S, pixel: usize, block: usize) -> S {
        // SAFETY: what the caller promises; operands are as large as the result, which
        // `Epilogue::of` has checked, and bits belong to the thread that has their pixel.
        unsafe {
            let mut value = value;
            if !self.residual.at.is_null() {
                value = value.add(S::load(self.residual.place(pixel, block)));
            }
            value = S::at_most(S::splat(self.high), S::at_least(S::splat(self.low), value));
            if !self.mask.at.is_null() {
                value = value.only(self.mask.place(pixel, block).cast::<u32>().read());
            }
            if !self.record.at.is_null() {
                let bits = value.inside(S::splat(self.recorded[0]), S::splat(self.recorded[1]));
                self.record.place(pixel, block).cast_mut().cast::<u32>().write(bits);
            }
            value
        }
    }
}
