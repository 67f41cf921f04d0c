//! Server streams: how many one may hold, when they end, and what goes down
//! them. A stream is a window: closing it stops nothing behind it. Every one
//! ends with a terminal event or with a status.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt};
use kiln_proto::v1;
use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::convert;
use crate::app::accounts::Accounts;
use crate::app::launch::LogStream;
use crate::app::projects::Projects;
use crate::domain::account::Caller;
use crate::domain::error::{Error, Result};
use crate::domain::generation::{Generation, GenerationState};
use crate::domain::id::{GenerationId, ProjectId, TeamId, UserId};
use crate::domain::project::Project;
use crate::journal::{Batch, Journal, Watch};
use crate::sandbox::OutputStream;
use crate::shutdown::Shutdown;
use crate::store::page::{Cursor, PageRequest};

/// Silence after which a heartbeat says that the stream is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How often the credential behind a stream is looked at again.
const RECHECK: Duration = Duration::from_secs(4);

/// How long a reader may take nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long streams go on when the daemon goes down, for the last events.
const LAST_WORDS: Duration = Duration::from_millis(1_500);

/// Between two looks at a list of projects: a model writes many times a second.
const LIST_PAUSE: Duration = Duration::from_millis(250);

/// How often a list of projects is looked at where other daemons write too: the
/// net under their hints.
const LIST_NET: Duration = Duration::from_secs(2);

/// What a streaming method answers with.
pub type WatchStream<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// All streams of the server.
#[derive(Clone)]
pub struct Streams {
    inner: Arc<Inner>,
}

struct Inner {
    accounts: Accounts,
    journal: Journal,
    pool: PgPool,
    shutdown: Shutdown,
    per_user: u32,
    held: Mutex<HashMap<UserId, u32>>,
}

