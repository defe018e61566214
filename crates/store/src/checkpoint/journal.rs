//! Files that are filled inside the [state](crate::state) of their run, so that an interrupted run can be gone on with.
//!
//! Work goes in steps, each of which writes its own places of the files. Once enough was written, and when the work ends early, the
//! files are brought to the disk and only then a part of the state says how many steps are done and what the steps behind need of
//! them. The next run fills the same files from there on; what an unfinished step wrote is written again.

use crate::error::Error;
use crate::fs;
use crate::passes::blob;
use crate::state::State;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock, PoisonError};
use tamis_kernels::job::Job;
use tamis_kernels::magnitude::Cut;
use tamis_kernels::merge::Elected;
use tamis_kernels::moments::Moments;

const KIND: &str = "output";

/// Bytes that are written between two notes: as much as an abort waits for the disk.
fn every() -> u64 {
    static EVERY: OnceLock<u64> = OnceLock::new();
    *EVERY.get_or_init(|| {
        let told = std::env::var("TAMIS_CHECKPOINT_BYTES").ok().and_then(|text| text.parse().ok());
        told.unwrap_or(512 << 20)
    })
}

/// What is kept of a run in its state.
pub trait Kept: Sized {
    fn put(&self, out: &mut blob::Writer);
    /// `None` where the bytes are no such thing.
    fn take(from: &mut blob::Reader) -> Option<Self>;
}

impl Kept for () {
    fn put(&self, _: &mut blob::Writer) {}

    fn take(_: &mut blob::Reader) -> Option<Self> {
        Some(())
    }
}

impl Kept for u64 {
    fn put(&self, out: &mut blob::Writer) {
        out.u64(*self);
    }

    fn take(from: &mut blob::Reader) -> Option<Self> {
        from.u64()
    }
}

impl Kept for f64 {
    fn put(&self, out: &mut blob::Writer) {
        out.f64(*self);
    }

    fn take(from: &mut blob::Reader) -> Option<Self> {
        from.f64()
    }
}

impl<T: Kept> Kept for Vec<T> {
    fn put(&self, out: &mut blob::Writer) {
        out.u64(self.len() as u64);
        self.iter().for_each(|one| one.put(out));
    }

    fn take(from: &mut blob::Reader) -> Option<Self> {
        // Nothing that is kept in a list takes less than a word.
        let n = from.len(8)?;
        (0..n).map(|_| T::take(from)).collect()
    }
}

impl<A: Kept, B: Kept> Kept for (A, B) {
    fn put(&self, out: &mut blob::Writer) {
        self.0.put(out);
        self.1.put(out);
    }

    fn take(from: &mut blob::Reader) -> Option<Self> {
        Some((A::take(from)?, B::take(from)?))
    }
}

impl Kept for Cut {
    fn put(&self, out: &mut blob::Writer) {
        let (threshold, left) = self.parts();
        out.u64(threshold);
        // As many as this are never there.
        out.u64(left.unwrap_or(u64::MAX));
    }

    fn take(from: &mut blob::Reader) -> Option<Self> {
        let (threshold, left) = (from.u64()?, from.u64()?);
        Some(Cut::from_parts(threshold, (left != u64::MAX).then_some(left)))
    }
}

impl Kept for Moments {
    fn put(&self, out: &mut blob::Writer) {
        out.u64(self.count);
        out.f64(self.mean);
        out.f64(self.m2);
    }

    fn take(from: &mut blob::Reader) -> Option<Self> {
        Some(Moments { count: from.u64()?, mean: from.f64()?, m2: from.f64()? })
    }
}

impl Kept for Elected {
    fn put(&self, out: &mut blob::Writer) {
        out.u64(self.balance as u64);
        out.u64(self.undecided);
    }

    fn take(from: &mut blob::Reader) -> Option<Self> {
        Some(Elected { balance: from.u64()? as i64, undecided: from.u64()? })
    }
}

