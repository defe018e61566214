//! Which files a corpus consists of: paths, globs, folders and standard input, in a fixed order.

use crate::error::Error;
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH;

/// How a file is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    Jsonl,
    Parquet,
    Text,
}

/// How a file is compressed as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

/// Layout and compression, as a file's ending tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Format {
    pub layout: Layout,
    pub compression: Compression,
}

/// The endings that are known.
const ENDINGS: [(&str, Layout, Compression); 9] = [
    (".jsonl", Layout::Jsonl, Compression::None),
    (".ndjson", Layout::Jsonl, Compression::None),
    (".jsonl.gz", Layout::Jsonl, Compression::Gzip),
    (".jsonl.zst", Layout::Jsonl, Compression::Zstd),
    (".ndjson.gz", Layout::Jsonl, Compression::Gzip),
    (".ndjson.zst", Layout::Jsonl, Compression::Zstd),
    (".parquet", Layout::Parquet, Compression::None),
    (".txt", Layout::Text, Compression::None),
    (".txt.gz", Layout::Text, Compression::Gzip),
];
const TEXT_ZST: (&str, Layout, Compression) = (".txt.zst", Layout::Text, Compression::Zstd);

impl Format {
    /// The format that a path's ending names.
    pub fn of(path: &Path) -> Option<Format> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let known = ENDINGS.iter().chain([&TEXT_ZST]).find(|(ending, ..)| name.ends_with(ending))?;
        Some(Format { layout: known.1, compression: known.2 })
    }

    /// Its usual ending, with the dot.
    pub fn ending(self) -> &'static str {
        let same =
            |known: &&(&str, Layout, Compression)| known.1 == self.layout && known.2 == self.compression;
        ENDINGS.iter().chain([&TEXT_ZST]).find(same).map_or("", |known| known.0)
    }

    /// Whether records lie at fixed places of the file itself, so that they can be read one by one.
    pub fn is_seekable(self) -> bool {
        self.compression == Compression::None && self.layout != Layout::Parquet
    }
}

/// One input file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    pub path: PathBuf,
    /// Where it lies below the common folder of all inputs: its name in an output folder, unique among them.
    pub name: String,
    pub format: Format,
    pub bytes: u64,
    /// When it was last changed: nanoseconds since 1970.
    pub modified_ns: u128,
    /// Whether it is a copy of standard input.
    pub spooled: bool,
    /// Which of the patterns named it, from 0.
    pub pattern: usize,
}

impl Input {
    /// One file, named by itself.
    pub fn open(path: &Path) -> Result<Input, Error> {
        let format = Format::of(path).ok_or_else(|| unknown_ending(path))?;
        let meta = std::fs::metadata(path).map_err(|e| Error::io(path, "read", e))?;
        File::open(path).map_err(|e| Error::io(path, "read", e))?;
        Ok(Input {
            path: path.into(),
            name: path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned()),
            format,
            bytes: meta.len(),
            modified_ns: modified_ns(&meta),
            spooled: false,
            pattern: 0,
        })
    }

    /// What messages call it.
    pub(crate) fn shown(&self) -> &Path {
        if self.spooled { Path::new("standard input") } else { &self.path }
    }

    /// An error if the file on disk is no longer the one that was found.
    pub fn check_unchanged(&self) -> Result<(), Error> {
        let meta = std::fs::metadata(&self.path).map_err(|e| Error::io(self.shown(), "read", e))?;
        if meta.len() == self.bytes && modified_ns(&meta) == self.modified_ns {
            return Ok(());
        }
        Err(changed(self.shown()))
    }
}

pub(crate) fn changed(path: &Path) -> Error {
    Error::format(
        path,
        None,
        "the file changed while it was being read: start again when nothing writes to it",
    )
}

pub(crate) fn modified_ns(meta: &std::fs::Metadata) -> u128 {
    meta.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok()).map_or(0, |d| d.as_nanos())
}

