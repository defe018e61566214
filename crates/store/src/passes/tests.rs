use super::choose::Chosen;
use super::count::{CountOptions, count_ngrams};
use super::heap::{Budget, Unit};
use super::score::{ScoreOptions, Scored, score_ngrams};
use super::weights::{each_weight, write_scores};
use super::write::{EXAMPLE_CHARACTERS, WriteOptions, Written, write_chosen};
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
    WriteOptions { order: ORDER, buckets: BUCKETS, add_scores, examples: 3, threads: None }
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
    let written = write_chosen(inputs, read, chosen, Some(&mut output), options, &Job::default())
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
        for index in 0..files * n {
            let mut scores = vec![0.0; amounts.len()];
            let stats = hasher.score(&text(index / n * 1000 + index % n), &tables, &mut scores);
            if stats.tokens >= 5 && !taken[index] {
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

#[test]
fn a_folder_holds_what_sorting_everything_keeps_for_any_cut_and_threads() {
    let dir = tempfile::tempdir().unwrap();
    let inputs = corpus(dir.path(), &ALL, 60);
    let amounts = [20, 15];
    let kept = naive(ALL.len(), 60, &amounts);
    let mut first: Option<BTreeMap<String, Vec<u8>>> = None;
    for (block, shard, threads) in
        [(300, 1 << 20, None), (300, 500, Some(1)), (300, 1, Some(2)), (1 << 20, 1, None)]
    {
        let read = options(block, shard);
        let chosen = choose(&inputs, &read, &amounts);
        assert_eq!(chosen.kept, [20, 15]);
        let out = dir.path().join("out");
        let written =
            write(&inputs, &read, &chosen, &out, &WriteOptions { threads, ..write_options(None) }).unwrap();
        assert_eq!(written.files.len(), ALL.len());
        let mut all = Vec::new();
        for (f, file) in written.files.iter().enumerate() {
            assert_eq!(file.path, std::path::absolute(out.join(ALL[f])).unwrap());
            let got = ids(&file.path);
            assert_eq!((file.records, chosen.of_files(ALL.len())[f]), (got.len() as u64, got.len() as u64));
            if !ALL[f].ends_with("parquet") {
                let lines: String = got.iter().map(|&i| json_line(i) + "\n").collect();
                assert_eq!(unpack(&file.path), lines, "byte for byte");
            } else {
                let builder =
                    ParquetRecordBatchReaderBuilder::try_new(File::open(&file.path).unwrap()).unwrap();
                let names: Vec<&str> =
                    builder.schema().fields().iter().map(|field| field.name().as_str()).collect();
                assert_eq!(names, ["id", "text", "tag"]);
                let texts: Vec<String> = rows(&file.path)
                    .iter()
                    .flat_map(|rows| {
                        rows.column(1)
                            .as_string::<i32>()
                            .iter()
                            .map(|t| t.unwrap().to_owned())
                            .collect::<Vec<_>>()
                    })
                    .collect();
                assert_eq!(texts, got.iter().map(|&i| text(i)).collect::<Vec<_>>());
            }
            all.extend(got);
        }
        assert_eq!(all, kept.iter().map(|(id, _)| *id).collect::<Vec<_>>());

        let mut counts = vec![0; BUCKETS as usize];
        let mut hasher = NgramHasher::new(ORDER, BUCKETS);
        let tokens: u64 = all.iter().map(|&i| u64::from(hasher.count(&text(i), &mut counts).tokens)).sum();
        assert_eq!((written.counts, chosen.tokens()), (counts, tokens));
        assert_eq!(chosen.text_bytes(), all.iter().map(|&i| text(i).len() as u64).sum::<u64>());
        assert_eq!(
            written.totals.iter().map(|t| (t.records, t.tokens)).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1)),
            (35, tokens)
        );

        let bytes = |file: &OutputFile| (file.path.display().to_string(), std::fs::read(&file.path).unwrap());
        let bytes: BTreeMap<String, Vec<u8>> = written.files.iter().map(bytes).collect();
        // Compressors see where blocks end: of another size of blocks, which nobody chooses, only the records are the same.
        if block == 300 {
            assert!(first.get_or_insert_with(|| bytes.clone()) == &bytes);
        }
    }
}

