//! The one network of a deployment: a bridge on which sandboxes do not see each
//! other. One for each sandbox would run out of addresses at about thirty.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::NetworkCreateRequest;
use bollard::query_parameters::ListNetworksOptionsBuilder;
use tokio::time::{Instant, sleep};

use super::engine::{CALL, Engine, START};
use super::error::SandboxError;

/// How long a network that somebody else makes may take to be listed.
const APPEARS: Duration = Duration::from_secs(2);

impl Engine {
    /// Makes sure that the network is there and gives back its name.
    pub(super) async fn ensure_network(&self) -> Result<String, SandboxError> {
        let name = self.labels().network();
        if self.network_exists().await? {
            return Ok(name);
        }
        let docker = self.docker().await?;
        let request = NetworkCreateRequest {
            name: name.clone(),
            driver: Some("bridge".to_owned()),
            enable_ipv6: Some(false),
            options: Some(HashMap::from([
                (
                    "com.docker.network.bridge.name".to_owned(),
                    self.labels().bridge(),
                ),
                (
                    "com.docker.network.bridge.enable_icc".to_owned(),
                    "false".to_owned(),
                ),
            ])),
            labels: Some(self.labels().common(self.id().await?)),
            ..NetworkCreateRequest::default()
        };
        match self
            .call("create network", START, docker.create_network(request))
            .await
        {
            Ok(_) => Ok(name),
            // Somebody else makes it at this moment: the bridge is taken before the
            // network can be listed.
            Err(error @ (SandboxError::Refused(_) | SandboxError::Conflict(_))) => {
                let deadline = Instant::now() + APPEARS;
                loop {
                    if self.network_exists().await? {
                        return Ok(name);
                    }
                    if Instant::now() > deadline {
                        return Err(error);
                    }
                    sleep(Duration::from_millis(50)).await;
                }
            }
            Err(error) => Err(error),
        }
    }

    async fn network_exists(&self) -> Result<bool, SandboxError> {
        let docker = self.docker().await?;
        let options = ListNetworksOptionsBuilder::default()
            .filters(&self.labels().filter_all())
            .build();
        let networks = self
            .call("list networks", CALL, docker.list_networks(Some(options)))
            .await?;
        Ok(!networks.is_empty())
    }
}
