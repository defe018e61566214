//! What an interrupted run leaves so that the next one can go on: the results of its finished shards.
//!
//! The state lies in the folder `.NAME.tamis-state/` beside the output NAME and holds
//! - `lock`: held by the run that works (an advisory lock, gone with its process), with that process's number;
//! - `fingerprint`: what the run was asked to do, see [`Fingerprint`];
//! - `PHASE-SHARD.part`: the result of one shard of one phase, bytes whose meaning is the caller's;
//! - `features`: temporary, of the process that works (see [`features`](crate::passes::features));
//! - `PHASE-N.data`: a file that is filled in steps, and how far (see [`journal`](crate::checkpoint::journal)) a part says.
//!
//! Each file but the data and the lock ends in the SHA-256 of all before and appears under its name only when it is whole; one that is torn or
//! damaged all the same (a power cut, since nothing here waits for the disk: losing a result costs its work, no more) counts as absent.
//!
//! # The files, version 1
//! Little-endian. `fingerprint`: `TAMISFPR`, version u32, options (length u64, UTF-8), number of inputs u64, each path (length u64,
//! UTF-8), size u64, modified u128 nanoseconds since 1970; SHA-256. `*.part`: `TAMISPRT`, version u32, SHA-256 of the fingerprint
//! file's contents before its checksum, shard u64, length of the phase's name u64, the name, length of the result u64, the result; SHA-256.

use crate::atomic::{is_at, resolve};
use crate::error::Error;
use crate::fs;
use crate::input::modified_ns;
use sha2::{Digest, Sha256};
use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

const KIND: &str = "state";
const VERSION: u32 = 1;
const FINGERPRINT: &[u8; 8] = b"TAMISFPR";
const PART: &[u8; 8] = b"TAMISPRT";
const CHECKSUM: usize = 32;

/// What a run was asked to do: results of another one are not gone on with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fingerprint {
    /// The options that the results depend on, a line `name: value` each.
    pub options: String,
    /// The input files.
    pub inputs: Vec<InputPrint>,
}

/// One input file of a [`Fingerprint`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputPrint {
    /// Its path, as text.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was last changed: nanoseconds since 1970.
    pub modified_ns: u128,
}

impl InputPrint {
    /// Of a file as it is now.
    pub fn of(path: &Path) -> Result<Self, Error> {
        let about = std::fs::metadata(path).map_err(|e| Error::io(path, "open", e))?;
        Ok(InputPrint {
            path: path.to_string_lossy().into_owned(),
            bytes: about.len(),
            modified_ns: modified_ns(&about),
        })
    }
}

impl Fingerprint {
    /// The bytes of the fingerprint file, without its checksum.
    fn encode(&self) -> Vec<u8> {
        let mut out = FINGERPRINT.to_vec();
        out.extend_from_slice(&VERSION.to_le_bytes());
        put_text(&mut out, self.options.as_bytes());
        out.extend_from_slice(&(self.inputs.len() as u64).to_le_bytes());
        for input in &self.inputs {
            put_text(&mut out, input.path.as_bytes());
            out.extend_from_slice(&input.bytes.to_le_bytes());
            out.extend_from_slice(&input.modified_ns.to_le_bytes());
        }
        out
    }

    /// Reads the bytes of a fingerprint file; none if they are damaged or of another version.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = Reader(unsealed(bytes)?);
        rest.expect(FINGERPRINT)?;
        rest.expect(&VERSION.to_le_bytes())?;
        let options = rest.text()?;
        // No capacity from a number that the file only claims.
        let mut inputs = Vec::new();
        for _ in 0..rest.u64()? {
            inputs.push(InputPrint { path: rest.text()?, bytes: rest.u64()?, modified_ns: rest.u128()? });
        }
        rest.0.is_empty().then_some(Fingerprint { options, inputs })
    }

    /// What differs between an earlier run and this one, for a person.
    fn difference(&self, now: &Self) -> String {
        if self.options != now.options {
            let (was, is): (Vec<&str>, Vec<&str>) =
                (self.options.lines().collect(), now.options.lines().collect());
            let at = was.iter().zip(&is).take_while(|(a, b)| a == b).count();
            let show =
                |lines: &[&str]| lines.get(at).map_or("nothing".to_owned(), |line| format!("\"{line}\""));
            return format!("its options were others: {} then, {} now", show(&was), show(&is));
        }
        for (was, is) in self.inputs.iter().zip(&now.inputs) {
            if was.path != is.path {
                return format!("its input files were others: {} then, {} now", was.path, is.path);
            }
            if was != is {
                return format!(
                    "the input file {} was changed since ({} bytes then, {} now)",
                    is.path, was.bytes, is.bytes
                );
            }
        }
        format!("it had {} input files, this one has {}", self.inputs.len(), now.inputs.len())
    }
}

