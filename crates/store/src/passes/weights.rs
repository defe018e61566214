//! The scores of every record, as a scoring pass left them in its state.

use super::score::{Scored, weights_phase};
use crate::error::Error;
use crate::input::Input;
use crate::scores::ScoresWriter;
use crate::state::State;
use std::path::Path;
use tamis_kernels::job::Job;

/// Scores and tokens of consecutive records.
pub struct Weighed<'a> {
    /// [records, tables]
    pub scores: &'a [f64],
    pub tokens: &'a [u32],
}

/// Gives back, in order, the scores and tokens of every record that a pass with `keep_weights` left in its state, a
/// shard or part of one at a time.
pub fn each_weight(
    scored: &Scored,
    state: &State,
    mut each: impl FnMut(Weighed) -> Result<(), Error>,
) -> Result<(), Error> {
    let tables = scored.tables;
    let size = tables * 8 + 4;
    let (mut scores, mut tokens) = (Vec::new(), Vec::new());
    for (shard, &pieces) in scored.pieces.iter().enumerate() {
        for piece in 0..pieces {
            let lost = || {
                Error::range(format!(
                    "the resume state lost the weights of shard {shard}: run without --resume"
                ))
            };
            let bytes = state.get(&weights_phase(shard), piece).ok_or_else(lost)?;
            if bytes.len() % size != 0 {
                return Err(lost());
            }
            scores.clear();
            tokens.clear();
            for record in bytes.chunks_exact(size) {
                let (words, last) = record.split_at(tables * 8);
                scores.extend(words.as_chunks().0.iter().map(|&word| f64::from_le_bytes(word)));
                tokens.extend(last.as_chunks().0.iter().map(|&word| u32::from_le_bytes(word)));
            }
            each(Weighed { scores: &scores, tokens: &tokens })?;
        }
    }
    Ok(())
}

/// Writes a scores file of every record (see [`ScoresWriter`]), its files named as they are as inputs.
///
/// `targets` names the tables; an empty name stands for none. An existing file needs `force`.
pub fn write_scores(
    path: &Path,
    inputs: &[Input],
    scored: &Scored,
    targets: &[String],
    state: &State,
    force: bool,
    job: &Job,
) -> Result<(), Error> {
    let mut writer = ScoresWriter::create(path, targets, force)?;
    let mut files = inputs.iter().zip(&scored.seen.files);
    let mut current = files.next();
    let mut record = 0;
    each_weight(scored, state, |weighed| {
        job.check()?;
        // A piece never reaches into another file.
        while let Some((_, totals)) = current
            && record == totals.records
        {
            current = files.next();
            record = 0;
        }
        let name = current.map_or("", |(input, _)| &input.name);
        writer.push(name, record, weighed.scores, weighed.tokens)?;
        record += weighed.tokens.len() as u64;
        Ok(())
    })?;
    writer.finish()
}
