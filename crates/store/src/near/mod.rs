//! Duplicates among more documents than memory holds the keys of.
//!
//! A document has one key a band ([`tamis_kernels::near`]). [`DuplicateFinder::add`] appends each band's keys to a
//! [`Pile`](pile::Pile), which goes to a file once all piles together are more than half of the memory. [`DuplicateFinder::finish`]
//! takes the bands one after the other and links every document to the first with its key. Where a table of a
//! band's keys is larger than what is left of the memory, the keys are read several times and each time those of some of
//! their parts are linked, as many parts at a time as there are threads.
//!
//! Only union-find, 4 bytes a document, lies beside that memory. Links depend on the first holder in document order
//! alone, so that the answer is the same for any memory, batches and threads. O(documents * bands), each key read
//! `ceil(16 * documents / memory)` times.
//!
//! With verification, signatures are piled too, and read back in pairs. Spill files are in a folder of their own, which
//! goes with the finder, whether it finished or not.

mod pile;
mod stream;

use crate::error::Error;
use bytemuck::Pod;
use pile::{Pile, SpillFolder};
use rayon::prelude::*;
use std::path::PathBuf;
pub use stream::{Added, Batch, NearSettings, NearStream};
use tamis_kernels::job::Job;
use tamis_kernels::near::{FirstTable, MoreHolders, link};
pub use tamis_kernels::near::{Key, Verify};
use tamis_kernels::threads;
use tamis_kernels::unionfind::UnionFind;

/// How a [`DuplicateFinder`] works.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Keys of a document, at least 1.
    pub bands: usize,
    /// Asks of links that the documents' signatures agree.
    pub verify: Option<Verify>,
    /// Whether documents come with preferences.
    pub prefer: bool,
    /// Bytes for keys and tables.
    pub memory: u64,
    /// A folder that is there, for what does not fit; without one nothing is spilled.
    pub folder: Option<PathBuf>,
}

/// Finds documents that have a key in common.
///
/// ```
/// use tamis_kernels::job::Job;
/// use tamis_store::near::{DuplicateFinder, Settings};
/// let settings = Settings { bands: 2, verify: None, prefer: false, memory: 1 << 20, folder: None };
/// let mut finder = DuplicateFinder::<u64>::new(settings);
/// finder.add(&[1, 2, 3, 4], &[], &[]).unwrap();
/// finder.add(&[5, 4], &[], &[]).unwrap();
/// assert_eq!(finder.finish(&Job::default()).unwrap(), [0, 1, 1]);
/// ```
pub struct DuplicateFinder<K: Key + Pod> {
    settings: Settings,
    bands: Vec<Pile<K>>,
    signatures: Pile<u32>,
    preferences: Pile<u32>,
    /// Made when the first pile goes to a file; dropped after the piles.
    spilled: Option<SpillFolder>,
    documents: u32,
}

/// Keys that are linked at a time.
const CHUNK: usize = 1 << 16;
/// Keys by which their places in a table are sent for in advance.
const AHEAD: usize = 12;

impl<K: Key + Pod> DuplicateFinder<K> {
    pub fn new(settings: Settings) -> Self {
        DuplicateFinder {
            bands: (0..settings.bands).map(|_| Pile::default()).collect(),
            signatures: Pile::default(),
            preferences: Pile::default(),
            spilled: None,
            documents: 0,
            settings,
        }
    }

    /// Documents so far.
    pub fn len(&self) -> u32 {
        self.documents
    }

    pub fn is_empty(&self) -> bool {
        self.documents == 0
    }

    /// Adds documents: their keys `[documents, bands]`, with verification their signatures `[documents, num_perm]`, and their
    /// preferences where the settings say that there are some. Returns the index of the first.
    ///
    /// # Errors
    /// A spill file that cannot be written; 2^32 documents or more.
    ///
    /// # Panics
    /// If lengths do not fit.
    pub fn add(&mut self, keys: &[K], signatures: &[u32], preferences: &[f32]) -> Result<u32, Error> {
        let Settings { bands, verify, prefer, .. } = self.settings;
        let added = keys.len() / bands;
        assert_eq!(keys.len(), added * bands);
        assert_eq!(signatures.len(), added * verify.map_or(0, |verify| verify.num_perm));
        assert_eq!(preferences.len(), if prefer { added } else { 0 });
        let first = self.documents;
        self.documents = u32::try_from(u64::from(first) + added as u64)
            .ok()
            .filter(|&end| end < u32::MAX)
            .ok_or_else(|| Error::range("at most 4294967294 documents can be compared"))?;
        for (band, pile) in self.bands.iter_mut().enumerate() {
            pile.extend(keys[band.min(keys.len())..].iter().step_by(bands).copied());
        }
        self.signatures.extend(signatures.iter().copied());
        self.preferences.extend(preferences.iter().map(|value| value.to_bits()));
        self.spill()?;
        Ok(first)
    }

    /// Bytes that the piles hold in memory.
    fn held(&self) -> u64 {
        let keys: u64 = self.bands.iter().map(Pile::held_bytes).sum();
        keys + self.signatures.held_bytes() + self.preferences.held_bytes()
    }

    /// Once the piles hold more than half of the memory, all go to files.
    fn spill(&mut self) -> Result<(), Error> {
        let Some(parent) = &self.settings.folder else { return Ok(()) };
        if self.held() <= self.settings.memory / 2 {
            return Ok(());
        }
        let folder = match &mut self.spilled {
            Some(folder) => folder,
            none => none.insert(SpillFolder::within(parent)?),
        };
        for (i, pile) in self.bands.iter_mut().enumerate() {
            pile.spill(|| folder.path().join(format!("band-{i}")))?;
        }
        self.signatures.spill(|| folder.path().join("signatures"))?;
        self.preferences.spill(|| folder.path().join("preferences"))
    }