/// The state of a run in progress; dropped without [`finish`](Self::finish), it stays for the next run.
#[derive(Debug)]
pub struct State {
    folder: PathBuf,
    /// Held until the end; closed last.
    _lock: File,
    fingerprint: [u8; 32],
    resumed: bool,
}

/// Where the state of runs on this output lies.
pub fn state_folder(output: &Path) -> Result<PathBuf, Error> {
    let output = resolve(output)?;
    let mut name = std::ffi::OsString::from(".");
    name.push(output.file_name().unwrap_or_default());
    name.push(".tamis-state");
    Ok(output.with_file_name(name))
}

impl State {
    /// Opens the state of the output and locks it against a second run on the same output.
    ///
    /// Without `resume` what an earlier run left is removed. With it, what an earlier run with the same fingerprint left is kept,
    /// nothing at all is fine too, and another fingerprint is an error that says what changed.
    pub fn open(output: &Path, fingerprint: &Fingerprint, resume: bool) -> Result<Self, Error> {
        let folder = state_folder(output)?;
        let lock = lock(&folder)?;
        let encoded = fingerprint.encode();
        let path = folder.join("fingerprint");
        let earlier = std::fs::read(&path).ok().and_then(|bytes| Fingerprint::decode(&bytes));
        let resumed = resume && earlier.as_ref() == Some(fingerprint);
        if !resumed {
            if resume && let Some(earlier) = earlier {
                return Err(Error::range(format!(
                    "resume cannot go on with the interrupted run on {}: {}; run it as it was, or start anew without --resume",
                    output.display(),
                    earlier.difference(fingerprint)
                )));
            }
            clear(&folder)?;
            write(&folder, "fingerprint", &[&encoded])?;
        }
        Ok(State { folder, _lock: lock, fingerprint: Sha256::digest(&encoded).into(), resumed })
    }

    /// Whether results of an earlier run may be there.
    pub fn resumed(&self) -> bool {
        self.resumed
    }

    /// Where it lies: a place for temporary files and folders of this run, which go with it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The path of a temporary file of this run: it is in nobody's way, and goes with the state.
    pub(crate) fn scratch(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Keeps the result of a shard; an earlier one is replaced. Phases are named by lower-case letters, digits and underscores.
    pub fn put(&self, phase: &str, shard: u64, result: &[u8]) -> Result<(), Error> {
        let name = part_name(phase, shard)?;
        write(&self.folder, &name, &[&self.part_header(phase, shard, result.len()), result])
    }

    /// The result of a shard, if it is there and whole.
    pub fn get(&self, phase: &str, shard: u64) -> Option<Vec<u8>> {
        let mut bytes = std::fs::read(self.folder.join(part_name(phase, shard).ok()?)).ok()?;
        let result = unsealed(&bytes)?;
        let start = self.part_header(phase, shard, 0).len();
        let length = result.len().checked_sub(start)?;
        let whole = result[..start] == self.part_header(phase, shard, length)[..];
        whole.then(|| {
            bytes.truncate(start + length);
            bytes.split_off(start)
        })
    }

    /// Forgets the result of a shard, if there is one.
    pub(crate) fn remove(&self, phase: &str, shard: u64) -> Result<(), Error> {
        let path = self.folder.join(part_name(phase, shard)?);
        fs::remove(KIND, &path).map_err(|e| Error::io(&path, "remove", e))
    }

    /// Removes the state: the run is done.
    pub fn finish(self) -> Result<(), Error> {
        clear(&self.folder)?;
        // The lock file goes last and is still held: who opened it meanwhile sees that it is no longer there, and makes a new one,
        // in which case the folder stays.
        let lock = self.folder.join("lock");
        fs::remove(KIND, &lock).map_err(|e| Error::io(&lock, "remove", e))?;
        let _ = fs::remove_empty_folder(KIND, &self.folder);
        Ok(())
    }

    fn part_header(&self, phase: &str, shard: u64, length: usize) -> Vec<u8> {
        let mut out = PART.to_vec();
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&self.fingerprint);
        out.extend_from_slice(&shard.to_le_bytes());
        put_text(&mut out, phase.as_bytes());
        out.extend_from_slice(&(length as u64).to_le_bytes());
        out
    }
}

