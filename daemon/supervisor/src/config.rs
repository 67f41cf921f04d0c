//! Where things are: the only configuration there is, from the environment.
//! No file, no flags.

use std::path::PathBuf;

use crate::error::Error;

/// Names of the variables that are read.
pub mod variables {
    /// Path of the socket.
    pub const SOCKET: &str = "KILN_SUPERVISOR_SOCKET";
    /// Path of the workspace.
    pub const WORKSPACE: &str = "KILN_WORKSPACE";
    /// Set for what is started: which run it belongs to.
    pub const RUN: &str = "KILN_RUN";
}

/// What of its own environment the supervisor passes on to what it starts.
pub const PASSED_ON: &[&str] = &[
    "PATH",
    "HOME",
    "LANG",
    "NODE_EXTRA_CA_CERTS",
    "SSL_CERT_FILE",
    "TMPDIR",
    "BUN_INSTALL_CACHE_DIR",
];

/// Where the socket and the workspace are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The unix socket that `init` listens on and `connect` connects to.
    pub socket: PathBuf,
    /// The directory that holds the slots.
    pub workspace: PathBuf,
}

impl Settings {
    /// Reads the environment; what is not set has its place in a sandbox.
    ///
    /// # Errors
    /// If a path is not absolute.
    pub fn from_environment() -> Result<Self, Error> {
        Ok(Self {
            socket: absolute(variables::SOCKET, "/run/kiln/supervisor.sock")?,
            workspace: absolute(variables::WORKSPACE, "/app")?,
        })
    }
}

/// The environment for what is started, before what the request adds.
#[must_use]
pub fn base_environment() -> Vec<(String, String)> {
    let mut environment: Vec<(String, String)> = PASSED_ON
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
        .collect();
    for (name, value) in [
        (
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ),
        ("HOME", "/tmp"),
        ("LANG", "C.UTF-8"),
    ] {
        if !environment.iter().any(|(set, _)| set == name) {
            environment.push((name.to_owned(), value.to_owned()));
        }
    }
    environment
}

fn absolute(variable: &str, default: &str) -> Result<PathBuf, Error> {
    let path = std::env::var_os(variable).map_or_else(|| PathBuf::from(default), PathBuf::from);
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(Error::Invalid(format!(
            "{variable} is not an absolute path"
        )))
    }
}
