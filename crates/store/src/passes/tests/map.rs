use super::resume::cut;
use super::*;
use crate::corpus::Corpus;
use crate::error::Error;
use crate::passes::map::{Rows, map_texts};
use crate::vectors::read_vectors;
use crate::vectors::write::{Form, write_vectors};

/// Two numbers of a text.
fn of(text: &str) -> [f32; 2] {
    [text.len() as f32, text.bytes().map(u32::from).sum::<u32>() as f32]
}

fn open(dir: &TempDir, resume: bool) -> State {
    State::open(&dir.path().join("out"), &Fingerprint::default(), resume).unwrap()
}

/// Maps a corpus; the function fails at the text of a number.
fn map(corpus: &Corpus, state: &State, fail: Option<usize>) -> Result<(Rows, usize), String> {
    let mut called = 0;
    let rows = map_texts(corpus, 2, true, state, &Job::default(), |texts| {
        called += texts.len();
        if fail.is_some_and(|fail| called > fail) {
            return Err(Error::range("no more"));
        }
        Ok(texts.iter().flat_map(|text| of(text)).collect())
    });
    rows.map(|rows| (rows, called)).map_err(|e| e.to_string())
}

fn all(rows: &Rows) -> Vec<f32> {
    let mut out = Vec::new();
    rows.each(&Job::default(), |piece| {
        out.extend_from_slice(piece);
        Ok(())
    })
    .unwrap();
    out
}

#[test]
fn rows_are_in_the_order_of_the_records_however_the_run_was_cut() {
    let dir = tempfile::tempdir().unwrap();
    corpus(dir.path(), &ALL, 60);
    let paths: Vec<String> =
        ALL.iter().map(|name| dir.path().join(name).to_string_lossy().into_owned()).collect();
    let corpus = Corpus::open(&paths, options(300, 1500), &Job::default()).unwrap();
    let mut want = Vec::new();
    let state = open(&dir, false);
    map_texts(&corpus, 0, false, &state, &Job::default(), |texts| {
        want.extend(texts.iter().flat_map(|text| of(text)));
        Ok(Vec::new())
    })
    .unwrap();
    drop(state);
    let (whole, called) = map(&corpus, &open(&dir, false), None).unwrap();
    assert_eq!((all(&whole), whole.rows as usize, called), (want.clone(), 360, 360));
    let hashes = whole.seen.hashes();
    for fail in [0, 100, 359] {
        let state = open(&dir, false);
        assert_eq!(map(&corpus, &state, Some(fail)).unwrap_err(), "no more");
        drop(state);
        let (rows, called) = map(&corpus, &open(&dir, true), None).unwrap();
        assert_eq!((all(&rows), rows.seen.hashes()), (want.clone(), hashes.clone()));
        assert!(called <= 360 - fail.saturating_sub(60) && (fail == 0 || called < 360), "{called} of {fail}");
    }
    // A note without its rows does not count.
    cut(&dir, "rows", 3);
    let rows = crate::state::state_folder(&dir.path().join("out")).unwrap().join("rows");
    std::fs::OpenOptions::new().write(true).open(rows).unwrap().set_len(600).unwrap();
    let (rows, _) = map(&corpus, &open(&dir, true), None).unwrap();
    assert_eq!(all(&rows), want);
}

#[test]
fn every_form_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    corpus(dir.path(), &ALL[..2], 60);
    let paths: Vec<String> =
        ALL[..2].iter().map(|name| dir.path().join(name).to_string_lossy().into_owned()).collect();
    let corpus = Corpus::open(&paths, options(300, 1500), &Job::default()).unwrap();
    for name in ["v.safetensors", "v.npy", "v.parquet"] {
        let target = dir.path().join(name);
        let (rows, _) = map(&corpus, &open(&dir, false), None).unwrap();
        let want = all(&rows);
        let file = crate::atomic::AtomicFile::create("output", &target, false).unwrap();
        let (file, written) = write_vectors(rows, Form::of(&target).unwrap(), file, &Job::default()).unwrap();
        file.commit().unwrap();
        let bytes = std::fs::read(&target).unwrap();
        use sha2::Digest;
        let told = &written.files[0];
        assert_eq!((told.records, told.bytes), (120, bytes.len() as u64));
        assert_eq!(told.sha256, crate::hash::hex(&sha2::Sha256::digest(&bytes)));
        let read = read_vectors(&[target.to_string_lossy().into_owned()], None, &Job::default()).unwrap();
        assert_eq!((read.rows, read.width, read.data), (120, 2, want), "{name}");
    }
    assert!(Form::of(Path::new("v.txt")).unwrap_err().to_string().contains("out must end in"));
}
