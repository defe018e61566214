//! Passes over a corpus: count, score, choose, and what they saw.

use super::corpus::{Corpus, path};
use super::state::{Kept, State, shared};
use super::{number, whole};
use crate::failure::Failure;
use crate::job::{Job, promise};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use std::sync::{Arc, Mutex, MutexGuard};
use tamis_store::passes::choose;
use tamis_store::passes::count::{self, count_ngrams};
use tamis_store::passes::examples::BucketNames;
use tamis_store::passes::heap::{Budget, Unit};
use tamis_store::passes::read::read_texts;
use tamis_store::passes::score::{self, score_ngrams};
use tamis_store::passes::seen::{self, Seen};
use tamis_store::passes::weights::write_scores as write_scores_file;
use tamis_store::record;
use tamis_store::scores::read_scores as read_scores_file;

/// What a pass saw of one file.
#[napi(object)]
pub struct FileTotals {
    pub records: f64,
    pub skipped: f64,
    pub tokens: f64,
    pub features: f64,
    pub candidates: f64,
    pub bytes: f64,
    pub text_bytes: f64,
}

pub(super) fn totals(files: &[seen::FileTotals]) -> Vec<FileTotals> {
    let one = |t: &seen::FileTotals| FileTotals {
        records: number(t.records),
        skipped: number(t.skipped),
        tokens: number(t.tokens),
        features: number(t.features),
        candidates: number(t.candidates),
        bytes: number(t.bytes),
        text_bytes: number(t.text_bytes),
    };
    files.iter().map(one).collect()
}

pub(super) fn hashes(seen: &Seen) -> Vec<Either<String, Null>> {
    seen.hashes().into_iter().map(|hash| hash.map_or(Either::B(Null), Either::A)).collect()
}

/// What a pass that only reads found.
#[napi(object)]
pub struct ReadTotals {
    pub files: Vec<FileTotals>,
    pub bad: Vec<String>,
    pub bytes_read: f64,
}

/// Reads a corpus and finds every text, and does nothing with it: what any pass costs at least.
#[napi]
pub fn read_corpus<'env>(
    env: &'env Env,
    corpus: &Corpus,
    threads: Option<u32>,
    job: &Job,
) -> Result<Object<'env>> {
    let corpus = corpus.get()?;
    let work = move |job: &tamis_kernels::job::Job| {
        let threads = threads.map(|n| n as usize);
        Ok(read_texts(&corpus.inputs, &corpus.shards, &corpus.read, threads, job)?)
    };
    job.begin();
    promise(env, Some(job), work, |seen: Seen| ReadTotals {
        files: totals(&seen.files),
        bytes_read: number(seen.bytes_read),
        bad: seen.bad,
    })
}

#[napi(object)]
pub struct CountOptions {
    pub ngrams: u32,
    pub buckets: u32,
    pub limit: Option<f64>,
    pub min_tokens: Option<u32>,
    /// Bytes of disk in which the n-grams may be kept for the scoring pass.
    pub keep: Option<f64>,
    pub hash: bool,
    pub threads: Option<u32>,
}

#[napi(object)]
pub struct Counted {
    pub counts: Float64Array,
    pub files: Vec<FileTotals>,
    pub bad: Vec<String>,
    pub bytes_read: f64,
    pub hashes: Vec<Either<String, Null>>,
}

/// Counts the n-grams of a corpus.
#[napi]
pub fn count_corpus<'env>(
    env: &'env Env,
    corpus: &Corpus,
    options: CountOptions,
    state: Option<&State>,
    phase: String,
    job: &Job,
) -> Result<Object<'env>> {
    let kept = state.map(|state| state.kept.clone());
    let (corpus, state) = (corpus.get()?, shared(state)?);
    let work = move |job: &tamis_kernels::job::Job| {
        let read = record::ReadOptions { hash: options.hash, ..corpus.read.clone() };
        let options = count::CountOptions {
            order: options.ngrams,
            buckets: options.buckets,
            limit: options.limit.map(whole),
            min_tokens: options.min_tokens,
            keep: options.keep.map_or(0, whole),
            threads: options.threads.map(|n| n as usize),
        };
        let state = state.as_deref().map(|state| (state, phase.as_str()));
        let mut counted = count_ngrams(&corpus.inputs, &corpus.shards, &read, &options, state, job)?;
        if let (Some(kept), Some(features)) = (kept, counted.features.take()) {
            kept.put(Some(features));
        }
        Ok(counted)
    };
    job.begin();
    promise(env, Some(job), work, |count::Counted { counts, seen, .. }| Counted {
        counts: Float64Array::new(counts.into_iter().map(number).collect()),
        files: totals(&seen.files),
        bytes_read: number(seen.bytes_read),
        hashes: hashes(&seen),
        bad: seen.bad,
    })
}

