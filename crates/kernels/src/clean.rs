//! Texts as near-duplicate detection compares them: lower case, no ASCII punctuation, single spaces.
//!
//! `text -> UTF-8 bytes`: full Unicode lower case (final sigma included), then the 32 ASCII punctuation characters are
//! deleted, then white space (Unicode White_Space and U+001C-001F) at both ends goes and every run of it becomes one
//! U+0020. O(bytes): blocks of 64 ASCII bytes at a time where AVX-512 with VBMI2 is there, of 32 with AVX2, else a byte at
//! a time through a table without branches; characters beyond ASCII one by one.

use crate::job::{Aborted, Job};
use crate::ngrams::Texts;
use crate::threads;
use crate::unicode::{self, Classes, SPACE};
use rayon::prelude::*;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

/// In [`ASCII`], what is deleted: itself a punctuation character, so that nothing that is kept looks like it.
const DELETED: u8 = b'!';
/// In [`ASCII`], what is no ASCII.
const BEYOND: u8 = 0x80;

/// What becomes of each byte.
static ASCII: [u8; 256] = {
    let mut table = [BEYOND; 256];
    let mut byte = 0;
    while byte < 128 {
        let c = byte as u8;
        table[byte] = match c {
            _ if c.is_ascii_punctuation() => DELETED,
            0x09..=0x0d | 0x1c..=0x20 => b' ',
            _ => c.to_ascii_lowercase(),
        };
        byte += 1;
    }
    table
};

/// Bytes that may be written behind the end of what is kept.
const SLACK: usize = 64;

/// A text that is being written: kept bytes, and whether white space may follow.
struct Cleaned<'o> {
    out: &'o mut Vec<u8>,
    used: usize,
    /// Nothing was kept, or white space was kept last.
    after_space: bool,
    /// Bytes kept that do not begin a character.
    inner: usize,
}

impl Cleaned<'_> {
    /// Makes room for `more` bytes and the slack.
    #[inline(always)]
    fn reserve(&mut self, more: usize) {
        if self.out.len() < self.used + more + SLACK {
            self.out.resize((self.used + more + SLACK).max(2 * self.out.len()), 0);
        }
    }

    /// Takes bytes of ASCII up to the first that is none; returns how many.
    fn ascii(&mut self, bytes: &[u8]) -> usize {
        let ascii = bytes.iter().position(|byte| !byte.is_ascii()).unwrap_or(bytes.len());
        self.reserve(ascii);
        let (mut used, mut after_space) = (self.used, self.after_space);
        for &byte in &bytes[..ascii] {
            let kept = ASCII[usize::from(byte)];
            self.out[used] = kept;
            let is_space = kept == b' ';
            used += usize::from(kept != DELETED && !(is_space && after_space));
            after_space = if kept == DELETED { after_space } else { is_space };
        }
        (self.used, self.after_space) = (used, after_space);
        ascii
    }

    /// Takes a character beyond ASCII in lower case.
    fn push(&mut self, c: char, classes: &Classes) {
        let is_space = classes.of(c) & SPACE != 0;
        if is_space && self.after_space {
            return;
        }
        self.after_space = is_space;
        self.reserve(4);
        let c = if is_space { ' ' } else { c };
        let len = c.encode_utf8(&mut self.out[self.used..]).len();
        self.used += len;
        self.inner += len - 1;
    }

    /// Cuts to what was kept, less white space at the end; returns the number of characters.
    fn finish(self) -> usize {
        let ends_in_space = self.used > 0 && self.after_space;
        let used = self.used - usize::from(ends_in_space);
        self.out.truncate(used);
        used - self.inner
    }
}

/// Writes the clean form of `text` to `out`, in place of what was there; returns how many code points it has.
///
/// ```
/// use tamis_kernels::clean::clean;
/// let mut out = Vec::new();
/// assert_eq!(clean(" A - b,\tΣΑΣ ", &mut out), 7);
/// assert_eq!(out, "a b σας".as_bytes());
/// ```
pub fn clean(text: &str, out: &mut Vec<u8>) -> usize {
    let ascii: fn(&mut Cleaned, &[u8]) -> usize = fastest();
    clean_by(text, out, ascii)
}

/// How many code points the clean form of each text has. In parallel over texts.
///
/// # Errors
/// [`Aborted`] if `job` was stopped.
pub fn lengths(texts: &Texts, job: &Job) -> Result<Vec<u32>, Aborted> {
    const TASK_BYTES: usize = 1 << 18;
    let of_run = |buffer: &mut Vec<u8>, run: std::ops::Range<usize>| {
        job.check()?;
        Ok(run.map(|i| clean(texts.get(i), buffer) as u32).collect::<Vec<u32>>())
    };
    let runs: Result<Vec<Vec<u32>>, Aborted> = threads::pool()
        .install(|| texts.runs(TASK_BYTES).into_par_iter().map_init(Vec::new, of_run).collect());
    Ok(runs?.concat())
}

