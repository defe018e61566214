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
    /// Adds a text.
    pub fn push(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
        self.ends.push(self.bytes.len());
    }

    /// Adds a text in UTF-16; surrogates without their other half become U+FFFD.
    ///
    /// ```
    /// use tamis_kernels::ngrams::Texts;
    /// let mut texts = Texts::default();
    /// texts.push_utf16(&[0x61, 0xe9, 0xd83d, 0xde00, 0xdc00]);
    /// assert_eq!(texts.get(0), "a\u{e9}\u{1f600}\u{fffd}");
    /// ```
    pub fn push_utf16(&mut self, units: &[u16]) {
        /// Units of which one look tells that they are ASCII.
        const BLOCK: usize = 32;
        self.bytes.reserve(units.len());
        let mut rest = units;
        while !rest.is_empty() {
            if let Some((block, more)) = rest.split_first_chunk::<BLOCK>()
                && block.iter().fold(0, |any, unit| any | unit) < 0x80
            {
                self.bytes.extend_from_slice(&block.map(|unit| unit as u8));
                rest = more;
                continue;
            }
            // A pair that the end of the block would part is taken whole.
            let mut end = rest.len().min(BLOCK);
            while end < rest.len() && (0xd800..0xdc00).contains(&rest[end - 1]) {
                end += 1;
            }
            let (block, more) = rest.split_at(end);
            for c in char::decode_utf16(block.iter().copied()) {
                let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
                self.bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            rest = more;
        }
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
        // SAFETY: whole strings were pushed.
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
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn utf16_is_what_the_library_makes_of_it(
            units in prop::collection::vec(
                prop_oneof![8 => 0x20..0x7fu16, 1 => any::<u16>(), 1 => 0xd800..0xe000u16],
                0..200,
            ),
            ascii in prop::collection::vec(0..0x80u16, 0..100),
            text in ".{0,60}",
        ) {
            let mut texts = Texts::default();
            let text: Vec<u16> = text.encode_utf16().collect();
            for units in [&units[..], &ascii, &[&ascii[..], &units].concat(), &[&ascii[..], &text].concat()] {
                texts.push_utf16(units);
                prop_assert_eq!(texts.get(texts.len() - 1), String::from_utf16_lossy(units));
            }
        }
    }

    #[test]
    fn pairs_across_the_end_of_a_block_stay_pairs() {
        for ascii in 0..70 {
            for tail in ["\u{1f600}", "\u{1f600}x", "x\u{1f600}\u{1f600}"] {
                let mut units = vec![0x41; ascii];
                units.extend(tail.encode_utf16());
                // A first half alone before a pair.
                for lone in [false, true] {
                    if lone {
                        units.insert(ascii, 0xd83d);
                    }
                    let mut texts = Texts::default();
                    texts.push_utf16(&units);
                    assert_eq!(texts.get(0), String::from_utf16_lossy(&units));
                }
            }
        }
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
