//! Counts the n-grams of a corpus, file by file, into one table.
//!
//! With a limit, each file is read to its end (its records are counted all the same) but its n-grams are counted
//! only up to and with the record at which the file's total passes the limit: the same cut for any number of
//! threads. O(bytes); memory of one table of counts for each block alive.

use super::blob::{Reader, Writer};
use super::features::{Document, Features, Hashed, Keeper, Place, Written};
use super::seen::{Part, Seen};
use crate::block::{Block, BlockReader, Scratch, Shard};
use crate::error::Error;
use crate::input::Input;
use crate::ordered::for_each_block;
use crate::record::{ReadOptions, Record};
use crate::state::State;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use tamis_kernels::job::{Aborted, Job};
use tamis_kernels::ngrams::{NgramHasher, Stats};

/// Beyond so many buckets, whose table takes half a block, blocks are larger.
const MANY_BUCKETS: u32 = 1 << 17;
const WIDE_BLOCK_BYTES: usize = 8 << 20;

/// What to count.
#[derive(Debug, Clone)]
pub struct CountOptions {
    /// The longest n-gram.
    pub order: u32,
    pub buckets: u32,
    /// N-grams of a file after which its counting stops; `None` counts all.
    pub limit: Option<u64>,
    /// Count the records of at least so many tokens, which takes every record's tokens even behind the limit.
    pub min_tokens: Option<u32>,
    /// Keep the n-grams for the pass that scores them, in at most so many bytes of disk; 0: do not. It takes a state, and all of
    /// the corpus in one go: with a limit, or behind finished shards, nothing is kept.
    pub keep: u64,
    /// At most so many threads of the pool.
    pub threads: Option<usize>,
}

/// What was counted.
#[derive(Debug, Default)]
pub struct Counted {
    pub counts: Vec<u64>,
    pub seen: Seen,
    /// The n-grams, where they were kept.
    pub features: Option<Features>,
}

struct Worker {
    hasher: NgramHasher,
    scratch: Scratch,
    /// The n-grams of a block that are kept.
    hashed: Hashed,
}

/// Counts over `inputs`; finished shards found in `state` under `phase` are not read again.
pub fn count_ngrams(
    inputs: &[Input],
    shards: &[Shard],
    read: &ReadOptions,
    options: &CountOptions,
    state: Option<(&State, &str)>,
    job: &Job,
) -> Result<Counted, Error> {
    let mut total =
        Counted { counts: vec![0; options.buckets as usize], seen: Seen::new(inputs.len()), features: None };
    let first = restore(&mut total, shards, options, read.hash, state);
    job.advance(shards[..first].iter().map(|s| s.bytes).sum(), total.seen.records());

    // A block's table is added up in the one fold: one of many buckets asks for a larger block.
    let block_bytes = if options.buckets > MANY_BUCKETS {
        read.block_bytes.max(WIDE_BLOCK_BYTES)
    } else {
        read.block_bytes
    };
    let read = ReadOptions { block_bytes, ..read.clone() };
    let reader = BlockReader::new(inputs, &shards[first..], &read, total.seen.start(shards, first));
    let keeps = options.keep > 0 && options.limit.is_none() && first == 0;
    let keeper = state
        .filter(|_| keeps)
        .and_then(|(state, _)| Keeper::create(state, inputs, options.buckets, options.keep));
    let mut places: Vec<Place> = Vec::new();
    let closed: Vec<AtomicBool> = inputs.iter().map(|_| AtomicBool::new(false)).collect();
    // N-grams of each file so far, the shard that is being folded included.
    let mut features: Vec<u64> = total.seen.files.iter().map(|file| file.features).collect();
    for (closed, &features) in closed.iter().zip(&features) {
        closed.store(is_over(options, features), Relaxed);
    }
    // Tables of counts go round: a fresh one for every block would spend the time on its first touch.
    let spare: Mutex<Vec<Vec<u64>>> = Mutex::default();
    let table = || {
        let table = spare.lock().unwrap_or_else(|e| e.into_inner()).pop();
        table.unwrap_or_else(|| vec![0; options.buckets as usize])
    };
    let init = || Worker {
        hasher: NgramHasher::new(options.order, options.buckets),
        scratch: Scratch::default(),
        hashed: Hashed::new(options.buckets),
    };
    let work = |worker: &mut Worker, block: &Block| {
        let open = !closed[block.file() as usize].load(Relaxed);
        let mut counts = if open { table() } else { Vec::new() };
        let keeper = keeper.as_ref().filter(|keeper| keeper.is_whole());
        let mut part = Part::default();
        let totals = &mut part.totals;
        let Worker { hasher, scratch, hashed } = worker;
        hashed.clear();
        let mut hashed = keeper.is_some().then_some(hashed);
        let stats = block.records(scratch, |record| {
            totals.text_bytes += record.text.len() as u64;
            let tokens = if open {
                let stats = match hashed.as_deref_mut() {
                    Some(hashed) => count_and_keep(hasher, record, &mut counts, hashed, job)?,
                    None => hasher.count(record.text, &mut counts, job)?,
                };
                totals.features += stats.features;
                if let Some(hashed) = hashed.take_if(|hashed| hashed.is_too_large()) {
                    *hashed = Hashed::new(options.buckets);
                }
                stats.tokens
            } else if options.min_tokens.is_some() {
                hasher.features(record.text, job)?.tokens
            } else {
                return Ok(());
            };
            totals.tokens += u64::from(tokens);
            totals.candidates += u64::from(options.min_tokens.is_some_and(|min| tokens >= min));
            Ok(())
        })?;
        part.add_block(block, stats);
        let written = match (keeper, hashed) {
            (Some(keeper), Some(hashed)) => keeper.write(&part, hashed),
            (Some(keeper), None) => {
                keeper.fail();
                None
            }
            (None, _) => None,
        };
        Ok((part, counts, written))
    };

    let mut shard = Part::default();
    let mut shard_counts = if state.is_some() { table() } else { Vec::new() };
    let mut recount = init();
    let fold = |block: &Block, (mut part, mut counts, written): (Part, Vec<u64>, Option<Written>)| {
        places.extend(written.map(|at| Place::new(at, block, first + block.shard())));
        let features = &mut features[block.file() as usize];
        if is_over(options, *features) {
            counts.iter_mut().for_each(|n| *n = 0);
            part.totals.features = 0;
        } else if is_over(options, *features + part.totals.features) {
            counts.iter_mut().for_each(|n| *n = 0);
            part.totals.features = count_to_limit(&mut recount, block, options, *features, &mut counts, job)?;
            closed[block.file() as usize].store(true, Relaxed);
        }
        *features += part.totals.features;
        add(&mut total.counts, &counts);
        if state.is_some() {
            add(&mut shard_counts, &counts);
        }
        job.advance(0, part.totals.records);
        shard.add(part);
        if block.ends_shard() {
            if let Some((state, phase)) = state {
                state.put(phase, (first + block.shard()) as u64, &to_bytes(&shard, &shard_counts))?;
                shard_counts.iter_mut().for_each(|n| *n = 0);
            }
            total.seen.add(block.file(), std::mem::take(&mut shard));
        }
        if !counts.is_empty() {
            counts.iter_mut().for_each(|n| *n = 0);
            spare.lock().unwrap_or_else(|e| e.into_inner()).push(counts);
        }
        Ok(())
    };
    for_each_block(&reader, options.threads, job, init, work, fold)?;
    total.seen.bytes_read = reader.bytes_read();
    total.features = keeper.and_then(|keeper| keeper.finish(places));
    Ok(total)
}

