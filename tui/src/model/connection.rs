//! The connection as the user sees it, and who is at its two ends.

use crate::failure::Failure;

/// What the connection is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Connection {
    /// It is being made, for the first time or again.
    #[default]
    Connecting,
    /// It stands.
    Online,
    /// It is gone and will be tried again.
    Waiting {
        /// What happened.
        failure: Failure,
        /// When it is tried again; milliseconds since 1970.
        retry_at_ms: i64,
        /// Tries so far, from 1.
        attempt: u32,
    },
    /// The daemon wants to know who is there.
    SignIn {
        /// Why.
        failure: Failure,
    },
    /// Trying again would not mend it.
    Refused {
        /// Why.
        failure: Failure,
    },
}

impl Connection {
    /// Whether calls can be made.
    #[must_use]
    pub fn is_online(&self) -> bool {
        matches!(self, Self::Online)
    }
}

/// The daemon, as it says itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// Version of `kilnd`.
    pub version: String,
    /// What is wrong with the Docker engine; `None` where it answers.
    pub docker_down: Option<String>,
    /// Whether only the demo models can be used.
    pub demo_only: bool,
    /// Model used where nothing names one.
    pub default_model: String,
    /// Who may make an account: `invite`, `open` or `closed`.
    pub sign_up: String,
}

/// Somebody with an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// What to call them.
    pub name: String,
    /// Whether this is the owner of the daemon.
    pub owner: bool,
}
