//! The bytes of an output file on their way to it: compressed, then hashed and counted.

use crate::atomic::{AtomicFile, FolderFile};
use crate::error::Error;
use crate::hash::RunningHash;
use crate::input::Compression;
use flate2::write::GzEncoder;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Which file is written: the one of a single output, which its owner commits, or one of an output folder.
pub(super) enum Place<'a> {
    File(&'a mut AtomicFile),
    InFolder(FolderFile),
}

impl Place<'_> {
    pub(super) fn path(&self) -> &Path {
        match self {
            Place::File(file) => file.target(),
            Place::InFolder(file) => file.path(),
        }
    }
}

/// Hashes and counts what goes into a file.
pub(super) struct Hashed<'a> {
    place: Place<'a>,
    hash: RunningHash,
}

/// An output file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFile {
    /// Where it lies, or will once its folder or file is committed.
    pub path: PathBuf,
    /// Records in it.
    pub records: u64,
    /// Its size.
    pub bytes: u64,
    /// The SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
}

impl<'a> Hashed<'a> {
    pub(super) fn new(place: Place<'a>) -> Self {
        Hashed { place, hash: RunningHash::default() }
    }

    /// Ends the file, but for the commit of a single output.
    pub(super) fn finish(self, records: u64) -> Result<OutputFile, Error> {
        let path = self.place.path().to_owned();
        if let Place::InFolder(file) = self.place {
            file.finish()?;
        }
        Ok(OutputFile { path, records, bytes: self.hash.bytes(), sha256: self.hash.hex() })
    }
}

impl Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = match &mut self.place {
            Place::File(file) => file.write(bytes)?,
            Place::InFolder(file) => file.write(bytes)?,
        };
        self.hash.update(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Compresses on the way.
enum Encoder<'a> {
    Plain(Hashed<'a>),
    Gzip(GzEncoder<Hashed<'a>>),
    Zstd(zstd::Encoder<'static, Hashed<'a>>),
}

/// The writer of a file of lines.
pub(super) struct Stream<'a> {
    path: PathBuf,
    encoder: Encoder<'a>,
}

impl<'a> Stream<'a> {
    pub(super) fn new(place: Place<'a>, compression: Compression) -> Result<Self, Error> {
        let path = place.path().to_owned();
        let inner = Hashed::new(place);
        let encoder = match compression {
            Compression::None => Encoder::Plain(inner),
            Compression::Gzip => Encoder::Gzip(GzEncoder::new(inner, flate2::Compression::default())),
            Compression::Zstd => {
                let encoder = zstd::Encoder::new(inner, 3).and_then(|mut encoder| {
                    encoder.include_checksum(true)?;
                    Ok(encoder)
                });
                Encoder::Zstd(encoder.map_err(|e| Error::io(&path, "write", e))?)
            }
        };
        Ok(Stream { path, encoder })
    }

    /// Appends whole lines.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let result = match &mut self.encoder {
            Encoder::Plain(out) => out.write_all(bytes),
            Encoder::Gzip(out) => out.write_all(bytes),
            Encoder::Zstd(out) => out.write_all(bytes),
        };
        result.map_err(|e| Error::io(&self.path, "write", e))
    }

    pub(super) fn finish(self, records: u64) -> Result<OutputFile, Error> {
        let inner = match self.encoder {
            Encoder::Plain(out) => Ok(out),
            Encoder::Gzip(out) => out.finish(),
            Encoder::Zstd(out) => out.finish(),
        };
        inner.map_err(|e| Error::io(&self.path, "write", e))?.finish(records)
    }
}
