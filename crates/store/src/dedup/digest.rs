//! The pass that reads every document once and marks it: with keys that documents share which may be the same, and, where that is
//! to be verified, with its signature.
//!
//! Blocks are worked through in parallel and their marks handed on in order, so that the result does not depend on threads or
//! blocks. Given a [`State`] the pass leaves there the marks and a blob for every finished shard, and goes on behind the last one
//! when it is run again. O(bytes).

use super::documents::Documents;
use crate::block::{Block, BlockReader, Scratch, Shard};
use crate::error::Error;
use crate::input::Input;
use crate::near::{DuplicateFinder, Key};
use crate::ordered::for_each_block;
use crate::passes::blob::{Reader, Writer};
use crate::passes::seen::Part;
use crate::record::ReadOptions;
use crate::state::State;
use bytemuck::Pod;
use std::sync::Mutex;
use tamis_kernels::job::Job;

/// How a document is marked: each with the same number of keys, and of words of a signature.
pub trait Marker: Sync {
    type Key: Key + Pod;
    type Scratch: Send;

    fn scratch(&self) -> Self::Scratch;

    /// Appends a document's marks once for each of the scopes: everywhere (`None`), or within a source.
    fn mark(
        &self,
        scratch: &mut Self::Scratch,
        text: &str,
        scopes: &[Option<u32>],
        marks: &mut Marks<Self::Key>,
    );
}

/// The marks of documents, one after another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks<K> {
    pub keys: Vec<K>,
    pub signatures: Vec<u32>,
}

impl<K> Default for Marks<K> {
    fn default() -> Self {
        Marks { keys: Vec::new(), signatures: Vec::new() }
    }
}

/// Marks are put down in pieces of about so many bytes.
const PIECE: usize = 4 << 20;

impl<K: Key + Pod> Marks<K> {
    fn clear(&mut self) {
        self.keys.clear();
        self.signatures.clear();
    }

    fn size(&self) -> usize {
        size_of_val(&self.keys[..]) + size_of_val(&self.signatures[..])
    }

    fn append(&mut self, other: &Self) {
        self.keys.extend_from_slice(&other.keys);
        self.signatures.extend_from_slice(&other.signatures);
    }

    /// The keys and the signatures, each behind the number of their bytes.
    fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.bytes(bytemuck::cast_slice(&self.keys));
        w.bytes(bytemuck::cast_slice(&self.signatures));
        w.out
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut r = Reader::new(bytes);
        let (keys, signatures) = (r.bytes()?, r.bytes()?);
        r.end()?;
        if !keys.len().is_multiple_of(size_of::<K>()) || !signatures.len().is_multiple_of(4) {
            return None;
        }
        Some(Marks {
            keys: keys.chunks_exact(size_of::<K>()).map(bytemuck::pod_read_unaligned).collect(),
            signatures: signatures.chunks_exact(4).map(bytemuck::pod_read_unaligned).collect(),
        })
    }
}

/// A corpus of the run.
#[derive(Debug, Clone)]
pub struct Side {
    pub inputs: Vec<Input>,
    pub shards: Vec<Shard>,
    pub read: ReadOptions,
    /// Of each input, the scopes in which its documents are marked.
    pub scopes: Vec<Vec<Option<u32>>>,
}

/// Marks all documents of `sides`, in order, for `finder`, and numbers them; finished shards found in `state` are not read again.
pub fn digest<M: Marker>(
    sides: &[Side],
    marker: &M,
    finder: &mut DuplicateFinder<M::Key>,
    threads: Option<usize>,
    state: Option<&State>,
    job: &Job,
) -> Result<Vec<Documents>, Error> {
    let mut all = Vec::with_capacity(sides.len());
    let mut first = 0;
    for (number, side) in sides.iter().enumerate() {
        let keep = state.map(|state| Keep {
            state,
            shards: format!("digest_{number}"),
            marks: format!("marks_{number}"),
        });
        let mut documents = digest_side(side, marker, finder, threads, keep, job)?;
        documents.number_from(first);
        first = documents.range().end;
        all.push(documents);
    }
    Ok(all)
}

/// Where a side's finished shards are kept.
struct Keep<'a> {
    state: &'a State,
    /// The phases of the shards' blobs and of the pieces of marks.
    shards: String,
    marks: String,
}

/// A finished shard.
struct Finished {
    part: Part,
    /// Of each block with bad records, the records of the file before it and the bad ones.
    gaps: Vec<(u64, u64)>,
    /// Pieces of marks up to its end, over all shards.
    pieces: u64,
}

