//! Scores every record of a corpus against tables of n-gram weights and keeps the best of each table in bounded
//! memory.
//!
//! A record's score is the sum of the table's weights over its n-grams; its key adds Gumbel noise tied to the
//! record's place among all records, so that neither threads nor shards change it. O(bytes) to score, O(log n) for
//! each record that gets into a heap.

use super::blob::{CANDIDATE, Reader, Writer};
use super::features::{Document, Features, Hashed};
use super::heap::{Best, Budget, Candidate};
use super::seen::{Part, Seen};
use crate::block::{Block, BlockReader, Scratch, Shard};
use crate::error::Error;
use crate::input::Input;
use crate::ordered::for_each;
use crate::record::ReadOptions;
use crate::state::State;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tamis_kernels::job::Job;
use tamis_kernels::ngrams::NgramHasher;
use tamis_kernels::philox::Philox;

/// Gumbel noise of a 52-bit uniform draw never passes this.
const MOST_NOISE: f64 = 36.75;
/// Records of the weights kept in one blob.
const WEIGHTS_PIECE: usize = 1 << 20;
/// The stream from which the sample of records is drawn: the last one, which no table uses.
pub(super) const SAMPLE_STREAM: u32 = u32::MAX;

/// What to keep.
#[derive(Debug, Clone)]
pub struct ScoreOptions {
    /// The longest n-gram.
    pub order: u32,
    pub buckets: u32,
    /// Records of fewer tokens are no candidates.
    pub min_tokens: u32,
    /// Seed of the noise, table t drawing from stream t; `None` adds none.
    pub noise: Option<u64>,
    /// Of each table, how much its heap must be able to serve.
    pub budgets: Vec<Budget>,
    /// Nearest misses kept beside each budget.
    pub spare: usize,
    /// Candidates in the random sample.
    pub sample: usize,
    /// Keep every record's scores and tokens in the state, for [`each_weight`](super::weights::each_weight).
    pub keep_weights: bool,
    /// At most so many threads of the pool.
    pub threads: Option<usize>,
}

/// What a scoring pass leaves.
pub struct Scored {
    pub seen: Seen,
    /// Of each table.
    pub best: Vec<Best>,
    pub sample: Sample,
    /// The number of tables.
    pub tables: usize,
    /// Blobs of weights of each shard.
    pub pieces: Vec<u64>,
}

/// A random sample of the candidates: those with the lowest words of a stream of their own.
#[derive(Default)]
pub struct Sample {
    size: usize,
    heap: BinaryHeap<(u32, u64, u64, u32)>,
}

impl Sample {
    /// A sample of at most so many.
    pub(super) fn new(size: usize) -> Self {
        Sample { size, ..Sample::default() }
    }

    pub(super) fn offer(&mut self, word: u32, index: u64, score: f64, tokens: u32) {
        if self.heap.len() < self.size {
            self.heap.push((word, index, score.to_bits(), tokens));
        } else if self.heap.peek().is_some_and(|worst| (word, index) < (worst.0, worst.1)) {
            self.heap.pop();
            self.heap.push((word, index, score.to_bits(), tokens));
        }
    }

    /// Scores (of the best table) and tokens, in the order of the records.
    pub fn columns(&self) -> (Vec<f64>, Vec<u32>) {
        let mut all: Vec<_> = self.heap.iter().collect();
        all.sort_unstable_by_key(|entry| entry.1);
        all.iter().map(|entry| (f64::from_bits(entry.2), entry.3)).unzip()
    }
}

struct Worker {
    hasher: NgramHasher,
    scratch: Scratch,
    /// Memory for a block of kept n-grams.
    kept: Option<Hashed>,
}

/// What is scored at a time.
enum Item<'a> {
    Texts(Block),
    /// The number of a block whose n-grams were kept.
    Kept(&'a Features, usize),
}

pub(super) struct Batch {
    pub(super) file: u32,
    pub(super) shard: usize,
    pub(super) ends_shard: bool,
    pub(super) part: Part,
    pub(super) documents: Vec<Document>,
    /// [documents, tables]
    pub(super) scores: Vec<f64>,
}

