//! What a function makes of every text of a corpus: rows of numbers, one a record, in the order of the records.
//!
//! For functions that take long (a model's): they get the texts of a block at a time and use all threads themselves. Rows go to a file of the run's
//! state as they come, and how far they reach is noted shard by shard, so that a run that was cut short goes on. Memory: a block's texts
//! and rows.

use super::blob::{Reader, Writer};
use super::seen::{Part, Seen};
use crate::block::{Block, BlockReader, Scratch, plan_shards};
use crate::corpus::Corpus;
use crate::error::Error;
use crate::fs::{read_exact_at, write_all_at};
use crate::state::State;
use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use tamis_kernels::job::Job;

/// A model takes seconds for so much.
const BLOCK_BYTES: usize = 1 << 18;
const SHARD_BYTES: u64 = 2 << 20;
/// Bytes before the first row: room for the head of the file that this one may become.
pub const HEAD: u64 = 512;
const KIND: &str = "rows";
const PHASE: &str = "rows";
/// Rows that are read at a time.
const PIECE: u64 = 1 << 16;

/// Rows in a file.
#[derive(Debug)]
pub struct Rows {
    pub seen: Seen,
    pub rows: u64,
    /// Numbers of a row.
    pub width: usize,
    file: File,
    path: PathBuf,
}

/// Maps all texts of a corpus by `map`, which gives `width` numbers for each and counts them in the job; finished shards found in `state` are not read again. With
/// `hash` the files' bytes are hashed.
///
/// # Errors
/// Those of reading and of `map`; `ERR_TAMIS_IO` where the rows cannot be kept.
pub fn map_texts(
    corpus: &Corpus,
    width: usize,
    hash: bool,
    state: &State,
    job: &Job,
    mut map: impl FnMut(&[String]) -> Result<Vec<f32>, Error>,
) -> Result<Rows, Error> {
    let read = corpus.read.finer(BLOCK_BYTES, SHARD_BYTES, hash);
    let shards = plan_shards(&corpus.inputs, &read)?;
    let path = state.scratch("rows");
    let io = |op| {
        let path = path.clone();
        move |e| Error::io(path, op, e)
    };
    let mut options = OpenOptions::new();
    let file =
        options.read(true).write(true).create(true).truncate(false).open(&path).map_err(io("create"))?;
    let there = file.metadata().map_err(io("read"))?.len();
    let row = 4 * width as u64;
    let (mut seen, mut rows, mut first) = (Seen::new(corpus.inputs.len()), 0, 0);
    for (i, shard) in shards.iter().enumerate() {
        let kept = state.get(PHASE, i as u64).and_then(|bytes| Part::read(&mut Reader::new(&bytes), hash));
        let Some(part) = kept.filter(|part| HEAD + (rows + part.totals.records) * row <= there) else {
            break;
        };
        rows += part.totals.records;
        seen.add(shard.file, part);
        first = i + 1;
    }
    job.advance(shards[..first].iter().map(|shard| shard.bytes).sum(), rows);
    let reader = BlockReader::new(&corpus.inputs, &shards[first..], &read, seen.start(&shards, first));
    let (mut scratch, mut part) = (Scratch::default(), Part::default());
    while let Some((_, block)) = reader.next().map_err(|(_, error)| error)? {
        let mut texts = Vec::new();
        let stats = read_block(&block, &mut scratch, &mut texts)?;
        part.totals.text_bytes += texts.iter().map(|text| text.len() as u64).sum::<u64>();
        part.add_block(&block, stats);
        let made = map(&texts)?;
        assert_eq!(made.len(), texts.len() * width, "a row for each text");
        let bytes = bytemuck::cast_slice(&made);
        write_all_at(KIND, &file, bytes, HEAD + rows * row).map_err(io("write"))?;
        rows += texts.len() as u64;
        // Records were counted as they were mapped.
        job.advance(block.disk_bytes(), 0);
        if block.ends_shard() {
            // What a note says is there is on the disk before it.
            file.sync_data().map_err(io("sync"))?;
            let mut out = Writer::default();
            part.write(&mut out);
            state.put(PHASE, (first + block.shard()) as u64, &out.out)?;
            seen.add(block.file(), std::mem::take(&mut part));
        }
    }
    file.set_len(HEAD + rows * row).map_err(io("write"))?;
    seen.bytes_read = reader.bytes_read();
    Ok(Rows { seen, rows, width, file, path })
}

fn read_block(
    block: &Block,
    scratch: &mut Scratch,
    texts: &mut Vec<String>,
) -> Result<crate::block::BlockStats, Error> {
    block.records(scratch, |record| {
        texts.push(record.text.to_owned());
        Ok(())
    })
}

impl Rows {
    /// Rows of a score and of how many tokens it is, which float32 holds up to 2^24.
    pub fn scores(&self, job: &Job) -> Result<Vec<(f64, u32)>, Error> {
        assert_eq!(self.width, 2, "rows of a score and a count");
        let mut scores = Vec::with_capacity(self.rows as usize);
        self.each(job, |piece| {
            scores
                .extend(piece.as_chunks::<2>().0.iter().map(|&[score, count]| (score.into(), count as u32)));
            Ok(())
        })?;
        Ok(scores)
    }

    /// Of rows of a score and a count: all counts, and the mean score of what they count.
    pub fn means(&self, job: &Job) -> Result<(u64, f64), Error> {
        let scores = self.scores(job)?;
        let counted = scores.iter().filter(|(_, count)| *count > 0);
        let (count, sum) = counted.fold((0u64, 0.0), |(n, sum), &(score, count)| {
            (n + u64::from(count), sum + score * f64::from(count))
        });
        Ok((count, sum / count as f64))
    }

    /// Hands all rows over, some at a time.
    pub fn each(&self, job: &Job, mut take: impl FnMut(&[f32]) -> Result<(), Error>) -> Result<(), Error> {
        let mut piece = Vec::new();
        let most = (PIECE / self.width.max(1) as u64).max(1);
        let mut from = 0;
        while from < self.rows {
            job.check()?;
            let rows = most.min(self.rows - from);
            piece.resize(rows as usize * self.width, 0.0);
            let at = HEAD + from * 4 * self.width as u64;
            read_exact_at(&self.file, bytemuck::cast_slice_mut(&mut piece), at)
                .map_err(|e| Error::io(&self.path, "read", e))?;
            take(&piece)?;
            from += rows;
        }
        Ok(())
    }

    /// Writes the head of the file that this one becomes, and hands it over with its path.
    pub(crate) fn into_file(self, head: &[u8]) -> Result<(File, PathBuf), Error> {
        assert_eq!(head.len() as u64, HEAD, "a head of its size");
        write_all_at(KIND, &self.file, head, 0).map_err(|e| Error::io(&self.path, "write", e))?;
        Ok((self.file, self.path))
    }
}
