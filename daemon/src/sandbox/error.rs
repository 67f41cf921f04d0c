//! What can go wrong at the Docker edge, named for what the caller can do.

use std::error::Error as StdError;
use std::io;

use bollard::errors::Error as EngineError;

use crate::domain;
use crate::domain::sandbox::SandboxState;

/// What can go wrong at the Docker edge.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The engine does not answer, or not in time: try again later.
    #[error("the docker engine does not answer: {0}")]
    Unavailable(String),
    /// The supervisor did not answer in time; what it was to do.
    #[error("the sandbox took too long: {0}")]
    Timeout(&'static str),
    /// The base image is not there; the text says what to do.
    #[error("{0}")]
    ImageMissing(String),
    /// The image of the template could not be prepared.
    #[error("the sandbox image could not be prepared: {0}")]
    Prepare(String),
    /// The engine refused a call.
    #[error("the docker engine refused: {0}")]
    Refused(String),
    /// A container, image or file is not there.
    #[error("not found: {0}")]
    NotFound(String),
    /// The name is taken, or the container is in a state that does not allow it.
    #[error("conflict: {0}")]
    Conflict(String),
    /// The connection to the supervisor, or its container, has ended.
    #[error("the sandbox is gone: {0}")]
    Gone(String),
    /// Nothing listens on the port, yet.
    #[error("nothing listens on port {0} of the sandbox")]
    NotListening(u16),
    /// Something that is no plain file stands where one was to be.
    #[error("something that is not a plain file stands at {path}")]
    Rejected {
        /// Path beneath the slot.
        path: String,
    },
    /// The file is larger than asked for.
    #[error("{path} is larger than {limit} bytes")]
    TooLarge {
        /// Path beneath the slot.
        path: String,
        /// What was asked for at most, in bytes.
        limit: usize,
    },
    /// The workspace is full.
    #[error("the workspace of the sandbox is full")]
    DiskFull,
    /// The sandbox has as many processes or steps as it may.
    #[error("the sandbox is busy: {0}")]
    Busy(String),
    /// The supervisor said something that it must not say, or the request
    /// cannot be put into words.
    #[error("the supervisor of the sandbox: {0}")]
    Protocol(String),
    /// The address of the engine cannot be used.
    #[error("the address of the docker engine: {0}")]
    Address(String),
}

impl From<SandboxError> for domain::Error {
    fn from(error: SandboxError) -> Self {
        match error {
            SandboxError::Unavailable(message) | SandboxError::Address(message) => {
                Self::DockerUnavailable(message)
            }
            SandboxError::Timeout(what) => {
                Self::DockerUnavailable(format!("the sandbox took too long: {what}"))
            }
            SandboxError::ImageMissing(message) | SandboxError::Prepare(message) => {
                Self::ImageMissing(message)
            }
            SandboxError::Rejected { path } => Self::UploadRejected { path },
            SandboxError::TooLarge { path, limit } => Self::FileTooLarge { path, limit },
            SandboxError::DiskFull => Self::SandboxDisk,
            SandboxError::Busy(_) => Self::Overloaded,
            SandboxError::Conflict(_) => Self::Conflict,
            SandboxError::NotFound(_) => Self::SandboxState(SandboxState::Stopped),
            SandboxError::Gone(_) => Self::SandboxState(SandboxState::Failed),
            SandboxError::Refused(_)
            | SandboxError::NotListening(_)
            | SandboxError::Protocol(_) => Self::internal(error),
        }
    }
}

/// Longest piece of somebody else's message that is kept, in bytes.
const MESSAGE_BYTES: usize = 500;

/// Cuts and cleans text that came from the engine or out of a sandbox.
pub(super) fn bounded(text: &str) -> String {
    let mut cleaned = String::new();
    let printable = |character: char| !character.is_control() && !character.is_whitespace();
    for character in text.trim_matches(|character| !printable(character)).chars() {
        if cleaned.len() + character.len_utf8() > MESSAGE_BYTES {
            cleaned.push('…');
            break;
        }
        cleaned.push(if character.is_control() {
            ' '
        } else {
            character
        });
    }
    cleaned
}

/// Translates an error of the engine; `what` says what was attempted.
pub(super) fn engine_error(what: &str, error: &EngineError) -> SandboxError {
    if let EngineError::DockerResponseServerError {
        status_code,
        message,
    } = error
    {
        let message = format!("{what}: {}", bounded(message));
        return match status_code {
            404 => SandboxError::NotFound(message),
            409 => SandboxError::Conflict(message),
            _ => SandboxError::Refused(message),
        };
    }
    match error {
        EngineError::SocketNotFoundError(path) => SandboxError::Unavailable(format!(
            "there is no socket at {path}: is docker installed and running?"
        )),
        EngineError::DockerStreamError { error } => {
            SandboxError::Refused(format!("{what}: {}", bounded(error)))
        }
        EngineError::JsonDataError { .. }
        | EngineError::JsonSerdeError { .. }
        | EngineError::APIVersionParseError {} => {
            SandboxError::Refused(format!("{what}: {}", bounded(&error.to_string())))
        }
        other => SandboxError::Unavailable(unreachable_message(other)),
    }
}

/// Says in one sentence why the engine cannot be reached. "No engine" and "no
/// permission on its socket" need different things from the user.
fn unreachable_message(error: &EngineError) -> String {
    // This variant hides its cause from the chain.
    let mut cause: Option<&(dyn StdError + 'static)> = match error {
        EngineError::IOError { err } => Some(err),
        other => Some(other),
    };
    let mut innermost = String::new();
    while let Some(current) = cause {
        if let Some(io) = current.downcast_ref::<io::Error>() {
            match io.kind() {
                io::ErrorKind::PermissionDenied => {
                    return "no permission on its socket: add yourself to the group docker and sign in again".to_owned();
                }
                io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
                    return "nothing listens on its socket: is the engine running?".to_owned();
                }
                _ => {}
            }
        }
        innermost = current.to_string();
        cause = current.source();
    }
    bounded(&innermost)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status_code: u16) -> EngineError {
        EngineError::DockerResponseServerError {
            status_code,
            message: "no such\ncontainer".to_owned(),
        }
    }

    #[test]
    fn answers_of_the_engine_become_errors_that_callers_can_tell_apart() {
        assert!(matches!(
            engine_error("inspect", &response(404)),
            SandboxError::NotFound(message) if message == "inspect: no such container"
        ));
        assert!(matches!(
            engine_error("create", &response(409)),
            SandboxError::Conflict(_)
        ));
        assert!(matches!(
            engine_error("create", &response(500)),
            SandboxError::Refused(_)
        ));
    }

    #[test]
    fn no_permission_is_not_taken_for_no_engine() {
        let error = EngineError::IOError {
            err: io::Error::from(io::ErrorKind::PermissionDenied),
        };
        assert!(matches!(
            engine_error("info", &error),
            SandboxError::Unavailable(message) if message.contains("no permission")
        ));
        let error = EngineError::SocketNotFoundError("/x.sock".to_owned());
        assert!(matches!(
            engine_error("info", &error),
            SandboxError::Unavailable(message) if message.contains("/x.sock")
        ));
    }

    #[test]
    fn foreign_text_is_cut_and_cleaned() {
        let text = bounded(&format!("\u{1b}[31m{}", "ü".repeat(2_000)));
        assert!(text.len() <= MESSAGE_BYTES + '…'.len_utf8());
        assert!(text.starts_with("[31mü"), "{text}");
        assert!(text.ends_with('…'));
    }
}
