use super::*;

fn state(dir: &TempDir, resume: bool) -> State {
    State::open(&dir.path().join("out"), &Fingerprint::default(), resume).unwrap()
}

/// The state without the results of shards from `shard` on.
pub(super) fn cut(dir: &TempDir, phase: &str, shard: usize) {
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
        let count = CountOptions {
            order: ORDER,
            buckets: BUCKETS,
            limit,
            min_tokens: Some(5),
            keep: 0,
            threads: None,
        };
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
            let stats = hasher.score(&text(i), &table, &mut score, &Job::default()).unwrap();
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
fn kept_ngrams_score_as_the_texts_do() {
    let dir = tempfile::tempdir().unwrap();
    let inputs = corpus(dir.path(), &ALL, 60);
    let read = ReadOptions { hash: true, ..options(300, 1500) };
    let shards = plan_shards(&inputs, &read).unwrap();
    let amounts = [20, 15];
    let budgets: Vec<Budget> = amounts.iter().map(|&amount| Budget { unit: Unit::Records, amount }).collect();
    let job = Job::default();
    let mut by_text = score(&inputs, &read, &amounts, None);
    let picks = by_text.choose(&budgets, 4).unwrap().picks;
    let sample = score(&inputs, &read, &amounts, None).sample.columns();
    for threads in [Some(1), None] {
        let state = state(&dir, false);
        let count = |keep, limit| {
            let options =
                CountOptions { order: ORDER, buckets: BUCKETS, limit, min_tokens: Some(5), keep, threads };
            count_ngrams(&inputs, &shards, &read, &options, Some((&state, "fit")), &job).unwrap()
        };
        // Too little room, or not all of the n-grams: nothing is kept, and nothing stays.
        for (keep, limit) in [(0, None), (1000, None), (20_000, None), (u64::MAX, Some(300))] {
            assert!(count(keep, limit).features.is_none());
            assert!(!state.scratch("features").exists());
            cut(&dir, "fit", 0);
        }
        let counted = count(u64::MAX, None);
        let features = counted.features.unwrap();
        let mut kept = score_ngrams(
            &inputs,
            &shards,
            &read,
            &tables(amounts.len()),
            &ScoreOptions { threads, ..score_options(&amounts) },
            Some(&features),
            Some(&state),
            &job,
        )
        .unwrap();
        assert_eq!(kept.seen.bytes_read, 0);
        assert_eq!(kept.seen.hashes(), by_text.seen.hashes());
        assert_eq!(kept.seen.files, by_text.seen.files);
        assert_eq!(kept.sample.columns(), sample);
        assert_eq!(kept.pieces.len(), shards.len());
        let chosen = kept.choose(&budgets, 4).unwrap();
        assert_eq!(chosen.picks, picks);
        // What was chosen has the same n-grams.
        let how = WriteOptions { threads, ..write_options(None) };
        let [by_text, by_ngrams] = [None, Some(&features)]
            .map(|features| write_chosen(&inputs, &read, &chosen, None, &how, features, &job).unwrap());
        assert_eq!(by_ngrams.counts, by_text.counts);
        assert_eq!(by_ngrams.totals, by_text.totals);
        assert_eq!(by_ngrams.misses, by_text.misses);
        drop(features);
        assert!(!state.scratch("features").exists());
        // What the pass left of its shards is gone on from without the n-grams.
        cut(&dir, "score", shards.len() / 2);
        let mut again = score(&inputs, &read, &amounts, Some(&state));
        assert_eq!(again.choose(&budgets, 4).unwrap().picks, picks);
    }
}
