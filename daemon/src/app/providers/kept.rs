//! The provider that an owner has chosen, in a file of the data directory that
//! only the daemon's user can read. It is never in the database.
//!
//! It refuses a file that others can read, and one that holds something else.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;
use secrecy::zeroize::Zeroizing;
use serde::{Deserialize, Serialize};

use crate::llm::Upstream;

/// Bytes of the file at most.
const LIMIT: u64 = 16 << 10;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// Others can read it.
    #[error("permissions {mode:04o} on {}, need 0600: it holds a secret", path.display())]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It holds something else.
    #[error(
        "{} does not hold a model provider that may be chosen: remove it to begin with the demo models",
        path.display()
    )]
    Content {
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

/// The file, which need not exist.
#[derive(Debug)]
pub(super) struct Kept {
    directory: PathBuf,
    path: PathBuf,
}

#[derive(Serialize)]
struct Written<'a> {
    base_url: &'a str,
    api_key: &'a str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Found {
    base_url: String,
    #[serde(default)]
    api_key: String,
}

impl Kept {
    /// The file in a data directory.
    pub(super) fn new(data_dir: &Path) -> Self {
        Self {
            directory: data_dir.to_owned(),
            path: data_dir.join("model-provider.json"),
        }
    }

    /// What is kept; `None` where nothing is.
    pub(super) fn read(&self) -> Result<Option<Upstream>, KeptError> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(self.failed("open", source)),
        };
        let metadata = file
            .metadata()
            .map_err(|source| self.failed("read", source))?;
        let mode = metadata.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeptError::Permissions {
                path: self.path.clone(),
                mode,
            });
        }
        let mut bytes = Zeroizing::new(Vec::new());
        file.take(LIMIT)
            .read_to_end(&mut bytes)
            .map_err(|source| self.failed("read", source))?;
        // What is wrong with it is not repeated: it holds a secret.
        let found: Found = serde_json::from_slice(&bytes).map_err(|_| self.content())?;
        Upstream::choose(&found.base_url, found.api_key.into())
            .map(Some)
            .map_err(|_| self.content())
    }

    /// Keeps a choice. Written aside and renamed: there is always a whole one.
    pub(super) fn write(&self, chosen: &Upstream) -> Result<(), KeptError> {
        let aside = self.path.with_extension("json.new");
        let write = || -> io::Result<()> {
            let json = Zeroizing::new(serde_json::to_vec(&Written {
                base_url: chosen.base_url(),
                api_key: chosen.api_key().map_or("", |key| key.expose_secret()),
            })?);
            // One that a kill left behind may have any permissions.
            remove(&aside)?;
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&aside)?;
            file.write_all(&json)?;
            file.sync_all()?;
            fs::rename(&aside, &self.path)?;
            File::open(&self.directory)?.sync_all()
        };
        write().map_err(|source| self.failed("write", source))
    }

    /// Forgets what is kept.
    pub(super) fn forget(&self) -> Result<(), KeptError> {
        remove(&self.path)
            .and_then(|()| File::open(&self.directory)?.sync_all())
            .map_err(|source| self.failed("remove", source))
    }

    fn content(&self) -> KeptError {
        KeptError::Content {
            path: self.path.clone(),
        }
    }

    fn failed(&self, action: &'static str, source: io::Error) -> KeptError {
        KeptError::Io {
            action,
            path: self.path.clone(),
            source,
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const KEY: &str = "sk-or-v1-this-must-never-be-seen";

    fn chosen(base_url: &str, key: &str) -> Upstream {
        Upstream::choose(base_url, key.into()).unwrap()
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_is_kept_is_private_comes_back_and_can_be_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::new(dir.path());
        assert!(kept.read().unwrap().is_none());
        kept.forget().unwrap();

        // What a kill left behind, open to all.
        let aside = dir.path().join("model-provider.json.new");
        fs::write(&aside, "half").unwrap();
        set_mode(&aside, 0o666);
        kept.write(&chosen("", KEY)).unwrap();
        assert!(!aside.exists());
        let mode = fs::metadata(&kept.path).unwrap().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let read = kept.read().unwrap().unwrap();
        assert_eq!(read.base_url(), crate::config::OPENROUTER_URL);
        assert_eq!(read.api_key().unwrap().expose_secret(), KEY);

        kept.write(&chosen("http://localhost:11434", "")).unwrap();
        let read = kept.read().unwrap().unwrap();
        assert_eq!(read.base_url(), "http://localhost:11434/v1");
        assert!(read.api_key().is_none());

        kept.forget().unwrap();
        assert!(kept.read().unwrap().is_none());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_others_can_read_or_that_holds_something_else_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::new(dir.path());
        kept.write(&chosen("", KEY)).unwrap();
        set_mode(&kept.path, 0o640);
        let text = kept.read().unwrap_err().to_string();
        assert!(text.contains("permissions 0640"), "{text}");

        set_mode(&kept.path, 0o600);
        for content in [
            String::new(),
            format!("{{\"api_key\":\"{KEY}\"}}"),
            format!("{{\"base_url\":\"https://models.example/v1\",\"api_key\":\"{KEY}\"}}"),
            format!("{{\"base_url\":\"\",\"api_key\":[\"{KEY}\"]}}"),
        ] {
            fs::write(&kept.path, content).unwrap();
            let error = kept.read().unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(text.contains("remove it"), "{text}");
            assert!(!text.contains(KEY), "{text}");
        }
    }
}
