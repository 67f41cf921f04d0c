//! Where the engine is: a configured address, `DOCKER_HOST`, the current docker
//! context, or a local socket, in that order, as the docker command does it.

use std::path::{Path, PathBuf};

use bollard::{API_DEFAULT_VERSION, Docker};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::error::{SandboxError, engine_error};

/// Seconds that bollard itself waits for the head of an answer. Every call has
/// a tighter limit of its own; this one only catches what would have none.
const CLIENT_SECONDS: u64 = 120;

/// An address of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// A unix socket.
    Unix(PathBuf),
    /// TCP without protection, as `host:port`.
    Tcp(String),
    /// TCP with client certificates.
    Tls {
        /// As `host:port`.
        host: String,
        /// Directory of `ca.pem`, `cert.pem` and `key.pem`.
        certificates: PathBuf,
    },
}

/// What an address is made from, so that tests need no process environment.
pub(super) struct Surroundings<'a> {
    /// The configured address.
    pub(super) configured: Option<&'a str>,
    /// Reads an environment variable.
    pub(super) variable: &'a dyn Fn(&str) -> Option<String>,
}

#[derive(Deserialize)]
struct ClientConfig {
    #[serde(rename = "currentContext", default)]
    current_context: String,
}

#[derive(Deserialize)]
struct ContextMeta {
    #[serde(rename = "Endpoints", default)]
    endpoints: ContextEndpoints,
}

#[derive(Default, Deserialize)]
struct ContextEndpoints {
    docker: Option<ContextEndpoint>,
}

#[derive(Deserialize)]
struct ContextEndpoint {
    #[serde(rename = "Host", default)]
    host: String,
}

impl Surroundings<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    fn home(&self) -> Option<PathBuf> {
        self.variable("HOME").map(PathBuf::from)
    }

    fn docker_directory(&self) -> Option<PathBuf> {
        self.variable("DOCKER_CONFIG")
            .map(PathBuf::from)
            .or_else(|| self.home().map(|home| home.join(".docker")))
    }
}

impl Address {
    /// Finds the address. Reads the docker command's own files where nothing
    /// was set.
    pub(super) fn find(surroundings: &Surroundings<'_>) -> Result<Self, SandboxError> {
        let given = surroundings
            .configured
            .map(str::to_owned)
            .or_else(|| surroundings.variable("DOCKER_HOST"));
        if let Some(given) = given {
            let certificates = surroundings
                .variable("DOCKER_TLS_VERIFY")
                .and_then(|_| {
                    surroundings
                        .variable("DOCKER_CERT_PATH")
                        .map(PathBuf::from)
                        .or_else(|| surroundings.docker_directory())
                })
                .filter(|_| !given.starts_with("unix://"));
            return Self::parse(&given, certificates);
        }
        match Self::of_context(surroundings)? {
            Some(address) => Ok(address),
            None => Ok(Self::local(surroundings)),
        }
    }

    fn of_context(surroundings: &Surroundings<'_>) -> Result<Option<Self>, SandboxError> {
        let Some(directory) = surroundings.docker_directory() else {
            return Ok(None);
        };
        let name = match surroundings.variable("DOCKER_CONTEXT") {
            Some(name) => name,
            None => match std::fs::read(directory.join("config.json")) {
                Ok(bytes) => serde_json::from_slice::<ClientConfig>(&bytes)
                    .map(|config| config.current_context)
                    .unwrap_or_default(),
                Err(_) => String::new(),
            },
        };
        if name.is_empty() || name == "default" {
            return Ok(None);
        }
        let key = hex(&Sha256::digest(name.as_bytes()));
        let contexts = directory.join("contexts");
        let meta = std::fs::read(contexts.join("meta").join(&key).join("meta.json"))
            .map_err(|_| SandboxError::Address(format!("there is no docker context {name:?}")))?;
        let meta: ContextMeta = serde_json::from_slice(&meta).map_err(|error| {
            SandboxError::Address(format!("the docker context {name:?} is damaged: {error}"))
        })?;
        let host = meta
            .endpoints
            .docker
            .map(|endpoint| endpoint.host)
            .unwrap_or_default();
        if host.is_empty() {
            return Ok(None);
        }
        let certificates = contexts.join("tls").join(&key).join("docker");
        let certificates = certificates.join("ca.pem").exists().then_some(certificates);
        Self::parse(&host, certificates).map(Some)
    }

