//! Counts what is allocated, so that a target can assert rule I7: nothing beyond what the input allows.

#![expect(unsafe_code, reason = "an allocator can not be written without it; it only counts, and passes everything on")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

// Of each thread by itself, so that tests may run side by side. What one has taken and another gives back makes it negative.
thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// Runs `work` in this thread and returns what it returns.
///
/// # Panics
/// When it held more than `limit` bytes at any moment.
pub fn within<T>(limit: usize, work: impl FnOnce() -> T) -> T {
    let before = HELD.get();
    PEAK.set(before);
    let done = work();
    let held = PEAK.get() - before;
    assert!(held <= limit.cast_signed(), "{held} bytes were allocated, {limit} are sane");
    done
}

/// What parsing so many bytes may cost. A hole of one byte becomes a piece of 48, in a vector that doubles and for a
/// moment is there twice: 144 bytes for one, and nothing grows more than that.
#[must_use]
pub fn in_proportion_to(input: &[u8]) -> usize {
    (16 << 10) + 144 * input.len()
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn grow(bytes: usize) {
    let held = HELD.get().wrapping_add_unsigned(bytes);
    HELD.set(held);
    PEAK.set(PEAK.get().max(held));
}

fn shrink(bytes: usize) {
    HELD.set(HELD.get().wrapping_sub_unsigned(bytes));
}

// SAFETY: everything is passed on to the system's allocator; only sizes are added up, in cells that allocate nothing and have
// nothing to drop.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: as the caller promised.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        grow(size);
        shrink(layout.size());
        // SAFETY: as the caller promised.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        shrink(layout.size());
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }
}
