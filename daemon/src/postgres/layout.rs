//! Where the parts of the managed Postgres lie in the data directory.
//!
//! ```text
//! DATA/postgres/            the daemon's; the server's user may enter
//!   cluster/                the server's own
//!   socket/                 the server's own
//!   pg_hba.conf  pg_ident.conf  server.log  server.log.old
//! ```
//!
//! As root the server runs as another user, so the daemon writes nothing inside
//! what belongs to that user: a planted link there could lead it anywhere.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use super::account::Account;
use super::error::PostgresError;

/// The log of the server is cut when it is larger than this.
const LOG_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What is kept of it in `server.log.old`.
const LOG_BYTES_KEPT: u64 = 256 * 1024;

/// The paths of one managed Postgres.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    data_dir: PathBuf,
    root: PathBuf,
}

impl Layout {
    /// The paths under a data directory, which is a real path.
    pub(super) fn new(data_dir: &Path) -> Self {
        Self {
            data_dir: data_dir.to_owned(),
            root: data_dir.join("postgres"),
        }
    }

    /// The directory that holds everything else here.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The cluster.
    pub(super) fn cluster(&self) -> PathBuf {
        self.root.join("cluster")
    }

    /// The socket, where the path is short enough.
    pub(super) fn socket(&self) -> PathBuf {
        self.root.join("socket")
    }

    /// What the server and `initdb` write.
    pub(super) fn log(&self) -> PathBuf {
        self.root.join("server.log")
    }

    /// Who may sign in.
    pub(super) fn hba(&self) -> PathBuf {
        self.root.join("pg_hba.conf")
    }

    /// As whom.
    pub(super) fn ident(&self) -> PathBuf {
        self.root.join("pg_ident.conf")
    }

    /// The file with which a running server announces itself.
    pub(super) fn pid_file(&self) -> PathBuf {
        self.cluster().join("postmaster.pid")
    }

    /// Makes the directory and lets the server's user through, and nobody else.
    pub(super) fn prepare(&self, account: &Account) -> Result<(), PostgresError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.root)
            .map_err(PostgresError::io("create", &self.root))?;
        if account.drops {
            for dir in [&self.data_dir, &self.root] {
                let share = || -> io::Result<()> {
                    chown(dir, None, Some(account.gid))?;
                    fs::set_permissions(dir, fs::Permissions::from_mode(0o710))
                };
                share().map_err(PostgresError::io("share", dir))?;
            }
        }
        account.check_can_enter(&self.root)
    }

    /// The major version that made the cluster; `None` while there is none.
    pub(super) fn cluster_major(&self) -> Result<Option<u32>, PostgresError> {
        let cluster = self.cluster();
        let path = cluster.join("PG_VERSION");
        match fs::read_to_string(&path) {
            Ok(text) => match text.trim().parse() {
                Ok(major) => Ok(Some(major)),
                Err(_) => Err(PostgresError::NotACluster { dir: cluster }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // A cluster is moved into place whole, so this is not half of one.
                if cluster.symlink_metadata().is_ok() {
                    return Err(PostgresError::NotACluster { dir: cluster });
                }
                Ok(None)
            }
            Err(source) => Err(PostgresError::io("read", &path)(source)),
        }
    }

    /// Writes who may sign in: the daemon's own user, over the socket, recognised
    /// by the kernel. Says whether that is news to a server that already runs.
    pub(super) fn write_access(&self, account: &Account) -> Result<bool, PostgresError> {
        let client = account.client.replace('"', "\"\"");
        let mut changed = false;
        for (path, text) in [
            (self.hba(), "local all all peer map=kiln\n".to_owned()),
            (self.ident(), format!("kiln \"{client}\" kiln\n")),
        ] {
            if fs::read_to_string(&path).is_ok_and(|current| current == text) {
                continue;
            }
            write_for(&path, &text, account).map_err(PostgresError::io("write", &path))?;
            changed = true;
        }
        Ok(changed)
    }

    /// Opens the log for a server, which goes on appending when it is cut.
    pub(super) fn open_log(&self) -> Result<File, PostgresError> {
        let path = self.log();
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path)
            .map_err(PostgresError::io("open", &path))
    }

    /// Cuts the log when it has grown too large, and keeps its end beside it.
    pub(super) fn bound_log(&self) -> Result<(), PostgresError> {
        let path = self.log();
        cut(&path, LOG_BYTES_MAX, LOG_BYTES_KEPT).map_err(PostgresError::io("cut", &path))
    }

    /// What the server wrote after `from`, the last lines of it, on one line.
    pub(super) fn log_since(&self, from: u64) -> String {
        let read = || -> io::Result<String> {
            let mut file = File::open(self.log())?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(from.max(length.saturating_sub(4096))))?;
            let mut bytes = Vec::new();
            file.take(4096).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        match read() {
            Ok(text) => last_lines(&text),
            Err(_) => format!("see {}", self.log().display()),
        }
    }
}

/// The last few lines of what a program wrote, joined into one.
pub(super) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let last = &lines[lines.len().saturating_sub(4)..];
    if last.is_empty() {
        return "it wrote nothing".to_owned();
    }
    last.join("; ")
}

fn write_for(path: &Path, text: &str, account: &Account) -> io::Result<()> {
    let aside = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&aside)?;
    file.write_all(text.as_bytes())?;
    if account.drops {
        std::os::unix::fs::fchown(&file, None, Some(account.gid))?;
        file.set_permissions(fs::Permissions::from_mode(0o640))?;
    }
    fs::rename(&aside, path)
}

fn cut(path: &Path, max: u64, kept: u64) -> io::Result<()> {
    let mut file = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    if length <= max {
        return Ok(());
    }
    file.seek(SeekFrom::Start(length.saturating_sub(kept)))?;
    let mut old = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path.with_extension("log.old"))?;
    io::copy(&mut Read::by_ref(&mut file).take(kept), &mut old)?;
    file.set_len(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_bounded_and_its_writer_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.log");
        let mut writer = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)
            .unwrap();
        writer.write_all(&[b'a'; 100]).unwrap();
        cut(&path, 100, 10).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 100);
        writer.write_all(b"the end").unwrap();
        cut(&path, 100, 10).unwrap();
        writer.write_all(b"more").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "more");
        assert_eq!(
            fs::read_to_string(dir.path().join("server.log.old")).unwrap(),
            "aaathe end"
        );
    }

    #[test]
    fn a_directory_that_is_no_cluster_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        assert_eq!(layout.cluster_major().unwrap(), None);
        fs::create_dir_all(layout.cluster()).unwrap();
        for version in [None, Some("not a number")] {
            if let Some(version) = version {
                fs::write(layout.cluster().join("PG_VERSION"), version).unwrap();
            }
            let error = layout.cluster_major().unwrap_err();
            assert!(
                matches!(error, PostgresError::NotACluster { .. }),
                "{error:?}"
            );
        }
        fs::write(layout.cluster().join("PG_VERSION"), "15\n").unwrap();
        assert_eq!(layout.cluster_major().unwrap(), Some(15));
    }
}
