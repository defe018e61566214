use super::*;
use crate::passes::mix::write_mixture;
use crate::passes::places::{PlaceOptions, Places, find_places};
use crate::passes::rate::rate_texts;
use crate::passes::write::Example;

fn places(inputs: &[Input], read: &ReadOptions, options: &PlaceOptions) -> Result<Places, String> {
    let shards = plan_shards(inputs, read).unwrap();
    find_places(inputs, &shards, read, options, None, &Job::default()).map_err(|e| e.to_string())
}

/// The record's number of every place.
fn numbers(files: usize, n: usize) -> Vec<usize> {
    (0..files * n).map(|index| index / n * 1000 + index % n).collect()
}

#[test]
fn what_is_chosen_by_place_is_what_lies_there() {
    let dir = tempfile::tempdir().unwrap();
    let inputs = corpus(dir.path(), &ALL, 60);
    for (block, shard, threads) in [(300, 1500, Some(1)), (1 << 20, 1 << 20, None)] {
        let read = options(block, shard);
        let options = PlaceOptions { numbers: vec!["id".into()], threads, ..PlaceOptions::default() };
        let found = places(&inputs, &read, &options).unwrap();
        let all = numbers(ALL.len(), 60);
        assert_eq!(found.records(), all.len());
        assert_eq!(found.numbers.iter().map(|&id| id as usize).collect::<Vec<_>>(), all);
        assert_eq!(found.seen.files.iter().map(|f| f.candidates).collect::<Vec<_>>(), [60; 6]);
        let rows: Vec<u32> = (0..all.len() as u32).filter(|i| i % 7 == 3).collect();
        let scores: Vec<f64> = rows.iter().map(|&row| f64::from(row) / 8.0).collect();
        let chosen = found.choose(&rows, &scores).unwrap();
        let out = dir.path().join("out");
        let written = write(&inputs, &read, &chosen, &out, &write_options(Some(&[""]))).unwrap();
        let kept: Vec<usize> = written.files.iter().flat_map(|file| ids(&file.path)).collect();
        assert_eq!(kept, rows.iter().map(|&row| all[row as usize]).collect::<Vec<_>>());
        assert!(found.choose(&[3, 3], &[0.0; 2]).is_err());
        assert!(found.choose(&[999], &[0.0]).is_err());
    }
}

#[test]
fn what_is_shown_is_read_whether_it_is_written_or_not() {
    let dir = tempfile::tempdir().unwrap();
    let inputs = corpus(dir.path(), &["a.jsonl", "d.parquet"], 40);
    let read = options(300, 1 << 20);
    let found = places(&inputs, &read, &PlaceOptions::default()).unwrap();
    let rows: Vec<u32> = (0..80).filter(|i| i % 3 == 0).collect();
    let chosen = found.choose_shown(&rows, &[5, 9, 41, 60]).unwrap();
    let options = WriteOptions { examples: 4, ..write_options(None) };
    let written = write(&inputs, &read, &chosen, &dir.path().join("out"), &options).unwrap();
    assert_eq!(written.files.iter().map(|file| file.records).sum::<u64>(), rows.len() as u64);
    assert_eq!(written.totals.iter().map(|file| file.records).sum::<u64>(), rows.len() as u64);
    let numbers = numbers(2, 40);
    let told = |row: usize| (row as u32 / 40, row as u64 % 40, text(numbers[row]));
    let read = |examples: &[Example]| -> Vec<(u32, u64, String)> {
        examples.iter().map(|e| (e.file, e.record, e.text.clone())).collect()
    };
    assert_eq!(read(&written.highest[..2]), [told(9), told(60)]);
    assert_eq!(read(&written.misses), [told(5), told(41)]);
    assert!(found.choose_shown(&rows, &[80]).is_err());
    assert!(found.choose_shown(&rows, &[41, 5]).is_err());
}

