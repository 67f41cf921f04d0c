//! Where Postgres is on this machine.
//!
//! Only looks; it installs and downloads nothing.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::PostgresError;

/// The oldest major version that the daemon runs on.
const OLDEST: u32 = 14;

/// A directory with the programs of one Postgres.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binaries {
    /// The directory.
    pub(super) dir: PathBuf,
    /// The major version.
    pub(super) major: u32,
}

impl Binaries {
    /// The server program.
    pub(super) fn postgres(&self) -> PathBuf {
        self.dir.join("postgres")
    }

    /// The program that makes clusters.
    pub(super) fn initdb(&self) -> PathBuf {
        self.dir.join("initdb")
    }
}

/// Chooses among what the machine has. With `cluster`, the directory of a
/// cluster and the major version that made it, nothing but that version will do;
/// without it the highest wins.
pub(super) fn find(
    configured: Option<&Path>,
    cluster: Option<(&Path, u32)>,
) -> Result<Binaries, PostgresError> {
    let Some(dir) = configured else {
        let dirs = places();
        if let Some((_, made)) = cluster {
            // The first that fits will do; running them all takes time.
            let mut fitting = dirs.iter().filter_map(|dir| inspect(dir).ok());
            if let Some(binaries) = fitting.find(|binaries| binaries.major == made) {
                return Ok(binaries);
            }
        }
        let found = dirs.iter().filter_map(|dir| inspect(dir).ok()).collect();
        return choose(found, cluster);
    };
    // Who names a directory wants that one and no other.
    match inspect(dir) {
        Ok(binaries) => choose(vec![binaries], cluster),
        Err(detail) => Err(PostgresError::ConfiguredBinaries {
            dir: dir.to_owned(),
            detail,
        }),
    }
}

fn choose(found: Vec<Binaries>, cluster: Option<(&Path, u32)>) -> Result<Binaries, PostgresError> {
    let mut majors: Vec<u32> = found.iter().map(|binaries| binaries.major).collect();
    majors.sort_unstable();
    majors.dedup();
    let Some(highest) = majors.last().copied() else {
        return Err(PostgresError::NoBinaries);
    };
    let wanted = match cluster {
        Some((_, made)) => made,
        None if highest < OLDEST => {
            return Err(PostgresError::TooOld {
                found: highest,
                need: OLDEST,
            });
        }
        None => highest,
    };
    if let Some(binaries) = found.into_iter().find(|binaries| binaries.major == wanted) {
        return Ok(binaries);
    }
    let Some((dir, made)) = cluster else {
        return Err(PostgresError::NoBinaries);
    };
    let found: Vec<String> = majors.iter().map(ToString::to_string).collect();
    Err(PostgresError::WrongMajor {
        dir: dir.to_owned(),
        made,
        found: found.join(", "),
    })
}

/// Where Postgres may be, distributions' own places first.
fn places() -> Vec<PathBuf> {
    let mut dirs = Vec::new();
    // Debian, Red Hat, Homebrew.
    for (parent, prefix, rest) in [
        ("/usr/lib/postgresql", "", "bin"),
        ("/usr", "pgsql-", "bin"),
        ("/opt/homebrew/opt", "postgresql@", "bin"),
    ] {
        for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                dirs.push(entry.path().join(rest));
            }
        }
    }
    if let Some(path) = std::env::var_os("PATH") {
        dirs.extend(std::env::split_paths(&path).filter(|dir| dir.is_absolute()));
    }
    dirs.extend(pg_config());
    dirs
}

fn pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output
        .status
        .success()
        .then(|| PathBuf::from(OsStr::new(text.trim())))
}

/// What is in `dir`, or what is missing there.
fn inspect(dir: &Path) -> Result<Binaries, String> {
    for program in ["postgres", "initdb"] {
        if !dir.join(program).is_file() {
            return Err(format!("there is no program {program}"));
        }
    }
    let output = Command::new(dir.join("postgres"))
        .arg("--version")
        .output()
        .map_err(|error| format!("postgres --version: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    match major_of(&text) {
        Some(major) => Ok(Binaries {
            dir: dir.to_owned(),
            major,
        }),
        None => Err("postgres --version names no version".to_owned()),
    }
}

/// `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`, `… 18beta1`.
fn major_of(text: &str) -> Option<u32> {
    let version = text.split_whitespace().nth(2)?;
    let digits = version.find(|letter: char| !letter.is_ascii_digit());
    version[..digits.unwrap_or(version.len())].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binaries(major: u32) -> Binaries {
        Binaries {
            dir: PathBuf::from(format!("/pg/{major}")),
            major,
        }
    }

    #[test]
    fn versions_are_read_as_they_are_printed() {
        for (text, major) in [
            (
                "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n",
                Some(15),
            ),
            ("postgres (PostgreSQL) 18beta1", Some(18)),
            ("postgres (PostgreSQL) 17", Some(17)),
            ("postgres (PostgreSQL)", None),
            ("postgres (PostgreSQL) devel", None),
            ("", None),
        ] {
            assert_eq!(major_of(text), major, "{text}");
        }
    }

    #[test]
    fn a_new_cluster_gets_the_highest_and_an_old_one_its_own() {
        let found = vec![binaries(15), binaries(17), binaries(16)];
        assert_eq!(choose(found.clone(), None).unwrap(), binaries(17));
        let cluster = Path::new("/data/cluster");
        assert_eq!(choose(found, Some((cluster, 15))).unwrap(), binaries(15));
    }

    #[test]
    fn what_is_missing_is_said() {
        let cluster = Path::new("/data/cluster");
        assert_eq!(
            choose(vec![], Some((cluster, 15))).unwrap_err().to_string(),
            "no Postgres binaries found: install them (apt-get install postgresql) or set DATABASE_URL"
        );
        assert_eq!(
            choose(vec![binaries(17), binaries(16)], Some((cluster, 15)))
                .unwrap_err()
                .to_string(),
            "the cluster in /data/cluster was made by Postgres 15, but only 16, 17 was found: install Postgres 15 (apt-get install postgresql-15), or set DATABASE_URL"
        );
        let error = choose(vec![binaries(9)], None).unwrap_err();
        assert!(
            matches!(
                error,
                PostgresError::TooOld {
                    found: 9,
                    need: OLDEST
                }
            ),
            "{error:?}"
        );
    }

    #[test]
    fn a_configured_directory_is_the_only_place_looked_at() {
        let empty = tempfile::tempdir().unwrap();
        let error = find(Some(empty.path()), None).unwrap_err();
        assert!(
            matches!(error, PostgresError::ConfiguredBinaries { .. }),
            "{error:?}"
        );
        assert!(error.is_configuration());
    }
}
