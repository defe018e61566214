//! The safetensors format: named tensors in one file, read in place by positioned reads, never whole.
//!
//! # The file
//! | offset | bytes | what |
//! | --- | --- | --- |
//! | 0 | 8 | n: the header's length, little-endian |
//! | 8 | n | the header: a JSON object in UTF-8, which may end in spaces |
//! | 8 + n | the rest | the tensors' bytes, row-major, little-endian, one behind the other without holes |
//!
//! The header names each tensor: `{"NAME":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}`, offsets counted from the end of
//! the header; beside them `__metadata__`, a flat object of strings.
//!
//! A reader refuses every file that is not exactly this: a header that is longer than the file or than [`MAX_HEADER`], that is
//! no such JSON, or names a member twice; a type that is not in the list; a shape whose product overflows; offsets that do not fit
//! the shape, overlap, leave a hole, or do not end where the file does. What the header says is never trusted with an
//! allocation: memory is bounded by the header's own bytes.

mod dtype;
mod header;

pub use dtype::Dtype;
pub(crate) use header::Strings;
pub use header::{Entry, Header, MAX_HEADER, encode_header};

use crate::error::Error;
use crate::fs::read_exact_at;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A safetensors file, its header read and checked.
#[derive(Debug)]
pub struct Safetensors {
    path: PathBuf,
    file: File,
    header: Header,
    /// Where the tensors' bytes begin.
    start: u64,
    bytes: u64,
    changed: Option<SystemTime>,
}

impl Safetensors {
    /// Opens a file and checks its header. O(header).
    ///
    /// # Errors
    /// `ERR_TAMIS_IO` where it cannot be read, `ERR_TAMIS_FORMAT` where it is no safetensors file: see the module.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let io = |e| Error::io(path, "open", e);
        let file = File::open(path).map_err(io)?;
        let about = file.metadata().map_err(io)?;
        if !about.is_file() {
            return Err(Error::format(path, None, "not a regular file, where a .safetensors file is wanted"));
        }
        let bytes = about.len();
        let bad = |message: String| Error::format(path, None, format!("not a safetensors file: {message}"));
        let mut first = [0; 8];
        if bytes < 8 {
            return Err(bad(format!("it has {bytes} bytes, and the length of the header alone takes 8")));
        }
        read_exact_at(&file, &mut first, 0).map_err(|e| Error::io(path, "read", e))?;
        let length = u64::from_le_bytes(first);
        if length > MAX_HEADER || length > bytes - 8 {
            return Err(bad(format!(
                "its header would be {length} bytes, in a file of {bytes} (at most {MAX_HEADER} are allowed)"
            )));
        }
        let mut json = vec![0; length as usize];
        read_exact_at(&file, &mut json, 8).map_err(|e| Error::io(path, "read", e))?;
        let start = 8 + length;
        let header = Header::parse(&json, bytes - start).map_err(bad)?;
        Ok(Safetensors { path: path.into(), file, header, start, bytes, changed: about.modified().ok() })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the whole file.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What the header says.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Fills `out` with the bytes of a tensor from byte `at` of it on.
    ///
    /// # Panics
    /// If that passes the tensor's end.
    pub fn read(&self, tensor: &Entry, at: u64, out: &mut [u8]) -> Result<(), Error> {
        assert!(at + out.len() as u64 <= tensor.bytes(), "a read passes the tensor's end");
        read_exact_at(&self.file, out, self.start + tensor.begin + at).map_err(|error| {
            if error.kind() == io::ErrorKind::UnexpectedEof {
                self.changed_meanwhile()
            } else {
                Error::io(&self.path, "read", error)
            }
        })
    }

    /// An error if the file was written to since it was opened, as far as its size and time of change tell.
    pub fn check_unchanged(&self) -> Result<(), Error> {
        let about = std::fs::metadata(&self.path).map_err(|e| Error::io(&self.path, "open", e))?;
        let same = about.len() == self.bytes && about.modified().ok() == self.changed;
        if same { Ok(()) } else { Err(self.changed_meanwhile()) }
    }

    fn changed_meanwhile(&self) -> Error {
        Error::format(
            &self.path,
            None,
            "the file changed while it was read: run again when nothing writes to it",
        )
    }
}

#[cfg(test)]
mod tests;
