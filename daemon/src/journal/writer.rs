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
use crate::store::change::{self, Scope};
use crate::store::{RowChange, StoreError};

use super::Identity;
use super::append::AppendError;
use super::batch::{self, EventRows, Fate, HeadMoves, Held, Ticket, Wait};
use super::log::Logs;
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

/// What becomes of each entry of a batch.
#[derive(Clone, Debug)]
enum Verdict {
    /// Written, its first event here.
    At(i64),
    /// Not now: somebody else holds the head.
    Later,
    /// Not ever.
    Refused(AppendError),
}

/// The verdicts on a batch, and when it was committed if anything was.
type Done = (Vec<Verdict>, Option<OffsetDateTime>);

/// Why a try did not come to its end.
enum Trouble {
    /// The connection is no good, or the answer was lost.
    Lost(String),
    /// The database refused for now: a lock, a deadlock, a time limit.
    Busy(String),
    /// The database has no space left.
    Full,
    /// One of the entries was refused: find out which.
    Refused,
    /// A later boot of this daemon took over.
    Deposed,
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
        let mut db = PgConnection::connect_with(&self.pool.connect_options())
            .await
            .map_err(lost)?;
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
        let mut published: Vec<(ProjectId, Vec<(Arc<Recorded>, usize)>)> = Vec::new();
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

/// The heads that a transaction holds, and how they move.
struct Ledger {
    heads: HashMap<ProjectId, Option<Held>>,
    identity: Identity,
}

impl Ledger {
    async fn apply_together(
        &mut self,
        db: &mut PgConnection,
        entries: &[Entry],
    ) -> Result<Done, Trouble> {
        let before = self.heads.clone();
        let mut verdicts = Vec::with_capacity(entries.len());
        let mut rows = EventRows::default();
        for entry in entries {
            let verdict = self.verdict(entry);
            if let Verdict::At(first) = verdict {
                self.apply(db, entry, first).await.map_err(refused)?;
                rows.push(entry, first);
                self.advance(entry, first);
            }
            verdicts.push(verdict);
        }
        if rows.is_empty() {
            return Ok((verdicts, None));
        }
        let mut moves = HeadMoves::default();
        for (project, after) in ends(entries, &verdicts) {
            let held = before.get(&project).copied().flatten();
            let held = held.map_or(0, |held| held.head);
            if after > held {
                moves.push(project, None, held, after);
            }
        }
        let time = batch::write_held(db, &moves, &rows)
            .await
            .map_err(|error| refused(error.into()))?;
        Ok((verdicts, Some(time)))
    }

    async fn apply_one_by_one(
        &mut self,
        db: &mut PgConnection,
        entries: &[Entry],
    ) -> Result<Done, Trouble> {
        let mut verdicts = Vec::with_capacity(entries.len());
        let mut time = None;
        for entry in entries {
            let verdict = self.verdict(entry);
            let Verdict::At(first) = verdict else {
                verdicts.push(verdict);
                continue;
            };
            let mut savepoint = db.begin().await.map_err(lost_or_busy)?;
            match self.apply_alone(&mut savepoint, entry, first).await {
                Ok(written) => {
                    savepoint.commit().await.map_err(lost_or_busy)?;
                    time = written.or(time);
                    self.advance(entry, first);
                    verdicts.push(verdict);
                }
                Err(StoreError::Unavailable(error)) => return Err(lost(error)),
                Err(StoreError::StorageFull) => return Err(Trouble::Full),
                Err(error) => {
                    savepoint.rollback().await.map_err(lost_or_busy)?;
                    let error = AppendError::Refused(Arc::new(error));
                    verdicts.push(Verdict::Refused(error));
                }
            }
        }
        Ok((verdicts, time))
    }

    async fn apply_alone(
        &self,
        db: &mut PgConnection,
        entry: &Entry,
        first: i64,
    ) -> Result<Option<OffsetDateTime>, StoreError> {
        self.apply(db, entry, first).await?;
        let mut rows = EventRows::default();
        rows.push(entry, first);
        if rows.is_empty() {
            return Ok(None);
        }
        let mut moves = HeadMoves::default();
        moves.push(entry.project, None, first - 1, end(entry, first));
        Ok(Some(batch::write_held(db, &moves, &rows).await?))
    }

    async fn apply(
        &self,
        db: &mut PgConnection,
        entry: &Entry,
        first: i64,
    ) -> Result<(), StoreError> {
        let scope = Scope {
            project: entry.project,
            first_sequence: first,
            daemon: self.identity.daemon_id,
            boot: self.identity.boot_id,
        };
        for change in &entry.changes {
            change::apply(db, scope, change).await?;
        }
        Ok(())
    }

