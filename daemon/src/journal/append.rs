//! What goes into the journal, and what comes back.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::oneshot;
use uuid::Uuid;

use crate::domain;
use crate::domain::event::Event;
use crate::domain::id::{GenerationId, ProjectId};
use crate::store::{RowChange, StoreError};

/// Events of one project with the row changes that go with them: all of it is
/// committed, or none.
#[derive(Clone, Debug)]
pub struct Append {
    /// The project.
    pub project: ProjectId,
    /// Under which ownership this is written.
    pub fence: Fence,
    /// The generation that the events belong to.
    pub generation: Option<GenerationId>,
    /// In order; may be empty.
    pub events: Vec<Event>,
    /// Applied in order, before the events are written.
    pub changes: Vec<RowChange>,
}

/// Under which ownership something is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fence {
    /// Whoever owns the project: for what users ask for.
    None,
    /// Only while this epoch of a lease is the newest: for what a generation emits.
    Epoch(i64),
}

/// Where events came to stand in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Position of the first.
    pub first: i64,
    /// Position of the last; `first - 1` if there was no event.
    pub last: i64,
}

/// Why something was not written. Nothing of the append was.
///
/// [`AppendError::Unavailable`] is the exception: the database went away before
/// it could be told whether the append landed. It is never written twice.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// Somebody took the project over: stop, write nothing more.
    #[error("the project was taken over")]
    Fenced,
    /// The project is gone.
    #[error("the project is gone")]
    ProjectGone,
    /// Too much of this project waits to be written; [`super::Journal::send`] waits for room.
    #[error("too much of the project waits to be written")]
    Full,
    /// The database did not come back within 30 s.
    #[error("the database did not come back")]
    Unavailable,
    /// The database has no space left.
    #[error("the database is out of space")]
    StorageFull,
    /// The journal is closed.
    #[error("the journal is closed")]
    ShuttingDown,
    /// A row change was refused, or an event was: for instance a second end.
    #[error("refused: {0}")]
    Refused(#[source] Arc<StoreError>),
}

impl AppendError {
    /// What the first call with the same `request_id` made, if this is a repeat.
    #[must_use]
    pub fn repeated(&self) -> Option<Uuid> {
        match self {
            Self::Refused(error) => match **error {
                StoreError::RequestRepeated { resource_id } => Some(resource_id),
                _ => None,
            },
            _ => None,
        }
    }

    /// The generation that runs already, if that is what was refused.
    #[must_use]
    pub fn running(&self) -> Option<GenerationId> {
        match self {
            Self::Refused(error) => match **error {
                StoreError::GenerationRunning(id) => Some(id),
                _ => None,
            },
            _ => None,
        }
    }
}

impl From<AppendError> for domain::Error {
    fn from(error: AppendError) -> Self {
        if let Some(resource) = error.repeated() {
            return Self::Repeated(resource);
        }
        match error {
            AppendError::Fenced => Self::Conflict,
            AppendError::ProjectGone => Self::NotFound,
            AppendError::Full => Self::Overloaded,
            AppendError::Unavailable => Self::DbUnavailable,
            AppendError::StorageFull => Self::StorageFull,
            AppendError::ShuttingDown => Self::ShuttingDown,
            AppendError::Refused(error) => match Arc::try_unwrap(error) {
                Ok(error) => error.into(),
                // Somebody else holds it too: the common ones again, by value.
                Err(shared) => match *shared {
                    StoreError::Conflict => Self::Conflict,
                    StoreError::NotFound => Self::NotFound,
                    StoreError::GenerationRunning(id) => Self::GenerationRunning(id),
                    StoreError::RequestIdReused => Self::RequestIdReused,
                    _ => Self::internal(shared),
                },
            },
        }
    }
}

/// Stands for something that was queued; await it to learn where it came to
/// stand. Dropping it loses nothing but the answer: if the write then fails,
/// the next append of the same owner is refused with that failure, so that no
/// hole is left in a text.
#[derive(Debug)]
pub struct Receipt(pub(super) oneshot::Receiver<Result<Committed, AppendError>>);

impl IntoFuture for Receipt {
    type Output = Result<Committed, AppendError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.0.await.unwrap_or(Err(AppendError::ShuttingDown)) })
    }
}
