//! The symbols into which zlib cuts a text at levels 4 to 9, without its stream: only their numbers are kept.
//!
//! zlib looks for the longest of the earlier strings whose first three bytes have the same hash, newest first, so many
//! at most, and takes a match unless the next place has a longer one ("lazy" matching). Since every place of a text
//! is entered under its hash, which strings are looked at is a function of the text alone. So what comes before the
//! first search that reaches the end of a source holds for every text that begins with it, and what a target finds in
//! itself is the same behind every source: both are done once ([`Matcher::begin`], [`Target::new`]). A pair
//! ([`Matcher::finish`]) takes the target's own steps wherever the source has no string of the same hash, and looks
//! only elsewhere.
//! Texts are of one block of zlib's, so that its window never slides. Cost of a pair: O(length of the target) steps of
//! a few strings each.

use super::block::{Frequencies, copy_symbols};

/// Bytes of a text, and of a source with its target: fewer than the symbols at which zlib ends a block.
const MOST: usize = 16_382;
const LONGEST: usize = 258;
const SHORTEST: usize = 3;
/// Matches of three bytes from farther away are not worth their distance.
const TOO_FAR: usize = 4096;
const HASHES: usize = 1 << 15;
/// Comparing reads ahead so far.
const PADDING: usize = LONGEST + 16;

/// zlib's table of what each level spends.
#[derive(Debug, Clone, Copy)]
struct Effort {
    /// From a match of this length on a quarter of the strings is looked at.
    good: usize,
    /// From this length on no longer one is looked for.
    lazy: usize,
    /// A match of this length ends the search.
    nice: usize,
    /// How many strings are looked at.
    chain: usize,
}

impl Effort {
    fn of(level: u32) -> Self {
        let (good, lazy, nice, chain) = match level {
            0..=4 => (4, 4, 16, 16),
            5 => (8, 16, 32, 32),
            6 => (8, 16, 128, 128),
            7 => (8, 32, 128, 256),
            8 => (32, 128, 258, 1024),
            9.. => (32, 258, 258, 4096),
        };
        Effort { good, lazy, nice, chain }
    }
}

/// Whether a text, or a source with its target, can be done here.
pub fn fits(level: u32, len: usize) -> bool {
    level >= 4 && len <= MOST
}

/// zlib's hash of three bytes.
#[inline(always)]
fn hash(a: u8, b: u8, c: u8) -> u16 {
    (u16::from(a) << 10 ^ u16::from(b) << 5 ^ u16::from(c)) & (HASHES as u16 - 1)
}

/// Of the three bytes at each place that has them.
fn hashes(text: &[u8]) -> impl Iterator<Item = u16> + '_ {
    text.windows(SHORTEST).map(|w| hash(w[0], w[1], w[2]))
}

#[inline(always)]
fn word(buffer: &[u8], at: usize) -> u64 {
    let bytes: [u8; 8] = buffer[at..at + 8].try_into().expect("eight bytes");
    u64::from_le_bytes(bytes)
}

#[inline(always)]
fn pair(buffer: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([buffer[at], buffer[at + 1]])
}

/// How many bytes are the same at two places, at most `most`; the buffer goes on for [`PADDING`] behind it.
#[inline(always)]
fn common(buffer: &[u8], a: usize, b: usize, most: usize) -> usize {
    let mut i = 0;
    while i < most {
        let differ = word(buffer, a + i) ^ word(buffer, b + i);
        if differ != 0 {
            return most.min(i + differ.trailing_zeros() as usize / 8);
        }
        i += 8;
    }
    most
}

/// Where the cutting of a text is: all before `at` is counted, but for a match that waits.
#[derive(Debug, Clone)]
struct State {
    at: usize,
    /// Of the match at the place before, which waits for a longer one; [`FRESH`] if there is none.
    length: usize,
    start: usize,
    counts: Frequencies,
}

/// No match waits.
const FRESH: usize = SHORTEST - 1;

impl State {
    fn new() -> Self {
        State { at: 0, length: FRESH, start: 0, counts: Frequencies::new() }
    }

