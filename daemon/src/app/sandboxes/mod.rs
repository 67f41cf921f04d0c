//! The life of sandboxes: who has which, made before use, adopted after a
//! restart, removed when it is over. A row comes before its container and
//! outlives it, so that nothing is ever left that nobody knows of.

mod connect;
mod held;
mod lanes;
mod make;
mod reconcile;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::watch;

pub(crate) use self::held::{Held, SlotContents};
use self::lanes::{Lane, Lanes};
use super::progress::Progress;
use super::reporter::Reporter;
use crate::domain::Result;
use crate::domain::event::Event;
use crate::domain::id::{DaemonId, ProjectId, RevisionId};
use crate::domain::sandbox::{Sandbox, SandboxState, Slot};
use crate::journal::Journal;
use crate::sandbox::Engine;
use crate::shutdown::Shutdown;
use crate::store::change::RowChange;
use crate::store::sandboxes::{self as rows, SandboxTransition};
use crate::template::Template;

/// What sandboxes need.
pub(crate) struct Parts {
    pub(crate) engine: Engine,
    pub(crate) pool: PgPool,
    pub(crate) journal: Journal,
    pub(crate) daemon: DaemonId,
    pub(crate) progress: Arc<Progress>,
    pub(crate) limit: u32,
    pub(crate) shutdown: Shutdown,
}

/// All sandboxes that this daemon looks after.
#[derive(Clone)]
pub(crate) struct Sandboxes {
    inner: Arc<Inner>,
}

struct Inner {
    parts: Parts,
    /// Connections by project. Written under the project's lane.
    held: Mutex<HashMap<ProjectId, Arc<Held>>>,
    lanes: Lanes,
    /// Who has the gate of a project.
    gates: Lanes,
    /// Whether the reconciler has looked at everything once. Sent again at each
    /// sandbox that is held.
    looked: watch::Sender<bool>,
}

/// The right to take a revision of one project through the gate, until dropped.
pub(crate) struct GateTurn {
    _lane: Lane,
}

