mod tables;

use super::*;
use crate::input::Input;
use crate::record::TextUnit;
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use std::io::{Seek, SeekFrom, Write};
use tempfile::TempDir;

/// One record as a reader gave it: text, offset, length, raw bytes, place among the good records of its file.
type Got = (String, u64, u64, Vec<u8>, u64);

struct Read {
    records: Vec<Vec<Got>>,
    skipped: Vec<u64>,
    bad: Vec<String>,
    hashes: Vec<Option<Vec<u8>>>,
    bytes_read: u64,
}

fn read(inputs: &[Input], options: &ReadOptions) -> Result<Read, Error> {
    read_shards(inputs, &plan_shards(inputs, options)?, options, Start::default())
}

fn read_shards(
    inputs: &[Input],
    shards: &[Shard],
    options: &ReadOptions,
    start: Start,
) -> Result<Read, Error> {
    let reader = BlockReader::new(inputs, shards, options, start);
    let mut out = Read {
        records: vec![Vec::new(); inputs.len()],
        skipped: vec![0; inputs.len()],
        bad: Vec::new(),
        hashes: vec![None; inputs.len()],
        bytes_read: 0,
    };
    let mut scratch = Scratch::default();
    let mut number = 0;
    let (mut shard, mut ended) = (0, true);
    while let Some((sequence, block)) = reader.next().map_err(|(_, error)| error)? {
        assert_eq!(sequence, number);
        number += 1;
        assert_eq!(block.shard(), if ended { shard } else { shard.max(block.shard()) });
        let file = block.file() as usize;
        let before = out.records[file].len() as u64;
        let stats = block.records(&mut scratch, |record| {
            let (offset, len, raw) = (record.offset, record.len, record.raw.to_vec());
            out.records[file].push((record.text.to_owned(), offset, len, raw, before + record.ordinal));
            Ok(())
        })?;
        assert_eq!(stats.records, out.records[file].len() as u64 - before);
        out.skipped[file] += stats.skipped;
        out.bad.extend(stats.bad);
        ended = block.ends_shard();
        if ended {
            shard += 1;
            out.hashes[file] = block.hash_state().map(<[u8]>::to_vec);
        }
    }
    assert!(ended && shard == shards.len());
    out.bytes_read = reader.bytes_read();
    Ok(out)
}

fn small(block_bytes: usize, shard_bytes: u64) -> ReadOptions {
    ReadOptions { block_bytes, shard_bytes, ..ReadOptions::default() }
}

fn skipping(options: ReadOptions) -> ReadOptions {
    ReadOptions { on_bad: OnBad::Skip, ..options }
}

