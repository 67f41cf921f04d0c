//! The daemon's data directory: who owns it now, and which daemon it makes.
//!
//! It refuses a directory in which others may write, and a second daemon.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::unistd::Uid;
use thiserror::Error;

use crate::domain::id::DaemonId;
use crate::fresh;

/// How long the lock of a dead daemon is waited for.
const LEFT_OVER_LOCK: Duration = Duration::from_secs(1);

/// Between two looks at it.
const LOOK: Duration = Duration::from_millis(10);

/// A data directory that this process owns until the value is dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    daemon_id: DaemonId,
    /// Locked for as long as it is open. Closed on exec, so that no child
    /// carries the lock past the death of the daemon. Never read again.
    _lock: File,
}

/// Why a data directory cannot be used.
#[derive(Debug, Error)]
pub enum DataDirError {
    /// Another daemon runs on it; the program exits 3.
    #[error("another kilnd owns {} ({})", path.display(), holder(*pid))]
    Held {
        /// The directory.
        path: PathBuf,
        /// The other process, where it could be read.
        pid: Option<u32>,
    },
    /// Others could put things into it.
    #[error("permissions {mode:04o} on {} let others write there, need 0700", path.display())]
    Writable {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It belongs to another user.
    #[error("{} belongs to uid {owner}, not to the user who runs kilnd", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// The file with the identity does not hold one.
    #[error("{} does not hold a UUID: remove it to give this daemon a new identity", path.display())]
    Identity {
        /// The file.
        path: PathBuf,
    },
    /// The file system said no.
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

impl DataDir {
    /// Takes the directory, making it where it is missing.
    ///
    /// # Errors
    /// [`DataDirError::Held`] while another process has it; the others when it
    /// cannot be made, locked or trusted.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|source| failed("create", path, source))?;
        // Postgres names its directory by the real path, and so do we.
        let path = fs::canonicalize(path).map_err(|source| failed("open", path, source))?;
        check_owner(&path)?;
        let lock = lock_or_wait(&path)?;
        let daemon_id = identity(&path)?;
        Ok(Self {
            path,
            daemon_id,
            _lock: lock,
        })
    }

    /// The directory, as a real path without links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The identity that this directory gives to its daemon; the same at every start.
    #[must_use]
    pub const fn daemon_id(&self) -> DaemonId {
        self.daemon_id
    }
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "pid unknown".to_owned(), |pid| format!("pid {pid}"))
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> DataDirError {
    DataDirError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

fn check_owner(path: &Path) -> Result<(), DataDirError> {
    let metadata = fs::metadata(path).map_err(|source| failed("read", path, source))?;
    if metadata.uid() != Uid::effective().as_raw() {
        return Err(DataDirError::Foreign {
            path: path.to_owned(),
            owner: metadata.uid(),
        });
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o022 != 0 {
        return Err(DataDirError::Writable {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(())
}

/// A daemon that was killed in the moment in which it made a process leaves that
/// process with the lock until it has become another program: only a holder
/// that lives is taken at its word.
fn lock_or_wait(dir: &Path) -> Result<File, DataDirError> {
    let deadline = Instant::now() + LEFT_OVER_LOCK;
    loop {
        match lock(dir) {
            Err(DataDirError::Held { pid: Some(pid), .. })
                if !lives(pid) && Instant::now() < deadline =>
            {
                std::thread::sleep(LOOK);
            }
            result => return result,
        }
    }
}

/// Whether there is such a process, which has not ended.
fn lives(pid: u32) -> bool {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        // The state follows the name, which is in brackets.
        Ok(stat) => stat
            .rsplit_once(')')
            .is_none_or(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X'])),
        // Without /proc nothing is known: it may.
        Err(_) => !Path::new("/proc/self/stat").exists(),
    }
}

/// The file is never removed: whoever removes a lock file lets two in.
fn lock(dir: &Path) -> Result<File, DataDirError> {
    let path = dir.join("lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|source| failed("open", &path, source))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let pid = match Read::by_ref(&mut file).take(16).read_to_string(&mut text) {
                Ok(_) => text.trim().parse().ok(),
                Err(_) => None,
            };
            return Err(DataDirError::Held {
                path: dir.to_owned(),
                pid,
            });
        }
        Err(TryLockError::Error(source)) => return Err(failed("lock", &path, source)),
    }
    file.set_len(0)
        .and_then(|()| file.write_all(format!("{}\n", std::process::id()).as_bytes()))
        .map_err(|source| failed("write", &path, source))?;
    Ok(file)
}

fn identity(dir: &Path) -> Result<DaemonId, DataDirError> {
    let path = dir.join("daemon_id");
    match fs::read_to_string(&path) {
        Ok(text) => text
            .trim()
            .parse()
            .map_err(|_| DataDirError::Identity { path }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make_identity(dir, &path),
        Err(source) => Err(failed("read", &path, source)),
    }
}

/// Written aside and renamed, so that a kill in the middle leaves no half of one.
fn make_identity(dir: &Path, path: &Path) -> Result<DaemonId, DataDirError> {
    let daemon_id: DaemonId = fresh::id();
    let aside = dir.join("daemon_id.new");
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&aside)?;
        file.write_all(format!("{daemon_id}\n").as_bytes())?;
        file.sync_all()?;
        fs::rename(&aside, path)?;
        File::open(dir)?.sync_all()
    };
    write().map_err(|source| failed("write", path, source))?;
    Ok(daemon_id)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_private_and_keeps_its_identity() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let first = DataDir::open(&path).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&path.join("lock")), 0o600);
        assert_eq!(mode(&path.join("daemon_id")), 0o600);
        let daemon_id = first.daemon_id();
        drop(first);
        assert_eq!(DataDir::open(&path).unwrap().daemon_id(), daemon_id);
    }

    #[test]
    fn a_second_owner_is_refused_and_told_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDir::open(dir.path()).unwrap();
        let error = DataDir::open(dir.path()).unwrap_err();
        assert!(
            matches!(&error, DataDirError::Held { pid: Some(pid), .. } if *pid == std::process::id()),
            "{error:?}"
        );
        assert_eq!(
            error.to_string(),
            format!(
                "another kilnd owns {} (pid {})",
                first.path().display(),
                std::process::id()
            )
        );
        drop(first);
        DataDir::open(dir.path()).unwrap();
    }

    #[test]
    fn a_directory_in_which_others_write_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o770)).unwrap();
        let error = DataDir::open(dir.path()).unwrap_err();
        assert!(
            matches!(error, DataDirError::Writable { mode: 0o770, .. }),
            "{error:?}"
        );
    }

    #[test]
    fn a_damaged_identity_is_not_replaced_silently() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("daemon_id"), "not one").unwrap();
        let error = DataDir::open(dir.path()).unwrap_err();
        assert!(matches!(error, DataDirError::Identity { .. }), "{error:?}");
    }

    #[test]
    fn a_running_child_does_not_hold_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDir::open(dir.path()).unwrap();
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        drop(first);
        let second = DataDir::open(dir.path());
        child.kill().unwrap();
        child.wait().unwrap();
        second.unwrap();
    }
}
