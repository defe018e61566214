//! Standard input as a temporary file, since it can be read only once and a corpus is read twice.

use crate::error::Error;
use crate::fs;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tamis_kernels::job::Job;

const KIND: &str = "spool";
const CHUNK: usize = 1 << 20;

/// A folder of its own with the copy in it; both are removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Spool {
    folder: PathBuf,
    file: PathBuf,
}

impl Spool {
    /// Copies standard input to its end; the job stops it within a tenth of a second, even if nothing arrives.
    pub(crate) fn standard_input(job: &Job) -> Result<Spool, Error> {
        Spool::copy(&mut Interruptible { job })
    }

    fn copy(input: &mut impl Read) -> Result<Spool, Error> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let reading = |e: io::Error| match e.get_ref() {
            Some(inner) if inner.is::<Stopped>() => Error::Aborted,
            _ => Error::io("standard input", "read", e),
        };
        let mut head = vec![0; CHUNK];
        let mut n = 0;
        while n < 4 {
            match input.read(&mut head[n..]).map_err(reading)? {
                0 => break,
                more => n += more,
            }
        }
        let folder = loop {
            let name = format!("tamis-stdin-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
            let folder = std::env::temp_dir().join(name);
            match fs::create_private_folder(KIND, &folder) {
                // A process of the same number that was killed left it.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                result => {
                    break result
                        .map(|()| folder)
                        .map_err(|e| Error::io(std::env::temp_dir(), "create a folder in", e))?;
                }
            }
        };
        let spool = Spool { file: folder.join(format!("stdin.{}", ending(&head[..n]))), folder };
        let writing = |e| Error::io(&spool.file, "write standard input to", e);
        let mut file = fs::create_new(KIND, &spool.file).map_err(writing)?;
        let write = |file: &mut File, bytes: &[u8]| fs::write_all(KIND, file, bytes).map_err(writing);
        while n > 0 {
            write(&mut file, &head[..n])?;
            n = input.read(&mut head).map_err(reading)?;
        }
        Ok(spool)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.file
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        let _ = fs::remove_folder(KIND, &self.folder);
    }
}

/// The ending of a file that begins like this.
fn ending(head: &[u8]) -> &'static str {
    match head {
        [b'P', b'A', b'R', b'1', ..] => "parquet",
        [0x1f, 0x8b, ..] => "jsonl.gz",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "jsonl.zst",
        _ => "jsonl",
    }
}

/// The error that a stopped job reads as.
#[derive(Debug)]
struct Stopped;

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("stopped")
    }
}

impl std::error::Error for Stopped {}

/// Standard input; a job that is stopped ends the wait for it.
struct Interruptible<'a> {
    job: &'a Job,
}

impl Read for Interruptible<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.job.is_stopped() {
                return Err(io::Error::other(Stopped));
            }
            if let Some(n) = read_ready(buffer)? {
                return Ok(n);
            }
        }
    }
}

/// What there is to read within a tenth of a second; past the standard library's buffer, and whether or not somebody made the
/// descriptor non-blocking.
#[cfg(unix)]
fn read_ready(buffer: &mut [u8]) -> io::Result<Option<usize>> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::Errno;
    const WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    let stdin = io::stdin();
    match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&WAIT)) {
        Ok(0) | Err(Errno::INTR) => return Ok(None),
        result => result?,
    };
    match rustix::io::read(&stdin, buffer) {
        Err(Errno::AGAIN | Errno::INTR) => Ok(None),
        result => Ok(Some(result?)),
    }
}

/// Reads there wait until something arrives.
#[cfg(not(unix))]
fn read_ready(buffer: &mut [u8]) -> io::Result<Option<usize>> {
    io::stdin().lock().read(buffer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_named_by_its_first_bytes_and_goes_when_it_is_dropped() {
        for (bytes, name) in [
            (&b"{\"text\":\"a\"}\n"[..], "stdin.jsonl"),
            (b"", "stdin.jsonl"),
            (b"PAR1....", "stdin.parquet"),
            (&[0x1f, 0x8b, 8, 0], "stdin.jsonl.gz"),
            (&[0x28, 0xb5, 0x2f, 0xfd, 0], "stdin.jsonl.zst"),
        ] {
            // One byte at a time, as a slow pipe gives them.
            let spool =
                Spool::copy(&mut bytes.iter().fold(Box::new(io::empty()) as Box<dyn Read>, |read, byte| {
                    Box::new(read.chain(std::slice::from_ref(byte)))
                }))
                .unwrap();
            assert_eq!(spool.path().file_name().unwrap(), name);
            assert_eq!(std::fs::read(spool.path()).unwrap(), bytes);
            let folder = spool.folder.clone();
            drop(spool);
            assert!(!folder.exists());
        }
    }

    #[test]
    fn a_copy_that_fails_leaves_nothing() {
        struct Broken(bool);
        impl Read for Broken {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                if std::mem::replace(&mut self.0, true) {
                    return Err(io::Error::other(Stopped));
                }
                buffer.fill(b'x');
                Ok(buffer.len())
            }
        }
        assert!(matches!(Spool::copy(&mut Broken(false)), Err(Error::Aborted)));
    }
}
