//! The passes of a run that read the texts: marks, then groups.

use super::digest::{Side, digest};
use super::documents::Documents;
use super::groups::Groups;
use super::markers::{Exact, Near};
use crate::corpus::Corpus;
use crate::error::Error;
use crate::near::{DuplicateFinder, Settings, Verify};
use crate::record::ReadOptions;
use crate::state::State;
use tamis_kernels::job::Job;

/// Which documents are the same.
#[derive(Debug, Clone, Copy)]
pub enum Method {
    Exact(Exact),
    /// With a threshold, those that share a band are compared by their signatures.
    Near(Near, Option<f64>),
}

/// How a run finds duplicates.
#[derive(Debug, Clone)]
pub struct FindOptions {
    pub method: Method,
    /// Of each file that is written, its source, if documents are compared within a source alone.
    pub sources: Option<Vec<u32>>,
    /// Bytes that marks and tables may take, beside 4 for each document; what is more lies on disk.
    pub memory: u64,
    /// Whether the pass takes the SHA-256 of every file.
    pub hash: bool,
    /// At most so many threads of the pool.
    pub threads: Option<usize>,
}

/// Marked documents.
pub struct Digested {
    /// The documents of the corpora; the last one is the one that is written.
    pub sides: Vec<Documents>,
    finder: Finder,
    copies: u64,
}

enum Finder {
    Exact(DuplicateFinder<u128>),
    Near(DuplicateFinder<u64>),
}

/// Marks the documents of `against`, which are only compared with, and those of `own`.
pub fn digest_corpora(
    against: Option<&Corpus>,
    own: &Corpus,
    options: &FindOptions,
    state: Option<&State>,
    job: &Job,
) -> Result<Digested, Error> {
    let own_scopes: Vec<Vec<Option<u32>>> = match &options.sources {
        Some(sources) => sources.iter().map(|&source| vec![Some(source)]).collect(),
        None => vec![vec![None]; own.inputs.len()],
    };
    // What is only compared with is compared in every scope.
    let mut every: Vec<Option<u32>> = own_scopes.concat();
    every.sort_unstable();
    every.dedup();
    let copies = every.len() as u64;
    let side = |corpus: &'_ Corpus, scopes| Side {
        inputs: corpus.inputs.clone(),
        shards: corpus.shards.clone(),
        read: ReadOptions { hash: options.hash, ..corpus.read.clone() },
        scopes,
    };
    let others = against.map(|corpus| side(corpus, vec![every; corpus.inputs.len()]));
    let sides: Vec<Side> = others.into_iter().chain([side(own, own_scopes)]).collect();
    let folder = state.map_or_else(std::env::temp_dir, |state| state.folder().to_owned());
    let settings = |bands, verify| Settings {
        bands,
        verify,
        prefer: false,
        memory: options.memory,
        folder: Some(folder.clone()),
    };
    let threads = options.threads;
    let (sides, finder) = match options.method {
        Method::Exact(exact) => {
            let mut finder = DuplicateFinder::new(settings(1, None));
            (digest(&sides, &exact, &mut finder, threads, state, job)?, Finder::Exact(finder))
        }
        Method::Near(near, threshold) => {
            let verify = threshold.map(|threshold| Verify { num_perm: near.num_perm, threshold });
            let mut finder = DuplicateFinder::new(settings(near.banding.bands, verify));
            (digest(&sides, &near, &mut finder, threads, state, job)?, Finder::Near(finder))
        }
    };
    Ok(Digested { sides, finder, copies })
}

impl Digested {
    /// Bytes that [`groups`](Self::groups) goes through.
    pub fn link_bytes(&self) -> u64 {
        match &self.finder {
            Finder::Exact(finder) => finder.finish_bytes(),
            Finder::Near(finder) => finder.finish_bytes(),
        }
    }

    /// Finds the groups, or takes those that an interrupted run left in the state.
    pub fn groups(self, state: Option<&State>, job: &Job) -> Result<(Vec<Documents>, Groups), Error> {
        if let Some(groups) = state.and_then(|state| Groups::restore(state, &self.sides)) {
            return Ok((self.sides, groups));
        }
        let pinned = self.sides.last().map_or(0, |own| own.range().start);
        let groups = match self.finder {
            Finder::Exact(finder) => Groups::find(finder, pinned, self.copies, job),
            Finder::Near(finder) => Groups::find(finder, pinned, self.copies, job),
        }?;
        if let Some(state) = state {
            groups.save(state)?;
        }
        Ok((self.sides, groups))
    }
}
