//! A corpus as blocks of whole records.
//!
//! [`plan_shards`] cuts the files into shards at borders that depend on the files alone; a [`BlockReader`] hands
//! out the shards' blocks in order, to any number of threads; [`Block::records`] gives a block's records. Plain
//! files are read by offset, compressed ones streamed, and of Parquet files a block is a row group that the one who
//! works on it decodes. Memory: each block alive, about [`ReadOptions::block_bytes`] of text, or one record if that
//! is longer.

mod plan;
mod reader;

pub use plan::{Shard, plan_shards};
pub use reader::{BlockReader, Start};

use crate::error::Error;
use crate::input::{Input, Layout};
use crate::json::{FieldPath, text_of};
use crate::record::{BadRecord, OnBad, ReadOptions, Reason, Record};
use crate::table;
use memchr::{memchr, memchr_iter};
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use std::sync::{Arc, Mutex};

enum Content {
    /// Whole lines, and where the first starts.
    Lines {
        bytes: Vec<u8>,
        offset: u64,
    },
    /// A file that is one document.
    Whole {
        bytes: Vec<u8>,
    },
    /// One line, or document, that is longer than a record may be.
    TooLong,
    RowGroup {
        footer: ArrowReaderMetadata,
        column: Arc<Vec<String>>,
        group: usize,
        first_row: u64,
    },
    /// A shard without records.
    Nothing,
}

/// Whole records of one shard.
pub struct Block {
    content: Content,
    input: Arc<Input>,
    options: Arc<Settings>,
    file: u32,
    shard: usize,
    ends_shard: bool,
    disk_bytes: u64,
    /// Where the hash of the file stands behind the shard that the block ends.
    hash: Option<Vec<u8>>,
    /// Records of the file, good and bad, before this block.
    before: u64,
    buffers: Buffers,
}

/// What the workers share of the options.
struct Settings {
    read: ReadOptions,
    field: FieldPath,
}

type Buffers = Arc<Mutex<Vec<Vec<u8>>>>;

impl Drop for Block {
    fn drop(&mut self) {
        if let Content::Lines { bytes, .. } | Content::Whole { bytes } = &mut self.content {
            // Fresh memory costs more than the pass over it: buffers go round. One long record must not keep its own.
            if bytes.capacity() <= 4 * self.options.read.block_bytes {
                let bytes = std::mem::take(bytes);
                self.buffers.lock().unwrap_or_else(|e| e.into_inner()).push(bytes);
            }
        }
    }
}

/// What a worker keeps from block to block.
#[derive(Default)]
pub struct Scratch {
    text: Vec<u8>,
}

/// What a block held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlockStats {
    /// Good records.
    pub records: u64,
    /// Bad ones.
    pub skipped: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Messages of the first few bad ones.
    pub bad: Vec<String>,
}

impl Block {
    /// Which input.
    pub fn file(&self) -> u32 {
        self.file
    }

    /// Which of the reader's shards.
    pub fn shard(&self) -> usize {
        self.shard
    }

    /// Whether it is the last block of its shard.
    pub fn ends_shard(&self) -> bool {
        self.ends_shard
    }

    /// Bytes on disk.
    pub fn disk_bytes(&self) -> u64 {
        self.disk_bytes
    }

    /// Records of its file, good and bad, that lie before it.
    pub(crate) fn before(&self) -> u64 {
        self.before
    }

    /// Of a row group: reads these of its rows (ascending numbers of rows of the file), all columns of them.
    pub(crate) fn rows(&self, rows: impl Iterator<Item = u64>) -> Option<Result<table::Rows, Error>> {
        let Content::RowGroup { footer, .. } = &self.content else { return None };
        Some(table::Rows::open(&self.input, footer, rows))
    }

    /// Behind the last block of a shard, if files are hashed: the state of the file's running hash.
    pub(crate) fn hash_state(&self) -> Option<&[u8]> {
        self.hash.as_deref()
    }

    /// The bytes of a block of lines, or of a whole file, and where in the (decompressed) file they start.
    pub(crate) fn bytes(&self) -> Option<(&[u8], u64)> {
        match &self.content {
            Content::Lines { bytes, offset } => Some((bytes, *offset)),
            Content::Whole { bytes } => Some((bytes, 0)),
            _ => None,
        }
    }

    /// The rows of a block of a table: the file's footer, which row group, and the number of its first row.
    pub(crate) fn row_group(&self) -> Option<(&ArrowReaderMetadata, usize, u64)> {
        match &self.content {
            Content::RowGroup { footer, group, first_row, .. } => Some((footer, *group, *first_row)),
            _ => None,
        }
    }

    /// Calls `each` with every good record, in order.
    pub fn records(
        &self,
        scratch: &mut Scratch,
        mut each: impl FnMut(&Record) -> Result<(), Error>,
    ) -> Result<BlockStats, Error> {
        self.fit_records(scratch, |record| each(record).map(|()| None))
    }

