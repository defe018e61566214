use super::*;
use proptest::prelude::*;
use std::sync::Barrier;

fn print(options: &str, inputs: &[(&str, u64, u128)]) -> Fingerprint {
    let inputs = inputs
        .iter()
        .map(|&(path, bytes, modified_ns)| InputPrint { path: path.into(), bytes, modified_ns })
        .collect();
    Fingerprint { options: options.into(), inputs }
}

#[test]
fn results_survive_the_run_that_made_them_until_it_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.jsonl");
    let is = print("seed: 1", &[("a", 1, 2)]);
    let state = State::open(&out, &is, false).unwrap();
    assert!(!state.resumed());
    state.put("score", 3, b"three").unwrap();
    state.put("score", 3, b"three again").unwrap();
    state.put("fit", 3, b"").unwrap();
    drop(state);
    let state = State::open(&out, &is, true).unwrap();
    assert!(state.resumed());
    assert_eq!(state.get("score", 3).unwrap(), b"three again");
    assert_eq!(state.get("fit", 3).unwrap(), b"");
    assert_eq!(state.get("score", 4), None);
    assert_eq!(state.get("../x", 4), None);
    assert!(state.put("../x", 4, b"").is_err());
    drop(state);
    let state = State::open(&out, &is, false).unwrap();
    assert_eq!(state.get("score", 3), None);
    state.finish().unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    assert!(!State::open(&out, &is, true).unwrap().resumed());
}

#[test]
fn another_run_is_not_gone_on_with_and_the_error_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let was = print("seed: 1\nbuckets: 10", &[("a", 1, 2), ("b", 3, 4)]);
    State::open(&out, &was, false).unwrap().put("fit", 0, b"x").unwrap();
    for (now, why) in [
        (
            print("seed: 1\nbuckets: 20", &[("a", 1, 2), ("b", 3, 4)]),
            "\"buckets: 10\" then, \"buckets: 20\" now",
        ),
        (print("seed: 1\nbuckets: 10\nx: 1", &[("a", 1, 2), ("b", 3, 4)]), "nothing then, \"x: 1\" now"),
        (print("seed: 1\nbuckets: 10", &[("a", 1, 2), ("c", 3, 4)]), "b then, c now"),
        (print("seed: 1\nbuckets: 10", &[("a", 1, 2), ("b", 5, 4)]), "input file b was changed"),
        (print("seed: 1\nbuckets: 10", &[("a", 1, 9), ("b", 3, 4)]), "input file a was changed"),
        (print("seed: 1\nbuckets: 10", &[("a", 1, 2)]), "2 input files, this one has 1"),
    ] {
        let message = State::open(&out, &now, true).unwrap_err().to_string();
        assert!(message.contains(why), "{message}");
    }
    assert_eq!(State::open(&out, &was, true).unwrap().get("fit", 0).unwrap(), b"x");
}

#[test]
fn two_runs_at_once_on_one_output_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let held = State::open(&out, &Fingerprint::default(), false).unwrap();
    let message = State::open(&out, &Fingerprint::default(), true).unwrap_err().to_string();
    assert!(message.contains("another call in this process is writing this output"), "{message}");
    State::open(&dir.path().join("other"), &Fingerprint::default(), false).unwrap();
    drop(held);
    State::open(&out, &Fingerprint::default(), false).unwrap();
}

#[test]
fn threads_of_one_process_are_told_that_it_is_this_one() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    for _ in 0..50 {
        let start = Barrier::new(8);
        let open = || {
            start.wait();
            let state = State::open(&out, &Fingerprint::default(), false);
            // All have tried before the one that has it lets go.
            start.wait();
            state.err().map(|error| error.to_string())
        };
        let refused: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(refused.len(), 7);
        for message in refused {
            assert!(message.contains("another call in this process is writing this output"), "{message}");
        }
    }
}

#[test]
fn what_is_damaged_or_moved_counts_as_absent() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let is = Fingerprint::default();
    let state = State::open(&out, &is, false).unwrap();
    state.put("score", 7, b"a result of some length").unwrap();
    let path = state.folder.join("score-7.part");
    let good = std::fs::read(&path).unwrap();
    for cut in 0..good.len() {
        std::fs::write(&path, &good[..cut]).unwrap();
        assert_eq!(state.get("score", 7), None, "{cut}");
    }
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x20;
        std::fs::write(&path, &bad).unwrap();
        assert_eq!(state.get("score", 7), None, "{at}");
    }
    std::fs::write(&path, &good).unwrap();
    assert!(state.get("score", 7).is_some());
    std::fs::rename(&path, state.folder.join("score-8.part")).unwrap();
    assert_eq!(state.get("score", 8), None);
    // A result under another fingerprint, brought in by hand.
    drop(state);
    let other = State::open(&out, &print("x", &[]), false).unwrap();
    std::fs::write(other.folder.join("score-7.part"), &good).unwrap();
    assert_eq!(other.get("score", 7), None);
    // A damaged fingerprint: there is nothing to go on with.
    let folder = other.folder.clone();
    drop(other);
    std::fs::write(folder.join("fingerprint"), "junk").unwrap();
    assert!(!State::open(&out, &is, true).unwrap().resumed());
}

proptest! {
    #[test]
    fn fingerprints_come_back(options in ".*", inputs in prop::collection::vec((".*", any::<u64>(), any::<u128>()), 0..4)) {
        let inputs = inputs.into_iter().map(|(path, bytes, modified_ns)| InputPrint { path, bytes, modified_ns }).collect();
        let print = Fingerprint { options, inputs };
        let mut bytes = print.encode();
        let hash = Sha256::digest(&bytes);
        bytes.extend_from_slice(&hash);
        prop_assert_eq!(Fingerprint::decode(&bytes), Some(print));
    }

    #[test]
    fn no_bytes_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..100), keep in 0..12_usize) {
        let mut hostile = Fingerprint::default().encode();
        hostile.truncate(keep);
        hostile.append(&mut bytes);
        let hash = Sha256::digest(&hostile);
        hostile.extend_from_slice(&hash);
        let _ = Fingerprint::decode(&hostile);
    }
}
