//! Reads the file, lays the environment and the flags over it, and applies
//! every rule at once: all that is wrong is said in one go.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;

use super::raw::{ALIASES, KEYS, Kind, Raw, value, variable};
use super::{
    AuthConfig, Config, DatabaseConfig, LimitsConfig, ListenConfig, LogConfig, LogFormat,
    ModelConfig, PreviewConfig, SandboxConfig, SandboxNetwork, SignUp,
};

/// OpenRouter, where no other endpoint is configured.
pub const OPENROUTER_URL: &str = "https://openrouter.ai/api/v1";

/// The base image, as `scripts/sandbox-image` tags it.
pub const DEFAULT_IMAGE: &str = "kiln-sandbox-base:latest";

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
        None => (default_file(), false),
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

fn default_file() -> PathBuf {
    directories::ProjectDirs::from("", "", "kiln").map_or_else(
        || PathBuf::from("/etc/kiln/kilnd.toml"),
        |dirs| dirs.config_dir().join("kilnd.toml"),
    )
}

fn check(raw: Raw, problems: &mut Vec<String>) -> Config {
    let as_root = nix::unistd::Uid::effective().is_root();
    let data_dir = raw
        .data_dir
        .map_or_else(|| default_data_dir(as_root), PathBuf::from);
    let runtime_dir = raw
        .runtime_dir
        .map_or_else(|| default_runtime_dir(as_root), PathBuf::from);
    let listen = check_listen(raw.listen, &runtime_dir, problems);
    let model = check_model(raw.model, problems);
    let sandbox = check_sandbox(raw.sandbox, problems);
    let port_first = port(
        problems,
        "preview.port_first",
        raw.preview.port_first,
        42_000,
    );
    let port_last = port(problems, "preview.port_last", raw.preview.port_last, 42_999);
    if port_first > port_last {
        problems.push("config: preview.port_first is after preview.port_last".into());
    }
    check_database_url(raw.database.url.as_deref(), problems);
    let sign_up = match raw.auth.sign_up.as_deref() {
        None | Some("invite") => SignUp::Invite,
        Some("open") => SignUp::Open,
        Some("closed") => SignUp::Closed,
        Some(other) => {
            problems.push(format!(
                "config: auth.sign_up is \"{other}\", must be invite, open or closed"
            ));
            SignUp::Invite
        }
    };
    let format = match raw.log.format.as_deref() {
        None | Some("human") => LogFormat::Human,
        Some("json") => LogFormat::Json,
        Some(other) => {
            problems.push(format!(
                "config: log.format is \"{other}\", must be human or json"
            ));
            LogFormat::Human
        }
    };
    Config {
        data_dir,
        runtime_dir,
        listen,
        database: DatabaseConfig {
            url: raw.database.url.map(SecretString::from),
            postgres_bin: raw.database.postgres_bin.map(PathBuf::from),
            connections: whole(
                problems,
                "database.connections",
                raw.database.connections,
                10,
                2,
                200,
            ),
        },
        model,
        sandbox,
        preview: PreviewConfig {
            port_first,
            port_last,
        },
        auth: AuthConfig { sign_up },
        limits: LimitsConfig {
            generations_per_user: whole(
                problems,
                "limits.generations_per_user",
                raw.limits.generations_per_user,
                2,
                1,
                1_000,
            ),
            streams_per_user: whole(
                problems,
                "limits.streams_per_user",
                raw.limits.streams_per_user,
                32,
                1,
                10_000,
            ),
            connections: whole(
                problems,
                "limits.connections",
                raw.limits.connections,
                256,
                1,
                100_000,
            ),
            connections_per_address: whole(
                problems,
                "limits.connections_per_address",
                raw.limits.connections_per_address,
                32,
                1,
                100_000,
            ),
        },
        log: LogConfig {
            format,
            level: raw.log.level.unwrap_or_else(|| "info".into()),
        },
    }
}

