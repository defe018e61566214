//! Memory for large buffers: the system's allocator, on huge pages where the system gives them on request.
//!
//! The first touch of fresh memory costs a fault a page; on pages of 2 MiB in place of 4 KiB a buffer is written for the
//! first time several times as fast. Advice is all that is added: a call of the system for an allocation of [`LARGE`] bytes or
//! more, nothing for a smaller one. A system that has no such pages, or gives them to nobody, ignores it.

use std::alloc::{GlobalAlloc, Layout, System};

/// Bytes from which on an allocation is large: it has a whole huge page wherever it begins.
pub const LARGE: usize = 4 << 20;

/// The system's allocator, which asks for huge pages under large allocations.
///
/// ```
/// #[global_allocator]
/// static MEMORY: tamis_kernels::memory::HugePages = tamis_kernels::memory::HugePages;
/// let numbers = vec![1u8; 5 << 20];
/// assert!(numbers.iter().all(|&x| x == 1));
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct HugePages;

// SAFETY: every allocation is the system allocator's; advice changes no contents.
unsafe impl GlobalAlloc for HugePages {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by the caller's promise.
        advised(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by the caller's promise.
        advised(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: by the caller's promise.
        advised(unsafe { System.realloc(memory, layout, size) }, size)
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: by the caller's promise.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// The memory, its pages advised to be huge if it is large.
#[inline]
fn advised(memory: *mut u8, size: usize) -> *mut u8 {
    if size >= LARGE && !memory.is_null() {
        advise(memory, size);
    }
    memory
}

#[cfg(target_os = "linux")]
#[cold]
fn advise(memory: *mut u8, size: usize) {
    const PAGE: usize = 4096;
    // Whole pages, with those at both ends: a mapping of the allocator's is not cut in two, and grows in place.
    let before = memory.addr() % PAGE;
    let length = (before + size).next_multiple_of(PAGE);
    // SAFETY: the pages hold memory of this allocator, and this advice leaves contents and access as they are. A
    // refusal (no such pages, larger small pages) is no harm.
    unsafe { libc::madvise(memory.sub(before).cast(), length, libc::MADV_HUGEPAGE) };
}

#[cfg(not(target_os = "linux"))]
fn advise(_: *mut u8, _: usize) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_any_size_holds_what_is_written() {
        for size in [1, 4096, LARGE - 1, LARGE, 3 * LARGE + 5] {
            let layout = Layout::from_size_align(size, 8).unwrap();
            // SAFETY: every layout has a size, every place is inside what was allocated, and all is given back.
            unsafe {
                let memory = HugePages.alloc_zeroed(layout);
                assert!(!memory.is_null() && memory.addr().is_multiple_of(8));
                assert_eq!((*memory, *memory.add(size - 1)), (0, 0));
                std::slice::from_raw_parts_mut(memory, size).fill(7);
                let memory = HugePages.realloc(memory, layout, 2 * size);
                assert!(std::slice::from_raw_parts(memory, size).iter().all(|&x| x == 7));
                memory.add(2 * size - 1).write(1);
                HugePages.dealloc(memory, Layout::from_size_align(2 * size, 8).unwrap());
                let memory = HugePages.alloc(layout);
                std::slice::from_raw_parts_mut(memory, size).fill(9);
                HugePages.dealloc(memory, layout);
            }
        }
    }

    #[test]
    fn what_cannot_be_had_is_null() {
        let layout = Layout::from_size_align(isize::MAX as usize / 2, 8).unwrap();
        // SAFETY: the layout has a size.
        assert!(unsafe { HugePages.alloc(layout) }.is_null());
    }
}
