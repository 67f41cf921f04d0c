//! Configuration: one struct, read and validated before anything starts. Where
//! values come from is for `load`, which of them will do for `check`.

mod check;
mod load;
mod numbers;
mod places;
mod ports;
mod raw;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

pub use check::{DEFAULT_IMAGE, OPENROUTER_URL};
pub use load::{ConfigError, Sources, load};

/// Everything that can be set. The file has the same names as the fields
/// (`[model] base_url = …`); every key has an environment variable
/// (`KILN_MODEL_BASE_URL`), and the common ones a flag.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the daemon keeps its own things: identity, lock, managed Postgres.
    pub data_dir: PathBuf,
    /// Where the unix sockets go.
    pub runtime_dir: PathBuf,
    /// Where the API listens.
    pub listen: ListenConfig,
    /// The database.
    pub database: DatabaseConfig,
    /// The model provider.
    pub model: ModelConfig,
    /// Sandboxes.
    pub sandbox: SandboxConfig,
    /// Previews.
    pub preview: PreviewConfig,
    /// Accounts.
    pub auth: AuthConfig,
    /// Limits.
    pub limits: LimitsConfig,
    /// Logs.
    pub log: LogConfig,
}

/// Logs.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// For people or for machines.
    pub format: LogFormat,
    /// A filter such as `info` or `kiln_daemon=debug,info`.
    pub level: String,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// Where the API listens.
#[derive(Clone, Debug)]
pub struct ListenConfig {
    /// TCP address; loopback. `None`: no TCP.
    pub tcp: Option<SocketAddr>,
    /// Unix socket.
    pub unix: PathBuf,
    /// Whether reflection is served.
    pub reflection: bool,
}

/// The database.
#[derive(Clone, Debug)]
pub struct DatabaseConfig {
    /// `None`: the daemon keeps a cluster of its own.
    pub url: Option<SecretString>,
    /// Where the Postgres binaries are; `None`: looked for.
    pub postgres_bin: Option<PathBuf>,
    /// Connections at most.
    pub connections: u32,
}

/// The model provider.
#[derive(Clone, Debug)]
pub struct ModelConfig {
    /// Base URL of an OpenAI-compatible API.
    pub base_url: String,
    /// Whether `base_url` was set by the user: such an endpoint may need no key.
    pub base_url_is_custom: bool,
    /// Bearer key.
    pub api_key: Option<SecretString>,
    /// Model used where a request names none; `None`: see `llm::catalogue`.
    pub default: Option<String>,
    /// Models by role: `code`, `fast`, `reasoning`, `long_context`.
    pub roles: Vec<(String, String)>,
    /// Models tried by the provider after the chosen one.
    pub fallbacks: Vec<String>,
    /// Tokens of an answer at most.
    pub max_tokens: u32,
    /// Until the first token.
    pub first_token_timeout: Duration,
    /// Between tokens.
    pub idle_timeout: Duration,
    /// For a whole call.
    pub ceiling: Duration,
    /// How fast the demo model writes, in characters a second; 0 is at once.
    pub demo_speed: u32,
    /// Loopback ports on which servers of this machine are looked for.
    pub local_ports: Vec<u16>,
}

impl ModelConfig {
    /// Whether a provider is named here: then nobody chooses another.
    #[must_use]
    pub fn names_provider(&self) -> bool {
        self.api_key.is_some() || self.base_url_is_custom
    }
}

/// Sandboxes.
#[derive(Clone, Debug)]
pub struct SandboxConfig {
    /// Base image with Bun.
    pub image: String,
    /// The static supervisor binary; `None`: beside this program.
    pub supervisor: Option<PathBuf>,
    /// Engine address; `None`: `DOCKER_HOST`, the current context, or the local socket.
    pub docker_host: Option<String>,
    /// Bytes of memory, workspace included.
    pub memory_bytes: u64,
    /// Bytes of the workspace.
    pub workspace_bytes: u64,
    /// Cores.
    pub cpus: f64,
    /// Processes.
    pub pids: u32,
    /// Sandboxes that may run at once.
    pub limit: u32,
    /// Whether sandboxes reach the network at all.
    pub network: SandboxNetwork,
    /// Container runtime; `None`: the engine's default.
    pub runtime: Option<String>,
}

/// What sandboxes reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SandboxNetwork {
    /// A bridge of their own.
    Bridge,
    /// Nothing.
    None,
}

/// Previews.
#[derive(Clone, Debug)]
pub struct PreviewConfig {
    /// First loopback port given to a project.
    pub port_first: u16,
    /// Last one.
    pub port_last: u16,
}

/// Accounts.
#[derive(Clone, Debug)]
pub struct AuthConfig {
    /// Who may make an account.
    pub sign_up: SignUp,
}

/// Who may make an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignUp {
    /// Those with an invite.
    Invite,
    /// Everybody.
    Open,
    /// Nobody.
    Closed,
}

/// Limits.
#[derive(Clone, Debug)]
pub struct LimitsConfig {
    /// Generations of one user that run at once.
    pub generations_per_user: u32,
    /// Streams of one user.
    pub streams_per_user: u32,
    /// Connections.
    pub connections: u32,
    /// Connections of one address.
    pub connections_per_address: u32,
}
