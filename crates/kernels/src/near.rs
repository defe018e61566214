//! Duplicates: which documents have a key in common with an earlier one, and which one of each such group is kept.
//!
//! Every document has one key a band (near duplicates: digests of the [bands](crate::lsh) of its MinHash signature; exact
//! ones: a single hash of the text). In each band a document is linked to the first one that had its key; the
//! connected components of all links are the groups. With verification a band keeps for every key a list of holders: a
//! document is linked to all of those that it resembles, and becomes a holder where there are none.
//!
//! [`Linker`] holds all in memory and can say at any time what would be kept; O(documents * bands), bands in
//! parallel. [`FirstTable`] and [`link`] are its tables, for finders that hold only part of them at a time.

mod linker;
mod table;

pub use linker::{Linker, Verify};
pub use table::{FirstTable, Key, MoreHolders, link};

use crate::clean::clean;
use crate::job::{Aborted, Job};
use crate::ngrams::Texts;
use crate::threads;
use crate::xxh3::hash128;
use rayon::prelude::*;

/// The places of what is kept.
pub fn kept(keep: &[u8]) -> Vec<u32> {
    keep.iter().zip(0..).filter(|&(&keep, _)| keep != 0).map(|(_, i)| i).collect()
}

/// 1 for every document that is its own representative, 0 for the others.
pub fn keep(representative: &[u32]) -> Vec<u8> {
    representative.iter().zip(0..).map(|(&kept, i)| u8::from(kept == i)).collect()
}

/// How documents are compared for equality.
#[derive(Debug, Clone, Copy, Default)]
pub struct Equality<'s> {
    /// By their [clean](crate::clean) form.
    pub clean: bool,
    /// The number of each one's source, where only documents of one source are compared.
    pub sources: Option<&'s [u32]>,
}

/// Documents of which an earlier one is the same, and documents that are in a holdout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distinct {
    /// 1 for the first of equal documents, unless the holdout has it.
    pub keep: Vec<u8>,
    /// The first of equal documents; the document itself if it is kept or in the holdout.
    pub representative: Vec<u32>,
}

/// Finds exact duplicates by 128-bit XXH3. Documents whose text is one of `against` go wherever they are from. O(bytes).
///
/// # Errors
/// [`Aborted`] if `job` was stopped.
///
/// ```
/// use tamis_kernels::{job::Job, near};
/// let texts = ["a", "b", "a", "c"].into_iter().collect();
/// let against = ["c"].into_iter().collect();
/// let distinct = near::distinct(&texts, &against, near::Equality::default(), &Job::default()).unwrap();
/// assert_eq!((distinct.keep, distinct.representative), (vec![1, 1, 0, 0], vec![0, 1, 0, 3]));
/// ```
pub fn distinct(texts: &Texts, against: &Texts, how: Equality, job: &Job) -> Result<Distinct, Aborted> {
    let held = hashes(against, how.clean, None, job)?;
    let mut in_holdout = FirstTable::<u128>::new(held.len(), 1);
    held.into_iter().for_each(|hash| {
        in_holdout.first(hash, 0);
    });
    let plain = hashes(texts, how.clean, None, job)?;
    let keys = match how.sources {
        None => &plain,
        Some(sources) => &hashes(texts, how.clean, Some(sources), job)?,
    };
    let mut seen = FirstTable::<u128>::new(texts.len(), 1);
    let mut distinct = Distinct { keep: Vec::new(), representative: Vec::new() };
    for ((document, &hash), &key) in (0..).zip(&plain).zip(keys) {
        let is_held = in_holdout.contains(hash);
        let first = if is_held { document } else { seen.first(key, document) };
        distinct.keep.push(u8::from(!is_held && first == document));
        distinct.representative.push(first);
    }
    Ok(distinct)
}

/// Bytes of text of one task of a parallel call.
const TASK_BYTES: usize = 1 << 18;

/// Each text's key: its hash, seeded with its source + 1 if there are sources; never zero.
fn hashes(
    texts: &Texts,
    clean_first: bool,
    sources: Option<&[u32]>,
    job: &Job,
) -> Result<Vec<u128>, Aborted> {
    let hash = |buffer: &mut Vec<u8>, i: usize| {
        let seed = sources.map_or(0, |sources| u64::from(sources[i]) + 1);
        let text = texts.get(i);
        let bytes = if clean_first {
            clean(text, buffer);
            &buffer[..]
        } else {
            text.as_bytes()
        };
        hash128(bytes, seed).max(1)
    };
    let runs = threads::pool().install(|| {
        let of_run = |buffer: &mut Vec<u8>, run: std::ops::Range<usize>| {
            job.check()?;
            Ok(run.map(|i| hash(buffer, i)).collect())
        };
        texts.runs(TASK_BYTES).into_par_iter().map_init(Vec::new, of_run).collect::<Result<Vec<Vec<_>>, _>>()
    })?;
    Ok(runs.concat())
}

#[cfg(test)]
mod tests;
