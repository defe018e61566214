//! Reads chosen records back, in order, a piece of one file at a time.
//!
//! Of a plain file only what is chosen is read, with neighbours in one read; a compressed file is streamed again, but only if
//! something of it is chosen; of a Parquet file only the row groups that hold chosen rows. Memory: a few megabytes a piece, or one
//! record if that is longer.

use super::choose::Pick;
use crate::block::{Block, BlockReader, Shard, Start};
use crate::error::Error;
use crate::input::{Input, Layout, changed};
use crate::json::FieldPath;
use crate::record::ReadOptions;
use crate::table::{self, Rows};
use arrow_array::RecordBatch;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::{Arc, Mutex};

/// A piece of a plain file ends at this many bytes to be read, or this many records.
const PIECE_BYTES: u64 = 4 << 20;
const PIECE_RECORDS: usize = 16384;
/// Records with no more than this between them are read at once, which is faster than two reads.
const GAP: u64 = 32 << 10;

/// Chosen records of one file, next to each other among all that are chosen.
pub(super) struct Piece {
    pub(super) file: u32,
    /// Which of the picks.
    pub(super) picks: Range<usize>,
    content: Content,
}

enum Content {
    /// To be read by whoever works on the piece.
    Plain,
    Block(Block),
    Rows {
        rows: RecordBatch,
        column: Arc<Vec<String>>,
    },
}

/// Hands out pieces, in order, to whoever asks.
pub(super) struct Gather<'a> {
    inputs: &'a [Input],
    picks: &'a [Pick],
    read: &'a ReadOptions,
    cursor: Mutex<Cursor>,
}

#[derive(Default)]
struct Cursor {
    /// The next pick.
    at: usize,
    /// Number of the next piece.
    sequence: u64,
    open: Option<Open>,
    failed: bool,
}

/// The file being read, if it takes more than an offset.
enum Open {
    Stream(BlockReader),
    Table { rows: Rows, column: Arc<Vec<String>> },
}

impl<'a> Gather<'a> {
    pub(super) fn new(inputs: &'a [Input], picks: &'a [Pick], read: &'a ReadOptions) -> Self {
        Gather { inputs, picks, read, cursor: Mutex::default() }
    }

    /// The next piece and its number; none behind the last, and behind an error.
    pub(super) fn next(&self) -> Result<Option<(u64, Piece)>, (u64, Error)> {
        let mut cursor = self.cursor.lock().unwrap_or_else(|e| e.into_inner());
        let Some(first) = self.picks.get(cursor.at).filter(|_| !cursor.failed) else { return Ok(None) };
        let sequence = cursor.sequence;
        cursor.sequence += 1;
        let file = first.candidate.file;
        match self.read_piece(&mut cursor, file) {
            Ok((picks, content)) => Ok(Some((sequence, Piece { file, picks, content }))),
            Err(error) => {
                cursor.failed = true;
                Err((sequence, error))
            }
        }
    }

    fn read_piece(&self, cursor: &mut Cursor, file: u32) -> Result<(Range<usize>, Content), Error> {
        let input = &self.inputs[file as usize];
        let start = cursor.at;
        let here = |pick: &Pick| pick.candidate.file == file;
        let of_file = || start..start + self.picks[start..].partition_point(here);
        if input.format.is_seekable() {
            let (mut bytes, mut end, mut behind) = (0, start, 0);
            for Pick { candidate, .. } in
                self.picks[start..].iter().take(PIECE_RECORDS).take_while(|pick| here(pick))
            {
                let gap =
                    Some(candidate.offset.saturating_sub(behind)).filter(|&gap| end > start && gap <= GAP);
                bytes += gap.unwrap_or(0) + candidate.len;
                if end > start && bytes > PIECE_BYTES {
                    break;
                }
                behind = candidate.offset + candidate.len;
                end += 1;
            }
            cursor.at = end;
            return Ok((start..end, Content::Plain));
        }
        let mut open = match cursor.open.take() {
            Some(open) => open,
            None => self.open(input, &self.picks[of_file()])?,
        };
        let (end, content) = match &mut open {
            Open::Stream(reader) => loop {
                let (_, block) =
                    reader.next().map_err(|(_, error)| error)?.ok_or_else(|| changed(input.shown()))?;
                let Some((bytes, offset)) = block.bytes() else { continue };
                let behind = offset + bytes.len() as u64;
                let picks =
                    self.picks[start..].partition_point(|pick| here(pick) && pick.candidate.offset < behind);
                if picks > 0 {
                    break (start + picks, Content::Block(block));
                }
            },
            Open::Table { rows, column } => {
                let rows = rows.next()?.ok_or_else(|| changed(input.shown()))?;
                (start + rows.num_rows(), Content::Rows { rows, column: column.clone() })
            }
        };
        cursor.at = end;
        if self.picks.get(end).is_some_and(here) {
            cursor.open = Some(open);
        } else {
            input.check_unchanged()?;
        }
        Ok((start..end, content))
    }

