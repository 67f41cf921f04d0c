//! Containers of sandboxes and their volumes: made, found, looked at, removed.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bollard::Docker;
use bollard::models::{ContainerStateStatusEnum, ContainerSummaryStateEnum, VolumeCreateRequest};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptions, ListContainersOptionsBuilder,
    ListVolumesOptionsBuilder, RemoveContainerOptionsBuilder, RemoveVolumeOptionsBuilder,
    StartContainerOptions,
};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep};

use super::engine::{CALL, Engine, REMOVE, START};
use super::error::SandboxError;
use super::image::PreparedImage;
use super::labels::{container_name, data_name, sandbox_of, workspace_name};
use super::profile;
use crate::domain::id::SandboxId;

/// Between looks at something that is going away.
const GOING_AWAY: Duration = Duration::from_millis(50);

/// The engine's id of a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContainerId(String);

impl ContainerId {
    /// The id as text, for the database.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for ContainerId {
    fn from(id: String) -> Self {
        Self(id)
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a container is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerPhase {
    /// It was made and not started.
    Created,
    /// It runs.
    Running,
    /// It is frozen.
    Paused,
    /// It has ended, or is on its way there.
    Ended,
}

/// A container, looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerStatus {
    /// What it is doing.
    pub phase: ContainerPhase,
    /// Exit code of its first process; `None` while it runs.
    pub exit_code: Option<i64>,
}

/// A sandbox of which something was found at the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundSandbox {
    /// Its id, from the labels.
    pub id: SandboxId,
    /// Its container, if there is one.
    pub container: Option<ContainerId>,
    /// What the container is doing; `None` without one.
    pub phase: Option<ContainerPhase>,
    /// When the container was made.
    pub created_at: Option<OffsetDateTime>,
    /// Names of its volumes.
    pub volumes: Vec<String>,
}

impl Engine {
    /// Makes the container of a sandbox and starts it. A volume with the app's
    /// data that an earlier container of the sandbox left is used again. What was
    /// begun is taken back when it fails, but for that volume.
    pub async fn create(
        &self,
        id: SandboxId,
        image: &PreparedImage,
    ) -> Result<ContainerId, SandboxError> {
        match Box::pin(self.create_unguarded(id, image)).await {
            Ok(container) => Ok(container),
            // The container is another's, or an earlier call's.
            Err(error @ SandboxError::Conflict(_)) => Err(error),
            Err(error) => {
                if let Err(left) = self.remove_container(id).await {
                    tracing::warn!(sandbox = %id, error = %left, "something is left of a sandbox that could not be made");
                }
                Err(error)
            }
        }
    }

    async fn create_unguarded(
        &self,
        id: SandboxId,
        image: &PreparedImage,
    ) -> Result<ContainerId, SandboxError> {
        let docker = self.docker().await?;
        let engine_id = self.id().await?;
        let labels = self.labels().sandbox(engine_id, id);
        let workspace = VolumeCreateRequest {
            name: Some(workspace_name(id)),
            driver: Some("local".to_owned()),
            driver_opts: Some(profile::workspace_options(self.config())),
            labels: Some(labels.clone()),
            ..VolumeCreateRequest::default()
        };
        let data = VolumeCreateRequest {
            name: Some(data_name(id)),
            driver: Some("local".to_owned()),
            labels: Some(labels.clone()),
            ..VolumeCreateRequest::default()
        };
        let (network, _, _) = tokio::try_join!(
            self.ensure_network(),
            self.call("create volume", START, docker.create_volume(workspace)),
            self.call("create volume", START, docker.create_volume(data)),
        )?;
        let body = profile::sandbox(profile::Parts {
            config: self.config(),
            image,
            labels,
            network,
            workspace: workspace_name(id),
            data: data_name(id),
        });
        let options = CreateContainerOptionsBuilder::default()
            .name(&container_name(id))
            .build();
        let created = self
            .call(
                "create container",
                START,
                docker.create_container(Some(options), body),
            )
            .await?;
        for warning in &created.warnings {
            tracing::warn!(sandbox = %id, warning, "the engine warns");
        }
        self.call(
            "start container",
            START,
            docker.start_container(&created.id, None::<StartContainerOptions>),
        )
        .await?;
        Ok(ContainerId(created.id))
    }

    /// Everything at the engine that belongs to sandboxes of this deployment.
    pub async fn list(&self) -> Result<Vec<FoundSandbox>, SandboxError> {
        let docker = self.docker().await?;
        let containers = ListContainersOptionsBuilder::default()
            .all(true)
            .filters(&self.labels().filter_all())
            .build();
        let volumes = ListVolumesOptionsBuilder::default()
            .filters(&self.labels().filter_all())
            .build();
        let (containers, volumes) = tokio::try_join!(
            self.call(
                "list containers",
                CALL,
                docker.list_containers(Some(containers))
            ),
            self.call("list volumes", CALL, docker.list_volumes(Some(volumes))),
        )?;
        let mut found = BTreeMap::new();
        for container in containers {
            let labels = container.labels.unwrap_or_default();
            // A helper has no sandbox, nor has what somebody made by hand from a
            // prepared image.
            let (Some(id), Some(container_id)) = (sandbox_of(&labels), container.id) else {
                continue;
            };
            let entry = found.entry(id).or_insert_with(|| FoundSandbox::empty(id));
            entry.container = Some(ContainerId(container_id));
            entry.phase = container.state.map(ContainerPhase::of_summary);
            entry.created_at = container
                .created
                .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
        }
        for volume in volumes.volumes.unwrap_or_default() {
            if let Some(id) = sandbox_of(&volume.labels) {
                found
                    .entry(id)
                    .or_insert_with(|| FoundSandbox::empty(id))
                    .volumes
                    .push(volume.name);
            }
        }
        Ok(found.into_values().collect())
    }

