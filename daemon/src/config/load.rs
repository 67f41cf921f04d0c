//! Reads the file and lays the environment and the flags over it. What the values
//! may be is for `check`.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::check::check;
use super::raw::{ALIASES, KEYS, Kind, Raw, value, variable};
use super::{Config, places};

/// What is wrong with the configuration, one line each.
#[derive(Debug)]
pub struct ConfigError(pub Vec<String>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

/// Where values come from besides the file.
#[derive(Debug, Default)]
pub struct Sources {
    /// The file; `None`: `config.toml` in the XDG configuration directory, if it is there.
    pub file: Option<PathBuf>,
    /// Environment variables.
    pub environment: Vec<(String, String)>,
    /// Flags, as (section, key, value): they win over everything.
    pub flags: Vec<(&'static str, &'static str, String)>,
}

/// Reads and checks everything.
///
/// # Errors
/// All that is wrong, at once.
pub fn load(sources: &Sources) -> Result<Config, ConfigError> {
    let mut problems = Vec::new();
    let mut table = read_file(sources, &mut problems);
    overlay(sources, &mut table, &mut problems);
    if !problems.is_empty() {
        return Err(ConfigError(problems));
    }
    let raw: Raw = toml::Value::Table(table)
        .try_into()
        .map_err(|error: toml::de::Error| {
            ConfigError(vec![format!("config: {}", error.message())])
        })?;
    let config = check(raw, &mut problems);
    if problems.is_empty() {
        Ok(config)
    } else {
        Err(ConfigError(problems))
    }
}

fn read_file(sources: &Sources, problems: &mut Vec<String>) -> toml::Table {
    let (path, required) = match &sources.file {
        Some(path) => (path.clone(), true),
        None => (places::file(), false),
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => {
            return toml::Table::new();
        }
        Err(error) => {
            problems.push(format!("config: cannot read {}: {error}", path.display()));
            return toml::Table::new();
        }
    };
    // The file is read by itself first: only then do errors have lines.
    match toml::from_str::<Raw>(&text) {
        Err(error) => {
            problems.push(describe(&text, &error));
            return toml::Table::new();
        }
        Ok(raw) => {
            let secret = raw.model.api_key.is_some()
                || raw.database.url.as_deref().is_some_and(url_has_password);
            if secret {
                check_private(&path, problems);
            }
        }
    }
    text.parse().unwrap_or_default()
}

/// `config: line 3: unknown key "x"`.
fn describe(text: &str, error: &toml::de::Error) -> String {
    let line = error.span().map_or(1, |span| {
        text[..span.start.min(text.len())].matches('\n').count() + 1
    });
    let message = error.message();
    let message = message
        .strip_prefix("unknown field `")
        .and_then(|rest| rest.split_once('`'))
        .map_or_else(
            || message.to_owned(),
            |(key, rest)| format!("unknown key \"{key}\"{}", rest.replace('`', "\"")),
        );
    format!("config: line {line}: {message}")
}

fn check_private(path: &Path, problems: &mut Vec<String>) {
    if let Ok(metadata) = std::fs::metadata(path) {
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            problems.push(format!(
                "config: permissions {mode:04o} on {}, need 0600: it holds a secret",
                path.display()
            ));
        }
    }
}

fn url_has_password(url: &str) -> bool {
    url.split_once("://")
        .and_then(|(_, rest)| rest.split('/').next())
        .and_then(|authority| authority.rsplit_once('@'))
        .is_some_and(|(user, _)| user.contains(':'))
}

fn overlay(sources: &Sources, table: &mut toml::Table, problems: &mut Vec<String>) {
    let look_up = |name: &str| {
        let direct = sources
            .environment
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
            .filter(|value| !value.trim().is_empty());
        direct.map(Ok).or_else(|| {
            let file_name = format!("{name}_FILE");
            let (_, path) = sources
                .environment
                .iter()
                .find(|(key, _)| *key == file_name)?;
            Some(
                std::fs::read_to_string(path)
                    .map(|text| text.trim_end_matches(['\n', '\r']).to_owned())
                    .map_err(|error| format!("{file_name}: cannot read {path}: {error}")),
            )
        })
    };
    for (section, name, kind) in KEYS {
        let own = variable(section, name);
        let alias = ALIASES
            .iter()
            .find(|(_, s, n)| s == section && n == name)
            .map(|(alias, _, _)| *alias);
        let found = look_up(&own)
            .map(|found| (own.clone(), found))
            .or_else(|| alias.and_then(|alias| Some((alias.to_owned(), look_up(alias)?))));
        if let Some((variable, found)) = found {
            match found.map(|text| {
                value(*kind, text.trim_end_matches('\r')).map(|v| (v, variable.clone()))
            }) {
                Ok(Ok((parsed, _))) => put(table, section, name, parsed),
                Ok(Err(need)) => problems.push(format!("{variable}: {need}")),
                Err(problem) => problems.push(problem),
            }
        }
    }
    for (section, name, text) in &sources.flags {
        let kind = KEYS
            .iter()
            .find(|(s, n, _)| s == section && n == name)
            .map_or(Kind::Text, |(_, _, kind)| *kind);
        match value(kind, text) {
            Ok(parsed) => put(table, section, name, parsed),
            Err(need) => problems.push(format!("{section}.{name}: {need}")),
        }
    }
}

fn put(table: &mut toml::Table, section: &str, name: &str, value: toml::Value) {
    if section.is_empty() {
        table.insert(name.to_owned(), value);
        return;
    }
    let section = table
        .entry(section.to_owned())
        .or_insert_with(|| toml::Value::Table(toml::Table::new()));
    if let toml::Value::Table(section) = section {
        section.insert(name.to_owned(), value);
    }
}

#[cfg(test)]
mod tests;
