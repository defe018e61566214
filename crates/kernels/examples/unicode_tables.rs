//! Prints `src/unicode/tables.rs`: the ranges of code points that the word rules need, of one Unicode version.
//!
//! `cargo run -p tamis-kernels --example unicode_tables > crates/kernels/src/unicode/tables.rs`
//!
//! Letters and numbers come from the crate unicode-properties. Lower-casing, and which characters a final sigma
//! minds, come from the standard library, which has no name for the latter and is asked by example.

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

fn main() {
    let (major, minor, patch) = char::UNICODE_VERSION;
    let properties = unicode_properties::UNICODE_VERSION;
    assert_eq!((u64::from(major), u64::from(minor), u64::from(patch)), properties, "two Unicode versions");
    println!(
        "//! Ranges of code points; written by `cargo run -p tamis-kernels --example unicode_tables`.\n"
    );
    println!("pub const VERSION: (u8, u8, u8) = ({major}, {minor}, {patch});\n");
    let is_word = |c: char| {
        c == '_'
            || matches!(
                c.general_category_group(),
                GeneralCategoryGroup::Letter | GeneralCategoryGroup::Number
            )
    };
    table("WORDS", "Letters, numbers, `_`.", is_word);
    let ends = |text: String| text.to_lowercase().ends_with('ς');
    table("CASED", "Characters that make a sigma behind them final.", |c| ends(format!("{c}Σ")));
    table("CASE_IGNORABLE", "Characters that a sigma looks through.", |c| {
        ends(format!("A{c}Σ")) && !ends(format!("{c}Σ"))
    });
    lower();
}

fn table(name: &str, about: &str, is_in: impl Fn(char) -> bool) {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for c in (0..=char::MAX as u32).filter_map(char::from_u32).filter(|&c| is_in(c)) {
        match ranges.last_mut() {
            Some(last) if last.1 + 1 == c as u32 => last.1 = c as u32,
            _ => ranges.push((c as u32, c as u32)),
        }
    }
    println!("/// {about}");
    println!("#[rustfmt::skip]\npub const {name}: [(u32, u32); {}] = [", ranges.len());
    for line in ranges.chunks(6) {
        let items: Vec<String> = line.iter().map(|(a, b)| format!("({a:#x}, {b:#x}),")).collect();
        println!("    {}", items.join(" "));
    }
    println!("];\n");
}

/// Runs (first, last, step, difference) of characters whose lower case is one other character.
fn lower() {
    let mut runs: Vec<(u32, u32, u32, i32)> = Vec::new();
    for c in (0..=char::MAX as u32).filter_map(char::from_u32) {
        let mut mapped = c.to_lowercase();
        let (one, more) = (mapped.next().unwrap(), mapped.next());
        if more.is_some() {
            assert_eq!(c, '\u{130}', "the one character with a lower case of two");
            continue;
        }
        if one == c {
            continue;
        }
        let (c, difference) = (c as u32, one as i32 - c as i32);
        match runs.last_mut() {
            Some(run) if run.3 == difference && (run.0 == run.1 && c - run.1 <= 2 || c - run.1 == run.2) => {
                run.2 = c - run.1;
                run.1 = c;
            }
            _ => runs.push((c, c, 1, difference)),
        }
    }
    println!(
        "/// (first, last, step, difference): characters whose lower case is another one; U+0130 has two and is not here."
    );
    println!("#[rustfmt::skip]\npub const LOWER: [(u32, u32, u32, i32); {}] = [", runs.len());
    for line in runs.chunks(4) {
        let items: Vec<String> =
            line.iter().map(|(a, b, s, d)| format!("({a:#x}, {b:#x}, {s}, {d}),")).collect();
        println!("    {}", items.join(" "));
    }
    println!("];");
}