/// 1 for every text of at least `min_chars` code points and for those whose source is `exempt`, given each text's source; 0
/// for the others.
pub fn long_enough(lengths: &[u32], min_chars: u32, exempt: Option<(&[u32], &[u32])>) -> Vec<u8> {
    let is_exempt = |i: usize| exempt.is_some_and(|(sources, exempt)| exempt.contains(&sources[i]));
    let keep = |(i, &length): (usize, &u32)| u8::from(length >= min_chars || is_exempt(i));
    lengths.iter().enumerate().map(keep).collect()
}

/// The widest way over ASCII that this processor has.
fn fastest() -> fn(&mut Cleaned, &[u8]) -> usize {
    #[cfg(target_arch = "x86_64")]
    {
        let cpu = crate::cpu::Cpu::current();
        if let Some(blocks) = avx512::available(cpu).or_else(|| avx2::available(cpu)) {
            return blocks;
        }
    }
    |cleaned, bytes| cleaned.ascii(bytes)
}

fn clean_by(text: &str, out: &mut Vec<u8>, ascii: fn(&mut Cleaned, &[u8]) -> usize) -> usize {
    let classes = Classes::get();
    let mut cleaned = Cleaned { out, used: 0, after_space: true, inner: 0 };
    let mut at = 0;
    while at < text.len() {
        at += ascii(&mut cleaned, &text.as_bytes()[at..]);
        while let Some(c) = text[at..].chars().next().filter(|c| !c.is_ascii()) {
            let (first, second) = unicode::lower(text, at, c, classes);
            for c in std::iter::once(first).chain(second) {
                if c.is_ascii() {
                    cleaned.ascii(&[c as u8]);
                } else {
                    cleaned.push(c, classes);
                }
            }
            at += c.len_utf8();
        }
    }
    cleaned.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, one step at a time.
    fn naive(text: &str) -> String {
        let is_space = |c: char| c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}');
        let lower = text.to_lowercase();
        let kept: String = lower.chars().filter(|c| !c.is_ascii_punctuation()).collect();
        kept.split(is_space).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    }

    fn check(text: &str) {
        let want = naive(text);
        let mut ways: Vec<fn(&mut Cleaned, &[u8]) -> usize> = vec![|cleaned, bytes| cleaned.ascii(bytes)];
        #[cfg(target_arch = "x86_64")]
        {
            let cpu = crate::cpu::Cpu::detected();
            ways.extend(avx512::available(cpu));
            ways.extend(avx2::available(cpu));
        }
        for way in ways {
            let mut out = b"what was there before".to_vec();
            let points = clean_by(text, &mut out, way);
            assert_eq!(str::from_utf8(&out), Ok(&*want), "{text:?}");
            assert_eq!(points, want.chars().count(), "{text:?}");
        }
    }

    #[test]
    fn examples() {
        for text in [
            "",
            " ",
            "!",
            "a - b",
            "- a -",
            "a\0b",
            "\u{1c}A\u{1d}\u{85}B\u{3000}c\u{200b}D",
            "ΑΣ. Σ ΑΣ!Β \u{130}\u{130} \u{212a}",
            "é!É",
            "\u{a0}.\u{a0}x\u{a0}.\u{a0}",
        ] {
            check(text);
        }
    }

    #[test]
    fn lengths_are_those_of_the_clean_texts() {
        let texts: Texts = ["A - b", "", "\u{130}!", "x"].into_iter().collect();
        assert_eq!(lengths(&texts, &Job::default()), Ok(vec![3, 0, 2, 1]));
        assert_eq!(long_enough(&[3, 0, 2, 1], 2, None), [1, 0, 1, 0]);
        assert_eq!(long_enough(&[3, 0, 2, 1], 2, Some((&[0, 5, 6, 0], &[6, 5]))), [1, 1, 1, 0]);
        let job = Job::default();
        job.stop();
        assert_eq!(lengths(&texts, &job), Err(Aborted));
    }

    #[test]
    fn spaces_and_punctuation_at_every_place_of_a_block() {
        for len in 0..140 {
            for place in 0..len {
                let mut bytes = vec![b'X'; len];
                bytes[place] = b' ';
                check(str::from_utf8(&bytes).unwrap());
                bytes[(place + 1) % len] = b'-';
                bytes[(place + 2) % len] = b'\t';
                check(str::from_utf8(&bytes).unwrap());
            }
        }
    }

    proptest! {
        #[test]
        fn any_text(text in ".{0,200}") {
            check(&text);
        }

        #[test]
        fn crowded_text(text in "[ a-cA-C!\u{1e}\t_.é\u{a0}Σ\u{130}-]{0,300}") {
            check(&text);
        }
    }
}
