//! The life of sandboxes: who has which, made before use, adopted after a
//! restart, removed when it is over. A row comes before its container and
//! outlives it, so that nothing is ever left that nobody knows of.

mod held;
mod lanes;
mod reconcile;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::sync::watch;

pub(crate) use self::held::{Held, SlotContents};
use self::lanes::{Lane, Lanes};
use super::progress::Progress;
use super::reporter::Reporter;
use crate::domain::event::{Event, StepKind};
use crate::domain::id::{DaemonId, ProjectId, RevisionId};
use crate::domain::sandbox::{Sandbox, SandboxState, Slot};
use crate::domain::{Error, Result};
use crate::fresh;
use crate::journal::Journal;
use crate::sandbox::{
    ContainerId, ContainerPhase, Engine, PreparedImage, SandboxError, TemplateImage,
};
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
    /// Whether the reconciler has looked at everything once. Sent again at each
    /// sandbox that is held.
    looked: watch::Sender<bool>,
}

impl Sandboxes {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            inner: Arc::new(Inner {
                parts,
                held: Mutex::new(HashMap::new()),
                lanes: Lanes::default(),
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
    /// The engine, the database, or [`Error::SandboxLimit`].
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

    /// Makes a container for the project. The row is committed first: a kill at
    /// any point leaves a container that a row names.
    async fn make(
        &self,
        lane: &Lane,
        row: Option<Sandbox>,
        template: &Template,
        reporter: &Reporter,
    ) -> Result<(Arc<Held>, String)> {
        let engine_id = self.engine().info().await?.id;
        let running = rows::of_engine(self.pool(), &engine_id)
            .await?
            .iter()
            .filter(|other| other.project_id != lane.project())
            .filter(|other| matches!(other.state, SandboxState::Running | SandboxState::Starting))
            .count();
        let limit = self.inner.parts.limit;
        if running >= limit as usize {
            return Err(Error::SandboxLimit { limit });
        }
        let image = self.prepared(template, reporter).await?;
        let id = row.map_or_else(fresh::id, |row| row.id);
        let sandbox = Sandbox {
            id,
            project_id: lane.project(),
            engine_id,
            daemon_id: self.inner.parts.daemon,
            state: SandboxState::Starting,
            detail: String::new(),
            container_id: None,
            image: image.name.clone(),
            revision_id: None,
            slot: Slot::A,
            created_at: OffsetDateTime::now_utc(),
        };
        self.report(
            lane.project(),
            SandboxState::Starting,
            "",
            RowChange::UpsertSandbox(sandbox.clone()),
        )
        .await?;
        match self.create(lane, &sandbox, &image).await {
            Ok(held) => Ok((held, "made from the prepared image".into())),
            Err(error) => {
                let detail = error.to_string();
                if let Err(left) = self.engine().remove_container(id).await {
                    tracing::warn!(sandbox = %id, error = %left, "cannot remove what was made so far; reconcile will");
                }
                self.transition(
                    &sandbox,
                    &[SandboxState::Starting],
                    SandboxState::Failed,
                    &detail,
                )
                .await?;
                Err(error.into())
            }
        }
    }

    async fn create(
        &self,
        lane: &Lane,
        sandbox: &Sandbox,
        image: &PreparedImage,
    ) -> Result<Arc<Held>, MakeError> {
        // What a kill left behind under this id goes first.
        self.engine().remove_container(sandbox.id).await?;
        let container = self.engine().create(sandbox.id, image).await?;
        let supervisor = self.engine().supervisor(&container).await?;
        let held = Arc::new(Held::new(
            lane.project(),
            sandbox.id,
            container.clone(),
            supervisor,
            &SlotContents::Empty,
        ));
        let running = Sandbox {
            state: SandboxState::Running,
            container_id: Some(container.to_string()),
            ..sandbox.clone()
        };
        self.report(
            lane.project(),
            SandboxState::Running,
            "",
            RowChange::UpsertSandbox(running),
        )
        .await?;
        self.hold(&held);
        Ok(held)
    }

    /// Connects to a container that runs already; `None`: it does not run.
    async fn adopt(&self, lane: &Lane, row: &Sandbox) -> Result<Option<Arc<Held>>, MakeError> {
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

    async fn prepared(&self, template: &Template, reporter: &Reporter) -> Result<PreparedImage> {
        let image = TemplateImage {
            name: template.name.clone(),
            files: template
                .dependency_files()
                .into_iter()
                .map(|(path, bytes)| (path.to_string(), bytes))
                .collect(),
            install: template.install.clone(),
        };
        let (sender, mut lines) = tokio::sync::mpsc::unbounded_channel();
        let reports = async {
            while let Some(text) = lines.recv().await {
                reporter
                    .pass(Event::StepOutput {
                        step: StepKind::Sandbox,
                        text,
                    })
                    .await?;
            }
            Ok::<_, Error>(())
        };
        let prepare = async {
            // Moved in, so that the reports end with the work.
            let sender = sender;
            self.engine()
                .prepare_image(&image, |line| {
                    // The reader is beside us; it cannot be gone.
                    let _ = sender.send(line + "\n");
                })
                .await
        };
        let (image, reported) = tokio::join!(prepare, reports);
        reported?;
        Ok(image?)
    }

    /// Makes the connection known, and watches for its end.
    fn hold(&self, held: &Arc<Held>) {
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
    async fn settle(&self, lane: &Lane) -> Result<()> {
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

/// What can go wrong while a container is made or adopted.
#[derive(Debug, thiserror::Error)]
enum MakeError {
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    #[error(transparent)]
    Other(#[from] Error),
}

impl From<MakeError> for Error {
    fn from(error: MakeError) -> Self {
        match error {
            MakeError::Sandbox(error) => error.into(),
            MakeError::Other(error) => error,
        }
    }
}
