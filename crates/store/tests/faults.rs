//! Crashes and failing disks at every write, sync, rename and removal: child processes run under failpoints.
//!
//! Whatever happens to a run, its output is afterwards either the earlier complete result or nothing that looks complete, unless
//! the run had come to its end; and the next run, which resumes, gives the same bytes as one that nothing happened to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use tamis_kernels::job::Job;
use tamis_kernels::ngrams::UNICODE_VERSION;
use tamis_kernels::philox::Philox;
use tamis_store::atomic::{Output, is_complete};
use tamis_store::corpus::Corpus;
use tamis_store::counts::NgramCounts;
use tamis_store::error::Error;
use tamis_store::passes::count::{CountOptions, count_ngrams};
use tamis_store::passes::heap::{Budget, Unit};
use tamis_store::passes::score::{ScoreOptions, score_ngrams};
use tamis_store::passes::weights::write_scores;
use tamis_store::passes::write::{WriteOptions, write_chosen};
use tamis_store::record::ReadOptions;
use tamis_store::state::{Fingerprint, State};

const ORDER: u32 = 2;
const BUCKETS: u32 = 50;
/// Set for a child: the folder that it works in.
const FOLDER: &str = "TAMIS_FAULTS_FOLDER";
const OUT: &str = "TAMIS_FAULTS_OUT";
const SEED: &str = "TAMIS_FAULTS_SEED";
/// Exit code of a child whose run ended in an error.
const FAILED: i32 = 3;

/// A whole selection: fit, score, choose, write, commit, clear. `seed` makes the result another one.
fn select(folder: &Path, out: &str, seed: u64) -> Result<u64, Error> {
    let job = Job::default();
    let inputs = [folder.join("in").to_string_lossy().into_owned()];
    let corpus = Corpus::open(&inputs, ReadOptions { hash: true, ..ReadOptions::default() }, &job)?;
    let out = folder.join(out);
    let print = Fingerprint { options: format!("seed: {seed}"), inputs: corpus.prints() };
    let state = State::open(&out, &print, true)?;
    let mut output =
        if out.extension().is_some() { Output::file(&out, true)? } else { Output::folder(&out, true)? };
    let (inputs, shards, read) = (&corpus.inputs, &corpus.shards, &corpus.read);
    let count = CountOptions {
        order: ORDER,
        buckets: BUCKETS,
        limit: None,
        min_tokens: None,
        keep: 0,
        threads: None,
    };
    let counted = count_ngrams(inputs, shards, read, &count, Some((&state, "fit")), &job)?;
    let mut counts = NgramCounts::new(ORDER, BUCKETS, UNICODE_VERSION);
    counts.header.features = counted.counts.iter().sum();
    counts.counts = counted.counts;
    counts.write(&folder.join("counts.ngrams"), true)?;
    let table: Vec<f64> = (0..BUCKETS).map(|i| f64::from(i * 7919 % 13) - 6.0).collect();
    let budget = Budget { unit: Unit::Records, amount: 12 };
    let score = ScoreOptions {
        order: ORDER,
        buckets: BUCKETS,
        min_tokens: 1,
        noise: Some(seed),
        budgets: vec![budget],
        spare: 2,
        sample: 5,
        keep_weights: true,
        threads: None,
    };
    let mut scored = score_ngrams(inputs, shards, read, &table, &score, None, Some(&state), &job)?;
    write_scores(&folder.join("scores.parquet"), inputs, &scored, &[String::new()], &state, true, &job)?;
    let chosen = scored.choose(&[budget], 2)?;
    let write = WriteOptions { order: ORDER, buckets: BUCKETS, add: None, examples: 2, threads: None };
    write_chosen(inputs, read, &chosen, Some(&mut output), &write, None, &job)?;
    output.commit(&format!("{{\"tamis\":\"{seed}\"}}"))?;
    state.finish()?;
    Ok(scored.seen.bytes_read)
}

/// Not a test of its own: what the others run as a child process.
#[test]
fn child() {
    let (Ok(folder), Ok(out), Ok(seed)) = (std::env::var(FOLDER), std::env::var(OUT), std::env::var(SEED))
    else {
        return;
    };
    match select(Path::new(&folder), &out, seed.parse().unwrap()) {
        Ok(_) => {}
        Err(error) => {
            eprintln!("{}: {error}", error.code());
            std::process::exit(FAILED);
        }
    }
}

