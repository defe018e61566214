//! Duplicates in a corpus: a pass that marks every document, the groups of those that are the same, and a pass that writes one
//! document of each group.
//!
//! Documents are numbered from 0: those of the corpus that is only compared with come first (they are never written), then
//! those of the corpus that is written. Memory: 4 bytes a document, and what the finder of duplicates is allowed.

pub mod clusters;
pub mod digest;
pub mod documents;
pub mod find;
pub mod groups;
pub mod markers;
pub mod semantic;
pub mod survey;
pub mod write;

#[cfg(test)]
mod tests;