    /// What a container is doing. `NotFound` if it is gone.
    pub async fn inspect(&self, container: &ContainerId) -> Result<ContainerStatus, SandboxError> {
        let docker = self.docker().await?;
        let answer = self
            .call(
                "inspect container",
                CALL,
                docker.inspect_container(container.as_str(), None::<InspectContainerOptions>),
            )
            .await?;
        let state = answer.state.unwrap_or_default();
        let phase = state
            .status
            .map_or(ContainerPhase::Ended, ContainerPhase::of_state);
        Ok(ContainerStatus {
            phase,
            exit_code: match phase {
                ContainerPhase::Ended => state.exit_code,
                ContainerPhase::Created | ContainerPhase::Running | ContainerPhase::Paused => None,
            },
        })
    }

    /// Removes the container of a sandbox and its workspace, and keeps the app's
    /// own data: the way to stop one. Does nothing where nothing is.
    pub async fn remove_container(&self, id: SandboxId) -> Result<(), SandboxError> {
        self.remove_containers_of(id).await?;
        self.remove_volume(&workspace_name(id)).await
    }

    /// Removes everything of a sandbox, data included. Does nothing where
    /// nothing is.
    pub async fn remove(&self, id: SandboxId) -> Result<(), SandboxError> {
        self.remove_containers_of(id).await?;
        let docker = self.docker().await?;
        let options = ListVolumesOptionsBuilder::default()
            .filters(&self.labels().filter_sandbox(id))
            .build();
        let volumes = self
            .call("list volumes", CALL, docker.list_volumes(Some(options)))
            .await?;
        for volume in volumes.volumes.unwrap_or_default() {
            self.remove_volume(&volume.name).await?;
        }
        Ok(())
    }

    async fn remove_containers_of(&self, id: SandboxId) -> Result<(), SandboxError> {
        let docker = self.docker().await?;
        let options = ListContainersOptionsBuilder::default()
            .all(true)
            .filters(&self.labels().filter_sandbox(id))
            .build();
        let containers = self
            .call(
                "list containers",
                CALL,
                docker.list_containers(Some(options)),
            )
            .await?;
        for container in containers {
            if let Some(container) = container.id {
                self.force_remove(&docker, &container).await?;
            }
        }
        Ok(())
    }

    /// Kills and removes one container with its anonymous volumes, and waits
    /// until it is gone.
    pub(super) async fn force_remove(
        &self,
        docker: &Docker,
        container: &str,
    ) -> Result<(), SandboxError> {
        let deadline = Instant::now() + REMOVE;
        loop {
            let options = RemoveContainerOptionsBuilder::default()
                .force(true)
                .v(true)
                .build();
            let removed = self
                .call(
                    "remove container",
                    REMOVE,
                    docker.remove_container(container, Some(options)),
                )
                .await;
            match removed {
                Ok(()) | Err(SandboxError::NotFound(_)) => return Ok(()),
                // Somebody else is removing it: wait for that.
                Err(SandboxError::Conflict(_)) if Instant::now() < deadline => {
                    sleep(GOING_AWAY).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Removes a volume of this deployment. One of the same name without the
    /// deployment's label is left alone.
    pub(super) async fn remove_volume(&self, name: &str) -> Result<(), SandboxError> {
        let docker = self.docker().await?;
        let volume = self
            .call("inspect volume", CALL, docker.inspect_volume(name))
            .await;
        match volume {
            Ok(volume) if self.labels().own(&volume.labels) => {}
            Ok(_) | Err(SandboxError::NotFound(_)) => return Ok(()),
            Err(error) => return Err(error),
        }
        let deadline = Instant::now() + REMOVE;
        loop {
            let options = RemoveVolumeOptionsBuilder::default().force(true).build();
            let removed = self
                .call(
                    "remove volume",
                    REMOVE,
                    docker.remove_volume(name, Some(options)),
                )
                .await;
            match removed {
                Ok(()) | Err(SandboxError::NotFound(_)) => return Ok(()),
                // The container that used it is still going away.
                Err(SandboxError::Conflict(_)) if Instant::now() < deadline => {
                    sleep(GOING_AWAY).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl FoundSandbox {
    fn empty(id: SandboxId) -> Self {
        Self {
            id,
            container: None,
            phase: None,
            created_at: None,
            volumes: Vec::new(),
        }
    }
}

impl ContainerPhase {
    fn of_summary(state: ContainerSummaryStateEnum) -> Self {
        match state {
            ContainerSummaryStateEnum::CREATED => Self::Created,
            ContainerSummaryStateEnum::RUNNING
            | ContainerSummaryStateEnum::RESTARTING
            | ContainerSummaryStateEnum::STOPPING => Self::Running,
            ContainerSummaryStateEnum::PAUSED => Self::Paused,
            ContainerSummaryStateEnum::EMPTY
            | ContainerSummaryStateEnum::EXITED
            | ContainerSummaryStateEnum::REMOVING
            | ContainerSummaryStateEnum::DEAD => Self::Ended,
        }
    }

    fn of_state(state: ContainerStateStatusEnum) -> Self {
        match state {
            ContainerStateStatusEnum::CREATED => Self::Created,
            ContainerStateStatusEnum::RUNNING
            | ContainerStateStatusEnum::RESTARTING
            | ContainerStateStatusEnum::STOPPING => Self::Running,
            ContainerStateStatusEnum::PAUSED => Self::Paused,
            ContainerStateStatusEnum::EMPTY
            | ContainerStateStatusEnum::EXITED
            | ContainerStateStatusEnum::REMOVING
            | ContainerStateStatusEnum::DEAD => Self::Ended,
        }
    }
}
