//! `kiln.toml`: what describes a template. Unknown keys are refused.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use crate::domain::path::SafePath;

/// Longest manifest, in bytes.
pub(super) const BYTES_MAX: usize = 64 * 1024;
/// Longest check.
const CHECK_SECONDS_MAX: u64 = 600;

/// A manifest that was checked.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) title: String,
    pub(super) description: String,
    pub(super) install: Vec<String>,
    pub(super) start: Vec<String>,
    pub(super) check: Vec<String>,
    pub(super) check_timeout: Duration,
    pub(super) note: String,
    pub(super) dependency_files: Vec<SafePath>,
    pub(super) environment: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    title: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    install: Vec<String>,
    start: Vec<String>,
    #[serde(default)]
    check: Vec<String>,
    #[serde(default = "default_check_timeout")]
    check_timeout_seconds: u64,
    #[serde(default)]
    note: String,
    #[serde(default)]
    dependency_files: Vec<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
}

const fn default_check_timeout() -> u64 {
    120
}

impl Manifest {
    /// Reads a manifest; an error says where in the file.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > BYTES_MAX {
            return Err(format!("it is larger than {BYTES_MAX} bytes"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
        let raw: Raw = toml::from_str(text).map_err(|error| error.to_string())?;
        if raw.title.trim().is_empty() {
            return Err("title is empty".to_owned());
        }
        if raw.start.is_empty() {
            return Err("start is empty: it is the program that serves the app".to_owned());
        }
        for (key, command) in [
            ("install", &raw.install),
            ("start", &raw.start),
            ("check", &raw.check),
        ] {
            if command.first().is_some_and(String::is_empty)
                || command.iter().any(|argument| argument.contains('\0'))
            {
                return Err(format!("{key} is not a program with arguments"));
            }
        }
        if !(1..=CHECK_SECONDS_MAX).contains(&raw.check_timeout_seconds) {
            return Err(format!(
                "check_timeout_seconds is not from 1 to {CHECK_SECONDS_MAX}"
            ));
        }
        for (name, value) in &raw.environment {
            if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                return Err(format!("environment: {name:?} is not a variable"));
            }
        }
        let dependency_files = raw
            .dependency_files
            .iter()
            .map(|path| {
                SafePath::parse(path)
                    .map_err(|problem| format!("dependency_files: {path:?}: {problem}"))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            title: raw.title,
            description: raw.description,
            install: raw.install,
            start: raw.start,
            check: raw.check,
            check_timeout: Duration::from_secs(raw.check_timeout_seconds),
            note: raw.note.trim().to_owned(),
            dependency_files,
            environment: raw.environment,
        })
    }
}
