//! One record of a corpus, and how records are read.

use crate::error::Error;
use crate::input::{Input, Layout};

/// What a bad record does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnBad {
    /// Ends the pass with an error that names it.
    Throw,
    /// Is passed over and counted; it takes no index.
    Skip,
}

/// What one document of a text file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextUnit {
    /// Each line that is not blank.
    Line,
    /// The file.
    File,
}

/// How records are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOptions {
    /// Where the text lies; a dotted path reaches nested fields.
    pub text_field: String,
    /// Bytes of a record beyond which it is bad, without being held in memory.
    pub max_record: u64,
    pub on_bad: OnBad,
    pub text_unit: TextUnit,
    /// About how many bytes of whole records make a block.
    pub block_bytes: usize,
    /// About how many bytes of a file make a shard.
    pub shard_bytes: u64,
    /// Whether a pass takes the SHA-256 of every file that it reads.
    pub hash: bool,
}

impl ReadOptions {
    /// For work that takes long for each byte: blocks and shards of at most so many, so that progress is seen and an interrupted run loses
    /// little.
    pub(crate) fn finer(&self, block_bytes: usize, shard_bytes: u64, hash: bool) -> Self {
        ReadOptions {
            block_bytes: self.block_bytes.min(block_bytes),
            shard_bytes: self.shard_bytes.min(shard_bytes),
            hash,
            ..self.clone()
        }
    }

    /// Whether the input is one document.
    pub(crate) fn is_whole(&self, input: &Input) -> bool {
        self.text_unit == TextUnit::File && input.format.layout == Layout::Text
    }
}

/// The size of blocks and shards, which crash tests make small.
fn size(name: &str, usual: u64) -> u64 {
    let set = if cfg!(feature = "failpoints") { std::env::var(name).ok() } else { None };
    set.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

impl Default for ReadOptions {
    fn default() -> Self {
        ReadOptions {
            text_field: "text".into(),
            max_record: 64 << 20,
            on_bad: OnBad::Throw,
            text_unit: TextUnit::Line,
            block_bytes: size("TAMIS_BLOCK_BYTES", 2 << 20) as usize,
            shard_bytes: size("TAMIS_SHARD_BYTES", 256 << 20),
            hash: false,
        }
    }
}

/// One good record.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    pub text: &'a str,
    /// Its place among the good records of its block.
    pub ordinal: u64,
    /// Where its bytes start in the (decompressed) file; for a table, its row.
    pub offset: u64,
    /// How many bytes it has there, without the line's end; for a table, 0.
    pub len: u64,
    /// Its line, without the line's end; empty for a table.
    pub raw: &'a [u8],
}

/// Why a record is bad, and which one it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRecord {
    /// Counted from 1, over all records of the file that are not blank.
    pub number: u64,
    pub reason: Reason,
}

/// Why a record is bad.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// No text where it should be; the string says what there is instead.
    NoText(String),
    /// More bytes than allowed.
    TooLong(u64),
    /// Text that is not UTF-8, in a file of plain text.
    NotUtf8(usize),
    /// It lacks something else that a pass needs: the string is the sentence.
    Lacks(String),
}

impl BadRecord {
    /// The error that names file and record.
    pub fn error(&self, input: &Input, options: &ReadOptions) -> Error {
        let (message, mend) = match &self.reason {
            Reason::NoText(why) => (
                format!("not a record with a string field \"{}\" ({why})", options.text_field),
                "mend it, name another field with --text-field (textField)",
            ),
            Reason::TooLong(most) => {
                (format!("record of more than {most} bytes"), "raise --max-record (maxRecord)")
            }
            Reason::NotUtf8(at) => {
                (format!("not UTF-8 text (byte {at} of the record)"), "convert the file to UTF-8")
            }
            Reason::Lacks(what) => (what.clone(), "mend it"),
        };
        let message = match options.on_bad {
            OnBad::Throw => format!(
                "{message}: {mend}, or pass over such records with --on-bad-record skip (onBadRecord)"
            ),
            OnBad::Skip => message,
        };
        Error::format(input.shown(), Some(self.number), message)
    }
}
