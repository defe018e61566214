//! N-grams of one text after the other.

use super::blocks;
use super::cutter::{Cutter, Tokens};
use super::messages::Messages;
use super::pairs::{self, Pairs};
use super::words::{ID_BITS, Key, Place, SHORT, Words};
use crate::cpu::Cpu;
use crate::job::{Aborted, Job};

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
///
/// A text may be long: every method looks, before each piece of some hundred tokens, whether the job was stopped, and
/// then returns [`Aborted`]; what it was to fill holds part of the text.
pub struct NgramHasher {
    order: usize,
    buckets: usize,
    cpu: Cpu,
    /// Word numbers at which the tables start over.
    last_id: usize,
    tokens: Tokens,
    words: Words,
    pairs: Pairs,
    messages: Messages,
    piece: Piece,
    worth: Worth,
    stats: CacheStats,
}

/// Whether the tables are worth asking. Where a text repeats little, looking words and pairs up and learning them takes
/// longer than the digests that are saved: then all is hashed for a while, and the tables are tried again.
struct Worth {
    /// Words and pairs asked for before it is judged.
    trial: u64,
    /// Tokens that then go by without the tables.
    pause: u64,
    asked: u64,
    known: u64,
    /// Tokens of the pause that are to come.
    rest: u64,
}

impl Worth {
    /// One in so many must be known.
    const LEAST: u64 = 4;

    fn new() -> Self {
        Worth { trial: 1 << 14, pause: 1 << 17, asked: 0, known: 0, rest: 0 }
    }

    /// Whether the next tokens go by without the tables.
    fn rests(&mut self, tokens: usize) -> bool {
        let rests = self.rest > 0;
        self.rest = self.rest.saturating_sub(tokens as u64);
        rests
    }

    fn saw(&mut self, asked: u64, known: u64) {
        self.asked += asked;
        self.known += known;
        if self.asked >= self.trial {
            if self.known * Self::LEAST < self.asked {
                self.rest = self.pause;
            }
            (self.asked, self.known) = (0, 0);
        }
    }
}

/// What is known of the new tokens of a piece.
#[derive(Default)]
struct Piece {
    keys: Vec<(Key, u32)>,
    /// The number of the word before the piece (0: there is none, or it is not known), and then of its own.
    ids: Vec<u32>,
    /// Buckets by token and order.
    features: Vec<u32>,
    new_words: Vec<(Place, u32)>,
    /// Tokens that are a new word again, and which.
    again: Vec<(u32, u32)>,
    new_pairs: Vec<u32>,
}

/// The n-grams of a piece.
struct Features<'p> {
    tokens: &'p Tokens,
    /// `[tokens behind `first`, width]`
    buckets: &'p [u32],
    width: usize,
    /// Tokens of earlier pieces at the front.
    first: usize,
    /// Tokens of the text before the piece.
    seen: u64,
}

impl Features<'_> {
    /// The buckets token by token, shorter orders first.
    #[inline(always)]
    fn runs(&self, mut f: impl FnMut(&[u32])) {
        let mut rows = self.buckets.chunks_exact(self.width);
        let ragged = (self.width as u64 - 1).saturating_sub(self.seen) as usize;
        for (i, row) in rows.by_ref().take(ragged).enumerate() {
            f(&row[..self.seen as usize + i + 1]);
        }
        let whole = self.buckets.len().min(ragged * self.width);
        f(&self.buckets[whole..]);
    }

    /// The buckets one by one, in the same order.
    #[inline(always)]
    fn for_each(&self, mut f: impl FnMut(u32)) {
        self.runs(|run| run.iter().for_each(|&bucket| f(bucket)));
    }
}

impl NgramHasher {
    /// A hasher of n-grams of 1..=`order` tokens into `buckets` buckets; both at least 1.
    pub fn new(order: u32, buckets: u32) -> Self {
        NgramHasher::with_cpu(order, buckets, Cpu::current())
    }

    fn with_cpu(order: u32, buckets: u32, cpu: Cpu) -> Self {
        assert!(order >= 1 && buckets >= 1);
        NgramHasher {
            order: order as usize,
            buckets: buckets as usize,
            cpu,
            last_id: 1 << ID_BITS,
            tokens: Tokens::new(),
            words: Words::new(),
            pairs: Pairs::new(),
            messages: Messages::new(cpu, buckets),
            piece: Piece::default(),
            worth: Worth::new(),
            stats: CacheStats::default(),
        }
    }

