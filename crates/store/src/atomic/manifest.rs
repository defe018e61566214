//! Manifests: the mark of a complete output.
//!
//! A manifest is a JSON object with a member `tamis` (the version that wrote it). It is written after everything else: in an
//! output folder as `manifest.json`, beside an output file NAME as `NAME.manifest.json`. An output without one is not complete.

use super::AtomicFile;
use crate::error::Error;
use crate::fs;
use std::path::{Path, PathBuf};

/// The manifest's name in an output folder.
pub const MANIFEST: &str = "manifest.json";

/// Where the manifest of an output file lies.
pub fn manifest_beside(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(MANIFEST);
    file.with_file_name(name)
}

/// Whether an output, a file or a folder, stands there with its manifest: that is, complete.
pub fn is_complete(output: &Path) -> bool {
    if output.is_dir() {
        is_manifest(&output.join(MANIFEST))
    } else {
        output.is_file() && is_manifest(&manifest_beside(output))
    }
}

/// Whether a file is a manifest of tamis, not another program's `manifest.json`.
pub(super) fn is_manifest(path: &Path) -> bool {
    std::fs::read_to_string(path).is_ok_and(|text| check(&text).is_ok())
}

/// An error if the text is no manifest.
pub(super) fn check(json: &str) -> Result<(), Error> {
    #[derive(serde::Deserialize)]
    struct Manifest {
        #[serde(rename = "tamis")]
        _tamis: serde::de::IgnoredAny,
    }
    match serde_json::from_str::<Manifest>(json) {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(Error::range(format!("manifest must be a JSON object with a member \"tamis\": {error}")))
        }
    }
}

/// Refuses a file where a manifest is to go if another program wrote it.
pub(super) fn check_place(path: &Path) -> Result<(), Error> {
    if std::fs::symlink_metadata(path).is_ok() && !is_manifest(path) {
        return Err(Error::range(format!(
            "{} stands where the output's manifest goes and is not a manifest of tamis: move it away, or choose another name for the output",
            path.display()
        )));
    }
    Ok(())
}

/// Removes the manifest of an earlier output, so that what is put in place next does not look complete.
pub(super) fn remove(path: &Path) -> Result<(), Error> {
    if std::fs::symlink_metadata(path).is_err() {
        return Ok(());
    }
    fs::remove("manifest", path).map_err(|e| Error::io(path, "remove", e))?;
    let parent = path.parent().unwrap_or(path);
    fs::sync_folder("manifest", parent).map_err(|e| Error::io(parent, "sync", e))
}

/// Writes the manifest of an output file, which is in place.
pub(super) fn write(path: &Path, json: &str) -> Result<(), Error> {
    use std::io::Write;
    let mut file = AtomicFile::create("manifest", path, true)?;
    file.write_all(json.as_bytes()).map_err(|e| Error::io(path, "write", e))?;
    file.commit()
}
