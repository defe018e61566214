//! The n-gram counts of a corpus as a file: written once, merged with those of other parts, fitted from many times.
//!
//! Counting is a sum of integers, so the counts of parts of a corpus, worked through in any order, in any process, on any
//! machine, merge to the counts of the whole.
//!
//! # The file, version 1
//! Little-endian throughout; 88 + 8 * buckets bytes.
//!
//! | offset | bytes | what |
//! | --- | --- | --- |
//! | 0 | 8 | `TAMISNGC` |
//! | 8 | 4 | version: 1 |
//! | 12 | 4 | ngrams: the longest n-gram counted, at least 1 |
//! | 16 | 4 | buckets: at least 1 |
//! | 20 | 4 | Unicode version of the word tables: major, minor, patch, then 0 |
//! | 24 | 8 | records counted |
//! | 32 | 8 | tokens in them |
//! | 40 | 8 | features in them: the sum of all counts |
//! | 48 | 8 | bytes of text in them |
//! | 56 | 8 * buckets | count of each bucket |
//! | 56 + 8 * buckets | 32 | SHA-256 of all bytes before |
//!
//! A reader refuses a file that is not exactly this: another magic or version, another length than the header's buckets give, a
//! checksum that differs, counts that do not sum to the features. Unicode changes words, so two Unicode versions do not merge.

use crate::atomic::AtomicFile;
use crate::error::Error;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

const MAGIC: &[u8; 8] = b"TAMISNGC";
const VERSION: u32 = 1;
const HEADER: usize = 56;
const CHECKSUM: usize = 32;

/// What a counts file says of itself before its counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountsHeader {
    /// The longest n-gram counted.
    pub ngrams: u32,
    /// The number of buckets that n-grams are hashed into.
    pub buckets: u32,
    /// The Unicode version whose tables cut and lower-cased the words.
    pub unicode: (u8, u8, u8),
    /// Records counted.
    pub records: u64,
    /// Tokens in them.
    pub tokens: u64,
    /// Features in them: the sum of the counts.
    pub features: u64,
    /// Bytes of text in them.
    pub bytes: u64,
}

/// Counts of hashed n-grams over a corpus, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NgramCounts {
    /// How they were counted, and over what.
    pub header: CountsHeader,
    /// The count of each bucket.
    pub counts: Vec<u64>,
}

