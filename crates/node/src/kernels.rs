//! `kernels.*`: draws, selection and n-grams.

use crate::call::{Now, run, run_on, with_items, word};
use crate::failure::Failure;
use crate::job::{Job, guard};
use crate::texts::PackedTexts;
use half::{bf16, f16};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use tamis_kernels::philox::Philox;
use tamis_kernels::{job, ngrams, ratio, sums, topk};

#[napi]
pub fn philox<'env>(
    env: &'env Env,
    n: u32,
    seed: BigInt,
    stream: u32,
    job: Option<&Job>,
) -> Result<Now<'env, Uint32Array>> {
    let draws = Philox::new(word(&seed), stream);
    run(env, job, move |_| Ok(draws.first_words(n as usize)), Uint32Array::new)
}

#[napi]
pub fn below<'env>(
    env: &'env Env,
    n: u32,
    bound: f64,
    seed: BigInt,
    stream: u32,
    job: Option<&Job>,
) -> Result<Now<'env, Uint32Array>> {
    let draws = Philox::new(word(&seed), stream);
    let work = move |_: &job::Job| {
        let mut out = vec![0; n as usize];
        draws.below(0, checked_bound(bound)?, &mut out);
        Ok(out)
    };
    run(env, job, work, Uint32Array::new)
}

fn checked_bound(bound: f64) -> std::result::Result<u64, Failure> {
    let integer = bound as u64;
    if (1..=1 << 32).contains(&integer) {
        return Ok(integer);
    }
    Err(Failure::range(format!("bound must be an integer from 1 to 4294967296, got {bound}")))
}

#[napi]
pub fn permutation<'env>(
    env: &'env Env,
    n: u32,
    seed: BigInt,
    stream: u32,
    job: Option<&Job>,
) -> Result<Now<'env, Uint32Array>> {
    let draws = Philox::new(word(&seed), stream);
    run(env, job, move |_| Ok(draws.permutation(n as usize)), Uint32Array::new)
}

/// Which distribution real draws follow.
#[napi(string_enum = "lowercase")]
pub enum Distribution {
    Uniform,
    Normal,
    Gumbel,
}

/// Real draws in float64; `uniform` in its two-word form.
#[napi]
pub fn draw64<'env>(
    env: &'env Env,
    distribution: Distribution,
    n: u32,
    seed: BigInt,
    stream: u32,
    job: Option<&Job>,
) -> Result<Now<'env, Float64Array>> {
    let draws = Philox::new(word(&seed), stream);
    let work = move |_: &job::Job| match distribution {
        Distribution::Uniform => Ok(draws.first_uniform64(n as usize)),
        Distribution::Normal => Ok(draws.first_normal(n as usize)),
        Distribution::Gumbel => Ok(draws.first_gumbel(n as usize)),
    };
    run(env, job, work, Float64Array::new)
}

/// Real draws in float32: `uniform` in its one-word form, the others rounded from float64.
#[napi]
pub fn draw32<'env>(
    env: &'env Env,
    distribution: Distribution,
    n: u32,
    seed: BigInt,
    stream: u32,
    job: Option<&Job>,
) -> Result<Now<'env, Float32Array>> {
    let draws = Philox::new(word(&seed), stream);
    let work = move |_: &job::Job| match distribution {
        Distribution::Uniform => Ok(draws.first_uniform(n as usize)),
        Distribution::Normal => Ok(draws.first_normal(n as usize)),
        Distribution::Gumbel => Ok(draws.first_gumbel(n as usize)),
    };
    run(env, job, work, Float32Array::new)
}

/// Fills memory with draws of a stream.
fn fill<T>(
    out: &mut [T],
    seed: &BigInt,
    stream: u32,
    work: impl FnOnce(&Philox, &mut [T]) -> std::result::Result<(), Failure>,
) -> Result<()> {
    let draws = Philox::new(word(seed), stream);
    guard(|| work(&draws, out))
}

/// [`philox`], or [`below`] if there is a bound, into the caller's memory.
#[napi]
pub fn words_into(mut out: Uint32ArraySlice, bound: Option<f64>, seed: BigInt, stream: u32) -> Result<()> {
    // SAFETY: JavaScript waits for this call, and the front refuses memory that other threads see.
    fill(unsafe { out.as_mut() }, &seed, stream, |draws, out| {
        match bound {
            None => draws.words(0, out),
            Some(bound) => draws.below(0, checked_bound(bound)?, out),
        }
        Ok(())
    })
}

