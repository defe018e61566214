//! N-grams of one text after the other.

use crate::sha256;
use crate::unicode::{self, Classes, SPACE, WORD};

/// What was seen of a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    pub tokens: u32,
    /// N-grams: with L tokens the sum over j <= order of max(L - j + 1, 0).
    pub features: u64,
}

/// How often the tables of words and pairs had what was asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheStats {
    pub word_hits: u64,
    pub word_misses: u64,
    pub pair_hits: u64,
    pub pair_misses: u64,
}

/// Cuts texts into tokens and hashes their n-grams into buckets.
pub struct NgramHasher {
    order: u32,
    buckets: u32,
}

impl NgramHasher {
    /// A hasher of n-grams of 1..=`order` tokens into `buckets` buckets; both at least 1.
    pub fn new(order: u32, buckets: u32) -> Self {
        assert!(order >= 1 && buckets >= 1);
        NgramHasher { order, buckets }
    }

    fn tokens(&self, text: &str) -> Vec<String> {
        let classes = Classes::get();
        let mut lowered = String::new();
        unicode::lower_into(text, classes, &mut lowered);
        let mut tokens: Vec<String> = Vec::new();
        let mut before = SPACE;
        for c in lowered.chars() {
            let class = classes.of(c) & (WORD | SPACE);
            if class != SPACE {
                if class != before {
                    tokens.push(String::new());
                }
                tokens.last_mut().expect("just begun").push(c);
            }
            before = class;
        }
        tokens
    }

    fn each(&self, text: &str, mut f: impl FnMut(u32, &str)) -> Stats {
        let tokens = self.tokens(text);
        let mut features = 0;
        for end in 0..tokens.len() {
            for order in 1..=(self.order as usize).min(end + 1) {
                let ngram = tokens[end + 1 - order..=end].join(" ");
                let words = sha256::words(ngram.as_bytes());
                let bucket = words.iter().fold(0, |r, &w| (r << 32 | u64::from(w)) % u64::from(self.buckets));
                f(bucket as u32, &ngram);
                features += 1;
            }
        }
        Stats { tokens: tokens.len() as u32, features }
    }

    /// Calls `f` with the bucket of every n-gram, in order of the token where it ends, shorter ones first.
    pub fn for_each(&mut self, text: &str, mut f: impl FnMut(u32)) -> Stats {
        self.each(text, |bucket, _| f(bucket))
    }

    /// Adds 1 to `counts` for every n-gram.
    pub fn count(&mut self, text: &str, counts: &mut [u64]) -> Stats {
        self.for_each(text, |bucket| counts[bucket as usize] += 1)
    }

    /// The sum over the n-grams of each table: `tables` is `[t, buckets]`, `scores` `[t]`.
    pub fn score(&mut self, text: &str, tables: &[f64], scores: &mut [f64]) -> Stats {
        scores.fill(0.0);
        let buckets = self.buckets as usize;
        self.for_each(text, |bucket| {
            for (score, table) in scores.iter_mut().zip(tables.chunks_exact(buckets)) {
                *score += table[bucket as usize];
            }
        })
    }

    /// The number of tokens and n-grams, without hashing.
    pub fn features(&mut self, text: &str) -> Stats {
        let tokens = self.tokens(text).len() as u64;
        let features = (1..=u64::from(self.order)).map_while(|j| (tokens + 1).checked_sub(j)).sum();
        Stats { tokens: tokens as u32, features }
    }

    /// Calls `f` with the bucket and the text of every n-gram; slow.
    pub fn explain(&mut self, text: &str, f: impl FnMut(u32, &str)) -> Stats {
        self.each(text, f)
    }

    /// What the tables did so far.
    pub fn cache_stats(&self) -> CacheStats {
        CacheStats::default()
    }
}
