//! The number of threads shows in no byte of a result.

use tamis_kernels::job::Job;
use tamis_kernels::ngrams::{NgramHasher, Texts, count_ngrams, hash_ngrams, score_ngrams};
use tamis_kernels::philox::Philox;
use tamis_kernels::threads;
use tamis_kernels::topk::{gumbel_top_k, top_k};

/// Three megabytes: several tasks.
fn texts() -> Texts {
    let draws = Philox::new(1, 0);
    let text = |i: u64| -> String {
        let words = (0..200).map(|j| draws.word(200 * i + j));
        words
            .map(|w| format!("w{}{}", w % 5000 * (w >> 16) / 65536, if w & 7 == 0 { ". É" } else { " " }))
            .collect()
    };
    (0..2500).map(text).collect()
}

#[test]
fn one_two_and_seven_threads_agree() {
    let (order, buckets, job) = (2, 10_000, Job::default());
    let texts = texts();
    let tables: Vec<f64> = (0..2 * buckets).map(|i| f64::from(i).sin()).collect();
    let floats: Vec<f32> = (0..1 << 20).map(|i| (i as f32 * 0.37).sin()).collect();
    let weights: Vec<f64> = floats.iter().map(|&x| f64::from(x)).collect();
    let all = |threads: usize| {
        threads::set_threads(threads);
        let mut counts = vec![0; buckets as usize];
        let total = count_ngrams(&texts, order, buckets, None, &mut counts, &job).unwrap();
        let mut first = vec![0; buckets as usize];
        let part = count_ngrams(&texts, order, buckets, Some(100_000), &mut first, &job).unwrap();
        let (scores, tokens) = score_ngrams(&texts, &tables, order, buckets, &job).unwrap();
        let bits: Vec<u64> = scores.iter().map(|x| x.to_bits()).collect();
        let rows = hash_ngrams(&texts, order, buckets, &job).unwrap();
        let best = top_k(&floats, 5000, true, true);
        let drawn = gumbel_top_k(&weights, 5000, 1.0, 3, 0).unwrap();
        let words = Philox::new(9, 1).permutation(300_000);
        ((counts, total, first, part), (bits, tokens, rows), (best, drawn, words))
    };
    let one = all(1);
    assert!(all(2) == one && all(7) == one);

    let ((counts, total, first, part), (bits, tokens, rows), _) = one;
    let mut hasher = NgramHasher::new(order, buckets);
    let mut want = vec![0; buckets as usize];
    let mut want_first = vec![0; buckets as usize];
    let (mut want_total, mut want_part) = (0, 0);
    for i in 0..texts.len() {
        let stats = hasher.count(texts.get(i), &mut want, &job).unwrap();
        if want_part <= 100_000 {
            hasher.count(texts.get(i), &mut want_first, &job).unwrap();
            want_part += stats.features;
        }
        want_total += stats.features;
        let mut scores = [0.0; 2];
        hasher.score(texts.get(i), &tables, &mut scores, &job).unwrap();
        assert_eq!(scores.map(f64::to_bits), bits[2 * i..2 * i + 2]);
        assert_eq!(stats.tokens, tokens[i]);
        let row = rows.offsets[i] as usize..rows.offsets[i + 1] as usize;
        assert!(rows.buckets[row.clone()].is_sorted_by(|a, b| a < b));
        assert_eq!(rows.counts[row].iter().map(|&n| u64::from(n)).sum::<u64>(), stats.features);
    }
    assert_eq!((counts, total, first, part), (want, want_total, want_first, want_part));
    let mut sums = vec![0u64; buckets as usize];
    rows.buckets.iter().zip(&rows.counts).for_each(|(&bucket, &n)| sums[bucket as usize] += u64::from(n));
    assert_eq!(sums, count_of(&texts, order, buckets));
}

fn count_of(texts: &Texts, order: u32, buckets: u32) -> Vec<u64> {
    let mut hasher = NgramHasher::new(order, buckets);
    let mut counts = vec![0; buckets as usize];
    let job = Job::default();
    (0..texts.len()).for_each(|i| _ = hasher.count(texts.get(i), &mut counts, &job).unwrap());
    counts
}