/// Scores `inputs` against `tables` ([tables, buckets]); finished shards found in `state` are not read again, and no texts at
/// all where their n-grams were kept by the counting pass.
#[allow(clippy::too_many_arguments)]
pub fn score_ngrams(
    inputs: &[Input],
    shards: &[Shard],
    read: &ReadOptions,
    tables: &[f64],
    options: &ScoreOptions,
    features: Option<&Features>,
    state: Option<&State>,
    job: &Job,
) -> Result<Scored, Error> {
    let width = options.budgets.len();
    if tables.len() != width * options.buckets as usize {
        return Err(Error::range(format!(
            "tables hold {} values, {width} budgets of {} buckets need {}",
            tables.len(),
            options.buckets,
            width * options.buckets as usize
        )));
    }
    let mut sums = Sums::new(inputs.len(), options);
    let first = state.map_or(0, |state| sums.restore(shards, state, options, read.hash));
    job.advance(shards[..first].iter().map(|s| s.bytes).sum(), sums.index);

    // Kept n-grams are those of the whole corpus.
    let features = features.filter(|_| first == 0);
    let reader = BlockReader::new(inputs, &shards[first..], read, sums.scored.seen.start(shards, first));
    let taken = AtomicUsize::new(0);
    let next = || match features {
        Some(features) => {
            let block = taken.fetch_add(1, Relaxed);
            Ok((block < features.blocks()).then_some((block as u64, Item::Kept(features, block))))
        }
        None => Ok(reader.next()?.map(|(sequence, block)| (sequence, Item::Texts(block)))),
    };
    let init = || Worker {
        hasher: NgramHasher::new(options.order, options.buckets),
        scratch: Scratch::default(),
        kept: None,
    };
    let work = |worker: &mut Worker, item: Item| match item {
        Item::Kept(features, block) => score_kept(worker, features, block, tables, options),
        Item::Texts(block) => {
            let mut batch = score_texts(worker, &block, tables, options, job)?;
            batch.shard += first;
            Ok(batch)
        }
    };
    for_each(next, options.threads, job, init, work, |batch| sums.fold(batch, options, state, job))?;
    Ok(sums.finish(reader.bytes_read()))
}

fn score_texts(
    worker: &mut Worker,
    block: &Block,
    tables: &[f64],
    options: &ScoreOptions,
    job: &Job,
) -> Result<Batch, Error> {
    let mut part = Part::default();
    let mut documents = Vec::new();
    let mut scores = Vec::new();
    let mut sums = vec![0.0; options.budgets.len()];
    let (hasher, scratch) = (&mut worker.hasher, &mut worker.scratch);
    let stats = block.records(scratch, |record| {
        let tokens = hasher.score(record.text, tables, &mut sums, job)?.tokens;
        part.totals.text_bytes += record.text.len() as u64;
        scores.extend_from_slice(&sums);
        documents.push(Document::of(record, tokens));
        Ok(())
    })?;
    part.add_block(block, stats);
    let (file, shard, ends_shard) = (block.file(), block.shard(), block.ends_shard());
    Ok(Batch { file, shard, ends_shard, part, documents, scores })
}

fn score_kept(
    worker: &mut Worker,
    features: &Features,
    block: usize,
    tables: &[f64],
    options: &ScoreOptions,
) -> Result<Batch, Error> {
    let memory = worker.kept.take().unwrap_or_else(|| Hashed::new(options.buckets));
    let kept = features.read(block, memory)?;
    let mut documents = Vec::new();
    let mut scores = Vec::new();
    let mut sums = vec![0.0; options.budgets.len()];
    kept.hashed.score(tables, &mut sums, |document, sums| {
        documents.push(document);
        scores.extend_from_slice(sums);
    });
    // The tokens and candidates of the counting pass are counted again.
    let mut part = kept.part;
    (part.totals.tokens, part.totals.candidates, part.totals.features) = (0, 0, 0);
    worker.kept = Some(kept.hashed);
    Ok(Batch { file: kept.file, shard: kept.shard, ends_shard: kept.ends_shard, part, documents, scores })
}

