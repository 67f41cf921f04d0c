//! One batch in the database: the statements that write it. Whether it landed is
//! for the writer to find out.

use std::collections::HashMap;

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::id::{GenerationId, ProjectId};

use super::append::Fence;
use super::queue::Entry;

/// Which batch this is: the writer's row must be at `before`, and is moved to
/// `before + 1` in the same transaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    pub(super) boot: Uuid,
    pub(super) before: i64,
}

/// Rows of the events table, column by column.
#[derive(Default)]
pub(super) struct EventRows<'a> {
    projects: Vec<Uuid>,
    sequences: Vec<i64>,
    kinds: Vec<&'a str>,
    generations: Vec<Option<Uuid>>,
    payloads: Vec<&'a str>,
}

impl<'a> EventRows<'a> {
    /// Adds the events of an entry, the first of them at `first`.
    pub(super) fn push(&mut self, entry: &'a Entry, first: i64) {
        let generation = entry.generation.map(GenerationId::uuid);
        for (sequence, (event, payload)) in (first..).zip(entry.events.iter().zip(&entry.payloads))
        {
            self.projects.push(entry.project.uuid());
            self.sequences.push(sequence);
            self.kinds.push(event.kind());
            self.generations.push(generation);
            self.payloads.push(payload);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sequences.is_empty()
    }
}

/// How the heads of projects move, column by column.
#[derive(Default)]
pub(super) struct HeadMoves {
    projects: Vec<Uuid>,
    epochs: Vec<Option<i64>>,
    before: Vec<i64>,
    after: Vec<i64>,
    changes: Vec<bool>,
}

/// How the head of one project moves.
pub(super) struct HeadMove {
    /// The epoch that it must have, if that matters.
    pub(super) epoch: Option<i64>,
    pub(super) before: i64,
    pub(super) after: i64,
    /// Whether the project counts as changed by it.
    pub(super) changes: bool,
}

impl HeadMoves {
    pub(super) fn push(&mut self, project: ProjectId, head: &HeadMove) {
        self.projects.push(project.uuid());
        self.epochs.push(head.epoch);
        self.before.push(head.before);
        self.after.push(head.after);
        self.changes.push(head.changes);
    }
}

/// Writes events alone, in one round trip that is its own transaction: all of
/// them if every head is free and as expected, else none. `None`: none.
pub(super) async fn write_at_once(
    db: &mut PgConnection,
    ticket: Ticket,
    heads: &HeadMoves,
    events: &EventRows<'_>,
) -> Result<Option<OffsetDateTime>, sqlx::Error> {
    let row = sqlx::query!(
        r#"with wanted as (
            select * from unnest($3::uuid[], $4::bigint[], $5::bigint[], $6::bigint[], $12::bool[])
                as w (project_id, epoch, before, after, changes)
        ), locked as (
            select h.project_id, w.after, w.changes
            from wanted w join project_heads h on h.project_id = w.project_id
            where h.head = w.before and (w.epoch is null or w.epoch = h.epoch)
            order by h.project_id
            for update of h skip locked
        ), writer as (
            update journal_writers set batch = $2 + 1
            where boot_id = $1 and batch = $2
              and (select count(*) from locked) = cardinality($3::uuid[])
            returning batch
        ), moved as (
            update project_heads h
            set head = l.after, changed_at = case when l.changes then now() else h.changed_at end
            from locked l
            where h.project_id = l.project_id and exists (select from writer)
        ), written as (
            insert into events (project_id, sequence, kind, generation_id, payload)
            select e.project_id, e.sequence, e.kind, e.generation_id, e.payload::json
            from unnest($7::uuid[], $8::bigint[], $9::text[], $10::uuid[], $11::text[])
                as e (project_id, sequence, kind, generation_id, payload)
            where exists (select from writer)
        )
        select now() as "time!", exists (select from writer) as "written!""#,
        ticket.boot,
        ticket.before,
        &heads.projects,
        &heads.epochs as &[Option<i64>],
        &heads.before,
        &heads.after,
        &events.projects,
        &events.sequences,
        &events.kinds as &[&str],
        &events.generations as &[Option<Uuid>],
        &events.payloads as &[&str],
        &heads.changes
    )
    .fetch_one(db)
    .await?;
    Ok(row.written.then_some(row.time))
}

/// A head that the transaction holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) head: i64,
    pub(super) epoch: i64,
}

/// What locking the heads of a batch gave.
pub(super) struct Locked {
    /// The heads that are held. `None`: somebody else holds it now.
    pub(super) heads: HashMap<ProjectId, Option<Held>>,
    /// Whether the writer's row was where it was expected, and was moved.
    pub(super) ticket_valid: bool,
}

/// Whether to wait for a head that somebody else holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Leave it for a later batch.
    Skip,
    /// Wait for it: it was skipped often enough.
    Wait,
}