#[test]
fn the_best_are_those_of_a_sort() {
    let dir = tempfile::tempdir().unwrap();
    let inputs = corpus(dir.path(), &["a.jsonl", "d.parquet"], 40);
    let read = options(300, 1 << 20);
    let found = places(&inputs, &read, &PlaceOptions::default()).unwrap();
    let scores: Vec<f32> = (0..80).map(|i| ((i * 7919 % 13) as f32 - 6.0) / 3.0).collect();
    for lowest in [false, true] {
        let budget = Budget { unit: Unit::Records, amount: 17 };
        let chosen = found.choose_best(&scores, lowest, budget, 4).unwrap();
        let mut order: Vec<usize> = (0..80).collect();
        order.sort_by(|&a, &b| {
            let by_score = scores[b].total_cmp(&scores[a]);
            (if lowest { by_score.reverse() } else { by_score }).then(a.cmp(&b))
        });
        let mut want = order[..17].to_vec();
        want.sort_unstable();
        let kept: Vec<usize> = chosen.each_kept().map(|(candidate, _)| candidate.index as usize).collect();
        assert_eq!((kept, chosen.kept.clone()), (want, vec![17]));
        assert_eq!(chosen.picks.len(), 21);
    }
    let (sample, tokens) = found.sample(Some(&scores), 10, 1).unwrap();
    assert_eq!((sample.len(), tokens.len()), (10, 10));
    let path = dir.path().join("scores.parquet");
    found.write_scores(&path, &inputs, &scores, false, &Job::default()).unwrap();
    let back = read_scores(&path).unwrap();
    assert_eq!(back.log_weights, scores.iter().map(|&x| f64::from(x)).collect::<Vec<_>>());
    assert!(found.sample(Some(&scores[1..]), 10, 1).is_err());
}