    /// What becomes of an entry, as far as its project's head decides it.
    fn verdict(&self, entry: &Entry) -> Verdict {
        match self.heads.get(&entry.project) {
            Some(None) => Verdict::Later,
            Some(Some(held)) => match batch::epoch(entry.fence) {
                Some(epoch) if epoch != held.epoch => Verdict::Refused(AppendError::Fenced),
                _ => Verdict::At(held.head + 1),
            },
            None if makes_project(entry) => Verdict::At(1),
            None => Verdict::Refused(AppendError::ProjectGone),
        }
    }

    fn advance(&mut self, entry: &Entry, first: i64) {
        let held = self.heads.entry(entry.project).or_default();
        let epoch = held.map_or(0, |held| held.epoch);
        *held = Some(Held {
            head: end(entry, first),
            epoch,
        });
    }
}

/// Where everything will stand if every head is where it is thought to be, and
/// nobody else writes. `None`: there is more to do than to write events.
#[expect(clippy::type_complexity, reason = "the parts go to different places")]
fn plan(
    entries: &[Entry],
    heads: &HashMap<ProjectId, i64>,
) -> Option<(Vec<Verdict>, Vec<(ProjectId, i64)>, HeadMoves)> {
    struct Plan {
        before: i64,
        after: i64,
        epoch: Option<i64>,
    }
    let mut plans: HashMap<ProjectId, Plan> = HashMap::new();
    let mut verdicts = Vec::with_capacity(entries.len());
    for entry in entries {
        if !entry.changes.is_empty() || entry.events.is_empty() {
            return None;
        }
        let before = *heads.get(&entry.project)?;
        let epoch = batch::epoch(entry.fence);
        let plan = plans.entry(entry.project).or_insert(Plan {
            before,
            after: before,
            epoch,
        });
        plan.epoch = match (plan.epoch, epoch) {
            (Some(one), Some(other)) if one != other => return None,
            (one, other) => one.or(other),
        };
        let first = plan.after + 1;
        plan.after = end(entry, first);
        verdicts.push(Verdict::At(first));
    }
    let mut moves = HeadMoves::default();
    let mut ends = Vec::with_capacity(plans.len());
    for (project, plan) in plans {
        moves.push(project, plan.epoch, plan.before, plan.after);
        ends.push((project, plan.after));
    }
    Some((verdicts, ends, moves))
}

/// Where the logs end that a batch moved.
fn ends(entries: &[Entry], verdicts: &[Verdict]) -> Vec<(ProjectId, i64)> {
    let mut ends: HashMap<ProjectId, i64> = HashMap::new();
    for (entry, verdict) in entries.iter().zip(verdicts) {
        if let Verdict::At(first) = verdict {
            ends.insert(entry.project, end(entry, *first));
        }
    }
    ends.into_iter().collect()
}

/// Position of the last event of an entry.
fn end(entry: &Entry, first: i64) -> i64 {
    first - 1 + i64::try_from(entry.events.len()).unwrap_or(0)
}

fn makes_project(entry: &Entry) -> bool {
    entry.changes.iter().any(
        |change| matches!(change, RowChange::InsertProject(project) if project.id == entry.project),
    )
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
fn record(
    entry: &mut Entry,
    first: i64,
    time: Option<OffsetDateTime>,
) -> Vec<(Arc<Recorded>, usize)> {
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

/// Whether the database itself said that it did not happen. A connection that
/// was ended from the other side says nothing about a COMMIT that it was given.
fn is_definite(error: &sqlx::Error) -> bool {
    let Some(code) = error.as_database_error().and_then(|error| error.code()) else {
        return false;
    };
    !["57P", "08", "XX"]
        .iter()
        .any(|class| code.starts_with(class))
}

/// What an error means that was said before anything was sent to be committed.
fn lost_or_busy(error: sqlx::Error) -> Trouble {
    let text = error.to_string();
    if !is_definite(&error) {
        return Trouble::Lost(text);
    }
    match StoreError::from(error) {
        StoreError::StorageFull => Trouble::Full,
        _ => Trouble::Busy(text),
    }
}

/// What an error means that one entry of several may be to blame for.
fn refused(error: StoreError) -> Trouble {
    match error {
        StoreError::Unavailable(error) => lost(error),
        StoreError::StorageFull => Trouble::Full,
        _ => Trouble::Refused,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is for map_err")]
fn lost(error: sqlx::Error) -> Trouble {
    Trouble::Lost(error.to_string())
}
