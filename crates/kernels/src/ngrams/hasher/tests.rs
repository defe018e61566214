use super::*;
use crate::sha256;
use proptest::prelude::*;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

/// 0 for white space, 1 for letters, numbers and `_`, 2 for the rest: from another table than the one under test.
fn class(c: char) -> u8 {
    match c {
        '\t'..='\r' | '\u{1c}'..=' ' | '\u{85}' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' => 0,
        '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => 0,
        '_' => 1,
        _ => match c.general_category_group() {
            GeneralCategoryGroup::Letter | GeneralCategoryGroup::Number => 1,
            _ => 2,
        },
    }
}

fn naive_tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut before = 0;
    for c in text.to_lowercase().chars() {
        let class = class(c);
        if class != 0 && class != before {
            tokens.push(String::new());
        }
        if class != 0 {
            tokens.last_mut().unwrap().push(c);
        }
        before = class;
    }
    tokens
}

/// Buckets and n-grams in the order of the scores.
fn naive(text: &str, order: usize, buckets: u32) -> Vec<(u32, String)> {
    let tokens = naive_tokens(text);
    let mut ngrams = Vec::new();
    for end in 1..=tokens.len() {
        for order in 1..=order.min(end) {
            let ngram = tokens[end - order..end].join(" ");
            let digest = sha256::words_on(Cpu::BASELINE, ngram.as_bytes());
            let bucket = digest.iter().fold(0, |r, &w| (r << 32 | u64::from(w)) % u64::from(buckets));
            ngrams.push((bucket as u32, ngram));
        }
    }
    ngrams
}

/// Compares everything that a hasher says of some texts, one after the other, with the naive twin.
fn check(texts: &[String], order: u32, buckets: u32, shape: impl Fn(&mut NgramHasher)) {
    for cpu in Cpu::choices() {
        let job = Job::default();
        let mut hasher = NgramHasher::with_cpu(order, buckets, cpu);
        shape(&mut hasher);
        let tables: Vec<f64> = (0..2 * buckets.min(1 << 20)).map(|i| (f64::from(i) * 1.7).sin()).collect();
        for text in texts {
            let want = naive(text, order as usize, buckets);
            let mut got = Vec::new();
            let stats = hasher.for_each(text, &job, |bucket| got.push(bucket)).unwrap();
            assert!(got.iter().eq(want.iter().map(|(bucket, _)| bucket)), "{cpu:?} {text:?}");
            let mut in_runs = Vec::new();
            assert_eq!(hasher.runs(text, &job, |run| in_runs.extend_from_slice(run)), Ok(stats));
            assert_eq!(in_runs, got);
            assert_eq!(stats.tokens as usize, naive_tokens(text).len());
            assert_eq!(stats.features as usize, want.len());
            assert_eq!(hasher.features(text, &job), Ok(stats));
            let mut explained = Vec::new();
            hasher.explain(text, &job, |bucket, ngram| explained.push((bucket, ngram.to_string()))).unwrap();
            assert_eq!(explained, want);
            if buckets <= 1 << 20 {
                let mut counts = vec![0; buckets as usize];
                assert_eq!(hasher.count(text, &mut counts, &job), Ok(stats));
                let mut scores = [9.0; 2];
                assert_eq!(hasher.score(text, &tables, &mut scores, &job), Ok(stats));
                let mut want_counts = vec![0; buckets as usize];
                let mut want_scores = [0.0; 2];
                for &(bucket, _) in &want {
                    want_counts[bucket as usize] += 1;
                    want_scores[0] += tables[bucket as usize];
                    want_scores[1] += tables[(buckets + bucket) as usize];
                }
                assert_eq!(counts, want_counts);
                assert_eq!(scores.map(f64::to_bits), want_scores.map(f64::to_bits));
            }
        }
    }
}

/// Texts of everything that matters to the rules, with much repetition.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => "[a-cA-C]{1,3}",
        4 => Just(" ".to_string()),
        2 => "[ \t\n\r\u{1c}\u{1f}\u{85}\u{a0}\u{2003}\u{3000}]{1,3}",
        2 => "[.,;:!?'\"<>=/_-]{1,3}",
        2 => "[a-zA-Z0-9_]{10,40}",
        1 => "[-=]{10,90}",
        1 => "[a-zA-Z0-9.]{250,300}",
        2 => "[ΣσςΑα'. \u{345}\u{301}]{1,6}",
        1 => "[İıIiÄäßẞŁDžǄⱥȺK]{1,4}",
        1 => "[\u{200b}\u{200d}\u{feff}\u{fffd}²½Ⅷⅷ١、。東京👍🏽\u{0}]{1,4}",
        1 => any::<char>().prop_map(String::from),
        1 => " {60,70}",
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn is_the_naive_twin_on_every_path(
        texts in proptest::collection::vec(text(), 1..4),
        order in prop_oneof![4 => Just(2u32), 1 => Just(1u32), 1 => 3u32..7, 1 => Just(1000u32)],
        buckets in prop_oneof![3 => Just(10_000u32), 1 => 1u32..50, 1 => Just(u32::MAX)],
    ) {
        check(&texts, order, buckets, |_| ());
    }

    #[test]
    fn tables_that_start_over_do_not_show(texts in proptest::collection::vec(text(), 1..4), last in 1u32..40) {
        check(&texts, 2, 10_000, |hasher| hasher.last_id = last as usize);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn resting_tables_do_not_show(
        texts in proptest::collection::vec(text(), 1..8),
        order in 1u32..4,
        trial in 1u64..40,
        pause in 1u64..40,
    ) {
        let last = trial as usize;
        check(&texts, order, 10_000, |hasher| {
            (hasher.worth.trial, hasher.worth.pause, hasher.last_id) = (trial, pause, 100 * last);
        });
    }
}

