//! Where a corpus is cut into shards: at borders that depend on the files alone.

use crate::error::Error;
use crate::input::{Input, Layout};
use crate::json::FieldPath;
use crate::record::ReadOptions;
use crate::table;
use memchr::memchr;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

/// A part of one file whose result can stand alone: blocks of it never reach into another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// Which input.
    pub file: u32,
    /// Bytes of a plain file; row groups of a table; the whole of a compressed file.
    pub start: u64,
    pub end: u64,
    /// Bytes on disk.
    pub bytes: u64,
}

/// Cuts every file into shards; a file always has at least one.
pub fn plan_shards(inputs: &[Input], options: &ReadOptions) -> Result<Vec<Shard>, Error> {
    let mut shards = Vec::new();
    for (file, input) in inputs.iter().enumerate() {
        let file = file as u32;
        if input.format.layout == Layout::Parquet {
            plan_table(input, file, options, &mut shards)?;
        } else if !input.format.is_seekable() || options.is_whole(input) {
            shards.push(Shard { file, start: 0, end: input.bytes, bytes: input.bytes });
        } else {
            let mut start: u64 = 0;
            loop {
                let end = border(input, start.saturating_add(options.shard_bytes.max(1)))?;
                shards.push(Shard { file, start, end, bytes: end - start });
                start = end;
                if start >= input.bytes {
                    break;
                }
            }
        }
    }
    Ok(shards)
}

fn plan_table(input: &Input, file: u32, options: &ReadOptions, shards: &mut Vec<Shard>) -> Result<(), Error> {
    let footer = table::metadata(input)?;
    table::find_text(input, footer.schema(), &FieldPath::new(&options.text_field))?;
    let sizes: Vec<u64> =
        footer.metadata().row_groups().iter().map(|g| g.compressed_size().max(0) as u64).collect();
    let (mut start, mut bytes) = (0, 0);
    for (group, size) in sizes.iter().enumerate() {
        bytes += size;
        let end = group as u64 + 1;
        if bytes >= options.shard_bytes || end == sizes.len() as u64 {
            shards.push(Shard { file, start, end, bytes });
            (start, bytes) = (end, 0);
        }
    }
    if sizes.is_empty() {
        shards.push(Shard { file, start: 0, end: 0, bytes: 0 });
    }
    Ok(())
}

/// The first start of a line at or behind `at`.
fn border(input: &Input, at: u64) -> Result<u64, Error> {
    if at >= input.bytes {
        return Ok(input.bytes);
    }
    let io = |e| Error::io(input.shown(), "read", e);
    let mut file = File::open(&input.path).map_err(io)?;
    let mut position = at - 1;
    file.seek(SeekFrom::Start(position)).map_err(io)?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = file.read(&mut buffer).map_err(io)?;
        if n == 0 {
            return Ok(input.bytes);
        }
        if let Some(i) = memchr(b'\n', &buffer[..n]) {
            return Ok((position + i as u64 + 1).min(input.bytes));
        }
        position += n as u64;
    }
}
