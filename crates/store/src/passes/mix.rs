//! Writes records in an order of their own, each as often as it comes there: a mixture of sources.
//!
//! What the mixture needs is decoded once, in input order, into a temporary file of lines in the run's state; its lines are then
//! put in the mixture's order. So every format can be mixed, none is decoded twice, and memory is 12 bytes a record beside the
//! order. Disk: the decoded records, while it runs.

use super::places::Places;
use super::seen::FileTotals;
use super::write::{WriteOptions, Written, write_chosen};
use crate::atomic::Output;
use crate::error::Error;
use crate::fs::{self, read_exact_at};
use crate::input::{Format, Input, Layout};
use crate::ordered::for_each;
use crate::record::{ReadOptions, TextUnit};
use crate::sink::{Forms, Raw, Records, Sink};
use crate::state::State;
use memchr::memchr_iter;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tamis_kernels::job::Job;

/// What temporary files are called to the failpoints.
const KIND: &str = "mix";
/// Lines of a piece of the mixture, and about its bytes.
const PIECE_LINES: usize = 4096;
const PIECE_BYTES: u64 = 4 << 20;

/// The decoded records; the folder goes with it.
struct Spool {
    folder: PathBuf,
}

impl Drop for Spool {
    fn drop(&mut self) {
        let _ = fs::remove_folder(KIND, &self.folder);
    }
}

impl Spool {
    fn create(state: &State) -> Result<Spool, Error> {
        let folder = state.scratch("mixing");
        // What a killed run left under this name is nobody's: the state is locked.
        fs::remove_folder(KIND, &folder)
            .and_then(|()| fs::create_private_folder(KIND, &folder))
            .map_err(|e| Error::io(state.folder(), "create a folder in", e))?;
        Ok(Spool { folder })
    }
}

/// Writes the records at the places `order` into a single output file, whose commit is the caller's, by way of the run's state;
/// without an output they are only counted. The job advances by the bytes of text decoded, and then by those written.
///
/// # Errors
/// `ERR_TAMIS_RANGE` for a place that is not there, and what the formats refuse.
pub fn write_mixture(
    inputs: &[Input],
    read: &ReadOptions,
    places: &Places,
    order: &[u32],
    output: Option<(&mut Output, &State)>,
    threads: Option<usize>,
    job: &Job,
) -> Result<Written, Error> {
    let mut written = Written { totals: places.totals_of(inputs.len(), order)?, ..Written::default() };
    let Some((output, state)) = output else { return Ok(written) };
    let Output::File(file) = &*output else {
        return Err(Error::range(
            "a mixture is one file: name it .jsonl, .jsonl.gz, .jsonl.zst, .parquet or .txt",
        ));
    };
    let target = file.target().to_owned();
    let is_text = Format::of(&target).is_some_and(|format| format.layout == Layout::Text);
    let (rows, lines_of) = distinct(order, places.records());
    let chosen = places.choose(&rows, &vec![0.0; rows.len()])?;
    let spool = Spool::create(state)?;
    let path = spool.folder.join(if is_text { "records.txt" } else { "records.jsonl" });
    let mut decoded = Output::file(&path, false)?;
    let options = WriteOptions { order: 1, buckets: 1, add: None, examples: 0, threads };
    write_chosen(inputs, read, &chosen, Some(&mut decoded), &options, None, job)?;
    decoded.commit("{\"tamis\":\"mixing\"}")?;

    let lines = Lines::open(&path, rows.len(), job)?;
    let input = [Input::open(&path)?];
    let plain = ReadOptions { text_unit: TextUnit::Line, hash: false, ..read.clone() };
    let forms = Forms::new(output, &input, &plain, None, || lines.shape(job))?;
    let mut sink = Sink::new(output, &forms, &input, &plain)?;
    let pieces = lines.pieces(order, &lines_of);
    let taken = AtomicU64::new(0);
    let next = || {
        let piece = taken.fetch_add(1, Relaxed);
        Ok(pieces.get(piece as usize).map(|range| (piece, range.clone())))
    };
    let work = |buffer: &mut Vec<u8>, range: std::ops::Range<usize>| {
        let wanted = &order[range];
        let bytes: u64 = wanted.iter().map(|&row| places.text_bytes(row)).sum();
        let texts = lines.read(wanted.iter().map(|&row| lines_of[row as usize]), buffer)?;
        let raw = if is_text { Raw::Text(&texts) } else { Raw::Json(&texts) };
        let encoded = forms.of(0).encode(raw, &plain.text_field, None);
        Ok((wanted.len() as u64, bytes, encoded.map_err(|message| Error::format(&path, None, message))?))
    };
    for_each(next, threads, job, Vec::new, work, |(records, bytes, encoded)| {
        job.advance(bytes, records);
        sink.put(0, records, encoded)
    })?;
    written.files = sink.finish()?;
    Ok(written)
}

