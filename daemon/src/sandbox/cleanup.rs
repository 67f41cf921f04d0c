//! Taking away what a deployment has at an engine: leftovers of helpers at any
//! time, everything when the deployment ends. Nothing else is touched.

use bollard::models::ContainerSummary;
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListImagesOptionsBuilder, ListNetworksOptionsBuilder,
    ListVolumesOptionsBuilder, RemoveImageOptionsBuilder,
};

use super::engine::{CALL, Engine, REMOVE};
use super::error::SandboxError;

/// How much was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Containers, helpers included.
    pub containers: usize,
    /// Volumes.
    pub volumes: usize,
    /// Networks.
    pub networks: usize,
    /// Prepared images.
    pub images: usize,
}

impl Engine {
    /// Removes everything of this deployment: containers, volumes, networks and
    /// prepared images. The base image stays.
    pub async fn remove_deployment(&self) -> Result<Removed, SandboxError> {
        let docker = self.docker().await?;
        let filter = self.labels().filter_all();
        let mut removed = Removed::default();
        for id in self
            .own_containers()
            .await?
            .into_iter()
            .filter_map(|it| it.id)
        {
            self.force_remove(&docker, &id).await?;
            removed.containers += 1;
        }

        let options = ListVolumesOptionsBuilder::default()
            .filters(&filter)
            .build();
        let volumes = self
            .call("list volumes", CALL, docker.list_volumes(Some(options)))
            .await?;
        for volume in volumes.volumes.unwrap_or_default() {
            self.remove_volume(&volume.name).await?;
            removed.volumes += 1;
        }

        let options = ListNetworksOptionsBuilder::default()
            .filters(&filter)
            .build();
        let networks = self
            .call("list networks", CALL, docker.list_networks(Some(options)))
            .await?;
        for id in networks.into_iter().filter_map(|network| network.id) {
            let result = self
                .call("remove network", REMOVE, docker.remove_network(&id))
                .await;
            removed.networks += usize::from(was_removed(result)?);
        }

        let options = ListImagesOptionsBuilder::default().filters(&filter).build();
        let images = self
            .call("list images", CALL, docker.list_images(Some(options)))
            .await?;
        for image in images {
            removed.images += usize::from(self.remove_image(&image.id).await?);
        }
        Ok(removed)
    }

    /// Removes helper containers that a killed daemon left behind. Those of a
    /// preparation that runs now are left alone.
    pub async fn sweep_helpers(&self) -> Result<usize, SandboxError> {
        match self.preparing().try_lock() {
            Ok(_preparing) => self.remove_helpers().await,
            Err(_) => Ok(0),
        }
    }

    /// Removes all helper containers. The caller holds the lock of preparations.
    pub(super) async fn remove_helpers(&self) -> Result<usize, SandboxError> {
        let mut count = 0;
        let docker = self.docker().await?;
        for container in self.own_containers().await? {
            let names = container.names.unwrap_or_default();
            let labels = container.labels.unwrap_or_default();
            if let Some(id) = container.id
                && self.labels().is_helper(&names, &labels)
            {
                self.force_remove(&docker, &id).await?;
                count += 1;
            }
        }
        Ok(count)
    }

    /// Removes an image with all of its names, unless a container uses it.
    pub(super) async fn remove_image(&self, id: &str) -> Result<bool, SandboxError> {
        let docker = self.docker().await?;
        let options = RemoveImageOptionsBuilder::default().build();
        let result = self
            .call(
                "remove image",
                REMOVE,
                docker.remove_image(id, Some(options), None),
            )
            .await;
        match result {
            Err(SandboxError::Conflict(_)) => Ok(false),
            other => was_removed(other),
        }
    }

    async fn own_containers(&self) -> Result<Vec<ContainerSummary>, SandboxError> {
        let docker = self.docker().await?;
        let options = ListContainersOptionsBuilder::default()
            .all(true)
            .filters(&self.labels().filter_all())
            .build();
        self.call(
            "list containers",
            CALL,
            docker.list_containers(Some(options)),
        )
        .await
    }
}

fn was_removed<T>(result: Result<T, SandboxError>) -> Result<bool, SandboxError> {
    match result {
        Ok(_) => Ok(true),
        Err(SandboxError::NotFound(_)) => Ok(false),
        Err(error) => Err(error),
    }
}
