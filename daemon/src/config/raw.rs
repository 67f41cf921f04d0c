//! The shape of the configuration file, before any rule is applied, and how
//! environment variables lie over it.

use serde::Deserialize;

/// The file as written. Keys that are not here are refused.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    pub(super) data_dir: Option<String>,
    pub(super) runtime_dir: Option<String>,
    pub(super) listen: RawListen,
    pub(super) database: RawDatabase,
    pub(super) model: RawModel,
    pub(super) sandbox: RawSandbox,
    pub(super) preview: RawPreview,
    pub(super) auth: RawAuth,
    pub(super) limits: RawLimits,
    pub(super) log: RawLog,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawListen {
    pub(super) tcp: Option<String>,
    pub(super) unix: Option<String>,
    pub(super) reflection: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawDatabase {
    pub(super) url: Option<String>,
    pub(super) postgres_bin: Option<String>,
    pub(super) connections: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawModel {
    pub(super) base_url: Option<String>,
    pub(super) api_key: Option<String>,
    pub(super) default: Option<String>,
    pub(super) code: Option<String>,
    pub(super) fast: Option<String>,
    pub(super) reasoning: Option<String>,
    pub(super) long_context: Option<String>,
    pub(super) fallbacks: Option<Vec<String>>,
    pub(super) max_tokens: Option<i64>,
    pub(super) first_token_timeout_seconds: Option<i64>,
    pub(super) idle_timeout_seconds: Option<i64>,
    pub(super) ceiling_seconds: Option<i64>,
    pub(super) demo_speed: Option<i64>,
    pub(super) local_ports: Option<Vec<super::ports::RawPort>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawSandbox {
    pub(super) image: Option<String>,
    pub(super) supervisor: Option<String>,
    pub(super) docker_host: Option<String>,
    pub(super) memory_mib: Option<i64>,
    pub(super) workspace_mib: Option<i64>,
    pub(super) cpus: Option<f64>,
    pub(super) pids: Option<i64>,
    pub(super) limit: Option<i64>,
    pub(super) network: Option<String>,
    pub(super) runtime: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawPreview {
    pub(super) port_first: Option<i64>,
    pub(super) port_last: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawAuth {
    pub(super) sign_up: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLimits {
    pub(super) generations_per_user: Option<i64>,
    pub(super) streams_per_user: Option<i64>,
    pub(super) connections: Option<i64>,
    pub(super) connections_per_address: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLog {
    pub(super) format: Option<String>,
    pub(super) level: Option<String>,
}

/// Kinds of values, to read an environment variable as the file would have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Whole,
    Decimal,
    YesNo,
    List,
}

/// Every key, with its kind: section (empty for the top), name, kind. The
/// environment variable is `KILN_<SECTION>_<NAME>`, in capitals.
pub(super) const KEYS: &[(&str, &str, Kind)] = &[
    ("", "data_dir", Kind::Text),
    ("", "runtime_dir", Kind::Text),
    ("listen", "tcp", Kind::Text),
    ("listen", "unix", Kind::Text),
    ("listen", "reflection", Kind::YesNo),
    ("database", "url", Kind::Text),
    ("database", "postgres_bin", Kind::Text),
    ("database", "connections", Kind::Whole),
    ("model", "base_url", Kind::Text),
    ("model", "api_key", Kind::Text),
    ("model", "default", Kind::Text),
    ("model", "code", Kind::Text),
    ("model", "fast", Kind::Text),
    ("model", "reasoning", Kind::Text),
    ("model", "long_context", Kind::Text),
    ("model", "fallbacks", Kind::List),
    ("model", "max_tokens", Kind::Whole),
    ("model", "first_token_timeout_seconds", Kind::Whole),
    ("model", "idle_timeout_seconds", Kind::Whole),
    ("model", "ceiling_seconds", Kind::Whole),
    ("model", "demo_speed", Kind::Whole),
    ("model", "local_ports", Kind::List),
    ("sandbox", "image", Kind::Text),
    ("sandbox", "supervisor", Kind::Text),
    ("sandbox", "docker_host", Kind::Text),
    ("sandbox", "memory_mib", Kind::Whole),
    ("sandbox", "workspace_mib", Kind::Whole),
    ("sandbox", "cpus", Kind::Decimal),
    ("sandbox", "pids", Kind::Whole),
    ("sandbox", "limit", Kind::Whole),
    ("sandbox", "network", Kind::Text),
    ("sandbox", "runtime", Kind::Text),
    ("preview", "port_first", Kind::Whole),
    ("preview", "port_last", Kind::Whole),
    ("auth", "sign_up", Kind::Text),
    ("limits", "generations_per_user", Kind::Whole),
    ("limits", "streams_per_user", Kind::Whole),
    ("limits", "connections", Kind::Whole),
    ("limits", "connections_per_address", Kind::Whole),
    ("log", "format", Kind::Text),
    ("log", "level", Kind::Text),
];

/// The environment variable of a key.
pub(super) fn variable(section: &str, name: &str) -> String {
    let key = if section.is_empty() {
        format!("KILN_{name}")
    } else {
        format!("KILN_{section}_{name}")
    };
    key.to_ascii_uppercase()
}

/// Names that other tools use for the same thing; ours win.
pub(super) const ALIASES: &[(&str, &str, &str)] = &[
    ("DATABASE_URL", "database", "url"),
    ("OPENROUTER_API_KEY", "model", "api_key"),
];

/// Reads a variable's text as a value of its kind.
pub(super) fn value(kind: Kind, text: &str) -> Result<toml::Value, &'static str> {
    Ok(match kind {
        Kind::Text => toml::Value::String(text.to_owned()),
        Kind::Whole => toml::Value::Integer(text.parse().map_err(|_| "needs a whole number")?),
        Kind::Decimal => toml::Value::Float(text.parse().map_err(|_| "needs a number")?),
        Kind::YesNo => toml::Value::Boolean(text.parse().map_err(|_| "needs true or false")?),
        Kind::List => toml::Value::Array(
            text.split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(|item| toml::Value::String(item.to_owned()))
                .collect(),
        ),
    })
}
