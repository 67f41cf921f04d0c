//! What a query can fail with, in words that a caller can act on.

use uuid::Uuid;

use crate::domain;
use crate::domain::id::GenerationId;

/// Shorthand for results of queries.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// What a query can fail with.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, or went away.
    #[error("the database does not answer")]
    Unavailable(#[source] sqlx::Error),
    /// It did not answer in time, or no connection came free.
    #[error("the database did not answer in time")]
    Timeout(#[source] sqlx::Error),
    /// The server has no database of this name.
    #[error("{0}")]
    NoDatabase(String),
    /// The server does not let this user in.
    #[error("{0}")]
    SignIn(String),
    /// This user may not do what was asked.
    #[error("{0}")]
    NotAllowed(String),
    /// It has no space left.
    #[error("the database is out of space")]
    StorageFull,
    /// Somebody else changed the row, or holds it; trying again may work.
    #[error("the row is not in the expected state")]
    Conflict,
    /// The row, or one that it hangs on, is not there.
    #[error("not found")]
    NotFound,
    /// A generation of the project is running.
    #[error("a generation is running")]
    GenerationRunning(GenerationId),
    /// The `request_id` was used for something else, or for a secret.
    #[error("the request id was used for something else")]
    RequestIdReused,
    /// The same request was answered before, with this.
    #[error("the request was answered before")]
    RequestRepeated {
        /// What the first call made.
        resource_id: Uuid,
    },
    /// An account has this e-mail.
    #[error("an account has this email")]
    EmailTaken,
    /// Every port of the range is taken.
    #[error("every preview port of the range is taken")]
    NoPortLeft,
    /// A column holds what this version does not know.
    #[error("column {column} holds {value:?}, which this version does not know")]
    Unknown {
        /// The column.
        column: &'static str,
        /// What it holds.
        value: String,
    },
    /// The server may lose what it has acknowledged.
    #[error(
        "the database has {setting} = {value}: it could lose what it acknowledged; turn it on (or set KILN_TEST_UNSAFE_DURABILITY=1 where that does not matter)"
    )]
    UnsafeDurability {
        /// The setting.
        setting: &'static str,
        /// What it is set to.
        value: String,
    },
    /// A newer version has been here.
    #[error(
        "the database has schema version {found}, this version of kilnd knows {known}: start the newer kilnd"
    )]
    SchemaTooNew {
        /// The version in the database.
        found: i64,
        /// The newest that is known.
        known: i64,
    },
    /// Bringing the schema up to date failed.
    #[error("bringing the schema up to date failed")]
    Migration(#[source] Box<sqlx::migrate::MigrateError>),
    /// Ours to fix.
    #[error("unexpected database error")]
    Unexpected(#[source] sqlx::Error),
}

/// SQLSTATE codes that are told apart.
mod code {
    pub(super) const UNIQUE_VIOLATION: &str = "23505";
    pub(super) const FOREIGN_KEY_VIOLATION: &str = "23503";
    pub(super) const SERIALIZATION_FAILURE: &str = "40001";
    pub(super) const DEADLOCK_DETECTED: &str = "40P01";
    pub(super) const LOCK_NOT_AVAILABLE: &str = "55P03";
    pub(super) const DISK_FULL: &str = "53100";
    pub(super) const TOO_MANY_CONNECTIONS: &str = "53300";
    pub(super) const INVALID_CATALOG_NAME: &str = "3D000";
    pub(super) const INSUFFICIENT_PRIVILEGE: &str = "42501";
    pub(super) const QUERY_CANCELED: &str = "57014";
    pub(super) const IDLE_IN_TRANSACTION_TIMEOUT: &str = "25P03";
    /// Class 57P: shutdown, crash, starting up; class 08: the connection broke.
    pub(super) const CLASS_OPERATOR: &str = "57P";
    pub(super) const CLASS_CONNECTION: &str = "08";
    /// Class 28: unknown user, wrong password, not allowed to connect.
    pub(super) const CLASS_SIGN_IN: &str = "28";
}

/// Constraints that are told apart.
mod constraint {
    pub(super) const USERS_EMAIL: &str = "users_email_key";
    pub(super) const PROJECTS_PKEY: &str = "projects_pkey";
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::PoolTimedOut => return Self::Timeout(error),
            sqlx::Error::PoolClosed
            | sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed => return Self::Unavailable(error),
            sqlx::Error::RowNotFound => return Self::NotFound,
            _ => {}
        }
        let Some(database) = error.as_database_error() else {
            return Self::Unexpected(error);
        };
        let code = database.code().unwrap_or_default().into_owned();
        match code.as_str() {
            code::UNIQUE_VIOLATION => match database.constraint() {
                Some(constraint::USERS_EMAIL) => Self::EmailTaken,
                // An id that exists is a bug of ours, not a race.
                Some(constraint::PROJECTS_PKEY) => Self::Unexpected(error),
                _ => Self::Conflict,
            },
            code::FOREIGN_KEY_VIOLATION => Self::NotFound,
            code::SERIALIZATION_FAILURE | code::DEADLOCK_DETECTED | code::LOCK_NOT_AVAILABLE => {
                Self::Conflict
            }
            code::INVALID_CATALOG_NAME => Self::NoDatabase(database.message().to_owned()),
            code::INSUFFICIENT_PRIVILEGE => Self::NotAllowed(database.message().to_owned()),
            code if code.starts_with(code::CLASS_SIGN_IN) => {
                Self::SignIn(database.message().to_owned())
            }
            code::DISK_FULL => Self::StorageFull,
            code::QUERY_CANCELED | code::IDLE_IN_TRANSACTION_TIMEOUT => Self::Timeout(error),
            code::TOO_MANY_CONNECTIONS => Self::Unavailable(error),
            code if code.starts_with(code::CLASS_OPERATOR)
                || code.starts_with(code::CLASS_CONNECTION) =>
            {
                Self::Unavailable(error)
            }
            _ => Self::Unexpected(error),
        }
    }
}

impl From<StoreError> for domain::Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::NoDatabase(_) | StoreError::SignIn(_) => {
                Self::DbUnavailable
            }
            StoreError::Timeout(_) => Self::DbTimeout,
            StoreError::StorageFull => Self::StorageFull,
            StoreError::Conflict => Self::Conflict,
            StoreError::NotFound => Self::NotFound,
            StoreError::GenerationRunning(id) => Self::GenerationRunning(id),
            StoreError::RequestIdReused => Self::RequestIdReused,
            StoreError::EmailTaken => Self::EmailTaken,
            error @ (StoreError::RequestRepeated { .. }
            | StoreError::NoPortLeft
            | StoreError::NotAllowed(_)
            | StoreError::Unknown { .. }
            | StoreError::UnsafeDurability { .. }
            | StoreError::SchemaTooNew { .. }
            | StoreError::Migration(_)
            | StoreError::Unexpected(_)) => Self::internal(error),
        }
    }
}

/// Reads a text column into the enum that it stands for.
pub(crate) fn known<T>(
    column: &'static str,
    value: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T> {
    parse(value).ok_or_else(|| StoreError::Unknown {
        column,
        value: value.to_owned(),
    })
}

/// The same for a column that may be null.
pub(crate) fn known_or_null<T>(
    column: &'static str,
    value: Option<&str>,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>> {
    value.map(|value| known(column, value, parse)).transpose()
}
