//! Prints how fast a file of documents, with a NUL byte behind each, is counted and scored, on one thread.
//! Time is what the thread had of a core, where the system tells (Linux), so that other work does not count.
//!
//! `cargo run --release -p tamis-kernels --example ngram_speed FILE [ORDER [BUCKETS]]`

use std::time::Instant;
use tamis_kernels::job::Job;
use tamis_kernels::ngrams::NgramHasher;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize, default| arguments.get(i).map_or(default, |x| x.parse().expect("a number"));
    let (order, buckets) = (number(1, 2), number(2, 10_000));
    let text = std::fs::read_to_string(&arguments[0]).expect("a file of UTF-8");
    let documents: Vec<&str> = text.split_terminator('\0').collect();
    let megabytes = text.len() as f64 / 1e6;
    let job = Job::default();
    let mut counts = vec![0; buckets as usize];
    let tables: Vec<f64> = (0..buckets).map(|bucket| f64::from(bucket).sin()).collect();
    println!("{megabytes:.1} MB in {} documents, order {order}, {buckets} buckets", documents.len());
    report("count", megabytes, order, buckets, |hasher| {
        documents
            .iter()
            .map(|text| hasher.count(text, &mut counts, &job).map_or(0, |stats| stats.features))
            .sum()
    });
    report("score", megabytes, order, buckets, |hasher| {
        let mut score = [0.0];
        documents
            .iter()
            .map(|text| hasher.score(text, &tables, &mut score, &job).map_or(0, |stats| stats.features))
            .sum()
    });
    report("features", megabytes, order, buckets, |hasher| {
        documents.iter().map(|text| hasher.features(text, &job).map_or(0, |stats| stats.features)).sum()
    });
}

fn report(
    name: &str,
    megabytes: f64,
    order: u32,
    buckets: u32,
    mut run: impl FnMut(&mut NgramHasher) -> u64,
) {
    let mut hasher = NgramHasher::new(order, buckets);
    let started = Instant::now();
    let busy_before = busy_seconds();
    let features = run(&mut hasher);
    let seconds = busy_seconds()
        .zip(busy_before)
        .map_or(started.elapsed().as_secs_f64(), |(after, before)| after - before);
    let stats = hasher.cache_stats();
    let share = |hits: u64, misses: u64| 100.0 * hits as f64 / (hits + misses).max(1) as f64;
    println!(
        "{name}: {:.1} MB/s, {features} n-grams, word hits {:.2} %, pair hits {:.2} %",
        megabytes / seconds,
        share(stats.word_hits, stats.word_misses),
        share(stats.pair_hits, stats.pair_misses),
    );
}

/// Time that this thread has spent on a core.
fn busy_seconds() -> Option<f64> {
    let line = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(line.split(' ').next()?.parse::<f64>().ok()? / 1e9)
}