/// The running result, and what the shard being folded has added to it.
pub(super) struct Sums {
    scored: Scored,
    noise: Vec<Philox>,
    lots: Philox,
    /// Index of the next record, and of the shard's first.
    index: u64,
    shard_start: u64,
    shard: Part,
    weights: Vec<u8>,
    weights_held: usize,
    pieces: u64,
}

impl Sums {
    pub(super) fn new(files: usize, options: &ScoreOptions) -> Self {
        Sums {
            scored: Scored {
                seen: Seen::new(files),
                best: options.budgets.iter().map(|&budget| Best::new(budget, options.spare)).collect(),
                sample: Sample::new(options.sample),
                tables: options.budgets.len(),
                pieces: Vec::new(),
            },
            noise: options
                .noise
                .iter()
                .flat_map(|&seed| {
                    (0..options.budgets.len()).map(move |table| Philox::new(seed, table as u32))
                })
                .collect(),
            lots: Philox::new(options.noise.unwrap_or(0), SAMPLE_STREAM),
            index: 0,
            shard_start: 0,
            shard: Part::default(),
            weights: Vec::new(),
            weights_held: 0,
            pieces: 0,
        }
    }

    /// Records of the shards that are done.
    pub(super) fn records(&self) -> u64 {
        self.index
    }

    /// What was seen of the shards that are done.
    pub(super) fn seen(&self) -> &Seen {
        &self.scored.seen
    }

    /// Takes in the next batch.
    pub(super) fn fold(
        &mut self,
        batch: Batch,
        options: &ScoreOptions,
        state: Option<&State>,
        job: &Job,
    ) -> Result<(), Error> {
        let Batch { file, shard, ends_shard, .. } = batch;
        job.advance(batch.part.totals.bytes, batch.documents.len() as u64);
        self.add(batch, options, state)?;
        if ends_shard {
            self.end_shard(file, shard, state)?;
        }
        Ok(())
    }

    /// All of it, of so many bytes read.
    pub(super) fn finish(mut self, bytes_read: u64) -> Scored {
        self.scored.seen.bytes_read = bytes_read;
        self.scored
    }

    fn add(&mut self, batch: Batch, options: &ScoreOptions, state: Option<&State>) -> Result<(), Error> {
        let width = options.budgets.len();
        let file = batch.file;
        let state = state.map(|state| (state, batch.shard));
        let before = self.scored.seen.files[file as usize].records + self.shard.totals.records;
        for (document, scores) in batch.documents.iter().zip(batch.scores.chunks_exact(width)) {
            let index = self.index;
            self.index += 1;
            self.shard.totals.tokens += u64::from(document.tokens);
            if options.keep_weights {
                self.keep_weights(document.tokens, scores, state)?;
            }
            if document.tokens < options.min_tokens {
                continue;
            }
            self.shard.totals.candidates += 1;
            let best_score = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            self.scored.sample.offer(self.lots.word(index), index, best_score, document.tokens);
            for (table, &score) in scores.iter().enumerate() {
                let best = &mut self.scored.best[table];
                let threshold = best.threshold();
                // Most records are beyond the reach of any noise: theirs need not be drawn.
                if score + MOST_NOISE < threshold {
                    continue;
                }
                let key = score + self.noise.get(table).map_or(0.0, |noise| noise.gumbel_at(index));
                if key >= threshold {
                    best.offer(Candidate {
                        key,
                        score,
                        index,
                        ordinal: before + document.ordinal,
                        offset: document.offset,
                        len: document.len,
                        text_bytes: document.text_bytes,
                        tokens: document.tokens,
                        file,
                    });
                }
            }
        }
        self.shard.add(batch.part);
        Ok(())
    }

    fn keep_weights(
        &mut self,
        tokens: u32,
        scores: &[f64],
        state: Option<(&State, usize)>,
    ) -> Result<(), Error> {
        scores.iter().for_each(|score| self.weights.extend_from_slice(&score.to_le_bytes()));
        self.weights.extend_from_slice(&tokens.to_le_bytes());
        self.weights_held += 1;
        if self.weights_held == WEIGHTS_PIECE {
            self.put_weights(state)?;
        }
        Ok(())
    }

