//! Duplicates of small corpora, against a naive account of them.

use super::clusters::write_clusters;
use super::find::{FindOptions, Method, digest_corpora};
use super::groups::Groups;
use super::markers::{Exact, Near};
use super::write::write_kept;
use crate::atomic::Output;
use crate::corpus::Corpus;
use crate::record::{OnBad, ReadOptions};
use crate::state::{Fingerprint, State};
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use tamis_kernels::job::Job;
use tamis_kernels::lsh::Banding;

const EXACT: Method = Method::Exact(Exact { clean: false });

fn options(method: Method) -> FindOptions {
    FindOptions { method, sources: None, memory: 1 << 20, hash: false, threads: None }
}

fn near() -> Method {
    let banding = Banding { bands: 9, rows: 13 };
    Method::Near(Near { ngram: 13, num_perm: 128, seed: 0, banding, verify: false }, None)
}

/// Blocks and shards of a few lines.
fn small() -> ReadOptions {
    ReadOptions { block_bytes: 100, shard_bytes: 350, on_bad: OnBad::Skip, ..ReadOptions::default() }
}

fn write_lines(folder: &Path, name: &str, lines: &[String]) -> String {
    let path = folder.join(name);
    std::fs::write(&path, lines.concat()).unwrap();
    path.to_string_lossy().into_owned()
}

fn line(id: usize, text: &str) -> String {
    format!("{}\n", serde_json::json!({ "id": id, "text": text }))
}

fn open(patterns: &[String], read: ReadOptions) -> Corpus {
    Corpus::open(patterns, read, &Job::default()).unwrap()
}

/// The `id`s that are kept, in order, and the lines of who duplicates whom.
fn run(
    folder: &Path,
    against: Option<&Corpus>,
    own: &Corpus,
    options: &FindOptions,
    state: Option<&State>,
) -> (Vec<u64>, Vec<serde_json::Value>) {
    let job = Job::default();
    let (sides, groups) =
        digest_corpora(against, own, options, state, &job).unwrap().groups(state, &job).unwrap();
    let out = folder.join("kept.jsonl");
    let mut output = Output::file(&out, true).unwrap();
    let last = sides.last().unwrap();
    let written = write_kept(own, last, |d| groups.is_kept(d), &[], Some(&mut output), None, &job).unwrap();
    output.commit("{\"tamis\":1}").unwrap();
    assert_eq!(written.files[0].records, groups.kept(last.range()));
    let clusters = folder.join("clusters.jsonl");
    let inputs = against.into_iter().chain([own]).map(|corpus| corpus.inputs.as_slice());
    let sides: Vec<_> = inputs.zip(&sides).collect();
    write_clusters(&clusters, &sides, &groups, true, &job).unwrap();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<serde_json::Value>>()
    };
    (read(out).iter().map(|record| record["id"].as_u64().unwrap()).collect(), read(clusters))
}

#[test]
fn the_first_of_equal_texts_is_kept_and_the_others_name_it() {
    let dir = tempfile::tempdir().unwrap();
    let a =
        write_lines(dir.path(), "a.jsonl", &[line(0, "x"), "no record\n".into(), line(1, "y"), line(2, "x")]);
    let b = write_lines(dir.path(), "b.jsonl", &[line(3, "y"), line(4, ""), line(5, "z"), line(6, "")]);
    let own = open(&[a.clone(), b.clone()], small());
    let (ids, clusters) = run(dir.path(), None, &own, &options(EXACT), None);
    assert_eq!(ids, [0, 1, 4, 5]);
    let row = |file: &str, record: u64, of_file: &str, of_record: u64| serde_json::json!({ "file": file, "record": record, "of_file": of_file, "of_record": of_record, "against": false });
    assert_eq!(clusters, [row(&a, 2, &a, 0), row(&b, 0, &a, 1), row(&b, 3, &b, 1)]);

    let local = FindOptions { sources: Some(vec![0, 1]), ..options(EXACT) };
    assert_eq!(run(dir.path(), None, &own, &local, None).0, [0, 1, 3, 4, 5]);
}

#[test]
fn what_is_only_compared_with_drops_its_like_in_every_source_and_is_never_written() {
    let dir = tempfile::tempdir().unwrap();
    let other = write_lines(dir.path(), "other.jsonl", &[line(90, "y"), line(91, "y"), line(92, "w")]);
    let a = write_lines(dir.path(), "a.jsonl", &[line(0, "x"), line(1, "y")]);
    let b = write_lines(dir.path(), "b.jsonl", &[line(2, "y"), line(3, "x"), line(4, "w"), line(5, "v")]);
    let (against, own) = (open(std::slice::from_ref(&other), small()), open(&[a, b], small()));
    for sources in [None, Some(vec![0, 1])] {
        let local = sources.is_some();
        let options = FindOptions { sources, ..options(EXACT) };
        let (ids, clusters) = run(dir.path(), Some(&against), &own, &options, None);
        assert_eq!(ids, if local { vec![0, 3, 5] } else { vec![0, 5] });
        let named: Vec<_> = clusters.iter().filter(|row| row["against"] == true).collect();
        let of = |row: &serde_json::Value| {
            (row["of_file"].as_str().unwrap().to_owned(), row["of_record"].as_u64())
        };
        let names: Vec<_> = named.into_iter().map(of).collect();
        assert_eq!(names, [(other.clone(), Some(0)), (other.clone(), Some(0)), (other.clone(), Some(2))]);
    }
}