fn unknown_ending(path: &Path) -> Error {
    Error::format(
        path,
        None,
        "unknown ending: name it .jsonl, .jsonl.gz, .jsonl.zst, .parquet, .txt, .txt.gz or .txt.zst",
    )
}

/// The files that `patterns` name, in the order of the patterns: a path as it stands, a folder's known files by
/// path, a glob's matches by path, and `-` for standard input, which `spool` copies to a file first.
pub fn find_inputs(
    patterns: &[String],
    mut spool: impl FnMut() -> Result<PathBuf, Error>,
) -> Result<Vec<Input>, Error> {
    let mut paths = Vec::new();
    let mut patterns_of = Vec::new();
    let mut spooled = None;
    for (number, pattern) in patterns.iter().enumerate() {
        let path = Path::new(pattern);
        if pattern == "-" {
            spooled = Some(paths.len());
            paths.push(spool()?);
        } else if path.is_dir() {
            let before = paths.len();
            walk(path, &mut Vec::new(), &mut paths)?;
            if paths.len() == before {
                return Err(Error::format(path, None, "the folder holds no .jsonl, .parquet or .txt files"));
            }
        } else if path.exists() || !is_glob(pattern) {
            paths.push(path.to_owned());
        } else {
            let before = paths.len();
            expand(pattern, &mut paths)?;
            if paths.len() == before {
                return Err(Error::format(path, None, "no file matches the pattern"));
            }
        }
        patterns_of.resize(paths.len(), number);
    }
    let mut inputs = paths.iter().map(|path| Input::open(path)).collect::<Result<Vec<_>, _>>()?;
    if let Some(at) = spooled {
        inputs[at].spooled = true;
    }
    inputs.iter_mut().zip(patterns_of).for_each(|(input, number)| input.pattern = number);
    name_inputs(&mut inputs);
    Ok(inputs)
}

fn is_glob(pattern: &str) -> bool {
    pattern.contains(['*', '?', '[', '{'])
}

/// Files of a folder and below, by path; hidden ones, those that start with `_` and tamis' own manifests are no data. `above` are
/// the folders that lead to it, into which a link may lead back.
fn walk(folder: &Path, above: &mut Vec<PathBuf>, out: &mut Vec<PathBuf>) -> Result<(), Error> {
    let real = folder.canonicalize().map_err(|e| Error::io(folder, "read", e))?;
    if above.contains(&real) {
        return Ok(());
    }
    above.push(real);
    let entries = std::fs::read_dir(folder).map_err(|e| Error::io(folder, "read", e))?;
    let mut entries = entries
        .map(|e| Ok(e?.path()))
        .collect::<io::Result<Vec<_>>>()
        .map_err(|e| Error::io(folder, "read", e))?;
    entries.sort();
    for path in entries {
        let hidden = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(['.', '_']));
        if hidden {
            continue;
        }
        if path.is_dir() {
            walk(&path, above, out)?;
        } else if Format::of(&path).is_some() {
            out.push(path);
        }
    }
    above.pop();
    Ok(())
}

fn expand(pattern: &str, out: &mut Vec<PathBuf>) -> Result<(), Error> {
    let glob = globset::GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map_err(|e| Error::format(pattern, None, format!("not a pattern: {e}")))?
        .compile_matcher();
    // The walk starts at the last folder that the pattern names outright.
    let root: PathBuf =
        Path::new(pattern).components().take_while(|c| !is_glob(&c.as_os_str().to_string_lossy())).collect();
    let root = if root.as_os_str().is_empty() { PathBuf::from(".") } else { root };
    if !root.is_dir() {
        return Ok(());
    }
    let mut all = Vec::new();
    walk(&root, &mut Vec::new(), &mut all)?;
    let plain = |path: &Path| path.strip_prefix("./").unwrap_or(path).to_owned();
    out.extend(all.into_iter().map(|p| plain(&p)).filter(|p| glob.is_match(p)));
    Ok(())
}

