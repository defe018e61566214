//! Scores every record of a corpus by a function of its text and keeps the best in bounded memory.
//!
//! What a record's n-grams have to do with its score is the function's business; all else (noise, budgets, nearest misses, the
//! sample, shards that an interrupted run finished) is as in the [scoring pass](super::score) with a single table. Tokens are
//! counted beside it. O(bytes) and what the function costs, in parallel.

use super::features::Document;
use super::score::{Batch, ScoreOptions, Scored, Sums};
use super::seen::Part;
use crate::block::{Block, BlockReader, Scratch, Shard};
use crate::error::Error;
use crate::input::Input;
use crate::ordered::for_each;
use crate::record::ReadOptions;
use crate::state::State;
use tamis_kernels::job::Job;
use tamis_kernels::ngrams::NgramHasher;

struct Worker<W> {
    tokens: NgramHasher,
    scratch: Scratch,
    rater: W,
}

/// Scores `inputs` with `rate`, which gets what `rater` makes for each worker, and the text. The options hold one budget; finished
/// shards found in `state` are not read again.
#[allow(clippy::too_many_arguments)]
pub fn rate_texts<W: Send>(
    inputs: &[Input],
    shards: &[Shard],
    read: &ReadOptions,
    options: &ScoreOptions,
    state: Option<&State>,
    job: &Job,
    rater: impl Fn() -> W + Sync,
    rate: impl Fn(&mut W, &str) -> Result<f64, Error> + Sync,
) -> Result<Scored, Error> {
    if options.budgets.len() != 1 {
        return Err(Error::range(format!(
            "a function gives one score: budgets must be one, got {}",
            options.budgets.len()
        )));
    }
    let mut sums = Sums::new(inputs.len(), options);
    let first = state.map_or(0, |state| sums.restore(shards, state, options, read.hash));
    job.advance(shards[..first].iter().map(|s| s.bytes).sum(), sums.records());

    let reader = BlockReader::new(inputs, &shards[first..], read, sums.seen().start(shards, first));
    let init = || Worker { tokens: NgramHasher::new(1, 1), scratch: Scratch::default(), rater: rater() };
    let work = |worker: &mut Worker<W>, block: Block| {
        let (mut part, mut documents, mut scores) = (Part::default(), Vec::new(), Vec::new());
        let Worker { tokens, scratch, rater } = worker;
        let stats = block.records(scratch, |record| {
            job.check()?;
            let tokens = tokens.features(record.text, job)?.tokens;
            // What is too short to be a candidate need not be rated, unless every score is kept.
            let is_wanted = tokens >= options.min_tokens || options.keep_weights;
            scores.push(if is_wanted { rate(rater, record.text)? } else { 0.0 });
            part.totals.text_bytes += record.text.len() as u64;
            documents.push(Document::of(record, tokens));
            Ok(())
        })?;
        part.add_block(&block, stats);
        let (file, shard, ends_shard) = (block.file(), first + block.shard(), block.ends_shard());
        Ok(Batch { file, shard, ends_shard, part, documents, scores })
    };
    for_each(
        || reader.next(),
        options.threads,
        job,
        init,
        work,
        |batch| sums.fold(batch, options, state, job),
    )?;
    Ok(sums.finish(reader.bytes_read()))
}
