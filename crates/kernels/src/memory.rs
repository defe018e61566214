//! An allocator that takes large blocks from the operating system, in large pages.
//!
//! The first write to a page of 4 KiB costs the kernel of the operating system several times a pass over it: more than
//! many an operation takes to compute what is written there. Linux hands out pages of 2 MiB, cleared at once, to memory that
//! asks for them. And what comes from it is zeros, where an allocator of small blocks writes zeros over what it kept. Where a
//! system refuses large pages, and on other systems, nothing else changes.

use std::alloc::{GlobalAlloc, Layout, System};

/// The system's allocator for small blocks, Linux itself for large ones.
///
/// ```
/// #[global_allocator]
/// static ALLOCATOR: tamis_kernels::memory::LargePages = tamis_kernels::memory::LargePages;
/// assert_eq!(vec![0u8; 32 << 20].len(), 32 << 20);
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct LargePages;

// SAFETY: whether a block is large follows from its layout alone, so that each goes back to where it came from.
#[cfg(target_os = "linux")]
unsafe impl GlobalAlloc for LargePages {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if linux::is_large(layout) {
            return linux::map(layout.size());
        }
        // SAFETY: the caller's promise is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if linux::is_large(layout) {
            return linux::map(layout.size());
        }
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if linux::is_large(layout) {
            // SAFETY: a large block of this size was mapped, says the caller.
            return unsafe { linux::unmap(block, layout.size()) };
        }
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) };
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the size is one of a layout.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (linux::is_large(layout), linux::is_large(new)) {
            // SAFETY: as above.
            (false, false) => unsafe { System.realloc(block, layout, size) },
            // SAFETY: a large block of this size was mapped, says the caller.
            (true, true) => unsafe { linux::remap(block, layout.size(), size) },
            _ => {
                // SAFETY: both blocks have so many bytes and are not one; a block that could not be had leaves the first as it is.
                unsafe {
                    let moved = self.alloc(new);
                    if !moved.is_null() {
                        std::ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
                        self.dealloc(block, layout);
                    }
                    moved
                }
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
// SAFETY: every call is the system allocator's, with the caller's promise.
unsafe impl GlobalAlloc for LargePages {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) };
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::alloc::Layout;
    use std::ptr::null_mut;

    /// Bytes of a large block. Smaller ones come again and again, as a service's requests do, and the system's allocator keeps their
    /// pages for the next.
    const LARGE: usize = 16 << 20;
    /// What every page is aligned to.
    const PAGE: usize = 4096;

    #[inline]
    pub fn is_large(layout: Layout) -> bool {
        layout.size() >= LARGE && layout.align() <= PAGE
    }

    /// Zeros; null if there is no memory.
    #[cold]
    pub fn map(size: usize) -> *mut u8 {
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a mapping at a place of the kernel's choice touches none that is there.
        let block = unsafe { libc::mmap(null_mut(), size, access, kind, -1, 0) };
        in_large_pages(block, size)
    }

    /// # Safety
    /// `block` is mapped with this size.
    #[cold]
    pub unsafe fn unmap(block: *mut u8, size: usize) {
        // SAFETY: the block is the caller's, who lets go of it.
        unsafe { libc::munmap(block.cast(), size) };
    }

    /// # Safety
    /// `block` is mapped with the size `from`.
    #[cold]
    pub unsafe fn remap(block: *mut u8, from: usize, to: usize) -> *mut u8 {
        // SAFETY: the block is the caller's, who goes on with the one that is returned, or with this one if that is null.
        let block = unsafe { libc::mremap(block.cast(), from, to, libc::MREMAP_MAYMOVE) };
        in_large_pages(block, to)
    }

    /// Asks for large pages; null where there is no mapping.
    fn in_large_pages(block: *mut libc::c_void, size: usize) -> *mut u8 {
        if block == libc::MAP_FAILED {
            return null_mut();
        }
        // SAFETY: the mapping has these bytes, which the advice leaves as they are. What the kernel answers changes nothing.
        unsafe { libc::madvise(block, size, libc::MADV_HUGEPAGE) };
        block.cast()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[global_allocator]
    static ALLOCATOR: LargePages = LargePages;

    #[test]
    fn blocks_of_all_sizes_hold_what_they_are_given() {
        for n in [0, 1, 4095, (16 << 20) - 1, 16 << 20, (33 << 20) + 3] {
            assert!(vec![0u8; n].iter().all(|&byte| byte == 0));
            // Grown step by step, so that blocks are moved.
            let mut items = Vec::new();
            (0..n / 2).for_each(|i| items.push(i as u16));
            items.truncate(n / 3);
            items.shrink_to_fit();
            items.reserve(n);
            assert!(items.iter().enumerate().all(|(i, &item)| item == i as u16));
            items.truncate(7);
            items.shrink_to_fit();
            assert!(items.iter().enumerate().all(|(i, &item)| item == i as u16));
        }
    }

    #[test]
    fn large_blocks_are_aligned_and_zeros_again() {
        for align in [1, 64, 4096, 1 << 14, 1 << 22] {
            let layout = Layout::from_size_align(17 << 20, align).unwrap();
            for _ in 0..3 {
                // SAFETY: the layout is not empty; the block is read and written within it, and given back once.
                unsafe {
                    let block = LargePages.alloc_zeroed(layout);
                    assert!(block.addr().is_multiple_of(align));
                    let bytes = std::slice::from_raw_parts_mut(block, layout.size());
                    assert!(bytes.iter().all(|&byte| byte == 0));
                    bytes.fill(7);
                    LargePages.dealloc(block, layout);
                }
            }
        }
    }

    #[test]
    fn a_block_that_cannot_be_had_is_null() {
        let layout = Layout::from_size_align(isize::MAX as usize - 63, 64).unwrap();
        // SAFETY: the layout is not empty, and nothing is given back.
        assert!(unsafe { LargePages.alloc(layout) }.is_null());
    }
}
