//! The heads of logs, as everybody but the journal's writer may use them: read
//! positions, take and leave the ownership of a project. Moving a head is the
//! journal's alone.

use sqlx::PgExecutor;
use uuid::Uuid;

use crate::domain::id::{BootId, DaemonId, ProjectId};

use super::error::Result;

/// The ends of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Position of the newest event; 0 before the first.
    pub head: i64,
    /// Oldest position that is still there.
    pub oldest: i64,
}

/// What came of trying to take a project over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is ours, under this epoch.
    Epoch(i64),
    /// A daemon that is alive holds it.
    Held,
    /// There is no such project.
    Missing,
}

/// The ends of a project's log; `None`: there is no such project.
///
/// # Errors
/// The database.
pub async fn get(db: impl PgExecutor<'_>, project: ProjectId) -> Result<Option<Head>> {
    Ok(sqlx::query_as!(
        Head,
        "select head, oldest from project_heads where project_id = $1",
        project.uuid()
    )
    .fetch_optional(db)
    .await?)
}

/// The heads of several projects; those that do not exist are left out.
///
/// # Errors
/// The database.
pub async fn of_projects(
    db: impl PgExecutor<'_>,
    projects: &[Uuid],
) -> Result<Vec<(ProjectId, i64)>> {
    let rows = sqlx::query!(
        "select project_id, head from project_heads where project_id = any($1)",
        projects
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.project_id.into(), row.head))
        .collect())
}

/// Takes a project over where nobody holds it, where the holder is this daemon,
/// or where the holder's boot is no longer alive. The epoch goes up, so that
/// whoever held it writes nothing more. Clocks are the database's only.
///
/// # Errors
/// The database.
pub async fn take(
    db: impl PgExecutor<'_>,
    project: ProjectId,
    daemon: DaemonId,
    boot: BootId,
) -> Result<Taken> {
    let row = sqlx::query!(
        r#"with taken as (
            update project_heads h
            set epoch = h.epoch + 1, owner_daemon_id = $2, owner_boot_id = $3
            where h.project_id = $1
              and (h.owner_daemon_id is null or h.owner_daemon_id = $2 or not exists (
                    select from daemons d
                    where d.id = h.owner_daemon_id and d.boot_id = h.owner_boot_id
                      and d.seen_at > now() - interval '15 seconds'))
            returning h.epoch
        )
        select (select epoch from taken) as epoch,
               exists (select from project_heads where project_id = $1) as "there!""#,
        project.uuid(),
        daemon.uuid(),
        boot.uuid()
    )
    .fetch_one(db)
    .await?;
    Ok(match (row.epoch, row.there) {
        (Some(epoch), _) => Taken::Epoch(epoch),
        (None, true) => Taken::Held,
        (None, false) => Taken::Missing,
    })
}

/// Leaves a project that is held under `epoch`; does nothing where it was taken
/// over meanwhile.
///
/// # Errors
/// The database.
pub async fn leave(db: impl PgExecutor<'_>, project: ProjectId, epoch: i64) -> Result<()> {
    sqlx::query!(
        "update project_heads set owner_daemon_id = null, owner_boot_id = null
         where project_id = $1 and epoch = $2",
        project.uuid(),
        epoch
    )
    .execute(db)
    .await?;
    Ok(())
}