fn check_listen(
    raw: super::raw::RawListen,
    runtime_dir: &Path,
    problems: &mut Vec<String>,
) -> ListenConfig {
    let tcp = match raw.tcp.as_deref() {
        Some("none") => None,
        None => Some(std::net::SocketAddr::from(([127, 0, 0, 1], 50_051))),
        Some(text) => match text.parse::<std::net::SocketAddr>() {
            Ok(address) if address.ip().is_loopback() => Some(address),
            Ok(address) => {
                problems.push(format!(
                    "config: listen.tcp is {address}: an address beyond loopback needs TLS, which this \
                     version does not serve; listen on 127.0.0.1 and use an SSH tunnel"
                ));
                None
            }
            Err(_) => {
                problems.push(format!(
                    "config: listen.tcp is \"{text}\", must be an address with a port (127.0.0.1:50051) or none"
                ));
                None
            }
        },
    };
    ListenConfig {
        tcp,
        unix: raw
            .unix
            .map_or_else(|| runtime_dir.join("kilnd.sock"), PathBuf::from),
        reflection: raw.reflection.unwrap_or(true),
    }
}

fn check_model(raw: super::raw::RawModel, problems: &mut Vec<String>) -> ModelConfig {
    let base_url_is_custom = raw.base_url.is_some();
    let base_url = raw.base_url.unwrap_or_else(|| OPENROUTER_URL.into());
    check_base_url(&base_url, problems);
    let api_key = raw.api_key.filter(|key| !key.is_empty());
    if let Some(key) = &api_key
        && key.chars().any(|c| c.is_control() || c.is_whitespace())
    {
        problems.push("config: model.api_key has white space or control characters in it".into());
    }
    let roles = [
        ("code", raw.code),
        ("fast", raw.fast),
        ("reasoning", raw.reasoning),
        ("long_context", raw.long_context),
    ];
    ModelConfig {
        base_url: base_url.trim_end_matches('/').to_owned(),
        base_url_is_custom,
        api_key: api_key.map(SecretString::from),
        default: raw.default.filter(|id| !id.is_empty()),
        roles: roles
            .into_iter()
            .filter_map(|(role, model)| Some((role.to_owned(), model?)))
            .collect(),
        fallbacks: raw.fallbacks.unwrap_or_default(),
        max_tokens: whole(
            problems,
            "model.max_tokens",
            raw.max_tokens,
            16_000,
            1,
            1_000_000,
        ),
        first_token_timeout: seconds(
            problems,
            "model.first_token_timeout_seconds",
            raw.first_token_timeout_seconds,
            120,
        ),
        idle_timeout: seconds(
            problems,
            "model.idle_timeout_seconds",
            raw.idle_timeout_seconds,
            60,
        ),
        ceiling: seconds(
            problems,
            "model.ceiling_seconds",
            raw.ceiling_seconds,
            1_800,
        ),
        demo_speed: whole(
            problems,
            "model.demo_speed",
            raw.demo_speed,
            6_000,
            0,
            10_000_000,
        ),
        local_ports: super::ports::local(raw.local_ports, problems),
    }
}

/// Over plain HTTP the key would be readable on the way: loopback only.
/// The driver takes any scheme, and would ask whatever answers there for 30 s.
fn check_database_url(url: Option<&str>, problems: &mut Vec<String>) {
    let is_ours = |url: &str| url.starts_with("postgres://") || url.starts_with("postgresql://");
    if url.is_some_and(|url| !is_ours(url)) {
        // It may hold a password: it is not repeated.
        problems.push(
            "config: database.url (DATABASE_URL) must start with postgres:// or postgresql://"
                .into(),
        );
    }
}