fn file(dir: &TempDir, name: &str, bytes: &[u8]) -> Input {
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    Input::open(&path).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn zstd_of(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

fn texts(read: &Read, file: usize) -> Vec<&str> {
    read.records[file].iter().map(|record| record.0.as_str()).collect()
}

fn message<T>(result: Result<T, Error>) -> String {
    result.err().unwrap().to_string()
}

/// Every record of JSONL bytes, found by hand: offset, length, and the text or nothing.
fn naive(bytes: &[u8]) -> Vec<(u64, u64, Option<String>)> {
    let mut out = Vec::new();
    let mut at = if bytes.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    for line in bytes[at..].split(|&b| b == b'\n') {
        let start = at;
        at += line.len() + 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.iter().all(|b| b" \t\r".contains(b)) {
            continue;
        }
        let value: Option<serde_json::Value> = serde_json::from_slice(line).ok();
        let text = value.and_then(|value| Some(value.get("text")?.as_str()?.to_owned()));
        out.push((start as u64, line.len() as u64, text));
    }
    out
}

/// Lines good and bad, with all that stands between lines.
fn jsonl() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        6 => any::<String>().prop_map(|text| serde_json::json!({"n": 1, "text": text}).to_string().into_bytes()),
        1 => Just(br#"{"text":7}"#.to_vec()),
        1 => Just(b"{".to_vec()),
        1 => Just(b"\xFF\xFE".to_vec()),
        1 => Just(b"{\"text\":\"\0\"}".to_vec()),
        2 => "[ \t\r]{0,3}".prop_map(String::into_bytes),
    ];
    let end = prop_oneof![3 => Just(&b"\n"[..]), 1 => Just(&b"\r\n"[..])];
    (prop::collection::vec((line, end), 0..20), any::<bool>(), any::<bool>()).prop_map(
        |(lines, bom, ended)| {
            let mut out = if bom { b"\xEF\xBB\xBF".to_vec() } else { Vec::new() };
            lines.iter().for_each(|(line, end)| out.extend([line, *end].concat()));
            if !ended && out.ends_with(b"\n") {
                out.pop();
            }
            out
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_cut_into_blocks_and_shards_gives_the_same_records(
        files in prop::collection::vec(jsonl(), 1..4),
        block in 1..200_usize,
        shard in 1..400_u64,
    ) {
        let dir = tempfile::tempdir().unwrap();
        for packing in 0..3 {
            let inputs: Vec<Input> = files.iter().enumerate().map(|(i, bytes)| match packing {
                0 => file(&dir, &format!("{i}.jsonl"), bytes),
                1 => file(&dir, &format!("{i}.jsonl.gz"), &gzip(bytes)),
                _ => file(&dir, &format!("{i}.jsonl.zst"), &zstd_of(bytes)),
            }).collect();
            let options = ReadOptions { hash: true, ..skipping(small(block, shard)) };
            let got = read(&inputs, &options).unwrap();
            for (i, bytes) in files.iter().enumerate() {
                let want = naive(bytes);
                let good: Vec<Got> = want.iter().filter_map(|(offset, len, text)| Some((offset, len, text.as_ref()?))).enumerate()
                    .map(|(n, (&offset, &len, text))| {
                        let raw = bytes[offset as usize..(offset + len) as usize].to_vec();
                        (text.clone(), offset, len, raw, n as u64)
                    }).collect();
                prop_assert_eq!(&got.records[i], &good);
                prop_assert_eq!(got.skipped[i], (want.len() - good.len()) as u64);
                let hash = crate::hash::RunningHash::resume(got.hashes[i].as_ref().unwrap()).unwrap().hex();
                prop_assert_eq!(hash, crate::hash::hex(&Sha256::digest(std::fs::read(&inputs[i].path).unwrap())));
            }
            prop_assert_eq!(got.bytes_read, inputs.iter().map(|input| input.bytes).sum::<u64>());
            // The number that an error names counts every record that is not blank.
            let bad: Vec<String> = files.iter().enumerate().flat_map(|(i, bytes)| {
                let path = inputs[i].path.display().to_string();
                naive(bytes).into_iter().enumerate().filter(|(_, (.., text))| text.is_none()).map(move |(n, _)| format!("{path}:{}: ", n + 1))
            }).collect();
            for (message, start) in got.bad.iter().zip(&bad) {
                prop_assert!(message.starts_with(start), "{} {}", message, start);
            }
            let thrown = read(&inputs, &small(block, shard)).err().map(|error| error.to_string());
            prop_assert_eq!(thrown.is_some(), !bad.is_empty());
            prop_assert!(thrown.iter().zip(&bad).all(|(message, start)| message.starts_with(start)));
        }
    }

    #[test]
    fn a_reader_goes_on_behind_any_shard(bytes in jsonl(), block in 1..100_usize, shard in 1..200_u64) {
        let dir = tempfile::tempdir().unwrap();
        let inputs = [file(&dir, "a.jsonl", &bytes)];
        let options = ReadOptions { hash: true, ..skipping(small(block, shard)) };
        let shards = plan_shards(&inputs, &options).unwrap();
        let whole = read(&inputs, &options).unwrap();
        for cut in 1..shards.len() {
            let first = read_shards(&inputs, &shards[..cut], &options, Start::default()).unwrap();
            let start = Start { records: first.records[0].len() as u64 + first.skipped[0], hash: first.hashes[0].clone() };
            let second = read_shards(&inputs, &shards[cut..], &options, start).unwrap();
            let both: Vec<&str> = texts(&first, 0).into_iter().chain(texts(&second, 0)).collect();
            prop_assert_eq!(both, texts(&whole, 0));
            prop_assert_eq!(&second.hashes, &whole.hashes);
            prop_assert_eq!([first.bad, second.bad].concat(), whole.bad.clone());
            prop_assert_eq!(second.bytes_read, shards[cut..].iter().map(|shard| shard.bytes).sum::<u64>());
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), head in 0..5_usize) {
        let dir = tempfile::tempdir().unwrap();
        let head: &[u8] = [&b""[..], b"PAR1", b"\x1f\x8b\x08\0", b"\x28\xb5\x2f\xfd", b"{\"text\":\""][head];
        let bytes = [head, &bytes].concat();
        for name in ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.parquet", "a.txt", "a.txt.gz", "a.txt.zst"] {
            let input = file(&dir, name, &bytes);
            for text_unit in [TextUnit::Line, TextUnit::File] {
                let options = ReadOptions { text_unit, max_record: 100, ..skipping(small(16, 64)) };
                let _ = read(std::slice::from_ref(&input), &options).map(|read| read.records);
            }
        }
    }
}

#[test]
fn text_files_are_lines_or_one_document() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = b"\xEF\xBB\xBFone\r\n \n\ntwo \xC3\xA9\nthree";
    for (name, packed) in
        [("a.txt", bytes.to_vec()), ("a.txt.gz", gzip(bytes)), ("a.txt.zst", zstd_of(bytes))]
    {
        let input = [file(&dir, name, &packed)];
        for block in [1, 7, 1000] {
            let got = read(&input, &small(block, 5)).unwrap();
            assert_eq!(texts(&got, 0), ["one", "two é", "three"]);
            assert_eq!(got.records[0].iter().map(|r| r.1).collect::<Vec<_>>(), [3, 11, 18]);
            let whole = ReadOptions { text_unit: TextUnit::File, ..small(block, 5) };
            let got = read(&input, &whole).unwrap();
            assert_eq!(texts(&got, 0), ["one\r\n \n\ntwo é\nthree"]);
            assert_eq!((got.records[0][0].2, &got.records[0][0].3[..]), (bytes.len() as u64, &bytes[..]));
            let short = ReadOptions { max_record: 10, ..whole };
            assert!(message(read(&input, &short)).contains(":1: record of more than 10 bytes"));
        }
    }
    let invalid = [file(&dir, "b.txt", b"good\nb\xFFd\n")];
    assert!(
        message(read(&invalid, &small(100, 100))).contains("b.txt:2: not UTF-8 text (byte 1 of the record)")
    );
    let got = read(&invalid, &skipping(small(100, 100))).unwrap();
    assert_eq!((texts(&got, 0), got.skipped[0]), (vec!["good"], 1));
}

#[test]
fn empty_files_have_no_records() {
    let dir = tempfile::tempdir().unwrap();
    let empty = [
        file(&dir, "a.jsonl", b""),
        file(&dir, "b.jsonl", b"\n\r\n \n"),
        file(&dir, "c.txt", b""),
        file(&dir, "d.jsonl.gz", &gzip(b"")),
        file(&dir, "e.jsonl.zst", &zstd_of(b"")),
        file(&dir, "f.jsonl", b"\xEF\xBB\xBF"),
    ];
    for text_unit in [TextUnit::Line, TextUnit::File] {
        let got = read(&empty, &ReadOptions { text_unit, ..small(4, 4) }).unwrap();
        assert!(got.records.iter().all(Vec::is_empty), "{:?}", got.records);
    }
    // A gzip file has a header at least.
    let cut = [file(&dir, "g.jsonl.gz", b"")];
    assert!(message(read(&cut, &small(4, 4))).contains("ends early"));
}

#[test]
fn a_record_may_be_as_long_as_allowed_and_no_longer() {
    let dir = tempfile::tempdir().unwrap();
    let line = |n: usize| format!("{{\"text\":\"{}\"}}", "x".repeat(n - 11));
    let bytes = [line(50), line(51), line(500), line(50), line(20)].join("\r\n");
    for (name, packed) in [
        ("a.jsonl", bytes.clone().into_bytes()),
        ("a.jsonl.gz", gzip(bytes.as_bytes())),
        ("a.jsonl.zst", zstd_of(bytes.as_bytes())),
    ] {
        let input = [file(&dir, name, &packed)];
        for block in [1, 3, 30, 100, 10_000] {
            let options = ReadOptions { max_record: 50, hash: true, ..small(block, 60) };
            assert!(
                message(read(&input, &options))
                    .contains(":2: record of more than 50 bytes: raise --max-record")
            );
            let got = read(&input, &skipping(options)).unwrap();
            assert_eq!(
                got.records[0].iter().map(|r| r.2).collect::<Vec<_>>(),
                [50, 50, 20],
                "{name} {block}"
            );
            assert_eq!(got.skipped[0], 2);
            let hash = crate::hash::RunningHash::resume(got.hashes[0].as_ref().unwrap()).unwrap().hex();
            assert_eq!(hash, crate::hash::hex(&Sha256::digest(&packed)), "{name} {block}");
        }
    }
}

#[test]
fn a_line_of_200_megabytes_is_refused_and_never_held() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl");
    let mut plain = std::fs::File::create(&path).unwrap();
    plain.write_all(b"{\"text\":\"a\"}\n").unwrap();
    plain.set_len(200 << 20).unwrap();
    plain.seek(SeekFrom::End(0)).unwrap();
    plain.write_all(b"\n{\"text\":\"b\"}\n").unwrap();
    let mut packed = zstd::Encoder::new(Vec::new(), 1).unwrap();
    std::io::copy(&mut std::fs::File::open(&path).unwrap(), &mut packed).unwrap();
    let inputs = [Input::open(&path).unwrap(), file(&dir, "a.jsonl.zst", &packed.finish().unwrap())];
    for input in &inputs {
        let input = std::slice::from_ref(input);
        let usual = ReadOptions::default();
        let refused = message(read(input, &usual));
        assert!(refused.contains(":2: record of more than 67108864 bytes: raise --max-record"), "{refused}");
        let options = skipping(usual);
        let shards = plan_shards(input, &options).unwrap();
        let reader = BlockReader::new(input, &shards, &options, Start::default());
        let mut texts = Vec::new();
        while let Some((_, block)) = reader.next().map_err(|(_, error)| error).unwrap() {
            assert!(block.bytes().is_none_or(|(bytes, _)| bytes.len() <= 64 << 20));
            let each = |record: &Record| {
                texts.push(record.text.to_owned());
                Ok(())
            };
            block.records(&mut Scratch::default(), each).unwrap();
        }
        assert_eq!(texts, ["a", "b"]);
    }
}