    /// The same, where `each` may say what a record lacks, which makes it a bad one.
    pub fn fit_records(
        &self,
        scratch: &mut Scratch,
        mut each: impl FnMut(&Record) -> Result<Option<String>, Error>,
    ) -> Result<BlockStats, Error> {
        let mut tally =
            Tally { block: self, stats: BlockStats { bytes: self.disk_bytes, ..BlockStats::default() } };
        match &self.content {
            Content::Nothing => {}
            Content::TooLong => tally.bad(Reason::TooLong(self.options.read.max_record))?,
            Content::Whole { bytes } => match simdutf8::compat::from_utf8(without_bom(bytes)) {
                Ok(text) => {
                    let record = Record { text, ordinal: 0, offset: 0, len: bytes.len() as u64, raw: bytes };
                    tally.good(&record, &mut each)?;
                }
                Err(e) => tally.bad(Reason::NotUtf8(e.valid_up_to()))?,
            },
            Content::Lines { bytes, offset } => self.lines(bytes, *offset, scratch, &mut tally, &mut each)?,
            Content::RowGroup { footer, column, group, first_row } => {
                let mut row = *first_row;
                table::for_each_text(&self.input, footer, *group, column, |text| {
                    let offset = row;
                    row += 1;
                    match text {
                        Some(text) if text.len() as u64 > self.options.read.max_record => {
                            tally.bad(Reason::TooLong(self.options.read.max_record))
                        }
                        Some(text) => {
                            let ordinal = tally.stats.records;
                            tally.good(&Record { text, ordinal, offset, len: 0, raw: &[] }, &mut each)
                        }
                        None => tally.bad(Reason::NoText("it is null".into())),
                    }
                })?;
            }
        }
        Ok(tally.stats)
    }

    fn lines(
        &self,
        bytes: &[u8],
        offset: u64,
        scratch: &mut Scratch,
        tally: &mut Tally,
        each: &mut impl FnMut(&Record) -> Result<Option<String>, Error>,
    ) -> Result<(), Error> {
        // One check for the block; only a block that fails it is looked at line by line.
        let valid = simdutf8::basic::from_utf8(bytes).is_ok();
        let text_lines = self.input.format.layout == Layout::Text;
        let max_record = self.options.read.max_record;
        let mut start = if offset == 0 { bytes.len() - without_bom(bytes).len() } else { 0 };
        while start < bytes.len() {
            let end = memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |n| start + n);
            let line = bytes[start..end].strip_suffix(b"\r").unwrap_or(&bytes[start..end]);
            let at = offset + start as u64;
            start = end + 1;
            if is_blank(line) {
                continue;
            }
            if line.len() as u64 > max_record {
                tally.bad(Reason::TooLong(max_record))?;
                continue;
            }
            let text = if valid {
                // SAFETY: the block is valid UTF-8, and lines end at the ASCII byte \n (or \r before it), which
                // stands in no multi-byte character.
                unsafe { std::str::from_utf8_unchecked(line) }
            } else {
                match simdutf8::compat::from_utf8(line) {
                    Ok(text) => text,
                    Err(e) if text_lines => {
                        tally.bad(Reason::NotUtf8(e.valid_up_to()))?;
                        continue;
                    }
                    Err(e) => {
                        tally.bad(Reason::NoText(format!("invalid UTF-8 at byte {}", e.valid_up_to())))?;
                        continue;
                    }
                }
            };
            let text =
                if text_lines { Ok(text) } else { text_of(text, &self.options.field, &mut scratch.text) };
            match text {
                Ok(text) => {
                    let ordinal = tally.stats.records;
                    tally.good(
                        &Record { text, ordinal, offset: at, len: line.len() as u64, raw: line },
                        each,
                    )?;
                }
                Err(why) => tally.bad(Reason::NoText(why))?,
            }
        }
        Ok(())
    }
}

pub(crate) fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}

/// Blank: nothing but JSON's white space.
fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|b| matches!(b, b' ' | b'\t' | b'\r'))
}

/// Counts the records of a block as they pass.
struct Tally<'b> {
    block: &'b Block,
    stats: BlockStats,
}

impl Tally<'_> {
    fn good(
        &mut self,
        record: &Record,
        each: &mut impl FnMut(&Record) -> Result<Option<String>, Error>,
    ) -> Result<(), Error> {
        match each(record)? {
            None => self.stats.records += 1,
            Some(lacks) => self.bad(Reason::Lacks(lacks))?,
        }
        Ok(())
    }

    fn bad(&mut self, reason: Reason) -> Result<(), Error> {
        let number = self.block.before + self.stats.records + self.stats.skipped + 1;
        let error = BadRecord { number, reason }.error(&self.block.input, &self.block.options.read);
        match self.block.options.read.on_bad {
            OnBad::Throw => Err(error),
            OnBad::Skip => {
                self.stats.skipped += 1;
                if self.stats.bad.len() < crate::passes::BAD_MESSAGES {
                    self.stats.bad.push(error.to_string());
                }
                Ok(())
            }
        }
    }
}

/// Records, good and bad, that a block will give.
fn count_records(content: &Content) -> u64 {
    match content {
        Content::Nothing => 0,
        Content::TooLong | Content::Whole { .. } => 1,
        Content::RowGroup { footer, group, .. } => {
            footer.metadata().row_group(*group).num_rows().max(0) as u64
        }
        Content::Lines { bytes, offset } => {
            let mut start = if *offset == 0 { bytes.len() - without_bom(bytes).len() } else { 0 };
            let mut records = 0;
            for end in memchr_iter(b'\n', bytes).chain([bytes.len()]) {
                // A line's first byte tells of nearly every one that it is not blank.
                let line = bytes.get(start..end).unwrap_or(&[]);
                records += u64::from(!is_blank(line));
                start = end + 1;
            }
            records
        }
    }
}

#[cfg(test)]
mod tests;