    /// Bytes of keys that [`DuplicateFinder::finish`] reads, by which it advances its job.
    pub fn finish_bytes(&self) -> u64 {
        let (rounds, _) = self.plan();
        rounds * self.settings.bands as u64 * u64::from(self.documents) * size_of::<K>() as u64
    }

    /// How many times a band is read, and the parts of the keys that are linked each time.
    fn plan(&self) -> (u64, u64) {
        let documents = self.documents as usize;
        let left = self.settings.memory.saturating_sub(self.held()).max(self.settings.memory / 4).max(1);
        let rounds = match self.settings.folder {
            Some(_) => (FirstTable::<K>::bytes(documents) as u64).div_ceil(left).max(1),
            None => 1,
        };
        let small = documents < CHUNK;
        (rounds, if small { 1 } else { threads::threads() as u64 })
    }

    /// For every document the one that is kept of its component: the one with the largest preference, of equal ones the lowest; the
    /// document itself if it is kept. To be called on a thread that is none of the pool's.
    ///
    /// # Errors
    /// A spill file that cannot be read; a job that was stopped.
    pub fn finish(self, job: &Job) -> Result<Vec<u32>, Error> {
        let (rounds, width) = self.plan();
        let parts = rounds * width;
        let room = self.documents as usize / parts as usize;
        let room = if parts == 1 { room } else { room + room / 50 };
        let mut tables: Vec<Part<K>> = (0..width).map(|_| Part::new(room, parts)).collect();
        let mut components = UnionFind::new(self.documents);
        for pile in &self.bands {
            for round in 0..rounds {
                for (part, table) in (round * width..).zip(&mut tables) {
                    table.begin(part);
                }
                let mut first = 0;
                pile.for_each_chunk(CHUNK, |keys| {
                    job.check()?;
                    self.link_chunk(keys, first, &mut tables, &mut components)?;
                    first += keys.len() as u32;
                    job.advance(size_of_val(keys) as u64, 0);
                    Ok(())
                })?;
            }
        }
        drop(tables);
        if !self.settings.prefer {
            return Ok(components.into_roots());
        }
        let at_once = usize::try_from(self.settings.memory / 8).unwrap_or(usize::MAX);
        components.into_preferred(at_once, |visit| {
            job.check()?;
            self.preferences.for_each_chunk(CHUNK, |values| {
                values.iter().for_each(|&bits| visit(f32::from_bits(bits)));
                Ok(())
            })
        })
    }

    /// Links the documents `first..` with these keys, each part's on a thread.
    fn link_chunk(
        &self,
        keys: &[K],
        first: u32,
        tables: &mut [Part<K>],
        components: &mut UnionFind,
    ) -> Result<(), Error> {
        match &mut *tables {
            [table] => table.link(keys, first, self.settings.verify, &self.signatures)?,
            tables => threads::pool().install(|| {
                let link =
                    |table: &mut Part<K>| table.link(keys, first, self.settings.verify, &self.signatures);
                tables.par_iter_mut().try_for_each(link)
            })?,
        }
        for table in tables {
            for (document, holder) in table.links.drain(..) {
                components.union(document, holder);
            }
        }
        Ok(())
    }
}

/// The documents of one part of the keys.
struct Part<K> {
    number: u64,
    parts: u64,
    table: FirstTable<K>,
    more: MoreHolders,
    /// Keys of this part in a chunk, and their documents.
    due: Vec<(K, u32)>,
    links: Vec<(u32, u32)>,
}

impl<K: Key + Pod> Part<K> {
    fn new(room: usize, parts: u64) -> Self {
        Part {
            number: 0,
            parts,
            table: FirstTable::new(room, parts),
            more: MoreHolders::new(),
            due: Vec::new(),
            links: Vec::new(),
        }
    }

    fn begin(&mut self, number: u64) {
        self.number = number;
        self.table.clear();
        self.more.clear();
    }

    /// Notes the links of the documents `first..` whose keys are in this part.
    fn link(
        &mut self,
        keys: &[K],
        first: u32,
        verify: Option<Verify>,
        signatures: &Pile<u32>,
    ) -> Result<(), Error> {
        self.due.clear();
        let is_here = |key: K| key != K::default() && FirstTable::part_of(key, self.parts) == self.number;
        self.due.extend(keys.iter().copied().zip(first..).filter(|&(key, _)| is_here(key)));
        let (mut mine, mut theirs) = (Vec::new(), Vec::new());
        for (i, &(key, document)) in self.due.iter().enumerate() {
            if let Some(&(later, _)) = self.due.get(i + AHEAD) {
                self.table.prefetch(later);
            }
            let Some(verify) = verify else {
                let holder = self.table.first(key, document);
                if holder != document {
                    self.links.push((document, holder));
                }
                continue;
            };
            let mut read = false;
            let resembles = |holder| {
                let row = |document: u32| u64::from(document) * verify.num_perm as u64;
                if !std::mem::replace(&mut read, true) {
                    signatures.read(row(document), verify.num_perm, &mut mine)?;
                }
                signatures.read(row(holder), verify.num_perm, &mut theirs)?;
                Ok::<_, Error>(verify.accepts(&mine, &theirs))
            };
            link(&mut self.table, &mut self.more, (key, document), resembles, |holder| {
                self.links.push((document, holder));
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
