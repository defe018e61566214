//! Many texts in one buffer.

use std::ops::Range;

/// Texts packed end to end as UTF-8.
///
/// ```
/// use tamis_kernels::ngrams::Texts;
/// let texts: Texts = ["one", "", "two"].into_iter().collect();
/// assert_eq!((texts.len(), texts.get(2)), (3, "two"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Texts {
    /// Packs texts that are already end to end: text i ends at `ends[i]`.
    ///
    /// # Safety
    /// `bytes` is well-formed UTF-8, `ends` ascend, each is at most `bytes.len()` and lies between two characters.
    pub unsafe fn from_parts_unchecked(bytes: Vec<u8>, ends: Vec<usize>) -> Self {
        Texts { bytes, ends }
    }

    /// Adds a text.
    pub fn push(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
        self.ends.push(self.bytes.len());
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of memory that the texts take.
    pub fn memory(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<usize>()
    }

    /// Places of runs of texts of about so many bytes: the tasks of a parallel call.
    pub fn runs(&self, bytes: usize) -> Vec<Range<usize>> {
        let mut runs = Vec::new();
        let (mut first, mut begin) = (0, 0);
        for (i, &end) in self.ends.iter().enumerate() {
            if end - begin >= bytes || i + 1 == self.len() {
                runs.push(first..i + 1);
                (first, begin) = (i + 1, end);
            }
        }
        runs
    }

    /// Text `i`.
    ///
    /// # Panics
    /// If there are not so many.
    pub fn get(&self, i: usize) -> &str {
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        let bytes = &self.bytes[start..self.ends[i]];
        // SAFETY: whole strings were pushed, or the caller of `from_parts_unchecked` promised as much.
        unsafe { std::str::from_utf8_unchecked(bytes) }
    }
}

impl<S: AsRef<str>> FromIterator<S> for Texts {
    fn from_iter<I: IntoIterator<Item = S>>(texts: I) -> Self {
        let mut packed = Texts::default();
        texts.into_iter().for_each(|text| packed.push(text.as_ref()));
        packed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_texts_again() {
        // SAFETY: the parts are of two strings, "ä" and "".
        let texts = unsafe { Texts::from_parts_unchecked("ä".into(), vec![2, 2]) };
        assert_eq!(texts, ["ä", ""].into_iter().collect());
        assert_eq!((texts.get(0), texts.get(1)), ("ä", ""));
    }

    #[test]
    fn runs_are_of_the_size_that_is_asked_for() {
        let texts: Texts = ["ab", "", "c", "defg", ""].into_iter().collect();
        assert_eq!(texts.runs(3), [0..3, 3..4, 4..5]);
        assert_eq!(texts.runs(7), [0..4, 4..5]);
        assert_eq!(texts.runs(100).len(), 1);
        assert_eq!(texts.runs(0), [0..1, 1..2, 2..3, 3..4, 4..5]);
        assert!(Texts::default().runs(1).is_empty());
    }
}