#[test]
fn vectors_and_numbers_come_with_the_records_and_bad_ones_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl");
    let line = |i: usize| format!("{{\"text\":\"t{i}\",\"e\":[{i},0.5],\"q\":{}}}\n", i as f64 / 4.0);
    std::fs::write(&path, (0..50).map(line).collect::<String>()).unwrap();
    let inputs = [Input::open(&path).unwrap()];
    let wanted = PlaceOptions { vector: Some("e".into()), numbers: vec!["q".into()], threads: None };
    let found = places(&inputs, &options(100, 1 << 20), &wanted).unwrap();
    assert_eq!((found.width, found.records()), (2, 50));
    assert_eq!(found.vectors, (0..50).flat_map(|i| [i as f32, 0.5]).collect::<Vec<_>>());
    assert_eq!(found.numbers, (0..50).map(|i| f64::from(i) / 4.0).collect::<Vec<_>>());

    let bad = [
        (r#"{"text":"x","q":1}"#, "no array of numbers in the field \"e\" (no such field)"),
        (r#"{"text":"x","e":[1],"q":1}"#, "has 1 numbers, that of the first record has 2"),
        (r#"{"text":"x","e":[1,1e99],"q":1}"#, "not finite in float32"),
        (r#"{"text":"x","e":[],"q":1}"#, "it is empty"),
        (r#"{"text":"x","e":[1,2],"q":[1,2]}"#, "no finite number in the field \"q\" (it is an array)"),
        (r#"{"text":"x","e":[1,2],"q":"1"}"#, "no finite number in the field \"q\" (it is a string)"),
        (r#"{"e":[1,2],"q":1}"#, "not a record with a string field \"text\""),
    ];
    for (record, why) in bad {
        std::fs::write(&path, [&line(0), record, "\n", &line(2)].concat()).unwrap();
        let inputs = [Input::open(&path).unwrap()];
        let error = places(&inputs, &options(100, 1 << 20), &wanted).unwrap_err();
        assert!(error.contains("a.jsonl:2: ") && error.contains(why), "{error}");
        let skip = ReadOptions { on_bad: OnBad::Skip, ..options(100, 1 << 20) };
        let found = places(&inputs, &skip, &wanted).unwrap();
        assert_eq!((found.records(), found.numbers.clone()), (2, vec![0.0, 0.5]));
        assert_eq!((found.seen.files[0].records, found.seen.files[0].skipped), (2, 1));
        assert!(found.seen.bad[0].contains(why), "{}", found.seen.bad[0]);
    }
}

#[test]
fn several_numbers_come_with_each_record() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl");
    let line = |i: usize| format!("{{\"text\":\"t{i}\",\"loss\":{{\"a\":{i},\"b\":{i}.5}}}}\n");
    std::fs::write(&path, [line(0), "{\"text\":\"x\",\"loss\":{\"a\":7}}\n".into(), line(2)].concat())
        .unwrap();
    let inputs = [Input::open(&path).unwrap()];
    let wanted = PlaceOptions { numbers: vec!["loss.b".into(), "loss.a".into()], ..PlaceOptions::default() };
    let error = places(&inputs, &options(100, 1 << 20), &wanted).unwrap_err();
    assert!(error.contains("a.jsonl:2: no finite number in the field \"loss.b\""), "{error}");
    let skip = ReadOptions { on_bad: OnBad::Skip, ..options(100, 1 << 20) };
    assert_eq!(places(&inputs, &skip, &wanted).unwrap().numbers, [0.5, 0.0, 2.5, 2.0]);
    // A record that lacks the second number leaves nothing of its first.
    let wanted = PlaceOptions { numbers: vec!["loss.a".into(), "loss.b".into()], ..wanted };
    assert_eq!(places(&inputs, &skip, &wanted).unwrap().numbers, [0.0, 0.5, 2.0, 2.5]);
}

#[test]
fn places_go_on_behind_the_finished_shards() {
    let dir = tempfile::tempdir().unwrap();
    let inputs = corpus(dir.path(), &ALL, 60);
    let read = ReadOptions { hash: true, ..options(300, 1500) };
    let shards = plan_shards(&inputs, &read).unwrap();
    assert!(shards.len() > 12);
    let state = |resume| State::open(&dir.path().join("out"), &Fingerprint::default(), resume).unwrap();
    // Fields that only some of the layouts have would be bad records of the others.
    for wanted in [
        PlaceOptions::default(),
        PlaceOptions { vector: Some("id".into()), numbers: vec!["id".into()], threads: Some(2) },
    ] {
        let find =
            |state: Option<&State>, job: &Job| find_places(&inputs, &shards, &read, &wanted, state, job);
        let whole = find(None, &Job::default()).unwrap();
        assert_eq!(whole.vectors.len(), whole.width * 360);
        for done in [0, 1, 5, shards.len() - 1, shards.len()] {
            find(Some(&state(false)), &Job::default()).unwrap();
            super::resume::cut(&dir, "places", done);
            let again = find(Some(&state(true)), &Job::default()).unwrap();
            assert_eq!((&again.places, &again.numbers), (&whole.places, &whole.numbers));
            assert_eq!((&again.vectors, again.width), (&whole.vectors, whole.width));
            assert_eq!((&again.seen.files, again.seen.hashes()), (&whole.seen.files, whole.seen.hashes()));
            assert_eq!(again.seen.bytes_read, shards[done..].iter().map(|shard| shard.bytes).sum::<u64>());
        }
    }
    // What was kept without vectors is of no use to a run that wants them.
    let bare =
        find_places(&inputs, &shards, &read, &PlaceOptions::default(), Some(&state(false)), &Job::default());
    let wanted = PlaceOptions { vector: Some("id".into()), ..PlaceOptions::default() };
    let found = find_places(&inputs, &shards, &read, &wanted, Some(&state(true)), &Job::default()).unwrap();
    assert_eq!((bare.unwrap().vectors.len(), found.vectors.len()), (0, found.width * 360));
}

#[test]
fn rated_records_go_on_behind_the_finished_shards() {
    let dir = tempfile::tempdir().unwrap();
    let inputs = corpus(dir.path(), &ALL, 60);
    let read = options(300, 1500);
    let shards = plan_shards(&inputs, &read).unwrap();
    let rate = |state: Option<&State>| {
        let length = |_: &mut (), text: &str| Ok(text.len() as f64 / 100.0);
        let options = ScoreOptions { order: 1, buckets: 1, ..score_options(&[25]) };
        rate_texts(&inputs, &shards, &read, &options, state, &Job::default(), || (), length).unwrap()
    };
    let budget = [Budget { unit: Unit::Records, amount: 25 }];
    let whole = rate(None).choose(&budget, 4).unwrap();
    let noise = Philox::new(7, 0);
    let mut keys: Vec<(f64, usize)> = numbers(ALL.len(), 60)
        .iter()
        .enumerate()
        .filter(|&(_, &i)| NgramHasher::new(1, 1).features(&text(i), &Job::default()).unwrap().tokens >= 5)
        .map(|(at, &i)| (text(i).len() as f64 / 100.0 + noise.gumbel_at(at as u64), at))
        .collect();
    keys.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut want: Vec<u64> = keys[..25].iter().map(|key| key.1 as u64).collect();
    want.sort_unstable();
    assert_eq!(whole.each_kept().map(|(candidate, _)| candidate.index).collect::<Vec<_>>(), want);
    let state = |resume| State::open(&dir.path().join("out"), &Fingerprint::default(), resume).unwrap();
    let first = rate(Some(&state(false)));
    let again = rate(Some(&state(true)));
    assert_eq!(again.seen.bytes_read, 0);
    assert_eq!(again.seen.files, first.seen.files);
    assert_eq!({ again }.choose(&budget, 4).unwrap().picks, whole.picks);
}

#[test]
fn threads_do_not_show_in_places_and_ratings() {
    let dir = tempfile::tempdir().unwrap();
    let inputs = corpus(dir.path(), &ALL, 500);
    let read = options(300, 1500);
    let shards = plan_shards(&inputs, &read).unwrap();
    let scores: Vec<f32> = (0..3000).map(|i| (i * 7919 % 1013) as f32).collect();
    let budget = [Budget { unit: Unit::Records, amount: 250 }];
    let run = |threads: usize| {
        let threads = Some(threads);
        let wanted = PlaceOptions { numbers: vec!["id".into()], threads, ..PlaceOptions::default() };
        let found = places(&inputs, &read, &wanted).unwrap();
        let best = found.choose_best(&scores, false, budget[0], 4).unwrap().picks;
        let length = |_: &mut (), text: &str| Ok(text.len() as f64 / 100.0);
        let options = ScoreOptions { order: 1, buckets: 1, threads, ..score_options(&[250]) };
        let mut rated =
            rate_texts(&inputs, &shards, &read, &options, None, &Job::default(), || (), length).unwrap();
        let files = rated.seen.files.clone();
        ((found.numbers, found.seen.files, best), (files, rated.choose(&budget, 4).unwrap().picks))
    };
    let one = run(1);
    assert_eq!(one.0.0.len(), 3000);
    assert_eq!(one, run(2));
    assert_eq!(one, run(7));
}

#[test]
fn a_mixture_has_its_own_order_and_repeats() {
    let dir = tempfile::tempdir().unwrap();
    let inputs = corpus(dir.path(), &ALL, 60);
    let read = options(300, 1 << 20);
    let found = places(&inputs, &read, &PlaceOptions::default()).unwrap();
    let all = numbers(ALL.len(), 60);
    let order: Vec<u32> = (0..10_000u32).map(|i| i.wrapping_mul(2_654_435_761) % 300).collect();
    let want: Vec<usize> = order.iter().map(|&row| all[row as usize]).collect();
    let state = State::open(&dir.path().join("mix"), &Fingerprint::default(), false).unwrap();
    for name in ["mix.jsonl", "mix.jsonl.gz", "mix.jsonl.zst", "mix.parquet"] {
        for threads in [Some(1), None] {
            let path = dir.path().join(name);
            let mut output = Output::file(&path, true).unwrap();
            let written = write_mixture(
                &inputs,
                &read,
                &found,
                &order,
                Some((&mut output, &state)),
                threads,
                &Job::default(),
            )
            .unwrap();
            output.commit("{\"tamis\":\"x\"}").unwrap();
            assert!(!state.scratch("mixing").exists());
            assert_eq!(ids(&path), want, "{name}");
            assert_eq!(written.files[0].records, order.len() as u64);
            assert_eq!(written.totals.iter().map(|t| t.records).sum::<u64>(), order.len() as u64);
        }
    }
    let bytes = found.mixture_bytes(&order).unwrap();
    let of = |rows: &mut dyn Iterator<Item = u32>| {
        rows.map(|row| text(all[row as usize]).len() as u64).sum::<u64>()
    };
    assert_eq!(bytes, of(&mut order.iter().copied()) + of(&mut (0..300)));
    assert!(found.mixture_bytes(&[360]).is_err());

    let texts = corpus(dir.path(), &["a.txt", "b.txt.gz"], 20);
    let found = places(&texts, &read, &PlaceOptions::default()).unwrap();
    let order = [21, 0, 21, 39, 5];
    let path = dir.path().join("mix.txt");
    let mut output = Output::file(&path, true).unwrap();
    // As a killed run leaves it.
    std::fs::create_dir_all(state.scratch("mixing").join("more")).unwrap();
    write_mixture(&texts, &read, &found, &order, Some((&mut output, &state)), None, &Job::default()).unwrap();
    output.commit("{\"tamis\":\"x\"}").unwrap();
    let lines: Vec<String> = order
        .iter()
        .map(|&row| text(row as usize / 20 * 1000 + row as usize % 20).replace('\n', " "))
        .collect();
    assert_eq!(unpack(&path).lines().collect::<Vec<_>>(), lines);
}