fn check_base_url(url: &str, problems: &mut Vec<String>) {
    let parsed: Result<http::Uri, _> = url.parse();
    let Ok(uri) = parsed else {
        problems.push("config: model.base_url is not a URL".into());
        return;
    };
    let host = uri.host().unwrap_or("");
    if uri
        .authority()
        .is_some_and(|authority| authority.as_str().contains('@'))
    {
        problems.push("config: model.base_url must not hold a user or password".into());
    }
    let loopback = host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback());
    match uri.scheme_str() {
        Some("https") if !host.is_empty() => {}
        Some("http") if loopback => {}
        Some("http") => problems.push(format!(
            "config: model.base_url uses plain http to {host}: use https, or an endpoint on loopback"
        )),
        _ => problems.push("config: model.base_url must start with https:// or http://".into()),
    }
}

fn check_sandbox(raw: super::raw::RawSandbox, problems: &mut Vec<String>) -> SandboxConfig {
    let memory = whole(
        problems,
        "sandbox.memory_mib",
        raw.memory_mib,
        1_536,
        256,
        65_536,
    );
    let workspace = whole(
        problems,
        "sandbox.workspace_mib",
        raw.workspace_mib,
        400,
        64,
        16_384,
    );
    if workspace >= memory {
        problems.push(
            "config: sandbox.workspace_mib counts as memory and must be below sandbox.memory_mib"
                .into(),
        );
    }
    let cpus = raw.cpus.unwrap_or(1.0);
    if !(0.1..=256.0).contains(&cpus) {
        problems.push(format!(
            "config: sandbox.cpus is {cpus}, must be 0.1 to 256"
        ));
    }
    let network = match raw.network.as_deref() {
        None | Some("bridge") => SandboxNetwork::Bridge,
        Some("none") => SandboxNetwork::None,
        Some(other) => {
            problems.push(format!(
                "config: sandbox.network is \"{other}\", must be bridge or none"
            ));
            SandboxNetwork::Bridge
        }
    };
    SandboxConfig {
        image: raw.image.unwrap_or_else(|| DEFAULT_IMAGE.into()),
        supervisor: raw.supervisor.map(PathBuf::from),
        docker_host: raw.docker_host,
        memory_bytes: u64::from(memory) << 20,
        workspace_bytes: u64::from(workspace) << 20,
        cpus,
        pids: whole(problems, "sandbox.pids", raw.pids, 256, 32, 32_768),
        limit: whole(problems, "sandbox.limit", raw.limit, 10, 1, 1_000),
        network,
        runtime: raw.runtime,
    }
}

fn whole(
    problems: &mut Vec<String>,
    key: &str,
    value: Option<i64>,
    default: u32,
    min: u32,
    max: u32,
) -> u32 {
    let Some(value) = value else { return default };
    match u32::try_from(value) {
        Ok(value) if (min..=max).contains(&value) => value,
        _ => {
            problems.push(format!("config: {key} is {value}, must be {min} to {max}"));
            default
        }
    }
}

fn port(problems: &mut Vec<String>, key: &str, value: Option<i64>, default: u16) -> u16 {
    let value = whole(problems, key, value, u32::from(default), 1_024, 65_535);
    u16::try_from(value).unwrap_or(default)
}

fn seconds(problems: &mut Vec<String>, key: &str, value: Option<i64>, default: u32) -> Duration {
    Duration::from_secs(u64::from(whole(problems, key, value, default, 1, 86_400)))
}

fn default_data_dir(as_root: bool) -> PathBuf {
    // A directory beneath root's home cannot be entered by the user `postgres`.
    if as_root {
        return PathBuf::from("/var/lib/kiln");
    }
    directories::ProjectDirs::from("", "", "kiln").map_or_else(
        || PathBuf::from("kiln-data"),
        |dirs| dirs.data_dir().to_owned(),
    )
}