struct Run {
    /// None: killed.
    code: Option<i32>,
    message: String,
    hooks: Vec<String>,
}

fn run(folder: &Path, out: &str, seed: u64, fault: Option<&str>) -> Run {
    let log = folder.join("hooks.log");
    let _ = std::fs::remove_file(&log);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["child", "--exact", "--nocapture", "--test-threads=1"]);
    command.env(FOLDER, folder).env(OUT, out).env(SEED, seed.to_string()).env("TAMIS_FAILPOINT_LOG", &log);
    command.env("TAMIS_SHARD_BYTES", "900").env("TAMIS_BLOCK_BYTES", "300").env("TAMIS_THREADS", "2");
    command.env_remove("TAMIS_FAILPOINT");
    if let Some(fault) = fault {
        command.env("TAMIS_FAILPOINT", fault);
    }
    let done = command.output().unwrap();
    let hooks = std::fs::read_to_string(&log).unwrap_or_default().lines().map(str::to_owned).collect();
    let _ = std::fs::remove_file(&log);
    Run { code: done.status.code(), message: String::from_utf8_lossy(&done.stderr).into_owned(), hooks }
}

/// A folder with an input of two files.
fn workplace() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("in")).unwrap();
    for file in ["a.jsonl", "b.jsonl"] {
        let line = |i: usize| {
            format!("{{\"id\":{i},\"text\":\"{} {file} word{}\"}}\n", "a b c ".repeat(i % 7), i * i % 11)
        };
        std::fs::write(dir.path().join("in").join(file), (0..40).map(line).collect::<String>()).unwrap();
    }
    dir
}

/// All files but the inputs, with their bytes.
fn results(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    fn walk(folder: &Path, top: &Path, out: &mut BTreeMap<PathBuf, Vec<u8>>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if path != top.join("in") {
                    walk(&path, top, out);
                }
            } else {
                out.insert(path.strip_prefix(top).unwrap().to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    let mut out = BTreeMap::new();
    walk(folder, folder, &mut out);
    out
}

fn is_output(path: &Path, out: &str) -> bool {
    path.starts_with(out) || path == Path::new(&format!("{out}.manifest.json"))
}

/// A place for runs whose result is known.
struct Scenario {
    out: &'static str,
    /// Whether another result stands there before.
    earlier: bool,
    /// What a run starts from.
    start: tempfile::TempDir,
    /// What stands there before, and what an undisturbed run leaves.
    before: BTreeMap<PathBuf, Vec<u8>>,
    after: BTreeMap<PathBuf, Vec<u8>>,
    /// The hooks that it passes.
    hooks: Vec<String>,
}

impl Scenario {
    fn new(out: &'static str, earlier: bool) -> Scenario {
        let start = workplace();
        if earlier {
            assert_eq!(run(start.path(), out, 1, None).code, Some(0));
        }
        let mut scenario = Scenario {
            out,
            earlier,
            before: results(start.path()),
            start,
            after: BTreeMap::new(),
            hooks: Vec::new(),
        };
        let dir = scenario.begin();
        let done = run(dir.path(), out, 2, None);
        assert_eq!(done.code, Some(0), "{}", done.message);
        assert!(is_complete(&dir.path().join(out)));
        (scenario.after, scenario.hooks) = (results(dir.path()), done.hooks);
        scenario
    }

    fn begin(&self) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let inputs = self.start.path().join("in");
        std::fs::create_dir(dir.path().join("in")).unwrap();
        for entry in std::fs::read_dir(inputs).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, dir.path().join("in").join(path.file_name().unwrap())).unwrap();
        }
        for (path, bytes) in &self.before {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        dir
    }

    /// Runs into a fault, checks what that left, and runs again.
    fn survives(&self, fault: &str) {
        let Scenario { out, earlier, .. } = *self;
        let dir = self.begin();
        let hit = run(dir.path(), out, 2, Some(fault));
        let left = results(dir.path());
        let output = |all: &BTreeMap<PathBuf, Vec<u8>>| -> BTreeMap<PathBuf, Vec<u8>> {
            let own = all.iter().filter(|(path, _)| is_output(path, out));
            own.map(|(path, bytes)| (path.clone(), bytes.clone())).collect()
        };
        let shown = format!("{out} {fault} earlier: {earlier}: {:?} {}", hit.code, hit.message);
        let is_new = output(&left) == output(&self.after);
        let is_old = earlier && output(&left) == output(&self.before);
        if is_complete(&dir.path().join(out)) {
            assert!(is_new || is_old, "what looks complete is so: {shown}");
        }
        if fault.ends_with("kill") {
            assert_eq!(hit.code, None, "{shown}");
        } else if hit.code == Some(FAILED) {
            assert!(hit.message.contains("ERR_TAMIS_IO") && hit.message.contains("cannot "), "{shown}");
            assert!(!fault.ends_with("enospc") || hit.message.contains("free some space"), "{shown}");
            // A failing removal can leave what it failed to remove; nothing else is left.
            let stray = left.keys().find(|path| path.to_string_lossy().contains(".tamis-tmp-"));
            assert!(fault.contains("remove") || stray.is_none(), "{stray:?} {shown}");
        } else {
            // What comes after the output is in place, or does not matter, may fail without a word.
            assert!(hit.code == Some(0) && is_new, "{shown}");
        }
        let again = run(dir.path(), out, 2, None);
        assert_eq!(again.code, Some(0), "again: {} after {shown}", again.message);
        assert!(results(dir.path()) == self.after, "again after {shown}");
    }

    /// Kills and fails the first and the last pass of every hook; gives back their names.
    fn survives_all(&self) -> BTreeSet<String> {
        let mut passes: BTreeMap<&str, u64> = BTreeMap::new();
        self.hooks.iter().for_each(|hook| *passes.entry(hook).or_default() += 1);
        for (hook, &passed) in &passes {
            for nth in BTreeSet::from([1, passed]) {
                for action in ["kill", "enospc", "eio"] {
                    self.survives(&format!("{hook}:{nth}={action}"));
                }
            }
        }
        passes.into_keys().map(str::to_owned).collect()
    }
}