#[test]
fn one_file_takes_all_formats() {
    let dir = tempfile::tempdir().unwrap();
    let names = ["a.jsonl", "b.parquet", "c.jsonl.gz", "d.txt", "e.parquet"];
    let inputs = corpus(dir.path(), &names, 40);
    let read = options(200, 300);
    let chosen = choose(&inputs, &read, &[30]);
    let per_file = chosen.of_files(names.len());
    assert!(per_file.iter().all(|&n| n > 0), "{per_file:?}");
    let texts: Vec<String> = chosen
        .each_kept()
        .map(|(c, _)| (c.file as usize, c.file as usize * 1000 + c.ordinal as usize))
        .map(|(f, i)| if f == 3 { text(i).replace('\n', " ") } else { text(i) })
        .collect();
    for name in ["out.jsonl", "out.jsonl.gz", "out.jsonl.zst"] {
        let written = write(&inputs, &read, &chosen, &dir.path().join(name), &write_options(None)).unwrap();
        assert_eq!((written.files.len(), written.files[0].records), (1, 30));
        let lines = unpack(&written.files[0].path);
        let got: Vec<String> = lines
            .lines()
            .map(|line| {
                serde_json::from_str::<serde_json::Value>(line).unwrap()["text"].as_str().unwrap().into()
            })
            .collect();
        assert_eq!(got, texts);
        assert!(
            lines.lines().any(|line| line.contains("\"tag\":\"tag "))
                && lines.lines().any(|line| line.starts_with("{\"id\": "))
        );
    }
    let written =
        write(&inputs, &read, &chosen, &dir.path().join("out.parquet"), &write_options(None)).unwrap();
    let rows = rows(&written.files[0].path);
    let fields = rows[0].schema();
    let fields: Vec<String> =
        fields.fields().iter().map(|f| format!("{}: {}", f.name(), f.data_type())).collect();
    assert_eq!(fields[..3], ["id: Int64", "text: Utf8", "tag: Utf8"]);
    assert!(fields[3].starts_with("more: Struct"), "{fields:?}");
    let got: Vec<String> = rows
        .iter()
        .flat_map(|rows| {
            rows.column_by_name("text")
                .unwrap()
                .as_string::<i32>()
                .iter()
                .map(|t| t.unwrap().to_owned())
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(got, texts);
    let refused =
        write(&inputs, &read, &chosen, &dir.path().join("out.txt"), &write_options(None)).unwrap_err();
    assert!(refused.contains("name the output .jsonl or .parquet"), "{refused}");
    let refused =
        write(&inputs, &read, &chosen, &dir.path().join("out.csv"), &write_options(None)).unwrap_err();
    assert!(refused.contains("must end in .jsonl"), "{refused}");
}

#[test]
fn texts_go_to_texts() {
    let dir = tempfile::tempdir().unwrap();
    let inputs = corpus(dir.path(), &["a.txt", "b.txt.gz"], 40);
    let read = options(200, 300);
    let chosen = choose(&inputs, &read, &[12]);
    let line = |i: usize| text(i).replace('\n', " ") + "\n";
    let kept = |f: u32| -> String {
        chosen
            .each_kept()
            .filter(|(c, _)| c.file == f)
            .map(|(c, _)| line(c.file as usize * 1000 + c.ordinal as usize))
            .collect()
    };
    let written = write(&inputs, &read, &chosen, &dir.path().join("out"), &write_options(None)).unwrap();
    assert_eq!([0, 1].map(|f| unpack(&written.files[f].path)), [kept(0), kept(1)]);
    let written = write(&inputs, &read, &chosen, &dir.path().join("out.txt"), &write_options(None)).unwrap();
    assert_eq!(unpack(&written.files[0].path), kept(0) + &kept(1));
    for name in ["out", "out.txt"] {
        let refused =
            write(&inputs, &read, &chosen, &dir.path().join(name), &write_options(Some(&[]))).unwrap_err();
        assert!(refused.contains("no place for added scores"), "{refused}");
    }
}

#[test]
fn documents_that_are_files_come_through_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let mut inputs = Vec::new();
    for i in 0..12 {
        let name = format!("{i:02}.txt");
        std::fs::write(dir.path().join(&name), format!("\u{FEFF}{}\r\n\r\nend", text(i))).unwrap();
        inputs.push(Input::open(&dir.path().join(&name)).unwrap());
    }
    let read = ReadOptions { text_unit: TextUnit::File, ..options(50, 50) };
    let chosen = choose(&inputs, &read, &[5]);
    let written = write(&inputs, &read, &chosen, &dir.path().join("out"), &write_options(None)).unwrap();
    assert_eq!(written.files.len(), 5);
    for (file, (candidate, _)) in written.files.iter().zip(chosen.each_kept()) {
        assert_eq!(
            std::fs::read(&file.path).unwrap(),
            std::fs::read(&inputs[candidate.file as usize].path).unwrap()
        );
    }
    let written =
        write(&inputs, &read, &chosen, &dir.path().join("out.jsonl"), &write_options(None)).unwrap();
    let lines = unpack(&written.files[0].path);
    assert_eq!(lines.lines().count(), 5);
    assert!(!lines.contains('\u{FEFF}') && lines.contains("\\r\\n\\r\\nend"));
    assert!(write(&inputs, &read, &chosen, &dir.path().join("out.txt"), &write_options(None)).is_err());
}

#[test]
fn scores_and_sources_can_be_added() {
    let dir = tempfile::tempdir().unwrap();
    let inputs = corpus(dir.path(), &["a.jsonl", "b.parquet"], 60);
    let read = options(500, 500);
    let chosen = choose(&inputs, &read, &[9, 6]);
    let expected: Vec<_> =
        chosen.each_kept().map(|(c, table)| (c.score, c.key, c.file, c.ordinal, table)).collect();
    let with = write_options(Some(&["ham", "spam"]));
    let written = write(&inputs, &read, &chosen, &dir.path().join("out.jsonl"), &with).unwrap();
    for (line, &(score, key, file, record, table)) in unpack(&written.files[0].path).lines().zip(&expected) {
        let name = serde_json::to_string(&inputs[file as usize].name).unwrap();
        let target = ["ham", "spam"][table as usize];
        let [score, key] = [score, key].map(|x| serde_json::to_string(&x).unwrap());
        let added = format!(
            ",\"tamis\":{{\"log_weight\":{score},\"perturbed\":{key},\"source\":{name},\"record\":{record},\"target\":\"{target}\"}}}}"
        );
        assert!(line.ends_with(&added), "{line} {added}");
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    let written = write(&inputs, &read, &chosen, &dir.path().join("out"), &with).unwrap();
    let batches = rows(&written.files[1].path);
    let of_file: Vec<_> = expected.iter().filter(|row| row.2 == 1).collect();
    let scores: Vec<f64> = batches
        .iter()
        .flat_map(|rows| {
            rows.column_by_name("tamis_log_weight")
                .unwrap()
                .as_primitive::<arrow_array::types::Float64Type>()
                .values()
                .to_vec()
        })
        .collect();
    assert_eq!(scores, of_file.iter().map(|row| row.0).collect::<Vec<_>>());
    let names: Vec<String> = batches[0].schema().fields().iter().map(|f| f.name().clone()).collect();
    assert_eq!(
        names[3..],
        ["tamis_log_weight", "tamis_perturbed", "tamis_source", "tamis_record", "tamis_target"]
    );
    // Selected from again, the columns of the first run are replaced.
    let again: Vec<Input> = written.files.iter().map(|file| Input::open(&file.path).unwrap()).collect();
    let chosen = choose(&again, &read, &[4]);
    let written =
        write(&again, &read, &chosen, &dir.path().join("again"), &write_options(Some(&[]))).unwrap();
    assert_eq!(rows(&written.files[1].path)[0].num_columns(), 3 + 4 + 1);
    assert!(unpack(&written.files[0].path).lines().all(|line| line.matches("\"tamis\"").count() == 1));
}

#[test]
fn examples_are_the_extremes_with_their_texts() {
    let dir = tempfile::tempdir().unwrap();
    let inputs = corpus(dir.path(), &ALL, 30);
    let read = options(500, 500);
    let chosen = choose(&inputs, &read, &[25]);
    let written = write(&inputs, &read, &chosen, &dir.path().join("out"), &write_options(None)).unwrap();
    let mut by_score: Vec<_> = chosen.each_kept().map(|(c, _)| *c).collect();
    by_score.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.index.cmp(&b.index)));
    let place = |e: &super::write::Example| (e.file, e.record);
    assert_eq!(
        written.highest.iter().map(place).collect::<Vec<_>>(),
        by_score[..3].iter().map(|c| (c.file, c.ordinal)).collect::<Vec<_>>()
    );
    by_score.sort_by(|a, b| a.score.total_cmp(&b.score).then(a.index.cmp(&b.index)));
    assert_eq!(
        written.lowest.iter().map(place).collect::<Vec<_>>(),
        by_score[..3].iter().map(|c| (c.file, c.ordinal)).collect::<Vec<_>>()
    );
    let worst = chosen.each_kept().map(|(c, _)| c.key).fold(f64::INFINITY, f64::min);
    assert_eq!(written.misses.len(), 3);
    assert!(written.misses.iter().all(|e| e.key < worst && e.table.is_none()));
    assert!(written.misses.windows(2).all(|pair| pair[0].key >= pair[1].key));
    for example in written.highest.iter().chain(&written.lowest).chain(&written.misses) {
        let whole = text(example.file as usize * 1000 + example.record as usize);
        assert_eq!(example.text, whole.chars().take(EXAMPLE_CHARACTERS).collect::<String>());
    }
}