/// Where the socket goes: the client looks in the same places.
fn default_runtime_dir(as_root: bool) -> PathBuf {
    if let Some(dir) = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty()) {
        return PathBuf::from(dir).join("kiln");
    }
    if as_root {
        return PathBuf::from("/run/kiln");
    }
    directories::ProjectDirs::from("", "", "kiln")
        .and_then(|dirs| dirs.state_dir().map(|dir| dir.join("run")))
        .unwrap_or_else(|| PathBuf::from("kiln-run"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn with_file(text: &str) -> Result<Config, ConfigError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        load(&Sources {
            file: Some(file.path().to_owned()),
            ..Sources::default()
        })
    }

    fn with_environment(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        load(&Sources {
            file: Some(file.path().to_owned()),
            environment: pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
            flags: vec![],
        })
    }

    fn problem(result: Result<Config, ConfigError>) -> String {
        result.expect_err("this configuration is wrong").to_string()
    }

    #[test]
    fn row_76_an_unknown_key_is_named_with_its_line() {
        let text = problem(with_file(
            "[model]\nbase_url = \"https://x.example/v1\"\ntypo = 1\n",
        ));
        assert!(
            text.starts_with("config: line 3: unknown key \"typo\""),
            "{text}"
        );
    }

    #[test]
    fn row_76_a_wrong_type_is_named_with_its_line() {
        let text = problem(with_file("\n[sandbox]\npids = \"many\"\n"));
        assert!(text.starts_with("config: line 3: "), "{text}");
    }

    #[test]
    fn row_77_a_secret_in_an_open_file_is_refused() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "[model]\napi_key = \"k\"").unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
        let text = problem(load(&Sources {
            file: Some(file.path().to_owned()),
            ..Sources::default()
        }));
        assert!(text.contains("permissions 0644"), "{text}");
        assert!(text.contains("need 0600"), "{text}");
    }

    #[test]
    fn row_78_an_address_beyond_loopback_is_refused() {
        let text = problem(with_environment(&[("KILN_LISTEN_TCP", "0.0.0.0:50051")]));
        assert!(text.contains("needs TLS"), "{text}");
    }

    #[test]
    fn row_80_a_key_with_a_newline_is_refused_and_an_empty_one_is_none() {
        let text = problem(with_environment(&[("OPENROUTER_API_KEY", "sk-or\nx")]));
        assert!(text.contains("model.api_key"), "{text}");
        assert!(!text.contains("sk-or"), "{text}");
        let config = with_environment(&[("OPENROUTER_API_KEY", "")]).unwrap();
        assert!(config.model.api_key.is_none());
    }

    #[test]
    fn row_81_numbers_out_of_range_say_the_range() {
        for bad in ["0", "-1", "1000000000"] {
            let text = problem(with_environment(&[("KILN_SANDBOX_PIDS", bad)]));
            assert!(text.contains("must be 32 to 32768"), "{text}");
        }
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let text = problem(with_file(
            "[auth]\nsign_up = \"maybe\"\n[log]\nformat = \"xml\"\n",
        ));
        assert_eq!(text.lines().count(), 2, "{text}");
    }

    #[test]
    fn the_key_never_travels_in_the_clear() {
        let text = problem(with_environment(&[(
            "KILN_MODEL_BASE_URL",
            "http://models.example/v1",
        )]));
        assert!(text.contains("plain http"), "{text}");
        assert!(with_environment(&[("KILN_MODEL_BASE_URL", "http://127.0.0.1:8000/v1")]).is_ok());
    }

    #[test]
    fn the_environment_lies_over_the_file_and_flags_over_both() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "[sandbox]\npids = 100\nlimit = 3").unwrap();
        let config = load(&Sources {
            file: Some(file.path().to_owned()),
            environment: vec![
                ("KILN_SANDBOX_PIDS".into(), "200".into()),
                ("KILN_DATA_DIR".into(), "/tmp/a".into()),
            ],
            flags: vec![("", "data_dir", "/tmp/b".into())],
        })
        .unwrap();
        assert_eq!((config.sandbox.pids, config.sandbox.limit), (200, 3));
        assert_eq!(config.data_dir, PathBuf::from("/tmp/b"));
    }

    #[test]
    fn a_secret_can_come_from_a_file() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "postgres://x@localhost/kiln").unwrap();
        let config =
            with_environment(&[("DATABASE_URL_FILE", file.path().to_str().unwrap())]).unwrap();
        assert!(config.database.url.is_some());
    }
}
