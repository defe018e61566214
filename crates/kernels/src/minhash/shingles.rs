//! Where the shingles of a clean text are, and their hashes.

use crate::xxh3::{Short, hash64};

/// The shingles of a text, numbered; there is at least one.
pub trait Shingles {
    fn count(&self) -> usize;

    /// The low 32 bits of the hash of shingle `i`.
    ///
    /// # Safety
    /// `i` is less than [`Shingles::count`].
    unsafe fn low32(&self, i: usize) -> u32;
}

/// Shingles of 9 to 16 bytes, one at every byte: those of ASCII.
pub struct Windows<'b> {
    short: Short<'b>,
    count: usize,
}

impl<'b> Windows<'b> {
    /// There are `count` windows.
    pub fn new(short: Short<'b>, count: usize) -> Self {
        Windows { short, count }
    }
}

impl Shingles for Windows<'_> {
    fn count(&self) -> usize {
        self.count
    }

    #[inline(always)]
    unsafe fn low32(&self, i: usize) -> u32 {
        // SAFETY: there is a window at every place below the count, as the caller promises.
        unsafe { self.short.low32(i) }
    }
}

/// Shingles of any length, of characters that begin at known places.
pub struct Spans<'b> {
    bytes: &'b [u8],
    starts: &'b [usize],
    /// Characters of a shingle.
    width: usize,
}

impl<'b> Spans<'b> {
    /// `starts` holds the start of each character and the end of the last, of which there are at least `width`.
    pub fn new(bytes: &'b [u8], starts: &'b [usize], width: usize) -> Self {
        assert!(starts.len() > width);
        Spans { bytes, starts, width }
    }
}

impl Shingles for Spans<'_> {
    fn count(&self) -> usize {
        self.starts.len() - self.width
    }

    #[inline(always)]
    unsafe fn low32(&self, i: usize) -> u32 {
        let (start, end) = (self.starts[i], self.starts[i + self.width]);
        match Short::new(self.bytes, end - start) {
            // SAFETY: a shingle ends within the bytes.
            Some(short) => unsafe { short.low32(start) },
            None => hash64(&self.bytes[start..end], 0) as u32,
        }
    }
}
