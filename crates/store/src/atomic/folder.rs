//! Folders that are filled aside and swapped in whole.

use super::{Buffered, MANIFEST, exists, manifest, parent, prepare, renaming, resolve, temporary};
use crate::error::Error;
use crate::fs;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

const KIND: &str = "folder";

/// A folder that appears under its name only when it is complete.
///
/// What it may replace: nothing, or an empty folder; with `force` also a folder that holds a manifest of tamis. Any other
/// folder is refused even with `force`, since tamis did not make it: a slip of the keyboard must not cost a home folder.
/// A folder that it replaces goes as a whole, with whatever else was put into it.
#[derive(Debug)]
pub struct AtomicFolder {
    target: PathBuf,
    temporary: PathBuf,
    force: bool,
    /// Holds the lock that tells other processes that this one lives.
    _lock: Option<File>,
    /// The folders made below, to be synced.
    folders: BTreeSet<PathBuf>,
    committed: bool,
}

impl AtomicFolder {
    /// Starts a folder. The folders above it are made where missing.
    pub fn create(target: &Path, force: bool) -> Result<Self, Error> {
        let target = resolve(target)?;
        check_replaceable(&target, force)?;
        prepare(KIND, &target)?;
        let held = temporary::folder(KIND, &target).map_err(|e| Error::io(&target, "create", e))?;
        Ok(AtomicFolder {
            target,
            temporary: held.path,
            force,
            _lock: held.file,
            folders: BTreeSet::new(),
            committed: false,
        })
    }

    /// Where the folder will appear.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Where it is filled.
    pub fn path(&self) -> &Path {
        &self.temporary
    }

    /// Starts a file of the folder; `name` may lead through folders below, which are made.
    pub fn file(&mut self, name: &Path) -> Result<FolderFile, Error> {
        let (path, shown) = self.place(name)?;
        let file = fs::create_new(KIND, &path).map_err(|e| Error::io(&shown, "create", e))?;
        Ok(FolderFile { path: shown, out: Buffered::new(KIND, file) })
    }

    /// Takes a file that was filled elsewhere on the same disk, and whose bytes are on it, under a name.
    pub fn adopt(&mut self, name: &Path, from: &Path) -> Result<(), Error> {
        let (path, shown) = self.place(name)?;
        fs::rename_new(KIND, from, &path).map_err(|e| Error::io(&shown, "rename", e))
    }

    /// Where a file of a name is filled and where it will appear; the folders above it are made.
    fn place(&mut self, name: &Path) -> Result<(PathBuf, PathBuf), Error> {
        let plain = name.components().all(|part| matches!(part, Component::Normal(_)));
        if !plain || name.as_os_str().is_empty() || name == Path::new(MANIFEST) {
            return Err(Error::range(format!(
                "{:?} cannot be the name of a file in an output folder",
                name.display()
            )));
        }
        let path = self.temporary.join(name);
        let shown = self.target.join(name);
        for above in name.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()) {
            self.folders.insert(self.temporary.join(above));
        }
        fs::create_folders(KIND, parent(&path)).map_err(|e| Error::io(parent(&shown), "create", e))?;
        Ok((path, shown))
    }

    /// Writes the manifest and swaps the folder in; every [`FolderFile`] must be finished.
    pub fn commit(mut self, json: &str) -> Result<(), Error> {
        manifest::check(json)?;
        // Deepest first: a folder's entries are on the disk before the entry that leads to it.
        for folder in self.folders.iter().rev() {
            fs::sync_folder(KIND, folder).map_err(|e| Error::io(folder, "sync", e))?;
        }
        let path = self.temporary.join(MANIFEST);
        let shown = self.target.join(MANIFEST);
        let file = fs::create_new("manifest", &path).map_err(|e| Error::io(&shown, "create", e))?;
        let mut out = Buffered::new("manifest", file);
        out.write_all(json.as_bytes())
            .and_then(|()| out.finish())
            .map_err(|e| Error::io(&shown, "write", e))?;
        fs::sync_folder(KIND, &self.temporary).map_err(|e| Error::io(&self.target, "sync", e))?;
        self.swap_in()?;
        Ok(())
    }

    fn swap_in(&mut self) -> Result<(), Error> {
        let target = &self.target;
        // It may have come, gone or changed since the start.
        let earlier = check_replaceable(target, self.force)?;
        let mut old = self.temporary.clone();
        if !earlier {
            fs::rename_new(KIND, &self.temporary, target).map_err(|e| renaming(target, e))?;
        } else if !fs::exchange(KIND, &self.temporary, target).map_err(|e| Error::io(target, "rename", e))? {
            // No swap in one step here: the earlier folder is set aside under a name that the next run puts back.
            old = temporary::old(&self.temporary);
            fs::rename(KIND, target, &old).map_err(|e| Error::io(target, "rename", e))?;
            if let Err(error) = fs::rename_new(KIND, &self.temporary, target) {
                let _ = fs::rename(KIND, &old, target);
                return Err(renaming(target, error));
            }
        }
        self.committed = true;
        let parent = parent(target);
        let synced = fs::sync_folder(KIND, parent).map_err(|e| Error::io(parent, "sync", e));
        if earlier {
            // The new folder is in place: what is left of the old one is the next run's to clear.
            let _ = fs::remove_folder(KIND, &old);
        }
        synced
    }
}

impl Drop for AtomicFolder {
    fn drop(&mut self) {
        if !self.committed {
            let _ = fs::remove_folder(KIND, &self.temporary);
        }
    }
}

/// A file of an [`AtomicFolder`].
#[derive(Debug)]
pub struct FolderFile {
    path: PathBuf,
    out: Buffered,
}

impl FolderFile {
    /// Where the file will appear.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Ends the file: its bytes are on the disk.
    pub fn finish(mut self) -> Result<(), Error> {
        self.out.finish().map_err(|e| Error::io(&self.path, "write", e))
    }
}

impl Write for FolderFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    /// Does nothing: bytes leave the buffer when it is full, and at the end.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether something is there that the new folder replaces; an error if it must not.
fn check_replaceable(target: &Path, force: bool) -> Result<bool, Error> {
    match std::fs::metadata(target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(Error::io(target, "open", error)),
        Ok(found) if !found.is_dir() => {
            return Err(Error::range(format!(
                "{} is a file, where a folder is to be written: choose another name",
                target.display()
            )));
        }
        Ok(_) => {}
    }
    let mut entries = std::fs::read_dir(target).map_err(|e| Error::io(target, "read", e))?;
    if entries.next().is_none() {
        return Ok(true);
    }
    if !force {
        return Err(exists(target));
    }
    if !manifest::is_manifest(&target.join(MANIFEST)) {
        return Err(Error::range(format!(
            "{} is not an output of tamis (it holds no {MANIFEST} of tamis), so it is not replaced even with --force: delete it yourself, or choose another name",
            target.display()
        )));
    }
    Ok(true)
}
