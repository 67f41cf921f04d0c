//! Connections to containers that run: made after a restart, watched, and made
//! again when they end. It makes no container.

use std::sync::Arc;

use super::Sandboxes;
use super::held::{Held, SlotContents};
use super::lanes::Lane;
use crate::domain::sandbox::{Sandbox, SandboxState};
use crate::domain::{Error, Result};
use crate::sandbox::{ContainerId, ContainerPhase, SandboxError};
use crate::store::sandboxes as rows;

impl Sandboxes {
    /// Connects to a container that runs already; `None`: it does not run.
    pub(super) async fn adopt(
        &self,
        lane: &Lane,
        row: &Sandbox,
    ) -> Result<Option<Arc<Held>>, ConnectError> {
        let Some(container) = row.container_id.clone().map(ContainerId::from) else {
            return Ok(None);
        };
        match self.engine().inspect(&container).await {
            Ok(status) if status.phase == ContainerPhase::Running => {}
            Ok(_) | Err(SandboxError::NotFound(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let supervisor = self.engine().supervisor(&container).await?;
        let status = supervisor.status().await?;
        let held = Arc::new(Held::new(
            lane.project(),
            row.id,
            container,
            supervisor,
            &SlotContents::Unknown,
        ));
        for server in status.servers.iter().filter(|server| server.is_running()) {
            if server.slot == row.slot && server.revision_id == row.revision_id {
                if let Some(revision) = row.revision_id {
                    held.show(row.slot, revision);
                }
            } else if let Err(error) = held.supervisor().stop_server(server.slot).await {
                tracing::warn!(sandbox = %row.id, %error, "cannot stop a left-over dev server");
            }
        }
        self.hold(&held);
        tracing::info!(sandbox = %row.id, project = %row.project_id, "adopted a running sandbox");
        Ok(Some(held))
    }

    /// Makes the connection known, and watches for its end.
    pub(super) fn hold(&self, held: &Arc<Held>) {
        self.all_held().insert(held.project, Arc::clone(held));
        self.inner.looked.send_modify(|_| {});
        let (this, held) = (self.clone(), Arc::downgrade(held));
        let stopping = self.inner.parts.shutdown.stopping.clone();
        self.inner.parts.shutdown.support.spawn(async move {
            let Some(closed) = held.upgrade().map(|held| held.supervisor().clone()) else {
                return;
            };
            tokio::select! {
                () = closed.closed() => {}
                () = stopping.cancelled() => return,
            }
            if let Some(held) = held.upgrade() {
                this.lost(&held).await;
            }
        });
    }

    /// The connection ended without our doing: connect again if the container
    /// runs, else say that the sandbox is gone.
    async fn lost(&self, held: &Arc<Held>) {
        let lane = self.inner.lanes.enter(held.project).await;
        let ours = self
            .all_held()
            .get(&held.project)
            .is_some_and(|known| Arc::ptr_eq(known, held));
        if !ours {
            // Stopped, or made anew meanwhile.
            return;
        }
        self.all_held().remove(&held.project);
        tracing::info!(sandbox = %held.sandbox, container = %held.container, "the connection to a sandbox ended");
        if let Err(error) = self.settle(&lane).await {
            tracing::warn!(sandbox = %held.sandbox, %error, "cannot say what became of a sandbox; reconcile will");
        }
    }

    /// Brings the row and the container of one project together.
    pub(super) async fn settle(&self, lane: &Lane) -> Result<()> {
        let Some(row) = rows::of_project(self.pool(), lane.project()).await? else {
            return Ok(());
        };
        if row.state != SandboxState::Running {
            return Ok(());
        }
        match self.adopt(lane, &row).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => {
                self.engine().remove_container(row.id).await?;
                self.transition(
                    &row,
                    &[SandboxState::Running],
                    SandboxState::Failed,
                    "the container ended by itself; start the sandbox again",
                )
                .await
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// What can go wrong while a container is made or adopted.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    #[error(transparent)]
    Other(#[from] Error),
}

impl From<ConnectError> for Error {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Sandbox(error) => error.into(),
            ConnectError::Other(error) => error,
        }
    }
}