#[test]
fn tables_rest_where_little_repeats_and_wake_where_much_does() {
    let fresh = |from: u32| (from..from + 20_000).map(|i| format!("w{i} ")).collect::<String>();
    let mut hasher = NgramHasher::new(2, 10_000);
    let job = Job::default();
    let mut asked = |text: &str| {
        let before = hasher.stats;
        hasher.runs(text, &job, |_| ()).unwrap();
        hasher.stats.word_hits + hasher.stats.word_misses - before.word_hits - before.word_misses
    };
    let first = asked(&fresh(0));
    assert!((8_000..20_000).contains(&first), "{first}");
    assert_eq!(asked(&fresh(20_000)), 0);
    let again = "the same words once more ".repeat(60_000);
    assert!(asked(&again) > 150_000);
    assert_eq!(asked("the same words"), 3);
}

#[test]
fn texts_of_many_pieces_are_cut_at_no_border() {
    let words = (0..4000u32).map(|i| format!("w{}{}", i % 37, if i % 5 == 0 { ". " } else { " " }));
    let mut text: String = words.collect();
    text.push_str(&" ".repeat(100_000));
    text.push_str(&"x".repeat(200_000));
    text.push_str(&"Σ -".repeat(2000));
    text.push_str(&" ".repeat(100_000));
    text.push_str("END");
    let texts = [text.clone(), "a".into(), text];
    check(&texts, 3, 10_000, |_| ());
    check(&texts, 2, 10_000, |hasher| (hasher.worth.trial, hasher.worth.pause) = (1 << 20, 1));
    // Goes to and fro within a text: most of its pairs are new in a trial this short.
    check(&texts, 2, 10_000, |hasher| (hasher.worth.trial, hasher.worth.pause) = (1, 300));
}

#[test]
fn more_words_and_pairs_than_the_tables_hold() {
    let text: String =
        (0..300_000u32).map(|i| format!("{} ", i.wrapping_mul(2_654_435_761) % 200_000)).collect();
    let want = naive(&text, 2, 10_000);
    let job = Job::default();
    let mut hasher = NgramHasher::new(2, 10_000);
    hasher.worth.pause = 0;
    for _ in 0..2 {
        let mut got = Vec::new();
        hasher.for_each(&text, &job, |bucket| got.push(bucket)).unwrap();
        assert!(got.iter().eq(want.iter().map(|(bucket, _)| bucket)));
    }
    let stats = hasher.cache_stats();
    assert_eq!(stats.word_hits + stats.word_misses, 600_000);
    assert_eq!(stats.pair_hits + stats.pair_misses, 599_998);
    assert!(stats.word_hits > 0 && stats.pair_misses > 0);
}

#[test]
fn the_examples_of_the_rule() {
    let job = Job::default();
    let mut hasher = NgramHasher::new(2, 10_000);
    let mut got = Vec::new();
    hasher.explain("Alice went", &job, |bucket, ngram| got.push((bucket, ngram.to_string()))).unwrap();
    assert_eq!(got[0], (6720, "alice".to_string()));
    assert_eq!(got[2], (114, "alice went".to_string()));
    assert_eq!(hasher.for_each("", &job, |_| unreachable!()), Ok(Stats::default()));
    assert_eq!(hasher.for_each(" \n\u{3000}", &job, |_| unreachable!()), Ok(Stats::default()));
}

#[test]
fn texts_beyond_ascii_have_the_oracle_s_tokens_and_buckets() {
    let texts = [
        ("ΟΔΟΣ ΣΑΣ", 2),
        ("İstanbul straße ΑΣ.", 6),
        ("naïve cafe\u{301} ½ Ⅷ x_y __ a\u{200b}b", 10),
        ("日本語 テキスト、中文。 한국어", 6),
        ("tab\tnew\nline\u{1c}fs\u{85}nel\u{a0}nbsp\u{3000}wide", 7),
        ("emoji 👩\u{200d}🚀🚀 ok", 3),
        ("\u{feff}bom 3.14 1,000 ①② ２", 10),
    ];
    for cpu in Cpu::choices() {
        let job = Job::default();
        let mut hasher = NgramHasher::with_cpu(2, 10_000, cpu);
        for (text, tokens) in texts {
            assert_eq!(hasher.features(text, &job).unwrap().tokens, tokens, "{text}");
        }
        let mut buckets = Vec::new();
        hasher.for_each(texts[0].0, &job, |bucket| buckets.push(bucket)).unwrap();
        buckets.sort_unstable();
        assert_eq!(buckets, [808, 2826, 8914]);
        buckets.clear();
        hasher.for_each(texts[5].0, &job, |bucket| buckets.push(bucket)).unwrap();
        buckets.sort_unstable();
        assert_eq!(buckets, [2111, 2628, 2831, 7270, 7297]);
    }
}

#[test]
fn a_stopped_job_ends_a_long_text() {
    let (job, text) = (Job::default(), "a word and another ".repeat(10_000));
    let mut hasher = NgramHasher::new(2, 100);
    let mut seen = 0u64;
    let stopped = hasher.runs(&text, &job, |run| {
        seen += run.len() as u64;
        job.stop();
    });
    assert_eq!(stopped, Err(Aborted));
    assert!((1..10_000).contains(&seen), "{seen}");
    assert_eq!(hasher.features(&text, &job), Err(Aborted));
    // What it held of the text is not the next one's.
    assert_eq!(hasher.features("two words", &Job::default()).map(|stats| stats.features), Ok(3));
}
