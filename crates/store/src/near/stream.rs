//! Near duplicates of texts that come in batches.

use super::{DuplicateFinder, Settings};
use crate::error::Error;
use std::path::PathBuf;
use tamis_kernels::job::Job;
use tamis_kernels::lsh::{self, Banding};
use tamis_kernels::minhash::min_hash;
use tamis_kernels::near::{Linker, Verify};
use tamis_kernels::ngrams::Texts;

/// How near duplicates are found.
#[derive(Debug, Clone)]
pub struct NearSettings {
    /// Characters of a shingle.
    pub ngram: usize,
    /// Values of a signature.
    pub num_perm: usize,
    pub seed: u64,
    /// Default: the bands and rows that fit the threshold best.
    pub banding: Option<Banding>,
    /// The similarity from which on documents are duplicates.
    pub threshold: f64,
    /// Whether the estimated similarity of linked documents must reach the threshold.
    pub verify: bool,
    /// Only documents of one source are linked.
    pub local: bool,
    /// A folder for what memory does not hold, and how much it may hold; without one all is in memory, and what is kept so far
    /// is known at any time.
    pub spill: Option<(PathBuf, u64)>,
}

/// Documents of a batch.
#[derive(Debug, Clone, Copy)]
pub enum Batch<'b> {
    Texts(&'b Texts),
    /// Signatures, one after the other.
    Signatures(&'b [u32]),
}

/// What a batch became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// The index of its first document.
    pub first: u32,
    /// 1 for each of its documents that would be kept if no more came; all 1 where that is not known.
    pub keep: Vec<u8>,
}

/// Finds near duplicates among documents that are added in batches.
pub struct NearStream {
    settings: NearSettings,
    engine: Engine,
    /// Whether batches come with preferences: as the first did.
    prefer: Option<bool>,
}

enum Engine {
    /// Nothing came yet.
    Idle,
    InMemory(Linker),
    Spilling(Banding, DuplicateFinder<u64>),
    /// It has finished, or a file could not be written.
    Closed,
}

impl NearStream {
    pub fn new(settings: NearSettings) -> Self {
        NearStream { settings, engine: Engine::Idle, prefer: None }
    }

    /// Adds a batch: the number of each document's source, where the scope is local, and its preference, with every batch or
    /// with none.
    ///
    /// # Errors
    /// Preferences with some batches only; a stream that has finished; a job that was stopped, or a spill file that cannot be
    /// written, after which the stream is closed.
    pub fn add(
        &mut self,
        batch: Batch,
        sources: Option<&[u32]>,
        preferences: Option<&[f32]>,
        job: &Job,
    ) -> Result<Added, Error> {
        if matches!(self.engine, Engine::Closed) {
            return Err(closed());
        }
        if *self.prefer.get_or_insert(preferences.is_some()) != preferences.is_some() {
            return Err(Error::range("prefer must be given with every batch or with none"));
        }
        let NearSettings { ngram, num_perm, seed, local, verify, .. } = self.settings;
        let hashed;
        let signatures = match batch {
            Batch::Signatures(signatures) => signatures,
            Batch::Texts(texts) => {
                hashed = min_hash(texts, ngram, num_perm, seed, job)?;
                &hashed
            }
        };
        let sources = sources.filter(|_| local);
        if matches!(self.engine, Engine::Idle) {
            self.engine = self.settings.engine(preferences.is_some());
        }
        match &mut self.engine {
            Engine::InMemory(linker) => {
                let first = linker.add(signatures, sources, preferences, job)?;
                Ok(Added { first, keep: linker.keep_since(first) })
            }
            Engine::Spilling(banding, finder) => {
                let mut keys = Vec::new();
                for (i, signature) in signatures.chunks_exact(num_perm).enumerate() {
                    banding.digests(signature, sources.map(|sources| sources[i]), &mut keys);
                }
                let added =
                    finder.add(&keys, if verify { signatures } else { &[] }, preferences.unwrap_or(&[]));
                if added.is_err() {
                    self.engine = Engine::Closed;
                }
                Ok(Added { first: added?, keep: vec![1; signatures.len() / num_perm] })
            }
            Engine::Idle | Engine::Closed => Err(closed()),
        }
    }