impl CountsHeader {
    /// Reads the header of a counts file and checks the file's length against it, without reading the counts.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let (mut file, length) = open(path)?;
        read_header(&mut file, length).map_err(|fault| fault.of(path))
    }

    fn encode(&self) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        out[..8].copy_from_slice(MAGIC);
        for (at, value) in [(8, VERSION), (12, self.ngrams), (16, self.buckets)] {
            out[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        let (major, minor, patch) = self.unicode;
        out[20..24].copy_from_slice(&[major, minor, patch, 0]);
        for (at, value) in [(24, self.records), (32, self.tokens), (40, self.features), (48, self.bytes)] {
            out[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        out
    }

    fn decode(bytes: &[u8; HEADER]) -> Result<Self, Fault> {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
        if bytes[..8] != MAGIC[..] {
            return Err(Fault::lie("it does not begin with TAMISNGC, so it is no n-gram counts file"));
        }
        if word(8) != VERSION {
            return Err(Fault::lie(format!(
                "it is a counts file of version {}; this program reads version {VERSION}",
                word(8)
            )));
        }
        if word(12) == 0 {
            return Err(Fault::lie("its header says ngrams 0, which must be at least 1"));
        }
        if word(16) == 0 {
            return Err(Fault::lie("its header says buckets 0, which must be at least 1"));
        }
        if bytes[23] != 0 {
            return Err(Fault::lie("the byte after its Unicode version is not 0"));
        }
        Ok(CountsHeader {
            ngrams: word(12),
            buckets: word(16),
            unicode: (bytes[20], bytes[21], bytes[22]),
            records: long(24),
            tokens: long(32),
            features: long(40),
            bytes: long(48),
        })
    }

    /// Why counts with the other header cannot be added to those with this one.
    fn mismatch(&self, other: &Self) -> Option<String> {
        let unicode = |(major, minor, patch): (u8, u8, u8)| format!("{major}.{minor}.{patch}");
        if self.ngrams != other.ngrams {
            Some(format!("ngrams {} and {}", self.ngrams, other.ngrams))
        } else if self.buckets != other.buckets {
            Some(format!("buckets {} and {}", self.buckets, other.buckets))
        } else if self.unicode != other.unicode {
            Some(format!("the words of Unicode {} and {}", unicode(self.unicode), unicode(other.unicode)))
        } else {
            None
        }
    }
}

impl NgramCounts {
    /// No counts yet.
    pub fn new(ngrams: u32, buckets: u32, unicode: (u8, u8, u8)) -> Self {
        let header = CountsHeader { ngrams, buckets, unicode, records: 0, tokens: 0, features: 0, bytes: 0 };
        NgramCounts { header, counts: vec![0; buckets as usize] }
    }

    /// Reads and checks a counts file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let (mut file, length) = open(path)?;
        read_counts(&mut file, length).map_err(|fault| fault.of(path))
    }

    /// Reads and checks the bytes of a counts file; an error says how they are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        read_counts(&mut &bytes[..], bytes.len() as u64).map_err(|fault| match fault {
            Fault::Lie(message) => message,
            Fault::Io(error) => error.to_string(),
        })
    }

    /// Writes the counts as a file, whole or not at all; an existing file needs `force`.
    pub fn write(&self, path: &Path, force: bool) -> Result<(), Error> {
        let mut sum = Some(0_u64);
        for &count in &self.counts {
            sum = sum.and_then(|sum| sum.checked_add(count));
        }
        if self.counts.len() != self.header.buckets as usize
            || self.counts.is_empty()
            || self.header.ngrams == 0
            || sum != Some(self.header.features)
        {
            return Err(Error::range("counts must have one number for each bucket, and sum to features"));
        }
        let mut file = AtomicFile::create("counts", path, force)?;
        let mut hash = Sha256::new();
        let mut put = |bytes: &[u8]| {
            hash.update(bytes);
            file.write_all(bytes).map_err(|e| Error::io(path, "write", e))
        };
        put(&self.header.encode())?;
        let mut block = Vec::with_capacity(8 * 8192);
        for counts in self.counts.chunks(8192) {
            block.clear();
            counts.iter().for_each(|count| block.extend_from_slice(&count.to_le_bytes()));
            put(&block)?;
        }
        file.write_all(&hash.finalize()).map_err(|e| Error::io(path, "write", e))?;
        file.commit()
    }

    /// Adds other counts to these. Those of another n-gram length, number of buckets or Unicode version are refused, and so
    /// is a sum beyond 64 bits; an error leaves these counts as they were. `names` says in errors which is which.
    pub fn add(&mut self, other: &Self, names: (&Path, &Path)) -> Result<(), Error> {
        let (mine, its) = (names.0.display(), names.1.display());
        if let Some(what) = self.header.mismatch(&other.header) {
            return Err(Error::range(format!(
                "{mine} and {its} cannot be merged: they count {what}; count one of them again with the other's options"
            )));
        }
        let overflow =
            || Error::range(format!("{mine} and {its} cannot be merged: their sum exceeds 64 bits"));
        let sum = |a: u64, b: u64| a.checked_add(b).ok_or_else(overflow);
        let (a, b) = (&self.header, &other.header);
        let header = CountsHeader {
            records: sum(a.records, b.records)?,
            tokens: sum(a.tokens, b.tokens)?,
            features: sum(a.features, b.features)?,
            bytes: sum(a.bytes, b.bytes)?,
            ..*a
        };
        // No count exceeds the features, whose sum was checked, if both sides sum to theirs; public fields may not.
        if self.counts.iter().zip(&other.counts).any(|(a, b)| a.checked_add(*b).is_none()) {
            return Err(overflow());
        }
        self.counts.iter_mut().zip(&other.counts).for_each(|(a, b)| *a += b);
        self.header = header;
        Ok(())
    }

    /// The counts of several files, added; the order does not matter.
    pub fn merge<P: AsRef<Path>>(paths: &[P]) -> Result<Self, Error> {
        let Some((first, others)) = paths.split_first() else {
            return Err(Error::range("files must name at least one n-gram counts file"));
        };
        let mut sum = Self::read(first.as_ref())?;
        for path in others {
            // The header first: a file that does not fit is not read whole.
            let header = CountsHeader::read(path.as_ref())?;
            let names = (first.as_ref(), path.as_ref());
            if sum.header.mismatch(&header).is_some() {
                sum.add(&NgramCounts { header, counts: Vec::new() }, names)?;
            }
            sum.add(&Self::read(path.as_ref())?, names)?;
        }
        Ok(sum)
    }
}

