//! The one writer of events: takes what waits, commits it as one transaction,
//! publishes it, and answers. It never starts a second batch before the fate of
//! the first is known, and never writes one twice.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::event::Recorded;
use crate::domain::id::ProjectId;

use super::Identity;
use super::append::AppendError;
use super::batch::{self, EventRows, Fate, Ticket, Wait};
use super::ledger::{
    Done, Ledger, Trouble, Verdict, ends, is_definite, lost, lost_or_busy, plan, refused,
};
use super::log::{Logs, Shared};
use super::presence::Hints;
use super::queue::{Entry, Queue};

/// How long a batch waits for a database that went away.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long one try may take: more than the server's own limit for a statement.
const TRY_TIMEOUT: Duration = Duration::from_secs(8);
/// Pause after a try that failed, doubled up to the maximum.
const BACKOFF_MIN: Duration = Duration::from_millis(20);
const BACKOFF_MAX: Duration = Duration::from_secs(1);
/// Pause after a batch of which every head was held by somebody else.
const ALL_SKIPPED: Duration = Duration::from_millis(1);
/// After so many skips in a row, a project waits for its head.
const SKIPS_MAX: u32 = 20;
/// Heads that are remembered at most.
const HEADS_MAX: usize = 65_536;

/// The writer's statements take arrays, so Postgres would plan them anew each
/// time, which takes longer than running them. One plan serves all batches, as
/// long as it goes by index: tables grow after it was made.
const PLANNING: [(&str, &str); 4] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
];

pub(super) struct Writer {
    pub(super) pool: PgPool,
    pub(super) identity: Identity,
    pub(super) queue: Arc<Queue>,
    pub(super) logs: Arc<Logs>,
    pub(super) hints: Arc<Hints>,
    state: WriterState,
}

#[derive(Default)]
struct WriterState {
    /// Its own, outside the pool. Taken out while in use, so that a try that was
    /// given up closes it.
    connection: Option<PgConnection>,
    /// Where the writer's row is; `None` before it was first read.
    position: Option<i64>,
    /// A batch whose answer was lost.
    undecided: Option<Undecided>,
    /// Heads as of the last commit: a guess, checked by every statement.
    heads: HashMap<ProjectId, i64>,
    /// How often in a row a project was skipped.
    skips: HashMap<ProjectId, u32>,
}

/// A batch that was sent to be committed, and not answered.
struct Undecided {
    ticket: Ticket,
    verdicts: Vec<Verdict>,
    /// Where the projects' logs end if it was committed.
    ends: Vec<(ProjectId, i64)>,
    /// Whether its entries were answered as failed meanwhile.
    given_up: bool,
}

/// How the entries of a batch are kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Care {
    /// All together; the first refusal ends the try.
    Together,
    /// Each behind a savepoint, so that only the guilty one is left out.
    OneByOne,
}

impl Writer {
    pub(super) fn new(
        pool: PgPool,
        identity: Identity,
        queue: Arc<Queue>,
        logs: Arc<Logs>,
        hints: Arc<Hints>,
    ) -> Self {
        Self {
            pool,
            identity,
            queue,
            logs,
            hints,
            state: WriterState::default(),
        }
    }

    /// Writes until the queue is closed and empty.
    pub(super) async fn run(mut self) {
        while let Some(mut entries) = self.queue.take().await {
            for entry in &mut entries {
                serialise(entry);
            }
            self.write(entries).await;
        }
        if let Some(connection) = self.state.connection.take() {
            let _ = tokio::time::timeout(Duration::from_secs(1), connection.close()).await;
        }
    }

    /// Writes a batch, however often that takes, within its patience.
    async fn write(&mut self, entries: Vec<Entry>) {
        let started = Instant::now();
        let mut care = Care::Together;
        let mut pause = BACKOFF_MIN;
        loop {
            let tried = tokio::time::timeout(TRY_TIMEOUT, self.try_write(&entries, care)).await;
            let error = match tried {
                Ok(Ok((verdicts, time))) => return self.settle(entries, verdicts, time).await,
                Ok(Err(Trouble::Refused)) => {
                    care = Care::OneByOne;
                    continue;
                }
                Ok(Err(Trouble::Full)) => return self.fail(entries, &AppendError::StorageFull),
                Ok(Err(Trouble::Deposed)) => {
                    tracing::error!("a later boot of this daemon took over; nothing is written");
                    return self.fail(entries, &AppendError::Fenced);
                }
                Ok(Err(Trouble::Lost(error) | Trouble::Busy(error))) => error,
                Err(_) => "no answer".to_owned(),
            };
            if started.elapsed() + pause > PATIENCE {
                tracing::error!(error, entries = entries.len(), "gave a batch up");
                return self.fail(entries, &AppendError::Unavailable);
            }
            tracing::warn!(
                error,
                entries = entries.len(),
                "a batch waits for the database"
            );
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(BACKOFF_MAX);
        }
    }

