//! Sources, each with targets behind it.
//!
//! A pair starts from the symbols of both alone, and follows the target's own steps. A [filter](super::grams) of the
//! source's strings tells where the source could have a longer match than the target itself: only from there on
//! strings are looked at, until the target's own steps are met again, and the symbols exchanged.
//! Cost of a pair: O(length of the target) look-ups in the filter, and a few strings for each match in the source.

use super::block::Block;
use super::grams::{Gram, Grams};
use super::lazy::{
    Effort, FRESH, HASHES, LONGEST, MOST, PADDING, SHORTEST, State, common, hash, hashes, pair,
};
use super::target::{ASIDE, Target};
use crate::cpu::prefetch;

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
    grams: Grams,
    state: State,
    /// Of a target's path, the steps for which the source may be of use, and where they begin.
    useful: Vec<(u16, u16)>,
}

impl Matcher {
    pub fn new(level: u32) -> Self {
        Matcher {
            effort: Effort::of(level),
            buffer: vec![0; MOST + PADDING],
            len: 0,
            head: vec![0; HASHES],
            before: vec![0; MOST],
            grams: Grams::new(),
            state: State::new(),
            useful: Vec::new(),
        }
    }

    /// Takes a source up, and cuts it alone.
    pub fn begin(&mut self, text: &[u8]) -> Block {
        let Matcher { effort, buffer, len, head, before, grams, state, .. } = self;
        hashes(&buffer[..*len]).for_each(|hash| head[usize::from(hash)] = 0);
        *len = text.len();
        buffer[..text.len()].copy_from_slice(text);
        grams.put(buffer, text.len());
        for (at, hash) in hashes(text).enumerate() {
            before[at] = std::mem::replace(&mut head[usize::from(hash)], at as u16);
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
        let block = Block { frequencies: whole.counts.clone(), bytes: end };
        *state = held.unwrap_or(whole);
        block
    }

    /// Cuts the source with a target behind it.
    pub fn finish(&mut self, target: &Target) -> Block {
        let Matcher { effort, buffer, len, head, before, grams, state, useful } = self;
        let len = *len;
        let end = len + target.text.len();
        buffer[len..end].copy_from_slice(&target.text);
        // The last two places of the source have hashes that the target completes.
        let border = len.saturating_sub(2)..len.min((end + 1).saturating_sub(SHORTEST));
        for at in border.clone() {
            let hash = hash(buffer[at], buffer[at + 1], buffer[at + 2]);
            before[at] = std::mem::replace(&mut head[usize::from(hash)], at as u16);
        }
        let overwritten = grams.put_across(buffer, len, end);
        useful.resize(useful.len().max(target.grams() + 1), (0, 0));
        let found = target.find_all(|gram| grams.may_have(gram), useful);
        for &(_, at) in &useful[..found] {
            let at = len + usize::from(at);
            prefetch(&head[usize::from(hash(buffer[at], buffer[at + 1], buffer[at + 2]))]);
        }
        let mut state = state.clone();
        Pair { effort, buffer, len, end, head, before, grams, target }.cut(&mut state, &useful[..found]);
        grams.restore(&overwritten);
        for at in border.rev() {
            let hash = hash(buffer[at], buffer[at + 1], buffer[at + 2]);
            head[usize::from(hash)] = before[at];
        }
        Block { frequencies: state.counts, bytes: end }
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
    let mut left = effort.visits(state.length >= effort.good);
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
    grams: &'a Grams,
    target: &'a Target,
}

impl Pair<'_> {
    /// Goes on from a state of the source to the end.
    fn cut(&self, state: &mut State, useful: &[(u16, u16)]) {
        let &Pair { effort, buffer, len, end, target, .. } = self;
        state.counts.add(&target.counts);
        // From this step of the path on its symbols are not those of the pair, until it is met again.
        let mut left = 0;
        let mut useful = useful.iter();
        loop {
            if state.length == FRESH && state.at >= len {
                let met = target.step_on_path(state.at - len);
                if met != ASIDE {
                    target.take_back(left..met, &mut state.counts);
                    let Some(&(step, at)) = useful.by_ref().find(|(step, _)| *step >= met) else { return };
                    (left, state.at) = (step, len + usize::from(at));
                }
            }
            debug_assert!(state.at < end);
            state.step(buffer, effort.lazy, |state| self.search(state));
        }
    }

    #[inline(always)]
    fn search(&self, state: &State) -> Option<(usize, usize)> {
        let Pair { effort, buffer, len, end, head, before, grams, target } = *self;
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
            left: effort.visits(few),
            ended: false,
        };
        let place = if at < len {
            before[at]
        } else {
            let own = target.own(at - len, few);
            if usize::from(own.length) > hunt.best {
                hunt.best = usize::from(own.length);
                hunt.found = Some((hunt.best, len + usize::from(own.start)));
            }
            hunt.left = usize::from(own.left);
            let longer = hunt.best + 1;
            let none = || at + longer > end || !grams.may_have(Gram::within(buffer, at, longer));
            if hunt.left == 0 || none() {
                return hunt.found;
            }
            head[usize::from(hash(buffer[at], buffer[at + 1], buffer[at + 2]))]
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
