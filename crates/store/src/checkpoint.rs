//! Checkpoints: the tensors of a model in one safetensors file or in a folder of them, worked through piece by piece.
//!
//! A checkpoint is
//! - a `.safetensors` file, or
//! - a folder with an index `*.safetensors.index.json` (`weight_map` leads from each tensor's name to its file), or
//! - a folder with `model.safetensors`, `adapter_model.safetensors`, or one file of any name that ends in `.safetensors`.
//!
//! What else lies in the folder (configuration, tokenizer) goes along with what is written from it: see [`side`].
//!
//! Nothing here holds a whole tensor: operations walk over [windows](windows) of some 500,000 items of each tensor, read by
//! positioned reads, and write by positioned writes into files whose layout is known before the first byte. Memory is
//! bounded by the number of checkpoints that are read at once, not by their size.

pub mod compress;
pub mod config;
pub mod expand;
pub mod journal;
pub mod merge;
pub mod output;
pub mod packed;
pub mod side;
pub mod tasks;
pub mod updates;
pub mod windows;

use crate::error::Error;
use crate::safetensors::{Entry, Safetensors};
use config::Config;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use updates::shown;

const ENDING: &str = ".safetensors";
pub(crate) const INDEX_ENDING: &str = ".safetensors.index.json";
/// The names that are looked for first in a folder without an index.
const USUAL: [&str; 2] = ["model.safetensors", "adapter_model.safetensors"];
/// The longest index that is read.
const MAX_INDEX: u64 = 100_000_000;

/// Where a tensor lies.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    pub file: &'a Safetensors,
    pub entry: &'a Entry,
}

/// A model's files, their headers read and checked against each other.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    /// The folder that it is, if it is one.
    folder: Option<PathBuf>,
    files: Vec<Safetensors>,
    /// Of each file: its name in the folder.
    names: Vec<String>,
    /// The index's own name and its members but `weight_map`.
    index: Option<Index>,
    /// Of each tensor: the file and the entry in it.
    places: BTreeMap<String, (usize, usize)>,
    config: Option<Config>,
}

/// What the index of a sharded checkpoint says beside where tensors lie.
#[derive(Debug, Clone)]
pub struct Index {
    /// The file's name.
    pub name: String,
    /// Its `metadata`, if it is an object.
    pub metadata: serde_json::Map<String, serde_json::Value>,
}