#[test]
fn what_is_to_be_shown_is_noted_kept_or_not_and_survey_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let other = write_lines(dir.path(), "other.jsonl", &[line(90, "w")]);
    let bad = || "no record\n".to_owned();
    let long = "é".repeat(700);
    let a = write_lines(dir.path(), "a.jsonl", &[line(0, "x"), bad(), line(1, &long), line(2, "x")]);
    let b = write_lines(dir.path(), "b.jsonl", &[bad(), line(3, "w"), line(4, "x"), line(5, &long)]);
    let (against, own) = (open(&[other], small()), open(&[a, b], small()));
    let job = Job::default();
    for threads in [Some(1), Some(2)] {
        let digested = digest_corpora(Some(&against), &own, &options(EXACT), None, &job).unwrap();
        let (sides, groups) = digested.groups(None, &job).unwrap();
        let survey = groups.survey(&sides, &[0, 1], 9, &job).unwrap();
        assert_eq!(survey.largest, [(1, 3), (2, 2)]);
        assert_eq!(survey.pairs, [(3, 1), (4, 0), (6, 2)]);
        let reasons: Vec<_> = survey.reasons.iter().map(|r| (r.within, r.across, r.pinned)).collect();
        assert_eq!(reasons, [(1, 0, 0), (0, 2, 1)]);
        let shown = [1, 2, 3, 4, 6];
        let is_kept = |document| groups.is_kept(document);
        let written = write_kept(&own, &sides[1], is_kept, &shown, None, threads, &job).unwrap();
        let cut = format!("{}…", "é".repeat(600));
        let noted: Vec<_> =
            written.shown.iter().map(|e| (e.file, e.record, e.table.is_some(), e.text.as_str())).collect();
        assert_eq!(
            noted,
            [
                (0, 0, true, "x"),
                (0, 1, true, &cut),
                (0, 2, false, "x"),
                (1, 0, false, "w"),
                (1, 2, false, &cut)
            ]
        );
    }
}