    /// Goes on by one place, or to the end of a match. `search` gives the length and the start of a match at
    /// `state.at` that is longer than the one before.
    #[inline(always)]
    fn step(&mut self, text: &[u8], lazy: usize, mut search: impl FnMut(&State) -> Option<(usize, usize)>) {
        let longer = if self.length < lazy { search(self) } else { None };
        let worth = |&(length, start): &(usize, usize)| length > SHORTEST || self.at - start <= TOO_FAR;
        match longer.filter(worth) {
            Some((length, start)) => {
                if self.length > FRESH {
                    self.counts.literal(text[self.at - 1]);
                }
                (self.length, self.start) = (length, start);
                self.at += 1;
            }
            None if self.length > FRESH => {
                self.counts.copy(self.length, self.at - 1 - self.start);
                self.at += self.length - 1;
                self.length = FRESH;
            }
            None => {
                self.counts.literal(text[self.at]);
                self.at += 1;
            }
        }
    }
}

/// What a place of a target finds in the target itself.
#[derive(Debug, Clone, Copy, Default)]
struct Own {
    /// 0 for none.
    length: u16,
    start: u16,
    /// Strings looked at.
    visited: u16,
    /// No more strings are looked at: the match is nice.
    ended: bool,
}

/// What is counted from a place of a target on, where no match waits, up to the next such place, if nothing before the
/// target is of use to it.
#[derive(Debug, Clone, Copy, Default)]
struct Step {
    literals: u16,
    /// Symbols of the match behind them, if there is one.
    copy: Option<(u16, u8)>,
    next: u16,
    /// Places, from the first on, where strings are looked for.
    searches: u16,
}

/// A text that goes behind others.
pub struct Target {
    text: Vec<u8>,
    hashes: Vec<u16>,
    /// Of each place, with all of the effort and with a quarter of it.
    own: Vec<[Own; 2]>,
    steps: Vec<Step>,
}

impl Target {
    pub fn new(text: &[u8], level: u32) -> Self {
        let effort = Effort::of(level);
        let hashes: Vec<u16> = hashes(text).collect();
        let mut buffer = text.to_vec();
        buffer.resize(text.len() + PADDING, 0);
        // Places count from 1 here: 0 is none.
        let mut head = vec![0u16; HASHES];
        let mut before = vec![0u16; hashes.len() + 1];
        let own = hashes.iter().enumerate().map(|(at, &hash)| {
            let first = std::mem::replace(&mut head[usize::from(hash)], at as u16 + 1);
            before[at + 1] = first;
            find_own(&buffer, text.len(), at, &before, &effort)
        });
        let own: Vec<[Own; 2]> = own.collect();
        let steps = (0..text.len()).map(|at| find_step(&own, at, &effort)).collect();
        Target { text: text.to_vec(), hashes, own, steps }
    }
}

/// What [`State::step`] does from a place on, by what the target finds in itself.
fn find_step(own: &[[Own; 2]], first: usize, effort: &Effort) -> Step {
    let (mut at, mut length, mut start, mut searches) = (first, FRESH, 0, 0);
    loop {
        let mut longer = false;
        if let Some(own) = own.get(at).filter(|_| length < effort.lazy) {
            searches = at + 1 - first;
            let own = own[usize::from(length >= effort.good)];
            let (found, place) = (usize::from(own.length), usize::from(own.start));
            if found > length && (found > SHORTEST || at - place <= TOO_FAR) {
                (length, start, longer) = (found, place, true);
            }
        }
        if !longer {
            // A match that waited begins at the place before.
            let (literals, copy, next) = match length {
                FRESH => (1, None, at + 1),
                _ => (at - 1 - first, Some(copy_symbols(length, at - 1 - start)), at + length - 1),
            };
            return Step { literals: literals as u16, copy, next: next as u16, searches: searches as u16 };
        }
        at += 1;
    }
}

