//! Why a daemon did not start, as an exit code and a sentence. It decides
//! nothing else: who starts the daemon says it and ends.

use crate::postgres::{DataDirError, PostgresError};
use crate::store::StoreError;

/// Why the daemon did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration, or the machine, is not as it must be: exit code 2.
    #[error("{0}")]
    Configuration(String),
    /// Another daemon owns the data directory or the socket: exit code 3.
    #[error("{0}")]
    AnotherInstance(String),
    /// The database cannot be reached: exit code 5.
    #[error("{0}")]
    Unreachable(String),
    /// Anything else: exit code 1.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl ServeError {
    /// The exit code that tells a script what happened.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Other(_) => 1,
            Self::Configuration(_) => 2,
            Self::AnotherInstance(_) => 3,
            Self::Unreachable(_) => 5,
        }
    }
}

impl From<DataDirError> for ServeError {
    fn from(error: DataDirError) -> Self {
        match error {
            DataDirError::Held { .. } => Self::AnotherInstance(error.to_string()),
            other => Self::Configuration(other.to_string()),
        }
    }
}

pub(super) fn postgres_error(error: &PostgresError) -> ServeError {
    let text = crate::telemetry::chain(error);
    if error.is_configuration() {
        ServeError::Configuration(text)
    } else {
        ServeError::Other(anyhow::Error::msg(text))
    }
}

pub(crate) fn database_error(error: StoreError) -> ServeError {
    match &error {
        StoreError::Unavailable(_) | StoreError::Timeout(_) => ServeError::Unreachable(format!(
            "{}; is DATABASE_URL right, and the server up?",
            crate::telemetry::chain(&error)
        )),
        StoreError::NoDatabase(said) => ServeError::Configuration(format!(
            "the database server says: {said}; make it (createdb), or correct the name in DATABASE_URL"
        )),
        StoreError::SignIn(said) => ServeError::Configuration(format!(
            "the database server says: {said}; correct the user and the password in DATABASE_URL"
        )),
        StoreError::NotAllowed(said) => ServeError::Configuration(format!(
            "the database server says: {said}; let the user of DATABASE_URL make tables there (it has to own \
             the database, or its schema)"
        )),
        StoreError::SchemaTooNew { .. } | StoreError::UnsafeDurability { .. } => {
            ServeError::Configuration(error.to_string())
        }
        _ => ServeError::Other(anyhow::Error::new(error)),
    }
}
