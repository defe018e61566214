//! Hashed n-grams of texts: counts, and scores that are sums over n-grams.
//!
//! A text is in lower case and cut into tokens, runs of `[\p{L}\p{N}_]` or of what is neither that nor white space;
//! every window of 1..=order tokens, joined by single spaces, counts once in bucket SHA-256 mod buckets. All is exact:
//! tables of words and pairs save digests, and no result depends on them.
//!
//! [`NgramHasher`] goes through a text in pieces of some hundred tokens, one loop for each step, so that the steps'
//! memory accesses and digests overlap: cut (`cutter`), number the words (`words`), look the pairs up (`pairs`), hash
//! what was not there four messages at a time (`messages`), add. Longer windows are always hashed. A hasher takes 6
//! MiB of tables, untouched until used.
//!
//! What limits it, measured on one core of Zen 4 (SHA and AVX-512) over 150 MB of mail in which one word in eight
//! differs in every copy (5 bytes a token; 94 % of words and 67 % of pairs are in the tables): about 145 MB/s for counts and scores
//! alike, 35 ns a token, of which SHA-256 of words and pairs 25 % (20 ns a digest, the throughput of the instructions),
//! n-grams above 55 bytes 7 %, messages and what the tables learn 12 %, pairs 14 %, words 19 %, cutting 7 %, adding 4 %;
//! the rest is long words. Where all is in the tables it is 270 MB/s.
//! Where a text repeats little (random words) the tables rest; reading and keeping included that is 80 MB/s, more than a third of it
//! SHA-256. Cutting alone runs at 2 GB/s.

mod blocks;
mod cutter;
mod hasher;
mod messages;
mod pairs;
mod remainder;
mod texts;
mod words;

pub use hasher::{CacheStats, NgramHasher, Stats};
pub use texts::Texts;

use crate::job::{Aborted, Job};
use crate::threads;
use rayon::prelude::*;

/// The Unicode version of the word classes and of lower-casing.
pub const UNICODE_VERSION: (u8, u8, u8) = crate::unicode::VERSION;

/// Texts of one task of a parallel call: enough bytes to keep a hasher's tables warm.
const TASK_BYTES: usize = 1 << 20;

/// Sparse counts: those of text i are `offsets[i]..offsets[i + 1]` of `buckets` (ascending) and `counts`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NgramRows {
    pub offsets: Vec<u32>,
    pub buckets: Vec<u32>,
    pub counts: Vec<u32>,
    /// Tokens of each text.
    pub tokens: Vec<u32>,
}

/// The n-gram counts of each text.
///
/// # Errors
/// [`Aborted`] if `job` was stopped.
pub fn hash_ngrams(texts: &Texts, order: u32, buckets: u32, job: &Job) -> Result<NgramRows, Aborted> {
    let parts: Vec<NgramRows> = threads::pool().install(|| {
        texts
            .runs(TASK_BYTES)
            .into_par_iter()
            .map_init(
                || NgramHasher::new(order, buckets),
                |hasher, task| {
                    let mut rows = NgramRows::default();
                    let mut features = Vec::new();
                    for i in task {
                        features.clear();
                        let stats = hasher.for_each(texts.get(i), job, |bucket| features.push(bucket))?;
                        features.sort_unstable();
                        for run in features.chunk_by(|a, b| a == b) {
                            rows.buckets.push(run[0]);
                            rows.counts.push(run.len() as u32);
                        }
                        rows.offsets.push(rows.buckets.len() as u32);
                        rows.tokens.push(stats.tokens);
                    }
                    Ok(rows)
                },
            )
            .collect::<Result<_, Aborted>>()
    })?;
    let mut all = NgramRows { offsets: vec![0], ..NgramRows::default() };
    for part in parts {
        let before = all.buckets.len() as u32;
        all.offsets.extend(part.offsets.iter().map(|end| before + end));
        all.buckets.extend(part.buckets);
        all.counts.extend(part.counts);
        all.tokens.extend(part.tokens);
    }
    Ok(all)
}

