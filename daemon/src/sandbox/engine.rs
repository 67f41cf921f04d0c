//! A Docker engine: its client, the limits of every call, and what it is.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use tokio::sync::{Mutex, OnceCell, Semaphore};
use tokio::time::timeout;

use super::address::{Address, Surroundings};
use super::error::{SandboxError, engine_error};
use super::info::{self, EngineInfo, FirewallState};
use super::labels::Labels;
use crate::config::{SandboxConfig, SandboxNetwork};

/// Limit of an ordinary call.
pub(super) const CALL: Duration = Duration::from_secs(5);
/// Limit of creating or starting something.
pub(super) const START: Duration = Duration::from_secs(15);
/// Limit of removing something.
pub(super) const REMOVE: Duration = Duration::from_secs(10);

/// Calls that may be under way at one engine.
const CALLS_AT_ONCE: usize = 4;

/// A Docker engine, as one deployment sees it. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    config: SandboxConfig,
    labels: Labels,
    supervisor_binary: PathBuf,
    /// Made by the first call that reaches the engine.
    client: OnceCell<Docker>,
    /// Asked for once; it does not change while the engine lives.
    id: OnceCell<String>,
    calls: Semaphore,
    /// Held while an image is prepared: by one task at a time.
    preparing: Mutex<()>,
}

impl Engine {
    /// An engine as `config` says. Whatever is made there carries `deployment`
    /// as its label, and nothing without it is touched. `supervisor_binary` is the
    /// static program that becomes the first process of sandboxes. Does no IO.
    pub fn new(
        config: &SandboxConfig,
        deployment: String,
        supervisor_binary: PathBuf,
    ) -> Result<Self, SandboxError> {
        let sound = !deployment.is_empty()
            && deployment.len() <= 64
            && deployment
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !sound {
            return Err(SandboxError::Protocol(format!(
                "{deployment:?} cannot be the label of a deployment"
            )));
        }
        Ok(Self {
            inner: Arc::new(Inner {
                config: config.clone(),
                labels: Labels::new(deployment),
                supervisor_binary,
                client: OnceCell::new(),
                id: OnceCell::new(),
                calls: Semaphore::new(CALLS_AT_ONCE),
                preparing: Mutex::new(()),
            }),
        })
    }

    /// What the engine is, and what is wrong with it. At most 5 s.
    pub async fn info(&self) -> Result<EngineInfo, SandboxError> {
        let docker = self.docker().await?;
        let answer = self.call("info", CALL, docker.info()).await?;
        Ok(info::read(&answer, self.firewall()))
    }

    /// What keeps sandboxes from the host and its networks.
    #[must_use]
    pub fn firewall(&self) -> FirewallState {
        match self.config().network {
            SandboxNetwork::Bridge => FirewallState::Unfiltered,
            SandboxNetwork::None => FirewallState::NoNetwork,
        }
    }

    pub(super) fn config(&self) -> &SandboxConfig {
        &self.inner.config
    }

    pub(super) fn labels(&self) -> &Labels {
        &self.inner.labels
    }

    pub(super) fn supervisor_binary(&self) -> &PathBuf {
        &self.inner.supervisor_binary
    }

    pub(super) fn preparing(&self) -> &Mutex<()> {
        &self.inner.preparing
    }

    /// The engine's own id.
    pub(super) async fn id(&self) -> Result<&str, SandboxError> {
        self.inner
            .id
            .get_or_try_init(|| async { Ok(self.info().await?.id) })
            .await
            .map(String::as_str)
    }

    /// A client that speaks the engine's version. A failure is not remembered:
    /// the next call tries again.
    pub(super) async fn docker(&self) -> Result<Docker, SandboxError> {
        let connect = self.inner.client.get_or_try_init(|| async {
            let address = Address::find(&Surroundings {
                configured: self.config().docker_host.as_deref(),
                variable: &|name| std::env::var(name).ok(),
            })?;
            address
                .client()?
                .negotiate_version()
                .await
                .map_err(|error| engine_error("version", &error))
        });
        match timeout(CALL, connect).await {
            Ok(client) => client.cloned(),
            Err(_) => Err(late("version", CALL)),
        }
    }

    /// Makes one call, within its limit and within the number of calls that may
    /// be under way.
    pub(super) async fn call<T>(
        &self,
        what: &'static str,
        limit: Duration,
        call: impl Future<Output = Result<T, bollard::errors::Error>>,
    ) -> Result<T, SandboxError> {
        let limited = async {
            let _permit = self
                .inner
                .calls
                .acquire()
                .await
                .expect("the semaphore is never closed");
            call.await.map_err(|error| engine_error(what, &error))
        };
        match timeout(limit, limited).await {
            Ok(result) => result,
            Err(_) => Err(late(what, limit)),
        }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("labels", &self.inner.labels)
            .finish_non_exhaustive()
    }
}

fn late(what: &str, limit: Duration) -> SandboxError {
    SandboxError::Unavailable(format!("{what}: no answer within {} s", limit.as_secs()))
}