    /// For every document the one that is kept of its component. Closes the stream.
    ///
    /// # Errors
    /// A stream that has finished; a job that was stopped; a spill file that cannot be read.
    pub fn finish(&mut self, job: &Job) -> Result<Vec<u32>, Error> {
        match std::mem::replace(&mut self.engine, Engine::Closed) {
            Engine::Idle => Ok(Vec::new()),
            Engine::InMemory(linker) => Ok(linker.finish()),
            Engine::Spilling(_, finder) => finder.finish(job),
            Engine::Closed => Err(closed()),
        }
    }
}

impl NearSettings {
    fn engine(&self, prefer: bool) -> Engine {
        let NearSettings { num_perm, threshold, .. } = *self;
        let banding = self.banding.unwrap_or_else(|| lsh::params(threshold, num_perm));
        let Some((folder, memory)) = &self.spill else {
            return Engine::InMemory(Linker::new(banding, num_perm, self.verify.then_some(threshold)));
        };
        let finder = DuplicateFinder::new(Settings {
            bands: banding.bands,
            verify: self.verify.then_some(Verify { num_perm, threshold }),
            prefer,
            memory: *memory,
            folder: Some(folder.clone()),
        });
        Engine::Spilling(banding, finder)
    }
}

fn closed() -> Error {
    Error::range("the deduplicator has finished, or failed: make another one")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(spill: Option<(PathBuf, u64)>) -> NearSettings {
        NearSettings {
            ngram: 5,
            num_perm: 32,
            seed: 1,
            banding: Some(Banding { bands: 8, rows: 4 }),
            threshold: 0.8,
            verify: false,
            local: false,
            spill,
        }
    }

    fn batches() -> [Texts; 2] {
        [
            ["The same words in the same order", "Something else altogether, said he", "..."]
                .into_iter()
                .collect(),
            ["the same words, in the same order!", "..."].into_iter().collect(),
        ]
    }

    #[test]
    fn batches_of_texts_are_linked_in_memory_and_on_disk_alike() {
        let folder = tempfile::tempdir().unwrap();
        for spill in [None, Some((folder.path().to_path_buf(), 1))] {
            let in_memory = spill.is_none();
            let mut stream = NearStream::new(settings(spill));
            let added: Vec<Added> = batches()
                .iter()
                .map(|texts| stream.add(Batch::Texts(texts), None, None, &Job::default()).unwrap())
                .collect();
            assert_eq!(added[0], Added { first: 0, keep: vec![1, 1, 1] });
            let keep = if in_memory { vec![0, 1] } else { vec![1, 1] };
            assert_eq!(added[1], Added { first: 3, keep });
            assert_eq!(stream.finish(&Job::default()).unwrap(), [0, 1, 2, 0, 4]);
            let again = stream.add(Batch::Signatures(&[]), None, None, &Job::default());
            assert!(again.unwrap_err().to_string().contains("finished"));
            assert!(stream.finish(&Job::default()).is_err());
        }
    }

    #[test]
    fn a_batch_that_is_stopped_or_refused_leaves_the_stream_as_it_was() {
        let [texts, more] = batches();
        let mut stream = NearStream::new(settings(None));
        let stopped = Job::default();
        stopped.stop();
        assert!(matches!(stream.add(Batch::Texts(&texts), None, None, &stopped), Err(Error::Aborted)));
        stream.add(Batch::Texts(&texts), None, None, &Job::default()).unwrap();
        let preferred = stream.add(Batch::Texts(&more), None, Some(&[1.0, 2.0]), &Job::default());
        assert!(preferred.unwrap_err().to_string().contains("prefer"));
        assert_eq!(stream.finish(&Job::default()).unwrap(), [0, 1, 2]);
    }

    #[test]
    fn a_file_that_cannot_be_written_closes_the_stream() {
        let mut stream = NearStream::new(settings(Some(("/no/such/folder".into(), 1))));
        let [texts, _] = batches();
        let failed = stream.add(Batch::Texts(&texts), None, None, &Job::default());
        assert!(matches!(failed, Err(Error::Io { .. })));
        assert!(matches!(stream.finish(&Job::default()), Err(Error::Range { .. })));
        assert_eq!(
            NearStream::new(settings(Some(("/no/such/folder".into(), 1)))).finish(&Job::default()).unwrap(),
            Vec::<u32>::new()
        );
    }
}
