//! Hands out a corpus's blocks in order.

use super::{Block, Buffers, Content, Settings, Shard, count_records};
use crate::error::Error;
use crate::hash::RunningHash;
use crate::input::{Input, Layout, changed};
use crate::json::FieldPath;
use crate::record::ReadOptions;
use crate::{stream, table};
use memchr::{memchr, memrchr};
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::file::metadata::RowGroupMetaData;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

/// Bytes read at a time where they are not kept.
const SKIP: usize = 1 << 20;

/// What lies before the first shard of a reader in that shard's file.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// Records, good and bad.
    pub records: u64,
    /// The state of the file's running hash.
    pub hash: Option<Vec<u8>>,
}

/// Hands out blocks, in order, to whoever asks.
pub struct BlockReader {
    inputs: Vec<Arc<Input>>,
    shards: Vec<Shard>,
    options: Arc<Settings>,
    cursor: Mutex<Cursor>,
    read: Arc<AtomicU64>,
    buffers: Buffers,
}

#[derive(Default)]
struct Cursor {
    shard: usize,
    /// Number of the next block.
    sequence: u64,
    open: Option<Open>,
    /// Records of each file before the next block.
    before: HashMap<u32, u64>,
    /// The hash of the file that is being read, up to the next block; none where files are not hashed.
    hash: Option<RunningHash>,
    failed: bool,
}

/// The shard being read.
enum Open {
    Plain { file: File, position: u64 },
    Stream { stream: stream::Decompressed, position: u64, carry: Vec<u8>, ended: bool, disk_before: u64 },
    Table { file: File, footer: ArrowReaderMetadata, column: Arc<Vec<String>>, group: usize },
}

impl BlockReader {
    /// Reads `shards` of `inputs`, the first of which goes on from `start`.
    pub fn new(inputs: &[Input], shards: &[Shard], options: &ReadOptions, start: Start) -> Self {
        let hash = start.hash.as_deref().and_then(RunningHash::resume);
        let cursor = Cursor {
            before: shards.first().map(|shard| (shard.file, start.records)).into_iter().collect(),
            hash: options.hash.then(|| hash.unwrap_or_default()),
            ..Cursor::default()
        };
        BlockReader {
            inputs: inputs.iter().cloned().map(Arc::new).collect(),
            shards: shards.to_vec(),
            options: Arc::new(Settings { read: options.clone(), field: FieldPath::new(&options.text_field) }),
            cursor: Mutex::new(cursor),
            read: Arc::default(),
            buffers: Arc::default(),
        }
    }

    /// Bytes read from disk so far.
    pub fn bytes_read(&self) -> u64 {
        self.read.load(Relaxed)
    }

