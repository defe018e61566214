//! The n-grams of a corpus, kept by the pass that counts them for the passes that score and write.
//!
//! All of them would spend nearly all of their time on hashing the same n-grams. A bucket takes two bytes (four where there are more
//! than 65,536), so that the buckets of a text take about three quarters of its size, and adding up their weights goes at the
//! speed at which they are read: with them the scoring pass takes a tenth of the time, and reads no input, and the writing pass
//! counts those of what was chosen at the cost of reading them.
//!
//! They lie in one temporary file of this process, in the run's state. It is all or nothing: a corpus whose buckets would take more
//! than the bytes allowed, or a disk that fails or is full, leaves no file, and the texts are hashed again.
//!
//! # The file
//! Blocks in the order in which the workers of the counting pass came to them: of each what was seen of it (see
//! [`Part::write`]), the number of documents, six little-endian words for each (ordinal, offset, length, bytes of text,
//! tokens, n-grams), and the buckets of all of them in the machine's own byte order.

use super::blob::{Reader, Writer};
use super::choose::Pick;
use super::seen::Part;
use crate::block::Block;
use crate::error::Error;
use crate::fs;
use crate::input::{Compression, Input};
use crate::record::Record;
use crate::state::State;
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use tamis_kernels::job::Job;

const KIND: &str = "features";
/// Bytes of a document's words.
const DOCUMENT: usize = 48;
/// Buckets of a block beyond which it would take more memory than a pass may: only a large row group of a table has them.
const BLOCK_BUCKETS: usize = 1 << 25;

/// A record as a pass that looks at its n-grams sees it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Document {
    /// Place among the good records of its block.
    pub(super) ordinal: u64,
    pub(super) offset: u64,
    pub(super) len: u64,
    pub(super) text_bytes: u64,
    pub(super) tokens: u32,
}

impl Document {
    pub(super) fn of(record: &Record, tokens: u32) -> Self {
        Document {
            ordinal: record.ordinal,
            offset: record.offset,
            len: record.len,
            text_bytes: record.text.len() as u64,
            tokens,
        }
    }
}

/// Buckets, as narrow as their number allows.
#[derive(Debug)]
pub(super) enum Buckets {
    Narrow(Vec<u16>),
    Wide(Vec<u32>),
}

impl Buckets {
    pub(super) fn new(buckets: u32) -> Self {
        if buckets <= 1 << 16 { Buckets::Narrow(Vec::new()) } else { Buckets::Wide(Vec::new()) }
    }

    /// Appends a run of buckets; each is below the number that `self` was made for.
    pub(super) fn extend(&mut self, run: &[u32]) {
        match self {
            Buckets::Narrow(all) => all.extend(run.iter().map(|&bucket| bucket as u16)),
            Buckets::Wide(all) => all.extend_from_slice(run),
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Buckets::Narrow(all) => bytemuck::cast_slice(all),
            Buckets::Wide(all) => bytemuck::cast_slice(all),
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Buckets::Narrow(all) => bytemuck::cast_slice_mut(all),
            Buckets::Wide(all) => bytemuck::cast_slice_mut(all),
        }
    }

    fn resize(&mut self, len: usize) {
        match self {
            Buckets::Narrow(all) => all.resize(len, 0),
            Buckets::Wide(all) => all.resize(len, 0),
        }
    }

    fn clear(&mut self) {
        match self {
            Buckets::Narrow(all) => all.clear(),
            Buckets::Wide(all) => all.clear(),
        }
    }

    fn len(&self) -> usize {
        match self {
            Buckets::Narrow(all) => all.len(),
            Buckets::Wide(all) => all.len(),
        }
    }

    fn most(&self) -> u32 {
        match self {
            Buckets::Narrow(all) => all.iter().copied().max().map_or(0, u32::from),
            Buckets::Wide(all) => all.iter().copied().max().unwrap_or(0),
        }
    }

    /// Adds 1 to `counts` for each.
    fn count(&self, counts: &mut [u64]) {
        match self {
            Buckets::Narrow(all) => all.iter().for_each(|&bucket| counts[usize::from(bucket)] += 1),
            Buckets::Wide(all) => all.iter().for_each(|&bucket| counts[bucket as usize] += 1),
        }
    }