impl Sandboxes {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            inner: Arc::new(Inner {
                parts,
                held: Mutex::new(HashMap::new()),
                lanes: Lanes::default(),
                gates: Lanes::default(),
                looked: watch::Sender::new(false),
            }),
        }
    }

    /// The engine that they live on.
    pub(crate) fn engine(&self) -> &Engine {
        &self.inner.parts.engine
    }

    /// The connection to a project's sandbox, if one runs. Cheap.
    pub(crate) fn held(&self, project: ProjectId) -> Option<Arc<Held>> {
        self.all_held()
            .get(&project)
            .filter(|held| !held.supervisor().is_closed())
            .cloned()
    }

    /// What a project shows. Right after a start of the daemon its sandbox may
    /// go on from before and not be adopted yet: that is waited for, `limit` at
    /// most.
    pub(crate) async fn shown(
        &self,
        project: ProjectId,
        limit: Duration,
    ) -> Option<(Slot, RevisionId)> {
        let shown = || self.held(project).and_then(|held| held.shown());
        if let Some(shown) = shown() {
            return Some(shown);
        }
        let mut looked = self.inner.looked.subscribe();
        let adopted = async {
            loop {
                // Read before the look: what comes after it is waited for.
                let over = *looked.borrow_and_update();
                let shown = shown();
                if over || shown.is_some() || looked.changed().await.is_err() {
                    return shown;
                }
            }
        };
        tokio::time::timeout(limit, adopted)
            .await
            .unwrap_or_else(|_| shown())
    }

    /// A running sandbox for the project, made if need be; says how it came.
    ///
    /// # Errors
    /// The engine, the database, or [`crate::domain::Error::SandboxLimit`].
    pub(crate) async fn acquire(
        &self,
        project: ProjectId,
        template: &Template,
        reporter: &Reporter,
    ) -> Result<(Arc<Held>, String)> {
        let lane = self.inner.lanes.enter(project).await;
        if let Some(held) = self.held(project)
            && held.supervisor().status().await.is_ok()
        {
            return Ok((held, "running already".into()));
        }
        let row = rows::of_project(self.pool(), project).await?;
        if let Some(row) = &row
            && row.state == SandboxState::Running
        {
            match self.adopt(&lane, row).await {
                Ok(Some(held)) => return Ok((held, "reconnected".into())),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(sandbox = %row.id, %error, "cannot reconnect: making it anew");
                }
            }
        }
        self.make(&lane, row, template, reporter).await
    }

    /// Waits for the gate of a project: a prompt and a start without one never take
    /// the same slot. To be held until what passed is shown.
    pub(crate) async fn gate(&self, project: ProjectId) -> GateTurn {
        GateTurn {
            _lane: self.inner.gates.enter(project).await,
        }
    }

    /// Stops a project's sandbox; its files are safe in the revision, its data
    /// volume stays.
    ///
    /// # Errors
    /// The engine or the database.
    pub(crate) async fn stop(&self, project: ProjectId, why: &str) -> Result<Option<Sandbox>> {
        let _lane = self.inner.lanes.enter(project).await;
        self.all_held().remove(&project);
        let Some(row) = rows::of_project(self.pool(), project).await? else {
            return Ok(None);
        };
        if row.state != SandboxState::Stopped {
            self.transition(&row, &[], SandboxState::Stopping, why)
                .await?;
            self.engine().remove_container(row.id).await?;
            self.transition(&row, &[SandboxState::Stopping], SandboxState::Stopped, why)
                .await?;
        }
        Ok(rows::of_project(self.pool(), project).await?)
    }

    /// A start failed. Says so, unless the sandbox has changed since `before` and
    /// has said it itself; one that runs goes on.
    ///
    /// # Errors
    /// The database.
    pub(crate) async fn start_failed(
        &self,
        project: ProjectId,
        before: Option<&Sandbox>,
        why: &str,
    ) -> Result<()> {
        let _lane = self.inner.lanes.enter(project).await;
        let Some(row) = rows::of_project(self.pool(), project).await? else {
            return self.tell(project, SandboxState::Failed, why, vec![]).await;
        };
        let is_new =
            before.is_none_or(|before| (before.state, &before.detail) != (row.state, &row.detail));
        match row.state {
            SandboxState::Failed if is_new => Ok(()),
            SandboxState::Running => self.tell(project, row.state, why, vec![]).await,
            SandboxState::Stopped
            | SandboxState::Failed
            | SandboxState::Starting
            | SandboxState::Stopping => {
                self.transition(&row, &[row.state], SandboxState::Failed, why)
                    .await
            }
        }
    }

    /// Stops every sandbox that this daemon holds, all at once.
    pub(crate) async fn stop_all(&self, why: &str) {
        let projects: Vec<ProjectId> = self.all_held().keys().copied().collect();
        let stops = projects.into_iter().map(|project| async move {
            if let Err(error) = self.stop(project, why).await {
                tracing::warn!(%project, %error, "cannot stop a sandbox");
            }
        });
        futures::future::join_all(stops).await;
    }

    /// Removes everything of a project's sandbox, data included.
    ///
    /// # Errors
    /// The engine or the database.
    pub(crate) async fn remove(&self, project: ProjectId) -> Result<()> {
        let _lane = self.inner.lanes.enter(project).await;
        self.all_held().remove(&project);
        if let Some(row) = rows::of_project(self.pool(), project).await? {
            self.engine().remove(row.id).await?;
        }
        Ok(())
    }

    async fn transition(
        &self,
        row: &Sandbox,
        from: &[SandboxState],
        state: SandboxState,
        detail: &str,
    ) -> Result<()> {
        let change = RowChange::SetSandboxState(SandboxTransition {
            id: row.id,
            from: from.to_vec(),
            state,
            detail: detail.to_owned(),
            container_id: None,
        });
        self.report(row.project_id, state, detail, change).await
    }

    async fn report(
        &self,
        project: ProjectId,
        state: SandboxState,
        detail: &str,
        change: RowChange,
    ) -> Result<()> {
        self.tell(project, state, detail, vec![change]).await
    }

    async fn tell(
        &self,
        project: ProjectId,
        state: SandboxState,
        detail: &str,
        changes: Vec<RowChange>,
    ) -> Result<()> {
        let event = Event::SandboxStateChanged {
            state,
            detail: detail.to_owned(),
        };
        Reporter::of_project(
            self.inner.parts.journal.clone(),
            project,
            Arc::clone(&self.inner.parts.progress),
        )
        .emit(vec![event], changes)
        .await?;
        Ok(())
    }

    fn pool(&self) -> &PgPool {
        &self.inner.parts.pool
    }

    fn all_held(&self) -> MutexGuard<'_, HashMap<ProjectId, Arc<Held>>> {
        self.inner
            .held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