/// The places that come in an order, ascending, and of each place which of them it is.
fn distinct(order: &[u32], places: usize) -> (Vec<u32>, Vec<u32>) {
    let mut lines_of = vec![u32::MAX; places];
    order.iter().for_each(|&row| lines_of[row as usize] = 0);
    let mut rows = Vec::new();
    for (row, line) in lines_of.iter_mut().enumerate().filter(|(_, line)| **line == 0) {
        *line = rows.len() as u32;
        rows.push(row as u32);
    }
    (rows, lines_of)
}

/// The lines of a file.
struct Lines {
    path: PathBuf,
    file: File,
    /// Behind the break of each line.
    ends: Vec<u64>,
}

impl Lines {
    fn open(path: &Path, lines: usize, job: &Job) -> Result<Lines, Error> {
        let io = |e| Error::io(path, "read", e);
        let mut file = File::open(path).map_err(io)?;
        let mut ends = Vec::with_capacity(lines);
        let mut buffer = vec![0; 1 << 20];
        let mut at = 0;
        loop {
            job.check()?;
            let n = file.read(&mut buffer).map_err(io)?;
            if n == 0 {
                break;
            }
            ends.extend(memchr_iter(b'\n', &buffer[..n]).map(|i| at + i as u64 + 1));
            at += n as u64;
        }
        if ends.len() != lines {
            return Err(Error::format(path, None, "the decoded records changed while they were being mixed"));
        }
        Ok(Lines { path: path.to_owned(), file, ends })
    }

    /// Where a line starts, and its bytes without the break.
    fn place(&self, line: u32) -> (u64, usize) {
        let start = if line == 0 { 0 } else { self.ends[line as usize - 1] };
        (start, (self.ends[line as usize] - 1 - start) as usize)
    }

    /// Cuts an order into pieces.
    fn pieces(&self, order: &[u32], lines_of: &[u32]) -> Vec<std::ops::Range<usize>> {
        let mut pieces = Vec::new();
        let (mut first, mut bytes) = (0, 0);
        for (i, &row) in order.iter().enumerate() {
            bytes += self.place(lines_of[row as usize]).1 as u64;
            if bytes >= PIECE_BYTES || i + 1 - first == PIECE_LINES || i + 1 == order.len() {
                pieces.push(first..i + 1);
                (first, bytes) = (i + 1, 0);
            }
        }
        pieces
    }

    fn read<'b>(
        &self,
        lines: impl Iterator<Item = u32>,
        buffer: &'b mut Vec<u8>,
    ) -> Result<Vec<&'b str>, Error> {
        buffer.clear();
        let mut ends = Vec::new();
        for line in lines {
            let (start, bytes) = self.place(line);
            let from = buffer.len();
            buffer.resize(from + bytes, 0);
            read_exact_at(&self.file, &mut buffer[from..], start)
                .map_err(|e| Error::io(&self.path, "read", e))?;
            ends.push(buffer.len());
        }
        let text = simdutf8::basic::from_utf8(buffer)
            .map_err(|_| Error::format(&self.path, None, "the decoded records changed"))?;
        let starts = std::iter::once(0).chain(ends.iter().copied());
        Ok(starts.zip(&ends).map(|(start, &end)| &text[start..end]).collect())
    }

    /// The shape of all records.
    fn shape(&self, job: &Job) -> Result<Records, Error> {
        let mut shape = Records::default();
        let mut buffer = Vec::new();
        for first in (0..self.ends.len() as u32).step_by(PIECE_LINES) {
            job.check()?;
            let end = (first + PIECE_LINES as u32).min(self.ends.len() as u32);
            for line in self.read(first..end, &mut buffer)? {
                shape.see(line).map_err(|message| Error::format(&self.path, None, message))?;
            }
        }
        Ok(shape)
    }
}

impl Places {
    /// Bytes of a record's text.
    fn text_bytes(&self, row: u32) -> u64 {
        self.about(row as usize).1
    }

    /// Bytes of text that [`write_mixture`] goes through: those of the records in the order once, and again as often as they come.
    pub fn mixture_bytes(&self, order: &[u32]) -> Result<u64, Error> {
        self.check_order(order)?;
        let (rows, _) = distinct(order, self.records());
        Ok(rows.iter().chain(order).map(|&row| self.text_bytes(row)).sum())
    }

    /// Of each file, what the order has of it.
    fn totals_of(&self, files: usize, order: &[u32]) -> Result<Vec<FileTotals>, Error> {
        self.check_order(order)?;
        let mut totals = vec![FileTotals::default(); files];
        for &row in order {
            let (file, text_bytes, tokens) = self.about(row as usize);
            let of = &mut totals[file as usize];
            of.records += 1;
            of.text_bytes += text_bytes;
            of.tokens += tokens;
        }
        Ok(totals)
    }

    fn check_order(&self, order: &[u32]) -> Result<(), Error> {
        match order.iter().find(|&&row| row as usize >= self.records()) {
            Some(row) => Err(Error::range(format!("order must name {} records, got {row}", self.records()))),
            None => Ok(()),
        }
    }
}
