use super::*;

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
        let tokens: u64 = all
            .iter()
            .map(|&i| u64::from(hasher.count(&text(i), &mut counts, &Job::default()).unwrap().tokens))
            .sum();
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
    let place = |e: &crate::passes::write::Example| (e.file, e.record);
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