    fn open(&self, input: &Input, picks: &[Pick]) -> Result<Open, Error> {
        if input.format.layout == Layout::Parquet {
            let footer = table::metadata(input)?;
            let column = table::find_text(input, footer.schema(), &FieldPath::new(&self.read.text_field))?;
            let rows = Rows::open(input, &footer, picks.iter().map(|pick| pick.candidate.offset))?;
            return Ok(Open::Table { rows, column: Arc::new(column) });
        }
        let shard = Shard { file: 0, start: 0, end: input.bytes, bytes: input.bytes };
        let read = ReadOptions { hash: false, ..self.read.clone() };
        Ok(Open::Stream(BlockReader::new(std::slice::from_ref(input), &[shard], &read, Start::default())))
    }
}

/// What a piece's records are.
pub(super) enum Records<'a> {
    /// Lines of JSON, lines of text or whole texts.
    Lines(Vec<&'a str>),
    /// Rows of a table, and where their text lies.
    Rows(&'a RecordBatch, &'a [String]),
}

impl Piece {
    /// Gives the piece's records to `each`. `buffer` is for what has to be read.
    pub(super) fn records<R>(
        &self,
        input: &Input,
        picks: &[Pick],
        buffer: &mut Vec<u8>,
        each: impl FnOnce(Records) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let picks = &picks[self.picks.clone()];
        match &self.content {
            Content::Rows { rows, column } => each(Records::Rows(rows, column)),
            Content::Plain => {
                let places = read_spans(input, picks, buffer)?;
                each(Records::Lines(lines(input, buffer, places.into_iter())?))
            }
            Content::Block(block) => {
                let (bytes, offset) = block.bytes().ok_or_else(|| changed(input.shown()))?;
                let places = picks.iter().map(|Pick { candidate, .. }| {
                    let start = candidate.offset.saturating_sub(offset) as usize;
                    start..start + candidate.len as usize
                });
                each(Records::Lines(lines(input, bytes, places)?))
            }
        }
    }
}

/// Reads what is picked, and little more, into the buffer; where each record lies there.
fn read_spans(input: &Input, picks: &[Pick], buffer: &mut Vec<u8>) -> Result<Vec<Range<usize>>, Error> {
    let io = |e| Error::io(input.shown(), "read", e);
    let mut file = File::open(&input.path).map_err(io)?;
    let mut places = Vec::with_capacity(picks.len());
    buffer.clear();
    let mut rest = picks;
    while let Some(first) = rest.first() {
        let start = first.candidate.offset;
        let mut end = start + first.candidate.len;
        let mut n = 1;
        for Pick { candidate, .. } in &rest[1..] {
            let next = candidate.offset + candidate.len;
            if candidate.offset > end + GAP {
                break;
            }
            end = next;
            n += 1;
        }
        let base = buffer.len();
        file.seek(SeekFrom::Start(start)).map_err(io)?;
        let got = (&mut file).take(end - start).read_to_end(buffer).map_err(io)?;
        if (got as u64) < end - start {
            return Err(changed(input.shown()));
        }
        places.extend(rest[..n].iter().map(|Pick { candidate, .. }| {
            let at = base + (candidate.offset - start) as usize;
            at..at + candidate.len as usize
        }));
        rest = &rest[n..];
    }
    input.check_unchanged()?;
    Ok(places)
}

fn lines<'b>(
    input: &Input,
    bytes: &'b [u8],
    places: impl Iterator<Item = Range<usize>>,
) -> Result<Vec<&'b str>, Error> {
    places
        .map(|place| {
            let line = bytes.get(place).ok_or_else(|| changed(input.shown()))?;
            simdutf8::basic::from_utf8(line).map_err(|_| changed(input.shown()))
        })
        .collect()
}