/// Names below the common folder; where two are the same, later ones get a number.
fn name_inputs(inputs: &mut [Input]) {
    // The copy of standard input lies nowhere that means anything.
    let folders: Vec<Vec<Component>> = inputs
        .iter()
        .filter(|i| !i.spooled)
        .map(|i| i.path.parent().map_or_else(Vec::new, |p| p.components().collect()))
        .collect();
    let common = folders.iter().skip(1).fold(folders.first().map_or(0, Vec::len), |n, folder| {
        folders[0].iter().take(n).zip(folder).take_while(|(a, b)| a == b).count()
    });
    let names: Vec<String> = inputs
        .iter()
        .map(|input| {
            if input.spooled {
                return input.name.clone();
            }
            let below = input.path.components().skip(common).filter(|c| matches!(c, Component::Normal(_)));
            below.map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
        })
        .collect();
    let mut taken = HashSet::new();
    for (input, name) in inputs.iter_mut().zip(names) {
        let mut unique = name.clone();
        let mut number = 2;
        while !taken.insert(unique.to_lowercase()) {
            let end = name.find('.').unwrap_or(name.len());
            unique = format!("{}-{number}{}", &name[..end], &name[end..]);
            number += 1;
        }
        input.name = unique;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(patterns: &[&str], root: &Path) -> Result<Vec<String>, String> {
        let patterns: Vec<String> =
            patterns.iter().map(|p| root.join(p).to_string_lossy().into_owned()).collect();
        find_inputs(&patterns, || unreachable!("no pattern is -"))
            .map(|i| i.into_iter().map(|i| i.name).collect())
            .map_err(|e| e.to_string())
    }

    #[test]
    fn folders_globs_and_files_in_order() {
        let root = tempfile::tempdir().unwrap();
        for name in
            ["b/x.jsonl", "a/x.jsonl", "a/y.jsonl.gz", "a/_skip.jsonl", "a/.hidden.jsonl", "a/manifest.json"]
        {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let all = names(&[""], root.path()).unwrap();
        assert_eq!(all, ["a/x.jsonl", "a/y.jsonl.gz", "b/x.jsonl"]);
        assert_eq!(names(&["b", "a/*.gz"], root.path()).unwrap(), ["b/x.jsonl", "a/y.jsonl.gz"]);
        assert_eq!(names(&["*/x.jsonl"], root.path()).unwrap(), ["a/x.jsonl", "b/x.jsonl"]);
        assert_eq!(names(&["a/x.jsonl", "a/x.jsonl"], root.path()).unwrap(), ["x.jsonl", "x-2.jsonl"]);
        assert!(names(&["a/manifest.json"], root.path()).unwrap_err().contains("unknown ending"));
        assert!(names(&["nothing-*.jsonl"], root.path()).unwrap_err().contains("no file matches"));
        assert!(names(&["missing.jsonl"], root.path()).unwrap_err().contains("check the path"));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_but_not_in_circles() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("a")).unwrap();
        std::fs::write(root.path().join("a/x.jsonl"), "").unwrap();
        std::os::unix::fs::symlink(root.path(), root.path().join("a/up")).unwrap();
        std::os::unix::fs::symlink(root.path().join("a"), root.path().join("b")).unwrap();
        assert_eq!(names(&[""], root.path()).unwrap(), ["a/x.jsonl", "b/x.jsonl"]);
    }

    #[test]
    fn standard_input_has_a_name_of_its_own() {
        let root = tempfile::tempdir().unwrap();
        let spool = root.path().join("spool/stdin.jsonl");
        let below = root.path().join("data");
        for path in [&spool, &below.join("x.jsonl"), &below.join("y/stdin.jsonl")] {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let patterns = [below.to_string_lossy().into_owned(), "-".to_owned()];
        let inputs = find_inputs(&patterns, || Ok(spool.clone())).unwrap();
        let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
        assert_eq!(names, ["x.jsonl", "y/stdin.jsonl", "stdin.jsonl"]);
        assert!(changed(inputs[2].shown()).to_string().starts_with("standard input: "));
    }
}
