//! The records that a person is shown: the extremes of what was chosen, and what nearly was.

use super::choose::Pick;

/// Characters of an example's text that are kept.
pub const EXAMPLE_CHARACTERS: usize = 600;

/// One record to show.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// Which input.
    pub file: u32,
    /// Place among the good records of its file, from 0.
    pub record: u64,
    pub score: f64,
    /// What decided: score plus noise.
    pub key: f64,
    pub tokens: u32,
    /// Which table took it; none for a miss.
    pub table: Option<u32>,
    /// The text's first [`EXAMPLE_CHARACTERS`] characters, and `…` if there are more.
    pub text: String,
}

/// Which picks are shown.
pub(super) struct Shown {
    pub(super) highest: Vec<usize>,
    pub(super) lowest: Vec<usize>,
    pub(super) misses: Vec<usize>,
    /// All of them, ascending.
    wanted: Vec<usize>,
}

impl Shown {
    pub(super) fn new(picks: &[Pick], most: usize) -> Self {
        let of = |at: usize| picks[at].candidate;
        let mut misses: Vec<usize> = (0..picks.len()).filter(|&at| picks[at].table.is_none()).collect();
        misses.sort_by(|&a, &b| of(a).order(&of(b)));
        misses.truncate(most);
        // Twice a selection of a few is cheaper than one sort of all.
        let extreme = |sign: f64| {
            let mut best: Vec<usize> = Vec::with_capacity(most + 1);
            for at in (0..picks.len()).filter(|&at| picks[at].table.is_some()) {
                let place = best.partition_point(|&other| sign * of(other).score >= sign * of(at).score);
                if place < most {
                    best.insert(place, at);
                    best.truncate(most);
                }
            }
            best
        };
        let (highest, lowest) = (extreme(1.0), extreme(-1.0));
        let mut wanted = [&highest[..], &lowest, &misses].concat();
        wanted.sort_unstable();
        wanted.dedup();
        Shown { highest, lowest, misses, wanted }
    }

    pub(super) fn is_wanted(&self, at: usize) -> bool {
        self.wanted.binary_search(&at).is_ok()
    }
}

/// The example of a pick; `texts` holds its text.
pub(super) fn example(pick: &Pick, at: usize, texts: &[(usize, String)]) -> Example {
    let text = texts.iter().find(|(of, _)| *of == at).map_or_else(String::new, |(_, text)| text.clone());
    let candidate = &pick.candidate;
    Example {
        file: candidate.file,
        record: candidate.ordinal,
        score: candidate.score,
        key: candidate.key,
        tokens: candidate.tokens,
        table: pick.table,
        text,
    }
}

impl Example {
    /// Of a record that was not scored; no table took it unless it is written.
    pub(crate) fn unscored(file: u32, record: u64, is_written: bool, text: &str) -> Self {
        let table = is_written.then_some(0);
        Example { file, record, score: 0.0, key: 0.0, tokens: 0, table, text: cut(text) }
    }
}

/// A text as an example shows it.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(EXAMPLE_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