#[napi(object)]
pub struct ScoreOptions {
    pub ngrams: u32,
    pub buckets: u32,
    pub min_tokens: u32,
    pub seed: Option<BigInt>,
    pub unit: String,
    pub budgets: Vec<f64>,
    pub spare: u32,
    pub sample: u32,
    pub keep_weights: bool,
    pub hash: bool,
    pub threads: Option<u32>,
}

impl From<ScoreOptions> for score::ScoreOptions {
    fn from(o: ScoreOptions) -> Self {
        score::ScoreOptions {
            order: o.ngrams,
            buckets: o.buckets,
            min_tokens: o.min_tokens,
            noise: o.seed.map(|seed| seed.get_u64().1),
            budgets: budgets(&o.unit, &o.budgets),
            spare: o.spare as usize,
            sample: o.sample as usize,
            keep_weights: o.keep_weights,
            threads: o.threads.map(|n| n as usize),
        }
    }
}

pub(super) fn budgets(unit: &str, amounts: &[f64]) -> Vec<Budget> {
    let unit = match unit {
        "tokens" => Unit::Tokens,
        "bytes" => Unit::Bytes,
        _ => Unit::Records,
    };
    amounts.iter().map(|&amount| Budget { unit, amount: whole(amount) }).collect()
}

/// Scores and tokens of records.
#[napi(object)]
pub struct SampleColumns {
    pub scores: Float64Array,
    pub tokens: Uint32Array,
}

pub(super) fn columns((scores, tokens): (Vec<f64>, Vec<u32>)) -> SampleColumns {
    SampleColumns { scores: Float64Array::new(scores), tokens: Uint32Array::new(tokens) }
}

/// What a scoring pass left.
#[napi]
pub struct Scored {
    shared: Arc<Mutex<score::Scored>>,
    unit: String,
    spare: usize,
}

impl Scored {
    pub(super) fn new(scored: score::Scored, unit: String, spare: usize) -> Self {
        Scored { shared: Arc::new(Mutex::new(scored)), unit, spare }
    }

    fn get(&self) -> MutexGuard<'_, score::Scored> {
        self.shared.lock().unwrap_or_else(|e| e.into_inner())
    }
}

#[napi]
impl Scored {
    #[napi]
    pub fn files(&self) -> Vec<FileTotals> {
        totals(&self.get().seen.files)
    }

    #[napi]
    pub fn bad(&self) -> Vec<String> {
        self.get().seen.bad.clone()
    }

    #[napi]
    pub fn bytes_read(&self) -> f64 {
        number(self.get().seen.bytes_read)
    }

    #[napi]
    pub fn hashes(&self) -> Vec<Either<String, Null>> {
        hashes(&self.get().seen)
    }

    #[napi]
    pub fn sample(&self) -> SampleColumns {
        columns(self.get().sample.columns())
    }
}

/// Scores every record of a corpus against tables, [tables, buckets], by the n-grams that its counting pass kept in the state, or
/// else by its texts.
#[napi]
pub fn score_corpus<'env>(
    env: &'env Env,
    corpus: &Corpus,
    tables: &[f64],
    options: ScoreOptions,
    state: Option<&State>,
    job: &Job,
) -> Result<Object<'env>> {
    let kept = state.map(|state| state.kept.clone());
    let (corpus, state, tables) = (corpus.get()?, shared(state)?, tables.to_vec());
    let (unit, spare) = (options.unit.clone(), options.spare as usize);
    let work = move |job: &tamis_kernels::job::Job| {
        let read = record::ReadOptions { hash: options.hash, ..corpus.read.clone() };
        let options = score::ScoreOptions::from(options);
        let features = kept.as_ref().and_then(Kept::take);
        let (inputs, shards) = (&corpus.inputs, &corpus.shards);
        let scored =
            score_ngrams(inputs, shards, &read, &tables, &options, features.as_ref(), state.as_deref(), job)?;
        // The writing pass counts the n-grams of what is chosen.
        if let Some(kept) = kept {
            kept.put(features);
        }
        Ok(scored)
    };
    job.begin();
    promise(env, Some(job), work, move |scored| Scored::new(scored, unit, spare))
}

