//! What can go wrong with files, each with the whole sentence that a user sees: which file, which record, what to do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use tamis_kernels::job::Aborted;

/// An error of the store.
#[derive(Debug)]
pub enum Error {
    /// The operating system refused: `op` completes the sentence "cannot ...".
    Io { path: PathBuf, op: &'static str, source: io::Error },
    /// A file does not hold what its name or its reader promises.
    Format { path: PathBuf, record: Option<u64>, message: String },
    /// An argument, or a combination of them, is out of range.
    Range { message: String },
    /// The job was stopped.
    Aborted,
}

impl Error {
    pub fn io(path: impl AsRef<Path>, op: &'static str, source: io::Error) -> Self {
        Error::Io { path: path.as_ref().into(), op, source }
    }

    pub fn format(path: impl AsRef<Path>, record: Option<u64>, message: impl Into<String>) -> Self {
        Error::Format { path: path.as_ref().into(), record, message: message.into() }
    }

    pub fn range(message: impl Into<String>) -> Self {
        Error::Range { message: message.into() }
    }

    /// The stable code that the public API shows.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Io { .. } => "ERR_TAMIS_IO",
            Error::Format { .. } => "ERR_TAMIS_FORMAT",
            Error::Range { .. } => "ERR_TAMIS_RANGE",
            Error::Aborted => "ERR_TAMIS_ABORTED",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io { path, op, source } => {
                write!(f, "{}: cannot {op}: {source}", path.display())?;
                match remedy(source.kind()) {
                    Some(remedy) => write!(f, " ({remedy})"),
                    None => Ok(()),
                }
            }
            Error::Format { path, record: Some(record), message } => {
                write!(f, "{}:{record}: {message}", path.display())
            }
            Error::Format { path, record: None, message } => write!(f, "{}: {message}", path.display()),
            Error::Range { message } => f.write_str(message),
            Error::Aborted => f.write_str("the operation was aborted"),
        }
    }
}

fn remedy(kind: io::ErrorKind) -> Option<&'static str> {
    use io::ErrorKind::*;
    Some(match kind {
        NotFound => "check the path",
        PermissionDenied => "check who may read or write it",
        StorageFull | QuotaExceeded => "free some space, or choose another disk",
        ReadOnlyFilesystem => "choose a folder on a disk that can be written",
        _ => return None,
    })
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl From<Aborted> for Error {
    fn from(_: Aborted) -> Self {
        Error::Aborted
    }
}