fn digest_side<M: Marker>(
    side: &Side,
    marker: &M,
    finder: &mut DuplicateFinder<M::Key>,
    threads: Option<usize>,
    keep: Option<Keep>,
    job: &Job,
) -> Result<Documents, Error> {
    let Side { inputs, shards, read, scopes } = side;
    let mut documents = Documents::new(inputs.len());
    let (done, mut pieces) = match &keep {
        Some(keep) => restore(&mut documents, side, finder, keep, job)?,
        None => (0, 0),
    };
    job.advance(shards[..done].iter().map(|shard| shard.bytes).sum(), documents.seen.records());
    let reader = BlockReader::new(inputs, &shards[done..], read, documents.seen.start(shards, done));
    // Lists of marks go round: fresh memory costs more than filling it.
    let spare: Mutex<Vec<Marks<M::Key>>> = Mutex::default();
    let init = || (marker.scratch(), Scratch::default());
    let work = |(scratch, texts): &mut (M::Scratch, Scratch), block: &Block| {
        let mut marks = spare.lock().unwrap_or_else(|e| e.into_inner()).pop().unwrap_or_default();
        marks.clear();
        let scopes = &scopes[block.file() as usize];
        let mut part = Part::default();
        let totals = &mut part.totals;
        let stats = block.records(texts, |record| {
            job.check()?;
            totals.text_bytes += record.text.len() as u64;
            marker.mark(scratch, record.text, scopes, &mut marks);
            Ok(())
        })?;
        part.add_block(block, stats);
        Ok((part, marks))
    };
    let mut shard = Finished { part: Part::default(), gaps: Vec::new(), pieces: 0 };
    let mut piece = Marks::default();
    let fold = |block: &Block, (part, marks): (Part, Marks<M::Key>)| {
        finder.add(&marks.keys, &marks.signatures, &[])?;
        job.advance(0, part.totals.records);
        if part.totals.skipped > 0 {
            shard.gaps.push((block.before(), part.totals.skipped));
        }
        shard.part.add(part);
        if let Some(Keep { state, shards, marks: phase }) = &keep {
            piece.append(&marks);
            if piece.size() >= PIECE || block.ends_shard() {
                state.put(phase, pieces, &piece.to_bytes())?;
                piece.clear();
                pieces += 1;
            }
            if block.ends_shard() {
                shard.pieces = pieces;
                state.put(shards, (done + block.shard()) as u64, &shard.to_bytes())?;
            }
        }
        spare.lock().unwrap_or_else(|e| e.into_inner()).push(marks);
        if block.ends_shard() {
            documents.add(block.file(), std::mem::take(&mut shard.part), &std::mem::take(&mut shard.gaps));
        }
        Ok(())
    };
    for_each_block(&reader, threads, job, init, work, fold)?;
    documents.seen.bytes_read = reader.bytes_read();
    Ok(documents)
}

impl Finished {
    /// What was seen of the shard (see [`Part::write`]), the number of blocks with bad records, of each the records of the file
    /// before it and the bad ones, and the pieces of marks up to its end.
    fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::default();
        self.part.write(&mut w);
        w.u64(self.gaps.len() as u64);
        self.gaps.iter().for_each(|&(before, skipped)| {
            w.u64(before);
            w.u64(skipped);
        });
        w.u64(self.pieces);
        w.out
    }

    fn from_bytes(bytes: &[u8], hash: bool) -> Option<Self> {
        let mut r = Reader::new(bytes);
        let part = Part::read(&mut r, hash)?;
        let gaps = (0..r.len(16)?).map(|_| Some((r.u64()?, r.u64()?))).collect::<Option<_>>()?;
        let pieces = r.u64()?;
        r.end()?;
        Some(Finished { part, gaps, pieces })
    }
}

/// Takes in the finished shards at the front; how many there are, and their pieces of marks.
fn restore<K: Key + Pod>(
    documents: &mut Documents,
    side: &Side,
    finder: &mut DuplicateFinder<K>,
    keep: &Keep,
    job: &Job,
) -> Result<(usize, u64), Error> {
    let Keep { state, shards, marks } = keep;
    let mut pieces = 0;
    for (i, shard) in side.shards.iter().enumerate() {
        let blob = state.get(shards, i as u64);
        let Some(found) = blob.and_then(|bytes| Finished::from_bytes(&bytes, side.read.hash)) else {
            return Ok((i, pieces));
        };
        let piece = |at: u64| state.get(marks, at).and_then(|bytes| Marks::<K>::from_bytes(&bytes));
        // All of a shard's marks or none: the finder takes nothing back.
        if !(pieces..found.pieces).all(|at| piece(at).is_some()) {
            return Ok((i, pieces));
        }
        for at in pieces..found.pieces {
            job.check()?;
            let marks = piece(at).unwrap_or_default();
            finder.add(&marks.keys, &marks.signatures, &[])?;
        }
        pieces = found.pieces;
        documents.add(shard.file, found.part, &found.gaps);
    }
    Ok((side.shards.len(), pieces))
}
