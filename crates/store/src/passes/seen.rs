//! What a pass sees of the files, whatever it does with their texts.

use super::BAD_MESSAGES;
use super::blob::{Reader, Writer};
use crate::block::{Block, BlockStats, Shard, Start};
use crate::hash::RunningHash;

/// What a pass saw of one file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FileTotals {
    /// Good records.
    pub records: u64,
    /// Bad records passed over.
    pub skipped: u64,
    /// Tokens of the good records; 0 where the pass did not look.
    pub tokens: u64,
    /// N-grams counted.
    pub features: u64,
    /// Records of at least the asked-for number of tokens.
    pub candidates: u64,
    /// Bytes of the file on disk.
    pub bytes: u64,
    /// Bytes of text in the good records.
    pub text_bytes: u64,
}

impl FileTotals {
    pub(crate) fn add(&mut self, other: &FileTotals) {
        self.records += other.records;
        self.skipped += other.skipped;
        self.tokens += other.tokens;
        self.features += other.features;
        self.candidates += other.candidates;
        self.bytes += other.bytes;
        self.text_bytes += other.text_bytes;
    }
}

/// What a pass saw of all files.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Of each file.
    pub files: Vec<FileTotals>,
    /// Messages of the first skipped records.
    pub bad: Vec<String>,
    /// Bytes read from disk by this call: less than the corpus after a resume.
    pub bytes_read: u64,
    /// Of each file, if files are hashed, the state of its running hash.
    hashes: Vec<Option<Vec<u8>>>,
}

/// What a pass saw of one shard, or of a part of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) totals: FileTotals,
    pub(crate) bad: Vec<String>,
    /// Behind the end of the shard, if files are hashed.
    pub(crate) hash: Vec<u8>,
}

impl Seen {
    pub(crate) fn new(files: usize) -> Self {
        Seen { files: vec![FileTotals::default(); files], hashes: vec![None; files], ..Seen::default() }
    }

    /// Good records of all files.
    pub fn records(&self) -> u64 {
        self.files.iter().map(|file| file.records).sum()
    }

    /// The SHA-256 of each file in hexadecimal digits; none where files were not hashed.
    pub fn hashes(&self) -> Vec<Option<String>> {
        let hex = |state: &Vec<u8>| RunningHash::resume(state).map(|hash| hash.hex());
        self.hashes.iter().map(|state| state.as_ref().and_then(hex)).collect()
    }

    pub(crate) fn add(&mut self, file: u32, part: Part) {
        self.files[file as usize].add(&part.totals);
        keep_messages(&mut self.bad, part.bad);
        if !part.hash.is_empty() {
            self.hashes[file as usize] = Some(part.hash);
        }
    }

    /// Where a pass goes on that finds the first shards done.
    pub(crate) fn start(&self, shards: &[Shard], done: usize) -> Start {
        let Some(next) = shards.get(done) else { return Start::default() };
        if done == 0 || shards[done - 1].file != next.file {
            return Start::default();
        }
        let file = &self.files[next.file as usize];
        Start { records: file.records + file.skipped, hash: self.hashes[next.file as usize].clone() }
    }
}

impl Part {
    /// Takes in what a block held, its records' tokens and the like aside.
    pub(crate) fn add_block(&mut self, block: &Block, stats: BlockStats) {
        self.totals.records += stats.records;
        self.totals.skipped += stats.skipped;
        self.totals.bytes += stats.bytes;
        keep_messages(&mut self.bad, stats.bad);
        if let Some(state) = block.hash_state() {
            self.hash = state.to_vec();
        }
    }

    pub(crate) fn add(&mut self, other: Part) {
        self.totals.add(&other.totals);
        keep_messages(&mut self.bad, other.bad);
        if !other.hash.is_empty() {
            self.hash = other.hash;
        }
    }

    /// Appends eight words (records, skipped, tokens, features, candidates, bytes, bytes of text, number of messages), each message
    /// (length, UTF-8) and the hash's state (length, bytes; nothing if files are not hashed).
    pub(crate) fn write(&self, w: &mut Writer) {
        let t = &self.totals;
        for x in [
            t.records,
            t.skipped,
            t.tokens,
            t.features,
            t.candidates,
            t.bytes,
            t.text_bytes,
            self.bad.len() as u64,
        ] {
            w.u64(x);
        }
        self.bad.iter().for_each(|message| w.bytes(message.as_bytes()));
        w.bytes(&self.hash);
    }

    /// Reads what [`write`](Self::write) wrote; none too if it lacks a hash that is asked for.
    pub(crate) fn read(r: &mut Reader, hash: bool) -> Option<Part> {
        let totals = FileTotals {
            records: r.u64()?,
            skipped: r.u64()?,
            tokens: r.u64()?,
            features: r.u64()?,
            candidates: r.u64()?,
            bytes: r.u64()?,
            text_bytes: r.u64()?,
        };
        let bad =
            (0..r.len(8)?).map(|_| String::from_utf8(r.bytes()?.to_vec()).ok()).collect::<Option<_>>()?;
        let part = Part { totals, bad, hash: r.bytes()?.to_vec() };
        (!hash || RunningHash::resume(&part.hash).is_some()).then_some(part)
    }
}

fn keep_messages(kept: &mut Vec<String>, more: Vec<String>) {
    let room = BAD_MESSAGES.saturating_sub(kept.len());
    kept.extend(more.into_iter().take(room));
}