    /// Hands the n-grams of `text` to `f`, a piece after the other.
    #[inline(always)]
    fn pieces(&mut self, text: &str, job: &Job, mut f: impl FnMut(Features)) -> Result<Stats, Aborted> {
        let mut cutter = Cutter::new(text);
        self.tokens.clear();
        self.piece.ids.clear();
        self.piece.ids.push(0);
        let (mut seen, mut first, mut more) = (0u64, 0, true);
        while more {
            job.check()?;
            more = fill(self.cpu, &mut cutter, &mut self.tokens);
            let count = self.tokens.count() - first;
            if count > 0 {
                let width = (self.order as u64).min(seen + count as u64) as usize;
                self.look_up(first, width);
                let buckets = &self.piece.features[..count * width];
                f(Features { tokens: &self.tokens, buckets, width, first, seen });
            }
            seen += count as u64;
            first = (self.order - 1).min(self.tokens.count());
            self.tokens.keep_last(first);
            self.piece.ids.drain(..count);
        }
        Ok(self.stats_of(seen))
    }

    fn stats_of(&self, tokens: u64) -> Stats {
        let longest = tokens.min(self.order as u64);
        // Windows of 1, 2, ... longest tokens: tokens, tokens - 1, ...
        let features = longest * tokens - longest * longest.saturating_sub(1) / 2;
        Stats { tokens: tokens.min(u32::MAX.into()) as u32, features }
    }

    /// Finds the buckets of all n-grams that end behind the first `first` tokens.
    fn look_up(&mut self, first: usize, width: usize) {
        #[cfg(target_arch = "x86_64")]
        if self.cpu.avx2 {
            // SAFETY: the processor has the features of `look_up_avx2`.
            return unsafe { self.look_up_avx2(first, width) };
        }
        self.look_up_here(first, width);
    }

