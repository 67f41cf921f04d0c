//! The rows of sandboxes: at most one a project. What is true of the container
//! is Docker's to say; these rows say what we want and what we saw last.

use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::id::{DaemonId, ProjectId, RevisionId, SandboxId};
use crate::domain::sandbox::{Sandbox, SandboxState, Slot};

use super::error::{Result, StoreError, known};

/// A change of a sandbox's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxTransition {
    /// The sandbox.
    pub id: SandboxId,
    /// The states that it may be in now; empty: any.
    pub from: Vec<SandboxState>,
    /// The state that it enters.
    pub state: SandboxState,
    /// Why, for people.
    pub detail: String,
    /// The container's id with the engine, where that changes: `Some(None)` forgets it.
    pub container_id: Option<Option<String>>,
}

struct Row {
    id: Uuid,
    project_id: Uuid,
    engine_id: String,
    daemon_id: Uuid,
    state: String,
    detail: String,
    container_id: Option<String>,
    image: String,
    revision_id: Option<Uuid>,
    slot: String,
    created_at: OffsetDateTime,
}

impl TryFrom<Row> for Sandbox {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id.into(),
            project_id: row.project_id.into(),
            engine_id: row.engine_id,
            daemon_id: row.daemon_id.into(),
            state: known("sandboxes.state", &row.state, SandboxState::parse)?,
            detail: row.detail,
            container_id: row.container_id,
            image: row.image,
            revision_id: row.revision_id.map(Into::into),
            slot: known("sandboxes.slot", &row.slot, Slot::parse)?,
            created_at: row.created_at,
        })
    }
}

/// Sandboxes, every column.
macro_rules! select_sandboxes {
    ($tail:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            Row,
            "select id, project_id, engine_id, daemon_id, state, detail, container_id, image,
                revision_id, slot, created_at
            from sandboxes " + $tail,
            $($argument),+
        )
    };
}

/// The sandbox of a project.
///
/// # Errors
/// The database.
pub async fn of_project(db: impl PgExecutor<'_>, project: ProjectId) -> Result<Option<Sandbox>> {
    select_sandboxes!("where project_id = $1", project.uuid())
        .fetch_optional(db)
        .await?
        .map(Sandbox::try_from)
        .transpose()
}

/// All sandboxes on an engine, whichever daemon made them.
///
/// # Errors
/// The database.
pub async fn of_engine(db: impl PgExecutor<'_>, engine_id: &str) -> Result<Vec<Sandbox>> {
    select_sandboxes!("where engine_id = $1 order by created_at, id", engine_id)
        .fetch_all(db)
        .await?
        .into_iter()
        .map(Sandbox::try_from)
        .collect()
}

/// All sandboxes that a daemon made.
///
/// # Errors
/// The database.
pub async fn of_daemon(db: impl PgExecutor<'_>, daemon: DaemonId) -> Result<Vec<Sandbox>> {
    select_sandboxes!(
        "where daemon_id = $1 order by created_at, id",
        daemon.uuid()
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(Sandbox::try_from)
    .collect()
}

/// Makes the row of a project's sandbox, or makes it stand for this one.
///
/// # Errors
/// [`StoreError::NotFound`] if the project is gone.
pub async fn upsert(db: &mut PgConnection, sandbox: &Sandbox) -> Result<()> {
    sqlx::query!(
        "insert into sandboxes (id, project_id, engine_id, daemon_id, state, detail, container_id,
             image, revision_id, slot)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         on conflict (project_id) do update
         set id = excluded.id, engine_id = excluded.engine_id, daemon_id = excluded.daemon_id,
             state = excluded.state, detail = excluded.detail, container_id = excluded.container_id,
             image = excluded.image, revision_id = excluded.revision_id, slot = excluded.slot,
             created_at = now(), changed_at = now()",
        sandbox.id.uuid(),
        sandbox.project_id.uuid(),
        sandbox.engine_id,
        sandbox.daemon_id.uuid(),
        sandbox.state.as_str(),
        sandbox.detail,
        sandbox.container_id,
        sandbox.image,
        sandbox.revision_id.map(RevisionId::uuid),
        sandbox.slot.as_str()
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Moves a sandbox from one of the expected states to another.
///
/// # Errors
/// [`StoreError::Conflict`] if it is in none of them, or gone.
pub async fn transition(
    db: impl PgExecutor<'_>,
    project: ProjectId,
    change: &SandboxTransition,
) -> Result<()> {
    let from: Vec<String> = change.from.iter().map(ToString::to_string).collect();
    let done = sqlx::query!(
        "update sandboxes
         set state = $4, detail = $5, changed_at = now(),
             container_id = case when $6 then $7 else container_id end
         where id = $1 and project_id = $2 and (cardinality($3::text[]) = 0 or state = any($3))",
        change.id.uuid(),
        project.uuid(),
        &from,
        change.state.as_str(),
        change.detail,
        change.container_id.is_some(),
        change.container_id.as_ref().and_then(|id| id.as_deref())
    )
    .execute(db)
    .await?;
    expect_one(done.rows_affected())
}

/// Records which revision the dev server runs, and in which slot.
///
/// # Errors
/// [`StoreError::Conflict`] if the sandbox is gone.
pub async fn set_shown(
    db: impl PgExecutor<'_>,
    project: ProjectId,
    sandbox: SandboxId,
    revision: RevisionId,
    slot: Slot,
) -> Result<()> {
    let done = sqlx::query!(
        "update sandboxes set revision_id = $3, slot = $4, changed_at = now()
         where id = $1 and project_id = $2",
        sandbox.uuid(),
        project.uuid(),
        revision.uuid(),
        slot.as_str()
    )
    .execute(db)
    .await?;
    expect_one(done.rows_affected())
}

/// Forgets a sandbox, and says whether it was there.
///
/// # Errors
/// The database.
pub async fn delete(db: impl PgExecutor<'_>, sandbox: SandboxId) -> Result<bool> {
    let done = sqlx::query!("delete from sandboxes where id = $1", sandbox.uuid())
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Keeps the last output of a project's dev server.
///
/// # Errors
/// The database.
pub async fn keep_log(db: impl PgExecutor<'_>, project: ProjectId, tail: &str) -> Result<()> {
    sqlx::query!(
        "insert into sandbox_logs (project_id, tail) values ($1, $2)
         on conflict (project_id) do update set tail = excluded.tail, at = now()",
        project.uuid(),
        tail.replace('\0', "")
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The last output of a project's dev server that was kept.
///
/// # Errors
/// The database.
pub async fn kept_log(db: impl PgExecutor<'_>, project: ProjectId) -> Result<Option<String>> {
    Ok(sqlx::query_scalar!(
        "select tail from sandbox_logs where project_id = $1",
        project.uuid()
    )
    .fetch_optional(db)
    .await?)
}

fn expect_one(rows: u64) -> Result<()> {
    if rows == 1 {
        Ok(())
    } else {
        Err(StoreError::Conflict)
    }
}