#[test]
fn compressed_files_that_are_cut_or_damaged_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let lines: String =
        (0..2000).map(|i| format!("{{\"text\":\"record {i} {}\"}}\n", i * 7919 % 1000)).collect();
    for (name, packed, kind) in
        [("a.jsonl.gz", gzip(lines.as_bytes()), "gzip"), ("a.jsonl.zst", zstd_of(lines.as_bytes()), "zstd")]
    {
        for cut in [packed.len() / 3, packed.len() - 1] {
            let cut = [file(&dir, name, &packed[..cut])];
            let message = message(read(&cut, &small(1000, 1000)));
            assert!(
                message.contains(name) && message.contains(&format!("the {kind} file ends early")),
                "{message}"
            );
        }
        let mut damaged = packed.clone();
        let middle = damaged.len() / 2;
        damaged[middle..middle + 20].iter_mut().for_each(|b| *b ^= 0x55);
        let damaged = [file(&dir, name, &damaged)];
        let message = message(read(&damaged, &small(1000, 1000)));
        assert!(message.contains(name), "{message}");
        // Several members or frames, one after another, are one file.
        let twice = [file(&dir, name, &[&packed[..], &packed].concat())];
        assert_eq!(read(&twice, &small(1000, 1000)).unwrap().records[0].len(), 4000);
    }
    let no_gzip = [file(&dir, "b.jsonl.gz", lines.as_bytes())];
    assert!(message(read(&no_gzip, &small(1000, 1000))).contains("damaged gzip data"));
}