    /// The sum of a table's weights over the buckets of a range, in their order.
    fn sum(&self, range: std::ops::Range<usize>, table: &[f64]) -> f64 {
        let add = |sum: f64, bucket: usize| sum + table[bucket];
        match self {
            Buckets::Narrow(all) => all[range].iter().fold(0.0, |sum, &bucket| add(sum, bucket.into())),
            Buckets::Wide(all) => all[range].iter().fold(0.0, |sum, &bucket| add(sum, bucket as usize)),
        }
    }
}

/// The documents of a block and their buckets.
pub(super) struct Hashed {
    documents: Vec<(Document, u64)>,
    buckets: Buckets,
}

impl Hashed {
    pub(super) fn new(buckets: u32) -> Self {
        Hashed { documents: Vec::new(), buckets: Buckets::new(buckets) }
    }

    /// Ready for another block, in the same memory.
    pub(super) fn clear(&mut self) {
        self.documents.clear();
        self.buckets.clear();
    }

    pub(super) fn buckets(&mut self) -> &mut Buckets {
        &mut self.buckets
    }

    /// Ends a document: the last `features` buckets are its own.
    pub(super) fn end(&mut self, document: Document, features: u64) {
        self.documents.push((document, features));
    }

    /// Whether it takes more memory than a block may.
    pub(super) fn is_too_large(&self) -> bool {
        self.buckets.len() > BLOCK_BUCKETS
    }

    /// Each document, and the sum over its buckets of each table's weights (`tables` is `[t, buckets]`, the sums `[t]`).
    pub(super) fn score(&self, tables: &[f64], sums: &mut [f64], mut each: impl FnMut(Document, &[f64])) {
        let width = tables.len() / sums.len().max(1);
        let mut start = 0;
        for &(document, features) in &self.documents {
            let end = start + features as usize;
            for (sum, table) in sums.iter_mut().zip(tables.chunks_exact(width)) {
                *sum = self.buckets.sum(start..end, table);
            }
            start = end;
            each(document, sums);
        }
    }
}

/// Where a block lies in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    at: Written,
    file: u32,
    shard: usize,
    ends_shard: bool,
}

impl Place {
    pub(super) fn new(at: Written, block: &Block, shard: usize) -> Self {
        Place { at, file: block.file(), shard, ends_shard: block.ends_shard() }
    }
}

/// Removes the file when it is dropped.
#[derive(Debug)]
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove(KIND, &self.0);
    }
}

/// Keeps the buckets of blocks: workers write them, each at a place of its own, and the fold says in which order they count.
#[derive(Debug)]
pub(super) struct Keeper {
    path: Temporary,
    file: File,
    buckets: u32,
    most: u64,
    /// Bytes given out so far.
    size: AtomicU64,
    failed: AtomicBool,
}

/// A block in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    start: u64,
    head: usize,
    buckets: usize,
    documents: usize,
}

impl Keeper {
    /// A keeper of at most `most` bytes, and a quarter of what is free on the disk; none where the inputs look like more than
    /// that, or no file can be made.
    pub(super) fn create(state: &State, inputs: &[Input], buckets: u32, most: u64) -> Option<Self> {
        let path = state.scratch("features");
        let most = most.min(fs::free_bytes(&state.scratch("")) / 4);
        let expected: u64 = inputs
            .iter()
            .map(|input| match input.format.compression {
                Compression::None => input.bytes / 2,
                _ => input.bytes,
            })
            .sum();
        if expected > most {
            return None;
        }
        // What a killed run left under this name is nobody's: the state is locked.
        fs::remove(KIND, &path).ok()?;
        let file = fs::create_new(KIND, &path).ok()?;
        Some(Keeper {
            path: Temporary(path),
            file,
            buckets,
            most,
            size: AtomicU64::new(0),
            failed: AtomicBool::new(false),
        })
    }

    /// Whether every block so far was written.
    pub(super) fn is_whole(&self) -> bool {
        !self.failed.load(Relaxed)
    }

