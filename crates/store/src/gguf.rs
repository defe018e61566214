//! The GGUF format: a model in one file, its metadata and vocabulary before its tensors, which are read in place by positioned
//! reads, never whole.
//!
//! # The file
//! All numbers are little-endian; a string is its length in 8 bytes and then UTF-8.
//!
//! | bytes | what |
//! | --- | --- |
//! | 4, 4 | `GGUF` and the version: 2 or 3, which differ in nothing that is read here |
//! | 8, 8 | how many tensors there are, and how many pairs of metadata |
//! | a pair | a string, the key; the number of a type in 4 bytes; a value of that type (an array: type, count, values) |
//! | a tensor | its name; how many sides in 4 bytes; 8 bytes a side, the fastest first; its [`Kind`] in 4; its offset in 8 |
//! | to the alignment | padding: to a multiple of `general.alignment`, else of 32 |
//! | the rest | the tensors' bytes, row-major, each at its offset from here, a multiple of the alignment |
//!
//! A reader refuses version 1, big-endian files, and whatever is not exactly this: lengths, counts and offsets that the file
//! does not have the bytes for, a header beyond [`MAX_HEADER`], names given twice, text that is no UTF-8, types without
//! meaning, arrays too deep in arrays, an alignment that is no power of two, tensors that are misaligned, overlap, or whose rows
//! are no whole blocks. Between and behind tensors there may be padding of any length. What the header says is never
//! trusted with an allocation. A tensor of a kind that is not read hinders nobody from reading the others.
//!
//! # Cost
//! Opening reads the header alone, through a buffer of 64 KB, and holds it in a small multiple of its bytes. A read of rows
//! takes one positioned read and their bytes.

pub mod blocks;
mod header;
mod value;

pub use blocks::Kind;
pub use header::{MAX_HEADER, Tensor};
pub use value::{Array, Numbers, Texts, Value};

use crate::error::Error;
use crate::fs::read_exact_at;
use header::{Header, Stop};
use std::fs::File;
use std::io::{self, BufReader};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

const BUFFER: usize = 1 << 16;

/// A GGUF file, its header read and checked.
#[derive(Debug)]
pub struct Gguf {
    path: PathBuf,
    file: File,
    header: Header,
    bytes: u64,
    changed: Option<SystemTime>,
}

impl Gguf {
    /// Opens a file and checks its header. O(header).
    ///
    /// # Errors
    /// `ERR_TAMIS_IO` where it cannot be read, `ERR_TAMIS_FORMAT` where it is no GGUF file: see the module.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let io = |e| Error::io(path, "open", e);
        let file = File::open(path).map_err(io)?;
        let about = file.metadata().map_err(io)?;
        if !about.is_file() {
            return Err(Error::format(path, None, "not a regular file, where a .gguf file is wanted"));
        }
        let bytes = about.len();
        let header =
            Header::read(BufReader::with_capacity(BUFFER, &file), bytes).map_err(|stop| match stop {
                Stop::Io(error) => unread(path, error),
                Stop::Bad(why) => Error::format(path, None, format!("not a GGUF file: {why}")),
            })?;
        Ok(Gguf { path: path.into(), file, header, bytes, changed: about.modified().ok() })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the whole file.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The version of the format: 2 or 3.
    pub fn version(&self) -> u32 {
        self.header.version
    }

    /// All metadata, in the file's order.
    pub fn metadata(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.header.metadata.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The metadata under a key. O(log n).
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.header.get(key)
    }

    /// The string under a key; none where there is none, or something else.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number under a key; none where there is none, a negative one, or something else.
    pub fn unsigned(&self, key: &str) -> Option<u64> {
        self.get(key)?.as_unsigned()
    }

    /// The number under a key, of any type; none where there is none, or something else.
    pub fn float(&self, key: &str) -> Option<f64> {
        self.get(key)?.as_float()
    }

    /// The boolean under a key; none where there is none, or something else.
    pub fn boolean(&self, key: &str) -> Option<bool> {
        match self.get(key)? {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The array of strings under a key; none where there is none, or something else.
    pub fn texts(&self, key: &str) -> Option<&Texts> {
        match self.get(key)? {
            Value::Array(Array::Texts(texts)) => Some(texts),
            _ => None,
        }
    }

    /// The array of numbers or booleans under a key; none where there is none, or something else.
    pub fn numbers(&self, key: &str) -> Option<&Numbers> {
        match self.get(key)? {
            Value::Array(Array::Numbers(numbers)) => Some(numbers),
            _ => None,
        }
    }

    /// All tensors, in the file's order.
    pub fn tensors(&self) -> &[Tensor] {
        &self.header.tensors
    }

    /// The tensor of that name. O(log n).
    pub fn find(&self, name: &str) -> Option<&Tensor> {
        self.header.find(name)
    }

    /// Makes `out` the bytes of rows of a tensor; [`blocks::widen`] makes float32 of them. One read; threads may read at once.
    ///
    /// # Errors
    /// `ERR_TAMIS_FORMAT` for a kind that is not read, or if the file was cut meanwhile; `ERR_TAMIS_IO`.
    ///
    /// # Panics
    /// If the rows pass the tensor's end.
    pub fn read(&self, tensor: &Tensor, rows: Range<u64>, out: &mut Vec<u8>) -> Result<(), Error> {
        assert!(rows.start <= rows.end && rows.end <= tensor.rows(), "a read passes the tensor's end");
        if let Kind::Other(number) = tensor.kind {
            let kinds: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
            return Err(Error::format(
                &self.path,
                None,
                format!(
                    "the tensor {:?} is of the kind {} (number {number}), which is not read; those that are: {}",
                    tensor.name,
                    tensor.kind,
                    kinds.join(", ")
                ),
            ));
        }
        let row = tensor.row_bytes();
        let bytes = usize::try_from((rows.end - rows.start) * row).map_err(|_| {
            Error::range(format!(
                "{} rows of the tensor {:?} do not fit memory",
                rows.end - rows.start,
                tensor.name
            ))
        })?;
        out.resize(bytes, 0);
        read_exact_at(&self.file, out, tensor.offset + rows.start * row).map_err(|e| unread(&self.path, e))
    }

    /// An error if the file was written to since it was opened, as far as its size and time of change tell.
    pub fn check_unchanged(&self) -> Result<(), Error> {
        let about = std::fs::metadata(&self.path).map_err(|e| Error::io(&self.path, "open", e))?;
        let same = about.len() == self.bytes && about.modified().ok() == self.changed;
        if same { Ok(()) } else { Err(changed_meanwhile(&self.path)) }
    }
}

/// The error of a read within the file as it was when it was opened.
fn unread(path: &Path, error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        changed_meanwhile(path)
    } else {
        Error::io(path, "read", error)
    }
}

fn changed_meanwhile(path: &Path) -> Error {
    Error::format(path, None, "the file changed while it was read: run again when nothing writes to it")
}

#[cfg(test)]
mod tests;