    fn put_weights(&mut self, state: Option<(&State, usize)>) -> Result<(), Error> {
        if let (Some((state, shard)), true) = (state, self.weights_held > 0) {
            state.put(&weights_phase(shard), self.pieces, &self.weights)?;
            self.pieces += 1;
        }
        self.weights.clear();
        self.weights_held = 0;
        Ok(())
    }

    fn end_shard(&mut self, file: u32, shard: usize, state: Option<&State>) -> Result<(), Error> {
        self.put_weights(state.map(|state| (state, shard)))?;
        if let Some(state) = state {
            state.put("score", shard as u64, &self.shard_bytes())?;
        }
        self.scored.seen.add(file, std::mem::take(&mut self.shard));
        self.scored.pieces.push(self.pieces);
        self.shard_start = self.index;
        self.pieces = 0;
        Ok(())
    }

    /// A shard's blob: what was seen of it (see [`Part::write`]), the number of blobs of weights, the sampled records (their
    /// number; of each the word that was drawn, index, score, tokens), and of each table the candidates (their number; of
    /// each key, score, index, ordinal, offset, length, bytes of text, tokens, file). A blob of weights holds for each
    /// record its scores (f64) and its tokens (u32).
    fn shard_bytes(&self) -> Vec<u8> {
        let mut w = Writer::default();
        self.shard.write(&mut w);
        w.u64(self.pieces);
        let sampled: Vec<_> =
            self.scored.sample.heap.iter().filter(|entry| entry.1 >= self.shard_start).collect();
        w.u64(sampled.len() as u64);
        for &&(word, index, score, tokens) in &sampled {
            [u64::from(word), index, score, u64::from(tokens)].iter().for_each(|&x| w.u64(x));
        }
        for best in &self.scored.best {
            let added: Vec<_> = best.since(self.shard_start).collect();
            w.u64(added.len() as u64);
            added.iter().for_each(|candidate| w.candidate(candidate));
        }
        w.out
    }

    /// Adds up the finished shards at the front; returns how many there are.
    pub(super) fn restore(
        &mut self,
        shards: &[Shard],
        state: &State,
        options: &ScoreOptions,
        hash: bool,
    ) -> usize {
        for (i, shard) in shards.iter().enumerate() {
            let finished = state
                .get("score", i as u64)
                .and_then(|bytes| read_shard(&bytes, options.budgets.len(), hash));
            let Some(finished) = finished else { return i };
            let pieces_held = |p| state.get(&weights_phase(i), p).is_some();
            if options.keep_weights && !(0..finished.pieces).all(pieces_held) {
                return i;
            }
            for (best, candidates) in self.scored.best.iter_mut().zip(&finished.candidates) {
                candidates.iter().for_each(|&candidate| best.offer(candidate));
            }
            for (word, index, score, tokens) in finished.sample {
                self.scored.sample.offer(word, index, score, tokens);
            }
            self.index += finished.part.totals.records;
            self.shard_start = self.index;
            self.scored.pieces.push(finished.pieces);
            self.scored.seen.add(shard.file, finished.part);
        }
        shards.len()
    }
}

/// The phase under which the state keeps a shard's weights, a piece a part.
pub(super) fn weights_phase(shard: usize) -> String {
    format!("weights_{shard}")
}

struct FinishedShard {
    part: Part,
    pieces: u64,
    sample: Vec<(u32, u64, f64, u32)>,
    candidates: Vec<Vec<Candidate>>,
}

fn read_shard(bytes: &[u8], tables: usize, hash: bool) -> Option<FinishedShard> {
    let mut r = Reader::new(bytes);
    let part = Part::read(&mut r, hash)?;
    let pieces = r.u64()?;
    let sample = (0..r.len(32)?)
        .map(|_| Some((u32::try_from(r.u64()?).ok()?, r.u64()?, r.f64()?, u32::try_from(r.u64()?).ok()?)))
        .collect::<Option<_>>()?;
    let mut candidates = Vec::with_capacity(tables);
    for _ in 0..tables {
        candidates.push((0..r.len(CANDIDATE)?).map(|_| r.candidate()).collect::<Option<_>>()?);
    }
    r.end()?;
    Some(FinishedShard { part, pieces, sample, candidates })
}
