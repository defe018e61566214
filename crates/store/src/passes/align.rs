//! Scores every record by how much of it compression finds in target texts, and keeps the best.

use super::rate::rate_texts;
use super::score::{ScoreOptions, Scored};
use crate::block::{BlockReader, Scratch, Shard, Start, plan_shards};
use crate::corpus::Corpus;
use crate::error::Error;
use crate::state::State;
use tamis_kernels::deflate::{Worker, prepare};
use tamis_kernels::job::Job;
use tamis_kernels::ngrams::Texts;

/// A record is compressed with every target.
const BLOCK_BYTES: usize = 1 << 16;
const SHARD_BYTES: u64 = 4 << 20;

/// All texts of a corpus, in memory.
pub fn collect_texts(corpus: &Corpus, job: &Job) -> Result<Texts, Error> {
    let reader = BlockReader::new(&corpus.inputs, &corpus.shards, &corpus.read, Start::default());
    let mut texts = Texts::default();
    let mut scratch = Scratch::default();
    while let Some((_, block)) = reader.next().map_err(|(_, error)| error)? {
        block.records(&mut scratch, |record| {
            job.check()?;
            texts.push(record.text);
            Ok(())
        })?;
    }
    Ok(texts)
}

/// Scores the corpus with the mean alignment of each record with the targets (see
/// [`alignments`](tamis_kernels::deflate::alignments)). Finished shards found in `state` are not read again.
pub fn align_texts(
    corpus: &Corpus,
    targets: &Texts,
    level: u32,
    options: &ScoreOptions,
    hash: bool,
    state: Option<&State>,
    job: &Job,
) -> Result<Scored, Error> {
    let read = corpus.read.finer(BLOCK_BYTES, SHARD_BYTES, hash);
    let shards: Vec<Shard> = plan_shards(&corpus.inputs, &read)?;
    let targets = prepare(targets, level, job)?;
    if targets.is_empty() {
        return Err(Error::range("targets must not be empty: the target files hold no record"));
    }
    let align = |worker: &mut Worker, text: &str| Ok(worker.alignment(text.as_bytes(), &targets));
    rate_texts(&corpus.inputs, &shards, &read, options, state, job, || Worker::new(level), align)
}