    /// One try. What an earlier one sent without an answer is settled first.
    async fn try_write(&mut self, entries: &[Entry], care: Care) -> Result<Done, Trouble> {
        let mut db = self.connect().await?;
        if let Some(done) = self.settle_undecided(&mut db).await? {
            self.state.connection = Some(db);
            return Ok(done);
        }
        let result = self.transact(&mut db, entries, care).await;
        // After anything else its state is not worth a thought: a new one is cheap.
        if matches!(result, Ok(_) | Err(Trouble::Refused)) {
            self.state.connection = Some(db);
        }
        result
    }

    /// Finds out what became of a batch whose answer was lost. Gives its
    /// verdicts if it was committed and its entries still wait for them.
    async fn settle_undecided(&mut self, db: &mut PgConnection) -> Result<Option<Done>, Trouble> {
        let Some(undecided) = &self.state.undecided else {
            return Ok(None);
        };
        let ticket = undecided.ticket;
        let fate = batch::decide(db, ticket).await.map_err(lost_or_busy)?;
        tracing::info!(
            ?fate,
            batch = ticket.before + 1,
            "a lost answer was looked up"
        );
        match fate {
            Fate::Deposed => return Err(Trouble::Deposed),
            Fate::Burned => {
                self.state.position = Some(ticket.before + 2);
                self.state.undecided = None;
                return Ok(None);
            }
            Fate::Committed => {}
        }
        let time = match undecided.ends.first() {
            Some((project, end)) => batch::time_of(db, *project, *end)
                .await
                .map_err(lost_or_busy)?,
            None => None,
        };
        // Nothing waits from here on: it is settled once.
        self.state.position = Some(ticket.before + 1);
        let Some(undecided) = self.state.undecided.take() else {
            return Ok(None);
        };
        for (project, end) in &undecided.ends {
            self.state.heads.insert(*project, *end);
        }
        if undecided.given_up {
            for (project, end) in undecided.ends {
                self.logs.learn(project, end);
            }
            return Ok(None);
        }
        // The project may have been deleted since; its events then reach nobody.
        let time = time.unwrap_or_else(OffsetDateTime::now_utc);
        Ok(Some((undecided.verdicts, Some(time))))
    }

    async fn connect(&mut self) -> Result<PgConnection, Trouble> {
        if let Some(db) = self.state.connection.take() {
            return Ok(db);
        }
        let options = (*self.pool.connect_options()).clone().options(PLANNING);
        let mut db = PgConnection::connect_with(&options).await.map_err(lost)?;
        if self.state.position.is_none() {
            let position = batch::position(&mut db, self.identity.boot_id.uuid())
                .await
                .map_err(lost_or_busy)?;
            self.state.position = Some(position.ok_or(Trouble::Deposed)?);
        }
        Ok(db)
    }

    async fn transact(
        &mut self,
        db: &mut PgConnection,
        entries: &[Entry],
        care: Care,
    ) -> Result<Done, Trouble> {
        let ticket = Ticket {
            boot: self.identity.boot_id.uuid(),
            before: self.state.position.unwrap_or_default(),
        };
        if care == Care::Together
            && let Some(done) = self.write_at_once(db, ticket, entries).await?
        {
            return Ok(done);
        }
        self.write_held(db, ticket, entries, care).await
    }

    /// The fast way, for events alone whose heads are known: one round trip.
    /// `None`: it has to go the long way, and nothing was written.
    async fn write_at_once(
        &mut self,
        db: &mut PgConnection,
        ticket: Ticket,
        entries: &[Entry],
    ) -> Result<Option<Done>, Trouble> {
        let Some((verdicts, ends, moves)) = plan(entries, &self.state.heads) else {
            return Ok(None);
        };
        let mut rows = EventRows::default();
        for (entry, verdict) in entries.iter().zip(&verdicts) {
            if let Verdict::At(first) = verdict {
                rows.push(entry, *first);
            }
        }
        self.state.undecided = Some(Undecided {
            ticket,
            verdicts: verdicts.clone(),
            ends,
            given_up: false,
        });
        match batch::write_at_once(db, ticket, &moves, &rows).await {
            Ok(time) => {
                let sent = self.state.undecided.take();
                let Some(time) = time else {
                    return Ok(None);
                };
                self.committed(ticket, sent);
                Ok(Some((verdicts, Some(time))))
            }
            Err(error) if is_definite(&error) => {
                self.state.undecided = None;
                Err(refused(error.into()))
            }
            Err(error) => Err(lost(error)),
        }
    }

