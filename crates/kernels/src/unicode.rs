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

/// Appends `text` in lower case to `out`.
pub fn lower_into(text: &str, classes: &Classes, out: &mut String) {
    for (at, c) in text.char_indices() {
        match c {
            'Σ' => {
                let behind = at + c.len_utf8();
                let is_final = sees_cased(text[..at].chars().rev(), classes)
                    && !sees_cased(text[behind..].chars(), classes);
                out.push(if is_final { 'ς' } else { 'σ' });
            }
            '\u{130}' => out.push_str("i\u{307}"),
            _ if classes.of(c) & UPPER != 0 => out.push(lower(c)),
            _ => out.push(c),
        }
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
fn lower(c: char) -> char {
    let code = c as u32;
    let run = tables::LOWER.partition_point(|run| run.1 < code);
    match tables::LOWER.get(run) {
        Some(&(first, _, step, difference)) if code >= first && (code - first).is_multiple_of(step) => {
            char::from_u32(code.wrapping_add_signed(difference)).unwrap_or(c)
        }
        _ => c,
    }
}