fn count_and_keep(
    hasher: &mut NgramHasher,
    record: &Record,
    counts: &mut [u64],
    hashed: &mut Hashed,
    job: &Job,
) -> Result<Stats, Aborted> {
    let buckets = hashed.buckets();
    let stats = hasher.runs(record.text, job, |run| {
        run.iter().for_each(|&bucket| counts[bucket as usize] += 1);
        buckets.extend(run);
    })?;
    hashed.end(Document::of(record, stats.tokens), stats.features);
    Ok(stats)
}

fn add(sums: &mut [u64], counts: &[u64]) {
    sums.iter_mut().zip(counts).for_each(|(sum, n)| *sum += n);
}

fn is_over(options: &CountOptions, features: u64) -> bool {
    options.limit.is_some_and(|limit| features > limit)
}

/// Counts a block again, record by record, and stops behind the one that passes the limit.
fn count_to_limit(
    worker: &mut Worker,
    block: &Block,
    options: &CountOptions,
    before: u64,
    counts: &mut [u64],
    job: &Job,
) -> Result<u64, Error> {
    let mut features = 0;
    let (hasher, scratch) = (&mut worker.hasher, &mut worker.scratch);
    block.records(scratch, |record| {
        if !is_over(options, before + features) {
            features += hasher.count(record.text, counts, job)?.features;
        }
        Ok(())
    })?;
    Ok(features)
}

/// A shard's blob: what was seen of it (see [`Part::write`]), the number of buckets, the count of each.
fn to_bytes(part: &Part, counts: &[u64]) -> Vec<u8> {
    let mut w = Writer::default();
    part.write(&mut w);
    w.u64(counts.len() as u64);
    counts.iter().for_each(|&n| w.u64(n));
    w.out
}

fn from_bytes(bytes: &[u8], buckets: u32, hash: bool) -> Option<(Part, Vec<u64>)> {
    let mut r = Reader::new(bytes);
    let part = Part::read(&mut r, hash)?;
    let counts: Vec<u64> = (0..r.len(8)?).map(|_| r.u64()).collect::<Option<_>>()?;
    r.end()?;
    (counts.len() == buckets as usize).then_some((part, counts))
}

/// Adds up the finished shards at the front; returns how many there are.
fn restore(
    total: &mut Counted,
    shards: &[Shard],
    options: &CountOptions,
    hash: bool,
    state: Option<(&State, &str)>,
) -> usize {
    let Some((state, phase)) = state else { return 0 };
    for (i, shard) in shards.iter().enumerate() {
        let Some((part, counts)) =
            state.get(phase, i as u64).and_then(|bytes| from_bytes(&bytes, options.buckets, hash))
        else {
            return i;
        };
        add(&mut total.counts, &counts);
        total.seen.add(shard.file, part);
    }
    shards.len()
}
