//! How fast texts are read and found: `cargo run --release -p tamis-store --example read -- THREADS FILE...`

use std::time::Instant;
use tamis_kernels::job::Job;
use tamis_kernels::threads;
use tamis_store::corpus::Corpus;
use tamis_store::passes::read::read_texts;
use tamis_store::record::ReadOptions;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    threads::set_threads(args.next().ok_or("THREADS FILE...")?.parse()?);
    let files: Vec<String> = args.collect();
    for hash in [false, true] {
        let corpus = Corpus::open(&files, ReadOptions { hash, ..ReadOptions::default() }, &Job::default())?;
        for _ in 0..3 {
            let start = Instant::now();
            let seen = read_texts(&corpus.inputs, &corpus.shards, &corpus.read, None, &Job::default())?;
            let seconds = start.elapsed().as_secs_f64();
            let rate = corpus.bytes() as f64 / 1e6 / seconds;
            println!("{} records, hash {hash}: {seconds:.3} s, {rate:.0} MB/s", seen.records());
        }
    }
    Ok(())
}
