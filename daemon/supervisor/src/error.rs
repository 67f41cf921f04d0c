//! What can go wrong, and the only place that makes a gRPC status of it.

use std::io;

use nix::errno::Errno;
use tonic::{Code, Status};

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request is not valid.
    #[error("{0}")]
    Invalid(String),
    /// A file or one of its parents is not what may be written to.
    #[error("UPLOAD_REJECTED: {path}")]
    UploadRejected {
        /// The path beneath the slot.
        path: String,
    },
    /// The path is there and is no regular file, or is reached through a link.
    #[error("NOT_A_FILE: {path}")]
    NotAFile {
        /// The path beneath the slot.
        path: String,
    },
    /// The file is larger than the caller takes.
    #[error("FILE_TOO_LARGE: {path}")]
    FileTooLarge {
        /// The path beneath the slot.
        path: String,
    },
    /// A directory of the image is not there.
    #[error("no such directory: {0}")]
    NotFound(String),
    /// The workspace is full.
    #[error("SANDBOX_DISK")]
    DiskFull,
    /// The sandbox may have no more processes.
    #[error("SANDBOX_PIDS")]
    TooManyProcesses,
    /// As many steps run as may.
    #[error("TOO_MANY_STEPS")]
    TooManySteps,
    /// Nothing listens there.
    #[error("PORT_UNREACHABLE: {0}")]
    PortUnreachable(u16),
    /// The caller took too long or went away in the middle of an upload.
    #[error("the upload ended early: {0}")]
    UploadAborted(String),
    /// The supervisor is stopping.
    #[error("the supervisor is stopping")]
    Stopping,
    /// Anything else that the system said.
    #[error("{what}: {source}")]
    System {
        /// What was attempted.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    /// For `map_err`: what the system said about an attempt, with a full disk told apart.
    pub fn system<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |error| {
            let source: io::Error = error.into();
            match source.raw_os_error().map(Errno::from_raw) {
                Some(Errno::ENOSPC | Errno::EDQUOT) => Self::DiskFull,
                Some(_) | None => Self::System { what, source },
            }
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::Invalid(_) => Code::InvalidArgument,
            Error::UploadRejected { .. } | Error::NotAFile { .. } | Error::FileTooLarge { .. } => {
                Code::FailedPrecondition
            }
            Error::NotFound(_) => Code::NotFound,
            Error::DiskFull | Error::TooManyProcesses | Error::TooManySteps => {
                Code::ResourceExhausted
            }
            Error::PortUnreachable(_) | Error::Stopping => Code::Unavailable,
            Error::UploadAborted(_) => Code::Aborted,
            Error::System { .. } => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}