fn assert_passed(names: &BTreeSet<String>, kind: &str, ops: &[&str]) {
    for op in ops {
        assert!(names.contains(&format!("{kind}.{op}")), "no run passes {kind}.{op}: {names:?}");
    }
}

#[test]
fn a_file_survives_every_hook() {
    let names = Scenario::new("out.jsonl", true).survives_all();
    for kind in ["output", "manifest", "counts", "scores"] {
        assert_passed(&names, kind, &["create", "write", "sync", "rename", "sync-folder"]);
    }
    assert_passed(&names, "manifest", &["remove"]);
    assert_passed(&names, "state", &["create", "write", "rename", "remove"]);
}

#[test]
fn a_folder_survives_every_hook() {
    let names = Scenario::new("out", true).survives_all();
    assert_passed(&names, "folder", &["create", "write", "sync", "swap", "remove", "sync-folder"]);
    assert_passed(&names, "manifest", &["create", "write", "sync"]);
}

#[test]
fn a_first_folder_survives_every_hook() {
    let names = Scenario::new("out", false).survives_all();
    assert_passed(&names, "folder", &["rename"]);
}

#[test]
fn fifty_random_kills_change_nothing() {
    for (stream, out) in ["out.jsonl", "out"].into_iter().enumerate() {
        let scenario = Scenario::new(out, true);
        let mut places = [0; 25];
        Philox::new(3, stream as u32).below(0, scenario.hooks.len() as u64, &mut places);
        for place in places {
            scenario.survives(&format!("any:{}=kill", place + 1));
        }
    }
}

#[test]
fn a_run_killed_again_and_again_gets_to_its_end() {
    let scenario = Scenario::new("out.parquet", false);
    let dir = scenario.begin();
    let mut runs = 0;
    // Each run is killed a little later in what is left to do.
    while run(dir.path(), scenario.out, 2, Some(&format!("any:{}=kill", 12 + runs))).code.is_none() {
        runs += 1;
        assert!(runs < 200);
    }
    assert!(runs > 3, "{runs}");
    assert!(results(dir.path()) == scenario.after);
}