fn part_name(phase: &str, shard: u64) -> Result<String, Error> {
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
    if phase.is_empty() || phase.len() > 64 || !phase.bytes().all(plain) {
        return Err(Error::range(format!(
            "phase must be 1 to 64 lower-case letters, digits and underscores, got {phase:?}"
        )));
    }
    Ok(format!("{phase}-{shard}.part"))
}

fn lock(folder: &Path) -> Result<File, Error> {
    // One thread at a time: between taking a lock and writing the number of the process into it, another thread would read that
    // another process holds it.
    static TAKING: Mutex<()> = Mutex::new(());
    let _taking = TAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let path = folder.join("lock");
    loop {
        fs::create_folders(KIND, folder).map_err(|e| Error::io(folder, "create", e))?;
        let mut file = match File::options().read(true).write(true).create(true).truncate(false).open(&path) {
            // A run that ends just now took the folder away.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            result => result.map_err(|e| Error::io(&path, "open", e))?,
        };
        match file.try_lock() {
            Ok(()) if !is_at(&file, &path) => continue,
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(taken(folder, &path)),
            // A file system without locks: two runs at once are then the user's to avoid.
            Err(TryLockError::Error(_)) => {}
        }
        let number = format!("{}\n", std::process::id());
        let written = file.set_len(0).and_then(|()| fs::write_all(KIND, &mut file, number.as_bytes()));
        written.map_err(|e| Error::io(&path, "write", e))?;
        return Ok(file);
    }
}

fn taken(folder: &Path, lock: &Path) -> Error {
    let who = match std::fs::read_to_string(lock).ok().and_then(|text| text.trim().parse::<u32>().ok()) {
        Some(number) if number == std::process::id() => "another call in this process".to_owned(),
        Some(number) => format!("another process (number {number})"),
        None => "another process".to_owned(),
    };
    Error::range(format!(
        "{who} is writing this output ({} is locked): wait for it, or choose another output",
        folder.display()
    ))
}

/// Removes all but the lock.
fn clear(folder: &Path) -> Result<(), Error> {
    let entries = std::fs::read_dir(folder).map_err(|e| Error::io(folder, "read", e))?;
    for entry in entries {
        let entry = entry.map_err(|e| Error::io(folder, "read", e))?;
        if entry.file_name() == "lock" {
            continue;
        }
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let remove = if is_folder { fs::remove_folder } else { fs::remove };
        remove(KIND, &entry.path()).map_err(|e| Error::io(entry.path(), "remove", e))?;
    }
    Ok(())
}

/// Writes a file and its checksum aside and renames it.
fn write(folder: &Path, name: &str, parts: &[&[u8]]) -> Result<(), Error> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let path = folder.join(name);
    let temporary = folder.join(format!("{name}.{}", NEXT.fetch_add(1, Relaxed)));
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    let checksum = hash.finalize();
    let bytes = [parts, &[&checksum[..]]].concat().concat();
    // What a killed run left under this name is nobody's: the folder is locked.
    let made = fs::remove(KIND, &temporary).and_then(|()| fs::create_new(KIND, &temporary));
    let written = made.and_then(|mut file| fs::write_all(KIND, &mut file, &bytes));
    written.and_then(|()| fs::rename(KIND, &temporary, &path)).map_err(|error| {
        let _ = std::fs::remove_file(&temporary);
        Error::io(&path, "write", error)
    })
}

fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(&(text.len() as u64).to_le_bytes());
    // Writing to a vector cannot fail.
    let _ = out.write_all(text);
}

/// The bytes before the checksum, if it is theirs.
fn unsealed(bytes: &[u8]) -> Option<&[u8]> {
    let (rest, checksum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM)?)?;
    (Sha256::digest(rest)[..] == *checksum).then_some(rest)
}

/// What is left of a file's bytes.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: u64) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(head)
    }

    fn expect(&mut self, bytes: &[u8]) -> Option<()> {
        (self.take(bytes.len() as u64)? == bytes).then_some(())
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn u128(&mut self) -> Option<u128> {
        Some(u128::from_le_bytes(self.take(16)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<String> {
        let length = self.u64()?;
        String::from_utf8(self.take(length)?.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests;
