//! What is done to a result before it is stored.

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

/// What is done to every element of a result, in this order: something is added, the sum is
/// brought into bounds, and cleared where another value lies on or outside bounds of its own.
#[derive(Clone, Copy)]
pub struct After<'a> {
    /// What is added.
    pub residual: Option<Operand<'a>>,
    /// Smallest and largest result.
    pub bounds: [f32; 2],
    /// The value that decides what is cleared: all but what is strictly between the two bounds.
    pub mask: Option<(Operand<'a>, [f32; 2])>,
}

impl After<'_> {
    /// Leaves a result as it is.
    pub const NOTHING: After<'static> =
        After { residual: None, bounds: [f32::NEG_INFINITY, f32::INFINITY], mask: None };

    /// Panics where an operand is of another size than the result.
    pub(crate) fn check(&self, result: &Map) {
        for operand in self.residual.iter().chain(self.mask.iter().map(|(m, _)| m)) {
            assert!(operand.map.matches(result), "an operand of another size");
            assert_eq!(operand.values.len(), operand.map.elements(), "an operand is cut off");
        }
    }
}

/// Where a tile of an operand lies: null where there is none.
#[derive(Clone, Copy)]
pub(crate) struct Side {
    pub(crate) at: *const f32,
    pub(crate) pixel: usize,
    pub(crate) plane: usize,
}

impl Side {
    pub(crate) const NONE: Self = Self { at: std::ptr::null(), pixel: 0, plane: 0 };

    /// From pixel (row, column) of a block on, every `step`th column.
    pub(crate) fn of(
        operand: &Operand<'_>,
        block: usize,
        [row, column]: [usize; 2],
        step: usize,
    ) -> Self {
        let map = &operand.map;
        let at = block * map.plane() + map.origin() + row * map.row() + column * map.lanes;
        Self { at: operand.values[at..].as_ptr(), pixel: step * map.lanes, plane: map.plane() }
    }
}

/// The same for one tile: pointers and bounds.
#[derive(Clone, Copy)]
pub(crate) struct Finish {
    pub(crate) residual: Side,
    pub(crate) low: f32,
    pub(crate) high: f32,
    pub(crate) mask: Side,
    pub(crate) mask_low: f32,
    pub(crate) mask_high: f32,
}

impl Finish {
    pub(crate) const NOTHING: Self = Self {
        residual: Side::NONE,
        low: f32::NEG_INFINITY,
        high: f32::INFINITY,
        mask: Side::NONE,
        mask_low: 0.0,
        mask_high: 0.0,
    };

    pub(crate) fn of(after: &After<'_>, block: usize, pixel: [usize; 2], step: usize) -> Self {
        let side = |operand: Option<&Operand<'_>>| {
            operand.map_or(Side::NONE, |operand| Side::of(operand, block, pixel, step))
        };
        let [mask_low, mask_high] = after.mask.map_or([0.0; 2], |(_, bounds)| bounds);
        Self {
            residual: side(after.residual.as_ref()),
            low: after.bounds[0],
            high: after.bounds[1],
            mask: side(after.mask.as_ref().map(|(operand, _)| operand)),
            mask_low,
            mask_high,
        }
    }

    /// # Safety
    /// As for [`Simd`]; the operands reach to this pixel and block.
    #[inline(always)]
    pub(crate) unsafe fn apply<S: Simd>(&self, value: S, pixel: usize, block: usize) -> S {
        let place = |side: &Side| side.at.wrapping_add(pixel * side.pixel + block * side.plane);
        // SAFETY: what the caller promises.
        unsafe {
            let mut value = value;
            if !self.residual.at.is_null() {
                value = value.add(S::load(place(&self.residual)));
            }
            value = S::at_most(S::splat(self.high), S::at_least(S::splat(self.low), value));
            if !self.mask.at.is_null() {
                let mask = S::load(place(&self.mask));
                value = value.between(mask, S::splat(self.mask_low), S::splat(self.mask_high));
            }
            value
        }
    }
}
