//! Sessions kept on this machine, one per server, in a file that only its owner
//! may read. A file that others may read is refused rather than repaired: who
//! has read it meanwhile cannot be known.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::address::Address;

/// A file with more than this is not ours; in bytes.
const FILE_MAX: u64 = 1 << 20;

/// The longest credential that is sent, in bytes.
const TOKEN_MAX: usize = 512;

/// Why credentials cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// Others may read it.
    #[error("permissions {mode:04o} on {}, need 0600", path.display())]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It does not hold what it should.
    #[error("{} is damaged ({what}); remove it and sign in again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The system refused.
    #[error("cannot {doing} {}: {cause}", path.display())]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// A token with characters that no token has.
    #[error("the token from {origin} is not one of Kiln's (kiln_s_… or kiln_k_…)")]
    Malformed {
        /// Where it was read.
        origin: String,
    },
}

/// A session as it is kept.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The credential.
    pub token: SecretString,
    /// Who it belongs to, for people.
    pub user: String,
    /// Whether the daemon gave it for being its own user, so that another can be
    /// had without a password.
    pub local: bool,
}

/// The file.
#[derive(Clone, Debug)]
pub struct Store {
    path: PathBuf,
}

#[derive(Default, Serialize, Deserialize)]
struct Contents {
    #[serde(default)]
    servers: BTreeMap<String, Stored>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    token: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    local: bool,
}

impl Store {
    /// The store in a directory, which need not exist yet.
    #[must_use]
    pub fn in_dir(dir: &Path) -> Self {
        Self {
            path: dir.join("credentials.json"),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The session kept for a server.
    ///
    /// # Errors
    /// If the file is there and cannot be used.
    pub fn load(&self, server: &Address) -> Result<Option<Entry>, CredentialsError> {
        let mut contents = self.read()?;
        Ok(contents
            .servers
            .remove(&server.to_string())
            .map(|stored| Entry {
                token: stored.token.into(),
                user: stored.user,
                local: stored.local,
            }))
    }

    /// Keeps a session for a server in place of the one before.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub fn save(&self, server: &Address, entry: &Entry) -> Result<(), CredentialsError> {
        self.change(|servers| {
            let stored = Stored {
                token: entry.token.expose_secret().to_owned(),
                user: entry.user.clone(),
                local: entry.local,
            };
            servers.insert(server.to_string(), stored);
        })
    }

    /// Forgets the session of a server.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub fn remove(&self, server: &Address) -> Result<(), CredentialsError> {
        if !self.path.exists() {
            return Ok(());
        }
        self.change(|servers| {
            servers.remove(&server.to_string());
        })
    }

    fn read(&self) -> Result<Contents, CredentialsError> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Contents::default());
            }
            Err(cause) => return Err(self.io("read", cause)),
        };
        check_private(&file, &self.path)?;
        let text = read_bounded(file, &self.path, FILE_MAX)?;
        serde_json::from_str(&text).map_err(|error| CredentialsError::Damaged {
            path: self.path.clone(),
            // Line and column only: the message could repeat a token.
            what: format!("line {}, column {}", error.line(), error.column()),
        })
    }

    /// Reads, changes and replaces the file while holding a lock, so that two
    /// clients that sign in to two servers at once keep both sessions.
    fn change(
        &self,
        change: impl FnOnce(&mut BTreeMap<String, Stored>),
    ) -> Result<(), CredentialsError> {
        let dir = self.path.parent().unwrap_or(Path::new("."));
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(|cause| self.io("make the directory of", cause))?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(self.path.with_extension("lock"))
            .map_err(|cause| self.io("lock", cause))?;
        // Released when `lock` is dropped.
        lock.lock().map_err(|cause| self.io("lock", cause))?;
        let mut contents = self.read()?;
        change(&mut contents.servers);
        let mut text = serde_json::to_vec_pretty(&contents)
            .map_err(|error| self.io("write", std::io::Error::other(error)))?;
        text.push(b'\n');
        let temporary = self
            .path
            .with_extension(format!("{}.tmp", uuid::Uuid::new_v4().simple()));
        let written = write_private(&temporary, &text)
            .and_then(|()| std::fs::rename(&temporary, &self.path))
            .and_then(|()| File::open(dir)?.sync_all());
        if let Err(cause) = written {
            // Best effort: what matters is the first error.
            let _ = std::fs::remove_file(&temporary);
            return Err(self.io("write", cause));
        }
        Ok(())
    }

    fn io(&self, doing: &'static str, cause: std::io::Error) -> CredentialsError {
        CredentialsError::Io {
            doing,
            path: self.path.clone(),
            cause,
        }
    }
}

/// Reads a token from a file that holds nothing else. A pipe or `/dev/stdin`
/// will do; an ordinary file must be its owner's alone.
///
/// # Errors
/// If it cannot be read, others may read it, or it holds no token.
pub fn read_token_file(path: &Path) -> Result<SecretString, CredentialsError> {
    let file = File::open(path).map_err(|cause| CredentialsError::Io {
        doing: "read",
        path: path.to_owned(),
        cause,
    })?;
    check_private(&file, path)?;
    let text = read_bounded(file, path, TOKEN_MAX as u64 + 2)?;
    check_token(&text, &path.display().to_string())
}

