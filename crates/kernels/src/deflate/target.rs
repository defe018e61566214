//! A text that goes behind others, and what its cutting has in common behind all of them.

use super::block::{END_OF_BLOCK, Frequencies, copy_symbols};
use super::grams::Gram;
use super::lazy::{Effort, FRESH, HASHES, LONGEST, PADDING, SHORTEST, TOO_FAR, common, hashes};
use crate::cpu::prefetch;

/// What a place of a target finds in the target itself, with all of the effort or with a quarter of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Own {
    /// 0 for none.
    pub length: u16,
    pub start: u16,
    /// How many more strings may be looked at: none behind a nice match.
    pub left: u16,
}

/// The symbols of a step's match.
#[inline(always)]
fn symbols((length, distance): (u8, u8)) -> Option<(u16, u8)> {
    (length > 0).then_some((END_OF_BLOCK as u16 + u16::from(length), distance))
}

/// What a place finds, side by side in memory.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    own: Own,
    /// What it finds with a quarter of the effort if that is another match: its number in [`Target::few`], from 1 on.
    few: u16,
}

/// A step of the path: what is counted from a place on where no match waits, up to the next such place, if nothing before
/// the target is of use to it.
#[derive(Debug, Clone, Copy)]
struct Step {
    first: u16,
    literals: u16,
    /// Symbols of the match behind them; of its length by what is above [`END_OF_BLOCK`], 0 for no match.
    copy: (u8, u8),
}

/// No step of the path begins here.
pub const ASIDE: u16 = u16::MAX;

/// A text that goes behind others.
pub struct Target {
    pub text: Vec<u8>,
    places: Vec<Place>,
    few: Vec<Own>,
    effort: Effort,
    /// The steps from the first place on: what the target alone is cut into.
    path: Vec<Step>,
    /// Those that must be found before the target for it to be of use to a step of the path, and which step that is.
    grams: Vec<Gram>,
    gram_steps: Vec<u16>,
    /// Of each place and the end, the step of the path that begins there, or [`ASIDE`].
    on_path: Vec<u16>,
    /// Of the whole path.
    pub counts: Frequencies,
}

impl Target {
    pub fn new(text: &[u8], level: u32) -> Self {
        let mut buffer = text.to_vec();
        buffer.resize(text.len() + PADDING, 0);
        let mut target = Target {
            text: text.to_vec(),
            places: vec![Place::default(); text.len()],
            few: Vec::new(),
            effort: Effort::of(level),
            path: Vec::new(),
            grams: Vec::new(),
            gram_steps: Vec::new(),
            on_path: vec![ASIDE; text.len() + 1],
            counts: Frequencies::NONE,
        };
        // Places count from 1 here: 0 is none.
        let mut head = vec![0u16; HASHES];
        let mut before = vec![0u16; text.len() + 1];
        for (at, hash) in hashes(text).enumerate() {
            before[at + 1] = std::mem::replace(&mut head[usize::from(hash)], at as u16 + 1);
            target.find_own(&buffer, at, &before);
        }
        let mut at = 0;
        while at < text.len() {
            target.on_path[at] = target.path.len() as u16;
            at = target.push_step(&buffer, at);
        }
        target.on_path[at] = target.path.len() as u16;
        target
    }

    /// What a place with a hash finds in the target.
    #[inline(always)]
    pub fn own(&self, at: usize, few: bool) -> Own {
        let Place { own, few: other, .. } = self.places[at];
        if !few {
            return own;
        }
        match other {
            0 => Own {
                left: own.left.saturating_sub((self.effort.chain - self.effort.visits(true)) as u16),
                ..own
            },
            _ => self.few[usize::from(other) - 1],
        }
    }