    /// The long way: lock the heads, apply row changes, write, commit.
    async fn write_held(
        &mut self,
        db: &mut PgConnection,
        ticket: Ticket,
        entries: &[Entry],
        care: Care,
    ) -> Result<Done, Trouble> {
        let projects: BTreeSet<Uuid> = entries.iter().map(|entry| entry.project.uuid()).collect();
        let projects: Vec<Uuid> = projects.into_iter().collect();
        let overdue = |entry: &Entry| {
            let skips = self.state.skips.get(&entry.project);
            skips.is_some_and(|skips| *skips >= SKIPS_MAX)
        };
        let wait = if entries.iter().any(overdue) {
            Wait::Wait
        } else {
            Wait::Skip
        };
        let mut transaction = db.begin().await.map_err(lost_or_busy)?;
        let locked = batch::lock(&mut transaction, ticket, &projects, wait)
            .await
            .map_err(lost_or_busy)?;
        if !locked.ticket_valid {
            return Err(Trouble::Deposed);
        }
        let mut ledger = Ledger {
            heads: locked.heads,
            identity: self.identity,
        };
        let applied = match care {
            Care::Together => ledger.apply_together(&mut transaction, entries).await,
            Care::OneByOne => ledger.apply_one_by_one(&mut transaction, entries).await,
        };
        let (verdicts, time) = match applied {
            Ok(applied) => applied,
            Err(trouble) => {
                // Leaves the connection usable for the next try, where it still is.
                transaction.rollback().await.map_err(lost)?;
                return Err(trouble);
            }
        };
        if !verdicts
            .iter()
            .any(|verdict| matches!(verdict, Verdict::At(_)))
        {
            transaction.rollback().await.map_err(lost)?;
            return Ok((verdicts, None));
        }
        self.state.undecided = Some(Undecided {
            ticket,
            verdicts: verdicts.clone(),
            ends: ends(entries, &verdicts),
            given_up: false,
        });
        match transaction.commit().await {
            Ok(()) => {
                let sent = self.state.undecided.take();
                self.committed(ticket, sent);
                Ok((verdicts, time))
            }
            Err(error) if is_definite(&error) => {
                self.state.undecided = None;
                Err(refused(error.into()))
            }
            Err(error) => Err(lost(error)),
        }
    }

    fn committed(&mut self, ticket: Ticket, sent: Option<Undecided>) {
        self.state.position = Some(ticket.before + 1);
        if self.state.heads.len() > HEADS_MAX {
            self.state.heads.clear();
        }
        for (project, end) in sent.into_iter().flat_map(|sent| sent.ends) {
            self.state.heads.insert(project, end);
        }
    }

    /// Publishes what was committed, then answers everybody.
    async fn settle(
        &mut self,
        entries: Vec<Entry>,
        verdicts: Vec<Verdict>,
        time: Option<OffsetDateTime>,
    ) {
        let mut written = Vec::with_capacity(entries.len());
        let mut later = Vec::new();
        let mut published: Vec<(ProjectId, Shared)> = Vec::new();
        for (mut entry, verdict) in entries.into_iter().zip(verdicts) {
            match verdict {
                Verdict::At(first) => {
                    self.state.skips.remove(&entry.project);
                    let recorded = record(&mut entry, first, time);
                    match published.last_mut() {
                        Some((project, events)) if *project == entry.project => {
                            events.extend(recorded);
                        }
                        _ => published.push((entry.project, recorded)),
                    }
                    written.push((entry, first));
                }
                Verdict::Later => {
                    *self.state.skips.entry(entry.project).or_default() += 1;
                    self.state.heads.remove(&entry.project);
                    later.push(entry);
                }
                Verdict::Refused(error) => {
                    self.state.skips.remove(&entry.project);
                    self.state.heads.remove(&entry.project);
                    self.queue.failed(entry, &error);
                }
            }
        }
        let all_skipped = written.is_empty() && !later.is_empty();
        self.queue.put_back(later);
        for (project, events) in published {
            if let Some((newest, _)) = events.last() {
                self.hints.committed(project, newest.sequence);
            }
            self.logs.publish(project, events);
        }
        for (entry, first) in written {
            self.queue.committed(entry, first);
        }
        if all_skipped {
            tokio::time::sleep(ALL_SKIPPED).await;
        }
    }

    fn fail(&mut self, entries: Vec<Entry>, error: &AppendError) {
        if let Some(undecided) = &mut self.state.undecided {
            undecided.given_up = true;
        }
        for entry in entries {
            self.queue.failed(entry, error);
        }
    }
}

fn serialise(entry: &mut Entry) {
    if entry.payloads.is_empty() {
        entry.payloads = entry
            .events
            .iter()
            .map(|event| serde_json::to_string(event).expect("events are plain data"))
            .collect();
    }
}

/// The events of an entry as they were committed, with the bytes of each.
fn record(entry: &mut Entry, first: i64, time: Option<OffsetDateTime>) -> Shared {
    let time = time.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let generation_id = entry.generation;
    let events = std::mem::take(&mut entry.events);
    (first..)
        .zip(events.into_iter().zip(&entry.payloads))
        .map(|(sequence, (event, payload))| {
            let recorded = Recorded {
                sequence,
                time,
                generation_id,
                event,
            };
            (Arc::new(recorded), payload.len())
        })
        .collect()
}