/// [`draw64`] into the caller's memory.
#[napi]
pub fn draw_into64(
    distribution: Distribution,
    mut out: Float64ArraySlice,
    seed: BigInt,
    stream: u32,
) -> Result<()> {
    // SAFETY: as in `words_into`.
    fill(unsafe { out.as_mut() }, &seed, stream, |draws, out| {
        match distribution {
            Distribution::Uniform => draws.uniform64(0, out),
            Distribution::Normal => draws.normal(out),
            Distribution::Gumbel => draws.gumbel(0, out),
        }
        Ok(())
    })
}

/// [`draw32`] into the caller's memory.
#[napi]
pub fn draw_into32(
    distribution: Distribution,
    mut out: Float32ArraySlice,
    seed: BigInt,
    stream: u32,
) -> Result<()> {
    // SAFETY: as in `words_into`.
    fill(unsafe { out.as_mut() }, &seed, stream, |draws, out| {
        match distribution {
            Distribution::Uniform => draws.uniform(0, out),
            Distribution::Normal => draws.normal(out),
            Distribution::Gumbel => draws.gumbel(0, out),
        }
        Ok(())
    })
}

#[napi(object)]
pub struct Chosen {
    /// Bytes of items of the input's type.
    pub values: Uint8Array,
    pub indices: Uint32Array,
}

/// The k best of each row of `width` items, as kernels.topK defines them; `data` holds items of `dtype`.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn top_k<'env>(
    env: &'env Env,
    dtype: String,
    data: &[u8],
    width: u32,
    k: u32,
    largest: bool,
    sorted: bool,
    job: Option<&Job>,
) -> Result<Now<'env, Chosen>> {
    let (width, k) = (width as usize, k as usize);
    with_items!(dtype.as_str(), data, |items: &[Item]| {
        let work = move |x: &[Item], _: &job::Job| {
            let (values, indices) = topk::top_k_rows(x, width, k, largest, sorted);
            Ok((bytemuck::cast_slice(&values).to_vec(), indices))
        };
        run_on(env, job, items, work, |(values, indices)| Chosen {
            values: Uint8Array::new(values),
            indices: Uint32Array::new(indices),
        })
    })
}

/// Items of any type in float64.
#[napi]
pub fn widen(dtype: String, data: &[u8]) -> Result<Float64Array> {
    trait Widen {
        fn widen(self) -> f64;
    }
    macro_rules! widen_as_is {
        ($($t:ty)*) => { $(impl Widen for $t { fn widen(self) -> f64 { self as f64 } })* };
    }
    widen_as_is!(f32 f64 i8 u8 i16 u16 i32 u32 i64);
    impl Widen for f16 {
        fn widen(self) -> f64 {
            self.to_f64()
        }
    }
    impl Widen for bf16 {
        fn widen(self) -> f64 {
            self.to_f64()
        }
    }
    with_items!(dtype.as_str(), data, |items: &[Item]| {
        Ok(Float64Array::new(items.iter().map(|&item: &Item| item.widen()).collect()))
    })
}

#[napi(object)]
pub struct Drawn {
    pub indices: Uint32Array,
    pub keys: Float64Array,
}

/// k draws without replacement from each row of `width` log-weights; row r uses stream + r.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn gumbel_top_k<'env>(
    env: &'env Env,
    log_weights: &[f64],
    width: u32,
    k: u32,
    temperature: f64,
    seed: BigInt,
    stream: u32,
    job: Option<&Job>,
) -> Result<Now<'env, Drawn>> {
    let (seed, width, k) = (word(&seed), width as usize, k as usize);
    let work = move |x: &[f64], _: &job::Job| {
        topk::gumbel_top_k_rows(x, width, k, temperature, seed, stream)
            .map_err(|e| Failure::range(e.to_string()))
    };
    run_on(env, job, log_weights, work, |(indices, keys)| Drawn {
        indices: Uint32Array::new(indices),
        keys: Float64Array::new(keys),
    })
}

#[napi(object)]
pub struct Resampled {
    pub indices: Uint32Array,
    pub columns: Uint8Array,
    pub candidates: u32,
}