/// What [`print_of`] gives.
pub type Print = [u8; 32];

/// By what a run knows that what was kept is of its own work: the names and sizes of what it goes through.
pub fn print_of(parts: impl IntoIterator<Item: AsRef<[u8]>>) -> Print {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.as_ref().len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// What `make` gives; of an interrupted run of the same print, what that one had kept of it.
pub fn once<T: Kept>(
    state: &State,
    phase: &str,
    print: &Print,
    make: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    if let Some(kept) = read(state, phase, print) {
        return Ok(kept);
    }
    let made = make()?;
    write(state, phase, print, &made)?;
    Ok(made)
}

fn read<T: Kept>(state: &State, phase: &str, print: &Print) -> Option<T> {
    let bytes = state.resumed().then(|| state.get(phase, 0)).flatten()?;
    let mut from = blob::Reader::new(bytes.strip_prefix(print)?);
    let kept = T::take(&mut from)?;
    from.end().map(|()| kept)
}

fn write<T: Kept>(state: &State, phase: &str, print: &Print, kept: &T) -> Result<(), Error> {
    state.put(phase, 0, &bytes_of(print, kept))
}

fn bytes_of<T: Kept>(print: &Print, kept: &T) -> Vec<u8> {
    let mut out = blob::Writer { out: print.to_vec() };
    kept.put(&mut out);
    out.out
}

/// How far work in steps is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Steps<T> {
    /// Steps that are done.
    pub done: usize,
    /// The job's counters behind them.
    bytes: u64,
    records: u64,
    /// What the steps behind need of those that are done.
    pub more: T,
}

impl<T: Kept> Kept for Steps<T> {
    fn put(&self, out: &mut blob::Writer) {
        out.u64(self.done as u64);
        out.u64(self.bytes);
        out.u64(self.records);
        self.more.put(out);
    }

    fn take(from: &mut blob::Reader) -> Option<Self> {
        let done = usize::try_from(from.u64()?).ok()?;
        Some(Steps { done, bytes: from.u64()?, records: from.u64()?, more: T::take(from)? })
    }
}

impl<T> Steps<T> {
    /// Sets the counters of a job whose phase has just begun.
    pub fn tell(&self, job: &Job) {
        job.advance(self.bytes, self.records);
    }
}

/// Files in a state, and how far they are filled.
pub struct Journal<'a> {
    state: &'a State,
    phase: &'static str,
    print: Print,
    files: Vec<File>,
    /// As messages name the files.
    shown: Vec<PathBuf>,
    /// Written since the last note.
    unsaved: AtomicU64,
    /// The note of the last step that is done, if it is not written.
    latest: Mutex<Option<Vec<u8>>>,
}

impl<'a> Journal<'a> {
    /// Opens a file for each of `shown`, empty, or as the interrupted run of the same print left them.
    pub fn open(
        state: &'a State,
        phase: &'static str,
        print: Print,
        shown: Vec<PathBuf>,
    ) -> Result<Self, Error> {
        let mut journal = Journal {
            state,
            phase,
            print,
            files: Vec::new(),
            shown,
            unsaved: AtomicU64::new(0),
            latest: Mutex::new(None),
        };
        let kept = state.resumed() && state.get(phase, 0).is_some_and(|bytes| bytes.starts_with(&print));
        let paths: Vec<PathBuf> = (0..journal.shown.len()).map(|i| journal.path(i)).collect();
        if kept && paths.iter().all(|path| path.is_file()) {
            for path in &paths {
                let file = File::options().read(true).write(true).open(path);
                journal.files.push(file.map_err(|e| Error::io(path, "open", e))?);
            }
            return Ok(journal);
        }
        // A note without its files is none.
        state.remove(phase, 0)?;
        for path in &paths {
            let made = fs::remove(KIND, path).and_then(|()| fs::create_new(KIND, path));
            journal.files.push(made.map_err(|e| Error::io(path, "create", e))?);
        }
        Ok(journal)
    }

