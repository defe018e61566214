//! Temporary files and folders beside a target: named, held and cleared so that no live run ever loses one.
//!
//! A temporary is `.NAME.tamis-tmp-PID-N` beside the target NAME. Whoever fills it holds an advisory lock on it, which the
//! system drops when the process ends, however it ends: a temporary whose lock can be had is a dead process's, whatever its
//! PID says (containers share folders, not process numbers). Where a file system has no locks, the PID decides.

use crate::fs;
use std::ffi::{OsStr, OsString};
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What the fallback of a swap calls the earlier result while neither is in place.
const OLD: &str = "-old";

/// A temporary that this process holds, and its lock.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) path: PathBuf,
    /// The open file, or the open folder where the system opens folders.
    pub(super) file: Option<File>,
}

fn prefix(target: &Path) -> OsString {
    let mut name = OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(".tamis-tmp-");
    name
}

fn candidate(target: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut name = prefix(target);
    name.push(format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed)));
    target.with_file_name(name)
}

/// Makes and locks a temporary file for `target`.
pub(super) fn file(kind: &'static str, target: &Path) -> io::Result<Held> {
    claim(target, |path| fs::create_new(kind, path).map(Some))
}

/// Makes and locks a temporary folder for `target`.
pub(super) fn folder(kind: &'static str, target: &Path) -> io::Result<Held> {
    claim(target, |path| {
        fs::create_folder(kind, path)?;
        Ok(open_folder(path))
    })
}

#[cfg(unix)]
fn open_folder(path: &Path) -> Option<File> {
    File::open(path).ok()
}

#[cfg(not(unix))]
fn open_folder(_path: &Path) -> Option<File> {
    None
}

fn claim(target: &Path, make: impl Fn(&Path) -> io::Result<Option<File>>) -> io::Result<Held> {
    loop {
        let path = candidate(target);
        let file = match make(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            result => result?,
        };
        // Between making and locking, another process may have taken it for a dead one's: leave it to that process.
        if let Some(file) = &file
            && (matches!(file.try_lock(), Err(TryLockError::WouldBlock)) || !is_at(file, &path))
        {
            continue;
        }
        return Ok(Held { path, file });
    }
}

/// Whether `path` still names the open file.
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        match (file.metadata(), std::fs::symlink_metadata(path)) {
            (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
            _ => false,
        }
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        path.exists()
    }
}

/// Clears what dead processes left for this target. What cannot be cleared is no error: it is in nobody's way.
pub(super) fn clear_stale(kind: &'static str, target: &Path) {
    let prefix = prefix(target);
    let Some(Ok(entries)) = target.parent().map(std::fs::read_dir) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some((pid, old)) = parse(&prefix, &name) else { continue };
        let path = entry.path();
        let Some(_lock) = take_over(&path, pid) else { continue };
        if old && std::fs::symlink_metadata(target).is_err() {
            // Killed in the middle of a swap by two renames: the earlier result goes back where it was.
            let _ = fs::rename_new(kind, &path, target);
        } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let _ = fs::remove_folder(kind, &path);
        } else {
            let _ = fs::remove(kind, &path);
        }
    }
}

/// Where the fallback of a swap puts the earlier result.
pub(super) fn old(temporary: &Path) -> PathBuf {
    let mut name = temporary.file_name().unwrap_or_default().to_owned();
    name.push(OLD);
    temporary.with_file_name(name)
}

/// The PID in a temporary's name, and whether it is an earlier result set aside.
fn parse(prefix: &OsStr, name: &OsStr) -> Option<(u32, bool)> {
    let rest = name.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes())?;
    let rest = std::str::from_utf8(rest).ok()?;
    let (rest, old) = rest.strip_suffix(OLD).map_or((rest, false), |rest| (rest, true));
    let (pid, n) = rest.split_once('-')?;
    n.parse::<u64>().ok()?;
    Some((pid.parse().ok()?, old))
}

/// The temporary's lock, if its process is dead; held until the temporary is gone.
fn take_over(path: &Path, pid: u32) -> Option<Option<File>> {
    match File::open(path) {
        Ok(file) => match file.try_lock() {
            Ok(()) => Some(Some(file)),
            Err(TryLockError::WouldBlock) => None,
            Err(TryLockError::Error(_)) => (!is_alive(pid)).then_some(None),
        },
        Err(_) => (!is_alive(pid)).then_some(None),
    }
}

#[cfg(unix)]
fn is_alive(pid: u32) -> bool {
    use rustix::process::{Pid, test_kill_process};
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return true };
    test_kill_process(pid) != Err(rustix::io::Errno::SRCH)
}

/// Unknown there, so never taken for dead.
#[cfg(not(unix))]
fn is_alive(_pid: u32) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_other_targets_names() {
        let target = Path::new("/x/out.jsonl");
        let prefix = prefix(target);
        let own = candidate(target);
        assert_eq!(parse(&prefix, own.file_name().unwrap()), Some((std::process::id(), false)));
        assert_eq!(parse(&prefix, old(&own).file_name().unwrap()), Some((std::process::id(), true)));
        for other in [
            "out.jsonl",
            ".out.jsonl.tamis-state",
            ".out.jsonl.tamis-tmp-7",
            ".out.jsonl.tamis-tmp-7-x",
            ".other.tamis-tmp-7-1",
        ] {
            assert_eq!(parse(&prefix, OsStr::new(other)), None, "{other}");
        }
    }

    #[test]
    fn only_what_nobody_holds_is_cleared() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out");
        let live = file("output", &target).unwrap();
        let live_folder = folder("folder", &target).unwrap();
        let dead = dir.path().join(".out.tamis-tmp-1-77");
        std::fs::write(&dead, "x").unwrap();
        let dead_folder = dir.path().join(".out.tamis-tmp-1-78");
        std::fs::create_dir(&dead_folder).unwrap();
        std::fs::write(dead_folder.join("a"), "x").unwrap();
        let other = dir.path().join(".out2.tamis-tmp-1-77");
        std::fs::write(&other, "x").unwrap();
        clear_stale("output", &target);
        assert!(live.path.exists() && live_folder.path.exists() && other.exists());
        assert!(!dead.exists() && !dead_folder.exists());
        drop((live.file, live_folder.file));
        clear_stale("output", &target);
        assert!(!live.path.exists() && !live_folder.path.exists());
    }

    #[test]
    fn an_earlier_result_set_aside_goes_back_only_where_none_is() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out");
        let aside = dir.path().join(".out.tamis-tmp-1-5-old");
        std::fs::create_dir(&aside).unwrap();
        clear_stale("folder", &target);
        assert!(target.is_dir() && !aside.exists());
        std::fs::create_dir(&aside).unwrap();
        clear_stale("folder", &target);
        assert!(target.is_dir() && !aside.exists());
    }
}