    /// The next block and its number; none behind the last, and behind an error.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&self) -> Result<Option<(u64, Block)>, (u64, Error)> {
        let mut cursor = self.cursor.lock().unwrap_or_else(|e| e.into_inner());
        if cursor.failed || cursor.shard >= self.shards.len() {
            return Ok(None);
        }
        let sequence = cursor.sequence;
        cursor.sequence += 1;
        match self.read_block(&mut cursor) {
            Ok(block) => Ok(Some((sequence, block))),
            Err(error) => {
                cursor.failed = true;
                Err((sequence, error))
            }
        }
    }

    fn read_block(&self, cursor: &mut Cursor) -> Result<Block, Error> {
        let shard = self.shards[cursor.shard].clone();
        let input = self.inputs[shard.file as usize].clone();
        let mut open = match cursor.open.take() {
            Some(open) => open,
            None => self.open(&input, &shard)?,
        };
        let hash = cursor.hash.as_mut();
        let (content, ends, disk_bytes) = match &mut open {
            Open::Table { file, footer, column, group } => {
                self.next_group(&input, &shard, file, footer, column, group, hash)?
            }
            Open::Plain { file, position } => self.next_plain(&input, &shard, file, position, hash)?,
            Open::Stream { stream, position, carry, ended, disk_before } => {
                let (content, ends) = self.next_stream(&input, stream, position, carry, ended)?;
                if ends && let Some(hash) = hash {
                    *hash = stream.hash_to_end().map_err(|e| Error::io(input.shown(), "read", e))?;
                }
                let now = self.read.load(Relaxed);
                let disk = now - std::mem::replace(disk_before, now);
                (content, ends, disk)
            }
        };
        let before = cursor.before.entry(shard.file).or_default();
        let block = Block {
            before: *before,
            input: input.clone(),
            options: self.options.clone(),
            file: shard.file,
            shard: cursor.shard,
            ends_shard: ends,
            disk_bytes,
            hash: cursor.hash.as_ref().filter(|_| ends).map(RunningHash::state),
            buffers: self.buffers.clone(),
            content,
        };
        *before += count_records(&block.content);
        if ends {
            input.check_unchanged()?;
            cursor.shard += 1;
            if self.shards.get(cursor.shard).is_some_and(|next| next.file != shard.file)
                && let Some(hash) = &mut cursor.hash
            {
                *hash = RunningHash::default();
            }
        } else {
            cursor.open = Some(open);
        }
        Ok(block)
    }

    fn open(&self, input: &Input, shard: &Shard) -> Result<Open, Error> {
        let io = |e| Error::io(input.shown(), "read", e);
        if input.format.layout == Layout::Parquet {
            let footer = table::metadata(input)?;
            let column = table::find_text(input, footer.schema(), &self.options.field)?;
            let file = File::open(&input.path).map_err(io)?;
            return Ok(Open::Table { file, footer, column: Arc::new(column), group: shard.start as usize });
        }
        if input.format.is_seekable() && !self.options.read.is_whole(input) {
            let file = File::open(&input.path).map_err(io)?;
            return Ok(Open::Plain { file, position: shard.start });
        }
        let disk_before = self.read.load(Relaxed);
        let stream = stream::open(input, self.read.clone(), self.options.read.hash)?;
        Ok(Open::Stream { stream, position: 0, carry: Vec::new(), ended: false, disk_before })
    }

    fn buffer(&self) -> Vec<u8> {
        let mut buffer = self.buffers.lock().unwrap_or_else(|e| e.into_inner()).pop().unwrap_or_default();
        buffer.clear();
        buffer
    }

    /// Bytes that no line of an allowed length fills without an end: it may end in \r\n.
    fn too_long(&self) -> usize {
        usize::try_from(self.options.read.max_record).unwrap_or(usize::MAX).saturating_add(2)
    }

    /// Whole lines from `position` on, at least one.
    fn next_plain(
        &self,
        input: &Input,
        shard: &Shard,
        file: &mut File,
        position: &mut u64,
        hash: Option<&mut RunningHash>,
    ) -> Result<(Content, bool, u64), Error> {
        let io = |e| Error::io(input.shown(), "read", e);
        let offset = *position;
        if offset >= shard.end {
            return Ok((Content::Nothing, true, 0));
        }
        let left = usize::try_from(shard.end - offset).unwrap_or(usize::MAX);
        let mut bytes = self.buffer();
        let mut want = self.options.read.block_bytes.max(1);
        file.seek(SeekFrom::Start(offset)).map_err(io)?;
        loop {
            want = want.min(left);
            let missing = want - bytes.len();
            let got = file.take(missing as u64).read_to_end(&mut bytes).map_err(io)?;
            if got < missing {
                return Err(changed(input.shown()));
            }
            if bytes.len() == left {
                break;
            }
            if let Some(last) = memrchr(b'\n', &bytes) {
                bytes.truncate(last + 1);
                break;
            }
            if bytes.len() >= self.too_long() {
                let end = self.skip_line(input, shard, file, offset, hash)?;
                *position = end;
                self.read.fetch_add(end - offset, Relaxed);
                return Ok((Content::TooLong, end == shard.end, end - offset));
            }
            want = want.saturating_mul(2).min(self.too_long());
        }
        if let Some(hash) = hash {
            hash.update(&bytes);
        }
        let size = bytes.len() as u64;
        *position = offset + size;
        self.read.fetch_add(size, Relaxed);
        Ok((Content::Lines { bytes, offset }, *position == shard.end, size))
    }

    /// Reads over a line that is not kept, from its start; where the next one starts.
    fn skip_line(
        &self,
        input: &Input,
        shard: &Shard,
        file: &mut File,
        start: u64,
        mut hash: Option<&mut RunningHash>,
    ) -> Result<u64, Error> {
        let io = |e| Error::io(input.shown(), "read", e);
        let mut position = start;
        file.seek(SeekFrom::Start(start)).map_err(io)?;
        let mut buffer = vec![0; SKIP];
        while position < shard.end {
            let n = file.read(&mut buffer).map_err(io)?;
            if n == 0 {
                return Err(changed(input.shown()));
            }
            let most = usize::try_from(shard.end - position).unwrap_or(usize::MAX).min(n);
            let end = memchr(b'\n', &buffer[..most]).map(|i| i + 1);
            let line = &buffer[..end.unwrap_or(most)];
            if let Some(hash) = &mut hash {
                hash.update(line);
            }
            position += line.len() as u64;
            if end.is_some() {
                break;
            }
        }
        Ok(position)
    }

    /// The same of a stream: what follows the last whole line is carried over to the next block.
    fn next_stream(
        &self,
        input: &Input,
        stream: &mut stream::Decompressed,
        position: &mut u64,
        carry: &mut Vec<u8>,
        ended: &mut bool,
    ) -> Result<(Content, bool), Error> {
        let offset = *position;
        let whole = self.options.read.is_whole(input);
        let max_record = usize::try_from(self.options.read.max_record).unwrap_or(usize::MAX);
        let mut bytes = self.buffer();
        bytes.append(carry);
        let mut want =
            if whole { max_record.saturating_add(1) } else { self.options.read.block_bytes.max(1) };
        loop {
            if !*ended {
                *ended = stream::fill(input, stream, &mut bytes, want)?;
            }
            if *ended && (!whole || bytes.len() <= max_record) {
                break;
            }
            if whole {
                stream::drain(input, stream)?;
                *ended = true;
                return Ok((Content::TooLong, true));
            }
            if let Some(last) = memrchr(b'\n', &bytes) {
                carry.extend_from_slice(&bytes[last + 1..]);
                bytes.truncate(last + 1);
                break;
            }
            if bytes.len() >= self.too_long() {
                *position += bytes.len() as u64;
                *ended = !skip_stream_line(input, stream, position, carry)?;
                return Ok((Content::TooLong, *ended && carry.is_empty()));
            }
            want = want.saturating_mul(2).min(self.too_long());
        }
        *position += bytes.len() as u64;
        let ends = *ended && carry.is_empty();
        let content = match (whole, bytes.is_empty()) {
            (_, true) => Content::Nothing,
            (true, false) => Content::Whole { bytes },
            (false, false) => Content::Lines { bytes, offset },
        };
        Ok((content, ends))
    }

    #[allow(clippy::too_many_arguments)]
    fn next_group(
        &self,
        input: &Input,
        shard: &Shard,
        file: &mut File,
        footer: &ArrowReaderMetadata,
        column: &Arc<Vec<String>>,
        group: &mut usize,
        hash: Option<&mut RunningHash>,
    ) -> Result<(Content, bool, u64), Error> {
        let groups = footer.metadata().row_groups();
        let content = (*group < shard.end as usize).then(|| {
            let rows = |g: &RowGroupMetaData| g.num_rows().max(0) as u64;
            let first_row = groups[..*group].iter().map(rows).sum();
            Content::RowGroup { footer: footer.clone(), column: column.clone(), group: *group, first_row }
        });
        let bytes = content.as_ref().map_or(0, |_| groups[*group].compressed_size().max(0) as u64);
        self.read.fetch_add(bytes, Relaxed);
        *group += 1;
        if let Some(hash) = hash {
            // Only the text column is read where it is decoded; the hash takes all bytes, behind which that finds its own cached.
            let end =
                groups.get(*group).map_or(input.bytes, |next| next.file_offset().unwrap_or(0).max(0) as u64);
            hash_to(file, end.min(input.bytes), hash).map_err(|e| Error::io(input.shown(), "read", e))?;
        }
        Ok((content.unwrap_or(Content::Nothing), *group as u64 >= shard.end, bytes))
    }
}

/// Hashes on to a place in the file.
fn hash_to(file: &mut File, end: u64, hash: &mut RunningHash) -> std::io::Result<()> {
    file.seek(SeekFrom::Start(hash.bytes()))?;
    let mut buffer = vec![0; SKIP];
    let mut left = file.take(end.saturating_sub(hash.bytes()));
    loop {
        match left.read(&mut buffer)? {
            0 => return Ok(()),
            n => hash.update(&buffer[..n]),
        }
    }
}

/// Reads on to the end of a line; what was read of the next one goes to `carry`. Whether the stream goes on.
fn skip_stream_line(
    input: &Input,
    stream: &mut dyn Read,
    position: &mut u64,
    carry: &mut Vec<u8>,
) -> Result<bool, Error> {
    let mut buffer = vec![0; SKIP];
    loop {
        let n = stream.read(&mut buffer).map_err(|e| stream::read_error(input, e))?;
        if n == 0 {
            return Ok(false);
        }
        if let Some(i) = memchr(b'\n', &buffer[..n]) {
            *position += i as u64 + 1;
            carry.extend_from_slice(&buffer[i + 1..n]);
            return Ok(true);
        }
        *position += n as u64;
    }
}
