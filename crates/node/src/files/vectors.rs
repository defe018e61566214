//! Vectors on disk, records by their places, and records scored by a function of their texts.

use super::corpus::Corpus;
use super::output::Output;
use super::passes::{
    Chosen, FileTotals, SampleColumns, ScoreOptions, Scored, budgets, columns, hashes, totals,
};
use super::state::{State, shared};
use super::write::Written;
use super::{gone, number};
use crate::call::word;
use crate::failure::Failure;
use crate::job::{Job, promise};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use std::sync::{Arc, Mutex};
use tamis_store::passes::align::{align_texts, collect_texts};
use tamis_store::passes::mix;
use tamis_store::passes::places::{self, find_places as find};
use tamis_store::passes::rate::rate_texts;
use tamis_store::passes::score;
use tamis_store::record;
use tamis_store::vectors::read_vectors as read;

/// Rows of one width.
#[napi(object)]
pub struct VectorRows {
    pub rows: f64,
    pub width: u32,
    pub data: Float32Array,
}

/// Reads the vectors of files, one file after the other.
#[napi]
pub fn read_vectors<'env>(
    env: &'env Env,
    paths: Vec<String>,
    name: Option<String>,
    job: &Job,
) -> Result<Object<'env>> {
    job.begin();
    let work = move |job: &tamis_kernels::job::Job| Ok(read(&paths, name.as_deref(), job)?);
    promise(env, Some(job), work, |found| VectorRows {
        rows: number(found.rows as u64),
        width: found.width as u32,
        data: Float32Array::new(found.data),
    })
}

#[napi(object)]
pub struct PlaceOptions {
    /// The field of a vector.
    pub vector: Option<String>,
    /// The fields of numbers.
    pub numbers: Vec<String>,
    pub hash: bool,
    pub threads: Option<u32>,
}

/// Where every record lies, and the numbers that came with it.
#[napi]
pub struct Places {
    pub(super) shared: Arc<places::Places>,
    vectors: Mutex<Option<Vec<f32>>>,
    numbers: Mutex<Option<Vec<f64>>>,
    files: usize,
}

/// Goes through all records of a corpus; what a state has of it is not read again.
#[napi]
pub fn find_places<'env>(
    env: &'env Env,
    corpus: &Corpus,
    options: PlaceOptions,
    state: Option<&State>,
    job: &Job,
) -> Result<Object<'env>> {
    let (corpus, state) = (corpus.get()?, shared(state)?);
    let files = corpus.inputs.len();
    let work = move |job: &tamis_kernels::job::Job| {
        let read = record::ReadOptions { hash: options.hash, ..corpus.read.clone() };
        let options = places::PlaceOptions {
            vector: options.vector,
            numbers: options.numbers,
            threads: options.threads.map(|n| n as usize),
        };
        Ok(find(&corpus.inputs, &corpus.shards, &read, &options, state.as_deref(), job)?)
    };
    job.begin();
    promise(env, Some(job), work, move |mut found| {
        let (vectors, numbers) = (std::mem::take(&mut found.vectors), std::mem::take(&mut found.numbers));
        Places {
            shared: Arc::new(found),
            vectors: Mutex::new(Some(vectors)),
            numbers: Mutex::new(Some(numbers)),
            files,
        }
    })
}

#[napi]
impl Places {
    #[napi]
    pub fn records(&self) -> f64 {
        number(self.shared.records() as u64)
    }

    /// Numbers of a vector.
    #[napi]
    pub fn width(&self) -> u32 {
        self.shared.width as u32
    }

    /// Hands the vectors over, [records, width]; once.
    #[napi]
    pub fn take_vectors(&self) -> Result<Float32Array> {
        let vectors = self.vectors.lock().unwrap_or_else(|e| e.into_inner()).take();
        Ok(Float32Array::new(vectors.ok_or_else(|| gone("vectors' memory"))?))
    }

    /// Hands the numbers over, [records, fields]; once.
    #[napi]
    pub fn take_numbers(&self) -> Result<Float64Array> {
        let numbers = self.numbers.lock().unwrap_or_else(|e| e.into_inner()).take();
        Ok(Float64Array::new(numbers.ok_or_else(|| gone("numbers' memory"))?))
    }