impl Streams {
    /// No streams yet; each user may hold `per_user`.
    #[must_use]
    pub fn new(
        accounts: Accounts,
        journal: Journal,
        pool: PgPool,
        shutdown: Shutdown,
        per_user: u32,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                accounts,
                journal,
                pool,
                shutdown,
                per_user,
                held: Mutex::new(HashMap::new()),
            }),
        }
    }

    /// The log of a project from a position on.
    ///
    /// # Errors
    /// As the schema says at `WatchProject`.
    pub(super) async fn project(
        &self,
        caller: Caller,
        project: Project,
        after: Option<i64>,
        until: Option<GenerationId>,
    ) -> Result<WatchStream<v1::WatchProjectResponse>> {
        let seat = self.seat(caller.user_id)?;
        let watch = self.inner.journal.watch(project.id, after).await?;
        let finish = match until {
            Some(id) => Some(self.finish_line(id, watch.head()).await?),
            None => None,
        };
        Ok(self.open(caller, seat, async move |sink| {
            if after.is_none() {
                sink.send(v1::WatchProjectResponse {
                    events: vec![],
                    head_sequence: watch.position(),
                    snapshot: Some(convert::project(project)),
                })
                .await?;
            }
            follow(watch, finish, &sink, |batch| v1::WatchProjectResponse {
                events: batch
                    .events
                    .iter()
                    .map(|event| convert::event(event))
                    .collect(),
                head_sequence: batch.head,
                snapshot: None,
            })
            .await
        }))
    }

    /// The events of one generation to its end.
    ///
    /// # Errors
    /// As the schema says at `Generate`.
    pub(super) async fn generation(
        &self,
        caller: Caller,
        project: &Project,
        generation: Generation,
        after: i64,
    ) -> Result<WatchStream<v1::GenerateResponse>> {
        let seat = self.seat(caller.user_id)?;
        let watch = self.inner.journal.watch(project.id, Some(after)).await?;
        let finish = self.finish_line(generation.id, watch.head()).await?;
        let id = generation.id;
        Ok(self.open(caller, seat, async move |sink| {
            sink.send(v1::GenerateResponse {
                events: vec![],
                head_sequence: watch.head(),
                generation: Some(convert::generation(generation)),
            })
            .await?;
            follow(watch, Some(finish), &sink, |batch| v1::GenerateResponse {
                events: batch
                    .events
                    .iter()
                    .filter(|event| event.generation_id.is_none_or(|of| of == id))
                    .map(|event| convert::event(event))
                    .collect(),
                head_sequence: batch.head,
                generation: None,
            })
            .await
        }))
    }

    /// The list of a caller's projects, then its changes.
    ///
    /// # Errors
    /// [`Error::StreamLimit`].
    pub(super) fn projects(
        &self,
        caller: Caller,
        team: Option<TeamId>,
        projects: Projects,
    ) -> Result<WatchStream<v1::WatchProjectsResponse>> {
        let seat = self.seat(caller.user_id)?;
        let of = caller.clone();
        let mut changes = self.inner.journal.changes();
        Ok(self.open(caller, seat, async move |sink| {
            let mut known: HashMap<ProjectId, Project> = HashMap::new();
            let mut complete = false;
            let mut sent = Instant::now();
            loop {
                let now = all_projects(&projects, &of, team).await?;
                let changed: Vec<Project> = now
                    .values()
                    .filter(|project| known.get(&project.id) != Some(project))
                    .cloned()
                    .collect();
                let deleted: Vec<ProjectId> = known
                    .keys()
                    .filter(|id| !now.contains_key(id))
                    .copied()
                    .collect();
                let due = sent.elapsed() >= HEARTBEAT;
                if !complete || !changed.is_empty() || !deleted.is_empty() || due {
                    sink.send(v1::WatchProjectsResponse {
                        projects: changed.into_iter().map(convert::project).collect(),
                        deleted_project_ids: deleted.iter().map(ToString::to_string).collect(),
                        initial_list_complete: !complete,
                    })
                    .await?;
                    complete = true;
                    sent = Instant::now();
                }
                known = now;
                tokio::time::sleep(LIST_PAUSE).await;
                let net = if changes.others() {
                    LIST_NET
                } else {
                    HEARTBEAT
                };
                let next = net.min(HEARTBEAT.saturating_sub(sent.elapsed()));
                // What happened during the pause wakes at once.
                let _ = tokio::time::timeout(next, changes.next()).await;
            }
        }))
    }

    /// The output of a dev server.
    ///
    /// # Errors
    /// [`Error::StreamLimit`].
    pub(super) fn logs(
        &self,
        caller: Caller,
        logs: LogStream,
        since: Option<OffsetDateTime>,
    ) -> Result<WatchStream<v1::StreamLogsResponse>> {
        let seat = self.seat(caller.user_id)?;
        Ok(self.open(caller, seat, async move |sink| {
            let mut logs = logs;
            while let Some(batch) = logs.next().await {
                let batch = batch?;
                let lines: Vec<v1::LogLine> = batch
                    .lines
                    .into_iter()
                    .filter(|line| since.is_none_or(|since| line.time > since))
                    .map(|line| v1::LogLine {
                        number: i64::try_from(line.number).unwrap_or(i64::MAX),
                        time: Some(convert::timestamp(line.time)),
                        stream: match line.stream {
                            OutputStream::Stdout => v1::LogStream::Stdout,
                            OutputStream::Stderr => v1::LogStream::Stderr,
                            OutputStream::Supervisor => v1::LogStream::System,
                        }
                        .into(),
                        text: line.text,
                    })
                    .collect();
                if !lines.is_empty() || batch.dropped > 0 {
                    sink.send(v1::StreamLogsResponse {
                        lines,
                        dropped_count: i64::try_from(batch.dropped).unwrap_or(i64::MAX),
                    })
                    .await?;
                }
            }
            Ok(())
        }))
    }

    /// Messages that are all there already.
    ///
    /// # Errors
    /// [`Error::StreamLimit`].
    pub(super) fn finite<T: Send + 'static>(
        &self,
        caller: &Caller,
        messages: impl Iterator<Item = T> + Send + 'static,
    ) -> Result<WatchStream<T>> {
        let seat = self.seat(caller.user_id)?;
        Ok(Box::pin(futures::stream::iter(messages).map(
            move |message| {
                // Held until the stream is gone.
                let _ = &seat;
                Ok(message)
            },
        )))
    }

    /// Runs `work` in a task of its own, until it is done, the reader leaves,
    /// the credential ends, or the daemon goes down.
    fn open<T: Send + 'static, F>(
        &self,
        caller: Caller,
        seat: Seat,
        work: impl FnOnce(Sink<T>) -> F + Send + 'static,
    ) -> WatchStream<T>
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let (items, receiver) = mpsc::channel(1);
        let (end, ended) = oneshot::channel::<Status>();
        let this = self.clone();
        let reader = items.clone();
        let work = work(Sink { items });
        self.inner.shutdown.work.spawn(async move {
            let _seat = seat;
            let result = tokio::select! {
                result = work => result,
                error = this.revoked(&caller) => Err(error),
                () = reader.closed() => return,
                () = this.going_down() => Err(Error::ShuttingDown),
            };
            if let Err(error) = result {
                // The reader may be gone already; then nobody needs the status.
                let _ = end.send(error.into());
            }
        });
        let end = futures::stream::once(ended).filter_map(async |end| end.ok().map(Err));
        Box::pin(ReceiverStream::new(receiver).map(Ok).chain(end))
    }

    async fn going_down(&self) {
        self.inner.shutdown.stopping.cancelled().await;
        tokio::time::sleep(LAST_WORDS).await;
    }

    /// Resolves when the caller's credential is no longer good.
    async fn revoked(&self, caller: &Caller) -> Error {
        loop {
            tokio::time::sleep(RECHECK).await;
            match self.inner.accounts.recheck(caller).await {
                // A database that is away for a moment revokes nothing.
                Ok(()) | Err(Error::DbUnavailable | Error::DbTimeout) => {}
                Err(error) => return error,
            }
        }
    }

    /// Where a stream that ends with a generation ends. One that is over ends
    /// it at the head at the latest, if its last event lies before the cursor.
    async fn finish_line(&self, id: GenerationId, head: i64) -> Result<FinishLine> {
        let over = crate::store::generations::get_unscoped(&self.inner.pool, id)
            .await?
            .is_none_or(|generation| generation.state == GenerationState::Finished);
        Ok(FinishLine {
            generation: id,
            position: over.then_some(head),
        })
    }

    fn seat(&self, user: UserId) -> Result<Seat> {
        let limit = self.inner.per_user;
        let mut held = self
            .inner
            .held
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(user).or_insert(0);
        if *count >= limit {
            return Err(Error::StreamLimit { limit });
        }
        *count += 1;
        Ok(Seat {
            inner: Arc::clone(&self.inner),
            user,
        })
    }
}

