//! What lies beside a model's weights and goes along with them: configuration, tokenizer, code, licences.
//!
//! Left out are other weights (they would not be those of the new model), indexes of weights, manifests of tamis, and names that begin with
//! a dot.

use super::{Checkpoint, ENDING, INDEX_ENDING};
use crate::atomic::{AtomicFolder, MANIFEST};
use crate::error::Error;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use tamis_kernels::job::Job;

/// Endings of files that hold weights in other forms.
const WEIGHTS: [&str; 13] = [
    ".bin",
    ".pt",
    ".pth",
    ".ckpt",
    ".h5",
    ".msgpack",
    ".gguf",
    ".ggml",
    ".onnx",
    ".onnx_data",
    ".tflite",
    ".npz",
    ".ot",
];
const INDEXES: [&str; 2] = [".bin.index.json", ".h5.index.json"];
const CHUNK: usize = 1 << 20;

/// What goes along, and what does not although it lies there.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SideFiles {
    /// Paths below the folder, in order.
    pub kept: Vec<PathBuf>,
    /// Other weights, which do not go along.
    pub left: Vec<PathBuf>,
    /// Bytes of the kept.
    pub bytes: u64,
}

/// Finds the side files of a checkpoint that is a folder.
pub fn side_files(checkpoint: &Checkpoint) -> Result<SideFiles, Error> {
    let mut found = SideFiles::default();
    if let Some(folder) = checkpoint.folder() {
        walk(folder, Path::new(""), checkpoint.file_names(), &mut found)?;
    }
    Ok(found)
}

fn walk(folder: &Path, below: &Path, own: &[String], found: &mut SideFiles) -> Result<(), Error> {
    let here = folder.join(below);
    let io = |e| Error::io(&here, "read", e);
    let mut entries = std::fs::read_dir(&here).map_err(io)?.collect::<Result<Vec<_>, _>>().map_err(io)?;
    entries.sort_by_key(|entry| entry.file_name());
    for entry in entries {
        let file_name = entry.file_name();
        let name = file_name.to_string_lossy();
        let path = below.join(&file_name);
        let is_top = below.as_os_str().is_empty();
        if name.starts_with('.') || (is_top && (name == MANIFEST || own.iter().any(|one| *one == name))) {
            continue;
        }
        let about = std::fs::metadata(entry.path()).map_err(|e| Error::io(entry.path(), "open", e))?;
        if about.is_dir() {
            // A link to a folder could lead back here.
            if !entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
                walk(folder, &path, own, found)?;
            }
            continue;
        }
        let lower = name.to_lowercase();
        if lower.ends_with(INDEX_ENDING) || INDEXES.iter().any(|ending| lower.ends_with(ending)) {
            continue;
        }
        if lower.ends_with(ENDING) || WEIGHTS.iter().any(|ending| lower.ends_with(ending)) {
            found.left.push(path);
        } else if about.is_file() {
            found.bytes += about.len();
            found.kept.push(path);
        }
    }
    Ok(())
}

/// Copies the side files of a folder into an output folder; a `config.json` at its top through `config`.
pub fn copy_side_files(
    folder: &Path,
    files: &SideFiles,
    output: &mut AtomicFolder,
    config: &dyn Fn(&str) -> String,
    job: &Job,
) -> Result<(), Error> {
    let mut buffer = vec![0; CHUNK];
    for name in &files.kept {
        let path = folder.join(name);
        let mut file = output.file(name)?;
        let shown = file.path().to_owned();
        let writing = |e| Error::io(&shown, "write", e);
        if name == Path::new("config.json") {
            let text = std::fs::read_to_string(&path).map_err(|e| Error::io(&path, "read", e))?;
            file.write_all(config(&text).as_bytes()).map_err(writing)?;
        } else {
            let mut from = File::open(&path).map_err(|e| Error::io(&path, "open", e))?;
            loop {
                job.check()?;
                match from.read(&mut buffer).map_err(|e| Error::io(&path, "read", e))? {
                    0 => break,
                    n => file.write_all(&buffer[..n]).map_err(writing)?,
                }
            }
        }
        file.finish()?;
    }
    Ok(())
}
