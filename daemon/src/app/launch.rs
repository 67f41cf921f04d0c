//! Starting a sandbox without a prompt: the newest healthy revision goes
//! through the gate again, and the preview shows it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{Stream, StreamExt};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::access;
use super::gate::{self, Candidate, Stopped, Verdict};
use super::generations::load;
use super::progress::Progress;
use super::reporter::Reporter;
use super::sandboxes::Sandboxes;
use crate::domain::account::{Caller, TeamRole};
use crate::domain::event::Event;
use crate::domain::generation::GenerationState;
use crate::domain::id::ProjectId;
use crate::domain::project::Project;
use crate::domain::revision::Revision;
use crate::domain::sandbox::{Sandbox, SandboxState};
use crate::domain::{Error, Result};
use crate::journal::Journal;
use crate::sandbox::LogBatch;
use crate::shutdown::Shutdown;
use crate::store::change::RowChange;
use crate::store::{generations, revisions, sandboxes as rows};
use crate::template::Templates;

/// What dev servers write, in batches.
pub type LogStream = Pin<Box<dyn Stream<Item = Result<LogBatch>> + Send>>;

/// How often it is looked whether a start that was given up is over.
const GIVING_UP: Duration = Duration::from_millis(5);

/// What starting needs.
pub(crate) struct Parts {
    pub(crate) pool: PgPool,
    pub(crate) journal: Journal,
    pub(crate) sandboxes: Sandboxes,
    pub(crate) templates: Arc<Templates>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) shutdown: Shutdown,
}

/// What a caller learns of a sandbox whose start was just accepted.
fn as_it_starts(before: Sandbox) -> Sandbox {
    match before.state {
        SandboxState::Running => before,
        SandboxState::Stopped
        | SandboxState::Starting
        | SandboxState::Stopping
        | SandboxState::Failed => Sandbox {
            state: SandboxState::Starting,
            detail: String::new(),
            ..before
        },
    }
}

/// Use cases around the sandbox of a project.
#[derive(Clone)]
pub struct Launcher {
    parts: Arc<Parts>,
    /// Projects that are being started here, and what gives their start up.
    starting: Arc<Mutex<HashMap<ProjectId, CancellationToken>>>,
}

/// A start that is under way, until it is dropped: a start that panics holds
/// nothing up.
struct Start {
    launcher: Launcher,
    id: ProjectId,
    given_up: CancellationToken,
}

impl Start {
    /// `None`: another one is under way.
    fn of(launcher: &Launcher, id: ProjectId) -> Option<Self> {
        let given_up = match launcher.starting().entry(id) {
            Entry::Occupied(_) => return None,
            Entry::Vacant(free) => free.insert(CancellationToken::new()).clone(),
        };
        Some(Self {
            launcher: launcher.clone(),
            id,
            given_up,
        })
    }
}

impl Drop for Start {
    fn drop(&mut self) {
        self.launcher.starting().remove(&self.id);
    }
}

