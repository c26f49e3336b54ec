//! An output that several threads write different parts of.

use std::marker::PhantomData;

/// A slice whose parts are written by one thread each.
///
/// It gives out pointers, within its bounds, and whoever writes through one sees to it that no
/// other thread has the same element: steps are cut into parts that own different pixels or
/// channels. Nothing can be written without an `unsafe` block that says why that is so.
pub(crate) struct DisjointSlice<'a> {
    start: *mut f32,
    length: usize,
    borrow: PhantomData<&'a mut [f32]>,
}

// SAFETY: the slice is borrowed exclusively for as long as this lives; all that can be done through
// a shared reference is to ask for pointers.
unsafe impl Sync for DisjointSlice<'_> {}

impl<'a> DisjointSlice<'a> {
    pub(crate) fn new(slice: &'a mut [f32]) -> Self {
        Self { start: slice.as_mut_ptr(), length: slice.len(), borrow: PhantomData }
    }

    /// Pointer to `length` elements from `start` on, good for reads and writes of these while the
    /// slice is borrowed.
    ///
    /// # Panics
    /// The slice is shorter.
    pub(crate) fn part(&self, start: usize, length: usize) -> *mut f32 {
        assert!(start <= self.length && length <= self.length - start, "beyond the output");
        self.start.wrapping_add(start)
    }
}
