//! The allocator of a component. An instance lives for one call, so freeing is hardly worth its code: blocks are
//! handed out from front to back, the last one may grow or be given back, and everything goes when the instance
//! does. The first blocks come from an arena that is part of the memory an instance starts with, since growing
//! memory costs the host two system calls.
//!
//! The price: what is given back in another order than it was taken stays taken until the end of the call, and
//! all of it counts against the 16 MiB of an instance. A policy for which that is too little switches the
//! feature `heap` off and has the standard library's allocator.

#![expect(unsafe_code, reason = "an allocator hands out raw memory")]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::{Cell, UnsafeCell};
use std::ptr;

/// Enough for a question, its settings and an answer of usual size; pages of it that are not used cost nothing.
const ARENA_BYTES: usize = 64 << 10;

/// Memory is grown by this much at least: a megabyte, so that a large question takes few steps.
const STEP_PAGES: usize = 16;

/// Bytes of a page of WebAssembly memory.
const PAGE_BYTES: usize = 64 << 10;

#[global_allocator]
static HEAP: Heap = Heap { arena: UnsafeCell::new([0; ARENA_BYTES]), next: Cell::new(0), end: Cell::new(0) };

/// Addresses only: `next` is the first free one, `end` the first that is not ours. Both are 0 at the start.
struct Heap {
    arena: UnsafeCell<[u8; ARENA_BYTES]>,
    next: Cell<usize>,
    end: Cell<usize>,
}

// SAFETY: a component has one thread.
unsafe impl Sync for Heap {}

impl Heap {
    /// Room for `size` bytes at a multiple of `align`, or 0.
    fn take(&self, size: usize, align: usize) -> usize {
        if self.end.get() == 0 {
            self.next.set(self.arena.get() as usize);
            self.end.set(self.arena.get() as usize + ARENA_BYTES);
        }
        let Some(block) = self.next.get().checked_next_multiple_of(align) else { return 0 };
        match block.checked_add(size) {
            Some(after) if after <= self.end.get() => {
                self.next.set(after);
                block
            }
            Some(_) => self.take_from_grown(size, align),
            None => 0,
        }
    }

    /// The same from new memory, which joins the old if nothing lies between.
    #[cold]
    fn take_from_grown(&self, size: usize, align: usize) -> usize {
        let Some(bytes) = size.checked_add(align) else { return 0 };
        let needed = bytes.div_ceil(PAGE_BYTES);
        // Near the limit of memory the step may be too much where the need is not.
        let Some((before, pages)) = [needed.max(STEP_PAGES), needed].into_iter().find_map(|pages| {
            let before = core::arch::wasm32::memory_grow(0, pages);
            (before != usize::MAX).then_some((before, pages))
        }) else {
            return 0;
        };
        let start = before * PAGE_BYTES;
        if start != self.end.get() {
            self.next.set(start);
        }
        self.end.set(start + pages * PAGE_BYTES);
        self.take(size, align)
    }

    fn is_last(&self, block: *mut u8, size: usize) -> bool {
        block as usize + size == self.next.get()
    }
}

// SAFETY: blocks lie in the arena or in memory that was grown, do not overlap because `next` only moves past
// them, and are aligned; only the last block is ever given back or resized in place.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ptr::with_exposed_provenance_mut(self.take(layout.size(), layout.align()))
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if self.is_last(block, layout.size()) {
            self.next.set(block as usize);
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if self.is_last(block, layout.size()) {
            let after = (block as usize).wrapping_add(size);
            if after >= block as usize && after <= self.end.get() {
                self.next.set(after);
                return block;
            }
        } else if size <= layout.size() {
            return block;
        }
        let moved = self.take(size, layout.align());
        let moved: *mut u8 = ptr::with_exposed_provenance_mut(moved);
        if !moved.is_null() {
            // SAFETY: the new block does not overlap the old one and is large enough for what is copied.
            unsafe { ptr::copy_nonoverlapping(block, moved, layout.size().min(size)) };
        }
        moved
    }
}
