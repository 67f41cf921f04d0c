//! Why there is no Postgres.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why the managed Postgres could not be started.
#[derive(Debug, Error)]
pub enum PostgresError {
    /// Nothing to start.
    #[error(
        "no Postgres binaries found: install them (apt-get install postgresql) or set DATABASE_URL"
    )]
    NoBinaries,
    /// The configured directory is not one of Postgres binaries.
    #[error("no usable Postgres binaries in {}: {detail}", dir.display())]
    ConfiguredBinaries {
        /// The directory that was configured.
        dir: PathBuf,
        /// What is missing there.
        detail: String,
    },
    /// All that was found is older than what Kiln's queries need.
    #[error("Postgres {found} is too old: install {need} or newer, or set DATABASE_URL")]
    TooOld {
        /// The newest that was found.
        found: u32,
        /// The oldest that will do.
        need: u32,
    },
    /// The data format belongs to one major version, which is not there.
    #[error(
        "the cluster in {} was made by Postgres {made}, but only {found} was found: install Postgres {made} (apt-get install postgresql-{made}), or set DATABASE_URL",
        dir.display()
    )]
    WrongMajor {
        /// The cluster.
        dir: PathBuf,
        /// Major version that made it.
        made: u32,
        /// What is installed.
        found: String,
    },
    /// Something stands where the cluster should be.
    #[error("{} is not a Postgres cluster: move it away", dir.display())]
    NotACluster {
        /// The directory.
        dir: PathBuf,
    },
    /// Postgres refuses to run as root, and there is nobody to run it as.
    #[error(
        "Postgres does not run as root and there is no user \"postgres\": run kilnd as an ordinary user, install the package postgresql, or set DATABASE_URL"
    )]
    NoServerAccount,
    /// Postgres recognises its clients by their user name.
    #[error("uid {uid} has no user name, which Postgres needs: add one, or set DATABASE_URL")]
    NoUserName {
        /// The user who runs the daemon.
        uid: u32,
    },
    /// The server's user cannot get to its own files.
    #[error(
        "user \"{user}\" cannot enter {}: choose a data directory that it can reach, such as /var/lib/kiln",
        dir.display()
    )]
    Unreachable {
        /// The directory that stops it.
        dir: PathBuf,
        /// The user who runs the server.
        user: String,
    },
    /// There is no place for the socket.
    #[error("no place for the Postgres socket: {detail}")]
    SocketDir {
        /// What was tried.
        detail: String,
    },
    /// `initdb` failed.
    #[error("could not make a Postgres cluster: {detail}")]
    InitDb {
        /// The last lines that it wrote.
        detail: String,
    },
    /// The server ended while it started.
    #[error("Postgres did not start: {log}")]
    Exited {
        /// The last lines of its log.
        log: String,
    },
    /// The server did not become ready in time.
    #[error("Postgres was not ready after {seconds} s")]
    NotReady {
        /// How long was waited.
        seconds: u64,
    },
    /// The server refused us.
    #[error("could not sign in to the managed Postgres: {0}")]
    SignIn(#[source] sqlx::Error),
    /// The server accepted a connection and then said nothing.
    #[error("the managed Postgres did not answer within {seconds} s")]
    Silent {
        /// How long was waited.
        seconds: u64,
    },
    /// The system said no.
    #[error("could not {action} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl PostgresError {
    /// Whether it takes a change of the machine or the configuration to go on:
    /// the program then exits 2 instead of 1.
    #[must_use]
    pub const fn is_configuration(&self) -> bool {
        match self {
            Self::NoBinaries
            | Self::ConfiguredBinaries { .. }
            | Self::TooOld { .. }
            | Self::WrongMajor { .. }
            | Self::NotACluster { .. }
            | Self::NoServerAccount
            | Self::NoUserName { .. }
            | Self::Unreachable { .. }
            | Self::SocketDir { .. } => true,
            Self::InitDb { .. }
            | Self::Exited { .. }
            | Self::NotReady { .. }
            | Self::SignIn(_)
            | Self::Silent { .. }
            | Self::Io { .. } => false,
        }
    }

    /// For `map_err`: keeps what was attempted and on what.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}