    fn path(&self, file: usize) -> PathBuf {
        self.state.scratch(&format!("{}-{file}.data", self.phase))
    }

    /// How far the interrupted run was.
    pub fn steps<T: Kept + Default>(&self) -> Steps<T> {
        read(self.state, self.phase, &self.print).unwrap_or_default()
    }

    /// Bytes of the disk that the files take already.
    pub fn bytes(&self) -> u64 {
        self.files.iter().filter_map(|file| file.metadata().ok()).map(|about| allocated(&about)).sum()
    }

    /// Writes bytes at a place of a file; threads may do so at once, each at its own place.
    pub fn write_at(&self, file: usize, bytes: &[u8], at: u64) -> Result<(), Error> {
        let written = fs::write_all_at(KIND, &self.files[file], bytes, at);
        self.unsaved.fetch_add(bytes.len() as u64, Relaxed);
        written.map_err(|e| Error::io(&self.shown[file], "write", e))
    }

    /// Fills `out` with what was written at a place of a file.
    pub fn read_at(&self, file: usize, out: &mut [u8], at: u64) -> Result<(), Error> {
        fs::read_exact_at(&self.files[file], out, at).map_err(|e| Error::io(&self.shown[file], "read", e))
    }

    /// As messages name a file.
    pub fn shown(&self, file: usize) -> &Path {
        &self.shown[file]
    }

    /// One more step is done.
    pub fn step<T: Kept>(&self, steps: &mut Steps<T>, job: &Job) -> Result<(), Error> {
        let progress = job.progress();
        (steps.done, steps.bytes, steps.records) = (steps.done + 1, progress.done, progress.records);
        *self.latest() = Some(bytes_of(&self.print, steps));
        if self.unsaved.load(Relaxed) < every() { Ok(()) } else { self.save() }
    }

    fn latest(&self) -> std::sync::MutexGuard<'_, Option<Vec<u8>>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The steps that are done are not lost any more.
    fn save(&self) -> Result<(), Error> {
        let Some(note) = self.latest().take() else { return Ok(()) };
        self.sync()?;
        self.state.put(self.phase, 0, &note)?;
        self.unsaved.store(0, Relaxed);
        Ok(())
    }

    fn sync(&self) -> Result<(), Error> {
        for (file, shown) in self.files.iter().zip(&self.shown) {
            fs::sync(KIND, file).map_err(|e| Error::io(shown, "sync", e))?;
        }
        Ok(())
    }

    /// The work is of no more use.
    pub fn discard(self) {
        *self.latest() = None;
    }

    /// Ends the work: the files are whole and on the disk, each with where it lies.
    pub fn finish(self) -> Result<Vec<(File, PathBuf)>, Error> {
        self.save()?;
        self.sync()?;
        let mut journal = self;
        let files = std::mem::take(&mut journal.files);
        Ok(files.into_iter().enumerate().map(|(i, file)| (file, journal.path(i))).collect())
    }
}

impl Drop for Journal<'_> {
    /// Work that ended early is gone on with from its last step.
    fn drop(&mut self) {
        let _ = self.save();
    }
}

