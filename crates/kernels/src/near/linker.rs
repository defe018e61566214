//! Links documents as they come, with everything in memory.

use super::table::{FirstTable, MoreHolders, link};
use crate::job::{Aborted, Job};
use crate::lsh::{self, Banding, NO_DIGEST};
use crate::threads;
use crate::unionfind::{UnionFind, is_preferred};
use rayon::prelude::*;
use std::convert::Infallible;

/// Asks of a link that the documents' signatures agree.
#[derive(Debug, Clone, Copy)]
pub struct Verify {
    /// Values of a signature.
    pub num_perm: usize,
    /// The least share of equal values.
    pub threshold: f64,
}

impl Verify {
    /// Whether two signatures agree in enough values.
    pub fn accepts(&self, a: &[u32], b: &[u32]) -> bool {
        lsh::estimate(a, b) >= self.threshold
    }
}

/// One band's documents by key.
struct Band {
    table: FirstTable<u64>,
    more: MoreHolders,
}

/// Links documents by their signatures and knows at any time which are kept.
///
/// ```
/// use tamis_kernels::{job::Job, lsh::Banding, near::Linker};
/// let mut linker = Linker::new(Banding { bands: 2, rows: 2 }, 4, None);
/// linker.add(&[1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 0, 0], None, None, &Job::default()).unwrap();
/// assert_eq!(linker.keep_since(0), [1, 1, 0]);
/// assert_eq!(linker.finish(), [0, 1, 0]);
/// ```
pub struct Linker {
    banding: Banding,
    num_perm: usize,
    verify: Option<Verify>,
    bands: Vec<Band>,
    components: UnionFind,
    /// All signatures, where links are verified.
    signatures: Vec<u32>,
    /// Each document's preference, and for a root the document of its component that is kept; empty without preferences.
    preferences: Vec<f32>,
    kept: Vec<u32>,
}

impl Linker {
    /// `threshold` asks that documents resemble those that they are linked to.
    pub fn new(banding: Banding, num_perm: usize, threshold: Option<f64>) -> Self {
        let band = || Band { table: FirstTable::new(0, 1), more: MoreHolders::new() };
        Linker {
            banding,
            num_perm,
            verify: threshold.map(|threshold| Verify { num_perm, threshold }),
            bands: (0..banding.bands).map(|_| band()).collect(),
            components: UnionFind::default(),
            signatures: Vec::new(),
            preferences: Vec::new(),
            kept: Vec::new(),
        }
    }

    /// Documents so far.
    pub fn len(&self) -> u32 {
        self.components.len()
    }

    pub fn is_empty(&self) -> bool {
        self.components.is_empty()
    }

    /// Adds documents: their signatures, one after the other; the number of each one's source, where only documents of
    /// one source may be linked; and each one's preference, with every call or with none. Returns the index of the
    /// first.
    ///
    /// # Errors
    /// [`Aborted`] if `job` was stopped before anything was added.
    ///
    /// # Panics
    /// If lengths do not fit, or there are 2^32 documents.
    pub fn add(
        &mut self,
        signatures: &[u32],
        sources: Option<&[u32]>,
        preferences: Option<&[f32]>,
        job: &Job,
    ) -> Result<u32, Aborted> {
        let first = self.len();
        let added = signatures.len() / self.num_perm;
        assert!(sources.is_none_or(|sources| sources.len() == added));
        let end = u32::try_from(first as usize + added).expect("fewer than 2^32 documents");
        assert_eq!(
            preferences.map_or(0, <[f32]>::len) + self.preferences.len(),
            if preferences.is_some() { end as usize } else { 0 }
        );
        job.check()?;
        let digests = self.digests(signatures, sources);
        self.components.grow(end);
        if let Some(preferences) = preferences {
            self.preferences.extend_from_slice(preferences);
            self.kept.extend(first..end);
        }
        if self.verify.is_some() {
            self.signatures.extend_from_slice(signatures);
        }
        for (document, holder) in self.links(&digests, first) {
            self.union(document, holder);
        }
        Ok(first)
    }

    /// The keys of each document: [documents, bands].
    fn digests(&self, signatures: &[u32], sources: Option<&[u32]>) -> Vec<u64> {
        let digests = |(i, signatures): (usize, &[u32])| {
            let mut out = Vec::new();
            for (j, signature) in signatures.chunks_exact(self.num_perm).enumerate() {
                let source = sources.map(|sources| sources[i * RUN + j]);
                self.banding.digests(signature, source, &mut out);
            }
            out
        };
        let runs = signatures.par_chunks(RUN * self.num_perm).enumerate();
        threads::pool().install(|| runs.flat_map_iter(digests).collect())
    }

    /// Puts documents into the tables; returns pairs of a document and an earlier one.
    fn links(&mut self, digests: &[u64], first: u32) -> Vec<(u32, u32)> {
        let Linker { bands, banding, verify, signatures, num_perm, .. } = self;
        let signature = |i: u32| &signatures[i as usize * *num_perm..][..*num_perm];
        let in_band = |(band, Band { table, more }): (usize, &mut Band)| {
            let mut links = Vec::new();
            let keys = digests.iter().skip(band).step_by(banding.bands);
            for (&key, document) in keys.zip(first..).filter(|&(&key, _)| key != NO_DIGEST) {
                match *verify {
                    None => {
                        let holder = table.first(key, document);
                        if holder != document {
                            links.push((document, holder));
                        }
                    }
                    Some(verify) => {
                        let resembles = |holder| {
                            Ok::<_, Infallible>(verify.accepts(signature(document), signature(holder)))
                        };
                        let Ok(()) = link(table, more, (key, document), resembles, |holder| {
                            links.push((document, holder))
                        });
                    }
                }
            }
            links
        };
        threads::pool().install(|| bands.par_iter_mut().enumerate().flat_map_iter(in_band).collect())
    }

    fn union(&mut self, a: u32, b: u32) {
        let (root, other) = self.components.union(a, b);
        if root != other && !self.kept.is_empty() {
            let (mine, theirs) = (self.kept[root as usize], self.kept[other as usize]);
            let (lower, upper) = (mine.min(theirs), mine.max(theirs));
            let upper_wins = is_preferred(self.preferences[upper as usize], self.preferences[lower as usize]);
            self.kept[root as usize] = if upper_wins { upper } else { lower };
        }
    }

    /// The document that would be kept of the component of `i`.
    fn representative(&mut self, i: u32) -> u32 {
        let root = self.components.find(i);
        if self.kept.is_empty() { root } else { self.kept[root as usize] }
    }

    /// 1 for each document from the `first` on that would be kept if no more came, 0 for the others.
    pub fn keep_since(&mut self, first: u32) -> Vec<u8> {
        (first..self.len()).map(|i| u8::from(self.representative(i) == i)).collect()
    }

    /// The document that is kept of each document's component: the one with the largest preference, the lowest of
    /// equal ones.
    pub fn finish(mut self) -> Vec<u32> {
        (0..self.len()).map(|i| self.representative(i)).collect()
    }
}

/// Documents whose digests are one task.
const RUN: usize = 1024;
