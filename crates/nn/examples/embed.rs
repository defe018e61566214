//! How fast a folder's embedder is: `embed FOLDER TEXTS.jsonl THREADS`.

use std::time::Instant;
use tamis_nn::embedder::{Options, TextEmbedder};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    tamis_kernels::threads::set_threads(args[3].parse().unwrap());
    let model = TextEmbedder::open(args[1].as_ref(), &Options::default()).unwrap();
    let file = std::fs::read_to_string(&args[2]).unwrap();
    let text = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        value["text"].as_str().unwrap().to_owned()
    };
    let texts: Vec<String> = file.lines().map(text).collect();
    let job = Default::default();
    let tokens: usize = model.encode(&texts, &job).unwrap().iter().map(Vec::len).sum();
    for _ in 0..3 {
        let start = Instant::now();
        model.embed(&texts, &job).unwrap();
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "{} texts, {tokens} tokens: {seconds:.2} s, {:.0} tokens/s",
            texts.len(),
            tokens as f64 / seconds
        );
    }
}