/// `shares[t]` draws for each column of weights in turn, from the rows that are left; without a seed no noise.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn resample<'env>(
    env: &'env Env,
    log_weights: &[f64],
    shares: Vec<f64>,
    tokens: Option<&[u32]>,
    min_tokens: u32,
    seed: Option<BigInt>,
    job: Option<&Job>,
) -> Result<Now<'env, Resampled>> {
    let shares: Vec<usize> = shares.into_iter().map(|share| share as usize).collect();
    let tokens = tokens.map(<[u32]>::to_vec);
    let seed = seed.as_ref().map(word);
    let work = move |x: &[f64], _: &job::Job| {
        topk::resample(x, &shares, tokens.as_deref(), min_tokens, seed)
            .map_err(|e| Failure::range(e.to_string()))
    };
    run_on(env, job, log_weights, work, |drawn| Resampled {
        indices: Uint32Array::new(drawn.indices),
        columns: Uint8Array::new(drawn.columns),
        candidates: drawn.candidates as u32,
    })
}

#[napi(object)]
pub struct NgramRows {
    pub offsets: Uint32Array,
    pub buckets: Uint32Array,
    pub counts: Uint32Array,
    pub tokens: Uint32Array,
}

#[napi]
pub fn hash_ngrams<'env>(
    env: &'env Env,
    texts: &PackedTexts,
    order: u32,
    buckets: u32,
    job: Option<&Job>,
) -> Result<Now<'env, NgramRows>> {
    let texts = texts.shared.clone();
    let work = move |job: &job::Job| Ok(ngrams::hash_ngrams(&texts, order, buckets, job)?);
    run(env, job, work, |rows| NgramRows {
        offsets: Uint32Array::new(rows.offsets),
        buckets: Uint32Array::new(rows.buckets),
        counts: Uint32Array::new(rows.counts),
        tokens: Uint32Array::new(rows.tokens),
    })
}

/// Counts summed over texts, up to and with the text at which more than `limit` n-grams are counted, and `into`.
#[napi]
pub fn count_ngrams<'env>(
    env: &'env Env,
    texts: &PackedTexts,
    order: u32,
    buckets: u32,
    limit: Option<f64>,
    into: Option<&[f64]>,
    job: Option<&Job>,
) -> Result<Now<'env, Float64Array>> {
    let texts = texts.shared.clone();
    let limit = limit.map(|n| n as u64);
    let earlier = into.map(<[f64]>::to_vec);
    let work = move |job: &job::Job| {
        let mut counts = vec![0; buckets as usize];
        ngrams::count_ngrams(&texts, order, buckets, limit, &mut counts, job)?;
        let mut sums = earlier.unwrap_or_else(|| vec![0.0; counts.len()]);
        sums.iter_mut().zip(counts).for_each(|(sum, n)| *sum += n as f64);
        Ok(sums)
    };
    run(env, job, work, Float64Array::new)
}

#[napi(object)]
pub struct TextScores {
    pub scores: Float64Array,
    pub tokens: Uint32Array,
}

/// Sums of a table over each text's n-grams: scores [texts, tables], and the number of tokens of each text.
#[napi]
pub fn score_ngrams<'env>(
    env: &'env Env,
    texts: &PackedTexts,
    tables: &[f64],
    order: u32,
    buckets: u32,
    job: Option<&Job>,
) -> Result<Now<'env, TextScores>> {
    let texts = texts.shared.clone();
    let work =
        move |tables: &[f64], job: &job::Job| Ok(ngrams::score_ngrams(&texts, tables, order, buckets, job)?);
    run_on(env, job, tables, work, |(scores, tokens)| TextScores {
        scores: Float64Array::new(scores),
        tokens: Uint32Array::new(tokens),
    })
}

/// The log-ratio of each item of the rows of `target` to that of `raw`.
#[napi]
pub fn log_ratio(target: &[f64], raw: &[f64], smoothing: f64) -> Result<Float64Array> {
    let work = || ratio::log_ratio(target, raw, smoothing).map_err(|e| Failure::range(e.to_string()));
    guard(work).map(Float64Array::new)
}

#[napi]
pub fn kl_divergence(p: &[f64], q: &[f64], smoothing_q: f64) -> Result<f64> {
    guard(|| ratio::kl_divergence(p, q, smoothing_q).map_err(|e| Failure::range(e.to_string())))
}

#[napi]
pub fn sum(x: &[f64]) -> f64 {
    sums::sum_f64(x)
}
