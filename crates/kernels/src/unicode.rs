//! Character classes and lower-casing of one Unicode version, whatever version the compiler's library has.
//!
//! The ranges are a generated file; a table of classes over all code points is unfolded from them once. Lower-casing
//! is the full mapping: U+0130 becomes two code points, and a capital sigma is final where a cased letter stands
//! before it and none behind it, looking through case-ignorable characters.

mod tables;

pub use tables::VERSION;

use std::sync::OnceLock;

/// Letters, numbers, `_`.
pub const WORD: u8 = 1;
/// White space.
pub const SPACE: u8 = 2;
/// Has a lower case that is not itself.
pub const UPPER: u8 = 4;
/// Makes a sigma behind it final.
pub const CASED: u8 = 8;
/// Looked through by a sigma.
pub const IGNORABLE: u8 = 16;

/// White space as the word rules have it: not U+200B, U+200D, U+FEFF; with U+001C-001F.
const SPACES: [(u32, u32); 11] = [
    (0x09, 0x0d),
    (0x1c, 0x20),
    (0x85, 0x85),
    (0xa0, 0xa0),
    (0x1680, 0x1680),
    (0x2000, 0x200a),
    (0x2028, 0x2029),
    (0x202f, 0x202f),
    (0x205f, 0x205f),
    (0x3000, 0x3000),
    (0x3000, 0x3000),
];

const PAGE: usize = 256;
const PAGES: usize = 0x11_0000 / PAGE;

/// The classes of every code point.
pub struct Classes {
    pages: [u16; PAGES],
    classes: Vec<[u8; PAGE]>,
}

impl Classes {
    /// The table, unfolded on first use.
    pub fn get() -> &'static Classes {
        static CLASSES: OnceLock<Classes> = OnceLock::new();
        CLASSES.get_or_init(Classes::unfold)
    }

    /// The classes of `c`, as bits.
    #[inline]
    pub fn of(&self, c: char) -> u8 {
        let code = c as usize;
        self.classes[self.pages[code / PAGE] as usize][code % PAGE]
    }

    fn unfold() -> Classes {
        let mut flat = vec![0u8; 0x11_0000];
        let mut mark = |ranges: &[(u32, u32)], class: u8| {
            for &(first, last) in ranges {
                flat[first as usize..=last as usize].iter_mut().for_each(|c| *c |= class);
            }
        };
        mark(&tables::WORDS, WORD);
        mark(&SPACES, SPACE);
        mark(&tables::CASED, CASED);
        mark(&tables::CASE_IGNORABLE, IGNORABLE);
        mark(&[(0x130, 0x130)], UPPER);
        for &(first, last, step, _) in &tables::LOWER {
            (first..=last).step_by(step as usize).for_each(|c| flat[c as usize] |= UPPER);
        }
        let mut classes: Vec<[u8; PAGE]> = Vec::new();
        let mut seen = std::collections::HashMap::new();
        let mut pages = [0; PAGES];
        for (page, codes) in pages.iter_mut().zip(flat.chunks_exact(PAGE)) {
            let codes: [u8; PAGE] = codes.try_into().expect("an exact chunk");
            *page = *seen.entry(codes).or_insert_with(|| {
                classes.push(codes);
                classes.len() as u16 - 1
            });
        }
        Classes { pages, classes }
    }
}

/// The lower case of the character `c` at byte `at` of `text`.
pub fn lower(text: &str, at: usize, c: char, classes: &Classes) -> (char, Option<char>) {
    match c {
        'Σ' => {
            let is_final = sees_cased(text[..at].chars().rev(), classes)
                && !sees_cased(text[at + c.len_utf8()..].chars(), classes);
            (if is_final { 'ς' } else { 'σ' }, None)
        }
        '\u{130}' => ('i', Some('\u{307}')),
        _ if classes.of(c) & UPPER != 0 => (simple(c), None),
        _ => (c, None),
    }
}

/// Whether the first character that is not case-ignorable is cased.
fn sees_cased(mut chars: impl Iterator<Item = char>, classes: &Classes) -> bool {
    chars
        .find_map(|c| {
            let class = classes.of(c);
            (class & IGNORABLE == 0).then_some(class & CASED != 0)
        })
        .unwrap_or(false)
}

/// The lower case of a character that has one of a single character.
fn simple(c: char) -> char {
    let code = c as u32;
    let run = tables::LOWER.partition_point(|run| run.1 < code);
    match tables::LOWER.get(run) {
        Some(&(first, _, step, difference)) if code >= first && (code - first).is_multiple_of(step) => {
            char::from_u32(code.wrapping_add_signed(difference)).unwrap_or(c)
        }
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

    #[test]
    fn all_code_points_have_the_classes_of_a_well_kept_source() {
        let (major, minor, patch) = VERSION;
        let source = unicode_properties::UNICODE_VERSION;
        assert_eq!((u64::from(major), u64::from(minor), u64::from(patch)), source);
        let classes = Classes::get();
        for c in (0..=char::MAX as u32).filter_map(char::from_u32) {
            let group = c.general_category_group();
            let is_word =
                c == '_' || matches!(group, GeneralCategoryGroup::Letter | GeneralCategoryGroup::Number);
            assert_eq!(classes.of(c) & WORD != 0, is_word, "{c:?}");
            let is_space = c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}');
            assert_eq!(classes.of(c) & SPACE != 0, is_space, "{c:?}");
        }
    }

    #[test]
    fn lower_case_is_that_of_the_same_version() {
        let classes = Classes::get();
        let lower_all = |text: &str| -> String {
            let lower = text.char_indices().map(|(at, c)| lower(text, at, c, classes));
            lower.flat_map(|(first, more)| std::iter::once(first).chain(more)).collect()
        };
        // A library of a later version may know the lower case of characters that are not assigned here.
        let is_assigned = |c: &char| c.general_category() != GeneralCategory::Unassigned;
        for c in (0..=char::MAX as u32).filter_map(char::from_u32).filter(is_assigned) {
            for text in
                [c.to_string(), format!("a{c}Σ"), format!("{c}Σ"), format!("aΣ{c}"), format!("aΣ{c}a")]
            {
                assert_eq!(lower_all(&text), text.to_lowercase(), "{text:?}");
            }
        }
    }
}