/// Kept records of a chosen many that are shown at most.
const KEPT_SAMPLE: usize = 10_000;

/// What is kept.
#[napi]
pub struct Chosen {
    pub(super) shared: Arc<choose::Chosen>,
    files: usize,
}

impl Chosen {
    pub(super) fn new(chosen: choose::Chosen, files: usize) -> Self {
        Chosen { shared: Arc::new(chosen), files }
    }
}

#[napi]
impl Chosen {
    #[napi]
    pub fn kept(&self) -> Vec<f64> {
        self.shared.kept.iter().map(|&n| number(n)).collect()
    }

    #[napi]
    pub fn kept_of_file(&self) -> Vec<f64> {
        self.shared.of_files(self.files).into_iter().map(number).collect()
    }

    #[napi]
    pub fn tokens(&self) -> f64 {
        number(self.shared.tokens())
    }

    #[napi]
    pub fn bytes(&self) -> f64 {
        number(self.shared.text_bytes())
    }

    #[napi]
    pub fn sample(&self) -> SampleColumns {
        columns(self.shared.sample(KEPT_SAMPLE))
    }
}

/// Each table in turn takes its best up to its amount.
#[napi]
pub fn choose_records<'env>(
    env: &'env Env,
    scored: &Scored,
    amounts: Vec<f64>,
    job: &Job,
) -> Result<Object<'env>> {
    let (scored, unit, spare) = (scored.shared.clone(), scored.unit.clone(), scored.spare);
    let work = move |_: &tamis_kernels::job::Job| {
        let mut scored = scored.lock().unwrap_or_else(|e| e.into_inner());
        Ok((scored.choose(&budgets(&unit, &amounts), spare)?, scored.seen.files.len()))
    };
    job.begin();
    promise(env, Some(job), work, |(chosen, files)| Chosen::new(chosen, files))
}

/// Writes the scores and tokens of every record, which the scoring pass kept in the state.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn write_scores<'env>(
    env: &'env Env,
    target: String,
    corpus: &Corpus,
    scored: &Scored,
    state: &State,
    names: Vec<String>,
    force: bool,
    job: &Job,
) -> Result<Object<'env>> {
    let (corpus, scored, state) = (corpus.get()?, scored.shared.clone(), state.get()?);
    let work = move |job: &tamis_kernels::job::Job| {
        let scored = scored.lock().unwrap_or_else(|e| e.into_inner());
        Ok(write_scores_file(&path(target), &corpus.inputs, &scored, &names, &state, force, job)?)
    };
    job.begin();
    promise(env, Some(job), work, |()| ())
}

#[napi(object)]
pub struct ScoresColumns {
    pub columns: Vec<String>,
    pub log_weights: Float64Array,
    pub tokens: Uint32Array,
}

/// Reads a scores file.
#[napi]
pub fn read_scores<'env>(env: &'env Env, target: String, job: &Job) -> Result<Object<'env>> {
    promise(
        env,
        Some(job),
        move |_| Ok(read_scores_file(&path(target))?),
        |scores| ScoresColumns {
            columns: scores.columns,
            log_weights: Float64Array::new(scores.log_weights),
            tokens: Uint32Array::new(scores.tokens),
        },
    )
}

#[napi(object)]
pub struct NamingOptions {
    pub ngrams: u32,
    pub buckets: u32,
    pub wanted: Uint32Array,
    pub bytes: f64,
}

/// The n-gram that falls into each wanted bucket most often in the first bytes of the corpora, null where none does.
#[napi]
pub fn name_buckets<'env>(
    env: &'env Env,
    corpora: Vec<&Corpus>,
    options: NamingOptions,
    job: &Job,
) -> Result<Object<'env>> {
    let corpora = corpora.into_iter().map(Corpus::get).collect::<std::result::Result<Vec<_>, Failure>>()?;
    let (wanted, bytes) = (options.wanted.to_vec(), whole(options.bytes));
    let work = move |job: &tamis_kernels::job::Job| {
        let mut names = BucketNames::new(options.ngrams, options.buckets, &wanted);
        for corpus in &corpora {
            names.add_files(
                &corpus.inputs,
                &corpus.shards,
                &corpus.read,
                bytes / corpora.len() as u64,
                job,
            )?;
        }
        Ok(names.names(&wanted))
    };
    job.begin();
    promise(env, Some(job), work, |names: Vec<Option<String>>| {
        names
            .into_iter()
            .map(|name| name.map_or(Either::B(Null), Either::A))
            .collect::<Vec<Either<String, Null>>>()
    })
}