    /// Gives the disk back: a block was too much, could not be written, or was not hashed.
    pub(super) fn fail(&self) {
        if !self.failed.swap(true, Relaxed) {
            // What another worker is writing goes with the file.
            let _ = fs::truncate(KIND, &self.file);
        }
    }

    /// Writes a block; `None`, and nothing of it is kept any longer, once that is too much or fails.
    pub(super) fn write(&self, part: &Part, hashed: &Hashed) -> Option<Written> {
        let written = self.is_whole().then(|| self.try_write(part, hashed)).flatten();
        if written.is_none() {
            self.fail();
        }
        written
    }

    fn try_write(&self, part: &Part, hashed: &Hashed) -> Option<Written> {
        let mut head = Writer::default();
        part.write(&mut head);
        head.u64(hashed.documents.len() as u64);
        for (document, features) in &hashed.documents {
            let Document { ordinal, offset, len, text_bytes, tokens } = *document;
            for word in [ordinal, offset, len, text_bytes, u64::from(tokens), *features] {
                head.u64(word);
            }
        }
        let (head, bytes) = (head.out, hashed.buckets.bytes());
        let size = (head.len() + bytes.len()) as u64;
        let start = self.size.fetch_add(size, Relaxed);
        if start.saturating_add(size) > self.most {
            return None;
        }
        fs::write_all_at(KIND, &self.file, &head, start).ok()?;
        fs::write_all_at(KIND, &self.file, bytes, start + head.len() as u64).ok()?;
        let documents = hashed.documents.len();
        Some(Written { start, head: head.len(), buckets: bytes.len(), documents })
    }

    /// The n-grams of the corpus, if all blocks were written; `places` is in the corpus' order.
    pub(super) fn finish(self, places: Vec<Place>) -> Option<Features> {
        self.is_whole().then_some(Features {
            path: self.path,
            file: self.file,
            buckets: self.buckets,
            places,
        })
    }
}

/// The buckets of all documents of a corpus, in a temporary file that goes when this is dropped.
#[derive(Debug)]
pub struct Features {
    path: Temporary,
    file: File,
    buckets: u32,
    places: Vec<Place>,
}

/// A block of [`Features`], read back.
pub(super) struct KeptBlock {
    pub(super) file: u32,
    pub(super) shard: usize,
    pub(super) ends_shard: bool,
    pub(super) part: Part,
    pub(super) hashed: Hashed,
}

/// Where the buckets of one document lie in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    start: u64,
    pub(super) features: u64,
    pub(super) tokens: u32,
}

impl Features {
    /// Blocks kept.
    pub(super) fn blocks(&self) -> usize {
        self.places.len()
    }

    /// Reads a block back; `into` gives its memory.
    pub(super) fn read(&self, block: usize, into: Hashed) -> Result<KeptBlock, Error> {
        let Place { at, file, shard, ends_shard } = self.places[block];
        let Hashed { mut documents, mut buckets } = into;
        let part = self.read_head(at, &mut documents)?;
        self.read_buckets(at.start + at.head as u64, at.buckets / self.width(), &mut buckets)?;
        Ok(KeptBlock { file, shard, ends_shard, part, hashed: Hashed { documents, buckets } })
    }

    /// The spans of picked records, which stand in the corpus' order.
    pub(super) fn spans(&self, picks: &[Pick], job: &Job) -> Result<Vec<Span>, Error> {
        let mut spans = Vec::with_capacity(picks.len());
        let mut documents = Vec::new();
        let mut first = 0;
        for Place { at, .. } in &self.places {
            let behind = first + at.documents as u64;
            let rest = &picks[spans.len()..];
            let here = &rest[..rest.partition_point(|pick| pick.candidate.index < behind)];
            if !here.is_empty() {
                job.check()?;
                self.read_head(*at, &mut documents)?;
                let (mut start, mut next) = (at.start + at.head as u64, 0);
                for pick in here {
                    let place = (pick.candidate.index - first) as usize;
                    let before: u64 = documents[next..place].iter().map(|(_, features)| features).sum();
                    start += before * self.width() as u64;
                    next = place;
                    let (Document { tokens, .. }, features) = documents[place];
                    spans.push(Span { start, features, tokens });
                }
            }
            first = behind;
        }
        if spans.len() < picks.len() {
            return Err(self.damaged());
        }
        Ok(spans)
    }

