use super::*;
use crate::xxh3::hash64;
use proptest::prelude::*;
use std::collections::HashSet;

/// The definition: a set of shingles, one permutation at a time.
fn naive(text: &str, ngram: usize, num_perm: usize, seed: u64) -> Vec<u32> {
    let mut bytes = Vec::new();
    clean(text, &mut bytes);
    let points: Vec<char> = String::from_utf8(bytes).unwrap().chars().collect();
    let width = ngram.min(points.len()).max(1);
    let shingles: HashSet<String> = points.windows(width).map(|window| window.iter().collect()).collect();
    let mix = |mut x: u32| {
        x ^= x >> 16;
        x = x.wrapping_mul(0x85eb_ca6b);
        x ^= x >> 13;
        x = x.wrapping_mul(0xc2b2_ae35);
        x ^ (x >> 16)
    };
    let hashes: Vec<u32> = shingles.iter().map(|s| mix(hash64(s.as_bytes(), 0) as u32)).collect();
    let draws = Philox::new(seed, 0);
    (0..num_perm as u64)
        .map(|k| {
            let (a, b) = (draws.word(2 * k) | 1, draws.word(2 * k + 1));
            hashes.iter().map(|x| a.wrapping_mul(*x).wrapping_add(b)).min().unwrap_or(EMPTY)
        })
        .collect()
}

fn check(text: &str, ngram: usize, num_perm: usize, seed: u64) {
    let want = naive(text, ngram, num_perm, seed);
    for cpu in Cpu::choices() {
        let mut got = vec![7; num_perm];
        MinHasher::on(cpu, ngram, num_perm, seed).sign(text, &mut got);
        assert_eq!(got, want, "{cpu:?} {text:?}");
    }
}

#[test]
fn every_number_of_permutations_and_every_length_of_shingle() {
    let text = "It was the best of times, it was the worst of times; \u{e9}t\u{e9} \u{65e5}\u{672c}\u{8a9e}\u{306e}\u{6587}\u{7ae0} too.";
    for num_perm in [1, 7, 16, 17, 32, 48, 100, 128, 129, 144, 200, 256, 300] {
        check(text, 13, num_perm, 3);
    }
    for ngram in 1..=20 {
        check(text, ngram, 32, 0);
        check(&text[..50], ngram, 32, 0);
    }
    check(text, usize::MAX, 16, u64::MAX);
}

#[test]
fn shingles_that_come_back_within_and_beyond_a_stretch() {
    let part = "One line of a reply that quotes what it replies to, and that in turn quotes this one. ";
    let other: String = (0..3000).map(|i| format!("{i} ")).collect();
    for text in [part.repeat(3), part.repeat(60), [&part.repeat(40), &other, &*part.repeat(40)].concat()] {
        for num_perm in [20, 128, 300] {
            check(&text, 13, num_perm, 3);
        }
        check(&text.replace("that", "th\u{e4}t"), 13, 64, 3);
    }
    check(&"a".repeat(5000), 13, 64, 3);
}

#[test]
fn texts_of_one_shingle_and_of_none() {
    for text in ["", " .,- ", "a", "\u{130}", "twelve chars", "thirteen char", "fourteen chars"] {
        check(text, 13, 40, 1);
    }
    assert!(is_empty(&naive("...", 13, 8, 0)));
}

#[test]
fn texts_around_a_stretch() {
    let text: String = (0..2 * 2048 + 40).map(|i| char::from(b'a' + (i * i % 26) as u8)).collect();
    for shingles in [1, 15, 16, 17, 2047, 2048, 2049, 2064, 4096, 4100] {
        check(&text[..shingles + 12], 13, 144, 0);
    }
}

#[test]
fn characters_beyond_ascii_at_every_distance() {
    let ascii: String = (0..160).map(|i| char::from(b'a' + (i * i % 26) as u8)).collect();
    for distance in [1, 5, 12, 13, 14, 50, 63, 64, 65, 76, 77, 130] {
        let text = format!(
            "{}\u{e9}{}\u{65e5}\u{672c}{}",
            &ascii[..distance],
            &ascii[distance..],
            &ascii[..distance]
        );
        check(&text, 13, 16, 0);
        check(&format!("\u{e9}{text}\u{e9}"), 13, 16, 0);
        check(&text, 9, 16, 0);
        check(&text, 40, 16, 0);
    }
}

#[test]
fn each_text_has_the_row_that_it_has_alone() {
    let texts: Texts = (0..9000).map(|i| format!("{i} mail number {i} of this many, {}", i * i)).collect();
    let rows = min_hash(&texts, 13, 20, 5, &Job::default()).unwrap();
    assert!(texts.runs(TASK_BYTES).len() > 1);
    for (i, row) in rows.chunks_exact(20).enumerate().step_by(97) {
        assert_eq!(row, naive(texts.get(i), 13, 20, 5));
    }
}

#[test]
fn a_stopped_job_is_an_error() {
    let job = Job::default();
    job.stop();
    assert_eq!(min_hash(&["a"].into_iter().collect(), 13, 8, 0, &job), Err(Aborted));
    assert_eq!(min_hash(&Texts::default(), 13, 8, 0, &Job::default()), Ok(vec![]));
}

proptest! {
    #[test]
    fn any_text(text in ".{0,120}", ngram in 1..30_usize, num_perm in 1..70_usize, seed in any::<u64>()) {
        check(&text, ngram, num_perm, seed);
    }
}
