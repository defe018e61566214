//! Reads a corpus and finds every text, and does nothing with it: what any pass costs at least.

use super::seen::{Part, Seen};
use crate::block::{Block, BlockReader, Scratch, Shard, Start};
use crate::error::Error;
use crate::input::Input;
use crate::ordered::for_each_block;
use crate::record::ReadOptions;
use tamis_kernels::job::Job;

/// Goes through all records of `inputs` with at most `threads` threads of the pool.
pub fn read_texts(
    inputs: &[Input],
    shards: &[Shard],
    read: &ReadOptions,
    threads: Option<usize>,
    job: &Job,
) -> Result<Seen, Error> {
    let mut seen = Seen::new(inputs.len());
    let reader = BlockReader::new(inputs, shards, read, Start::default());
    let work = |scratch: &mut Scratch, block: &Block| {
        let mut part = Part::default();
        let stats = block.records(scratch, |record| {
            part.totals.text_bytes += record.text.len() as u64;
            Ok(())
        })?;
        part.add_block(block, stats);
        Ok(part)
    };
    let fold = |block: &Block, part: Part| {
        job.advance(0, part.totals.records);
        seen.add(block.file(), part);
        Ok(())
    };
    for_each_block(&reader, threads, job, Scratch::default, work, fold)?;
    seen.bytes_read = reader.bytes_read();
    Ok(seen)
}