fn find_own(buffer: &[u8], end: usize, at: usize, before: &[u16], effort: &Effort) -> [Own; 2] {
    let most = LONGEST.min(end - at);
    let nice = effort.nice.min(end - at);
    let mut own = Own::default();
    let mut quarter = None;
    let mut best = SHORTEST - 1;
    let mut place = before[at + 1];
    while place != 0 && usize::from(own.visited) < effort.chain {
        if usize::from(own.visited) == effort.chain >> 2 {
            quarter = Some(own);
        }
        own.visited += 1;
        let start = usize::from(place) - 1;
        let length = common(buffer, start, at, most);
        if length > best {
            best = length;
            own = Own { length: length as u16, start: start as u16, ..own };
            if length >= nice {
                own.ended = true;
                break;
            }
        }
        place = before[usize::from(place)];
    }
    [own, quarter.unwrap_or(own)]
}

/// A source, and how far its cutting holds for all that can follow.
pub struct Matcher {
    effort: Effort,
    /// The source, and a target behind it.
    buffer: Vec<u8>,
    len: usize,
    /// The last place of the source with a hash; place 0 is none, as zlib has it.
    head: Vec<u16>,
    /// The place before with the same hash.
    before: Vec<u16>,
    /// A bit a hash that has a place: small enough to stay in the nearest cache.
    known: Vec<u64>,
    state: State,
}

fn bit(hash: u16) -> (usize, u64) {
    (usize::from(hash >> 6), 1 << (hash & 63))
}

impl Matcher {
    pub fn new(level: u32) -> Self {
        Matcher {
            effort: Effort::of(level),
            buffer: vec![0; MOST + PADDING],
            len: 0,
            head: vec![0; HASHES],
            before: vec![0; MOST],
            known: vec![0; HASHES / 64],
            state: State::new(),
        }
    }

    /// Takes a source up, and gives the size of its own deflate stream.
    pub fn begin(&mut self, text: &[u8]) -> u32 {
        let Matcher { effort, buffer, len, head, before, known, state } = self;
        hashes(&buffer[..*len]).for_each(|hash| head[usize::from(hash)] = 0);
        known.fill(0);
        *len = text.len();
        buffer[..text.len()].copy_from_slice(text);
        for (at, hash) in hashes(text).enumerate() {
            before[at] = std::mem::replace(&mut head[usize::from(hash)], at as u16);
            let (word, bit) = bit(hash);
            // Place 0 is none.
            known[word] |= if at > 0 { bit } else { 0 };
        }
        let end = text.len();
        let mut held: Option<State> = None;
        let mut whole = State::new();
        while whole.at < end {
            whole.step(buffer, effort.lazy, |state| {
                let (found, reached) = search_alone(buffer, end, before, effort, state);
                if reached && held.is_none() {
                    held = Some(state.clone());
                }
                found
            });
        }
        let size = whole.counts.stream_size(end);
        *state = held.unwrap_or(whole);
        size
    }

    /// The size of the deflate stream of the source with a target behind it.
    pub fn finish(&mut self, target: &Target) -> u32 {
        let Matcher { effort, buffer, len, head, before, known, state } = self;
        let len = *len;
        let end = len + target.text.len();
        buffer[len..end].copy_from_slice(&target.text);
        // The last two places of the source have hashes that the target completes.
        let border = len.saturating_sub(2)..len.min((end + 1).saturating_sub(SHORTEST));
        for at in border.clone() {
            let hash = hash(buffer[at], buffer[at + 1], buffer[at + 2]);
            before[at] = std::mem::replace(&mut head[usize::from(hash)], at as u16);
            let (word, bit) = bit(hash);
            known[word] |= bit;
        }
        let pair = Pair { effort, buffer, len, end, head, before, known, target };
        let mut state = state.clone();
        while state.at < end {
            if state.length > FRESH || state.at < len || !pair.go(&mut state) {
                state.step(buffer, effort.lazy, |state| pair.search(state));
            }
        }
        for at in border.rev() {
            let hash = hash(buffer[at], buffer[at + 1], buffer[at + 2]);
            head[usize::from(hash)] = before[at];
            let (word, bit) = bit(hash);
            known[word] &= if before[at] == 0 { !bit } else { u64::MAX };
        }
        state.counts.stream_size(end)
    }
}

