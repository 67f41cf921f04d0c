//! The one writer of events: commit, then publish.
//!
//! Whatever happens to a project goes through [`Journal::append`] (or
//! [`Journal::send`], which does not wait for the commit): events and the row
//! changes that go with them are committed in one transaction, and only then
//! does any watcher see them. One writer task commits for all projects; it has
//! no timer, it takes what queued while the batch before was under way.
//!
//! Positions are dense, from 1, for each project. What a generation emits is
//! fenced by the epoch of a [`Lease`]: after a take-over its old owner writes
//! nothing more, whatever the clocks say. When a connection dies during COMMIT,
//! a row that only this writer moves tells whether the batch landed, and makes
//! sure that it cannot land later; it is never written twice.
//!
//! [`Journal::watch`] reads from any position and follows. It refuses to skip:
//! what is not there any more is an error that says so.
//!
//! Where to read on: `queue` (what waits), `writer` (the loop and its failures),
//! `ledger` (one transaction), `batch` (its SQL), `log` (memory), `watch`, `presence` (other daemons).

mod append;
mod batch;
mod lease;
mod ledger;
mod log;
mod presence;
mod queue;
mod watch;
mod writer;

use std::sync::Arc;

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::id::{BootId, DaemonId, ProjectId};
use crate::store::{StoreError, daemons, heads};

pub use append::{Append, AppendError, Committed, Fence, Receipt};
pub use lease::{ClaimError, Lease};
pub use presence::HEARTBEAT;
pub use watch::{Batch, Watch, WatchError};

use log::Logs;
use presence::Hints;
use queue::{NotTaken, Queue};
use writer::Writer;

/// Who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The daemon, kept in its data directory.
    pub daemon_id: DaemonId,
    /// This start of it, made anew each time.
    pub boot_id: BootId,
}

/// The journal of this daemon. Clones are the same journal.
#[derive(Clone)]
pub struct Journal {
    inner: Arc<Inner>,
}

struct Inner {
    pool: PgPool,
    identity: Identity,
    queue: Arc<Queue>,
    logs: Arc<Logs>,
    hints: Arc<Hints>,
    /// Cancelled when the writer is gone, whatever for.
    stopped: CancellationToken,
}

impl Journal {
    /// Registers this boot and starts the writer and what goes on beside it.
    /// From then on leases of this daemon's earlier boots are void and their
    /// writers can write nothing. `cancel` closes the journal: what was queued
    /// before is still written.
    ///
    /// # Errors
    /// The database.
    pub async fn start(
        pool: PgPool,
        identity: Identity,
        host: &str,
        cancel: CancellationToken,
        tracker: &TaskTracker,
    ) -> Result<Self, StoreError> {
        let Identity { daemon_id, boot_id } = identity;
        let mut connection = pool.acquire().await?;
        daemons::register(&mut connection, daemon_id, boot_id, host).await?;
        drop(connection);
        let journal = Self {
            inner: Arc::new(Inner {
                pool: pool.clone(),
                identity,
                queue: Arc::default(),
                logs: Arc::default(),
                hints: Arc::default(),
                stopped: CancellationToken::new(),
            }),
        };
        if let Some(others) = daemons::heartbeat(&pool, daemon_id, boot_id).await? {
            journal.inner.hints.set_others(others > 0);
        }
        journal.spawn(&cancel, tracker);
        Ok(journal)
    }

    fn spawn(&self, cancel: &CancellationToken, tracker: &TaskTracker) {
        let Inner {
            pool,
            identity,
            queue,
            logs,
            hints,
            stopped,
        } = &*self.inner;
        let writer = Writer::new(
            pool.clone(),
            *identity,
            Arc::clone(queue),
            Arc::clone(logs),
            Arc::clone(hints),
        );
        let end = WriterEnd {
            queue: Arc::clone(queue),
            stopped: stopped.clone(),
        };
        tracker.spawn(async move {
            writer.run().await;
            drop(end);
        });
        let (closing, queue) = (cancel.clone(), Arc::clone(queue));
        let until = stopped.clone();
        tracker.spawn(async move {
            tokio::select! {
                () = closing.cancelled() => queue.close(),
                () = until.cancelled() => {}
            }
        });
        // These stop with the writer, not before: it may still commit.
        let until = stopped.clone();
        let task = presence::send_hints(pool.clone(), Arc::clone(hints));
        tracker.spawn(async move { until.run_until_cancelled(task).await });
        let until = stopped.clone();
        let task = presence::listen(pool.clone(), Arc::clone(logs));
        tracker.spawn(async move { until.run_until_cancelled(task).await });
        let until = stopped.clone();
        let task = presence::poll(pool.clone(), Arc::clone(logs), Arc::clone(hints));
        tracker.spawn(async move { until.run_until_cancelled(task).await });
        let (until, journal) = (stopped.clone(), self.clone());
        tracker.spawn(async move {
            let (pool, identity) = (journal.inner.pool.clone(), journal.inner.identity);
            let task = presence::heartbeat(journal);
            until.run_until_cancelled(task).await;
            presence::leave(&pool, identity).await;
        });
    }

