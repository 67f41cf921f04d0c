//! Who runs the server: Postgres refuses root, so root hands it to `postgres`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{Gid, Uid, User};
use tokio::process::Command;

use super::error::PostgresError;

/// The user of the server, and the user of the daemon who signs in to it.
#[derive(Clone, Debug)]
pub(super) struct Account {
    /// The server's user.
    pub(super) uid: u32,
    /// The server's group.
    pub(super) gid: u32,
    /// The server's user, by name.
    pub(super) name: String,
    /// The name under which the kernel reports the daemon to the server.
    pub(super) client: String,
    /// Whether the server runs as somebody else than the daemon.
    pub(super) drops: bool,
}

impl Account {
    /// The account for a server of the user who runs this process.
    pub(super) fn choose() -> Result<Self, PostgresError> {
        let uid = Uid::effective();
        let client = named(User::from_uid(uid))
            .ok_or(PostgresError::NoUserName { uid: uid.as_raw() })?
            .name;
        if !uid.is_root() {
            return Ok(Self {
                uid: uid.as_raw(),
                gid: Gid::effective().as_raw(),
                name: client.clone(),
                client,
                drops: false,
            });
        }
        let server = named(User::from_name("postgres")).ok_or(PostgresError::NoServerAccount)?;
        Ok(Self {
            uid: server.uid.as_raw(),
            gid: server.gid.as_raw(),
            name: server.name,
            client,
            drops: true,
        })
    }

    /// Makes `command` run as this account, with an environment that holds
    /// nothing of the daemon's: no key, and none of the variables that Postgres reads.
    pub(super) fn run_as<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env_clear().env("LC_ALL", "C").current_dir("/");
        for name in ["PATH", "LD_LIBRARY_PATH"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        if self.drops {
            // The standard library drops the supplementary groups with the uid.
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Says which directory on the way to `path` keeps the server's user out.
    pub(super) fn check_can_enter(&self, path: &Path) -> Result<(), PostgresError> {
        for dir in path.ancestors() {
            let metadata = fs::metadata(dir).map_err(PostgresError::io("read", dir))?;
            let bit = if metadata.uid() == self.uid {
                0o100
            } else if metadata.gid() == self.gid {
                0o010
            } else {
                0o001
            };
            if metadata.mode() & bit == 0 {
                return Err(PostgresError::Unreachable {
                    dir: dir.to_owned(),
                    user: self.name.clone(),
                });
            }
        }
        Ok(())
    }
}

/// A broken user database is the same to us as a missing entry.
fn named(user: nix::Result<Option<User>>) -> Option<User> {
    user.ok().flatten()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_closed_directory_on_the_way_is_named() {
        let parent = tempfile::tempdir().unwrap();
        let closed = parent.path().join("closed");
        let inner = closed.join("inner");
        fs::create_dir_all(&inner).unwrap();
        let stranger = Account {
            uid: 4_000_000,
            gid: 4_000_000,
            name: "stranger".into(),
            client: "stranger".into(),
            drops: false,
        };
        let open = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        open(parent.path(), 0o711);
        open(&inner, 0o711);
        open(&closed, 0o711);
        stranger.check_can_enter(&inner).unwrap();
        open(&closed, 0o700);
        let error = stranger.check_can_enter(&inner).unwrap_err();
        assert!(
            matches!(&error, PostgresError::Unreachable { dir, .. } if *dir == closed),
            "{error:?}"
        );
    }
}