    /// What [`State::step`](super::lazy::State::step) does from a place on, by what the target finds in itself, is the
    /// next step of the path. Gives the place behind it.
    fn push_step(&mut self, buffer: &[u8], first: usize) -> usize {
        let effort = self.effort;
        let (mut at, mut length, mut start) = (first, FRESH, 0);
        loop {
            let mut longer = false;
            if at + SHORTEST <= self.text.len() && length < effort.lazy {
                let own = self.own(at, length >= effort.good);
                let (found, place) = (usize::from(own.length), usize::from(own.start));
                // Only a longer match could change this, if it is looked for and there is room for it.
                let need = length.max(found) + 1;
                if own.left > 0 && at + need <= self.text.len() {
                    self.grams.push(Gram::within(buffer, at, need));
                }
                if found > length && (found > SHORTEST || at - place <= TOO_FAR) {
                    (length, start, longer) = (found, place, true);
                }
            }
            if !longer {
                break;
            }
            at += 1;
        }
        self.gram_steps.resize(self.grams.len(), self.path.len() as u16);
        // A match that waited begins at the place before.
        let (literals, copy, next) = match length {
            FRESH => (1, (0, 0), at + 1),
            _ => {
                let (symbol, distance) = copy_symbols(length, at - 1 - start);
                (at - 1 - first, ((symbol - END_OF_BLOCK as u16) as u8, distance), at + length - 1)
            }
        };
        self.path.push(Step { first: first as u16, literals: literals as u16, copy });
        self.text[first..first + literals].iter().for_each(|&byte| self.counts.literal(byte));
        symbols(copy).into_iter().for_each(|symbols| self.counts.copy_of(symbols));
        next
    }

    /// The step of the path from a place on, or [`ASIDE`].
    #[inline(always)]
    pub fn step_on_path(&self, at: usize) -> u16 {
        self.on_path[at]
    }

    /// The steps of the path for which one of its grams is found, once for each that is, and where they begin.
    #[inline(always)]
    pub fn find_all(&self, found: impl Fn(Gram) -> bool, steps: &mut [(u16, u16)]) -> usize {
        let mut len = 0;
        for (&step, &gram) in self.gram_steps.iter().zip(&self.grams) {
            // Hits come as they like: nothing is gained by a guess.
            steps[len].0 = step;
            len += usize::from(found(gram));
        }
        for (step, first) in &mut steps[..len] {
            *first = self.path[usize::from(*step)].first;
            prefetch(&self.places[usize::from(*first)]);
        }
        len
    }

    /// Most that [`Target::find_all`] can find.
    pub fn grams(&self) -> usize {
        self.gram_steps.len()
    }

    /// Takes steps of the path back.
    #[inline(always)]
    pub fn take_back(&self, steps: std::ops::Range<u16>, counts: &mut Frequencies) {
        for step in &self.path[usize::from(steps.start)..usize::from(steps.end)] {
            let literals = usize::from(step.first)..usize::from(step.first) + usize::from(step.literals);
            self.text[literals].iter().for_each(|&byte| counts.no_literal(byte));
            if let Some(symbols) = symbols(step.copy) {
                counts.no_copy_of(symbols);
            }
        }
    }

    fn find_own(&mut self, buffer: &[u8], at: usize, before: &[u16]) {
        let effort = self.effort;
        let end = self.text.len();
        let most = LONGEST.min(end - at);
        let nice = effort.nice.min(end - at);
        let (all, quarter) = (effort.chain as u16, effort.visits(true) as u16);
        let mut own = Own { left: all, ..Own::default() };
        let mut few = None;
        let mut best = SHORTEST - 1;
        let mut place = before[at + 1];
        while place != 0 && own.left > 0 {
            if all - own.left == quarter {
                few = Some(Own { left: 0, ..own });
            }
            own.left -= 1;
            let start = usize::from(place) - 1;
            let length = common(buffer, start, at, most);
            if length > best {
                best = length;
                own = Own { length: length as u16, start: start as u16, ..own };
                if length >= nice {
                    own.left = 0;
                }
            }
            place = before[usize::from(place)];
        }
        self.places[at].own = own;
        if let Some(few) = few {
            self.few.push(few);
            self.places[at].few = self.few.len() as u16;
        }
    }
}
