//! How an error crosses into JavaScript: `ERR_TAMIS_X: message`, which `ts/errors.ts` turns into a `TamisError`.

use napi::{Error, Status};
use tamis_kernels::job::Aborted;

/// A stable code and the whole message that a user sees.
pub struct Failure {
    code: &'static str,
    message: String,
}

impl Failure {
    pub fn range(message: impl Into<String>) -> Self {
        Failure { code: "ERR_TAMIS_RANGE", message: message.into() }
    }

    /// An argument of another kind.
    pub fn kind(message: impl Into<String>) -> Self {
        Failure { code: "ERR_TAMIS_TYPE", message: message.into() }
    }

    pub fn shape(message: impl Into<String>) -> Self {
        Failure { code: "ERR_TAMIS_SHAPE", message: message.into() }
    }

    /// Bytes that are not what they should be.
    pub fn format(message: impl Into<String>) -> Self {
        Failure { code: "ERR_TAMIS_FORMAT", message: message.into() }
    }

    /// A defect of tamis itself: the message of a panic that was caught at the border.
    pub fn internal(panic: Box<dyn std::any::Any + Send>) -> Self {
        let message = match panic.downcast::<String>() {
            Ok(text) => *text,
            Err(panic) => panic.downcast::<&str>().map_or("unknown panic".into(), |text| text.to_string()),
        };
        Failure {
            code: "ERR_TAMIS_INTERNAL",
            message: format!("internal error, please report it: {message}"),
        }
    }
}

impl From<Aborted> for Failure {
    fn from(_: Aborted) -> Self {
        Failure { code: "ERR_TAMIS_ABORTED", message: "the operation was aborted".into() }
    }
}

impl From<tamis_store::error::Error> for Failure {
    fn from(error: tamis_store::error::Error) -> Self {
        Failure { code: error.code(), message: error.to_string() }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Error::new(Status::GenericFailure, format!("{}: {}", failure.code, failure.message))
    }
}