/// How a file fails to be read.
enum Fault {
    Io(std::io::Error),
    Lie(String),
}

impl Fault {
    fn lie(message: impl Into<String>) -> Self {
        Fault::Lie(message.into())
    }

    fn of(self, path: &Path) -> Error {
        match self {
            Fault::Io(error) => Error::io(path, "read", error),
            Fault::Lie(message) => {
                Error::format(path, None, format!("{message}; write it again with `tamis ngrams count`"))
            }
        }
    }
}

fn open(path: &Path) -> Result<(File, u64), Error> {
    let file = File::open(path).map_err(|e| Error::io(path, "open", e))?;
    let found = file.metadata().map_err(|e| Error::io(path, "open", e))?;
    if !found.is_file() {
        return Err(Error::format(path, None, "it is not a regular file, as an n-gram counts file must be"));
    }
    Ok((file, found.len()))
}

/// Reads a header, and trusts nothing in it that the file's length does not bear out.
fn read_header(from: &mut impl Read, length: u64) -> Result<CountsHeader, Fault> {
    let mut bytes = [0; HEADER];
    let take = length.min(HEADER as u64) as usize;
    from.read_exact(&mut bytes[..take]).map_err(Fault::Io)?;
    if take < HEADER {
        let magic = take.min(8);
        return Err(Fault::lie(if bytes[..magic] == MAGIC[..magic] {
            format!("it is cut short: {length} bytes, of a header of {HEADER}")
        } else {
            "it does not begin with TAMISNGC, so it is no n-gram counts file".to_owned()
        }));
    }
    let header = CountsHeader::decode(&bytes)?;
    let right = (HEADER + CHECKSUM) as u64 + 8 * u64::from(header.buckets);
    if length < right {
        return Err(Fault::lie(format!(
            "it is cut short: {length} bytes, where {} buckets take {right}",
            header.buckets
        )));
    }
    if length > right {
        return Err(Fault::lie(format!(
            "it is too long: {length} bytes, where {} buckets take {right}",
            header.buckets
        )));
    }
    Ok(header)
}

fn read_counts(from: &mut impl Read, length: u64) -> Result<NgramCounts, Fault> {
    let header = read_header(from, length)?;
    let mut hash = Sha256::new();
    hash.update(header.encode());
    let mut counts = Vec::with_capacity(header.buckets as usize);
    let mut sum = 0_u64;
    let mut overflow = false;
    let mut block = vec![0; 8 * 8192];
    let mut left = header.buckets as usize;
    while left > 0 {
        let take = left.min(8192);
        let block = &mut block[..8 * take];
        from.read_exact(block).map_err(Fault::Io)?;
        hash.update(&*block);
        for bytes in block.as_chunks::<8>().0 {
            let count = u64::from_le_bytes(*bytes);
            let (next, over) = sum.overflowing_add(count);
            sum = next;
            overflow |= over;
            counts.push(count);
        }
        left -= take;
    }
    let mut checksum = [0; CHECKSUM];
    from.read_exact(&mut checksum).map_err(Fault::Io)?;
    if hash.finalize()[..] != checksum[..] {
        return Err(Fault::lie("its checksum differs from its bytes: it is damaged"));
    }
    if overflow || sum != header.features {
        return Err(Fault::lie(format!(
            "its counts do not sum to the {} features that its header says",
            header.features
        )));
    }
    Ok(NgramCounts { header, counts })
}

#[cfg(test)]
mod tests;
