//! Memory that is wiped when it is freed, for networks that were sealed.
//!
//! A network leaves copies of its weights behind on the way from its file to its plan: in buffers of
//! readers, in weights that are packed for a processor, in vectors that grew. Programs that are to
//! leave none after the network is closed take [`WipingAllocator`] as their global allocator. It costs
//! one comparison per freed block while no [`Wiping`] is held.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering, compiler_fence};

/// How many hold a [`Wiping`].
static HELD: AtomicUsize = AtomicUsize::new(0);

/// While one of these is held, all memory that is freed is wiped, if the program's allocator is a
/// [`WipingAllocator`]. It should outlive what it is held for.
#[derive(Debug)]
pub struct Wiping(());

impl Wiping {
    /// Begins to wipe what is freed.
    pub fn begin() -> Self {
        HELD.fetch_add(1, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for Wiping {
    fn drop(&mut self) {
        HELD.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The system's allocator, which wipes what is freed while a [`Wiping`] is held.
pub struct WipingAllocator;

// SAFETY: every block comes from the system's allocator and goes back there with its own layout.
unsafe impl GlobalAlloc for WipingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: what the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: what the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if HELD.load(Ordering::Relaxed) > 0 {
            // SAFETY: the block has as many bytes, and is not used any more.
            unsafe { wipe(block, layout.size()) };
        }
        // SAFETY: what the caller promises.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if HELD.load(Ordering::Relaxed) == 0 {
            // SAFETY: what the caller promises.
            return unsafe { System.realloc(block, layout, size) };
        }
        // SAFETY: the caller promises a size that is not zero and fits the alignment.
        let new = unsafe { System.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if !new.is_null() {
            // SAFETY: both blocks have as many bytes, and do not overlap; the old one is not used any
            // more after this.
            unsafe {
                new.copy_from_nonoverlapping(block, layout.size().min(size));
                self.dealloc(block, layout);
            }
        }
        new
    }
}

/// # Safety
/// The block has as many bytes, which nobody reads any more.
unsafe fn wipe(block: *mut u8, size: usize) {
    // SAFETY: what the caller promises.
    unsafe { block.write_bytes(0, size) };
    // Unseen, what is written to memory that is freed next would be optimised away.
    black_box(block);
    compiler_fence(Ordering::SeqCst);
}
