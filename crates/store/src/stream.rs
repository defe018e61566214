//! A file's bytes, decompressed as its ending says.

use crate::error::Error;
use crate::hash::RunningHash;
use crate::input::{Compression, Input};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

/// Counts, and hashes if asked to, what is read from disk.
#[derive(Clone)]
struct Counted {
    file: Arc<File>,
    read: Arc<AtomicU64>,
    hash: Option<Arc<Mutex<RunningHash>>>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = (&*self.file).read(buffer)?;
        self.read.fetch_add(n as u64, Relaxed);
        if let Some(hash) = &self.hash {
            hash.lock().unwrap_or_else(|e| e.into_inner()).update(&buffer[..n]);
        }
        Ok(n)
    }
}

/// The decompressed bytes of a file.
pub(crate) struct Decompressed {
    raw: Counted,
    decoder: Box<dyn Read + Send>,
}

impl Read for Decompressed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.decoder.read(buffer)
    }
}

impl Decompressed {
    /// The hash of the whole file: of the bytes that were read, and those that the decoder left.
    pub(crate) fn hash_to_end(&mut self) -> io::Result<RunningHash> {
        io::copy(&mut self.raw, &mut io::sink())?;
        let hash = self.raw.hash.as_ref().map(|hash| hash.lock().unwrap_or_else(|e| e.into_inner()).clone());
        Ok(hash.unwrap_or_default())
    }
}

/// The decompressed bytes of a file from its start; every byte that comes off the disk is added to `read`.
pub(crate) fn open(input: &Input, read: Arc<AtomicU64>, hash: bool) -> Result<Decompressed, Error> {
    let file = Arc::new(File::open(&input.path).map_err(|e| Error::io(input.shown(), "read", e))?);
    let raw = Counted { file, read, hash: hash.then(Arc::default) };
    let buffered = BufReader::with_capacity(1 << 18, raw.clone());
    let decoder: Box<dyn Read + Send> = match input.format.compression {
        Compression::None => Box::new(buffered),
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(buffered)),
        Compression::Zstd => {
            let decoder = zstd::Decoder::with_buffer(buffered)
                .map_err(|e| Error::io(input.shown(), "decompress", e))?;
            Box::new(decoder)
        }
    };
    Ok(Decompressed { raw, decoder })
}

/// What a failed read of a compressed file means.
pub(crate) fn read_error(input: &Input, error: io::Error) -> Error {
    let name = match input.format.compression {
        Compression::None => return Error::io(input.shown(), "read", error),
        Compression::Gzip => "gzip",
        Compression::Zstd => "zstd",
    };
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::format(
            input.shown(),
            None,
            format!("the {name} file ends early (cut short?): fetch or write it again"),
        ),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::Other => Error::format(
            input.shown(),
            None,
            format!("damaged {name} data ({error}): fetch or write it again"),
        ),
        _ => Error::io(input.shown(), "read", error),
    }
}

/// Reads until `buffer` holds `until` bytes or the stream ends; whether it ended.
pub(crate) fn fill(
    input: &Input,
    stream: &mut dyn Read,
    buffer: &mut Vec<u8>,
    until: usize,
) -> Result<bool, Error> {
    let missing = until.saturating_sub(buffer.len());
    let got = stream.take(missing as u64).read_to_end(buffer).map_err(|e| read_error(input, e))?;
    Ok(got < missing)
}

/// Reads to the end and keeps nothing.
pub(crate) fn drain(input: &Input, stream: &mut dyn Read) -> Result<(), Error> {
    io::copy(stream, &mut io::sink()).map(|_| ()).map_err(|e| read_error(input, e))
}