    /// The same for compilers that may use the instructions for bits, with which the loops below are shorter.
    ///
    /// # Safety
    /// The processor has AVX2, BMI1, BMI2, LZCNT and POPCNT.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    unsafe fn look_up_avx2(&mut self, first: usize, width: usize) {
        self.look_up_here(first, width);
    }

    #[inline(always)]
    fn look_up_here(&mut self, first: usize, width: usize) {
        let count = self.tokens.count() - first;
        let places = self.piece.features.len().max(count * width);
        self.piece.features.resize(places, 0);
        if self.worth.rests(count) {
            return self.hash_all(first, width);
        }
        if self.words.next() as usize + count + 1 > self.last_id {
            self.words.clear();
            self.pairs.clear();
            self.piece.ids[0] = 0;
        }
        if first > 0 && self.piece.ids[0] == 0 {
            // No pair begins with 0: the word before the piece gets a number of its own.
            self.piece.ids[0] = self.words.fresh();
        }
        let known = self.words.next();
        self.find_words(first, width, known);
        self.push_words(first, width);
        if width >= 2 {
            self.find_pairs(first, width);
            self.push_pairs(first, width);
        }
        for order in 3..=width {
            self.push_windows(first, width, order);
        }
        self.messages.finish(&mut self.piece.features);
        self.learn(width, known);
    }

    /// The same without the tables.
    #[inline(always)]
    fn hash_all(&mut self, first: usize, width: usize) {
        for order in 1..=width {
            self.push_windows(first, width, order);
        }
        self.messages.finish(&mut self.piece.features);
        let ids = self.piece.ids.len() + self.tokens.count() - first;
        self.piece.ids.resize(ids, 0);
    }

    /// Numbers the words; those that no table knows are noted.
    #[inline(always)]
    fn find_words(&mut self, first: usize, width: usize, known: u32) {
        let NgramHasher { tokens, words, pairs, piece, .. } = self;
        let Piece { keys, ids, features, new_words, again, .. } = piece;
        let bytes = tokens.bytes();
        keys.resize(tokens.count() - first, <(Key, u32)>::default());
        for (slot, (start, len)) in keys.iter_mut().zip(tokens.places(first)) {
            let key = Key::new(bytes, start, len);
            *slot = (key, words.prepare(key));
        }
        new_words.clear();
        again.clear();
        let mut before = ids[0];
        let rows = features.chunks_exact_mut(width);
        for (i, ((&(key, set), (start, len)), row)) in
            keys.iter().zip(tokens.places(first)).zip(rows).enumerate()
        {
            let next = words.next();
            let (found, place) = if len <= SHORT {
                (words.short(key, set), Place::Short(set))
            } else {
                words.long(&bytes[start..start + len])
            };
            row[0] = found.bucket;
            pairs.prepare(pairs::Key::new(before, found.id));
            before = found.id;
            ids.push(found.id);
            if found.id >= known {
                if found.id == next {
                    new_words.push((place, i as u32));
                } else {
                    again.push((i as u32, found.id - known));
                }
            }
        }
    }

    #[inline(always)]
    fn push_words(&mut self, first: usize, width: usize) {
        let NgramHasher { tokens, messages, piece, .. } = self;
        let words = piece.new_words.iter().map(|&(_, i)| i as usize);
        let ngrams = words.map(|i| (first + i..first + i + 1, i * width));
        messages.push(tokens, ngrams, &mut piece.features);
    }

    /// Looks the pairs up; those that the table does not know are noted.
    #[inline(always)]
    fn find_pairs(&mut self, first: usize, width: usize) {
        let NgramHasher { pairs, piece, .. } = self;
        let Piece { ids, features, new_pairs, .. } = piece;
        new_pairs.resize(new_pairs.len().max(ids.len()), 0);
        let mut misses = 0;
        // The first token of a text ends no pair.
        let skip = usize::from(first == 0);
        let rows = features.chunks_exact_mut(width).skip(skip);
        for (i, (pair, row)) in (skip..).zip(ids[skip..].windows(2).zip(rows)) {
            let (is_there, bucket) = pairs.get(pairs::Key::new(pair[0], pair[1]));
            row[1] = bucket;
            new_pairs[misses] = i as u32;
            misses += usize::from(!is_there);
        }
        new_pairs.truncate(misses);
        let asked = self.piece.ids.len() - 1 - skip;
        self.stats.pair_misses += misses as u64;
        self.stats.pair_hits += (asked - misses) as u64;
        self.worth.saw(asked as u64, (asked - misses) as u64);
    }

    #[inline(always)]
    fn push_pairs(&mut self, first: usize, width: usize) {
        let NgramHasher { tokens, messages, piece, .. } = self;
        let pairs = piece.new_pairs.iter().map(|&i| i as usize);
        let ngrams = pairs.map(|i| (first + i - 1..first + i + 1, i * width + 1));
        messages.push(tokens, ngrams, &mut piece.features);
    }

    #[inline(always)]
    fn push_windows(&mut self, first: usize, width: usize, order: usize) {
        let NgramHasher { tokens, messages, piece, .. } = self;
        let ends = first.max(order - 1)..tokens.count();
        let ngrams = ends.map(|end| (end + 1 - order..end + 1, (end - first) * width + order - 1));
        messages.push(tokens, ngrams, &mut piece.features);
    }

    /// Tells the tables what was hashed.
    #[inline(always)]
    fn learn(&mut self, width: usize, known: u32) {
        let NgramHasher { words, pairs, piece, .. } = self;
        let Piece { ids, features, new_words, again, new_pairs, .. } = piece;
        for (id, &(place, i)) in (known..).zip(new_words.iter()) {
            words.learn(place, id, features[i as usize * width]);
        }
        for &(i, new) in again.iter() {
            features[i as usize * width] = features[new_words[new as usize].1 as usize * width];
        }
        for i in new_pairs.drain(..).map(|i| i as usize) {
            pairs.insert(pairs::Key::new(ids[i], ids[i + 1]), features[i * width + 1]);
        }
        let (asked, new) = (ids.len() as u64 - 1, new_words.len() as u64);
        self.stats.word_misses += new;
        self.stats.word_hits += asked - new;
        self.worth.saw(asked, asked - new);
    }

    /// Calls `f` with the bucket of every n-gram, in order of the token where it ends, shorter ones first.
    pub fn for_each(&mut self, text: &str, job: &Job, mut f: impl FnMut(u32)) -> Result<Stats, Aborted> {
        self.pieces(text, job, |features| features.for_each(&mut f))
    }

    /// As [`for_each`](Self::for_each), but hands over the buckets in runs of many.
    pub fn runs(&mut self, text: &str, job: &Job, mut f: impl FnMut(&[u32])) -> Result<Stats, Aborted> {
        self.pieces(text, job, |features| features.runs(&mut f))
    }

    /// Adds 1 to `counts` for every n-gram.
    pub fn count(&mut self, text: &str, counts: &mut [u64], job: &Job) -> Result<Stats, Aborted> {
        self.for_each(text, job, |bucket| counts[bucket as usize] += 1)
    }

    /// The sum over the n-grams of each table: `tables` is `[t, buckets]`, `scores` `[t]`.
    pub fn score(
        &mut self,
        text: &str,
        tables: &[f64],
        scores: &mut [f64],
        job: &Job,
    ) -> Result<Stats, Aborted> {
        scores.fill(0.0);
        let buckets = self.buckets;
        self.pieces(text, job, |features| {
            for (score, table) in scores.iter_mut().zip(tables.chunks_exact(buckets)) {
                let mut sum = *score;
                features.for_each(|bucket| sum += table[bucket as usize]);
                *score = sum;
            }
        })
    }

    /// The number of tokens and n-grams, without hashing.
    pub fn features(&mut self, text: &str, job: &Job) -> Result<Stats, Aborted> {
        let mut cutter = Cutter::new(text);
        self.tokens.clear();
        let mut seen = 0;
        let mut more = true;
        while more {
            job.check()?;
            more = fill(self.cpu, &mut cutter, &mut self.tokens);
            seen += self.tokens.count() as u64;
            self.tokens.keep_last(0);
        }
        Ok(self.stats_of(seen))
    }

    /// Calls `f` with the bucket and the text of every n-gram; slow.
    pub fn explain(&mut self, text: &str, job: &Job, mut f: impl FnMut(u32, &str)) -> Result<Stats, Aborted> {
        let mut ngram = String::new();
        self.pieces(text, job, |features| {
            for (i, row) in features.buckets.chunks_exact(features.width).enumerate() {
                let behind = features.first + i + 1;
                for (order, &bucket) in (1..=behind).zip(row) {
                    ngram.clear();
                    for token in behind - order..behind {
                        let token = features.tokens.get(token);
                        let token =
                            str::from_utf8(token).expect("borders of tokens are borders of characters");
                        ngram.push_str(if ngram.is_empty() { "" } else { " " });
                        ngram.push_str(token);
                    }
                    f(bucket, &ngram);
                }
            }
        })
    }

    /// What the tables did so far.
    pub fn cache_stats(&self) -> CacheStats {
        self.stats
    }
}

