use super::*;

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
                features +=
                    hasher.count(&text(file * 1000 + i), &mut want, &Job::default()).unwrap().features;
            }
        }
    }
    for (block, shard, threads) in [(1 << 20, 1 << 20, None), (100, 400, Some(1)), (350, 1000, Some(2))] {
        let read = options(block, shard);
        let shards = plan_shards(&inputs, &read).unwrap();
        let count = CountOptions {
            order: ORDER,
            buckets: BUCKETS,
            limit: Some(limit),
            min_tokens: None,
            keep: 0,
            threads,
        };
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
    let count = CountOptions {
        order: ORDER,
        buckets: BUCKETS,
        limit: None,
        min_tokens: None,
        keep: 0,
        threads: None,
    };
    assert_eq!(
        count_ngrams(&inputs, &shards, &read, &count, None, &job).err().unwrap().code(),
        "ERR_TAMIS_ABORTED"
    );
    let scored = score_ngrams(&inputs, &shards, &read, &tables(1), &score_options(&[10]), None, None, &job);
    assert_eq!(scored.err().unwrap().code(), "ERR_TAMIS_ABORTED");
    for out in ["out", "out.jsonl", "out.parquet"] {
        let out = dir.path().join(out);
        let mut output =
            if out.extension().is_some() { Output::file(&out, false) } else { Output::folder(&out, false) }
                .unwrap();
        let result =
            write_chosen(&inputs, &read, &chosen, Some(&mut output), &write_options(None), None, &job);
        assert_eq!(result.err().unwrap().code(), "ERR_TAMIS_ABORTED");
        drop(output);
    }
    let names: Vec<String> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names.len(), ALL.len(), "{names:?}");
}
