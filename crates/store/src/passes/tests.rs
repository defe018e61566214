//! The passes from end to end, against plain twins; here what the tests share.

mod count;
mod map;
mod places;
mod resume;
mod write;

use super::choose::Chosen;
use super::count::{CountOptions, count_ngrams};
use super::heap::{Budget, Unit};
use super::score::{ScoreOptions, Scored, score_ngrams};
use super::weights::{each_weight, write_scores};
use super::write::{Add, EXAMPLE_CHARACTERS, WriteOptions, Written, write_chosen};
use crate::atomic::Output;
use crate::block::plan_shards;
use crate::input::Input;
use crate::record::{OnBad, ReadOptions, TextUnit};
use crate::scores::read_scores;
use crate::sink::OutputFile;
use crate::state::{Fingerprint, State};
use arrow_array::{ArrayRef, Int32Array, RecordBatch, StringArray, cast::AsArray};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tamis_kernels::job::Job;
use tamis_kernels::ngrams::NgramHasher;
use tamis_kernels::philox::Philox;
use tempfile::TempDir;

const ORDER: u32 = 2;
const BUCKETS: u32 = 97;

/// Texts of a few words, each of another length.
fn text(i: usize) -> String {
    let words = ["alpha", "beta", "gamma delta", "épsilon", "ζ", "spam", "buy \"now\"", "line\nbreak"];
    (0..1 + i * 7 % 23).map(|j| words[(i * 31 + j * j) % words.len()]).collect::<Vec<_>>().join(" ")
}

fn json_line(i: usize) -> String {
    format!(
        "{{\"id\": {i}, \"text\":{}, \"more\":{{\"x\":[{i}.5]}}}}",
        serde_json::to_string(&text(i)).unwrap()
    )
}

fn pack(name: &str, bytes: &[u8]) -> Vec<u8> {
    if name.ends_with(".gz") {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    } else if name.ends_with(".zst") {
        zstd::encode_all(bytes, 1).unwrap()
    } else {
        bytes.to_vec()
    }
}

fn unpack(path: &Path) -> String {
    let file = File::open(path).unwrap();
    let mut out = String::new();
    let name = path.to_str().unwrap();
    if name.ends_with(".gz") {
        flate2::read::MultiGzDecoder::new(file).read_to_string(&mut out).unwrap();
    } else if name.ends_with(".zst") {
        zstd::Decoder::new(file).unwrap().read_to_string(&mut out).unwrap();
    } else {
        { file }.read_to_string(&mut out).unwrap();
    }
    out
}

/// A file of records from `first` on, in the format of its name.
fn make(dir: &Path, name: &str, first: usize, n: usize) -> Input {
    let path = dir.join(name);
    let range = first..first + n;
    if name.ends_with(".parquet") {
        let ids: ArrayRef = Arc::new(Int32Array::from_iter_values(range.clone().map(|i| i as i32)));
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values(range.clone().map(text)));
        let tags: ArrayRef =
            Arc::new(StringArray::from_iter(range.map(|i| (i % 3 > 0).then(|| format!("tag {i}")))));
        let batch = RecordBatch::try_from_iter([("id", ids), ("text", texts), ("tag", tags)]).unwrap();
        let properties = WriterProperties::builder().set_max_row_group_row_count(Some(17)).build();
        let mut writer =
            ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    } else {
        let line = |i| if name.contains(".txt") { text(i).replace('\n', " ") } else { json_line(i) };
        let lines: String = range.map(|i| line(i) + if i % 5 == 0 { "\r\n" } else { "\n" }).collect();
        std::fs::write(&path, pack(name, lines.as_bytes())).unwrap();
    }
    Input { name: name.into(), ..Input::open(&path).unwrap() }
}

const ALL: [&str; 6] = ["a.jsonl", "b.jsonl.gz", "c.jsonl.zst", "d.parquet", "e.jsonl", "f.parquet"];

fn corpus(dir: &Path, names: &[&str], n: usize) -> Vec<Input> {
    names.iter().enumerate().map(|(f, name)| make(dir, name, f * 1000, n)).collect()
}

fn options(block_bytes: usize, shard_bytes: u64) -> ReadOptions {
    ReadOptions { block_bytes, shard_bytes, ..ReadOptions::default() }
}

/// A table with a weight for every bucket.
fn tables(n: usize) -> Vec<f64> {
    (0..n * BUCKETS as usize).map(|i| ((i * 7919 % 1000) as f64 - 500.0) / 250.0).collect()
}