/// The longest match in a text, and whether what follows the text could change it.
fn search_alone(
    buffer: &[u8],
    end: usize,
    before: &[u16],
    effort: &Effort,
    state: &State,
) -> (Option<(usize, usize)>, bool) {
    let at = state.at;
    if end - at < SHORTEST {
        return (None, true);
    }
    let mut left = if state.length >= effort.good { effort.chain >> 2 } else { effort.chain };
    let (most, nice) = (LONGEST.min(end - at), effort.nice.min(end - at));
    let (mut best, mut found, mut reached) = (state.length, None, false);
    let mut place = usize::from(before[at]);
    while place != 0 && left > 0 {
        if at + best >= end {
            // Only a match that goes beyond the end would be longer.
            reached = true;
            break;
        }
        if buffer[place + best] == buffer[at + best] {
            let length = common(buffer, place, at, most);
            reached |= at + length == end;
            if length > best {
                (best, found) = (length, Some((length, place)));
                if length >= nice {
                    break;
                }
            }
        }
        place = usize::from(before[place]);
        left -= 1;
    }
    (found, reached)
}

/// A source with a target behind it.
struct Pair<'a> {
    effort: &'a Effort,
    buffer: &'a [u8],
    len: usize,
    end: usize,
    head: &'a [u16],
    before: &'a [u16],
    known: &'a [u64],
    target: &'a Target,
}

impl Pair<'_> {
    /// Takes the target's own step from a place of it where no match waits, unless the source has a string for one of
    /// its searches.
    #[inline(always)]
    fn go(&self, state: &mut State) -> bool {
        let Target { text, hashes, steps, .. } = self.target;
        let first = state.at - self.len;
        let step = &steps[first];
        // The last two places have no hash, and no search.
        let searched = hashes.get(first..first + usize::from(step.searches)).unwrap_or_default();
        let known = |&hash: &u16| {
            let (word, bit) = bit(hash);
            self.known[word] & bit != 0
        };
        if searched.iter().any(known) {
            return false;
        }
        for &byte in &text[first..first + usize::from(step.literals)] {
            state.counts.literal(byte);
        }
        if let Some(symbols) = step.copy {
            state.counts.copy_of(symbols);
        }
        state.at = self.len + usize::from(step.next);
        true
    }

    #[inline(always)]
    fn search(&self, state: &State) -> Option<(usize, usize)> {
        let Pair { effort, buffer, len, end, head, before, target, .. } = *self;
        let at = state.at;
        if end - at < SHORTEST {
            return None;
        }
        let few = state.length >= effort.good;
        let mut hunt = Hunt {
            buffer,
            at,
            most: LONGEST.min(end - at),
            nice: effort.nice.min(end - at),
            best: state.length,
            found: None,
            left: if few { effort.chain >> 2 } else { effort.chain },
            ended: false,
        };
        let place = if at < len {
            before[at]
        } else {
            let own = &target.own[at - len][usize::from(few)];
            if usize::from(own.length) > hunt.best {
                hunt.best = usize::from(own.length);
                hunt.found = Some((hunt.best, len + usize::from(own.start)));
            }
            hunt.left -= usize::from(own.visited);
            if own.ended || hunt.left == 0 {
                return hunt.found;
            }
            head[usize::from(target.hashes[at - len])]
        };
        let mut place = usize::from(place);
        while place != 0 {
            hunt.visit(place);
            if hunt.ended {
                break;
            }
            place = usize::from(before[place]);
        }
        hunt.found
    }
}

/// One search among strings.
struct Hunt<'a> {
    buffer: &'a [u8],
    at: usize,
    most: usize,
    nice: usize,
    best: usize,
    found: Option<(usize, usize)>,
    /// Strings that may be looked at yet.
    left: usize,
    ended: bool,
}

impl Hunt<'_> {
    #[inline(always)]
    fn visit(&mut self, place: usize) {
        // A longer match has the same two bytes where the best one ends; what lies behind the text never counts.
        let ends = self.best - 1;
        if pair(self.buffer, place + ends) == pair(self.buffer, self.at + ends) {
            let length = common(self.buffer, place, self.at, self.most);
            if length > self.best {
                self.best = length;
                self.found = Some((length, place));
                if length >= self.nice {
                    self.ended = true;
                }
            }
        }
        self.left -= 1;
        self.ended |= self.left == 0;
    }
}
