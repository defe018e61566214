//! The JSON files beside a model's weights, read with errors that name the file and the member.

use serde_json::Value;
use std::path::{Path, PathBuf};
use tamis_store::checkpoint::read_bounded;
use tamis_store::error::Error;

const MAX_BYTES: u64 = 100_000_000;

/// A JSON object out of a file.
#[derive(Debug)]
pub struct Settings {
    path: PathBuf,
    value: Value,
}

impl Settings {
    /// # Errors
    /// `ERR_TAMIS_IO` where it cannot be read, `ERR_TAMIS_FORMAT` where it is no JSON.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let value = serde_json::from_slice(&read_bounded(path, MAX_BYTES)?)
            .map_err(|error| Error::format(path, None, format!("is no JSON: {error}")))?;
        Ok(Settings { path: path.into(), value })
    }

    /// A file that may be missing.
    pub fn read_if_there(path: &Path) -> Result<Option<Self>, Error> {
        if path.is_file() { Self::read(path).map(Some) } else { Ok(None) }
    }

    pub fn value(&self) -> &Value {
        &self.value
    }

    /// A member that is there and not null.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.value.get(name).filter(|value| !value.is_null())
    }

    pub fn bad(&self, message: impl std::fmt::Display) -> Error {
        Error::format(&self.path, None, message.to_string())
    }

    fn wrong(&self, name: &str, wanted: &str) -> Error {
        match self.value.get(name) {
            None => self.bad(format!("{name} is missing: {wanted} is wanted")),
            Some(value) => self.bad(format!("{name} must be {wanted}, got {value}")),
        }
    }

    /// A count from 1 on that is not beyond reason for a size.
    pub fn count(&self, name: &str) -> Result<usize, Error> {
        let count = self.get(name).and_then(Value::as_u64).filter(|n| (1..=1 << 24).contains(n));
        count.map(|n| n as usize).ok_or_else(|| self.wrong(name, "a whole number from 1 to 16777216"))
    }

    /// The same, or another value where it is missing.
    pub fn count_or(&self, name: &str, usual: usize) -> Result<usize, Error> {
        if self.get(name).is_none() { Ok(usual) } else { self.count(name) }
    }

    pub fn positive(&self, name: &str, usual: Option<f64>) -> Result<f64, Error> {
        match (self.get(name), usual) {
            (None, Some(usual)) => Ok(usual),
            (value, _) => value
                .and_then(Value::as_f64)
                .filter(|x| *x > 0.0 && x.is_finite())
                .ok_or_else(|| self.wrong(name, "a number above 0")),
        }
    }

    pub fn text(&self, name: &str) -> Result<&str, Error> {
        self.get(name).and_then(Value::as_str).ok_or_else(|| self.wrong(name, "a string"))
    }

    pub fn flag(&self, name: &str, usual: bool) -> Result<bool, Error> {
        match self.get(name) {
            None => Ok(usual),
            Some(value) => value.as_bool().ok_or_else(|| self.wrong(name, "true or false")),
        }
    }
}
