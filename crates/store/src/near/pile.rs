//! Numbers that are appended and later read in order or by place: in memory, or in a file that only grows. The file is
//! read by the process that wrote it, and holds items as memory does.

use crate::error::Error;
use crate::fs;
use bytemuck::Pod;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const KIND: &str = "spill";

/// A folder of its own; it goes, with all in it, when it is dropped.
#[derive(Debug)]
pub struct SpillFolder {
    path: PathBuf,
}

impl SpillFolder {
    pub fn within(parent: &Path) -> Result<SpillFolder, Error> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let name = format!("tamis-spill-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
            let path = parent.join(name);
            match fs::create_private_folder(KIND, &path) {
                // A process of the same number that was killed left it.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                result => {
                    result.map_err(|e| Error::io(parent, "create a folder in", e))?;
                    return Ok(SpillFolder { path });
                }
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SpillFolder {
    fn drop(&mut self) {
        let _ = fs::remove_folder(KIND, &self.path);
    }
}

/// Items in a file, and behind them items in memory.
pub struct Pile<T> {
    file: Option<(PathBuf, File)>,
    /// How many items are in the file, all of whole calls of `extend`.
    filed: u64,
    held: Vec<T>,
}

impl<T> Default for Pile<T> {
    fn default() -> Self {
        Pile { file: None, filed: 0, held: Vec::new() }
    }
}

impl<T: Pod> Pile<T> {
    pub fn extend(&mut self, items: impl Iterator<Item = T>) {
        self.held.extend(items);
    }

    /// Bytes of the items in memory.
    pub fn held_bytes(&self) -> u64 {
        size_of_val(&self.held[..]) as u64
    }

    /// Appends what is in memory to the file, whose path `name` makes if there is none yet.
    pub fn spill(&mut self, name: impl FnOnce() -> PathBuf) -> Result<(), Error> {
        if self.held.is_empty() {
            return Ok(());
        }
        let (path, file) = match &mut self.file {
            Some(file) => file,
            none => {
                let path = name();
                let file = fs::create_new(KIND, &path).map_err(|e| Error::io(&path, "create", e))?;
                none.insert((path, file))
            }
        };
        fs::write_all(KIND, file, bytemuck::cast_slice(&self.held))
            .map_err(|e| Error::io(path, "write to", e))?;
        self.filed += self.held.len() as u64;
        self.held.clear();
        Ok(())
    }

    /// Gives all items in order, at most `most` at a time.
    pub fn for_each_chunk(
        &self,
        most: usize,
        mut visit: impl FnMut(&[T]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut chunk = Vec::new();
        for first in (0..self.filed).step_by(most) {
            self.read(first, (self.filed - first).min(most as u64) as usize, &mut chunk)?;
            visit(&chunk)?;
        }
        self.held.chunks(most).try_for_each(visit)
    }

    /// Writes the items `first..first + len` to `out`; they were added by one call of `extend`, or are all in the file.
    pub fn read(&self, first: u64, len: usize, out: &mut Vec<T>) -> Result<(), Error> {
        out.resize(len, T::zeroed());
        match &self.file {
            Some((path, file)) if first < self.filed => {
                let bytes = bytemuck::cast_slice_mut(out);
                fs::read_exact_at(file, bytes, first * size_of::<T>() as u64)
                    .map_err(|e| Error::io(path, "read", e))?;
            }
            _ => out.copy_from_slice(&self.held[(first - self.filed) as usize..][..len]),
        }
        Ok(())
    }
}