/// One stream's place among those of its user.
struct Seat {
    inner: Arc<Inner>,
    user: UserId,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut held = self
            .inner
            .held
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.user);
            }
        }
    }
}

/// Where a stream's messages go: one waits at most, so that a slow reader is an
/// older cursor rather than a longer queue.
struct Sink<T> {
    items: mpsc::Sender<T>,
}

impl<T> Sink<T> {
    async fn send(&self, item: T) -> Result<()> {
        tokio::time::timeout(PATIENCE, self.items.send(item))
            .await
            .map_err(|_| Error::SlowConsumer)?
            // The reader left: its task ends at its next look.
            .map_err(|_| Error::SlowConsumer)
    }
}

/// Where a stream that ends with a generation ends.
#[derive(Clone, Copy)]
struct FinishLine {
    generation: GenerationId,
    position: Option<i64>,
}

async fn follow<T>(
    mut watch: Watch,
    finish: Option<FinishLine>,
    sink: &Sink<T>,
    message: impl Fn(&Batch) -> T,
) -> Result<()> {
    loop {
        if finish
            .and_then(|finish| finish.position)
            .is_some_and(|position| watch.position() >= position)
        {
            return Ok(());
        }
        let mut batch = match tokio::time::timeout(HEARTBEAT, watch.next()).await {
            Ok(batch) => batch?,
            Err(_) => Batch {
                events: vec![],
                head: watch.head(),
            },
        };
        let over = finish.and_then(|finish| {
            batch.events.iter().position(|event| {
                event.generation_id == Some(finish.generation) && event.event.is_terminal()
            })
        });
        if let Some(last) = over {
            batch.events.truncate(last + 1);
        }
        sink.send(message(&batch)).await?;
        if over.is_some() {
            return Ok(());
        }
    }
}

async fn all_projects(
    projects: &Projects,
    caller: &Caller,
    team: Option<TeamId>,
) -> Result<HashMap<ProjectId, Project>> {
    const PAGE: i64 = 200;
    let mut all = HashMap::new();
    let mut request = PageRequest::first(PAGE);
    loop {
        let page = projects.list(caller, team, request).await?;
        let full = page.len() == usize::try_from(PAGE).unwrap_or(usize::MAX);
        request.after = page.last().map(|last| Cursor {
            created_at: last.created_at,
            id: last.id.uuid(),
        });
        all.extend(page.into_iter().map(|project| (project.id, project)));
        if !full {
            return Ok(all);
        }
    }
}