#[test]
fn near_duplicates_are_linked_whatever_the_memory_and_the_threads() {
    let dir = tempfile::tempdir().unwrap();
    let text = |seed: usize, change: usize| {
        let words = (0..120).map(|i| format!("word{}", (i + 1) * (2 * seed + 3) * 7919 % 9973));
        words
            .enumerate()
            .map(|(i, w)| if i == change { "other".into() } else { w })
            .collect::<Vec<String>>()
            .join(" ")
    };
    let lines: Vec<String> =
        (0..60).map(|i| line(i, &text(i / 2, if i % 2 == 0 { 999 } else { 60 }))).collect();
    let path = write_lines(dir.path(), "a.jsonl", &lines);
    let own = open(&[path], small());
    let (ids, clusters) = run(dir.path(), None, &own, &options(near()), None);
    assert!(ids.len() < 40 && ids.len() >= 30, "{ids:?}");
    assert_eq!(ids.len() + clusters.len(), 60);
    for (memory, threads) in [(1, Some(1)), (200, Some(2)), (5000, None)] {
        let options = FindOptions { memory, threads, ..options(near()) };
        assert_eq!(run(dir.path(), None, &own, &options, None), (ids.clone(), clusters.clone()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_kept_are_the_first_of_their_text_and_source(
        texts in prop::collection::vec((0..6_u8, any::<bool>()), 0..60),
        cut in 0..60_usize,
        local in any::<bool>(),
        others in prop::collection::vec(0..6_u8, 0..4),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let text = |which: u8| format!("text number {which}, {}", "é".repeat(usize::from(which)));
        let mut lines: Vec<String> = Vec::new();
        for (id, &(which, bad)) in texts.iter().enumerate() {
            lines.push(line(id, &text(which)));
            if bad {
                lines.push("{\"text\":1}\n".into());
            }
        }
        let cut = cut.min(lines.len());
        let a = write_lines(dir.path(), "a.jsonl", &lines[..cut]);
        let b = write_lines(dir.path(), "b.jsonl", &lines[cut..]);
        let other: Vec<String> = others.iter().map(|&which| line(0, &text(which))).collect();
        let other = write_lines(dir.path(), "other.jsonl", &other);
        let own = open(&[a, b], small());
        let against = (!others.is_empty()).then(|| open(&[other], small()));
        let options = FindOptions { sources: local.then(|| vec![0, 1]), ..options(EXACT) };
        let (ids, _) = run(dir.path(), against.as_ref(), &own, &options, None);
        let first = lines[..cut].iter().filter(|line| line.contains("\"id\"")).count();
        let mut seen = std::collections::HashSet::new();
        let wanted: Vec<u64> = texts
            .iter()
            .enumerate()
            .filter(|&(id, &(which, _))| !others.contains(&which) && seen.insert((which, local && id >= first)))
            .map(|(id, _)| id as u64)
            .collect();
        prop_assert_eq!(ids, wanted);
    }
}

#[test]
fn a_run_goes_on_behind_its_finished_shards() {
    let dir = tempfile::tempdir().unwrap();
    let lines: Vec<String> = (0..40).map(|i| line(i, &format!("text {}", i % 13))).collect();
    let own = open(&[write_lines(dir.path(), "a.jsonl", &lines)], small());
    let other = open(&[write_lines(dir.path(), "b.jsonl", &[line(0, "text 3"), line(1, "text 4")])], small());
    let out = dir.path().join("out");
    let fingerprint = Fingerprint::default();
    let wanted = run(dir.path(), Some(&other), &own, &options(EXACT), None);
    assert_eq!(wanted.0.len(), 11);
    let state = State::open(&out, &fingerprint, true).unwrap();
    assert_eq!(run(dir.path(), Some(&other), &own, &options(EXACT), Some(&state)), wanted);
    let folder = state.folder().to_owned();
    drop(state);
    let gone = |name: &str| std::fs::remove_file(folder.join(name)).unwrap();
    let job = Job::default();
    let read = |state: &State| {
        let digested = digest_corpora(Some(&other), &own, &options(EXACT), Some(state), &job).unwrap();
        let bytes: Vec<u64> = digested.sides.iter().map(|side| side.seen.bytes_read).collect();
        (bytes, digested.groups(Some(state), &job).unwrap().1)
    };
    let reopen = || State::open(&out, &fingerprint, true).unwrap();
    let (bytes, groups) = read(&reopen());
    assert_eq!(bytes, [0, 0]);
    assert_eq!(Groups::restore(&reopen(), &[]), None);
    // Without the groups they are found again from the marks; without a piece of marks its shard is read again.
    gone("groups-0.part");
    assert_eq!(read(&reopen()), (vec![0, 0], groups.clone()));
    let whole: u64 = own.inputs[0].bytes;
    gone("groups-0.part");
    gone("marks_1-2.part");
    let (bytes, again) = read(&reopen());
    assert!(bytes[0] == 0 && bytes[1] > 0 && bytes[1] < whole, "{bytes:?}");
    assert_eq!(again, groups);
    // A folder that a killed run left goes with the rest.
    std::fs::create_dir(folder.join("tamis-spill-1-1")).unwrap();
    std::fs::write(folder.join("tamis-spill-1-1/band-0"), "x").unwrap();
    State::open(&out, &fingerprint, false).unwrap().finish().unwrap();
    assert!(!folder.exists());
}

#[test]
fn every_form_is_written_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("t.txt");
    std::fs::write(&text, "\u{FEFF}one\r\ntwo\n\none\nthree").unwrap();
    let own = open(&[text.to_string_lossy().into_owned()], small());
    let job = Job::default();
    let (sides, groups) =
        digest_corpora(None, &own, &options(EXACT), None, &job).unwrap().groups(None, &job).unwrap();
    let write = |target: &Path| {
        let mut output = if target.extension().is_some() {
            Output::file(target, true)
        } else {
            Output::folder(target, true)
        }
        .unwrap();
        write_kept(&own, &sides[0], |d| groups.is_kept(d), &[], Some(&mut output), Some(1), &job).unwrap();
        output.commit("{\"tamis\":1}").unwrap();
    };
    let out = dir.path().join("kept");
    write(&out);
    assert_eq!(std::fs::read_to_string(out.join("t.txt")).unwrap(), "one\ntwo\nthree\n");
    let json = dir.path().join("kept.jsonl");
    write(&json);
    assert_eq!(
        std::fs::read_to_string(json).unwrap(),
        "{\"text\":\"one\"}\n{\"text\":\"two\"}\n{\"text\":\"three\"}\n"
    );
    // Through Parquet and back.
    let table = dir.path().join("kept.parquet");
    write(&table);
    let own = open(&[table.to_string_lossy().into_owned()], small());
    let (ids, _) = {
        let (sides, groups) =
            digest_corpora(None, &own, &options(EXACT), None, &job).unwrap().groups(None, &job).unwrap();
        let mut output = Output::file(&dir.path().join("again.jsonl"), true).unwrap();
        let written =
            write_kept(&own, &sides[0], |d| groups.is_kept(d) && d != 1, &[], Some(&mut output), None, &job)
                .unwrap();
        output.commit("{\"tamis\":1}").unwrap();
        (written.files[0].records, written.totals[0].text_bytes)
    };
    assert_eq!(ids, 2);
    assert_eq!(
        std::fs::read_to_string(dir.path().join("again.jsonl")).unwrap(),
        "{\"text\":\"one\"}\n{\"text\":\"three\"}\n"
    );
}
