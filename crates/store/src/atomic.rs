//! Outputs that appear whole or not at all.
//!
//! An [`AtomicFile`] or an [`AtomicFolder`] is filled under a temporary name beside its target (`.NAME.tamis-tmp-PID-N`) and put
//! in place in one step at the end. Dropped before that, it removes what it wrote; killed before that, the next run on the
//! same target removes it. Nothing that exists is replaced without `force`.

mod folder;
mod manifest;
mod temporary;

pub use folder::{AtomicFolder, FolderFile};
pub use manifest::{MANIFEST, is_complete, manifest_beside};
pub(crate) use temporary::is_at;

use crate::error::Error;
use crate::fs;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes gather to this many bytes before they go to the system.
const BUFFER: usize = 1 << 20;

/// A file that is written through a buffer and the crate's own doors.
#[derive(Debug)]
struct Buffered {
    kind: &'static str,
    file: File,
    buffer: Vec<u8>,
}

impl Buffered {
    fn new(kind: &'static str, file: File) -> Self {
        Buffered { kind, file, buffer: Vec::new() }
    }

    /// Everything written is on the disk afterwards.
    fn finish(&mut self) -> io::Result<()> {
        self.flush()?;
        fs::sync(self.kind, &self.file)
    }
}

impl Write for Buffered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() + bytes.len() > BUFFER {
            self.flush()?;
        }
        if bytes.len() >= BUFFER {
            fs::write_all(self.kind, &mut self.file, bytes)?;
        } else {
            self.buffer.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            // Emptied first: after a failed write nothing is written twice.
            let full = std::mem::take(&mut self.buffer);
            fs::write_all(self.kind, &mut self.file, &full)?;
            self.buffer = full;
            self.buffer.clear();
        }
        Ok(())
    }
}

/// A file that appears under its name only when it is complete.
///
/// A target that is a symbolic link to a file is written where the link points.
#[derive(Debug)]
pub struct AtomicFile {
    kind: &'static str,
    target: PathBuf,
    temporary: PathBuf,
    force: bool,
    /// None once committed or given up.
    out: Option<Buffered>,
}

impl AtomicFile {
    /// Starts a file. The folders above it are made where missing. Without `force` an existing target is an error.
    ///
    /// `kind` names the failpoints of this file.
    pub fn create(kind: &'static str, target: &Path, force: bool) -> Result<Self, Error> {
        let target = resolve(target)?;
        match std::fs::metadata(&target) {
            Ok(found) if found.is_dir() => {
                return Err(Error::range(format!(
                    "{} is a folder, where a file is to be written: choose another name",
                    target.display()
                )));
            }
            Ok(found) if !found.is_file() => {
                return Err(Error::range(format!(
                    "{} is not a regular file and cannot be written whole or not at all: choose another name",
                    target.display()
                )));
            }
            Ok(_) if !force => return Err(exists(&target)),
            _ => {}
        }
        prepare(kind, &target)?;
        let held = temporary::file(kind, &target).map_err(|e| Error::io(&target, "create", e))?;
        let out = held.file.map(|file| Buffered::new(kind, file));
        Ok(AtomicFile { kind, target, temporary: held.path, force, out })
    }

    /// Where the file will appear.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Takes a file that was filled elsewhere on the same disk in place of what was written here.
    pub fn adopt(&mut self, file: File, from: &Path) -> Result<(), Error> {
        // As of every temporary; a file system without locks has none.
        let _ = file.try_lock();
        fs::rename(self.kind, from, &self.temporary).map_err(|e| Error::io(&self.target, "rename", e))?;
        self.out = Some(Buffered::new(self.kind, file));
        Ok(())
    }