    /// Takes two numbers a record as losses, and hands over by how much the second is below the first.
    #[napi]
    pub fn take_reductions<'env>(&self, env: &'env Env, job: &Job) -> Result<Object<'env>> {
        let numbers = self.numbers.lock().unwrap_or_else(|e| e.into_inner()).take();
        let numbers = numbers.ok_or_else(|| gone("numbers' memory"))?;
        job.begin();
        let work = move |job: &tamis_kernels::job::Job| Ok(places::Places::reductions(&numbers, job)?);
        promise(env, Some(job), work, Float32Array::new)
    }

    #[napi]
    pub fn files(&self) -> Vec<FileTotals> {
        totals(&self.shared.seen.files)
    }

    #[napi]
    pub fn bad(&self) -> Vec<String> {
        self.shared.seen.bad.clone()
    }

    #[napi]
    pub fn bytes_read(&self) -> f64 {
        number(self.shared.seen.bytes_read)
    }

    #[napi]
    pub fn hashes(&self) -> Vec<Either<String, Null>> {
        hashes(&self.shared.seen)
    }

    /// Scores (if there are any) and tokens of a random sample of the records.
    #[napi]
    pub fn sample(&self, scores: Option<&[f32]>, most: u32, seed: BigInt) -> Result<SampleColumns> {
        let sampled = self.shared.sample(scores, most as usize, word(&seed)).map_err(Failure::from)?;
        Ok(columns(sampled))
    }

    /// The records at these places, ascending, each with its score.
    #[napi]
    pub fn choose(&self, rows: &[u32], scores: &[f64]) -> Result<Chosen> {
        let chosen = self.shared.choose(rows, scores).map_err(Failure::from)?;
        Ok(Chosen::new(chosen, self.files))
    }

    /// The records at these places, ascending; those of `shown` are the best of them, or else misses.
    #[napi]
    pub fn choose_shown(&self, rows: &[u32], shown: &[u32]) -> Result<Chosen> {
        let chosen = self.shared.choose_shown(rows, shown).map_err(Failure::from)?;
        Ok(Chosen::new(chosen, self.files))
    }

    /// The records of the highest (or lowest) scores that an amount pays for, and the nearest misses.
    #[napi]
    pub fn choose_best(
        &self,
        scores: &[f32],
        lowest: bool,
        unit: String,
        amount: f64,
        spare: u32,
    ) -> Result<Chosen> {
        let budget = budgets(&unit, &[amount])[0];
        let chosen =
            self.shared.choose_best(scores, lowest, budget, spare as usize).map_err(Failure::from)?;
        Ok(Chosen::new(chosen, self.files))
    }
}

#[napi]
impl Places {
    /// Bytes of text that writing the records in this order goes through.
    #[napi]
    pub fn mixture_bytes(&self, order: &[u32]) -> Result<f64> {
        Ok(number(self.shared.mixture_bytes(order).map_err(Failure::from)?))
    }
}

/// Writes the records at these places, in this order, to the output, if there is one, by way of the state.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn write_mixture<'env>(
    env: &'env Env,
    corpus: &Corpus,
    places: &Places,
    order: &[u32],
    output: Option<&mut Output>,
    state: Option<&State>,
    threads: Option<u32>,
    job: &Job,
) -> Result<Object<'env>> {
    let (corpus, places, order) = (corpus.get()?, places.shared.clone(), order.to_vec());
    let state = shared(state)?;
    let mut output = output.map(Output::take).transpose()?;
    let work = move |job: &tamis_kernels::job::Job| {
        let (inputs, read, threads) = (&corpus.inputs, &corpus.read, threads.map(|n| n as usize));
        let to = output.as_mut().zip(state.as_deref());
        let inner = mix::write_mixture(inputs, read, &places, &order, to, threads, job)?;
        Ok(Written::new(inner, output))
    };
    job.begin();
    promise(env, Some(job), work, |written| written)
}

/// Writes a scores file of every record.
#[napi]
pub fn write_place_scores<'env>(
    env: &'env Env,
    path: String,
    corpus: &Corpus,
    places: &Places,
    scores: &[f32],
    force: bool,
    job: &Job,
) -> Result<Object<'env>> {
    let (corpus, places, scores) = (corpus.get()?, places.shared.clone(), scores.to_vec());
    let work = move |job: &tamis_kernels::job::Job| {
        Ok(places.write_scores(std::path::Path::new(&path), &corpus.inputs, &scores, force, job)?)
    };
    promise(env, Some(job), work, |()| ())
}

/// Gives every record of a corpus the score 0, so that what is kept is drawn at random.
#[napi]
pub fn score_equally<'env>(
    env: &'env Env,
    corpus: &Corpus,
    options: ScoreOptions,
    state: Option<&State>,
    job: &Job,
) -> Result<Object<'env>> {
    let (corpus, state) = (corpus.get()?, shared(state)?);
    let (unit, spare) = (options.unit.clone(), options.spare as usize);
    let work = move |job: &tamis_kernels::job::Job| {
        let read = record::ReadOptions { hash: options.hash, ..corpus.read.clone() };
        let options = score::ScoreOptions::from(options);
        let (inputs, shards) = (&corpus.inputs, &corpus.shards);
        let scored =
            rate_texts(inputs, shards, &read, &options, state.as_deref(), job, || (), |_, _| Ok(0.0))?;
        Ok(scored)
    };
    job.begin();
    promise(env, Some(job), work, move |scored| Scored::new(scored, unit, spare))
}

/// Scores every record of a corpus by its alignment, by compression, with the texts of another.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn align_corpus<'env>(
    env: &'env Env,
    corpus: &Corpus,
    targets: &Corpus,
    level: u32,
    options: ScoreOptions,
    state: Option<&State>,
    job: &Job,
) -> Result<Object<'env>> {
    let (corpus, targets, state) = (corpus.get()?, targets.get()?, shared(state)?);
    let (unit, spare, hash) = (options.unit.clone(), options.spare as usize, options.hash);
    let work = move |job: &tamis_kernels::job::Job| {
        let texts = collect_texts(&targets, job)?;
        let options = score::ScoreOptions::from(options);
        Ok(align_texts(&corpus, &texts, level, &options, hash, state.as_deref(), job)?)
    };
    job.begin();
    promise(env, Some(job), work, move |scored| Scored::new(scored, unit, spare))
}