fn score_options(amounts: &[u64]) -> ScoreOptions {
    let mut sum = 0;
    let budgets = amounts.iter().map(|amount| {
        sum += amount;
        Budget { unit: Unit::Records, amount: sum }
    });
    ScoreOptions {
        order: ORDER,
        buckets: BUCKETS,
        min_tokens: 5,
        noise: Some(7),
        budgets: budgets.collect(),
        spare: 4,
        sample: 13,
        keep_weights: true,
        threads: None,
    }
}

fn score(inputs: &[Input], read: &ReadOptions, amounts: &[u64], state: Option<&State>) -> Scored {
    let shards = plan_shards(inputs, read).unwrap();
    score_ngrams(
        inputs,
        &shards,
        read,
        &tables(amounts.len()),
        &score_options(amounts),
        None,
        state,
        &Job::default(),
    )
    .unwrap()
}

fn choose(inputs: &[Input], read: &ReadOptions, amounts: &[u64]) -> Chosen {
    let budgets: Vec<Budget> = amounts.iter().map(|&amount| Budget { unit: Unit::Records, amount }).collect();
    score(inputs, read, amounts, None).choose(&budgets, 4).unwrap()
}

fn write_options(add_scores: Option<&[&str]>) -> WriteOptions {
    let add_scores = add_scores.map(|names| names.iter().map(|name| name.to_string()).collect());
    let add = add_scores.map(Add::Weights);
    WriteOptions { order: ORDER, buckets: BUCKETS, add, examples: 3, threads: None }
}

/// Writes a choice as one file (a name with an ending) or a folder.
fn write(
    inputs: &[Input],
    read: &ReadOptions,
    chosen: &Chosen,
    path: &Path,
    options: &WriteOptions,
) -> Result<Written, String> {
    let is_file = path.extension().is_some();
    let output = if is_file { Output::file(path, true) } else { Output::folder(path, true) };
    let mut output = output.map_err(|e| e.to_string())?;
    let written = write_chosen(inputs, read, chosen, Some(&mut output), options, None, &Job::default())
        .map_err(|e| e.to_string())?;
    output.commit("{\"tamis\":\"x\"}").map_err(|e| e.to_string())?;
    for file in &written.files {
        let bytes = std::fs::read(&file.path).unwrap();
        use sha2::Digest;
        assert_eq!(
            (file.bytes, &file.sha256),
            (bytes.len() as u64, &crate::hash::hex(&sha2::Sha256::digest(&bytes)))
        );
    }
    Ok(written)
}

/// The records' numbers (see [`make`]) that are kept, in order, each with its table, by scoring everything and sorting it.
fn naive(files: usize, n: usize, amounts: &[u64]) -> Vec<(usize, u32)> {
    let mut hasher = NgramHasher::new(ORDER, BUCKETS);
    let tables = tables(amounts.len());
    let (mut taken, mut kept) = (vec![false; files * n], Vec::new());
    for (table, &amount) in amounts.iter().enumerate() {
        let noise = Philox::new(7, table as u32);
        let mut keys: Vec<(f64, usize)> = Vec::new();
        for (index, _) in taken.iter().enumerate().filter(|(_, taken)| !**taken) {
            let mut scores = vec![0.0; amounts.len()];
            let stats = hasher
                .score(&text(index / n * 1000 + index % n), &tables, &mut scores, &Job::default())
                .unwrap();
            if stats.tokens >= 5 {
                keys.push((scores[table] + noise.gumbel_at(index as u64), index));
            }
        }
        keys.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        for &(_, index) in keys.iter().take(amount as usize) {
            taken[index] = true;
            kept.push((index, table as u32));
        }
    }
    kept.sort_unstable();
    kept.into_iter().map(|(index, table)| (index / n * 1000 + index % n, table)).collect()
}

fn rows(path: &Path) -> Vec<RecordBatch> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    builder.build().unwrap().map(Result::unwrap).collect()
}

fn ids(path: &Path) -> Vec<usize> {
    if path.extension().is_some_and(|ending| ending == "parquet") {
        let id = |batch: &RecordBatch| {
            arrow_cast::cast(batch.column_by_name("id").unwrap(), &arrow_schema::DataType::Int64).unwrap()
        };
        let all = |array: ArrayRef| array.as_primitive::<arrow_array::types::Int64Type>().values().to_vec();
        return rows(path).iter().flat_map(|batch| all(id(batch))).map(|id| id as usize).collect();
    }
    let id = |line: &str| {
        serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].as_u64().unwrap() as usize
    };
    unpack(path).lines().map(id).collect()
}
