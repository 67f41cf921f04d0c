//! The rules of the configuration, all of them applied at once, so that all that
//! is wrong is said in one go. It reads nothing but what it is given.

use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::numbers::{port, seconds, whole};
use super::places;
use super::raw::{Raw, RawListen, RawModel, RawSandbox};
use super::{
    AuthConfig, Config, DatabaseConfig, LimitsConfig, ListenConfig, LogConfig, LogFormat,
    ModelConfig, PreviewConfig, SandboxConfig, SandboxNetwork, SignUp,
};

/// OpenRouter, where no other endpoint is configured.
pub const OPENROUTER_URL: &str = "https://openrouter.ai/api/v1";

/// The base image, as `scripts/sandbox-image` tags it.
pub const DEFAULT_IMAGE: &str = "kiln-sandbox-base:latest";

/// The configuration that these values make; what breaks a rule is added to
/// `problems`, and a default stands in for it.
pub(super) fn check(raw: Raw, problems: &mut Vec<String>) -> Config {
    let as_root = nix::unistd::Uid::effective().is_root();
    let data_dir = raw
        .data_dir
        .map_or_else(|| places::data_dir(as_root), PathBuf::from);
    let runtime_dir = raw
        .runtime_dir
        .map_or_else(|| places::runtime_dir(as_root), PathBuf::from);
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

fn check_listen(raw: RawListen, runtime_dir: &Path, problems: &mut Vec<String>) -> ListenConfig {
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

fn check_model(raw: RawModel, problems: &mut Vec<String>) -> ModelConfig {
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

/// Over plain HTTP the key would be readable on the way: loopback only.
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

fn check_sandbox(raw: RawSandbox, problems: &mut Vec<String>) -> SandboxConfig {
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