    /// Commits events and row changes, and waits for that. Before it returns,
    /// watchers were told.
    ///
    /// # Errors
    /// Nothing was written; see [`AppendError`].
    pub async fn append(&self, append: Append) -> Result<Committed, AppendError> {
        self.send(append).await?.await
    }

    /// Queues events and row changes: waits for room, but not for the commit.
    ///
    /// # Errors
    /// The journal is closed, or an earlier append of the same owner failed
    /// after its receipt had been dropped.
    pub async fn send(&self, append: Append) -> Result<Receipt, AppendError> {
        self.inner.queue.push_when_room(append).await
    }

    /// The same without any waiting: [`AppendError::Full`] where there is no room.
    ///
    /// # Errors
    /// See [`Journal::send`].
    pub fn enqueue(&self, append: Append) -> Result<Receipt, AppendError> {
        self.inner.queue.push(append).map_err(|error| match error {
            NotTaken::Full(_) => AppendError::Full,
            NotTaken::Failed(error) => error,
        })
    }

    /// Follows the log of a project after a position: 0 is everything, `None`
    /// only what comes from now on.
    ///
    /// # Errors
    /// The position is not one, or no longer; or the database.
    pub async fn watch(&self, project: ProjectId, after: Option<i64>) -> Result<Watch, WatchError> {
        Watch::open(&self.inner.pool, &self.inner.logs, project, after).await
    }

    /// Position of the newest event of a project.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or the database.
    pub async fn head(&self, project: ProjectId) -> Result<i64, StoreError> {
        let ends = heads::get(&self.inner.pool, project).await?;
        Ok(ends.ok_or(StoreError::NotFound)?.head)
    }

    /// Something changed in the row of some project that no event tells of.
    pub fn touched(&self) {
        self.inner.logs.touched();
    }

    /// Tells of changes to any project: of events, of rows, of deletions. Of what
    /// other daemons write it tells only where their hints arrive.
    #[must_use]
    pub fn changes(&self) -> Changes {
        Changes {
            woken: self.inner.logs.changes(),
            hints: Arc::clone(&self.inner.hints),
        }
    }

    /// The project was deleted: whoever watches it is told, and ends.
    pub fn forget(&self, project: ProjectId) {
        self.inner.logs.delete(project);
        self.inner.hints.deleted(project);
    }

    /// Who writes.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.inner.identity
    }

    /// How many projects are held in memory.
    #[must_use]
    pub fn live_projects(&self) -> usize {
        self.inner.logs.live()
    }

    /// Completes when the writer is gone: after closing, or because it broke.
    pub async fn stopped(&self) {
        self.inner.stopped.cancelled().await;
    }
}

/// Wakes whoever shows many projects at once. It never says what changed.
#[derive(Clone)]
pub struct Changes {
    woken: tokio::sync::watch::Receiver<()>,
    hints: Arc<Hints>,
}

impl Changes {
    /// Resolves at the first change since this was last called, which may be at
    /// once.
    pub async fn next(&mut self) {
        if self.woken.changed().await.is_err() {
            // The journal is gone: nothing changes any more.
            std::future::pending::<()>().await;
        }
    }

    /// Whether other daemons work with the database, whose hints may get lost.
    #[must_use]
    pub fn others(&self) -> bool {
        self.hints.others()
    }
}

/// Runs when the writer ends, in whichever way.
struct WriterEnd {
    queue: Arc<Queue>,
    stopped: CancellationToken,
}

impl Drop for WriterEnd {
    fn drop(&mut self) {
        self.queue.abandon();
        self.stopped.cancel();
    }
}
