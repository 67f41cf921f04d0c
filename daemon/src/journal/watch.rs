//! Following the log of a project from any position: memory while that reaches
//! back far enough, Postgres otherwise, and nothing skipped in silence.

use std::sync::Arc;

use sqlx::PgPool;

use crate::domain;
use crate::domain::event::{Event, Recorded};
use crate::domain::id::ProjectId;
use crate::store::{StoreError, heads};

use super::log::{Found, Logs, Watcher};

/// Why a log cannot be followed, or no further.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// A position below 0.
    #[error("a position in a log is not negative")]
    Negative,
    /// The position was compacted away.
    #[error("the log no longer goes back that far; the oldest entry is {oldest}")]
    Compacted {
        /// Oldest position that is there.
        oldest: i64,
    },
    /// The position lies past the head.
    #[error("the log has not come that far; its head is {head}")]
    Ahead {
        /// Newest position.
        head: i64,
    },
    /// There is no such project, or no longer.
    #[error("the project is gone")]
    Gone,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<WatchError> for domain::Error {
    fn from(error: WatchError) -> Self {
        match error {
            WatchError::Negative => Self::invalid(
                "after_sequence",
                domain::error::FieldRule::Sequence,
                "must not be negative",
            ),
            WatchError::Compacted { oldest } => Self::SequenceCompacted { oldest },
            WatchError::Ahead { head } => Self::SequenceAhead { head },
            WatchError::Gone => Self::NotFound,
            WatchError::Store(error) => error.into(),
        }
    }
}

/// The next events of a log.
#[derive(Clone, Debug)]
pub struct Batch {
    /// In order, dense, at least one.
    pub events: Vec<Arc<Recorded>>,
    /// Position of the newest entry that is known of.
    pub head: i64,
}

/// A window on the log of a project. Closing it stops nothing.
pub struct Watch {
    pool: PgPool,
    watcher: Watcher,
    ended: bool,
}

impl Watch {
    pub(super) async fn open(
        pool: &PgPool,
        logs: &Logs,
        project: ProjectId,
        after: Option<i64>,
    ) -> Result<Self, WatchError> {
        if after.is_some_and(|after| after < 0) {
            return Err(WatchError::Negative);
        }
        let ends = heads::get(pool, project).await?.ok_or(WatchError::Gone)?;
        let after = after.unwrap_or(ends.head);
        if after > ends.head {
            return Err(WatchError::Ahead { head: ends.head });
        }
        if after < ends.oldest - 1 {
            return Err(WatchError::Compacted {
                oldest: ends.oldest,
            });
        }
        Ok(Self {
            pool: pool.clone(),
            watcher: logs.watch(project, after, ends.head),
            ended: false,
        })
    }

    /// Position of the last event that was given out, or where it started.
    #[must_use]
    pub fn position(&self) -> i64 {
        self.watcher.cursor()
    }

    /// Position of the newest entry that is known of: for heartbeats.
    #[must_use]
    pub fn head(&self) -> i64 {
        self.watcher.head()
    }

    /// The next events; waits for some. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`WatchError::Compacted`] if the log was trimmed past the position,
    /// [`WatchError::Gone`] after `ProjectDeleted` was given out, or the
    /// database, after which calling again goes on.
    pub async fn next(&mut self) -> Result<Batch, WatchError> {
        if self.ended {
            return Err(WatchError::Gone);
        }
        loop {
            match self.watcher.look() {
                Found::Events(events, head) => return Ok(Batch { events, head }),
                Found::Behind => return self.read_page().await,
                Found::Hole => self.watcher.fill(&self.pool).await?,
                Found::Nothing => self.watcher.woken().await,
                Found::Deleted(sequence) => return Ok(self.deleted(sequence)),
            }
        }
    }

    async fn read_page(&mut self) -> Result<Batch, WatchError> {
        let cursor = self.watcher.cursor();
        let project = self.watcher.project();
        let events = self.watcher.read(&self.pool).await?;
        let starts_right = events
            .first()
            .is_some_and(|event| event.sequence == cursor + 1);
        if !starts_right {
            let ends = heads::get(&self.pool, project).await?;
            return match ends {
                None => Ok(self.deleted(self.watcher.head() + 1)),
                Some(ends) => Err(WatchError::Compacted {
                    oldest: ends.oldest,
                }),
            };
        }
        // From here to the return nothing waits: what moves the cursor is given out.
        if let Some(newest) = events.last() {
            self.watcher.moved_to(newest.sequence);
        }
        let head = self.watcher.head();
        Ok(Batch { events, head })
    }

    /// The last thing that a watcher sees. It stands in no table: the log went
    /// with the project.
    fn deleted(&mut self, sequence: i64) -> Batch {
        self.ended = true;
        let event = Recorded {
            sequence,
            time: time::OffsetDateTime::now_utc(),
            generation_id: None,
            event: Event::ProjectDeleted,
        };
        Batch {
            events: vec![Arc::new(event)],
            head: sequence,
        }
    }
}