/// Bytes of the disk that a file takes.
fn allocated(about: &std::fs::Metadata) -> u64 {
    #[cfg(unix)]
    {
        std::os::unix::fs::MetadataExt::blocks(about) * 512
    }
    #[cfg(not(unix))]
    {
        about.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Fingerprint;
    use tempfile::tempdir;

    fn open(out: &Path, resume: bool) -> State {
        State::open(out, &Fingerprint::default(), resume).unwrap()
    }

    #[test]
    fn work_goes_on_from_the_last_step_that_was_noted() {
        let dir = tempdir().unwrap();
        let out = dir.path().join("out");
        let (job, print) = (Job::default(), print_of(["a"]));
        let state = open(&out, false);
        let journal = Journal::open(&state, "steps", print, vec![out.clone()]).unwrap();
        let mut steps = journal.steps::<Vec<u64>>();
        assert_eq!(steps, Steps::default());
        job.advance(3, 1);
        steps.more.push(7);
        journal.write_at(0, b"abc", 0).unwrap();
        journal.step(&mut steps, &job).unwrap();
        // Of a step that is not done.
        journal.write_at(0, b"x", 3).unwrap();
        drop(journal);
        drop(state);
        let state = open(&out, true);
        let journal = Journal::open(&state, "steps", print, vec![out.clone()]).unwrap();
        assert_eq!(journal.steps::<Vec<u64>>(), steps);
        assert_eq!((steps.done, steps.bytes, steps.records), (1, 3, 1));
        journal.write_at(0, b"def", 3).unwrap();
        let mut read = [0; 6];
        journal.read_at(0, &mut read, 0).unwrap();
        assert_eq!(&read, b"abcdef");
        let [(_, path)] = &journal.finish().unwrap()[..] else { panic!("there is one file") };
        assert_eq!(std::fs::read(path).unwrap(), b"abcdef");
    }

    #[test]
    fn other_work_and_lost_files_begin_anew() {
        let dir = tempdir().unwrap();
        let out = dir.path().join("out");
        let (job, print) = (Job::default(), print_of(["a"]));
        let note = || {
            let state = open(&out, false);
            let journal = Journal::open(&state, "steps", print, vec![out.clone()]).unwrap();
            let mut steps = journal.steps::<()>();
            journal.write_at(0, b"abc", 0).unwrap();
            journal.step(&mut steps, &job).unwrap();
        };
        let done = |print| {
            let state = open(&out, true);
            let journal = Journal::open(&state, "steps", print, vec![out.clone()]).unwrap();
            (journal.steps::<()>().done, journal.files[0].metadata().unwrap().len())
        };
        note();
        assert_eq!(done(print), (1, 3));
        assert_eq!(done(print_of(["a", ""])), (0, 0));
        assert_eq!(done(print), (0, 0));
        note();
        std::fs::remove_file(open(&out, true).scratch("steps-0.data")).unwrap();
        assert_eq!(done(print), (0, 0));
    }

    #[test]
    fn what_is_kept_comes_back() {
        let cuts = vec![(3u64, vec![Cut::from_parts(5, None), Cut::from_parts(6, Some(0))])];
        let elected = Elected { balance: -4, undecided: 9 };
        let moments = Moments { count: 3, mean: -0.5, m2: f64::MIN_POSITIVE };
        let bytes = bytes_of(&[0; 32], &((elected, moments), cuts));
        let mut from = blob::Reader::new(&bytes[32..]);
        type All = ((Elected, Moments), Vec<(u64, Vec<Cut>)>);
        let ((e, m), back) = All::take(&mut from).unwrap();
        assert_eq!((e, m, from.end()), (elected, moments, Some(())));
        assert_eq!(back[0].0, 3);
        assert_eq!(back[0].1.iter().map(Cut::parts).collect::<Vec<_>>(), [(5, None), (6, Some(0))]);
        assert!(All::take(&mut blob::Reader::new(&bytes[32..bytes.len() - 1])).is_none());
    }

    #[test]
    fn a_result_is_made_once() {
        let dir = tempdir().unwrap();
        let out = dir.path().join("out");
        let print = [1; 32];
        let make = |x: u64| move || Ok(x);
        assert_eq!(once(&open(&out, false), "x", &print, make(1)).unwrap(), 1);
        assert_eq!(once(&open(&out, true), "x", &print, make(2)).unwrap(), 1);
        assert_eq!(once(&open(&out, true), "x", &[2; 32], make(3)).unwrap(), 3);
        assert_eq!(once(&open(&out, false), "x", &[2; 32], make(4)).unwrap(), 4);
    }
}