#[test]
fn a_file_that_changes_meanwhile_is_told() {
    let dir = tempfile::tempdir().unwrap();
    for grown in [true, false] {
        let input = [file(&dir, "a.jsonl", &b"{\"text\":\"a\"}\n".repeat(3))];
        let shards = plan_shards(&input, &small(1000, 1000)).unwrap();
        std::fs::write(&input[0].path, b"{\"text\":\"a\"}\n".repeat(if grown { 5 } else { 1 })).unwrap();
        let result = read_shards(&input, &shards, &small(1000, 1000), Start::default());
        assert!(message(result).contains("changed while it was being read"));
    }
    let gone = [file(&dir, "b.jsonl", b"")];
    std::fs::remove_file(&gone[0].path).unwrap();
    assert!(message(read(&gone, &small(10, 10))).contains("check the path"));
}

#[cfg(unix)]
#[test]
fn an_unreadable_file_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let input = file(&dir, "a.jsonl", b"{}");
    std::fs::set_permissions(&input.path, std::fs::Permissions::from_mode(0o000)).unwrap();
    // Who may read everything (a container's root) has no unreadable files: a folder in its place fails for all.
    let result = match Input::open(&input.path) {
        Ok(_) => {
            std::fs::remove_file(&input.path).unwrap();
            std::fs::create_dir(&input.path).unwrap();
            read(std::slice::from_ref(&input), &small(10, 10)).map(|_| ())
        }
        Err(error) => Err(error),
    };
    let error = result.unwrap_err();
    assert!(error.to_string().contains("a.jsonl"), "{error}");
}
