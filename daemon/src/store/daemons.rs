//! The daemons that share this database. Whether one is alive is judged by the
//! database's clock: its row is fresh for 15 s and renewed every 5 s.

use sqlx::{PgConnection, PgExecutor};

use crate::domain::id::{BootId, DaemonId};

use super::error::Result;

/// Enters this boot: leases of the daemon's earlier boots are void from here on,
/// and the writers of earlier boots can write nothing more.
///
/// # Errors
/// The database.
pub async fn register(
    db: &mut PgConnection,
    daemon: DaemonId,
    boot: BootId,
    host: &str,
) -> Result<()> {
    sqlx::query!(
        "with daemon as (
            insert into daemons (id, boot_id, host) values ($1, $2, $3)
            on conflict (id) do update
            set boot_id = excluded.boot_id, host = excluded.host, started_at = now(), seen_at = now()
        )
        delete from journal_writers where daemon_id = $1 and boot_id <> $2",
        daemon.uuid(),
        boot.uuid(),
        host
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "insert into journal_writers (boot_id, daemon_id) values ($2, $1) on conflict do nothing",
        daemon.uuid(),
        boot.uuid()
    )
    .execute(&mut *db)
    .await?;
    Ok(())
}

/// Says that this boot lives, and counts the other daemons that do. `None`:
/// another boot has taken this daemon's place.
///
/// # Errors
/// The database.
pub async fn heartbeat(
    db: impl PgExecutor<'_>,
    daemon: DaemonId,
    boot: BootId,
) -> Result<Option<i64>> {
    let row = sqlx::query!(
        r#"with renewed as (
            update daemons set seen_at = now() where id = $1 and boot_id = $2 returning id
        )
        select exists (select from renewed) as "renewed!",
               (select count(*) from daemons
                where id <> $1 and seen_at > now() - interval '15 seconds') as "others!""#,
        daemon.uuid(),
        boot.uuid()
    )
    .fetch_one(db)
    .await?;
    Ok(row.renewed.then_some(row.others))
}

/// Leaves in order, so that nobody waits for a lease to run out.
///
/// # Errors
/// The database.
pub async fn leave(db: impl PgExecutor<'_>, daemon: DaemonId, boot: BootId) -> Result<()> {
    sqlx::query!(
        "update daemons set seen_at = '-infinity' where id = $1 and boot_id = $2",
        daemon.uuid(),
        boot.uuid()
    )
    .execute(db)
    .await?;
    Ok(())
}