/// Locks the heads of some projects in the order of their ids, and moves the
/// writer's row.
pub(super) async fn lock(
    db: &mut PgConnection,
    ticket: Ticket,
    projects: &[Uuid],
    wait: Wait,
) -> Result<Locked, sqlx::Error> {
    struct Row {
        batch: Option<i64>,
        project_id: Option<Uuid>,
        head: Option<i64>,
        epoch: Option<i64>,
    }
    let rows = match wait {
        Wait::Skip => {
            sqlx::query_as!(
                Row,
                r#"with locked as (
                    select project_id, head, epoch from project_heads
                    where project_id = any($3) order by project_id for update skip locked
                ), writer as (
                    update journal_writers set batch = $2 + 1
                    where boot_id = $1 and batch = $2 returning batch
                )
                select (select batch from writer) as "batch?", null::uuid as "project_id?",
                       null::bigint as "head?", null::bigint as "epoch?"
                union all
                select null, project_id, null, null from project_heads where project_id = any($3)
                union all
                select null, project_id, head, epoch from locked"#,
                ticket.boot,
                ticket.before,
                projects
            )
            .fetch_all(db)
            .await?
        }
        Wait::Wait => {
            sqlx::query_as!(
                Row,
                r#"with locked as (
                    select project_id, head, epoch from project_heads
                    where project_id = any($3) order by project_id for update
                ), writer as (
                    update journal_writers set batch = $2 + 1
                    where boot_id = $1 and batch = $2 returning batch
                )
                select (select batch from writer) as "batch?", null::uuid as "project_id?",
                       null::bigint as "head?", null::bigint as "epoch?"
                union all
                select null, project_id, null, null from project_heads where project_id = any($3)
                union all
                select null, project_id, head, epoch from locked"#,
                ticket.boot,
                ticket.before,
                projects
            )
            .fetch_all(db)
            .await?
        }
    };
    let mut locked = Locked {
        heads: HashMap::new(),
        ticket_valid: false,
    };
    for row in rows {
        match (row.project_id, row.head, row.epoch) {
            (Some(project), Some(head), Some(epoch)) => {
                let held = Some(Held { head, epoch });
                locked.heads.insert(project.into(), held);
            }
            // It is there; whether it is held another row says.
            (Some(project), _, _) => {
                locked.heads.entry(project.into()).or_insert(None);
            }
            (None, _, _) => locked.ticket_valid |= row.batch.is_some(),
        }
    }
    Ok(locked)
}

/// Writes events and moves heads that the transaction holds. Gives the time of
/// the transaction, which is that of the events.
pub(super) async fn write_held(
    db: &mut PgConnection,
    heads: &HeadMoves,
    events: &EventRows<'_>,
) -> Result<OffsetDateTime, sqlx::Error> {
    let row = sqlx::query!(
        r#"with moved as (
            update project_heads h
            set head = m.after, changed_at = case when m.changes then now() else h.changed_at end
            from unnest($1::uuid[], $2::bigint[], $3::bigint[], $9::bool[])
                as m (project_id, before, after, changes)
            where h.project_id = m.project_id and h.head = m.before
            returning h.project_id
        ), written as (
            insert into events (project_id, sequence, kind, generation_id, payload)
            select e.project_id, e.sequence, e.kind, e.generation_id, e.payload::json
            from unnest($4::uuid[], $5::bigint[], $6::text[], $7::uuid[], $8::text[])
                as e (project_id, sequence, kind, generation_id, payload)
        )
        select now() as "time!", (select count(*) from moved) as "moved!""#,
        &heads.projects,
        &heads.before,
        &heads.after,
        &events.projects,
        &events.sequences,
        &events.kinds as &[&str],
        &events.generations as &[Option<Uuid>],
        &events.payloads as &[&str],
        &heads.changes
    )
    .fetch_one(db)
    .await?;
    // The heads are locked and their positions were read under the lock.
    debug_assert_eq!(usize::try_from(row.moved), Ok(heads.projects.len()));
    Ok(row.time)
}

/// What became of a batch whose answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It was committed.
    Committed,
    /// It was not, and never will be.
    Burned,
    /// The writer's row is gone: a later boot of this daemon took over.
    Deposed,
}

/// Decides what became of a batch. Waits for its transaction, if that is still
/// under way, by the lock on the writer's row; where the batch did not land, the
/// row is moved past it, so that it cannot land later either, whatever still
/// lies in some socket. Safe to repeat: the row tells the three cases apart.
pub(super) async fn decide(db: &mut PgConnection, ticket: Ticket) -> Result<Fate, sqlx::Error> {
    sqlx::query!(
        "update journal_writers set batch = $2 + 2 where boot_id = $1 and batch = $2",
        ticket.boot,
        ticket.before
    )
    .execute(&mut *db)
    .await?;
    let batch = sqlx::query_scalar!(
        "select batch from journal_writers where boot_id = $1",
        ticket.boot
    )
    .fetch_optional(&mut *db)
    .await?;
    Ok(match batch {
        None => Fate::Deposed,
        Some(batch) if batch == ticket.before + 1 => Fate::Committed,
        Some(_) => Fate::Burned,
    })
}

/// Where the writer's row is; `None`: there is none.
pub(super) async fn position(
    db: &mut PgConnection,
    boot: Uuid,
) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar!("select batch from journal_writers where boot_id = $1", boot)
        .fetch_optional(db)
        .await
}

/// When an event was committed.
pub(super) async fn time_of(
    db: &mut PgConnection,
    project: ProjectId,
    sequence: i64,
) -> Result<Option<OffsetDateTime>, sqlx::Error> {
    sqlx::query_scalar!(
        "select created_at from events where project_id = $1 and sequence = $2",
        project.uuid(),
        sequence
    )
    .fetch_optional(db)
    .await
}

/// The epoch that a fence asks for.
pub(super) const fn epoch(fence: Fence) -> Option<i64> {
    match fence {
        Fence::None => None,
        Fence::Epoch(epoch) => Some(epoch),
    }
}
