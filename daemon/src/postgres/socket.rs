//! Where the server's socket goes: a directory of its own, short enough for the
//! system, that nobody else can enter.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};

use nix::unistd::Uid;
use sha2::{Digest, Sha256};

use super::account::Account;
use super::error::PostgresError;
use super::process::{self, Identity};

/// The longest path of a unix socket, in bytes: `sun_path` without its final NUL.
const PATH_BYTES_MAX: usize = 107;

/// What Postgres calls its socket on [`PORT`].
const FILE: &str = ".s.PGSQL.5432";

/// A part of the name of the socket; nothing listens on TCP.
pub(super) const PORT: u16 = 5432;

/// The directory for a server's socket: `preferred` if the path fits, else one
/// in the runtime directory, else one under `/tmp`.
pub(super) fn choose(
    preferred: &Path,
    runtime_dir: &Path,
    account: &Account,
) -> Result<PathBuf, PostgresError> {
    let name = format!("kiln-{}", short_hash(preferred));
    let mut candidates = vec![preferred.to_owned()];
    if !account.drops {
        // The runtime directory is closed to the user who serves root.
        candidates.push(runtime_dir.join(&name));
    }
    candidates.push(Path::new("/tmp").join(&name));
    let mut refused = Vec::new();
    for dir in candidates {
        if dir.as_os_str().len() + 1 + FILE.len() > PATH_BYTES_MAX {
            refused.push(format!("{} is too long", dir.display()));
            continue;
        }
        match claim(&dir, account) {
            Ok(()) => return Ok(dir),
            Err(error) => refused.push(format!("{}: {error}", dir.display())),
        }
    }
    Err(PostgresError::SocketDir {
        detail: refused.join("; "),
    })
}

/// Makes the directory, or makes sure that the one there is ours: in `/tmp`
/// somebody else could have put it there first.
pub(super) fn claim(dir: &Path, account: &Account) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let metadata = fs::symlink_metadata(dir)?;
    if !metadata.is_dir() {
        return Err(io::Error::other("is not a directory"));
    }
    if metadata.uid() != account.uid && metadata.uid() != Uid::effective().as_raw() {
        return Err(io::Error::other("belongs to somebody else"));
    }
    if metadata.uid() != account.uid {
        lchown(dir, Some(account.uid), Some(account.gid))?;
    }
    if metadata.mode() & 0o077 != 0 {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Removes the lock of a socket whose server is gone for certain, but whose pid
/// still stands for something: Postgres would take that for the server. The
/// directory is this cluster's alone.
pub(super) fn remove_stale_lock(dir: &Path, cluster: &Path, account: &Account) {
    let path = dir.join(format!("{FILE}.lock"));
    let pid = fs::read_to_string(&path)
        .ok()
        .and_then(|text| text.lines().next()?.trim().parse().ok())
        .filter(|pid: &i32| *pid > 1);
    let Some(pid) = pid else { return };
    match process::identify(pid, cluster, account.uid) {
        Identity::Zombie | Identity::Stranger => {
            tracing::info!(path = %path.display(), pid, "removing a stale socket lock");
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(path = %path.display(), %error, "could not remove a stale socket lock");
            }
        }
        // Postgres sees for itself that nothing is there.
        Identity::Postmaster | Identity::Nothing | Identity::Unclear => {}
    }
}

fn short_hash(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let digest = Sha256::digest(path.as_os_str().as_bytes());
    digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me() -> Account {
        Account {
            uid: Uid::effective().as_raw(),
            gid: nix::unistd::Gid::effective().as_raw(),
            name: "me".into(),
            client: "me".into(),
            drops: false,
        }
    }

    #[test]
    fn a_long_path_falls_back_to_a_short_one() {
        let runtime = tempfile::tempdir().unwrap();
        let long = runtime.path().join("x".repeat(100));
        let dir = choose(&long, runtime.path(), &me()).unwrap();
        assert_eq!(dir.parent(), Some(runtime.path()));
        assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o777, 0o700);
        // The same again: the address of a cluster stays.
        assert_eq!(choose(&long, runtime.path(), &me()).unwrap(), dir);
        assert!(!long.exists());
    }

    #[test]
    fn the_last_byte_that_fits_is_used() {
        let parent = tempfile::tempdir().unwrap();
        let room = PATH_BYTES_MAX - 1 - FILE.len() - parent.path().as_os_str().len() - 1;
        let fits = parent.path().join("x".repeat(room));
        assert_eq!(choose(&fits, parent.path(), &me()).unwrap(), fits);
        let over = parent.path().join("y".repeat(room + 1));
        assert_ne!(choose(&over, parent.path(), &me()).unwrap(), over);
    }

    #[test]
    fn a_planted_link_is_not_followed() {
        let parent = tempfile::tempdir().unwrap();
        let elsewhere = parent.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        let link = parent.path().join("socket");
        std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
        assert_eq!(
            claim(&link, &me()).unwrap_err().to_string(),
            "is not a directory"
        );
    }
}
