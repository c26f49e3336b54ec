//! An output that several threads write different parts of.

use std::marker::PhantomData;

/// A slice that is written through shared references.
///
/// Callers see to it that no two threads write the same element at once: parts of a step are cut
/// so that they own different pixels or channels.
pub(crate) struct Shared<'a> {
    start: *mut f32,
    length: usize,
    borrow: PhantomData<&'a mut [f32]>,
}

// SAFETY: the slice is borrowed exclusively, and its parts are written by one thread each.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    pub(crate) fn new(slice: &'a mut [f32]) -> Self {
        Self { start: slice.as_mut_ptr(), length: slice.len(), borrow: PhantomData }
    }

    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// Pointer to `length` elements from `start` on.
    pub(crate) fn part(&self, start: usize, length: usize) -> *mut f32 {
        assert!(start <= self.length && length <= self.length - start, "beyond the output");
        self.start.wrapping_add(start)
    }

    /// Writes some elements.
    pub(crate) fn copy(&self, place: usize, values: &[f32]) {
        let to = self.part(place, values.len());
        // SAFETY: within the slice, which is borrowed exclusively, and no other thread's.
        unsafe { to.copy_from_nonoverlapping(values.as_ptr(), values.len()) }
    }

    /// Writes one element.
    pub(crate) fn set(&self, place: usize, value: f32) {
        let to = self.part(place, 1);
        // SAFETY: within the slice, and no other thread's.
        unsafe { to.write(value) }
    }
}
