//! What stands behind a bucket: the n-gram that falls into it most often in the first part of a corpus.

use crate::block::{BlockReader, Scratch, Shard, Start};
use crate::error::Error;
use crate::input::Input;
use crate::record::ReadOptions;
use std::collections::HashMap;
use tamis_kernels::job::{Aborted, Job};
use tamis_kernels::ngrams::NgramHasher;

/// Counts the n-grams of chosen buckets.
pub struct BucketNames {
    hasher: NgramHasher,
    seen: HashMap<u32, HashMap<String, u64>>,
}

/// N-grams of one bucket that are remembered: enough for the most frequent one to be among them.
const NAMES: usize = 4096;

impl BucketNames {
    pub fn new(order: u32, buckets: u32, wanted: &[u32]) -> Self {
        BucketNames {
            hasher: NgramHasher::new(order, buckets),
            seen: wanted.iter().map(|&bucket| (bucket, HashMap::new())).collect(),
        }
    }

    /// Looks through one text.
    pub fn add(&mut self, text: &str, job: &Job) -> Result<(), Aborted> {
        let seen = &mut self.seen;
        self.hasher.explain(text, job, |bucket, ngram| {
            let Some(names) = seen.get_mut(&bucket) else { return };
            if let Some(count) = names.get_mut(ngram) {
                *count += 1;
            } else if names.len() < NAMES {
                names.insert(ngram.to_owned(), 1);
            }
        })?;
        Ok(())
    }

    /// Looks through the start of every file, about `bytes` of text in all.
    pub fn add_files(
        &mut self,
        inputs: &[Input],
        shards: &[Shard],
        read: &ReadOptions,
        bytes: u64,
        job: &Job,
    ) -> Result<(), Error> {
        let mut left = bytes;
        let share = (bytes / inputs.len().max(1) as u64).max(1 << 16);
        let read = ReadOptions { block_bytes: read.block_bytes.min(1 << 20), hash: false, ..read.clone() };
        for file in 0..inputs.len() {
            let first: Vec<Shard> =
                shards.iter().filter(|s| s.file as usize == file).take(1).cloned().collect();
            let reader = BlockReader::new(inputs, &first, &read, Start::default());
            let mut scratch = Scratch::default();
            let mut room = share.min(left);
            left -= room;
            while room > 0 {
                job.check()?;
                let Some((_, block)) = reader.next().map_err(|(_, error)| error)? else { break };
                let looked = block.records(&mut scratch, |record| {
                    // A row group, or a record, may hold far more than is looked through.
                    if room == 0 {
                        return Err(Error::Aborted);
                    }
                    self.add(start_of(record.text, room), job)?;
                    room = room.saturating_sub(record.text.len().max(1) as u64);
                    Ok(())
                });
                match looked {
                    Err(Error::Aborted) if room == 0 => {}
                    looked => {
                        looked?;
                    }
                }
            }
            // What a short file leaves goes to the next ones.
            left += room;
        }
        Ok(())
    }

    /// The most frequent n-gram of each bucket (ties: the least), where one was seen.
    pub fn names(&self, wanted: &[u32]) -> Vec<Option<String>> {
        let most = |bucket: &u32| {
            let names = self.seen.get(bucket)?;
            names.iter().max_by(|a, b| a.1.cmp(b.1).then(b.0.cmp(a.0))).map(|(name, _)| name.clone())
        };
        wanted.iter().map(most).collect()
    }
}

/// At most so many bytes of a text, cut between characters.
fn start_of(text: &str, bytes: u64) -> &str {
    let most = usize::try_from(bytes).unwrap_or(usize::MAX);
    &text[..text.floor_char_boundary(most)]
}