impl Checkpoint {
    /// Opens a file or a folder and checks all headers. O(headers).
    ///
    /// # Errors
    /// `ERR_TAMIS_IO` and `ERR_TAMIS_FORMAT` with the file: a file that is none, an index that names what is not there, a tensor in
    /// two files or in another one than the index says.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let about = std::fs::metadata(path).map_err(|e| Error::io(path, "open", e))?;
        if about.is_dir() {
            return Self::open_folder(path);
        }
        let name = file_name(path);
        if name.ends_with(INDEX_ENDING) {
            let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            return Self::open_sharded(folder, &name);
        }
        if !name.ends_with(ENDING) {
            return Err(Error::range(format!(
                "{} is neither a folder nor a {ENDING} file nor an index ({INDEX_ENDING})",
                path.display()
            )));
        }
        let config = Config::beside(path)?;
        Self::gather(path, None, vec![name], vec![Safetensors::open(path)?], None, config)
    }

    fn open_folder(folder: &Path) -> Result<Self, Error> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(|e| Error::io(folder, "read", e))? {
            let entry = entry.map_err(|e| Error::io(folder, "read", e))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(ENDING) || name.ends_with(INDEX_ENDING) {
                names.push(name);
            }
        }
        names.sort();
        let choose = |what: &str, found: Vec<&String>| match found.as_slice() {
            [one] => Ok(Some((*one).clone())),
            [] => Ok(None),
            several => Err(Error::format(
                folder,
                None,
                format!(
                    "holds several {what}, {} and {}: name the one that is meant",
                    several[0], several[1]
                ),
            )),
        };
        let indexes: Vec<&String> = names.iter().filter(|name| name.ends_with(INDEX_ENDING)).collect();
        let usual = format!("model{INDEX_ENDING}");
        let index = match indexes.contains(&&usual) {
            true => Some(usual),
            false => choose("indexes", indexes)?,
        };
        if let Some(index) = index {
            return Self::open_sharded(folder, &index);
        }
        let usual = USUAL.into_iter().map(str::to_owned).find(|name| names.contains(name));
        let name = match usual {
            Some(name) => Some(name),
            None => choose("files without an index", names.iter().collect())?,
        };
        let Some(name) = name else {
            return Err(Error::format(folder, None, format!("holds no file that ends in {ENDING}")));
        };
        let file = Safetensors::open(&folder.join(&name))?;
        Self::gather(folder, Some(folder), vec![name], vec![file], None, Config::in_folder(folder)?)
    }

    fn open_sharded(folder: &Path, index: &str) -> Result<Self, Error> {
        let path = folder.join(index);
        let (about, map) = read_index(&path)?;
        let names: Vec<String> = map.values().cloned().collect::<BTreeSet<_>>().into_iter().collect();
        let mut files = Vec::new();
        for name in &names {
            let plain =
                matches!(Path::new(name).components().collect::<Vec<_>>()[..], [Component::Normal(_)]);
            if !plain || !name.ends_with(ENDING) || name.contains(['/', '\\']) {
                return Err(Error::format(
                    &path,
                    None,
                    format!("weight_map leads to {name:?}, which is no {ENDING} file of the same folder"),
                ));
            }
            files.push(Safetensors::open(&folder.join(name))?);
        }
        for (tensor, name) in &map {
            let at = names.binary_search(name).expect("every file was gathered");
            if files[at].header().find(tensor).is_none() {
                return Err(Error::format(
                    &path,
                    None,
                    format!(
                        "the tensor {tensor:?} is missing: weight_map says it is in {name}, which does not hold it"
                    ),
                ));
            }
        }
        for (file, name) in files.iter().zip(&names) {
            if let Some(entry) = file.header().entries.iter().find(|entry| map.get(&entry.name) != Some(name))
            {
                let tensor = &entry.name;
                return Err(Error::format(
                    &path,
                    None,
                    format!("the tensor {tensor:?} is in {name}, where weight_map does not say that it is"),
                ));
            }
        }
        let index = Index { name: index.to_owned(), metadata: about };
        Self::gather(folder, Some(folder), names, files, Some(index), Config::in_folder(folder)?)
    }

    fn gather(
        path: &Path,
        folder: Option<&Path>,
        names: Vec<String>,
        files: Vec<Safetensors>,
        index: Option<Index>,
        config: Option<Config>,
    ) -> Result<Self, Error> {
        let mut places = BTreeMap::new();
        for (f, file) in files.iter().enumerate() {
            for (e, entry) in file.header().entries.iter().enumerate() {
                places.insert(entry.name.clone(), (f, e));
            }
        }
        Ok(Checkpoint {
            path: path.into(),
            folder: folder.map(Into::into),
            files,
            names,
            index,
            places,
            config,
        })
    }

    /// As it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder that it is, if it is one.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// Its files.
    pub fn files(&self) -> &[Safetensors] {
        &self.files
    }

    /// The name of each of [`files`](Self::files).
    pub fn file_names(&self) -> &[String] {
        &self.names
    }

    /// The index, if it is sharded.
    pub fn index(&self) -> Option<&Index> {
        self.index.as_ref()
    }

    /// What its configuration says.
    pub fn config(&self) -> Option<&Config> {
        self.config.as_ref()
    }

    /// Names of all tensors, by their UTF-8 bytes.
    pub fn tensors(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    /// Where a tensor lies.
    pub fn find(&self, name: &str) -> Option<Place<'_>> {
        let &(file, entry) = self.places.get(name)?;
        let file = &self.files[file];
        Some(Place { file, entry: &file.header().entries[entry] })
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(Safetensors::bytes).sum()
    }

    /// An error if a file was written to since it was opened.
    pub fn check_unchanged(&self) -> Result<(), Error> {
        self.files.iter().try_for_each(Safetensors::check_unchanged)
    }
}

impl Place<'_> {
    /// An error that names the file and the tensor.
    pub(crate) fn error(&self, message: impl std::fmt::Display) -> Error {
        Error::format(self.file.path(), None, format!("the tensor {} {message}", shown(&self.entry.name)))
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

type WeightMap = BTreeMap<String, String>;

/// The index's `metadata` and `weight_map`.
fn read_index(path: &Path) -> Result<(serde_json::Map<String, serde_json::Value>, WeightMap), Error> {
    #[derive(serde::Deserialize)]
    struct File {
        #[serde(default)]
        metadata: serde_json::Value,
        weight_map: crate::safetensors::Strings,
    }
    let bytes = read_bounded(path, MAX_INDEX)?;
    let File { metadata, weight_map } = serde_json::from_slice(&bytes)
        .map_err(|error| Error::format(path, None, format!("not an index of safetensors files: {error}")))?;
    let metadata = match metadata {
        serde_json::Value::Object(map) => map,
        _ => serde_json::Map::new(),
    };
    Ok((metadata, weight_map.0.into_iter().collect()))
}

/// A file that must not be larger than `most`.
pub fn read_bounded(path: &Path, most: u64) -> Result<Vec<u8>, Error> {
    let about = std::fs::metadata(path).map_err(|e| Error::io(path, "open", e))?;
    if about.len() > most {
        return Err(Error::format(
            path,
            None,
            format!("is of {} bytes; at most {most} are read", about.len()),
        ));
    }
    std::fs::read(path).map_err(|e| Error::io(path, "read", e))
}

#[cfg(test)]
mod tests;