    /// Puts the file in place: its bytes are on the disk before its name is.
    pub fn commit(mut self) -> Result<(), Error> {
        let target = self.target.clone();
        let Some(mut out) = self.out.take() else { return Ok(()) };
        let result = out.finish().map_err(|e| Error::io(&target, "write", e)).and_then(|()| {
            let rename = if self.force { fs::rename } else { fs::rename_new };
            rename(self.kind, &self.temporary, &target).map_err(|e| renaming(&target, e))
        });
        if result.is_err() {
            self.out = Some(out);
            return result;
        }
        let parent = parent(&target);
        fs::sync_folder(self.kind, parent).map_err(|e| Error::io(parent, "sync", e))
    }

    /// Puts the file in place and then its manifest beside it; that of an earlier file is removed first.
    pub fn commit_with_manifest(self, json: &str) -> Result<(), Error> {
        manifest::check(json)?;
        let beside = manifest_beside(&self.target);
        manifest::check_place(&beside)?;
        manifest::remove(&beside)?;
        self.commit()?;
        manifest::write(&beside, json)
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.out {
            Some(out) => out.write(bytes),
            None => Err(io::Error::other("the file is closed")),
        }
    }

    /// Does nothing: bytes leave the buffer when it is full, and at the commit.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if self.out.is_some() {
            let _ = fs::remove(self.kind, &self.temporary);
        }
    }
}

/// What a run writes: one file or a folder of files. It is made before the work starts, so that a target that must not be
/// replaced stops a run before its first pass, and committed with its manifest at the end.
#[derive(Debug)]
pub enum Output {
    /// One file.
    File(AtomicFile),
    /// A folder.
    Folder(AtomicFolder),
}

impl Output {
    /// An output file; see [`AtomicFile::create`].
    pub fn file(target: &Path, force: bool) -> Result<Self, Error> {
        let file = AtomicFile::create("output", target, force)?;
        manifest::check_place(&manifest_beside(file.target()))?;
        Ok(Output::File(file))
    }

    /// An output folder; see [`AtomicFolder::create`].
    pub fn folder(target: &Path, force: bool) -> Result<Self, Error> {
        AtomicFolder::create(target, force).map(Output::Folder)
    }

    /// Where the output will appear.
    pub fn target(&self) -> &Path {
        match self {
            Output::File(file) => file.target(),
            Output::Folder(folder) => folder.target(),
        }
    }

    /// Puts the output in place, its manifest last; gives back where that lies.
    pub fn commit(self, manifest: &str) -> Result<PathBuf, Error> {
        match self {
            Output::File(file) => {
                let path = manifest_beside(file.target());
                file.commit_with_manifest(manifest).map(|()| path)
            }
            Output::Folder(folder) => {
                let path = folder.target().join(MANIFEST);
                folder.commit(manifest).map(|()| path)
            }
        }
    }
}

/// The target as an absolute path with a name, symbolic links of its last part followed.
pub(crate) fn resolve(target: &Path) -> Result<PathBuf, Error> {
    let io = |e| Error::io(target, "open", e);
    let mut path = std::path::absolute(target).map_err(io)?;
    if path.file_name().is_none() || std::fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink()) {
        path = path.canonicalize().map_err(io)?;
    }
    if path.file_name().is_none() {
        return Err(Error::range(format!(
            "{} has no name to write under: name a file or folder in it",
            target.display()
        )));
    }
    Ok(path)
}

/// Makes the folders above a target and clears what dead runs left beside it.
fn prepare(kind: &'static str, target: &Path) -> Result<(), Error> {
    let parent = parent(target);
    fs::create_folders(kind, parent).map_err(|e| Error::io(parent, "create", e))?;
    temporary::clear_stale(kind, target);
    Ok(())
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

fn exists(target: &Path) -> Error {
    Error::range(format!(
        "{} exists: choose another name, or replace it with --force (force: true)",
        target.display()
    ))
}

/// The error of a last rename; without `force` another run may have been faster.
fn renaming(target: &Path, error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::AlreadyExists {
        exists(target)
    } else {
        Error::io(target, "rename", error)
    }
}

#[cfg(test)]
mod tests;
