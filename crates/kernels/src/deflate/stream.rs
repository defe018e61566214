//! Stock zlib: the size of a raw deflate stream, and of many that begin alike.

use libz_sys as z;
use std::mem::{MaybeUninit, size_of};

const WINDOW_BITS: i32 = -15;
const MEM_LEVEL: i32 = 8;
/// What a stream is written into, over and over: only its length matters.
const OUT: usize = 1 << 14;

/// A deflate stream. Its address is that which zlib knows, so it is never moved out of its box.
struct Stream(Box<z::z_stream>);

/// One thread's stream.
pub struct Deflater {
    base: Stream,
    out: Vec<u8>,
}

// SAFETY: zlib's state belongs to the stream alone, and whoever holds the deflater is the only one to use it.
unsafe impl Send for Deflater {}

impl Drop for Stream {
    fn drop(&mut self) {
        // SAFETY: every stream that is made was begun by deflateInit2 or deflateCopy, and is ended once.
        unsafe { z::deflateEnd(&mut *self.0) };
    }
}

impl Stream {
    fn new(level: i32) -> Self {
        let mut stream = Box::new(MaybeUninit::<z::z_stream>::zeroed());
        // SAFETY: a stream of zeros has no input, no output and zlib's own allocation; it stays in its box, which is
        // where the state finds it; version and size are those of the linked library.
        let status = unsafe {
            z::deflateInit2_(
                stream.as_mut_ptr(),
                level,
                z::Z_DEFLATED,
                WINDOW_BITS,
                MEM_LEVEL,
                z::Z_DEFAULT_STRATEGY,
                z::zlibVersion(),
                size_of::<z::z_stream>() as i32,
            )
        };
        assert_eq!(status, z::Z_OK, "zlib refused a stream of level {level}");
        // SAFETY: zlib has set the functions, which must not be null; zeros do for the rest.
        Stream(unsafe { stream.assume_init() })
    }

    fn reset(&mut self) {
        // SAFETY: the stream was begun.
        let status = unsafe { z::deflateReset(&mut *self.0) };
        assert_eq!(status, z::Z_OK, "zlib could not reset a stream");
    }

    /// The same state once more. zlib allocates it.
    fn copy(&mut self) -> Self {
        let mut stream = Box::new(MaybeUninit::<z::z_stream>::zeroed());
        // SAFETY: the source was begun, and the copy has room for a stream.
        let status = unsafe { z::deflateCopy(stream.as_mut_ptr(), &mut *self.0) };
        assert_eq!(status, z::Z_OK, "zlib has no memory for a copy of a stream");
        // SAFETY: deflateCopy has filled all of it.
        Stream(unsafe { stream.assume_init() })
    }

    /// Compresses `input`, and all that is pending if it is the last.
    fn write(&mut self, input: &[u8], last: bool, out: &mut [u8]) {
        // zlib counts in 32 bits.
        let mut pieces = input.chunks(1 << 30).peekable();
        loop {
            let piece = pieces.next().unwrap_or_default();
            let flush = if last && pieces.peek().is_none() { z::Z_FINISH } else { z::Z_NO_FLUSH };
            self.0.next_in = piece.as_ptr().cast_mut();
            self.0.avail_in = piece.len() as u32;
            loop {
                self.0.next_out = out.as_mut_ptr();
                self.0.avail_out = out.len() as u32;
                // SAFETY: next_in and next_out point at avail_in and avail_out bytes that live through the call;
                // zlib only reads the input.
                let status = unsafe { z::deflate(&mut *self.0, flush) };
                assert!(
                    matches!(status, z::Z_OK | z::Z_STREAM_END | z::Z_BUF_ERROR),
                    "zlib failed with {status}"
                );
                if self.0.avail_out > 0 {
                    break;
                }
            }
            if pieces.peek().is_none() {
                return;
            }
        }
    }

    fn size(&self) -> u32 {
        self.0.total_out as u32
    }
}

impl Deflater {
    pub fn new(level: u32) -> Self {
        Deflater { base: Stream::new(level as i32), out: vec![0; OUT] }
    }

    /// Of the raw deflate stream of a text.
    pub fn size(&mut self, text: &[u8]) -> u32 {
        self.base.reset();
        self.base.write(text, true, &mut self.out);
        self.base.size()
    }

    /// Compresses what the texts of the following calls of [`Deflater::finish`] begin with.
    pub fn begin(&mut self, text: &[u8]) {
        self.base.reset();
        self.base.write(text, false, &mut self.out);
    }

    /// Of the raw deflate stream of the beginning and this text together.
    pub fn finish(&mut self, text: &[u8]) -> u32 {
        let mut stream = self.base.copy();
        stream.write(text, true, &mut self.out);
        stream.size()
    }
}
