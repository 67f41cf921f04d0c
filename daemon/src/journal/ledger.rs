//! What becomes of the entries of a batch inside one transaction: who may write,
//! where it comes to stand, and what a refusal does to the others. It commits
//! nothing.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sqlx::{Connection, PgConnection};
use time::OffsetDateTime;

use crate::domain::event::Event;
use crate::domain::id::ProjectId;
use crate::store::change::{self, Scope};
use crate::store::{RowChange, StoreError};

use super::Identity;
use super::append::AppendError;
use super::batch::{self, EventRows, HeadMove, HeadMoves, Held};
use super::queue::Entry;

/// What becomes of each entry of a batch.
#[derive(Clone, Debug)]
pub(super) enum Verdict {
    /// Written, its first event here.
    At(i64),
    /// Not now: somebody else holds the head.
    Later,
    /// Not ever.
    Refused(AppendError),
}

/// The verdicts on a batch, and when it was committed if anything was.
pub(super) type Done = (Vec<Verdict>, Option<OffsetDateTime>);

/// Why a try did not come to its end.
pub(super) enum Trouble {
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

/// The heads that a transaction holds, and how they move.
pub(super) struct Ledger {
    pub(super) heads: HashMap<ProjectId, Option<Held>>,
    pub(super) identity: Identity,
}

impl Ledger {
    /// Applies all of it, and gives up at the first refusal.
    pub(super) async fn apply_together(
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
        let changed: HashSet<ProjectId> = entries
            .iter()
            .zip(&verdicts)
            .filter(|(entry, verdict)| matches!(verdict, Verdict::At(_)) && changes(entry))
            .map(|(entry, _)| entry.project)
            .collect();
        let mut moves = HeadMoves::default();
        for (project, after) in ends(entries, &verdicts) {
            let held = before.get(&project).copied().flatten();
            let head = HeadMove {
                epoch: None,
                before: held.map_or(0, |held| held.head),
                after,
                changes: changed.contains(&project),
            };
            if head.after > head.before {
                moves.push(project, &head);
            }
        }
        let time = batch::write_held(db, &moves, &rows)
            .await
            .map_err(|error| refused(error.into()))?;
        Ok((verdicts, Some(time)))
    }

    /// Applies each entry behind a savepoint, so that only the guilty one is left out.
    pub(super) async fn apply_one_by_one(
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
        let head = HeadMove {
            epoch: None,
            before: first - 1,
            after: end(entry, first),
            changes: changes(entry),
        };
        moves.push(entry.project, &head);
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
pub(super) fn plan(
    entries: &[Entry],
    heads: &HashMap<ProjectId, i64>,
) -> Option<(Vec<Verdict>, Vec<(ProjectId, i64)>, HeadMoves)> {
    let mut plans: HashMap<ProjectId, HeadMove> = HashMap::new();
    let mut verdicts = Vec::with_capacity(entries.len());
    for entry in entries {
        if !entry.changes.is_empty() || entry.events.is_empty() {
            return None;
        }
        let before = *heads.get(&entry.project)?;
        let epoch = batch::epoch(entry.fence);
        let plan = plans.entry(entry.project).or_insert(HeadMove {
            epoch,
            before,
            after: before,
            changes: false,
        });
        plan.changes |= changes(entry);
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
        moves.push(project, &plan);
        ends.push((project, plan.after));
    }
    Some((verdicts, ends, moves))
}

/// Where the logs end that a batch moved.
pub(super) fn ends(entries: &[Entry], verdicts: &[Verdict]) -> Vec<(ProjectId, i64)> {
    let mut ends: HashMap<ProjectId, i64> = HashMap::new();
    for (entry, verdict) in entries.iter().zip(verdicts) {
        if let Verdict::At(first) = verdict {
            ends.insert(entry.project, end(entry, *first));
        }
    }
    ends.into_iter().collect()
}

/// Position of the last event of an entry.
pub(super) fn end(entry: &Entry, first: i64) -> i64 {
    first - 1 + i64::try_from(entry.events.len()).unwrap_or(0)
}

/// Whether a project counts as changed by an entry: what becomes of its sandbox
/// alone, such as when a daemon starts, is no change of it.
fn changes(entry: &Entry) -> bool {
    let is_change = |event: &Event| !matches!(event, Event::SandboxStateChanged { .. });
    entry.events.iter().any(is_change)
}

fn makes_project(entry: &Entry) -> bool {
    entry.changes.iter().any(
        |change| matches!(change, RowChange::InsertProject(project) if project.id == entry.project),
    )
}

/// Whether the database itself said that it did not happen. A connection that
/// was ended from the other side says nothing about a COMMIT that it was given.
pub(super) fn is_definite(error: &sqlx::Error) -> bool {
    let Some(code) = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
    else {
        return false;
    };
    !["57P", "08", "XX"]
        .iter()
        .any(|class| code.starts_with(class))
}

/// What an error means that was said before anything was sent to be committed.
pub(super) fn lost_or_busy(error: sqlx::Error) -> Trouble {
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
pub(super) fn refused(error: StoreError) -> Trouble {
    match error {
        StoreError::Unavailable(error) => lost(error),
        StoreError::StorageFull => Trouble::Full,
        _ => Trouble::Refused,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is for map_err")]
pub(super) fn lost(error: sqlx::Error) -> Trouble {
    Trouble::Lost(error.to_string())
}
