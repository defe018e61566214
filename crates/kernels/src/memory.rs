//! An allocator whose large blocks ask for large pages.
//!
//! The first write to a page of 4 KiB costs the kernel of the operating system several times a pass over it: more than
//! many an operation takes to compute what is written there. Linux hands out pages of 2 MiB, cleared at once, to memory that
//! asks for them. Blocks are the system allocator's; where a system refuses, and elsewhere, nothing else changes.

use std::alloc::{GlobalAlloc, Layout, System};

/// Bytes of a block that is worth asking for: it holds a whole large page wherever it begins.
#[cfg(target_os = "linux")]
const LARGE: usize = 4 << 20;

/// The system's allocator, asking for large pages.
///
/// ```
/// #[global_allocator]
/// static ALLOCATOR: tamis_kernels::memory::LargePages = tamis_kernels::memory::LargePages;
/// assert_eq!(vec![0u8; 8 << 20].len(), 8 << 20);
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct LargePages;

// SAFETY: every block is one of the system allocator, with the same layout, and given back to it.
unsafe impl GlobalAlloc for LargePages {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is the system allocator's.
        asking(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        asking(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        asking(unsafe { System.realloc(block, layout, size) }, size)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) };
    }
}

/// The block; a large one has asked for large pages. `block` is null, or has `size` bytes.
#[inline]
fn asking(block: *mut u8, size: usize) -> *mut u8 {
    #[cfg(target_os = "linux")]
    if size >= LARGE && !block.is_null() {
        ask(block, size);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = size;
    block
}

#[cfg(target_os = "linux")]
#[cold]
fn ask(block: *mut u8, size: usize) {
    // SAFETY: asks for a number.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
    let skipped = block.align_offset(page);
    // SAFETY: whole pages of the block, whose bytes the advice leaves as they are. What the kernel answers changes nothing.
    unsafe {
        let first = block.add(skipped).cast();
        libc::madvise(first, (size - skipped) / page * page, libc::MADV_HUGEPAGE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[global_allocator]
    static ALLOCATOR: LargePages = LargePages;

    #[test]
    fn blocks_of_all_sizes_hold_what_they_are_given() {
        for n in [0, 1, 4095, (4 << 20) - 1, 4 << 20, (9 << 20) + 3] {
            assert!(vec![0u8; n].iter().all(|&byte| byte == 0));
            // Grown step by step, so that blocks are moved.
            let mut items = Vec::new();
            (0..n / 2).for_each(|i| items.push(i as u16));
            items.shrink_to(n / 3);
            assert!(items.iter().enumerate().all(|(i, &item)| item == i as u16));
        }
    }

    #[test]
    fn a_block_that_cannot_be_had_is_null() {
        let layout = Layout::from_size_align(isize::MAX as usize - 63, 64).unwrap();
        // SAFETY: the layout is not empty, and nothing is given back.
        assert!(unsafe { LargePages.alloc(layout) }.is_null());
    }
}