fn state(dir: &TempDir, resume: bool) -> State {
    State::open(&dir.path().join("out"), &Fingerprint::default(), resume).unwrap()
}

/// The state without the results of shards from `shard` on.
fn cut(dir: &TempDir, phase: &str, shard: usize) {
    let folder: PathBuf = crate::state::state_folder(&dir.path().join("out")).unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let number = name
            .strip_prefix(phase)
            .and_then(|rest| rest.strip_prefix('-')?.strip_suffix(".part")?.parse::<usize>().ok());
        if number.is_some_and(|number| number >= shard) {
            std::fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn passes_go_on_behind_the_finished_shards() {
    let dir = tempfile::tempdir().unwrap();
    let inputs = corpus(dir.path(), &ALL, 60);
    let read = ReadOptions { hash: true, ..options(300, 1500) };
    let shards = plan_shards(&inputs, &read).unwrap();
    assert!(shards.len() > 12);
    let hashes: Vec<Option<String>> = inputs
        .iter()
        .map(|input| {
            use sha2::Digest;
            Some(crate::hash::hex(&sha2::Sha256::digest(std::fs::read(&input.path).unwrap())))
        })
        .collect();
    for limit in [None, Some(300)] {
        let count =
            CountOptions { order: ORDER, buckets: BUCKETS, limit, min_tokens: Some(5), threads: None };
        let run = |state: Option<&State>| {
            let state = state.map(|state| (state, "fit"));
            count_ngrams(&inputs, &shards, &read, &count, state, &Job::default()).unwrap()
        };
        let whole = run(None);
        assert_eq!(whole.seen.hashes(), hashes);
        assert_eq!(
            whole.counts.iter().sum::<u64>(),
            whole.seen.files.iter().map(|f| f.features).sum::<u64>()
        );
        for done in 0..=shards.len() {
            run(Some(&state(&dir, false)));
            cut(&dir, "fit", done);
            let again = run(Some(&state(&dir, true)));
            assert_eq!((&again.counts, &again.seen.files), (&whole.counts, &whole.seen.files));
            assert_eq!(again.seen.hashes(), hashes);
            assert_eq!(again.seen.bytes_read, shards[done..].iter().map(|shard| shard.bytes).sum::<u64>());
        }
    }

    let amounts = [20, 15];
    let budgets: Vec<Budget> = amounts.iter().map(|&amount| Budget { unit: Unit::Records, amount }).collect();
    let weights = |scored: &Scored, state: &State| {
        let mut all = Vec::new();
        each_weight(scored, state, |w| {
            all.extend(w.scores.iter().map(|score| score.to_bits()));
            all.extend(w.tokens.iter().map(|&tokens| u64::from(tokens)));
            Ok(())
        })
        .unwrap();
        all
    };
    let kept = state(&dir, false);
    let mut whole = score(&inputs, &read, &amounts, Some(&kept));
    let (all, sample) = (weights(&whole, &kept), whole.sample.columns());
    drop(kept);
    let picks = whole.choose(&budgets, 4).unwrap().picks;
    assert_eq!(sample.0.len(), 13);
    for done in 0..=shards.len() {
        score(&inputs, &read, &amounts, Some(&state(&dir, false)));
        cut(&dir, "score", done);
        let kept = state(&dir, true);
        let mut again = score(&inputs, &read, &amounts, Some(&kept));
        assert_eq!((weights(&again, &kept), again.sample.columns()), (all.clone(), sample.clone()));
        assert_eq!((&again.seen.files, again.seen.hashes()), (&whole.seen.files, hashes.clone()));
        assert_eq!(again.seen.bytes_read, shards[done..].iter().map(|shard| shard.bytes).sum::<u64>());
        assert_eq!(again.choose(&budgets, 4).unwrap().picks, picks, "{done}");
    }
}

#[test]
fn scores_are_written_for_every_record() {
    let dir = tempfile::tempdir().unwrap();
    let mut inputs = corpus(dir.path(), &["a.jsonl", "b.parquet", "c.jsonl"], 50);
    std::fs::write(dir.path().join("0.jsonl"), "\n").unwrap();
    inputs.insert(1, Input::open(&dir.path().join("0.jsonl")).unwrap());
    let read = options(300, 700);
    let state = state(&dir, false);
    let scored = score(&inputs, &read, &[5], Some(&state));
    let path = dir.path().join("scores.parquet");
    write_scores(&path, &inputs, &scored, &["".into()], &state, false, &Job::default()).unwrap();
    let scores = read_scores(&path).unwrap();
    let mut hasher = NgramHasher::new(ORDER, BUCKETS);
    let table = tables(1);
    let mut at = 0;
    for first in [0, 1000, 2000] {
        for i in first..first + 50 {
            let mut score = [0.0];
            let stats = hasher.score(&text(i), &table, &mut score);
            assert_eq!(
                (scores.log_weights[at].to_bits(), scores.tokens[at]),
                (score[0].to_bits(), stats.tokens)
            );
            at += 1;
        }
    }
    assert_eq!(scores.tokens.len(), at);
    let rows: Vec<(String, u64)> = rows(&path)
        .iter()
        .flat_map(|rows| {
            let files = arrow_cast::cast(rows.column(0), &arrow_schema::DataType::Utf8).unwrap();
            let records = rows.column(1).as_primitive::<arrow_array::types::UInt64Type>().values().to_vec();
            files
                .as_string::<i32>()
                .iter()
                .map(|name| name.unwrap().to_owned())
                .zip(records)
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(rows[49..51], [("a.jsonl".to_owned(), 49), ("b.parquet".to_owned(), 0)]);
    assert_eq!(rows[149], ("c.jsonl".to_owned(), 49));
}

#[test]
fn a_limit_cuts_each_file_at_the_same_record_for_any_cut_and_threads() {
    let dir = tempfile::tempdir().unwrap();
    let inputs = corpus(dir.path(), &["a.jsonl", "b.jsonl.gz"], 80);
    let mut hasher = NgramHasher::new(ORDER, BUCKETS);
    let limit = 700;
    let mut want = vec![0; BUCKETS as usize];
    for file in 0..2 {
        let mut features = 0;
        for i in 0..80 {
            if features <= limit {
                features += hasher.count(&text(file * 1000 + i), &mut want).features;
            }
        }
    }
    for (block, shard, threads) in [(1 << 20, 1 << 20, None), (100, 400, Some(1)), (350, 1000, Some(2))] {
        let read = options(block, shard);
        let shards = plan_shards(&inputs, &read).unwrap();
        let count =
            CountOptions { order: ORDER, buckets: BUCKETS, limit: Some(limit), min_tokens: None, threads };
        let counted = count_ngrams(&inputs, &shards, &read, &count, None, &Job::default()).unwrap();
        assert_eq!(counted.counts, want);
        assert_eq!(counted.seen.files.iter().map(|f| f.records).collect::<Vec<_>>(), [80, 80]);
    }
}

#[test]
fn bad_records_are_counted_and_take_no_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl");
    let lines: String =
        (0..40).map(|i| if i % 4 == 0 { "{\"text\":5}\n\n".into() } else { json_line(i) + "\n" }).collect();
    std::fs::write(&path, lines).unwrap();
    let inputs = [Input::open(&path).unwrap()];
    let read = ReadOptions { on_bad: OnBad::Skip, ..options(200, 300) };
    let scored = score(&inputs, &read, &[5], None);
    assert_eq!((scored.seen.files[0].records, scored.seen.files[0].skipped), (30, 10));
    assert!(
        scored.seen.bad[1].contains("a.jsonl:5: not a record with a string field \"text\" (it is a number)"),
        "{:?}",
        scored.seen.bad
    );
    let chosen = choose(&inputs, &read, &[5]);
    let written = write(&inputs, &read, &chosen, &dir.path().join("out"), &write_options(None)).unwrap();
    assert_eq!(ids(&written.files[0].path).len(), 5);
}

#[test]
fn a_stopped_job_ends_every_pass_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let inputs = corpus(dir.path(), &ALL, 20);
    let read = options(100, 100);
    let chosen = choose(&inputs, &read, &[10]);
    let shards = plan_shards(&inputs, &read).unwrap();
    let job = Job::default();
    job.stop();
    let count = CountOptions { order: ORDER, buckets: BUCKETS, limit: None, min_tokens: None, threads: None };
    assert_eq!(
        count_ngrams(&inputs, &shards, &read, &count, None, &job).err().unwrap().code(),
        "ERR_TAMIS_ABORTED"
    );
    let scored = score_ngrams(&inputs, &shards, &read, &tables(1), &score_options(&[10]), None, &job);
    assert_eq!(scored.err().unwrap().code(), "ERR_TAMIS_ABORTED");
    for out in ["out", "out.jsonl", "out.parquet"] {
        let out = dir.path().join(out);
        let mut output =
            if out.extension().is_some() { Output::file(&out, false) } else { Output::folder(&out, false) }
                .unwrap();
        let result = write_chosen(&inputs, &read, &chosen, Some(&mut output), &write_options(None), &job);
        assert_eq!(result.err().unwrap().code(), "ERR_TAMIS_ABORTED");
        drop(output);
    }
    let names: Vec<String> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names.len(), ALL.len(), "{names:?}");
}

#[test]
fn a_file_that_changed_before_the_writing_is_told() {
    for name in ["a.jsonl", "a.jsonl.gz", "a.parquet"] {
        let dir = tempfile::tempdir().unwrap();
        let inputs = corpus(dir.path(), &[name], 30);
        let read = options(100, 100);
        let chosen = choose(&inputs, &read, &[10]);
        make(dir.path(), name, 5000, 20);
        let error =
            write(&inputs, &read, &chosen, &dir.path().join("out"), &write_options(None)).unwrap_err();
        assert!(error.contains(name) && error.contains("changed"), "{error}");
        assert!(!dir.path().join("out").exists());
    }
}

#[test]
fn the_best_are_kept_whether_or_not_there_are_misses() {
    let dir = tempfile::tempdir().unwrap();
    let inputs = corpus(dir.path(), &["a.jsonl"], 40);
    let read = options(100, 100);
    // More than there are candidates: all of them are kept, and nothing is missed.
    let chosen = choose(&inputs, &read, &[1000]);
    let candidates = score(&inputs, &read, &[1], None).seen.files[0].candidates;
    assert_eq!(chosen.records(), candidates);
    let written = write(&inputs, &read, &chosen, &dir.path().join("out"), &write_options(None)).unwrap();
    assert!(written.misses.is_empty());
    let (scores, tokens) = chosen.sample(7);
    assert_eq!((scores.len(), tokens.len()), (7, 7));
    assert_eq!(chosen.sample(10_000).0.len() as u64, candidates);
    // None at all: every file is there, and empty.
    let none = Chosen::default();
    for out in ["none", "none.jsonl", "none.parquet"] {
        let written = write(&inputs, &read, &none, &dir.path().join(out), &write_options(None)).unwrap();
        assert_eq!((written.files.len(), written.files[0].records), (1, 0));
    }
}