impl Launcher {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            parts: Arc::new(parts),
            starting: Arc::default(),
        }
    }

    /// Starts the newest healthy revision, or the newest at all; where one is
    /// shown already, nothing happens.
    ///
    /// # Errors
    /// As the schema says at `StartSandbox`.
    pub async fn start(
        &self,
        caller: &Caller,
        id: ProjectId,
    ) -> Result<(Project, Option<Sandbox>)> {
        let pool = &self.parts.pool;
        let project = access::project(pool, caller, id, TeamRole::Editor).await?;
        if let Some(running) = generations::running(pool, id).await? {
            return Err(Error::GenerationRunning(running.id));
        }
        let revision = match revisions::newest_healthy(pool, id).await? {
            Some(revision) => revision,
            None => revisions::head(pool, id).await?.ok_or(Error::NoRevision)?,
        };
        let shown = self.parts.sandboxes.held(id).and_then(|held| held.shown());
        let Some(start) = Start::of(self, id) else {
            return Ok((project, rows::of_project(pool, id).await?));
        };
        if shown.is_some_and(|(_, shown)| shown == revision.id) {
            return Ok((project, rows::of_project(pool, id).await?));
        }
        // The engine is asked while the caller waits: its absence is an answer.
        let before = rows::of_project(pool, id).await?;
        if let Err(error) = self.parts.sandboxes.engine().info().await {
            let error = error.into();
            self.failed(id, before.as_ref(), &error).await;
            return Err(error);
        }
        self.spawn(project.clone(), revision, before.clone(), start);
        Ok((project, before.map(as_it_starts)))
    }

    /// Stops the sandbox.
    ///
    /// # Errors
    /// As the schema says at `StopSandbox`.
    pub async fn stop(&self, caller: &Caller, id: ProjectId) -> Result<(Project, Option<Sandbox>)> {
        let project = access::project(&self.parts.pool, caller, id, TeamRole::Editor).await?;
        if let Some(running) = generations::running(&self.parts.pool, id).await? {
            return Err(Error::GenerationRunning(running.id));
        }
        self.give_up(id).await;
        let sandbox = self.parts.sandboxes.stop(id, "stopped by a user").await?;
        Ok((project, sandbox))
    }

    /// How the sandbox is.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn get(&self, caller: &Caller, id: ProjectId) -> Result<(Project, Option<Sandbox>)> {
        let project = access::project(&self.parts.pool, caller, id, TeamRole::Viewer).await?;
        Ok((project, rows::of_project(&self.parts.pool, id).await?))
    }

    /// What the dev servers of a running sandbox write.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::SandboxState`] if it does not run.
    pub async fn logs(
        &self,
        caller: &Caller,
        id: ProjectId,
        tail: u32,
        follow: bool,
    ) -> Result<LogStream> {
        access::project(&self.parts.pool, caller, id, TeamRole::Viewer).await?;
        let Some(held) = self.parts.sandboxes.held(id) else {
            let row = rows::of_project(&self.parts.pool, id).await?;
            return Err(Error::SandboxState(
                row.map_or(SandboxState::Stopped, |row| row.state),
            ));
        };
        let logs = held.supervisor().logs(tail, follow).await?;
        Ok(Box::pin(logs.map(|batch| batch.map_err(Error::from))))
    }

    fn spawn(&self, project: Project, revision: Revision, before: Option<Sandbox>, start: Start) {
        let this = self.clone();
        self.parts.shutdown.work.spawn(async move {
            let id = project.id;
            let launch = Box::pin(this.launch(project, revision));
            let launched = start.given_up.run_until_cancelled(launch).await;
            if let Some(Err(error)) = launched {
                tracing::warn!(project = %id, %error, "cannot start a sandbox");
                this.failed(id, before.as_ref(), &error).await;
            }
        });
    }

    /// Gives up the start of a project that is under way, and waits until nothing of
    /// it goes on.
    async fn give_up(&self, id: ProjectId) {
        let Some(given_up) = self.starting().get(&id).cloned() else {
            return;
        };
        given_up.cancel();
        while self.starting().contains_key(&id) {
            tokio::time::sleep(GIVING_UP).await;
        }
    }

    fn starting(&self) -> MutexGuard<'_, HashMap<ProjectId, CancellationToken>> {
        self.starting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells watchers of a start that failed without a word of its own.
    async fn failed(&self, id: ProjectId, before: Option<&Sandbox>, error: &Error) {
        let why = match error {
            Error::Internal(_) => "internal error; the daemon's log says more".to_owned(),
            other => other.to_string(),
        };
        if let Err(error) = self.parts.sandboxes.start_failed(id, before, &why).await {
            tracing::warn!(project = %id, %error, "cannot say that a start failed");
        }
    }

    async fn launch(&self, project: Project, revision: Revision) -> Result<()> {
        let parts = &self.parts;
        let reporter = Reporter::of_project(
            parts.journal.clone(),
            project.id,
            Arc::clone(&parts.progress),
        );
        parts.progress.begin(project.id);
        let template = parts
            .templates
            .get(&project.template)
            .cloned()
            .ok_or_else(|| Error::internal(format!("template {} is gone", project.template)))?;
        let tree = load(&parts.pool, revision.id).await?;
        let candidate = Candidate {
            project: project.id,
            revision: revision.id,
            tree: &tree,
            template: &template,
        };
        let _turn = parts.sandboxes.gate(project.id).await;
        // Whoever had the gate meanwhile may have shown something newer.
        let newest = revisions::newest_healthy(&parts.pool, project.id).await?;
        if newest.is_some_and(|newest| newest.id != revision.id) {
            return Ok(());
        }
        match gate::run(
            &candidate,
            &parts.sandboxes,
            &reporter,
            &Unseen,
            &parts.shutdown.stopping,
        )
        .await
        {
            Ok(Verdict::Passed(passed)) => {
                let url = project.preview_port.map(crate::preview::url);
                gate::show(passed, &candidate, &reporter, url).await
            }
            Ok(Verdict::Failed { message, .. }) => {
                tracing::info!(project = %project.id, %message, "a revision did not pass the gate again");
                Ok(())
            }
            Err(Stopped::Error(error)) => Err(error),
            Err(Stopped::Cancelled | Stopped::Fault(..)) => Ok(()),
        }
    }
}

/// There is no generation whose state could change.
struct Unseen;

impl gate::States for Unseen {
    fn entered(&self, _state: GenerationState) -> (Vec<Event>, Vec<RowChange>) {
        (vec![], vec![])
    }
}
