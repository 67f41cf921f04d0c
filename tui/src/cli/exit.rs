//! How a command ends: exit codes, and errors as people and scripts see them.
//! Every error of the client becomes one line, a reason and, where something
//! can be done about it, a hint. Nothing is printed here.

use std::process::ExitCode;

use crate::client::Error;
use crate::client::error::UnreachableKind;
use crate::config::ConfigError;

use super::hints;

/// The exit codes of the client. Code 3, another instance, is the daemon's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nobody listens any more.
    Done,
    /// The daemon refused, or a generation did not end READY.
    Failed,
    /// Usage or configuration.
    Usage,
    /// Not signed in, or a credential that is refused.
    NotSignedIn,
    /// The daemon cannot be reached.
    Unreachable,
}

impl Exit {
    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotSignedIn => 4,
            Self::Unreachable => 5,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// An error, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How the program ends.
    pub exit: Exit,
    /// One word for scripts: a reason of the schema, a gRPC code, or `USAGE`,
    /// `CONFIG`, `UNREACHABLE`.
    pub reason: String,
    /// One sentence for people. May hold text that others wrote.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Failure {
    /// A mistake in what was typed.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Usage,
            reason: "USAGE".to_owned(),
            message: message.into(),
            hint: None,
        }
    }

    /// Something that did not work.
    #[must_use]
    pub fn failed(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Failed,
            reason: reason.into(),
            message: message.into(),
            hint: None,
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Why a command stops early.
#[derive(Debug)]
pub enum Stop {
    /// With an error that is still to be shown.
    Failure(Box<Failure>),
    /// With everything said.
    Quiet(Exit),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(Box::new(failure))
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Failure::from(error).into()
    }
}

impl From<ConfigError> for Stop {
    fn from(error: ConfigError) -> Self {
        Failure {
            exit: Exit::Usage,
            reason: "CONFIG".to_owned(),
            message: error.to_string(),
            hint: match &error {
                ConfigError::Credentials(error) => hints::for_credentials(error),
                ConfigError::Read { .. }
                | ConfigError::Syntax { .. }
                | ConfigError::Address { .. }
                | ConfigError::Keys(_)
                | ConfigError::Theme(_)
                | ConfigError::NoHome => None,
            },
        }
        .into()
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let (exit, reason, hint) = match error {
            Error::Unreachable { address, kind, .. } => (
                match kind {
                    UnreachableKind::NoDaemon
                    | UnreachableKind::NoPermission
                    | UnreachableKind::Tls
                    | UnreachableKind::Broken => Exit::Unreachable,
                },
                "UNREACHABLE".to_owned(),
                Some(hints::for_unreachable(&address, kind)),
            ),
            Error::NotSignedIn { reason, .. } => (
                Exit::NotSignedIn,
                reason,
                Some("run `kiln auth sign-in`, or give an API token in KILN_TOKEN".to_owned()),
            ),
            Error::Refused(refusal) => {
                let exit = match refusal.reason.as_deref() {
                    Some(
                        "BAD_CREDENTIALS"
                        | "NOT_LOCAL_OWNER"
                        | "FRESH_SIGN_IN_REQUIRED"
                        | "SESSION_REQUIRED",
                    ) => Exit::NotSignedIn,
                    _ => Exit::Failed,
                };
                let hint = hints::for_refusal(&refusal);
                let reason = refusal.reason.unwrap_or_else(|| refusal.code.to_owned());
                (exit, reason, hint)
            }
            Error::Credentials(error) => (
                Exit::Usage,
                "CONFIG".to_owned(),
                hints::for_credentials(&error),
            ),
            Error::Setup(_) => (Exit::Usage, "CONFIG".to_owned(), None),
            Error::Protocol(_) => (
                Exit::Failed,
                "PROTOCOL".to_owned(),
                Some("are kiln and kilnd of the same version? see `kiln status`".to_owned()),
            ),
            Error::Interrupted(_) => (Exit::Unreachable, "UNREACHABLE".to_owned(), None),
        };
        Self {
            exit,
            reason,
            message,
            hint,
        }
    }
}
