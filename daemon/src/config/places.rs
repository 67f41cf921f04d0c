//! Where things are when nothing says so: the configuration file, the data and
//! the sockets. It makes none of them.

use std::path::PathBuf;

/// The configuration file.
pub(super) fn file() -> PathBuf {
    directories::ProjectDirs::from("", "", "kiln").map_or_else(
        || PathBuf::from("/etc/kiln/kilnd.toml"),
        |dirs| dirs.config_dir().join("kilnd.toml"),
    )
}

/// The daemon's own things.
pub(super) fn data_dir(as_root: bool) -> PathBuf {
    // A directory beneath root's home cannot be entered by the user `postgres`.
    if as_root {
        return PathBuf::from("/var/lib/kiln");
    }
    directories::ProjectDirs::from("", "", "kiln").map_or_else(
        || PathBuf::from("kiln-data"),
        |dirs| dirs.data_dir().to_owned(),
    )
}

/// Where the socket goes: the client looks in the same places.
pub(super) fn runtime_dir(as_root: bool) -> PathBuf {
    if let Some(dir) = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty()) {
        return PathBuf::from(dir).join("kiln");
    }
    if as_root {
        return PathBuf::from("/run/kiln");
    }
    directories::ProjectDirs::from("", "", "kiln")
        .and_then(|dirs| dirs.state_dir().map(|dir| dir.join("run")))
        .unwrap_or_else(|| PathBuf::from("kiln-run"))
}