/// Checks that a text can be a token, so that a stray line feed is told apart
/// from an expired session. A line end after it is taken away.
///
/// # Errors
/// If it cannot be one.
pub fn check_token(text: &str, origin: &str) -> Result<SecretString, CredentialsError> {
    let token = text.trim_end_matches(['\r', '\n']);
    if token.is_empty() || token.len() > TOKEN_MAX || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(CredentialsError::Malformed {
            origin: origin.to_owned(),
        });
    }
    Ok(token.into())
}

/// Refuses an ordinary file that others may read.
///
/// # Errors
/// With the permissions that it has.
pub fn check_private(file: &File, path: &Path) -> Result<(), CredentialsError> {
    let metadata = file.metadata().map_err(|cause| CredentialsError::Io {
        doing: "read",
        path: path.to_owned(),
        cause,
    })?;
    let mode = metadata.mode() & 0o7777;
    if metadata.is_file() && mode & 0o077 != 0 {
        return Err(CredentialsError::Permissions {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(())
}

fn read_bounded(file: File, path: &Path, max: u64) -> Result<String, CredentialsError> {
    let mut text = String::new();
    file.take(max + 1)
        .read_to_string(&mut text)
        .map_err(|cause| CredentialsError::Io {
            doing: "read",
            path: path.to_owned(),
            cause,
        })?;
    if text.len() as u64 > max {
        return Err(CredentialsError::Damaged {
            path: path.to_owned(),
            what: format!("over {max} bytes"),
        });
    }
    Ok(text)
}

fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn entry(token: &str) -> Entry {
        Entry {
            token: token.into(),
            user: "a@b.example".into(),
            local: false,
        }
    }

    fn token(store: &Store, server: &Address) -> Option<String> {
        store
            .load(server)
            .unwrap()
            .map(|entry| entry.token.expose_secret().to_owned())
    }

    #[test]
    fn keeps_one_session_per_server() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::in_dir(&dir.path().join("new"));
        let (a, b) = (
            Address::parse("/a").unwrap(),
            Address::parse("https://b").unwrap(),
        );
        assert_eq!(token(&store, &a), None);
        store.save(&a, &entry("kiln_s_1")).unwrap();
        store.save(&b, &entry("kiln_s_2")).unwrap();
        store.save(&a, &entry("kiln_s_3")).unwrap();
        assert_eq!(token(&store, &a).as_deref(), Some("kiln_s_3"));
        assert_eq!(token(&store, &b).as_deref(), Some("kiln_s_2"));
        store.remove(&a).unwrap();
        assert_eq!(token(&store, &a), None);
        assert_eq!(token(&store, &b).as_deref(), Some("kiln_s_2"));
    }

    #[test]
    fn only_the_owner_may_read_and_nothing_is_left_over() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::in_dir(&dir.path().join("new"));
        let server = Address::parse("/a").unwrap();
        store.save(&server, &entry("kiln_s_1")).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o7777;
        assert_eq!(mode(store.path()), 0o600);
        assert_eq!(mode(store.path().parent().unwrap()), 0o700);
        let mut names: Vec<_> = std::fs::read_dir(dir.path().join("new"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["credentials.json", "credentials.lock"]);
    }

    #[test]
    fn a_file_that_others_may_read_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::in_dir(dir.path());
        let server = Address::parse("/a").unwrap();
        store.save(&server, &entry("kiln_s_1")).unwrap();
        std::fs::set_permissions(store.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = store.load(&server).unwrap_err().to_string();
        assert!(error.starts_with("permissions 0644 on "), "{error}");
        assert!(error.ends_with("credentials.json, need 0600"), "{error}");
        assert!(store.save(&server, &entry("kiln_s_2")).is_err());
        let text = std::fs::read_to_string(store.path()).unwrap();
        assert!(text.contains("kiln_s_1"), "{text}");
    }

    #[test]
    fn a_damaged_file_is_reported_without_its_contents() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::in_dir(dir.path());
        write_private(
            store.path(),
            br#"{"servers":{"x":{"token":kiln_s_secret}}}"#,
        )
        .unwrap();
        let error = store
            .load(&Address::parse("/a").unwrap())
            .unwrap_err()
            .to_string();
        assert!(error.contains("is damaged"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn two_clients_at_once_keep_both_sessions() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::in_dir(dir.path());
        std::thread::scope(|scope| {
            for n in 0..16 {
                let store = store.clone();
                scope.spawn(move || {
                    let server = Address::parse(&format!("/{n}")).unwrap();
                    store.save(&server, &entry(&format!("t{n}"))).unwrap();
                });
            }
        });
        for n in 0..16 {
            let server = Address::parse(&format!("/{n}")).unwrap();
            assert_eq!(token(&store, &server), Some(format!("t{n}")));
        }
    }

    #[test]
    fn tokens_have_no_spaces_and_a_bound() {
        assert_eq!(
            check_token("kiln_k_1\r\n", "x").unwrap().expose_secret(),
            "kiln_k_1"
        );
        for bad in ["", "\n", "a b", "a\nb", "é", &"x".repeat(TOKEN_MAX + 1)] {
            assert!(check_token(bad, "x").is_err(), "{bad:?}");
        }
    }
}
