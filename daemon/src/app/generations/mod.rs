//! Generations: prompts accepted, carried to an outcome, cancelled, listed.
//!
//! The daemon owns a generation, not a connection: nothing here ends because a
//! stream was closed.

mod answer;
mod carry;
mod end;
mod request;
mod revise;

pub(crate) use self::revise::{entry, load};

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::access;
use super::progress::Progress;
use super::reporter::Reporter;
use super::requests;
use super::sandboxes::Sandboxes;
use crate::domain::account::{Caller, TeamRole};
use crate::domain::event::Event;
use crate::domain::generation::{Generation, GenerationState};
use crate::domain::id::{GenerationId, ProjectId};
use crate::domain::text::Prompt;
use crate::domain::{Error, Result};
use crate::fresh;
use crate::journal::{ClaimError, Fence, Journal, Lease};
use crate::llm::Switch;
use crate::shutdown::Shutdown;
use crate::store::change::RowChange;
use crate::store::generations::{self as rows, NewGeneration, Start};
use crate::store::page::PageRequest;
use crate::template::Templates;

/// What generations need.
pub(crate) struct Parts {
    pub(crate) pool: PgPool,
    pub(crate) journal: Journal,
    pub(crate) edge: Arc<Switch>,
    pub(crate) sandboxes: Sandboxes,
    pub(crate) templates: Arc<Templates>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) per_user: u32,
    pub(crate) max_tokens: u32,
    pub(crate) fallbacks: Vec<String>,
    pub(crate) shutdown: Shutdown,
}

/// Use cases around generations.
#[derive(Clone)]
pub struct Generations {
    inner: Arc<Inner>,
}

struct Inner {
    parts: Parts,
    /// Those that run here, with what cancels each. An entry goes when its task ends.
    running: Mutex<HashMap<GenerationId, CancellationToken>>,
}

/// What to do if the project is busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub enum IfRunning {
    /// Refuse.
    Refuse,
    /// Wait.
    Queue,
}

/// A prompt to be carried to an outcome.
#[derive(Clone, Debug)]
pub struct StartGeneration {
    /// The project.
    pub project: ProjectId,
    /// The prompt.
    pub prompt: Prompt,
    /// The model; `None`: the project's default, else the server's.
    pub model: Option<String>,
    /// What to do if the project is busy.
    pub if_running: IfRunning,
    /// Makes a retry safe.
    pub request_id: Option<String>,
}