#[cfg(test)]
mod tests;

/// [`Cutter::fill`] by what the processor has.
fn fill(cpu: Cpu, cutter: &mut Cutter, tokens: &mut Tokens) -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        if cpu.avx512 {
            // SAFETY: the processor has the features of `fill_avx512`.
            return unsafe { fill_avx512(cutter, tokens) };
        }
        if cpu.avx2 {
            // SAFETY: the processor has the features of `fill_avx2`.
            return unsafe { fill_avx2(cutter, tokens) };
        }
    }
    let _ = cpu;
    // SAFETY: the portable way asks for nothing.
    unsafe { cutter.fill(blocks::Portable, tokens) }
}

/// # Safety
/// The processor has AVX2, BMI1, BMI2, LZCNT and POPCNT.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
unsafe fn fill_avx2(cutter: &mut Cutter, tokens: &mut Tokens) -> bool {
    // SAFETY: the caller promises as much.
    unsafe { cutter.fill(blocks::Avx2, tokens) }
}

/// # Safety
/// The processor has AVX-512 F, BW and VL, and all of `fill_avx2`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,bmi1,bmi2,lzcnt,popcnt")]
unsafe fn fill_avx512(cutter: &mut Cutter, tokens: &mut Tokens) -> bool {
    // SAFETY: the caller promises as much.
    unsafe { cutter.fill(blocks::Avx512, tokens) }
}