    fn parse(text: &str, certificates: Option<PathBuf>) -> Result<Self, SandboxError> {
        if let Some(path) = text.strip_prefix("unix://") {
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        if text.starts_with('/') {
            return Ok(Self::Unix(PathBuf::from(text)));
        }
        let plain = ["tcp://", "http://"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme));
        let secure = text.strip_prefix("https://");
        match (plain, secure, certificates) {
            (Some(host), _, None) => Ok(Self::Tcp(host.to_owned())),
            (Some(host), _, Some(certificates)) | (_, Some(host), Some(certificates)) => {
                Ok(Self::Tls {
                    host: host.to_owned(),
                    certificates,
                })
            }
            (None, Some(_), None) => Err(SandboxError::Address(format!(
                "{text} needs client certificates: set DOCKER_TLS_VERIFY and DOCKER_CERT_PATH"
            ))),
            (None, None, _) => Err(SandboxError::Address(format!(
                "{text} is not supported; use unix://, or tcp:// (forward a socket with `ssh -L` instead of ssh://)"
            ))),
        }
    }

    /// The first local socket that exists: the system's, a rootless engine's,
    /// Docker Desktop's.
    fn local(surroundings: &Surroundings<'_>) -> Self {
        let system = PathBuf::from("/var/run/docker.sock");
        let rootless = surroundings
            .variable("XDG_RUNTIME_DIR")
            .map(|directory| Path::new(&directory).join("docker.sock"));
        let desktop = surroundings
            .home()
            .map(|home| home.join(".docker/run/docker.sock"));
        let found = std::iter::once(system.clone())
            .chain(rootless)
            .chain(desktop)
            .find(|path| path.exists());
        Self::Unix(found.unwrap_or(system))
    }

    /// A client for the engine; nothing is sent yet.
    pub(super) fn client(&self) -> Result<Docker, SandboxError> {
        let client = match self {
            Self::Unix(path) => Docker::connect_with_unix(
                &path.to_string_lossy(),
                CLIENT_SECONDS,
                API_DEFAULT_VERSION,
            ),
            Self::Tcp(host) => Docker::connect_with_http(
                &format!("tcp://{host}"),
                CLIENT_SECONDS,
                API_DEFAULT_VERSION,
            ),
            Self::Tls { host, certificates } => Docker::connect_with_ssl(
                &format!("tcp://{host}"),
                &certificates.join("key.pem"),
                &certificates.join("cert.pem"),
                &certificates.join("ca.pem"),
                CLIENT_SECONDS,
                API_DEFAULT_VERSION,
            ),
        };
        client.map_err(|error| engine_error("connect", &error))
    }
}

/// Bytes as lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(configured: Option<&str>, variables: &[(&str, &str)]) -> Result<Address, SandboxError> {
        Address::find(&Surroundings {
            configured,
            variable: &|name| {
                variables
                    .iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| (*value).to_owned())
            },
        })
    }

    #[test]
    fn configuration_comes_before_the_environment_and_that_before_contexts() {
        assert_eq!(
            find(Some("unix:///a"), &[("DOCKER_HOST", "unix:///b")]).unwrap(),
            Address::Unix("/a".into())
        );
        assert_eq!(
            find(
                None,
                &[
                    ("DOCKER_HOST", "tcp://h:2375"),
                    ("DOCKER_CONTEXT", "missing")
                ]
            )
            .unwrap(),
            Address::Tcp("h:2375".into())
        );
    }

    #[test]
    fn tls_is_used_when_asked_for() {
        assert_eq!(
            find(
                None,
                &[
                    ("DOCKER_HOST", "tcp://h:2376"),
                    ("DOCKER_TLS_VERIFY", "1"),
                    ("DOCKER_CERT_PATH", "/certs")
                ]
            )
            .unwrap(),
            Address::Tls {
                host: "h:2376".into(),
                certificates: "/certs".into()
            }
        );
    }

    #[test]
    fn the_current_context_is_followed() {
        let directory = tempfile::tempdir().unwrap();
        let key = hex(&Sha256::digest(b"far"));
        let meta = directory.path().join("contexts/meta").join(&key);
        std::fs::create_dir_all(&meta).unwrap();
        std::fs::write(
            meta.join("meta.json"),
            r#"{"Name":"far","Metadata":{},"Endpoints":{"docker":{"Host":"unix:///far.sock","SkipTLSVerify":false}}}"#,
        )
        .unwrap();
        std::fs::write(
            directory.path().join("config.json"),
            r#"{"auths":{},"currentContext":"far"}"#,
        )
        .unwrap();
        let variables = [("DOCKER_CONFIG", directory.path().to_str().unwrap())];
        assert_eq!(
            find(None, &variables).unwrap(),
            Address::Unix("/far.sock".into())
        );
        let variables = [variables[0], ("DOCKER_CONTEXT", "nowhere")];
        assert!(matches!(
            find(None, &variables),
            Err(SandboxError::Address(message)) if message.contains("nowhere")
        ));
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_advice() {
        assert!(matches!(
            find(Some("ssh://host"), &[]),
            Err(SandboxError::Address(message)) if message.contains("ssh -L")
        ));
        assert!(matches!(
            find(Some("https://host"), &[]),
            Err(SandboxError::Address(message)) if message.contains("DOCKER_CERT_PATH")
        ));
    }
}