impl Generations {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            inner: Arc::new(Inner {
                parts,
                running: Mutex::new(HashMap::new()),
            }),
        }
    }

    /// Accepts a prompt; the rest happens behind the caller's back.
    ///
    /// # Errors
    /// As the schema says at `StartGeneration`.
    pub async fn start(&self, caller: &Caller, request: StartGeneration) -> Result<Generation> {
        let parts = &self.inner.parts;
        if parts.shutdown.stopping.is_cancelled() {
            return Err(Error::ShuttingDown);
        }
        let project =
            access::project(&parts.pool, caller, request.project, TeamRole::Editor).await?;
        let id: GenerationId = fresh::id();
        let payload = (
            request.project,
            request.prompt.as_str(),
            &request.model,
            request.if_running,
        );
        let record = requests::record(
            request.request_id.as_deref(),
            caller.user_id,
            "StartGeneration",
            &payload,
            id.uuid(),
        )?;
        if let Some(earlier) = requests::answered(&parts.pool, record.as_ref()).await? {
            return self.get(caller, earlier.into()).await;
        }
        let wanted = request
            .model
            .clone()
            .or_else(|| Some(project.default_model.clone()).filter(|model| !model.is_empty()));
        let model = parts.edge.now().resolve(wanted.as_deref()).await?;
        if rows::live_of_user(&parts.pool, caller.user_id).await? >= i64::from(parts.per_user) {
            return Err(Error::ConcurrencyLimit {
                limit: parts.per_user,
            });
        }
        let busy = rows::running(&parts.pool, project.id).await?;
        let start = match (busy, request.if_running) {
            (None, _) => Start::Now,
            (Some(running), IfRunning::Refuse) => return Err(Error::GenerationRunning(running.id)),
            (Some(_), IfRunning::Queue) => Start::Queued,
        };
        let lease = match start {
            Start::Now => Some(self.claim(project.id).await?),
            Start::Queued => None,
        };
        let started = Event::GenerationStarted {
            prompt: request.prompt.as_str().to_owned(),
            model: model.id.clone(),
            demo: model.demo,
            user_id: caller.user_id,
        };
        let mut changes: Vec<RowChange> =
            record.into_iter().map(RowChange::RecordRequestId).collect();
        changes.push(RowChange::InsertGeneration(NewGeneration {
            id,
            user_id: caller.user_id,
            prompt: request.prompt.into_string(),
            model: model.id,
            demo: model.demo,
            start,
        }));
        let reporter = Reporter::of_generation(
            parts.journal.clone(),
            project.id,
            id,
            lease.map_or(Fence::None, Lease::fence),
            Arc::clone(&parts.progress),
        );
        let state = match start {
            Start::Now => GenerationState::Preparing,
            Start::Queued => GenerationState::Queued,
        };
        let events = vec![started, Event::GenerationStateChanged { state }];
        match reporter.emit(events, changes).await {
            Ok(_) => {}
            Err(Error::Repeated(earlier)) => {
                self.release(lease).await;
                return self.get(caller, earlier.into()).await;
            }
            Err(error) => {
                // Whoever won runs under an epoch of its own; leaving ours is safe.
                self.release(lease).await;
                return Err(error);
            }
        }
        let generation = rows::get_unscoped(&parts.pool, id)
            .await?
            .ok_or(Error::NotFound)?;
        if let Some(lease) = lease {
            self.spawn(generation.clone(), lease);
        }
        Ok(generation)
    }

    /// Stops a generation; what was complete is kept. Doing it twice is fine.
    ///
    /// # Errors
    /// Not the caller's, or may not.
    pub async fn cancel(&self, caller: &Caller, id: GenerationId) -> Result<Generation> {
        let parts = &self.inner.parts;
        let generation = self.get(caller, id).await?;
        access::project(&parts.pool, caller, generation.project_id, TeamRole::Editor).await?;
        if generation.state == GenerationState::Finished {
            return Ok(generation);
        }
        let token = self.running().get(&id).cloned();
        match token {
            Some(token) => token.cancel(),
            None if generation.state == GenerationState::Queued => {
                self.cancel_queued(&generation).await?;
            }
            // Another daemon runs it: it looks for this mark.
            None => rows::request_cancel(&parts.pool, id).await?,
        }
        self.get(caller, id).await
    }

    /// One generation.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn get(&self, caller: &Caller, id: GenerationId) -> Result<Generation> {
        rows::get(&self.inner.parts.pool, caller.user_id, id)
            .await?
            .ok_or(Error::NotFound)
    }

    /// The generations of a project, newest first.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn list(
        &self,
        caller: &Caller,
        project: ProjectId,
        page: PageRequest,
    ) -> Result<Vec<Generation>> {
        let pool = &self.inner.parts.pool;
        access::project(pool, caller, project, TeamRole::Viewer).await?;
        Ok(rows::list(pool, caller.user_id, project, page).await?)
    }

    /// Cancels whatever runs or waits in a project, and waits for its end.
    ///
    /// # Errors
    /// The database.
    pub(crate) async fn clear(&self, project: ProjectId) -> Result<()> {
        let pool = &self.inner.parts.pool;
        loop {
            let live = rows::live_of_project(pool, project).await?;
            if live.is_empty() {
                return Ok(());
            }
            for generation in live {
                let token = self.running().get(&generation.id).cloned();
                match token {
                    Some(token) => token.cancel(),
                    None if generation.state == GenerationState::Queued => {
                        self.cancel_queued(&generation).await?;
                    }
                    None => rows::request_cancel(pool, generation.id).await?,
                }
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    async fn release(&self, lease: Option<Lease>) {
        if let Some(lease) = lease
            && let Err(error) = self.inner.parts.journal.release(lease).await
        {
            tracing::warn!(project = %lease.project, %error, "cannot give a project back; its lease will run out");
        }
    }

    async fn claim(&self, project: ProjectId) -> Result<Lease> {
        match self.inner.parts.journal.claim(project).await {
            Ok(lease) => Ok(lease),
            Err(ClaimError::Held) => {
                let running = rows::running(&self.inner.parts.pool, project).await?;
                Err(running.map_or(Error::Conflict, |running| {
                    Error::GenerationRunning(running.id)
                }))
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Runs a generation in a task of its own, and the next one that waits after it.
    fn spawn(&self, generation: Generation, lease: Lease) {
        let this = self.clone();
        let cancel = CancellationToken::new();
        self.running().insert(generation.id, cancel.clone());
        let span = tracing::info_span!("generation", id = %generation.id, project = %generation.project_id);
        let task = async move {
            let (id, project) = (generation.id, generation.project_id);
            Box::pin(this.carry(generation, lease, cancel)).await;
            this.running().remove(&id);
            if let Err(error) = this.start_next(project).await {
                tracing::warn!(%project, %error, "cannot start the next generation that waits");
            }
        };
        self.inner
            .parts
            .shutdown
            .work
            .spawn(tracing::Instrument::instrument(task, span));
    }

    async fn start_next(&self, project: ProjectId) -> Result<()> {
        let parts = &self.inner.parts;
        if parts.shutdown.stopping.is_cancelled() {
            return Ok(());
        }
        if let Some(next) = rows::next_queued(&parts.pool, project).await? {
            let lease = self.claim(project).await?;
            self.spawn(next, lease);
        }
        Ok(())
    }

    fn running(&self) -> MutexGuard<'_, HashMap<GenerationId, CancellationToken>> {
        self.inner
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