/// Adds the n-gram counts of all texts to `counts` (`[buckets]`); returns how many n-grams were counted. With a
/// limit, texts behind the first one at which more than that many n-grams are counted are left out.
///
/// # Errors
/// [`Aborted`] if `job` was stopped; `counts` are as they were.
pub fn count_ngrams(
    texts: &Texts,
    order: u32,
    buckets: u32,
    limit: Option<u64>,
    counts: &mut [u64],
    job: &Job,
) -> Result<u64, Aborted> {
    let whole = match limit {
        Some(limit) => texts_within(&features(texts, order, buckets, job)?, limit),
        None => texts.len(),
    };
    let cut: Vec<_> = texts
        .runs(TASK_BYTES)
        .into_iter()
        .filter(|task| task.start < whole)
        .map(|task| task.start..task.end.min(whole))
        .collect();
    let empty = || (None::<NgramHasher>, vec![0u64; buckets as usize], 0);
    let (_, sums, total) = threads::pool().install(|| {
        cut.into_par_iter()
            .try_fold(empty, |(hasher, mut sums, mut total), task| {
                let mut hasher = hasher.unwrap_or_else(|| NgramHasher::new(order, buckets));
                for i in task {
                    total += hasher.count(texts.get(i), &mut sums, job)?.features;
                }
                Ok((Some(hasher), sums, total))
            })
            .try_reduce(empty, |(hasher, mut sums, total), (_, more, more_total)| {
                sums.iter_mut().zip(more).for_each(|(sum, n)| *sum += n);
                Ok((hasher, sums, total + more_total))
            })
    })?;
    counts.iter_mut().zip(sums).for_each(|(count, n)| *count += n);
    Ok(total)
}

/// How many texts it takes to come to more than `limit` features; all of them if they never do.
fn texts_within(features: &[u64], limit: u64) -> usize {
    let mut sum = 0;
    let behind = features.iter().position(|&n| {
        sum += n;
        sum > limit
    });
    behind.map_or(features.len(), |i| i + 1)
}

/// How many n-grams each text has.
fn features(texts: &Texts, order: u32, buckets: u32, job: &Job) -> Result<Vec<u64>, Aborted> {
    threads::pool().install(|| {
        texts
            .runs(TASK_BYTES)
            .into_par_iter()
            .flat_map_iter(|task| {
                let mut hasher = NgramHasher::new(order, buckets);
                task.map(move |i| Ok(hasher.features(texts.get(i), job)?.features))
            })
            .collect()
    })
}

/// The sum over each text's n-grams of every table (`tables` is `[t, buckets]`): scores `[texts, t]`, and each
/// text's tokens.
///
/// # Errors
/// [`Aborted`] if `job` was stopped.
pub fn score_ngrams(
    texts: &Texts,
    tables: &[f64],
    order: u32,
    buckets: u32,
    job: &Job,
) -> Result<(Vec<f64>, Vec<u32>), Aborted> {
    let width = tables.len() / buckets as usize;
    let parts: Vec<(Vec<f64>, Vec<u32>)> = threads::pool().install(|| {
        texts
            .runs(TASK_BYTES)
            .into_par_iter()
            .map_init(
                || NgramHasher::new(order, buckets),
                |hasher, task| {
                    let mut scores = vec![0.0; task.len() * width];
                    let tokens = task
                        .enumerate()
                        .map(|(row, i)| {
                            let scores = &mut scores[row * width..][..width];
                            Ok(hasher.score(texts.get(i), tables, scores, job)?.tokens)
                        })
                        .collect::<Result<_, Aborted>>()?;
                    Ok((scores, tokens))
                },
            )
            .collect::<Result<_, Aborted>>()
    })?;
    let (scores, tokens): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    Ok((scores.concat(), tokens.concat()))
}
