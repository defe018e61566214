//! Whole passes over a corpus: count its n-grams, score its records against tables, choose, and write what was chosen.
//!
//! The passes that count and score read every byte once, in blocks worked through in parallel and folded in order, so that
//! results do not depend on threads, blocks or shards. Given a [`State`](crate::state::State) they leave a blob for every
//! finished shard and take up behind the last one when they are run again. No pass starts the phases of its job: it advances
//! the job's counters by the bytes on disk and the records that it is through with (the writing pass: by bytes of text).

pub mod align;
pub mod blob;
pub mod choose;
pub mod count;
pub mod examples;
pub mod features;
mod gather;
pub mod heap;
pub mod map;
pub mod mix;
pub mod places;
pub mod rate;
pub mod read;
pub mod score;
pub mod seen;
mod shown;
pub mod weights;
pub mod write;

/// How many messages of skipped records a pass keeps.
pub const BAD_MESSAGES: usize = 20;

#[cfg(test)]
mod tests;