    /// Adds 1 to `counts` for every n-gram of a document; `memory` is for what has to be read.
    pub(super) fn count(&self, span: &Span, memory: &mut Buckets, counts: &mut [u64]) -> Result<(), Error> {
        self.read_buckets(span.start, span.features as usize, memory)?;
        memory.count(counts);
        Ok(())
    }

    /// Memory for [`count`](Self::count).
    pub(super) fn memory(&self) -> Buckets {
        Buckets::new(self.buckets)
    }

    /// Bytes of a bucket.
    fn width(&self) -> usize {
        if self.buckets <= 1 << 16 { 2 } else { 4 }
    }

    fn read_head(&self, at: Written, documents: &mut Vec<(Document, u64)>) -> Result<Part, Error> {
        let mut head = vec![0; at.head];
        self.read_at(&mut head, at.start)?;
        documents.clear();
        let part = read_head(&head, documents).ok_or_else(|| self.damaged())?;
        let features: u64 = documents.iter().map(|(_, features)| features).sum();
        if documents.len() != at.documents || features != (at.buckets / self.width()) as u64 {
            return Err(self.damaged());
        }
        Ok(part)
    }

    /// Reads so many buckets; each is below the number of them.
    fn read_buckets(&self, start: u64, len: usize, into: &mut Buckets) -> Result<(), Error> {
        into.resize(len);
        self.read_at(into.bytes_mut(), start)?;
        if len > 0 && into.most() >= self.buckets { Err(self.damaged()) } else { Ok(()) }
    }

    fn read_at(&self, bytes: &mut [u8], start: u64) -> Result<(), Error> {
        fs::read_exact_at(&self.file, bytes, start).map_err(|e| Error::io(&self.path.0, "read", e))
    }

    fn damaged(&self) -> Error {
        Error::format(&self.path.0, None, "something else wrote to this temporary file: run again")
    }
}

fn read_head(bytes: &[u8], documents: &mut Vec<(Document, u64)>) -> Option<Part> {
    let mut r = Reader::new(bytes);
    let part = Part::read(&mut r, false)?;
    for _ in 0..r.len(DOCUMENT)? {
        let (ordinal, offset, len, text_bytes) = (r.u64()?, r.u64()?, r.u64()?, r.u64()?);
        let (tokens, features) = (u32::try_from(r.u64()?).ok()?, r.u64()?);
        documents.push((Document { ordinal, offset, len, text_bytes, tokens }, features));
    }
    Some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_as_narrow_as_their_number_allows() {
        for (number, width) in [(1, 2), (1 << 16, 2), ((1 << 16) + 1, 4), (u32::MAX, 4)] {
            let mut buckets = Buckets::new(number);
            buckets.extend(&[number - 1, 0]);
            buckets.extend(&[number / 2]);
            assert_eq!((buckets.bytes().len(), buckets.len(), buckets.most()), (3 * width, 3, number - 1));
        }
    }

    #[test]
    fn weights_are_added_in_order() {
        for number in [10_u32, 100_000] {
            let mut hashed = Hashed::new(number);
            hashed.buckets().extend(&[1, 2, 3]);
            hashed.end(Document { tokens: 2, ..Document::default() }, 3);
            hashed.end(Document::default(), 0);
            hashed.buckets().extend(&[9]);
            hashed.end(Document { tokens: 1, ..Document::default() }, 1);
            let mut tables = vec![0.0; 2 * number as usize];
            (tables[1], tables[2], tables[3], tables[9]) = (1e16, 1.0, -1e16, 4.0);
            tables[number as usize + 9] = 7.0;
            let (mut seen, mut sums) = (Vec::new(), [f64::NAN; 2]);
            hashed.score(&tables, &mut sums, |document, sums| seen.push((document.tokens, sums.to_vec())));
            let first = 0.0 + 1e16 + 1.0 + -1e16;
            assert_eq!(seen, [(2, vec![first, 0.0]), (0, vec![0.0; 2]), (1, vec![4.0, 7.0])]);
        }
    }
}
